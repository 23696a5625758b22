# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MachineConfigs: Ignition inside them, the ones that every role starts with, and how a pool's are merged and named."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import urllib.parse
from collections.abc import Sequence

from . import render
from .releases import Release

RESOURCE = "machineconfigs.machineconfiguration.openshift.io"
GROUP = "machineconfiguration.openshift.io"
ROLE_LABEL = f"{GROUP}/role"
CONTROLLER_VERSION = f"{GROUP}/generated-by-controller-version"
RELEASE_VERSION = f"{GROUP}/release-image-version"

REGISTRIES_CONF = "/etc/containers/registries.conf"
SEARCH_REGISTRIES_CONF = "/etc/containers/registries.conf.d/01-image-searchRegistries.conf"
POLICY_JSON = "/etc/containers/policy.json"
PULL_SECRET = "/var/lib/kubelet/config.json"
USER_CA_BUNDLE = "/etc/pki/ca-trust/source/anchors/openshift-config-user-ca-bundle.crt"

_SALT = b"a lab's rendered configurations are named by content"
_UNRESERVED = "-_.!~*'()"


class BadConfig(Exception):
    """A MachineConfig or a pull secret that the operator cannot use; says what it would say."""


# Ignition


def template_file(path: str, text: str, mode: int = 0o644) -> dict:
    """A file as the operator's templates give it: percent-encoded, without a media type."""
    return _file(path, f"data:,{urllib.parse.quote(text, safe=_UNRESERVED)}", mode)


def generated_file(path: str, text: str, mode: int = 0o644) -> dict:
    """A file as the operator's controllers give it: base64 with a media type."""
    encoded = base64.b64encode(text.encode()).decode()
    return _file(path, f"data:text/plain;charset=utf-8;base64,{encoded}", mode) | {"overwrite": True}


def _file(path: str, source: str, mode: int) -> dict:
    return {"contents": {"compression": "", "source": source}, "mode": mode, "path": path}


def content(file: dict) -> bytes:
    """What a file holds. Raises BadConfig for a source that is not inside the configuration itself."""
    contents = file.get("contents") or {}
    source = contents.get("source") or "data:,"
    if not source.startswith("data:"):
        raise BadConfig(f"{file['path']}: unsupported source {source.partition(':')[0]}")
    header, _comma, encoded = source[5:].partition(",")
    data = urllib.parse.unquote_to_bytes(encoded)
    if header.endswith(";base64"):
        data = base64.b64decode(data)
    return gzip.decompress(data) if contents.get("compression") == "gzip" else data


def ignition(
    release: Release, files: list[dict] | None = None, units: Sequence[dict] = (), users: Sequence[dict] = ()
) -> dict:
    """An Ignition configuration; without files, storage holds null as the operator's own empty ones do."""
    config = {"ignition": {"version": release.ignition}, "storage": {"files": files or None}}
    if users:
        config["passwd"] = {"users": list(users)}
    if units:
        config["systemd"] = {"units": list(units)}
    return config


def files_of(config: dict) -> dict[str, dict]:
    """A MachineConfig's files by path."""
    storage = (config["spec"].get("config") or {}).get("storage") or {}
    return {file["path"]: file for file in storage.get("files") or ()}


def units_of(config: dict) -> dict[str, dict]:
    """A MachineConfig's systemd units by name."""
    systemd = (config["spec"].get("config") or {}).get("systemd") or {}
    return {unit["name"]: unit for unit in systemd.get("units") or ()}


def users_of(config: dict) -> list[dict]:
    passwd = (config["spec"].get("config") or {}).get("passwd") or {}
    return passwd.get("users") or []


# One role's MachineConfigs


def controller_version(release: Release) -> str:
    """The commit that the controller pretends to be built from."""
    return hashlib.sha1(f"machine-config-operator {release.version}".encode()).hexdigest()


def machine_config(release: Release, name: str, role: str, config: dict, owner: dict | None = None) -> dict:
    """A MachineConfig of the operator's own, owned by the object it was made from (by the installer, without one)."""
    metadata: dict = {"name": name, "labels": {ROLE_LABEL: role}}
    if owner:
        metadata["annotations"] = {CONTROLLER_VERSION: controller_version(release)}
        metadata["ownerReferences"] = [owner]
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "MachineConfig",
        "metadata": metadata,
        "spec": {"config": config},
    }


def owner_reference(obj: dict) -> dict:
    return {
        "apiVersion": obj["apiVersion"],
        "blockOwnerDeletion": True,
        "controller": True,
        "kind": obj["kind"],
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
    }


def from_templates(release: Release, role: str, controller_config: dict, pull_secret: str) -> list[dict]:
    """00-<role> and 01-<role>-*: what the template controller keeps in step with the ControllerConfig."""
    spec, owner = controller_config["spec"], owner_reference(controller_config)
    base = [
        template_file("/etc/kubernetes/ca.crt", _text(spec.get("rootCAData"))),
        template_file("/etc/sysctl.d/inotify.conf", "\nfs.inotify.max_user_watches = 65536\n"),
        # Mode 0600, and a line end after the document: the template's, not the secret's.
        template_file(PULL_SECRET, pull_secret + "\n", 0o600),
    ]
    if not release.controller_config_carries_cas:
        base.append(
            template_file("/etc/kubernetes/kubelet-ca.crt", _text(spec.get("kubeAPIServerServingCAData")))
        )
    if spec.get("additionalTrustBundle"):
        base.append(template_file(USER_CA_BUNDLE, _text(spec["additionalTrustBundle"])))
    runtime = [
        template_file(REGISTRIES_CONF, render.TEMPLATE_REGISTRIES_CONF),
        template_file(
            "/etc/crio/crio.conf.d/00-default", '[crio.runtime]\nlog_level = "info"\nselinux = true\n'
        ),
        template_file(POLICY_JSON, json.dumps(render.TEMPLATE_POLICY, indent=4)),
    ]
    kubelet = [template_file("/etc/kubernetes/kubelet.conf", _kubelet_conf())]
    units = [{"contents": _unit("kubelet", role), "enabled": True, "name": "kubelet.service"}]
    config = {
        f"00-{role}": ignition(release, base),
        f"01-{role}-container-runtime": ignition(release, runtime),
        f"01-{role}-kubelet": ignition(release, kubelet, units),
    }
    return [machine_config(release, name, role, value, owner) for name, value in config.items()]


