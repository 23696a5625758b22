# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's API server answers as a real one (kube-apiserver 1.32 with OpenShift's CRDs) was seen to answer."""

from __future__ import annotations

import base64
import json
import threading
import time
import urllib.request

import pytest

from lab_server import APPLY, JSON_PATCH, MERGE_PATCH, STRATEGIC, ApiServer

MAPS = "/api/v1/namespaces/default/configmaps"
SECRETS = "/api/v1/namespaces/default/secrets"
IDMS = "/apis/config.openshift.io/v1/imagedigestmirrorsets"
ICSP = "/apis/operator.openshift.io/v1alpha1/imagecontentsourcepolicies"
IMAGES = "/apis/config.openshift.io/v1/images"
POOLS = "/apis/machineconfiguration.openshift.io/v1/machineconfigpools"
CATALOGS = "/apis/operators.coreos.com/v1alpha1/namespaces/default/catalogsources"
INDEXES = "/apis/olm.operatorframework.io/v1/clustercatalogs"
DAEMON_SETS = "/apis/apps/v1/namespaces/default/daemonsets"
PODS = "/api/v1/namespaces/default/pods"
PROJECTS = "/apis/project.openshift.io/v1/projects"
REQUESTS = "/apis/project.openshift.io/v1/projectrequests"
RBAC = "rbac.authorization.k8s.io/v1"
OPERATORS = "/apis/config.openshift.io/v1/clusteroperators"
DRY = "?dryRun=All"
STRICT = "?dryRun=All&fieldValidation=Strict"
DOCKER_CONFIG = "kubernetes.io/dockerconfigjson"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    server = ApiServer(tmp_path_factory.mktemp("api"), "4.19")
    yield server
    server.stop()


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def config_map(name, data=None, **metadata):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": data or {}}


def secret(name, data, kind="Opaque"):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": kind, "data": data}


def docker_config(text):
    return secret("pull-secret", {".dockerconfigjson": b64(text)}, DOCKER_CONFIG)


def icsp(spec, name="mirrors"):
    return {"apiVersion": "operator.openshift.io/v1alpha1", "kind": "ImageContentSourcePolicy",
            "metadata": {"name": name}, **({} if spec is None else {"spec": spec})}


def idms(*mirrors, name="mirrors", kind="ImageDigestMirrorSet", field="imageDigestMirrors"):
    metadata, spec = {"name": name}, {field: list(mirrors)}
    return {"apiVersion": "config.openshift.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def image(spec, name="cluster"):
    return {"apiVersion": "config.openshift.io/v1", "kind": "Image", "metadata": {"name": name}, "spec": spec}


def source(text):
    return idms({"source": text, "mirrors": ["mirror:5000/a"]})


def catalog(spec):
    metadata = {"name": "c"}
    return {"apiVersion": "operators.coreos.com/v1alpha1", "kind": "CatalogSource", "metadata": metadata, "spec": spec}


def index(image):
    """A ClusterCatalog of that image."""
    metadata, spec = {"name": "c"}, {"source": {"type": "Image", "image": image}}
    return {"apiVersion": "olm.operatorframework.io/v1", "kind": "ClusterCatalog", "metadata": metadata, "spec": spec}


def daemon_set(labels=None, pod=None, **container):
    """A DaemonSet that is good but for what is said."""
    spec = {"containers": [{"name": "c", "image": "i", **container}], **(pod or {})}
    template = {"metadata": {"labels": {"app": "d"}}, "spec": spec}
    selector = {"matchLabels": {"app": "d"} if labels is None else labels}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "d"},
            "spec": {"selector": selector, "template": template}}


def pod(**spec):
    spec = {"containers": [{"name": "c", "image": "i"}], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}


def project_request(name, **more):
    return {"apiVersion": "project.openshift.io/v1", "kind": "ProjectRequest", "metadata": {"name": name}, **more}


def sources(*entries):
    """An ImageContentSourcePolicy of those entries."""
    return icsp({"repositoryDigestMirrors": list(entries)})


ACCEPTED = (201, "")
NO_MATCH = (422, "in body should match '^")
BAD_KEY = (422, "a valid config key must consist of alphanumeric characters, '-', '_' or '.'")
REDACTED = 'data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": '
A = {"source": "quay.io/a"}
DIGESTED = "m:5000/a/b@sha256:" + "0" * 64

