# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects and the nodes of a cluster that was installed some time ago, is connected, and is well."""

from __future__ import annotations

import base64
import json

from . import machines, operators, workloads
from .api.store import Store
from .content import Content, Operator
from .frame import Frame, condition, noise
from .mco import certs, context, disruption, signing
from .operators import MARKETPLACE
from .settings import Endpoint, Settings
from .workloads import Workload

_MASTERS = "node-role.kubernetes.io/master"  # their label, and their taint
_MASTER = {_MASTERS: ""}
_NAMESPACES = """
    default kube-node-lease kube-public kube-system openshift openshift-apiserver openshift-apiserver-operator
    openshift-authentication openshift-cluster-samples-operator openshift-cluster-version openshift-config
    openshift-config-managed openshift-config-operator openshift-console openshift-controller-manager openshift-dns
    openshift-etcd openshift-image-registry openshift-infra openshift-ingress openshift-insights
    openshift-kube-apiserver openshift-machine-api openshift-machine-config-operator openshift-marketplace
    openshift-monitoring openshift-network-operator openshift-node openshift-operator-lifecycle-manager
    openshift-operators openshift-service-ca
""".split()
_CLUSTER_OPERATORS = """
    authentication baremetal cloud-credential cluster-autoscaler config-operator console csi-snapshot-controller dns
    etcd image-registry ingress insights kube-apiserver kube-controller-manager kube-scheduler
    kube-storage-version-migrator machine-api machine-approver machine-config marketplace monitoring network
    node-tuning openshift-apiserver openshift-controller-manager openshift-samples operator-lifecycle-manager
    operator-lifecycle-manager-catalog operator-lifecycle-manager-packageserver service-ca storage
""".split()
_LATER_CLUSTER_OPERATORS = {
    "cloud-controller-manager": 9,
    "control-plane-machine-set": 12,
    "olm": 18,
}  # since 4.x
_DEPLOYMENTS = (  # namespace, name, replicas, component
    ("openshift-cluster-samples-operator", "cluster-samples-operator", 1, "cluster-samples-operator"),
    ("openshift-console", "console", 2, "console"),
    (certs.REGISTRY_NAMESPACE, "cluster-image-registry-operator", 1, "cluster-image-registry-operator"),
    (certs.REGISTRY_NAMESPACE, "image-registry", 2, "cluster-image-registry-operator"),
    ("openshift-ingress", "router-default", 2, "haproxy-router"),
    ("openshift-insights", "insights-operator", 1, "insights-operator"),
    (MARKETPLACE, "marketplace-operator", 1, "operator-marketplace"),
    ("openshift-monitoring", "cluster-monitoring-operator", 1, "cluster-monitoring-operator"),
    ("openshift-monitoring", "telemeter-client", 1, "telemeter"),
    ("openshift-operator-lifecycle-manager", "catalog-operator", 1, "operator-lifecycle-manager"),
    ("openshift-operator-lifecycle-manager", "olm-operator", 1, "operator-lifecycle-manager"),
)
_MASTERS_DEPLOYMENTS = (
    ("openshift-apiserver", "apiserver", 3, "openshift-apiserver"),
    ("openshift-authentication", "oauth-openshift", 2, "oauth-server"),
    ("openshift-cluster-version", "cluster-version-operator", 1, "cluster-version-operator"),
    (context.NAMESPACE, "machine-config-controller", 1, "machine-config-operator"),
    (context.NAMESPACE, "machine-config-operator", 1, "machine-config-operator"),
)
_BUDGETED = {"apiserver", "image-registry", "router-default"}
_STATIC_PODS = (
    ("openshift-etcd", "etcd", "etcd"),
    ("openshift-kube-apiserver", "kube-apiserver", "hyperkube"),
)
_IMAGE_STREAMS = ("cli", "cli-artifacts", "installer", "must-gather", "oauth-proxy", "tools")
_PUBLIC_REGISTRIES = ("cloud.openshift.com", "quay.io", "registry.connect.redhat.com", "registry.redhat.io")
_DEFAULT_SOURCES = {  # the marketplace's own CatalogSources: how they are called where people see them
    "certified-operators": "Certified Operators",
    "community-operators": "Community Operators",
    "redhat-marketplace": "Red Hat Marketplace",
    "redhat-operators": "Red Hat Operators",
}


