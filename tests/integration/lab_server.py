# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's API server alone, in a thread of the tests, and a client that hides nothing."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import sys
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab.api.bare import bare  # noqa: E402

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True)
class Answer:
    """What the server answered: `body` is parsed where it is JSON."""

    code: int
    body: object
    warnings: tuple[str, ...]

    @property
    def message(self) -> str:
        return self.body.get("message", "") if isinstance(self.body, dict) else ""


class ApiServer:
    """A running server; `store`, `stats` and `faults` are the server's own."""

    def __init__(self, directory: Path, version: str = "4.16", nodes: tuple[str, ...] = ("worker-0",)) -> None:
        self.directory = directory
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.server = self._run(bare(directory, version, nodes))

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def stop(self) -> None:
        self._run(self.server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def on_loop(self, function, *arguments):
        """Call something where the store may be used: on the server's own thread."""

        async def call():
            return function(*arguments)

        return self._run(call())

    def kubeconfig(self, user: str = "") -> Path:
        return self.directory / (f"kubeconfig-{user}" if user else "kubeconfig")

    def call(self, method: str, path: str, body=None, **how) -> Answer:
        """One request, as the administrator unless told otherwise; `how` as in `request`."""
        request = self.request(method, path, body, **how)
        try:
            with urllib.request.urlopen(request, context=self.tls, timeout=20) as response:
                return _answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            return _answer(error.code, error.headers, error.read())

    def request(self, method, path, body=None, *, kind="application/json", user="", headers=None, token=None):
        """A request ready to be sent: `user` is one of the kubeconfigs', a `token` of "" is none at all."""
        config = yaml.safe_load(self.kubeconfig(user).read_text())
        token = config["users"][0]["user"]["token"] if token is None else token
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        sent = {"User-Agent": "tests/1", "Accept": "application/json", **(headers or {})}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if data is not None:
            sent["Content-Type"] = kind
        return urllib.request.Request(self.server.url + path, data=data, method=method, headers=sent)

    @property
    def tls(self) -> ssl.SSLContext:
        config = yaml.safe_load(self.kubeconfig().read_text())
        authority = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
        return ssl.create_default_context(cadata=authority)


def _answer(code, headers, body: bytes) -> Answer:
    parsed = json.loads(body) if headers.get_content_type() == "application/json" else body.decode()
    return Answer(code, parsed, tuple(headers.get_all("Warning") or ()))
