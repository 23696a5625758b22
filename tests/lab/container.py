# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands that really run on a node: in a chroot of its directory, with the node's own programs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

STDOUT, STDERR = 1, 2
_PATH = "/usr/bin:/usr/sbin:/bin:/sbin"
_CHUNK = 64 * 1024
_NOT_FOUND = 127
_KILLED = 137


def root_of(nodes: Path, pod: dict, container: str) -> Path:
    """The / that a container sees: the node's, or the directory above it if it mounts the node at /host or /rootfs."""
    node = nodes / pod["spec"]["nodeName"]
    whole = {v["name"] for v in pod["spec"].get("volumes", []) if (v.get("hostPath") or {}).get("path") == "/"}
    every = pod["spec"]["containers"] + pod["spec"].get("initContainers", [])
    mounts = next((c.get("volumeMounts", []) for c in every if c["name"] == container), [])
    mounted = any(m["name"] in whole and m["mountPath"] in ("/host", "/rootfs") for m in mounts)
    return node if mounted else node / "rootfs"


class Command:
    """A command in a container: iterate over it for (channel, bytes) until it ends, then `exit_code` is known."""

    def __init__(self, process: asyncio.subprocess.Process | None, complaint: str = "") -> None:
        self._process = process
        self._complaint = complaint
        self.exit_code: int | None = None if process else _NOT_FOUND

    @classmethod
    async def start(cls, root: Path, argv: list[str], environment: dict[str, str], *, stdin: bool = False) -> Command:
        """Run `argv` with `root` as its /. Who is not root becomes it in a user namespace of the command's own."""
        if not root.is_dir():
            return cls(None, f"the node's directory {root.name} does not exist\n")
        as_root = [] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--"]
        process = await asyncio.create_subprocess_exec(
            *as_root,
            "chroot",
            str(root),
            *argv,
            stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"HOME": "/root", **environment, "PATH": f"{_PATH}:{os.environ.get('PATH', '')}"},
            start_new_session=True,
        )
        return cls(process)

    async def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        if self._process is None:
            yield STDERR, self._complaint.encode()
            return
        output: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        streams = {STDOUT: self._process.stdout, STDERR: self._process.stderr}
        readers = [asyncio.create_task(_read(channel, stream, output)) for channel, stream in streams.items()]
        open_streams = len(readers)
        while open_streams:
            channel, data = await output.get()
            if data:
                yield channel, data
            else:
                open_streams -= 1
        code = await self._process.wait()
        self.exit_code = code if code >= 0 else 128 - code

    async def write(self, data: bytes) -> None:
        if self._process and self._process.stdin and not self._process.stdin.is_closing():
            try:
                self._process.stdin.write(data)
                await self._process.stdin.drain()
            except ConnectionError:
                self.close_stdin()

    def close_stdin(self) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.close()

    def kill(self) -> None:
        """End the command if it still runs."""
        if self._process and self._process.returncode is None:
            self._process.kill()
            self.exit_code = _KILLED


async def _read(channel: int, stream: asyncio.StreamReader, output: asyncio.Queue[tuple[int, bytes]]) -> None:
    """Pass a stream on, and at its end an empty piece."""
    while data := await stream.read(_CHUNK):
        output.put_nowait((channel, data))
    output.put_nowait((channel, b""))
