# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: machine_config_rollout
short_description: Foresee, hold together and await the rollout of a cluster's image configuration to its nodes
version_added: 0.1.0
author:
  - The disconnected.openshift maintainers (!UNKNOWN)
description:
  - The global pull secret and the mirror sets reach the nodes through the machine-config operator, which updates the
    nodes of each pool one after the other. This module tells beforehand what that does to each pool, pauses the pools
    so that several changes become one update of every node, resumes them, and waits until every node runs the outcome.
  - What the nodes should have is read from the cluster's own objects (its pull secret, ImageContentSourcePolicies,
    ImageDigestMirrorSets, ImageTagMirrorSets and image configuration), so that O(state=waited) needs no parameter.
  - Waiting is bound to the content of the configuration that the nodes run, never to the conditions of a pool, which
    say C(Updated) for some seconds after a change that they have not noticed yet. What somebody else changes in these
    objects meanwhile is waited for, too.
extends_documentation_fragment:
  - disconnected.openshift.attributes
  - disconnected.openshift.cluster
  - disconnected.openshift.progress
attributes:
  check_mode:
    support: full
    details: With O(state=resumed) and O(state=waited) nothing is awaited in check mode.
  diff_mode:
    support: full
options:
  state:
    description:
      - V(forecast) tells what the changes given in the other options, and those that are still on their way, will do to
        each pool, and fails when something would stop it. Writes nothing.
      - V(paused) pauses each pool that is not paused, and notes on it that this module did.
      - V(resumed) holds until each of the pools so noted names a configuration with the wanted content, then resumes
        these. A pool that was paused by somebody else stays paused. Without any such pool nothing is done.
      - V(waited) returns when every node of every pool runs the wanted content, and fails as soon as that cannot come
        true by waiting. Of a drain that takes long it names the pods and the PodDisruptionBudgets that hold it.
    type: str
    required: true
    choices: [forecast, paused, resumed, waited]
  mirror_sets:
    description: For O(state=forecast), the mirror set objects that will be created or replaced.
    type: list
    elements: dict
    default: []
  mirror_sets_absent:
    description:
      - For O(state=forecast), the mirror sets that will be deleted, each as C(name) or C(Kind name), as
        M(disconnected.openshift.image_mirror_sets) returns them.
    type: list
    elements: str
    default: []
  pull_secret_changes:
    description: For O(state=forecast), the registries whose credentials will be added, replaced or removed.
    type: list
    elements: str
    default: []
  trusted_ca_changes:
    description: For O(state=forecast), the registries whose trusted CA will be added, replaced or removed.
    type: list
    elements: str
    default: []
  fail_on_blockers:
    description:
      - For O(state=forecast), fail when a pool that will roll out is paused by somebody else or degraded, has a node
        that is cordoned, not ready or degraded, or takes a file that will change from somebody else's MachineConfig.
        Such a rollout would stop half-way, or never begin.
      - PodDisruptionBudgets that allow no disruption are reported and do not fail the task; they may allow it later.
    type: bool
    default: true
  even_if_late:
    description:
      - For O(state=resumed), resume the pools also when the wanted content was not there in time; the task fails then
        after resuming them.
      - With V(false) they stay paused in that case.
    type: bool
    default: true
  window_timeout:
    description: For O(state=resumed), seconds to hold until the wanted content is in the pools' configuration.
    type: float
    default: 60
  start_timeout:
    description:
      - For O(state=waited), seconds in which the wanted content must appear in the pools' configuration. Then the task
        fails and tells what keeps it out.
    type: float
    default: 90
  timeout:
    description: For O(state=waited), seconds that all nodes may take.
    type: float
    default: 7200
  poll_interval:
    description:
      - Seconds between two looks at the cluster; with more than 250 nodes a fiftieth of a second for each node.
    type: float
    default: 5
seealso:
  - module: disconnected.openshift.node_mirror_info
  - module: disconnected.openshift.image_mirror_sets
  - module: disconnected.openshift.global_pull_secret
"""

EXAMPLES = r"""
- name: Foresee what a mirror set and new credentials will do
  disconnected.openshift.machine_config_rollout:
    state: forecast
    mirror_sets: "{{ mirror_sets.objects }}"
    pull_secret_changes: [registry.example.com:5000]
  register: forecast

