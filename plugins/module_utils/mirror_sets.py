# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ImageContentSourcePolicy, ImageDigestMirrorSet, ImageTagMirrorSet: what they make of a node, and how to
write them.

The merging follows openshift/runtime-utils (pkg/registries) and the checks follow the machine-config operator
(container-runtime-config/helpers.go), each as OpenShift's releases ship them. The operator reports nothing on
an object that it refuses, and stops rendering all mirrors of the cluster because of it; so it is said here,
beforehand.
"""
from __future__ import annotations

import dataclasses
import json
import re

from . import image_ref, registries_conf
from .errors import Conflict, InvalidInput

ICSP, IDMS, ITMS = "ImageContentSourcePolicy", "ImageDigestMirrorSet", "ImageTagMirrorSet"
API_VERSION = {
    ICSP: "operator.openshift.io/v1alpha1",
    IDMS: "config.openshift.io/v1",
    ITMS: "config.openshift.io/v1",
    "Image": "config.openshift.io/v1",
    "ClusterVersion": "config.openshift.io/v1",
}
LIST_FIELD = {ICSP: "repositoryDigestMirrors", IDMS: "imageDigestMirrors", ITMS: "imageTagMirrors"}
ALLOW, NEVER = "AllowContactingSource", "NeverContactSource"
LARGEST_LIST = 250_000  # bytes of JSON; what oc splits at, well below the API's limit of 1 MiB an object

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
_MIRROR = re.compile(image_ref.REGISTRY + "(?:/" + image_ref.PATH + ")?")
_SOURCE = re.compile(r"\*(?:\." + image_ref.LABEL + ")+|" + _MIRROR.pattern)
_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?(?:[-+].*)?")

# The releases (major, minor) from which on the operator does what the name says.
_WILDCARD_SCOPES = (4, 9)
_INHERITED_MIRRORS = (4, 11)
_MIRROR_SETS = (4, 13)
_NAMES_CHECKED = (4, 16)
_GATED_ON_SIGNATURES = (4, 20)
# The first patch releases that merge an ImageContentSourcePolicy with the kinds that followed it.
_FIRST_SAFE_PATCH = {(4, 13): 27, (4, 14): 3}


@dataclasses.dataclass(frozen=True)
class MirrorRule:
    """Where images of `source` are looked for first: `mirrors`, in order, for pulls `by` digest or tag."""

    source: str
    mirrors: tuple
    policy: str = ALLOW
    by: str = "digest"


@dataclasses.dataclass(frozen=True)
class Kinds:
    """The kinds of object to write; `tag` is None where the cluster cannot mirror tags."""

    digest: str
    tag: str | None


def expected_registries(objects, version=None):
    """The registries, [registries_conf.Registry], that the nodes of a cluster with these objects must have.

    `objects` are parsed documents of the three kinds, of Image (config.openshift.io; only `cluster` counts)
    and, if the registries that it blocks may hold the release's own images, of ClusterVersion; a List is
    taken apart. `version` is the cluster's ("4.12", "4.16.30"), None the newest. The result equals
    `registries_conf.parse` of the operator's file.

    Raises InvalidInput or Conflict exactly where the operator refuses the objects, or their cluster could not
    have them.
    """
    registries = _rendered(_read(objects), _release(version))
    try:
        return registries_conf.settle(registries)
    except InvalidInput:
        # The operator writes a file all the same; it is the nodes that cannot read it.
        return [dataclasses.replace(registry, prefix=registry.prefix or registry.location)
                for registry in registries]


def rules_of(objects):
    """The MirrorRules in these objects, in their order."""
    return [rule for rule, _owner in _read(objects).rules]


def validate_rule(rule):
    """Raises InvalidInput, with every reason in plain words, for a rule that the API or the operator would
    refuse, or that no pull could use."""
    problems = _problems_of_name("source", rule.source, wildcard=True)
    if not rule.mirrors:
        problems.append("it has no mirrors.")
    for mirror in rule.mirrors:
        problems += _problems_of_name("mirror", mirror, wildcard=False)
    if len(set(rule.mirrors)) != len(rule.mirrors):
        problems.append("it names a mirror twice.")
    if rule.mirrors and set(rule.mirrors) == {rule.source}:
        problems.append("its only mirror is the source itself, which the operator leaves out with the policy.")
    if rule.policy not in (ALLOW, NEVER):
        problems.append("the policy is %r, not %s or %s." % (rule.policy, ALLOW, NEVER))
    if rule.policy == NEVER and rule.source in rule.mirrors:
        problems.append("%s and the source among the mirrors contradict each other." % NEVER)
    if rule.by not in ("digest", "tag"):
        problems.append("it is by %r, not by digest or tag." % (rule.by,))
    if problems:
        raise InvalidInput("The mirror rule for %s cannot be used: %s" % (rule.source, " ".join(problems)))


def choose_kinds(served_kinds, version=None, existing_objects=(), by=("digest",)):
    """The Kinds to write for rules `by` digest, tag or both on a cluster that serves `served_kinds` and has
    these objects.

    Raises Conflict if the cluster cannot have them: it serves no such kind, or its release drops every mirror
    as soon as both an ImageContentSourcePolicy and one of the later kinds exist (4.13 before 4.13.27, 4.14
    before 4.14.3).
    """
    if IDMS not in served_kinds and ICSP not in served_kinds:
        raise Conflict("The cluster serves neither %s nor %s: is it OpenShift?" % (IDMS, ICSP))
    kinds = Kinds(IDMS if IDMS in served_kinds else ICSP, ITMS if ITMS in served_kinds else None)
    if _refuses_mix(_release(version)):
        existing = _read(existing_objects).kinds
        if ICSP in existing:
            if existing & {IDMS, ITMS}:
                raise Conflict(_MIX % version)
            kinds = Kinds(ICSP, None)
    if "tag" in by and kinds.tag is None:
        if IDMS in served_kinds:
            raise Conflict("Tags cannot be mirrored beside the cluster's %s. %s" % (ICSP, _MIX % version))
        raise Conflict("OpenShift %s cannot mirror tags: %s exists from 4.13 on." % (version or "", ITMS))
    return kinds


def kinds_of(version=None):
    """The Kinds that a cluster of this version has for certain, with nothing else to mind."""
    return Kinds(IDMS, ITMS) if _release(version) >= _MIRROR_SETS else Kinds(ICSP, None)


def objects_for(rules, kinds, name, labels=None):
    """The documents that carry these rules: one for the digests, one for the tags, more where one would be
    too large.

    Rules for one source become one list, in their order, since the operator sorts the lists of separate
    entries by alphabet. The documents are the same for the same rules in any order of sources. A second
    document of a kind is called `name`-2. Raises InvalidInput for a rule or name that cannot be, Conflict for
    rules that contradict each other or that the kinds cannot carry.
    """
    if name == "cluster" or not _NAME.fullmatch(name) or len(name) > 240:
        raise InvalidInput("%r cannot name a mirror object: lower-case letters, digits, '-' and '.' can; `cluster` is "
                           "kept for OpenShift's own objects." % (name,))
    for rule in rules:
        validate_rule(rule)
    contradictions = _policy_conflicts([(rule, "another rule") for rule in rules])
    if contradictions:
        raise Conflict(" ".join(contradictions))
    documents = []
    for by, kind in (("digest", kinds.digest), ("tag", kinds.tag)):
        merged = _by_source(rule for rule in rules if rule.by == by)
        if merged and kind is None:
            raise Conflict("This cluster cannot mirror tags, as the rule for %s asks." % merged[0].source)
        if kind == ICSP and any(rule.policy == NEVER for rule in merged):
            raise Conflict("%s cannot be said in an %s; it needs OpenShift 4.13." % (NEVER, ICSP))
        for number, entries in enumerate(_portions([_entry(rule, kind) for rule in merged]), 1):
            documents.append({
                "apiVersion": API_VERSION[kind],
                "kind": kind,
                "metadata": {"name": name if number == 1 else "%s-%d" % (name, number),
                             "labels": dict(labels or {})},
                "spec": {LIST_FIELD[kind]: entries},
            })
    return documents


def conflicts(rules, existing_objects, version=None):
    """[sentences] why the operator would refuse these rules beside the objects that the cluster has already.

    `existing_objects` are those that the rules do not replace. An object that is refused by itself is told as
    well: it stops every mirror of the cluster from reaching the nodes.
    """
    release, cluster = _release(version), _read(existing_objects)
    refusal = _refusal(cluster, release)
    if refusal:
        return ["The mirror objects that the cluster has are refused by its machine-config operator: " + refusal]
    together = cluster.rules + [(rule, "this rule") for rule in rules]
    found = _policy_conflicts(together)
    refusal = None if found else _refusal(dataclasses.replace(cluster, rules=together), release)
    if refusal:
        found = ["Together with what the cluster has, the machine-config operator would refuse: " + refusal]
    return found


def as_digest_mirror_set(policy):
    """The ImageDigestMirrorSet that says what an ImageContentSourcePolicy does, under the same name, with its labels.

    Raises InvalidInput where the later kind, which is checked more strictly, could not say it.
    """
    kind, name, spec = _identify(policy)
    rules = list(_rules_in(spec, kind, name))
    for rule in rules:
        validate_rule(rule)
    metadata = {"name": name}
    if policy["metadata"].get("labels"):
        metadata["labels"] = dict(policy["metadata"]["labels"])
    return {"apiVersion": API_VERSION[IDMS], "kind": IDMS, "metadata": metadata,
            "spec": {LIST_FIELD[IDMS]: [_entry(rule, IDMS) for rule in rules]}}


def displaced(rules, registries):
    """[sentences] for the sources whose mirrors are tried in another order than these rules ask for.

    `registries` are those of expected_registries. The operator joins the lists that all objects have for a source, and
    where they do not say which of two mirrors comes first, the alphabet does.
    """
    by_scope = {registry.prefix or registry.location: registry for registry in registries}
    found = []
    for by, other in (("digest", registries_conf.TAG_ONLY), ("tag", registries_conf.DIGEST_ONLY)):
        for rule in _by_source(rule for rule in rules if rule.by == by):
            registry = by_scope.get(rule.source)
            asked = [mirror for mirror in rule.mirrors if mirror != rule.source]
            actual = [mirror.location for mirror in registry.mirrors
                      if mirror.pull_from_mirror != other] if registry else asked
            if actual[:len(asked)] != asked:
                found.append("Images of %s by %s are looked for in %s, in this order, since other objects of the cluster "
                             "name mirrors of the same source; asked was for %s." % (
                                 rule.source, by, ", ".join(actual), ", ".join(asked)))
    return found


def notes(objects, former, version=None):
    """[sentences] on what it leads to that a cluster with the mirror sets `former` has `objects` instead."""
    by_digest = [{obj["kind"] for obj in documents} & {ICSP, IDMS} for documents in (former, objects)]
    gate = _release(version)[:2] == _GATED_ON_SIGNATURES and by_digest[1] and not by_digest[0]
    return [_GATE] if gate else []


def not_allowed(configs, registries):
    """[a sentence] on those of the registries, "host[:port]", by whose own names nodes may pull nothing.

    configs -- the Image cluster, among others
    """
    allowed = _read(configs).allowed
    refused = [registry for registry in sorted(registries) if allowed and not any(
        scope.partition("/")[0] == registry or scope.startswith("*.") and registry.partition(":")[0].endswith(scope[1:])
        for scope in allowed)]
    return ["Image cluster allows other registries alone: what is mirrored is pulled from %s all the same, but no image that is "
            "named by it, as those of the mirrored catalogs are. Add it to spec.registrySources.allowedRegistries before."
            % ", ".join(refused)] if refused else []


# Reading documents

_GATE = ("While mirrors by digest are configured, OpenShift 4.20 wants an acknowledgement before it updates to 4.21, where a "
         "release's Sigstore signature has to be at the mirror. When the release to update to is mirrored with its signature, "
         "as the playbook mirror does it, acknowledge: oc -n openshift-config patch configmap admin-acks --type merge "
         "-p '{\"data\":{\"ack-4.20-sigstore-in-4.21\":\"true\"}}'.")
_MIX = ("OpenShift %s drops every mirror as soon as both an ImageContentSourcePolicy and a later kind exist. Update "
        "the cluster to 4.13.27, 4.14.3 or later first, or convert its ImageContentSourcePolicies.")


@dataclasses.dataclass(frozen=True)
class _Cluster:
    """What the documents say: rules with the names of their objects, kinds present, Image's lists, the
    release image."""

    rules: list
    kinds: set
    insecure: list
    blocked: list
    allowed: list
    release_image: str | None


def _read(objects):
    rules, kinds, images, release_image = [], set(), [], None
    for document in _flat(objects):
        kind, name, spec = _identify(document)
        if kind in LIST_FIELD:
            kinds.add(kind)
            rules += [(rule, "%s %s" % (kind, name)) for rule in _rules_in(spec, kind, name)]
        elif kind == "ClusterVersion":
            desired = _field(_field(document, "status", dict, kind), "desired", dict, kind)
            release_image = _field(desired, "image", str, kind)
        elif name in ("", "cluster"):
            images.append(_field(spec, "registrySources", dict, "Image cluster"))
    if len(images) > 1:
        raise InvalidInput("There is more than one Image (config.openshift.io) document; a cluster has one, `cluster`.")
    sources = images[0] if images else {}
    insecure, blocked, allowed = (
        _texts(sources, name + "Registries", "Image cluster") for name in ("insecure", "blocked", "allowed"))
    return _Cluster(rules, kinds, insecure, blocked, allowed, release_image)


def _flat(objects):
    for document in objects:
        if isinstance(document, dict) and document.get("kind") == "List":
            yield from _flat(document.get("items") or ())
        else:
            yield document


def _identify(document):
    """(kind, name, spec) of a document; raises InvalidInput if it is none of those that count here."""
    kind = document.get("kind") if isinstance(document, dict) else None
    if kind not in API_VERSION:
        raise InvalidInput("A document of kind %r says nothing about mirrors; expected are %s." % (
            kind, ", ".join(API_VERSION)))
    api_version = document.get("apiVersion", API_VERSION[kind])
    if api_version != API_VERSION[kind]:
        raise InvalidInput("%s of apiVersion %s is not OpenShift's %s." % (kind, api_version, API_VERSION[kind]))
    name = _field(_field(document, "metadata", dict, kind), "name", str, kind)
    return kind, name, _field(document, "spec", dict, "%s %s" % (kind, name))


def _rules_in(spec, kind, name):
    owner = "%s %s" % (kind, name)
    for entry in _field(spec, LIST_FIELD[kind], list, owner):
        if not isinstance(entry, dict):
            raise InvalidInput("%s: %s must be a list of objects." % (owner, LIST_FIELD[kind]))
        yield MirrorRule(
            source=_field(entry, "source", str, owner),
            mirrors=tuple(_texts(entry, "mirrors", owner)),
            policy=(_field(entry, "mirrorSourcePolicy", str, owner) or ALLOW) if kind != ICSP else ALLOW,
            by="tag" if kind == ITMS else "digest",
        )


def _field(table, key, kind, owner):
    """A field of a document, or the empty value of its type where there is none."""
    value = table.get(key)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise InvalidInput("%s: %s has the wrong type." % (owner, key))
    return value


def _texts(table, key, owner):
    values = _field(table, key, list, owner)
    if not all(isinstance(value, str) for value in values):
        raise InvalidInput("%s: %s must be a list of texts." % (owner, key))
    return values


# What the machine-config operator does

def _release(version):
    """(major, minor, patch) of a version; a part that is not said, and None as a whole, count as the
    newest."""
    if version is None:
        return _NEWEST
    match = _VERSION.fullmatch(str(version))
    if not match:
        raise InvalidInput("%r is not a version such as 4.16 or 4.16.30." % (version,))
    major, minor, patch = match.groups()
    return int(major), int(minor), int(patch) if patch else _NEWEST[2]


_NEWEST = (10 ** 6, 0, 10 ** 6)


def _refuses_mix(release):
    return release[2] < _FIRST_SAFE_PATCH.get(release[:2], 0)


def _rendered(cluster, release):
    """The registries that the operator writes, as it writes them; raises where it refuses to write any."""
    later = cluster.kinds & {IDMS, ITMS}
    if later and release < _MIRROR_SETS:
        raise InvalidInput("%s exists from OpenShift 4.13 on; in %d.%d it is %s."
                           % (sorted(later)[0], release[0], release[1], ICSP))
    if ICSP in cluster.kinds and later and _refuses_mix(release):
        raise Conflict(_MIX % ".".join(map(str, release)))
    blocked, policy_blocked, allowed = _effective_blocking(cluster, release)
    _check(cluster, blocked, release)
    registries = _merge(cluster.rules, cluster.insecure, blocked, release)
    _check_policy(policy_blocked, allowed, cluster.release_image, release)
    return registries


def _refusal(cluster, release):
    """Why the operator refuses, or the nodes cannot read, what these objects make; None if they do."""
    try:
        registries_conf.settle(_rendered(cluster, release))
    except (InvalidInput, Conflict) as error:
        return error.message
    return None


def _check(cluster, blocked, release):
    """Raises where the operator's validation does."""
    if release < _WILDCARD_SCOPES:
        return
    for words, scopes in (("insecureRegistries", cluster.insecure), ("blockedRegistries", blocked)):
        _check_scopes(words, scopes, release)
    for rule, owner in cluster.rules:
        names = [("source", rule.source, _SOURCE)] + [("mirror", mirror, _MIRROR) for mirror in rule.mirrors]
        for what, name, pattern in names:
            if release >= _NAMES_CHECKED:
                refused = not pattern.fullmatch(name)
            else:
                refused = "*" in name or not name and release >= _INHERITED_MIRRORS
            if refused:
                raise InvalidInput("%s: the %s %r is not host[:port] or host[:port]/path in lower case." % (
                    owner, what, name))
        if rule.policy == NEVER and rule.source in rule.mirrors:
            raise InvalidInput("%s: %s for %s, which is one of its mirrors." % (owner, NEVER, rule.source))
    contradictions = _policy_conflicts(cluster.rules)
    if contradictions:
        raise Conflict(" ".join(contradictions))


