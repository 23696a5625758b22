# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client against an HTTPS server that misbehaves on purpose."""
from __future__ import annotations

import concurrent.futures
import json
import pathlib
import re
import socket
import ssl

import pytest
import urllib3.connection
import yaml
from cryptography.hazmat.primitives import serialization

pytest.importorskip("openshift")

from ansible_collections.disconnected.openshift.plugins.doc_fragments import cluster as fragment  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.module_utils import cluster as cluster_util  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.module_utils import errors  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.module_utils.cluster import Cluster, ExecResult  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_clock import FakeClock  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.scripted_api import (  # noqa: E402
    Answer, Drop, Exec, Proxy, ScriptedApi, certificate, pem, refusal)

TOKEN = "sha256~canary-token"
SECRET = "/api/v1/namespaces/openshift-config/secrets/pull-secret"
SECRETS = "/api/v1/namespaces/openshift-config/secrets"
EXEC = "/api/v1/namespaces/mco/pods/daemon-1/exec"
SUCCESS = (3, b'{"metadata":{},"status":"Success"}')


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = ScriptedApi(tmp_path_factory.mktemp("api"))
    yield server
    server.close()


@pytest.fixture
def api(server):
    server.requests.clear()
    server._answers.clear()
    server.serves("v1", secrets="Secret", configmaps="ConfigMap", nodes="Node*")
    server.serves("config.openshift.io/v1", clusterversions="ClusterVersion*", images="Image*")
    return server


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def connect(api, clock):
    def connect(**params):
        return Cluster.connect(dict({"host": api.url, "api_key": TOKEN, "ca_cert": str(api.ca)}, **params), clock)
    return connect


@pytest.fixture
def cluster(connect):
    return connect()


def get(cluster):
    return cluster.get("v1", "Secret", "pull-secret", "openshift-config")


class TestConnect:
    """What is refused before anything is sent."""

    def refused(self, connect, api, error=errors.InvalidInput, **params):
        with pytest.raises(error) as failure:
            connect(**params)
        assert api.requests == []
        assert TOKEN not in failure.value.message
        return failure.value.message

    def test_unverified_tls(self, connect, api):
        assert "ca_cert" in self.refused(connect, api, validate_certs=False)

    def test_unverified_tls_of_a_kubeconfig(self, connect, api):
        insecure = kubeconfig(api, {"insecure-skip-tls-verify": True})
        assert "validate_certs: false" in self.refused(connect, api, host=None, api_key=None, kubeconfig=insecure)

    def test_plain_http(self, connect, api):
        assert "https://" in self.refused(connect, api, host="http://127.0.0.1:8001")

    @pytest.mark.parametrize("params", [{"username": "kubeadmin"}, {"password": "canary-password"}])
    def test_basic_authentication(self, connect, api, params):
        message = self.refused(connect, api, **params)
        assert "api_key" in message and "canary" not in message

    def test_a_ca_file_that_does_not_exist(self, connect, api):
        assert "/nowhere/ca.crt does not exist" in self.refused(connect, api, ca_cert="/nowhere/ca.crt")

    def test_a_kubeconfig_that_does_not_exist(self, connect, api):
        message = self.refused(connect, api, host=None, api_key=None, kubeconfig="/nowhere/kubeconfig")
        assert "there is no kubeconfig in /nowhere" in message and "K8S_AUTH_" in message
        assert "/nowhere/kubeconfig" not in message  # Ansible would strike it out, as it does every no_log option

    def test_a_context_that_does_not_exist(self, connect, api):
        message = self.refused(connect, api, host=None, api_key=None, kubeconfig=kubeconfig(api), context="prod")
        assert "prod" in message

    @pytest.mark.parametrize("option", [{"kubeconfig": "/fleet/east"}, {"context": "east"}], ids=str)
    def test_a_host_of_the_environment_that_would_win_over_the_options(self, connect, api, monkeypatch, option):
        monkeypatch.setenv("K8S_AUTH_HOST", api.url)
        message = self.refused(connect, api, **option)
        assert "Two clusters are meant" in message and "Unset K8S_AUTH_HOST" in message and api.url in message

    @pytest.mark.parametrize("text", ["users: [{token: canary-token", "- a\n- b\n", "\x00\xff", "canary-token"])
    def test_a_kubeconfig_that_is_none(self, connect, api, tmp_path, text):
        path = tmp_path / "kubeconfig"
        path.write_bytes(text.encode("latin-1"))
        message = self.refused(connect, api, host=None, api_key=None, kubeconfig=str(path))
        assert "canary" not in message

    def test_a_missing_library_is_named(self, connect, api, monkeypatch):
        monkeypatch.setattr(cluster_util, "MISSING_LIBRARY", "ImportError: No module named 'openshift'")
        assert "openshift" in self.refused(connect, api, errors.Error)


