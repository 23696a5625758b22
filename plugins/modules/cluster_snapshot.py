# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_snapshot
short_description: Remember in a cluster how it was before it was converted, and prove that it is so again
version_added: 0.1.0
author:
  - The disconnected.openshift maintainers (!UNKNOWN)
description:
  - Keeps, in the secret C(disconnected-openshift-snapshot) in C(openshift-config), the fields that this collection may
    change of C(OperatorHub), C(ClusterVersion), C(Image), the samples operator's C(Config) and the C(ClusterCatalogs),
    and the C(registries.conf) that the nodes of each pool have. Take it before the first change.
  - A snapshot that is there is never taken again, so that a second run does not take a converted cluster for the
    original.
  - It also remembers what was unwell, so that this is not taken for a consequence.
  - Its keys can be used by hand, see the page on the snapshot in the documentation. It holds no credential; the entries
    of the pull secret that were displaced are kept by M(disconnected.openshift.global_pull_secret).
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
      - V(present) takes the snapshot if there is none.
      - V(compared) reads C(registries.conf) of every node and compares it with the snapshot. Where other people's mirror
        sets or registry settings have changed since, it compares with what those ask for now, and warns. Without a
        snapshot, too, it is that which counts.
      - V(absent) removes the snapshot. It is refused while the snapshot is still needed to put something back. A warning
        names entries of the pull secret that are still saved.
    type: str
    choices: [present, compared, absent]
    default: present
  problems:
    description:
      - With O(state=present), what is unwell already, as RV(disconnected.openshift.cluster_health_info#module:problems), to be
        known later with O(disconnected.openshift.cluster_health_info#module:remembered).
      - Left out where a secret has no room for it.
    type: list
    elements: dict
    default: []
  fail:
    description: With O(state=compared), fail when a node does not match.
    type: bool
    default: true
  workers:
    description: With O(state=compared), how many nodes are read at the same time.
    type: int
    default: 16
  exec_timeout:
    description: With O(state=compared), seconds that reading one node's file may take.
    type: int
    default: 30
seealso:
  - module: disconnected.openshift.cluster_connectivity
  - module: disconnected.openshift.global_pull_secret
"""

EXAMPLES = r"""
- name: Remember how the cluster is
  disconnected.openshift.cluster_snapshot:

- name: Prove that every node has the registries that it had
  disconnected.openshift.cluster_snapshot:
    state: compared

- name: Forget it
  disconnected.openshift.cluster_snapshot:
    state: absent
"""

RETURN = r"""
exists:
  description: Whether there was a snapshot before this task.
  returned: success
  type: bool
  sample: true
release:
  description: The version that the cluster had when the snapshot was taken; empty without one.
  returned: success
  type: str
  sample: 4.16.30
objects:
  description: The objects of which fields were recorded, as keys of the secret.
  returned: success
  type: list
  elements: str
  sample: [clusterversion.version.json, operatorhub.cluster.json]
pools:
  description: The pools whose C(registries.conf) was recorded.
  returned: success
  type: list
  elements: str
  sample: [master, worker]
matches:
  description: Whether every node matches.
  returned: with state compared
  type: bool
  sample: true
nodes:
  description: One entry for each node.
  returned: with state compared
  type: list
  elements: dict
  contains:
    name:
      description: Name of the node.
      type: str
      sample: worker-0
    matches:
      description: Whether its registries are what they were.
      type: bool
      sample: true
    missing:
      description: What it had and has not.
      type: list
      elements: str
      sample: []
    unexpected:
      description: What it has and had not.
      type: list
      elements: str
      sample: []
    reason:
      description: Why it could not be compared; empty when it could.
      type: str
      sample: ""
"""

import base64

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import (
    cluster_inputs,
    dockerconfigjson,
    errors,
    machine_config,
    mirror_sets,
    node_files,
    node_reader,
    registries_conf,
    rollout,
    snapshot,
    snapshot_store,
)
from ..module_utils.cluster import ARGUMENT_SPEC, Cluster, owned

NODES_TOLD = 3


def main():
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            state=dict(type="str", choices=["present", "compared", "absent"], default="present"),
            problems=dict(type="list", elements="dict", default=[]),
            fail=dict(type="bool", default=True),
            workers=dict(type="int", default=16),
            exec_timeout=dict(type="int", default=30),
        ),
        supports_check_mode=True,
    )
    try:
        result = STATES[module.params["state"]](Cluster.connect(module.params), module.params, module.check_mode)
        for sentence in result.pop("warnings", ()):
            module.warn(sentence)
        module.exit_json(**result)
    except errors.Error as error:
        module.fail_json(**error.result())


# --- present and absent ------------------------------------------------------------------------------------------

def present(cluster, params, check_mode):
    """Take the snapshot if there is none."""
    stored, recorded = snapshot_store.load(cluster)
    if stored:
        return _result(recorded, exists=True)
    taken, warnings = take(cluster, params["problems"])
    if not check_mode:
        snapshot_store.create(cluster, taken)
    return dict(_result(taken, exists=False, changed=True), warnings=warnings)


def absent(cluster, _params, check_mode):
    """Remove the snapshot, if nothing needs it any more."""
    stored, recorded = snapshot_store.load(cluster)
    warnings = [] if check_mode else _saved_entries(cluster)
    if stored is None:
        return dict(_result(snapshot.Snapshot(), exists=False), warnings=warnings)
    if recorded.written and not check_mode:
        raise errors.Conflict(
            "The snapshot is still needed: %s were changed for the cut and not put back. Do that first, with "
            "cluster_connectivity and state: connected." % ", ".join(sorted(recorded.written)))
    if not check_mode:
        snapshot_store.delete(cluster, stored)
    return dict(_result(recorded, exists=True, changed=True), warnings=warnings)


def _saved_entries(cluster):
    """[warning] of the entries of the pull secret that nobody has put back."""
    stored = cluster.get("v1", "Secret", snapshot.DISPLACED_NAME, snapshot.NAMESPACE)
    if stored is None or not owned(stored):
        return []
    try:
        names = sorted(dockerconfigjson.parse(base64.b64decode(stored["data"][".dockerconfigjson"]).decode("utf-8"))["auths"])
    except (KeyError, ValueError, errors.InvalidInput):
        names = ["they cannot be read"]
    return ["Secret %s in %s keeps entries of the pull secret that were not put back: %s. Name them in "
            "disconnected_removed_registries and reconnect again, or delete it." % (
                snapshot.DISPLACED_NAME, snapshot.NAMESPACE, ", ".join(names))]


def take(cluster, problems):
    """(Snapshot, [warning]) of the cluster as it is, or as it would be without our mirror sets."""
    objects = []
    for tracked in snapshot.TRACKED:
        if cluster.serves(tracked.api_version, tracked.kind):
            objects += cluster.list(tracked.api_version, tracked.kind)
    pools = cluster.list(cluster_inputs.MACHINE_CONFIG, "MachineConfigPool")
    files = {pool["metadata"]["name"]: registries_of(cluster, rollout.rendered_name(pool)) for pool in pools}
    ours = ["%s %s" % (obj["kind"], obj["metadata"]["name"]) for obj in cluster_inputs.mirror_sets(cluster) if owned(obj)]
    if not ours:
        return snapshot.take(cluster.version, objects, files, problems), []
    return snapshot.take(cluster.version, objects, {}, problems), [
        "Mirror sets of this collection are there already (%s), so what the nodes had before cannot be recorded any more. "
        "On the way back they are compared with what the other objects ask for." % ", ".join(sorted(ours))]


def registries_of(cluster, name):
    """The text of registries.conf in a rendered MachineConfig."""
    config = cluster.get(cluster_inputs.MACHINE_CONFIG, "MachineConfig", name) or {"spec": {}}
    return machine_config.files(config).get(machine_config.REGISTRIES_CONF, b"").decode("utf-8", "replace")


def _result(recorded, exists, changed=False):
    side = sorted(recorded.objects) + ["registries.conf of pool " + pool for pool in sorted(recorded.pools)]
    return {
        "changed": changed, "exists": exists, "release": recorded.release,
        "objects": sorted(recorded.objects), "pools": sorted(recorded.pools),
        "diff": {"before": {"snapshot": side if exists else []},
                 "after": {"snapshot": side if exists != changed else []}},
    }


# --- compared ----------------------------------------------------------------------------------------------------

def compared(cluster, params, _check_mode):
    """Every node's registries beside those that it had."""
    stored, recorded = snapshot_store.load(cluster)
    recorded = recorded or snapshot.Snapshot()
    inputs = cluster_inputs.read(cluster)
    others = [obj for obj in inputs.mirror_sets if not owned(obj)]
    asked = mirror_sets.expected_registries([*others, *inputs.configs], inputs.version)
    references, warnings = _references(recorded, asked)
    nodes = node_reader.nodes(cluster)
    pools = cluster.list(cluster_inputs.MACHINE_CONFIG, "MachineConfigPool")
    pool_of = {node["metadata"]["name"]: name
               for name, members in rollout.members(pools, nodes.values()).items() for node in members}
    answers = node_reader.printed(cluster, nodes, node_files.command(), params["exec_timeout"], params["workers"])
    rows = [_row(name, references.get(pool_of.get(name), asked), answers[name]) for name in sorted(nodes)]
    result = dict(_result(recorded, exists=stored is not None), matches=all(row["matches"] for row in rows), nodes=rows,
                  warnings=warnings)
    wrong = [row for row in rows if not row["matches"]]
    if wrong and params["fail"]:
        result.pop("warnings")
        raise errors.Error("%d of %d nodes do not have the registries that they had before the conversion. %s." % (
            len(wrong), len(rows), "; ".join(map(_sentence, wrong[:NODES_TOLD]))), **result)
    return result


def _references(recorded, asked):
    """({pool: the registries that its nodes must have}, [warning])."""
    references, others, warnings = {}, [], []
    for pool, text in sorted(recorded.pools.items()):
        try:
            before = registries_conf.parse(text).registries
        except errors.InvalidInput as error:
            warnings.append("The registries.conf of pool %s in the snapshot cannot be read, so its nodes are compared with "
                            "what the cluster's objects ask for now. %s" % (pool, error.message))
            continue
        same = registries_conf.compare(before, asked).matches
        references[pool] = before if same else asked
        others += [] if same else [pool]
    return references, warnings + ([] if not others else [
        "Other people's mirror sets, or the cluster's registry settings, were changed since the snapshot was taken: the "
        "nodes of %s are compared with what those ask for now." % ", ".join(others)])


def _row(name, wanted, answer):
    row = {"name": name, "matches": False, "missing": [], "unexpected": [], "reason": ""}
    try:
        if isinstance(answer, errors.Error):
            raise answer
        text = node_files.parse(answer).get(machine_config.REGISTRIES_CONF, b"").decode("utf-8", "replace")
        difference = registries_conf.compare(wanted, registries_conf.parse(text).registries)
    except errors.Error as error:
        return dict(row, reason=error.message)
    return dict(row, matches=difference.matches, missing=list(difference.missing), unexpected=list(difference.unexpected))


def _sentence(row):
    told = ["lacks " + what for what in row["missing"][:2]] + ["has " + what for what in row["unexpected"][:2]]
    return "%s: %s" % (row["name"], row["reason"] or ", ".join(told))


STATES = {"present": present, "compared": compared, "absent": absent}


if __name__ == "__main__":
    main()
