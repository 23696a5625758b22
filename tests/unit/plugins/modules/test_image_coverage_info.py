# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
import threading

import pytest

pytest.importorskip("openshift")
pytest.importorskip("jmespath")

from ansible_collections.disconnected.openshift.plugins.module_utils import (  # noqa: E402
    cluster_inputs, errors, machine_config, node_files)
from ansible_collections.disconnected.openshift.plugins.modules import image_coverage_info  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit import fake_module, rollouts  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_cluster import (  # noqa: E402
    CONFIG, SERVED, ExecResult, FakeCluster)

SHA = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32
SECRET = {"auths": {"quay.io": {"auth": "cXVheTpjYW5hcnk="}, "mirror:5000": {"auth": "bWlycm9yOmNhbmFyeQ=="}}}
NODES = ("m0", "w0", "w1")
RULES = rollouts.mirrored("quay.io/shop")
CATALOGS = ("operators.coreos.com/v1alpha1", "CatalogSource"), ("olm.operatorframework.io/v1", "ClusterCatalog")
APPS = ("apps/v1", "Deployment"), ("apps/v1", "DaemonSet"), ("batch/v1", "CronJob")


class Registry:
    """A registry that has some images, {path: {tags and digests}}, and writes down what it was asked for."""

    def __init__(self, images, error=None):
        self.images, self.error, self.asked = images, error, []
        self._lock = threading.Lock()

    def digest(self, repository, reference):
        with self._lock:
            self.asked.append((repository, reference))
        if self.error:
            raise self.error
        return SHA if reference in self.images.get(repository, ()) else None


