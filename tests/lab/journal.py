# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node's journal: what CRI-O and the kubelet write into it, and what the kubelet's log API gives of it.

The file holds lines as `journalctl --output=short-iso-precise --utc` prints them, the oldest first. The API is that of
OpenShift's kubelets, which take both their older parameters (unit, grep, tail, since) and the newer ones of Kubernetes
(query, pattern, tailLines, sinceTime).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

FILE = "journal"
CRIO, KUBELET = "crio", "kubelet"
MOST_LINES = 100_000
_PIDS = {CRIO: 1947, KUBELET: 2011}
_LINE = re.compile(r"(\S+) (\S+) ([^\[\s]+)\[(\d+)\]: (.*)")
_RELATIVE = re.compile(r"([+-]?)(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_BOOLEANS = {"1": True, "t": True, "T": True, "true": True, "True": True, "TRUE": True,
             "0": False, "f": False, "F": False, "false": False, "False": False, "FALSE": False}


class BadQuery(ValueError):
    """The log API refuses what it is asked for, with the status 400."""


# What is written


def crio(node: Path, message: str, level: str = "info", request: str = "") -> None:
    """A message of CRI-O, in the form of its logger; about an image's pull by the kubelet with the `request`'s id."""
    moment = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f000Z")
    about = f" id={request} name=/runtime.v1.ImageService/PullImage" if request else ""
    _write(node, CRIO, f'time="{moment}" level={level} msg={json.dumps(message)}{about}')


def kubelet_error(node: Path, message: str, **fields: str) -> None:
    """An error of the kubelet, in the form of its logger."""
    moment = datetime.now(timezone.utc).strftime("%m%d %H:%M:%S.%f")
    pairs = "".join(f" {name}={json.dumps(value)}" for name, value in fields.items())
    _write(node, KUBELET, f"E{moment} {_PIDS[KUBELET]:>7} kuberuntime_image.go:55] {json.dumps(message)}{pairs}")


def _write(node: Path, program: str, message: str) -> None:
    moment = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f+0000")
    with (node / FILE).open("a", encoding="utf-8") as journal:
        journal.write(f"{moment} {node.name} {program}[{_PIDS[program]}]: {message}\n")


# What is read


@dataclass(frozen=True)
class Entry:
    """One line, taken apart."""

    moment: datetime
    host: str
    program: str
    pid: str
    message: str


