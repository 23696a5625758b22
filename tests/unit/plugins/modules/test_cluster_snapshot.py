# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json

import pytest

pytest.importorskip("openshift")

from ansible_collections.disconnected.openshift.plugins.module_utils import errors, snapshot  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.module_utils.cluster import OWNER, OWNER_LABEL  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.modules import cluster_snapshot  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit import fake_module, rollouts  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_cluster import CONFIG, FakeCluster  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.nodes import daemon_pods, say  # noqa: E402

OURS = {OWNER_LABEL: OWNER}


def pull_secret():
    data = {".dockerconfigjson": base64.b64encode(rollouts.SECRET.encode()).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson", "data": data,
            "metadata": {"name": "pull-secret", "namespace": "openshift-config"}}


def configured(kind, name, **spec):
    return {"apiVersion": CONFIG, "kind": kind, "metadata": {"name": name}, "spec": spec}


def mirror_set(name, source, labels=None):
    return {"apiVersion": CONFIG, "kind": "ImageDigestMirrorSet", "metadata": {"name": name, "labels": labels or {}},
            "spec": {"imageDigestMirrors": [{"source": source, "mirrors": ["mirror:5000/" + source.partition("/")[2]]}]}}


def cluster_of(*more):
    return FakeCluster(
        *rollouts.objects(), *daemon_pods("m0", "w0", "w1"), pull_secret(), configured("Image", "cluster"),
        configured("OperatorHub", "cluster", sources=[{"name": "redhat-operators", "disabled": True}]),
        configured("ClusterVersion", "version", channel="stable-4.16", clusterID="x"), *more)


@pytest.fixture
def cluster():
    return cluster_of()


@pytest.fixture
def run(capsys):
    return lambda cluster, **args: fake_module.run(
        cluster_snapshot, capsys, {k: v for k, v in args.items() if k != "check_mode"}, cluster,
        check_mode=args.get("check_mode", False))


def stored(cluster):
    return cluster.peek("v1", "Secret", snapshot.NAME, snapshot.NAMESPACE)


def texts(cluster):
    return {key: base64.b64decode(value).decode() for key, value in stored(cluster)["data"].items()}


class TestPresent:
    def test_it_is_taken_once(self, cluster, run):
        first = run(cluster)
        assert first["changed"] and not first["exists"]
        assert first["pools"] == ["master", "worker"] and first["release"] == "4.16.30"
        taken = stored(cluster)
        assert taken["metadata"]["labels"] == OURS
        cluster.merge_patch(CONFIG, "ClusterVersion", "version", {"spec": {"channel": "stable-4.17"}})
        again = run(cluster)
        assert again["exists"] and not again["changed"]
        assert stored(cluster) == taken

    def test_each_object_is_a_patch_that_puts_it_back(self, cluster, run):
        run(cluster)
        keys = texts(cluster)
        assert json.loads(keys["clusterversion.version.json"]) == {"spec": {"channel": "stable-4.16", "upstream": None}}
        assert json.loads(keys["operatorhub.cluster.json"]) == {"spec": {
            "disableAllDefaultSources": None, "sources": [{"name": "redhat-operators", "disabled": True}]}}
        assert json.loads(keys["image.cluster.json"]) == {"spec": {"additionalTrustedCA": None}}

    def test_pools_with_one_file_share_it(self, cluster, run):
        run(cluster)
        keys = texts(cluster)
        pools = json.loads(keys["pools.json"])
        assert pools["master"] == pools["worker"] and keys[pools["worker"]] == rollouts.TEMPLATE

    def test_no_credential_is_in_it(self, cluster, run):
        run(cluster)
        assert "cTpx" not in json.dumps(texts(cluster)) + json.dumps(stored(cluster))

    def test_what_was_unwell_before_the_first_change_is_what_is_remembered(self, cluster, run):
        first = [{"kind": "Node", "namespace": "", "name": "w1", "reason": "not ready"}]
        run(cluster, problems=first)
        run(cluster, problems=[dict(first[0], name="w0")])
        assert json.loads(texts(cluster)["problems.json"]) == first

    def test_check_mode_writes_nothing(self, cluster, run):
        assert run(cluster, check_mode=True)["changed"] and cluster.writes == []

    def test_a_converted_cluster_is_not_taken_for_the_original(self, run):
        cluster = cluster_of(mirror_set("ours", "quay.io/ours", OURS))
        result = run(cluster)
        assert result["pools"] == [] and "ours" in json.dumps(result["warnings"])

    def test_somebody_elses_secret_is_left(self, run):
        cluster = cluster_of({"apiVersion": "v1", "kind": "Secret", "data": {}, "metadata": {
            "name": snapshot.NAME, "namespace": snapshot.NAMESPACE}})
        result = run(cluster)
        assert result["failed"] and OWNER_LABEL in result["msg"] and cluster.writes == []


