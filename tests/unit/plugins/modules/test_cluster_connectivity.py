# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json

import pytest

pytest.importorskip("openshift")

from ansible_collections.disconnected.openshift.plugins.module_utils import (  # noqa: E402
    errors,
    snapshot,
    snapshot_store,
)
from ansible_collections.disconnected.openshift.plugins.modules import cluster_connectivity  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_clock import FakeClock  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_cluster import CONFIG, SERVED, FakeCluster  # noqa: E402

SAMPLES = ("samples.operator.openshift.io/v1", "Config")
CATALOG = ("olm.operatorframework.io/v1", "ClusterCatalog")


def obj(kind, name, spec, status=None, api=CONFIG):
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": spec, "status": status or {}}


def pull_secret(*registries):
    document = json.dumps({"auths": {registry: {"auth": "Y2FuYXJ5OmNhbmFyeQ=="} for registry in registries}})
    return {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"name": "pull-secret", "namespace": "openshift-config"},
            "data": {".dockerconfigjson": base64.b64encode(document.encode()).decode()}}


def insights(disabled="True", degraded="False", reason="NoToken"):
    return obj("ClusterOperator", "insights", {}, {"conditions": [
        {"type": "Disabled", "status": disabled, "reason": reason}, {"type": "Degraded", "status": degraded}]})


def hub(disabled=True, **spec):
    return obj("OperatorHub", "cluster", spec, {"sources": [{"name": "redhat-operators", "disabled": disabled}]})


def catalog(name):
    return obj("ClusterCatalog", name, {
        "availabilityMode": "Available", "priority": -100, "source": {"image": {"ref": "quay.io/%s:v4.16" % name}}}, api=CATALOG[0])


def cluster_of(*more, served=()):
    """A connected cluster with a snapshot, whose operators follow at once."""
    objects = (pull_secret("quay.io"), insights(), hub(sources=[{"name": "redhat-operators", "disabled": False}]),
               obj("ClusterVersion", "version", {"channel": "stable-4.16", "clusterID": "x"}),
               obj("Image", "cluster", {}),
               obj("Config", "cluster", {"managementState": "Managed"}, api=SAMPLES[0]))
    cluster = FakeCluster(*objects, *more, served=(*SERVED, SAMPLES, *served))
    found = [obj for kind in ("OperatorHub", "ClusterVersion") for obj in cluster.list(CONFIG, kind)]
    snapshot_store.create(cluster, snapshot.take("4.16.30", found, {}))
    cluster.writes.clear()
    return cluster


def run(cluster, check_mode=False, clock=None, **given):
    params = dict({"state": "disconnected", "default_catalogs": True, "updates": "cleared", "update_service": None,
                   "samples": "kept", "samples_registry": None, "wait": 900, "poll_interval": 5}, **given)
    return cluster_connectivity.run(cluster, params, check_mode, lambda *values: None, clock or FakeClock())


def spec(cluster, kind, name="cluster", api=CONFIG):
    return cluster.peek(api, kind, name)["spec"]