- name: Make several changes in one update of the nodes
  block:
    - name: Pause the pools
      disconnected.openshift.machine_config_rollout:
        state: paused

    - name: Change the pull secret
      disconnected.openshift.global_pull_secret:
        registries: "{{ credentials }}"

    - name: Add mirrors
      disconnected.openshift.image_mirror_sets:
        mirrors: "{{ mirrors }}"
  always:
    - name: Resume the pools that were paused above
      disconnected.openshift.machine_config_rollout:
        state: resumed

- name: Wait until every node has it
  disconnected.openshift.machine_config_rollout:
    state: waited
"""

RETURN = r"""
pools:
  description:
    - One entry for each pool.
    - With O(state=forecast) it tells what will happen, with O(state=waited) where the pool stands, with O(state=paused)
      and O(state=resumed) whether it is paused.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the MachineConfigPool.
      type: str
      returned: always
      sample: worker
    nodes:
      description: How many nodes get the pool's configuration.
      type: int
      returned: with state forecast and waited
      sample: 3
    rendered:
      description: The rendered MachineConfig that the pool names.
      type: str
      returned: always
      sample: rendered-worker-56c69fc7db8eb158515f5c6ac02cad56
    paused:
      description: Whether the pool is paused.
      type: bool
      returned: with state paused and resumed
      sample: true
    paused_by_us:
      description: Whether it was this module that paused the pool.
      type: bool
      returned: with state paused and resumed
      sample: true
    updated:
      description: How many nodes run that configuration.
      type: int
      returned: with state waited
      sample: 3
    done:
      description: Whether every node of the pool runs the wanted content.
      type: bool
      returned: with state waited
      sample: true
    text:
      description: Where the pool stands, in words.
      type: str
      returned: with state waited
      sample: pool worker is updated
    rollouts:
      description: How many times the nodes of the pool will be updated, or were seen to be.
      type: int
      returned: with state forecast and waited
      sample: 1
    files:
      description: Files on the nodes that will change.
      type: list
      elements: str
      returned: with state forecast
      sample: [/etc/containers/registries.conf, /var/lib/kubelet/config.json]
    action:
      description: The strongest thing done on each node, one of V(none), V(reload), V(restart) and V(reboot).
      type: str
      returned: with state forecast
      sample: reload
    drain:
      description: Whether each node is drained first.
      type: bool
      returned: with state forecast
      sample: false
    reboot:
      description: Whether each node is rebooted.
      type: bool
      returned: with state forecast
      sample: false
    reasons:
      description: Why, one sentence for each file.
      type: list
      elements: str
      returned: with state forecast
      sample: ["/etc/containers/registries.conf: CRI-O is reloaded"]
    at_a_time:
      description: How many nodes the operator updates at a time.
      type: int
      returned: with state forecast
      sample: 1
    blockers:
      description: What stands in the way of this pool's rollout, as in RV(blockers).
      type: list
      elements: dict
      returned: with state forecast
      sample: []
rollouts:
  description: The highest number of updates that any node goes through.
  returned: with state forecast and waited
  type: int
  sample: 1
drains:
  description:
    - With O(state=forecast) the number of nodes that will be drained.
    - With O(state=waited) the number of nodes that were seen being drained.
  returned: with state forecast and waited
  type: int
  sample: 0
reboots:
  description: The number of nodes that will be rebooted.
  returned: with state forecast
  type: int
  sample: 0
changes:
  description: What the options ask to change and is not so already, one sentence for each. Empty when there is none.
  returned: with state forecast
  type: list
  elements: str
  sample: ["ImageDigestMirrorSet disconnected-openshift is created"]
settled:
  description:
    - Whether there is nothing to do and nothing to wait for. Nothing is to change, every node runs the wanted content,
      and no pool is paused by an earlier V(paused) of this module.
  returned: with state forecast
  type: bool
  sample: false
blockers:
  description:
    - Everything that stands in the way, with the remedy. Only those with C(refuses) fail the task.
    - Among them are MachineConfigs of others that own a file that will change, so that the change would never arrive.
  returned: with state forecast
  type: list
  elements: dict
  sample:
    - kind: Node
      namespace: ""
      name: worker-1
      reason: "is cordoned: it counts as unavailable and holds the others back"
      remedy: "When its maintenance is over: oc adm uncordon worker-1"
      refuses: true
notes:
  description: What the changes lead to beside the nodes, one sentence for each, such as an acknowledgement before an update.
  returned: with state forecast
  type: list
  elements: str
  sample: []
