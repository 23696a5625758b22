# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a mirror: which image goes where, and what the cluster must be told so that it finds it there.

Repositories and tags are those that `oc adm release mirror` and `oc adm catalog mirror` choose, so that what these
have mirrored is found present, and the other way round.
"""
from __future__ import annotations

import re
from collections import Counter, namedtuple

from . import errors, image_ref, release_payload

KINDS = ("release", "component", "signature", "catalog", "operand", "image")
# `oc adm catalog mirror` joins the last parts of a path that would have more of them (its --max-components).
MAX_COMPONENTS = 2
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")

# What is to be mirrored, before its digest is known. reference: an ImageRef as it was named; target: an ImageRef with a
# tag; origin: the reference of the release or catalog that asks for it, or "images".
Wish = namedtuple("Wish", "reference target kind origin")


class Item(namedtuple("Item", "source source_tag target kind origin")):
    """One image of a plan.

    source -- host/path@digest, or host/path:tag if nothing is there to be had a digest from
    source_tag -- the tag by which it was asked for, "" if by its digest
    target -- host/path:tag on the mirror; kind -- one of KINDS; origin -- as in Wish
    """

    __slots__ = ()


def release_wishes(reference, release, registry, repository):
    """Wishes for a release image (an ImageRef by digest) and the components of its release_payload.Release."""
    name = "%s-%s" % (release.version, release.architecture)
    wishes = [Wish(reference, target(registry, repository, name), "release", str(reference))]
    for component, pull_specification in release.components:
        place = target(registry, repository, "%s-%s" % (name, component))
        wishes.append(Wish(image_ref.parse(pull_specification), place, "component", str(reference)))
    return wishes


def signature_wish(reference, registry, repository):
    """The Wish for a release image's Sigstore signature, which nodes look for beside the image."""
    tag = release_payload.signature_tag(reference.digest)
    signature = image_ref.ImageRef(reference.registry, reference.path, tag, None)
    return Wish(signature, target(registry, repository, tag), "signature", str(reference))


def catalog_wishes(reference, images, registry, namespace):
    """(Wishes for an index image (an ImageRef) and the images that its catalog names, what is wrong with other names).

    Nothing can ever be pulled by a name that is no reference: one such name does not keep a catalog from being used.
    """
    wishes = [catalog_wish(reference, "catalog", reference, registry, namespace)]
    problems = []
    for image in images:
        try:
            wishes.append(catalog_wish(image_ref.parse(image), "operand", reference, registry, namespace))
        except errors.InvalidInput as error:
            problems.append("%s names an image that cannot be mirrored: %s" % (reference, error.message))
    return wishes, problems


def catalog_wish(image, kind, catalog, registry, namespace):
    parts = [part for part in (namespace + "/" + image.path).split("/") if part]
    if len(parts) > MAX_COMPONENTS:
        parts = parts[:MAX_COMPONENTS - 1] + ["-".join(parts[MAX_COMPONENTS - 1:])]
    return Wish(image, target(registry, "/".join(parts), tag_for(image)), kind, str(catalog))


def image_wish(image, registry):
    """The Wish for an image (an ImageRef) that is asked for by itself: it keeps its path and its tag."""
    return Wish(image, target(registry, image.path, tag_for(image)), "image", "images")


def target(registry, repository, tag):
    if not TAG.match(tag):
        raise errors.InvalidInput("%s/%s: %r cannot be a tag (at most 128 letters, digits, '_', '.' and '-')."
                                  % (registry, repository, tag))
    return image_ref.ImageRef(registry, repository, tag, None)


def tag_for(image):
    """The tag an image gets on the mirror: its own, or for a digest the hash that `oc adm catalog mirror` takes."""
    if image.tag:
        return image.tag
    return fnv32a(str(image)) if image.digest else "latest"


def fnv32a(text):
    """The 32-bit FNV-1a hash of a text in hexadecimal digits, without leading zeros."""
    value = 0x811C9DC5
    for byte in text.encode("utf-8"):
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return "%x" % value


