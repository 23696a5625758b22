# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a rollout that does not go as it should: never too short, never in vain, and with the reason.

The tests of this file are chapters on one cluster: each leaves it at rest, with what it created in it or gone.
"""
from __future__ import annotations

import json
import subprocess
import time

import pytest

IDMS = ("config.openshift.io/v1", "ImageDigestMirrorSet")
ITMS = ("config.openshift.io/v1", "ImageTagMirrorSet")
ICSP = ("operator.openshift.io/v1alpha1", "ImageContentSourcePolicy")
POOL = ("machineconfiguration.openshift.io/v1", "MachineConfigPool")
BUDGET = ("policy/v1", "PodDisruptionBudget")
FIELD = {IDMS: "imageDigestMirrors", ITMS: "imageTagMirrors", ICSP: "repositoryDigestMirrors"}
INFRA = {
    "apiVersion": POOL[0], "kind": POOL[1], "metadata": {"name": "infra"},
    "spec": {
        "machineConfigSelector": {"matchExpressions": [
            {"key": "machineconfiguration.openshift.io/role", "operator": "In", "values": ["worker", "infra"]}]},
        "nodeSelector": {"matchLabels": {"node-role.kubernetes.io/infra": ""}},
    },
}


@pytest.fixture(scope="module")
def lab(make_lab):
    """Four nodes, one of them in a pool of its own, and a pool without any."""
    lab = make_lab(nodes=5, speed=60)
    lab.create(INFRA)
    lab.create(json.loads(json.dumps(INFRA).replace("infra", "empty")))
    lab.patch("v1", "Node", lab.facts["nodes"][-1], {"metadata": {"labels": {"node-role.kubernetes.io/infra": ""}}})
    run, _result = waited(lab)  # to be in another pool is an update of its own
    assert run.rc == 0, run.output
    return lab


def mirror(kind, name, source):
    rule = {"source": source, "mirrors": ["mirror.example.com/" + name]}
    return {"apiVersion": kind[0], "kind": kind[1], "metadata": {"name": name}, "spec": {FIELD[kind]: [rule]}}


def waited(lab, **given):
    return lab.module("machine_config_rollout", dict({"state": "waited", "poll_interval": 0.2, "start_timeout": 20}, **given))


def have(lab, *names):
    """The nodes whose registries.conf names every one of these mirrors."""
    return [node for node in lab.facts["nodes"]
            if all("mirror.example.com/" + name in lab.node_file(node, "etc/containers/registries.conf") for name in names)]


def updates(lab):
    return {name: node["updates"] for name, node in lab.stats()["nodes"].items()}


def test_a_late_start_in_pools_of_ones_own(lab):
    """The controller hears of everything half a minute late; until then each pool says that it is updated."""
    lab.command("faults", "lag", "seconds=30")
    before = updates(lab)
    lab.create(mirror(IDMS, "late", "quay.io/late"))
    run, result = waited(lab)
    assert run.rc == 0, run.output
    assert have(lab, "late") == lab.facts["nodes"]
    assert {pool["name"]: (pool["nodes"], pool["done"]) for pool in result["pools"]} == {
        "empty": (0, True), "infra": (1, True), "master": (3, True), "worker": (1, True)}
    assert updates(lab) == {name: count + 1 for name, count in before.items()}
    lab.command("faults", "clear")


def test_an_object_that_changes_nothing(lab):
    before = updates(lab)
    lab.create(mirror(ICSP, "late", "quay.io/late"))
    run, result = waited(lab)
    assert run.rc == 0 and result["rollouts"] == 0, run.output
    assert updates(lab) == before


def test_a_pool_that_is_updating_because_a_node_is_cordoned(lab):
    node = lab.facts["nodes"][-1]
    lab.patch("v1", "Node", node, {"spec": {"unschedulable": True}})
    run, result = waited(lab)
    assert run.rc == 0 and result["rollouts"] == 0, run.output
    lab.patch("v1", "Node", node, {"spec": {"unschedulable": None}})


def test_an_object_of_others_that_the_operator_refuses(lab):
    """Every pool looks healthy, and no mirror reaches any node any more."""
    bad = mirror(ICSP, "typo", "quay.io/typo:latest")
    lab.create(bad)
    lab.create(mirror(IDMS, "good", "quay.io/good"))
    run, result = waited(lab)
    assert run.rc != 0 and "ImageContentSourcePolicy typo" in result["msg"] and "quay.io/typo:latest" in result["msg"]
    assert have(lab, "good") == []
    run, result = lab.module("node_mirror_info", {})
    assert run.rc != 0 and "ImageContentSourcePolicy typo" in result["msg"], run.output
    lab.delete(bad)
    run, result = waited(lab)
    assert run.rc == 0 and have(lab, "good") == lab.facts["nodes"], run.output


class Waiting:
    """A run of the module that goes on while the test does something."""

    def __init__(self, lab, **given):
        self.lab, play = lab, lab.directory / "waiting.json"
        task = {"name": "the module", "disconnected.openshift.machine_config_rollout": dict(
            {"state": "waited", "poll_interval": 0.2, "start_timeout": 20, "timeout": 120}, **given)}
        play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
        self.process = subprocess.Popen(lab.argv(play), env=lab.environment(), cwd=lab.home, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def end(self):
        output = self.process.communicate(timeout=240)[0]
        return self.process.returncode, output


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.1)


def test_the_api_goes_away_and_a_second_change_comes_in_the_middle(lab):
    """As on a single node whose API server restarts: connections are cut, then 503, then 500 is all it answers."""
    lab.command("faults", "controller", "state=off")
    lab.create(mirror(IDMS, "first", "quay.io/first"))
    before = asked(lab)
    waiting = Waiting(lab, start_timeout=60)
    until(lambda: asked(lab) >= before + 12)  # it has begun to look
    for fault in ("drop=yes", "status=503", "status=500"):
        lab.command("faults", "api", "agent=ansible-collection*", fault, "times=2")
    lab.command("faults", "controller", "state=on")
    until(lambda: have(lab, "first"))
    lab.create(mirror(IDMS, "second", "quay.io/second"))
    rc, output = waiting.end()
    assert rc == 0, output
    assert have(lab, "first", "second") == lab.facts["nodes"]
    lab.command("faults", "clear")


def asked(lab):
    """How many requests this collection's modules have sent so far."""
    return sum(row["count"] for row in lab.stats()["requests"] if row["agent"].startswith("ansible-collection"))


