# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a running lab does when it is asked to through its control socket."""

from __future__ import annotations

from collections.abc import Mapping

from .api.server import Server
from .api.store import Store
from .control import Rejected, Verb
from .faults import Faults
from .mco import MachineConfigOperator
from .pull import Puller
from .reach import PLACES, Reach
from .registries import Borrowed, Registry, RegistryFailed


class Steering:
    """The verbs. Each takes what the request says beside its verb, and returns what is sent back."""

    def __init__(
        self,
        store: Store,
        server: Server,
        operator: MachineConfigOperator,
        puller: Puller,
        registries: Mapping[str, Registry | Borrowed],
        faults: Faults,
        reach: Reach,
    ) -> None:
        self._store = store
        self._server = server
        self._operator = operator
        self._puller = puller
        self._registries = registries
        self._faults = faults
        self._reach = reach

    def verbs(self) -> dict[str, Verb]:
        return {
            "status": self.status,
            "stats": self.stats,
            "pull": self.pull,
            "upstream": lambda state: self._switch("upstream", state),
            "mirror": lambda state: self._switch("mirror", state),
            "faults": self.faults,
            "cut": lambda place, nodes=(): self._way(self._reach.cut, place, nodes),
            "restore": lambda place, nodes=(): self._way(self._reach.restore, place, nodes),
        }

    def node_names(self) -> list[str]:
        return [item.object["metadata"]["name"] for item in self._store.items("nodes")]

    async def status(self) -> dict:
        return {"registries": {name: registry.running for name, registry in self._registries.items()}}

    async def stats(self, reset: bool = False) -> dict:
        """Requests to the API, and the writes among them; what every node went through; the registries' traffic."""
        counts = {
            **self._server.stats.summary(),
            "nodes": self._operator.counts(),
            "registries": {name: registry.traffic.count() for name, registry in self._registries.items()},
        }
        if reset:
            self._server.stats.reset()
            for registry in self._registries.values():
                registry.traffic.reset()
        return counts

    async def pull(self, images: list[str], node: str | None = None) -> list[dict]:
        """Pull images on one node, or on all."""
        names = self.node_names()
        if node is not None and node not in names:
            raise Rejected(f"There is no node {node}: the lab has {', '.join(names[:20])}.")
        pulls = await self._puller.pull_all([node] if node else names, images)
        return [pull.result() for pull in pulls]

    async def faults(self, words: list[str]) -> dict:
        return self._faults.tell(words)

    async def _way(self, change, place: str, nodes: list[str]) -> dict:
        """Take nodes, or all of them, the way to the internet or to the mirror registry, or give it back."""
        names = self.node_names()
        unknown = [node for node in nodes if node not in names]
        if place not in PLACES or unknown:
            raise Rejected(f"There is no {', '.join(unknown) or place}: say one of {', '.join(PLACES)}, and nodes' names.")
        change(place, nodes or names)
        return self._reach.lost()

    async def _switch(self, name: str, state: str) -> str:
        registry = self._registries[name]
        if state not in ("on", "off"):
            raise Rejected(f"The {name} registry is on or off, not {state!r}.")
        try:
            await (registry.start() if state == "on" else registry.stop())
        except RegistryFailed as problem:
            raise Rejected(str(problem)) from None
        return f"The {name} registry {registry.address} is {state}."