def workload(kind, name, image, namespace="shop", policy="IfNotPresent"):
    template = {"template": {"spec": {"containers": [{"name": "c", "image": image, "imagePullPolicy": policy}]}}}
    spec = {"jobTemplate": {"spec": template}} if kind == "CronJob" else template
    return {"apiVersion": dict(zip(("Deployment", "DaemonSet", "CronJob"), ("apps/v1", "apps/v1", "batch/v1")))[kind],
            "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def cluster_catalog(name):
    return {"apiVersion": CATALOGS[1][0], "kind": "ClusterCatalog", "metadata": {"name": name},
            "spec": {"source": {"image": {"ref": "quay.io/%s:v4.16" % name}}}}


def catalog_source(name, **annotations):
    return {"apiVersion": CATALOGS[0][0], "kind": "CatalogSource", "spec": {"image": "quay.io/%s-index:v4.16" % name},
            "metadata": {"name": name, "namespace": "openshift-marketplace", "annotations": annotations}}


def daemon(node):
    return {"apiVersion": "v1", "kind": "Pod", "status": {"phase": "Running"},
            "spec": {"nodeName": node, "containers": [{"name": "d", "image": "quay.io/shop/mcd@" + SHA}]},
            "metadata": {"name": "daemon-" + node, "namespace": cluster_inputs.MCO_NAMESPACE,
                         "labels": {"k8s-app": "machine-config-daemon"}}}


def cluster_of(*objects, served=APPS, rules=None, secret=None, configs=()):
    """m0, w0 and w1 with `rules` {node: text}, else with RULES; they run one platform image that is
    mirrored."""
    text = base64.b64encode(json.dumps(SECRET if secret is None else secret).encode()).decode()
    pull_secret = {"apiVersion": "v1", "kind": "Secret", "data": {".dockerconfigjson": text},
                   "metadata": {"name": "pull-secret", "namespace": "openshift-config"}}
    rendered = [rollouts.config("rendered-%s-1" % role, RULES) for role in ("master", "worker")]
    cluster = FakeCluster(*rollouts.objects(), *rendered, pull_secret, *map(daemon, NODES), *configs, *objects,
                          served=(*SERVED, *served))
    for node in NODES:
        printed = ":%s\n%s\n:\n" % (machine_config.REGISTRIES_CONF, base64.b64encode(
            (rules or {}).get(node, RULES).encode()).decode())
        cluster.commands["daemon-" + node, tuple(node_files.command())] = printed
    return cluster


def run(cluster, registry=None, **given):
    registry = registry or Registry({"shop/mcd": [SHA], "shop/app": [SHA, "1"]})
    return image_coverage_info.run(cluster, dict({
        "registries": [], "kinds": [], "ignore": [], "default_catalogs": False, "method": "files", "fix": False,
        "fail": False, "workers": 4, "exec_timeout": 30}, **given), lambda *values: None, lambda host: registry)


def row(result, image):
    return next(row for row in result["references"] if row["image"] == image)


class TestRun:
    def test_a_cluster_that_is_ready(self):
        registry = Registry({"shop/mcd": [SHA], "shop/app": [SHA]})
        cluster = cluster_of(workload("Deployment", "web", "quay.io/shop/app@" + SHA))
        result = run(cluster, registry, fail=True)
        assert (result["ready"], result["uncovered"], result["nodes"], result["changed"]) == (True, [], [], False)
        assert row(result, "quay.io/shop/app@" + SHA) == {
            "image": "quay.io/shop/app@" + SHA, "status": "covered", "reason": "", "risk": [], "running": False,
            "used_by": [{"kind": "Deployment", "namespace": "shop", "name": "web"}],
            "sources": [
                {"reference": "mirror:5000/shop/app@" + SHA, "mirror": True, "insecure": False, "blocked": False},
                {"reference": "quay.io/shop/app@" + SHA, "mirror": False, "insecure": False, "blocked": False}]}
        assert result["counts"]["covered"] == result["counts"]["total"] == 2
        assert cluster.writes == []

    def test_each_copy_is_asked_for_once(self):
        registry = Registry({"shop/app": [SHA]})
        run(cluster_of(workload("Deployment", "web", "quay.io/shop/app@" + SHA),
                       workload("CronJob", "night", "quay.io/shop/app:1@" + SHA)), registry)
        assert sorted(registry.asked) == [("shop/app", SHA), ("shop/mcd", SHA)]

    @pytest.mark.parametrize("kind, place", [("ClusterImagePolicy", {}), ("ImagePolicy", {"namespace": "shop"})])
    @pytest.mark.parametrize("signature, status", [([SHA, SHA.replace(":", "-") + ".sig"], "covered"), ([SHA], "no_signature")])
    def test_a_signature_that_a_policy_demands(self, signature, status, kind, place):
        policy = {"apiVersion": CONFIG, "kind": kind, "metadata": dict(place, name="openshift"),
                  "spec": {"scopes": ["quay.io/shop/app"]}}
        cluster = cluster_of(workload("Deployment", "web", "quay.io/shop/app@" + SHA), policy, served=(*APPS, (CONFIG, kind)))
        cluster.version = "4.21.0"
        registry = Registry({"shop/mcd": [SHA], "shop/app": signature})
        result = run(cluster, registry)
        assert row(result, "quay.io/shop/app@" + SHA)["status"] == status
        assert len(registry.asked) == 3  # two images, and the signature of one of them
        assert result["ready"] is (status == "covered")

    def test_what_would_break_and_why(self):
        result = run(cluster_of(
            workload("Deployment", "a", "quay.io/shop/app:1"),
            workload("Deployment", "b", "quay.io/shop/gone@" + SHA),
            workload("DaemonSet", "c", "quay.io/elsewhere/app:1", namespace="openshift-x", policy="Always"),
            workload("Deployment", "d", "busybox"),
            workload("Deployment", "e", "image-registry.openshift-image-registry.svc:5000/shop/own:1"),
            workload("Deployment", "f", "mirror:5000/shop/app:1"),
            workload("Deployment", "g", "Wrong"),
        ))
        assert {row["image"]: row["status"] for row in result["references"]} == {
            "quay.io/elsewhere/app:1": "no_rule", "busybox": "unqualified",
            "quay.io/shop/app:1": "tag_without_tag_mirror",
            "quay.io/shop/gone@" + SHA: "not_mirrored", "quay.io/shop/mcd@" + SHA: "covered", "Wrong": "invalid",
            "image-registry.openshift-image-registry.svc:5000/shop/own:1": "internal_registry",
            "mirror:5000/shop/app:1": "mirror_itself"}
        assert result["uncovered"] == ["quay.io/elsewhere/app:1", "busybox", "quay.io/shop/app:1",
                                       "quay.io/shop/gone@" + SHA]
        assert row(result, "quay.io/elsewhere/app:1")["risk"] == ["always", "daemon_set", "system_namespace"]
        assert not result["ready"]

    def test_failing_tells_all_of_it(self):
        cluster = cluster_of(*(workload("Deployment", "a%d" % n, "quay.io/elsewhere/app:%d" % n) for n in range(8)))
        with pytest.raises(errors.Error, match=(
                r"^8 of 9 image references could not be pulled without the internet. no_rule: quay.io/elsewhere/app:0, "
                r".*app:4 and 3 more. No rule")) as caught:
            run(cluster, fail=True)
        assert caught.value.details["ready"] is False and len(caught.value.details["uncovered"]) == 8

    def test_a_registry_that_cannot_be_reached_is_not_waited_for_with_every_image(self):
        registry = Registry({}, errors.Unreachable("mirror:5000 cannot be reached: no answer in time."))
        cluster = cluster_of(*(workload("Deployment", "a%d" % n, "quay.io/shop/app%d@%s" % (n, SHA)) for n in range(40)))
        result = run(cluster, registry, workers=2)
        assert result["counts"]["unverified"] == 41 and len(registry.asked) <= 2
        assert all("no answer in time" in row["reason"] for row in result["references"])

    def test_no_credentials(self):
        refused = errors.Unauthorized("mirror:5000: the registry does not accept requests without credentials (401).")
        cluster = cluster_of(secret={"auths": {"quay.io": {"auth": "cXVheTpjYW5hcnk="}}})
        found = row(run(cluster, Registry({}, refused)), "quay.io/shop/mcd@" + SHA)
        assert found["status"] == "no_credentials" and "no key for mirror:5000/shop/mcd" in found["reason"]

    def test_a_mirror_that_cannot_be_reached(self):
        unreachable = errors.Unreachable("mirror:5000 cannot be reached: connection refused.")
        result = run(cluster_of(), Registry({}, unreachable))
        assert result["references"][0]["status"] == "unverified" and not result["ready"]
        assert "connection refused" in result["references"][0]["reason"]

    def test_a_digest_that_runs_under_a_tag_is_told_but_not_needed(self):
        running = [{"name": "c", "imageID": "quay.io/shop/app@" + OTHER}]
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop"},
               "spec": {"containers": [{"name": "c", "image": "quay.io/shop/app:1", "imagePullPolicy": "Always"}]},
               "status": {"phase": "Running", "containerStatuses": running}}
        rules = dict.fromkeys(NODES, rollouts.mirrored("quay.io/shop", mode="all"))
        result = run(cluster_of(pod, rules=rules), Registry({"shop/app": ["1"], "shop/mcd": [SHA]}))
        found = row(result, "quay.io/shop/app@" + OTHER)
        assert (found["status"], found["running"], result["ready"]) == ("not_mirrored", True, True)


