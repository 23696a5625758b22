# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import functools
import json

import pytest

pytest.importorskip("openshift")

from ansible_collections.disconnected.openshift.plugins.module_utils import errors, predicates  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.modules import catalog_sources  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.modules.catalog_sources import CATALOG, HUB, NAMESPACE, SOURCE  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit import fake_module  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_clock import FakeClock  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_cluster import SERVED, FakeCluster  # noqa: E402

INDEX = "registry.redhat.io/redhat/redhat-operator-index"
RED_HAT = {"name": "redhat-operator-index", "image": "mirror.test:5000/olm/redhat-operator-index:v4.16",
           "digest": None, "source": INDEX + ":v4.16"}
ACME = {"name": "acme-index", "image": "mirror.test:5000/olm/acme-index:v1", "digest": None, "source": "quay.io/acme/index:v1"}


def hub(**spec):
    return {"apiVersion": HUB[0], "kind": HUB[1], "metadata": {"name": "cluster"}, "spec": spec}


def source(name="redhat-operators", image=INDEX + ":v4.16", default=True, state="READY"):
    annotations = {"operatorframework.io/managed-by": "marketplace-operator"} if default else {}
    return {"apiVersion": SOURCE[0], "kind": SOURCE[1],
            "metadata": {"name": name, "namespace": NAMESPACE, "annotations": annotations},
            "spec": {"image": image, "sourceType": "grpc", "displayName": "Red Hat Operators", "publisher": "Red Hat",
                     "priority": -100},
            "status": {"connectionState": {"lastObservedState": state}}}


def a_cluster(*objects, olm_v1=True):
    served = (*SERVED, SOURCE, *([CATALOG] if olm_v1 else []))
    return FakeCluster(*objects, served=served)


class Marketplace(FakeClock):
    """While somebody waits, the marketplace operator deletes what OperatorHub disables, and catalogs come to be served."""

    def __init__(self, cluster, serves=True):
        super().__init__()
        self.cluster, self.serves = cluster, serves

    def sleep(self, seconds):
        super().sleep(seconds)
        disabled = [entry["name"] for entry in self.cluster.peek(*HUB, "cluster")["spec"].get("sources") or ()]
        for obj in self.cluster.list(*SOURCE) + self.cluster.list(*CATALOG):
            if obj["metadata"]["name"] in disabled and predicates.is_default_catalog(obj):
                self.cluster._objects.pop((*SOURCE, NAMESPACE, obj["metadata"]["name"]))
            elif self.serves:
                self.cluster.put(dict(obj, status={"connectionState": {"lastObservedState": "READY"},
                                                   "conditions": [{"type": "Serving", "status": "True"}]}))


def run(cluster, *catalogs, check_mode=False, serves=True, **given):
    params = dict({"catalogs": list(catalogs), "defaults": "replaced", "state": "present", "wait": 300, "poll_interval": 5},
                  **given)
    return catalog_sources.run(cluster, params, check_mode, Marketplace(cluster, serves))


def test_the_name_that_subscriptions_use_is_kept():
    cluster = a_cluster(hub(), source())
    result = run(cluster, RED_HAT)
    assert result["catalogs"] == [{"name": "redhat-operators", "image": RED_HAT["image"], "replaces_default": True}]
    stored = cluster.peek(*SOURCE, "redhat-operators", NAMESPACE)
    assert stored["spec"]["image"] == RED_HAT["image"] and not predicates.is_default_catalog(stored)
    assert (stored["spec"]["displayName"], stored["spec"]["priority"]) == ("Red Hat Operators", -100)
    assert cluster.peek(*HUB, "cluster")["spec"]["sources"] == [{"name": "redhat-operators", "disabled": True}]
    assert cluster.peek(*CATALOG, "redhat-operator-index")["spec"]["source"]["image"]["ref"] == RED_HAT["image"]


def test_again_changes_nothing():
    cluster = a_cluster(hub(), source())
    run(cluster, RED_HAT, ACME)
    cluster.writes.clear()
    assert not run(cluster, RED_HAT, ACME)["changed"]
    assert cluster.writes == []


