# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

pytest.importorskip("openshift")

from ansible_collections.disconnected.openshift.plugins.module_utils import (  # noqa: E402
    cluster_inputs,
    errors,
    predicates,
    snapshot,
)
from ansible_collections.disconnected.openshift.plugins.module_utils.cluster import OWNER, OWNER_LABEL  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.modules import conversion_info  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit import fake_module, rollouts  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_cluster import CONFIG, FakeCluster  # noqa: E402

MIRROR = "mirror.test:8443"
LABELS = {OWNER_LABEL: OWNER}
ROLE = "node-role.kubernetes.io/"
STATE = predicates.MACHINE_CONFIG


def a_pool(name="worker", rendered="rendered-worker-1", **annotations):
    return {"apiVersion": cluster_inputs.MACHINE_CONFIG, "kind": "MachineConfigPool",
            "metadata": {"name": name, "annotations": annotations},
            "spec": {"configuration": {"name": rendered}, "paused": bool(annotations),
                     "nodeSelector": {"matchLabels": {ROLE + name: ""}}}, "status": {}}


def a_node(name, runs="rendered-worker-1", state="Done", reason=""):
    return {"apiVersion": "v1", "kind": "Node", "status": {"conditions": [{"type": "Ready", "status": "True"}]},
            "metadata": {"name": name, "labels": {ROLE + "worker": ""}, "annotations": {
                STATE + "currentConfig": runs, STATE + "desiredConfig": runs, STATE + "state": state, STATE + "reason": reason}}}


def mirrors(name="disconnected-openshift", mine=True, **annotations):
    return {"apiVersion": CONFIG, "kind": "ImageDigestMirrorSet",
            "metadata": {"name": name, "labels": LABELS if mine else {}, "annotations": annotations},
            "spec": {"imageDigestMirrors": [{"source": "quay.io/a", "mirrors": [MIRROR + "/a"]}]}}


def a_snapshot(pools=None, **written):
    data = snapshot.to_data(snapshot.Snapshot("4.16.30", {"operatorhub.cluster.json": {"spec": {}}}, pools or {}, written))
    return {"apiVersion": "v1", "kind": "Secret", "data": data,
            "metadata": {"name": snapshot.NAME, "namespace": snapshot.NAMESPACE, "labels": LABELS}}


def a_cluster(*objects):
    infrastructure = {"apiVersion": CONFIG, "kind": "Infrastructure", "metadata": {"name": "cluster"},
                      "status": {"infrastructureName": "lab-7x4tq"}}
    return FakeCluster(infrastructure, a_pool(), a_node("worker-0"), a_node("worker-1"), *objects)


@pytest.fixture
def run(capsys):
    return lambda cluster, **args: fake_module.run(conversion_info, capsys, args, cluster)


def test_which_cluster_it_is(run):
    result = run(a_cluster())
    assert (result["name"], result["version"], result["nodes"], result["updated"]) == ("lab-7x4tq", "4.16.30", 2, 2)
    assert result["api"] == FakeCluster.host and not result["changed"]
    assert result["text"].startswith(
        "Cluster lab-7x4tq (https://api.cluster.test:6443, OpenShift 4.16.30, 2 nodes) is not converted")
    assert result["paragraph"] == ""


def test_it_asks_little_and_writes_nothing(run):
    cluster = a_cluster(mirrors(), a_snapshot())
    run(cluster)
    assert cluster.writes == [] and len(cluster.requests) <= 8


@pytest.mark.parametrize("objects, stage", [
    ([], "connected"),
    ([mirrors("theirs", mine=False)], "connected"),
    ([a_snapshot()], "begun"),
    ([mirrors(), a_snapshot()], "configured"),
    ([mirrors(), a_snapshot(**{"operatorhub.cluster.json": {"spec": {}}})], "disconnected"),
    ([mirrors(**{predicates.REHEARSED: "{}"}), a_snapshot()], "rehearsal"),
    ([mirrors(), a_node("worker-1", runs="rendered-worker-0")], "rollout"),
    ([mirrors(), a_pool(**{predicates.PAUSED_BY_US: "2026-03-01T10:00:00Z"})], "window"),
], ids=["nothing", "others", "snapshot", "mirrors", "cut", "rehearsal", "behind", "paused"])
def test_the_stage_follows_from_the_cluster_alone(run, objects, stage):
    assert run(a_cluster(*objects))["stage"] == stage


def test_mirrors_are_named_by_their_registry(run):
    assert run(a_cluster(mirrors()))["mirrors"] == [MIRROR]


def test_registries_conf_as_it_is_and_as_it_was(run):
    cluster = a_cluster(mirrors(), rollouts.config("rendered-worker-1", "now = 1\n"), a_snapshot(pools={"worker": "was = 1\n"}))
    assert run(cluster)["registries_conf"] == {}
    assert run(cluster, registries_conf=True)["registries_conf"] == {"worker": {"now": "now = 1\n", "original": "was = 1\n"}}


def test_a_snapshot_that_was_changed_by_hand_is_told_and_keeps_nobody_from_looking(run):
    broken = a_snapshot()
    del broken["data"]["release.json"]
    result = run(a_cluster(mirrors(), broken))
    assert result["stage"] == "configured" and "release.json" in result["text"]


def test_a_degraded_node_is_in_the_text(run):
    text = run(a_cluster(mirrors(), a_node("worker-1", "rendered-worker-0", "Degraded", "disk on fire")))["text"]
    assert "1 of 2 nodes" in text and "worker-1 is Degraded: disk on fire" in text


def test_a_failure_becomes_a_paragraph(run):
    failure = {"host": "localhost", "task": "Prove | Every node", "reason": "2 of 2 nodes do not match."}
    told = run(a_cluster(mirrors()), playbook="convert", failure=failure)["paragraph"]
    assert told.startswith('On localhost the task "Prove | Every node" failed: 2 of 2 nodes do not match. Cluster lab-7x4tq')
    assert told.endswith("disconnected.openshift.reconnect takes back what was configured.")


def test_a_cluster_that_does_not_answer(run):
    cluster = a_cluster()
    cluster.refuse("get", "Infrastructure", errors.Forbidden("may not get infrastructures."))
    result = run(cluster)
    assert result["failed"] and "may not get" in result["msg"]
    result = run(cluster, fail=False, failure={"host": "localhost", "task": "T", "reason": "it timed out"})
    assert result["stage"] == "unknown" and result["api"] == FakeCluster.host
    assert "may not get" in result["paragraph"] and "cluster answers" in result["paragraph"]


def test_why_it_does_not_answer_is_not_said_twice(run):
    cluster = a_cluster()
    cluster.refuse("get", "Infrastructure", errors.Forbidden("may not get infrastructures."))
    failure = {"host": "localhost", "task": "T", "reason": "may not get infrastructures."}
    assert run(cluster, fail=False, failure=failure)["paragraph"].count("may not get") == 1


def test_a_cluster_that_need_not_be_asked(run):
    cluster = a_cluster()
    result = run(cluster, ask=False, playbook="mirror")
    assert cluster.requests == [] and result["stage"] == "unknown" and "openshift.configure" in result["next"]


def test_a_mirror_registry_that_cannot_be_one_is_refused(run):
    result = run(a_cluster(), registry="https://mirror.test")
    assert result["failed"] and "scheme" in result["msg"]


def test_a_hosted_control_plane_has_no_pools(run):
    cluster = a_cluster()
    cluster.served.discard((cluster_inputs.MACHINE_CONFIG, "MachineConfigPool"))
    result = run(cluster)
    assert (result["nodes"], result["stage"]) == (0, "connected")
