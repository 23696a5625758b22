# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""usage: python -m benchmark cluster [--nodes 500] [--references 10000]

Converts a lab's cluster by digests alone, then with a rule by tag; configures and verifies it again with nothing to do;
converts and verifies a large cluster; judges many references. What the API was asked is counted by the lab.
"""
from __future__ import annotations

import argparse
import contextlib
import pathlib
import resource
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main(arguments):
    options = argparse.ArgumentParser(prog="benchmark cluster", description=__doc__)
    options.add_argument("--nodes", type=int, default=500)
    options.add_argument("--references", type=int, default=10_000)
    given = options.parse_args(arguments)
    sys.path.insert(0, str(ROOT / ".collections"))
    rows = [("work", "measure", "found", "goal")]
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        directory = pathlib.Path(scratch)
        rows += conversion(directory)
        rows += many_nodes(directory, given.nodes)
    rows += coverage(given.references)
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())


@contextlib.contextmanager
def lab_in(directory, **settings):
    """A running lab, the class that the integration stories use."""
    from integration.conftest import Lab
    lab = Lab(directory, **settings)
    try:
        yield lab.up()
    finally:
        lab.down()


def variables(lab, *more):
    """A plan of the release alone: planning the rest is not what is measured."""
    mirror = lab.facts["mirror"]["registry"] + "/ocp/release"
    sources = ("quay.io/openshift-release-dev/ocp-release", "quay.io/openshift-release-dev/ocp-v4.0-art-dev")
    rules = [{"source": source, "mirrors": [mirror], "by": "digest"} for source in sources]
    return {"mirror_plan_result": {"mirrors": rules + list(more), "catalog_sources": []}}


def played(lab, playbook, given):
    """(the run, seconds by the clock, seconds of computing); ends the benchmark when it failed."""
    start, computed = time.monotonic(), computing()
    run = lab.playbook("disconnected.openshift." + playbook, variables=given, timeout=900)
    if run.rc:
        sys.exit(run.output)
    return run, time.monotonic() - start, computing() - computed


def computing():
    """Seconds that the processes started from here, and those that these started, have kept a core busy."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def conversion(directory):
    """Rows for a conversion, and for doing it again."""
    by_tag = {"source": "quay.io/apps", "mirrors": ["mirror.example.com/apps"], "by": "tag"}
    with lab_in(directory / "conversion", speed=100) as lab:
        given = variables(lab)
        played(lab, "configure", given)
        digests = moves(lab)
        before = lab.writes
        runs = [played(lab, playbook, given) for playbook in ("configure", "verify")]
        writes = lab.writes - before
        invocations = sum(is_module(task) for run, _wall, _computed in runs for task in run.tasks)
        wall, computed = (sum(run[column] for run in runs) for column in (1, 2))
        played(lab, "configure", variables(lab, by_tag))
        tags = moves(lab)
    return [
        ("conversion, digests alone", "rollouts; drains", "%d; %d" % digests, "1; 0"),
        ("the same with a rule by tag added", "rollouts; drains", "%d; %d" % (tags[0] - digests[0], tags[1]),
         "1; one a node"),
        ("configure + verify again", "API writes; module invocations; wall (computing)",
         "%d; %d; %.1f s (%.1f s)" % (writes, invocations, wall, computed), "0; -; under 15 s"),
    ]


def moves(lab):
    """(the most updates that a node has been through, the drains of all nodes)."""
    nodes = lab.stats()["nodes"].values()
    return max(node["updates"] for node in nodes), sum(node["drains"] for node in nodes)


def is_module(task):
    """Whether a recorded task ran one of our modules."""
    return task["outcome"] != "skipped" and task.get("action", "").startswith("disconnected.openshift.")


def many_nodes(directory, count):
    """The row for verifying a large cluster that was converted."""
    with lab_in(directory / "large", nodes=count, speed=100) as lab:
        lab.patch("machineconfiguration.openshift.io/v1", "MachineConfigPool", "worker", {"spec": {"maxUnavailable": "25%"}})
        played(lab, "configure", dict(variables(lab), cluster_config_poll_interval=1))
        before = requests(lab)
        _run, wall, computed = played(lab, "verify", {})
        asked = requests(lab) - before
    return [("verify %d nodes" % count, "wall (computing); requests per node",
             "%.1f s (%.1f s); %.2f" % (wall, computed, asked / count), "under 20 s on 2 cores; at most 2")]


def requests(lab):
    return lab.stats()["total"]


def coverage(count):
    """The row for judging references: where each would be pulled from, and what that is worth."""
    from ansible_collections.disconnected.openshift.plugins.module_utils import image_coverage, registries_conf
    mirror = "mirror.example.com:5000"
    entries = "".join('[[registry]]\nlocation = "quay.io/team%d"\n[[registry.mirror]]\nlocation = "%s/team%d"\n'
                      'pull-from-mirror = "digest-only"\n' % (team, mirror, team) for team in range(50))
    conf = registries_conf.parse(entries)
    around = image_coverage.Surroundings(frozenset((mirror,)), frozenset((mirror,)), frozenset())
    texts = ["quay.io/team%d/app%d@sha256:%064x" % (number % 60, number, number) for number in range(count)]
    start = time.process_time()
    aims = [image_coverage.aim(text, conf, around) for text in texts]
    answers = {reference: "sha256:%064x" % 0 for target in aims for reference in target.mirrors}
    for target in aims:
        image_coverage.verdict(target, answers, {"auths": {}})
    return [("coverage of %d references" % count, "compute time without network", "%.2f s" % (time.process_time() - start),
             "under 1 s")]
