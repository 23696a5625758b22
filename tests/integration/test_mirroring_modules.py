# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mirror's modules: from a release and a catalog to a proved mirror, and what they say of bad input."""
from __future__ import annotations

import base64
import contextlib
import http.server
import json
import shutil
import ssl
import subprocess
import threading

import pytest

from mirroring import PASSWORD, USER, auth, htpasswd, world, write_auth
from ansible_collections.disconnected.openshift.plugins.module_utils import errors
from ansible_collections.disconnected.openshift.plugins.module_utils.registry import Registries
from ansible_collections.disconnected.openshift.plugins.modules import mirror_images, mirror_plan, registry_info
from ansible_collections.disconnected.openshift.tests.unit import fake_module
from faults import proxy
from faults.registries import Registry, free_port
from faults.trust import Authority, TokenServer
from lab import catalogs, content, images, payload
from lab.settings import Settings

MIRROR = "mirror.example.com:8443"


@pytest.fixture
def here(tmp_path):
    with world(tmp_path) as both:
        both.content = content.make(both.source.host, Settings())
        both.shelf = both.content.shelf
        both.put()
        yield both


@pytest.fixture
def plan(here, capsys):
    """Runs mirror_plan with everything that there is, unless told otherwise."""
    def run(check_mode=False, diff=False, **args):
        args = dict(dict(registry=MIRROR, release_images=[here.content.release_image], signature_stores=[],
                         catalogs=[here.content.catalogs[0]], images=list(here.content.images),
                         plain_http=[here.source.host, here.target.host]), **args)
        return fake_module.run(mirror_plan, capsys, args, check_mode=check_mode, diff=diff)
    return run


@pytest.fixture
def mirror(here, capsys):
    def run(plan, check_mode=False, **args):
        args = dict(dict(plain_http=[here.source.host, here.target.host], **({} if plan is None else {"plan": plan})),
                    **args)
        return fake_module.run(mirror_images, capsys, args, check_mode=check_mode)
    return run


# The plan

def test_a_release_goes_where_oc_puts_it(here, plan):
    result = plan(catalogs=[], images=[])
    targets = {item["target"]: item for item in result["plan"]}
    version = here.content.release_version
    release = targets["%s/ocp/release:%s-x86_64" % (MIRROR, version)]
    assert release["source"] == here.content.release_image and release["kind"] == "release"
    for name, reference in here.content.components.items():
        assert targets["%s/ocp/release:%s-x86_64-%s" % (MIRROR, version, name)]["source"] == reference
    signature = "%s/ocp/release:%s.sig" % (MIRROR, here.content.release_image.partition("@")[2].replace(":", "-"))
    assert targets[signature]["kind"] == "signature"
    assert result["totals"] == {"images": len(targets), "release": 1, "component": len(here.content.components),
                                "signature": 1, "catalog": 0, "operand": 0, "image": 0}
    assert result["mirrors"] == [
        {"source": "%s/%s" % (here.source.host, path), "mirrors": [MIRROR + "/ocp/release"], "by": "digest"}
        for path in (payload.RELEASE, payload.COMPONENTS)]


def test_a_release_by_tag_is_the_same_plan(here, plan):
    def copies(**args):
        return [(item["source"], item["target"]) for item in plan(catalogs=[], images=[], **args)["plan"]]

    assert copies(release_images=[here.content.release_tag]) == copies()


def test_several_releases_share_their_repository_and_rules(here, plan):
    minor = (4, 16)
    later = payload.release(here.shelf, "4.16.99", payload.components(here.shelf, "4.16.99", minor))
    here.put()
    one = plan(catalogs=[], images=[])
    both = plan(release_images=[here.content.release_image, later.reference, here.content.release_tag], catalogs=[], images=[])
    assert both["totals"]["release"] == 2 and both["totals"]["signature"] == 2
    assert both["totals"]["component"] == 2 * one["totals"]["component"]
    assert [item for item in both["plan"] if item in one["plan"]] == one["plan"]
    assert MIRROR + "/ocp/release:4.16.99-x86_64-etcd" in {item["target"] for item in both["plan"]}
    assert both["mirrors"] == one["mirrors"] and both["repositories"] == ["ocp/release"]


def test_only_the_last_layer_of_a_release_is_read(here, plan):
    here.forget()
    plan(catalogs=[], images=[])
    assert here.source.count("GET", "/blobs/") == 2  # the configuration, and the layer with the release's manifests


