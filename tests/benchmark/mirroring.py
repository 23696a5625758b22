# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""usage: python -m benchmark mirroring [--sets R,C,P] [--scenarios 1,2,...] [--rounds 3] [--tls] [--only NAME,...]

Mirrors the sets between two docker-registries on this machine and prints a table. Scenarios: 1 first mirror, 2 again with
nothing to do, 3 one image changed and one lost, 4 a plan of 10,000 images, 5 killed at half and run again, 6 one image missing
and three 503s. Requests and bytes are counted in the registries' own access logs. In each round every contender has its turn;
what a column "to native" says is the median of the rounds' ratios. oc by itself, which sleeps most of its time, has one turn.
"""
from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import re
import shutil
import signal
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import namedtuple

from faults import proxy
from faults.registries import Registry
from faults.trust import Authority
from lab import images

from . import _contenders, _sets

# cpu: seconds; memory: bytes of the largest process
# usable: images that are on the mirror under their digest afterwards; sent, received: bytes of blobs; requests: to both
Run = namedtuple("Run", "wall cpu memory rc requests received sent usable output")

LINE = re.compile(r'"(?P<method>[A-Z]+) (?P<path>\S+) HTTP/[0-9.]+" (?P<status>\d+) (?P<size>\d+)')
ACCEPT = ", ".join(kind for form in (images.DOCKER, images.OCI) for kind in (form.manifest, form.index))
ONCE = ("oc image mirror",)


class Upstream:
    """A registry that holds one set."""

    def __init__(self, name, directory, stack, tls):
        self.registry = stack.enter_context(Registry(directory / ("upstream-" + name), tls=tls, access_log=True))
        self.shelf = images.Shelf(self.registry.host)
        self.items = _sets.SETS[name](self.shelf)
        self.shelf.write(self.registry.directory / "storage")
        blobs = {digest for repository in self.shelf._repositories.values() for digest in repository.blobs}
        self.sizes = {digest: len(self.shelf._data[digest]) for digest in blobs}
        self.unique = sum(self.sizes.values())


class Log:
    """What a registry was asked from now on."""

    def __init__(self, registry):
        self._path = registry.directory / "log"
        self._start = self._path.stat().st_size

    def lines(self):
        with self._path.open("rb") as file:
            file.seek(self._start)
            return [match for match in map(LINE.search, file.read().decode("utf-8", "replace").splitlines()) if match]

    def received(self):
        """Bytes of blobs that were read."""
        return sum(int(line["size"]) for line in self.lines()
                   if line["method"] == "GET" and "/blobs/" in line["path"] and line["status"] in ("200", "206"))

    def sent(self, sizes):
        """Bytes of blobs whose upload was finished."""
        digests = [urllib.parse.parse_qs(urllib.parse.urlsplit(line["path"]).query).get("digest", [""])[0] for line in self.lines()
                   if line["method"] == "PUT" and "/blobs/uploads/" in line["path"] and line["status"] == "201"]
        return sum(sizes.get(digest, 0) for digest in digests)


class Bench:
    def __init__(self, directory, stack, tls):
        self.directory = directory
        self._stack = stack
        self._ca = None
        self._leaf = None
        if tls:
            authority = Authority(directory / "trust")
            self._leaf, self._ca = authority.issue("registry")[:2], authority.path
        self._upstreams = {}
        self._count = 0

    def upstream(self, name):
        if name not in self._upstreams:
            self._upstreams[name] = Upstream(name, self.directory, self._stack, self._leaf)
        return self._upstreams[name]

    @contextlib.contextmanager
    def mirror(self):
        """An empty mirror registry, gone afterwards."""
        self._count += 1
        directory = self.directory / ("mirror-%d" % self._count)
        with Registry(directory, tls=self._leaf, access_log=True) as registry:
            yield registry
        shutil.rmtree(directory)

    def run(self, name, upstream, mirror, items=None, source=None, stop_at=None):
        """One run of a contender; with `stop_at` it is killed once so many bytes have been sent."""
        work = _contenders.Work(self.directory / "work", items or upstream.items, source or upstream.registry.host, mirror.host,
                                self._ca)
        command = _contenders.CONTENDERS[name][0](work)
        logs = Log(upstream.registry), Log(mirror)
        started = time.monotonic()
        with open(work.directory / "output", "w+b") as output:
            process = subprocess.Popen(command, env=work.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                       start_new_session=True)
            while stop_at and not ended(process.pid):
                if logs[1].sent(upstream.sizes) >= stop_at:
                    os.killpg(process.pid, signal.SIGKILL)
                    break
                time.sleep(0.02)
            _pid, status, usage = os.wait4(process.pid, 0)
            wall = time.monotonic() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            said = output.read().decode("utf-8", "replace")
        requests = sum(len(log.lines()) for log in logs)
        cpu = usage.ru_utime + usage.ru_stime
        result = Run(wall, cpu, usage.ru_maxrss * 1024, process.returncode, requests, logs[0].received(),
                     logs[1].sent(upstream.sizes), self.usable(name, work), said)
        shutil.rmtree(work.directory)
        return result

    def usable(self, name, work):
        """How many of the items are on the mirror under their digest."""
        context = ssl.create_default_context(cafile=self._ca) if self._ca else None
        found = 0
        for item in work.items:
            path, digest = item.source.partition("/")[2].split("@")
            place = (path, digest) if name == "oc-mirror v2" else (item.path, item.tag)
            url = "%s://%s/v2/%s/manifests/%s" % ("https" if self._ca else "http", work.mirror_host, *place)
            request = urllib.request.Request(url, method="HEAD", headers={"Accept": ACCEPT})
            with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(request, context=context) as response:
                found += response.headers["Docker-Content-Digest"] == digest
        return found


def ended(pid):
    """Whether a child has ended; it can still be waited for."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def first_and_again(bench, name, contenders, rounds, scenarios):
    """Scenarios 1 to 3."""
    upstream = bench.upstream(name)
    count = len(upstream.items)
    first, again, little = {}, {}, {}
    for number in range(rounds):
        for contender in contenders:
            if number and contender in ONCE:
                continue
            with bench.mirror() as mirror:
                note(first, contender, bench.run(contender, upstream, mirror))
                if 2 in scenarios:
                    note(again, contender, bench.run(contender, upstream, mirror))
                if 3 in scenarios:
                    spoil(mirror, upstream.items)
                    note(little, contender, bench.run(contender, upstream, mirror))
    show("%s, first mirror: %d images, %.1f MB" % (name, count, upstream.unique / 1e6), first, upstream, count)
    for title, runs in (("again, nothing to do", again), ("one tag moved, one lost", little)):
        if runs:
            show("%s, %s" % (name, title), runs, upstream, count)


