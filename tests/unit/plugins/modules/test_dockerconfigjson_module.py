# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
import os

import pytest

from ansible_collections.disconnected.openshift.plugins.modules import dockerconfigjson
from ansible_collections.disconnected.openshift.tests.unit import fake_module

PASSWORD = "p:\"w'$\\ ü-secret"
MIRROR = {"registry": "mirror.example.com:5000", "username": "pusher", "password": PASSWORD}
DOWNLOADED = {"auths": {"cloud.openshift.com": {"auth": "Y2xvdWQ6dG9rZW4tb25l", "email": "e@example.com"},
                        "quay.io": {"auth": "cXVheTp0b2tlbi10d28=", "identitytoken": "token-three"}},
              "other": {"kept": 1}}
SECRETS = [PASSWORD, "token-one", "token-two", "token-three", "Y2xvdWQ6dG9rZW4tb25l", "cXVheTp0b2tlbi10d28=",
           base64.b64encode(("pusher:" + PASSWORD).encode()).decode()]


@pytest.fixture
def run(capsys):
    def result(check_mode=False, diff=True, **args):
        options = {key: str(value) if key in ("path", "src") else value for key, value in args.items()}
        found = fake_module.run(dockerconfigjson, capsys, options, check_mode=check_mode, diff=diff)
        said = {key: value for key, value in found.items() if key != "invocation"}
        assert not [secret for secret in SECRETS if secret in json.dumps(said, ensure_ascii=False)]
        return found
    return result


@pytest.fixture
def src(tmp_path):
    path = tmp_path / "pull-secret.txt"
    path.write_text(json.dumps(DOWNLOADED))
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "config" / "auth.json"


def mode(path):
    return os.stat(path).st_mode & 0o777


def test_merge_into_a_downloaded_pull_secret(run, src, path):
    result = run(src=src, path=path, registries=[MIRROR])
    assert result["changed"] and not result.get("failed")
    assert result["registries"] == ["cloud.openshift.com", "quay.io", "mirror.example.com:5000"]
    assert result["added"] == ["cloud.openshift.com", "mirror.example.com:5000", "quay.io"]
    assert len(result["identity"]) == 16
    written = json.loads(path.read_text())
    encoded = written["auths"].pop("mirror.example.com:5000")["auth"]
    assert base64.b64decode(encoded).decode() == "pusher:" + PASSWORD
    assert written == DOWNLOADED
    assert mode(path) == 0o600 and mode(path.parent) == 0o700
    assert os.listdir(path.parent) == ["auth.json"]


def test_again_is_no_change(run, src, path):
    run(src=src, path=path, registries=[MIRROR])
    before = path.stat()
    result = run(src=src, path=path, registries=[MIRROR])
    assert result["changed"] is False
    assert result["added"] == result["replaced"] == result["removed"] == []
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_in_place(run, path):
    assert run(path=path, registries=[MIRROR])["added"] == ["mirror.example.com:5000"]
    result = run(path=path, registries=[dict(MIRROR, password="another-secret"),
                                        {"registry": "b.example.com", "username": "b", "password": "b-secret"}])
    assert (result["added"], result["replaced"]) == (["b.example.com"], ["mirror.example.com:5000"])
    assert result["diff"]["after"]["registries"] == ["mirror.example.com:5000 (other credentials)", "b.example.com"]
    assert result["identity"] is None


def test_entries_of_a_former_base_go(run, src, path):
    run(src=src, path=path, registries=[MIRROR])
    src.write_text('{"auths": {"quay.io": {"auth": "cXVheTp0b2tlbi10d28="}}}')
    result = run(src=src, path=path)
    assert (result["replaced"], result["removed"]) == (["quay.io"], ["cloud.openshift.com", "mirror.example.com:5000"])


def test_what_else_a_base_holds_counts_as_well(run, src, path):
    run(src=src, path=path)
    src.write_text(json.dumps(dict(DOWNLOADED, other=2)))
    assert run(src=src, path=path)["changed"]
    assert json.loads(path.read_text())["other"] == 2