def test_a_catalog_brings_what_its_documents_name(here, plan):
    result = plan(release_images=[], images=[])
    offered = {image for operator in here.content.operators for image in [operator.bundle, *operator.images.values()]}
    planned = {item["source"] for item in result["plan"]} | {
        "%s:%s" % (item["source"].partition("@")[0], item["source_tag"]) for item in result["plan"]}
    assert offered <= planned
    assert result["plan"][0]["target"] == MIRROR + "/olm/redhat-redhat-operator-index:v4.16"
    assert result["catalog_sources"] == [{
        "name": "redhat-operator-index", "image": MIRROR + "/olm/redhat-redhat-operator-index:v4.16",
        "digest": result["plan"][0]["source"].partition("@")[2], "source": here.content.catalogs[0]}]
    tags = [rule for rule in result["mirrors"] if rule["by"] == "tag"]
    assert [rule["source"] for rule in tags] == [here.source.host + "/openshift-gitops-1/console-plugin-rhel8"]
    assert result["unresolved"] == []


def test_images_keep_their_path_and_tag(here, plan):
    result = plan(release_images=[], catalogs=[])
    by_digest, by_tag = result["plan"]
    assert by_tag["target"] == MIRROR + "/apps/inventory:2.4"
    assert by_tag["source_tag"] == "2.4" and "@sha256:" in by_tag["source"]
    assert by_digest["target"].startswith(MIRROR + "/apps/shop/frontend:")
    assert by_digest["source"] == here.content.images[0]


@pytest.mark.parametrize("option,value,words", [
    ("release_images", "apps/inventory:2.4", ["is not a release image", "release-manifests/image-references"]),
    ("release_images", "apps/nothing:1", ["does not exist", "apps/nothing:1"]),
    ("catalogs", "apps/inventory:2.4", ["is not an Operator catalog", catalogs.CONFIGS_LABEL]),
    ("images", "Apps/Upper", ["is not an image reference"]),
])
def test_what_is_not_what_it_should_be(here, plan, option, value, words):
    result = plan(**{option: [here.source.host + "/" + value]})
    assert result["failed"] and all(word in result["msg"] for word in words)


def test_a_sqlite_catalog_brings_what_its_tables_name(here, plan):
    legacy, = here.content.sqlite_catalogs
    result = plan(release_images=[], catalogs=[legacy], images=[])
    paths = {item["source"].partition("@")[0].partition("/")[2] for item in result["plan"]}
    assert paths == {"acme/legacy-operator-index", "acme/store-operator-bundle", "acme/store-operator",
                     "acme/store/backend", "rhel8/postgresql-13"}
    newest = plan(release_images=[], images=[], catalogs=[
        {"index": legacy, "packages": [{"name": "acme-store", "channels": ["alpha"], "heads_only": True}]}])
    # of two versions one is left: its bundle and two operands less
    assert newest["totals"]["operand"] == result["totals"]["operand"] - 3
    refused = plan(release_images=[], images=[], catalogs=[{"index": legacy, "packages": ["acme-stor"]}])
    assert refused["failed"] and "There is: acme-store." in refused["msg"]


@pytest.mark.parametrize("layer,words", [
    (images.layer({"database/index.db": b"no database at all"}), "its database cannot be used"),
    (images.layer({"database/index.db": b""}), "no such table"),
    (images.layer({"elsewhere": b""}), "has no file /database/index.db"),
])
def test_a_sqlite_catalog_that_is_none(here, plan, layer, words):
    here.shelf.image("acme/broken", [layer], tag="1", labels={catalogs.DATABASE_LABEL: "/database/index.db"})
    here.put()
    result = plan(release_images=[], images=[], catalogs=[here.source.host + "/acme/broken:1"])
    assert result["failed"] and words in result["msg"] and "/acme/broken:1" in result["msg"]


def test_packages_and_channels_are_picked(here, plan):
    index = here.content.catalogs[0]

    def operands(packages):
        result = plan(release_images=[], images=[], catalogs=[{"index": index, "packages": packages}])
        return {item["source"].partition("/")[2].partition("@")[0] for item in result["plan"]
                if item["kind"] == "operand"}, len(result["plan"])

    terminal, _count = operands(["web-terminal"])
    assert terminal == {"web-terminal/web-terminal-operator-bundle", "web-terminal/web-terminal-rhel8-operator",
                        "web-terminal/web-terminal-exec-rhel8", "openshift4/ose-kube-rbac-proxy"}
    quay = {"name": "quay-operator", "channels": ["stable-3.11"]}
    assert operands([quay])[1] == operands([dict(quay, heads_only=True)])[1] + 2 * 4


