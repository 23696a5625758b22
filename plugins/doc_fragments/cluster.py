# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """What holds for every module that talks to a cluster, next to kubernetes.core.k8s_auth_options."""

    DOCUMENTATION = r"""
options: {}
requirements:
  - python >= 3.9
  - kubernetes >= 24.2.0
  - openshift >= 0.13.2
notes:
  - The options say which cluster, as they do for M(kubernetes.core.k8s), and so do the C(K8S_AUTH_*) environment
    variables; C(group/disconnected.openshift.cluster) in C(module_defaults) sets them for both collections at once.
  - "The API's certificate is verified always: C(validate_certs: false) is refused. Give the CA as O(ca_cert)."
  - OpenShift 4 has no basic authentication, so O(username) and O(password) are refused; give a token as O(api_key).
  - Answers that may pass (429, 500, 502, 503, 504, a dropped connection) are tried again for up to a minute, for reads
    and for writes whose repetition does no harm.
"""