def answer(node: Path, parameters: Mapping[str, list[str]]) -> str:
    """What the log API says of the journal below a node's container root; raises BadQuery."""
    query = _Query(parameters)
    unknown = [unit for unit in query.units if unit not in _PIDS]
    if unknown:  # taken for a file, for which there are no such parameters
        return f"\noptions present and query resolved to log files for {unknown}\ntry without specifying options\n"
    if query.unreadable_time:
        return f"Failed to parse timestamp: {query.unreadable_time}\n"
    try:
        text = (node / FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    chosen = [entry for entry in map(_entry, text.splitlines()) if query.wants(entry)]
    if query.lines is not None:
        chosen = chosen[len(chosen) - min(query.lines, len(chosen)):]
    return "".join(f"{_FORMATS[query.output](entry)}\n" for entry in chosen) or "-- No entries --\n"


class _Query:
    """The parameters of a request, checked as the kubelet checks them."""

    def __init__(self, parameters: Mapping[str, list[str]]) -> None:
        self._parameters = parameters
        self.unreadable_time = ""
        self.units = self._units()
        self.output = self._output()
        self.lines = self._lines()
        self._pattern = self._compiled()
        self._since = self._from()

    def wants(self, entry: Entry) -> bool:
        return (
            (not self.units or entry.program in self.units)
            and (self._since is None or entry.moment >= self._since)
            and (self._pattern is None or self._pattern.search(entry.message) is not None)
        )

    def _first(self, *names: str) -> str:
        return next((self._parameters[name][0] for name in names if self._parameters.get(name, [""])[0]), "")

    def _units(self) -> set[str]:
        asked = self._parameters.get("query", []) + self._parameters.get("unit", [])
        units = {unit.removesuffix(".service") for unit in asked if unit.strip()}
        if asked and not units:
            raise BadQuery(f'unit: Invalid value: {json.dumps(asked)}: unit cannot be empty')
        return units

    def _output(self) -> str:
        output = self._first("output") or "short-precise"
        if output not in _FORMATS:
            raise BadQuery(f'output: Unsupported value: "{output}": supported values: {", ".join(sorted(_FORMATS))}')
        return output

    def _lines(self) -> int | None:
        text = self._first("tailLines", "tail")
        if not text:
            return None
        if not text.isdigit() or int(text) > MOST_LINES:
            raise BadQuery(f'tailLines: Invalid value: "{text}": must be between 0 and {MOST_LINES}, inclusive')
        return int(text)

    def _compiled(self) -> re.Pattern | None:
        pattern, sensitive = self._first("pattern", "grep"), self._first("case-sensitive") or "false"
        if not pattern:
            return None
        if sensitive not in _BOOLEANS:
            raise BadQuery(f'case-sensitive: Invalid value: "{sensitive}": invalid syntax')
        try:
            return re.compile(pattern, 0 if _BOOLEANS[sensitive] else re.IGNORECASE)
        except re.error as problem:
            raise BadQuery(f'pattern: Invalid value: "{pattern}": error parsing regexp: {problem}') from None

    def _from(self) -> datetime | None:
        since, moment = self._first("since"), self._first("sinceTime")
        if since and moment:
            raise BadQuery("sinceTime: Forbidden: `since or until` and `sinceTime` cannot be specified")
        if moment:
            return _rfc3339(moment)
        if not since:
            return None
        relative = _RELATIVE.fullmatch(since)
        if not relative:
            return _date(since)
        sign, count, unit = relative.groups()
        if not sign:  # the kubelet lets it pass, and journalctl does not understand it
            self.unreadable_time = since
            return None
        span = timedelta(**{_UNITS[unit]: int(count)})
        return datetime.now(timezone.utc) + (span if sign == "+" else -span)


def _rfc3339(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or "T" not in text:
        raise BadQuery(f'sinceTime: Invalid value: "{text}": invalid time format')
    return moment.replace(microsecond=0)


def _date(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        forms = "a relative time of the form '(+|-)[0-9]+(s|m|h|d)' or a date in 'YYYY-MM-DD HH:MM:SS' form"
        raise BadQuery(f'since: Invalid value: "{text}": date must be {forms}') from None


def _entry(line: str) -> Entry:
    moment, host, program, pid, message = _LINE.fullmatch(line).groups()
    return Entry(datetime.strptime(moment, "%Y-%m-%dT%H:%M:%S.%f%z"), host, program, pid, message)


def _with(form: str) -> Callable[[Entry], str]:
    """A printer of lines that begin with the moment in that form."""
    return lambda entry: (
        f"{entry.moment.strftime(form)} {entry.host} {entry.program}[{entry.pid}]: {entry.message}"
    )


def _json(entry: Entry) -> str:
    return json.dumps({
        "__REALTIME_TIMESTAMP": str(int(entry.moment.timestamp() * 1_000_000)), "_HOSTNAME": entry.host,
        "SYSLOG_IDENTIFIER": entry.program, "_PID": entry.pid, "_SYSTEMD_UNIT": f"{entry.program}.service",
        "MESSAGE": entry.message,
    })


_FORMATS: dict[str, Callable[[Entry], str]] = {
    "short": _with("%b %d %H:%M:%S"),
    "short-precise": _with("%b %d %H:%M:%S.%f"),
    "short-iso": _with("%Y-%m-%dT%H:%M:%S%z"),
    "short-iso-precise": _with("%Y-%m-%dT%H:%M:%S.%f%z"),
    "short-unix": lambda entry: (
        f"{entry.moment.timestamp():.6f} {entry.host} {entry.program}[{entry.pid}]: {entry.message}"
    ),
    "cat": lambda entry: entry.message,
    "json": _json,
}