summary:
  description: The forecast in sentences for a human.
  returned: with state forecast
  type: list
  elements: str
  sample: ["Pool worker (3 nodes, 1 at a time): CRI-O is reloaded; no drain, no reboot."]
late:
  description: Why the wanted content was not in the pools' configuration when they were resumed; empty when it was.
  returned: with state resumed
  type: str
  sample: ""
timeline:
  description: What was seen to happen, in order.
  returned: with state waited
  type: list
  elements: dict
  sample: [{time: "2026-03-01T10:00:05Z", pool: worker, text: "1 of 3 nodes of pool worker are updated"}]
nodes:
  description: The nodes that were seen being updated, in the order in which they began.
  returned: with state waited
  type: list
  elements: dict
  contains:
    name:
      description: Name of the node.
      type: str
      sample: worker-1
    pool:
      description: Name of its pool.
      type: str
      sample: worker
    began:
      description: When it was first seen to have to do something.
      type: str
      sample: "2026-03-01T10:00:05Z"
    ended:
      description: When it was first seen to run what its pool names after that; empty when it was not.
      type: str
      sample: "2026-03-01T10:01:25Z"
    drained:
      description: Whether it was seen being drained.
      type: bool
      sample: false
    failed:
      description: Whether its daemon had given up when it was last looked at.
      type: bool
      sample: false
"""

import datetime
import functools

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import (
    cluster_inputs,
    dockerconfigjson,
    errors,
    machine_config,
    mirror_sets,
    predicates,
    progress,
    rollout,
    secrets,
    wait,
)
from ..module_utils.cluster import ARGUMENT_SPEC, Cluster

API = cluster_inputs.MACHINE_CONFIG
BUDGET = ("policy/v1", "PodDisruptionBudget")
# The API server of a single node may be restarting when the pools are resumed or the wait for them begins.
RESTART_SECONDS = 120
DRAINS_TOLD = 3
LOOKS_AT_A_DRAIN = 6  # until it is asked what it waits for
CONFLICTS_BORNE = 5  # a pool's status is written often; each time the pool is read again
NODES_PER_SECOND = 50  # that one look may cost without being a burden to the API


def main():
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            state=dict(type="str", required=True, choices=["forecast", "paused", "resumed", "waited"]),
            mirror_sets=dict(type="list", elements="dict", default=[]),
            mirror_sets_absent=dict(type="list", elements="str", default=[]),
            pull_secret_changes=dict(type="list", elements="str", default=[], no_log=False),
            trusted_ca_changes=dict(type="list", elements="str", default=[]),
            fail_on_blockers=dict(type="bool", default=True),
            even_if_late=dict(type="bool", default=True),
            window_timeout=dict(type="float", default=60),
            start_timeout=dict(type="float", default=90),
            timeout=dict(type="float", default=7200),
            poll_interval=dict(type="float", default=5),
            **progress.ARGUMENT_SPEC,
        ),
        supports_check_mode=True,
    )
    try:
        patience = RESTART_SECONDS if module.params["state"] in ("resumed", "waited") else None
        cluster = Cluster.connect(module.params, patience=patience)
        observer = Observer(cluster, lambda *values: secrets.protect(module, *values))
        result = STATES[module.params["state"]](observer, module.params, module.check_mode)
        for warning in result.pop("warnings", ()):
            module.warn(warning)
        module.exit_json(**result)
    except errors.Error as error:
        module.fail_json(**error.result())


class Observer:
    """Reads a cluster's pools, nodes and rendered configurations; the latter never change and are read once."""

    def __init__(self, cluster, protect, clock=wait.SystemClock(), now=datetime.datetime.now):
        self.cluster = cluster
        self.clock = clock
        self._protect = protect
        self._now = now
        self._configs = {}

    def time(self):
        """The time of day, as in the API's own timestamps."""
        return self._now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def inputs(self):
        """The objects that the nodes' content follows from; their credentials are kept out of everything we say."""
        inputs = cluster_inputs.read(self.cluster)
        self._protect(*dockerconfigjson.secrets(inputs.pull_secret))
        return inputs

    def pools(self):
        """Every pool. Refuses a cluster that has none."""
        pools = (self.cluster.list(API, "MachineConfigPool") if self.cluster.serves(API, "MachineConfigPool") else [])
        if not pools:
            hosted = cluster_inputs.external_control_plane(self.cluster)
            raise errors.NotFound("%s has no MachineConfigPools%s." % (
                self.cluster.host, ": its control plane is hosted elsewhere, and its nodes are configured by the "
                                   "NodePools of the hosting cluster" if hosted else ""))
        return pools

    def nodes(self):
        return self.cluster.list("v1", "Node")

    def drain_holders(self, node):
        """What the drain of this node waits for, in sentences."""
        if not self.cluster.serves(*BUDGET):
            return []
        pods = self.cluster.list("v1", "Pod", field_selector="spec.nodeName=" + node)
        return rollout.drain_holders(node, pods, self.cluster.list(*BUDGET))

    def config(self, name):
        """The MachineConfig of that name, an empty one when it does not exist (any more)."""
        if name not in self._configs:
            found = self.cluster.get(API, "MachineConfig", name) if name else None
            if found is None:
                return {"metadata": {"name": name}, "spec": {}}
            self._configs[name] = found
        return self._configs[name]