class TestAbsent:
    def test_it_goes(self, cluster, run):
        run(cluster)
        assert run(cluster, state="absent")["changed"] and stored(cluster) is None
        assert not run(cluster, state="absent")["changed"]

    @pytest.mark.parametrize("text, told", [('{"auths": {"cloud.openshift.com": {"auth": "Y2FuYXJ5OmNhbmFyeQ=="}}}',
                                             "cloud.openshift.com"), ("{", "cannot be read")])
    def test_entries_of_the_pull_secret_that_are_still_saved_are_told(self, cluster, run, text, told):
        cluster.put({"apiVersion": "v1", "kind": "Secret", "data": {".dockerconfigjson": base64.b64encode(text.encode()).decode()},
                     "metadata": {"name": snapshot.DISPLACED_NAME, "namespace": snapshot.NAMESPACE, "labels": OURS}})
        for _time in range(2):
            warnings = json.dumps(run(cluster, state="absent")["warnings"])
            assert told in warnings and "disconnected_removed_registries" in warnings and "Y2Fu" not in warnings

    def test_not_while_it_is_needed(self, cluster, run):
        run(cluster)
        recorded = snapshot.from_data(stored(cluster)["data"])
        recorded = recorded.with_written("clusterversion.version.json", {"spec": {}}, {"spec": {"channel": None}})
        cluster.merge_patch("v1", "Secret", snapshot.NAME, {"data": snapshot.to_data(recorded)}, snapshot.NAMESPACE)
        result = run(cluster, state="absent")
        assert result["failed"] and "clusterversion.version.json" in result["msg"] and stored(cluster)


class TestCompared:
    def test_the_nodes_are_as_they_were(self, cluster, run):
        run(cluster)
        for node in ("m0", "w0", "w1"):
            say(cluster, node, rollouts.TEMPLATE)
        result = run(cluster, state="compared")
        assert result["matches"] and [row["name"] for row in result["nodes"]] == ["m0", "w0", "w1"]

    def test_a_mirror_that_stayed_is_named(self, cluster, run):
        run(cluster)
        for node in ("m0", "w0", "w1"):
            say(cluster, node, rollouts.mirrored("quay.io/ours") if node == "w1" else rollouts.TEMPLATE)
        result = run(cluster, state="compared")
        assert result["failed"] and "w1" in result["msg"] and "mirror:5000/ours" in result["msg"]
        assert not run(cluster, state="compared", fail=False)["matches"]

    def test_what_others_changed_since_counts(self, cluster, run):
        run(cluster)
        cluster.put(mirror_set("theirs", "quay.io/theirs"))
        for node in ("m0", "w0", "w1"):
            say(cluster, node, rollouts.mirrored("quay.io/theirs"))
        result = run(cluster, state="compared")
        assert result["matches"] and "master, worker" in json.dumps(result["warnings"])

    def test_a_file_that_a_hand_has_damaged(self, cluster, run):
        run(cluster)
        name = json.loads(texts(cluster)["pools.json"])["worker"]
        damaged = {name: base64.b64encode(b"[[registry]").decode()}
        cluster.merge_patch("v1", "Secret", snapshot.NAME, {"data": damaged}, snapshot.NAMESPACE)
        for node in ("m0", "w0", "w1"):
            say(cluster, node, rollouts.TEMPLATE)
        result = run(cluster, state="compared")
        assert result["matches"] and "pool worker in the snapshot cannot be read" in json.dumps(result["warnings"])

    def test_a_node_that_cannot_be_read(self, cluster, run):
        run(cluster)
        for node in ("m0", "w0"):
            say(cluster, node, rollouts.TEMPLATE)
        result = run(cluster, state="compared", fail=False)
        assert not result["matches"] and result["nodes"][2]["reason"]


