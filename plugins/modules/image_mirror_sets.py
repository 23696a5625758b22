# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: image_mirror_sets
short_description: Tell a cluster which mirrors to pull its images from
version_added: 0.1.0
description:
  - Writes the objects that make every node look for images in mirrors first. They are an
    C(ImageDigestMirrorSet) and an C(ImageTagMirrorSet), or an C(ImageContentSourcePolicy) on releases that do
    not serve those, or lose all mirrors when both kinds are there.
  - Only objects with the label C(app.kubernetes.io/managed-by=disconnected.openshift) are ever changed or
    deleted, and of those only the ones that were written under the same O(name).
  - The machine-config operator reports nothing on an object that it refuses, and stops rendering the mirrors
    of the whole cluster because of it. So what it would refuse is refused here, before anything is written,
    naming the object at fault. That holds for the rules given, for other people's objects, and for the two
    together.
  - What is wanted is created before what is no longer wanted is deleted, so that no node is without its
    mirrors in between; as a node's file is what all objects make together, changing the kind of object is no
    change for the nodes.
  - A warning tells where the cluster's other objects for the same source make the nodes try mirrors in another order
    than the one asked for.
  - New digest mirrors make the nodes reload CRI-O. Tag mirrors, and removing a mirror, make them drain as
    well. See M(disconnected.openshift.machine_config_rollout) for the forecast.
author:
  - The disconnected.openshift maintainers (!UNKNOWN)
extends_documentation_fragment:
  - disconnected.openshift.cluster
  - disconnected.openshift.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  mirrors:
    description:
      - The rules, as M(disconnected.openshift.mirror_plan) returns them. Required with O(state=present).
      - Rules for one source are joined to one list of mirrors, in their order.
    type: list
    elements: dict
    suboptions:
      source:
        description: What the images' references begin with, C(host[:port]), C(host[:port]/path) or
          C(*.domain).
        type: str
        required: true
      mirrors:
        description: Where to look instead, in this order, C(host[:port]) or C(host[:port]/path).
        type: list
        elements: str
        required: true
      policy:
        description:
          - Whether the source itself is tried when every mirror failed.
          - V(NeverContactSource) cannot be said in an C(ImageContentSourcePolicy).
        type: str
        choices: [AllowContactingSource, NeverContactSource]
        default: AllowContactingSource
      by:
        description:
          - Which references the rule is for, those with a digest or those with a tag.
          - Rules by tag need a cluster that serves C(ImageTagMirrorSet), that is OpenShift 4.13 or later. See O(tags).
        type: str
        choices: [digest, tag]
        default: digest
  name:
    description:
      - Name of the objects, and their common mark. A second object of one kind gets C(-2) added to it.
      - V(disconnected-openshift) if it is left out with O(state=present). If it is left out with
        O(state=absent), all objects of this collection are meant, whatever their name.
    type: str
  state:
    description:
      - V(present) makes the rules, and no others under this O(name), hold.
      - V(absent) deletes the objects.
    type: str
    choices: [present, absent]
    default: present
  kind:
    description:
      - V(auto) takes C(ImageDigestMirrorSet) where the cluster serves it and renders it safely beside what is
        there, else C(ImageContentSourcePolicy).
      - V(idms) and V(icsp) insist on one of them, and fail where it cannot be.
    type: str
    choices: [auto, idms, icsp]
    default: auto
  tags:
    description:
      - What becomes of rules by tag on a cluster that cannot mirror tags, which is one before OpenShift 4.13, or an
        early 4.13 or 4.14 that has an C(ImageContentSourcePolicy).
      - With V(if_served) they are left out. A warning and RV(uncovered) name their sources, whose images by tag are
        then pulled from where they always were, and cannot be pulled at all once the cluster is cut off.
      - With V(required) the task fails.
    type: str
    choices: [if_served, required]
    default: if_served
  migrate:
    description:
      - Names of C(ImageContentSourcePolicies) of others to replace, each by an C(ImageDigestMirrorSet) of the same name
        and content. It stays theirs, and O(state=absent) does not delete it.
      - The new object is created before the former is deleted, so that the nodes' file never changes.
      - One that was replaced already is left as it is.
    type: list
    elements: str
    default: []
  unowned:
    description:
      - With O(state=absent), names of objects to delete although this collection did not write them, as C(name) or
        C(Kind name); for clusters that were converted by hand. One that does not exist is passed over.
    type: list
    elements: str
    default: []
  labels:
    description: Further labels of the objects.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Pull the release and its components from the mirror registry
  disconnected.openshift.image_mirror_sets:
    mirrors:
      - source: quay.io/openshift-release-dev/ocp-release
        mirrors: [mirror.example.com:5000/ocp/release]
      - source: quay.io/openshift-release-dev/ocp-v4.0-art-dev
        mirrors: [mirror.example.com:5000/ocp/release]

