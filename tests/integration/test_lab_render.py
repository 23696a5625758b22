# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab writes into registries.conf and policy.json, and when it refuses to.

tests/fixtures/registries-conf.json holds mirror objects, and the digests of the files that the machine-config operators
of several releases made of them.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import sys
import tomllib

import pytest
import yaml

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lab.mco import render, signing  # noqa: E402
from lab.mco.releases import Release  # noqa: E402

KEYS = {"ICSP": "repositoryDigestMirrors", "IDMS": "imageDigestMirrors", "ITMS": "imageTagMirrors"}
SCENARIOS = json.loads((TESTS / "fixtures" / "registries-conf.json").read_text())
PAYLOAD = "quay.io/openshift-release-dev/ocp-release"


def objects(**kinds):
    """Mirror objects, each given as a list of its rules."""
    made = {kind: tuple({"spec": {KEYS[kind]: rules}} for rules in listed) for kind, listed in kinds.items()}
    return render.MirrorObjects(made.get("ICSP", ()), made.get("IDMS", ()), made.get("ITMS", ()))


def rule(source, *mirrors, **rest):
    return {"source": source, "mirrors": list(mirrors), **rest}


def conf(version, *arguments, **keywords):
    return render.registries_conf(Release.of(version), *arguments, **keywords)


def refusal(version, **kinds):
    with pytest.raises(render.Refused) as refused:
        conf(version, objects(**kinds))
    return str(refused.value)


@pytest.mark.parametrize("name, version", [(n, v) for n, scenario in SCENARIOS.items() for v in scenario["sha256"]])
def test_the_same_bytes_as_the_operator(name, version):
    scenario, release = SCENARIOS[name], Release.of(version)
    given = objects(**{kind: scenario[kind] for kind in KEYS if kind in scenario})
    registries = render.effective_registries(
        release, given, scenario.get("insecure", ()), scenario.get("blocked", ())
    )
    text = render.text(release, registries)
    assert hashlib.sha256(text.encode()).hexdigest() == scenario["sha256"][version], text


@pytest.mark.parametrize(
    "version, header",
    [
        ("4.8", ()),
        ("4.9", ("short-name-mode",)),
        ("4.18", ("short-name-mode",)),
        ("4.19", ("short-name-mode", "additional-layer-store-auth-helper")),
    ],
)
def test_the_header_grows_with_the_releases(version, header):
    parsed = tomllib.loads(conf(version, objects(ICSP=[[]])))
    assert list(parsed) == ["unqualified-search-registries", *header]


def test_the_form_of_an_early_release():
    assert (
        conf("4.12", objects(ICSP=[[rule("quay.io/x", "m:5000/x")]]))
        == """\
unqualified-search-registries = ["registry.access.redhat.com", "docker.io"]
short-name-mode = ""

[[registry]]
  prefix = ""
  location = "quay.io/x"
  mirror-by-digest-only = true

  [[registry.mirror]]
    location = "m:5000/x"
"""
    )


def test_the_form_of_a_late_release():
    assert (
        conf(
            "4.19",
            objects(
                IDMS=[[rule("quay.io/x", "m:5000/x", mirrorSourcePolicy="NeverContactSource")]],
                ITMS=[[rule("quay.io/x", "m:5000/tags", mirrorSourcePolicy="NeverContactSource")]],
            ),
        )
        == """\
unqualified-search-registries = ["registry.access.redhat.com", "docker.io"]
short-name-mode = ""
additional-layer-store-auth-helper = ""

[[registry]]
  prefix = ""
  location = "quay.io/x"
  blocked = true

  [[registry.mirror]]
    location = "m:5000/x"
    pull-from-mirror = "digest-only"

  [[registry.mirror]]
    location = "m:5000/tags"
    pull-from-mirror = "tag-only"
"""
    )


@pytest.mark.parametrize(
    "lists, order",
    [
        ([("b", "c"), ("a", "b")], ["a", "b", "c"]),
        ([("z",), ("a",)], ["a", "z"]),
        ([("a", "b"), ("b", "a")], ["a", "b"]),
        ([("a", "src", "b")], ["a", "src", "b"]),
        ([("a", "src")], ["a"]),
    ],
)
def test_the_order_of_several_lists_of_mirrors(lists, order):
    assert render.preference("src", lists) == order


