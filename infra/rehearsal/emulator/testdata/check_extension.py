"""Calls that moto alone gets wrong, through boto3. Prints what was checked; any exception is a failure."""

import json
import os
import time
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

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


def refused(error, call, **parameters):
    """The call fails with the error. Answers its text."""
    try:
        call(**parameters)
    except ClientError as failure:
        assert failure.response["Error"]["Code"] == error, failure
        return str(failure)
    raise AssertionError(f"want {error}")


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
def service_linked_roles():
    iam = boto3.client("iam")
    names = {"config": "Config", "autoscaling": "AutoScaling", "rds": "RDS"}
    for service, name in names.items():
        made = iam.create_service_linked_role(AWSServiceName=service + ".amazonaws.com")["Role"]
        assert made["Path"] == f"/aws-service-role/{service}.amazonaws.com/", made
        assert iam.get_role(RoleName="AWSServiceRoleFor" + name)["Role"]["Arn"] == made["Arn"]
    second = refused("InvalidInput", iam.create_service_linked_role, AWSServiceName="config.amazonaws.com")
    assert "AWSServiceRoleForConfig has been taken in this account" in second, second


@check
def gateway_endpoints_change_tables():
    ec2, vpc, _ = network()
    tables = [ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in range(2)]

    def routed():
        found = ec2.describe_route_tables(RouteTableIds=tables)["RouteTables"]
        return {t["RouteTableId"] for t in found if any("DestinationPrefixListId" in r for r in t["Routes"])}

    made = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", VpcEndpointType="Gateway", RouteTableIds=tables[:1])
    endpoint = made["VpcEndpoint"]["VpcEndpointId"]
    assert routed() == set(tables[:1]), routed()
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddRouteTableIds=tables[1:], RemoveRouteTableIds=tables[:1])
    assert routed() == set(tables[1:]), routed()
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    assert not routed(), routed()


@check
def icmp_in_network_acls():
    ec2, vpc, _ = network()
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    entry = {"NetworkAclId": acl, "RuleNumber": 100, "Protocol": "1", "RuleAction": "allow", "Egress": False, "CidrBlock": "0.0.0.0/0"}
    ec2.create_network_acl_entry(IcmpTypeCode={"Type": -1, "Code": -1}, **entry)
    ec2.replace_network_acl_entry(IcmpTypeCode={"Type": 3, "Code": 4}, **entry)
    found = ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0]["Entries"]
    assert [e["IcmpTypeCode"] for e in found if e["RuleNumber"] == 100] == [{"Type": 3, "Code": 4}], found


@check
def groups_follow_their_template():
    ec2, vpc, subnets = network()
    asg = boto3.client("autoscaling")
    group = ec2.create_security_group(GroupName="node", Description="d", VpcId=vpc)["GroupId"]
    image = ec2.describe_images(Owners=["136693071363"])["Images"][0]["ImageId"]
    disk = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20, "VolumeType": "gp3", "DeleteOnTermination": True}}
    interface = {"DeviceIndex": 0, "Groups": [group], "AssociatePublicIpAddress": True}
    data = {"ImageId": image, "InstanceType": "t3.small", "UserData": "b25l", "Monitoring": {"Enabled": True}}
    data.update(NetworkInterfaces=[interface], BlockDeviceMappings=[disk], MetadataOptions={"HttpTokens": "required"})
    data["TagSpecifications"] = [{"ResourceType": k, "Tags": [{"Key": "Role", "Value": k}]} for k in ("instance", "volume")]
    own = [{"ResourceType": "launch-template", "Tags": [{"Key": "Owner", "Value": "us"}]}]
    template = ec2.create_launch_template(LaunchTemplateName="t", LaunchTemplateData=data, TagSpecifications=own)
    name = template["LaunchTemplate"]["LaunchTemplateId"]
    ec2.create_launch_template_version(LaunchTemplateId=name, LaunchTemplateData={**data, "UserData": "dHdv"})
    versions = ec2.describe_launch_template_versions(LaunchTemplateId=name)["LaunchTemplateVersions"]
    kinds = {s["ResourceType"] for v in versions for s in v["LaunchTemplateData"].get("TagSpecifications", [])}
    assert len(versions) == 2 and kinds == {"instance", "volume"}, versions
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
    for instance in first:
        assert [g["GroupId"] for g in instance["SecurityGroups"]] == [group], instance
        assert instance["PublicIpAddress"] and instance["MetadataOptions"]["HttpTokens"] == "required", instance
        assert instance["Monitoring"]["State"] == "enabled", instance
    volumes = ec2.describe_volumes()["Volumes"]
    assert [v["Tags"] for v in volumes] == [[{"Key": "Role", "Value": "volume"}]] * 2, volumes
    asg.put_notification_configuration(
        AutoScalingGroupName="g", TopicARN="arn:aws:sns:us-east-1:1:t", NotificationTypes=["autoscaling:EC2_INSTANCE_LAUNCH"]
    )
    assert len(asg.describe_notification_configurations()["NotificationConfigurations"]) == 1
    asg.delete_notification_configuration(AutoScalingGroupName="g", TopicARN="arn:aws:sns:us-east-1:1:t")
    assert not asg.describe_notification_configurations()["NotificationConfigurations"]
    asg.put_lifecycle_hook(AutoScalingGroupName="g", LifecycleHookName="h", LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING")
    hook = asg.describe_lifecycle_hooks(AutoScalingGroupName="g")["LifecycleHooks"][0]
    assert not hook.get("RoleARN"), hook


class Fleet:
    """A group of two with a launch hook and a termination hook that wait WAIT seconds."""

    WAIT = 2

    def __init__(self, name, **settings):
        self.ec2, vpc, subnets = network()
        self.asg, self.elb, self.name = boto3.client("autoscaling"), boto3.client("elbv2"), name
        image = self.ec2.describe_images(Owners=["136693071363"])["Images"][0]["ImageId"]
        self.data = {"ImageId": image, "InstanceType": "t3.small"}
        made = self.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=self.data)
        self.template = made["LaunchTemplate"]["LaunchTemplateId"]
        made = self.elb.create_target_group(Name=name, Protocol="TCP", Port=5060, VpcId=vpc)
        self.targets = made["TargetGroups"][0]["TargetGroupArn"]
        hooks = [
            {"LifecycleHookName": n, "LifecycleTransition": f"autoscaling:EC2_INSTANCE_{t}", "HeartbeatTimeout": self.WAIT, "DefaultResult": r}
            for n, t, r in (("boot", "LAUNCHING", "ABANDON"), ("drain", "TERMINATING", "CONTINUE"))
        ]
        self.call(
            "create_auto_scaling_group", MinSize=2, MaxSize=4, VPCZoneIdentifier=",".join(subnets), TargetGroupARNs=[self.targets],
            LaunchTemplate={"LaunchTemplateId": self.template, "Version": "1"}, LifecycleHookSpecificationList=hooks, **settings,
        )  # fmt: skip

    def call(self, method, **parameters):
        return getattr(self.asg, method)(AutoScalingGroupName=self.name, **parameters)

    def states(self):
        found = self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])["AutoScalingGroups"][0]
        return {i["InstanceId"]: i["LifecycleState"] for i in found["Instances"]}

    def serving(self):
        return {t["Target"]["Id"] for t in self.elb.describe_target_health(TargetGroupArn=self.targets)["TargetHealthDescriptions"]}

    def answer(self, state, hook, result="CONTINUE"):
        """Complete the hook for every instance in the state."""
        for instance, present in self.states().items():
            if present == state:
                self.call("complete_lifecycle_action", LifecycleHookName=hook, InstanceId=instance, LifecycleActionResult=result)

    def wait(self, condition):
        deadline = time.time() + 4 * self.WAIT
        while not condition():
            assert time.time() < deadline, self.states()
            time.sleep(0.1)

    def running(self):
        found = self.ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])["Reservations"]
        tag = {"Key": "aws:autoscaling:groupName", "Value": self.name}
        return {i["InstanceId"] for r in found for i in r["Instances"] if tag in i["Tags"]}


