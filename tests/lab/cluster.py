# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects and the nodes of a cluster that was installed some time ago, is connected, and is well."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass

from . import nodefs, operators, payload, workloads
from .api import housekeeping
from .api.resources import kubernetes_version
from .api.store import Store, now
from .content import Content, Operator
from .mco import certs, configs, context, disruption
from .mco.releases import Release
from .nodefs import CERTIFICATES, CURRENT_CONFIG
from .operators import MARKETPLACE
from .settings import Endpoint, Settings
from .tls import Authority
from .workloads import Container, Workload

_ROLE = "node-role.kubernetes.io/"
_BUILT_IN = "machineconfiguration.openshift.io/mco-built-in"
_REQUIRED = "operator.machineconfiguration.openshift.io/required-for-upgrade"
_DEFAULT_SOURCES = {  # the marketplace's own CatalogSources: how they are shown, who publishes them
    "certified-operators": ("Certified Operators", "Red Hat"),
    "community-operators": ("Community Operators", "Red Hat"),
    "redhat-marketplace": ("Red Hat Marketplace", "Red Hat"),
    "redhat-operators": ("Red Hat Operators", "Red Hat"),
}
_SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAm9uZSBvZiB0aGUgbGFiJ3Mgb3duIGtleXMgaXMgcmVhbA== core@lab"

_OPERATORS = (  # the ClusterOperators, with the first minor version that has them
    "authentication:8 baremetal:8 cloud-controller-manager:9 cloud-credential:8 cluster-autoscaler:8 config-operator:8 "
    "console:8 control-plane-machine-set:12 csi-snapshot-controller:8 dns:8 etcd:8 image-registry:8 ingress:8 insights:8 "
    "kube-apiserver:8 kube-controller-manager:8 kube-scheduler:8 kube-storage-version-migrator:8 machine-api:8 "
    "machine-approver:8 machine-config:8 marketplace:8 monitoring:8 network:8 node-tuning:8 olm:18 openshift-apiserver:8 "
    "openshift-controller-manager:8 openshift-samples:8 operator-lifecycle-manager:8 "
    "operator-lifecycle-manager-catalog:8 operator-lifecycle-manager-packageserver:8 service-ca:8 storage:8"
).split()
_NAMESPACES = (
    "default kube-node-lease kube-public kube-system openshift openshift-apiserver openshift-apiserver-operator "
    "openshift-authentication openshift-cluster-samples-operator openshift-cluster-version openshift-config "
    "openshift-config-managed openshift-config-operator openshift-console openshift-controller-manager openshift-dns "
    "openshift-etcd openshift-image-registry openshift-infra openshift-ingress openshift-insights "
    "openshift-kube-apiserver openshift-machine-api openshift-machine-config-operator openshift-marketplace "
    "openshift-monitoring openshift-network-operator openshift-node openshift-operator-lifecycle-manager "
    "openshift-operators openshift-service-ca"
).split()
_PLATFORM = (  # namespace, Deployment, replicas, component
    ("openshift-apiserver", "apiserver", 3, "openshift-apiserver"),
    ("openshift-authentication", "oauth-openshift", 2, "oauth-server"),
    ("openshift-cluster-samples-operator", "cluster-samples-operator", 1, "cluster-samples-operator"),
    ("openshift-cluster-version", "cluster-version-operator", 1, "cluster-version-operator"),
    ("openshift-console", "console", 2, "console"),
    ("openshift-image-registry", "cluster-image-registry-operator", 1, "cluster-image-registry-operator"),
    ("openshift-image-registry", "image-registry", 2, "cluster-image-registry-operator"),
    ("openshift-ingress", "router-default", 2, "haproxy-router"),
    ("openshift-insights", "insights-operator", 1, "insights-operator"),
    (context.NAMESPACE, "machine-config-controller", 1, "machine-config-operator"),
    (context.NAMESPACE, "machine-config-operator", 1, "machine-config-operator"),
    (MARKETPLACE, "marketplace-operator", 1, "operator-marketplace"),
    ("openshift-monitoring", "cluster-monitoring-operator", 1, "cluster-monitoring-operator"),
    ("openshift-monitoring", "telemeter-client", 1, "telemeter"),
    ("openshift-operator-lifecycle-manager", "catalog-operator", 1, "operator-lifecycle-manager"),
    ("openshift-operator-lifecycle-manager", "olm-operator", 1, "operator-lifecycle-manager"),
)
_ON_MASTERS = {"apiserver", "oauth-openshift", "cluster-version-operator", "machine-config-controller", "machine-config-operator"}
_BUDGETS = (  # namespace, Deployment whose pods may go one at a time
    ("openshift-apiserver", "apiserver"),
    ("openshift-image-registry", "image-registry"),
    ("openshift-ingress", "router-default"),
)
_IMAGE_STREAMS = ("cli", "cli-artifacts", "installer", "must-gather", "oauth-proxy", "tools")


