# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's registries, what they hold, and what a node's pull does with the node's own files."""

from __future__ import annotations

import base64
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import tarfile
import urllib.error
import urllib.request

import pytest


def mirrors(*locations, policy=""):
    """registries.conf that sends digests of the upstream elsewhere."""
    text = 'unqualified-search-registries = ["docker.io"]\n[[registry]]\n  prefix = ""\n  location = "%s"\n' + policy
    return text + "".join(
        '[[registry.mirror]]\n  location = "%s"\n  pull-from-mirror = "digest-only"\n' % each for each in locations
    )


class Node:
    """One node whose files a test changes; they are put back afterwards."""

    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        self.root = lab.directory / "nodes" / name / "rootfs"
        self.saved = {}

    def write(self, path, text):
        target = self.root / path
        self.saved.setdefault(target, target.read_text() if target.exists() else None)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def trust_mirror(self, username=None, password=None):
        facts = self.lab.facts["mirror"]
        pair = "%s:%s" % (username or facts["pull_username"], password or facts["pull_password"])
        secret = json.loads((self.root / "var/lib/kubelet/config.json").read_text())
        secret["auths"][facts["registry"]] = {"auth": base64.b64encode(pair.encode()).decode()}
        self.write("var/lib/kubelet/config.json", json.dumps(secret))
        # Not etc/docker/certs.d: what is there by hand is removed by the cluster within a minute.
        self.write("etc/containers/certs.d/%s/ca.crt" % facts["registry"], pathlib.Path(facts["ca"]).read_text())

    def redirect(self, *locations, policy=""):
        self.write(
            "etc/containers/registries.conf",
            mirrors(*locations, policy=policy) % self.lab.facts["upstream"]["registry"],
        )

    def pull(self, image):
        return json.loads(self.lab.command("pull", "--json", self.name, image))[0]

    def restore(self):
        for target, text in self.saved.items():
            if text is None:
                target.unlink()
                if not list(target.parent.iterdir()):
                    target.parent.rmdir()
            else:
                target.write_text(text)


@pytest.fixture
def node(lab):
    node = Node(lab, lab.facts["nodes"][-1])
    yield node
    node.restore()


@pytest.fixture(scope="module")
def clients(lab, tmp_path_factory):
    """Credentials and CAs of both registries, for tools that push and pull."""
    directory = tmp_path_factory.mktemp("clients")
    auths, bundle = {}, ""
    for name in ("upstream", "mirror"):
        facts = lab.facts[name]
        pair = "%s:%s" % (facts["username"], facts["password"])
        auths[facts["registry"]] = {"auth": base64.b64encode(pair.encode()).decode()}
        bundle += pathlib.Path(facts["ca"]).read_text()
    (directory / "auth.json").write_text(json.dumps({"auths": auths}))
    (directory / "ca.crt").write_text(bundle)
    return dict(os.environ, SSL_CERT_FILE=str(directory / "ca.crt"), REGISTRY_AUTH_FILE=str(directory / "auth.json"))


def skopeo(clients, *argv):
    return subprocess.run(["skopeo", *argv], env=clients, text=True, capture_output=True, check=True).stdout


def copy_to_mirror(lab, clients, image, path):
    """What mirroring does, by hand: one image, all architectures, into `path` of the mirror."""
    target = "%s/%s" % (lab.facts["mirror"]["registry"], path)
    skopeo(clients, "copy", "--quiet", "--all", "docker://" + image, "docker://%s:copied" % target)
    return target


def test_the_release_image_is_one(lab, clients, tmp_path):
    inspected = json.loads(skopeo(clients, "inspect", "docker://" + lab.facts["release_tag"]))
    assert lab.facts["release_image"].endswith("@" + inspected["Digest"])
    assert inspected["Labels"]["io.openshift.release"] == lab.facts["release_version"]
    assert inspected["Digest"].replace(":", "-") + ".sig" in inspected["RepoTags"]
    skopeo(clients, "copy", "--quiet", "docker://" + lab.facts["release_image"], "dir:%s" % tmp_path)
    with tarfile.open(tmp_path / inspected["Layers"][-1].partition(":")[2]) as layer:
        stream = json.load(layer.extractfile("release-manifests/image-references"))
    assert stream["kind"] == "ImageStream"
    assert {tag["name"]: tag["from"]["name"] for tag in stream["spec"]["tags"]} == lab.facts["components"]