class TestFormat:
    def test_there_and_back(self):
        taken = snapshot.take("4.16.30", [configured("ClusterVersion", "version", channel="a")], {"worker": "x", "master": "y"})
        taken = taken.with_written("clusterversion.version.json", {"spec": {"channel": "a"}}, {"spec": {"channel": None}})
        assert snapshot.from_data(snapshot.to_data(taken)) == taken

    def test_what_was_changed_before_the_first_write_is_what_counts(self):
        taken = snapshot.Snapshot(objects={"k": {"spec": {"channel": "a"}}})
        cut = taken.with_written("k", {"spec": {"channel": "b"}}, {"spec": {"channel": None}})
        assert cut.objects["k"] == {"spec": {"channel": "b"}}
        again = cut.with_written("k", {"spec": {"channel": None}}, {"spec": {"channel": "local"}})
        assert again.objects["k"] == {"spec": {"channel": "b"}}

    def test_and_what_was_changed_after_it_is_what_counts_then(self):
        """Each field by itself. A run that was killed before it wrote the object leaves it in the same state."""
        recorded = {"spec": {"channel": "a", "upstream": "x"}}
        cut = snapshot.Snapshot(objects={"k": recorded}).with_written("k", recorded, {"spec": {"channel": None, "upstream": "y"}})
        again = cut.with_written("k", {"spec": {"channel": "c", "upstream": "y"}}, {"spec": {"channel": None, "upstream": "y"}})
        assert again.objects["k"] == {"spec": {"channel": "c", "upstream": "x"}}

    def test_problems_are_remembered_where_there_is_room_for_them(self):
        problems = [{"kind": "Pod", "namespace": "shop", "name": "cart-1", "reason": "x" * 100}]
        taken = snapshot.take("4.16.30", [], {"worker": "x"}, problems)
        assert snapshot.from_data(snapshot.to_data(taken)).problems == problems
        full = snapshot.take("4.16.30", [], {"worker": "x" * 899_800}, problems * 2)
        assert snapshot.from_data(snapshot.to_data(full)).problems == []

    def test_too_large_for_a_secret(self):
        with pytest.raises(errors.InvalidInput, match="900000"):
            snapshot.to_data(snapshot.Snapshot(pools={"worker": "x" * 900_001}))

    @pytest.mark.parametrize("data, word", [
        ({}, "schema"),
        ({"schema": "Mg=="}, "schema 2"),
        ({"schema": "MQ==", "pools.json": "?"}, "release.json"),
        ({"schema": "MQ==", "written.json": "e30=", "release.json": "IngiCg==",
          "pools.json": base64.b64encode(b'{"a": "gone"}').decode()}, "gone"),
    ])
    def test_what_cannot_be_read_is_named(self, data, word):
        with pytest.raises(errors.InvalidInput, match=word):
            snapshot.from_data(data)

    @pytest.mark.parametrize("key, text", [
        ("schema", ""), ("schema", "{"), ("schema", '"1"'), ("release.json", "7"),
        ("pools.json", "[]"), ("pools.json", '{"worker": 7}'), ("registries-" + "0" * 16 + ".conf", None),
        ("clusterversion.version.json", "[]"), ("clusterversion.version.json", '{"spec": null}'),
        ("clusterversion.version.json", None), ("written.json", None), ("written.json", "[]"),
        ("written.json", '{"clusterversion.version.json": {}}'), ("written.json", '{"clusterversion.version.json": "x"}'),
        ("written.json", '{"operatorhub.cluster.json": {"spec": {}}}'),
    ])
    def test_what_a_hand_has_damaged_is_named(self, key, text):
        """Whatever it is, the Secret and its key are told, and nothing breaks later for it."""
        texts = {"schema": "1", "release.json": '"4.16.30"', "clusterversion.version.json": '{"spec": {"channel": "a"}}',
                 "written.json": '{"clusterversion.version.json": {"spec": {"channel": null}}}',
                 "pools.json": '{"worker": "registries-0000000000000000.conf"}', "registries-" + "0" * 16 + ".conf": ""}
        encoded = {name: base64.b64encode(value.encode()).decode() for name, value in dict(texts, **{key: text or ""}).items()
                   if (name, text) != (key, None)}
        assert snapshot.from_data({name: base64.b64encode(value.encode()).decode() for name, value in texts.items()})
        with pytest.raises(errors.InvalidInput, match=snapshot.NAME):
            snapshot.from_data(encoded)

    def test_what_somebody_else_added_is_no_matter(self):
        data = dict(snapshot.to_data(snapshot.Snapshot()), **{"notes.json": "bm9uZQ=="})
        assert snapshot.from_data(data) == snapshot.Snapshot()