def items(wishes, digests):
    """Items for wishes, in their order, each target once.

    digests -- {str(reference): digest} for references by tag; those that are missing here stay by their tag
    Raises Conflict if two different images are to have the same target.
    """
    found = {}
    for wish in wishes:
        item = item_of(wish, digests)
        known = found.setdefault(item.target, item)
        if identity(known) != identity(item):
            raise errors.Conflict("Two different images are to become %s: %s (of %s) and %s (of %s). Leave one of them "
                                  "out, or give catalogs another namespace."
                                  % (item.target, known.source, known.origin, item.source, item.origin))
    return list(found.values())


def item_of(wish, digests):
    """The Item for one Wish."""
    reference = wish.reference
    tag = "" if reference.digest else reference.tag or "latest"
    digest = reference.digest or digests.get(str(reference))
    source = reference.repository + ("@" + digest if digest else ":" + tag)
    return Item(source, tag, str(wish.target), wish.kind, wish.origin)


def identity(item):
    """What makes two sources the same image: the digest, or while there is none the reference."""
    return item.source.partition("@")[2] or item.source


def mirror_rules(plan):
    """What nodes must be told: [{"source": repository, "mirrors": [repositories], "by": "digest" or "tag"}], sorted.

    Every source has a rule by digest, since whatever runs is pinned to digests sooner or later; a rule by tag is made
    only for images that were asked for by tag, because nodes are drained for those.
    """
    rules = {}
    for item in plan:
        source, mirror = image_ref.parse(item.source).repository, image_ref.parse(item.target).repository
        if item.kind == "signature" or source == mirror:
            continue  # a signature is looked for where its image is found
        for by in ("digest", "tag") if item.source_tag and item.kind in ("operand", "image") else ("digest",):
            mirrors = rules.setdefault((source, by), [])
            if mirror not in mirrors:
                mirrors.append(mirror)
    return [{"source": source, "mirrors": mirrors, "by": by} for (source, by), mirrors in sorted(rules.items())]


def catalog_sources(plan):
    """What each catalog becomes in the cluster: [{"name", "image", "digest", "source"}], in the plan's order.

    name -- the index image's own name, with its tag if another catalog of the plan has the same
    image -- the index on the mirror, by tag; source -- the index as it was asked for
    """
    catalogs = [(image_ref.parse(item.target), image_ref.parse(item.source), item)
                for item in plan if item.kind == "catalog"]
    names = Counter(source.path.rpartition("/")[2] for _mirrored, source, _item in catalogs)
    found = []
    for mirrored, source, item in catalogs:
        name = source.path.rpartition("/")[2]
        found.append({
            "name": object_name(name if names[name] == 1 else "%s-%s" % (name, mirrored.tag)),
            "image": str(mirrored),
            "digest": source.digest or "",
            "source": item.origin,
        })
    return found


def object_name(text):
    """A text as the name of a Kubernetes object: lower case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def rebased(plan, registry):
    """The plan with its targets on another mirror registry."""
    return [item._replace(target="%s/%s" % (registry, item.target.partition("/")[2])) for item in plan]


def lacking(plan, kind, references):
    """Those of `references` (ImageRefs of releases, catalogs or images) that a plan has no Item for."""
    return [reference for reference in references
            if not any(item.kind == kind and answers(item, reference) for item in plan)]


def answers(item, reference):
    """True if an Item is what a reference names; a release is also known by the tag that it has on the mirror."""
    source, tag = image_ref.parse(item.source), reference.tag or "latest"
    if reference.digest:
        return source.digest == reference.digest
    if item.kind == "release" and image_ref.parse(item.target).tag == tag:
        return True
    return source.repository == reference.repository and item.source_tag == tag


def repositories(plan):
    """The repositories of the mirror that the plan fills, as paths, sorted."""
    return sorted({image_ref.parse(item.target).path for item in plan})


def totals(plan):
    """{"images": n, and n of each kind}."""
    counts = Counter(item.kind for item in plan)
    return dict({"images": len(plan)}, **{kind: counts[kind] for kind in KINDS})


def unresolved(plan):
    """The items for whose source no digest was to be had."""
    return [item for item in plan if "@" not in item.source]
