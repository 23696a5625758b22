# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: node_mirror_info
short_description: Prove on every node that its image configuration is what the cluster's objects ask for
version_added: 0.1.0
author:
  - The disconnected.openshift maintainers (!UNKNOWN)
description:
  - Reads the files of each node that decide where its images come from. These are C(/var/lib/kubelet/config.json),
    C(/etc/containers/registries.conf) and the CAs below C(/etc/docker/certs.d).
  - Compares them by meaning with what the cluster's pull secret, mirror sets and image configuration ask for, and tells
    for each node what is missing, what is unexpected, and why.
  - No debug pod is created. The files are read through the machine-config-daemon pod that runs on every node, one
    command a node, many nodes at a time; or, with O(method=api), taken from the configuration that the node reports to
    run.
  - Credentials are compared in memory and never returned.
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
  nodes:
    description: Names of the nodes to look at. All nodes of the machine-config operator without it.
    type: list
    elements: str
  method:
    description:
      - V(files) reads the files themselves. It needs the rights to get and create C(pods/exec) in
        C(openshift-machine-config-operator).
      - V(api) only reads the API, at a cost that does not grow with the number of nodes. It takes the node's word for
        what it runs (the daemon turns a node Degraded when a file differs), and for the CAs what was handed to the
        node; before OpenShift 4.14 what was handed to the C(node-ca) pods.
    type: str
    choices: [files, api]
    default: files
  expected:
    description:
      - Mirror set objects to compare with instead of the cluster's own. Its image configuration and pull secret count
        all the same.
    type: list
    elements: dict
  registry:
    description: A mirror registry, C(host[:port]), that O(expect) is about.
    type: str
  expect:
    description:
      - With O(registry), V(used) also asks that each node has a mirror there.
      - V(clean) asks that neither a mirror, nor a credential, nor a CA of it is left on any node. A credential or a CA
        that this collection did not bring, and the cluster's own objects still ask for, does not count.
      - V(reachable) asks each node itself whether it reaches O(registry) and trusts its certificate, by O(ca) where that
        is given, and compares nothing. It is the question to ask before anything depends on the registry.
    type: str
    choices: [used, clean, reachable]
    default: used
  ca:
    description:
      - With O(expect=reachable), path on the host where the module runs of the CA certificates, PEM or DER, that the nodes
        will be given. Without it, they ask with what they trust already.
    type: path
  images:
    description: Image references; RV(nodes) tells for each where the node would pull it from, in order.
    type: list
    elements: str
    default: []
  fail:
    description: Fail when a node does not match. With V(false) the result tells.
    type: bool
    default: true
  wait:
    description:
      - Seconds to keep looking until all nodes match; nodes that do are not looked at again. A trusted CA takes up to
        two minutes to reach the nodes.
    type: float
    default: 0
  poll_interval:
    description: Seconds between two looks.
    type: float
    default: 5
  workers:
    description: How many nodes are read at the same time.
    type: int
    default: 16
  exec_timeout:
    description: Seconds that reading one node's files may take.
    type: int
    default: 30
seealso:
  - module: disconnected.openshift.machine_config_rollout
  - module: disconnected.openshift.registries_conf_info
"""

EXAMPLES = r"""
- name: Prove every node
  disconnected.openshift.node_mirror_info:

- name: Prove that all nodes use the mirror, giving the CA the time to arrive
  disconnected.openshift.node_mirror_info:
    registry: registry.example.com:5000
    wait: 180

- name: Ask two nodes where they would pull an image from
  disconnected.openshift.node_mirror_info:
    nodes: [worker-0, worker-1]
    images: ["{{ release_image }}"]
  register: answer

- name: Ask every node whether it reaches the mirror, before it is told to use it
  disconnected.openshift.node_mirror_info:
    registry: registry.example.com:5000
    expect: reachable
    ca: files/mirror-ca.crt

- name: Prove that nothing of the mirror is left
  disconnected.openshift.node_mirror_info:
    registry: registry.example.com:5000
    expect: clean
