# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest

from ansible_collections.disconnected.openshift.plugins.plugin_utils import report
from ansible_collections.disconnected.openshift.tests.unit import report_results as results


def document(hosts=None, **run):
    given = {"bastion": results.mirrored(), "localhost": results.configured()} if hosts is None else hosts
    return report.document(given, dict(results.RUN, **run))


@pytest.fixture
def cluster():
    [found] = document()["clusters"]
    return found


def test_it_is_plain_data_with_a_schema():
    found = document()
    assert json.loads(json.dumps(found)) == found and found["schema"] == 1
    assert (found["playbook"], found["began"], found["registry"]) == ("convert", "2026-03-01T10:00:00Z", results.MIRROR)


def test_a_run_that_left_nothing_is_unfinished():
    assert document({"localhost": {}})["outcome"] == "unfinished"


def test_a_run_that_has_only_begun_is_unfinished():
    found = document({"localhost": {"conversion_before": results.state("connected")}})
    assert found["outcome"] == "unfinished" and found["clusters"][0]["outcome"] == "unfinished"


def test_a_paragraph_makes_a_cluster_fail():
    given = dict(results.configured(), conversion_after=results.state("rollout", paragraph="On a the task failed."))
    found = document({"localhost": given})
    assert found["outcome"] == "failed" and found["clusters"][0]["failure"] == "On a the task failed."


def test_a_lost_host_has_failed_although_it_said_nothing():
    found = document({"a": {"conversion_before": results.state()}, "b": results.configured()}, lost=("a",))
    assert [cluster["outcome"] for cluster in found["clusters"]] == ["failed", "done"]


class TestMirror:
    def test_images_that_failed_are_told_with_the_reason(self):
        mirror = document()["mirror"]
        assert mirror["outcome"] == "failed" and mirror["failures"][0]["reason"] == "HTTP 404"
        assert mirror["counts"] == {"present": 1, "done": 2, "missing": 0, "failed": 1} and mirror["planned"] == 4
        assert not mirror["proved"] and mirror["kinds"] == {"release": 1, "image": 3}

    def test_a_mirror_host_that_is_no_cluster_is_none(self):
        given = dict(results.mirrored(), conversion_before=results.state("connected"))
        found = document({"bastion": given, "localhost": results.configured()})
        assert [cluster["host"] for cluster in found["clusters"]] == ["localhost"]

    def test_the_cluster_that_was_asked_for_the_mirror_host_alone(self):
        given = dict(results.mirrored(), conversion_after=results.state("connected", paragraph="It failed."))
        found = document({"bastion": given}, playbook="mirror")
        assert found["clusters"][0]["failure"] == "It failed." and found["mirror"]["failure"] == ""

    def test_one_host_that_is_both(self):
        found = document({"bastion": dict(results.mirrored(), **results.configured())})
        assert found["clusters"][0]["plan"] and found["mirror"]["planned"] == 4

    def test_no_mirroring_no_section(self):
        assert document({"localhost": results.configured()})["mirror"] is None


class TestNodes:
    def test_a_finding_belongs_to_the_file_that_it_names(self, cluster):
        nodes = cluster["nodes"]
        assert (nodes["total"], nodes["matching"]) == (3, 1)
        row = next(row for row in nodes["rows"] if row["name"] == "worker-1")
        assert {check: cell["status"] for check, cell in row["cells"].items()} == {
            "config.json": "missing", "registries.conf": "missing", "certs.d": "unexpected"}
        assert row["cells"]["config.json"]["missing"] == ["credentials of " + results.MIRROR]
        assert row["reason"] == "pool worker is paused"

    def test_what_was_not_read_is_not_called_wrong(self, cluster):
        row = next(row for row in cluster["nodes"]["rows"] if row["name"] == "worker-2")
        assert {cell["status"] for cell in row["cells"].values()} == {"unread"}

    def test_those_that_do_not_match_come_first(self, cluster):
        assert [row["name"] for row in cluster["nodes"]["rows"]] == ["worker-1", "worker-2", "worker-0"]

    def test_nodes_that_do_not_reach_the_mirror(self):
        rows = [results.node("worker-0", False, ["the way to " + results.MIRROR], reason="no answer"), results.node("worker-1")]
        found = document({"localhost": {"conversion_before": results.state(), "cluster_config_reach_nodes": {"nodes": rows},
                                        "cluster_config_nodes": {"skipped": True}}})["clusters"][0]["nodes"]
        assert found["checks"] == [report.REACH]
        assert [row["cells"][report.REACH]["status"] for row in found["rows"]] == ["missing", "matches"]


