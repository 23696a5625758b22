# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module machine_config_rollout and shows how far the nodes are while it waits for them."""
from __future__ import annotations

from ..plugin_utils.following import FollowingAction


class ActionModule(FollowingAction):
    """Where the pools stand, as they move."""

    def takes_long(self, arguments):
        return arguments.get("state") == "waited"
