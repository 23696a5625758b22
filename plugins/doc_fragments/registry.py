# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """How a module reaches registries."""

    DOCUMENTATION = r"""
options:
  auth_file:
    description:
      - Path of the file with the registries' credentials, in the form of C(~/.docker/config.json) or of a pull
        secret, on the host where the module runs.
      - Entries are found as CRI-O, podman and skopeo find them. The key with the longest path that matches wins, and
        a key that ends with a slash matches nothing.
      - Without it registries are talked to without credentials.
    type: path
  ca_files:
    description:
      - Paths of files with CA certificates in PEM form, on the host where the module runs. They are trusted besides
        the host's own CAs. Certificates are always verified.
    type: list
    elements: path
    default: []
  ca_content:
    description: CA certificates in PEM form, trusted besides O(ca_files) and the host's own CAs.
    type: str
    default: ""
  plain_http:
    description:
      - Registries, C(host:port), that are talked to without TLS. It is for tests and measurements with a registry on
        the very host where the module runs. Credentials are then sent in the clear.
    type: list
    elements: str
    default: []
  registry_workers:
    description:
      - How many requests a registry gets at a time, by C(host[:port]). All others get as many as there are workers.
      - V(quay.io) and V(registry.redhat.io) get 4, since they limit the rate of each client, unless they are named here.
    type: dict
    default: {}
notes:
  - The registries are reached through the proxy in the environment variables E(HTTPS_PROXY) and E(NO_PROXY), if these
    are set.
"""
