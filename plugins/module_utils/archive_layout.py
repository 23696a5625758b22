# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an archive of images lies on a disk: an OCI image layout, the plan, and a checksum list over all of it.

    oci-layout  index.json  plan.json  SHA256SUMS  blobs/sha256/<hex>

Cut to the size of a medium it is directories part-001, part-002 and so on. The blobs are spread over them, and each has
the other files, all the same: any part tells what the whole is.

Images are named by their place on the mirror without the host, such as "ocp/release:4.16.30-x86_64", as the layout's
annotation org.opencontainers.image.ref.name.
"""
from __future__ import annotations

import json
import re
from collections import namedtuple

from . import errors, image_ref
from .image_manifest import DIGEST, IMAGE_TYPES, INDEX_TYPES, Descriptor, Manifest

LAYOUT, INDEX, PLAN, SUMS = "oci-layout", "index.json", "plan.json", "SHA256SUMS"
LAYOUT_TEXT = b'{"imageLayoutVersion": "1.0.0"}\n'
REF_NAME = "org.opencontainers.image.ref.name"
PLAN_FORMAT = 1
# File systems give out space in blocks. Those of media, such as exFAT with its larger ones, need some room to spare.
BLOCK = 4096
PART = re.compile(r"part-[0-9]{3,}\Z")
SUM = re.compile(r"([0-9a-f]{64}) [ *]([^\0]+)\Z")

# Where a blob is to be: part is "" in an archive that is not cut.
Place = namedtuple("Place", "part digest")


def name_of(target):
    """How an archive calls the image with this target (host/path:tag)."""
    return target.partition("/")[2]


def blob_name(digest):
    return "blobs/" + digest.replace(":", "/")


def digest_of_name(name):
    """The digest in a blob's file name, with or without a part before it; None for any other file."""
    parts = name.split("/")
    digest = ":".join(parts[-2:])
    return digest if parts[-3:-2] == ["blobs"] and DIGEST.match(digest) else None


def part_name(number):
    return "part-%03d" % number


def part_of(name):
    """The part that a file is in, "" if in none."""
    first = name.partition("/")[0]
    return first if PART.match(first) else ""


def within(part, name):
    return part + "/" + name if part else name


def occupied(size):
    """Bytes that a file of `size` bytes takes on a disk."""
    return -(-size // BLOCK) * BLOCK


def read_manifest(raw):
    """The Manifest in these bytes. Only the OCI's own manifests may keep silent about their type."""
    manifest = Manifest(raw, "")
    manifest.media_type = manifest.media_type or (INDEX_TYPES if manifest.is_index else IMAGE_TYPES)[0]
    return manifest


def describe(manifest):
    """The Descriptor of a Manifest."""
    return Descriptor(manifest.digest, len(manifest.raw), manifest.media_type, {})


def write_index(entries):
    """index.json of {image's name: Descriptor}."""
    manifests = [{"mediaType": entry.media_type, "digest": entry.digest, "size": entry.size,
                  "annotations": {REF_NAME: name}} for name, entry in entries.items()]
    return encode({"schemaVersion": 2, "mediaType": INDEX_TYPES[0], "manifests": manifests})


def read_index(raw, where):
    """{image's name: digest} of an index.json; `where` is how the archive is called in messages."""
    try:
        entries = json.loads(raw.decode("utf-8"))["manifests"]
        found = {entry["annotations"][REF_NAME]: entry["digest"] for entry in entries}
        if all(isinstance(digest, str) and DIGEST.match(digest) for digest in found.values()):
            return found
    except (ValueError, LookupError, TypeError, AttributeError):
        pass
    raise errors.Corrupt("%s: %s is not what an archive of this collection has." % (where, INDEX))


def read_plan(raw, where):
    """The document in a plan file."""
    try:
        document = json.loads(raw.decode("utf-8"))
        if document["format"] == PLAN_FORMAT and all(item["source"] and item["target"] for item in document["items"]):
            return document
    except (ValueError, LookupError, TypeError):
        pass
    raise errors.InvalidInput("%s is not a plan that mirror_plan wrote." % where)


def encode(document):
    return (json.dumps(document, indent=1) + "\n").encode("utf-8")


def write_sums(checksums):
    """The checksum list of {file's name: SHA-256 in hexadecimal digits}, as sha256sum writes it."""
    return "".join("%s  %s\n" % (checksums[name], name) for name in sorted(checksums)).encode("utf-8")


def read_sums(raw, where):
    """{file's name: SHA-256} of a checksum list."""
    found = {}
    for number, line in enumerate(raw.decode("utf-8", "replace").splitlines(), 1):
        match = SUM.match(line)
        if not match:
            raise errors.Corrupt("%s: line %d of %s is no checksum." % (where, number, SUMS))
        found[match.group(2)] = match.group(1)
    if not found:
        raise errors.Corrupt("%s: %s is empty." % (where, SUMS))
    return found


def spread(sizes, part_size, described):
    """{digest: part} such that no part takes more than `part_size` bytes; in the given order as far as that goes.

    sizes -- {digest: bytes}; described -- bytes of the files that every part has, without the checksum list
    Raises InvalidInput if that cannot be.
    """
    count = 1
    while True:
        room = part_size - described - occupied(length_of_sums(len(sizes), count))
        rooms, found = [], {}
        for digest, size in sizes.items():
            if occupied(size) > room:
                raise errors.InvalidInput(
                    "The blob %s has %d bytes and does not fit in a part of %d bytes beside the lists of the archive. "
                    "Parts of %d bytes are the least." % (digest, size, part_size, part_size - room + occupied(size)))
            number = next((number for number, left in enumerate(rooms) if left >= occupied(size)), len(rooms))
            if number == len(rooms):
                rooms.append(room)
            rooms[number] -= occupied(size)
            found[digest] = part_name(number + 1)
        if len(rooms) <= count:
            return found
        count = len(rooms)


def length_of_sums(blobs, parts):
    """Bytes of the checksum list of so many blobs in so many parts, or a few more."""
    line = 64 + 2 + len(part_name(parts)) + len("/blobs/sha256/\n")
    return blobs * (line + 128) + parts * 3 * line


def resolved(items, index):
    """[(source, target)] of a plan's items, the source by the digest that the archive has for the target."""
    found = []
    for item in items:
        source, digest = item["source"], index.get(name_of(item["target"]))
        if "@" not in source and digest:
            source = "%s@%s" % (image_ref.parse(source).repository, digest)
        found.append((source, item["target"]))
    return found
