# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an OpenShift release image says of itself: its version, its architecture and its components."""
from __future__ import annotations

import base64
import json
import re
from collections import namedtuple

from . import errors, image_ref

IMAGE_REFERENCES = "release-manifests/image-references"
RELEASE_METADATA = "release-manifests/release-metadata"
FILES = (IMAGE_REFERENCES, RELEASE_METADATA)

# architecture: as OpenShift writes it in tags, such as "x86_64"; components: [(name, pull specification by digest)].
Release = namedtuple("Release", "version architecture components")

# Go's names of architectures where OpenShift's differ.
ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
MULTI = "multi"
VERSION = re.compile(r"\d+\.\d+\.\d+[0-9A-Za-z.-]*\Z")


def parse(files, architecture, reference):
    """The Release in a release image's files.

    files -- {path: bytes} with what exists of FILES
    architecture -- of the image as Go writes it, or MULTI if the release image is a list of images
    reference -- how the image is called, for messages
    Raises InvalidInput if it is not a release image, or one that cannot be mirrored faithfully.
    """
    if IMAGE_REFERENCES not in files:
        raise errors.InvalidInput("%s is not a release image: it has no /%s. Give an image of a release repository, "
                                  "such as quay.io/openshift-release-dev/ocp-release." % (reference, IMAGE_REFERENCES))
    stream = load(files[IMAGE_REFERENCES], IMAGE_REFERENCES, reference)
    if (stream.get("kind"), stream.get("apiVersion")) != ("ImageStream", "image.openshift.io/v1"):
        raise errors.InvalidInput("%s is not a release image that can be read: its /%s is no ImageStream of "
                                  "image.openshift.io/v1." % (reference, IMAGE_REFERENCES))
    version = (stream.get("metadata") or {}).get("name") or ""
    if not VERSION.match(version):
        raise errors.InvalidInput("%s: the release calls itself %r, which is no version." % (reference, version))
    metadata = load(files[RELEASE_METADATA], RELEASE_METADATA, reference) if RELEASE_METADATA in files else {}
    if metadata.get("version", version) != version:
        raise errors.InvalidInput("%s contradicts itself: version %s in /%s, %s in /%s."
                                  % (reference, version, IMAGE_REFERENCES, metadata["version"], RELEASE_METADATA))
    return Release(version, ARCHITECTURES.get(architecture, architecture), components(stream, reference))


def components(stream, reference):
    """[(name, pull specification by digest)] of the release's ImageStream, in its order."""
    found = []
    for tag in (stream.get("spec") or {}).get("tags") or []:
        source = tag.get("from") or {}
        if source.get("kind") != "DockerImage":
            continue
        image = image_ref.parse(source.get("name") or "")
        if not image.digest or image.tag:
            raise errors.InvalidInput("%s: the component %s is not given by its digest alone: %s."
                                      % (reference, tag.get("name"), source.get("name")))
        found.append((tag["name"], str(image)))
    if not found:
        raise errors.InvalidInput("%s is a release image without components." % reference)
    return found


def load(raw, path, reference):
    try:
        document = json.loads(raw.decode("utf-8"))
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise errors.InvalidInput("%s: its /%s is not a JSON object." % (reference, path))
    return document


def signature_config_map(digest, signatures):
    """The ConfigMap from which a cluster takes the signatures (bytes) of the release image with this digest."""
    name = digest.replace(":", "-")
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "openshift-config-managed",
                     "labels": {"release.openshift.io/verification-signatures": ""}},
        "binaryData": {"%s-%d" % (name, number): base64.b64encode(signature).decode("ascii")
                       for number, signature in enumerate(signatures, 1)},
    }


def signature_tag(digest):
    """The tag under which a Sigstore signature of the image with this digest lies, in the image's own repository."""
    return digest.replace(":", "-") + ".sig"
