# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who set which field: metadata.managedFields, and server-side apply, which goes by it.

A field is a path of steps as fieldsV1 writes them: "f:spec", 'k:{"name":"a"}' for an entry of a keyed list, 'v:"a"'
for a value of a set. A map or an entry can be owned by itself, apart from what is in it.
"""

from __future__ import annotations

import json

from . import shapes
from .errors import Cause, Refusal
from .resources import Resource
from .shapes import Schema
from .store import clone, now

Path = tuple[str, ...]
Fields = dict[Path, object]

_CONTAINER = object()  # the value of a map or list that is owned by itself
_ITSELF = "."  # in fieldsV1: the node is owned, and so are some below it
_OWNED_BY_SERVER = (
    "name namespace uid resourceVersion generation creationTimestamp deletionTimestamp deletionGracePeriodSeconds "
    "managedFields selfLink"
).split()


def fields_of(schema: Schema, obj: dict, containers: str = "") -> Fields:
    """Every field that somebody can own in an object, with its value.

    Containers (maps, objects, lists with keys) count by themselves only if asked for: "maps", or "all" for objects too.
    Entries of keyed lists always do.
    """
    found: Fields = {}
    for name, value in obj.items():
        if name == "metadata":
            of_metadata = schema["properties"]["metadata"]
            for key, inner in value.items():
                if key not in _OWNED_BY_SERVER:
                    _collect(shapes.inside(of_metadata, key), inner, (f"f:{name}", f"f:{key}"), found, containers)
        elif name not in ("apiVersion", "kind"):
            _collect(shapes.inside(schema, name), value, (f"f:{name}",), found, containers)
    return found


def _collect(schema: Schema | None, value, path: Path, found: Fields, containers: str) -> None:
    keys = shapes.list_keys(schema)
    if isinstance(value, dict) and value and not (schema and schema.get("x-kubernetes-map-type") == "atomic"):
        if containers == "all" or (containers and schema and "additionalProperties" in schema):
            found[path] = _CONTAINER
        for name, inner in value.items():
            _collect(shapes.inside(schema, name), inner, (*path, f"f:{name}"), found, containers)
    elif isinstance(value, list) and keys is not None:
        if containers:
            found[path] = _CONTAINER
        for entry in value:
            step = _step(keys, entry)
            found[*path, step] = {} if keys else entry
            for name, inner in entry.items() if keys else ():
                _collect(shapes.inside(schema["items"], name), inner, (*path, step, f"f:{name}"), found, containers)
    else:
        found[path] = value


def _step(keys: list[str], entry) -> str:
    if not keys:
        return "v:" + json.dumps(entry)
    named = {key: entry[key] for key in sorted(keys) if key in entry}
    return "k:" + json.dumps(named, separators=(",", ":"))


def _to_tree(paths: set[Path]) -> dict:
    tree: dict = {}
    nodes: dict[Path, dict] = {(): tree}
    for path in sorted(paths):
        for length in range(1, len(path) + 1):
            if path[:length] not in nodes:
                nodes[path[:length]] = nodes[path[: length - 1]][path[length - 1]] = {}
    for path in paths:
        if nodes[path]:
            nodes[path][_ITSELF] = {}
    return tree


def _from_tree(tree: dict, path: Path = ()) -> set[Path]:
    paths: set[Path] = set()
    for step, inner in tree.items():
        if step == _ITSELF:
            paths.add(path)
        else:
            paths |= _from_tree(inner, (*path, step)) if inner else {(*path, step)}
    return paths


class _Entry:
    """What one manager owns through one kind of request."""

    def __init__(self, manager: str, operation: str, api_version: str, subresource: str = "") -> None:
        self.identity = (manager, operation, api_version, subresource)
        self.paths: set[Path] = set()
        self.time = now()

    @classmethod
    def read(cls, entry: dict) -> _Entry:
        self = cls(entry.get("manager", ""), entry["operation"], entry["apiVersion"], entry.get("subresource", ""))
        self.paths = _from_tree(entry.get("fieldsV1", {}))
        self.time = entry.get("time", self.time)
        return self

    def write(self) -> dict:
        manager, operation, api_version, subresource = self.identity
        entry = {
            "manager": manager,
            "operation": operation,
            "apiVersion": api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": _to_tree(self.paths),
        }
        return {**entry, "subresource": subresource} if subresource else entry

    def take(self, paths: set[Path]) -> None:
        if not paths <= self.paths:
            self.paths |= paths
            self.time = now()


def _read(obj: dict | None) -> dict[tuple, _Entry]:
    entries = [_Entry.read(entry) for entry in (obj or {}).get("metadata", {}).get("managedFields") or []]
    return {entry.identity: entry for entry in entries}


def _store(obj: dict, entries: dict[tuple, _Entry]) -> None:
    written = [entry.write() for entry in entries.values() if entry.paths]
    obj["metadata"]["managedFields"] = written
    if not written:
        del obj["metadata"]["managedFields"]


def record_update(resource: Resource, manager: str, old: dict | None, new: dict, subresource: str = "") -> None:
    """Note, in place, that `manager` changed `old` into `new` by a create, an update or a patch."""
    schema, containers = shapes.of(resource), "all" if resource.custom else "maps"
    before, after = fields_of(schema, old or {}, containers), fields_of(schema, new, containers)
    if resource.has_status:
        status = subresource == "status"
        before = {path: value for path, value in before.items() if (path[0] == "f:status") is status}
        after = {path: value for path, value in after.items() if (path[0] == "f:status") is status}
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    gone = before.keys() - after.keys()
    entries = _read(old)
    own = _Entry(manager, "Update", resource.api_version, subresource)
    own = entries.setdefault(own.identity, own)
    for entry in entries.values():
        entry.paths -= gone if entry is own else gone | changed
    own.take(changed)
    _store(new, entries)


def apply(resource: Resource, manager: str, live: dict | None, applied: dict, force: bool) -> dict:
    """Server-side apply: the object as it should be. Raises Refusal 409 for fields that others own otherwise."""
    schema = shapes.of(resource)
    wanted, present = fields_of(schema, applied), fields_of(schema, live or {})
    entries = _read(live)
    own = _Entry(manager, "Apply", resource.api_version)
    own = entries.setdefault(own.identity, own)
    differing = {path for path, value in wanted.items() if path in present and present[path] != value}
    others = [entry for entry in entries.values() if entry is not own]
    conflicts = [(entry, path) for entry in others for path in sorted(entry.paths & differing)]
    if conflicts and not force:
        raise _conflict(conflicts)
    for entry in others:
        entry.paths -= differing
    still_owned = set(wanted).union(*(entry.paths for entry in others))
    merged = _merge(schema, live or {}, applied)
    for path in own.paths - still_owned:
        if not any(other[: len(path)] == path for other in still_owned):
            _drop(merged, path)
    own.paths &= set(wanted)
    own.take(set(wanted))
    _store(merged, entries)
    return merged


def _conflict(conflicts: list[tuple[_Entry, Path]]) -> Refusal:
    causes = []
    for entry, path in conflicts:
        manager, operation, api_version, _subresource = entry.identity
        using = f" using {api_version}" if operation == "Update" else ""
        causes.append(Cause(_readable(path), f'conflict with "{manager}"{using}', "FieldManagerConflict"))
    if len(causes) == 1:
        return _refusal(f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}", causes)
    listed = "".join(f"\n- {cause.field}" for cause in causes)
    named = dict.fromkeys(cause.message.removeprefix("conflict with ") for cause in causes)
    message = f"Apply failed with {len(causes)} conflicts: conflicts with {', '.join(named)}:{listed}"
    return _refusal(message, causes)


def _refusal(message: str, causes: list[Cause]) -> Refusal:
    listed = [{"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes]
    return Refusal(409, "Conflict", message, {"causes": listed})


def _readable(path: Path) -> str:
    text = ""
    for step in path:
        if step.startswith("f:"):
            text += "." + step[2:]
        elif step.startswith("k:"):
            text += "[" + ",".join(f"{k}={json.dumps(v)}" for k, v in json.loads(step[2:]).items()) + "]"
        else:
            text += f"[={step[2:]}]"
    return text


def _merge(schema: Schema | None, live: dict, applied: dict) -> dict:
    """`applied` laid over `live`: objects and keyed lists entry by entry, all else whole."""
    merged = dict(live)
    for name, value in applied.items():
        inner = shapes.inside(schema, name)
        current = live.get(name)
        keys = shapes.list_keys(inner)
        whole = bool(inner) and inner.get("x-kubernetes-map-type") == "atomic"
        if isinstance(value, dict) and isinstance(current, dict) and not whole:
            merged[name] = _merge(inner, current, value)
        elif isinstance(value, list) and isinstance(current, list) and keys is not None:
            entries = {_step(keys, entry): entry for entry in current}
            for entry in value:
                step = _step(keys, entry)
                entries[step] = _merge(inner["items"], entries.get(step, {}), entry) if keys else entry
            merged[name] = list(entries.values())
        else:
            merged[name] = clone(value)
    return merged


def _drop(obj, path: Path) -> None:
    """Remove one field, with all below it, in place; an entry keeps the keys that name it."""
    step, *rest = path
    if isinstance(obj, list):
        keys = sorted(json.loads(step[2:])) if step.startswith("k:") else []
        entry = next((entry for entry in obj if _step(keys, entry) == step), None)
        if entry is None:
            return
        if not rest:
            obj.remove(entry)
        elif rest[0][2:] not in keys:
            _drop(entry, tuple(rest))
    elif isinstance(obj, dict) and step[2:] in obj:
        if rest:
            obj[step[2:]] = clone(obj[step[2:]])  # what is stored is shared with readers
            _drop(obj[step[2:]], tuple(rest))
        else:
            del obj[step[2:]]