def kubeconfig(api, cluster=None):
    return {
        "apiVersion": "v1", "kind": "Config", "current-context": "admin",
        "clusters": [{"name": "c", "cluster": dict(
            {"server": api.url}, **(cluster or {"certificate-authority": str(api.ca)}))}],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
        "contexts": [{"name": "admin", "context": {"cluster": "c", "user": "u"}}],
    }


class TestIdentity:
    """As whom it talks, and where that comes from."""

    @pytest.fixture(autouse=True)
    def answering(self, api):
        api.answer("GET", SECRET, Answer(200, {"kind": "Secret"}))

    def test_token(self, connect, api):
        get(connect())
        assert {request[3]["Authorization"] for request in api.requests} == {"Bearer " + TOKEN}

    def test_kubeconfig_as_a_dictionary(self, connect, api):
        get(connect(host=None, api_key=None, ca_cert=None, kubeconfig=kubeconfig(api)))
        assert api.requests[-1][3]["Authorization"] == "Bearer " + TOKEN

    def test_kubeconfig_as_a_file(self, connect, api, tmp_path):
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(kubeconfig(api)))
        get(connect(host=None, api_key=None, ca_cert=None, kubeconfig=str(path)))
        assert api.requests[-1][3]["Authorization"] == "Bearer " + TOKEN

    def test_default_kubeconfig(self, connect, api, tmp_path, monkeypatch):
        path = tmp_path / "default"
        path.write_text(json.dumps(kubeconfig(api)))
        monkeypatch.setenv("KUBECONFIG", "/nowhere:%s" % path)
        get(connect(host=None, api_key=None, ca_cert=None))
        assert api.requests[-1][3]["Authorization"] == "Bearer " + TOKEN

    def test_kubeconfig_of_the_environment(self, connect, api, tmp_path, monkeypatch):
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(kubeconfig(api)))
        monkeypatch.setenv("K8S_AUTH_KUBECONFIG", str(path))
        get(connect(host=None, api_key=None, ca_cert=None))
        assert api.requests[-1][3]["Authorization"] == "Bearer " + TOKEN

    def test_options_override_the_kubeconfig(self, connect, api):
        get(connect(host=None, api_key="other", kubeconfig=kubeconfig(api, {"insecure-skip-tls-verify": True}),
                    validate_certs=True))
        assert api.requests[-1][3]["Authorization"] == "Bearer other"

    def test_impersonation_with_several_groups(self, connect, api):
        get(connect(impersonate_user="eve", impersonate_groups=["dev", "ops", "all"]))
        headers = api.requests[-1][3]
        assert headers.get_all("Impersonate-User") == ["eve"]
        assert sorted(headers.get_all("Impersonate-Group")) == ["all", "dev", "ops"]

    def test_impersonation_reaches_exec(self, connect, api):
        api.answer("GET", EXEC, Exec(SUCCESS))
        connect(impersonate_user="eve", impersonate_groups=["dev", "ops"]).exec("mco", "daemon-1", "d", ["true"])
        headers = api.requests[-1][3]
        assert headers.get_all("Impersonate-User") == ["eve"]
        assert sorted(headers.get_all("Impersonate-Group")) == ["dev", "ops"]


