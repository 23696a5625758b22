# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
import os

import pytest

pytest.importorskip("openshift")
hypothesis = pytest.importorskip("hypothesis")

from ansible_collections.disconnected.openshift.plugins.module_utils import dockerconfigjson, errors  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.module_utils.cluster import OWNER, OWNER_LABEL  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.modules import global_pull_secret  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.modules.global_pull_secret import (  # noqa: E402
    DISPLACED_NAME, KEY, NAME, NAMESPACE, OURS as RECORD, TYPE)
from ansible_collections.disconnected.openshift.tests.unit import fake_module  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_cluster import CONFIG, FakeCluster  # noqa: E402

MIRROR = "mirror.test:5000"
PASSWORD = 'pa:ss "canary"'


def auth(username, password):
    return {"auth": base64.b64encode(("%s:%s" % (username, password)).encode()).decode()}


QUAY = auth("redhat", "canary-quay")
CLOUD = dict(auth("cloud", "canary-token"), email="me@example.com")
OURS = auth("cluster", PASSWORD)
FORMER = auth("former", "canary-former")
RENEWED = auth("former", "canary-renewed")


def document(**entries):
    return {"auths": dict({"cloud.openshift.com": CLOUD, "quay.io": QUAY}, **entries), "credsStore": "kept"}


def secret(content, name=NAME, kind=TYPE):
    text = content if isinstance(content, str) else json.dumps(content, indent=2)
    labels = {OWNER_LABEL: OWNER} if name == DISPLACED_NAME else {}
    return {"apiVersion": "v1", "kind": "Secret", "type": kind,
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels}, "data": {KEY: base64.b64encode(text.encode()).decode()}}


def infrastructure(topology="HighlyAvailable"):
    return {"apiVersion": CONFIG, "kind": "Infrastructure", "metadata": {"name": "cluster"},
            "status": {"controlPlaneTopology": topology}}


def stored(cluster, name=NAME):
    obj = cluster.peek("v1", "Secret", name, NAMESPACE)
    return obj and json.loads(base64.b64decode(obj["data"][KEY]))


@pytest.fixture
def cluster():
    return FakeCluster(infrastructure(), secret(document()))


@pytest.fixture
def run(capsys):
    """Runs the module; whatever it says must not hold a canary."""
    def run(cluster, *registries, check_mode=False, **args):
        items = [item if isinstance(item, dict) else {"registry": item} for item in registries]
        result = fake_module.run(global_pull_secret, capsys, dict({"registries": items}, **args), cluster, check_mode)
        shown = json.dumps({name: value for name, value in result.items() if name != "invocation"})
        for entry in (QUAY, CLOUD, OURS, FORMER, RENEWED):
            assert entry["auth"] not in shown
        assert "canary" not in shown
        return result
    return run


def with_credentials(registry=MIRROR, username="cluster", password=PASSWORD):
    return {"registry": registry, "username": username, "password": password}


class TestRefusals:
    """Before anything is written."""

    @pytest.mark.parametrize("objects, words", [
        ([infrastructure()], ["pull-secret does not exist", "oc create secret"]),
        ([infrastructure(), secret(document(), kind="Opaque")], ["type Opaque", TYPE]),
        ([infrastructure("External"), secret(document())], ["hosted", "HostedCluster"]),
        ([infrastructure(), secret('{"auths": {"quay.io": {"auth": "Y2FuYXJ5OmNhbmFyeQ=="}}},')], [NAME]),
        ([infrastructure(), secret({"auths": {"quay.io": {"auth": "Y2FuYXJ5"}}})], [NAME, "quay.io"]),
        ([infrastructure(), secret("[]")], [NAME]),
    ])
    def test_clusters_that_cannot_take_it(self, run, objects, words):
        cluster = FakeCluster(*objects)
        result = run(cluster, with_credentials())
        assert result["failed"]
        for word in words:
            assert word in result["msg"]
        assert cluster.writes == []

    def test_a_secret_without_the_key(self, run):
        empty = secret(document())
        empty["data"] = {"other": ""}
        assert KEY in run(FakeCluster(infrastructure(), empty), with_credentials())["msg"]

    @pytest.mark.parametrize("item", [
        {"registry": MIRROR, "username": "cluster"}, {"registry": MIRROR, "password": PASSWORD},
        with_credentials(username=""), with_credentials(username="a:b"),
    ])
    def test_half_credentials(self, run, cluster, item):
        assert run(cluster, item)["failed"]
        assert cluster.requests == []

    def test_no_rights(self, run, cluster):
        cluster.refuse("patch", "Secret", errors.Forbidden("cannot patch secrets"))
        assert run(cluster, with_credentials())["msg"] == "cannot patch secrets"

    def test_another_clusters_identity(self, run, cluster):
        other = dockerconfigjson.identity({"auths": {"cloud.openshift.com": auth("other", "token")}})
        result = run(cluster, identity=other)
        assert result["failed"] and "cloud.openshift.com" in result["msg"]

    def test_nothing_saved_to_put_back(self, run, cluster):
        result = run(cluster, MIRROR)
        assert result["failed"] and MIRROR in result["msg"]

    def test_somebody_who_keeps_changing_it(self, run, cluster):
        def change(each):
            each.put(secret(document(**{"x.test": auth("x", str(len(each.requests)))})))
            each.before_write(change)
        cluster.before_write(change)
        assert run(cluster, with_credentials())["failed"]


