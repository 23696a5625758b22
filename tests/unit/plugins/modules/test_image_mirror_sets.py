# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

pytest.importorskip("openshift")

from ansible_collections.disconnected.openshift.plugins.module_utils import errors  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.modules import image_mirror_sets  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit import fake_module  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_cluster import CONFIG, SERVED, FakeCluster  # noqa: E402

ICSP = ("operator.openshift.io/v1alpha1", "ImageContentSourcePolicy")
IDMS = (CONFIG, "ImageDigestMirrorSet")
ITMS = (CONFIG, "ImageTagMirrorSet")
BEFORE_4_13 = [kind for kind in SERVED if kind not in (IDMS, ITMS)]
NAME = "disconnected-openshift"
RELEASE = {"source": "quay.io/openshift-release-dev/ocp-release", "mirrors": ["mirror.test:5000/ocp/release"]}
ART = {"source": "quay.io/openshift-release-dev/ocp-v4.0-art-dev", "mirrors": ["mirror.test:5000/ocp/release"]}
APPS = {"source": "quay.io/apps", "mirrors": ["mirror.test:5000/apps"], "by": "tag"}


def image(**sources):
    return {"apiVersion": CONFIG, "kind": "Image", "metadata": {"name": "cluster"}, "spec": {"registrySources": sources}}


def release(image="quay.io/openshift-release-dev/ocp-release@sha256:" + "1" * 64):
    return {"apiVersion": CONFIG, "kind": "ClusterVersion", "metadata": {"name": "version"},
            "status": {"desired": {"image": image}}}


def theirs(kind, *entries, name="theirs"):
    field = {ICSP: "repositoryDigestMirrors", IDMS: "imageDigestMirrors", ITMS: "imageTagMirrors"}[kind]
    return {"apiVersion": kind[0], "kind": kind[1], "metadata": {"name": name}, "spec": {field: list(entries)}}


def a_cluster(*objects, **options):
    return FakeCluster(image(), release(), *objects, **options)


@pytest.fixture
def run(capsys):
    def run(cluster, *mirrors, check_mode=False, **args):
        args = dict(args, mirrors=list(mirrors)) if mirrors else args
        result = fake_module.run(image_mirror_sets, capsys, args, cluster, check_mode)
        assert result.get("failed") or result["changed"] == bool(result["diff"]["before"] or result["diff"]["after"])
        return result
    return run


