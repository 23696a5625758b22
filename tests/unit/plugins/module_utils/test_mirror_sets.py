# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import pathlib

import pytest
import yaml
from hypothesis import given, settings, strategies as st

from ansible_collections.disconnected.openshift.plugins.module_utils import errors, mirror_sets, registries_conf
from ansible_collections.disconnected.openshift.plugins.module_utils.mirror_sets import (
    ALLOW, ICSP, IDMS, ITMS, NEVER, Kinds, MirrorRule)

RECORDED = yaml.safe_load((pathlib.Path(__file__).parents[2] / "fixtures" / "mirror_sets.yml").read_text())
FILES = [pytest.param(case["objects"], version, file, id="%s, %s" % (case["name"], version))
         for case in RECORDED for file in case["files"] for version in file["versions"].split()]
NOW = Kinds(IDMS, ITMS)


def rule(source="quay.io/a", mirrors=("m.example.com/a",), policy=ALLOW, by="digest"):
    return MirrorRule(source, tuple(mirrors), policy, by)


def objects(*rules, kinds=NOW, name="ours"):
    return mirror_sets.objects_for(rules, kinds, name)


def old(source="quay.io/a", mirrors=("m.example.com/a",), name="old"):
    return {"kind": ICSP, "metadata": {"name": name},
            "spec": {"repositoryDigestMirrors": [{"source": source, "mirrors": list(mirrors)}]}}


def image(**lists):
    return {"apiVersion": "config.openshift.io/v1", "kind": "Image", "metadata": {"name": "cluster"},
            "spec": {"registrySources": {name + "Registries": values for name, values in lists.items()}}}


