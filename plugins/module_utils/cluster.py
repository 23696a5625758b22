# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's API: plain dicts in and out, over openshift.dynamic.DynamicClient.

The only file that imports kubernetes or openshift. It finds the cluster as kubernetes.core does (same
options, same K8S_AUTH_* environment, same order), so that its tasks and ours in one play always talk to the
same one. It differs in three things: TLS is verified always, a failure becomes one of our errors with its
remedy, and a transient failure is tried again where that cannot do harm.
"""
from __future__ import annotations

import base64
import itertools
import json
import os
import re
import ssl
import threading
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Optional
from urllib.parse import unquote, urlencode, urlsplit

from ansible.module_utils.basic import env_fallback, missing_required_lib
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC

from . import errors, wait
from .connections import PARTIAL_CHAIN

try:
    import kubernetes.client
    import kubernetes.config
    import urllib3
    import websocket
    import yaml
    from kubernetes.client.rest import ApiException
    from kubernetes.dynamic.resource import Resource
    from openshift.dynamic import DynamicClient
    MISSING_LIBRARY = None
except ImportError:
    MISSING_LIBRARY = traceback.format_exc()

CONNECT_SECONDS = 10
READ_SECONDS = 60
# A host that never answered is more likely misspelt than restarting: say so soon. One that did answer, or is there and
# refuses the connection, may be a control plane in the middle of a roll-out: each task of a play is a process of its own,
# to which that is the first contact.
FIRST_CONTACT_SECONDS = 5
PATIENCE_SECONDS = 60
PAGE = 500
CONNECTIONS = 64  # kept open for as many threads
TRANSIENT = frozenset((429, 500, 502, 503, 504))
OWNER_LABEL = "app.kubernetes.io/managed-by"
OWNER = "disconnected.openshift"
VERBS = {"post": "create", "put": "update"}  # as roles name them; the others are HTTP's own words

# The environment variables of each option. That of kubeconfig is read below instead: the option is no_log, as
# it may hold the document itself, and a path taken for a secret would be struck out of every message.
ENVIRONMENT = {
    "context": ("K8S_AUTH_CONTEXT",),
    "host": ("K8S_AUTH_HOST",),
    "api_key": ("K8S_AUTH_API_KEY",),
    "username": ("K8S_AUTH_USERNAME",),
    "password": ("K8S_AUTH_PASSWORD",),
    "validate_certs": ("K8S_AUTH_VALIDATE_CERTS", "K8S_AUTH_VERIFY_SSL"),
    "ca_cert": ("K8S_AUTH_CA_CERT", "K8S_AUTH_SSL_CA_CERT"),
    "client_cert": ("K8S_AUTH_CLIENT_CERT", "K8S_AUTH_CERT_FILE"),
    "client_key": ("K8S_AUTH_CLIENT_KEY", "K8S_AUTH_KEY_FILE"),
    "proxy": ("K8S_AUTH_PROXY",),
    "no_proxy": ("K8S_AUTH_NO_PROXY",),
    "persist_config": ("K8S_AUTH_PERSIST_CONFIG",),
    "impersonate_user": ("K8S_AUTH_IMPERSONATE_USER",),
    "impersonate_groups": ("K8S_AUTH_IMPERSONATE_GROUPS",),
}

ARGUMENT_SPEC = {
    name: dict(option, fallback=(env_fallback, list(ENVIRONMENT[name]))) if name in ENVIRONMENT else dict(option)
    for name, option in AUTH_ARG_SPEC.items()
}
ARGUMENT_SPEC["kubeconfig"]["no_log"] = True  # old releases of kubernetes.core print the document


@dataclass(frozen=True)
class ExecResult:
    """What a command in a container ended with: its exit code, and its two streams as text."""

    rc: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class _Request:
    """What is asked of the API, in the words of its roles."""

    verb: str
    resource: str
    group: str = ""
    name: Optional[str] = None
    namespace: Optional[str] = None

    def __str__(self):
        name = ' "%s"' % self.name if self.name else ""
        place = " in %s" % self.namespace if self.namespace else ""
        return "%s %s%s%s" % (self.verb, self.resource, name, place)


class _Expired(errors.Error):
    """The continuation of a paged list is too old (410): the list must be read from its start."""


class _Discoverer:
    """Finds a kind with one request for its group and version, and remembers it in memory only.

    The client's own discoverer begins with two requests that nobody here needs, repeats them all for each
    kind that is not served, takes a 503 for "not served", and trusts a file of a predictable name in /tmp.
    """

    def __init__(self, client, cache_file):
        self._client = client
        self._served = {}
        self._lock = threading.Lock()

    def get(self, api_version, kind):
        """The Resource, or None when the API does not serve it."""
        with self._lock:
            if api_version not in self._served:
                self._served[api_version] = self._ask(api_version)
            return self._served[api_version].get(kind)

    def _ask(self, api_version):
        group, _slash, version = api_version.rpartition("/")
        prefix = "apis" if group else "api"
        try:
            answer = self._client.request("get", "/%s/%s" % (prefix, api_version), serialize=False,
                                          _request_timeout=(CONNECT_SECONDS, READ_SECONDS))
        except ApiException as failure:
            if failure.status == 404:
                return {}
            raise
        return {
            entry["kind"]: Resource(prefix=prefix, group=group, api_version=version, kind=entry["kind"],
                                    name=entry["name"], namespaced=entry["namespaced"], client=self._client)
            for entry in json.loads(answer.data)["resources"] or [] if "/" not in entry["name"]
        }


class Cluster:
    """One cluster, as one user. Safe to use from several threads."""

    def __init__(self, api_client, clock=wait.SystemClock(), patience=None):
        self.host = api_client.configuration.host
        self._given_patience = patience
        self._api_client = api_client
        self._clock = clock
        self._client = DynamicClient(api_client, discoverer=_Discoverer)
        self._answered = False
        self._is_there = False
        self._version = None
        self._tls = api_client.rest_client.pool_manager.connection_pool_kw.get("ssl_context")

    @classmethod
    def connect(cls, params, clock=wait.SystemClock(), patience=None):
        """The cluster that the options in `params` (see ARGUMENT_SPEC) lead to. Sends nothing yet.

        patience -- seconds for which a request is tried again, the first one too, where the cluster is known to be there
        """
        if MISSING_LIBRARY:
            raise errors.Error(missing_required_lib("openshift", reason="to talk to the cluster",
                                                    url="https://pypi.org/project/openshift/"),
                               exception=MISSING_LIBRARY)
        api_client = kubernetes.client.ApiClient(_configuration(params))
        _trust_as_oc_does(api_client)
        api_client.user_agent = "ansible-collection disconnected.openshift"
        for name, value in _impersonation(params):
            # A group is one header. The client keeps headers in a dict: a second one needs another spelling.
            spelling = next(word for word in _spellings(name) if word not in api_client.default_headers)
            api_client.set_default_header(spelling, value)
        return cls(api_client, clock, patience)

    @property
    def version(self):
        """The release that the cluster runs, "4.16.30": the newest completed, else the one it aims at."""
        if self._version is None:
            found = (self.get("config.openshift.io/v1", "ClusterVersion", "version")
                     if self.serves("config.openshift.io/v1", "ClusterVersion") else None)
            if found is None:
                raise errors.NotFound("%s is not an OpenShift cluster: it has no ClusterVersion. Point kubeconfig, "
                                      "context or host at the cluster to convert." % self.host)
            status = found.get("status", {})
            completed = [entry["version"] for entry in status.get("history", []) if entry["state"] == "Completed"]
            self._version = completed[0] if completed else status["desired"]["version"]
        return self._version

    @property
    def minor(self):
        """(4, 16) of 4.16.30."""
        return tuple(int(number) for number in self.version.split(".")[:2])

    def serves(self, api_version, kind):
        """Whether the API knows this kind, such as ("config.openshift.io/v1", "ImageDigestMirrorSet")."""
        return self._find(api_version, kind) is not None

    def get(self, api_version, kind, name, namespace=None):
        """The object, or None when there is none. NotFound when the API does not serve the kind at all."""
        return self._stored(self._resource(api_version, kind), name, namespace)

    def list(self, api_version, kind, namespace=None, label_selector=None, field_selector=None):
        """All the objects of a kind, each with its apiVersion and kind. NotFound as for get."""
        resource = self._resource(api_version, kind)
        selectors = {"label_selector": label_selector, "field_selector": field_selector, "limit": PAGE}
        try:
            items = self._pages(resource, namespace, selectors)
        except _Expired:
            items = self._pages(resource, namespace, selectors)
        return [dict(item, apiVersion=api_version, kind=kind) for item in items]

    def create(self, obj):
        """Create the object and return it as stored. Conflict when there is another one of that name."""
        name, namespace = _identity(obj)
        return self._write("post", self._resource_of(obj), name, namespace, obj)

    def merge_patch(self, api_version, kind, name, body, namespace=None):
        """Apply a JSON merge patch and return the object as stored.

        With metadata.resourceVersion in `body` the patch holds for that version only, and Conflict tells that
        the object was changed meanwhile.
        """
        return self._write("patch", self._resource(api_version, kind), name, namespace, body,
                           content_type="application/merge-patch+json")

    def replace(self, obj):
        """Store the object in place of the one whose resourceVersion it carries. Conflict as merge_patch."""
        name, namespace = _identity(obj)
        return self._write("put", self._resource_of(obj), name, namespace, obj)

    def delete(self, api_version, kind, name, namespace=None, resource_version=None):
        """Delete the object, with `resource_version` only if that is still its version (else Conflict).
        Whether there was one."""
        resource = self._resource(api_version, kind)
        condition = {"body": {"preconditions": {"resourceVersion": resource_version}}} if resource_version else {}

        def attempt(number):
            try:
                self._once("delete", resource, name, namespace, **condition)
            except errors.NotFound:
                return number > 0  # gone since the first attempt, whose answer was lost
            return True
        return wait.retry(attempt, self._patience, self._clock)

    def raw(self, path, params=()):
        """The text that a path answers, such as the log of a node; `params` are (name, value) pairs."""
        request = _Request("get", path)

        def send():
            return self._client.request("get", path, query_params=list(params), serialize=False,
                                        header_params={"Accept": "*/*", "Accept-Encoding": "gzip"},
                                        _request_timeout=(CONNECT_SECONDS, READ_SECONDS))
        return wait.retry(lambda number: self._send(request, send), self._patience, self._clock)

    def exec(self, namespace, pod, container, argv, timeout=60):
        """Run a command in a container, without input, and return its ExecResult.

        The connection is built here and not by kubernetes.stream, which swaps a method of the shared client
        while it runs, and drops the headers of impersonation. Only the connecting is tried again: a command
        that may have begun is not run twice.
        """
        request = _Request("get", "pods/exec", name=pod, namespace=namespace)
        socket = wait.retry(lambda number: self._open(request, container, argv), self._patience, self._clock)
        try:
            return _read_exec(socket, "%s: %s" % (self.host, request), self._clock, timeout)
        finally:
            socket.close(timeout=1)

    # Requests.

    def _patience(self):
        return self._given_patience or (
            PATIENCE_SECONDS if self._answered or self._is_there else FIRST_CONTACT_SECONDS)

    def _find(self, api_version, kind):
        group, _slash, version = api_version.rpartition("/")
        request = _Request("discover", "%s of %s" % (kind, api_version), group)

        def attempt(number):
            with self._translated(request):
                return self._client.resources.get(api_version=api_version, kind=kind)
        return wait.retry(attempt, self._patience, self._clock)

    def _resource(self, api_version, kind):
        resource = self._find(api_version, kind)
        if resource is None:
            raise errors.NotFound("%s does not serve %s of %s." % (self.host, kind, api_version))
        return resource

    def _resource_of(self, obj):
        return self._resource(obj["apiVersion"], obj["kind"])

    def _pages(self, resource, namespace, selectors):
        items = []
        token = None
        while True:
            page = self._call("get", resource, None, namespace, _continue=token, **selectors)
            items += page["items"] or []
            token = page["metadata"].get("continue")
            if not token:
                return items

    def _write(self, method, resource, name, namespace, body, **arguments):
        def attempt(number):
            try:
                return self._once(method, resource, name, namespace, body=body, **arguments)
            except errors.Conflict:
                # An earlier attempt may have reached the API although its answer did not reach us.
                stored = self._stored(resource, name, namespace) if number else None
                if stored is None or not _fulfils(stored, body):
                    raise
                return stored
        return wait.retry(attempt, self._patience, self._clock)

    def _stored(self, resource, name, namespace):
        try:
            return self._call("get", resource, name, namespace)
        except errors.NotFound:
            return None

    def _call(self, method, resource, name, namespace, **arguments):
        return wait.retry(lambda number: self._once(method, resource, name, namespace, **arguments),
                          self._patience, self._clock)

    def _once(self, method, resource, name, namespace, **arguments):
        verb = "list" if name is None else VERBS.get(method, method)
        request = _Request(verb, resource.name, resource.group, name, namespace)
        path = resource.path(name=None if method == "post" else name, namespace=namespace)
        return json.loads(self._send(request, lambda: self._client.request(
            method, path, serialize=False, _request_timeout=(CONNECT_SECONDS, READ_SECONDS), **arguments)))

    def _send(self, request, send):
        with self._translated(request):
            return send().data.decode("utf-8")

    @contextmanager
    def _translated(self, request):
        """A with block around one request: what the libraries raise inside leaves it as one of our errors, or
        as Transient. No foreign exception gets out: its text may hold the object, and with it a secret."""
        try:
            yield
        except (ApiException, urllib3.exceptions.HTTPError, websocket.WebSocketException, OSError) as failure:
            status, headers, body = _answer(failure)
            if not status:
                self._is_there = any(isinstance(error, ConnectionError) for error in _chain(failure))
                raise _breakdown(self.host, request, failure) from None
            self._answered = True
            raise _refusal(self.host, request, status, headers, body) from None
        self._answered = True

    def _open(self, request, container, argv):
        path = "/api/v1/namespaces/%s/pods/%s/exec" % (request.namespace, request.name)
        query = [("container", container), ("stdout", "true"), ("stderr", "true")]
        query += [("command", word) for word in argv]
        configuration = self._api_client.configuration
        bearer = configuration.auth_settings().get("BearerToken")
        headers = ["%s: %s" % item for item in self._api_client.default_headers.items()]
        headers += ["Authorization: %s" % bearer["value"]] if bearer else []
        socket = websocket.WebSocket(skip_utf8_validation=True, sslopt={
            "context": self._tls, "cert_reqs": ssl.CERT_REQUIRED, "check_hostname": True,
            "server_hostname": getattr(configuration, "tls_server_name", None)})
        socket.settimeout(CONNECT_SECONDS)
        with self._translated(request):
            socket.connect("wss://%s%s?%s" % (self.host.partition("://")[2], path, urlencode(query)), header=headers,
                           subprotocols=["v4.channel.k8s.io"], suppress_origin=True, redirect_limit=0,
                           **_websocket_proxy(configuration))
        return socket


# What failures mean.

def _answer(failure):
    """(status, headers, body) of what the API answered; the status is 0 or None when it did not answer."""
    if isinstance(failure, ApiException):
        return failure.status, failure.headers, failure.body
    if isinstance(failure, websocket.WebSocketBadStatusException):
        return failure.status_code, getattr(failure, "resp_headers", None), getattr(failure, "resp_body", None)
    return None, None, None


def _refusal(host, request, status, headers, body):
    """The error for an answer that is not a success."""
    said = _said(request, body)
    where = "%s: cannot %s" % (host, request)
    if status == 401:
        return errors.Unauthorized("%s: the API does not accept the credentials; a token may have expired. Log in "
                                   "again and give the new token or kubeconfig." % where)
    if status == 403 and request.verb == "discover":
        # Everyone who is known may ask this.
        return errors.Forbidden("%s: %s. See that the context's user in the kubeconfig has a token or a client certificate, "
                                "or give api_key." % (where, said or "forbidden"))
    if status == 403:
        scope = " in namespace %s" % request.namespace if request.namespace else ", by a cluster role"
        # Which of the two a command needs depends on the release.
        verbs = 'verbs "get" and "create"' if request.resource == "pods/exec" else 'verb "%s"' % request.verb
        return errors.Forbidden('%s: %s. Grant this user the %s on "%s" of API group "%s"%s, or run as a cluster '
                                'administrator.' % (where, said or "forbidden", verbs, request.resource, request.group,
                                                    scope))
    if status == 404:
        return errors.NotFound("%s: %s." % (where, said or "not found"))
    if status == 409:
        return errors.Conflict("%s: %s." % (where, said or "conflict"))
    if status == 410:
        return _Expired("%s: %s." % (where, said or "expired"))
    if status in (400, 422):
        return errors.InvalidInput("%s: the API refuses it: %s." % (where, said or "HTTP %d" % status))
    answer = "%s: HTTP %d%s." % (where, status, ", %s" % said if said else "")
    if status in TRANSIENT:
        return wait.Transient(errors.Unreachable(answer), _retry_after(headers))
    return errors.Error(answer)


def _said(request, body):
    """The API's own sentence; of a refused Secret the fields alone, since the sentence may echo its data."""
    try:
        status = json.loads(body or b"")
        message = status.get("message") or ""
    except (ValueError, AttributeError):
        return ""
    if request.resource == "secrets" and status.get("code") in (400, 422):
        causes = (status.get("details") or {}).get("causes") or []
        fields = ", ".join(cause["field"] for cause in causes if cause.get("field"))
        return "invalid %s" % fields if fields else "invalid"
    return message.strip().rstrip(".")


