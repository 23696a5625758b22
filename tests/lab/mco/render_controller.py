# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A pool's MachineConfigs become one rendered MachineConfig, up to five seconds after any of them or the pool changed.

The wait counts from the first change, not the last: what changes inside it is rendered together. A paused pool is
rendered too. Going back to earlier content finds the earlier object, and then there is no event.
"""

from __future__ import annotations

from ..api.errors import Refusal
from ..api.store import clone
from . import configs, context
from .machinery import SyncError, has_condition, selects, set_condition
from .syncing import Controller
from .template_controller import why_incomplete

_DELAY = 5.0


class RenderController(Controller):
    noun = "machineconfigpool"
    where = "render_controller.go:394"

    def start(self) -> None:
        self.recorder = self.process.recorder("rendercontroller")
        self.controller_configs = self.process.informer(context.CONTROLLER_CONFIGS)
        self.configs = self.process.informer(context.MACHINE_CONFIGS)
        self.pools = self.process.informer(context.POOLS)
        self.pools.subscribe(self._pool)
        self.configs.subscribe(self._machine_config)

    def _pool(self, old: dict | None, new: dict | None) -> None:
        if new:
            self.queue.add_after(new["metadata"]["name"], _DELAY)

    def _machine_config(self, old: dict | None, new: dict | None) -> None:
        config = new or old
        owners = config["metadata"].get("ownerReferences") or ()
        owner = next((owner["name"] for owner in owners if owner["kind"] == "MachineConfigPool"), None)
        for name, pool in self.pools.items.items():
            if name == owner or (owner is None and _takes(pool, config)):
                self.queue.add_after(name, _DELAY)

    async def sync(self, key: str) -> None:
        pool = self.pools.get(key)
        if not pool:
            return
        if why := why_incomplete(self.controller_configs.get(context.CONTROLLER_CONFIG)):
            raise SyncError(why)
        taken = [config for config in self.configs.items.values() if _takes(pool, config)]
        try:
            if not taken:
                raise SyncError(
                    f"no MachineConfigs found matching selector {pool['spec']['machineConfigSelector']}"
                )
            self._render(pool, taken)
        except (SyncError, configs.BadConfig, Refusal) as error:
            self.log.error("render_controller.go:464", f"Error syncing Generated MCFG: {error}")
            self._report(pool, f"Failed to render configuration for pool {key}: {error}")
            raise
        if not has_condition(pool, "RenderDegraded", "False"):
            self._write_status(pool, "False", "")

    def _render(self, pool: dict, taken: list[dict]) -> None:
        name = pool["metadata"]["name"]
        if name in self.context.faults.unrenderable:
            raise SyncError(
                f"could not generate rendered MachineConfig: {self.context.faults.unrenderable[name]}"
            )
        os_image = self.controller_configs.get(context.CONTROLLER_CONFIG)["spec"].get("osImageURL", "")
        generated = configs.rendered(self.release, pool, taken, os_image)
        target, source = generated["metadata"]["name"], configs.references(taken)
        if target not in self.configs.items and not self.store.item(context.MACHINE_CONFIGS, target):
            self.store.create(context.MACHINE_CONFIGS, generated)
            listed = " ".join(
                f"{{MachineConfig  {reference['name']}  {reference['apiVersion']}  }}" for reference in source
            )
            self.log.info(
                "render_controller.go:560",
                f"Generated machineconfig {target} from {len(source)} configs: [{listed}]",
            )
            self.recorder.event(
                pool,
                "RenderedConfigGenerated",
                (
                    f"{target} successfully generated (release version: {self.release.version}, "
                    f"controller version: {configs.controller_version(self.release)})"
                ),
            )
        changed = clone(pool)
        before = (changed["spec"].get("configuration") or {}).get("name")
        changed["spec"]["configuration"] = {"name": target, "source": source}
        self.store.update(context.POOLS, changed)
        if before != target:
            self.log.info("render_controller.go:591", f"Pool {name}: now targeting: {target}")

    def _report(self, pool: dict, message: str) -> None:
        try:
            self._write_status(pool, "True", message)
        except Refusal as refusal:
            name = pool["metadata"]["name"]
            self.log.error("render_controller.go:486", f"Error updating MachineConfigPool {name}: {refusal}")

    def _write_status(self, pool: dict, degraded: str, message: str) -> None:
        """As the pool was when it was read: whoever wrote it since makes this a conflict."""
        changed = clone(pool)
        status = changed.setdefault("status", {})
        listed = status.get("conditions") or []
        status["conditions"] = set_condition(listed, "RenderDegraded", degraded, message=message)
        self.store.update_status(context.POOLS, changed)


def _takes(pool: dict, config: dict) -> bool:
    return selects(pool["spec"].get("machineConfigSelector"), config)
