# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet's log API over a node's journal."""
from __future__ import annotations

import json
import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lab import journal  # noqa: E402

MESSAGE = 'Trying to access "quay.io/a/b:1"'


@pytest.fixture
def node(tmp_path):
    """A node whose CRI-O and kubelet have written two lines each; the first of each is from long ago."""
    root = tmp_path / "worker-0"
    root.mkdir()
    journal.crio(root, "Pulling image: quay.io/a/b:1", request="0a1b")
    journal.kubelet_error(root, "Failed to pull image", err="no such host", image="quay.io/a/b:1")
    old = re.sub(r"(?m)^\d{4}", "2020", (root / journal.FILE).read_text())
    (root / journal.FILE).write_text(old)
    journal.crio(root, MESSAGE)
    journal.kubelet_error(root, "Pull backed off", err="", image="quay.io/a/b:1")
    return root


def lines(node, **parameters):
    query = {name.replace("_", "-"): value if isinstance(value, list) else [value]
             for name, value in parameters.items()}
    return journal.answer(node, query).splitlines()


@pytest.mark.parametrize("parameters, count", [
    ({}, 4),
    ({"unit": "crio"}, 2),
    ({"query": "crio.service", "unit": "crio"}, 2),
    ({"unit": ["crio", "kubelet"]}, 4),
    ({"unit": "crio", "since": "-1h"}, 1),
    ({"unit": "crio", "since": "2020-01-01 00:00:00"}, 2),
    ({"unit": "crio", "sinceTime": "2021-01-01T00:00:00Z"}, 1),
    ({"grep": "trying TO"}, 1),
    ({"pattern": "Trying to access|Pulling image", "case-sensitive": "true"}, 2),
    ({"tail": "3"}, 3),
    ({"tailLines": "1", "tail": "1", "unit": "crio"}, 1),
])
def test_what_is_chosen(node, parameters, count):
    assert len(lines(node, **parameters)) == count


def test_nothing_is_said_as_the_journal_says_it(node):
    assert lines(node, unit="crio", grep="trying TO", case_sensitive="true") == ["-- No entries --"]
    assert journal.answer(node / "nowhere", {}) == "-- No entries --\n"


@pytest.mark.parametrize("parameters, reason", [
    ({"unit": " "}, "unit cannot be empty"),
    ({"since": "2026-03-01T10:00:00Z"}, "relative time"),
    ({"since": "yesterday"}, "relative time"),
    ({"sinceTime": "2026-03-01 10:00:00"}, "invalid time format"),
    ({"since": "-1h", "sinceTime": "2026-03-01T10:00:00Z"}, "Forbidden"),
    ({"tail": "many"}, "tailLines"),
    ({"tailLines": "100001"}, "between 0 and 100000"),
    ({"grep": "("}, "error parsing regexp"),
    ({"grep": "a", "case-sensitive": "maybe"}, "case-sensitive"),
    ({"output": "export"}, "supported values"),
])
def test_what_the_kubelet_refuses(node, parameters, reason):
    with pytest.raises(journal.BadQuery, match=reason):
        lines(node, **parameters)


def test_what_it_lets_pass_and_journalctl_does_not_understand(node):
    assert lines(node, since="1h") == ["Failed to parse timestamp: 1h"]


def test_a_unit_that_is_none_is_taken_for_a_file(node):
    assert "query resolved to log files for ['nginx']" in journal.answer(node, {"unit": ["nginx"]})


@pytest.mark.parametrize("output, form", [
    ("", r"[A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d\.\d{6} worker-0 crio\[1947\]: time="),
    ("short", r"[A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d worker-0 crio\[1947\]: time="),
    ("short-iso", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000 worker-0 crio\[1947\]: time="),
    ("short-unix", r"\d+\.\d{6} worker-0 crio\[1947\]: time="),
    ("cat", r'time="[^"]+" level=info msg="Trying to access \\"quay.io/a/b:1\\""$'),
])
def test_the_forms_of_a_line(node, output, form):
    assert re.match(form, lines(node, unit="crio", output=output)[-1])


def test_json_holds_the_message_as_it_is(node):
    entry = json.loads(lines(node, unit="crio", output="json")[-1])
    assert json.dumps(MESSAGE) in entry["MESSAGE"] and entry["_SYSTEMD_UNIT"] == "crio.service"


def test_a_request_has_its_id(node):
    assert lines(node, unit="crio", output="cat")[0].endswith(
        'msg="Pulling image: quay.io/a/b:1" id=0a1b name=/runtime.v1.ImageService/PullImage')
