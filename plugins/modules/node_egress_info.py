# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: node_egress_info
short_description: Prove that every node can get images from their source itself, past all mirrors
version_added: 0.1.0
author:
  - The disconnected.openshift maintainers (!UNKNOWN)
description:
  - A node that has mirrors asks them first, so that a pull that works proves nothing about the way to the source. Before
    the mirrors are taken away, that way must be there, or the cluster is cut off from both.
  - On every node the node's own C(skopeo) asks the source for the manifest of each image, with the node's credentials, CAs
    and proxy, and without its mirrors. Nothing is pulled.
  - No debug pod is created. The command runs through the machine-config-daemon pod that every node has.
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
  images:
    description:
      - The images to ask for, best by digest. By default the release image that the cluster runs, as its C(ClusterVersion)
        names it.
    type: list
    elements: str
  nodes:
    description: Names of the nodes. All nodes of the machine-config operator without it.
    type: list
    elements: str
  fail:
    description: Fail when a node cannot get an image. With V(false) the result tells.
    type: bool
    default: true
  wait:
    description: Seconds to keep trying until every node can; those that can are not asked again.
    type: float
    default: 0
  poll_interval:
    description: Seconds between two attempts.
    type: float
    default: 10
  timeout:
    description: Seconds that one image may take on one node.
    type: int
    default: 30
  workers:
    description: How many nodes are asked at the same time.
    type: int
    default: 16
seealso:
  - module: disconnected.openshift.image_mirror_sets
"""

EXAMPLES = r"""
- name: Prove that the network is back on every node
  disconnected.openshift.node_egress_info:
    wait: 300
"""

RETURN = r"""
matches:
  description: Whether every node can get every image from its source.
  returned: always
  type: bool
  sample: true
images:
  description: The images that were asked for.
  returned: always
  type: list
  elements: str
  sample: ["quay.io/openshift-release-dev/ocp-release@sha256:0123"]
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
      description: Whether it can get all of them.
      type: bool
      sample: false
    missing:
      description: The images that it cannot get.
      type: list
      elements: str
      sample: ["quay.io/openshift-release-dev/ocp-release@sha256:0123"]
    unexpected:
      description: Always empty.
      type: list
      elements: str
      sample: []
    reason:
      description: What the node says of the first of them; empty when there is none.
      type: str
      sample: "dial tcp 34.224.196.162:443: i/o timeout"
"""

import functools

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import cluster_inputs, errors, image_ref, node_reader, wait
from ..module_utils.cluster import ARGUMENT_SPEC, Cluster

NODES_TOLD = 3
# On the node itself, whose root the daemon's pod has at $1: one line for each image that cannot be had, and "." at the
# very end. An empty registries.conf names no mirrors; the proxy is CRI-O's own.
SCRIPT = """
set -a
[ -f /etc/mco/proxy.env ] && . /etc/mco/proxy.env
seconds=$1
shift
for image; do
  said=$(skopeo --registries-conf=/dev/null --command-timeout="${seconds}s" inspect --raw \
    --authfile=/var/lib/kubelet/config.json "docker://$image" 2>&1 >/dev/null) ||
    printf '%s\\t%s\\n' "$image" "$(printf '%s' "$said" | tr '\\n\\t' '  ')"
done
echo .
"""


def main():
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            images=dict(type="list", elements="str"),
            nodes=dict(type="list", elements="str"),
            fail=dict(type="bool", default=True),
            wait=dict(type="float", default=0),
            poll_interval=dict(type="float", default=10),
            timeout=dict(type="int", default=30),
            workers=dict(type="int", default=16),
        ),
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(Cluster.connect(module.params), module.params))
    except errors.Error as error:
        module.fail_json(**error.result())


def command(images, timeout):
    """The argv that asks for the images' manifests."""
    return ["chroot", "/rootfs", "sh", "-c", SCRIPT, "sh", str(timeout), *images]


def run(cluster, params, clock=wait.SystemClock()):
    """The module's result; raises Unreachable when a node cannot get an image and that is asked to fail."""
    images = params["images"] or [running_release(cluster)]
    for image in images:
        image_ref.parse(image)
    argv = command(images, params["timeout"])
    seconds = params["timeout"] * len(images) + 10
    rows = {name: None for name in node_reader.nodes(cluster, params["nodes"])}

    def check():
        asked = [name for name, row in rows.items() if not (row and row["matches"])]
        answers = node_reader.printed(cluster, asked, argv, seconds, params["workers"])
        rows.update({name: row_of(name, images, answers[name]) for name in asked})
        wrong = [row for row in rows.values() if not row["matches"]]
        return wait.Pending(message(wrong, len(rows))) if wrong else True
    try:
        wait.poll(check, params["wait"], params["poll_interval"], clock)
    except errors.TimedOut:
        pass  # the rows tell
    result = {"changed": False, "images": images, "nodes": [rows[name] for name in sorted(rows)]}
    result["matches"] = all(row["matches"] for row in result["nodes"])
    if params["fail"] and not result["matches"]:
        raise errors.Unreachable(message([row for row in result["nodes"] if not row["matches"]], len(rows)), **result)
    return result


def running_release(cluster):
    """The release image by the name under which the cluster was installed or updated."""
    version = cluster.get(cluster_inputs.CONFIG, "ClusterVersion", "version") or {}
    image = version.get("status", {}).get("desired", {}).get("image")
    if not image:
        raise errors.NotFound("The ClusterVersion names no release image. Give the images to ask for.")
    return image


def row_of(name, images, answer):
    """One node's row of what the command printed there, or of the Error in its place."""
    row = functools.partial(dict, name=name, unexpected=[])
    if isinstance(answer, errors.Error):
        return row(matches=False, missing=list(images), reason=answer.message)
    lines = answer.splitlines()
    if not lines or lines.pop() != ".":
        return row(matches=False, missing=list(images), reason="its answer did not arrive whole")
    failed = dict(line.partition("\t")[::2] for line in lines)
    return row(matches=not failed, missing=[image for image in images if image in failed],
               reason=next(iter(failed.values()), "").strip())


def message(wrong, total):
    told = "; ".join("%s: %s" % (row["name"], row["reason"].rstrip(".")) for row in wrong[:NODES_TOLD])
    more = " and %d more" % (len(wrong) - NODES_TOLD) if len(wrong) > NODES_TOLD else ""
    return ("%d of %d nodes cannot get images from their source, so the mirrors must stay: without them the cluster would "
            "be cut off from both. Bring the network back first. %s%s." % (len(wrong), total, told, more))


if __name__ == "__main__":
    main()