def _retry_after(headers):
    """The seconds of a Retry-After header, at most a minute; None without one."""
    for name, value in (headers or {}).items():
        if name.lower() == "retry-after" and value.strip().isdigit():
            return min(int(value), PATIENCE_SECONDS)
    return None


def _breakdown(host, request, failure):
    """The error for a connection that was not made, or broke."""
    text = "%s %s" % (getattr(failure, "reason", ""), failure)
    mistrust = re.search(r"certificate verify failed(?:: (.*?))?(?: \(_ssl|$)", text)
    if mistrust or "CertificateError" in text:
        why = (mistrust.group(1) if mistrust else None) or "it does not name this host"
        return errors.Unreachable("%s: its certificate is not trusted: %s. Give the CA that signed it as ca_cert "
                                  "(K8S_AUTH_SSL_CA_CERT) or in the kubeconfig." % (host, why))
    return wait.Transient(errors.Unreachable("%s cannot be reached (%s): %s. Check the address, the proxy and the "
                                             "firewall." % (host, request, _cause(failure))))


def _cause(failure):
    """Why a connection failed, from the types and error numbers alone."""
    chain = list(_chain(failure))
    for error in chain:
        name = type(error).__name__
        if "NameResolution" in name or name in ("gaierror", "WebSocketAddressException"):
            return "its name is not known"
        if "Timeout" in name or isinstance(error, TimeoutError):
            return "no answer in time"
        if "Proxy" in name:
            return "the proxy does not connect to it"
        if isinstance(error, OSError) and error.errno:
            return os.strerror(error.errno)
    return "the connection was dropped"


