# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest

from ansible_collections.disconnected.openshift.plugins.module_utils import errors, release_payload

DIGEST = "sha256:" + "a" * 64
RELEASE = "quay.io/openshift-release-dev/ocp-release:4.16.30-x86_64"
CLI = "quay.io/openshift-release-dev/ocp-v4.0-art-dev@" + DIGEST


def stream(**changes):
    document = {
        "kind": "ImageStream", "apiVersion": "image.openshift.io/v1", "metadata": {"name": "4.16.30"},
        "spec": {"tags": [
            {"name": "cli", "from": {"kind": "DockerImage", "name": CLI}},
            {"name": "elsewhere", "from": {"kind": "ImageStreamTag", "name": "x"}},
        ]},
    }
    return dict(document, **changes)


def files(document=None, metadata=None):
    found = {release_payload.IMAGE_REFERENCES: json.dumps(stream() if document is None else document).encode()}
    if metadata is not None:
        found[release_payload.RELEASE_METADATA] = json.dumps(metadata).encode()
    return found


def test_version_architecture_and_components():
    release = release_payload.parse(files(metadata={"version": "4.16.30"}), "amd64", RELEASE)
    assert release == ("4.16.30", "x86_64", [("cli", CLI)])


@pytest.mark.parametrize("go,openshift", [
    ("amd64", "x86_64"), ("arm64", "aarch64"), ("s390x", "s390x"), ("ppc64le", "ppc64le"), ("multi", "multi")])
def test_architectures_as_openshift_writes_them(go, openshift):
    assert release_payload.parse(files(), go, RELEASE).architecture == openshift


@pytest.mark.parametrize("found,words", [
    ({}, "is not a release image: it has no /release-manifests/image-references"),
    ({release_payload.IMAGE_REFERENCES: b"<html>"}, "is not a JSON object"),
    ({release_payload.IMAGE_REFERENCES: b"\xff\xfe"}, "is not a JSON object"),
    (files(stream(kind="List")), "is no ImageStream"),
    (files(stream(metadata={"name": "latest"})), "'latest', which is no version"),
    (files(stream(metadata=None)), "no version"),
    (files(stream(spec={})), "without components"),
    (files(metadata={"version": "4.17.0"}), "contradicts itself: version 4.16.30"),
    (files(stream(spec={"tags": [{"name": "cli", "from": {"kind": "DockerImage", "name": "quay.io/a/b:tag"}}]})),
     "cli is not given by its digest alone"),
])
def test_what_is_no_release(found, words):
    with pytest.raises(errors.InvalidInput) as raised:
        release_payload.parse(found, "amd64", RELEASE)
    assert RELEASE in raised.value.message and words in raised.value.message


def test_where_a_signature_lies():
    assert release_payload.signature_tag(DIGEST) == "sha256-%s.sig" % ("a" * 64)
