# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies

from ansible_collections.disconnected.openshift.plugins.module_utils import archive_layout as layout
from ansible_collections.disconnected.openshift.plugins.module_utils import archive_reader, errors
from ansible_collections.disconnected.openshift.plugins.module_utils.image_manifest import Descriptor

DIGEST = "sha256:" + "a" * 64
OCI = "application/vnd.oci.image.manifest.v1+json"


def digest(number):
    return "sha256:%064x" % number


def test_names_of_files():
    assert layout.name_of("mirror.example.com:8443/ocp/release:4.16.30-x86_64") == "ocp/release:4.16.30-x86_64"
    for part in ("", "part-007"):
        name = layout.within(part, layout.blob_name(DIGEST))
        assert layout.digest_of_name(name) == DIGEST and layout.part_of(name) == part
    for name in ("plan.json", "blobs/sha256/note", "sha256/" + "a" * 64, "part-1/plan.json"):
        assert layout.digest_of_name(name) is None and layout.part_of(name) == ""


@pytest.mark.parametrize("size,blocks", [(0, 0), (1, 1), (4096, 1), (4097, 2)])
def test_files_take_whole_blocks(size, blocks):
    assert layout.occupied(size) == blocks * layout.BLOCK


def test_an_index_is_read_as_it_was_written():
    raw = layout.write_index({"a/b:1": Descriptor(DIGEST, 7, OCI, {})})
    assert layout.read_index(raw, "there") == {"a/b:1": DIGEST}
    assert json.loads(raw)["manifests"] == [{
        "mediaType": OCI, "digest": DIGEST, "size": 7, "annotations": {"org.opencontainers.image.ref.name": "a/b:1"}}]


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"manifests": [{}]}', b'{"manifests": 5}', b"\xff",
                                 b'{"manifests": [{"digest": "x", "annotations": {"%s": "a"}}]}' % layout.REF_NAME.encode()])
def test_an_index_that_is_none(raw):
    with pytest.raises(errors.Corrupt, match="^there: index.json"):
        layout.read_index(raw, "there")


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"format": 2, "items": []}', b'{"format": 1, "items": [{"source": "a"}]}'])
def test_a_plan_that_is_none(raw):
    with pytest.raises(errors.InvalidInput, match="there is not a plan that mirror_plan wrote"):
        layout.read_plan(raw, "there")


def test_sums_are_read_as_they_were_written():
    sums = {"b": "1" * 64, "a/ c": "2" * 64}
    raw = layout.write_sums(sums)
    assert raw == b"%s  a/ c\n%s  b\n" % (b"2" * 64, b"1" * 64)
    assert layout.read_sums(raw, "there") == sums
    assert layout.read_sums(raw.replace(b"  b", b" *b"), "there") == sums  # sha256sum --binary


def test_a_type_that_a_manifest_does_not_tell():
    assert layout.read_manifest(b'{"manifests": []}').media_type == "application/vnd.oci.image.index.v1+json"
    assert layout.read_manifest(b'{"config": {}}').media_type == OCI
    assert layout.read_manifest(b'{"mediaType": "application/x"}').media_type == "application/x"


@given(strategies.lists(strategies.integers(0, 200_000), min_size=1, max_size=60), strategies.integers(0, 20_000))
def test_no_part_is_too_large(sizes, described):
    part_size = 300_000
    blobs = {digest(number): size for number, size in enumerate(sizes)}
    found = layout.spread(blobs, part_size, described)
    assert list(found) == list(blobs)
    parts = sorted(set(found.values()))
    assert parts == [layout.part_name(number + 1) for number in range(len(parts))]
    for part in parts:
        held = sum(layout.occupied(blobs[each]) for each in found if found[each] == part)
        sums = layout.write_sums({layout.within(where, layout.blob_name(each)): "0" * 64 for each, where in found.items()})
        assert held + described + layout.occupied(len(sums)) <= part_size


def test_what_fits_in_no_part():
    with pytest.raises(errors.InvalidInput, match="Parts of 16384 bytes are the least"):
        layout.spread({DIGEST: 5000}, 8192, 4096)
    assert layout.spread({DIGEST: 5000}, 16384, 4096) == {DIGEST: "part-001"}


def test_images_by_tag_are_taken_by_the_digest_that_is_there():
    items = [{"source": "q/a:1", "target": "m/a:1"}, {"source": "q/b:1", "target": "m/b:1"},
             {"source": "q/c@" + DIGEST, "target": "m/c:1"}]
    assert layout.resolved(items, {"a:1": DIGEST, "c:1": digest(1)}) == [
        ("docker.io/q/a@" + DIGEST, "m/a:1"), ("q/b:1", "m/b:1"), ("q/c@" + DIGEST, "m/c:1")]


@pytest.mark.parametrize("names,stem,expected", [
    (["oci-layout", "blobs/sha256/x"], "all", ("", "")),
    (["archive/oci-layout", "archive/blobs/sha256/x"], "all", ("archive/", "")),
    (["part-001/oci-layout"], "part-001", ("", "")),
    (["oci-layout"], "part-001", ("", "part-001")),
    (["a/part-001/oci-layout", "a/part-002/oci-layout"], "all", ("a/", "")),
    (["junk"], "all", ("", "")),
])
def test_how_a_tar_file_was_packed(names, stem, expected):
    assert archive_reader.frame(names, stem) == expected
