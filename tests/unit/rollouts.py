# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollouts to replay: what the machine-config operator's objects look like, second by second, after a change.

The order of the steps and the gaps between them follow recordings of the real machine-config controller. A recording is
a list of rows {t, kind, name, set}: `t` seconds after the change, the field `name` of a `kind` (MC, MCP, Node) is set. A
cluster has a pool master with one node m0 and a pool worker with the nodes w0 and w1, all at the configuration 1.
"""
from __future__ import annotations

import base64

from ansible_collections.disconnected.openshift.plugins.module_utils.machine_config import (
    PULL_SECRET,
    REGISTRIES_CONF,
    ROLE_LABEL,
)

API = "machineconfiguration.openshift.io/v1"
PREFIX = "machineconfiguration.openshift.io/"
SIZES = {"master": 1, "worker": 2}
SECRET = '{"auths":{"quay.io":{"auth":"cTpx"}}}'
SECRET_WITH_MIRROR = '{"auths":{"quay.io":{"auth":"cTpx"},"mirror:5000":{"auth":"bTpt"}}}'
TEMPLATE = "unqualified-search-registries = ['registry.access.redhat.com', 'docker.io']\n"


def mirrored(*sources, mode="digest-only"):
    """registries.conf with a mirror for each source, as 4.13 to 4.21 write it."""
    text = 'unqualified-search-registries = ["registry.access.redhat.com", "docker.io"]\nshort-name-mode = ""\n'
    for source in sources:
        text += ('\n[[registry]]\n  prefix = ""\n  location = "%s"\n\n  [[registry.mirror]]\n    location = "mirror:5000/%s"\n'
                 '    pull-from-mirror = "%s"\n' % (source, source.partition("/")[2], mode))
    return text


# --- objects -----------------------------------------------------------------------------------------------------

def config(name, registries=TEMPLATE, secret=SECRET, labels=None, **files):
    """A MachineConfig; other files as path=text with the path's last part as the name."""
    contents = {PULL_SECRET: secret, REGISTRIES_CONF: registries}
    contents.update({"/etc/" + key: text for key, text in files.items()})
    return {
        "apiVersion": API, "kind": "MachineConfig", "metadata": {"name": name, "labels": labels or {}},
        "spec": {"config": {"storage": {"files": [
            {"path": path, "contents": {"source": "data:;base64," + base64.b64encode(text.encode()).decode()}}
            for path, text in contents.items() if text is not None]}}},
    }


def pool(name, count=None, rendered=None, annotations=None, **spec):
    """A pool that is done."""
    count = SIZES.get(name, 0) if count is None else count
    rendered = rendered or "rendered-%s-1" % name
    role = "master" if name == "master" else "worker"
    return {
        "apiVersion": API, "kind": "MachineConfigPool",
        "metadata": {"name": name, "generation": 3, "annotations": dict(annotations or {})},
        "spec": dict({"configuration": {"name": rendered}, "paused": False,
                      "nodeSelector": {"matchLabels": {"node-role.kubernetes.io/" + name: ""}},
                      "machineConfigSelector": {"matchLabels": {ROLE_LABEL: role}}}, **spec),
        "status": {"observedGeneration": 3, "configuration": {"name": rendered}, "machineCount": count,
                   "updatedMachineCount": count, "readyMachineCount": count, "unavailableMachineCount": 0,
                   "degradedMachineCount": 0,
                   "conditions": [{"type": "Updated", "status": "True"}, {"type": "Updating", "status": "False"},
                                  {"type": "Degraded", "status": "False"}]},
    }


def node(name, role, rendered=None, ready=True, unschedulable=False, **annotations):
    """A node that is done."""
    rendered = rendered or "rendered-%s-1" % role
    values = dict({"currentConfig": rendered, "desiredConfig": rendered, "state": "Done", "reason": "",
                   "desiredDrain": "uncordon-" + rendered, "lastAppliedDrain": "uncordon-" + rendered}, **annotations)
    return {
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"node-role.kubernetes.io/" + role: ""},
                     "annotations": {PREFIX + key: value for key, value in values.items()}},
        "spec": {"unschedulable": True} if unschedulable else {},
        "status": {"conditions": [{"type": "Ready", "status": "True" if ready else "False", "reason": "Kubelet"}]},
    }


def objects(**worker_spec):
    """A cluster at rest."""
    sources = []
    for role in ("master", "worker"):
        sources += [config("00-" + role, registries=None, labels={ROLE_LABEL: role}),
                    config("01-%s-container-runtime" % role, secret=None, labels={ROLE_LABEL: role})]
    return [pool("master"), pool("worker", **worker_spec), node("m0", "master"), node("w0", "worker"),
            node("w1", "worker"), config("rendered-master-1"), config("rendered-worker-1"), *sources]


# --- the parts of a recording --------------------------------------------------------------------------------------