class TestRules:
    def test_nodes_that_disagree(self):
        """Where one node could not pull it, it is not covered."""
        cluster = cluster_of(workload("Deployment", "a", "quay.io/shop/app@" + SHA), rules={"w1": rollouts.TEMPLATE})
        found = row(run(cluster), "quay.io/shop/app@" + SHA)
        assert found["status"] == "no_rule" and found["reason"].startswith("On w1: No rule")

    def test_a_node_that_cannot_be_read(self):
        cluster = cluster_of()
        cluster.commands["daemon-w1", tuple(node_files.command())] = ExecResult(1, "secret", "cd: no such directory")
        result = run(cluster)
        assert result["nodes"] == [
            {"name": "w1", "reason": "reading its files ended with exit code 1: cd: no such directory"}]
        assert not result["ready"] and result["uncovered"] == []
        with pytest.raises(errors.Error, match="The rules of w1 could not be read: reading its files"):
            run(cluster, fail=True)

    def test_no_node_can_be_read(self):
        cluster = cluster_of()
        for node in NODES:
            refusal = errors.Forbidden("pods/exec is forbidden.")
            cluster.commands["daemon-" + node, tuple(node_files.command())] = refusal
        with pytest.raises(errors.Error, match="of no node could be read. m0: pods/exec is forbidden"):
            run(cluster)

    def test_rules_from_the_api(self):
        cluster = cluster_of(rules=dict.fromkeys(NODES, "broken ["))
        assert run(cluster, method="api")["ready"]
        assert not [request for request in cluster.requests if request[0] == "exec"]

    def test_rules_that_cannot_be_read(self):
        result = run(cluster_of(rules={"w0": "broken [", "w1": "broken ["}))
        assert [node["name"] for node in result["nodes"]] == ["w0", "w1"]
        assert all("not valid TOML" in node["reason"] for node in result["nodes"])

    def test_only_the_registries_that_are_left_count(self):
        result = run(cluster_of(), registries=["other:5000"])
        assert "mirror:5000, which is not among the mirror registries" in result["references"][0]["reason"]


