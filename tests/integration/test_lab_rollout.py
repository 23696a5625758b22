# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's rollouts, held against recordings of a real machine-config-controller.

tests/fixtures/rollouts holds one story a file: what was done, when, and what the recording comes to, in the words of
rollout_stories. The lab does the same things at the speed of a real cluster, but in a time that passes by itself
whenever nothing is left to do, and must come to the same.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import pathlib

import lab_cluster
import pytest
import rollout_stories

from lab import mco
from lab.mco import context

STORIES = {
    path.stem: json.loads(path.read_text())
    for path in sorted((pathlib.Path(__file__).resolve().parents[1] / "fixtures" / "rollouts").glob("*.json"))
}
POOLS = ("master", "worker")
# The recordings' daemon was a stand-in that looked every second where the real one looks every ten.
PACE = mco.Pace(daemon_poll=1.0, daemon_reaction=0.02, work=0.02)


@dataclasses.dataclass
class Told:
    """What came of one story: its observations, each pool's configuration when the cluster was new and when the story
    began, the controller's log."""

    observations: list
    origin: dict
    start: dict
    log: str
    cluster: lab_cluster.Cluster


class Observer:
    """Writes down what changes in a store, as rollout_stories wants it."""

    def __init__(self, store):
        self.observations = []
        self._loop = asyncio.get_running_loop()
        self._begin = self._loop.time()
        for resource, listener in (
            (context.MACHINE_CONFIGS, self._config),
            (context.POOLS, self._pool),
            (context.NODES, self._node),
            ("events", self._event),
        ):
            store.listen(resource, listener)

    def _note(self, what, name, value):
        self.observations.append((self._loop.time() - self._begin, what, name, value))

    def _config(self, event):
        self._note("config", event.item.object["metadata"]["name"], "created" if event.type == "ADDED" else "written")

    def _pool(self, event):
        new, old = event.item.object, event.previous.object
        name = new["metadata"]["name"]
        if new["spec"]["configuration"]["name"] != old["spec"]["configuration"]["name"]:
            self._note("target", name, new["spec"]["configuration"]["name"])
        changed = difference(pool_fields(old), pool_fields(new))
        if changed:
            self._note("status", name, changed)

    def _node(self, event):
        changed = difference(node_fields(event.previous.object), node_fields(event.item.object))
        if changed:
            self._note("node", event.item.object["metadata"]["name"], changed)

    def _event(self, event):
        said = event.item.object
        if said["involvedObject"]["kind"] == "MachineConfigPool" and event.type == "ADDED":
            self._note("event", said["involvedObject"]["name"], "%s: %s" % (said["reason"], said["message"]))


def difference(old, new):
    return {key: value for key, value in new.items() if old.get(key) != value}


def pool_fields(pool):
    status = pool["status"]
    fields = {
        c["type"]: c["status"] + (": " + c["message"] if c["message"] else "")
        for c in status["conditions"]
        if c["type"] in ("Updated", "Updating", "Degraded")
    }
    counts = [status[key + "MachineCount"] for key in ("updated", "ready", "unavailable", "degraded")]
    return fields | {
        "reported": status["configuration"]["name"],
        "counts": [status["machineCount"], *counts],
        "generation": status["observedGeneration"],
    }


def node_fields(node):
    keys = (context.DESIRED_CONFIG, context.CURRENT_CONFIG, context.DESIRED_DRAIN)
    return {key.rpartition("/")[2]: context.annotation(node, key) for key in keys} | {
        "tainted": any(taint["key"] == "UpdateInProgress" for taint in node["spec"].get("taints") or ()),
        "unschedulable": bool(node["spec"].get("unschedulable")),
    }


def act(cluster, action):
    """Do what a story says was done."""
    match action["do"]:
        case "create":
            cluster.mirror(action["kind"], action["name"], *action["rules"])
        case "delete":
            cluster.unmirror(action["kind"], action["name"])
        case "pause" | "unpause" as verb:
            cluster.pause(verb == "pause")
        case "cordon" | "uncordon" as verb:
            cluster.cordon(action["node"], verb == "cordon")
        case "add to pull secret":
            cluster.add_to_pull_secret(*action["registries"])
        case "degrade the first target":
            degrade_the_first_target(cluster, action["pool"], action["reason"])
        case "recover":
            for node in list(cluster.operator.faults.degraded):
                cluster.operator.recover(node)