def wanted_of(inputs, objects):
    """machine_config.Wanted of the pull secret as it is and the mirror sets given.

    Raises InvalidInput or Conflict where the operator refuses the objects.
    """
    try:
        expected = mirror_sets.expected_registries([*objects, *inputs.configs], inputs.version)
    except (errors.InvalidInput, errors.Conflict) as refusal:
        raise type(refusal)(refusal.message + " The machine-config operator would take over no change of any mirror "
                            "until that is corrected or deleted, and would not say so.") from None
    return machine_config.Wanted(inputs.pull_secret, tuple(expected))


class Expectation:
    """What the nodes must have by the cluster's own objects, which others may change while we wait."""

    def __init__(self, observer):
        self._observer = observer
        self.inputs = self.wanted = None
        self.renew()

    def renew(self):
        """Read the objects again; returns whether they ask for something else than before.

        Raises what wanted_of raises: an object that the operator refuses may have come meanwhile.
        """
        former, self.inputs = self.wanted, self._observer.inputs()
        self.wanted = wanted_of(self.inputs, self.inputs.mirror_sets)
        return self.wanted != former


# --- forecast ----------------------------------------------------------------------------------------------------

def forecast(observer, params, _check_mode):
    """What will happen to every pool, and what stands in the way."""
    pools, nodes, inputs = observer.pools(), observer.nodes(), observer.inputs()
    after, changes = _after(inputs.mirror_sets, params["mirror_sets"], params["mirror_sets_absent"])
    changes += ["The credentials of %s in the pull secret change" % name for name in params["pull_secret_changes"]]
    changes += ["The trusted CA of %s changes" % name for name in params["trusted_ca_changes"]]
    target = machine_config.Target(
        wanted_of(inputs, after),
        rewrites_pull_secret=bool(params["pull_secret_changes"]),
        rewrites_registries=_configured(after, inputs) != _configured(inputs.mirror_sets, inputs),
        signed_scopes=tuple(scope for policy in cluster_inputs.signature_policies(observer.cluster)
                            for scope in policy["spec"]["scopes"]))
    circumstances = _circumstances(observer.cluster)

    def effects_of(pool, members):
        for name in sorted({predicates.annotation(node, "currentConfig") for node in members}):
            difference, unsafe = machine_config.planned(
                observer.config(name), observer.config(rollout.rendered_name(pool)), target, inputs.version)
            yield difference.names(), machine_config.effects_of(difference, unsafe, inputs.version, **circumstances)

    belonging = rollout.members(pools, nodes)
    foreseen = [rollout.forecast(pool, members, list(effects_of(pool, members)))
                for pool, members in ((pool, belonging[pool["metadata"]["name"]]) for pool in pools)]
    _add_obstacles(observer.cluster, pools, foreseen, inputs.version, target.wanted.registries)
    found = [blocker for pool in foreseen for blocker in pool["blockers"]]
    mirrors = {mirror.partition("/")[0] for rule in mirror_sets.rules_of(params["mirror_sets"]) for mirror in rule.mirrors}
    notes = [*mirror_sets.notes(after, inputs.mirror_sets, inputs.version), *mirror_sets.not_allowed(inputs.configs, mirrors),
             *cluster_inputs.proxied(observer.cluster, mirrors)]
    if any(pool["drain"] and pool["rollouts"] for pool in foreseen):
        found += [blocker.result() for blocker in _budgets(observer.cluster)]
    result = {
        "changed": False,
        "pools": foreseen,
        "rollouts": max(pool["rollouts"] for pool in foreseen),
        "drains": sum(pool["nodes"] for pool in foreseen if pool["drain"] and pool["rollouts"]),
        "reboots": sum(pool["nodes"] for pool in foreseen if pool["reboot"] and pool["rollouts"]),
        "changes": changes,
        "settled": not changes and all(
            _is_settled(observer, pool, belonging[pool["metadata"]["name"]], target.wanted) for pool in pools),
        "blockers": found,
        "summary": rollout.summary(foreseen) + _side_effects(params["trusted_ca_changes"]) + notes,
        "notes": notes,
    }
    refusing = [blocker for blocker in found if blocker["refuses"]]
    if refusing and params["fail_on_blockers"]:
        raise errors.Conflict("The rollout would not come through, so nothing is begun. %s." % ". ".join(
            "%(kind)s %(name)s %(reason)s. %(remedy)s" % blocker for blocker in refusing), **result)
    return result


