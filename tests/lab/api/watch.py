# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watches: the events of one resource as a stream, for those who list first and for those who do not."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from .errors import Refusal, bad_request
from .resources import Resource
from .selectors import Test
from .store import Event, Item, Store

BOOKMARK_PERIOD = 60.0  # seconds
_INITIAL_EVENTS_END = "k8s.io/initial-events-end"

Shape = Callable[[Item], bytes]


@dataclass(frozen=True)
class Options:
    """What a client asked of a watch."""

    wanted: Test
    namespace: str = ""
    revision: int | None = None  # None: the present objects first, then what happens
    bookmarks: bool = False
    initial_events: bool = False  # the present objects first, ended by a marked bookmark
    timeout: float = 1800.0  # seconds


class Watch:
    """One running watch. Iterate over it for lines of JSON; `close` ends it from the server's side."""

    def __init__(self, store: Store, resource: Resource, options: Options, shape: Shape) -> None:
        self.resource = resource
        self._store = store
        self._options = options
        self._shape = shape
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()

    def close(self) -> None:
        self._queue.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        options, key = self._options, self.resource.key
        missed = []
        if options.revision is not None and not options.initial_events:
            try:
                missed = self._store.since(key, options.revision)
            except Refusal as refusal:
                yield _line("ERROR", json.dumps(refusal.status()).encode())
                return
        stop = self._store.listen(key, self._queue.put_nowait)
        start = self._store.revision
        present = [] if missed or options.revision and not options.initial_events else self._present()
        try:
            for item in present:
                yield _line("ADDED", self._shape(item))
            if options.initial_events:
                yield self._bookmark(start, {_INITIAL_EVENTS_END: "true"})
            for event in missed:
                if line := self._event(event):
                    yield line
            async for line in self._live():
                yield line
        finally:
            stop()

    def _present(self) -> list[Item]:
        items = self._store.items(self.resource.key, self._options.namespace)
        return [item for item in items if self._options.wanted(item.object)]

    async def _live(self) -> AsyncIterator[bytes]:
        end = time.monotonic() + self._options.timeout
        while (left := end - time.monotonic()) > 0:
            try:
                event = await asyncio.wait_for(self._queue.get(), min(left, BOOKMARK_PERIOD))
            except TimeoutError:
                if self._options.bookmarks and left > BOOKMARK_PERIOD:
                    yield self._bookmark(self._store.revision)
                continue
            if event is None:
                return
            if line := self._event(event):
                yield line

    def _event(self, event: Event) -> bytes | None:
        """One event as this watch sees it: what begins to fit the selectors is new, what ceases to is gone."""
        if self._options.namespace and event.item.object["metadata"].get("namespace") != self._options.namespace:
            return None
        fits = self._options.wanted(event.item.object)
        fitted = event.previous is not None and self._options.wanted(event.previous.object)
        if event.type == "DELETED":
            return _line("DELETED", self._shape(event.item)) if fitted else None
        if fits:
            return _line("MODIFIED" if fitted else "ADDED", self._shape(event.item))
        return _line("DELETED", self._shape(event.item)) if fitted else None

    def _bookmark(self, revision: int, annotations: dict | None = None) -> bytes:
        metadata: dict = {"resourceVersion": str(revision)}
        if annotations:
            metadata["annotations"] = annotations
        obj = {"kind": self.resource.kind, "apiVersion": self.resource.api_version, "metadata": metadata}
        return _line("BOOKMARK", json.dumps(obj).encode())


def _line(kind: str, encoded: bytes) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), encoded)


def revision(text: str | None) -> int | None:
    """A resourceVersion of a watch: None for "" and "0", which both mean "from the present objects on"."""
    if not text or text == "0":
        return None
    if not text.isdigit():
        raise bad_request(
            f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        )
    return int(text)