def test_another_pick_is_another_plan(here, plan, tmp_path):
    args = dict(dest=str(tmp_path / "plan.json"), release_images=[], images=[])
    index = here.content.catalogs[0]
    plan(catalogs=[{"index": index, "packages": ["web-terminal"]}], **args)
    assert plan(catalogs=[{"index": index, "packages": ["quay-operator"]}], **args)["changed"]
    here.forget()
    assert not plan(catalogs=[{"index": index, "packages": ["quay-operator"]}], **args)["changed"]
    assert here.source.count("GET") == 0


def test_signatures_become_a_config_map(here, plan, tmp_path):
    digest = here.content.release_image.partition("@")[2]
    directory = tmp_path / "store" / digest.replace(":", "=")
    directory.mkdir(parents=True)
    for number in (1, 2):
        (directory / ("signature-%d" % number)).write_bytes(b"signature %d" % number)
    with serve(tmp_path / "store") as store:
        args = dict(catalogs=[], images=[], dest=str(tmp_path / "plan.json"))
        unreachable = plan(signature_stores=["http://localhost:%d" % free_port()], **args)
        assert unreachable["signature_config_maps"] == [] and "No signature of" in str(unreachable["warnings"])
        result = plan(signature_stores=[store + "/nothing", store + "/"], **args)
        name = digest.replace(":", "-")
        config_map, = result["signature_config_maps"]
        assert config_map["metadata"] == {
            "name": name, "namespace": "openshift-config-managed",
            "labels": {"release.openshift.io/verification-signatures": ""}}
        assert {key: base64.b64decode(value) for key, value in config_map["binaryData"].items()} == {
            name + "-1": b"signature 1", name + "-2": b"signature 2"}
    assert plan(signature_stores=["http://localhost:1"], **args)["signature_config_maps"] == [config_map]


@contextlib.contextmanager
def serve(directory):
    """The address of a web server with the files of a directory."""
    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(directory))

        def log_message(self, *_message):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield "http://127.0.0.1:%d" % server.server_port
        server.shutdown()


@pytest.fixture
def archived(here, plan, mirror, tmp_path):
    """An archive of everything, planned for another name of the mirror registry than it has on its own side."""
    dest = str(tmp_path / "archive.plan.json")
    plan(dest=dest, signature_stores=[])
    written = mirror(None, plan_file=dest, mode="to_disk", archive=str(tmp_path / "archive"))
    assert not written.get("failed"), written
    return str(tmp_path / "archive")


def test_through_disk_to_a_mirror_of_another_name(here, plan, mirror, archived):
    there = plan(archive=archived, registry=here.target.host)
    assert not there.get("failed"), there
    assert {item["target"].partition("/")[0] for item in there["plan"]} == {here.target.host}
    here.forget()
    direct = plan(registry=here.target.host)
    assert [there[key] for key in ("plan", "mirrors", "catalog_sources", "repositories", "totals")] == [
        direct[key] for key in ("plan", "mirrors", "catalog_sources", "repositories", "totals")]
    here.forget()
    done = mirror(there["plan"], mode="from_disk", archive=archived)
    assert done["counts"]["done"] == len(there["plan"]), done
    assert here.source.count() == 0
    assert mirror(direct["plan"])["counts"]["present"] == len(direct["plan"])


@pytest.mark.parametrize("option,value,words", [
    ("release_images", "openshift-release-dev/ocp-release:4.17.0-x86_64", "has no release"),
    ("release_images", "openshift-release-dev/ocp-release@sha256:" + "0" * 64, "has no release"),
    ("catalogs", "redhat/redhat-operator-index:v4.17", "has no catalog"),
    ("images", "apps/other:1", "has no image"),
])
def test_an_archive_for_something_else_is_named(here, plan, archived, option, value, words):
    result = plan(archive=archived, **{option: [here.source.host + "/" + value]})
    assert result["failed"] and words in result["msg"] and value in result["msg"] and "It has: " in result["msg"]


def test_an_archive_answers_to_a_releases_tag_or_digest(here, plan, archived):
    for release in (here.content.release_image, here.content.release_tag):
        assert plan(archive=archived, release_images=[release])["totals"]["release"] == 1
    assert plan(archive=archived, release_images=[], catalogs=[], images=[])["totals"]["release"] == 1
    assert "There is no archive" in plan(archive="/nowhere")["msg"]


@pytest.mark.parametrize("registry", ["https://mirror.example.com", "mirror.example.com/ns", "Mirror.example.com",
                                      "image-registry.openshift-image-registry.svc:5000"])
def test_a_name_that_cannot_be_a_mirror(plan, registry):
    assert plan(registry=registry)["failed"]


