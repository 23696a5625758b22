# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A request's path and query as the call that is meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .access import Action
from .errors import not_allowed
from .resources import Resource, Table

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
TRUE = ("true", "1")


@dataclass(frozen=True)
class Call:
    """One call on one resource."""

    verb: str
    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""  # what follows the subresource: the path behind a proxy

    @property
    def action(self) -> Action:
        verb = "get" if self.subresource == "proxy" else self.verb
        r = self.resource
        return Action(verb, r.group, r.plural, self.subresource, self.namespace, self.name)

    def served(self, table: Table) -> bool:
        """Whether this version has the resource, the subresource, and either in a namespace."""
        known = table.at(self.resource.group, self.resource.version, self.resource.plural)
        if known is None or (self.namespace and not known.namespaced and known.key != "namespaces"):
            return False
        return not self.subresource or self.subresource in known.subresources

    @property
    def key(self) -> str:
        """The resource for counting: "pods", "pods/exec"."""
        return f"{self.resource.key}/{self.subresource}" if self.subresource else self.resource.key


def parse(table: Table, method: str, path: str, query: Mapping[str, str]) -> Call | None:
    """The call behind a path, None for a path that is no resource's.

    A call on what is not served says so (`served`): whether that may be asked is decided first. 405 for a method that
    no resource has there.
    """
    steps = path.strip("/").split("/")
    if steps[:2] == ["api", "v1"]:
        group, version, rest = "", "v1", steps[2:]
    elif steps[0] == "apis" and len(steps) > 2:
        group, version, rest = steps[1], steps[2], steps[3:]
    else:
        return None
    if not rest:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    resource = table.at(group, version, rest[0]) or Resource(group, version, rest[0], "", namespaced=bool(namespace))
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if resource.key == "namespaces":
        namespace = name
    verb = _verb(method, name, query)
    if (method == "POST" and name and not subresource) or (method in ("PUT", "PATCH") and not name):
        raise not_allowed()
    return Call(verb, resource, namespace, name, subresource, "/".join(rest[3:]))


def _verb(method: str, name: str, query: Mapping[str, str]) -> str:
    if method in ("GET", "HEAD"):
        if query.get("watch") in TRUE:
            return "watch"
        return "get" if name else "list"
    if method == "DELETE" and not name:
        return "deletecollection"
    return _VERBS.get(method, method.lower())
