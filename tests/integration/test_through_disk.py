# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook `mirror` with an archive between a side that has the internet and one that has not."""
from __future__ import annotations

import base64
import json
import pathlib
import shutil

import pytest


@pytest.fixture(scope="module")
def lab(make_lab):
    return make_lab(nodes=3)


@pytest.fixture(scope="module")
def archive(lab):
    return lab.home / "archive"


def mirror(lab, mode, archive, *options, **variables):
    variables = dict(variables, disconnected_mirror_mode=mode, disconnected_mirror_archive=str(archive))
    if mode == "to_disk":
        variables["mirror_auth_file"] = str(source_credentials(lab))
    return lab.playbook("disconnected.openshift.mirror", *options, variables=variables)


def source_credentials(lab):
    """What the connected side logs in with: the cluster's own pull secret."""
    secret = lab.api.resources.get(api_version="v1", kind="Secret").get(name="pull-secret", namespace="openshift-config")
    path = lab.home / "pull-secret.json"
    path.write_bytes(base64.b64decode(secret.data[".dockerconfigjson"]))
    path.chmod(0o600)
    return path


def test_to_disk_needs_no_mirror_registry(lab, archive):
    catalogs = lab.facts["catalogs"] + [{"index": lab.facts["sqlite_catalogs"][0], "packages": [
        {"name": "acme-store", "heads_only": True}]}]
    lab.command("mirror", "off")
    foreseen = mirror(lab, "to_disk", archive, "--check", disconnected_catalogs=catalogs)
    assert foreseen.rc == 0 and foreseen.changed and not archive.exists(), foreseen.output
    run = mirror(lab, "to_disk", archive, disconnected_catalogs=catalogs)
    assert run.rc == 0, run.output
    assert (archive / "SHA256SUMS").exists() and pathlib.Path(str(archive) + ".plan.json").exists()
    again = mirror(lab, "to_disk", archive, disconnected_catalogs=catalogs)
    assert again.rc == 0 and again.changed == 0, again.output
    lab.command("mirror", "on")


def test_from_disk_needs_no_internet(lab, archive, tmp_path):
    imported = shutil.copytree(archive, tmp_path / "import")
    prepared = lab.playbook("disconnected.openshift.prepare")
    assert prepared.rc == 0, prepared.output
    lab.command("upstream", "off")
    damaged = next(path for path in (imported / "blobs/sha256").iterdir() if path.stat().st_size > 10_000)
    data = damaged.read_bytes()
    damaged.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    refused = mirror(lab, "from_disk", imported)
    assert refused.rc != 0 and any(damaged.name + " is damaged" in message for message in refused.failures)
    damaged.write_bytes(data)
    run = mirror(lab, "from_disk", imported)
    assert run.rc == 0, run.output
    result = run.result("Copy what is missing")
    assert result["counts"]["done"] == result["counts"]["total"] > 50
    again = mirror(lab, "from_disk", imported)
    assert again.rc == 0 and again.changed == 0, again.output
    release = "quay.io/openshift-release-dev/ocp-release:4.17.1-x86_64"
    other = mirror(lab, "from_disk", imported, disconnected_release_image=release)
    assert other.rc != 0 and any("has no release" in message for message in other.failures)
    lab.command("upstream", "on")


def test_a_mirror_that_another_tool_made_is_configured(lab, archive, tmp_path):
    """The mirror is filled; what is told about it comes from manifests such as oc-mirror writes."""
    mirror_registry, upstream = lab.facts["mirror"]["registry"], lab.facts["upstream"]["registry"]
    (tmp_path / "idms-oc-mirror.yaml").write_text(json.dumps({
        "apiVersion": "config.openshift.io/v1", "kind": "ImageDigestMirrorSet",
        "metadata": {"name": "idms-release-0", "annotations": {"createdAt": "2026-01-01T00:00:00Z"}},
        "spec": {"imageDigestMirrors": [
            {"source": upstream + "/openshift-release-dev/ocp-release", "mirrors": [mirror_registry + "/ocp/release"]},
            {"source": upstream + "/openshift-release-dev/ocp-v4.0-art-dev", "mirrors": [mirror_registry + "/ocp/release"]},
        ]}}))
    signed, managed = "sha256-" + "a" * 64, "openshift-config-managed"
    (tmp_path / "signature-configmap.json").write_text(json.dumps({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "mirrored-release-signatures", "namespace": managed,
                     "labels": {"release.openshift.io/verification-signatures": ""}},
        "binaryData": {signed + "-1": "c2lnbmVk"}}))
    run = lab.playbook("disconnected.openshift.configure", variables={"disconnected_mirror_manifests": [str(tmp_path)]})
    assert run.rc == 0, run.output
    config_maps = lab.api.resources.get(api_version="v1", kind="ConfigMap")
    found = config_maps.get(namespace=managed, label_selector="release.openshift.io/verification-signatures").to_dict()["items"]
    assert [(each["metadata"]["name"], each["binaryData"]) for each in found] == [(signed, {signed + "-1": "c2lnbmVk"})]
    written = lab.api.resources.get(api_version="config.openshift.io/v1", kind="ImageDigestMirrorSet").get()
    rules = {rule["source"]: rule["mirrors"] for item in written.to_dict()["items"]
             for rule in item["spec"]["imageDigestMirrors"]}
    assert rules == {upstream + "/openshift-release-dev/" + name: [mirror_registry + "/ocp/release"]
                     for name in ("ocp-release", "ocp-v4.0-art-dev")}
    for node in lab.facts["nodes"]:
        assert mirror_registry + "/ocp/release" in lab.node_file(node, "/etc/containers/registries.conf")


def test_a_release_whose_catalog_is_a_database(make_lab):
    old = make_lab(version="4.10", nodes=1)
    run = mirror(old, "to_disk", old.home / "archive")
    assert run.rc == 0, run.output
    plan = run.result("List every image and where it goes")
    assert plan["totals"]["catalog"] == 1 and plan["totals"]["operand"] > 5
    assert [catalog["source"] for catalog in plan["catalog_sources"]] == [old.facts["sqlite_catalogs"][0]]