def test_a_damaged_release_layer_is_not_believed(here, plan):
    here.source.inject(proxy.corrupt(), "GET", "/openshift-release-dev/ocp-release/blobs/")
    result = plan(catalogs=[], images=[])
    assert result["failed"] and "damaged" in result["msg"]


def test_a_plan_file_spares_the_second_reading(here, plan, mirror, tmp_path):
    dest = str(tmp_path / "plan.json")
    first = plan(dest=dest, diff=True)
    assert first["changed"] and first["diff"]["before"] == ""
    assert len(first["diff"]["after"].splitlines()) == len(first["plan"])
    here.forget()
    second = plan(dest=dest)
    assert second["plan"] == first["plan"] and not second["changed"]
    assert here.source.count("GET") == 0
    assert not plan(dest=dest, images=[])["plan"] == first["plan"]
    assert plan(dest=str(tmp_path / "other.json"), check_mode=True)["changed"]
    assert not (tmp_path / "other.json").exists()


def test_a_tag_that_moved_changes_a_kept_plan(here, plan, tmp_path):
    dest = str(tmp_path / "plan.json")
    first = plan(dest=dest)
    here.shelf.image("apps/inventory", [images.bulk("newer", 1000)], tag="2.4")
    here.put()
    second = plan(dest=dest)
    assert second["changed"]
    assert [i["target"] for i in second["plan"]] == [i["target"] for i in first["plan"]]
    assert sum(a != b for a, b in zip(first["plan"], second["plan"])) == 1


# A plan of what is mirrored already

def outcome(result):
    return {name: result[name] for name in ("plan", "mirrors", "catalog_sources", "repositories", "totals", "unresolved")}


@pytest.mark.parametrize("named", ["release_image", "release_tag"])
def test_what_is_mirrored_is_planned_without_asking_where_it_came_from(here, plan, mirror, named):
    wanted = {"registry": here.target.host, "release_images": [getattr(here.content, named)]}
    planned = plan(**wanted)
    assert mirror(planned["plan"])["changed"]
    here.forget()
    assert outcome(plan(mirrored_first=True, **wanted)) == outcome(planned)
    assert here.source.count() == 0


def test_what_is_not_mirrored_yet_is_asked_for_where_it_comes_from(here, plan, mirror):
    planned = plan(registry=here.target.host)
    assert outcome(plan(registry=here.target.host, mirrored_first=True)) == outcome(planned)
    mirror([item for item in planned["plan"] if item["kind"] in ("release", "component", "signature")])
    assert outcome(plan(registry=here.target.host, mirrored_first=True)) == outcome(planned)


def test_an_index_by_its_digest_is_found_on_the_mirror(here, plan, mirror):
    index, _colon, _tag = here.content.catalogs[0].rpartition(":")
    digest = plan(release_images=[], images=[])["catalog_sources"][0]["digest"]
    wanted = {"registry": here.target.host, "release_images": [], "images": [], "catalogs": ["%s@%s" % (index, digest)]}
    planned = plan(**wanted)
    mirror(planned["plan"])
    here.forget()
    assert outcome(plan(mirrored_first=True, **wanted)) == outcome(planned)
    assert here.source.count() == 0


def test_a_tag_that_moved_since_is_what_the_mirror_has(here, plan, mirror):
    planned = plan(registry=here.target.host)
    mirror(planned["plan"])
    here.shelf.image("apps/inventory", [images.bulk("newer", 1000)], tag="2.4")
    here.put()
    assert outcome(plan(registry=here.target.host, mirrored_first=True)) == outcome(planned)
    assert plan(registry=here.target.host)["plan"] != planned["plan"]


# What the tools themselves say, where they are on PATH

