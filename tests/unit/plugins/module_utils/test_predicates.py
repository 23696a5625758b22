# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.disconnected.openshift.plugins.module_utils import predicates


def container(name="app", ready=False, image="quay.io/team/app:1", **state):
    return {"name": name, "ready": ready, "image": image, "restartCount": 3, "state": state}


def waiting(reason, **fields):
    return container(waiting={"reason": reason, "message": "back-off 2m40s restarting"}, **fields)


RUNNING = {"running": {"startedAt": "2026-03-01T10:00:00Z"}}
READY = container(ready=True, **RUNNING)


def pod(phase="Running", containers=(READY,), inits=(), restarts="Always", name="app-7d9f8b6c5-x2x4v", **metadata):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": dict(name=name, namespace="shop", **metadata),
            "spec": {"restartPolicy": restarts},
            "status": {"phase": phase, "containerStatuses": list(containers), "initContainerStatuses": list(inits)}}


@pytest.mark.parametrize("obj, reason", [
    (pod(), None),
    (pod("Succeeded", [container(terminated={"exitCode": 0, "reason": "Completed"})]), None),
    (pod("Failed", []), "Failed"),
    (dict(pod(), status={"phase": "Failed", "reason": "Evicted"}), "Evicted"),
    (pod("Pending", [waiting("ErrImagePull")]), "container app: ImagePullBackOff (quay.io/team/app:1)"),
    (pod("Pending", [waiting("ImagePullBackOff")]), "container app: ImagePullBackOff (quay.io/team/app:1)"),
    (pod("Pending", [waiting("CreateContainerConfigError")]), "container app: CreateContainerConfigError"),
    (pod("Running", [waiting("CrashLoopBackOff")]), "container app: CrashLoopBackOff"),
    (pod("Running", [container(terminated={"exitCode": 1})]), "container app: CrashLoopBackOff"),
    (pod("Running", [container(terminated={"exitCode": 1})], restarts="Never"), "container app: Error"),
    (pod("Running", [container(**RUNNING)]), "container app: not ready"),
    (pod("Pending", [waiting("ContainerCreating")]), "container app: not ready"),
    # One container of a job is through, the other one works.
    (pod("Running", [READY, container("copy", terminated={"exitCode": 0})], restarts="OnFailure"), None),
    (pod("Pending", [waiting("PodInitializing")], [waiting("ImagePullBackOff", name="init")]),
     "container init: ImagePullBackOff (quay.io/team/app:1)"),
    (pod("Running", [READY, waiting("CrashLoopBackOff", name="proxy")]), "container proxy: CrashLoopBackOff"),
    (pod("Unknown", []), "Unknown"),
    (pod("Pending", [waiting("ImagePullBackOff")], deletionTimestamp="2026-03-01T10:00:00Z"), None),
])
def test_pod(obj, reason):
    assert predicates.pod(obj) == reason


def test_pod_that_no_node_takes():
    obj = pod("Pending", [])
    obj["status"]["conditions"] = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]
    assert predicates.pod(obj) == "Unschedulable"


def owned(kind, owner, **fields):
    return pod(ownerReferences=[{"kind": kind, "name": owner, "controller": True}], **fields)


@pytest.mark.parametrize("obj, workload", [
    (pod(name="lone"), "Pod/lone"),
    (owned("ReplicaSet", "app-7d9f8b6c5", labels={"pod-template-hash": "7d9f8b6c5"}), "Deployment/app"),
    (owned("ReplicaSet", "bare"), "ReplicaSet/bare"),
    (owned("DaemonSet", "node-ca"), "DaemonSet/node-ca"),
    (owned("Job", "collect-profiles-29012345"), "CronJob/collect-profiles"),
    (owned("Job", "migrate-2"), "Job/migrate-2"),
    (owned("Node", "master-0", name="etcd-master-0"), "Pod/etcd-master-0"),
])
def test_workload(obj, workload):
    assert predicates.workload(obj) == workload


def conditions(kind, name="x", annotations=None, spec=None, **states):
    """status.conditions from Type="True" or Type=("True", "Reason")."""
    listed = []
    for key, value in states.items():
        status, reason = value if isinstance(value, tuple) else (value, "")
        listed.append({"type": key, "status": status, "reason": reason, "message": "since 10:00:00"})
    return {"kind": kind, "metadata": {"name": name, "annotations": annotations or {}}, "spec": spec or {},
            "status": {"conditions": listed}}


STATE = "machineconfiguration.openshift.io/state"


@pytest.mark.parametrize("obj, reason", [
    (conditions("Node", Ready="True", DiskPressure="False"), None),
    (conditions("Node", Ready=("Unknown", "NodeStatusUnknown")), "not ready: NodeStatusUnknown"),
    (conditions("Node"), "not ready"),
    (conditions("Node", Ready="True", spec={"unschedulable": True}), "cordoned"),
    (conditions("Node", Ready="True", DiskPressure="True"), "DiskPressure"),
    (conditions("Node", Ready="True", annotations={STATE: "Degraded"}), "machine-config daemon: Degraded"),
    (conditions("Node", Ready="True", annotations={STATE: "Working"}), None),
])
def test_node(obj, reason):
    assert predicates.node(obj) == reason


