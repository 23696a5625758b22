# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads many nodes at a time: what a command prints there, which MachineConfig they run, their journals.

A node that cannot be read does not keep the others from being read: the errors.Error takes its answer's place.
"""
from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor

from . import cluster_inputs, errors

DAEMON = "machine-config-daemon"
RUNNING_CONFIG = "machineconfiguration.openshift.io/currentConfig"
OPERATING_SYSTEM = "kubernetes.io/os"


def nodes(cluster, names=None):
    """{name: node} of the nodes asked for; without names all that the machine-config operator looks after."""
    known = {node["metadata"]["name"]: node for node in cluster.list("v1", "Node")}
    if names is None:
        return {name: node for name, node in known.items()
                if (node["metadata"].get("labels") or {}).get(OPERATING_SYSTEM) != "windows"}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise errors.InvalidInput("The cluster has no node %s." % ", ".join(unknown))
    return {name: known[name] for name in names}


def printed(cluster, names, argv, timeout, workers):
    """{name: what a command prints on that node, or the Error}, by way of the daemon's pod there."""
    daemons = cluster.list("v1", "Pod", cluster_inputs.MCO_NAMESPACE, label_selector="k8s-app=" + DAEMON)
    pods = {pod["spec"].get("nodeName"): pod["metadata"]["name"] for pod in daemons
            if pod.get("status", {}).get("phase") == "Running"}

    def run(name):
        if name not in pods:
            raise errors.NotFound("no running machine-config-daemon pod")
        answer = cluster.exec(cluster_inputs.MCO_NAMESPACE, pods[name], DAEMON, argv, timeout=timeout)
        if answer.rc:
            # What it printed is not repeated: only its standard error is sure to hold no file.
            raise errors.Error("reading its files ended with exit code %d: %s" % (
                answer.rc, answer.stderr.strip()[:200]))
        return answer.stdout
    return each(names, run, workers)


def rendered(cluster, found):
    """{name: the MachineConfig that this node runs, or the Error} of {name: node}, each config read once."""
    read = functools.lru_cache(maxsize=None)(functools.partial(
        cluster.get, cluster_inputs.MACHINE_CONFIG, "MachineConfig"))

    def config_of(name):
        config = (found[name]["metadata"].get("annotations") or {}).get(RUNNING_CONFIG)
        document = read(config) if config else None
        if document is None:
            raise errors.NotFound("it runs no MachineConfig that the cluster still has")
        return document
    return each(found, config_of, workers=1)


def journals(cluster, found, query, workers):
    """{name: the lines of its journal, or the Error} of {name: node}.

    query -- (parameter, value) pairs of the kubelet's log API
    """
    def read(name):
        if _is_silent(found[name]):
            raise errors.Unreachable("its kubelet has stopped reporting")
        try:
            return cluster.raw("/api/v1/nodes/%s/proxy/logs/journal" % name, query)
        except errors.Forbidden:
            raise errors.Forbidden("%s: this user may not read the nodes' journals. Grant it the verb \"get\" on "
                                   "\"nodes/proxy\" of API group \"\", by a cluster role, or run as a cluster "
                                   "administrator." % cluster.host) from None
    return each(found, read, workers)


def _is_silent(node):
    """Whether the kubelet has not been heard of for so long that asking it would only take time."""
    conditions = (node.get("status") or {}).get("conditions") or ()
    return any(found["type"] == "Ready" and found["status"] == "Unknown" for found in conditions)


def each(keys, work, workers):
    """{key: work(key), or the errors.Error that it raised}, in the order of the keys, `workers` at a time."""
    def attempt(key):
        try:
            return work(key)
        except errors.Error as error:
            return error
    keys = list(keys)
    with ThreadPoolExecutor(max_workers=max(1, min(workers, len(keys)))) as pool:
        return dict(zip(keys, pool.map(attempt, keys)))
