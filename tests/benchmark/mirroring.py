# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""usage: python -m benchmark mirroring [--sets R,C,P] [--scenarios 1,2,...] [--rounds 3] [--over http,tls] [--latency MS]
                                   [--only NAME,...]

Mirrors the sets between two docker-registries on this machine and prints tables. Scenarios: 1 first mirror, 2 again with
nothing to do, 3 one image changed and one lost, 4 layers shared over repositories (set C), 5 killed at a quarter, half and three
quarters and run again, 6 a missing image and three 503s, and a damaged layer (set R), 7 through disk, and a byte flipped there
(set R), 8 a plan of 10,000 images (set R). 5 to 8 are measured over HTTP only.

Requests and bytes are counted in the registries' own access logs. In each round every contender has its turn; what a column
"to native" says is the median of the rounds' ratios. oc by itself, which sleeps most of its time, has one turn. With a latency
every request to either registry takes that many milliseconds longer, as over a long line.
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

# cpu: seconds; served: seconds of computing of both registries; memory: bytes of its own process at most
# usable: images that are on the mirror under their digest afterwards; sent, received: bytes of blobs; requests: to both
Run = namedtuple("Run", "wall cpu served memory rc requests received sent mounted usable output")

LINE = re.compile(r'"(?P<method>[A-Z]+) (?P<path>\S+) HTTP/[0-9.]+" (?P<status>\d+) (?P<size>\d+)')
ACCEPT = ", ".join(kind for form in (images.DOCKER, images.OCI) for kind in (form.manifest, form.index))
ONCE = ("oc image mirror",)
GOALS = {"R": 0.65, "C": 0.65, "P": 0.8}  # of native's wall to that of the best yardstick
POINTS = (0.25, 0.5, 0.75)  # of the unique bytes: when a run is killed


class Upstream:
    """A registry that holds one set."""

    def __init__(self, name, directory, stack, tls):
        self.registry = stack.enter_context(Registry(directory / ("upstream-" + name), tls=tls, access_log=True))
        self.shelf = images.Shelf(self.registry.host)
        self.items = _sets.SETS[name](self.shelf)
        self.shelf.write(self.registry.directory / "storage")
        places = [digest for repository in self.shelf._repositories.values() for digest in repository.blobs]
        self.sizes = {digest: len(self.shelf._data[digest]) for digest in places}
        self.shared = len(places) - len(self.sizes)  # further repositories that blobs are in
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

    def mounted(self):
        """How many layers were mounted from another repository."""
        return sum(line["method"] == "POST" and "mount=" in line["path"] and line["status"] == "201" for line in self.lines())


class Bench:
    def __init__(self, directory, stack, tls, latency=0):
        self.directory = directory
        self._stack = stack
        self._latency = latency / 1000
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
        items, source, target = items or upstream.items, source or upstream.registry.host, mirror.host
        with contextlib.ExitStack() as stack:
            if self._latency:
                front, back = (stack.enter_context(proxy.Proxy(registry.port, delay=self._latency))
                               for registry in (upstream.registry, mirror))
                items, source, target = behind(items, source, front.host), front.host, back.host
            work = _contenders.Work(self.directory / "work", items, source, target, self._ca)
            command = _contenders.CONTENDERS[name].command(work)
            result = self.measured(command, work, upstream, mirror, stop_at)
            result = result._replace(usable=self.usable(work, "oc-mirror" in name))
        shutil.rmtree(work.directory)
        return result

    def measured(self, command, work, upstream, mirror, stop_at=None):
        """The Run of a command, without what is on the mirror afterwards."""
        logs = Log(upstream.registry), Log(mirror)
        served = upstream.registry.computed() + mirror.computed()
        started = time.monotonic()
        with open(work.directory / "output", "w+b") as output:
            process = subprocess.Popen(command, env=work.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                       start_new_session=True)
            memory = 0
            while not ended(process.pid):
                memory = high_water(process.pid) or memory
                if stop_at and logs[1].sent(upstream.sizes) >= stop_at:
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
        served = upstream.registry.computed() + mirror.computed() - served
        return Run(wall, cpu, served, memory, process.returncode, requests, logs[0].received(),
                   logs[1].sent(upstream.sizes), logs[1].mounted(), None, said)

    def usable(self, work, own_names):
        """How many of the items are on the mirror under their digest; `own_names`: where the source has them."""
        context = ssl.create_default_context(cafile=self._ca) if self._ca else None
        found = 0
        for item in work.items:
            path, digest = item.source.partition("/")[2].split("@")
            place = (path, digest) if own_names else (item.path, item.tag)
            url = "%s://%s/v2/%s/manifests/%s" % ("https" if self._ca else "http", work.mirror_host, *place)
            request = urllib.request.Request(url, method="HEAD", headers={"Accept": ACCEPT})
            with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(request, context=context) as response:
                found += response.headers["Docker-Content-Digest"] == digest
        return found


