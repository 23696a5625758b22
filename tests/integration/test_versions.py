# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's part of the story on releases and sizes that differ in how it goes. The images stay where they are."""
from __future__ import annotations

import pytest

MCO = ("machineconfiguration.openshift.io/v1", "MachineConfigPool")
ICSP = ("operator.openshift.io/v1alpha1", "ImageContentSourcePolicy")
IDMS = ("config.openshift.io/v1", "ImageDigestMirrorSet")
ITMS = ("config.openshift.io/v1", "ImageTagMirrorSet")
SOURCE = ("operators.coreos.com/v1alpha1", "CatalogSource")
CATALOG = ("olm.operatorframework.io/v1", "ClusterCatalog")
CONFIG_MAP = ("v1", "ConfigMap")
NAME = "disconnected-openshift"
SIGNED = {
    "metadata": {"name": "sha256-" + "5" * 64}, "binaryData": {"sha256-%s-1" % ("5" * 64): "c2lnbmVk"},
}
SIGSTORE = "/etc/containers/registries.d/sigstore-registries.yaml"
THEIRS = {
    "apiVersion": ICSP[0], "kind": ICSP[1], "metadata": {"name": "theirs"},
    "spec": {"repositoryDigestMirrors": [{"source": "quay.io/theirs", "mirrors": ["theirs.example.com/a"]}]},
}


def rules(lab, *more):
    mirror = lab.facts["mirror"]["registry"]
    sources = ["quay.io/openshift-release-dev/ocp-release", "quay.io/openshift-release-dev/ocp-v4.0-art-dev"]
    digests = [{"source": source, "mirrors": [mirror + "/ocp/release"], "by": "digest"} for source in sources]
    return {"mirror_plan_result": {"mirrors": digests + list(more), "catalog_sources": []}}


def by_tag(lab):
    return {"source": "quay.io/apps", "mirrors": [lab.facts["mirror"]["registry"] + "/apps"], "by": "tag"}


def names(lab, kind):
    found = lab.api.resources.search(api_version=kind[0], kind=kind[1])
    return [obj.metadata.name for obj in found[0].get().items] if found else []


def registries_conf(lab):
    return {node: lab.node_file(node, "etc/containers/registries.conf") for node in lab.facts["nodes"]}


def configure(lab, *more, **variables):
    run = lab.playbook("disconnected.openshift.configure", variables=dict(rules(lab, *more), **variables))
    assert run.rc == 0, run.output
    return run


def config_map(lab, namespace, name):
    return dict(lab.api.resources.get(api_version="v1", kind="ConfigMap").get(name=name, namespace=namespace).data or {})


def moves(lab):
    """(updates, drains, reboots) that each node has been through, as a set over all nodes."""
    return {(node["updates"], node["drains"], node["reboots"]) for node in lab.stats()["nodes"].values()}


@pytest.mark.parametrize("version, kind, form", [
    ("4.8", ICSP, "mirror-by-digest-only = true"),
    ("4.12", ICSP, "mirror-by-digest-only = true"),
    ("4.13.9", IDMS, 'pull-from-mirror = "digest-only"'),
    ("4.14", IDMS, 'pull-from-mirror = "digest-only"'),
    ("4.21", IDMS, 'pull-from-mirror = "digest-only"'),
])
def test_there_and_back(make_lab, version, kind, form):
    lab = make_lab(version=version, nodes=3)
    before = registries_conf(lab)
    given = rules(lab)["mirror_plan_result"]
    image = lab.facts["mirror"]["registry"] + "/olm/acme-index:v1"
    given.update(catalog_sources=[{"name": "acme-index", "image": image}], signature_config_maps=[SIGNED])
    run = configure(lab, mirror_plan_result=given, cluster_config_catalogs_timeout=0, cluster_config_update_service=True)
    foretold = run.result("What every pool will do")
    assert foretold["rollouts"] == 1
    assert names(lab, kind) == [NAME]
    assert "acme-index" in names(lab, SOURCE) and SIGNED["metadata"]["name"] in names(lab, CONFIG_MAP)
    assert ("acme-index" in names(lab, CATALOG)) == (version == "4.21")
    assert moves(lab) == {(1, 0, 0)}
    key = lab.facts["mirror"]["registry"].replace(":", "..")
    trusted = config_map(lab, "openshift-config", "disconnected-openshift-trusted-ca")
    assert set(trusted) == {key, "updateservice-registry"} and len(set(trusted.values())) == 1
    assert all(form in text for text in registries_conf(lab).values())
    assert (SIGSTORE in foretold["pools"][0]["files"]) is (version == "4.21")
    if version == "4.21":
        assert "%s/ocp/release:" % lab.facts["mirror"]["registry"] in lab.node_file("master-0", SIGSTORE)
    back = lab.playbook("disconnected.openshift.reconnect")
    assert back.rc == 0, back.output
    assert registries_conf(lab) == before
    left = {*names(lab, SOURCE), *names(lab, CATALOG), *names(lab, CONFIG_MAP)}
    assert not left & {"acme-index", SIGNED["metadata"]["name"], "disconnected-openshift-trusted-ca"}


