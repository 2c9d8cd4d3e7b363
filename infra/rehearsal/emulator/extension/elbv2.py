"""Load balancers: targets may drain for 3600 s, the longest that AWS allows, where moto stops a second before; and zones
tell the Elastic IP that they were given, which moto forgets."""

from moto.elbv2.models import AvailabilityZone, ELBv2Backend, FakeLoadBalancer

from .hooks import around

DELAY, LONGEST = "deregistration_delay.timeout_seconds", "3600"


@around(ELBv2Backend, "modify_target_group_attributes")
def modify_target_group_attributes(original, self, target_group_arn, attributes):
    if attributes.get(DELAY) != LONGEST:
        return original(self, target_group_arn, attributes)
    original(self, target_group_arn, {**attributes, DELAY: "0"})
    self.target_groups[target_group_arn].attributes[DELAY] = LONGEST


def keep(balancer, mappings):
    balancer.allocations = {m["SubnetId"]: m["AllocationId"] for m in mappings or [] if "AllocationId" in m}


@around(ELBv2Backend, "create_load_balancer")
def create_load_balancer(original, self, *args, subnet_mappings=None, **kwargs):
    balancer = original(self, *args, subnet_mappings=subnet_mappings, **kwargs)
    keep(balancer, subnet_mappings)
    return balancer


@around(ELBv2Backend, "set_subnets")
def set_subnets(original, self, arn, subnets, subnet_mappings):
    original(self, arn, subnets, subnet_mappings)
    keep(self.load_balancers[arn], subnet_mappings)
    return self.load_balancers[arn].availability_zones


def availability_zones(self):
    zones = [AvailabilityZone(subnet) for subnet in self.subnets]
    for zone in zones:
        allocation = getattr(self, "allocations", {}).get(zone.subnet_id)
        zone.load_balancer_addresses = [{"AllocationId": allocation}] if allocation else []
    return zones


FakeLoadBalancer.availability_zones = property(availability_zones)
