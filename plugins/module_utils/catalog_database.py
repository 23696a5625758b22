# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operator catalogs as SQLite databases, the form that they had up to OpenShift 4.10; some vendors still use it."""
from __future__ import annotations

import pathlib
from collections import defaultdict
from contextlib import closing

from . import errors
from .operator_catalog import Bundle, Catalog, Package

try:
    import sqlite3
except ImportError:  # some builds of Python leave it out
    sqlite3 = None

PACKAGES = "SELECT name, default_channel FROM package"
CHANNELS = "SELECT package_name, name, head_operatorbundle_name FROM channel"
ENTRIES = "SELECT DISTINCT package_name, channel_name, operatorbundle_name FROM channel_entry ORDER BY depth DESC"
BUNDLES = "SELECT name, bundlepath FROM operatorbundle"
IMAGES = "SELECT operatorbundle_name, image FROM related_image"


def read(path, reference):
    """The Catalog in the database file at `path`; `reference` is how the catalog is called in messages."""
    if sqlite3 is None:
        raise errors.InvalidInput("%s is a SQLite catalog, and the Python of this host cannot read SQLite." % reference)
    try:
        with closing(sqlite3.connect(pathlib.Path(path).as_uri() + "?mode=ro&immutable=1", uri=True)) as connection:
            found = catalog(connection)
    except sqlite3.DatabaseError as problem:
        raise errors.InvalidInput("%s is labelled as a SQLite catalog, but its database cannot be used: %s. Give "
                                  "another index image, or have its publisher build it again." % (reference, problem))
    if not found.images:
        raise errors.InvalidInput("%s: the catalog is empty." % reference)
    return found


def catalog(connection):
    """The Catalog of an open database."""
    images, channels, heads = defaultdict(list), defaultdict(dict), defaultdict(dict)
    packages_of = {}
    for package, channel, head in connection.execute(CHANNELS):
        channels[package][channel] = []
        heads[package][channel] = [head]
    for package, channel, bundle in connection.execute(ENTRIES):
        channels[package].setdefault(channel, []).append(bundle)
        packages_of[bundle] = package
    for bundle, path in connection.execute(BUNDLES):
        images[bundle] += [path] if path else []
    for bundle, image in connection.execute(IMAGES):
        images[bundle] += [image] if image and image not in images[bundle] else []
    packages = {name: Package(name, default, channels[name], heads[name])
                for name, default in connection.execute(PACKAGES)}
    bundles = {name: Bundle(name, packages_of.get(name), found) for name, found in images.items()}
    return Catalog(packages, bundles, sorted({image for found in images.values() for image in found}))