class TestProxy:
    @pytest.fixture
    def proxy(self, api):
        api.answer("GET", SECRET, Answer(200, {"kind": "Secret"}))
        api.answer("GET", EXEC, Exec(SUCCESS))
        proxy = Proxy()
        yield proxy
        proxy.close()

    def test_reads_and_commands_go_through_it(self, connect, api, proxy):
        cluster = connect(proxy="http://%s" % proxy.address, no_proxy="other.test")
        get(cluster)
        cluster.exec("mco", "daemon-1", "d", ["true"])
        assert proxy.connected == [(api.url[len("https://"):], None)] * 2

    @pytest.mark.parametrize("options, environment", [
        ({"proxy_headers": {"proxy_basic_auth": "me:pa:ss", "user_agent": None}}, None), ({}, "me:pa:ss"),
    ])
    def test_its_credentials(self, connect, api, proxy, monkeypatch, options, environment):
        if environment:
            monkeypatch.setenv("K8S_AUTH_PROXY_HEADERS_PROXY_BASIC_AUTH", environment)
        cluster = connect(proxy="http://%s" % proxy.address, no_proxy="other.test", **options)
        get(cluster)
        cluster.exec("mco", "daemon-1", "d", ["true"])
        assert {authorization for _target, authorization in proxy.connected} == {"Basic bWU6cGE6c3M="}
        assert len(proxy.connected) == 2

    def test_the_environments(self, connect, api, proxy, monkeypatch):
        """Newer clients read it, older ones do not: a command goes the way of the other requests."""
        monkeypatch.setenv("HTTPS_PROXY", "http://%s" % proxy.address)
        monkeypatch.setenv("NO_PROXY", "other.test")
        cluster = connect()
        get(cluster)
        ways = len(proxy.connected)
        cluster.exec("mco", "daemon-1", "d", ["true"])
        assert len(proxy.connected) == 2 * ways

    def test_hosts_that_need_none(self, connect, api, proxy):
        cluster = connect(proxy="http://%s" % proxy.address, no_proxy="other.test, 127.0.0.1")
        get(cluster)
        cluster.exec("mco", "daemon-1", "d", ["true"])
        assert proxy.connected == []

    def test_one_that_does_not_answer(self, connect, clock):
        with pytest.raises(errors.Unreachable) as failure:
            get(connect(proxy="http://127.0.0.1:1", no_proxy="other.test"))
        assert "cannot be reached" in failure.value.message


class TestRefusals:
    """Each status becomes an error that names the host, the verb, the resource and what to do."""

    @pytest.mark.parametrize("status, error, words", [
        (401, errors.Unauthorized, ["Log in again"]),
        (403, errors.Forbidden, ["User \"nobody\" cannot", 'verb "get" on "secrets"', "namespace openshift-config"]),
        (409, errors.Conflict, ["modified"]),
        (405, errors.Error, ["405"]),
        (422, errors.InvalidInput, ["refuses"]),
    ])
    def test_status(self, cluster, api, clock, status, error, words):
        said = {403: 'secrets "pull-secret" is forbidden: User "nobody" cannot get resource "secrets"',
                409: "the object has been modified"}.get(status, "x")
        api.answer("GET", SECRET, refusal(status, said))
        with pytest.raises(error) as failure:
            get(cluster)
        for word in [api.url, 'get secrets "pull-secret" in openshift-config', *words]:
            assert word in failure.value.message
        assert TOKEN not in failure.value.message
        assert clock.pauses == []

    def test_a_refused_secret_is_not_shown(self, cluster, api):
        """The API's own sentence holds the whole object where its base64 is wrong."""
        api.answer("PATCH", SECRET, refusal(422, "Secret in version v1 cannot be handled: CANARY", details={
            "causes": [{"field": "data[.dockerconfigjson]", "message": "Invalid value: CANARY"}]}))
        with pytest.raises(errors.InvalidInput) as failure:
            cluster.merge_patch("v1", "Secret", "pull-secret", {"data": {}}, "openshift-config")
        assert "data[.dockerconfigjson]" in failure.value.message
        assert "CANARY" not in failure.value.message

    def test_another_refused_object_is_explained(self, cluster, api):
        api.answer("PATCH", "/apis/config.openshift.io/v1/images/cluster", refusal(422, "spec: must be of type object"))
        with pytest.raises(errors.InvalidInput) as failure:
            cluster.merge_patch("config.openshift.io/v1", "Image", "cluster", {"spec": 1})
        assert "must be of type object" in failure.value.message

    def test_whoever_may_not_even_ask_what_there_is_gave_no_credentials(self, cluster, api):
        """A client whose kubeconfig has no credentials for its context sends none, and is anonymous."""
        api.answer("GET", "/apis/config.openshift.io/v1",
                   refusal(403, 'forbidden: User "system:anonymous" cannot get path "/apis/config.openshift.io/v1"'))
        with pytest.raises(errors.Forbidden) as failure:
            cluster.serves("config.openshift.io/v1", "Image")
        assert 'User "system:anonymous" cannot get path' in failure.value.message
        assert "has a token or a client certificate" in failure.value.message
        assert "verb" not in failure.value.message

    def test_an_answer_that_is_not_json(self, cluster, api):
        api.answer("GET", SECRET, Answer(403, "<html>proxy</html>"))
        with pytest.raises(errors.Forbidden):
            get(cluster)

    def test_a_kind_that_is_not_served(self, cluster):
        for call in (cluster.get, cluster.delete):
            with pytest.raises(errors.NotFound) as failure:
                call("config.openshift.io/v1", "ImageDigestMirrorSet", "x")
            assert "does not serve ImageDigestMirrorSet" in failure.value.message

    def test_not_an_openshift_cluster(self, cluster, api):
        api.answer("GET", "/apis/config.openshift.io/v1", refusal(404))
        with pytest.raises(errors.NotFound) as failure:
            cluster.version
        assert "not an OpenShift cluster" in failure.value.message


