# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a control plane does by itself with every kind: garbage, namespaces, disruption budgets, evictions."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Callable

from . import selectors
from .errors import Refusal, not_found
from .store import Event, Store, key_of

FOREGROUND = "foregroundDeletion"
NAMESPACE_GRACE = 5.0  # seconds for which a real cluster leaves a deleted namespace as it is
_BUDGETS = "poddisruptionbudgets.policy"


class Housekeeping:
    """Watches the whole store and tidies it, within the write that gives the cause; budgets are counted soon after.

    Every namespace gets what every namespace has: a default service account, and the API server's CA, `ca` as PEM. One
    that is deleted is looked at `grace` seconds later.
    """

    def __init__(self, store: Store, ca: str = "", grace: float = 0.0) -> None:
        self._store = store
        self._ca = ca
        self._grace = grace
        self._to_count: set[str] = set()  # namespaces whose budgets are out of date
        self._dependents: dict[str, set[tuple[str, str, str]]] = defaultdict(set)  # owner's uid -> resource, ns, name
        for resource in store.table:
            store.listen(resource.key, self._index)
        store.listen("namespaces", self._namespace)
        store.listen("pods", self._pod)
        store.listen(_BUDGETS, lambda event: self._count_soon(event.item.object["metadata"]["namespace"]))
        for item in list(store.items("namespaces")):
            self._furnish(item.object["metadata"]["name"])

    def _index(self, event: Event) -> None:
        metadata = event.item.object["metadata"]
        place = (event.resource, *key_of(event.item.object))
        for owner in metadata.get("ownerReferences") or []:
            if event.type == "DELETED":
                self._dependents[owner["uid"]].discard(place)
            else:
                self._dependents[owner["uid"]].add(place)
        if event.type == "DELETED":
            self._collect(metadata["uid"])
        elif "deletionTimestamp" in metadata and FOREGROUND in metadata.get("finalizers", ()):
            self._collect(metadata["uid"])
            self._clear_foreground(event)

    def _collect(self, owner: str) -> None:
        """Delete what the owner alone owned; what has another owner left stays."""
        for resource, namespace, name in self._dependents.pop(owner, set()):
            item = self._store.item(resource, name, namespace)
            owners = item.object["metadata"].get("ownerReferences", []) if item else []
            if item and all(
                reference["uid"] == owner or not self._exists(reference, namespace) for reference in owners
            ):
                self._store.delete(resource, name, namespace)

    def _exists(self, reference: dict, namespace: str) -> bool:
        resource = self._store.table.of_kind(reference["apiVersion"], reference["kind"])
        if resource is None:
            return False
        item = self._store.item(resource.key, reference["name"], namespace if resource.namespaced else "")
        return item is not None and item.object["metadata"]["uid"] == reference["uid"]

    def _clear_foreground(self, event: Event) -> None:
        namespace, name = key_of(event.item.object)
        obj = self._store.get(event.resource, name, namespace)
        if obj:
            obj["metadata"]["finalizers"].remove(FOREGROUND)
            self._store.update(event.resource, obj)

    def _namespace(self, event: Event) -> None:
        """A deleted namespace takes its objects along and goes once it is empty."""
        metadata = event.item.object["metadata"]
        name = metadata["name"]
        if event.type == "ADDED":
            self._furnish(name)
        if event.type == "DELETED" or "deletionTimestamp" not in metadata:
            return
        if event.item.object.get("status", {}).get("phase") == "Terminating":
            return
        self._store.patch("namespaces", name, {"status": {"phase": "Terminating"}}, status=True)
        if self._grace:
            asyncio.get_running_loop().call_later(self._grace, self._empty, name)
        else:
            self._empty(name)

    def _empty(self, namespace: str) -> None:
        for resource in self._store.table:
            if resource.namespaced and "list" in resource.verbs:
                for item in list(self._store.items(resource.key, namespace)):
                    self._store.delete(resource.key, item.object["metadata"]["name"], namespace)
        self._release(namespace)

    def _furnish(self, namespace: str) -> None:
        for resource, name, content in (
            ("serviceaccounts", "default", {}),
            ("configmaps", "kube-root-ca.crt", {"data": {"ca.crt": self._ca}}),
        ):
            if not self._store.item(resource, name, namespace):
                self._store.create(resource, {"metadata": {"name": name, "namespace": namespace}, **content})

    def _release(self, name: str) -> None:
        left = any(
            next(iter(self._store.items(resource.key, name)), None)
            for resource in self._store.table
            if resource.namespaced and "list" in resource.verbs
        )
        if not left and self._store.item("namespaces", name):
            self._store.patch("namespaces", name, {"spec": {"finalizers": []}})

    def _pod(self, event: Event) -> None:
        namespace = event.item.object["metadata"]["namespace"]
        if (
            event.previous is None
            or event.type == "DELETED"
            or ready(event.previous.object) != ready(event.item.object)
        ):
            self._count_soon(namespace)
        if event.type == "DELETED":
            holder = self._store.item("namespaces", namespace)
            if holder and "deletionTimestamp" in holder.object["metadata"]:
                self._release(namespace)

    def _count_soon(self, namespace: str) -> None:
        """Count once for all the pods that come and go in one turn of the loop."""
        if namespace not in self._to_count:
            self._to_count.add(namespace)
            asyncio.get_running_loop().call_soon(self._count, namespace)

    def _count(self, namespace: str) -> None:
        self._to_count.discard(namespace)
        for item in list(self._store.items(_BUDGETS, namespace)):
            status = {"observedGeneration": item.object["metadata"]["generation"], **budget(self._store, item.object)}
            self._store.patch(_BUDGETS, item.object["metadata"]["name"], {"status": status}, namespace, status=True)


def budget(store: Store, disruption_budget: dict) -> dict:
    """The numbers of a PodDisruptionBudget's status, from the pods that are there."""
    spec, namespace = disruption_budget["spec"], disruption_budget["metadata"]["namespace"]
    chosen = selectors.label_selector(spec.get("selector"))
    pods = [item.object for item in store.items("pods", namespace) if chosen(item.object)]
    healthy = sum(map(ready, pods))
    if "maxUnavailable" in spec:
        desired = max(0, len(pods) - _share(spec["maxUnavailable"], len(pods)))
    else:
        desired = _share(spec.get("minAvailable", 1), len(pods))
    return {
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": len(pods),
        "disruptionsAllowed": max(0, healthy - desired),
    }


def _share(amount: int | str, of: int) -> int:
    return amount if isinstance(amount, int) else math.ceil(int(amount.rstrip("%")) * of / 100)


def ready(pod: dict) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def evict(store: Store, namespace: str, name: str, delete: Callable[[], object] | None = None) -> None:
    """Delete a pod unless a disruption budget forbids it: then Refusal 429, with the budget's name.

    `delete` is how; without it the pod is gone at once.
    """
    item = store.item("pods", name, namespace)
    if item is None:
        raise not_found(store.table["pods"], name)
    for found in store.items(_BUDGETS, namespace):
        if not selectors.label_selector(found.object["spec"].get("selector"))(item.object):
            continue
        numbers = budget(store, found.object)
        if ready(item.object) and not numbers["disruptionsAllowed"]:
            why = (
                f"The disruption budget {found.object['metadata']['name']} needs {numbers['desiredHealthy']} healthy "
                f"pods and has {numbers['currentHealthy']} currently"
            )
            causes = [{"reason": "DisruptionBudget", "message": why}]
            message = "Cannot evict pod as it would violate the pod's disruption budget."
            raise Refusal(429, "TooManyRequests", message, {"causes": causes})
    (delete or (lambda: store.delete("pods", name, namespace)))()
