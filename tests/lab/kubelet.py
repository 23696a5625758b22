# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scheduler and the kubelets of all nodes: pods get a node, pull, start, run, end, and leave logs.

Pods that are Running when they are created (a cluster's seed) are taken as they are. Of all others the containers
start; a pod that is to end (restartPolicy Never or OnFailure) and says what to run has its commands really run, in
the node's directory.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Protocol

from . import journal
from .api.errors import Refusal
from .api.store import Store, now
from .clock import Scale
from .container import Command, root_of
from .taints import welcomes

log = logging.getLogger(__name__)

START = 0.5  # seconds of the real system from binding to running
STOP = 1.0
PULL_BACKOFF = (10, 300)  # seconds: the first and the longest wait between pulls of one image
_LOG_LIMIT = 4 << 20  # bytes kept a container
_ENDED = ("Succeeded", "Failed")
_WORKER = "node-role.kubernetes.io/worker"


class Pulled(Protocol):
    """What became of a pull."""

    ok: bool
    error: str


Pull = Callable[[str, str, str], Awaitable[Pulled]]  # node, image, pull policy


class Log:
    """What one container printed, for readers who may wait for more."""

    def __init__(self) -> None:
        self._text = bytearray()
        self._news = asyncio.Event()
        self.ended = False

    def write(self, data: bytes) -> None:
        self._text += data
        del self._text[:-_LOG_LIMIT]
        self._wake()

    def end(self) -> None:
        self.ended = True
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def read(self, follow: bool) -> AsyncIterator[bytes]:
        at = 0
        while True:
            news = self._news
            if at < len(self._text):
                yield bytes(self._text[at:])
                at = len(self._text)
            elif not follow or self.ended:
                return
            else:
                await news.wait()


class Kubelet:
    """All nodes' kubelets. `nodes` holds a directory for each node; without `pull` every image is there already."""

    def __init__(self, store: Store, scale: Scale, nodes: Path, pull: Pull | None = None) -> None:
        self._store = store
        self._scale = scale
        self._nodes = nodes
        self._pull = pull
        self._logs: dict[tuple[str, str], Log] = {}
        self._commands: dict[str, Command] = {}
        self._tasks: dict[str, asyncio.Task] = {}
        self._stops: list[Callable[[], None]] = []

    # Life

    def start(self) -> None:
        """Begin to look after the pods, those that are there included."""
        self._stops = [self._store.subscribe("pods", self._pod), self._store.subscribe("nodes", self._node)]
        for pod in self._store.list("pods"):
            self._pod("ADDED", pod)

    async def stop(self) -> None:
        for stop in self._stops:
            stop()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for command in self._commands.values():
            command.kill()

    def _pod(self, event: str, pod: dict) -> None:
        uid, metadata = pod["metadata"]["uid"], pod["metadata"]
        if event == "DELETED":
            self._forget(uid)
        elif "deletionTimestamp" in metadata:
            if metadata.get("deletionGracePeriodSeconds"):
                self._begin(f"{uid} end", self._end(pod))
        elif not pod["spec"].get("nodeName"):
            self._schedule(pod)
        elif pod.get("status", {}).get("phase", "Pending") == "Pending" and self._store.item(
            "nodes", pod["spec"]["nodeName"]
        ):
            self._begin(uid, self._run(pod))

    def _node(self, event: str, node: dict) -> None:
        """A node that came or changed may take what found no place; one that came starts what waits for it."""
        if event == "DELETED":
            return
        for item in list(self._store.items("pods")):
            bound = item.object["spec"].get("nodeName")
            if bound is None or (event == "ADDED" and bound == node["metadata"]["name"]):
                self._pod("MODIFIED", item.object)

    def _begin(self, name: str, work: Coroutine[None, None, None]) -> None:
        if name in self._tasks:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._tasks[name] = task
        task.add_done_callback(lambda _task: self._tasks.pop(name, None))

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except Refusal as refusal:
            log.info("a pod changed meanwhile: %s", refusal)

    def _forget(self, uid: str) -> None:
        if task := self._tasks.get(uid):
            task.cancel()
        if command := self._commands.pop(uid, None):
            command.kill()
        for key in [key for key in self._logs if key[0] == uid]:
            self._logs.pop(key).end()

    # Where a pod runs

    def _schedule(self, pod: dict) -> None:
        """Bind a pod to the fitting worker with the fewest pods, or say that there is none."""
        metadata = pod["metadata"]
        fitting = [item.object["metadata"]["name"] for item in self._store.items("nodes") if _fits(pod, item.object)]
        if not fitting:
            self._status(
                pod, {"conditions": [_condition("PodScheduled", False, "Unschedulable", "0 nodes are available")]}
            )
            return
        load = dict.fromkeys(fitting, 0)
        for item in self._store.items("pods"):
            if item.object["spec"].get("nodeName") in load:
                load[item.object["spec"]["nodeName"]] += 1
        node = min(fitting, key=lambda name: (load[name], name))
        self._store.patch("pods", metadata["name"], {"spec": {"nodeName": node}}, metadata["namespace"])

    # What a pod does

    async def _run(self, pod: dict) -> None:
        containers = pod["spec"].get("initContainers", []) + pod["spec"]["containers"]
        waiting = {c["name"]: {"waiting": {"reason": "ContainerCreating"}} for c in containers}
        self._status(pod, _pending(pod, waiting))
        if self._pull:
            for container in containers:
                await self._fetch(pod, container, waiting)
        await self._scale.sleep(START)
        runs = {c["name"]: {"running": {"startedAt": now()}} for c in pod["spec"]["containers"]}
        self._status(pod, _running(pod, runs))
        if pod["spec"].get("restartPolicy") in ("Never", "OnFailure") and any(
            c.get("command") or c.get("args") for c in pod["spec"]["containers"]
        ):
            await self._complete(pod, runs)

    async def _fetch(self, pod: dict, container: dict, waiting: dict[str, dict]) -> None:
        """Pull a container's image until that succeeds, saying why it does not."""
        wait, longest = PULL_BACKOFF
        while True:
            pulled = await self._pull(pod["spec"]["nodeName"], container["image"], container["imagePullPolicy"])
            if pulled.ok:
                waiting[container["name"]] = {"waiting": {"reason": "ContainerCreating"}}
                return
            for reason, message in (
                ("ErrImagePull", pulled.error),
                ("ImagePullBackOff", f'Back-off pulling image "{container["image"]}": ErrImagePull: {pulled.error}'),
            ):
                waiting[container["name"]] = {"waiting": {"reason": reason, "message": message}}
                self._status(pod, _pending(pod, waiting))
                await self._scale.sleep(wait if reason == "ImagePullBackOff" else START)
            wait = min(2 * wait, longest)

    async def _complete(self, pod: dict, runs: dict[str, dict]) -> None:
        """Run the containers' commands one after the other and note how each ended."""
        states, codes = dict(runs), []
        for container in pod["spec"]["containers"]:
            code = await self._execute(pod, container)
            codes.append(code)
            ended = {
                "exitCode": code,
                "reason": "Error" if code else "Completed",
                "startedAt": runs[container["name"]]["running"]["startedAt"],
                "finishedAt": now(),
                "containerID": f"cri-o://{uuid.uuid4().hex}",
            }
            states[container["name"]] = {"terminated": ended}
        self._status(pod, _ended(pod, states, "Failed" if any(codes) else "Succeeded"))

    async def _execute(self, pod: dict, container: dict) -> int:
        uid, output = pod["metadata"]["uid"], self._log(pod, container["name"])
        argv = container.get("command", []) + container.get("args", [])
        command = await self._start(pod, container["name"], argv)
        self._commands[uid] = command
        async for _channel, data in command:
            output.write(data)
        output.end()
        self._commands.pop(uid, None)
        return command.exit_code or 0

    async def _start(self, pod: dict, container: str, argv: list[str], stdin: bool = False) -> Command:
        every = pod["spec"]["containers"] + pod["spec"].get("initContainers", [])
        declared = next((c.get("env", []) for c in every if c["name"] == container), [])
        environment = {entry["name"]: entry.get("value", "") for entry in declared if "valueFrom" not in entry}
        environment["HOSTNAME"] = pod["metadata"]["name"]
        return await Command.start(root_of(self._nodes, pod, container), argv, environment, stdin=stdin)

    async def _end(self, pod: dict) -> None:
        uid, metadata = pod["metadata"]["uid"], pod["metadata"]
        if command := self._commands.get(uid):
            command.kill()
        await self._scale.sleep(STOP)
        current = self._store.item("pods", metadata["name"], metadata["namespace"])
        if current and current.object["metadata"]["uid"] == uid:
            self._store.delete("pods", metadata["name"], metadata["namespace"])

    def _status(self, pod: dict, status: dict) -> None:
        """Merge into a pod's status, if it is still that pod."""
        metadata = pod["metadata"]
        item = self._store.item("pods", metadata["name"], metadata["namespace"])
        if item and item.object["metadata"]["uid"] == metadata["uid"]:
            self._store.patch("pods", metadata["name"], {"status": status}, metadata["namespace"], status=True)

    # What the API server asks for

    async def exec(self, pod: dict, container: str, argv: list[str], stdin: bool = False) -> Command:
        return await self._start(pod, container, argv, stdin)

    def logs(self, pod: dict, container: str, follow: bool) -> AsyncIterator[bytes]:
        ended = pod.get("status", {}).get("phase") in _ENDED
        return self._log(pod, container).read(follow and not ended)

    def _log(self, pod: dict, container: str) -> Log:
        return self._logs.setdefault((pod["metadata"]["uid"], container), Log())

    def write_log(self, namespace: str, pod: str, container: str, line: str) -> None:
        """Append a line to a container's log, as its program would."""
        item = self._store.item("pods", pod, namespace)
        if item:
            self._log(item.object, container).write(line.encode() + b"\n")

    def node_logs(self, node: str, path: str, query: dict[str, list[str]]) -> str | None:
        """What the kubelet's log API says of a node's journal, or None for another path; raises BadQuery."""
        return journal.answer(self._nodes / node, query) if path.strip("/") == "logs/journal" else None


def _fits(pod: dict, node: dict) -> bool:
    labels = node["metadata"].get("labels") or {}
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in node.get("status", {}).get("conditions", []))
    wanted = pod["spec"].get("nodeSelector") or {_WORKER: ""}
    schedulable = not node.get("spec", {}).get("unschedulable") and welcomes(node, pod["spec"])
    return ready and schedulable and wanted.items() <= labels.items()


