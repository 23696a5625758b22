# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import http.client
import socket
import ssl

import pytest

from ansible_collections.disconnected.openshift.plugins.module_utils import connections, errors, wait

PLACE = connections.Endpoint("https", "mirror.example.com", 8443)


@pytest.mark.parametrize("host,no_proxy,direct", [
    ("localhost", "", True), ("127.0.0.1", "", True), ("::1", "", True), ("mirror.example.com", "", False),
    ("mirror.example.com", "*", True), ("mirror.example.com", "example.com", True), ("mirror.example.com", ".example.com", True),
    ("mirror.example.com", "*.example.com", True), ("MIRROR.example.com", "mirror.EXAMPLE.com", True),
    ("mirror.example.com", "ample.com", False), ("mirror.example.com", "mirror.example.com:8443", True),
    ("mirror.example.com", "mirror.example.com:443", False), ("mirror.example.com", "other, example.com ,", True),
    ("10.1.2.3", "10.0.0.0/8", True), ("10.1.2.3", "10.1.2.3", True), ("10.1.2.3", "10.1.2.3:8443", True),
    ("10.1.2.3", "192.168.0.0/16", False), ("10.1.2.3", "example.com", False),
])
def test_who_is_reached_without_the_proxy(host, no_proxy, direct):
    assert connections.bypasses_proxy(host, 8443, no_proxy) is direct


def test_the_proxy_of_the_environment():
    assert connections.proxy_for(PLACE, {}) is None
    assert connections.proxy_for(PLACE, {"HTTPS_PROXY": "http://proxy:3128"}) == ("proxy", 3128, {})
    assert connections.proxy_for(PLACE, {"https_proxy": "proxy.example.com:3128"})[:2] == ("proxy.example.com", 3128)
    assert connections.proxy_for(PLACE, {"https_proxy": "http://proxy:3128", "no_proxy": "example.com"}) is None
    assert connections.proxy_for(PLACE._replace(scheme="http"), {"https_proxy": "http://proxy:3128"}) is None
    headers = connections.proxy_for(PLACE, {"HTTPS_PROXY": "http://us%40er:pass%3Aword@proxy:3128"}).headers
    assert headers == {"Proxy-Authorization": "Basic dXNAZXI6cGFzczp3b3Jk"}


@pytest.mark.parametrize("url", ["https://user:hidden@proxy:3128", "socks5://proxy", "http://"])
def test_a_proxy_that_cannot_be_used(url):
    with pytest.raises(errors.InvalidInput) as raised:
        connections.proxy_for(PLACE, {"HTTPS_PROXY": url})
    assert "hidden" not in raised.value.message


def untrusted(code):
    problem = ssl.SSLCertVerificationError(1, "certificate verify failed")
    problem.verify_code, problem.verify_message = code, "in OpenSSL's words"
    return problem


@pytest.mark.parametrize("problem,words", [
    (untrusted(10), "expired"), (untrusted(20), "that CA's certificate"), (untrusted(62), "does not cover this host name"),
    (untrusted(64), "IP address"), (untrusted(99), "in OpenSSL's words"), (untrusted(9), "clocks"),
    (socket.gaierror(socket.EAI_NONAME, "x"), "name of m:1 is unknown"), (OSError("Tunnel connection failed: 407 x"), "proxy refuses"),
])
def test_what_trying_again_does_not_mend(problem, words):
    error = connections.explain(problem, "m:1")
    assert isinstance(error, connections.Unusable) and words in error.message
    assert error.message == "%s %s" % (error.details["reason"], error.details["remedy"])


@pytest.mark.parametrize("problem,words", [
    (ConnectionRefusedError(), "connection refused"), (ConnectionResetError(), "was cut"), (socket.timeout(), "in time"),
    (http.client.BadStatusLine("x"), "was cut"), (OSError(errno.EHOSTUNREACH, "x"), "no route to host"),
    (socket.gaierror(socket.EAI_AGAIN, "x"), "cannot be reached"),
])
def test_what_may_pass(problem, words):
    transient = connections.explain(problem, "m:1")
    assert isinstance(transient, wait.Transient) and isinstance(transient.error, errors.Unreachable)
    assert words in transient.error.message and "m:1" in transient.error.message


def test_a_ca_without_key_usage_is_one_on_every_python(monkeypatch):
    """As `openssl req -x509` makes it: nodes accept it, and Python 3.13 would not by its defaults."""
    strict = ssl.create_default_context()
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    monkeypatch.setattr(ssl, "create_default_context", lambda: strict)
    context = connections.tls_context()
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname


def test_endpoints():
    assert connections.endpoint("https://a.example/v2/?x=y") == ("https", "a.example", 443)
    assert connections.display(connections.endpoint("https://a.example:443/")) == "a.example"
    assert connections.display(connections.endpoint("http://a.example:5000/")) == "a.example:5000"
    with pytest.raises(errors.InvalidInput):
        connections.endpoint("file:///etc/passwd")
