# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_connectivity
short_description: Tell a cluster's own operators that there is no internet, or that there is again
version_added: 0.1.0
author:
  - The disconnected.openshift maintainers (!UNKNOWN)
description:
  - Some operators ask Red Hat's services by themselves. This module switches that off in their configuration. The default
    catalogs are disabled, the update channel is cleared or a local update service named, and the samples operator is told
    where to import from, or to manage nothing.
  - What it replaces is recorded in the snapshot first (M(disconnected.openshift.cluster_snapshot)), and
    O(state=connected) puts it back from there. A value that somebody else changed in between is left, with a warning.
  - The token for Insights and telemetry is an entry of the pull secret, see
    M(disconnected.openshift.global_pull_secret). This module only waits until the operators have noticed whether it is
    there.
  - Nodes are not touched.
extends_documentation_fragment:
  - disconnected.openshift.attributes
  - disconnected.openshift.cluster
  - disconnected.openshift.progress
attributes:
  check_mode:
    support: full
    details: Nothing is awaited in check mode.
  diff_mode:
    support: full
options:
  state:
    description:
      - V(disconnected) makes the operators look nowhere outside.
      - V(connected) puts back what V(disconnected) replaced.
    type: str
    choices: [disconnected, connected]
    default: disconnected
  default_catalogs:
    description:
      - With O(state=disconnected), disable the default catalog sources of C(OperatorHub), and the default
        C(ClusterCatalogs) where the cluster has them.
      - A catalog source of one's own may then bear the name of a default one.
    type: bool
    default: true
  updates:
    description:
      - With O(state=disconnected), V(cleared) clears the update channel, so that the cluster does not look for updates and
        raises no alert about it.
      - V(service) looks for them at O(update_service), in the channel that is set. V(kept) changes nothing.
    type: str
    choices: [cleared, service, kept]
    default: cleared
  update_service:
    description: The URL of the graph of a local OpenShift Update Service. Required with O(updates=service).
    type: str
  samples:
    description:
      - With O(state=disconnected), V(removed) tells the samples operator to remove its image streams and templates.
        Builds and applications that use them break.
      - V(mirrored) tells it to import from O(samples_registry). V(kept) changes nothing; imports then fail, which raises
        an alert and harms nothing else.
    type: str
    choices: [kept, mirrored, removed]
    default: kept
  samples_registry:
    description: The registry, C(host[:port]), that the samples were mirrored to. Required with O(samples=mirrored).
    type: str
  wait:
    description:
      - Seconds that the operators may take to follow. The Insights operator looks at the pull secret every five minutes.
      - With V(0) nothing is awaited.
    type: float
    default: 900
  poll_interval:
    description: Seconds between two looks.
    type: float
    default: 5
seealso:
  - module: disconnected.openshift.cluster_snapshot
  - module: disconnected.openshift.global_pull_secret
"""

EXAMPLES = r"""
- name: Stop looking for updates and default catalogs
  disconnected.openshift.cluster_connectivity:

- name: Look for updates at our own service
  disconnected.openshift.cluster_connectivity:
    updates: service
    update_service: https://updates.example.com/api/upgrades_info/v1/graph

- name: Put everything back
  disconnected.openshift.cluster_connectivity:
    state: connected
"""

RETURN = r"""
objects:
  description: The objects that were changed, as C(Kind name).
  returned: success
  type: list
  elements: str
  sample: ["ClusterVersion version", "OperatorHub cluster"]
left:
  description: The objects that were left because somebody else changed them since, with O(state=connected).
  returned: success
  type: list
  elements: str
  sample: []
insights:
  description:
    - V(disabled) when the Insights operator has noticed that it has no token, V(reporting) when it has one, V(absent)
      when the cluster does not have this operator.
  returned: success
  type: str
  sample: disabled
alerts:
  description: Alerts that may fire from now on, and mean nothing but the missing internet; none with O(state=connected).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the alert.
      type: str
      sample: InsightsDisabled
    reason:
      description: Why it fires, and after how long.
      type: str
      sample: The Insights operator has no token; after five minutes.
