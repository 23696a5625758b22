# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ClusterImagePolicies make of a node: what policy.json demands, and where Sigstore signatures are looked for."""

from __future__ import annotations

import base64

import yaml

from .releases import Release
from .render import Refused, Registry, nested

SIGSTORE_REGISTRIES = "/etc/containers/registries.d/sigstore-registries.yaml"
_SOME_PATH = "/a"


def openshift(repository: str) -> dict:
    """The policy that 4.21 comes with: a release image has to be signed. `repository` is where the lab's come from."""
    key = base64.b64encode(b"-----BEGIN PUBLIC KEY-----\nsynthetic\n-----END PUBLIC KEY-----\n").decode()
    return {
        "metadata": {"name": "openshift"},
        "spec": {
            "scopes": ["quay.io/openshift-release-dev/ocp-release", repository],
            "policy": {"rootOfTrust": {"policyType": "PublicKey", "publicKey": {"keyData": key}}},
        },
    }


def demands(policies: list[dict]) -> dict[str, list[dict]]:
    """What policy.json demands for each scope; several policies for one scope all have to be met."""
    found: dict[str, list[dict]] = {}
    for policy in policies:
        root = policy["spec"]["policy"]["rootOfTrust"]
        demand = {
            "type": "sigstoreSigned",
            "keyData": root.get("publicKey", {}).get("keyData", ""),
            "signedIdentity": {"type": "matchRepoDigestOrExact"},
        }
        for scope in policy["spec"]["scopes"]:
            found.setdefault(scope, []).append(demand)
    return found


def check(release: Release, scopes, blocked, allowed) -> None:
    """Refuse a policy for what is blocked, or not allowed."""
    for scope in scopes:
        inside = [registry for registry in blocked if nested(release, scope, registry)]
        if inside:
            raise Refused(f"clusterImagePolicy configured for the scope {scope} is nested inside blockedRegistries")
        if allowed and not any(nested(release, scope, registry) for registry in allowed):
            raise Refused(
                f"clusterImagePolicy configured for the scope {scope} is not nested inside allowedRegistries"
            )


def sigstore_registries(release: Release, scopes, registries: list[Registry]) -> str:
    """The file that makes a node look for signatures beside the images: at each scope, and at all of its mirrors."""
    places = set(scopes)
    for scope in scopes:
        around = [registry for registry in registries if nested(release, scope, registry.scope)]
        if around:
            places |= _endpoints(scope, max(around, key=lambda registry: len(registry.scope)))
        for registry in registries:
            if registry.scope != scope and nested(release, registry.scope, scope):
                places |= _endpoints(registry.scope, registry)
    document = {"docker": {place: {"use-sigstore-attachments": True} for place in sorted(places)}}
    return yaml.safe_dump(document)


def _endpoints(scope: str, registry: Registry) -> set[str]:
    """Under which names images of a scope are pulled; the source of a wildcard has no name of its own."""
    path = scope if "/" in scope else scope + _SOME_PATH
    below = path[path.index("/") :] if registry.wildcard else path[len(registry.scope) :]
    names = [mirror.location + below for mirror in registry.mirrors] + ([] if registry.wildcard else [path])
    if not all("/" in name for name in names):
        raise Refused(
            f"error adding clusterimagepolicy scope {scope} relevant mirrors: rewriting reference: repository name must be "
            "canonical"
        )
    return {name if path == scope else name.removesuffix(_SOME_PATH) for name in names}