def _check_scopes(words, scopes, release):
    for scope in scopes:
        wildcard = scope.startswith("*.") and not any(character in scope[2:] for character in "/@:*")
        if "*" in scope and not wildcard or not scope and release >= _INHERITED_MIRRORS:
            raise InvalidInput("Image cluster: %r in %s is neither a registry nor *.domain." % (scope, words))


def _check_policy(blocked, allowed, release_image, release):
    """The checks on policy.json, the other file that the operator writes in the same step."""
    if blocked and allowed and not (
            release >= _INHERITED_MIRRORS and release_image and allowed == [_payload(release_image).repository]):
        raise InvalidInput("Image cluster: only one of allowedRegistries and blockedRegistries may be set.")
    if release >= _WILDCARD_SCOPES:
        _check_scopes("blockedRegistries", blocked, release)
        _check_scopes("allowedRegistries", allowed, release)


def _policy_conflicts(rules):
    """[sentences] for sources that have two policies; `rules` are pairs of rule and the name of its
    object."""
    first, found = {}, []
    for rule, owner in rules:
        policy, other = first.setdefault(rule.source, (rule.policy, owner))
        if policy != rule.policy:
            found.append("%s says %s for %s, and %s says %s: the operator then refuses every mirror of the cluster. "
                         "Give both the same." % (other, policy, rule.source, owner, rule.policy))
    return found