def _chain(failure):
    """A failure and those that it wraps."""
    seen = []
    pending = [failure]
    while pending:
        error = pending.pop(0)
        if isinstance(error, BaseException) and error not in seen:
            seen.append(error)
            yield error
            pending += [error.__cause__, error.__context__, getattr(error, "reason", None), *error.args]


# Where the cluster is, and as whom.

def _configuration(params):
    """A client Configuration from the options, in kubernetes.core's order: host with credentials, else
    kubeconfig or context, else the pod's service account, else the default kubeconfig; single options
    override what was loaded."""
    given = {name: value for name, value in params.items() if value not in (None, "", [], {})}
    _check_one_cluster(given)
    if os.environ.get("K8S_AUTH_KUBECONFIG"):
        given.setdefault("kubeconfig", os.environ["K8S_AUTH_KUBECONFIG"])
    if "username" in given or "password" in given:
        raise errors.InvalidInput("OpenShift 4 has no basic authentication: username and password cannot be used. Log "
                                  "in (oc login, or community.okd.openshift_auth) and give the token as api_key.")
    configuration = kubernetes.client.Configuration()
    if not ("host" in given and ("api_key" in given or ("client_cert" in given and "client_key" in given))):
        _load(configuration, given)
    _override(configuration, given)
    _check_tls(configuration)
    configuration.retries = False  # wait.retry does it, with pauses
    configuration.connection_pool_maxsize = CONNECTIONS
    return configuration


