# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A container registry: Debian's docker-registry with TLS, users, and an access log that is counted.

It listens on a port that the kernel chooses at its first start and that is its own from then on: while it is stopped a
bound socket keeps the port, so that nobody else gets it and clients are refused as by a dead host.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import bcrypt
import yaml

PROGRAM = "docker-registry"
START_TIMEOUT = 20.0
STOP_TIMEOUT = 5.0
_CHEAPEST = 4  # bcrypt rounds: the registry checks the password at every request

_LISTENING = re.compile(r"listening on 127\.0\.0\.1:(\d+)")
_ACCESS = re.compile(r'"(?P<method>[A-Z]+) (?P<path>\S+) HTTP/[\d.]+" (?P<status>\d{3}) \d+ "[^"]*" "(?P<agent>[^"]*)"')
_KINDS = (("/manifests/", "manifest"), ("/blobs/uploads/", "upload"), ("/blobs/", "blob"), ("/tags/list", "tags"))


class RegistryFailed(Exception):
    """A registry did not start; the message says why, in its own words."""


class Traffic:
    """Counts of the requests in an access log, kept up to date by reading what was appended."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read = 0
        self.reset()

    def reset(self) -> None:
        """Begin to count anew with the next request."""
        self._requests: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()
        self._agents: Counter[str] = Counter()

    def count(self) -> dict:
        """{"requests": n, "by": {"HEAD manifest": n}, "status": {"200": n}, "agents": {"skopeo/1.9.3": n}}."""
        for line in self._new_lines():
            found = _ACCESS.search(line)
            if found:
                self._requests[f"{found['method']} {kind_of(found['path'])}"] += 1
                self._statuses[found["status"]] += 1
                self._agents[found["agent"].partition(" ")[0] or "unknown"] += 1
        return {
            "requests": self._requests.total(),
            "by": dict(sorted(self._requests.items())),
            "status": dict(sorted(self._statuses.items())),
            "agents": dict(sorted(self._agents.items())),
        }

    def _new_lines(self) -> list[str]:
        with self._log.open("rb") as log:
            log.seek(self._read)
            complete, newline, _rest = log.read().rpartition(b"\n")
        self._read += len(complete) + len(newline)
        return complete.decode(errors="replace").splitlines()


def kind_of(path: str) -> str:
    """What a request to the registry API is about: manifest, upload, blob, tags, or the API itself."""
    return next((kind for part, kind in _KINDS if part in path), "base")


class Registry:
    """One registry process; `home` holds all that it keeps, `users` is {username: password}."""

    def __init__(
        self,
        name: str,
        home: Path,
        certificate: Path,
        key: Path,
        users: Mapping[str, str],
        started: Callable[[str, int], None] = lambda name, pid: None,
    ) -> None:
        self.name = name
        self.storage = home / "storage"
        self.log = home / "registry.log"
        self.port = 0
        self._access_log = home / "access.log"
        self._config = home / "config.yml"
        self._htpasswd = home / "htpasswd"
        self._certificate, self._key = certificate, key
        self.users = dict(users)
        self._started = started
        self._process: asyncio.subprocess.Process | None = None
        self._placeholder: socket.socket | None = None
        self._secret = secrets.token_hex(16)
        self.traffic = Traffic(self._access_log)

    @property
    def address(self) -> str:
        """As references name it: "localhost:34567"."""
        return f"localhost:{self.port}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Serve; returns when requests are answered. Raises RegistryFailed."""
        if self.running:
            return
        program = shutil.which(PROGRAM)
        if not program:
            raise RegistryFailed(f"There is no {PROGRAM} on this machine: install the Debian package of that name.")
        self._prepare()
        with self.log.open("ab") as log, self._access_log.open("ab") as access_log:
            before = log.tell()
            self._release_port()
            self._process = await asyncio.create_subprocess_exec(
                program,
                "serve",
                str(self._config),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=access_log,
                stderr=log,
                env={"PATH": os.defpath},
                start_new_session=True,
            )
        self._started(self.name, self._process.pid)
        self.port = await self._listening(before)

    async def stop(self) -> None:
        """End the process and keep its port and data."""
        if not self.running:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        self._hold_port()

    async def close(self) -> None:
        """End the process and give its port back."""
        await self.stop()
        self._release_port()

    def _prepare(self) -> None:
        self.storage.mkdir(parents=True, exist_ok=True)
        lines = (
            b"%s:%s\n" % (user.encode(), bcrypt.hashpw(password.encode(), bcrypt.gensalt(_CHEAPEST)))
            for user, password in self.users.items()
        )
        self._htpasswd.write_bytes(b"".join(lines))
        self._config.write_text(yaml.safe_dump(self._configuration()), encoding="utf-8")
        self._config.chmod(0o600)

    def _configuration(self) -> dict:
        return {
            "version": 0.1,
            "log": {"level": "info", "formatter": "text", "accesslog": {"disabled": False}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.storage)},
                "cache": {"blobdescriptor": "inmemory"},
                "delete": {"enabled": True},
                "maintenance": {"uploadpurging": {"enabled": False}},
            },
            "http": {
                "addr": f"127.0.0.1:{self.port}",
                "secret": self._secret,
                "tls": {"certificate": str(self._certificate), "key": str(self._key)},
            },
            "auth": {"htpasswd": {"realm": self.name, "path": str(self._htpasswd)}},
        }

    async def _listening(self, offset: int) -> int:
        """The port, read from what the process logged after `offset`."""
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT
        while asyncio.get_running_loop().time() < deadline:
            with self.log.open("rb") as log:
                log.seek(offset)
                said = log.read().decode(errors="replace")
            found = _LISTENING.search(said)
            if found:
                return int(found[1])
            if not self.running:
                raise RegistryFailed(f"The {self.name} registry ended at once: {_last_line(said)}")
            await asyncio.sleep(0.01)
        await self.stop()
        raise RegistryFailed(
            f"The {self.name} registry did not listen within {START_TIMEOUT:.0f} s: {_last_line(said)}"
        )

    def _hold_port(self) -> None:
        self._placeholder = socket.socket()
        self._placeholder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._placeholder.bind(("127.0.0.1", self.port))

    def _release_port(self) -> None:
        if self._placeholder:
            self._placeholder.close()
            self._placeholder = None


class Borrowed:
    """A registry that belongs to another lab: it serves here as well, and only its own lab switches it."""

    def __init__(self, name: str, home: Path, address: str) -> None:
        self.name = name
        self.address = address
        self.storage = home / "storage"
        self.traffic = Traffic(home / "access.log")

    @property
    def running(self) -> bool:
        host, _colon, port = self.address.rpartition(":")
        with socket.socket() as connection:
            return connection.connect_ex((host, int(port))) == 0

    async def start(self) -> None:
        raise RegistryFailed(f"The {self.name} registry belongs to another lab: switch it there.")

    stop = start


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]