@check
def hooks_hold_instances():
    fleet = Fleet("hooks")
    assert list(fleet.states().values()) == ["Pending:Wait"] * 2 and not fleet.serving()
    one, other = fleet.states()
    fleet.call("complete_lifecycle_action", LifecycleHookName="boot", InstanceId=one, LifecycleActionResult="CONTINUE")
    assert fleet.states()[one] == "InService" and fleet.serving() == {one}
    try:
        fleet.call("complete_lifecycle_action", LifecycleHookName="boot", InstanceId=one, LifecycleActionResult="CONTINUE")
        raise AssertionError("an action can be completed twice")
    except fleet.asg.exceptions.ClientError as refused:
        assert "No active Lifecycle Action" in str(refused), refused
    # Silence, and a word of it, both mean another instance.
    fleet.wait(lambda: other not in fleet.states())
    third = next(i for i in fleet.states() if i != one)
    assert other not in fleet.running()
    fleet.call("complete_lifecycle_action", LifecycleHookName="boot", InstanceId=third, LifecycleActionResult="ABANDON")
    assert third not in fleet.states() and len(fleet.states()) == 2, fleet.states()
    fleet.answer("Pending:Wait", "boot")
    # The ends of instances are held, too, and a heartbeat makes that longer.
    fleet.call("update_auto_scaling_group", MinSize=1, DesiredCapacity=1)
    leaving = next(i for i, s in fleet.states().items() if s == "Terminating:Wait")
    assert leaving in fleet.running() and len(fleet.serving()) == 1 and leaving not in fleet.serving()
    begin = time.time()
    time.sleep(0.6 * fleet.WAIT)
    fleet.call("record_lifecycle_action_heartbeat", LifecycleHookName="drain", InstanceId=leaving)
    fleet.wait(lambda: leaving not in fleet.running())
    assert time.time() - begin > 1.5 * fleet.WAIT
    # Whoever is protected stays. Whoever is ended from outside is replaced, without a hook.
    last = next(iter(fleet.states()))
    fleet.call("set_instance_protection", InstanceIds=[last], ProtectedFromScaleIn=True)
    fleet.call("update_auto_scaling_group", MinSize=0, DesiredCapacity=0)
    assert fleet.states() == {last: "InService"}
    fleet.call("update_auto_scaling_group", DesiredCapacity=1)
    fleet.ec2.terminate_instances(InstanceIds=[last])
    assert list(fleet.states().values()) == ["Pending:Wait"] and last not in fleet.states()
    # A group with instances stays, unless forced; a hook that goes lets everyone go.
    try:
        fleet.call("delete_auto_scaling_group")
        raise AssertionError("a group with instances was deleted")
    except fleet.asg.exceptions.ResourceInUseFault:
        pass
    fleet.answer("Pending:Wait", "boot")
    fleet.call("update_auto_scaling_group", DesiredCapacity=0)
    assert list(fleet.states().values()) == ["Terminating:Wait"]
    fleet.call("delete_lifecycle_hook", LifecycleHookName="drain")
    assert not fleet.states() and not fleet.running()
    fleet.call("update_auto_scaling_group", DesiredCapacity=2)
    fleet.call("delete_auto_scaling_group", ForceDelete=True)
    assert not fleet.running()


