"""Calls that moto alone gets wrong, through boto3. Prints what was checked; any exception is a failure."""

import json

import boto3

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def network():
    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    zones = ("us-east-1a", "us-east-1b")
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.99.{i}.0/24", AvailabilityZone=z)["Subnet"]["SubnetId"]
        for i, z in enumerate(zones)
    ]
    return ec2, vpc, subnets


@check
def rule_descriptions():
    ec2, vpc, _ = network()
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    pair = {"GroupId": group, "Description": "from itself"}
    permission = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "UserIdGroupPairs": [pair]}
    rule = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])["SecurityGroupRules"][0]
    found = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])
    assert found["SecurityGroupRules"][0]["Description"] == "from itself", found


@check
def endpoints_go():
    ec2, vpc, _ = network()
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    service = "com.amazonaws.us-east-1.s3"
    made = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=service, VpcEndpointType="Gateway", RouteTableIds=[table])["VpcEndpoint"]
    ec2.delete_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])
    left = [e["VpcEndpointId"] for e in ec2.describe_vpc_endpoints()["VpcEndpoints"]]
    assert made["VpcEndpointId"] not in left, left


@check
def groups_follow_their_template():
    ec2, vpc, subnets = network()
    asg = boto3.client("autoscaling")
    group = ec2.create_security_group(GroupName="node", Description="d", VpcId=vpc)["GroupId"]
    image = ec2.describe_images(Owners=["136693071363"])["Images"][0]["ImageId"]
    data = {"ImageId": image, "InstanceType": "t3.small", "SecurityGroupIds": [group], "UserData": "b25l"}
    data["TagSpecifications"] = [{"ResourceType": "instance", "Tags": [{"Key": "Role", "Value": "node"}]}]
    own = [{"ResourceType": "launch-template", "Tags": [{"Key": "Owner", "Value": "us"}]}]
    template = ec2.create_launch_template(LaunchTemplateName="t", LaunchTemplateData=data, TagSpecifications=own)
    name = template["LaunchTemplate"]["LaunchTemplateId"]
    ec2.create_launch_template_version(LaunchTemplateId=name, LaunchTemplateData={**data, "UserData": "dHdv"})
    versions = ec2.describe_launch_template_versions(LaunchTemplateId=name)["LaunchTemplateVersions"]
    kinds = {s["ResourceType"] for v in versions for s in v["LaunchTemplateData"].get("TagSpecifications", [])}
    assert len(versions) == 2 and kinds == {"instance"}, versions
    asg.create_auto_scaling_group(
        AutoScalingGroupName="g", MinSize=2, MaxSize=4, DesiredCapacity=2, VPCZoneIdentifier=",".join(subnets),
        LaunchTemplate={"LaunchTemplateId": name, "Version": "2"}, DefaultInstanceWarmup=77,
    )  # fmt: skip

    def instances():
        found = asg.describe_auto_scaling_groups(AutoScalingGroupNames=["g"])["AutoScalingGroups"][0]
        assert found["DefaultInstanceWarmup"] == 77, found
        ids = [i["InstanceId"] for i in found["Instances"]]
        return [i for r in ec2.describe_instances(InstanceIds=ids)["Reservations"] for i in r["Instances"]]

    first = instances()
    assert {i["SubnetId"] for i in first} == set(subnets), first
    assert all([g["GroupId"] for g in i["SecurityGroups"]] == [group] for i in first), first
    refresh = asg.start_instance_refresh(AutoScalingGroupName="g")["InstanceRefreshId"]
    state = asg.describe_instance_refreshes(AutoScalingGroupName="g", InstanceRefreshIds=[refresh])
    assert state["InstanceRefreshes"][0]["Status"] == "Successful", state
    assert {i["InstanceId"] for i in first}.isdisjoint(i["InstanceId"] for i in instances())
    asg.put_notification_configuration(
        AutoScalingGroupName="g", TopicARN="arn:aws:sns:us-east-1:1:t", NotificationTypes=["autoscaling:EC2_INSTANCE_LAUNCH"]
    )
    assert len(asg.describe_notification_configurations()["NotificationConfigurations"]) == 1
    asg.delete_notification_configuration(AutoScalingGroupName="g", TopicARN="arn:aws:sns:us-east-1:1:t")
    assert not asg.describe_notification_configurations()["NotificationConfigurations"]
    asg.put_lifecycle_hook(AutoScalingGroupName="g", LifecycleHookName="h", LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING")
    asg.complete_lifecycle_action(AutoScalingGroupName="g", LifecycleHookName="h", LifecycleActionResult="CONTINUE")
    hook = asg.describe_lifecycle_hooks(AutoScalingGroupName="g")["LifecycleHooks"][0]
    assert not hook.get("RoleARN"), hook


@check
def backup_selections():
    backup = boto3.client("backup")
    backup.create_backup_vault(BackupVaultName="v")
    rule = {"RuleName": "r", "TargetBackupVaultName": "v"}
    plan = backup.create_backup_plan(BackupPlan={"BackupPlanName": "p", "Rules": [rule]}, BackupPlanTags={"a": "b"})
    selection = {"SelectionName": "s", "IamRoleArn": "arn:aws:iam::1:role/r", "Resources": ["*"]}
    made = backup.create_backup_selection(BackupPlanId=plan["BackupPlanId"], BackupSelection=selection)
    key = {"BackupPlanId": plan["BackupPlanId"], "SelectionId": made["SelectionId"]}
    assert backup.get_backup_selection(**key)["BackupSelection"]["SelectionName"] == "s"
    assert len(backup.list_backup_selections(BackupPlanId=plan["BackupPlanId"])["BackupSelectionsList"]) == 1
    assert backup.list_tags(ResourceArn=plan["BackupPlanArn"])["Tags"] == {"a": "b"}
    backup.delete_backup_selection(**key)
    assert not backup.list_backup_selections(BackupPlanId=plan["BackupPlanId"])["BackupSelectionsList"]


@check
def budget_subscribers():
    budgets = boto3.client("budgets")
    notification = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80}
    subscriber = {"SubscriptionType": "EMAIL", "Address": "ops@example.com"}
    budget = {"BudgetName": "b", "TimeUnit": "MONTHLY", "BudgetType": "COST", "BudgetLimit": {"Amount": "10", "Unit": "USD"}}
    budgets.create_budget(
        AccountId="123456789012", Budget=budget,
        NotificationsWithSubscribers=[{"Notification": notification, "Subscribers": [subscriber]}],
    )  # fmt: skip
    key = {"AccountId": "123456789012", "BudgetName": "b"}
    found = budgets.describe_subscribers_for_notification(**key, Notification=notification)["Subscribers"]
    assert found == [subscriber], found
    budgets.update_budget(AccountId="123456789012", NewBudget={**budget, "BudgetLimit": {"Amount": "20", "Unit": "USD"}})
    assert float(budgets.describe_budget(**key)["Budget"]["BudgetLimit"]["Amount"]) == 20


