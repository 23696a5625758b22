# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a node pulls an image from, by its own registries.conf and policy.json, as containers/image decides it.

Of registries.conf it knows version 2 with its drop-in directory, and both ways of saying which pulls a mirror is for:
`mirror-by-digest-only` at the registry and `pull-from-mirror` at each mirror. Having both is an error, as it is there.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

REGISTRIES_CONF = "etc/containers/registries.conf"
DROP_INS = "etc/containers/registries.conf.d"
POLICY = "etc/containers/policy.json"
_MODES = ("", "all", "digest-only", "tag-only")
_PATH = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"[a-zA-Z0-9.-]+(?::\d+)?(?:/{_PATH})+(?::\w[\w.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?", re.ASCII
)


class Refused(Exception):
    """The configuration, or what it says, does not let this image be pulled."""


@dataclass(frozen=True)
class Mirror:
    """`mode` says for which references it is used: all, digest-only or tag-only."""

    location: str
    insecure: bool
    mode: str

    def serves(self, digested: bool) -> bool:
        return self.mode in ("", "all", "digest-only" if digested else "tag-only")


@dataclass(frozen=True)
class Registry:
    """One [[registry]] table. `location` is empty where a wildcard prefix leaves names as they are."""

    prefix: str
    location: str
    insecure: bool
    blocked: bool
    mirrors: tuple[Mirror, ...]


@dataclass(frozen=True)
class Source:
    """One endpoint to try, `reference` being what is asked of it."""

    reference: str
    insecure: bool
    mirror: bool


def load(rootfs: Path) -> list[Registry]:
    """The registries that a node has configured; raises Refused where containers/image refuses the files."""
    main = rootfs / REGISTRIES_CONF
    registries: dict[str, Registry] = {}
    for path in [main, *sorted((rootfs / DROP_INS).glob("*.conf"))]:
        if path.exists():
            registries |= {registry.prefix: registry for registry in parse(path.read_text(encoding="utf-8"), path.name)}
    return list(registries.values())


def parse(text: str, name: str = REGISTRIES_CONF) -> list[Registry]:
    """The [[registry]] tables of one file; of several with one prefix only the first counts."""
    try:
        document = tomllib.loads(text)
        registries = [_registry(table) for table in document.get("registry", [])]
    except (tomllib.TOMLDecodeError, Refused) as problem:
        raise Refused(f"loading registries configuration {name}: {problem}") from None
    by_location: dict[str, Registry] = {}
    for registry in registries:
        same = by_location.setdefault(registry.location or registry.prefix, registry)
        for flag in ("insecure", "blocked"):
            if getattr(same, flag) != getattr(registry, flag):
                raise Refused(
                    f"registry '{registry.location}' is defined multiple times with conflicting '{flag}' setting"
                )
    unique: dict[str, Registry] = {}
    for registry in registries:
        unique.setdefault(registry.prefix, registry)
    return list(unique.values())


def pull_sources(registries: list[Registry], reference: str) -> list[Source]:
    """The endpoints in the order in which they are tried: the mirrors that serve such a reference, then the source.

    Raises Refused where an endpoint's location makes no reference of the image's name: then nothing is pulled at all.
    """
    registry = find(registries, reference)
    if registry is None:
        return [Source(reference, insecure=False, mirror=False)]
    rest = reference[matched(registry.prefix, reference) :]
    serving = [mirror for mirror in registry.mirrors if mirror.serves(digested="@" in reference)]
    own = registry.location + rest if registry.location else reference
    endpoints = [Source(mirror.location + rest, mirror.insecure, mirror=True) for mirror in serving]
    endpoints.append(Source(own, registry.insecure, mirror=False))
    for endpoint in endpoints:
        if not _REFERENCE.fullmatch(endpoint.reference):
            raise Refused(f"rewriting reference: invalid reference format: {endpoint.reference}")
    return endpoints


def find(registries: list[Registry], reference: str) -> Registry | None:
    """The registry with the longest prefix that matches."""
    matching = [registry for registry in registries if matched(registry.prefix, reference)]
    return max(matching, key=lambda registry: len(registry.prefix), default=None)


def blocked(registries: list[Registry], reference: str) -> str | None:
    """The prefix under which an endpoint is blocked, judged by the endpoint's own name."""
    registry = find(registries, repository(reference))
    return registry.prefix if registry and registry.blocked else None


def matched(prefix: str, reference: str) -> int:
    """How many characters of a reference a prefix covers; 0 for none."""
    if prefix.startswith("*."):
        domain = prefix[1:]
        start = reference.find(domain)
        end = start + len(domain)
        if start < 0 or "/" in reference[:start]:
            return 0
    else:
        end = len(prefix)
        if not reference.startswith(prefix):
            return 0
    return end if end == len(reference) or reference[end] in "/:@" else 0


def repository(reference: str) -> str:
    """A reference without its tag and digest."""
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def requirements(rootfs: Path, reference: str) -> list[dict]:
    """What the node's policy.json demands of an image, judged by the name that was asked for."""
    try:
        policy = json.loads((rootfs / POLICY).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as problem:
        raise Refused(f"loading signature verification policy: {problem}") from None
    scopes = policy.get("transports", {}).get("docker", {})
    for scope in _policy_scopes(reference):
        if scope in scopes:
            return scopes[scope]
    return policy["default"]


def _policy_scopes(reference: str) -> list[str]:
    """The scopes that may hold for an image, the narrowest first: itself, its parents, wildcards over its host, all."""
    name = repository(reference)
    parts = name.split("/")
    parents = ["/".join(parts[:n]) for n in range(len(parts), 0, -1)]
    labels = parts[0].partition(":")[0].split(".")
    wildcards = ["*." + ".".join(labels[n:]) for n in range(1, len(labels))]
    return [reference, *parents, *wildcards, ""]


def _registry(table: dict) -> Registry:
    location = _location(table.get("location", ""))
    prefix = _location(table.get("prefix", "")) or location
    if not prefix:
        raise Refused("invalid condition: both location and prefix are unset")
    if not location and not prefix.startswith("*."):
        raise Refused("invalid condition: location is unset and prefix is not in the format: *.example.com")
    if table.get("pull-from-mirror"):
        raise Refused(f"pull-from-mirror must not be set for a non-mirror registry {prefix!r}")
    digests = bool(table.get("mirror-by-digest-only"))
    mirrors = tuple(_mirror(prefix, mirror, digests) for mirror in table.get("mirror", []))
    return Registry(prefix, location, bool(table.get("insecure")), bool(table.get("blocked")), mirrors)


def _mirror(prefix: str, table: dict, by_digest_only: bool) -> Mirror:
    location = _location(table.get("location", ""))
    mode = table.get("pull-from-mirror", "")
    if not location:
        raise Refused("invalid condition: mirror location is unset")
    if by_digest_only and mode:
        raise Refused(
            f"cannot set mirror usage mirror-by-digest-only for the registry ({prefix!r}) and "
            f"pull-from-mirror for per-mirror ({location!r}) at the same time"
        )
    if mode not in _MODES:
        raise Refused(f"unsupported pull-from-mirror value {mode!r} for mirror {location!r}")
    return Mirror(location, bool(table.get("insecure")), "digest-only" if by_digest_only else mode)


def _location(text: str) -> str:
    if text.startswith(("http://", "https://")):
        raise Refused(f"invalid location '{text}': URI schemes are not supported")
    return text.rstrip("/")
