# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that the upstream registry holds: a release, Operator catalogs, applications."""

from __future__ import annotations

from dataclasses import dataclass

from . import catalogs, payload
from .images import DOCKER, OCI, Shelf, bulk
from .settings import Settings

_INVENTORY_TAG = "2.4"


@dataclass(frozen=True)
class Operator:
    """One version of an operator, as installed or offered. `images` are its operands, {name: reference}."""

    package: str
    channel: str
    name: str
    version: str
    bundle: str
    images: dict[str, str]


@dataclass(frozen=True)
class Content:
    """What is where, all of it complete references into `registry` (localhost:PORT).

    release_image: by digest; release_tag: the same by tag; components: {name: reference by digest}; catalogs: index
    images by tag, Red Hat's and a vendor's; sqlite_catalogs: those of them that are a database; operators: the heads of
    the default channels of Red Hat's catalog; images: two applications, the first by digest and the second by tag.
    """

    registry: str
    release_version: str
    release_image: str
    release_tag: str
    components: dict[str, str]
    catalogs: tuple[str, str]
    sqlite_catalogs: tuple[str, ...]
    operators: tuple[Operator, ...]
    images: tuple[str, str]
    shelf: Shelf

    @property
    def file_based_catalogs(self) -> list[str]:
        return [catalog for catalog in self.catalogs if catalog not in self.sqlite_catalogs]


def make(registry: str, settings: Settings) -> Content:
    """The content of the registry that answers under `registry`, for the version that the lab pretends."""
    shelf = Shelf(registry)
    parts = payload.components(shelf, settings.release_version, settings.minor)
    release = payload.release(shelf, settings.release_version, parts)

    tag = f"v{settings.version}"
    red_hat = catalogs.bundles(shelf, catalogs.RED_HAT)
    file_based = settings.minor >= catalogs.FIRST_FILE_BASED
    index = catalogs.index(shelf, "redhat/redhat-operator-index", tag, red_hat, file_based=file_based).tagged(tag)
    legacy = catalogs.bundles(shelf, catalogs.LEGACY)
    legacy_index = catalogs.index(shelf, "acme/legacy-operator-index", tag, legacy, file_based=False).tagged(tag)

    frontend = shelf.image("apps/shop/frontend", [payload.BASE, bulk("frontend", 64 * 1024)], tag="1.8.2", form=OCI)
    inventory = shelf.image(
        "apps/inventory", [payload.BASE, bulk("inventory", 64 * 1024)], tag=_INVENTORY_TAG, form=DOCKER
    )
    return Content(
        registry=registry,
        release_version=settings.release_version,
        release_image=release.reference,
        release_tag=release.tagged(f"{settings.release_version}-x86_64"),
        components={name: image.reference for name, image in sorted(parts.items())},
        catalogs=(index, legacy_index),
        sqlite_catalogs=(legacy_index,) if file_based else (index, legacy_index),
        operators=tuple(_heads(red_hat)),
        images=(frontend.reference, inventory.tagged(_INVENTORY_TAG)),
        shelf=shelf,
    )


def _heads(bundles: list[catalogs.Bundle]) -> list[Operator]:
    """The newest bundle of each package's default channel: what a new subscription would install."""
    return [
        Operator(
            package=bundle.package.name,
            channel=bundle.package.default_channel,
            name=bundle.name,
            version=bundle.version,
            bundle=bundle.image.reference,
            images=bundle.related,
        )
        for bundle in bundles
        if bundle.version == bundle.package.channels[bundle.package.default_channel][-1]
    ]
