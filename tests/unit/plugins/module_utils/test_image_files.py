# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile

import pytest

from ansible_collections.disconnected.openshift.plugins.module_utils import blob, errors, image_files, image_manifest, wait

OCI = "application/vnd.oci.image.manifest.v1+json"


class Response:
    """A blob's answer, in pieces; an exception among them is raised."""

    def __init__(self, pieces, status=200):
        self.pieces, self.status, self.closed = list(pieces), status, False

    def read(self, _amount):
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece  # pylint: disable=raising-bad-type
        return piece

    def close(self):
        self.closed = True


class Shop:
    """A registry of blobs in memory; `answers` overrides the pieces that a digest's GETs give, one after another."""

    host = "registry.example.com"

    def __init__(self):
        self.blobs, self.answers, self.opened = {}, {}, []

    def add(self, data, **more):
        digest = image_manifest.digest_of(data)
        self.blobs[digest] = data
        return image_manifest.Descriptor(digest, len(data), more.get("media_type", "layer"), more.get("platform", {}))

    def open_blob(self, _repository, digest, offset=0):
        self.opened.append((digest, offset))
        if self.answers.get(digest):
            return self.answers[digest].pop(0)
        return Response([self.blobs[digest][offset:]], 206 if offset else 200)

    def blob(self, repository, descriptor):
        return blob.Blob(self, repository, descriptor)

    def count_received(self, size):
        pass

    def manifest(self, _repository, reference):
        return image_manifest.Manifest(self.blobs[reference], OCI)

    def image(self, layers, configuration=None):
        """The digest of an image of these layers (bytes)."""
        def entry(descriptor):
            return {"digest": descriptor.digest, "size": descriptor.size}
        config = self.add(json.dumps(configuration or {"architecture": "amd64"}).encode())
        return self.add(json.dumps({"config": entry(config), "layers": [entry(self.add(data)) for data in layers]}).encode()).digest


@pytest.fixture
def shop():
    return Shop()


def tar(files, compress=gzip.compress):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as writer:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            writer.addfile(entry, io.BytesIO(data))
    return compress(archive.getvalue())


# Blobs

def test_a_blob_comes_whole_and_its_last_piece_last(shop):
    data = b"abc" * 1000
    descriptor = shop.add(data)
    shop.answers[descriptor.digest] = [Response([data[:1000], data[1000:]])]
    assert list(shop.blob("r", descriptor)) == [data[:1000], data[1000:]]
    assert list(shop.blob("r", shop.add(b""))) == []


def test_the_last_piece_of_a_damaged_blob_is_kept_back(shop):
    data = b"abc" * 1000
    descriptor = shop.add(data)
    shop.answers[descriptor.digest] = [Response([data[:1000], b"x" * 2000])]
    pieces = []
    with pytest.raises(errors.Corrupt, match="have the digest"):
        pieces.extend(shop.blob("r", descriptor))
    assert pieces == [data[:1000]]


def test_one_that_is_too_long(shop):
    descriptor = shop.add(b"abc")
    shop.answers[descriptor.digest] = [Response([b"abcd"])]
    with pytest.raises(errors.Corrupt, match="more than the 3 bytes"):
        list(shop.blob("r", descriptor))


@pytest.mark.parametrize("status", [206, 200])
def test_a_cut_is_mended_with_and_without_ranges(shop, status):
    data = bytes(range(200))
    descriptor = shop.add(data)
    rest = [data[50:]] if status == 206 else [data[:50], data[50:]]
    cut = wait.Transient(errors.Unreachable("cut"))
    shop.answers[descriptor.digest] = [Response([data[:50], cut]), Response(rest, status)]
    assert b"".join(shop.blob("r", descriptor)) == data
    assert shop.opened == [(descriptor.digest, 0), (descriptor.digest, 50)]


def test_a_blob_that_always_ends_early_is_given_up(shop):
    descriptor = shop.add(b"abcdef")
    shop.answers[descriptor.digest] = [Response([b"abc"]), Response([], 206), Response([], 206)]
    with pytest.raises(wait.Transient) as raised:
        list(shop.blob("r", descriptor))
    assert "ends after 3 of 6 bytes" in raised.value.error.message


def test_reading_as_a_file(shop):
    data = hashlib.shake_256(b"x").digest(5000)
    descriptor = shop.add(data)
    shop.answers[descriptor.digest] = [Response([data[:1700], data[1700:3000], data[3000:]])]
    stream = shop.blob("r", descriptor)
    assert [stream.read(1000), stream.read(3000), stream.read(), stream.read(10)] == [data[:1000], data[1000:4000], data[4000:], b""]


@pytest.mark.parametrize("sizes", [[10], [3, 3, 4], [1] * 10, [9, 1]])
def test_parts_of_any_size(sizes):
    parts = blob.Parts(iter([b"abcd", b"e", b"fghij"]))
    assert [b"".join(parts.next(size)) for size in sizes] == [
        b"abcdefghij"[sum(sizes[:n]):sum(sizes[:n + 1])] for n in range(len(sizes))]
    parts.finish()


