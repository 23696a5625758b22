# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest

from ansible_collections.disconnected.openshift.plugins.module_utils import mirror_manifests
from ansible_collections.disconnected.openshift.plugins.modules import mirror_manifests_info
from ansible_collections.disconnected.openshift.tests.unit import fake_module

MIRROR = "mirror.example.com:8443"
HEX = "a" * 64

OC_MIRROR = {
    "idms-oc-mirror.yaml": """\
---
apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata:
  annotations: {createdAt: "%(created)s"}
  name: idms-release-0
spec:
  imageDigestMirrors:
  - mirrors: [mirror.example.com:8443/openshift/release]
    source: quay.io/openshift-release-dev/ocp-v4.0-art-dev
  - mirrors: [mirror.example.com:8443/openshift/release-images]
    source: quay.io/openshift-release-dev/ocp-release
---
apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata: {name: idms-operator-0}
spec:
  imageDigestMirrors:
  - mirrors: [mirror.example.com:8443/redhat]
    source: registry.redhat.io/redhat
""",
    "itms-oc-mirror.yaml": """\
apiVersion: config.openshift.io/v1
kind: ImageTagMirrorSet
metadata: {name: itms-generic-0}
spec:
  imageTagMirrors:
  - mirrors: [mirror.example.com:8443/apps]
    source: quay.io/apps
    mirrorSourcePolicy: NeverContactSource
""",
    "cs-redhat-operator-index-v4-16.yaml": """\
apiVersion: operators.coreos.com/v1alpha1
kind: CatalogSource
metadata: {name: cs-redhat-operator-index-v4-16, namespace: openshift-marketplace}
spec: {image: "mirror.example.com:8443/redhat/redhat-operator-index:v4.16", sourceType: grpc}
""",
    "cc-redhat-operator-index-v4-16.yaml": """\
apiVersion: olm.operatorframework.io/v1
kind: ClusterCatalog
metadata: {name: cc-redhat-operator-index-v4-16}
spec: {source: {type: Image, image: {ref: "mirror.example.com:8443/redhat/redhat-operator-index:v4.16"}}}
""",
    "signature-configmap.json": json.dumps({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "mirrored-release-signatures", "namespace": "openshift-config-managed",
                     "labels": {"release.openshift.io/verification-signatures": ""}},
        "binaryData": {"sha256-%s-1" % HEX: "c2ln", "sha256-%s-1" % ("b" * 64): "Z2lz"}}),
    "updateService.yaml": "apiVersion: updateservice.operator.openshift.io/v1\nkind: UpdateService\n"
                          "metadata: {name: update-service-oc-mirror}\nspec: {}\n",
}


@pytest.fixture
def run(capsys):
    return lambda *sources: fake_module.run(mirror_manifests_info, capsys, {"src": [str(source) for source in sources]})


def workspace(directory, files, created="2026-01-01T00:00:00Z"):
    directory.mkdir(parents=True)
    for name, content in files.items():
        (directory / name).write_text(content % {"created": created} if "%(created)s" in content else content)
    return directory


def test_what_oc_mirror_left(run, tmp_path):
    result = run(workspace(tmp_path / "resources", OC_MIRROR))
    assert result["changed"] is False
    assert result["mirrors"] == [
        {"source": "quay.io/apps", "mirrors": [MIRROR + "/apps"], "by": "tag", "policy": "NeverContactSource"},
        {"source": "quay.io/openshift-release-dev/ocp-release", "mirrors": [MIRROR + "/openshift/release-images"],
         "by": "digest", "policy": "AllowContactingSource"},
        {"source": "quay.io/openshift-release-dev/ocp-v4.0-art-dev", "mirrors": [MIRROR + "/openshift/release"],
         "by": "digest", "policy": "AllowContactingSource"},
        {"source": "registry.redhat.io/redhat", "mirrors": [MIRROR + "/redhat"], "by": "digest",
         "policy": "AllowContactingSource"},
    ]
    assert result["catalog_sources"] == [{
        "name": "cc-redhat-operator-index-v4-16", "image": MIRROR + "/redhat/redhat-operator-index:v4.16", "digest": "",
        "source": "registry.redhat.io/redhat/redhat-operator-index:v4.16"}]
    first, second = result["signature_config_maps"]
    assert first["metadata"]["name"] == "sha256-" + HEX and first["binaryData"] == {"sha256-%s-1" % HEX: "c2ln"}
    assert second["metadata"]["name"] == "sha256-" + "b" * 64
    assert result["ignored"] == ["UpdateService update-service-oc-mirror"]
    assert "ImageDigestMirrorSet idms-release-0" in result["used"]


def test_another_run_of_the_same_says_the_same(run, tmp_path):
    one = workspace(tmp_path / "one", OC_MIRROR)
    two = workspace(tmp_path / "two", OC_MIRROR, created="2026-02-02T00:00:00Z")
    first, both = run(one), run(one, two)
    for result in (first, both):
        result.pop("invocation", None)  # the options that were given; ansible-core tells them before 2.21
    assert first == both


