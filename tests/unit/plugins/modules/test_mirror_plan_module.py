# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.disconnected.openshift.plugins.module_utils import image_ref
from ansible_collections.disconnected.openshift.plugins.module_utils import mirror_plan as plans
from ansible_collections.disconnected.openshift.plugins.modules import mirror_plan
from ansible_collections.disconnected.openshift.tests.unit import fake_module

MIRROR = "mirror.example.com:8443"
DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def run(capsys):
    return lambda check_mode=False, **args: fake_module.run(
        mirror_plan, capsys, dict({"registry": MIRROR}, **args), check_mode=check_mode)


def test_images_by_digest_need_no_registry(run):
    result = run(images=["quay.io/a/b@" + DIGEST])
    assert result["changed"] is False
    assert result["plan"] == [{
        "source": "quay.io/a/b@" + DIGEST, "source_tag": "", "kind": "image", "origin": "images",
        "target": "%s/a/b:%s" % (MIRROR, plans.fnv32a("quay.io/a/b@" + DIGEST))}]
    assert result["mirrors"] == [{"source": "quay.io/a/b", "mirrors": [MIRROR + "/a/b"], "by": "digest"}]
    assert result["repositories"] == ["a/b"] and result["unresolved"] == []


def test_nothing_asked_for_is_an_empty_plan(run):
    result = run()
    assert result["plan"] == [] == result["mirrors"] and result["totals"]["images"] == 0


@pytest.mark.parametrize("args", [
    {"registry": "https://mirror.example.com"}, {"images": ["quay.io/A/b"]}, {"auth_file": "/nowhere/auth.json"},
    {"ca_files": ["/nowhere/ca.pem"]}, {"ca_content": "junk"},
])
def test_what_cannot_be_used_is_refused(run, args):
    assert run(**args)["failed"]


def test_check_mode_writes_no_file_and_says_that_it_would(run, tmp_path):
    dest = tmp_path / "plan.json"
    args = dict(images=["quay.io/a/b@" + DIGEST], dest=str(dest))
    assert run(check_mode=True, **args)["changed"] and not dest.exists()
    assert run(**args)["changed"] and dest.exists()
    assert not run(**args)["changed"]


@pytest.mark.parametrize("text", ["", "[]", "{}", "not json"])
def test_a_file_that_is_no_plan_is_written_anew(run, tmp_path, text):
    dest = tmp_path / "plan.json"
    dest.write_text(text)
    assert run(images=["quay.io/a/b@" + DIGEST], dest=str(dest))["changed"]


def test_a_kept_plan_gives_back_what_it_was_made_of():
    wishes = [plans.image_wish(image_ref.parse(text), MIRROR) for text in ("quay.io/a/b:1", "quay.io/a/c@" + DIGEST)]
    items = plans.items(wishes, {"quay.io/a/b:1": DIGEST})
    assert mirror_plan.wishes_of({"items": [item._asdict() for item in items]}) == wishes
