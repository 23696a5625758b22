# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json

import pytest

pytest.importorskip("openshift")

from ansible_collections.disconnected.openshift.plugins.module_utils import errors, node_files  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.module_utils.machine_config import (  # noqa: E402
    PULL_SECRET, REGISTRIES_CONF)
from ansible_collections.disconnected.openshift.plugins.modules import node_mirror_info  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit import fake_module, rollouts  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_clock import FakeClock  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_cluster import (  # noqa: E402
    CONFIG, SERVED, ExecResult, FakeCluster)
from ansible_collections.disconnected.openshift.tests.unit.rollouts import API, mirrored, row  # noqa: E402

SOURCE = "quay.io/openshift-release-dev/ocp-release"
REGISTRY = "mirror:5000"
PEM = "-----BEGIN CERTIFICATE-----\nMIIBmirror\n-----END CERTIFICATE-----\n"
SECRET = '{"auths":{"quay.io":{"auth":"cXVheTpjYW5hcnk="},"mirror:5000":{"auth":"bWlycm9yOmNhbmFyeQ=="}}}'
RIGHT = {PULL_SECRET: SECRET, REGISTRIES_CONF: mirrored(SOURCE), node_files.CERTS_D + "/mirror:5000/ca.crt": PEM}
NODES = ("m0", "w0", "w1")
DIGEST = "sha256:" + "0" * 64


def printed(files):
    """What the command prints for {path: text}."""
    return "".join(":%s\n%s\n" % (path, base64.b64encode(text.encode()).decode())
                   for path, text in files.items()) + ":\n"


def mirror_set(source=SOURCE, **fields):
    return {"apiVersion": CONFIG, "kind": "ImageDigestMirrorSet", "metadata": {"name": "mirrors"}, "spec": {
        "imageDigestMirrors": [dict({"source": source, "mirrors": [REGISTRY + "/openshift-release-dev/ocp-release"]},
                                    **fields)]}}


def daemon(node):
    return {"apiVersion": "v1", "kind": "Pod", "spec": {"nodeName": node}, "status": {"phase": "Running"},
            "metadata": {"name": "machine-config-daemon-" + node, "namespace": "openshift-machine-config-operator",
                         "labels": {"k8s-app": "machine-config-daemon"}}}


def holds(cluster, name, files):
    """Put these files on a node."""
    cluster.commands["machine-config-daemon-" + name, tuple(node_files.command())] = (
        files if isinstance(files, (ExecResult, errors.Error)) else printed(files))


def cluster_of(*more, version="4.16.30", served=SERVED, brought=True, **files):
    """A cluster that is configured for the mirror, with everything rolled out; files=... by node. Unless it was `brought` by
    this collection, the registry was known to the cluster before."""
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
              "metadata": {"name": "pull-secret", "namespace": "openshift-config"},
              "data": {".dockerconfigjson": base64.b64encode(json.dumps(json.loads(SECRET), indent=1).encode()).decode()}}
    image = {"apiVersion": CONFIG, "kind": "Image", "metadata": {"name": "cluster"},
             "spec": {"additionalTrustedCA": {"name": "registry-cas"}}}
    cas = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "registry-cas", "namespace": "openshift-config"},
           "data": {"mirror..5000": PEM}}
    if brought:
        secret["metadata"]["annotations"] = {"disconnected.openshift/registries": '["mirror:5000"]'}
        cas["metadata"]["annotations"] = {"disconnected.openshift/trusted-certificates": '{"mirror..5000": ["ab"]}'}
    rendered = [rollouts.config("rendered-%s-1" % role, mirrored(SOURCE), SECRET) for role in ("master", "worker")]
    cluster = FakeCluster(*rollouts.objects(), secret, image, cas, mirror_set(), *rendered,
                          *(daemon(name) for name in NODES), *more, version=version, served=served)
    for name in NODES:
        holds(cluster, name, files.get(name, RIGHT))
    return cluster


