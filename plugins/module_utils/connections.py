# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP over kept-alive connections: TLS that is always verified, proxies, and failures told apart.

A failure that may pass (refused, reset, timed out) is raised as wait.Transient, one that will not (an untrusted
certificate, an unknown name) as Unusable. No message holds a URL's query, a header or a body.
"""
from __future__ import annotations

import base64
import contextlib
import functools
import http.client
import ipaddress
import os
import socket
import ssl
import threading
import urllib.parse
from collections import Counter, defaultdict, namedtuple

from . import errors, wait

Endpoint = namedtuple("Endpoint", "scheme host port")
Proxy = namedtuple("Proxy", "host port headers")

DEFAULT_PORTS = {"http": 80, "https": 443}
CONNECT_TIMEOUT = 15  # seconds
PARTIAL_CHAIN = 0x80000  # of OpenSSL (x509_vfy.h); the ssl module knows it by name from Python 3.10 on
FAILURES = (OSError, http.client.HTTPException)
# Verification results of OpenSSL (x509_vfy.h) and what to do about each.
TLS_REMEDIES = {
    7: "It was not signed with the key of the CA whose name it bears. Give the present certificate of that CA as a CA file.",
    9: "Its certificate is not valid yet. Check the clocks of this host and of the registry.",
    10: "A certificate of its chain has expired. Renew it, and check this host's clock.",
    18: "Its certificate is self-signed, and not among the given CAs. Give that certificate, or its CA, as a CA file.",
    19: "Its chain ends in a CA that is not trusted. Give the certificate of that CA as a CA file.",
    20: "The CA that issued its certificate is not trusted. Give that CA's certificate as a CA file, and have the "
        "registry send its intermediate certificates.",
    21: "It sends only its own certificate, and the issuer is not trusted. Give the issuing CA's certificate as a CA "
        "file, and have the registry send its intermediate certificates.",
    62: "Its certificate does not cover this host name. Issue one that names it in subjectAltName, or use a name that "
        "the certificate covers.",
    64: "Its certificate does not cover this IP address. Use a name that the certificate covers.",
}


class Unusable(errors.Unreachable):
    """No connection, and none by trying again: certificate, name, address or proxy are wrong."""


def endpoint(url):
    """Endpoint of an absolute http or https URL, the port always a number."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise errors.InvalidInput("An address that is not http or https was given by a registry: %s" % parts.scheme)
    return Endpoint(parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS[parts.scheme])


def display(place):
    """`host` or `host:port` of an Endpoint, as people write it."""
    return place.host if place.port == DEFAULT_PORTS[place.scheme] else "%s:%d" % (place.host, place.port)


def tls_context(ca_files=(), ca_content=""):
    """The system's roots plus `ca_files` (paths of PEM files) and `ca_content` (PEM text).

    Raises InvalidInput naming what cannot be used.
    """
    return _trusting(ssl.create_default_context(), ca_files, ca_content)


