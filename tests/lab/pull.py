# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node pulls an image, with nothing but that node's own files, over the network, from a real registry.

Where to pull from is decided by `sources`; each endpoint in order is then tried with one real `skopeo copy`, which gets
the node's pull secret, the node's CA bundle, the node's certificates for that very registry, and a registries.conf that
redirects nothing: neither this machine's trust store nor its credentials take part.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from . import journal, sources
from .nodefs import TRUST_BUNDLE

AT_ONCE = 4
TIMEOUT = 60
PULL_SECRET = "var/lib/kubelet/config.json"
CERTIFICATE_DIRECTORIES = ("etc/containers/certs.d", "etc/docker/certs.d")
_FATAL = re.compile(r'level=fatal msg="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Attempt:
    """One endpoint that was tried; `error` is empty where it gave the image."""

    source: str
    mirror: bool
    error: str


@dataclass(frozen=True)
class Pull:
    """What became of one pull: `source` is the endpoint that gave the image, `mirror` whether that was a mirror."""

    node: str
    image: str
    ok: bool
    source: str
    mirror: bool
    error: str
    attempts: tuple[Attempt, ...]

    def result(self) -> dict:
        return asdict(self)


class Puller:
    """Pulls for all nodes of a lab, a few at a time. `nodes` holds a directory for each node.

    `looks_first`: as CRI-O up to 1.30, which tries the endpoints once to look at an image and once more to copy it.
    `unreachable` says what keeps a node from a registry, if anything does.
    """

    def __init__(
        self,
        nodes: Path,
        scratch: Path,
        looks_first: bool = False,
        unreachable: Callable[[str, str], str] = lambda node, registry: "",
    ) -> None:
        self._nodes = nodes
        self._scratch = scratch
        self._looks_first = looks_first
        self._unreachable = unreachable
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def pull_all(self, nodes: Iterable[str], images: Iterable[str]) -> list[Pull]:
        """Every image on every node, in the order of the images and then of the nodes."""
        pairs = [(node, image) for image in images for node in nodes]
        return await asyncio.gather(*(self.pull(node, image) for node, image in pairs))

    async def pull(self, node: str, image: str) -> Pull:
        """One image on one node, as CRI-O pulls it. A failure is a result, not an exception."""
        async with self._turn:
            self._scratch.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self._scratch) as scratch:
                return await self._pull(self._nodes / node, image, Path(scratch))

    async def _pull(self, node: Path, image: str, scratch: Path) -> Pull:
        rootfs, request = node / "rootfs", str(uuid.uuid4())
        journal.crio(node, f"Pulling image: {image}", request=request)
        attempts: list[Attempt] = []
        try:
            registries = sources.load(rootfs)
            reference = asked_for(image)
            demands = sources.requirements(rootfs, reference)
            endpoints = sources.pull_sources(registries, reference)
        except sources.Refused as refusal:
            return _failed(node, image, (), str(refusal))
        for endpoint in endpoints:
            journal.crio(node, f'Trying to access "{endpoint.reference}"')
            prefix = sources.blocked(registries, endpoint.reference)
            if prefix:
                error = f"registry {prefix} is blocked in {sources.REGISTRIES_CONF}"
            else:
                error = self._unreachable(node.name, _registry(endpoint))
                error = error or await self._copy(rootfs, endpoint, demands, scratch)
            attempts.append(Attempt(endpoint.reference, endpoint.mirror, error))
            if not error:
                if self._looks_first:
                    for attempt in attempts:
                        journal.crio(node, f'Trying to access "{attempt.source}"')
                journal.crio(node, f"Pulled image: {reference}", request=request)
                return Pull(node.name, image, True, endpoint.reference, endpoint.mirror, "", tuple(attempts))
        return _failed(node, image, tuple(attempts), _all_failed(attempts))

    async def inspect(self, node: str, image: str, mirrors: bool) -> str:
        """Ask for an image's manifest as a program on the node does, and return the complaint, or nothing."""
        async with self._turn:
            self._scratch.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self._scratch) as scratch:
                rootfs = self._nodes / node / "rootfs"
                registries = sources.load(rootfs) if mirrors else []
                complaint = ""
                for endpoint in sources.pull_sources(registries, asked_for(image)):
                    tls = (
                        f"--cert-dir={_certificates(rootfs, endpoint, Path(scratch))}",
                        f"--tls-verify={_verified(endpoint)}",
                    )
                    complaint = self._unreachable(node, _registry(endpoint)) or await self._skopeo(
                        rootfs, Path(scratch), "inspect", "--raw", *tls, f"docker://{endpoint.reference}"
                    )
                    if not complaint:
                        return ""
                return complaint

    async def _copy(self, rootfs: Path, endpoint: sources.Source, demands: list[dict], scratch: Path) -> str:
        """Pull from one endpoint and throw the image away; returns the error, or nothing."""
        if any(demand["type"] == "reject" for demand in demands):
            return f"Source image rejected: Running image docker://{endpoint.reference} is rejected by policy."
        target = scratch / "image"
        tls = (f"--src-cert-dir={_certificates(rootfs, endpoint, scratch)}", f"--src-tls-verify={_verified(endpoint)}")
        error = await self._skopeo(
            rootfs, scratch, "copy", "--quiet", *tls, f"docker://{endpoint.reference}", f"dir:{target}"
        )
        shutil.rmtree(target, ignore_errors=True)
        if not error and any(demand["type"] == "sigstoreSigned" for demand in demands):
            error = await self._signature(rootfs, endpoint, scratch)
        return error

    async def _signature(self, rootfs: Path, endpoint: sources.Source, scratch: Path) -> str:
        """Whether the endpoint has a signature for the image; what is in it is not the lab's business."""
        name, _at, digest = endpoint.reference.partition("@")
        reference = f"{sources.repository(name)}:{digest.replace(':', '-')}.sig"
        tls = (f"--cert-dir={_certificates(rootfs, endpoint, scratch)}", f"--tls-verify={_verified(endpoint)}")
        error = await self._skopeo(rootfs, scratch, "inspect", "--raw", *tls, f"docker://{reference}")
        return f"Source image rejected: A signature was required, but no signature exists ({error})" if error else ""

    async def _skopeo(self, rootfs: Path, scratch: Path, verb: str, *arguments: str) -> str:
        """Run skopeo as this node; returns its last complaint, or nothing."""
        registries_conf, policy, none = scratch / "registries.conf", scratch / "policy.json", scratch / "none"
        none.mkdir(exist_ok=True)
        registries_conf.touch()
        policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}', encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            "skopeo",
            f"--policy={policy}",
            f"--registries-conf={registries_conf}",
            f"--registries.d={none}",
            f"--tmpdir={scratch}",
            f"--command-timeout={TIMEOUT}s",
            "--override-arch=amd64",
            "--override-os=linux",
            verb,
            f"--authfile={rootfs / PULL_SECRET}",
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={
                "PATH": os.defpath,
                "HOME": str(scratch),
                # What skopeo remembers of blobs then goes into its HOME, for root too.
                "_CONTAINERS_ROOTLESS_UID": "1",
                "TMPDIR": str(scratch),
                "SSL_CERT_FILE": str(rootfs / TRUST_BUNDLE.lstrip("/")),
                "SSL_CERT_DIR": str(none),
            },
        )
        try:
            _nothing, complaint = await process.communicate()
        finally:
            if process.returncode is None:  # the pod is gone, or the lab ends
                process.kill()
                await process.wait()
        return "" if process.returncode == 0 else _reason(complaint.decode(errors="replace"))


