# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the CAs of image.config's additionalTrustedCA reach the nodes' /etc/docker/certs.d, on two ways.

Every release: the image registry's operator merges them into a ConfigMap, which the node-ca pod on each node copies
once a minute. From 4.14 on also: the ControllerConfig carries them, and each node's daemon writes them at once. The
ways disagree about a key with ".." in several places: node-ca makes a colon of the last, the daemon of each.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable

from ..api.store import now
from ..nodefs import CERTIFICATES
from . import context
from .context import Context, annotation
from .machinery import Informer, WorkQueue

REGISTRY_NAMESPACE = "openshift-image-registry"
REGISTRY_CERTIFICATES = "image-registry-certificates"
SERVICE_HOSTS = (
    "image-registry.openshift-image-registry.svc..5000",
    "image-registry.openshift-image-registry.svc.cluster.local..5000",
)
_APISERVER_NAMESPACE = "openshift-apiserver"
_APISERVER_CA = "image-import-ca"
_GROUPS = 20  # node-ca pods look at their files in so many groups, one after the other


def trusted_ca(ctx: Context) -> tuple[str, dict[str, str] | None]:
    """The ConfigMap that additionalTrustedCA names, and its keys; None if it names one that does not exist."""
    image = ctx.store.item(context.IMAGES, "cluster")
    spec = (image.object.get("spec") or {}) if image else {}
    name = (spec.get("additionalTrustedCA") or {}).get("name") or ""
    if not name:
        return "", {}
    item = ctx.store.item("configmaps", name, "openshift-config")
    return name, dict(item.object.get("data") or {}) if item else None


def certificate(text: str) -> str:
    """What a key of that ConfigMap stands for: what base64 decodes to, if it is base64, else itself."""
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        return text


class ControllerConfigSync:
    """The daemons' part of the second way: every change of the ControllerConfig is written to every node."""

    def __init__(self, ctx: Context) -> None:
        self.context = ctx
        self.queue = WorkQueue(ctx.scale, self._work, base=ctx.pace.daemon_reaction, cap=60.0)
        self._config: dict | None = None
        self._informers: list[Informer] = []

    def start(self) -> None:
        if self.context.release.controller_config_carries_cas:
            informer = Informer(self.context.store, context.CONTROLLER_CONFIGS)
            informer.subscribe(self._changed)
            self._informers.append(informer)

    def stop(self) -> None:
        self.queue.stop()
        for informer in self._informers:
            informer.stop()

    def _changed(self, old: dict | None, new: dict | None) -> None:
        self._config = new
        for item in self.context.store.items(context.NODES) if new else ():
            self.queue.add_rate_limited(item.object["metadata"]["name"])

    async def _work(self, name: str) -> None:
        config = self._config
        node = self.context.store.item(context.NODES, name)
        self.queue.forget(name)
        if not config or not node:
            return
        version = config["metadata"]["resourceVersion"]
        if annotation(node.object, context.SYNCED_CONTROLLER_CONFIG) == version:
            return
        spec = config["spec"]
        bundles = (spec.get("imageRegistryBundleData") or []) + (
            spec.get("imageRegistryBundleUserData") or []
        )
        files = self.context.files(name)
        # Directories are compared with the keys as they are, so one with a port never matches: it goes, and comes back.
        keys = {bundle["file"] for bundle in bundles}
        for directory in files.listing(CERTIFICATES):
            if directory not in keys:
                files.remove(f"{CERTIFICATES}/{directory}")
        await self.context.scale.sleep(0.005)
        for bundle in bundles:
            host = bundle["file"].replace("..", ":")
            files.write(f"{CERTIFICATES}/{host}/ca.crt", base64.b64decode(bundle["data"]))
        annotations = {context.SYNCED_CONTROLLER_CONFIG: version}
        self.context.store.patch(context.NODES, name, {"metadata": {"annotations": annotations}})


