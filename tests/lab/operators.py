# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cluster's other operators, as far as they mind being cut off: catalogs, updates, Insights and telemetry."""

from __future__ import annotations

import abc
import base64
import json
from collections.abc import Awaitable, Callable

from .api.housekeeping import ready
from .api.store import Event, Store, clone, key_of, now
from .clock import Scale
from .mco.machinery import Jitter, WorkQueue
from .workloads import DEPLOYMENTS

MARKETPLACE = "openshift-marketplace"
HUBS = "operatorhubs.config.openshift.io"
SOURCES = "catalogsources.operators.coreos.com"
CATALOGS = "clustercatalogs.olm.operatorframework.io"
VERSIONS = "clusterversions.config.openshift.io"
CLUSTER_OPERATORS = "clusteroperators.config.openshift.io"
_MANAGED = {"operatorframework.io/managed-by": "marketplace-operator"}
_REACTION = 1.0  # seconds from a change until an operator has acted on it


class OtherOperators:
    """All of them. `default_sources` are the specs of the marketplace's own CatalogSources, by name; `online` says
    whether the internet can be reached; `complaint` asks for an image as a program on a master does, and returns what
    keeps it away, or nothing."""

    def __init__(
        self,
        store: Store,
        scale: Scale,
        default_sources: dict[str, dict],
        online: Callable[[], bool],
        complaint: Callable[[str], Awaitable[str]],
        *,
        seed: int = 2,
    ) -> None:
        self._parts: list[_Part] = [
            Marketplace(store, scale, default_sources),
            Catalogs(store, scale),
            Updates(store, scale, online),
            Insights(store, scale, online, Jitter(seed)),
            Telemetry(store, scale),
        ]
        if CATALOGS in store.table:
            self._parts.append(ClusterCatalogs(store, scale, complaint))

    def start(self) -> None:
        for part in self._parts:
            part.start()

    def stop(self) -> None:
        for part in self._parts:
            part.stop()


class _Part(abc.ABC):
    """One operator: it looks at `watched` resources, and works on what `keys` makes of a change."""

    watched: tuple[str, ...] = ()

    def __init__(self, store: Store, scale: Scale) -> None:
        self.store = store
        self.queue = WorkQueue(scale, self.work, workers=1)
        self._leave: list[Callable[[], None]] = []

    def start(self) -> None:
        for resource in self.watched:
            self._leave.append(self.store.listen(resource, self._heard))

    def stop(self) -> None:
        self.queue.stop()
        for leave in self._leave:
            leave()

    def _heard(self, event: Event) -> None:
        for key in self.keys(event):
            self.queue.add_after(key, _REACTION)

    def keys(self, event: Event) -> list[str]:
        """What is to be worked on after a change."""
        return ["cluster"]

    @abc.abstractmethod
    async def work(self, key: str) -> None:
        """Bring what a key names into order."""


class Marketplace(_Part):
    """OperatorHub says which default CatalogSources there are; of those the spec cannot be changed."""

    watched = (HUBS, SOURCES)

    def __init__(self, store: Store, scale: Scale, default_sources: dict[str, dict]) -> None:
        super().__init__(store, scale)
        self._defaults = default_sources

    def keys(self, event: Event) -> list[str]:
        concerned = event.resource == HUBS or event.item.object["metadata"]["name"] in self._defaults
        return ["cluster"] if concerned else []

    async def work(self, key: str) -> None:
        hub = self.store.get(HUBS, "cluster")
        if hub is None:
            return
        spec = hub.get("spec") or {}
        said = {entry["name"]: entry.get("disabled", False) for entry in spec.get("sources") or ()}
        statuses = []
        for name, default in sorted(self._defaults.items()):
            disabled = said.get(name, spec.get("disableAllDefaultSources", False))
            self._settle(name, default, disabled)
            statuses.append({"name": name, "disabled": disabled, "status": "Success"})
        self.store.update_status(HUBS, hub | {"status": {"sources": statuses}})

    def _settle(self, name: str, default: dict, disabled: bool) -> None:
        present = self.store.get(SOURCES, name, MARKETPLACE)
        if disabled:
            # One of the same name that somebody else made stays.
            if present and _MANAGED.items() <= (present["metadata"].get("annotations") or {}).items():
                self.store.delete(SOURCES, name, MARKETPLACE)
        elif present is None:
            metadata = {"name": name, "namespace": MARKETPLACE, "annotations": dict(_MANAGED)}
            self.store.create(SOURCES, {"metadata": metadata, "spec": clone(default)})
        else:
            present["metadata"].setdefault("annotations", {}).update(_MANAGED)
            self.store.update(SOURCES, present | {"spec": clone(default)})