def _effective_blocking(cluster, release):
    """(blocked in registries.conf, blocked in policy.json, allowed in policy.json), the release's own images
    spared.

    The operator leaves out, and only logs, what would keep the release's images from being pulled.
    """
    if cluster.release_image is None:
        return cluster.blocked, cluster.blocked, cluster.allowed
    payload = _payload(cluster.release_image)
    if release < _INHERITED_MIRRORS:
        blocked = list(cluster.blocked)
        if payload.registry in blocked:
            blocked.remove(payload.registry)
        return blocked, blocked, cluster.allowed
    blocked, policy_blocked, allowed = [], [], []
    for scope in cluster.blocked:
        if _nested(payload.repository, scope, release):
            try:
                usable = _has_unblocked_source(payload, cluster, release)
            except InvalidInput:
                return [], [], []
            if not usable:
                continue
            allowed.append(payload.repository)
        blocked.append(scope)
        if scope != payload.repository:
            policy_blocked.append(scope)
    return blocked, policy_blocked, allowed + cluster.allowed


def _has_unblocked_source(payload, cluster, release):
    """True if the release's images can be pulled, through digest mirrors, although their repository is
    blocked."""
    rules = [(rule, owner) for rule, owner in cluster.rules if rule.by == "digest"]
    registries = registries_conf.settle(_merge(rules, cluster.insecure, cluster.blocked, release))
    sources = registries_conf.pull_sources(registries_conf.Configuration(registries), payload)
    names = [image_ref.parse(source.reference).repository for source in sources]
    return any(not any(_nested(name, scope, release) for scope in cluster.blocked) for name in names)


