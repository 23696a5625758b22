# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What mirrors the sets: this collection's module with each engine, and the tools that people use.

Each is a command of its own, begun anew for each run, that finds what it needs in files.
"""
from __future__ import annotations

import json
import os
import pathlib
import shutil
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
MODULE = ("import unit.conftest; from ansible_collections.disconnected.openshift.plugins.modules.mirror_images import main; "
          "main()")


class Work:
    """One run's task: items to bring from one registry to another, and a directory for what a tool wants to read."""

    def __init__(self, directory, items, source_host, mirror_host, ca=None):
        self.directory = directory
        self.items = items
        self.hosts = (source_host, mirror_host)
        self.mirror_host = mirror_host
        self.ca = ca
        directory.mkdir(parents=True, exist_ok=True)

    @property
    def pairs(self):
        return [(item.source, "%s/%s:%s" % (self.mirror_host, item.path, item.tag)) for item in self.items]

    def write(self, name, text):
        path = self.directory / name
        path.write_text(text)
        return str(path)

    @property
    def environment(self):
        system = "/etc/ssl/certs/ca-certificates.crt"
        if not self.ca:
            return dict(os.environ)
        return dict(os.environ, SSL_CERT_FILE=self.write("ca.pem", pathlib.Path(system).read_text() + self.ca.read_text()))


def module(engine):
    def command(work):
        plan = [dict(source=source, target=target) for source, target in work.pairs]
        trust = dict(ca_files=[str(work.ca)]) if work.ca else dict(plain_http=list(work.hosts))
        arguments = {"ANSIBLE_MODULE_ARGS": dict(plan=plan, engine=engine, patience=5, **trust)}
        return [sys.executable, "-c", MODULE, work.write("arguments.json", json.dumps(arguments))]
    return command


def oc(work):
    lines = work.write("lines", "".join("%s=%s\n" % pair for pair in work.pairs))
    return ["oc", "image", "mirror", "-f", lines, "-a", work.write("auth.json", '{"auths":{}}'), "--keep-manifest-list",
            "--continue-on-error"] + ([] if work.ca else ["--insecure"])


def oc_mirror(work):
    entries = "".join("  - name: %s\n" % item.source for item in work.items)
    config = work.write("imageset.yaml", "kind: ImageSetConfiguration\napiVersion: mirror.openshift.io/v2alpha1\n"
                        "mirror:\n  additionalImages:\n" + entries)
    verify = [] if work.ca else ["--src-tls-verify=false", "--dest-tls-verify=false"]
    return ["oc-mirror", "--v2", "-c", config, "--workspace", "file://%s/workspace" % work.directory,
            "docker://" + work.mirror_host] + verify


def skopeo(processes):
    def command(work):
        verify = [] if work.ca else ["--src-tls-verify=false", "--dest-tls-verify=false"]
        pairs = work.write("pairs", "".join("docker://%s docker://%s\n" % pair for pair in work.pairs))
        return ["xargs", "-a", pairs, "-P%d" % processes, "-n2", "skopeo", "copy", "-q", "--all", "--preserve-digests"] + verify
    return command


# name: (command, program that it needs, whether its speed is a goal's yardstick)
CONTENDERS = {
    "native": (module("native"), None, False),
    "engine oc": (module("oc"), "oc", False),
    "oc image mirror": (oc, "oc", True),
    "oc-mirror v2": (oc_mirror, "oc-mirror", True),
    "skopeo": (skopeo(1), "skopeo", False),
    "skopeo x 4": (skopeo(4), "skopeo", True),
}


def here():
    """The contenders whose program is on PATH."""
    return [name for name, (_command, program, _yardstick) in CONTENDERS.items() if not program or shutil.which(program)]
