# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

pytest.importorskip("openshift")

from ansible_collections.disconnected.openshift.plugins.module_utils import errors, release_payload  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.module_utils.cluster import OWNER, OWNER_LABEL  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.modules import release_signatures  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.modules.release_signatures import NAMESPACE  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit import fake_module  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_cluster import FakeCluster  # noqa: E402

A, B = "sha256-" + "a" * 64, "sha256-" + "b" * 64
LABEL = "release.openshift.io/verification-signatures"


def planned(name, *signatures):
    """As mirror_plan returns it."""
    return release_payload.signature_config_map(name.replace("-", ":", 1), signatures)


def theirs(name, data, labels=None):
    return {"apiVersion": "v1", "kind": "ConfigMap", "binaryData": data,
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": {LABEL: ""} if labels is None else labels}}


def run(cluster, *config_maps, state="present", check_mode=False):
    return release_signatures.run(cluster, {"config_maps": list(config_maps), "state": state}, check_mode)


def data(cluster, name):
    return cluster.peek("v1", "ConfigMap", name, NAMESPACE)["binaryData"]


def test_what_was_planned_is_where_the_cluster_looks():
    cluster = FakeCluster()
    result = run(cluster, planned(A, b"one", b"two"), planned(B, b"three"))
    assert result["created"] == [A, B] and result["releases"] == [A.replace("-", ":"), B.replace("-", ":")]
    stored = cluster.peek("v1", "ConfigMap", A, NAMESPACE)
    assert stored["metadata"]["labels"] == {LABEL: "", OWNER_LABEL: OWNER}
    assert stored["binaryData"] == {A + "-1": "b25l", A + "-2": "dHdv"}


def test_again_changes_nothing_and_asks_once():
    cluster = FakeCluster()
    run(cluster, planned(A, b"one"), planned(B, b"two"))
    cluster.writes.clear()
    cluster.requests.clear()
    assert not run(cluster, planned(A, b"one"), planned(B, b"two"))["changed"]
    assert cluster.writes == [] and len(cluster.requests) == 1


def test_what_somebody_else_gave_the_cluster_is_enough():
    """oc-mirror puts the signatures of all releases in one."""
    cluster = FakeCluster(theirs("mirrored-release-signatures", {A + "-1": "b25l", B + "-1": "dHdv"}))
    assert not run(cluster, planned(A, b"one"), planned(B, b"two"))["changed"]
    assert run(cluster, planned(A, b"one", b"more"))["created"] == [A]
    assert data(cluster, A) == {A + "-1": "bW9yZQ=="}


def test_the_same_signature_of_another_release_does_not_count():
    assert run(FakeCluster(theirs(B, {B + "-1": "b25l"})), planned(A, b"one"))["created"] == [A]


def test_another_signature_joins_ours():
    cluster = FakeCluster()
    run(cluster, planned(A, b"one"))
    assert run(cluster, planned(A, b"two", b"one"))["updated"] == [A]
    assert data(cluster, A) == {A + "-1": "b25l", A + "-2": "dHdv"}


def test_the_name_that_somebody_else_uses_stays_theirs():
    other = theirs(A, {A + "-1": "b25l"})
    cluster = FakeCluster(other)
    beside = "disconnected-openshift-" + A
    assert run(cluster, planned(A, b"two"))["created"] == [beside]
    assert data(cluster, A) == {A + "-1": "b25l"} and data(cluster, beside) == {A + "-1": "dHdv"}
    assert not run(cluster, planned(A, b"two"))["changed"]
    both = FakeCluster(other, theirs(beside, {}, labels={}))
    with pytest.raises(errors.Conflict, match=beside):
        run(both, planned(A, b"two"))


def test_absent_takes_back_ours_alone():
    cluster = FakeCluster(theirs(B, {B + "-1": "b25l"}), theirs("else", {}, labels={OWNER_LABEL: OWNER}))
    run(cluster, planned(A, b"one"))
    result = run(cluster, planned(A, b"one"), state="absent")
    assert result["deleted"] == [A] and result["diff"] == {"before": {A: [A + "-1"]}, "after": {}}
    assert cluster.peek("v1", "ConfigMap", B, NAMESPACE) and cluster.peek("v1", "ConfigMap", "else", NAMESPACE)
    assert not run(cluster, state="absent")["changed"]


def test_somebody_else_writes_meanwhile():
    cluster = FakeCluster()
    cluster.before_write(lambda it: it.put(theirs(A, {A + "-1": "b25l"})))
    assert not run(cluster, planned(A, b"one"))["changed"]
    assert data(cluster, A) == {A + "-1": "b25l"}


def test_check_mode_writes_nothing():
    cluster = FakeCluster()
    result = run(cluster, planned(A, b"one"), check_mode=True)
    assert result["changed"] and result["diff"]["after"] == {A: [A + "-1"]} and cluster.writes == []


@pytest.mark.parametrize("binary,words", [({"junk": "YQ=="}, "junk is not how"), ({A + "-1": "!"}, "is not Base64")])
def test_what_is_no_signature_is_refused(capsys, binary, words):
    result = fake_module.run(release_signatures, capsys, {"config_maps": [theirs("bad", binary)]}, FakeCluster())
    assert result["failed"] and "ConfigMap bad" in result["msg"] and words in result["msg"]
