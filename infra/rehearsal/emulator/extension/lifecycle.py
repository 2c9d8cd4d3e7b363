"""Auto Scaling: the life of a group's instances, with hooks that hold them back.

moto changes a group's instances at once. Here each goes through the states of
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html: a launch hook keeps it in
Pending:Wait, a termination hook in Terminating:Wait, until the action is completed or its time is over. Time is real:
advance() brings every group up to the present, and the server calls it before it answers any request.
"""

import threading
import time

import moto.autoscaling.models as models
from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import EmptyResult
from moto.moto_api._internal import mock_random

from .hooks import add, around

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"

# A hook waits 48 hours or 100 times its heartbeat at most.
# https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks-overview.html
LONGEST_WAIT = 172800
MOST_HEARTBEATS = 100

# Requests run in threads of their own, and moto has no locks.
LOCK = threading.RLock()


class Action:
    """What a hook wants to hear about one instance."""

    def __init__(self, hook):
        now = time.time()
        self.hook = hook
        self.token = str(mock_random.uuid4())
        self.last = now + min(LONGEST_WAIT, MOST_HEARTBEATS * hook.heartbeat_timeout)
        self.beat()

    def beat(self):
        self.deadline = min(time.time() + self.hook.heartbeat_timeout, self.last)


def groups():
    """Every group there is."""
    for regions in list(models.autoscaling_backends.values()):
        for backend in list(regions.values()):
            yield from list(backend.autoscaling_groups.values())


def advance():
    """Bring every group up to the present."""
    with LOCK:
        now = time.time()
        for group in groups():
            for state in list(group.instance_states):
                for action in [a for a in actions(state) if a.deadline <= now]:
                    complete(group, state, action, action.hook.default_result)
            settle(group)


def actions(state):
    """The actions that an instance waits for."""
    return state.__dict__.setdefault("lifecycle_actions", [])


def counted(group):
    """The instances that make up the group's capacity."""
    return [s for s in group.instance_states if not s.lifecycle_state.startswith("Terminating") and s.lifecycle_state != "Standby"]


def in_service(group):
    return [s for s in group.instance_states if s.lifecycle_state == "InService"]


def _running(state):
    return state.instance.state == "running"


def suspended(group, process):
    return any(p["ProcessName"] == process for p in group.suspended_processes)


def settle(group):
    """Launch what is missing, let go what is too much or ill, and take an instance refresh a step on."""
    if not suspended(group, "ReplaceUnhealthy"):
        for state in in_service(group):
            if state.health_status == "Unhealthy" or not _running(state):
                retire(group, state)
    refresh = getattr(group, "refresh", None)
    surge = refresh.step(group) if refresh else 0
    change = (group.desired_capacity or 0) + surge - len(counted(group))
    if change > 0 and not suspended(group, "Launch"):
        group.replace_autoscaling_group_instances(change, group.get_propagated_tags())
    elif change < 0 and not suspended(group, "Terminate"):
        for state in victims(group, -change):
            retire(group, state)


def victims(group, count):
    """Who goes when the group shrinks: nobody who is protected; from the fullest zone; of the oldest template.
    https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-termination-policies.html
    """
    left, chosen = counted(group), []
    for _ in range(count):
        candidates = [s for s in left if not s.protected_from_scale_in]
        if not candidates:
            break
        zones = [s.instance.placement for s in left]
        chosen.append(min(candidates, key=lambda s: (-zones.count(s.instance.placement), template_version(s))))
        left.remove(chosen[-1])
    return chosen


def template_version(state):
    return getattr(state, "template_version", None) or 0


def _template(state):
    """The template that an instance was launched from. moto tells the present default."""
    template = state.auto_scaling_group.ec2_launch_template if state.auto_scaling_group else None
    if template is None:
        return None
    version = template_version(state) or template.default_version_number
    return {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "Version": str(version)}


models.InstanceState.launch_template = property(_template)


