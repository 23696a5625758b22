# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three things on a node that decide where its images come from: how they are read, and whether they are right.

/var/lib/kubelet/config.json (credentials), /etc/containers/registries.conf (mirrors) and /etc/docker/certs.d (CAs).
"""
from __future__ import annotations

import base64
import binascii
import json
import re

from . import errors, machine_config, registries_conf

CERTS_D = "/etc/docker/certs.d"

# Prints each file as a line ":path" and its content in base64, and ":" at the very end, so that a cut-off answer shows.
# It runs in the machine-config daemon's container, where the node's root is $1, and needs no more than busybox has.
SCRIPT = """
cd "$1" || exit 1
for file in %s %s %s/*/*.crt; do
  [ -f "$file" ] || continue
  printf ':/%%s\\n' "$file"
  base64 < "$file" || exit 1
done
printf ':\\n'
""" % tuple(path[1:] for path in (machine_config.PULL_SECRET, machine_config.REGISTRIES_CONF, CERTS_D))


def command(root="/rootfs"):
    """The argv that prints a node's files."""
    return ["sh", "-c", SCRIPT, "sh", root]


def parse(output):
    """{path: bytes} from the printed text. Raises Corrupt when it is not whole, without quoting any of it."""
    lines = output.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines or lines.pop().strip() != ":":
        raise errors.Corrupt("The node's files did not arrive whole.")
    contents, path = {}, None
    for line in lines:
        if line.startswith(":"):
            path = line[1:].rstrip("\r")
            contents[path] = []
        elif path is None:
            raise errors.Corrupt("The node's files did not arrive in the form that was asked for.")
        else:
            contents[path].append(line.strip())
    try:
        return {path: base64.b64decode("".join(parts), validate=True) for path, parts in contents.items()}
    except binascii.Error:
        raise errors.Corrupt("The node's files did not arrive in the form that was asked for.") from None


def trusted_cas(contents):
    """{registry: PEM text} of the directories below certs.d; several files of one directory are put together."""
    found = {}
    for path in sorted(contents):
        if path.startswith(CERTS_D + "/"):
            registry = path[len(CERTS_D) + 1:].rpartition("/")[0]
            found[registry] = found.get(registry, "") + contents[path].decode("utf-8", "replace") + "\n"
    return found


def certificates(pem):
    """The set of certificates in PEM text, as their base64 without line breaks: how it is wrapped does not matter.

    Text without any is itself the only member, so that two such texts can still be told apart.
    """
    bodies = re.findall(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", pem, re.DOTALL)
    return {"".join(body.split()) for body in bodies} or {pem.strip()}


def compare(wanted, cas, contents):
    """A machine_config.Difference of a node's {path: bytes} to machine_config.Wanted and the CAs {registry: PEM}.

    Only the CAs asked for are judged: the platform puts those of its own registry beside them.
    """
    files = machine_config.compare(wanted, contents)
    actual = trusted_cas(contents)
    missing = tuple((CERTS_D, "the CA of " + registry if registry not in actual else "the present CA of " + registry)
                    for registry in sorted(cas)
                    if registry not in actual or certificates(cas[registry]) != certificates(actual[registry]))
    return machine_config.Difference(files.missing + missing, files.unexpected)


def use_of(registry, contents):
    """Where a node's files name a registry, "host[:port]": (path, what) pairs for each mirror, credential and CA."""
    found = []
    try:
        configured = registries_conf.parse(contents.get(machine_config.REGISTRIES_CONF, b"").decode("utf-8")).registries
        auths = json.loads(contents.get(machine_config.PULL_SECRET, b"{}")).get("auths") or {}
    except (ValueError, errors.Error):
        return ()  # compare() says that the file cannot be read
    for entry in configured:
        found += [(machine_config.REGISTRIES_CONF, "%s as a mirror of %s" % (mirror.location, entry.prefix))
                  for mirror in entry.mirrors if _host(mirror.location) == registry]
    found += [(machine_config.PULL_SECRET, "credentials of " + key) for key in auths if _host(key) == registry]
    found += [(CERTS_D, "the CA of " + registry)] if registry in trusted_cas(contents) else []
    return tuple(found)


def _host(location):
    return location.partition("/")[0]