class TestConnection:
    """No answer at all."""

    def test_an_untrusted_certificate_is_not_tried_again(self, connect, clock, tmp_path, api):
        other = ScriptedApi(tmp_path)
        other.close()
        with pytest.raises(errors.Unreachable) as failure:
            get(connect(ca_cert=str(other.ca)))
        assert "not trusted" in failure.value.message and "ca_cert" in failure.value.message
        assert clock.pauses == []

    def test_a_certificate_for_another_name(self, connect, clock, api):
        with pytest.raises(errors.Unreachable) as failure:
            get(connect(host=api.url.replace("127.0.0.1", "localhost")))
        assert "not trusted" in failure.value.message
        assert clock.pauses == []

    def test_an_untrusted_certificate_in_exec(self, connect, clock, tmp_path, api):
        other = ScriptedApi(tmp_path)
        other.close()
        with pytest.raises(errors.Unreachable) as failure:
            connect(ca_cert=str(other.ca)).exec("mco", "daemon-1", "d", ["true"])
        assert "not trusted" in failure.value.message

    def test_a_host_that_refuses_may_be_restarting(self, connect, clock):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with pytest.raises(errors.Unreachable) as failure:
            get(connect(host="https://127.0.0.1:%d" % port))
        assert "Connection refused" in failure.value.message
        assert cluster_util.PATIENCE_SECONDS / 2 < clock.now() <= cluster_util.PATIENCE_SECONDS

    def test_as_long_as_is_asked_for(self, clock, tmp_path):
        gone = ScriptedApi(tmp_path)
        gone.close()
        with pytest.raises(errors.Unreachable):
            get(Cluster.connect({"host": gone.url, "api_key": TOKEN, "ca_cert": str(gone.ca)}, clock, patience=120))
        assert 60 < clock.now() <= 120

    def test_as_long_as_is_asked_for_once_it_answered(self, api, clock):
        api.answer("GET", SECRET, Drop)
        with pytest.raises(errors.Unreachable):
            get(Cluster.connect({"host": api.url, "api_key": TOKEN, "ca_cert": str(api.ca)}, clock, patience=120))
        assert 60 < clock.now() <= 120

    def test_an_unknown_name_is_reported_soon(self, connect, clock):
        with pytest.raises(errors.Unreachable) as failure:
            get(connect(host="https://api.cluster.invalid:6443"))
        assert "its name is not known" in failure.value.message
        assert 0 < clock.now() <= cluster_util.FIRST_CONTACT_SECONDS

    def test_a_host_that_answered_before_is_waited_for(self, cluster, api, clock):
        api.answer("GET", SECRET, Drop)
        with pytest.raises(errors.Unreachable) as failure:
            get(cluster)
        assert "dropped" in failure.value.message
        assert cluster_util.PATIENCE_SECONDS / 2 < clock.now() <= cluster_util.PATIENCE_SECONDS