# What is posted (dry), the code and a part of the message; no message: accepted.
VERDICTS = {
    ICSP + DRY: {  # the CRD of the ICSP has no rule but its types
        "a scheme and a blank": (sources({"source": "https://quay.io/x", "mirrors": ["m 1"]}), ACCEPTED),
        "a tag, no mirrors": (sources({"source": "quay.io/x:latest", "mirrors": []}), ACCEPTED),
        "an empty source, doubles": (sources({"source": "", "mirrors": ["m", "m"]}), ACCEPTED),
        "no source": (sources({"mirrors": ["m"]}), (422, "spec.repositoryDigestMirrors[0].source: Required value")),
        "no spec": (icsp(None), (422, "spec: Required value")),
        "mirrors a text": (sources({**A, "mirrors": "m"}), (422, 'mirrors in body must be of type array: "string"')),
        "a name": (icsp({}, "Mirror_OCP"), (422, "a lowercase RFC 1123 subdomain must consist of")),
    },
    ICSP + STRICT: {
        "a policy": (sources({**A, "mirrorSourcePolicy": "x"}),
                     (400, 'unknown field "spec.repositoryDigestMirrors[0].mirrorSourcePolicy"')),
    },
    IDMS + DRY: {
        "a scheme": (source("https://quay.io/x"), NO_MATCH),
        "a tag": (source("quay.io/x:latest"), NO_MATCH),
        "a digest": (source("quay.io/x@sha256:1"), NO_MATCH),
        "upper case": (source("quay.io/X"), NO_MATCH),
        "IPv6": (source("[fd00::1]:5000/a"), NO_MATCH),
        "an underscore in the host": (source("my_host/a"), NO_MATCH),
        "a trailing slash": (source("quay.io/a/"), NO_MATCH),
        "a wildcard with a path": (source("*.redhat.io/x"), NO_MATCH),
        "long nonsense, at once": (source("quay.io/" + "a" * 60 + ":latest"), NO_MATCH),
        "a wildcard": (source("*.redhat.io"), ACCEPTED),
        "a policy without mirrors": (idms({**A, "mirrorSourcePolicy": "NeverContactSource"}), ACCEPTED),
        "doubles": (idms({**A, "mirrors": ["m/a", "m/b", "m/a"]}),
                    (422, 'spec.imageDigestMirrors[0].mirrors[2]: Duplicate value: "m/a"')),
        "a wrong policy": (idms({**A, "mirrorSourcePolicy": "Never"}),
                           (422, '"Never": supported values: "NeverContactSource", "AllowContactingSource"')),
    },
    IDMS + STRICT: {
        "tag mirrors": (idms(field="imageTagMirrors"), (400, 'unknown field "spec.imageTagMirrors"')),
    },
    IMAGES + DRY: {
        "a CA that is not there": (image({"additionalTrustedCA": {"name": "nope"}}), ACCEPTED),
        "a CA that is a text": (image({"additionalTrustedCA": "nope"}), (422, "must be of type object")),
        "allowed and blocked": (image({"registrySources": {"allowedRegistries": ["a"], "blockedRegistries": ["b"]}}),
                                (422, "Only one of blockedRegistries or allowedRegistries may be set")),
    },
    SECRETS + DRY: {
        "a pull secret cut off": (docker_config('{"auths":{}'), (422, REDACTED + "unexpected end of JSON input")),
        "a brace too many": (docker_config('{"auths":{}},"x":{}}'),
                             (422, REDACTED + "invalid character ',' after top-level value")),
        "rubbish": (docker_config('{"foo":1}'), ACCEPTED),
        "an empty object": (docker_config("{}"), ACCEPTED),
        "no key": (secret("s", {"x": "eA=="}, DOCKER_CONFIG), (422, "data[.dockerconfigjson]: Required value")),
        "too much": (secret("s", {"x": b64("x" * 1048577)}), (422, "Too long: may not be more than 1048576 bytes")),
        "no base64": (secret("s", {"x": "not base64!"}), (400, "illegal base64 data at input byte")),
    },
    MAPS + DRY: {
        "a key with a port": (config_map("c", {"mirror.registry.com:443": "PEM"}), BAD_KEY),
        "a key of IPv6": (config_map("c", {"[fd00::1]..443": "PEM"}), BAD_KEY),
        "a key with two dots": (config_map("c", {"mirror.registry.com..443": "PEM"}), ACCEPTED),
        "a key that begins with dots": (config_map("c", {"..443": "PEM"}), (422, "must not start with '..'")),
        "notes without end": (config_map("c", annotations={"a": "x" * 262144}),
                              (422, "metadata.annotations: Too long: may not be more than 262144 bytes")),
        "a nameless owner": (config_map("c", ownerReferences=[{"apiVersion": "v1", "kind": "Pod", "uid": "1"}]),
                             (422, 'metadata.ownerReferences.name: Invalid value: "": must not be empty')),
        "another namespace": (config_map("c", namespace="other"), (400, "does not match the namespace sent")),
    },
    INDEXES + DRY: {
        "a tag": (index({"ref": "m:5000/a/b:v1", "pollIntervalMinutes": 5}), ACCEPTED),
        "a digest": (index({"ref": DIGESTED}), ACCEPTED),
        "a digest that is polled": (index({"ref": DIGESTED, "pollIntervalMinutes": 5}),
                                    (422, "spec.source.image: Invalid value: \"object\": cannot specify pollInterval")),
        "never polled": (index({"ref": "m/a:v1", "pollIntervalMinutes": 0}),
                         (422, "pollIntervalMinutes in body should be greater than or equal to 1")),
        "no tag": (index({"ref": "m/a"}), (422, "spec.source.image.ref: Invalid value: \"string\": must end with a digest")),
        "a port and no tag": (index({"ref": "m:5000/a"}), (422, "valid tags must begin with a word character")),
        "upper case": (index({"ref": "m:5000/A:v1"}), (422, "a valid name is required")),
        "an underscore in the host": (index({"ref": "m_x/a:v1"}), (422, "must start with a valid domain")),
        "a short digest": (index({"ref": "m/a@sha256:abc"}), (422, "the encoded string must be at least 32 characters")),
        "what follows the port": (index({"ref": f"m:5000/{'a/' * 60}a:v1"}), (422, "must not be more than 127 characters")),
    },
    DAEMON_SETS + DRY: {
        "as it should be": (daemon_set(pod={"tolerations": [{"operator": "Exists"}]}), ACCEPTED),
        "no selector": (daemon_set({}), (422, "spec.selector: Invalid value: {}: empty selector is invalid for daemonset")),
        "others' pods": (daemon_set({"app": "x"}),
                         (422, 'spec.template.metadata.labels: Invalid value: {"app":"d"}: `selector` does not match')),
        "a name": (daemon_set(name="C"), (422, "spec.template.spec.containers[0].name: Invalid value: \"C\": a lowercase")),
        "pods that end": (daemon_set(pod={"restartPolicy": "Never"}),
                          (422, 'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"')),
        "every taint of a value": (daemon_set(pod={"tolerations": [{"operator": "Exists", "value": "x"}]}),
                                   (422, "value must be empty when `operator` is 'Exists'")),
        "any taint but not so": (daemon_set(pod={"tolerations": [{"operator": "Equal"}]}),
                                 (422, "operator must be Exists when `key` is empty")),
        "for a while": (daemon_set(pod={"tolerations": [{"operator": "Exists", "tolerationSeconds": 5}]}),
                        (422, "effect must be 'NoExecute' when `tolerationSeconds` is set")),
        "a pull policy": (daemon_set(imagePullPolicy="Often"),
                          (422, 'supported values: "Always", "IfNotPresent", "Never"')),
        "no quantity": (daemon_set(resources={"requests": {"cpu": "x"}}), (400, "quantities must match the regular")),
        "no volume": (daemon_set(volumeMounts=[{"name": "v", "mountPath": "/x"}]),
                      (422, 'spec.template.spec.containers[0].volumeMounts[0].name: Not found: "v"')),
        "all rights and none": (daemon_set(securityContext={"privileged": True, "allowPrivilegeEscalation": False}),
                                (422, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")),
        "a selector of nodes": (daemon_set(pod={"nodeSelector": {"a b": "c"}}),
                                (422, 'spec.template.spec.nodeSelector: Invalid value: "a b"')),
    },
    PODS + DRY: {
        "an account that is not there": (pod(serviceAccountName="nope"),
                                         (403, "error looking up service account default/nope")),
        "a priority that is not there": (pod(priorityClassName="nope"), (403, "no PriorityClass with name nope was found")),
        "a directory of nothing": (pod(volumes=[{"name": "v", "hostPath": {"path": ""}}]),
                                   (422, "spec.volumes[0].hostPath.path: Required value")),
    },
    "/api/v1/namespaces/nope/configmaps": {"no namespace": (config_map("c"), (404, 'namespaces "nope" not found'))},
    CATALOGS + DRY: {"no type": (catalog({"image": "x"}), (422, "spec.sourceType: Required value"))},
}


@pytest.mark.parametrize(("path", "what"), [(path, what) for path in VERDICTS for what in VERDICTS[path]])
def test_verdict(api, path, what):
    body, (code, message) = VERDICTS[path][what]
    answer = api.call("POST", path, body)
    assert answer.code == code, answer.message
    assert message in answer.message
    if code == 422:
        assert answer.body["reason"] == "Invalid" and answer.body["details"]["causes"]


@pytest.mark.parametrize("method, path, body, kind, code, message", [
    ("GET", "/api/v1/configmaps?limit=x", None, "", 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
    ("GET", "/api/v1/nodes?timeoutSeconds=x", None, "", 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
    ("GET", "/api/v1/nodes?limit=-1", None, "", 200, ""),
    ("PATCH", "/api/v1/nodes/worker-0?force=true", {}, MERGE_PATCH, 422, "may not be specified for non-apply patch"),
    ("PATCH", f"/api/v1/nodes/worker-0?fieldManager={'m' * 129}", {}, MERGE_PATCH, 422, "may not be more than 128 bytes"),
    ("PATCH", "/api/v1/nodes/worker-0", {"spec": {"taints": [{"key": "a", "effect": "Never"}]}}, MERGE_PATCH, 422,
     'metadata.taints[0].effect: Unsupported value: "Never"'),
    ("DELETE", "/api/v1/namespaces/openshift?propagationPolicy=X", None, "", 422,
     'supported values: "Foreground", "Background", "Orphan", "nil"'),
])
def test_options_and_taints_that_cannot_be(api, method, path, body, kind, code, message):
    answer = api.call(method, path, body, kind=kind or "application/json")
    assert answer.code == code and message in answer.message


def test_unknown_fields_are_dropped_with_a_warning(api):
    misspelt = icsp({"repositoryDigestMirrors": [{"source": "quay.io/a", "mirors": ["m"]}]})
    answer = api.call("POST", ICSP + DRY, misspelt)
    assert answer.code == 201
    assert answer.body["spec"] == {"repositoryDigestMirrors": [{"source": "quay.io/a"}]}
    assert answer.warnings == ('299 - "unknown field \\"spec.repositoryDigestMirrors[0].mirors\\""',)
    assert api.call("POST", ICSP + DRY + "&fieldValidation=Ignore", misspelt).warnings == ()


def test_a_secrets_type_is_immutable(api):
    api.call("POST", SECRETS, secret("typed", {"a": "eA=="}))
    other = {"type": DOCKER_CONFIG, "data": {".dockerconfigjson": b64("{}")}}
    answer = api.call("PATCH", f"{SECRETS}/typed", other, kind=MERGE_PATCH)
    assert answer.code == 422 and "type: Invalid value" in answer.message and "field is immutable" in answer.message


def test_a_patch_to_no_base64_is_refused_with_the_whole_object(api):
    api.call("POST", SECRETS, secret("echo", {"a": b64("hidden")}))
    answer = api.call("PATCH", f"{SECRETS}/echo", {"data": {"b": "%%%"}}, kind=MERGE_PATCH)
    assert answer.code == 422 and "illegal base64 data at input byte 0" in answer.message
    assert b64("hidden") in answer.message


def test_strategic_merge_is_for_native_kinds_only(api):
    api.call("POST", IMAGES, image({}, "strategic"))
    answer = api.call("PATCH", f"{IMAGES}/strategic", {"spec": {}}, kind=STRATEGIC)
    assert answer.code == 415 and "application/merge-patch+json" in answer.message


# Identity and rights


def test_a_bad_token_is_401(api):
    answer = api.call("GET", MAPS, token="sha256~nobody")
    assert (answer.code, answer.body["reason"]) == (401, "Unauthorized")


def test_no_token_is_anonymous(api):
    answer = api.call("GET", "/api/v1/nodes", token="")
    assert answer.code == 403
    assert 'User "system:anonymous" cannot list resource "nodes" in API group "" at the cluster scope' in answer.message
    assert api.call("GET", "/version", token="").code == 200


@pytest.mark.parametrize(("user", "method", "path", "message"), [
    ("viewer", "GET", "/api/v1/namespaces/openshift-config/secrets/pull-secret",
     'secrets "pull-secret" is forbidden: User "viewer" cannot get resource "secrets" in API group "" in the namespace '
     '"openshift-config"'),
    ("viewer", "GET", "/api/v1/namespaces/default/pods/p/exec?command=ls",
     'pods "p" is forbidden: User "viewer" cannot get resource "pods/exec" in API group "" in the namespace "default"'),
    ("viewer", "DELETE", f"{IDMS}/x",
     'cannot delete resource "imagedigestmirrorsets" in API group "config.openshift.io" at the cluster scope'),
    ("nobody", "GET", "/apis/no.such/v1/things", 'things.no.such is forbidden: User "nobody" cannot list'),
    ("nobody", "GET", POOLS, "machineconfigpools.machineconfiguration.openshift.io is forbidden"),
])
def test_forbidden(api, user, method, path, message):
    answer = api.call(method, path, user=user)
    assert answer.code == 403 and message in answer.message


@pytest.mark.parametrize("path, said", [
    ("/api/v1/things", "the server could not find the requested resource"),
    ("/api/v1/namespaces/default/nodes", "the server could not find the requested resource"),
    (f"{MAPS}/a/status", "the server could not find the requested resource"),
    (f"{IDMS}/a/things", 'imagedigestmirrorsets.config.openshift.io "a" not found'),
    ("/apis/config.openshift.io/v1/things", "404 page not found\n"),
    ("/apis/config.openshift.io/v1/namespaces/default/images", "404 page not found\n"),
    ("/apis/no.such/v1/things", "404 page not found\n"),
])
def test_what_is_not_served_is_not_found(api, path, said):
    """Nobody but a page answers for a custom resource that is not there."""
    answer = api.call("GET", path)
    assert (answer.code, answer.message or answer.body) == (404, said)


def test_a_body_may_be_three_mebibytes(api):
    answer = api.call("POST", MAPS, config_map("big", {"k": "x" * (3 << 20)}))
    assert (answer.code, answer.message) == (413, "Request entity too large: limit is 3145728")


def test_the_viewer_reads_all_but_secrets(api):
    paths = (MAPS, IDMS, POOLS, "/api/v1/nodes", "/api/v1/pods")
    assert {api.call("GET", path, user="viewer").code for path in paths} == {200}


def test_roles_give_rights(api):
    rights = "/apis/rbac.authorization.k8s.io/v1"
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "one-secret"},
            "rules": [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["mine"], "verbs": ["get"]}]}
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "one-secret"},
               "subjects": [{"kind": "User", "name": "nobody"}], "roleRef": {"kind": "Role", "name": "one-secret"}}
    api.call("POST", SECRETS, secret("mine", {"a": "eA=="}))
    assert api.call("GET", f"{SECRETS}/mine", user="nobody").code == 403
    assert api.call("POST", f"{rights}/namespaces/default/roles", role).code == 201
    assert api.call("POST", f"{rights}/namespaces/default/rolebindings", binding).code == 201
    assert api.call("GET", f"{SECRETS}/mine", user="nobody").code == 200
    assert api.call("GET", f"{SECRETS}/other", user="nobody").code == 403
    attributes = {"namespace": "default", "verb": "get", "resource": "secrets", "name": "mine"}
    asked = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
             "spec": {"resourceAttributes": attributes}}
    review = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert api.call("POST", review, asked, user="nobody").body["status"]["allowed"] is True
    attributes["verb"] = "delete"
    assert api.call("POST", review, asked, user="nobody").body["status"]["allowed"] is False


