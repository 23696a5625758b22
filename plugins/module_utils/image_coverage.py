# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an image could still be pulled if nothing but the mirror registries were left, and if not, why.

`aim` says what the rules of a node (its registries.conf) make of a reference; where that names mirrors, their
registries have to be asked, and `verdict` says what their answers mean. Nothing is asked here.
"""
from __future__ import annotations

import re
from collections import Counter, namedtuple
from dataclasses import dataclass, field

from . import dockerconfigjson, image_ref, mirror_plan, mirror_sets, registries_conf, release_payload
from .errors import InvalidInput, Unauthorized

# The statuses, the best first. Where nodes have different rules the worst counts.
COVERED, MIRROR_ITSELF, INTERNAL_REGISTRY, IGNORED, INVALID = (
    "covered", "mirror_itself", "internal_registry", "ignored", "invalid")
UNCOVERED = (UNVERIFIED, NO_CREDENTIALS, NO_SIGNATURE, NOT_MIRRORED, TAG_WITHOUT_TAG_MIRROR, NO_RULE, SOURCE_BLOCKED,
             UNQUALIFIED) = (
    "unverified", "no_credentials", "no_signature", "not_mirrored", "tag_without_tag_mirror", "no_rule", "source_blocked",
    "unqualified")
STATUSES = (COVERED, MIRROR_ITSELF, INTERNAL_REGISTRY, IGNORED, INVALID) + UNCOVERED
# Those that copying the image and telling the nodes about it mends.
MENDED_BY_MIRRORING = (NOT_MIRRORED, TAG_WITHOUT_TAG_MIRROR, NO_RULE)

INTERNAL_SERVICE = re.compile(r"image-registry\.openshift-image-registry\.svc(\.cluster\.local)?(:[0-9]+)?")
INTERNAL_ROUTE = "default-route-openshift-image-registry."
SOME_DIGEST = "sha256:" + "0" * 64

Verdict = namedtuple("Verdict", "status reason")


@dataclass(frozen=True)
class Surroundings:
    """What counts beside a node's rules.

    registries -- the mirror registries, host[:port]; only mirrors there count. Empty: every mirror counts
    mirrors_only -- registries that hold nothing but mirrors; what names one of them needs no rule
    internal -- the names under which the cluster's own image registry is known
    signed -- {namespace: {scope: the policy that demands a Sigstore signature of every image in it}}, a ClusterImagePolicy's
    under the namespace ""
    """

    registries: frozenset = frozenset()
    mirrors_only: frozenset = frozenset()
    internal: frozenset = frozenset()
    signed: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Aim:
    """Where a node would pull a reference from: `sources`, [registries_conf.PullSource] in order.

    The Verdict is there if nothing has to be asked for it, else `mirrors` are the references to ask for. `policy` is that
    which demands a signature beside each, if one does, such as "ClusterImagePolicy openshift".
    """

    sources: tuple = ()
    mirrors: tuple = ()
    verdict: Verdict = None
    policy: str = ""


def mirror_registries(configurations):
    """The registries, host[:port], that hold only mirrors by these Configurations, and no source."""
    mirrors, sources = set(), set()
    for conf in configurations:
        for registry in conf.registries:
            mirrors |= {_host(mirror.location) for mirror in registry.mirrors}
            sources |= {_host(registry.prefix), _host(registry.location)}
    return frozenset(mirrors - sources)


def internal_registries(image_config):
    """The names of the cluster's own image registry, by image.config.openshift.io/cluster (or None)."""
    status, spec = ((image_config or {}).get(part) or {} for part in ("status", "spec"))
    names = [status.get("internalRegistryHostname")]
    names += (status.get("externalRegistryHostnames") or []) + (spec.get("externalRegistryHostnames") or [])
    return frozenset(name for name in names if name)