def _is_settled(observer, pool, members, wanted):
    """Is the pool in no window of ours, and does every node of it run the wanted content?"""
    return not predicates.paused_by_us(pool) and rollout.standing(pool, members, _lacks(observer, pool, wanted)).done


def _after(present, written, absent):
    """The mirror sets as they will be, and a sentence for each that changes."""
    objects = {(obj["kind"], obj["metadata"]["name"]): obj for obj in present}
    sentences = []
    for obj in written:
        key = _key_of(obj)
        if key not in objects:
            sentences.append("%s %s is created" % key)
        elif objects[key].get("spec") != obj.get("spec"):
            sentences.append("%s %s is changed" % key)
        objects[key] = obj
    for reference in absent:
        kind, _blank, name = reference.rpartition(" ")
        for key in [key for key in objects if key[1] == name and kind in ("", key[0])]:
            sentences.append("%s %s is deleted" % key)
            del objects[key]
    return list(objects.values()), sentences


def _key_of(obj):
    try:
        return obj["kind"], obj["metadata"]["name"]
    except (KeyError, TypeError):
        raise errors.InvalidInput("An entry of mirror_sets is no object with a kind and metadata.name.") from None


def _configured(objects, inputs):
    """Does the operator write a registries.conf of its own, rather than leave the one of the release?"""
    sources = [config.get("spec", {}).get("registrySources") or {} for config in inputs.configs]
    return bool(objects) or any(source.get(key) for source in sources
                                for key in ("insecureRegistries", "blockedRegistries"))


def _circumstances(cluster):
    """What beside the files decides about drains and reboots: keyword arguments of machine_config.effects_of."""
    operators_api = "operator.openshift.io/v1"
    policy = None
    if cluster.minor >= (4, 17) and cluster.serves(operators_api, "MachineConfiguration"):
        found = cluster.get(operators_api, "MachineConfiguration", "cluster") or {}
        policy = (found.get("status", {}).get("nodeDisruptionPolicyStatus") or {}).get("clusterPolicies")
    override = (4, 14) <= cluster.minor <= (4, 19) and cluster.get(
        "v1", "ConfigMap", "image-registry-override-drain", cluster_inputs.MCO_NAMESPACE) is not None
    return {"node_disruption_policy": policy, "single_node": cluster_inputs.single_node(cluster),
            "override_drain": override}


def _add_obstacles(cluster, pools, foreseen, version, registries):
    """Add to the blockers of each pool that will roll out who keeps the change out of its configuration."""
    if not any(forecast["rollouts"] for forecast in foreseen):
        return
    sources = cluster.list(API, "MachineConfig", label_selector=machine_config.ROLE_LABEL)
    for pool, forecast in zip(pools, foreseen):
        paths = [path for path in forecast["files"]
                 if path in (machine_config.PULL_SECRET, machine_config.REGISTRIES_CONF) and forecast["rollouts"]]
        forecast["blockers"] += [
            rollout.Blocker(found.kind, found.name, found.reason, found.remedy).result()
            for found in machine_config.obstacles(sources, pool, paths, version)]
        if machine_config.REGISTRIES_CONF in paths:
            forecast["blockers"] += [
                rollout.Blocker(found.kind, found.name, found.reason, found.remedy, refuses=refuses).result()
                for found, refuses in machine_config.drop_ins(sources, pool, registries)]


def _budgets(cluster):
    """The PodDisruptionBudgets at which a drain would have to wait."""
    if not cluster.serves(*BUDGET):
        return
    for budget in cluster.list(*BUDGET):
        reason = predicates.pod_disruption_budget(budget)
        if reason:
            yield rollout.Blocker("PodDisruptionBudget", budget["metadata"]["name"], reason,
                                  "The drain of a node that runs one of them waits until it does",
                                  refuses=False, namespace=budget["metadata"]["namespace"])