def welcome(group, states):
    """New instances of the group are in service, or wait for their hooks."""
    for state in states:
        if group.ec2_launch_template:
            state.template_version = group.ec2_launch_template.get_version(group.launch_template_version).number
        hold(group, state, LAUNCHING, "Pending:Wait")
        if not actions(state):
            state.lifecycle_state = "InService"
    register(group)


def hold(group, state, transition, waiting):
    hooks = group.autoscaling_backend.describe_lifecycle_hooks(group.name)
    state.lifecycle_actions = [Action(hook) for hook in hooks if hook.lifecycle_transition == transition]
    if state.lifecycle_actions:
        state.lifecycle_state = waiting


def register(group):
    """Load balancers send requests to instances in service."""
    backend = group.autoscaling_backend
    if group.name in backend.autoscaling_groups:
        backend.update_attached_elbs(group.name)
        backend.update_attached_target_groups(group.name)


def retire(group, state):
    """Take an instance out of service and end it, once its hooks let it go."""
    if state.lifecycle_state.startswith("Terminating"):
        return
    state.lifecycle_state = "Terminating"
    _deregister(group, state)
    hold(group, state, TERMINATING, "Terminating:Wait")
    if not actions(state):
        end(group, state)


def _deregister(group, state):
    for target_group in _target_groups(group):
        if state.instance.id in target_group.targets:
            target_group.deregister([{"Id": state.instance.id}])


def _target_groups(group):
    known = group.autoscaling_backend.elbv2_backend.target_groups
    return [known[arn] for arn in group.target_group_arns or [] if arn in known]


def end(group, state):
    state.lifecycle_actions = []
    group.instance_states = [s for s in group.instance_states if s is not state]
    group.ec2_backend.terminate_instances([state.instance.id])


def complete(group, state, action, result):
    """What a hook's answer means: https://docs.aws.amazon.com/autoscaling/ec2/userguide/completing-lifecycle-hooks.html"""
    waiting = actions(state)
    if action not in waiting:
        return
    waiting.remove(action)
    launching = action.hook.lifecycle_transition == LAUNCHING
    if result == "ABANDON":
        waiting.clear()
        if launching:
            refresh = getattr(group, "refresh", None)
            if refresh:
                refresh.abandoned()
            state.lifecycle_state = "Terminating"
    if waiting:
        return
    if state.lifecycle_state == "Pending:Wait":
        state.lifecycle_state = "InService"
        register(group)
    else:
        end(group, state)


@around(models.FakeAutoScalingGroup, "set_desired_capacity")
def set_desired_capacity(original, self, new_capacity):
    self.desired_capacity = self.min_size if new_capacity is None else new_capacity
    with LOCK:
        settle(self)


@around(models.FakeAutoScalingGroup, "update")
def update(original, self, *args, **kwargs):
    """The bounds move the desired capacity. moto compares them with the number of instances."""
    if kwargs.get("desired_capacity") is None:
        low, high = kwargs.get("min_size"), kwargs.get("max_size")
        desired = self.desired_capacity or 0
        desired = desired if low is None else max(desired, low)
        kwargs["desired_capacity"] = desired if high is None else min(desired, high)
    original(self, *args, **kwargs)


@around(models.AutoScalingBackend, "delete_auto_scaling_group")
def delete_auto_scaling_group(original, self, group_name, force=False):
    """Without force, a group with instances stays; with it, its instances end without their hooks."""
    group = self.autoscaling_groups.get(group_name)
    if group is not None:
        if group.instance_states and not force:
            raise AutoscalingClientError(
                "ResourceInUse",
                "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.",
            )
        group.refresh = None
        for state in list(group.instance_states):
            _deregister(group, state)
            end(group, state)
        for name in [h.name for h in self.describe_lifecycle_hooks(group_name)]:
            self.lifecycle_hooks.pop(f"{group_name}_{name}")
    return original(self, group_name)


