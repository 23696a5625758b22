# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.disconnected.openshift.plugins.module_utils import connections, errors
from ansible_collections.disconnected.openshift.plugins.modules import registry_info
from ansible_collections.disconnected.openshift.tests.unit import fake_module


class Stub:
    """A registry that refuses to do what `refuses` names; `done` is what it was asked to do."""

    def __init__(self, refuses=""):
        self.refuses, self.done = refuses, []

    def __getattr__(self, name):
        def act(*args):
            self.done.append((name, *args))
            if name == self.refuses:
                raise connections.failure(errors.Unauthorized, "No.", "Ask nicely.")
            return "location"
        return act


@pytest.mark.parametrize("repositories,tried", [
    ([], []), (["a"], ["a"]), (["olm/b", "ocp/release", "olm/c/d", "olm/a/b"], ["olm/a/b", "ocp/release"])])
def test_the_deepest_of_each_namespace_is_tried(repositories, tried):
    assert registry_info.deepest(repositories) == tried


def test_every_check_is_a_finding():
    stub = Stub()
    findings = registry_info.examine(stub, "mirror.example.com", ["a/b"], ("tls", "auth", "push"))
    assert [(f["check"], f["repository"], f["ok"], f["remedy"]) for f in findings] == [
        ("name", "", True, ""), ("tls", "", True, ""), ("auth", "", True, ""), ("push", "a/b", True, "")]
    assert stub.done == [("ping",), ("ping", "a/b"), ("authorize", "a/b", "pull,push"), ("start_upload", "a/b"),
                         ("cancel_upload", "a/b", "location")]


@pytest.mark.parametrize("there", [True, False])
def test_in_a_dry_run_no_right_to_push_is_asked_for_a_repository_that_is_not_there(there):
    """Quay would create it."""
    stub = Stub()
    stub.has = lambda path: there
    findings = registry_info.examine(stub, "mirror.example.com", ["a/b"], ("auth", "push"), dry=True)
    assert [f["ok"] for f in findings] == [True, True, True]
    assert ("does not exist yet" in findings[-1]["reason"]) != there
    assert stub.done == [("ping", "a/b"), ("authorize", "a/b", "pull")] + [
        ("start_upload", "a/b"), ("cancel_upload", "a/b", "location")] * there


def test_what_presupposes_a_failure_is_not_tried():
    stub = Stub("authorize")
    findings = registry_info.examine(stub, "mirror.example.com", ["a/b"], ("tls", "auth", "push"))
    assert [(f["check"], f["ok"]) for f in findings] == [("name", True), ("tls", True), ("auth", False)]
    assert findings[-1]["reason"] == "No." and findings[-1]["remedy"] == "Ask nicely."


def test_a_refused_push_is_told_for_each_repository():
    findings = registry_info.examine(Stub("start_upload"), "mirror.example.com", ["a/b", "c"], ("push",))
    assert [(f["repository"], f["ok"]) for f in findings] == [("", True), ("a/b", False), ("c", False)]


@pytest.mark.parametrize("args", [
    {}, {"registry": "a.example", "username": "u"}, {"registry": "a.example", "check": ["everything"]},
    {"registry": "a.example", "username": "u", "password": "p", "auth_file": "/a"},
    {"registry": "a.example", "username": "u:v", "password": "secret-word"},
])
def test_arguments_that_contradict(capsys, args):
    result = fake_module.run(registry_info, capsys, args)
    assert result["failed"] and "secret-word" not in str(result)


def test_no_check_at_all_still_looks_at_the_name(capsys):
    result = fake_module.run(registry_info, capsys, {"registry": "a.example", "check": []})
    assert result["ok"] and [f["check"] for f in result["findings"]] == ["name"]