def spoil(mirror, items):
    """Have the first item's tag point to the second's image, and lose the third's."""
    root = mirror.directory / "storage/docker/registry/v2/repositories"
    tags = [root / item.path / "_manifests/tags" / item.tag for item in items[:3]]
    shutil.copy(tags[1] / "current/link", tags[0] / "current/link")
    shutil.rmtree(tags[2])


def many(bench, name, number=10000):
    """Scenario 4: memory, of this collection alone."""
    upstream = bench.upstream(name)
    items = [item._replace(tag="%s-%d" % (item.tag, n)) for n in range(number // len(upstream.items)) for item in upstream.items]
    rows = []
    with bench.mirror() as mirror:
        for title in ("first mirror", "again"):
            run = bench.run("native", upstream, mirror, items)
            rows.append((title, "%d" % run.usable, "%.1f s" % run.wall, "%.1f s" % run.cpu, "%.0f MB" % (run.memory / 1e6)))
    table("A plan of %d images" % len(items), ("", "usable", "wall", "its CPU", "its memory"), rows)


def killed(bench, name, contenders):
    """Scenario 5."""
    upstream = bench.upstream(name)
    rows = []
    for contender in contenders:
        with bench.mirror() as mirror:
            broken = bench.run(contender, upstream, mirror, stop_at=upstream.unique / 2)
            whole = bench.run(contender, upstream, mirror)
            rows.append((contender, "%d" % broken.usable, "%d" % whole.usable,
                         "%.2f" % ((broken.sent + whole.sent) / upstream.unique),
                         "%.2f" % ((broken.received + whole.received) / upstream.unique)))
    table("%s, killed at half and run again" % name,
          ("", "usable after the kill", "usable at the end", "sent / unique", "received / unique"), rows)


def faulty(bench, name, contenders):
    """Scenario 6, without TLS."""
    upstream = bench.upstream(name)
    rows = []
    for contender in contenders:
        with bench.mirror() as mirror, proxy.Proxy(upstream.registry.port) as front:
            gone = "sha256:" + "0" * 64
            items = [item._replace(source=item.source.replace(upstream.registry.host, front.host)) for item in upstream.items]
            for item in items[5:8]:
                front.inject(proxy.status(503), "GET", "/manifests/" + item.source.partition("@")[2], times=1)
            items.insert(3, items[0]._replace(source=items[0].source.partition("@")[0] + "@" + gone, tag="gone"))
            run = bench.run(contender, upstream, mirror, items, front.host)
            rows.append((contender, "%d of %d" % (run.usable, len(items) - 1), "yes" if run.rc else "no",
                         "yes" if gone in run.output else "no", "%.1f s" % run.wall))
    table("%s with one image missing and three 503s" % name, ("", "usable", "fails", "names it", "wall"), rows)


def note(runs, contender, run):
    runs.setdefault(contender, []).append(run)


def show(title, runs, upstream, count):
    native = [run.wall for run in runs.get("native", [])]
    rows = []
    for contender, some in runs.items():
        last = some[-1]
        ratio = statistics.median(a.wall / b for a, b in zip(some, native)) if native else 0
        rows.append((contender, "%.2f s" % statistics.median(run.wall for run in some), "%.2f" % ratio,
                     "%.1f s" % statistics.median(run.cpu for run in some),
                     "%.1f" % (last.requests / count), "%.2f" % (last.received / upstream.unique),
                     "%.2f" % (last.sent / upstream.unique), "%d" % last.usable))
    table(title, ("", "wall", "to native", "its CPU", "requests/image", "received / unique", "sent / unique", "usable"), rows)


def table(title, head, rows):
    """Print a table in Markdown."""
    print("\n### %s\n\n| %s |\n|%s" % (title, " | ".join(head), "---|" * len(head)))
    for row in rows:
        print("| %s |" % " | ".join(row))
    sys.stdout.flush()


def main(arguments):
    parser = argparse.ArgumentParser(prog="python -m benchmark mirroring", usage=__doc__)
    parser.add_argument("--sets", default="R,C,P")
    parser.add_argument("--scenarios", default="1,2,3,4,5,6")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--only", default="")
    options = parser.parse_args(arguments)
    scenarios = {int(number) for number in options.scenarios.split(",")}
    contenders = [name for name in _contenders.here() if not options.only or name in options.only.split(",")]
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        bench = Bench(directory, stack, options.tls)
        for name in options.sets.split(","):
            if scenarios & {1, 2, 3}:
                first_and_again(bench, name, contenders, options.rounds, scenarios)
            if 4 in scenarios and name == "R":
                many(bench, name)
            if 5 in scenarios:
                killed(bench, name, contenders)
            if 6 in scenarios and name == "R" and not options.tls:
                faulty(bench, name, contenders)