@pytest.fixture
def oc(tmp_path):
    """Runs the OpenShift client in a directory of its own."""
    if shutil.which("oc") is None:
        pytest.skip("there is no oc on PATH to compare with")

    def run(*arguments):
        (tmp_path / "auth.json").write_text('{"auths":{}}')
        done = subprocess.run(["oc", "adm", *arguments, "--insecure", "-a", "auth.json"], cwd=tmp_path, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout
    return run


def test_oc_would_put_a_release_there(here, plan, oc):
    told = oc("release", "mirror", "--from", here.content.release_image, "--to", MIRROR + "/ocp/release", "--to-mirror")
    theirs = {target: source for source, target in (line.split() for line in told.splitlines() if "@" in line)}
    ours = {item["target"]: item["source"] for item in plan(catalogs=[], images=[])["plan"] if item["kind"] != "signature"}
    assert ours == theirs


def test_oc_would_put_catalogs_there(here, plan, oc, tmp_path):
    for index in (here.content.catalogs[0], here.content.sqlite_catalogs[0]):
        oc("catalog", "mirror", index, MIRROR + "/olm", "--manifests-only", "--to-manifests", "manifests")
        lines = (tmp_path / "manifests/mapping.txt").read_text().splitlines()
        theirs = {target: source for source, target in (line.split("=") for line in lines)}
        items = plan(release_images=[], images=[], catalogs=[index])["plan"]
        ours = {item["target"]: item["source"].partition("@")[0] + ":" + item["source_tag"] if item["source_tag"]
                else item["source"] for item in items}
        assert ours == theirs


# Carrying it out

def test_everything_planned_arrives_and_stays(here, plan, mirror):
    planned = plan(registry=here.target.host)["plan"]
    before = mirror(planned, check_mode=True)
    assert before["changed"] and before["counts"]["missing"] == len(planned) == len(before["missing"])
    assert here.target.count("POST|PUT|PATCH") == 0
    done = mirror(planned)
    assert done["changed"]
    assert done["counts"] == {"present": 0, "done": len(planned), "missing": 0, "failed": 0, "total": len(planned)}
    assert done["missing"] == [] == done["failures"]
    assert done["bytes_received"] <= here.unique
    again = mirror(planned)
    assert not again["changed"] and again["requests"] == len(planned)
    assert here.content.release_version + "-x86_64" in here.mirror.tags("ocp/release")


def test_a_missing_operand_fails_the_task_and_nothing_else(here, plan, mirror):
    here.source.inject(proxy.status(404, "MANIFEST_UNKNOWN"), path="/console-plugin-rhel8/manifests/v")
    planned = plan(registry=here.target.host)
    assert len(planned["unresolved"]) == 2 and "console-plugin-rhel8" in planned["unresolved"][0]["reason"]
    result = mirror(planned["plan"])
    assert result["failed"]
    assert result["counts"]["failed"] == 2 and result["counts"]["done"] == len(planned["plan"]) - 2
    assert all("console-plugin-rhel8" in target for target in result["missing"])
    assert "2 of %d images" % len(planned["plan"]) in result["msg"] and "console-plugin-rhel8:v" in result["msg"]


def test_a_plan_file_is_carried_out(here, plan, capsys, tmp_path):
    dest = str(tmp_path / "plan.json")
    plan(dest=dest, registry=here.target.host, catalogs=[], release_images=[])
    args = dict(plan_file=dest, plain_http=[here.source.host, here.target.host])
    assert fake_module.run(mirror_images, capsys, args)["counts"]["done"] == 2
    for bad in ("nowhere.json", "ca.pem"):
        (tmp_path / "ca.pem").write_text("[]")
        result = fake_module.run(mirror_images, capsys, dict(plan_file=str(tmp_path / bad)))
        assert result["failed"] and bad in result["msg"]


def test_bounds_that_are_none(mirror):
    for count in (0, "many", True):
        result = mirror([], registry_workers={"quay.io": count})
        assert result["failed"] and "registry_workers" in result["msg"] and "quay.io" in result["msg"]
    assert mirror([], registry_workers={"quay.io": "2"})["counts"]["total"] == 0


def test_an_empty_plan_is_done(mirror):
    assert mirror([])["counts"]["total"] == 0


def test_an_auth_file_that_cannot_be_used(here, mirror, tmp_path):
    assert "does not exist" in mirror([], auth_file=str(tmp_path / "none"))["msg"]
    (tmp_path / "auth.json").write_text('{"auths": {"a": {"auth": "!"')
    assert "not valid JSON" in mirror([], auth_file=str(tmp_path / "auth.json"))["msg"]


# What stands before it

@pytest.fixture
def trust(tmp_path):
    return Authority(tmp_path / "trust")


@contextlib.contextmanager
def registry(tmp_path, trust, **leaf):
    certificate, key, _key, _certificate = trust.issue("registry", **leaf)
    with Registry(tmp_path / "tls", htpasswd=htpasswd(tmp_path / "htpasswd"), tls=(certificate, key)) as it:
        yield it


def examine(capsys, registry, **args):
    return fake_module.run(registry_info, capsys, dict(dict(registry=registry.host, fail=False), **args),
                           check_mode=args.pop("check_mode", False))


def test_a_registry_in_order(tmp_path, trust, capsys):
    with registry(tmp_path, trust) as it:
        foreign = "\ufeff# F\u0151tan\u00fas\u00edtv\u00e1ny\n" + trust.path.read_text()  # as bundles and editors have it
        for given in (dict(ca_files=[str(trust.path)]), dict(ca_content=trust.path.read_text()), dict(ca_content=foreign)):
            result = examine(capsys, it, username=USER, password=PASSWORD, check=["digest", "push", "auth", "tls"],
                             repositories=["ocp/release", "olm/a", "olm/b/c"], **given)
            assert result["ok"], result
            assert [(f["check"], f["repository"]) for f in result["findings"]] == [
                ("name", ""), ("tls", ""), ("auth", ""), ("push", "olm/b/c"), ("push", "ocp/release"),
                ("digest", "olm/b/c")]
        assert not it.unfinished_uploads()
        assert PASSWORD not in json.dumps(result)


@pytest.mark.parametrize("leaf,words", [
    (dict(names=("elsewhere",), addresses=()), "does not cover this host name"),
    (dict(ends_in=-1), "expired"),
])
def test_a_bad_certificate(tmp_path, trust, capsys, leaf, words):
    with registry(tmp_path, trust, **leaf) as it:
        result = examine(capsys, it, ca_files=[str(trust.path)])
        assert not result["ok"]
        assert [f["check"] for f in result["findings"]] == ["name", "tls"]
        finding = result["findings"][-1]
        assert "certificate of %s is not accepted" % it.host in finding["reason"] and words in finding["remedy"]


def test_the_wrong_ca(tmp_path, trust, capsys):
    with registry(tmp_path, trust) as it:
        other = Authority(tmp_path / "other", "Other CA")
        for given in (dict(), dict(ca_files=[str(other.path)])):
            finding = examine(capsys, it, **given)["findings"][-1]
            assert not finding["ok"] and "Give" in finding["remedy"] and "CA" in finding["remedy"]


class TestChain:
    """What nodes could complete a chain from is what the registry sends and the CA that they are given, nothing else."""

    @pytest.fixture
    def chain(self, tmp_path):
        """Runs the check against a registry whose certificate an intermediate CA signed, and which sends what it is told to."""
        root = Authority(tmp_path / "root", "Root CA")
        issuing = Authority(tmp_path / "issuing", "Issuing CA", root)
        leaf, key, _key, _certificate = issuing.issue("registry")
        texts = {"leaf": leaf.read_text(), "issuing": issuing.path.read_text(), "root": root.path.read_text()}

        def check(capsys, sends, given, check=("chain", "tls"), **more):
            bundle = tmp_path / "sends.pem"
            bundle.write_text("".join(texts[part] for part in sends.split()))
            with Registry(tmp_path / "data", tls=(bundle, key)) as it:
                args = dict({"ca_content": "".join(texts.get(part, "") for part in given.split())}, check=list(check), **more)
                return [finding for finding in examine(capsys, it, **args)["findings"] if finding["check"] != "name"]
        return check

    @pytest.mark.parametrize("sends,given", [
        ("leaf issuing", "root"), ("leaf", "root issuing"), ("leaf", "issuing"), ("leaf issuing root", "root"),
        ("leaf issuing", "issuing"),
    ])
    def test_whole(self, capsys, chain, sends, given):
        assert [(f["check"], f["ok"]) for f in chain(capsys, sends, given)] == [("chain", True), ("tls", True)]

    def test_an_intermediate_that_nobody_has(self, capsys, chain):
        finding, = chain(capsys, "leaf", "root")
        assert (finding["check"], finding["ok"]) == ("chain", False)
        assert "was issued by CN=Issuing CA" in finding["reason"] and finding["reason"].endswith("the CA given: CN=Root CA.")
        assert "have the registry send" in finding["remedy"] and "into the CA file" in finding["remedy"]

    def test_what_this_host_knows_beside_does_not_count(self, capsys, chain, tmp_path, monkeypatch):
        """The host's own roots hold the intermediate, so that everything works here, and would on no node."""
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "issuing" / "ca.pem"))
        assert [f["ok"] for f in chain(capsys, "leaf", "root", check=["tls"])] == [True]
        assert [(f["check"], f["ok"]) for f in chain(capsys, "leaf", "root")] == [("chain", False)]

    def test_a_ca_that_has_nothing_to_do_with_it(self, capsys, chain, tmp_path):
        other = Authority(tmp_path / "other", "Other CA")
        finding, = chain(capsys, "leaf issuing", "", ca_files=[str(other.path)])
        assert not finding["ok"] and "CN=Issuing CA" in finding["reason"] and "CN=Other CA" in finding["reason"]

    def test_a_ca_made_anew_under_its_old_name(self, capsys, chain, tmp_path):
        anew = Authority(tmp_path / "anew", "Issuing CA")
        finding, = chain(capsys, "leaf", "", ca_files=[str(anew.path)])
        assert not finding["ok"] and "not with the key of the CA certificate given" in finding["reason"]

    def test_without_a_ca_there_is_no_chain_to_look_at(self, capsys, chain):
        assert [f["check"] for f in chain(capsys, "leaf issuing", "")] == ["tls"]

    def test_nobody_answers(self, capsys, tmp_path, trust):
        args = dict(registry="localhost:1", ca_files=[str(trust.path)], check=["chain"], fail=False)
        finding = fake_module.run(registry_info, capsys, args)["findings"][-1]
        assert finding["check"] == "chain" and "connection refused" in finding["reason"]


