# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A few threads that work off many tasks which wait for one another.

A task is a function, or a generator that yields the tasks it waits for and goes on when all of them have ended. Waiting
holds no thread, so that no number of waiting tasks can keep the others from running.
"""
from __future__ import annotations

import heapq
import itertools
import threading

from . import errors, wait


class Task:
    """One piece of work. Once it has ended, `error` is the errors.Error that it failed with, or None."""

    def __init__(self, rank, work):
        self.rank = rank
        self.ended = False
        self.error = None
        self.work = work
        self.steps = None
        self.awaited = 0
        self.followers = []

    def advance(self):
        """Run until the task waits (returns the tasks that it waits for) or ends (returns None)."""
        if self.steps is None:
            self.steps = self.work(self)
            if self.steps is None:
                return None
        return next(self.steps, None)


class Crew:
    """Runs tasks on at most `workers` threads, those of the lowest rank first."""

    def __init__(self, workers):
        if workers < 1:
            raise errors.InvalidInput("Nothing is done by %d workers. Give at least one." % workers)
        self._workers = workers
        self._ready = []
        self._numbers = itertools.count()
        self._unended = 0
        self._broken = None
        self._condition = threading.Condition()

    def start(self, rank, work, *args):
        """The Task of having `work(task, *args)` done, a function or a generator function. Tasks may start others."""
        task = Task(rank, lambda task: work(task, *args))
        with self._condition:
            self._unended += 1
            self._enqueue(task)
        return task

    def run(self):
        """Return when every task has ended. What one raised besides errors.Error is a fault in it, and raised here."""
        if not self._unended:
            return
        threads = [threading.Thread(target=self._work, daemon=True) for _number in range(self._workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._broken is not None:
            raise self._broken

    def _work(self):
        while True:
            with self._condition:
                while not self._ready and self._unended and self._broken is None:
                    self._condition.wait()
                if not self._ready or self._broken is not None:
                    return
                task = heapq.heappop(self._ready)[2]
            self._advance(task)

    def _advance(self, task):
        awaited = None
        try:
            awaited = task.advance()
        except errors.Error as error:
            task.error = error
        except wait.Transient as transient:
            task.error = transient.error
        except BaseException as fault:  # of the program's own: stop, and let run() raise it
            with self._condition:
                self._broken = fault
                self._condition.notify_all()
            return
        with self._condition:
            if awaited is None:
                self._end(task)
            else:
                self._suspend(task, awaited)

    def _suspend(self, task, awaited):
        for other in awaited:
            if not other.ended:
                task.awaited += 1
                other.followers.append(task)
        if not task.awaited:
            self._enqueue(task)

    def _end(self, task):
        task.ended = True
        task.work = task.steps = None  # lets go of what it held, manifests above all
        self._unended -= 1
        for follower in task.followers:
            follower.awaited -= 1
            if not follower.awaited:
                self._enqueue(follower)
        if not self._unended:
            self._condition.notify_all()

    def _enqueue(self, task):
        heapq.heappush(self._ready, (task.rank, next(self._numbers), task))
        self._condition.notify()


def raise_first(tasks):
    """Raise the error of the first of `tasks` that failed, if one did."""
    for task in tasks:
        if task.error is not None:
            raise task.error