def test_whoami(api):
    assert api.call("GET", "/apis/user.openshift.io/v1/users/~", user="viewer").body["metadata"]["name"] == "viewer"
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = api.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review, user="viewer")
    assert answer.body["status"]["userInfo"]["username"] == "viewer"


# Writing


def test_a_stale_resource_version_is_409(api):
    created = api.call("POST", MAPS, config_map("stale", {"a": "1"})).body
    api.call("PATCH", f"{MAPS}/stale", {"data": {"a": "2"}}, kind=MERGE_PATCH)
    answer = api.call("PUT", f"{MAPS}/stale", created)
    assert (answer.code, answer.body["reason"]) == (409, "Conflict")


def test_a_dry_run_stores_nothing(api):
    assert api.call("POST", MAPS + DRY, config_map("dry")).code == 201
    assert api.call("GET", f"{MAPS}/dry").code == 404
    api.call("POST", MAPS, config_map("wet", {"a": "1"}))
    assert api.call("PATCH", f"{MAPS}/wet{DRY}", {"data": {"a": "2"}}, kind=MERGE_PATCH).body["data"] == {"a": "2"}
    assert api.call("DELETE", f"{MAPS}/wet{DRY}").code == 200
    assert api.call("GET", f"{MAPS}/wet").body["data"] == {"a": "1"}


