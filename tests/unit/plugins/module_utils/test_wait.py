# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.disconnected.openshift.plugins.module_utils import errors, wait
from ansible_collections.disconnected.openshift.tests.unit.fake_clock import FakeClock


def outcomes(*values):
    """A check that returns these, the last one for ever."""
    left = list(values)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


class TestPoll:
    def test_a_timeout_names_what_was_missing_last(self):
        check = outcomes(wait.Pending("2 nodes are left"), wait.Pending("node b is left", nodes=["b"]))
        with pytest.raises(errors.TimedOut) as failure:
            wait.poll(check, timeout=10, interval=3, clock=FakeClock())
        assert failure.value.result() == {"msg": "Not done after 10 seconds: node b is left", "nodes": ["b"]}

    def test_a_failure_that_waiting_does_not_mend_ends_the_wait(self):
        clock = FakeClock()

        def check():
            raise errors.Degraded("node b is degraded")
        with pytest.raises(errors.Degraded):
            wait.poll(check, timeout=100, interval=1, clock=clock)
        assert clock.pauses == []

    def test_what_is_there_already_takes_no_time(self):
        clock = FakeClock()
        assert wait.poll(lambda: "done", timeout=10, interval=3, clock=clock) == "done"
        assert clock.pauses == []

    @pytest.mark.parametrize("value", [None, False, 0, []])
    def test_any_value_but_pending_is_an_outcome(self, value):
        assert wait.poll(lambda: value, timeout=10, interval=3, clock=FakeClock()) == value

    def test_who_waits_hears_what_for(self):
        heard = []
        check = outcomes(wait.Pending("2 nodes are left"), wait.Pending("node b is left"), "done")
        assert wait.poll(check, timeout=10, interval=3, clock=FakeClock(), tell=heard.append) == "done"
        assert heard == ["2 nodes are left", "node b is left"]

    def test_looks_once_more_at_the_deadline(self):
        clock = FakeClock()
        looked = []

        def check():
            looked.append(clock.now())
            return wait.Pending("never")
        with pytest.raises(errors.TimedOut):
            wait.poll(check, timeout=10, interval=4, clock=clock)
        assert looked == [0, 4, 8, 10]

    def test_a_timeout_of_nothing_looks_once(self):
        assert wait.poll(lambda: 7, timeout=0, interval=4, clock=FakeClock()) == 7


class TestRetry:
    @staticmethod
    def failing(times, after=None):
        def attempt(number):
            if number < times:
                raise wait.Transient(errors.Unreachable("attempt %d" % number), after)
            return number
        return attempt

    def test_gives_up_with_the_last_error_when_patience_ends(self):
        clock = FakeClock()
        with pytest.raises(errors.Unreachable) as failure:
            wait.retry(self.failing(1000), lambda: 30, clock)
        assert failure.value.message == "attempt %d" % len(clock.pauses)
        assert 15 < clock.now() <= 30

    def test_another_error_is_not_repeated(self):
        clock = FakeClock()

        def attempt(number):
            raise errors.Forbidden("no")
        with pytest.raises(errors.Forbidden):
            wait.retry(attempt, lambda: 30, clock)
        assert clock.pauses == []

    def test_pauses_double_up_to_the_longest(self):
        clock = FakeClock()
        assert wait.retry(self.failing(6), lambda: 1000, clock, first=1, longest=4) == 6
        for pause, full in zip(clock.pauses, [1, 2, 4, 4, 4, 4]):
            assert full / 2 <= pause <= full

    def test_the_other_side_says_how_long_to_pause(self):
        clock = FakeClock()
        assert wait.retry(self.failing(2, after=7), lambda: 60, clock) == 2
        assert clock.pauses == [7, 7]

    def test_a_pause_that_patience_does_not_cover_is_not_begun(self):
        clock = FakeClock()
        with pytest.raises(errors.Unreachable):
            wait.retry(self.failing(2, after=61), lambda: 60, clock)
        assert clock.pauses == []