"""

RETURN = r"""
matches:
  description: Whether every node matches.
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
      returned: always
      sample: worker-0
    matches:
      description: Whether the node has what is asked for, and nothing else.
      type: bool
      returned: always
      sample: false
    missing:
      description: What the node does not have, each with its file.
      type: list
      elements: str
      returned: always
      sample: ["/var/lib/kubelet/config.json: credentials of registry.example.com:5000"]
    unexpected:
      description: What the node has beyond it, each with its file.
      type: list
      elements: str
      returned: always
      sample: []
    reason:
      description: Why the node does not match, as far as the cluster tells; empty when it does.
      type: str
      returned: always
      sample: "pool worker is paused"
    pull_sources:
      description: For each of O(images), where the node would pull it from, in order.
      type: dict
      returned: when O(images) is given and the node could be read
      sample:
        quay.io/example/app@sha256:0123:
          - {reference: "registry.example.com:5000/example/app@sha256:0123", mirror: true, insecure: false,
             blocked: false}
          - {reference: "quay.io/example/app@sha256:0123", mirror: false, insecure: false, blocked: false}
"""

import base64
import contextlib
import functools

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import (
    certificates,
    cluster_inputs,
    dockerconfigjson,
    errors,
    image_ref,
    machine_config,
    mirror_sets,
    node_files,
    node_reader,
    predicates,
    progress,
    registries_conf,
    rollout,
    secrets,
    wait,
)
from ..module_utils.cluster import ARGUMENT_SPEC, Cluster

API = cluster_inputs.MACHINE_CONFIG
TROUBLES_TOLD = 3
NODES_NAMED = 5


def main():
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            nodes=dict(type="list", elements="str"),
            method=dict(type="str", choices=["files", "api"], default="files"),
            expected=dict(type="list", elements="dict"),
            registry=dict(type="str"),
            expect=dict(type="str", choices=["used", "clean", "reachable"], default="used"),
            ca=dict(type="path"),
            images=dict(type="list", elements="str", default=[]),
            fail=dict(type="bool", default=True),
            wait=dict(type="float", default=0),
            poll_interval=dict(type="float", default=5),
            workers=dict(type="int", default=16),
            exec_timeout=dict(type="int", default=30),
            **progress.ARGUMENT_SPEC,
        ),
        required_if=[("expect", "reachable", ("registry",)), ("expect", "clean", ("registry",))],
        supports_check_mode=True,
    )
    try:
        look = ask if module.params["expect"] == "reachable" else run
        protect = functools.partial(secrets.protect, module)
        module.exit_json(**look(Cluster.connect(module.params), module.params, protect))
    except errors.Error as error:
        module.fail_json(**error.result())


def run(cluster, params, protect, clock=wait.SystemClock()):
    """The module's result; raises errors.Error when a node does not match and that is asked to fail."""
    judge = Judge(cluster, params, protect)
    nodes = node_reader.nodes(cluster, params["nodes"])
    read = {"files": _files_reader, "api": _api_reader}[params["method"]](cluster, judge.version, params)
    rows = {}

    def check():
        if rows:
            _refresh(nodes, rows, cluster.list("v1", "Node"))
            if judge.renew():
                rows.clear()
        open_nodes = {name: node for name, node in nodes.items() if not rows.get(name, {}).get("matches")}
        rows.update(judge.rows(open_nodes, read(open_nodes)))
        wrong = [row for row in rows.values() if not row["matches"]]
        return wait.Pending(_message(wrong, len(rows))) if wrong and not judge.is_final(wrong) else True
    with contextlib.suppress(errors.TimedOut):
        wait.poll(check, params["wait"], params["poll_interval"], clock, progress.Teller.of(params, clock).tell)
    judge.explain(nodes, rows)
    result = {"changed": False, "matches": all(row["matches"] for row in rows.values()),
              "nodes": [rows[name] for name in sorted(rows)]}
    if params["fail"] and not result["matches"]:
        raise errors.Error(_message([row for row in result["nodes"] if not row["matches"]], len(rows)), **result)
    return result