def test_status_has_its_own_path(api):
    operator = {"apiVersion": "config.openshift.io/v1", "kind": "ClusterOperator", "metadata": {"name": "insights"},
                "spec": {}, "status": {"conditions": []}}
    assert "status" not in api.call("POST", OPERATORS, operator).body
    condition = {"type": "Degraded", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    path = f"{OPERATORS}/insights"
    assert api.call("PATCH", f"{path}/status", {"status": {"conditions": [condition]}}, kind=MERGE_PATCH).code == 200
    after = api.call("PATCH", path, {"status": {"conditions": None}}, kind=MERGE_PATCH).body
    assert after["status"]["conditions"] == [condition] and after["metadata"]["generation"] == 1
    del condition["lastTransitionTime"]
    answer = api.call("PATCH", f"{path}/status", {"status": {"conditions": [condition]}}, kind=MERGE_PATCH)
    assert "status.conditions[0].lastTransitionTime: Required value" in answer.message


def test_server_side_apply_owns_fields(api):
    path = f"{MAPS}/applied"

    def apply(manager, data, force=""):
        return api.call("PATCH", f"{path}?fieldManager={manager}{force}", config_map("applied", data), kind=APPLY)

    assert apply("one", {"a": "1", "b": "1"}).code == 201
    assert apply("one", {"a": "1"}).body["data"] == {"a": "1"}, "what is no longer applied goes"
    refused = apply("two", {"a": "2"})
    assert refused.code == 409 and refused.message == 'Apply failed with 1 conflict: conflict with "one": .data.a'
    forced = apply("two", {"a": "2"}, "&force=true")
    assert forced.body["data"] == {"a": "2"}
    assert [entry["manager"] for entry in forced.body["metadata"]["managedFields"]] == ["two"]
    api.call("PATCH", path, {"data": {"a": "3"}}, kind=MERGE_PATCH)
    assert apply("two", {"a": "2"}).message == 'Apply failed with 1 conflict: conflict with "tests" using v1: .data.a'


def test_apply_leaves_the_entries_of_others_in_a_keyed_list(api):
    path = "/api/v1/namespaces/default/serviceaccounts"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "shared"}}
    api.call("POST", path, {**account, "imagePullSecrets": [{"name": "theirs"}]})
    ours = {**account, "imagePullSecrets": [{"name": "ours"}]}
    applied = api.call("PATCH", f"{path}/shared?fieldManager=us", ours, kind=APPLY).body
    assert applied["imagePullSecrets"] == [{"name": "theirs"}, {"name": "ours"}]
    applied = api.call("PATCH", f"{path}/shared?fieldManager=us", account, kind=APPLY).body
    assert applied["imagePullSecrets"] == [{"name": "theirs"}]


