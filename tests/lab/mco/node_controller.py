# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pools are rolled out node by node, and their status says how far that is; up to five seconds after each change."""

from __future__ import annotations

from ..api.store import clone
from . import context
from .context import annotation
from .machinery import SyncError, has_condition, selects, set_condition
from .syncing import Controller

_DELAY = 5.0
_ZONE = "topology.kubernetes.io/zone"
_MASTER, _WORKER = "node-role.kubernetes.io/master", "node-role.kubernetes.io/worker"
_TAINT = {"effect": "PreferNoSchedule", "key": "UpdateInProgress"}
_REPORTED = (context.CURRENT_CONFIG, context.DESIRED_CONFIG, context.STATE, context.REASON)


class NodeController(Controller):
    noun = "machineconfigpool"
    where = "node_controller.go:902"

    def start(self) -> None:
        # Nodes, taints and events all go through one client, which is allowed five requests a second.
        self.throttle = self.process.throttle()
        self.recorder = self.process.recorder("nodecontroller", self.throttle)
        self.pools = self.process.informer(context.POOLS)
        self.nodes = self.process.informer(context.NODES)
        self.pools.subscribe(self._pool)
        self.nodes.subscribe(self._node)

    def _pool(self, old: dict | None, new: dict | None) -> None:
        if new:
            self.queue.add_after(new["metadata"]["name"], _DELAY)

    def _node(self, old: dict | None, new: dict | None) -> None:
        pools = self._pools_of(new or old)
        if old and new and pools and not self._note_changes(pools[0], old, new):
            return
        for pool in pools:
            self.queue.add_after(pool["metadata"]["name"], _DELAY)

    def _pools_of(self, node: dict) -> list[dict]:
        try:
            return pools_of(node, self.pools.items)
        except SyncError as error:
            self.log.error("node_controller.go:622", f"error finding pool for node: {error}")
            return []

    def _note_changes(self, pool: dict, old: dict, new: dict) -> bool:
        """Whether a node changed in what a rollout goes by; the log tells, and for masters an event."""
        name, changed = new["metadata"]["name"], False
        before, after = context.why_not_ready(old), context.why_not_ready(new)
        if before != after:
            self._log_node(pool, name, f"Reporting unready: {after}" if after else "Reporting ready")
            changed = True
        if annotation(old, context.CURRENT_CONFIG) != annotation(
            old, context.DESIRED_CONFIG
        ) and context.node_is_done(new):
            self._log_node(pool, name, f"Completed update to {annotation(new, context.DESIRED_CONFIG)}")
            return True
        for key in _REPORTED:
            value = annotation(new, key)
            if annotation(old, key) == value:
                continue
            self._log_node(pool, name, f"changed annotation {key} = {value}")
            if pool["metadata"]["name"] == "master":
                self.recorder.event(pool, "AnnotationChange", f"Node {name} now has {key}={value}")
            changed = True
        if old["metadata"].get("labels") != new["metadata"].get("labels"):
            self._log_node(pool, name, "changed labels")
            changed = True
        if old["spec"].get("taints") != new["spec"].get("taints"):
            self._log_node(pool, name, "changed taints")
            changed = True
        return changed

    def _log_node(self, pool: dict, node: str, message: str) -> None:
        self.log.info("node_controller.go:584", f"Pool {pool['metadata']['name']}: node {node}: {message}")

    def _log_pool(self, pool: dict, message: str) -> None:
        self.log.info("node_controller.go:584", f"Pool {pool['metadata']['name']}: {message}")

    async def sync(self, key: str) -> None:
        pool = self.pools.get(key)
        if not pool or not (pool["spec"].get("configuration") or {}).get("name"):
            return
        if not pool["spec"].get("paused"):
            nodes = self._members(pool)
            if self.release.taints_pending_nodes:
                await self._taint(pool, nodes)
            await self._target(pool, nodes)
        # The cache may or may not have heard of the new target by now: counts can be one sync late.
        await self.context.scale.sleep(self.context.jitter.between(0.0, 0.015))
        self._report(pool)

    def _members(self, pool: dict) -> list[dict]:
        name = pool["metadata"]["name"]
        primary = ((node, self._pools_of(node)) for node in self.nodes.items.values())
        return [node for node, pools in primary if pools and pools[0]["metadata"]["name"] == name]

    async def _taint(self, pool: dict, nodes: list[dict]) -> None:
        """Pods had better not be placed on nodes that have their update still before them."""
        target = pool["spec"]["configuration"]["name"]
        for node in nodes:
            taints = node["spec"].get("taints") or []
            pending = annotation(node, context.DESIRED_CONFIG) != target
            if pending is (_TAINT in taints):
                continue
            await self.throttle.requests(2)
            name = node["metadata"]["name"]
            current = self.store.item(context.NODES, name)
            if current:
                others = [taint for taint in current.object["spec"].get("taints") or () if taint != _TAINT]
                self.store.patch(
                    context.NODES, name, {"spec": {"taints": others + [_TAINT] * pending or None}}
                )

    async def _target(self, pool: dict, nodes: list[dict]) -> None:
        """Point as many nodes at the pool's configuration as may be unavailable at once."""
        target, name = pool["spec"]["configuration"]["name"], pool["metadata"]["name"]
        candidates, capacity = candidates_of(pool, nodes)
        if not candidates:
            return
        self._log_pool(
            pool,
            f"{len(candidates)} candidate nodes in {_zones(candidates)} zones for update, capacity: {capacity}",
        )
        if name == "master":
            candidates = self._without_the_operators(pool, candidates)
            self._log_pool(
                pool, f"filtered to {len(candidates)} candidate nodes for update, capacity: {capacity}"
            )
        if capacity < len(candidates):
            ordered = self.context.jitter.shuffled(candidates)
            if self.release.sorts_by_zone:
                ordered = sorted(ordered, key=_zone_and_age)
            candidates = ordered[:capacity]
        for node in candidates:
            await self.throttle.requests(2)
            annotations = {context.DESIRED_CONFIG: target}
            self.store.patch(
                context.NODES, node["metadata"]["name"], {"metadata": {"annotations": annotations}}
            )
        if not candidates:
            return
        kind = "MachineConfig:" if self.release.names_the_kind else "config"
        if len(candidates) == 1:
            said = f"Targeted node {candidates[0]['metadata']['name']} to {kind} {target}"
        else:
            said = f"Set target for {len(candidates)} nodes to {kind} {target}"
        self.recorder.event(pool, "SetDesiredConfig", said)

    def _without_the_operators(self, pool: dict, candidates: list[dict]) -> list[dict]:
        """The node that runs the operator is updated last."""
        if len(candidates) <= 1:
            return candidates
        operators = self.store.list("pods", context.NAMESPACE, {"k8s-app": "machine-config-operator"})
        host = operators[0]["spec"].get("nodeName") if len(operators) == 1 else None
        kept = [node for node in candidates if node["metadata"]["name"] != host]
        if len(kept) < len(candidates):
            said = f"Deferring update of machine config operator node {host}"
            self.recorder.event(pool, "DeferringOperatorNodeUpdate", said)
            self.log.info(
                "node_controller.go:1350", f"Deferring update of machine config operator node: {host}"
            )
        return kept

    def _report(self, pool: dict) -> None:
        changed = clone(pool)
        changed["status"] = status_of(
            pool, self._members(pool), "MachineConfig " if self.release.names_the_kind else ""
        )
        if changed["status"] != pool.get("status"):
            self.store.update_status(context.POOLS, changed)