def _payload(release_image):
    if not release_image:
        raise InvalidInput("ClusterVersion: status.desired.image names no release image, and the operator then writes "
                           "nothing.")
    image = image_ref.parse(release_image)
    if str(image) != release_image:
        raise InvalidInput("ClusterVersion: the release image %r has no fully qualified name." % release_image)
    return image


class _Entry:
    """A [[registry]] in the making; `mirrors` are lists of location, insecure, pull-from-mirror."""

    def __init__(self, scope):
        self.scope, self.mirrors = scope, []
        self.insecure = self.blocked = self.by_digest_only = False

    def registry(self, release):
        wildcard = release >= _WILDCARD_SCOPES and self.scope.startswith("*.")
        return registries_conf.Registry(
            prefix=self.scope if wildcard else "",
            location="" if wildcard else self.scope,
            insecure=self.insecure,
            blocked=self.blocked,
            mirror_by_digest_only=self.by_digest_only,
            mirrors=tuple(registries_conf.Mirror(*mirror) for mirror in self.mirrors),
        )


def _merge(rules, insecure, blocked, release):
    """The registries of rules and scopes, not yet settled; raises InvalidInput for scopes that cannot inherit
    mirrors."""
    entries, sources = {}, []

    def entry(scope):
        return entries.setdefault(scope, _Entry(scope))

    for by, mode in (("digest", registries_conf.DIGEST_ONLY), ("tag", registries_conf.TAG_ONLY)):
        sets = {}
        for rule, _owner in rules:
            # A list that only repeats the source is no mirror set, and its policy counts for nothing either.
            if rule.by == by and set(rule.mirrors) - {rule.source}:
                sets.setdefault(rule.source, []).append(rule)
        for source in sorted(sets):
            sources.append(source)
            entry(source).blocked |= any(rule.policy == NEVER for rule in sets[source])
            entry(source).by_digest_only = release < _MIRROR_SETS
            ordered = _in_order(source, [rule.mirrors for rule in sets[source]])
            entry(source).mirrors += [[location, False, mode if release >= _MIRROR_SETS else ""]
                                      for location in ordered]
    if release >= _WILDCARD_SCOPES:
        for scope in blocked:
            entry(scope)
    for scope in insecure:
        entry(scope)
        for each in entries.values():
            each.insecure |= _nested(each.scope, scope, release)
            for mirror in each.mirrors:
                mirror[1] |= _nested(mirror[0], scope, release)
    for scope in blocked:
        entry(scope)
        for each in entries.values():
            each.blocked |= _nested(each.scope, scope, release)
    if release >= _INHERITED_MIRRORS:
        for source in sources:
            _inherit(entries, source, release)
    return [each.registry(release) for each in entries.values()]