def row(t, kind, name, **fields):
    return {"t": t, "kind": kind, "name": name, "set": fields}


def rendered(t, name, number, generation, **content):
    """The controller renders a configuration and names it in the pool's spec."""
    target = "rendered-%s-%d" % (name, number)
    return [row(t, "MC", target, **content), row(t + 0.01, "MCP", name, spec=target, generation=generation)]


def noticed(t, name, generation, updated=0):
    """The pool's status catches up with its spec."""
    return [row(t, "MCP", name, observedGeneration=generation, Updated="False", Updating="True",
                counts=[SIZES[name], updated, updated, 1, 0])]


def updated(t, name, role, number, drain=False):
    """One node goes to a configuration, as long as it takes: 6 seconds, or 11 with a drain."""
    target = "rendered-%s-%d" % (role, number)
    rows = [row(t, "Node", name, desiredConfig=target), row(t + 0.01, "Node", name, state="Working")]
    if drain:
        rows += [row(t + 0.1, "Node", name, desiredDrain="drain-" + target),
                 row(t + 5.1, "Node", name, unschedulable=True),
                 row(t + 5.11, "Node", name, lastAppliedDrain="drain-" + target)]
        t += 5
    return rows + [row(t + 0.2, "Node", name, desiredDrain="uncordon-" + target),
                   row(t + 5.2, "Node", name, unschedulable=False),
                   row(t + 5.21, "Node", name, lastAppliedDrain="uncordon-" + target),
                   row(t + 6, "Node", name, currentConfig=target, state="Done")]


def finished(t, name, number):
    """The pool says that it is done."""
    size = SIZES[name]
    return [row(t, "MCP", name, Updated="True", Updating="False", status="rendered-%s-%d" % (name, number),
                counts=[size, size, size, 0, 0])]


def rollout(render, notice, number=2, generation=4, drain=False, **content):
    """A whole undisturbed rollout; returns it with the moment when the last pool is done."""
    step = 15 if drain else 10
    rows = []
    for name, first in (("master", notice), ("worker", notice + 1.5)):
        rows += rendered(render, name, number, generation, **content) + noticed(first + 0.1, name, generation)
        nodes = ["m0"] if name == "master" else ["w0", "w1"]
        for position, member in enumerate(nodes):
            rows += updated(first + position * step, member, name, number, drain)
        rows += finished(first + len(nodes) * step + 4, name, number)
    return sorted(rows, key=lambda entry: entry["t"]), notice + 1.5 + 2 * step + 4


# --- replaying -----------------------------------------------------------------------------------------------------

class Replay:
    """A clock that lets the steps of a recording happen in a FakeCluster while somebody sleeps."""

    def __init__(self, cluster, rows):
        self.cluster = cluster
        self.rows = sorted(rows, key=lambda entry: entry["t"])
        self.time = 0.0
        self.calls = []  # (t, call) of what else shall happen
        self.sleep(0)

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds
        while self.rows and self.rows[0]["t"] <= self.time:
            apply(self.cluster, self.rows.pop(0))
        for call in [call for t, call in self.calls if t <= self.time]:
            call()
        self.calls = [(t, call) for t, call in self.calls if t > self.time]


def apply(cluster, step):
    """Put one row of a recording into a FakeCluster."""
    change = {"MC": _apply_config, "MCP": _apply_pool, "Node": _apply_node}[step["kind"]]
    change(cluster, step["name"], step["set"])


def _apply_config(cluster, name, fields):
    cluster.put(config(name, **fields))


def _apply_pool(cluster, name, fields):
    obj = cluster.peek(API, "MachineConfigPool", name)
    for key, value in fields.items():
        if key == "generation":
            obj["metadata"]["generation"] = value
        elif key == "spec":
            obj["spec"]["configuration"] = {"name": value}
        elif key == "paused":
            obj["spec"]["paused"] = value
        elif key == "status":
            obj["status"]["configuration"] = {"name": value}
        elif key == "observedGeneration":
            obj["status"]["observedGeneration"] = value
        elif key == "counts":
            obj["status"].update(zip(("machineCount", "updatedMachineCount", "readyMachineCount",
                                      "unavailableMachineCount", "degradedMachineCount"), value))
        else:
            status, _colon, message = value.partition(": ")
            others = [found for found in obj["status"]["conditions"] if found["type"] != key]
            obj["status"]["conditions"] = others + [{"type": key, "status": status, "message": message}]
    cluster.put(obj)


def _apply_node(cluster, name, fields):
    obj = cluster.peek("v1", "Node", name)
    for key, value in fields.items():
        if key == "unschedulable":
            obj["spec"]["unschedulable"] = value
        elif key == "Ready":
            obj["status"]["conditions"] = [{"type": "Ready", "status": value}]
        else:
            obj["metadata"]["annotations"][PREFIX + key] = value
    cluster.put(obj)