class Images:
    """What the nodes have in their storage; a pod pulls what its node lacks, or what it is told to pull always."""

    def __init__(self, puller: Puller) -> None:
        self._puller = puller
        self._present: set[tuple[str, str]] = set()

    def note(self, pod: dict) -> None:
        """The images of a pod that runs are on its node."""
        for container in pod["spec"].get("initContainers", []) + pod["spec"]["containers"]:
            self._present.add((pod["spec"]["nodeName"], container["image"]))

    async def provide(self, node: str, image: str, policy: str) -> Pull:
        """See to it that a node has an image. One that names no registry is the lab's own, and is everywhere."""
        if not names_a_registry(image) or (policy != "Always" and (node, image) in self._present):
            return Pull(node, image, True, image, False, "", ())
        pull = await self._puller.pull(node, image)
        if pull.ok:
            self._present.add((node, image))
        return pull


def names_a_registry(image: str) -> bool:
    """Whether a reference begins with a host, as complete references do."""
    host, slash, _path = image.partition("/")
    return bool(slash) and ("." in host or ":" in host or host == "localhost")


def asked_for(image: str) -> str:
    """The reference as CRI-O asks for it: a tag beside a digest falls away. Raises Refused without a registry."""
    name, at, digest = image.partition("@")
    if not names_a_registry(name):
        raise sources.Refused(f"{image} names no registry: the lab's nodes pull only complete references")
    if at:
        return f"{sources.repository(name)}@{digest}"
    return name if sources.repository(name) != name else f"{name}:latest"


def _registry(endpoint: sources.Source) -> str:
    return endpoint.reference.partition("/")[0]


def _certificates(rootfs: Path, endpoint: sources.Source, scratch: Path) -> Path:
    """The node's certificates for an endpoint's registry: the first directory of exactly its name, or an empty one."""
    host = _registry(endpoint)
    places = [rootfs / directory / host for directory in CERTIFICATE_DIRECTORIES]
    return next((place for place in places if place.is_dir()), scratch / "none")


def _verified(endpoint: sources.Source) -> str:
    """Certificates are verified, unless the node's own configuration calls the registry insecure."""
    return "false" if endpoint.insecure else "true"


def _failed(node: Path, image: str, attempts: tuple[Attempt, ...], error: str) -> Pull:
    journal.kubelet_error(node, "Failed to pull image", err=error, image=image)
    return Pull(node.name, image, False, "", False, error, attempts)


def _all_failed(attempts: list[Attempt]) -> str:
    """One sentence about all endpoints, as containers/image puts it."""
    *mirrors, source = attempts
    if not mirrors:
        return f"{source.source}: {source.error}"
    return "(Mirrors also failed: [{}]): {}: {}".format(
        "\n".join(f"{mirror.source}: {mirror.error}" for mirror in mirrors), source.source, source.error
    )


def _reason(complaint: str) -> str:
    found = _FATAL.findall(complaint)
    if found:
        return found[-1].replace('\\"', '"').replace("\\\\", "\\")
    return (complaint.strip().splitlines() or ["skopeo failed and said nothing"])[-1]
