# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes every task's whole result as a JSON line, as a controller's job events keep them."""
from __future__ import annotations

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: record
type: notification
short_description: Writes every task's result as a JSON line
description: Writes the task's name, host, outcome and whole result as a line of JSON to the file that RECORD_FILE names.
requirements: [the environment variable RECORD_FILE]
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "record"
    CALLBACK_NEEDS_ENABLED = True

    def _record(self, outcome, result):
        line = {
            "task": result._task.get_name(),
            "action": result._task.action,
            "host": result._host.get_name(),
            "outcome": outcome,
            # What the display and the job events may show: under no_log, Ansible itself has censored it by now.
            "result": json.loads(self._dump_results(result._result)),
        }
        with open(os.environ["RECORD_FILE"], "a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")

    def v2_runner_on_ok(self, result):
        self._record("changed" if result._result.get("changed") else "ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._record("failed", result)

    def v2_runner_on_unreachable(self, result):
        self._record("unreachable", result)

    def v2_runner_on_skipped(self, result):
        self._record("skipped", result)
