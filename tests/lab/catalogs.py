# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Operator catalogs in both forms that index images have had, with the bundles and operands that they offer.

File-based catalogs (`/configs`, since 4.11) are JSON documents one after the other, YAML documents, or several files
for one package: each occurs, so each is here once. SQLite catalogs are a database file.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field

import yaml

from .images import OCI, Image, Shelf, bulk, layer
from .payload import BASE

CONFIGS_LABEL = "operators.operatorframework.io.index.configs.v1"
DATABASE_LABEL = "operators.operatorframework.io.index.database.v1"
FIRST_FILE_BASED = (4, 11)
ARCHITECTURES = ("amd64", "arm64")


@dataclass(frozen=True)
class Package:
    """One operator. Repositories in `operands` get an image for each version, those in `shared` one image for all."""

    name: str
    kind: str
    bundle: str
    channels: dict[str, tuple[str, ...]]  # versions, the oldest first
    default_channel: str
    operands: tuple[str, ...]
    shared: tuple[str, ...] = ()
    by_tag: str = ""  # a related image that the bundle names by its tag
    files: str = "catalog.json"

    @property
    def versions(self) -> list[str]:
        """All versions of all channels, each once, the oldest first."""
        return sorted(
            {v for versions in self.channels.values() for v in versions}, key=lambda v: [int(n) for n in v.split(".")]
        )


RED_HAT = (
    Package(
        name="web-terminal",
        kind="DevWorkspaceTemplate",
        bundle="web-terminal/web-terminal-operator-bundle",
        channels={"fast": ("1.9.0", "1.10.0")},
        default_channel="fast",
        operands=("web-terminal/web-terminal-rhel8-operator", "web-terminal/web-terminal-exec-rhel8"),
        shared=("openshift4/ose-kube-rbac-proxy",),
    ),
    Package(
        name="quay-operator",
        kind="QuayRegistry",
        bundle="quay/quay-operator-bundle",
        channels={"stable-3.10": ("3.10.6",), "stable-3.11": ("3.10.6", "3.11.1", "3.11.2")},
        default_channel="stable-3.11",
        operands=("quay/quay-operator-rhel8", "quay/quay-rhel8", "quay/clair-rhel8"),
        shared=("rhel8/postgresql-13", "rhel8/redis-6"),
        files="catalog.yaml",
    ),
    Package(
        name="openshift-gitops-operator",
        kind="GitopsService",
        bundle="openshift-gitops-1/gitops-operator-bundle",
        channels={"gitops-1.12": ("1.12.4",), "latest": ("1.12.4", "1.13.0")},
        default_channel="latest",
        operands=("openshift-gitops-1/gitops-rhel8-operator", "openshift-gitops-1/argocd/server/argocd-rhel8"),
        shared=("openshift4/ose-kube-rbac-proxy", "rhel8/redis-6"),
        by_tag="openshift-gitops-1/console-plugin-rhel8",
        files="split",
    ),
)
LEGACY = (
    Package(
        name="acme-store",
        kind="Store",
        bundle="acme/store-operator-bundle",
        channels={"alpha": ("0.1.0", "0.2.0")},
        default_channel="alpha",
        operands=("acme/store-operator", "acme/store/backend"),
        shared=("rhel8/postgresql-13",),
    ),
)


@dataclass
class Bundle:
    """One version of an operator: its bundle image, and the images that it runs, {name: reference}."""

    package: Package
    version: str
    image: Image
    related: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.package.name}.v{self.version}"


def bundles(shelf: Shelf, packages: tuple[Package, ...]) -> list[Bundle]:
    """Put the bundles and operands of packages on the shelf."""
    return [_bundle(shelf, package, version) for package in packages for version in package.versions]


def index(shelf: Shelf, path: str, tag: str, offered: list[Bundle], *, file_based: bool) -> Image:
    """Put an index image for two architectures on the shelf, which offers these bundles."""
    if file_based:
        labels = {CONFIGS_LABEL: "/configs"}
        content = layer({f"configs/{name}": data for name, data in file_based_catalog(offered).items()})
    else:
        labels = {DATABASE_LABEL: "/database/index.db"}
        content = layer({"database/index.db": database(offered)})
    images = [
        shelf.image(
            path, [BASE, bulk(f"opm-{architecture}", 48 * 1024), content], labels=labels, architecture=architecture
        )
        for architecture in ARCHITECTURES
    ]
    return shelf.index(path, images, tag=tag)


def file_based_catalog(offered: list[Bundle]) -> dict[str, bytes]:
    """The files under /configs, {path: content}."""
    files = {".indexignore": b"README.md\n", "README.md": b"not: [a, catalog\n"}
    for package in _packages(offered):
        own = [bundle for bundle in offered if bundle.package is package]
        documents = {
            "package": [{"schema": "olm.package", "name": package.name, "defaultChannel": package.default_channel}],
            "channels": [_channel(package, channel, versions) for channel, versions in package.channels.items()],
            "bundles": [_bundle_document(bundle) for bundle in own],
        }
        if package.files == "split":
            files |= {f"{package.name}/{part}.json": _json(each) for part, each in documents.items()}
            continue
        everything = [document for part in documents.values() for document in part]
        encode = _yaml if package.files.endswith(".yaml") else _json
        files[f"{package.name}/{package.files}"] = encode(everything)
    return files


