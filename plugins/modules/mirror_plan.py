# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_plan
short_description: List every image that a disconnected cluster needs, and where it goes
version_added: 0.1.0
description:
  - Reads release images and Operator catalogs in their registries and lists each image that they refer to as data,
    with its source by digest, and its repository and tag on the mirror registry. Nothing is copied.
  - Repositories and tags on the mirror are those that C(oc adm release mirror) and C(oc adm catalog mirror) choose,
    so that what these commands have mirrored counts as present.
  - Includes the Sigstore signature of a release image, if it has one, which clusters from 4.21 on want to see, and
    returns the ConfigMap with the signatures that the cluster verifies before an update.
  - Returns with it what the cluster must be told, as rules for M(disconnected.openshift.image_mirror_sets), and the
    catalog sources that the catalogs become.
author:
  - The disconnected.openshift maintainers (!UNKNOWN)
extends_documentation_fragment:
  - disconnected.openshift.attributes
  - disconnected.openshift.registry
attributes:
  check_mode:
    support: full
    details: The plan is made and returned; only O(dest) is not written.
  diff_mode:
    support: full
options:
  registry:
    description: >-
      The mirror registry, C(host[:port]), exactly as the cluster shall name it. It is talked to only with
      O(mirrored_first).
    type: str
    required: true
  release_images:
    description: >-
      Release images, by digest or tag, such as V(quay.io/openshift-release-dev/ocp-release:4.16.30-x86_64).
      Several are for updates.
    type: list
    elements: str
    default: []
  release_repository:
    description: Repository on the mirror for releases. A release image and all its components go there.
    type: str
    default: ocp/release
  catalogs:
    description:
      - Index images of Operator catalogs, such as V(registry.redhat.io/redhat/redhat-operator-index:v4.16).
      - Each is the name of an index image, or a dictionary with C(index), its name, and C(packages), what to take of it.
        Each package is its name, or a dictionary with C(name), C(channels) (a list of names; all of them if it is
        left out) and C(heads_only) (V(true) for only the newest version in each channel).
      - Packages that a picked one depends on have to be picked as well. The index image itself stays whole, and the
        cluster still shows what was not picked.
      - The catalog is read from the linux/amd64 image of the index; the index and all that it names are planned for
        every architecture that they have.
      - File-based catalogs are read, and SQLite ones. Those that hold YAML need PyYAML on the host where the module
        runs.
    type: list
    elements: raw
    default: []
  catalog_namespace:
    description: Namespace on the mirror for the images of catalogs.
    type: str
    default: olm
  images:
    description: >-
      Other images, by digest or tag. They keep their path and tag; one by digest alone gets a tag from its name.
    type: list
    elements: str
    default: []
  signature_stores:
    description:
      - Addresses of the stores to look for the signatures of releases in. The first one that has any is taken.
      - A store that cannot be reached causes a warning and no failure. With an empty list none is asked.
    type: list
    elements: str
    default:
      - https://mirror.openshift.com/pub/openshift-v4/signatures/openshift/release
      - https://storage.googleapis.com/openshift-release/official/signatures/openshift/release
  archive:
    description:
      - An archive that M(disconnected.openshift.mirror_images) wrote, on the host where the module runs. The plan is
        then taken from it, for O(registry), and no other registry is asked.
      - The archive must hold what O(release_images), O(catalogs) and O(images) name. It may hold more, which is then in
        the plan as well.
    type: path
  dest:
    description:
      - Path of a file to write the plan to, as JSON, for O(disconnected.openshift.mirror_images#module:plan_file).
      - When the file is there and its releases and catalogs are still the same, their contents are taken from it
        instead of being read again.
    type: path
  mirrored_first:
    description:
      - Read each release, each catalog and each tag from the mirror registry where they are there already, and only
        what is not there from where it comes from. The plan is then what the mirror registry serves, and can be made
        where the internet cannot be reached any more.
      - Has no effect with O(archive).
    type: bool
    default: false
  workers:
    description: How many requests run at a time while tags are looked up.
    type: int
    default: 8
seealso:
  - module: disconnected.openshift.mirror_images
  - module: disconnected.openshift.image_mirror_sets
  - module: disconnected.openshift.release_signatures
"""

EXAMPLES = r"""
- name: Plan a release, a catalog and an application
  disconnected.openshift.mirror_plan:
    registry: mirror.example.com:8443
    release_images:
      - quay.io/openshift-release-dev/ocp-release:4.16.30-x86_64
    catalogs:
      - registry.redhat.io/redhat/certified-operator-index:v4.16
      - index: registry.redhat.io/redhat/redhat-operator-index:v4.16
        packages:
          - web-terminal
          - name: quay-operator
            channels: [stable-3.11]
            heads_only: true
    images:
      - quay.io/example/shop:1.4
    auth_file: ~/.config/disconnected.openshift/auth.json
  register: mirror_plan_result

- name: Show how much it is
  ansible.builtin.debug:
    var: mirror_plan_result.totals
"""

RETURN = r"""
plan:
  description: Every image, each target once, in the order releases, catalogs, images.
  returned: success
  type: list
  elements: dict
  contains:
    source:
      description: >-
        Where the image is, by its digest. By its tag if the tag could not be looked up; see RV(unresolved).
      type: str
      sample: quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:0123456789abcdef...
    source_tag:
      description: The tag by which it was asked for; empty if it was by its digest.
      type: str
    target:
      description: Where it goes, by tag.
      type: str
      sample: mirror.example.com:8443/ocp/release:4.16.30-x86_64-cli
    kind:
      description: One of V(release), V(component), V(signature), V(catalog), V(operand), V(image).
      type: str
    origin:
      description: The release image or catalog that asks for it, or V(images).
      type: str
mirrors:
  description: What the nodes must be told, for O(disconnected.openshift.image_mirror_sets#module:mirrors).
  returned: success
  type: list
  elements: dict
  contains:
    source:
      description: A repository that images are pulled from.
      type: str
    mirrors:
      description: The repositories on the mirror that hold the same.
      type: list
      elements: str
    by:
      description: V(digest), or V(tag) for repositories whose images were asked for by tag.
      type: str
catalog_sources:
  description: What each catalog becomes in the cluster.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: A name for the object, made from the index image's.
      type: str
    image:
      description: The index image on the mirror, by tag.
      type: str
    digest:
      description: The index image's digest.
      type: str
    source:
      description: The index image as it was asked for.
      type: str
signature_config_maps:
  description: >-
    The ConfigMaps with the releases' signatures, as far as the stores have them, for
    O(disconnected.openshift.release_signatures#module:config_maps).
  returned: success
  type: list
  elements: dict
repositories:
  description: The repositories on the mirror that the plan fills, as paths without the registry.
  returned: success
  type: list
  elements: str
totals:
  description: How many images there are, in all under C(images) and of each kind.
  returned: success
  type: dict
unresolved:
  description: Images whose tag could not be looked up. They are tried again when the plan is carried out.
  returned: success
  type: list
  elements: dict
  contains:
    source:
      description: The image by its tag.
      type: str
    target:
      description: Where it would go.
      type: str
    reason:
      description: Why its tag could not be looked up.
      type: str
"""

import os
import tempfile

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import (
    archive_layout, archive_reader, catalog_database, errors, image_files, image_ref, mirror_plan, operator_catalog,
    registry_inputs, release_payload, signature_store, transfer,
)

STORES = [
    "https://mirror.openshift.com/pub/openshift-v4/signatures/openshift/release",
    "https://storage.googleapis.com/openshift-release/official/signatures/openshift/release",
]


def main():
    module = AnsibleModule(
        argument_spec=dict(
            registry_inputs.ARGUMENT_SPEC,
            registry=dict(required=True),
            release_images=dict(type="list", elements="str", default=[]),
            release_repository=dict(default="ocp/release"),
            catalogs=dict(type="list", elements="raw", default=[]),
            catalog_namespace=dict(default="olm"),
            images=dict(type="list", elements="str", default=[]),
            signature_stores=dict(type="list", elements="str", default=STORES),
            archive=dict(type="path"),
            dest=dict(type="path"),
            mirrored_first=dict(type="bool", default=False),
            workers=dict(type="int", default=8),
        ),
        supports_check_mode=True,
    )
    try:
        image_ref.check_mirror_registry(module.params["registry"])
        with registry_inputs.connect(module) as registries:
            result = Planner(module, registries).result()
    except errors.Error as error:
        module.fail_json(**error.result())
    module.exit_json(**result)


class Planner:
    """Reads what the options name and makes the plan of it."""

    def __init__(self, module, registries):
        self._module = module
        self._params = module.params
        self._registries = registries
        self._releases = [image_ref.parse(text) for text in dict.fromkeys(self._params["release_images"])]
        self._choices = [operator_catalog.choice(entry) for entry in self._params["catalogs"]]
        self._catalogs = [image_ref.parse(choice.index) for choice in self._choices]
        self._images = [image_ref.parse(text) for text in self._params["images"]]

    def result(self):
        before = read_plan(self._params["dest"])
        if self._params["archive"] is None:
            document, reasons = self._plan(before)
        else:
            document, reasons = self._archived(), {}
        plan = [mirror_plan.Item(**item) for item in document["items"]]
        unresolved = [dict(source=item.source, target=item.target,
                           reason=reasons.get(item.source, "The archive does not hold %s." % item.source))
                      for item in mirror_plan.unresolved(plan)]
        for each in unresolved:
            self._module.warn("Not found yet, and tried again when mirroring: %s" % each["reason"])
        result = dict(
            changed=self._params["dest"] is not None and document != before,
            plan=document["items"],
            mirrors=mirror_plan.mirror_rules(plan),
            catalog_sources=mirror_plan.catalog_sources(plan),
            signature_config_maps=document["signature_config_maps"],
            repositories=mirror_plan.repositories(plan),
            totals=mirror_plan.totals(plan),
            unresolved=unresolved,
        )
        if result["changed"]:
            result["diff"] = dict(before=lines(before), after=lines(document), before_header=self._params["dest"],
                                  after_header=self._params["dest"])
            if not self._module.check_mode:
                write_plan(self._module, self._params["dest"], document)
        return result

    def _plan(self, before):
        """(the document of a plan file, {reference: why its tag could not be looked up})."""
        places = self._places()
        inputs = self._inputs(places)
        kept = before if before and before["inputs"] == inputs else None
        wishes = wishes_of(kept) if kept else self._read(places)
        digests, reasons = self._digests([wish for wish in wishes if not wish.reference.digest])
        items = mirror_plan.items(wishes, digests)
        signatures = kept and kept["signature_config_maps"] or self._signatures(items)
        return {"format": archive_layout.PLAN_FORMAT, "inputs": inputs, "items": [item._asdict() for item in items],
                "signature_config_maps": signatures}, reasons

    def _digests(self, wishes):
        """({reference: digest}, {reference: why that is not known}) for Wishes by tag."""
        there = {}
        if self._params["mirrored_first"]:
            mirrored, _absent = self._ask({str(wish.target) for wish in wishes})
            there = {str(wish.reference): mirrored[str(wish.target)] for wish in wishes if str(wish.target) in mirrored}
        digests, reasons = self._ask({str(wish.reference) for wish in wishes} - set(there))
        return dict(digests, **there), reasons

    def _ask(self, references):
        return transfer.digests(sorted(references), self._registries, self._params["workers"])

    def _archived(self):
        """The document of the plan in the archive, for this mirror registry."""
        path = self._params["archive"]
        reader = archive_reader.Reader(path)
        document = reader.plan()
        sources = archive_layout.resolved(document["items"], reader.index())
        plan = [mirror_plan.Item(source, item.get("source_tag") or "", target, item.get("kind") or "image",
                                 item.get("origin") or "") for item, (source, target) in zip(document["items"], sources)]
        for kind, wanted in (("release", self._releases), ("catalog", self._catalogs), ("image", self._images)):
            lacking = mirror_plan.lacking(plan, kind, wanted)
            if lacking:
                held = sorted({item.source if item.kind == "image" else item.target.partition("/")[2]
                               for item in plan if item.kind == kind})
                raise errors.InvalidInput(
                    "The archive %s is another one than was asked for: it has no %s %s. It has: %s."
                    % (path, kind, lacking[0], ", ".join(held[:10]) or "none"))
        items = mirror_plan.rebased(plan, self._params["registry"])
        return {"format": archive_layout.PLAN_FORMAT, "inputs": document.get("inputs"),
                "items": [item._asdict() for item in items],
                "signature_config_maps": document.get("signature_config_maps", [])}

    def _inputs(self, places):
        """What the plan is made from, exactly: if it is the same again, so is the plan but for tags that have moved."""
        def pinned(image):
            return "%s@%s" % (str(image).partition("@")[0], places[image].digest)

        return {
            "registry": self._params["registry"],
            "release_repository": self._params["release_repository"],
            "catalog_namespace": self._params["catalog_namespace"],
            "releases": [pinned(image) for image in self._releases],
            "catalogs": [dict(index=pinned(image), packages=[list(pick) for pick in choice.packages])
                         for image, choice in zip(self._catalogs, self._choices)],
            "images": [str(image) for image in self._images],
        }

    def _places(self):
        """{a release or catalog: where it is read, with its digest}; raises NotFound if one does not exist."""
        places = {image: self._place(image, self._mirrored_release(image)) for image in self._releases}
        places.update((image, self._place(image, self._mirrored_catalog(image))) for image in self._catalogs)
        return places

    def _place(self, image, mirrored):
        """Where an image that was asked for is read, if need be as `mirrored`, which is where the mirror would have it."""
        for place in [mirrored, image] if self._params["mirrored_first"] else [image]:
            digest = self._digest(place) if place is mirrored else image.digest or self._digest(image)
            if digest:
                return place.with_digest(digest)
        raise errors.NotFound("%s does not exist. Check its name and tag." % image)

    def _mirrored_release(self, image):
        """Where a release is on the mirror, by its digest or by the tag that it has in both places."""
        return image_ref.ImageRef(self._params["registry"], self._params["release_repository"], image.tag, image.digest)

    def _mirrored_catalog(self, image):
        """Where an index image is on the mirror."""
        wish = mirror_plan.catalog_wish(image, "catalog", image, self._params["registry"], self._params["catalog_namespace"])
        return wish.target.with_digest(image.digest) if image.digest else wish.target

    def _digest(self, image):
        return self._registries[image.registry].digest(image.path, image.digest or image.tag or "latest")

    def _read(self, places):
        wishes = []
        for image in self._releases:
            wishes += self._release(image, places[image])
        for image, choice in zip(self._catalogs, self._choices):
            wishes += self._catalog(image, places[image], choice.packages)
        return wishes + [mirror_plan.image_wish(image, self._params["registry"]) for image in self._images]

    def _release(self, reference, place):
        registry = self._registries[place.registry]
        image, top = image_files.open_image(registry, place.path, place.digest)
        architecture = release_payload.MULTI if top.is_index else image.architecture
        release = release_payload.parse(image.read(release_payload.FILES), architecture, str(reference))
        pinned = reference.with_digest(top.digest)
        target = self._params["registry"], self._params["release_repository"]
        wishes = mirror_plan.release_wishes(pinned, release, *target)
        if registry.digest(place.path, release_payload.signature_tag(top.digest)):
            wishes.append(mirror_plan.signature_wish(pinned, *target))
        return wishes

    def _catalog(self, reference, place, picks):
        image, _top = image_files.open_image(self._registries[place.registry], place.path, place.digest)
        database = operator_catalog.database(image.labels)
        catalog = self._database(image, database, reference) if database else self._files(image, reference)
        images = operator_catalog.chosen(catalog, picks, str(reference))
        wishes, problems = mirror_plan.catalog_wishes(reference, images, self._params["registry"],
                                                      self._params["catalog_namespace"])
        for problem in problems:
            self._module.warn(problem)
        return wishes

    @staticmethod
    def _files(image, reference):
        """The Catalog of a file-based index image."""
        directory = operator_catalog.directory(image.labels, str(reference))
        reader = operator_catalog.Reader(directory, str(reference))
        image.walk(directory, reader.take)
        return reader.catalog()

    def _database(self, image, path, reference):
        """The Catalog of an index image with an SQLite database."""
        with tempfile.NamedTemporaryFile(dir=self._module.tmpdir, buffering=0) as file:
            if not image.extract(path.strip("/"), file):
                raise errors.InvalidInput("%s is labelled as a SQLite catalog, but has no file %s." % (reference, path))
            return catalog_database.read(file.name, str(reference))

    def _signatures(self, items):
        """The ConfigMaps with what the stores have for the plan's releases."""
        found = []
        releases = [image_ref.parse(item.source) for item in items if item.kind == "release"]
        with signature_store.SignatureStores(self._params["signature_stores"], self._params["ca_files"],
                                             self._params["ca_content"]) as stores:
            for release in releases:
                signatures, problems = stores.signatures(release.digest)
                for problem in problems:
                    self._module.warn("No signature of %s was read: %s" % (release, problem))
                if signatures:
                    found.append(release_payload.signature_config_map(release.digest, signatures))
        return found


def read_plan(path):
    """The document in a plan file, or None if there is none that this module wrote."""
    try:
        with open(path or "", "rb") as file:
            document = archive_layout.read_plan(file.read(), path)
    except (OSError, errors.InvalidInput):
        return None
    return document if {"inputs", "signature_config_maps"} <= set(document) else None


def wishes_of(document):
    """The Wishes that a plan file's items were made of."""
    wishes = []
    for item in document["items"]:
        source = image_ref.parse(item["source"])
        if item["source_tag"]:
            source = source.with_tag(item["source_tag"])
        wishes.append(mirror_plan.Wish(source, image_ref.parse(item["target"]), item["kind"], item["origin"]))
    return wishes


def write_plan(module, path, document):
    descriptor, temporary = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(descriptor, "wb") as file:
        file.write(archive_layout.encode(document))
    module.atomic_move(temporary, path)


def lines(document):
    """A plan as people compare it."""
    return "".join("%s -> %s\n" % (item["source"], item["target"]) for item in (document or {"items": []})["items"])


if __name__ == "__main__":
    main()
