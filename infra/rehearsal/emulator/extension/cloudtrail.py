"""CloudTrail: trails are named by ARN, too. moto knows only their names in these calls."""

from moto.cloudtrail.models import CloudTrailBackend

from .hooks import around


def _by_name_or_arn(original, self, name):
    return original(self, name.split("/")[-1])


for _call in ("start_logging", "stop_logging", "delete_trail"):
    around(CloudTrailBackend, _call)(_by_name_or_arn)
