# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the API server completes and refuses in the kinds it defines itself, and in every object's metadata."""

from __future__ import annotations

import base64
import binascii
import json
import re

from . import schema, selectors, shapes
from .gojson import json_error
from .errors import Cause, Refusal, bad_request, invalid
from .resources import Resource

MEBIBYTE = 1 << 20
_ANNOTATIONS = 256 << 10  # bytes that all of an object's annotations may have together
_OWNERS_FIELDS = {
    "apiVersion": "version must not be empty",
    "kind": "must not be empty",
    "name": "must not be empty",
    "uid": "must not be empty",
}
DOCKER_CONFIG_JSON = "kubernetes.io/dockerconfigjson"

_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_NAME_PART = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_LABEL_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_FINALIZER_RULE = "name is neither a standard finalizer name nor is it fully qualified"
_STANDARD_FINALIZERS = ("orphan", "foregroundDeletion", "kubernetes")
_SECRET_KEYS = {
    DOCKER_CONFIG_JSON: (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
_BASIC_AUTH = "kubernetes.io/basic-auth"
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    f"an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_QUALIFIED_NAME = re.compile(rf"({_SUBDOMAIN}/)?([A-Za-z0-9][-A-Za-z0-9_.]{{0,61}})?[A-Za-z0-9]")
_NAMED_AS_LABEL = ("namespaces", "services", "projectrequests.project.openshift.io")
_ANY_PATH_SEGMENT = re.compile(r"(?!\.{1,2}\Z)[^/%]+")  # what roles and users may be called
_TEMPLATES = {
    "daemonsets.apps": "spec.template",
    "deployments.apps": "spec.template",
    "replicasets.apps": "spec.template",
    "statefulsets.apps": "spec.template",
    "jobs.batch": "spec.template",
    "cronjobs.batch": "spec.jobTemplate.spec.template",
}
_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_EFFECTS = ("", "NoSchedule", "PreferNoSchedule", "NoExecute")
_HOST_PATHS = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
_QUANTITY = re.compile(r"([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)")
_POD_MAY_CHANGE = ("image", "activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")


def complete(resource: Resource, obj: dict) -> None:
    """Fill in, in place, what the server adds to a new or changed object."""
    if resource.key == "secrets":
        obj.setdefault("type", "Opaque")
        for key, text in (obj.pop("stringData", None) or {}).items():
            obj.setdefault("data", {})[key] = base64.b64encode(text.encode()).decode()
    elif resource.key == "namespaces":
        name = obj["metadata"].get("name")
        if name:
            obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name
        obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
        obj.setdefault("status", {}).setdefault("phase", "Active")
    elif resource.key == "pods":
        _complete_pod(obj)
    elif template := _template(resource, obj):
        _complete_pod_spec(template.setdefault("spec", {}))
        obj.setdefault("status", {})
        if resource.key == "deployments.apps":
            obj["spec"].setdefault("strategy", {}).setdefault("type", "RollingUpdate")
            if obj["spec"]["strategy"]["type"] == "RollingUpdate":
                obj["spec"]["strategy"].setdefault("rollingUpdate", {"maxUnavailable": "25%", "maxSurge": "25%"})
        elif resource.key == "jobs.batch":
            obj["spec"].setdefault("completionMode", "NonIndexed")
            obj["spec"].setdefault("podReplacementPolicy", "TerminatingOrFailed")
    if resource.key in ("configmaps", "secrets") and obj.get("data") == {}:
        del obj["data"]


def _pod_spec_of(resource: Resource, obj: dict) -> dict | None:
    """The pod's spec that an object holds, or None."""
    holder = obj if resource.key == "pods" else _template(resource, obj)
    return holder.get("spec") if holder else None


def _template(resource: Resource, obj: dict) -> dict | None:
    """The pod template of a workload, or None."""
    found: object = obj
    for step in _TEMPLATES.get(resource.key, "").split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def _complete_pod(pod: dict) -> None:
    spec = pod.setdefault("spec", {})
    account = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = account
    spec.setdefault("enableServiceLinks", True)
    _complete_pod_spec(spec)
    pod.setdefault("status", {}).setdefault("phase", "Pending")
    pod["status"].setdefault("qosClass", "BestEffort")


def _complete_pod_spec(spec: dict) -> None:
    spec.setdefault("securityContext", {})
    for container in spec.get("containers", []) + spec.get("initContainers", []):
        container.setdefault("resources", {})
        image = container.get("image", "")
        latest = image.endswith(":latest") or not re.search(r"[:@][^/]*\Z", image)
        container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")


def validate(resource: Resource, obj: dict, old: dict | None = None) -> None:
    """Raise Refusal 422 with everything that is wrong; `old` is what an update would replace."""
    causes = _metadata(resource, obj["metadata"])
    if resource.custom:
        causes += schema.check(resource, obj)
    else:
        causes += _native(resource, obj)
        if old is not None:
            causes += _immutable(resource, old, obj)
    if causes:
        raise invalid(resource, obj["metadata"].get("name") or obj["metadata"].get("generateName") or "", causes)


def decode_native(resource: Resource, obj: dict) -> None:
    """Raise Refusal 400 where a native object cannot be read at all: wrong types, data that is no base64."""

    def unreadable(why: str) -> Refusal:
        return bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {why}'
        )

    for path, wanted, found in schema.type_errors(shapes.of(resource), obj):
        go_type = {"object": "struct", "array": "slice", "boolean": "bool", "integer": "int"}.get(wanted, wanted)
        go_value = {"integer": "number", "boolean": "bool"}.get(found, found)
        raise unreadable(
            f"json: cannot unmarshal {go_value} into Go struct field {_go_field(resource, path)} of type {go_type}"
        )
    for spec in filter(None, (_pod_spec_of(resource, obj),)):
        for container in (spec.get("containers") or []) + (spec.get("initContainers") or []):
            for amounts in (container.get("resources") or {}).values():
                amounts = amounts.values() if isinstance(amounts, dict) else ()
                if not all(_QUANTITY.fullmatch(str(amount)) for amount in amounts):
                    raise unreadable(f"quantities must match the regular expression '^{_QUANTITY.pattern}$'")
    for name in {"secrets": ("data",), "configmaps": ("binaryData",)}.get(resource.key, ()):
        for text in (obj.get(name) or {}).values():
            if (position := _bad_base64(text)) is not None:
                raise unreadable(f"illegal base64 data at input byte {position}")


def _go_field(resource: Resource, path: str) -> str:
    """A field as Go's decoder names it: ConfigMap.data for an entry of it, PodSpec.spec.nodeName."""
    first, *rest = re.sub(r"\[\d+\]", "", path).split(".")
    if first in ("data", "binaryData", "stringData") or not rest:
        return f"{resource.kind}.{first}"
    holder = {"metadata": "ObjectMeta", "spec": f"{resource.kind}Spec", "status": f"{resource.kind}Status"}
    return f"{holder.get(first, resource.kind)}.{'.'.join([first, *rest])}"


def _bad_base64(text: str) -> int | None:
    """The offset that Go's decoder names, or None for good base64 (line breaks are allowed)."""
    try:
        base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
        return None
    except binascii.Error:
        odd = re.search(r"[^A-Za-z0-9+/=\r\n]", text)
        return odd.start() if odd else len(text) // 4 * 4


def _metadata(resource: Resource, metadata: dict) -> list[Cause]:
    causes = []
    name = metadata.get("name")
    if not name and not metadata.get("generateName"):
        causes.append(Cause("metadata.name", "Required value: name or generateName is required", "FieldValueRequired"))
    if name and (why := _bad_name(resource, name)):
        causes.append(Cause("metadata.name", f'Invalid value: "{name}": {why}'))
    causes += _labels("metadata.labels", metadata.get("labels"))
    for key in metadata.get("annotations") or {}:
        if not _QUALIFIED_NAME.fullmatch(key.lower()):
            causes.append(Cause("metadata.annotations", f'Invalid value: "{key}": {_NAME_PART}'))
    size = sum(len(key.encode()) + len(value.encode()) for key, value in (metadata.get("annotations") or {}).items())
    if size > _ANNOTATIONS:
        message = f"Too long: may not be more than {_ANNOTATIONS} bytes"
        causes.append(Cause("metadata.annotations", message, "FieldValueTooLong"))
    for owner in metadata.get("ownerReferences") or []:
        for name, what in _OWNERS_FIELDS.items():
            if not owner.get(name):
                causes.append(Cause(f"metadata.ownerReferences.{name}", f'Invalid value: "": {what}'))
    for index, finalizer in enumerate(metadata.get("finalizers") or []):
        if "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS:
            causes.append(Cause(f"metadata.finalizers[{index}]", f'Invalid value: "{finalizer}": {_FINALIZER_RULE}'))
    return causes


def _labels(where: str, labels: dict | None) -> list[Cause]:
    causes = []
    for key, value in (labels or {}).items():
        if not _QUALIFIED_NAME.fullmatch(key):
            causes.append(Cause(where, f'Invalid value: "{key}": {_NAME_PART}'))
        if len(value) > 63:
            causes.append(Cause(where, f'Invalid value: "{value}": must be no more than 63 characters'))
        elif not _LABEL_VALUE.fullmatch(value):
            causes.append(Cause(where, f'Invalid value: "{value}": {_LABEL_VALUE_RULE}'))
    return causes


def _bad_name(resource: Resource, name: str) -> str:
    """Why a name is none, in the server's words, or ""."""
    if resource.group in ("rbac.authorization.k8s.io", "user.openshift.io"):
        return "" if _ANY_PATH_SEGMENT.fullmatch(name) else "may not be '.' or '..' and may not contain '/' or '%'"
    if resource.key in _NAMED_AS_LABEL:
        if resource.kind == "ProjectRequest" and len(name) < 2:
            return "must be at least 2 characters long"
        if "." in name:
            return "must not contain dots"
        if len(name) > 63:
            return "must be no more than 63 characters"
        if not re.fullmatch(_LABEL, name):
            return _LABEL_RULE
    elif len(name) > 253:
        return "must be no more than 253 characters"
    elif not re.fullmatch(_SUBDOMAIN, name):
        return (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
            "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
            f"'{_SUBDOMAIN}')"
        )
    return ""


def _native(resource: Resource, obj: dict) -> list[Cause]:
    if resource.key == "secrets":
        return _secret(obj)
    if resource.key == "configmaps":
        return _config_map(obj)
    if resource.key == "pods":
        return _pod_spec(obj["spec"], "spec")
    causes = _required(shapes.of(resource), obj, "")
    if resource.key == "nodes":
        causes += _taints((obj.get("spec") or {}).get("taints"))
    template = _template(resource, obj)
    if template and not causes:
        where = _TEMPLATES[resource.key]
        causes += _pod_spec(template.get("spec") or {}, f"{where}.spec")
        causes += _labels(f"{where}.labels", (template.get("metadata") or {}).get("labels"))
        if resource.group == "apps":
            causes += _selector(resource, obj["spec"].get("selector"), template)
    return causes


def _taints(taints: list[dict] | None) -> list[Cause]:
    causes = []
    for index, taint in enumerate(taints or []):
        where = f"metadata.taints[{index}]"
        causes += [Cause(f"{where}.key", cause.message) for cause in _labels("", {taint.get("key", ""): ""})]
        if not taint.get("effect"):
            causes.append(Cause(f"{where}.effect", "Required value", "FieldValueRequired"))
        elif taint["effect"] not in _EFFECTS:
            causes.append(_unsupported(f"{where}.effect", taint["effect"], _EFFECTS[1:]))
    return causes


def _selector(resource: Resource, selector: dict | None, template: dict) -> list[Cause]:
    """What is wrong with the selector of a workload, or with its pods, which run for ever and are selected by it."""
    causes = []
    labels = (template.get("metadata") or {}).get("labels") or {}
    if not any((selector or {}).get(terms) for terms in ("matchLabels", "matchExpressions")):
        causes.append(
            Cause("spec.selector", f"Invalid value: {{}}: empty selector is invalid for {resource.kind.lower()}")
        )
    elif not selectors.label_selector(selector)({"metadata": {"labels": labels}}):
        shown = json.dumps(labels, separators=(",", ":"), sort_keys=True)
        message = f"Invalid value: {shown}: `selector` does not match template `labels`"
        causes.append(Cause("spec.template.metadata.labels", message))
    policy = (template.get("spec") or {}).get("restartPolicy", "Always")
    if policy != "Always":
        causes.append(_unsupported("spec.template.spec.restartPolicy", policy, ("Always",)))
    return causes


def _required(of: shapes.Schema, value, path: str) -> list[Cause]:
    causes = schema.required(of, value, path)
    for name, inner in of.get("properties", {}).items():
        if isinstance(value, dict) and isinstance(value.get(name), dict) and name != "metadata":
            causes += _required(inner, value[name], f"{path}.{name}" if path else name)
    return causes


def _config_keys(field: str, keys) -> list[Cause]:
    causes = []
    for key in keys:
        if len(key) > 253:
            why = "must be no more than 253 characters"
        elif not _CONFIG_KEY.fullmatch(key):
            why = (
                "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
                f"'KEY_NAME',  or 'key-name', regex used for validation is '{_CONFIG_KEY.pattern}')"
            )
        elif key in (".", ".."):
            why = f"must not be '{key}'"
        elif key.startswith(".."):
            why = "must not start with '..'"
        else:
            continue
        causes.append(Cause(f"{field}[{key}]", f'Invalid value: "{key}": {why}'))
    return causes


def _too_long(field: str, size: int) -> list[Cause]:
    if size <= MEBIBYTE:
        return []
    return [Cause(field, f"Too long: may not be more than {MEBIBYTE} bytes", "FieldValueTooLong")]


def _config_map(obj: dict) -> list[Cause]:
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    causes = _config_keys("data", data) + _config_keys("binaryData", binary)
    for key in data.keys() & binary.keys():
        causes.append(Cause(f"data[{key}]", f'Invalid value: "{key}": duplicate of key present in binaryData'))
    size = sum(len(value.encode()) for value in data.values()) + sum(map(_decoded_size, binary.values()))
    return causes + _too_long("[]", size)


def _secret(obj: dict) -> list[Cause]:
    data = obj.get("data") or {}
    causes = _config_keys("data", data) + _too_long("data", sum(map(_decoded_size, data.values())))
    kind = obj.get("type", "")
    required = ("username", "password") if kind == _BASIC_AUTH and not {"username", "password"} & data.keys() else ()
    for key in _SECRET_KEYS.get(kind, required):
        if key not in data:
            causes.append(Cause(f"data[{key}]", "Required value", "FieldValueRequired"))
        elif "docker" in kind and (why := json_error(base64.b64decode(data[key]))):
            causes.append(Cause(f"data[{key}]", f'Invalid value: "<secret contents redacted>": {why}'))
    return causes


def _decoded_size(text: str) -> int:
    return len(base64.b64decode(text))


def _pod_spec(spec: dict, path: str) -> list[Cause]:
    causes = _labels(f"{path}.nodeSelector", spec.get("nodeSelector"))
    for index, volume in enumerate(spec.get("volumes") or []):
        causes += _host_path(volume.get("hostPath"), f"{path}.volumes[{index}].hostPath")
    if not spec.get("containers"):
        causes.append(Cause(f"{path}.containers", "Required value", "FieldValueRequired"))
    volumes = {volume.get("name") for volume in spec.get("volumes") or []}
    for field in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(field) or []):
            causes += _container(container, f"{path}.{field}[{index}]", volumes)
    for field, choices in (("restartPolicy", _RESTART_POLICIES), ("dnsPolicy", _DNS_POLICIES)):
        if spec.get(field, choices[0]) not in choices:
            causes.append(_unsupported(f"{path}.{field}", spec[field], choices))
    for index, toleration in enumerate(spec.get("tolerations") or []):
        causes += _toleration(toleration, f"{path}.tolerations[{index}]")
    return causes