@check
def instance_refresh_rolls():
    fleet = Fleet("refresh", NewInstancesProtectedFromScaleIn=True)
    fleet.answer("Pending:Wait", "boot")
    old = set(fleet.states())
    fleet.ec2.create_launch_template_version(LaunchTemplateId=fleet.template, LaunchTemplateData={**fleet.data, "UserData": "dHdv"})
    fleet.call("update_auto_scaling_group", LaunchTemplate={"LaunchTemplateId": fleet.template, "Version": "2"})
    preferences = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 110, "SkipMatching": True, "ScaleInProtectedInstances": "Refresh"}
    refresh = fleet.call("start_instance_refresh", Preferences=preferences)["InstanceRefreshId"]

    def status():
        found = fleet.call("describe_instance_refreshes", InstanceRefreshIds=[refresh])["InstanceRefreshes"][0]
        return found["Status"], found["PercentageComplete"], found["InstancesToUpdate"]

    assert status() == ("InProgress", 0, 2), status()
    try:
        fleet.call("start_instance_refresh")
        raise AssertionError("two refreshes at once")
    except fleet.asg.exceptions.InstanceRefreshInProgressFault:
        pass
    for left in (1, 0):
        assert sorted(fleet.states().values()) == ["InService", "InService", "Pending:Wait"], fleet.states()
        fleet.answer("Pending:Wait", "boot")
        assert sorted(fleet.states().values()) == ["InService", "InService", "Terminating:Wait"], fleet.states()
        fleet.answer("Terminating:Wait", "drain")
        assert status()[2] == left, status()
    assert status() == ("Successful", 100, 0), status()
    assert old.isdisjoint(fleet.states()) and fleet.running() == set(fleet.states()) == fleet.serving()
    # What matches is skipped; without a surplus one goes before the other comes; a cancelled one goes no further.
    again = fleet.call("start_instance_refresh", Preferences=preferences)["InstanceRefreshId"]
    assert fleet.call("describe_instance_refreshes", InstanceRefreshIds=[again])["InstanceRefreshes"][0]["Status"] == "Successful"
    refresh = fleet.call("start_instance_refresh", Preferences={"ScaleInProtectedInstances": "Refresh"})["InstanceRefreshId"]
    assert sorted(fleet.states().values()) == ["InService", "Pending:Wait", "Terminating:Wait"], fleet.states()
    fleet.call("cancel_instance_refresh")
    fleet.answer("Terminating:Wait", "drain")
    fleet.answer("Pending:Wait", "boot")
    assert status()[0] == "Cancelled" and list(fleet.states().values()) == ["InService"] * 2, fleet.states()


@check
def volumes_stay():
    ec2, _, subnets = network()
    image = ec2.describe_images(Owners=["136693071363"])["Images"][0]["ImageId"]
    run = ec2.run_instances(ImageId=image, MinCount=2, MaxCount=2, SubnetId=subnets[0], MaintenanceOptions={"AutoRecovery": "disabled"})
    one, two = (i["InstanceId"] for i in run["Instances"])
    found = ec2.describe_instances(InstanceIds=[one])["Reservations"][0]["Instances"][0]
    assert found["MaintenanceOptions"]["AutoRecovery"] == "disabled", found
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=10)["VolumeId"]
    ec2.attach_volume(VolumeId=volume, InstanceId=one, Device="/dev/sdf")
    try:
        ec2.attach_volume(VolumeId=volume, InstanceId=two, Device="/dev/sdf")
        raise AssertionError("a volume was attached twice")
    except ec2.exceptions.ClientError as refused:
        assert "VolumeInUse" in str(refused), refused
    ec2.terminate_instances(InstanceIds=[one])
    assert ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] == "available"
    ec2.attach_volume(VolumeId=volume, InstanceId=two, Device="/dev/sdf")


@check
def public_addresses():
    ec2, _, (private, public) = network()
    ec2.modify_subnet_attribute(SubnetId=public, MapPublicIpOnLaunch={"Value": True})
    image = ec2.describe_images(Owners=["136693071363"])["Images"][0]["ImageId"]

    def run(**where):
        return ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, **where)["Instances"][0]["InstanceId"]

    def has_one(instance):
        found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        interface = found["NetworkInterfaces"][0]
        alone = ec2.describe_network_interfaces(NetworkInterfaceIds=[interface["NetworkInterfaceId"]])["NetworkInterfaces"][0]
        signs = {bool(found.get("PublicIpAddress")), "Association" in interface, "Association" in alone}
        assert len(signs) == 1, (found, alone)
        return signs.pop()

    def interface(subnet, **choice):
        return [{"DeviceIndex": 0, "SubnetId": subnet, **choice}]

    hidden = run(SubnetId=private)
    assert not has_one(hidden)
    assert has_one(run(SubnetId=public))
    assert not has_one(run(NetworkInterfaces=interface(private)))
    assert has_one(run(NetworkInterfaces=interface(public)))
    assert has_one(run(NetworkInterfaces=interface(private, AssociatePublicIpAddress=True)))
    assert not has_one(run(NetworkInterfaces=interface(public, AssociatePublicIpAddress=False)))
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    association = ec2.associate_address(AllocationId=address, InstanceId=hidden)["AssociationId"]
    assert has_one(hidden)
    ec2.disassociate_address(AssociationId=association)
    assert not has_one(hidden)