class TestExpectedRegistries:
    @pytest.mark.parametrize("documents, version, file", FILES)
    def test_against_the_operator(self, documents, version, file):
        if file["text"] is None:
            with pytest.raises((errors.InvalidInput, errors.Conflict)):
                mirror_sets.expected_registries(documents, version)
            return
        found = mirror_sets.expected_registries(documents, version)
        if file.get("unreadable"):
            assert found
        else:
            assert found == registries_conf.parse(file["text"]).registries

    def test_the_newest_release_by_default(self):
        documents = objects(rule())
        for version in ("4.16", "4.21.3", "4.13.0-rc.1", "5.0", "4.16.30+build", None):
            assert mirror_sets.expected_registries(documents, version) == mirror_sets.expected_registries(documents)

    @pytest.mark.parametrize("version", ["4", "four", "4.16.x", ""])
    def test_what_is_no_version(self, version):
        with pytest.raises(errors.InvalidInput, match="not a version"):
            mirror_sets.expected_registries([], version)

    def test_the_later_kinds_in_a_release_without_them(self):
        with pytest.raises(errors.InvalidInput, match="from OpenShift 4.13 on; in 4.12 it is ImageContentSourcePolicy"):
            mirror_sets.expected_registries(objects(rule()), "4.12.40")

    @pytest.mark.parametrize("version, refused", [
        ("4.13.0", True), ("4.13.26", True), ("4.13.27", False), ("4.14.2", True), ("4.14.3", False), ("4.13", False),
        ("4.15.0", False),
    ])
    def test_both_generations_in_an_early_patch_release(self, version, refused):
        documents = [old()] + objects(rule("quay.io/b"))
        if refused:
            with pytest.raises(errors.Conflict, match="Update the cluster"):
                mirror_sets.expected_registries(documents, version)
        else:
            assert len(mirror_sets.expected_registries(documents, version)) == 2

    def test_a_file_that_nodes_cannot_read(self):
        """The operator does not look at it, so it writes that file."""
        found = mirror_sets.expected_registries([image(insecure=["https://m.example.com"])])
        assert [(registry.prefix, registry.insecure) for registry in found] == [("https://m.example.com", True)]

    def test_a_list_is_taken_apart_and_other_images_ignored(self):
        other = dict(image(blocked=["quay.io"]), metadata={"name": "another"})
        documents = [{"kind": "List", "items": objects(rule()) + [other]}]
        assert mirror_sets.expected_registries(documents) == mirror_sets.expected_registries(objects(rule()))

    @pytest.mark.parametrize("document, reason", [
        (None, "kind None"),
        ({"kind": "Secret"}, "kind 'Secret'"),
        ({"kind": "Image", "apiVersion": "image.openshift.io/v1"}, "not OpenShift's config.openshift.io/v1"),
        ({"kind": IDMS, "spec": []}, "spec has the wrong type"),
        ({"kind": IDMS, "spec": {"imageDigestMirrors": {}}}, "imageDigestMirrors has the wrong type"),
        ({"kind": IDMS, "spec": {"imageDigestMirrors": ["x"]}}, "list of objects"),
        ({"kind": ITMS, "spec": {"imageTagMirrors": [{"source": 1}]}}, "source has the wrong type"),
        ({"kind": ICSP, "spec": {"repositoryDigestMirrors": [{"mirrors": [1]}]}}, "list of texts"),
        ({"kind": "Image", "spec": {"registrySources": {"insecureRegistries": "m"}}}, "Registries has the wrong"),
        ({"kind": "ClusterVersion", "status": {"desired": {"image": "ocp-release"}}}, "fully qualified"),
        ({"kind": "ClusterVersion", "status": {"desired": {"image": ""}}}, "names no release image"),
        ({"kind": "ClusterVersion"}, "names no release image"),
    ])
    def test_documents_that_are_none(self, document, reason):
        with pytest.raises(errors.InvalidInput, match=reason):
            mirror_sets.expected_registries([document])

    def test_only_one_image_config(self):
        with pytest.raises(errors.InvalidInput, match="more than one Image"):
            mirror_sets.expected_registries([image(), image()])

    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_the_order_of_the_objects_does_not_count(self, data):
        mirrors = st.lists(st.sampled_from(["a.example.com/x", "b.example.com/x", "c.example.com/x", "quay.io/x"]),
                           max_size=4, unique=True)
        documents = [old(name="o%d" % n, source=data.draw(st.sampled_from(["quay.io/x", "quay.io/x/y"])), mirrors=each)
                     for n, each in enumerate(data.draw(st.lists(mirrors, max_size=5)))]
        documents.append(image(blocked=["quay.io/x/z"], insecure=["*.example.com"]))
        turned = data.draw(st.permutations(documents))
        assert mirror_sets.expected_registries(documents) == mirror_sets.expected_registries(turned)

    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_lists_that_agree_on_an_order_all_keep_it(self, data):
        """Whatever object each is in; a mirror that none of them names does not come in between."""
        ranked = data.draw(st.permutations(["%s.example.com/x" % letter for letter in "abcdef"]))
        lists = data.draw(st.lists(st.lists(st.sampled_from(ranked), min_size=1, unique=True), min_size=1, max_size=5))
        lists = [sorted(mirrors, key=ranked.index) for mirrors in lists]
        documents = [old(name="o%d" % number, mirrors=mirrors) for number, mirrors in enumerate(lists)]
        merged = [mirror.location for mirror in mirror_sets.expected_registries(documents)[0].mirrors]
        assert sorted(merged) == sorted({mirror for mirrors in lists for mirror in mirrors})
        assert all([mirror for mirror in merged if mirror in mirrors] == mirrors for mirrors in lists)


