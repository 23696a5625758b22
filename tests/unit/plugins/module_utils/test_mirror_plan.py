# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.disconnected.openshift.plugins.module_utils import errors, image_ref, mirror_plan
from ansible_collections.disconnected.openshift.plugins.module_utils.release_payload import Release

MIRROR = "mirror.example.com:8443"
A, B = ("sha256:" + digit * 64 for digit in "ab")


# What `oc adm catalog mirror` chose for these references, from its own tests.
@pytest.mark.parametrize("reference,tag", [
    ("quay.io/coreos/etcd-operator@sha256:db563baa8194fcfe39d1df744ed70024b0f1f9e9b55b5923c2f3a413c44dc6b8", "b56e2636"),
    ("quay.io/coreos/etcd-operator@sha256:c0301e4686c3ed4206e370b42de5a3bd2229b9fb4906cf85f3f30650424abec2", "2f1eb95"),
    ("docker.io/my/image@sha256:154d7e0295a94fb3d2a97309d711186a98a7308da37a5cd3d50360c6b2ba57de", "a1d77056"),
    ("docker.io/my/image:tag", "tag"),
    ("docker.io/my/image", "latest"),
])
def test_tags_are_those_of_oc(reference, tag):
    assert mirror_plan.tag_for(image_ref.parse(reference)) == tag


@pytest.mark.parametrize("namespace,path,repository", [
    ("olm", "redhat/alpha-rhel8", "olm/redhat-alpha-rhel8"),
    ("olm", "a/b/c", "olm/a-b-c"),
    ("", "redhat/redhat-operator-index", "redhat/redhat-operator-index"),
    ("", "a/b/c", "a/b-c"),
    ("olm", "single", "olm/single"),
    ("one/two", "a/b", "one/two-a-b"),
])
def test_paths_are_joined_as_oc_joins_them(namespace, path, repository):
    image = image_ref.parse("registry.example.com/%s:1" % path)
    assert mirror_plan.catalog_wish(image, "operand", image, MIRROR, namespace).target.path == repository


def test_a_release_and_its_components_share_one_repository():
    reference = image_ref.parse("quay.io/openshift-release-dev/ocp-release@" + A)
    release = Release("4.16.30", "x86_64", [("cli", "quay.io/openshift-release-dev/ocp-v4.0-art-dev@" + B)])
    wishes = mirror_plan.release_wishes(reference, release, MIRROR, "ocp/release")
    wishes.append(mirror_plan.signature_wish(reference, MIRROR, "ocp/release"))
    assert [(w.kind, str(w.target)) for w in wishes] == [
        ("release", MIRROR + "/ocp/release:4.16.30-x86_64"), ("component", MIRROR + "/ocp/release:4.16.30-x86_64-cli"),
        ("signature", MIRROR + "/ocp/release:%s.sig" % A.replace(":", "-"))]
    plan = mirror_plan.items(wishes, {})
    assert plan[-1].source == "quay.io/openshift-release-dev/ocp-release:%s.sig" % A.replace(":", "-")
    assert [rule["source"] for rule in mirror_plan.mirror_rules(plan)] == [
        "quay.io/openshift-release-dev/ocp-release", "quay.io/openshift-release-dev/ocp-v4.0-art-dev"]


def test_a_version_that_cannot_be_a_tag():
    release = Release("4.16.30+build", "x86_64", [])
    with pytest.raises(errors.InvalidInput, match="cannot be a tag"):
        mirror_plan.release_wishes(image_ref.parse("a.example/b@" + A), release, MIRROR, "ocp/release")


def test_the_same_image_twice_is_one_item():
    image = image_ref.parse("quay.io/a/b@" + A)
    plan = mirror_plan.items([mirror_plan.image_wish(image, MIRROR), mirror_plan.image_wish(image, MIRROR)], {})
    assert plan == [("quay.io/a/b@" + A, "", "%s/a/b:%s" % (MIRROR, mirror_plan.fnv32a(str(image))), "image", "images")]


def test_two_images_for_one_target_are_refused():
    wishes = [mirror_plan.image_wish(image_ref.parse("%s/a/b:1" % host), MIRROR) for host in ("one.example", "two.example")]
    digests = {"one.example/a/b:1": A, "two.example/a/b:1": B}
    with pytest.raises(errors.Conflict) as raised:
        mirror_plan.items(wishes, digests)
    assert MIRROR + "/a/b:1" in raised.value.message and "two.example/a/b" in raised.value.message
    assert len(mirror_plan.items(wishes, dict(digests, **{"two.example/a/b:1": A}))) == 1