@check
def cost_anomalies():
    ce = boto3.client("ce")
    monitor = {"MonitorName": "m", "MonitorType": "DIMENSIONAL", "MonitorDimension": "SERVICE"}
    arn = ce.create_anomaly_monitor(AnomalyMonitor=monitor)["MonitorArn"]
    assert ce.get_anomaly_monitors(MonitorArnList=[arn])["AnomalyMonitors"][0]["MonitorName"] == "m"
    ce.update_anomaly_monitor(MonitorArn=arn, MonitorName="n")
    assert ce.get_anomaly_monitors()["AnomalyMonitors"][0]["MonitorName"] == "n"
    ce.delete_anomaly_monitor(MonitorArn=arn)
    assert not ce.get_anomaly_monitors()["AnomalyMonitors"]
    ce.update_cost_allocation_tags_status(CostAllocationTagsStatus=[{"TagKey": "Owner", "Status": "Active"}])
    assert ce.list_cost_allocation_tags(TagKeys=["Owner"])["CostAllocationTags"][0]["Status"] == "Active"


@check
def trails_by_arn():
    boto3.client("s3").create_bucket(Bucket="trail")
    trail = boto3.client("cloudtrail")
    arn = trail.create_trail(Name="audit", S3BucketName="trail")["TrailARN"]
    trail.start_logging(Name=arn)
    assert trail.get_trail_status(Name="audit")["IsLogging"]
    trail.delete_trail(Name=arn)
    assert not trail.describe_trails()["trailList"]


