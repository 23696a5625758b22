# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a report of the run: what the roles registered on all its hosts, as JSON and as one page, on the controller."""
from __future__ import annotations

import datetime
import json
import os

from ansible.plugins.action import ActionBase

from ..plugin_utils import report, report_page, results

PAGE = ".html"


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, given = self.validate_argument_spec({
            "path": {"type": "path", "required": True},
            "playbook": {"type": "str", "default": ""},
            "registry": {"type": "str", "default": ""},
            "mirror_host": {"type": "str", "default": "localhost"},
        })
        document = report.document(results.gather(task_vars, report.NAMES), {
            "playbook": given["playbook"], "registry": given["registry"], "mirror_host": given["mirror_host"],
            "dry": bool(self._task.check_mode), "lost": results.lost(task_vars),
            "written": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        })
        page = os.path.abspath(given["path"] if given["path"].endswith(PAGE) else given["path"] + PAGE)
        data = page[:-len(PAGE)] + ".json"
        try:
            results.write(data, json.dumps(document, indent=1, sort_keys=True) + "\n")
            results.write(page, report_page.render(document))
        except OSError as problem:
            # No exception: what fails like that fails whatever failed_when says.
            return dict(result, failed=True, msg="The report cannot be written to %s: %s. Set disconnected_report to a path on the "
                                                 "controller that can be." % (page, (problem.strerror or "").lower()))
        # Files on the controller, which report a run: the hosts are as they were.
        return dict(result, changed=False, path=page, data=data, outcome=document["outcome"])