def _check_one_cluster(given):
    """Refuse a kubeconfig or context of the options over which a host of the environment would win."""
    host, context = os.environ.get("K8S_AUTH_HOST"), given.get("context")
    chosen = "kubeconfig" in given or context and context != os.environ.get("K8S_AUTH_CONTEXT")
    if host and chosen and given.get("host") == host:
        raise errors.InvalidInput("Two clusters are meant: %s is given as an option, and K8S_AUTH_HOST in the environment, which "
                                  "would win, is %s. Unset K8S_AUTH_HOST, or give host as an option."
                                  % ("kubeconfig" if "kubeconfig" in given else "context %s" % context, host))


def _load(configuration, given):
    if "kubeconfig" not in given and "context" not in given:
        try:
            kubernetes.config.load_incluster_config(client_configuration=configuration)
            return
        except kubernetes.config.ConfigException:
            pass  # not in a pod
    source = given.get("kubeconfig")
    options = {"context": given.get("context"), "client_configuration": configuration,
               "persist_config": given.get("persist_config", False)}
    try:
        if isinstance(source, dict):
            kubernetes.config.load_kube_config_from_dict(source, **options)
        else:
            kubernetes.config.load_kube_config(_existing(source), **options)
    except kubernetes.config.ConfigException as failure:
        # These texts name keys and objects of the file, never their values.
        named = re.search(r"Invalid kube-config.*", str(failure))
        raise errors.InvalidInput("The kubeconfig cannot be used%s. Give one that has the cluster, its user and a "
                                  "current context, or host and api_key."
                                  % (": %s" % named.group().rstrip(".") if named else "")) from None
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, TypeError, ValueError):
        raise errors.InvalidInput("The kubeconfig is not a valid kubeconfig document.") from None


