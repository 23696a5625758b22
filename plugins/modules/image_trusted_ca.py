# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: image_trusted_ca
short_description: Make a cluster trust the CA of a registry
version_added: 0.1.0
description:
  - Adds the CA's certificates to the config map that C(additionalTrustedCA) of the cluster's image
    configuration names, under the key that stands for the registry (C(host..port) for C(host:port)). It never
    repoints C(additionalTrustedCA), and what is there for other registries stays.
  - Where none is named yet, it creates the config map C(disconnected-openshift-trusted-ca) in
    C(openshift-config) first and names it then.
  - The certificates are checked before anything is written. A private key in the file, a damaged certificate,
    one that is not a CA's, has expired or is not valid yet is refused.
  - What it added is recorded in an annotation of the config map, by fingerprint. Certificates that somebody
    else put under the same key are kept next to ours; when our CA is renewed, the new certificates replace
    those that were ours.
  - Nodes are neither drained nor restarted by it. The C(openshift-apiserver) pods roll out, which takes a few
    minutes.
author:
  - The disconnected.openshift maintainers (!UNKNOWN)
extends_documentation_fragment:
  - disconnected.openshift.cluster
  - disconnected.openshift.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  registry:
    description:
      - The registry, C(host[:port]), exactly as the images' references name it. C(host) and C(host:443) are
        two different registries to a node.
      - An IPv6 address is refused, as the key of a config map cannot hold it.
    type: str
    required: true
  ca:
    description:
      - Path, on the host where the module runs, of the CA certificate in PEM (one or several) or DER.
      - One of O(ca) and O(ca_content) is required with O(state=present).
    type: path
  ca_content:
    description: The text of the PEM certificates, instead of a file.
    type: str
  former:
    description:
      - What becomes of the certificates that this module added for the registry before, and that are not given any more.
      - V(replaced) removes them. V(kept) leaves them beside the new ones, for as long as some registry's certificate is
        still signed by the old CA. A later run with V(replaced) ends that.
    type: str
    choices: [replaced, kept]
    default: replaced
  update_service:
    description:
      - Whether the certificates go under the key C(updateservice-registry) as well, where a local OpenShift Update Service
        looks for the CA of the registry that it reads releases from.
      - V(false) removes from there what this module added for O(registry), and leaves everything else.
    type: bool
    default: false
  state:
    description:
      - V(present) makes the cluster trust the certificates for the registry.
      - V(absent) removes the certificates that this module added for the registry. If nothing is left in the
        config map and this module created it, C(additionalTrustedCA) is unset and the config map deleted. Do
        so only when no node lists the registry as a mirror any more.
    type: str
    choices: [present, absent]
    default: present
requirements:
  - cryptography >= 38
"""

EXAMPLES = r"""
- name: Trust the mirror registry
  disconnected.openshift.image_trusted_ca:
    registry: mirror.example.com:5000
    ca: files/mirror-ca.crt

- name: Trust the mirror registry's next CA before its certificate is renewed
  disconnected.openshift.image_trusted_ca:
    registry: mirror.example.com:5000
    ca: files/mirror-ca-2027.crt
    former: kept

- name: Let a local OpenShift Update Service read releases from it, too
  disconnected.openshift.image_trusted_ca:
    registry: mirror.example.com:5000
    ca: files/mirror-ca.crt
    update_service: true

- name: Trust it no longer
  disconnected.openshift.image_trusted_ca:
    registry: mirror.example.com:5000
    state: absent
"""

RETURN = r"""
config_map:
  description: The config map in C(openshift-config) that holds, or held, the registry's certificates.
  returned: success
  type: str
  sample: disconnected-openshift-trusted-ca
key:
  description: The key that stands for the registry.
  returned: success
  type: str
  sample: mirror.example.com..5000