# Files of images

def opened(shop, layers, configuration=None):
    return image_files.open_image(shop, "r", shop.image(layers, configuration))[0]


def test_the_topmost_layer_wins_and_lower_ones_are_not_read(shop):
    lower, upper = tar({"a/x": b"old", "a/y": b"y"}), tar({"./a/x": b"new"})
    image = opened(shop, [lower, upper])
    shop.opened.clear()
    assert image.read(["a/x"]) == {"a/x": b"new"}
    assert [digest for digest, _offset in shop.opened] == [image_manifest.digest_of(upper)]
    assert image.read(["a/x", "a/y", "a/z"]) == {"a/x": b"new", "a/y": b"y"}


@pytest.mark.parametrize("upper,left", [
    ({"a/.wh.x": b""}, {"a/y": b"y", "a/b/z": b"z"}),
    ({"a/.wh..wh..opq": b"", "a/new": b"n"}, {"a/new": b"n"}),
    ({".wh.a": b""}, {}),
    ({"a/b": b"a file now"}, {"a/b": b"a file now", "a/x": b"x", "a/y": b"y"}),
])
def test_what_an_upper_layer_removes(shop, upper, left):
    image = opened(shop, [tar({"a/x": b"x", "a/y": b"y", "a/b/z": b"z"}), tar(upper)])
    assert image.read(["a/x", "a/y", "a/b/z", "a/new", "a/b"]) == left
    seen = {}
    image.walk("/a", lambda path, stream: seen.__setitem__(path, stream.read()))
    assert seen == left


def test_a_file_is_written_where_there_is_room_for_it(shop, tmp_path, monkeypatch):
    image = opened(shop, [tar({"a/db": b"x" * 5000})])
    with (tmp_path / "copy").open("wb", buffering=0) as file:
        assert image.extract("a/db", file) and not image.extract("a/other", file)
    assert (tmp_path / "copy").read_bytes() == b"x" * 5000
    real = os.fstatvfs

    def small(descriptor):
        return os.statvfs_result(tuple(1 if n == 4 else value for n, value in enumerate(real(descriptor))))

    monkeypatch.setattr(image_files.os, "fstatvfs", small)
    with (tmp_path / "small").open("wb", buffering=0) as file, pytest.raises(errors.InvalidInput) as raised:
        image.extract("a/db", file)
    assert "/a/db of registry.example.com/r needs 5000 bytes in %s, whose" % tmp_path in raised.value.message
    assert raised.value.details["free"] < 5000 == raised.value.details["needed"]
    assert (tmp_path / "small").read_bytes() == b""


def test_a_disk_that_fills_up_is_no_damaged_layer(shop):
    image = opened(shop, [tar({"a/db": b"x" * 5000})])
    image._check_room = lambda *_args: None
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(errors.Error) as raised:
        image.extract("a/db", full)
    assert "/a/db of registry.example.com/r cannot be written to /dev: no space left on device." in raised.value.message


def test_uncompressed_layers(shop):
    assert opened(shop, [tar({"a": b"x"}, bytes)]).read(["a"]) == {"a": b"x"}


def test_a_damaged_layer_is_called_damaged(shop):
    data = tar({"a": b"x" * 10000})
    image = opened(shop, [data])
    digest = image_manifest.digest_of(data)
    shop.answers[digest] = [Response([data[:20] + b"\0" * (len(data) - 20)])]
    with pytest.raises(errors.Corrupt):
        image.read(["a"])


def test_a_layer_that_is_no_archive(shop):
    with pytest.raises(errors.InvalidInput, match="is no tar archive"):
        opened(shop, [b"\x28\xb5\x2f\xfd zstd or whatever it is"]).read(["a"])


def test_labels_and_architecture(shop):
    image = opened(shop, [], {"architecture": "arm64", "config": {"Labels": {"a": "b"}}})
    assert image.labels == {"a": "b"} and image.architecture == "arm64"
    assert opened(shop, [], {"config": None}).labels == {}


@pytest.mark.parametrize("platforms,chosen", [
    ([("linux", "arm64"), ("linux", "amd64")], 1), ([("windows", "amd64"), ("linux", "s390x")], 1)])
def test_of_a_list_the_image_for_linux(shop, platforms, chosen):
    children = []
    for number, (system, architecture) in enumerate(platforms):
        digest = shop.image([tar({"n": b"%d" % number})])
        children.append({"digest": digest, "size": 1, "platform": {"os": system, "architecture": architecture}})
    top = shop.add(json.dumps({"manifests": children}).encode()).digest
    image, manifest = image_files.open_image(shop, "r", top)
    assert image.read(["n"]) == {"n": b"%d" % chosen} and manifest.digest == top


def test_a_list_without_linux(shop):
    top = shop.add(b'{"manifests": []}').digest
    with pytest.raises(errors.InvalidInput, match="no image for linux"):
        image_files.open_image(shop, "r", top)
