# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: catalog_sources
short_description: Serve mirrored Operator catalogs in a cluster
version_added: 0.1.0
description:
  - Creates a C(CatalogSource) for each mirrored index image and, where the cluster serves them, a C(ClusterCatalog), and
    waits until they are served.
  - Subscriptions name the catalog that they come from. An index that the cluster's own default catalog serves already is
    therefore served under that catalog's name. The default one is disabled in C(OperatorHub) for it, as the marketplace
    operator resets any other change of it.
  - Only objects with the label C(app.kubernetes.io/managed-by=disconnected.openshift) are ever changed or deleted.
  - Nodes are not touched. They pull the index images from the mirror registry, so they need its credentials and CA before.
author:
  - The disconnected.openshift maintainers (!UNKNOWN)
extends_documentation_fragment:
  - disconnected.openshift.cluster
  - disconnected.openshift.progress
  - disconnected.openshift.attributes
attributes:
  check_mode:
    support: full
    details: Nothing is awaited in check mode.
  diff_mode:
    support: full
options:
  catalogs:
    description:
      - The catalogs, as M(disconnected.openshift.mirror_plan) returns them. These, and no others, are there afterwards of
        the objects that this module made.
      - An empty list removes them all, as O(state=absent) does.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the catalog where no default catalog's name is taken.
        type: str
        required: true
      image:
        description: The index image in the mirror registry.
        type: str
        required: true
      digest:
        description: The index image's digest. It is not needed.
        type: str
      source:
        description: The index image as it is called outside, by which the default catalog is found.
        type: str
  defaults:
    description:
      - V(replaced) takes the place of the default catalogs whose index is among O(catalogs).
      - V(kept) leaves them, and the catalogs bear their own names.
    type: str
    choices: [replaced, kept]
    default: replaced
  state:
    description:
      - V(present) makes the catalogs be served.
      - V(absent) removes what this module made, and lets the default catalogs come back that it disabled.
    type: str
    choices: [present, absent]
    default: present
  wait:
    description: Seconds that the catalogs may take to be served. With V(0) nothing is awaited.
    type: float
    default: 300
  poll_interval:
    description: Seconds between two looks.
    type: float
    default: 5
seealso:
  - module: disconnected.openshift.mirror_plan
  - module: disconnected.openshift.cluster_connectivity
"""

EXAMPLES = r"""
- name: Serve what was mirrored
  disconnected.openshift.catalog_sources:
    catalogs: "{{ mirror_plan_result.catalog_sources }}"

- name: Go back to the catalogs that the cluster came with
  disconnected.openshift.catalog_sources:
    state: absent
"""

RETURN = r"""
catalogs:
  description: The catalogs that are served, and under which names.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the CatalogSource.
      type: str
      sample: redhat-operators
    image:
      description: The index image.
      type: str
      sample: mirror.example.com:8443/olm/redhat-operator-index:v4.16
    replaces_default:
      description: Whether it takes the place of a default catalog.
      type: bool
      sample: true
created:
  description: Objects that were created, as C(kind name).
  returned: success
  type: list
  elements: str
  sample: ["CatalogSource redhat-operators"]
updated:
  description: Objects that were changed.
  returned: success
  type: list
  elements: str
deleted:
  description: Objects that were deleted.
  returned: success
  type: list
  elements: str
served:
  description: Whether all of this was so before, and each catalog served, so that there was nothing to write or to wait for.
  returned: success
  type: bool
  sample: false
