# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine-config-operator: it renders the ControllerConfig, then waits for the required pools, then starts over.

While it waits it does nothing else: a CA that changes during a rollout of the masters reaches the ControllerConfig
only after it. A required pool that is paused with something pending makes the ClusterOperator Degraded.
"""

from __future__ import annotations

import base64

from ..api.store import clone
from . import certs, context, disruption
from .context import Context
from .machinery import Informer, Log, SyncError, WorkQueue, has_condition

_KEY = "machine-config"
_REQUIRED = "operator.machineconfiguration.openshift.io/required-for-upgrade"
_MANAGED = "openshift-config-managed"
_MERGED = "merged-trusted-image-registry-ca"
_RETRIES, _LATER = 15, 60.0
_PATIENCE_PER_NODE = 600.0


class ConfigOperator:
    def __init__(self, ctx: Context) -> None:
        self.context = ctx
        self.store = ctx.store
        self.release = ctx.release
        self.log = Log(lines=2000)
        self.queue = WorkQueue(ctx.scale, self._work, workers=1)
        self._informers: list[Informer] = []

    def start(self) -> None:
        watched = [context.IMAGES, context.POOLS, context.CONTROLLER_CONFIGS, context.PROXIES, "configmaps"]
        if self.release.node_disruption_policies:
            watched.append(context.MACHINE_CONFIGURATIONS)
        for resource in watched:
            informer = Informer(self.store, resource, self.context.informer_lag)
            informer.subscribe(self._changed)
            self._informers.append(informer)

    def stop(self) -> None:
        self.queue.stop()
        for informer in self._informers:
            informer.stop()

    def _changed(self, old: dict | None, new: dict | None) -> None:
        obj = new or old
        if obj["kind"] == "ConfigMap" and not obj["metadata"]["namespace"].startswith("openshift-config"):
            return
        self.queue.add(_KEY)

    async def _work(self, key: str) -> None:
        # A sync of the real one takes some seconds: it applies all its manifests in between.
        await self.context.scale.sleep(self.context.jitter.between(1.0, 3.0))
        try:
            self._render_config()
            self._apply_policies()
            await self._wait_for_required_pools()
        except SyncError as error:
            self.log.error("operator.go:470", str(error))
            self._report_degraded(str(error))
            if self.queue.failures(key) < _RETRIES:
                self.queue.add_rate_limited(key)
            else:
                self.queue.forget(key)
                self.queue.add_after(key, _LATER)
        else:
            self.queue.forget(key)
            self._report_degraded("")
        self._report_upgradeable()

    # The ControllerConfig

    def _render_config(self) -> None:
        config = self.store.get(context.CONTROLLER_CONFIGS, context.CONTROLLER_CONFIG)
        if config is None:
            return
        spec = config["spec"]
        if self.release.controller_config_carries_cas:
            name, keys = certs.trusted_ca(self.context)
            if keys is None:
                self.log.warning(
                    "sync.go:289",
                    "could not find configmap specified in image.config.openshift.io/cluster "
                    f"with the name {name}",
                )
            service = self._config_map("image-registry-ca", _MANAGED)
            spec["imageRegistryBundleData"] = _bundles(service)
            spec["imageRegistryBundleUserData"] = _bundles(keys or {})
            self._merge({**service, **(keys or {})})
        bundle = self._user_bundle()
        if bundle is None:
            spec.pop("additionalTrustBundle", None)
        else:
            spec["additionalTrustBundle"] = base64.b64encode(bundle.encode()).decode()
        self.store.update(context.CONTROLLER_CONFIGS, config)

    def _config_map(self, name: str, namespace: str) -> dict[str, str]:
        item = self.store.item("configmaps", name, namespace)
        return dict(item.object.get("data") or {}) if item else {}

    def _user_bundle(self) -> str | None:
        """The CA bundle that the cluster-wide proxy's trustedCA names."""
        proxy = self.store.item(context.PROXIES, "cluster")
        name = ((proxy.object.get("spec") or {}).get("trustedCA") or {}).get("name") if proxy else None
        return self._config_map(name, "openshift-config").get("ca-bundle.crt") if name else None

    def _merge(self, data: dict[str, str]) -> None:
        """All registry CAs in one ConfigMap; it is left alone when there is none to put in."""
        data = {key: certs.certificate(text) for key, text in data.items()}
        present = self.store.get("configmaps", _MERGED, _MANAGED)
        if present is None:
            description = {"openshift.io/description": "Created and managed by the machine-config-operator"}
            metadata = {"name": _MERGED, "namespace": _MANAGED, "annotations": description}
            self.store.create("configmaps", {"metadata": metadata, "data": data})
        elif data and present.get("data") != data:
            self.store.update("configmaps", present | {"data": data})

    def _apply_policies(self) -> None:
        """MachineConfiguration/cluster: its status says which policies really hold."""
        if not self.release.node_disruption_policies:
            return
        item = self.store.item(context.MACHINE_CONFIGURATIONS, "cluster")
        if item is None:
            return
        configuration = clone(item.object)
        wanted = (configuration.get("spec") or {}).get("nodeDisruptionPolicy")
        status = configuration.setdefault("status", {})
        status["nodeDisruptionPolicyStatus"] = {
            "clusterPolicies": disruption.effective_policies(self.release, wanted)
        }
        status["observedGeneration"] = configuration["metadata"]["generation"]
        self.store.update_status(context.MACHINE_CONFIGURATIONS, configuration)

    # The pools

    async def _wait_for_required_pools(self) -> None:
        """Raises SyncError for a paused pool that has something pending, or when it takes too long."""
        waited, why = 0.0, ""
        required = [pool for pool in self._pools() if _REQUIRED in pool["metadata"].get("labels", {})]
        count = sum((pool.get("status") or {}).get("machineCount", 0) for pool in required)
        while waited <= count * _PATIENCE_PER_NODE:
            await self.context.scale.sleep(1.0)
            waited += 1.0
            why = self._why_not_yet()
            if not why:
                return
            self._report_upgradeable()
        raise SyncError(f"error during syncRequiredMachineConfigPools: [context deadline exceeded, {why}]")

    def _pools(self) -> list[dict]:
        return [item.object for item in self.store.items(context.POOLS)]

    def _why_not_yet(self) -> str:
        for pool in self._pools():
            name, status = pool["metadata"]["name"], pool.get("status") or {}
            if has_condition(pool, "Degraded", "True"):
                said = f"pool degraded: true {_counts(status)}"
                return f"error MachineConfigPool {name} is not ready, retrying. Status: ({said})"
            if _REQUIRED not in pool["metadata"].get("labels", {}):
                continue
            updated = has_condition(pool, "Updated", "True")
            if updated and pool["metadata"]["generation"] <= status.get("observedGeneration", 0):
                continue
            if pool["spec"].get("paused"):
                raise SyncError(self._paused(name, updated))
            said = f"{_counts(status)}, degraded: {status.get('degradedMachineCount', 0)}"
            return f"error required MachineConfigPool {name} is not ready, retrying. Status: ({said})"
        return ""

    def _paused(self, name: str, updated: bool) -> str:
        if updated and self.release.names_idle_pause:
            return (
                f"the required MachineConfigPool {name} was paused with no pending updates; "
                "no further syncing will occur until it is unpaused"
            )
        if self.release.minor >= 14:
            return f"error required MachineConfigPool {name} is paused and cannot sync until it is unpaused"
        return f"Required MachineConfigPool '{name}' is paused and can not sync until it is unpaused"

    # The ClusterOperator

    def _report_degraded(self, failure: str) -> None:
        certs.report(
            self.context,
            "machine-config",
            "Degraded",
            bool(failure),
            reason="RequiredPoolsFailed" if failure else "",
            message=f"Failed to resync {self.release.version} because: {failure}" if failure else "",
        )
        message = (
            f"Error while reconciling {self.release.version}"
            if failure
            else f"Cluster version is {self.release.version}"
        )
        certs.report(self.context, "machine-config", "Progressing", False, reason="", message=message)

    def _report_upgradeable(self) -> None:
        degraded = any(has_condition(pool, "Degraded", "True") for pool in self._pools())
        certs.report(
            self.context,
            "machine-config",
            "Upgradeable",
            not degraded,
            reason="DegradedPool" if degraded else "AsExpected",
            message="One or more machine config pools are degraded, please see `oc get mcp` for further details and "
            "resolve before upgrading"
            if degraded
            else "",
        )


def _counts(status: dict) -> str:
    total, ready, updated, unavailable = (
        status.get(f"{word}achineCount", 0) for word in ("m", "readyM", "updatedM", "unavailableM")
    )
    return f"total: {total}, ready {ready}, updated: {updated}, unavailable: {unavailable}"


def _bundles(keys: dict[str, str]) -> list[dict]:
    encoded = {key: base64.b64encode(certs.certificate(text).encode()).decode() for key, text in keys.items()}
    return [{"file": key, "data": encoded[key]} for key in sorted(encoded)]
