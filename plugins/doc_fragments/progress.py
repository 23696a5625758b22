# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """How a module that may wait long tells what it waits for."""

    DOCUMENTATION = r"""
options:
  progress_file:
    description:
      - While the module waits, file on the host where it runs to append a line to now and then, when something has moved.
      - Where that host is the controller itself, these lines are shown while the task runs, with or without a file.
    type: path
  progress_interval:
    description: Seconds between two such lines at least, and before the first one; V(0) for none.
    type: float
    default: 15
"""