def _container(container: dict, path: str, volumes: set[str]) -> list[Cause]:
    causes = []
    for name in ("name", "image"):
        if not container.get(name):
            causes.append(Cause(f"{path}.{name}", "Required value", "FieldValueRequired"))
    if container.get("name") and not re.fullmatch(_LABEL, container["name"]):
        causes.append(Cause(f"{path}.name", f'Invalid value: "{container["name"]}": {_LABEL_RULE}'))
    if container.get("imagePullPolicy", "Always") not in _PULL_POLICIES:
        causes.append(_unsupported(f"{path}.imagePullPolicy", container["imagePullPolicy"], _PULL_POLICIES))
    for index, mount in enumerate(container.get("volumeMounts") or []):
        if mount.get("name") not in volumes:
            where = f"{path}.volumeMounts[{index}].name"
            causes.append(Cause(where, f'Not found: "{mount.get("name")}"', "FieldValueNotFound"))
    context = container.get("securityContext") or {}
    user = context.get("runAsUser")
    if user is not None and not 0 <= user < 1 << 31:
        where, message = f"{path}.securityContext.runAsUser", "must be between 0 and 2147483647, inclusive"
        causes.append(Cause(where, f"Invalid value: {user}: {message}"))
    if context.get("privileged") and context.get("allowPrivilegeEscalation") is False:
        message = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        causes.append(Cause(f"{path}.securityContext", f"Invalid value: {json.dumps(context)}: {message}"))
    return causes


