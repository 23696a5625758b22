# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: conversion_report
short_description: Leave a report of a run, as one page and as JSON
version_added: 0.1.0
author:
  - The disconnected.openshift maintainers (!UNKNOWN)
description:
  - Puts together what the roles of this collection have registered on all hosts of the run, which is what was planned and
    what changed, nodes by checks, images in use by namespace, images that failed and why, the timeline of the rollout,
    C(registries.conf) before and after, and what comes next. With several clusters it begins with a row for each.
  - The page is one file, with pictures, for light and dark screens and for paper. It asks for nothing from anywhere and runs
    no script.
  - Only named fields of these results get into it, none of which holds a secret. The files are written on the controller, at
    once or not at all, and nobody else may read them.
  - Call it again to bring the report up to date. The playbooks write it when they begin, when they end and when they fail.
extends_documentation_fragment:
  - disconnected.openshift.attributes
attributes:
  check_mode:
    support: full
    details: The report is written in check mode as well; it says that it was a dry run.
  diff_mode:
    support: N/A
    details: Changes nothing on the hosts.
options:
  path:
    description:
      - The page to write on the controller. The extension C(.html) is added where it is missing; the JSON lies beside it with
        C(.json) in its place. Directories that are missing are made.
    type: path
    required: true
  playbook:
    description: The playbook that is reported, without the collection's name.
    type: str
    default: ""
  registry:
    description: The mirror registry.
    type: str
    default: ""
  mirror_host:
    description: The host of the inventory that mirrors.
    type: str
    default: localhost
notes:
  - It takes no part in the run, so that it is never V(changed).
seealso:
  - module: disconnected.openshift.conversion_info
"""

EXAMPLES = r"""
- name: Convert, and leave a report whatever happens
  hosts: localhost
  tasks:
    - name: Configure
      block:
        - name: Configure every node
          ansible.builtin.import_role:
            name: disconnected.openshift.cluster_config
      always:
        - name: Leave a report
          disconnected.openshift.conversion_report:
            path: reports/configure.html
            registry: "{{ disconnected_mirror_registry }}"
"""

RETURN = r"""
path:
  description: The page.
  returned: success
  type: str
  sample: /home/admin/reports/convert.html
data:
  description: The same as JSON.
  returned: success
  type: str
  sample: /home/admin/reports/convert.json
outcome:
  description: V(done), V(failed), or V(unfinished) for a run that has only begun.
  returned: success
  type: str
  choices: [done, failed, unfinished]
  sample: done
"""