certificates:
  description: The certificates that are trusted for the registry from now on, our own and others'.
  returned: success
  type: list
  elements: dict
  contains:
    subject:
      description: Whose certificate it is.
      type: str
    issuer:
      description: Who signed it.
      type: str
    not_before:
      description: From when it is valid, in UTC.
      type: str
    not_after:
      description: Until when it is valid, in UTC.
      type: str
    is_ca:
      description: Whether it is the certificate of a CA.
      type: bool
    fingerprint:
      description: The SHA-256 fingerprint.
      type: str
    names:
      description: The DNS names and IP addresses that the certificate is for.
      type: list
      elements: str
"""

import json
from dataclasses import dataclass, field
from typing import Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import certificates, cluster_inputs, errors, image_ref, node_files, secrets
from ..module_utils.cluster import ARGUMENT_SPEC, OWNER, OWNER_LABEL, Cluster, optimistic, owned

NAMESPACE = "openshift-config"
OUR_CONFIG_MAP = "disconnected-openshift-trusted-ca"
RECORD = cluster_inputs.OUR_CERTIFICATES
UPDATE_SERVICE = "updateservice-registry"
CONFIG = "config.openshift.io/v1"


def key_of(registry):
    """The config map key that stands for host[:port]."""
    if "[" in registry or registry.count(":") > 1:
        raise errors.InvalidInput("%s: an IPv6 address cannot be the key of a config map, so no CA can be trusted for "
                                  "it. Give the registry a DNS name, and use that everywhere." % registry)
    return image_ref.check_mirror_registry(registry).replace(":", "..")


def certificates_in(value):
    """The certificates of a config map's value, which may be base64 text, as the nodes read it."""
    return certificates.load(node_files.decoded(value.encode("utf-8")))


def with_ours(present, recorded, wanted, former="replaced"):
    """(certificates, record) after `wanted` took the place of what is recorded as ours among those present, or its place
    beside that where the former is "kept".

    The record is the set of fingerprints that we brought: what was there already without us stays others'.
    """
    ours = {each.fingerprint for each in wanted}
    there = {each.fingerprint for each in present}
    staying = ours | recorded & there if former == "kept" else ours
    kept = [each for each in present if each.fingerprint in staying or each.fingerprint not in recorded]
    return kept + [each for each in wanted if each.fingerprint not in there], recorded & staying | ours - there


@dataclass
class Entry:
    """What is trusted under one key of the config map: wanted by us, before and after."""

    key: str
    recorded_as: str  # by what name what is ours is recorded: others may use the same key for the same certificates
    wanted: List[certificates.Certificate]
    before: List[certificates.Certificate] = field(default_factory=list)
    after: List[certificates.Certificate] = field(default_factory=list)


def entries_for(key, wanted, update_service):
    """The registry's own entry, and after it that of the update service."""
    return [Entry(key, key, wanted),
            Entry(UPDATE_SERVICE, "%s/%s" % (UPDATE_SERVICE, key), wanted if update_service else [])]


@dataclass
class Plan:
    """What to write, in this order: create or patch the config map, patch the image configuration, delete the
    config map. None and False: not needed."""

    named: Optional[str]  # the config map that the image configuration names so far
    entries: List[Entry]
    create: Optional[Dict] = None
    patch: Optional[Dict] = None
    image: Optional[Dict] = None
    delete: bool = False
    resource_version: Optional[str] = None
    warnings: List[str] = field(default_factory=list)

    @property
    def config_map(self):
        return self.named or OUR_CONFIG_MAP

    @property
    def changed(self):
        return bool(self.create or self.patch or self.image or self.delete)


