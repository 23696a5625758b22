# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One mirror registry and three clusters, each a host of the inventory; docs/fleet.md tells the same story.

The tests of this file are chapters: each begins where the one before ended.
"""
from __future__ import annotations

import json

import pytest
import yaml

from test_conversion import files


class Fleet:
    """Three labs with one pair of registries, and the inventory in which they are hosts."""

    def __init__(self, make_lab, directory):
        self.east = make_lab(nodes=2)
        self.labs = {"east": self.east, "west": make_lab(nodes=1, version="4.16.31", neighbour=self.east),
                     "south": make_lab(nodes=1, neighbour=self.east)}
        self.directory = directory
        self.inventory = directory / "inventory.json"
        self.point({name: lab.directory / "kubeconfig" for name, lab in self.labs.items()})

    def point(self, kubeconfigs):
        """Writes the inventory."""
        local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        clusters = {name: {"disconnected_access": {"kubeconfig": str(path)}} for name, path in kubeconfigs.items()}
        clusters["west"]["cluster_config_catalogs"] = []
        bastion = local | {"disconnected_access": clusters["east"]["disconnected_access"]}
        self.inventory.write_text(json.dumps({"all": {
            "hosts": {"bastion": bastion}, "children": {"clusters": {"hosts": clusters, "vars": local}}}}))

    def play(self, playbook, *arguments, **env):
        """Runs a playbook on the fleet; nothing in the environment says which cluster is meant."""
        run = self.east.playbook(
            "disconnected.openshift." + playbook, "-i", str(self.inventory), *arguments,
            env={"K8S_AUTH_KUBECONFIG": "/nowhere/kubeconfig", **env},
            variables={"disconnected_mirror_host": "bastion", "disconnected_clusters": "clusters"})
        run.failed = sorted({task["host"] for task in run.tasks if task["outcome"] == "failed"})
        return run

    @property
    def writes(self):
        return {name: lab.writes for name, lab in self.labs.items()}

    def converted(self):
        """Which clusters have the mirror on every node."""
        mirror = self.east.facts["mirror"]["registry"]
        return {name for name, lab in self.labs.items()
                if all(mirror in lab.node_file(node, "etc/containers/registries.conf") for node in lab.facts["nodes"])}


@pytest.fixture(scope="module")
def fleet(make_lab, tmp_path_factory):
    return Fleet(make_lab, tmp_path_factory.mktemp("fleet"))


@pytest.fixture(scope="module")
def before(fleet):
    return {name: [files(lab, node) for node in lab.facts["nodes"]] for name, lab in fleet.labs.items()}


def test_a_cluster_that_does_not_answer_leaves_the_others_alone(fleet, before):
    """Converts the others, and mirrors once, and for them, the releases that they run."""
    stale = yaml.safe_load((fleet.labs["south"].directory / "kubeconfig").read_text())
    stale["users"][0]["user"]["token"] = "sha256~expired"
    path = fleet.directory / "stale"
    path.write_text(yaml.safe_dump(stale))
    fleet.point({name: lab.directory / "kubeconfig" for name, lab in fleet.labs.items()} | {"south": path})
    writes = fleet.writes
    run = fleet.play("convert", "-e", "disconnected_cut=false")
    assert run.rc == 2 and run.failed == ["south"], run.output
    assert "does not accept the credentials" in run.failures[0] and fleet.labs["south"].facts["api"]["url"] in run.failures[0]
    assert fleet.converted() == {"east", "west"}
    assert fleet.writes["south"] == writes["south"]
    served = {name: fleet.labs[name].api.resources.get(kind="CatalogSource", api_version="operators.coreos.com/v1alpha1").get(
        label_selector="app.kubernetes.io/managed-by=disconnected.openshift").items for name in ("east", "west")}
    assert served["east"] and not served["west"]  # a role's variable in the inventory
    copies = [task for task in run.tasks if task["task"].endswith("Copy what is missing")]
    assert [task["host"] for task in copies] == ["bastion"]
    copied = {image["source"] for image in copies[0]["result"]["images"]}
    assert {fleet.labs[name].facts["release_image"] for name in ("east", "west")} <= copied


def test_a_cluster_is_configured_later_with_limit(fleet):
    """The mirror host is outside the limit, and is asked for its plan all the same."""
    fleet.point({name: lab.directory / "kubeconfig" for name, lab in fleet.labs.items()})
    writes = fleet.writes
    run = fleet.play("configure", "--limit", "south")
    assert run.rc == 0, run.output
    assert fleet.converted() == set(fleet.labs)
    assert {name for name, count in fleet.writes.items() if count > writes[name]} == {"south"}


def test_all_are_verified_and_cut_side_by_side(fleet):
    for playbook in ("verify", "disconnect"):
        run = fleet.play(playbook)
        assert run.rc == 0, run.output
    for lab in fleet.labs.values():
        pull_secret = json.loads(lab.node_file(lab.facts["nodes"][0], "var/lib/kubelet/config.json"))
        assert "cloud.openshift.com" not in pull_secret["auths"]


def test_a_cluster_without_a_way_out_stays_and_the_others_come_back_each_at_its_pace(fleet, before):
    fleet.labs["west"].command("cut", "internet")
    run = fleet.play("reconnect", "-e", "disconnected_egress_timeout=1", ANSIBLE_STRATEGY="ansible.builtin.host_pinned")
    assert run.rc == 2 and run.failed == ["west"], run.output
    assert fleet.converted() == {"west"}
    for name in ("east", "south"):
        lab = fleet.labs[name]
        assert [files(lab, node) for node in lab.facts["nodes"]] == before[name]
