# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: dockerconfigjson
short_description: Merge, remove or validate registry credentials in a pull secret file
version_added: 0.1.0
description:
  - 'Manages the entries of a file of registry credentials, in the form of the pull secret of OpenShift, C(oc) and
    CRI-O, C({"auths": {"<registry>": {"auth": "<base64>"}}}), on the host where it runs. No cluster is needed.'
  - An entry is replaced whole, so that no token of an earlier login stays beside new credentials. Every other entry
    and every other key of the document stays as it is. A document that says the same already is not written again.
  - The file is written at once or not at all, readable by its owner alone. A missing directory is made.
  - Refused are documents that OpenShift would not take or could not use, naming the entry and never its contents.
    These are broken JSON, anything named twice, no C(auths), and C(auth) that is not base64 of C(user:password).
author:
  - The disconnected.openshift maintainers (!UNKNOWN)
extends_documentation_fragment:
  - disconnected.openshift.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: It shows the names of the registries, and which of them get other credentials.
options:
  path:
    description: The file to write, or with O(state=validated) to read.
    type: path
    required: true
  src:
    description:
      - A file to begin with instead of O(path), such as the pull secret downloaded from console.redhat.com. O(path)
        then holds the entries of this file and those of O(registries), and nothing else.
      - Without it, O(path) is changed in place, and begins with no entries if it does not exist.
    type: path
  registries:
    description: The registries whose entries are to be present or absent.
    type: list
    elements: dict
    default: []
    suboptions:
      registry:
        description:
          - The entry's key, C(host[:port]) or C(host[:port]/path), exactly as image references and mirror locations
            name the registry. C(host) and C(host:443) are two keys.
          - A scheme, a slash at the end and upper case in the host would keep the entry from being found. They are
            corrected, with a warning.
        type: str
        required: true
      username:
        description: The user. Required with O(state=present).
        type: str
      password:
        description: The user's password or token. Required with O(state=present). Any characters will do.
        type: str
  state:
    description:
      - V(present) makes the entries hold these credentials.
      - V(absent) removes the entries.
      - V(validated) changes nothing, and fails if any entry could not do its work, because it is unusable, empty, or
        under a key that is never found.
    type: str
    choices: [present, absent, validated]
    default: present
"""

EXAMPLES = r"""
- name: Add the mirror registry to the pull secret from console.redhat.com
  disconnected.openshift.dockerconfigjson:
    src: ~/pull-secret.txt
    path: ~/.config/disconnected.openshift/auth.json
    registries:
      - registry: mirror.example.com:5000
        username: pusher
        password: "{{ vault_mirror_password }}"

- name: Take it out again
  disconnected.openshift.dockerconfigjson:
    path: ~/.config/disconnected.openshift/auth.json
    registries:
      - registry: mirror.example.com:5000
    state: absent

- name: Check a pull secret before it goes anywhere
  disconnected.openshift.dockerconfigjson:
    path: ~/pull-secret.txt
    state: validated
"""

RETURN = r"""
registries:
  description: All the registries that the document has an entry for now.
  returned: success
  type: list
  elements: str
  sample: ["cloud.openshift.com", "quay.io", "mirror.example.com:5000"]
added:
  description: Registries whose entry the file did not have before.
  returned: success
  type: list
  elements: str
  sample: ["mirror.example.com:5000"]
replaced:
  description: Registries whose entry in the file has other credentials than before.
  returned: success
  type: list
  elements: str
removed:
  description: Registries whose entry the file had before.
  returned: success
  type: list
  elements: str
identity:
  description:
    - Sixteen digits that tell whether two pull secrets are of the same cluster or account. They are taken from a hash
      of the entry for C(cloud.openshift.com), and are null without that entry.
  returned: success
  type: str
  sample: 5f2b1c0de9a47f36
problems:
  description: What is wrong with the document, a sentence each, that O(state=validated) fails for.
  returned: when O(state=validated) fails
  type: list
  elements: str
