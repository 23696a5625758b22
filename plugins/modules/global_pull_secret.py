# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: global_pull_secret
short_description: Merge registries' credentials into a cluster's global pull secret
version_added: 0.1.0
description:
  - Adds, replaces or removes entries of the secret C(pull-secret) in C(openshift-config), which every node
    gets as C(/var/lib/kubelet/config.json). Every other entry, and every other key of the document, stays as
    it is.
  - An entry that this module wrote is recorded as this collection's in an annotation of the secret
    (C(disconnected.openshift/registries)). An entry that was there and is replaced, or is removed by
    O(force), is first saved in the secret C(disconnected-openshift-displaced-registries) in
    C(openshift-config), so that it can be put back. An entry that was there with the very same credentials is
    nobody's change, and stays on the way back.
  - The write is a merge patch that holds for the version that was read; when somebody else changed the secret
    in between, it is read and merged again. Where nothing differs, nothing is written.
  - Refused, before anything is written, are a secret that is missing, has another type or holds a broken
    document, and clusters with a hosted control plane, whose nodes do not take their pull secret from there.
  - A change makes the nodes take the new file one after the other, without drain or reboot.
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
    details: It shows the names of the registries, and which of them get other credentials.
options:
  registries:
    description: The registries whose entries are to be present or absent.
    type: list
    elements: dict
    default: []
    suboptions:
      registry:
        description: The entry's key, C(host[:port]), exactly as image references and mirror locations name
          the registry.
        type: str
        required: true
      username:
        description:
          - The user that the nodes authenticate as. Required together with O(registries[].password).
          - With neither of them, O(state=present) puts back the entry that this module replaced or removed.
        type: str
      password:
        description: The user's password or token. The right to pull is enough.
        type: str
  without:
    description:
      - Registries, C(host[:port]), whose entries are to go with O(state=present), whoever they belong to. They are saved
        first.
      - With O(state=absent) they are put back, unless somebody has put another one there since, which then stays. A
        warning names one that is nowhere.
    type: list
    elements: str
    default: []
  state:
    description:
      - V(present) makes the entries hold these credentials.
      - V(absent) undoes what V(present) did. An entry that it added is removed, one that it replaced gets its
        former credentials back, and one that is not this collection's is left, with a warning.
    type: str
    choices: [present, absent]
    default: present
  force:
    description: With O(state=absent), remove an entry even if it is not this collection's. It is saved first.
    type: bool
    default: false
  identity:
    description:
      - Fail unless this is the cluster's identity, as M(disconnected.openshift.dockerconfigjson) returns it
        for a pull secret file. It keeps a file of another cluster, or of another account, from being taken
        for this one's.
    type: str
  export:
    description:
      - Write the document, as it is after this task, to this path on the host where the module runs, readable
        by its owner alone. Not written in check mode.
      - Entries that were removed, by O(without) or O(force), are in it, so that the file stays the same when a cluster is cut
        off.
    type: path
"""

EXAMPLES = r"""
- name: Let the nodes pull from the mirror registry
  disconnected.openshift.global_pull_secret:
    registries:
      - registry: mirror.example.com:5000
        username: cluster
        password: "{{ vault_mirror_pull_password }}"

- name: Let the nodes pull from the mirror registry, and stop reporting to Red Hat, keeping the token for later
  disconnected.openshift.global_pull_secret:
    registries:
      - registry: mirror.example.com:5000
        username: cluster
        password: "{{ vault_mirror_pull_password }}"
    without: [cloud.openshift.com]

- name: Undo both
  disconnected.openshift.global_pull_secret:
    registries:
      - registry: mirror.example.com:5000
    without: [cloud.openshift.com]
    state: absent

- name: Read the pull secret into a private file
  disconnected.openshift.global_pull_secret:
    export: /run/user/1000/pull-secret.json
"""

RETURN = r"""
added:
  description: Registries whose entry was not there before.
  returned: success
  type: list
  elements: str
  sample: ["mirror.example.com:5000"]
replaced:
  description: Registries whose entry has other credentials than before.
  returned: success
  type: list
  elements: str
removed:
  description: Registries whose entry was there before.
  returned: success
  type: list
  elements: str
registries:
  description: All the registries that the pull secret has an entry for now.
  returned: success
  type: list
  elements: str
  sample: ["cloud.openshift.com", "quay.io", "mirror.example.com:5000"]
