# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bodies of requests: JSON, YAML or protobuf in; checked against the path they were sent to."""

from __future__ import annotations

import json

import yaml

from . import patch, protobuf
from .errors import Refusal, bad_request, unsupported_media_type
from .resources import Resource

LIMIT = 3 * (1 << 20)  # bytes, as the real server's


def read(body: bytes, content_type: str) -> object:
    """What a body says; 400 where it cannot be read, 413 where it is too big, 415 for other forms."""
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
            raise bad_request("couldn't get version/kind; json parse error: the body is no JSON document") from None
    raise unsupported_media_type(
        "the body of the request was in an unknown format - accepted media types include: application/json, "
        "application/yaml, application/vnd.kubernetes.protobuf"
    )


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
    if not obj.get("kind"):
        raise bad_request(f"Object 'Kind' is missing in '{resource.plural}'")
    if obj.get("apiVersion") != resource.api_version:
        raise bad_request(
            f"the API version in the data ({obj.get('apiVersion')}) does not match the expected API version "
            f"({resource.api_version})"
        )
    if obj["kind"] != resource.kind:
        raise bad_request(f"{obj['kind']} in version \"{resource.version}\" cannot be handled as a {resource.kind}")
    metadata = obj.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        raise bad_request(f"{resource.kind} in version \"{resource.version}\" cannot be handled: metadata is no object")
    if resource.namespaced:
        if metadata.setdefault("namespace", namespace) != namespace:
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
    else:
        metadata.pop("namespace", None)
    if name and metadata.setdefault("name", name) != name:
        raise bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
        )
    return obj
