# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A new cluster's ControllerConfig, MachineConfigs, pools and nodes, which agree with each other and with the disks."""

from __future__ import annotations

import base64
import json

from . import nodefs, payload
from .api.resources import kubernetes_version
from .frame import Frame, condition, identity
from .mco import certs, configs, context, render, signing
from .nodefs import CERTIFICATES, CURRENT_CONFIG, NodeFiles
from .tls import Authority

_ROLE = "node-role.kubernetes.io/"
_REQUIRED = "operator.machineconfiguration.openshift.io/required-for-upgrade"
_SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAm9uZSBvZiB0aGUgbGFiJ3Mgb3duIGtleXMgaXMgcmVhbA== core@lab"


def seed(frame: Frame) -> None:
    _trust(frame)
    controller_config = frame.create(_controller_config(frame))
    secret = frame.store.get("secrets", "pull-secret", "openshift-config")
    pull_secret = configs.compact(base64.b64decode(secret["data"][".dockerconfigjson"]).decode())
    image = configs.owner_reference(frame.store.get(context.IMAGES, "cluster"))
    signatures = _signatures(frame)
    rendered = {}
    for role in ("master", "worker"):
        own = [
            *configs.from_templates(frame.release, role, controller_config, pull_secret),
            *configs.from_kubelet_configs(frame.release, role, image),
            configs.generated_registries(frame.release, role, image, signatures),
            configs.ssh(frame.release, role, _SSH_KEY),
        ]
        for config in own:
            frame.create(config)
        rendered[role] = _pool(frame, role, own)
    _nodes(frame, rendered, controller_config["metadata"]["resourceVersion"])


def _signatures(frame: Frame) -> dict[str, str]:
    """The files that follow from the ClusterImagePolicies of a new cluster."""
    if not frame.release.demands_signed_releases:
        return {}
    signed = signing.demands(frame.store.list(context.CLUSTER_IMAGE_POLICIES))
    return {
        configs.POLICY_JSON: render.policy_json(frame.release, (), (), "", signed),
        signing.SIGSTORE_REGISTRIES: signing.sigstore_registries(frame.release, signed, []),
    }


def _trust(frame: Frame) -> None:
    """The CA of the internal registry, on both of the ways on which CAs reach the nodes."""
    keys = dict.fromkeys(certs.SERVICE_HOSTS, Authority("openshift-service-serving-signer").certificate)
    frame.config_map("image-registry-ca", "openshift-config-managed", keys)
    frame.config_map(certs.REGISTRY_CERTIFICATES, certs.REGISTRY_NAMESPACE, keys)
    if frame.release.controller_config_carries_cas:
        frame.config_map("merged-trusted-image-registry-ca", "openshift-config-managed", keys)


def _controller_config(frame: Frame) -> dict:
    version = frame.settings.release_version
    spec = {
        "cloudProviderConfig": "",
        "clusterDNSIP": "172.30.0.10",
        "ipFamilies": "IPv4",
        "kubeAPIServerServingCAData": _encoded(Authority("kube-apiserver-to-kubelet-signer").certificate),
        "osImageURL": _operating_system(frame),
        "platform": "none",
        "pullSecret": {"name": "pull-secret", "namespace": "openshift-config"},
        "releaseImage": frame.content.release_image,
        "rootCAData": _encoded(Authority("root-ca").certificate),
    }
    if frame.release.controller_config_carries_cas:
        keys = frame.store.get("configmaps", "image-registry-ca", "openshift-config-managed")["data"]
        spec["imageRegistryBundleData"] = [{"file": key, "data": _encoded(keys[key])} for key in sorted(keys)]
        spec["imageRegistryBundleUserData"] = []
    message = f"sync completed towards (1) generation using controller version v{version}"
    annotations = {
        configs.RELEASE_VERSION: version,
        f"{configs.GROUP}/generated-by-version": f"v{version}",
    }
    return {
        "apiVersion": f"{configs.GROUP}/v1",
        "kind": "ControllerConfig",
        "metadata": {"name": context.CONTROLLER_CONFIG, "annotations": annotations},
        "spec": spec,
        "status": {
            "conditions": [
                condition("TemplateControllerCompleted", "True", message=message),
                condition("TemplateControllerRunning", "False"),
                condition("TemplateControllerFailing", "False"),
            ],
            "observedGeneration": 1,
        },
    }


def _operating_system(frame: Frame) -> str:
    return frame.content.components[payload.operating_system(frame.settings.minor)]


