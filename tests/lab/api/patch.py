# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The patch formats: JSON patch (RFC 6902) and strategic merge. Merge patch (RFC 7386) is store.merge_patch."""

from __future__ import annotations

from . import shapes
from .errors import Refusal, bad_request
from .shapes import Schema
from .store import clone, merge_patch

JSON = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"

_DIRECTIVE = "$patch"
_ORDER = "$setElementOrder/"
_DELETE_VALUES = "$deleteFromPrimitiveList/"
_RETAIN = "$retainKeys"


def apply(kind: str, schema: Schema, obj: dict, body) -> dict:
    """A new object: `obj` with a patch of one of the three formats."""
    if kind == JSON:
        return json_patch(obj, body)
    if not isinstance(body, dict):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"
        )
    return merge_patch(obj, body) if kind == MERGE else strategic(schema, obj, body)


# JSON patch


def json_patch(obj: dict, operations: list[dict]) -> dict:
    """Apply the operations in order; Refusal 422 for a path that is not there or a test that fails."""
    if not isinstance(operations, list):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
        )
    document = clone(obj)
    for operation in operations:
        document = _operate(document, operation)
    return document


def _operate(document: dict, operation: dict) -> dict:
    what, path = operation.get("op"), operation.get("path", "")
    parent, last = _locate(document, path)
    if what == "test":
        if not _has(parent, last) or _look(parent, last) != operation.get("value"):
            raise _rejected()
    elif what in ("add", "replace", "copy", "move"):
        value = clone(operation.get("value"))
        if what in ("copy", "move"):
            source, name = _locate(document, operation["from"])
            value = clone(_look(source, name))
            if what == "move":
                _remove(source, name)
        _add(parent, last, value, replace=what == "replace")
    elif what == "remove":
        _remove(parent, last)
    else:
        raise _rejected()
    return document


def _rejected() -> Refusal:
    """All that the real server says of a JSON patch that does not fit."""
    return Refusal(422, "Invalid", "the server rejected our request due to an error in our request", {})


def _locate(document: dict, path: str):
    """The container that a JSON pointer's last step is in, and that step."""
    *steps, last = [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]] or [""]
    container = document
    for step in steps:
        if not _has(container, step):
            raise _rejected()
        container = _look(container, step)
    return container, last


def _has(container, step: str) -> bool:
    if isinstance(container, list):
        return step.isdigit() and int(step) < len(container)
    return isinstance(container, dict) and step in container


def _look(container, step: str):
    return container[int(step)] if isinstance(container, list) else container[step]


def _add(container, step: str, value, *, replace: bool) -> None:
    if isinstance(container, dict):
        container[step] = value
    elif replace and _has(container, step):
        container[int(step)] = value
    elif step == "-":
        container.append(value)
    elif step.isdigit() and int(step) <= len(container):
        container.insert(int(step), value)
    else:
        raise _rejected()


def _remove(container, step: str) -> None:
    if not _has(container, step):
        raise _rejected()
    container.pop(int(step)) if isinstance(container, list) else container.pop(step)


def in_words_of_go(value) -> str:
    """A value as Go prints it, map[a:1 b:[x y]], which is how the server shows a patch that it refuses."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{in_words_of_go(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(in_words_of_go, value))}]"
    if value is None or isinstance(value, bool):
        return {True: "true", False: "false", None: "<nil>"}[value]
    return str(value)


# Strategic merge


def strategic(schema: Schema | None, obj: dict, patch: dict) -> dict:
    """Merge as the schema's lists tell: those with keys entry by entry, sets by union, all others whole."""
    if patch.get(_DIRECTIVE) == "replace":
        return {key: clone(value) for key, value in patch.items() if key != _DIRECTIVE}
    if patch.get(_DIRECTIVE) == "delete":
        return {}
    result = dict(obj)
    for name in set(result) - set(patch.get(_RETAIN, result)):
        del result[name]
    for name, value in patch.items():
        if name in (_DIRECTIVE, _RETAIN) or name.startswith(_ORDER):
            continue
        if name.startswith(_DELETE_VALUES):
            field = name.removeprefix(_DELETE_VALUES)
            result[field] = [entry for entry in result.get(field, []) if entry not in value]
            continue
        inner = shapes.inside(schema, name)
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            current = result.get(name)
            result[name] = strategic(inner, current if isinstance(current, dict) else {}, value)
        elif isinstance(value, list) and shapes.list_keys(inner) is not None:
            result[name] = _merge_lists(inner, result.get(name) or [], value, patch.get(_ORDER + name))
        else:
            result[name] = clone(value)
    return result


def _merge_lists(schema: Schema, current: list, patch: list, order: list | None) -> list:
    keys = shapes.list_keys(schema)
    if not keys:
        return current + [entry for entry in patch if entry not in current]
    key = keys[0]  # a strategic merge goes by one key, the first; server-side apply by all
    if any(entry.get(_DIRECTIVE) == "replace" for entry in patch):
        return [clone(entry) for entry in patch if _DIRECTIVE not in entry]
    merged = {entry.get(key): entry for entry in current}
    for entry in patch:
        if entry.get(_DIRECTIVE) == "delete":
            merged.pop(entry.get(key), None)
        else:
            merged[entry.get(key)] = strategic(schema["items"], merged.get(entry.get(key), {}), entry)
    if order:
        rank = {entry.get(key): place for place, entry in enumerate(order)}
        return sorted(merged.values(), key=lambda entry: rank.get(entry.get(key), len(rank)))
    return list(merged.values())
