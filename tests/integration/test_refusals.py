# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bad input gets: one clear sentence, before anything is written."""
from __future__ import annotations

import base64
import json

import pytest

WORKER = ("machineconfiguration.openshift.io/v1", "MachineConfigPool", "worker")
RULE = {"source": "quay.io/openshift-release-dev/ocp-release", "mirrors": ["mirror.example.com:8443/ocp/release"]}


def refused(lab, playbook, *words, **keywords):
    """The playbook fails, says each of `words` in a failing task's message, and writes nothing to the API."""
    writes = lab.writes
    run = lab.playbook(playbook, **keywords)
    assert run.rc != 0, run.output
    message = " ".join(run.failures)
    assert run.failures, run.output
    for word in words:
        assert word in message, message
    assert lab.writes == writes
    return message


@pytest.mark.parametrize("given, word", [
    ("https://mirror.example.com:8443", "scheme"),
    ("mirror.example.com:8443/", "mirror.example.com:8443"),
    ("Mirror.example.com:8443", "lower case"),
    ("[fd00::1]:8443", "IPv6"),
    ("image-registry.openshift-image-registry.svc:5000", "OpenShift"),
    ("default-route-openshift-image-registry.apps.example.com", "OpenShift"),
])
def test_a_mirror_that_cannot_be_one(lab, given, word):
    message = refused(lab, "disconnected.openshift.convert", variables={"disconnected_mirror_registry": given})
    assert word.lower() in message.lower()


def test_an_unreachable_registry(lab):
    lab.command("mirror", "off")
    try:
        refused(lab, "disconnected.openshift.convert", lab.facts["mirror"]["registry"])
    finally:
        lab.command("mirror", "on")


def test_another_registrys_ca(lab):
    refused(lab, "disconnected.openshift.convert", lab.facts["mirror"]["registry"], "CA",
            variables={"disconnected_mirror_ca": lab.facts["upstream"]["ca"]})


def test_wrong_credentials(lab):
    message = refused(lab, "disconnected.openshift.convert", lab.facts["mirror"]["registry"],
                      variables={"disconnected_mirror_password": "not-the-password"})
    assert "not-the-password" not in message


@pytest.mark.parametrize("pushes, pulls", [(("pusher", ""), ("puller", "secret")), (("", "secret"), ("puller", ""))])
def test_half_an_account_and_another_ones_other_half(lab, pushes, pulls):
    """Only to look, the account that pulls will do, but no name goes with another's password."""
    play = lab.directory / "borrow.json"
    play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [{
        "name": "Borrow", "ansible.builtin.include_role": {"name": "disconnected.openshift.pull_secret", "tasks_from": "borrow"}}]}]))
    refused(lab, play, "disconnected_mirror_password", bare=True, variables={
        "disconnected_mirror_registry": "mirror.example.com:8443",
        "disconnected_mirror_username": pushes[0], "disconnected_mirror_password": pushes[1],
        "disconnected_pull_username": pulls[0], "disconnected_pull_password": pulls[1]})


def test_another_clusters_pull_secret(lab):
    path = lab.home / "other-cluster.json"
    auth = base64.b64encode(b"other:cluster").decode()
    path.write_text(json.dumps({"auths": {"cloud.openshift.com": {"auth": auth}}}))
    message = refused(lab, "disconnected.openshift.prepare", "cloud.openshift.com",
                      variables={"pull_secret_source": str(path)})
    assert auth not in message


def test_a_user_without_rights(lab):
    refused(lab, "disconnected.openshift.convert", "secrets", "openshift-config",
            env={"K8S_AUTH_KUBECONFIG": str(lab.directory / "kubeconfig-viewer")})


def test_an_unverified_api(lab):
    """The refusal names where the API's CA can be read."""
    refused(lab, "disconnected.openshift.convert", "validate_certs: false", "get configmap kube-root-ca.crt",
            env={"K8S_AUTH_VALIDATE_CERTS": "false"})
    told = lab.api.resources.get(api_version="v1", kind="ConfigMap").get(name="kube-root-ca.crt", namespace="default")
    assert told.data["ca.crt"] == (lab.directory / "ca/api-ca.crt").read_text()


def test_a_catalog_by_a_name_that_somebody_else_uses(lab):
    """It is told before the nodes are updated, not after."""
    play = lab.directory / "role.json"
    play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "roles": [
        {"role": "disconnected.openshift.cluster_config", "cluster_config_mirrors": [RULE], "cluster_config_catalogs": [
            {"name": "acme-operators", "image": "mirror.example.com:5000/olm/acme:v1"}]}]}]))
    refused(lab, play, "CatalogSource acme-operators", "another name")


def test_a_paused_pool(lab):
    lab.patch(*WORKER, {"spec": {"paused": True}})
    try:
        refused(lab, "disconnected.openshift.convert", "worker", "paused")
    finally:
        lab.patch(*WORKER, {"spec": {"paused": False}})


def test_a_cordoned_node(lab):
    node = lab.facts["nodes"][-1]
    lab.patch("v1", "Node", node, {"spec": {"unschedulable": True}})
    try:
        refused(lab, "disconnected.openshift.convert", node, "uncordon")
    finally:
        lab.patch("v1", "Node", node, {"spec": {"unschedulable": None}})


def test_a_degraded_node(lab):
    node = lab.facts["nodes"][-1]
    lab.command("faults", "degraded", "node=" + node, "reason=disk on fire")
    try:
        refused(lab, "disconnected.openshift.convert", node, "disk on fire")
    finally:
        lab.command("faults", "clear")


def test_another_policy_for_the_same_source(lab):
    theirs = {
        "apiVersion": "config.openshift.io/v1", "kind": "ImageDigestMirrorSet", "metadata": {"name": "theirs"},
        "spec": {"imageDigestMirrors": [{"source": RULE["source"], "mirrors": ["theirs.example.com/ocp"],
                                         "mirrorSourcePolicy": "NeverContactSource"}]},
    }
    lab.create(theirs)
    writes = lab.writes
    try:
        run, result = lab.module("image_mirror_sets", {"mirrors": [RULE]})
        assert run.rc != 0
        assert "theirs" in result["msg"] and RULE["source"] in result["msg"]
        assert lab.writes == writes
    finally:
        lab.delete(theirs)


@pytest.mark.parametrize("version", ["4.13.9", "4.14.1"])
def test_early_releases_that_drop_a_mix_silently(make_lab, version):
    lab = make_lab(version=version, nodes=1)
    lab.create({
        "apiVersion": "operator.openshift.io/v1alpha1", "kind": "ImageContentSourcePolicy", "metadata": {"name": "theirs"},
        "spec": {"repositoryDigestMirrors": [{"source": "quay.io/theirs", "mirrors": ["theirs.example.com/ocp"]}]},
    })
    writes = lab.writes
    run, result = lab.module("image_mirror_sets", {"mirrors": [RULE], "kind": "idms"})
    assert run.rc != 0
    assert "theirs" in result["msg"] and version in result["msg"]
    assert lab.writes == writes
