# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Server-side printing: objects as rows of a metav1.Table, for `kubectl get` and `oc get`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import NamedTuple

from .resources import Resource


class Column(NamedTuple):
    """A heading and where its cells come from; those with a priority show only with `-o wide`."""

    name: str
    cell: Callable[[dict], object]
    type: str = "string"
    priority: int = 0


_STEP = re.compile(r"""(?P<name>(?:[^.\[\\]|\\.)+)(?:\[\?\(@\.(?P<key>\w+)=="(?P<value>[^"]+)"\)\])?""")


def _at(path: str) -> Callable[[dict], object]:
    """A reader of a path such as status.conditions[?(@.type=="Updated")].status, the one form that columns use."""
    steps = [(match["name"].replace("\\", ""), match["key"], match["value"]) for match in _STEP.finditer(path)]

    def read(obj: dict):
        found = obj
        for name, key, value in steps:
            found = found.get(name) if isinstance(found, dict) else None
            if key:
                found = next((entry for entry in found or [] if entry.get(key) == value), None)
        return found

    return read


def _condition(name: str) -> Callable[[dict], object]:
    return _at(f'status.conditions[?(@.type=="{name}")].status')


def _age(path: str = "metadata.creationTimestamp") -> Callable[[dict], str | None]:
    read = _at(path)
    return lambda obj: since(read(obj))