def _side_effects(trusted_ca_changes):
    if not trusted_ca_changes:
        return []
    return ["The trusted CA reaches every node within two minutes without touching a pool; the pods of "
            "openshift-apiserver are replaced one after the other."]


# --- paused and resumed ------------------------------------------------------------------------------------------

def pause(observer, _params, check_mode):
    """Pause the pools that are not paused, each with the note that it was us."""
    before = observer.pools()
    chosen = [pool for pool in before if not pool["spec"].get("paused")]
    body = {"metadata": {"annotations": {predicates.PAUSED_BY_US: observer.time()}}, "spec": {"paused": True}}
    write = _patched if check_mode else functools.partial(_pause_one, observer.cluster)
    return _switched(before, {pool["metadata"]["name"]: write(pool, body) for pool in chosen})


def resume(observer, params, check_mode):
    """Resume the pools that we paused, once one update of each node is enough."""
    before = observer.pools()
    chosen = [pool for pool in before if predicates.paused_by_us(pool)]
    body = {"metadata": {"annotations": {predicates.PAUSED_BY_US: None}}, "spec": {"paused": False}}
    after = {pool["metadata"]["name"]: _patched(pool, body) for pool in chosen}
    if check_mode or not chosen:
        return dict(_switched(before, after), late="")
    late = _hold(observer, set(after), params["window_timeout"], params["poll_interval"])
    if late and not params["even_if_late"]:
        raise errors.TimedOut("The pools %s stay paused: %s" % (", ".join(sorted(after)), late), changed=False,
                              pools=[_row(pool) for pool in before], late=late)
    failure = None
    for pool in chosen:
        name = pool["metadata"]["name"]
        try:
            after[name] = _resume_one(observer.cluster, name, body)
        except errors.Error as error:
            after[name] = pool
            failure = failure or error
    result = dict(_switched(before, after), late=late)
    if failure:
        raise type(failure)(failure.message, **result)
    if late:
        raise errors.TimedOut("The pools %s are resumed, yet what they should have was not all there: %s What comes "
                              "later is another update of every node." % (", ".join(sorted(after)), late), **result)
    return result


def _hold(observer, names, timeout, interval):
    """Wait until the pools' configurations have the wanted content; return why they do not, or "".

    Whatever goes wrong is only told, never raised: the pools must not stay paused for it.
    """
    try:
        expectation = Expectation(observer)

        def lacks():
            return ["pool %s: %s." % (pool["metadata"]["name"], lack)
                    for pool in observer.pools() if pool["metadata"]["name"] in names
                    for lack in _lacks(observer, pool, expectation.wanted)]

        def check():
            found = lacks()
            if found and expectation.renew():
                found = lacks()
            return wait.Pending(" ".join(found)) if found else ""
        return wait.poll(check, timeout, min(interval, 1.0), observer.clock)
    except errors.Error as error:
        return error.message


def _lacks(observer, pool, wanted):
    return machine_config.lacking(wanted, machine_config.files(observer.config(rollout.rendered_name(pool))))


def _patched(pool, body):
    """The pool as it will be, for check mode."""
    annotations = dict(pool["metadata"].get("annotations") or {}, **body["metadata"]["annotations"])
    return dict(pool, spec=dict(pool["spec"], **body["spec"]),
                metadata=dict(pool["metadata"], annotations={k: v for k, v in annotations.items() if v is not None}))


def _pause_one(cluster, pool, body):
    """Pause the pool as it was read; read it again when somebody changed it meanwhile, and leave it if it is paused.

    Without that an administrator who pauses a pool in the same second would find it resumed later.
    """
    name = pool["metadata"]["name"]
    for attempt in range(CONFLICTS_BORNE):
        if pool["spec"].get("paused"):
            return pool
        metadata = dict(body["metadata"], resourceVersion=pool["metadata"]["resourceVersion"])
        try:
            return cluster.merge_patch(API, "MachineConfigPool", name, dict(body, metadata=metadata))
        except errors.Conflict:
            if attempt == CONFLICTS_BORNE - 1:
                raise
            pool = cluster.get(API, "MachineConfigPool", name) or pool
    return pool


