# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools of nodes and the rollout of a configuration over them: what will happen, what stands in the way, is it done.

Everything is read from three things of one moment: the pools, the nodes and the content of the rendered configurations
that they name. Conditions alone do not tell: a pool says Updated=True for up to twelve seconds after a change that it
has not noticed yet, a paused one may say so for good, Updating=True appears without any change when a node is cordoned,
and a change that renders to the same content, or an object that the operator refuses, never shows at all.
"""
from __future__ import annotations

from dataclasses import dataclass

from . import machine_config
from .predicates import annotation, condition, holds, paused_by_us, pod_disruption_budget

FAILED_STATES = ("Degraded", "Unreconcilable")


# --- pools and their nodes -----------------------------------------------------------------------------------------

def members(pools, nodes):
    """{pool name: [nodes]}: each node belongs to the pool whose configuration it gets.

    As the operator decides: master before a pool of one's own before worker; nodes of no pool (Windows) are left out.
    """
    belonging = {pool["metadata"]["name"]: [] for pool in pools}
    for node in nodes:
        labels = node["metadata"].get("labels") or {}
        names = [pool["metadata"]["name"] for pool in pools
                 if machine_config.selects(pool["spec"].get("nodeSelector"), labels)]
        if names and labels.get("kubernetes.io/os") != "windows":
            belonging[min(names, key=lambda name: ({"master": 0, "worker": 2}.get(name, 1), name))].append(node)
    return belonging


def rendered_name(pool):
    """The configuration that the pool wants on its nodes."""
    return (pool["spec"].get("configuration") or {}).get("name", "")


def max_unavailable(pool, count):
    """How many of `count` nodes the operator lets be away at a time: at least one; percentages are rounded down."""
    value = pool["spec"].get("maxUnavailable")
    if isinstance(value, str) and value.endswith("%"):
        value = count * int(value[:-1]) // 100
    return max(int(value or 1), 1)


def is_updated(node, rendered):
    """Does the node run this configuration, with nothing left to do?"""
    return (annotation(node, "currentConfig") == annotation(node, "desiredConfig") == rendered
            and annotation(node, "state") == "Done" and _drain_answered(node))


def _drain_answered(node):
    """Has the controller done the last drain or uncordon it was asked for? (No annotations up to 4.10.)"""
    return annotation(node, "desiredDrain") == annotation(node, "lastAppliedDrain")


def is_draining(node):
    """Is the node being drained for its update? Up to 4.10 only the cordon of a working node tells."""
    if annotation(node, "desiredDrain"):
        return annotation(node, "desiredDrain").startswith("drain-") and not is_idle(node)
    return is_unschedulable(node) and not is_idle(node)


def is_idle(node):
    """Is the machine-config daemon done with the node, or given up on it?"""
    return annotation(node, "state") in ("Done", "") + FAILED_STATES and _drain_answered(node)


def is_unschedulable(node):
    return bool(node.get("spec", {}).get("unschedulable"))


def is_cordoned_by_others(node):
    """Cordoned, and not by the operator in the course of an update."""
    return is_unschedulable(node) and is_idle(node)


# --- what stands in the way ------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Blocker:
    """Something that would stop a rollout: for good until somebody mends it (`refuses`), or perhaps."""

    kind: str
    name: str
    reason: str
    remedy: str
    refuses: bool = True
    namespace: str = ""

    def __str__(self):
        place = " in " + self.namespace if self.namespace else ""
        return "%s %s%s %s. %s" % (self.kind, self.name, place, self.reason, self.remedy)

    def result(self):
        return {"kind": self.kind, "namespace": self.namespace, "name": self.name, "reason": self.reason,
                "remedy": self.remedy, "refuses": self.refuses}


def blockers(pool, nodes):
    """The Blockers of one pool and its nodes."""
    name = pool["metadata"]["name"]
    found = []
    if pool["spec"].get("paused") and not paused_by_us(pool):
        found.append(Blocker("MachineConfigPool", name, "is paused: its nodes get no configuration",
                             "Resume it: oc patch machineconfigpool/%s --type merge -p '{\"spec\":{\"paused\":false}}'"
                             % name))
    failure = pool_failure(pool)
    if failure:
        found.append(Blocker("MachineConfigPool", name, failure, "See oc describe machineconfigpool/%s" % name))
    return found + [blocker for node in nodes for blocker in _node_blockers(node)]


def _node_blockers(node):
    name = node["metadata"]["name"]
    failure = node_failure(node)
    if failure:
        yield Blocker("Node", name, failure, "Mend the node; its machine-config-daemon pod's log tells more")
    if is_cordoned_by_others(node):
        yield Blocker("Node", name, "is cordoned: it counts as unavailable and holds the others back",
                      "When its maintenance is over: oc adm uncordon %s" % name)
    if not holds(node, "Ready") and is_idle(node):
        yield Blocker("Node", name, "is not ready: it counts as unavailable and holds the others back",
                      "Bring it back, or delete the node if it is gone: see oc describe node/%s" % name)


def node_failure(node):
    """What the machine-config daemon of a node has given up on, with its reason; None when it has not."""
    state = annotation(node, "state")
    if state not in FAILED_STATES:
        return None
    return "is %s: %s" % (state, " ".join(annotation(node, "reason").split()) or "no reason is given")


def pool_failure(pool):
    """What is wrong with the pool itself; that of a node is on the node, where it is a few seconds fresher."""
    for kind in ("RenderDegraded", "Degraded"):
        if holds(pool, kind) and (kind == "RenderDegraded" or not holds(pool, "NodeDegraded")):
            found = condition(pool, kind)
            return "is %s: %s" % (kind, found.get("message") or found.get("reason") or "no reason is given")
    return None


# --- what will happen ------------------------------------------------------------------------------------------------

def forecast(pool, nodes, effects):
    """What one pool will do, as a dict of the module's result.

    `effects`: one (paths, Effects) for each configuration that the nodes run now; the worst of them counts.
    """
    changing = [(paths, effect) for paths, effect in effects if paths]
    rollouts = 1 if changing and nodes else 0
    paths, effect = max(changing, key=lambda pair: (machine_config.ACTIONS.index(pair[1].action), pair[1].drain),
                        default=((), machine_config.Effects("none", False, ())))
    return {
        "name": pool["metadata"]["name"],
        "nodes": len(nodes),
        "rendered": rendered_name(pool),
        "files": list(paths),
        "action": effect.action,
        "drain": effect.drain,
        "reboot": effect.action == "reboot",
        "reasons": list(effect.reasons),
        "rollouts": rollouts,
        "at_a_time": max_unavailable(pool, len(nodes)),
        "blockers": [blocker.result() for blocker in blockers(pool, nodes)] if rollouts else [],
    }


def summary(pools):
    """A forecast in sentences, one for each pool."""
    return [_sentence(pool) for pool in pools]


def _sentence(pool):
    if not pool["files"]:
        return "Pool %s (%s): nothing changes." % (pool["name"], _count(pool["nodes"]))
    if not pool["nodes"]:
        return "Pool %s (no nodes): its configuration changes." % pool["name"]
    if pool["reboot"]:
        deed = "each is drained and rebooted" if pool["drain"] else "each is rebooted"
    else:
        deed = {"none": "files are replaced", "reload": "CRI-O is reloaded", "restart": "a service is restarted"}[pool["action"]]
        deed = "each is drained, %s; no reboot" % deed if pool["drain"] else deed + "; no drain, no reboot"
    return "Pool %s (%s, %d at a time): %s." % (pool["name"], _count(pool["nodes"]), pool["at_a_time"], deed)


def _count(number):
    return "1 node" if number == 1 else "%d nodes" % number


# --- is it done? -----------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Standing:
    """Where one pool stands.

    `text` says so in a sentence; `done`: every node runs the wanted content; `late`: the wanted content is not even
    rendered yet; `failure`: a sentence with the remedy when waiting will not help; `warnings`: what did not hinder.
    """

    name: str
    rendered: str
    nodes: int
    updated: int
    text: str
    done: bool = False
    late: bool = False
    failure: str = ""
    warnings: tuple = ()

    def result(self):
        return {"name": self.name, "rendered": self.rendered, "nodes": self.nodes, "updated": self.updated,
                "done": self.done, "text": self.text}


def standing(pool, nodes, lacks):
    """The Standing of a pool with its nodes; `lacks` are the sentences of machine_config.lacking for the configuration
    that the pool names."""
    name, rendered = pool["metadata"]["name"], rendered_name(pool)
    updated = [node for node in nodes if is_updated(node, rendered)]

    def state(text, **more):
        return Standing(name, rendered, len(nodes), len(updated), text, **more)

    failure = _failure(pool, nodes)
    if failure:
        return state(failure, failure=failure)
    if lacks:
        return state("pool %s is at %s, which is not it yet: %s" % (
            name, rendered or "no configuration", _few(lacks)), late=True)
    if len(updated) < len(nodes):
        return _unfinished(pool, nodes, updated, state)
    return _finished(pool, nodes, state)


def _failure(pool, nodes):
    for node in nodes:
        if node_failure(node):
            return "Node %s %s. Mend the node; the rollout goes on by itself then." % (
                node["metadata"]["name"], node_failure(node).rstrip("."))
    found = pool_failure(pool)
    return "MachineConfigPool %s %s." % (pool["metadata"]["name"], found.rstrip(".")) if found else ""


def _unfinished(pool, nodes, updated, state):
    """The content is rendered, some nodes do not run it yet."""
    name = pool["metadata"]["name"]
    if pool["spec"].get("paused"):
        remedy = ("state=resumed of this module resumes it" if paused_by_us(pool) else
                  "resume it with oc patch machineconfigpool/%s --type merge -p '{\"spec\":{\"paused\":false}}'" % name)
        text = "pool %s is paused with %d of %d nodes updated" % (name, len(updated), len(nodes))
        return state(text, failure="MachineConfigPool %s is paused: %d of its %d nodes do not get %s; %s." % (
            name, len(nodes) - len(updated), len(nodes), rendered_name(pool), remedy))
    cordoned = [node["metadata"]["name"] for node in nodes if is_cordoned_by_others(node)]
    text = "%d of %d nodes of pool %s are updated" % (len(updated), len(nodes), name)
    if len(cordoned) >= max_unavailable(pool, len(nodes)):
        return state(text, failure="Node %s is cordoned and holds the rollout of pool %s back (%s): "
                                   "oc adm uncordon %s when its maintenance is over." % (
                                       ", ".join(cordoned), name, text, " ".join(cordoned)))
    busy = [_activity(node) for node in nodes if not is_idle(node) or not holds(node, "Ready")]
    return state(text + ("; " + _few(busy) if busy else ""))


def _finished(pool, nodes, state):
    """Every node runs the content: what the pool and the nodes themselves still have to say."""
    name = pool["metadata"]["name"]
    cordoned = ["Node %s is cordoned; it runs the wanted configuration." % node["metadata"]["name"]
                for node in nodes if is_cordoned_by_others(node)]
    away = [node["metadata"]["name"] for node in nodes if not holds(node, "Ready")]
    if away:
        return state("all nodes of pool %s are updated; %s not ready" % (
            name, ("%s is" if len(away) == 1 else "%s are") % _few(away)))
    if cordoned:
        # The pool calls itself Updating for as long as one of its nodes is cordoned, with nothing to update.
        return state("all nodes of pool %s are updated" % name, done=True, warnings=tuple(cordoned))
    if not _reported(pool, len(nodes)):
        return state("all nodes of pool %s are updated; the pool has not said so yet" % name)
    warnings = ()
    if pool["spec"].get("paused"):
        warnings = ("MachineConfigPool %s is paused; its nodes run the wanted configuration." % name,)
    return state("pool %s is updated" % name, done=True, warnings=warnings)


def _reported(pool, count):
    """Has the pool's status caught up with its spec and its nodes?"""
    status = pool.get("status", {})
    counts = [status.get(field, 0) for field in ("machineCount", "updatedMachineCount", "readyMachineCount")]
    return (status.get("observedGeneration") == pool["metadata"].get("generation")
            and (status.get("configuration") or {}).get("name", "") == rendered_name(pool)
            and holds(pool, "Updated") and not holds(pool, "Updating") and not holds(pool, "Degraded")
            and counts == [count] * 3
            and not status.get("unavailableMachineCount") and not status.get("degradedMachineCount"))


