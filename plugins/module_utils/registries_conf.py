# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/etc/containers/registries.conf as the nodes' container engine reads it: containers/image, package
sysregistriesv2.

The text differs between OpenShift's releases and between "never configured" and "configured and cleaned up
again", so it is never compared as text: `parse` gives its meaning, `compare` says how two meanings differ,
`pull_sources` where an image would be pulled from.
"""
from __future__ import annotations

import dataclasses
import functools
import re

from . import image_ref
from .errors import InvalidInput

try:
    import tomllib
except ImportError:  # Python before 3.11
    try:
        import tomli as tomllib
    except ImportError:
        tomllib = None

ALL = "all"
DIGEST_ONLY = "digest-only"
TAG_ONLY = "tag-only"
SHORT_NAME_MODES = ("disabled", "enforcing", "permissive")
INT64 = range(-2 ** 63, 2 ** 63)

_BOUNDARY = re.compile("[:/@]")


@dataclasses.dataclass(frozen=True)
class Mirror:
    """One [[registry.mirror]]. `pull_from_mirror` is what holds in the end: all, digest-only or tag-only."""

    location: str
    insecure: bool = False
    pull_from_mirror: str = ALL


@dataclasses.dataclass(frozen=True)
class Registry:
    """One [[registry]]: what applies to every image whose name begins with `prefix` (or is below *.domain).

    `location` is "" only where the prefix is a wildcard. `mirror_by_digest_only` is the older spelling of
    digest-only on every mirror; the mirrors here carry it as well.
    """

    prefix: str
    location: str = ""
    insecure: bool = False
    blocked: bool = False
    mirror_by_digest_only: bool = False
    mirrors: tuple = ()


@dataclasses.dataclass(frozen=True)
class Configuration:
    """A whole document. `registries` are ordered by prefix, each prefix once, as containers/image keeps
    them."""

    registries: list
    unqualified_search_registries: list = dataclasses.field(default_factory=list)
    short_name_mode: str = "permissive"
    credential_helpers: list = dataclasses.field(default_factory=list)
    aliases: dict = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def by_name(self):
        """{prefix: Registry} of those whose prefix is a name."""
        return {registry.prefix: registry for registry in self.registries if not registry.prefix.startswith("*.")}

    @functools.cached_property
    def wildcards(self):
        """The Registries whose prefix is *.domain."""
        return [registry for registry in self.registries if registry.prefix.startswith("*.")]


@dataclasses.dataclass(frozen=True)
class PullSource:
    """One attempt of a pull: the name that is asked for, and whether TLS is unverified, it is a mirror, it is
    blocked."""

    reference: str
    insecure: bool
    mirror: bool
    blocked: bool


@dataclasses.dataclass(frozen=True)
class Difference:
    """`missing` and `unexpected` are sentences, one a registry; a registry that differs is in both."""

    missing: list
    unexpected: list

    @property
    def matches(self):
        return not self.missing and not self.unexpected


def parse(text):
    """The Configuration that a registries.conf says, in its current format or the old one ([registries.search]).

    Raises InvalidInput for whatever containers/image refuses: the engine then fails every pull on that node.
    Refused here alone are: what TOML forbids and the engine lets pass, such as a list of texts or a table that is given
    twice; a key in two spellings (location and Location), of which the engine takes either; a date in the year 0.
    """
    document = _toml(text)
    older = _Table(document, "registries.conf").table("registries")
    search, insecure, blocked = (
        older.table(name).strings("registries") for name in ("search", "insecure", "block"))
    table = _Table(document, "registries.conf")
    raw = table.tables("registry")
    registries = [_registry(entry) for entry in raw or ()]
    unqualified = table.strings("unqualified-search-registries")
    helpers = table.strings("credential-helpers")
    mode = table.string("short-name-mode")
    layer_store = table.string("additional-layer-store-auth-helper")
    aliases = table.mapping("aliases")
    if any(names is not None for names in (search, insecure, blocked)):
        if mode or layer_store or any(value is not None for value in (raw, unqualified, helpers, aliases)):
            raise InvalidInput("registries.conf mixes the old format ([registries.search]) with the current one.")
        registries, unqualified = _from_older_format(insecure or (), blocked or ()), search
    if mode and mode not in SHORT_NAME_MODES:
        raise InvalidInput("registries.conf: short-name-mode is %r, not one of %s."
                           % (mode, ", ".join(SHORT_NAME_MODES)))
    return Configuration(
        registries=settle(registries),
        unqualified_search_registries=[_search_registry(name) for name in unqualified or ()],
        short_name_mode=mode or "permissive",
        credential_helpers=helpers or ["containers-auth.json"],
        aliases={name: _alias(name, value) for name, value in (aliases or {}).items()},
    )


def settle(registries):
    """Registries as the engine keeps them: defaults applied, checked, each prefix once (the first wins), by
    prefix.

    Takes Registry objects as they are written (prefix "" where none is, pull_from_mirror "" likewise).
    Raises InvalidInput for combinations that containers/image refuses.
    """
    settled = [_settled(registry) for registry in registries]
    first = {}
    for registry in settled:
        other = first.setdefault(registry.location or registry.prefix, registry)
        for setting in ("insecure", "blocked"):
            if getattr(other, setting) != getattr(registry, setting):
                raise InvalidInput("registries.conf names the registry %r more than once, and only once as %s."
                                   % (registry.location or registry.prefix, setting))
    unique = {}
    for registry in settled:
        unique.setdefault(registry.prefix, registry)
    for prefix in unique:
        if prefix.startswith("*.") and any(character in prefix for character in "/@:"):
            raise InvalidInput("registries.conf: the prefix %r is neither a name nor *.domain." % prefix)
    return [unique[prefix] for prefix in sorted(unique)]


def find_registry(conf, name):
    """The Registry with the longest prefix that fits `name` (registry/path, no tag or digest), or None.

    Of a wildcard and a name that are equally long the wildcard counts.
    """
    plain = next((conf.by_name[start] for start in _beginnings(name) if start in conf.by_name), None)
    wildcards = [registry for registry in conf.wildcards if _matched(name, registry.prefix) is not None]
    return max(wildcards + [plain] * (plain is not None), key=lambda registry: len(registry.prefix), default=None)


def pull_sources(conf, reference):
    """Where the engine tries to pull `reference` (text or ImageRef) from: [PullSource], in the order of the
    attempts.

    Mirrors come first, those that are meant for this kind of reference: one with a digest (with or without a
    tag) skips tag-only mirrors, any other skips digest-only ones. The source is always the last. Each
    `reference` is the whole name that is asked for, tag and digest kept as they were given; `insecure` is
    that endpoint's own setting; `blocked` is looked up by the endpoint's own name, so that the mirrors of a
    blocked source work and a mirror below a blocked registry does not.

    An unqualified reference is read by docker's rules (`busybox` is docker.io/library/busybox); `candidates`
    says under which names a node would look for it. Raises InvalidInput for a bad reference, and where a
    mirror's location makes one: the engine then fails the whole pull.
    """
    image = image_ref.parse(reference) if isinstance(reference, str) else reference
    registry = find_registry(conf, image.repository)
    if registry is None:
        return [PullSource(str(image), insecure=False, mirror=False, blocked=False)]
    wanted = (ALL, DIGEST_ONLY) if image.digest else (ALL, TAG_ONLY)
    endpoints = [(mirror, True) for mirror in registry.mirrors if mirror.pull_from_mirror in wanted]
    endpoints.append((registry, False))
    sources = []
    for endpoint, is_mirror in endpoints:
        target = _rewritten(image, registry.prefix, endpoint.location)
        owner = find_registry(conf, target.repository)
        blocked = owner is not None and owner.blocked
        sources.append(PullSource(str(target), endpoint.insecure, is_mirror, blocked))
    return sources


def candidates(conf, reference):
    """The fully qualified references (text) that an engine without a terminal tries for `reference`, in
    order.

    One for a name with a registry; for a short name its alias or one for each unqualified-search registry. A
    name without tag and digest gets the tag `latest`. Raises InvalidInput if nothing is tried.
    """
    try:
        domain, path, tag, digest = image_ref.split(reference)
    except InvalidInput as error:
        raise InvalidInput("%r is not an image reference: %s"
                           % (image_ref.without_userinfo(reference), error.message))
    name = domain + "/" + path if domain else path
    if image_ref.names_registry(domain):
        found = [image_ref.parse(reference)]
    elif conf.aliases.get(name):
        found = [dataclasses.replace(image_ref.parse(conf.aliases[name]), tag=tag, digest=digest)]
    else:
        found = [image_ref.parse(registry + "/" + reference) for registry in conf.unqualified_search_registries]
        if not found:
            raise InvalidInput("The short name %r has no alias, and no registries to search are configured."
                               % reference)
        if len(found) > 1 and conf.short_name_mode == "enforcing":
            raise InvalidInput("The short name %r is ambiguous, which short-name-mode `enforcing` refuses." % reference)
    return [str(image if image.tag or image.digest else image.with_tag("latest")) for image in found]


def compare(expected, actual):
    """Difference between two lists of Registry by what they do to pulls.

    The order of mirrors counts, that of registries does not; mirror-by-digest-only equals digest-only on each
    mirror.
    """
    wanted = {registry.prefix: _meaning(registry) for registry in expected}
    found = {registry.prefix: _meaning(registry) for registry in actual}
    return Difference(
        missing=[describe(r) for r in expected if found.get(r.prefix) != wanted[r.prefix]],
        unexpected=[describe(r) for r in actual if wanted.get(r.prefix) != found[r.prefix]],
    )


def describe(registry):
    """One Registry as a sentence: what is pulled from where, in order."""
    when = {ALL: "", DIGEST_ONLY: " by digest", TAG_ONLY: " by tag"}
    steps = [mirror.location + when[mirror.pull_from_mirror] + (", unverified" if mirror.insecure else "")
             for mirror in registry.mirrors]
    if registry.blocked:
        return registry.prefix + (" is pulled from %s alone" % ", then ".join(steps) if steps else " is blocked")
    steps.append((registry.location or "the source itself") + (", unverified" if registry.insecure else ""))
    return "%s is pulled from %s" % (registry.prefix, ", then ".join(steps))


def as_dict(registry):
    """One Registry as plain data for a module's result, in the words of the file."""
    return dict(dataclasses.asdict(registry), mirrors=[dataclasses.asdict(mirror) for mirror in registry.mirrors])


