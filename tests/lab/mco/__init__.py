# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine-config operator's behaviour: its controllers, a daemon on every node, and the faults it can have."""

from __future__ import annotations

import dataclasses

from ..api.store import Store
from ..clock import Scale
from ..settings import Settings
from . import context
from .certs import ApiServerOperator, ControllerConfigSync, NodeCa, RegistryOperator
from .config_operator import ConfigOperator
from .context import Context, Faults, NodeCounts, Pace, annotation
from .controller import MachineConfigController
from .daemon import Daemons
from .machinery import Jitter
from .releases import Release

__all__ = ["MachineConfigOperator", "Pace", "start"]


async def start(
    store: Store, settings: Settings, scale: Scale, *, pace: Pace | None = None, seed: int = 1
) -> MachineConfigOperator:
    """Bring a seeded cluster's machine-config operator to life. The same seed gives the same small delays."""
    ctx = Context(
        store=store,
        scale=scale,
        release=Release.of(settings.release_version),
        pace=pace or Pace(),
        jitter=Jitter(seed),
        nodes_directory=settings.node,
    )
    operator = MachineConfigOperator(ctx)
    operator.start()
    return operator


class MachineConfigOperator:
    """All of it, with the knobs that make it fail and the counts that tests go by."""

    def __init__(self, ctx: Context) -> None:
        self.context = ctx
        self.controller = MachineConfigController(ctx)
        self.daemons = Daemons(ctx)
        self._operator = ConfigOperator(ctx)
        self._others = [ControllerConfigSync(ctx), NodeCa(ctx), RegistryOperator(ctx), ApiServerOperator(ctx)]

    def start(self) -> None:
        for part in (self.controller, self.daemons, self._operator, *self._others):
            part.start()

    def stop(self) -> None:
        for part in (self.controller, self.daemons, self._operator, *self._others):
            part.stop()

    # What happened

    def counts(self) -> dict[str, dict[str, int]]:
        """For every node: updates, drains, reboots, crio_reloads, crio_restarts since the lab started."""
        names = [item.object["metadata"]["name"] for item in self.context.store.items(context.NODES)]
        return {name: dataclasses.asdict(self.context.counts.get(name, NodeCounts())) for name in names}

    def pod_log(self, pod: dict) -> str | None:
        """The log of one of the operator's own pods, or None for any other pod."""
        if pod["metadata"]["namespace"] != context.NAMESPACE:
            return None
        match pod["metadata"].get("labels", {}).get("k8s-app"):
            case "machine-config-controller":
                return self.controller.log.text()
            case "machine-config-operator":
                return self._operator.log.text()
            case "machine-config-daemon":
                return self.daemons.log(pod["spec"]["nodeName"]).text()
        return None

    # What can be made to go wrong

    @property
    def faults(self) -> Faults:
        return self.context.faults

    def degrade(self, node: str, reason: str = "") -> None:
        """Make a node's daemon report that it cannot go on."""
        found = self._node(node)
        self.faults.degraded[node] = reason or (
            f"unexpected on-disk state validating against {annotation(found, context.CURRENT_CONFIG)}: "
            'content mismatch for file "/etc/containers/registries.conf"'
        )
        self.daemons.wake(node)

    def recover(self, node: str) -> None:
        """Let a node work again, whatever was made to fail on it."""
        self._node(node)
        self.faults.degraded.pop(node, None)
        self.faults.failing_reloads.discard(node)
        self.daemons.wake(node)

    def fail_reloads(self, node: str) -> None:
        """Make CRI-O refuse to reload on a node."""
        self._node(node)
        self.faults.failing_reloads.add(node)

    def fail_rendering(self, pool: str, why: str = "") -> None:
        """Make a pool's configuration impossible to render, from its next change on."""
        self.faults.unrenderable[pool] = why or (
            "parsing Ignition config failed: unknown version. Supported spec versions: 2.2, 3.0, 3.1, 3.2, 3.3, 3.4"
        )
        self._touch(pool)

    def mend_rendering(self, pool: str) -> None:
        self.faults.unrenderable.pop(pool, None)
        self._touch(pool)

    def stop_controller(self) -> None:
        """Take the machine-config-controller down: nothing is rendered, targeted or drained until it is back."""
        self.controller.stop()
        self._controller_pods(False)

    def start_controller(self) -> None:
        if not self.controller.running:
            self.controller.start()
            self._controller_pods(True)

    def slow_caches(self, seconds: float) -> None:
        """Let the controller hear of every change so much later, in seconds of the real system."""
        self.faults.informer_lag = seconds

    def _node(self, name: str) -> dict:
        item = self.context.store.item(context.NODES, name)
        if item is None:
            raise KeyError(f"there is no node {name}")
        return item.object

    def _touch(self, pool: str) -> None:
        """A change of a pool that means nothing, so that its controllers look at it."""
        marker = {
            "metadata": {
                "annotations": {"lab.disconnected.openshift/looked-at": self.context.store.revision.__str__()}
            }
        }
        self.context.store.patch(context.POOLS, pool, marker)

    def _controller_pods(self, up: bool) -> None:
        store = self.context.store
        for pod in store.list("pods", context.NAMESPACE, {"k8s-app": "machine-config-controller"}):
            state = (
                {"running": {"startedAt": pod["metadata"]["creationTimestamp"]}}
                if up
                else {
                    "waiting": {
                        "reason": "CrashLoopBackOff",
                        "message": "back-off 5m0s restarting failed container",
                    }
                }
            )
            statuses = [
                status | {"ready": up, "started": up, "state": state}
                for status in pod["status"]["containerStatuses"]
            ]
            conditions = [
                condition | {"status": "True" if up else "False"}
                if condition["type"] in ("Ready", "ContainersReady")
                else condition
                for condition in pod["status"]["conditions"]
            ]
            change = {"status": {"containerStatuses": statuses, "conditions": conditions}}
            store.patch("pods", pod["metadata"]["name"], change, context.NAMESPACE, status=True)
