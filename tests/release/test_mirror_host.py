# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mirror host with the oldest Python that is promised and no package beside it: the lab's registries, real mirroring.

The controller, and the lab, have this checkout's own environment. The tests are chapters: each begins where the one before
ended.
"""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
import yaml

from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests"))

from interpreters import interpreters  # noqa: E402

BIN = ROOT / ".venv" / "bin"
PROMISED = re.search(r"^\| mirror host \| Python (3\.\d+) or newer\b", (ROOT / "README.md").read_text(), re.M)[1]
REGISTRIES_CONF = """
[[registry]]
prefix = "quay.io/apps"
location = "quay.io/apps"
[[registry.mirror]]
location = "mirror.example.com/apps"
"""


class Bastion:
    """The mirror host of a lab, on this machine: another name, another Python."""

    def __init__(self, directory, program):
        self.directory, self.lab = directory, directory / "lab"
        self.home = directory / "home"
        self.auth_file = self.lab / "mirror-host" / "auth.json"
        self.home.mkdir()
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "K8S_AUTH_", "KUBECONFIG"))} | {
            "LAB_DIR": str(self.lab), "LAB_NODES": "1", "LAB_SPEED": "100", "LAB_REGISTRIES": "", "HOME": str(self.home),
            "PYTHONPATH": str(ROOT / "tests"), "PYTHONDONTWRITEBYTECODE": "1", "PATH": "%s:%s" % (BIN, os.environ["PATH"])}
        self.inventory = directory / "inventory.json"
        self.inventory.write_text(json.dumps({"all": {"hosts": {"bastion": {
            "ansible_connection": "local", "ansible_python_interpreter": program}}}}))

    def command(self, verb):
        subprocess.run([str(BIN / "python"), "-m", "lab", verb], env=self.env, cwd=ROOT, check=True, timeout=180)

    def play(self, playbook, variables=None):
        """(exit code, what was printed, {task: result}) of a playbook run."""
        record = self.directory / "record.jsonl"
        record.unlink(missing_ok=True)
        given = dict({"disconnected_mirror_host": "bastion"}, **(variables or {}))
        done = subprocess.run(
            [str(BIN / "ansible-playbook"), "-i", str(self.inventory), "-e", "@%s" % (self.lab / "vars.yml"),
             "-e", json.dumps(given), str(playbook)],
            cwd=self.home, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600, check=False,
            env=self.env | {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"), "ANSIBLE_NOCOLOR": "1",
                            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests/integration/callback"),
                            "ANSIBLE_CALLBACKS_ENABLED": "record", "RECORD_FILE": str(record),
                            "K8S_AUTH_KUBECONFIG": str(self.lab / "kubeconfig")})
        tasks = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
        results = {task["task"].rpartition(" : ")[2]: task["result"] | {"failed": task["outcome"] == "failed"} for task in tasks}
        return done.returncode, done.stdout, results

    def module(self, name, arguments, **variables):
        """The result of one module on the mirror host."""
        play = self.directory / "play.json"
        play.write_text(json.dumps([{"hosts": "bastion", "gather_facts": False, "tasks": [{"name": "it", name: arguments}]}]))
        return self.play(play, variables)[2]["it"]

    def ours(self, name, arguments, **variables):
        return self.module("disconnected.openshift." + name, arguments, **variables)


@pytest.fixture(scope="module")
def program():
    found = interpreters([PROMISED], needs="sqlite3, ssl")
    if PROMISED not in found:
        pytest.skip("no Python %s is at hand, the oldest that is promised for the mirror host" % PROMISED)
    return found[PROMISED]


@pytest.fixture(scope="module")
def bastion(tmp_path_factory, program):
    host = Bastion(tmp_path_factory.mktemp("bastion"), program)
    host.command("up")
    yield host
    host.command("down")


@pytest.fixture(scope="module")
def equipped(tmp_path_factory, program):
    """The same Python with the two packages that pages name for some uses."""
    home = tmp_path_factory.mktemp("equipped") / "venv"
    subprocess.run([program, "-m", "venv", str(home)], check=True)
    python = str(home / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "tomli", "pyyaml"], check=True)
    return {"ansible_python_interpreter": python}


@pytest.fixture(scope="module")
def facts(bastion):
    return json.loads((bastion.lab / "lab.json").read_text())


def changed(output):
    return {int(number) for number in re.findall(r"^bastion .*\bchanged=(\d+)", output, re.M)}


def test_it_is_that_python_and_there_is_nothing_beside_it(bastion):
    seen = bastion.module("ansible.builtin.setup", {"gather_subset": ["!all", "!min", "python"]})["ansible_facts"]["ansible_python"]
    assert "%(major)s.%(minor)s" % seen["version"] == PROMISED
    for package in ("cryptography", "kubernetes", "requests", "tomli", "yaml"):
        asked = bastion.module("ansible.builtin.command", {"argv": ["{{ ansible_python_interpreter }}", "-c", "import " + package]})
        assert "No module named '%s'" % package in asked["stderr"], package


@pytest.mark.parametrize("name, arguments, words", [
    ("dockerconfigjson", {"path": "{{ missing }}", "state": "validated"}, "does not exist"),
    ("registry_info", {"registry": "no.such.host.invalid:5000"}, "no.such.host.invalid"),
    ("mirror_plan", {"registry": "mirror.example.com", "images": ["Upper/Case"]}, "is not an image reference"),
    ("mirror_images", {"plan_file": "{{ missing }}"}, "missing.json"),
    ("registries_conf_info", {"content": REGISTRIES_CONF}, "install python3-tomli"),
    ("mirror_manifests_info", {"src": ["{{ inventory_dir }}"]}, "needs PyYAML"),
    ("ca_certificate_info", {"content": "-----BEGIN CERTIFICATE-----"}, "cryptography"),
])
def test_what_cannot_be_is_said_in_a_sentence(bastion, name, arguments, words):
    given = json.loads(json.dumps(arguments).replace("{{ missing }}", str(bastion.directory / "missing.json")))
    result = bastion.ours(name, given)
    assert result["failed"] and words in result["msg"] and "Traceback" not in json.dumps(result), result


def test_prepare(bastion, facts):
    code, output, results = bastion.play("disconnected.openshift.prepare")
    assert code == 0 and "bastion" in output, output
    merged = json.loads(bastion.auth_file.read_text())["auths"]
    assert facts["mirror"]["registry"] in merged and len(merged) > 1
    code, output, results = bastion.play("disconnected.openshift.prepare")
    assert code == 0 and changed(output) == {0}, output


def test_mirror(bastion, facts):
    """A release, a catalog that is a database, and images; proved, and found again."""
    wanted = {"disconnected_catalogs": facts["sqlite_catalogs"]}
    code, output, results = bastion.play("disconnected.openshift.mirror", wanted)
    assert code == 0, output
    counts = results["Direct | Copy what is missing"]["counts"]
    assert counts["done"] == counts["total"] > 20 and results["Direct | Prove that all of it is there"]["missing"] == []
    code, output, results = bastion.play("disconnected.openshift.mirror", wanted)
    assert code == 0 and changed(output) == {0}, output


def test_a_catalog_that_holds_yaml_asks_for_the_package_that_the_readme_names(bastion, facts, equipped):
    wanted = {"registry": facts["mirror"]["registry"], "catalogs": facts["catalogs"], "signature_stores": [],
              "auth_file": str(bastion.auth_file), "ca_files": [facts["mirror"]["ca"], facts["upstream"]["ca"]]}
    refused = bastion.ours("mirror_plan", wanted)
    assert refused["failed"] and "python3-pyyaml (Red Hat)" in refused["msg"], refused
    assert "PyYAML (`python3-pyyaml`)" in (ROOT / "README.md").read_text()
    planned = bastion.ours("mirror_plan", wanted, **equipped)
    assert planned["totals"]["catalog"] == len(facts["catalogs"]) and planned["totals"]["operand"] > 5


def test_through_disk(bastion):
    there = {"disconnected_mirror_archive": str(bastion.home / "archive"), "disconnected_catalogs": []}
    for mode in ("to_disk", "from_disk"):
        code, output, results = bastion.play("disconnected.openshift.mirror", there | {"disconnected_mirror_mode": mode})
        assert code == 0, output
    assert results["Direct | Copy what is missing"]["counts"]["total"] > 5


def test_what_the_registry_can_take(bastion, facts):
    given = {"registry": facts["mirror"]["registry"], "auth_file": str(bastion.auth_file), "ca_files": [facts["mirror"]["ca"]],
             "repositories": ["ocp/release"], "check": ["chain", "tls", "auth", "push", "digest"]}
    taken = bastion.ours("registry_info", given)
    assert not taken["failed"], taken
    untrusted = bastion.ours("registry_info", given | {"ca_files": [facts["upstream"]["ca"]]})
    assert untrusted["failed"] and facts["mirror"]["registry"] in untrusted["msg"], untrusted


def test_a_registries_conf_is_read_with_the_package_that_its_page_names(bastion, equipped):
    page = yaml.safe_load(re.search(r'DOCUMENTATION = r"""(.*?)"""', (ROOT / "plugins/modules/registries_conf_info.py").read_text(),
                                    re.S)[1])
    assert any("tomli" in needed for needed in page["requirements"])
    result = bastion.ours("registries_conf_info", {
        "content": REGISTRIES_CONF, "images": ["quay.io/apps/inventory:2.4"],
        "expected": [{"source": "quay.io/apps", "mirrors": ["mirror.example.com/other"], "by": "tag"}]}, **equipped)
    sources = [source["reference"] for source in result["images"][0]["sources"]]
    assert sources == ["mirror.example.com/apps/inventory:2.4", "quay.io/apps/inventory:2.4"]
    assert result["matches"] is False and result["missing"] and result["unexpected"]