"""

import os
import stat
import tempfile

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import dockerconfigjson, errors, secrets

NOTHING = {"auths": {}}
PRIVATE = 0o600


def read(module, path):
    """The document in a file, with its secrets protected; None if there is no such file."""
    try:
        with open(path, encoding="utf-8") as file:
            document = dockerconfigjson.parse(file.read())
    except FileNotFoundError:
        return None
    except OSError as failure:
        raise errors.InvalidInput("%s cannot be read: %s." % (path, failure.strerror))
    except UnicodeDecodeError:
        raise errors.InvalidInput("%s is not UTF-8 text." % path) from None
    except errors.InvalidInput as error:
        raise errors.InvalidInput("%s: %s" % (path, error.message)) from None
    secrets.protect(module, *dockerconfigjson.secrets(document))
    return document


def entries(module):
    """{registry: entry} as they are given, with their secrets protected."""
    given = {}
    for item in module.params["registries"]:
        if item["username"] is None or item["password"] is None:
            raise errors.InvalidInput("%s: username and password are required with state: present."
                                      % item["registry"])
        given[item["registry"]] = dockerconfigjson.entry(item["username"], item["password"])
    secrets.protect(module, *dockerconfigjson.secrets({"auths": given}))
    return given


def decide(module, current, base):
    """(the document that the file is to hold, [warning])."""
    if module.params["state"] == "absent":
        keys = [item["registry"] for item in module.params["registries"]]
        document, changes = dockerconfigjson.remove(base, keys)
    else:
        document, changes = dockerconfigjson.merge(base, entries(module))
    if current is not None and says_the_same(current, document):
        document = current
    return document, changes.warnings


def says_the_same(one, other):
    """Whether two documents differ in nothing but their order."""
    return (not dockerconfigjson.difference(one, other)
            and dict(one, auths=None) == dict(other, auths=None))


def write(path, document):
    """Put the document into its file, which nobody else can read at any moment. An owner that it has is
    kept."""
    directory = os.path.dirname(path)
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=directory, prefix=".dockerconfigjson-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(dockerconfigjson.dump(document))
                file.flush()
                os.fsync(file.fileno())
            if os.path.exists(path):
                before = os.stat(path)
                os.chown(temporary, before.st_uid, before.st_gid)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise
    except OSError as failure:
        raise errors.InvalidInput("%s cannot be written: %s." % (path, failure.strerror))


def is_private(path):
    return stat.S_IMODE(os.stat(path).st_mode) == PRIVATE


def difference(changes, before, after):
    """What changes, as --diff shows it: names alone."""
    return {
        "before": {"registries": list(before["auths"])},
        "after": {"registries": ["%s (other credentials)" % key if key in changes.replaced else key
                                 for key in after["auths"]]},
    }


def validated(module, path):
    """The document in the file; raises InvalidInput with every problem that it has."""
    document = read(module, path)
    if document is None:
        raise errors.NotFound("%s does not exist. Download the pull secret from console.redhat.com." % path)
    problems = dockerconfigjson.validate(document)
    if problems:
        raise errors.InvalidInput("%s: %s" % (path, " ".join(problems)), problems=problems)
    return document


def main():
    module = AnsibleModule(
        argument_spec=dict(
            path=dict(type="path", required=True),
            src=dict(type="path"),
            registries=dict(type="list", elements="dict", default=[], options=dict(
                registry=dict(required=True), username=dict(), password=dict(no_log=True))),
            state=dict(choices=["present", "absent", "validated"], default="present"),
        ),
        supports_check_mode=True,
    )
    path, src = os.path.realpath(module.params["path"]), module.params["src"]
    try:
        if module.params["state"] == "validated":
            current = document = validated(module, path)
            warnings, changed = [], False
        else:
            current, base = read(module, path), read(module, src) if src else None
            if src and base is None:
                raise errors.NotFound("%s does not exist. Download the pull secret from console.redhat.com." % src)
            document, warnings = decide(module, current, base or current or NOTHING)
            if current is None and not src and not document["auths"]:
                changed = False
            else:
                changed = document is not current or not is_private(path)
            if changed and not module.check_mode:
                write(path, document)
        for sentence in warnings:
            module.warn(sentence)
        before = current or NOTHING
        changes = dockerconfigjson.difference(before, document)
        module.exit_json(
            changed=changed, registries=list(document["auths"]), identity=dockerconfigjson.identity(document),
            added=changes.added, replaced=changes.replaced, removed=changes.removed,
            diff=difference(changes, before, document))
    except errors.Error as error:
        module.fail_json(**error.result())


if __name__ == "__main__":
    main()
