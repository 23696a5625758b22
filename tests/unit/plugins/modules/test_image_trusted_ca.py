# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json

import pytest

pytest.importorskip("cryptography")
pytest.importorskip("openshift")

from ansible_collections.disconnected.openshift.plugins.module_utils import errors  # noqa: E402
from ansible_collections.disconnected.openshift.plugins.modules import image_trusted_ca  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit import fake_module  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.fake_cluster import CONFIG, FakeCluster  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.scripted_api import certificate, key_pem, pem  # noqa: E402

KEY = "mirror.test..5000"
REGISTRY = "mirror.test:5000"
OURS = image_trusted_ca.OUR_CONFIG_MAP
LABELS = {"app.kubernetes.io/managed-by": "disconnected.openshift"}
PAIR = certificate("mirror CA", days=(-1, 100))
CA = pem(PAIR[0]).decode()
NEW = pem(certificate("new mirror CA", days=(-1, 100))[0]).decode()
THEIRS = pem(certificate("their CA", days=(-1, 100))[0]).decode()


def image(name=None):
    spec = {"registrySources": {"insecureRegistries": ["old.test"]}}
    if name:
        spec["additionalTrustedCA"] = {"name": name}
    return {"apiVersion": CONFIG, "kind": "Image", "metadata": {"name": "cluster"}, "spec": spec}


def config_map(name, data=None, labels=None):
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "openshift-config"}}
    if labels:
        obj["metadata"]["labels"] = labels
    if data is not None:
        obj["data"] = data
    return obj


def data_of(cluster, name):
    stored = cluster.peek("v1", "ConfigMap", name, "openshift-config")
    return stored and stored.get("data") or {}


def named(cluster):
    return cluster.peek(CONFIG, "Image", "cluster")["spec"].get("additionalTrustedCA", {}).get("name")


@pytest.fixture
def run(capsys):
    def run(cluster, check_mode=False, **args):
        args = dict({"registry": REGISTRY}, **args)
        if args.get("state") != "absent" and "ca" not in args:
            args.setdefault("ca_content", CA)
        result = fake_module.run(image_trusted_ca, capsys, args, cluster, check_mode)
        assert result.get("failed") or result["changed"] == (result["diff"]["before"] != result["diff"]["after"])
        return result
    return run


class TestRefusals:
    """Nothing is read or written for input that cannot be used."""

    @pytest.mark.parametrize("args, words", [
        (dict(ca_content="no certificate"), "neither a PEM block"),
        (dict(ca_content=pem(certificate("x", PAIR, ca=False)[0]).decode()), "is not a CA certificate"),
        (dict(ca_content=pem(certificate("x", days=(-3, -2))[0]).decode()), "expired"),
        (dict(ca_content=pem(certificate("x", days=(2, 3))[0]).decode()), "not valid before"),
        (dict(ca="/nowhere/ca.crt"), "/nowhere/ca.crt cannot be read"),
        (dict(ca="/a", ca_content="b"), "mutually exclusive"),
        (dict(registry="[fd00::1]:5000"), "IPv6"),
        (dict(registry="fd00::1"), "IPv6"),
        (dict(registry="https://mirror.test:5000"), "mirror.test"),
        (dict(registry="mirror.test:5000/ocp"), "mirror.test"),
    ])
    def test_bad_input(self, run, args, words):
        cluster = FakeCluster(image())
        result = run(cluster, **args)
        assert result["failed"] and words in result["msg"]
        assert cluster.requests == []

    def test_a_private_key_is_refused_and_nowhere_in_the_result(self, run):
        key = key_pem(PAIR[1]).decode()
        result = run(FakeCluster(image()), ca_content=CA + key)
        assert result["failed"] and "private key" in result["msg"]
        assert key.splitlines()[1] not in json.dumps(result)

    def test_no_certificate_at_all(self, capsys):
        result = fake_module.run(image_trusted_ca, capsys, {"registry": REGISTRY}, FakeCluster(image()))
        assert result["failed"] and "ca" in result["msg"]

    def test_our_name_taken_by_somebody_elses_config_map(self, run):
        cluster = FakeCluster(image(), config_map(OURS, {"other.test": THEIRS}))
        result = run(cluster)
        assert result["failed"] and OURS in result["msg"]
        assert cluster.writes == []

    def test_a_key_that_holds_rubbish(self, run):
        cluster = FakeCluster(image("corp-cas"), config_map("corp-cas", {KEY: "rubbish"}))
        result = run(cluster)
        assert result["failed"] and KEY in result["msg"] and "corp-cas" in result["msg"]
        assert cluster.writes == []

    def test_no_rights(self, run):
        cluster = FakeCluster(image())
        cluster.refuse("create", "ConfigMap", errors.Forbidden("cannot create configmaps"))
        assert run(cluster)["msg"] == "cannot create configmaps"
        assert named(cluster) is None

    def test_no_image_configuration(self, run):
        assert "image.config.openshift.io/cluster" in run(FakeCluster())["msg"]