def degrade_the_first_target(cluster, pool, reason):
    def watch(event):
        name = event.item.object["metadata"]["name"]
        if name.startswith(pool) and context.annotation(event.item.object, context.STATE) == context.WORKING:
            cluster.operator.degrade(name, reason)
            leave()

    leave = cluster.store.listen(context.NODES, watch)


async def tell(story, directory):
    """Play a story on a cluster of its own."""
    async with lab_cluster.running(directory, story["release"], pace=PACE) as cluster:
        origin = targets(cluster)
        for given in story["given"]:
            act(cluster, {"do": "create"} | given)
        if story["given"]:
            await cluster.settled()
        observer, begin, start = Observer(cluster.store), asyncio.get_running_loop().time(), targets(cluster)
        for action in story["actions"]:
            await until(begin + action["at"])
            act(cluster, action)
        await until(begin + story["lasts"])
        await cluster.settled()
        return Told(observer.observations, origin, start, cluster.log, cluster)


async def until(moment):
    await asyncio.sleep(max(0.0, moment - asyncio.get_running_loop().time()))


def targets(cluster):
    return {pool: cluster.target(pool) for pool in POOLS}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """All stories, played one after the other."""
    return {name: lab_cluster.run(tell(story, tmp_path_factory.mktemp(name))) for name, story in STORIES.items()}


def without_between(summary):
    """A summary that leaves out how often a pool was rendered on the way."""
    kept = {
        key: [one for one in value if "between" not in str(one)] if isinstance(value, list) else value
        for key, value in summary.items()
    }
    return {key: value for key, value in kept.items() if key != "written"}


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("name", STORIES)
def test_a_story_goes_as_in_its_recording(told, name, pool):
    story = STORIES[name]
    expected = story["expect"].get("both") or story["expect"][pool]
    found = summary(told[name], pool)
    moments = found.pop("moments")
    if "races" in story:
        expected, found = without_between(expected), without_between(found)
    assert anonymous(found) == anonymous(expected)
    recorded = story["moments"][pool]
    assert list(moments) == list(recorded)
    assert moments == pytest.approx(recorded, abs=story.get("slack", 1.5))


def summary(ours, pool):
    return rollout_stories.summary(ours.observations, ours.start[pool], pool)


def anonymous(summary):
    """Which worker comes first is left to chance."""
    return json.loads(json.dumps(summary).replace("worker-1", "worker-0").replace("worker-2", "worker-0"))


@pytest.mark.parametrize("name", [name for name, story in STORIES.items() if "log" in story])
def test_only_the_log_tells_of_an_object_that_is_refused(told, name):
    """Again and again, since it is tried again and again."""
    assert told[name].log.count(STORIES[name]["log"]) >= 10


@pytest.mark.parametrize("name", [name for name in STORIES if name != "cordoned-node"])
def test_a_pools_status_is_the_last_to_tell_of_a_change(told, name):
    """For seconds after a change every field of the pools still says that all is done, for ten if all was quiet."""
    for pool in POOLS:
        moments = summary(told[name], pool)["moments"]
        if "noticed" in moments:
            assert list(moments)[:2] == ["written", "target"]
            assert moments["noticed"] - moments["written"] > 4


@pytest.mark.parametrize("name", STORIES)
def test_counts_stay_within_the_pool(told, name):
    """At most one node of three is unavailable; it may be counted late, never wrong."""
    counts = [
        value["counts"]
        for _t, what, _name, value in told[name].observations
        if what == "status" and "counts" in value
    ]
    for machines, updated, ready, unavailable, degraded in counts:
        assert machines == 3 and 0 <= ready <= updated <= 3
        assert unavailable + degraded <= 1


@pytest.mark.parametrize("name", STORIES)
def test_nodes_hold_what_their_configuration_says(told, name):
    cluster = told[name].cluster
    for node in cluster.nodes():
        current = cluster.annotation(node, context.CURRENT_CONFIG)
        config = cluster.store.item(context.MACHINE_CONFIGS, current).object
        for path, file in mco.configs.files_of(config).items():
            written = cluster.directory / "nodes" / node / "rootfs" / path.lstrip("/")
            assert written.read_bytes() == mco.configs.content(file)
            assert written.stat().st_mode & 0o777 == file["mode"]


def test_going_back_brings_the_earlier_name_back(told):
    """The name of a rendered configuration says its content and nothing else."""
    back = told["delete-icsp"]
    assert back.start != back.origin
    assert targets(back.cluster) == back.origin