"""

import json
import re
from dataclasses import dataclass, field
from typing import Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import errors, image_ref, predicates, progress, wait
from ..module_utils.cluster import ARGUMENT_SPEC, OWNER, OWNER_LABEL, Cluster, optimistic, owned

NAMESPACE = "openshift-marketplace"
SOURCE = ("operators.coreos.com/v1alpha1", "CatalogSource")
CATALOG = ("olm.operatorframework.io/v1", "ClusterCatalog")
HUB = ("config.openshift.io/v1", "OperatorHub")
# On OperatorHub: {name of a default catalog that we disabled: its entry from before, or null}.
RECORD = "disconnected.openshift/replaced-catalogs"
# How the default catalogs are called by their index images, when they are disabled already.
DEFAULT_NAMES = {
    "redhat/redhat-operator-index": "redhat-operators",
    "redhat/certified-operator-index": "certified-operators",
    "redhat/community-operator-index": "community-operators",
    "redhat/redhat-marketplace-index": "redhat-marketplace",
}
OWNED = "%s=%s" % (OWNER_LABEL, OWNER)
POLL_MINUTES = 240  # how often the cluster looks whether the tag of an index moved, as the default catalogs do


@dataclass(frozen=True)
class Catalogs:
    """What the cluster has; `hub` is None where the marketplace capability is not enabled, `clusters` where the API
    does not serve ClusterCatalogs."""

    sources: List[Dict]
    clusters: Optional[List[Dict]]
    hub: Optional[Dict]


@dataclass
class Plan:
    """What to write. First what is deleted goes; then OperatorHub is changed; what is created comes when the default
    catalog of its name is gone."""

    catalogs: List[Dict] = field(default_factory=list)
    delete: List[Dict] = field(default_factory=list)
    hub: Optional[Dict] = None  # a merge patch
    create: List[Dict] = field(default_factory=list)
    update: List[Dict] = field(default_factory=list)  # as wanted, with the resourceVersion of what is there
    former: List[Dict] = field(default_factory=list)
    hub_before: Optional[Dict] = None
    names_to_leave: List[str] = field(default_factory=list)  # default catalogs whose names are taken
    served: bool = False  # everything is so already, and each catalog served

    @property
    def changed(self):
        return bool(self.delete or self.hub or self.create or self.update)


def main():
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            catalogs=dict(type="list", elements="dict", default=[], options=dict(
                name=dict(required=True), image=dict(required=True), digest=dict(), source=dict())),
            defaults=dict(choices=["replaced", "kept"], default="replaced"),
            state=dict(choices=["present", "absent"], default="present"),
            wait=dict(type="float", default=300),
            poll_interval=dict(type="float", default=5),
            **progress.ARGUMENT_SPEC,
        ),
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(Cluster.connect(module.params), module.params, module.check_mode))
    except errors.Error as error:
        module.fail_json(**error.result())


def run(cluster, params, check_mode, clock=wait.SystemClock()):
    """The module's result. Raises TimedOut, naming the catalog and its pod's trouble, when one is not served in time."""
    catalogs = params["catalogs"] if params["state"] == "present" else []
    for catalog in catalogs:
        image_ref.parse(catalog["image"])
    if catalogs and not cluster.serves(*SOURCE):
        raise errors.NotFound("%s has no Operator Lifecycle Manager: it serves no CatalogSources, so leave the catalogs "
                              "out." % cluster.host)
    plan = optimistic(lambda: plan_for(read(cluster), catalogs, params["defaults"]),
                      lambda plan: None if check_mode else carry_out(cluster, plan, params, clock))
    result = {
        "changed": plan.changed, "catalogs": plan.catalogs, "created": _titles(plan.create),
        "updated": _titles(plan.update), "deleted": _titles(plan.delete), "diff": difference(plan),
        "served": plan.served,
    }
    if params["wait"] and not check_mode and catalogs:
        names = [catalog["name"] for catalog in plan.catalogs]
        try:
            wait.poll(lambda: unserved(cluster, names), params["wait"], params["poll_interval"], clock,
                      progress.Teller.of(params, clock).tell)
        except errors.TimedOut as late:
            raise errors.TimedOut(late.message + " The Operators of such a catalog can neither be installed nor updated. Is "
                                  "its image in the mirror registry, and does every node have its credentials and CA?",
                                  **result) from None
    return result


def read(cluster):
    """What the cluster has, which may be without the Operator Lifecycle Manager."""
    return Catalogs(
        sources=cluster.list(*SOURCE, namespace=NAMESPACE) if cluster.serves(*SOURCE) else [],
        clusters=cluster.list(*CATALOG) if cluster.serves(*CATALOG) else None,
        hub=cluster.get(*HUB, "cluster") if cluster.serves(*HUB) else None,
    )


def plan_for(there, catalogs, defaults):
    """How these catalogs, and no others of ours, come to be served."""
    plan = Plan()
    record = _record(there.hub)
    existing = {(obj["kind"], obj["metadata"]["name"]): obj for obj in there.sources + (there.clusters or [])}
    replaced = {}
    wanted = []
    names = _defaults_of(catalogs, there) if defaults == "replaced" else [None] * len(catalogs)
    for catalog, default in zip(catalogs, names):
        name = default or catalog["name"]
        if default:
            replaced[default] = catalog
        plan.catalogs.append({"name": name, "image": catalog["image"], "replaces_default": bool(default)})
        wanted.append(_source(name, catalog, existing.get((SOURCE[1], name))))
        if there.clusters is not None:
            wanted.append(_cluster_catalog(catalog))
    for obj in wanted:
        _plan_one(plan, obj, existing.get((obj["kind"], obj["metadata"]["name"])), replaced)
    kept = {(obj["kind"], obj["metadata"]["name"]) for obj in wanted}
    plan.delete = [obj for key, obj in sorted(existing.items()) if owned(obj) and key not in kept]
    plan.former += plan.delete
    plan.names_to_leave = [name for name in replaced if not owned(existing.get((SOURCE[1], name)) or _NOBODYS)]
    plan.hub = _hub_patch(there.hub, record, replaced)
    plan.hub_before = there.hub
    plan.served = not plan.changed and all(is_served(existing[key]) for key in kept)
    return plan


_NOBODYS = {"metadata": {}}


def _plan_one(plan, obj, stored, replaced):
    is_replaced = obj["kind"] == SOURCE[1] and obj["metadata"]["name"] in replaced
    if stored is None or (is_replaced and predicates.is_default_catalog(stored)):
        plan.create.append(obj)
    elif not owned(stored):
        raise errors.Conflict("%s exists and is not this collection's. Give the catalog another name." % _title(obj))
    elif not _says(stored.get("spec") or {}, obj["spec"]):
        metadata = dict(obj["metadata"], resourceVersion=stored["metadata"]["resourceVersion"])
        plan.update.append(dict(obj, metadata=metadata))
        plan.former.append(stored)


def _says(stored, wanted):
    """Does the stored spec say all that is wanted? What the API adds to it, such as defaults, does not count."""
    return all(_says(stored.get(key) or {}, value) if isinstance(value, dict) else stored.get(key) == value
               for key, value in wanted.items())


def _defaults_of(catalogs, there):
    """For each catalog the name of the default catalog whose place it takes, or None; no name twice.

    Of several versions of one index it is the one that has the place already, or the default catalog's tag, or comes first.
    """
    names = [_default_of(catalog, there) for catalog in catalogs]
    served = {source["metadata"]["name"]: source["spec"].get("image", "") for source in there.sources}

    def preference(number):
        image = served.get(names[number], "")
        same_tag = image and image_ref.parse(image).tag == image_ref.parse(catalogs[number]["source"]).tag
        return catalogs[number]["image"] != image, not same_tag, number

    chosen = {name: min((n for n, each in enumerate(names) if each == name), key=preference) for name in names if name}
    return [name if name and chosen[name] == number else None for number, name in enumerate(names)]


def _default_of(catalog, there):
    """The name of the default catalog with this index: of the one that is there, or the one that it had, as long as
    nobody else uses that name."""
    if not catalog.get("source"):
        return None
    for source in there.sources:
        place = _index(source["spec"].get("image", ""))
        if predicates.is_default_catalog(source) and place and _is_index(catalog, *place):
            return source["metadata"]["name"]
    registry = image_ref.parse(catalog["source"]).registry
    name = next((name for path, name in DEFAULT_NAMES.items() if _is_index(catalog, registry, path)), None)
    taken = [source for source in there.sources if source["metadata"]["name"] == name and not owned(source)]
    return None if taken else name


def _is_index(catalog, registry, path):
    """Is a catalog the index at a registry's path? Where only its place on the mirror is known, because another tool chose
    it, that ends in the path, as it is or joined by dashes."""
    reference = image_ref.parse(catalog["source"])
    if catalog["source"] != catalog["image"]:
        return (reference.registry, reference.path) == (registry, path)
    forms = "|".join(re.escape(form) for form in (path, path.replace("/", "-")))
    return re.search("(?:^|[/-])(?:%s)$" % forms, reference.path) is not None


def _index(image):
    """(registry, path) of an index image, () when there is none: its tag is the cluster's minor version."""
    reference = image_ref.parse(image) if image else None
    return (reference.registry, reference.path) if reference else ()


