# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A conversion and its way back that end at any of their writes to the API, before or after it: what is done next, the same
again or its opposite, ends as if nothing had happened.

Each module is run as the roles run it, in their order, against a cluster in memory that has something of others wherever
something of ours comes. What only a rollout shows is shown on the lab, by tests/integration/test_faults.py.
"""
from __future__ import annotations

import base64
import contextlib
import functools
import json

import pytest

pytest.importorskip("openshift")

from ansible_collections.disconnected.openshift.plugins.module_utils import errors, predicates, release_payload  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.modules import (  # noqa: E402
    catalog_sources,
    cluster_connectivity,
    cluster_snapshot,
    global_pull_secret,
    image_mirror_sets,
    image_trusted_ca,
    machine_config_rollout,
    release_signatures,
)
from ansible_collections.disconnected.openshift.tests.unit import fake_module, rollouts  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_clock import FakeClock  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_cluster import CONFIG, SERVED, FakeCluster  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.scripted_api import certificate, pem  # noqa: E402

MIRROR = "mirror.test:5000"
SAMPLES = ("samples.operator.openshift.io/v1", "Config")
CA = pem(certificate("mirror CA", days=(-1, 100))[0]).decode()
THEIRS = pem(certificate("their CA", days=(-1, 100))[0]).decode()
INDEX = "registry.redhat.io/redhat/redhat-operator-index:v4.16"
CATALOGS = [{"name": "redhat-operator-index", "image": MIRROR + "/olm/redhat-operator-index:v4.16", "digest": None,
             "source": INDEX}]
RULES = [{"source": "quay.io/release", "mirrors": [MIRROR + "/release"]},
         {"source": "quay.io/apps", "mirrors": [MIRROR + "/apps"], "by": "tag"}]
CREDENTIALS = {"registry": MIRROR, "username": "cluster", "password": "for-the-nodes"}
CLOUD = ["cloud.openshift.com"]
SIGNATURES = [release_payload.signature_config_map("sha256:" + digit * 64, [b"signed"]) for digit in "12"]


class Ended(BaseException):
    """The process that talked to the cluster is no more: no handler of errors runs in it."""


class Mortal(FakeCluster):
    """A cluster whose client ends at a given write, and whose marketplace operator follows OperatorHub at once."""

    def __init__(self, *objects, **options):
        super().__init__(*objects, **options)
        self.left = 0  # writes until the end; 0 stands for none
        self.carried_out = False

    def create(self, obj):
        return self._until_the_end(super().create, obj)

    def merge_patch(self, *arguments):
        return self._until_the_end(super().merge_patch, *arguments)

    def delete(self, *arguments, **conditions):
        return self._until_the_end(super().delete, *arguments, **conditions)

    def _until_the_end(self, write, *arguments, **keywords):
        self.left -= 1
        if self.left == 0 and not self.carried_out:
            raise Ended
        result = write(*arguments, **keywords)
        self._follow()
        if self.left == 0:
            raise Ended
        return result

    def _follow(self):
        hub = self.peek(CONFIG, "OperatorHub", "cluster")["spec"]
        said = {entry["name"]: entry.get("disabled", False) for entry in hub.get("sources") or ()}
        disabled = said.get("redhat-operators", hub.get("disableAllDefaultSources", False))
        present = self.peek(*catalog_sources.SOURCE, "redhat-operators", catalog_sources.NAMESPACE)
        if disabled and present and predicates.is_default_catalog(present):
            del self._objects[self._key(*catalog_sources.SOURCE, "redhat-operators", catalog_sources.NAMESPACE)]
        if not disabled and not present:
            self.put(default_catalog())

    def state(self):
        """Everything that is stored, but for the versions; of a pull secret what it means."""
        return {key: dict(obj, **self._meaning(obj)) for key, obj in self._objects.items()}

    @staticmethod
    def _meaning(obj):
        metadata = {name: value for name, value in obj["metadata"].items() if name != "resourceVersion" and value}
        if obj["kind"] != "Secret":
            return {"metadata": metadata}
        return {"metadata": metadata, "data": {key: json.loads(base64.b64decode(value)) if "json" in key else value
                                               for key, value in obj["data"].items()}}


def default_catalog():
    return {"apiVersion": catalog_sources.SOURCE[0], "kind": catalog_sources.SOURCE[1],
            "metadata": {"name": "redhat-operators", "namespace": catalog_sources.NAMESPACE,
                         "annotations": {"operatorframework.io/managed-by": "marketplace-operator"}}, "spec": {"image": INDEX}}


def config(kind, name, spec, **more):
    return dict({"apiVersion": CONFIG, "kind": kind, "metadata": {"name": name}, "spec": spec}, **more)


def entry(word):
    return {"auth": base64.b64encode(("user:" + word).encode()).decode()}


def pull_secret(**entries):
    auths = dict({"cloud.openshift.com": entry("token"), "quay.io": entry("quay")}, **entries)
    return {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"name": "pull-secret", "namespace": "openshift-config"},
            "data": {".dockerconfigjson": base64.b64encode(json.dumps({"auths": auths}).encode()).decode()}}


def a_cluster(trusts_others=True, has_their_cas=True, knows_the_mirror=False):
    """A connected cluster. Others have a mirror set, a pool that is paused, and, if told so, CAs and a mirror's entry."""
    image = config("Image", "cluster", {"additionalTrustedCA": {"name": "corp-cas"}} if trusts_others else {})
    corp_cas = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "corp-cas", "namespace": "openshift-config"},
                "data": {"corp.test": THEIRS}}
    release = config("ClusterVersion", "version", {"channel": "stable-4.16"},
                     status={"desired": {"image": "quay.io/release@sha256:" + "1" * 64}})
    insights = config("ClusterOperator", "insights", {}, status={"conditions": []})
    theirs = config("ImageDigestMirrorSet", "theirs", {"imageDigestMirrors": [
        {"source": "quay.io/theirs", "mirrors": ["theirs.test/theirs"]}]})
    samples = dict(config("Config", "cluster", {"managementState": "Managed"}), apiVersion=SAMPLES[0])
    default = dict(config("ClusterCatalog", "openshift-redhat-operators", {
        "availabilityMode": "Available", "source": {"type": "Image", "image": {"ref": INDEX}}}),
        apiVersion=catalog_sources.CATALOG[0])
    return Mortal(*rollouts.objects(), rollouts.pool("parked", count=0, paused=True), *([corp_cas] if trusts_others and has_their_cas else []),
                  pull_secret(**({MIRROR: entry("before")} if knows_the_mirror else {})), default_catalog(), image, release,
                  insights, theirs, samples, config("OperatorHub", "cluster", {}), default,
                  served=(*SERVED, catalog_sources.SOURCE, catalog_sources.CATALOG, SAMPLES))


