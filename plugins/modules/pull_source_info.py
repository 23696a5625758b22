# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: pull_source_info
short_description: Tell from where the nodes have really pulled their images
version_added: 0.1.0
author:
  - The disconnected.openshift maintainers (!UNKNOWN)
description:
  - Reads what CRI-O, the nodes' container engine, has written into their journals about pulls, and tells for
    each which endpoints were tried in which order, which one gave the image, and whether the mirror failed so
    that the source had to be asked.
  - The journals are read through the API, as C(oc adm node-logs) does it. Nothing runs on the nodes for it.
  - An image that a node has already is not pulled again unless its pull policy is C(Always), and leaves no
    line.
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
  since:
    description:
      - How far to look back, as an age such as V(30m), V(2h), V(1d), or as a time such as
        V(2026-03-01T10:00:00Z). A time without a zone is in UTC.
      - Note the time before a rollout or a test, to see what was pulled from then on.
    type: str
    default: 1h
  nodes:
    description: Names of the nodes to look at. All nodes of the machine-config operator without it.
    type: list
    elements: str
  images:
    description:
      - Only pulls of these images, each given by what its reference begins with, C(host[:port]),
        C(host[:port]/path) or a whole reference.
    type: list
    elements: str
    default: []
  registries:
    description:
      - Registries, C(host[:port]), that count as mirrors even for images that are pulled by that very name,
        and for pulls that were made before the nodes had their present rules.
      - Those that hold only mirrors by the rules of the nodes count without being named.
    type: list
    elements: str
    default: []
  tail:
    description: At most so many lines of a node's journal are looked at, the newest. The API gives at most
      100000.
    type: int
  workers:
    description: How many nodes are read at the same time.
    type: int
    default: 16
notes:
  - Needs the right to get C(nodes/proxy), which the role C(cluster-reader) does not give.
  - A node that cannot be read does not keep the others from being read; RV(nodes) tells of it.
seealso:
  - module: disconnected.openshift.node_mirror_info
  - module: disconnected.openshift.image_coverage_info
"""

EXAMPLES = r"""
- name: Ask the nodes where they got their images from since a rehearsal began
  disconnected.openshift.pull_source_info:
    since: "{{ rehearsal_began }}"
  register: pulls

- name: Refuse to go on if any mirror failed
  ansible.builtin.assert:
    that: pulls.counts.fell_back == 0
    fail_msg: "{{ pulls.pulls | selectattr('fell_back') | map(attribute='image') | unique | join(', ') }}"

- name: Look at the release's images on one node
  disconnected.openshift.pull_source_info:
    nodes: [worker-0]
    images: [quay.io/openshift-release-dev]
    since: 1d
"""

RETURN = r"""
pulls:
  description: The pulls of all nodes, in the order in which they began.
  returned: success
  type: list
  elements: dict
  contains:
    image:
      description:
        - The name that was asked for.
        - If the pull began before O(since), what the rules of the node make of its endpoints.
      type: str
      sample: quay.io/example/shop:1.4
    node:
      description: Name of the node.
      type: str
      sample: worker-0
    time:
      description: When it began, in UTC.
      type: str
      sample: "2026-03-01T10:00:00.123456Z"
    pulled:
      description: Whether CRI-O has written that the image is there. It has not while it pulls, or when it
        failed.
      type: bool
      sample: true
    source:
      description: The reference that gave the image; empty when none has.
      type: str
      sample: mirror.example.com:8443/example/shop:1.4
    mirror:
      description: Whether that is a mirror.
      type: bool
      sample: true
    fell_back:
      description: Whether a mirror was tried in vain, so that the source was asked.
      type: bool
      sample: false
    attempts:
      description: The endpoints that were tried, in order. All but the last have failed.
      type: list
      elements: dict
      contains:
        reference:
          description: The name that was asked for there.
          type: str
          sample: mirror.example.com:8443/example/shop:1.4
        mirror:
          description: Whether it is a mirror.
          type: bool
          sample: true
nodes:
  description: The nodes that were looked at, in the order of their names.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the node.
      type: str
      sample: worker-0
    pulls:
      description: How many of RV(pulls) are this node's.
      type: int
      sample: 12
    reason:
      description: Why it could not be read; empty when it could.
      type: str
      sample: ""
counts:
  description:
    - How many pulls there are, in all under C(total), C(from_mirror), C(from_source), and C(unfinished),
      which have given no image so far or have failed; and how many C(fell_back).
  returned: success
  type: dict
  sample: {total: 41, from_mirror: 40, from_source: 1, unfinished: 0, fell_back: 1}
