# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place that sleeps: waiting for an outcome, and trying a call again.

Both take the clock as a parameter, so that a test of an hour's rollout takes no time.
"""
from __future__ import annotations

import random
import time

from . import errors


class SystemClock:
    """Real time, in seconds."""

    @staticmethod
    def now():
        return time.monotonic()

    @staticmethod
    def sleep(seconds):
        time.sleep(seconds)


class Pending:
    """What a check returns while its outcome is not there: why, in a sentence, and details for the result."""

    def __init__(self, reason, **details):
        self.reason = reason
        self.details = details


class Transient(Exception):
    """An attempt failed in a way that may pass. `error` is what to raise if it does not; `after` is in how
    many seconds the other side asked to be called again, if it said so."""

    def __init__(self, error, after=None):
        super().__init__(error.message)
        self.error = error
        self.after = after


def poll(check, timeout, interval, clock=SystemClock(), tell=None):
    """Call `check` every `interval` seconds until it returns something else than Pending, and return that.

    The first check is at once and the last one at the deadline, `timeout` seconds later. Then TimedOut is
    raised with the last reason and its details. What `check` raises passes through: a failure that waiting
    does not mend ends the wait at once. `tell` hears each reason to wait on.
    """
    deadline = clock.now() + timeout
    while True:
        outcome = check()
        if not isinstance(outcome, Pending):
            return outcome
        left = deadline - clock.now()
        if left <= 0:
            raise errors.TimedOut("Not done after %g seconds: %s" % (timeout, outcome.reason), **outcome.details)
        if tell:
            tell(outcome.reason)
        clock.sleep(min(interval, left))


def retry(attempt, patience, clock=SystemClock(), first=0.5, longest=10.0):
    """Call `attempt(number)`, counting from 0, until it does not raise Transient, and return its value.

    The pauses double from `first` to `longest` seconds, each shortened by up to a half at random so that many
    callers do not return in step; a pause that the other side asked for is kept instead. When the next pause
    would end later than `patience()` seconds after the start, the error inside Transient is raised, and tells `after`.
    """
    started = clock.now()
    pause = first
    number = 0
    while True:
        try:
            return attempt(number)
        except Transient as transient:
            delay = pause * random.uniform(0.5, 1) if transient.after is None else transient.after
            if clock.now() + delay - started > patience():
                transient.error.after = transient.after
                raise transient.error
        clock.sleep(delay)
        pause = min(pause * 2, longest)
        number += 1