class TestTransient:
    @pytest.mark.parametrize("bad", [refusal(500), refusal(502), refusal(503), refusal(504), refusal(429), Drop])
    def test_a_read_is_tried_again(self, cluster, api, bad):
        api.answer("GET", SECRET, bad, bad, Answer(200, {"kind": "Secret"}))
        assert get(cluster) == {"kind": "Secret"}

    def test_discovery_is_tried_again_and_not_taken_for_not_served(self, cluster, api):
        served = Answer(200, {"resources": [{"name": "images", "kind": "Image", "namespaced": False}]})
        api.answer("GET", "/apis/config.openshift.io/v1", refusal(503), served)
        assert cluster.serves("config.openshift.io/v1", "Image")

    def test_retry_after_is_kept(self, cluster, api, clock):
        api.answer("GET", SECRET, Answer(429, {}, Retry_After="7"), Answer(200, {"kind": "Secret"}))
        get(cluster)
        assert clock.pauses == [7]

    @pytest.mark.parametrize("bad", [refusal(503), Drop])
    @pytest.mark.parametrize("method, call", [
        ("PATCH", lambda c: c.merge_patch("v1", "Secret", "pull-secret", {}, "openshift-config")),
        ("PUT", lambda c: c.replace({"apiVersion": "v1", "kind": "Secret", "metadata": {
            "name": "pull-secret", "namespace": "openshift-config"}})),
    ])
    def test_a_write_that_may_be_repeated_is(self, cluster, api, bad, method, call):
        api.answer(method, SECRET, bad, Answer(200, {"kind": "Secret"}))
        assert call(cluster) == {"kind": "Secret"}

    def test_a_create_whose_answer_was_lost(self, cluster, api):
        """The first attempt stored it, so the second meets it: that is a success."""
        obj = secret("pull-secret", data={"a": "YQ=="})
        api.answer("POST", SECRETS, Drop, refusal(409, "already exists"))
        api.answer("GET", SECRET, Answer(200, dict(obj, metadata=dict(obj["metadata"], uid="1"))))
        assert cluster.create(obj)["metadata"]["uid"] == "1"

    def test_a_create_that_meets_another_object(self, cluster, api):
        api.answer("POST", SECRETS, Drop, refusal(409, "already exists"))
        api.answer("GET", SECRET, Answer(200, secret("pull-secret", data={"a": "b3RoZXI="})))
        with pytest.raises(errors.Conflict):
            cluster.create(secret("pull-secret", data={"a": "YQ=="}))

    def test_a_create_that_finds_the_name_taken(self, cluster, api):
        """Even by an equal object: it is somebody else's."""
        obj = secret("pull-secret", data={"a": "YQ=="})
        api.answer("POST", SECRETS, refusal(409, "already exists"))
        api.answer("GET", SECRET, Answer(200, obj))
        with pytest.raises(errors.Conflict):
            cluster.create(obj)

    @pytest.mark.parametrize("labels, ours", [({"a": "b"}, True), ({"a": "b", "old": "c"}, False), ({}, False)])
    def test_a_patch_whose_answer_was_lost(self, cluster, api, labels, ours):
        """The first attempt moved the version, so the second conflicts; whether it was ours shows in the object."""
        patch = {"metadata": {"resourceVersion": "7", "labels": {"a": "b", "old": None}}}
        api.answer("PATCH", SECRET, Drop, refusal(409, "the object has been modified"))
        stored = {"metadata": {"name": "pull-secret", "resourceVersion": "8", "labels": labels}}
        api.answer("GET", SECRET, Answer(200, stored))
        if ours:
            assert cluster.merge_patch("v1", "Secret", "pull-secret", patch, "openshift-config") == stored
        else:
            with pytest.raises(errors.Conflict):
                cluster.merge_patch("v1", "Secret", "pull-secret", patch, "openshift-config")

    def test_a_patch_that_meets_a_change_is_not_looked_into(self, cluster, api):
        api.answer("PATCH", SECRET, refusal(409, "the object has been modified"))
        with pytest.raises(errors.Conflict):
            cluster.merge_patch("v1", "Secret", "pull-secret", {"metadata": {"resourceVersion": "7"}}, "openshift-config")
        assert api.asked("GET") == []

    @pytest.mark.parametrize("answers, existed", [
        ([refusal(404)], False), ([Answer(200)], True), ([Drop, refusal(404)], True), ([refusal(503), Answer(200)], True),
    ])
    def test_delete_tells_whether_there_was_one(self, cluster, api, answers, existed):
        api.answer("DELETE", SECRET, *answers)
        assert cluster.delete("v1", "Secret", "pull-secret", "openshift-config") is existed


