# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all parts of a new cluster are made with: settings, nodes' names, documents with words to fill in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from string import Template

import yaml

from .api import housekeeping
from .api.store import Store, now
from .content import Content
from .mco.releases import Release
from .settings import Endpoint, Settings
from .workloads import Container, Workload, seed_daemon_set, seed_deployment

_SEEDS = Path(__file__).parent / "seeds"
_BUDGETS = "poddisruptionbudgets.policy"


def node_roles(count: int) -> dict[str, tuple[str, ...]]:
    """The nodes' names and their roles: a single node, or three masters and, if any are left, workers beside them."""
    masters = 3 if count >= 3 else 1
    both = count <= 3 and count != 2
    roles = {f"master-{index}": ("master", "worker") if both else ("master",) for index in range(masters)}
    return roles | {f"worker-{index}": ("worker",) for index in range(count - masters)}


@dataclass(frozen=True)
class Frame:
    """A cluster that is being made."""

    store: Store
    settings: Settings
    content: Content
    upstream: Endpoint

    @cached_property
    def release(self) -> Release:
        return Release.of(self.settings.release_version)

    @cached_property
    def roles(self) -> dict[str, tuple[str, ...]]:
        return node_roles(self.settings.nodes)

    @property
    def nodes(self) -> list[str]:
        return list(self.roles)

    @property
    def masters(self) -> list[str]:
        return [name for name, roles in self.roles.items() if "master" in roles]

    @property
    def workers(self) -> list[str]:
        """Where applications run: on a cluster of masters alone, these."""
        return [name for name, roles in self.roles.items() if "worker" in roles]

    @property
    def topology(self) -> str:
        return "HighlyAvailable" if len(self.masters) > 1 else "SingleReplica"

    # Making objects

    def documents(self, name: str, /, **words: str) -> list[dict]:
        """The documents of seeds/NAME.manifests for kinds that this version serves, with their words filled in."""
        words |= {
            "now": now(),
            "version": words.get("version", self.settings.version),
            "release_version": self.settings.release_version,
        }
        served = [document for document in _documents(name) if self._resource(document)]
        return [_filled(document, words) for document in served]

    def create(self, document: dict) -> dict:
        """Store a document with its status."""
        return self.store.create(self._resource(document), document)

    def create_all(self, name: str, /, **words: str) -> None:
        for document in self.documents(name, **words):
            self.create(document)

    def _resource(self, document: dict) -> str:
        resource = self.store.table.of_kind(document["apiVersion"], document["kind"])
        return resource.key if resource else ""

    def namespace(self, name: str) -> None:
        metadata = {"name": name, "labels": {"kubernetes.io/metadata.name": name}}
        fields = {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
        self.store.create("namespaces", {"metadata": metadata, **fields})

    def config_map(self, name: str, namespace: str, data: dict[str, str]) -> None:
        self.store.create("configmaps", {"metadata": {"name": name, "namespace": namespace}, "data": data})

    # What runs

    def container(self, name: str, image: str, **fields) -> Container:
        """A container of an image, by its reference or by the name of a component of the release."""
        reference = self.content.components.get(image, image)
        return Container(name, reference, self.content.shelf.resolve(reference), **fields)

    def deployment(self, workload: Workload, places: list[str], replicas: int = 1) -> None:
        seed_deployment(self.store, workload, places, min(replicas, len(places)))

    def daemon_set(self, workload: Workload, nodes: list[str]) -> None:
        seed_daemon_set(self.store, workload, nodes)

    def budget(self, workload: Workload) -> None:
        """The pods of a workload may go one at a time."""
        metadata = {"name": workload.name, "namespace": workload.namespace}
        spec = {"maxUnavailable": 1, "selector": {"matchLabels": workload.labels}}
        made = self.store.create(_BUDGETS, {"metadata": metadata, "spec": spec})
        numbers = housekeeping.budget(self.store, made)
        status = {"observedGeneration": made["metadata"]["generation"], **numbers}
        self.store.update_status(_BUDGETS, made | {"status": status})


@cache
def _documents(name: str) -> tuple[dict, ...]:
    return tuple(yaml.safe_load_all((_SEEDS / f"{name}.manifests").read_text(encoding="utf-8")))


def _filled(value, words: dict[str, str]):
    """A copy in which every $word is what the words say; KeyError for one that they do not."""
    if isinstance(value, dict):
        return {_filled(key, words): _filled(inner, words) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, words) for inner in value]
    return Template(value).substitute(words) if isinstance(value, str) and "$" in value else value


def noise(seed: str) -> str:
    """Sixty-four hexadecimal digits that look random and are not."""
    return hashlib.sha256(seed.encode()).hexdigest()


def identity(seed: str) -> str:
    """Something that looks like a UUID and is not random."""
    digits = noise(seed)
    return "-".join(digits[start:end] for start, end in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32)))


def condition(kind: str, status: str, reason: str = "", message: str = "") -> dict:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": now()}
