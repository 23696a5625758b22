# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.disconnected.openshift.plugins.module_utils import (
    errors, image_coverage, image_ref, mirror_sets, registries_conf)
from ansible_collections.disconnected.openshift.plugins.module_utils.image_coverage import Surroundings

SHA = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32
MIRROR = "mirror:5000"
RULES = """
unqualified-search-registries = ["registry.access.redhat.com", "docker.io"]

[[registry]]
  location = "quay.io/digests"
  [[registry.mirror]]
    location = "mirror:5000/d"
    pull-from-mirror = "digest-only"

[[registry]]
  location = "quay.io/tags"
  [[registry.mirror]]
    location = "mirror:5000/t"
    pull-from-mirror = "tag-only"

[[registry]]
  location = "quay.io/two"
  [[registry.mirror]]
    location = "mirror:5000/one"
  [[registry.mirror]]
    location = "other:5000/two"

[[registry]]
  location = "quay.io/never"
  blocked = true
  [[registry.mirror]]
    location = "mirror:5000/never"
    pull-from-mirror = "digest-only"

[[registry]]
  location = "evil.example.com"
  blocked = true

[[registry]]
  location = "quay.io/lost"
  [[registry.mirror]]
    location = "evil.example.com/lost"

[[registry]]
  prefix = "*.redhat.example.com"
  [[registry.mirror]]
    location = "mirror:5000/redhat"
"""
CONF = registries_conf.parse(RULES)
SECRET = {"auths": {"mirror:5000/d": {"auth": "dTpw"}}}


def aim(text, registries=(), conf=CONF):
    own = frozenset(registries) or image_coverage.mirror_registries([conf])
    internal = frozenset(["images.apps.example.com"])
    return image_coverage.aim(text, conf, Surroundings(frozenset(registries), own, internal))


@pytest.mark.parametrize("text, mirrors", [
    ("quay.io/digests/app@" + SHA, ["mirror:5000/d/app@" + SHA]),
    ("quay.io/digests/app:1@" + SHA, ["mirror:5000/d/app@" + SHA]),
    ("quay.io/tags/app:1", ["mirror:5000/t/app:1"]),
    ("quay.io/tags/app", ["mirror:5000/t/app:latest"]),
    ("quay.io/two/app:1", ["mirror:5000/one/app:1", "other:5000/two/app:1"]),
    ("quay.io/never/app@" + SHA, ["mirror:5000/never/app@" + SHA]),
    ("a.redhat.example.com/app:1", ["mirror:5000/redhat/app:1"]),
])
def test_which_mirrors_are_asked(text, mirrors):
    target = aim(text)
    assert (list(target.mirrors), target.verdict) == (mirrors, None)
    assert [source.reference for source in target.sources if source.mirror] == mirrors


@pytest.mark.parametrize("text, status, reason", [
    ("quay.io/digests/app:1", "tag_without_tag_mirror", "quay.io/digests is mirrored by digest only"),
    ("quay.io/never/app:1", "tag_without_tag_mirror", "quay.io/never is mirrored by digest only"),
    ("quay.io/tags/app@" + SHA, "no_rule", "quay.io/tags is mirrored by tag only"),
    ("quay.io/none/app:1", "no_rule", "No rule"),
    ("quay.io/digestsandmore/app@" + SHA, "no_rule", "No rule"),
    ("evil.example.com/app:1", "source_blocked", "evil.example.com is blocked, and has no mirror"),
    ("quay.io/lost/app:1", "source_blocked", "Every mirror of quay.io/lost lies in a blocked registry"),
    ("mirror:5000/any/app:1", "mirror_itself", "itself"),
    ("image-registry.openshift-image-registry.svc:5000/shop/app:1", "internal_registry", "own"),
    ("image-registry.openshift-image-registry.svc.cluster.local:5000/shop/app@" + SHA, "internal_registry", "own"),
    ("default-route-openshift-image-registry.apps.example.com/shop/app", "internal_registry", "own"),
    ("images.apps.example.com/shop/app:1", "internal_registry", "own"),
    ("busybox", "unqualified", "searches registry.access.redhat.com, docker.io"),
    ("busybox:1", "unqualified", "names no registry"),
    ("team/app@" + SHA, "unqualified", "names no registry"),
    ("$(params.image)", "invalid", "now as before"),
    ("quay.io/App:1", "invalid", "lower case"),
    ("my_host.example.com/app:1", "invalid", "underscore"),
    ("ab" * 32, "invalid", "now as before"),
])
def test_what_needs_no_asking(text, status, reason):
    target = aim(text)
    assert target.mirrors == () and target.verdict.status == status
    assert reason in target.verdict.reason