def aim(text, conf, surroundings, namespaces=()):
    """The Aim of a reference (text) that is used in these namespaces, on nodes with this Configuration."""
    try:
        image = image_ref.parse(text)
    except InvalidInput as error:
        return _decided(INVALID, "Nothing can be pulled by this name, now as before: %s" % error.message)
    if not image.registry:
        return _decided(INVALID, "Nothing can be pulled by this name, now as before: no host has an underscore.")
    if not image_ref.names_registry(text.partition("/")[0]) or "/" not in text:
        searched = ", ".join(conf.unqualified_search_registries) or "no registry"
        return _decided(UNQUALIFIED, "It names no registry: a node searches %s for it, and rules are for full "
                        "names. Write its registry." % searched)
    image = asked_for(image)
    if is_internal(image.registry, surroundings.internal):
        return _decided(INTERNAL_REGISTRY, "It is in the cluster's own image registry.")
    if image.registry in surroundings.mirrors_only:
        return _decided(MIRROR_ITSELF, "It names the mirror registry itself.")
    try:
        sources = tuple(registries_conf.pull_sources(conf, image))
    except InvalidInput as error:
        return _decided(NO_RULE, "A node's rule for it cannot be used: %s" % error.message)
    mirrors = tuple(
        source.reference for source in sources if source.mirror and not source.blocked
        and (not surroundings.registries or _host(source.reference) in surroundings.registries))
    if mirrors:
        return Aim(sources, mirrors, policy=_policy_of(image, surroundings.signed, namespaces))
    registry = registries_conf.find_registry(conf, image.repository)
    return Aim(sources, verdict=_without_mirror(image, sources, registry))


def asked_for(image):
    """The ImageRef as the container engine asks for it: by its digest alone, or by a tag."""
    if image.digest:
        return image.with_digest(image.digest)
    return image if image.tag else image.with_tag("latest")


def is_internal(registry, names=()):
    """Whether `registry` is the cluster's own image registry, also known under these `names`."""
    return (registry in names or registry.startswith(INTERNAL_ROUTE)
            or INTERNAL_SERVICE.fullmatch(registry) is not None)


def signatures(target, answers):
    """The signatures that an Aim demands where its image is, each as a reference: what else has to be asked for."""
    found = [(mirror, answers[mirror]) for mirror in target.mirrors if isinstance(answers[mirror], str)] if target.policy else []
    return tuple("%s:%s" % (image_ref.parse(mirror).repository, release_payload.signature_tag(digest))
                 for mirror, digest in found)


def verdict(target, answers, pull_secret):
    """The Verdict on an Aim.

    answers -- {reference on a mirror: its digest, None if there is none, or the Error that asking met}, of the Aim's
    mirrors and signatures
    """
    if target.verdict:
        return target.verdict
    demanded = signatures(target, answers)
    if any(isinstance(answers[signature], str) for signature in demanded):
        return Verdict(COVERED, "")
    if demanded:
        return _unsigned(target, demanded[0], answers[demanded[0]])
    if any(isinstance(answers[mirror], str) for mirror in target.mirrors):
        return Verdict(COVERED, "")
    refused = [_refused(mirror, answers[mirror], pull_secret) for mirror in target.mirrors]
    return next((found for found in refused if found.status != NOT_MIRRORED), refused[0])


def severity(found):
    """How bad a Verdict is, to be compared."""
    return STATUSES.index(found.status)


def starts_with(text, prefix):
    """Whether a reference begins with a registry, a path or a whole reference."""
    ends = len(text) == len(prefix) or prefix[-1:] == "/" or text[len(prefix):][:1] in "/:@"
    return text.startswith(prefix) and ends


def counts(statuses):
    """How many there are of each status, and "total"."""
    found = Counter(statuses)
    return dict({status: found[status] for status in STATUSES}, total=sum(found.values()))


def fix(images, conf, rules, registry):
    """The rules that nodes with this Configuration lack for images (texts) at the mirror `registry`.

    [{"source", "mirrors", "by", "policy"}], sorted, for copies that keep their path, as mirror_plan plans
    them. A rule for a source keeps the mirrors that the source has already, be they of a wider rule, since a
    narrower rule takes the wider one's place on the nodes; and it keeps the policy of `rules`, the
    mirror_sets.MirrorRules of the cluster.
    """
    policies = _policies(rules)
    lacking = {}
    for text in images:
        image = asked_for(image_ref.parse(text))
        target = mirror_plan.image_wish(image, registry).target.repository
        for by in ("digest",) if image.digest else ("digest", "tag"):
            if target not in _mirrors_of(conf, image.repository, by):
                lacking.setdefault(image.repository, {})[by] = [target]
    found = []
    for source, added in sorted(lacking.items()):
        policy = registries_conf.find_registry(policies, source)
        for by in ("digest", "tag"):
            mirrors = _mirrors_of(conf, source, by) + added.get(by, [])
            if by in added or (mirrors and source not in conf.by_name):
                found.append({"source": source, "mirrors": mirrors, "by": by, "policy":
                              mirror_sets.NEVER if policy and policy.blocked else mirror_sets.ALLOW})
    return found


