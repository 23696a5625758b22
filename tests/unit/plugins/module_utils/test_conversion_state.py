# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib

import pytest

from ansible_collections.disconnected.openshift.plugins.module_utils import conversion, rollout

PLAYBOOKS = {path.stem for path in (pathlib.Path(__file__).resolve().parents[4] / "playbooks").glob("*.yml")}
MIRROR = ("mirror.test:8443",)


def pools(worker=3, failure=""):
    """Two pools of three nodes, of which so many workers run what their pool names."""
    text = "%d of 3 nodes of pool worker are updated; worker-2 is Working" % worker
    return (rollout.Standing("master", "rendered-master-1", 3, 3, "pool master is updated", done=True),
            rollout.Standing("worker", "rendered-worker-2", 3, worker, failure or text, failure=failure))


def facts(**given):
    return conversion.Facts(**dict(dict(pools=pools()), **given))


@pytest.mark.parametrize("given, stage", [
    ({}, "connected"),
    ({"others": 2}, "connected"),
    ({"pools": pools(1)}, "connected"),
    ({"snapshot": True}, "begun"),
    ({"snapshot": True, "paused": ("worker",)}, "window"),
    ({"snapshot": True, "paused": ("worker",), "mirrors": MIRROR}, "window"),
    ({"snapshot": True, "mirrors": MIRROR, "pools": pools(1)}, "rollout"),
    ({"snapshot": True, "mirrors": MIRROR}, "configured"),
    ({"snapshot": True, "mirrors": MIRROR, "rehearsed": True, "pools": pools(1)}, "rehearsal"),
    ({"snapshot": True, "mirrors": MIRROR, "cut": True}, "disconnected"),
    ({"snapshot": True, "mirrors": MIRROR, "cut": True, "pools": pools(1)}, "rollout"),
], ids=str)
def test_stage(given, stage):
    assert conversion.stage(facts(**given)) == stage


def test_text_of_a_cluster_that_is_not_converted():
    assert conversion.text(facts()) == "The cluster is not converted: nothing of this collection is in it."
    assert "2 mirror sets are somebody else's" in conversion.text(facts(others=2))


def test_text_tells_which_nodes_a_rollout_waits_for():
    text = conversion.text(facts(mirrors=MIRROR, pools=pools(1)), "Cluster lab")
    assert text.startswith("Cluster lab is configured for mirror.test:8443, and the rollout is under way. 4 of 6 nodes run")
    assert "worker-2 is Working" in text and "pool master" not in text


def test_text_tells_what_a_node_has_given_up_on():
    failure = "Node worker-2 is Degraded: disk on fire. Mend the node; the rollout goes on by itself then."
    assert "disk on fire" in conversion.text(facts(mirrors=MIRROR, pools=pools(1, failure)))


def test_text_of_an_open_window_names_the_pools():
    text = conversion.text(facts(paused=("worker", "master"), pools=pools(1)))
    assert "paused the pools master and worker" in text and "no node" in text and "nodes run" not in text


def test_text_names_another_mirror_registry():
    assert "another mirror registry than new.test" in conversion.text(facts(mirrors=MIRROR), registry="new.test")
    assert "another" not in conversion.text(facts(mirrors=MIRROR), registry=MIRROR[0])


@pytest.mark.parametrize("stage", conversion.STAGES)
@pytest.mark.parametrize("playbook", sorted(PLAYBOOKS) + [""])
def test_what_comes_next_is_always_a_sentence_that_names_playbooks_that_exist(playbook, stage):
    for arguments in ({}, {"failed": True}, {"dry": True}):
        sentence = conversion.next_step(playbook, stage, **arguments)
        assert sentence.endswith(".")
        named = {word.rstrip(",.;:").split(".")[-1] for word in sentence.split() if word.startswith(conversion.COLLECTION)}
        assert named <= PLAYBOOKS | {"openshift"}


def test_a_failed_run_is_run_again_and_can_be_taken_back():
    following = conversion.next_step("convert", "rollout", failed=True)
    assert "disconnected.openshift.convert again" in following and "disconnected.openshift.reconnect" in following


def test_a_failed_way_back_is_not_told_to_go_back():
    assert conversion.next_step("reconnect", "begun", failed=True).count("reconnect") == 1


def test_what_left_a_window_open_closes_it():
    """A playbook that only reads does not."""
    assert "reconnect again: it finishes" in conversion.next_step("reconnect", "window", failed=True)
    assert "configure again: it finishes" in conversion.next_step("verify", "window", failed=True)


def test_a_cluster_that_was_never_configured_is_not_verified_again():
    assert "openshift.configure" in conversion.next_step("verify", "connected", failed=True)


def test_what_needs_no_internet_is_told_where_it_may_be_gone():
    sentence = "Only copying needs the internet: disconnected.openshift.configure and disconnected.openshift.verify do without it."
    assert sentence in conversion.next_step("convert", "disconnected", failed=True)
    assert sentence not in conversion.next_step("convert", "configured", failed=True)


def test_a_dry_run_is_followed_by_the_real_one():
    assert conversion.next_step("convert", "connected", dry=True) == "disconnected.openshift.convert without --check does it."
    assert "--check" not in conversion.next_step("verify", "configured", dry=True)


def test_paragraph_is_one_line_of_what_failed_the_state_and_the_next_step():
    told = conversion.paragraph("localhost", "Prove | Every node", "6 of 6 nodes do\nnot match", "The cluster is so.", "Do this.")
    assert told == 'On localhost the task "Prove | Every node" failed: 6 of 6 nodes do not match. The cluster is so. Do this.'


def test_paragraph_without_a_message():
    assert conversion.paragraph("a", "T", "", "So.", "This.") == 'On a the task "T" failed. So. This.'


def test_a_long_message_is_cut_at_a_word():
    cut = conversion.shortened("word " * 200)
    assert cut.endswith("word ...") and len(cut) <= conversion.LONGEST + 4
