# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import email.message
import json
import urllib.parse

import pytest

from ansible_collections.disconnected.openshift.plugins.module_utils import errors, registry_auth

BEARER = 'Bearer realm="https://auth.example.com/token?a=b",service="registry.example.com",scope="x"'
PULL = ("repository:a/b:pull",)


def headers(*challenges):
    message = email.message.Message()
    for challenge in challenges:
        message["WWW-Authenticate"] = challenge
    return message


class Clock:
    time = 1000.0

    def now(self):
        return self.time


class Server:
    """Answers fetches with tokens that count up."""

    def __init__(self, status=200, expires_in=300, **document):
        self.status, self.urls, self.headers = status, [], []
        self.document = dict({"expires_in": expires_in}, **document)

    def fetch(self, url, sent):
        self.urls.append(url)
        self.headers.append(sent)
        return self.status, json.dumps(dict({"token": "t%d" % len(self.urls)}, **self.document)).encode()


def authentication(server, clock=None, plain=False):
    return registry_auth.Authentication("registry.example.com", server.fetch, clock or Clock(), plain)


@pytest.mark.parametrize("text,scheme,parameters", [
    ('Basic realm="a, b"', "basic", {"realm": "a, b"}),
    (BEARER, "bearer", {"realm": "https://auth.example.com/token?a=b", "service": "registry.example.com", "scope": "x"}),
    ('BEARER Realm=plain , service="say \\"hi\\""', "bearer", {"realm": "plain", "service": 'say "hi"'}),
    ("Negotiate", "negotiate", {}),
])
def test_challenges(text, scheme, parameters):
    assert registry_auth.challenges([text]) == [(scheme, parameters)]


@pytest.mark.parametrize("header", [
    'Bearer realm="https://t/token",service="s", Basic realm="Registry, Basic realm=x"',
    'Bearer realm="https://t/token", service = "s",Basic  realm = "Registry, Basic realm=x"',
])
def test_several_challenges_in_one_header(header):
    """As proxies write it."""
    assert registry_auth.challenges([header]) == [("bearer", {"realm": "https://t/token", "service": "s"}),
                                                  ("basic", {"realm": "Registry, Basic realm=x"})]


def test_nothing_is_sent_before_a_challenge():
    assert authentication(Server()).header(("user", "secret"), PULL) is None


def test_basic():
    it = authentication(Server())
    it.learn(headers("Negotiate", 'Basic realm="r"'), None)
    assert it.header(("user", "pass:word"), PULL) == "Basic dXNlcjpwYXNzOndvcmQ="
    assert it.header(None, PULL) is None


def test_tokens_are_kept_for_each_scope_and_user():
    server = Server()
    it = authentication(server)
    it.learn(headers(BEARER), None)
    assert [it.header(None, PULL) for _n in range(3)] == ["Bearer t1"] * 3
    assert it.header(None, PULL + ("repository:c:pull",)) == "Bearer t2"
    assert it.header(("user", "secret"), PULL) == "Bearer t3"
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(server.urls[1]).query)
    assert query == {"a": ["b"], "service": ["registry.example.com"], "scope": ["repository:a/b:pull", "repository:c:pull"]}
    assert server.headers == [{}, {}, {"Authorization": "Basic dXNlcjpzZWNyZXQ="}]


@pytest.mark.parametrize("lifetime,kept", [(300, 280), (60, 40), (10, 4), (None, 40)])
def test_tokens_are_renewed_before_they_expire(lifetime, kept):
    clock, server = Clock(), Server(expires_in=lifetime)
    it = authentication(server, clock)
    it.learn(headers(BEARER), None)
    it.header(None, PULL)
    clock.time += kept
    assert it.header(None, PULL) == "Bearer t1"
    clock.time += 20
    assert it.header(None, PULL) == "Bearer t2"


def test_a_refused_token_is_forgotten():
    it = authentication(Server())
    it.learn(headers(BEARER), None)
    refused = it.header(None, PULL)
    it.learn(headers(BEARER), refused)
    assert it.header(None, PULL) != refused


def test_access_token_is_another_word_for_it():
    it = authentication(Server(token="", access_token="other"))
    it.learn(headers(BEARER), None)
    assert it.header(None, PULL) == "Bearer other"


@pytest.mark.parametrize("server,kind,words", [
    (Server(401), errors.Unauthorized, "does not accept the credentials for repository:a/b:pull"),
    (Server(404), errors.Unreachable, "answers 404 without a token"),
    (Server(200, token=""), errors.Unreachable, "without a token"),
    (Server(200, token=["x"]), errors.Unreachable, "without a token"),
    (Server(200, expires_in="soon"), errors.Unreachable, "without a token"),
])
def test_what_token_servers_do_wrong(server, kind, words):
    it = authentication(server)
    it.learn(headers(BEARER), None)
    with pytest.raises(kind) as raised:
        it.header(("user", "secret"), PULL)
    assert words in raised.value.message and "auth.example.com" in raised.value.message
    assert "secret" not in raised.value.message


def test_credentials_do_not_go_out_in_the_clear():
    server = Server()
    it = authentication(server)
    it.learn(headers('Bearer realm="http://auth.example.com/token"'), None)
    with pytest.raises(errors.Unauthorized, match="without TLS"):
        it.header(("user", "secret"), PULL)
    assert server.urls == []
