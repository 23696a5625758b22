# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import datetime

import pytest

pytest.importorskip("openshift")

from ansible_collections.disconnected.openshift.plugins.module_utils import errors, machine_config, predicates  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.modules import machine_config_rollout  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit import fake_module, rollouts  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_cluster import (  # noqa: E402
    CONFIG, SERVED, FakeCluster)
from ansible_collections.disconnected.openshift.tests.unit.rollouts import (  # noqa: E402
    API, SECRET, SECRET_WITH_MIRROR, mirrored, row)

RELEASE = "quay.io/openshift-release-dev/ocp-release"
OPERATORS = "operator.openshift.io/v1"
POLICY = ("policy/v1", "PodDisruptionBudget")


def mirror_set(name="mirrors", source=RELEASE, kind="ImageDigestMirrorSet", **fields):
    key = {"ImageDigestMirrorSet": "imageDigestMirrors", "ImageTagMirrorSet": "imageTagMirrors"}[kind]
    entry = dict({"source": source, "mirrors": ["mirror:5000/" + source.partition("/")[2]]}, **fields)
    return {"apiVersion": CONFIG, "kind": kind, "metadata": {"name": name}, "spec": {key: [entry]}}


def secret(text=SECRET):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pull-secret", "namespace": "openshift-config"},
            "type": "kubernetes.io/dockerconfigjson",
            "data": {".dockerconfigjson": base64.b64encode(text.encode()).decode()}}


def cluster_of(*more, pull_secret=SECRET, version="4.16.30", served=SERVED, **worker_spec):
    """A cluster at rest whose objects are `more`, and where nothing but the release's own configuration is rendered."""
    rest = [{"apiVersion": CONFIG, "kind": "Image", "metadata": {"name": "cluster"}, "spec": {}},
            {"apiVersion": CONFIG, "kind": "Infrastructure", "metadata": {"name": "cluster"},
             "status": {"controlPlaneTopology": "HighlyAvailable"}}, secret(pull_secret)]
    return FakeCluster(*rest, *rollouts.objects(**worker_spec), *more, version=version, served=served)


def observer_of(cluster, rows=()):
    clock = rollouts.Replay(cluster, rows)

    def now(zone):
        return datetime.datetime(2026, 3, 1, 10, tzinfo=zone) + datetime.timedelta(seconds=clock.now())
    return machine_config_rollout.Observer(cluster, lambda *values: None, clock, now)


def options(**given):
    return dict({"mirror_sets": [], "mirror_sets_absent": [], "pull_secret_changes": [], "trusted_ca_changes": [],
                 "fail_on_blockers": True, "even_if_late": True, "window_timeout": 60, "start_timeout": 90,
                 "timeout": 600, "poll_interval": 5, "progress_file": None, "progress_interval": 15}, **given)


def pool(cluster, name="worker"):
    return cluster.peek(API, "MachineConfigPool", name)