@check
def composite_alarms():
    cloudwatch = boto3.client("cloudwatch")
    cloudwatch.put_composite_alarm(AlarmName="c", AlarmRule="ALARM(a)", ActionsEnabled=True)
    found = cloudwatch.describe_alarms(AlarmNames=["c"], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert found[0]["AlarmRule"] == "ALARM(a)", found


@check
def patch_baselines_and_associations():
    ssm = boto3.client("ssm")
    tags = [{"Key": "Owner", "Value": "us"}]
    baseline = ssm.create_patch_baseline(Name="debian", OperatingSystem="DEBIAN", Tags=tags)["BaselineId"]
    assert ssm.get_patch_baseline(BaselineId=baseline)["OperatingSystem"] == "DEBIAN"
    assert ssm.list_tags_for_resource(ResourceType="PatchBaseline", ResourceId=baseline)["TagList"] == tags
    made = ssm.create_association(Name="AWS-RunPatchBaseline")["AssociationDescription"]["AssociationId"]
    ssm.update_association(AssociationId=made, ScheduleExpression="rate(1 day)")
    found = ssm.describe_association(AssociationId=made)["AssociationDescription"]
    assert found["ScheduleExpression"] == "rate(1 day)", found
    ssm.delete_association(AssociationId=made)
    window = ssm.create_maintenance_window(
        Name="night", Schedule="rate(1 day)", Duration=2, Cutoff=1, AllowUnassociatedTargets=False
    )["WindowId"]
    target = ssm.register_target_with_maintenance_window(
        WindowId=window, ResourceType="INSTANCE", Targets=[{"Key": "tag:Role", "Values": ["x"]}]
    )["WindowTargetId"]
    filters = [{"Key": "WindowTargetId", "Values": [target]}]
    assert len(ssm.describe_maintenance_window_targets(WindowId=window, Filters=filters)["Targets"]) == 1
    task = ssm.register_task_with_maintenance_window(
        WindowId=window, TaskArn="AWS-RunPatchBaseline", TaskType="RUN_COMMAND", Targets=[{"Key": "WindowTargetIds", "Values": [target]}]
    )["WindowTaskId"]
    assert ssm.get_maintenance_window_task(WindowId=window, WindowTaskId=task)["TaskType"] == "RUN_COMMAND"


@check
def security_hub_standards():
    hub = boto3.client("securityhub")
    hub.enable_security_hub()
    hub.update_security_hub_configuration(AutoEnableControls=False)
    assert hub.describe_hub()["AutoEnableControls"] is False
    arn = "arn:aws:securityhub:us-east-1::standards/aws-foundational-security-best-practices/v/1.0.0"
    made = hub.batch_enable_standards(StandardsSubscriptionRequests=[{"StandardsArn": arn}])["StandardsSubscriptions"][0]
    found = hub.get_enabled_standards(StandardsSubscriptionArns=[made["StandardsSubscriptionArn"]])
    assert found["StandardsSubscriptions"][0]["StandardsStatus"] == "READY"
    hub.batch_disable_standards(StandardsSubscriptionArns=[made["StandardsSubscriptionArn"]])
    assert not hub.get_enabled_standards()["StandardsSubscriptions"]


@check
def bucket_rules():
    s3 = boto3.client("s3")
    for name in ("one", "two"):
        s3.create_bucket(Bucket=name)
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    expiration = {"NoncurrentDays": 30, "NewerNoncurrentVersions": 3}
    rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "NoncurrentVersionExpiration": expiration}
    s3.put_bucket_lifecycle_configuration(Bucket="one", LifecycleConfiguration={"Rules": [rule]})
    found = s3.get_bucket_lifecycle_configuration(Bucket="one")["Rules"][0]
    assert found["NoncurrentVersionExpiration"] == expiration, found
    replication = {
        "ID": "r", "Status": "Enabled", "Priority": 0, "Filter": {"Prefix": "p/"},
        "DeleteMarkerReplication": {"Status": "Enabled"}, "Destination": {"Bucket": "arn:aws:s3:::two"},
    }  # fmt: skip
    s3.put_bucket_replication(
        Bucket="one", ReplicationConfiguration={"Role": "arn:aws:iam::123456789012:role/r", "Rules": [replication]}
    )
    found = s3.get_bucket_replication(Bucket="one")["ReplicationConfiguration"]["Rules"][0]
    assert found["DeleteMarkerReplication"] == {"Status": "Enabled"} and found["Filter"] == {"Prefix": "p/"}, found