def ended(pid):
    """Whether a child has ended; it can still be waited for."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def high_water(pid):
    """The most memory in bytes that a process has had; what wait4 tells counts the process that started it, too."""
    with contextlib.suppress(OSError), open("/proc/%d/status" % pid, encoding="ascii") as file:
        return next((int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:")), 0)
    return 0


def behind(items, host, front):
    """The items as they are called by way of a proxy."""
    return [item._replace(source=item.source.replace(host + "/", front + "/")) for item in items]


def first_and_again(bench, name, contenders, rounds, scenarios):
    """Scenarios 1 to 4."""
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
                if 3 in scenarios and "oc-mirror" not in contender:  # which gives tags of its own
                    spoil(mirror, upstream.items)
                    note(little, contender, bench.run(contender, upstream, mirror))
    show("%s, first mirror: %d images, %.1f MB" % (name, count, upstream.unique / 1e6), first, upstream, count)
    hold_against_the_best(name, first)
    if 4 in scenarios and name == "C":
        rows = [(contender, "%d of %d" % (runs[-1].mounted, upstream.shared),
                 "%.2f" % (runs[-1].sent / upstream.unique)) for contender, runs in first.items()]
        table("%s, layers shared over repositories" % name, ("", "mounted", "sent / unique"), rows)
    for title, runs in (("again, nothing to do", again), ("one tag moved, one lost", little)):
        if runs:
            show("%s, %s" % (name, title), runs, upstream, count)


def spoil(mirror, items):
    """Have the first item's tag point to another's image of its repository, and lose the second's."""
    root = mirror.directory / "storage/docker/registry/v2/repositories"
    other = next(item for item in items[2:] if item.path == items[0].path)
    moved, lost, instead = (root / item.path / "_manifests/tags" / item.tag for item in (items[0], items[1], other))
    shutil.copy(instead / "current/link", moved / "current/link")
    shutil.rmtree(lost)


def hold_against_the_best(name, runs):
    """Print what the goal is about: native's wall to that of the best of the tools that people use."""
    whole = max((run.usable for some in runs.values() for run in some), default=0)
    # A tool that gives up is soon done.
    rivals = [some for contender, some in runs.items() if _contenders.CONTENDERS[contender].yardstick
              and all(run.usable == whole for run in some)]
    if not rivals or "native" not in runs:
        return
    ratios = [run.wall / min(some[min(number, len(some) - 1)].wall for some in rivals)
              for number, run in enumerate(runs["native"])]
    print("\nnative to the best of the others, round by round: %s; median %.2f, goal %.2f"
          % (", ".join("%.2f" % ratio for ratio in ratios), statistics.median(ratios), GOALS[name]))


def many(bench, name, number=10000):
    """Scenario 8: memory, of this collection alone."""
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
        for point in POINTS if contender not in ONCE else (0.5,):
            with bench.mirror() as mirror:
                broken = bench.run(contender, upstream, mirror, stop_at=upstream.unique * point)
                whole = bench.run(contender, upstream, mirror)
                rows.append((contender, "%d %%" % (100 * point), "%d" % broken.usable, "%d" % whole.usable,
                             "%.2f" % ((broken.sent + whole.sent) / upstream.unique),
                             "%.2f" % ((broken.received + whole.received) / upstream.unique)))
    table("%s, killed and run again" % name,
          ("", "killed at", "usable after the kill", "usable at the end", "sent / unique", "received / unique"), rows)


def faulty(bench, name, contenders):
    """Scenario 6."""
    upstream = bench.upstream(name)
    missing, damaged = [], []
    for contender in contenders:
        with bench.mirror() as mirror, proxy.Proxy(upstream.registry.port) as front:
            gone = "sha256:" + "0" * 64
            items = behind(upstream.items, upstream.registry.host, front.host)
            for item in items[5:8]:
                front.inject(proxy.status(503), "GET", "/manifests/" + item.source.partition("@")[2], times=1)
            items.insert(3, items[0]._replace(source=items[0].source.partition("@")[0] + "@" + gone, tag="gone"))
            run = bench.run(contender, upstream, mirror, items, front.host)
            missing.append((contender, "%d of %d" % (run.usable, len(items) - 1), yes(run.rc), yes(gone in run.output),
                            "%.1f s" % run.wall))
        with bench.mirror() as mirror, proxy.Proxy(upstream.registry.port) as front:
            front.inject(proxy.corrupt(), "GET", "/blobs/" + _sets.own_layer().digest)
            items = behind(upstream.items, upstream.registry.host, front.host)
            run = bench.run(contender, upstream, mirror, items, front.host)
            image = items[_sets.OWN[0]].source.partition("@")[2]
            damaged.append((contender, "%d of %d" % (run.usable, len(items) - 1), yes(run.rc), yes(image in run.output),
                            "%.1f s" % run.wall))
    head = ("", "usable", "fails", "names the image", "wall")
    table("%s with one image missing and three 503s" % name, head, missing)
    table("%s with a damaged layer of one image" % name, head, damaged)