def _source(name, catalog, former):
    """The CatalogSource; of the one that it replaces it keeps how it is called on the screen, and its rank."""
    look = (former or {}).get("spec") or {}
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {OWNER_LABEL: OWNER}}
    spec = {
        "sourceType": "grpc", "image": catalog["image"],
        "displayName": look.get("displayName") or catalog["name"],
        "publisher": look.get("publisher") or OWNER,
        "updateStrategy": {"registryPoll": {"interval": "%dm" % POLL_MINUTES}},
    }
    if "priority" in look:
        spec["priority"] = look["priority"]
    return {"apiVersion": SOURCE[0], "kind": SOURCE[1], "metadata": metadata, "spec": spec}


def _cluster_catalog(catalog):
    image = {"ref": catalog["image"]}
    if image_ref.parse(catalog["image"]).digest is None:
        image["pollIntervalMinutes"] = POLL_MINUTES  # the API refuses it beside a digest
    return {"apiVersion": CATALOG[0], "kind": CATALOG[1],
            "metadata": {"name": catalog["name"], "labels": {OWNER_LABEL: OWNER}},
            "spec": {"source": {"type": "Image", "image": image}}}


# --- OperatorHub -----------------------------------------------------------------------------------------------------

def _record(hub):
    """{default catalog that we disabled: its entry in OperatorHub from before, or None}."""
    try:
        return dict(json.loads(((hub or {"metadata": {}})["metadata"].get("annotations") or {}).get(RECORD, "{}")))
    except (ValueError, TypeError):
        return {}  # edited by hand: then nothing is known to be ours


