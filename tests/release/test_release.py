# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a maintainer looks at before a release, and what Galaxy looks at after it: `make release-check`."""
from __future__ import annotations

import re
import subprocess
import tarfile

import yaml

from conftest import BIN, ROOT, run

VERSION = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
MODULES = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
ROLES = {path.name for path in (ROOT / "roles").iterdir() if path.is_dir()}


def test_fragments_are_valid(tree):
    """They are reStructuredText, which knows nothing of the markup in modules' documentation."""
    run("antsibull-changelog", "lint", directory=tree)
    for path in (tree / "changelogs" / "fragments").glob("*.yml"):
        assert not re.findall(r"\b[BCEIMOPV]\([^)]*\)", path.read_text()), path.name


def test_the_changelog_of_the_version_can_be_made(tree, tmp_path):
    """In a copy: the release itself is a commit of its own, see docs/contributing.md."""
    copy = tmp_path / "ansible_collections" / "disconnected" / "openshift"
    copy.parent.mkdir(parents=True)
    subprocess.run(["cp", "-a", str(tree), str(copy)], check=True)
    run("antsibull-changelog", "release", "--date", "2026-01-01", directory=copy,
        ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".collections"))
    releases = yaml.safe_load((copy / "changelogs" / "changelog.yaml").read_text())["releases"]
    assert {module["name"] for module in releases[VERSION]["modules"]} == MODULES
    assert releases[VERSION]["changes"]["release_summary"]
    text = (copy / "CHANGELOG.rst").read_text()
    assert "v" + VERSION in text and all("disconnected.openshift." + module in text for module in MODULES)
    assert not list((copy / "changelogs" / "fragments").glob("*.yml"))


def test_galaxy_imports_it_without_a_complaint(tarball, tmp_path):
    said = run(str(BIN / "python"), "-m", "galaxy_importer.main", str(tarball), directory=tmp_path,
               ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".collections"))
    assert "Importer processing completed successfully" in said
    assert not re.findall(r"^(?:WARNING|ERROR).*", said, flags=re.MULTILINE), said


def test_what_is_in_it(tarball):
    with tarfile.open(tarball) as archive:
        names = archive.getnames()
    tops = {name.partition("/")[0] for name in names}
    assert tops == {".ansible-lint", "CHANGELOG.rst", "FILES.json", "LICENSE", "MANIFEST.json", "README.md", "changelogs", "docs",
                    "meta", "playbooks", "plugins", "roles"}
    assert not [name for name in names if name.endswith((".pyc", "__pycache__")) or name.startswith("changelogs/fragments/")]
    assert tarball.stat().st_size < 2**20


LEFT_ABOUT = [
    ".ansible/tmp/a", ".cache/matrix/3.12-2.18/venv/bin/python", ".ci/run", ".collections/ansible_collections/kubernetes/core/a.py",
    ".git/HEAD", ".gitignore", ".hypothesis/examples/a", ".lab/lab.json", ".lab/ca/mirror.key", ".mypy_cache/a", ".pytest_cache/a",
    ".ruff_cache/a", ".venv/bin/python", "changelogs/fragments/more.yml", "changelogs/.plugin-cache.yaml",
    "collections/ansible_collections/a", "disconnected-openshift-0.0.9.tar.gz", "importer_result.json",
    "playbooks/convert-artifact-2026-01-01T00:00:00.json", "playbooks/convert.retry", "plugins/modules/__pycache__/a.cpython-312.pyc",
    "tests/output/a", "tests/integration/inventory",
]


def test_what_lies_about_is_not_in_it(tree, tarball, tmp_path):
    """After labs, tests, a matrix, runs of a navigator in the checkout: the same files as without."""
    copy = tmp_path / "ansible_collections" / "disconnected" / "openshift"
    copy.parent.mkdir(parents=True)
    subprocess.run(["cp", "-a", str(tree), str(copy)], check=True)
    for name in LEFT_ABOUT:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text("left about")
    run("ansible-galaxy", "collection", "build", str(copy), "--output-path", str(tmp_path), directory=tmp_path)
    [built] = tmp_path.glob("*.tar.gz")
    with tarfile.open(built) as archive, tarfile.open(tarball) as clean:
        assert set(archive.getnames()) == set(clean.getnames())


def test_the_documentation_of_every_module_and_role_is_well_formed(tree):
    run("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs=dependent", ".", directory=tree,
        ANSIBLE_COLLECTIONS_PATH=str(tree.parents[2]))


def test_the_documentation_of_every_module_and_role_becomes_a_page(tmp_path):
    (tmp_path / "pages").mkdir()
    said = run("antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error", "--dest-dir", "pages",
               "disconnected.openshift", directory=tmp_path, ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".collections"))
    pages = {path.stem for path in (tmp_path / "pages").glob("*.rst")}
    assert {module + "_module" for module in MODULES} | {role + "_role" for role in ROLES} <= pages, said
    assert not [path for path in (tmp_path / "pages").glob("*.rst") if "DOCUMENTATION ERRORS" in path.read_text().upper()]


def test_an_execution_environment_can_be_defined(tarball, tmp_path):
    """The example's definition, and what ansible-builder reads of the collection where it is installed."""
    example = ROOT / "docs" / "examples" / "awx-project"
    run("cp", "-a", str(example), str(tmp_path / "project"), directory=tmp_path)
    run("ansible-builder", "create", "-f", "execution-environment.yml", "-c", str(tmp_path / "context"),
        "--output-filename", "Containerfile",  # on a host with docker alone it would be a Dockerfile
        directory=tmp_path / "project" / "execution-environment")
    context = tmp_path / "context"
    containerfile = (context / "Containerfile").read_text()
    assert "python3.12" in containerfile and "ansible-core>=2.16" in containerfile
    assert "openssh-clients" in (context / "_build" / "bindep.txt").read_text()
    assert "disconnected.openshift" in (context / "_build" / "requirements.yml").read_text()
    collections = tmp_path / "collections"
    run("ansible-galaxy", "collection", "install", str(tarball), "-p", str(collections), "--offline", "--no-deps", directory=tmp_path)
    found = yaml.safe_load(run("ansible-builder", "introspect", str(collections), directory=tmp_path))["python"]
    needed = [line.partition(" ;")[0] for line in (ROOT / "meta" / "requirements.txt").read_text().splitlines() if ">=" in line]
    asked = {re.split(r"\s*#", line)[0].partition(" ;")[0].replace(" ", "") for line in found}
    assert {line.replace(" ", "") for line in needed} <= asked, found


def test_the_python_packages_can_be_had(tmp_path):
    said = run(str(BIN / "python"), "-m", "pip", "install", "--disable-pip-version-check", "--dry-run", "--ignore-installed",
               "-r", str(ROOT / "meta" / "requirements.txt"), directory=tmp_path)
    assert re.search(r"Would install .*kubernetes-.*openshift-", said), said
