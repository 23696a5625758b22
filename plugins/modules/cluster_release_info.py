# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_release_info
short_description: Tell which releases a cluster runs, by their images
version_added: 0.1.0
author:
  - The disconnected.openshift maintainers (!UNKNOWN)
description:
  - Reads the C(ClusterVersion). A cluster that is being updated runs two releases, or more if the update was pointed
    elsewhere on its way. All of them have to be mirrored.
extends_documentation_fragment:
  - disconnected.openshift.attributes
  - disconnected.openshift.cluster
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
    details: Changes nothing.
seealso:
  - module: disconnected.openshift.mirror_plan
"""

EXAMPLES = r"""
- name: See what has to be mirrored for this cluster
  disconnected.openshift.cluster_release_info:
  register: cluster
"""

RETURN = r"""
release_images:
  description: The release images, the one that the cluster shall run first.
  returned: always
  type: list
  elements: str
  sample: ["quay.io/openshift-release-dev/ocp-release@sha256:0123"]
versions:
  description: Their versions, in the same order.
  returned: always
  type: list
  elements: str
  sample: ["4.16.30"]
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import cluster_inputs, errors
from ..module_utils.cluster import ARGUMENT_SPEC, Cluster


def main():
    module = AnsibleModule(argument_spec=dict(ARGUMENT_SPEC), supports_check_mode=True)
    try:
        module.exit_json(**run(Cluster.connect(module.params)))
    except errors.Error as error:
        module.fail_json(**error.result())


def run(cluster):
    """The module's result."""
    version = cluster.get(cluster_inputs.CONFIG, "ClusterVersion", "version") or {}
    found = releases(version.get("status", {}))
    if not found:
        raise errors.NotFound("The ClusterVersion of %s names no release image. Set disconnected_release_image." % cluster.host)
    return {"changed": False, "release_images": list(found), "versions": list(found.values())}


def releases(status):
    """{image: version} of a ClusterVersion's status: what it shall run, and back to what it has last run completely."""
    found = {}
    for entry in [status.get("desired", {}), *status.get("history", [])]:
        if entry.get("image"):
            found.setdefault(entry["image"], entry.get("version", ""))
        if entry.get("state") == "Completed":
            break
    return found


if __name__ == "__main__":
    main()
