# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What CRI-O's journal says of image pulls: which endpoints were tried for an image, and which gave it.

CRI-O writes three kinds of line about a pull, in every release from 1.21 (OpenShift 4.8) on:

    Pulling image: NAME           when the kubelet asks for it       with the request's id
    Trying to access "REFERENCE"  for each endpoint that is tried    without any id
    Pulled image: DIGEST OR ID    when it is there                   with the request's id

A pull that fails ends without a line, and pulls of several images run at the same time. Until 1.30 CRI-O
looks at an image before it copies it, and tries the endpoints twice.
"""
from __future__ import annotations

import datetime
import json
import re
from collections import namedtuple
from dataclasses import dataclass, field

from . import image_ref, registries_conf
from .errors import InvalidInput

BEGIN, ATTEMPT, END = "Pulling image", "Trying to access", "Pulled image"
PATTERN = "|".join((BEGIN, ATTEMPT, END))  # for the journal's own search

_FIELD = re.compile(r'\b(time|msg|id)=("(?:[^"\\]|\\.)*"|\S+)')
_MESSAGE = re.compile(r'(%s):? "?([^"\s]*)"?' % PATTERN)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(Z|[+-]\d\d:\d\d)?")
_AGE = re.compile(r"-?(\d+[smhd])")

# One line. kind: BEGIN, ATTEMPT or END; text: the name or reference in it; request: the request's id, or "".
Event = namedtuple("Event", "time kind text request")


@dataclass
class Pull:
    """One pull of an image on a node.

    image -- the name that was asked for, as far as it can be told if the pull began before the lines do
    time -- when it began, or the first that is known of it: "2026-03-01T10:00:00.123456Z"
    attempts -- [(reference, whether it is a mirror)] in order; of an image that is looked at twice the last
    ones
    pulled -- whether CRI-O said that the image was there; not so while it pulls, and never if it fails
    """

    image: str
    time: str
    attempts: list = field(default_factory=list)
    pulled: bool = False

    @property
    def source(self):
        """(the reference that gave the image, whether it is a mirror), or None."""
        return self.attempts[-1] if self.pulled and self.attempts else None

    @property
    def fell_back(self):
        """Whether a mirror was tried in vain, and then the source."""
        return any(mirror for _reference, mirror in self.attempts) and not self.attempts[-1][1]


def parse(text):
    """[Event] of a journal's lines, in their order, whatever the journal puts before CRI-O's own words."""
    events = []
    for line in text.splitlines():
        fields = {name: _unquoted(value) for name, value in _FIELD.findall(line)}
        said = _MESSAGE.match(fields.get("msg", ""))
        if said:
            time = utc(fields.get("time", "")) or ""
            events.append(Event(time, said.group(1), said.group(2), fields.get("id", "")))
    return events


def pulls(events, conf, registries=()):
    """[Pull] that the events of one node tell of, in the order in which they began.

    conf -- the node's registries_conf.Configuration: it tells apart pulls that run at the same time, and
    names the image of one that began before the events do
    registries -- mirror registries, host[:port]: what is pulled from there is a mirror's even by its own name
    """
    reading = _Reading(conf, frozenset(registries))
    for event in events:
        reading.take(event)
    return reading.pulls


def since(text):
    """(how the kubelet wants to hear it, the moment as Pull.time has it or "") of "2h" or of a time.

    Raises InvalidInput for what is neither.
    """
    age = _AGE.fullmatch(text.strip())
    if age:
        return "-" + age.group(1), ""
    moment = utc(text.strip())
    if not moment:
        raise InvalidInput("%r is neither an age such as 30m, 2h or 1d nor a time such as 2026-03-01T10:00:00Z."
                           % text)
    return moment[:19].replace("T", " "), moment


def utc(text):
    """A time as "2026-03-01T10:00:00.123456Z", or None if it is none. Without a zone it is in UTC already."""
    match = _TIME.fullmatch(text)
    if not match:
        return None
    day, clock, fraction, zone = match.groups()
    fraction, zone = (fraction or "").ljust(6, "0"), "+00:00" if zone in (None, "Z") else zone
    try:
        moment = datetime.datetime.fromisoformat("%sT%s.%s%s" % (day, clock, fraction, zone))
    except ValueError:
        return None
    return moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _unquoted(value):
    """The value of a field; CRI-O's logger quotes as Go does, which for names and times is JSON's way."""
    if not value.startswith('"'):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value[1:-1]


@dataclass
class _Running:
    """A Pull that may still try endpoints: by the rules these, of which `names` are the image's own.

    announced -- whether it is known what was asked for
    """

    pull: Pull
    names: tuple
    endpoints: tuple
    announced: bool

    @property
    def is_exhausted(self):
        """Whether its last endpoint was tried: it gets the image from there, or not at all."""
        return bool(self.pull.attempts) and self.pull.attempts[-1][0] == self.endpoints[-1]

    def distance(self, reference):
        """How well it fits: 0 as the endpoint that comes next, 1 as another, 2 as the same image; or None."""
        if reference in self.endpoints:
            return int(self.endpoints.index(reference) != len(self.pull.attempts))
        return 2 if _tail(reference) in [_tail(name) for name in self.names] else None

    def note(self, reference, mirror):
        """Add an attempt; one that was made before begins another look at all endpoints."""
        if reference in [tried for tried, _mirror in self.pull.attempts]:
            self.pull.attempts.clear()
        self.pull.attempts.append((reference, mirror))


class _Reading:
    """Puts the events of one node together to pulls."""

    def __init__(self, conf, registries):
        self._conf = conf
        self._registries = registries
        self._sources = {}  # {a mirror's location: the location that it mirrors}
        for registry in conf.registries:
            for mirror in registry.mirrors:
                self._sources.setdefault(mirror.location, registry.location)
        self._running = {}  # {image: _Running}
        self._asked = {}    # {id of a request: Pull}
        self._pulls = []

    @property
    def pulls(self):
        """Those of which more is known than that they were asked for."""
        return [pull for pull in self._pulls if pull.attempts]

    def take(self, event):
        if event.kind == BEGIN:
            self._asked[event.request] = self._begin(event.text, event.time).pull
        elif event.kind == ATTEMPT:
            self._attempt(event.text, event.time)
        elif event.request and event.request in self._asked:
            self._end(self._asked.pop(event.request))

    def _begin(self, image, time, announced=True):
        """The _Running of an image that is asked for, which is the old one while that may still get it."""
        running = self._running.get(image)
        if running is None or running.is_exhausted:
            names, endpoints = self._endpoints(image)
            running = self._running[image] = _Running(Pull(image, time), names, endpoints, announced)
            self._pulls.append(running.pull)
        return running

    def _attempt(self, reference, time):
        distances = [(running.distance(reference), running) for running in self._running.values()]
        fitting = [pair for pair in distances if pair[0] is not None]
        if fitting:
            running = min(fitting, key=lambda pair: pair[0])[1]
        else:
            running = self._begin(self._origin(reference) or reference, time, announced=False)
        if not running.announced and not self._origin(reference):
            self._rename(running, reference)  # of one mirror's several sources this is the one
        running.note(reference, self._is_mirror(reference, running))

    def _rename(self, running, image):
        self._running.pop(running.pull.image)
        running.pull.image = image
        running.names, running.endpoints = self._endpoints(image)
        self._running[image] = running

    def _end(self, pull):
        pull.pulled = True
        if self._running.get(pull.image) and self._running[pull.image].pull is pull:
            del self._running[pull.image]

    def _endpoints(self, image):
        """(the names by which the engine asks for an image, all that it tries for them by the rules)."""
        try:
            parsed = [image_ref.parse(name) for name in registries_conf.candidates(self._conf, image)]
            asked = [name.with_digest(name.digest) if name.digest else name for name in parsed]
            tried = [source.reference for name in asked
                     for source in registries_conf.pull_sources(self._conf, name)]
        except InvalidInput:
            return (image,), (image,)
        return tuple(map(str, asked)), tuple(tried)

    def _is_mirror(self, reference, running):
        if reference.partition("/")[0] in self._registries:
            return True
        return reference not in running.names if running.announced else self._origin(reference) is not None

    def _origin(self, reference):
        """What a reference on a mirror stands for, of several sources the first; or None."""
        try:
            location = image_ref.parse(reference).repository
        except InvalidInput:
            return None
        while location:
            if self._sources.get(location):
                return self._sources[location] + reference[len(location):]
            location = location.rpartition("/")[0]
        return None


def _tail(reference):
    """The digest, or the last part of the path with the tag: what a mirror leaves as it is."""
    _name, _at, digest = reference.partition("@")
    return digest or reference.rpartition("/")[2]