def test_json_patch_that_does_not_fit_is_422(api):
    api.call("POST", MAPS, config_map("patched", {"a": "1"}))
    failed = [{"op": "test", "path": "/data/a", "value": "2"}]
    assert api.call("PATCH", f"{MAPS}/patched", failed, kind=JSON_PATCH).code == 422
    fits = [{"op": "add", "path": "/data/b", "value": "1"}]
    assert api.call("PATCH", f"{MAPS}/patched", fits, kind=JSON_PATCH).code == 200


def test_a_deleted_namespace_takes_its_objects_along_after_a_while(api):
    brief = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "brief"}}
    api.call("POST", "/api/v1/namespaces", brief)
    api.call("POST", "/api/v1/namespaces/brief/configmaps", config_map("inside"))
    assert api.call("DELETE", "/api/v1/namespaces/brief").code == 200
    assert api.call("GET", "/api/v1/namespaces/brief").body["status"]["phase"] == "Terminating"
    refused = api.call("POST", "/api/v1/namespaces/brief/configmaps", config_map("late"))
    assert refused.code == 403 and "because it is being terminated" in refused.message
    assert api.call("POST", "/api/v1/namespaces", brief).message == (
        'object is being deleted: namespaces "brief" already exists')
    deadline = time.monotonic() + 10
    while api.call("GET", "/api/v1/namespaces/brief").code != 404:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert api.call("GET", "/api/v1/namespaces/brief/configmaps/inside").code == 404