def test_tags_become_digests_and_those_unknown_stay():
    wishes = [mirror_plan.image_wish(image_ref.parse("quay.io/a/%s" % name), MIRROR) for name in ("b:1", "c", "d:1@" + B)]
    plan = mirror_plan.items(wishes, {"quay.io/a/b:1": A})
    assert [(item.source, item.source_tag, item.target) for item in plan] == [
        ("quay.io/a/b@" + A, "1", MIRROR + "/a/b:1"), ("quay.io/a/c:latest", "latest", MIRROR + "/a/c:latest"),
        ("quay.io/a/d@" + B, "", MIRROR + "/a/d:1")]
    assert [item.source for item in mirror_plan.unresolved(plan)] == ["quay.io/a/c:latest"]
    assert mirror_plan.repositories(plan) == ["a/b", "a/c", "a/d"]


def test_rules_by_tag_only_where_a_tag_was_asked_for():
    wishes = [mirror_plan.image_wish(image_ref.parse(text), MIRROR) for text in ("quay.io/a/b:1", "quay.io/a/c@" + B)]
    wishes.append(mirror_plan.catalog_wish(image_ref.parse("quay.io/x/index:v1"), "catalog", "quay.io/x/index:v1", MIRROR, "olm"))
    plan = mirror_plan.items(wishes, {"quay.io/a/b:1": A, "quay.io/x/index:v1": A})
    assert mirror_plan.mirror_rules(plan) == [
        {"source": "quay.io/a/b", "mirrors": [MIRROR + "/a/b"], "by": "digest"},
        {"source": "quay.io/a/b", "mirrors": [MIRROR + "/a/b"], "by": "tag"},
        {"source": "quay.io/a/c", "mirrors": [MIRROR + "/a/c"], "by": "digest"},
        {"source": "quay.io/x/index", "mirrors": [MIRROR + "/olm/x-index"], "by": "digest"}]


def test_one_source_at_two_places_has_one_rule():
    image = image_ref.parse("quay.io/a/b@" + A)
    plan = mirror_plan.items([mirror_plan.image_wish(image, MIRROR),
                              mirror_plan.catalog_wish(image, "operand", image, MIRROR, "olm")], {})
    assert mirror_plan.mirror_rules(plan) == [
        {"source": "quay.io/a/b", "mirrors": [MIRROR + "/a/b", MIRROR + "/olm/a-b"], "by": "digest"}]


def test_what_is_on_the_mirror_already_needs_no_rule():
    plan = mirror_plan.items([mirror_plan.image_wish(image_ref.parse(MIRROR + "/a/b@" + A), MIRROR)], {})
    assert mirror_plan.mirror_rules(plan) == []


def test_catalog_sources_of_one_name_are_told_apart():
    references = [image_ref.parse("quay.io/x/Red_index:%s".lower() % tag) for tag in ("v4.15", "v4.16")]
    wishes = [mirror_plan.catalog_wish(reference, "catalog", str(reference), MIRROR, "olm") for reference in references]
    plan = mirror_plan.items(wishes, {str(reference): A for reference in references})
    assert [source["name"] for source in mirror_plan.catalog_sources(plan)] == ["red-index-v4-15", "red-index-v4-16"]
    assert mirror_plan.catalog_sources(plan[:1])[0] == {
        "name": "red-index", "image": MIRROR + "/olm/x-red_index:v4.15", "digest": A, "source": "quay.io/x/red_index:v4.15"}


def test_a_name_that_is_no_reference_does_not_spoil_a_catalog():
    index = image_ref.parse("quay.io/x/index:v1")
    wishes, problems = mirror_plan.catalog_wishes(index, ["quay.io/a/b@" + A, "quay.io/Bad Name"], MIRROR, "olm")
    assert [w.kind for w in wishes] == ["catalog", "operand"]
    assert len(problems) == 1 and "quay.io/Bad Name" in problems[0] and "quay.io/x/index:v1" in problems[0]


def test_totals_count_every_kind():
    plan = mirror_plan.items([mirror_plan.image_wish(image_ref.parse("quay.io/a/b@" + A), MIRROR)], {})
    assert mirror_plan.totals(plan) == {"images": 1, "release": 0, "component": 0, "signature": 0, "catalog": 0, "operand": 0, "image": 1}
