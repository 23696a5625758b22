# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds that a cluster serves, by its version: one row a resource."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

EVERY_VERB = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
ONLY_CREATE = ("create",)
FIRST_SERVED = (4, 8)
LAST_SERVED = (4, 21)


@dataclass(frozen=True)
class Resource:
    """One resource of the API: how it is addressed and which rules its objects live under."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = False
    short_names: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = EVERY_VERB
    generation: bool = False  # metadata.generation counts the changes of what is wished
    custom: bool = False  # defined by a CustomResourceDefinition: no strategic merge, strict shape
    since: tuple[int, int] = FIRST_SERVED

    @property
    def key(self) -> str:
        """The name in messages and in the store: "pods", "imagedigestmirrorsets.config.openshift.io"."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def has_status(self) -> bool:
        """Whether status is written apart from the rest, through its own path."""
        return "status" in self.subresources


def _plural(kind: str) -> str:
    name = kind.lower()
    if name.endswith(("s", "x")):
        return name + "es"
    if name.endswith("y"):
        return name[:-1] + "ies"
    return name + "s"


def _native(
    group_version: str, kind: str, plural: str = "", *, short: str = "", subresources: str = "", **rules
) -> Resource:
    """A namespaced resource that the API server itself defines."""
    group, _slash, version = group_version.rpartition("/")
    rules.setdefault("namespaced", True)
    return Resource(
        group,
        version,
        plural or _plural(kind),
        kind,
        short_names=tuple(short.split()),
        subresources=tuple(subresources.split()),
        **rules,
    )


def _custom(group_version: str, kind: str, plural: str = "", *, subresources: str = "status", **rules) -> Resource:
    """A cluster-wide resource that a CustomResourceDefinition defines."""
    rules.setdefault("namespaced", False)
    return _native(group_version, kind, plural, subresources=subresources, generation=True, custom=True, **rules)


def _review(group_version: str, kind: str, **rules) -> Resource:
    """A question put as a create: answered, never stored."""
    return _native(group_version, kind, namespaced=False, verbs=ONLY_CREATE, **rules)


_ALL = ("all",)
_AUTHORIZATION = "authorization.k8s.io/v1"
_AUTHENTICATION = "authentication.k8s.io/v1"
_RBAC = "rbac.authorization.k8s.io/v1"
_CONFIG = "config.openshift.io/v1"
_MACHINE_CONFIG = "machineconfiguration.openshift.io/v1"
_OPERATORS = "operators.coreos.com/v1alpha1"

