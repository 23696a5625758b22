# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: registries_conf_info
short_description: Say what a registries.conf does to image pulls
version_added: 0.1.0
description:
  - Reads C(/etc/containers/registries.conf), as a node of OpenShift has it, the way the node's container engine does,
    and fails where the engine would refuse it. No cluster is needed.
  - Compares it, by what it does and not as text, with the mirrors that a cluster's objects make the machine-config
    operator write.
  - Answers where an image would be pulled from, in the order of the attempts.
author:
  - The disconnected.openshift maintainers (!UNKNOWN)
extends_documentation_fragment:
  - disconnected.openshift.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: It changes nothing.
options:
  path:
    description: The file, on the host where this runs. Exactly one of O(path) and O(content) is required.
    type: path
  content:
    description: The text of the file.
    type: str
  expected:
    description:
      - Mirrors that the file must have, and no others. An empty list means none, as on a node that was cleaned up.
      - Without O(expected) and O(objects) nothing is compared.
    type: list
    elements: dict
    suboptions:
      source:
        description: The registry, namespace or repository that is mirrored, or V(*.domain).
        type: str
        required: true
      mirrors:
        description: Where its images are looked for first, in this order.
        type: list
        elements: str
        required: true
      policy:
        description: Whether the source may be contacted when no mirror has the image.
        type: str
        choices: [AllowContactingSource, NeverContactSource]
        default: AllowContactingSource
      by:
        description: Whether pulls by digest or by tag are meant.
        type: str
        choices: [digest, tag]
        default: digest
  objects:
    description:
      - The objects that the file must come from, and no others. They are documents of the kinds
        C(ImageContentSourcePolicy), C(ImageDigestMirrorSet), C(ImageTagMirrorSet), C(Image) (C(config.openshift.io))
        and C(ClusterVersion).
    type: list
    elements: dict
  version:
    description:
      - The version of OpenShift whose operator wrote the file, the newest by default. Releases before 4.16 differ.
    type: str
  images:
    description:
      - Image references to say the pull sources of. A name without a registry is looked up as the engine does,
        through the file's aliases and its registries for unqualified names.
    type: list
    elements: str
    default: []
requirements:
  - Python 3.11 or newer, or the package tomli
"""

EXAMPLES = r"""
- name: Check that a node's file has the mirror, and ask where a release image would come from
  disconnected.openshift.registries_conf_info:
    path: /etc/containers/registries.conf
    expected:
      - source: quay.io/openshift-release-dev/ocp-release
        mirrors: [mirror.example.com:5000/ocp/release]
      - source: quay.io/openshift-release-dev/ocp-v4.0-art-dev
        mirrors: [mirror.example.com:5000/ocp/release]
    images:
      - quay.io/openshift-release-dev/ocp-release:4.16.30-x86_64
  register: mirrors

- name: Stop if it has not
  ansible.builtin.assert:
    that: mirrors.matches
    fail_msg: "{{ (mirrors.missing + mirrors.unexpected) | join('; ') }}"

- name: Check that nothing is left of the mirrors
  disconnected.openshift.registries_conf_info:
    path: /etc/containers/registries.conf
    expected: []
"""

RETURN = r"""
registries:
  description: What the file sets, by prefix.
  returned: success
  type: list
  elements: dict
  contains:
    prefix:
      description: The beginning of the names of images that this applies to, or V(*.domain).
      type: str
      sample: quay.io/openshift-release-dev/ocp-release
    location:
      description: Where they are pulled from after the mirrors. Empty means from where their name says.
      type: str
    insecure:
      description: Whether the location is contacted without verifying TLS.
      type: bool
    blocked:
      description: Whether the location is not contacted at all.
      type: bool
    mirror_by_digest_only:
      description: Whether the file says once for all mirrors that they serve pulls by digest alone.
      type: bool
    mirrors:
      description: What is tried first, in this order.
      type: list
      elements: dict
      contains:
        location:
          description: What takes the place of the prefix.
          type: str
          sample: mirror.example.com:5000/ocp/release
        insecure:
          description: Whether it is contacted without verifying TLS.
          type: bool
        pull_from_mirror:
          description: The pulls that it serves, V(all), V(digest-only) or V(tag-only).
          type: str
