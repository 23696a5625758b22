# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab begins with: objects that agree with each other, nodes with their files, workloads that stay."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess

import lab_cluster
import pytest

from lab import frame, nodefs
from lab.clock import Scale
from lab.kubelet import Kubelet
from lab.mco import configs, context
from lab.workloads import DAEMON_SETS, DEPLOYMENTS, REPLICA_SETS, Workloads


@pytest.mark.parametrize(
    "count, masters, workers, both",
    [
        (1, 1, 1, True),
        (2, 1, 1, False),
        (3, 3, 3, True),
        (4, 3, 1, False),
        (6, 3, 3, False),
        (500, 3, 497, False),
    ],
)
def test_the_shape_of_a_cluster(count, masters, workers, both):
    roles = frame.node_roles(count)
    assert len(roles) == count
    assert sum("master" in held for held in roles.values()) == masters
    assert sum("worker" in held for held in roles.values()) == workers
    assert (roles["master-0"] == ("master", "worker")) is both


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """A cluster that nobody changes."""

    async def story():
        async with lab_cluster.running(tmp_path_factory.mktemp("seeded")) as made:
            return made

    return lab_cluster.run(story())


def test_nodes_hold_what_the_cluster_says(seeded):
    for node in seeded.nodes():
        config = seeded.store.item(context.MACHINE_CONFIGS, seeded.annotation(node, context.CURRENT_CONFIG)).object
        for path, file in configs.files_of(config).items():
            assert seeded.file(node, path).encode() == configs.content(file)
    revision = seeded.store.get(context.CONTROLLER_CONFIGS, context.CONTROLLER_CONFIG)["metadata"]["resourceVersion"]
    assert {seeded.annotation(node, context.SYNCED_CONTROLLER_CONFIG) for node in seeded.nodes()} == {revision}


def test_the_pull_secret_knows_the_registries_of_a_connected_cluster(seeded):
    secret = seeded.store.get("secrets", "pull-secret", "openshift-config")
    auths = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))["auths"]
    assert {"cloud.openshift.com", "quay.io", "registry.redhat.io", "localhost:5001"} <= auths.keys()
    assert base64.b64decode(auths["localhost:5001"]["auth"]) == b"user:password"


def test_every_pod_runs_an_image_of_the_content(seeded):
    for item in seeded.store.items("pods"):
        for container in item.object["spec"]["containers"]:
            assert container["image"].startswith("localhost:5001/")
        for status in item.object["status"]["containerStatuses"]:
            assert "@sha256:" in status["imageID"]


def test_every_owner_is_there(seeded):
    """Owner references name objects that exist, so that garbage collection spares what they own."""
    store = seeded.store
    for resource in store.table:
        for item in (
            store.items(resource.key)
            if "list" in resource.verbs and resource.key != "projects.project.openshift.io"
            else ()
        ):
            for owner in item.object["metadata"].get("ownerReferences") or ():
                kind = store.table.of_kind(owner["apiVersion"], owner["kind"])
                found = store.item(
                    kind.key, owner["name"], item.object["metadata"].get("namespace") if kind.namespaced else None
                )
                assert found and found.object["metadata"]["uid"] == owner["uid"]


def test_a_container_sees_its_node(seeded):
    root = seeded.directory / "nodes" / "worker-1"
    script = "cat /rootfs/etc/hostname; chroot /host sh -c 'base64 /etc/hostname; ls /etc/docker/certs.d | wc -l'"
    command = ["unshare", "--map-root-user", "--", "chroot", str(root), "sh", "-c", script]
    done = subprocess.run(
        command, env={"PATH": "/usr/bin:/usr/sbin:/bin"}, text=True, capture_output=True, check=False
    )
    assert done.stdout.split() == ["worker-1", base64.b64encode(b"worker-1\n").decode(), "2"], done.stderr


def test_a_nodes_files_are_written_whole_and_with_their_mode(tmp_path):
    files = nodefs.NodeFiles(tmp_path)
    files.write("/var/lib/kubelet/config.json", b"{}", 0o600)
    assert files.read("/var/lib/kubelet/config.json") == b"{}"
    assert files.mode("/var/lib/kubelet/config.json") == 0o600
    assert files.listing("/var/lib/kubelet") == ["config.json"]
    files.remove("/var/lib/kubelet")
    files.remove("/var/lib/kubelet")
    assert files.read("/var/lib/kubelet/config.json") is None
    assert files.listing("/var/lib/kubelet") == []