class TestOptimistic:
    @staticmethod
    def acting(*outcomes):
        left = list(outcomes)

        def act(decision):
            outcome = left.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
        return act

    def test_gives_up_at_last(self):
        decisions = iter(range(9))
        with pytest.raises(errors.Conflict):
            cluster_util.optimistic(lambda: next(decisions), self.acting(*[errors.Conflict("x")] * 3), attempts=3)
        assert next(decisions) == 3

    def test_another_error_is_not_repeated(self):
        with pytest.raises(errors.Forbidden):
            cluster_util.optimistic(lambda: 1, self.acting(errors.Forbidden("no")))

    def test_a_conflict_in_deciding_is_not_repeated(self):
        decisions = iter([errors.Conflict("theirs")])

        def decide():
            raise next(decisions)
        with pytest.raises(errors.Conflict):
            cluster_util.optimistic(decide, self.acting())

    def test_decides_anew_after_a_conflict(self):
        decisions = iter(["first", "second"])
        assert cluster_util.optimistic(lambda: next(decisions), self.acting(errors.Conflict("x"), None)) == "second"


def secret(name, **more):
    return dict({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "openshift-config"}}, **more)


class TestRequests:
    def test_delete_of_one_version_only(self, cluster, api):
        api.answer("DELETE", SECRET, refusal(409, "the object has been modified"))
        with pytest.raises(errors.Conflict):
            cluster.delete("v1", "Secret", "pull-secret", "openshift-config", resource_version="7")
        assert json.loads(api.requests[-1][4]) == {"preconditions": {"resourceVersion": "7"}}

    def test_few_requests(self, cluster, api):
        """One for each group and version, one for each object; no list of groups, no version."""
        api.answer("GET", SECRET, Answer(200, secret("pull-secret")))
        get(cluster)
        get(cluster)
        assert cluster.get("v1", "ConfigMap", "x", "y") is None
        assert not cluster.serves("v1", "Gadget")
        assert [request[1] for request in api.requests] == [
            "/api/v1", SECRET, SECRET, "/api/v1/namespaces/y/configmaps/x"]

    def test_no_discovery_file_is_left(self, cluster, api, tmp_path, monkeypatch):
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr("tempfile.tempdir", None)
        cluster.serves("v1", "Secret")
        assert list(tmp_path.iterdir()) == []

    def test_merge_patch(self, cluster, api):
        api.answer("PATCH", SECRET, Answer(200, secret("pull-secret")))
        cluster.merge_patch("v1", "Secret", "pull-secret", {"metadata": {"resourceVersion": "7"}}, "openshift-config")
        assert api.requests[-1][3]["Content-Type"] == "application/merge-patch+json"
        assert json.loads(api.requests[-1][4]) == {"metadata": {"resourceVersion": "7"}}

    def test_a_list_in_pages_knows_its_kind(self, cluster, api):
        api.answer("GET", "/api/v1/nodes",
                   Answer(200, {"metadata": {"continue": "next"}, "items": [{"metadata": {"name": "a"}}]}),
                   Answer(200, {"metadata": {}, "items": [{"metadata": {"name": "b"}}]}))
        nodes = cluster.list("v1", "Node", label_selector="role=worker", field_selector="metadata.name!=c")
        assert [(node["apiVersion"], node["kind"], node["metadata"]["name"]) for node in nodes] == [
            ("v1", "Node", "a"), ("v1", "Node", "b")]
        queries = [dict(request[2]) for request in api.requests[1:]]
        assert queries[0] == {"limit": "500", "labelSelector": "role=worker", "fieldSelector": "metadata.name!=c"}
        assert queries[1] == dict(queries[0], **{"continue": "next"})

    def test_a_list_that_expired_is_read_from_its_start(self, cluster, api):
        api.answer("GET", "/api/v1/nodes",
                   Answer(200, {"metadata": {"continue": "next"}, "items": [{"metadata": {"name": "a"}}]}),
                   refusal(410, "too old"),
                   Answer(200, {"metadata": {}, "items": [{"metadata": {"name": "b"}}]}))
        assert [node["metadata"]["name"] for node in cluster.list("v1", "Node")] == ["b"]

    def test_an_empty_list_may_be_null(self, cluster, api):
        api.answer("GET", "/api/v1/nodes", Answer(200, {"metadata": {}, "items": None}))
        assert cluster.list("v1", "Node") == []

    def test_raw(self, cluster, api):
        path = "/api/v1/nodes/n/proxy/logs/journal"
        api.answer("GET", path, Answer(200, 'Trying to access \\"mirror/a\\"\n', Content_Type="text/plain"))
        assert cluster.raw(path, [("unit", "crio"), ("since", "5 min")]) == 'Trying to access \\"mirror/a\\"\n'
        assert api.requests[-1][2] == [("unit", "crio"), ("since", "5 min")]

    @pytest.mark.parametrize("history, version, minor", [
        ([("Partial", "4.17.1"), ("Completed", "4.16.30"), ("Completed", "4.15.2")], "4.16.30", (4, 16)),
        ([("Partial", "4.21.0-rc.1")], "4.21.0-rc.1", (4, 21)),
        ([], "4.21.0-rc.1", (4, 21)),
    ])
    def test_version(self, cluster, api, history, version, minor):
        api.answer("GET", "/apis/config.openshift.io/v1/clusterversions/version", Answer(200, {"status": {
            "desired": {"version": "4.21.0-rc.1"},
            "history": [{"state": state, "version": number} for state, number in history]}}))
        assert cluster.version == version
        assert cluster.minor == minor
        assert len(api.requests) == 2


