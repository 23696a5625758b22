# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes of a FakeCluster that answer through their machine-config-daemon pods."""
from __future__ import annotations

import base64

from ansible_collections.disconnected.openshift.plugins.module_utils import cluster_inputs, machine_config, node_files


def daemon_pods(*nodes):
    """The pods through which these nodes are read."""
    return [{"apiVersion": "v1", "kind": "Pod", "spec": {"nodeName": node}, "status": {"phase": "Running"},
             "metadata": {"name": "daemon-" + node, "namespace": cluster_inputs.MCO_NAMESPACE,
                          "labels": {"k8s-app": "machine-config-daemon"}}} for node in nodes]


def say(cluster, node, registries):
    """The node's registries.conf is this text."""
    cluster.commands["daemon-" + node, tuple(node_files.command())] = ":%s\n%s\n:\n" % (
        machine_config.REGISTRIES_CONF, base64.b64encode(registries.encode()).decode())
