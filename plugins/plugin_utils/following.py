# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module that takes long and, where it runs on the controller itself, shows its progress meanwhile.

A module cannot print. Such a one writes lines to the file in its option `progress_file`, and what follows the file here
prints each line once. Over a remote connection a second command at the same time is not to be relied upon, so there the
file is left to `tail -f`.
"""
from __future__ import annotations

import contextlib
import os
import tempfile
import threading

from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

LOOK = 1  # seconds between two looks at the file


class FollowingAction(ActionBase):
    """Where `takes_long` says so, the module gets a progress file if it was given none, and its lines are printed."""

    TRANSFERS_FILES = False
    _supports_async = True
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        with contextlib.ExitStack() as stack:
            if self._can_be_shown() and self.takes_long(arguments):
                if not arguments.get("progress_file"):
                    # Ansible's own directory goes when it ends, even if this process is not asked.
                    directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="progress-", dir=C.DEFAULT_LOCAL_TMP))
                    arguments["progress_file"] = os.path.join(directory, "progress")
                host = task_vars["inventory_hostname"]
                path = os.path.expanduser(os.path.expandvars(str(arguments["progress_file"])))
                stack.enter_context(Follower(path, lambda line: Display().display("%s: %s" % (host, line))))
            return self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=self._task.async_val)

    def takes_long(self, arguments):
        """Whether what the module does with these arguments is worth following."""
        return True

    def _can_be_shown(self):
        """Whether the module's file can be read here, and may be: the module runs on this host as this user or root."""
        task = self._task
        other_user = task.become and (task.become_user or "root") != "root"
        return (self._connection.transport == "local" and not other_user
                and not (task.check_mode or task.async_val or task.no_log))


class Follower:
    """Hands each line that is added to a file to `show`, until it is left."""

    def __init__(self, path, show):
        self._path = path
        self._show = show
        self._position = os.path.getsize(path) if os.path.exists(path) else 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_failure):
        self._stop.set()
        self._thread.join()

    def _follow(self):
        stopped = False
        while not stopped:
            stopped = self._stop.wait(LOOK)
            for line in self._new_lines():
                self._show(line)

    def _new_lines(self):
        try:
            with open(self._path, "rb") as file:
                file.seek(self._position)
                added = file.read()
        except OSError:  # not there yet, or not ours to read
            return []
        whole = added[:added.rfind(b"\n") + 1]
        self._position += len(whole)
        return whole.decode("utf-8", "replace").splitlines()