CLUSTERS = {"which trusts others' CAs": a_cluster, "which trusts nobody": functools.partial(a_cluster, trusts_others=False),
            "whose pull secret has the mirror": functools.partial(a_cluster, knows_the_mirror=True),
            "which names CAs that are not there": functools.partial(a_cluster, has_their_cas=False)}


# --- what the roles do -------------------------------------------------------------------------------------------------

@pytest.fixture
def run(capsys):
    def run(module, cluster, **arguments):
        result = fake_module.run(module, capsys, arguments, cluster)
        assert not result.get("failed"), result["msg"]
        return result
    return run


def rollout(cluster, state):
    """Pause or resume. That nothing is rendered here is no matter."""
    observer = machine_config_rollout.Observer(cluster, lambda *values: None, FakeClock())
    params = {"window_timeout": 0, "poll_interval": 1, "even_if_late": True}
    with contextlib.suppress(errors.TimedOut):
        machine_config_rollout.STATES[state](observer, params, False)


def catalogs(cluster, **arguments):
    params = dict({"catalogs": CATALOGS, "defaults": "replaced", "state": "present", "wait": 0, "poll_interval": 1}, **arguments)
    catalog_sources.run(cluster, params, False, FakeClock())


def connectivity(cluster, state):
    params = {"state": state, "default_catalogs": True, "updates": "cleared", "update_service": None, "samples": "removed",
              "samples_registry": None, "wait": 0, "poll_interval": 1}
    result = cluster_connectivity.run(cluster, params, False, lambda *values: None, FakeClock())
    assert result["left"] == [], result["warnings"]


