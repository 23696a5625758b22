# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of a cluster from which its nodes' image configuration follows, read in a handful of requests."""
from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from . import connections, dockerconfigjson, errors

CONFIG = "config.openshift.io/v1"
MACHINE_CONFIG = "machineconfiguration.openshift.io/v1"
MCO_NAMESPACE = "openshift-machine-config-operator"
# Annotations: the keys of the pull secret whose entries are ours; the fingerprints, by the config map's key, of the
# certificates that are.
OUR_ENTRIES = "disconnected.openshift/registries"
OUR_CERTIFICATES = "disconnected.openshift/trusted-certificates"
MIRROR_KINDS = (
    ("operator.openshift.io/v1alpha1", "ImageContentSourcePolicy"),
    (CONFIG, "ImageDigestMirrorSet"),
    (CONFIG, "ImageTagMirrorSet"),
)


@dataclass(frozen=True)
class Inputs:
    """What a cluster's own objects ask of its nodes.

    `pull_secret`: the document of openshift-config/pull-secret. `mirror_sets`: the ICSP, IDMS and ITMS objects.
    `configs`: image.config.openshift.io/cluster and, where that says something of registries, the ClusterVersion.
    `trusted_cas`: {registry "host[:port]": PEM text} of the image config's additionalTrustedCA, whose ConfigMap is named
    by `trusted_ca_name`; None when that ConfigMap does not exist. `our_entries` and `our_cas`: the registries whose
    credentials and CAs this collection brought.
    """

    version: str
    pull_secret: dict
    mirror_sets: tuple
    configs: tuple
    trusted_ca_name: str
    trusted_cas: dict
    our_entries: frozenset = frozenset()
    our_cas: frozenset = frozenset()


def read(cluster):
    """The Inputs of a Cluster. Raises Forbidden where a read is denied, InvalidInput for a broken pull secret."""
    image = cluster.get(CONFIG, "Image", "cluster")
    spec = (image or {}).get("spec", {})
    # Whether a blocked or allowed registry counts depends on where the release's own images lie.
    release = cluster.get(CONFIG, "ClusterVersion", "version") if spec.get("registrySources") else None
    configs = tuple(config for config in (image, release) if config)
    trusted_ca_name = (spec.get("additionalTrustedCA") or {}).get("name", "")
    pull_secret, our_entries = _pull_secret(cluster)
    trusted_cas, our_cas = _trusted_cas(cluster, trusted_ca_name)
    return Inputs(cluster.version, pull_secret, mirror_sets(cluster), configs, trusted_ca_name, trusted_cas, our_entries,
                  our_cas)


def mirror_sets(cluster):
    """All ICSP, IDMS and ITMS objects, of the kinds that this cluster serves."""
    return tuple(obj for api_version, kind in MIRROR_KINDS if cluster.serves(api_version, kind)
                 for obj in cluster.list(api_version, kind))


def signature_policies(cluster):
    """The ClusterImagePolicies and ImagePolicies, which demand Sigstore signatures of the images in their scopes."""
    kinds = ("ClusterImagePolicy", "ImagePolicy") if cluster.minor >= (4, 20) else ()
    return tuple(obj for kind in kinds if cluster.serves(CONFIG, kind) for obj in cluster.list(CONFIG, kind))


def proxy(cluster):
    """The cluster's proxy configuration; {} without any."""
    return cluster.serves(CONFIG, "Proxy") and cluster.get(CONFIG, "Proxy", "cluster") or {}


def proxied(cluster, registries):
    """[a sentence] on those of the registries, "host[:port]", that the nodes ask through the cluster's proxy."""
    status = proxy(cluster).get("status") or {} if registries else {}
    asked = []
    for registry in sorted(registries) if status.get("httpsProxy") else ():
        place = connections.endpoint("https://" + registry)
        if not connections.bypasses_proxy(place.host, place.port, status.get("noProxy") or ""):
            asked.append(registry)
    return ["The nodes ask %s through the cluster's proxy. If that goes with the internet, they can pull nothing: before the cut "
            "name it in spec.noProxy of proxy.config.openshift.io/cluster, which restarts every node, one of each pool after "
            "the other." % ", ".join(asked)] if asked else []


def _pull_secret(cluster):
    secret = cluster.get("v1", "Secret", "pull-secret", "openshift-config")
    if secret is None:
        raise errors.NotFound("The cluster has no global pull secret openshift-config/pull-secret.")
    try:
        text = base64.b64decode(secret["data"][".dockerconfigjson"]).decode("utf-8")
    except (KeyError, TypeError, ValueError):
        raise errors.InvalidInput("Secret openshift-config/pull-secret has no readable .dockerconfigjson.") from None
    return dockerconfigjson.parse(text), _recorded(secret, OUR_ENTRIES)


def _trusted_cas(cluster, name):
    """({registry: PEM} of the named ConfigMap, None when there is no such one; the registries that are ours)."""
    config_map = cluster.get("v1", "ConfigMap", name, "openshift-config") if name else {"metadata": {}}
    if config_map is None:
        return None, frozenset()
    cas = {registry_of_key(key): text for key, text in (config_map.get("data") or {}).items()}
    return cas, frozenset(map(registry_of_key, _recorded(config_map, OUR_CERTIFICATES)))


def _recorded(obj, annotation):
    """The names in a record of ours, none where it was edited by hand."""
    try:
        return frozenset(json.loads((obj["metadata"].get("annotations") or {}).get(annotation, "[]")))
    except (ValueError, TypeError):
        return frozenset()


def registry_of_key(key):
    """"host:port" of a ConfigMap's key "host..port", which may not hold a colon."""
    host, dots, port = key.rpartition("..")
    return "%s:%s" % (host, port) if dots else key


def external_control_plane(cluster):
    """Is this a hosted control plane, whose nodes have no machine-config pools?"""
    return _topology(cluster) == "External"


def single_node(cluster):
    """Is this a single-node cluster? Its daemon never drains."""
    return _topology(cluster) == "SingleReplica"


def _topology(cluster):
    infrastructure = cluster.get(CONFIG, "Infrastructure", "cluster") or {}
    return infrastructure.get("status", {}).get("controlPlaneTopology", "")
