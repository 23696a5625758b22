# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's other operators do when a cluster is cut off, and when it comes back."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json

import lab_cluster
import pytest

from lab import cluster, content, operators
from lab.clock import Scale
from lab.kubelet import Kubelet
from lab.mco import context
from lab.settings import Settings
from lab.workloads import DEPLOYMENTS, Workloads


@dataclasses.dataclass
class Pulled:
    ok: bool
    error: str = "no route to host"


class World:
    """Whether the internet, and images at all, can be reached."""

    online = True
    unreachable = ()

    async def complaint(self, image):
        return "no route to host" if image.startswith(tuple(self.unreachable)) else ""

    async def pull(self, node, image, *_policy):
        return Pulled(not any(image.startswith(prefix) for prefix in self.unreachable))


@pytest.fixture
def play(tmp_path):
    """play(story) runs a coroutine function on a cluster with its kubelets and all its operators."""

    def play(story, version="4.18.30"):
        async def whole():
            async with lab_cluster.running(tmp_path, version) as made:
                world, scale = World(), Scale(1.0)
                settings = Settings(release_version=version)
                defaults = cluster.default_sources(settings, content.make("localhost:5001", settings))
                kubelet = Kubelet(made.store, scale, tmp_path / "nodes", world.pull)
                parts = [
                    Workloads(made.store, scale),
                    operators.OtherOperators(made.store, scale, defaults, lambda: world.online, world.complaint),
                ]
                for part in (kubelet, *parts):
                    part.start()
                await story(made, world)
                for part in parts:
                    part.stop()
                await kubelet.stop()

        lab_cluster.run(whole())

    return play


def source(made, name):
    return made.store.get(operators.SOURCES, name, operators.MARKETPLACE)


def state(made, name):
    return source(made, name)["status"]["connectionState"]["lastObservedState"]


def catalog_pods(made, name):
    return made.store.list("pods", operators.MARKETPLACE, {"olm.catalogSource": name})


def remove_token(made):
    secret = made.store.get("secrets", "pull-secret", "openshift-config")
    document = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
    removed = document["auths"].pop("cloud.openshift.com")
    secret["data"][".dockerconfigjson"] = base64.b64encode(json.dumps(document).encode()).decode()
    made.store.update("secrets", secret)
    return removed


def test_a_connected_cluster_is_at_rest(play):
    async def story(made, _world):
        before = made.store.writes
        await asyncio.sleep(86400)
        assert made.store.writes == before

    play(story)


def test_a_cluster_catalog_is_served_once_its_image_can_be_had(play):
    def conditions(made, name):
        found = made.store.get(operators.CATALOGS, name)["status"]["conditions"]
        return {condition["type"]: (condition["status"], condition["reason"]) for condition in found}

    async def story(made, world):
        world.unreachable = ["mirror.test/"]
        image = {"ref": "mirror.test/olm/index:v1"}
        made.store.create(
            operators.CATALOGS, {"metadata": {"name": "ours"}, "spec": {"source": {"type": "Image", "image": image}}}
        )
        await asyncio.sleep(60)
        assert conditions(made, "ours") == {"Progressing": ("True", "Retrying"), "Serving": ("False", "Unavailable")}
        world.unreachable = []
        await asyncio.sleep(30)
        assert conditions(made, "ours") == {"Progressing": ("True", "Succeeded"), "Serving": ("True", "Available")}
        theirs = {"spec": {"availabilityMode": "Unavailable"}}
        made.store.patch(operators.CATALOGS, "openshift-redhat-operators", theirs)
        await asyncio.sleep(5)
        assert conditions(made, "openshift-redhat-operators")["Serving"] == ("False", "UserSpecifiedUnavailable")

    play(story)


def test_default_catalogs_go_and_come_back(play):
    async def story(made, _world):
        made.store.patch(operators.HUBS, "cluster", {"spec": {"disableAllDefaultSources": True}})
        await asyncio.sleep(10)
        assert source(made, "redhat-operators") is None
        assert catalog_pods(made, "redhat-operators") == []
        assert state(made, "acme-operators") == "READY"
        hub = made.store.get(operators.HUBS, "cluster")
        assert {entry["disabled"] for entry in hub["status"]["sources"]} == {True}
        made.store.patch(operators.HUBS, "cluster", {"spec": {"disableAllDefaultSources": None}})
        await asyncio.sleep(20)
        assert state(made, "redhat-operators") == "READY"
        assert len(catalog_pods(made, "redhat-operators")) == 1
        assert source(made, "certified-operators") is None

    play(story)


def test_a_default_catalog_cannot_be_changed_in_place(play):
    async def story(made, _world):
        image = source(made, "redhat-operators")["spec"]["image"]
        change = {"spec": {"image": "mirror.example.com:8443/redhat/redhat-operator-index:v4.18"}}
        made.store.patch(operators.SOURCES, "redhat-operators", change, operators.MARKETPLACE)
        await asyncio.sleep(10)
        assert source(made, "redhat-operators")["spec"]["image"] == image

    play(story)


