# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's machine-config operator does in each release, and when something goes wrong.

Every test has a cluster of its own with the full delays of a real one, in a time that costs nothing.
"""

from __future__ import annotations

import base64
import json

import lab_cluster
import pytest

from lab.mco import configs, context, signing

VERSIONS = ["4.%d.30" % minor for minor in range(8, 22)]
RULE = {"source": "quay.io/openshift-release-dev/ocp-release", "mirrors": ["mirror.example.com:8443/ocp/release"]}
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
INTERNAL = {
    "image-registry.openshift-image-registry.svc:5000",
    "image-registry.openshift-image-registry.svc.cluster.local:5000",
}


@pytest.fixture
def play(tmp_path):
    """play(story, version=..., nodes=...) runs a coroutine function on a cluster."""

    def play(story, **settings):
        async def whole():
            async with lab_cluster.running(tmp_path, **settings) as cluster:
                await story(cluster)

        lab_cluster.run(whole())

    return play


def kind_of(version):
    return "IDMS" if int(version.split(".")[1]) >= 13 else "ICSP"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_seeded_cluster_is_at_rest(play, version):
    """Nothing that the operator looks at makes it write anything."""

    async def story(cluster):
        before = cluster.store.writes
        await cluster.seconds(600)
        assert cluster.store.writes == before
        for pool in ("master", "worker"):
            conditions = cluster.conditions(context.POOLS, pool)
            assert [kind for kind, c in conditions.items() if c["status"] == "True"] == ["Updated"]

    play(story, version=version)


@pytest.mark.parametrize("version", VERSIONS)
def test_adding_mirrors_reloads_and_removing_them_drains(play, version):
    async def story(cluster):
        before = {node: cluster.file(node, configs.REGISTRIES_CONF) for node in cluster.nodes()}
        cluster.mirror(kind_of(version), "ours", RULE)
        await cluster.settled()
        assert set(cluster.counts("updates").values()) == {1}
        # From 4.21 on it changes two files that each reload CRI-O, and the daemon does not notice that once were enough.
        assert set(cluster.counts("crio_reloads").values()) == {2 if version.startswith("4.21") else 1}
        assert set(cluster.counts("drains").values()) == {0}
        for node in cluster.nodes():
            assert RULE["mirrors"][0] in cluster.file(node, configs.REGISTRIES_CONF)
        cluster.unmirror(kind_of(version), "ours")
        await cluster.settled()
        assert set(cluster.counts("drains").values()) == {1}
        assert set(cluster.counts("reboots").values()) == {0}
        assert {node: cluster.file(node, configs.REGISTRIES_CONF) for node in cluster.nodes()} == before
        assert not [node for node in cluster.nodes() if cluster.node(node)["spec"].get("unschedulable")]

    play(story, version=version)


@pytest.mark.parametrize(
    "version, message",
    [
        ("4.12.30", "All nodes are updated with rendered-master-"),
        ("4.16.30", "All nodes are updated with MachineConfig rendered-master-"),
    ],
)
def test_the_words_of_a_pool(play, version, message):
    async def story(cluster):
        cluster.add_to_pull_secret("mirror.example.com:8443")
        await cluster.settled()
        assert cluster.conditions(context.POOLS, "master")["Updated"]["message"].startswith(message)

    play(story, version=version)


def test_a_pull_secret_reaches_the_nodes_compact_and_private(play):
    async def story(cluster):
        cluster.add_to_pull_secret("mirror.example.com:8443")
        await cluster.settled()
        secret = cluster.store.get("secrets", "pull-secret", "openshift-config")["data"][".dockerconfigjson"]
        document = json.loads(base64.b64decode(secret))
        for node in cluster.nodes():
            text = cluster.file(node, configs.PULL_SECRET)
            assert json.loads(text) == document and " " not in text
            path = cluster.directory / "nodes" / node / "rootfs" / configs.PULL_SECRET.lstrip("/")
            assert path.stat().st_mode & 0o777 == 0o600
        assert set(cluster.counts("crio_reloads").values()) == {0}
        assert cluster.events("SkipReboot")

    play(story)


def test_a_pull_secret_of_the_wrong_type_stops_everything(play):
    """Only the ControllerConfig tells; nothing at all is rendered for any pool."""

    async def story(cluster):
        target = cluster.target("worker")
        secret = cluster.store.delete("secrets", "pull-secret", "openshift-config")
        secret["metadata"] = {"name": "pull-secret", "namespace": "openshift-config"}
        secret["data"][".dockerconfigjson"] = base64.b64encode(b'{"auths": {}}').decode()
        cluster.store.create("secrets", secret | {"type": "Opaque"})
        cluster.mirror("IDMS", "ours", RULE)
        await cluster.seconds(120)
        conditions = cluster.conditions(context.CONTROLLER_CONFIGS, context.CONTROLLER_CONFIG)
        assert conditions["TemplateControllerFailing"]["status"] == "True"
        assert (
            "expected secret type kubernetes.io/dockerconfigjson found Opaque"
            in conditions["TemplateControllerFailing"]["message"]
        )
        assert cluster.target("worker") == target
        assert cluster.conditions(context.POOLS, "worker")["Updated"]["status"] == "True"
        assert "ControllerConfig has not completed: completed(false) running(false) failing(true)" in cluster.log

    play(story)


# What an update does to a node


def chrony(cluster, pool="worker"):
    """A MachineConfig of an administrator for a file that no rule spares a reboot."""
    config = configs.ignition(
        cluster.operator.context.release, [configs.template_file("/etc/chrony.conf", "server ntp\n")]
    )
    cluster.store.create(
        context.MACHINE_CONFIGS,
        {
            "metadata": {"name": f"99-{pool}-chrony", "labels": {configs.ROLE_LABEL: pool}},
            "spec": {"config": config},
        },
    )


def test_an_unknown_file_reboots(play):
    async def story(cluster):
        boots = {node: cluster.node(node)["status"]["nodeInfo"]["bootID"] for node in cluster.nodes("worker")}
        unready = set()
        cluster.store.subscribe(context.NODES, lambda _type, node: unready.add(context.why_not_ready(node)))
        chrony(cluster)
        await cluster.settled()
        assert set(cluster.counts("reboots").items()) >= {(node, 1) for node in boots}
        assert {cluster.counts("reboots")[node] for node in cluster.nodes("master")} == {0}
        assert all(cluster.node(node)["status"]["nodeInfo"]["bootID"] != boot for node, boot in boots.items())
        assert "node worker-0 is reporting NotReady=False" in unready
        assert cluster.file("worker-0", "/etc/chrony.conf") == "server ntp\n"

    play(story)


@pytest.mark.parametrize("version, reboots, restarts", [("4.12.30", 1, 0), ("4.14.30", 0, 1), ("4.17.30", 0, 1)])
def test_another_ca_for_the_proxy(play, version, reboots, restarts):
    async def story(cluster):
        metadata = {"name": "user-ca-bundle", "namespace": "openshift-config"}
        cluster.store.create("configmaps", {"metadata": metadata, "data": {"ca-bundle.crt": PEM}})
        cluster.store.patch(context.PROXIES, "cluster", {"spec": {"trustedCA": {"name": "user-ca-bundle"}}})
        await cluster.settled()
        assert set(cluster.counts("reboots").values()) == {reboots}
        assert set(cluster.counts("crio_restarts").values()) == {restarts}
        assert cluster.file("worker-0", configs.USER_CA_BUNDLE) == PEM

    play(story, version=version)


@pytest.mark.parametrize("version, reboots", [("4.9.30", 1), ("4.10.30", 0), ("4.19.30", 0)])
def test_blocked_registries(play, version, reboots):
    async def story(cluster):
        sources = {"registrySources": {"blockedRegistries": ["docker.io"]}}
        cluster.store.patch(context.IMAGES, "cluster", {"spec": sources})
        await cluster.settled()
        assert set(cluster.counts("drains").values()) == {1}
        assert set(cluster.counts("reboots").values()) == {reboots}
        assert json.loads(cluster.file("master-0", configs.POLICY_JSON))["transports"]["docker"]["docker.io"] == [
            {"type": "reject"}
        ]

    play(story, version=version)


def test_releases_have_to_be_signed_where_they_are_mirrored(play):
    """From 4.21 on: every node is told to look for signatures at the mirrors, too."""

    async def story(cluster):
        before = cluster.file("worker-0", signing.SIGSTORE_REGISTRIES)
        assert RULE["source"] in before and RULE["mirrors"][0] not in before
        assert "sigstoreSigned" in cluster.file("worker-0", configs.POLICY_JSON)
        cluster.mirror("IDMS", "ours", RULE)
        await cluster.settled()
        assert "  %s:\n" % RULE["mirrors"][0] in cluster.file("worker-0", signing.SIGSTORE_REGISTRIES)
        cluster.unmirror("IDMS", "ours")
        await cluster.settled()
        assert cluster.file("worker-0", signing.SIGSTORE_REGISTRIES) == before
        assert set(cluster.counts("reboots").values()) == {0}

    play(story, version="4.21.30")


def test_a_single_node_is_never_drained(play):
    async def story(cluster):
        cluster.mirror("IDMS", "ours", RULE)
        await cluster.settled()
        cluster.unmirror("IDMS", "ours")
        await cluster.settled()
        assert cluster.operator.counts() == {
            "master-0": {"updates": 2, "drains": 0, "reboots": 0, "crio_reloads": 2, "crio_restarts": 0}
        }
        assert "Drain not required, skipping" in cluster.events("Drain")
        assert cluster.pool("worker")["status"]["machineCount"] == 0
        assert cluster.conditions(context.POOLS, "worker")["Updated"]["status"] == "True"

    play(story, nodes=1)


def test_early_daemons_drain_by_themselves(play):
    async def story(cluster):
        cluster.mirror("ICSP", "ours", RULE)
        await cluster.settled()
        cluster.unmirror("ICSP", "ours")
        await cluster.settled()
        assert set(cluster.counts("drains").values()) == {1}
        annotations = cluster.node("worker-0")["metadata"]["annotations"]
        assert context.DESIRED_DRAIN not in annotations and context.LAST_APPLIED_DRAIN not in annotations
        assert not [item for item in cluster.store.items(context.NODES) if item.object["spec"].get("unschedulable")]

    play(story, version="4.10.30")


@pytest.mark.parametrize("version, drains", [("4.12.30", 1), ("4.16.30", 0), ("4.20.30", 1)])
def test_a_drain_can_be_overridden_for_some_releases(play, version, drains):
    async def story(cluster):
        cluster.store.create(
            "configmaps", {"metadata": {"name": "image-registry-override-drain", "namespace": context.NAMESPACE}}
        )
        cluster.mirror(kind_of(version), "ours", RULE)
        await cluster.settled()
        cluster.unmirror(kind_of(version), "ours")
        await cluster.settled()
        assert set(cluster.counts("drains").values()) == {drains}

    play(story, version=version)


def test_an_administrator_decides_what_a_file_does(play):
    async def story(cluster):
        policy = {"files": [{"path": configs.REGISTRIES_CONF, "actions": [{"type": "None"}]}]}
        cluster.store.patch(context.MACHINE_CONFIGURATIONS, "cluster", {"spec": {"nodeDisruptionPolicy": policy}})
        await cluster.seconds(30)
        status = cluster.store.get(context.MACHINE_CONFIGURATIONS, "cluster")["status"]["nodeDisruptionPolicyStatus"]
        assert {"path": configs.REGISTRIES_CONF, "actions": [{"type": "None"}]} in status["clusterPolicies"]["files"]
        cluster.mirror("IDMS", "ours", RULE)
        await cluster.settled()
        cluster.unmirror("IDMS", "ours")
        await cluster.settled()
        assert set(cluster.counts("drains").values()) == set(cluster.counts("crio_reloads").values()) == {0}

    play(story, version="4.18.30")


def test_a_disruption_budget_holds_up_a_drain(play):
    async def story(cluster):
        for item in list(cluster.store.items("poddisruptionbudgets.policy", "shop")):
            change = {"spec": {"maxUnavailable": None, "minAvailable": 2}}
            cluster.store.patch("poddisruptionbudgets.policy", item.object["metadata"]["name"], change, "shop")
        hosts = {item.object["spec"]["nodeName"] for item in cluster.store.items("pods", "shop")}
        cluster.mirror("IDMS", "ours", RULE)
        await cluster.settled()
        cluster.unmirror("IDMS", "ours")
        await cluster.seconds(900)
        stuck = [node for node in hosts if cluster.node(node)["spec"].get("unschedulable")]
        assert len(stuck) == 1
        assert "Cannot evict pod as it would violate the pod's disruption budget." in cluster.log
        assert "Drain failed. Waiting 1 minute then retrying." in cluster.log
        assert cluster.conditions(context.POOLS, "worker")["Updating"]["status"] == "True"
        cluster.store.delete("poddisruptionbudgets.policy", "frontend", "shop")
        await cluster.settled()
        assert set(cluster.counts("drains").values()) == {1}

    play(story)


# Pools


def test_a_pool_updates_as_many_nodes_at_once_as_it_may(play):
    async def story(cluster):
        cluster.store.patch(context.POOLS, "worker", {"spec": {"maxUnavailable": "50%"}})
        busy = []
        cluster.store.subscribe(
            context.NODES,
            lambda *_: busy.append(
                sum(
                    context.node_is_unavailable(item.object)
                    for item in cluster.store.items(context.NODES)
                    if "worker" in item.object["metadata"]["name"]
                )
            ),
        )
        cluster.mirror("IDMS", "ours", RULE)
        await cluster.settled()
        assert max(busy) == 4
        assert "Set target for 4 nodes to MachineConfig: " in " ".join(cluster.events("SetDesiredConfig"))

    play(story, nodes=11)


def test_a_custom_pool_follows_the_workers_and_its_own(play):
    async def story(cluster):
        labels = {"node-role.kubernetes.io/infra": ""}
        cluster.store.create(
            context.POOLS,
            {
                "metadata": {"name": "infra"},
                "spec": {
                    "machineConfigSelector": {
                        "matchExpressions": [
                            {"key": configs.ROLE_LABEL, "operator": "In", "values": ["worker", "infra"]}
                        ]
                    },
                    "nodeSelector": {"matchLabels": labels},
                    "paused": False,
                },
            },
        )
        await cluster.seconds(20)
        cluster.store.patch(context.NODES, "worker-2", {"metadata": {"labels": labels}})
        await cluster.settled()
        counts = {name: cluster.pool(name)["status"]["machineCount"] for name in ("master", "worker", "infra")}
        assert counts == {"master": 3, "worker": 2, "infra": 1}
        cluster.mirror("IDMS", "ours", RULE)
        await cluster.settled()
        assert cluster.annotation("worker-2", context.CURRENT_CONFIG) == cluster.target("infra")
        assert RULE["source"] in cluster.file("worker-2", configs.REGISTRIES_CONF)

    play(story)


def test_pausing_the_masters_with_something_pending_degrades_the_operator(play):
    """And it stays so until the rollout that follows is over."""

    async def story(cluster):
        cluster.pause()
        cluster.mirror("IDMS", "ours", RULE)
        await cluster.seconds(30)
        degraded = cluster.operator_condition("machine-config", "Degraded")
        assert (degraded["status"], degraded["reason"]) == ("True", "RequiredPoolsFailed")
        assert degraded["message"] == (
            "Failed to resync 4.16.30 because: error required MachineConfigPool master is paused "
            "and cannot sync until it is unpaused"
        )
        cluster.pause(False)
        await cluster.seconds(30)
        assert cluster.operator_condition("machine-config", "Degraded")["status"] == "True"
        await cluster.settled()
        assert cluster.operator_condition("machine-config", "Degraded")["status"] == "False"
        assert set(cluster.counts("updates").values()) == {1}

    play(story)


def test_pausing_the_workers_alone_does_not(play):
    async def story(cluster):
        cluster.pause(pools=("worker",))
        cluster.mirror("IDMS", "ours", RULE)
        await cluster.seconds(300)
        assert cluster.operator_condition("machine-config", "Degraded")["status"] == "False"
        assert cluster.conditions(context.POOLS, "worker")["Updating"]["message"].startswith(
            "Pool is paused; will not update to"
        )
        assert {cluster.counts("updates")[node] for node in cluster.nodes("worker")} == {0}

    play(story)


def test_a_gate_for_the_next_minor_version(play):
    async def story(cluster):
        def gates():
            return cluster.store.get("configmaps", "admin-gates", "openshift-config-managed").get("data") or {}

        cluster.mirror("IDMS", "ours", RULE)
        await cluster.seconds(5)
        assert "ack-4.20-sigstore-in-4.21" in gates()
        cluster.unmirror("IDMS", "ours")
        await cluster.seconds(5)
        assert gates() == {}

    play(story, version="4.20.30")


# Certificates


@pytest.mark.parametrize("version", VERSIONS)
def test_a_ca_reaches_every_node(play, version):
    """It causes no rollout, and pausing does not hold it up."""

    async def story(cluster):
        cluster.pause()
        await cluster.seconds(30)
        cluster.trust(**{"mirror.example.com__8443": PEM})
        await cluster.seconds(180)
        for node in cluster.nodes():
            found = cluster.certificates(node)
            assert found.keys() == INTERNAL | {"mirror.example.com:8443"}
            assert found["mirror.example.com:8443"] == PEM
        assert set(cluster.counts("updates").values()) == {0}
        if context.SYNCED_CONTROLLER_CONFIG in cluster.node("worker-0")["metadata"]["annotations"]:
            revision = cluster.store.get(context.CONTROLLER_CONFIGS, context.CONTROLLER_CONFIG)["metadata"][
                "resourceVersion"
            ]
            assert {cluster.annotation(node, context.SYNCED_CONTROLLER_CONFIG) for node in cluster.nodes()} == {
                revision
            }
        cluster.store.patch(context.IMAGES, "cluster", {"spec": {"additionalTrustedCA": None}})
        await cluster.seconds(180)
        assert all(cluster.certificates(node).keys() == INTERNAL for node in cluster.nodes())

    play(story, version=version)


@pytest.mark.parametrize("version, soon", [("4.13.30", False), ("4.14.30", True)])
def test_how_soon_a_ca_is_there(play, version, soon):
    async def story(cluster):
        await cluster.seconds(30)
        cluster.trust(**{"mirror.example.com": PEM})
        await cluster.seconds(8)
        there = ["mirror.example.com" in cluster.certificates(node) for node in cluster.nodes()]
        assert all(there) if soon else not all(there)

    play(story, version=version)


def test_a_rollout_of_the_masters_holds_up_a_ca(play):
    """The operator waits for its required pool before it renders the ControllerConfig again."""

    async def story(cluster):
        cluster.mirror("IDMS", "ours", RULE)
        await cluster.seconds(15)
        cluster.trust(**{"mirror.example.com__8443": PEM})
        await cluster.seconds(20)
        spec = cluster.store.get(context.CONTROLLER_CONFIGS, context.CONTROLLER_CONFIG)["spec"]
        assert spec["imageRegistryBundleUserData"] == []
        await cluster.settled()
        spec = cluster.store.get(context.CONTROLLER_CONFIGS, context.CONTROLLER_CONFIG)["spec"]
        assert spec["imageRegistryBundleUserData"] == [
            {"file": "mirror.example.com..8443", "data": base64.b64encode(PEM.encode()).decode()}
        ]

    play(story)


def test_a_config_map_that_does_not_exist(play):
    async def story(cluster):
        cluster.store.patch(context.IMAGES, "cluster", {"spec": {"additionalTrustedCA": {"name": "nowhere"}}})
        await cluster.seconds(180)
        assert all(cluster.certificates(node).keys() == INTERNAL for node in cluster.nodes())
        assert cluster.operator_condition("image-registry", "Degraded")["status"] == "True"

    play(story)


def test_a_ca_rolls_the_api_server_of_openshift(play):
    async def story(cluster):
        cluster.trust(**{"mirror.example.com__8443": PEM})
        await cluster.seconds(60)
        assert cluster.operator_condition("openshift-apiserver", "Progressing")["status"] == "True"
        await cluster.seconds(300)
        assert cluster.operator_condition("openshift-apiserver", "Progressing")["status"] == "False"

    play(story)


# Faults


def test_a_reload_that_fails_degrades_the_node_and_takes_the_files_back(play):
    async def story(cluster):
        before = cluster.file("worker-0", configs.REGISTRIES_CONF)
        for node in cluster.nodes("worker"):
            cluster.operator.fail_reloads(node)
        cluster.mirror("IDMS", "ours", RULE)
        await cluster.seconds(60)
        degraded = [node for node in cluster.nodes() if cluster.annotation(node, context.STATE) == "Degraded"]
        assert len(degraded) == 1
        assert cluster.file(degraded[0], configs.REGISTRIES_CONF) == before
        assert "could not apply update: reloading crio configuration failed" in cluster.annotation(
            degraded[0], context.REASON
        )
        assert cluster.pool("worker")["status"]["degradedMachineCount"] == 1
        assert cluster.operator_condition("machine-config", "Upgradeable")["reason"] == "DegradedPool"
        for node in cluster.nodes("worker"):
            cluster.operator.recover(node)
        await cluster.settled()
        assert set(cluster.counts("updates").values()) == {1}
        assert cluster.conditions(context.POOLS, "worker")["Degraded"]["status"] == "False"
        assert cluster.operator_condition("machine-config", "Upgradeable")["status"] == "True"

    play(story)


def test_a_node_degrades_at_once_and_recovers(play):
    async def story(cluster):
        cluster.operator.degrade("worker-1")
        await cluster.seconds(10)
        condition = cluster.conditions(context.POOLS, "worker")["NodeDegraded"]
        assert condition["status"] == "True"
        assert condition["message"].startswith(
            'Node worker-1 is reporting: "unexpected on-disk state validating against rendered-'
        )
        cluster.operator.recover("worker-1")
        await cluster.seconds(60)
        assert cluster.annotation("worker-1", context.STATE) == "Done"
        assert cluster.conditions(context.POOLS, "worker")["Degraded"]["status"] == "False"
        assert set(cluster.counts("updates").values()) == {0}

    play(story)


def test_a_file_changed_by_hand_stops_the_next_update(play):
    async def story(cluster):
        path = cluster.directory / "nodes/worker-0/rootfs" / configs.REGISTRIES_CONF.lstrip("/")
        path.write_text(path.read_text() + "# by hand\n")
        cluster.mirror("IDMS", "ours", RULE)
        await cluster.seconds(300)
        assert cluster.annotation("worker-0", context.REASON).endswith(
            f'content mismatch for file "{configs.REGISTRIES_CONF}"'
        )
        assert cluster.conditions(context.POOLS, "worker")["Degraded"]["status"] == "True"
        assert cluster.conditions(context.POOLS, "master")["Updated"]["status"] == "True"

    play(story)


def test_a_pool_that_cannot_be_rendered(play):
    async def story(cluster):
        cluster.operator.fail_rendering("worker", "the lab was told so")
        await cluster.seconds(15)
        condition = cluster.conditions(context.POOLS, "worker")["RenderDegraded"]
        assert condition["message"] == (
            "Failed to render configuration for pool worker: could not generate rendered "
            "MachineConfig: the lab was told so"
        )
        assert cluster.conditions(context.POOLS, "worker")["Degraded"]["status"] == "True"
        cluster.operator.mend_rendering("worker")
        await cluster.seconds(15)
        assert cluster.conditions(context.POOLS, "worker")["RenderDegraded"]["status"] == "False"
        assert cluster.conditions(context.POOLS, "worker")["Degraded"]["status"] == "False"

    play(story)


def test_nothing_happens_while_the_controller_is_down(play):
    async def story(cluster):
        before = cluster.target("worker")
        cluster.operator.stop_controller()
        cluster.mirror("IDMS", "ours", RULE)
        await cluster.seconds(300)
        assert cluster.target("worker") == before
        assert cluster.conditions(context.POOLS, "worker")["Updated"]["status"] == "True"
        cluster.operator.start_controller()
        await cluster.settled()
        assert set(cluster.counts("updates").values()) == {1}

    play(story)


def test_slow_caches_make_the_stale_window_longer(play):
    async def story(cluster):
        cluster.operator.slow_caches(20.0)
        cluster.mirror("IDMS", "ours", RULE)
        await cluster.seconds(19)
        assert RULE["source"] not in str(cluster.store.get(context.MACHINE_CONFIGS, "99-worker-generated-registries"))
        await cluster.seconds(600)
        cluster.operator.slow_caches(0.0)
        await cluster.settled()
        assert RULE["source"] in cluster.file("worker-0", configs.REGISTRIES_CONF)

    play(story)
