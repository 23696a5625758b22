# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registry credentials as OpenShift's pull secret, `oc` and CRI-O keep them: {"auths": {registry: {"auth":
base64}}}.

A document is a dict as `parse` gives it. No message here ever holds more of an entry than its name.
"""
from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re

from . import image_ref
from .errors import InvalidInput

CLUSTER_IDENTITY = "cloud.openshift.com"
DOCKER_HUB = ("docker.io", "registry-1.docker.io", "index.docker.io")
SCHEMES = ("http://", "https://")
PUBLIC_FIELDS = ("email", "username")

_BASE64 = re.compile("(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_KEY = re.compile(image_ref.REGISTRY + "(?:/" + image_ref.PATH + ")?")


@dataclasses.dataclass(frozen=True)
class Changes:
    """Names of entries, sorted, that differ between two documents, and what a person should be told."""

    added: list
    replaced: list
    removed: list
    warnings: list = dataclasses.field(default_factory=list)

    def __bool__(self):
        return bool(self.added or self.replaced or self.removed)


class Number(float):
    """A JSON number that a Python float would write differently; `dump` writes it as it was read."""

    def __new__(cls, text):
        number = super().__new__(cls, text)
        number.text = text
        return number


def parse(text):
    """The document that `text` holds.

    Raises InvalidInput if it is no JSON object with `auths`, names anything twice, or has an entry that would
    make the kubelet or `oc` reject the whole document.
    """
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_float=_number, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise InvalidInput("The pull secret is not valid JSON: %s at line %d, column %d." % (
            error.msg, error.lineno, error.colno))
    except RecursionError:
        raise InvalidInput("The pull secret is not usable JSON: it is nested too deeply.")
    except ValueError:
        raise InvalidInput("The pull secret is not usable JSON: it holds a number that cannot be.")
    if not isinstance(document, dict) or not isinstance(document.get("auths"), dict):
        raise InvalidInput('The pull secret has no "auths": expected is {"auths": {"<registry>": {"auth": '
                           '"<base64>"}}}.')
    refused = [why for key, value in document["auths"].items() for why in _refusals(key, value)]
    if refused:
        raise InvalidInput(" ".join(refused))
    return document


def dump(document):
    """The document as compact JSON in ASCII, keys in their order, numbers as they were read."""
    if isinstance(document, dict):
        return "{%s}" % ",".join(json.dumps(key) + ":" + dump(value) for key, value in document.items())
    if isinstance(document, (list, tuple)):
        return "[%s]" % ",".join(dump(value) for value in document)
    return document.text if isinstance(document, Number) else json.dumps(document)


def find_key(document, reference):
    """The key of `auths` whose credentials containers/image sends for an image reference (text or ImageRef),
    or None.

    Looked up are the name of the repository and, a path component at a time, what is above it down to
    host[:port], each letter by letter; then keys with a scheme and docker.io's other names. The first key
    that exists ends the search: None is also the answer if that entry holds no credentials.

    Raises InvalidInput for a bad reference, a document whose types are wrong, base64 that containers/image
    refuses, or a credential helper for that registry.
    """
    found = _lookup(document, reference)
    return found[0] if found else None


def credentials(document, reference):
    """(username, password) under `find_key`, or None. Bytes that are not UTF-8 survive as surrogate
    escapes."""
    found = _lookup(document, reference)
    return found[1:] if found else None


def normalise_key(key):
    """(`key` as a key of `auths` that is found, [what was changed and why]).

    Scheme, trailing slashes and upper case in the host are corrected; the port never is, since host and
    host:443 are two keys. Raises InvalidInput for what is no host[:port][/path].
    """
    if not isinstance(key, str) or not key.strip():
        raise InvalidInput("The registry of an entry is empty: give host[:port] or host[:port]/path.")
    shown = image_ref.without_userinfo(key)
    better, warnings = key.strip(), []
    scheme = next((s for s in SCHEMES if better.lower().startswith(s)), None)
    if scheme:
        better = better[len(scheme):].partition("/")[0]
        warnings.append("The registry %r is written with a scheme; %r is used." % (shown, better))
    if better != better.rstrip("/"):
        better = better.rstrip("/")
        warnings.append("The registry %r ends with a slash, and CRI-O and oc would never find it; %r is used."
                        % (shown, better))
    host, slash, path = better.partition("/")
    if host != host.lower():
        better = host.lower() + slash + path
        warnings.append("The host of the registry %r has upper-case letters, but keys are compared letter by letter; "
                        "%r is used." % (shown, better))
    if not _KEY.fullmatch(better):
        raise InvalidInput("The registry %r is not host[:port] or host[:port]/path without tag and digest." % shown)
    return better, warnings


def entry(username, password):
    """The entry for a user's credentials. Raises InvalidInput for a user name that the format cannot hold."""
    if not username:
        raise InvalidInput("An entry needs a user name.")
    if ":" in username:
        raise InvalidInput("A user name cannot contain a colon: it ends the user name in an entry.")
    plain = "%s:%s" % (username, password)
    return {"auth": base64.b64encode(plain.encode("utf-8", "surrogateescape")).decode("ascii")}