class NodeCa:
    """The first way: the ConfigMap, as each node's kubelet last projected it, copied once a minute."""

    def __init__(self, ctx: Context) -> None:
        self.context = ctx
        self._tasks: list[asyncio.Task] = []
        self._mounted: dict[int, dict[str, str]] = {}
        self._seen: dict[str, tuple[int, dict[str, str]]] = {}
        self._timers: set[asyncio.TimerHandle] = set()

    def start(self) -> None:
        names = [item.object["metadata"]["name"] for item in self.context.store.items(context.NODES)]
        groups = min(len(names), _GROUPS)
        for group in range(groups):
            self._mounted[group] = self._data()
            self._tasks.append(
                asyncio.get_running_loop().create_task(self._watch_over(group, names[group::groups]))
            )
        self._leave = self.context.store.listen("configmaps", self._changed)

    def stop(self) -> None:
        self._leave()
        for task in self._tasks:
            task.cancel()
        for timer in self._timers:
            timer.cancel()

    def _data(self) -> dict[str, str]:
        item = self.context.store.item("configmaps", REGISTRY_CERTIFICATES, REGISTRY_NAMESPACE)
        return dict(item.object.get("data") or {}) if item else {}

    def _changed(self, event) -> None:
        metadata = event.item.object["metadata"]
        if (metadata["name"], metadata["namespace"]) != (REGISTRY_CERTIFICATES, REGISTRY_NAMESPACE):
            return
        loop, data = asyncio.get_running_loop(), self._data()
        for group in self._mounted:
            projected = self.context.scale.seconds(
                self.context.jitter.between(1.0, self.context.pace.node_ca)
            )
            self._timers.add(loop.call_later(projected, self._mounted.__setitem__, group, data))
        self._timers = {timer for timer in self._timers if timer.when() > loop.time()}

    async def _watch_over(self, group: int, names: list[str]) -> None:
        period = self.context.pace.node_ca
        await self.context.scale.sleep(self.context.jitter.between(0.0, period))
        while True:
            for name in names:
                self._copy(name, self._mounted[group])
            await self.context.scale.sleep(period)

    def _copy(self, name: str, data: dict[str, str]) -> None:
        """Put there what is mounted and remove all else; a node on which nothing came or went is let be."""
        files = self.context.files(name)
        if self._seen.get(name) == (files.changed(CERTIFICATES), data):
            return
        hosts = {_last_colon(key): text for key, text in data.items()}
        for host, text in hosts.items():
            if files.certificate(host) != text.encode():
                files.write(f"{CERTIFICATES}/{host}/ca.crt", text.encode())
        for directory in files.listing(CERTIFICATES):
            if directory not in hosts:
                files.remove(f"{CERTIFICATES}/{directory}")
        self._seen[name] = files.changed(CERTIFICATES), data


def _last_colon(key: str) -> str:
    host, dots, port = key.rpartition("..")
    return f"{host}:{port}" if dots else key


class RegistryOperator:
    """The image registry's operator, as far as CAs go: the service's own and the user's, in one ConfigMap."""

    def __init__(self, ctx: Context) -> None:
        self.context = ctx
        self.queue = WorkQueue(ctx.scale, self._work, workers=1)
        self._leave: list[Callable[[], None]] = []

    def start(self) -> None:
        for resource in (context.IMAGES, "configmaps"):
            self._leave.append(self.context.store.listen(resource, self._changed))
        self.queue.add("ca")

    def stop(self) -> None:
        self.queue.stop()
        for leave in self._leave:
            leave()

    def _changed(self, event) -> None:
        if event.resource == context.IMAGES or event.item.object["metadata"]["namespace"] in (
            "openshift-config",
            "openshift-config-managed",
        ):
            self.queue.add_after("ca", 1.0)

    async def _work(self, key: str) -> None:
        store = self.context.store
        wanted, keys = trusted_ca(self.context)
        if keys is None:
            message = f'ConfigMap "{wanted}" in namespace "openshift-config" not found'
            self._report(f"Unable to apply resources: unable to sync CA certificates: {message}")
            return
        service = store.item("configmaps", "image-registry-ca", "openshift-config-managed")
        data = dict((service.object.get("data") or {}) if service else {}) | keys
        present = store.get("configmaps", REGISTRY_CERTIFICATES, REGISTRY_NAMESPACE)
        if present and present.get("data") != data:
            store.update("configmaps", present | {"data": data})
        self._report("")

    def _report(self, failure: str) -> None:
        report(
            self.context,
            "image-registry",
            "Degraded",
            bool(failure),
            reason="Unavailable" if failure else "AsExpected",
            message=failure,
        )