@check
def public_access_of_the_account():
    # The SDK puts the account's number before the endpoint's host, which only a proxy understands.
    control = boto3.client("s3control", config=Config(proxies={"http": os.environ["AWS_ENDPOINT_URL"]}))
    asked = set()
    control.meta.events.register("before-send.s3-control", lambda request, **_: asked.add(urlsplit(request.url).hostname))
    account = {"AccountId": "123456789012"}
    block = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    refused("NoSuchPublicAccessBlockConfiguration", control.get_public_access_block, **account)
    for wanted in (block, {**block, "IgnorePublicAcls": False}):
        control.put_public_access_block(PublicAccessBlockConfiguration=wanted, **account)
        assert control.get_public_access_block(**account)["PublicAccessBlockConfiguration"] == wanted
    control.delete_public_access_block(**account)
    refused("NoSuchPublicAccessBlockConfiguration", control.get_public_access_block, **account)
    assert asked == {"123456789012.127.0.0.1"}, asked


@check
def detectors():
    guard = boto3.client("guardduty")
    detector = guard.create_detector(Enable=True, Tags={"a": "b"}, Features=[{"Name": "EKS_AUDIT_LOGS", "Status": "DISABLED"}])["DetectorId"]

    def features():
        return {f["Name"]: f for f in guard.get_detector(DetectorId=detector)["Features"]}

    on, off = "ENABLED", "DISABLED"
    before = features()
    assert {n: f["Status"] for n, f in before.items()} == {
        "CLOUD_TRAIL": on, "DNS_LOGS": on, "FLOW_LOGS": on, "S3_DATA_EVENTS": on, "EKS_AUDIT_LOGS": off, "EBS_MALWARE_PROTECTION": on,
        "RDS_LOGIN_EVENTS": on, "LAMBDA_NETWORK_LOGS": on, "EKS_RUNTIME_MONITORING": off, "RUNTIME_MONITORING": off,
    }, before  # fmt: skip
    # Features change one by one, and what they configure does, too.
    guard.update_detector(DetectorId=detector, Features=[{"Name": "LAMBDA_NETWORK_LOGS", "Status": off}])
    agent = {"Name": "EC2_AGENT_MANAGEMENT", "Status": on}
    guard.update_detector(DetectorId=detector, Features=[{"Name": "RUNTIME_MONITORING", "Status": on, "AdditionalConfiguration": [agent]}])
    guard.update_detector(DetectorId=detector, FindingPublishingFrequency="FIFTEEN_MINUTES")
    after = features()
    changed = {n for n in after if after[n] != before[n]}
    assert changed == {"LAMBDA_NETWORK_LOGS", "RUNTIME_MONITORING"}, changed
    agents = {c["Name"]: c["Status"] for c in after["RUNTIME_MONITORING"]["AdditionalConfiguration"]}
    assert agents == {"EKS_ADDON_MANAGEMENT": off, "ECS_FARGATE_AGENT_MANAGEMENT": off, "EC2_AGENT_MANAGEMENT": on}, agents
    # Data sources are another name of three of them.
    guard.update_detector(DetectorId=detector, DataSources={"S3Logs": {"Enable": False}, "Kubernetes": {"AuditLogs": {"Enable": True}}})
    assert (features()["S3_DATA_EVENTS"]["Status"], features()["EKS_AUDIT_LOGS"]["Status"]) == (off, on)
    sources = guard.get_detector(DetectorId=detector)["DataSources"]
    assert (sources["S3Logs"]["Status"], sources["Kubernetes"]["AuditLogs"]["Status"]) == (off, on), sources
    both = [{"Name": n, "Status": on} for n in ("EKS_RUNTIME_MONITORING", "RUNTIME_MONITORING")]
    refused("BadRequestException", guard.update_detector, DetectorId=detector, Features=both)
    refused("BadRequestException", guard.create_detector, Enable=True)
    arn = f"arn:aws:guardduty:us-east-1:123456789012:detector/{detector}"
    guard.tag_resource(ResourceArn=arn, Tags={"c": "d", "e": "f"})
    guard.untag_resource(ResourceArn=arn, TagKeys=["a", "e"])
    assert guard.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"c": "d"}
    assert guard.get_detector(DetectorId=detector)["Tags"] == {"c": "d"}
    guard.delete_detector(DetectorId=detector)
    refused("BadRequestException", guard.delete_detector, DetectorId=detector)
    refused("BadRequestException", guard.list_tags_for_resource, ResourceArn=arn)


