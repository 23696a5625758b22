# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive of images on a disk, as one more place that images are copied to.

Writer answers transfer's questions as a registry would. A file gets its name once it is whole and on the disk, and the
checksum list is written last: an archive without one is not finished, and the next run finishes it.
"""
from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import itertools
import os
import shutil
import threading
from collections import namedtuple

from . import archive_layout, errors, transfer
from .archive_layout import INDEX, LAYOUT, PLAN, SUMS
from .blob import CHUNK
from .crew import Crew

INCOMING = ".incoming"
HEADROOM = 1 << 20  # bytes that the lists beside the blobs may take

# A file that is there: its path and its size in bytes.
Found = namedtuple("Found", "path size")
# What an archive is to be: {file's name: bytes}, {file's name: digest of a blob}, and the checksum list.
Arrangement = namedtuple("Arrangement", "lists blobs sums")


class ForEveryHost:
    """Stands for any number of registries, all of which are one archive."""

    def __init__(self, archive):
        self._archive = archive

    def __getitem__(self, host):
        return self._archive

    def __iter__(self):
        return iter([self._archive])


class Writer:
    """The archive in directory `path` on its way to be what a plan asks for. Safe for several threads.

    document -- the plan, as a plan file has it; part_size -- bytes of a part, or None for an archive in one piece
    patience -- seconds for which reading a blob is tried again
    """

    def __init__(self, path, document, part_size=None, patience=30):
        self.host = path
        self.bytes_sent = self.bytes_received = 0
        self._document = document
        self._part_size = part_size
        self._patience = patience
        self._wanted = {archive_layout.name_of(item["target"]): item["source"].partition("@")[2]
                        for item in document["items"]}
        self._found = dict(self._scan())   # digest -> Found
        self._before = self._index_before()
        self._index = {}                   # image's name -> Descriptor
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._directory = None             # its descriptor, locked, once something is written
        self._measured = False

    def __enter__(self):
        return self

    def __exit__(self, *_failure):
        if self._directory is not None:
            os.close(self._directory)

    # What transfer asks of a registry

    def digest(self, repository, tag):
        """The digest of an image that is there with all it consists of, or None."""
        name = "%s:%s" % (repository, tag)
        digest = self._wanted.get(name) or self._before.get(name)
        try:
            manifest = self._complete(digest) if digest else None
        except errors.Error:  # damaged: brought again
            manifest = None
        if manifest is None:
            return None
        self._index[name] = archive_layout.describe(manifest)
        return manifest.digest

    def manifest(self, _repository, digest):
        raw = self._read(self._found[digest].path)
        manifest = archive_layout.read_manifest(raw)
        if manifest.digest != digest:
            raise errors.Corrupt("%s: the manifest %s is damaged." % (self.host, digest))
        return manifest

    def has_blob(self, _repository, digest):
        return digest in self._found

    def start_upload(self, _repository, digest=None, _mount_from=None):
        """A path to write a blob to; None if it is there."""
        if digest in self._found:
            return None
        return os.path.join(self.host, INCOMING, "%s-%d" % (digest.rpartition(":")[2], next(self._numbers)))

    def upload(self, _repository, location, chunks, descriptor):
        """Write a blob's bytes, whose digest is known to be right once the last of them have come."""
        try:
            with self._explained():
                with open(location, "xb") as file:
                    for chunk in chunks:
                        file.write(chunk)
                    file.flush()
                    os.fsync(file.fileno())
        except BaseException:  # another try has its own file, and the disk may be short of room
            with contextlib.suppress(OSError):
                os.unlink(location)
            raise
        self._keep(location, descriptor.digest, descriptor.size)

    def cancel_upload(self, _repository, location):
        """Nothing is left of an upload that failed."""

    def put_manifest(self, repository, reference, manifest):
        location = self.start_upload(repository, manifest.digest)
        if location is not None:
            self.upload(repository, location, [manifest.raw], archive_layout.describe(manifest))
        if not archive_layout.DIGEST.match(reference):
            self._index["%s:%s" % (repository, reference)] = archive_layout.describe(manifest)

    def turn(self):
        return contextlib.nullcontext()

    def patience(self):
        return self._patience

    def forgive(self):
        """A disk is not asked to forgive."""

    def copy(self, jobs, there, workers, display, clock):
        """As transfer.copy, once it is known that the disk has room for it."""
        self._begin()
        if not self._measured:
            self._measured = True
            self._make_room(jobs, workers)
        transfer.copy(jobs, there, workers, display, clock)

    # The end

    def differs(self):
        """True if `finish` would change the archive, of which all images are there."""
        arrangement = self._arrange(True)
        return any(self._list(part) != arrangement.sums for part in self._parts_of(arrangement))

    def finish(self, complete):
        """Put all files in their places and write the lists; True if anything changed.

        complete -- all images are there. What none of them needs is then removed; else it is kept for the next run.
        """
        arrangement = self._arrange(complete)
        if self._directory is None:
            if all(self._list(part) == arrangement.sums for part in self._parts_of(arrangement)):
                return False
            self._begin()
        with self._explained():
            self._put(arrangement)
        return True

    def parts(self):
        """[{"path", "bytes"}] of a finished archive's parts, or of its only piece."""
        found = []
        for part in self._parts() or [""]:
            top = os.path.join(self.host, part)
            sizes = [os.path.getsize(os.path.join(place, name))
                     for place, _directories, names in os.walk(top) for name in names]
            found.append(dict(path=top, bytes=sum(sizes)))
        return found

    # What is there

    def _scan(self):
        """Yield (digest, Found) of every blob."""
        for part in [""] + self._parts():
            for algorithm in ("sha256", "sha512"):
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    for entry in os.scandir(os.path.join(self.host, part, "blobs", algorithm)):
                        digest = "%s:%s" % (algorithm, entry.name)
                        if archive_layout.DIGEST.match(digest) and entry.is_file(follow_symlinks=False):
                            yield digest, Found(entry.path, entry.stat().st_size)

    def _parts(self):
        try:
            return sorted(name for name in os.listdir(self.host) if archive_layout.PART.match(name))
        except FileNotFoundError:
            return []
        except OSError as problem:
            raise errors.InvalidInput("The archive %s cannot be read: %s." % (self.host, reason(problem)))

    def _index_before(self):
        """{image's name: digest} of an earlier run, for images that are asked for by tag and not known by digest."""
        for part in [""] + self._parts():
            with contextlib.suppress(OSError, errors.Corrupt):
                return archive_layout.read_index(self._read(os.path.join(self.host, part, INDEX)), self.host)
        return {}

    def _list(self, part):
        """The checksum list that is there."""
        try:
            return self._read(os.path.join(self.host, part, SUMS))
        except OSError:
            return None

    def _complete(self, digest):
        """The Manifest with this digest if all it refers to is there, in the right size, else None."""
        if digest not in self._found:
            return None
        manifest = self.manifest("", digest)
        children = [self._complete(child.digest) for child in manifest.children]
        blobs = [self._has(blob) for blob in manifest.blobs]
        return manifest if all(children + blobs) else None

    def _has(self, descriptor):
        """True if a blob is there; one of another size is forgotten, so that it is brought again."""
        found = self._found.get(descriptor.digest)
        if found is not None and found.size != descriptor.size:
            self._found.pop(descriptor.digest, None)
            found = None
        return found is not None

    # Room

    def _make_room(self, jobs, workers):
        """Raise InvalidInput if what is missing cannot fit on the disk, or one blob not in a part."""
        needed = {}
        crew = Crew(workers)
        for job in jobs:
            crew.start(job.rank, lambda _task, job: self._measure(job, job.digest, needed), job)
        crew.run()  # what cannot be read now is told when it is copied
        if self._part_size is not None and needed:
            archive_layout.spread(needed, self._part_size, 0)
        total = sum(archive_layout.occupied(size) for size in needed.values()) + HEADROOM
        with self._explained():
            disk = os.statvfs(self.host)
        free = disk.f_bavail * disk.f_frsize
        if total > free:
            raise errors.InvalidInput("%s needs %d bytes more, and its file system has %d bytes left. Free some space, "
                                      "or give a directory elsewhere." % (self.host, total, free),
                                      needed=total, free=free)

    def _measure(self, job, digest, needed):
        """Add the sizes of an image's blobs that are not there: {digest: bytes}."""
        manifest = job.source.manifest(job.source_path, digest)
        for child in manifest.children:
            self._measure(job, child.digest, needed)
        with self._lock:
            needed.update({blob.digest: blob.size for blob in manifest.blobs if not self._has(blob)})

    # Writing

    def _begin(self):
        """Be the only one that writes, and let the archive count as unfinished."""
        if self._directory is not None:
            return
        with self._explained():
            os.makedirs(self.host, exist_ok=True)
            self._directory = os.open(self.host, os.O_RDONLY)
            try:
                fcntl.flock(self._directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise errors.Conflict("Another run is writing the archive %s. Wait for its end." % self.host)
            for part in [""] + self._parts():
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(self.host, part, SUMS))
            shutil.rmtree(os.path.join(self.host, INCOMING), ignore_errors=True)
            os.mkdir(os.path.join(self.host, INCOMING))

    def _keep(self, location, digest, size):
        """Give a written file its name."""
        path = os.path.join(self.host, archive_layout.blob_name(digest))
        with self._explained():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.replace(location, path)
        with self._lock:
            self._found[digest] = Found(path, size)
            self.bytes_sent += size

    def _arrange(self, complete):
        """The Arrangement of what is there."""
        index = {name: self._index[name] for name in self._wanted if name in self._index}
        sizes = {}
        for entry in index.values():
            self._add_sizes(entry.digest, sizes)
        if not complete:
            sizes.update({digest: found.size for digest, found in sorted(self._found.items()) if digest not in sizes})
        lists = {LAYOUT: archive_layout.LAYOUT_TEXT, INDEX: archive_layout.write_index(index),
                 PLAN: archive_layout.encode(self._document)}
        places = dict.fromkeys(sizes, "")
        if self._part_size is not None:
            described = sum(archive_layout.occupied(len(raw)) for raw in lists.values())
            places = archive_layout.spread(sizes, self._part_size, described)
        parts = sorted(set(places.values())) or ["" if self._part_size is None else archive_layout.part_name(1)]
        lists = {archive_layout.within(part, name): raw for part in parts for name, raw in lists.items()}
        blobs = {archive_layout.within(part, archive_layout.blob_name(digest)): digest
                 for digest, part in places.items()}
        checksums = {name: hashlib.sha256(raw).hexdigest() for name, raw in lists.items()}
        checksums.update({name: self._checksum(digest) for name, digest in blobs.items()})
        return Arrangement(lists, blobs, archive_layout.write_sums(checksums))

    def _add_sizes(self, digest, sizes):
        """Add an image's manifests and blobs: {digest: bytes}."""
        if digest in sizes:
            return
        sizes[digest] = self._found[digest].size
        manifest = self.manifest("", digest)
        for child in manifest.children:
            self._add_sizes(child.digest, sizes)
        sizes.update({blob.digest: blob.size for blob in manifest.blobs})

    def _checksum(self, digest):
        """SHA-256 of a blob, which for nearly all is their name."""
        algorithm, _colon, digits = digest.partition(":")
        return digits if algorithm == "sha256" else checksum(self._found[digest].path)

    @staticmethod
    def _parts_of(arrangement):
        return sorted({archive_layout.part_of(name) for name in arrangement.lists})

    def _put(self, arrangement):
        """Make the archive what the Arrangement says; the checksum list comes last."""
        parts = self._parts_of(arrangement)
        wanted = set(arrangement.blobs.values())
        for name, digest in arrangement.blobs.items():
            self._move(digest, os.path.join(self.host, name))
        for digest, found in self._found.items():
            if digest not in wanted:
                os.unlink(found.path)
        for part in [""] + self._parts():
            if part not in parts:
                self._clear(part)
        for name, raw in arrangement.lists.items():
            self._write(name, raw)
        shutil.rmtree(os.path.join(self.host, INCOMING))
        os.fsync(self._directory)
        for part in parts:
            self._write(archive_layout.within(part, SUMS), arrangement.sums)

    def _move(self, digest, path):
        found = self._found[digest]
        if found.path != path:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.replace(found.path, path)
            self._found[digest] = Found(path, found.size)

    def _clear(self, part):
        """Remove what is left of a part that is not needed any more, and nothing that is not ours."""
        top = os.path.join(self.host, part)
        for name in (LAYOUT, INDEX, PLAN, SUMS):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(top, name))
        for directory in ("blobs/sha256", "blobs/sha512", "blobs") + ((".",) if part else ()):
            with contextlib.suppress(OSError):
                os.rmdir(os.path.normpath(os.path.join(top, directory)))

    def _write(self, name, raw):
        """Write one of the lists, whole or not at all."""
        path = os.path.join(self.host, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        temporary = path + ".new"
        with open(temporary, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)

    @staticmethod
    def _read(path):
        with open(path, "rb") as file:
            return file.read()

    @contextlib.contextmanager
    def _explained(self):
        try:
            yield
        except OSError as problem:
            if problem.errno in (errno.ENOSPC, errno.EDQUOT):
                raise errors.Error("There is no space left for the archive %s. What is written is kept: free some "
                                   "space and run it again." % self.host)
            raise errors.Error("The archive %s cannot be written: %s." % (self.host, reason(problem)))


def checksum(path):
    """SHA-256 of a file in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def reason(problem):
    """What an OSError is about, in a few words."""
    return (problem.strerror or "unknown trouble").lower()
