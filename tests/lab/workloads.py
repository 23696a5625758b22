# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deployments, ReplicaSets and DaemonSets: as a cluster has them when it is healthy, and kept so while it runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .api import selectors
from .api.housekeeping import ready
from .api.store import Event, Store, clone, now
from .clock import Scale
from .mco.machinery import WorkQueue
from .taints import welcomes

DEPLOYMENTS, REPLICA_SETS, DAEMON_SETS = "deployments.apps", "replicasets.apps", "daemonsets.apps"
_HASH = "pod-template-hash"
_SETTLING = 0.2  # seconds from a change until a controller has acted on it
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True)
class Container:
    """`image_id` is what the runtime says it runs, by digest."""

    name: str
    image: str
    image_id: str = ""
    mounts: tuple[tuple[str, str], ...] = ()  # (path on the node, path in the container)
    pull_policy: str = "IfNotPresent"


@dataclass(frozen=True)
class Workload:
    """What its pods are like. `selector` restricts the nodes that DaemonSets' pods are on, and so do the nodes' taints:
    `taint` is the key of the one that they tolerate, "*" for any."""

    namespace: str
    name: str
    labels: dict[str, str]
    containers: tuple[Container, ...]
    selector: dict[str, str] | None = None
    taint: str = ""

    @property
    def template(self) -> dict:
        volumes = {on_node: f"host{index}" for index, on_node in enumerate(self._host_paths())}
        containers = [
            {
                "name": container.name,
                "image": container.image,
                "imagePullPolicy": container.pull_policy,
                "volumeMounts": [
                    {"mountPath": inside, "name": volumes[on_node]} for on_node, inside in container.mounts
                ],
            }
            for container in self.containers
        ]
        spec = {"containers": containers, "restartPolicy": "Always"}
        if volumes:
            spec["volumes"] = [
                {"name": name, "hostPath": {"path": path, "type": ""}} for path, name in volumes.items()
            ]
        if self.selector:
            spec["nodeSelector"] = dict(self.selector)
        if self.taint:
            which = {} if self.taint == "*" else {"key": self.taint}
            spec["tolerations"] = [{"operator": "Exists", **which}]
        return {"metadata": {"labels": dict(self.labels)}, "spec": spec}

    def _host_paths(self) -> list[str]:
        return sorted({on_node for container in self.containers for on_node, _inside in container.mounts})


# A cluster that is healthy already


def seed_deployment(store: Store, workload: Workload, nodes: list[str], replicas: int) -> None:
    """A Deployment whose pods run, one after the other on those nodes."""
    deployment = store.create(
        DEPLOYMENTS,
        {
            "metadata": {"name": workload.name, "namespace": workload.namespace, "labels": workload.labels},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": workload.labels},
                "strategy": {"type": "RollingUpdate"},
                "template": workload.template,
            },
        },
    )
    replica_set = store.create(REPLICA_SETS, _replica_set(deployment, replicas))
    for index in range(replicas):
        pod = _pod(replica_set, nodes[index % len(nodes)])
        store.create("pods", pod | {"status": running(workload.containers)})
    _settle_replica_set(store, replica_set)
    _settle_deployment(store, deployment)


def seed_daemon_set(store: Store, workload: Workload, nodes: list[str]) -> None:
    """A DaemonSet with a running pod on each of those nodes."""
    daemon_set = store.create(
        DAEMON_SETS,
        {
            "metadata": {"name": workload.name, "namespace": workload.namespace, "labels": workload.labels},
            "spec": {"selector": {"matchLabels": workload.labels}, "template": workload.template},
        },
    )
    status = running(workload.containers)
    for node in nodes:
        store.create("pods", _pod(daemon_set, node) | {"status": status})
    count = len(nodes)
    _write_status(store, DAEMON_SETS, daemon_set, _daemon_set_status(daemon_set, count, count))


def seed_static_pod(
    store: Store, namespace: str, name: str, node: str, containers: tuple[Container, ...]
) -> None:
    """The API's image of a pod that a node runs from a file of its own."""
    pod = Workload(namespace, name, {"app": name}, containers).template
    pod["metadata"] |= {"name": f"{name}-{node}", "namespace": namespace}
    pod["metadata"]["annotations"] = {"kubernetes.io/config.mirror": hashlib.md5(name.encode()).hexdigest()}
    pod["spec"] |= {"nodeName": node, "hostNetwork": True}
    store.create("pods", pod | {"status": running(containers)})


def running(containers: Iterable[Container]) -> dict:
    """The status of a pod that has been running for a while."""
    moment = now()
    kinds = ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    conditions = [
        {"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": moment}
        for kind in kinds
    ]
    statuses = [
        {
            "name": container.name,
            "image": container.image,
            "imageID": container.image_id or container.image,
            "containerID": f"cri-o://{hashlib.sha256(container.image.encode()).hexdigest()}",
            "lastState": {},
            "ready": True,
            "restartCount": 0,
            "started": True,
            "state": {"running": {"startedAt": moment}},
        }
        for container in containers
    ]
    return {
        "phase": "Running",
        "conditions": conditions,
        "containerStatuses": statuses,
        "hostIP": "127.0.0.1",
        "qosClass": "Burstable",
        "startTime": moment,
    }