class TestPresent:
    def test_an_entry_is_added_and_the_rest_is_kept(self, run, cluster):
        result = run(cluster, with_credentials())
        assert (result["changed"], result["added"], result["replaced"], result["removed"]) == (True, [MIRROR], [], [])
        assert result["registries"] == ["cloud.openshift.com", "quay.io", MIRROR]
        assert stored(cluster) == document(**{MIRROR: OURS})
        assert cluster.writes == [("patch", "Secret", NAME)]

    def test_again_changes_nothing(self, run, cluster):
        run(cluster, with_credentials())
        cluster.writes.clear()
        assert not run(cluster, with_credentials())["changed"]
        assert cluster.writes == []

    def test_the_same_entry_in_another_form_is_no_change(self, run):
        cluster = FakeCluster(infrastructure(), secret(document(**{MIRROR: dict(OURS, email="x@y.z")})))
        assert not run(cluster, with_credentials())["changed"]
        assert cluster.writes == []

    def test_a_new_password(self, run, cluster):
        run(cluster, with_credentials())
        result = run(cluster, with_credentials(password="another canary"))
        assert (result["changed"], result["replaced"]) == (True, [MIRROR])
        assert stored(cluster)["auths"][MIRROR] == auth("cluster", "another canary")
        assert stored(cluster, DISPLACED_NAME) is None

    def test_somebody_elses_entry_is_saved_before_it_is_replaced(self, run):
        cluster = FakeCluster(infrastructure(), secret(document(**{MIRROR: FORMER})))
        result = run(cluster, with_credentials())
        assert (result["added"], result["replaced"]) == ([], [MIRROR])
        assert cluster.writes == [("create", "Secret", DISPLACED_NAME), ("patch", "Secret", NAME)]
        assert stored(cluster, DISPLACED_NAME) == {"auths": {MIRROR: FORMER}}

    def test_several_at_once_are_one_write(self, run, cluster):
        run(cluster, with_credentials(), with_credentials("second.test"))
        assert list(stored(cluster)["auths"]) == ["cloud.openshift.com", "quay.io", MIRROR, "second.test"]
        assert len(cluster.writes) == 1

    def test_check_mode_tells_and_writes_nothing(self, run):
        cluster = FakeCluster(infrastructure(), secret(document(**{MIRROR: FORMER})))
        result = run(cluster, with_credentials(), with_credentials("second.test"), check_mode=True)
        assert (result["changed"], result["added"], result["replaced"]) == (True, ["second.test"], [MIRROR])
        assert result["diff"] == {
            "before": {"registries": ["cloud.openshift.com", "quay.io", MIRROR], "saved": []},
            "after": {"registries": ["cloud.openshift.com", "quay.io", MIRROR + " (other credentials)", "second.test"],
                      "saved": [MIRROR]}}
        assert cluster.writes == []

    def test_a_change_in_between_is_kept(self, run, cluster):
        cluster.before_write(lambda each: each.put(secret(document(**{"x.test": FORMER}))))
        assert run(cluster, with_credentials())["changed"]
        assert stored(cluster) == document(**{"x.test": FORMER, MIRROR: OURS})

    def test_a_change_in_between_that_did_it_already(self, run, cluster):
        cluster.before_write(lambda each: each.put(secret(document(**{MIRROR: OURS}))))
        assert not run(cluster, with_credentials())["changed"]


