# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node's file system: a directory in which the files are those of a Red Hat CoreOS node, as far as anyone looks.

`<node>/rootfs` is the node's /. `<node>` itself is the root that a container sees which mounts the node: at /rootfs,
or at /host. Programs are one static busybox under its many names, and this machine's curl.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

BUSYBOX = Path("/bin/busybox")
CERTIFICATES = "/etc/docker/certs.d"
TRUST_BUNDLE = "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"
DEBIANS_BUNDLE = "etc/ssl/certs/ca-certificates.crt"  # where a curl from Debian looks
CURRENT_CONFIG = "/etc/machine-config-daemon/currentconfig"
FORCE_FILE = "/run/machine-config-daemon-force"

_APPLETS = (
    "ash base64 basename cat chroot cp cut date df dirname du echo env expr false find grep head hostname id ls "
    "md5sum mkdir mktemp mv printf ps pwd readlink realpath rm sed seq sh sha256sum sleep sort stat tail tar tee "
    "test touch tr true uname uniq wc xargs"
).split()
_DIRECTORIES = "dev etc/docker/certs.d proc root run sys tmp usr/bin usr/sbin var".split()


class NoBusybox(Exception):
    """The static busybox that the nodes run is not installed."""


class NodeFiles:
    """One node's files, named by their absolute path on the node."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = directory / "rootfs"

    def _at(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def read(self, path: str) -> bytes | None:
        """What a file holds, or None if there is none."""
        try:
            return self._at(path).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def mode(self, path: str) -> int:
        return self._at(path).stat().st_mode & 0o7777

    def write(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Put a file in place at once and whole, with its mode from the first moment on."""
        target = self._at(path)
        aside = target.with_name(f".{target.name}.new")
        try:
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        except FileNotFoundError:
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
        os.replace(aside, target)

    def remove(self, path: str) -> None:
        """Remove a file, or a directory with all in it, if it is there."""
        target = self._at(path)
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)

    def listing(self, path: str) -> list[str]:
        """The names in a directory, in order; none where there is no directory."""
        try:
            return sorted(os.listdir(self._at(path)))
        except FileNotFoundError:
            return []

    def changed(self, path: str) -> int:
        """When names in a directory came or went last, in nanoseconds."""
        return self._at(path).stat().st_mtime_ns

    def certificate(self, registry: str) -> bytes | None:
        """The CA that the node trusts for one registry, "host" or "host:port"."""
        return self.read(f"{CERTIFICATES}/{registry}/ca.crt")


def prepare(
    directory: Path,
    programs: Path,
    *,
    more: dict[str, Path] | None = None,
    os_release: str,
    hostname: str,
    trust_bundle: bytes,
) -> NodeFiles:
    """Make one node's directories and the files that no MachineConfig brings. `programs` comes from `busybox`, and
    `more` from `curl`."""
    node = NodeFiles(directory)
    for name in _DIRECTORIES:
        (node.root / name).mkdir(parents=True, exist_ok=True)
    for applet in ("busybox", *_APPLETS):
        _hard_link(programs, node.root / "usr/bin" / applet)
    for path, copy in (more or {}).items():
        _hard_link(copy, node.root / path.lstrip("/"))
    _link(node.root / "bin", "usr/bin")
    _link(node.root / "sbin", "usr/sbin")
    _link(node.root / "var/run", "../run")
    # A container that mounts the node: its own programs are the node's, found without leaving its root.
    _link(directory / "bin", "rootfs/usr/bin")
    _link(directory / "host", "rootfs")
    for name in ("tmp", "dev"):
        (directory / name).mkdir(exist_ok=True)
    node.write("/etc/os-release", os_release.encode())
    node.write("/etc/hostname", f"{hostname}\n".encode())
    node.write(
        "/etc/passwd",
        b"root:x:0:0:root:/root:/bin/sh\ncore:x:1000:1000:CoreOS Admin:/var/home/core:/bin/sh\n",
    )
    node.write("/etc/group", b"root:x:0:\ncore:x:1000:\n")
    node.write(TRUST_BUNDLE, trust_bundle)
    (node.root / DEBIANS_BUNDLE).parent.mkdir(parents=True, exist_ok=True)
    _link(node.root / DEBIANS_BUNDLE, TRUST_BUNDLE)
    return node


def busybox(directory: Path) -> Path:
    """A copy of the static busybox on the nodes' own file system, for their programs to be links to.

    Raises NoBusybox where none is installed, or only one that needs libraries which no node directory has.
    """
    source = BUSYBOX if BUSYBOX.exists() else Path(shutil.which("busybox") or BUSYBOX)
    if not source.exists() or not _is_static(source):
        raise NoBusybox("no static busybox is installed: apt-get install busybox-static")
    directory.mkdir(parents=True, exist_ok=True)
    copy = directory / "busybox"
    if not copy.exists():
        shutil.copy2(source, copy)
    return copy


def curl(directory: Path) -> dict[str, Path]:
    """This machine's curl for the nodes, as they have one: {path on a node: a copy to be linked to}, its libraries too.

    Empty where this machine has none: a node's command then ends as one that is not found.
    """
    source = shutil.which("curl")
    if source is None:
        return {}
    listed = subprocess.run(["ldd", source], capture_output=True, text=True, check=True).stdout
    libraries = re.findall(r"(?:=> )?(/\S+) \(0x", listed)
    directory.mkdir(parents=True, exist_ok=True)
    copies = {}
    for path in libraries:
        copies[path] = directory / Path(path).name
        shutil.copy2(path, copies[path])
    copies["/usr/bin/curl"] = directory / "curl"
    shutil.copy2(source, copies["/usr/bin/curl"])
    return copies


def _is_static(program: Path) -> bool:
    """Whether an ELF file asks for no interpreter (PT_INTERP, type 3, among its program headers)."""
    with program.open("rb") as file:
        head = file.read(64)
        if head[:5] != b"\x7fELF\x02":
            return False
        offset, size, count = (int.from_bytes(head[a:b], "little") for a, b in ((32, 40), (54, 56), (56, 58)))
        file.seek(offset)
        headers = file.read(size * count)
    return all(headers[i : i + 4] != b"\x03\x00\x00\x00" for i in range(0, size * count, size))


def _hard_link(source: Path, target: Path) -> None:
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(source, target)


def _link(path: Path, target: str) -> None:
    if not path.is_symlink():
        path.symlink_to(target)
