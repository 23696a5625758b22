# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: node_pull_test
short_description: Let every node of a cluster really pull an image
version_added: 0.1.0
author:
  - The disconnected.openshift maintainers (!UNKNOWN)
description:
  - Runs a DaemonSet whose pods pull an image always, in a namespace of its own, waits until it was pulled on every node,
    and removes both again, whatever happens in between.
  - The container only sleeps, without any right; whether it can run does not matter.
  - Where each pull came from is what M(disconnected.openshift.pull_source_info) tells, looking back to RV(began).
extends_documentation_fragment:
  - disconnected.openshift.attributes
  - disconnected.openshift.cluster
attributes:
  check_mode:
    support: full
    details: Nothing is pulled in check mode.
  diff_mode:
    support: N/A
    details: Nothing is left of what it creates.
options:
  image:
    description:
      - The image, best by digest. By default that of the machine-config daemon, which every release has, by the name under
        which the cluster was installed.
    type: str
  namespace:
    description: The namespace to create. One that is there already is used only if this module left it behind.
    type: str
    default: disconnected-openshift-rehearsal
  fail:
    description: Fail when a node could not pull it. With V(false) the result tells.
    type: bool
    default: true
  timeout:
    description: Seconds that the pulls may take.
    type: float
    default: 300
  poll_interval:
    description: Seconds between two looks.
    type: float
    default: 2
seealso:
  - module: disconnected.openshift.pull_source_info
  - module: disconnected.openshift.mirror_rehearsal
"""

EXAMPLES = r"""
- name: Pull on every node
  disconnected.openshift.node_pull_test:
  register: test

- name: Tell from where
  disconnected.openshift.pull_source_info:
    since: "{{ test.began }}"
    images: ["{{ test.image }}"]
"""

RETURN = r"""
image:
  description: The image that was pulled.
  returned: always
  type: str
  sample: quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:0123
began:
  description: When it began, in UTC.
  returned: always
  type: str
  sample: "2026-03-01T10:00:00Z"
matches:
  description: Whether every node pulled it.
  returned: always
  type: bool
  sample: true
nodes:
  description: One entry for each node, in the order of their names.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the node.
      type: str
      sample: worker-0
    matches:
      description: Whether it pulled the image.
      type: bool
      sample: true
    missing:
      description: The image, if it did not.
      type: list
      elements: str
      sample: []
    unexpected:
      description: Always empty.
      type: list
      elements: str
      sample: []
    reason:
      description: What the node says; empty when it pulled the image.
      type: str
      sample: ""
"""

import datetime

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import cluster_inputs, errors, image_ref, node_reader, wait
from ..module_utils.cluster import ARGUMENT_SPEC, OWNER, OWNER_LABEL, Cluster, owned

NAME = "pull"
LABELS = {"app": "disconnected-openshift-pull", OWNER_LABEL: OWNER}
NOT_YET = frozenset(("ContainerCreating", "PodInitializing", ""))
NODES_TOLD = 3
GOING_SECONDS = 60  # that the namespace of a run before this one may take to be gone


def main():
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            image=dict(type="str"),
            namespace=dict(type="str", default="disconnected-openshift-rehearsal"),
            fail=dict(type="bool", default=True),
            timeout=dict(type="float", default=300),
            poll_interval=dict(type="float", default=2),
        ),
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(Cluster.connect(module.params), module.params, module.check_mode))
    except errors.Error as error:
        module.fail_json(**error.result())


def run(cluster, params, check_mode=False, clock=wait.SystemClock(), now=datetime.datetime.now):
    """The module's result; raises Degraded when a node could not pull the image and that is asked to fail."""
    image = params["image"] or daemon_image(cluster)
    image_ref.parse(image)
    nodes = sorted(node_reader.nodes(cluster))
    result = {"changed": True, "image": image, "began": now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
              "matches": True, "nodes": []}
    if check_mode:
        return result
    namespace = params["namespace"]
    make_namespace(cluster, namespace, params["poll_interval"], clock)
    try:
        create(cluster, daemon_set(namespace, image))
        result["nodes"] = pulled(cluster, params, nodes, image, clock)
    finally:
        cluster.delete("v1", "Namespace", namespace)
    wrong = [row for row in result["nodes"] if not row["matches"]]
    result["matches"] = not wrong
    if wrong and params["fail"]:
        raise errors.Degraded("%d of %d nodes could not pull %s. %s." % (
            len(wrong), len(nodes), image, "; ".join("%(name)s: %(reason)s" % row for row in wrong[:NODES_TOLD])), **result)
    return result


