# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

pytest.importorskip("openshift")

from ansible_collections.disconnected.openshift.plugins.module_utils import errors  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.module_utils.cluster import OWNER, OWNER_LABEL  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.modules import node_pull_test  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit import rollouts  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_clock import FakeClock  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_cluster import SERVED, FakeCluster  # noqa: E402

IMAGE = "quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:" + "1" * 64
NAMESPACE = "disconnected-openshift-rehearsal"
RUNNING = {"running": {}}
REFUSED = {"waiting": {"reason": "ImagePullBackOff", "message": "mirror: 404"}}


def daemon():
    return {"apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {"name": "machine-config-daemon", "namespace": "openshift-machine-config-operator"},
            "spec": {"template": {"spec": {"containers": [{"name": "d", "image": IMAGE}]}}}}


def pod(node, state):
    statuses = [{"name": "pull", "state": state}] if state is not None else []
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pull-" + node, "namespace": NAMESPACE},
            "spec": {"nodeName": node}, "status": {"containerStatuses": statuses}}


def a_cluster(*more, **states):
    states = dict(dict.fromkeys(("m0", "w0", "w1"), RUNNING), **states)
    pods = [pod(node, state) for node, state in states.items() if state != "none"]
    return FakeCluster(*rollouts.objects(), daemon(), *pods, *more, served=(*SERVED, ("apps/v1", "DaemonSet")))


def run(cluster, check_mode=False, clock=None, **given):
    params = dict({"image": None, "namespace": NAMESPACE, "fail": True, "timeout": 300, "poll_interval": 2}, **given)
    return node_pull_test.run(cluster, params, check_mode, clock or FakeClock())


def test_every_node_pulls_the_daemons_image_and_nothing_is_left():
    cluster = a_cluster()
    result = run(cluster)
    assert result["matches"] and result["image"] == IMAGE and [row["name"] for row in result["nodes"]] == ["m0", "w0", "w1"]
    assert [write[:2] for write in cluster.writes] == [
        ("create", "Namespace"), ("delete", "DaemonSet"), ("create", "DaemonSet"), ("delete", "Namespace")]


def test_the_pods_go_everywhere_always_pull_and_may_do_nothing():
    spec = node_pull_test.daemon_set(NAMESPACE, IMAGE)["spec"]["template"]["spec"]
    assert spec["tolerations"] == [{"operator": "Exists"}] and spec["automountServiceAccountToken"] is False
    assert spec["containers"][0]["imagePullPolicy"] == "Always"
    assert spec["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("state, reason", [
    (REFUSED, "mirror: 404"), ({"waiting": {"reason": "ContainerCreating"}}, "still pulls"), (None, "its pod waits"),
    ("none", "no pod"),
])
def test_a_node_that_does_not_is_named_and_all_is_removed(state, reason):
    cluster = a_cluster(w1=state)
    with pytest.raises(errors.Degraded, match="1 of 3 nodes.*w1.*" + reason):
        run(cluster)
    assert cluster.writes[-1] == ("delete", "Namespace", NAMESPACE)


@pytest.mark.parametrize("state", [
    {"waiting": {"reason": "CreateContainerError"}}, {"terminated": {"exitCode": 1}}, {"waiting": {"reason": "CrashLoopBackOff"}},
])
def test_whether_it_can_run_does_not_matter(state):
    assert run(a_cluster(w1=state))["matches"]


def test_check_mode_creates_nothing():
    cluster = a_cluster()
    assert run(cluster, check_mode=True)["changed"] and cluster.writes == []


def test_it_is_removed_when_the_waiting_fails():
    cluster = a_cluster()
    cluster.refuse("list", "Pod", errors.Forbidden("no"))
    with pytest.raises(errors.Forbidden):
        run(cluster)
    assert cluster.writes[-1] == ("delete", "Namespace", NAMESPACE)


def test_somebody_elses_namespace_is_not_touched():
    theirs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": {}}}
    cluster = a_cluster(theirs)
    with pytest.raises(errors.Conflict, match=NAMESPACE):
        run(cluster)
    assert cluster.writes == []


@pytest.mark.parametrize("after", [6, 600])
def test_the_namespace_of_a_run_just_before_is_waited_for(after):
    cluster = a_cluster({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": NAMESPACE, "labels": {OWNER_LABEL: OWNER}, "deletionTimestamp": "2026-03-01T10:00:00Z"}})
    clock = FakeClock()
    clock.at(after, lambda: cluster._objects.pop(("v1", "Namespace", "", NAMESPACE)))
    if after < node_pull_test.GOING_SECONDS:
        assert run(cluster, clock=clock)["matches"]
        assert cluster.writes[0] == ("create", "Namespace", NAMESPACE)
    else:
        with pytest.raises(errors.TimedOut, match="still being deleted"):
            run(cluster, clock=clock)
        assert cluster.writes == []


def test_what_a_killed_run_left_behind_is_used():
    left = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": {OWNER_LABEL: OWNER}}}
    cluster = a_cluster(left, node_pull_test.daemon_set(NAMESPACE, "quay.io/old@sha256:" + "2" * 64))
    assert run(cluster)["matches"]
    assert ("create", "Namespace", NAMESPACE) not in cluster.writes
