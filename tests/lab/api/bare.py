# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API server over a nearly empty cluster: some namespaces, a node or two, a user of each kind."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

import yaml

from .. import nodefs
from ..clock import Scale
from ..kubelet import Kubelet
from ..tls import Authority, write_private
from . import access, housekeeping
from .server import Server, serve
from .store import Store

NAMESPACES = ("default", "kube-system", "openshift", "openshift-config", "openshift-machine-config-operator")
REGISTRIES_CONF = "unqualified-search-registries = ['registry.access.redhat.com', 'docker.io']\n"


async def bare(directory: Path, version: str = "4.16", nodes: tuple[str, ...] = ("worker-0",), port: int = 0) -> Server:
    """A server over a nearly empty cluster, with a kubeconfig for each user in `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    store = Store(version)
    access.seed_roles(store)
    for namespace in NAMESPACES:
        store.create("namespaces", {"metadata": {"name": namespace}, "status": {"phase": "Active"}})
    authority = Authority("lab-api")
    programs = nodefs.busybox(directory / "programs")
    for name in nodes:
        store.create("nodes", _node(name))
        bundle = authority.certificate.encode()
        files = nodefs.prepare(
            directory / "nodes" / name, programs, os_release="NAME=lab\n", hostname=name, trust_bundle=bundle
        )
        files.write("/etc/containers/registries.conf", REGISTRIES_CONF.encode())
    scale = Scale()
    kubelet = Kubelet(store, scale, directory / "nodes")
    kubelet.start()
    tokens = {f"sha256~{secrets.token_urlsafe(32)}": user for user in (access.ADMIN, access.VIEWER, access.NOBODY)}
    grace = scale.seconds(housekeeping.NAMESPACE_GRACE)
    context = authority.server_context(directory, "api")
    server = await serve(store, context, tokens, kubelet, port, authority.certificate, grace)
    for token, user in list(tokens.items()):
        suffix = "" if user is access.ADMIN else f"-{user.name}"
        write_kubeconfig(directory / f"kubeconfig{suffix}", server.url, authority.certificate, user.name, token)
    return server


def _node(name: str) -> dict:
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "node-role.kubernetes.io/worker": ""}
    conditions = [{"type": "Ready", "status": "True"}]
    info = {"kubeletVersion": "v1.29.14", "operatingSystem": "linux"}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {},
        "status": {"conditions": conditions, "nodeInfo": info},
    }


def write_kubeconfig(path: Path, url: str, ca: str, user: str, token: str) -> None:
    """A kubeconfig with one context, for its owner only."""
    cluster = {"server": url, "certificate-authority-data": base64.b64encode(ca.encode()).decode()}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": user, "namespace": "default"}}],
        "current-context": "lab",
    }
    write_private(path, yaml.safe_dump(config, sort_keys=False))