def _toml(text):
    """The document as plain data; raises InvalidInput where the engine's TOML decoder would."""
    if tomllib is None:
        raise InvalidInput("Reading registries.conf needs Python 3.11 or the package tomli: install python3-tomli, or "
                           "run this with a newer ansible_python_interpreter.")
    try:
        document = tomllib.loads(text[1:] if text.startswith("\ufeff") else text, parse_float=_float)
        _check_integers(document)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("registries.conf is not valid TOML: %s" % error)
    return document


def _float(text):
    """Infinite only if written so: the engine refuses a number that does not fit."""
    number = float(text)
    if number in (float("inf"), float("-inf")) and not text.endswith("inf"):
        raise ValueError("%s is out of range" % text)
    return number


def _check_integers(value):
    """Refuses integers of more than 64 bits anywhere, as the engine's decoder does."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            _check_integers(item)
    elif isinstance(value, int) and not isinstance(value, bool) and value not in INT64:
        raise ValueError("%d is out of range" % value)


class _Table:
    """A TOML table read by type. Keys are also found in another case, as the engine's decoder finds them.

    A method gives None (an empty _Table from `table`) for a key that is not there and raises InvalidInput for
    a value of another type, and for a key in two spellings.
    """

    def __init__(self, values, name):
        self.values, self.name, self.spellings = values, name, {}
        for key in values:
            folded = key.casefold()
            if len(folded) == len(key):  # a sign that becomes two letters is no other case of them to the engine
                self.spellings.setdefault(folded, []).append(key)

    def _get(self, key, kind, words):
        spellings = self.spellings.get(key, [key])
        if len(spellings) > 1:
            raise InvalidInput("%s: %s is written in more than one way (%s), of which the engine takes one at random: "
                               "keep one." % (self.name, key, ", ".join(spellings)))
        value = self.values.get(spellings[0])
        if value is not None and not isinstance(value, kind):
            raise InvalidInput("%s: %s must be %s." % (self.name, key, words))
        return value

    def _of(self, key, kind, words, items):
        value = self._get(key, kind, words)
        each = value.values() if kind is dict else value
        if value is not None and not all(isinstance(item, items) for item in each):
            raise InvalidInput("%s: %s must be %s." % (self.name, key, words))
        return value

    def string(self, key):
        return self._get(key, str, "text in quotes")

    def boolean(self, key):
        return self._get(key, bool, "true or false")

    def strings(self, key):
        return self._of(key, list, "a list of texts in quotes", str)

    def mapping(self, key):
        """As the engine's decoder does it, this one ignores a value that is no table at all."""
        if not isinstance(self._get(key, object, ""), dict):
            return None
        return self._of(key, dict, "a table of texts in quotes", str)

    def table(self, key):
        return _Table(self._get(key, dict, "a table") or {}, key)

    def tables(self, key):
        written = key if self.name == "registries.conf" else "%s.%s" % (self.name, key)
        values = self._of(key, list, "a list of tables, written as [[%s]]" % written, dict)
        return None if values is None else [_Table(value, key) for value in values]


