# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person at a terminal meets: the first word of a run, its last word when it fails, tags, callbacks, a dry run.

The tests of this file are chapters: each begins where the one before ended.
"""
from __future__ import annotations

import json
import re

import pytest

FIRST = "Say what will be done to which cluster"
LAST = "Say what failed, what became of the cluster, and what to run next"
CONVERT = ("disconnected_mirror_registry", "disconnected_mirror_ca", "disconnected_mirror_username",
           "disconnected_mirror_password")


@pytest.fixture(scope="module")
def lab(make_lab):
    return make_lab(nodes=3, speed=500)


def told(run, task):
    return [found["result"]["msg"] for found in run.tasks if found["task"].endswith(task)]


def last_word(run):
    """The paragraph of a run that failed, which stands once, and right before the recap."""
    [paragraph] = told(run, LAST)
    assert run.rc != 0
    end = run.output.partition("PLAY RECAP")[0].rstrip().splitlines()
    assert paragraph in end[-1].replace('\\"', '"'), end[-1]
    return paragraph


@pytest.mark.parametrize("playbook, options, missing", [
    ("convert", [], CONVERT),
    ("convert", ["--tags", "verify"], CONVERT[:1]),
    ("configure", ["-e", "disconnected_pull_username=u", "-e", "disconnected_pull_password=p"], CONVERT[:2]),
    ("mirror", ["-e", "disconnected_mirror_mode=to_disk"], ("disconnected_mirror_archive", "disconnected_mirror_registry")),
], ids=["convert", "only verify", "pull account", "to disk"])
def test_missing_inputs_are_named_before_anything_else(lab, playbook, options, missing):
    run = lab.playbook("disconnected.openshift." + playbook, *options, bare=True)
    assert run.rc != 0
    failed = [found for found in run.tasks if found["outcome"] == "failed"]
    assert set(re.findall(r"disconnected_\w+", failed[0]["result"]["msg"])) == set(missing), run.output
    assert [found["task"] for found in run.tasks][0] == failed[0]["task"] == "Ask for what is missing"
    assert all(name in last_word(run) for name in missing)


def test_the_first_word_says_what_will_be_done_to_which_cluster(lab):
    run = lab.playbook("disconnected.openshift.verify", variables={"verify_settle": 0})
    [lines] = told(run, FIRST)
    assert len(lines) == 3
    for word in (lab.facts["api"]["url"], "4.16.30", "3 nodes", "not converted", lab.facts["mirror"]["registry"]):
        assert word in "\n".join(lines)
    assert run.output.index(lines[0]) < run.output.index("Read the three files of every node")


def test_the_last_word_says_what_failed_the_state_and_what_to_run(lab):
    run = lab.playbook("disconnected.openshift.verify", variables={"verify_settle": 0})
    paragraph = last_word(run)
    assert "Read the three files of every node" in paragraph and "3 of 3 nodes do not have" in paragraph
    assert "is not converted" in paragraph and "disconnected.openshift.convert" in paragraph


def test_a_dry_run_is_a_plan(lab):
    writes = lab.writes
    run = lab.playbook("disconnected.openshift.convert", "--check", "--diff")
    assert run.rc == 0 and lab.writes == writes, run.output
    end = run.output[run.output.index("Say it, and what to run next"):]
    for word in ("images would be copied", "ImageDigestMirrorSet disconnected-openshift is created", "Pool worker (",
                 "OperatorHub cluster", "disconnected.openshift.convert without --check does it"):
        assert word in end, end
    assert "Take its way to the internet away now" not in run.output


def test_a_rollout_that_fails_midway(lab):
    """The first word and the last word of `convert` stand once, although it consists of five playbooks."""
    node = lab.facts["nodes"][-1]
    lab.command("faults", "reload", "node=" + node)
    run = lab.playbook("disconnected.openshift.convert")
    lab.command("faults", "clear")
    assert len(told(run, FIRST)) == 1
    paragraph = last_word(run)
    assert "Wait until every node runs it" in paragraph and "the rollout is under way" in paragraph
    assert node + " is Degraded" in paragraph and "disconnected.openshift.convert again" in paragraph
    assert "disconnected.openshift.reconnect" in paragraph


def test_it_is_finished_by_what_the_last_word_said(lab):
    run = lab.playbook("disconnected.openshift.convert")
    assert run.rc == 0, run.output
    assert len(told(run, FIRST)) == 1 and not told(run, LAST)
    [lines] = told(run, "Say it, and what to run next")
    assert "its operators are told that there is no internet" in lines[0] and "verify" in lines[1]


def roles(run):
    """The roles whose tasks ran, but for the validation of their arguments, which Ansible always does."""
    tasks = [found["task"] for found in run.tasks if "Validating arguments" not in found["task"]]
    return {task.split(" : ")[0].rpartition(".")[2] for task in tasks if " : " in task}


@pytest.mark.parametrize("role", ["ca_trust", "pull_secret", "verify"])
def test_a_tag_is_a_role_alone(lab, role):
    run = lab.playbook("disconnected.openshift.convert", "--tags", role)
    assert run.rc == 0 and roles(run) == {role}, run.output


def test_beginning_in_the_middle(lab):
    run = lab.playbook("disconnected.openshift.verify", "--start-at-task", "Look at pods, nodes, cluster operators and pools")
    assert run.rc == 0, run.output
    assert not told(run, FIRST) and roles(run) == {"verify"}


def test_configuring_without_a_plan_names_what_is_missing(lab):
    run = lab.playbook("disconnected.openshift.configure", "--limit", "localhost", "--start-at-task",
                       "Look at what is given, and at the cluster")
    assert "cluster_config_mirrors" in last_word(run)


@pytest.mark.parametrize("callback", ["minimal", "oneline"])
def test_other_callbacks(lab, callback):
    """tree and junit write files beside whatever prints."""
    directory = lab.home / callback
    env = {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin." + callback, "JUNIT_OUTPUT_DIR": str(directory),
           "ANSIBLE_CALLBACK_TREE_DIR": str(directory / "tree"),
           "ANSIBLE_CALLBACKS_ENABLED": "record,ansible.builtin.junit,ansible.builtin.tree"}
    run = lab.playbook("disconnected.openshift.verify", env=env)
    assert run.rc == 0, run.output
    assert "OpenShift 4.16.30, 3 nodes" in run.output
    assert list(directory.glob("*.xml")) and list((directory / "tree").iterdir())


def test_a_mirror_host_that_cannot_be_reached(lab):
    hosts = lab.directory / "hosts.json"
    hosts.write_text(json.dumps({"all": {"hosts": {"bastion": {"ansible_host": "127.0.0.1", "ansible_port": 1}}}}))
    run = lab.playbook("disconnected.openshift.prepare", "-i", str(hosts), variables={"disconnected_mirror_host": "bastion"})
    assert run.rc == 4 and "bastion" in run.output
    [lines] = told(run, FIRST)
    assert "bastion" in lines[1]
