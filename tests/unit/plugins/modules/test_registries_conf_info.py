# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.disconnected.openshift.plugins.modules import registries_conf_info
from ansible_collections.disconnected.openshift.tests.unit import fake_module

SHA = "@sha256:" + "ab" * 32
RULE = {"source": "quay.io/app", "mirrors": ["m.example.com:5000/app"]}
NOW = """
unqualified-search-registries = ["registry.access.redhat.com", "docker.io"]
short-name-mode = ""
[[registry]]
  prefix = ""
  location = "quay.io/app"
  [[registry.mirror]]
    location = "m.example.com:5000/app"
    pull-from-mirror = "digest-only"
"""
BEFORE = NOW.replace("  [[", "  mirror-by-digest-only = true\n  [[").replace('pull-from-mirror = "digest-only"', "")
NEVER_CONFIGURED = "unqualified-search-registries = ['registry.access.redhat.com', 'docker.io']\n"


@pytest.fixture
def run(capsys):
    return lambda **args: fake_module.run(registries_conf_info, capsys, args)


@pytest.mark.parametrize("args", [{}, {"path": "/a", "content": "b"}, {"content": "", "expected": [], "objects": []}])
def test_options_that_exclude_each_other(run, args):
    assert run(**args)["failed"]


def test_what_it_sets(run):
    result = run(content=NOW)
    assert result["changed"] is False and "matches" not in result
    assert result["registries"] == [{
        "prefix": "quay.io/app", "location": "quay.io/app", "insecure": False, "blocked": False,
        "mirror_by_digest_only": False,
        "mirrors": [{"location": "m.example.com:5000/app", "insecure": False, "pull_from_mirror": "digest-only"}]}]


@pytest.mark.parametrize("content", [NOW, BEFORE])
@pytest.mark.parametrize("version", [None, "4.12", "4.16.30"])
def test_the_expected_mirrors_in_either_form(run, content, version):
    result = run(content=content, expected=[RULE], version=version)
    assert (result["matches"], result["missing"], result["unexpected"]) == (True, [], [])


def test_a_file(run, tmp_path):
    path = tmp_path / "registries.conf"
    path.write_text(NOW)
    assert run(path=str(path), expected=[RULE])["matches"]


def test_a_file_that_is_not_there(run):
    result = run(path="/nowhere/registries.conf")
    assert result["failed"] and "/nowhere/registries.conf cannot be read" in result["msg"]


def test_differences(run):
    result = run(content=NOW, expected=[dict(RULE, source="quay.io/other"), dict(RULE, by="tag")])
    assert result["matches"] is False
    assert result["missing"] == ["quay.io/app is pulled from m.example.com:5000/app by tag, then quay.io/app",
                                 "quay.io/other is pulled from m.example.com:5000/app by digest, then quay.io/other"]
    assert result["unexpected"] == ["quay.io/app is pulled from m.example.com:5000/app by digest, then quay.io/app"]


def test_clean(run):
    assert run(content=NEVER_CONFIGURED, expected=[])["matches"] is True
    assert run(content=NOW, expected=[])["matches"] is False


def test_objects(run):
    objects = [{"apiVersion": "config.openshift.io/v1", "kind": "ImageDigestMirrorSet", "metadata": {"name": "a"},
                "spec": {"imageDigestMirrors": [RULE]}}]
    assert run(content=NOW, objects=objects)["matches"] is True
    assert run(content=NEVER_CONFIGURED, objects=objects)["matches"] is False


def test_where_images_come_from(run):
    result = run(content=NOW, images=["quay.io/app/x" + SHA, "quay.io/app/x:1", "tool:1"])
    assert [(image["image"], [source["reference"] for source in image["sources"]]) for image in result["images"]] == [
        ("quay.io/app/x" + SHA, ["m.example.com:5000/app/x" + SHA, "quay.io/app/x" + SHA]),
        ("quay.io/app/x:1", ["quay.io/app/x:1"]),
        ("tool:1", ["registry.access.redhat.com/tool:1", "docker.io/library/tool:1"]),
    ]
    assert result["images"][0]["sources"][0] == {
        "reference": "m.example.com:5000/app/x" + SHA, "insecure": False, "mirror": True, "blocked": False}


@pytest.mark.parametrize("args, words", [
    ({"content": "[[registry]\n"}, "not valid TOML"),
    ({"content": NOW, "images": ["quay.io/App"]}, "not an image reference"),
    ({"content": NOW, "expected": [dict(RULE, source="https://quay.io")]}, "leave the scheme out"),
    ({"content": NOW, "expected": [dict(RULE, by="tag")], "version": "4.12"}, "cannot mirror tags"),
    ({"content": NOW, "objects": [{"kind": "Pod"}]}, "kind 'Pod'"),
])
def test_what_is_refused(run, args, words):
    result = run(**args)
    assert result["failed"] and words in result["msg"]