def test_only_the_registries_that_are_left_count():
    assert aim("quay.io/two/app:1", ["other:5000"]).mirrors == ("other:5000/two/app:1",)
    verdict = aim("quay.io/tags/app:1", ["other:5000"]).verdict
    assert (verdict.status, "mirror:5000, which is not among" in verdict.reason) == ("no_rule", True)
    assert aim("mirror:5000/app:1", ["other:5000"]).verdict.status == "no_rule"


def test_a_registry_that_is_a_source_as_well_holds_more_than_mirrors():
    conf = registries_conf.parse('[[registry]]\nlocation = "quay.io/a"\n[[registry.mirror]]\nlocation = "quay.io/b"\n'
                                 '[[registry.mirror]]\nlocation = "mirror:5000/b"\n')
    assert image_coverage.mirror_registries([conf]) == {MIRROR}
    assert aim("quay.io/b/app:1", conf=conf).verdict.status == "no_rule"


def test_a_rule_that_no_node_can_use():
    conf = registries_conf.parse('[[registry]]\nlocation = "quay.io/a"\n[[registry.mirror]]\nlocation = "mirror/B"\n')
    verdict = aim("quay.io/a/app:1", conf=conf).verdict
    assert verdict.status == "no_rule" and "cannot be used" in verdict.reason


UNREACHABLE = errors.Unreachable("mirror:5000 cannot be reached: connection refused.")
REFUSED = errors.Unauthorized("mirror:5000: the registry does not accept the credentials (401).")


@pytest.mark.parametrize("text, answers, status, reason", [
    ("quay.io/digests/app@" + SHA, [SHA], "covered", ""),
    ("quay.io/digests/app@" + SHA, [None], "not_mirrored", "mirror:5000/d/app@%s does not exist." % SHA),
    ("quay.io/digests/app@" + SHA, [UNREACHABLE], "unverified", "connection refused"),
    ("quay.io/digests/app@" + SHA, [REFUSED], "no_credentials", "key mirror:5000/d. They lack the right"),
    ("quay.io/tags/app:1", [REFUSED], "no_credentials", "no key for mirror:5000/t/app:1"),
    ("quay.io/two/app:1", [None, SHA], "covered", ""),
    ("quay.io/two/app:1", [UNREACHABLE, SHA], "covered", ""),
    ("quay.io/two/app:1", [None, REFUSED], "no_credentials", "no key for other:5000/two/app:1"),
    ("quay.io/two/app:1", [None, None], "not_mirrored", "mirror:5000/one/app:1 does not exist."),
])
def test_what_the_answers_mean(text, answers, status, reason):
    target = aim(text)
    verdict = image_coverage.verdict(target, dict(zip(target.mirrors, answers)), SECRET)
    assert verdict.status == status and reason in verdict.reason


