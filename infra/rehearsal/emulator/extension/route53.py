"""Route 53: a zone with a VPC is private. moto makes it public unless told twice."""

from moto.route53.responses import Route53

from .hooks import around, with_param


@around(Route53, "create_hosted_zone")
def create_hosted_zone(original, self):
    if not self._get_param("VPC.VPCId"):
        return original(self)
    return with_param(self, "_get_bool_param", {"HostedZoneConfig.PrivateZone": True}, lambda: original(self))
