# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bodies of requests: JSON, YAML or protobuf in; checked against the path they were sent to."""

from __future__ import annotations

import json

import yaml

from . import patch, protobuf
from .errors import Refusal, bad_request, unsupported_media_type
from .gojson import json_error
from .resources import Resource

LIMIT = 3 * (1 << 20)  # bytes, as the real server's
_SUMMARY = 30  # bytes of a bad body that go into the answer


def read(body: bytes, content_type: str, kind: str = "") -> object:
    """What a body says; 400 where it cannot be read, 413 where it is too big, 415 for other forms.

    `kind` is what should be in it; the complaint about a body that is no JSON quotes its beginning, as the real one.
    """
    if len(body) > LIMIT:
        raise Refusal(413, "RequestEntityTooLarge", f"Request entity too large: limit is {LIMIT}")
    if content_type == protobuf.MEDIA_TYPE:
        return protobuf.decode(body)
    if content_type in ("application/yaml", patch.APPLY):
        try:
            return json.loads(body)
        except ValueError:
            return _yaml(body)
    if content_type in ("", "application/json", "application/octet-stream", patch.JSON, patch.MERGE, patch.STRATEGIC):
        try:
            return json.loads(body)
        except ValueError:
            why = f"couldn't get version/kind; json parse error: {json_error(body)} ({_summary(body)})"
            raise bad_request(f"the object provided is unrecognized (must be of type {kind}): {why}") from None
    raise unsupported_media_type(
        "the body of the request was in an unknown format - accepted media types include: application/json, "
        "application/yaml, application/vnd.kubernetes.protobuf"
    )


def _summary(body: bytes) -> str:
    """The beginning of a body."""
    if not body:
        return "<empty>"
    if not body.startswith(b"{"):
        return body[:_SUMMARY].hex() + (" ..." if len(body) > _SUMMARY else "")
    return body[:_SUMMARY].decode(errors="replace") + (" ..." if len(body) > _SUMMARY else "")


def _yaml(body: bytes) -> object:
    try:
        return yaml.load(body, Loader=_Loader)
    except yaml.YAMLError:
        raise bad_request("error decoding YAML: the body is no YAML document") from None


class _Loader(yaml.SafeLoader):
    """YAML without dates: a text that looks like one stays a text, as it does for the real server."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def fit(obj: object, resource: Resource, namespace: str, name: str = "") -> dict:
    """The body as an object of this resource; 400 where it contradicts the path."""
    if not isinstance(obj, dict):
        raise bad_request("the object provided is unrecognized (must be of type object)")
    if not resource.custom:
        obj.setdefault("kind", resource.kind)
        obj.setdefault("apiVersion", resource.api_version)
    if not obj.get("kind"):
        raise bad_request(f"Object 'Kind' is missing in '{json.dumps(obj, separators=(',', ':'))[:_SUMMARY]}'")
    version = str(obj.get("apiVersion")).rpartition("/")[2]
    unfit = f'{obj["kind"]} in version "{version}" cannot be handled as a {resource.kind}'
    if obj.get("apiVersion") != resource.api_version:
        raise bad_request(f'{unfit}: no kind "{obj["kind"]}" is registered for version "{obj.get("apiVersion")}"')
    if obj["kind"] != resource.kind:
        raise bad_request(f"{unfit}: converting ({obj['kind']}) to ({resource.kind}): unknown conversion")
    metadata = obj.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        raise bad_request(f"{unfit}: metadata is no object")
    if resource.namespaced:
        if metadata.setdefault("namespace", namespace) != namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    else:
        metadata.pop("namespace", None)
    if name and metadata.setdefault("name", name) != name:
        raise bad_request(f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})")
    return obj