@pytest.mark.parametrize(("name", "code", "message"), [
    ("a", 422, 'ProjectRequest.project.openshift.io "a" is invalid: metadata.name: Invalid value: "a": must be at least '),
    ("Shop", 422, "a lowercase RFC 1123 label must consist of"),
    ("a.b", 422, "must not contain dots"),
    ("kube", 403, 'project.project.openshift.io "kube" is forbidden: cannot request a project with the name "kube"'),
    ("openshift-shop", 403, 'cannot request a project starting with "openshift-"'),
    ("default", 409, 'project.project.openshift.io "default" already exists'),
])
def test_a_project_that_cannot_be_requested(api, name, code, message):
    answer = api.call("POST", REQUESTS, project_request(name))
    assert (answer.code, message in answer.message) == (code, True), answer.body
    if code != 409:
        assert api.call("GET", f"/api/v1/namespaces/{name}").code == 404


def test_who_may_not_request_a_project_is_told(api):
    answer = api.call("GET", REQUESTS, user="nobody")
    assert (answer.code, answer.message) == (403, "You may not request a new project via this API.")
    assert api.call("POST", REQUESTS, project_request("mine"), user="nobody").code == 403
    assert api.call("GET", REQUESTS, token="").code == 403
    assert api.call("GET", "/api/v1/namespaces/mine").code == 404