def test_somebody_elses_catalog_of_a_defaults_name_stays(play):
    async def story(made, _world):
        made.store.patch(operators.HUBS, "cluster", {"spec": {"disableAllDefaultSources": True}})
        await asyncio.sleep(10)
        made.store.create(
            operators.SOURCES,
            {
                "metadata": {"name": "redhat-operators", "namespace": operators.MARKETPLACE},
                "spec": {"sourceType": "grpc", "image": "mirror.example.com:8443/olm/index:v4.18"},
            },
        )
        await asyncio.sleep(60)
        assert state(made, "redhat-operators") == "READY"

    play(story)


def test_a_catalog_is_ready_when_its_image_can_be_pulled(play):
    async def story(made, world):
        world.unreachable = ("mirror.example.com",)
        made.store.create(
            operators.SOURCES,
            {
                "metadata": {"name": "ours", "namespace": operators.MARKETPLACE},
                "spec": {"sourceType": "grpc", "image": "mirror.example.com:8443/olm/index:v4.18"},
            },
        )
        await asyncio.sleep(5)
        assert state(made, "ours") == "CONNECTING"
        await asyncio.sleep(60)
        assert state(made, "ours") == "TRANSIENT_FAILURE"
        (pod,) = catalog_pods(made, "ours")
        assert pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ImagePullBackOff"
        world.unreachable = ()
        await asyncio.sleep(400)
        assert state(made, "ours") == "READY"

    play(story)


def test_another_image_means_another_pod(play):
    async def story(made, _world):
        before = catalog_pods(made, "acme-operators")[0]["metadata"]["name"]
        change = {"spec": {"image": "mirror.example.com:8443/acme/index:v1"}}
        made.store.patch(operators.SOURCES, "acme-operators", change, operators.MARKETPLACE)
        await asyncio.sleep(20)
        (pod,) = catalog_pods(made, "acme-operators")
        assert pod["metadata"]["name"] != before
        assert state(made, "acme-operators") == "READY"

    play(story)


def test_a_catalog_of_olm_v1_can_be_made_unavailable(play):
    async def story(made, _world):
        name = "openshift-redhat-operators"
        made.store.patch(operators.CATALOGS, name, {"spec": {"availabilityMode": "Unavailable"}})
        await asyncio.sleep(10)
        serving = made.conditions(operators.CATALOGS, name)["Serving"]
        assert (serving["status"], serving["reason"]) == ("False", "UserSpecifiedUnavailable")

    play(story)


def test_insights_and_telemetry_follow_the_token(play):
    async def story(made, _world):
        token = remove_token(made)
        await asyncio.sleep(400)
        conditions = made.conditions(context.CLUSTER_OPERATORS, "insights")
        assert (conditions["Disabled"]["status"], conditions["Disabled"]["reason"]) == ("True", "NoToken")
        assert conditions["Degraded"]["status"] == "False"
        assert made.store.get(DEPLOYMENTS, "telemeter-client", "openshift-monitoring") is None
        made.add_to_pull_secret("cloud.openshift.com")
        await asyncio.sleep(400)
        assert token and made.conditions(context.CLUSTER_OPERATORS, "insights")["Disabled"]["status"] == "False"
        status = made.store.get(DEPLOYMENTS, "telemeter-client", "openshift-monitoring")["status"]
        assert status["readyReplicas"] == 1

    play(story)


def test_insights_degrades_some_hours_after_the_cut(play):
    """Not at once: a health check right after the cut proves nothing."""

    async def story(made, world):
        world.online = False
        await asyncio.sleep(3000)
        assert made.operator_condition("insights", "Degraded")["status"] == "False"
        await asyncio.sleep(5 * 3600)
        assert made.operator_condition("insights", "Degraded")["status"] == "True"
        remove_token(made)
        await asyncio.sleep(600)
        assert made.operator_condition("insights", "Degraded")["status"] == "False"

    play(story)


def test_updates_are_asked_for_where_a_channel_says_which(play):
    async def story(made, world):
        world.online = False
        await asyncio.sleep(400)
        retrieved = made.conditions(context.CLUSTER_VERSIONS, "version")["RetrievedUpdates"]
        assert (retrieved["status"], retrieved["reason"]) == ("False", "RemoteFailed")
        made.store.patch(context.CLUSTER_VERSIONS, "version", {"spec": {"channel": None}})
        await asyncio.sleep(10)
        retrieved = made.conditions(context.CLUSTER_VERSIONS, "version")["RetrievedUpdates"]
        assert (retrieved["status"], retrieved["reason"]) == ("False", "NoChannel")

    play(story)