def test_a_drain_that_does_not_end(lab):
    """The budget of an application allows nothing: pod and budget are named, and the rollout goes on once it is relaxed."""
    lab.api.resources.get(api_version=BUDGET[0], kind=BUDGET[1]).patch(
        name="frontend", namespace="shop", body={"spec": {"maxUnavailable": 0}}, content_type="application/merge-patch+json")
    lab.create(mirror(ITMS, "tags", "quay.io/tags"))
    run, result = waited(lab, timeout=12)
    assert run.rc != 0, run.output
    assert "waits for pod shop/frontend-" in result["msg"] and "PodDisruptionBudget frontend" in result["msg"]
    lab.api.resources.get(api_version=BUDGET[0], kind=BUDGET[1]).delete(name="frontend", namespace="shop")
    run, result = waited(lab)
    assert run.rc == 0 and have(lab, "tags") == lab.facts["nodes"], run.output


def test_a_node_that_fails_in_the_middle(lab):
    node = lab.facts["nodes"][0]
    lab.command("faults", "reload", "node=" + node)
    lab.create(mirror(IDMS, "broken", "quay.io/broken"))
    run, result = waited(lab)
    assert run.rc != 0 and "Node %s is Degraded" % node in result["msg"], run.output
    run, result = lab.module("node_mirror_info", {"fail": False})
    assert {row["name"]: row["reason"][:20] for row in result["nodes"]}[node] == "the node is Degraded", result
    lab.command("faults", "clear")
    run, result = waited(lab)
    assert run.rc == 0, run.output
