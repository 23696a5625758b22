# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Kubernetes controllers are made of: caches that follow the API, delaying queues, throttled clients, events.

Nothing here knows of machine configs. Times are seconds of the real system; the Scale shortens them.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime, timezone

from ..api import selectors
from ..api import store as api
from ..api.store import Store
from ..clock import Scale

_LOG = logging.getLogger(__name__)
_MOST_EVENTS = 5000  # kept in the API; a real one forgets them after three hours


class SyncError(Exception):
    """What a controller was doing did not work; it is logged and tried again."""


class WorkQueue:
    """Keys to work on: each at most once at a time, and again if it was added meanwhile.

    Of several delays for one key the earliest deadline counts. Failures are retried after base * 2^n seconds.
    """

    def __init__(
        self,
        scale: Scale,
        work: Callable[[str], Awaitable[None]],
        *,
        workers: int | None = None,
        base: float = 0.005,
        cap: float = 1000.0,
    ) -> None:
        self._scale = scale
        self._work = work
        self._slots = asyncio.Semaphore(workers) if workers else None
        self._base, self._cap = base, cap
        self._waiting: set[str] = set()
        self._working: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._failures: dict[str, int] = {}
        self._tasks: set[asyncio.Task] = set()
        self._stopped = False

    def add(self, key: str) -> None:
        if self._stopped or key in self._waiting:
            return
        self._waiting.add(key)
        if key not in self._working:
            self._launch(key)

    def add_after(self, key: str, seconds: float) -> None:
        if self._stopped:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._scale.seconds(seconds)
        pending = self._timers.get(key)
        if pending:
            if pending.when() <= deadline:
                return
            pending.cancel()
        self._timers[key] = loop.call_at(deadline, self._due, key)

    def add_rate_limited(self, key: str) -> None:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.add_after(key, min(self._base * 2**failures, self._cap))

    def failures(self, key: str) -> int:
        return self._failures.get(key, 0)

    def forget(self, key: str) -> None:
        """Start counting a key's failures anew."""
        self._failures.pop(key, None)

    def stop(self) -> None:
        self._stopped = True
        for timer in self._timers.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()

    def _due(self, key: str) -> None:
        del self._timers[key]
        self.add(key)

    def _launch(self, key: str) -> None:
        task = asyncio.get_running_loop().create_task(self._run(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, key: str) -> None:
        async with AsyncExitStack() as stack:
            if self._slots:
                await stack.enter_async_context(self._slots)
            self._waiting.discard(key)
            self._working.add(key)
            try:
                await self._work(key)
            except Exception:
                _LOG.exception("the lab's own mistake while working on %s", key)
            finally:
                self._working.discard(key)
                if key in self._waiting and not self._stopped:
                    self._launch(key)


class Informer:
    """One resource as a controller's cache has it: in the API's order, a moment late.

    `items` are the stored objects by name, or by namespace/name; they are only read. Handlers are called with the
    object before and after; the first is None for a new object, the second for a deleted one.
    """

    def __init__(self, store: Store, resource: str, lag: Callable[[], float] | None = None) -> None:
        self.items: dict[str, dict] = {cache_key(item.object): item.object for item in store.items(resource)}
        self._handlers: list[Callable[[dict | None, dict | None], None]] = []
        self._lag = lag or (lambda: 0.0)
        self._late: deque[tuple[float, api.Event]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._leave = store.listen(resource, self._hear)

    def subscribe(self, handler: Callable[[dict | None, dict | None], None]) -> None:
        """Hear of every object there is, and of every change from now on."""
        self._handlers.append(handler)
        for obj in tuple(self.items.values()):
            handler(None, obj)

    def get(self, key: str) -> dict | None:
        return self.items.get(key)

    def stop(self) -> None:
        self._leave()
        if self._timer:
            self._timer.cancel()

    def _hear(self, event: api.Event) -> None:
        lag = self._lag()
        if not lag and not self._late:
            self._apply(event)
            return
        loop = asyncio.get_running_loop()
        earliest = self._late[-1][0] if self._late else 0.0
        self._late.append((max(loop.time() + lag, earliest), event))
        if not self._timer:
            self._timer = loop.call_at(self._late[0][0], self._catch_up)

    def _catch_up(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._late and self._late[0][0] <= loop.time():
            self._apply(self._late.popleft()[1])
        if self._late:
            self._timer = loop.call_at(self._late[0][0], self._catch_up)

    def _apply(self, event: api.Event) -> None:
        new = None if event.type == "DELETED" else event.item.object
        key = cache_key(event.item.object)
        old = self.items.pop(key, None) if new is None else self.items.get(key)
        if new is not None:
            self.items[key] = new
        for handler in self._handlers:
            handler(old, new)


def cache_key(obj: dict) -> str:
    namespace, name = api.key_of(obj)
    return f"{namespace}/{name}" if namespace else name


class Throttle:
    """A client's own limit: so many requests a second, after a burst."""

    def __init__(self, scale: Scale, per_second: float = 5.0, burst: int = 10) -> None:
        self._scale = scale
        self._rate, self._burst = per_second, burst
        self._tokens = float(burst)
        self._counted = asyncio.get_running_loop().time()

    async def requests(self, count: int) -> None:
        """Wait until so many further requests may have been sent."""
        now = asyncio.get_running_loop().time()
        self._tokens = min(self._burst, self._tokens + (now - self._counted) * self._scale.speed * self._rate)
        self._counted = now
        self._tokens -= count
        if self._tokens < 0:
            await self._scale.sleep(-self._tokens / self._rate)


class Recorder:
    """Writes events as client libraries do: repeated ones are counted, similar ones combined, a flood is cut off."""

    _SIMILAR, _WINDOW = 10, 600.0  # that many different messages in that time become one
    _FLOOD, _REFILL = 25, 300.0  # after that many about one object, one more every so many seconds

    def __init__(
        self, store: Store, scale: Scale, component: str, namespace: str, throttle: Throttle | None = None
    ) -> None:
        self._store, self._scale, self._throttle = store, scale, throttle
        self._component, self._namespace = component, namespace
        self._written: dict[tuple, str] = {}
        self._recent: dict[tuple, deque[tuple[float, str]]] = {}
        self._allowance: dict[str, tuple[float, float]] = {}
        self._names: deque[str] = deque()
        self._pending: deque[tuple[dict, str, str, str, str]] = deque()
        self._pump: asyncio.Task | None = None

    def event(self, about: dict, reason: str, message: str, *, kind: str = "Normal", host: str = "") -> None:
        """Say something about an object; it is written soon."""
        uid = about["metadata"]["uid"]
        if self._floods(uid):
            return
        self._pending.append((about, kind, reason, self._combined(uid, kind, reason, message), host))
        if not self._pump or self._pump.done():
            self._pump = asyncio.get_running_loop().create_task(self._write_all())

    def stop(self) -> None:
        if self._pump:
            self._pump.cancel()

    def _now(self) -> float:
        return asyncio.get_running_loop().time() * self._scale.speed

    def _floods(self, uid: str) -> bool:
        left, counted = self._allowance.get(uid, (float(self._FLOOD), self._now()))
        left = min(self._FLOOD, left + (self._now() - counted) / self._REFILL)
        self._allowance[uid] = (max(left - 1, 0) if left >= 1 else left, self._now())
        return left < 1

    def _combined(self, uid: str, kind: str, reason: str, message: str) -> str:
        recent = self._recent.setdefault((uid, kind, reason), deque())
        while recent and recent[0][0] < self._now() - self._WINDOW:
            recent.popleft()
        if message not in {said for _when, said in recent}:
            recent.append((self._now(), message))
        return f"(combined from similar events): {message}" if len(recent) >= self._SIMILAR else message

    async def _write_all(self) -> None:
        while self._pending:
            about, kind, reason, message, host = self._pending.popleft()
            if self._throttle:
                await self._throttle.requests(1)
            self._write(about, kind, reason, message, host)

    def _write(self, about: dict, kind: str, reason: str, message: str, host: str) -> None:
        identity = (
            about["metadata"]["uid"],
            kind,
            reason,
            "" if message.startswith("(combined") else message,
        )
        known = self._store.get("events", self._written.get(identity, ""), self._namespace)
        if known:
            change = {"count": known["count"] + 1, "lastTimestamp": api.now(), "message": message}
            self._store.patch("events", known["metadata"]["name"], change, self._namespace)
            return
        name = f"{about['metadata']['name']}.{time.time_ns():x}"
        source = {"component": self._component} | ({"host": host} if host else {})
        involved = {"kind": about["kind"], "name": about["metadata"]["name"], "uid": about["metadata"]["uid"]}
        moment = api.now()
        self._store.create(
            "events",
            {
                "metadata": {"name": name, "namespace": self._namespace},
                "involvedObject": involved
                | ({"namespace": self._namespace} if self._namespace != "default" else {}),
                "type": kind,
                "reason": reason,
                "message": message,
                "source": source,
                "count": 1,
                "firstTimestamp": moment,
                "lastTimestamp": moment,
                "eventTime": None,
                "reportingComponent": self._component,
                "reportingInstance": host,
            },
        )
        self._written[identity] = name
        self._names.append(name)
        if len(self._names) > _MOST_EVENTS:
            self._store.delete("events", self._names.popleft(), self._namespace)


class Log:
    """What a program writes to its log, as klog writes it."""

    def __init__(self, lines: int = 20_000) -> None:
        self._lines: deque[str] = deque(maxlen=lines)

    def info(self, where: str, message: str) -> None:
        self._write("I", where, message)

    def warning(self, where: str, message: str) -> None:
        self._write("W", where, message)

    def error(self, where: str, message: str) -> None:
        self._write("E", where, message)

    def _write(self, level: str, where: str, message: str) -> None:
        moment = datetime.now(timezone.utc).strftime("%m%d %H:%M:%S.%f")
        self._lines.append(f"{level}{moment}       1 {where}] {message}")

    def text(self) -> str:
        return "".join(f"{line}\n" for line in self._lines)


class Jitter:
    """The small irregular delays of a real system, from a seed, so that a lab's races can be had again."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def between(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)

    def shuffled(self, things: list) -> list:
        return self._random.sample(things, len(things))


def set_condition(
    conditions: list[dict], kind: str, status: str, *, reason: str = "", message: str = ""
) -> list[dict]:
    """A new list with that condition; lastTransitionTime moves only when the status does.

    A condition that changes in anything moves to the end of the list, as the operator's own helper puts it.
    """
    present = next((condition for condition in conditions if condition["type"] == kind), None)
    if present and (present["status"], present["reason"], present["message"]) == (status, reason, message):
        return conditions
    since = present["lastTransitionTime"] if present and present["status"] == status else api.now()
    changed = {
        "lastTransitionTime": since,
        "message": message,
        "reason": reason,
        "status": status,
        "type": kind,
    }
    return [condition for condition in conditions if condition["type"] != kind] + [changed]


def has_condition(obj: dict, kind: str, status: str) -> bool:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return any(condition["type"] == kind and condition["status"] == status for condition in conditions)


def selects(selector: dict | None, obj: dict) -> bool:
    """Whether a pool's selector takes an object; one that says nothing takes none, rather than all."""
    return bool(selector) and selectors.label_selector(selector)(obj)
