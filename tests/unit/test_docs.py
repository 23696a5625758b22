# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation must name is read from the code, and what it names must be there."""
from __future__ import annotations

import pathlib
import re

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
VARIABLES = ROOT / "docs" / "variables.md"
MODULES_PAGE = ROOT / "docs" / "modules.md"
PAGES = sorted([README, ROOT / "tests" / "lab" / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("roles/*/README.md")])

MODULES = {path.stem for path in ROOT.glob("plugins/modules/*.py") if path.stem != "__init__"}
PLAYBOOKS = {path.stem for path in ROOT.glob("playbooks/*.yml")}
ROLES = {path.name for path in ROOT.glob("roles/*") if path.is_dir()}
# Beside these a fully qualified name may be the module_defaults group.
GROUPS = set(yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"])


def relative(path):
    return str(path.relative_to(ROOT))


def rows(page):
    """The names in backquotes that begin the rows of a page's tables."""
    found = set()
    for line in page.read_text().splitlines():
        if line.startswith("| `"):
            found |= set(re.findall(r"`([^`]+)`", line.split("|")[1]))
    return found


def role_variables(role):
    """The role's variables, as its defaults and its argument specification name them."""
    given = yaml.safe_load((ROOT / "roles" / role / "defaults" / "main.yml").read_text()) or {}
    specification = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text())
    return set(given).union(*(entry["options"] for entry in specification["argument_specs"].values()))


def collection_variables():
    """Every disconnected_* variable that a role or a playbook reads."""
    texts = [path.read_text() for top in ("roles", "playbooks") for path in (ROOT / top).rglob("*.yml")]
    return {name for text in texts for name in re.findall(r"\bdisconnected_[a-z_]+\b", text)}


def known_variables():
    return collection_variables().union(*(role_variables(role) for role in ROLES))


def commands(page):
    """The lines of a page's console blocks."""
    blocks = re.findall(r"^```console\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


def anchor(heading):
    """The fragment by which a heading can be linked to."""
    kept = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading).strip().lower())
    return kept.replace(" ", "-")


def test_every_variable_is_documented():
    missing = known_variables() - rows(VARIABLES)
    assert not missing, "docs/variables.md has no row for %s" % ", ".join(sorted(missing))


def test_every_documented_variable_exists():
    stale = rows(VARIABLES) - known_variables()
    assert not stale, "docs/variables.md has rows for what no role or playbook knows: %s" % ", ".join(sorted(stale))


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_pages_name_no_variable_that_does_not_exist(page):
    named = set(re.findall(r"\bdisconnected_[a-z_]+\b", page.read_text()))
    assert not named - collection_variables(), relative(page)


def test_every_module_is_documented():
    assert not MODULES - rows(MODULES_PAGE), "docs/modules.md has no row for %s" % sorted(MODULES - rows(MODULES_PAGE))
    assert not rows(MODULES_PAGE) - MODULES, "docs/modules.md has rows for no module: %s" % sorted(rows(MODULES_PAGE) - MODULES)


def test_every_playbook_has_a_page_and_a_row_in_the_readme():
    pages = {path.stem for path in (ROOT / "docs" / "playbooks").glob("*.md")}
    assert not PLAYBOOKS - pages, "docs/playbooks has no page for %s" % ", ".join(sorted(PLAYBOOKS - pages))
    assert not pages - PLAYBOOKS, "docs/playbooks has pages for no playbook: %s" % ", ".join(sorted(pages - PLAYBOOKS))
    linked = set(re.findall(r"\(docs/playbooks/(\w+)\.md\)", README.read_text()))
    assert linked == PLAYBOOKS, "README.md's table and playbooks differ: %s" % sorted(linked ^ PLAYBOOKS)


@pytest.mark.parametrize("playbook", sorted(PLAYBOOKS))
def test_a_playbooks_page_says_what_it_does_what_it_costs_and_how_to_undo_it(playbook):
    headings = re.findall(r"^## (.*)$", (ROOT / "docs" / "playbooks" / (playbook + ".md")).read_text(), flags=re.MULTILINE)
    wanted = ["What it does", "What it does to your cluster", "What it costs", "How to undo it"]
    assert [heading for heading in headings if heading in wanted] == wanted


def test_every_page_is_reached_from_the_readme():
    pages, reached = {page for page in PAGES if page.parts[-2:-1] == ("docs",)}, {README}
    todo = [README]
    while todo:
        page = todo.pop()
        for target in re.findall(r"\]\(([^)#\s]+\.md)", page.read_text()):
            goal = (page.parent / target).resolve()
            if goal not in reached and goal.exists():
                reached.add(goal)
                todo.append(goal)
    assert not pages - reached, "no link leads to %s" % ", ".join(sorted(map(relative, pages - reached)))


def test_every_role_is_in_the_readme_and_says_what_it_is():
    named = set(re.findall(r"`(\w+)`", README.read_text()))
    assert not ROLES - named, "README.md does not name %s" % ", ".join(sorted(ROLES - named))
    silent = sorted(role for role in ROLES if not (ROOT / "roles" / role / "README.md").is_file())
    assert not silent, "no README.md in the roles %s" % ", ".join(silent)


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_fully_qualified_names_exist(page):
    named = set(re.findall(r"\bdisconnected\.openshift\.(\w+)", page.read_text()))
    unknown = named - MODULES - PLAYBOOKS - ROLES - GROUPS
    assert not unknown, "%s names %s, which is no module, role or playbook" % (relative(page), ", ".join(sorted(unknown)))


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_commands_can_be_typed(page):
    """Make targets, the lab's verbs, and files of this checkout that commands begin with."""
    lab = (ROOT / "tests" / "lab" / "__main__.py").read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for line in commands(page):
        for target in re.findall(r"\bmake ((?:[a-z-]+ ?)+)(?:#|$)", line):
            assert set(target.split()) <= targets, "%s: %s" % (relative(page), line)
        for verb in re.findall(r"-m lab (\w+)", line):
            assert '"%s"' % verb in lab, "%s: %s" % (relative(page), line)
        for playbook in re.findall(r"ansible-playbook (?:\S+ )*?(disconnected\.openshift\.\w+)", line):
            assert playbook.rpartition(".")[2] in PLAYBOOKS, "%s: %s" % (relative(page), line)
        for script in re.findall(r"(?:^|\s)((?:tests|docs|meta)/[\w./-]+)", line):
            assert (ROOT / script).exists(), "%s: %s" % (relative(page), line)


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        name, _hash, fragment = target.partition("#")
        goal = (page.parent / name).resolve() if name else page
        assert goal.exists(), "%s links to %s" % (relative(page), target)
        if fragment:
            headings = re.findall(r"^#+ (.*)$", goal.read_text(), flags=re.MULTILINE)
            assert fragment in {anchor(heading) for heading in headings}, "%s links to %s" % (relative(page), target)
