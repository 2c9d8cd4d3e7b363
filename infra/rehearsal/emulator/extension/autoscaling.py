"""Auto Scaling: notifications, instance refresh, lifecycle actions, and groups that follow their launch template."""

import moto.autoscaling.models as models
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.ec2.models.instances import MetadataOptions
from moto.moto_api._internal import mock_random

from .hooks import add, around, store


def _notifications(self):
    return store("asg-notifications", self.current_account, self.region)


def _refreshes(self):
    return store("asg-refreshes", self.current_account, self.region)


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


@add(AutoScalingResponse)
def start_instance_refresh(self):
    """Missing in moto. Every instance is replaced at once by one of the current template."""
    name = self._get_param("AutoScalingGroupName")
    backend = self.autoscaling_backend
    group = backend.autoscaling_groups[name]
    old = list(group.instance_states)
    group.instance_states.clear()
    backend.ec2_backend.terminate_instances([state.instance.id for state in old])
    group.set_desired_capacity(group.desired_capacity or 0)
    backend.update_attached_target_groups(name)
    refresh = {
        "InstanceRefreshId": str(mock_random.uuid4()),
        "AutoScalingGroupName": name,
        "Status": "Successful",
        "PercentageComplete": 100,
        "StartTime": utcnow(),
        "EndTime": utcnow(),
    }
    _refreshes(self).setdefault(name, []).append(refresh)
    return ActionResult({"InstanceRefreshId": refresh["InstanceRefreshId"]})


@add(AutoScalingResponse)
def describe_instance_refreshes(self):
    """Missing in moto."""
    ids = self._get_param("InstanceRefreshIds", [])
    known = _refreshes(self).get(self._get_param("AutoScalingGroupName"), [])
    return ActionResult({"InstanceRefreshes": [r for r in reversed(known) if not ids or r["InstanceRefreshId"] in ids]})


@add(AutoScalingResponse)
def complete_lifecycle_action(self):
    """Missing in moto, whose hooks never hold an instance back: there is nothing to let go."""
    return ActionResult({})


@add(AutoScalingResponse)
def record_lifecycle_action_heartbeat(self):
    """Missing in moto, as above."""
    return ActionResult({})


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
    result = original(self)
    _keep_settings(self)
    return result


@around(AutoScalingResponse, "update_auto_scaling_group")
def update_auto_scaling_group(original, self):
    result = original(self)
    _keep_settings(self)
    return result


@around(models.FakeAutoScalingGroup, "replace_autoscaling_group_instances")
def replace_instances(original, self, count_needed, propagated_tags):
    """moto ignores the template's profile, security groups, metadata options and monitoring."""
    before = {id(state) for state in self.instance_states}
    try:
        _launch_over_subnets(original, self, count_needed, propagated_tags)
    finally:
        if self.ec2_launch_template:
            data = self.ec2_launch_template.get_version(self.launch_template_version).data
            for state in self.instance_states:
                if id(state) not in before:
                    _follow_template(self.autoscaling_backend.ec2_backend, state.instance, data)


def _follow_template(ec2, instance, data):
    if data.get("MetadataOptions"):
        instance.metadata_options = MetadataOptions(data["MetadataOptions"])
    if data.get("SecurityGroupIds"):
        ec2.modify_instance_security_groups(instance.id, list(data["SecurityGroupIds"]))
    profile = data.get("IamInstanceProfile") or {}
    if profile and not instance.iam_instance_profile:
        ec2.associate_iam_instance_profile(instance.id, profile.get("Name"), profile.get("Arn"))
    if (data.get("Monitoring") or {}).get("Enabled"):
        instance.monitoring_state = "enabled"


def _launch_over_subnets(original, group, count, tags):
    """AWS spreads a group over its subnets. moto puts all instances into the first one."""
    subnets = group.vpc_zone_identifier.split(",") if group.vpc_zone_identifier else []
    if len(subnets) < 2:
        original(group, count, tags)
        return
    ec2 = group.autoscaling_backend.ec2_backend
    for _ in range(count):
        placed = [state.instance.subnet_id for state in group.instance_states]
        emptiest = min(subnets, key=placed.count)
        saved = group.vpc_zone_identifier, group.availability_zones
        group.vpc_zone_identifier = emptiest
        group.availability_zones = [ec2.get_subnet(emptiest).availability_zone]
        try:
            original(group, 1, dict(tags))
        finally:
            group.vpc_zone_identifier, group.availability_zones = saved
