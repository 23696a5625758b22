# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What clients asked for, counted; and the faults that the server can be told to answer with."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

WRITING = frozenset(("create", "update", "patch", "delete", "deletecollection"))
_NOT_STORED = ("reviews", "/exec", "/token")
_REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


@dataclass(frozen=True)
class Request:
    """A request as stats and faults see it; `resource` is a key, with "/exec" and the like, or else the path."""

    verb: str
    resource: str
    agent: str
    namespace: str = ""
    name: str = ""
    dry_run: bool = False

    @property
    def writes(self) -> bool:
        """Whether the request asks to change what is stored."""
        return self.verb in WRITING and not self.dry_run and not any(part in self.resource for part in _NOT_STORED)


@dataclass
class Stats:
    """Requests by verb, resource and program (the user agent up to its first slash), and the writes among them."""

    requests: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    writes: int = 0

    def count(self, request: Request) -> None:
        program = request.agent.partition("/")[0]
        self.requests[request.verb, request.resource, program] += 1
        self.writes += request.writes

    def reset(self) -> None:
        self.requests.clear()
        self.writes = 0

    def summary(self) -> dict:
        """As plain data, the most frequent first."""
        listed = [
            {"verb": verb, "resource": resource, "agent": agent, "count": count}
            for (verb, resource, agent), count in self.requests.most_common()
        ]
        return {"total": self.requests.total(), "writes": self.writes, "requests": listed}


@dataclass
class Fault:
    """What to do to the requests that fit all of the patterns (as in file names): wait, then drop or refuse.

    `delay` is in seconds; `drop` cuts the connection; `status` is an HTTP code; `after` lets the request be carried out
    first, so that only its answer is lost; `skip` lets so many pass; `times` counts down, None is for ever.
    """

    verb: str = "*"
    resource: str = "*"
    namespace: str = "*"
    name: str = "*"
    agent: str = "*"
    status: int | None = None
    drop: bool = False
    delay: float = 0.0
    after: bool = False
    skip: int = 0
    times: int | None = None
    message: str = "the lab was told to fail this request"

    def takes(self, request: Request) -> bool:
        """Whether this request is one of those; counts it if so."""
        if self.times == 0:
            return False
        for pattern, text in (
            (self.verb, request.verb),
            (self.resource, request.resource),
            (self.namespace, request.namespace),
            (self.name, request.name),
            (self.agent, request.agent),
        ):
            if not fnmatchcase(text, pattern):
                return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True

    @property
    def reason(self) -> str:
        return _REASONS.get(self.status or 0, "InternalError")
