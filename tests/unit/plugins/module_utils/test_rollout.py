# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.disconnected.openshift.plugins.module_utils import predicates, rollout
from ansible_collections.disconnected.openshift.plugins.module_utils.machine_config import Effects
from ansible_collections.disconnected.openshift.tests.unit import rollouts
from ansible_collections.disconnected.openshift.tests.unit.rollouts import node, pool


def labelled(name, *roles, **labels):
    obj = node(name, "worker")
    obj["metadata"]["labels"] = dict({"node-role.kubernetes.io/" + role: "" for role in roles}, **labels)
    return obj


class TestMembers:
    POOLS = [pool("master"), pool("worker"), pool("infra")]

    @pytest.mark.parametrize("roles, owner", [
        (("master", "worker"), "master"), (("master", "infra"), "master"), (("worker", "infra"), "infra"),
        (("worker",), "worker"),
    ])
    def test_the_pool_whose_configuration_a_node_gets(self, roles, owner):
        found = rollout.members(self.POOLS, [labelled("n", *roles)])
        assert [name for name in found if found[name]] == [owner]

    def test_nodes_of_no_pool_are_left_out(self):
        nodes = [labelled("a"), labelled("b", "worker", **{"kubernetes.io/os": "windows"})]
        assert rollout.members(self.POOLS, nodes) == {"master": [], "worker": [], "infra": []}


@pytest.mark.parametrize("value, count, expected", [
    (None, 3, 1), (2, 3, 2), ("10%", 3, 1), ("34%", 3, 1), ("50%", 10, 5), (0, 3, 1), ("2", 3, 2),
])
def test_max_unavailable(value, count, expected):
    assert rollout.max_unavailable(pool("worker", maxUnavailable=value), count) == expected


class TestBlockers:
    @staticmethod
    def names(found):
        return [(blocker.kind, blocker.name) for blocker in found]

    def test_a_cluster_at_rest_has_none(self):
        assert not rollout.blockers(pool("worker"), [node("w0", "worker"), node("w1", "worker")])

    def test_a_pool_that_somebody_paused(self):
        found = rollout.blockers(pool("worker", paused=True), [])
        assert self.names(found) == [("MachineConfigPool", "worker")]
        assert "oc patch machineconfigpool/worker" in found[0].remedy

    def test_a_pool_that_an_earlier_run_of_ours_paused_is_none(self):
        paused = pool("worker", paused=True, annotations={predicates.PAUSED_BY_US: "2026-03-01T10:00:00Z"})
        assert not rollout.blockers(paused, [])

    def test_nodes_that_hold_the_others_back(self):
        nodes = [node("w0", "worker", unschedulable=True), node("w1", "worker", ready=False),
                 node("w2", "worker", state="Degraded", reason="unexpected on-disk state")]
        found = rollout.blockers(pool("worker"), nodes)
        assert self.names(found) == [("Node", "w0"), ("Node", "w1"), ("Node", "w2")]
        assert "oc adm uncordon w0" in found[0].remedy
        assert "unexpected on-disk state" in found[2].reason
        assert all(blocker.refuses for blocker in found)

    def test_a_node_in_the_midst_of_its_update_is_none(self):
        draining = node("w0", "worker", unschedulable=True, state="Working", desiredConfig="rendered-worker-2",
                        desiredDrain="drain-rendered-worker-2", lastAppliedDrain="drain-rendered-worker-2")
        rebooting = node("w1", "worker", ready=False, state="Rebooting")
        assert not rollout.blockers(pool("worker"), [draining, rebooting])

    def test_a_pool_that_cannot_be_rendered(self):
        broken = pool("worker")
        broken["status"]["conditions"].append({"type": "RenderDegraded", "status": "True", "message": "conflicting files"})
        assert "conflicting files" in rollout.blockers(broken, [])[0].reason