def daemon_image(cluster):
    """The image of the machine-config daemon."""
    found = cluster.get("apps/v1", "DaemonSet", node_reader.DAEMON, cluster_inputs.MCO_NAMESPACE)
    if found is None:
        raise errors.NotFound("The cluster has no DaemonSet %s in %s, whose image would be pulled. Give the image." % (
            node_reader.DAEMON, cluster_inputs.MCO_NAMESPACE))
    return found["spec"]["template"]["spec"]["containers"][0]["image"]


def make_namespace(cluster, name, interval, clock):
    """Create the namespace; one that a killed run left behind is used, and one that still goes is waited for. Raises
    Conflict for somebody else's."""
    found = cluster.get("v1", "Namespace", name)
    if found is not None and not owned(found):
        raise errors.Conflict("The namespace %s is not this collection's. Give another name." % name)
    if found is not None and found["metadata"].get("deletionTimestamp"):
        wait.poll(lambda: gone(cluster, name), GOING_SECONDS, interval, clock)
        found = None
    if found is None:
        cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {
            "name": name, "labels": {OWNER_LABEL: OWNER},
            # Without it a cluster's default selector would leave nodes out.
            "annotations": {"openshift.io/node-selector": ""}}})


def gone(cluster, name):
    """True once the namespace is there no longer."""
    if cluster.get("v1", "Namespace", name) is None:
        return True
    return wait.Pending("the namespace %s of an earlier run is still being deleted; oc describe namespace/%s tells what "
                        "keeps it." % (name, name))


def create(cluster, obj):
    """Create the DaemonSet in the place of one that a killed run left behind."""
    cluster.delete("apps/v1", "DaemonSet", NAME, obj["metadata"]["namespace"])
    cluster.create(obj)


def daemon_set(namespace, image):
    """A pod on every node, whatever its taints, that pulls the image and sleeps."""
    container = {
        "name": NAME, "image": image, "imagePullPolicy": "Always", "command": ["/bin/sh", "-c", "sleep 3600"],
        "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "runAsNonRoot": True, "capabilities": {"drop": ["ALL"]},
                            "seccompProfile": {"type": "RuntimeDefault"}}}
    return {
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": NAME, "namespace": namespace, "labels": dict(LABELS)},
        "spec": {"selector": {"matchLabels": dict(LABELS)}, "template": {
            "metadata": {"labels": dict(LABELS)},
            "spec": {"tolerations": [{"operator": "Exists"}], "terminationGracePeriodSeconds": 0,
                     "automountServiceAccountToken": False, "containers": [container]}}}}


def pulled(cluster, params, nodes, image, clock):
    """A row for each node, once all have pulled the image or the time is over."""
    rows = []

    def check():
        pods = {pod["spec"].get("nodeName"): pod for pod in cluster.list("v1", "Pod", params["namespace"])
                if not pod["metadata"].get("deletionTimestamp")}
        rows[:] = [row_of(name, pods.get(name), image) for name in nodes]
        left = [row["name"] for row in rows if not row["matches"]]
        return wait.Pending("%s." % ", ".join(left)) if left else True
    try:
        wait.poll(check, params["timeout"], params["poll_interval"], clock)
    except errors.TimedOut:
        pass  # the rows tell
    return rows


def row_of(name, pod, image):
    """One node's row, by what has become of its pod's container."""
    reason = trouble(pod)
    return {"name": name, "matches": not reason, "missing": [image] if reason else [], "unexpected": [], "reason": reason}


def trouble(pod):
    """Why the pod's image is not there; "" when it is, whatever the container did with it."""
    if pod is None:
        return "no pod was created for it"
    statuses = pod.get("status", {}).get("containerStatuses") or []
    if not statuses:
        return "its pod waits"
    waiting = statuses[0].get("state", {}).get("waiting")
    if waiting is None:
        return ""
    reason = waiting.get("reason", "")
    if reason in NOT_YET:
        return "it still pulls"
    if "Image" in reason:
        return "%s: %s" % (reason, " ".join(waiting.get("message", "").split()))
    return ""  # it is there, and could not be run


if __name__ == "__main__":
    main()