"""

import dataclasses

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import (
    cluster_inputs,
    dockerconfigjson,
    errors,
    predicates,
    progress,
    secrets,
    snapshot,
    snapshot_store,
    wait,
)
from ..module_utils.cluster import ARGUMENT_SPEC, Cluster, optimistic

TOKEN = dockerconfigjson.CLUSTER_IDENTITY
NO_TOKEN = "NoToken"  # it may be disabled by configuration, too


def main():
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            state=dict(type="str", choices=["disconnected", "connected"], default="disconnected"),
            default_catalogs=dict(type="bool", default=True),
            updates=dict(type="str", choices=["cleared", "service", "kept"], default="cleared"),
            update_service=dict(type="str"),
            samples=dict(type="str", choices=["kept", "mirrored", "removed"], default="kept"),
            samples_registry=dict(type="str"),
            wait=dict(type="float", default=900),
            poll_interval=dict(type="float", default=5),
            **progress.ARGUMENT_SPEC,
        ),
        required_if=[("updates", "service", ("update_service",)), ("samples", "mirrored", ("samples_registry",))],
        supports_check_mode=True,
    )
    try:
        cluster = Cluster.connect(module.params)
        result = run(cluster, module.params, module.check_mode, lambda *values: secrets.protect(module, *values))
        for sentence in result.pop("warnings"):
            module.warn(sentence)
        module.exit_json(**result)
    except errors.Error as error:
        module.fail_json(**error.result())


def run(cluster, params, check_mode, protect, clock=wait.SystemClock()):
    """The module's result, with `warnings`."""
    pull_secret = cluster_inputs.read(cluster).pull_secret
    protect(*dockerconfigjson.secrets(pull_secret))
    has_token = TOKEN in pull_secret["auths"]

    def decide():
        if params["state"] == "connected":
            return plan_connected(cluster, params)
        return plan_disconnected(cluster, params, check_mode)
    plan = optimistic(decide, lambda plan: None if check_mode else plan.carry_out(cluster))

    def check():
        return plan.unsettled(cluster) or _insights_unsettled(cluster, has_token) or True
    if params["wait"] and not check_mode:
        wait.poll(check, params["wait"], params["poll_interval"], clock, progress.Teller.of(params, clock).tell)
    insights = _insights(cluster, has_token)
    return {
        "changed": plan.changed, "objects": sorted(change.title for change in plan.changes), "left": plan.left,
        "insights": insights, "alerts": plan.alerts(insights),
        "warnings": plan.warnings,
        "diff": {side: {change.title: getattr(change, side) for change in plan.changes} for side in ("before", "after")},
    }


# --- deciding ----------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Change:
    """One object, and the tracked fields of its spec before and after."""

    tracked: snapshot.Tracked
    obj: dict
    before: dict
    after: dict

    @property
    def key(self):
        return self.tracked.key(self.obj["metadata"]["name"])

    @property
    def title(self):
        return "%s %s" % (self.tracked.kind, self.obj["metadata"]["name"])

    def carry_out(self, cluster):
        cluster.merge_patch(self.tracked.api_version, self.tracked.kind, self.obj["metadata"]["name"], {
            "metadata": {"resourceVersion": self.obj["metadata"]["resourceVersion"]}, "spec": self.after})


@dataclasses.dataclass
class Plan:
    """The snapshot before and after; it is written before the objects on the way out and after them on the way back, so
    that what is replaced is never nowhere."""

    state: str
    stored: dict
    recorded: snapshot.Snapshot
    target: snapshot.Snapshot
    changes: list
    left: list = dataclasses.field(default_factory=list)
    warnings: list = dataclasses.field(default_factory=list)
    options: dict = dataclasses.field(default_factory=dict)

    @property
    def changed(self):
        return bool(self.changes) or self.target != self.recorded

    def carry_out(self, cluster):
        if self.state == "disconnected":
            self._save(cluster)
        for change in self.changes:
            change.carry_out(cluster)
        if self.state == "connected":
            self._save(cluster)

    def _save(self, cluster):
        if self.target != self.recorded:
            snapshot_store.save(cluster, self.stored, self.target)

    def unsettled(self, cluster):
        """A wait.Pending while the operators have not followed."""
        hub = _get(cluster, snapshot.OPERATOR_HUB)
        spec = (hub or {}).get("spec") or {}
        wanted = {entry["name"]: bool(entry.get("disabled")) for entry in spec.get("sources") or ()}
        default = bool(spec.get("disableAllDefaultSources"))
        late = [entry["name"] for entry in (hub or {}).get("status", {}).get("sources") or ()
                if bool(entry.get("disabled")) != wanted.get(entry["name"], default)]
        return wait.Pending("the marketplace operator has not followed for %s." % ", ".join(late)) if late else None

    def alerts(self, insights):
        """What may fire without the internet, by what was switched off."""
        if self.state == "connected":
            return []
        found = []
        if insights == "disabled":
            found.append(("InsightsDisabled", "The Insights operator has no token; after five minutes."))
        if insights == "reporting":
            found += [("TelemeterClientFailures", "The token for telemetry is still in the pull secret; after an hour."),
                      ("ClusterOperatorDegraded", "The Insights operator turns Degraded after five uploads that failed, one "
                                                  "to four hours after the cut.")]
        if not self.options["default_catalogs"]:
            found.append(("OperatorHubSourceError", "The default catalogs cannot be pulled; after ten minutes."))
        if self.options["updates"] == "kept":
            found.append(("CannotRetrieveUpdates", "The update channel is still looked for; after an hour."))
        if self.options["samples"] == "kept":
            found.append(("SamplesImagestreamImportFailing", "The samples' images cannot be imported; after two hours."))
        return [{"name": name, "reason": reason} for name, reason in found]


