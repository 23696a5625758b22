# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module's main() in this process: real AnsibleModule, real argument spec, real output."""
from __future__ import annotations

import json
from unittest import mock

from ansible.module_utils import basic
from ansible.module_utils.common import warnings

try:
    from ansible.module_utils.testing import patch_module_args
except ImportError:  # before ansible-core 2.19
    def patch_module_args(args):
        return mock.patch.object(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": args}).encode("utf-8"))


def run(module, capsys, args, cluster=None, check_mode=False, diff=False):
    """The result of `module` with `args`, as Ansible receives it; `cluster` takes the place of a connection."""
    warnings._global_warnings.clear()  # they are the process's: those of an earlier run would show up again
    options = dict(args, _ansible_check_mode=check_mode, _ansible_diff=diff)
    with patch_module_args(options):
        try:
            if cluster is None:
                module.main()
            else:
                with mock.patch.object(module.Cluster, "connect", lambda params, **settings: cluster):
                    module.main()
        except SystemExit:
            pass
    return json.loads(capsys.readouterr().out)
