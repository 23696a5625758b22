# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an API server refuses, as it says it: one exception that carries the Status body."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .resources import Resource


class Cause(NamedTuple):
    """One field that is wrong: `reason` as in metav1 (FieldValueInvalid, ...), `message` without the field's name."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class Refusal(Exception):
    """A request that the API server answers with a Status object of kind Failure."""

    def __init__(
        self, code: int, reason: str, message: str, details: dict | None = None, retry_after: int = 0
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after  # seconds, for the header; 0 is no header
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def status(self) -> dict:
        """The body of the answer: metav1.Status."""
        body = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        return body


def _about(resource: Resource, name: str) -> dict:
    about = {"name": name, "kind": resource.plural} if name else {"kind": resource.plural}
    if resource.group:
        about["group"] = resource.group
    return about


def not_found(resource: Resource, name: str) -> Refusal:
    return Refusal(404, "NotFound", f'{resource.key} "{name}" not found', _about(resource, name))


def no_such_path() -> Refusal:
    """The path itself is unknown, as for a kind that this version does not serve."""
    return Refusal(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: Resource, name: str, *, leaving: bool = False) -> Refusal:
    message = ("object is being deleted: " if leaving else "") + f'{resource.key} "{name}" already exists'
    return Refusal(409, "AlreadyExists", message, _about(resource, name))


def conflict(resource: Resource, name: str, why: str, causes: list[Cause] | None = None) -> Refusal:
    details = _about(resource, name)
    if causes:
        details["causes"] = _causes(causes)
    return Refusal(409, "Conflict", why, details)


def modified_meanwhile(resource: Resource, name: str) -> Refusal:
    """A write that names a resourceVersion which is no longer the object's."""
    return conflict(
        resource,
        name,
        f'Operation cannot be fulfilled on {resource.key} "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again",
    )


def failed_precondition(resource: Resource, name: str, field: str, wanted: str, found: str) -> Refusal:
    """A delete that asked for another object or version: field is UID or ResourceVersion."""
    perhaps = "deleted and then recreated" if field == "UID" else "modified"
    return conflict(
        resource,
        name,
        f'Operation cannot be fulfilled on {resource.kind} "{name}": the {field} in the precondition ({wanted}) '
        f"does not match the {field} in record ({found}). The object might have been {perhaps}",
    )


def another_object(resource: Resource, key: tuple[str, str], wanted: str, found: str) -> Refusal:
    """A write that names the uid of another object of that name."""
    path = "/".join(part for part in ("/registry", resource.plural, *key) if part)
    return conflict(
        resource,
        key[1],
        f'Operation cannot be fulfilled on {resource.key} "{key[1]}": StorageError: invalid object, Code: 4, '
        f"Key: {path}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {wanted}, "
        f"UID in object meta: {found}",
    )


def invalid(resource: Resource, name: str, causes: list[Cause]) -> Refusal:
    """Fields that break their rules: 422, with one cause a field."""
    qualified = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    details = {**_about(resource, name), "kind": resource.kind, "causes": _causes(causes)}
    return Refusal(422, "Invalid", f'{qualified} "{name}" is invalid: {_joined(causes)}', details)


def invalid_options(kind: str, causes: list[Cause]) -> Refusal:
    """Query parameters that break their rules; `kind` is CreateOptions, ListOptions and so on."""
    details = {"group": "meta.k8s.io", "kind": kind, "causes": _causes(causes)}
    return Refusal(422, "Invalid", f'{kind}.meta.k8s.io "" is invalid: {_joined(causes)}', details)


def invalid_patch(shown: str, why: str) -> Refusal:
    """A patch whose outcome is no object. What is shown of it can hold secrets: the real server does that too."""
    cause = Cause("patch", f"Invalid value: {json.dumps(shown, ensure_ascii=False)}: {why}")
    return Refusal(422, "Invalid", f' "" is invalid: {cause}', {"causes": _causes([cause])})


def _joined(causes: list[Cause]) -> str:
    sentences = [str(cause) for cause in causes]
    return sentences[0] if len(sentences) == 1 else f"[{', '.join(sentences)}]"


def _causes(causes: list[Cause]) -> list[dict]:
    return [{"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes]


def not_allowed() -> Refusal:
    return Refusal(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def bad_request(message: str) -> Refusal:
    return Refusal(400, "BadRequest", message)


def unauthorized() -> Refusal:
    return Refusal(401, "Unauthorized", "Unauthorized")


def expired(message: str = "The provided continue parameter is too old") -> Refusal:
    """A continue token or a watch's resourceVersion that history no longer reaches back to."""
    return Refusal(410, "Expired", message)


def unsupported_media_type(message: str) -> Refusal:
    return Refusal(415, "UnsupportedMediaType", message)