class TestExec:
    def test_streams_and_exit_code(self, cluster, api):
        api.answer("GET", EXEC, Exec((1, b"half a l"), (2, b"oops"), (1, b"ine\n"), (3, json.dumps({
            "status": "Failure", "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": "3"}]}}).encode())))
        assert cluster.exec("mco", "daemon-1", "d", ["cat", "/a b", "--x=1&2"]) == ExecResult(3, "half a line\n", "oops")
        assert api.requests[-1][2] == [("container", "d"), ("stdout", "true"), ("stderr", "true"),
                                       ("command", "cat"), ("command", "/a b"), ("command", "--x=1&2")]

    def test_much_output(self, cluster, api):
        api.answer("GET", EXEC, Exec(*[(1, bytes([65 + n % 26]) * 60000) for n in range(50)], SUCCESS))
        result = cluster.exec("mco", "daemon-1", "d", ["cat", "big"])
        assert (result.rc, len(result.stdout), result.stdout[-1]) == (0, 3000000, "X")

    def test_bytes_that_are_no_text(self, cluster, api):
        api.answer("GET", EXEC, Exec((1, b"\xff\xc3"), (1, b"\xa9"), SUCCESS))
        assert cluster.exec("mco", "daemon-1", "d", ["cat"]).stdout == "\\xff\u00e9"

    def test_no_farewell_after_the_status(self, cluster, api):
        api.answer("GET", EXEC, Exec((1, b"a"), SUCCESS, close=False))
        assert cluster.exec("mco", "daemon-1", "d", ["cat"]) == ExecResult(0, "a", "")

    def test_a_command_that_does_not_exist(self, cluster, api):
        api.answer("GET", EXEC, Exec((3, b'{"status":"Failure","message":"executable file not found in $PATH"}')))
        with pytest.raises(errors.Error) as failure:
            cluster.exec("mco", "daemon-1", "d", ["nope"])
        assert "executable file not found" in failure.value.message and "daemon-1" in failure.value.message

    def test_a_connection_that_drops_is_not_taken_for_the_whole_file(self, cluster, api):
        api.answer("GET", EXEC, Exec((1, b"half"), close=False))
        with pytest.raises(errors.Unreachable):
            cluster.exec("mco", "daemon-1", "d", ["cat"])

    def test_a_command_that_does_not_end(self, connect, api):
        api.answer("GET", EXEC, Exec((1, b"a"), SUCCESS, pause=2))
        with pytest.raises(errors.TimedOut) as failure:
            connect().exec("mco", "daemon-1", "d", ["cat"], timeout=0.2)
        assert "did not end" in failure.value.message

    def test_forbidden_names_both_verbs(self, cluster, api):
        """Up to Kubernetes 1.34 a command by websocket needs "get", later "create" as well."""
        api.answer("GET", EXEC, refusal(403, 'User "v" cannot get resource "pods/exec"'))
        with pytest.raises(errors.Forbidden) as failure:
            cluster.exec("mco", "daemon-1", "d", ["cat"])
        assert 'verbs "get" and "create" on "pods/exec"' in failure.value.message

    @pytest.mark.parametrize("status, error", [(403, errors.Forbidden), (404, errors.NotFound)])
    def test_refused(self, cluster, api, status, error):
        api.answer("GET", EXEC, refusal(status, 'pods "daemon-1" is forbidden'))
        with pytest.raises(error) as failure:
            cluster.exec("mco", "daemon-1", "d", ["cat"])
        assert "pods/exec" in failure.value.message
        assert TOKEN not in failure.value.message

    @pytest.mark.parametrize("bad", [refusal(503), Drop])
    def test_connecting_is_tried_again(self, cluster, api, bad):
        api.answer("GET", EXEC, bad, Exec((1, b"a"), SUCCESS))
        cluster.serves("v1", "Secret")
        assert cluster.exec("mco", "daemon-1", "d", ["cat"]).stdout == "a"

    def test_many_at_once(self, cluster, api):
        """Each call gets its own pod's answer, while others read objects."""
        for number in range(20):
            api.answer("GET", EXEC.replace("daemon-1", "p%d" % number), Exec((1, b"%d" % number), SUCCESS, pause=0.02))
        api.answer("GET", SECRET, Answer(200, secret("pull-secret")))

        def work(number):
            assert get(cluster)["metadata"]["name"] == "pull-secret"
            return cluster.exec("mco", "p%d" % number, "d", ["cat"]).stdout
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            assert list(pool.map(work, range(20))) == [str(number) for number in range(20)]