def test_a_requested_project_belongs_to_its_requester(api):
    assert api.call("GET", REQUESTS).body == {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    assert api.call("POST", REQUESTS + DRY, project_request("own")).code == 201
    assert api.call("GET", f"{PROJECTS}/own").code == 404
    give = {"kind": "ClusterRole", "apiVersion": RBAC, "metadata": {"name": "self-provisioner"}, "rules": [
        {"verbs": ["create"], "apiGroups": ["project.openshift.io"], "resources": ["projectrequests"]}]}
    assert api.call("POST", f"/apis/{RBAC}/clusterroles", give).code == 201
    to = {"kind": "ClusterRoleBinding", "apiVersion": RBAC, "metadata": {"name": "self-provisioners"},
          "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "nobody"}],
          "roleRef": {"kind": "ClusterRole", "apiGroup": "rbac.authorization.k8s.io", "name": "self-provisioner"}}
    assert api.call("POST", f"/apis/{RBAC}/clusterrolebindings", to).code == 201
    answer = api.call("POST", REQUESTS, project_request("own", displayName="Mine"), user="nobody")
    assert (answer.code, answer.body["kind"], answer.body["status"]) == (201, "Project", {"phase": "Active"})
    annotations = {"description": "", "display-name": "Mine", "requester": "nobody"}
    wanted = {f"openshift.io/{key}": value for key, value in annotations.items()}
    assert answer.body["metadata"]["annotations"] == wanted
    for name, code in (("own", 201), ("default", 403)):
        answer = api.call("POST", f"/api/v1/namespaces/{name}/configmaps", config_map("theirs"), user="nobody")
        assert answer.code == code
    rows = api.call("GET", f"{PROJECTS}?fieldSelector=metadata.name%3Down", headers=TABLE).body["rows"]
    assert [row["cells"] for row in rows] == [["own", "Mine", "Active"]]


def test_a_project_is_watched_until_it_is_gone(api):
    api.call("POST", REQUESTS, project_request("short"))
    listed = api.call("GET", f"{PROJECTS}?fieldSelector=metadata.name%3Dshort").body
    assert [(item["metadata"]["name"]) for item in listed["items"]] == ["short"] and listed["kind"] == "ProjectList"
    gone = api.call("DELETE", f"{PROJECTS}/short")
    assert (gone.code, gone.body) == (200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
    since = listed["metadata"]["resourceVersion"]
    path = f"{PROJECTS}?watch=true&timeoutSeconds=2&resourceVersion={since}&fieldSelector=metadata.name%3Dshort"
    with urllib.request.urlopen(api.request("GET", path), context=api.tls, timeout=20) as response:
        events = [json.loads(line) for line in response]
    assert {event["object"]["kind"] for event in events} == {"Project"}
    assert events[-1]["type"] == "DELETED" and events[-1]["object"]["metadata"]["name"] == "short"


def test_some_namespaces_stay(api):
    assert api.call("DELETE", "/api/v1/namespaces/kube-system").message.endswith("this namespace may not be deleted")


def test_what_is_owned_goes_with_its_owner(api):
    owner = api.call("POST", MAPS, config_map("owner")).body
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    api.call("POST", MAPS, config_map("owned", ownerReferences=[reference]))
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground"}
    api.call("DELETE", f"{MAPS}/owner", options)
    assert api.call("GET", f"{MAPS}/owned").code == 404 and api.call("GET", f"{MAPS}/owner").code == 404


def test_a_precondition_protects_from_deleting_another(api):
    api.call("POST", MAPS, config_map("guarded"))
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "0"}}
    assert api.call("DELETE", f"{MAPS}/guarded", options).code == 409
    assert api.call("GET", f"{MAPS}/guarded").code == 200


# Reading


def test_lists_come_in_pages(api):
    for number in range(5):
        api.call("POST", MAPS, config_map(f"page-{number}", labels={"page": "yes"}))
    found, token = [], ""
    while True:
        page = api.call("GET", f"{MAPS}?labelSelector=page%3Dyes&limit=2&continue={token}").body
        found += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue")
        if not token:
            break
    assert found == [f"page-{number}" for number in range(5)]
    assert api.call("GET", f"{MAPS}?limit=1&continue=rubbish").code == 400


def test_entries_of_native_lists_do_not_repeat_their_kind(api):
    api.call("POST", MAPS, config_map("kindless"))
    api.call("POST", IMAGES, image({}, "kindful"))
    assert all("kind" not in item for item in api.call("GET", MAPS).body["items"])
    assert all(item["kind"] == "Image" for item in api.call("GET", IMAGES).body["items"])


def test_field_selectors(api):
    api.call("POST", MAPS, config_map("chosen"))
    assert len(api.call("GET", f"{MAPS}?fieldSelector=metadata.name%3Dchosen").body["items"]) == 1
    assert api.call("GET", f"{MAPS}?fieldSelector=data.x%3D1").code == 400


def test_operators_are_printed_in_their_columns(api):
    answer = api.call("GET", OPERATORS, headers=TABLE)
    headings = [column["name"] for column in answer.body["columnDefinitions"]]
    assert headings == ["Name", "Version", "Available", "Progressing", "Degraded", "Since", "Message"]


def watch(api, path, lines):
    with urllib.request.urlopen(api.request("GET", path), context=api.tls, timeout=20) as stream:
        lines += [json.loads(line) for line in stream]


def test_a_watch_tells_every_event_once_and_ends_in_time(api):
    revision = api.call("GET", MAPS).body["metadata"]["resourceVersion"]
    lines: list = []
    path = f"{MAPS}?watch=1&timeoutSeconds=2&resourceVersion={revision}&labelSelector=watched%3Dyes"
    watcher = threading.Thread(target=watch, args=(api, path, lines))
    watcher.start()
    api.call("POST", MAPS, config_map("unwatched"))
    api.call("POST", MAPS, config_map("watched", labels={"watched": "yes"}))
    api.call("PATCH", f"{MAPS}/watched", {"data": {"a": "1"}}, kind=MERGE_PATCH)
    api.call("PATCH", f"{MAPS}/watched", {"metadata": {"labels": {"watched": "no"}}}, kind=MERGE_PATCH)
    api.call("PATCH", f"{MAPS}/watched", {"metadata": {"labels": {"watched": "yes"}}}, kind=MERGE_PATCH)
    api.call("DELETE", f"{MAPS}/watched")
    watcher.join(10)
    assert [line["type"] for line in lines] == ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]
    assert {line["object"]["metadata"]["name"] for line in lines} == {"watched"}


