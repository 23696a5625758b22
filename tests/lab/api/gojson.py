# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a text is no JSON, in the words of the Go decoder that the real API server uses."""

from __future__ import annotations

import json
from collections.abc import Callable

_END = "unexpected end of JSON input"
_LITERALS = {"t": "true", "f": "false", "n": "null"}
_SHOWN = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "'": "\\'"}


def json_error(document: bytes) -> str:
    """Why a document is no JSON object, or ""."""
    try:
        value = json.loads(document.decode(), parse_constant=_no_constant)
    except UnicodeDecodeError:
        return "invalid character looking for beginning of value"
    except json.JSONDecodeError as error:
        return _explain(error.doc, error.pos, error.msg)
    except _Constant as constant:
        return _literal(constant.args[0]) or f"invalid character '{constant.args[0][0]}' looking for beginning of value"
    if isinstance(value, dict) or value is None:
        return ""
    found = {list: "array", str: "string", bool: "bool"}.get(type(value), "number")
    return f"json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"


class _Constant(Exception):
    """A constant that Python reads and JSON has not: NaN, Infinity."""


def _no_constant(name: str) -> None:
    raise _Constant(name)


def _explain(text: str, at: int, message: str) -> str:
    """Python's complaint at a position, said again."""
    if message.startswith("Unterminated string"):
        return _END
    if message.startswith("Invalid control character"):
        return _invalid(text[at], "in string literal")
    if message.startswith("Invalid \\escape"):
        return _invalid(text[at + 1 : at + 2], "in string escape code")
    if message.startswith("Unexpected UTF-8 BOM"):
        return _invalid("\u00ef", "looking for beginning of value")
    rest = text[at:].lstrip(" \t\r\n")
    if not rest:
        return _END
    if message == "Expecting value" and (complaint := _literal(rest)):
        return complaint
    inside = _open_brackets(text[:at])[-1:]
    where: dict[str, Callable[[], str]] = {
        "Extra data": lambda: "after top-level value",
        "Expecting value": lambda: "looking for beginning of value",
        "Expecting ':' delimiter": lambda: "after object key",
        "Expecting ',' delimiter": lambda: "after array element" if inside == "[" else "after object key:value pair",
    }
    return _invalid(rest[0], where.get(message, lambda: "looking for beginning of object key string")())


def _invalid(character: str, where: str) -> str:
    return f"invalid character '{_SHOWN.get(character, character)}' {where}" if character else _END


def _literal(text: str) -> str:
    """How a text that begins like true, false or null goes wrong."""
    literal = _LITERALS.get(text[0])
    if not literal:
        return ""
    for expected, found in zip(literal, text):
        if expected != found:
            return f"invalid character '{_SHOWN.get(found, found)}' in literal {literal} (expecting '{expected}')"
    return _END if len(text) < len(literal) else ""


def _open_brackets(text: str) -> str:
    """The brackets that are open at the end of the text, which is good JSON as far as it goes."""
    stack, quoted, escaped = "", False, False
    for character in text:
        if quoted:
            quoted = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            quoted = True
        elif character in "[{":
            stack += character
        elif character in "]}":
            stack = stack[:-1]
    return stack