def options(**given):
    return dict({"nodes": None, "method": "files", "expected": None, "registry": None, "expect": "used", "images": [],
                 "fail": False, "wait": 0, "poll_interval": 5, "workers": 4, "exec_timeout": 30}, **given)


def run(cluster, clock=None, **given):
    return node_mirror_info.run(cluster, options(**given), lambda *values: None, clock or FakeClock())


def only(result, name):
    return next(row for row in result["nodes"] if row["name"] == name)


def without(*paths):
    return {path: text for path, text in RIGHT.items() if path not in paths}


class TestFiles:
    def test_every_node_matches(self):
        cluster = cluster_of()
        result = run(cluster)
        assert (result["matches"], result["changed"]) == (True, False)
        assert [row["name"] for row in result["nodes"]] == list(NODES)
        assert all(row == {"name": row["name"], "matches": True, "missing": [], "unexpected": [], "reason": ""}
                   for row in result["nodes"])
        assert cluster.writes == []

    def test_one_command_a_node_and_a_handful_of_reads(self):
        cluster = cluster_of()
        run(cluster)
        assert sum(request[0] == "exec" for request in cluster.requests) == 3
        assert len(cluster.requests) - 3 <= 8

    def test_the_release_of_mirrors_in_any_spelling(self):
        older = mirrored(SOURCE).replace('    pull-from-mirror = "digest-only"\n', "").replace(
            '  prefix = ""\n', '  prefix = ""\n  mirror-by-digest-only = true\n')
        assert run(cluster_of(w0=dict(RIGHT, **{REGISTRIES_CONF: older})))["matches"]

    @pytest.mark.parametrize("files, missing, unexpected", [
        (without(PULL_SECRET), [PULL_SECRET + ": the whole file"], []),
        (dict(RIGHT, **{PULL_SECRET: '{"auths":{"quay.io":{"auth":"cXVheTpvbGQ="},"old":{"auth":"eA=="}}}'}),
         [PULL_SECRET + ": credentials of mirror:5000", PULL_SECRET + ": the present credentials of quay.io"],
         [PULL_SECRET + ": credentials of old"]),
        (dict(RIGHT, **{REGISTRIES_CONF: rollouts.TEMPLATE}),
         [REGISTRIES_CONF + ": %s is pulled from mirror:5000/openshift-release-dev/ocp-release by digest, then %s"
          % (SOURCE, SOURCE)], []),
        (without(node_files.CERTS_D + "/mirror:5000/ca.crt"), [node_files.CERTS_D + ": the CA of mirror:5000"], []),
    ])
    def test_what_is_missing_and_unexpected(self, files, missing, unexpected):
        result = run(cluster_of(w1=files))
        assert not result["matches"] and only(result, "w0")["matches"]
        assert (only(result, "w1")["missing"], only(result, "w1")["unexpected"]) == (missing, unexpected)
        assert only(result, "w1")["reason"]

    def test_no_credential_gets_out(self):
        files = dict(RIGHT, **{PULL_SECRET: '{"auths":{"quay.io":{"auth":"c2VjcmV0LW9sZA=="}}}'})
        for broken in (files, dict(RIGHT, **{PULL_SECRET: '{"auths":{"quay.io":{"auth":"c2VjcmV0LW9sZA=="}'}),
                       ExecResult(1, printed(files), "base64: read error"), ExecResult(0, printed(files)[:-3], "")):
            cluster = cluster_of()
            holds(cluster, "w0", broken)
            result = str(run(cluster))
            assert "c2VjcmV0LW9sZA" not in result and "secret-old" not in result and "canary" not in result

    def test_fail_names_nodes_and_reasons(self):
        cluster = cluster_of(w1=without(PULL_SECRET))
        with pytest.raises(errors.Error, match="1 of 3 nodes .* w1: lacks /var/lib/kubelet/config.json") as caught:
            run(cluster, fail=True)
        assert caught.value.details["matches"] is False and len(caught.value.details["nodes"]) == 3

    def test_a_message_about_many_nodes_stays_short(self):
        cluster = cluster_of()
        for number in range(200):
            cluster.put(rollouts.node("x%03d" % number, "worker"))
        with pytest.raises(errors.Error, match="200 of 203 .* x000, .* x004 and 195 more: ") as caught:
            run(cluster, fail=True)
        assert len(caught.value.message) < 300

    def test_some_nodes_only(self):
        cluster = cluster_of(w1={})
        assert [row["name"] for row in run(cluster, nodes=["w0"])["nodes"]] == ["w0"]
        with pytest.raises(errors.InvalidInput, match="no node w7"):
            run(cluster, nodes=["w0", "w7"])

    def test_windows_nodes_are_not_the_operators(self):
        windows = rollouts.node("win0", "worker")
        windows["metadata"]["labels"]["kubernetes.io/os"] = "windows"
        assert len(run(cluster_of(windows))["nodes"]) == 3

    @pytest.mark.parametrize("answer, words", [
        (ExecResult(127, "", "sh: base64: not found\n"), "exit code 127: sh: base64: not found"),
        (errors.Forbidden("cannot create pods/exec"), "cannot create pods/exec"),
        (ExecResult(0, ":/a\n", ""), "did not arrive whole"),
    ])
    def test_a_node_that_cannot_be_read_does_not_hide_the_others(self, answer, words):
        cluster = cluster_of()
        holds(cluster, "w0", answer)
        result = run(cluster)
        assert words in only(result, "w0")["reason"]
        assert only(result, "w1")["matches"]

    def test_a_node_without_a_daemon_pod(self):
        result = run(cluster_of(rollouts.node("w9", "worker")))
        assert "no running machine-config-daemon pod" in only(result, "w9")["reason"]

    def test_waits_until_all_match_and_reads_only_the_others_again(self):
        cluster, clock = cluster_of(w1=without(PULL_SECRET)), FakeClock()
        clock.at(12, lambda: holds(cluster, "w1", RIGHT))
        result = run(cluster, clock, wait=60, fail=True)
        assert result["matches"] and clock.time == 15
        reads = [request[1] for request in cluster.requests if request[0] == "exec"]
        assert reads.count("machine-config-daemon-w1") == 4 and reads.count("machine-config-daemon-w0") == 1

    def test_a_node_that_goes_away_meanwhile_is_not_waited_for(self):
        cluster, clock = cluster_of(w1={}), FakeClock()
        clock.at(7, lambda: cluster.delete("v1", "Node", "w1"))
        result = run(cluster, clock, wait=60)
        assert [row["name"] for row in result["nodes"]] == ["m0", "w0"] and result["matches"] and clock.time == 10

    def test_what_is_asked_for_changes_meanwhile(self):
        """Somebody adds a mirror while a CA is awaited: the nodes that matched have to have that, too."""
        theirs = dict(mirror_set("quay.io/theirs"), metadata={"name": "theirs"})
        theirs["spec"]["imageDigestMirrors"][0]["mirrors"] = [REGISTRY + "/theirs"]
        both = dict(RIGHT, **{REGISTRIES_CONF: mirrored(SOURCE, "quay.io/theirs")})
        cluster, clock = cluster_of(w1=without(PULL_SECRET)), FakeClock()
        clock.at(7, lambda: cluster.put(theirs))
        for name in NODES:
            clock.at(22, lambda name=name: holds(cluster, name, both))
        result = run(cluster, clock, wait=60)
        assert result["matches"] and clock.time == 25

    def test_an_own_expectation(self):
        assert not run(cluster_of(), expected=[])["matches"]
        assert run(cluster_of(), expected=[mirror_set()])["matches"]