def _inherit(entries, source, release):
    """Gives the mirrors of `source` to the scopes below it that have none: only the longest scope counts for
    a pull."""
    for each in entries.values():
        if each.scope != source and not each.mirrors and _nested(each.scope, source, release):
            if source.startswith("*."):
                raise InvalidInput("The mirrors of %s cannot be passed on to %s, which Image cluster names: the "
                                   "operator refuses both together." % (source, each.scope))
            each.by_digest_only = entries[source].by_digest_only
            each.mirrors = [[location + each.scope[len(source):], unverified, mode]
                            for location, unverified, mode in entries[source].mirrors]


def _nested(scope, outer, release):
    """True if what is called `scope` (a registry, repository or wildcard) lies in `outer`."""
    if scope == outer or scope.startswith(outer + "/"):
        return True
    if release >= _WILDCARD_SCOPES and outer.startswith("*."):
        if ":" in scope:
            host = scope.partition(":")[0]
            return host.endswith(outer[1:]) and "/" not in host
        return scope.partition("/")[0].endswith(outer[1:])
    return False


def _in_order(source, lists):
    """One list of mirrors that keeps the order of each list as far as they agree, else that of the alphabet.

    The source itself is tried after everything and is left out, unless a list wants it earlier.
    """
    successors = {}
    for mirrors in lists:
        chain = list(mirrors) if source in mirrors else list(mirrors) + [source]
        for one, following in zip(chain, chain[1:]):
            successors.setdefault(one, set()).add(following)
            successors.setdefault(following, set())
    order = _topologically(successors)
    return order[:-1] if order[-1] == source else order


