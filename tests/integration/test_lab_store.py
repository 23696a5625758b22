# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's store: revisions, generations, finalizers, and who hears of what in which order."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab.api import selectors  # noqa: E402
from lab.api.errors import Refusal  # noqa: E402
from lab.api.gojson import json_error  # noqa: E402
from lab.api.patch import json_patch, strategic  # noqa: E402
from lab.api.shapes import native  # noqa: E402
from lab.api.store import Store, merge_patch  # noqa: E402

POOLS = "machineconfigpools.machineconfiguration.openshift.io"


@pytest.fixture
def store():
    return Store("4.16")


def config_map(name="a", **more):
    return {"metadata": {"name": name, "namespace": "n"}, **more}


def test_a_created_object_gets_what_the_server_owns(store):
    created = store.create("configmaps", config_map(data={"k": "1"}))
    assert created["kind"] == "ConfigMap" and created["apiVersion"] == "v1"
    assert created["metadata"]["uid"] and created["metadata"]["creationTimestamp"]
    assert created["metadata"]["resourceVersion"] == str(store.revision)


def test_a_generated_name_that_is_taken_is_generated_anew(store, monkeypatch):
    """As of Kubernetes 1.30; after eight times it gives up."""
    letters = iter("bbbbb" * 2 + "ccccc" + "bbbbb" * 8)
    monkeypatch.setattr("lab.api.store.secrets.choice", lambda _alphabet: next(letters))
    pods = [{"metadata": {"generateName": "web-", "namespace": "n"}} for _each in range(3)]
    assert [store.create("pods", pod)["metadata"]["name"] for pod in pods[:2]] == ["web-bbbbb", "web-ccccc"]
    with pytest.raises(Refusal, match="already exists"):
        store.create("pods", pods[2])


def test_what_is_handed_out_is_a_copy(store):
    store.create("configmaps", config_map(data={"k": "1"}))["data"]["k"] = "changed"
    store.get("configmaps", "a", "n")["data"]["k"] = "changed"
    assert store.get("configmaps", "a", "n")["data"] == {"k": "1"}


def test_a_write_that_changes_nothing_keeps_the_revision_and_tells_nobody(store):
    created = store.create("configmaps", config_map(data={"k": "1"}))
    heard = []
    store.subscribe("configmaps", lambda event, obj: heard.append(event))
    assert store.update("configmaps", created) == created
    assert store.patch("configmaps", "a", {"data": {"k": "1"}}, "n") == created
    assert heard == []


def test_only_what_is_wished_moves_the_generation(store):
    pool = store.create(POOLS, {"metadata": {"name": "worker"}, "spec": {}, "status": {"machineCount": 1}})
    assert pool["metadata"]["generation"] == 1
    assert store.patch(POOLS, "worker", {"metadata": {"labels": {"a": "b"}}})["metadata"]["generation"] == 1
    assert store.patch(POOLS, "worker", {"status": {"machineCount": 2}}, status=True)["metadata"]["generation"] == 1
    assert store.patch(POOLS, "worker", {"spec": {"paused": True}})["metadata"]["generation"] == 2


def test_status_is_written_apart(store):
    store.create(POOLS, {"metadata": {"name": "worker"}, "spec": {"paused": False}, "status": {"machineCount": 1}})
    both = {"spec": {"paused": True}, "status": {"machineCount": 9}}
    assert store.patch(POOLS, "worker", both)["status"] == {"machineCount": 1}
    assert store.patch(POOLS, "worker", {**both, "spec": {"paused": False}}, status=True)["spec"] == {"paused": True}


def test_a_stale_revision_is_refused(store):
    first = store.create("configmaps", config_map(data={"k": "1"}))
    store.patch("configmaps", "a", {"data": {"k": "2"}}, "n")
    with pytest.raises(Refusal) as refused:
        store.update("configmaps", first)
    assert refused.value.code == 409 and "the object has been modified" in refused.value.message


def test_a_finalizer_holds_a_deleted_object(store):
    store.create("configmaps", config_map(metadata={"name": "a", "namespace": "n", "finalizers": ["x.io/f"]}))
    heard = []
    store.subscribe("configmaps", lambda event, obj: heard.append(event))
    assert store.delete("configmaps", "a", "n")["metadata"]["deletionTimestamp"]
    assert store.get("configmaps", "a", "n") is not None
    store.patch("configmaps", "a", {"metadata": {"finalizers": None}}, "n")
    assert store.get("configmaps", "a", "n") is None
    assert heard == ["MODIFIED", "DELETED"]


def test_what_a_listener_causes_is_told_after_what_caused_it(store):
    heard = []

    def copy(event, obj):
        if event == "ADDED" and obj["metadata"]["name"] == "a":
            store.create("configmaps", config_map("b"))

    store.subscribe("configmaps", copy)
    store.subscribe("configmaps", lambda event, obj: heard.append(obj["metadata"]["name"]))
    store.create("configmaps", config_map("a"))
    assert heard == ["a", "b"]