def _resume_one(cluster, name, body):
    """Resume the pool whatever else was written to it: the API itself gives up when that is much."""
    for attempt in range(CONFLICTS_BORNE):
        try:
            return cluster.merge_patch(API, "MachineConfigPool", name, body)
        except errors.Conflict:
            if attempt == CONFLICTS_BORNE - 1:
                raise


def _switched(before, after):
    """The result of pausing and resuming: `after` holds the pools that are written, by name."""
    rows = [(_row(pool), _row(after.get(pool["metadata"]["name"], pool))) for pool in before]
    changed = [(old, new) for old, new in rows
               if (old["paused"], old["paused_by_us"]) != (new["paused"], new["paused_by_us"])]
    return {
        "changed": bool(changed),
        "pools": [new for _old, new in rows],
        "diff": {"before": {row["name"]: {"paused": row["paused"]} for row, _new in changed},
                 "after": {row["name"]: {"paused": row["paused"]} for _old, row in changed}},
    }


def _row(pool):
    return {"name": pool["metadata"]["name"], "rendered": rollout.rendered_name(pool),
            "paused": bool(pool["spec"].get("paused")), "paused_by_us": bool(predicates.paused_by_us(pool))}


# --- waited ------------------------------------------------------------------------------------------------------

def wait_for(observer, params, check_mode):
    """Return when every node runs the wanted content; raise as soon as waiting cannot bring that about."""
    interval = max(params["poll_interval"], len(observer.nodes()) / NODES_PER_SECOND)
    teller = progress.Teller.of(params, observer.clock)
    vigil = Vigil(observer, Expectation(observer), params["start_timeout"], LOOKS_AT_A_DRAIN * interval, teller)
    if check_mode:
        outcome = vigil.look()
        return outcome.details if isinstance(outcome, wait.Pending) else outcome

    def check():
        outcome = vigil.look()
        return outcome if isinstance(outcome, wait.Pending) else vigil.look_again(min(interval, 1.0))
    return wait.poll(check, params["timeout"], interval, observer.clock)


