# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a pod says: its logs, and commands run in it over a websocket (v4 and v5.channel.k8s.io)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Protocol

from aiohttp import WSMsgType, web

from .errors import Refusal, bad_request

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, ERROR, CLOSE = 0, 1, 2, 3, 255
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


class Process(Protocol):
    """A command that runs in a container: iterate over it for (channel, bytes), then `exit_code` is known."""

    exit_code: int | None

    def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]: ...

    async def write(self, data: bytes) -> None: ...

    def close_stdin(self) -> None: ...

    def kill(self) -> None: ...


class Runtime(Protocol):
    """What the server needs of the nodes; `pod` is the pod object."""

    async def exec(self, pod: dict, container: str, argv: list[str], stdin: bool = False) -> Process: ...

    def logs(self, pod: dict, container: str, follow: bool) -> AsyncIterator[bytes]: ...

    def node_logs(self, node: str, path: str, query: dict[str, list[str]]) -> str | None: ...


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
    follow = query.get("follow") in ("true", "1")
    chunks = runtime.logs(pod, container, follow)
    if not follow:
        text = b"".join([chunk async for chunk in chunks])
        return web.Response(body=_tail(text, query.get("tailLines"), query.get("limitBytes")), content_type="text/plain")
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
    """GET .../pods/NAME/exec as a websocket."""
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
    socket = web.WebSocketResponse(protocols=PROTOCOLS, max_msg_size=0)
    if not socket.can_prepare(request).ok:
        raise bad_request("unable to upgrade: the lab runs commands over websockets (v4 or v5.channel.k8s.io)")
    wanted = {STDOUT: query.get("stdout"), STDERR: query.get("stderr")}
    await socket.prepare(request)
    process = await runtime.exec(pod, container, argv, stdin=query.get("stdin") in ("true", "1"))
    reader = asyncio.create_task(_feed(socket, process))
    try:
        async for channel, data in process:
            if wanted[channel] in ("true", "1"):
                await socket.send_bytes(bytes([channel]) + data)
        await socket.send_bytes(bytes([ERROR]) + json.dumps(_outcome(process.exit_code)).encode())
        await socket.close()
    finally:
        reader.cancel()
        process.kill()
    return socket


async def _feed(socket: web.WebSocketResponse, process: Process) -> None:
    """Pass on what the client types; v5 says on its own channel when that has ended."""
    async for message in socket:
        if message.type is not WSMsgType.BINARY or not message.data:
            continue
        channel, data = message.data[0], message.data[1:]
        if channel == STDIN:
            await process.write(data)
        elif channel == CLOSE and data[:1] == bytes([STDIN]):
            process.close_stdin()
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
