# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive of images on a disk, as one more place that images are copied from.

It may be a directory or a tar file, whole or in parts, each of which may be a directory or a tar file. It is checked
whole against its checksum list before the first byte of it goes anywhere; each blob is checked again on its way.
"""
from __future__ import annotations

import contextlib
import hashlib
import os
import posixpath
import tarfile
import threading
from collections import namedtuple

from . import archive_layout, errors, transfer
from .archive_layout import INDEX, LAYOUT, PLAN, SUMS
from .blob import CHUNK, Blob
from .crew import Crew

NAMED = 10  # problems that a message spells out

# Where a file's bytes are: in the file at `path`, from byte `offset` on.
Place = namedtuple("Place", "path offset size")


class Reader:
    """The archive at `path`. Answers transfer's questions as a registry would. Safe for several threads."""

    def __init__(self, path):
        self.host = path
        self.bytes_received = self.bytes_sent = 0
        self._lock = threading.Lock()
        self._checked = False
        self._places = places(path)
        self._parts = sorted({archive_layout.part_of(name) for name in self._places if name.endswith(SUMS)})
        if not self._parts:
            raise errors.Corrupt("%s is no finished archive: it has no %s. Give the directory that to_disk wrote, or "
                                 "run to_disk again to its end." % (path, SUMS))
        self._listed = self._read_sums()
        self._blobs = {archive_layout.digest_of_name(name): name for name in self._listed}

    # What it holds

    def plan(self):
        """The document of the plan that the archive was made for."""
        return archive_layout.read_plan(self._list(PLAN), "%s: %s" % (self.host, PLAN))

    def index(self):
        """{image's name: digest}"""
        return archive_layout.read_index(self._list(INDEX), self.host)

    # What transfer asks of a registry

    def digest(self, repository, tag):
        raise errors.NotFound("The archive does not hold %s:%s: it could not be read when the archive was written."
                              % (repository, tag))

    def manifest(self, _repository, digest):
        if digest not in self._blobs:
            raise errors.NotFound("The archive does not hold the manifest %s: it could not be read when the archive "
                                  "was written." % digest)
        manifest = archive_layout.read_manifest(self._bytes(self._blobs[digest]))
        self.count_received(len(manifest.raw))
        if manifest.digest != digest:
            raise errors.Corrupt("%s: the manifest %s is damaged." % (self.host, digest))
        return manifest

    def blob(self, repository, descriptor):
        return Blob(self, repository, descriptor)

    def open_blob(self, _repository, digest, offset=0):
        if digest not in self._blobs:
            raise errors.NotFound("The archive does not hold the blob %s." % digest)
        return self._open(self._blobs[digest], offset)

    def count_received(self, size):
        with self._lock:
            self.bytes_received += size

    def turn(self):
        return contextlib.nullcontext()

    def forgive(self):
        """A disk is not asked to forgive."""

    def copy(self, jobs, there, workers, display, clock):
        """As transfer.copy, once the archive was checked whole."""
        if not self._checked:
            self.check(workers)
            self._checked = True
        transfer.copy(jobs, there, workers, display, clock)

    # The check

    def check(self, workers):
        """Raise Corrupt naming every file that is not what it should be, and the images that this strikes."""
        problems = self._missing_parts()
        gone = set(problems)
        for name in sorted(set(self._listed) - set(self._places)):
            if archive_layout.part_of(name) not in gone:
                problems[name] = "is missing"
        for name in sorted(set(self._places) - set(self._listed)):
            if posixpath.basename(name) != SUMS:
                problems[name] = "does not belong to it"
        problems.update(self._damaged(workers))
        if not problems:
            return
        struck = self._images_by_file()
        sentences = ["%s %s%s." % (name, problem, needed_by(struck, name)) for name, problem in problems.items()]
        more = " And %d more." % (len(sentences) - NAMED) if len(sentences) > NAMED else ""
        raise errors.Corrupt("The archive %s is not what was written; nothing of it was sent. %s%s"
                             % (self.host, " ".join(sentences[:NAMED]), more), problems=sentences)

    def _missing_parts(self):
        """{part: "is missing"}"""
        wanted = {archive_layout.part_of(name) for name in self._listed}
        return {part: "is missing: bring all of %s into one directory" % ", ".join(sorted(wanted))
                for part in sorted(wanted - {archive_layout.part_of(name) for name in self._places})}

    def _damaged(self, workers):
        """{file's name: what is wrong with its bytes}, read in full."""
        found = {}
        crew = Crew(workers)

        def read(_task, name):
            digest = hashlib.sha256()
            stream = self._open(name)
            try:
                for chunk in iter(lambda: stream.read(CHUNK), b""):
                    digest.update(chunk)
            except errors.Error as error:
                found[name] = "cannot be read: " + error.message.rstrip(".")
                return
            finally:
                stream.close()
            if digest.hexdigest() != self._listed[name]:
                found[name] = "is damaged: its SHA-256 is %s" % digest.hexdigest()

        for number, name in enumerate(sorted(set(self._listed) & set(self._places))):
            crew.start(number, read, name)
        crew.run()
        return {name: found[name] for name in sorted(found)}

    def _images_by_file(self):
        """{blob's file: names of the images that need it}, as far as the manifests can be read."""
        found = {}
        try:
            index = self.index()
        except errors.Error:
            return found
        for image, digest in index.items():
            for needed in self._needs(digest):
                if needed in self._blobs:
                    found.setdefault(self._blobs[needed], []).append(image)
        return found

    def _needs(self, digest):
        """Digests of all that an image consists of."""
        yield digest
        try:
            manifest = self.manifest("", digest)
        except errors.Error:
            return
        for child in manifest.children:
            yield from self._needs(child.digest)
        for blob in manifest.blobs:
            yield blob.digest

    # Its files

    def _read_sums(self):
        """The checksum list, which all parts have alike."""
        lists = {part: self._bytes(archive_layout.within(part, SUMS)) for part in self._parts}
        first = self._parts[0]
        for part, raw in lists.items():
            if raw != lists[first]:
                raise errors.Corrupt("%s: %s and %s are parts of different archives. Bring together what one run of "
                                     "to_disk wrote." % (self.host, first, part))
        return archive_layout.read_sums(lists[first], self.host)

    def _list(self, name):
        """The bytes of one of the lists, which are checked."""
        name = archive_layout.within(self._parts[0], name)
        if name not in self._places:
            raise errors.Corrupt("%s: %s is missing." % (self.host, name))
        raw = self._bytes(name)
        if hashlib.sha256(raw).hexdigest() != self._listed.get(name):
            raise errors.Corrupt("%s: %s is damaged: its SHA-256 is not the one in %s." % (self.host, name, SUMS))
        return raw

    def _bytes(self, name):
        stream = self._open(name)
        try:
            return stream.read(self._places[name].size)
        finally:
            stream.close()

    def _open(self, name, offset=0):
        if name not in self._places:
            raise errors.NotFound("%s: %s is missing." % (self.host, name))
        return Slice(self._places[name], offset)


