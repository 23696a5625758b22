# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: conversion_info
short_description: Tell which cluster this is, how far its conversion has come, and what to run next
version_added: 0.1.0
author:
  - The disconnected.openshift maintainers (!UNKNOWN)
description:
  - Reads the state of a conversion from the cluster's own objects (the mirror sets of this collection, the pools that it
    paused, its snapshot, the nodes' configurations), so that it is the same from every machine and after a run that was
    killed.
  - It is what the playbooks say before they begin, and after they failed. It takes about a dozen requests, however many nodes
    there are.
extends_documentation_fragment:
  - disconnected.openshift.attributes
  - disconnected.openshift.cluster
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
    details: Changes nothing.
options:
  registry:
    description: The mirror registry, C(host[:port]), that is meant. Another one that the cluster is configured for is named.
    type: str
  playbook:
    description: The playbook of this collection that runs, without the collection's name; RV(next) takes it into account.
    type: str
    default: ""
  failure:
    description: The task that failed, if one has; RV(next) and RV(paragraph) are about it then.
    type: dict
    suboptions:
      host:
        description: The host that it failed on.
        type: str
        required: true
      task:
        description: The task's name.
        type: str
        required: true
      reason:
        description: Its message.
        type: str
        default: ""
  registries_conf:
    description:
      - Also return the C(registries.conf) that each pool names for its nodes, and the one that it had before the conversion.
    type: bool
    default: false
  ask:
    description:
      - Whether the cluster is asked at all. With V(false) RV(stage) is V(unknown), for a playbook that needs no cluster.
    type: bool
    default: true
  fail:
    description: Fail when the cluster cannot be asked. With V(false) RV(stage) is V(unknown) then, and RV(text) says why.
    type: bool
    default: true
seealso:
  - module: disconnected.openshift.cluster_health_info
  - module: disconnected.openshift.machine_config_rollout
"""

EXAMPLES = r"""
- name: See how far the conversion has come
  disconnected.openshift.conversion_info:
  register: conversion

- name: Say it
  ansible.builtin.debug:
    msg: "{{ conversion.text }} Next: {{ conversion.next }}"
"""

RETURN = r"""
api:
  description: Address of the cluster's API.
  returned: always
  type: str
  sample: https://api.ocp.example.com:6443
name:
  description: The cluster's infrastructure name; empty when it has none or could not be asked.
  returned: always
  type: str
  sample: ocp-7x4tq
version:
  description: The release that it runs; empty when it could not be asked.
  returned: always
  type: str
  sample: 4.16.30
nodes:
  description: How many nodes its machine-config pools have.
  returned: always
  type: int
  sample: 6
updated:
  description: How many of them run what their pool names.
  returned: always
  type: int
  sample: 6
pools:
  description: One entry for each machine-config pool.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the pool.
      type: str
      sample: worker
    nodes:
      description: How many nodes it has.
      type: int
      sample: 3
    updated:
      description: How many of them run the configuration that it names.
      type: int
      sample: 3
    rendered:
      description: That configuration.
      type: str
      sample: rendered-worker-56c69fc7db8eb158515f5c6ac02cad56
    paused:
      description: Whether it is paused.
      type: bool
      sample: false
    paused_by_us:
      description: Whether this collection paused it.
      type: bool
      sample: false
    text:
      description: Where it stands, in words.
      type: str
      sample: pool worker is updated
mirrors:
  description: The registries, C(host[:port]), that the mirror sets of this collection lead to.
  returned: always
  type: list
  elements: str
  sample: ["mirror.example.com:8443"]
registries_conf:
  description: The text of C(registries.conf) for each pool; empty without O(registries_conf).
  returned: always
  type: dict
  contains:
    now:
      description: What the pool names for its nodes now.
      type: str
    original:
      description: What it had before the conversion, as the snapshot keeps it; empty without one.
      type: str
  sample: {}
time:
  description: When this was found out, in UTC.
  returned: always
  type: str
  sample: "2026-03-01T10:00:00Z"
stage:
  description:
    - V(unknown) when the cluster could not be asked.
    - V(connected) when nothing of this collection is in it.
    - V(begun) when there is a snapshot and no mirror set.
    - V(window) when this collection has paused pools.
    - V(rollout) when mirror sets are there, and not every node runs what its pool names.
    - V(configured) when every node does.
    - V(rehearsal) when a rehearsal forbids the sources.
    - V(disconnected) when the cluster's operators are told, too, that there is no internet.
  returned: always
  type: str
  choices: [unknown, connected, begun, window, rollout, configured, rehearsal, disconnected]
  sample: configured