def database(offered: list[Bundle]) -> bytes:
    """The catalog as an SQLite database: the tables that say what there is and which images it takes."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript("""
            CREATE TABLE package (name TEXT PRIMARY KEY, default_channel TEXT);
            CREATE TABLE channel (
                name TEXT, package_name TEXT, head_operatorbundle_name TEXT, PRIMARY KEY (name, package_name)
            );
            CREATE TABLE channel_entry (
                entry_id INTEGER PRIMARY KEY, channel_name TEXT, package_name TEXT, operatorbundle_name TEXT,
                replaces INTEGER, depth INTEGER
            );
            CREATE TABLE operatorbundle (
                name TEXT PRIMARY KEY, csv TEXT, bundle TEXT, bundlepath TEXT, skiprange TEXT, version TEXT,
                replaces TEXT, skips TEXT, substitutesfor TEXT
            );
            CREATE TABLE related_image (image TEXT, operatorbundle_name TEXT);
        """)
        for package in _packages(offered):
            connection.execute("INSERT INTO package VALUES (?, ?)", (package.name, package.default_channel))
            for channel, versions in package.channels.items():
                _database_channel(connection, package, channel, versions)
        for bundle in offered:
            connection.execute(
                "INSERT INTO operatorbundle (name, bundlepath, version) VALUES (?, ?, ?)",
                (bundle.name, bundle.image.reference, bundle.version),
            )
            rows = [(image, bundle.name) for image in [bundle.image.reference, *bundle.related.values()]]
            connection.executemany("INSERT INTO related_image VALUES (?, ?)", rows)
        connection.commit()
        return connection.serialize()


def _database_channel(
    connection: sqlite3.Connection, package: Package, channel: str, versions: tuple[str, ...]
) -> None:
    newest_first = [f"{package.name}.v{version}" for version in reversed(versions)]
    connection.execute("INSERT INTO channel VALUES (?, ?, ?)", (channel, package.name, newest_first[0]))
    replaced = None
    for depth, name in reversed(list(enumerate(newest_first))):
        cursor = connection.execute(
            "INSERT INTO channel_entry VALUES (NULL, ?, ?, ?, ?, ?)",
            (channel, package.name, name, replaced, depth),
        )
        replaced = cursor.lastrowid


def _packages(offered: list[Bundle]) -> list[Package]:
    return list({bundle.package.name: bundle.package for bundle in offered}.values())


def _bundle(shelf: Shelf, package: Package, version: str) -> Bundle:
    related = {}
    for path in package.operands:
        related[path.rpartition("/")[2]] = _operand(shelf, path, f"{path}-{version}").reference
    for path in package.shared:
        related[path.rpartition("/")[2]] = _operand(shelf, path, path).reference
    if package.by_tag:
        tag = f"v{version}"
        related[package.by_tag.rpartition("/")[2]] = _operand(
            shelf, package.by_tag, f"{package.by_tag}-{version}", tag
        ).tagged(tag)
    csv = {
        "apiVersion": "operators.coreos.com/v1alpha1",
        "kind": "ClusterServiceVersion",
        "metadata": {"name": f"{package.name}.v{version}"},
        "spec": {
            "version": version,
            "relatedImages": [{"name": name, "image": image} for name, image in related.items()],
        },
    }
    labels = {
        "operators.operatorframework.io.bundle.mediatype.v1": "registry+v1",
        "operators.operatorframework.io.bundle.manifests.v1": "manifests/",
        "operators.operatorframework.io.bundle.metadata.v1": "metadata/",
        "operators.operatorframework.io.bundle.package.v1": package.name,
        "operators.operatorframework.io.bundle.channels.v1": ",".join(package.channels),
        "operators.operatorframework.io.bundle.channel.default.v1": package.default_channel,
    }
    content = layer(
        {
            f"manifests/{package.name}.clusterserviceversion.yaml": yaml.safe_dump(csv).encode(),
            "metadata/annotations.yaml": yaml.safe_dump({"annotations": labels}).encode(),
        }
    )
    return Bundle(package, version, shelf.image(package.bundle, [content], tag=f"v{version}", labels=labels), related)


def _operand(shelf: Shelf, path: str, seed: str, tag: str | None = None) -> Image:
    """An image for two architectures, in the newer manifest form, with one layer that all operands have."""
    images = [
        shelf.image(path, [BASE, bulk(f"{seed}-{architecture}", 16 * 1024)], architecture=architecture, form=OCI)
        for architecture in ARCHITECTURES
    ]
    return shelf.index(path, images, tag=tag, form=OCI)


def _channel(package: Package, channel: str, versions: tuple[str, ...]) -> dict:
    entries = []
    for older, version in zip((None, *versions), versions):
        entry = {"name": f"{package.name}.v{version}"}
        if older:
            entry |= {"replaces": f"{package.name}.v{older}", "skipRange": f">={versions[0]} <{version}"}
        entries.append(entry)
    return {"schema": "olm.channel", "package": package.name, "name": channel, "entries": entries}


def _bundle_document(bundle: Bundle) -> dict:
    package = bundle.package
    images = {"": bundle.image.reference, **bundle.related}
    return {
        "schema": "olm.bundle",
        "package": package.name,
        "name": bundle.name,
        "image": bundle.image.reference,
        "properties": [
            {"type": "olm.package", "value": {"packageName": package.name, "version": bundle.version}},
            {
                "type": "olm.gvk",
                "value": {"group": f"{package.name}.example.com", "kind": package.kind, "version": "v1"},
            },
        ],
        "relatedImages": [{"name": name, "image": image} for name, image in images.items()],
    }


def _json(documents: list[dict]) -> bytes:
    """Documents one after the other, as opm writes them: not a JSON array."""
    return "".join(json.dumps(document, indent=4) + "\n" for document in documents).encode()


def _yaml(documents: list[dict]) -> bytes:
    return yaml.safe_dump_all(documents, explicit_start=True, sort_keys=False).encode()