def test_absent(run, src, path):
    run(src=src, path=path, registries=[MIRROR])
    result = run(path=path, registries=[{"registry": "mirror.example.com:5000"}], state="absent")
    assert result["changed"] and result["removed"] == ["mirror.example.com:5000"]
    assert json.loads(path.read_text()) == DOWNLOADED
    assert not run(path=path, registries=[{"registry": "mirror.example.com:5000"}], state="absent")["changed"]


@pytest.mark.parametrize("state", ["present", "absent"])
def test_no_file_is_made_for_nothing(run, path, state):
    registries = [] if state == "present" else [{"registry": "quay.io"}]
    assert run(path=path, registries=registries, state=state)["changed"] is False
    assert not path.parent.exists()


def test_check_mode_writes_nothing(run, src, path):
    result = run(src=src, path=path, registries=[MIRROR], check_mode=True)
    assert result["changed"] and "mirror.example.com:5000" in result["added"]
    assert not path.parent.exists()


def test_a_file_that_others_can_read_is_closed(run, src):
    src.chmod(0o644)
    assert run(path=src, check_mode=True)["changed"] and mode(src) == 0o644
    result = run(path=src)
    assert result["changed"] and result["replaced"] == []
    assert mode(src) == 0o600 and json.loads(src.read_text()) == DOWNLOADED


def test_a_link_stays_a_link(run, src, tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to(src)
    run(path=link, registries=[MIRROR])
    assert link.is_symlink() and "mirror.example.com:5000" in json.loads(src.read_text())["auths"]


def test_a_corrected_key_is_told(run, path):
    result = run(path=path, registries=[dict(MIRROR, registry="https://Mirror.example.com:5000/ns/")])
    assert result["registries"] == ["mirror.example.com:5000"]
    assert "scheme" in str(result["warnings"]) and "upper-case" in str(result["warnings"])


@pytest.mark.parametrize("missing", ["username", "password"])
def test_credentials_are_needed(run, path, missing):
    result = run(path=path, registries=[dict(MIRROR, **{missing: None})])
    assert result["failed"] and "username and password are required" in result["msg"]


def test_a_base_that_does_not_exist(run, path, tmp_path):
    result = run(src=tmp_path / "nowhere", path=path, registries=[MIRROR])
    assert result["failed"] and "nowhere does not exist" in result["msg"]


@pytest.mark.parametrize("content, words", [
    (b'{"auths": {"quay.io": {"auth": "cXVheTp0b2tlbi10d28"}}}', "pull-secret.txt: The entry 'quay.io' holds"),
    (b'{"auths": {"quay.io": {"auth": "cXVheTp0b2tlbi10d28="}}', "pull-secret.txt: The pull secret is not valid JSON"),
    (b"\xff\xfe", "pull-secret.txt is not UTF-8 text"),
])
def test_a_broken_document_is_refused_and_kept(run, src, content, words):
    src.write_bytes(content)
    result = run(path=src, registries=[MIRROR])
    assert result["failed"] and words in result["msg"]
    assert src.read_bytes() == content


def test_a_place_that_cannot_be_written(run, src):
    result = run(src=src, path=src / "auth.json")
    assert result["failed"] and "cannot be" in result["msg"]


class TestValidated:
    def test_good(self, run, src):
        src.chmod(0o644)
        result = run(path=src, state="validated")
        assert result["changed"] is False and result["registries"] == ["cloud.openshift.com", "quay.io"]
        assert len(result["identity"]) == 16

    def test_a_key_that_is_never_found(self, run, src):
        src.write_text(json.dumps({"auths": {"my-registry:5000/my-namespace/": {"auth": "cXVheTp0b2tlbi10d28="}}}))
        result = run(path=src, state="validated")
        assert result["failed"] and len(result["problems"]) == 1
        assert "name it 'my-registry:5000/my-namespace'" in result["msg"]

    def test_no_file(self, run, path):
        result = run(path=path, state="validated")
        assert result["failed"] and "does not exist" in result["msg"]
