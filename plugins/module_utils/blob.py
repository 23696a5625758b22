# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blobs as streams: verified while they pass, resumed where a connection broke, cut into parts where that is wanted."""
from __future__ import annotations

import hashlib

from . import errors, wait

CHUNK = 256 * 1024  # bytes read, hashed and sent at a time


class Blob:
    """A blob's bytes as they come: iterate, or read(amount). Not for several threads.

    A cut connection is resumed where it broke. The last bytes are handed out only once the digest of all is known to
    be right, so that nobody who needs them all ends up with something else; Corrupt is raised instead.
    """

    def __init__(self, registry, repository, descriptor):
        self._registry = registry
        self._repository = repository
        self._descriptor = descriptor
        self._hash = hashlib.new(descriptor.digest.partition(":")[0])
        self._received = 0
        self._response = None
        self._stream = None
        self._rest = b""

    def close(self):
        """Let go of the connection, if the bytes were not read to their end."""
        if self._response is not None:
            self._response.close()
            self._response = None

    def __iter__(self):
        held = b""
        try:
            while self._received < self._descriptor.size:
                chunk = self._next_chunk()
                if held:
                    yield held
                held = chunk
        finally:
            self.close()
        self._verify()
        if held:
            yield held

    def read(self, amount=-1):
        """As files do it, for tarfile; needs `amount` bytes of memory."""
        if self._stream is None:
            self._stream = iter(self)
        pieces = [self._rest]
        have = len(self._rest)
        while amount < 0 or have < amount:
            piece = next(self._stream, b"")
            if not piece:
                break
            pieces.append(piece)
            have += len(piece)
        data = b"".join(pieces)
        if amount < 0:
            amount = have
        self._rest = data[amount:]
        return data[:amount]

    def _next_chunk(self):
        """Some of the bytes that are still to come; connects again after a cut as long as that brings new bytes."""
        failure = None
        for _attempt in range(2):
            if self._response is None:
                self._open()
            try:
                chunk = self._response.read(CHUNK)
            except wait.Transient as transient:
                chunk, failure = b"", transient
            if chunk:
                self._hash.update(chunk)
                self._received += len(chunk)
                self._registry.count_received(len(chunk))
                if self._received > self._descriptor.size:
                    raise self._corrupt("more than the %d bytes of its manifest entry" % self._descriptor.size)
                return chunk
            self.close()
        ended = "it ends after %d of %d bytes" % (self._received, self._descriptor.size)
        raise failure or wait.Transient(self._corrupt(ended))

    def _open(self):
        self._response = self._registry.open_blob(self._repository, self._descriptor.digest, self._received)
        skip = self._received if self._response.status == 200 else 0  # a server without ranges sends all of it again
        while skip:
            skipped = self._response.read(min(skip, CHUNK))
            if not skipped:
                raise wait.Transient(self._corrupt("it ends too early"))
            skip -= len(skipped)

    def _verify(self):
        digest = "%s:%s" % (self._hash.name, self._hash.hexdigest())
        if digest != self._descriptor.digest:
            raise self._corrupt("its bytes have the digest %s" % digest)

    def _corrupt(self, problem):
        host, repository = self._registry.host, self._repository
        return errors.Corrupt("%s/%s: blob %s is damaged: %s." % (host, repository, self._descriptor.digest, problem),
                              registry=host, repository=repository)


class Parts:
    """Cuts an iterable of bytes at given sizes, without copying more than one chunk. Empty pieces are not expected."""

    def __init__(self, chunks):
        self._chunks = iter(chunks)
        self._rest = b""

    def next(self, size):
        """Yield the next `size` bytes in pieces; fewer if there are fewer."""
        while size:
            piece = self._rest or next(self._chunks, b"")
            if not piece:
                return
            self._rest = piece[size:]
            piece = piece[:size]
            size -= len(piece)
            yield piece

    def finish(self):
        """Run the iterable to its end, where it may have something to say about what it yielded."""
        for _piece in self._chunks:
            pass