class TestAbsent:
    def test_back_to_the_beginning(self, run, cluster):
        run(cluster, with_credentials())
        result = run(cluster, MIRROR, state="absent")
        assert (result["changed"], result["removed"]) == (True, [MIRROR])
        assert stored(cluster) == document()
        assert RECORD not in cluster.peek("v1", "Secret", NAME, NAMESPACE)["metadata"]["annotations"]
        cluster.writes.clear()
        assert not run(cluster, MIRROR, state="absent")["changed"]
        assert cluster.writes == []

    def test_former_credentials_come_back(self, run):
        cluster = FakeCluster(infrastructure(), secret(document(**{MIRROR: FORMER})))
        run(cluster, with_credentials())
        run(cluster, with_credentials(password="rotated canary"))
        cluster.writes.clear()
        result = run(cluster, MIRROR, state="absent")
        assert (result["replaced"], result["removed"]) == ([MIRROR], [])
        assert stored(cluster) == document(**{MIRROR: FORMER})
        assert cluster.writes == [("patch", "Secret", NAME), ("delete", "Secret", DISPLACED_NAME)]

    def test_what_was_there_before_us_is_not_ours(self, run):
        cluster = FakeCluster(infrastructure(), secret(document(**{MIRROR: OURS})))
        run(cluster, with_credentials())
        result = run(cluster, MIRROR, state="absent")
        assert not result["changed"]
        assert MIRROR in str(result["warnings"])
        assert stored(cluster) == document(**{MIRROR: OURS})

    def test_ours_after_somebody_rotated_it_is_still_ours(self, run, cluster):
        run(cluster, with_credentials())
        rotated = cluster.peek("v1", "Secret", NAME, NAMESPACE)
        rotated["data"] = secret(document(**{MIRROR: FORMER}))["data"]
        cluster.put(rotated)
        assert run(cluster, MIRROR, state="absent")["removed"] == [MIRROR]

    def test_nothing_there(self, run, cluster):
        assert not run(cluster, MIRROR, state="absent")["changed"]

    def test_one_of_two(self, run, cluster):
        run(cluster, with_credentials(), with_credentials("second.test"))
        run(cluster, MIRROR, state="absent")
        assert list(stored(cluster)["auths"]) == ["cloud.openshift.com", "quay.io", "second.test"]
        assert run(cluster, "second.test", state="absent")["removed"] == ["second.test"]

    @pytest.mark.parametrize("annotation", ["not json", "7", "{"])
    def test_a_record_edited_by_hand_makes_nothing_ours(self, run, annotation):
        damaged = secret(document(**{MIRROR: OURS}))
        damaged["metadata"]["annotations"] = {RECORD: annotation}
        cluster = FakeCluster(infrastructure(), damaged)
        assert not run(cluster, MIRROR, state="absent")["changed"]

    def test_check_mode_tells_and_writes_nothing(self, run, cluster):
        run(cluster, with_credentials())
        cluster.writes.clear()
        assert run(cluster, MIRROR, state="absent", check_mode=True)["removed"] == [MIRROR]
        assert cluster.writes == []


registries = hypothesis.strategies.sampled_from(["a.test", "b.test:5000", "c.test/path"])
credentials = hypothesis.strategies.builds(auth, hypothesis.strategies.sampled_from("uv"), hypothesis.strategies.just("p"))
some_entries = hypothesis.strategies.dictionaries(registries, credentials)


@hypothesis.given(before=some_entries, steps=hypothesis.strategies.lists(some_entries, max_size=4))
def test_whatever_was_made_present_absent_leads_back(before, steps):
    """Credentials added, replaced, rotated and replaced by the very same, in any order: all that was there comes back."""
    start = secret = global_pull_secret.PullSecret({"auths": before, "other": 1})
    for wanted in steps:
        secret = global_pull_secret.present(secret, wanted)
        assert {key: secret.entries[key] for key in wanted} == wanted
        assert secret.ours <= set(secret.entries)
    keys = {key for wanted in steps for key in wanted}
    secret, _warnings = global_pull_secret.absent(secret, dict.fromkeys(keys), force=False)
    assert secret == start


