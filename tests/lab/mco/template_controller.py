# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ControllerConfig and the global pull secret become 00-<role> and 01-<role>-*."""

from __future__ import annotations

import base64

from ..api.store import clone
from . import configs, context
from .machinery import SyncError, set_condition
from .syncing import Controller

_ROLES = ("master", "worker")
_COMPLETED, _RUNNING, _FAILING = (
    f"TemplateController{state}" for state in ("Completed", "Running", "Failing")
)
_SECRET_TYPE = "kubernetes.io/dockerconfigjson"


class TemplateController(Controller):
    noun = "controllerconfig"
    where = "template_controller.go:421"

    def start(self) -> None:
        self.controller_configs = self.process.informer(context.CONTROLLER_CONFIGS)
        self.controller_configs.subscribe(lambda old, new: self.queue.add(context.CONTROLLER_CONFIG))
        self.process.informer(context.MACHINE_CONFIGS).subscribe(self._machine_config)
        self.process.informer("secrets").subscribe(self._secret)

    def _machine_config(self, old: dict | None, new: dict | None) -> None:
        owners = (new or old)["metadata"].get("ownerReferences") or ()
        if any(owner["kind"] == "ControllerConfig" for owner in owners):
            self.queue.add(context.CONTROLLER_CONFIG)

    def _secret(self, old: dict | None, new: dict | None) -> None:
        is_it = (
            new
            and new["metadata"]["name"] == "pull-secret"
            and new["metadata"]["namespace"] == "openshift-config"
        )
        if is_it and (not old or old.get("data") != new.get("data")):
            self.queue.add(context.CONTROLLER_CONFIG)

    async def sync(self, key: str) -> None:
        config = self.controller_configs.get(key)
        if not config:
            return
        generation = config["metadata"]["generation"]
        if generation != (config.get("status") or {}).get("observedGeneration"):
            self._report(
                generation,
                **{
                    _RUNNING: (
                        "True",
                        f"syncing towards ({generation}) generation using controller version {self._version}",
                    )
                },
            )
        await self.context.scale.sleep(self.context.jitter.between(0.08, 0.12))
        try:
            pull_secret = self._pull_secret()
            for role in _ROLES:
                for wanted in configs.from_templates(self.release, role, config, pull_secret):
                    self._apply(wanted)
                await self.context.scale.sleep(0.025)
        except (SyncError, configs.BadConfig) as error:
            self._report(
                generation,
                **{
                    _FAILING: (
                        "True",
                        f"failed to syncing towards ({generation}) generation using controller version "
                        f"{self._version}: {error}",
                    ),
                    _COMPLETED: ("False", ""),
                    _RUNNING: ("False", ""),
                },
            )
            raise
        self._report(
            generation,
            **{
                _COMPLETED: (
                    "True",
                    f"sync completed towards ({generation}) generation using controller version "
                    f"{self._version}",
                ),
                _RUNNING: ("False", ""),
                _FAILING: ("False", ""),
            },
        )

    @property
    def _version(self) -> str:
        return f"v{self.release.version}"

    def _pull_secret(self) -> str:
        item = self.store.item("secrets", "pull-secret", "openshift-config")
        if item is None:
            raise SyncError('secrets "pull-secret" not found')
        secret = item.object
        if secret.get("type") != _SECRET_TYPE:
            raise SyncError(f"expected secret type {_SECRET_TYPE} found {secret.get('type', 'Opaque')}")
        return configs.compact(
            base64.b64decode((secret.get("data") or {}).get(".dockerconfigjson", "")).decode()
        )

    def _apply(self, wanted: dict) -> None:
        present = self.store.item(context.MACHINE_CONFIGS, wanted["metadata"]["name"])
        if present is None:
            self.store.create(context.MACHINE_CONFIGS, wanted)
        elif present.object["spec"] != wanted["spec"]:
            self.store.update(context.MACHINE_CONFIGS, wanted)

    def _report(self, generation: int, **conditions: tuple[str, str]) -> None:
        """Write conditions, given as (status, message), into the ControllerConfig's status."""
        item = self.store.item(context.CONTROLLER_CONFIGS, context.CONTROLLER_CONFIG)
        if item is None:
            return
        config = clone(item.object)
        status = config.setdefault("status", {})
        listed = status.get("conditions") or []
        for kind, (value, message) in conditions.items():
            listed = set_condition(listed, kind, value, message=message)
        config["status"] = status | {"conditions": listed, "observedGeneration": generation}
        self.store.update_status(context.CONTROLLER_CONFIGS, config)


def why_incomplete(config: dict | None) -> str:
    """Why nothing is rendered for any pool now, or nothing: the ControllerConfig's own state."""
    if config is None:
        return f'controllerconfig.machineconfiguration.openshift.io "{context.CONTROLLER_CONFIG}" not found'
    status, generation = config.get("status") or {}, config["metadata"]["generation"]
    if status.get("observedGeneration") != generation:
        return (
            f"status for ControllerConfig {context.CONTROLLER_CONFIG} is being reported for "
            f"{status.get('observedGeneration', 0)}, expecting it for {generation}"
        )
    by_kind = {
        condition["type"]: condition["status"] == "True" for condition in status.get("conditions") or ()
    }
    completed, running, failing = (by_kind.get(kind, False) for kind in (_COMPLETED, _RUNNING, _FAILING))
    if completed and not running and not failing:
        return ""
    words = [str(state).lower() for state in (completed, running, failing)]
    return "ControllerConfig has not completed: completed({}) running({}) failing({})".format(*words)
