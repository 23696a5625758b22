# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operator catalogs: packages, channels, bundles, the images that they need, and a choice of them.

A file-based catalog is a directory of JSON or YAML documents, any number in a file. JSON is read with the standard
library, one document at a time; YAML needs PyYAML. Of each document only what is named here is kept.
"""
from __future__ import annotations

import difflib
import json
import posixpath
import re
from collections import namedtuple

from . import errors

try:
    import yaml
except ImportError:  # a catalog that is all JSON can do without
    yaml = None

CONFIGS_LABEL = "operators.operatorframework.io.index.configs.v1"
DATABASE_LABEL = "operators.operatorframework.io.index.database.v1"
PACKAGE, CHANNEL, BUNDLE = "olm.package", "olm.channel", "olm.bundle"  # the schemas that are understood
IGNORE_FILE = ".indexignore"
READ_SIZE = 1 << 20
LARGEST_DOCUMENT = 64 << 20

# A document's essence. images: references that it names, its own first; entries: the bundles of a channel; replaced:
# those of them that another one of the channel takes the place of.
Entry = namedtuple("Entry", "schema package name images default_channel entries replaced")
# channels: {name: [bundle names]}; heads: {channel: [names of its newest bundle]}
Package = namedtuple("Package", "name default_channel channels heads")
# images: the bundle image, then what it runs
Bundle = namedtuple("Bundle", "name package images")
# packages: {name: Package}; bundles: {name: Bundle}; images: every reference of the catalog, sorted
Catalog = namedtuple("Catalog", "packages bundles images")
# What of a catalog is wanted. index: the index image; packages: [Pick], or [] for all that it has.
Choice = namedtuple("Choice", "index packages")
# channels: their names, or [] for all of the package; heads_only: only the newest bundle of each.
Pick = namedtuple("Pick", "name channels heads_only")


def directory(labels, reference):
    """Where in a catalog image with these labels its documents are. Raises InvalidInput if it is no such image."""
    if labels.get(CONFIGS_LABEL):
        return labels[CONFIGS_LABEL]
    raise errors.InvalidInput("%s is not an Operator catalog: it has no label %s. Give an index image such as "
                              "registry.redhat.io/redhat/redhat-operator-index:v4.16." % (reference, CONFIGS_LABEL))


def database(labels):
    """Where in a catalog image with these labels its SQLite database is; None if it is no such image."""
    return None if labels.get(CONFIGS_LABEL) else labels.get(DATABASE_LABEL)


def choice(entry):
    """The Choice that a user's entry for a catalog says: the index image alone, or {index, packages}.

    Raises InvalidInput naming what is wrong with it.
    """
    if isinstance(entry, str):
        return Choice(entry, [])
    entry = table(entry, {"index": str, "packages": list}, "index", "A catalog")
    return Choice(entry["index"], [pick(each, entry["index"]) for each in entry.get("packages") or []])


def pick(entry, index):
    """The Pick that a user's entry for a package says: its name alone, or {name, channels, heads_only}."""
    if isinstance(entry, str):
        return Pick(entry, [], False)
    owner = "A package of %s" % index
    entry = table(entry, {"name": str, "channels": list, "heads_only": bool}, "name", owner)
    channels = entry.get("channels") or []
    if not all(isinstance(channel, str) for channel in channels):
        raise errors.InvalidInput("%s: the channels of %s must be names. Quote those that look like numbers."
                                  % (index, entry["name"]))
    return Pick(entry["name"], channels, entry.get("heads_only") or False)


def table(entry, types, required, owner):
    """`entry`, once it is a dict that has the key `required` and no other than those of `types`, {key: type}."""
    if not isinstance(entry, dict):
        raise errors.InvalidInput("%s is given by its name or as a dictionary with %s." % (owner, ", ".join(types)))
    for key, value in entry.items():
        if key not in types:
            raise errors.InvalidInput("%s has no option %s. %s" % (owner, key, near(key, types)))
        if value is not None and not isinstance(value, types[key]):
            raise errors.InvalidInput("%s: %s must be a %s." % (owner, key, types[key].__name__))
    if not entry.get(required):
        raise errors.InvalidInput("%s lacks its %s." % (owner, required))
    return entry


def chosen(catalog, picks, reference):
    """The images of what is picked of a Catalog, sorted; all of them without picks.

    Raises InvalidInput for what the catalog does not have, naming what is near.
    """
    if not picks:
        return catalog.images
    images = set()
    for wanted in picks:
        package = catalog.packages.get(wanted.name)
        if package is None:
            raise errors.InvalidInput("%s has no package %s. %s"
                                      % (reference, wanted.name, near(wanted.name, catalog.packages)))
        for channel in wanted.channels or package.channels:
            if channel not in package.channels:
                raise errors.InvalidInput("%s: the package %s has no channel %s. %s"
                                          % (reference, wanted.name, channel, near(channel, package.channels)))
            for name in (package.heads if wanted.heads_only else package.channels)[channel]:
                if name not in catalog.bundles:
                    raise errors.InvalidInput("%s: the channel %s of %s names the bundle %s, which the catalog lacks."
                                              % (reference, channel, wanted.name, name))
                images.update(catalog.bundles[name].images)
    return sorted(images)


def near(name, names):
    """A sentence with those of `names` that are like `name`, or with the first ones if none is."""
    alike = difflib.get_close_matches(name, list(names), 3) or sorted(names)[:5]
    return "There is: %s." % ", ".join(alike) if alike else "There is none."