@check
def account_settings():
    ec2 = boto3.client("ec2")
    assert ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == "alias/aws/ebs"
    ec2.modify_ebs_default_kms_key_id(KmsKeyId="k")
    assert ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == "k"
    assert ec2.reset_ebs_default_kms_key_id()["KmsKeyId"] == "alias/aws/ebs"
    ec2.enable_snapshot_block_public_access(State="block-all-sharing")
    assert ec2.get_snapshot_block_public_access_state()["State"] == "block-all-sharing"
    assert ec2.disable_snapshot_block_public_access()["State"] == "unblocked"
    ec2.modify_instance_metadata_defaults(HttpTokens="required", HttpPutResponseHopLimit=1)
    assert ec2.get_instance_metadata_defaults()["AccountLevel"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
    ec2.modify_instance_metadata_defaults(HttpTokens="no-preference", HttpPutResponseHopLimit=-1)
    assert not ec2.get_instance_metadata_defaults()["AccountLevel"]


@check
def database_from_a_copied_recovery_point():
    """A database is saved, copied to another region, and begins there anew under another key, without the old one's secret."""
    ec2, _, subnets = network()
    rds, backup = boto3.client("rds"), boto3.client("backup")
    far = {"region_name": "us-west-2"}
    rds_far, backup_far, kms_far = boto3.client("rds", **far), boto3.client("backup", **far), boto3.client("kms", **far)
    rds.create_db_subnet_group(DBSubnetGroupName="saved", DBSubnetGroupDescription="d", SubnetIds=subnets)
    old = rds.create_db_instance(
        DBInstanceIdentifier="saved", DBInstanceClass="db.t4g.small", Engine="postgres", EngineVersion="15.10", DBName="calldata",
        MasterUsername="calldata", ManageMasterUserPassword=True, AllocatedStorage=33, DBSubnetGroupName="saved", DeletionProtection=True,
        KmsKeyId=boto3.client("kms").create_key()["KeyMetadata"]["Arn"], StorageEncrypted=True,
    )["DBInstance"]
    key, other = (kms_far.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    backup.create_backup_vault(BackupVaultName="near")
    vault = backup_far.create_backup_vault(BackupVaultName="far", EncryptionKeyArn=key)["BackupVaultArn"]
    role = "arn:aws:iam::123456789012:role/backup"
    point = backup.start_backup_job(BackupVaultName="near", ResourceArn=old["DBInstanceArn"], IamRoleArn=role)["RecoveryPointArn"]
    backup.start_copy_job(RecoveryPointArn=point, SourceBackupVaultName="near", DestinationBackupVaultArn=vault, IamRoleArn=role)
    copies = backup_far.list_recovery_points_by_backup_vault(BackupVaultName="far")["RecoveryPoints"]
    assert [p["ResourceArn"] for p in copies] == [old["DBInstanceArn"]], copies
    arn = copies[0]["RecoveryPointArn"]
    assert not rds_far.describe_db_snapshots(DBInstanceIdentifier="saved")["DBSnapshots"], "they are of a type of their own"
    saved = rds_far.describe_db_snapshots(DBInstanceIdentifier="saved", SnapshotType="awsbackup")["DBSnapshots"]
    assert [(s["DBSnapshotArn"], s["KmsKeyId"], s["Status"]) for s in saved] == [(arn, key, "available")], saved
    rds_far.copy_db_snapshot(SourceDBSnapshotIdentifier=arn, TargetDBSnapshotIdentifier="begin", KmsKeyId=other)
    made = rds_far.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="again", DBSnapshotIdentifier="begin", DBInstanceClass="db.t4g.small")["DBInstance"]
    told = {name: made.get(name) for name in ("KmsKeyId", "DBName", "MasterUsername", "AllocatedStorage", "EngineVersion", "DeletionProtection")}
    assert told == {
        "KmsKeyId": other, "DBName": "calldata", "MasterUsername": "calldata", "AllocatedStorage": 33, "EngineVersion": "15.10", "DeletionProtection": False,
    }, told
    assert ":us-west-2:" in made["DBInstanceArn"] and not made.get("MasterUserSecret"), made
    assert made["DbiResourceId"] != old["DbiResourceId"], "the provider asks by it"
    rds.modify_db_instance(DBInstanceIdentifier="saved", DeletionProtection=False)
    rds.delete_db_instance(DBInstanceIdentifier="saved", SkipFinalSnapshot=True)


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
def budgets_with_subscribers_and_tags():
    budgets, account = boto3.client("budgets"), {"AccountId": "123456789012"}
    notification = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80}
    subscriber = {"SubscriptionType": "EMAIL", "Address": "ops@example.com"}
    budget = {"BudgetName": "b", "TimeUnit": "MONTHLY", "BudgetType": "COST", "BudgetLimit": {"Amount": "10", "Unit": "USD"}}
    budgets.create_budget(
        Budget={**budget, "CostFilters": {"TagKeyValue": ["user:Environment$dev"]}}, ResourceTags=[{"Key": "a", "Value": "b"}],
        NotificationsWithSubscribers=[{"Notification": notification, "Subscribers": [subscriber]}], **account,
    )  # fmt: skip
    key = {**account, "BudgetName": "b"}
    found = budgets.describe_subscribers_for_notification(**key, Notification=notification)["Subscribers"]
    assert found == [subscriber], found
    refused("NotFoundException", budgets.describe_subscribers_for_notification, **key, Notification={**notification, "Threshold": 90})
    before = budgets.describe_budget(**key)["Budget"]
    budgets.update_budget(NewBudget={**budget, "BudgetLimit": {"Amount": "20", "Unit": "USD"}}, **account)
    after = budgets.describe_budget(**key)["Budget"]
    assert float(after["BudgetLimit"]["Amount"]) == 20 and after["TimePeriod"] == before["TimePeriod"], after
    assert before["CostFilters"] and not after.get("CostFilters"), after
    refused("NotFoundException", budgets.update_budget, NewBudget={**budget, "BudgetName": "c"}, **account)
    refused("NotFoundException", budgets.describe_notifications_for_budget, BudgetName="c", **account)
    arn = "arn:aws:budgets::123456789012:budget/b"
    tagged(budgets, arn, "ResourceARN", "NotFoundException")
    budgets.delete_budget(**key)
    refused("NotFoundException", budgets.list_tags_for_resource, ResourceARN=arn)
    # Another of the same name begins without tags.
    budgets.create_budget(Budget=budget, **account)
    assert budgets.list_tags_for_resource(ResourceARN=arn)["ResourceTags"] == []
    budgets.delete_budget(**key)


