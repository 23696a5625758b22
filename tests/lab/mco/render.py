# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""registries.conf and policy.json as the machine-config operator of a release writes them, byte for byte.

Mirror objects are plain Kubernetes documents. What the operator refuses raises Refused with the operator's words.
"""

from __future__ import annotations

import json
import re
from collections import deque
from dataclasses import dataclass, field, replace
from itertools import pairwise

from .releases import Release

SEARCH_REGISTRIES = ("registry.access.redhat.com", "docker.io")
TEMPLATE_REGISTRIES_CONF = "unqualified-search-registries = ['registry.access.redhat.com', 'docker.io']\n"
TEMPLATE_POLICY = {
    "default": [{"type": "insecureAcceptAnything"}],
    "transports": {"docker-daemon": {"": [{"type": "insecureAcceptAnything"}]}},
}

DIGEST_ONLY, TAG_ONLY = "digest-only", "tag-only"
NEVER, ALLOWED = "NeverContactSource", "AllowContactingSource"

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_REPOSITORY = rf"{_LABEL}(?:\.{_LABEL})*(?::[0-9]+)?(?:/[a-z0-9]+(?:(?:[._]|__|-*)[a-z0-9]+)*)*"
_MIRROR = re.compile(_REPOSITORY)
_SOURCE = re.compile(rf"\*(?:\.{_LABEL})+|{_REPOSITORY}")


class Refused(Exception):
    """The operator logs this sentence and keeps the configuration it had."""


@dataclass(frozen=True)
class Mirror:
    """`mode` is digest-only or tag-only."""

    location: str
    mode: str
    insecure: bool = False


@dataclass
class Registry:
    """One [[registry]] table. `scope` is a host, namespace or repository, or "*.domain"."""

    scope: str
    wildcard: bool
    insecure: bool = False
    blocked: bool = False
    mirrors: list[Mirror] = field(default_factory=list)


@dataclass(frozen=True)
class MirrorRule:
    """One source with its mirrors, as one entry of a mirror object says it."""

    source: str
    mirrors: tuple[str, ...]
    policy: str = ALLOWED


@dataclass(frozen=True)
class MirrorObjects:
    """Every mirror object of the cluster, by kind."""

    icsp: tuple[dict, ...] = ()
    idms: tuple[dict, ...] = ()
    itms: tuple[dict, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.icsp or self.idms or self.itms)

    @property
    def by_digest(self) -> list[MirrorRule]:
        return _rules(self.idms, "imageDigestMirrors") + _rules(self.icsp, "repositoryDigestMirrors")

    @property
    def by_tag(self) -> list[MirrorRule]:
        return _rules(self.itms, "imageTagMirrors")


def _rules(objects, key: str) -> list[MirrorRule]:
    return [
        MirrorRule(
            entry["source"], tuple(entry.get("mirrors") or ()), entry.get("mirrorSourcePolicy") or ALLOWED
        )
        for obj in objects
        for entry in obj.get("spec", {}).get(key) or ()
    ]


def registries_conf(release: Release, objects: MirrorObjects, insecure=(), blocked=()) -> str:
    """The file's text once anything is configured; while nothing is, the template's text stands."""
    check_scopes(release, insecure, "insecure")
    check_scopes(release, blocked, "blocked")
    _check_rules(release, objects)
    if release.refuses_mixed_kinds and objects.icsp and (objects.idms or objects.itms):
        other = "imagedigestmirrorset" if objects.idms else "imagetagmirrorset"
        raise Refused(f"error: both imagecontentsourcepolicy and {other} exist")
    return text(release, effective_registries(release, objects, insecure, blocked))


def check_scopes(release: Release, scopes, purpose: str) -> None:
    """Refuse a scope that is empty or has its wildcard anywhere but in front."""
    if not release.knows_wildcards:
        return
    for scope in scopes:
        wild = "*" in scope
        if not scope or (wild and not (scope.startswith("*.") and not set("/@:*") & set(scope[2:]))):
            raise Refused(f"invalid entry for {purpose} registries {json.dumps(scope)}")


def _check_rules(release: Release, objects: MirrorObjects) -> None:
    policies: dict[str, str] = {}
    for rule in objects.by_digest + objects.by_tag:
        source = json.dumps(rule.source)
        _check_name(release, rule.source, "source", _SOURCE)
        if policies.setdefault(rule.source, rule.policy) != rule.policy:
            raise Refused(
                f"conflicting mirrorSourcePolicy is set for the same source {source} in {release.conflict_scope}"
            )
        for mirror in rule.mirrors:
            _check_name(release, mirror, "mirror", _MIRROR)
            if rule.policy == NEVER and mirror == rule.source:
                raise Refused(
                    f"cannot set mirrorSourcePolicy: NeverContactSource if the source {source} is one of the mirrors"
                )


def _check_name(release: Release, name: str, role: str, pattern: re.Pattern) -> None:
    if release.checks_mirror_format and not pattern.fullmatch(name):
        raise Refused(f"invalid format for {role} {json.dumps(name)}")
    if release.refuses_wildcard_sources and not name:
        raise Refused(f"invalid empty entry for {role} configuration")
    if release.refuses_wildcard_sources and "*" in name:
        raise Refused(f"wildcard entries are not supported with mirror configuration {json.dumps(name)}")


def effective_registries(release: Release, objects: MirrorObjects, insecure=(), blocked=()) -> list[Registry]:
    """The [[registry]] tables in the file's order: mirrored sources, then blocked scopes, then insecure ones."""
    tables = _Tables(release)
    mirrored = []
    for mode, rules in ((DIGEST_ONLY, objects.by_digest), (TAG_ONLY, objects.by_tag)):
        for rule in merged(rules):
            registry = tables[rule.source]
            registry.blocked = registry.blocked or rule.policy == NEVER
            registry.mirrors += [Mirror(location, mode) for location in rule.mirrors]
            mirrored.append(registry)
    # Blocked scopes get their tables first, so that an insecure scope around one of them reaches it too.
    for scope in blocked if release.knows_wildcards else ():
        tables[scope]
    for scope in insecure:
        tables[scope].insecure = True
        for registry in tables:
            registry.insecure = registry.insecure or nested(release, registry.scope, scope)
            registry.mirrors = [
                replace(mirror, insecure=True) if nested(release, mirror.location, scope) else mirror
                for mirror in registry.mirrors
            ]
    for scope in blocked:
        tables[scope].blocked = True
        for registry in tables:
            registry.blocked = registry.blocked or nested(release, registry.scope, scope)
    if release.nested_scopes_inherit_mirrors:
        for outer in mirrored:
            _bequeath(release, outer, tables)
    return list(tables)