def test_every_image_of_the_lab_exists(lab, clients):
    images = [
        *lab.facts["components"].values(),
        *lab.facts["catalogs"],
        *lab.facts["sqlite_catalogs"],
        *lab.facts["operands"],
        *lab.facts["images"],
    ]
    for image in dict.fromkeys(images):
        skopeo(clients, "inspect", "--raw", "docker://" + image)


def test_the_catalog_is_for_two_architectures(lab, clients):
    catalog = lab.facts["catalogs"][0]
    listed = json.loads(skopeo(clients, "inspect", "--raw", "docker://" + catalog))["manifests"]
    assert [each["platform"]["architecture"] for each in listed] == ["amd64", "arm64"]
    labels = json.loads(skopeo(clients, "inspect", "docker://" + catalog))["Labels"]
    assert labels == {"operators.operatorframework.io.index.configs.v1": "/configs"}


@pytest.mark.parametrize("name", ["upstream", "mirror"])
def test_a_registry_wants_its_ca_and_its_users(lab, name):
    facts = lab.facts[name]
    with pytest.raises(urllib.error.URLError) as error:
        urllib.request.urlopen(facts["url"] + "/v2/")
    assert isinstance(error.value.reason, ssl.SSLCertVerificationError)
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(facts["url"] + "/v2/", context=ssl.create_default_context(cafile=facts["ca"]))
    assert error.value.code == 401


def test_what_holds_secrets_is_for_its_owner_only(lab):
    assert stat.S_IMODE(lab.directory.stat().st_mode) == 0o700
    for name in ("lab.json", "vars.yml", "kubeconfig", "kubeconfig-viewer", "control.sock"):
        assert not (lab.directory / name).stat().st_mode & 0o077, name


def test_a_node_pulls_from_the_upstream(node, lab):
    pull = node.pull(lab.facts["release_image"])
    assert (pull["ok"], pull["mirror"], pull["source"]) == (True, False, lab.facts["release_image"])


def test_a_node_pulls_from_the_mirror(node, lab, clients):
    image = lab.facts["images"][0]
    path, _at, digest = image.partition("/")[2].partition("@")
    target = copy_to_mirror(lab, clients, image, path)
    node.trust_mirror()
    node.redirect(lab.facts["mirror"]["registry"])
    pull = node.pull(image)
    assert (pull["ok"], pull["mirror"], pull["source"]) == (True, True, "%s@%s" % (target, digest))
    journal = (lab.directory / "nodes" / node.name / "journal").read_text()
    assert '"Trying to access \\"%s@%s\\""' % (target, digest) in journal


def test_a_tag_does_not_come_from_a_mirror_for_digests(node, lab):
    node.trust_mirror()
    node.redirect(lab.facts["mirror"]["registry"])
    pull = node.pull(lab.facts["images"][1])
    assert (pull["ok"], pull["mirror"], len(pull["attempts"])) == (True, False, 1)


def test_a_mirror_that_lacks_the_image_is_passed_over(node, lab):
    node.trust_mirror()
    node.redirect(lab.facts["mirror"]["registry"] + "/nowhere")
    pull = node.pull(lab.facts["release_image"])
    assert (pull["ok"], pull["mirror"]) == (True, False)
    assert "manifest unknown" in pull["attempts"][0]["error"]


def test_a_blocked_source_is_not_asked(node, lab):
    node.trust_mirror()
    node.redirect(lab.facts["mirror"]["registry"] + "/nowhere", policy="blocked = true\n")
    pull = node.pull(lab.facts["release_image"])
    assert not pull["ok"]
    assert "is blocked in" in pull["attempts"][1]["error"]


def test_a_node_without_the_ca_is_refused(node, lab):
    node.trust_mirror()
    node.redirect(lab.facts["mirror"]["registry"])
    node.write("etc/containers/certs.d/%s/ca.crt" % lab.facts["mirror"]["registry"], "")
    assert "signed by unknown authority" in node.pull(lab.facts["images"][0])["attempts"][0]["error"]


def test_a_node_without_the_password_is_refused(node, lab):
    node.trust_mirror(password="wrong")
    node.redirect(lab.facts["mirror"]["registry"])
    assert "authentication required" in node.pull(lab.facts["images"][0])["attempts"][0]["error"]


def test_a_configuration_that_is_refused_stops_every_pull(node, lab):
    both = mirrors("a", policy="mirror-by-digest-only = true\n") % "b"
    node.write("etc/containers/registries.conf", both)
    pull = node.pull(lab.facts["release_image"])
    assert (pull["ok"], pull["attempts"]) == (False, [])
    assert "at the same time" in pull["error"]


