# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies images from registries to a registry, each with its own fate.

A blob travels once for each target registry and is mounted into the other repositories; it streams through memory and
never touches the disk. A manifest goes up as soon as its blobs are there, so that a run that is cut off has lost only
what was in flight. The state of the work is what the target registry answers, and nothing else.
"""
from __future__ import annotations

import contextlib
import threading
from collections import defaultdict, namedtuple

from . import connections, errors, image_ref, wait
from .crew import Crew, raise_first

# One image that is to be at `target` (host/path:tag). `source` is host/path@digest, or host/path:tag while no digest is
# known.
Order = namedtuple("Order", "source target")
# status: "present" (it was there), "done" (copied now), "missing" (only looked) or "failed"; reason: why it failed.
Verdict = namedtuple("Verdict", "source target status reason")
# What a display is told after each image and each blob: counts of images, bytes sent, seconds since the start.
Progress = namedtuple("Progress", "done total bytes seconds")

# Learning which blobs the target's other repositories hold already costs a request for each image there. It is done
# before a blob is sent that is larger than this many bytes for each of these requests.
SURVEY_COST = 16 * 1024
FIRST_PAUSE = 2  # seconds before the second round; the pause doubles from round to round
LONGEST_PAUSE = 300  # seconds between two rounds, if a registry asks to be left alone for so long
# What a registry says of a manifest whose blobs it reported as present a moment ago.
LOST_BLOB_CODES = ("MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN")


def look(orders, registries, workers=8, targets=None):
    """Verdicts "present", "missing" or "failed", one for each Order, from one HEAD of each target.

    targets -- what images go to, by host, if not to `registries` as well
    """
    jobs = [Job(number, order, registries, targets) for number, order in enumerate(orders)]
    look_at(jobs, workers)
    return [job.verdict() for job in jobs]


def mirror(orders, registries, workers=8, rounds=3, progress=None, clock=wait.SystemClock(), engine=None, targets=None):
    """Verdicts "present", "done" or "failed", one for each Order.

    What failed in a way that may pass is tried again, after a pause, or the one that a registry asked for, in up to `rounds`
    rounds.
    progress -- called with a Progress, by one thread at a time
    engine -- what brings the images that are missing, called as `copy` is; without one `copy` does it
    targets -- what images go to, by host, if not to `registries` as well
    """
    jobs = [Job(number, order, registries, targets) for number, order in enumerate(orders)]
    display = Display(len(jobs), progress, clock)

    def one_round(number):
        for registry in [*registries, *(targets or ())]:
            registry.forgive()
        pending = [job for job in jobs if job.status == "unknown" or may_pass(job.error)]
        look_at(pending, workers)
        display.images_done(sum(1 for job in pending if job.status == "present"))
        there = [job for job in jobs if job.status in ("present", "done")]
        missing = [job for job in pending if job.status == "missing"]
        if missing:
            (engine or copy)(missing, there, workers, display, clock)
        passing = [job.error for job in pending if may_pass(job.error)]
        if number + 1 < rounds and passing:
            asked = max(error.after or 0 for error in passing)
            raise wait.Transient(errors.Unreachable("Some images are not mirrored yet."), min(asked, LONGEST_PAUSE) or None)

    wait.retry(one_round, lambda: float("inf"), clock, FIRST_PAUSE, longest=60)
    return [job.verdict() for job in jobs]


def digests(references, registries, workers=8):
    """({reference: digest}, {reference: reason}) for references by tag: what each is now, or why that is not known."""
    crew = Crew(workers)
    known = {}

    def ask(_task, reference):
        image = image_ref.parse(reference)
        digest = registries[image.registry].digest(image.path, image.tag or "latest")
        if digest is None:
            raise errors.NotFound("%s does not exist." % reference)
        known[reference] = digest

    tasks = {reference: crew.start(0, ask, reference) for reference in references}
    crew.run()
    return known, {reference: task.error.message for reference, task in tasks.items() if task.error is not None}


def may_pass(error):
    """True if what an image failed with can be mended by trying again."""
    if error is None or isinstance(error, connections.Unusable):
        return False
    return (isinstance(error, (errors.Unreachable, errors.TimedOut, errors.Corrupt))
            or error.details.get("code") in LOST_BLOB_CODES)


class Job:
    """An Order on its way: where it comes from, where it goes, and what became of it so far."""

    def __init__(self, rank, order, sources, targets=None):
        source, target = image_ref.parse(order.source), image_ref.parse(order.target)
        if not target.tag or target.digest:
            raise errors.InvalidInput("%s cannot be where an image goes: give a tag, and no digest." % order.target)
        self.rank = rank
        self.order = order
        self.source = sources[source.registry]
        self.source_path = source.path
        self.source_tag = source.tag or "latest"
        self.digest = source.digest
        self.target = (targets or sources)[target.registry]
        self.target_path = target.path
        self.target_tag = target.tag
        self.status = "unknown"
        self.error = None

    def end(self, status, error=None):
        self.status = status
        self.error = error

    def verdict(self):
        return Verdict(self.order.source, self.order.target, self.status, self.error.message if self.error else "")


def look_at(jobs, workers):
    """Set every job's status to "present", "missing" or "failed"."""
    crew = Crew(workers)
    tasks = [crew.start(job.rank, look_at_one, job) for job in jobs]
    crew.run()
    for job, task in zip(jobs, tasks):
        if task.error is not None:
            job.end("failed", task.error)


