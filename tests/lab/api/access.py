# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may do what: bearer tokens, and the role-based rules that are stored in the cluster itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .errors import Refusal, unauthorized
from .store import Store

AUTHENTICATED = "system:authenticated"
MASTERS = "system:masters"
_RBAC = "rbac.authorization.k8s.io"
_BINDINGS, _CLUSTER_BINDINGS = f"rolebindings.{_RBAC}", f"clusterrolebindings.{_RBAC}"
_ROLES, _CLUSTER_ROLES = f"roles.{_RBAC}", f"clusterroles.{_RBAC}"
_OF_A_PROJECT = ("", "apps", "batch", "policy", _RBAC, "image.openshift.io", "apps.openshift.io", "build.openshift.io")
_FOR_ANYONE = ("/version", "/healthz", "/livez", "/readyz", "/.well-known")
_FOR_AUTHENTICATED = ("/api", "/openapi")


@dataclass(frozen=True)
class User:
    """Someone a token stands for."""

    name: str
    groups: tuple[str, ...] = ()


ADMIN = User("kube:admin", ("system:cluster-admins", AUTHENTICATED))
VIEWER = User("viewer", (AUTHENTICATED,))
NOBODY = User("nobody", (AUTHENTICATED,))
ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


@dataclass(frozen=True)
class Action:
    """What a request wants to do, in the words of RBAC; for a path that is no resource only verb and path."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def target(self) -> str:
        """The resource as rules name it: "pods" or "pods/exec"."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def seed_roles(store: Store) -> None:
    """The roles of every cluster that the lab's users need.

    All rights; reading without secrets or nodes' logs; what the administrator of a project may do in it.
    """
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    anywhere = {"verbs": ["*"], "nonResourceURLs": ["*"]}
    readable = [
        {"verbs": ["get", "list", "watch"], "apiGroups": [group], "resources": plurals}
        for group, plurals in _readable(store).items()
    ]
    logs = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods/log"]}
    inside = [{"verbs": ["*"], "apiGroups": list(_OF_A_PROJECT), "resources": ["*"]}]
    roles = {"cluster-admin": [everything, anywhere], "cluster-reader": [*readable, logs], "admin": inside}
    for name, rules in roles.items():
        store.create(_CLUSTER_ROLES, {"metadata": {"name": name}, "rules": rules})
    bind(store, "cluster-admins", "cluster-admin", "Group", "system:cluster-admins")
    bind(store, "cluster-readers", "cluster-reader", "User", VIEWER.name)


def _readable(store: Store) -> dict[str, list[str]]:
    plurals: dict[str, list[str]] = {}
    for resource in store.table:
        if "list" in resource.verbs and resource.key != "secrets":
            status = [f"{resource.plural}/status"] if resource.has_status else []
            plurals.setdefault(resource.group, []).extend([resource.plural, *status])
    return plurals


def bind(store: Store, name: str, role: str, kind: str, subject: str, namespace: str = "") -> None:
    """Bind a cluster role to a user or group, in a namespace or for the whole cluster."""
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    store.create(
        _BINDINGS if namespace else _CLUSTER_BINDINGS,
        {
            "metadata": metadata,
            "subjects": [{"kind": kind, "apiGroup": _RBAC, "name": subject}],
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        },
    )


def authenticate(tokens: Mapping[str, User], authorization: str | None) -> User:
    """The user of an Authorization header; 401 for a token that is nobody's."""
    if not authorization:
        return ANONYMOUS
    scheme, _blank, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or token.strip() not in tokens:
        raise unauthorized()
    return tokens[token.strip()]


def allowed(store: Store, user: User, action: Action) -> bool:
    """Whether some rule bound to the user, or to one of the user's groups, allows the action."""
    if MASTERS in user.groups:
        return True
    if action.path:
        if action.path.startswith(_FOR_ANYONE):
            return True
        if AUTHENTICATED in user.groups and action.path.startswith(_FOR_AUTHENTICATED):
            return True
    elif action.resource.startswith("selfsubject") and AUTHENTICATED in user.groups:
        return True
    elif action.resource in ("users", "projects") and (action.name or "~") == "~" and AUTHENTICATED in user.groups:
        return True  # basic-user: oneself, and the list of one's own projects
    elif action.resource == "projectrequests" and action.verb == "list" and AUTHENTICATED in user.groups:
        return True  # basic-user: whether one may request a project
    return any(_covers(rule, action) for rule in rules_for(store, user, action.namespace))