class TestReasons:
    """Why the file on a node is not what the objects say, though these are right."""

    WRONG = dict(RIGHT, **{REGISTRIES_CONF: rollouts.TEMPLATE})

    def reason(self, cluster, name="w1"):
        for node in ("w0", "w1"):
            holds(cluster, node, self.WRONG)
        return only(run(cluster), name)["reason"]

    def test_an_object_that_the_operator_refuses(self):
        result = run(cluster_of(dict(mirror_set("quay.io/x:tag"), metadata={"name": "bad"})))
        assert not result["matches"]
        assert all("quay.io/x:tag" in row["reason"] for row in result["nodes"])

    def test_another_machine_config_owns_the_file(self):
        cluster = cluster_of(rollouts.config("worker-registries", secret=None, labels={rollouts.ROLE_LABEL: "worker"}),
                             rollouts.config("rendered-worker-1", rollouts.TEMPLATE, SECRET))
        assert self.reason(cluster).startswith("MachineConfig worker-registries owns /etc/containers/registries.conf")

    def test_nothing_is_rendered_yet(self):
        cluster = cluster_of(rollouts.config("rendered-worker-1", rollouts.TEMPLATE, SECRET))
        assert self.reason(cluster) == "pool worker has no such configuration yet"

    @staticmethod
    def pending(**worker_spec):
        cluster = cluster_of(rollouts.config("rendered-worker-1", rollouts.TEMPLATE, SECRET),
                             rollouts.config("rendered-worker-2", mirrored(SOURCE), SECRET))
        cluster.put(rollouts.pool("worker", rendered="rendered-worker-2", **worker_spec))
        return cluster

    def test_the_pool_is_paused(self):
        assert self.reason(self.pending(paused=True)) == "pool worker is paused"

    def test_the_node_waits_is_updated_or_is_cordoned(self):
        cluster = self.pending()
        rollouts.apply(cluster, row(0, "Node", "w0", state="Working", desiredConfig="rendered-worker-2"))
        assert self.reason(cluster, "w0") == "the node is being updated: it is Working"
        assert self.reason(cluster, "w1") == "the node waits for its turn in the update of pool worker"
        rollouts.apply(cluster, row(0, "Node", "w1", unschedulable=True))
        assert self.reason(cluster, "w1") == "the node is cordoned, which holds its update back"

    def test_the_node_is_degraded(self):
        cluster = self.pending()
        rollouts.apply(cluster, row(0, "Node", "w1", state="Degraded", reason="unexpected on-disk state"))
        assert self.reason(cluster) == "the node is Degraded: unexpected on-disk state"

    def test_the_file_was_changed_by_hand(self):
        assert "by hand" in self.reason(cluster_of())

    def test_a_ca_that_is_on_its_way_and_one_that_nobody_has(self):
        cluster = cluster_of(w1=without(node_files.CERTS_D + "/mirror:5000/ca.crt"))
        assert only(run(cluster), "w1")["reason"].startswith("a CA takes up to two minutes")
        image = cluster.peek(CONFIG, "Image", "cluster")
        image["spec"]["additionalTrustedCA"]["name"] = "none"
        cluster.put(image)
        assert "openshift-config/none, which does not exist" in only(run(cluster), "w0")["reason"]

    def test_a_node_of_no_pool(self):
        lone = rollouts.node("x0", "other")
        assert only(run(cluster_of(lone, daemon("x0"))), "x0")["reason"].startswith("the node's files could not be read")