def _pool(frame: Frame, role: str, own: list[dict]) -> dict:
    """Make a pool, and the MachineConfig that is rendered for it, which is returned."""
    (document,) = frame.documents("pool", role=role)
    if role == "master":
        document["metadata"]["labels"][_REQUIRED] = ""
    pool = frame.create(document)
    rendered = frame.create(configs.rendered(frame.release, pool, own, _operating_system(frame)))
    name = rendered["metadata"]["name"]
    configuration = {"name": name, "source": configs.references(own)}
    pool["spec"]["configuration"] = configuration
    pool = frame.store.update(context.POOLS, pool)

    kind = "MachineConfig " if frame.release.names_the_kind else ""
    count = sum(_pool_of(roles) == role for roles in frame.roles.values())
    pool["status"]["conditions"] += [
        condition("Updated", "True", message=f"All nodes are updated with {kind}{name}"),
        condition("Updating", "False"),
    ]
    pool["status"] |= dict.fromkeys(("machineCount", "updatedMachineCount", "readyMachineCount"), count)
    pool["status"] |= dict.fromkeys(("unavailableMachineCount", "degradedMachineCount"), 0)
    pool["status"] |= {
        "configuration": configuration,
        "observedGeneration": pool["metadata"]["generation"],
    }
    frame.store.update_status(context.POOLS, pool)
    return rendered


def _pool_of(roles: tuple[str, ...]) -> str:
    return "master" if "master" in roles else "worker"


def _nodes(frame: Frame, rendered: dict[str, dict], controller_config: str) -> None:
    """Make the nodes and their disks; `controller_config` is the revision of which the disks hold the CAs."""
    programs = nodefs.busybox(frame.settings.directory / "programs")
    curl = nodefs.curl(frame.settings.directory / "programs")
    disks = {role: _Disk(frame, config) for role, config in rendered.items()}
    known = list(frame.content.components.values())[:50]  # a kubelet reports no more images
    images = [{"names": [image], "sizeBytes": 300_000_000} for image in known]
    for index, (name, roles) in enumerate(frame.roles.items()):
        pool = _pool_of(roles)
        node = _node(frame, name, index, roles, rendered[pool]["metadata"]["name"])
        node["status"]["images"] = images
        if frame.release.controller_config_carries_cas:
            node["metadata"]["annotations"][context.SYNCED_CONTROLLER_CONFIG] = controller_config
        frame.create(node)
        disk = nodefs.prepare(
            frame.settings.node(name),
            programs,
            more=curl,
            os_release=_os_release(frame),
            hostname=name,
            trust_bundle=disks[pool].trust_bundle,
        )
        disks[pool].write(disk)


def _node(frame: Frame, name: str, index: int, roles: tuple[str, ...], config: str) -> dict:
    (node,) = frame.documents(
        "node",
        name=name,
        config=config,
        control_plane_topology=frame.topology,
        address=f"192.168.{16 + index // 250}.{1 + index % 250}",
        pod_network=f"10.{128 + index // 256}.{index % 256}.0/24",
        boot_id=identity(f"boot {name}"),
        machine_id=identity(f"machine {name}").replace("-", ""),
        system_uuid=identity(f"system {name}"),
        runtime_version=f"1.{frame.release.minor + 13}.0",
        kubernetes_version=kubernetes_version(frame.settings.version),
        os_version=_os_version(frame),
    )
    labels, annotations = node["metadata"]["labels"], node["metadata"]["annotations"]
    labels |= {_ROLE + role: "" for role in roles}
    if "master" in roles:
        labels[f"{_ROLE}control-plane"] = ""
    if roles == ("master",):
        node["spec"]["taints"] = [{"effect": "NoSchedule", "key": f"{_ROLE}master"}]
    if not frame.release.daemon_drains:
        annotations[context.DESIRED_DRAIN] = annotations[context.LAST_APPLIED_DRAIN] = f"uncordon-{config}"
    return node


def _os_version(frame: Frame) -> str:
    return f"{frame.settings.version.replace('.', '')}.94.202406251923-0"


def _os_release(frame: Frame) -> str:
    fields = {
        "NAME": "Red Hat Enterprise Linux CoreOS",
        "ID": "rhcos",
        "ID_LIKE": "rhel fedora",
        "VERSION": _os_version(frame),
        "VERSION_ID": frame.settings.version,
        "VARIANT": "CoreOS",
        "OPENSHIFT_VERSION": frame.settings.version,
    }
    return "".join(f'{key}="{value}"\n' for key, value in fields.items())


class _Disk:
    """What the nodes of a pool have on their disks, decoded once for all of them."""

    def __init__(self, frame: Frame, config: dict) -> None:
        files = configs.files_of(config)
        self._files = [(path, configs.content(file), file["mode"]) for path, file in files.items()]
        self._current = json.dumps(config).encode()
        keys = frame.store.get("configmaps", certs.REGISTRY_CERTIFICATES, certs.REGISTRY_NAMESPACE)["data"]
        self._cas = {key.replace("..", ":"): text.encode() for key, text in keys.items()}
        self.trust_bundle = frame.upstream.ca.read_bytes()

    def write(self, disk: NodeFiles) -> None:
        for path, data, mode in self._files:
            disk.write(path, data, mode)
        for host, certificate in self._cas.items():
            disk.write(f"{CERTIFICATES}/{host}/ca.crt", certificate)
        disk.write(CURRENT_CONFIG, self._current)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
