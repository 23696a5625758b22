# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: release_signatures
short_description: Give a cluster the signatures of releases, which it verifies before an update
version_added: 0.1.0
description:
  - The cluster version operator updates to a release only if it finds a signature of it. Without the internet it finds those
    in ConfigMaps of the namespace C(openshift-config-managed) that have the label
    C(release.openshift.io/verification-signatures).
  - Adds the signatures that no such ConfigMap holds yet, whoever made it. Those of other releases stay, as the cluster may
    need them for the way to another update.
  - The cluster verifies them with its own keys. Here they are only carried.
  - Only objects with the label C(app.kubernetes.io/managed-by=disconnected.openshift) are ever changed or deleted.
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
  config_maps:
    description:
      - The ConfigMaps with signatures, as M(disconnected.openshift.mirror_plan) and
        M(disconnected.openshift.mirror_manifests_info) return them.
    type: list
    elements: dict
    default: []
  state:
    description:
      - V(present) adds what is missing.
      - V(absent) deletes every ConfigMap with signatures that this module made.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: disconnected.openshift.mirror_plan
"""

EXAMPLES = r"""
- name: Give the cluster the signatures of what was mirrored
  disconnected.openshift.release_signatures:
    config_maps: "{{ mirror_plan_result.signature_config_maps }}"
"""

RETURN = r"""
releases:
  description: The digests of the releases that O(config_maps) has signatures of.
  returned: success
  type: list
  elements: str
  sample: ["sha256:0123456789abcdef..."]
created:
  description: ConfigMaps that were created.
  returned: success
  type: list
  elements: str
updated:
  description: ConfigMaps that were given further signatures.
  returned: success
  type: list
  elements: str
deleted:
  description: ConfigMaps that were deleted.
  returned: success
  type: list
  elements: str
"""

from dataclasses import dataclass, field
from typing import Dict, List

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import errors, mirror_manifests
from ..module_utils.cluster import ARGUMENT_SPEC, OWNER, OWNER_LABEL, Cluster, optimistic, owned

NAMESPACE = "openshift-config-managed"
DIGEST_PART = len("sha256-") + 64  # of a key such as sha256-<64 digits>-1


@dataclass
class Plan:
    """What to write. `updates`: (the ConfigMap as it is, {key: signature} to add)."""

    create: List[Dict] = field(default_factory=list)
    updates: List = field(default_factory=list)
    delete: List[Dict] = field(default_factory=list)

    @property
    def changed(self):
        return bool(self.create or self.updates or self.delete)


def main():
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            config_maps=dict(type="list", elements="dict", default=[]),
            state=dict(choices=["present", "absent"], default="present"),
        ),
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(Cluster.connect(module.params), module.params, module.check_mode))
    except errors.Error as error:
        module.fail_json(**error.result())


def run(cluster, params, check_mode):
    """The module's result."""
    wanted = wanted_of(params["config_maps"]) if params["state"] == "present" else {}
    plan = optimistic(lambda: plan_for(cluster, params["state"], wanted),
                      lambda plan: None if check_mode else carry_out(cluster, plan))
    return {
        "changed": plan.changed, "releases": sorted(name.replace("-", ":", 1) for name in wanted),
        "created": names(plan.create), "updated": names(stored for stored, _more in plan.updates),
        "deleted": names(plan.delete), "diff": difference(plan),
    }


def wanted_of(config_maps):
    """{"sha256-<hex>": signatures in Base64} of given ConfigMaps. Raises InvalidInput naming the one that is none."""
    found = {}
    for document in config_maps:
        try:
            normal = mirror_manifests.signatures(document)
        except errors.InvalidInput as error:
            raise errors.InvalidInput("ConfigMap %s: %s" % (mirror_manifests.name_of(document), error.message))
        for config_map in normal:
            signatures = found.setdefault(config_map["metadata"]["name"], [])
            signatures += [text for text in config_map["binaryData"].values() if text not in signatures]
    return found


def plan_for(cluster, state, wanted):
    """Read and decide."""
    there = cluster.list("v1", "ConfigMap", NAMESPACE, label_selector=mirror_manifests.SIGNATURE_LABEL)
    if state == "absent":
        return Plan(delete=[config_map for config_map in there if owned(config_map)])
    plan = Plan()
    for name, signatures in sorted(wanted.items()):
        known = {text for config_map in there for key, text in (config_map.get("binaryData") or {}).items()
                 if key[:DIGEST_PART] == name}
        missing = [text for text in signatures if text not in known]
        if missing:
            plan_one(cluster, plan, name, missing)
    return plan


def plan_one(cluster, plan, name, missing):
    """Plan to add the missing signatures of one release; beside the ConfigMap of the usual name if that is another's."""
    for title in (name, "%s-%s" % (OWNER.replace(".", "-"), name)):
        stored = cluster.get("v1", "ConfigMap", title, NAMESPACE)
        if stored is None:
            metadata = {"name": title, "namespace": NAMESPACE,
                        "labels": {mirror_manifests.SIGNATURE_LABEL: "", OWNER_LABEL: OWNER}}
            plan.create.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata,
                                "binaryData": numbered(name, missing, ())})
            return
        if owned(stored):
            plan.updates.append((stored, numbered(name, missing, stored.get("binaryData") or {})))
            return
    raise errors.Conflict("ConfigMap %s in %s exists and is not this collection's. Delete it, or add the signatures of %s to it."
                          % (title, NAMESPACE, name))


def numbered(name, signatures, taken):
    """{key: signature}, each under the next number that is free."""
    found = {}
    number = 1
    for text in signatures:
        while "%s-%d" % (name, number) in taken or "%s-%d" % (name, number) in found:
            number += 1
        found["%s-%d" % (name, number)] = text
    return found


def carry_out(cluster, plan):
    """Write what the plan says. Conflict: somebody changed one of the objects, plan again."""
    for config_map in plan.create:
        cluster.create(config_map)
    for stored, more in plan.updates:
        metadata = {"resourceVersion": stored["metadata"]["resourceVersion"],
                    "labels": {mirror_manifests.SIGNATURE_LABEL: ""}}
        cluster.merge_patch("v1", "ConfigMap", stored["metadata"]["name"], {"metadata": metadata, "binaryData": more}, NAMESPACE)
    for config_map in plan.delete:
        cluster.delete("v1", "ConfigMap", config_map["metadata"]["name"], NAMESPACE)


def difference(plan):
    """What changes, as --diff shows it: which signatures each ConfigMap has."""
    before = {config_map["metadata"]["name"]: sorted(config_map.get("binaryData") or {})
              for config_map in plan.delete + [stored for stored, _more in plan.updates]}
    after = {config_map["metadata"]["name"]: sorted(config_map["binaryData"]) for config_map in plan.create}
    after.update({stored["metadata"]["name"]: sorted({**(stored.get("binaryData") or {}), **more})
                  for stored, more in plan.updates})
    return {"before": before, "after": after}


def names(config_maps):
    return [config_map["metadata"]["name"] for config_map in config_maps]


if __name__ == "__main__":
    main()
