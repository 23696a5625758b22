# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_health_info
short_description: Tell what is unwell in a cluster, and what became so since an earlier look
version_added: 0.1.0
author:
  - The disconnected.openshift maintainers (!UNKNOWN)
description:
  - Looks at all pods, nodes, cluster operators and machine-config pools, and lists what does not do its work. A
    completed pod is well; a running one is when all its containers are ready.
  - Compared with the list of an earlier look, it tells what a change of the cluster has broken, apart from what was
    broken before.
extends_documentation_fragment:
  - disconnected.openshift.attributes
  - disconnected.openshift.cluster
  - disconnected.openshift.progress
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
    details: Changes nothing.
options:
  before:
    description:
      - RV(problems) of an earlier look. Without it, and without O(remembered), every problem is new.
      - Pods are compared by what they belong to, since they come back under other names.
    type: list
    elements: dict
  remembered:
    description: Whether problems that the snapshot remembers, if there is one (M(disconnected.openshift.cluster_snapshot)),
      are known as well. It needs the right to get that secret.
    type: bool
    default: false
  fail_on_new:
    description: Fail when there are new problems.
    type: bool
    default: false
  wait:
    description:
      - Seconds to keep looking for as long as there are new problems or cluster operators at work. The last look
        counts.
    type: float
    default: 0
  poll_interval:
    description: Seconds between two looks.
    type: float
    default: 10
notes:
  - Some consequences of a lost connection appear later than this looks. The Insights operator, for one, turns Degraded
    after five failed uploads, one to four hours after the cut.
seealso:
  - module: disconnected.openshift.machine_config_rollout
"""

EXAMPLES = r"""
- name: Remember what is unwell already
  disconnected.openshift.cluster_health_info:
  register: before

- name: Fail when something else has become unwell and stays so for ten minutes
  disconnected.openshift.cluster_health_info:
    before: "{{ before.problems }}"
    fail_on_new: true
    wait: 600
"""

RETURN = r"""
problems:
  description: What is unwell, in the order of kind, namespace and name.
  returned: always
  type: list
  elements: dict
  contains:
    kind:
      description: V(Pod), V(Node), V(ClusterOperator) or V(MachineConfigPool).
      type: str
      returned: always
      sample: Pod
    namespace:
      description: Its namespace; empty when it has none.
      type: str
      returned: always
      sample: shop
    name:
      description: Its name.
      type: str
      returned: always
      sample: cart-7d9f8b6c5-x2x4v
    reason:
      description: Why it counts as unwell.
      type: str
      returned: always
      sample: "container cart: ImagePullBackOff (quay.io/example/cart:1)"
    workload:
      description: What the pod belongs to.
      type: str
      returned: for pods
      sample: Deployment/cart
new_problems:
  description: The problems that were not in O(before).
  returned: always
  type: list
  elements: dict
  sample: []
gone_problems:
  description: The entries of O(before) that are no problem any more.
  returned: always
  type: list
  elements: dict
  sample: []
progressing:
  description:
    - Cluster operators that are at work, which is no problem in itself, as C(name) and C(reason).
    - Among them is C(machine-config) while it calls itself Degraded only because the pool of the masters is paused by
      M(disconnected.openshift.machine_config_rollout), or is being updated.
  returned: always
  type: list
  elements: dict
  sample: [{name: openshift-apiserver, reason: "progressing: APIServerDeployment_PodsUpdating"}]
counts:
  description: How many objects of each kind were looked at.
  returned: always
  type: dict
  sample: {ClusterOperator: 33, MachineConfigPool: 2, Node: 6, Pod: 251}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import cluster_inputs, errors, predicates, progress, snapshot_store, wait
from ..module_utils.cluster import ARGUMENT_SPEC, Cluster

KINDS = (
    ("v1", "Pod"),
    ("v1", "Node"),
    (cluster_inputs.CONFIG, "ClusterOperator"),
    (cluster_inputs.MACHINE_CONFIG, "MachineConfigPool"),
)
NAMED_IN_MESSAGE = 10


def main():
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            before=dict(type="list", elements="dict"),
            remembered=dict(type="bool", default=False),
            fail_on_new=dict(type="bool", default=False),
            wait=dict(type="float", default=0),
            poll_interval=dict(type="float", default=10),
            **progress.ARGUMENT_SPEC,
        ),
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(Cluster.connect(module.params), module.params))
    except errors.Error as error:
        module.fail_json(**error.result())


def run(cluster, params, clock=wait.SystemClock()):
    """The module's result once the cluster has settled, or the time for that is over."""
    before = _checked(params["before"] or [])
    if params["remembered"]:
        before = before + [entry for entry in _remembered(cluster) if entry not in before]

    def check():
        result = look(cluster, before)
        unsettled = result["new_problems"] or result["progressing"]
        return wait.Pending(_unsettled(result), **result) if unsettled else result
    try:
        result = wait.poll(check, params["wait"], params["poll_interval"], clock, progress.Teller.of(params, clock).tell)
    except errors.TimedOut as last:
        result = last.details
    if params["fail_on_new"] and result["new_problems"]:
        raise errors.Degraded(_message(result["new_problems"]), **result)
    return result


def _remembered(cluster):
    """The problems from before the first change, as far as a hand has left them readable."""
    _stored, recorded = snapshot_store.load(cluster)
    return [entry for entry in recorded.problems if {"kind", "name", "reason"} <= set(entry)] if recorded else []


def look(cluster, before):
    """The module's result at this moment."""
    objects = [obj for api_version, kind in KINDS if cluster.serves(api_version, kind)
               for obj in cluster.list(api_version, kind)]
    problems = predicates.problems(objects)
    new, gone = predicates.compare(before, problems)
    return {
        "changed": False,
        "problems": problems,
        "new_problems": new,
        "gone_problems": gone,
        "progressing": predicates.at_work(objects),
        "counts": {kind: sum(obj["kind"] == kind for obj in objects) for _api_version, kind in KINDS},
    }


def _checked(before):
    for entry in before:
        if not {"kind", "name", "reason"} <= set(entry):
            raise errors.InvalidInput("An entry of `before` has no kind, name and reason: give the `problems` that "
                                      "this module returned earlier.")
    return before


def _unsettled(result):
    """What keeps the cluster from being settled."""
    parts = [_message(result["new_problems"])] if result["new_problems"] else []
    names = [entry["name"] for entry in result["progressing"]]
    if names:
        more = " and %d more" % (len(names) - NAMED_IN_MESSAGE) if len(names) > NAMED_IN_MESSAGE else ""
        parts.append("Cluster operators are at work: %s%s." % (", ".join(names[:NAMED_IN_MESSAGE]), more))
    return " ".join(parts)


def _message(problems):
    told = ["%s %s%s: %s" % (entry["kind"], entry["namespace"] + "/" if entry["namespace"] else "", entry["name"],
                             entry["reason"]) for entry in problems[:NAMED_IN_MESSAGE]]
    more = " and %d more" % (len(problems) - NAMED_IN_MESSAGE) if len(problems) > NAMED_IN_MESSAGE else ""
    count = "1 problem is" if len(problems) == 1 else "%d problems are" % len(problems)
    return "%s new: %s%s." % (count, "; ".join(told), more)


if __name__ == "__main__":
    main()
