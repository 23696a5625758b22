# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab's cluster without its API server and registries, in a time that passes by itself when nothing is left to do."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import pathlib
import selectors
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lab import cluster, content, mco  # noqa: E402
from lab.api.housekeeping import Housekeeping  # noqa: E402
from lab.api.store import Store  # noqa: E402
from lab.clock import Scale  # noqa: E402
from lab.mco import context, draining  # noqa: E402
from lab.settings import Endpoint, Settings  # noqa: E402
from lab.tls import Authority  # noqa: E402

KINDS = {
    "ICSP": (context.ICSP, "repositoryDigestMirrors"),
    "IDMS": (context.IDMS, "imageDigestMirrors"),
    "ITMS": (context.ITMS, "imageTagMirrors"),
}
SETTLED = 13  # seconds: longer than any delay of a controller


class Patience(selectors.DefaultSelector):
    """Where an event loop would wait for the next timer, the time of this one is there at once."""

    now = 0.0

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everything waits for something that nobody does"
            self.now += timeout
        return ready


def run(coroutine):
    """Run a coroutine in a loop of its own, in which time costs nothing."""
    patience = Patience()
    loop = asyncio.SelectorEventLoop(patience)
    loop.time = lambda: patience.now
    try:
        return loop.run_until_complete(asyncio.wait_for(coroutine, 200_000))
    finally:
        loop.close()


class Cluster:
    """What a test does with the cluster and asks of it."""

    def __init__(self, store, operator, directory):
        self.store = store
        self.operator = operator
        self.directory = directory

    # Doing

    def mirror(self, kind, name, *rules):
        resource, key = KINDS[kind]
        self.store.create(resource, {"metadata": {"name": name}, "spec": {key: list(rules)}})

    def unmirror(self, kind, name):
        self.store.delete(KINDS[kind][0], name)

    def pause(self, paused=True, pools=("master", "worker")):
        for pool in pools:
            self.store.patch(context.POOLS, pool, {"spec": {"paused": paused}})

    def cordon(self, node, cordon=True):
        draining.cordon(self.store, node, cordon)

    def add_to_pull_secret(self, *registries):
        secret = self.store.get("secrets", "pull-secret", "openshift-config")
        document = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
        document["auths"] |= {registry: {"auth": "synthetic"} for registry in registries}
        secret["data"][".dockerconfigjson"] = base64.b64encode(json.dumps(document).encode()).decode()
        self.store.update("secrets", secret)

    def trust(self, name="registry-config", **keys):
        """Give image.config a ConfigMap of CAs; in the keys of `keys` two underscores stand for two dots."""
        data = {key.replace("__", ".."): text for key, text in keys.items()}
        if self.store.item("configmaps", name, "openshift-config"):
            self.store.patch("configmaps", name, {"data": data}, "openshift-config")
        else:
            self.store.create(
                "configmaps", {"metadata": {"name": name, "namespace": "openshift-config"}, "data": data}
            )
        self.store.patch(context.IMAGES, "cluster", {"spec": {"additionalTrustedCA": {"name": name}}})

    # Waiting

    async def seconds(self, count):
        await asyncio.sleep(count)

    async def settled(self):
        """Wait until all pools have been at their target for longer than any delay."""
        quiet = 0
        while quiet < SETTLED:
            await asyncio.sleep(1.0)
            pools = [item.object for item in self.store.items(context.POOLS)]
            done = all(pool["status"]["configuration"] == pool["spec"]["configuration"] for pool in pools)
            quiet = quiet + 1 if done else 0

    # Asking

    def pool(self, name):
        return self.store.get(context.POOLS, name)

    def target(self, pool):
        return self.pool(pool)["spec"]["configuration"]["name"]

    def conditions(self, resource, name):
        return {c["type"]: c for c in self.store.get(resource, name)["status"]["conditions"]}

    def operator_condition(self, name, kind):
        return self.conditions(context.CLUSTER_OPERATORS, name)[kind]

    def node(self, name):
        return self.store.get(context.NODES, name)

    def nodes(self, role=""):
        return [
            item.object["metadata"]["name"]
            for item in self.store.items(context.NODES)
            if item.object["metadata"]["name"].startswith(role)
        ]

    def annotation(self, node, key):
        return context.annotation(self.node(node), key)

    def file(self, node, path):
        return (self.directory / "nodes" / node / "rootfs" / path.lstrip("/")).read_text()

    def certificates(self, node):
        """The CAs that a node trusts, {registry: PEM}."""
        directory = self.directory / "nodes" / node / "rootfs" / "etc/docker/certs.d"
        return {path.parent.name: path.read_text() for path in sorted(directory.glob("*/ca.crt"))}

    def counts(self, what):
        """One count for every node."""
        return {node: counts[what] for node, counts in self.operator.counts().items()}

    def events(self, reason):
        return [item.object["message"] for item in self.store.items("events") if item.object["reason"] == reason]

    @property
    def log(self):
        return self.operator.controller.log.text()


@contextlib.asynccontextmanager
async def running(directory, version="4.16.30", nodes=6, pace=None):
    """A healthy cluster whose machine-config operator runs."""
    settings = Settings(release_version=version, nodes=nodes, speed=1.0, directory=directory)
    authority = directory / "public-ca.crt"
    authority.write_text(Authority("public").certificate)
    upstream = Endpoint("localhost:5001", authority, "user", "password", "user", "password")
    store = Store(settings.version)
    Housekeeping(store)
    cluster.seed(store, settings, content.make(upstream.registry, settings), upstream)
    operator = await mco.start(store, settings, Scale(1.0), pace=pace)
    try:
        yield Cluster(store, operator, directory)
    finally:
        operator.stop()
