# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest

from ansible_collections.disconnected.openshift.plugins.module_utils import errors, image_manifest

A, B, C = ("sha256:" + digit * 64 for digit in "abc")
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"


def manifest(document, content_type=DOCKER):
    return image_manifest.Manifest(json.dumps(document).encode(), content_type)


def entry(digest, size=1, **more):
    return dict({"digest": digest, "size": size, "mediaType": "x"}, **more)


def test_an_image():
    found = manifest({"schemaVersion": 2, "config": entry(A), "layers": [entry(B), entry(C), entry(B)]})
    assert found.media_type == DOCKER and not found.is_index and found.children == []
    assert [blob.digest for blob in found.blobs] == [A, B, C]
    assert [layer.digest for layer in found.layers] == [B, C, B]


def test_a_list():
    found = manifest({"mediaType": image_manifest.INDEX_TYPES[0], "manifests": [entry(A, platform={"os": "linux"})]}, "text/plain")
    assert found.is_index and found.media_type == image_manifest.INDEX_TYPES[0] and found.blobs == []
    assert found.children == [(A, 1, "x", {"os": "linux"})]


def test_the_digest_is_of_the_bytes_as_they_came():
    raw = b'{ "schemaVersion" : 2 }\n'
    assert image_manifest.Manifest(raw, DOCKER).digest == image_manifest.digest_of(raw)
    assert image_manifest.Manifest(raw, DOCKER, "sha512").digest.startswith("sha512:")


def test_layers_that_are_only_elsewhere_stay_there():
    assert manifest({"config": entry(A), "layers": [entry(B, urls=["https://x"])]}).blobs == [(A, 1, "x", {})]


@pytest.mark.parametrize("document", [
    [], {"layers": [{"digest": A}]}, {"layers": [entry("sha256:abc")]}, {"layers": [entry(A, size="many")]}, {"layers": ["x"]},
    {"config": entry(A, size=-1)}, {"manifests": [entry("../../etc/passwd")]},
])
def test_damaged_manifests(document):
    with pytest.raises(errors.Corrupt):
        found = manifest(document)
        found.blobs, found.children


def test_what_is_not_json():
    with pytest.raises(errors.Corrupt):
        image_manifest.Manifest(b"<html>", DOCKER)


@pytest.mark.parametrize("document,content_type", [
    ({"schemaVersion": 1, "fsLayers": []}, "text/plain"), ({}, "application/vnd.docker.distribution.manifest.v1+prettyjws")])
def test_the_obsolete_schema(document, content_type):
    with pytest.raises(errors.InvalidInput, match="schema 1"):
        manifest(document, content_type)