def registries_name(role: str) -> str:
    return f"99-{role}-generated-registries"


def generated_registries(release: Release, role: str, owner: dict, files: dict[str, str]) -> dict:
    """The MachineConfig with what mirror objects and image.config ask for; it exists even when that is nothing."""
    listed = [generated_file(path, text) for path, text in files.items()]
    return machine_config(release, registries_name(role), role, ignition(release, listed), owner)


def from_kubelet_configs(release: Release, role: str, owner: dict) -> list[dict]:
    """97-<role>-generated-kubelet and 98-...: node and feature settings that every pool gets."""
    kubelet = [generated_file("/etc/kubernetes/kubelet.conf", _kubelet_conf())]
    return [
        machine_config(release, f"{prefix}-{role}-generated-kubelet", role, ignition(release, kubelet), owner)
        for prefix in release.generated_kubelet_prefixes
    ]


def ssh(release: Release, role: str, key: str) -> dict:
    """99-<role>-ssh, which the installer leaves behind."""
    users = [{"name": "core", "sshAuthorizedKeys": [key]}]
    return machine_config(release, f"99-{role}-ssh", role, ignition(release, users=users))


def _kubelet_conf() -> str:
    return "kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1beta1\ncgroupDriver: systemd\n"


def _unit(name: str, role: str) -> str:
    labels = f"--node-labels=node-role.kubernetes.io/{role}"
    return f"[Unit]\nDescription={name}\n\n[Service]\nExecStart=/usr/bin/{name} {labels}\n"


def _text(encoded: str | None) -> str:
    return base64.b64decode(encoded or "").decode()


# A pool's MachineConfigs


def merge(release: Release, pool: str, configs: list[dict], os_image: str) -> dict:
    """The rendered MachineConfig's spec: in the order of names, later ones win file by file.

    What a custom pool has of its own comes after what it has of the workers.
    """
    ordered = sorted(
        configs, key=lambda c: (c["metadata"]["labels"][ROLE_LABEL] != "worker", c["metadata"]["name"])
    )
    files: dict[str, dict] = {}
    units: dict[str, dict] = {}
    keys: dict[str, list[str]] = {}
    spec = {
        "baseOSExtensionsContainerImage": "",
        "fips": False,
        "kernelType": "default",
        "osImageURL": os_image,
    }
    kernel_arguments: list[str] = []
    extensions: list[str] = []
    for config in ordered:
        given = config["spec"]
        files |= {path: {"overwrite": True, **file} for path, file in files_of(config).items()}
        units |= {name: {**units.get(name, {}), **unit} for name, unit in units_of(config).items()}
        for user in users_of(config):
            keys.setdefault(user["name"], []).extend(user.get("sshAuthorizedKeys") or ())
        kernel_arguments += given.get("kernelArguments") or []
        extensions += given.get("extensions") or []
        spec["fips"] = spec["fips"] or bool(given.get("fips"))
        for field in ("kernelType", "osImageURL", "baseOSExtensionsContainerImage"):
            spec[field] = given.get(field) or spec[field]
    users = [{"name": name, "sshAuthorizedKeys": held} for name, held in keys.items()]
    spec["config"] = ignition(release, list(files.values()), list(units.values()), users)
    return spec | {"kernelArguments": kernel_arguments, "extensions": extensions}


def rendered(release: Release, pool: dict, configs: list[dict], os_image: str) -> dict:
    """A pool's rendered MachineConfig. Its name is a hash of its content: the same content has the same name."""
    spec = merge(release, pool["metadata"]["name"], configs, os_image)
    digest = hashlib.md5(_SALT + json.dumps(spec, sort_keys=True).encode()).hexdigest()
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "MachineConfig",
        "metadata": {
            "name": f"rendered-{pool['metadata']['name']}-{digest}",
            "annotations": {
                CONTROLLER_VERSION: controller_version(release),
                RELEASE_VERSION: release.version,
            },
            "ownerReferences": [owner_reference(pool)],
        },
        "spec": spec,
    }


def references(configs: list[dict]) -> list[dict]:
    """A pool's spec.configuration.source: which MachineConfigs went in, by name."""
    return [
        {"apiVersion": f"{GROUP}/v1", "kind": "MachineConfig", "name": name}
        for name in sorted(config["metadata"]["name"] for config in configs)
    ]


def compact(document: str) -> str:
    """JSON without the blanks between its tokens, all else as it was written: order, numbers, escapes.

    Raises BadConfig with the operator's sentence, which quotes the whole document.
    """
    try:
        json.loads(document)
    except ValueError as error:
        raise BadConfig(f"couldn't compact pullsecret {json.dumps(document)}: {error}") from None
    return re.sub(r'("(?:\\.|[^"\\])*")|\s+', lambda token: token[1] or "", document)