class Slice:
    """A file's bytes from `offset` on, read as those of a registry's answer."""

    status = 206

    def __init__(self, place, offset):
        self._path = place.path
        self._left = place.size - offset
        try:
            self._file = open(place.path, "rb")
            self._file.seek(place.offset + offset)
        except OSError as problem:
            raise unreadable(self._path, problem)

    def read(self, amount):
        try:
            data = self._file.read(min(amount, self._left))
        except OSError as problem:
            raise unreadable(self._path, problem)
        self._left -= len(data)
        return data

    def close(self):
        self._file.close()


def places(path):
    """{file's name in the archive: Place} of all files at `path`."""
    if os.path.isfile(path):
        return dict(in_tar(path))
    if not os.path.isdir(path):
        raise errors.InvalidInput("There is no archive at %s on this host." % path)
    found = {}
    for directory, _directories, names in os.walk(path, onerror=refuse):
        for name in names:
            whole = os.path.join(directory, name)
            if directory == path and name.endswith(".tar"):
                found.update(in_tar(whole))
            else:
                found[os.path.relpath(whole, path)] = Place(whole, 0, os.path.getsize(whole))
    return found


def in_tar(path):
    """(file's name in the archive, Place) of what is in a tar file; a directory that all of it is in does not count."""
    try:
        with tarfile.open(path, "r:") as archive:
            members = [member for member in archive if not member.isdir()]
    except (tarfile.TarError, EOFError, OSError):
        raise errors.Corrupt("%s is no tar archive, or is not whole, or is compressed. Copy it again." % path)
    names = [posixpath.normpath(member.name).lstrip("/") for member in members]
    above, part = frame(names, os.path.basename(path)[:-len(".tar")])
    size = os.path.getsize(path)
    for member, name in zip(members, names):
        if not member.isreg() or member.issparse() or member.offset_data + member.size > size:
            raise errors.Corrupt("%s: %s is not whole, or no plain file. Pack the archive with tar -cf and copy it "
                                 "again." % (path, name))
        name = name[len(above):] if name.startswith(above) else name
        yield archive_layout.within(part, name), Place(path, member.offset_data, member.size)


def frame(names, stem):
    """(what names in a tar file called `stem`.tar begin with, the part that they lack), to make them the archive's."""
    tops = [posixpath.dirname(name) for name in names if posixpath.basename(name) == LAYOUT]
    top = min(tops, key=len, default="")
    if archive_layout.PART.match(posixpath.basename(top)):
        above, part = posixpath.dirname(top), ""
    else:
        above, part = top, stem if archive_layout.PART.match(stem) else ""
    return above + "/" if above else "", part


def needed_by(struck, name):
    """Which images need a file, as the end of a sentence."""
    images = struck.get(name, [])
    if not images:
        return ""
    more = " and %d more" % (len(images) - 3) if len(images) > 3 else ""
    return ", which " + ", ".join(images[:3]) + more + (" needs" if len(images) == 1 else " need")


def unreadable(path, problem):
    return errors.Corrupt("%s cannot be read: %s." % (path, (problem.strerror or "unknown trouble").lower()))


def refuse(problem):
    raise errors.InvalidInput("%s cannot be read: %s." % (problem.filename, (problem.strerror or "").lower()))
