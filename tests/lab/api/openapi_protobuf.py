# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OpenAPI v2 as the protobuf message that kubectl and oc before 1.28 (4.15) insist on; numbers are those of openapiv2.

Only what the server's own document holds is written: paths with operations and query parameters, and schemas.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

ASKED_FOR = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"  # an @ is not allowed in a media type
_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}


def encode(document: dict) -> bytes:
    """The document, as `discovery.openapi_v2` makes it, as openapi.v2.Document."""
    info = _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])
    paths = b"".join(_field(2, _named(path, _path(item))) for path, item in document["paths"].items())
    schemas = _named_schemas(document["definitions"])
    return _text(1, document["swagger"]) + _field(2, info) + _field(8, paths) + _field(9, schemas)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def _field(number: int, data: bytes) -> bytes:
    """A field that is a message, or bytes."""
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _text(number: int, *texts: str) -> bytes:
    return b"".join(_field(number, text.encode()) for text in texts)


def _named(name: str, value: bytes) -> bytes:
    return _text(1, name) + _field(2, value)


def _any(value: object) -> bytes:
    """A value of any kind, which travels as YAML, and JSON is YAML."""
    return _text(2, json.dumps(value))


def _extensions(number: int, holder: dict) -> bytes:
    found = ((name, value) for name, value in holder.items() if name.startswith("x-kubernetes-"))
    return b"".join(_field(number, _named(name, _any(value))) for name, value in found)


def _path(item: dict) -> bytes:
    return b"".join(_field(_METHODS[method], _operation(operation)) for method, operation in item.items())


def _operation(operation: dict) -> bytes:
    parameters = b"".join(_field(8, _query_parameter(parameter)) for parameter in operation["parameters"])
    return _text(7, *operation.get("consumes", ())) + parameters + _extensions(13, operation)


def _query_parameter(parameter: dict) -> bytes:
    """A parameter, that has no body, that is in the query."""
    schema = _text(2, parameter["in"]) + _text(4, parameter["name"]) + _text(6, parameter["type"])
    return _field(1, _field(2, _field(3, schema)))


def _named_schemas(schemas: dict) -> bytes:
    return b"".join(_field(1, _named(name, _schema(schema))) for name, schema in schemas.items())


def _schema(schema: dict) -> bytes:
    return b"".join(_parts(schema))


def _parts(schema: dict) -> Iterable[bytes]:
    for name, number in (("format", 2), ("pattern", 13)):
        if name in schema:
            yield _text(number, schema[name])
    yield _text(19, *schema.get("required", ()))
    yield from (_field(20, _any(value)) for value in schema.get("enum", ()))
    if "additionalProperties" in schema:
        yield _field(21, _field(1, _schema(schema["additionalProperties"])))
    if "type" in schema:
        yield _field(22, _text(1, schema["type"]))
    if "items" in schema:
        yield _field(23, _field(1, _schema(schema["items"])))
    if "properties" in schema:
        yield _field(25, _named_schemas(schema["properties"]))
    yield _extensions(31, schema)