def ask(cluster, params, _protect, clock=wait.SystemClock()):
    """The module's result when the nodes are only asked whether they reach the registry."""
    registry = image_ref.check_mirror_registry(params["registry"])
    ca = certificates.bundle(certificates.authorities(
        certificates.read(params["ca"]), params["ca"], registry)) if params["ca"] else ""
    nodes = node_reader.nodes(cluster, params["nodes"])

    def look():
        answers = node_reader.printed(cluster, nodes, node_files.reach_command(registry, ca), params["exec_timeout"],
                                      params["workers"])
        rows = [_reach_row(name, registry, answers[name]) for name in sorted(answers)]
        wrong = [row for row in rows if not row["matches"]]
        result = {"changed": False, "matches": not wrong, "nodes": rows}
        return wait.Pending(_message(wrong, len(rows), "do not reach %s" % registry), **result) if wrong else result
    try:
        return wait.poll(look, params["wait"], params["poll_interval"], clock, progress.Teller.of(params, clock).tell)
    except errors.TimedOut as late:
        if params["fail"]:
            wrong = [row for row in late.details["nodes"] if not row["matches"]]
            raise errors.Error(_message(wrong, len(late.details["nodes"]), "do not reach %s" % registry),
                               **late.details) from None
        return late.details


def _reach_row(name, registry, answer):
    reason = answer.message if isinstance(answer, errors.Error) else node_files.why_not_reached(answer)
    return {"name": name, "matches": not reason, "missing": ["the way to " + registry] if reason else [], "unexpected": [],
            "reason": reason}


def _refresh(nodes, rows, present):
    """Put the nodes as they are now into {name: node}, and forget those that are gone, with their rows."""
    now = {node["metadata"]["name"]: node for node in present}
    for name in list(nodes):
        if name in now:
            nodes[name] = now[name]
        else:
            del nodes[name], rows[name]


def _message(wrong, total, trouble="do not have the image configuration that is asked for"):
    """What is wrong on how many nodes; those with the same trouble are told together."""
    alike = {}
    for row in wrong:
        told = ["lacks " + what for what in row["missing"][:2]] + ["still has " + what for what in row["unexpected"][:2]]
        alike.setdefault(("; ".join(told), row["reason"]), []).append(row["name"])
    sentences = [": ".join(filter(None, (_names(names), told, reason)))
                 for (told, reason), names in list(alike.items())[:TROUBLES_TOLD]]
    return "%d of %d nodes %s. %s." % (
        len(wrong), total, trouble, ". ".join(sentence.rstrip(".") for sentence in sentences))


def _names(names):
    more = len(names) - NODES_NAMED
    return ", ".join(names[:NODES_NAMED]) + (" and %d more" % more if more > 0 else "")


# --- reading -----------------------------------------------------------------------------------------------------
# A reader takes {name: node} and returns {name: {path: bytes} or the errors.Error that kept it from reading}.

def _files_reader(cluster, _version, params):
    """Reads the files themselves, through the daemon's pods."""
    def parsed(answer):
        try:
            return answer if isinstance(answer, errors.Error) else node_files.parse(answer)
        except errors.Error as error:
            return error

    def read(nodes):
        answers = node_reader.printed(cluster, nodes, node_files.command(), params["exec_timeout"], params["workers"])
        return {name: parsed(answer) for name, answer in answers.items()}
    return read


def _api_reader(cluster, version, _params):
    """Takes the files from the configuration that the nodes report to run, and the CAs from where nodes get them."""
    decode = functools.lru_cache(maxsize=None)(lambda name: _decoded(cluster, name))

    def read(nodes):
        handed_out = _controllers_cas if machine_config.minor(version) >= (4, 14) else _node_ca_cas
        cas, has_them = handed_out(cluster)

        def read_one(node):
            state = predicates.annotation(node, "state")
            if state != "Done":
                return errors.Error("its machine-config daemon is " + (state or "not heard of"))
            return dict(decode(predicates.annotation(node, "currentConfig")), **(cas if has_them(node) else {}))
        return {name: read_one(node) for name, node in nodes.items()}
    return read


def _decoded(cluster, name):
    """The files that matter here, of a rendered MachineConfig."""
    found = cluster.get(API, "MachineConfig", name)
    if found is None:
        return {}
    files = machine_config.files(found)
    return {path: files[path] for path in (machine_config.PULL_SECRET, machine_config.REGISTRIES_CONF) if path in files}


