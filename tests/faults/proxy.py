# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reverse proxy before a registry: it passes everything on, notes every request, and can misbehave.

    with Proxy(registry.port) as proxy:
        proxy.inject(status(503), path="/manifests/", times=2)

A fault is a function fault(exchange) that answers in the registry's place, or spoils its answer.
"""
from __future__ import annotations

import http.client
import http.server
import json
import re
import socket
import socketserver
import struct
import threading
import time
from collections import namedtuple

Request = namedtuple("Request", "method path authorization")
BUFFER = 256 * 1024


class Rule:
    def __init__(self, fault, method, path, times, after):
        self.fault = fault
        self._method = method
        self._path = re.compile(path)
        self._times = times
        self._after = after

    def applies(self, method, path):
        """True if this request is to be spoiled; counts down."""
        if not (re.fullmatch(self._method, method) and self._path.search(path)) or self._times <= 0:
            return False
        if self._after > 0:
            self._after -= 1
            return False
        self._times -= 1
        return True


class Proxy:
    """Listens on a free port of loopback; `requests` is what came, `most` how many of them there were at a time.

    tls -- an ssl.SSLContext, or None; delay -- seconds before each request is passed on
    """

    def __init__(self, upstream_port, tls=None, delay=0):
        self.upstream_port = upstream_port
        self.delay = delay
        self.requests = []
        self.most = 0
        self._now = 0
        self._rules = []
        self._lock = threading.Lock()
        proxy = self

        class Handler(Exchange):
            server_proxy = proxy

        self._server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.host = "localhost:%d" % self.port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_failure):
        self._server.shutdown()
        self._server.server_close()

    def inject(self, fault, method="[A-Z]+", path="", times=10 ** 9, after=0):
        """Apply `fault` to the next `times` requests that match, once `after` such have passed."""
        with self._lock:
            self._rules.append(Rule(fault, method, path, times, after))

    def heal(self):
        with self._lock:
            self._rules.clear()

    def fault_for(self, method, path):
        with self._lock:
            return next((rule.fault for rule in self._rules if rule.applies(method, path)), None)

    def begin(self, request):
        """Note a request before it is answered: a client that has its answer finds it counted."""
        with self._lock:
            self.requests.append(request)
            self._now += 1
            self.most = max(self.most, self._now)

    def end(self):
        with self._lock:
            self._now -= 1

    def forget(self):
        with self._lock:
            self.requests.clear()
            self.most = self._now

    def count(self, method="[A-Z]+", path=""):
        """How many requests came that match."""
        with self._lock:
            return sum(1 for r in self.requests if re.fullmatch(method, r.method) and re.search(path, r.path))


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """Clients that go away and connections that are cut on purpose are this server's daily work."""