def test_history_begins_where_it_was_compacted(store):
    before = store.revision
    store.create("configmaps", config_map("a"))
    assert [event.type for event in store.since("configmaps", before)] == ["ADDED"]
    store.forget()
    with pytest.raises(Refusal) as refused:
        store.since("configmaps", before)
    assert refused.value.code == 410


@pytest.mark.parametrize(("version", "key", "served"), [
    ("4.12", "imagedigestmirrorsets.config.openshift.io", False),
    ("4.13", "imagedigestmirrorsets.config.openshift.io", True),
    ("4.13", "imagecontentsourcepolicies.operator.openshift.io", True),
    ("4.16", "machineconfigurations.operator.openshift.io", False),
    ("4.17", "machineconfigurations.operator.openshift.io", True),
    ("4.17", "clustercatalogs.olm.operatorframework.io", False),
    ("4.18", "clustercatalogs.olm.operatorframework.io", True),
])
def test_a_version_serves_what_it_served(version, key, served):
    assert (key in Store(version).table) is served


@pytest.mark.parametrize(("selector", "fits"), [
    ("a=1", True), ("a==1", True), ("a!=1", False), ("b!=1", True), ("a", True), ("!a", False), ("!b", True),
    ("a in (1,2)", True), ("a notin (1, 2)", False), ("b notin (1)", True), ("a=1,c=3", False), ("a in (1),!b", True),
])
def test_label_selectors(selector, fits):
    assert selectors.labels(selector)({"metadata": {"labels": {"a": "1"}}}) is fits


def test_merge_patch_removes_by_null_and_leaves_its_arguments_alone():
    target = {"a": {"b": 1, "c": 2}, "d": [1, 2]}
    assert merge_patch(target, {"a": {"b": None}, "d": [3]}) == {"a": {"c": 2}, "d": [3]}
    assert target == {"a": {"b": 1, "c": 2}, "d": [1, 2]}


@pytest.mark.parametrize(("operations", "result"), [
    ([{"op": "add", "path": "/a/-", "value": 3}], {"a": [1, 2, 3], "b/c": "x"}),
    ([{"op": "add", "path": "/a/0", "value": 0}], {"a": [0, 1, 2], "b/c": "x"}),
    ([{"op": "remove", "path": "/b~1c"}], {"a": [1, 2]}),
    ([{"op": "move", "from": "/b~1c", "path": "/d"}], {"a": [1, 2], "d": "x"}),
    ([{"op": "test", "path": "/a/1", "value": 2}, {"op": "remove", "path": "/a/1"}], {"a": [1], "b/c": "x"}),
    ([{"op": "replace", "path": "/a/1", "value": 9}], {"a": [1, 9], "b/c": "x"}),
])
def test_json_patch(operations, result):
    assert json_patch({"a": [1, 2], "b/c": "x"}, operations) == result


def test_strategic_merge_goes_by_the_keys_of_lists():
    pod = {"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]}}
    patched = strategic(native("Pod"), pod, {"spec": {"containers": [{"name": "b", "image": "3"}, {"name": "c"}]}})
    assert [(c["name"], c.get("image")) for c in patched["spec"]["containers"]] == [("a", "1"), ("b", "3"), ("c", None)]
    deleted = strategic(native("Pod"), pod, {"spec": {"containers": [{"$patch": "delete", "name": "a"}]}})
    assert [c["name"] for c in deleted["spec"]["containers"]] == ["b"]


# Each text with what Go's encoding/json says of it, as a real API server 1.32 answered.
@pytest.mark.parametrize(("text", "complaint"), [
    ("", "unexpected end of JSON input"),
    ('{"auths":{}', "unexpected end of JSON input"),
    ('{"auths":{}}}', "invalid character '}' after top-level value"),
    ('{"auths":{}},"x":1}', "invalid character ',' after top-level value"),
    ("nope", "invalid character 'o' in literal null (expecting 'u')"),
    ('{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
    ("[1 2]", "invalid character '2' after array element"),
    ('{"a":[1,2}', "invalid character '}' after array element"),
    ("{a:1}", "invalid character 'a' looking for beginning of object key string"),
    ('{"a" 1}', "invalid character '1' after object key"),
    ('{"a":"\t"}', "invalid character '\\t' in string literal"),
    ('{"a":tru}', "invalid character '}' in literal true (expecting 'e')"),
    ('{"a":1,}', "invalid character '}' looking for beginning of object key string"),
    ('{"a":"x\\q"}', "invalid character 'q' in string escape code"),
    ("[]", "json: cannot unmarshal array into Go value of type map[string]interface {}"),
    ('{"foo":1}', ""),
    ("null", ""),
])
def test_broken_json_is_named_as_go_names_it(text, complaint):
    assert json_error(text.encode()) == complaint