def tagged(client, arn, name, error):
    """What carries the tag a=b can get others and lose them; what there is not has none."""
    at = {name: arn}
    assert client.list_tags_for_resource(**at)["ResourceTags"] == [{"Key": "a", "Value": "b"}]
    client.tag_resource(**at, ResourceTags=[{"Key": "a", "Value": "c"}, {"Key": "d", "Value": "e"}])
    assert client.list_tags_for_resource(**at)["ResourceTags"] == [{"Key": "a", "Value": "c"}, {"Key": "d", "Value": "e"}]
    client.untag_resource(**at, ResourceTagKeys=["a"])
    assert client.list_tags_for_resource(**at)["ResourceTags"] == [{"Key": "d", "Value": "e"}]
    nothing = {name: arn + "x"}
    refused(error, client.list_tags_for_resource, **nothing)
    refused(error, client.tag_resource, **nothing, ResourceTags=[{"Key": "a", "Value": "b"}])
    refused(error, client.untag_resource, **nothing, ResourceTagKeys=["a"])


@check
def cost_anomalies():
    ce = boto3.client("ce")
    monitor = {"MonitorName": "m", "MonitorType": "DIMENSIONAL", "MonitorDimension": "SERVICE"}
    tags = [{"Key": "a", "Value": "b"}]
    arn = ce.create_anomaly_monitor(AnomalyMonitor=monitor, ResourceTags=tags)["MonitorArn"]
    refused("LimitExceededException", ce.create_anomaly_monitor, AnomalyMonitor=monitor)
    assert ce.get_anomaly_monitors(MonitorArnList=[arn])["AnomalyMonitors"][0]["MonitorName"] == "m"
    ce.update_anomaly_monitor(MonitorArn=arn, MonitorName="n")
    assert ce.get_anomaly_monitors()["AnomalyMonitors"][0]["MonitorName"] == "n"
    tagged(ce, arn, "ResourceArn", "ResourceNotFoundException")
    subscription = {
        "SubscriptionName": "s", "MonitorArnList": [arn], "Frequency": "DAILY", "Subscribers": [{"Type": "EMAIL", "Address": "ops@example.com"}],
    }  # fmt: skip
    told = ce.create_anomaly_subscription(AnomalySubscription=subscription, ResourceTags=tags)["SubscriptionArn"]
    tagged(ce, told, "ResourceArn", "ResourceNotFoundException")
    refused("UnknownMonitorException", ce.create_anomaly_subscription, AnomalySubscription={**subscription, "MonitorArnList": [arn + "x"]})
    ce.delete_anomaly_subscription(SubscriptionArn=told)
    refused("UnknownSubscriptionException", ce.get_anomaly_subscriptions, SubscriptionArnList=[told])
    ce.delete_anomaly_monitor(MonitorArn=arn)
    assert not ce.get_anomaly_monitors()["AnomalyMonitors"]
    refused("UnknownMonitorException", ce.update_anomaly_monitor, MonitorArn=arn, MonitorName="o")
    refused("ResourceNotFoundException", ce.list_tags_for_resource, ResourceArn=arn)
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

    def keys():
        return [o["Key"] for o in s3.list_objects_v2(Bucket="two").get("Contents", [])]

    for key in ("p/kept", "p/deleted", "other"):
        s3.put_object(Bucket="one", Key=key, Body=b"v")
    assert keys() == ["p/deleted", "p/kept"], keys()
    upload = {"Bucket": "one", "Key": "p/parts", "UploadId": s3.create_multipart_upload(Bucket="one", Key="p/parts")["UploadId"]}
    part = s3.upload_part(**upload, PartNumber=1, Body=b"in parts")
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    assert s3.get_object(Bucket="two", Key="p/parts")["Body"].read() == b"in parts"
    s3.delete_object(Bucket="one", Key="p/deleted")
    s3.delete_object(Bucket="one", Key="other")
    assert keys() == ["p/kept", "p/parts"], keys()
    assert len(s3.list_object_versions(Bucket="two")["Versions"]) == 3


@check
def bucket_with_objects_takes_a_lock():
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    s3.put_object(Bucket="locked", Key="k", Body=b"v")
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    for lock, mode in (({"ObjectLockEnabled": "Enabled", "Rule": rule}, "GOVERNANCE"), ({"ObjectLockEnabled": "Enabled"}, None)):
        s3.put_object_lock_configuration(Bucket="locked", ObjectLockConfiguration=lock)
        found = s3.get_object_lock_configuration(Bucket="locked")["ObjectLockConfiguration"]
        assert found.get("Rule", {}).get("DefaultRetention", {}).get("Mode") == mode, found
    assert s3.get_object(Bucket="locked", Key="k")["Body"].read() == b"v"


@check
def targets_drain_an_hour():
    _, vpc, _ = network()
    elb, delay = boto3.client("elbv2"), "deregistration_delay.timeout_seconds"
    group = elb.create_target_group(Name="drain", Protocol="HTTPS", Port=443, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]
    elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[{"Key": delay, "Value": "3600"}])
    found = {a["Key"]: a["Value"] for a in elb.describe_target_group_attributes(TargetGroupArn=group)["Attributes"]}
    assert found[delay] == "3600", found


@check
def balancers_know_their_addresses():
    ec2, _, subnets = network()
    elb = boto3.client("elbv2")
    mappings = [{"SubnetId": s, "AllocationId": ec2.allocate_address(Domain="vpc")["AllocationId"]} for s in subnets]

    def allocations(zones):
        return [{"SubnetId": z["SubnetId"], "AllocationId": a["AllocationId"]} for z in zones for a in z["LoadBalancerAddresses"]]

    arn = elb.create_load_balancer(Name="sip", Type="network", SubnetMappings=mappings[:1])["LoadBalancers"][0]["LoadBalancerArn"]
    zones = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]["AvailabilityZones"]
    assert allocations(zones) == mappings[:1], zones
    zones = elb.set_subnets(LoadBalancerArn=arn, SubnetMappings=mappings)["AvailabilityZones"]
    assert allocations(zones) == mappings, zones