@pytest.mark.parametrize("kind, name, status", [
    (SOURCE, "acme-index", {"connectionState": {"lastObservedState": "CONNECTING"}}), (SOURCE, "acme-index", {}),
    (CATALOG, "redhat-operator-index", {"conditions": [{"type": "Serving", "status": "False"}]})])
def test_a_look_beforehand_tells_whether_all_is_there_and_served(kind, name, status):
    cluster = a_cluster(hub(), source())
    look = functools.partial(run, cluster, RED_HAT, ACME, check_mode=True)
    assert not look()["served"]  # though the default catalog is
    assert not run(cluster, RED_HAT, ACME)["served"]
    assert look()["served"]
    stored = cluster.peek(*kind, name, NAMESPACE if kind == SOURCE else None)
    cluster.put(dict(stored, status=status))
    assert not look()["served"]
    cluster.put(stored)
    assert look()["served"] and not run(cluster, RED_HAT, check_mode=True)["served"]


def test_the_default_is_gone_before_its_name_is_taken():
    cluster = a_cluster(hub(), source())
    run(cluster, RED_HAT)
    assert [write[:2] for write in cluster.writes[:2]] == [("patch", HUB[1]), ("create", SOURCE[1])]


def test_a_default_that_was_disabled_before_us_lends_its_name_all_the_same():
    cluster = a_cluster(hub(disableAllDefaultSources=True))
    assert run(cluster, RED_HAT)["catalogs"][0]["name"] == "redhat-operators"
    run(cluster, state="absent")
    assert cluster.peek(*HUB, "cluster")["spec"] == {"disableAllDefaultSources": True}


def test_absent_brings_the_defaults_back_as_they_were():
    former = [{"name": "community-operators", "disabled": True}, {"name": "redhat-operators", "disabled": False}]
    cluster = a_cluster(hub(sources=former), source())
    run(cluster, RED_HAT)
    result = run(cluster, state="absent")
    assert result["deleted"] == ["CatalogSource redhat-operators", "ClusterCatalog redhat-operator-index"]
    assert cluster.peek(*HUB, "cluster")["spec"]["sources"] == former
    assert catalog_sources.RECORD not in cluster.peek(*HUB, "cluster")["metadata"].get("annotations", {})
    assert not run(cluster, state="absent")["changed"]


@pytest.mark.parametrize("place", [
    "redhat/redhat-operator-index", "ns/redhat/redhat-operator-index", "olm/redhat-redhat-operator-index",
    "team/olm-redhat-redhat-operator-index"])
def test_an_index_of_which_only_the_place_on_the_mirror_is_known(place):
    """So it is after oc-mirror and `oc adm catalog mirror`, whose rules leave the index itself out."""
    image = "mirror.test:5000/%s:v4.16" % place
    known = dict(name="cs-redhat-operator-index-v4-16", image=image, source=image)
    for objects in ((hub(), source()), (hub(disableAllDefaultSources=True),)):
        assert run(a_cluster(*objects), known)["catalogs"] == [
            {"name": "redhat-operators", "image": image, "replaces_default": True}]
    other = "mirror.test:5000/ns/notredhat/redhat-operator-index:v4.16"
    assert not run(a_cluster(hub(), source()), dict(known, image=other, source=other))["catalogs"][0]["replaces_default"]
    theirs = dict(known, source="quay.io/fork/redhat/redhat-operator-index:v4.16")
    assert not run(a_cluster(hub(), source()), theirs)["catalogs"][0]["replaces_default"]


def test_of_two_versions_of_an_index_one_takes_the_place():
    older = dict(RED_HAT, name="redhat-operator-index-v4-15", image=RED_HAT["image"].replace("4.16", "4.15"),
                 source=RED_HAT["source"].replace("4.16", "4.15"))
    cluster = a_cluster(hub(), source())
    for order in ((older, RED_HAT), (RED_HAT, older)):
        names = {catalog["image"][-5:]: catalog["name"] for catalog in run(cluster, *order)["catalogs"]}
        assert names == {"v4.15": "redhat-operator-index-v4-15", "v4.16": "redhat-operators"}
    assert not run(cluster, older, RED_HAT)["changed"]
    first = a_cluster(hub(disableAllDefaultSources=True))
    assert [catalog["name"] for catalog in run(first, older, RED_HAT)["catalogs"]] == ["redhat-operators", "redhat-operator-index"]
    assert not run(first, RED_HAT, older)["changed"]