def test_what_was_planned_and_what_changed(cluster):
    assert cluster["plan"]["changes"] == ["ImageDigestMirrorSet disconnected-openshift is created"]
    assert cluster["changed"] == [
        "ImageDigestMirrorSet disconnected-openshift: created", "Credentials of mirror.test:8443 in the pull secret: added",
        "Credentials of cloud.openshift.com in the pull secret: removed", "OperatorHub cluster: changed"]


def test_the_rollout_has_its_moments(cluster):
    rollout = cluster["rollout"]
    assert (rollout["began"], rollout["ended"]) == ("2026-03-01T10:00:00Z", "2026-03-01T10:02:55Z")
    assert [node["drained"] for node in rollout["nodes"]] == [False, True, False]


def test_coverage_by_namespace(cluster):
    coverage = cluster["coverage"]
    assert (coverage["total"], coverage["uncovered"]) == (3, 1)
    assert coverage["namespaces"] == [
        {"namespace": "shop", "total": 2, "covered": 1, "ignored": 0, "uncovered": 1},
        {"namespace": "bank", "total": 2, "covered": 1, "ignored": 1, "uncovered": 0}]
    assert coverage["lost"][0]["used_by"] == ["Deployment shop/app"]


def test_only_new_problems_are_listed(cluster):
    assert [problem["name"] for problem in cluster["health"]["new"]] == ["cart-1"] and cluster["health"]["known"] == 1


class TestRegistriesConf:
    def test_pools_with_the_same_files_are_told_together_and_by_meaning(self, cluster):
        [entry] = cluster["registries_conf"]
        assert entry["pools"] == ["master", "worker"] and (entry["before"], entry["after"]) == (results.BEFORE, results.AFTER)
        assert entry["added"] == [{"source": "quay.io/example", "mirrors": ["mirror.test:8443/example (by digest)"]}]
        assert entry["removed"] == [] and entry["kept"] == 0

    def test_on_the_way_back_it_is_what_was_there_when_it_began(self):
        given = {"conversion_before": results.state(), "conversion_after": results.state("connected", after=results.BEFORE)}
        [entry] = document({"localhost": given}, playbook="reconnect")["clusters"][0]["registries_conf"]
        assert (entry["before"], entry["after"]) == (results.AFTER, results.BEFORE) and len(entry["removed"]) == 1

    def test_a_file_that_cannot_be_read_is_shown_all_the_same(self):
        given = {"conversion_after": results.state(after="[[")}
        [entry] = document({"localhost": given})["clusters"][0]["registries_conf"]
        assert entry["after"] == "[[" and entry["added"] == []


def test_nothing_gets_in_that_is_not_named():
    """Above all no result as a whole: those of other roles may hold secrets."""
    given = dict(results.configured(), password="s3cret", registered={"content": "s3cret"})
    given["cluster_config_pull_secret"] = dict(given["cluster_config_pull_secret"], document={"auths": "s3cret"})
    given["conversion_after"] = dict(results.state(), invocation={"module_args": {"api_key": "s3cret"}})
    assert "s3cret" not in json.dumps(document({"localhost": given}))


def test_a_dry_run_says_so():
    assert document(dry=True)["dry_run"] is True