def test_names_that_two_workspaces_share(run, tmp_path):
    other = OC_MIRROR["cs-redhat-operator-index-v4-16.yaml"].replace("/redhat/", "/other/")
    one = workspace(tmp_path / "one", {"cs.yaml": OC_MIRROR["cs-redhat-operator-index-v4-16.yaml"]})
    two = workspace(tmp_path / "two", {"cs.yaml": other})
    catalogs = run(one, two)["catalog_sources"]
    assert [catalog["name"] for catalog in catalogs] == ["cs-redhat-operator-index-v4-16",
                                                         "cs-redhat-operator-index-v4-16-2"]
    assert catalogs[1]["source"] == catalogs[1]["image"]  # no rule tells where it is from


def test_what_oc_adm_catalog_mirror_left(run, tmp_path):
    """The same rules twice, in the old kind and the new one, and a name that no object can have."""
    rules = "- mirrors: [%s/olm/redhat-quay]\n    source: registry.redhat.io/quay/quay\n" % MIRROR
    directory = workspace(tmp_path / "manifests-redhat-operator-index-1700000000", {
        "imageContentSourcePolicy.yaml": "---\napiVersion: operator.openshift.io/v1alpha1\n"
        "kind: ImageContentSourcePolicy\nmetadata: {name: index-0}\nspec:\n  repositoryDigestMirrors:\n  " + rules,
        "imageDigestMirrorSet.yaml": "---\napiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorSet\n"
        "metadata: {name: index-0}\nspec:\n  imageDigestMirrors:\n  " + rules,
        "catalogSource.yaml": "apiVersion: operators.coreos.com/v1alpha1\nkind: CatalogSource\n"
        "metadata: {name: index/redhat/redhat-operator-index}\nspec: {image: %s/olm/index:v4.16}\n" % MIRROR,
        "mapping.txt": "this is not: [read",
    })
    result = run(directory)
    assert result["mirrors"] == [{"source": "registry.redhat.io/quay/quay", "mirrors": [MIRROR + "/olm/redhat-quay"],
                                  "by": "digest", "policy": "AllowContactingSource"}]
    assert [catalog["name"] for catalog in result["catalog_sources"]] == ["index-redhat-redhat-operator-index"]


IDMS = "apiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorSet\nmetadata: {name: a}\nspec: {imageDigestMirrors: [%s]}\n"


@pytest.mark.parametrize("content,words", [
    ("a: [b", ["is neither YAML nor JSON (line"]),
    ("- a\n- b\n", ["no Kubernetes object"]),
    ("just text", ["no Kubernetes object"]),
    ("", ["None of the files"]),
    ("kind: UpdateService\nmetadata: {name: a}\n", ["None of the files", "cluster-resources"]),
    (IDMS % "{source: quay.io/a}", ["ImageDigestMirrorSet a", "it has no mirrors"]),
    (IDMS % "{source: 'https://quay.io/a', mirrors: [m.example.com/a]}", ["ImageDigestMirrorSet a", "quay.io/a"]),
    (IDMS % "{source: 5, mirrors: [m.example.com/a]}", ["source has the wrong type"]),
    ("kind: CatalogSource\nmetadata: {name: a}\nspec: {}\n", ["CatalogSource a", "An image reference is missing"]),
    ("kind: ConfigMap\nmetadata: {name: a, labels: {release.openshift.io/verification-signatures: ''}}\n"
     "binaryData: {sha256-%s-1: '!'}\n" % HEX, ["ConfigMap a", "is not Base64"]),
    ("kind: ConfigMap\nmetadata: {name: a, labels: {release.openshift.io/verification-signatures: ''}}\n"
     "binaryData: {junk: 'YQ=='}\n", ["ConfigMap a", "junk is not how"]),
])
def test_what_cannot_be_used_is_named_with_its_file(run, tmp_path, content, words):
    directory = workspace(tmp_path / "resources", {"a.yaml": content})
    result = run(directory)
    assert result["failed"] and all(word in result["msg"] for word in words + [str(directory / "a.yaml")]), result["msg"]


def test_rules_that_contradict_each_other(run, tmp_path):
    never = "{source: quay.io/a, mirrors: [m.example.com/a], mirrorSourcePolicy: NeverContactSource}"
    result = run(workspace(tmp_path / "resources", {
        "a.yaml": IDMS % "{source: quay.io/a, mirrors: [m.example.com/a]}", "b.yaml": IDMS % never}))
    assert result["failed"] and "contradict" in result["msg"] and "quay.io/a" in result["msg"]


def test_where_there_is_nothing(run, tmp_path):
    assert "does not exist" in run(tmp_path / "nowhere")["msg"]
    assert "holds no file that ends in" in run(workspace(tmp_path / "empty", {"a.txt": ""}))["msg"]
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    assert "is no text" in run(tmp_path / "binary.yaml")["msg"]


def test_without_pyyaml(run, tmp_path, monkeypatch):
    monkeypatch.setattr(mirror_manifests, "yaml", None)
    assert "python3-pyyaml" in run(workspace(tmp_path / "resources", OC_MIRROR))["msg"]
