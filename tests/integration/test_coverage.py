# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images a cluster could no longer pull, and where its nodes really got theirs: before and after it has a mirror.

The tests of this file are chapters: each begins where the one before ended.
"""
from __future__ import annotations

import base64
import datetime
import json

import pytest


def coverage(lab, *options, kubeconfig=None, **arguments):
    env = {"K8S_AUTH_KUBECONFIG": str(lab.directory / kubeconfig)} if kubeconfig else {}
    return lab.module("image_coverage_info", arguments, *options, env=env)


def by_status(result):
    """{status: [images]} of the references that something asks for."""
    found = {}
    for row in result["references"]:
        if not row["running"]:
            found.setdefault(row["status"], []).append(row["image"])
    return found


def pulls(lab, **arguments):
    run, result = lab.module("pull_source_info", arguments)
    assert run.rc == 0, run.output
    return result


def moment():
    return datetime.datetime.now(datetime.timezone.utc).isoformat()


def test_before_there_is_a_mirror_nothing_is_covered(lab):
    writes = lab.writes
    run, result = coverage(lab)
    assert run.rc != 0 and lab.writes == writes
    assert "image references could not be pulled without the internet. no_rule: " in result["msg"]
    assert list(by_status(result)) == ["no_rule"] and not result["ready"] and result["nodes"] == []
    images = set(result["uncovered"])
    assert {lab.facts["release_image"], *lab.facts["images"], *lab.facts["catalogs"]} <= images
    frontend = next(row for row in result["references"] if row["image"] == lab.facts["images"][0])
    assert frontend["used_by"] == [{"kind": "Deployment", "namespace": "shop", "name": "frontend"}]


def test_every_image_of_every_pod_is_found(lab):
    _run, result = coverage(lab, fail=False)
    found = {row["image"] for row in result["references"]}
    pods = lab.api.resources.get(api_version="v1", kind="Pod").get().to_dict()["items"]
    assert {container["image"] for pod in pods for container in pod["spec"]["containers"]} <= found


def test_a_reader_is_told_which_right_is_missing(lab):
    run, result = coverage(lab, kubeconfig="kubeconfig-viewer")
    assert run.rc != 0 and 'verb "get" on "secrets"' in result["msg"]
    env = {"K8S_AUTH_KUBECONFIG": str(lab.directory / "kubeconfig-viewer")}
    run, result = lab.module("pull_source_info", {}, env=env)
    assert run.rc != 0 and 'the verb "get" on "nodes/proxy"' in result["msg"]


@pytest.fixture(scope="module")
def converted(lab):
    run = lab.playbook("disconnected.openshift.convert")
    assert run.rc == 0, run.output


def test_what_the_conversion_leaves_open(lab, converted):
    """The release and the applications are covered, by digest and by tag; a vendor's catalog was not asked for."""
    mirror = lab.facts["mirror"]["registry"]
    run, result = coverage(lab, registries=[mirror], fail=False, fix=True)
    assert run.rc == 0, run.output
    found = by_status(result)
    assert set(lab.facts["images"]) | {lab.facts["release_image"]} <= set(found["covered"])
    legacy, = lab.facts["sqlite_catalogs"]
    assert found["no_rule"] == [legacy] and not result["ready"]
    assert legacy in result["fix"]["images"]
    rules = [(rule["by"], rule["mirrors"]) for rule in result["fix"]["mirrors"] if rule["source"] in legacy]
    copied = "%s/%s" % (mirror, legacy.partition("/")[2].rpartition(":")[0])
    assert rules == [("digest", [copied]), ("tag", [copied])]


def test_the_api_tells_the_same(lab, converted):
    mirror = lab.facts["mirror"]["registry"]
    results = [coverage(lab, registries=[mirror], fail=False, method=method)[1] for method in ("files", "api")]
    assert results[0]["references"] == results[1]["references"]


def test_one_request_for_each_copy(lab, converted):
    lab.command("stats", "--reset")
    _run, result = coverage(lab, fail=False)
    asked = {source["reference"] for row in result["references"] for source in row["sources"] if source["mirror"]}
    requests = lab.stats()["registries"]["mirror"]["requests"]
    assert len(asked) <= requests <= len(asked) + 1  # the first one learns how to log in


