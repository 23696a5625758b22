# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest

pytest.importorskip("openshift")

from ansible_collections.disconnected.openshift.plugins.module_utils import crio_log, errors  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.modules import pull_source_info  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit import fake_module, rollouts  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_cluster import FakeCluster  # noqa: E402

IMAGE = "quay.io/shop/app:1"
COPY = "mirror:5000/shop/app:1"
FORBIDDEN = errors.Forbidden('nodes "w0" is forbidden: User "viewer" cannot get resource "nodes/proxy"')


def path(node):
    return "/api/v1/nodes/%s/proxy/logs/journal" % node


def journal(image, *endpoints, pulled=True, second=0):
    """What CRI-O writes about one pull."""
    request = " id=%s%d name=/runtime.v1.ImageService/PullImage" % (abs(hash(image)), second)
    said = [("Pulling image: " + image, request)] + [('Trying to access "%s"' % one, "") for one in endpoints]
    said += [("Pulled image: 0a1b2c", request)] * pulled
    form = 'Mar 01 10:00:%02d.000001 node crio[1]: time="2026-03-01 10:00:%02d.000001000Z" level=info msg=%s%s\n'
    return "".join(form % (second, second, json.dumps(text), about) for text, about in said)


def cluster_of(**journals):
    """m0, w0 and w1 mirror quay.io/shop, and have these journals, else empty ones."""
    rendered = [rollouts.config("rendered-%s-1" % role, rollouts.mirrored("quay.io/shop", mode="all"))
                for role in ("master", "worker")]
    cluster = FakeCluster(*rollouts.objects(), *rendered)
    for node in ("m0", "w0", "w1"):
        cluster.pages[path(node)] = journals.get(node, "-- No entries --\n")
    return cluster


def run(cluster, **given):
    return pull_source_info.run(cluster, dict({
        "since": "1h", "nodes": None, "images": [], "registries": [], "tail": None, "workers": 4}, **given))


def test_pulls_of_all_nodes():
    result = run(cluster_of(w1=journal(IMAGE, COPY, second=2), w0=journal(IMAGE, COPY, IMAGE, second=1)))
    assert result["pulls"] == [
        {"image": IMAGE, "node": "w0", "time": "2026-03-01T10:00:01.000001Z", "pulled": True, "source": IMAGE,
         "mirror": False, "fell_back": True,
         "attempts": [{"reference": COPY, "mirror": True}, {"reference": IMAGE, "mirror": False}]},
        {"image": IMAGE, "node": "w1", "time": "2026-03-01T10:00:02.000001Z", "pulled": True, "source": COPY,
         "mirror": True, "fell_back": False, "attempts": [{"reference": COPY, "mirror": True}]}]
    assert result["counts"] == {"total": 2, "from_mirror": 1, "from_source": 1, "unfinished": 0, "fell_back": 1}
    assert result["nodes"] == [{"name": "m0", "pulls": 0, "reason": ""}, {"name": "w0", "pulls": 1, "reason": ""},
                               {"name": "w1", "pulls": 1, "reason": ""}]
    assert result["changed"] is False


def test_what_is_asked_of_the_kubelets():
    """In the spellings of all releases; one request a node, and two for the rules of its pool."""
    cluster = cluster_of()
    run(cluster, tail=500, since="2h", nodes=["w0", "w1"])
    asked = [request for request in cluster.requests if request[0] == "raw"]
    assert {request[1] for request in asked} == {path("w0"), path("w1")} and len(asked) == 2
    assert set(asked[0][2]) == {
        ("unit", "crio"), ("query", "crio"), ("since", "-2h"), ("grep", crio_log.PATTERN),
        ("pattern", crio_log.PATTERN), ("case-sensitive", "true"), ("tail", "500"), ("tailLines", "500")}
    assert len(cluster.requests) - len(asked) <= 2


def test_since_a_moment_within_a_second():
    """The journal looks back by whole seconds."""
    cluster = cluster_of(w0=journal(IMAGE, COPY) + journal("quay.io/shop/b:1", "mirror:5000/shop/b:1", second=5))
    result = run(cluster, since="2026-03-01T10:00:00.5Z")
    assert [pull["image"] for pull in result["pulls"]] == ["quay.io/shop/b:1"]
    assert ("since", "2026-03-01 10:00:00") in cluster.requests[1][2] + cluster.requests[2][2]


def test_only_some_images():
    text = journal(IMAGE, COPY) + journal("quay.io/shopping/app:1", "quay.io/shopping/app:1")
    assert [pull["image"] for pull in run(cluster_of(w0=text), images=["quay.io/shop"])["pulls"]] == [IMAGE]


def test_what_is_pulled_by_the_mirrors_own_name():
    text = journal(COPY, COPY) + journal("old:5000/app:1", "old:5000/app:1")
    assert [pull["mirror"] for pull in run(cluster_of(w0=text))["pulls"]] == [True, False]
    assert [pull["mirror"] for pull in run(cluster_of(w0=text), registries=["old:5000"])["pulls"]] == [True, True]


def test_a_pull_that_did_not_end():
    result = run(cluster_of(w0=journal(IMAGE, COPY, IMAGE, pulled=False)))
    assert (result["pulls"][0]["source"], result["pulls"][0]["pulled"]) == ("", False)
    assert result["counts"]["unfinished"] == 1


def test_a_node_that_cannot_be_read():
    cluster = cluster_of(w0=errors.Unreachable("w0 does not answer."), w1=journal(IMAGE, COPY))
    result = run(cluster)
    assert result["nodes"][1] == {"name": "w0", "pulls": 0, "reason": "w0 does not answer."}
    assert result["counts"]["total"] == 1


def test_a_node_that_has_fallen_silent_is_not_asked():
    cluster = cluster_of()
    node = cluster.peek("v1", "Node", "w0")
    node["status"] = {"conditions": [{"type": "Ready", "status": "Unknown"}]}
    cluster.put(node)
    assert "stopped reporting" in run(cluster)["nodes"][1]["reason"]
    assert path("w0") not in [request[1] for request in cluster.requests]


def test_rules_that_cannot_be_told_do_no_harm():
    cluster = cluster_of(w0=journal(IMAGE, COPY, IMAGE))
    cluster.delete(rollouts.API, "MachineConfig", "rendered-worker-1")
    assert run(cluster)["pulls"][0]["fell_back"]


def test_no_right_to_read_journals():
    with pytest.raises(errors.Forbidden, match='may not read .* "get" on "nodes/proxy"'):
        run(cluster_of(m0=FORBIDDEN, w0=FORBIDDEN, w1=FORBIDDEN))


@pytest.mark.parametrize("given, reason", [
    ({"since": "lately"}, "neither an age"),
    ({"registries": ["https://mirror"]}, "leave the scheme out"),
    ({"tail": 0}, "1 to 100000 lines"),
    ({"nodes": ["w7"]}, "no node w7"),
])
def test_bad_input_first(given, reason):
    cluster = cluster_of()
    with pytest.raises(errors.InvalidInput, match=reason):
        run(cluster, **given)
    assert not [request for request in cluster.requests if request[0] == "raw"]


def test_as_a_module(capsys):
    result = fake_module.run(pull_source_info, capsys, {"images": [IMAGE]}, cluster_of(w0=journal(IMAGE, COPY)))
    assert result["counts"]["from_mirror"] == 1 and "failed" not in result
    result = fake_module.run(pull_source_info, capsys, {"since": "soon"}, cluster_of())
    assert result["failed"] and "soon" in result["msg"]