class TestRegistry:
    def test_used(self):
        assert run(cluster_of(), registry=REGISTRY)["matches"]

    def test_no_mirror_there(self):
        result = run(cluster_of(), registry="mirror:443")
        assert only(result, "w0")["missing"] == [REGISTRIES_CONF + ": any mirror at mirror:443"]
        assert only(result, "w0")["reason"] == "no mirror set of the cluster names mirror:443"

    def test_what_the_cluster_does_not_ask_for_is_not_waited_for(self):
        clock = FakeClock()
        result = run(cluster_of(), clock=clock, registry="mirror:443", wait=180)
        assert only(result, "w0")["reason"] == "no mirror set of the cluster names mirror:443"
        assert clock.now() == 0

    def test_clean(self):
        assert run(cluster_of(), registry="other:5000", expect="clean")["matches"]
        result = run(cluster_of(), registry=REGISTRY, expect="clean")
        assert only(result, "w0")["unexpected"] == [
            REGISTRIES_CONF + ": mirror:5000/openshift-release-dev/ocp-release as a mirror of " + SOURCE,
            PULL_SECRET + ": credentials of mirror:5000", node_files.CERTS_D + ": the CA of mirror:5000"]
        assert only(result, "w0")["reason"] == "the cluster's own objects still name mirror:5000"

    def test_clean_of_what_was_not_there_before(self):
        result = run(cluster_of(brought=False), registry=REGISTRY, expect="clean")
        assert only(result, "w0")["unexpected"] == [
            REGISTRIES_CONF + ": mirror:5000/openshift-release-dev/ocp-release as a mirror of " + SOURCE]

    def test_a_ca_that_lingers(self):
        other = dict(RIGHT, **{node_files.CERTS_D + "/other:5000/ca.crt": PEM})
        result = run(cluster_of(w0=other), registry="other:5000", expect="clean")
        assert only(result, "w0")["unexpected"] == [node_files.CERTS_D + ": the CA of other:5000"]
        assert only(result, "w0")["reason"].startswith("a CA takes up to two minutes")


