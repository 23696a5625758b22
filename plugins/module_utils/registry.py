# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of the registry HTTP API v2 (OCI distribution), standard library only.

Manifests are raw bytes and blobs are streams; the digest of both is computed here and never believed. Requests are
tried again with back-off when a failure may pass. What is raised names registry, repository, status and remedy, and
holds no credential and no URL (redirects carry signatures).
"""
from __future__ import annotations

import contextlib
import functools
import threading
import urllib.parse

from . import connections, dockerconfigjson, errors, registry_answers, registry_auth, wait
from .blob import CHUNK, Blob, Parts
from .image_manifest import ACCEPT, DIGEST, Manifest

USER_AGENT = "disconnected.openshift"
DOCKER_HUB = "docker.io"
DOCKER_HUB_API = "registry-1.docker.io"

PATCH_SIZE = 32 << 20     # bytes of one PATCH where a registry takes uploads only in parts
MANIFEST_LIMIT = 4 << 20  # bytes: the largest manifest that registries accept
COMMIT_TIMEOUT = 300      # seconds: a registry may hash or copy a whole blob before it answers the last PUT
MAX_REDIRECTS = 5
# How many requests these get at a time: they limit their clients' rate, and serve the whole world.
GENTLY = {"quay.io": 4, "registry.redhat.io": 4}
REDIRECTS = (301, 302, 303, 307, 308)
# Answers to HEAD by registries that are to be asked by GET: some take HEAD not at all, or, as Nexus, not by digest (500).
NO_HEAD = (400, 405, 500, 501)
LOGIN = ("log in to", "the registry")


class Registries:
    """The registries that one run talks to, by their host[:port]; as a context manager it closes the connections.

    auth -- a parsed auth file (dockerconfigjson), looked up as containers/image does
    ca_files, ca_content -- PEM files and PEM text trusted besides the system's roots
    plain_http -- hosts spoken to without TLS: for tests on loopback
    patience -- seconds for which one request is tried again; timeout -- seconds to wait for a server's next bytes
    environ -- where the proxy is named, instead of this process's environment
    bounds -- {host: how many requests it gets at a time}, where that is not as in GENTLY; others get what comes
    """

    def __init__(self, auth=None, ca_files=(), ca_content="", plain_http=(), patience=30, timeout=60,
                 clock=wait.SystemClock(), environ=None, bounds=None):
        self._auth = auth or {"auths": {}}
        self._bounds = dict(GENTLY, **(bounds or {}))
        self._plain_http = frozenset(plain_http)
        self._patience = patience
        self._clock = clock
        context = connections.tls_context(ca_files, ca_content)
        self._connections = connections.Connections(context, environ, timeout)
        self._registries = {}
        self._lock = threading.Lock()

    def __getitem__(self, host):
        with self._lock:
            if host not in self._registries:
                self._registries[host] = Registry(host, self._connections, self._credentials(host),
                                                  host in self._plain_http, self._patience, self._clock, self.bound(host))
            return self._registries[host]

    def bound(self, host):
        """How many requests a registry gets at a time; None for as many as there are workers."""
        return self._bounds.get(host)

    def __iter__(self):
        return iter(list(self._registries.values()))

    def _credentials(self, host):
        @functools.lru_cache(maxsize=None)
        def credentials(repository):
            return dockerconfigjson.credentials(self._auth, "%s/%s" % (host, repository or "v2"))
        return credentials

    def __enter__(self):
        return self

    def __exit__(self, *_failure):
        self._connections.close()

    @property
    def requests(self):
        return sum(registry.requests for registry in self)


class Registry:
    """One registry. Its methods take a repository (a path without the host) first. Safe for several threads."""

    def __init__(self, host, pool, credentials, plain, patience, clock, bound=None):
        self.host = host
        self.requests = 0
        self.bytes_received = 0
        self.bytes_sent = 0
        self._pool = pool
        self._credentials = credentials
        self._patience = patience
        self._clock = clock
        self._scheme = "http" if plain else "https"
        self._base = "%s://%s" % (self._scheme, DOCKER_HUB_API if host == DOCKER_HUB else host)
        self._own = connections.endpoint(self._base)
        self._authentication = registry_auth.Authentication(host, self._fetch, clock, plain)
        self._turns = connections.Turns(bound) if bound else None
        self._contact = threading.Lock()
        self._contacted = False
        self._lost = None
        self._mounts = True
        self._in_one_put = True
        self._lock = threading.Lock()

    # What a caller asks

    def ping(self, repository=""):
        """Ask for the API's root with the credentials of `repository`.

        Raises what is wrong with the address, the certificate or the login.
        """
        action = ("read", "/v2/")
        response = self._try_again("GET", self._base + "/v2/", repository, (), action)
        if response.status == 404:
            response.drain()
            raise connections.failure(
                errors.NotFound, "%s answers, but it is no registry: /v2/ does not exist there." % self.host,
                "Check host and port.", registry=self.host, status=404)
        self._expect(response, (200,), repository, action)
        response.drain()

    def authorize(self, repository, actions):
        """Get hold of the right to act on `repository`; raises Unauthorized where tokens tell it beforehand."""
        self._authentication.header(self._credentials(repository), (scope(repository, actions),))

    def has(self, repository):
        """Whether there is a repository that may be read.

        No right to push is asked for: Quay takes that for the wish to create it.
        """
        action = ("list", "tags")
        try:
            response = self._try_again("GET", self._url(repository, "tags/list?n=1"), repository, (scope(repository),), action)
        except errors.Unauthorized:
            return False
        response.drain()
        return response.status == 200

    def digest(self, repository, reference):
        """The digest of the manifest at a tag or digest by HEAD, or None if there is none.

        A registry that does not take HEAD is asked by GET.
        """
        action = ("read", "manifest %s" % reference)
        response = self._try_again("HEAD", self._url(repository, "manifests/%s" % reference), repository,
                                   (scope(repository),), action, {"Accept": ACCEPT}, final=NO_HEAD)
        response.drain()
        if response.status == 404:
            return None
        if response.status in NO_HEAD:
            try:
                return self.manifest(repository, reference).digest
            except errors.NotFound:
                return None
        self._expect(response, (200,), repository, action)
        digest = response.headers.get("Docker-Content-Digest", "")
        return digest if DIGEST.match(digest) else self.manifest(repository, reference).digest

    def manifest(self, repository, reference):
        """The Manifest at a tag or digest. Raises NotFound, or Corrupt if it is not what its digest says."""
        return wait.retry(lambda _number: self._manifest(repository, reference), self.patience, self._clock)

    def put_manifest(self, repository, reference, manifest):
        """Store a Manifest under a tag or its digest, and hold the registry to the digest that it reports."""
        action = ("store", "manifest %s" % reference)
        response = self._try_again("PUT", self._url(repository, "manifests/%s" % reference), repository,
                                   (scope(repository, "pull,push"),), action, {"Content-Type": manifest.media_type},
                                   manifest.raw)
        self._expect(response, (200, 201, 202), repository, action)
        response.drain()
        stored = response.headers.get("Docker-Content-Digest") or manifest.digest
        if stored != manifest.digest:
            raise self._corrupt(repository, action[1], "the registry stored it as %s" % stored)

    def delete_manifest(self, repository, digest):
        """Remove a manifest; True if the registry did it. Many do not allow it."""
        try:
            response = self._try_again("DELETE", self._url(repository, "manifests/%s" % digest), repository,
                                       (scope(repository, "delete"),), ("delete", "manifest %s" % digest))
        except errors.Unauthorized:
            return False
        response.drain()
        return response.status in (200, 202)

    def blob(self, repository, descriptor):
        """A Blob to be read as a stream."""
        return Blob(self, repository, descriptor)

    def has_blob(self, repository, digest):
        """Whether the repository holds a blob already; False also where the registry does not tell."""
        try:
            response = self._try_again("HEAD", self._url(repository, "blobs/%s" % digest), repository, (scope(repository),),
                                       ("read", "blob %s" % digest), final=registry_answers.TRANSIENT)
        except errors.Unauthorized:
            return False
        response.drain()
        return response.status == 200

    def open_blob(self, repository, digest, offset=0):
        """The Response of a blob's GET from byte `offset` on, for Blob."""
        action = ("read", "blob %s" % digest)
        response = self._try_again("GET", self._url(repository, "blobs/%s" % digest), repository, (scope(repository),),
                                   action, {"Range": "bytes=%d-" % offset} if offset else {})
        self._expect(response, (200, 206), repository, action)
        return response

    def start_upload(self, repository, digest=None, mount_from=None):
        """Begin an upload and return its location; None if the blob was mounted from repository `mount_from`."""
        if mount_from is not None and self._mounts:
            mounted, location = self._mount(repository, digest, mount_from)
            if mounted or location:
                return location
        action = ("start", "an upload")
        response = self._try_again("POST", self._url(repository, "blobs/uploads/"), repository,
                                   (scope(repository, "pull,push"),), action, body=b"")
        self._expect(response, (202,), repository, action)
        response.drain()
        return self._location(response, repository)

    def upload(self, repository, location, chunks, descriptor):
        """Send a blob's bytes (an iterable) to an upload's location and finish it.

        Raises wait.Transient for what may pass: the upload is then lost, and must be started again with new chunks.
        """
        if self._in_one_put:
            self._upload_whole(repository, location, chunks, descriptor)
        else:
            self._upload_in_parts(repository, location, chunks, descriptor)
        with self._lock:
            self.bytes_sent += descriptor.size

    def cancel_upload(self, repository, location):
        """Give up an upload, if the registry lets us; it forgets what nobody finishes anyway, only later."""
        for actions in ("pull,push,delete", "pull,push"):  # Quay knows no right to delete, and gives no token for it
            try:
                self._try_again("DELETE", location, repository, (scope(repository, actions),), ("give up", "an upload")).drain()
                return
            except errors.Unauthorized:
                continue
            except errors.Error:
                return

    def turn(self):
        """A context in which the registry can be asked without waiting for one's turn, if there are turns."""
        return self._turns.turn() if self._turns else contextlib.nullcontext()

    def patience(self):
        """Seconds for which what may pass is tried again; none once the registry was found not to answer at all."""
        return 0 if self._lost else self._patience

    def forgive(self):
        """Ask a registry again that did not answer."""
        self._lost = None

    # Uploads

    def _mount(self, repository, digest, source):
        """(True, None) mounted, (False, location) an upload begun instead, (False, None) this way is not offered."""
        query = urllib.parse.urlencode({"mount": digest, "from": source})
        scopes = (scope(repository, "pull,push"),) + ((scope(source),) if source != repository else ())
        try:
            response = self._try_again("POST", self._url(repository, "blobs/uploads/?%s" % query), repository, scopes,
                                       ("mount", "blob %s" % digest), body=b"")
        except errors.Unauthorized:  # some token servers give no token for two repositories
            return False, None
        response.drain()
        if response.status == 201:
            return True, None
        if response.status == 202:
            return False, self._location(response, repository)
        if response.status == 405:
            self._mounts = False
        return False, None

    def _upload_whole(self, repository, location, chunks, descriptor):
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(descriptor.size)}
        response = self._authorized("PUT", with_digest(location, descriptor.digest), repository,
                                    (scope(repository, "pull,push"),), headers, chunks, COMMIT_TIMEOUT)
        body = response.drain()
        if (response.status in registry_answers.NOT_IN_ONE_PUT
                and registry_answers.error_code(body) not in registry_answers.OF_THIS_UPLOAD):
            self._in_one_put = False
            raise wait.Transient(self._refusal(response, body, repository, ("store", "blob %s" % descriptor.digest)), 0)
        self._check_upload(response, body, repository, descriptor, (200, 201, 204))

    def _upload_in_parts(self, repository, location, chunks, descriptor):
        scopes = (scope(repository, "pull,push"),)
        parts = Parts(chunks)
        sent = 0
        while sent < descriptor.size:
            size = min(PATCH_SIZE, descriptor.size - sent)
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size),
                       "Content-Range": "%d-%d" % (sent, sent + size - 1)}
            response = self._authorized("PATCH", location, repository, scopes, headers, parts.next(size),
                                        COMMIT_TIMEOUT)
            self._check_upload(response, response.drain(), repository, descriptor, (202, 204))
            location = self._location(response, repository)
            sent += size
        parts.finish()
        response = self._authorized("PUT", with_digest(location, descriptor.digest), repository, scopes, {}, b"",
                                    COMMIT_TIMEOUT)
        self._check_upload(response, response.drain(), repository, descriptor, (200, 201, 204))

    def _check_upload(self, response, body, repository, descriptor, statuses):
        if response.status in statuses:
            return
        refusal = self._refusal(response, body, repository, ("store", "blob %s" % descriptor.digest))
        if response.status in registry_answers.TRANSIENT + (404, 416):  # 404 and 416: this upload is lost, try another
            raise wait.Transient(refusal, registry_answers.retry_after(response.headers))
        raise refusal

    def _location(self, response, repository):
        """Where an upload goes on, absolute; by our own scheme and port if on our host, whatever a proxy made of it."""
        location = response.headers.get("Location")
        if not location:
            raise errors.Error("%s/%s: the registry does not say where an upload goes on (no Location)."
                               % (self.host, repository), registry=self.host, repository=repository)
        parts = urllib.parse.urlsplit(urllib.parse.urljoin(self._base, location))
        own = urllib.parse.urlsplit(self._base)
        if parts.hostname == own.hostname:
            parts = parts._replace(scheme=own.scheme, netloc=own.netloc)
        return parts.geturl()

    # Requests

    def _url(self, repository, rest):
        return "%s/v2/%s/%s" % (self._base, repository, rest)

    def _manifest(self, repository, reference):
        action = ("read", "manifest %s" % reference)
        response = self._try_again("GET", self._url(repository, "manifests/%s" % reference), repository,
                                   (scope(repository),), action, {"Accept": ACCEPT})
        self._expect(response, (200,), repository, action)
        raw = self._whole(response, MANIFEST_LIMIT, repository, action[1])
        algorithm = reference.partition(":")[0] if DIGEST.match(reference) else "sha256"
        manifest = Manifest(raw, response.headers.get("Content-Type", ""), algorithm)
        if DIGEST.match(reference) and manifest.digest != reference:
            raise self._corrupt(repository, action[1], "its bytes have the digest %s" % manifest.digest)
        return manifest

    def _try_again(self, method, url, repository, scopes, action, headers=None, body=None, final=()):
        """The Response of a request that may be repeated, and is, while it fails in a way that may pass.

        A registry that did not answer at all for as long as that is not asked again before `forgive`.
        final -- statuses that are taken as they are
        """
        def attempt(_number):
            response = self._authorized(method, url, repository, scopes, headers or {}, body)
            if response.status in registry_answers.TRANSIENT and response.status not in final:
                refusal = self._refusal(response, response.drain(), repository, action)
                raise wait.Transient(refusal, registry_answers.retry_after(response.headers))
            self._lost = None
            return response

        if self._lost is not None:
            raise self._lost
        try:
            return wait.retry(attempt, self.patience, self._clock)
        except errors.Unreachable as error:
            if "status" not in error.details:
                self._lost = error
            raise

    def _authorized(self, method, url, repository, scopes, headers, body=None, timeout=None):
        """One request with what the registry wants to see; raises Unauthorized if it wants something else.

        The very first request to a registry goes alone: the others then know from its answer how to log in.
        """
        if not self._contacted:
            with self._contact:
                if self._lost is not None:
                    raise self._lost
                if not self._contacted:
                    response = self._answer_challenge(method, url, repository, scopes, headers, body, timeout)
                    self._contacted = True
                    return response
        return self._answer_challenge(method, url, repository, scopes, headers, body, timeout)

    def _answer_challenge(self, method, url, repository, scopes, headers, body, timeout):
        credentials = self._credentials(repository)
        sent = self._authentication.header(credentials, scopes)
        response = self._send(method, url, headers, sent, body, timeout)
        if response.status != 401:
            return response
        refusal = self._refusal(response, response.drain(), repository, LOGIN)
        self._authentication.learn(response.headers, sent)
        if body is not None and not isinstance(body, bytes):
            raise wait.Transient(refusal)  # the stream is used up
        again = self._authentication.header(credentials, scopes)
        if again is None:
            raise refusal
        response = self._send(method, url, headers, again, body, timeout)
        if response.status == 401:
            raise self._refusal(response, response.drain(), repository, LOGIN, again.startswith("Bearer "))
        return response

    def _send(self, method, url, headers, authorization, body, timeout):
        """One request. Redirects of GET and HEAD are followed; Authorization is for this registry's own host alone."""
        for _hop in range(MAX_REDIRECTS + 1):
            place, target = self._address(url)
            all_headers = dict(headers, **{"User-Agent": USER_AGENT})
            if authorization and place == self._own:
                all_headers["Authorization"] = authorization
            response = self._request(method, place, target, all_headers, body, timeout, self._turns)
            location = response.headers.get("Location")
            if response.status not in REDIRECTS or method not in ("GET", "HEAD") or not location:
                return response
            response.drain()
            url = urllib.parse.urljoin(url, location)
            if self._scheme == "https" and not url.startswith("https://"):
                raise errors.Error("%s redirects to an address without TLS; nothing is fetched from there." % self.host,
                                   registry=self.host)
        raise errors.Error("%s redirects in circles." % self.host, registry=self.host)

    def _address(self, url):
        """(Endpoint, path and query) of a URL; nearly all are our own, and need no parsing."""
        if url.startswith(self._base + "/"):
            return self._own, url[len(self._base):]
        parts = urllib.parse.urlsplit(url)
        return connections.endpoint(url), (parts.path or "/") + ("?" + parts.query if parts.query else "")

    def _request(self, method, place, target, headers, body=None, timeout=None, turns=None):
        with self._lock:
            self.requests += 1
        return self._pool.request(method, place, target, headers, body, timeout, turns)

    def _fetch(self, url, headers):
        """A token server's (status, body), for Authentication.

        Takes no turn: threads that have theirs may be waiting for this very token.
        """
        def attempt(_number):
            response = self._request("GET", *self._address(url), dict(headers, **{"User-Agent": USER_AGENT}))
            body = response.drain(MANIFEST_LIMIT)
            if response.status in registry_answers.TRANSIENT:
                name = connections.display(response.place)
                error = errors.Unreachable("The token server %s of %s answers %d." % (name, self.host, response.status),
                                           registry=self.host, status=response.status)
                raise wait.Transient(error, registry_answers.retry_after(response.headers))
            return response.status, body

        return wait.retry(attempt, self.patience, self._clock)

    def _whole(self, response, limit, repository, what):
        chunks = []
        size = 0
        while True:
            chunk = response.read(CHUNK)
            if not chunk:
                break
            size += len(chunk)
            if size > limit:
                response.close()
                raise self._corrupt(repository, what, "it is larger than %d bytes" % limit)
            chunks.append(chunk)
        self.count_received(size)
        return b"".join(chunks)

    def count_received(self, size):
        with self._lock:
            self.bytes_received += size

    # Failures

    def _expect(self, response, statuses, repository, action):
        if response.status not in statuses:
            raise self._refusal(response, response.drain(), repository, action)

    def _refusal(self, response, body, repository, action, fresh_token=False):
        login = self._credentials(repository) is not None
        return registry_answers.refusal(self.host, repository, response.status, body, action, login, fresh_token)

    def _corrupt(self, repository, what, problem):
        return errors.Corrupt("%s/%s: %s is not what its digest says: %s." % (self.host, repository, what, problem),
                              registry=self.host, repository=repository)


def scope(repository, actions="pull"):
    return "repository:%s:%s" % (repository, actions)


def with_digest(location, digest):
    """An upload's location, with the digest that finishes it."""
    return location + ("&" if "?" in location else "?") + urllib.parse.urlencode({"digest": digest})
