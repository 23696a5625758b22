# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is killed leaves a window open; the next one finds it, finishes it, and every node is updated once."""
from __future__ import annotations

import os
import random
import signal
import subprocess
import time

import pytest

POOL = "machineconfiguration.openshift.io/v1"
PAUSED_BY_US = "disconnected.openshift/paused"
SEED = int(os.environ.get("WINDOW_SEED", "20260301"))
INFRA = {
    "apiVersion": POOL, "kind": "MachineConfigPool", "metadata": {"name": "infra"},
    "spec": {
        "paused": True,
        "machineConfigSelector": {"matchExpressions": [
            {"key": "machineconfiguration.openshift.io/role", "operator": "In", "values": ["worker", "infra"]}]},
        "nodeSelector": {"matchLabels": {"node-role.kubernetes.io/infra": ""}},
    },
}


@pytest.fixture(scope="module")
def cut_lab(make_lab):
    """A lab slow enough for a kill to fall anywhere into a rollout, with a pool that somebody else has paused."""
    lab = make_lab(speed=40)
    lab.create(INFRA)  # it has no nodes, so that it stands in nobody's way
    # Without the images the catalog's pod could not start, and `configure` would wait for it.
    for playbook in ("prepare", "mirror"):
        run = lab.playbook("disconnected.openshift." + playbook)
        assert run.rc == 0, run.output
    return lab


def pools(lab):
    return {pool.metadata.name: pool for pool in lab.api.resources.get(api_version=POOL, kind="MachineConfigPool").get().items}


def annotations(pool):
    return dict(pool.metadata.get("annotations") or {})


def kill_after(lab, seen, delay):
    """Starts `configure`, and kills it with all its children so long after `seen()` held for the first time."""
    process = subprocess.Popen(lab.argv("disconnected.openshift.configure"), env=lab.environment(), cwd=lab.home,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while not seen() and time.monotonic() < deadline:
        assert process.poll() is None, "the run ended before it paused a pool"
        time.sleep(0.05)
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("earliest, latest", [(0.0, 2.0), (2.0, 5.0)])
def test_the_next_run_finishes_what_a_killed_one_began(cut_lab, earliest, latest):
    """The kill falls into the writing, then into what follows it."""
    delay = random.Random(SEED).uniform(earliest, latest)
    before = updates(cut_lab)
    kill_after(cut_lab, lambda: any(PAUSED_BY_US in annotations(pool) for pool in pools(cut_lab).values()), delay)
    run = cut_lab.playbook("disconnected.openshift.configure")
    assert run.rc == 0, "%s\nkilled %.2f s after the pause (WINDOW_SEED=%d)" % (run.output, delay, SEED)
    assert {name: bool(pool.spec.paused) for name, pool in pools(cut_lab).items()} == {
        "infra": True, "master": False, "worker": False}
    assert not [pool for pool in pools(cut_lab).values() if PAUSED_BY_US in annotations(pool)]
    assert {node: count - before[node] for node, count in updates(cut_lab).items()} == dict.fromkeys(before, 1), delay
    back = cut_lab.playbook("disconnected.openshift.reconnect")
    assert back.rc == 0, back.output


def updates(lab):
    """{node: how many updates it has been through}."""
    return {node: counts["updates"] for node, counts in lab.stats()["nodes"].items()}
