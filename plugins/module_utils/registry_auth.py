# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a registry wants to be told who asks: nothing, Basic, or a Bearer token for each scope.

The way is learnt from the registry's own 401 answers. Tokens are kept until shortly before they expire.
"""
from __future__ import annotations

import base64
import json
import re
import threading
import urllib.parse
from collections import defaultdict, namedtuple

from . import errors
from .connections import failure
from .registry_answers import login_remedy

Challenge = namedtuple("Challenge", "scheme parameters")
Token = namedtuple("Token", "text renew_at")

# Seconds that a token lives when its server does not say (the token specification's default), and how long before its
# end it is renewed, so that it does not expire between the start and the end of one upload.
DEFAULT_LIFETIME = 60
MARGIN = 15

QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
NEXT_CHALLENGE = re.compile(r",\s*(?=[A-Za-z][A-Za-z-]*\s+[A-Za-z_]+\s*=)")
PARAMETER = re.compile(r'([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


def challenges(values):
    """The Challenges in a 401 answer's WWW-Authenticate headers, schemes in lower case.

    >>> challenges(['Bearer realm="https://auth.example.com/token",service="registry"'])
    [Challenge(scheme='bearer', parameters={'realm': 'https://auth.example.com/token', 'service': 'registry'})]
    """
    found = []
    for value in [part for folded in values for part in _unfolded(folded)]:
        scheme, _space, rest = value.strip().partition(" ")
        parameters = {name.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain
                      for name, quoted, plain in PARAMETER.findall(rest)}
        found.append(Challenge(scheme.lower(), parameters))
    return found


def _unfolded(header):
    """The challenges in one header, which proxies make of several."""
    bare = QUOTED.sub(lambda quoted: '"' * len(quoted[0]), header)
    begins = [0, *(comma.end() for comma in NEXT_CHALLENGE.finditer(bare))]
    return [header[begin:end] for begin, end in zip(begins, [*begins[1:], len(header)])]


def basic(credentials):
    """The Authorization header for a (user, password) pair."""
    return "Basic " + base64.b64encode(":".join(credentials).encode("utf-8", "surrogateescape")).decode("ascii")


def token_url(challenge, scopes):
    """Where to ask for a token that covers `scopes` (such as "repository:ocp/release:pull")."""
    query = [("service", challenge.parameters["service"])] if challenge.parameters.get("service") else []
    query += [("scope", scope) for scope in scopes]
    realm = challenge.parameters["realm"]
    return realm + ("&" if "?" in realm else "?") + urllib.parse.urlencode(query)


def parse_token(body, now):
    """The Token in a token server's answer (JSON bytes), or None if there is none."""
    try:
        document = json.loads(body.decode("utf-8"))
        text = document.get("token") or document.get("access_token")
        lifetime = float(document.get("expires_in") or DEFAULT_LIFETIME)
    except (ValueError, TypeError, AttributeError):
        return None
    if not text or not isinstance(text, str):
        return None
    return Token(text, now + max(lifetime - MARGIN, lifetime / 2))


class Authentication:
    """Answers one registry's challenges. Safe for several threads.

    fetch -- fetch(url, headers) -> (status, body): one GET; raises wait.Transient or errors.Error
    name -- the registry's host[:port], for messages; plain -- whether it is one that is spoken to by plain http
    """

    def __init__(self, name, fetch, clock, plain=False):
        self._name = name
        self._fetch = fetch
        self._clock = clock
        self._plain = plain
        self._challenge = None
        self._tokens = {}
        self._locks = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    def header(self, credentials, scopes):
        """The Authorization header to send, or None: no challenge was met, or there is nothing to answer it with."""
        challenge = self._challenge
        if challenge is None:
            return None
        if challenge.scheme == "basic":
            return basic(credentials) if credentials else None
        return "Bearer " + self._token(challenge, credentials, scopes)

    def learn(self, headers, refused):
        """Take in a 401 answer's headers; `refused` is the Authorization header that it did not accept, or None."""
        for challenge in challenges(headers.get_all("WWW-Authenticate", [])):
            if challenge.scheme == "basic" or (challenge.scheme == "bearer" and challenge.parameters.get("realm")):
                self._challenge = challenge
                break
        if refused and refused.startswith("Bearer "):
            with self._lock:
                self._tokens = {key: token for key, token in self._tokens.items() if "Bearer " + token.text != refused}

    def _token(self, challenge, credentials, scopes):
        key = (credentials, scopes)
        with self._lock:
            lock = self._locks[key]
        with lock:  # one thread fetches a scope's token, the others wait for it
            token = self._tokens.get(key)
            if token is None or self._clock.now() >= token.renew_at:
                token = self._fetch_token(challenge, credentials, scopes)
                with self._lock:
                    self._tokens[key] = token
            return token.text

    def _fetch_token(self, challenge, credentials, scopes):
        url = token_url(challenge, scopes)
        server = urllib.parse.urlsplit(url).netloc.rpartition("@")[2]
        if not url.startswith("https://") and not self._plain:
            raise failure(errors.Unauthorized,
                          "%s sends its clients to a token server without TLS (%s); credentials do not go there."
                          % (self._name, server), "Correct the registry's token realm.", registry=self._name)
        status, body = self._fetch(url, {"Authorization": basic(credentials)} if credentials else {})
        token = parse_token(body, self._clock.now()) if status == 200 else None
        if token is not None:
            return token
        if status in (400, 401, 403):
            raise failure(errors.Unauthorized, "The token server %s of %s does not accept %s for %s."
                          % (server, self._name, "the credentials" if credentials else "a request without credentials",
                             " and ".join(scopes) or "a login"),
                          login_remedy(self._name, credentials), registry=self._name, status=status)
        raise errors.Unreachable("The token server %s of %s answers %d without a token."
                                 % (server, self._name, status), registry=self._name, status=status)