def test_a_busybox_that_needs_libraries_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(nodefs, "BUSYBOX", tmp_path / "busybox")
    (tmp_path / "busybox").write_bytes(b"#!/bin/sh\n")
    with pytest.raises(nodefs.NoBusybox, match="apt-get install busybox-static"):
        nodefs.busybox(tmp_path / "programs")


# Workloads


@pytest.fixture
def play(tmp_path):
    """play(story) runs a coroutine function on a cluster whose kubelets and workload controllers run."""

    def play(story):
        async def whole():
            async with lab_cluster.running(tmp_path) as made:
                kubelet, keeper = (
                    Kubelet(made.store, Scale(1.0), tmp_path / "nodes"),
                    Workloads(made.store, Scale(1.0)),
                )
                kubelet.start()
                keeper.start()
                await story(made)
                keeper.stop()
                await kubelet.stop()

        lab_cluster.run(whole())

    return play


def pods(made, namespace):
    return [item.object for item in made.store.items("pods", namespace)]


def ready(made, namespace):
    return sum(
        any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])
        for pod in pods(made, namespace)
    )


def test_healthy_workloads_are_left_alone(play):
    async def story(made):
        before = made.store.writes
        await asyncio.sleep(600)
        assert made.store.writes == before

    play(story)


def test_a_pod_that_goes_comes_back_elsewhere(play):
    async def story(made):
        gone = pods(made, "warehouse")[0]
        made.cordon(gone["spec"]["nodeName"])
        made.store.delete("pods", gone["metadata"]["name"], "warehouse")
        await asyncio.sleep(10)
        (back,) = pods(made, "warehouse")
        assert back["spec"]["nodeName"] != gone["spec"]["nodeName"]
        assert made.store.get(DEPLOYMENTS, "inventory", "warehouse")["status"]["readyReplicas"] == 1

    play(story)


def test_a_deployment_follows_its_template_and_its_scale(play):
    async def story(made):
        container = {"name": "frontend", "image": "localhost:5001/other@sha256:" + "0" * 64}
        template = {"spec": {"template": {"spec": {"containers": [container]}}, "replicas": 3}}
        made.store.patch(DEPLOYMENTS, "frontend", template, "shop")
        await asyncio.sleep(20)
        assert {pod["spec"]["containers"][0]["image"] for pod in pods(made, "shop")} == {container["image"]}
        assert ready(made, "shop") == 3
        status = made.store.get(DEPLOYMENTS, "frontend", "shop")["status"]
        assert (status["replicas"], status["updatedReplicas"], status["availableReplicas"]) == (3, 3, 3)

    play(story)


def test_a_new_deployment_gets_its_pods_and_takes_them_along(play):
    async def story(made):
        made.store.create(
            DEPLOYMENTS,
            {
                "metadata": {"name": "probe", "namespace": "default"},
                "spec": {
                    "replicas": 2,
                    "selector": {"matchLabels": {"app": "probe"}},
                    "template": {
                        "metadata": {"labels": {"app": "probe"}},
                        "spec": {"containers": [{"name": "c", "image": "localhost:5001/x"}]},
                    },
                },
            },
        )
        await asyncio.sleep(10)
        assert ready(made, "default") == 2
        made.store.delete(DEPLOYMENTS, "probe", "default")
        await asyncio.sleep(10)
        assert pods(made, "default") == [] == list(made.store.items(REPLICA_SETS, "default"))

    play(story)


@pytest.mark.parametrize("tolerations, roles", [([], ["worker"]), ([{"operator": "Exists"}], ["master", "worker"])])
def test_a_daemon_set_has_a_pod_on_every_node_whose_taints_it_tolerates(play, tolerations, roles):
    async def story(made):
        containers = [{"name": "c", "image": "localhost:5001/x"}]
        made.store.create(
            DAEMON_SETS,
            {
                "metadata": {"name": "puller", "namespace": "default"},
                "spec": {
                    "selector": {"matchLabels": {"app": "puller"}},
                    "template": {
                        "metadata": {"labels": {"app": "puller"}},
                        "spec": {"containers": containers, "tolerations": tolerations},
                    },
                },
            },
        )
        await asyncio.sleep(10)
        expected = [node for node in made.nodes() if node.partition("-")[0] in roles]
        assert sorted(pod["spec"]["nodeName"] for pod in pods(made, "default")) == expected
        assert made.store.get(DAEMON_SETS, "puller", "default")["status"]["numberReady"] == len(expected)

    play(story)
