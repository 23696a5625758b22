# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects held against their schema: unknown fields, defaults, and the rules that a CustomResourceDefinition states."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache

from . import shapes
from .errors import Cause
from .resources import Resource
from .shapes import Schema

_TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
}


def prune(schema: Schema, value, *, keep_nulls: bool, path: str = "") -> list[str]:
    """Drop from `value`, in place, what the schema does not know; the paths of what was dropped.

    Nulls are dropped without a word; with `keep_nulls`, as in custom resources, not where the schema allows them.
    """
    dropped: list[str] = []
    if isinstance(value, list):
        for index, entry in enumerate(value):
            dropped += prune(schema.get("items", {}), entry, keep_nulls=keep_nulls, path=f"{path}[{index}]")
        return dropped
    if not isinstance(value, dict) or schema.get("type") != "object":
        return dropped
    open_ended = "x-kubernetes-preserve-unknown-fields" in schema
    for name in list(value):
        inner = shapes.inside(schema, name)
        where = f"{path}.{name}" if path else name
        if inner is None:
            if not open_ended:
                dropped.append(where)
                del value[name]
        elif value[name] is None:
            if not keep_nulls or not inner.get("nullable"):
                del value[name]
        else:
            dropped += prune(inner, value[name], keep_nulls=keep_nulls, path=where)
    return dropped


def fill_defaults(schema: Schema, value) -> None:
    """Set what is absent and has a default, in place; only inside objects that are there."""
    if isinstance(value, list):
        for entry in value:
            fill_defaults(schema.get("items", {}), entry)
    elif isinstance(value, dict):
        for name, inner in schema.get("properties", {}).items():
            if name not in value and "default" in inner:
                value[name] = inner["default"]
            elif name in value:
                fill_defaults(inner, value[name])


