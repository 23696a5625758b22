# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fields of each kind, read from `shapes/*.shapes` into schemas in the words of OpenAPI.

A schema is a mapping: `type`, `properties`, `items`, `additionalProperties`, `required`, the usual rules, and three
words of the lab: `x-number` (the field's number in protobuf), `x-embedded` ({number: schema} of embedded messages) and
`x-keep-zero` (a zero value was meant). Kinds that the files do not name may hold anything.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from .resources import Resource

Schema = dict

ANYTHING: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_SCALARS: dict[str, Schema] = {
    "string": {"type": "string"},
    "int": {"type": "integer"},
    "bool": {"type": "boolean"},
    "bytes": {"type": "string", "format": "byte"},
    "time": {"type": "string", "format": "date-time"},
    "quantity": {"type": "string", "x-kubernetes-int-or-string": True, "format": "quantity"},
    "intstr": {"x-kubernetes-int-or-string": True},
    "any": ANYTHING,
}
_DOMAIN = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_REPOSITORY = rf"^({_DOMAIN}(?:(?:\.{_DOMAIN})+)?(?::[0-9]+)?)(?:(?:/[a-z0-9]+(?:(?:(?:[._]|__|[-]*)[a-z0-9]+)+)?)+)?$"
PATTERNS = {
    "mirror": _REPOSITORY,
    "source": rf"^\*(?:\.{_DOMAIN})+$|{_REPOSITORY}",
    "management": "^(Managed|Unmanaged|Force|Removed)$",
}
_FIELD = re.compile(
    r"(?P<name>[\w*]+)(?:=(?P<number>\d+))?(?P<required>!?)\s+(?P<type>.+?)(?:\s+=\s+(?P<default>\S+))?"
)
_LIST = re.compile(r"\[(?P<item>.*?)(?:\s+by\s+(?P<keys>[\w,]+)|\s+(?P<set>set))?\]")
_RULED = re.compile(r"(?P<type>\w+)\((?P<rules>[^)]*)\)")
_INTEGER_RULES = ("minLength", "maxLength", "minimum", "maximum")


class _File:
    """One file of shapes; messages are built at first need, so that they may refer forward."""

    def __init__(self, name: str) -> None:
        text = (Path(__file__).parent / "shapes" / name).read_text(encoding="utf-8")
        lines = (line for line in text.splitlines() if line and not line.startswith("#"))
        heads = [line.partition(":") for line in lines]
        self._lines = {head.split()[0]: fields.strip() for head, _colon, fields in heads}
        self._atomic = {head.split()[0] for head, _colon, _fields in heads if head.endswith(" (atomic)")}
        self._built: dict[str, Schema] = {}

    def __contains__(self, message: str) -> bool:
        return message in self._lines

    def message(self, name: str) -> Schema:
        if name not in self._built:
            schema = self._build(self._lines[name])
            self._built[name] = {**schema, "x-kubernetes-map-type": "atomic"} if name in self._atomic else schema
        return self._built[name]

    def _build(self, fields: str) -> Schema:
        schema: Schema = {"type": "object", "properties": {}}
        for text in filter(None, (part.strip() for part in fields.split(";"))):
            field = _FIELD.fullmatch(text)
            inner = self._type(field["type"])
            if field["name"] == "*":
                schema.setdefault("x-embedded", {})[int(field["number"])] = inner
                schema["properties"].update(
                    {name: {k: v for k, v in s.items() if k != "x-number"} for name, s in inner["properties"].items()}
                )
                continue
            if field["number"]:
                inner = {**inner, "x-number": int(field["number"])}
            if field["default"] is not None:
                inner = {**inner, "default": _value(inner, field["default"])}
            if field["required"]:
                schema.setdefault("required", []).append(field["name"])
            schema["properties"][field["name"]] = inner
        return schema

    def _type(self, text: str) -> Schema:
        if text.endswith("?"):
            return {**self._type(text[:-1]), "nullable": True, "x-keep-zero": True}
        if match := _LIST.fullmatch(text):
            schema = {"type": "array", "items": self._type(match["item"])}
            if match["keys"]:
                return {
                    **schema,
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": match["keys"].split(","),
                }
            return {**schema, "x-kubernetes-list-type": "set" if match["set"] else "atomic"}
        if text.startswith("{"):
            return {"type": "object", "additionalProperties": self._type(text[1:-1])}
        if match := _RULED.fullmatch(text):
            return {**self._type(match["type"]), **_rules(match["rules"])}
        return dict(_SCALARS[text]) if text in _SCALARS else self.message(text)


def _value(schema: Schema, text: str):
    if schema.get("type") == "boolean":
        return text == "true"
    return int(text) if schema.get("type") == "integer" else text


def _rules(text: str) -> Schema:
    rules: Schema = {}
    for rule in text.split(", "):
        name, _equals, value = rule.partition("=")
        if name == "enum":
            rules["enum"] = value.split("|")
        elif name == "pattern":
            rules["pattern"] = PATTERNS[value]
        else:
            rules[name] = int(value) if name in _INTEGER_RULES else value
    return rules


@cache
def _file(name: str) -> _File:
    return _File(name)


def native(message: str) -> Schema:
    """A message of native.shapes."""
    return _file("native.shapes").message(message)


@cache
def of(resource: Resource) -> Schema:
    """The schema of a resource's objects, with apiVersion, kind and metadata."""
    file = _file("custom.shapes" if resource.custom else "native.shapes")
    name = next((name for name in (f"{resource.kind}.{resource.group}", resource.kind) if name in file), None)
    body = file.message(name) if name else ANYTHING
    own = {"apiVersion": _SCALARS["string"], "kind": _SCALARS["string"], "metadata": native("ObjectMeta")}
    properties = {**own, **body.get("properties", {})}
    return {**body, "properties": properties, "x-kubernetes-group-version-kind": [_gvk(resource)]}


def _gvk(resource: Resource) -> dict:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def list_keys(schema: Schema | None) -> list[str] | None:
    """The keys by which a list's entries are told apart; [] for a set of values; None for a list that is one value."""
    if not schema or schema.get("x-kubernetes-list-type", "atomic") == "atomic":
        return None
    return schema.get("x-kubernetes-list-map-keys", [])


def inside(schema: Schema | None, name: str) -> Schema | None:
    """The schema of one field or map entry, or None where nothing is known."""
    if not schema:
        return None
    known = schema.get("properties", {}).get(name)
    return known if known is not None else schema.get("additionalProperties")