class TestForecast:
    RELOAD = (("/etc/containers/registries.conf",), Effects("reload", False, ("a: CRI-O is reloaded",)))
    REBOOT = (("/etc/chrony.conf",), Effects("reboot", True, ("b: the node is rebooted",)))
    NODES = [node("w0", "worker"), node("w1", "worker", unschedulable=True)]

    def test_nothing_changes(self):
        found = rollout.forecast(pool("worker"), self.NODES, [((), Effects("none", False, ()))])
        assert (found["rollouts"], found["files"], found["blockers"]) == (0, [], [])
        assert rollout.summary([found]) == ["Pool worker (2 nodes): nothing changes."]

    def test_a_reload(self):
        found = rollout.forecast(pool("worker"), self.NODES, [self.RELOAD])
        assert (found["rollouts"], found["action"], found["drain"], found["reboot"]) == (1, "reload", False, False)
        assert [blocker["name"] for blocker in found["blockers"]] == ["w1"]
        assert rollout.summary([found]) == [
            "Pool worker (2 nodes, 1 at a time): CRI-O is reloaded; no drain, no reboot."]

    def test_the_worst_of_nodes_at_different_configurations_counts(self):
        found = rollout.forecast(pool("worker"), self.NODES, [self.RELOAD, self.REBOOT])
        assert (found["action"], found["drain"], found["reboot"]) == ("reboot", True, True)
        assert rollout.summary([found]) == [
            "Pool worker (2 nodes, 1 at a time): each is drained and rebooted."]

    def test_a_pool_without_nodes_rolls_nothing_out(self):
        found = rollout.forecast(pool("infra"), [], [self.RELOAD])
        assert (found["rollouts"], found["files"]) == (0, list(self.RELOAD[0]))
        assert rollout.summary([found]) == ["Pool infra (no nodes): its configuration changes."]


class TestStanding:
    NODES = [node("w0", "worker"), node("w1", "worker")]

    def test_done(self):
        found = rollout.standing(pool("worker"), self.NODES, [])
        assert (found.done, found.updated, found.failure, found.late) == (True, 2, "", False)

    def test_a_pool_without_nodes_is_done_with_its_content(self):
        assert rollout.standing(pool("infra"), [], []).done
        assert not rollout.standing(pool("infra"), [], ["a lacks b"]).done

    def test_every_field_says_done_and_the_content_is_not_there(self):
        """The first seconds after any change."""
        found = rollout.standing(pool("worker"), self.NODES, ["registries.conf lacks: x"])
        assert (found.done, found.late, found.failure) == (False, True, "")
        assert "registries.conf lacks: x" in found.text

    def test_the_status_has_not_followed_the_spec(self):
        late = pool("worker", rendered="rendered-worker-2")
        late["metadata"]["generation"] = 4
        assert not rollout.standing(late, self.NODES, []).done

    def test_nodes_are_done_before_the_pool_says_so(self):
        nodes = [node("w0", "worker", "rendered-worker-2"), node("w1", "worker", "rendered-worker-2")]
        late = pool("worker", rendered="rendered-worker-2")
        late["status"]["configuration"]["name"] = "rendered-worker-1"
        assert not rollout.standing(late, nodes, []).done
        assert rollout.standing(late, nodes, []).updated == 2

    def test_an_uncordon_that_is_not_answered_yet(self):
        nodes = [node("w0", "worker", desiredDrain="uncordon-x", lastAppliedDrain="drain-x")]
        assert not rollout.standing(pool("worker", 1), nodes, []).done

    def test_before_4_11_there_are_no_drain_annotations(self):
        old = node("w0", "worker")
        for name in ("desiredDrain", "lastAppliedDrain"):
            del old["metadata"]["annotations"][rollouts.PREFIX + name]
        assert rollout.standing(pool("worker", 1), [old], []).done

    def test_a_degraded_node_fails_with_its_reason(self):
        nodes = [node("w0", "worker", state="Degraded", reason="unexpected\n on-disk state\n"), self.NODES[1]]
        failure = rollout.standing(pool("worker"), nodes, []).failure
        assert "w0" in failure and "unexpected on-disk state" in failure

    def test_a_degraded_condition_that_outlives_the_nodes_recovery_is_waited_for(self):
        stale = pool("worker")
        for found in stale["status"]["conditions"]:
            if found["type"] == "Degraded":
                found["status"] = "True"
        stale["status"]["conditions"].append({"type": "NodeDegraded", "status": "True"})
        found = rollout.standing(stale, self.NODES, [])
        assert (found.done, found.failure) == (False, "")

    def test_a_pool_that_cannot_be_rendered_fails(self):
        broken = pool("worker")
        broken["status"]["conditions"].append({"type": "RenderDegraded", "status": "True", "message": "bad file"})
        assert "bad file" in rollout.standing(broken, self.NODES, ["lacks"]).failure

    def test_a_paused_pool_fails_once_there_is_something_to_give_to_its_nodes(self):
        paused = pool("worker", rendered="rendered-worker-2", paused=True)
        failure = rollout.standing(paused, self.NODES, []).failure
        assert "worker is paused: 2 of its 2 nodes" in failure and "oc patch" in failure
        paused["metadata"]["annotations"][predicates.PAUSED_BY_US] = "2026-03-01T10:00:00Z"
        assert "state=resumed" in rollout.standing(paused, self.NODES, []).failure

    def test_a_paused_pool_whose_nodes_have_it_all_is_done(self):
        found = rollout.standing(pool("worker", paused=True), self.NODES, [])
        assert found.done and "paused" in found.warnings[0]

    def test_a_cordoned_node_that_stops_the_others_fails_and_is_named(self):
        nodes = [node("w0", "worker"), node("w1", "worker", unschedulable=True)]
        failure = rollout.standing(pool("worker", rendered="rendered-worker-2"), nodes, []).failure
        assert "w1 is cordoned" in failure and "oc adm uncordon w1" in failure

    def test_a_cordoned_node_leaves_room_where_two_may_be_away(self):
        nodes = [node("w0", "worker"), node("w1", "worker", unschedulable=True)]
        found = rollout.standing(pool("worker", rendered="rendered-worker-2", maxUnavailable=2), nodes, [])
        assert (found.done, found.failure) == (False, "")

    def test_a_cordoned_node_with_nothing_to_update_is_only_a_warning(self):
        """The pool says Updating=True all the time, with the very name that its nodes run."""
        updating = pool("worker")
        updating["status"]["conditions"] = [{"type": "Updated", "status": "False"}, {"type": "Updating", "status": "True"}]
        nodes = [node("w0", "worker"), node("w1", "worker", unschedulable=True)]
        found = rollout.standing(updating, nodes, [])
        assert found.done and "w1 is cordoned" in found.warnings[0]

    def test_a_node_that_is_not_ready_is_waited_for(self):
        found = rollout.standing(pool("worker"), [node("w0", "worker"), node("w1", "worker", ready=False)], [])
        assert not found.done and "w1 is not ready" in found.text

    def test_the_text_tells_what_nodes_do(self):
        busy = node("w1", "worker", unschedulable=True, state="Working", desiredDrain="drain-rendered-worker-2",
                    lastAppliedDrain="drain-rendered-worker-2", desiredConfig="rendered-worker-2")
        found = rollout.standing(pool("worker", rendered="rendered-worker-2"),
                                 [node("w0", "worker", "rendered-worker-2"), busy], [])
        assert found.text == "1 of 2 nodes of pool worker are updated; w1 is being drained"