def _policies(rules):
    """A Configuration in which the sources that must not be contacted are blocked."""
    never = {rule.source: False for rule in rules}
    never.update((rule.source, True) for rule in rules if rule.policy == mirror_sets.NEVER)
    return registries_conf.Configuration([
        registries_conf.Registry(source, blocked=blocked) for source, blocked in sorted(never.items())])


def _mirrors_of(conf, repository, by):
    """The repositories where nodes look first for images of `repository` by digest or tag."""
    image = image_ref.parse(repository)
    image = image.with_digest(SOME_DIGEST) if by == "digest" else image.with_tag("latest")
    return [image_ref.parse(source.reference).repository
            for source in registries_conf.pull_sources(conf, image) if source.mirror]


def _decided(status, reason):
    return Aim(verdict=Verdict(status, reason))


def _without_mirror(image, sources, registry):
    """The Verdict on an ImageRef for which no mirror that counts is named."""
    elsewhere = [_host(source.reference) for source in sources if source.mirror and not source.blocked]
    if elsewhere:
        return Verdict(NO_RULE, "Its only mirrors are at %s, which is not among the mirror registries."
                       % ", ".join(dict.fromkeys(elsewhere)))
    if any(source.mirror for source in sources):
        return Verdict(SOURCE_BLOCKED, "Every mirror of %s lies in a blocked registry." % registry.prefix)
    if registry is not None and registry.mirrors:
        if image.digest:
            return Verdict(NO_RULE, "%s is mirrored by tag only, and this is a digest." % registry.prefix)
        return Verdict(TAG_WITHOUT_TAG_MIRROR, "%s is mirrored by digest only, and this is a tag. Write its "
                       "digest, or add a rule by tag." % registry.prefix)
    if sources[-1].blocked:
        return Verdict(SOURCE_BLOCKED, "%s is blocked, and has no mirror." % registry.prefix)
    return Verdict(NO_RULE, "No rule of the nodes names a mirror for it.")


def _policy_of(image, signed, namespaces):
    """The policy in whose scopes an ImageRef is, "" without one. A cluster's own goes before those of namespaces."""
    signed = [signed[namespace] for namespace in ("", *sorted(namespaces)) if namespace in signed]
    if not signed:
        return ""
    labels = image.registry.partition(":")[0].split(".")
    names = [str(image), "%s:%s" % (image.repository, image.tag), image.repository]
    parents = image.repository.split("/")
    names += ["/".join(parents[:length]) for length in range(len(parents) - 1, 0, -1)]
    names += ["*." + ".".join(labels[start:]) for start in range(1, len(labels))]
    return next((scopes[name] for scopes in signed for name in names if name in scopes), "")


def _unsigned(target, signature, answer):
    """The Verdict on an image that a mirror has without the signature that is demanded."""
    if answer is not None:
        return Verdict(UNVERIFIED, "%s could not be looked for: %s" % (signature, answer.message))
    source = "%s:%s" % (image_ref.parse(target.sources[-1].reference).repository, signature.rpartition(":")[2])
    return Verdict(NO_SIGNATURE, "A mirror has it, but not the Sigstore signature that %s demands: %s. The "
                   "playbook mirror copies that of a release; otherwise: oc image mirror %s %s"
                   % (target.policy, signature, source, signature))


def _refused(mirror, answer, pull_secret):
    """The Verdict on a mirror's reference that did not answer with a digest."""
    if answer is None:
        return Verdict(NOT_MIRRORED, "%s does not exist." % mirror)
    if not isinstance(answer, Unauthorized):
        return Verdict(UNVERIFIED, "%s could not be looked for: %s" % (mirror, answer.message))
    try:
        key = dockerconfigjson.find_key(pull_secret, mirror)
    except InvalidInput as error:
        return Verdict(NO_CREDENTIALS, error.message)
    if key is None:
        return Verdict(NO_CREDENTIALS, "The pull secret has no key for %s, which wants credentials. Add it by "
                       "disconnected.openshift.global_pull_secret." % mirror)
    return Verdict(NO_CREDENTIALS, "%s is refused with the credentials of the pull secret's key %s. They lack "
                   "the right to pull it, or, as some registries answer then, it does not exist."
                   % (mirror, key))


def _host(location):
    return location.partition("/")[0]