def test_what_a_user_knows_better_is_left_out(lab, converted):
    _run, result = coverage(lab, fail=False, ignore=[
        {"namespace": "openshift-marketplace", "reason": "The catalogs are switched off."}])
    assert result["ready"] and result["uncovered"] == [] and result["counts"]["ignored"] >= 1


def test_the_fix_closes_the_gap(lab, converted):
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": [
        {"name": "look", "disconnected.openshift.image_coverage_info": {
            "registries": ["{{ disconnected_mirror_registry }}"], "fix": True, "fail": False}, "register": "coverage"},
        {"name": "mirror", "ansible.builtin.include_role": {"name": "disconnected.openshift.mirror"},
         "vars": {"mirror_images": "{{ coverage.fix.images }}", "mirror_catalogs": []}},
        {"name": "tell", "disconnected.openshift.image_mirror_sets": {
            "name": "coverage", "mirrors": "{{ coverage.fix.mirrors }}"}},
        {"name": "wait", "disconnected.openshift.machine_config_rollout": {"state": "waited", "poll_interval": 1}},
        {"name": "look again", "disconnected.openshift.image_coverage_info": {
            "registries": ["{{ disconnected_mirror_registry }}"]}},
    ]}]
    path = lab.directory / "fix.json"
    path.write_text(json.dumps(play))
    run = lab.playbook(path)
    assert run.rc == 0, run.output
    result = run.result("look again")
    assert result["ready"] and result["uncovered"] == []


def test_from_the_mirror_and_when_it_fails_from_the_source(lab, converted):
    image = lab.facts["images"][0]
    since = moment()
    lab.command("pull", "worker-0", image)
    lab.command("mirror", "off")
    try:
        lab.command("pull", "worker-0", image)
    finally:
        lab.command("mirror", "on")
    result = pulls(lab, since=since, images=[image])
    assert [(pull["node"], pull["image"]) for pull in result["pulls"]] == [("worker-0", image)] * 2
    assert [(pull["pulled"], pull["mirror"], pull["fell_back"]) for pull in result["pulls"]] == [
        (True, True, False), (True, False, True)]
    mirrored = image.replace(lab.facts["upstream"]["registry"], lab.facts["mirror"]["registry"])
    assert [attempt["reference"] for attempt in result["pulls"][1]["attempts"]] == [mirrored, image]
    assert result["pulls"][0]["source"] == mirrored and result["pulls"][1]["source"] == image
    assert result["counts"] == {"total": 2, "from_mirror": 1, "from_source": 1, "unfinished": 0, "fell_back": 1}
    assert {node["name"] for node in result["nodes"]} == set(lab.facts["nodes"])


def test_what_no_endpoint_gives(lab, converted):
    image = lab.facts["images"][0].partition("@")[0] + "@sha256:" + "0" * 64
    since = moment()
    lab.command("pull", "worker-1", image, check=False)
    pull, = pulls(lab, since=since, images=[image], nodes=["worker-1"])["pulls"]
    assert (pull["pulled"], pull["source"], len(pull["attempts"])) == (False, "", 2)


def test_a_mirror_without_credentials(lab, converted):
    secrets = lab.api.resources.get(api_version="v1", kind="Secret")
    secret = secrets.get(name="pull-secret", namespace="openshift-config").to_dict()
    document = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
    del document["auths"][lab.facts["mirror"]["registry"]]
    data = {".dockerconfigjson": base64.b64encode(json.dumps(document).encode()).decode()}
    secrets.patch(name="pull-secret", namespace="openshift-config", body={"data": data},
                  content_type="application/merge-patch+json")
    run, result = coverage(lab, "-vvv")
    assert run.rc != 0 and set(by_status(result)) - {"mirror_itself"} == {"no_credentials"}
    assert "no key for %s/" % lab.facts["mirror"]["registry"] in result["msg"]
    for registry in ("upstream", "mirror"):
        assert lab.facts[registry]["password"] not in run.output + json.dumps(run.tasks)
