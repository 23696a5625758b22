# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest

from ansible_collections.disconnected.openshift.plugins.module_utils.transfer import Verdict
from ansible_collections.disconnected.openshift.plugins.modules import mirror_images
from ansible_collections.disconnected.openshift.tests.unit import fake_module


@pytest.fixture
def run(capsys):
    return lambda check_mode=False, **args: fake_module.run(mirror_images, capsys, args, check_mode=check_mode)


def failed(name, reason):
    return Verdict("quay.io/a/%s" % name, "mirror.example.com/a/%s:1" % name, "failed", reason)._asdict()


@pytest.mark.parametrize("args", [{}, {"plan": [], "plan_file": "/a"}, {"plan": [{"source": "a"}]}])
def test_exactly_one_complete_plan(run, args):
    assert run(**args)["failed"]


@pytest.mark.parametrize("check_mode", [True, False])
def test_nothing_planned_is_nothing_to_do(run, check_mode):
    result = run(check_mode, plan=[])
    assert result["changed"] is False and result["images"] == [] and result["counts"]["total"] == 0


@pytest.mark.parametrize("item,words", [
    ({"source": "quay.io/a/b:1", "target": "mirror.example.com/a/b"}, "give a tag"),
    ({"source": "quay.io/A/b:1", "target": "mirror.example.com/a/b:1"}, "quay.io/A/b:1"),
])
def test_items_that_cannot_be(run, item, words):
    result = run(plan=[item])
    assert result["failed"] and words in result["msg"]


def test_no_workers(run):
    result = run(plan=[{"source": "quay.io/a/b:1", "target": "mirror.example.com/a/b:1"}], workers=0)
    assert result["failed"] and "at least one" in result["msg"]


def test_the_message_names_each_cause_once_with_its_images():
    verdicts = [failed("one", "Gone."), failed("two", "Away."), failed("three", "Gone."),
                Verdict("quay.io/a/four", "m/a/four:1", "done", "")._asdict()]
    assert mirror_images.complaint(verdicts) == (
        "3 of 4 images are not on the mirror registry. "
        "quay.io/a/one, quay.io/a/three: Gone. quay.io/a/two: Away.")


def test_a_long_message_says_how_much_it_leaves_out():
    same = [failed("n%d" % n, "Gone.") for n in range(12)]
    assert "quay.io/a/n9 and 2 more: Gone." in mirror_images.complaint(same)
    different = [failed("n%d" % n, "Cause %d." % n) for n in range(12)]
    assert mirror_images.complaint(different).endswith("Cause 9. And 2 more causes; all images are in failures.")


def test_a_plan_file_is_read(tmp_path):
    path = tmp_path / "plan.json"
    document = {"format": 1, "items": [{"source": "a/b:1", "target": "m/a/b:1", "kind": "image"}]}
    path.write_text(json.dumps(document))
    assert mirror_images.plan_of({"plan": None, "plan_file": str(path)}) == document


@pytest.mark.parametrize("args,words", [
    (dict(mode="to_disk", plan=[]), "archive"),
    (dict(mode="from_disk"), "archive"),
    (dict(mode="to_disk", archive="/nowhere"), "plan"),
    (dict(mode="to_disk", archive="/nowhere", plan=[], engine="oc"), "registry to registry only"),
    (dict(mode="to_disk", archive="/nowhere", plan=[], archive_size="much"), "archive_size"),
    (dict(mode="from_disk", archive="/nowhere"), "There is no archive at /nowhere"),
    (dict(mode="to_disk", archive="/dev/null/archive", plan=[]), "/dev/null/archive"),
])
def test_an_archive_needs_its_options(run, args, words):
    result = run(**args)
    assert result["failed"] and words in result["msg"]
