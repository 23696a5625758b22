# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Creates, updates, patches and deletes as a client asks for them: decoded, completed, checked, then stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from . import admission, bodies, errors, housekeeping, ownership, patch, schema, shapes
from .errors import Cause, Refusal, bad_request, failed_precondition, invalid_options, not_found, unsupported_media_type
from .resources import Resource
from .routes import Call
from .store import Store, clone, now

_ANSWERS_WITH_OBJECT = ("pods", "namespaces", "services", "serviceaccounts")
_KEEPS_STATUS_ON_CREATE = ("nodes",)
_DEFAULT_GRACE = 30
_IMMORTAL = ("default", "kube-public", "kube-system")
_PRIORITIES = ("openshift-user-critical", "system-cluster-critical", "system-node-critical")


@dataclass
class Intent:
    """How a client wants its write done."""

    manager: str
    dry_run: bool = False
    validation: str = "Warn"  # Strict, Warn or Ignore
    force: bool = False
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, query: Mapping[str, str], agent: str) -> Intent:
        dry_run = query.get("dryRun", "")
        wrong = []
        if dry_run not in ("", "All"):
            message = f'Unsupported value: []string{{"{dry_run}"}}: supported values: "All"'
            wrong.append(Cause("dryRun", message, "FieldValueNotSupported"))
        validation = query.get("fieldValidation") or "Warn"
        if validation not in ("Strict", "Warn", "Ignore"):
            message = f'Unsupported value: "{validation}": supported values: "", "Ignore", "Strict", "Warn"'
            wrong.append(Cause("fieldValidation", message, "FieldValueNotSupported"))
        if wrong:
            raise invalid_options("CreateOptions", wrong)
        manager = query.get("fieldManager") or agent.partition("/")[0][:128] or "unknown"
        return cls(manager, dry_run == "All", validation, query.get("force") == "true")


def create(store: Store, call: Call, body: object, intent: Intent) -> dict:
    """POST of an object."""
    resource = call.resource
    obj = bodies.fit(body, resource, call.namespace if resource.namespaced else "")
    if obj["metadata"].pop("resourceVersion", None):
        raise Refusal(500, "", "resourceVersion should not be set on objects to be created")
    return _create(store, resource, obj, intent)


def _create(store: Store, resource: Resource, obj: dict, intent: Intent, *, owned: bool = False) -> dict:
    if resource.has_status and resource.key not in _KEEPS_STATUS_ON_CREATE:
        obj.pop("status", None)
    _decode(resource, obj, intent)
    _check_namespace(store, resource, obj["metadata"])
    admission.complete(resource, obj)
    if resource.key == "pods":
        _check_pod(store, obj)
    admission.validate(resource, obj)
    if not owned:
        ownership.record_update(resource, intent.manager, None, obj)
    return store.create(resource.key, obj, dry_run=intent.dry_run)


def update(store: Store, call: Call, body: object, intent: Intent) -> dict:
    """PUT of an object, or of its status."""
    old = _stored(store, call)
    new = bodies.fit(body, call.resource, call.namespace if call.resource.namespaced else "", call.name)
    if call.resource.custom and not new["metadata"].get("resourceVersion"):
        raise _without_version(call.resource, call.name)
    _decode(call.resource, new, intent)
    return _replace(store, call, old, new, intent)


def patched(store: Store, call: Call, body: object, kind: str, intent: Intent) -> tuple[dict, bool]:
    """PATCH in any of the formats: the object, and whether server-side apply created it."""
    resource = call.resource
    if kind == patch.APPLY:
        return _applied(store, call, body, intent)
    if kind not in (patch.JSON, patch.MERGE, patch.STRATEGIC) or (kind == patch.STRATEGIC and resource.custom):
        if not resource.custom:
            raise unsupported_media_type("415: Unsupported Media Type")
        known = ", ".join((patch.JSON, patch.MERGE, patch.APPLY))
        raise unsupported_media_type(
            f"the body of the request was in an unknown format - accepted media types include: {known}"
        )
    old = _stored(store, call)
    outcome = patch.apply(kind, shapes.of(resource), old, body)
    new = bodies.fit(clone(outcome), resource, call.namespace if resource.namespaced else "", call.name)
    try:
        _decode(resource, new, intent)
    except Refusal as refusal:
        strategic = kind == patch.STRATEGIC
        shown = patch.in_words_of_go(body) if strategic else json.dumps(outcome, separators=(",", ":"), sort_keys=True)
        raise errors.invalid_patch(shown, refusal.message.partition(": ")[2]) from None
    return _replace(store, call, old, new, intent), False