@pytest.mark.parametrize("obj, reason, progress", [
    (conditions("ClusterOperator", Available="True", Degraded="False", Progressing="False"), None, None),
    (conditions("ClusterOperator", Available="True", Progressing=("True", "Rolling")), None, "progressing: Rolling"),
    (conditions("ClusterOperator", Available=("False", "NoPods")), "not available: NoPods", None),
    (conditions("ClusterOperator", Available="True", Degraded=("True", "PeriodicGatherFailed")),
     "degraded: PeriodicGatherFailed", None),
])
def test_cluster_operator(obj, reason, progress):
    assert predicates.cluster_operator(obj) == reason
    assert predicates.progressing(obj) == progress


@pytest.mark.parametrize("obj, reason", [
    (conditions("MachineConfigPool", Updated="True", Degraded="False"), None),
    (conditions("MachineConfigPool", Updated="True", spec={"paused": True}), "paused"),
    (conditions("MachineConfigPool", Updated="False", Updating="True"), "not updated"),
    (conditions("MachineConfigPool", Updated="False", Degraded="True", NodeDegraded="True"), "a node is degraded"),
    (conditions("MachineConfigPool", Degraded="True", RenderDegraded="True"), "its configuration cannot be rendered"),
    (conditions("MachineConfigPool", Degraded=("True", "PinnedImageSets")), "degraded: PinnedImageSets"),
])
def test_pool(obj, reason):
    assert predicates.pool(obj) == reason


@pytest.mark.parametrize("status, reason", [
    ({"expectedPods": 2, "disruptionsAllowed": 1}, None),
    ({"expectedPods": 0, "disruptionsAllowed": 0}, None),
    ({"expectedPods": 1, "disruptionsAllowed": 0}, "allows no disruption of its 1 pods"),
    ({}, None),
])
def test_pod_disruption_budget(status, reason):
    assert predicates.pod_disruption_budget({"status": status}) == reason


REQUIRED = {"operator.machineconfiguration.openshift.io/required-for-upgrade": ""}
OURS = {predicates.PAUSED_BY_US: "2026-03-01T10:00:00Z"}


def masters(paused=False, annotations=None, **states):
    pool = conditions("MachineConfigPool", "master", annotations, {"paused": paused}, **states)
    pool["metadata"]["labels"] = REQUIRED
    return pool


@pytest.mark.parametrize("pool, waits", [
    (masters(paused=True, annotations=OURS, Updated="True"), True),
    (masters(Updated="False", Updating="True"), True),  # resumed, and it says so until its last node is updated
    (masters(paused=True, Updated="False"), False),  # somebody else's pause is what is wrong
    (masters(Updated="False", Degraded="True"), False),
    (masters(Updated="True"), False),
])
def test_the_operator_that_waits_for_the_masters_is_no_failure(pool, waits):
    operator = conditions("ClusterOperator", "machine-config", Available="True", Degraded=("True", "RequiredPoolsFailed"))
    named = [entry["name"] for entry in predicates.problems([operator, pool])]
    assert ("machine-config" in named) is not waits
    assert predicates.at_work([operator, pool]) == (
        [{"name": "machine-config", "reason": "waiting for the pool of the masters"}] if waits else [])


@pytest.mark.parametrize("name, reason", [("machine-config", "MachineConfigDaemonFailed"), ("dns", "RequiredPoolsFailed")])
def test_another_failure_in_the_window_is_one(name, reason):
    operator = conditions("ClusterOperator", name, Available="True", Degraded=("True", reason))
    window = masters(paused=True, annotations=OURS, Updated="True")
    assert name in [entry["name"] for entry in predicates.problems([operator, window])]


def test_problems_are_listed_in_a_stable_order():
    objects = [conditions("Node", "w1"), owned("DaemonSet", "node-ca", phase="Failed", name="node-ca-1"), pod()]
    assert predicates.problems(objects) == [
        {"kind": "Node", "namespace": "", "name": "w1", "reason": "not ready"},
        {"kind": "Pod", "namespace": "shop", "name": "node-ca-1", "reason": "Failed", "workload": "DaemonSet/node-ca"},
    ]


def trouble(name, reason, workload="Deployment/app"):
    return {"kind": "Pod", "namespace": "shop", "name": name, "reason": reason, "workload": workload}


def test_a_pod_that_came_back_under_another_name_is_no_new_problem():
    before = [trouble("app-1", "container app: CrashLoopBackOff")]
    now = [trouble("app-2", "container app: not ready")]
    assert predicates.compare(before, now) == ([], [])


def test_an_image_that_can_no_longer_be_had_is_a_new_problem_of_a_pod_that_crashed_before():
    before = [trouble("app-1", "container app: CrashLoopBackOff")]
    now = [trouble("app-2", "container app: ImagePullBackOff (quay.io/team/app:1)")]
    assert predicates.compare(before, now) == (now, before)


def test_compare_takes_what_a_playbook_wrote_down():
    """`before` comes back from JSON, perhaps written by hand without the workload."""
    before = [{"kind": "ClusterOperator", "name": "insights", "reason": "degraded: UploadFailed"}]
    now = [{"kind": "ClusterOperator", "namespace": "", "name": "insights", "reason": "degraded: UploadFailed"}]
    assert predicates.compare(before, now) == ([], [])