def _controllers_cas(cluster):
    """The CAs in ControllerConfig, from 4.14 on, and which nodes have taken over exactly this version of it."""
    controller = cluster.get(API, "ControllerConfig", "machine-config-controller") or {"metadata": {}, "spec": {}}
    cas = {_ca_path(entry["file"]): base64.b64decode(entry["data"])
           for entry in controller["spec"].get("imageRegistryBundleUserData") or ()}
    version = controller["metadata"].get("resourceVersion")
    return cas, lambda node: predicates.annotation(node, "lastSyncedControllerConfigResourceVersion") == version


def _node_ca_cas(cluster):
    """The CAs that the node-ca pods copy, up to 4.13, if all of these run."""
    namespace = "openshift-image-registry"
    config_map = cluster.get("v1", "ConfigMap", "image-registry-certificates", namespace) or {}
    status = (cluster.get("apps/v1", "DaemonSet", "node-ca", namespace) or {}).get("status", {})
    ready = 0 < status.get("desiredNumberScheduled", 0) == status.get("numberReady")
    cas = {_ca_path(key): text.encode("utf-8") for key, text in (config_map.get("data") or {}).items()}
    return cas, lambda _node: ready


def _ca_path(key):
    return "%s/%s/ca.crt" % (node_files.CERTS_D, cluster_inputs.registry_of_key(key))


# --- judging -----------------------------------------------------------------------------------------------------