- name: Let nothing but the mirror be asked for an application's tags
  disconnected.openshift.image_mirror_sets:
    name: applications
    mirrors:
      - source: quay.io/example
        mirrors: [mirror.example.com:5000/apps]
        by: tag
        policy: NeverContactSource

- name: Replace an administrator's ImageContentSourcePolicies on the way
  disconnected.openshift.image_mirror_sets:
    mirrors: "{{ mirrors }}"
    migrate: [corporate-proxy]

- name: Remove the mirrors of a cluster that was converted by hand
  disconnected.openshift.image_mirror_sets:
    unowned: [mirror-ocp, ocp4-index-0]
    state: absent

- name: Remove all mirrors that this collection configured
  disconnected.openshift.image_mirror_sets:
    state: absent
"""

RETURN = r"""
objects:
  description: The objects that carry the rules, as they are wanted; none with O(state=absent).
  returned: success
  type: list
  elements: dict
kind:
  description: The kind of object that carries the rules by digest; empty with O(state=absent).
  returned: success
  type: str
  sample: ImageDigestMirrorSet
created:
  description: Objects that were created, as C(kind name).
  returned: success
  type: list
  elements: str
  sample: ["ImageDigestMirrorSet disconnected-openshift"]
updated:
  description: Objects that were changed.
  returned: success
  type: list
  elements: str
deleted:
  description: Objects that were deleted.
  returned: success
  type: list
  elements: str
uncovered:
  description: The sources of rules by tag that the cluster cannot have; see O(tags).
  returned: success
  type: list
  elements: str
  sample: [quay.io/example]
notes:
  description: What the change leads to beside the nodes, one sentence for each, such as an acknowledgement before an update.
  returned: success
  type: list
  elements: str
  sample: []
registries:
  description: What every node's C(registries.conf) must say once the node is updated, in that file's words.
  returned: success
  type: list
  elements: dict
