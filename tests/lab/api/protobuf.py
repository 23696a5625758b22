# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kubernetes' protobuf bodies, which kubectl and oc send for typed objects, read into plain objects.

The envelope is "k8s\\0" and a runtime.Unknown {1: {1: apiVersion, 2: kind}, 2: the object}. Answers are JSON, which
those clients accept.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import datetime, timezone

from . import shapes
from .errors import bad_request, unsupported_media_type
from .shapes import Schema

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"


def decode(body: bytes) -> dict:
    """The object in a body, with apiVersion and kind."""
    if not body.startswith(_MAGIC):
        raise bad_request("provided data does not appear to be a protobuf message")
    try:
        envelope = dict(_fields(body[len(_MAGIC) :]))
        about = dict(_fields(envelope.get(1, b"")))
        kind = about[2].decode()
        raw = envelope.get(2, b"")
        return {"apiVersion": about[1].decode(), "kind": kind, **_message(_schema(kind), raw)}
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise bad_request("unable to decode the protobuf body") from error


def _schema(kind: str) -> Schema:
    try:
        return shapes.native(kind)
    except KeyError:
        raise unsupported_media_type(f"the lab reads {kind} as JSON only; send application/json") from None


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message in the order they were sent: number and varint, or number and bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(data, at)
        elif wire == 2:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            size = {1: 8, 5: 4}[wire]
            value, at = data[at : at + size], at + size
        yield number, value


def _message(schema: Schema, data: bytes) -> dict:
    numbered = {s["x-number"]: (name, s) for name, s in schema.get("properties", {}).items() if "x-number" in s}
    embedded = schema.get("x-embedded", {})
    result: dict = {}
    for number, raw in _fields(data):
        if number in embedded:
            result.update(_message(embedded[number], raw))
        elif number in numbered:
            name, field = numbered[number]
            _set(result, name, field, raw)
        elif raw:
            raise unsupported_media_type(f"the lab does not know protobuf field {number}; send application/json")
    return result


def _set(result: dict, name: str, field: Schema, raw: int | bytes) -> None:
    if field.get("type") == "array":
        result.setdefault(name, []).append(_value(field["items"], raw))
    elif "additionalProperties" in field:
        entry = dict(_fields(raw))
        result.setdefault(name, {})[entry.get(1, b"").decode()] = _value(
            field["additionalProperties"], entry.get(2, b"")
        )
    elif name != "status":  # always sent, always the server's to say
        value = _value(field, raw)
        if value or isinstance(value, dict) or (field.get("x-keep-zero") and value is not None):
            result[name] = value


def _value(field: Schema, raw: int | bytes):
    kind, form = field.get("type"), field.get("format")
    if kind == "boolean":
        return bool(raw)
    if kind == "integer":
        return raw - (1 << 64) if raw >= 1 << 63 else raw
    if form == "byte":
        return base64.b64encode(raw).decode()
    if form == "date-time":
        seconds = dict(_fields(raw)).get(1)
        moment = seconds and datetime.fromtimestamp(seconds, timezone.utc)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
    if form == "quantity":
        return dict(_fields(raw)).get(1, b"").decode()
    if "x-kubernetes-int-or-string" in field:
        parts = dict(_fields(raw))
        return parts.get(3, b"").decode() if parts.get(1) else parts.get(2, 0)
    if "x-kubernetes-preserve-unknown-fields" in field:
        if raw:
            raise unsupported_media_type("the lab cannot read a part of this protobuf body; send application/json")
        return None
    return _message(field, raw) if kind == "object" else raw.decode()