class _Tables:
    """The tables by scope, in order of their first mention."""

    def __init__(self, release: Release) -> None:
        self._release = release
        self._by_scope: dict[str, Registry] = {}

    def __getitem__(self, scope: str) -> Registry:
        if scope not in self._by_scope:
            wildcard = self._release.knows_wildcards and scope.startswith("*.")
            self._by_scope[scope] = Registry(scope, wildcard)
        return self._by_scope[scope]

    def __iter__(self):
        return iter(self._by_scope.values())


def _bequeath(release: Release, outer: Registry, tables: _Tables) -> None:
    """Only the most precise table counts in a pull: one without mirrors inside a mirrored scope gets that scope's."""
    for inner in tables:
        if inner is outer or inner.mirrors or not nested(release, inner.scope, outer.scope):
            continue
        if outer.wildcard:
            raise Refused(
                f'internal error: mirrorsAdjustedForNestedScope for a wildcard scope "{outer.scope}"'
            )
        below = inner.scope[len(outer.scope) :]
        inner.mirrors = [replace(mirror, location=mirror.location + below) for mirror in outer.mirrors]


def nested(release: Release, inner: str, outer: str) -> bool:
    """Whether one scope is the other or lies inside it."""
    if inner == outer or inner.startswith(outer + "/"):
        return True
    if not (release.knows_wildcards and outer.startswith("*.")):
        return False
    host, _port, _rest = inner.partition(":")
    if not _port:
        host = inner.partition("/")[0]
    return host.endswith(outer[1:]) and "/" not in host


def merged(rules: list[MirrorRule]) -> list[MirrorRule]:
    """One rule a source, sources in ascending order; a rule without a real mirror is dropped with its policy."""
    by_source: dict[str, list[MirrorRule]] = {}
    for rule in rules:
        if any(mirror != rule.source for mirror in rule.mirrors):
            by_source.setdefault(rule.source, []).append(rule)
    result = []
    for source in sorted(by_source):
        group = by_source[source]
        mirrors = preference(source, [rule.mirrors for rule in group])
        policy = NEVER if any(rule.policy == NEVER for rule in group) else ALLOWED
        result.append(MirrorRule(source, tuple(mirrors), policy))
    return result


def preference(source: str, lists: list[tuple[str, ...]]) -> list[str]:
    """One order that respects all lists where it can, by topological sort; ties and loops go by the alphabet.

    The source counts as the last element of every list that does not name it, and is left out at the very end,
    because it is tried last anyway.
    """
    after: dict[str, set[str]] = {}
    before: dict[str, set[str]] = {}
    for mirrors in lists:
        chain = list(mirrors) if source in mirrors else [*mirrors, source]
        for left, right in pairwise(chain):
            for name in (left, right):
                after.setdefault(name, set())
                before.setdefault(name, set())
            after[left].add(right)
            before[right].add(left)
    order: list[str] = []
    leftover = deque(sorted(after))
    ready = deque(name for name in leftover if not before[name])
    while ready or leftover:
        name = ready.popleft() if ready else leftover.popleft()
        if name in order:
            continue
        order.append(name)
        for following in sorted(after[name]):
            before[following].discard(name)
            if not before[following] and following not in order:
                ready.append(following)
    return order[:-1] if order[-1] == source else order


