# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab as one process: registries, what they hold, the cluster, its API, and the socket that steers it all."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial

from . import cluster, content, control, describe, mco, process
from .api import access, housekeeping
from .api.server import Server, serve
from .api.store import Store
from .clock import Scale
from .faults import Faults
from .kubelet import Kubelet
from .operators import OtherOperators
from .pull import Images, Puller
from .reach import INTERNET, Reach, Skopeo
from .registries import Borrowed, Registry
from .settings import Endpoint, Settings
from .steering import Steering
from .tls import Authority
from .workloads import Workloads

log = logging.getLogger(__name__)

PUBLIC_USER = "openshift-release-dev+ocm_access_lab"
PUSH_USER, PULL_USER = "pusher", "puller"
# What careless hands break: a colon, quotes, a dollar sign, a backslash at the end.
AWKWARD_PASSWORD = "p:a\"ss'w$rd\\"


def run(settings: Settings, ready: int | None) -> None:
    """Be the lab until SIGTERM; `ready` is the descriptor of who waits for it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    asyncio.run(_run(settings, ready))


async def _run(settings: Settings, ready: int | None) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    # Whatever was started is stopped in the reverse order, also when the start fails half-way.
    async with AsyncExitStack() as stack:
        await start(settings, stack)
        log.info("ready")
        if ready is not None:
            process.announce(ready)
        await ended.wait()
        log.info("ending")


async def start(settings: Settings, stack: AsyncExitStack) -> None:
    """Start everything and tell of it in the state directory; `stack` knows how to stop it again."""
    settings.authorities.mkdir()
    registries = _borrowed(settings) if settings.neighbour else await _registries(settings, stack)
    (upstream, public), (mirror, own) = registries
    made = content.make(upstream.address, settings)
    made.shelf.write(upstream.storage)

    scale, store = Scale(settings.speed), Store(settings.version)
    reach = Reach(mirror.address)
    puller = Puller(
        settings.directory / "nodes",
        settings.scratch,
        looks_first=settings.minor < (4, 18),
        unreachable=reach.failure,
    )
    images = Images(puller)
    nodes = Nodes(store, scale, settings.directory / "nodes", images.provide)
    # Served from its first object on, so that what is owned goes with its owner.
    server, api = await _api(settings, stack, store, nodes, scale.seconds(housekeeping.NAMESPACE_GRACE))
    access.seed_roles(store)
    cluster.seed(store, settings, made, public)
    for pod in store.list("pods"):
        images.note(pod)
    operator = await mco.start(store, settings, scale)
    stack.callback(operator.stop)
    workloads = Workloads(store, scale)
    workloads.start()
    stack.callback(workloads.stop)
    names = [item.object["metadata"]["name"] for item in store.items("nodes")]
    skopeo = Skopeo(puller.inspect)
    await skopeo.start(settings.node(name) / "rootfs" for name in names)
    stack.push_async_callback(skopeo.stop)
    online = partial(_online, upstream, reach, frozenset(names))
    complaint = partial(puller.inspect, names[0], mirrors=True)
    others = OtherOperators(store, scale, cluster.default_sources(settings, made), online, complaint)
    others.start()
    stack.callback(others.stop)
    nodes.operator = operator
    nodes.start()
    stack.push_async_callback(nodes.stop)

    steering = Steering(
        store, server, operator, puller, {"upstream": upstream, "mirror": mirror}, Faults(store, server, operator), reach
    )
    steered = control.Server(settings.control, steering.verbs())
    await steered.start()
    stack.push_async_callback(steered.close)
    describe.write(settings, api, public, own, made, steering.node_names())


def _online(upstream: Registry | Borrowed, reach: Reach, nodes: frozenset[str]) -> bool:
    """Whether the internet is there, and a node from which it can be reached."""
    return upstream.running and not nodes.issubset(reach.lost()[INTERNET])


class Nodes(Kubelet):
    """The kubelets, which know that the machine-config operator's pods keep logs of their own."""

    operator: mco.MachineConfigOperator | None = None

    def logs(self, pod: dict, container: str, follow: bool) -> AsyncIterator[bytes]:
        text = self.operator.pod_log(pod) if self.operator else None
        return super().logs(pod, container, follow) if text is None else _once(text.encode())


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _registries(settings: Settings, stack: AsyncExitStack) -> list[tuple[Registry, Endpoint]]:
    """Start the upstream registry and the mirror."""
    started = await asyncio.gather(
        _registry(settings, stack, "upstream", "Public Root CA", {PUBLIC_USER: secrets.token_urlsafe(24)}),
        _registry(
            settings, stack, "mirror", "Mirror CA", {PUSH_USER: AWKWARD_PASSWORD, PULL_USER: secrets.token_urlsafe(24)}
        ),
    )
    return [(registry, _endpoint(settings, registry)) for registry in started]


def _borrowed(settings: Settings) -> list[tuple[Borrowed, Endpoint]]:
    """The same two of another lab, as that one describes them."""
    return [
        (Borrowed(name, settings.registry(name), endpoint.registry), endpoint)
        for name, endpoint in describe.read(settings.neighbour).items()
    ]


async def _registry(
    settings: Settings, stack: AsyncExitStack, name: str, authority: str, users: dict[str, str]
) -> Registry:
    """Start a registry whose certificate is signed by a CA of its own, kept in ca/NAME-ca.crt."""
    signer = Authority(authority)
    (settings.authorities / f"{name}-ca.crt").write_text(signer.certificate, encoding="ascii")
    certificate, key = signer.write(settings.authorities, name)
    registry = Registry(name, settings.registry(name), certificate, key, users, started=partial(process.note, settings))
    stack.push_async_callback(registry.close)
    await registry.start()
    return registry


def _endpoint(settings: Settings, registry: Registry) -> Endpoint:
    """A registry as its users see it: the first user pushes, the last one pulls."""
    users = list(registry.users.items())
    return Endpoint(registry.address, settings.authorities / f"{registry.name}-ca.crt", *users[0], *users[-1])


async def _api(
    settings: Settings, stack: AsyncExitStack, store: Store, nodes: Nodes, namespace_grace: float
) -> tuple[Server, describe.Api]:
    signer = Authority("kube-apiserver-lb-signer")
    authority = settings.authorities / "api-ca.crt"
    authority.write_text(signer.certificate, encoding="ascii")
    tokens = {f"sha256~{secrets.token_urlsafe(32)}": user for user in (access.ADMIN, access.VIEWER)}
    admin, viewer = tokens
    context = signer.server_context(settings.authorities, "api")
    server = await serve(store, context, tokens, nodes, ca=signer.certificate, namespace_grace=namespace_grace)
    stack.push_async_callback(server.stop)
    return server, describe.Api(server.url, authority, admin, viewer)