def merge(document, entries):
    """(the document with `entries`, {key: entry}, put into its `auths`, Changes).

    An entry is replaced whole, so that no token of an earlier login stays beside new credentials; one that
    already says the same is left alone. Everything else is kept as it is.
    """
    auths, warnings = dict(document["auths"]), []
    for key, value in entries.items():
        key, corrections = normalise_key(key)
        warnings += corrections
        if key not in auths or not _same(auths[key], value):
            auths[key] = value
    return _changed(document, auths, warnings)


def remove(document, keys):
    """(the document without the entries of these keys, Changes). A key that is not there is no change."""
    gone, warnings = set(keys), []
    for key in keys:
        better, corrections = normalise_key(key)
        gone.add(better)
        warnings += corrections
    return _changed(document, {k: v for k, v in document["auths"].items() if k not in gone}, warnings)


def difference(before, after):
    """Changes from one document to another, by their entries."""
    old, new = before["auths"], after["auths"]
    return Changes(
        added=sorted(new.keys() - old.keys()),
        replaced=sorted(key for key in new.keys() & old.keys() if not _same(old[key], new[key])),
        removed=sorted(old.keys() - new.keys()),
    )


def validate(document):
    """[sentences] naming each entry that cannot do its work: unusable, empty, or under a key that is never
    found."""
    problems = []
    for key, value in document["auths"].items():
        refused = _refusals(key, value)
        problems += refused or _shortcomings(key, value)
    return problems


def identity(document):
    """16 hexadecimal digits that tell the pull secrets of one cluster from another's, or None.

    They are taken from a hash of the token for cloud.openshift.com, from which the token cannot be had.
    """
    value = document["auths"].get(CLUSTER_IDENTITY)
    token = value.get("auth") if isinstance(value, dict) else None
    return hashlib.sha256(token.encode("utf-8")).hexdigest()[:16] if token else None


def secrets(document):
    """Every string of a document that must never be shown, also of one that `parse` would refuse entries
    of."""
    found = []
    auths = document.get("auths")
    for value in auths.values() if isinstance(auths, dict) else ():
        for name, text in value.items() if isinstance(value, dict) else ():
            if isinstance(text, str) and name not in PUBLIC_FIELDS:
                found.append(text)
                if name == "auth":
                    found += _parts(text)
    headers = document.get("HttpHeaders")
    found += [text for text in (headers.values() if isinstance(headers, dict) else ()) if isinstance(text, str)]
    return list(dict.fromkeys(text for text in found if text))


def _lookup(document, reference):
    """(key, username, password) as `find_key` describes, or None."""
    image = image_ref.parse(reference) if isinstance(reference, str) else reference
    auths, helpers = _checked(document)
    name = image.repository
    registry = name.partition("/")[0]
    if registry in helpers:
        raise InvalidInput("The pull secret leaves %r to a credential helper (credHelpers), which no node has: put an "
                           "entry with the credentials into auths, and take it out of credHelpers." % registry)
    key = next((k for k in _from_longest(name) if k in auths), None)
    if key is None:
        key = next((k for k in auths if _registry_of(k) == _docker_hub(registry)), None)
    if key is None:
        return None
    fields = auths[key] or {}
    plain = _decoded(_member(fields, "auth") or "")
    if plain is None:
        raise InvalidInput("The pull secret's entry %r holds `auth` that is not base64." % key)
    user, colon, password = plain.partition(b":")
    password = password.strip(b"\0")
    if not colon or not (user or password or _member(fields, "identitytoken")):
        return None
    return key, user.decode("utf-8", "surrogateescape"), password.decode("utf-8", "surrogateescape")


def _checked(document):
    """(auths, credHelpers) of a document as dicts; raises InvalidInput where containers/image cannot decode
    it."""
    if not isinstance(document, (dict, type(None))):
        raise InvalidInput("The pull secret is not a JSON object.")
    return _joined(document or {}, "auths", _check_entry), _joined(document or {}, "credHelpers", _check_helper)