class TestWaited:
    """Recordings of the controller, with the change just written: never too soon, never for ever."""

    @staticmethod
    def wait(cluster, rows, **given):
        observer = observer_of(cluster, rows)
        return observer, machine_config_rollout.wait_for(observer, options(**given), False)

    @pytest.mark.parametrize("render, notice", [(5.3, 10.4), (0.14, 0.4), (3.8, 10.4)])
    @pytest.mark.parametrize("interval", [0.1, 1, 5])
    def test_a_new_mirror_set(self, render, notice, interval):
        """The pools call themselves updated for 12 seconds after the change, or for half a second."""
        rows, end = rollouts.rollout(render, notice, registries=mirrored(RELEASE))
        observer, result = self.wait(cluster_of(mirror_set()), rows, poll_interval=interval)
        assert end <= observer.clock.now() <= end + 2 * interval + 1
        assert [entry["rollouts"] for entry in result["pools"]] == [1, 1]
        assert (result["changed"], result["rollouts"], result["drains"], result["warnings"]) == (False, 1, 0, [])
        assert [(entry["nodes"], entry["updated"], entry["done"]) for entry in result["pools"]] \
            == [(1, 1, True), (2, 2, True)]

    def test_a_tag_mirror_set_drains(self):
        rows, end = rollouts.rollout(5.3, 10.4, drain=True, registries=mirrored(RELEASE, mode="tag-only"))
        observer, result = self.wait(cluster_of(mirror_set(kind="ImageTagMirrorSet")), rows, poll_interval=1)
        assert observer.clock.now() >= end
        assert (result["rollouts"], result["drains"]) == (1, 3)

    def test_deleting_the_last_one_goes_back_to_the_earlier_name(self):
        """No event tells of it, and the rendered configuration is there already."""
        cluster = cluster_of()
        for name in ("master", "worker"):
            cluster.put(rollouts.config("rendered-%s-0" % name, mirrored(RELEASE)))
            for step in rollouts.rendered(0, name, 0, 3)[1:] + rollouts.finished(0, name, 0):
                rollouts.apply(cluster, step)
        for name, role in (("m0", "master"), ("w0", "worker"), ("w1", "worker")):
            cluster.put(rollouts.node(name, role, "rendered-%s-0" % role))
        rows, end = rollouts.rollout(5.3, 10.4, number=1, drain=True)
        observer, result = self.wait(cluster, rows)
        assert observer.clock.now() >= end and result["drains"] == 3

    def test_every_node_that_was_updated_is_told_with_its_times(self):
        rows, _end = rollouts.rollout(5.3, 10.4, drain=True, registries=mirrored(RELEASE, mode="tag-only"))
        _observer, result = self.wait(cluster_of(mirror_set(kind="ImageTagMirrorSet")), rows, poll_interval=1)
        assert sorted(node["name"] for node in result["nodes"]) == ["m0", "w0", "w1"]
        assert all("2026-03-01T10:00:0" < node["began"] < node["ended"] for node in result["nodes"])
        assert all(node["drained"] and not node["failed"] for node in result["nodes"])
        first, second = [node for node in result["nodes"] if node["pool"] == "worker"]
        assert first["ended"] <= second["began"]

    def test_progress_is_told_when_something_moved_and_not_too_often(self, tmp_path):
        path = tmp_path / "progress"
        rows, end = rollouts.rollout(5.3, 10.4, drain=True, registries=mirrored(RELEASE, mode="tag-only"))
        self.wait(cluster_of(mirror_set(kind="ImageTagMirrorSet")), rows, poll_interval=1, progress_file=str(path))
        lines = [line[9:] for line in path.read_text().splitlines()]
        assert 1 <= len(lines) <= end / 15 and len(set(lines)) == len(lines)
        assert "1 of 2 nodes of pool worker are updated; w1 is being drained; about" in lines[1], lines
        assert path.stat().st_mode & 0o777 == 0o600

    def test_progress_that_is_not_wanted(self, tmp_path):
        rows, _end = rollouts.rollout(5.3, 10.4, registries=mirrored(RELEASE))
        self.wait(cluster_of(mirror_set()), rows, progress_file=str(tmp_path / "progress"), progress_interval=0)
        assert not (tmp_path / "progress").exists()

    def test_nothing_to_do_takes_two_looks_and_no_rollout(self):
        """An object that renders to the same content: nothing ever happens, and nothing is waited for."""
        observer, result = self.wait(cluster_of(mirror_set(mirrors=[])), [])
        assert observer.clock.now() <= 1
        assert result["rollouts"] == 0
        assert sum(request == ("list", "Node", None) for request in observer.cluster.requests) == 3

    def test_requests_do_not_grow_with_the_pools_nodes(self):
        cluster = cluster_of()
        for number in range(100):
            cluster.put(rollouts.node("w%d" % number, "worker"))
        rollouts.apply(cluster, row(0, "MCP", "worker", counts=[100, 100, 100, 0, 0]))
        self.wait(cluster, [])
        assert len(cluster.requests) < 20
        assert cluster.writes == []

    def test_a_change_of_the_pull_secret(self):
        rows, end = rollouts.rollout(5.3, 10.4, secret=SECRET_WITH_MIRROR)
        observer, result = self.wait(cluster_of(pull_secret=SECRET_WITH_MIRROR), rows)
        assert observer.clock.now() >= end and result["rollouts"] == 1

    def test_credentials_that_were_removed_are_waited_for(self):
        """What the old configuration has is more than what is wanted."""
        rows, end = rollouts.rollout(5.3, 10.4, secret='{"auths":{}}')
        observer, _result = self.wait(cluster_of(pull_secret='{"auths":{}}'), rows)
        assert observer.clock.now() >= end

    def test_two_rendered_configurations_for_one_change(self):
        """Mirrors and credentials written together straddle the render delay: the first one is not the last."""
        first, _end = rollouts.rollout(0.5, 5.0, 2, 4, registries=mirrored(RELEASE))
        second, end = rollouts.rollout(5.6, 40.0, 3, 5, registries=mirrored(RELEASE), secret=SECRET_WITH_MIRROR)
        observer, result = self.wait(cluster_of(mirror_set(), pull_secret=SECRET_WITH_MIRROR), first + second,
                                     poll_interval=1)
        assert observer.clock.now() >= end
        assert result["rollouts"] == 2

    def test_a_second_change_in_the_middle_is_waited_for_too(self):
        """Somebody adds mirrors while the nodes are being updated: they are done once more, which takes more than 90 s."""
        first, _end = rollouts.rollout(0.5, 5.0, 2, 4, registries=mirrored(RELEASE))
        second, end = rollouts.rollout(40, 130.0, 3, 5, registries=mirrored("quay.io/apps", RELEASE))
        cluster = cluster_of(mirror_set())
        observer = observer_of(cluster, [step for step in first if step["t"] < 40] + second)
        observer.clock.calls = [(35, lambda: cluster.put(mirror_set("theirs", "quay.io/apps")))]
        result = machine_config_rollout.wait_for(observer, options(), False)
        assert observer.clock.now() >= end and result["rollouts"] == 2

    def test_a_change_in_the_last_moment_is_not_missed(self):
        """The nodes have what was asked for when the wait began, and the pools have not noticed yet that it is more now."""
        rows, first_end = rollouts.rollout(5.3, 10.4, 2, 4, registries=mirrored(RELEASE))
        second, end = rollouts.rollout(first_end + 5, first_end + 10, 3, 5, registries=mirrored("quay.io/apps", RELEASE))
        cluster = cluster_of(mirror_set())
        observer = observer_of(cluster, rows + second)
        observer.clock.calls = [(first_end - 1, lambda: cluster.put(mirror_set("theirs", "quay.io/apps")))]
        machine_config_rollout.wait_for(observer, options(), False)
        assert observer.clock.now() >= end

    def test_an_object_that_the_operator_refuses_and_comes_in_the_middle(self):
        cluster = cluster_of(mirror_set())
        observer = observer_of(cluster)
        observer.clock.calls = [(3, lambda: cluster.put(mirror_set("theirs", "quay.io/x:latest")))]
        with pytest.raises(errors.InvalidInput, match="ImageDigestMirrorSet theirs: the source 'quay.io/x:latest'"):
            machine_config_rollout.wait_for(observer, options(), False)
        assert observer.clock.now() <= 10

    def test_a_drain_that_does_not_end_names_pods_and_budgets(self):
        rows, _end = rollouts.rollout(5.3, 10.4, drain=True, registries=mirrored(RELEASE, mode="tag-only"))
        begins = next(step["t"] for step in rows if step["name"] == "w0" and "desiredDrain" in step["set"])
        stuck = [step for step in rows if step["name"] not in ("w0", "w1") or (step["name"] == "w0" and step["t"] <= begins)]
        budget = {"apiVersion": POLICY[0], "kind": POLICY[1], "metadata": {"name": "one", "namespace": "shop"},
                  "spec": {"selector": {"matchLabels": {"app": "web"}}}, "status": {"expectedPods": 1, "disruptionsAllowed": 0}}
        web = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-1", "namespace": "shop", "labels": {"app": "web"}},
               "spec": {"nodeName": "w0"}, "status": {"phase": "Running"}}
        cluster = cluster_of(mirror_set(kind="ImageTagMirrorSet"), budget, web, served=SERVED + (POLICY,))
        with pytest.raises(errors.TimedOut) as caught:
            self.wait(cluster, stuck, timeout=120)
        words = "the drain of w0 waits for pod shop/web-1, of which PodDisruptionBudget one allows no disruption"
        assert words in caught.value.message and "w0 is being drained" in caught.value.message
        assert [entry["text"][:len(words)] for entry in caught.value.details["timeline"] if not entry["pool"]] == [words]
        asked = cluster.requests.count(("list", POLICY[1], None))
        assert 0 < asked < 25  # not before it takes longer than drains do

    def test_a_drain_that_takes_its_time_asks_nothing_more(self):
        rows, _end = rollouts.rollout(5.3, 10.4, drain=True, registries=mirrored(RELEASE, mode="tag-only"))
        cluster = cluster_of(mirror_set(kind="ImageTagMirrorSet"), served=SERVED + (POLICY,))
        self.wait(cluster, rows)
        assert ("list", POLICY[1], None) not in cluster.requests

    def test_a_pool_of_ones_own_and_an_empty_one(self):
        rows, end = rollouts.rollout(5.3, 10.4, registries=mirrored(RELEASE))
        cluster = cluster_of(mirror_set(), rollouts.pool("infra", 0), rollouts.config("rendered-infra-1"),
                             rollouts.config("rendered-infra-2", mirrored(RELEASE)))
        rows.append(row(end + 30, "MCP", "infra", spec="rendered-infra-2", status="rendered-infra-2", generation=4,
                        observedGeneration=4))
        observer, result = self.wait(cluster, rows)
        assert observer.clock.now() >= end + 30
        assert [entry["name"] for entry in result["pools"]] == ["infra", "master", "worker"]

    def test_a_degraded_node_fails_at_once_with_its_reason(self):
        rows, _end = rollouts.rollout(5.3, 10.4, registries=mirrored(RELEASE))
        rows = [step for step in rows if step["name"] != "w0" or step["t"] < 12] + [
            row(12, "Node", "w0", state="Degraded", reason="unexpected on-disk state")]
        cluster = cluster_of(mirror_set())
        observer = observer_of(cluster, rows)
        with pytest.raises(errors.Degraded, match="Node w0 is Degraded: unexpected on-disk state") as caught:
            machine_config_rollout.wait_for(observer, options(poll_interval=1), False)
        assert 12 <= observer.clock.now() <= 13
        assert caught.value.details["pools"][1]["updated"] == 0

    def test_a_cordoned_node_is_named_as_soon_as_it_matters(self):
        """Cordoning alone makes the pool Updating, with the name that all nodes run."""
        rows = [row(0, "Node", "w1", unschedulable=True),
                row(0, "MCP", "worker", Updated="False", Updating="True", counts=[2, 2, 1, 1, 0])]
        rows += [step for step in rollouts.rollout(5.3, 10.4, registries=mirrored(RELEASE))[0]
                 if step["name"] not in ("w0", "w1")]
        observer = observer_of(cluster_of(mirror_set()), rows)
        with pytest.raises(errors.Degraded, match="Node w1 is cordoned .* oc adm uncordon w1"):
            machine_config_rollout.wait_for(observer, options(poll_interval=1), False)
        assert observer.clock.now() <= 7

    def test_a_paused_pool_is_named_as_soon_as_it_matters(self):
        rows, _end = rollouts.rollout(5.3, 10.4, registries=mirrored(RELEASE))
        observer = observer_of(cluster_of(mirror_set(), paused=True), [step for step in rows if step["kind"] != "Node"])
        with pytest.raises(errors.Degraded, match="MachineConfigPool worker is paused: 2 of its 2 nodes"):
            machine_config_rollout.wait_for(observer, options(poll_interval=1), False)
        assert observer.clock.now() <= 7

    def test_a_pool_that_stays_paused_with_nothing_to_update_is_done(self):
        """Such a pool says Updated=True."""
        _observer, result = self.wait(cluster_of(paused=True), [])
        assert result["warnings"] == ["MachineConfigPool worker is paused; its nodes run the wanted configuration."]

    def test_an_object_that_the_operator_refuses_fails_at_once(self):
        """Every pool looks healthy, for ever."""
        cluster = cluster_of(mirror_set("good"), mirror_set("bad", "quay.io/openshift/x:latest"))
        with pytest.raises(errors.InvalidInput, match="quay.io/openshift/x:latest"):
            self.wait(cluster, [])

    def test_a_contradiction_fails_although_its_first_half_was_rolled_out(self):
        cluster = cluster_of(mirror_set("one", mirrorSourcePolicy="NeverContactSource"), mirror_set("two"))
        rows, _end = rollouts.rollout(0.5, 5.0, registries=mirrored(RELEASE))
        with pytest.raises(errors.Conflict, match=RELEASE):
            self.wait(cluster, rows)

    def test_content_that_never_comes_is_explained_by_who_owns_the_file(self):
        """A MachineConfig of an old guide that sorts after the operator's own."""
        mine = rollouts.config("worker-registries", secret=None, labels={rollouts.ROLE_LABEL: "worker"})
        rows = [step for step in rollouts.rollout(5.3, 10.4, registries=mirrored(RELEASE))[0]
                if step["name"] in ("master", "m0", "rendered-master-2")]
        observer = observer_of(cluster_of(mirror_set(), mine), rows)
        with pytest.raises(errors.Degraded) as caught:
            machine_config_rollout.wait_for(observer, options(start_timeout=30), False)
        assert "configuration of pool worker" in caught.value.message
        assert "MachineConfig worker-registries owns /etc/containers/registries.conf" in caught.value.message
        assert 30 <= observer.clock.now() <= 36

    def test_a_failing_template_controller_is_named_without_its_message(self):
        """Its message quotes the pull secret."""
        controller = {"apiVersion": API, "kind": "ControllerConfig", "metadata": {"name": "machine-config-controller"},
                      "status": {"conditions": [{"type": "TemplateControllerFailing", "status": "True",
                                                 "message": 'couldn\'t compact pullsecret "canary"'}]}}
        observer = observer_of(cluster_of(controller, pull_secret=SECRET_WITH_MIRROR))
        with pytest.raises(errors.Degraded, match="TemplateControllerFailing") as caught:
            machine_config_rollout.wait_for(observer, options(), False)
        assert "canary" not in str(caught.value.result())

    def test_a_controller_that_does_nothing_is_told_by_its_log(self):
        observer = observer_of(cluster_of(mirror_set()))
        with pytest.raises(errors.Degraded, match="oc logs -n openshift-machine-config-operator"):
            machine_config_rollout.wait_for(observer, options(), False)

    def test_an_api_that_does_not_answer_for_a_while(self):
        rows, end = rollouts.rollout(5.3, 10.4, registries=mirrored(RELEASE))
        cluster = cluster_of(mirror_set())
        observer = observer_of(cluster, rows)
        observer.clock.calls = [
            (15, lambda: cluster.refuse("list", "MachineConfigPool", errors.Unreachable("connection refused"))),
            (30, cluster._refused.clear)]
        result = machine_config_rollout.wait_for(observer, options(), False)
        assert observer.clock.now() >= end and result["rollouts"] == 1

    def test_time_runs_out(self):
        rows, _end = rollouts.rollout(5.3, 10.4, registries=mirrored(RELEASE))
        observer = observer_of(cluster_of(mirror_set()), [step for step in rows if step["name"] != "w1"])
        with pytest.raises(errors.TimedOut, match="1 of 2 nodes of pool worker are updated") as caught:
            machine_config_rollout.wait_for(observer, options(timeout=100), False)
        assert caught.value.details["timeline"][0] == {
            "time": "2026-03-01T10:00:00Z", "pool": "master", "text": caught.value.details["timeline"][0]["text"]}
        assert observer.clock.now() == 100

    def test_the_timeline_tells_the_story(self):
        rows, _end = rollouts.rollout(5.3, 10.4, registries=mirrored(RELEASE))
        _observer, result = self.wait(cluster_of(mirror_set()), rows, poll_interval=1)
        told = [entry["text"] for entry in result["timeline"] if entry["pool"] == "worker"]
        assert "is not it yet" in told[0]
        assert told[-2:] == ["all nodes of pool worker are updated; the pool has not said so yet", "pool worker is updated"]

    def test_check_mode_looks_once(self):
        observer = observer_of(cluster_of(mirror_set()))
        result = machine_config_rollout.wait_for(observer, options(), True)
        assert observer.clock.now() == 0
        assert [entry["done"] for entry in result["pools"]] == [False, False]

    def test_a_hosted_control_plane_is_refused(self):
        cluster = FakeCluster(
            {"apiVersion": CONFIG, "kind": "Infrastructure", "metadata": {"name": "cluster"},
             "status": {"controlPlaneTopology": "External"}}, secret())
        with pytest.raises(errors.NotFound, match="hosted elsewhere"):
            self.wait(cluster, [])