def _existing(kubeconfig):
    """The path or list of paths as given, when one of them exists."""
    paths = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    files = [os.path.expanduser(path) for path in str(paths).split(os.pathsep) if path]
    readable = [path for path in files if os.path.isfile(path)]
    if not readable:
        # The whole of an option that may hold the document itself would be struck out of the message.
        named = ["%s in %s" % (os.path.basename(path), os.path.dirname(path) or ".") for path in files]
        raise errors.InvalidInput("No access to a cluster: there is no %s. Give kubeconfig, or host and api_key, as options, "
                                  "by disconnected_access, or as K8S_AUTH_* in the environment." % " and no ".join(named))
    return os.pathsep.join(readable)


def _override(configuration, given):
    if "host" in given:
        configuration.host = given["host"].rstrip("/")
    if "api_key" in given:
        configuration.api_key = {"authorization": "Bearer %s" % given["api_key"]}
        configuration.refresh_api_key_hook = None  # would put the kubeconfig's own token back
    for option, attribute in (("validate_certs", "verify_ssl"), ("ca_cert", "ssl_ca_cert"),
                              ("client_cert", "cert_file"), ("client_key", "key_file"),
                              ("proxy", "proxy"), ("no_proxy", "no_proxy")):
        if option in given:
            setattr(configuration, attribute, given[option])
    headers = given.get("proxy_headers") or {}
    headers = {name: headers.get(name) or os.environ.get("K8S_AUTH_PROXY_HEADERS_" + name.upper())
               for name in ("proxy_basic_auth", "basic_auth", "user_agent")}
    if any(headers.values()):
        configuration.proxy_headers = urllib3.util.make_headers(**headers)