def _check_entry(key, value):
    if not isinstance(value, (dict, type(None))):
        raise InvalidInput("The pull secret's entry %r is not a JSON object." % key)
    for name, field in (value or {}).items():
        if name.casefold() in ("auth", "identitytoken") and not isinstance(field, (str, type(None))):
            raise InvalidInput("The pull secret's entry %r has %s that is not text." % (key, name))


def _check_helper(_key, value):
    if not isinstance(value, (str, type(None))):
        raise InvalidInput("The pull secret's credHelpers must be names.")


def _member(table, name):
    """A text in a JSON object as Go's decoder finds it: in any case, null is nothing, the last one counts."""
    found = None
    for key, value in table.items():
        if value is not None and key.casefold() == name.casefold():
            found = value
    return found


def _joined(table, name, check):
    """An object in a JSON object as Go's decoder finds it: in any case, one written twice is joined, null empties it.
    `check` sees each of its members, also those that another one takes the place of."""
    found = {}
    for key, value in table.items():
        if key.casefold() == name.casefold():
            if not isinstance(value, (dict, type(None))):
                raise InvalidInput("The pull secret's auths and credHelpers must be JSON objects.")
            for member, content in (value or {}).items():
                check(member, content)
            found = {} if value is None else dict(found, **value)
    return found


def _from_longest(name):
    """host/a/b, host/a, host."""
    while name:
        yield name
        name = name.rpartition("/")[0]


def _registry_of(key):
    """The registry that a key stands for when no key is equal to the name: without scheme, docker.io by one
    name."""
    stripped = key
    for scheme in SCHEMES:
        if stripped.startswith(scheme):
            stripped = stripped[len(scheme):]
    if stripped != key:
        stripped = stripped.partition("/")[0]
    return _docker_hub(stripped)


def _docker_hub(registry):
    return "index.docker.io" if registry in DOCKER_HUB else registry


def _refusals(key, value):
    """[sentence] if the entry makes the whole document unusable for the kubelet or `oc`, else []."""
    if not isinstance(value, dict):
        return ["The entry %r is not a JSON object." % key]
    for field in ("auth", "identitytoken"):
        if not isinstance(value.get(field), (str, type(None))):
            return ["The entry %r has %s that is not text." % (key, field)]
    auth = value.get("auth") or ""
    plain = _decoded(auth)
    if plain is None:
        return ["The entry %r holds `auth` that is not base64 with its padding." % key]
    if plain and b":" not in plain:
        return ["The entry %r holds `auth` that is not base64 of user:password: there is no colon." % key]
    return []


def _shortcomings(key, value):
    """[sentences] about an entry that does no harm to the others but is of no use."""
    found = []
    if not _decoded(value.get("auth") or "").replace(b":", b""):
        found.append("The entry %r has no credentials, and hides those of a shorter name." % key)
    try:
        better, _corrections = normalise_key(key)
    except InvalidInput:
        found.append("The entry %r is not host[:port] or host[:port]/path, and is never found." % key)
    else:
        if better != key and not key.startswith(SCHEMES):
            found.append("The entry %r is never found by CRI-O and oc; name it %r." % (key, better))
    return found


def _decoded(auth):
    """The bytes of base64 text as Go decodes it (line breaks are skipped, padding is needed), or None."""
    auth = auth.replace("\r", "").replace("\n", "")
    return base64.b64decode(auth) if _BASE64.fullmatch(auth) else None


def _parts(auth):
    """user:password and the password that an `auth` holds, as far as it holds any."""
    plain = _decoded(auth)
    if not plain:
        return []
    text = plain.decode("utf-8", "surrogateescape")
    return [text, text.partition(":")[2]]


def _same(one, other):
    """True if two entries grant the same; the e-mail address that docker once asked for grants nothing."""
    def essence(value):
        return {k: v for k, v in value.items() if k != "email"} if isinstance(value, dict) else value
    return essence(one) == essence(other)


def _changed(document, auths, warnings):
    new = dict(document, auths=auths)
    return new, dataclasses.replace(difference(document, new), warnings=warnings)


def _object(pairs):
    """A JSON object as a dict; refuses a name that comes twice, since readers disagree on which one
    counts."""
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _value in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InvalidInput("The pull secret names %s more than once in one object." % ", ".join(map(repr, twice)))
    return result


def _number(text):
    return float(text) if repr(float(text)) == text else Number(text)


def _constant(name):
    raise ValueError(name)