class ApiServerOperator:
    """openshift-apiserver's operator: other CAs mean other pods, one after the other, for some minutes."""

    def __init__(self, ctx: Context) -> None:
        self.context = ctx
        self.queue = WorkQueue(ctx.scale, self._work, workers=1)
        self._leave: list[Callable[[], None]] = []

    def start(self) -> None:
        for resource in (context.IMAGES, "configmaps"):
            self._leave.append(self.context.store.listen(resource, self._changed))

    def stop(self) -> None:
        self.queue.stop()
        for leave in self._leave:
            leave()

    def _changed(self, event) -> None:
        if (
            event.resource == context.IMAGES
            or event.item.object["metadata"]["namespace"] == "openshift-config"
        ):
            self.queue.add_after("ca", 1.0)

    async def _work(self, key: str) -> None:
        store = self.context.store
        present = store.get("configmaps", _APISERVER_CA, _APISERVER_NAMESPACE)
        _name, keys = trusted_ca(self.context)
        if present is None or keys is None or (present.get("data") or {}) == keys:
            return
        store.update("configmaps", present | {"data": keys})
        await self._roll_out()

    async def _roll_out(self) -> None:
        store = self.context.store
        deployment = store.get("deployments.apps", "apiserver", _APISERVER_NAMESPACE)
        if deployment is None:
            return
        template = deployment["spec"]["template"]["metadata"]
        template.setdefault("annotations", {})[
            "operator.openshift.io/dep-openshift-apiserver.image-import-ca.configmap"
        ] = now()
        generation = store.update("deployments.apps", deployment)["metadata"]["generation"]
        replicas = deployment["spec"]["replicas"]
        for updated in range(replicas):
            report(
                self.context,
                "openshift-apiserver",
                "Progressing",
                True,
                reason="APIServerDeployment_PodsUpdating",
                message="APIServerDeploymentProgressing: deployment/apiserver.openshift-apiserver: "
                f"{updated}/{replicas} pods have been updated to the latest generation",
            )
            await self.context.scale.sleep(self.context.pace.apiserver_rollout)
        status = {"observedGeneration": generation, "updatedReplicas": replicas}
        store.patch("deployments.apps", "apiserver", {"status": status}, _APISERVER_NAMESPACE, status=True)
        report(
            self.context,
            "openshift-apiserver",
            "Progressing",
            False,
            reason="AsExpected",
            message="All is well",
        )


def report(ctx: Context, operator: str, kind: str, value: bool, *, reason: str, message: str) -> None:
    """Set one condition of a ClusterOperator, if that operator is installed."""
    found = ctx.store.get(context.CLUSTER_OPERATORS, operator)
    if found is None:
        return
    conditions = found.setdefault("status", {}).setdefault("conditions", [])
    status = "True" if value else "False"
    condition = next((c for c in conditions if c["type"] == kind), None)
    if condition is None:
        condition = {"type": kind, "status": "", "lastTransitionTime": now()}
        conditions.append(condition)
    if condition["status"] != status:
        condition["lastTransitionTime"] = now()
    condition |= {"status": status, "reason": reason, "message": message}
    ctx.store.update_status(context.CLUSTER_OPERATORS, found)
