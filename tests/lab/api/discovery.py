# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the server says of itself: versions, groups, resources (plain and aggregated), OpenAPI."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from . import patch, shapes
from .resources import Resource, Table, kubernetes_version, parse_version

_AGGREGATED = re.compile(r"application/json;g=apidiscovery\.k8s\.io;v=(v2|v2beta1);as=APIGroupDiscoveryList")
_AGGREGATED_SINCE = {"v2beta1": (4, 14), "v2": (4, 17)}
_PATCH_TYPES = (patch.JSON, patch.MERGE, patch.STRATEGIC, patch.APPLY)
# Subresources with a kind of their own; all others answer with the kind of the object.
_SUBRESOURCE_KINDS = {
    "exec": ("", "v1", "PodExecOptions", ("create", "get")),
    "log": ("", "v1", "Pod", ("get",)),
    "eviction": ("policy", "v1", "Eviction", ("create",)),
    "scale": ("autoscaling", "v1", "Scale", ("get", "patch", "update")),
    "proxy": ("", "v1", "NodeProxyOptions", ("create", "delete", "get", "patch", "update")),
    "token": ("authentication.k8s.io", "v1", "TokenRequest", ("create",)),
}


def version(table: Table) -> dict:
    """GET /version."""
    full = kubernetes_version(table.version)
    _v, minor, _patch = full.lstrip("v").split(".")
    return {
        "major": "1",
        "minor": minor,
        "gitVersion": f"{full}+lab",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "go1.22",
        "compiler": "gc",
        "platform": "linux/amd64",
    }


def aggregated_wanted(table: Table, accept: str) -> str:
    """The version of aggregated discovery that a client asks for and this server has, or ""."""
    for match in _AGGREGATED.finditer(accept.replace(" ", "")):
        if parse_version(table.version) >= _AGGREGATED_SINCE[match[1]]:
            return match[1]
    return ""


def core_versions(address: str) -> dict:
    """GET /api."""
    servers = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": servers}


def groups(table: Table) -> dict:
    """GET /apis."""
    names = dict.fromkeys(resource.group for resource in table if resource.group)
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(table, name) for name in names]}


def group(table: Table, name: str) -> dict | None:
    """GET /apis/GROUP."""
    if not name or all(resource.group != name for resource in table):
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(table, name)}


def _group(table: Table, name: str) -> dict:
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in _versions(table, name)]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _versions(table: Table, name: str) -> list[str]:
    """Stable versions first."""
    return sorted({r.version for r in table if r.group == name}, key=lambda v: ("alpha" in v or "beta" in v, v))


def _of(table: Table, group_name: str, version_name: str) -> list[Resource]:
    return [r for r in table if (r.group, r.version) == (group_name, version_name)]


def resource_list(table: Table, group_name: str, version_name: str) -> dict | None:
    """GET /api/v1 and /apis/GROUP/VERSION."""
    resources = _of(table, group_name, version_name)
    if not resources:
        return None
    entries = []
    for resource in resources:
        entry = {
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": list(resource.verbs),
        }
        if resource.short_names:
            entry["shortNames"] = list(resource.short_names)
        if resource.categories:
            entry["categories"] = list(resource.categories)
        entries.append(entry)
        for name, about in _subresources(resource):
            entries.append(
                {
                    "name": f"{resource.plural}/{name}",
                    "singularName": "",
                    "namespaced": resource.namespaced,
                    **({"group": about[0], "version": about[1]} if about[0] not in ("", resource.group) else {}),
                    "kind": about[2],
                    "verbs": list(about[3]),
                }
            )
    group_version = resources[0].api_version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": entries}


def _subresources(resource: Resource) -> Iterable[tuple[str, tuple]]:
    for name in resource.subresources:
        yield (
            name,
            _SUBRESOURCE_KINDS.get(name, (resource.group, resource.version, resource.kind, ("get", "patch", "update"))),
        )


