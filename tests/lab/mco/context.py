# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the controllers and daemons of one cluster share: the API, the clock, the faults asked for, the counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..api.store import Store
from ..clock import Scale
from ..nodefs import NodeFiles
from .machinery import Jitter
from .releases import Release

NAMESPACE = "openshift-machine-config-operator"
CONTROLLER_CONFIG = "machine-config-controller"

NODES = "nodes"
POOLS = "machineconfigpools.machineconfiguration.openshift.io"
MACHINE_CONFIGS = "machineconfigs.machineconfiguration.openshift.io"
CONTROLLER_CONFIGS = "controllerconfigs.machineconfiguration.openshift.io"
CLUSTER_OPERATORS = "clusteroperators.config.openshift.io"
CLUSTER_VERSIONS = "clusterversions.config.openshift.io"
IMAGES = "images.config.openshift.io"
PROXIES = "proxies.config.openshift.io"
ICSP = "imagecontentsourcepolicies.operator.openshift.io"
IDMS = "imagedigestmirrorsets.config.openshift.io"
ITMS = "imagetagmirrorsets.config.openshift.io"
CLUSTER_IMAGE_POLICIES = "clusterimagepolicies.config.openshift.io"
MACHINE_CONFIGURATIONS = "machineconfigurations.operator.openshift.io"

ANNOTATION = "machineconfiguration.openshift.io/"
CURRENT_CONFIG = ANNOTATION + "currentConfig"
DESIRED_CONFIG = ANNOTATION + "desiredConfig"
STATE = ANNOTATION + "state"
REASON = ANNOTATION + "reason"
DESIRED_DRAIN = ANNOTATION + "desiredDrain"
LAST_APPLIED_DRAIN = ANNOTATION + "lastAppliedDrain"
SYNCED_CONTROLLER_CONFIG = ANNOTATION + "lastSyncedControllerConfigResourceVersion"
POST_CONFIG_ACTION = ANNOTATION + "post-config-action"
TOPOLOGY = ANNOTATION + "controlPlaneTopology"

DONE, WORKING, DEGRADED = "Done", "Working", "Degraded"


@dataclass
class Faults:
    """What is made to go wrong."""

    degraded: dict[str, str] = field(default_factory=dict)  # node: the reason it reports
    failing_reloads: set[str] = field(default_factory=set)  # nodes on which CRI-O does not reload
    unrenderable: dict[str, str] = field(default_factory=dict)  # pool: why it cannot be rendered
    informer_lag: float = 0.0  # seconds by which the controller's caches are late


@dataclass
class NodeCounts:
    """What one node has been through since the lab started."""

    updates: int = 0
    drains: int = 0
    reboots: int = 0
    crio_reloads: int = 0
    crio_restarts: int = 0


@dataclass(frozen=True)
class Pace:
    """How long the parts of a real cluster take where the waiting is not the operator's own. Seconds."""

    daemon_poll: float = 10.0  # a daemon looks so often whether its drain or uncordon was done
    daemon_reaction: float = 1.0  # from a node's change until its daemon acts
    work: float = 0.05  # writing files, reloading CRI-O
    reboot: float = 120.0
    apiserver_rollout: float = 80.0  # for each pod of openshift-apiserver
    node_ca: float = 60.0


@dataclass
class Context:
    store: Store
    scale: Scale
    release: Release
    pace: Pace
    jitter: Jitter
    nodes_directory: Callable[[str], Path]
    faults: Faults = field(default_factory=Faults)
    counts: dict[str, NodeCounts] = field(default_factory=dict)

    def files(self, node: str) -> NodeFiles:
        return NodeFiles(self.nodes_directory(node))

    def count(self, node: str) -> NodeCounts:
        return self.counts.setdefault(node, NodeCounts())

    def informer_lag(self) -> float:
        """How late a controller's cache hears of one change, in seconds here."""
        return self.scale.seconds(self.jitter.between(0.001, 0.012) + self.faults.informer_lag)


def annotation(node: dict, key: str) -> str:
    return (node["metadata"].get("annotations") or {}).get(key, "")


def node_is_ready(node: dict) -> bool:
    """Ready, with room on its disk, on the network, and open for pods: what the operator calls ready."""
    return not why_not_ready(node)


def why_not_ready(node: dict) -> str:
    name = node["metadata"]["name"]
    for condition in (node.get("status") or {}).get("conditions") or ():
        kind, status = condition["type"], condition["status"]
        if kind == "Ready" and status != "True":
            return f"node {name} is reporting NotReady={status}"
        if kind == "DiskPressure" and status != "False":
            return f"node {name} is reporting OutOfDisk={status}"
        if kind == "NetworkUnavailable" and status != "False":
            return f"node {name} is reporting NetworkUnavailable={status}"
    return f"node {name} is reporting Unschedulable" if node["spec"].get("unschedulable") else ""


def node_is_done(node: dict) -> bool:
    current = annotation(node, CURRENT_CONFIG)
    return bool(current) and current == annotation(node, DESIRED_CONFIG) and annotation(node, STATE) == DONE


def node_is_failing(node: dict) -> bool:
    """Whether the daemon gave up on going to another configuration."""
    moving = annotation(node, CURRENT_CONFIG) != annotation(node, DESIRED_CONFIG)
    return moving and annotation(node, STATE) in (DEGRADED, "Unreconcilable")


def node_is_unavailable(node: dict) -> bool:
    """Whether a node uses up some of its pool's maxUnavailable."""
    return not node_is_ready(node) or not (node_is_done(node) or node_is_failing(node))