def text(release: Release, registries: list[Registry]) -> str:
    """The tables as the operator's TOML encoder writes them."""
    lines = [f"unqualified-search-registries = [{', '.join(_quoted(name) for name in SEARCH_REGISTRIES)}]"]
    lines += [f'{key} = ""' for key in release.empty_header_keys]
    for registry in registries:
        lines += ["", "[[registry]]", f"  prefix = {_quoted(registry.scope if registry.wildcard else '')}"]
        if not registry.wildcard:
            lines.append(f"  location = {_quoted(registry.scope)}")
        lines += ["  insecure = true"] * registry.insecure + ["  blocked = true"] * registry.blocked
        if registry.mirrors and not release.marks_each_mirror:
            lines.append("  mirror-by-digest-only = true")
        for mirror in registry.mirrors:
            lines += ["", "  [[registry.mirror]]", f"    location = {_quoted(mirror.location)}"]
            lines += ["    insecure = true"] * mirror.insecure
            if release.marks_each_mirror:
                lines.append(f"    pull-from-mirror = {_quoted(mirror.mode)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def search_registries_conf(release: Release, registries) -> str:
    """The drop-in file for image.config's containerRuntimeSearchRegistries."""
    lines = [f"unqualified-search-registries = [{', '.join(_quoted(name) for name in registries)}]"]
    return "\n".join(lines + [f'{key} = ""' for key in release.empty_header_keys]) + "\n"


@dataclass(frozen=True)
class Restrictions:
    """What image.config's registrySources come to once the payload's own repository is spared."""

    registries_blocked: tuple[str, ...] = ()
    policy_blocked: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    spared: tuple[str, ...] = ()


def restrictions(release: Release, sources: dict, objects: MirrorObjects, payload: str) -> Restrictions:
    """Which scopes are really blocked and allowed; `payload` is the repository that the release image comes from.

    A scope around the payload is blocked only where the payload can still be pulled from a mirror that is not blocked
    itself, and then the payload stays allowed by name.
    """
    blocked = tuple(sources.get("blockedRegistries") or ())
    if not release.blocks_by_scope:
        kept = tuple(scope for scope in blocked if scope != payload.partition("/")[0])
        spared = tuple(scope for scope in blocked if scope not in kept)
        return Restrictions(kept, kept, tuple(sources.get("allowedRegistries") or ()), spared)
    registries, policy, allowed, spared = [], [], [], []
    for scope in blocked:
        if not nested(release, payload, scope):
            registries.append(scope)
            policy.append(scope)
        elif _has_open_mirror(release, payload, objects, blocked):
            registries.append(scope)
            policy += [scope] if scope != payload else []
            allowed.append(payload)
        else:
            spared.append(scope)
    allowed += sources.get("allowedRegistries") or ()
    return Restrictions(tuple(registries), tuple(policy), tuple(allowed), tuple(spared))


def _has_open_mirror(
    release: Release, payload: str, objects: MirrorObjects, blocked: tuple[str, ...]
) -> bool:
    by_digest = MirrorObjects(icsp=objects.icsp, idms=objects.idms)
    around = [r for r in effective_registries(release, by_digest) if nested(release, payload, r.scope)]
    if not around:
        return False
    closest = max(around, key=lambda registry: len(registry.scope))
    locations = [mirror.location + payload[len(closest.scope) :] for mirror in closest.mirrors]
    return any(not any(nested(release, location, scope) for scope in blocked) for location in locations)


def policy_json(release: Release, blocked, allowed, payload: str, signed: dict[str, list[dict]] | None = None) -> str:
    """policy.json for blocked or allowed scopes; both at once are refused, but for the payload being let through.

    `signed` are the scopes whose images have to be signed, with what is demanded of them.
    """
    if allowed and blocked and list(allowed) != [payload]:
        raise Refused(
            "invalid images config: only one of AllowedRegistries or BlockedRegistries may be specified"
        )
    check_scopes(release, blocked, "blocked")
    check_scopes(release, allowed, "allowed")
    default = [{"type": "reject"}] if allowed and not blocked else [{"type": "insecureAcceptAnything"}]
    scopes = {scope: [{"type": "insecureAcceptAnything"}] for scope in allowed}
    scopes |= {scope: [{"type": "reject"}] for scope in blocked}
    scopes |= signed or {}
    atomic = {
        scope: rule for scope, rule in scopes.items() if not release.shortens_atomic or scope.count("/") < 3
    }
    transports = {"atomic": atomic, "docker": scopes, **TEMPLATE_POLICY["transports"]}
    document = {"default": default, "transports": transports if scopes else TEMPLATE_POLICY["transports"]}
    if release.indents_policy:
        return json.dumps(document, indent=2, sort_keys=True)
    return json.dumps(document, separators=(",", ":"), sort_keys=True)
