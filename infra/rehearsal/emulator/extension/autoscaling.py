"""Auto Scaling: notifications, settings that moto drops, and groups that follow their launch template."""

import moto.autoscaling.models as models
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.utils import convert_tag_spec

from . import lifecycle
from .hooks import add, around, store


def _notifications(self):
    return store("asg-notifications", self.current_account, self.region)


@add(AutoScalingResponse)
def put_notification_configuration(self):
    """Missing in moto, as are the next two."""
    for kind in self._get_param("NotificationTypes", []):
        _notifications(self)[(self._get_param("AutoScalingGroupName"), self._get_param("TopicARN"), kind)] = True
    return EmptyResult()


@add(AutoScalingResponse)
def describe_notification_configurations(self):
    names = self._get_param("AutoScalingGroupNames", [])
    return ActionResult(
        {
            "NotificationConfigurations": [
                {"AutoScalingGroupName": group, "TopicARN": topic, "NotificationType": kind}
                for group, topic, kind in _notifications(self)
                if not names or group in names
            ]
        }
    )


@add(AutoScalingResponse)
def delete_notification_configuration(self):
    group, topic = self._get_param("AutoScalingGroupName"), self._get_param("TopicARN")
    for key in [k for k in _notifications(self) if k[:2] == (group, topic)]:
        del _notifications(self)[key]
    return EmptyResult()


@around(models.LifecycleHook, "__init__")
def hook_init(original, self, *args, **kwargs):
    """moto invents a role and a target for hooks that have none: a change on every run."""
    original(self, *args, **kwargs)
    self.role_arn = self.notification_target_arn = None


@around(models.FakeScalingPolicy, "__init__")
def policy_init(original, self, *args, **kwargs):
    """moto has no enabled, and an empty predictive configuration where AWS has none."""
    original(self, *args, **kwargs)
    self.enabled = True
    self.predictive_scaling_configuration = self.predictive_scaling_configuration or None


def _keep_settings(self):
    """moto drops the warm-up and the maximum lifetime."""
    group = self.autoscaling_backend.autoscaling_groups.get(self._get_param("AutoScalingGroupName"))
    if group is None:
        return
    for param, attribute in (
        ("DefaultInstanceWarmup", "default_instance_warmup"),
        ("MaxInstanceLifetime", "max_instance_lifetime"),
    ):
        value = self._get_int_param(param)
        if value is not None:
            setattr(group, attribute, value)


@around(AutoScalingResponse, "create_auto_scaling_group")
def create_auto_scaling_group(original, self):
    for hook in self._get_param("LifecycleHookSpecificationList", []):
        self.autoscaling_backend.create_lifecycle_hook(
            hook["LifecycleHookName"], self._get_param("AutoScalingGroupName"), hook["LifecycleTransition"],
            int(hook["HeartbeatTimeout"]) if hook.get("HeartbeatTimeout") else None, hook.get("DefaultResult"),
        )  # fmt: skip
    result = original(self)
    _keep_settings(self)
    return result


@around(AutoScalingResponse, "update_auto_scaling_group")
def update_auto_scaling_group(original, self):
    result = original(self)
    _keep_settings(self)
    return result


@around(models.FakeAutoScalingGroup, "replace_autoscaling_group_instances")
def launch(original, self, count_needed, propagated_tags):
    """AWS spreads a group over its subnets and follows its template in everything. moto puts all instances into the
    first subnet and ignores the template's interfaces, disks, profile, metadata options and monitoring.
    """
    known = {id(state) for state in self.instance_states}
    if self.ec2_launch_template is None or not self.vpc_zone_identifier:
        original(self, count_needed, propagated_tags)
    else:
        subnets = self.vpc_zone_identifier.split(",")
        for _ in range(count_needed):
            placed = [state.instance.subnet_id for state in lifecycle.counted(self)]
            instance = _launch_one(self, min(subnets, key=placed.count), propagated_tags)
            instance.autoscaling_group = self
            protected = self.new_instances_protected_from_scale_in
            self.instance_states.append(models.InstanceState(instance, protected_from_scale_in=protected))
    lifecycle.welcome(self, [state for state in self.instance_states if id(state) not in known])


def _launch_one(group, subnet, tags):
    ec2 = group.ec2_backend
    version = group.ec2_launch_template.get_version(group.launch_template_version)
    data = version.data
    interface = (data.get("NetworkInterfaces") or [{}])[0]
    by_kind = convert_tag_spec(data.get("TagSpecifications") or [])
    arguments = {
        "instance_type": group.instance_type,
        "is_instance_type_default": False,
        "placement": ec2.get_subnet(subnet).availability_zone,
        "region_name": group.region,
        "subnet_id": subnet,
        "key_name": data.get("KeyName"),
        "security_group_ids": list(data.get("SecurityGroupIds") or interface.get("Groups") or []),
        "associate_public_ip": interface.get("AssociatePublicIpAddress"),
        "launch_template": {"LaunchTemplateId": group.ec2_launch_template.id, "Version": str(version.number)},
        "tags": {**by_kind, "instance": {**by_kind.get("instance", {}), **tags, models.ASG_NAME_TAG: group.name}},
        "metadata_options": data.get("MetadataOptions") or {},
        "monitoring_state": "enabled" if (data.get("Monitoring") or {}).get("Enabled") else "disabled",
        "ebs_optimized": data.get("EbsOptimized") or False,
    }
    disks = data.get("BlockDeviceMappings")
    if disks:
        arguments["block_device_mappings"] = disks
    instance = ec2.run_instances(group.image_id, 1, group.user_data, [], **arguments).instances[0]
    profile = data.get("IamInstanceProfile") or {}
    if profile:
        ec2.associate_iam_instance_profile(instance.id, profile.get("Name"), profile.get("Arn"))
    for interface in instance.nics.values():
        interface.add_tags(by_kind.get("network-interface", {}))
    return instance
