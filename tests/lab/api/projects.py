# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Projects: namespaces seen through OpenShift's own API, and the request for a new one."""

from __future__ import annotations

from . import access, admission, bodies, schema, shapes, writes
from .access import Action, User
from .errors import Refusal
from .resources import Resource
from .routes import Call
from .store import Item, Store
from .writes import Intent

PROJECTS, REQUESTS = "projects.project.openshift.io", "projectrequests.project.openshift.io"
_GROUP = "project.openshift.io"
_RESERVED = ("openshift", "kubernetes", "kube")


def seen(item: Item) -> Item:
    """A namespace as a project."""
    return Item({**item.object, "kind": "Project", "apiVersion": f"{_GROUP}/v1"})


def may_request(store: Store, user: User) -> dict:
    """The Status that a list of project requests is; 403 for a user who may not request one."""
    if not access.allowed(store, user, Action("create", _GROUP, "projectrequests")):
        details = {"group": _GROUP, "kind": "projectrequest"}
        raise Refusal(403, "Forbidden", "You may not request a new project via this API.", details)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}


def request(store: Store, resource: Resource, body: object, intent: Intent, user: User) -> dict:
    """A new project of the default template: a namespace, and a RoleBinding that makes its requester administrator."""
    wish = bodies.fit(body, resource, "")
    schema.prune(shapes.of(resource), wish, keep_nulls=False)
    admission.validate(resource, wish)
    name = wish["metadata"]["name"]
    _check_name(store, name)
    annotations = {
        "openshift.io/description": wish.get("description", ""),
        "openshift.io/display-name": wish.get("displayName", ""),
        "openshift.io/requester": user.name,
    }
    namespace = {"metadata": {"name": name, "annotations": annotations}}
    made = writes.create(store, Call("create", store.table["namespaces"]), namespace, intent)
    if intent.dry_run:
        return seen(Item(made)).object
    access.bind(store, "admin", "admin", "User", user.name, name)
    return seen(store.item("namespaces", name)).object


def _check_name(store: Store, name: str) -> None:
    """Refuse a name that is the system's own, or taken; "project" is what the real server calls the resource here."""
    refused = [f'cannot request a project with the name "{word}"' for word in _RESERVED if name == word]
    first, dash, _rest = name.partition("-")
    refused += [f'cannot request a project starting with "{word}-"' for word in _RESERVED if dash and first == word]
    details = {"name": name, "group": _GROUP, "kind": "project"}
    if refused:
        raise Refusal(403, "Forbidden", f'project.{_GROUP} "{name}" is forbidden: {refused[0]}', details)
    if store.item("namespaces", name):
        raise Refusal(409, "AlreadyExists", f'project.{_GROUP} "{name}" already exists', details)


def delete(store: Store, call: Call, options: dict, intent: Intent) -> dict:
    """DELETE of a project: its namespace goes, and the answer is a Status that names nothing."""
    writes.delete(store, Call("delete", store.table["namespaces"], call.name, call.name), options, intent)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