def _check_tls(configuration):
    if not configuration.host.startswith("https://"):
        raise errors.InvalidInput("%s: the API must be given as https://..., credentials are not sent in the clear."
                                  % configuration.host)
    if not configuration.verify_ssl:
        raise errors.InvalidInput(
            "%s: validate_certs: false (or insecure-skip-tls-verify in the kubeconfig, or K8S_AUTH_VERIFY_SSL) is "
            "refused, as it would hand the cluster's credentials to anyone in between. Give the API's CA as ca_cert "
            "(K8S_AUTH_SSL_CA_CERT) and validate_certs: true; a logged-in oc prints it: oc get configmap "
            "kube-root-ca.crt -o jsonpath='{.data.ca\\.crt}'" % configuration.host)
    for path in (configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file):
        if path and not os.path.isfile(path):
            raise errors.InvalidInput("%s does not exist: it is named as ca_cert, client_cert or client_key." % path)


def _trust_as_oc_does(api_client):
    """Let the client's connections verify the API's certificate with one context of ours.

    Theirs asks with Python 3.13 for RFC 5280's finer points (key identifiers, a key usage of the CA), which oc, the nodes and
    earlier releases of Python do not; chain, names and dates are verified as before. Like Python 3.13 and oc, every release
    trusts whatever certificate is given, an intermediate CA's too.
    """
    configuration = api_client.configuration
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags = context.verify_flags & ~ssl.VERIFY_X509_STRICT | PARTIAL_CHAIN
    try:
        if configuration.ssl_ca_cert:
            context.load_verify_locations(cafile=configuration.ssl_ca_cert)
        else:
            context.load_default_certs()
        if configuration.cert_file:
            # A password, so that nobody is asked for one: a key that needs it is refused.
            context.load_cert_chain(configuration.cert_file, configuration.key_file, password="")
    except (OSError, ValueError):
        raise errors.InvalidInput("%s: its CA certificates (ca_cert, or in the kubeconfig), the certificate of the client, or its "
                                  "key cannot be used. They must be in PEM form, the key without a passphrase and the "
                                  "certificate's own." % configuration.host) from None
    given = api_client.rest_client.pool_manager.connection_pool_kw
    given.update(ssl_context=context, cert_file=None, key_file=None)