class TestForce:
    """cloud.openshift.com goes before the cut and comes back after it."""

    def test_there_and_back(self, run, cluster):
        result = run(cluster, "cloud.openshift.com", state="absent", force=True)
        assert (result["changed"], result["removed"]) == (True, ["cloud.openshift.com"])
        assert cluster.writes == [("create", "Secret", DISPLACED_NAME), ("patch", "Secret", NAME)]
        assert stored(cluster, DISPLACED_NAME) == {"auths": {"cloud.openshift.com": CLOUD}}
        assert not run(cluster, "cloud.openshift.com", state="absent", force=True)["changed"]
        assert not run(cluster, "cloud.openshift.com", state="absent")["changed"]
        assert run(cluster, "cloud.openshift.com")["added"] == ["cloud.openshift.com"]
        assert stored(cluster) == document()
        assert stored(cluster, DISPLACED_NAME) is None
        assert not run(cluster, "cloud.openshift.com")["changed"]

    def test_identity_is_known_even_when_it_is_away(self, run, cluster):
        run(cluster, "cloud.openshift.com", state="absent", force=True)
        mine = dockerconfigjson.identity(document())
        assert not run(cluster, identity=mine).get("failed")
        assert run(cluster, identity="0" * 16)["failed"]

    def test_an_entry_of_ours_is_not_saved(self, run, cluster):
        run(cluster, with_credentials())
        run(cluster, MIRROR, state="absent", force=True)
        assert stored(cluster) == document()
        assert stored(cluster, DISPLACED_NAME) is None

    def test_two_displaced_are_kept_apart(self, run):
        cluster = FakeCluster(infrastructure(), secret(document(**{MIRROR: FORMER})))
        run(cluster, with_credentials())
        run(cluster, "cloud.openshift.com", state="absent", force=True)
        run(cluster, MIRROR, state="absent")
        assert stored(cluster, DISPLACED_NAME) == {"auths": {"cloud.openshift.com": CLOUD}}
        assert stored(cluster)["auths"] == {"quay.io": QUAY, MIRROR: FORMER}


class TestWithout:
    """One state for what comes and what goes, and one way back."""

    GONE = ["cloud.openshift.com"]

    def test_there_and_back_in_one_write_each(self, run, cluster):
        result = run(cluster, with_credentials(), without=self.GONE)
        assert result["added"] == [MIRROR] and result["removed"] == ["cloud.openshift.com"]
        assert stored(cluster)["auths"] == {"quay.io": QUAY, MIRROR: OURS}
        assert stored(cluster, DISPLACED_NAME) == {"auths": {"cloud.openshift.com": CLOUD}}
        assert [name for _verb, _kind, name in cluster.writes].count(NAME) == 1
        assert not run(cluster, with_credentials(), without=self.GONE)["changed"]
        result = run(cluster, MIRROR, without=self.GONE, state="absent")
        assert result["added"] == ["cloud.openshift.com"] and result["removed"] == [MIRROR]
        assert stored(cluster) == document() and stored(cluster, DISPLACED_NAME) is None
        assert not run(cluster, MIRROR, without=self.GONE, state="absent")["changed"]

    def test_what_was_never_there_does_not_come(self, run):
        cluster = FakeCluster(infrastructure(), secret({"auths": {"quay.io": QUAY}}))
        for state in ("present", "absent"):
            assert not run(cluster, without=self.GONE, state=state)["changed"]
        assert cluster.writes == []

    def test_one_that_somebody_put_there_since_stays(self, run, cluster):
        run(cluster, without=self.GONE)
        cluster.put(secret(document(**{"cloud.openshift.com": FORMER})))
        run(cluster, without=self.GONE, state="absent")
        assert stored(cluster)["auths"]["cloud.openshift.com"] == FORMER and stored(cluster, DISPLACED_NAME) is None

    def test_one_that_somebody_put_there_since_takes_the_place_of_the_saved_one(self, run, cluster):
        run(cluster, without=self.GONE)
        cluster.put(secret(document(**{"cloud.openshift.com": RENEWED})))
        assert run(cluster, without=self.GONE)["removed"] == self.GONE
        assert run(cluster, without=self.GONE, state="absent")["added"] == self.GONE
        assert stored(cluster)["auths"]["cloud.openshift.com"] == RENEWED

    def test_one_that_is_nowhere_is_told(self, run, cluster):
        run(cluster, without=self.GONE)
        cluster.delete("v1", "Secret", DISPLACED_NAME, NAMESPACE)
        result = run(cluster, without=self.GONE, state="absent")
        assert not result["changed"] and "cloud.openshift.com: there is no entry" in str(result["warnings"])


class TestInterrupted:
    """A run that was killed between two writes: the next one ends where it would have."""

    def saved(self):
        return secret({"auths": {MIRROR: FORMER}}, DISPLACED_NAME)

    def test_saved_and_not_yet_replaced(self, run):
        cluster = FakeCluster(infrastructure(), secret(document(**{MIRROR: FORMER})), self.saved())
        assert run(cluster, with_credentials())["replaced"] == [MIRROR]
        assert run(cluster, MIRROR, state="absent")["replaced"] == [MIRROR]
        assert stored(cluster) == document(**{MIRROR: FORMER})

    def test_put_back_and_not_yet_forgotten(self, run):
        cluster = FakeCluster(infrastructure(), secret(document(**{MIRROR: FORMER})), self.saved())
        run(cluster, MIRROR, state="absent")
        assert stored(cluster) == document(**{MIRROR: FORMER})
        assert stored(cluster, DISPLACED_NAME) is None

    @pytest.mark.parametrize("again", [True, False])
    def test_and_renewed_by_somebody_before_the_next_run(self, run, again):
        """What is saved is not what is there: it is the newer one that is to stay, or to come back."""
        cluster = FakeCluster(infrastructure(), secret(document(**{MIRROR: RENEWED})), self.saved())
        if again:
            assert run(cluster, with_credentials())["replaced"] == [MIRROR]
        run(cluster, MIRROR, state="absent")
        assert stored(cluster) == document(**{MIRROR: RENEWED}) and stored(cluster, DISPLACED_NAME) is None


