# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells Ansible what must never be shown.

An option with `no_log` protects only the text of that option. What a module derives from it (base64 of
user:password, a document that holds it) or reads from the cluster must be named as well: up to ansible-core
2.21 in the module's no_log_values, which censors results and warnings, from 2.22 on by register_secret, which
also masks the output.
"""
from __future__ import annotations

import base64
import json

# Ansible strikes out every occurrence of a masked text, in whatever word: a password "y" would turn "yet" into
# "********et", and the holes that it leaves tell more of a short secret than silence does.
SHORTEST_MASKED = 4

try:
    from ansible.module_utils.secrets import register_secret
except ImportError:  # before ansible-core 2.22
    def register_secret(value):
        return value


def protect(module, *values):
    """Keep `values` (str; None and "" are skipped) and their encoded forms out of all the module says.

    Forms shorter than SHORTEST_MASKED are left: no message of ours holds one, and masking them garbles every sentence.
    """
    for value in values:
        if value:
            for form in forms(value):
                if len(form) >= SHORTEST_MASKED:
                    module.no_log_values.add(form)
                    register_secret(form)


def forms(value):
    """The texts as which `value` can turn up: itself, as base64, and as a JSON string has it."""
    return {value, base64.b64encode(value.encode("utf-8", "surrogateescape")).decode("ascii"), json.dumps(value)[1:-1],
            json.dumps(value, ensure_ascii=False)[1:-1]}
