# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ready or not, the cut, and the way back: what is switched off, what is kept for later, what is refused and why.

The tests of this file are chapters: each begins where the one before ended.
"""
from __future__ import annotations

import base64
import datetime
import json
import pathlib
import subprocess

import pytest

CONFIG = "config.openshift.io/v1"
SOURCE = ("operators.coreos.com/v1alpha1", "CatalogSource")
CATALOG = ("olm.operatorframework.io/v1", "ClusterCatalog")
SNAPSHOT = "disconnected-openshift-snapshot"
MANAGED = "app.kubernetes.io/managed-by=disconnected.openshift"
STRAY = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "stray", "namespace": "shop"},
         "spec": {"restartPolicy": "Never", "containers": [{"name": "app", "image": "quay.io/example/stray:1"}]}}


def spec(lab, api_version, kind, name="cluster"):
    return lab.api.resources.get(api_version=api_version, kind=kind).get(name=name).to_dict()["spec"]


def secret(lab, name):
    found = lab.api.resources.get(api_version="v1", kind="Secret").get(name=name, namespace="openshift-config").to_dict()
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


def auths(lab):
    return json.loads(secret(lab, "pull-secret")[".dockerconfigjson"])["auths"]


def connected(lab):
    """Everything that a cut changes and a reconnect has to put back."""
    return {
        "hub": spec(lab, CONFIG, "OperatorHub"), "version": spec(lab, CONFIG, "ClusterVersion", "version"),
        "image": spec(lab, CONFIG, "Image"), "samples": spec(lab, "samples.operator.openshift.io/v1", "Config"),
        "auths": auths(lab), "sources": catalogs(lab, *SOURCE), "cluster catalogs": catalogs(lab, *CATALOG),
        "registries": {node: lab.node_file(node, "etc/containers/registries.conf") for node in lab.facts["nodes"]},
    }


def catalogs(lab, api_version, kind):
    """{name: its spec} of the catalogs of a kind."""
    found = lab.api.resources.get(api_version=api_version, kind=kind).get().to_dict()["items"]
    return {item["metadata"]["name"]: item["spec"] for item in found}


def ours(lab):
    """All objects that bear this collection's label."""
    return [(kind, item.metadata.name) for api_version, kind in (
        ("v1", "Secret"), ("v1", "ConfigMap"), ("v1", "Namespace"), (CONFIG, "ImageDigestMirrorSet"),
        (CONFIG, "ImageTagMirrorSet"), ("operators.coreos.com/v1alpha1", "CatalogSource"))
        for item in lab.api.resources.get(api_version=api_version, kind=kind).get(label_selector=MANAGED).items]


@pytest.fixture(scope="module")
def lab(make_lab):
    return make_lab(version="4.21", nodes=3, speed=500)


@pytest.fixture(scope="module")
def before(lab):
    return connected(lab)


def test_converted_but_not_cut(lab, before):
    run = lab.playbook("disconnected.openshift.convert", variables={"disconnected_cut": False})
    assert run.rc == 0, run.output
    assert "cloud.openshift.com" in auths(lab)
    assert spec(lab, CONFIG, "ClusterVersion", "version") == before["version"]
    assert run.result("Look for every image in use in the mirror registry")["ready"]


def test_the_mirrored_catalog_has_the_name_that_subscriptions_use(lab, before):
    """The default one made room for it, and it is served; the one that nobody mirrored is left alone."""
    mirrored = "%s/olm/" % lab.facts["mirror"]["registry"]
    subscriptions = lab.api.resources.get(api_version=SOURCE[0], kind="Subscription").get().items
    assert {subscription.spec.source for subscription in subscriptions} == {"redhat-operators"}
    source = lab.api.resources.get(api_version=SOURCE[0], kind=SOURCE[1]).get(
        name="redhat-operators", namespace="openshift-marketplace").to_dict()
    assert source["spec"]["image"].startswith(mirrored)
    assert source["status"]["connectionState"]["lastObservedState"] == "READY"
    assert {"name": "redhat-operators", "disabled": True} in spec(lab, CONFIG, "OperatorHub")["sources"]
    assert catalogs(lab, *SOURCE)["acme-operators"] == before["sources"]["acme-operators"]
    served = lab.api.resources.get(api_version=CATALOG[0], kind=CATALOG[1]).get(name="redhat-operator-index").to_dict()
    assert served["spec"]["source"]["image"]["ref"].startswith(mirrored)
    assert {"Serving": "True"}.items() <= {c["type"]: c["status"] for c in served["status"]["conditions"]}.items()


def test_the_snapshot_is_how_the_cluster_was(lab, before):
    kept = secret(lab, SNAPSHOT)
    assert json.loads(kept["clusterversion.version.json"])["spec"]["channel"] == before["version"]["channel"]
    pools = json.loads(kept["pools.json"])
    assert {pool: kept[file] for pool, file in pools.items()} == dict.fromkeys(
        ("master", "worker"), before["registries"][lab.facts["nodes"][0]])
    assert not [auth for entry in before["auths"].values() for auth in [entry["auth"]] if auth in json.dumps(kept)]