class Exchange(http.server.BaseHTTPRequestHandler):
    """One client connection: requests come, answers go."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_proxy = None

    def setup(self):
        super().setup()
        self.upstream = None

    def finish(self):
        if self.upstream is not None:
            self.upstream.close()
        super().finish()

    def handle_any(self):
        proxy = self.server_proxy
        proxy.begin(Request(self.command, self.path, self.headers.get("Authorization")))
        try:
            if proxy.delay:
                time.sleep(proxy.delay)
            (proxy.fault_for(self.command, self.path) or Exchange.forward)(self)
        finally:
            proxy.end()

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = handle_any

    def log_message(self, *_arguments):
        """Nothing: `requests` is the log."""

    def body(self):
        """The request's body in pieces."""
        if not self.chunked:
            yield from self.read(int(self.headers.get("Content-Length") or 0))
            return
        size = int(self.rfile.readline().partition(b";")[0], 16)
        while size:
            yield from self.read(size)
            self.rfile.readline()
            size = int(self.rfile.readline().partition(b";")[0], 16)
        self.rfile.readline()

    @property
    def chunked(self):
        """Whether the request's body comes without its size being told before."""
        return self.headers.get("Transfer-Encoding", "").lower() == "chunked"

    def read(self, left):
        while left:
            piece = self.rfile.read(min(left, BUFFER))
            if not piece:
                raise ConnectionError("the client went away")
            left -= len(piece)
            yield piece

    def ask(self):
        """The registry's HTTPResponse to this request."""
        if self.upstream is None:
            self.upstream = http.client.HTTPConnection("127.0.0.1", self.server_proxy.upstream_port, timeout=60)
        self.upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            self.upstream.putheader(name, value)
        self.upstream.endheaders()
        for piece in self.body():
            self.upstream.send(b"%x\r\n%s\r\n" % (len(piece), piece) if self.chunked else piece)
        if self.chunked:
            self.upstream.send(b"0\r\n\r\n")
        return self.upstream.getresponse()

    def forward(self, change=lambda piece, sent: piece, headers=()):
        """Pass the request on and the answer back; `change(piece, bytes sent before)` may spoil the answer's body."""
        try:
            response = self.ask()
        except OSError:
            self.cut()
            return
        own = ("connection", "date")
        self.start(response.status, [(n, v) for n, v in response.getheaders() if n.lower() not in own], headers)
        sent = 0
        while self.command != "HEAD":
            piece = response.read(BUFFER)
            if not piece:
                break
            self.wfile.write(change(piece, sent))
            sent += len(piece)
        response.read()

    def start(self, status, headers, more=()):
        self.send_response_only(status)
        for name, value in (*headers, *more):
            self.send_header(name, value)
        self.end_headers()

    def answer(self, status, body=b"", headers=()):
        """An answer of the proxy's own, once the request's body is taken in."""
        for _piece in self.body():
            pass
        self.start(status, [("Content-Length", str(len(body))), ("Content-Type", "application/json"), *headers])
        if self.command != "HEAD":
            self.wfile.write(body)

    def cut(self):
        """Reset the client's connection."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def status(code, error="", headers=()):
    """Answer with a status, an error code in JSON as registries write it, and more headers."""
    body = json.dumps({"errors": [{"code": error, "message": "injected"}]}).encode() if error else b"injected"
    return lambda exchange: exchange.answer(code, body, headers)


def reset():
    """Cut the connection before any answer."""
    return lambda exchange: exchange.cut()


def cut_after(size):
    """Let `size` bytes of the answer's body through, then cut the connection."""
    def change(piece, sent):
        if sent + len(piece) <= size:
            return piece
        raise ConnectionError("cut on purpose")

    def fault(exchange):
        try:
            exchange.forward(change)
        except ConnectionError:
            exchange.wfile.flush()
            exchange.cut()
            if exchange.upstream is not None:
                exchange.upstream.close()
                exchange.upstream = None
    return fault


def corrupt():
    """Flip a bit of the body's first byte."""
    return lambda exchange: exchange.forward(
        lambda piece, sent: piece if sent else bytes([piece[0] ^ 1]) + piece[1:])


def redirect(url):
    """Send the client elsewhere; `url` is a prefix before the path."""
    return lambda exchange: exchange.answer(307, b"", [("Location", url + exchange.path)])


class Tunnel:
    """A forward proxy that knows only CONNECT. Whatever host is asked for, the connection goes to `port` on loopback.

    `connects` is what was asked, [(authority, Proxy-Authorization)]; with `refuse` every answer is 403.
    """

    def __init__(self, port, refuse=False):
        self.connects = []
        tunnel = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                authority = self.rfile.readline().split()[1].decode()
                headers = http.client.parse_headers(self.rfile)
                tunnel.connects.append((authority, headers.get("Proxy-Authorization")))
                if refuse:
                    self.wfile.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
                    return
                with socket.create_connection(("127.0.0.1", port)) as there:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    back = threading.Thread(target=pour, args=(there, self.connection), daemon=True)
                    back.start()
                    pour(self.connection, there)
                    back.join()

        class Listener(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False

        self._server = Listener(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self._server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_failure):
        self._server.shutdown()
        self._server.server_close()


def pour(source, sink):
    """Copy bytes from one socket to another until either ends."""
    try:
        while True:
            piece = source.recv(BUFFER)
            if not piece:
                break
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass
