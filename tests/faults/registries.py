# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's docker-registry as a child process on a free port of loopback."""
from __future__ import annotations

import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

CONFIG = """\
version: 0.1
log: {accesslog: {disabled: %(silent)s}, level: error}
storage:
  filesystem: {rootdirectory: %(storage)s}
  delete: {enabled: true}
  maintenance: {uploadpurging: {enabled: false}}
http:
  addr: 127.0.0.1:%(port)d
  secret: the-same-for-every-run
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Registry:
    """usage: with Registry(directory, htpasswd=..., tls=(certificate, key), token={...}) as registry: registry.host

    htpasswd -- path of a bcrypt password file; tls -- paths of certificate and key;
    token -- the four settings of docker-registry's token authentication
    access_log -- whether every request is to be a line in the file `log` of its directory
    """

    def __init__(self, directory, htpasswd=None, tls=None, token=None, access_log=False):
        self.directory = pathlib.Path(directory)
        self.port = free_port()
        self.host = "localhost:%d" % self.port
        config = CONFIG % {"storage": self.directory / "storage", "port": self.port,
                           "silent": "false" if access_log else "true"}
        if tls:
            config += "  tls: {certificate: %s, key: %s}\n" % tls
        if htpasswd:
            config += "auth: {htpasswd: {realm: test, path: %s}}\n" % htpasswd
        if token:
            config += "auth: {token: {realm: \"%(realm)s\", service: \"%(service)s\", issuer: \"%(issuer)s\", " \
                      "rootcertbundle: %(rootcertbundle)s}}\n" % token
        self.directory.mkdir(parents=True, exist_ok=True)
        self._config = self.directory / "config.yml"
        self._config.write_text(config)
        self._process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_failure):
        self.stop()

    def start(self):
        program = shutil.which("docker-registry")
        assert program, "Install the Debian package docker-registry."
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen([program, "serve", str(self._config)], env={"PATH": os.defpath},
                                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while not self._listens():
            assert self._process.poll() is None and time.monotonic() < deadline, (self.directory / "log").read_text()
            time.sleep(0.02)

    def stop(self):
        self._process.kill()
        self._process.wait()

    def computed(self):
        """Seconds that the process has computed so far."""
        with open("/proc/%d/stat" % self._process.pid, encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def tags(self, repository):
        """The repository's tags, of a registry without TLS and users."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/v2/%s/tags/list" % repository)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return sorted(json.loads(body).get("tags") or []) if response.status == 200 else []

    def unfinished_uploads(self):
        """Files of uploads that were begun and neither finished nor given up."""
        return list((self.directory / "storage").glob("docker/registry/v2/repositories/**/_uploads/*/data"))
