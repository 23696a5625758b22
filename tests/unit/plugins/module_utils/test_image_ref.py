# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time

import pytest
from hypothesis import given, strategies as st

from ansible_collections.disconnected.openshift.plugins.module_utils import errors, image_ref

SHA = "sha256:" + "ab" * 32


@pytest.mark.parametrize("text, full", [
    ("busybox", "docker.io/library/busybox"),
    ("busybox:1", "docker.io/library/busybox:1"),
    ("team/app", "docker.io/team/app"),
    ("docker.io/busybox", "docker.io/library/busybox"),
    ("index.docker.io/busybox", "docker.io/library/busybox"),
    ("localhost/app", "localhost/app"),
    ("my-registry:5000/app:v1", "my-registry:5000/app:v1"),
    ("Quay.IO/app", "Quay.IO/app"),
    ("quay.io/a/b/c@" + SHA, "quay.io/a/b/c@" + SHA),
    ("quay.io/a:v1@" + SHA, "quay.io/a:v1@" + SHA),
    ("quay.io/a__b/c--d/e.f", "quay.io/a__b/c--d/e.f"),
    ("a_b.c/d", "a_b.c/d"),
])
def test_references_are_read_by_dockers_rules(text, full):
    assert str(image_ref.parse(text)) == full


def test_the_parts_of_a_reference():
    image = image_ref.parse("mirror.example.com:5000/ocp/release:4.16@" + SHA)
    assert (image.registry, image.path) == ("mirror.example.com:5000", "ocp/release")
    assert (image.tag, image.digest) == ("4.16", SHA)
    assert image.repository == "mirror.example.com:5000/ocp/release"
    assert str(image.with_tag("x")) == "mirror.example.com:5000/ocp/release:x"
    assert str(image.with_digest(SHA)) == "mirror.example.com:5000/ocp/release@" + SHA


@pytest.mark.parametrize("text, reason", [
    ("", "missing"),
    (None, "missing"),
    ("https://quay.io/a", "scheme"),
    ("quay.io/a b", "blanks"),
    ("quay.io/a\n", "blanks"),
    ("quay.io/App", "lower case"),
    ("App", "lower case"),
    ("quay.io/a/", "slash"),
    ("quay.io/", "slash"),
    ("quay.io/a:", "expected"),
    ("quay.io/a:" + "t" * 129, "expected"),
    ("[fd00::1]:5000/a", "expected"),
    ("quay.io/a@sha256:abc", "expected"),
    ("quay.io/a@sha256:" + "AB" * 32, "hexadecimal"),
    ("quay.io/a@sha256:" + "a" * 63, "hexadecimal"),
    ("quay.io/a@md5:" + "a" * 32, "algorithm"),
    ("quay.io/" + "a" * 248, "longer than 255"),
    ("ab" * 32, "image ID"),
])
def test_what_is_no_reference(text, reason):
    with pytest.raises(errors.InvalidInput, match=reason):
        image_ref.parse(text)


@pytest.mark.parametrize("method, value", [("with_tag", "a b"), ("with_tag", ""), ("with_digest", "sha256:x")])
def test_a_reference_takes_no_bad_tag_or_digest(method, value):
    with pytest.raises(errors.InvalidInput):
        getattr(image_ref.parse("quay.io/a"), method)(value)


def test_a_long_bad_name_is_refused_at_once():
    began = time.perf_counter()
    for text in ("quay.io/" + "a" * 50_000 + "!", "quay.io/" + "a-" * 25_000 + "!", "a." * 25_000 + "!/b"):
        with pytest.raises(errors.InvalidInput):
            image_ref.parse(text)
    assert time.perf_counter() - began < 2


def test_a_password_in_a_url_is_not_repeated():
    with pytest.raises(errors.InvalidInput) as caught:
        image_ref.parse("https://user:hunter2@quay.io/a")
    assert "hunter2" not in caught.value.message


@given(st.text(alphabet="ab.:/@-_A0 ", max_size=30))
def test_what_is_accepted_reads_the_same_again(text):
    try:
        image = image_ref.parse(text)
    except errors.InvalidInput:
        return
    assert image_ref.parse(str(image)) == image


@pytest.mark.parametrize("text", [
    "mirror.example.com", "mirror.example.com:443", "mirror:5000", "localhost:5000", "10.0.0.1", "10.0.0.1:8443",
])
def test_a_mirror_registry_is_returned_unchanged(text):
    assert image_ref.check_mirror_registry(text) == text


@pytest.mark.parametrize("text, reason", [
    ("", "empty"),
    (None, "empty"),
    ("https://mirror.example.com", "scheme"),
    ("mirror.example.com/ocp", "host\\[:port\\] alone"),
    ("mirror.example.com:5000/", "host\\[:port\\] alone"),
    (" mirror.example.com", "blanks"),
    ("user:hunter2@mirror.example.com", "passwords do not belong"),
    ("Mirror.example.com", "lower case"),
    ("mirror.example.com:", "port"),
    ("mirror.example.com:x", "port"),
    ("mirror.example.com:0", "port"),
    ("mirror.example.com:65536", "port"),
    ("mirror.example.com:" + "9" * 5000, "port"),
    ("[fd00::1]:5000", "IPv6"),
    ("fd00::1", "IPv6"),
    ("mirror_1.example.com", "host name consists"),
    ("mirror..example.com", "host name consists"),
    ("-mirror.example.com", "host name consists"),
    ("mirror", "fully qualified"),
    ("index.docker.io", "fully qualified"),
    ("image-registry.openshift-image-registry.svc:5000", "cluster's own"),
    ("image-registry.openshift-image-registry.svc.cluster.local", "cluster's own"),
    ("default-route-openshift-image-registry.apps.example.com", "cluster's own"),
])
def test_a_mirror_registry_that_cannot_be_used(text, reason):
    with pytest.raises(errors.InvalidInput, match=reason) as caught:
        image_ref.check_mirror_registry(text)
    assert len(caught.value.message) < 10_000