def test_a_watch_from_a_forgotten_past_must_list_again(api):
    lines: list = []
    watch(api, f"{MAPS}?watch=1&timeoutSeconds=1&resourceVersion=1", lines)
    assert lines[0]["type"] == "ERROR" and lines[0]["object"]["code"] == 410


def test_a_watch_list_ends_its_first_part_with_a_bookmark(api):
    lines: list = []
    query = "watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    watch(api, f"{IDMS}?{query}", lines)
    assert lines[-1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_discovery_agrees_with_itself(api):
    form = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    aggregated = api.call("GET", "/apis", headers={"Accept": f"{form},application/json"}).body
    plain = api.call("GET", "/apis").body
    assert {group["metadata"]["name"] for group in aggregated["items"]} == {group["name"] for group in plain["groups"]}
    config = api.call("GET", "/apis/config.openshift.io/v1").body["resources"]
    assert {"imagedigestmirrorsets", "images/status"} <= {resource["name"] for resource in config}
    for path in api.call("GET", "/openapi/v3").body["paths"]:
        assert api.call("GET", f"/openapi/v3/{path}").code == 200


def test_older_clients_get_openapi_as_protobuf(api):
    asked = {"Accept": "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"}
    request = api.request("GET", "/openapi/v2", headers=asked)
    with urllib.request.urlopen(request, context=api.tls, timeout=20) as answer:
        assert answer.headers["Content-Type"] == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
        document = answer.read()
    assert document.startswith(b"\x0a\x032.0")
    assert b"io.openshift.config.v1.ImageDigestMirrorSet" in document and b"fieldValidation" in document


def test_typed_clients_send_protobuf(api):
    metadata = b"\x0a\x05typed"
    body = b"\x0a" + bytes([len(metadata)]) + metadata + b"\x12\x06\x0a\x01k\x12\x01v"
    about = b"\x0a\x02v1\x12\x09ConfigMap"
    envelope = b"\x0a" + bytes([len(about)]) + about + b"\x12" + bytes([len(body)]) + body
    answer = api.call("POST", MAPS, b"k8s\x00" + envelope, kind="application/vnd.kubernetes.protobuf")
    assert answer.code == 201
    assert (answer.body["metadata"]["name"], answer.body["data"]) == ("typed", {"k": "v"})


def test_a_workload_is_scaled(api):
    path = "/apis/apps/v1/namespaces/default/deployments"
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "quay.io/a/b"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "scaled"}, "spec": spec}
    assert api.call("POST", path, body).body["spec"]["replicas"] == 1
    scaled = api.call("PATCH", f"{path}/scaled/scale", {"spec": {"replicas": 3}}, kind=MERGE_PATCH).body
    assert scaled["kind"] == "Scale" and scaled["status"]["selector"] == "a=b"
    assert api.call("GET", f"{path}/scaled").body["spec"]["replicas"] == 3


# Being watched, and misbehaving


def test_requests_and_writes_are_counted(api):
    stats = api.server.stats
    stats.reset()
    api.call("GET", MAPS, headers={"User-Agent": "counted/1.0"})
    api.call("POST", MAPS + DRY, config_map("uncounted"))
    api.call("POST", MAPS, config_map("counted"))
    assert stats.requests["list", "configmaps", "counted"] == 1
    assert stats.writes == 1


def test_faults_hit_what_they_are_told_to_hit(api):
    from lab.api.traffic import Fault

    api.server.faults.append(Fault(verb="list", resource="configmaps", status=503, times=1))
    assert api.call("GET", "/api/v1/nodes").code == 200
    answer = api.call("GET", MAPS)
    assert (answer.code, answer.body["reason"]) == (503, "ServiceUnavailable")
    assert api.call("GET", MAPS).code == 200
    api.server.faults.append(Fault(resource="configmaps", drop=True, times=1))
    with pytest.raises(OSError):
        api.call("GET", MAPS)
    api.server.faults.append(Fault(resource="configmaps", verb="create", drop=True, after=True, skip=1, times=1))
    assert api.call("POST", MAPS, config_map("passes", {})).code == 201
    with pytest.raises(OSError):
        api.call("POST", MAPS, config_map("answer-lost", {}))
    assert api.call("GET", f"{MAPS}/answer-lost").code == 200
    api.server.faults.append(Fault(resource="configmaps", delay=0.3, times=1))
    start = time.monotonic()
    assert api.call("GET", MAPS).code == 200 and time.monotonic() - start > 0.3
    api.server.faults.clear()