@check
def private_zones():
    _, vpc, _ = network()
    route53 = boto3.client("route53")
    zone = route53.create_hosted_zone(Name="x.internal", CallerReference="1", VPC={"VPCRegion": "us-east-1", "VPCId": vpc})
    assert zone["HostedZone"]["Config"]["PrivateZone"] is True, zone
    public = route53.create_hosted_zone(Name="example.com", CallerReference="2")
    assert public["HostedZone"]["Config"]["PrivateZone"] is False, public


@check
def database_password():
    made = boto3.client("rds").create_db_instance(
        DBInstanceIdentifier="managed", Engine="postgres", AllocatedStorage=20, DBInstanceClass="db.t3.small",
        MasterUsername="calldata", ManageMasterUserPassword=True,
    )  # fmt: skip
    secret = boto3.client("secretsmanager").get_secret_value(SecretId=made["DBInstance"]["MasterUserSecret"]["SecretArn"])
    login = json.loads(secret["SecretString"])
    assert login["username"] == "calldata" and len(login["password"]) > 8, login["username"]


@check
def database_of_a_time():
    rds = boto3.client("rds")
    made = rds.create_db_instance(
        DBInstanceIdentifier="source", Engine="postgres", AllocatedStorage=20, DBInstanceClass="db.t3.small", DBName="c4", MultiAZ=True,
        MasterUsername="calldata", ManageMasterUserPassword=True, DeletionProtection=True,
    )["DBInstance"]  # fmt: skip
    target = {"SourceDBInstanceIdentifier": "source", "TargetDBInstanceIdentifier": "then"}
    for wrong in ({}, {"RestoreTime": made["InstanceCreateTime"] + timedelta(hours=1)}):
        try:
            rds.restore_db_instance_to_point_in_time(**target, **wrong)
        except rds.exceptions.ClientError:
            continue
        raise AssertionError(f"{wrong} is restored")
    when = datetime.now(timezone.utc)
    found = rds.restore_db_instance_to_point_in_time(
        **target, RestoreTime=when, ManageMasterUserPassword=True, Tags=[{"Key": "k", "Value": "v"}]
    )["DBInstance"]
    assert not found["MultiAZ"] and not found["DeletionProtection"] and found["DBName"] == "c4", found
    assert found["DbiResourceId"] != made["DbiResourceId"]
    assert found["MasterUserSecret"]["SecretArn"] != made["MasterUserSecret"]["SecretArn"]
    assert "ReadReplicaSourceDBInstanceIdentifier" not in rds.describe_db_instances(DBInstanceIdentifier="then")["DBInstances"][0]
    tags = {t["Key"]: t["Value"] for t in found["TagList"]}
    assert tags["k"] == "v" and tags["aws:rehearsal:origin"].startswith("source 20"), tags
    rds.delete_db_instance(DBInstanceIdentifier="then", SkipFinalSnapshot=True)


@check
def database_of_a_snapshot():
    rds = boto3.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="saved", Engine="postgres", AllocatedStorage=20, DBInstanceClass="db.t3.small", DBName="c4",
        MasterUsername="calldata", ManageMasterUserPassword=True,
    )  # fmt: skip
    taken = rds.create_db_snapshot(DBSnapshotIdentifier="night", DBInstanceIdentifier="saved")["DBSnapshot"]["SnapshotCreateTime"]
    for source, copied in (("night", "copy"), ("copy", "again")):
        rds.copy_db_snapshot(SourceDBSnapshotIdentifier=source, TargetDBSnapshotIdentifier=copied)
    found = rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="anew", DBSnapshotIdentifier="again", DBInstanceClass="db.t3.small", ManageMasterUserPassword=True,
        Tags=[{"Key": "k", "Value": "v"}],
    )["DBInstance"]  # fmt: skip
    tags = {t["Key"]: t["Value"] for t in found["TagList"]}
    source, when = tags["aws:rehearsal:origin"].split()
    assert tags["k"] == "v" and source == "saved" and when.endswith("+00:00"), tags
    assert abs(datetime.fromisoformat(when) - taken) < timedelta(milliseconds=2), (when, taken)
    assert found["DBName"] == "c4" and found["MasterUserSecret"]["SecretArn"], found
    for name in ("saved", "anew"):
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


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
def saved_queries():
    logs = boto3.client("logs")
    text, groups = "fields @message\n| limit 20", ["/calldata/x/c4-sbc/journal"]
    first = logs.put_query_definition(name="x/b", queryString=text, logGroupNames=groups)["queryDefinitionId"]
    second = logs.put_query_definition(name="x/a", queryString=text)["queryDefinitionId"]
    logs.put_query_definition(name="y/a", queryString=text)
    page = logs.describe_query_definitions(queryDefinitionNamePrefix="x/", maxResults=1)
    rest = logs.describe_query_definitions(queryDefinitionNamePrefix="x/", maxResults=1, nextToken=page["nextToken"])
    assert "nextToken" not in rest, rest
    found = page["queryDefinitions"] + rest["queryDefinitions"]
    assert [q["queryDefinitionId"] for q in found] == [second, first], found
    assert found[1]["queryString"] == text and found[1]["logGroupNames"] == groups, found
    assert logs.put_query_definition(name="x/c", queryString="fields @log", queryDefinitionId=first)["queryDefinitionId"] == first
    changed = logs.describe_query_definitions(queryDefinitionNamePrefix="x/c")["queryDefinitions"]
    assert changed[0]["queryString"] == "fields @log" and not changed[0]["logGroupNames"], changed
    refused("ResourceNotFoundException", logs.put_query_definition, name="x", queryString=text, queryDefinitionId="nobody")
    refused("InvalidParameterException", logs.put_query_definition, name="x", queryString="x" * 10_001)
    refused("InvalidParameterException", logs.put_query_definition, name="x", queryString=text, logGroupNames=groups * 51)
    assert logs.delete_query_definition(queryDefinitionId=first)["success"]
    refused("ResourceNotFoundException", logs.delete_query_definition, queryDefinitionId=first)
    left = [q["name"] for q in logs.describe_query_definitions()["queryDefinitions"]]
    assert left == ["x/a", "y/a"], left


