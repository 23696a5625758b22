# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

pytest.importorskip("openshift")

from ansible_collections.disconnected.openshift.plugins.module_utils import errors  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.modules import cluster_release_info  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_cluster import CONFIG, FakeCluster  # noqa: E402


def image(number):
    return "quay.io/openshift-release-dev/ocp-release@sha256:" + str(number) * 64


def ran(number, state):
    return {"image": image(number), "version": "4.16.%d" % number, "state": state}


def run(desired, *history):
    status = {"desired": {"image": image(desired), "version": "4.16.%d" % desired}, "history": list(history)} if desired else {}
    return cluster_release_info.run(FakeCluster(
        {"apiVersion": CONFIG, "kind": "ClusterVersion", "metadata": {"name": "version"}, "status": status}))


def test_a_settled_cluster_runs_one_release_whatever_it_ran_before():
    assert run(3, ran(3, "Completed"), ran(2, "Partial"), ran(1, "Completed")) == {
        "changed": False, "release_images": [image(3)], "versions": ["4.16.3"]}


def test_during_an_update_the_former_release_runs_too():
    assert run(3, ran(3, "Partial"), ran(1, "Completed"))["release_images"] == [image(3), image(1)]


def test_so_does_one_that_an_update_was_pointed_away_from():
    assert run(4, ran(4, "Partial"), ran(3, "Partial"), ran(1, "Completed"), ran(0, "Completed"))["versions"] == [
        "4.16.4", "4.16.3", "4.16.1"]


def test_a_cluster_that_is_still_being_installed_has_the_one_it_shall_run():
    assert run(3, ran(3, "Partial"))["release_images"] == [image(3)]


def test_without_a_release_it_says_what_to_set():
    with pytest.raises(errors.NotFound, match="https://api.cluster.test:6443 names no release image. Set disconnected_release_image"):
        run(None)