class TestDisconnected:
    def test_nothing_is_looked_for_outside(self):
        cluster = cluster_of()
        result = run(cluster)
        assert result["objects"] == ["ClusterVersion version", "OperatorHub cluster"] and result["changed"]
        assert spec(cluster, "OperatorHub") == {"disableAllDefaultSources": True}
        assert spec(cluster, "ClusterVersion", "version") == {"clusterID": "x"}
        assert spec(cluster, "Config", api=SAMPLES[0]) == {"managementState": "Managed"}

    def test_what_is_replaced_is_recorded_before(self):
        cluster = cluster_of()
        run(cluster)
        assert [name for _verb, _kind, name in cluster.writes] == [snapshot.NAME, "cluster", "version"]
        _stored, recorded = snapshot_store.load(cluster)
        assert recorded.objects["clusterversion.version.json"] == {"spec": {"channel": "stable-4.16", "upstream": None}}
        assert recorded.written["clusterversion.version.json"] == {"spec": {"channel": None, "upstream": None}}

    def test_again_writes_nothing(self):
        cluster = cluster_of()
        run(cluster)
        cluster.writes.clear()
        assert not run(cluster)["changed"] and cluster.writes == []

    def test_check_mode_writes_nothing_and_does_not_wait(self):
        cluster, clock = cluster_of(insights(disabled="False")), FakeClock()
        result = run(cluster, check_mode=True, clock=clock)
        assert result["changed"] and cluster.writes == [] and clock.pauses == []
        assert result["diff"]["before"]["ClusterVersion version"]["channel"] == "stable-4.16"
        assert result["diff"]["after"]["ClusterVersion version"]["channel"] is None

    def test_a_source_that_is_disabled_by_itself_stays_so(self):
        cluster = cluster_of(hub(sources=[{"name": "a", "disabled": True}, {"name": "b", "disabled": False}]))
        run(cluster)
        assert spec(cluster, "OperatorHub")["sources"] == [{"name": "a", "disabled": True}]

    def test_a_local_update_service_keeps_the_channel(self):
        cluster = cluster_of()
        run(cluster, updates="service", update_service="https://updates.test/graph")
        assert spec(cluster, "ClusterVersion", "version") == {
            "channel": "stable-4.16", "upstream": "https://updates.test/graph", "clusterID": "x"}

    @pytest.mark.parametrize("given, wanted", [
        ({"samples": "removed"}, {"managementState": "Removed"}),
        ({"samples": "mirrored", "samples_registry": "m:5000"}, {"managementState": "Managed", "samplesRegistry": "m:5000"}),
    ])
    def test_samples(self, given, wanted):
        cluster = cluster_of()
        run(cluster, **given)
        assert spec(cluster, "Config", api=SAMPLES[0]) == wanted

    def test_default_cluster_catalogs_alone_become_unavailable(self):
        cluster = cluster_of(catalog("openshift-redhat-operators"), catalog("ours"), served=(CATALOG,))
        assert "ClusterCatalog openshift-redhat-operators" in run(cluster)["objects"]
        modes = {name: spec(cluster, "ClusterCatalog", name, CATALOG[0])["availabilityMode"]
                 for name in ("openshift-redhat-operators", "ours")}
        assert modes == {"openshift-redhat-operators": "Unavailable", "ours": "Available"}

    def test_not_without_a_snapshot(self):
        cluster = cluster_of()
        cluster.delete("v1", "Secret", snapshot.NAME, snapshot.NAMESPACE)
        cluster.writes.clear()
        with pytest.raises(errors.NotFound, match="cluster_snapshot"):
            run(cluster)
        assert cluster.writes == []

    def test_a_change_in_the_same_moment_is_met_with_a_new_decision(self):
        cluster = cluster_of()
        cluster.before_write(lambda cluster: None)
        body = {"spec": {"channel": "stable-4.17"}}
        cluster.before_write(lambda cluster: cluster.merge_patch(CONFIG, "ClusterVersion", "version", body))
        run(cluster)
        assert "channel" not in spec(cluster, "ClusterVersion", "version")

    def test_a_dry_run_does_not_need_the_snapshot_that_it_did_not_take(self):
        cluster = cluster_of()
        cluster.delete("v1", "Secret", snapshot.NAME, snapshot.NAMESPACE)
        assert run(cluster, check_mode=True)["changed"]


class TestWaiting:
    def test_insights_is_given_the_time_to_notice(self):
        cluster, clock = cluster_of(insights(disabled="False", degraded="True")), FakeClock()
        clock.at(300, lambda: cluster.put(insights()))
        assert run(cluster, clock=clock)["insights"] == "disabled"
        assert 300 <= clock.time < 320

    def test_and_told_if_it_does_not(self):
        with pytest.raises(errors.TimedOut, match="Insights operator has not noticed"):
            run(cluster_of(insights(disabled="False")))

    def test_a_cluster_without_it(self):
        cluster = cluster_of()
        cluster.delete(CONFIG, "ClusterOperator", "insights")
        result = run(cluster)
        assert result["insights"] == "absent" and result["alerts"] == [
            {"name": "SamplesImagestreamImportFailing", "reason": "The samples' images cannot be imported; after two hours."}]

    def test_with_a_token_it_may_be_disabled_for_another_reason(self):
        cluster = cluster_of(pull_secret("cloud.openshift.com"), insights(reason="DisabledByConfiguration"))
        assert run(cluster)["insights"] == "reporting"

    def test_the_marketplace_is_waited_for(self):
        with pytest.raises(errors.TimedOut, match="redhat-operators"):
            run(cluster_of(hub(disabled=False)))