class TestDamaged:
    """What only a hand can have done."""

    def test_a_record_that_cannot_be_read(self, run):
        """The entry of which another is saved was ours, then."""
        there = secret(document(**{MIRROR: OURS}))
        there["metadata"]["annotations"] = {RECORD: "not json"}
        cluster = FakeCluster(infrastructure(), there, secret({"auths": {MIRROR: FORMER}}, DISPLACED_NAME))
        assert run(cluster, MIRROR, state="absent")["replaced"] == [MIRROR]
        assert stored(cluster) == document(**{MIRROR: FORMER})

    @pytest.mark.parametrize("content", ["", "{", '{"auths": {"a.test": {"auth": "Y2FuYXJ5"}}}', '{"auths": []}', "[]"])
    def test_saved_entries_that_cannot_be_read(self, run, content):
        cluster = FakeCluster(infrastructure(), secret(document()), secret(content, DISPLACED_NAME))
        for state in ("present", "absent"):
            result = run(cluster, without=["cloud.openshift.com"], state=state)
            assert result["failed"] and DISPLACED_NAME in result["msg"]
        assert cluster.writes == []

    def test_somebody_elses_secret_in_the_place_of_ours(self, run):
        theirs = secret({"auths": {"cloud.openshift.com": FORMER}}, DISPLACED_NAME)
        del theirs["metadata"]["labels"]
        cluster = FakeCluster(infrastructure(), secret(document()), theirs)
        result = run(cluster, without=["cloud.openshift.com"], state="absent")
        assert result["failed"] and OWNER_LABEL in result["msg"] and cluster.writes == []

    def test_an_entry_of_ours_that_somebody_deleted(self, run):
        cluster = FakeCluster(infrastructure(), secret(document(**{MIRROR: FORMER})))
        run(cluster, with_credentials())
        deleted = cluster.peek("v1", "Secret", NAME, NAMESPACE)
        deleted["data"] = secret(document())["data"]
        cluster.put(deleted)
        run(cluster, MIRROR, state="absent")
        assert stored(cluster) == document(**{MIRROR: FORMER}) and stored(cluster, DISPLACED_NAME) is None


class TestIdentity:
    def test_the_same(self, run, cluster):
        assert not run(cluster, identity=dockerconfigjson.identity(document()))["changed"]

    def test_unknown_is_a_warning(self, run):
        cluster = FakeCluster(infrastructure(), secret({"auths": {"quay.io": QUAY}}))
        assert "cannot be told" in str(run(cluster, identity="0" * 16)["warnings"])


class TestExport:
    def test_a_private_file(self, run, cluster, tmp_path):
        path = tmp_path / "pull-secret.json"
        path.write_text("old")
        path.chmod(0o644)
        assert run(cluster, export=str(path))["changed"]
        assert json.loads(path.read_text()) == document()
        assert path.stat().st_mode & 0o777 == 0o600
        assert not run(cluster, export=str(path))["changed"]
        assert os.listdir(tmp_path) == ["pull-secret.json"]
        assert cluster.writes == []

    def test_it_holds_what_was_just_added(self, run, cluster, tmp_path):
        path = tmp_path / "pull-secret.json"
        run(cluster, with_credentials(), export=str(path))
        assert json.loads(path.read_text()) == document(**{MIRROR: OURS})

    def test_what_was_removed_is_in_it(self, run, cluster, tmp_path):
        path = tmp_path / "pull-secret.json"
        run(cluster, without=["cloud.openshift.com"], export=str(path))
        assert json.loads(path.read_text()) == document()

    def test_check_mode_writes_no_file(self, run, cluster, tmp_path):
        path = tmp_path / "pull-secret.json"
        assert run(cluster, export=str(path), check_mode=True)["changed"]
        assert not path.exists()

    @pytest.mark.parametrize("path", ["/nowhere/at/all/pull-secret.json", "/"])
    def test_a_place_that_cannot_be_written(self, run, cluster, path):
        result = run(cluster, export=path)
        assert result["failed"] and path in result["msg"]
