# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine-config-controller: one process of five controllers that share their caches and their log."""

from __future__ import annotations

from ..api.errors import Refusal
from . import configs, context, render
from .context import Context
from .machinery import Informer, Log, Recorder, SyncError, Throttle, WorkQueue

_RETRIES = 15
_LATER = 60.0  # seconds until a key that failed too often is tried again


class Controller:
    """One controller: it hears of changes, queues keys, and brings what a key names into order."""

    noun = ""  # what a key names, in the log
    where = ""  # the source line that reports a failure
    workers = 2

    def __init__(self, process: MachineConfigController) -> None:
        self.process = process
        self.context = process.context
        self.store = process.context.store
        self.release = process.context.release
        self.log = process.log
        self.queue = WorkQueue(self.context.scale, self._work, workers=self.workers)

    def start(self) -> None:
        """Subscribe to what matters."""
        raise NotImplementedError

    async def sync(self, key: str) -> None:
        """Bring one thing into order; raises what _EXPECTED lists where that does not work now."""
        raise NotImplementedError

    def stop(self) -> None:
        self.queue.stop()

    async def _work(self, key: str) -> None:
        try:
            await self.sync(key)
        except _EXPECTED as error:
            self._failed(key, error)
        else:
            self.queue.forget(key)

    def _failed(self, key: str, error: Exception) -> None:
        if self.queue.failures(key) < _RETRIES:
            self.log.info(self.where, f"Error syncing {self.noun} {key}: {error}")
            self.queue.add_rate_limited(key)
            return
        self.log.info(self.where, f'Dropping {self.noun} "{key}" out of the queue: {error}')
        self.queue.forget(key)
        self.queue.add_after(key, _LATER)


_EXPECTED = (SyncError, Refusal, render.Refused, configs.BadConfig)


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
        from .drain_controller import DrainController
        from .image_controller import ImageController
        from .node_controller import NodeController
        from .render_controller import RenderController
        from .template_controller import TemplateController

        kinds = (TemplateController, ImageController, RenderController, NodeController, DrainController)
        self._controllers = [kind(self) for kind in kinds]
        for controller in self._controllers:
            controller.start()

    def stop(self) -> None:
        for part in (*self._controllers, *self._informers.values(), *self._recorders):
            part.stop()
        self._controllers, self._informers, self._recorders = [], {}, []

    def informer(self, resource: str) -> Informer:
        """The cache of one resource, which all controllers share."""
        if resource not in self._informers:
            self._informers[resource] = Informer(self.context.store, resource, self.context.informer_lag)
        return self._informers[resource]

    def mirror_informers(self) -> list[Informer]:
        """The caches of ImageContentSourcePolicies, ImageDigestMirrorSets and ImageTagMirrorSets, as far as served."""
        served = [kind for kind in (context.ICSP, context.IDMS, context.ITMS) if kind in self.context.store.table]
        return [self.informer(kind) for kind in served]

    def recorder(self, component: str, throttle: Throttle | None = None) -> Recorder:
        name = f"machineconfigcontroller-{component}"
        namespace = self.context.release.event_namespace
        recorder = Recorder(self.context.store, self.context.scale, name, namespace, throttle)
        self._recorders.append(recorder)
        return recorder

    def throttle(self) -> Throttle:
        return Throttle(self.context.scale)
