# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of the registry HTTP API v2 (OCI distribution), standard library only.

Manifests are raw bytes and blobs are streams; the digest of both is computed here and never believed. Requests are
tried again with back-off when a failure may pass. What is raised names registry, repository, status and remedy, and
holds no credential and no URL (redirects carry signatures).
"""
from __future__ import annotations

import functools
import json
import os
import re
import threading
import urllib.parse

from . import connections, dockerconfigjson, errors, registry_auth, wait
from .blob import CHUNK, Blob, Parts
from .connections import failure
from .image_manifest import ACCEPT, DIGEST, Manifest

USER_AGENT = "disconnected.openshift"
DOCKER_HUB = "docker.io"
DOCKER_HUB_API = "registry-1.docker.io"

PATCH_SIZE = 32 * 1024 * 1024   # bytes of one PATCH where a registry takes uploads only in parts
MANIFEST_LIMIT = 4 * 1024 * 1024  # the largest manifest that registries accept
COMMIT_TIMEOUT = 300            # seconds: a registry may hash or copy a whole blob before it answers the last PUT
MAX_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)

TRANSIENT_STATUSES = (408, 429, 500, 502, 503, 504)
# Answers to an upload in one PUT by registries (or proxies before them) that take uploads only in parts.
NOT_IN_ONE_PUT = (400, 404, 405, 411, 413, 415, 416, 501)


class Registries:
    """The registries that one run talks to, by their host[:port].

    auth -- a parsed auth file (dockerconfigjson), looked up as containers/image does
    ca_files, ca_content -- PEM files and PEM text trusted besides the system's roots
    plain_http -- hosts spoken to without TLS: for tests on loopback
    patience -- seconds for which one request is tried again
    """

    def __init__(self, auth=None, ca_files=(), ca_content="", plain_http=(), patience=30, timeout=60,
                 clock=wait.SystemClock(), environ=os.environ):
        self._auth = auth or {"auths": {}}
        self._plain_http = frozenset(plain_http)
        self._patience = patience
        self._clock = clock
        self._connections = connections.Connections(connections.tls_context(ca_files, ca_content), environ, timeout)
        self._registries = {}
        self._lock = threading.Lock()

    def __getitem__(self, host):
        with self._lock:
            if host not in self._registries:
                self._registries[host] = Registry(host, self._connections, self._credentials(host),
                                                  host in self._plain_http, self._patience, self._clock)
            return self._registries[host]

    def __iter__(self):
        return iter(list(self._registries.values()))

    def _credentials(self, host):
        @functools.lru_cache(maxsize=None)
        def credentials(repository):
            return dockerconfigjson.credentials(self._auth, "%s/%s" % (host, repository or "v2"))
        return credentials

    @property
    def requests(self):
        return sum(registry.requests for registry in self)

    def close(self):
        self._connections.close()


class Registry:
    """One registry. Its methods take a repository (a path without the host) first. Safe for several threads."""

    def __init__(self, host, pool, credentials, plain, patience, clock):
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
        self._contact = threading.Lock()
        self._contacted = False
        self._lost = False
        self._mounts = True
        self._in_one_put = True
        self._lock = threading.Lock()

    # What a caller asks

    def ping(self, repository=""):
        """Ask for the API's root with the credentials of `repository`; raises what is wrong with address, TLS or login."""
        response = self._try_again("GET", self._base + "/v2/", repository, (), "/v2/")
        if response.status == 404:
            response.drain()
            raise failure(errors.NotFound, "%s answers, but it is no registry: /v2/ does not exist there." % self.host,
                          "Check host and port.", registry=self.host, status=404)
        self._expect(response, (200,), repository, "/v2/")
        response.drain()

    def authorize(self, repository, actions="pull,push"):
        """Get hold of the right to act on `repository`; raises Unauthorized where tokens tell it beforehand."""
        self._authentication.header(self._credentials(repository), (scope(repository, actions),))

    def digest(self, repository, reference):
        """The digest of the manifest at a tag or digest by HEAD, or None if there is none."""
        what = "manifest %s" % reference
        response = self._try_again("HEAD", self._url(repository, "manifests/%s" % reference), repository,
                                   (scope(repository),), what, {"Accept": ACCEPT})
        response.drain()
        if response.status == 404:
            return None
        self._expect(response, (200,), repository, what)
        digest = response.headers.get("Docker-Content-Digest", "")
        return digest if DIGEST.match(digest) else self.manifest(repository, reference).digest

    def manifest(self, repository, reference):
        """The Manifest at a tag or digest. Raises NotFound, or Corrupt if it is not what its digest says."""
        what = "manifest %s" % reference
        response = self._try_again("GET", self._url(repository, "manifests/%s" % reference), repository,
                                   (scope(repository),), what, {"Accept": ACCEPT})
        self._expect(response, (200,), repository, what)
        raw = self._whole(response, MANIFEST_LIMIT, repository, what)
        algorithm = reference.partition(":")[0] if DIGEST.match(reference) else "sha256"
        manifest = Manifest(raw, response.headers.get("Content-Type", ""), algorithm)
        if DIGEST.match(reference) and manifest.digest != reference:
            raise self._corrupt(repository, what, "its bytes have the digest %s" % manifest.digest)
        return manifest

    def put_manifest(self, repository, reference, manifest):
        """Store a Manifest under a tag or its digest, and hold the registry to the digest that it reports."""
        what = "manifest %s" % reference
        response = self._try_again("PUT", self._url(repository, "manifests/%s" % reference), repository,
                                   (scope(repository, "pull,push"),), what, {"Content-Type": manifest.media_type}, manifest.raw)
        self._expect(response, (200, 201, 202), repository, what, "store")
        response.drain()
        stored = response.headers.get("Docker-Content-Digest") or manifest.digest
        if stored != manifest.digest:
            raise self._corrupt(repository, what, "the registry stored it as %s" % stored)

    def delete_manifest(self, repository, digest):
        """Remove a manifest; True if the registry did it. Many do not allow it."""
        response = self._try_again("DELETE", self._url(repository, "manifests/%s" % digest), repository,
                                   (scope(repository, "delete"),), "manifest %s" % digest)
        response.drain()
        return response.status in (200, 202)

    def blob(self, repository, descriptor):
        """A Blob to be read as a stream."""
        return Blob(self, repository, descriptor)

    def open_blob(self, repository, digest, offset=0):
        """The Response of a blob's GET from byte `offset` on, for Blob."""
        headers = {"Range": "bytes=%d-" % offset} if offset else {}
        what = "blob %s" % digest
        response = self._try_again("GET", self._url(repository, "blobs/%s" % digest), repository, (scope(repository),),
                                   what, headers)
        self._expect(response, (200, 206), repository, what)
        return response

    def start_upload(self, repository, digest=None, mount_from=None):
        """Begin an upload and return its location; None if the registry mounted the blob from repository `mount_from`."""
        if mount_from is not None and self._mounts:
            mounted, location = self._mount(repository, digest, mount_from)
            if mounted or location:
                return location
        what = "upload"
        response = self._try_again("POST", self._url(repository, "blobs/uploads/"), repository,
                                   (scope(repository, "pull,push"),), what, body=b"")
        self._expect(response, (202,), repository, what, "start")
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
        try:
            self._try_again("DELETE", location, repository, (scope(repository, "pull,push,delete"),), "upload").drain()
        except errors.Error:
            pass

    def patience(self):
        """Seconds for which what may pass is tried again; none while the registry does not answer at all."""
        return 0 if self._lost else self._patience

    def forgive(self):
        """Be patient again with a registry that did not answer."""
        self._lost = False

    # Uploads

    def _mount(self, repository, digest, source):
        """(True, None) mounted, (False, location) an upload begun instead, (False, None) this way is not offered."""
        query = urllib.parse.urlencode({"mount": digest, "from": source})
        scopes = (scope(repository, "pull,push"),) + ((scope(source),) if source != repository else ())
        try:
            response = self._try_again("POST", self._url(repository, "blobs/uploads/?%s" % query), repository, scopes, "mount",
                                       body=b"")
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
        if response.status in NOT_IN_ONE_PUT and error_code(body) != "DIGEST_INVALID":
            self._in_one_put = False
            raise wait.Transient(self._refusal(response, body, repository, "blob %s" % descriptor.digest, "store"), 0)
        self._committed(response, body, repository, descriptor)

    def _upload_in_parts(self, repository, location, chunks, descriptor):
        scopes = (scope(repository, "pull,push"),)
        parts = Parts(chunks)
        sent = 0
        while sent < descriptor.size:
            size = min(PATCH_SIZE, descriptor.size - sent)
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size),
                       "Content-Range": "%d-%d" % (sent, sent + size - 1)}
            response = self._authorized("PATCH", location, repository, scopes, headers, parts.next(size), COMMIT_TIMEOUT)
            body = response.drain()
            if response.status not in (202, 204):
                self._upload_lost(response, body, repository, descriptor)
            location = self._location(response, repository)
            sent += size
        parts.finish()
        response = self._authorized("PUT", with_digest(location, descriptor.digest), repository, scopes, {}, b"", COMMIT_TIMEOUT)
        self._committed(response, response.drain(), repository, descriptor)

    def _committed(self, response, body, repository, descriptor):
        if response.status not in (200, 201, 204):
            self._upload_lost(response, body, repository, descriptor)

    def _upload_lost(self, response, body, repository, descriptor):
        refusal = self._refusal(response, body, repository, "blob %s" % descriptor.digest, "store")
        if response.status in TRANSIENT_STATUSES + (401, 404, 416):
            raise wait.Transient(refusal, retry_after(response.headers))
        raise refusal

    def _location(self, response, repository):
        """Where an upload goes on: absolute, and on our own scheme and port if it names our host (a proxy's mistake)."""
        location = response.headers.get("Location")
        if not location:
            raise errors.Error("%s/%s: the registry began an upload without saying where it goes on (no Location)."
                               % (self.host, repository), registry=self.host, repository=repository)
        parts = urllib.parse.urlsplit(urllib.parse.urljoin(self._base, location))
        own = urllib.parse.urlsplit(self._base)
        if parts.hostname == own.hostname:
            parts = parts._replace(scheme=own.scheme, netloc=own.netloc)
        return parts.geturl()

    # Requests

    def _url(self, repository, rest):
        return "%s/v2/%s/%s" % (self._base, repository, rest)

    def _try_again(self, method, url, repository, scopes, what, headers=None, body=None):
        """The Response of a request that may be repeated: transient failures are retried, Unauthorized is raised."""
        def attempt(number):
            response = self._authorized(method, url, repository, scopes, headers or {}, body)
            if response.status in TRANSIENT_STATUSES:
                refusal = self._refusal(response, response.drain(), repository, what)
                raise wait.Transient(refusal, retry_after(response.headers))
            self._lost = False
            return response

        try:
            return wait.retry(attempt, self.patience, self._clock)
        except errors.Unreachable as error:
            self._lost = "status" not in error.details  # no answer at all: the next requests need not wait as long
            raise

    def _authorized(self, method, url, repository, scopes, headers=None, body=None, timeout=None):
        """One request with what the registry wants to see; raises Unauthorized when a fresh answer to its challenge fails.

        The very first request to a registry goes alone: the others then know from its answer how to log in.
        """
        if not self._contacted:
            with self._contact:
                if not self._contacted:
                    response = self._answer_challenge(method, url, repository, scopes, headers or {}, body, timeout)
                    self._contacted = True
                    return response
        return self._answer_challenge(method, url, repository, scopes, headers or {}, body, timeout)

    def _answer_challenge(self, method, url, repository, scopes, headers, body, timeout):
        credentials = self._credentials(repository)
        sent = self._authentication.header(credentials, scopes)
        response = self._send(method, url, headers, sent, body, timeout)
        if response.status != 401:
            return response
        refusal = self._refusal(response, response.drain(), repository, "", "log in to")
        self._authentication.learn(response.headers, sent)
        if body is not None and not isinstance(body, bytes):
            raise wait.Transient(refusal)  # the stream is used up
        again = self._authentication.header(credentials, scopes)
        if again is None:
            raise refusal
        response = self._send(method, url, headers, again, body, timeout)
        if response.status == 401:
            raise self._refusal(response, response.drain(), repository, "", "log in to")
        return response

    def _send(self, method, url, headers, authorization, body, timeout):
        """One request; redirects of GET and HEAD are followed, and Authorization stays with this registry's own host."""
        for _hop in range(MAX_REDIRECTS + 1):
            place, target = self._address(url)
            all_headers = dict(headers, **{"User-Agent": USER_AGENT})
            if authorization and place == self._own:
                all_headers["Authorization"] = authorization
            response = self._request(method, place, target, all_headers, body, timeout)
            location = response.headers.get("Location")
            if response.status not in REDIRECTS or method not in ("GET", "HEAD") or not location:
                return response
            response.drain()
            url = urllib.parse.urljoin(url, location)
            if self._scheme == "https" and not url.startswith("https://"):
                raise errors.Unreachable("%s redirects to an address without TLS; nothing is fetched from there." % self.host,
                                         registry=self.host)
        raise errors.Unreachable("%s redirects in circles." % self.host, registry=self.host)

    def _address(self, url):
        """(Endpoint, path and query) of a URL; nearly all are our own, and need no parsing."""
        if url.startswith(self._base + "/"):
            return self._own, url[len(self._base):]
        parts = urllib.parse.urlsplit(url)
        return connections.endpoint(url), (parts.path or "/") + ("?" + parts.query if parts.query else "")

    def _request(self, method, place, target, headers, body=None, timeout=None):
        with self._lock:
            self.requests += 1
        return self._pool.request(method, place, target, headers, body, timeout)

    def _fetch(self, url, headers):
        """A token server's (status, body), for Authentication."""
        def attempt(number):
            response = self._request("GET", *self._address(url), dict(headers, **{"User-Agent": USER_AGENT}))
            body = response.drain(MANIFEST_LIMIT)
            if response.status in TRANSIENT_STATUSES:
                name = connections.display(response.place)
                error = errors.Unreachable("The token server %s of %s answers %d." % (name, self.host, response.status),
                                           registry=self.host, status=response.status)
                raise wait.Transient(error, retry_after(response.headers))
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

    def _expect(self, response, statuses, repository, what, verb="read"):
        if response.status not in statuses:
            raise self._refusal(response, response.drain(), repository, what, verb)

    def _corrupt(self, repository, what, problem):
        return errors.Corrupt("%s/%s: %s is not what its digest says: %s." % (self.host, repository, what, problem),
                              registry=self.host, repository=repository)

    def _refusal(self, response, body, repository, what, verb="read"):
        """The error for an answer that was not hoped for."""
        status = response.status
        code = error_code(body)
        place = self.host + ("/" + repository if repository else "")
        action = "%s %s" % (verb, what) if what else verb + " it"
        told = "%d%s" % (status, " " + code if code else "")
        details = {"registry": self.host, "repository": repository, "status": status, "code": code}
        credentials = self._credentials(repository)
        if status == 401:
            refused = "the credentials" if credentials else "requests without credentials"
            return failure(errors.Unauthorized, "%s: the registry does not accept %s (401)." % (place, refused),
                           registry_auth.remedy(self.host, credentials), **details)
        if status == 403:
            return failure(errors.Unauthorized, "%s: no right to %s (%s)." % (place, action, told),
                           "Grant it to the user of the auth file's entry for %s." % self.host, **details)
        if status == 404:
            return errors.NotFound("%s: %s does not exist (%s)." % (place, what or "the repository", told), **details)
        if status == 413:
            return failure(errors.Error, "%s: cannot %s: it is too large for the registry or for a proxy before it (413)."
                           % (place, action), "Raise the limit of a request's body there.", **details)
        if status == 429:
            return failure(errors.Unreachable, "%s: the registry limits the rate of requests (429) and did not relent." % place,
                           "Use fewer workers, or try later.", **details)
        kind = errors.Unreachable if status in TRANSIENT_STATUSES else errors.Error
        return kind("%s: cannot %s: the registry answers %s." % (place, action, told), **details)


def scope(repository, actions="pull"):
    return "repository:%s:%s" % (repository, actions)


def with_digest(location, digest):
    """An upload's location, with the digest that finishes it."""
    return location + ("&" if "?" in location else "?") + urllib.parse.urlencode({"digest": digest})


def error_code(body):
    """The code of the first error in a registry's JSON answer (bytes), such as MANIFEST_UNKNOWN, or ""."""
    try:
        code = json.loads(body.decode("utf-8"))["errors"][0]["code"]
    except (ValueError, LookupError, TypeError):
        return ""
    return code if isinstance(code, str) and re.match(r"[A-Z][A-Z0-9_]{0,63}\Z", code) else ""


def retry_after(headers):
    """Seconds that a 429 or 503 asks to wait, or None. Dates are rare, and answered with our own back-off."""
    value = (headers.get("Retry-After") or "").strip()
    return float(value) if value.isdigit() else None