class TestDrainHolders:
    """What a drain waits for: as `oc adm drain` does, it passes over what belongs to the node."""

    BUDGET = {"metadata": {"name": "one", "namespace": "shop"}, "spec": {"selector": {"matchLabels": {"app": "web"}}},
              "status": {"expectedPods": 2, "disruptionsAllowed": 0}}

    @staticmethod
    def pod(name="web-1", namespace="shop", node="w0", owner=None, phase="Running", **metadata):
        owners = [{"kind": owner, "name": "x"}] if owner else []
        return {"metadata": dict({"name": name, "namespace": namespace, "labels": {"app": "web"},
                                  "ownerReferences": owners}, **metadata),
                "spec": {"nodeName": node}, "status": {"phase": phase}}

    @pytest.mark.parametrize("pod, words", [
        ({}, "the drain of w0 waits for pod shop/web-1, of which PodDisruptionBudget one allows no disruption"),
        ({"owner": "ReplicaSet"}, "PodDisruptionBudget one"),
        ({"deletionTimestamp": "2026-03-01T10:00:00Z"}, "the drain of w0 waits for pod shop/web-1, which does not end"),
        ({"owner": "DaemonSet"}, None), ({"owner": "Node"}, None), ({"phase": "Succeeded"}, None), ({"node": "w1"}, None),
        ({"namespace": "other"}, None), ({"labels": {"app": "db"}}, None), ({"labels": None}, None),
    ])
    def test_which_pods(self, pod, words):
        found = rollout.drain_holders("w0", [self.pod(**pod)], [self.BUDGET])
        assert len(found) == (words is not None) and (not found or words in found[0])

    @pytest.mark.parametrize("changes, holds", [
        ({"status": {"expectedPods": 2, "disruptionsAllowed": 1}}, False),
        ({"spec": {"selector": {}}}, True),  # every pod of the namespace
        ({"spec": {}}, False),
    ])
    def test_which_budgets(self, changes, holds):
        assert bool(rollout.drain_holders("w0", [self.pod()], [dict(self.BUDGET, **changes)])) is holds
