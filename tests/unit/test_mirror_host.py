# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules of the mirror host need what the documentation says there: an old Python.

They are loaded by every Python at hand from the promised one to this one, without a package beside what Ansible itself brings
along. tests/release/test_mirror_host.py mirrors with one of these Pythons.
"""
from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys

import ansible
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from interpreters import interpreters  # noqa: E402

PAGES = ("README.md", "docs/modules.md", "docs/playbooks/prepare.md", "roles/mirror/README.md")
PROMISED = re.search(r"^\| mirror host \| Python (3\.\d+) or newer\b", (ROOT / "README.md").read_text(), re.M)[1]
# The first table of the page: those that need no cluster.
MODULES = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/modules.md").read_text().split("These talk to a cluster")[0], re.M)
NOW = "%d.%d" % sys.version_info[:2]
BETWEEN = ["3.%d" % minor for minor in range(int(PROMISED.partition(".")[2]), sys.version_info[1])]
FOUND = dict(interpreters(BETWEEN), **{NOW: sys.executable})

LOAD = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
for name in sys.argv[2:]:
    importlib.import_module("ansible_collections.disconnected.openshift.plugins.modules." + name)
print(json.dumps(sorted(getattr(sys.modules[name], "__file__", None) or "" for name in set(sys.modules) - before)))
"""


def load(program, directory, *names):
    """Imports modules as the mirror host would; returns the files that came along. No site-packages: -S leaves them out."""
    return subprocess.run([program, "-I", "-S", "-B", "-c", LOAD, str(directory), *names], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture(scope="module")
def sent(tmp_path_factory):
    """What Ansible sends to a host: its own module_utils and the collection's."""
    directory = tmp_path_factory.mktemp("sent")
    (directory / "ansible").mkdir()
    (directory / "ansible" / "__init__.py").touch()
    (directory / "ansible" / "module_utils").symlink_to(pathlib.Path(ansible.__file__).parent / "module_utils")
    ours = directory / "ansible_collections" / "disconnected" / "openshift"
    ours.mkdir(parents=True)
    (ours / "plugins").symlink_to(ROOT / "plugins")
    return directory


def test_a_package_that_is_missing_is_noticed(tmp_path):
    """PyYAML is there wherever Ansible is, and not on the mirror host."""
    modules = tmp_path / "ansible_collections" / "disconnected" / "openshift" / "plugins" / "modules"
    modules.mkdir(parents=True)
    (modules / "greedy.py").write_text("import yaml")
    assert "No module named 'yaml'" in load(sys.executable, tmp_path, "greedy").stderr


def test_the_same_python_is_promised_everywhere():
    for page in PAGES:
        lines = [line for line in (ROOT / page).read_text().splitlines() if "mirror host" in line.lower()]
        assert set(re.findall(r"Python (3\.\d+)", "\n".join(lines))) == {PROMISED}, page
    assert MODULES and "mirror_images" in MODULES


@pytest.mark.parametrize("version", [*BETWEEN, NOW])
def test_modules_of_the_mirror_host_load_with_the_standard_library_alone(sent, version):
    if version not in FOUND:
        pytest.skip("no Python %s is at hand" % version)
    done = load(FOUND[version], sent, *MODULES)
    assert done.returncode == 0, done.stderr
    files = json.loads(done.stdout)
    assert not [path for path in files if "site-packages" in path or "dist-packages" in path]
    assert [path for path in files if path.endswith("plugins/modules/mirror_images.py")]
