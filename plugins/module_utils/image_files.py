# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads files out of an image in a registry, without unpacking it and without more memory than the files need.

Layers are read as streams, topmost first, and whole: what came out of one is believed only once its digest is right.
"""
from __future__ import annotations

import contextlib
import json
import os
import posixpath
import tarfile
import zlib

from . import errors, wait

BUFFER = 256 * 1024
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"


class Image:
    """One image for one platform: where it is, its manifest and its configuration (a dict)."""

    def __init__(self, registry, repository, manifest):
        self.registry = registry
        self.repository = repository
        self.manifest = manifest
        self.configuration = read_configuration(registry, repository, manifest)

    @property
    def architecture(self):
        """As Go writes it, such as "amd64"; "" if the image does not say."""
        return self.configuration.get("architecture") or ""

    @property
    def labels(self):
        return (self.configuration.get("config") or {}).get("Labels") or {}

    def read(self, paths):
        """{path: bytes} of those of `paths` (relative to the root) that exist."""
        found = {}

        def take(path, stream):
            found[path] = stream.read()

        self._visit(set(paths), take)
        return found

    def extract(self, path, file):
        """Write the bytes of the file at `path` (relative to the root) to an unbuffered file; False if it does not exist.

        Raises InvalidInput if the open file's disk has no room for them.
        """
        found = []

        def take(_path, stream):
            self._check_room(path, stream.raw.size, file)
            for chunk in iter(lambda: stream.read(BUFFER), b""):
                self._write(path, file, chunk)
            found.append(path)

        self._visit({path}, take)
        return bool(found)

    def _write(self, path, file, chunk):
        """Write a piece; that this fails says nothing of the layer."""
        rest = memoryview(chunk)
        try:
            while rest:
                rest = rest[file.write(rest):]
        except OSError as problem:
            raise errors.Error("/%s of %s/%s cannot be written to %s: %s." % (
                path, self.registry.host, self.repository, os.path.dirname(file.name), (problem.strerror or "").lower()))

    def _check_room(self, path, size, file):
        disk = os.fstatvfs(file.fileno())
        free = disk.f_bavail * disk.f_frsize
        if size > free:
            raise errors.InvalidInput(
                "/%s of %s/%s needs %d bytes in %s, whose file system has %d bytes left. Free some space there, or have Ansible "
                "use another directory (remote_tmp)." % (path, self.registry.host, self.repository, size,
                                                         os.path.dirname(file.name), free), needed=size, free=free)

    def walk(self, directory, visit):
        """Call visit(path, stream) for every file below `directory`, in no order; `stream` is valid only meanwhile."""
        prefix = directory.strip("/") + "/"
        seen = Seen()
        for layer in reversed(self.manifest.layers):
            self._read_layer(layer, seen, lambda path: path.startswith(prefix), visit)

    def _visit(self, wanted, visit):
        """Call visit(path, stream) for those of the `wanted` paths that exist; stops at the layer with the last one."""
        seen = Seen()
        for layer in reversed(self.manifest.layers):
            if wanted <= seen.settled(wanted):
                break
            self._read_layer(layer, seen, wanted.__contains__, visit)

    def _read_layer(self, layer, seen, wanted, visit):
        lower = Seen()
        unreadable = False
        try:
            with contextlib.closing(self.registry.blob(self.repository, layer)) as blob:
                try:
                    with tarfile.open(fileobj=blob, mode="r|*", bufsize=BUFFER) as archive:
                        for member in archive:
                            self._read_member(archive, member, seen, lower, wanted, visit)
                except (tarfile.TarError, zlib.error, EOFError, OSError):
                    unreadable = True
                while blob.read(BUFFER):  # to the end, where a wrong digest is found: before anything is believed
                    pass
        except wait.Transient as transient:
            raise transient.error
        if unreadable:
            place = self.registry.host, self.repository, layer.digest, layer.media_type or "type unknown"
            raise errors.InvalidInput("%s/%s: layer %s is no tar archive that can be read here (%s)." % place)
        seen.update(lower)

    @staticmethod
    def _read_member(archive, member, seen, lower, wanted, visit):
        path = posixpath.normpath(member.name).lstrip("/")
        directory, name = posixpath.split(path)
        if name == OPAQUE:
            lower.hide(directory + "/")
        elif name.startswith(WHITEOUT):
            lower.hide(posixpath.join(directory, name[len(WHITEOUT):]))
        elif wanted(path) and not seen.hides(path):
            lower.hide(path)
            if member.isfile():
                visit(path, archive.extractfile(member))


class Seen:
    """The paths that an upper layer holds or removed, and that lower layers therefore do not decide."""

    def __init__(self):
        self._paths = set()

    def hide(self, path):
        """A file, a directory with all below it, or, ending in a slash, only what is below it."""
        self._paths.add(path)

    def hides(self, path):
        return bool(self.settled([path]))

    def settled(self, paths):
        return {path for path in paths if path in self._paths or any(
            parent in self._paths or parent + "/" in self._paths for parent in parents(path))}

    def update(self, other):
        self._paths |= other._paths


def parents(path):
    """The directories above a relative path, nearest first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def open_image(registry, repository, reference):
    """(Image, manifest at `reference`): of a list, the linux/amd64 image, or else the first for linux."""
    top = registry.manifest(repository, reference)
    if not top.is_index:
        return Image(registry, repository, top), top
    linux = [child for child in top.children if child.platform.get("os", "linux") == "linux"]
    if not linux:
        raise errors.InvalidInput("%s/%s@%s lists no image for linux." % (registry.host, repository, top.digest))
    chosen = next((child for child in linux if child.platform.get("architecture") == "amd64"), linux[0])
    return Image(registry, repository, registry.manifest(repository, chosen.digest)), top


def read_configuration(registry, repository, manifest):
    if manifest.config is None:
        return {}
    try:
        raw = registry.blob(repository, manifest.config).read()
    except wait.Transient as transient:
        raise transient.error
    try:
        document = json.loads(raw.decode("utf-8"))
    except ValueError:
        return {}  # an artifact's configuration may be anything
    return document if isinstance(document, dict) else {}