class Reader:
    """Collects the files of a catalog, in whatever order they come; `reference` names the catalog in messages."""

    def __init__(self, root, reference):
        self._root = root.strip("/")
        self._reference = reference
        self._files = {}      # path below the root -> [Entry], or the error that reading it ended with
        self._patterns = {}   # directory below the root -> lines of its ignore file

    def take(self, path, stream):
        """Read one file: its path in the image and a stream of its bytes."""
        path = posixpath.relpath(path, self._root)
        if posixpath.basename(path) == IGNORE_FILE:
            self._patterns[posixpath.dirname(path)] = stream.read().decode("utf-8", "replace").splitlines()
            return
        try:
            self._files[path] = [essence(document) for document in documents(stream)]
        except errors.InvalidInput as error:
            self._files[path] = error  # it does not matter if the file turns out to be one to ignore

    def catalog(self):
        """The Catalog of the files taken; raises InvalidInput naming the file that cannot be read."""
        entries = []
        for path in sorted(self._files):
            if ignored(path, self._patterns):
                continue
            found = self._files[path]
            if isinstance(found, errors.InvalidInput):
                raise errors.InvalidInput("%s: /%s/%s: %s" % (self._reference, self._root, path, found.message))
            entries += found
        if not entries:
            raise errors.InvalidInput("%s: the catalog in /%s is empty." % (self._reference, self._root))
        return summary(entries)


def summary(entries):
    """The Catalog that entries add up to."""
    packages = {entry.name: Package(entry.name, entry.default_channel, {}, {})
                for entry in entries if entry.schema == PACKAGE}
    bundles = {}
    for entry in entries:
        if entry.schema == CHANNEL and entry.package in packages:
            packages[entry.package].channels[entry.name] = entry.entries
            packages[entry.package].heads[entry.name] = [name for name in entry.entries if name not in entry.replaced]
        elif entry.schema == BUNDLE:
            bundles[entry.name] = Bundle(entry.name, entry.package, entry.images)
    return Catalog(packages, bundles, sorted({image for entry in entries for image in entry.images}))


def essence(document):
    """The Entry of one document."""
    if not isinstance(document, dict):
        raise errors.InvalidInput("a document is not an object.")
    schema = document.get("schema")
    images = [document.get("image"), *(image.get("image") for image in objects(document, "relatedImages"))]
    entries = objects(document, "entries") if schema == CHANNEL else []
    replaced = {name for entry in entries for name in [entry.get("replaces"), *(entry.get("skips") or [])] if name}
    return Entry(schema, document.get("package"), document.get("name"), [image for image in images if image],
                 document.get("defaultChannel"), [entry.get("name") for entry in entries], replaced)


def objects(document, field):
    """The list of objects in a document's field."""
    found = document.get(field) or []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise errors.InvalidInput("%s is no list of objects." % field)
    return found


def documents(stream):
    """Yield the documents in a file's bytes: JSON ones after another if it begins like that, else YAML."""
    head = stream.read(READ_SIZE)
    stream = Rewound(head, stream)
    return json_documents(stream) if head.lstrip()[:1] == b"{" else yaml_documents(stream)


class Rewound:
    """A stream whose beginning was read already, put together again."""

    def __init__(self, head, stream):
        self._head = head
        self._stream = stream

    def read(self, size):
        if self._head:
            piece, self._head = self._head[:size], self._head[size:]
            return piece
        return self._stream.read(size)


def json_documents(stream):
    """JSON values that follow one another, held in memory one at a time."""
    decoder = json.JSONDecoder()
    blank = re.compile(r"\s*")
    raw = b""
    size = READ_SIZE
    while True:
        more = stream.read(size)
        raw += more
        text = raw.decode("utf-8", "ignore" if more else "replace")  # a character may be cut in two at the end
        position = blank.match(text).end()
        failure = None
        while position < len(text):
            try:
                document, end = decoder.raw_decode(text, position)
            except ValueError as error:
                failure = error
                break
            yield document
            position = blank.match(text, end).end()
        raw = raw[len(text[:position].encode("utf-8")):]
        if not more:
            if failure is not None or raw.strip():
                line = getattr(failure, "lineno", 1)
                raise errors.InvalidInput("it is not JSON: line %d of its last document." % line)
            return
        size = max(READ_SIZE, len(raw))  # an unfinished document is tried again once as much has come as there is
        if len(raw) > LARGEST_DOCUMENT:
            raise errors.InvalidInput("a document is larger than %d MiB, or not JSON." % (LARGEST_DOCUMENT >> 20))


def yaml_documents(stream):
    """YAML documents of one file."""
    if yaml is None:
        raise errors.InvalidInput("it is YAML, which needs PyYAML on the host that plans. Install the package "
                                  "python3-pyyaml (Red Hat) or python3-yaml (Debian) there.")
    try:
        for document in yaml.load_all(stream, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if document is not None:
                yield document
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise errors.InvalidInput("it is neither JSON nor YAML%s." % (" (line %d)" % (mark.line + 1) if mark else ""))


def ignored(path, patterns):
    """True if a file is left out by ignore files, {directory: lines}, which read like those of git."""
    verdict = False
    for place in sorted(patterns, key=len):
        if place and not path.startswith(place + "/"):
            continue
        below = path[len(place) + 1:] if place else path
        for line in patterns[place]:
            line = line.rstrip()
            if line and not line.startswith("#"):
                keep = line.startswith("!")
                if ignore_pattern(line[1:] if keep else line).match(below):
                    verdict = not keep
    return verdict


def ignore_pattern(line):
    """The regular expression for one line of an ignore file, on paths of files relative to its directory."""
    anchored = "/" in line.rstrip("/")
    inside_only = line.endswith("/")
    expression = "" if anchored else "(?:.*/)?"
    for part in re.split(r"(\*\*/|\*\*|\*|\?)", line.strip("/")):
        expression += {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part))
    return re.compile(expression + ("/.*" if inside_only else "(?:/.*)?") + r"\Z")