def test_ca_files_that_cannot_be_used(tmp_path, trust, capsys):
    with registry(tmp_path, trust) as it:
        assert "does not exist" in examine(capsys, it, ca_files=["/nowhere/ca.pem"])["msg"]
        (tmp_path / "ca.der").write_bytes(b"\x30\x82")
        assert "no PEM certificate" in examine(capsys, it, ca_files=[str(tmp_path / "ca.der")])["msg"]
        assert "no PEM certificate" in examine(capsys, it, ca_content="junk")["msg"]


def test_wrong_credentials_fail_the_task(tmp_path, trust, capsys):
    with registry(tmp_path, trust) as it:
        result = examine(capsys, it, ca_files=[str(trust.path)], username=USER, password="not-the-password", fail=True)
        assert result["failed"]
        assert "does not accept the credentials (401). Check user and password" in result["msg"]
        assert "not-the-password" not in json.dumps(dict(result, invocation=None))
        result = examine(capsys, it, ca_files=[str(trust.path)])
        assert "without credentials" in result["findings"][-1]["reason"]


def test_no_right_to_push(tmp_path, capsys):
    with world(tmp_path) as here:
        here.target.inject(proxy.status(403, "DENIED"), "POST", "/olm/")
        auth_file = write_auth(tmp_path / "auth.json", auth(here.target.host))
        result = fake_module.run(registry_info, capsys, dict(
            registry=here.target.host, plain_http=[here.target.host], auth_file=str(auth_file), fail=False,
            repositories=["ocp/release", "olm/x"]))
        allowed, denied = result["findings"][-2:]
        assert (allowed["repository"], allowed["ok"]) == ("ocp/release", True)
        assert (denied["repository"], denied["ok"]) == ("olm/x", False)
        assert "no right to start an upload" in denied["reason"] and "Grant it" in denied["remedy"]
        for words in ("the organization olm must exist", "the project olm must exist", "Artifactory", "Nexus"):
            assert words in denied["remedy"]


