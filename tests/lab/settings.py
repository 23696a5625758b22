# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a lab is asked to be (from the environment) and where it keeps its things."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
OLDEST, NEWEST = (4, 8), (4, 21)
USUAL_Z_STREAM = 30
MOST_NODES = 1000


class BadSetting(Exception):
    """An environment variable of the lab holds something that the lab cannot be."""


@dataclass(frozen=True)
class Endpoint:
    """One registry as its users see it. `ca` is the file of the certificate authority that vouches for it."""

    registry: str
    ca: Path
    username: str
    password: str
    pull_username: str
    pull_password: str

    @property
    def url(self) -> str:
        return f"https://{self.registry}"


@dataclass(frozen=True)
class Settings:
    """`release_version` is complete ("4.16.30"); `speed` divides every delay of the real system.

    `neighbour` is the state directory of another lab, whose registries this one uses instead of its own.
    """

    release_version: str = f"4.16.{USUAL_Z_STREAM}"
    nodes: int = 6
    speed: float = 10.0
    directory: Path = CHECKOUT / ".lab"
    neighbour: Path | None = None

    @classmethod
    def from_environment(cls, environ=None) -> Settings:
        """LAB_VERSION (4.16 or 4.16.30), LAB_NODES, LAB_SPEED, LAB_DIR, LAB_REGISTRIES; raises BadSetting."""
        environ = os.environ if environ is None else environ
        return cls(
            release_version=_release_version(environ.get("LAB_VERSION") or "4.16"),
            nodes=_node_count(environ.get("LAB_NODES") or "6"),
            speed=_speed(environ.get("LAB_SPEED") or "10"),
            directory=Path(environ.get("LAB_DIR") or CHECKOUT / ".lab").resolve(),
            neighbour=_neighbour(environ.get("LAB_REGISTRIES")),
        )

    @property
    def version(self) -> str:
        """The minor version as it is spoken: "4.16"."""
        return ".".join(self.release_version.split(".")[:2])

    @property
    def minor(self) -> tuple[int, int]:
        major, minor = self.version.split(".")
        return int(major), int(minor)

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def kubeconfig_viewer(self) -> Path:
        return self.directory / "kubeconfig-viewer"

    @property
    def description(self) -> Path:
        """lab.json: everything a test needs to know of the lab, secrets included."""
        return self.directory / "lab.json"

    @property
    def variables(self) -> Path:
        """vars.yml: extra variables with which the collection's playbooks work against the lab."""
        return self.directory / "vars.yml"

    @property
    def control(self) -> Path:
        return self.directory / "control.sock"

    def registry(self, name: str) -> Path:
        """Where everything of one registry is, this lab's own or the neighbour's."""
        return (self.neighbour or self.directory) / "registries" / name

    @property
    def pids(self) -> Path:
        return self.directory / "pids"

    @property
    def logs(self) -> Path:
        return self.directory / "log"

    @property
    def authorities(self) -> Path:
        return self.directory / "ca"

    @property
    def mirror_host(self) -> Path:
        """What would be the file system of the host that mirrors, as far as the playbooks write to it."""
        return self.directory / "mirror-host"

    @property
    def scratch(self) -> Path:
        return self.directory / "scratch"

    def node(self, name: str) -> Path:
        """One node's container root: its file system is in rootfs/, its journal in journal."""
        return self.directory / "nodes" / name


def _release_version(text: str) -> str:
    found = re.fullmatch(r"4\.(\d{1,2})(?:\.(\d{1,3}))?", text)
    if not found or not OLDEST <= (4, int(found[1])) <= NEWEST:
        raise BadSetting(
            f"LAB_VERSION={text}: give a version from 4.{OLDEST[1]} to 4.{NEWEST[1]}, such as 4.16 or 4.16.30"
        )
    return f"4.{int(found[1])}.{int(found[2]) if found[2] else USUAL_Z_STREAM}"


def _node_count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MOST_NODES:
        raise BadSetting(f"LAB_NODES={text}: give a number from 1 to {MOST_NODES}")
    return int(text)


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.1 <= speed <= 1000:
        raise BadSetting(f"LAB_SPEED={text}: give a number from 0.1 to 1000; 1 is the speed of a real cluster")
    return speed


def _neighbour(text: str | None) -> Path | None:
    directory = Path(text).resolve() if text else None
    if directory and not (directory / "lab.json").exists():
        raise BadSetting(f"LAB_REGISTRIES={text}: no lab runs there; give the state directory of one that is up")
    return directory