def _registry(table):
    """A Registry as it is written in its table; `settle` applies the defaults."""
    if table.string("pull-from-mirror"):
        raise InvalidInput("registries.conf sets pull-from-mirror on a [[registry]]; only a [[registry.mirror]] takes "
                           "it.")
    return Registry(
        prefix=table.string("prefix") or "",
        location=table.string("location") or "",
        insecure=table.boolean("insecure") or False,
        blocked=table.boolean("blocked") or False,
        mirror_by_digest_only=table.boolean("mirror-by-digest-only") or False,
        mirrors=tuple(
            Mirror(mirror.string("location") or "", mirror.boolean("insecure") or False,
                   mirror.string("pull-from-mirror") or "")
            for mirror in table.tables("mirror") or ()),
    )


def _from_older_format(insecure, blocked):
    """The same as current entries: each registry that is blocked or insecure, once."""
    insecure, blocked = [_location(name) for name in insecure], [_location(name) for name in blocked]
    names = dict.fromkeys(blocked + insecure)
    return [Registry(name, name, insecure=name in insecure, blocked=name in blocked) for name in names]


def _settled(registry):
    """One Registry with its defaults applied; raises InvalidInput if it cannot stand by itself."""
    location, prefix = _location(registry.location), _location(registry.prefix)
    if not registry.prefix:
        prefix = location
        if not location:
            raise InvalidInput("registries.conf has a [[registry]] with neither location nor prefix.")
    elif not location and not prefix.startswith("*."):
        raise InvalidInput("registries.conf: the registry with prefix %r needs a location." % registry.prefix)
    return dataclasses.replace(
        registry, prefix=prefix, location=location,
        mirrors=tuple(_settled_mirror(mirror, prefix, registry.mirror_by_digest_only)
                      for mirror in registry.mirrors))


