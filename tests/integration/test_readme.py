# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's commands for one's own cluster, as they stand there, by somebody who has a clone and a home of his own.

Beyond the lab's reach are only the registries of collections and of Python packages: kubernetes.core is there already, and
that the Python packages are is looked at instead of installing them.
"""
from __future__ import annotations

import configparser
import importlib.metadata
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
FROM_A_CHECKOUT = ["make demo", "make test"]  # what runs here, and what `make demo` itself proves


def blocks(language):
    return re.findall(r"^```%s\n(.*?)^```" % language, README, flags=re.MULTILINE | re.DOTALL)


COMMANDS = [line for block in blocks("console") for line in block.splitlines()]


class Newcomer:
    """A clone, a home, and a lab that is taken for the cluster and the registries that the README speaks of."""

    def __init__(self, lab, directory):
        self.lab, self.clone, self.home = lab, directory / "clone", directory / "home"
        self.clone.mkdir()
        self.home.mkdir()
        names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True,
                               stdout=subprocess.PIPE, text=True).stdout.split("\0")
        for name in filter(None, names):
            if (ROOT / name).is_file():
                (self.clone / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.clone / name)
        self.collections = self.home / ".ansible" / "collections" / "ansible_collections"
        self.collections.mkdir(parents=True)
        shutil.copytree(ROOT / ".collections" / "ansible_collections" / "kubernetes", self.collections / "kubernetes")

    def write_inputs(self):
        """The inventory and mirror.yml of the README, with the lab's values for its own."""
        [inventory] = blocks("ini")
        parsed = configparser.ConfigParser(allow_no_value=True)
        parsed.read_string("[ungrouped]\n" + inventory)
        [host] = parsed["ungrouped"]
        (self.clone / "inventory").write_text(inventory + "\n[all:vars]\nansible_connection=local\n"
                                              "ansible_python_interpreter=%s\n" % sys.executable)
        written = yaml.safe_load(next(block for block in blocks("yaml") if "disconnected_mirror_registry" in block))
        assert written["disconnected_mirror_host"] == host
        given = yaml.safe_load((self.lab.directory / "vars.yml").read_text())
        said = {name: given.get(name, value) for name, value in written.items()}
        assert set(said) - set(given) == {"disconnected_mirror_host"}
        # Only because this machine plays the mirror host, too, because the lab's public registry has a CA of its own, and
        # because its cluster has a catalog that the README's does not have.
        here = ("ca_trust_", "mirror_", "disconnected_auth_file", "disconnected_exceptions")
        only_here = {name: value for name, value in given.items() if name.startswith(here)}
        (self.clone / "mirror.yml").write_text(yaml.safe_dump(said | only_here))

    def type(self, line):
        """Runs a line of the README; returns what it printed."""
        environment = self.lab.env | {
            "HOME": str(self.home), "KUBECONFIG": str(self.lab.directory / "kubeconfig"), "ANSIBLE_NOCOLOR": "1"}
        done = subprocess.run(["bash", "-c", line], cwd=self.clone, env=environment, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=300, check=False)
        assert done.returncode == 0, "%s\n%s" % (line, done.stdout)
        return done.stdout


@pytest.fixture(scope="module")
def newcomer(make_lab, tmp_path_factory):
    return Newcomer(make_lab(nodes=1, speed=200), tmp_path_factory.mktemp("newcomer"))


def test_every_command_is_known_here():
    """One more in the README has to find its place in this file."""
    assert COMMANDS[:2] == FROM_A_CHECKOUT
    assert [line.split()[0] for line in COMMANDS[2:]] == [
        "ansible-galaxy", "ansible-galaxy", "pip", *["ansible-playbook"] * 4]


def test_install(newcomer):
    build, install, packages = COMMANDS[2:5]
    newcomer.type(build)
    newcomer.type(install + " --offline")
    installed = newcomer.collections / "disconnected" / "openshift"
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
    assert json.loads((installed / "MANIFEST.json").read_text())["collection_info"]["version"] == version
    assert not (installed / "tests").exists() and not (installed / "Makefile").exists()
    requirements = pathlib.Path(os.path.expanduser(packages.rpartition(" ")[2].replace("~", str(newcomer.home))))
    for line in requirements.read_text().splitlines():
        requirement = Requirement(line.partition("#")[0]) if line.partition("#")[0].strip() else None
        if requirement and (not requirement.marker or requirement.marker.evaluate()):
            assert requirement.specifier.contains(importlib.metadata.version(requirement.name)), line


def test_look_convert_and_come_back(newcomer):
    """With what was installed: nothing that the build leaves out is missed."""
    newcomer.write_inputs()
    shutil.rmtree(newcomer.clone / "plugins")
    look, convert, verify, back = COMMANDS[5:]
    writes = newcomer.lab.writes
    newcomer.type(look)
    assert newcomer.lab.writes == writes
    newcomer.type(convert)
    mirror = newcomer.lab.facts["mirror"]["registry"]
    [node] = newcomer.lab.facts["nodes"]
    assert mirror in newcomer.lab.node_file(node, "etc/containers/registries.conf")
    assert "and asked no source" in newcomer.type(verify)
    newcomer.type(back)
    assert mirror not in newcomer.lab.node_file(node, "etc/containers/registries.conf")