def test_alerts_follow_what_was_switched_off():
    def names(**given):
        return [alert["name"] for alert in run(cluster_of(), wait=0, **given)["alerts"]]
    assert names(samples="removed") == ["InsightsDisabled"]
    assert names(default_catalogs=False, updates="kept") == [
        "InsightsDisabled", "OperatorHubSourceError", "CannotRetrieveUpdates", "SamplesImagestreamImportFailing"]


class TestConnected:
    def test_everything_is_put_back(self):
        cluster = cluster_of(catalog("openshift-redhat-operators"), served=(CATALOG,))
        before = {kind: spec(cluster, *kind) for kind in (
            ("OperatorHub",), ("ClusterVersion", "version"), ("Config", "cluster", SAMPLES[0]),
            ("ClusterCatalog", "openshift-redhat-operators", CATALOG[0]))}
        run(cluster, samples="removed")
        result = run(cluster, state="connected", wait=0)
        assert result["changed"] and len(result["objects"]) == 4 and result["left"] == [] and result["alerts"] == []
        assert {kind: spec(cluster, *kind) for kind in before} == before
        cluster.writes.clear()
        assert not run(cluster, state="connected", wait=0)["changed"] and cluster.writes == []

    def test_what_somebody_changed_since_is_left(self):
        cluster = cluster_of()
        run(cluster)
        cluster.merge_patch(CONFIG, "ClusterVersion", "version", {"spec": {"channel": "fast-4.17"}})
        result = run(cluster, state="connected", wait=0)
        assert result["left"] == ["ClusterVersion version"] and "stable-4.16" in result["warnings"][0]
        assert spec(cluster, "ClusterVersion", "version")["channel"] == "fast-4.17"

    def test_one_field_that_somebody_changed_keeps_no_other_one_back(self):
        """So it is after a later run has served another catalog."""
        cluster = cluster_of()
        run(cluster)
        cluster.merge_patch(CONFIG, "OperatorHub", "cluster", {"spec": {"sources": [{"name": "mine", "disabled": True}]}})
        result = run(cluster, state="connected", wait=0)
        assert result["objects"] == ["ClusterVersion version", "OperatorHub cluster"]
        assert result["left"] == ["OperatorHub cluster"] and result["warnings"][0].startswith("sources of OperatorHub cluster")
        assert spec(cluster, "OperatorHub") == {"sources": [{"name": "mine", "disabled": True}]}

    def test_what_somebody_changed_after_a_run_that_was_killed_is_what_comes_back(self):
        cluster = cluster_of()
        cluster.refuse("patch", "ClusterVersion", errors.Unreachable("killed"))
        with pytest.raises(errors.Unreachable):
            run(cluster)
        cluster._refused.clear()
        cluster.merge_patch(CONFIG, "ClusterVersion", "version", {"spec": {"channel": "fast-4.17"}})
        run(cluster)
        assert "channel" not in spec(cluster, "ClusterVersion", "version")
        run(cluster, state="connected", wait=0)
        assert spec(cluster, "ClusterVersion", "version")["channel"] == "fast-4.17"

    def test_after_a_run_that_was_killed_before_it_wrote_the_object(self):
        cluster = cluster_of()
        cluster.refuse("patch", "ClusterVersion", errors.Unreachable("killed"))
        with pytest.raises(errors.Unreachable):
            run(cluster)
        cluster._refused.clear()
        assert run(cluster, state="connected", wait=0)["left"] == []
        assert spec(cluster, "OperatorHub") == {"sources": [{"name": "redhat-operators", "disabled": False}]}
        assert snapshot_store.load(cluster)[1].written == {}

    def test_without_a_snapshot_there_is_nothing_to_do(self):
        cluster = cluster_of()
        cluster.delete("v1", "Secret", snapshot.NAME, snapshot.NAMESPACE)
        assert not run(cluster, state="connected", wait=0)["changed"]