def pools_of(node: dict, pools: dict[str, dict]) -> list[dict]:
    """The pools of a node, first the one that it follows: master before a custom pool, a custom pool before worker.

    Raises SyncError for a node that two custom pools claim.
    """
    matching = {name: pool for name, pool in pools.items() if selects(pool["spec"].get("nodeSelector"), node)}
    master, worker = matching.pop("master", None), matching.pop("worker", None)
    custom = [matching[name] for name in sorted(matching)]
    if len(custom) > 1:
        names = [pool["metadata"]["name"] for pool in custom]
        raise SyncError(
            f"node {node['metadata']['name']} belongs to {len(custom)} custom roles, cannot proceed: {names}"
        )
    if master:
        return [master]
    return custom + ([worker] if worker else [])


def candidates_of(pool: dict, nodes: list[dict]) -> tuple[list[dict], int]:
    """The nodes that could be updated now, and how many of them may be."""
    target = pool["spec"]["configuration"]["name"]
    capacity = max_unavailable(pool, len(nodes)) - sum(context.node_is_unavailable(node) for node in nodes)
    targeted = [node for node in nodes if annotation(node, context.DESIRED_CONFIG) == target]
    capacity -= sum(context.node_is_failing(node) for node in targeted)
    if capacity <= 0:
        return [], 0
    pending = [node for node in nodes if annotation(node, context.DESIRED_CONFIG) != target]
    return [node for node in pending if context.node_is_ready(node)], capacity