def look_at_one(_task, job):
    if not job.digest:
        job.digest = job.source.digest(job.source_path, job.source_tag)
        if job.digest is None:
            raise errors.NotFound("%s does not exist." % job.order.source, registry=job.source.host)
    try:
        there = job.target.digest(job.target_path, job.target_tag)
    except errors.Unauthorized as error:
        if not error.details.get("denied"):
            raise
        there = None  # so some registries speak of a repository that nobody has pushed to yet; pushing tells the truth
    job.end("present" if there == job.digest else "missing")


def copy(jobs, there, workers, display, clock):
    """Copy the images of `jobs` and set their status to "done" or "failed"; `there` are jobs whose images are there."""
    crew = Crew(workers)
    copying = Copying(crew, there, display, clock)
    tasks = [crew.start(job.rank, copying.image, job) for job in jobs]
    crew.run()
    for job, task in zip(jobs, tasks):
        job.end("failed" if task.error else "done", task.error)


class Copying:
    """What the tasks of one round know together: which blob is where, and who is bringing it."""

    def __init__(self, crew, there, display, clock):
        self._crew = crew
        self._display = display
        self._clock = clock
        self._lock = threading.Lock()
        self._tasks = {}                   # what was started, so that nothing is done twice
        self._places = defaultdict(set)    # (host, digest) -> repositories of that host that hold the blob
        self._carriers = {}                # (host, digest) -> the task that brings the blob to that host first
        self._there = defaultdict(list)    # host -> jobs whose images were there before
        self._surveys = {}                 # host -> tasks that find out what those images' blobs are
        for job in there:
            self._there[job.target.host].append(job)

    # Tasks

    def image(self, task, job):
        manifest = job.source.manifest(job.source_path, job.digest)
        yield from self._publish(task.rank, job, manifest, job.target_tag)
        self._display.images_done(1)

    def child(self, task, job, digest):
        manifest = job.source.manifest(job.source_path, digest)
        yield from self._publish(task.rank, job, manifest, digest)

    def blob(self, task, job, descriptor):
        key = (job.target.host, descriptor.digest)
        # One question to the repository itself may spare the survey of all others.
        if self._survey_is_due(key, descriptor.size) and job.target.has_blob(job.target_path, descriptor.digest):
            with self._lock:
                self._places[key].add(job.target_path)
            return
        while True:
            with self._lock:
                places = self._places[key]
                if job.target_path in places:
                    return
                before = [] if places else self._before_upload(task, key, job, descriptor)
                if not before:
                    mount_from = min(places, default=job.target_path)
                    break
            yield before
        arrived = False
        try:
            self._bring(job, descriptor, mount_from)
            arrived = True
        finally:
            with self._lock:  # both at once: nobody may find the blob neither there nor on its way
                if arrived:
                    places.add(job.target_path)
                if self._carriers.get(key) is task:
                    del self._carriers[key]

    def survey(self, _task, job):
        """Note the blobs of an image that the target holds already."""
        manifests = [job.target.manifest(job.target_path, job.digest)]
        manifests += [job.target.manifest(job.target_path, child.digest) for child in manifests[0].children]
        with self._lock:
            for manifest in manifests:
                for descriptor in manifest.blobs:
                    self._places[job.target.host, descriptor.digest].add(job.target_path)

    # Their parts

    def _publish(self, rank, job, manifest, reference):
        """Bring what a manifest refers to, then the manifest itself."""
        needs = [self._once(rank, self.child, job, child.digest, child.digest) for child in manifest.children]
        needs += [self._once(rank, self.blob, job, blob.digest, blob) for blob in manifest.blobs]
        yield needs
        raise_first(needs)
        job.target.put_manifest(job.target_path, reference, manifest)

    def _once(self, rank, work, job, digest, argument):
        """The one task that brings a child or a blob from one repository to another."""
        key = (work.__name__, digest, job.source.host, job.source_path, job.target.host, job.target_path)
        with self._lock:
            if key not in self._tasks:
                self._tasks[key] = self._crew.start(rank, work, job, argument)
            return self._tasks[key]

    def _before_upload(self, task, key, job, descriptor):
        """Tasks to wait for before a blob is sent that the target is not known to hold. If none, `task` carries it."""
        carrier = self._carriers.get(key)
        if carrier is not None:
            return [carrier]
        survey = self._survey(task.rank, job.target.host, descriptor.size)
        if not all(other.ended for other in survey):
            return survey
        self._carriers[key] = task
        return []

    def _survey(self, rank, host, size):
        """The tasks of the survey of `host`, started when a blob of `size` bytes is worth it."""
        if self._is_worth_a_survey(host, size):
            self._surveys[host] = [self._crew.start(rank, self.survey, job) for job in self._there[host]]
        return self._surveys.get(host, [])

    def _is_worth_a_survey(self, host, size):
        there = self._there[host]
        return host not in self._surveys and bool(there) and size > SURVEY_COST * len(there)

    def _survey_is_due(self, key, size):
        """True if nobody knows where a blob of `size` bytes is, and a survey would be begun to find out."""
        with self._lock:
            return not self._places[key] and key not in self._carriers and self._is_worth_a_survey(key[0], size)

    def _bring(self, job, descriptor, mount_from):
        """Have the target mount a blob, or send it.

        Mounting is asked for even from the very repository that wants the blob: a registry that has it there, from a
        run that was cut off, answers that it is done; any other answers with the upload that is wanted anyway.
        """
        def attempt(_number):
            location = job.target.start_upload(job.target_path, descriptor.digest, mount_from)
            if location is None:
                return
            try:
                self._send(job, location, descriptor)
            except (errors.Corrupt, errors.NotFound):
                job.target.cancel_upload(job.target_path, location)
                raise
            self._display.blob_done(descriptor.size)

        wait.retry(attempt, job.target.patience, self._clock)

    @staticmethod
    def _send(job, location, descriptor):
        """Read a blob and upload it, once both registries have a turn for it.

        A thread that holds one turn never waits for another one but in the order of the hosts: nobody waits in a circle.
        """
        with contextlib.ExitStack() as stack:
            for registry in sorted((job.source, job.target), key=lambda registry: registry.host):
                stack.enter_context(registry.turn())
            blob = stack.enter_context(contextlib.closing(job.source.blob(job.source_path, descriptor)))
            job.target.upload(job.target_path, location, blob, descriptor)


class Display:
    """Counts what is done and tells it to whoever shows it."""

    def __init__(self, total, show, clock):
        self._total = total
        self._show = show
        self._clock = clock
        self._started = clock.now()
        self._done = 0
        self._bytes = 0
        self._lock = threading.Lock()

    def images_done(self, count):
        if count:
            self._count(count, 0)

    def blob_done(self, size):
        self._count(0, size)

    def _count(self, images, size):
        with self._lock:
            self._done += images
            self._bytes += size
            if self._show is not None:
                self._show(Progress(self._done, self._total, self._bytes, self._clock.now() - self._started))