def test_argument_spec_keeps_what_is_secret_secret_and_reads_the_environment():
    spec = cluster_util.ARGUMENT_SPEC
    assert {name for name, option in spec.items() if option.get("no_log")} >= {"api_key", "password", "kubeconfig"}
    assert set(spec) - set(cluster_util.ENVIRONMENT) == {"kubeconfig", "proxy_headers"}
    assert spec["ca_cert"]["fallback"][1] == ["K8S_AUTH_CA_CERT", "K8S_AUTH_SSL_CA_CERT"]


def test_argument_spec_is_what_the_fragment_documents():
    """Galaxy renders no module of a collection one of whose modules extends a fragment of another collection."""
    def described(options, inner):
        return {name: (option.get("type", "str"), option.get("elements"), tuple(option.get("aliases", ())),
                       described(option.get(inner) or {}, inner)) for name, option in options.items()}

    documented = yaml.safe_load(fragment.ModuleDocFragment.DOCUMENTATION)["options"]
    assert described(documented, "suboptions") == described(cluster_util.ARGUMENT_SPEC, "options")
    for path in sorted(pathlib.Path(cluster_util.__file__).parents[1].glob("modules/*.py")):
        extended = re.search(r"^extends_documentation_fragment:\n((?:  - .*\n)+)", path.read_text(), re.M)[1].split()[1::2]
        assert extended and all(name.startswith("disconnected.openshift.") for name in extended), path.name


class TestTrust:
    def test_what_python_3_13_asks_of_certificates_and_oc_does_not_is_not_asked(self, connect, api, monkeypatch):
        """The certificate of the server has no key identifier, that of the CA no key usage."""
        def strict(*args, **kwargs):
            context = made(*args, **kwargs)
            context.verify_flags |= ssl.VERIFY_X509_STRICT
            return context

        made = urllib3.connection.create_urllib3_context
        monkeypatch.setattr(urllib3.connection, "create_urllib3_context", strict)
        api.answer("GET", SECRET, Answer(200, secret("pull-secret")))
        assert get(connect())["metadata"]["name"] == "pull-secret"

    @pytest.mark.parametrize("options", [["ca_cert"], ["client_cert", "client_key"]])
    def test_files_that_hold_no_certificate(self, connect, tmp_path, options):
        (tmp_path / "rubbish").write_text("rubbish")
        with pytest.raises(errors.InvalidInput, match="must be in PEM form"):
            connect(**dict.fromkeys(options, str(tmp_path / "rubbish")))

    def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(self, connect, tmp_path):
        cert, key = certificate("client", ca=False)
        (tmp_path / "client.crt").write_bytes(pem(cert))
        (tmp_path / "client.key").write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")))
        with pytest.raises(errors.InvalidInput, match="without a passphrase"):
            connect(client_cert=str(tmp_path / "client.crt"), client_key=str(tmp_path / "client.key"))