def test_kept_defaults():
    cluster = a_cluster(hub(), source())
    assert run(cluster, RED_HAT, defaults="kept")["catalogs"][0]["name"] == "redhat-operator-index"
    assert cluster.peek(*HUB, "cluster")["spec"] == {}


def test_one_that_is_no_longer_wanted_goes():
    cluster = a_cluster(hub(), source())
    run(cluster, RED_HAT, ACME)
    assert run(cluster, RED_HAT)["deleted"] == ["CatalogSource acme-index", "ClusterCatalog acme-index"]


def test_a_name_that_somebody_else_uses():
    cluster = a_cluster(hub(), source("acme-index", "quay.io/x/y:1", default=False))
    with pytest.raises(errors.Conflict, match="CatalogSource acme-index exists"):
        run(cluster, ACME)
    theirs = a_cluster(hub(disableAllDefaultSources=True), source(image="a.test/b:1", default=False))
    assert run(theirs, RED_HAT)["catalogs"][0]["name"] == "redhat-operator-index"


def test_without_olm_v1_and_by_digest():
    cluster = a_cluster(hub(), olm_v1=False)
    assert catalog_sources.plan_for(catalog_sources.read(cluster), [ACME], "replaced").create[-1]["kind"] == SOURCE[1]
    by_digest = dict(ACME, image="mirror.test:5000/olm/acme@sha256:" + "1" * 64)
    image = catalog_sources._cluster_catalog(by_digest)["spec"]["source"]["image"]
    assert image == {"ref": by_digest["image"]}


def test_from_a_tag_to_a_digest():
    cluster = a_cluster(hub())
    run(cluster, ACME)
    by_digest = dict(ACME, image="mirror.test:5000/olm/acme@sha256:" + "1" * 64)
    assert run(cluster, by_digest)["updated"] == ["CatalogSource acme-index", "ClusterCatalog acme-index"]
    assert cluster.peek(*CATALOG, "acme-index")["spec"]["source"]["image"] == {"ref": by_digest["image"]}
    assert not run(cluster, by_digest)["changed"]


def test_no_olm_at_all():
    with pytest.raises(errors.NotFound, match="no Operator Lifecycle Manager"):
        run(FakeCluster(hub()), ACME)
    assert not run(FakeCluster(hub()), state="absent")["changed"]


def test_one_that_is_never_served_is_named_with_its_pods_trouble():
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": {}, "metadata": {
        "name": "acme-index-x", "namespace": NAMESPACE, "labels": {"olm.catalogSource": "acme-index"}},
        "status": {"phase": "Pending", "containerStatuses": [
            {"name": "registry-server", "image": ACME["image"], "state": {"waiting": {"reason": "ErrImagePull"}}}]}}
    cluster = a_cluster(hub(), pod)
    with pytest.raises(errors.TimedOut, match="CatalogSource acme-index is unknown: container registry-server: ImagePull") as late:
        run(cluster, ACME, serves=False)
    assert late.value.details["created"]


def test_check_mode_writes_nothing():
    cluster = a_cluster(hub(), source())
    result = run(cluster, RED_HAT, check_mode=True)
    assert result["changed"] and cluster.writes == []
    assert json.dumps(result["diff"]["after"]["OperatorHub cluster"]) == json.dumps(
        {"sources": [{"name": "redhat-operators", "disabled": True}]})


def test_main(capsys):
    result = fake_module.run(catalog_sources, capsys, {"catalogs": [dict(ACME, image="UPPER/case")]}, a_cluster(hub()))
    assert result["failed"] and "UPPER/case" in result["msg"]