def convert(run, cluster):
    run(cluster_snapshot, cluster)
    rollout(cluster, "paused")
    run(image_trusted_ca, cluster, registry=MIRROR, ca_content=CA)
    run(image_mirror_sets, cluster, mirrors=RULES, name="ours")
    run(global_pull_secret, cluster, registries=[CREDENTIALS], without=CLOUD)
    rollout(cluster, "resumed")
    catalogs(cluster)
    release_signatures.run(cluster, {"state": "present", "config_maps": SIGNATURES}, False)
    connectivity(cluster, "disconnected")


def reconnect(run, cluster):
    connectivity(cluster, "connected")
    catalogs(cluster, state="absent")
    rollout(cluster, "paused")
    run(image_mirror_sets, cluster, state="absent", name="ours")
    run(global_pull_secret, cluster, registries=[{"registry": MIRROR}], without=CLOUD, state="absent")
    rollout(cluster, "resumed")
    run(image_trusted_ca, cluster, registry=MIRROR, state="absent")
    release_signatures.run(cluster, {"state": "absent", "config_maps": []}, False)
    run(cluster_snapshot, cluster, state="absent")


def ended(step, run, cluster, number, carried_out):
    """Whether the step ended at its write of that number."""
    cluster.left, cluster.carried_out = number, carried_out
    try:
        step(run, cluster)
        return False
    except Ended:
        return True
    finally:
        cluster.left = 0


def difference(one, other):
    return {key: (one.get(key), other.get(key)) for key in {*one, *other} if one.get(key) != other.get(key)}


# --- the stories -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("carried_out", [False, True], ids=["instead of it", "after it"])
@pytest.mark.parametrize("make", CLUSTERS.values(), ids=CLUSTERS)
class TestEndedAtAnyWrite:
    @pytest.fixture
    def states(self, run, make):
        """(a connected cluster, the same after an undisturbed conversion, and after its undisturbed way back)."""
        cluster = make()
        found = [cluster.state()]
        for step in (convert, reconnect):
            step(run, cluster)
            found.append(cluster.state())
        assert difference(found[0], found[2]) == {}
        return found

    def test_the_conversion(self, run, make, carried_out, states):
        number = 1
        while ended(convert, run, cluster := make(), number, carried_out):
            convert(run, cluster)
            assert difference(states[1], cluster.state()) == {}, cluster.writes
            number += 1
        assert number > 12

    def test_the_conversion_and_then_the_way_back(self, run, make, carried_out, states):
        number = 1
        while ended(convert, run, cluster := make(), number, carried_out):
            reconnect(run, cluster)
            assert difference(states[2], cluster.state()) == {}, cluster.writes
            number += 1

    def test_the_way_back(self, run, make, carried_out, states):
        number = 1
        while ended(reconnect, run, cluster := self.converted(run, make), number, carried_out):
            reconnect(run, cluster)
            assert difference(states[2], cluster.state()) == {}, cluster.writes
            number += 1
        assert number > 12

    def test_the_way_back_and_then_the_conversion(self, run, make, carried_out, states):
        number = 1
        while ended(reconnect, run, cluster := self.converted(run, make), number, carried_out):
            convert(run, cluster)
            reconnect(run, cluster)
            assert difference(states[2], cluster.state()) == {}, cluster.writes
            number += 1

    @staticmethod
    def converted(run, make):
        cluster = make()
        convert(run, cluster)
        cluster.writes.clear()
        return cluster
