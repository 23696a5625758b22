# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that tell others of a running lab: kubeconfigs, lab.json, vars.yml, and the host that mirrors."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from .content import Content
from .settings import Endpoint, Settings
from .tls import write_private

ANCHORS = "usr/local/share/ca-certificates"


@dataclass(frozen=True)
class Api:
    """The API server: its address, the file with its CA, and the tokens of the administrator and of a reader."""

    url: str
    ca: Path
    token: str
    viewer_token: str


def write(
    settings: Settings, api: Api, upstream: Endpoint, mirror: Endpoint, content: Content, nodes: list[str]
) -> None:
    """Write all of them; lab.json comes last, so that who finds it finds the others."""
    write_private(settings.kubeconfig, kubeconfig(api, "admin", api.token))
    write_private(settings.kubeconfig_viewer, kubeconfig(api, "viewer", api.viewer_token))
    furnish_mirror_host(settings.mirror_host, upstream)
    write_private(settings.variables, variables(settings, upstream, mirror, content))
    write_private(settings.description, description(settings, api, upstream, mirror, content, nodes))


def read(directory: Path) -> dict[str, Endpoint]:
    """The upstream registry and the mirror of the lab whose state directory this is."""
    lab = json.loads((directory / "lab.json").read_text(encoding="utf-8"))
    return {
        name: Endpoint(
            told["registry"],
            Path(told["ca"]),
            told["username"],
            told["password"],
            told.get("pull_username", told["username"]),
            told.get("pull_password", told["password"]),
        )
        for name, told in ((name, lab[name]) for name in ("upstream", "mirror"))
    }


def kubeconfig(api: Api, user: str, token: str) -> str:
    authority = base64.b64encode(api.ca.read_bytes()).decode()
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": {"server": api.url, "certificate-authority-data": authority}}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": user, "namespace": "default"}}],
            "current-context": "lab",
        }
    )


def description(
    settings: Settings, api: Api, upstream: Endpoint, mirror: Endpoint, content: Content, nodes: list[str]
) -> str:
    """lab.json: addresses, credentials, and what the upstream registry holds."""
    return json.dumps(
        {
            "version": settings.version,
            "release_version": settings.release_version,
            "nodes": nodes,
            "speed": settings.speed,
            "kubeconfig": str(settings.kubeconfig),
            "kubeconfig_viewer": str(settings.kubeconfig_viewer),
            "api": {"url": api.url, "ca": str(api.ca), "token": api.token, "viewer_token": api.viewer_token},
            "upstream": _endpoint(upstream),
            "mirror": {
                **_endpoint(mirror),
                "pull_username": mirror.pull_username,
                "pull_password": mirror.pull_password,
            },
            "release_image": content.release_image,
            "release_tag": content.release_tag,
            "components": content.components,
            "catalogs": content.file_based_catalogs,
            "sqlite_catalogs": list(content.sqlite_catalogs),
            "operands": [image for operator in content.operators for image in operator.images.values()],
            "images": list(content.images),
            "control": str(settings.control),
        },
        indent=2,
    )


def variables(settings: Settings, upstream: Endpoint, mirror: Endpoint, content: Content) -> str:
    """vars.yml: what a user of the playbooks would say of the lab, and that this machine plays the mirror host."""
    host = settings.mirror_host
    return yaml.safe_dump(
        {
            "disconnected_mirror_registry": mirror.registry,
            "disconnected_mirror_ca": str(mirror.ca),
            "disconnected_mirror_username": mirror.username,
            "disconnected_mirror_password": mirror.password,
            "disconnected_pull_username": mirror.pull_username,
            "disconnected_pull_password": mirror.pull_password,
            "disconnected_catalogs": list(content.catalogs[:1]),  # Red Hat's; before 4.11 it is a database
            "disconnected_images": list(content.images),
            "disconnected_release_repository": "ocp/release",
            "mirror_signature_stores": [],
            "disconnected_exceptions": [
                {"prefix": image, "reason": "Nothing is installed from this catalog any more."}
                for image in content.sqlite_catalogs
            ],
            "disconnected_auth_file": str(host / "auth.json"),
            # A real mirror host has the CA of public registries in its system's store.
            "mirror_ca_files": [str(mirror.ca), str(upstream.ca)],
            "ca_trust_become": False,
            "ca_trust_anchors_dir": str(host / ANCHORS),
            "ca_trust_update_command": update_command(host),
            "ca_trust_bundle": str(host / "etc/ssl/certs/ca-certificates.crt"),
        },
        sort_keys=False,
    )


def update_command(host: Path) -> list[str]:
    """Debian's update-ca-certificates, kept away from everything that is this machine's own."""
    options = {
        "--certsconf": "etc/ca-certificates.conf",
        "--certsdir": "usr/share/ca-certificates",
        "--localcertsdir": ANCHORS,
        "--etccertsdir": "etc/ssl/certs",
        "--hooksdir": "etc/ca-certificates/update.d",
    }
    words = [word for option, path in options.items() for word in (option, str(host / path))]
    return ["/usr/sbin/update-ca-certificates", *words]


def furnish_mirror_host(host: Path, upstream: Endpoint) -> None:
    """Give the mirror host a trust store of its own, in which the public CA is."""
    for directory in ("etc/ssl/certs", "etc/ca-certificates/update.d", "usr/share/ca-certificates/public", ANCHORS):
        (host / directory).mkdir(parents=True)
    (host / "usr/share/ca-certificates/public/ca.crt").write_bytes(upstream.ca.read_bytes())
    (host / "etc/ca-certificates.conf").write_text("public/ca.crt\n", encoding="utf-8")


def _endpoint(endpoint: Endpoint) -> dict:
    return {
        "registry": endpoint.registry,
        "url": endpoint.url,
        "ca": str(endpoint.ca),
        "username": endpoint.username,
        "password": endpoint.password,
    }