def plan_present(image, config_map, entries, former="replaced"):
    """How the image configuration and the config map (None: there is none) come to trust what is wanted."""
    plan = Plan(_named(image), entries)
    if config_map is None:
        ours = [entry for entry in entries if entry.wanted]
        for entry in ours:
            entry.after = entry.wanted
        plan.create = {
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": plan.config_map, "namespace": NAMESPACE, "labels": {OWNER_LABEL: OWNER},
                         "annotations": {RECORD: _dump({entry.recorded_as: {each.fingerprint for each in entry.wanted}
                                                        for entry in ours})}},
            "data": {entry.key: certificates.bundle(entry.wanted) for entry in ours},
        }
        if plan.named:
            plan.warnings.append("The image configuration named config map %s, which did not exist in %s. It is created."
                                 % (plan.named, NAMESPACE))
    else:
        if not plan.named and not owned(config_map):
            raise errors.Conflict(
                "Config map %s in %s is not this collection's (it lacks the label %s=%s), and naming it as "
                "additionalTrustedCA would make the cluster trust all it holds. Rename or delete it, or name the one to "
                "use in image.config.openshift.io/cluster." % (OUR_CONFIG_MAP, NAMESPACE, OWNER_LABEL, OWNER))
        _plan_changes(plan, config_map, former)
    if not plan.named:
        plan.image = _name(image, {"name": plan.config_map})
    return plan


def plan_absent(image, config_map, entries):
    """How what is recorded as ours goes, and with it a config map of ours that is then empty."""
    plan = Plan(_named(image), entries)
    if config_map is None:
        return plan
    _plan_changes(plan, config_map)
    remaining = set(config_map.get("data") or {}) - {entry.key for entry in entries if entry.before and not entry.after}
    if owned(config_map) and plan.patch and not remaining:
        plan.patch = None
        plan.delete = True
        plan.resource_version = config_map["metadata"]["resourceVersion"]
        if plan.named == OUR_CONFIG_MAP:
            plan.image = _name(image, None)
        elif plan.named:
            plan.warnings.append("The image configuration names config map %s, which did not exist before, and does not any "
                                 "more." % plan.named)
    return plan


def _plan_changes(plan, config_map, former="replaced"):
    """Fill in what is trusted before and after, and the patch between, if there is a difference."""
    record = _record(config_map)
    remaining, data = dict(record), {}
    for entry in plan.entries:
        recorded = record.get(entry.recorded_as, set())
        ours = _decide(plan, entry, (config_map.get("data") or {}).get(entry.key), recorded, former)
        if ours != recorded:
            remaining[entry.recorded_as] = ours
        if _fingerprints(entry.before) == _fingerprints(entry.after):
            entry.after = entry.before
        else:
            data[entry.key] = certificates.bundle(entry.after) or None
    if data or remaining != record:
        plan.patch = {"metadata": {"resourceVersion": config_map["metadata"]["resourceVersion"],
                                   "annotations": {RECORD: _dump(remaining)}}}
        if data:
            plan.patch["data"] = data


def _decide(plan, entry, value, recorded, former):
    """Fill in what is trusted under one key, whose value is so far None or text, and return what of it is ours then."""
    if not entry.wanted and not recorded and entry is not plan.entries[0]:
        return recorded  # neither asked for nor ours: not even looked at
    try:
        entry.before = certificates_in(value) if value is not None else []
    except errors.InvalidInput as error:
        if not entry.wanted:
            plan.warnings.append("Config map %s: %s holds what is not ours, and is left. %s" % (
                plan.config_map, entry.key, error.message))
            return recorded
        raise errors.InvalidInput("Config map %s in %s holds under %s what no node can use. Mend or remove that key. %s"
                                  % (plan.config_map, NAMESPACE, entry.key, error.message)) from None
    entry.after, ours = with_ours(entry.before, recorded, entry.wanted, former)
    return ours


def _fingerprints(trusted):
    return {each.fingerprint for each in trusted}


def _named(image):
    """The config map that the image configuration names, or None."""
    return ((image.get("spec") or {}).get("additionalTrustedCA") or {}).get("name") or None


def _name(image, reference):
    """The patch that makes the image configuration name a config map, if nobody changed it meanwhile."""
    return {"metadata": {"resourceVersion": image["metadata"]["resourceVersion"]},
            "spec": {"additionalTrustedCA": reference}}


