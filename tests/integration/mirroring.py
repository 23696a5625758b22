# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two real registries with a misbehaving proxy before each, images to mirror, and the client that mirrors them."""
from __future__ import annotations

import base64
import contextlib
import json
import pathlib
import sys
import time

import bcrypt

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import unit.conftest  # noqa: E402,F401 pylint: disable=unused-import  # makes the collection importable from here
from ansible_collections.disconnected.openshift.plugins.module_utils import registry, transfer  # noqa: E402
from faults.proxy import Proxy  # noqa: E402
from faults.registries import Registry  # noqa: E402
from lab import images  # noqa: E402

USER, PASSWORD = "pusher", 'p:a"ss word'


class HastyClock:
    """Real time in which pauses take a hundredth; `paused` is what was asked for."""

    def __init__(self):
        self.paused = []
        self._extra = 0

    def now(self):
        return time.monotonic() + self._extra

    def sleep(self, seconds):
        self.paused.append(seconds)
        self._extra += seconds * 0.99
        time.sleep(seconds * 0.01)


def auth(host, user=USER, password=PASSWORD):
    """An auth file's document for one registry."""
    return {"auths": {host: {"auth": base64.b64encode(("%s:%s" % (user, password)).encode()).decode()}}}


def htpasswd(path):
    path.write_bytes(USER.encode() + b":" + bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)) + b"\n")
    return path


class World:
    """An upstream registry and a mirror; `source` and `target` are the proxies before them."""

    def __init__(self, directory, stack, **mirror_settings):
        self.upstream = stack.enter_context(Registry(directory / "upstream"))
        self.mirror = stack.enter_context(Registry(directory / "mirror", **mirror_settings))
        self.source = stack.enter_context(Proxy(self.upstream.port))
        self.target = stack.enter_context(Proxy(self.mirror.port))
        self.shelf = images.Shelf(self.source.host)
        self.clock = HastyClock()

    def put(self):
        """Let the upstream registry have what was put on the shelf."""
        self.shelf.write(self.upstream.directory / "storage")

    @property
    def unique(self):
        """Bytes of all blobs and manifests on the shelf."""
        return sum(len(data) for data in self.shelf._data.values())

    def release(self, count=10, path="ocp/release"):
        """Orders for `count` images of one repository that share three layers and have two of their own."""
        shared = [images.bulk("base-%d" % n, 200_000) for n in range(3)]
        found = [self.shelf.image("release", shared + [images.bulk("own-%d-%d" % (n, m), 20_000) for m in range(2)])
                 for n in range(count)]
        self.put()
        return [transfer.Order(image.reference, "%s/%s:t%d" % (self.target.host, path, n))
                for n, image in enumerate(found)]

    def catalog(self, count=8, repositories=4):
        """Orders for `count` two-architecture lists over several repositories, with four layers that all have."""
        shared = [images.bulk("operand-base-%d" % n, 100_000) for n in range(4)]
        orders = []
        for n in range(count):
            path = "operands/number-%d" % (n % repositories)
            both = [self.shelf.image(path, shared + [images.bulk("operand-%d-%s" % (n, architecture), 10_000)],
                                     architecture=architecture)
                    for architecture in ("amd64", "arm64")]
            index = self.shelf.index(path, both)
            target = "%s/olm/number-%d:t%d" % (self.target.host, n % repositories, n)
            orders.append(transfer.Order(index.reference, target))
        self.put()
        return orders

    def registries(self, **settings):
        settings = dict(dict(plain_http=(self.source.host, self.target.host), clock=self.clock, timeout=10), **settings)
        return registry.Registries(**settings)

    def run(self, orders, workers=4, rounds=3, **settings):
        """(verdicts, registries) of mirroring."""
        with self.registries(**settings) as registries:
            return transfer.mirror(orders, registries, workers, rounds, clock=self.clock), registries

    def digest(self, target, reference=None):
        """What the mirror has at a target (host/path:tag), or at another reference in its repository."""
        path, _colon, tag = target.partition("/")[2].partition(":")
        with self.registries() as registries:
            return registries[self.target.host].digest(path, reference or tag)

    def look(self, orders):
        with self.registries() as registries:
            return [verdict.status for verdict in transfer.look(orders, registries)]

    def forget(self):
        self.source.forget()
        self.target.forget()


@contextlib.contextmanager
def world(directory, **mirror_settings):
    with contextlib.ExitStack() as stack:
        yield World(directory, stack, **mirror_settings)


def statuses(verdicts):
    """{status: how many}."""
    found = {}
    for verdict in verdicts:
        found[verdict.status] = found.get(verdict.status, 0) + 1
    return found


def write_auth(path, document):
    path.write_text(json.dumps(document))
    path.chmod(0o600)
    return path
