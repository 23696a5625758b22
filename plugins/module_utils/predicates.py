# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is one object well? Each predicate takes a document of the API and returns a short reason, or None when it is well.

A reason is made of what stays the same while the trouble lasts (a condition's reason, an image's name), never of times,
counters or node-dependent words, so that two lists taken at different times can be compared.
"""
from __future__ import annotations

MACHINE_CONFIG = "machineconfiguration.openshift.io/"

# The moment at which this collection paused a pool. A pool without it was paused by somebody else and stays so.
PAUSED_BY_US = "disconnected.openshift/paused"
# The policies that a rehearsal has replaced in a mirror set, until it puts them back.
REHEARSED = "disconnected.openshift/rehearsed-policies"
# The pools without which the machine-config operator does not call itself well: that of the masters.
_REQUIRED = "operator.machineconfiguration.openshift.io/required-for-upgrade"

# What the marketplace operator, and so nobody else, manages.
_MANAGED_BY = "operatorframework.io/managed-by"
# The ClusterCatalogs that every cluster comes with; others are the administrator's own.
_CLUSTER_CATALOGS = frozenset("openshift-" + name for name in (
    "certified-operators", "community-operators", "redhat-marketplace", "redhat-operators"))

# Two words of the kubelet for one trouble, taken in turns.
_SAME_TROUBLE = {"ErrImagePull": "ImagePullBackOff"}
# What a container waits for while all goes well.
_STARTING = frozenset(("ContainerCreating", "PodInitializing"))


def condition(obj, kind):
    """The condition of that type in status.conditions, or {}."""
    return next((found for found in obj.get("status", {}).get("conditions") or () if found["type"] == kind), {})


def holds(obj, kind):
    """Is that condition "True"?"""
    return condition(obj, kind).get("status") == "True"


# --- pods --------------------------------------------------------------------------------------------------------

def pod(obj):
    """Why a pod does not do its work. Well are: a completed one, one that is being deleted, one with all containers
    ready."""
    status = obj.get("status", {})
    phase = status.get("phase", "Unknown")
    if phase == "Succeeded" or obj["metadata"].get("deletionTimestamp"):
        return None
    if phase == "Failed":
        return status.get("reason") or "Failed"
    troubles = _container_troubles(obj)
    if troubles:
        return "; ".join(troubles)
    if phase == "Running":
        return None
    scheduled = condition(obj, "PodScheduled")
    return scheduled.get("reason") or phase if scheduled.get("status") == "False" else phase


def _container_troubles(obj):
    """One phrase for each container that is in trouble; of containers that only wait for another, nothing."""
    status = obj.get("status", {})
    restarts = obj.get("spec", {}).get("restartPolicy", "Always")
    blocked = [_waiting(container) for container in status.get("initContainerStatuses") or ()]
    blocked = [trouble for trouble in blocked if trouble]
    if blocked:
        return blocked
    troubles = [_trouble(container, restarts) for container in status.get("containerStatuses") or ()]
    return [trouble for trouble in troubles if trouble]


def _waiting(container):
    """What keeps a container from starting, with its image when that is the trouble; None when nothing does."""
    reason = container.get("state", {}).get("waiting", {}).get("reason")
    if not reason or reason in _STARTING:
        return None
    reason = _SAME_TROUBLE.get(reason, reason)
    detail = " (%s)" % container["image"] if "Image" in reason and container.get("image") else ""
    return "container %s: %s%s" % (container["name"], reason, detail)


def _trouble(container, restarts):
    if container.get("ready"):
        return None
    ended = container.get("state", {}).get("terminated")
    if ended and ended.get("exitCode") == 0 and restarts != "Always":
        return None
    if ended:
        # Between two crashes; the kubelet says CrashLoopBackOff a moment later.
        return "container %s: %s" % (container["name"], "Error" if restarts == "Never" else "CrashLoopBackOff")
    return _waiting(container) or "container %s: not ready" % container["name"]


def workload(obj):
    """What a pod belongs to, "Deployment/name"; it outlives the pod. A pod without an owner is its own workload."""
    metadata = obj["metadata"]
    owner = next((ref for ref in metadata.get("ownerReferences") or () if ref.get("controller")), None)
    if owner is None or owner["kind"] == "Node":  # a static pod is its node's own
        return "Pod/" + metadata["name"]
    stamp = (metadata.get("labels") or {}).get("pod-template-hash")
    if owner["kind"] == "ReplicaSet" and stamp and owner["name"].endswith("-" + stamp):
        return "Deployment/" + owner["name"][:-len(stamp) - 1]
    if owner["kind"] == "Job":
        name, _dash, serial = owner["name"].rpartition("-")
        if name and serial.isdigit() and len(serial) >= 8:  # a CronJob numbers its Jobs by the minute
            return "CronJob/" + name
    return "%s/%s" % (owner["kind"], owner["name"])


# --- nodes, operators, pools, budgets ----------------------------------------------------------------------------

def node(obj):
    """Why a node cannot take pods, or does not follow its pool."""
    troubles = []
    ready = condition(obj, "Ready")
    if ready.get("status") != "True":
        troubles.append("not ready" + (": " + ready["reason"] if ready.get("reason") else ""))
    if obj.get("spec", {}).get("unschedulable"):
        troubles.append("cordoned")
    troubles += [kind for kind in ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
                 if holds(obj, kind)]
    state = annotation(obj, "state")
    if state in ("Degraded", "Unreconcilable"):
        troubles.append("machine-config daemon: " + state)
    return "; ".join(troubles) or None


def annotation(obj, name):
    """One of a node's annotations of the machine-config operator ("" when absent)."""
    return (obj["metadata"].get("annotations") or {}).get(MACHINE_CONFIG + name, "")