class TestSignatures:
    """Nodes look for a signature beside the copy that they pull, and nowhere else."""

    TAG = SHA.replace(":", "-") + ".sig"
    SIGNED = {"": {"quay.io/digests": "ClusterImagePolicy openshift", "quay.io/two/app": "ClusterImagePolicy ours",
                   "*.redhat.example.com": "ClusterImagePolicy any"},
              "shop": {"quay.io/tags": "ImagePolicy shop", "quay.io/digests/app": "ImagePolicy nearer"}}

    def aim(self, text, *namespaces):
        return image_coverage.aim(text, CONF, Surroundings(signed=self.SIGNED), namespaces)

    @pytest.mark.parametrize("text, namespaces, policy", [
        ("quay.io/tags/app:1", ["shop", "other"], "ImagePolicy shop"),
        ("quay.io/tags/app:1", ["other"], ""),
        ("quay.io/digests/app@" + SHA, ["shop"], "ClusterImagePolicy openshift"),
    ])
    def test_a_policy_of_a_namespace_holds_there(self, text, namespaces, policy):
        assert self.aim(text, *namespaces).policy == policy

    @pytest.mark.parametrize("text, answers, asked", [
        ("quay.io/digests/app@" + SHA, [SHA], ["mirror:5000/d/app:" + TAG]),
        ("quay.io/two/app:1", [None, SHA], ["other:5000/two/app:" + TAG]),
        ("quay.io/two/app:1", [SHA, SHA], ["mirror:5000/one/app:" + TAG, "other:5000/two/app:" + TAG]),
        ("a.redhat.example.com/app:1", [SHA], ["mirror:5000/redhat/app:" + TAG]),
        ("quay.io/digests/app@" + SHA, [None], []),
        ("quay.io/two/other:1", [SHA, SHA], []),
        ("quay.io/tags/app:1", [SHA], []),
    ])
    def test_which_are_asked_for(self, text, answers, asked):
        target = self.aim(text)
        assert list(image_coverage.signatures(target, dict(zip(target.mirrors, answers)))) == asked

    @pytest.mark.parametrize("answer, status, reason", [
        (OTHER, "covered", ""),
        (None, "no_signature", "ClusterImagePolicy openshift demands: mirror:5000/d/app:%s. The playbook mirror copies that of a "
                               "release; otherwise: oc image mirror quay.io/digests/app:%s mirror:5000/d/app:%s" % (TAG, TAG, TAG)),
        (UNREACHABLE, "unverified", "connection refused."),
    ])
    def test_what_its_absence_means(self, answer, status, reason):
        target = self.aim("quay.io/digests/app@" + SHA)
        verdict = image_coverage.verdict(target, {target.mirrors[0]: SHA, "mirror:5000/d/app:" + self.TAG: answer}, SECRET)
        assert verdict.status == status and verdict.reason.endswith(reason)

    def test_one_signed_copy_is_enough(self):
        target = self.aim("quay.io/two/app:1")
        answers = dict.fromkeys(target.mirrors, SHA)
        answers.update({"mirror:5000/one/app:" + self.TAG: None, "other:5000/two/app:" + self.TAG: OTHER})
        assert image_coverage.verdict(target, answers, SECRET).status == "covered"


def test_a_pull_secret_that_cannot_be_used_is_told():
    target = aim("quay.io/tags/app:1")
    secret = {"auths": {}, "credHelpers": {"mirror:5000": "ecr-login"}}
    verdict = image_coverage.verdict(target, dict.fromkeys(target.mirrors, REFUSED), secret)
    assert verdict.status == "no_credentials" and "credential helper" in verdict.reason


def test_what_is_final_needs_no_answer():
    target = aim("busybox")
    assert image_coverage.verdict(target, {}, SECRET) is target.verdict


def test_worse_is_more_severe():
    order = [image_coverage.severity(image_coverage.Verdict(status, "")) for status in image_coverage.STATUSES]
    assert order == sorted(order) and image_coverage.STATUSES[-8:] == image_coverage.UNCOVERED


@pytest.mark.parametrize("text, prefix, does", [
    ("quay.io/a/b:1", "quay.io", True),
    ("quay.io/a/b:1", "quay.io/a", True),
    ("quay.io/a/b:1", "quay.io/a/", True),
    ("quay.io/a/b:1", "quay.io/a/b:1", True),
    ("quay.io/a/b:12", "quay.io/a/b:1", False),
    ("quay.io/ab:1", "quay.io/a", False),
    ("host:5000/a", "host", True),
])
def test_prefixes_end_where_a_part_ends(text, prefix, does):
    assert image_coverage.starts_with(text, prefix) is does


def test_counts_name_every_status():
    found = image_coverage.counts(["covered", "covered", "no_rule"])
    assert (found["covered"], found["no_rule"], found["invalid"], found["total"]) == (2, 1, 0, 3)