"""

from dataclasses import dataclass, field, replace
from typing import Dict, List

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import cluster_inputs, errors, mirror_sets, registries_conf
from ..module_utils.cluster import ARGUMENT_SPEC, OWNER, OWNER_LABEL, Cluster, optimistic, owned

DEFAULT_NAME = "disconnected-openshift"
SET_LABEL = "disconnected.openshift/mirror-sets"
LONGEST_NAME = 63  # it is a label's value, too
FORCED = {"idms": mirror_sets.IDMS, "icsp": mirror_sets.ICSP}


@dataclass(frozen=True)
class Mirrors:
    """What the cluster has: its version, the kinds that it serves, the objects of these kinds, and the Image
    and ClusterVersion documents that count for them."""

    version: str
    served: frozenset
    objects: List[Dict]
    configs: List[Dict]


@dataclass
class Plan:
    """What to write, in this order."""

    wanted: List[Dict] = field(default_factory=list)
    create: List[Dict] = field(default_factory=list)
    update: List[Dict] = field(default_factory=list)  # as wanted, with the resourceVersion of what is there
    delete: List[Dict] = field(default_factory=list)  # as they are
    former: List[Dict] = field(default_factory=list)  # what is updated or deleted, as it is
    kind: str = ""
    registries: List[registries_conf.Registry] = field(default_factory=list)
    uncovered: List[str] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)
    warnings: List[str] = field(default_factory=list)

    @property
    def changed(self):
        return bool(self.create or self.update or self.delete)

    def carry_out(self, cluster):
        for obj in self.create:
            cluster.create(obj)
        for obj in self.update:
            cluster.merge_patch(obj["apiVersion"], obj["kind"], obj["metadata"]["name"], {
                "metadata": {"labels": obj["metadata"]["labels"],
                             "resourceVersion": obj["metadata"]["resourceVersion"]},
                "spec": obj["spec"]})
        for obj in self.delete:
            cluster.delete(obj["apiVersion"], obj["kind"], obj["metadata"]["name"])


def rules_of(items):
    """The rules of the option `mirrors`, each checked."""
    if not items:
        raise errors.InvalidInput("There are no mirrors to configure: give at least one rule, or state: absent to remove "
                                  "those that are there.")
    rules = [mirror_sets.MirrorRule(item["source"], tuple(item["mirrors"]), item["policy"], item["by"])
             for item in items]
    for rule in rules:
        mirror_sets.validate_rule(rule)
    return rules


def check_name(name):
    if len(name) > LONGEST_NAME:
        raise errors.InvalidInput("The name %s is too long: up to %d characters can be a label of the objects."
                                  % (name, LONGEST_NAME))


def choose_kinds(there, insisted):
    """The kinds to write, as mirror_sets.choose_kinds does, or as `insisted` (auto, idms, icsp) says."""
    forced = FORCED.get(insisted)
    served = there.served
    if forced:
        if forced not in served:
            raise errors.Conflict("kind: %s cannot be: OpenShift %s does not serve %s. Leave it at kind: auto."
                                  % (insisted, there.version, forced))
        served = served - (set(FORCED.values()) - {forced})
    kinds = mirror_sets.choose_kinds(served, there.version, there.objects)
    if forced and kinds.digest != forced:
        names = ", ".join(obj["metadata"]["name"] for obj in there.objects if obj["kind"] == mirror_sets.ICSP)
        raise errors.Conflict(
            "kind: %s cannot be: OpenShift %s drops every mirror as soon as an ImageContentSourcePolicy and a later kind "
            "are both there, and this cluster has the ImageContentSourcePolicy %s. Leave it at kind: auto, or update the "
            "cluster first." % (insisted, there.version, names))
    return kinds


def fitting(there, kinds, rules, tags):
    """(the rules that the cluster can have, the sources of those that it cannot). Raises Conflict for these where
    `tags` are required."""
    uncovered = sorted({rule.source for rule in rules if rule.by == "tag"}) if kinds.tag is None else []
    if uncovered and tags == "required":
        mirror_sets.choose_kinds(there.served, there.version, there.objects, by=("tag",))
    fit = [rule for rule in rules if rule.by == "digest" or kinds.tag]
    if not fit:
        raise errors.Conflict("OpenShift %s cannot mirror tags here, and every rule is by tag: nothing would be mirrored. "
                              "Name the images by their digest, or update to 4.13 or later." % there.version)
    return fit, uncovered


def plan_present(there, rules, params):
    """How the rules, and no others under this name, come to hold. Raises what the operator would refuse."""
    name = params["name"] or DEFAULT_NAME
    kinds = choose_kinds(there, params["kind"])
    rules, uncovered = fitting(there, kinds, rules, params["tags"])
    # Before the label check: what cannot be a name at all is told as that.
    wanted = mirror_sets.objects_for(rules, kinds, name, dict(params["labels"], **{OWNER_LABEL: OWNER, SET_LABEL: name}))
    check_name(name)
    there, replacements, replaced = migrated(there, kinds, params["migrate"])
    mine, others = _split(there.objects, name)
    refusals = mirror_sets.conflicts(rules, others + there.configs, there.version)
    if refusals:
        raise errors.Conflict(" ".join(refusals))
    plan = Plan(wanted + replacements, create=list(replacements), kind=kinds.digest, uncovered=uncovered,
                registries=mirror_sets.expected_registries(others + wanted + there.configs, there.version))
    if uncovered:
        plan.warnings.append(
            "OpenShift %s cannot mirror tags here. Images of these sources that are named by tag are not covered, and "
            "cannot be pulled once the cluster is cut off: %s." % (there.version, ", ".join(uncovered)))
    plan.warnings += mirror_sets.displaced(rules, plan.registries)
    plan.notes = mirror_sets.notes(others + wanted, there.objects, there.version)
    existing = {_identity(obj): obj for obj in there.objects}
    for obj in wanted:
        stored = existing.get(_identity(obj))
        if stored is None:
            plan.create.append(obj)
        elif stored not in mine:
            raise errors.Conflict("%s exists and was not written under this name by this collection. Give another name."
                                  % _title(obj))
        elif not _same(stored, obj):
            plan.update.append(dict(obj, metadata=dict(
                obj["metadata"], resourceVersion=stored["metadata"]["resourceVersion"])))
            plan.former.append(stored)
    identities = {_identity(obj) for obj in wanted}
    plan.delete = [obj for obj in mine if _identity(obj) not in identities] + replaced
    plan.former += plan.delete
    return plan


def migrated(there, kinds, names):
    """(what the cluster has once these ImageContentSourcePolicies are replaced, their replacements that are not there
    yet, the objects that they replace)."""
    existing = {_identity(obj): obj for obj in there.objects}
    replacements, replaced = [], []
    for name in names:
        former, present = existing.get((mirror_sets.ICSP, name)), existing.get((mirror_sets.IDMS, name))
        if former is None and present is None:
            raise errors.InvalidInput("migrate: the cluster has no ImageContentSourcePolicy %s." % name)
        if former is None:
            continue
        if kinds.digest != mirror_sets.IDMS:
            raise errors.Conflict("migrate: ImageContentSourcePolicy %s cannot be replaced on OpenShift %s, which would drop "
                                  "every mirror while both kinds are there. Update the cluster first."
                                  % (name, there.version))
        replacement = mirror_sets.as_digest_mirror_set(former)
        if present is None:
            replacements.append(replacement)
        elif present["spec"] != replacement["spec"]:
            raise errors.Conflict("migrate: ImageContentSourcePolicy %s cannot be replaced: there is an ImageDigestMirrorSet "
                                  "of that name with other content. Rename or correct one of them." % name)
        replaced.append(former)
    objects = [obj for obj in there.objects if obj not in replaced] + replacements
    return replace(there, objects=objects), replacements, replaced


def plan_absent(there, name, unowned=()):
    """How the objects under this name go, or all of ours where it is None, and beside them those that are `unowned`."""
    mine, _others = _split(there.objects, name)
    mine += [obj for obj in there.objects if obj not in mine and {obj["metadata"]["name"], _title(obj)} & set(unowned)]
    others = [obj for obj in there.objects if obj not in mine]
    plan = Plan(delete=mine, former=mine)
    try:
        plan.registries = mirror_sets.expected_registries(others + there.configs, there.version)
    except (errors.InvalidInput, errors.Conflict) as error:
        plan.warnings.append("The mirrors that are left are refused by the machine-config operator, so no node will "
                             "change: %s" % error.message)
    return plan


def _split(objects, name):
    """(objects that this collection wrote under the name, or under any where it is None; all the others)."""
    mine = [obj for obj in objects if owned(obj) and name in (None, obj["metadata"]["labels"].get(SET_LABEL))]
    return mine, [obj for obj in objects if obj not in mine]


def _identity(obj):
    return obj["kind"], obj["metadata"]["name"]


def _title(obj):
    return "%s %s" % _identity(obj)


def _same(stored, wanted):
    """Whether the stored object says what is wanted; a label that somebody added is theirs."""
    labels = stored["metadata"].get("labels") or {}
    return stored.get("spec") == wanted["spec"] and dict(labels, **wanted["metadata"]["labels"]) == labels


def read(cluster):
    """What the cluster has."""
    image = cluster.get("config.openshift.io/v1", "Image", "cluster")
    release = cluster.get("config.openshift.io/v1", "ClusterVersion", "version")
    return Mirrors(
        version=cluster.version,
        served=frozenset(kind for api_version, kind in cluster_inputs.MIRROR_KINDS if cluster.serves(api_version, kind)),
        objects=list(cluster_inputs.mirror_sets(cluster)),
        configs=[config for config in (image, release) if config],
    )


def difference(plan):
    """What changes, as --diff shows it."""
    return {
        "before": {_title(obj): _lines(obj) for obj in plan.former},
        "after": {_title(obj): _lines(obj) for obj in plan.create + plan.update},
    }


def _lines(obj):
    """A line for each rule of an object."""
    entries = [entry for found in (obj.get("spec") or {}).values() for entry in found or ()]
    policies = [entry.get("mirrorSourcePolicy") or mirror_sets.ALLOW for entry in entries]
    return ["%s -> %s%s" % (entry["source"], ", ".join(entry.get("mirrors") or ()) or "no mirror",
                            "" if policy == mirror_sets.ALLOW else ", " + policy) for entry, policy in zip(entries, policies)]


def main():
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            mirrors=dict(type="list", elements="dict", options=dict(
                source=dict(required=True),
                mirrors=dict(type="list", elements="str", required=True),
                policy=dict(choices=[mirror_sets.ALLOW, mirror_sets.NEVER], default=mirror_sets.ALLOW),
                by=dict(choices=["digest", "tag"], default="digest"),
            )),
            name=dict(),
            state=dict(choices=["present", "absent"], default="present"),
            kind=dict(choices=["auto", "idms", "icsp"], default="auto"),
            tags=dict(choices=["if_served", "required"], default="if_served"),
            migrate=dict(type="list", elements="str", default=[]),
            unowned=dict(type="list", elements="str", default=[]),
            labels=dict(type="dict", default={}),
        ),
        required_if=[("state", "present", ("mirrors",))],
        supports_check_mode=True,
    )
    params = module.params
    try:
        present = params["state"] == "present"
        rules = rules_of(params["mirrors"]) if present else []
        cluster = Cluster.connect(params)

        def decide():
            if present:
                return plan_present(read(cluster), rules, params)
            return plan_absent(read(cluster), params["name"], params["unowned"])
        plan = optimistic(decide, lambda plan: None if module.check_mode else plan.carry_out(cluster))
        for sentence in plan.warnings:
            module.warn(sentence)
        module.exit_json(
            changed=plan.changed, objects=plan.wanted, kind=plan.kind,
            created=[_title(obj) for obj in plan.create], updated=[_title(obj) for obj in plan.update],
            deleted=[_title(obj) for obj in plan.delete], uncovered=plan.uncovered,
            notes=plan.notes, registries=[registries_conf.as_dict(registry) for registry in plan.registries], diff=difference(plan))
    except errors.Error as error:
        module.fail_json(**error.result())


if __name__ == "__main__":
    main()
