# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stores of release signatures: web servers with the files <store>/sha256=<hex>/signature-<n>, from 1 on.

What is read is carried to the cluster, which verifies it with the keys that it has; nothing is believed here.
"""
from __future__ import annotations

import urllib.parse

from . import connections, errors, wait

TIMEOUT = 10           # seconds to wait for a store: the plan can do without
LARGEST = 64 << 10     # bytes of one signature
MOST = 20              # signatures of one release
NOT_THERE = (403, 404)  # object stores answer 403 for what does not exist


class SignatureStores:
    """The stores at `urls`, asked one after the other. ca_files, ca_content -- as for connections.tls_context"""

    def __init__(self, urls, ca_files=(), ca_content=""):
        self._urls = urls
        self._connections = connections.Connections(connections.tls_context(ca_files, ca_content), timeout=TIMEOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_failure):
        self._connections.close()

    def signatures(self, digest):
        """([signatures of the release image with this digest, as bytes], [why a store could not be asked])."""
        problems = []
        for url in self._urls:
            try:
                found = self._read(url.rstrip("/"), digest.replace(":", "="))
            except errors.Error as error:
                problems.append(error.message)
            else:
                if found:
                    return found, []
        return [], problems

    def _read(self, url, directory):
        found = []
        while len(found) < MOST:
            signature = self._get("%s/%s/signature-%d" % (url, directory, len(found) + 1))
            if signature is None:
                break
            found.append(signature)
        return found

    def _get(self, url):
        """The bytes at a URL, or None if there are none."""
        place = connections.endpoint(url)
        name = connections.display(place)
        try:
            response = self._connections.request("GET", place, urllib.parse.urlsplit(url).path, {})
            body = response.drain(LARGEST + 1)
        except wait.Transient as transient:
            raise transient.error
        if response.status in NOT_THERE:
            return None
        if response.status != 200 or len(body) > LARGEST:
            raise errors.Unreachable("The signature store %s answers %d with %d bytes, which is no signature."
                                     % (name, response.status, len(body)))
        return body