def trust_alone(ca_files=(), ca_content=""):
    """As tls_context, without the system's roots, and for any host name; `ca_content` may be a certificate in DER."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    return _trusting(context, ca_files, ca_content)


def _trusting(context, ca_files, ca_content):
    # Python 3.13 turns on RFC 5280's finer points, by which the CA that mirror registry makes for itself is none, having
    # no key usage. Neither the nodes nor skopeo and oc ask for these; chain, names and dates are verified as before.
    # Like these, and like Python 3.13, every release trusts whatever certificate is given, an intermediate CA's too.
    context.verify_flags = context.verify_flags & ~ssl.VERIFY_X509_STRICT | PARTIAL_CHAIN
    if ca_content:
        if isinstance(ca_content, str):  # what is not ASCII stands between certificates: a byte-order mark, a CA's own name
            ca_content = ca_content.encode("ascii", "ignore").decode("ascii")
        try:
            context.load_verify_locations(cadata=ca_content)
        except (ssl.SSLError, ValueError):
            raise errors.InvalidInput("The given CA content is no PEM certificate (-----BEGIN CERTIFICATE-----).")
    for path in ca_files:
        try:
            context.load_verify_locations(cafile=path)
        except FileNotFoundError:
            raise errors.InvalidInput("The CA file %s does not exist." % path)
        except PermissionError:
            raise errors.InvalidInput("The CA file %s cannot be read by this user." % path)
        except (OSError, ValueError):
            raise errors.InvalidInput("The CA file %s holds no PEM certificate (-----BEGIN CERTIFICATE-----)." % path)
    return context


def bypasses_proxy(host, port, no_proxy):
    """True if `host` is to be reached directly: loopback, or covered by `no_proxy` as curl and Go read it.

    no_proxy is a comma-separated list of `*`, names (which cover their subdomains, with or without a leading dot),
    names with a port, IP addresses and networks in CIDR form.
    """
    address = ip_address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    return any(no_proxy_entry_covers(entry.strip().lower(), host.lower(), port, address)
               for entry in no_proxy.split(",") if entry.strip())


def no_proxy_entry_covers(entry, host, port, address):
    if entry == "*":
        return True
    if address is not None:
        try:
            return address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return entry == "%s:%d" % (host, port)
    name, _colon, wanted_port = entry.partition(":")
    if wanted_port and wanted_port != str(port):
        return False
    name = name.lstrip("*").lstrip(".")
    return host == name or host.endswith("." + name)


def ip_address(text):
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def proxy_for(place, environ):
    """The Proxy that HTTPS_PROXY and NO_PROXY (or their lower-case forms) prescribe for an Endpoint, or None.

    Plain http is for registries on this very host, and never goes through a proxy.
    """
    url = environ.get("HTTPS_PROXY") or environ.get("https_proxy") or ""
    no_proxy = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    if not url or place.scheme == "http" or bypasses_proxy(place.host, place.port, no_proxy):
        return None
    parts = urllib.parse.urlsplit(url if "//" in url else "http://" + url)
    if parts.scheme != "http" or not parts.hostname:
        raise errors.InvalidInput("HTTPS_PROXY must be an http:// address; a proxy reached by %s is not supported."
                                  % (parts.scheme or "no scheme"))
    headers = {}
    if parts.username:
        pair = "%s:%s" % (urllib.parse.unquote(parts.username), urllib.parse.unquote(parts.password or ""))
        headers["Proxy-Authorization"] = "Basic " + base64.b64encode(pair.encode("utf-8")).decode("ascii")
    return Proxy(parts.hostname, parts.port or 80, headers)


def explain(problem, name):
    """The exception to raise for an OSError or HTTPException met while talking to `name` (host[:port])."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        remedy = TLS_REMEDIES.get(problem.verify_code, "OpenSSL says: %s." % problem.verify_message)
        return unusable(name, "The TLS certificate of %s is not accepted." % name, remedy)
    if isinstance(problem, ssl.SSLError) and problem.reason == "WRONG_VERSION_NUMBER":
        return unusable(name, "%s does not speak TLS on this port." % name,
                        "Check the port; registries are reached by https only.")
    if isinstance(problem, socket.gaierror) and problem.errno != socket.EAI_AGAIN:
        return unusable(name, "The name of %s is unknown." % name, "Check its spelling and this host's DNS.")
    if str(problem).startswith("Tunnel connection failed"):  # http.client's only word for a proxy's refusal
        return unusable(name, "The proxy refuses to connect to %s." % name,
                        "Check HTTPS_PROXY, its credentials and NO_PROXY.")
    return wait.Transient(failure(errors.Unreachable, "%s cannot be reached: %s." % (name, cause(problem)),
                                  "Check host and port, the network between, and HTTPS_PROXY.", registry=name))


def unusable(name, reason, remedy):
    return failure(Unusable, reason, remedy, registry=name)


def failure(kind, reason, remedy, **details):
    """An error of a kind, with its two sentences also told apart for those who list them."""
    return kind("%s %s" % (reason, remedy), reason=reason, remedy=remedy, **details)


def cause(problem):
    """In a few words, what kind of failure it was; nothing of what was being sent or received."""
    if isinstance(problem, (socket.timeout, TimeoutError)):
        return "it did not answer in time"
    if isinstance(problem, ConnectionRefusedError):
        return "connection refused"
    if isinstance(problem, (ConnectionError, http.client.HTTPException, ssl.SSLError)):
        return "the connection was cut"
    return (os.strerror(problem.errno) if problem.errno else "no connection").lower()


def no_matter():
    """Nobody waits for a turn."""


class Turns:
    """Lets at most `count` threads in at a time. A thread that is in may go in again."""

    def __init__(self, count):
        self._count = count
        self._inside = Counter()
        self._condition = threading.Condition()

    def enter(self):
        """Wait for a turn; returns what `leave` wants."""
        me = threading.get_ident()
        with self._condition:
            while me not in self._inside and len(self._inside) >= self._count:
                self._condition.wait()
            self._inside[me] += 1
        return me

    def leave(self, who):
        with self._condition:
            self._inside[who] -= 1
            if not self._inside[who]:
                del self._inside[who]
                self._condition.notify()

    @contextlib.contextmanager
    def turn(self):
        who = self.enter()
        try:
            yield
        finally:
            self.leave(who)