def test_a_policy_that_rejects_is_obeyed(node, lab):
    registry = lab.facts["upstream"]["registry"]
    node.write(
        "etc/containers/policy.json",
        json.dumps(
            {
                "default": [{"type": "insecureAcceptAnything"}],
                "transports": {"docker": {registry: [{"type": "reject"}]}},
            }
        ),
    )
    assert "rejected by policy" in node.pull(lab.facts["release_image"])["error"]


def test_a_registry_that_is_off_keeps_its_port_and_its_data(lab, node):
    port = int(lab.facts["upstream"]["registry"].partition(":")[2])
    lab.command("upstream", "off")
    try:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1)
        assert "connection refused" in node.pull(lab.facts["release_image"])["error"]
    finally:
        lab.command("upstream", "on")
    assert node.pull(lab.facts["release_image"])["ok"]


def test_traffic_is_counted(lab, clients):
    before = lab.stats()["registries"]["upstream"]
    skopeo(clients, "inspect", "--raw", "docker://" + lab.facts["images"][0])
    after = lab.stats()["registries"]["upstream"]
    assert after["by"]["GET manifest"] == before["by"]["GET manifest"] + 1
    assert after["agents"]["skopeo/1.9.3"] > before["agents"]["skopeo/1.9.3"]


def test_two_labs_stand_side_by_side(lab, make_lab):
    other = make_lab(version="4.12", nodes=1)
    assert other.facts["upstream"]["registry"] != lab.facts["upstream"]["registry"]
    assert (len(other.facts["nodes"]), other.facts["version"]) == (1, "4.12")
    other.command("down")
    assert not other.directory.exists()
    assert "on" in lab.command("status")


def test_a_start_that_fails_leaves_nothing(lab, make_lab, tmp_path):
    class Broken(type(lab)):
        """A lab on a machine without docker-registry."""

    broken = Broken(tmp_path / "state", nodes=1)
    (tmp_path / "bin").mkdir()
    for program in ("skopeo", "busybox"):
        (tmp_path / "bin" / program).symlink_to(shutil.which(program))
    broken.env["PATH"] = str(tmp_path / "bin")
    said = broken.command("up", check=False)
    assert "docker-registry" in said
    assert not broken.directory.exists()


def is_running(pid):
    """A process that has ended stays in /proc as a zombie for as long as nobody asks how it ended."""
    try:
        return pathlib.Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_a_killed_lab_left_is_stopped(make_lab):
    lab = make_lab(nodes=1)
    processes = [json.loads(line) for line in (lab.directory / "pids").read_text().splitlines()]
    alive = [process for process in processes if process["name"] != "up"]
    assert sorted(process["name"] for process in alive) == ["lab", "mirror", "upstream"]
    os.kill(next(process["pid"] for process in alive if process["name"] == "lab"), signal.SIGKILL)
    assert "No lab is running" in lab.command("status", check=False)
    lab.up()
    assert [process for process in alive if is_running(process["pid"])] == []


def test_a_pid_that_was_given_to_another_process_is_left_alone(make_lab):
    lab = make_lab(nodes=1)
    with (lab.directory / "pids").open("a") as pids:
        pids.write(json.dumps({"name": "mirror", "pid": os.getpid(), "started": 1}) + "\n")
    lab.command("down")


def test_a_directory_of_somebody_else_is_left_alone(lab, tmp_path):
    (tmp_path / "mine").write_text("precious")
    other = type(lab)(tmp_path, nodes=1)
    assert "no lab's" in other.command("up", check=False)
    other.command("down")
    assert (tmp_path / "mine").read_text() == "precious"


@pytest.mark.skipif(not shutil.which("oc"), reason="there is no oc on this machine")
def test_oc_accepts_release_and_catalogs(lab, clients, tmp_path):
    def oc(*argv):
        return subprocess.run(
            ["oc", *argv], env=clients, text=True, capture_output=True, check=True, cwd=tmp_path
        ).stdout

    release = json.loads(oc("adm", "release", "info", "-o", "json", lab.facts["release_image"]))
    assert release["metadata"]["version"] == lab.facts["release_version"]
    for catalog in lab.facts["catalogs"] + lab.facts["sqlite_catalogs"]:
        oc(
            "adm",
            "catalog",
            "mirror",
            catalog,
            "%s/olm" % lab.facts["mirror"]["registry"],
            "--manifests-only",
            "--to-manifests=m",
        )
        images = {line.partition("=")[0] for line in (tmp_path / "m/mapping.txt").read_text().splitlines()}
        assert catalog in images
        assert len(images) > 5
        shutil.rmtree(tmp_path / "m")
