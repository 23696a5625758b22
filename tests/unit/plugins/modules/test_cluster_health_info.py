# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

pytest.importorskip("openshift")

from ansible_collections.disconnected.openshift.plugins.module_utils import (  # noqa: E402
    errors,
    snapshot,
    snapshot_store,
)
from ansible_collections.disconnected.openshift.plugins.modules import cluster_health_info  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit import fake_module, rollouts  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_clock import FakeClock  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_cluster import CONFIG, FakeCluster  # noqa: E402


def pod(name, waiting=None, owner="cart"):
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {
        "name": name, "namespace": "shop", "labels": {"pod-template-hash": "5f6"},
        "ownerReferences": [{"kind": "ReplicaSet", "name": owner + "-5f6", "controller": True}]},
        "spec": {"restartPolicy": "Always"},
        "status": {"phase": "Running", "containerStatuses": [
            {"name": "app", "image": "quay.io/shop/cart:1", "ready": not waiting, "state": state}]}}


def operator(name, **states):
    states = dict({"Available": "True", "Degraded": "False", "Progressing": "False"}, **states)
    return {"apiVersion": CONFIG, "kind": "ClusterOperator", "metadata": {"name": name}, "status": {"conditions": [
        {"type": key, "status": value, "reason": "Reason" + key} for key, value in states.items()]}}


def cluster_of(*more):
    return FakeCluster(*rollouts.objects(), pod("cart-5f6-a"), operator("dns"), *more)


def run(cluster, clock=None, **given):
    return cluster_health_info.run(
        cluster, dict({"before": None, "remembered": False, "fail_on_new": False, "wait": 0, "poll_interval": 10}, **given),
        clock or FakeClock())


def test_a_healthy_cluster():
    cluster = cluster_of()
    assert run(cluster) == {
        "changed": False, "problems": [], "new_problems": [], "gone_problems": [], "progressing": [],
        "counts": {"Pod": 1, "Node": 3, "ClusterOperator": 1, "MachineConfigPool": 2}}
    assert len(cluster.requests) == 4 and cluster.writes == []


def test_what_is_unwell():
    cluster = cluster_of(pod("cart-5f6-b", "ErrImagePull"), operator("insights", Degraded="True"),
                         rollouts.node("w1", "worker", ready=False), rollouts.pool("infra", paused=True))
    assert [(entry["kind"], entry["name"], entry["reason"]) for entry in run(cluster)["problems"]] == [
        ("ClusterOperator", "insights", "degraded: ReasonDegraded"),
        ("MachineConfigPool", "infra", "paused"),
        ("Node", "w1", "not ready: Kubelet"),
        ("Pod", "cart-5f6-b", "container app: ImagePullBackOff (quay.io/shop/cart:1)"),
    ]


def test_what_is_new_and_what_is_gone():
    before = run(cluster_of(pod("cart-5f6-b", "ErrImagePull"), operator("insights", Degraded="True")))["problems"]
    result = run(cluster_of(pod("cart-5f6-c", "ImagePullBackOff"), pod("pay-5f6-a", "CrashLoopBackOff", "pay")),
                 before=before)
    assert [entry["name"] for entry in result["new_problems"]] == ["pay-5f6-a"]
    assert [entry["name"] for entry in result["gone_problems"]] == ["insights"]


def test_fail_on_new_names_them():
    with pytest.raises(errors.Degraded, match="1 problem is new: Pod shop/pay-5f6-a: container app: CrashLoop") as caught:
        run(cluster_of(pod("pay-5f6-a", "CrashLoopBackOff", "pay")), before=[], fail_on_new=True)
    assert caught.value.details["new_problems"]


def test_what_the_snapshot_remembers_is_known():
    cluster = cluster_of(pod("pay-5f6-a", "CrashLoopBackOff", "pay"), operator("insights", Degraded="True"))
    problems = run(cluster)["problems"]
    snapshot_store.create(cluster, snapshot.take("4.16.30", [], {}, [*problems[1:], {"edited": "by hand"}]))
    told = [entry["name"] for entry in run(cluster, remembered=True)["new_problems"]]
    assert told == ["insights"]
    assert run(cluster, remembered=True, before=problems)["new_problems"] == []
    assert len(run(cluster)["new_problems"]) == 2


def test_without_a_snapshot_every_problem_is_new():
    assert run(cluster_of(operator("dns", Degraded="True")), remembered=True)["new_problems"]


def test_an_old_problem_does_not_fail():
    cluster = cluster_of(pod("pay-5f6-a", "CrashLoopBackOff", "pay"))
    assert run(cluster, before=run(cluster)["problems"], fail_on_new=True)["new_problems"] == []


def test_waits_until_it_settles():
    cluster, clock = cluster_of(operator("kube-apiserver", Progressing="True"), pod("pay-5f6-a", "ErrImagePull")), FakeClock()
    clock.at(25, lambda: cluster.put(pod("pay-5f6-a")))
    clock.at(45, lambda: cluster.put(operator("kube-apiserver")))
    result = run(cluster, clock, wait=300, fail_on_new=True)
    assert (clock.time, result["problems"]) == (50, [])


def test_an_operator_that_is_at_work_is_no_problem_by_itself():
    clock = FakeClock()
    result = run(cluster_of(operator("dns", Progressing="True")), clock, wait=30, fail_on_new=True)
    assert clock.time == 30
    assert result["progressing"] == [{"name": "dns", "reason": "progressing: ReasonProgressing"}]


def test_old_problems_are_not_waited_for():
    cluster, clock = cluster_of(pod("pay-5f6-a", "ErrImagePull")), FakeClock()
    run(cluster, clock, before=run(cluster)["problems"], wait=300)
    assert clock.time == 0


def test_before_must_be_a_list_of_problems():
    with pytest.raises(errors.InvalidInput, match="before"):
        run(cluster_of(), before=[{"name": "x"}])


def test_main(capsys):
    result = fake_module.run(cluster_health_info, capsys, {"fail_on_new": True}, cluster_of(operator("dns", Degraded="True")))
    assert result["failed"] and "ClusterOperator dns: degraded" in result["msg"] and len(result["problems"]) == 1


def test_what_it_waits_for_is_told(tmp_path):
    path = tmp_path / "progress"
    cluster = cluster_of(pod("cart-5f6-b", "ErrImagePull"), operator("ingress", Progressing="True"))
    run(cluster, wait=60, progress_file=str(path), progress_interval=15)
    [line] = path.read_text().splitlines()
    assert "1 problem is new: Pod shop/cart-5f6-b" in line and "Cluster operators are at work: ingress." in line