def _hub_patch(hub, record, replaced):
    """The patch by which exactly these default catalogs are disabled by us; None when it is so already."""
    if hub is None:
        return None
    spec = hub.get("spec") or {}
    entries = {entry["name"]: entry for entry in spec.get("sources") or ()}
    after = dict(record)
    for name in [name for name in record if name not in replaced]:
        former = after.pop(name)
        entries.pop(name, None)
        if former:
            entries[name] = former
    for name in replaced:
        after.setdefault(name, entries.get(name))
        if not entries.get(name, {}).get("disabled", spec.get("disableAllDefaultSources", False)):
            entries[name] = {"name": name, "disabled": True}
    sources = list(entries.values())
    if sources == list(spec.get("sources") or ()) and after == record:
        return None
    return {"metadata": {"resourceVersion": hub["metadata"]["resourceVersion"],
                         "annotations": {RECORD: json.dumps(after, sort_keys=True) if after else None}},
            "spec": {"sources": sources or None}}


# --- writing and waiting ---------------------------------------------------------------------------------------------

def carry_out(cluster, plan, params, clock):
    """Write what the plan says. Conflict: somebody changed one of the objects, plan again."""
    for obj in plan.delete:
        cluster.delete(obj["apiVersion"], obj["kind"], obj["metadata"]["name"], obj["metadata"].get("namespace"))
    if plan.hub:
        cluster.merge_patch(*HUB, "cluster", plan.hub)
    if plan.names_to_leave:
        wait.poll(lambda: _still_default(cluster, plan.names_to_leave), max(params["wait"], 60),
                  min(params["poll_interval"], 1.0), clock)
    for obj in plan.create:
        cluster.create(obj)
    for obj in plan.update:
        cluster.merge_patch(obj["apiVersion"], obj["kind"], obj["metadata"]["name"],
                            {"metadata": obj["metadata"], "spec": _patch_of(obj)}, obj["metadata"].get("namespace"))