"""

from collections import Counter

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import (
    crio_log,
    errors,
    image_coverage,
    image_ref,
    machine_config,
    node_reader,
    registries_conf,
)
from ..module_utils.cluster import ARGUMENT_SPEC, Cluster

MOST_LINES = 100_000


def main():
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            since=dict(type="str", default="1h"),
            nodes=dict(type="list", elements="str"),
            images=dict(type="list", elements="str", default=[]),
            registries=dict(type="list", elements="str", default=[]),
            tail=dict(type="int"),
            workers=dict(type="int", default=16),
        ),
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(Cluster.connect(module.params), module.params))
    except errors.Error as error:
        module.fail_json(**error.result())


def run(cluster, params):
    """The module's result. Raises errors.Error for bad options, and when no node at all could be read."""
    span, start = crio_log.since(params["since"])
    for registry in params["registries"]:
        image_ref.check_mirror_registry(registry)
    if params["tail"] is not None and not 1 <= params["tail"] <= MOST_LINES:
        raise errors.InvalidInput("tail is %d; the API gives 1 to %d lines." % (params["tail"], MOST_LINES))
    nodes = node_reader.nodes(cluster, params["nodes"])
    journals = node_reader.journals(cluster, nodes, query(span, params["tail"]), params["workers"])
    refused = [answer for answer in journals.values() if isinstance(answer, errors.Error)]
    if refused and len(refused) == len(journals):
        raise refused[0]
    rules = rules_of(cluster, nodes)
    pulls = []
    for name, journal in journals.items():
        if not isinstance(journal, errors.Error):
            events = [event for event in crio_log.parse(journal) if event.time >= start]
            own = image_coverage.mirror_registries([rules[name]]).union(params["registries"])
            pulls += [row(name, pull) for pull in crio_log.pulls(events, rules[name], own)
                      if is_wanted(pull.image, params["images"])]
    pulls.sort(key=lambda pull: (pull["time"], pull["node"]))
    made = Counter(pull["node"] for pull in pulls)
    return {"changed": False, "pulls": pulls, "counts": counts(pulls), "nodes": [
        {"name": name, "pulls": made[name],
         "reason": journals[name].message if isinstance(journals[name], errors.Error) else ""}
        for name in sorted(journals)]}


def query(span, tail):
    """The parameters of the kubelet's log API, in the spellings of older kubelets and of newer ones."""
    found = [("unit", "crio"), ("query", "crio"), ("since", span),
             ("grep", crio_log.PATTERN), ("pattern", crio_log.PATTERN), ("case-sensitive", "true")]
    return found + [(name, str(tail)) for name in ("tail", "tailLines") if tail is not None]


def rules_of(cluster, nodes):
    """{name of a node: the Configuration of its registries.conf}; an empty one where that cannot be told."""
    known = {}

    def rules(config):
        if isinstance(config, errors.Error):
            return registries_conf.Configuration([])
        name = config["metadata"]["name"]
        if name not in known:
            try:
                text = machine_config.files(config).get(machine_config.REGISTRIES_CONF, b"")
                known[name] = registries_conf.parse(text.decode("utf-8", "replace"))
            except errors.Error:
                known[name] = registries_conf.Configuration([])
        return known[name]
    return {name: rules(config) for name, config in node_reader.rendered(cluster, nodes).items()}


def is_wanted(image, prefixes):
    """Whether an image is among those asked for."""
    return not prefixes or any(image_coverage.starts_with(image, prefix) for prefix in prefixes)


def row(node, pull):
    """The row of the result for a crio_log.Pull."""
    source, mirror = pull.source or ("", False)
    return {
        "image": pull.image, "node": node, "time": pull.time, "pulled": pull.pulled, "source": source,
        "mirror": mirror, "fell_back": pull.fell_back,
        "attempts": [{"reference": reference, "mirror": is_mirror} for reference, is_mirror in pull.attempts],
    }


def counts(pulls):
    """How many pulls of each sort there are."""
    return {
        "total": len(pulls),
        "from_mirror": sum(pull["mirror"] for pull in pulls),
        "from_source": sum(pull["pulled"] and not pull["mirror"] for pull in pulls),
        "unfinished": sum(not pull["pulled"] for pull in pulls),
        "fell_back": sum(pull["fell_back"] for pull in pulls),
    }


if __name__ == "__main__":
    main()