def since(moment: object) -> str | None:
    """How long ago a metav1.Time was, as kubectl shows it: 5s, 3m10s, 47m, 5h, 2d."""
    if not isinstance(moment, str):
        return None
    then = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    seconds = max(0, int((datetime.now(timezone.utc) - then).total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    return f"{hours}h" if hours < 48 else f"{days}d"


def _size(field: str) -> Callable[[dict], int]:
    return lambda obj: len(obj.get(field) or {})


def _pod_ready(pod: dict) -> str:
    statuses = pod.get("status", {}).get("containerStatuses") or []
    return f"{sum(bool(status.get('ready')) for status in statuses)}/{len(pod['spec']['containers'])}"


def _pod_status(pod: dict) -> str:
    """The phase, or the reason why a container waits or ended."""
    status = pod.get("status", {})
    if pod["metadata"].get("deletionTimestamp"):
        return "Terminating"
    shown = status.get("reason") or status.get("phase", "Unknown")
    for container in reversed(status.get("containerStatuses") or []):
        state = container.get("state") or {}
        shown = (state.get("waiting") or state.get("terminated") or {}).get("reason") or shown
    return shown


def _pod_restarts(pod: dict) -> int:
    return sum(status.get("restartCount", 0) for status in pod.get("status", {}).get("containerStatuses") or [])


def _node_status(node: dict) -> str:
    ready = _condition("Ready")(node)
    shown = {"True": "Ready", "False": "NotReady"}.get(ready, "NotReady" if ready else "Unknown")
    return f"{shown},SchedulingDisabled" if node.get("spec", {}).get("unschedulable") else shown


def _address(kind: str) -> Callable[[dict], str]:
    read = _at(f'status.addresses[?(@.type=="{kind}")].address')
    return lambda node: read(node) or "<none>"


def _node_roles(node: dict) -> str:
    prefix = "node-role.kubernetes.io/"
    roles = (label.removeprefix(prefix) for label in node["metadata"].get("labels") or {} if label.startswith(prefix))
    return ",".join(sorted(roles)) or "<none>"


def _newest_tag(stream: dict) -> str | None:
    moments = [item["created"] for tag in _at("status.tags")(stream) or [] for item in tag.get("items") or []]
    return max(moments, default=None)


def _of_replicas(have: str, want: str = "spec.replicas") -> Callable[[dict], str]:
    return lambda obj: f"{_at(have)(obj) or 0}/{_at(want)(obj) or 0}"


def _trouble(operator: dict) -> str:
    """The message of an operator that is degraded, progressing or not available, as OpenShift's own server shows it."""
    for name, healthy in (("Degraded", "False"), ("Progressing", "False"), ("Available", "True")):
        if _condition(name)(operator) not in (None, healthy):
            return _at(f'status.conditions[?(@.type=="{name}")].message')(operator) or ""
    return ""


_AGE = Column("Age", _age())
_CUSTOM_AGE = Column("Age", _age(), "date")
_COLUMNS: dict[str, tuple[Column, ...]] = {
    "configmaps": (Column("Data", _size("data")), _AGE),
    "secrets": (Column("Type", _at("type")), Column("Data", _size("data")), _AGE),
    "serviceaccounts": (Column("Secrets", lambda obj: len(obj.get("secrets") or [])), _AGE),
    "namespaces": (Column("Status", _at("status.phase")), _AGE),
    "projects.project.openshift.io": (
        Column("Display Name", _at(r"metadata.annotations.openshift\.io/display-name")),
        Column("Status", _at("status.phase")),
    ),
    "pods": (
        Column("Ready", _pod_ready),
        Column("Status", _pod_status),
        Column("Restarts", _pod_restarts),
        _AGE,
        Column("IP", _at("status.podIP"), priority=1),
        Column("Node", _at("spec.nodeName"), priority=1),
    ),
    "nodes": (
        Column("Status", _node_status),
        Column("Roles", _node_roles),
        _AGE,
        Column("Version", _at("status.nodeInfo.kubeletVersion")),
        Column("Internal-IP", _address("InternalIP"), priority=1),
        Column("External-IP", _address("ExternalIP"), priority=1),
        Column("OS-Image", _at("status.nodeInfo.osImage"), priority=1),
        Column("Kernel-Version", _at("status.nodeInfo.kernelVersion"), priority=1),
        Column("Container-Runtime", _at("status.nodeInfo.containerRuntimeVersion"), priority=1),
    ),
    "events": (
        Column("Last Seen", _age("lastTimestamp")),
        Column("Type", _at("type")),
        Column("Reason", _at("reason")),
        Column("Object", lambda event: "{kind}/{name}".format_map(event["involvedObject"]).lower()),
        Column("Message", _at("message")),
    ),
    "deployments.apps": (
        Column("Ready", _of_replicas("status.readyReplicas")),
        Column("Up-to-date", lambda obj: _at("status.updatedReplicas")(obj) or 0, "integer"),
        Column("Available", lambda obj: _at("status.availableReplicas")(obj) or 0, "integer"),
        _AGE,
    ),
    "statefulsets.apps": (Column("Ready", _of_replicas("status.readyReplicas")), _AGE),
    "daemonsets.apps": tuple(
        Column(name, lambda obj, path=f"status.{field}": _at(path)(obj) or 0, "integer")
        for name, field in (
            ("Desired", "desiredNumberScheduled"),
            ("Current", "currentNumberScheduled"),
            ("Ready", "numberReady"),
            ("Up-to-date", "updatedNumberScheduled"),
            ("Available", "numberAvailable"),
        )
    )
    + (_AGE,),
    "jobs.batch": (Column("Completions", _of_replicas("status.succeeded", "spec.completions")), _AGE),
    "cronjobs.batch": (
        Column("Schedule", _at("spec.schedule")),
        Column("Suspend", _at("spec.suspend"), "boolean"),
        _AGE,
    ),
    "imagestreams.image.openshift.io": (
        Column("Image Repository", _at("status.dockerImageRepository")),
        Column("Tags", lambda stream: ",".join(tag["tag"] for tag in _at("status.tags")(stream) or [])),
        Column("Updated", lambda stream: since(_newest_tag(stream))),
    ),
    "clusteroperators.config.openshift.io": (
        Column("Version", _at('status.versions[?(@.name=="operator")].version')),
        Column("Available", _condition("Available")),
        Column("Progressing", _condition("Progressing")),
        Column("Degraded", _condition("Degraded")),
        Column("Since", _age('status.conditions[?(@.type=="Available")].lastTransitionTime'), "date"),
        Column("Message", _trouble),
    ),
    "clusterversions.config.openshift.io": (
        Column("Version", _at('status.history[?(@.state=="Completed")].version')),
        Column("Available", _condition("Available")),
        Column("Progressing", _condition("Progressing")),
        Column("Since", _age('status.conditions[?(@.type=="Progressing")].lastTransitionTime'), "date"),
        Column("Status", _at('status.conditions[?(@.type=="Progressing")].message')),
    ),
    "machineconfigpools.machineconfiguration.openshift.io": (
        Column("Config", _at("status.configuration.name")),
        Column("Updated", _condition("Updated")),
        Column("Updating", _condition("Updating")),
        Column("Degraded", _condition("Degraded")),
        Column("MachineCount", _at("status.machineCount"), "number"),
        Column("ReadyMachineCount", _at("status.readyMachineCount"), "number"),
        Column("UpdatedMachineCount", _at("status.updatedMachineCount"), "number"),
        Column("DegradedMachineCount", _at("status.degradedMachineCount"), "number"),
        _CUSTOM_AGE,
    ),
    "machineconfigs.machineconfiguration.openshift.io": (
        Column(
            "GeneratedByController",
            _at(r"metadata.annotations.machineconfiguration\.openshift\.io/generated-by-controller-version"),
        ),
        Column("IgnitionVersion", _at("spec.config.ignition.version")),
        _CUSTOM_AGE,
    ),
    "catalogsources.operators.coreos.com": (
        Column("Display", _at("spec.displayName")),
        Column("Type", _at("spec.sourceType")),
        Column("Publisher", _at("spec.publisher")),
        _CUSTOM_AGE,
    ),
    "subscriptions.operators.coreos.com": (
        Column("Package", _at("spec.name")),
        Column("Source", _at("spec.source")),
        Column("Channel", _at("spec.channel")),
    ),
    "clusterserviceversions.operators.coreos.com": (
        Column("Display", _at("spec.displayName")),
        Column("Version", _at("spec.version")),
        Column("Replaces", _at("spec.replaces")),
        Column("Phase", _at("status.phase")),
    ),
    "clustercatalogs.olm.operatorframework.io": (
        Column("LastUnpacked", _age("status.lastUnpacked"), "date"),
        Column("Serving", _condition("Serving")),
        _CUSTOM_AGE,
    ),
}


def table(resource: Resource, objects: Iterable[dict], metadata: dict, include: str, *, headings: bool = True) -> dict:
    """A metav1.Table; `include` says what goes with each row: None, Metadata or Object."""
    columns = _COLUMNS.get(resource.key, (_CUSTOM_AGE if resource.custom else _AGE,))
    rows = [_row(columns, obj, include, None if resource.custom else "") for obj in objects]
    definitions = [
        {"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0},
        *({"name": c.name, "type": c.type, "format": "", "description": "", "priority": c.priority} for c in columns),
    ]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions if headings else None,
        "rows": rows,
    }


def _row(columns: tuple[Column, ...], obj: dict, include: str, absent: str | None) -> dict:
    found = (column.cell(obj) for column in columns)
    cells = [obj["metadata"]["name"], *(absent if cell is None else cell for cell in found)]
    row: dict = {"cells": cells}
    if include == "Object":
        row["object"] = obj
    elif include != "None":
        row["object"] = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
    return row
