# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_rehearsal
short_description: Let a cluster's nodes pull from the mirrors alone for a while, as if the internet were gone
version_added: 0.1.0
author:
  - The disconnected.openshift maintainers (!UNKNOWN)
description:
  - Every mirror set of this collection gets C(mirrorSourcePolicy) C(NeverContactSource), so that the nodes do not ask a
    source that the mirrors did not serve. What the policies were is noted in an annotation of each object.
  - It is refused where the cluster serves only C(ImageContentSourcePolicy), which cannot say that, and where another
    object's policy for the same source would contradict it.
  - Either way is a change that drains the nodes. See M(disconnected.openshift.machine_config_rollout) for the forecast.
extends_documentation_fragment:
  - disconnected.openshift.attributes
  - disconnected.openshift.cluster
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  state:
    description:
      - V(present) forbids the sources.
      - V(absent) puts the policies back. One that was changed in between is left.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: disconnected.openshift.node_pull_test
  - module: disconnected.openshift.image_mirror_sets
"""

EXAMPLES = r"""
- name: Rehearse
  block:
    - name: Forbid the sources
      disconnected.openshift.mirror_rehearsal:

    - name: Wait until every node has it
      disconnected.openshift.machine_config_rollout:
        state: waited

    - name: Pull on every node
      disconnected.openshift.node_pull_test:
  always:
    - name: Allow the sources again
      disconnected.openshift.mirror_rehearsal:
        state: absent
"""

RETURN = r"""
objects:
  description: The mirror sets that were changed, as they are now.
  returned: success
  type: list
  elements: dict
sources:
  description: The sources of this collection's mirror sets.
  returned: success
  type: list
  elements: str
  sample: [quay.io/openshift-release-dev/ocp-release]
"""

import json

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import cluster_inputs, errors, mirror_sets, predicates
from ..module_utils.cluster import ARGUMENT_SPEC, Cluster, optimistic, owned

NOTE = predicates.REHEARSED
FIELDS = {mirror_sets.IDMS: "imageDigestMirrors", mirror_sets.ITMS: "imageTagMirrors"}
POLICY = "mirrorSourcePolicy"


def main():
    module = AnsibleModule(
        argument_spec=dict(ARGUMENT_SPEC, state=dict(type="str", choices=["present", "absent"], default="present")),
        supports_check_mode=True,
    )
    try:
        cluster = Cluster.connect(module.params)
        decide = {"present": forbid, "absent": allow}[module.params["state"]]
        changes = optimistic(lambda: decide(read(cluster), cluster),
                             lambda changes: None if module.check_mode else write(cluster, changes))
        module.exit_json(
            changed=bool(changes), objects=[after for _before, after in changes], sources=sources(read(cluster)),
            diff={side: {"%s %s" % (pair[number]["kind"], pair[number]["metadata"]["name"]): pair[number]["spec"]
                         for pair in changes} for number, side in enumerate(("before", "after"))})
    except errors.Error as error:
        module.fail_json(**error.result())


def read(cluster):
    """All mirror sets of the cluster."""
    return list(cluster_inputs.mirror_sets(cluster))


def write(cluster, changes):
    for _before, after in changes:
        cluster.merge_patch(after["apiVersion"], after["kind"], after["metadata"]["name"], {
            "metadata": {"resourceVersion": after["metadata"]["resourceVersion"],
                         "annotations": {NOTE: after["metadata"]["annotations"].get(NOTE)}},
            "spec": after["spec"]})


def forbid(objects, cluster):
    """[(object, object as it shall be)] after which no node asks a source of ours. Raises Conflict where that cannot be."""
    ours = [obj for obj in objects if owned(obj)]
    if not ours:
        raise errors.NotFound("The cluster has no mirror set of this collection, so there is nothing to rehearse. Configure "
                              "the cluster first.")
    helpless = [obj["metadata"]["name"] for obj in ours if obj["kind"] == mirror_sets.ICSP]
    if helpless:
        raise errors.Conflict(
            "A rehearsal cannot be on OpenShift %s as it is: the ImageContentSourcePolicy %s cannot say NeverContactSource, "
            "only an ImageDigestMirrorSet can (4.13 or later). Take one node its way to the internet instead, and let it "
            "pull." % (cluster.version, ", ".join(helpless)))
    changes = [(obj, after) for obj, after in ((obj, _forbidden(obj)) for obj in ours) if after != obj]
    after = {(obj["kind"], obj["metadata"]["name"]): obj for obj in objects}
    after.update({(new["kind"], new["metadata"]["name"]): new for _old, new in changes})
    image = cluster.get(cluster_inputs.CONFIG, "Image", "cluster")
    try:
        mirror_sets.expected_registries([*after.values(), *filter(None, [image])], cluster.version)
    except errors.Conflict as refusal:
        raise errors.Conflict("A rehearsal cannot be, as the machine-config operator would refuse it: %s" % refusal.message
                              ) from None
    return changes


def allow(objects, _cluster):
    """[(object, object as it shall be)] after which each policy is what it was."""
    return [(obj, _allowed(obj)) for obj in objects if NOTE in _annotations(obj)]


def sources(objects):
    return sorted({rule.source for rule in mirror_sets.rules_of([obj for obj in objects if owned(obj)])})


def _annotations(obj):
    return obj["metadata"].get("annotations") or {}


def _forbidden(obj):
    """The object that lets no source be asked. What an earlier rehearsal noted, which may have been killed and its policies
    written anew since, counts for those that are still forbidden."""
    entries = obj["spec"].get(FIELDS[obj["kind"]]) or []
    noted = _noted(obj)
    former = {entry["source"]: noted[entry["source"]] if entry.get(POLICY) == mirror_sets.NEVER and entry["source"] in noted
              else entry.get(POLICY) for entry in entries}
    return _with(obj, [dict(entry, **{POLICY: mirror_sets.NEVER}) for entry in entries],
                 {NOTE: json.dumps(former, sort_keys=True)})


def _allowed(obj):
    """The object with the noted policies, where they still are what the rehearsal made of them."""
    noted = _noted(obj)
    entries = []
    for entry in obj["spec"].get(FIELDS[obj["kind"]]) or []:
        policy = noted.get(entry["source"]) if entry.get(POLICY) == mirror_sets.NEVER else entry.get(POLICY)
        kept = {key: value for key, value in entry.items() if key != POLICY}
        entries.append(dict(kept, **({POLICY: policy} if policy else {})))
    return _with(obj, entries, {NOTE: None})


def _noted(obj):
    """{source: policy before the rehearsal} as noted; of what was edited by hand nothing, which allows the source."""
    try:
        return dict(json.loads(_annotations(obj).get(NOTE, "{}")))
    except (ValueError, TypeError):
        return {}


def _with(obj, entries, annotations):
    metadata = dict(obj["metadata"], annotations=dict(_annotations(obj), **annotations))
    return dict(obj, metadata=metadata, spec=dict(obj["spec"], **{FIELDS[obj["kind"]]: entries}))


if __name__ == "__main__":
    main()
