# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cordoning and draining a node: every pod that could run elsewhere goes, unless its disruption budget is spent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..api import housekeeping
from ..api.errors import Refusal
from ..api.store import Store
from . import context
from .context import Context

_TIMEOUT = 90.0
_RETRY = 5.0


class DrainFailed(Exception):
    """Pods were left when the time was over; the message is kubectl's."""


def cordon(store: Store, node: str, unschedulable: bool) -> None:
    """Close a node for new pods, or open it again, with the taint that says so."""
    taint = {"effect": "NoSchedule", "key": "node.kubernetes.io/unschedulable"}
    item = store.item(context.NODES, node)
    present = item.object["spec"].get("taints") or [] if item else []
    taints = [given for given in present if given["key"] != taint["key"]]
    if unschedulable:
        taints.append(taint)
    change = {"unschedulable": True if unschedulable else None, "taints": taints or None}
    store.patch(context.NODES, node, {"spec": change})


async def drain(ctx: Context, node: str, log: Callable[[str], None]) -> None:
    """Evict the node's pods, those of DaemonSets and static ones apart. Raises DrainFailed after 90 seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + ctx.scale.seconds(_TIMEOUT)
    while pods := _evictable(ctx.store, node):
        left = [failure for failure in (_evict(ctx.store, pod, log) for pod in pods) if failure]
        if not left:
            continue
        if loop.time() + ctx.scale.seconds(_RETRY) > deadline:
            raise DrainFailed(f"[{', '.join(left)}]")
        await ctx.scale.sleep(_RETRY)


def _evict(store: Store, pod: dict, log: Callable[[str], None]) -> str:
    """Try to evict a pod; returns what to say if it is still there in the end."""
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    failure = f'error when evicting pods/"{name}" -n "{namespace}"'
    try:
        housekeeping.evict(store, namespace, name)
    except Refusal as refusal:
        log(f"{failure} (will retry after 5s): {refusal}")
        return f"{failure}: global timeout reached: 1m30s"
    log(f"Evicted pod {namespace}/{name}")
    return ""


def _evictable(store: Store, node: str) -> list[dict]:
    found = (item.object for item in store.items("pods"))
    return [pod for pod in found if pod["spec"].get("nodeName") == node and not _stays(pod)]


def _stays(pod: dict) -> bool:
    metadata = pod["metadata"]
    owned_by_daemon_set = any(owner["kind"] == "DaemonSet" for owner in metadata.get("ownerReferences") or ())
    static = "kubernetes.io/config.mirror" in (metadata.get("annotations") or {})
    return owned_by_daemon_set or static or "deletionTimestamp" in metadata
