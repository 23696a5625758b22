# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time that passes only where somebody sleeps."""
from __future__ import annotations


class FakeClock:
    """A clock for module_utils.wait; `pauses` are the sleeps so far, `at(seconds, action)` does something on the way."""

    def __init__(self):
        self.time = 0.0
        self.pauses = []
        self._actions = []

    def now(self):
        return self.time

    def sleep(self, seconds):
        assert seconds > 0
        self.pauses.append(seconds)
        self.time += seconds
        due = [entry for entry in self._actions if entry[0] <= self.time]
        self._actions = [entry for entry in self._actions if entry not in due]
        for _time, action in due:
            action()

    def at(self, seconds, action):
        self._actions.append((seconds, action))
