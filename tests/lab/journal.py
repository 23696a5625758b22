# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node's journal: lines as `journalctl --output=short-iso-precise --utc` prints them, the oldest first."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

FILE = "journal"


def write(node: Path, program: str, message: str, pid: int = 1) -> None:
    """Append one message to the journal of the node whose container root is `node`."""
    moment = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f+0000")
    with (node / FILE).open("a", encoding="utf-8") as journal:
        journal.write(f"{moment} {node.name} {program}[{pid}]: {message}\n")


def crio(node: Path, message: str, level: str = "info") -> None:
    """A message of CRI-O, in the form of its logger."""
    moment = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f000Z")
    write(node, "crio", f'time="{moment}" level={level} msg={json.dumps(message)}', pid=1947)