def test_what_the_next_update_will_ask_is_told_and_left_to_the_administrator(make_lab):
    lab = make_lab(version="4.20", nodes=1)
    run = configure(lab)
    assert "ack-4.20-sigstore-in-4.21" in run.result("What every pool will do")["summary"][-1]
    assert "ack-4.20-sigstore-in-4.21" in run.result("Write the mirror sets")["notes"][0]
    assert "ack-4.20-sigstore-in-4.21" in config_map(lab, "openshift-config-managed", "admin-gates")
    assert config_map(lab, "openshift-config", "admin-acks") == {}
    writes = lab.writes
    assert configure(lab).result("What every pool will do")["notes"] == []
    verify = lab.playbook("disconnected.openshift.verify")
    assert (verify.rc, lab.writes) == (0, writes), verify.output


def test_tags_that_a_release_cannot_mirror_are_told(make_lab):
    """4.13.9 loses every mirror when the kinds are mixed: beside another's policy it gets one more, and no tags."""
    lab = make_lab(version="4.13.9", nodes=1)
    lab.create(THEIRS)
    run = configure(lab, by_tag(lab))
    assert "quay.io/apps" in run.output and "not covered" in " ".join(run.output.split())
    assert (sorted(names(lab, ICSP)), names(lab, IDMS), names(lab, ITMS)) == ([NAME, "theirs"], [], [])
    assert all("theirs.example.com/a" in text for text in registries_conf(lab).values())
    writes = lab.writes
    assert configure(lab, by_tag(lab)).changed == 0
    assert lab.writes == writes


def test_others_policies_are_replaced_without_touching_a_node(make_lab):
    lab = make_lab(version="4.16", nodes=1)
    lab.create(THEIRS)
    configure(lab, cluster_config_kind="icsp")
    files, so_far = registries_conf(lab), moves(lab)
    run = configure(lab, cluster_config_migrate=["theirs"])
    assert run.changed > 0 and run.result("What every pool will do")["rollouts"] == 0
    assert (names(lab, ICSP), sorted(names(lab, IDMS))) == ([], [NAME, "theirs"])
    assert (registries_conf(lab), moves(lab)) == (files, so_far)


def test_a_single_node_is_never_drained(make_lab):
    lab = make_lab(version="4.16", nodes=1)
    configure(lab, by_tag(lab))
    assert moves(lab) == {(1, 0, 0)}


def test_five_hundred_nodes(make_lab):
    lab = make_lab(version="4.16", nodes=500, speed=400)
    lab.patch(*MCO, "worker", {"spec": {"maxUnavailable": "25%"}})
    configure(lab, cluster_config_poll_interval=1)
    assert moves(lab) == {(1, 0, 0)}
    run = lab.playbook("disconnected.openshift.verify")
    assert run.rc == 0, run.output
    assert len(run.result("Read the three files of every node")["nodes"]) == 500
