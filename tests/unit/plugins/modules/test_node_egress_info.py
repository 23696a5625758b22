# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

pytest.importorskip("openshift")

from ansible_collections.disconnected.openshift.plugins.module_utils import errors  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.module_utils.cluster import ExecResult  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.modules import node_egress_info  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit import rollouts  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_clock import FakeClock  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_cluster import CONFIG, FakeCluster  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.nodes import daemon_pods  # noqa: E402

IMAGE = "quay.io/openshift-release-dev/ocp-release@sha256:" + "1" * 64
LOST = "%s\tdial tcp: i/o timeout\n.\n" % IMAGE


def a_cluster(**answers):
    version = {"apiVersion": CONFIG, "kind": "ClusterVersion", "metadata": {"name": "version"},
               "status": {"desired": {"image": IMAGE}}}
    cluster = FakeCluster(version, *rollouts.objects(), *daemon_pods("m0", "w0", "w1"))
    for node in ("m0", "w0", "w1"):
        say(cluster, node, answers.get(node, ".\n"))
    return cluster


def say(cluster, node, answer):
    cluster.commands["daemon-" + node, tuple(node_egress_info.command([IMAGE], 30))] = answer


def run(cluster, clock=None, **given):
    params = dict({"images": None, "nodes": None, "fail": True, "wait": 0, "poll_interval": 10, "timeout": 30, "workers": 4},
                  **given)
    return node_egress_info.run(cluster, params, clock or FakeClock())


def test_every_node_is_asked_for_the_release_that_the_cluster_runs():
    cluster = a_cluster()
    result = run(cluster)
    assert result["matches"] and result["images"] == [IMAGE] and [row["name"] for row in result["nodes"]] == ["m0", "w0", "w1"]
    assert cluster.writes == []


def test_a_node_without_a_way_out_keeps_the_mirrors():
    with pytest.raises(errors.Unreachable, match="1 of 3 nodes.*the mirrors must stay.*w1: dial tcp: i/o timeout") as raised:
        run(a_cluster(w1=LOST))
    assert raised.value.details["nodes"][2]["missing"] == [IMAGE]


def test_those_that_can_are_not_asked_again():
    cluster, clock = a_cluster(w0=LOST), FakeClock()
    clock.at(20, lambda: say(cluster, "w0", ".\n"))
    assert run(cluster, clock, wait=60)["matches"]
    asked = [request[1] for request in cluster.requests if request[0] == "exec"]
    assert asked.count("daemon-w0") == 3 and asked.count("daemon-m0") == 1


@pytest.mark.parametrize("answer, words", [
    ("", "did not arrive whole"),
    (ExecResult(127, "", "sh: skopeo: not found"), "skopeo: not found"),
    (errors.Unreachable("the connection was dropped"), "dropped"),
])
def test_what_cannot_be_asked_counts_as_no(answer, words):
    result = run(a_cluster(w0=answer), fail=False)
    assert not result["matches"] and words in result["nodes"][1]["reason"]


def test_what_is_no_image_is_refused_before_anybody_is_asked():
    cluster = a_cluster()
    with pytest.raises(errors.InvalidInput):
        run(cluster, images=["https://quay.io/x"])
    assert not [request for request in cluster.requests if request[0] == "exec"]
