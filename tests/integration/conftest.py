# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labs to tell stories on, and playbooks run the way their users run them."""
from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys

import kubernetes
import kubernetes.dynamic
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from lab import control  # noqa: E402

BIN = pathlib.Path(sys.executable).parent
COLLECTIONS = os.environ.get("ANSIBLE_COLLECTIONS_PATH", str(ROOT / ".collections"))


def pytest_collection_modifyitems(items):
    """A story that takes minutes begins first, so that it does not end alone when all the others are told."""
    items.sort(key=lambda item: item.path.name != "test_versions.py")


@dataclasses.dataclass
class Run:
    """One ansible-playbook run: its exit code, all it printed, and every task's recorded result."""

    rc: int
    output: str
    tasks: list

    @property
    def changed(self):
        """The sum of changed= over the recap's hosts."""
        return sum(int(n) for n in re.findall(r"changed=(\d+)", self.output))

    @property
    def warnings(self):
        """Every warning that was displayed, also those of things that a coming ansible-core will refuse."""
        return re.findall(r"^\[(?:DEPRECATION )?WARNING\].*", self.output, flags=re.MULTILINE)

    @property
    def failures(self):
        """The messages of the tasks that failed."""
        return [task["result"].get("msg", "") for task in self.tasks if task["outcome"] == "failed"]

    def result(self, name):
        """The last result of the task whose name ends in `name`."""
        return [task["result"] for task in self.tasks if task["task"].endswith(name)][-1]


class Lab:
    """A lab of its own in a scratch directory; with `neighbour` it uses that lab's registries."""

    def __init__(self, directory, version="4.16", nodes=6, speed=100, neighbour=None):
        self.directory = pathlib.Path(directory)
        self.home = self.directory.parent / (self.directory.name + "-home")
        self.home.mkdir(parents=True, exist_ok=True)
        self.env = dict(
            {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "K8S_AUTH_", "KUBECONFIG"))},
            LAB_DIR=str(self.directory), LAB_VERSION=version, LAB_NODES=str(nodes), LAB_SPEED=str(speed),
            LAB_REGISTRIES=str(neighbour.directory) if neighbour else "",
            PYTHONPATH=str(ROOT / "tests"), HOME=str(self.home), PATH="%s:%s" % (BIN, os.environ["PATH"]),
            PYTHONDONTWRITEBYTECODE="1",
        )

    def command(self, *argv, check=True):
        """Runs `lab ARGV` and returns what it printed."""
        done = subprocess.run([sys.executable, "-m", "lab", *argv], env=self.env, cwd=ROOT, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=180, check=False)
        assert not check or done.returncode == 0, done.stdout
        return done.stdout

    def up(self):
        self.command("up")
        self.facts = json.loads((self.directory / "lab.json").read_text())
        return self

    def down(self):
        self.command("down", check=False)

    def ask(self, verb, **arguments):
        """Asks the lab as `lab VERB` does, without a process for it."""
        return control.ask(self.directory / "control.sock", verb, **arguments)

    def stats(self):
        return self.ask("stats")

    @property
    def writes(self):
        """How many requests so far have asked the API to write something."""
        return self.stats()["writes"]

    def node_file(self, node, path):
        return (self.directory / "nodes" / node / "rootfs" / path.lstrip("/")).read_text()

    def environment(self, env=None):
        """The environment in which a playbook meets this lab, as its administrator unless told otherwise."""
        return self.env | dict(
            ANSIBLE_COLLECTIONS_PATH=COLLECTIONS,
            ANSIBLE_CALLBACK_PLUGINS=str(ROOT / "tests/integration/callback"),
            ANSIBLE_CALLBACKS_ENABLED="record",
            RECORD_FILE=str(self.directory / "record.jsonl"),
            ANSIBLE_NOCOLOR="1",
            ANSIBLE_LOCALHOST_WARNING="0",
            K8S_AUTH_KUBECONFIG=str(self.directory / "kubeconfig"),
        ) | (env or {})

    def argv(self, playbook, *arguments, variables=None, bare=False):
        """The command that runs a playbook, by FQCN or by path, with this lab's variables unless it shall be `bare`."""
        given = [] if bare else ["-e", "@%s" % (self.directory / "vars.yml")]
        given += [*arguments, "-e", json.dumps(variables)] if variables else arguments
        return [str(BIN / "ansible-playbook"), str(playbook), *given]

    def playbook(self, playbook, *arguments, env=None, timeout=300, **given):
        """Runs a playbook to its end. One that takes longer than `timeout` seconds fails the test, with what it printed."""
        return self.run(self.argv(playbook, *arguments, **given), env, timeout=timeout)

    def run(self, argv, env=None, directory=None, timeout=300):
        """Runs ansible-playbook, in the home unless told otherwise."""
        record = self.directory / "record.jsonl"
        record.unlink(missing_ok=True)
        try:
            done = subprocess.run(argv, env=self.environment(env), cwd=directory or self.home, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False)
        except subprocess.TimeoutExpired as late:
            pytest.fail("%s is not done after %d seconds:\n%s" % (argv[1], timeout, (late.output or b"").decode()))
        tasks = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
        return Run(done.returncode, done.stdout, tasks)

    @property
    def api(self):
        """A client of the cluster's API, the administrator's: api.resources.get(kind=...)."""
        return kubernetes.dynamic.DynamicClient(kubernetes.config.new_client_from_config(str(self.directory / "kubeconfig")))

    def create(self, document):
        """Creates an object as another administrator would."""
        self.api.resources.get(api_version=document["apiVersion"], kind=document["kind"]).create(body=document)

    def patch(self, api_version, kind, name, body):
        """Merges `body` into a cluster-scoped object."""
        self.api.resources.get(api_version=api_version, kind=kind).patch(
            name=name, body=body, content_type="application/merge-patch+json")

    def delete(self, document):
        self.api.resources.get(api_version=document["apiVersion"], kind=document["kind"]).delete(
            name=document["metadata"]["name"])

    def module(self, name, arguments, *options, **keywords):
        """Runs one module of ours in a play of its own; returns (run, result)."""
        play = self.directory / "play.json"
        task = {"name": "the module", "disconnected.openshift." + name: arguments}
        play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
        run = self.playbook(play, *options, **keywords)
        return run, run.result("the module")


@pytest.fixture(scope="module")
def make_lab(tmp_path_factory):
    """Starts labs that end with the module: make_lab(version=..., nodes=..., speed=..., neighbour=...)."""
    started = []

    def make(**settings):
        lab = Lab(tmp_path_factory.mktemp("lab") / "state", **settings)
        started.append(lab)
        return lab.up()

    yield make
    for lab in reversed(started):  # a lab before the one whose registries it uses
        lab.down()


@pytest.fixture(scope="module")
def lab(make_lab):
    """One lab of six nodes for a whole module of stories."""
    return make_lab()