class TestObjects:
    def test_kinds_that_are_not_served_are_passed_over(self):
        assert run(cluster_of(served=()))["counts"]["total"] == 1

    def test_a_kind_of_ones_own(self):
        backup = {"apiVersion": "example.com/v1", "kind": "Backup", "metadata": {"name": "b", "namespace": "shop"},
                  "spec": {"tool": "quay.io/elsewhere/tool:1"}}
        cluster = cluster_of(backup, served=[("example.com/v1", "Backup")])
        result = run(cluster, kinds=[{"api_version": "example.com/v1", "kind": "Backup", "images": ["spec.tool"]}])
        assert result["uncovered"] == ["quay.io/elsewhere/tool:1"]
        assert row(result, "quay.io/elsewhere/tool:1")["used_by"] == [
            {"kind": "Backup", "namespace": "shop", "name": "b"}]

    def test_the_operating_system_of_the_pools(self):
        layered = rollouts.config("rendered-worker-1", RULES)
        layered["spec"]["osImageURL"] = "quay.io/elsewhere/layered@" + SHA
        other = rollouts.config("rendered-worker-0", RULES)
        other["spec"]["osImageURL"] = "quay.io/elsewhere/old@" + SHA
        result = run(cluster_of(layered, other))
        assert result["uncovered"] == ["quay.io/elsewhere/layered@" + SHA]

    def test_every_missing_right_is_named(self):
        cluster = cluster_of()
        for kind in ("Deployment", "CronJob"):
            cluster.refuse("list", kind, errors.Forbidden("cannot list %s: forbidden." % kind))
        with pytest.raises(errors.Forbidden, match="cannot list Deployment.* cannot list CronJob"):
            run(cluster)

    def test_another_failure_is_told_as_it_is(self):
        cluster = cluster_of()
        cluster.refuse("list", "Deployment", errors.Unreachable("the API does not answer."))
        with pytest.raises(errors.Unreachable, match="does not answer"):
            run(cluster)


class TestIgnore:
    OBJECTS = (workload("Deployment", "a", "registry.corp/app:1"),
               workload("Deployment", "b", "quay.io/sand/app:1", namespace="sandbox"),
               workload("Deployment", "c", "quay.io/both/app:1", namespace="sandbox"),
               workload("Deployment", "d", "quay.io/both/app:1"))

    def test_prefixes_and_namespaces(self):
        result = run(cluster_of(*self.OBJECTS), ignore=[
            {"prefix": "registry.corp", "namespace": None, "reason": "It is our own."},
            {"prefix": None, "namespace": "sandbox", "reason": "It is for play."}])
        assert {row["image"]: row["reason"] for row in result["references"] if row["status"] == "ignored"} == {
            "registry.corp/app:1": "It is our own.", "quay.io/sand/app:1": "It is for play."}
        assert result["uncovered"] == ["quay.io/both/app:1"] and result["counts"]["ignored"] == 2

    def test_catalogs_that_the_cut_switches_off_need_no_mirror(self):
        cluster = cluster_of(
            cluster_catalog("openshift-redhat-operators"), cluster_catalog("ours"), catalog_source("acme"),
            catalog_source("redhat", **{"operatorframework.io/managed-by": "marketplace-operator"}), served=CATALOGS)
        defaults = ["quay.io/openshift-redhat-operators:v4.16", "quay.io/redhat-index:v4.16"]
        others = ["quay.io/acme-index:v4.16", "quay.io/ours:v4.16"]
        result = run(cluster, default_catalogs=True)
        assert sorted(result["uncovered"]) == others
        assert sorted(row["image"] for row in result["references"] if row["status"] == "ignored") == defaults
        assert sorted(run(cluster)["uncovered"]) == sorted(defaults + others)

    def test_what_is_ignored_is_not_asked_for(self):
        registry = Registry({})
        run(cluster_of(), registry, ignore=[{"prefix": "quay.io/shop", "namespace": None, "reason": "x"}])
        assert registry.asked == []


class TestFix:
    def test_images_and_rules(self):
        cluster = cluster_of(workload("Deployment", "a", "quay.io/new/app:1"), workload("Deployment", "b", "busybox"))
        rule = {"source": "quay.io/new/app", "mirrors": ["mirror:5000/new/app"], "policy": "AllowContactingSource"}
        assert run(cluster, fix=True, registries=["mirror:5000"])["fix"] == {
            "images": ["quay.io/new/app:1"], "mirrors": [dict(rule, by="digest"), dict(rule, by="tag")]}

    def test_a_policy_stays(self):
        never = {"apiVersion": CONFIG, "kind": "ImageDigestMirrorSet", "metadata": {"name": "never"}, "spec": {
            "imageDigestMirrors": [{"source": "quay.io/new", "mirrors": ["mirror:5000/new"],
                                    "mirrorSourcePolicy": "NeverContactSource"}]}}
        cluster = cluster_of(never, workload("Deployment", "a", "quay.io/new/app:1"))
        result = run(cluster, fix=True, registries=["mirror:5000"])
        assert {rule["policy"] for rule in result["fix"]["mirrors"]} == {"NeverContactSource"}

    def test_nothing_to_mend(self):
        assert run(cluster_of(), fix=True, registries=["mirror:5000"])["fix"] == {"images": [], "mirrors": []}