@pytest.mark.parametrize(
    "source",
    [
        "quay.io/openshift/x:latest",
        "https://quay.io/x",
        "quay.io/X",
        "quay.io/x/",
        "",
        "quay.io/x@sha256:abc",
    ],
)
def test_sources_that_late_releases_refuse(source):
    assert refusal("4.16", ICSP=[[rule(source, "m/x")]]) == f"invalid format for source {json.dumps(source)}"


@pytest.mark.parametrize("mirror", ["*.example.com", "m/x:tag", "m_host/x"])
def test_mirrors_that_late_releases_refuse(mirror):
    assert refusal("4.19", ICSP=[[rule("quay.io/x", mirror)]]) == f'invalid format for mirror "{mirror}"'


def test_releases_before_4_16_take_a_tag_for_part_of_a_name():
    assert 'location = "quay.io/x:latest"' in conf("4.15", objects(ICSP=[[rule("quay.io/x:latest", "m/x")]]))


def test_wildcard_sources_came_with_4_16():
    given = {"IDMS": [[rule("*.redhat.io", "m/redhat")]]}
    assert refusal("4.14", **given) == 'wildcard entries are not supported with mirror configuration "*.redhat.io"'
    assert 'prefix = "*.redhat.io"' in conf("4.16", objects(**given))


@pytest.mark.parametrize(
    "version, where",
    [
        ("4.13.30", "imagedigestmirrorsets and/or imagetagmirrorsets"),
        ("4.16", "imagedigestmirrorsets, imagetagmirrorsets, or imagecontentsourcepolicies"),
    ],
)
def test_two_policies_for_one_source(version, where):
    said = refusal(
        version,
        IDMS=[[rule("quay.io/x", "m/x", mirrorSourcePolicy="NeverContactSource")]],
        ITMS=[[rule("quay.io/x", "m/x")]],
    )
    assert said == f'conflicting mirrorSourcePolicy is set for the same source "quay.io/x" in {where}'


def test_a_source_that_is_never_contacted_cannot_be_its_own_mirror():
    said = refusal("4.16", IDMS=[[rule("quay.io/x", "m/x", "quay.io/x", mirrorSourcePolicy="NeverContactSource")]])
    assert said == 'cannot set mirrorSourcePolicy: NeverContactSource if the source "quay.io/x" is one of the mirrors'


@pytest.mark.parametrize(
    "version, other, said",
    [
        ("4.13.9", "IDMS", "error: both imagecontentsourcepolicy and imagedigestmirrorset exist"),
        ("4.14.2", "ITMS", "error: both imagecontentsourcepolicy and imagetagmirrorset exist"),
    ],
)
def test_early_releases_refuse_a_mix_of_kinds(version, other, said):
    kinds = {"ICSP": [[rule("quay.io/x", "m/x")]], other: [[rule("quay.io/y", "m/y")]]}
    assert refusal(version, **kinds) == said
    later = {"4.13.9": "4.13.27", "4.14.2": "4.14.3"}[version]
    assert "quay.io/y" in conf(later, objects(**kinds))


def test_one_bad_object_refuses_all():
    refusal("4.16", ICSP=[[rule("quay.io/good", "m/good")], [rule("quay.io/x:latest", "m/x")]])


@pytest.mark.parametrize("version, inherits", [("4.10", False), ("4.11", True)])
def test_a_blocked_scope_inside_a_mirrored_one(version, inherits):
    text = conf(version, objects(ICSP=[[rule("quay.io/a", "m/a")]]), blocked=["quay.io/a/b"])
    assert ('location = "m/a/b"' in text) is inherits


@pytest.mark.parametrize("scope", ["", "*", "a.*.b", "*.a/b"])
def test_scopes_that_cannot_be(scope):
    with pytest.raises(render.Refused, match="invalid entry for insecure registries"):
        conf("4.16", objects(), insecure=[scope])


def restrictions(version, sources, **kinds):
    return render.restrictions(Release.of(version), sources, objects(**kinds), PAYLOAD)


def test_the_payload_is_not_blocked_while_it_has_no_mirror():
    found = restrictions("4.16", {"blockedRegistries": ["quay.io", "docker.io"]})
    assert (found.registries_blocked, found.policy_blocked, found.spared) == (
        ("docker.io",),
        ("docker.io",),
        ("quay.io",),
    )