class TestPresent:
    def test_the_config_map_is_there_before_it_is_named(self, run):
        cluster = FakeCluster(image())
        result = run(cluster)
        assert (result["changed"], result["config_map"], result["key"]) == (True, OURS, KEY)
        assert cluster.writes == [("create", "ConfigMap", OURS), ("patch", "Image", "cluster")]
        assert data_of(cluster, OURS) == {KEY: CA}
        assert cluster.peek("v1", "ConfigMap", OURS, "openshift-config")["metadata"]["labels"] == LABELS
        assert named(cluster) == OURS
        assert cluster.peek(CONFIG, "Image", "cluster")["spec"]["registrySources"]

    def test_again_changes_nothing(self, run):
        cluster = FakeCluster(image())
        run(cluster)
        cluster.writes.clear()
        result = run(cluster)
        assert (result["changed"], cluster.writes) == (False, [])
        assert [each["subject"] for each in result["certificates"]] == ["CN=mirror CA"]

    def test_a_registry_without_a_port(self, run):
        cluster = FakeCluster(image())
        run(cluster, registry="mirror.test")
        assert list(data_of(cluster, OURS)) == ["mirror.test"]

    def test_the_named_config_map_is_extended_and_never_replaced(self, run):
        theirs = {"other.test..443": THEIRS, "updateservice-registry": THEIRS}
        cluster = FakeCluster(image("corp-cas"), config_map("corp-cas", theirs))
        assert run(cluster)["changed"]
        assert named(cluster) == "corp-cas"
        assert data_of(cluster, "corp-cas") == dict(theirs, **{KEY: CA})
        assert cluster.writes == [("patch", "ConfigMap", "corp-cas")]
        assert not run(cluster)["changed"]

    def test_a_named_config_map_that_does_not_exist(self, run):
        cluster = FakeCluster(image("gone"))
        result = run(cluster)
        assert "gone" in str(result["warnings"])
        assert cluster.writes == [("create", "ConfigMap", "gone")]
        assert data_of(cluster, "gone") == {KEY: CA}

    def test_a_config_map_without_data(self, run):
        cluster = FakeCluster(image("corp-cas"), config_map("corp-cas"))
        assert run(cluster)["changed"]
        assert data_of(cluster, "corp-cas") == {KEY: CA}

    @pytest.mark.parametrize("value", [
        CA, CA.rstrip(), "# the mirror's\n" + CA, CA + THEIRS, base64.b64encode(CA.encode()).decode(),
        base64.encodebytes(CA.encode()).decode(),
    ])
    def test_the_same_certificate_in_another_form_is_no_change(self, run, value):
        cluster = FakeCluster(image("corp-cas"), config_map("corp-cas", {KEY: value}))
        assert not run(cluster)["changed"]
        assert cluster.writes == []

    def test_others_certificates_under_the_key_are_kept(self, run):
        cluster = FakeCluster(image("corp-cas"), config_map("corp-cas", {KEY: THEIRS}))
        assert run(cluster)["changed"]
        assert data_of(cluster, "corp-cas") == {KEY: THEIRS + CA}

    def test_a_renewed_ca_takes_the_place_of_ours_alone(self, run):
        cluster = FakeCluster(image("corp-cas"), config_map("corp-cas", {KEY: THEIRS}))
        run(cluster)
        assert run(cluster, ca_content=NEW)["changed"]
        assert data_of(cluster, "corp-cas") == {KEY: THEIRS + NEW}

    def test_the_next_ca_beside_the_former_until_that_is_replaced(self, run):
        cluster = FakeCluster(image("corp-cas"), config_map("corp-cas", {KEY: THEIRS}))
        run(cluster)
        assert run(cluster, ca_content=NEW, former="kept")["changed"]
        assert data_of(cluster, "corp-cas") == {KEY: THEIRS + CA + NEW}
        assert not run(cluster, ca_content=NEW, former="kept")["changed"]
        assert run(cluster, ca_content=NEW)["changed"]
        assert data_of(cluster, "corp-cas") == {KEY: THEIRS + NEW}

    def test_both_go_together(self, run):
        cluster = FakeCluster(image("corp-cas"), config_map("corp-cas", {KEY: THEIRS}))
        run(cluster)
        run(cluster, ca_content=NEW, former="kept")
        run(cluster, state="absent")
        assert data_of(cluster, "corp-cas") == {KEY: THEIRS}

    def test_two_registries(self, run):
        cluster = FakeCluster(image())
        run(cluster)
        run(cluster, registry="second.test", ca_content=NEW)
        assert data_of(cluster, OURS) == {KEY: CA, "second.test": NEW}

    def test_check_mode_tells_and_writes_nothing(self, run):
        cluster = FakeCluster(image())
        result = run(cluster, check_mode=True)
        assert (result["changed"], cluster.writes) == (True, [])
        assert result["diff"]["before"] == {"additionalTrustedCA": "", KEY: []}
        assert result["diff"]["after"]["additionalTrustedCA"] == OURS
        assert "CN=mirror CA" in result["diff"]["after"][KEY][0]

    def test_a_change_in_between_is_read_again(self, run):
        cluster = FakeCluster(image("corp-cas"), config_map("corp-cas"))
        cluster.before_write(lambda c: c.merge_patch("v1", "ConfigMap", "corp-cas", {"data": {"x.test": THEIRS}},
                                                     "openshift-config"))
        assert run(cluster)["changed"]
        assert data_of(cluster, "corp-cas") == {"x.test": THEIRS, KEY: CA}

    def test_a_name_given_in_between_is_respected(self, run):
        """Somebody names a config map while ours is being created: ours is not forced on them."""
        cluster = FakeCluster(image(), config_map("corp-cas", {"x.test": THEIRS}))
        cluster.before_write(lambda c: c.merge_patch(
            CONFIG, "Image", "cluster", {"spec": {"additionalTrustedCA": {"name": "corp-cas"}}}))
        assert run(cluster)["changed"]
        assert named(cluster) == "corp-cas"
        assert data_of(cluster, "corp-cas") == {"x.test": THEIRS, KEY: CA}