def plan_disconnected(cluster, params, check_mode):
    """What to switch off, and the snapshot that knows what it was. Raises NotFound without a snapshot, which in check mode
    may be one that was not really taken."""
    changes, stored, recorded = [], *snapshot_store.load(cluster)
    if stored is None and check_mode:
        recorded = snapshot.Snapshot()
    elif stored is None:
        raise errors.NotFound("There is no snapshot of the cluster, so nothing could be put back later. Take one first, "
                              "with the module cluster_snapshot.")
    target = recorded
    for tracked, obj in _objects(cluster):
        before = snapshot.fields_of(tracked, obj)["spec"]
        after = dict(before, **wanted(tracked, obj, params))
        if after != before:
            change = Change(tracked, obj, before, after)
            changes.append(change)
            target = target.with_written(change.key, {"spec": before}, {"spec": after})
    return Plan("disconnected", stored, recorded, target, changes, options=params)


def wanted(tracked, obj, params):
    """The fields of an object's spec that are to differ for a cluster without the internet."""
    spec = obj.get("spec") or {}
    if tracked == snapshot.OPERATOR_HUB and params["default_catalogs"]:
        # What is said of one source counts more than what is said of all.
        disabled = [entry for entry in spec.get("sources") or () if entry.get("disabled")]
        return {"disableAllDefaultSources": True, "sources": disabled or None}
    if tracked == snapshot.CLUSTER_CATALOG and params["default_catalogs"]:
        return {"availabilityMode": "Unavailable"} if predicates.is_default_catalog(obj) else {}
    if tracked == snapshot.CLUSTER_VERSION:
        return {"cleared": {"channel": None}, "service": {"upstream": params["update_service"]}, "kept": {}}[
            params["updates"]]
    if tracked == snapshot.SAMPLES:
        return {"removed": {"managementState": "Removed"}, "mirrored": {"samplesRegistry": params["samples_registry"]},
                "kept": {}}[params["samples"]]
    return {}


def plan_connected(cluster, params):
    """What to put back, of what was written and is still so."""
    stored, recorded = snapshot_store.load(cluster)
    if stored is None:
        return Plan("connected", None, snapshot.Snapshot(), snapshot.Snapshot(), [], options=params)
    plan = Plan("connected", stored, recorded, recorded, [], options=params)
    present = {tracked.key(obj["metadata"]["name"]): (tracked, obj) for tracked, obj in _objects(cluster)}
    for key in recorded.written:
        plan.target = plan.target.without_written(key)
        if key not in present:
            continue
        tracked, obj = present[key]
        now = snapshot.fields_of(tracked, obj)["spec"]
        back, left = recorded.way_back(key, now)
        change = Change(tracked, obj, now, dict(now, **back))
        if back:
            plan.changes.append(change)
        if left:
            plan.left.append(change.title)
            plan.warnings.append("%s of %s was changed by somebody else since the cut, and is left. It was %s." % (
                ", ".join(sorted(left)), change.title, ", ".join(str(left[name]) for name in sorted(left))))
    return plan


def _objects(cluster):
    """[(Tracked, object)] of everything that this module may change."""
    found = []
    for tracked in (snapshot.OPERATOR_HUB, snapshot.CLUSTER_VERSION, snapshot.SAMPLES, snapshot.CLUSTER_CATALOG):
        if cluster.serves(tracked.api_version, tracked.kind):
            found += cluster.list(tracked.api_version, tracked.kind)
    return snapshot.tracked_objects(found)


# --- what the operators make of it ---------------------------------------------------------------------------------

def _get(cluster, tracked):
    served = cluster.serves(tracked.api_version, tracked.kind)
    return cluster.get(tracked.api_version, tracked.kind, tracked.name) if served else None


def _insights(cluster, has_token):
    if cluster.get(cluster_inputs.CONFIG, "ClusterOperator", "insights") is None:
        return "absent"
    return "reporting" if has_token else "disabled"


def _insights_unsettled(cluster, has_token):
    """A wait.Pending while the Insights operator has not noticed whether there is a token; it may be absent."""
    operator = cluster.get(cluster_inputs.CONFIG, "ClusterOperator", "insights")
    if operator is None:
        return None
    disabled = predicates.condition(operator, "Disabled")
    if has_token and disabled.get("status") == "True" and disabled.get("reason") == NO_TOKEN:
        return wait.Pending("the Insights operator has not noticed yet that the pull secret has a token for %s." % TOKEN)
    if not has_token and disabled.get("status") != "True":
        return wait.Pending("the Insights operator has not noticed yet that the pull secret has no token for %s." % TOKEN)
    if not has_token and predicates.holds(operator, "Degraded"):
        return wait.Pending("the Insights operator is still Degraded.")
    return None


if __name__ == "__main__":
    main()