def _condition(name: str, holds: bool, reason: str = "", message: str = "") -> dict:
    condition = {"type": name, "status": str(holds), "lastProbeTime": None, "lastTransitionTime": now()}
    return {**condition, **({"reason": reason, "message": message} if reason else {})}


def _conditions(ready: bool, reason: str = "", message: str = "") -> list[dict]:
    return [
        _condition("Initialized", True),
        _condition("Ready", ready, reason, message),
        _condition("ContainersReady", ready, reason, message),
        _condition("PodScheduled", True),
    ]


def _statuses(pod: dict, states: dict[str, dict]) -> list[dict]:
    previous = {s["name"]: s for s in pod.get("status", {}).get("containerStatuses", [])}
    return [
        {
            "name": container["name"],
            "state": states[container["name"]],
            "lastState": {},
            "ready": "running" in states[container["name"]],
            "started": "running" in states[container["name"]],
            "restartCount": previous.get(container["name"], {}).get("restartCount", 0),
            "image": container["image"],
            "imageID": container["image"] if "@" in container["image"] else "",
        }
        for container in pod["spec"]["containers"]
    ]


def _pending(pod: dict, states: dict[str, dict]) -> dict:
    names = " ".join(container["name"] for container in pod["spec"]["containers"])
    conditions = _conditions(False, "ContainersNotReady", f"containers with unready status: [{names}]")
    started = pod.get("status", {}).get("startTime") or now()
    return {
        "phase": "Pending",
        "conditions": conditions,
        "startTime": started,
        "containerStatuses": _statuses(pod, states),
    }


def _running(pod: dict, states: dict[str, dict]) -> dict:
    status = {"phase": "Running", "conditions": _conditions(True), "containerStatuses": _statuses(pod, states)}
    number = int(pod["metadata"]["uid"][:4], 16)
    address = f"10.128.{number >> 8}.{number & 255}"
    return {**status, "podIP": address, "podIPs": [{"ip": address}], "hostIP": "127.0.0.1"}


def _ended(pod: dict, states: dict[str, dict], phase: str) -> dict:
    reason = "PodCompleted" if phase == "Succeeded" else "PodFailed"
    return {"phase": phase, "conditions": _conditions(False, reason), "containerStatuses": _statuses(pod, states)}