def drain_holders(node_name, pods, budgets):
    """What a drain of the node waits for, one sentence for each pod: a PodDisruptionBudget, or the pod's own end.

    `pods` are those of the node. What a drain passes over is left out: pods of DaemonSets, static ones, ended ones.
    """
    sentences = []
    for pod in pods:
        metadata = pod["metadata"]
        owners = {owner["kind"] for owner in metadata.get("ownerReferences") or ()}
        ended = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
        if ended or owners & {"DaemonSet", "Node"} or pod.get("spec", {}).get("nodeName") != node_name:
            continue
        holders = [budget["metadata"]["name"] for budget in budgets
                   if budget["metadata"]["namespace"] == metadata["namespace"] and pod_disruption_budget(budget)
                   and machine_config.selects(budget["spec"].get("selector"), metadata.get("labels") or {})]
        title = "the drain of %s waits for pod %s/%s" % (node_name, metadata["namespace"], metadata["name"])
        if metadata.get("deletionTimestamp"):
            sentences.append(title + ", which does not end")
        elif holders:
            sentences.append("%s, of which PodDisruptionBudget %s allows no disruption: scale the application up, or relax "
                             "the budget" % (title, ", ".join(holders)))
    return sentences


def _activity(node):
    name = node["metadata"]["name"]
    if is_draining(node):
        return name + " is being drained"
    if not is_idle(node):
        return "%s is %s" % (name, annotation(node, "state"))
    return name + " is not ready"


def _few(texts, limit=3):
    """The first few of many, and how many more there are."""
    texts = list(texts)
    return ", ".join(texts[:limit]) + (" and %d more" % (len(texts) - limit) if len(texts) > limit else "")