def _patch_of(obj):
    """The spec as a merge patch: an interval from when the image was named by its tag goes, as the API refuses it beside
    a digest."""
    if obj["kind"] != CATALOG[1]:
        return obj["spec"]
    source = obj["spec"]["source"]
    return {"source": dict(source, image={"pollIntervalMinutes": None, **source["image"]})}


def _still_default(cluster, names):
    """True once the marketplace operator has deleted its catalogs of these names."""
    left = [source["metadata"]["name"] for source in cluster.list(*SOURCE, namespace=NAMESPACE)
            if source["metadata"]["name"] in names and predicates.is_default_catalog(source)]
    return wait.Pending("the marketplace operator has not deleted its catalog %s, which OperatorHub disables."
                        % ", ".join(left)) if left else True


def unserved(cluster, names):
    """True when all of our catalogs are served, else Pending with what keeps them."""
    late = []
    for source in cluster.list(*SOURCE, namespace=NAMESPACE, label_selector=OWNED):
        name = source["metadata"]["name"]
        if name in names and not is_served(source):
            late.append("CatalogSource %s is %s%s" % (name, _connection(source), _pods_trouble(cluster, name)))
    for catalog in cluster.list(*CATALOG, label_selector=OWNED) if cluster.serves(*CATALOG) else ():
        if not is_served(catalog):
            progress = predicates.condition(catalog, "Progressing")
            late.append("ClusterCatalog %s is not served: %s" % (
                catalog["metadata"]["name"], progress.get("message") or progress.get("reason") or "not looked at yet"))
    return wait.Pending("; ".join(late) + ".") if late else True


def is_served(obj):
    """Do the cluster's Operators get this CatalogSource's or ClusterCatalog's content?"""
    return predicates.holds(obj, "Serving") if obj["kind"] == CATALOG[1] else _connection(obj) == "READY"


def _connection(source):
    """How the cluster last found the server of a CatalogSource: READY, or what else it says."""
    return ((source.get("status") or {}).get("connectionState") or {}).get("lastObservedState", "unknown")


def _pods_trouble(cluster, name):
    """What the pods that serve a catalog suffer from, as the end of a sentence."""
    pods = cluster.list("v1", "Pod", NAMESPACE, label_selector="olm.catalogSource=" + name)
    troubles = sorted({trouble for trouble in map(predicates.pod, pods) if trouble})
    return ": " + ", ".join(troubles) if troubles else ""


# --- telling ---------------------------------------------------------------------------------------------------------

def difference(plan):
    """What changes, as --diff shows it."""
    before = {_title(obj): obj.get("spec") for obj in plan.former}
    after = {_title(obj): obj["spec"] for obj in plan.create + plan.update}
    if plan.hub:
        before["OperatorHub cluster"] = {"sources": ((plan.hub_before or {}).get("spec") or {}).get("sources") or []}
        after["OperatorHub cluster"] = {"sources": plan.hub["spec"]["sources"] or []}
    return {"before": before, "after": after}


def _title(obj):
    return "%s %s" % (obj["kind"], obj["metadata"]["name"])


def _titles(objects):
    return [_title(obj) for obj in objects]


if __name__ == "__main__":
    main()
