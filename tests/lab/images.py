# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small container images out of nothing, and the shelf of a registry to put them on.

The same calls give the same bytes: no clock, no random number. A shelf is written straight into the storage directory
of a docker-registry, in the layout that its filesystem driver reads: filling one takes a fraction of a second.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

CREATED = "2024-06-04T12:00:00Z"


@dataclass(frozen=True)
class Form:
    """The media types of one family of manifests."""

    manifest: str
    index: str
    config: str
    layer: str


DOCKER = Form(
    manifest="application/vnd.docker.distribution.manifest.v2+json",
    index="application/vnd.docker.distribution.manifest.list.v2+json",
    config="application/vnd.docker.container.image.v1+json",
    layer="application/vnd.docker.image.rootfs.diff.tar.gzip",
)
OCI = Form(
    manifest="application/vnd.oci.image.manifest.v1+json",
    index="application/vnd.oci.image.index.v1+json",
    config="application/vnd.oci.image.config.v1+json",
    layer="application/vnd.oci.image.layer.v1.tar+gzip",
)


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def filler(seed: str, size: int) -> bytes:
    """Bytes that no compression shrinks, the same for the same seed."""
    return hashlib.shake_256(seed.encode()).digest(size)


@dataclass(frozen=True)
class Layer:
    """A compressed layer; `diff_id` is the digest of the tar archive inside."""

    data: bytes
    diff_id: str

    @property
    def digest(self) -> str:
        return digest(self.data)


def layer(files: dict[str, bytes]) -> Layer:
    """A layer with these files, {path: content}, and the directories above them."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        above = {str(parent) for path in files for parent in PurePosixPath(path).parents} - {"."}
        for name in sorted(above | set(files)):
            entry = tarfile.TarInfo(name)
            if name in above:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(entry)
            else:
                entry.size, entry.mode = len(files[name]), 0o644
                tar.addfile(entry, io.BytesIO(files[name]))
    data = archive.getvalue()
    return Layer(gzip.compress(data, compresslevel=1, mtime=0), digest(data))


def bulk(seed: str, size: int) -> Layer:
    """A layer that is nothing but its size."""
    return layer({f"usr/share/{seed}.bin": filler(seed, size)})


@dataclass(frozen=True)
class Image:
    """A manifest that lies on a shelf: a single image, or an index of several."""

    repository: str
    digest: str
    media_type: str
    size: int
    architecture: str

    @property
    def reference(self) -> str:
        """Where it can be pulled from, by its digest: "localhost:5001/apps/shop@sha256:..."."""
        return f"{self.repository}@{self.digest}"

    def tagged(self, tag: str) -> str:
        return f"{self.repository}:{tag}"


@dataclass
class _Repository:
    blobs: set[str] = field(default_factory=set)
    manifests: set[str] = field(default_factory=set)
    tags: dict[str, str] = field(default_factory=dict)


class Shelf:
    """What a registry under the name `registry` (host:port) is to hold."""

    def __init__(self, registry: str) -> None:
        self.registry = registry
        self._data: dict[str, bytes] = {}
        self._repositories: dict[str, _Repository] = defaultdict(_Repository)

    def image(
        self,
        path: str,
        layers: list[Layer],
        *,
        tag: str | None = None,
        labels: dict[str, str] | None = None,
        architecture: str = "amd64",
        form: Form = DOCKER,
    ) -> Image:
        """Put a single-architecture image into the repository `path`."""
        config = _encode(
            {
                "architecture": architecture,
                "os": "linux",
                "created": CREATED,
                "config": {"Env": ["PATH=/usr/bin:/bin"], "Labels": labels or {}},
                "rootfs": {"type": "layers", "diff_ids": [each.diff_id for each in layers]},
                "history": [{"created": CREATED, "created_by": "lab"} for _layer in layers],
            }
        )
        manifest = {
            "schemaVersion": 2,
            "mediaType": form.manifest,
            "config": self._blob(path, form.config, config),
            "layers": [self._blob(path, form.layer, each.data) for each in layers],
        }
        return self._manifest(path, form.manifest, manifest, tag, architecture)

    def index(self, path: str, images: list[Image], *, tag: str | None = None, form: Form = DOCKER) -> Image:
        """Put an index of images that are in the repository already, one for each architecture."""
        manifest = {
            "schemaVersion": 2,
            "mediaType": form.index,
            "manifests": [
                {
                    "mediaType": image.media_type,
                    "digest": image.digest,
                    "size": image.size,
                    "platform": {"architecture": image.architecture, "os": "linux"},
                }
                for image in images
            ],
        }
        return self._manifest(path, form.index, manifest, tag, "")

    def signature(self, image: Image) -> Image:
        """Put what a Sigstore signature of the image looks like beside it, under the tag that is searched for."""
        path = image.repository.removeprefix(self.registry + "/")
        claim = _encode(
            {
                "critical": {
                    "identity": {"docker-reference": image.repository},
                    "image": {"docker-manifest-digest": image.digest},
                    "type": "cosign container image signature",
                },
                "optional": None,
            }
        )
        config = {"architecture": "", "os": "", "config": {}, "rootfs": {"type": "layers", "diff_ids": [digest(claim)]}}
        signed = self._blob(path, "application/vnd.dev.cosign.simplesigning.v1+json", claim)
        signed["annotations"] = {"dev.cosignproject.cosign/signature": hashlib.sha256(claim).hexdigest()}
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI.manifest,
            "config": self._blob(path, OCI.config, _encode(config)),
            "layers": [signed],
        }
        return self._manifest(path, OCI.manifest, manifest, image.digest.replace(":", "-") + ".sig", "")

    def resolve(self, reference: str) -> str:
        """A reference by tag as the reference by digest that it stands for now; one by digest as it is."""
        if "@" in reference:
            return reference
        repository, _colon, tag = reference.rpartition(":")
        return f"{repository}@{self._repositories[repository.partition('/')[2]].tags[tag]}"

    def write(self, storage: Path) -> None:
        """Fill the storage directory of a docker-registry (`rootdirectory`), which may be running."""
        root = storage / "docker/registry/v2"
        for name, data in self._data.items():
            _write(root / "blobs/sha256" / name[7:9] / name[7:] / "data", data)
        for path, repository in self._repositories.items():
            home = root / "repositories" / path
            for blob in repository.blobs:
                _link(home / "_layers", blob)
            for manifest in repository.manifests:
                _link(home / "_manifests/revisions", manifest)
            for tag, target in repository.tags.items():
                _write(home / "_manifests/tags" / tag / "current/link", target.encode())
                _link(home / "_manifests/tags" / tag / "index", target)

    def _blob(self, path: str, media_type: str, data: bytes) -> dict:
        """Keep a blob and describe it, as a manifest does."""
        name = digest(data)
        self._data[name] = data
        self._repositories[path].blobs.add(name)
        return {"mediaType": media_type, "size": len(data), "digest": name}

    def _manifest(self, path: str, media_type: str, manifest: dict, tag: str | None, architecture: str) -> Image:
        data = _encode(manifest)
        name = digest(data)
        self._data[name] = data
        self._repositories[path].manifests.add(name)
        if tag:
            self._repositories[path].tags[tag] = name
        return Image(f"{self.registry}/{path}", name, media_type, len(data), architecture)


def _encode(document: dict) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _link(directory: Path, name: str) -> None:
    _write(directory / "sha256" / name[7:] / "link", name.encode())