def max_unavailable(pool: dict, count: int) -> int:
    """spec.maxUnavailable, a number or a share of the pool, rounded down but at least one."""
    given = pool["spec"].get("maxUnavailable", 1)
    if isinstance(given, str):
        given = count * int(given.removesuffix("%")) // 100
    return max(int(given), 1)


def _zones(nodes: list[dict]) -> int:
    return len(
        {node["metadata"]["labels"][_ZONE] for node in nodes if _ZONE in node["metadata"].get("labels", {})}
    )


def _zone_and_age(node: dict) -> tuple:
    zone = node["metadata"].get("labels", {}).get(_ZONE)
    return zone is None, zone or "", node["metadata"]["creationTimestamp"]


def status_of(pool: dict, nodes: list[dict], kind: str) -> dict:
    """What a pool's status says of its nodes. `kind` stands before the names of configurations in messages."""
    old, configuration = pool.get("status") or {}, pool["spec"]["configuration"]
    target = configuration["name"]
    updated = [
        n for n in nodes if context.node_is_done(n) and annotation(n, context.CURRENT_CONFIG) == target
    ]
    ready = [node for node in updated if context.node_is_ready(node)]
    unavailable = [node for node in nodes if context.node_is_unavailable(node)]
    degraded = [
        node for node in nodes if annotation(node, context.STATE) in (context.DEGRADED, "Unreconcilable")
    ]
    conditions, current = old.get("conditions") or [], old.get("configuration") or {}

    if len(updated) == len(ready) == len(nodes) and not unavailable:
        conditions = set_condition(
            conditions, "Updated", "True", message=f"All nodes are updated with {kind}{target}"
        )
        conditions = set_condition(conditions, "Updating", "False")
        current = configuration
    else:
        conditions = set_condition(conditions, "Updated", "False")
        if pool["spec"].get("paused"):
            message = f"Pool is paused; will not update to {kind}{target}"
            conditions = set_condition(conditions, "Updating", "False", message=message)
        else:
            message = f"All nodes are updating to {kind}{target}"
            conditions = set_condition(conditions, "Updating", "True", message=message)

    reported = [(node["metadata"]["name"], annotation(node, context.REASON)) for node in degraded]
    message = ", ".join(
        f'Node {name} is reporting: "{_escaped(reason)}"' for name, reason in reported if reason
    )
    if degraded:
        reason = f"{len(degraded)} nodes are reporting degraded status on sync"
        conditions = set_condition(conditions, "NodeDegraded", "True", reason=reason, message=message)
    else:
        conditions = set_condition(conditions, "NodeDegraded", "False")
    if degraded or has_condition(pool, "RenderDegraded", "True"):
        conditions = set_condition(conditions, "Degraded", "True", message=message)
    else:
        conditions = set_condition(conditions, "Degraded", "False")
    return {
        **old,
        "conditions": conditions,
        "configuration": current,
        "degradedMachineCount": len(degraded),
        "machineCount": len(nodes),
        "observedGeneration": pool["metadata"]["generation"],
        "readyMachineCount": len(ready),
        "unavailableMachineCount": len(unavailable),
        "updatedMachineCount": len(updated),
    }


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
