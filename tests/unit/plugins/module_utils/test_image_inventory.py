# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

pytest.importorskip("jmespath")

from ansible_collections.disconnected.openshift.plugins.module_utils import (  # noqa: E402
    errors, image_inventory)
from ansible_collections.disconnected.openshift.plugins.module_utils.image_inventory import Use  # noqa: E402

SHA = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32
OPERATORS = "operators.coreos.com/v1alpha1"


def obj(api_version, kind, name="x", namespace="shop", owner=None, labels=None, **fields):
    """A document; `owner` is (apiVersion, kind, name) of what controls it."""
    metadata = {"name": name, "labels": labels or {}}
    if namespace:
        metadata["namespace"] = namespace
    if owner:
        metadata["ownerReferences"] = [dict(zip(("apiVersion", "kind", "name"), owner), controller=True)]
    return dict({"apiVersion": api_version, "kind": kind, "metadata": metadata}, **fields)


def containers(*images, policy="IfNotPresent"):
    return [{"name": "c%d" % number, "image": image, "imagePullPolicy": policy} for number, image in enumerate(images)]


def template(*images, **more):
    return {"template": {"spec": dict(containers=containers(*images), **more)}}


def pod(*images, name="x", owner=None, phase="Running", ids=(), namespace="shop", **spec):
    return obj("v1", "Pod", name, namespace, owner, spec=dict(containers=containers(*images), **spec), status={
        "phase": phase,
        "containerStatuses": [{"name": "c%d" % number, "imageID": image} for number, image in enumerate(ids)]})


def collected(*objects, own=()):
    return {reference.image: reference for reference in image_inventory.collect(image_inventory.table(own), objects)}


@pytest.mark.parametrize("document, images", [
    (pod("a/b:1", initContainers=containers("a/init:1"), ephemeralContainers=containers("a/debug:1")),
     ["a/b:1", "a/debug:1", "a/init:1"]),
    (obj("v1", "ReplicationController", spec=template("a/b:1")), ["a/b:1"]),
    (obj("apps/v1", "DaemonSet", spec=template("a/b:1")), ["a/b:1"]),
    (obj("apps/v1", "Deployment", spec=template("a/b:1", initContainers=None)), ["a/b:1"]),
    (obj("apps/v1", "ReplicaSet", spec=template("a/b:1")), ["a/b:1"]),
    (obj("apps/v1", "StatefulSet", spec=template("a/b:1", initContainers=containers("a/init:1"))),
     ["a/b:1", "a/init:1"]),
    (obj("batch/v1", "CronJob", spec={"jobTemplate": {"spec": template("a/b:1")}}), ["a/b:1"]),
    (obj("batch/v1", "Job", spec=template("a/b:1"), status={"active": 1}), ["a/b:1"]),
    (obj("apps.openshift.io/v1", "DeploymentConfig", spec=template("a/b:1")), ["a/b:1"]),
    (obj("build.openshift.io/v1", "BuildConfig", spec={
        "strategy": {"type": "Docker", "dockerStrategy": {"from": {"kind": "DockerImage", "name": "a/base:1"}}},
        "source": {"images": [{"from": {"kind": "DockerImage", "name": "a/tools:1"}, "paths": []}]}}),
     ["a/base:1", "a/tools:1"]),
    (obj(OPERATORS, "CatalogSource", spec={"sourceType": "grpc", "image": "a/index:v1"}), ["a/index:v1"]),
    (obj(OPERATORS, "CatalogSource", spec={"sourceType": "grpc", "address": "index.svc:50051"}), []),
    (obj(OPERATORS, "ClusterServiceVersion", spec={
        "relatedImages": [{"name": "db", "image": "a/db@" + SHA}],
        "install": {"spec": {"deployments": [{"name": "o", "spec": template("a/operator@" + SHA)}]}}}),
     ["a/db@" + SHA, "a/operator@" + SHA]),
    (obj("olm.operatorframework.io/v1", "ClusterCatalog", namespace="", spec={
        "source": {"type": "Image", "image": {"ref": "a/index:v1"}}}), ["a/index:v1"]),
    (obj("config.openshift.io/v1", "ClusterVersion", namespace="", status={
        "desired": {"image": "a/release@" + SHA},
        "history": [{"image": "a/release@" + SHA}, {"image": "a/old@" + SHA}]}),
     ["a/release@" + SHA]),
    (obj(image_inventory.MACHINE_CONFIG, "ControllerConfig", namespace="", spec={
        "osImageURL": "a/os@" + SHA, "releaseImage": "a/release@" + SHA,
        "images": {"infraImageKey": "a/pause@" + SHA}}),
     ["a/os@" + SHA, "a/pause@" + SHA, "a/release@" + SHA]),
    (obj(image_inventory.MACHINE_CONFIG, "MachineConfig", namespace="", spec={"osImageURL": "a/layered@" + SHA}),
     ["a/layered@" + SHA]),
    (obj("serving.knative.dev/v1", "Service", spec=template("a/function:1")), ["a/function:1"]),
    (obj("tekton.dev/v1", "Task", spec={"steps": [{"image": "a/step:1"}], "stepTemplate": {"image": "a/all:1"}}),
     ["a/all:1", "a/step:1"]),
    (obj("tekton.dev/v1", "Pipeline", spec={
        "tasks": [{"taskSpec": {"steps": [{"image": "a/step:1"}]}}, {"taskRef": {}}],
        "finally": [{"taskSpec": {"sidecars": [{"image": "a/side:1"}]}}]}),
     ["a/side:1", "a/step:1"]),
], ids=lambda value: value["kind"] if isinstance(value, dict) else "")
def test_where_each_kind_has_its_references(document, images):
    assert list(collected(document)) == images