class Catalogs(_Part):
    """Every CatalogSource with an image gets a pod that serves it; the source is ready when the pod is."""

    watched = (SOURCES, "pods")
    _PATIENCE = 30.0  # seconds until a pod that does not come counts as a failure

    def keys(self, event: Event) -> list[str]:
        metadata = event.item.object["metadata"]
        name = (
            metadata["name"]
            if event.resource == SOURCES
            else (metadata.get("labels") or {}).get("olm.catalogSource")
        )
        return [f"{metadata['namespace']}/{name}"] if name else []

    async def work(self, key: str) -> None:
        namespace, name, *late = key.split("/")
        source = self.store.get(SOURCES, name, namespace)
        if source is None or "deletionTimestamp" in source["metadata"] or not source["spec"].get("image"):
            return
        pods = self.store.list("pods", namespace, {"olm.catalogSource": name})
        fitting = [pod for pod in pods if pod["spec"]["containers"][0]["image"] == source["spec"]["image"]]
        for pod in pods:
            if pod not in fitting:
                self.store.delete("pods", pod["metadata"]["name"], namespace)
        if not fitting:
            self.store.create("pods", catalog_pod(source))
        self._report(source, any(map(ready, fitting)), late=bool(late))

    def _report(self, source: dict, serves: bool, *, late: bool) -> None:
        connection = (source.get("status") or {}).get("connectionState") or {}
        before = state = connection.get("lastObservedState")
        if serves:
            state = "READY"
        elif before in (None, "READY"):
            state = "CONNECTING"
            self.queue.add_after("/".join((*key_of(source), "late")), self._PATIENCE)
        elif late:
            state = "TRANSIENT_FAILURE"
        if state != before:
            self.store.update_status(SOURCES, source | {"status": catalog_status(source, state)})


def catalog_pod(source: dict) -> dict:
    """The pod that serves a catalog."""
    name, namespace = source["metadata"]["name"], source["metadata"]["namespace"]
    owner = {key: source[key] for key in ("apiVersion", "kind")}
    owner |= {
        "name": name,
        "uid": source["metadata"]["uid"],
        "controller": False,
        "blockOwnerDeletion": False,
    }
    container = {"name": "registry-server", "image": source["spec"]["image"], "imagePullPolicy": "Always"}
    return {
        "metadata": {
            "generateName": f"{name}-",
            "namespace": namespace,
            "labels": {"olm.catalogSource": name},
            "ownerReferences": [owner],
        },
        "spec": {"containers": [container], "restartPolicy": "Always"},
    }


def catalog_status(source: dict, state: str) -> dict:
    """A CatalogSource's status while the connection to its pod is in that state."""
    name, namespace = source["metadata"]["name"], source["metadata"]["namespace"]
    known = source.get("status") or {}
    service = {
        "createdAt": now(),
        "port": "50051",
        "protocol": "grpc",
        "serviceName": name,
        "serviceNamespace": namespace,
    }
    return known | {
        "connectionState": {
            "address": f"{name}.{namespace}.svc:50051",
            "lastConnect": now(),
            "lastObservedState": state,
        },
        "registryService": known.get("registryService") or service,
    }


