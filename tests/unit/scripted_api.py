# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTPS server on loopback that answers what a test tells it to, and writes down what it was asked.

For what a real API does only on a bad day: 429 with Retry-After, a connection that drops, half a list, a command that
never ends. It knows nothing of Kubernetes but the frames of exec.
"""
from __future__ import annotations

import base64
import datetime
import hashlib
import http.client
import http.server
import ipaddress
import json
import select
import socket
import socketserver
import ssl
import struct
import threading
import time
from urllib.parse import parse_qsl, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def certificate(name, issuer=None, ca=True, days=(-1, 1), names=(), basic_constraints=True, key_usage=None):
    """(certificate, key) for CN=`name`, signed by `issuer`, a pair like this one, or by itself; valid from and to
    `days` from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = (x509.CertificateBuilder().subject_name(subject)
               .issuer_name(issuer[0].subject if issuer else subject)
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(now + datetime.timedelta(days=days[0]))
               .not_valid_after(now + datetime.timedelta(days=days[1])))
    if basic_constraints:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if key_usage is not None:
        builder = builder.add_extension(x509.KeyUsage(**{
            word: word in key_usage for word in (
                "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")}), critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


def pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM)


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


class Proxy(socketserver.ThreadingTCPServer):
    """An HTTP proxy that knows CONNECT alone. `connected` lists (host:port, Proxy-Authorization or None)."""

    daemon_threads = True

    def __init__(self):
        self.connected = []
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.address = "127.0.0.1:%d" % self.server_address[1]
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


class _Tunnel(socketserver.StreamRequestHandler):
    def handle(self):
        target = self.rfile.readline().decode("ascii").split(" ")[1]
        headers = http.client.parse_headers(self.rfile)
        self.server.connected.append((target, headers["Proxy-Authorization"]))
        host, _colon, port = target.rpartition(":")
        with socket.create_connection((host, int(port))) as upstream:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            ends = {self.connection: upstream, upstream: self.connection}
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    ends[end].sendall(data)


class Drop:
    """An answer: none, the connection is closed."""


class Answer:
    """An answer of a status, a body (a document, or text) and headers."""

    def __init__(self, status, body=None, **headers):
        self.status = status
        self.body = body if isinstance(body, str) else json.dumps(body if body is not None else {})
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Exec:
    """An answer to exec: (channel, bytes) messages, then the end; `pause` seconds before each message."""

    def __init__(self, *messages, pause=0, close=True):
        self.messages = messages
        self.pause = pause
        self.close = close


def refusal(status, message="", **details):
    """What the API says instead of a success."""
    return Answer(status, dict({"kind": "Status", "status": "Failure", "code": status, "message": message}, **details))


class ScriptedApi:
    """`answer(method, path, first, second, ...)`: the last answer is for all the requests that follow."""

    def __init__(self, directory):
        authority = certificate("test CA")
        pair = certificate("127.0.0.1", authority, ca=False,
                           names=[x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        self.ca = directory / "ca.crt"
        self.ca.write_bytes(pem(authority[0]))
        chain = directory / "server.pem"
        chain.write_bytes(pem(pair[0]) + key_pem(pair[1]))
        self.requests = []  # (method, path, query as pairs, headers, body as text)
        self._answers = {}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"api": self}))
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True,
                                                  do_handshake_on_connect=False)
        self.url = "https://127.0.0.1:%d" % self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method, path, *answers):
        self._answers[method, path] = list(answers)

    def serves(self, api_version, **plurals):
        """Answer discovery: serves("v1", secrets="Secret"); a kind whose name ends in * is not namespaced."""
        self.answer("GET", "/%s/%s" % ("apis" if "/" in api_version else "api", api_version), Answer(200, {
            "resources": [{"name": plural, "kind": kind.rstrip("*"), "namespaced": not kind.endswith("*")}
                          for plural, kind in plurals.items()]}))

    def next_answer(self, method, path):
        answers = self._answers.get((method, path), [refusal(404, "the server could not find the requested resource")])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def asked(self, method=None):
        """The (method, path) pairs asked so far, without discovery."""
        return [(request[0], request[1]) for request in self.requests
                if method in (None, request[0]) and not request[1].count("/") < 4]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    api = None

    def log_message(self, *arguments):
        """Say nothing."""

    def handle(self):
        try:
            super().handle()
        except (ssl.SSLError, ConnectionError):
            pass  # the client hung up, as a test wanted

    def _respond(self):
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8")
        self.api.requests.append((self.command, parts.path, parse_qsl(parts.query), self.headers, body))
        answer = self.api.next_answer(self.command, parts.path)
        if isinstance(answer, Exec):
            self._stream(answer)
        elif answer is Drop:
            self.close_connection = True
        else:
            data = answer.body.encode("utf-8")
            self.send_response(answer.status)
            for name, value in dict({"Content-Type": "application/json"}, **answer.headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _respond

    def _stream(self, answer):
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.send_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io")
        self.end_headers()
        for channel, data in answer.messages:
            time.sleep(answer.pause)
            self._frame(2, bytes([channel]) + data)
        if answer.close:
            self._frame(8, struct.pack(">H", 1000))
        self.close_connection = True

    def _frame(self, opcode, payload):
        self.wfile.write(bytes([0x80 | opcode, 127]) + struct.pack(">Q", len(payload)) + payload)
