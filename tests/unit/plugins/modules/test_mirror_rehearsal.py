# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

pytest.importorskip("openshift")

from ansible_collections.disconnected.openshift.plugins.module_utils.cluster import OWNER, OWNER_LABEL  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.modules import mirror_rehearsal  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit import fake_module  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_cluster import CONFIG, FakeCluster  # noqa: E402

NEVER = "NeverContactSource"
A = {"source": "quay.io/a", "mirrors": ["mirror.test/a"], "mirrorSourcePolicy": "AllowContactingSource"}
B = {"source": "quay.io/b", "mirrors": ["mirror.test/b"]}


def mirrors(kind, name, *entries, mine=True, api_version=CONFIG):
    field = {"ImageDigestMirrorSet": "imageDigestMirrors", "ImageTagMirrorSet": "imageTagMirrors",
             "ImageContentSourcePolicy": "repositoryDigestMirrors"}[kind]
    return {"apiVersion": api_version, "kind": kind, "spec": {field: list(entries)},
            "metadata": {"name": name, "labels": {OWNER_LABEL: OWNER} if mine else {}}}


@pytest.fixture
def run(capsys):
    return lambda cluster, check_mode=False, **args: fake_module.run(mirror_rehearsal, capsys, args, cluster, check_mode)


def entries(cluster, kind="ImageDigestMirrorSet", name="ours"):
    (found,) = cluster.peek(CONFIG, kind, name)["spec"].values()
    return found


def a_cluster(*more, ours=(A, B)):
    return FakeCluster(mirrors("ImageDigestMirrorSet", "ours", *ours), mirrors("ImageTagMirrorSet", "ours", B), *more)


def test_no_source_of_ours_may_be_asked_and_all_may_again(run):
    cluster = a_cluster(mirrors("ImageDigestMirrorSet", "theirs", {"source": "quay.io/c", "mirrors": ["m/c"]}, mine=False))
    result = run(cluster)
    assert result["changed"] and result["sources"] == ["quay.io/a", "quay.io/b"]
    assert [entry["mirrorSourcePolicy"] for entry in entries(cluster)] == [NEVER, NEVER]
    assert entries(cluster, name="theirs") == [{"source": "quay.io/c", "mirrors": ["m/c"]}]
    assert not run(cluster)["changed"]
    assert run(cluster, state="absent")["changed"]
    assert entries(cluster) == [A, B] and entries(cluster, "ImageTagMirrorSet") == [B]
    assert cluster.peek(CONFIG, "ImageDigestMirrorSet", "ours")["metadata"]["annotations"] == {}
    assert not run(cluster, state="absent")["changed"]


def test_check_mode_returns_what_the_forecast_needs(run):
    cluster = a_cluster()
    result = run(cluster, check_mode=True)
    assert len(result["objects"]) == 2 and cluster.writes == []


def test_a_policy_that_was_never_so_stays(run):
    cluster = a_cluster(ours=(dict(A, mirrorSourcePolicy=NEVER),))
    run(cluster)
    run(cluster, state="absent")
    assert entries(cluster) == [dict(A, mirrorSourcePolicy=NEVER)]


def test_one_that_was_changed_meanwhile_is_left(run):
    cluster = a_cluster()
    run(cluster)
    cluster.merge_patch(CONFIG, "ImageDigestMirrorSet", "ours", {"spec": {"imageDigestMirrors": [B]}})
    run(cluster, state="absent")
    assert entries(cluster) == [B]


def test_after_one_that_was_killed_and_whose_policies_were_written_anew(run):
    """The note that is left must not be taken for a source that is forbidden."""
    cluster = a_cluster()
    run(cluster)
    cluster.merge_patch(CONFIG, "ImageDigestMirrorSet", "ours", {"spec": {"imageDigestMirrors": [
        A, dict(B, mirrorSourcePolicy=NEVER)]}})
    assert [obj["kind"] for obj in run(cluster)["objects"]] == ["ImageDigestMirrorSet"]
    assert [entry["mirrorSourcePolicy"] for entry in entries(cluster)] == [NEVER, NEVER]
    run(cluster, state="absent")
    assert entries(cluster) == [A, B]


def test_an_icsp_cannot_say_it(run):
    cluster = FakeCluster(mirrors("ImageContentSourcePolicy", "ours", B, api_version="operator.openshift.io/v1alpha1"))
    result = run(cluster)
    assert result["failed"] and "ImageContentSourcePolicy ours" in result["msg"] and cluster.writes == []
    assert not run(cluster, state="absent")["changed"]


def test_nothing_to_rehearse(run):
    assert "Configure the cluster first" in run(FakeCluster())["msg"]


def test_somebody_elses_policy_for_the_same_source_contradicts(run):
    cluster = a_cluster(mirrors("ImageDigestMirrorSet", "theirs", A, mine=False))
    result = run(cluster)
    assert result["failed"] and "quay.io/a" in result["msg"] and cluster.writes == []
