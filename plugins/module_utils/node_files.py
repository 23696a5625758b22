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

BEGIN = "-----BEGIN CERTIFICATE-----"
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


# Asks a registry from the node itself, with the node's own curl, and prints what it answered in the last two lines: the
# HTTP status, and curl's exit code. $1 is the node's root, $2 the registry, $3 the CA to trust; without one that which
# the node has for the registry, else the node's own trust store. A CA that is given lies in memory only, meanwhile.
REACH_SCRIPT = """
root=$1 registry=$2 ca=$3
if [ -n "$ca" ]; then
  file=$(mktemp "$root/run/mirror-ca.XXXXXX") || exit 1
  trap 'rm -f "$file"' EXIT
  printf '%%s\\n' "$ca" > "$file"
  set -- --cacert "${file#"$root"}"
elif [ -f "$root%(certs)s/$registry/ca.crt" ]; then
  set -- --cacert "%(certs)s/$registry/ca.crt"
else
  set --
fi
chroot "$root" curl --silent --noproxy '*' --max-time %(seconds)d --write-out '\\n%%{http_code}\\n' "$@" "https://$registry/v2/"
printf '%%d\\n' $?
""" % {"certs": CERTS_D, "seconds": 15}

# What curl's exit codes mean here.
TROUBLES = {
    6: "its name is not known to the node",
    7: "nothing answers there: look at the address, the route and the firewalls",
    28: "no answer in time: look at the route and the firewalls",
    35: "it does not speak TLS as the node expects",
    51: "its certificate is for another name",
    60: "its certificate is not trusted: give the CA that signed it, and let the registry send its whole chain",
    127: "the node has no curl",
}


def reach_command(registry, ca="", root="/rootfs"):
    """The argv that asks a registry, host[:port], from a node, trusting the PEM text `ca`."""
    return ["sh", "-c", REACH_SCRIPT, "sh", root, registry, ca]


def why_not_reached(output):
    """Why the registry was not reached, by what `reach_command` printed; "" when it was."""
    lines = output.split()
    if len(lines) < 2 or not (lines[-1].isdigit() and lines[-2].isdigit()):
        return "the node's answer did not arrive whole"
    status, code = int(lines[-2]), int(lines[-1])
    if code:
        return TROUBLES.get(code, "curl ended with exit code %d" % code)
    return "" if status in (200, 401) else "it answers with HTTP %d, as no registry does" % status


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
    bodies = re.findall(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", plain(pem), re.DOTALL)
    return {"".join(body.split()) for body in bodies} or {pem.strip()}


def plain(pem):
    """The PEM text of a trusted CA, which a ConfigMap may hold as base64 text: nodes read it as well."""
    text = decoded(pem.encode("utf-8")).decode("utf-8", "replace")
    return text if BEGIN in text else pem


def decoded(data):
    """The bytes of a trusted CA, PEM or DER, which a ConfigMap may hold as base64 text."""
    try:
        return base64.b64decode(b"".join(data.split()), validate=True)  # PEM is none: it has dashes
    except binascii.Error:
        return data


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
        document = json.loads(contents.get(machine_config.PULL_SECRET, b"{}"))
    except (ValueError, errors.Error):
        return ()  # compare() says that the file cannot be read
    auths = document.get("auths") if isinstance(document, dict) else None
    for entry in configured:
        found += [(machine_config.REGISTRIES_CONF, "%s as a mirror of %s" % (mirror.location, entry.prefix))
                  for mirror in entry.mirrors if _host(mirror.location) == registry]
    return tuple(found) + trust_in(registry, auths if isinstance(auths, dict) else (), trusted_cas(contents))


def trust_in(registry, auths, cas):
    """The (path, what) pairs that use_of says of a registry's credentials, by their keys, and of its CA."""
    found = [(machine_config.PULL_SECRET, "credentials of " + key) for key in auths if _host(key) == registry]
    return tuple(found + ([(CERTS_D, "the CA of " + registry)] if registry in cas else []))


def _host(location):
    return location.partition("/")[0]