def aggregated(table: Table, form: str, core: bool) -> dict:
    """GET /api or /apis as one document."""
    names = dict.fromkeys(resource.group for resource in table if bool(resource.group) is not core)
    items = []
    for name in names:
        versions = [
            {
                "version": version_name,
                "freshness": "Current",
                "resources": [_aggregated_resource(resource) for resource in _of(table, name, version_name)],
            }
            for version_name in _versions(table, name)
        ]
        items.append({"metadata": {"name": name} if name else {}, "versions": versions})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{form}",
        "metadata": {},
        "items": items,
    }


def _kind(group_name: str, version_name: str, kind: str) -> dict:
    return {"group": group_name, "version": version_name, "kind": kind}


def _aggregated_resource(resource: Resource) -> dict:
    entry = {
        "resource": resource.plural,
        "responseKind": _kind(resource.group, resource.version, resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.subresources:
        entry["subresources"] = [
            {"subresource": name, "responseKind": _kind(*about[:3]), "verbs": list(about[3])}
            for name, about in _subresources(resource)
        ]
    return entry


# OpenAPI


def openapi_index(table: Table) -> dict:
    """GET /openapi/v3: one document a group and version, its address changing with what it says."""
    paths = {}
    for resource in table:
        path = _base(resource)
        mark = hashlib.sha256(f"{table.version} {path}".encode()).hexdigest()[:32].upper()
        paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={mark}"}
    return {"paths": paths}


def _base(resource: Resource) -> str:
    return f"apis/{resource.group}/{resource.version}" if resource.group else "api/v1"


def openapi_v3(table: Table, path: str) -> dict | None:
    """GET /openapi/v3/PATH: the schemas, and the operations as far as clients look (which query parameters exist)."""
    resources = [resource for resource in table if _base(resource) == path]
    if not resources:
        return None
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": kubernetes_version(table.version)},
        "paths": {path: item for resource in resources for path, item in _paths(resource, v3=True)},
        "components": {"schemas": {_definition(resource): shapes.of(resource) for resource in resources}},
    }


def openapi_v2(table: Table) -> dict:
    """GET /openapi/v2."""
    resources = list(table)
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": kubernetes_version(table.version)},
        "paths": {path: item for resource in resources for path, item in _paths(resource, v3=False)},
        "definitions": {_definition(resource): shapes.of(resource) for resource in resources},
    }


def _definition(resource: Resource) -> str:
    reversed_group = ".".join(reversed(resource.group.split("."))) if resource.group else "io.k8s.api.core"
    return f"{reversed_group}.{resource.version}.{resource.kind}"


def _paths(resource: Resource, *, v3: bool) -> Iterable[tuple[str, dict]]:
    within = "/namespaces/{namespace}" if resource.namespaced else ""
    collection = f"/{_base(resource)}{within}/{resource.plural}"
    operations = (
        {"get": "list", "post": "create"},
        {"get": "get", "put": "update", "patch": "patch", "delete": "delete"},
    )
    for path, methods in zip((collection, collection + "/{name}"), operations):
        item = {
            method: _operation(resource, method, v3=v3) for method, verb in methods.items() if verb in resource.verbs
        }
        yield path, item


def _operation(resource: Resource, method: str, *, v3: bool) -> dict:
    names = ["dryRun", "fieldManager", "fieldValidation"] if method in ("post", "put", "patch") else []
    schema = {"schema": {"type": "string"}} if v3 else {"type": "string"}
    operation = {
        "x-kubernetes-group-version-kind": _kind(resource.group, resource.version, resource.kind),
        "parameters": [{"name": name, "in": "query", **schema} for name in names],
        "responses": {"200": {"description": "OK"}},
    }
    if method == "patch" and not v3:
        operation["consumes"] = [kind for kind in _PATCH_TYPES if kind != patch.STRATEGIC or not resource.custom]
    elif v3 and method in ("post", "put"):
        reference = {"$ref": f"#/components/schemas/{_definition(resource)}"}
        operation["requestBody"] = {"content": {"*/*": {"schema": reference}}}
    elif v3 and method == "patch":
        kinds = [kind for kind in _PATCH_TYPES if kind != patch.STRATEGIC or not resource.custom]
        operation["requestBody"] = {"content": {kind: {"schema": {"type": "object"}} for kind in kinds}}
    return operation