def seed(store: Store, settings: Settings, content: Content, upstream: Endpoint) -> None:
    """Fill an empty store, and the directories of the nodes, with a cluster of that version and size."""
    frame = Frame(store, settings, content, upstream)
    for name in _NAMESPACES:
        frame.namespace(name)
    _configuration(frame)
    machines.seed(frame)
    _cluster_operators(frame)
    _platform(frame)
    _catalogs(frame)
    _installed(frame, content.operators[0])
    _applications(frame)


def default_sources(settings: Settings, content: Content) -> dict[str, dict]:
    """The specs of the CatalogSources that the marketplace operator keeps; of one of them the lab has the image."""
    specs = {}
    for name, display in _DEFAULT_SOURCES.items():
        index = f"registry.redhat.io/redhat/{name.removesuffix('s')}-index:v{settings.version}"
        specs[name] = {
            "displayName": display,
            "image": content.catalogs[0] if name == "redhat-operators" else index,
            "publisher": "Red Hat",
            "priority": -100,
            "sourceType": "grpc",
            "updateStrategy": {"registryPoll": {"interval": "240m"}},
        }
    return specs


def _configuration(frame: Frame) -> None:
    auths = {
        registry: {"auth": _auth(f"lab+{registry}", noise(registry)), "email": "admin@example.com"}
        for registry in _PUBLIC_REGISTRIES
    }
    auths[frame.upstream.registry] = {"auth": _auth(frame.upstream.username, frame.upstream.password)}
    data = {".dockerconfigjson": _encoded(json.dumps({"auths": auths}))}
    metadata = {"name": "pull-secret", "namespace": "openshift-config"}
    frame.store.create(
        "secrets", {"metadata": metadata, "type": "kubernetes.io/dockerconfigjson", "data": data}
    )
    frame.create_all(
        "configuration",
        control_plane_topology=frame.topology,
        infrastructure_topology="SingleReplica" if len(frame.workers) == 1 else "HighlyAvailable",
        release_image=frame.content.release_image,
    )
    if frame.release.demands_signed_releases:
        release = frame.content.release_image.partition("@")[0]
        frame.store.create(context.CLUSTER_IMAGE_POLICIES, signing.openshift(release))
    if frame.release.node_disruption_policies:
        policies = {"clusterPolicies": disruption.effective_policies(frame.release, None)}
        frame.store.create(
            context.MACHINE_CONFIGURATIONS,
            {
                "metadata": {"name": "cluster"},
                "spec": {"managementState": "Managed"},
                "status": {"nodeDisruptionPolicyStatus": policies, "observedGeneration": 1},
            },
        )


def _cluster_operators(frame: Frame) -> None:
    later = [name for name, since in _LATER_CLUSTER_OPERATORS.items() if frame.release.minor >= since]
    for name in sorted([*_CLUSTER_OPERATORS, *later]):
        (operator,) = frame.documents("cluster-operator", name=name)
        conditions = {condition["type"]: condition for condition in operator["status"]["conditions"]}
        if name == "insights":
            upload = "InsightsUploadDegraded" if frame.release.minor > 8 else "UploadDegraded"
            for kind in ("Disabled", upload):
                operator["status"]["conditions"].append(condition(kind, "False", "AsExpected"))
        if name == "machine-config":
            version = frame.settings.release_version
            conditions["Available"]["message"] = f"Cluster has deployed [{{operator {version}}}]"
            conditions["Progressing"] |= {"reason": "", "message": f"Cluster version is {version}"}
            conditions["Degraded"]["reason"] = ""
        frame.create(operator)


