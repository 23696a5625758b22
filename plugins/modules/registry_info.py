# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: registry_info
short_description: Find out, before any byte moves, whether a registry can take the content of a mirror
version_added: 0.1.0
description:
  - Checks that a mirror registry can be reached, that its TLS certificate is accepted, that the credentials are, and
    that they have the right to push to the repositories that are planned.
  - Says of everything that is not in order what it is and what to do about it.
  - Room is not asked for here, as no registry tells how much it has. M(disconnected.openshift.mirror_images) compares what an
    archive needs with what its disk has left, and M(disconnected.openshift.mirror_plan) what it unpacks, before they write.
  - The right to push is proved by beginning an upload and giving it up again, which leaves nothing behind. Where a
    repository does not exist yet, Quay creates it for whoever asks to push; in check mode it is then not asked.
author:
  - The disconnected.openshift maintainers (!UNKNOWN)
extends_documentation_fragment:
  - disconnected.openshift.attributes
  - disconnected.openshift.registry
attributes:
  check_mode:
    support: full
    details:
      - The check V(digest) is left out, as it stores something for a moment.
      - The check V(push) leaves out repositories that do not exist yet, as some registries create them when asked.
  diff_mode:
    support: none
    details: It changes nothing.
options:
  registry:
    description: The registry, C(host[:port]).
    type: str
    required: true
  username:
    description: User to log in with, instead of O(auth_file).
    type: str
  password:
    description: The user's password.
    type: str
  repositories:
    description:
      - Repositories that shall be pushed to, as paths without the registry. Of those under the same first part of the
        path the deepest is tried, since nesting is what registries restrict.
    type: list
    elements: str
    default: []
  check:
    description:
      - What to check, in this order whatever the order here. Each presupposes those before it.
      - V(oc) that the OpenShift client is on the host where the module runs, for those who mirror with it.
      - V(chain) that the certificates which it sends lead to O(ca_files) and O(ca_content) by themselves, as they must for
        nodes, which do not know the other certificates of this host. Left out where no CA is given.
      - V(tls) that it answers as a registry and its certificate is accepted.
      - V(auth) that it accepts the credentials, or requests without any if none are given.
      - V(push) that they may push to O(repositories).
      - V(digest) that it takes an image by digest without a tag, as images of several architectures need. A tiny
        image is stored in the deepest repository and deleted again; a registry that does not allow that keeps it,
        untagged.
    type: list
    elements: str
    choices: [oc, chain, tls, auth, push, digest]
    default: [tls, auth, push]
  fail:
    description: Whether to fail when something is not in order, instead of only returning it.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Check the mirror registry before anything is copied
  disconnected.openshift.registry_info:
    registry: mirror.example.com:8443
    auth_file: ~/.config/disconnected.openshift/auth.json
    repositories: "{{ mirror_plan_result.repositories }}"

- name: Hold a CA certificate against what the registry serves
  disconnected.openshift.registry_info:
    registry: mirror.example.com:8443
    ca_content: "{{ lookup('ansible.builtin.file', 'mirror-ca.pem') }}"
    check: [chain, tls]
    fail: false
  register: registry
"""

RETURN = r"""
findings:
  description: What was checked, in order.
  returned: always
  type: list
  elements: dict
  contains:
    check:
      description: V(name), V(oc), V(chain), V(tls), V(auth), V(push) or V(digest).
      type: str
    repository:
      description: The repository that was tried; empty for checks of the registry as such.
      type: str
    ok:
      description: Whether it is in order.
      type: bool
    reason:
      description: What was found.
      type: str
    remedy:
      description: What to do about it; empty if it is in order.
      type: str
ok:
  description: Whether everything is in order.
  returned: always
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import (
    certificate_chain,
    dockerconfigjson,
    errors,
    image_manifest,
    image_ref,
    oc,
    registry_inputs,
    secrets,
    wait,
)

CHECKS = ("oc", "chain", "tls", "auth", "push", "digest")
PATIENCE = 5  # seconds: someone is waiting for the answer
EMPTY = b"{}"
# Statuses by which registries refuse to begin an upload: no right, no such project, or a path that they do not take.
REFUSED_PUSH = (400, 401, 403, 404, 500)
PUSH_REMEDY = (
    "Quay and the mirror registry for Red Hat OpenShift: the organization %(first)s must exist and let the user create "
    "repositories, and names with more than one slash need a release that nests them. "
    "Harbor: the project %(first)s must exist, and the user be at least a developer in it. "
    "Artifactory: the local Docker repository must exist, and the user may deploy to it. "
    "Nexus: log in through the port or path of a hosted Docker repository, and let the user edit it. "
    "A registry that does not nest takes a path with fewer parts than %(repository)s."
)
DIGEST_REMEDY = (
    "OpenShift's own image registry takes images by tag only and cannot be the mirror. "
    "Nexus: update it, and turn off the strict content type validation of the repository. "
    "Artifactory: turn off what rewrites manifests in the repository."
)
OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"


