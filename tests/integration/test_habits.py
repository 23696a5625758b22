# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person meets: the first word of a run, its last word when it fails, tags, callbacks, a dry run, the report.

The tests of this file are chapters: each begins where the one before ended.
"""
from __future__ import annotations

import base64
import json
import re

import pytest

from browser import Browser
from test_conversion import canaries

FIRST = "Say what will be done to which cluster"
LAST = "Say what failed, what became of the cluster, and what to run next"
CONVERT = ("disconnected_mirror_registry", "disconnected_mirror_ca", "disconnected_mirror_username",
           "disconnected_mirror_password")


EVIL = "<script>alert(1)</script>"
BY_HAND = {
    "apiVersion": "config.openshift.io/v1", "kind": "ImageDigestMirrorSet", "metadata": {"name": "by-hand"},
    "spec": {"imageDigestMirrors": [{"source": "quay.io/by-hand", "mirrors": ["mirror.example.com/by-hand"]}]}}


@pytest.fixture(scope="module")
def lab(make_lab):
    return make_lab(nodes=3, speed=500)


def reported(lab, name):
    """The variables that leave a report of that name, which the last chapters read."""
    return {"disconnected_report": str(lab.home / "reports" / name)}


def report(lab, name):
    return json.loads((lab.home / "reports" / (name + ".json")).read_text())


def told(run, task):
    return [found["result"]["msg"] for found in run.tasks if found["task"].endswith(task)]


def last_word(run):
    """The paragraph of a run that failed, which stands once, and right before the recap."""
    [paragraph] = told(run, LAST)
    assert run.rc != 0
    end = run.output.partition("PLAY RECAP")[0].rstrip().splitlines()
    assert paragraph in end[-1].replace('\\"', '"'), end[-1]
    return paragraph


@pytest.mark.parametrize("playbook, options, missing", [
    ("convert", [], CONVERT),
    ("convert", ["--tags", "verify"], CONVERT[:1]),
    ("prepare", ["--skip-tags", "pull_secret"], CONVERT[:2]),
    ("configure", ["-e", "disconnected_pull_username=u", "-e", "disconnected_pull_password=p"], CONVERT[:2]),
    ("configure", ["-e", "disconnected_pull_username=u"], (*CONVERT[:2], "disconnected_pull_password")),
    ("configure", ["-e", "disconnected_pull_username="], CONVERT),
    ("mirror", ["-e", "disconnected_mirror_mode=to_disk"], ("disconnected_mirror_archive", "disconnected_mirror_registry")),
], ids=["convert", "only verify", "without a role", "pull account", "half a pull account", "no pull account", "to disk"])
def test_missing_inputs_are_named_before_anything_else(lab, playbook, options, missing):
    run = lab.playbook("disconnected.openshift." + playbook, *options, bare=True)
    assert run.rc != 0
    failed = [found for found in run.tasks if found["outcome"] == "failed"]
    assert set(re.findall(r"disconnected_\w+", failed[0]["result"]["msg"])) == set(missing), run.output
    assert [found["task"] for found in run.tasks][0] == failed[0]["task"] == "Ask for what is missing"
    assert all(name in last_word(run) for name in missing)


def test_the_first_word_says_what_will_be_done_to_which_cluster_and_the_last_what_failed(lab):
    run = lab.playbook("disconnected.openshift.verify", variables={"verify_settle": 0})
    [lines] = told(run, FIRST)
    assert len(lines) == 3
    for word in (lab.facts["api"]["url"], "4.16.30", "3 nodes", "not converted", lab.facts["mirror"]["registry"]):
        assert word in "\n".join(lines)
    assert run.output.index(lines[0]) < run.output.index("Read the three files of every node")
    paragraph = last_word(run)
    assert "Read the three files of every node" in paragraph and "3 of 3 nodes do not have" in paragraph
    assert "is not converted" in paragraph and "disconnected.openshift.convert" in paragraph


def test_a_trust_store_that_could_not_be_updated_is_what_failed_and_is_updated_by_the_next_run(lab):
    update = "Update | Rebuild the trust store"
    run = lab.playbook("disconnected.openshift.prepare", variables={"ca_trust_update_command": ["false"]})
    paragraph = last_word(run)
    assert update in paragraph and "disconnected.openshift.prepare again" in paragraph
    run = lab.playbook("disconnected.openshift.prepare")
    assert run.rc == 0 and update in [found["task"].rpartition(" : ")[2] for found in run.tasks], run.output
    run = lab.playbook("disconnected.openshift.prepare")
    assert run.rc == 0 and run.changed == 0, run.output


def test_a_dry_run_is_a_plan(lab):
    writes = lab.writes
    run = lab.playbook("disconnected.openshift.convert", "--check", "--diff", variables=reported(lab, "dry"))
    assert run.rc == 0 and lab.writes == writes, run.output
    end = run.output[run.output.index("Say it, and what to run next"):]
    for word in ("images would be copied", "ImageDigestMirrorSet disconnected-openshift is created", "Pool worker (",
                 "OperatorHub cluster", "disconnected.openshift.convert without --check does it"):
        assert word in end, end
    assert "Take its way to the internet away now" not in run.output


def test_a_rollout_that_fails_midway(lab):
    """The first word and the last word of `convert` stand once, although it consists of five playbooks."""
    node = lab.facts["nodes"][-1]
    lab.command("faults", "reload", "node=" + node)
    run = lab.playbook("disconnected.openshift.convert", variables=reported(lab, "failed"))
    lab.command("faults", "clear")
    assert len(told(run, FIRST)) == 1
    paragraph = last_word(run)
    assert "Wait until every node runs it" in paragraph and "the rollout is under way" in paragraph
    assert node + " is Degraded" in paragraph and "disconnected.openshift.convert again" in paragraph
    assert "disconnected.openshift.reconnect" in paragraph


def test_it_is_finished_by_what_the_last_word_said(lab):
    run = lab.playbook("disconnected.openshift.convert", variables=reported(lab, "done"))
    assert run.rc == 0, run.output
    assert len(told(run, FIRST)) == 1 and not told(run, LAST)
    [lines] = told(run, "Say it, and what to run next")
    assert "its operators are told that there is no internet" in lines[0] and "verify" in lines[1]


def roles(run):
    """The roles whose tasks ran, but for the validation of their arguments, which Ansible always does."""
    tasks = [found["task"] for found in run.tasks if "Validating arguments" not in found["task"]]
    return {task.split(" : ")[0].rpartition(".")[2] for task in tasks if " : " in task}


@pytest.mark.parametrize("role", ["ca_trust", "verify"])
def test_a_tag_is_a_role_alone(lab, role):
    run = lab.playbook("disconnected.openshift.convert", "--tags", role)
    assert run.rc == 0 and roles(run) == {role}, run.output


def test_a_role_that_is_left_out_takes_no_word_with_it(lab):
    run = lab.playbook("disconnected.openshift.prepare", "--skip-tags", "ca_trust")
    assert run.rc == 0 and roles(run) == {"pull_secret"}, run.output
    assert told(run, FIRST) and told(run, "Say it, and what to run next")


def test_a_password_of_digits_alone_is_a_password(lab, tmp_path):
    """YAML reads a number, and ansible-core 2.19 keeps it one."""
    auth_file = tmp_path / "auth.json"
    run = lab.playbook("disconnected.openshift.prepare", "--tags", "pull_secret", variables={
        "disconnected_mirror_username": "pusher", "disconnected_mirror_password": 12345678,
        "disconnected_auth_file": str(auth_file)})
    assert run.rc == 0, run.output
    entry = json.loads(auth_file.read_text())["auths"][lab.facts["mirror"]["registry"]]
    assert base64.b64decode(entry["auth"]) == b"pusher:12345678"


def test_beginning_in_the_middle(lab):
    run = lab.playbook("disconnected.openshift.verify", "--start-at-task", "Look at pods, nodes, cluster operators and pools")
    assert run.rc == 0, run.output
    assert not told(run, FIRST) and roles(run) == {"verify"}


def test_configuring_without_a_plan_names_what_is_missing(lab):
    run = lab.playbook("disconnected.openshift.configure", "--limit", "localhost", "--start-at-task",
                       "Look at what is given, and at the cluster")
    assert "cluster_config_mirrors" in last_word(run)


@pytest.mark.parametrize("callback", ["minimal", "oneline"])
def test_other_callbacks(lab, callback):
    """tree and junit write files beside whatever prints."""
    directory = lab.home / callback
    env = {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin." + callback, "JUNIT_OUTPUT_DIR": str(directory),
           "ANSIBLE_CALLBACK_TREE_DIR": str(directory / "tree"),
           "ANSIBLE_CALLBACKS_ENABLED": "record,ansible.builtin.junit,ansible.builtin.tree"}
    run = lab.playbook("disconnected.openshift.verify", env=env)
    assert run.rc == 0, run.output
    assert "OpenShift 4.16.30, 3 nodes" in run.output
    assert list(directory.glob("*.xml")) and list((directory / "tree").iterdir())


def test_a_mirror_host_that_cannot_be_reached(lab):
    hosts = lab.directory / "hosts.json"
    hosts.write_text(json.dumps({"all": {"hosts": {"bastion": {"ansible_host": "127.0.0.1", "ansible_port": 1}}}}))
    run = lab.playbook("disconnected.openshift.prepare", "-i", str(hosts),
                       variables={"disconnected_mirror_host": "bastion", **reported(lab, "unreachable")})
    assert run.rc == 4 and "bastion" in run.output
    [lines] = told(run, FIRST)
    assert "bastion" in lines[1]


@pytest.mark.parametrize("connection", ["ssh", "{{ 'ssh' if lookup('ansible.builtin.pipe', 'ls ' ~ secret ~ ' || true') else 'local' }}"],
                         ids=["from the beginning", "once the pull secret was read"])
def test_a_mirror_host_that_cannot_be_reached_leaves_no_pull_secret_behind(lab, tmp_path, connection):
    """No `always` runs then."""
    bastion = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_connection": connection,
               "ansible_python_interpreter": "{{ ansible_playbook_python }}",
               "secret": str(tmp_path / "disconnected-openshift-*" / "pull-secret.json")}
    hosts = tmp_path / "hosts.json"
    hosts.write_text(json.dumps({"all": {"hosts": {"bastion": bastion}}}))
    run = lab.playbook("disconnected.openshift.prepare", "-i", str(hosts), "--tags", "pull_secret",
                       variables={"disconnected_mirror_host": "bastion"}, env={"TMPDIR": str(tmp_path)})
    assert run.rc != 0 and "Failed to connect to the host via ssh" in run.output
    assert not list(tmp_path.glob("disconnected-openshift-*/pull-secret.json"))


def test_a_report_that_cannot_be_written_is_said_before_anything_is_begun(lab):
    run = lab.playbook("disconnected.openshift.verify", variables={"disconnected_report": "/dev/null/report"})
    assert "disconnected_report" in last_word(run) and roles(run) == set()


def test_a_long_wait_shows_where_the_pools_stand(lab):
    """The controller is away, so that they stand where they are."""
    lab.command("faults", "controller", "state=off")
    lab.create(BY_HAND)
    run, result = lab.module("machine_config_rollout", {
        "state": "waited", "start_timeout": 4, "poll_interval": 0.5, "progress_interval": 1})
    lab.delete(BY_HAND)
    lab.command("faults", "clear")
    lines = re.findall(r"^localhost: \d\d:\d\d:\d\d .*", run.output, re.MULTILINE)
    assert run.rc != 0 and "quay.io/by-hand" in " ".join(lines), run.output
    assert run.output.index(lines[0]) < run.output.index("fatal: [localhost]") and len(lines) == len(set(lines))


def test_a_cluster_of_several_that_fails_has_the_last_word(lab):
    """Two hosts of the inventory; that they are one and the same cluster does not matter here."""
    hosts = lab.directory / "hosts.json"
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    hosts.write_text(json.dumps({"clusters": {"hosts": {"east": local, "west": dict(local, verify_expect="clean")}}}))
    run = lab.playbook("disconnected.openshift.verify", "-i", str(hosts), variables={
        "disconnected_clusters": "clusters", "verify_settle": 0, **reported(lab, "fleet")})
    assert run.rc == 2 and {found["host"] for found in run.tasks if found["outcome"] == "failed"} == {"west"}
    [[paragraph]] = told(run, "Repeat what became of those that failed")
    end = run.output.partition("PLAY RECAP")[0].replace('\\"', '"')[-2500:]
    assert paragraph.startswith("On west the task") and paragraph in end, end


def test_what_a_node_says_is_never_taken_for_markup(lab):
    node = lab.facts["nodes"][0]
    lab.command("faults", "degraded", "node=" + node, "reason=" + EVIL)
    run = lab.playbook("disconnected.openshift.verify", variables={"verify_settle": 0, **reported(lab, "evil")})
    lab.command("faults", "clear")
    assert EVIL in last_word(run)


# --- the report ----------------------------------------------------------------------------------------------------

def test_the_report_tells_what_was_planned_done_and_found(lab):
    done = report(lab, "done")
    [cluster] = done["clusters"]
    assert (done["schema"], done["playbook"], done["outcome"], done["dry_run"]) == (1, "convert", "done", False)
    assert done["mirror"]["proved"] and done["mirror"]["total"] == done["mirror"]["planned"] > 50
    assert cluster["stage_before"] in ("rollout", "configured") and cluster["stage"] == "disconnected"
    assert cluster["next"].startswith("take its way to the internet away")
    assert (cluster["nodes"]["matching"], cluster["nodes"]["total"]) == (3, 3)
    assert cluster["coverage"]["ready"] and {"shop", "openshift-etcd"} <= {
        space["namespace"] for space in cluster["coverage"]["namespaces"]}
    [files] = cluster["registries_conf"]
    assert lab.facts["mirror"]["registry"] in files["after"] and lab.facts["mirror"]["registry"] not in files["before"]
    assert len(files["added"]) > 10 and "OperatorHub cluster: changed" in cluster["changed"]


def test_the_report_of_a_run_that_failed(lab):
    failed = report(lab, "failed")
    [cluster] = failed["clusters"]
    assert (failed["outcome"], cluster["outcome"], cluster["stage"]) == ("failed", "failed", "rollout")
    assert "Wait until every node runs it" in cluster["failure"]
    assert cluster["plan"]["changes"] and "ImageDigestMirrorSet disconnected-openshift: created" in cluster["changed"]
    assert cluster["rollout"]["timeline"] and [node for node in cluster["rollout"]["nodes"] if node["failed"]]


def test_a_dry_run_reports_what_would_be(lab):
    dry = report(lab, "dry")
    assert dry["dry_run"] and dry["mirror"]["counts"]["missing"] == dry["mirror"]["planned"]
    assert dry["clusters"][0]["plan"]["summary"] and dry["clusters"][0]["stage"] == "connected"


def test_a_run_that_was_cut_off_has_left_the_report_that_it_began(lab):
    assert report(lab, "unreachable")["outcome"] == "unfinished"


def test_the_report_of_several_clusters(lab):
    fleet = report(lab, "fleet")
    assert [(cluster["host"], cluster["outcome"]) for cluster in fleet["clusters"]] == [("east", "done"), ("west", "failed")]


@pytest.mark.parametrize("name", ["done", "failed", "dry", "unreachable", "fleet", "evil"])
def test_a_report_holds_no_secret_and_is_its_readers_alone(lab, name):
    for suffix in (".json", ".html"):
        path = lab.home / "reports" / (name + suffix)
        assert path.stat().st_mode & 0o777 == 0o600
        assert not [secret for secret in canaries(lab) if secret in path.read_text()]


def at(document, path):
    for step in path.split("."):
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not Browser.program():
        pytest.skip("Chromium is not installed, so no browser opens the reports")
    with Browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.mark.parametrize("name", ["done", "failed", "dry", "unreachable", "fleet", "evil"])
def test_a_browser_shows_it_and_asks_for_nothing(lab, browser, name):
    asked, said = browser.open(lab.home / "reports" / (name + ".html"))
    assert (asked, said) == ([], [])
    document = report(lab, name)
    assert len(browser.figures) >= (4 if name == "unreachable" else 8)
    assert browser.figures == {path: str(at(document, path)) for path in browser.figures}
    assert browser.overflow == 0
    assert (EVIL in browser.evaluate("document.body.textContent")) == (name == "evil")


def test_a_page_that_misbehaves_would_be_noticed(browser, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<!DOCTYPE html><img src='http://127.0.0.1:9/x.png'><script>console.error('no')</script>")
    asked, said = browser.open(page)
    assert asked == ["http://127.0.0.1:9/x.png"] and len(said) == 2


def test_it_is_light_or_dark_as_the_reader_likes_and_white_on_paper(lab, browser, tmp_path):
    browser.open(lab.home / "reports" / "done.html")
    grounds = []
    for media, scheme in (("screen", "light"), ("screen", "dark"), ("print", "dark")):
        browser.look(tmp_path / (media + scheme + ".png"), media, scheme)
        grounds.append(sum(int(part) for part in re.findall(r"\d+", browser.colour("body"))))
    light, dark, paper = grounds
    assert dark < 200 < 600 < light < paper == 765
