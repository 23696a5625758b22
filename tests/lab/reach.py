# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each node can reach of the network, and the nodes' `skopeo`, with which that can be found out from a node.

The registries all live on this machine: that a node cannot reach one of them is a table, and what would go out from a
node asks it. The skopeo on a node is a script that passes its words on to the lab, which asks the registry with that
node's files.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

INTERNET, MIRROR = "internet", "mirror"
PLACES = (INTERNET, MIRROR)
_LONGEST = 64 * 1024

_SKOPEO = """\
#!/bin/sh
# The lab answers in this node's place: the first line is the exit code, the rest the complaint.
answer=$({{ printf '%s\\n' "$(cat /etc/hostname)" "$@"; echo; }} | /usr/bin/busybox nc 127.0.0.1 {port}) || answer=1
printf '%s\\n' "$answer" | tail -n +2 >&2
exit "$(printf '%s\\n' "$answer" | head -n 1)"
"""


class Reach:
    """Which nodes lost the way to the internet, which to the mirror registry `mirror` (host:port)."""

    def __init__(self, mirror: str) -> None:
        self._mirror = mirror
        self._lost: dict[str, set[str]] = {place: set() for place in PLACES}

    def cut(self, place: str, nodes: Iterable[str]) -> None:
        self._lost[place] |= set(nodes)

    def restore(self, place: str, nodes: Iterable[str]) -> None:
        self._lost[place] -= set(nodes)

    def lost(self) -> dict[str, list[str]]:
        """The nodes without a way, for each place."""
        return {place: sorted(nodes) for place, nodes in self._lost.items()}

    def failure(self, node: str, registry: str) -> str:
        """What an attempt to connect ends with, or nothing."""
        place = MIRROR if registry == self._mirror else INTERNET
        if node not in self._lost[place]:
            return ""
        return f'pinging container registry {registry}: Get "https://{registry}/v2/": dial tcp: i/o timeout'


class Skopeo:
    """Answers the nodes' skopeo; `inspect(node, image, mirrors)` returns the complaint, or nothing."""

    def __init__(self, inspect: Callable[[str, str, bool], Awaitable[str]]) -> None:
        self._inspect = inspect
        self._server: asyncio.Server | None = None

    async def start(self, nodes: Iterable[Path]) -> None:
        """Listen, and put the program on the nodes whose root directories these are."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_LONGEST)
        script = _SKOPEO.format(port=self._server.sockets[0].getsockname()[1])
        for root in nodes:
            program = root / "usr/bin/skopeo"
            program.write_text(script, encoding="ascii")
            program.chmod(0o755)

    async def stop(self) -> None:
        if self._server:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            words = []
            while word := (await reader.readline()).decode().rstrip("\n"):
                words.append(word)
            complaint = await self._run(*words)
            writer.write(f"{1 if complaint else 0}\n{complaint}".encode())
            await writer.drain()
        except (ConnectionError, ValueError):
            pass
        finally:
            writer.close()

    async def _run(self, node: str = "", *words: str) -> str:
        """What skopeo would complain of."""
        options = {word.partition("=")[0]: word.partition("=")[2] for word in words if word.startswith("--")}
        rest = [word for word in words if not word.startswith("--")]
        if rest[:1] != ["inspect"] or len(rest) != 2 or not rest[1].startswith("docker://") or "--raw" not in options:
            return "FATA[0000] the lab's nodes know only `skopeo inspect --raw docker://IMAGE`"
        if options.get("--authfile") != "/var/lib/kubelet/config.json":
            return "FATA[0000] unable to retrieve auth token: invalid username/password: unauthorized"
        complaint = await self._inspect(node, rest[1].removeprefix("docker://"), options.get("--registries-conf") != "/dev/null")
        return f"FATA[0000] Error parsing image name {rest[1]!r}: {complaint}" if complaint else ""