class TestRefusals:
    """Before anything is written; bad rules before anything is read."""

    @pytest.mark.parametrize("rule, words", [
        (dict(RELEASE, source="https://quay.io/a"), "scheme"),
        (dict(RELEASE, source="quay.io/a:latest"), "quay.io/a:latest"),
        (dict(RELEASE, mirrors=["mirror.test:5000/ocp/release 1"]), "blanks"),
        (dict(RELEASE, mirrors=["[fd00::1]:5000/a"]), "IPv6"),
        (dict(RELEASE, mirrors=[]), "no mirrors"),
        (dict(RELEASE, policy="Never"), "policy"),
        (dict(RELEASE, by="image"), "by"),
        ({"source": "quay.io/a"}, "mirrors"),
    ])
    def test_bad_rules(self, run, rule, words):
        cluster = a_cluster()
        result = run(cluster, rule)
        assert result["failed"] and words in result["msg"]
        assert cluster.requests == []

    def test_no_rules(self, run):
        assert "mirrors" in run(a_cluster())["msg"]
        assert "state: absent" in run(a_cluster(), mirrors=[])["msg"]

    def refused(self, run, cluster, *mirrors, words=(), **args):
        result = run(cluster, *mirrors, **args)
        assert result["failed"]
        for word in words:
            assert word in result["msg"]
        assert cluster.writes == []

    def test_another_policy_for_the_same_source(self, run):
        cluster = a_cluster(theirs(IDMS, dict(RELEASE, mirrorSourcePolicy="NeverContactSource")))
        self.refused(run, cluster, RELEASE, words=["theirs", RELEASE["source"], "NeverContactSource"])

    def test_another_policy_in_an_icsp(self, run):
        cluster = a_cluster(theirs(ICSP, RELEASE))
        self.refused(run, cluster, dict(RELEASE, policy="NeverContactSource"), words=["theirs", RELEASE["source"]])

    def test_somebody_elses_object_that_stops_all_mirrors(self, run):
        cluster = a_cluster(theirs(ICSP, {"source": "https://quay.io/x", "mirrors": ["m.test/x"]}))
        self.refused(run, cluster, RELEASE, words=["theirs", "https://quay.io/x"])

    def test_tags_before_4_13(self, run):
        cluster = a_cluster(version="4.12.40", served=BEFORE_4_13)
        self.refused(run, cluster, APPS, words=["tag", "4.13"])

    def test_never_contact_source_before_4_13(self, run):
        cluster = a_cluster(version="4.12.40", served=BEFORE_4_13)
        self.refused(run, cluster, dict(RELEASE, policy="NeverContactSource"), words=["NeverContactSource"])

    def test_idms_where_it_is_not_served(self, run):
        cluster = a_cluster(version="4.12.40", served=BEFORE_4_13)
        self.refused(run, cluster, RELEASE, kind="idms", words=["ImageDigestMirrorSet", "4.12.40"])

    @pytest.mark.parametrize("version", ["4.13.9", "4.14.2"])
    def test_a_mix_that_the_release_drops_silently(self, run, version):
        cluster = a_cluster(theirs(ICSP, ART), version=version)
        self.refused(run, cluster, RELEASE, kind="idms", words=["theirs", version])

    def test_an_icsp_beside_their_idms_that_the_release_drops_silently(self, run):
        cluster = a_cluster(theirs(IDMS, ART), version="4.13.9")
        self.refused(run, cluster, RELEASE, kind="icsp", words=["4.13.9"])

    def test_tags_beside_an_icsp_that_the_release_drops_silently(self, run):
        cluster = a_cluster(theirs(ICSP, ART), version="4.14.1")
        self.refused(run, cluster, APPS, words=["4.14.1"])

    @pytest.mark.parametrize("name, words", [("Mirror_OCP", "Mirror_OCP"), ("x" * 64, "too long"), ("cluster", "cluster")])
    def test_names(self, run, name, words):
        self.refused(run, a_cluster(), RELEASE, name=name, words=[words])

    def test_a_name_that_is_somebody_elses(self, run):
        cluster = a_cluster(theirs(IDMS, ART, name=NAME))
        self.refused(run, cluster, RELEASE, words=[NAME, "another name"])

    def test_no_rights(self, run):
        cluster = a_cluster()
        cluster.refuse("create", IDMS[1], errors.Forbidden("cannot create imagedigestmirrorsets"))
        assert run(cluster, RELEASE)["msg"] == "cannot create imagedigestmirrorsets"