@check
def private_zones():
    _, vpc, _ = network()
    route53 = boto3.client("route53")
    zone = route53.create_hosted_zone(Name="x.internal", CallerReference="1", VPC={"VPCRegion": "us-east-1", "VPCId": vpc})
    assert zone["HostedZone"]["Config"]["PrivateZone"] is True, zone
    public = route53.create_hosted_zone(Name="example.com", CallerReference="2")
    assert public["HostedZone"]["Config"]["PrivateZone"] is False, public


@check
def database_monitoring_and_replicas():
    rds = boto3.client("rds")
    common = {"DBInstanceClass": "db.t3.small", "PerformanceInsightsRetentionPeriod": 7, "EnablePerformanceInsights": True}
    rds.create_db_instance(
        DBInstanceIdentifier="a", Engine="postgres", AllocatedStorage=20, MasterUsername="u", MasterUserPassword="p" * 12,
        MonitoringInterval=60, MonitoringRoleArn="arn:aws:iam::1:role/m", **common,
    )  # fmt: skip
    found = rds.describe_db_instances(DBInstanceIdentifier="a")["DBInstances"][0]
    assert found["MonitoringInterval"] == 60 and found["PerformanceInsightsEnabled"], found
    rds.create_db_instance_read_replica(DBInstanceIdentifier="b", SourceDBInstanceIdentifier="a")
    replica = rds.describe_db_instances(DBInstanceIdentifier="b")["DBInstances"][0]
    assert not replica["MultiAZ"] and replica["DbiResourceId"] != found["DbiResourceId"], replica
    rds.create_db_parameter_group(DBParameterGroupName="g", DBParameterGroupFamily="postgres15", Description="d")
    parameter = {"ParameterName": "log_statement", "ParameterValue": "ddl", "ApplyMethod": "immediate"}
    rds.modify_db_parameter_group(DBParameterGroupName="g", Parameters=[parameter])
    found = rds.describe_db_parameters(DBParameterGroupName="g", Source="user")["Parameters"]
    assert [p["ParameterName"] for p in found] == ["log_statement"], found


@check
def analyzers():
    analyzer = boto3.client("accessanalyzer")
    arn = analyzer.create_analyzer(analyzerName="a", type="ACCOUNT", tags={"k": "v"})["arn"]
    assert analyzer.get_analyzer(analyzerName="a")["analyzer"]["tags"] == {"k": "v"}
    analyzer.tag_resource(resourceArn=arn, tags={"l": "w"})
    analyzer.untag_resource(resourceArn=arn, tagKeys=["k"])
    assert analyzer.list_tags_for_resource(resourceArn=arn)["tags"] == {"l": "w"}
    analyzer.delete_analyzer(analyzerName="a")
    assert not analyzer.list_analyzers()["analyzers"]
    try:
        analyzer.get_analyzer(analyzerName="a")
    except analyzer.exceptions.ResourceNotFoundException:
        return
    raise AssertionError("a deleted analyzer is still there")


for function in CHECKS:
    try:
        function()
    except Exception as failure:
        raise SystemExit(f"{function.__name__}: {type(failure).__name__}: {failure}") from failure
print(json.dumps({"checked": [f.__name__ for f in CHECKS]}))