class ClusterCatalogs(_Part):
    """OLM v1's catalogs: served once their image could be had, unless they are made unavailable."""

    watched = (CATALOGS,)
    _RETRY = 15.0

    def __init__(self, store: Store, scale: Scale, complaint: Callable[[str], Awaitable[str]]) -> None:
        super().__init__(store, scale)
        self._complaint = complaint
        self._unpacked = {item.object["metadata"]["name"]: _reference(item.object) for item in store.items(CATALOGS)}

    def start(self) -> None:
        super().start()
        for item in self.store.items(CATALOGS):
            self.queue.add_after(item.object["metadata"]["name"], _REACTION)

    def keys(self, event: Event) -> list[str]:
        return [event.item.object["metadata"]["name"]]

    async def work(self, key: str) -> None:
        catalog = self.store.get(CATALOGS, key)
        if catalog is None:
            self._unpacked.pop(key, None)
            return
        conditions = (catalog.get("status") or {}).get("conditions") or []
        if catalog["spec"].get("availabilityMode", "Available") != "Available":
            self._unpacked.pop(key, None)
            conditions = _with(conditions, "Progressing", "True", "Succeeded")
            conditions = _with(conditions, "Serving", "False", "UserSpecifiedUnavailable")
        elif await self._unpacks(key, _reference(catalog)):
            conditions = _with(conditions, "Progressing", "True", "Succeeded")
            conditions = _with(conditions, "Serving", "True", "Available")
        else:
            self.queue.add_after(key, self._RETRY)
            message = f"source catalog content: error creating image source: {self._trouble}"
            conditions = _with(conditions, "Progressing", "True", "Retrying", message)
            if key not in self._unpacked:  # what was unpacked before goes on being served
                conditions = _with(conditions, "Serving", "False", "Unavailable")
        catalog = self.store.get(CATALOGS, key)
        if catalog is not None:
            self.store.update_status(CATALOGS, catalog | {"status": {"conditions": conditions}})

    async def _unpacks(self, key: str, image: str) -> bool:
        if self._unpacked.get(key) != image:
            self._trouble = await self._complaint(image)
            if self._trouble:
                return False
            self._unpacked[key] = image
        return True


def _reference(catalog: dict) -> str:
    return catalog["spec"]["source"]["image"]["ref"]


class Updates(_Part):
    """The cluster-version operator asks for available updates, where a channel says which."""

    watched = (VERSIONS,)
    _INTERVAL = 180.0

    def __init__(self, store: Store, scale: Scale, online: Callable[[], bool]) -> None:
        super().__init__(store, scale)
        self._online = online

    def start(self) -> None:
        super().start()
        self.queue.add_after("version", self._INTERVAL)

    def keys(self, event: Event) -> list[str]:
        before = event.previous and event.previous.object["spec"]
        return ["version"] if before != event.item.object["spec"] else []

    async def work(self, key: str) -> None:
        self.queue.add_after("version", self._INTERVAL)
        version = self.store.get(VERSIONS, "version")
        if version is None:
            return
        status, reason, message = "True", "", ""
        if not version["spec"].get("channel"):
            status, reason, message = "False", "NoChannel", "The update channel has not been configured."
        elif not version["spec"].get("upstream") and not self._online():
            status, reason = "False", "RemoteFailed"
            message = (
                'Unable to retrieve available updates: Get "https://api.openshift.com/api/upgrades_info/v1/graph": '
                "dial tcp: lookup api.openshift.com: no such host"
            )
        conditions = _with(version["status"]["conditions"], "RetrievedUpdates", status, reason, message)
        self.store.update_status(
            VERSIONS, version | {"status": version["status"] | {"conditions": conditions}}
        )