def main():
    module = AnsibleModule(
        argument_spec=dict(
            registry_inputs.ARGUMENT_SPEC,
            registry=dict(required=True),
            username=dict(),
            password=dict(no_log=True),
            repositories=dict(type="list", elements="str", default=[]),
            check=dict(type="list", elements="str", choices=list(CHECKS), default=["tls", "auth", "push"]),
            fail=dict(type="bool", default=True),
        ),
        required_together=[("username", "password")],
        mutually_exclusive=[("username", "auth_file")],
        supports_check_mode=True,
    )
    params = module.params
    try:
        checks = [check for check in CHECKS if check in params["check"] and check not in pointless(params, module.check_mode)]
        with registry_inputs.connect(module, given_credentials(module), patience=PATIENCE) as registries:
            findings = examine(registries[params["registry"]], params["registry"], params["repositories"], checks,
                               (params["ca_files"], params["ca_content"]), dry=module.check_mode)
    except errors.Error as error:
        module.fail_json(**error.result())
    broken = [finding for finding in findings if not finding["ok"]]
    if broken and params["fail"]:
        sentences = ["%s %s" % (finding["reason"], finding["remedy"]) for finding in broken]
        module.fail_json(msg=" ".join(sentence.strip() for sentence in sentences), findings=findings, ok=False)
    module.exit_json(changed=False, findings=findings, ok=not broken)


def pointless(params, check_mode):
    """The checks that there is nothing to do for."""
    given = (params["ca_files"] or params["ca_content"]) and params["registry"] not in params["plain_http"]
    return ([] if given else ["chain"]) + (["digest"] if check_mode else [])


def given_credentials(module):
    """An auth document of username and password, or None if these are not given."""
    params = module.params
    if not params["username"]:
        return None
    entry = dockerconfigjson.entry(params["username"], params["password"])
    secrets.protect(module, entry["auth"])
    return {"auths": {params["registry"]: entry}}


def examine(registry, name, repositories, checks, authorities=((), ""), dry=False):
    """The findings of `checks`, up to the first that makes the rest pointless.

    authorities -- the files and the text of the CAs that nodes will be given
    dry -- do nothing that a registry may store something for
    """
    findings = [attempt("name", "", "%s can be a mirror's name." % name, image_ref.check_mirror_registry, name)]
    tried = deepest(repositories)
    for check in checks:
        if not all(finding["ok"] for finding in findings):
            break
        if check == "oc":
            findings.append(attempt(check, "", "The OpenShift client is there, and new enough.", look_for_oc))
        elif check == "chain":
            findings.append(attempt(check, "", "What %s sends leads to the CA given." % name, certificate_chain.check, name,
                                    *authorities))
        elif check == "tls":
            findings.append(attempt(check, "", "%s answers, and its certificate is accepted." % name, reach, registry))
        elif check == "auth":
            first = tried[0] if tried else ""
            findings.append(attempt(check, "", "%s accepts the login." % name, log_in, registry, first, dry))
        elif check == "push":
            findings += [attempt(check, path, "%s/%s can be pushed to." % (name, path), push, registry, path, dry)
                         for path in tried]
        elif tried:
            findings.append(attempt(check, tried[0], "%s takes images by digest without a tag." % name,
                                    push_by_digest, registry, tried[0]))
    return findings


def attempt(check, repository, praise, action, *args):
    """The finding for one action, which may return a better word than `praise`."""
    try:
        told = action(*args)
    except errors.Error as error:
        remedy = "%s %s" % (error.details.get("remedy", ""), by_product(check, repository, error))
        return dict(check=check, repository=repository, ok=False, reason=error.details.get("reason", error.message),
                    remedy=remedy.strip())
    return dict(check=check, repository=repository, ok=True, reason=told or praise, remedy="")


def by_product(check, repository, error):
    """What such a refusal mostly comes from in the registries that are used as mirrors, where that is known."""
    status = error.details.get("status")
    if check == "push" and status in REFUSED_PUSH:
        return PUSH_REMEDY % {"first": repository.partition("/")[0], "repository": repository}
    if check == "push" and status == 413:
        return "In the mirror registry for Red Hat OpenShift it is the limit of the nginx in its Quay container."
    if check == "digest":
        return DIGEST_REMEDY
    return ""


def deepest(repositories):
    """Of the repositories with the same first part of their path the one with most parts, the deepest of all first."""
    chosen = {}
    for repository in sorted(repositories, key=lambda path: (-path.count("/"), path)):
        chosen.setdefault(repository.partition("/")[0], repository)
    return list(chosen.values())


def look_for_oc():
    oc.Oc(oc.find()).version()


def reach(registry):
    """Anything that a registry answers at its root will do: who asks is another question."""
    try:
        registry.ping()
    except errors.Unauthorized:
        pass


def log_in(registry, repository, dry):
    registry.ping(repository)
    if repository:
        registry.authorize(repository, "pull" if dry else "pull,push")


def push(registry, repository, dry):
    """Begin an upload and give it up."""
    if dry and not registry.has(repository):
        return "%s does not exist yet. Whether it may be created is not asked in a dry run: some registries do it then." % repository
    registry.cancel_upload(repository, registry.start_upload(repository))
    return ""


def push_by_digest(registry, repository):
    """Store the smallest image there is under its digest alone, see that it is there, and remove it."""
    empty = image_manifest.Descriptor(image_manifest.digest_of(EMPTY), len(EMPTY), OCI_EMPTY, {})
    entry = '{"mediaType":"%s","digest":"%s","size":%d}' % (empty.media_type, empty.digest, empty.size)
    raw = '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[%s]}' % (OCI_IMAGE, entry, entry)
    manifest = image_manifest.Manifest(raw.encode("ascii"), OCI_IMAGE)

    def store(_number):
        location = registry.start_upload(repository, empty.digest, repository)
        if location is not None:
            registry.upload(repository, location, [EMPTY], empty)

    wait.retry(store, registry.patience)
    registry.put_manifest(repository, manifest.digest, manifest)
    if registry.digest(repository, manifest.digest) != manifest.digest:
        raise errors.Error("%s/%s: an image stored by its digest is not found by it." % (registry.host, repository))
    registry.delete_manifest(repository, manifest.digest)


if __name__ == "__main__":
    main()