@pytest.mark.parametrize("document", [
    pod("a/b:1", phase="Succeeded"),
    pod("a/b:1", phase="Failed"),
    obj("batch/v1", "Job", spec=template("a/b:1"), status={"conditions": [{"type": "Complete", "status": "True"}]}),
    obj("batch/v1", "Job", spec=template("a/b:1"), status={"conditions": [{"type": "Failed", "status": "True"}]}),
    obj("olm.operatorframework.io/v1", "ClusterCatalog", namespace="", spec={
        "availabilityMode": "Unavailable", "source": {"image": {"ref": "a/index:v1"}}}),
    obj("apps.openshift.io/v1", "DeploymentConfig", spec=template(" ")),
    obj("v1", "ConfigMap", data={"image": "a/b:1"}),
], ids=["ended pod", "failed pod", "ended job", "failed job", "catalog", "image to be filled in", "no kind of ours"])
def test_what_asks_for_no_image_any_more(document):
    assert collected(document) == {}


class TestOwners:
    def test_a_replica_set_of_a_deployment_speaks_through_its_pods(self):
        """The old ReplicaSets of a Deployment hold what nobody will ask for again."""
        found = collected(
            obj("apps/v1", "Deployment", "web", spec=template("a/web:3")),
            obj("apps/v1", "ReplicaSet", "web-1", owner=("apps/v1", "Deployment", "web"), spec=template("a/web:1")),
            obj("apps/v1", "ReplicaSet", "web-2", owner=("apps/v1", "Deployment", "web"), spec=template("a/web:2")),
            pod("a/web:2", name="web-2-x", owner=("apps/v1", "ReplicaSet", "web-2")))
        assert list(found) == ["a/web:2", "a/web:3"]
        assert {reference.uses for reference in found.values()} == {(Use("Deployment", "shop", "web"),)}

    def test_a_job_of_a_cron_job(self):
        found = collected(
            obj("batch/v1", "CronJob", "night", spec={"jobTemplate": {"spec": template("a/b:2")}}),
            obj("batch/v1", "Job", "night-1", owner=("batch/v1", "CronJob", "night"), spec=template("a/b:1")))
        assert list(found) == ["a/b:2"]
        assert found["a/b:2"].risk == [image_inventory.CRON_JOB]

    def test_an_owner_of_another_kind_changes_nothing(self):
        found = collected(
            obj("apps/v1", "Deployment", "db", owner=("db.example.com/v1", "Database", "db"), spec=template("a/db:1")),
            pod("a/static:1", name="etcd-m0", owner=("v1", "Node", "m0")))
        assert found["a/db:1"].uses == (Use("Deployment", "shop", "db"),)
        assert found["a/static:1"].uses == (Use("Pod", "shop", "etcd-m0"),)

    def test_each_user_once(self):
        owner = ("apps/v1", "DaemonSet", "agent")
        found = collected(obj("apps/v1", "DaemonSet", "agent", spec=template("a/b:1")),
                          *(pod("a/b:1", name="agent-%d" % number, owner=owner) for number in range(3)))
        assert found["a/b:1"].uses == (Use("DaemonSet", "shop", "agent"),)


class TestRunning:
    def test_the_digest_that_a_tag_stands_for_now(self):
        found = collected(pod("quay.io/a/b:1", ids=["quay.io/a/b@" + SHA]))
        assert {image: reference.running for image, reference in found.items()} == {
            "quay.io/a/b:1": False, "quay.io/a/b@" + SHA: True}

    @pytest.mark.parametrize("image, image_id", [
        ("quay.io/a/b@" + SHA, "quay.io/c/same@" + SHA),
        ("quay.io/a/b:1", SHA),
        ("quay.io/a/b:1", "ab" * 32),
        ("quay.io/a/b:1", ""),
    ])
    def test_what_says_nothing_more(self, image, image_id):
        assert list(collected(pod(image, ids=[image_id]))) == [image]

    def test_the_spelling_of_other_runtimes(self):
        assert "quay.io/a/b@" + SHA in collected(pod("quay.io/a/b:1", ids=["docker-pullable://quay.io/a/b@" + SHA]))

    def test_what_somebody_asks_for_as_well(self):
        found = collected(pod("quay.io/a/b:1", ids=["quay.io/a/b@" + SHA]), pod("quay.io/a/b@" + SHA, name="y"))
        assert not found["quay.io/a/b@" + SHA].running


