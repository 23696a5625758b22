# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: image_coverage_info
short_description: Find every image that could no longer be pulled if a cluster lost the internet
version_added: 0.1.0
author:
  - The disconnected.openshift maintainers (!UNKNOWN)
description:
  - Lists every image reference that the cluster's objects ask for, says from where the nodes would pull it by
    the rules that they really have, and asks the mirror registries whether it is there, with the nodes' own
    credentials.
  - Tells of each reference that could not be pulled any more why that is, who uses it, and what makes it
    urgent.
  - References are looked for in pods (those that have ended aside), Deployments, StatefulSets, DaemonSets,
    ReplicaSets, ReplicationControllers, Jobs, CronJobs, DeploymentConfigs, BuildConfigs, ImageStreams,
    CatalogSources, ClusterServiceVersions, ClusterCatalogs, the ClusterVersion, the machine-config operator's
    ControllerConfig and the pools' rendered configurations, and in Knative's and Tekton's kinds where the API
    serves them. O(kinds) adds others.
  - Where a ClusterImagePolicy, or in its namespace an ImagePolicy, demands Sigstore signatures, as one for release images
    does from OpenShift 4.21 on, an image counts as there only with its signature beside it at the mirror, which is where
    the nodes look for it.
  - Image streams that the samples operator manages count only where somebody's object refers to them.
  - Each reference is asked for by one C(HEAD) request, many at a time. The registries must be reachable from
    where the module runs. Certificates are verified against the host's own CAs and those that the cluster
    trusts for the registry.
  - Nothing is changed, and no credential is returned.
extends_documentation_fragment:
  - disconnected.openshift.attributes
  - disconnected.openshift.cluster
requirements:
  - jmespath
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
    details: Changes nothing.