def _settled_mirror(mirror, prefix, by_digest_only):
    """One Mirror with its defaults applied; raises InvalidInput for what a mirror cannot be."""
    location = _location(mirror.location)
    if not location:
        raise InvalidInput("registries.conf: a mirror of %r has no location." % prefix)
    if by_digest_only and mirror.pull_from_mirror:
        raise InvalidInput("registries.conf sets both mirror-by-digest-only on %r and pull-from-mirror on its mirror "
                           "%r." % (prefix, location))
    if mirror.pull_from_mirror not in ("", ALL, DIGEST_ONLY, TAG_ONLY):
        raise InvalidInput("registries.conf: pull-from-mirror of the mirror %r is %r, not one of %s, %s, %s."
                           % (location, mirror.pull_from_mirror, ALL, DIGEST_ONLY, TAG_ONLY))
    default = DIGEST_ONLY if by_digest_only else ALL
    return dataclasses.replace(mirror, location=location, pull_from_mirror=mirror.pull_from_mirror or default)


def _location(text):
    """`text` without trailing slashes; raises InvalidInput if it has a scheme."""
    trimmed = text.rstrip("/")
    if trimmed.startswith(("http://", "https://")):
        raise InvalidInput("registries.conf: %r has a scheme; registries are named by host[:port][/path] alone."
                           % image_ref.without_userinfo(text))
    return trimmed


def _search_registry(name):
    name = _location(name)
    if not image_ref.is_registry(name):
        raise InvalidInput("registries.conf: %r in unqualified-search-registries is not host[:port]." % name)
    return name


def _alias(name, value):
    """`value`, the full name that a short name stands for, in docker's normal form; "" takes an alias
    back."""
    domain, _path, tag, digest = _split_alias(name)
    if tag or digest or image_ref.names_registry(domain):
        raise InvalidInput("registries.conf: the alias %r is not a short name without tag and digest." % name)
    if not value:
        return ""
    domain, _path, tag, digest = _split_alias(value)
    if tag or digest or not image_ref.names_registry(domain):
        raise InvalidInput("registries.conf: the alias %r must stand for registry/path without tag and digest." % name)
    return str(image_ref.parse(value))


def _split_alias(text):
    try:
        return image_ref.split(text)
    except InvalidInput as error:
        raise InvalidInput("registries.conf: %r in aliases is not a name: %s" % (text, error.message))


def _beginnings(name):
    """What a prefix of `name` can be, the longest first: it ends where a host, a path component or the name does."""
    yield name
    for boundary in reversed(list(_BOUNDARY.finditer(name))):
        yield name[:boundary.start()]


def _matched(name, prefix):
    """How many characters of `name` the prefix covers, or None. Behind them ends a host, a path or the
    name."""
    if prefix.startswith("*."):
        at = name.find(prefix[1:])
        if at < 0 or "/" in name[:at]:
            return None
        length = at + len(prefix) - 1
    elif name.startswith(prefix):
        length = len(prefix)
    else:
        return None
    return length if length == len(name) or name[length] in ":/@" else None


def _rewritten(image, prefix, location):
    """The ImageRef with `location` in place of what `prefix` covers; raises InvalidInput if that is no full
    name."""
    if not location:
        return image
    text = str(image)
    target = location + text[_matched(text, prefix):]
    try:
        parsed = image_ref.parse(target)
    except InvalidInput as error:
        raise InvalidInput("%s cannot be pulled through %s: %s" % (image, location, error.message))
    if str(parsed) != target:
        raise InvalidInput("%s cannot be pulled through %s: %s is not a full name with a registry that has a dot or a "
                           "port." % (image, location, target))
    return parsed


def _meaning(registry):
    """What compares equal if and only if pulls behave the same."""
    return registry.location, registry.insecure, registry.blocked, registry.mirrors
