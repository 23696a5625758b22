# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine-config-controller: one process of five controllers that share their caches and their log."""

from __future__ import annotations

from . import context
from .context import Context
from .drain_controller import DrainController
from .image_controller import ImageController
from .machinery import Informer, Log, Recorder, Throttle
from .node_controller import NodeController
from .render_controller import RenderController
from .syncing import Controller
from .template_controller import TemplateController

_KINDS = (TemplateController, ImageController, RenderController, NodeController, DrainController)


class MachineConfigController:
    """The process: started, its controllers first look at everything there is, as after a restart."""

    def __init__(self, ctx: Context) -> None:
        self.context = ctx
        self.log = Log()
        self._informers: dict[str, Informer] = {}
        self._controllers: list[Controller] = []
        self._recorders: list[Recorder] = []

    @property
    def running(self) -> bool:
        return bool(self._controllers)

    def start(self) -> None:
        self._controllers = [kind(self) for kind in _KINDS]
        for controller in self._controllers:
            controller.start()

    def stop(self) -> None:
        for controller in self._controllers:
            controller.stop()
        for informer in self._informers.values():
            informer.stop()
        for recorder in self._recorders:
            recorder.stop()
        self._controllers, self._informers, self._recorders = [], {}, []

    def informer(self, resource: str) -> Informer:
        """The cache of one resource, which all controllers share."""
        if resource not in self._informers:
            self._informers[resource] = Informer(self.context.store, resource, self.context.informer_lag)
        return self._informers[resource]

    def mirror_informers(self) -> list[Informer]:
        """The caches of ImageContentSourcePolicies, ImageDigestMirrorSets and ImageTagMirrorSets, as far as served."""
        served = [
            kind for kind in (context.ICSP, context.IDMS, context.ITMS) if kind in self.context.store.table
        ]
        return [self.informer(kind) for kind in served]

    def recorder(self, component: str, throttle: Throttle | None = None) -> Recorder:
        name = f"machineconfigcontroller-{component}"
        namespace = self.context.release.event_namespace
        recorder = Recorder(self.context.store, self.context.scale, name, namespace, throttle)
        self._recorders.append(recorder)
        return recorder

    def throttle(self) -> Throttle:
        return Throttle(self.context.scale)