text:
  description: The stage in words, with the cluster's name and address.
  returned: always
  type: str
  sample: >-
    Cluster ocp-7x4tq (https://api.ocp.example.com:6443, OpenShift 4.16.30, 6 nodes) is configured for
    mirror.example.com:8443, and not told that there is no internet. All 6 nodes run what their pools name.
next:
  description: What to run next.
  returned: always
  type: str
  sample: disconnected.openshift.disconnect makes ready for the cut.
paragraph:
  description: What failed, what state the cluster is in, and what to run next; empty without O(failure).
  returned: always
  type: str
  sample: ""
"""

import datetime

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import (
    cluster_inputs,
    conversion,
    errors,
    image_ref,
    machine_config,
    mirror_sets,
    predicates,
    rollout,
    snapshot,
    snapshot_store,
)
from ..module_utils.cluster import ARGUMENT_SPEC, Cluster, owned

PATIENCE_AFTER_FAILURE = 10  # seconds for a cluster that does not answer: that may be what failed, after long enough


def main():
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            registry=dict(type="str"),
            playbook=dict(type="str", default=""),
            failure=dict(type="dict", options=dict(
                host=dict(type="str", required=True),
                task=dict(type="str", required=True),
                reason=dict(type="str", default=""),
            )),
            registries_conf=dict(type="bool", default=False),
            ask=dict(type="bool", default=True),
            fail=dict(type="bool", default=True),
        ),
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module.params, module.check_mode))
    except errors.Error as error:
        module.fail_json(**error.result())


def run(params, check_mode=False):
    """The module's result."""
    failure = params["failure"]
    result = {"changed": False, "api": "", "name": "", "version": "", "nodes": 0, "updated": 0, "pools": [], "mirrors": [],
              "registries_conf": {}, "time": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")}
    try:
        if params["registry"] is not None:
            image_ref.check_mirror_registry(params["registry"])
        if params["ask"]:
            cluster = Cluster.connect(params, patience=PATIENCE_AFTER_FAILURE if failure else None)
            result["api"] = cluster.host
            result.update(look(cluster, params["registry"] or "", params["registries_conf"]))
        else:
            result.update(stage=conversion.UNKNOWN, text=conversion.UNASKED)
    except errors.Error as error:
        if params["fail"]:
            raise
        said = failure and failure["reason"] == error.message  # by the task that failed
        result.update(stage=conversion.UNKNOWN, text=conversion.unknown("" if said else error.message))
    result["next"] = conversion.next_step(params["playbook"], result["stage"], bool(failure), check_mode)
    result["paragraph"] = conversion.paragraph(failure["host"], failure["task"], failure["reason"], result["text"],
                                               result["next"]) if failure else ""
    return result


def look(cluster, registry, with_files=False):
    """What of the result the cluster tells."""
    version = cluster.version
    infrastructure = cluster.get(cluster_inputs.CONFIG, "Infrastructure", "cluster") or {}
    name = infrastructure.get("status", {}).get("infrastructureName") or cluster.host.rpartition("//")[2]
    pools, nodes = read_pools(cluster)
    recorded, trouble = read_snapshot(cluster)
    facts = facts_of(cluster, pools, nodes, recorded)
    rows = [dict(standing.result(), paused=bool(pool["spec"].get("paused")), paused_by_us=bool(predicates.paused_by_us(pool)))
            for pool, standing in zip(pools, facts.pools)]
    for row in rows:
        del row["done"]  # by what the pool names, which need not be what is wanted
    subject = conversion.title(name, cluster.host, version, facts.nodes)
    return {"name": name, "version": version, "nodes": facts.nodes, "updated": facts.updated, "pools": rows,
            "registries_conf": files_of(cluster, pools, recorded or snapshot.Snapshot()) if with_files else {},
            "mirrors": list(facts.mirrors), "stage": conversion.stage(facts),
            "text": conversion.text(facts, subject, registry) + trouble}


def read_snapshot(cluster):
    """(the snapshot or None, what is wrong with it as a sentence to add). One that was changed by hand counts as one."""
    try:
        return snapshot_store.load(cluster)[1], ""
    except (errors.InvalidInput, errors.Conflict) as broken:
        return snapshot.Snapshot(), " " + broken.message


def read_pools(cluster):
    """(pools, nodes); a cluster whose control plane is hosted elsewhere has no pools."""
    if not cluster.serves(cluster_inputs.MACHINE_CONFIG, "MachineConfigPool"):
        return [], []
    return cluster.list(cluster_inputs.MACHINE_CONFIG, "MachineConfigPool"), cluster.list("v1", "Node")


def files_of(cluster, pools, recorded):
    """{pool: registries.conf as it is and as it was}."""
    return {pool["metadata"]["name"]: {"now": registries_conf(cluster, rollout.rendered_name(pool)),
                                       "original": recorded.pools.get(pool["metadata"]["name"], "")} for pool in pools}


def registries_conf(cluster, name):
    """The text of the file in a rendered MachineConfig; "" when there is none."""
    config = cluster.get(cluster_inputs.MACHINE_CONFIG, "MachineConfig", name) if name else None
    content = machine_config.files(config).get(machine_config.REGISTRIES_CONF, b"") if config else b""
    return content.decode("utf-8", "replace")


def facts_of(cluster, pools, nodes, recorded):
    """The conversion.Facts of a cluster; `recorded` is its snapshot, or None."""
    belonging = rollout.members(pools, nodes)
    objects = cluster_inputs.mirror_sets(cluster)
    ours = [obj for obj in objects if owned(obj)]
    return conversion.Facts(
        mirrors=tuple(sorted({mirror.partition("/")[0] for rule in mirror_sets.rules_of(ours) for mirror in rule.mirrors})),
        others=len(objects) - len(ours),
        rehearsed=any(predicates.rehearsed(obj) for obj in ours),
        paused=tuple(pool["metadata"]["name"] for pool in pools if predicates.paused_by_us(pool)),
        pools=tuple(rollout.standing(pool, belonging[pool["metadata"]["name"]], ()) for pool in pools),
        snapshot=recorded is not None,
        cut=bool(recorded and recorded.written),
    )


if __name__ == "__main__":
    main()