def cluster_operator(obj):
    """Why a ClusterOperator does not do its work. Progressing is no trouble: see progressing()."""
    troubles = []
    if not holds(obj, "Available"):
        troubles.append(_with_reason("not available", condition(obj, "Available")))
    if holds(obj, "Degraded"):
        troubles.append(_with_reason("degraded", condition(obj, "Degraded")))
    return "; ".join(troubles) or None


def progressing(obj):
    """What a ClusterOperator is busy with, or None."""
    found = condition(obj, "Progressing")
    return _with_reason("progressing", found) if found.get("status") == "True" else None


def paused_by_us(obj):
    """When this collection paused the pool, or None. An annotation left on a pool that was resumed by hand counts."""
    return (obj["metadata"].get("annotations") or {}).get(PAUSED_BY_US)


def rehearsed(obj):
    """What a rehearsal has replaced in the mirror set, or None."""
    return (obj["metadata"].get("annotations") or {}).get(REHEARSED)


def awaits_pools(obj, pools):
    """Is the ClusterOperator Degraded only because the masters' pool is in our window, or on its way to an update?

    The machine-config operator calls itself Degraded (RequiredPoolsFailed) some seconds after a required pool is paused
    with a change pending, and takes it back only when the last node of that pool is updated.
    """
    if (obj["metadata"]["name"] != "machine-config" or not holds(obj, "Available")
            or condition(obj, "Degraded").get("reason") != "RequiredPoolsFailed" or not holds(obj, "Degraded")):
        return False
    required = [pool for pool in pools if _REQUIRED in (pool["metadata"].get("labels") or {})]
    return any(paused_by_us(pool) or not (holds(pool, "Updated") or pool["spec"].get("paused")) for pool in required
               ) and not any(holds(pool, "Degraded") for pool in pools)


def pool(obj):
    """Why a MachineConfigPool's nodes do not have, or may not get, its configuration."""
    if holds(obj, "RenderDegraded"):
        return "its configuration cannot be rendered"
    if holds(obj, "NodeDegraded"):
        return "a node is degraded"
    if holds(obj, "Degraded"):
        return _with_reason("degraded", condition(obj, "Degraded"))
    if obj["spec"].get("paused"):
        return "paused"
    if not holds(obj, "Updated"):
        return "not updated"
    return None


def pod_disruption_budget(obj):
    """Why a drain would not get past this budget's pods."""
    status = obj.get("status", {})
    if status.get("expectedPods", 0) > 0 and status.get("disruptionsAllowed", 0) == 0:
        return "allows no disruption of its %d pods" % status["expectedPods"]
    return None


def _with_reason(trouble, found):
    return "%s: %s" % (trouble, found["reason"]) if found.get("reason") else trouble


# --- lists -------------------------------------------------------------------------------------------------------

PREDICATES = {"Pod": pod, "Node": node, "ClusterOperator": cluster_operator, "MachineConfigPool": pool}


def problems(objects):
    """The troubles of many documents as dicts kind, namespace, name, reason, sorted; pods also name their workload."""
    found = []
    pools = _pools(objects)
    for obj in objects:
        reason = PREDICATES[obj["kind"]](obj)
        if reason and not (obj["kind"] == "ClusterOperator" and awaits_pools(obj, pools)):
            entry = {"kind": obj["kind"], "namespace": obj["metadata"].get("namespace", ""),
                     "name": obj["metadata"]["name"], "reason": reason}
            if obj["kind"] == "Pod":
                entry["workload"] = workload(obj)
            found.append(entry)
    return sorted(found, key=lambda entry: (entry["kind"], entry["namespace"], entry["name"]))


def at_work(objects):
    """[{name, reason}] of the ClusterOperators that are busy, or wait for what is under way."""
    pools = _pools(objects)
    operators = [obj for obj in objects if obj["kind"] == "ClusterOperator"]
    busy = [(obj, progressing(obj) or (awaits_pools(obj, pools) and "waiting for the pool of the masters"))
            for obj in operators]
    return [{"name": obj["metadata"]["name"], "reason": reason} for obj, reason in busy if reason]


def _pools(objects):
    return [obj for obj in objects if obj["kind"] == "MachineConfigPool"]


def compare(before, now):
    """(new, gone) between two lists of problems.

    Pods come and go under new names, and one that crashes is now waiting, now running: theirs are compared by workload,
    and by reason only where an image cannot be had.
    """
    old, present = {_identity(entry) for entry in before}, {_identity(entry) for entry in now}
    return ([entry for entry in now if _identity(entry) not in old],
            [entry for entry in before if _identity(entry) not in present])


def _identity(entry):
    reason = entry["reason"] if entry["kind"] != "Pod" or "Image" in entry["reason"] else ""
    return entry["kind"], entry.get("namespace", ""), entry.get("workload") or entry["name"], reason


# --- catalogs ----------------------------------------------------------------------------------------------------

def is_default_catalog(obj):
    """Is this CatalogSource or ClusterCatalog one of those that the cluster comes with?"""
    if obj["kind"] == "ClusterCatalog":
        return obj["metadata"]["name"] in _CLUSTER_CATALOGS
    return (obj["metadata"].get("annotations") or {}).get(_MANAGED_BY) == "marketplace-operator"