matches:
  description: Whether the file does what was expected, and nothing else.
  returned: when O(expected) or O(objects) is given
  type: bool
missing:
  description: What was expected and is not so, a sentence for each prefix.
  returned: when O(expected) or O(objects) is given
  type: list
  elements: str
  sample: ["quay.io/a is pulled from mirror.example.com:5000/a by digest, then quay.io/a"]
unexpected:
  description: What is so and was not expected, likewise. A prefix that differs is in both lists.
  returned: when O(expected) or O(objects) is given
  type: list
  elements: str
images:
  description: The answer for each of O(images).
  returned: success
  type: list
  elements: dict
  contains:
    image:
      description: The reference as it was given.
      type: str
    sources:
      description: The attempts to pull it, in order. The first one that succeeds ends them.
      type: list
      elements: dict
      contains:
        reference:
          description: What is asked for.
          type: str
          sample: mirror.example.com:5000/ocp/release:4.16.30-x86_64
        insecure:
          description: Whether TLS is not verified.
          type: bool
        mirror:
          description: Whether this is a mirror.
          type: bool
        blocked:
          description: Whether the attempt fails at once, because the file blocks that name.
          type: bool
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import errors, mirror_sets, registries_conf


def read(path):
    """The text of a file."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError as failure:
        raise errors.NotFound("%s cannot be read: %s." % (path, failure.strerror))
    except UnicodeDecodeError:
        raise errors.InvalidInput("%s is not UTF-8 text." % path) from None


def expected_registries(params):
    """The registries that the options ask for; None where they ask for none."""
    if params["objects"] is not None:
        return mirror_sets.expected_registries(params["objects"], params["version"])
    if params["expected"] is None:
        return None
    rules = [mirror_sets.MirrorRule(rule["source"], tuple(rule["mirrors"]), rule["policy"], rule["by"])
             for rule in params["expected"]]
    kinds = mirror_sets.kinds_of(params["version"])
    return mirror_sets.expected_registries(mirror_sets.objects_for(rules, kinds, "expected"), params["version"])


def sources(conf, image):
    """The attempts to pull an image, as plain data; a short name is tried under one full name after the
    other."""
    return [asdict(source) for name in registries_conf.candidates(conf, image)
            for source in registries_conf.pull_sources(conf, name)]


def main():
    module = AnsibleModule(
        argument_spec=dict(
            path=dict(type="path"),
            content=dict(),
            expected=dict(type="list", elements="dict", options=dict(
                source=dict(required=True),
                mirrors=dict(type="list", elements="str", required=True),
                policy=dict(choices=[mirror_sets.ALLOW, mirror_sets.NEVER], default=mirror_sets.ALLOW),
                by=dict(choices=["digest", "tag"], default="digest"))),
            objects=dict(type="list", elements="dict"),
            version=dict(),
            images=dict(type="list", elements="str", default=[]),
        ),
        mutually_exclusive=[("path", "content"), ("expected", "objects")],
        required_one_of=[("path", "content")],
        supports_check_mode=True,
    )
    params = module.params
    try:
        conf = registries_conf.parse(read(params["path"]) if params["path"] else params["content"])
        expected = expected_registries(params)
        result = {
            "registries": [registries_conf.as_dict(registry) for registry in conf.registries],
            "images": [{"image": image, "sources": sources(conf, image)} for image in params["images"]],
        }
        if expected is not None:
            found = registries_conf.compare(expected, conf.registries)
            result.update(matches=found.matches, missing=found.missing, unexpected=found.unexpected)
        module.exit_json(changed=False, **result)
    except errors.Error as error:
        module.fail_json(**error.result())


if __name__ == "__main__":
    main()