class Vigil:
    """Watches the pools until they are done, and remembers what it saw."""

    def __init__(self, observer, expectation, start_timeout, patience, teller):
        self._observer = observer
        self._expectation = expectation
        self._start_timeout = start_timeout
        self._patience = patience  # seconds that a drain may take before it is asked what it waits for
        self._teller = teller
        self._shown = ""
        self._start = observer.clock.now()
        self._updates = {}  # node -> its row of the result, from when it was first seen to have to do something
        self._first = {}  # node -> the configuration that it ran when it was first seen
        self._targets = {}  # pool -> the configurations that its nodes were since told to run
        self._drained = set()
        self._draining = {}  # node that is being drained -> since when
        self._texts = {}
        self._timeline = []

    def look_again(self, after):
        """Look once more after so many seconds: pools and nodes are not read in the same moment, and the objects that they
        follow may have changed since they were read."""
        pauses = [wait.Pending("a second look")]
        return wait.poll(lambda: pauses.pop() if pauses else (self.look(renew=True),), after, after,
                         self._observer.clock)[0]

    def look(self, renew=False):
        """The module's result when all pools are done, else Pending. Raises Degraded when waiting will not help."""
        try:
            pools, standings = self._standings()
            if (renew or any(standing.late for standing in standings)) and self._expectation.renew():
                self._start = self._observer.clock.now()
                pools, standings = self._standings()
        except errors.Unreachable as error:
            return wait.Pending(error.message, timeline=self._timeline)
        result = self._result(standings)
        failures = [standing.failure for standing in standings if standing.failure]
        if failures:
            raise errors.Degraded(" ".join(failures), **result)
        late = [pool for pool, standing in zip(pools, standings) if standing.late]
        if late and self._observer.clock.now() - self._start >= self._start_timeout:
            raise errors.Degraded("After %d seconds the wanted content is not in the configuration of pool %s. %s" % (
                self._start_timeout, ", ".join(pool["metadata"]["name"] for pool in late),
                " ".join(self._obstacles(late))), **result)
        unfinished = [standing.text for standing in standings if not standing.done] + self._stuck_drains()
        if unfinished:
            return wait.Pending("; ".join(unfinished) + ".", **result)
        return dict(result, warnings=[warning for standing in standings for warning in standing.warnings])

    def _standings(self):
        """The pools, and where each stands."""
        pools, nodes = self._observer.pools(), self._observer.nodes()
        return pools, [rollout.standing(pool, members, _lacks(self._observer, pool, self._expectation.wanted))
                       for pool, members in self._note(pools, rollout.members(pools, nodes))]

    def _note(self, pools, belonging):
        """Remember what the nodes are told and which are drained; returns (pool, its nodes) pairs."""
        now = self._observer.time()
        for pool in pools:
            name, rendered = pool["metadata"]["name"], rollout.rendered_name(pool)
            targets = self._targets.setdefault(name, set())
            for node in belonging[name]:
                key = node["metadata"]["name"]
                first = self._first.setdefault(key, predicates.annotation(node, "currentConfig"))
                desired = predicates.annotation(node, "desiredConfig")
                if desired not in ("", first):
                    targets.add(desired)
                if rollout.is_draining(node):
                    self._drained.add(key)
                    self._draining.setdefault(key, self._observer.clock.now())
                else:
                    self._draining.pop(key, None)
                if not rollout.is_idle(node) or predicates.annotation(node, "currentConfig") != desired:
                    self._updates.setdefault(key, {"name": key, "pool": name, "began": now})["ended"] = ""
                if key in self._updates:
                    row = self._updates[key]
                    row.update(drained=key in self._drained, failed=rollout.node_failure(node) is not None)
                    row["ended"] = row["ended"] or (now if rollout.is_updated(node, rendered) else "")
            yield pool, belonging[name]

    def _tell(self, key, text, pool=""):
        """Put what is new into the timeline."""
        if self._texts.get(key) != text:
            self._texts[key] = text
            self._timeline.append({"time": self._observer.time(), "pool": pool, "text": text})

    def _result(self, standings):
        for standing in standings:
            self._tell(standing.name, standing.text, standing.name)
        self._show(standings)
        rows = [dict(standing.result(), rollouts=len(self._targets[standing.name])) for standing in standings]
        return {"changed": False, "pools": rows, "rollouts": max(row["rollouts"] for row in rows),
                "drains": len(self._drained), "timeline": self._timeline, "nodes": list(self._updates.values())}

    def _show(self, standings):
        """Show who waits where the pools stand that are not done, when that has changed, and what time is left."""
        line = "; ".join(standing.text for standing in standings if not standing.done)
        if line in ("", self._shown):
            return
        ended = sum(bool(row["ended"]) for row in self._updates.values())
        left = sum(standing.nodes - standing.updated for standing in standings if not standing.late)
        seconds = (self._observer.clock.now() - self._start) * left / ended if ended else 0
        if self._teller.tell(line + ("; about %s left" % progress.duration(seconds) if seconds else "")):
            self._shown = line

    def _stuck_drains(self):
        """What the drains wait for that take longer than a drain does, one sentence each; a few are enough."""
        now = self._observer.clock.now()
        names = sorted(name for name, since in self._draining.items() if now - since >= self._patience)
        try:
            holders = [holder for name in names[:DRAINS_TOLD] for holder in self._observer.drain_holders(name)]
        except errors.Error:
            return []  # the wait itself needs none of this
        for holder in holders[:DRAINS_TOLD]:
            self._tell(holder, holder)
        return holders[:DRAINS_TOLD]

    def _obstacles(self, pools):
        """What keeps the wanted content out of these pools' configurations, one sentence each."""
        cluster = self._observer.cluster
        controller = cluster.get(API, "ControllerConfig", "machine-config-controller") or {}
        if predicates.holds(controller, "TemplateControllerFailing"):
            # Not its message: for a pull secret that cannot be read it quotes the whole secret.
            yield ("ControllerConfig machine-config-controller is TemplateControllerFailing: nothing is rendered from "
                   "the release's templates. Make sure that secret openshift-config/pull-secret is of type "
                   "kubernetes.io/dockerconfigjson and holds a JSON document.")
        sources = cluster.list(API, "MachineConfig", label_selector=machine_config.ROLE_LABEL)
        explained = False
        for pool in pools:
            contents = machine_config.files(self._observer.config(rollout.rendered_name(pool)))
            paths = machine_config.differing_paths(self._expectation.wanted, contents)
            for obstacle in machine_config.obstacles(sources, pool, paths, self._expectation.inputs.version):
                explained = True
                yield str(obstacle)
        if not explained:
            yield ("See what the controller says: oc logs -n %s deployment/machine-config-controller."
                   % cluster_inputs.MCO_NAMESPACE)


STATES = {"forecast": forecast, "paused": pause, "resumed": resume, "waited": wait_for}


if __name__ == "__main__":
    main()