class TestImages:
    def test_pull_sources_in_order(self):
        image = SOURCE + "@" + DIGEST
        result = run(cluster_of(w1={REGISTRIES_CONF: rollouts.TEMPLATE}), images=[image])
        assert only(result, "w0")["pull_sources"] == {image: [
            {"reference": "mirror:5000/openshift-release-dev/ocp-release@" + DIGEST, "mirror": True, "insecure": False,
             "blocked": False},
            {"reference": image, "mirror": False, "insecure": False, "blocked": False}]}
        assert [source["reference"] for source in only(result, "w1")["pull_sources"][image]] == [image]

    def test_a_tag_goes_to_its_source(self):
        result = run(cluster_of(), images=[SOURCE + ":4.16"])
        assert [source["mirror"] for source in only(result, "w0")["pull_sources"][SOURCE + ":4.16"]] == [False]

    def test_what_is_no_reference_is_refused(self):
        with pytest.raises(errors.InvalidInput):
            run(cluster_of(), images=["quay.io/UPPER"])


class TestApi:
    APPS = SERVED + (("apps/v1", "DaemonSet"),)

    @staticmethod
    def controller(data=PEM):
        return {"apiVersion": API, "kind": "ControllerConfig", "metadata": {"name": "machine-config-controller"},
                "spec": {"imageRegistryBundleUserData": [
                    {"file": "mirror..5000", "data": base64.b64encode(data.encode()).decode()}]}}

    def synced(self, *more, names=NODES):
        cluster = cluster_of(self.controller(), *more)
        version = cluster.peek(API, "ControllerConfig", "machine-config-controller")["metadata"]["resourceVersion"]
        for name in names:
            rollouts.apply(cluster, row(0, "Node", name, lastSyncedControllerConfigResourceVersion=version))
        return cluster

    def test_no_command_is_run(self):
        cluster = self.synced()
        assert run(cluster, method="api")["matches"]
        assert not [request for request in cluster.requests if request[0] == "exec"]
        assert sum(request[:2] == ("get", "MachineConfig") for request in cluster.requests) == 2

    def test_a_node_that_has_not_taken_over_the_cas(self):
        result = run(self.synced(names=("m0", "w0")), method="api")
        assert only(result, "w1")["missing"] == [node_files.CERTS_D + ": the CA of mirror:5000"]

    def test_another_ca(self):
        cluster = self.synced()
        stored = self.controller(PEM.replace("mirror", "other0"))
        stored["metadata"]["resourceVersion"] = "1"
        cluster.put(stored)
        assert not run(cluster, method="api")["matches"]

    def test_a_node_that_is_not_done_proves_nothing(self):
        cluster = self.synced()
        rollouts.apply(cluster, row(0, "Node", "w1", state="Working"))
        assert "Working" in only(run(cluster, method="api"), "w1")["reason"]

    @pytest.mark.parametrize("ready, matches", [(3, True), (2, False)])
    def test_before_4_14_the_node_ca_pods_hand_the_cas_out(self, ready, matches):
        certificates = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"mirror..5000": PEM}, "metadata": {
            "name": "image-registry-certificates", "namespace": "openshift-image-registry"}}
        pods = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {
            "name": "node-ca", "namespace": "openshift-image-registry"},
            "status": {"desiredNumberScheduled": 3, "numberReady": ready}}
        cluster = cluster_of(certificates, pods, version="4.13.30", served=self.APPS)
        assert run(cluster, method="api")["matches"] is matches