class Insights(_Part):
    """Uploads every two hours while the pull secret holds the token for it; five failures in a row degrade it."""

    _POLL, _UPLOAD, _RETRY = 300.0, 7200.0, (900.0, 1980.0)
    _TOO_MANY = 5

    def __init__(self, store: Store, scale: Scale, online: Callable[[], bool], jitter: Jitter) -> None:
        super().__init__(store, scale)
        self._online, self._jitter = online, jitter
        self._failures = 0

    def start(self) -> None:
        super().start()
        self.queue.add_after("token", self._POLL)
        self.queue.add_after("upload", self._jitter.between(60.0, self._UPLOAD))

    async def work(self, key: str) -> None:
        if key == "token":
            self.queue.add_after("token", self._POLL)
        elif not _token(self.store) or self._online():
            self._failures = 0
            self.queue.add_after("upload", self._UPLOAD)
        else:
            self._failures += 1
            self.queue.add_after("upload", self._jitter.between(*self._RETRY))
        self._report(enabled=bool(_token(self.store)))

    def _report(self, *, enabled: bool) -> None:
        operator = self.store.get(CLUSTER_OPERATORS, "insights")
        if operator is None:
            return
        failing = enabled and self._failures > 0
        degraded = enabled and self._failures >= self._TOO_MANY
        failure = (
            "Unable to report: unable to build request to connect to Insights server: "
            'Post "https://console.redhat.com"'
        )
        conditions = operator["status"]["conditions"]
        if enabled:
            conditions = _with(conditions, "Disabled", "False", "AsExpected")
        else:
            conditions = _with(conditions, "Disabled", "True", "NoToken", "Health reporting is disabled")
        for kind in ("UploadDegraded", "InsightsUploadDegraded"):
            if any(condition["type"] == kind for condition in conditions):
                said = ("UploadFailed", failure) if failing else ("AsExpected", "")
                conditions = _with(conditions, kind, str(failing), *said)
        said = ("UploadFailed", failure) if degraded else ("AsExpected", "")
        conditions = _with(conditions, "Degraded", str(degraded), *said)
        said = said if degraded else ("AsExpected", "All is well")
        conditions = _with(conditions, "Available", str(not degraded), *said)
        operator["status"]["conditions"] = conditions
        self.store.update_status(CLUSTER_OPERATORS, operator)


class Telemetry(_Part):
    """The cluster-monitoring-operator runs the telemeter client while the pull secret holds the token for it."""

    watched = ("secrets",)
    _PLACE = ("telemeter-client", "openshift-monitoring")

    def __init__(self, store: Store, scale: Scale) -> None:
        super().__init__(store, scale)
        self._removed: dict | None = None

    def keys(self, event: Event) -> list[str]:
        metadata = event.item.object["metadata"]
        return (
            ["token"]
            if (metadata["name"], metadata["namespace"]) == ("pull-secret", "openshift-config")
            else []
        )

    async def work(self, key: str) -> None:
        present = self.store.get(DEPLOYMENTS, *self._PLACE)
        if present and not _token(self.store):
            self._removed = present
            self.store.delete(DEPLOYMENTS, *self._PLACE)
        elif self._removed and not present and _token(self.store):
            kept = {key: self._removed["metadata"][key] for key in ("name", "namespace", "labels")}
            self.store.create(DEPLOYMENTS, {"metadata": kept, "spec": self._removed["spec"]})


def _token(store: Store) -> str:
    """What the pull secret says of cloud.openshift.com."""
    item = store.item("secrets", "pull-secret", "openshift-config")
    if item is None:
        return ""
    document = json.loads(base64.b64decode(item.object["data"][".dockerconfigjson"]))
    return ((document.get("auths") or {}).get("cloud.openshift.com") or {}).get("auth") or ""


def _with(conditions: list[dict], kind: str, status: str, reason: str = "", message: str = "") -> list[dict]:
    """The conditions with one of them set, in its place; its time moves only with its status."""
    present = next((condition for condition in conditions if condition["type"] == kind), None)
    since = present["lastTransitionTime"] if present and present["status"] == status else now()
    changed = {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": since,
    }
    if present is None:
        return [*conditions, changed]
    return [changed if condition is present else condition for condition in conditions]