options:
  registries:
    description:
      - The mirror registries, C(host[:port]), that are left after the cut; only mirrors there count. Required
        with O(fix), which is made for the first one.
      - Without it every mirror that the nodes know counts.
    type: list
    elements: str
    default: []
  kinds:
    description:
      - Further kinds of object to look for references in, or further places in a kind that is looked at
        anyway. A kind that the API does not serve is passed over.
    type: list
    elements: dict
    default: []
    suboptions:
      api_version:
        description: Group and version, such as V(example.com/v1).
        type: str
        required: true
      kind:
        description: The kind, such as V(Backup).
        type: str
        required: true
      images:
        description:
          - JMESPath expressions, applied to each object. Each gives references as text, or containers, which
            are objects with C(image) and perhaps C(imagePullPolicy); alone or in lists of any depth.
        type: list
        elements: str
        required: true
  ignore:
    description: References that need no mirror, each with the reason, for instance because their registry
      stays reachable.
    type: list
    elements: dict
    default: []
    suboptions:
      prefix:
        description: What the references begin with, C(host[:port]), C(host[:port]/path) or a whole reference.
        type: str
      namespace:
        description: The namespace of those who ask for them. A reference that somebody else asks for too
          still counts.
        type: str
      reason:
        description: Why they need no mirror. The result repeats it.
        type: str
        required: true
  default_catalogs:
    description:
      - Whether the cut switches off the catalogs that every cluster comes with, as
        O(disconnected.openshift.cluster_connectivity#module:default_catalogs) does. Their images then need no mirror.
    type: bool
    default: false
  method:
    description:
      - How the nodes' rules are read. V(files) reads C(/etc/containers/registries.conf) itself, and needs the
        rights to get and create C(pods/exec) in C(openshift-machine-config-operator).
      - V(api) takes them from the configuration that the node reports to run, at a cost that does not grow
        with the number of nodes.
    type: str
    choices: [files, api]
    default: files
  fix:
    description: Whether to return what would close the gap, in RV(fix).
    type: bool
    default: false
  fail:
    description: Fail when the cluster is not ready. With V(false) the result tells.
    type: bool
    default: true
  workers:
    description: How many requests run at the same time.
    type: int
    default: 16
  exec_timeout:
    description: Seconds that reading one node's files may take.
    type: int
    default: 30
notes:
  - Reading the pull secret needs more than the role C(cluster-reader). The message of a refusal names every
    right that is missing.
  - An image counts as present when the registry has its manifest, or for an image of several architectures
    their index.
seealso:
  - module: disconnected.openshift.node_mirror_info
  - module: disconnected.openshift.pull_source_info
  - module: disconnected.openshift.mirror_plan
  - module: disconnected.openshift.image_mirror_sets
"""

EXAMPLES = r"""
- name: Refuse to go on unless every image can be pulled from the mirror registry
  disconnected.openshift.image_coverage_info:
    registries: [mirror.example.com:8443]

- name: Look also into a kind of our own, and leave out what stays reachable
  disconnected.openshift.image_coverage_info:
    registries: [mirror.example.com:8443]
    kinds:
      - api_version: backups.example.com/v1
        kind: Backup
        images: ["spec.jobs[].containers[]", "spec.toolImage"]
    ignore:
      - prefix: registry.corp.example.com
        reason: It is on our own network.
      - namespace: sandbox
        reason: Nobody depends on it.
    fix: true
    fail: false
  register: coverage

- name: Mirror what is missing
  ansible.builtin.include_role:
    name: disconnected.openshift.mirror
  vars:
    mirror_images: "{{ coverage.fix.images }}"

- name: Tell the nodes about it
  disconnected.openshift.image_mirror_sets:
    name: coverage
    mirrors: "{{ coverage.fix.mirrors }}"
"""

RETURN = r"""
ready:
  description: Whether every reference can be pulled without the internet, and the rules of every node could
    be read.
  returned: always
  type: bool
  sample: false
references:
  description: Every image reference, those that are not covered first, those of most risk first among them.
  returned: always
  type: list
  elements: dict
  contains:
    image:
      description: The reference as it is written.
      type: str
      sample: quay.io/example/shop:1.4
    status:
      description:
        - V(covered) when a mirror has it.
        - V(mirror_itself) when it names a registry that holds only mirrors, V(internal_registry) when it is
          in the cluster's own; neither is asked for.
        - V(ignored) by O(ignore).
        - V(invalid) when nothing can be pulled by that name, now as after the cut.
        - V(unverified) when the mirror registry could not be asked.
        - V(no_credentials) when it refuses, for lack of a key in the pull secret or of the key's rights.
        - V(no_signature) when a mirror has the image, but not the Sigstore signature that a policy of the cluster demands.
        - V(not_mirrored) when the nodes have a rule, but no mirror has the image.
        - V(tag_without_tag_mirror) when it is a tag, and the nodes have a rule for digests alone.
        - V(no_rule) when no rule of the nodes leads to a mirror that counts.
        - V(source_blocked) when the nodes may pull it from nowhere.
        - V(unqualified) when it names no registry.
      type: str
      sample: tag_without_tag_mirror
    reason:
      description: Why, as a sentence; empty for V(covered).
      type: str
      sample: quay.io/example is mirrored by digest only, and this is a tag. Write its digest, or add a rule
        by tag.
    risk:
      description:
        - What makes it likelier, or worse, that it is pulled again, of V(always) (the pull policy),
          V(cron_job), V(daemon_set), V(system_namespace).
      type: list
      elements: str
      sample: [always]
    running:
      description:
        - True for the digest that a pod runs which asks for a tag. Nobody pulls it by this name, so it is
          never among RV(uncovered).
      type: bool
      sample: false
    used_by:
      description: Who asks for it. For a pod this is the workload that it belongs to.
      type: list
      elements: dict
      contains:
        kind:
          description: Kind of the object.
          type: str
          sample: Deployment
        namespace:
          description: Its namespace; empty for an object of the whole cluster.
          type: str
          sample: shop
        name:
          description: Its name.
          type: str
          sample: frontend
    sources:
      description: Where the nodes would pull it from, in order; empty where that was not looked at.
      type: list
      elements: dict
      contains:
        reference:
          description: The name that is asked for.
          type: str
          sample: mirror.example.com:8443/example/shop:1.4
        mirror:
          description: Whether it is a mirror.
          type: bool
          sample: true
        insecure:
          description: Whether the nodes leave its certificate unverified.
          type: bool
          sample: false
        blocked:
          description: Whether the nodes must not use it.
          type: bool
          sample: false
uncovered:
  description: The references, as text, that could not be pulled any more, in the order of RV(references).
  returned: always
  type: list
  elements: str
  sample: ["quay.io/example/shop:1.4"]
counts:
  description: How many references there are of each status, and C(total).
  returned: always
  type: dict
  sample: {covered: 211, tag_without_tag_mirror: 1, total: 212}
nodes:
  description: The nodes whose rules could not be read.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the node.
      type: str
      sample: worker-3
    reason:
      description: Why they could not be read.
      type: str
      sample: no running machine-config-daemon pod
summary:
  description: What keeps the cluster from being ready, in sentences for a human; empty when it is.
  returned: always
  type: list
  elements: str
  sample: ["1 of 212 image references could not be pulled without the internet."]
fix:
  description: What would close the gap, for images whose status mirroring mends.
  returned: when O(fix) is true
  type: dict
  contains:
    images:
      description: The images to copy, for the role mirror (C(disconnected_images)) or
        O(disconnected.openshift.mirror_plan#module:images).
      type: list
      elements: str
      sample: ["quay.io/example/shop:1.4"]
    mirrors:
      description:
        - The rules that the nodes lack, for O(disconnected.openshift.image_mirror_sets#module:mirrors) under
          a name of their own. A rule by tag makes the nodes drain.
      type: list
      elements: dict
      sample:
        - {source: quay.io/example/shop, mirrors: ["mirror.example.com:8443/example/shop"], by: tag,
           policy: AllowContactingSource}
"""

import dataclasses

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import (
    cluster_inputs,
    dockerconfigjson,
    errors,
    image_coverage,
    image_inventory,
    image_ref,
    machine_config,
    mirror_sets,
    node_files,
    node_reader,
    predicates,
    registries_conf,
    secrets,
)
from ..module_utils.cluster import ARGUMENT_SPEC, Cluster
from ..module_utils.registry import Registries

CATALOGS = ("CatalogSource", "ClusterCatalog")
IMAGES_TOLD = 5
NODES_NAMED = 5


def main():
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            registries=dict(type="list", elements="str", default=[]),
            kinds=dict(type="list", elements="dict", default=[], options=dict(
                api_version=dict(type="str", required=True),
                kind=dict(type="str", required=True),
                images=dict(type="list", elements="str", required=True),
            )),
            ignore=dict(
                type="list", elements="dict", default=[], options=dict(
                    prefix=dict(type="str"),
                    namespace=dict(type="str"),
                    reason=dict(type="str", required=True),
                ),
                mutually_exclusive=[("prefix", "namespace")],
                required_one_of=[("prefix", "namespace")],
            ),
            default_catalogs=dict(type="bool", default=False),
            method=dict(type="str", choices=["files", "api"], default="files"),
            fix=dict(type="bool", default=False),
            fail=dict(type="bool", default=True),
            workers=dict(type="int", default=16),
            exec_timeout=dict(type="int", default=30),
        ),
        supports_check_mode=True,
    )
    try:
        cluster = Cluster.connect(module.params)
        for sentence in cluster_inputs.proxied(cluster, module.params["registries"]):
            module.warn(sentence)
        module.exit_json(**run(cluster, module.params, lambda *values: secrets.protect(module, *values)))
    except errors.Error as error:
        module.fail_json(**error.result())


def run(cluster, params, protect, connect=None):
    """The module's result; raises errors.Error when the cluster is not ready and that is asked to fail.

    connect -- gives the registry.Registry of a host[:port]; by default as the nodes see it
    """
    rows = image_inventory.table(params["kinds"])
    for registry in params["registries"]:
        image_ref.check_mirror_registry(registry)
    if params["fix"] and not params["registries"]:
        raise errors.InvalidInput("fix has to know the mirror registry: give it as the first of registries.")
    inputs = cluster_inputs.read(cluster)
    protect(*dockerconfigjson.secrets(inputs.pull_secret))
    groups, unread = rules_of_nodes(cluster, params)
    found = objects(cluster, rows, params["workers"])
    references = image_inventory.collect(rows, found)
    needless = switched_off(found) if params["default_catalogs"] else []
    judge = Judge(params["registries"], params["ignore"] + needless, groups, inputs, signed_scopes(cluster))
    connect = connect or Connections(cluster, inputs)
    answers = ask(judge.mirrors(references), connect, params["workers"])
    answers.update(ask(judge.signatures(answers), connect, params["workers"]))
    told = [judge.row(reference, answers) for reference in references]
    told.sort(key=lambda row: (not _is_uncovered(row), -len(row["risk"]), row["image"]))
    uncovered = [row for row in told if _is_uncovered(row)]
    result = {
        "changed": False, "ready": not uncovered and not unread, "references": told,
        "uncovered": [row["image"] for row in uncovered],
        "counts": image_coverage.counts(row["status"] for row in told),
        "nodes": [{"name": name, "reason": error.message} for name, error in sorted(unread.items())],
    }
    result["summary"] = summary(uncovered, len(told), result["nodes"])
    if params["fix"]:
        rules = mirror_sets.rules_of(inputs.mirror_sets)
        result["fix"] = fix(uncovered, groups, rules, params["registries"][0])
    if params["fail"] and not result["ready"]:
        raise errors.Error(" ".join(result["summary"]), **result)
    return result


def _is_uncovered(row):
    return row["status"] in image_coverage.UNCOVERED and not row["running"]


# --- reading ------------------------------------------------------------------------------------------------

def rules_of_nodes(cluster, params):
    """([(Configuration, [names of the nodes that have it])], {name: why that node's could not be read})."""
    nodes = node_reader.nodes(cluster)
    if params["method"] == "files":
        answers = node_reader.printed(cluster, nodes, node_files.command(), params["exec_timeout"],
                                      params["workers"])
        decode = node_files.parse
    else:
        answers, decode = node_reader.rendered(cluster, nodes), machine_config.files
    groups, unread = {}, {}
    for name, answer in answers.items():
        try:
            if isinstance(answer, errors.Error):
                raise answer
            text = decode(answer).get(machine_config.REGISTRIES_CONF, b"").decode("utf-8", "replace")
            if text not in groups:
                groups[text] = registries_conf.parse(text), []
            groups[text][1].append(name)
        except errors.Error as error:
            unread[name] = error
    if not groups:
        raise errors.Error("The rules of no node could be read. " + " ".join(
            "%s: %s" % (name, unread[name].message) for name in sorted(unread)[:1]))
    return list(groups.values()), unread


def objects(cluster, rows, workers):
    """The objects of all kinds that this cluster serves. Raises Forbidden naming all that is denied."""
    pools = cluster.list(cluster_inputs.MACHINE_CONFIG, "MachineConfigPool")
    configs = {((pool.get("spec") or {}).get("configuration") or {}).get("name") for pool in pools} - {None}

    def read(row):
        if not cluster.serves(row.api_version, row.kind):
            return []
        if (row.api_version, row.kind) == (cluster_inputs.MACHINE_CONFIG, "MachineConfig"):
            # Each is large, and only those that a pool names are in use.
            found = [cluster.get(row.api_version, row.kind, name) for name in sorted(configs)]
            return [dict(config, apiVersion=row.api_version, kind=row.kind) for config in found if config]
        try:
            return cluster.list(row.api_version, row.kind, label_selector=row.selector or None)
        except errors.NotFound:
            return []  # it went away meanwhile
    answers = node_reader.each(rows, read, workers)
    denied = [answer.message for answer in answers.values() if isinstance(answer, errors.Forbidden)]
    if denied:
        raise errors.Forbidden(" ".join(denied))
    for answer in answers.values():
        if isinstance(answer, errors.Error):
            raise answer
    return [obj for answer in answers.values() for obj in answer]


def switched_off(objects):
    """[entries as of the option ignore] for the images of the default catalogs among the objects."""
    catalogs = [obj["spec"] for obj in objects if obj["kind"] in CATALOGS and predicates.is_default_catalog(obj)]
    images = {spec.get("image") or ((spec.get("source") or {}).get("image") or {}).get("ref") for spec in catalogs}
    return [{"prefix": image, "namespace": None, "reason": "Its catalog is disabled by the cut."}
            for image in sorted(images - {None})]


def signed_scopes(cluster):
    """{namespace, or "" for all: {scope: the policy that demands Sigstore signatures of the images in it}}."""
    found = {}
    for policy in cluster_inputs.signature_policies(cluster):
        named = "%s %s" % (policy["kind"], policy["metadata"]["name"])
        found.setdefault(policy["metadata"].get("namespace", ""), {}).update(dict.fromkeys(policy["spec"]["scopes"], named))
    return found


class Connections:
    """The registries by host[:port], each as the nodes see it: with their credentials and their CAs."""

    def __init__(self, cluster, inputs):
        self._pull_secret = inputs.pull_secret
        self._cas = inputs.trusted_cas or {}
        self._bundle = _bundle(cluster)

    def __call__(self, host):
        cas = "\n".join((node_files.plain(self._cas.get(host, "")), self._bundle)).strip()
        return Registries(self._pull_secret, ca_content=cas)[host]


def _bundle(cluster):
    """The CAs that the nodes trust for everything, of the cluster's proxy configuration; "" without any."""
    name = ((cluster_inputs.proxy(cluster).get("spec") or {}).get("trustedCA") or {}).get("name")
    config_map = cluster.get("v1", "ConfigMap", name, "openshift-config") if name else None
    return ((config_map or {}).get("data") or {}).get("ca-bundle.crt", "")


def ask(mirrors, connect, workers):
    """{reference: its digest, None if there is none, or the errors.Error of asking}, by one HEAD each.

    A registry that cannot be reached is not waited for once more with every other reference.
    """
    images = {mirror: image_ref.parse(mirror) for mirror in mirrors}
    registries = node_reader.each({image.registry for image in images.values()}, connect, workers)

    def digest(mirror):
        image, registry = images[mirror], registries[images[mirror].registry]
        if isinstance(registry, errors.Error):
            raise registry
        try:
            return registry.digest(image.path, image.digest or image.tag)
        except errors.Unreachable as error:
            registries[image.registry] = error
            raise
    return node_reader.each(images, digest, workers)


# --- judging ------------------------------------------------------------------------------------------------

class Judge:
    """Says of each reference what the rules of all nodes make of it."""

    def __init__(self, registries, ignore, groups, inputs, signed):
        self._groups = groups
        self._pull_secret = inputs.pull_secret
        self._prefixes = [entry for entry in ignore if entry["prefix"]]
        self._namespaces = {entry["namespace"]: entry["reason"] for entry in ignore if entry["namespace"]}
        registries = frozenset(registries)
        config = next((config for config in inputs.configs if config["kind"] == "Image"), None)
        self._surroundings = image_coverage.Surroundings(
            registries, registries or image_coverage.mirror_registries(conf for conf, _names in groups),
            image_coverage.internal_registries(config), signed)
        self._aims = {}

    def mirrors(self, references):
        """The references on mirrors that have to be asked for, each once."""
        for reference in references:
            if not self._ignored(reference):
                namespaces = {use.namespace for use in reference.uses}
                self._aims[reference.image] = [
                    image_coverage.aim(reference.image, conf, self._surroundings, namespaces) for conf, _names in self._groups]
        return sorted({mirror for aims in self._aims.values() for aim in aims for mirror in aim.mirrors})

    def signatures(self, answers):
        """The signatures that have to be asked for, each once, by what the mirrors answered."""
        return sorted({signature for aims in self._aims.values() for aim in aims
                       for signature in image_coverage.signatures(aim, answers)})

    def row(self, reference, answers):
        """The row of the result for a reference; where nodes with different rules disagree, the worst."""
        judged = [(image_coverage.verdict(aim, answers, self._pull_secret), aim, names)
                  for aim, (_conf, names) in zip(self._aims.get(reference.image, ()), self._groups)]
        ignored = image_coverage.Verdict(image_coverage.IGNORED, self._ignored(reference)), image_coverage.Aim(), ()
        verdict, aim, names = max(judged, key=lambda one: image_coverage.severity(one[0]), default=ignored)
        disagree = len({one.status for one, _aim, _names in judged}) > 1
        return {
            "image": reference.image,
            "status": verdict.status,
            "reason": "On %s: %s" % (_some(names, NODES_NAMED), verdict.reason) if disagree else verdict.reason,
            "risk": reference.risk,
            "running": reference.running,
            "used_by": [{"kind": use.kind, "namespace": use.namespace, "name": use.name}
                        for use in reference.uses],
            "sources": [dataclasses.asdict(source) for source in aim.sources],
        }

    def _ignored(self, reference):
        """Why a reference needs no mirror, as the user says; "" if the user does not."""
        for entry in self._prefixes:
            if image_coverage.starts_with(reference.image, entry["prefix"]):
                return entry["reason"]
        if all(use.namespace in self._namespaces for use in reference.uses):
            return self._namespaces[reference.uses[0].namespace]
        return ""


def fix(uncovered, groups, rules, registry):
    """What closes the gap at the mirror `registry`, by the rules that most nodes have."""
    images = [row["image"] for row in uncovered if row["status"] in image_coverage.MENDED_BY_MIRRORING]
    conf, _names = max(groups, key=lambda group: len(group[1]))
    return {"images": images, "mirrors": image_coverage.fix(images, conf, rules, registry)}


def summary(uncovered, total, unread):
    """What keeps the cluster from being ready, as sentences; references with the same status are told together."""
    sentences = []
    if uncovered:
        sentences.append("%d of %d image references could not be pulled without the internet."
                         % (len(uncovered), total))
    by_status = {}
    for row in uncovered:
        by_status.setdefault(row["status"], []).append(row)
    for status, rows in by_status.items():
        images = _some([row["image"] for row in rows], IMAGES_TOLD)
        sentences.append("%s: %s. %s" % (status, images, rows[0]["reason"]))
    if unread:
        sentences.append("The rules of %s could not be read: %s." % (
            _some([row["name"] for row in unread], NODES_NAMED), unread[0]["reason"].rstrip(".")))
    return sentences


def _some(names, told):
    more = len(names) - told
    return ", ".join(names[:told]) + (" and %d more" % more if more > 0 else "")


if __name__ == "__main__":
    main()