def test_oc_is_looked_for_where_it_is_chosen(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    args = dict(registry="mirror.example.com", check=["oc"], fail=False)
    finding = fake_module.run(registry_info, capsys, args)["findings"][-1]
    assert finding["check"] == "oc" and not finding["ok"] and "no program oc" in finding["reason"]
    (tmp_path / "oc").write_text('#!/bin/sh\necho \'{"releaseClientVersion": "4.16.30"}\'\n')
    (tmp_path / "oc").chmod(0o755)
    assert fake_module.run(registry_info, capsys, args)["ok"]


def test_a_registry_that_takes_nothing_by_digest(tmp_path, capsys):
    with world(tmp_path) as here:
        here.target.inject(proxy.status(405, "UNSUPPORTED"), "PUT", "/manifests/sha256:")
        args = dict(registry=here.target.host, plain_http=[here.target.host], fail=False, repositories=["a/b"],
                    check=["digest"])
        result = fake_module.run(registry_info, capsys, args)
        assert not result["ok"] and result["findings"][-1]["check"] == "digest"
        untried = fake_module.run(registry_info, capsys, args, check_mode=True)
        assert [finding["check"] for finding in untried["findings"]] == ["name"]


def test_what_is_no_registry(tmp_path, capsys):
    with world(tmp_path) as here:
        here.target.inject(proxy.status(404))

        def reason(host, **args):
            args = dict(args, registry=host, fail=False)
            return fake_module.run(registry_info, capsys, args)["findings"][-1]["reason"]

        assert "it is no registry" in reason(here.target.host, plain_http=[here.target.host])
        assert "does not speak TLS" in reason(here.target.host)
        assert "name of registry.invalid:5000 is unknown" in reason("registry.invalid:5000")


def test_the_internal_registry_is_refused_by_its_name(capsys):
    result = fake_module.run(registry_info, capsys, dict(registry="image-registry.openshift-image-registry.svc:5000"))
    assert result["failed"] and "own image registry" in result["msg"]
    assert [f["check"] for f in result["findings"]] == ["name"]


def test_tokens_tell_it_beforehand(tmp_path, capsys):
    with TokenServer(tmp_path / "tokens", {"pusher": "secret"}) as tokens:
        with world(tmp_path, token=tokens.settings) as here:
            args = dict(registry=here.target.host, plain_http=[here.target.host], fail=False, repositories=["a/b"],
                        username="pusher")
            right = fake_module.run(registry_info, capsys, dict(args, password="secret"))
            assert right["ok"], right["findings"]
            wrong = fake_module.run(registry_info, capsys, dict(args, password="wrong"))
            assert "token server" in wrong["findings"][-1]["reason"] and wrong["findings"][-1]["check"] == "auth"


@pytest.mark.parametrize("push_only", [True, False])
def test_a_dry_run_asks_for_no_right_to_push_to_what_does_not_exist(tmp_path, capsys, push_only):
    """Quay creates a repository for whoever asks to push to it; and hides one that is not there behind a 401."""
    with TokenServer(tmp_path / "tokens", {"pusher": "secret"}, push_only=push_only) as tokens:
        with world(tmp_path, token=tokens.settings) as here:
            args = dict(registry=here.target.host, plain_http=[here.target.host], repositories=["a/b"], username="pusher",
                        password="secret")
            told = fake_module.run(registry_info, capsys, args, check_mode=True)["findings"][-1]
            assert (told["check"], told["ok"]) == ("push", True) and "does not exist yet" in told["reason"]
            assert tokens.requests and not [scopes for _user, scopes in tokens.requests if "push" in "".join(scopes)]


def test_mirroring_over_tls_with_a_login(tmp_path, trust, capsys):
    with world(tmp_path) as here, registry(tmp_path, trust) as it:
        image = here.shelf.image("apps/shop", [images.bulk("shop", 300_000)], tag="1")
        here.put()
        auth_file = write_auth(tmp_path / "auth.json", auth(it.host))
        args = dict(plan=[dict(source=image.reference, target=it.host + "/apps/shop:1")], plain_http=[here.source.host],
                    auth_file=str(auth_file), ca_files=[str(trust.path)])
        result = fake_module.run(mirror_images, capsys, args)
        assert result["counts"]["done"] == 1, result
        untrusted = fake_module.run(mirror_images, capsys, dict(args, ca_files=[]))
        assert untrusted["failed"] and "is not accepted" in untrusted["msg"]
        assert PASSWORD not in json.dumps(untrusted)


def test_a_registry_beyond_a_proxy(tmp_path, trust):
    with registry(tmp_path, trust, names=("mirror.example.com",)) as it, proxy.Tunnel(it.port) as tunnel:
        secret_url = tunnel.url.replace("//", "//user:hidden@")

        def ping(**environ):
            with Registries(auth("mirror.example.com"), [trust.path], environ=environ, patience=1) as registries:
                registries["mirror.example.com"].ping("a/b")

        ping(HTTPS_PROXY=secret_url)
        assert tunnel.connects == [("mirror.example.com:443", "Basic dXNlcjpoaWRkZW4=")]
        with pytest.raises(errors.Unreachable):
            ping(HTTPS_PROXY=secret_url, NO_PROXY=".example.com")
        assert len(tunnel.connects) == 1
        with proxy.Tunnel(it.port, refuse=True) as closed, pytest.raises(errors.Unreachable) as raised:
            ping(HTTPS_PROXY=closed.url.replace("//", "//user:hidden@"))
        assert "The proxy refuses" in raised.value.message and "hidden" not in str(raised.value.result())


def test_a_redirect_to_an_address_without_tls(tmp_path, trust, capsys):
    certificate, key, _key, _certificate = trust.issue("front")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with world(tmp_path) as here, proxy.Proxy(here.upstream.port, tls=context) as front:
        image = here.shelf.image("apps/shop", [images.bulk("shop", 1000)], tag="1")
        here.put()
        source = "%s/apps/shop@%s" % (front.host, image.digest)
        args = dict(plan=[dict(source=source, target=here.target.host + "/apps/shop:1")],
                    plain_http=[here.target.host], ca_files=[str(trust.path)])
        front.inject(proxy.redirect("http://localhost:%d" % here.upstream.port), "GET", "/blobs/")
        refused = fake_module.run(mirror_images, capsys, args)
        assert refused["failed"] and "redirects to an address without TLS" in refused["msg"]
        front.heal()
        assert fake_module.run(mirror_images, capsys, args)["counts"]["done"] == 1
