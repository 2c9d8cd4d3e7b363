# Copyright CallData Foundation contributors
# SPDX-License-Identifier: Apache-2.0
"""Tell the calldata command what happens, while it happens."""

from __future__ import annotations

import json
import os
import signal
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: calldata_events
type: notification
short_description: Writes one line of JSON per event to a file descriptor
description:
  - The line tells a play, a task, a host's result, or the recap at the end. It never holds the arguments of a task, and
    of a task with no_log nothing but its name and outcome.
  - The descriptor is separate from standard output and standard error, so that warnings cannot break the stream.
  - Without the variable the plugin does nothing.
options:
  fd:
    description: Number of an open file descriptor.
    type: int
    env:
      - name: CALLDATA_EVENTS_FD
requirements:
  - enabling by the setting callbacks_enabled
"""

# Long enough for a stack trace, short enough for a screen.
MESSAGE_LIMIT = 4000


class CallbackModule(CallbackBase):
    """The plugin; Ansible makes one of it per run."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "calldata_events"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self._fd = None
        self._began = {}

    def set_options(self, task_keys=None, var_options=None, direct=None):
        super().set_options(task_keys=task_keys, var_options=var_options, direct=direct)
        self._fd = self.get_option("fd")
        self.disabled = self._fd is None

    def _send(self, **event):
        line = json.dumps(event, default=str, separators=(",", ":")).encode() + b"\n"
        try:
            while line:
                line = line[os.write(self._fd, line):]
        except BrokenPipeError:
            # The command that started this run is gone. Nobody would see the end, so it ends here.
            os.killpg(os.getpgid(0), signal.SIGTERM)

    def v2_playbook_on_play_start(self, play):
        self._send(event="play", name=play.get_name().strip())

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._task(task, handler=False)

    def v2_playbook_on_handler_task_start(self, task):
        self._task(task, handler=True)

    def _task(self, task, handler):
        self._send(event="task", name=task.get_name().strip(), handler=handler)

    def v2_runner_on_start(self, host, task):
        self._began[host.get_name(), task._uuid] = time.monotonic()

    def v2_runner_on_ok(self, result):
        self._result(result, "changed" if result._result.get("changed", False) else "ok")

    def v2_runner_on_skipped(self, result):
        self._result(result, "skipped")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._result(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_unreachable(self, result):
        self._result(result, "unreachable")

    def _result(self, result, status):
        host, task = result._host.get_name(), result._task
        began = self._began.pop((host, task._uuid), None)
        event = {
            "event": "host",
            "host": host,
            "task": task.get_name().strip(),
            "status": status,
            "seconds": round(time.monotonic() - began, 3) if began is not None else 0,
        }
        if task.no_log or "censored" in result._result:
            event["message"] = "hidden, because the task has no_log" if status in ("failed", "unreachable") else ""
        elif status in ("failed", "ignored", "unreachable"):
            event["message"] = _explain(result._result)[:MESSAGE_LIMIT]
        elif task.action.rpartition(".")[2] == "debug" and status == "ok":
            event["said"] = str(result._result.get("msg", ""))[:MESSAGE_LIMIT]
        self._send(**event)

    def v2_playbook_on_stats(self, stats):
        names = {
            "ok": "ok",
            "changed": "changed",
            "unreachable": "dark",
            "failed": "failures",
            "skipped": "skipped",
            "rescued": "rescued",
            "ignored": "ignored",
        }
        self._send(
            event="stats",
            hosts={
                host: {ours: getattr(stats, theirs).get(host, 0) for ours, theirs in names.items()}
                for host in sorted(stats.processed)
            },
        )


def _explain(result):
    """What a person needs to know of a failed result: its message, its error output, and the first item that failed."""
    parts = [str(result.get("msg", "")).strip()]
    for item in result.get("results", []):
        if isinstance(item, dict) and item.get("failed"):
            parts.append(f"item {item.get('item')}: {_explain(item)}")
            break
    for key in ("stderr", "module_stderr", "exception"):
        text = str(result.get(key, "")).strip()
        if text and text not in parts[0]:
            parts.append(text)
            break
    return "\n".join(part for part in parts if part) or "no message"
