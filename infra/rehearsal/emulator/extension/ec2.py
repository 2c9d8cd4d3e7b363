"""EC2: detailed monitoring, VPC endpoints, ICMP in network ACLs, rule descriptions, launch templates."""

import threading

import moto.ec2.models.security_groups as security_groups
from moto.core.responses import ActionResult
from moto.ec2.models import EC2Backend
from moto.ec2.models.instances import Instance
from moto.ec2.models.launch_templates import LaunchTemplate
from moto.ec2.responses import EC2Response
from moto.ec2.responses.launch_templates import LaunchTemplates
from moto.ec2.utils import parse_user_data

from .hooks import add, around, with_param


def _set_monitoring(self, state):
    ids = self._get_param("InstanceIds", []) or self._get_multi_param("InstanceId")
    out = []
    for instance_id in ids:
        self.ec2_backend.get_instance(instance_id).monitoring_state = state
        out.append({"InstanceId": instance_id, "Monitoring": {"State": state}})
    return ActionResult({"InstanceMonitorings": out})


@add(EC2Response)
def monitor_instances(self):
    """Missing in moto; the provider calls it for `monitoring = true`."""
    return _set_monitoring(self, "enabled")


@add(EC2Response)
def unmonitor_instances(self):
    """The reverse."""
    return _set_monitoring(self, "disabled")


def _with_icmp(original, self):
    """moto asks for the ICMP type and code by names that the parsed request has not."""
    given = {f"Icmp.{part}": self._get_param(f"IcmpTypeCode.{part}") for part in ("Type", "Code")}
    return with_param(self, "_get_param", given, lambda: original(self))


around(EC2Response, "create_network_acl_entry")(_with_icmp)
around(EC2Response, "replace_network_acl_entry")(_with_icmp)


@around(EC2Backend, "modify_vpc_endpoint")
def modify_vpc_endpoint(original, self, vpc_id, *args, **kwargs):
    """A gateway endpoint has a route in each of its tables. moto forgets those of tables that come or go later."""
    endpoint = self.vpc_end_points[vpc_id]
    before = set(endpoint.route_table_ids or [])
    original(self, vpc_id, *args, **kwargs)
    after, services = set(endpoint.route_table_ids or []), endpoint.destination_prefix_list_id
    for table in after - before if services else ():
        self.create_route(table, None, gateway_id=vpc_id, destination_prefix_list_id=services)
    for table in before - after if services else ():
        self.delete_route(table, services)


# Every instance is recovered by itself unless somebody turned that off.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-configuration-recovery.html
Instance.maintenance_options = {"AutoRecovery": "default"}


@around(EC2Response, "run_instances")
def run_instances(original, self):
    """moto drops the maintenance options."""
    result = original(self)
    wanted = self._get_param("MaintenanceOptions") or {}
    for instance in result.result.instances:
        instance.maintenance_options = {**Instance.maintenance_options, **wanted}
    return result


@add(EC2Response)
def modify_instance_maintenance_options(self):
    """Missing in moto."""
    instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
    instance.maintenance_options = {"AutoRecovery": self._get_param("AutoRecovery")}
    return ActionResult({"InstanceId": instance.id, **instance.maintenance_options})


@around(EC2Backend, "delete_vpc_endpoints")
def delete_vpc_endpoints(original, self, vpce_ids=None):
    """AWS forgets a deleted endpoint. moto keeps it as "deleted", and the provider waits for it to go."""
    result = original(self, vpce_ids)
    for endpoint_id in vpce_ids or []:
        self.vpc_end_points.pop(endpoint_id, None)
    return result


@around(security_groups.SecurityGroupRule, "__init__")
def rule_init(original, self, *args, **kwargs):
    """moto keeps the description of rules with an address range only, not with a group or a prefix list."""
    original(self, *args, **kwargs)
    prefix_list = kwargs.get("prefix_list_id") or (args[7] if len(args) > 7 else None)
    self.own_description = (self.source_group or {}).pop("Description", None) or (prefix_list or {}).get("Description")


security_groups.SecurityGroupRule.description = property(
    lambda self: self.ip_range.get("Description") or self.own_description
)


@around(LaunchTemplate, "__init__")
def template_init(original, self, *args, **kwargs):
    """A template's own tags are no part of its data; with them the provider sees a change on every run."""
    original(self, *args, **kwargs)
    for version in self.versions:
        tags = version.data.get("TagSpecifications")
        if tags:
            version.data["TagSpecifications"] = [t for t in tags if t.get("ResourceType") != "launch-template"]


# moto shows a launch template's tags as they were when it was made.
LaunchTemplate.tags = property(lambda self: self.get_tags(), lambda self, tags: None)


@around(LaunchTemplates, "create_launch_template_version")
def create_launch_template_version(original, self):
    """moto parses user data for the first version only, and fails an assertion on later ones."""
    data = self._get_param("LaunchTemplateData", {})
    if data.get("UserData") is None:
        return original(self)
    data["UserData"] = parse_user_data(self._get_param("LaunchTemplateData.UserData"))
    return with_param(self, "_get_param", {"LaunchTemplateData": data}, lambda: original(self))


_asked = threading.local()


@around(EC2Response, "run_instances")
def run_instances_protected(original, self):
    """moto does not hand DisableApiTermination on to its instances."""
    _asked.protection = str(self._get_param("DisableApiTermination")).lower() == "true"
    try:
        return original(self)
    finally:
        _asked.protection = False


@around(Instance, "__init__")
def protected_init(original, self, *args, **kwargs):
    original(self, *args, **kwargs)
    if getattr(_asked, "protection", False):
        self.disable_api_termination = True