def _host_path(host_path: dict | None, path: str) -> list[Cause]:
    if host_path is None:
        return []
    if not host_path.get("path"):
        return [Cause(f"{path}.path", "Required value", "FieldValueRequired")]
    if (host_path.get("type") or "") not in _HOST_PATHS:
        return [_unsupported(f"{path}.type", host_path["type"], _HOST_PATHS)]
    return []


def _toleration(toleration: dict, path: str) -> list[Cause]:
    causes = []
    key, operator = toleration.get("key") or "", toleration.get("operator") or ""
    if key:
        causes += [Cause(f"{path}.key", cause.message) for cause in _labels("", {key: ""})]
    elif operator != "Exists":
        message = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        causes.append(Cause(f"{path}.operator", f'Invalid value: "{operator}": {message}'))
    if operator == "Exists" and toleration.get("value"):
        message = "value must be empty when `operator` is 'Exists'"
        causes.append(Cause(f"{path}.operator", f'Invalid value: "{toleration["value"]}": {message}'))
    if operator not in ("", "Equal", "Exists"):
        causes.append(_unsupported(f"{path}.operator", operator, ("Equal", "Exists")))
    effect = toleration.get("effect") or ""
    if effect not in _EFFECTS:
        causes.append(_unsupported(f"{path}.effect", effect, _EFFECTS))
    elif "tolerationSeconds" in toleration and effect != "NoExecute":
        message = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        causes.append(Cause(f"{path}.effect", f'Invalid value: "{effect}": {message}'))
    return causes