def _topologically(successors):
    """The nodes of a graph {node: its successors}, predecessors first; a loop is entered at its first node by
    alphabet."""
    waiting_for = {node: set() for node in successors}
    for node, following in successors.items():
        for each in following:
            waiting_for[each].add(node)
    alphabet = sorted(successors)
    ready = [node for node in alphabet if not waiting_for[node]]
    order, used = [], set()
    while len(order) < len(alphabet):
        node = ready.pop(0) if ready else next(node for node in alphabet if node not in used)
        used.add(node)
        order.append(node)
        freed = []
        for each in successors[node]:
            waiting_for[each].discard(node)
            if not waiting_for[each] and each not in used:
                freed.append(each)
        ready += sorted(freed)
    return order


# Writing objects

def _by_source(rules):
    """One rule a source, sorted, with the mirrors of all rules for it in their order, each once."""
    merged = {}
    for rule in rules:
        known = merged.get(rule.source)
        mirrors = tuple(dict.fromkeys((known.mirrors if known else ()) + tuple(rule.mirrors)))
        merged[rule.source] = dataclasses.replace(rule, mirrors=mirrors)
    return [merged[source] for source in sorted(merged)]


def _entry(rule, kind):
    entry = {"source": rule.source, "mirrors": list(rule.mirrors)}
    return entry if kind == ICSP else dict(entry, mirrorSourcePolicy=rule.policy)


