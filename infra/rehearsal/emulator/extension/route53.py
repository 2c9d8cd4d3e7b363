"""Route 53: a zone with a VPC is private, where moto makes it public unless told twice; and changes of records come one
after the other, where moto loses some of those that arrive together."""

import threading

from moto.route53.models import Route53Backend
from moto.route53.responses import Route53

from .hooks import around, with_param

_changing = threading.Lock()


@around(Route53, "create_hosted_zone")
def create_hosted_zone(original, self):
    if not self._get_param("VPC.VPCId"):
        return original(self)
    return with_param(self, "_get_bool_param", {"HostedZoneConfig.PrivateZone": True}, lambda: original(self))


def _named(record):
    """What makes a record of a change or of a zone that one and no other."""
    if isinstance(record, dict):
        return record["Name"].strip("."), record["Type"], record.get("SetIdentifier")
    return record.name.strip("."), record.type, record.set_identifier


@around(Route53Backend, "change_resource_record_sets")
def change_resource_record_sets(original, self, zoneid, change_list):
    """moto takes a record that was deleted for an existing one when records with later names exist, and deletes every
    record with a set identifier when one of them goes."""
    with _changing:
        zone = self.get_hosted_zone(zoneid)
        before = list(zone.rrsets)
        there = {_named(r) for r in before}
        for change in change_list:
            if change["Action"] == "CREATE" and _named(change["ResourceRecordSet"]) not in there:
                while change in zone.rr_changes:
                    zone.rr_changes.remove(change)
        gone = {_named(c["ResourceRecordSet"]) for c in change_list if c["Action"] == "DELETE"}
        result = original(self, zoneid, change_list)
        if any(identifier for _, _, identifier in gone):
            left = {_named(r) for r in zone.rrsets}
            zone.rrsets += [r for r in before if _named(r) not in left | gone]
        return result