def type_errors(schema: Schema, value, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Where a value is of another type than its schema says: path, wanted, found."""
    wanted, found = schema.get("type"), _type_of(value)
    if "x-kubernetes-int-or-string" in schema:
        if found not in ("integer", "string"):
            yield path, "integer,string", found
        return
    if wanted and not (value is None and schema.get("nullable")):
        if not isinstance(value, _TYPES[wanted]) or (wanted == "integer" and found == "boolean"):
            yield path, wanted, found
            return
    for where, inner, entry in _children(schema, value, path):
        yield from type_errors(inner, entry, where)


def check(resource: Resource, obj: dict) -> list[Cause]:
    """The rules of a custom resource that an object breaks."""
    schema = shapes.of(resource)
    wrong = [
        Cause(
            path,
            f'Invalid value: "{found}": {path} in body must be of type {wanted}: "{found}"',
            "FieldValueTypeInvalid",
        )
        for path, wanted, found in type_errors(schema, obj)
    ]
    wrong += _broken_rules(schema, obj, "")
    expressions = _EXPRESSIONS.get(resource.key)
    if wrong:
        return wrong + ([] if expressions is None else [Cause("<nil>", _UNCHECKED)])
    return [Cause(path, message) for path, holds, message in expressions or () if not holds(obj)]


def required(schema: Schema, value, path: str) -> list[Cause]:
    """The fields that an object must have and has not."""
    missing = [name for name in schema.get("required", ()) if isinstance(value, dict) and name not in value]
    return [Cause(f"{path}.{name}" if path else name, "Required value", "FieldValueRequired") for name in missing]


def _broken_rules(schema: Schema, value, path: str) -> list[Cause]:
    wrong = required(schema, value, path)
    if isinstance(value, str):
        wrong += _broken_text_rules(schema, value, path)
    if isinstance(value, int) and not isinstance(value, bool):
        wrong += _broken_number_rules(schema, value, path)
    if isinstance(value, list) and shapes.list_keys(schema) is not None:
        wrong += _doubles(shapes.list_keys(schema), value, path)
    for where, inner, entry in _children(schema, value, path):
        wrong += _broken_rules(inner, entry, where)
    return wrong


def _broken_text_rules(schema: Schema, value: str, path: str) -> list[Cause]:
    wrong = []
    if "enum" in schema and value not in schema["enum"]:
        supported = ", ".join(f'"{choice}"' for choice in schema["enum"])
        message = f'Unsupported value: "{value}": supported values: {supported}'
        wrong.append(Cause(path, message, "FieldValueNotSupported"))
    if "pattern" in schema and not _matcher(schema["pattern"]).search(value):
        wrong.append(Cause(path, f"Invalid value: \"{value}\": {path} in body should match '{schema['pattern']}'"))
    if len(value) < schema.get("minLength", 0):
        least = schema["minLength"]
        wrong.append(Cause(path, f'Invalid value: "{value}": {path} in body should be at least {least} chars long'))
    if len(value.encode()) > schema.get("maxLength", len(value.encode())):
        wrong.append(Cause(path, f"Too long: may not be more than {schema['maxLength']} bytes", "FieldValueTooLong"))
    return wrong


def _broken_number_rules(schema: Schema, value: int, path: str) -> list[Cause]:
    wrong = []
    if value < schema.get("minimum", value):
        wrong.append(f"greater than or equal to {schema['minimum']}")
    if value > schema.get("maximum", value):
        wrong.append(f"less than or equal to {schema['maximum']}")
    return [Cause(path, f"Invalid value: {value}: {path} in body should be {what}") for what in wrong]


def _doubles(keys: list[str], entries: list, path: str) -> list[Cause]:
    seen, wrong = [], []
    for index, entry in enumerate(entries):
        identity = {key: entry.get(key) for key in keys} if keys and isinstance(entry, dict) else entry
        if identity in seen:
            entries_of = ", ".join(f'"{key}":"{value}"' for key, value in identity.items()) if keys else ""
            shown = f"map[string]interface {{}}{{{entries_of}}}" if keys else f'"{identity}"'
            wrong.append(Cause(f"{path}[{index}]", f"Duplicate value: {shown}", "FieldValueDuplicate"))
        seen.append(identity)
    return wrong


def _children(schema: Schema, value, path: str) -> Iterator[tuple[str, Schema, object]]:
    if isinstance(value, list):
        for index, entry in enumerate(value):
            yield f"{path}[{index}]", schema.get("items", {}), entry
    elif isinstance(value, dict):
        for name, entry in sorted(value.items()):
            if inner := shapes.inside(schema, name):
                yield f"{path}.{name}" if path else name, inner, entry


def _type_of(value) -> str:
    if value is None:
        return "null"
    if isinstance(value, float):
        return "number"
    return next(name for name, kind in _TYPES.items() if isinstance(value, kind))


@cache
def _matcher(pattern: str) -> re.Pattern:
    """A pattern of RE2 for Python's engine, which backtracks.

    Optional dashes between runs of the same letters can be split in exponentially many ways; required ones, which
    match the same texts, only in one. And RE2's $ is the end of the text, not of its last line.
    """
    return re.compile(pattern.replace("[-]*", "-+").replace("$", r"\Z"))


def _within(obj: dict, *path: str) -> dict:
    for name in path:
        obj = obj.get(name) or {}
    return obj


Expression = tuple[str, Callable[[dict], bool], str]
_UNCHECKED = (
    'Invalid value: "null": some validation rules were not checked because the object was invalid; '
    "correct the existing errors to complete validation"
)


def _ref(obj: dict) -> str:
    """The image of a ClusterCatalog; where it has none, one that breaks no rule: what is missing is said elsewhere."""
    return _within(obj, "spec", "source", "image").get("ref", "a.test/b:c")


def _digested(obj: dict) -> bool:
    return _DIGESTED.search(_ref(obj)) is not None


# RE2's patterns as they are in the CustomResourceDefinition; `ending` is what it takes for the tag or the digest, from
# the first colon on, so that a port counts as well.
_DOMAIN = re.compile(
    r"^([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])((\.([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))+)?"
    r"(:[0-9]+)?\b",
    re.ASCII,
)
_NAME = re.compile(r"/[a-z0-9]")
_DIGESTED = re.compile(r"@.*:")
_ENDING = re.compile(r":.*\Z")
_TAG = re.compile(r":\w[\w.-]*\Z", re.ASCII)
_ALGORITHM = re.compile(r"@[A-Za-z][A-Za-z0-9]*([-_+.][A-Za-z][A-Za-z0-9]*)*:")
_HEX = re.compile(r":[0-9A-Fa-f]*\Z")


def _by_tag(holds: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda ref: _DIGESTED.search(ref) is not None or not _ending(ref) or holds(_ending(ref))


def _by_digest(holds: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda ref: _DIGESTED.search(ref) is None or holds(ref)


def _ending(ref: str) -> str:
    found = _ENDING.search(ref)
    return found[0] if found else ""


_REFERENCE_RULES = (
    (
        lambda ref: _DOMAIN.search(ref) is not None,
        "must start with a valid domain. valid domains must be alphanumeric characters (lowercase and uppercase) "
        'separated by the "." character.',
    ),
    (
        lambda ref: _NAME.search(ref) is not None,
        "a valid name is required. valid names must contain lowercase alphanumeric characters separated only by the "
        '".", "_", "__", "-" characters.',
    ),
    (lambda ref: bool(_DIGESTED.search(ref) or _ending(ref)), "must end with a digest or a tag"),
    (
        _by_tag(lambda ending: len(ending) - 1 <= 127),
        "tag is invalid. the tag must not be more than 127 characters",
    ),
    (
        _by_tag(lambda ending: _TAG.search(ending) is not None),
        'tag is invalid. valid tags must begin with a word character (alphanumeric + "_") followed by word characters or '
        '".", and "-" characters',
    ),
    (
        _by_digest(lambda ref: _ALGORITHM.search(_DIGESTED.search(ref)[0]) is not None),
        "digest algorithm is not valid. valid algorithms must start with an uppercase or lowercase alpha character "
        'followed by alphanumeric characters and may contain the "-", "_", "+", and "." characters.',
    ),
    (
        _by_digest(lambda ref: len(_ending(ref)) - 1 >= 32),
        "digest is not valid. the encoded string must be at least 32 characters",
    ),
    (
        _by_digest(lambda ref: _HEX.search(_ending(ref)) is not None),
        "digest is not valid. the encoded string must only contain hex characters (A-F, a-f, 0-9)",
    ),
)

# What the CustomResourceDefinitions state in the Common Expression Language, as far as it is about fields of the lab's
# shapes. A kind with no expression here but some in reality says, as all of them do, what it left unchecked.
_EXPRESSIONS: dict[str, tuple[Expression, ...]] = {
    "images.config.openshift.io": (
        (
            "spec.registrySources",
            lambda obj: (
                not {"blockedRegistries", "allowedRegistries"} <= _within(obj, "spec", "registrySources").keys()
            ),
            'Invalid value: "object": Only one of blockedRegistries or allowedRegistries may be set',
        ),
    ),
    "clusterversions.config.openshift.io": (),
    "machineconfigpools.machineconfiguration.openshift.io": (),
    "machineconfigurations.operator.openshift.io": (),
    "clustercatalogs.olm.operatorframework.io": (
        (
            "spec.source",
            lambda obj: "image" in obj["spec"]["source"],
            'Invalid value: "object": image is required when source type is Image, and forbidden otherwise',
        ),
        (
            "spec.source.image",
            lambda obj: not _digested(obj) or "pollIntervalMinutes" not in _within(obj, "spec", "source", "image"),
            'Invalid value: "object": cannot specify pollIntervalMinutes while using digest-based image',
        ),
        *(
            ("spec.source.image.ref", lambda obj, holds=holds: holds(_ref(obj)), f'Invalid value: "string": {message}')
            for holds, message in _REFERENCE_RULES
        ),
    ),
}
