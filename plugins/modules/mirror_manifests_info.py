# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_manifests_info
short_description: Read what another tool wrote about its mirror
version_added: 0.1.0
description:
  - Reads the manifests that C(oc-mirror) left in C(working-dir/cluster-resources), or C(oc adm catalog mirror) in its
    C(manifests-) directory, and returns what they say in the words of M(disconnected.openshift.mirror_plan). A mirror that
    was made by such a tool is then configured, verified and taken back like one that was made here.
  - ImageContentSourcePolicies, ImageDigestMirrorSets and ImageTagMirrorSets are checked for what the machine-config operator
    would refuse, and joined to rules. CatalogSources and ClusterCatalogs of one index image are one catalog.
  - Only what the objects say counts. Their names, annotations and order, which are the same in every workspace or change with
    every run of these tools, do not.
  - Nothing is written, and no registry or cluster is asked. Whether the images are on the mirror is for
    M(disconnected.openshift.image_coverage_info) to tell.
author:
  - The disconnected.openshift maintainers (!UNKNOWN)
extends_documentation_fragment:
  - disconnected.openshift.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  src:
    description:
      - Directories, or files, on the host where the module runs. Of a directory all files that end in C(.yaml), C(.yml) or
        C(.json) are read, also in directories below.
    type: list
    elements: path
    required: true
requirements:
  - PyYAML
seealso:
  - module: disconnected.openshift.mirror_plan
  - module: disconnected.openshift.image_mirror_sets
  - module: disconnected.openshift.catalog_sources
  - module: disconnected.openshift.release_signatures
"""

EXAMPLES = r"""
- name: Read what oc-mirror left
  disconnected.openshift.mirror_manifests_info:
    src: [/data/workspace/working-dir/cluster-resources]
  register: manifests

- name: Configure the cluster for that mirror
  ansible.builtin.include_role:
    name: disconnected.openshift.cluster_config
  vars:
    cluster_config_mirrors: "{{ manifests.mirrors }}"
    cluster_config_catalogs: "{{ manifests.catalog_sources }}"
    cluster_config_signatures: "{{ manifests.signature_config_maps }}"
"""

RETURN = r"""
mirrors:
  description: The rules, for O(disconnected.openshift.image_mirror_sets#module:mirrors).
  returned: success
  type: list
  elements: dict
  contains:
    source:
      description: What the images' references begin with.
      type: str
    mirrors:
      description: Where to look instead, in this order.
      type: list
      elements: str
    by:
      description: V(digest) or V(tag).
      type: str
    policy:
      description: Whether the source itself is tried when every mirror failed.
      type: str
catalog_sources:
  description: The catalogs, for O(disconnected.openshift.catalog_sources#module:catalogs). No name is there twice.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: A name for the object.
      type: str
    image:
      description: The index image on the mirror.
      type: str
    digest:
      description: The index image's digest, if it is given by it.
      type: str
    source:
      description: The index image as it is called outside, if the rules tell it, else as on the mirror.
      type: str
signature_config_maps:
  description: >-
    The ConfigMaps with signatures of releases, one for each release, for
    O(disconnected.openshift.release_signatures#module:config_maps).
  returned: success
  type: list
  elements: dict
used:
  description: The objects that this was made of, as C(kind name).
  returned: success
  type: list
  elements: str
  sample: ["ImageDigestMirrorSet idms-release-0"]
ignored:
  description: Objects that say nothing about a mirror.
  returned: success
  type: list
  elements: str
  sample: ["UpdateService update-service-oc-mirror"]
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import errors, mirror_manifests

SUFFIXES = (".yaml", ".yml", ".json")


def main():
    module = AnsibleModule(
        argument_spec=dict(src=dict(type="list", elements="path", required=True)),
        supports_check_mode=True,
    )
    try:
        files = {path: text(path) for source in module.params["src"] for path in paths(source)}
        found = mirror_manifests.read(files)
    except errors.Error as error:
        module.fail_json(**error.result())
    module.exit_json(changed=False, **found._asdict())


def paths(source):
    """The files to read of a directory, or the file itself."""
    if os.path.isfile(source):
        return [source]
    if not os.path.isdir(source):
        raise errors.InvalidInput("%s does not exist on this host." % source)
    found = [os.path.join(directory, name) for directory, _directories, names in os.walk(source)
             for name in names if name.endswith(SUFFIXES)]
    if not found:
        raise errors.InvalidInput("%s holds no file that ends in %s." % (source, ", ".join(SUFFIXES)))
    return found


def text(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        raise errors.InvalidInput("%s cannot be read by this user, or is no text." % path)


if __name__ == "__main__":
    main()