def policies(lab):
    return [entry.get("mirrorSourcePolicy") for kind, field in (
        ("ImageDigestMirrorSet", "imageDigestMirrors"), ("ImageTagMirrorSet", "imageTagMirrors"))
        for item in lab.api.resources.get(api_version=CONFIG, kind=kind).get().to_dict()["items"]
        for entry in item["spec"][field]]


def test_a_rehearsal_finds_the_node_that_cannot_reach_the_mirror(lab):
    lost, allowed = lab.facts["nodes"][-1], policies(lab)
    lab.command("cut", "mirror", lost)
    run = lab.playbook("disconnected.openshift.rehearse", variables={"disconnect_rehearsal_timeout": 8})
    assert run.rc != 0
    assert "1 of %d nodes could not pull" % len(lab.facts["nodes"]) in " ".join(run.failures) and lost in " ".join(run.failures)
    assert policies(lab) == allowed
    lab.command("restore", "mirror")


def test_a_rehearsal_shows_that_every_node_pulls_from_the_mirror_alone(lab):
    allowed = policies(lab)
    run = lab.playbook("disconnected.openshift.rehearse")
    assert run.rc == 0, run.output
    tasks = [task["task"].rpartition(" | ")[2] for task in run.tasks]
    assert tasks.index("Make sure that the nodes' journals can be read") < tasks.index("Forbid the sources")
    pulls = run.result("own account of it")["pulls"]
    assert {pull["node"] for pull in pulls if pull["mirror"]} == set(lab.facts["nodes"])
    assert policies(lab) == allowed
    assert ("Namespace", "disconnected-openshift-rehearsal") not in ours(lab)


def test_a_release_without_its_signature_refuses_the_cut(lab):
    """The nodes of 4.21 would refuse the copy at the mirror, although it is there."""
    run, result = lab.module("image_coverage_info", {"fail": False})
    release = lab.facts["release_image"]
    assert {row["image"]: row["status"] for row in result["references"]}[release] == "covered"
    mirror, digest = lab.facts["mirror"], release.partition("@")[2]
    signature = "%s/ocp/release:%s.sig" % (mirror["registry"], digest.replace(":", "-"))
    subprocess.run(["skopeo", "delete", "--creds", "%(username)s:%(password)s" % mirror,
                    "--cert-dir", certificates(lab), "docker://" + signature], check=True)
    run = lab.playbook("disconnected.openshift.disconnect", variables={"disconnect_settle": 0})
    assert run.rc != 0
    assert "no_signature: %s" % release in " ".join(run.failures) and signature in " ".join(run.failures)
    assert lab.playbook("disconnected.openshift.mirror").changed == 1
    run, result = lab.module("image_coverage_info", {"fail": False})
    assert "no_signature" not in {row["status"] for row in result["references"]}


def certificates(lab):
    """A directory with the mirror's CA, as skopeo wants it."""
    directory = lab.home / "certs"
    directory.mkdir(exist_ok=True)
    (directory / "ca.crt").write_text(pathlib.Path(lab.facts["mirror"]["ca"]).read_text())
    return str(directory)


def test_an_image_that_nobody_mirrored_refuses_the_cut(lab):
    lab.create(STRAY)
    writes = lab.writes
    run = lab.playbook("disconnected.openshift.disconnect", variables={"disconnect_settle": 0})
    assert run.rc != 0
    assert "quay.io/example/stray:1" in " ".join(run.failures), run.output
    assert lab.writes == writes


def test_verify_reports_it_and_what_would_close_the_gap(lab):
    """It is a fault where that is asked for."""
    known = {"verify_settle": 0, "verify_before": run_health(lab)}
    run = lab.playbook("disconnected.openshift.verify", variables=known)
    assert run.rc == 0, run.output
    told = run.result("Tell what could not be pulled without the internet")["msg"]
    assert "quay.io/example/stray:1" in told[1] and told[-2].endswith('["quay.io/example/stray:1"]')
    assert '"source": "quay.io/example/stray"' in told[-1]
    run = lab.playbook("disconnected.openshift.verify", variables=dict(known, verify_uncovered="refused"))
    assert run.rc != 0 and "quay.io/example/stray:1" in " ".join(run.failures)


def test_unless_it_is_named_as_an_exception(lab):
    stray = {"prefix": "quay.io/example/stray", "reason": "A leftover."}
    known = json.loads(json.dumps([{"prefix": image, "reason": "Not used."} for image in lab.facts["sqlite_catalogs"]]))
    run = lab.playbook("disconnected.openshift.disconnect", "--check",
                       variables={"disconnected_exceptions": [*known, stray], "disconnect_settle": 0,
                                  "disconnect_before": run_health(lab)})
    assert run.rc == 0, run.output
    assert "The cluster is ready for the cut: run the same without --check" in run.result("What this dry run can tell")["msg"][0]
    lab.api.resources.get(api_version="v1", kind="Pod").delete(name="stray", namespace="shop")


