# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress of a long run, as lines of text in a file that a person can follow while it runs."""
from __future__ import annotations

import os
import threading
import time

from . import errors

UNITS = ("B", "kB", "MB", "GB", "TB")


class Watch:
    """Appends a line to a file every `interval` seconds while it is entered; short runs leave none.

    received -- received() -> bytes read so far. What is `told` in between is a transfer.Progress.
    """

    def __init__(self, path, interval, received, now=time.monotonic):
        self._path = path
        self._interval = interval
        self._received = received
        self._now = now
        self._first = None
        self._last = None
        self._line_before = (now(), 0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write_lines, daemon=True)

    def __enter__(self):
        if self._path and self._interval > 0:
            append(self._path, "")  # a path that cannot be written is said before anything is done
            self._thread.start()
        return self

    def __exit__(self, *_failure):
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def told(self, progress):
        self._first = self._first or progress
        self._last = progress

    def line(self):
        """What there is to say now."""
        now, received = self._now(), self._received()
        before, had = self._line_before
        self._line_before = (now, received)
        return sentence(self._first, self._last, received, (received - had) / max(now - before, 0.001))

    def _write_lines(self):
        while not self._stop.wait(self._interval):
            try:
                append_line(self._path, self.line())
            except errors.InvalidInput:  # a full disk is no reason to stop mirroring
                return


# The options of a module that tells what it waits for; the doc fragment `progress` documents them.
ARGUMENT_SPEC = {"progress_file": {"type": "path"}, "progress_interval": {"type": "float", "default": 15}}


class Teller:
    """Appends what is new of what it is told to a file, at most once in `interval` seconds and not at all in the first.

    now -- now() -> seconds of the caller's clock
    """

    def __init__(self, path, interval, now):
        self._path = path if interval > 0 else None
        self._interval = interval
        self._now = now
        self._last = now()
        self._told = None
        if self._path:
            append(self._path, "")  # a path that cannot be written is said before anything is waited for

    @classmethod
    def of(cls, params, clock):
        """The one that a module's options ask for."""
        return cls(params.get("progress_file"), params.get("progress_interval", 0), clock.now)

    def tell(self, line):
        """Append the line, unless it is too early for that or there is nothing new in it. Whether that was done."""
        if not self._path or line == self._told or self._now() - self._last < self._interval:
            return False
        self._last, self._told = self._now(), line
        try:
            append_line(self._path, line)
        except errors.InvalidInput:  # a full disk is no reason to stop waiting
            self._path = None
        return True


def append_line(path, line):
    """Append a line with the time of day."""
    append(path, time.strftime("%H:%M:%S ") + line + "\n")


def append(path, text):
    """Append to a private file. Raises InvalidInput where that cannot be."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as problem:
        raise errors.InvalidInput("The progress file %s cannot be written: %s."
                                  % (path, (problem.strerror or "").lower()))


def sentence(first, last, received, rate):
    """One line: images, bytes, bytes per second, and the time that the other images take at the pace so far.

    first, last -- the first and the latest transfer.Progress, or None while nothing is done
    """
    if last is None:
        return "looking for what is missing"
    parts = ["%d of %d images" % (last.done, last.total)]
    if received:
        parts.append("%s at %s/s" % (size(received), size(rate)))
    copied = last.done - first.done
    if copied > 0 and last.done < last.total:
        left = (last.total - last.done) * (last.seconds - first.seconds) / copied
        parts.append("about %s left" % duration(left))
    return ", ".join(parts)


def size(count):
    """
    >>> size(999), size(14_230_000_000)
    ('999 B', '14.2 GB')
    """
    unit = 0
    while count >= 999.5 and unit + 1 < len(UNITS):
        count /= 1000
        unit += 1
    return "%.*f %s" % (1 if unit and count < 99.95 else 0, count, UNITS[unit])


def duration(seconds):
    """
    >>> duration(42), duration(600), duration(9000)
    ('42 s', '10 min', '2 h 30 min')
    """
    if seconds < 90:
        return "%d s" % seconds
    minutes = round(seconds / 60)
    return "%d min" % minutes if minutes < 90 else "%d h %d min" % divmod(minutes, 60)
