# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What daemons ask for by annotation: cordon and drain a node, or uncordon it; five seconds after they asked."""

from __future__ import annotations

import asyncio

from . import context, draining
from .context import annotation
from .draining import DrainFailed
from .machinery import SyncError
from .syncing import Controller

_DELAY = 5.0
_RETRY, _RETRY_LATER = 60.0, 300.0
_FAILING_SINCE, _TOO_LONG = 600.0, 3600.0


class DrainController(Controller):
    noun = "node"
    where = "drain_controller.go:229"
    workers = 5

    def start(self) -> None:
        self.ongoing: dict[str, float] = {}
        self.recorder = self.process.recorder("nodecontroller")
        self.nodes = self.process.informer(context.NODES)
        self.nodes.subscribe(self._node)

    def _node(self, old: dict | None, new: dict | None) -> None:
        if new and (
            old is None
            or annotation(old, context.DESIRED_DRAIN) != annotation(new, context.DESIRED_DRAIN)
            or old["spec"].get("unschedulable") != new["spec"].get("unschedulable")
        ):
            self.queue.add_after(new["metadata"]["name"], _DELAY)

    async def sync(self, key: str) -> None:
        node = self.nodes.get(key)
        if not node:
            return
        wanted = annotation(node, context.DESIRED_DRAIN)
        if wanted == annotation(node, context.LAST_APPLIED_DRAIN):
            return
        match wanted.partition("-")[0]:
            case "uncordon":
                self._log(key, "uncordoning")
                await self._cordon(key, node, False)
            case "drain":
                if not await self._drain(key, node):
                    return
            case verb:
                raise SyncError(f"node {key}: non-recognized drain verb detected {verb}")
        self.store.patch(
            context.NODES, key, {"metadata": {"annotations": {context.LAST_APPLIED_DRAIN: wanted}}}
        )

    async def _cordon(self, name: str, node: dict, cordon: bool) -> None:
        verb = "cordon" if cordon else "uncordon"
        schedulable = not node["spec"].get("unschedulable")
        self._log(name, f"initiating {verb} (currently schedulable: {str(schedulable).lower()})")
        draining.cordon(self.store, name, cordon)
        await self.context.scale.sleep(self.context.jitter.between(0.005, 0.015))
        self._log(name, f"{verb} succeeded (currently schedulable: {str(not cordon).lower()})")

    async def _drain(self, name: str, node: dict) -> bool:
        """Whether the node is empty now; if not, it is tried again after a while."""
        now = asyncio.get_running_loop().time() * self.context.scale.speed
        since = self.ongoing.get(name)
        lasted = 0.0 if since is None else now - since
        if lasted > _TOO_LONG:
            said = f"node {name}: drain exceeded timeout: 1h0m0s. Will continue to retry."
            self.recorder.event(node, "DrainFailed", said, kind="Warning")
        if since is None or not node["spec"].get("unschedulable"):
            self._log(name, "cordoning")
            await self._cordon(name, node, True)
            self.ongoing.setdefault(name, now)
        self._log(name, "initiating drain")
        try:
            await draining.drain(self.context, name, lambda message: self._log(name, message))
        except DrainFailed as failure:
            self._postpone(name, node, lasted, failure)
            return False
        self.ongoing.pop(name, None)
        return True

    def _postpone(self, name: str, node: dict, lasted: float, failure: DrainFailed) -> None:
        if lasted <= _FAILING_SINCE:
            self._log(
                name, f"Drain failed. Waiting 1 minute then retrying. Error message from drain: {failure}"
            )
            self.queue.add_after(name, _RETRY)
            return
        said = (
            "Drain failed. Drain has been failing for more than 10 minutes. Waiting 5 minutes then retrying. "
            f"Error message from drain: {failure}"
        )
        self._log(name, said)
        self.recorder.event(node, "DrainThresholdExceeded", said, kind="Warning")
        self.queue.add_after(name, _RETRY_LATER)

    def _log(self, name: str, message: str) -> None:
        self.log.info("drain_controller.go:193", f"node {name}: {message}")