def _portions(entries):
    """`entries` in lists of at most LARGEST_LIST bytes of JSON each (a larger single entry stays whole)."""
    portion, size = [], 0
    for entry in entries:
        length = len(json.dumps(entry))
        if portion and size + length > LARGEST_LIST:
            yield portion
            portion, size = [], 0
        portion.append(entry)
        size += length
    if portion:
        yield portion


def _problems_of_name(what, name, wildcard):
    """[sentences] why `name` cannot be a source or mirror."""
    pattern = _SOURCE if wildcard else _MIRROR
    shown = image_ref.without_userinfo(str(name))
    if not isinstance(name, str) or not name:
        return ["the %s is empty." % what]
    host, slash, path = name.partition("/")
    if pattern.fullmatch(name):
        if not name.startswith("*") and image_ref.parse(host + "/a/b").registry != host:
            return ["the %s %r begins with no full host name: the nodes take %r for a part of %s."
                    % (what, shown, host, image_ref.DEFAULT_REGISTRY)]
        return []
    if "://" in name:
        why = "leave the scheme out"
    elif any(character.isspace() for character in name):
        why = "it contains blanks"
    elif "@" in name:
        why = "leave the digest out"
    elif host.startswith("[") or host.count(":") > 1:
        why = "OpenShift accepts no IPv6 address here; use a host name"
    elif name.endswith("/"):
        why = "leave the slash at its end out"
    elif "*" in name:
        why = ("a wildcard stands for whole registries below a domain, as in *.example.com" if wildcard
               else "a mirror cannot have a wildcard")
    elif ":" in path:
        why = "leave the tag out"
    elif path != path.lower():
        why = "repositories are written in lower case"
    elif "_" in host:
        why = "a host name has no underscore"
    else:
        why = "expected is host[:port] or host[:port]/path"
    return ["the %s %r is not valid: %s." % (what, shown, why)]