class TestPausedAndResumed:
    @staticmethod
    def pause(cluster, check_mode=False):
        return machine_config_rollout.pause(observer_of(cluster), options(), check_mode)

    @staticmethod
    def resume(cluster, rows=(), check_mode=False, **given):
        observer = observer_of(cluster, rows)
        return observer, machine_config_rollout.resume(observer, options(**given), check_mode)

    def test_pause_notes_who_it_was_and_when(self):
        cluster = cluster_of()
        result = self.pause(cluster)
        assert result["changed"]
        for name in ("master", "worker"):
            assert pool(cluster, name)["spec"]["paused"] is True
            assert pool(cluster, name)["metadata"]["annotations"] == {predicates.PAUSED_BY_US: "2026-03-01T10:00:00Z"}
        assert result["diff"]["before"]["worker"] == {"paused": False}
        assert result["diff"]["after"]["worker"] == {"paused": True}

    def test_again_nothing_is_written(self):
        cluster = cluster_of()
        self.pause(cluster)
        cluster.writes.clear()
        assert not self.pause(cluster)["changed"]
        assert cluster.writes == []

    def test_a_pool_that_was_paused_before_stays_so_after_resuming(self):
        cluster = cluster_of(paused=True)
        self.pause(cluster)
        assert predicates.PAUSED_BY_US not in pool(cluster)["metadata"]["annotations"]
        _observer, result = self.resume(cluster)
        assert [(entry["name"], entry["paused"]) for entry in result["pools"]] == [("master", False), ("worker", True)]
        assert cluster.writes == [("patch", "MachineConfigPool", "master")] * 2

    def test_a_pool_that_somebody_pauses_in_the_same_second_is_theirs(self):
        cluster = cluster_of()

        def administrator(behind):
            theirs = pool(behind, "master")
            theirs["spec"]["paused"] = True
            behind.put(theirs)
        cluster.before_write(administrator)
        result = self.pause(cluster)
        assert [(entry["name"], entry["paused"], entry["paused_by_us"]) for entry in result["pools"]] \
            == [("master", True, False), ("worker", True, True)]

    def test_the_status_that_the_controller_writes_meanwhile_does_no_harm(self):
        cluster = cluster_of()
        cluster.before_write(lambda behind: rollouts.apply(behind, row(0, "MCP", "master", observedGeneration=9)))
        self.pause(cluster)
        assert pool(cluster, "master")["spec"]["paused"] and pool(cluster, "master")["status"]["observedGeneration"] == 9

    def test_check_mode_writes_nothing(self):
        cluster = cluster_of()
        result = self.pause(cluster, check_mode=True)
        assert result["changed"] and all(entry["paused_by_us"] for entry in result["pools"])
        assert cluster.writes == []

    def test_resume_waits_until_the_last_change_is_in_the_pools_configuration(self):
        cluster = cluster_of(mirror_set(), pull_secret=SECRET_WITH_MIRROR)
        self.pause(cluster)
        rows = []
        for name in ("master", "worker"):
            rows += rollouts.rendered(0.5, name, 2, 5, registries=mirrored(RELEASE))
            rows += rollouts.rendered(5.5, name, 3, 6, registries=mirrored(RELEASE), secret=SECRET_WITH_MIRROR)
        observer, result = self.resume(cluster, rows)
        assert 5.5 <= observer.clock.now() <= 6.6
        assert (result["changed"], result["late"]) == (True, "")
        for name in ("master", "worker"):
            assert pool(cluster, name)["spec"]["paused"] is False
            assert pool(cluster, name)["metadata"]["annotations"] == {}
            assert pool(cluster, name)["spec"]["configuration"]["name"] == "rendered-%s-3" % name

    def test_resume_without_a_pool_of_ours_only_lists_the_pools(self):
        cluster = cluster_of(mirror_set())
        _observer, result = self.resume(cluster)
        assert (result["changed"], result["late"]) == (False, "")
        assert cluster.requests == [("list", "MachineConfigPool", None)]

    def test_pools_are_resumed_even_if_late_and_the_task_fails_then(self):
        cluster = cluster_of(mirror_set())
        self.pause(cluster)
        observer = observer_of(cluster)
        with pytest.raises(errors.TimedOut, match="are resumed, yet") as caught:
            machine_config_rollout.resume(observer, options(window_timeout=20), False)
        assert observer.clock.now() == 20
        assert caught.value.details["changed"] and "registries.conf lacks" in caught.value.details["late"]
        assert not pool(cluster)["spec"]["paused"]

    def test_or_stay_paused_if_that_is_asked_for(self):
        cluster = cluster_of(mirror_set())
        self.pause(cluster)
        with pytest.raises(errors.TimedOut, match="stay paused"):
            self.resume(cluster, even_if_late=False)
        assert pool(cluster)["spec"]["paused"]

    @pytest.mark.parametrize("trouble", [
        lambda cluster: cluster.put(mirror_set("bad", "quay.io/x:tag")),
        lambda cluster: cluster.refuse("get", "Secret", errors.Forbidden("cannot get secrets")),
        lambda cluster: cluster.put(secret('{"auths":')),
    ])
    def test_whatever_is_wrong_the_pools_do_not_stay_paused(self, trouble):
        cluster = cluster_of()
        self.pause(cluster)
        trouble(cluster)
        with pytest.raises(errors.TimedOut, match="are resumed, yet"):
            self.resume(cluster)
        assert not pool(cluster, "master")["spec"]["paused"] and not pool(cluster)["spec"]["paused"]

    def test_a_write_that_fails_does_not_keep_the_other_pools_paused(self):
        cluster = cluster_of()
        self.pause(cluster)
        patch = cluster.merge_patch

        def refusing(api_version, kind, name, body, namespace=None):
            if name == "master":
                raise errors.Forbidden("cannot patch machineconfigpools")
            return patch(api_version, kind, name, body, namespace)
        cluster.merge_patch = refusing
        with pytest.raises(errors.Forbidden) as caught:
            self.resume(cluster)
        assert not pool(cluster)["spec"]["paused"]
        assert [entry["paused"] for entry in caught.value.details["pools"]] == [True, False]

    @pytest.mark.parametrize("conflicts", [1, machine_config_rollout.CONFLICTS_BORNE])
    def test_a_pool_that_everybody_writes_to_is_resumed_all_the_same(self, conflicts):
        cluster = cluster_of()
        self.pause(cluster)
        patch, met = cluster.merge_patch, []

        def refusing(*arguments):
            if len(met) < conflicts:
                met.append(arguments)
                raise errors.Conflict("the object has been modified")
            return patch(*arguments)
        cluster.merge_patch = refusing
        if conflicts < machine_config_rollout.CONFLICTS_BORNE:
            self.resume(cluster)
        else:
            with pytest.raises(errors.Conflict):
                self.resume(cluster)
        assert pool(cluster, "master")["spec"]["paused"] == (conflicts == machine_config_rollout.CONFLICTS_BORNE)
        assert not pool(cluster)["spec"]["paused"]

    def test_a_pool_that_was_resumed_by_hand_loses_the_note(self):
        cluster = cluster_of()
        self.pause(cluster)
        rollouts.apply(cluster, row(0, "MCP", "worker", paused=False))
        assert self.resume(cluster)[1]["changed"]
        assert pool(cluster)["metadata"]["annotations"] == {}

    def test_resume_in_check_mode_waits_for_nothing(self):
        cluster = cluster_of(mirror_set())
        self.pause(cluster)
        cluster.writes.clear()
        observer, result = self.resume(cluster, check_mode=True)
        assert result["changed"] and observer.clock.now() == 0 and cluster.writes == []