def seed(store: Store, settings: Settings, content: Content, upstream: Endpoint) -> None:
    """Fill an empty store, and the directories of the nodes, with a cluster of that version and size."""
    cluster = _Cluster(store, settings, content, upstream)
    cluster.seed()


def default_sources(settings: Settings, content: Content) -> dict[str, dict]:
    """The specs of the CatalogSources that the marketplace operator keeps by itself; of one the lab has the image."""
    specs = {}
    for name, (display, publisher) in _DEFAULT_SOURCES.items():
        index = f"registry.redhat.io/redhat/{name.removesuffix('s')}-index:v{settings.version}"
        specs[name] = {
            "displayName": display,
            "image": content.catalogs[0] if name == "redhat-operators" else index,
            "publisher": publisher,
            "priority": -100,
            "sourceType": "grpc",
            "updateStrategy": {"registryPoll": {"interval": "240m"}},
        }
    return specs


def node_roles(count: int) -> dict[str, tuple[str, ...]]:
    """The nodes' names, each with its roles: a single node, or three masters with workers beside them if any are left."""
    masters = 3 if count >= 3 else 1
    both = count <= 3 and count != 2
    roles = {f"master-{index}": ("master", "worker") if both else ("master",) for index in range(masters)}
    return roles | {f"worker-{index}": ("worker",) for index in range(count - masters)}