@pytest.mark.parametrize("given, reason", [
    ({"fix": True}, "give it as the first of registries"),
    ({"registries": ["https://mirror"]}, "leave the scheme out"),
    ({"kinds": [{"api_version": "v1", "kind": "X", "images": ["a["]}]}, "is not a JMESPath expression"),
])
def test_bad_input_first(given, reason):
    cluster = cluster_of()
    with pytest.raises(errors.InvalidInput, match=reason):
        run(cluster, **given)
    assert cluster.requests == []


class TestConnections:
    PROXY = {"apiVersion": CONFIG, "kind": "Proxy", "metadata": {"name": "cluster"}}
    INPUTS = cluster_inputs.Inputs("4.16.30", SECRET, (), (), "cas", {"mirror:5000": "own"})

    def cas(self, monkeypatch, cluster, host):
        """The CAs by which a registry is verified."""
        made = {}
        monkeypatch.setattr(image_coverage_info, "Registries", lambda auth, ca_content: {host: made.update(
            auth=auth, cas=ca_content)})
        image_coverage_info.Connections(cluster, self.INPUTS)(host)
        assert made["auth"] is SECRET
        return made["cas"]

    def test_a_registry_has_its_own_ca_and_those_of_the_proxy(self, monkeypatch):
        proxy = dict(self.PROXY, spec={"trustedCA": {"name": "b"}})
        bundle = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b", "namespace": "openshift-config"},
                  "data": {"ca-bundle.crt": "bundle"}}
        cluster = FakeCluster(proxy, bundle, served=(*SERVED, (CONFIG, "Proxy")))
        assert self.cas(monkeypatch, cluster, "mirror:5000") == "own\nbundle"
        assert self.cas(monkeypatch, cluster, "other:5000") == "bundle"

    def test_nothing_beside_the_systems_own(self, monkeypatch):
        proxy = dict(self.PROXY, spec={"trustedCA": {"name": ""}})
        for cluster in (FakeCluster(proxy, served=(*SERVED, (CONFIG, "Proxy"))), FakeCluster()):
            assert self.cas(monkeypatch, cluster, "other:5000") == ""

    def test_a_ca_that_is_none_concerns_its_registry_alone(self):
        connect = image_coverage_info.Connections(FakeCluster(), self.INPUTS)
        answers = image_coverage_info.ask(["mirror:5000/a:1"], connect, 2)
        assert "no PEM certificate" in answers["mirror:5000/a:1"].message


def test_as_a_module(capsys, monkeypatch):
    monkeypatch.setattr(image_coverage_info, "Connections", lambda cluster, inputs: lambda host: Registry({}))
    result = fake_module.run(image_coverage_info, capsys, {"fail": False}, cluster_of())
    assert result["counts"]["not_mirrored"] == 1 and "failed" not in result
    failed = fake_module.run(image_coverage_info, capsys, {}, cluster_of())
    assert failed["failed"] and failed["uncovered"] == ["quay.io/shop/mcd@" + SHA]
    assert "canary" not in json.dumps(failed) and "bWlycm9yOmNhbmFyeQ" not in json.dumps(failed)
    proxy = {"apiVersion": CONFIG, "kind": "Proxy", "metadata": {"name": "cluster"}, "status": {"httpsProxy": "http://proxy:3128"}}
    cluster = cluster_of(proxy)
    cluster.served = {*cluster.served, (CONFIG, "Proxy")}
    warned = fake_module.run(image_coverage_info, capsys, {"fail": False, "registries": ["mirror.example.com:8443"]}, cluster)
    assert "The nodes ask mirror.example.com:8443 through the cluster's proxy" in str(warned["warnings"])
    both = fake_module.run(image_coverage_info, capsys, {"ignore": [{"prefix": "a", "namespace": "b", "reason": "c"}]},
                           cluster_of())
    assert both["failed"] and "mutually exclusive" in both["msg"]
