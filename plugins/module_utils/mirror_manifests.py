# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests that other tools wrote for a mirror: what they say, without what these tools call it.

oc-mirror leaves them in working-dir/cluster-resources, `oc adm catalog mirror` in manifests-<index>-<time>. Both use the
same names for different content in every workspace, so only content counts here.
"""
from __future__ import annotations

import base64
import binascii
import re
from collections import namedtuple

from . import errors, image_ref, mirror_plan, mirror_sets

try:
    import yaml
except ImportError:  # comes with ansible-core, so only a remote host can be without
    yaml = None

MIRROR_SETS = ("ImageContentSourcePolicy", "ImageDigestMirrorSet", "ImageTagMirrorSet")
SIGNATURES = re.compile(r"sha256-[0-9a-f]{64}(-[0-9]+)?\Z")
SIGNATURE_LABEL = "release.openshift.io/verification-signatures"

# mirrors, catalog_sources, signature_config_maps: as mirror_plan has them; used, ignored: ["Kind name"]
Manifests = namedtuple("Manifests", "mirrors catalog_sources signature_config_maps used ignored")


def documents(text, where):
    """The objects in a file of YAML or JSON documents, those of a List one by one."""
    if yaml is None:
        raise errors.InvalidInput("Reading manifests needs PyYAML. Install python3-pyyaml (Red Hat) or python3-yaml "
                                  "(Debian) on this host.")
    try:
        found = list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = " (line %d)" % (mark.line + 1) if mark else ""
        raise errors.InvalidInput("%s is neither YAML nor JSON%s." % (where, line))
    return [each for document in found if document is not None for each in items(document, where)]


def items(document, where):
    """An object, or what a List holds."""
    if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
        raise errors.InvalidInput("%s holds something that is no Kubernetes object: it has no kind." % where)
    if document["kind"] != "List":
        return [document]
    return [each for item in document.get("items") or [] for each in items(item, where)]


def read(files):
    """The Manifests in {file: text}. Raises InvalidInput or Conflict naming the file, or the objects, at fault."""
    sets, catalogs, config_maps, used, ignored = [], [], {}, [], []
    for where in sorted(files):
        for document in documents(files[where], where):
            label = "%s %s" % (document["kind"], name_of(document))
            try:
                known = take(document, sets, catalogs, config_maps)
            except errors.InvalidInput as error:
                raise errors.InvalidInput("%s: %s: %s" % (where, label, error.message))
            target = used if known else ignored
            if label not in target:
                target.append(label)
    if not used:
        raise errors.InvalidInput("None of the files %s holds a mirror set, a catalog or a signature. Give the directory "
                                  "cluster-resources of oc-mirror, or the one with imageDigestMirrorSet.yaml that oc adm "
                                  "catalog mirror wrote." % (", ".join(sorted(files)) or "(none)"))
    rules = joined(mirror_sets.rules_of(sets))
    return Manifests(rules, named(catalogs, rules), list(config_maps.values()), used, ignored)


def take(document, sets, catalogs, config_maps):
    """Sort a document in; False if it is none that is used."""
    kind = document["kind"]
    if kind in MIRROR_SETS:
        for rule in mirror_sets.rules_of([document]):
            mirror_sets.validate_rule(rule)
        sets.append(document)
    elif kind == "CatalogSource":
        image = field(document, "spec", "image")
        catalogs.append((name_of(document), checked(image)))
    elif kind == "ClusterCatalog":
        image = field(document, "spec", "source", "image", "ref")
        catalogs.append((name_of(document), checked(image)))
    elif kind == "ConfigMap" and SIGNATURE_LABEL in (field(document, "metadata", "labels") or {}):
        for config_map in signatures(document):
            known = config_maps.setdefault(config_map["metadata"]["name"], config_map)
            known["binaryData"].update(config_map["binaryData"])
    else:
        return False
    return True


def name_of(document):
    return str(field(document, "metadata", "name") or "")


def field(document, *path):
    """What is at a path of keys; None where the path ends before."""
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def checked(image):
    image_ref.parse(image)
    return image


def signatures(document):
    """The ConfigMaps, one for each release, of a ConfigMap that may hold signatures of several."""
    found = {}
    for key, value in (document.get("binaryData") or {}).items():
        if not SIGNATURES.match(key):
            raise errors.InvalidInput("%s is not how the signature of a release is called." % key)
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise errors.InvalidInput("%s is not Base64." % key)
        digest = key[:len("sha256-") + 64]
        found.setdefault(digest, {})[key] = value
    return [{"apiVersion": "v1", "kind": "ConfigMap",
             "metadata": {"name": name, "namespace": "openshift-config-managed", "labels": {SIGNATURE_LABEL: ""}},
             "binaryData": data} for name, data in found.items()]


def joined(rules):
    """[{"source", "mirrors", "by", "policy"}] of MirrorRules, each source once, sorted.

    Raises Conflict if two rules for one source do not agree whether the source itself may be asked.
    """
    found = {}
    for rule in rules:
        known = found.setdefault((rule.source, rule.by), dict(source=rule.source, mirrors=[], by=rule.by, policy=rule.policy))
        if known["policy"] != rule.policy:
            raise errors.Conflict("The manifests contradict each other: %s has the policies %s and %s. Leave one of them "
                                  "out." % (rule.source, known["policy"], rule.policy))
        known["mirrors"] += [mirror for mirror in rule.mirrors if mirror not in known["mirrors"]]
    return [found[key] for key in sorted(found)]


def named(catalogs, rules):
    """[{"name", "image", "digest", "source"}] of (name, index image), each image once, no name twice."""
    found = {}
    for name, image in catalogs:
        if image in (entry["image"] for entry in found.values()):
            continue
        wanted = mirror_plan.object_name(name)
        unique, number = wanted, 2
        while unique in found:
            unique, number = "%s-%d" % (wanted, number), number + 1
        found[unique] = dict(name=unique, image=image, digest=image_ref.parse(image).digest or "",
                             source=source_of(image, rules))
    return list(found.values())


def source_of(image, rules):
    """How an index image is called outside, if the rules tell; else how it is called on the mirror."""
    reference = image_ref.parse(image)
    sources = {rule["source"] + reference.repository[len(mirror):] for rule in rules for mirror in rule["mirrors"]
               if (reference.repository + "/").startswith(mirror + "/")}
    if len(sources) != 1:
        return image
    return sources.pop() + image[len(reference.repository):]