def _unsupported(path: str, value: str, choices: tuple[str, ...]) -> Cause:
    supported = ", ".join(f'"{choice}"' for choice in choices)
    return Cause(path, f'Unsupported value: "{value}": supported values: {supported}', "FieldValueNotSupported")


def _immutable(resource: Resource, old: dict, new: dict) -> list[Cause]:
    causes = []
    if resource.key == "secrets" and old.get("type") != new.get("type"):
        causes.append(Cause("type", f'Invalid value: "{new.get("type")}": field is immutable'))
    if resource.key in ("secrets", "configmaps") and old.get("immutable"):
        for field in ("immutable", "data", "binaryData"):
            if old.get(field) != new.get(field):
                causes.append(
                    Cause(field, "Forbidden: field is immutable when `immutable` is set", "FieldValueForbidden")
                )
    if resource.key == "pods" and _fixed_part(old) != _fixed_part(new):
        message = (
            "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
            "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously "
            "negative)"
        )
        causes.append(Cause("spec", message, "FieldValueForbidden"))
    selector = ("spec", "selector")
    if resource.group == "apps" and _at(old, selector) != _at(new, selector):
        causes.append(Cause("spec.selector", "Invalid value: field is immutable"))
    return causes


def _fixed_part(pod: dict) -> dict:
    def without(mapping: dict) -> dict:
        return {key: value for key, value in mapping.items() if key not in _POD_MAY_CHANGE}

    spec = without(pod["spec"])
    for field in ("containers", "initContainers"):
        spec[field] = [without(container) for container in spec.get(field, [])]
    return spec


def _at(obj: dict, path: tuple[str, ...]):
    for step in path:
        obj = obj.get(step) or {}
    return obj
