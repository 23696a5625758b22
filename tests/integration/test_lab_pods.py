# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods of the lab: they start, really run commands on their node, end, leave logs, and can be protected."""

from __future__ import annotations

import shutil
import subprocess
import time

import pytest
from kubernetes import client, config
from kubernetes.stream import stream

from lab_server import MERGE_PATCH, ApiServer

PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    server = ApiServer(tmp_path_factory.mktemp("pods"), "4.19", ("worker-0", "worker-1"))
    yield server
    server.stop()


def pod(name, command=None, *, node="worker-0", host="", labels=None):
    container = {"name": "c", "image": "quay.io/a/b"}
    spec = {"containers": [container], "restartPolicy": "Never" if command else "Always"}
    if node:
        spec["nodeName"] = node
    if command:
        container["command"] = command
    if host:
        container["volumeMounts"] = [{"name": "host", "mountPath": host}]
        spec["volumes"] = [{"name": "host", "hostPath": {"path": "/"}}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels or {}}, "spec": spec}


def wait_for(api, name, *phases):
    for _try in range(100):
        found = api.call("GET", f"{PODS}/{name}").body
        if found.get("status", {}).get("phase") in phases:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{name} did not become {phases}: {found}")


def execute(api, name, *command):
    """stdout, stderr and exit code of a command, through the Python client's websocket."""
    core = client.CoreV1Api(config.new_client_from_config(str(api.kubeconfig())))
    session = stream(core.connect_get_namespaced_pod_exec, name, "default", container="c", command=list(command),
                     stdout=True, stderr=True, stdin=False, tty=False, _preload_content=False)
    session.run_forever(timeout=10)
    return session.read_stdout(), session.read_stderr(), session.returncode


def test_a_pod_runs_commands_in_its_nodes_files(api):
    api.call("POST", PODS, pod("plain"))
    wait_for(api, "plain", "Running")
    assert execute(api, "plain", "cat", "/etc/hostname") == ("worker-0\n", "", 0)
    out, err, code = execute(api, "plain", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (out, err, code) == ("out\n", "err\n", 3)


@pytest.mark.parametrize("mount", ["/host", "/rootfs"])
def test_a_pod_that_mounts_the_node_sees_it_there(api, mount):
    name = f"mounts-{mount.strip('/')}"
    api.call("POST", PODS, pod(name, host=mount))
    wait_for(api, name, "Running")
    path = f"{mount}/etc/containers/registries.conf"
    assert "unqualified-search-registries" in execute(api, name, "cat", path)[0]


def test_a_debug_pod_runs_to_its_end_and_leaves_its_log(api):
    api.call("POST", PODS, pod("debug", ["chroot", "/host", "cat", "/etc/hostname"], node="worker-1", host="/host"))
    ended = wait_for(api, "debug", "Succeeded")
    assert ended["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 0
    assert api.call("GET", f"{PODS}/debug/log").body == "worker-1\n"
    api.call("POST", PODS, pod("fails", ["sh", "-c", "echo why; exit 5"]))
    failed = wait_for(api, "fails", "Failed")
    assert failed["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 5
    assert api.call("GET", f"{PODS}/fails/log").body == "why\n"


def test_a_followed_log_arrives_as_it_is_written(api):
    api.call("POST", PODS, pod("talks", ["sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.1; done"]))
    wait_for(api, "talks", "Running", "Succeeded")
    assert api.call("GET", f"{PODS}/talks/log?follow=true").body.split() == ["1", "2", "3"]
    assert api.call("GET", f"{PODS}/talks/log?tailLines=1").body == "3\n"


def test_no_command_runs_where_nothing_runs(api):
    wait_for(api, "fails", "Failed")
    refused = api.call("GET", f"{PODS}/fails/exec?command=ls")
    assert refused.code == 400 and "cannot exec into a container in a completed pod" in refused.message
    api.call("POST", PODS, pod("lost", node="no-such-node"))
    assert api.call("GET", f"{PODS}/lost/log").code == 404
    refused = api.call("GET", f"{PODS}/plain/exec?command=ls&container=other")
    assert refused.message == "container other is not valid for pod plain"


def test_a_pod_without_a_node_finds_one_that_takes_pods(api):
    for node in ("worker-0", "worker-1"):
        api.call("PATCH", f"/api/v1/nodes/{node}", {"spec": {"unschedulable": True}}, kind=MERGE_PATCH)
    api.call("POST", PODS, pod("homeless", node=""))
    time.sleep(0.2)
    waiting = api.call("GET", f"{PODS}/homeless").body
    assert "nodeName" not in waiting["spec"] and waiting["status"]["conditions"][0]["reason"] == "Unschedulable"
    for node in ("worker-1", "worker-0"):
        api.call("PATCH", f"/api/v1/nodes/{node}", {"spec": {"unschedulable": None}}, kind=MERGE_PATCH)
    assert wait_for(api, "homeless", "Running")["spec"]["nodeName"] == "worker-1"


def test_a_disruption_budget_protects_from_eviction(api):
    api.call("POST", PODS, pod("protected", labels={"app": "one"}))
    wait_for(api, "protected", "Running")
    budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
    budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "one"},
              "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "one"}}}}
    api.call("POST", budgets, budget)
    assert api.call("GET", f"{budgets}/one").body["status"]["disruptionsAllowed"] == 0
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "protected"}}
    refused = api.call("POST", f"{PODS}/protected/eviction", eviction)
    assert refused.code == 429
    assert refused.message == "Cannot evict pod as it would violate the pod's disruption budget."
    api.call("DELETE", f"{budgets}/one")
    assert api.call("POST", f"{PODS}/protected/eviction", eviction).code == 201
    assert api.call("GET", f"{PODS}/protected").body["metadata"].get("deletionTimestamp")


def test_a_deleted_pod_ends_before_it_goes(api):
    api.call("POST", PODS, pod("sleeps", ["sleep", "60"]))
    wait_for(api, "sleeps", "Running")
    assert api.call("DELETE", f"{PODS}/sleeps").body["metadata"]["deletionTimestamp"]
    assert api.call("GET", f"{PODS}/sleeps").code == 200
    for _try in range(50):
        if api.call("GET", f"{PODS}/sleeps").code == 404:
            return
        time.sleep(0.1)
    raise AssertionError("the pod is still there")


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_kubectl_runs_commands_whatever_it_speaks(api, tmp_path):
    kubectl = ["kubectl", f"--kubeconfig={api.kubeconfig()}", f"--cache-dir={tmp_path}"]
    command = [*kubectl, "exec", "-i", "plain", "--", "cat"]
    ran = subprocess.run(command, input="typed\n", text=True, capture_output=True, timeout=30, check=False)
    assert (ran.returncode, ran.stdout) == (0, "typed\n")
