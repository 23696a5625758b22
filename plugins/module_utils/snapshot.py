# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a cluster was before it was converted, and the Secret that keeps it for the way back.

The Secret's keys are made to be used by hand, too: `<kind>.<name>.json` is a merge patch that puts one object back, and
`registries-<digest>.conf` the file that the nodes of a pool had. `written.json` holds the patches that were written
since in their place, so that what somebody else changed after that is told apart. Entries of the pull secret are not in
it: the module global_pull_secret keeps those that it displaces in a Secret of their own.
"""
from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Dict, List, Tuple

from . import errors

NAMESPACE = "openshift-config"
NAME = "disconnected-openshift-snapshot"
DISPLACED_NAME = "disconnected-openshift-displaced-registries"  # the Secret with entries of the pull secret
SCHEMA = 1
LARGEST = 900_000  # bytes of all values; the API takes objects of one MiB, of which a third more is base64's
FILE_PREFIX = "registries-"


@dataclass(frozen=True)
class Tracked:
    """A kind of object of which the collection changes some fields of `spec`; `name` None means every one of it."""

    api_version: str
    kind: str
    name: str
    fields: Tuple[str, ...]

    def key(self, name):
        """The key in the Secret of the object of that name."""
        return "%s.%s.json" % (self.kind.lower(), name)


IMAGE = Tracked("config.openshift.io/v1", "Image", "cluster", ("additionalTrustedCA",))
OPERATOR_HUB = Tracked("config.openshift.io/v1", "OperatorHub", "cluster", ("disableAllDefaultSources", "sources"))
CLUSTER_VERSION = Tracked("config.openshift.io/v1", "ClusterVersion", "version", ("channel", "upstream"))
SAMPLES = Tracked("samples.operator.openshift.io/v1", "Config", "cluster", ("managementState", "samplesRegistry"))
CLUSTER_CATALOG = Tracked("olm.operatorframework.io/v1", "ClusterCatalog", None, ("availabilityMode",))
TRACKED = (IMAGE, OPERATOR_HUB, CLUSTER_VERSION, SAMPLES, CLUSTER_CATALOG)


@dataclass(frozen=True)
class Snapshot:
    """`objects`: {key: merge patch} as the objects were; `written`: {key: merge patch} of what was written since.

    `pools`: {pool: the text of its nodes' registries.conf}. `release`: the version that the cluster had. `problems`: what
    was unwell, as predicates.problems tells it.
    """

    release: str = ""
    objects: Dict[str, Dict] = field(default_factory=dict)
    pools: Dict[str, str] = field(default_factory=dict)
    written: Dict[str, Dict] = field(default_factory=dict)
    problems: List[Dict] = field(default_factory=list)

    def with_written(self, key, before, patch):
        """The snapshot that also knows that `patch` takes the place of `before`.

        A field that is still as it was written keeps the value that was recorded for it. Any other one was changed by
        somebody after it was recorded, or not written at all by a run that was killed: the value to come back to is the
        one that is there.
        """
        fields = dict(before["spec"])
        if key in self.written:
            fields.update((name, self.objects[key]["spec"].get(name)) for name, value in before["spec"].items()
                          if value == self.written[key]["spec"].get(name))
        return replace(self, objects=dict(self.objects, **{key: {"spec": fields}}), written=dict(self.written, **{key: patch}))

    def way_back(self, key, now):
        """({field: value to put back}, {field: value that it had}) of the object of that key, whose tracked fields are
        `now`: those that are as they were written, and those that somebody changed since, which are left."""
        before, written = self.objects[key]["spec"], self.written[key]["spec"]
        changed = {name: value for name, value in before.items() if now.get(name) != value}
        return ({name: value for name, value in changed.items() if now.get(name) == written.get(name)},
                {name: value for name, value in changed.items() if now.get(name) != written.get(name)})

    def without_written(self, key):
        """The snapshot after the object of that key was put back, or left to whoever changed it."""
        return replace(self, written={name: patch for name, patch in self.written.items() if name != key})


def fields_of(tracked, obj):
    """The merge patch that brings the tracked fields of an object (None: it is not there) back to what they are."""
    spec = (obj or {}).get("spec") or {}
    return {"spec": {name: spec.get(name) for name in tracked.fields}}


def tracked_objects(objects):
    """[(Tracked, object)] of those documents whose kind is tracked."""
    return [(tracked, obj) for tracked in TRACKED for obj in objects
            if (obj["apiVersion"], obj["kind"]) == (tracked.api_version, tracked.kind)
            and tracked.name in (None, obj["metadata"]["name"])]


def take(release, objects, pools, problems=()):
    """The Snapshot of these documents; `pools` is {pool: text of registries.conf}."""
    return Snapshot(release, {tracked.key(obj["metadata"]["name"]): fields_of(tracked, obj)
                              for tracked, obj in tracked_objects(objects)}, dict(pools), problems=list(problems))


def to_data(snapshot):
    """The `data` of the Secret, values in base64. Raises InvalidInput where it would be larger than a Secret may be; problems
    that there is no room for are left out, and count as new then."""
    files = {_file_of(text): text for text in snapshot.pools.values()}
    documents = {
        "schema": SCHEMA,
        "release.json": snapshot.release,
        "pools.json": {pool: _file_of(text) for pool, text in sorted(snapshot.pools.items())},
        "written.json": snapshot.written,
    }
    documents.update(snapshot.objects)
    texts = dict({key: json.dumps(document, sort_keys=True) for key, document in documents.items()}, **files)
    size = sum(len(text.encode("utf-8")) for text in texts.values())
    problems = json.dumps(snapshot.problems, sort_keys=True)
    texts["problems.json"] = problems if size + len(problems) <= LARGEST else "[]"
    if size + len(texts["problems.json"]) > LARGEST:
        raise errors.InvalidInput(
            "How the cluster is now takes %d bytes, and Secret %s in %s may hold %d. It is the pools' registries.conf that "
            "are so large: bring the pools to one and the same configuration first." % (size, NAME, NAMESPACE, LARGEST))
    return {key: base64.b64encode(text.encode("utf-8")).decode("ascii") for key, text in texts.items()}


def from_data(data):
    """The Snapshot in the `data` of a Secret. Raises InvalidInput when it cannot be read, naming the key."""
    schema = _document(data, "schema")
    if schema != SCHEMA:
        raise errors.InvalidInput("Secret %s in %s has schema %s, and this release of the collection knows %d. Use the "
                                  "release that wrote it." % (NAME, NAMESPACE, schema, SCHEMA))
    release, written = _document(data, "release.json", str), _document(data, "written.json", dict)
    kinds = tuple(tracked.kind.lower() + "." for tracked in TRACKED)
    objects = {key: _document(data, key, dict) for key in {*data, *written} if key.startswith(kinds)}
    for key, patch in [*objects.items(), *(("written.json", patch) for patch in written.values())]:
        if not isinstance(patch, dict) or not isinstance(patch.get("spec"), dict):
            raise _changed_by_hand(key, "what is no patch of a spec")
    return Snapshot(
        release=release,
        objects=objects,
        pools={pool: _text(data, str(key)) for pool, key in _document(data, "pools.json", dict).items()},
        written={key: patch for key, patch in written.items() if key in objects},
        problems=[entry for entry in _document(data, "problems.json", list) if isinstance(entry, dict)]
        if "problems.json" in data else [])


def _file_of(text):
    """The key of a registries.conf: pools with the same one share it."""
    return "%s%s.conf" % (FILE_PREFIX, hashlib.sha256(text.encode("utf-8")).hexdigest()[:16])


def _text(data, key):
    try:
        return base64.b64decode(data[key], validate=True).decode("utf-8")
    except (KeyError, binascii.Error, UnicodeDecodeError):
        raise errors.InvalidInput("Secret %s in %s has no readable key %s: it was changed by hand. Put back what it lacks, "
                                  "or see the documentation on restoring by hand." % (NAME, NAMESPACE, key)) from None


def _document(data, key, kind=object):
    try:
        document = json.loads(_text(data, key))
    except ValueError:
        raise _changed_by_hand(key, "what is no JSON") from None
    if not isinstance(document, kind):
        raise _changed_by_hand(key, "JSON of another kind")
    return document


def _changed_by_hand(key, what):
    return errors.InvalidInput(
        "Secret %s in %s holds under %s %s: it was changed by hand. Put back what it held, or see the documentation on "
        "restoring by hand." % (NAME, NAMESPACE, key, what))
