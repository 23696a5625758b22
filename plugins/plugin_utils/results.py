# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes registered results out of Ansible's variables, and puts private files into their place."""
from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence


def gather(task_vars, names):
    """{host: {name: result}} of these names on all hosts of the play and of the inventory, as plain data."""
    hostvars = task_vars["hostvars"]
    hosts = list(task_vars.get("ansible_play_hosts_all") or [])
    hosts += [host for host in (task_vars.get("groups") or {}).get("all", []) if host not in hosts]
    if "localhost" not in hosts:
        hosts.append("localhost")  # may be there without being in the inventory
    found = {}
    for host in hosts:
        try:
            known = hostvars[host]
            results = {name: plain(known[name]) for name in sorted(names) if name in known}
        except KeyError:
            continue
        if results:
            found[str(host)] = results
    return found


def lost(task_vars):
    """The hosts of the play that have failed or are unreachable."""
    left = set(task_vars.get("ansible_play_hosts") or [])
    return tuple(str(host) for host in task_vars.get("ansible_play_hosts_all") or [] if host not in left)


def plain(value):
    """Dicts, lists and scalars in the place of what Ansible wraps them in."""
    if isinstance(value, Mapping):
        return {str(key): plain(found) for key, found in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [plain(found) for found in value]
    return value


def write(path, text):
    """Write a private file, at once or not at all, and the directories that it lacks."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".report-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
