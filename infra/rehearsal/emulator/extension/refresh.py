"""Auto Scaling: instance refresh, which replaces a group's instances a few at a time.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-overview.html. Checkpoints, alarms and rollback
are not served. Warm-ups are not waited for: they are for metrics to settle, and the emulator measures nothing.
"""

import math
import time

import moto.autoscaling.models as models
from moto.autoscaling.exceptions import AutoscalingClientError
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.moto_api._internal import mock_random

from . import lifecycle
from .hooks import add

# Auto Scaling gives a refresh up when it makes no progress for an hour.
# https://docs.aws.amazon.com/autoscaling/ec2/userguide/understand-instance-refresh-default-values.html
STALLED = 3600


class Refresh:
    """One instance refresh of a group."""

    def __init__(self, group, preferences):
        self.id = str(mock_random.uuid4())
        self.group_name = group.name
        self.preferences = preferences
        self.status = "Pending"
        self.reason = None
        self.start, self.end = utcnow(), None
        self.old = [s for s in group.instance_states if self._concerns(group, s)]
        self.total = len(self.old)
        self.leaving = []
        self.surge = 0
        self.failures = 0
        self.moved = time.time()

    def _concerns(self, group, state):
        if self._setting("SkipMatching", False) and group.ec2_launch_template:
            wanted = group.ec2_launch_template.get_version(group.launch_template_version).number
            if lifecycle.template_version(state) == wanted:
                return False
        if state.lifecycle_state == "Standby":
            return self._setting("StandbyInstances", "Wait") != "Ignore"
        return not (state.protected_from_scale_in and self._setting("ScaleInProtectedInstances", "Wait") == "Ignore")

    def _setting(self, name, default):
        value = self.preferences.get(name)
        return default if value is None else value

    def _waits(self, state):
        """Whether somebody has to decide first: protection lifted, standby left."""
        if state.lifecycle_state == "Standby":
            return self._setting("StandbyInstances", "Wait") == "Wait"
        return state.protected_from_scale_in and self._setting("ScaleInProtectedInstances", "Wait") == "Wait"

    @property
    def active(self):
        return self.status in ("Pending", "InProgress")

    def step(self, group):
        """Go as far as the bounds allow now. Answers how many instances the group may have beyond its capacity."""
        if self.active:
            self.status = "InProgress"
            self.surge = self._step(group)
        return self.surge

    def _step(self, group):
        here = {id(s) for s in group.instance_states}
        self.old = [s for s in self.old if id(s) in here]
        self.leaving = [s for s in self.leaving if id(s) in here]
        if self.leaving:  # one batch after the other
            self.moved = time.time()
            return self.surge
        if time.time() - self.moved > STALLED:
            return self.finish("Failed", "No instance could be replaced for an hour.")
        desired, serving = group.desired_capacity or 0, len(lifecycle.in_service(group))
        if not self.old:
            return self.finish("Successful") if serving >= desired else 0
        least = math.ceil(desired * self._setting("MinHealthyPercentage", 90) / 100)
        most = math.ceil(desired * self._setting("MaxHealthyPercentage", 100) / 100)
        ready = [s for s in self.old if not self._waits(s)]
        surge = min(max(0, most - desired), len(ready))
        if surge and least >= desired and serving < desired + surge:
            return surge  # new ones come before old ones go
        # Where the bounds leave no room, one instance at a time is replaced all the same.
        room = max(serving - least, 1 if serving >= desired else 0)
        self.leaving = ready[:room]
        for state in self.leaving:
            lifecycle.retire(group, state)
        return 0 if least >= desired else min(surge, len(ready) - len(self.leaving))

    def abandoned(self):
        """A new instance did not come up. The group tries another one, until the hour is over."""
        self.failures += 1
        self.reason = f"{self.failures} new instances were abandoned by their lifecycle hook."

    def finish(self, status, reason=None):
        self.status, self.end, self.surge = status, utcnow(), 0
        self.reason = reason or self.reason
        return 0

    def describe(self):
        left = len(self.old)
        done = 100 if self.total == 0 else int(100 * (self.total - left) / self.total)
        return {
            "InstanceRefreshId": self.id,
            "AutoScalingGroupName": self.group_name,
            "Status": self.status,
            "StatusReason": self.reason,
            "PercentageComplete": done,
            "InstancesToUpdate": left,
            "StartTime": self.start,
            "EndTime": self.end,
            "Preferences": self.preferences or None,
        }


def _group(self):
    name = self._get_param("AutoScalingGroupName")
    group = self.autoscaling_backend.autoscaling_groups.get(name)
    if group is None:
        raise models.ValidationError(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
    return group


def _typed(preferences):
    """Numbers and booleans arrive as text in the query protocol."""
    out = {}
    for name, value in (preferences or {}).items():
        if name in ("MinHealthyPercentage", "MaxHealthyPercentage", "InstanceWarmup", "CheckpointDelay"):
            value = int(value)
        elif name in ("SkipMatching", "AutoRollback"):
            value = str(value).lower() == "true"
        out[name] = value
    return out


@add(AutoScalingResponse)
def start_instance_refresh(self):
    """Missing in moto, as are the next two."""
    group = _group(self)
    if getattr(group, "refresh", None) and group.refresh.active:
        raise AutoscalingClientError(
            "InstanceRefreshInProgress", "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh."
        )
    template = (self._get_param("DesiredConfiguration") or {}).get("LaunchTemplate")
    if template:
        group._set_launch_configuration(None, template, None)
    group.refresh = Refresh(group, _typed(self._get_param("Preferences")))
    group.__dict__.setdefault("refreshes", []).append(group.refresh)
    lifecycle.settle(group)
    return ActionResult({"InstanceRefreshId": group.refresh.id})


@add(AutoScalingResponse)
def describe_instance_refreshes(self):
    ids = self._get_param("InstanceRefreshIds", [])
    known = reversed(getattr(_group(self), "refreshes", []))
    return ActionResult({"InstanceRefreshes": [r.describe() for r in known if not ids or r.id in ids]})


@add(AutoScalingResponse)
def cancel_instance_refresh(self):
    """What is under way is finished; nothing more is replaced."""
    refresh = getattr(_group(self), "refresh", None)
    if refresh is None or not refresh.active:
        raise AutoscalingClientError("ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found for Auto Scaling group.")
    refresh.finish("Cancelled")
    return ActionResult({"InstanceRefreshId": refresh.id})
