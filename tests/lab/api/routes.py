# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A request's path and query as the call that is meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .access import Action
from .errors import no_such_path, not_allowed
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

    @property
    def key(self) -> str:
        """The resource for counting: "pods", "pods/exec"."""
        return f"{self.resource.key}/{self.subresource}" if self.subresource else self.resource.key


def parse(table: Table, method: str, path: str, query: Mapping[str, str]) -> Call | None:
    """The call behind a path, None for a path that is no resource's; 404 for a resource that is not served."""
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
    if group and not any((resource.group, resource.version) == (group, version) for resource in table):
        return None
    resource = table.at(group, version, rest[0])
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if resource is None or (subresource and subresource not in resource.subresources):
        raise no_such_path()
    if namespace and not resource.namespaced:
        raise no_such_path()
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
