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
from collections import namedtuple

# command: command(work) -> argv; program: what it needs on PATH; yardstick: whether its speed is one for a goal
# disk: (command(work, medium) to a medium, the same from it), or None
Contender = namedtuple("Contender", "command program yardstick disk")

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
        home = dict(os.environ, HOME=str(self.directory))  # oc-mirror keeps a cache there, and would find it again
        if not self.ca:
            return home
        return dict(home, SSL_CERT_FILE=self.write("ca.pem", pathlib.Path(system).read_text() + self.ca.read_text()))


def module(**options):
    def command(work, medium=None):
        plan = [dict(source=source, target=target) for source, target in work.pairs]
        trust = dict(ca_files=[str(work.ca)]) if work.ca else dict(plain_http=list(work.hosts))
        where = dict(archive=str(medium)) if medium else {}
        arguments = {"ANSIBLE_MODULE_ARGS": dict(plan=plan, patience=5, **trust, **where, **options)}
        return [sys.executable, "-c", MODULE, work.write("arguments.json", json.dumps(arguments))]
    return command


def oc(work):
    return oc_pairs(work, work.pairs)


def oc_pairs(work, pairs, *more):
    lines = work.write("lines", "".join("%s=%s\n" % pair for pair in pairs))
    return ["oc", "image", "mirror", "-f", lines, "-a", work.write("auth.json", '{"auths":{}}'), "--keep-manifest-list",
            "--continue-on-error", *more] + ([] if work.ca else ["--insecure"])


def oc_to_disk(work, medium):
    return oc_pairs(work, [(item.source, "file://%s:%s" % (item.path, item.tag)) for item in work.items], "--dir=%s" % medium)


def oc_from_disk(work, medium):
    pairs = [("file://%s:%s" % (item.path, item.tag), target) for item, (_source, target) in zip(work.items, work.pairs)]
    return oc_pairs(work, pairs, "--from-dir=%s" % medium)


def oc_mirror(work, *places):
    entries = "".join("  - name: %s\n" % item.source for item in work.items)
    config = work.write("imageset.yaml", "kind: ImageSetConfiguration\napiVersion: mirror.openshift.io/v2alpha1\n"
                        "mirror:\n  additionalImages:\n" + entries)
    verify = [] if work.ca else ["--src-tls-verify=false", "--dest-tls-verify=false"]
    places = places or ["--workspace", "file://%s/workspace" % work.directory, "docker://" + work.mirror_host]
    return ["oc-mirror", "--v2", "-c", config, *places] + verify


def oc_mirror_to_disk(work, medium):
    return oc_mirror(work, "file://%s" % medium)


def oc_mirror_from_disk(work, medium):
    shutil.rmtree(work.directory / ".oc-mirror", ignore_errors=True)  # it stays on the other side
    return oc_mirror(work, "--from", "file://%s" % medium, "docker://" + work.mirror_host)


def skopeo(processes):
    def command(work):
        verify = [] if work.ca else ["--src-tls-verify=false", "--dest-tls-verify=false"]
        pairs = work.write("pairs", "".join("docker://%s docker://%s\n" % pair for pair in work.pairs))
        return ["xargs", "-a", pairs, "-P%d" % processes, "-n2", "skopeo", "copy", "-q", "--all", "--preserve-digests"] + verify
    return command


CONTENDERS = {
    "native": Contender(module(), None, False, (module(mode="to_disk"), module(mode="from_disk"))),
    "engine oc": Contender(module(engine="oc"), "oc", False, None),
    "oc image mirror": Contender(oc, "oc", True, (oc_to_disk, oc_from_disk)),
    "oc-mirror v2": Contender(oc_mirror, "oc-mirror", True, (oc_mirror_to_disk, oc_mirror_from_disk)),
    "skopeo": Contender(skopeo(1), "skopeo", False, None),
    "skopeo x 4": Contender(skopeo(4), "skopeo", True, None),
}


def here():
    """The contenders whose program is on PATH."""
    return [name for name, it in CONTENDERS.items() if not it.program or shutil.which(it.program)]
