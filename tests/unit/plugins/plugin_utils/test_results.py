# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.disconnected.openshift.plugins.plugin_utils import report, results


def test_only_the_names_asked_for_are_gathered_from_every_host():
    hostvars = {"a": {"verify_nodes": {"nodes": []}, "vault_password": "s3cret"}, "b": {"other": 1}, "localhost": {}}
    task_vars = {"hostvars": hostvars, "groups": {"all": ["a", "b"]}, "ansible_play_hosts_all": ["b"]}
    assert results.gather(task_vars, report.NAMES) == {"a": {"verify_nodes": {"nodes": []}}}


def test_localhost_is_asked_without_being_in_the_inventory():
    assert results.gather({"hostvars": {"localhost": {"x": 1}}}, ["x"]) == {"localhost": {"x": 1}}
    assert results.gather({"hostvars": {}}, ["x"]) == {}


def test_the_hosts_that_are_lost():
    assert results.lost({"ansible_play_hosts_all": ["a", "b"], "ansible_play_hosts": ["b"]}) == ("a",)
    assert results.lost({}) == ()


def test_what_ansible_wraps_becomes_plain():
    class Tagged(str):
        pass

    class Lazy(dict):
        pass
    assert results.plain(Lazy(a=(Tagged("b"), None, 1, True))) == {"a": ["b", None, 1, True]}


def test_a_file_is_private_and_takes_the_place_of_an_earlier_one(tmp_path):
    path = tmp_path / "made" / "report"
    for text in ("one", "two"):
        results.write(str(path), text)
    assert path.read_text() == "two" and path.stat().st_mode & 0o777 == 0o600 and list(path.parent.iterdir()) == [path]


def test_nothing_half_written_is_left(tmp_path, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(results.os, "replace", full)
    with pytest.raises(OSError):
        results.write(str(tmp_path / "report"), "text")
    assert list(tmp_path.iterdir()) == []