def _without_version(resource: Resource, name: str) -> Refusal:
    about = {"name": name, "group": resource.group, "kind": resource.plural}
    message = "Invalid value: 0x0: must be specified for an update"
    causes = [{"reason": "FieldValueInvalid", "message": message, "field": "metadata.resourceVersion"}]
    text = f'{resource.key} "{name}" is invalid: metadata.resourceVersion: {message}'
    return Refusal(422, "Invalid", text, {**about, "causes": causes})


def _applied(store: Store, call: Call, body: object, intent: Intent) -> tuple[dict, bool]:
    resource = call.resource
    applied = bodies.fit(body, resource, call.namespace if resource.namespaced else "", call.name)
    if applied["metadata"].get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    _decode(resource, applied, intent)
    item = store.item(resource.key, call.name, call.namespace if resource.namespaced else "")
    if item is None:
        if call.subresource:
            raise not_found(resource, call.name)
        merged = ownership.apply(resource, intent.manager, None, applied, intent.force)
        return _create(store, resource, merged, intent, owned=True), True
    merged = ownership.apply(resource, intent.manager, item.object, applied, intent.force)
    return _replace(store, call, item.object, merged, intent, owned=True), False


def _replace(store: Store, call: Call, old: dict, new: dict, intent: Intent, *, owned: bool = False) -> dict:
    resource = call.resource
    if call.subresource == "status":
        new = {**new, "spec": old["spec"]} if "spec" in old else new
    elif resource.has_status:
        new["status"] = old.get("status")
        if new["status"] is None:
            del new["status"]
    admission.complete(resource, new)
    for immutable in ("uid", "creationTimestamp"):
        new["metadata"].setdefault(immutable, old["metadata"].get(immutable))
    admission.validate(resource, new, old)
    if not owned:
        ownership.record_update(resource, intent.manager, old, new, call.subresource)
    write = store.update_status if call.subresource == "status" else store.update
    return write(resource.key, new, dry_run=intent.dry_run)


def _decode(resource: Resource, obj: dict, intent: Intent) -> None:
    """Make a body an object of the resource, in place: unknown fields refused or dropped, defaults set."""
    shape = shapes.of(resource)
    unknown = [f'unknown field "{path}"' for path in schema.prune(shape, obj, keep_nulls=resource.custom)]
    if unknown and intent.validation == "Strict":
        raise bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            f"strict decoding error: {', '.join(unknown)}"
        )
    if intent.validation == "Warn":
        intent.warnings += unknown
    if not resource.custom:
        admission.decode_native(resource, obj)
    schema.fill_defaults(shape, obj)


def _check_namespace(store: Store, resource: Resource, metadata: dict) -> None:
    if not resource.namespaced:
        return
    namespace = metadata["namespace"]
    holder = store.item("namespaces", namespace)
    if holder is None:
        raise not_found(store.table["namespaces"], namespace)
    if "deletionTimestamp" in holder.object["metadata"]:
        name = metadata.get("name", "")
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        raise _forbidden(resource, name, why)


def _check_pod(store: Store, pod: dict) -> None:
    """A pod's account and its priority must be there."""
    metadata, spec = pod["metadata"], pod["spec"]
    name, account = metadata.get("name", ""), spec["serviceAccountName"]
    if store.item("serviceaccounts", account, metadata["namespace"]) is None:
        place = f"{metadata['namespace']}/{account}"
        why = f'error looking up service account {place}: serviceaccount "{account}" not found'
        raise _forbidden(store.table["pods"], name, why)
    if spec.get("priorityClassName") and spec["priorityClassName"] not in _PRIORITIES:
        why = f"no PriorityClass with name {spec['priorityClassName']} was found"
        raise _forbidden(store.table["pods"], name, why)


def _forbidden(resource: Resource, name: str, why: str) -> Refusal:
    about = {"name": name, **({"group": resource.group} if resource.group else {}), "kind": resource.plural}
    return Refusal(403, "Forbidden", f'{resource.key} "{name}" is forbidden: {why}', about)


def _stored(store: Store, call: Call) -> dict:
    item = store.item(call.resource.key, call.name, call.namespace if call.resource.namespaced else "")
    if item is None:
        raise not_found(call.resource, call.name)
    return item.object