class TestForecast:
    @staticmethod
    def forecast(cluster, **given):
        return machine_config_rollout.forecast(observer_of(cluster), options(**given), False)

    def test_nothing_given_nothing_pending(self):
        result = self.forecast(cluster_of())
        assert (result["changed"], result["changes"], result["rollouts"], result["blockers"]) == (False, [], 0, [])
        assert result["summary"] == ["Pool master (1 node): nothing changes.", "Pool worker (2 nodes): nothing changes."]

    def test_settled_is_only_what_needs_neither_writing_nor_waiting(self):
        assert self.forecast(cluster_of())["settled"]
        assert not self.forecast(cluster_of(), mirror_sets=[mirror_set()])["settled"]
        assert not self.forecast(cluster_of(mirror_set()))["settled"]  # it is there, and on no node yet
        window = pool(cluster_of(), "worker")
        window["spec"]["paused"] = True
        window["metadata"]["annotations"] = {predicates.PAUSED_BY_US: "2026-03-01T10:00:00Z"}
        assert not self.forecast(cluster_of(window))["settled"]
        window["metadata"]["annotations"] = {}  # an administrator's pause is nothing of ours to end
        assert self.forecast(cluster_of(window))["settled"]

    def test_mirrors_and_credentials(self):
        cluster = cluster_of()
        result = self.forecast(cluster, mirror_sets=[mirror_set()], pull_secret_changes=["mirror:5000"],
                               trusted_ca_changes=["mirror:5000"])
        assert result["changes"] == ["ImageDigestMirrorSet mirrors is created",
                                     "The credentials of mirror:5000 in the pull secret change",
                                     "The trusted CA of mirror:5000 changes"]
        assert (result["rollouts"], result["drains"], result["reboots"]) == (1, 0, 0)
        assert result["pools"][1]["files"] == ["/etc/containers/registries.conf", "/var/lib/kubelet/config.json"]
        assert result["pools"][1]["action"] == "reload"
        assert "openshift-apiserver" in result["summary"][-1]
        assert cluster.writes == []

    def test_a_policy_for_signatures_makes_one_more_file_change(self):
        policy = {"apiVersion": CONFIG, "kind": "ClusterImagePolicy", "metadata": {"name": "openshift"},
                  "spec": {"scopes": [RELEASE]}}
        served = (*SERVED, (CONFIG, "ClusterImagePolicy"))
        for version, files in (("4.21.0", ["/etc/containers/registries.conf", machine_config.SIGSTORE_CONF]),
                               ("4.19.0", ["/etc/containers/registries.conf"])):
            cluster = cluster_of(policy)
            cluster.version, cluster.served = version, set(served)
            result = self.forecast(cluster, mirror_sets=[mirror_set()])
            assert (result["pools"][1]["files"], result["drains"], result["reboots"]) == (files, 0, 0)

    def test_the_gate_of_the_next_update_is_told_beforehand(self):
        cluster = cluster_of()
        cluster.version = "4.20.3"
        result = self.forecast(cluster, mirror_sets=[mirror_set()])
        assert "ack-4.20-sigstore-in-4.21" in result["notes"][0] and result["summary"][-1] == result["notes"][0]

    @pytest.mark.parametrize("status, told", [
        ({}, False), ({"httpsProxy": "http://user:hidden@proxy:3128"}, True),
        ({"httpsProxy": "http://proxy:3128", "noProxy": ".cluster.local,mirror"}, False),
    ])
    def test_a_mirror_behind_the_clusters_proxy_is_told_beforehand(self, status, told):
        proxy = {"apiVersion": CONFIG, "kind": "Proxy", "metadata": {"name": "cluster"}, "status": status}
        result = self.forecast(cluster_of(proxy, served=(*SERVED, (CONFIG, "Proxy"))), mirror_sets=[mirror_set()])
        assert [("through the cluster's proxy" in note, "hidden" in note) for note in result["notes"]] == [(True, False)] * told

    def test_tag_mirrors_drain(self):
        result = self.forecast(cluster_of(), mirror_sets=[mirror_set(kind="ImageTagMirrorSet")])
        assert (result["drains"], result["pools"][0]["drain"]) == (3, True)

    def test_the_same_object_again_is_no_change(self):
        rows, end = rollouts.rollout(0.1, 0.2, registries=mirrored(RELEASE))
        cluster = cluster_of(mirror_set())
        observer = observer_of(cluster, rows)
        observer.clock.sleep(end)
        result = machine_config_rollout.forecast(observer, options(mirror_sets=[mirror_set()]), False)
        assert (result["changes"], result["rollouts"]) == ([], 0)
        again = machine_config_rollout.forecast(observer, options(mirror_sets_absent=["ImageDigestMirrorSet mirrors"]), False)
        assert again["changes"] == ["ImageDigestMirrorSet mirrors is deleted"]
        assert (again["drains"], again["reboots"]) == (3, 0)
        other = machine_config_rollout.forecast(
            observer, options(mirror_sets_absent=["ImageTagMirrorSet mirrors", "unknown"]), False)
        assert other["changes"] == []

    def test_what_is_still_on_its_way_counts(self):
        """Credentials written a moment ago, which no pool has noticed."""
        result = self.forecast(cluster_of(pull_secret=SECRET_WITH_MIRROR))
        assert (result["changes"], result["rollouts"]) == ([], 1)
        assert result["pools"][0]["files"] == ["/var/lib/kubelet/config.json"]

    def test_an_object_that_the_operator_would_refuse_fails(self):
        with pytest.raises(errors.InvalidInput):
            self.forecast(cluster_of(), mirror_sets=[mirror_set(source="quay.io/x:tag")])
        with pytest.raises(errors.Conflict):
            self.forecast(cluster_of(mirror_set("theirs", mirrorSourcePolicy="NeverContactSource")),
                          mirror_sets=[mirror_set()])

    def test_what_is_no_object_is_refused(self):
        with pytest.raises(errors.InvalidInput, match="mirror_sets"):
            self.forecast(cluster_of(), mirror_sets=[{"kind": "ImageDigestMirrorSet"}])

    def test_blockers_refuse_before_anything_is_begun(self):
        cluster = cluster_of(rollouts.node("w1", "worker", unschedulable=True), paused=True)
        with pytest.raises(errors.Conflict) as caught:
            self.forecast(cluster, mirror_sets=[mirror_set()])
        assert "MachineConfigPool worker is paused" in caught.value.message
        assert "oc adm uncordon w1" in caught.value.message
        assert caught.value.details["rollouts"] == 1
        assert self.forecast(cluster, mirror_sets=[mirror_set()], fail_on_blockers=False)["blockers"]

    def test_a_file_that_somebody_else_owns_would_never_change(self):
        mine = rollouts.config("worker-registries", secret=None, labels={rollouts.ROLE_LABEL: "worker"})
        with pytest.raises(errors.Conflict, match="MachineConfig worker-registries owns /etc/containers/registries.conf"):
            self.forecast(cluster_of(mine), mirror_sets=[mirror_set()])
        assert not self.forecast(cluster_of(mine), pull_secret_changes=["mirror:5000"])["blockers"]

    def test_blockers_do_not_matter_where_nothing_rolls_out(self):
        assert not self.forecast(cluster_of(paused=True))["blockers"]

    def test_budgets_are_told_where_a_drain_comes_and_do_not_refuse(self):
        budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
                  "metadata": {"name": "single", "namespace": "shop"},
                  "status": {"expectedPods": 1, "disruptionsAllowed": 0}}
        cluster = cluster_of(budget, served=SERVED + (POLICY,))
        assert not self.forecast(cluster, mirror_sets=[mirror_set()])["blockers"]
        found = self.forecast(cluster, mirror_sets=[mirror_set(kind="ImageTagMirrorSet")])["blockers"]
        assert [(entry["namespace"], entry["name"], entry["refuses"]) for entry in found] == [("shop", "single", False)]

    def test_the_administrators_policy_counts_where_it_is_served(self):
        policy = {"apiVersion": OPERATORS, "kind": "MachineConfiguration", "metadata": {"name": "cluster"},
                  "status": {"nodeDisruptionPolicyStatus": {"clusterPolicies": {"files": [
                      {"path": "/var/lib/kubelet/config.json", "actions": [{"type": "Reboot"}]}]}}}}
        served = SERVED + ((OPERATORS, "MachineConfiguration"),)
        result = self.forecast(cluster_of(policy, version="4.18.2", served=served), pull_secret_changes=["mirror:5000"])
        assert (result["reboots"], result["drains"]) == (3, 3)

    def test_the_override_of_drains_and_a_single_node(self):
        override = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
            "name": "image-registry-override-drain", "namespace": "openshift-machine-config-operator"}}
        tags = mirror_set(kind="ImageTagMirrorSet")
        assert self.forecast(cluster_of(override), mirror_sets=[tags])["drains"] == 0
        single = {"apiVersion": CONFIG, "kind": "Infrastructure", "metadata": {"name": "cluster"},
                  "status": {"controlPlaneTopology": "SingleReplica"}}
        assert self.forecast(cluster_of(single), mirror_sets=[tags])["drains"] == 0


class TestMain:
    def test_no_credential_gets_out(self, capsys):
        cluster = cluster_of(pull_secret='{"auths":{"quay.io":{"auth":"Y2FuYXJ5OnBhc3N3b3Jk"}}}')
        result = fake_module.run(machine_config_rollout, capsys, {"state": "forecast"}, cluster)
        assert result["rollouts"] == 1 and not result["changed"]
        assert "Y2FuYXJ5" not in str(result) and "canary" not in str(result)

    def test_a_failure_carries_its_result(self, capsys):
        result = fake_module.run(machine_config_rollout, capsys,
                                 {"state": "forecast", "pull_secret_changes": ["mirror:5000"]}, cluster_of(paused=True))
        assert result["failed"] and "worker is paused" in result["msg"]
        assert result["pools"][1]["blockers"][0]["name"] == "worker"

    def test_a_warning_is_a_warning(self, capsys):
        result = fake_module.run(machine_config_rollout, capsys, {"state": "waited", "poll_interval": 0.01},
                                 cluster_of(paused=True))
        assert not result.get("failed") and "worker is paused" in str(result["warnings"])