class Response:
    """An answer. Its connection goes back to the pool once the body is read; closing it early drops the connection.

    ended -- called without arguments, once, when the connection is let go of
    """

    def __init__(self, pool, place, connection, raw, ended):
        self.status = raw.status
        self.headers = raw.headers
        self.place = place
        self._pool = pool
        self._connection = connection
        self._raw = raw
        self._ended = ended

    def read(self, amount):
        """At most `amount` bytes of the body; b"" at its end. A connection cut short raises Transient."""
        try:
            data = self._raw.read(amount)
        except FAILURES as problem:
            self.close()
            raise explain(problem, display(self.place))
        if not data or self._raw.isclosed():
            self._release()
        return data

    def drain(self, limit=65536):
        """The body, or its first `limit` bytes, or what comes of it. For answers whose body is only an explanation."""
        data = b""
        try:
            while self._connection and len(data) < limit:
                data += self.read(limit - len(data))
        except wait.Transient:
            pass
        self.close()
        return data

    def close(self):
        self._raw.close()
        if self._connection:
            self._connection.close()
            self._connection = None
            self._ended()

    def _release(self):
        if self._connection:
            self._pool.put_back(self.place, self._connection)
            self._connection = None
            self._ended()


class Connections:
    """Kept-alive connections to any number of hosts, for any number of threads: never more than callers at a time."""

    def __init__(self, context, environ=None, timeout=60):
        self._context = context
        self._environ = os.environ if environ is None else environ
        self._timeout = timeout
        self._idle = defaultdict(list)
        self._lock = threading.Lock()

    def request(self, method, place, target, headers, body=None, timeout=None, turns=None):
        """Send one request and return its Response.

        target -- path and query; headers -- dict; body -- None, bytes, or an iterable of bytes (Content-Length is then
        among the headers); timeout -- seconds to wait for the answer once the body is sent; turns -- Turns of which the
        request needs one until its answer is read, or None.
        """
        if turns is None:
            return self._request(method, place, target, headers, body, timeout, no_matter)
        ended = functools.partial(turns.leave, turns.enter())
        try:
            return self._request(method, place, target, headers, body, timeout, ended)
        except BaseException:
            ended()
            raise

    def _request(self, method, place, target, headers, body, timeout, ended):
        while True:
            connection, kept = self._take(place)
            try:
                return self._exchange(connection, method, place, target, headers, body, timeout, ended)
            except FAILURES as problem:
                connection.close()
                # A server may close a kept connection at any time: no failure, as long as the body can be sent again.
                if kept and isinstance(problem, ConnectionError) and (body is None or isinstance(body, bytes)):
                    continue
                raise explain(problem, display(place))
            except BaseException:
                connection.close()
                raise

    def certificate(self, place, binary=False):
        """The certificate that an Endpoint shows: in DER, or decoded, which takes one that is verified. Sends nothing.

        Raises what the connecting raises, for explain() to explain.
        """
        connection = self._open(place)
        try:
            connection.connect()
            return connection.sock.getpeercert(binary)
        finally:
            connection.close()

    def put_back(self, place, connection):
        with self._lock:
            self._idle[place].append(connection)

    def close(self):
        with self._lock:
            idle, self._idle = self._idle, defaultdict(list)
        for connections in idle.values():
            for connection in connections:
                connection.close()

    def _take(self, place):
        with self._lock:
            if self._idle[place]:
                return self._idle[place].pop(), True
        return self._open(place), False

    def _open(self, place):
        if place.scheme == "http":
            return http.client.HTTPConnection(place.host, place.port, timeout=CONNECT_TIMEOUT)
        proxy = proxy_for(place, self._environ)
        if proxy is None:
            return http.client.HTTPSConnection(place.host, place.port, timeout=CONNECT_TIMEOUT, context=self._context)
        connection = http.client.HTTPSConnection(proxy.host, proxy.port, timeout=CONNECT_TIMEOUT, context=self._context)
        connection.set_tunnel(place.host, place.port, headers=proxy.headers)
        return connection

    def _exchange(self, connection, method, place, target, headers, body, timeout, ended):
        if connection.sock is None:
            connection.connect()
            connection.sock.settimeout(self._timeout)
        connection.putrequest(method, target)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body is None or isinstance(body, bytes):
            if method not in ("GET", "HEAD", "DELETE"):
                connection.putheader("Content-Length", str(len(body or b"")))
            connection.endheaders(body)
        else:
            connection.endheaders()
            self._stream(connection, body)
        connection.sock.settimeout(timeout or self._timeout)
        raw = connection.getresponse()
        if connection.sock is not None:  # http.client has let go of it already when the server means to close
            connection.sock.settimeout(self._timeout)
        return Response(self, place, connection, raw, ended)

    @staticmethod
    def _stream(connection, body):
        for chunk in body:
            try:
                connection.send(chunk)
            except ConnectionError:
                # A server that refuses early may answer and stop reading; its answer says more than the broken pipe.
                return
