# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a pod says: its logs, and commands run in it over a websocket (v4 and v5.channel.k8s.io) or SPDY."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Protocol

from aiohttp import WSMsgType, web

from . import spdy
from .errors import Refusal, bad_request
from .routes import TRUE

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
_NAMES = {STDIN: "stdin", STDOUT: "stdout", STDERR: "stderr"}
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


class Process(Protocol):
    """A command that runs in a container: iterate over it for (channel, bytes), then `exit_code` is known."""

    exit_code: int | None

    def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        ...

    async def write(self, data: bytes) -> None:
        ...

    def close_stdin(self) -> None:
        ...

    def kill(self) -> None:
        ...


class Runtime(Protocol):
    """What the server needs of the nodes; `pod` is the pod object."""

    async def exec(self, pod: dict, container: str, argv: list[str], stdin: bool = False) -> Process:
        ...

    def logs(self, pod: dict, container: str, follow: bool) -> AsyncIterator[bytes]:
        ...

    def node_logs(self, node: str, path: str, query: dict[str, list[str]]) -> str | None:
        """None for a path that is no log; raises ValueError for a query that the node refuses."""


def container_of(pod: dict, asked: str | None) -> str:
    """The container that a request means; 400 where it must say so and does not."""
    names = [container["name"] for container in pod["spec"]["containers"]]
    every = names + [container["name"] for container in pod["spec"].get("initContainers", [])]
    name = pod["metadata"]["name"]
    if asked:
        if asked not in every:
            raise bad_request(f"container {asked} is not valid for pod {name}")
        return asked
    default = pod["metadata"].get("annotations", {}).get(_DEFAULT_CONTAINER)
    if default in names:
        return default
    if len(names) > 1:
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]")
    return names[0]


async def send_logs(request: web.Request, runtime: Runtime, pod: dict) -> web.StreamResponse:
    """GET .../pods/NAME/log."""
    query = request.query
    container = container_of(pod, query.get("container"))
    if not _started(pod, container):
        raise bad_request(
            f'container "{container}" in pod "{pod["metadata"]["name"]}" is waiting to start: ContainerCreating'
        )
    follow = query.get("follow") in TRUE
    chunks = runtime.logs(pod, container, follow)
    if not follow:
        text = b"".join([chunk async for chunk in chunks])
        return web.Response(
            body=_tail(text, query.get("tailLines"), query.get("limitBytes")), content_type="text/plain"
        )
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    async for chunk in chunks:
        await response.write(chunk)
    await response.write_eof()
    return response


def _started(pod: dict, container: str) -> bool:
    status = pod.get("status", {})
    found = status.get("containerStatuses", []) + status.get("initContainerStatuses", [])
    state = next((entry.get("state", {}) for entry in found if entry["name"] == container), {})
    return "running" in state or "terminated" in state


def _tail(text: bytes, lines: str | None, limit: str | None) -> bytes:
    if lines:
        kept = text.splitlines(keepends=True)
        text = b"".join(kept[len(kept) - min(int(lines), len(kept)) :])
    return text[: int(limit)] if limit else text


async def run_command(request: web.Request, runtime: Runtime, pod: dict) -> web.StreamResponse:
    """GET .../pods/NAME/exec as a websocket, or POST as SPDY."""
    query = request.query
    name, phase = pod["metadata"]["name"], pod.get("status", {}).get("phase")
    container = container_of(pod, query.get("container"))
    if phase in ("Succeeded", "Failed"):
        raise bad_request(f"cannot exec into a container in a completed pod; current phase is {phase}")
    if not pod["spec"].get("nodeName"):
        raise bad_request(f"pod {name} does not have a host assigned")
    if not _started(pod, container):
        raise Refusal(500, "InternalError", f'unable to upgrade connection: container not found ("{container}")')
    argv = query.getall("command", [])
    if not argv:
        raise bad_request("you must specify at least 1 command for the container")
    wanted = {name for name in ("stdin", "stdout", "stderr") if query.get(name) in TRUE}
    if query.get("tty") in TRUE:
        wanted.discard("stderr")
    connection = await _connect(request, wanted)
    process = await runtime.exec(pod, container, argv, stdin="stdin" in wanted)
    reader = asyncio.create_task(_feed(connection, process))
    try:
        async for channel, data in process:
            if _NAMES[channel] in wanted:
                await connection.send(channel, data)
        await connection.send(ERROR, json.dumps(_outcome(process.exit_code)).encode())
        await connection.close()
    finally:
        reader.cancel()
        process.kill()
    return connection.response


class Connection(Protocol):
    """A client's connection with several channels on it."""

    response: web.StreamResponse

    def received(self) -> AsyncIterator[tuple[int, bytes | None]]:
        ...

    async def send(self, channel: int, data: bytes) -> None:
        ...

    async def close(self) -> None:
        ...


async def _connect(request: web.Request, wanted: set[str]) -> Connection:
    """Upgrade to a websocket or to SPDY, whichever the client asks for; 400 for one that asks for neither."""
    if spdy.wanted(request):
        channels = {"error": ERROR, **{_NAMES[channel]: channel for channel in _NAMES if _NAMES[channel] in wanted}}
        if request.query.get("tty") in TRUE:
            channels["resize"] = RESIZE
        connection = spdy.Connection(channels)
        await connection.accept(request)
        return connection
    socket = _WebSocket()
    if not socket.response.can_prepare(request).ok:
        raise bad_request("unable to upgrade: a command needs a websocket (v4 or v5.channel.k8s.io) or SPDY/3.1")
    await socket.response.prepare(request)
    return socket


class _WebSocket:
    """Channels over a websocket: the first byte of a message is its channel."""

    def __init__(self) -> None:
        self.response = web.WebSocketResponse(protocols=PROTOCOLS, max_msg_size=0)

    async def received(self) -> AsyncIterator[tuple[int, bytes | None]]:
        async for message in self.response:
            if message.type is not WSMsgType.BINARY or not message.data:
                continue
            channel, data = message.data[0], message.data[1:]
            if channel == CLOSE:  # v5: the channel that the next byte names has ended
                yield data[0], None
            elif data:
                yield channel, data

    async def send(self, channel: int, data: bytes) -> None:
        await self.response.send_bytes(bytes([channel]) + data)

    async def close(self) -> None:
        await self.response.close()


async def _feed(connection: Connection, process: Process) -> None:
    """Pass on what the client types; without the client there is nobody to run for."""
    async for channel, data in connection.received():
        if channel == STDIN and data is None:
            process.close_stdin()
        elif channel == STDIN:
            await process.write(data)
    process.kill()


def _outcome(exit_code: int | None) -> dict:
    if exit_code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {exit_code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(exit_code)}]},
    }
