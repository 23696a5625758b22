# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all controllers of the machine-config-controller do alike: they queue keys, work on them, and try again."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

from ..api.errors import Refusal
from . import configs, render
from .machinery import SyncError, WorkQueue

if TYPE_CHECKING:
    from .controller import MachineConfigController

_RETRIES = 15
_LATER = 60.0  # seconds until a key that failed too often is tried again
_EXPECTED = (SyncError, Refusal, render.Refused, configs.BadConfig)


class Controller(abc.ABC):
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

    @abc.abstractmethod
    def start(self) -> None:
        """Subscribe to what matters."""

    @abc.abstractmethod
    async def sync(self, key: str) -> None:
        """Bring one thing into order; raises what _EXPECTED lists where that does not work now."""

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
