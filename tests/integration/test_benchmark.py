# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The measurements themselves, on a set so small that only what they print matters."""
from __future__ import annotations

import pathlib
import re

import pytest

import mirroring as _world  # noqa: F401 pylint: disable=unused-import  # makes what is in tests importable
from benchmark import _sets, mirroring


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """The contenders are processes of their own."""
    monkeypatch.setenv("PYTHONPATH", str(pathlib.Path(__file__).resolve().parents[1]))


def rows(output, title):
    """{first cell: the others} of the table below a title."""
    table = output.partition("### R" + title)[2].partition("\n###")[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")]
    return {cells[0] + (" " + cells[1] if "killed" in title else ""): dict(zip(lines[0], cells)) for cells in lines[2:]}


def test_every_scenario_of_a_set(monkeypatch, capsys):
    monkeypatch.setitem(_sets.SETS, "R", lambda shelf: _sets.release(shelf, 8))
    mirroring.main(["--sets", "R", "--rounds", "1", "--over", "http", "--only", "native", "--scenarios", "1,2,3,5,6,7"])
    output = capsys.readouterr().out
    first = rows(output, ", first mirror")["native"]
    assert (first["received / unique"], first["sent / unique"], first["usable"]) == ("1.00", "1.00", "8")
    assert float(first["requests/image"]) == 13.1  # 12, and the three layers that all share
    assert rows(output, ", again, nothing to do")["native"]["requests/image"] == "1.0"
    assert rows(output, ", one tag moved, one lost")["native"]["usable"] == "8"
    for cells in rows(output, ", killed and run again").values():
        assert cells["usable at the end"] == "8" and float(cells["sent / unique"]) <= 1.5
    missing, damaged = rows(output, " with one image missing")["native"], rows(output, " with a damaged layer")["native"]
    assert (missing["usable"], missing["fails"], missing["names the image"]) == ("8 of 8", "yes", "yes")
    assert (damaged["usable"], damaged["fails"], damaged["names the image"]) == ("7 of 7", "yes", "yes")
    disk = rows(output, " through disk")["native"]
    assert (disk["usable"], disk["flipped byte is refused"], disk["sent by then / unique"]) == ("8", "yes", "0.00")
    assert re.search(r"^Load \d", output, re.MULTILINE)


def test_over_tls_and_a_long_line(monkeypatch, capsys):
    monkeypatch.setitem(_sets.SETS, "C", lambda shelf: _sets.catalog(shelf, 4, 2))
    for given in (["--over", "tls"], ["--over", "http", "--latency", "5"]):
        mirroring.main(["--sets", "C", "--rounds", "1", "--only", "native", "--scenarios", "1,4", *given])
        output = capsys.readouterr().out
        assert "| native | 4 of 4 | 1.00 |" in output