class TestAbsent:
    def test_back_to_the_beginning(self, run):
        cluster = FakeCluster(image())
        run(cluster)
        cluster.writes.clear()
        result = run(cluster, state="absent")
        assert result["changed"] and result["certificates"] == []
        assert cluster.writes == [("patch", "Image", "cluster"), ("delete", "ConfigMap", OURS)]
        assert named(cluster) is None
        assert cluster.peek(CONFIG, "Image", "cluster")["spec"]["registrySources"]
        assert not run(cluster, state="absent")["changed"]

    def test_a_name_that_others_gave_stays(self, run):
        """There was no such config map before."""
        cluster = FakeCluster(image("gone"))
        run(cluster)
        assert "gone" in str(run(cluster, state="absent")["warnings"])
        assert named(cluster) == "gone" and cluster.peek("v1", "ConfigMap", "gone", "openshift-config") is None
        assert not run(cluster, state="absent")["changed"]

    def test_another_registry_keeps_its_own(self, run):
        cluster = FakeCluster(image())
        run(cluster)
        run(cluster, registry="second.test", ca_content=NEW)
        run(cluster, state="absent")
        assert data_of(cluster, OURS) == {"second.test": NEW}
        assert named(cluster) == OURS

    def test_somebody_elses_config_map_gets_back_what_it_was(self, run):
        cluster = FakeCluster(image("corp-cas"), config_map("corp-cas", {"x.test": THEIRS, KEY: THEIRS}))
        run(cluster)
        assert run(cluster, state="absent")["changed"]
        stored = cluster.peek("v1", "ConfigMap", "corp-cas", "openshift-config")
        assert stored["data"] == {"x.test": THEIRS, KEY: THEIRS}
        assert image_trusted_ca.RECORD not in stored["metadata"]["annotations"]
        assert named(cluster) == "corp-cas"

    def test_what_was_there_before_us_is_not_ours(self, run):
        cluster = FakeCluster(image("corp-cas"), config_map("corp-cas", {KEY: CA}))
        run(cluster)
        result = run(cluster, state="absent")
        assert not result["changed"]
        assert [each["subject"] for each in result["certificates"]] == ["CN=mirror CA"]
        assert data_of(cluster, "corp-cas") == {KEY: CA}

    def test_rubbish_under_the_key_is_left(self, run):
        cluster = FakeCluster(image("corp-cas"), config_map("corp-cas", {KEY: "rubbish"}))
        result = run(cluster, state="absent")
        assert not result["changed"] and KEY in str(result["warnings"])

    @pytest.mark.parametrize("objects", [[image()], [image("gone")]])
    def test_nothing_to_remove(self, run, objects):
        assert not run(FakeCluster(*objects), state="absent")["changed"]

    def test_a_key_added_while_it_is_deleted_stays(self, run):
        cluster = FakeCluster(image())
        run(cluster)
        cluster.before_write(lambda c: c.merge_patch("v1", "ConfigMap", OURS, {"data": {"x.test": THEIRS}},
                                                     "openshift-config"))
        assert run(cluster, state="absent")["changed"]
        assert data_of(cluster, OURS) == {"x.test": THEIRS}

    @pytest.mark.parametrize("annotation", ["not json", "[]", '{"%s": 7}' % KEY])
    def test_a_record_edited_by_hand_makes_nothing_ours(self, run, annotation):
        damaged = config_map("corp-cas", {KEY: CA})
        damaged["metadata"]["annotations"] = {image_trusted_ca.RECORD: annotation}
        cluster = FakeCluster(image("corp-cas"), damaged)
        assert not run(cluster, state="absent")["changed"]

    def test_check_mode_tells_and_writes_nothing(self, run):
        cluster = FakeCluster(image())
        run(cluster)
        cluster.writes.clear()
        result = run(cluster, check_mode=True, state="absent")
        assert (result["changed"], cluster.writes) == (True, [])
        assert result["diff"]["after"] == {"additionalTrustedCA": "", KEY: []}