def _platform(frame: Frame) -> None:
    for table, places, selector in (
        (_DEPLOYMENTS, frame.workers, None),
        # The operator's pod is on the last master: the first ones are updated before it.
        (_MASTERS_DEPLOYMENTS, frame.masters[::-1], _MASTER),
    ):
        for namespace, name, replicas, component in table:
            labels = {"app": name, "k8s-app": name}
            containers, taint = (frame.container(name, component),), _MASTERS if selector else ""
            workload = Workload(namespace, name, labels, containers, selector, taint)
            frame.deployment(workload, places, replicas)
            if name in _BUDGETED:
                frame.budget(workload)
    for workload in _daemon_sets(frame):
        frame.daemon_set(workload, frame.masters if workload.selector else frame.nodes)
    for namespace, name, component in _STATIC_PODS:
        for node in frame.masters:
            workloads.seed_static_pod(frame.store, namespace, name, node, (frame.container(name, component),))
    for name in _IMAGE_STREAMS:
        image = frame.content.components[name]
        frame.create_all("image-stream", name=name, image=image, digest=image.partition("@")[2])


def _daemon_sets(frame: Frame) -> list[Workload]:
    daemon, server = "machine-config-daemon", "machine-config-server"
    mco = "machine-config-operator"
    of_daemon = (
        frame.container(daemon, mco, mounts=(("/", "/rootfs"),)),
        frame.container("kube-rbac-proxy", "kube-rbac-proxy"),
    )
    of_server = (frame.container(server, mco),)
    certificates = (("/etc/docker/certs.d", "/etc/docker/certs.d"),)
    of_node_ca = (frame.container("node-ca", "cluster-image-registry-operator", mounts=certificates),)
    of_dns = (frame.container("dns", "coredns"),)
    return [
        Workload(context.NAMESPACE, daemon, {"k8s-app": daemon}, of_daemon, taint="*"),
        Workload(context.NAMESPACE, server, {"k8s-app": server}, of_server, _MASTER, taint="*"),
        Workload(certs.REGISTRY_NAMESPACE, "node-ca", {"name": "node-ca"}, of_node_ca, taint="*"),
        Workload("openshift-dns", "dns-default", {"k8s-app": "dns-default"}, of_dns, taint=_MASTERS),
    ]


def _catalogs(frame: Frame) -> None:
    catalog, vendors = frame.content.catalogs
    frame.create_all("catalogs", catalog=catalog, vendors_catalog=vendors)
    for source in frame.store.list(operators.SOURCES):
        status = operators.catalog_status(source, "READY")
        frame.store.update_status(operators.SOURCES, source | {"status": status})
        pod = operators.catalog_pod(source)
        pod["spec"]["nodeName"] = frame.workers[0]
        container = frame.container("registry-server", source["spec"]["image"])
        frame.store.create("pods", pod | {"status": workloads.running((container,))})


def _installed(frame: Frame, operator: Operator) -> None:
    """An operator that was installed from the first catalog, with the pod that it runs in."""
    namespace, first = f"openshift-{operator.package}", next(iter(operator.images))
    frame.namespace(namespace)
    workload = Workload(namespace, first, {"app": first}, (frame.container(first, operator.images[first]),))
    for document in frame.documents(
        "installed-operator",
        namespace=namespace,
        package=operator.package,
        channel=operator.channel,
        csv=operator.name,
        version=operator.version,
        bundle=operator.bundle,
    ):
        if document["kind"] == "ClusterServiceVersion":
            spec = {
                "replicas": 1,
                "selector": {"matchLabels": workload.labels},
                "template": workload.template,
            }
            document["spec"]["install"]["spec"]["deployments"] = [{"name": first, "spec": spec}]
            images = [{"name": name, "image": image} for name, image in operator.images.items()]
            document["spec"]["relatedImages"] = images
        frame.create(document)
    frame.deployment(workload, frame.workers)


def _applications(frame: Frame) -> None:
    """What the cluster is there for: one application names its image by digest, the other by tag."""
    by_digest, by_tag = frame.content.images
    for namespace, name, image, replicas in (
        ("shop", "frontend", by_digest, 2),
        ("warehouse", "inventory", by_tag, 1),
    ):
        frame.namespace(namespace)
        workload = Workload(namespace, name, {"app": name}, (frame.container(name, image),))
        frame.deployment(workload, frame.workers, replicas)
        if replicas > 1:
            frame.budget(workload)


def _auth(username: str, password: str) -> str:
    return _encoded(f"{username}:{password}")


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