def run_health(lab):
    _run, result = lab.module("cluster_health_info", {})
    return result["problems"]


@pytest.fixture(scope="module")
def moments():
    """When what happened, in UTC."""
    return {}


def test_the_cut(lab, moments):
    run = lab.playbook("disconnected.openshift.disconnect")
    assert run.rc == 0, run.output
    assert "cloud.openshift.com" not in auths(lab)
    assert spec(lab, CONFIG, "OperatorHub")["disableAllDefaultSources"] is True
    assert "channel" not in spec(lab, CONFIG, "ClusterVersion", "version")
    result = run.result("or on again")
    assert result["insights"] == "disabled"
    assert "InsightsDisabled" in [alert["name"] for alert in result["alerts"]]
    lab.command("cut", "internet")
    moments["cut"] = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_again_there_is_nothing_to_do(lab):
    writes = lab.writes
    run = lab.playbook("disconnected.openshift.disconnect")
    assert run.rc == 0, run.output
    assert run.changed == 0 and lab.writes == writes


def test_every_node_pulls_without_the_internet(lab, moments):
    images = [lab.facts["release_image"], *lab.facts["images"], *lab.facts["operands"]]
    pulls = json.loads(lab.command("pull", "--all", "--json", *images))
    assert not [pull for pull in pulls if not (pull["ok"] and pull["mirror"])]
    run = lab.playbook("disconnected.openshift.verify", variables={"disconnected_since": moments["cut"], "verify_settle": 0})
    assert "asked no source" in str(run.result("Name the images for which a source was asked")), run.output


def test_configure_needs_no_internet_any_more(lab):
    """What the mirror registry serves is read from itself, also by a host that has never been prepared."""
    writes, auth_file = lab.writes, lab.home / "never-prepared.json"
    lab.command("upstream", "off")
    try:
        run = lab.playbook("disconnected.openshift.configure", variables={"disconnected_auth_file": str(auth_file)})
    finally:
        lab.command("upstream", "on")
    assert run.rc == 0, run.output
    assert run.changed == 0 and lab.writes == writes
    assert not auth_file.exists()


def test_what_fell_back_to_its_source_is_named(lab, moments):
    lost = lab.facts["nodes"][0]
    lab.command("cut", "mirror", lost)
    lab.command("pull", lost, lab.facts["images"][0], check=False)
    lab.command("restore", "mirror")
    run = lab.playbook("disconnected.openshift.verify", variables={"disconnected_since": moments["cut"]})
    assert run.rc != 0 and lab.facts["images"][0] in " ".join(run.failures), run.output


def test_without_a_way_out_the_mirrors_stay(lab):
    lost = lab.facts["nodes"][-1]
    lab.command("restore", "internet", *lab.facts["nodes"][:-1])
    writes = lab.writes
    run = lab.playbook("disconnected.openshift.reconnect", variables={"disconnected_egress_timeout": 0})
    assert run.rc != 0
    message = " ".join(run.failures)
    assert "1 of %d nodes" % len(lab.facts["nodes"]) in message and lost in message
    assert lab.writes == writes


def test_reconnect_puts_everything_back_in_one_rollout(lab, before):
    updates = {name: node["updates"] for name, node in lab.stats()["nodes"].items()}
    lab.command("restore", "internet")
    run = lab.playbook("disconnected.openshift.reconnect")
    assert run.rc == 0, run.output
    assert connected(lab) == before
    assert ours(lab) == []
    assert {name: node["updates"] for name, node in lab.stats()["nodes"].items()} == {
        name: count + 1 for name, count in updates.items()}


def test_a_cluster_that_was_converted_by_hand_and_knew_the_registry_before(lab, before):
    by_hand = {
        "apiVersion": "operator.openshift.io/v1alpha1", "kind": "ImageContentSourcePolicy", "metadata": {"name": "by-hand"},
        "spec": {"repositoryDigestMirrors": [{"source": "quay.io/by-hand", "mirrors": ["mirror.example.com/by-hand"]}]}}
    lab.create(by_hand)
    known = dict(before["auths"], **{
        lab.facts["mirror"]["registry"]: {"auth": base64.b64encode(b"known:before").decode()}})
    text = json.dumps({"auths": known}).encode()
    lab.api.resources.get(api_version="v1", kind="Secret").patch(
        name="pull-secret", namespace="openshift-config", content_type="application/merge-patch+json",
        body={"data": {".dockerconfigjson": base64.b64encode(text).decode()}})
    run, _result = lab.module("machine_config_rollout", {"state": "waited"})
    assert run.rc == 0, run.output
    run = lab.playbook("disconnected.openshift.reconnect", variables={"disconnected_mirror_set_names": ["by-hand"]})
    assert run.rc == 0, run.output
    assert connected(lab) == dict(before, auths=known)
