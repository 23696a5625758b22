# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: ca_certificate_info
short_description: Read and check a CA certificate before anything is made to trust it
version_added: 0.1.0
description:
  - Reads a file of one or several PEM certificates, or one DER certificate, on the host where it runs.
  - Fails, saying which certificate and why, when the file holds no certificate or a damaged one, a private
    key, a certificate that is not a CA's, one that has expired, or one that is not valid yet.
  - Returns the same certificates in one form, PEM, each once, ready to be installed.
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
  src:
    description: Path of the file. Exactly one of O(src) and O(content) is required.
    type: path
  content:
    description: The text of the PEM certificates, instead of a file.
    type: str
  registry:
    description: The registry whose CA it is, for the messages.
    type: str
requirements:
  - cryptography >= 38
"""

EXAMPLES = r"""
- name: Read the mirror registry's CA certificate
  disconnected.openshift.ca_certificate_info:
    src: files/mirror-ca.crt
    registry: mirror.example.com:5000
  delegate_to: localhost
  register: mirror_ca

- name: Install it in PEM, whatever form it came in
  ansible.builtin.copy:
    content: "{{ mirror_ca.pem }}"
    dest: /etc/pki/ca-trust/source/anchors/mirror-ca.crt
    mode: "0644"
"""

RETURN = r"""
certificates:
  description: The certificates, in the order of the file, each once.
  returned: success
  type: list
  elements: dict
  contains:
    subject:
      description: Whose certificate it is, in the form of RFC 4514.
      type: str
      sample: CN=mirror CA,O=Example
    issuer:
      description: Who signed it.
      type: str
      sample: CN=mirror CA,O=Example
    not_before:
      description: From when it is valid, in UTC.
      type: str
      sample: "2026-01-01T00:00:00Z"
    not_after:
      description: Until when it is valid, in UTC.
      type: str
      sample: "2036-01-01T00:00:00Z"
    is_ca:
      description: Whether it is the certificate of a CA. Always so here, as the module fails otherwise.
      type: bool
    fingerprint:
      description: The SHA-256 fingerprint, as C(openssl x509 -fingerprint -sha256) prints it.
      type: str
    names:
      description: The DNS names and IP addresses that the certificate is for.
      type: list
      elements: str
pem:
  description: The certificates as PEM text, without comments and repetitions.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import certificates, errors, secrets


def main():
    module = AnsibleModule(
        argument_spec=dict(src=dict(type="path"), content=dict(), registry=dict()),
        mutually_exclusive=[("src", "content")],
        required_one_of=[("src", "content")],
        supports_check_mode=True,
    )
    src, content, registry = (module.params[name] for name in ("src", "content", "registry"))
    try:
        data = certificates.read(src) if src else content.encode("utf-8")
        if content and certificates.holds_private_key(data):
            secrets.protect(module, content)  # a failure shows the options that the module was given
        loaded = certificates.authorities(data, src, registry)
        for sentence in certificates.expiring(loaded):
            module.warn(sentence)
        module.exit_json(changed=False, certificates=[each.describe() for each in loaded],
                         pem=certificates.bundle(loaded))
    except errors.Error as error:
        module.fail_json(**error.result())


if __name__ == "__main__":
    main()