def test_the_names_of_the_internal_registry():
    config = {"status": {"internalRegistryHostname": "registry.svc:5000", "externalRegistryHostnames": ["a"]},
              "spec": {"externalRegistryHostnames": ["b"]}}
    assert image_coverage.internal_registries(config) == {"registry.svc:5000", "a", "b"}
    assert image_coverage.internal_registries(None) == frozenset()


class TestFix:
    def fix(self, *images, conf=CONF, rules=()):
        return image_coverage.fix(images, conf, rules, MIRROR)

    def rule(self, source, *mirrors, by="digest", policy=mirror_sets.ALLOW):
        return {"source": source, "mirrors": list(mirrors), "by": by, "policy": policy}

    def test_a_digest_and_a_tag(self):
        assert self.fix("quay.io/new/a@" + SHA, "quay.io/new/b:1") == [
            self.rule("quay.io/new/a", "mirror:5000/new/a"),
            self.rule("quay.io/new/b", "mirror:5000/new/b"),
            self.rule("quay.io/new/b", "mirror:5000/new/b", by="tag")]

    def test_a_source_keeps_the_mirrors_of_the_wider_rule(self):
        """On a node the narrower rule takes the wider one's place."""
        assert self.fix("quay.io/digests/app:1") == [
            self.rule("quay.io/digests/app", "mirror:5000/d/app", "mirror:5000/digests/app"),
            self.rule("quay.io/digests/app", "mirror:5000/digests/app", by="tag")]
        assert self.fix("quay.io/tags/app@" + SHA) == [
            self.rule("quay.io/tags/app", "mirror:5000/tags/app"),
            self.rule("quay.io/tags/app", "mirror:5000/t/app", by="tag")]

    def test_a_rule_of_its_own_is_only_added_to(self):
        conf = registries_conf.parse('[[registry]]\nlocation = "quay.io/a/app"\n[[registry.mirror]]\n'
                                     'location = "mirror:5000/x"\npull-from-mirror = "digest-only"\n')
        assert self.fix("quay.io/a/app@" + SHA, conf=conf) == [
            self.rule("quay.io/a/app", "mirror:5000/x", "mirror:5000/a/app")]

    def test_a_rule_that_leads_there_already(self):
        """Only the copy is missing then."""
        conf = registries_conf.parse('[[registry]]\nlocation = "quay.io"\n[[registry.mirror]]\n'
                                     'location = "mirror:5000"\n')
        assert self.fix("quay.io/a/app:1", "quay.io/a/b@" + SHA, conf=conf) == []

    def test_a_source_that_must_not_be_contacted_stays_so(self):
        rules = [mirror_sets.MirrorRule("quay.io/never", ("mirror:5000/never",), mirror_sets.NEVER),
                 mirror_sets.MirrorRule("quay.io/never/ever", ("mirror:5000/ever",))]
        policies = {rule["source"]: rule["policy"]
                    for rule in self.fix("quay.io/never/app:1", "quay.io/never/ever:1", "quay.io/new/a:1", rules=rules)}
        assert policies == {"quay.io/never/app": mirror_sets.NEVER, "quay.io/never/ever": mirror_sets.ALLOW,
                            "quay.io/new/a": mirror_sets.ALLOW}

    @pytest.mark.parametrize("images", [
        ["quay.io/new/a@" + SHA, "quay.io/new/a:1"], ["quay.io/digests/app:1"], ["quay.io/tags/x/y@" + SHA],
        ["docker.io/library/busybox:1"], ["a.redhat.example.com/team/app:1"]])
    def test_the_operator_takes_it_and_then_the_mirror_is_asked(self, images):
        rules = [mirror_sets.MirrorRule(rule["source"], tuple(rule["mirrors"]), rule["policy"], rule["by"])
                 for rule in self.fix(*images)]
        kinds = mirror_sets.Kinds(mirror_sets.IDMS, mirror_sets.ITMS)
        objects = mirror_sets.objects_for(rules, kinds, "fix")
        conf = registries_conf.Configuration(mirror_sets.expected_registries(objects))
        for text in images:
            image = image_ref.parse(text)
            copied = "mirror:5000/%s" % image.path
            assert copied in [reference.partition("@")[0].rpartition(":")[0] if "@" not in reference
                              else reference.partition("@")[0] for reference in aim(text, conf=conf).mirrors]
