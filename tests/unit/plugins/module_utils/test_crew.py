# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading

import pytest

from ansible_collections.disconnected.openshift.plugins.module_utils import errors, wait
from ansible_collections.disconnected.openshift.plugins.module_utils.crew import Crew, raise_first


def test_lower_ranks_go_first():
    crew, order = Crew(1), []
    for rank in (2, 0, 1, 0):
        crew.start(rank, lambda task: order.append(task.rank))
    crew.run()
    assert order == [0, 0, 1, 2]


def test_a_task_waits_without_holding_a_thread():
    crew, order = Crew(1), []

    def parent(task):
        children = [crew.start(task.rank, lambda _task, n=n: order.append(n)) for n in range(3)]
        yield children
        order.append("parent")

    crew.start(0, parent)
    crew.run()
    assert order == [0, 1, 2, "parent"]


def test_waiting_for_nothing_and_for_what_has_ended():
    crew, order = Crew(2), []

    def work(_task):
        child = crew.start(0, lambda _task: order.append("child"))
        yield [child]
        yield [child]
        yield []
        order.append("done")

    crew.start(0, work)
    crew.run()
    assert order == ["child", "done"]


def test_a_failure_is_kept_for_those_who_wait():
    crew, seen = Crew(2), []

    def fail(_task):
        raise errors.NotFound("gone")

    def transient(_task):
        raise wait.Transient(errors.Unreachable("away"))

    def work(_task):
        children = [crew.start(0, transient), crew.start(0, fail)]
        yield children
        seen.extend(type(child.error) for child in children)
        raise_first(children)

    task = crew.start(0, work)
    crew.run()
    assert seen == [errors.Unreachable, errors.NotFound] and task.error.message == "away"


def test_a_fault_of_the_program_ends_everything():
    crew = Crew(3)

    def forever(task):
        yield [crew.start(1, forever)]

    def faulty(_task):
        raise ZeroDivisionError

    crew.start(1, forever)
    crew.start(0, faulty)
    with pytest.raises(ZeroDivisionError):
        crew.run()


def test_never_more_threads_than_workers():
    crew, lock, now, most = Crew(4), threading.Lock(), [0], [0]
    gate = threading.Barrier(4, timeout=5)

    def work(_task):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        gate.wait()
        with lock:
            now[0] -= 1

    for _number in range(8):
        crew.start(0, work)
    crew.run()
    assert most == [4]


def test_nothing_to_do():
    Crew(2).run()


@pytest.mark.parametrize("workers", [0, -1])
def test_nobody_to_do_it(workers):
    with pytest.raises(errors.InvalidInput, match="at least one"):
        Crew(workers)