@dataclass(frozen=True)
class _Cluster:
    store: Store
    settings: Settings
    content: Content
    upstream: Endpoint

    @property
    def release(self) -> Release:
        return Release.of(self.settings.release_version)

    @property
    def roles(self) -> dict[str, tuple[str, ...]]:
        return node_roles(self.settings.nodes)

    @property
    def masters(self) -> list[str]:
        return [name for name, roles in self.roles.items() if "master" in roles]

    @property
    def workers(self) -> list[str]:
        return [name for name, roles in self.roles.items() if "worker" in roles]

    @property
    def topology(self) -> str:
        return "HighlyAvailable" if len(self.masters) > 1 else "SingleReplica"

    def seed(self) -> None:
        for name in _NAMESPACES:
            self._namespace(name)
        self._configuration()
        self._trust()
        pools = self._machine_configs()
        self._nodes(pools)
        self._operators()
        self._platform()
        self._marketplace()
        self._applications()

    def _create(self, resource: str, name: str, namespace: str = "", labels: dict | None = None, **fields) -> dict:
        metadata = {"name": name} | ({"namespace": namespace} if namespace else {}) | ({"labels": labels} if labels else {})
        return self.store.create(resource, {"metadata": metadata, **fields})

    def _namespace(self, name: str) -> None:
        labels = {"kubernetes.io/metadata.name": name}
        fields = {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
        self._create("namespaces", name, labels=labels, **fields)

    def _container(self, name: str, component: str, **fields) -> Container:
        image = self.content.components[component]
        return Container(name, image, image, **fields)

    # What an administrator configures

    def _configuration(self) -> None:
        document = {"auths": {
            key: {"auth": _auth(f"lab+{key}", _noise(f"{key} {self.upstream.password}")), "email": "admin@example.com"}
            for key in ("cloud.openshift.com", "quay.io", "registry.connect.redhat.com", "registry.redhat.io")
        }}
        document["auths"][self.upstream.registry] = {"auth": _auth(self.upstream.username, self.upstream.password)}
        data = {".dockerconfigjson": _b64(json.dumps(document))}
        self._create("secrets", "pull-secret", "openshift-config", type="kubernetes.io/dockerconfigjson", data=data)
        for name, namespace in (("admin-acks", "openshift-config"), ("admin-gates", "openshift-config-managed")):
            self._create("configmaps", name, namespace, data={})

        host = "image-registry.openshift-image-registry.svc:5000"
        self._create(context.IMAGES, "cluster", spec={}, status={"internalRegistryHostname": host})
        self._create(context.PROXIES, "cluster", spec={"trustedCA": {"name": ""}}, status={})
        self._create("infrastructures.config.openshift.io", "cluster", spec={"platformSpec": {"type": "None"}}, status={
            "apiServerInternalURI": "https://api-int.lab.example.com:6443",
            "apiServerURL": "https://api.lab.example.com:6443",
            "controlPlaneTopology": self.topology,
            "infrastructureName": "lab-7x4tq",
            "infrastructureTopology": "SingleReplica" if len(self.workers) == 1 else "HighlyAvailable",
            "platform": "None",
            "platformStatus": {"type": "None"},
        })
        self._cluster_version()
        self._create(
            "configs.samples.operator.openshift.io", "cluster",
            spec={"architectures": ["x86_64"], "managementState": "Managed"},
            status={"architectures": ["x86_64"], "managementState": "Managed", "version": self.settings.release_version},
        )
        self._create(
            "configs.imageregistry.operator.openshift.io", "cluster",
            spec={"managementState": "Managed", "replicas": 2, "storage": {"emptyDir": {}}},
            status={"storageManaged": False, "readyReplicas": 2},
        )
        if self.release.node_disruption_policies:
            policies = {"clusterPolicies": disruption.effective_policies(self.release, None)}
            self._create(
                context.MACHINE_CONFIGURATIONS, "cluster", spec={"managementState": "Managed"},
                status={"nodeDisruptionPolicyStatus": policies, "observedGeneration": 1},
            )

    def _cluster_version(self) -> None:
        version, moment = self.settings.release_version, now()
        desired = {"image": self.content.release_image, "version": version}
        update = {"completionTime": moment, "startedTime": moment, "state": "Completed", "verified": False}
        conditions = [
            _condition("Available", True, message=f"Done applying {version}"),
            _condition("Failing", False),
            _condition("Progressing", False, message=f"Cluster version is {version}"),
            _condition("RetrievedUpdates", True, reason=""),
        ]
        identity = hashlib.md5(b"the lab's cluster").hexdigest()
        cluster_id = "-".join(identity[a:b] for a, b in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32)))
        self._create(
            context.CLUSTER_VERSIONS, "version",
            spec={"channel": f"stable-{self.settings.version}", "clusterID": cluster_id},
            status={
                "availableUpdates": None, "conditions": conditions, "desired": desired,
                "history": [desired | update], "observedGeneration": 1, "versionHash": "UFQ8PVhmKMA=",
            },
        )

    def _trust(self) -> None:
        """The CAs of the internal registry, on both of the ways on which CAs reach the nodes."""
        service = Authority("openshift-service-serving-signer").certificate
        keys = dict.fromkeys(certs.SERVICE_HOSTS, service)
        self._create("configmaps", "image-registry-ca", "openshift-config-managed", data=keys)
        self._create("configmaps", certs.REGISTRY_CERTIFICATES, certs.REGISTRY_NAMESPACE, data=keys)
        self._create("configmaps", "image-import-ca", "openshift-apiserver", data={})
        if self.release.controller_config_carries_cas:
            self._create("configmaps", "merged-trusted-image-registry-ca", "openshift-config-managed", data=keys)

    # MachineConfigs, pools, nodes

    def _machine_configs(self) -> dict[str, dict]:
        """Returns each pool's rendered MachineConfig."""
        controller_config = self._controller_config()
        secret = self.store.get("secrets", "pull-secret", "openshift-config")
        pull_secret = configs.compact(base64.b64decode(secret["data"][".dockerconfigjson"]).decode())
        image = configs.owner_reference(self.store.get(context.IMAGES, "cluster"))
        rendered = {}
        for role in ("master", "worker"):
            own = configs.from_templates(self.release, role, controller_config, pull_secret)
            own += configs.from_kubelet_configs(self.release, role, image)
            own.append(configs.generated_registries(self.release, role, image, {}))
            own.append(configs.ssh(self.release, role, _SSH_KEY))
            for config in own:
                self.store.create(context.MACHINE_CONFIGS, config)
            rendered[role] = self._pool(role, own)
        return rendered

    def _controller_config(self) -> dict:
        release = self.settings.release_version
        root = Authority("root-ca").certificate
        spec = {
            "cloudProviderConfig": "",
            "clusterDNSIP": "172.30.0.10",
            "ipFamilies": "IPv4",
            "kubeAPIServerServingCAData": _b64(Authority("kube-apiserver-to-kubelet-signer").certificate),
            "osImageURL": self.content.components[payload.operating_system(self.settings.minor)],
            "platform": "none",
            "pullSecret": {"name": "pull-secret", "namespace": "openshift-config"},
            "releaseImage": self.content.release_image,
            "rootCAData": _b64(root),
        }
        if self.release.controller_config_carries_cas:
            service = self.store.get("configmaps", "image-registry-ca", "openshift-config-managed")["data"]
            spec["imageRegistryBundleData"] = [{"file": key, "data": _b64(service[key])} for key in sorted(service)]
            spec["imageRegistryBundleUserData"] = []
        message = f"sync completed towards (1) generation using controller version v{release}"
        conditions = [
            _condition("TemplateControllerCompleted", True, reason="", message=message),
            _condition("TemplateControllerRunning", False, reason=""),
            _condition("TemplateControllerFailing", False, reason=""),
        ]
        return self.store.create(context.CONTROLLER_CONFIGS, {
            "metadata": {
                "name": context.CONTROLLER_CONFIG,
                "annotations": {configs.RELEASE_VERSION: release, f"{configs.GROUP}/generated-by-version": f"v{release}"},
            },
            "spec": spec,
            "status": {"conditions": conditions, "observedGeneration": 1},
        })

    def _pool(self, role: str, own: list[dict]) -> dict:
        """A MachineConfigPool, and the MachineConfig that is rendered for it."""
        labels = {_BUILT_IN: "", f"pools.operator.machineconfiguration.openshift.io/{role}": ""}
        if role == "master":
            labels[_REQUIRED] = ""
        pool = self._create(context.POOLS, role, labels=labels, spec={
            "machineConfigSelector": {"matchLabels": {configs.ROLE_LABEL: role}},
            "nodeSelector": {"matchLabels": {_ROLE + role: ""}},
            "paused": False,
        })
        os_image = self.content.components[payload.operating_system(self.settings.minor)]
        rendered = self.store.create(context.MACHINE_CONFIGS, configs.rendered(self.release, pool, own, os_image))
        name = rendered["metadata"]["name"]
        configuration = {"name": name, "source": configs.references(own)}
        pool["spec"]["configuration"] = configuration
        pool = self.store.update(context.POOLS, pool)
        kind = "MachineConfig " if self.release.names_the_kind else ""
        count = sum(_pool_of(roles) == role for roles in self.roles.values())
        pool["status"] = {
            "conditions": [
                _condition("RenderDegraded", False, reason=""),
                _condition("Updated", True, reason="", message=f"All nodes are updated with {kind}{name}"),
                _condition("Updating", False, reason=""),
                _condition("NodeDegraded", False, reason=""),
                _condition("Degraded", False, reason=""),
            ],
            "configuration": configuration,
            "degradedMachineCount": 0,
            "machineCount": count,
            "observedGeneration": pool["metadata"]["generation"],
            "readyMachineCount": count,
            "unavailableMachineCount": 0,
            "updatedMachineCount": count,
        }
        self.store.update_status(context.POOLS, pool)
        return rendered

    def _nodes(self, rendered: dict[str, dict]) -> None:
        controller_config = self.store.get(context.CONTROLLER_CONFIGS, context.CONTROLLER_CONFIG)
        programs = nodefs.busybox(self.settings.directory / "programs")
        trust_bundle = self.upstream.ca.read_bytes()
        cas = self.store.get("configmaps", certs.REGISTRY_CERTIFICATES, certs.REGISTRY_NAMESPACE)["data"]
        written = {role: _NodeImage(config) for role, config in rendered.items()}
        images = [{"names": [image], "sizeBytes": 300_000_000} for image in list(self.content.components.values())[:50]]
        for index, (name, roles) in enumerate(self.roles.items()):
            pool = _pool_of(roles)
            node = self._node(name, index, roles, rendered[pool]["metadata"]["name"], images)
            if self.release.controller_config_carries_cas:
                synced = controller_config["metadata"]["resourceVersion"]
                node["metadata"]["annotations"][context.SYNCED_CONTROLLER_CONFIG] = synced
            self.store.create(context.NODES, node)
            files = nodefs.prepare(
                self.settings.node(name), programs, hostname=name, trust_bundle=trust_bundle, os_release=self._os_release,
            )
            written[pool].write(files)
            for key, text in cas.items():
                files.write(f"{CERTIFICATES}/{key.replace('..', ':')}/ca.crt", text.encode())

    def _node(self, name: str, index: int, roles: tuple[str, ...], config: str, images: list[dict]) -> dict:
        labels = {
            "beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
            "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "node.openshift.io/os_id": "rhcos",
        } | {_ROLE + role: "" for role in roles}
        if "master" in roles:
            labels[f"{_ROLE}control-plane"] = ""
        annotations = {
            context.CURRENT_CONFIG: config, context.DESIRED_CONFIG: config, context.STATE: context.DONE,
            context.REASON: "", context.TOPOLOGY: self.topology,
            "volumes.kubernetes.io/controller-managed-attach-detach": "true",
        }
        if not self.release.daemon_drains:
            annotations |= dict.fromkeys((context.DESIRED_DRAIN, context.LAST_APPLIED_DRAIN), f"uncordon-{config}")
        spec = {"podCIDR": f"10.{128 + index // 256}.{index % 256}.0/24"}
        if roles == ("master",):
            spec["taints"] = [{"effect": "NoSchedule", "key": f"{_ROLE}master"}]
        size = {"cpu": "8", "ephemeral-storage": "125293548Ki", "memory": "32871080Ki", "pods": "250"}
        pressures = (("MemoryPressure", "KubeletHasSufficientMemory"), ("DiskPressure", "KubeletHasNoDiskPressure"),
                     ("PIDPressure", "KubeletHasSufficientPID"))
        conditions = [_condition(kind, False, reason=reason) for kind, reason in pressures]
        conditions.append(_condition("Ready", True, reason="KubeletReady", message="kubelet is posting ready status"))
        address = f"192.168.{16 + index // 250}.{1 + index % 250}"
        return {"metadata": {"name": name, "labels": labels, "annotations": annotations}, "spec": spec, "status": {
            "addresses": [{"address": address, "type": "InternalIP"}, {"address": name, "type": "Hostname"}],
            "allocatable": size, "capacity": size, "conditions": conditions, "images": images,
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "architecture": "amd64", "operatingSystem": "linux", "osImage": f"Red Hat Enterprise Linux CoreOS {self._rhcos}",
                "bootID": _uuid(f"boot {name}"), "machineID": _uuid(f"machine {name}").replace("-", ""),
                "systemUUID": _uuid(f"system {name}"), "kernelVersion": "5.14.0-427.el9.x86_64",
                "containerRuntimeVersion": f"cri-o://1.{self.release.minor + 13}.0",
                "kubeletVersion": kubernetes_version(self.settings.version),
                "kubeProxyVersion": kubernetes_version(self.settings.version),
            },
        }}

    @property
    def _rhcos(self) -> str:
        return f"{self.settings.version.replace('.', '')}.94.202406251923-0"

    @property
    def _os_release(self) -> str:
        return (
            f'NAME="Red Hat Enterprise Linux CoreOS"\nID="rhcos"\nID_LIKE="rhel fedora"\nVERSION="{self._rhcos}"\n'
            f'VERSION_ID="{self.settings.version}"\nVARIANT="CoreOS"\nOPENSHIFT_VERSION="{self.settings.version}"\n'
        )

    # What runs

    def _operators(self) -> None:
        version = self.settings.release_version
        for entry in _OPERATORS:
            name, _colon, first = entry.partition(":")
            if self.release.minor < int(first):
                continue
            conditions = [
                _condition("Available", True), _condition("Progressing", False),
                _condition("Degraded", False), _condition("Upgradeable", True),
            ]
            if name == "insights":
                upload = "InsightsUploadDegraded" if self.release.minor > 8 else "UploadDegraded"
                conditions += [_condition("Disabled", False), _condition(upload, False)]
            if name == "machine-config":
                conditions[0]["message"] = f"Cluster has deployed [{{operator {version}}}]"
                conditions[1] |= {"message": f"Cluster version is {version}", "reason": ""}
                conditions[2]["reason"] = ""
            self._create(context.CLUSTER_OPERATORS, name, spec={}, status={
                "conditions": conditions, "extension": None, "relatedObjects": [],
                "versions": [{"name": "operator", "version": version}],
            })

    def _platform(self) -> None:
        every, masters = list(self.roles), self.masters
        for namespace, name, replicas, component in _PLATFORM:
            place = masters if name in _ON_MASTERS else self.workers or masters
            replicas = min(replicas, len(place))
            workload = Workload(
                namespace, name, {"app": name, "k8s-app": name}, (self._container(name, component),),
                {f"{_ROLE}master": ""} if name in _ON_MASTERS else None,
            )
            # The operator's pod is on the last master: the first ones are updated before it.
            workloads.seed_deployment(self.store, workload, place[::-1], replicas)
        for namespace, name in _BUDGETS:
            self._budget(namespace, name, {"app": name, "k8s-app": name})
        daemon = self._container("machine-config-daemon", "machine-config-operator", mounts=(("/", "/rootfs"),))
        proxy = self._container("kube-rbac-proxy", "kube-rbac-proxy")
        self._daemon_set(context.NAMESPACE, "machine-config-daemon", (daemon, proxy), every)
        server = (self._container("machine-config-server", "machine-config-operator"),)
        self._daemon_set(context.NAMESPACE, "machine-config-server", server, masters, {f"{_ROLE}master": ""})
        node_ca = self._container("node-ca", "cluster-image-registry-operator", mounts=(("/etc/docker/certs.d", "/etc/docker/certs.d"),))
        self._daemon_set(certs.REGISTRY_NAMESPACE, "node-ca", (node_ca,), every, labels={"name": "node-ca"})
        self._daemon_set("openshift-dns", "dns-default", (self._container("dns", "coredns"),), every)
        for node in masters:
            workloads.seed_static_pod(self.store, "openshift-etcd", "etcd", node, (self._container("etcd", "etcd"),))
            apiserver = (self._container("kube-apiserver", "hyperkube"),)
            workloads.seed_static_pod(self.store, "openshift-kube-apiserver", "kube-apiserver", node, apiserver)
        for name in _IMAGE_STREAMS:
            self._image_stream(name)

    def _daemon_set(
        self, namespace: str, name: str, containers: tuple[Container, ...], nodes: list[str],
        selector: dict[str, str] | None = None, labels: dict[str, str] | None = None,
    ) -> None:
        workload = Workload(namespace, name, labels or {"k8s-app": name}, containers, selector)
        workloads.seed_daemon_set(self.store, workload, nodes)

    def _budget(self, namespace: str, name: str, labels: dict[str, str]) -> None:
        """All pods but one must stay; a single one may go."""
        spec = {"maxUnavailable": 1, "selector": {"matchLabels": labels}}
        made = self._create("poddisruptionbudgets.policy", name, namespace, spec=spec)
        status = {"observedGeneration": made["metadata"]["generation"], **housekeeping.budget(self.store, made)}
        self.store.update_status("poddisruptionbudgets.policy", made | {"status": status})

    def _image_stream(self, name: str) -> None:
        """One of the payload's own image streams, imported again and again from the release's image."""
        image = self.content.components[name]
        repository = f"image-registry.openshift-image-registry.svc:5000/openshift/{name}"
        item = {"created": now(), "dockerImageReference": image, "generation": 2, "image": image.partition("@")[2]}
        self._create("imagestreams.image.openshift.io", name, "openshift", spec={
            "lookupPolicy": {"local": False},
            "tags": [{
                "name": "latest", "from": {"kind": "DockerImage", "name": image}, "generation": 2,
                "importPolicy": {"scheduled": True, "importMode": "Legacy"}, "referencePolicy": {"type": "Source"},
            }],
        }, status={"dockerImageRepository": repository, "tags": [{"tag": "latest", "items": [item]}]})

    # Operators from catalogs

    def _marketplace(self) -> None:
        """Of the default sources the administrator left one; beside it there is one of a vendor's."""
        enabled = "redhat-operators"
        self._create(
            "operatorhubs.config.openshift.io", "cluster",
            spec={"sources": [{"name": name, "disabled": True} for name in _DEFAULT_SOURCES if name != enabled]},
            status={"sources": [
                {"name": name, "disabled": name != enabled, "status": "Success"} for name in _DEFAULT_SOURCES
            ]},
        )
        red_hat, vendor = self.content.catalogs
        annotations = {"operatorframework.io/managed-by": "marketplace-operator"}
        self._catalog(enabled, default_sources(self.settings, self.content)[enabled], annotations)
        self._catalog("acme-operators", {
            "displayName": "Acme Operators", "image": vendor, "publisher": "Acme", "sourceType": "grpc",
            "updateStrategy": {"registryPoll": {"interval": "60m"}},
        }, {})
        if "clustercatalogs.olm.operatorframework.io" in self.store.table:
            self._create("clustercatalogs.olm.operatorframework.io", "openshift-redhat-operators", spec={
                "availabilityMode": "Available", "priority": -100,
                "source": {"type": "Image", "image": {"ref": red_hat, "pollIntervalMinutes": 10}},
            }, status={"conditions": [_condition("Serving", True, reason="Available"), _condition("Progressing", True, reason="Succeeded")]})
        self._installed(self.content.operators[0], enabled)

    def _catalog(self, name: str, spec: dict, annotations: dict[str, str]) -> None:
        metadata = {"name": name, "namespace": MARKETPLACE, "annotations": annotations}
        source = self.store.create(operators.SOURCES, {"metadata": metadata, "spec": spec})
        self.store.update_status(operators.SOURCES, source | {"status": operators.catalog_status(source, "READY")})
        pod = operators.catalog_pod(source)
        pod["spec"]["nodeName"] = (self.workers or self.masters)[0]
        container = Container("registry-server", spec["image"], self.content.shelf.resolve(spec["image"]))
        self.store.create("pods", pod | {"status": workloads.running((container,))})

    def _installed(self, operator: Operator, catalog: str) -> None:
        """An operator that was installed through OLM, all that belongs to it included."""
        namespace = f"openshift-{operator.package}"
        self._namespace(namespace)
        self._create("operatorgroups.operators.coreos.com", operator.package, namespace, spec={"targetNamespaces": [namespace]},
                     status={"namespaces": [namespace], "lastUpdated": now()})
        (first, image), *_others = operator.images.items()
        containers = [Container(name, ref, self.content.shelf.resolve(ref)) for name, ref in operator.images.items()]
        workload = Workload(namespace, first, {"app": first}, tuple(containers[:1]))
        self._create(
            "clusterserviceversions.operators.coreos.com", operator.name, namespace,
            spec={
                "displayName": operator.package, "version": operator.version,
                "install": {"strategy": "deployment", "spec": {"deployments": [
                    {"name": first, "spec": {"replicas": 1, "selector": {"matchLabels": workload.labels}, "template": workload.template}},
                ]}},
                "relatedImages": [{"name": name, "image": ref} for name, ref in operator.images.items()],
            },
            status={"phase": "Succeeded", "reason": "InstallSucceeded", "message": "install strategy completed with no errors"},
        )
        plan = self._create(
            "installplans.operators.coreos.com", f"install-{_noise(operator.name)[:5]}", namespace,
            spec={"approval": "Automatic", "approved": True, "clusterServiceVersionNames": [operator.name]},
            status={"phase": "Complete", "bundleLookups": [
                {"path": operator.bundle, "identifier": operator.name,
                 "catalogSourceRef": {"name": catalog, "namespace": MARKETPLACE}},
            ]},
        )["metadata"]["name"]
        self._create(
            "subscriptions.operators.coreos.com", operator.package, namespace,
            spec={
                "channel": operator.channel, "installPlanApproval": "Automatic", "name": operator.package,
                "source": catalog, "sourceNamespace": MARKETPLACE,
            },
            status={
                "currentCSV": operator.name, "installedCSV": operator.name, "state": "AtLatestKnown",
                "installPlanRef": {"name": plan, "namespace": namespace, "kind": "InstallPlan"},
            },
        )
        workloads.seed_deployment(self.store, workload, self.workers or self.masters, 1)

    # What the cluster is there for

    def _applications(self) -> None:
        """One application names its image by digest, the other by tag."""
        places = self.workers or self.masters
        for namespace, name, image, replicas in (
            ("shop", "frontend", self.content.images[0], 2),
            ("warehouse", "inventory", self.content.images[1], 1),
        ):
            self._namespace(namespace)
            container = Container(name, image, self.content.shelf.resolve(image))
            workload = Workload(namespace, name, {"app": name}, (container,))
            workloads.seed_deployment(self.store, workload, places, replicas)
        self._budget("shop", "frontend", {"app": "frontend"})


class _NodeImage:
    """What a rendered MachineConfig puts on a node, decoded once for all nodes of its pool."""

    def __init__(self, config: dict) -> None:
        self._files = [(path, configs.content(file), file["mode"]) for path, file in configs.files_of(config).items()]
        self._current = json.dumps(config).encode()

    def write(self, files: nodefs.NodeFiles) -> None:
        for path, data, mode in self._files:
            files.write(path, data, mode)
        files.write(CURRENT_CONFIG, self._current)


def _pool_of(roles: tuple[str, ...]) -> str:
    return "master" if "master" in roles else "worker"


def _condition(kind: str, holds: bool, *, reason: str = "AsExpected", message: str = "") -> dict:
    status = "True" if holds else "False"
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": now()}


def _auth(username: str, password: str) -> str:
    return _b64(f"{username}:{password}")


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _noise(seed: str) -> str:
    """Something that looks random and is not."""
    return hashlib.sha256(seed.encode()).hexdigest()


def _uuid(seed: str) -> str:
    digest = _noise(seed)
    return "-".join(digest[a:b] for a, b in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32)))
