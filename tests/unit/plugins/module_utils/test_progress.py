# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import doctest
import threading

import pytest

from ansible_collections.disconnected.openshift.plugins.module_utils import errors, progress
from ansible_collections.disconnected.openshift.plugins.module_utils.transfer import Progress


def test_examples():
    assert doctest.testmod(progress).failed == 0


@pytest.mark.parametrize("first,last,received,line", [
    (None, None, 0, "looking for what is missing"),
    (Progress(20, 100, 0, 1), Progress(20, 100, 0, 1), 5_000_000, "20 of 100 images, 5.0 MB at 2.0 MB/s"),
    (Progress(20, 100, 0, 1), Progress(40, 100, 0, 11), 5_000_000, "40 of 100 images, 5.0 MB at 2.0 MB/s, about 30 s left"),
    (Progress(1, 2, 0, 1), Progress(2, 2, 0, 9), 0, "2 of 2 images"),
])
def test_a_line(first, last, received, line):
    assert progress.sentence(first, last, received, 2_000_000) == line


def test_the_rate_is_that_since_the_line_before():
    clock, received = iter([0, 10, 20]), iter([1000, 1500])
    watch = progress.Watch(None, 1, lambda: next(received), lambda: next(clock))
    watch.told(Progress(0, 9, 0, 0))
    assert [watch.line(), watch.line()] == ["0 of 9 images, 1.0 kB at 100 B/s", "0 of 9 images, 1.5 kB at 50 B/s"]


def test_lines_are_added_while_it_runs(tmp_path):
    path = tmp_path / "progress"
    path.write_text("from before\n")
    written = threading.Event()
    with progress.Watch(str(path), 0.01, lambda: written.set() or 7) as watch:
        watch.told(Progress(1, 2, 0, 0))
        assert written.wait(5) and watch.line()
    lines = path.read_text().splitlines()
    assert lines[0] == "from before" and lines[1].endswith(" 1 of 2 images, 7 B at %s" % lines[1].rpartition("at ")[2])


@pytest.mark.parametrize("path,interval", [(None, 1), ("progress", 0)])
def test_nothing_is_written_unasked(tmp_path, monkeypatch, path, interval):
    monkeypatch.chdir(tmp_path)
    with progress.Watch(path, interval, int):
        pass
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_said_at_once(tmp_path):
    with pytest.raises(errors.InvalidInput, match="progress file .* cannot be written"):
        with progress.Watch(str(tmp_path / "no" / "such"), 1, int):
            pass


class TestTeller:
    def test_it_tells_no_more_often_than_asked_and_not_at_once(self, tmp_path):
        path, clock = tmp_path / "progress", [0]
        teller = progress.Teller(str(path), 15, lambda: clock[0])
        assert not teller.tell("too soon")
        clock[0] = 15
        assert teller.tell("now") and not teller.tell("again")
        clock[0] = 30
        assert not teller.tell("now")
        assert [line[9:] for line in path.read_text().splitlines()] == ["now"]

    def test_a_path_that_cannot_be_written_is_said_before_anything_is_waited_for(self, tmp_path):
        with pytest.raises(errors.InvalidInput, match="progress file"):
            progress.Teller(str(tmp_path / "no" / "progress"), 15, lambda: 0)

    def test_without_a_file_nothing_is_told(self):
        assert not progress.Teller(None, 15, iter([0, 99]).__next__).tell("a")