def _pod(owner: dict, node: str = "") -> dict:
    template = owner["spec"]["template"]
    metadata = clone(template["metadata"])
    pod = {
        "metadata": metadata
        | {
            "generateName": f"{owner['metadata']['name']}-",
            "namespace": owner["metadata"]["namespace"],
            "ownerReferences": [_owner_reference(owner)],
        },
        "spec": clone(template["spec"]),
    }
    if node:
        pod["spec"]["nodeName"] = node
    return pod


def _replica_set(deployment: dict, replicas: int) -> dict:
    template = clone(deployment["spec"]["template"])
    digest = _template_hash(template)
    template["metadata"].setdefault("labels", {})[_HASH] = digest
    selector = clone(deployment["spec"]["selector"])
    selector.setdefault("matchLabels", {})[_HASH] = digest
    return {
        "metadata": {
            "name": f"{deployment['metadata']['name']}-{digest}",
            "namespace": deployment["metadata"]["namespace"],
            "labels": template["metadata"]["labels"],
            "ownerReferences": [_owner_reference(deployment)],
        },
        "spec": {"replicas": replicas, "selector": selector, "template": template},
    }


def _template_hash(template: dict) -> str:
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:10])


def _owner_reference(owner: dict) -> dict:
    return {
        "apiVersion": owner["apiVersion"],
        "blockOwnerDeletion": True,
        "controller": True,
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    }


# Keeping it so


class Workloads:
    """The controllers of Deployments, ReplicaSets and DaemonSets: missing pods come, pods too many go."""

    def __init__(self, store: Store, scale: Scale) -> None:
        self._store = store
        self._queue = WorkQueue(scale, self._work, workers=2)
        self._leave: list[Callable[[], None]] = []

    def start(self) -> None:
        for resource in (DEPLOYMENTS, REPLICA_SETS, DAEMON_SETS):
            self._leave.append(self._store.listen(resource, self._changed))
        self._leave.append(self._store.listen("pods", self._pod_changed))
        self._leave.append(self._store.listen("nodes", self._node_changed))

    def stop(self) -> None:
        self._queue.stop()
        for leave in self._leave:
            leave()

    def _changed(self, event: Event) -> None:
        metadata = event.item.object["metadata"]
        self._later(event.resource, metadata["namespace"], metadata["name"])
        for owner in metadata.get("ownerReferences") or ():
            if owner["kind"] == "Deployment":
                self._later(DEPLOYMENTS, metadata["namespace"], owner["name"])

    def _pod_changed(self, event: Event) -> None:
        metadata = event.item.object["metadata"]
        for owner in metadata.get("ownerReferences") or ():
            resource = {"ReplicaSet": REPLICA_SETS, "DaemonSet": DAEMON_SETS}.get(owner["kind"])
            if resource:
                self._later(resource, metadata["namespace"], owner["name"])

    def _node_changed(self, event: Event) -> None:
        """Nodes that come or go take DaemonSets' pods along; what changes of one that stays does not matter."""
        if event.type != "MODIFIED":
            for item in self._store.items(DAEMON_SETS):
                metadata = item.object["metadata"]
                self._later(DAEMON_SETS, metadata["namespace"], metadata["name"])

    def _later(self, *key: str) -> None:
        self._queue.add_after("/".join(key), _SETTLING)

    async def _work(self, key: str) -> None:
        resource, namespace, name = key.split("/")
        obj = self._store.get(resource, name, namespace)
        if obj is None or "deletionTimestamp" in obj["metadata"]:
            return
        match resource:
            case "deployments.apps":
                self._deployment(obj)
            case "replicasets.apps":
                self._replica_set(obj)
            case "daemonsets.apps":
                self._daemon_set(obj)

    def _deployment(self, deployment: dict) -> None:
        """All at once: the new ReplicaSet grows, and the old ones are emptied as soon as its pods are ready."""
        wanted = deployment["spec"].get("replicas", 1)
        current = _replica_set(deployment, wanted)
        namespace, name = current["metadata"]["namespace"], current["metadata"]["name"]
        present = self._store.item(REPLICA_SETS, name, namespace)
        if present is None:
            self._store.create(REPLICA_SETS, current)
        elif present.object["spec"]["replicas"] != wanted:
            self._store.patch(REPLICA_SETS, name, {"spec": {"replicas": wanted}}, namespace)
        elif (present.object.get("status") or {}).get("readyReplicas", 0) >= wanted:
            for old in _owned(self._store, REPLICA_SETS, deployment):
                if old["metadata"]["name"] != name and old["spec"]["replicas"]:
                    self._store.patch(
                        REPLICA_SETS, old["metadata"]["name"], {"spec": {"replicas": 0}}, namespace
                    )
        _settle_deployment(self._store, deployment)

    def _replica_set(self, replica_set: dict) -> None:
        pods = _active(self._store, replica_set)
        wanted = replica_set["spec"].get("replicas", 1)
        for _missing in range(wanted - len(pods)):
            self._store.create("pods", _pod(replica_set))
        for pod in sorted(pods, key=ready)[: max(len(pods) - wanted, 0)]:
            self._store.delete("pods", pod["metadata"]["name"], pod["metadata"]["namespace"])
        _settle_replica_set(self._store, replica_set)

    def _daemon_set(self, daemon_set: dict) -> None:
        spec = daemon_set["spec"]["template"]["spec"]
        fits = selectors.labels(spec.get("nodeSelector") or {})
        nodes = {
            item.object["metadata"]["name"]
            for item in self._store.items("nodes")
            if fits(item.object) and welcomes(item.object, spec, every_day=True)
        }
        placed = {pod["spec"].get("nodeName"): pod for pod in _active(self._store, daemon_set)}
        for node in sorted(nodes - placed.keys()):
            self._store.create("pods", _pod(daemon_set, node))
        for node in placed.keys() - nodes:
            self._store.delete("pods", placed[node]["metadata"]["name"], daemon_set["metadata"]["namespace"])
        count = sum(map(ready, placed.values()))
        _write_status(self._store, DAEMON_SETS, daemon_set, _daemon_set_status(daemon_set, len(nodes), count))


