# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Which cluster a module talks to. The options are kubernetes.core's; Galaxy, which shows their documentation, does not
    know that collection when it reads this one."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of a kubeconfig, or several of them separated by colons, or the document itself as a dictionary.
      - Without it and without O(host), a pod uses its service account, anything else E(KUBECONFIG) or C(~/.kube/config). The
        environment variable E(K8S_AUTH_KUBECONFIG) may give it, too.
    type: raw
  context:
    description: The kubeconfig's context, by default its current one. Also as E(K8S_AUTH_CONTEXT).
    type: str
  host:
    description:
      - The API's address, V(https://host:port). With O(api_key), or O(client_cert) and O(client_key), no kubeconfig is read.
      - Also as E(K8S_AUTH_HOST). A cluster given by an option and another one in that variable are refused.
    type: str
  api_key:
    description: The token to authenticate with. Also as E(K8S_AUTH_API_KEY).
    type: str
  username:
    description: Refused, as OpenShift 4 has no basic authentication.
    type: str
  password:
    description: Refused likewise.
    type: str
  client_cert:
    description: Path of the certificate to authenticate with. Also as E(K8S_AUTH_CERT_FILE).
    type: path
    aliases: [cert_file]
  client_key:
    description: Path of the key of O(client_cert). Also as E(K8S_AUTH_KEY_FILE).
    type: path
    aliases: [key_file]
  ca_cert:
    description:
      - Path of the CA certificates, in PEM form, that the API's certificate is verified with. Also as
        E(K8S_AUTH_SSL_CA_CERT).
    type: path
    aliases: [ssl_ca_cert]
  validate_certs:
    description: Whether the API's certificate is verified; V(false) is refused. Also as E(K8S_AUTH_VERIFY_SSL).
    type: bool
    aliases: [verify_ssl]
  proxy:
    description: URL of the HTTP proxy to reach the API through. Also as E(K8S_AUTH_PROXY).
    type: str
  no_proxy:
    description:
      - Hosts, domains and addresses, separated by commas, that are reached without O(proxy). Also as
        E(K8S_AUTH_NO_PROXY).
    type: str
  proxy_headers:
    description: What the proxy is told.
    type: dict
    suboptions:
      proxy_basic_auth:
        description: C(user:password) for the proxy. Also as E(K8S_AUTH_PROXY_HEADERS_PROXY_BASIC_AUTH).
        type: str
      basic_auth:
        description: C(user:password) as an ordinary authorization header. Also as E(K8S_AUTH_PROXY_HEADERS_BASIC_AUTH).
        type: str
      user_agent:
        description: The name of the client. Also as E(K8S_AUTH_PROXY_HEADERS_USER_AGENT).
        type: str
  persist_config:
    description: Whether a token that was renewed is written to the kubeconfig. Also as E(K8S_AUTH_PERSIST_CONFIG).
    type: bool
  impersonate_user:
    description: The user to act as. Also as E(K8S_AUTH_IMPERSONATE_USER).
    type: str
  impersonate_groups:
    description: The groups to act as a member of. Also as E(K8S_AUTH_IMPERSONATE_GROUPS), separated by commas.
    type: list
    elements: str
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