class TestValidateRule:
    @pytest.mark.parametrize("given", [
        rule(), rule("registry.redhat.io", ["m.example.com:5000"]), rule("*.redhat.io", ["m.example.com/redhat"]),
        rule(policy=NEVER), rule(by="tag"), rule(mirrors=["a.example.com/a", "quay.io/a", "b.example.com/a"]),
        rule("localhost:5000/a__b/c--d"), rule("Registry.example.com/a"),
    ])
    def test_good_ones(self, given):
        mirror_sets.validate_rule(given)

    @pytest.mark.parametrize("given, reason", [
        (rule(""), "source is empty"),
        (rule("https://quay.io/a"), "leave the scheme out"),
        (rule("quay.io/a:latest"), "leave the tag out"),
        (rule("quay.io/a@sha256:" + "a" * 64), "leave the digest out"),
        (rule("quay.io/App"), "lower case"),
        (rule("quay.io/a/"), "slash at its end"),
        (rule("[fd00::1]:5000/a"), "IPv6"),
        (rule("my_registry.example.com/a"), "underscore"),
        (rule("*.redhat.io/ubi"), "whole registries below a domain"),
        (rule("*"), "whole registries below a domain"),
        (rule("quay.io//a"), "expected is host"),
        (rule("team/app"), "begins with no full host name"),
        (rule(mirrors=[]), "no mirrors"),
        (rule(mirrors=["m.example.com/a 1"]), "blanks"),
        (rule(mirrors=["*.example.com"]), "cannot have a wildcard"),
        (rule(mirrors=["mirror/a"]), "take 'mirror' for a part of docker.io"),
        (rule(mirrors=["m.example.com/a", "m.example.com/a"]), "twice"),
        (rule(mirrors=["quay.io/a"]), "only mirror is the source"),
        (rule(mirrors=["m.example.com/a", "quay.io/a"], policy=NEVER), "contradict"),
        (rule(policy="Never"), "the policy is 'Never'"),
        (rule(by="name"), "not by digest or tag"),
    ])
    def test_bad_ones(self, given, reason):
        with pytest.raises(errors.InvalidInput, match=reason):
            mirror_sets.validate_rule(given)

    def test_every_reason_at_once(self):
        with pytest.raises(errors.InvalidInput, match="scheme.*lower case"):
            mirror_sets.validate_rule(rule("http://quay.io", ["m.example.com/A"]))


class TestChooseKinds:
    ALL = {ICSP, IDMS, ITMS}

    @pytest.mark.parametrize("served, version, existing, expected", [
        ({ICSP}, "4.9", [], Kinds(ICSP, None)),
        ({ICSP}, "4.12.40", [], Kinds(ICSP, None)),
        (ALL, "4.13.27", [old()], NOW),
        (ALL, "4.13.26", [], NOW),
        (ALL, "4.13.26", [old()], Kinds(ICSP, None)),
        (ALL, "4.14.2", [old()], Kinds(ICSP, None)),
        (ALL, "4.14.3", [old()], NOW),
        (ALL, "4.15.0", [old()], NOW),
        (ALL, "5.0.0", [], NOW),
        (ALL, None, [old()], NOW),
        ({IDMS, ITMS}, "5.1.0", [], NOW),
    ])
    def test_choice(self, served, version, existing, expected):
        assert mirror_sets.choose_kinds(served, version, existing) == expected

    @pytest.mark.parametrize("served, version, existing, by, reason", [
        (set(), "4.16.0", [], ("digest",), "is it OpenShift"),
        ({ICSP}, "4.12.0", [], ("digest", "tag"), "cannot mirror tags"),
        (ALL, "4.13.5", [old()], ("tag",), "beside the cluster's ImageContentSourcePolicy"),
        (ALL, "4.14.2", [old()] + objects(rule("quay.io/b")), ("digest",), "drops every mirror"),
    ])
    def test_conflicts(self, served, version, existing, by, reason):
        with pytest.raises(errors.Conflict, match=reason):
            mirror_sets.choose_kinds(served, version, existing, by)

    @pytest.mark.parametrize("version, expected", [("4.12", Kinds(ICSP, None)), ("4.13", NOW), (None, NOW)])
    def test_kinds_of_a_version(self, version, expected):
        assert mirror_sets.kinds_of(version) == expected