def through_disk(bench, name, contenders):
    """Scenario 7: what a medium carries, and what becomes of a byte that was flipped on it."""
    upstream = bench.upstream(name)
    rows = []
    for contender in contenders:
        disk = _contenders.CONTENDERS[contender].disk
        if disk is None:
            continue
        with bench.mirror() as mirror:
            work = _contenders.Work(bench.directory / "work", upstream.items, upstream.registry.host, mirror.host)
            medium = work.directory / "medium"
            medium.mkdir()
            written = bench.measured(disk[0](work, medium), work, upstream, mirror)
            size = sum({(found.st_dev, found.st_ino): found.st_size
                        for found in (path.lstat() for path in medium.rglob("*") if path.is_file())}.values())
            flip(medium, _sets.own_layer())
            spoilt = bench.measured(disk[1](work, medium), work, upstream, mirror)
            usable = bench.usable(work, "oc-mirror" in contender)
        flip(medium, _sets.own_layer())
        with bench.mirror() as mirror:
            work.mirror_host = mirror.host
            work.hosts = (upstream.registry.host, mirror.host)
            read = bench.measured(disk[1](work, medium), work, upstream, mirror)
            rows.append((contender, "%.2f" % (size / upstream.unique), "%.1f s" % written.wall, "%.1f s" % read.wall,
                         "%d" % bench.usable(work, "oc-mirror" in contender), yes(spoilt.rc),
                         "%.2f" % (spoilt.sent / upstream.unique), "%d" % usable))
        shutil.rmtree(work.directory)
    table("%s through disk, and with a byte flipped there" % name,
          ("", "on the medium / unique", "wall to disk", "wall from disk", "usable", "flipped byte is refused", "sent by then / unique",
           "usable then"), rows)


def flip(medium, layer):
    """Flip a bit of a layer wherever it is on a medium; doing it again mends it."""
    mark = layer.data[200:264]
    for path in medium.rglob("*"):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            place = data.find(mark)
            if place >= 0:
                with path.open("r+b") as file:
                    file.seek(place - 100)
                    file.write(bytes([data[place - 100] ^ 1]))
                return
    raise AssertionError("The layer is not on the medium.")


def yes(truth):
    return "yes" if truth else "no"


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
                     "%.1f s" % statistics.median(run.served for run in some),
                     "%.1f" % (last.requests / count), "%.2f" % (last.received / upstream.unique),
                     "%.2f" % (last.sent / upstream.unique), "%d" % last.usable))
    table(title, ("", "wall", "to native", "its CPU", "registries' CPU", "requests/image", "received / unique", "sent / unique",
                  "usable"), rows)


def table(title, head, rows):
    """Print a table in Markdown, with the load of the machine by now."""
    print("\n### %s\n\nLoad %.1f, %.1f.\n\n| %s |\n|%s"
          % (title, *os.getloadavg()[:2], " | ".join(head), "---|" * len(head)))
    for row in rows:
        print("| %s |" % " | ".join(row))
    sys.stdout.flush()


def main(arguments):
    parser = argparse.ArgumentParser(prog="python -m benchmark mirroring", usage=__doc__)
    parser.add_argument("--sets", default="R,C,P")
    parser.add_argument("--scenarios", default="1,2,3,4,5,6,7,8")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--over", default="http,tls")
    parser.add_argument("--latency", type=float, default=0)
    parser.add_argument("--only", default="")
    options = parser.parse_args(arguments)
    scenarios = {int(number) for number in options.scenarios.split(",")}
    contenders = [name for name in _contenders.here() if not options.only or name in options.only.split(",")]
    for over in options.over.split(","):
        print("\n## Over %s%s" % (over.upper(), ", %g ms a request" % options.latency if options.latency else ""))
        with contextlib.ExitStack() as stack:
            directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
            bench = Bench(directory, stack, over == "tls", options.latency)
            for name in options.sets.split(","):
                measure(bench, name, contenders, options.rounds, scenarios, over == "http")


def measure(bench, name, contenders, rounds, scenarios, plain):
    if scenarios & {1, 2, 3} or 4 in scenarios and name == "C":
        first_and_again(bench, name, contenders, rounds, scenarios)
    if 5 in scenarios and plain:
        killed(bench, name, contenders)
    if 6 in scenarios and plain and name == "R":
        faulty(bench, name, contenders)
    if 7 in scenarios and plain and name == "R":
        through_disk(bench, name, contenders)
    if 8 in scenarios and plain and name == "R":
        many(bench, name)