def _impersonation(params):
    """The headers of impersonation as (name, value), one for each group."""
    if params.get("impersonate_user"):
        yield "Impersonate-User", params["impersonate_user"]
    for group in params.get("impersonate_groups") or []:
        yield "Impersonate-Group", group


def _spellings(name):
    """The spellings of a header's name in upper and lower case: all mean the same header."""
    return ("".join(letters) for letters in itertools.product(*((letter, letter.swapcase()) if letter.isalpha()
                                                                else (letter,) for letter in name)))


def _websocket_proxy(configuration):
    """The options by which a websocket uses the proxy that the other requests use, and none where they use
    none: left to itself it asks the environment, which older clients for the other requests do not."""
    if not configuration.proxy:
        return {"http_proxy_host": "none", "http_no_proxy": ["*"]}
    proxy = urlsplit(configuration.proxy)
    options = {"http_proxy_host": proxy.hostname, "http_proxy_port": proxy.port or 3128,
               "proxy_type": proxy.scheme if proxy.scheme.startswith("socks") else "http"}
    if configuration.no_proxy:
        options["http_no_proxy"] = [entry.strip() for entry in configuration.no_proxy.split(",") if entry.strip()]
    authorization = (configuration.proxy_headers or {}).get("proxy-authorization", "")
    if proxy.username:
        options["http_proxy_auth"] = (unquote(proxy.username), unquote(proxy.password or ""))
    elif authorization.startswith("Basic "):
        user, _colon, password = base64.b64decode(authorization[len("Basic "):]).decode("utf-8").partition(":")
        options["http_proxy_auth"] = (user, password)
    return options