_RESOURCES = (
    _native("v1", "ConfigMap", short="cm"),
    _native("v1", "Endpoints", "endpoints", short="ep"),
    _native("v1", "Event", short="ev"),
    _native("v1", "Namespace", short="ns", subresources="status", namespaced=False),
    _native("v1", "Node", short="no", subresources="status proxy", namespaced=False),
    _native("v1", "PersistentVolumeClaim", short="pvc", subresources="status"),
    _native("v1", "Pod", short="po", subresources="status exec log eviction", categories=_ALL),
    _native("v1", "ReplicationController", short="rc", subresources="status scale", categories=_ALL, generation=True),
    _native("v1", "Secret"),
    _native("v1", "Service", short="svc", subresources="status", categories=_ALL),
    _native("v1", "ServiceAccount", short="sa", subresources="token"),
    _native("apps/v1", "ControllerRevision"),
    _native("apps/v1", "DaemonSet", short="ds", subresources="status", categories=_ALL, generation=True),
    _native("apps/v1", "Deployment", short="deploy", subresources="status scale", categories=_ALL, generation=True),
    _native("apps/v1", "ReplicaSet", short="rs", subresources="status scale", categories=_ALL, generation=True),
    _native("apps/v1", "StatefulSet", short="sts", subresources="status scale", categories=_ALL, generation=True),
    _native("batch/v1", "CronJob", short="cj", subresources="status", categories=_ALL, generation=True),
    _native("batch/v1", "Job", subresources="status", categories=_ALL, generation=True),
    _native("policy/v1", "PodDisruptionBudget", short="pdb", subresources="status", generation=True),
    _native("coordination.k8s.io/v1", "Lease"),
    _native("scheduling.k8s.io/v1", "PriorityClass", short="pc", namespaced=False, generation=True),
    _native(_RBAC, "ClusterRole", namespaced=False),
    _native(_RBAC, "ClusterRoleBinding", namespaced=False),
    _native(_RBAC, "Role"),
    _native(_RBAC, "RoleBinding"),
    _review(_AUTHORIZATION, "SelfSubjectAccessReview"),
    _review(_AUTHORIZATION, "SelfSubjectRulesReview"),
    _review(_AUTHORIZATION, "SubjectAccessReview"),
    _review(_AUTHENTICATION, "TokenReview"),
    _review(_AUTHENTICATION, "SelfSubjectReview", since=(4, 15)),
    _native(
        "image.openshift.io/v1", "ImageStream", short="is", subresources="status", categories=_ALL, generation=True
    ),
    _native(
        "apps.openshift.io/v1", "DeploymentConfig", short="dc", subresources="status", categories=_ALL, generation=True
    ),
    _native("build.openshift.io/v1", "BuildConfig", short="bc", categories=_ALL),
    _native("user.openshift.io/v1", "User", namespaced=False),
    _native("project.openshift.io/v1", "Project", namespaced=False, verbs=("delete", "get", "list", "watch")),
    _native("project.openshift.io/v1", "ProjectRequest", namespaced=False, verbs=("create", "list")),
    _custom(_CONFIG, "ClusterImagePolicy", since=(4, 20)),
    _custom(_CONFIG, "ClusterOperator", short="co"),
    _custom(_CONFIG, "ClusterVersion"),
    _custom(_CONFIG, "FeatureGate"),
    _custom(_CONFIG, "Image"),
    _custom(_CONFIG, "ImageDigestMirrorSet", short="idms", since=(4, 13)),
    _custom(_CONFIG, "ImageTagMirrorSet", short="itms", since=(4, 13)),
    _custom(_CONFIG, "Infrastructure"),
    _custom(_CONFIG, "OperatorHub"),
    _custom(_CONFIG, "Proxy"),
    _custom("operator.openshift.io/v1alpha1", "ImageContentSourcePolicy"),
    _custom("operator.openshift.io/v1", "MachineConfiguration", since=(4, 17)),
    _custom("imageregistry.operator.openshift.io/v1", "Config"),
    _custom("samples.operator.openshift.io/v1", "Config"),
    _custom(_MACHINE_CONFIG, "ControllerConfig"),
    _custom(_MACHINE_CONFIG, "MachineConfig", short="mc", subresources=""),
    _custom(_MACHINE_CONFIG, "MachineConfigPool", short="mcp"),
    _custom(_OPERATORS, "CatalogSource", short="catsrc", namespaced=True, categories=("olm",)),
    _custom(_OPERATORS, "ClusterServiceVersion", short="csv csvs", namespaced=True, categories=("olm",)),
    _custom(_OPERATORS, "InstallPlan", short="ip", namespaced=True, categories=("olm",)),
    _custom(_OPERATORS, "Subscription", short="sub subs", namespaced=True, categories=("olm",)),
    _custom("operators.coreos.com/v1", "OperatorGroup", short="og", namespaced=True, categories=("olm",)),
    _custom("olm.operatorframework.io/v1", "ClusterCatalog", since=(4, 18)),
)


def parse_version(version: str) -> tuple[int, int]:
    """ "4.16" or "4.16.30" as (4, 16). Raises ValueError for a version the lab cannot pretend to be."""
    major, minor = (int(part) for part in version.split(".")[:2])
    if not FIRST_SERVED <= (major, minor) <= LAST_SERVED:
        raise ValueError(f"the lab can pretend OpenShift 4.8 to 4.21, not {version}")
    return major, minor


def kubernetes_version(version: str) -> str:
    """The Kubernetes release inside an OpenShift release: 4.16 is 1.29, and so on, one by one."""
    return f"v1.{parse_version(version)[1] + 13}.14"


class Table:
    """The resources that one version serves, found by key or by path."""

    def __init__(self, version: str) -> None:
        minor = parse_version(version)
        self.version = version
        self._by_key = {resource.key: resource for resource in _RESOURCES if resource.since <= minor}
        self._by_path = {(r.group, r.version, r.plural): r for r in self._by_key.values()}

    def __iter__(self) -> Iterable[Resource]:
        return iter(self._by_key.values())

    def __contains__(self, key: str) -> bool:
        return key in self._by_key

    def __getitem__(self, key: str) -> Resource:
        """The resource of that key; raises KeyError with a sentence where this version lacks it."""
        try:
            return self._by_key[key]
        except KeyError:
            raise KeyError(f"OpenShift {self.version} does not serve {key}") from None

    def at(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource behind a path, or None."""
        return self._by_path.get((group, version, plural))

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        return next((r for r in self if r.kind == kind and r.api_version == api_version), None)