@around(AutoScalingResponse, "delete_auto_scaling_group")
def delete_request(original, self):
    """moto does not read ForceDelete."""
    self.autoscaling_backend.delete_auto_scaling_group(
        self._get_param("AutoScalingGroupName"), force=self._get_bool_param("ForceDelete", False)
    )
    return EmptyResult()


@around(models.AutoScalingBackend, "delete_lifecycle_hook")
def delete_lifecycle_hook(original, self, as_name, name):
    """Deleting a hook completes its actions: ABANDON for launches, CONTINUE for terminations.
    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteLifecycleHook.html
    """
    original(self, as_name, name)
    group = self.autoscaling_groups.get(as_name)
    for state in list(group.instance_states) if group else []:
        for action in [a for a in actions(state) if a.hook.name == name]:
            complete(group, state, action, "ABANDON" if action.hook.lifecycle_transition == LAUNCHING else "CONTINUE")


@around(models.AutoScalingBackend, "update_attached_target_groups")
def update_attached_target_groups(original, self, group_name):
    """moto registers instances in every state."""
    group = self.autoscaling_groups[group_name]
    for target_group in _target_groups(group):
        target_group.register([{"Id": s.instance.id} for s in in_service(group) if _running(s)])


@around(models.AutoScalingBackend, "detach_load_balancer_target_groups")
def detach_load_balancer_target_groups(original, self, group_name, target_group_arns):
    """moto fails where an instance was never registered, as one that is not in service yet."""
    group = self.autoscaling_groups[group_name]
    members = {state.instance.id for state in group.instance_states}
    for target_group in _target_groups(group):
        if target_group.arn in target_group_arns:
            target_group.deregister([{"Id": target} for target in list(target_group.targets) if target in members])
    group.target_group_arns = [arn for arn in group.target_group_arns if arn not in target_group_arns]


@around(models.AutoScalingBackend, "notify_terminate_instances")
def notify_terminate_instances(original, self, instance_ids):
    """Somebody ended instances of a group: it launches others."""
    with LOCK:
        for group in self.autoscaling_groups.values():
            group.instance_states = [s for s in group.instance_states if s.instance.id not in instance_ids]
            settle(group)


@around(models.AutoScalingBackend, "terminate_instance")
def terminate_instance(original, self, instance_id, should_decrement):
    """moto ends the instance at once."""
    for group in self.autoscaling_groups.values():
        for state in group.instance_states:
            if state.instance.id == instance_id:
                before = group.desired_capacity
                if should_decrement:
                    group.desired_capacity -= 1
                activity = models.TerminateInstanceActivity(state.instance, before)
                retire(group, state)
                settle(group)
                return activity
    raise ValidationError(f"Instance Id not found - No managed instance found for instance ID {instance_id}")


def _find(self):
    """The action that a request is about, by token or by instance."""
    group = self.autoscaling_backend.autoscaling_groups.get(self._get_param("AutoScalingGroupName"))
    if group is None:
        raise ValidationError("AutoScalingGroup name not found - null")
    hook, token, instance = (self._get_param(p) for p in ("LifecycleHookName", "LifecycleActionToken", "InstanceId"))
    for state in group.instance_states:
        for action in actions(state):
            if action.hook.name == hook and (token == action.token if token else state.instance.id == instance):
                return group, state, action
    what = f"token {token}" if token else f"instance ID {instance}"
    raise ValidationError(f"No active Lifecycle Action found with {what}")


@add(AutoScalingResponse)
def complete_lifecycle_action(self):
    """Missing in moto."""
    result = self._get_param("LifecycleActionResult")
    if result not in ("CONTINUE", "ABANDON"):
        raise ValidationError("Lifecycle action result must be ABANDON or CONTINUE")
    group, state, action = _find(self)
    complete(group, state, action, result)
    settle(group)
    return EmptyResult()


@add(AutoScalingResponse)
def record_lifecycle_action_heartbeat(self):
    """Missing in moto."""
    _find(self)[2].beat()
    return EmptyResult()


@around(AutoScalingResponse, "call_action")
def call_action(original, self):
    with LOCK:
        return original(self)
