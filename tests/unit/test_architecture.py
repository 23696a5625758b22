# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The house's arrows, read from the imports themselves.

modules -> I/O and pure; pure -> pure and the standard library; I/O never imports a decider; what makes the report -> pure;
only modules import AnsibleModule; only `cluster` imports kubernetes or openshift; only `certificates` imports cryptography; only `wait`
sleeps; plugins and the lab know nothing of each other.
"""
from __future__ import annotations

import ast
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
UTILS = ROOT / "plugins" / "module_utils"
MODULES = ROOT / "plugins" / "modules"
CONTROLLER = ROOT / "plugins" / "plugin_utils"
LAB = ROOT / "tests" / "lab"

PURE = {
    "errors", "image_ref", "image_manifest", "dockerconfigjson", "registries_conf", "mirror_sets", "release_payload",
    "operator_catalog", "mirror_plan", "machine_config", "image_inventory", "image_coverage", "crio_log", "predicates",
    "rollout", "node_files", "snapshot", "archive_layout", "catalog_database",
    "mirror_manifests", "conversion",
}
IO = {
    "registry", "registry_auth", "registry_answers", "registry_inputs", "connections", "blob", "image_files", "transfer",
    "certificate_chain", "crew", "oc", "progress", "archive", "archive_reader", "cluster", "signature_store",
    "cluster_inputs", "node_reader", "snapshot_store", "wait", "secrets", "certificates",
}
# The formats that I/O may read and write; deciding what to do with them is the modules' business.
FORMATS = {"errors", "image_ref", "image_manifest", "dockerconfigjson", "snapshot", "archive_layout"}
THIRD_PARTY = {
    "cluster": {"kubernetes", "openshift", "urllib3", "websocket", "yaml"},
    "certificates": {"cryptography"},
    "registries_conf": {"tomli"},  # tomllib before Python 3.11
    "operator_catalog": {"yaml"},  # file-based catalogs may be YAML
    "mirror_manifests": {"yaml"},  # comes with ansible-core
    "image_inventory": {"jmespath"},
}


def imports(path):
    """The dotted names that a file imports, anywhere in it; our own relative ones begin with a dot."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            if base.strip(".") in ("", "module_utils") or base == "__future__":
                names += [base.rstrip(".") + "." + alias.name if base.strip(".") else base + alias.name for alias in node.names]
            else:
                names.append(base)
    return names


def own(path):
    """The module_utils of this collection that a file imports, by their bare names."""
    return {name.split(".")[-1] for name in imports(path) if name.startswith(".")}


def foreign(path):
    """Top-level packages that are neither ours nor the standard library's."""
    tops = {name.split(".")[0] for name in imports(path) if not name.startswith(".")}
    return tops - set(sys.stdlib_module_names) - {"__future__"}


def utils():
    return sorted(p for p in UTILS.glob("*.py") if p.stem != "__init__")


@pytest.mark.parametrize("path", utils(), ids=lambda p: p.stem)
def test_a_module_util_has_its_place(path):
    """A new file says on which side it stands before it imports anything."""
    assert path.stem in PURE | IO


@pytest.mark.parametrize("path", utils(), ids=lambda p: p.stem)
def test_arrows_of_module_utils(path):
    allowed = PURE if path.stem in PURE else IO | FORMATS
    assert own(path) <= allowed, "%s imports %s" % (path.stem, sorted(own(path) - allowed))


@pytest.mark.parametrize("path", utils(), ids=lambda p: p.stem)
def test_third_parties_stay_where_they_are_known(path):
    allowed = set(THIRD_PARTY.get(path.stem, ()))
    if path.stem in IO:
        allowed |= {"ansible", "ansible_collections"}
    assert foreign(path) <= allowed


@pytest.mark.parametrize("path", utils(), ids=lambda p: p.stem)
def test_only_modules_know_ansible_module(path):
    assert "AnsibleModule" not in path.read_text().split('"""', 2)[-1]


@pytest.mark.parametrize("path", sorted(MODULES.glob("*.py")), ids=lambda p: p.stem)
def test_modules_import_only_ansible_and_module_utils(path):
    assert foreign(path) <= {"ansible"}
    assert own(path) <= PURE | IO


@pytest.mark.parametrize("path", sorted(CONTROLLER.glob("report*.py")), ids=lambda p: p.stem)
def test_a_report_is_made_of_plain_data(path):
    """By functions that know neither Ansible nor anything outside."""
    assert not foreign(path)
    assert own(path) <= PURE | {found.stem for found in CONTROLLER.glob("report*.py")}


@pytest.mark.parametrize("path", sorted((ROOT / "plugins").rglob("*.py")), ids=lambda p: p.stem)
def test_only_wait_sleeps(path):
    if path.stem != "wait":
        assert "sleep(" not in path.read_text()


@pytest.mark.parametrize("path", sorted((ROOT / "plugins").rglob("*.py")), ids=lambda p: p.stem)
def test_plugins_know_nothing_of_the_lab(path):
    assert not [name for name in imports(path) if name.split(".")[0] in ("lab", "tests")]


@pytest.mark.parametrize("path", sorted(LAB.rglob("*.py")), ids=lambda p: str(p.relative_to(LAB)))
def test_the_lab_knows_nothing_of_plugins(path):
    assert not [name for name in imports(path) if name.split(".")[0] in ("ansible_collections", "plugins")]