def scale(store: Store, call: Call, change: dict | None, intent: Intent) -> dict:
    """The Scale of a workload; a change to it, a whole Scale or a merge patch, sets the workload's replicas."""
    obj = _stored(store, call)
    replicas = ((change or {}).get("spec") or {}).get("replicas")
    if replicas is not None:
        new = clone(obj)
        new["spec"]["replicas"] = replicas
        new["metadata"]["resourceVersion"] = (change.get("metadata") or {}).get("resourceVersion")
        ownership.record_update(call.resource, intent.manager, obj, new, "scale")
        obj = store.update(call.resource.key, new, dry_run=intent.dry_run)
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    labels = (obj["spec"].get("selector") or {}).get("matchLabels") or {}
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: obj["metadata"][key] for key in kept if key in obj["metadata"]},
        "spec": {"replicas": obj["spec"].get("replicas", 1)},
        "status": {"replicas": obj.get("status", {}).get("replicas", 0), "selector": selector},
    }


# Deleting


def delete(store: Store, call: Call, options: dict, intent: Intent) -> dict:
    """DELETE of one object: what the server answers, the object or a Status."""
    obj = _stored(store, call)
    if call.resource.key == "namespaces" and call.name in _IMMORTAL:
        raise _forbidden(call.resource, call.name, "this namespace may not be deleted")
    _check_preconditions(call.resource, obj, options.get("preconditions") or {})
    last = _remove(store, call.resource, obj, options, intent)
    if call.resource.key == "pods" and "deletionTimestamp" not in last["metadata"]:
        last["metadata"].update(deletionTimestamp=now(), deletionGracePeriodSeconds=0)
    gone = store.item(call.resource.key, call.name, call.namespace if call.resource.namespaced else "") is None
    if (gone or intent.dry_run) and call.resource.key not in _ANSWERS_WITH_OBJECT:
        return _deleted(call.resource, obj)
    return last


def delete_collection(store: Store, call: Call, chosen: list[dict], options: dict, intent: Intent) -> list[dict]:
    """DELETE of all the chosen objects: the objects."""
    return [_remove(store, call.resource, obj, options, intent) for obj in chosen]


def _deleted(resource: Resource, obj: dict) -> dict:
    details = {"name": obj["metadata"]["name"], "kind": resource.plural, "uid": obj["metadata"]["uid"]}
    if resource.group:
        details["group"] = resource.group
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _check_preconditions(resource: Resource, obj: dict, preconditions: dict) -> None:
    for field_name, label in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        wanted, found = preconditions.get(field_name), obj["metadata"][field_name]
        if wanted is not None and wanted != found:
            raise failed_precondition(resource, obj["metadata"]["name"], label, wanted, found)


def _remove(store: Store, resource: Resource, obj: dict, options: dict, intent: Intent) -> dict:
    if intent.dry_run:
        return clone(obj)
    metadata = obj["metadata"]
    finalizer = housekeeping.FOREGROUND if options.get("propagationPolicy") == "Foreground" else None
    if options.get("propagationPolicy") == "Orphan" or options.get("orphanDependents"):
        _orphan(store, metadata["uid"])
    grace = _grace(obj, options) if resource.key == "pods" else None
    last = store.delete(resource.key, metadata["name"], metadata.get("namespace"), grace=grace, finalizer=finalizer)
    return last or clone(obj)


def _grace(pod: dict, options: dict) -> int:
    """How long a pod may take to end, in seconds; one that runs nowhere, or no longer, takes none."""
    if not pod["spec"].get("nodeName") or pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    asked = options.get("gracePeriodSeconds")
    return asked if asked is not None else pod["spec"].get("terminationGracePeriodSeconds", _DEFAULT_GRACE)


def _orphan(store: Store, owner: str) -> None:
    for resource in store.table:
        for item in list(store.items(resource.key)):
            references = item.object["metadata"].get("ownerReferences") or []
            if any(reference["uid"] == owner for reference in references):
                obj = clone(item.object)
                obj["metadata"]["ownerReferences"] = [r for r in references if r["uid"] != owner]
                store.update(resource.key, obj)


def evict(store: Store, call: Call, body: object, intent: Intent) -> dict:
    """POST to pods/eviction: a delete that disruption budgets can forbid."""
    options = (body.get("deleteOptions") or {}) if isinstance(body, dict) else {}
    obj = _stored(store, call)

    def remove() -> None:
        _remove(store, call.resource, obj, options, intent)

    housekeeping.evict(store, call.namespace, call.name, remove)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
