# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine-config-daemon of every node: it makes the node what its desiredConfig annotation names.

All of a lab's daemons are one object; each node is worked on by itself. What a daemon cannot do is an error that it
reports in its node's annotations and tries again.
"""

from __future__ import annotations

import asyncio
import json

from ..api import store as api
from ..nodefs import CURRENT_CONFIG, FORCE_FILE
from . import configs, context, disruption, draining
from .context import Context, annotation
from .disruption import Action, Disruption
from .draining import DrainFailed
from .machinery import Informer, Log, Recorder, WorkQueue

_DRAIN_TIME, _UNCORDON_TIME = 3600.0, 600.0
_MOST_BACKOFF = 60.0
_OVERRIDE = "image-registry-override-drain"
_SEE_LOGS = "Please see machine-config-controller logs for more information"


class UpdateFailed(Exception):
    """What the daemon writes into its node's reason annotation."""


class Daemons:
    """Every node's daemon."""

    def __init__(self, ctx: Context) -> None:
        self.context = ctx
        self.store = ctx.store
        self.release = ctx.release
        self.recorder = Recorder(ctx.store, ctx.scale, "machineconfigdaemon", ctx.release.event_namespace)
        self.queue = WorkQueue(ctx.scale, self._work, base=ctx.pace.daemon_reaction, cap=_MOST_BACKOFF)
        self._logs: dict[str, Log] = {}

    def start(self) -> None:
        self.nodes = Informer(self.store, context.NODES)
        self.nodes.subscribe(self._node)

    def stop(self) -> None:
        for part in (self.queue, self.nodes, self.recorder):
            part.stop()

    def log(self, node: str) -> Log:
        """The log of one node's daemon."""
        return self._logs.setdefault(node, Log(lines=500))

    def wake(self, node: str) -> None:
        """Make a daemon look at its node again, as it does when its node changes."""
        self.queue.add_rate_limited(node)

    def _node(self, old: dict | None, new: dict | None) -> None:
        if new and (old is None or old["metadata"].get("annotations") != new["metadata"].get("annotations")):
            self.queue.add_rate_limited(new["metadata"]["name"])

    async def _work(self, name: str) -> None:
        try:
            await self._sync(name)
        except (UpdateFailed, configs.BadConfig) as error:
            self.log(name).error("writer.go:226", f'Marking Degraded due to: "{error}"')
            self._annotate(name, {context.STATE: context.DEGRADED, context.REASON: str(error)[:2000]})
            self.queue.add_rate_limited(name)
        else:
            self.queue.forget(name)

    async def _sync(self, name: str) -> None:
        node = self.nodes.get(name)
        if not node:
            return
        self._fail_if_told(name)
        if annotation(node, context.DESIRED_DRAIN) != annotation(node, context.LAST_APPLIED_DRAIN):
            self.log(name).info(
                "daemon.go:730",
                "A previously requested drain has not yet completed. Waiting for "
                "machine-config-controller to finish draining node.",
            )
            return
        if not annotation(node, context.DESIRED_CONFIG) or context.node_is_done(node):
            return
        target = annotation(node, context.DESIRED_CONFIG)
        while target:
            target = await self._update(name, target)

    async def _update(self, name: str, target: str) -> str:
        """Bring a node to a configuration; returns another one if meanwhile that became the node's target."""
        log = self.log(name)
        if self._annotation(name, context.STATE) != context.DEGRADED:
            self._annotate(name, {context.STATE: context.WORKING})
        old, new = self._current(name), self._config(target)
        forced = self.context.files(name).read(FORCE_FILE) is not None
        if not forced:
            self._check_drift(name, old)
        plan = Disruption((Action(disruption.REBOOT),), True) if forced else self._plan(old, new)
        log.info("update.go:1082", f"Starting update from {old['metadata']['name']} to {target}")
        if plan.drain:
            await self._drain(name, target)
        else:
            log.info("update.go:1200", "Changes do not require drain, skipping.")
        await self.context.scale.sleep(self.context.pace.work)
        self._write_files(name, old, new)
        self.context.files(name).remove(FORCE_FILE)
        try:
            self._fail_if_told(name)
            for action in plan.actions:
                await self._act(name, action, target)
        except UpdateFailed:
            self._write_files(name, old=new, new=old)
            raise
        wanted = self._annotation(name, context.DESIRED_CONFIG)
        if wanted != target:
            return wanted
        await self._complete(name, target, moved=old["metadata"]["name"] != target)
        return ""

    def _fail_if_told(self, name: str) -> None:
        if reason := self.context.faults.degraded.get(name):
            raise UpdateFailed(reason)

    # What there is

    def _config(self, name: str) -> dict:
        item = self.store.item(context.MACHINE_CONFIGS, name)
        if item is None:
            raise UpdateFailed(
                f'missing MachineConfig {name}\nmachineconfig.machineconfiguration.openshift.io "{name}" not found'
            )
        return item.object

    def _current(self, name: str) -> dict:
        """The configuration that was written last, as the node's own disk remembers it."""
        written = self.context.files(name).read(CURRENT_CONFIG)
        return json.loads(written) if written else self._config(self._annotation(name, context.CURRENT_CONFIG))

    def _check_drift(self, name: str, config: dict) -> None:
        """Files that somebody changed by hand make the daemon refuse to go on."""
        files, known = self.context.files(name), config["metadata"]["name"]
        for path, file in configs.files_of(config).items():
            if files.read(path) == configs.content(file):
                continue
            raise UpdateFailed(
                f'unexpected on-disk state validating against {known}: content mismatch for file "{path}"'
            )

    def _plan(self, old: dict, new: dict) -> Disruption:
        policies = None
        if self.release.node_disruption_policies:
            item = self.store.item(context.MACHINE_CONFIGURATIONS, "cluster")
            status = (item.object.get("status") or {}) if item else {}
            policies = (status.get("nodeDisruptionPolicyStatus") or {}).get("clusterPolicies")
        overridden = self.store.item("configmaps", _OVERRIDE, context.NAMESPACE) is not None
        return disruption.disruption(self.release, old, new, policies=policies, drain_overridden=overridden)

    def _single_node(self, name: str) -> bool:
        return self._annotation(name, context.TOPOLOGY) == "SingleReplica"

    # Draining, by the controller or, before 4.11, by the daemon itself

    async def _drain(self, name: str, target: str) -> None:
        if self.release.daemon_drains:
            await self._drain_alone(name)
            return
        if self._single_node(name):
            self._say(name, "Drain", "Drain not required, skipping")
            return
        request = f"drain-{target}"
        if self._annotation(name, context.LAST_APPLIED_DRAIN) == request:
            return
        self._say(name, "Cordon", "Cordoned node to apply update")
        self._say(name, "Drain", "Draining node to update config.")
        self.context.count(name).drains += 1
        failure = f"failed to drain node: {name} after 1 hour. {_SEE_LOGS}"
        await self._ask(name, request, _DRAIN_TIME, "FailedToDrain", failure)

    async def _drain_alone(self, name: str) -> None:
        draining.cordon(self.store, name, True)
        self._say(name, "Cordon", "Cordoned node to apply update")
        if self._single_node(name):
            self._say(name, "Drain", "Drain not required, skipping")
            return
        self._say(name, "Drain", "Draining node to update config.")
        self.context.count(name).drains += 1
        log = self.log(name)
        clock = asyncio.get_running_loop()
        deadline, failures = clock.time() + self.context.scale.seconds(_DRAIN_TIME), 0
        while True:
            try:
                await draining.drain(self.context, name, lambda message: log.info("daemon.go:355", message))
                return
            except DrainFailed as failure:
                failures += 1
                log.info("drain.go:94", f"Draining failed with: {failure}, retrying")
            await self.context.scale.sleep(60.0 if failures <= 5 else 300.0)
            if clock.time() > deadline:
                said = f"failed to drain node : {name} after 1 hour"
                self._say(name, "FailedToDrain", said, kind="Warning")
                raise UpdateFailed(said)

    async def _ask(self, name: str, request: str, patience: float, reason: str, failure: str) -> None:
        """Ask the controller by annotation, and look every ten seconds whether it did."""
        self._annotate(name, {context.DESIRED_DRAIN: request})
        waited = 0.0
        while waited < patience:
            await self.context.scale.sleep(self.context.pace.daemon_poll)
            waited += self.context.pace.daemon_poll
            node = self.nodes.get(name)
            if annotation(node, context.DESIRED_DRAIN) == annotation(node, context.LAST_APPLIED_DRAIN):
                return
        self._say(name, reason, failure, kind="Warning")
        raise UpdateFailed(failure)

    # Writing and acting

    def _write_files(self, name: str, old: dict, new: dict) -> None:
        files, wanted = self.context.files(name), configs.files_of(new)
        for path, file in wanted.items():
            data, mode = configs.content(file), file.get("mode", 0o644)
            if files.read(path) != data or files.mode(path) != mode:
                files.write(path, data, mode)
        for path in configs.files_of(old).keys() - wanted.keys():
            files.remove(path)
        files.write(CURRENT_CONFIG, json.dumps(new).encode())

    async def _act(self, name: str, action: Action, target: str) -> None:
        service = action.service or "crio"
        match action.kind:
            case "Reload" | "Special" | "DaemonReload":
                if action.kind == "DaemonReload":
                    service = "daemon-reload"
                self._reload(name, service)
            case "Restart":
                self._say(
                    name,
                    "ServiceRestart",
                    f"Config changes do not require reboot. Service {service} was restarted.",
                )
                self.context.count(name).crio_restarts += "crio" in service
            case disruption.NONE:
                self._say(name, "SkipReboot", "Config changes do not require reboot.")
            case disruption.REBOOT:
                await self._reboot(name, target)
        await self.context.scale.sleep(self.context.pace.work)

    def _reload(self, name: str, service: str) -> None:
        if name in self.context.faults.failing_reloads:
            error = f"error running systemctl reload {service}: Job for {service}.service failed.\n: exit status 1"
            subject = f"service {service}" if self.release.node_disruption_policies else f"{service} service"
            self._say(
                name, "FailedServiceReload", f"Reloading {subject} failed. Error: {error}", kind="Warning"
            )
            raise UpdateFailed(
                f"could not apply update: reloading {service} configuration failed. Error: {error}"
            )
        reason = "ServiceReload" if self.release.node_disruption_policies else "SkipReboot"
        self._say(name, reason, f"Config changes do not require reboot. Service {service} was reloaded.")
        self.context.count(name).crio_reloads += "crio" in service

    async def _reboot(self, name: str, target: str) -> None:
        """The node goes away for a while, and comes back with another boot ID."""
        self._say(name, "Reboot", f"Node will reboot into config {target}")
        self._ready(name, "False", "KubeletNotReady", "node is shutting down")
        await self.context.scale.sleep(self.context.pace.reboot * self.context.jitter.between(0.8, 1.2))
        boot_id = "-".join(
            f"{int(self.context.jitter.between(0, 16**size)):0{size}x}" for size in (8, 4, 4, 4, 12)
        )
        node_info = self.store.item(context.NODES, name).object["status"]["nodeInfo"] | {"bootID": boot_id}
        self.store.patch(context.NODES, name, {"status": {"nodeInfo": node_info}}, status=True)
        self._restart_pods(name)
        self._ready(name, "True", "KubeletReady", "kubelet is posting ready status")
        self.context.count(name).reboots += 1

    def _ready(self, name: str, status: str, reason: str, message: str) -> None:
        conditions = self.store.get(context.NODES, name)["status"]["conditions"]
        for condition in conditions:
            if condition["type"] == "Ready":
                condition |= {
                    "status": status,
                    "reason": reason,
                    "message": message,
                    "lastTransitionTime": api.now(),
                }
        self.store.patch(context.NODES, name, {"status": {"conditions": conditions}}, status=True)

    def _restart_pods(self, name: str) -> None:
        for item in tuple(self.store.items("pods")):
            status = item.object.get("status") or {}
            if item.object["spec"].get("nodeName") != name or not status.get("containerStatuses"):
                continue
            metadata = item.object["metadata"]
            statuses = [
                s | {"restartCount": s.get("restartCount", 0) + 1} for s in status["containerStatuses"]
            ]
            change = {"status": {"containerStatuses": statuses}}
            self.store.patch("pods", metadata["name"], change, metadata["namespace"], status=True)

    async def _complete(self, name: str, target: str, *, moved: bool) -> None:
        if self.release.daemon_drains:
            draining.cordon(self.store, name, False)
        else:
            failure = (
                f"failed to uncordon node: {name} after 10 minutes. "
                "Please see machine-config-controller logs for more information"
            )
            await self._ask(name, f"uncordon-{target}", _UNCORDON_TIME, "FailedToUncordon", failure)
        self._say(name, "Uncordon", f"Update completed for config {target} and node has been uncordoned")
        self._say(name, "NodeDone", f"Setting node {name}, currentConfig {target} to Done")
        self._annotate(
            name, {context.STATE: context.DONE, context.CURRENT_CONFIG: target, context.REASON: ""}
        )
        self.context.count(name).updates += moved

    def _annotation(self, name: str, key: str) -> str:
        node = self.nodes.get(name)
        return annotation(node, key) if node else ""

    def _annotate(self, name: str, annotations: dict[str, str]) -> None:
        self.store.patch(context.NODES, name, {"metadata": {"annotations": annotations}})

    def _say(self, name: str, reason: str, message: str, *, kind: str = "Normal") -> None:
        self.recorder.event(self.nodes.get(name), reason, message, kind=kind, host=name)
        self.log(name).info("update.go:2697", message)
