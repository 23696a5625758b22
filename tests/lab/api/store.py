# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects of the cluster: one revision counter, compare-and-swap, generations, finalizers, a history to watch.

Synchronous, for one thread (the event loop's). What is stored is never changed in place: a write puts a new object, so
that lists and watches can share one object, and one encoding of it, without copying. Whoever is handed an object by
`get`, `list` or a subscription gets a copy of its own.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections import deque
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone

from . import errors, selectors
from .resources import Resource, Table

HISTORY = 20_000  # events kept for watches that start in the past
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # no vowels and no look-alikes, as generated names have
_NAME_ATTEMPTS = 8
_SERVER_OWNED = (
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
)

Key = tuple[str, str]  # namespace ("" for cluster-wide objects), name
Callback = Callable[[str, dict], None]


def clone(value):
    """A deep copy of a JSON value; several times faster than copy.deepcopy, which must expect anything."""
    if isinstance(value, dict):
        return {key: clone(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [clone(inner) for inner in value]
    return value


def now() -> str:
    """The present as metav1.Time."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def key_of(obj: dict) -> Key:
    metadata = obj["metadata"]
    return metadata.get("namespace") or "", metadata["name"]


class Item:
    """A stored object, not to be changed, with its encodings made at first need."""

    __slots__ = ("object", "_encoded", "_entry")

    def __init__(self, obj: dict) -> None:
        self.object = obj
        self._encoded: bytes | None = None
        self._entry: bytes | None = None

    @property
    def encoded(self) -> bytes:
        """The object as JSON."""
        if self._encoded is None:
            self._encoded = _encode(self.object)
        return self._encoded

    @property
    def encoded_entry(self) -> bytes:
        """The object as an entry of a native list, where kind and apiVersion are only said once, by the list."""
        if self._entry is None:
            self._entry = _encode({k: v for k, v in self.object.items() if k not in ("kind", "apiVersion")})
        return self._entry


def _encode(value: dict) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(frozen=True)
class Event:
    """One write: `type` is ADDED, MODIFIED or DELETED; `previous` is what was stored before."""

    type: str
    revision: int
    resource: str
    item: Item
    previous: Item | None


@dataclass
class _Shelf:
    """The objects of one resource and those who want to hear of them."""

    resource: Resource
    items: dict[Key, Item] = field(default_factory=dict)
    listeners: list[Callable[[Event], None]] = field(default_factory=list)


class Store:
    """All objects of one cluster that pretends one OpenShift version.

    Resources are named by key, "pods" or "imagedigestmirrorsets.config.openshift.io"; a KeyError says that the version
    does not serve it. What the real API would refuse raises errors.Refusal.
    """

    def __init__(self, version: str = "4.16") -> None:
        self.table = Table(version)
        self.revision = 1000
        self.writes = 0
        self._shelves = {resource.key: _Shelf(resource) for resource in self.table}
        self._history: deque[Event] = deque(maxlen=HISTORY)
        self._compacted = self.revision  # nothing is known of the events up to this revision
        self._undelivered: deque[Event] = deque()
        self._delivering = False

    # Reading

    def get(self, resource: str, name: str, namespace: str | None = None) -> dict | None:
        """A copy of one object, or None."""
        item = self.item(resource, name, namespace)
        return clone(item.object) if item else None

    def list(
        self, resource: str, namespace: str | None = None, labels: dict[str, str] | str | None = None
    ) -> list[dict]:
        """Copies, ordered by namespace and name; `labels` is a mapping or a label selector."""
        wanted = selectors.labels(labels)
        return [clone(item.object) for item in self.items(resource, namespace) if wanted(item.object)]

    def item(self, resource: str, name: str, namespace: str | None = None) -> Item | None:
        return self._shelf(resource).items.get((namespace or "", name))

    def items(self, resource: str, namespace: str | None = None) -> Iterator[Item]:
        """The stored objects themselves, in order, for those who only read."""
        items = self._shelf(resource).items
        for key in sorted(items):
            if not namespace or key[0] == namespace:
                yield items[key]

    # Writing

    def create(self, resource: str, obj: dict, *, dry_run: bool = False) -> dict:
        """Store a new object, with its status if it has one; a dry run only says what would be stored."""
        shelf = self._shelf(resource)
        obj = clone(obj)
        metadata = obj.setdefault("metadata", {})
        if not shelf.resource.namespaced:
            metadata.pop("namespace", None)
        key = _name(obj, shelf.items)
        if key in shelf.items:
            leaving = "deletionTimestamp" in shelf.items[key].object["metadata"]
            raise errors.already_exists(shelf.resource, key[1], leaving=leaving)
        for owned in _SERVER_OWNED:
            metadata.pop(owned, None)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = now()
        if shelf.resource.generation:
            metadata["generation"] = 1
        obj = {"kind": shelf.resource.kind, "apiVersion": shelf.resource.api_version, **obj}
        if dry_run:
            metadata.pop("resourceVersion", None)
            return obj
        return self._commit("ADDED", shelf, key, obj, None)

    def update(self, resource: str, obj: dict, *, dry_run: bool = False) -> dict:
        """Replace an object, all but its status where that is written apart.

        A resourceVersion in the object must be the stored one; without one the write is unconditional. A write that
        changes nothing keeps the resourceVersion. Clearing the last finalizer of a deleted object removes it.
        """
        shelf = self._shelf(resource)
        stored = self._present(shelf, obj)
        new = clone(obj)
        if shelf.resource.has_status:
            _carry(new, stored, "status")
        return self._replace(shelf, stored, new, dry_run)

    def update_status(self, resource: str, obj: dict, *, dry_run: bool = False) -> dict:
        """Replace only the status of an object (and nothing where this resource keeps none)."""
        shelf = self._shelf(resource)
        stored = self._present(shelf, obj)
        new = clone(stored)
        _carry(new, clone(obj), "status")
        fields = obj["metadata"].get("managedFields")
        if fields is not None:
            new["metadata"]["managedFields"] = clone(fields)
        return self._replace(shelf, stored, new, dry_run)

    def patch(self, resource: str, name: str, merge: dict, namespace: str | None = None, status: bool = False) -> dict:
        """Apply a JSON merge patch: None removes, mappings merge, all else replaces."""
        obj = self.get(resource, name, namespace)
        if obj is None:
            raise errors.not_found(self.table[resource], name)
        merged = merge_patch(obj, merge)
        return self.update_status(resource, merged) if status else self.update(resource, merged)

    def delete(
        self,
        resource: str,
        name: str,
        namespace: str | None = None,
        *,
        grace: int | None = None,
        finalizer: str | None = None,
    ) -> dict | None:
        """Remove an object and return it as it was last, or None if there is none.

        With finalizers (or `finalizer`, one to add) or a `grace` in seconds it stays, marked with a deletionTimestamp,
        until the finalizers are cleared or it is deleted again without grace.
        """
        shelf = self._shelf(resource)
        key = (namespace or "", name)
        stored = shelf.items.get(key)
        if stored is None:
            return None
        obj = clone(stored.object)
        metadata = obj["metadata"]
        if finalizer and finalizer not in metadata.setdefault("finalizers", []):
            metadata["finalizers"].append(finalizer)
        held = _finalizers(obj)
        if not held and not grace:
            return self._commit("DELETED", shelf, key, obj, stored)
        if "deletionTimestamp" in metadata and metadata.get("deletionGracePeriodSeconds", 0) <= (grace or 0):
            return obj
        metadata["deletionTimestamp"] = now()
        metadata["deletionGracePeriodSeconds"] = grace or 0
        if "generation" in metadata:
            metadata["generation"] += 1
        return self._commit("MODIFIED", shelf, key, obj, stored)

    # Hearing of writes

    def subscribe(self, resource: str, callback: Callback) -> Callable[[], None]:
        """Call `callback(type, copy)` after every write, in the order of the writes; the answer ends it.

        A callback may write: what it causes is delivered after what caused it has reached everyone.
        """
        return self.listen(resource, lambda event: callback(event.type, clone(event.item.object)))

    def listen(self, resource: str, listener: Callable[[Event], None]) -> Callable[[], None]:
        """As subscribe, with the stored event itself, which the listener only reads."""
        listeners = self._shelf(resource).listeners
        listeners.append(listener)
        return lambda: listeners.remove(listener) if listener in listeners else None

    def since(self, resource: str, revision: int) -> list[Event]:
        """The events after a revision. Raises Refusal 410 where history does not reach back so far."""
        if revision < self._compacted:
            raise errors.expired(f"too old resource version: {revision} ({self._compacted})")
        missed = []
        for event in reversed(self._history):
            if event.revision <= revision:
                break
            if event.resource == resource:
                missed.append(event)
        return missed[::-1]

    def forget(self) -> None:
        """Drop the history, as compaction does: watches from the past then get 410 and must list again."""
        self._history.clear()
        self._compacted = self.revision

    # Within

    def _shelf(self, resource: str) -> _Shelf:
        try:
            return self._shelves[resource]
        except KeyError:
            return self._shelves[self.table[resource].key]  # raises with a sentence

    def _present(self, shelf: _Shelf, obj: dict) -> dict:
        """What is stored under an object's name, if the object may replace it."""
        key = key_of(obj)
        if not shelf.resource.namespaced:
            key = ("", key[1])
        item = shelf.items.get(key)
        if item is None:
            raise errors.not_found(shelf.resource, key[1])
        stored, given = item.object["metadata"], obj["metadata"]
        if given.get("uid") and given["uid"] != stored["uid"]:
            raise errors.another_object(shelf.resource, key, given["uid"], stored["uid"])
        if given.get("resourceVersion") and given["resourceVersion"] != stored["resourceVersion"]:
            raise errors.modified_meanwhile(shelf.resource, key[1])
        return item.object

    def _replace(self, shelf: _Shelf, stored: dict, new: dict, dry_run: bool) -> dict:
        metadata = new["metadata"]
        metadata["resourceVersion"] = stored["metadata"]["resourceVersion"]
        for owned in _SERVER_OWNED:
            _carry(metadata, stored["metadata"], owned)
        new["apiVersion"], new["kind"] = stored["apiVersion"], stored["kind"]
        if _same(stored, new):
            return clone(stored)
        if shelf.resource.generation and _wish(shelf.resource, stored) != _wish(shelf.resource, new):
            metadata["generation"] += 1
        if dry_run:
            return new
        key = key_of(stored)
        finished = "deletionTimestamp" in metadata and not _finalizers(new)
        if finished and not metadata.get("deletionGracePeriodSeconds"):
            return self._commit("DELETED", shelf, key, new, shelf.items[key])
        return self._commit("MODIFIED", shelf, key, new, shelf.items[key])

    def _commit(self, kind: str, shelf: _Shelf, key: Key, obj: dict, previous: Item | None) -> dict:
        self.revision += 1
        self.writes += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        item = Item(obj)
        if kind == "DELETED":
            del shelf.items[key]
        else:
            shelf.items[key] = item
        event = Event(kind, self.revision, shelf.resource.key, item, previous)
        if len(self._history) == HISTORY:
            self._compacted = self._history[0].revision
        self._history.append(event)
        self._undelivered.append(event)
        self._deliver()
        return clone(obj)

    def _deliver(self) -> None:
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._undelivered:
                event = self._undelivered.popleft()
                for listener in tuple(self._shelves[event.resource].listeners):
                    listener(event)
        finally:
            self._delivering = False


def merge_patch(target, patch):
    """RFC 7386: a new value; neither argument is changed."""
    if not isinstance(patch, dict):
        return clone(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def _name(obj: dict, taken: Container[Key]) -> Key:
    """The object's key; a name that it leaves to the server is tried again while it is taken, as of Kubernetes 1.30."""
    metadata = obj["metadata"]
    if not metadata.get("name") and metadata.get("generateName"):
        for _attempt in range(_NAME_ATTEMPTS):
            suffix = "".join(secrets.choice(_SUFFIX_ALPHABET) for _position in range(5))
            metadata["name"] = metadata["generateName"][:58] + suffix
            if key_of(obj) not in taken:
                break
    return key_of(obj)


def _carry(target: dict, source: dict, key: str) -> None:
    """Make one key of `target` what it is in `source`, absent included."""
    if key in source:
        target[key] = source[key]
    else:
        target.pop(key, None)


def _finalizers(obj: dict) -> list[str]:
    """What must be cleared before a deleted object goes; a namespace keeps one more list, in its spec."""
    within = obj.get("spec", {}).get("finalizers", []) if obj.get("kind") == "Namespace" else []
    return [*obj["metadata"].get("finalizers", []), *within]


def _wish(resource: Resource, obj: dict) -> dict:
    """The part of an object whose changes its generation counts."""
    aside = {"metadata", "status"} if resource.has_status else {"metadata"}
    return {key: value for key, value in obj.items() if key not in aside}


def _same(stored: dict, new: dict) -> bool:
    """Whether a write changes nothing; the moments in managedFields do not count."""

    def essence(obj: dict) -> dict:
        metadata = dict(obj["metadata"])
        fields = [{k: v for k, v in entry.items() if k != "time"} for entry in metadata.pop("managedFields", [])]
        return {**obj, "metadata": metadata, "managed": fields}

    return essence(stored) == essence(new)
