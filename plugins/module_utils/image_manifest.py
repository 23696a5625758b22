# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image is made of: manifests and lists of manifests, as Docker and OCI write them.

Raw bytes are kept as they came, since a digest is of exactly these bytes.
"""
from __future__ import annotations

import hashlib
import json
import re
from collections import namedtuple

from . import errors

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
IMAGE_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
SCHEMA1_TYPES = (
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)
ACCEPT = ", ".join(INDEX_TYPES + IMAGE_TYPES)

DIGEST = re.compile(r"(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})\Z")

# What a manifest refers to: digest, size in bytes, media type, and the platform (a dict, of a list's entries).
Descriptor = namedtuple("Descriptor", "digest size media_type platform")


def digest_of(raw, algorithm="sha256"):
    return "%s:%s" % (algorithm, hashlib.new(algorithm, raw).hexdigest())


class Manifest:
    """An image manifest or a list of them: its raw bytes, their digest, and what they refer to."""

    def __init__(self, raw, content_type, algorithm="sha256"):
        self.raw = raw
        self.digest = digest_of(raw, algorithm)
        try:
            self.document = json.loads(raw.decode("utf-8"))
        except ValueError:
            raise errors.Corrupt("The manifest %s is not JSON." % self.digest)
        if not isinstance(self.document, dict):
            raise errors.Corrupt("The manifest %s is not a JSON object." % self.digest)
        self.media_type = self.document.get("mediaType") or content_type.partition(";")[0].strip()
        if self.media_type in SCHEMA1_TYPES or self.document.get("schemaVersion") == 1:
            raise errors.InvalidInput("The image is in the obsolete schema 1 format, which registries no longer take. "
                                      "Have its publisher push it again.")

    @property
    def is_index(self):
        return "manifests" in self.document

    @property
    def children(self):
        """Descriptors of the manifests that a list refers to."""
        return self._descriptors(self.document.get("manifests") or [])

    @property
    def config(self):
        """The Descriptor of the image's configuration, or None."""
        return next(iter(self._descriptors([self.document.get("config") or {}])), None)

    @property
    def layers(self):
        """Descriptors of the layers, lowest first; those that may only be had from their own address are left out."""
        return self._descriptors(layer for layer in self.document.get("layers") or [] if not layer.get("urls"))

    @property
    def blobs(self):
        """Descriptors of everything that must be in a repository before this manifest is, each digest once."""
        found = ([self.config] if self.config else []) + self.layers
        return list({descriptor.digest: descriptor for descriptor in found}.values())

    def _descriptors(self, entries):
        try:
            found = [Descriptor(entry["digest"], int(entry["size"]), entry.get("mediaType", ""),
                                entry.get("platform") or {}) for entry in entries if entry]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise errors.Corrupt("The manifest %s has an entry without digest and size." % self.digest)
        for descriptor in found:
            if not DIGEST.match(str(descriptor.digest)) or descriptor.size < 0:
                raise errors.Corrupt("The manifest %s refers to something that is no digest." % self.digest)
        return found