def test_the_payload_may_be_blocked_once_it_has_a_mirror():
    found = restrictions("4.16", {"blockedRegistries": ["quay.io"]}, IDMS=[[rule(PAYLOAD, "m:5000/ocp")]])
    assert found.registries_blocked == found.policy_blocked == ("quay.io",)
    assert found.allowed == (PAYLOAD,)
    policy = json.loads(render.policy_json(Release.of("4.16"), found.policy_blocked, found.allowed, PAYLOAD))
    assert policy["default"] == [{"type": "insecureAcceptAnything"}]
    assert policy["transports"]["docker"]["quay.io"] == [{"type": "reject"}]
    assert policy["transports"]["docker"][PAYLOAD] == [{"type": "insecureAcceptAnything"}]


def test_a_mirror_that_is_blocked_itself_does_not_count():
    found = restrictions("4.16", {"blockedRegistries": ["quay.io", "m:5000"]}, IDMS=[[rule(PAYLOAD, "m:5000/ocp")]])
    assert found.registries_blocked == ("m:5000",)


def test_allowed_registries_reject_all_others():
    policy = json.loads(render.policy_json(Release.of("4.19"), (), ("quay.io", "a/b/c/d"), PAYLOAD))
    assert policy["default"] == [{"type": "reject"}]
    assert set(policy["transports"]["docker"]) == {"quay.io", "a/b/c/d"}
    assert set(policy["transports"]["atomic"]) == {"quay.io"}


def test_allowed_and_blocked_registries_exclude_each_other():
    with pytest.raises(render.Refused, match="only one of AllowedRegistries or BlockedRegistries"):
        render.policy_json(Release.of("4.16"), ("docker.io",), ("quay.io",), PAYLOAD)


class TestSignatures:
    """What ClusterImagePolicies make of policy.json and of the file that says where signatures lie."""

    RELEASE = Release.of("4.21")

    def places(self, scopes, **kinds):
        registries = render.effective_registries(self.RELEASE, objects(**kinds))
        document = yaml.safe_load(signing.sigstore_registries(self.RELEASE, scopes, registries))
        assert {tuple(entry.items()) for entry in document["docker"].values()} == {(("use-sigstore-attachments", True),)}
        return list(document["docker"])

    def test_without_mirrors_it_is_the_scope_alone(self):
        assert self.places([PAYLOAD]) == [PAYLOAD]

    def test_the_mirrors_of_a_scope_and_of_what_is_inside_it(self):
        digests = [rule(PAYLOAD, "m.test:5000/ocp"), rule(PAYLOAD + "/more", "n.test/more")]
        assert self.places([PAYLOAD], IDMS=[digests], ITMS=[[rule(PAYLOAD, "t.test/ocp")]]) == [
            "m.test:5000/ocp", "n.test/more", PAYLOAD, PAYLOAD + "/more", "t.test/ocp"]

    def test_a_scope_inside_what_is_mirrored(self):
        assert self.places([PAYLOAD], IDMS=[[rule("quay.io", "m.test/quay")]]) == [
            "m.test/quay/openshift-release-dev/ocp-release", PAYLOAD]

    def test_a_whole_registry(self):
        assert self.places(["quay.io"], IDMS=[[rule("quay.io", "m.test")]]) == ["m.test", "quay.io"]

    def test_a_mirror_without_a_path_stops_everything(self):
        with pytest.raises(render.Refused, match="repository name must be canonical"):
            self.places([PAYLOAD], IDMS=[[rule(PAYLOAD, "m.test:5000")]])

    def test_what_policy_json_demands(self):
        signed = signing.demands([signing.openshift("localhost:5000/ocp")])
        policy = json.loads(render.policy_json(self.RELEASE, (), (), PAYLOAD, signed))
        assert policy["default"] == [{"type": "insecureAcceptAnything"}]
        assert policy["transports"]["docker"][PAYLOAD] == policy["transports"]["atomic"][PAYLOAD] == signed[PAYLOAD]
        assert [demand["type"] for demand in signed["localhost:5000/ocp"]] == ["sigstoreSigned"]

    @pytest.mark.parametrize("blocked, allowed, words", [
        (["quay.io"], [], "is nested inside blockedRegistries"),
        ([], ["registry.redhat.io"], "is not nested inside allowedRegistries"),
    ])
    def test_a_policy_for_what_must_not_be_pulled_stops_everything(self, blocked, allowed, words):
        with pytest.raises(render.Refused, match=words):
            signing.check(self.RELEASE, [PAYLOAD], blocked, allowed)
        signing.check(self.RELEASE, [PAYLOAD], [], ["quay.io"])
