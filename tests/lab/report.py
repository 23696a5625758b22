# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the command line prints: text made from what the lab answers."""

from __future__ import annotations

import json
import os
from pathlib import Path

from .process import Process
from .settings import Settings


def addresses(settings: Settings) -> str:
    """Where everything is, and how to point kubectl at it."""
    lab = json.loads(settings.description.read_text(encoding="utf-8"))
    rows = [
        ("OpenShift", f"{lab['release_version']}, {_count(len(lab['nodes']), 'node')}, {lab['speed']:g} times as fast as real"),
        ("API", lab["api"]["url"]),
        ("upstream", f"{lab['upstream']['registry']} (everything that the cluster runs, catalogs, applications)"),
        ("mirror", f"{lab['mirror']['registry']} (empty; a CA of its own)"),
        ("nodes' files", f"{_short(settings.directory / 'nodes')}/NODE/rootfs"),
        ("variables", f"{_short(settings.variables)} (for ansible-playbook -e @...)"),
    ]
    hints = ["", f"export KUBECONFIG={settings.kubeconfig}", "kubectl get nodes,machineconfigpools"]
    return "\n".join(_columns(rows) + hints)


def status(settings: Settings, answer: dict, processes: list[Process]) -> str:
    rows = [(name, "on" if on else "off") for name, on in answer["registries"].items()]
    rows += [(process.name, f"process {process.pid}") for process in processes if process.name == "lab"]
    return "\n".join([addresses(settings), "", *_columns(rows)])


def pulls(results: list[dict]) -> str:
    """A line for each pull, with every endpoint that failed below."""
    lines = []
    for each in results:
        lines.append(f"{each['node']}  {each['image']}")
        for attempt in each["attempts"]:
            kind = "mirror" if attempt["mirror"] else "source"
            lines.append(f"    {kind}  {attempt['source']}  {attempt['error'] or 'pulled'}")
        if not each["attempts"]:
            lines.append(f"    {each['error']}")
    return "\n".join(lines)


def stats(counts: dict) -> str:
    lines = [f"API: {counts['total']} requests, {counts['writes']} of them writes"]
    lines += _columns([(str(r["count"]), f"{r['verb']} {r['resource']}", r["agent"]) for r in counts["requests"][:20]])
    for name, registry in counts["registries"].items():
        lines += ["", f"{name}: {registry['requests']} requests"]
        lines += _columns([(str(count), request) for request, count in registry["by"].items()])
    lines += ["", "nodes:"]
    for name, node in counts["nodes"].items():
        lines.append(f"  {name}  " + ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in node.items()))
    return "\n".join(lines)


def faults(answer: dict) -> str:
    """What is in force, or the list of what can be said."""
    if answer["known"]:
        return "\n".join(["Say one of these, as in `lab faults degraded node=worker-0`:", *_columns(answer["known"])])
    return "\n".join(answer["active"]) or "Nothing misbehaves."


def ways(lost: dict) -> str:
    """Which nodes reach what."""
    rows = [(place, ", ".join(nodes) or "none") for place, nodes in lost.items()]
    return "\n".join(["Nodes without a way to", *_columns(rows)])


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows with their columns aligned, indented by two."""
    if not rows:
        return []
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def _short(path: Path) -> str:
    """A path as one would type it here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
