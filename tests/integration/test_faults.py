# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller is killed again and again, registries are restarted, and the API stumbles: the end is that of an undisturbed run.

Every stage of a conversion and of its way back is run until one run of it gets through. Those before it end as a power cut
ends them: at a write to the API, before it or after it, or some moment into what takes its time. Whatever is not this
collection's must be there at the end: entries of the pull secret, mirror sets, CAs, a pool that its administrator has paused.
However often a run was killed, every node is updated once: what is begun while the pools are paused is finished before.

The tests of this file are chapters: each begins where the one before ended. FAULTS_SEED chooses all that is random.
"""
from __future__ import annotations

import base64
import contextlib
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import time
import uuid

import pytest

SEED = int(os.environ.get("FAULTS_SEED", "20260301"))
CONFIG = "config.openshift.io/v1"
MACHINE_CONFIG = "machineconfiguration.openshift.io/v1"
OURS = "app.kubernetes.io/managed-by"
FOREIGN_CA = "corp..registry"
WRITES = "verb=[cupd]*"  # create, update, patch, delete
# What the API answers to some of our requests. `after` means that it has done what it was asked.
STUMBLES = ("status=429", "status=500", "status=503", "drop=yes", "status=500 after=yes", "drop=yes after=yes",
            "verb=patch status=409")
SILENCE = 60  # seconds without a task that ends, after which a run is taken to hang
HELD = 60  # seconds that a request waits for the run's end
# The next write at which a run ends: how many are let pass before, and whether that one is carried out.
STEPS = ((0, True), (1, True), (2, False), (2, True), (3, False), (4, True))
KINDS = (
    ("v1", "Secret", "openshift-config"), ("v1", "ConfigMap", "openshift-config"), (CONFIG, "Image", None),
    (CONFIG, "OperatorHub", None), (CONFIG, "ClusterVersion", None), (CONFIG, "ImageDigestMirrorSet", None),
    (CONFIG, "ImageTagMirrorSet", None), ("samples.operator.openshift.io/v1", "Config", None),
    (MACHINE_CONFIG, "MachineConfigPool", None), ("operators.coreos.com/v1alpha1", "CatalogSource", "openshift-marketplace"),
)
TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


@pytest.fixture(scope="module")
def lab(make_lab):
    lab = make_lab(nodes=3, speed=500)
    furnish(lab)
    return lab


@pytest.fixture(scope="module")
def chance():
    print("FAULTS_SEED=%d" % SEED)
    return random.Random(SEED)


@pytest.fixture(scope="module")
def kills():
    """Where runs were killed."""
    return []


def furnish(lab):
    """What others have in the cluster."""
    lab.create({"apiVersion": CONFIG, "kind": "ImageDigestMirrorSet", "metadata": {"name": "theirs"},
                "spec": {"imageDigestMirrors": [{"source": "quay.io/theirs", "mirrors": ["theirs.example.com/theirs"]}]}})
    ca = pathlib.Path(lab.facts["mirror"]["ca"]).with_name("upstream-ca.crt").read_text()
    lab.create({"apiVersion": "v1", "kind": "ConfigMap", "data": {FOREIGN_CA: ca},
                "metadata": {"name": "corp-cas", "namespace": "openshift-config"}})
    lab.patch(CONFIG, "Image", "cluster", {"spec": {"additionalTrustedCA": {"name": "corp-cas"}}})
    lab.create({"apiVersion": MACHINE_CONFIG, "kind": "MachineConfigPool", "metadata": {"name": "parked"}, "spec": {
        "paused": True, "nodeSelector": {"matchLabels": {"node-role.kubernetes.io/parked": ""}},
        "machineConfigSelector": {"matchLabels": {"machineconfiguration.openshift.io/role": "worker"}}}})
    run, _result = lab.module("machine_config_rollout", {"state": "waited"})
    assert run.rc == 0, run.output


# --- the state of everything that matters --------------------------------------------------------------------------

def state(lab):
    """What the cluster's objects and the nodes' files say, without what is different each time."""
    client, found = lab.api, {}
    for api_version, kind, namespace in KINDS:
        for item in client.resources.get(api_version=api_version, kind=kind).get(namespace=namespace).to_dict()["items"]:
            found[kind, item["metadata"]["name"]] = essence(kind, item)
    for node in lab.facts["nodes"]:
        root = lab.directory / "nodes" / node / "rootfs"
        found["registries.conf", node] = lab.node_file(node, "etc/containers/registries.conf")
        found["config.json", node] = json.loads(lab.node_file(node, "var/lib/kubelet/config.json"))
        found["certs.d", node] = {path.parent.name: path.read_text() for path in (root / "etc/docker/certs.d").glob("*/ca.crt")}
    return found


def essence(kind, item):
    """Of the annotations and labels only ours count; of times none does."""
    metadata = item["metadata"]
    ours = {key: value for key, value in (metadata.get("annotations") or {}).items() if key.startswith("disconnected.")}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key == OURS}
    if kind == "MachineConfigPool":
        return {"paused": item["spec"].get("paused", False), "annotations": ours}
    data = item.get("data")
    if kind == "Secret":
        data = {key: meaning(base64.b64decode(value).decode()) for key, value in (data or {}).items()}
    return json.loads(TIME.sub("", json.dumps({
        "annotations": ours, "labels": labels, "spec": item.get("spec"), "data": data}, sort_keys=True)))


def meaning(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


def updates(lab):
    """{node: how many updates it has been through}."""
    return {node: counts["updates"] for node, counts in lab.stats()["nodes"].items()}


def difference(one, other):
    """The names of what differs, with both sides."""
    return {"%s %s" % key: (one.get(key), other.get(key)) for key in {*one, *other} if one.get(key) != other.get(key)}


# --- a run, and its end --------------------------------------------------------------------------------------------

class Controller:
    """A playbook that runs, and may be killed as a power cut would: with everything that it has started."""

    def __init__(self, lab, playbook):
        self._mark = "FAULTS_RUN=%s" % uuid.uuid4()
        self._log, self._record = lab.directory / "controller.log", lab.directory / "record.jsonl"
        self._record.unlink(missing_ok=True)
        environment = lab.environment(dict([self._mark.split("=")], ANSIBLE_PIPELINING="1"))
        with open(self._log, "w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                lab.argv("disconnected.openshift." + playbook, *plan_of(lab, playbook)), env=environment, cwd=lab.home,
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        self._heard = (0, time.monotonic())

    @property
    def output(self):
        return self._log.read_text()

    def has_done(self, task):
        """Whether a task of which the name ends so is over."""
        return self._record.exists() and '%s", "action"' % task in self._record.read_text()

    def is_over(self):
        """Wait for a moment. A run that hangs, or has failed, fails the test with what it printed."""
        code = self._process.poll()
        if code is not None:
            assert code == 0, "FAULTS_SEED=%d\n%s" % (SEED, self.output)
            return True
        size, now = self._log.stat().st_size, time.monotonic()
        if size != self._heard[0]:
            self._heard = size, now
        elif now - self._heard[1] > SILENCE:
            self.kill()
            pytest.fail("FAULTS_SEED=%d: nothing more was heard for %d seconds after\n%s" % (SEED, SILENCE, self.output))
        time.sleep(0.03)
        return False

    def kill(self):
        while family := [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if self._is_of_this_run(pid)]:
            for pid in family:
                with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                    os.kill(pid, signal.SIGKILL)
            self._process.poll()
            time.sleep(0.01)
        self._process.wait()

    def _is_of_this_run(self, pid):
        try:
            return self._mark.encode() in pathlib.Path("/proc/%d/environ" % pid).read_bytes().split(b"\0")
        except OSError:
            return False  # it has ended meanwhile


def plan_of(lab, playbook):
    """The options that spare `configure` planning again what the conversion has planned."""
    path = lab.directory / "plan.json"
    return ["-e", "@%s" % path] if playbook == "configure" and path.exists() else []


def keep_plan(lab):
    tasks = map(json.loads, (lab.directory / "record.jsonl").read_text().splitlines())
    plan = next(task["result"] for task in tasks if task["task"].endswith("List every image and where it goes"))
    (lab.directory / "plan.json").write_text(json.dumps({"mirror_plan_result": plan}))


def complete(lab, playbook):
    """Run a playbook to its end."""
    controller = Controller(lab, playbook)
    while not controller.is_over():
        pass


def killed(lab, playbook, reached, delay=0.0):
    """Whether the run was killed, so many seconds after `reached(controller)`, before it ended well."""
    controller = Controller(lab, playbook)
    while not controller.is_over():
        if reached(controller):
            time.sleep(delay)
            controller.kill()
            return True
    return False


def killed_at_a_write(lab, playbook, chance):
    """Whether the run was killed at one of its next writes, before or after it."""
    skip, carried_out = chance.choice(STEPS)
    stumble(lab, chance, WRITES, "skip=%d" % skip, "delay=%d" % HELD, "after=yes" if carried_out else "drop=yes", "times=1")
    return killed(lab, playbook, lambda _controller: not any(WRITES in line for line in lab.ask("faults", words=[])["active"]))


def stumble(lab, chance, *first):
    """Let the API fail a few of our requests, after the fault that is given."""
    lab.ask("faults", words=["clear"])
    if first:
        lab.ask("faults", words=["api", *first])
    for answer in chance.sample(STUMBLES, 3):
        lab.ask("faults", words=["api", *answer.split(), "skip=%d" % chance.randint(0, 25), "times=1"])


def pursued(lab, playbook, chance, kills):
    """Run a playbook until one run gets through, and kill those before it at their writes."""
    while killed_at_a_write(lab, playbook, chance):
        kills.append(playbook)
    lab.ask("faults", words=["clear"])


# --- the story -----------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def before(lab):
    return state(lab)


def asked_of_the_mirror(lab):
    return lab.stats()["registries"]["mirror"]["requests"]


def test_the_mirror_is_filled_whatever_happens(lab, before, chance, kills):
    """The controller is killed while it prepares the host and in the middle of copying; then both registries are restarted."""
    for task, delay in (("Install the anchor", 0), ("Carry | Reserve a private directory on the controller", 0.3),
                        ("Carry | Copy it to the mirror host", chance.uniform(0, 0.5))):
        kills += [task] if killed(lab, "prepare", lambda run, name=task: run.has_done(name), delay) else []
    complete(lab, "prepare")
    ca = pathlib.Path(lab.facts["mirror"]["ca"]).read_text().strip()
    assert ca in (lab.directory / "mirror-host/etc/ssl/certs/ca-certificates.crt").read_text()
    for _time in range(3):
        enough = asked_of_the_mirror(lab) + chance.randint(20, 80)
        kills += ["mirror"] if killed(lab, "mirror", lambda _run, goal=enough: asked_of_the_mirror(lab) > goal) else []
    controller = Controller(lab, "mirror")
    goal = asked_of_the_mirror(lab) + chance.randint(20, 60)
    while asked_of_the_mirror(lab) < goal and not controller.is_over():
        pass
    for registry in ("mirror", "upstream"):
        lab.ask(registry, state="off")
        time.sleep(chance.uniform(0, 0.5))
        lab.ask(registry, state="on")
    while not controller.is_over():
        pass
    assert difference(before, state(lab)) == {}


@pytest.fixture(scope="module")
def converted(lab, before):
    """The state after an undisturbed conversion."""
    complete(lab, "convert")
    keep_plan(lab)
    return state(lab)


def test_the_way_back_leaves_no_trace(lab, before, converted, chance, kills):
    so_far = updates(lab)
    assert killed(lab, "reconnect", lambda run: run.has_done("Prove that every node can get images from their source"), 0.3)
    pursued(lab, "reconnect", chance, kills)
    assert difference(before, state(lab)) == {}, kills
    assert updates(lab) == {node: count + 1 for node, count in so_far.items()}, kills


def test_a_conversion_that_is_given_up_half_way_is_undone(lab, before, converted, chance, kills):
    """It ends while the nodes are updated, and so does the way back, once."""
    for playbook in ("configure", "reconnect"):
        stumble(lab, chance)
        assert killed(lab, playbook, lambda run: run.has_done("Window | Resume the pools"), chance.uniform(0, 1))
        kills.append(playbook)
    complete(lab, "reconnect")
    lab.ask("faults", words=["clear"])
    assert difference(before, state(lab)) == {}, kills


def test_a_conversion_ends_as_if_nothing_had_happened(lab, converted, chance, kills):
    so_far = updates(lab)
    pursued(lab, "configure", chance, kills)
    assert updates(lab) == {node: count + 1 for node, count in so_far.items()}, kills
    pursued(lab, "disconnect", chance, kills)
    assert difference(converted, state(lab)) == {}, kills


def test_those_were_enough(kills):
    print("killed: %s" % ", ".join(kills))
    assert len(kills) >= 20, kills