"""

import base64
import json
import os
import tempfile
from dataclasses import dataclass, field
from typing import Dict, FrozenSet, List

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import cluster_inputs, dockerconfigjson, errors, secrets
from ..module_utils.snapshot import DISPLACED_NAME, NAMESPACE
from ..module_utils.cluster import ARGUMENT_SPEC, OWNER, OWNER_LABEL, Cluster, optimistic, owned

NAME = "pull-secret"
TYPE = "kubernetes.io/dockerconfigjson"
KEY = ".dockerconfigjson"
OURS = cluster_inputs.OUR_ENTRIES
REMOVED = object()  # in the place of an entry: there shall be none


@dataclass(frozen=True)
class PullSecret:
    """The global pull secret and what is known of our part in it: the keys whose entries we wrote, and the entries,
    by key, that were there before we replaced or removed them. One that is saved and still there, and not ours, was not
    replaced yet, or is back."""

    document: Dict
    ours: FrozenSet[str] = frozenset()
    displaced: Dict[str, Dict] = field(default_factory=dict)

    @property
    def entries(self):
        return self.document["auths"]

    @property
    def complete(self):
        """The document with the entries that were removed."""
        removed = {key: entry for key, entry in self.displaced.items() if key not in self.entries}
        return dict(self.document, auths=dict(removed, **self.entries))

    def with_document(self, document):
        """The pull secret with another document, each difference entered into the books: what comes is ours, and what
        was not ours is displaced, also in the place of what was displaced before and somebody wrote anew."""
        after = document["auths"]
        lost = {key: entry for key, entry in self.entries.items() if after.get(key) != entry and key not in self.ours}
        came = {key for key, entry in after.items() if self.entries.get(key) != entry}
        return PullSecret(document, frozenset((self.ours | came) & set(after)), dict(self.displaced, **lost))

    def restored(self, key):
        """The pull secret with the entry that was displaced from this key, and nothing of ours under it."""
        displaced = dict(self.displaced)
        entries = dict(self.entries, **{key: displaced.pop(key)})
        return PullSecret(dict(self.document, auths=entries), self.ours - {key}, displaced)

    def with_former(self, key):
        """The pull secret with what was there before us under a displaced key, which is what is there if it is not ours."""
        return self.forgotten(key) if key in self.entries and key not in self.ours else self.restored(key)

    def forgotten(self, key):
        """The pull secret as it is, without what was displaced from this key."""
        return PullSecret(self.document, self.ours, {name: entry for name, entry in self.displaced.items() if name != key})


def present(secret, wanted):
    """The pull secret with the entries of `wanted`, {key: entry}; None stands for the one from before us."""
    for key, entry in wanted.items():
        if entry is REMOVED:
            document, _changes = dockerconfigjson.remove(secret.document, [key])
            secret = secret.with_document(document)
        elif entry is not None:
            document, _changes = dockerconfigjson.merge(secret.document, {key: entry})
            secret = secret.with_document(document)
        elif key in secret.displaced:
            secret = secret.with_former(key)
        elif key not in secret.entries:
            raise errors.NotFound("No entry of %s was saved that could be put back. Give its username and password."
                                  % key)
    return secret


def absent(secret, wanted, force):
    """(pull secret, [warning]) without our part in the entries of `wanted`; with `force` without the entries."""
    warnings = []
    for key, entry in wanted.items():
        if entry is REMOVED:
            if key in secret.displaced:
                secret = secret.with_former(key)
            elif key not in secret.entries:
                warnings.append("%s: there is no entry of it, and none is saved that could be put back." % key)
        elif force or (key in secret.ours and key not in secret.displaced):
            document, _changes = dockerconfigjson.remove(secret.document, [key])
            secret = secret.with_document(document)
        elif key in secret.displaced and (key in secret.ours or key in secret.entries):
            secret = secret.with_former(key)
        elif key in secret.entries:
            warnings.append("%s: its entry was there before, so it is left. It is removed with force: true." % key)
    return secret, warnings


def check_identity(secret, identity):
    """Raise InvalidInput when the cluster is known to be another one; [warning] when it cannot be known."""
    own = dockerconfigjson.identity({"auths": dict(secret.displaced, **secret.entries)})
    if own is None:
        return ["The cluster's pull secret has no token for %s: whether the given one is this cluster's cannot be told."
                % dockerconfigjson.CLUSTER_IDENTITY]
    if own != identity:
        raise errors.InvalidInput(
            "The given pull secret is not this cluster's: its token for %s is another. Give the file of this cluster's "
            "own account, or none to begin with what the cluster has." % dockerconfigjson.CLUSTER_IDENTITY)
    return []


# What is read and written.

def read(cluster):
    """(the stored Secret, its PullSecret, the stored Secret of displaced entries or None)."""
    infrastructure = cluster.get("config.openshift.io/v1", "Infrastructure", "cluster") or {}
    if infrastructure.get("status", {}).get("controlPlaneTopology") == "External":
        raise errors.InvalidInput(
            "The cluster's control plane is hosted: its nodes get their pull secret from the HostedCluster "
            "(spec.pullSecret), on the cluster that hosts it. Change it there.")
    stored = cluster.get("v1", "Secret", NAME, NAMESPACE)
    if stored is None:
        raise errors.NotFound(
            "Secret %s does not exist in %s. Create it from the pull secret file of console.redhat.com: oc create secret "
            "generic %s -n %s --type=%s --from-file=%s=FILE" % (NAME, NAMESPACE, NAME, NAMESPACE, TYPE, KEY))
    if stored.get("type") != TYPE:
        raise errors.InvalidInput(
            "Secret %s in %s has type %s, which the nodes' configuration refuses; it must be %s. A secret's type cannot "
            "be changed: delete it, and create it with this type." % (NAME, NAMESPACE, stored.get("type"), TYPE))
    saved = cluster.get("v1", "Secret", DISPLACED_NAME, NAMESPACE)
    if saved and not owned(saved):
        raise errors.Conflict("Secret %s in %s is not this collection's: it lacks the label %s=%s. Rename or delete it."
                              % (DISPLACED_NAME, NAMESPACE, OWNER_LABEL, OWNER))
    displaced = _document(saved)["auths"] if saved else {}
    return stored, PullSecret(_document(stored), _ours(stored, displaced), displaced), saved


def _document(stored):
    """The parsed document of a Secret; the error of a broken one names the Secret and the entry."""
    name = stored["metadata"]["name"]
    text = (stored.get("data") or {}).get(KEY)
    if text is None:
        raise errors.InvalidInput("Secret %s in %s has no key %s." % (name, NAMESPACE, KEY))
    try:
        return dockerconfigjson.parse(base64.b64decode(text).decode("utf-8"))
    except UnicodeDecodeError:
        raise errors.InvalidInput("Secret %s in %s is not UTF-8 text." % (name, NAMESPACE)) from None
    except errors.InvalidInput as error:
        raise errors.InvalidInput("Secret %s in %s: %s" % (name, NAMESPACE, error.message)) from None


def _ours(stored, displaced):
    """The keys whose entries we wrote. Where that was edited by hand, those of which something else is saved."""
    try:
        return frozenset(json.loads((stored["metadata"].get("annotations") or {}).get(OURS, "[]")))
    except (ValueError, TypeError):
        return frozenset(displaced)


def _encoded(document):
    return base64.b64encode(dockerconfigjson.dump(document).encode("utf-8")).decode("ascii")


def patch_for(stored, before, after):
    """The merge patch of the stored Secret, or None where there is nothing to write."""
    patch = {}
    if after.document != before.document:
        patch["data"] = {KEY: _encoded(after.document)}
    if after.ours != before.ours:
        patch["metadata"] = {"annotations": {OURS: json.dumps(sorted(after.ours)) if after.ours else None}}
    if patch:
        patch.setdefault("metadata", {})["resourceVersion"] = stored["metadata"]["resourceVersion"]
    return patch or None


def save(cluster, saved, displaced):
    """Store the displaced entries and return the Secret that holds them; None where nothing is displaced."""
    if not displaced:
        if saved:
            cluster.delete("v1", "Secret", DISPLACED_NAME, NAMESPACE,
                           resource_version=saved["metadata"]["resourceVersion"])
        return None
    data = {KEY: _encoded({"auths": displaced})}
    if saved:
        return cluster.merge_patch("v1", "Secret", DISPLACED_NAME, {
            "metadata": {"resourceVersion": saved["metadata"]["resourceVersion"]}, "data": data}, NAMESPACE)
    return cluster.create({
        "apiVersion": "v1", "kind": "Secret", "type": TYPE, "data": data,
        "metadata": {"name": DISPLACED_NAME, "namespace": NAMESPACE, "labels": {OWNER_LABEL: OWNER}}})


@dataclass(frozen=True)
class Decision:
    """What was read, and what is to become of it."""

    stored: Dict
    saved: Dict
    before: PullSecret
    after: PullSecret
    warnings: List[str]

    @property
    def changed(self):
        return self.before != self.after

    def carry_out(self, cluster):
        """Write it. What is displaced is saved first and forgotten last, so that it is never nowhere."""
        saved = self.saved
        kept = dict(self.before.displaced, **self.after.displaced)
        if kept != self.before.displaced:
            saved = save(cluster, saved, kept)
        patch = patch_for(self.stored, self.before, self.after)
        if patch:
            cluster.merge_patch("v1", "Secret", NAME, patch, NAMESPACE)
        if self.after.displaced != kept:
            save(cluster, saved, self.after.displaced)


def decide(cluster, module, wanted):
    """Read the cluster and decide; everything secret that is met is protected first."""
    stored, before, saved = read(cluster)
    secrets.protect(module, *dockerconfigjson.secrets(before.document),
                    *dockerconfigjson.secrets({"auths": before.displaced}))
    warnings = check_identity(before, module.params["identity"]) if module.params["identity"] else []
    if module.params["state"] == "present":
        after = present(before, wanted)
    else:
        after, left = absent(before, wanted, module.params["force"])
        warnings += left
    return Decision(stored, saved, before, after, warnings + dockerconfigjson.validate(after.document))


def export(path, text, check_mode):
    """Write a private file, at once or not at all. Whether it differs from what is there."""
    try:
        if os.path.isfile(path) and os.stat(path).st_mode & 0o777 == 0o600:
            with open(path, encoding="utf-8") as file:
                if file.read() == text:
                    return False
        if not check_mode:
            handle, temporary = tempfile.mkstemp(dir=os.path.dirname(os.path.abspath(path)), prefix=".pull-secret-")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(text)
                os.replace(temporary, path)
            except OSError:
                os.unlink(temporary)
                raise
        return True
    except (OSError, UnicodeDecodeError) as failure:
        raise errors.InvalidInput("%s cannot be written: %s." % (path, getattr(failure, "strerror", "it is in the way")))


def wanted_entries(module):
    """{key: entry, None or REMOVED}, in the order given; warns of each registry that had to be spelt differently."""
    wanted = {}
    for item in module.params["registries"]:
        key, warnings = dockerconfigjson.normalise_key(item["registry"])
        for sentence in warnings:
            module.warn(sentence)
        given = item["username"] is not None
        wanted[key] = dockerconfigjson.entry(item["username"], item["password"]) if given else None
        if given:
            secrets.protect(module, item["password"], *dockerconfigjson.secrets({"auths": {key: wanted[key]}}))
    return dict(wanted, **{dockerconfigjson.normalise_key(name)[0]: REMOVED for name in module.params["without"]})


def difference(before, after):
    """What changes, as --diff shows it: names alone."""
    replaced = dockerconfigjson.difference(before.document, after.document).replaced
    return {
        "before": {"registries": list(before.entries), "saved": sorted(before.displaced)},
        "after": {"registries": ["%s (other credentials)" % key if key in replaced else key for key in after.entries],
                  "saved": sorted(after.displaced)},
    }


def main():
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            registries=dict(type="list", elements="dict", default=[], required_together=[("username", "password")],
                            options=dict(registry=dict(required=True), username=dict(), password=dict(no_log=True))),
            without=dict(type="list", elements="str", default=[]),
            state=dict(choices=["present", "absent"], default="present"),
            force=dict(type="bool", default=False),
            identity=dict(),
            export=dict(type="path"),
        ),
        supports_check_mode=True,
    )
    try:
        wanted = wanted_entries(module)
        cluster = Cluster.connect(module.params)
        decision = optimistic(lambda: decide(cluster, module, wanted),
                              lambda decision: None if module.check_mode else decision.carry_out(cluster))
        changed = decision.changed
        if module.params["export"]:
            text = dockerconfigjson.dump(decision.after.complete)
            changed = export(module.params["export"], text, module.check_mode) or changed
        for sentence in decision.warnings:
            module.warn(sentence)
        changes = dockerconfigjson.difference(decision.before.document, decision.after.document)
        module.exit_json(changed=changed, added=changes.added, replaced=changes.replaced, removed=changes.removed,
                         registries=list(decision.after.entries),
                         diff=difference(decision.before, decision.after))
    except errors.Error as error:
        module.fail_json(**error.result())


if __name__ == "__main__":
    main()
