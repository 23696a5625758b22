# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole story on one cluster: convert, convert again, cut, reconnect, reconnect again.

The tests of this file are chapters: each begins where the one before ended.
"""
from __future__ import annotations

import base64
import json

import pytest


@pytest.fixture(scope="module")
def before(lab):
    """Every node's files as they were."""
    return {node: files(lab, node) for node in lab.facts["nodes"]}


# Named here and in roles/cluster_config/tasks/catalogs.yml.
CATALOGS = "Catalogs | Serve those that are mirrored, or the former ones"


def files(lab, node):
    root = lab.directory / "nodes" / node / "rootfs"
    certs = root / "etc/docker/certs.d"
    return {
        "registries.conf": lab.node_file(node, "etc/containers/registries.conf"),
        "config.json": json.loads(lab.node_file(node, "var/lib/kubelet/config.json")),
        "certs.d": {p.parent.name: p.read_text() for p in sorted(certs.glob("*/ca.crt"))},
    }


def images(lab):
    """Of the release, of an operator, and the applications, one of which is pulled by tag."""
    return [lab.facts["release_image"], lab.facts["components"]["etcd"], lab.facts["operands"][0], *lab.facts["images"]]


@pytest.fixture(scope="module")
def shown():
    """Everything that the runs of this story have printed and recorded."""
    return []


# What later releases of ansible-core refuse, earlier ones can be asked to refuse or to warn of.
# Each knows its own settings.
STRICT = {
    "ANSIBLE_DEPRECATION_WARNINGS": "true",
    "ANSIBLE_ALLOW_BROKEN_CONDITIONALS": "false",
    "ANSIBLE_INJECT_FACT_VARS": "false",
    "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",  # an inventory is not needed
    "_ANSIBLE_TEMPLAR_UNTRUSTED_TEMPLATE_BEHAVIOR": "warning",
}


@pytest.fixture
def play(lab, shown):
    """Runs a playbook as talkatively as it can be asked to. It shall not say a word of warning, whatever it returns."""
    def run(name, *arguments):
        done = lab.playbook("disconnected.openshift." + name, "-vvv", "--diff", *arguments, env=STRICT)
        shown.append(done.output + json.dumps(done.tasks))
        assert not done.warnings, "\n".join(done.warnings)
        return done
    return run


@pytest.mark.parametrize("task, warned", [
    ({"ansible.builtin.debug": {}, "when": "true"}, False),
    ({"ansible.builtin.debug": {}, "when": "{{ true }}"}, True),
    ({"disconnected.openshift.dockerconfigjson": {"path": "auth.json", "registries": [
        {"registry": "HTTPS://Registry.example.com/", "username": "a", "password": "b"}]}, "check_mode": True}, True),
])
def test_a_warning_would_be_noticed(lab, tmp_path, task, warned):
    """Ansible's of what is written, and a module's."""
    playbook = tmp_path / "play.json"
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task | {"name": "it"}]}]))
    run = lab.playbook(playbook, env=STRICT)
    assert run.rc == 0 and bool(run.warnings) == warned, run.output


def test_check_mode_is_a_plan_and_writes_nothing(lab, play, before):
    writes = lab.writes
    run = play("convert", "--check")
    assert run.rc == 0, run.output
    assert "Take its way to the internet away" not in run.output
    told = " ".join(run.result("What this dry run can tell")["msg"])
    assert "can only be judged once it is converted" in told and "6 of 6 nodes lack their configuration" in told
    assert "cloud.openshift.com" in told and "ClusterVersion version, OperatorHub cluster" in told
    assert lab.writes == writes
    assert {node: files(lab, node) for node in lab.facts["nodes"]} == before


@pytest.fixture(scope="module")
def foretold():
    """What the conversion said beforehand."""
    return {}


def test_convert(lab, play, before, foretold):
    run = play("convert")
    assert run.rc == 0, run.output
    foretold.update(run.result("What every pool will do"))
    assert run.changed > 0
    assert CATALOGS in [task["task"].rpartition(" : ")[2] for task in run.tasks]
    mirror = lab.facts["mirror"]["registry"]
    for node in lab.facts["nodes"]:
        now = files(lab, node)
        assert mirror in now["registries.conf"]
        assert mirror in now["config.json"]["auths"]
        assert mirror in now["certs.d"]
        kept = {k: v for k, v in now["config.json"]["auths"].items() if k != mirror}
        # The token of Insights and telemetry left in the same rollout.
        assert kept == {k: v for k, v in before[node]["config.json"]["auths"].items() if k != "cloud.openshift.com"}


def test_one_rollout_with_the_drains_that_were_foretold(lab, foretold):
    """An application is pulled by tag, and tag mirrors drain; with digests alone nothing would."""
    nodes = lab.stats()["nodes"]
    assert {name: node["updates"] for name, node in nodes.items()} == dict.fromkeys(lab.facts["nodes"], 1)
    assert {name: node["reboots"] for name, node in nodes.items()} == dict.fromkeys(lab.facts["nodes"], 0)
    assert sum(node["drains"] for node in nodes.values()) == foretold["drains"]
    assert foretold["rollouts"] == 1 and foretold["reboots"] == 0


def test_convert_again_changes_nothing(lab, play):
    writes = lab.writes
    run = play("convert")
    assert run.rc == 0, run.output
    assert run.changed == 0, run.output
    assert lab.writes == writes
    # What was found settled and served beforehand is not looked at a second time.
    assert CATALOGS not in [task["task"].rpartition(" : ")[2] for task in run.tasks]


def test_every_node_pulls_from_the_mirror_when_the_upstream_is_gone(lab):
    lab.command("upstream", "off")
    try:
        pulls = json.loads(lab.command("pull", "--all", "--json", *images(lab)))
    finally:
        lab.command("upstream", "on")
    assert len(pulls) == len(images(lab)) * len(lab.facts["nodes"])
    assert not [pull for pull in pulls if not (pull["ok"] and pull["mirror"])]


def test_reconnect_leaves_every_node_as_it_was(lab, play, before):
    run = play("reconnect")
    assert run.rc == 0, run.output
    assert run.changed > 0
    assert {node: files(lab, node) for node in lab.facts["nodes"]} == before


def test_reconnect_again_changes_nothing(lab, play):
    writes = lab.writes
    run = play("reconnect")
    assert run.rc == 0, run.output
    assert run.changed == 0, run.output
    assert lab.writes == writes


def canaries(lab):
    """Every secret of the story, plain and as base64 shows it at any offset."""
    secrets = set()
    for registry in ("upstream", "mirror"):
        facts = lab.facts[registry]
        pairs = [(facts["username"], facts["password"])]
        if "pull_password" in facts:
            pairs.append((facts["pull_username"], facts["pull_password"]))
        for username, password in pairs:
            secrets |= {password, base64.b64encode(("%s:%s" % (username, password)).encode()).decode()}
            secrets.add(json.dumps(password)[1:-1])
            secrets |= {base64.b64encode(b"x" * pad + password.encode()).decode()[4 if pad else 0:-4] for pad in range(3)}
    secrets.add(lab.facts["api"]["token"])
    return secrets


def test_no_secret_was_shown_or_left_behind(lab, shown):
    """Not with -vvv --diff, not in any task's recorded result, not in a file that others can read."""
    assert len(shown) == 5
    left = [path for path in [*lab.home.rglob("*"), *lab.directory.joinpath("mirror-host").rglob("*")] if path.is_file()]
    for secret in canaries(lab):
        assert not [text for text in shown if secret in text]
        assert not [path for path in left if path.stat().st_mode & 0o077 and secret.encode() in path.read_bytes()]