def _record(config_map):
    """{key: set of fingerprints} that were added by this module."""
    try:
        record = json.loads((config_map["metadata"].get("annotations") or {}).get(RECORD, "{}"))
        return {key: set(fingerprints) for key, fingerprints in record.items()}
    except (ValueError, AttributeError, TypeError):
        return {}  # edited by hand: then nothing is known to be ours


def _dump(record):
    """The record as an annotation; None, which removes the annotation, when there is nothing to record."""
    kept = {key: sorted(fingerprints) for key, fingerprints in sorted(record.items()) if fingerprints}
    return json.dumps(kept) if kept else None


def plan_for(cluster, key, wanted, former="replaced", update_service=False):
    """Read and decide; `wanted` None: nothing shall be trusted through us."""
    image = cluster.get(CONFIG, "Image", "cluster")
    if image is None:
        raise errors.NotFound("The cluster has no image.config.openshift.io/cluster: it cannot be told whom to trust.")
    config_map = cluster.get("v1", "ConfigMap", _named(image) or OUR_CONFIG_MAP, NAMESPACE)
    if wanted is None:
        return plan_absent(image, config_map, entries_for(key, [], False))
    return plan_present(image, config_map, entries_for(key, wanted, update_service), former)


def carry_out(cluster, plan):
    """Write what the plan says. Conflict: somebody changed one of the objects, plan again."""
    if plan.create:
        cluster.create(plan.create)
    if plan.patch:
        cluster.merge_patch("v1", "ConfigMap", plan.config_map, plan.patch, NAMESPACE)
    if plan.image:
        cluster.merge_patch(CONFIG, "Image", "cluster", plan.image)
    if plan.delete:
        cluster.delete("v1", "ConfigMap", plan.config_map, NAMESPACE, resource_version=plan.resource_version)


def difference(plan):
    """What changes, as --diff shows it: certificates are public."""
    named = _named(plan.image) if plan.image else plan.named
    shown = [entry for entry in plan.entries if entry is plan.entries[0] or entry.before or entry.after]
    return {
        side: dict({entry.key: ["%s %s" % (each.subject, each.fingerprint) for each in getattr(entry, side)]
                    for entry in shown}, additionalTrustedCA=name or "")
        for side, name in (("before", plan.named), ("after", named))
    }


def read_input(module):
    """The certificates to trust; None with state absent."""
    if module.params["state"] == "absent":
        return None
    path, content = module.params["ca"], module.params["ca_content"]
    data = certificates.read(path) if path else content.encode("utf-8")
    if content and certificates.holds_private_key(data):
        secrets.protect(module, content)  # a failure shows the options that the module was given
    wanted = certificates.authorities(data, path, module.params["registry"])
    for sentence in certificates.expiring(wanted):
        module.warn(sentence)
    return wanted


def main():
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            registry=dict(required=True),
            ca=dict(type="path"),
            ca_content=dict(),
            former=dict(choices=["replaced", "kept"], default="replaced"),
            update_service=dict(type="bool", default=False),
            state=dict(choices=["present", "absent"], default="present"),
        ),
        mutually_exclusive=[("ca", "ca_content")],
        required_if=[("state", "present", ("ca", "ca_content"), True)],
        supports_check_mode=True,
    )
    try:
        key = key_of(module.params["registry"])
        wanted = read_input(module)
        cluster = Cluster.connect(module.params)
        plan = optimistic(lambda: plan_for(cluster, key, wanted, module.params["former"],
                                           module.params["update_service"]),
                          lambda plan: None if module.check_mode else carry_out(cluster, plan))
        for sentence in plan.warnings:
            module.warn(sentence)
        module.exit_json(changed=plan.changed, config_map=plan.config_map, key=key,
                         certificates=[each.describe() for each in plan.entries[0].after], diff=difference(plan))
    except errors.Error as error:
        module.fail_json(**error.result())


if __name__ == "__main__":
    main()