class Judge:
    """Says of each node whether it matches, and finds out why not."""

    def __init__(self, cluster, params, protect):
        self._cluster = cluster
        self._protect = protect
        self._registry = params["registry"]
        self._expect = params["expect"]
        self._expected = params["expected"]
        self._images = params["images"]
        self._inputs = None
        self.renew()

    @property
    def version(self):
        """The cluster's."""
        return self._inputs.version

    def renew(self):
        """Read what the cluster's objects ask for; returns whether it is something else than before."""
        former, self._inputs = self._inputs, cluster_inputs.read(self._cluster)
        if self._inputs == former:
            return False
        inputs, self._wanted, self._refusal = self._inputs, None, ""
        self._protect(*dockerconfigjson.secrets(inputs.pull_secret))
        objects = inputs.mirror_sets if self._expected is None else self._expected
        try:
            registries = mirror_sets.expected_registries([*objects, *inputs.configs], inputs.version)
            self._wanted = machine_config.Wanted(inputs.pull_secret, tuple(registries))
        except (errors.InvalidInput, errors.Conflict) as refusal:
            self._refusal = refusal.message + " The machine-config operator takes over no change of any mirror for it."
        self._others = node_files.trust_in(
            self._registry, inputs.pull_secret["auths"].keys() - inputs.our_entries,
            (inputs.trusted_cas or {}).keys() - inputs.our_cas) if self._registry else ()
        self._as_asked = set()  # the nodes that have what the cluster's objects ask for, whatever else is expected
        # Most nodes have the very same files: each set of them is looked at once.
        self._verdict = functools.lru_cache(maxsize=None)(self._judge)
        return True

    def is_final(self, wrong):
        """Does waiting not help rows that do not match? They have all that the cluster's objects ask for, which is too little."""
        return self._expect == "used" and self._wanted is not None and all(row["name"] in self._as_asked for row in wrong)

    def rows(self, nodes, contents):
        """{name: row of the result} for what a reader returned."""
        return {name: self._row(name, contents[name]) for name in nodes}

    def _row(self, name, contents):
        row = {"name": name, "matches": False, "missing": [], "unexpected": [], "reason": ""}
        if isinstance(contents, errors.Error):
            return dict(row, reason="the node's files could not be read: " + contents.message)
        missing, unexpected, as_asked, sources = self._verdict(frozenset(contents.items()))
        if as_asked:
            self._as_asked.add(name)
        row.update(matches=not missing and not unexpected and not self._refusal, missing=list(missing),
                   unexpected=list(unexpected), reason=self._refusal)
        return dict(row, pull_sources=sources) if self._images else row

    def _judge(self, items):
        contents = dict(items)
        missing, unexpected = [], []
        if self._wanted:
            difference = node_files.compare(self._wanted, self._inputs.trusted_cas or {}, contents)
            missing += difference.missing
            unexpected += difference.unexpected
        if self._inputs.trusted_cas is None:
            missing.append((node_files.CERTS_D, "the CAs of ConfigMap openshift-config/" + self._inputs.trusted_ca_name))
        as_asked = not missing and not unexpected
        if self._registry:
            used = node_files.use_of(self._registry, contents)
            if self._expect == "clean":
                unexpected += [pair for pair in used if pair not in unexpected and pair not in self._others]
            elif not any(path == machine_config.REGISTRIES_CONF for path, _what in used):
                missing.append((machine_config.REGISTRIES_CONF, "any mirror at " + self._registry))
        return (tuple("%s: %s" % pair for pair in missing), tuple("%s: %s" % pair for pair in unexpected), as_asked,
                self._sources(contents))

    def _sources(self, contents):
        try:
            conf = registries_conf.parse(contents.get(machine_config.REGISTRIES_CONF, b"").decode("utf-8"))
        except (errors.InvalidInput, UnicodeDecodeError):
            return {}  # the comparison says that the file cannot be read
        return {image: [{"reference": str(source.reference), "mirror": source.mirror, "insecure": source.insecure,
                         "blocked": source.blocked} for source in registries_conf.pull_sources(conf, image)]
                for image in self._images}

    def explain(self, nodes, rows):
        """Put a reason into each row that does not match and has none yet."""
        open_rows = [row for row in rows.values() if not row["matches"] and not row["reason"]]
        if not open_rows:
            return
        pools = {pool["metadata"]["name"]: pool for pool in self._cluster.list(API, "MachineConfigPool")}
        pool_of = {node["metadata"]["name"]: name
                   for name, members in rollout.members(pools.values(), nodes.values()).items() for node in members}
        about_pool = functools.lru_cache(maxsize=None)(lambda name: self._about_pool(pools[name]))
        for row in open_rows:
            name = pool_of.get(row["name"])
            if name is None:
                row["reason"] = "no machine-config pool has this node"
            else:
                row["reason"] = (_about_node(nodes[row["name"]], pools[name]) or about_pool(name)
                                 or self._about_row(row))

    def _about_pool(self, pool):
        """Why a pool's configuration is not what the objects ask for; "" when it is."""
        rendered = self._cluster.get(API, "MachineConfig", rollout.rendered_name(pool)) or {"metadata": {}, "spec": {}}
        contents = machine_config.files(rendered)
        paths = machine_config.differing_paths(self._wanted, contents)
        if not paths:
            return ""
        sources = self._cluster.list(API, "MachineConfig", label_selector=machine_config.ROLE_LABEL)
        found = machine_config.obstacles(sources, pool, paths, self._inputs.version)
        return " ".join(map(str, found)) or "pool %s has no such configuration yet" % pool["metadata"]["name"]

    def _about_row(self, row):
        """The node runs its pool's configuration, and that is right."""
        cas = self._inputs.trusted_cas
        if cas is None:
            return ("image.config names the ConfigMap openshift-config/%s, which does not exist"
                    % self._inputs.trusted_ca_name)
        paths = {text.partition(": ")[0] for text in row["missing"] + row["unexpected"]}
        if paths == {node_files.CERTS_D} and not (row["name"] in self._as_asked and self._registry in cas):
            return "a CA takes up to two minutes to reach the nodes, or to leave them"
        if row["name"] not in self._as_asked:
            return "the file on the node is not what its configuration says: it was changed by hand"
        return ("the cluster's own objects still name %s" if self._expect == "clean" else
                "no mirror set of the cluster names %s") % self._registry


def _about_node(node, pool):
    """Why a node does not run its pool's configuration; "" when it does."""
    failure = rollout.node_failure(node)
    if failure:
        return "the node " + failure
    if rollout.is_updated(node, rollout.rendered_name(pool)):
        return ""
    if pool["spec"].get("paused"):
        return "pool %s is paused" % pool["metadata"]["name"]
    if rollout.is_cordoned_by_others(node):
        return "the node is cordoned, which holds its update back"
    if not rollout.is_idle(node):
        return "the node is being updated: it is " + predicates.annotation(node, "state")
    return "the node waits for its turn in the update of pool %s" % pool["metadata"]["name"]


if __name__ == "__main__":
    main()
