# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release of OpenShift as a registry has it: components, and the release image that names each by its digest."""

from __future__ import annotations

import hashlib
import json

from .images import CREATED, Image, Layer, Shelf, bulk, layer

RELEASE = "openshift-release-dev/ocp-release"
COMPONENTS = "openshift-release-dev/ocp-v4.0-art-dev"

BASE = bulk("ubi9", 256 * 1024)
OPENSHIFT_BASE = bulk("openshift-enterprise-base", 128 * 1024)

_SOURCES = {  # component: the repository it is built from, where its name does not tell
    "cli": "oc",
    "cli-artifacts": "oc",
    "haproxy-router": "router",
    "hyperkube": "kubernetes",
    "kube-proxy": "sdn",
    "oauth-server": "oauth-server",
    "pod": "kubernetes",
    "tools": "oc",
}
_NAMES = (
    "cli",
    "cli-artifacts",
    "cluster-image-registry-operator",
    "cluster-monitoring-operator",
    "cluster-samples-operator",
    "cluster-update-keys",
    "cluster-version-operator",
    "console",
    "coredns",
    "etcd",
    "haproxy-router",
    "hyperkube",
    "insights-operator",
    "installer",
    "kube-rbac-proxy",
    "machine-config-operator",
    "must-gather",
    "oauth-proxy",
    "oauth-server",
    "openshift-apiserver",
    "operator-lifecycle-manager",
    "operator-marketplace",
    "operator-registry",
    "pod",
    "telemeter",
    "tools",
)
_BUILT_ON = {"tools": "cli", "must-gather": "cli"}  # images whose layers begin with another's
_SEVERAL_ARCHITECTURES = "oauth-proxy"


def operating_system(minor: tuple[int, int]) -> str:
    """The component that holds the nodes' operating system, whose name depends on the version."""
    if minor < (4, 12):
        return "machine-os-content"
    return "rhel-coreos-8" if minor < (4, 13) else "rhel-coreos"


def components(shelf: Shelf, version: str, minor: tuple[int, int]) -> dict[str, Image]:
    """Put every component of a release on the shelf: untagged, all in one repository, as releases are published."""
    own: dict[str, Layer] = {name: bulk(f"{version}-{name}", 24 * 1024) for name in _NAMES}
    images = {}
    for name in _NAMES:
        below = [BASE, OPENSHIFT_BASE] + ([own[_BUILT_ON[name]]] if name in _BUILT_ON else [])
        labels = {"io.openshift.release.operator": "true"} if name.endswith("-operator") else {}
        images[name] = shelf.image(COMPONENTS, [*below, own[name]], labels=labels)
    system = operating_system(minor)
    images[system] = shelf.image(COMPONENTS, [bulk(f"{version}-{system}", 1024 * 1024)])
    arm = shelf.image(COMPONENTS, [bulk(f"{version}-{_SEVERAL_ARCHITECTURES}-arm64", 24 * 1024)], architecture="arm64")
    images[_SEVERAL_ARCHITECTURES] = shelf.index(COMPONENTS, [images[_SEVERAL_ARCHITECTURES], arm])
    return images


def release(shelf: Shelf, version: str, parts: dict[str, Image]) -> Image:
    """Put the release image on the shelf, with its tag and its signature."""
    documents = {
        "release-manifests/image-references": image_references(version, parts),
        "release-manifests/release-metadata": {
            "kind": "cincinnati-metadata-v0",
            "version": version,
            "previous": [],
            "metadata": {"url": "https://access.redhat.com/errata/RHSA-2024:0000"},
        },
    }
    manifests = layer({path: json.dumps(document, indent=2).encode() for path, document in documents.items()})
    operator = bulk(f"{version}-cluster-version-operator", 24 * 1024)
    image = shelf.image(
        RELEASE,
        [BASE, OPENSHIFT_BASE, operator, manifests],
        tag=f"{version}-x86_64",
        labels={
            "io.openshift.release": version,
            "io.openshift.release.base-image-digest": parts["cluster-version-operator"].digest,
        },
    )
    shelf.signature(image)
    return image


def image_references(version: str, parts: dict[str, Image]) -> dict:
    """The ImageStream inside a release image: a tag for each component."""
    return {
        "kind": "ImageStream",
        "apiVersion": "image.openshift.io/v1",
        "metadata": {
            "name": version,
            "creationTimestamp": CREATED,
            "annotations": {
                "release.openshift.io/from-image-stream": f"ocp/{version.rpartition('.')[0]}-art-assembly-{version}"
            },
        },
        "spec": {
            "lookupPolicy": {"local": False},
            "tags": [_tag(name, parts[name]) for name in sorted(parts)],
        },
        "status": {"dockerImageRepository": ""},
    }


def _tag(name: str, image: Image) -> dict:
    return {
        "name": name,
        "annotations": {
            "io.openshift.build.commit.id": hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest(),
            "io.openshift.build.commit.ref": "",
            "io.openshift.build.source-location": f"https://github.com/openshift/{_SOURCES.get(name, name)}",
        },
        "from": {"kind": "DockerImage", "name": image.reference},
        "generation": 2,
        "importPolicy": {"importMode": "Legacy"},
        "referencePolicy": {"type": "Source"},
    }