class TestPresent:
    def test_digests_and_tags(self, run):
        cluster = a_cluster()
        result = run(cluster, RELEASE, ART, APPS)
        assert (result["changed"], result["kind"]) == (True, "ImageDigestMirrorSet")
        assert result["created"] == ["ImageDigestMirrorSet " + NAME, "ImageTagMirrorSet " + NAME]
        digests = cluster.peek(*IDMS, NAME)
        assert digests["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "disconnected.openshift"
        assert [entry["source"] for entry in digests["spec"]["imageDigestMirrors"]] == [RELEASE["source"], ART["source"]]
        assert [registry["location"] for registry in result["registries"]] == [
            "quay.io/apps", RELEASE["source"], ART["source"]]

    def test_again_changes_nothing(self, run):
        cluster = a_cluster()
        run(cluster, RELEASE, ART, APPS)
        cluster.writes.clear()
        result = run(cluster, ART, APPS, RELEASE)
        assert (result["changed"], result["created"], result["updated"], result["deleted"]) == (False, [], [], [])
        assert cluster.writes == []

    def test_a_new_rule_is_an_update(self, run):
        cluster = a_cluster()
        run(cluster, RELEASE)
        result = run(cluster, RELEASE, ART)
        assert result["updated"] == ["ImageDigestMirrorSet " + NAME]
        assert len(cluster.peek(*IDMS, NAME)["spec"]["imageDigestMirrors"]) == 2

    def test_before_4_13(self, run):
        cluster = a_cluster(version="4.12.40", served=BEFORE_4_13)
        result = run(cluster, RELEASE)
        assert result["created"] == ["ImageContentSourcePolicy " + NAME]
        assert not run(cluster, RELEASE)["changed"]

    def test_an_icsp_beside_an_icsp_on_an_early_release(self, run):
        cluster = a_cluster(theirs(ICSP, ART), version="4.13.9")
        assert run(cluster, RELEASE)["created"] == ["ImageContentSourcePolicy " + NAME]

    def test_a_mix_where_it_is_safe(self, run):
        cluster = a_cluster(theirs(ICSP, ART), version="4.13.27")
        result = run(cluster, RELEASE)
        assert result["created"] == ["ImageDigestMirrorSet " + NAME]
        assert [registry["location"] for registry in result["registries"]] == [RELEASE["source"], ART["source"]]

    def test_another_kind_is_created_before_the_former_goes(self, run):
        cluster = a_cluster()
        run(cluster, RELEASE, kind="icsp")
        cluster.writes.clear()
        result = run(cluster, RELEASE)
        assert cluster.writes == [("create", IDMS[1], NAME), ("delete", ICSP[1], NAME)]
        assert result["deleted"] == ["ImageContentSourcePolicy " + NAME]

    def test_tags_that_are_no_longer_wanted(self, run):
        cluster = a_cluster()
        run(cluster, RELEASE, APPS)
        assert run(cluster, RELEASE)["deleted"] == ["ImageTagMirrorSet " + NAME]
        assert cluster.peek(*ITMS, NAME) is None

    def test_others_are_never_touched(self, run):
        cluster = a_cluster(theirs(IDMS, ART), theirs(ITMS, {"source": "quay.io/y", "mirrors": ["m.test/y"]}))
        run(cluster, RELEASE)
        run(cluster, state="absent")
        assert {write[2] for write in cluster.writes} == {NAME}

    def test_two_names_live_side_by_side(self, run):
        cluster = a_cluster()
        run(cluster, RELEASE)
        run(cluster, APPS, name=NAME + "-2")
        assert not run(cluster, RELEASE)["changed"]
        assert not run(cluster, APPS, name=NAME + "-2")["changed"]

    def test_labels(self, run):
        cluster = a_cluster()
        run(cluster, RELEASE, labels={"team": "platform", "app.kubernetes.io/managed-by": "me"})
        labels = cluster.peek(*IDMS, NAME)["metadata"]["labels"]
        assert (labels["team"], labels["app.kubernetes.io/managed-by"]) == ("platform", "disconnected.openshift")
        assert not run(cluster, RELEASE)["changed"]
        assert run(cluster, RELEASE, labels={"team": "apps"})["updated"] == ["ImageDigestMirrorSet " + NAME]

    def test_their_mirrors_for_the_same_source_are_merged(self, run):
        cluster = a_cluster(theirs(IDMS, dict(RELEASE, mirrors=["backup.test/ocp"])))
        result = run(cluster, RELEASE)
        assert [mirror["location"] for mirror in result["registries"][0]["mirrors"]] == [
            "backup.test/ocp", "mirror.test:5000/ocp/release"]

    def test_check_mode_tells_and_writes_nothing(self, run):
        cluster = a_cluster()
        run(cluster, RELEASE, kind="icsp")
        cluster.writes.clear()
        result = run(cluster, RELEASE, check_mode=True)
        assert (result["changed"], cluster.writes) == (True, [])
        assert list(result["diff"]["before"]) == ["ImageContentSourcePolicy " + NAME]
        assert list(result["diff"]["after"]) == ["ImageDigestMirrorSet " + NAME]
        [line] = result["diff"]["after"]["ImageDigestMirrorSet " + NAME]
        assert line == "%s -> %s" % (RELEASE["source"], RELEASE["mirrors"][0])

    def test_a_change_in_between_is_read_again(self, run):
        cluster = a_cluster()
        run(cluster, RELEASE)
        cluster.before_write(lambda each: each.merge_patch(*IDMS, NAME, {"metadata": {"labels": {"team": "x"}}}))
        assert run(cluster, RELEASE, ART)["changed"]
        assert cluster.peek(*IDMS, NAME)["metadata"]["labels"]["team"] == "x"


class TestTagsThatCannotBeMirrored:
    def test_digests_are_mirrored_and_a_warning_names_the_rest(self, run):
        cluster = a_cluster(version="4.12.40", served=BEFORE_4_13)
        result = run(cluster, RELEASE, APPS)
        assert cluster.writes == [("create", ICSP[1], NAME)]
        assert result["uncovered"] == ["quay.io/apps"]
        assert "quay.io/apps" in str(result["warnings"]) and "4.12.40" in str(result["warnings"])
        assert not run(cluster, RELEASE, APPS)["changed"]

    def test_beside_their_policy_on_an_early_release(self, run):
        cluster = a_cluster(theirs(ICSP, ART), version="4.13.9")
        result = run(cluster, RELEASE, APPS)
        assert (result["kind"], result["uncovered"]) == (ICSP[1], ["quay.io/apps"])

    def test_required(self, run):
        cluster = a_cluster(version="4.12.40", served=BEFORE_4_13)
        result = run(cluster, RELEASE, APPS, tags="required")
        assert result["failed"] and "4.13" in result["msg"] and cluster.writes == []

    def test_nothing_is_said_where_tags_are_mirrored(self, run):
        result = run(a_cluster(), RELEASE, APPS)
        assert result["uncovered"] == [] and not result.get("warnings")


class TestMigrate:
    CORPORATE = theirs(ICSP, {"source": "quay.io/corp", "mirrors": ["b.test/corp", "a.test/corp"]}, name="corporate")

    def test_the_replacement_comes_before_the_former_goes(self, run):
        cluster = a_cluster(self.CORPORATE)
        result = run(cluster, RELEASE, migrate=["corporate"])
        assert cluster.writes == [("create", IDMS[1], "corporate"), ("create", IDMS[1], NAME), ("delete", ICSP[1], "corporate")]
        assert cluster.peek(*IDMS, "corporate")["spec"]["imageDigestMirrors"] == [
            {"source": "quay.io/corp", "mirrors": ["b.test/corp", "a.test/corp"],
             "mirrorSourcePolicy": "AllowContactingSource"}]
        registries = {registry["location"]: registry for registry in result["registries"]}
        assert [mirror["location"] for mirror in registries["quay.io/corp"]["mirrors"]] == ["b.test/corp", "a.test/corp"]

    def test_it_stays_theirs(self, run):
        cluster = a_cluster(self.CORPORATE)
        run(cluster, RELEASE, migrate=["corporate"])
        assert not run(cluster, RELEASE, migrate=["corporate"])["changed"]
        run(cluster, state="absent")
        assert cluster.peek(*IDMS, "corporate")

    def test_a_killed_migration_is_finished(self, run):
        cluster = a_cluster(self.CORPORATE)
        run(cluster, RELEASE, migrate=["corporate"])
        cluster.put(self.CORPORATE)
        assert run(cluster, RELEASE, migrate=["corporate"])["deleted"] == ["ImageContentSourcePolicy corporate"]

    @pytest.mark.parametrize("objects, options, words", [
        ((), {}, "no ImageContentSourcePolicy corporate"),
        ((CORPORATE,), {"version": "4.14.1"}, "both kinds"),
        ((CORPORATE,), {"version": "4.12.1", "served": BEFORE_4_13}, "Update the cluster first"),
        ((CORPORATE, theirs(IDMS, ART, name="corporate")), {}, "other content"),
        ((theirs(ICSP, {"source": "quay.io/corp", "mirrors": []}, name="corporate"),), {}, "no mirrors"),
    ])
    def test_refused(self, run, objects, options, words):
        cluster = a_cluster(*objects, **options)
        result = run(cluster, RELEASE, migrate=["corporate"])
        assert result["failed"] and words in result["msg"] and cluster.writes == []


class TestOrder:
    def test_another_order_than_asked_is_said(self, run):
        ours = dict(RELEASE, mirrors=["z.test/ocp", "y.test/ocp"])
        result = run(a_cluster(theirs(IDMS, dict(RELEASE, mirrors=["a.test/ocp"]))), ours)
        assert "a.test/ocp, z.test/ocp, y.test/ocp" in str(result["warnings"])

    def test_the_order_of_one_list_is_kept(self, run):
        assert not run(a_cluster(), dict(RELEASE, mirrors=["z.test/ocp", "y.test/ocp"])).get("warnings")

    def test_tags_and_digests_have_lists_of_their_own(self, run):
        assert not run(a_cluster(), RELEASE, dict(RELEASE, mirrors=["a.test/tags"], by="tag")).get("warnings")


class TestAbsent:
    def test_all_of_ours(self, run):
        cluster = a_cluster(theirs(IDMS, ART))
        run(cluster, RELEASE, APPS)
        run(cluster, dict(APPS, source="quay.io/more"), name="more")
        result = run(cluster, state="absent")
        assert result["deleted"] == ["ImageDigestMirrorSet " + NAME, "ImageTagMirrorSet " + NAME, "ImageTagMirrorSet more"]
        assert [registry["location"] for registry in result["registries"]] == [ART["source"]]
        assert (result["objects"], result["kind"]) == ([], "")
        assert not run(cluster, state="absent")["changed"]

    def test_by_name(self, run):
        cluster = a_cluster()
        run(cluster, RELEASE)
        run(cluster, APPS, name="more")
        assert run(cluster, state="absent", name="more")["deleted"] == ["ImageTagMirrorSet more"]

    def test_somebody_elses_object_of_that_name_stays(self, run):
        cluster = a_cluster(theirs(IDMS, ART, name=NAME))
        assert not run(cluster, state="absent", name=NAME)["changed"]

    def test_what_is_left_may_be_broken(self, run):
        cluster = a_cluster()
        run(cluster, RELEASE)
        cluster.put(theirs(ICSP, {"source": "https://quay.io/x", "mirrors": ["m.test/x"]}))
        result = run(cluster, state="absent")
        assert result["changed"] and "theirs" in str(result["warnings"])

    def test_check_mode_tells_and_writes_nothing(self, run):
        cluster = a_cluster()
        run(cluster, RELEASE)
        cluster.writes.clear()
        result = run(cluster, state="absent", check_mode=True)
        assert (result["changed"], cluster.writes, result["diff"]["after"]) == (True, [], {})

    def test_those_of_a_cluster_that_was_converted_by_hand(self, run):
        cluster = a_cluster(theirs(ICSP, RELEASE, name="mirror-ocp"), theirs(ICSP, ART, name="index-0"),
                            theirs(IDMS, ART, name="index-0"), theirs(IDMS, APPS, name="corporate"))
        gone = ["mirror-ocp", "ImageDigestMirrorSet index-0", "never-there"]
        assert run(cluster, state="absent", unowned=gone)["deleted"] == [
            "ImageContentSourcePolicy mirror-ocp", "ImageDigestMirrorSet index-0"]
        assert not run(cluster, state="absent", unowned=gone)["changed"]


def test_an_order_that_cannot_be_kept_is_told(run):
    mirrors = {"source": RELEASE["source"], "mirrors": ["z.test/ocp", "y.test/ocp"]}
    cluster = a_cluster(theirs(IDMS, {"source": RELEASE["source"], "mirrors": ["b.test/ocp"]}))
    assert "are looked for in b.test/ocp, z.test/ocp, y.test/ocp, in this order" in str(run(cluster, mirrors)["warnings"])


class TestNotes:
    """4.20 wants an acknowledgement before the next minor version as soon as digests are mirrored. It is not ours to give."""

    @pytest.mark.parametrize("version, there, rules, told", [
        ("4.20.3", [], [RELEASE], True),
        ("4.20.3", [theirs(ITMS, {"source": "quay.io/apps", "mirrors": ["m.test/apps"]})], [RELEASE], True),
        ("4.20.3", [theirs(IDMS, ART)], [RELEASE], False),  # they were asked already
        ("4.20.3", [theirs(ICSP, ART)], [RELEASE], False),
        ("4.20.3", [], [APPS], False),
        ("4.19.8", [], [RELEASE], False),
        ("4.21.0", [], [RELEASE], False),
    ])
    def test_who_is_told_of_the_gate(self, run, version, there, rules, told):
        cluster = a_cluster(*there, version=version)
        result = run(cluster, *rules)
        assert bool(result["notes"]) is told and not run(cluster, *rules)["notes"]
        if told:
            assert "ack-4.20-sigstore-in-4.21" in result["notes"][0] and "admin-acks" in result["notes"][0]
        assert not [kind for _verb, kind, _name in cluster.writes if kind == "ConfigMap"]