class TestObjectsFor:
    def test_digests_and_tags(self):
        documents = mirror_sets.objects_for(
            [rule(), rule(by="tag"), rule("quay.io/0", policy=NEVER)], NOW, "ours", {"owner": "us"})
        assert documents == [
            {"apiVersion": "config.openshift.io/v1", "kind": IDMS,
             "metadata": {"name": "ours", "labels": {"owner": "us"}},
             "spec": {"imageDigestMirrors": [
                 {"source": "quay.io/0", "mirrors": ["m.example.com/a"], "mirrorSourcePolicy": NEVER},
                 {"source": "quay.io/a", "mirrors": ["m.example.com/a"], "mirrorSourcePolicy": ALLOW}]}},
            {"apiVersion": "config.openshift.io/v1", "kind": ITMS,
             "metadata": {"name": "ours", "labels": {"owner": "us"}},
             "spec": {"imageTagMirrors": [
                 {"source": "quay.io/a", "mirrors": ["m.example.com/a"], "mirrorSourcePolicy": ALLOW}]}},
        ]

    def test_the_older_kind(self):
        assert objects(rule(), kinds=Kinds(ICSP, None)) == [
            {"apiVersion": "operator.openshift.io/v1alpha1", "kind": ICSP, "metadata": {"name": "ours", "labels": {}},
             "spec": {"repositoryDigestMirrors": [{"source": "quay.io/a", "mirrors": ["m.example.com/a"]}]}}]

    def test_rules_for_one_source_keep_their_order_in_one_list(self):
        rules = [rule(mirrors=["z.example.com/a", "y.example.com/a"]),
                 rule(mirrors=["a.example.com/a", "z.example.com/a"])]
        documents = objects(*rules)
        assert documents[0]["spec"]["imageDigestMirrors"][0]["mirrors"] == [
            "z.example.com/a", "y.example.com/a", "a.example.com/a"]
        assert [m.location for m in mirror_sets.expected_registries(documents)[0].mirrors] == [
            "z.example.com/a", "y.example.com/a", "a.example.com/a"]

    def test_what_is_written_reads_back(self):
        rules = [rule(), rule("quay.io/b", by="tag", policy=NEVER)]
        assert mirror_sets.rules_of(objects(*rules)) == rules

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.builds(
        MirrorRule, st.sampled_from(["quay.io/a", "quay.io/a/b", "quay.io", "*.example.org", "reg.test:5000/x"]),
        st.lists(st.sampled_from(["m%d.example.com/p" % number for number in range(5)]), min_size=1, unique=True).map(tuple),
        st.sampled_from([ALLOW, NEVER]), st.sampled_from(["digest", "tag"])), min_size=1, unique_by=lambda r: (r.source, r.by)))
    def test_any_rules_read_back_and_keep_their_order_on_the_nodes(self, rules):
        try:
            documents = objects(*rules)
        except errors.Conflict:
            assert len({(each.source, each.policy) for each in rules}) > len({each.source for each in rules})
            return
        assert sorted(mirror_sets.rules_of(documents), key=str) == sorted(rules, key=str)
        registries = mirror_sets.expected_registries(documents)
        assert mirror_sets.displaced(rules, registries) == []
        conf = registries_conf.Configuration(registries)
        for each in rules:
            name = each.source.replace("*", "any") + "/image"
            asked = name + ("@sha256:" + "0" * 64 if each.by == "digest" else ":1")
            if registries_conf.find_registry(conf, name).prefix == each.source:
                sources = registries_conf.pull_sources(conf, asked)
                assert [source.reference.partition("/")[0] for source in sources[:-1]] == [
                    mirror.partition("/")[0] for mirror in each.mirrors]
                assert sources[-1].reference == asked and sources[-1].blocked is (each.policy == NEVER)

    def test_nothing_to_write(self):
        assert objects() == []

    def test_large_lists_are_split(self):
        rules = [rule("quay.io/team/%05d" % n, ["mirror.example.com:5000/a-rather-long-path/team/%05d" % n])
                 for n in range(6000)]
        documents = objects(*rules)
        assert [document["metadata"]["name"] for document in documents] == ["ours", "ours-2", "ours-3", "ours-4"]
        assert max(len(json.dumps(document)) for document in documents) < 300_000
        assert mirror_sets.rules_of(documents) == rules
        assert objects(*rules[::-1]) == documents

    @pytest.mark.parametrize("name", ["cluster", "", "Mirror_OCP", "a/b", "-a", "a" * 254])
    def test_names_that_cannot_be(self, name):
        with pytest.raises(errors.InvalidInput, match="cannot name a mirror object"):
            objects(rule(), name=name)

    @pytest.mark.parametrize("rules, kinds, reason", [
        ([rule(), rule(by="tag", policy=NEVER)], NOW, "refuses every mirror"),
        ([rule(by="tag")], Kinds(ICSP, None), "cannot mirror tags"),
        ([rule(policy=NEVER)], Kinds(ICSP, None), "cannot be said"),
    ])
    def test_rules_that_cannot_be_carried(self, rules, kinds, reason):
        with pytest.raises(errors.Conflict, match=reason):
            objects(*rules, kinds=kinds)