def _owned(store: Store, resource: str, owner: dict) -> list[dict]:
    """The objects of that resource that an object owns."""
    uid, namespace = owner["metadata"]["uid"], owner["metadata"]["namespace"]
    found = (item.object for item in store.items(resource, namespace))
    return [
        obj for obj in found if any(ref["uid"] == uid for ref in obj["metadata"].get("ownerReferences") or ())
    ]


def _active(store: Store, owner: dict) -> list[dict]:
    """The pods of an owner that neither ended nor are on their way out."""
    pods = _owned(store, "pods", owner)
    ended = ("Succeeded", "Failed")
    return [
        pod
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"] and (pod.get("status") or {}).get("phase") not in ended
    ]


def _settle_replica_set(store: Store, replica_set: dict) -> None:
    pods = _active(store, replica_set)
    count = sum(map(ready, pods))
    _write_status(
        store,
        REPLICA_SETS,
        replica_set,
        {
            "replicas": len(pods),
            "fullyLabeledReplicas": len(pods),
            "readyReplicas": count,
            "availableReplicas": count,
            "observedGeneration": replica_set["metadata"]["generation"],
        },
    )


def _settle_deployment(store: Store, deployment: dict) -> None:
    replica_sets = _owned(store, REPLICA_SETS, deployment)
    digest = _template_hash(deployment["spec"]["template"])
    counts = {rs["metadata"]["labels"].get(_HASH): rs.get("status") or {} for rs in replica_sets}
    total, available = (
        sum(status.get(key, 0) for status in counts.values()) for key in ("replicas", "readyReplicas")
    )
    wanted = deployment["spec"].get("replicas", 1)
    since = {c["type"]: c for c in (deployment.get("status") or {}).get("conditions") or ()}
    conditions = [
        _deployment_condition(
            since, "Available", available >= wanted, "MinimumReplicasAvailable", "MinimumReplicasUnavailable"
        ),
        _deployment_condition(since, "Progressing", True, "NewReplicaSetAvailable", ""),
    ]
    status = {
        "replicas": total,
        "updatedReplicas": counts.get(digest, {}).get("replicas", 0),
        "readyReplicas": available,
        "availableReplicas": available,
        "conditions": conditions,
        "observedGeneration": deployment["metadata"]["generation"],
    }
    if available < wanted:
        status["unavailableReplicas"] = wanted - available
    _write_status(store, DEPLOYMENTS, deployment, status)


def _deployment_condition(since: dict[str, dict], kind: str, holds: bool, yes: str, no: str) -> dict:
    status = "True" if holds else "False"
    known = since.get(kind)
    moment = known["lastTransitionTime"] if known and known["status"] == status else now()
    return {
        "type": kind,
        "status": status,
        "reason": yes if holds else no,
        "message": "",
        "lastTransitionTime": moment,
        "lastUpdateTime": moment,
    }


def _daemon_set_status(daemon_set: dict, wanted: int, count: int) -> dict:
    return {
        "currentNumberScheduled": wanted,
        "desiredNumberScheduled": wanted,
        "numberMisscheduled": 0,
        "numberReady": count,
        "numberAvailable": count,
        "updatedNumberScheduled": wanted,
        "observedGeneration": daemon_set["metadata"]["generation"],
    }


def _write_status(store: Store, resource: str, obj: dict, status: dict) -> None:
    metadata = obj["metadata"]
    item = store.item(resource, metadata["name"], metadata["namespace"])
    if item and item.object["metadata"]["uid"] == metadata["uid"]:
        store.update_status(
            resource,
            {"metadata": {k: v for k, v in metadata.items() if k != "resourceVersion"}, "status": status},
        )