class TestUpdateService:
    """A local OpenShift Update Service reads its registry's CA from a key of its own in the same config map."""

    UPDATES = image_trusted_ca.UPDATE_SERVICE

    def test_there_again_and_back(self, run):
        cluster = FakeCluster(image())
        result = run(cluster, update_service=True)
        assert result["changed"] and result["key"] == KEY
        assert data_of(cluster, OURS) == {KEY: CA, "updateservice-registry": CA}
        cluster.writes.clear()
        assert not run(cluster, update_service=True)["changed"] and cluster.writes == []
        assert run(cluster, state="absent")["changed"]
        assert cluster.writes == [("patch", "Image", "cluster"), ("delete", "ConfigMap", OURS)]

    def test_asked_for_later_and_no_more(self, run):
        cluster = FakeCluster(image())
        run(cluster)
        result = run(cluster, update_service=True)
        assert result["diff"]["before"] == {"additionalTrustedCA": OURS, self.UPDATES: [], KEY: result["diff"]["after"][KEY]}
        assert data_of(cluster, OURS) == {KEY: CA, self.UPDATES: CA}
        assert run(cluster)["changed"]
        assert data_of(cluster, OURS) == {KEY: CA}

    def test_a_renewed_ca_is_renewed_there_too(self, run):
        cluster = FakeCluster(image("corp-cas"), config_map("corp-cas", {self.UPDATES: THEIRS}))
        run(cluster, update_service=True)
        run(cluster, update_service=True, ca_content=NEW, former="kept")
        assert data_of(cluster, "corp-cas") == {KEY: CA + NEW, self.UPDATES: THEIRS + CA + NEW}
        run(cluster, update_service=True, ca_content=NEW)
        assert data_of(cluster, "corp-cas") == {KEY: NEW, self.UPDATES: THEIRS + NEW}

    def test_what_others_put_there_stays(self, run):
        cluster = FakeCluster(image("corp-cas"), config_map("corp-cas", {self.UPDATES: CA}))
        run(cluster, update_service=True)
        run(cluster, state="absent")
        assert data_of(cluster, "corp-cas") == {self.UPDATES: CA}

    @pytest.mark.parametrize("state", ["present", "absent"])
    def test_another_registry_leaves_it(self, run, state):
        cluster = FakeCluster(image())
        run(cluster, update_service=True)
        run(cluster, registry="second.test", ca_content=NEW)
        run(cluster, registry="second.test", state=state, **({"ca_content": NEW} if state == "present" else {}))
        assert data_of(cluster, OURS)[self.UPDATES] == CA

    def test_rubbish_there_is_nobodys_business_until_it_is_asked_for(self, run):
        cluster = FakeCluster(image("corp-cas"), config_map("corp-cas", {self.UPDATES: "rubbish"}))
        assert "warnings" not in run(cluster) and "warnings" not in run(cluster, state="absent")
        result = run(cluster, update_service=True)
        assert result["failed"] and self.UPDATES in result["msg"]