class TestConflicts:
    def test_none(self):
        assert mirror_sets.conflicts([rule(policy=NEVER)], [old("quay.io/b"), image(blocked=["docker.io"])]) == []

    def test_the_same_source_with_another_policy(self):
        found = mirror_sets.conflicts([rule(policy=NEVER)], [old()])
        assert len(found) == 1 and "ImageContentSourcePolicy old says AllowContactingSource for quay.io/a" in found[0]

    def test_objects_that_are_refused_already(self):
        found = mirror_sets.conflicts([rule()], [old("https://quay.io/x")])
        assert len(found) == 1 and "ImageContentSourcePolicy old" in found[0]

    def test_what_the_nodes_could_not_read(self):
        found = mirror_sets.conflicts([rule()], [image(insecure=["https://m.example.com"])])
        assert len(found) == 1 and "scheme" in found[0]

    def test_what_is_refused_together(self):
        found = mirror_sets.conflicts([rule("*.example.org")], [image(blocked=["registry.example.org"])])
        assert len(found) == 1 and "cannot be passed on to registry.example.org" in found[0]


class TestDisplaced:
    """Where the lists of several objects for one source do not agree, the alphabet decides on the nodes."""

    ASKED = rule(mirrors=["z.example.com/a", "y.example.com/a"])

    def displaced(self, *others, by="digest", version=None):
        asked = MirrorRule(self.ASKED.source, self.ASKED.mirrors, by=by)
        registries = mirror_sets.expected_registries([*objects(asked), *others], version)
        return mirror_sets.displaced([asked], registries)

    def test_another_object_puts_its_mirror_before(self):
        assert self.displaced(old(mirrors=["b.example.com/a"])) == [
            "Images of quay.io/a by digest are looked for in b.example.com/a, z.example.com/a, y.example.com/a, in this order, "
            "since other objects of the cluster name mirrors of the same source; asked was for z.example.com/a, "
            "y.example.com/a."]

    def test_one_that_is_late_in_the_alphabet_comes_in_between(self):
        """Only the first of ours is certain to be asked before a mirror of which no list says where it belongs."""
        assert "in z.example.com/a, zz.example.com/a, y.example.com/a, in" in self.displaced(old(mirrors=["zz.example.com/a"]))[0]

    def test_another_object_turns_the_order(self):
        assert "y.example.com/a, z.example.com/a, in this order" in self.displaced(
            old(mirrors=["y.example.com/a", "z.example.com/a"]))[0]

    @pytest.mark.parametrize("others", [
        [], [old("quay.io/b", mirrors=["b.example.com/b"])],
        [old(mirrors=["y.example.com/a", "b.example.com/a"])],
    ])
    def test_what_comes_behind_or_is_for_something_else_displaces_nothing(self, others):
        assert self.displaced(*others) == []

    def test_each_kind_of_pull_has_its_own_order(self):
        assert self.displaced(old(mirrors=["b.example.com/a"]), by="tag") == []


@pytest.mark.parametrize("allowed, refused", [
    (None, []), ([], []), (["quay.io"], ["m:5000", "mirror.example.com"]), (["quay.io", "m:5000"], ["mirror.example.com"]),
    (["*.example.com", "m"], ["m:5000"]), (["m:5000/ocp", "mirror.example.com"], []), (["*.com", "quay.io/a"], ["m:5000"]),
])
def test_registries_that_the_image_configuration_does_not_allow(allowed, refused):
    image = {"kind": "Image", "metadata": {"name": "cluster"}, "spec": {"registrySources": {"allowedRegistries": allowed}}}
    told = mirror_sets.not_allowed([image], {"m:5000", "mirror.example.com"})
    assert [word for word in ("m:5000", "mirror.example.com") if word in " ".join(told)] == refused
    assert mirror_sets.not_allowed([], {"m:5000"}) == []
