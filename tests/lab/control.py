# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Talking to a running lab over a unix socket, a JSON object a line: {"verb": ...} there, {"result"} or {"error"} back."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)

LONGEST_LINE = 2**24
_SOME_TIME = 600.0

Verb = Callable[..., Awaitable[object]]


class NoAnswer(Exception):
    """No lab answers, or it answers that it cannot; the message says which."""


class Rejected(Exception):
    """What a verb raises to tell its caller that the request makes no sense."""


class Server:
    """Answers requests; `verbs` maps a name to a coroutine function that takes the request's other keys."""

    def __init__(self, path: Path, verbs: Mapping[str, Verb]) -> None:
        self._path = path
        self._verbs = verbs
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        listener = socket.socket(socket.AF_UNIX)
        with _short(self._path) as path:
            listener.bind(path)
        self._path.chmod(0o600)
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=LONGEST_LINE)

    async def close(self) -> None:
        if self._server:
            self._server.close()
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict:
        try:
            request = json.loads(line)
            verb = self._verbs[request.pop("verb")]
        except (ValueError, KeyError, AttributeError, TypeError):
            return {"error": f"Give a JSON object with one of these verbs: {', '.join(sorted(self._verbs))}."}
        try:
            return {"result": await verb(**request)}
        except (Rejected, TypeError) as problem:
            return {"error": str(problem)}
        except Exception as problem:
            log.exception("a request to the control socket failed")
            return {"error": f"{type(problem).__name__}: {problem}"}


def ask(path: Path, verb: str, **arguments: object) -> object:
    """Put one request to the lab behind a socket and return its result. Raises NoAnswer."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_SOME_TIME)
    try:
        with connection, _short(path) as short:
            connection.connect(short)
            connection.sendall(json.dumps({"verb": verb, **arguments}).encode() + b"\n")
            with connection.makefile("rb") as stream:
                answer = json.loads(stream.readline() or b'{"error": "The lab ended before it answered."}')
    except OSError as problem:
        raise NoAnswer(f"No lab answers at {path} ({problem.strerror or problem}): start one with `lab up`.") from None
    if "error" in answer:
        raise NoAnswer(answer["error"])
    return answer["result"]


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name for a socket that is short enough: the kernel takes 107 bytes, a checkout may lie deeper."""
    try:
        directory = os.open(path.parent, os.O_DIRECTORY)
    except FileNotFoundError:
        raise NoAnswer(f"There is no lab in {path.parent}: start one with `lab up`.") from None
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