# Objects.

def owned(obj):
    """Whether this collection created the object."""
    return (obj["metadata"].get("labels") or {}).get(OWNER_LABEL) == OWNER


def optimistic(decide, act, attempts=5):
    """Act on what `decide()` makes of the cluster, and decide anew where the writing meets another's change.

    Returns the decision that was carried out. A Conflict that `decide` itself raises is not tried again.
    """
    for left in reversed(range(attempts)):
        decision = decide()
        try:
            act(decision)
            return decision
        except errors.Conflict:
            if not left:
                raise


def _identity(obj):
    return obj["metadata"]["name"], obj["metadata"].get("namespace")


def _fulfils(stored, wanted, path=()):
    """Whether the stored object says everything that was wanted, None meaning absent. The version that a
    write asked for is left out: the write itself has moved it."""
    if path == ("metadata", "resourceVersion"):
        return True
    if isinstance(wanted, dict):
        return isinstance(stored, dict) and all(
            _fulfils(stored.get(name), value, path + (name,)) for name, value in wanted.items())
    return stored == wanted


# The channel protocol of exec (v4.channel.k8s.io): each message begins with the number of its stream.

STDOUT, STDERR, STATUS = 1, 2, 3


def _read_exec(socket, where, clock, timeout):
    streams = {STDOUT: [], STDERR: [], STATUS: []}
    deadline = clock.now() + timeout
    try:
        while True:
            # The status is the last message; what follows is the farewell, which need not come.
            left = 1 if streams[STATUS] else deadline - clock.now()
            if left <= 0:
                raise errors.TimedOut("%s: the command did not end in %g seconds." % (where, timeout))
            socket.settimeout(left)
            opcode, data = socket.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                break
            if data and data[0] in streams:
                streams[data[0]].append(data[1:])
    except websocket.WebSocketTimeoutException:
        if not streams[STATUS]:
            raise errors.TimedOut("%s: the command did not end in %g seconds." % (where, timeout)) from None
    except (websocket.WebSocketException, OSError):
        pass  # whether it came too early shows in the status
    if not streams[STATUS]:
        raise errors.Unreachable("%s: the connection was dropped before the command ended." % where)
    text = {number: b"".join(parts).decode("utf-8", "backslashreplace") for number, parts in streams.items()}
    return ExecResult(_exit_code(json.loads(text[STATUS]), where), text[STDOUT], text[STDERR])


def _exit_code(status, where):
    if status.get("status") == "Success":
        return 0
    for cause in (status.get("details") or {}).get("causes") or []:
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    raise errors.Error("%s: the command could not be run: %s." % (where, (status.get("message") or "").rstrip(".")))