@check
def metric_filters():
    logs, name = boto3.client("logs"), "/calldata/filtered"
    told = [{"metricName": "M", "metricNamespace": "CallData/Logs/x", "metricValue": "1"}]
    filtered = {"logGroupName": name, "filterName": "f", "metricTransformations": told}
    refused("ResourceNotFoundException", logs.put_metric_filter, filterPattern="a", **filtered)
    logs.create_log_group(logGroupName=name)
    logs.put_metric_filter(filterPattern="a", **filtered)
    logs.put_metric_filter(filterPattern='?"b c" ?"d"', **filtered)
    found = [f["filterPattern"] for f in logs.describe_metric_filters(logGroupName=name)["metricFilters"]]
    assert found == ['?"b c" ?"d"'], found
    logs.delete_metric_filter(logGroupName=name, filterName="f")
    assert not logs.describe_metric_filters(logGroupName=name)["metricFilters"]


@check
def replication_metrics():
    s3 = boto3.client("s3")
    for bucket in ("from", "to"):
        s3.create_bucket(Bucket="metrics-" + bucket)
        s3.put_bucket_versioning(Bucket="metrics-" + bucket, VersioningConfiguration={"Status": "Enabled"})
    destination = {"Bucket": "arn:aws:s3:::metrics-to", "Metrics": {"Status": "Enabled"}}
    rule = {"ID": "copy", "Status": "Enabled", "Priority": 1, "Filter": {}, "DeleteMarkerReplication": {"Status": "Disabled"}, "Destination": destination}
    settings = {"Role": "arn:aws:iam::1:role/r", "Rules": [rule]}
    s3.put_bucket_replication(Bucket="metrics-from", ReplicationConfiguration=settings)
    found = s3.get_bucket_replication(Bucket="metrics-from")["ReplicationConfiguration"]["Rules"][0]
    assert found["Destination"] == destination, found


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


@check
def slack_channels():
    chatbot = boto3.client("chatbot", region_name="us-west-2")
    role = "arn:aws:iam::123456789012:role/stage-alarms"
    wanted = {"SlackTeamId": "T07EA123LEP", "SlackChannelId": "C07EZ1ABC23", "IamRoleArn": role, "SnsTopicArns": ["arn:aws:sns:us-east-1:1:page"]}
    tags = [{"TagKey": "k", "TagValue": "v"}]
    made = chatbot.create_slack_channel_configuration(ConfigurationName="stage-alarms", Tags=tags, **wanted)["ChannelConfiguration"]
    arn = made["ChatConfigurationArn"]
    assert arn == "arn:aws:chatbot::123456789012:chat-configuration/slack-channel/stage-alarms", made
    assert made["GuardrailPolicyArns"] == ["arn:aws:iam::aws:policy/AdministratorAccess"] and made["LoggingLevel"] == "NONE", made
    refused("ConflictException", chatbot.create_slack_channel_configuration, ConfigurationName="stage-alarms", **wanted)
    second = refused("InvalidRequestException", chatbot.create_slack_channel_configuration, ConfigurationName="dev-alarms", **wanted)
    assert "has already been configured" in second, second
    chatbot.update_slack_channel_configuration(ChatConfigurationArn=arn, SlackChannelId="C0OTHER", GuardrailPolicyArns=["arn:policy:a"])
    chatbot.tag_resource(ResourceARN=arn, Tags=[{"TagKey": "l", "TagValue": "w"}])
    chatbot.untag_resource(ResourceARN=arn, TagKeys=["k"])
    assert chatbot.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"TagKey": "l", "TagValue": "w"}]
    # The service knows no regions.
    everywhere = boto3.client("chatbot", region_name="eu-west-1").describe_slack_channel_configurations(ChatConfigurationArn=arn)
    found = everywhere["SlackChannelConfigurations"][0]
    assert found["SlackChannelId"] == "C0OTHER" and found["GuardrailPolicyArns"] == ["arn:policy:a"], found
    assert found["SnsTopicArns"] == wanted["SnsTopicArns"] and found["State"] == "ENABLED", found
    chatbot.delete_slack_channel_configuration(ChatConfigurationArn=arn)
    assert not chatbot.describe_slack_channel_configurations()["SlackChannelConfigurations"]
    refused("ResourceNotFoundException", chatbot.delete_slack_channel_configuration, ChatConfigurationArn=arn)


for function in CHECKS:
    try:
        function()
    except Exception as failure:
        raise SystemExit(f"{function.__name__}: {type(failure).__name__}: {failure}") from failure
print(json.dumps({"checked": [f.__name__ for f in CHECKS]}))