class TestMain:
    def test_a_result(self, capsys):
        result = fake_module.run(node_mirror_info, capsys, {}, cluster_of())
        assert result["matches"] and not result.get("failed")

    def test_a_failure(self, capsys):
        result = fake_module.run(node_mirror_info, capsys, {}, cluster_of(w1=without(PULL_SECRET)))
        assert result["failed"] and "w1" in result["msg"] and not result["matches"]
        assert "Y2FuYXJ5" not in str(result)

    def test_a_thousand_nodes_take_no_time(self):
        cluster = cluster_of()
        for number in range(1000):
            name = "x%03d" % number
            cluster.put(rollouts.node(name, "worker"))
            cluster.put(daemon(name))
            holds(cluster, name, RIGHT)
        assert len(run(cluster, workers=16)["nodes"]) == 1003


class TestReachable:
    @staticmethod
    def ask(cluster, clock=None, fail=True, **given):
        return node_mirror_info.ask(cluster, dict(options(registry=REGISTRY, expect="reachable", fail=fail, **given), ca=None),
                                    lambda *values: None, clock or FakeClock())

    @staticmethod
    def cluster(**answers):
        cluster = cluster_of()
        for name in NODES:
            cluster.commands["machine-config-daemon-" + name, tuple(node_files.reach_command(REGISTRY))] = (
                answers.get(name, "\n401\n0\n"))
        return cluster

    def test_all_do(self):
        cluster = self.cluster()
        result = self.ask(cluster)
        assert result["matches"] and [row["name"] for row in result["nodes"]] == list(NODES)
        assert cluster.writes == [] and sum(request[0] == "exec" for request in cluster.requests) == len(NODES)

    def test_those_that_do_not_are_named_with_the_reason(self):
        with pytest.raises(errors.Error, match="1 of 3 nodes do not reach mirror:5000. w1: .*not trusted") as failure:
            self.ask(self.cluster(w1="\n000\n60\n"))
        assert only(failure.value.details, "w1")["reason"].startswith("its certificate is not trusted")

    def test_without_failing_and_for_some_nodes(self):
        assert not self.ask(self.cluster(w1="\n000\n7\n"), fail=False)["matches"]
        assert self.ask(self.cluster(w1="\n000\n7\n"), nodes=["w0"])["matches"]

    def test_waits(self):
        cluster, clock = self.cluster(w1="\n000\n7\n"), FakeClock()
        command = ("machine-config-daemon-w1", tuple(node_files.reach_command(REGISTRY)))
        clock.at(12, lambda: cluster.commands.update({command: "\n200\n0\n"}))
        assert self.ask(cluster, clock, wait=60)["matches"] and clock.time == 15

    def test_the_registry_must_be_one(self):
        with pytest.raises(errors.InvalidInput, match="scheme"):
            node_mirror_info.ask(self.cluster(), dict(options(registry="https://m"), ca=None), None)
