# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for loopback, and a token server that a docker-registry trusts. Needs cryptography."""
from __future__ import annotations

import base64
import datetime
import http.server
import ipaddress
import json
import threading
import time
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import NameOID


class Authority:
    """A CA that lives as long as its directory: a root, or an intermediate one below `issuer`."""

    def __init__(self, directory, name="Test CA", issuer=None):
        self.directory = directory
        self.directory.mkdir(parents=True, exist_ok=True)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.timezone.utc)
        self.certificate = (
            x509.CertificateBuilder().subject_name(self.name).issuer_name(issuer.name if issuer else self.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(issuer.key if issuer else self.key, hashes.SHA256()))
        self.path = directory / "ca.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name, names=("localhost",), addresses=("127.0.0.1",), ends_in=1):
        """(certificate path, key path, key, certificate) of a leaf that is valid until `ends_in` days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        alternatives = [x509.DNSName(n) for n in names] + [x509.IPAddress(ipaddress.ip_address(a)) for a in addresses]
        certificate = (
            x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self.name).public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=10)).not_valid_after(now + datetime.timedelta(days=ends_in))
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256()))
        certificate_path, key_path = self.directory / (name + ".pem"), self.directory / (name + ".key")
        certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                               serialization.NoEncryption()))
        return certificate_path, key_path, key, certificate


class TokenServer:
    """Gives Bearer tokens to the users it knows; `requests` is what was asked, [(user, [scope])].

    lifetime -- of a token, in seconds; announced -- what its clients are told of it, if that is not the truth
    max_scopes -- more in one request are refused
    push_only -- who does not ask to push gets a token for nothing, as Quay's for a repository that does not exist yet
    actions -- the only ones that it knows: a request for others is refused
    """

    def __init__(self, directory, users, lifetime=300, announced=None, max_scopes=2, push_only=False,
                 actions=("pull", "push", "delete")):
        authority = Authority(directory)
        _certificate, _key_path, self._key, self._certificate = authority.issue("signer")
        self.users = users
        self.lifetime = lifetime
        self.announced = announced
        self.max_scopes = max_scopes
        self.push_only = push_only
        self.actions = actions
        self.requests = []
        tokens = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                query = urllib.parse.urlsplit(self.path).query
                status, document = tokens.answer(self.headers.get("Authorization"), query)
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments):
                """Nothing: `requests` is the log."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        realm = "http://localhost:%d/token" % self._server.server_address[1]
        self.settings = {"realm": realm, "service": "test", "issuer": "test-issuer", "rootcertbundle": authority.path}

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_failure):
        self._server.shutdown()
        self._server.server_close()

    def answer(self, authorization, query):
        scopes = urllib.parse.parse_qs(query).get("scope", [])
        user, _colon, password = base64.b64decode((authorization or "Basic ")[6:]).decode().partition(":")
        self.requests.append((user, scopes))
        if self.users.get(user) != password:
            return 401, {"errors": [{"code": "UNAUTHORIZED"}]}
        if len(scopes) > self.max_scopes:
            return 400, {"errors": [{"code": "TOO_MANY_SCOPES"}]}
        if {action for scope in scopes for action in scope.rpartition(":")[2].split(",")} - set(self.actions):
            return 400, {"errors": [{"code": "INVALID_REQUEST"}]}
        lifetime = self.announced if self.announced is not None else self.lifetime
        return 200, {"token": self.token(user, scopes), "expires_in": lifetime}

    def token(self, user, scopes):
        now = int(time.time())
        header = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(
            self._certificate.public_bytes(serialization.Encoding.DER)).decode()]}
        access = [dict(zip(("type", "name", "actions"), scope.split(":"))) for scope in scopes
                  if not self.push_only or "push" in scope]
        claims = {
            "iss": "test-issuer", "sub": user, "aud": "test", "iat": now, "nbf": now - 5, "exp": now + self.lifetime,
            "jti": "%f" % time.time(), "access": [dict(entry, actions=entry["actions"].split(",")) for entry in access],
        }
        signed = b".".join(encode(json.dumps(part).encode()) for part in (header, claims))
        r, s = utils.decode_dss_signature(self._key.sign(signed, ec.ECDSA(hashes.SHA256())))
        return b".".join((signed, encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")))).decode()


def encode(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