def rules_for(store: Store, user: User, namespace: str) -> Iterator[dict]:
    """The policy rules that hold for a user in a namespace ("": only those for the whole cluster)."""
    for item in store.items(_CLUSTER_BINDINGS):
        if _names(item.object, user):
            yield from _role_rules(store, item.object["roleRef"], "")
    if namespace:
        for item in store.items(_BINDINGS, namespace):
            if _names(item.object, user):
                yield from _role_rules(store, item.object["roleRef"], namespace)


def _names(binding: dict, user: User) -> bool:
    for subject in binding.get("subjects") or []:
        if subject["kind"] == "ServiceAccount":
            if user.name == f"system:serviceaccount:{subject.get('namespace')}:{subject['name']}":
                return True
        elif subject["name"] in ((user.name,) if subject["kind"] == "User" else user.groups):
            return True
    return False


def _role_rules(store: Store, reference: dict, namespace: str) -> list[dict]:
    if reference["kind"] == "Role":
        role = store.item(_ROLES, reference["name"], namespace)
    else:
        role = store.item(_CLUSTER_ROLES, reference["name"])
    return (role.object.get("rules") or []) if role else []


def _covers(rule: dict, action: Action) -> bool:
    if not {"*", action.verb} & set(rule["verbs"]):
        return False
    if action.path:
        return any(_path_matches(pattern, action.path) for pattern in rule.get("nonResourceURLs", ()))
    names = rule.get("resourceNames")
    targets = {"*", action.target, f"*/{action.subresource}" if action.subresource else action.target}
    return (
        bool({"*", action.group} & set(rule.get("apiGroups", ())))
        and bool(targets & set(rule.get("resources", ())))
        and (not names or action.name in names)
    )


def _path_matches(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def forbidden(user: User, action: Action) -> Refusal:
    """The 403 that names user, verb, resource and place."""
    if action.path:
        message = f'forbidden: User "{user.name}" cannot {action.verb} path "{action.path}"'
        return Refusal(403, "Forbidden", message, {})
    qualified = f"{action.resource}.{action.group}" if action.group else action.resource
    named = f'{qualified} "{action.name}"' if action.name else qualified
    where = f'in the namespace "{action.namespace}"' if action.namespace else "at the cluster scope"
    message = (
        f'{named} is forbidden: User "{user.name}" cannot {action.verb} resource "{action.target}" '
        f'in API group "{action.group}" {where}'
    )
    details = {"name": action.name, "group": action.group, "kind": action.resource}
    return Refusal(403, "Forbidden", message, {key: value for key, value in details.items() if value})


# Reviews: the same questions, put by a client


def review(store: Store, tokens: Mapping[str, User], user: User, kind: str, obj: dict) -> dict:
    """The answer to a review: the object with its status."""
    spec = obj.get("spec") or {}
    if kind == "SelfSubjectAccessReview":
        return {**obj, "status": {"allowed": allowed(store, user, _action(spec))}}
    if kind == "SubjectAccessReview":
        subject = User(spec.get("user", ""), tuple(spec.get("groups", ())))
        return {**obj, "status": {"allowed": allowed(store, subject, _action(spec))}}
    if kind == "SelfSubjectReview":
        return {**obj, "status": {"userInfo": {"username": user.name, "groups": list(user.groups)}}}
    if kind == "TokenReview":
        found = tokens.get(spec.get("token", ""))
        status = {"authenticated": bool(found)}
        if found:
            status["user"] = {"username": found.name, "groups": list(found.groups)}
        return {**obj, "status": status}
    rules = list(rules_for(store, user, spec.get("namespace", "")))
    return {
        **obj,
        "status": {
            "resourceRules": [rule for rule in rules if "resources" in rule],
            "nonResourceRules": [rule for rule in rules if "nonResourceURLs" in rule],
            "incomplete": False,
        },
    }


def _action(spec: dict) -> Action:
    if asked := spec.get("nonResourceAttributes"):
        return Action(asked.get("verb", ""), path=asked.get("path", ""))
    asked = spec.get("resourceAttributes") or {}
    return Action(
        asked.get("verb", ""),
        asked.get("group", ""),
        asked.get("resource", ""),
        asked.get("subresource", ""),
        asked.get("namespace", ""),
        asked.get("name", ""),
    )