class TestImageStreams:
    STREAM = obj("image.openshift.io/v1", "ImageStream", "base", "shop", spec={"tags": [
        {"name": "latest", "from": {"kind": "DockerImage", "name": "a/base:latest"},
         "importPolicy": {"scheduled": True}},
        {"name": "1", "from": {"kind": "DockerImage", "name": "a/base:1"}, "importPolicy": {}},
    ]}, status={"tags": [
        {"tag": "latest", "items": [{"dockerImageReference": "a/base@" + SHA, "image": SHA},
                                    {"dockerImageReference": "a/base@" + OTHER, "image": OTHER}]},
        {"tag": "1", "items": None},
    ]})
    SAMPLE = dict(STREAM, metadata={"name": "base", "namespace": "shop",
                                    "labels": {"samples.operator.openshift.io/managed": "true"}})

    def test_what_is_imported_again_and_what_was_imported_last(self):
        assert list(collected(self.STREAM)) == ["a/base:latest", "a/base@" + SHA]

    def test_samples_count_only_where_they_are_used(self):
        assert collected(self.SAMPLE) == {}
        build = obj("build.openshift.io/v1", "BuildConfig", spec={"strategy": {"sourceStrategy": {
            "from": {"kind": "ImageStreamTag", "name": "base:latest"}}}})
        found = collected(self.SAMPLE, build)
        assert found["a/base@" + SHA].uses == (Use("BuildConfig", "shop", "x"),)

    @pytest.mark.parametrize("kind, name, images", [
        ("ImageStreamImage", "base@" + OTHER, ["a/base@" + OTHER]),
        ("ImageStreamTag", "base:1", []),
        ("ImageStreamTag", "gone:latest", []),
    ])
    def test_object_references(self, kind, name, images):
        build = obj("build.openshift.io/v1", "BuildConfig", namespace="elsewhere", spec={"strategy": {
            "dockerStrategy": {"from": {"kind": kind, "name": name, "namespace": "shop"}}}})
        assert list(collected(self.SAMPLE, build)) == images


@pytest.mark.parametrize("image, policy, always", [
    ("a/b:1", "Always", True),
    ("a/b:1", "IfNotPresent", False),
    ("a/b:latest", "IfNotPresent", False),
    ("a/b:latest", None, True),
    ("a/b", None, True),
    ("a/b:1", None, False),
    ("host:5000/a/b", None, True),
    ("host:5000/a/b@" + SHA, None, False),
])
def test_what_is_pulled_at_every_start(image, policy, always):
    container = dict({"name": "c", "image": image}, **({"imagePullPolicy": policy} if policy else {}))
    found = collected(obj("apps/v1", "Deployment", spec={"template": {"spec": {"containers": [container]}}}))
    assert found[image].risk == ([image_inventory.ALWAYS] if always else [])


@pytest.mark.parametrize("namespace, platform", [
    ("openshift", True), ("openshift-dns", True), ("kube-system", True), ("default", False), ("openshifty", False)])
def test_namespaces_of_the_platform(namespace, platform):
    found = collected(obj("apps/v1", "DaemonSet", namespace=namespace, spec=template("a/b:1")))
    assert found["a/b:1"].risk == [image_inventory.DAEMON_SET] + [image_inventory.SYSTEM_NAMESPACE] * platform


class TestOwnKinds:
    BACKUP = obj("example.com/v1", "Backup", spec={
        "tool": "a/tool:1", "jobs": [{"containers": containers("a/job:1", policy="Always")}], "retries": 3})

    def own(self, *expressions, kind="Backup", api_version="example.com/v1"):
        return [{"api_version": api_version, "kind": kind, "images": list(expressions)}]

    def test_texts_and_containers(self):
        found = collected(self.BACKUP, own=self.own("spec.tool", "spec.jobs[].containers"))
        assert {image: reference.risk for image, reference in found.items()} == {
            "a/tool:1": [], "a/job:1": [image_inventory.ALWAYS]}

    def test_more_places_in_a_known_kind(self):
        document = obj("apps/v1", "Deployment", spec=template("a/b:1"))
        document["metadata"]["annotations"] = {"sidecar": "a/side:1"}
        own = self.own("metadata.annotations.sidecar", kind="Deployment", api_version="apps/v1")
        assert list(collected(document, own=own)) == ["a/b:1", "a/side:1"]

    def test_no_expression(self):
        with pytest.raises(errors.InvalidInput, match=r"'spec\.\[', given for the kind Backup"):
            image_inventory.table(self.own("spec.["))

    def test_an_expression_that_finds_something_else(self):
        with pytest.raises(errors.InvalidInput, match="'spec.retries' gives something .* Backup shop x"):
            collected(self.BACKUP, own=self.own("spec.retries"))

    def test_an_expression_that_cannot_be_applied(self):
        with pytest.raises(errors.InvalidInput, match="cannot be applied to Backup shop x"):
            collected(self.BACKUP, own=self.own("sum(spec.tool)"))
