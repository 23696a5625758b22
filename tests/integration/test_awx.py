# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example project for AWX: its jobs run as AWX runs them, and its objects are what awx.awx's modules take.

A job of AWX is ansible-runner on a copy of the project, with the credentials' variables and files, in a container that is
gone afterwards: each job here has a directory and a home of its own.
"""
from __future__ import annotations

import base64
import hashlib
import importlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
import yaml

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(sys.executable).parent
PROJECT = ROOT / "docs" / "examples" / "awx-project"
AWX = ROOT / ".collections" / "ansible_collections" / "awx" / "awx"
STEPS = ["prepare", "mirror", "configure", "verify", "rehearse", "disconnect", "reconnect"]


def content(directory):
    """Every file of a directory by the digest of what it holds."""
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in directory.rglob("*") if path.is_file()}


def test_every_playbook_can_be_a_job():
    """AWX lists files of a project, not of collections: each playbook but the workflow has one that imports it."""
    wrappers = {path.stem: yaml.safe_load(path.read_text()) for path in PROJECT.glob("*.yml")}
    playbooks = {path.stem for path in (ROOT / "playbooks").glob("*.yml")} - {"convert"}
    assert set(wrappers) == playbooks
    for name, plays in wrappers.items():
        assert [play["ansible.builtin.import_playbook"] for play in plays] == ["disconnected.openshift." + name]


# --- configuration as code ---------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    """load.yml's tasks as Ansible resolves them, without AWX: [(module, arguments), ...].

    The modules are replaced by one that only says what it was given.
    """
    directory = tmp_path_factory.mktemp("awx")
    shutil.copy(PROJECT / "awx" / "objects.yml", directory)
    [play] = yaml.safe_load((PROJECT / "awx" / "load.yml").read_text())
    modules = []
    for task in play["tasks"]:
        [module] = [key for key in task if key.startswith("awx.awx.")]
        modules.append(module)
        task["ansible.builtin.debug"] = {"msg": task.pop(module)}
        task.pop("no_log", None)
    (directory / "load.json").write_text(json.dumps([play]))
    secrets = {name: "a" for name in ("vault_mirror_password", "vault_mirror_ca", "vault_pull_password", "vault_kubeconfig",
                                      "vault_bastion_key")}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ANSIBLE_")} | {
        "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests/integration/callback"), "ANSIBLE_CALLBACKS_ENABLED": "record",
        "RECORD_FILE": str(directory / "record.jsonl"), "HOME": str(directory)}
    done = subprocess.run([str(BIN / "ansible-playbook"), "load.json", "-e", json.dumps(secrets)], cwd=directory, text=True,
                          env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    results = [json.loads(line)["result"] for line in (directory / "record.jsonl").read_text().splitlines()]
    results = [result["results"] for result in results if "results" in result]
    assert len(results) == len(modules)
    return [(module, told["msg"]) for module, loop in zip(modules, results) for told in loop]


@pytest.fixture
def specification(monkeypatch):
    """The argument specification that a module of awx.awx itself declares, caught as it declares it."""
    monkeypatch.syspath_prepend(str(ROOT / ".collections"))
    import ansible_collections
    monkeypatch.setattr(ansible_collections, "__path__", [str(AWX.parents[1])])

    class Declared(Exception):
        pass

    def declare(argument_spec, **_rest):
        raise Declared(argument_spec)

    def read(name):
        module = importlib.import_module("ansible_collections.awx.awx.plugins.modules." + name)
        monkeypatch.setattr(module, "ControllerAPIModule", declare)
        with pytest.raises(Declared) as declared:
            module.main()
        return declared.value.args[0]

    return read


def test_the_objects_are_what_the_modules_take(tasks, specification):
    validators = {}
    for module, arguments in tasks:
        name = module.rpartition(".")[2]
        validators.setdefault(name, ArgumentSpecValidator(specification(name)))
        given = {key: value for key, value in arguments.items() if not str(value).startswith("__omit_place_holder__")}
        assert not validators[name].validate(given).error_messages, "%s %s" % (module, arguments["name"])


def by_module(tasks, name):
    return [arguments for module, arguments in tasks if module == "awx.awx." + name]


def test_the_objects_refer_to_each_other(tasks):
    """What a job template or the workflow names is created before it, or is AWX's own."""
    types = {kind["name"] for kind in by_module(tasks, "credential_type")} | {"Machine"}
    credentials = {credential["name"] for credential in by_module(tasks, "credential")}
    templates = {template["name"] for template in by_module(tasks, "job_template")}
    assert {credential["credential_type"] for credential in by_module(tasks, "credential")} == types
    for template in by_module(tasks, "job_template"):
        assert set(template["credentials"]) <= credentials
        assert (PROJECT / template["playbook"]).is_file()
    [workflow] = by_module(tasks, "workflow_job_template")
    nodes = {node["identifier"]: node for node in workflow["workflow_nodes"]}
    assert list(nodes) == ["prepare", "mirror", "configure", "verify", "approve", "disconnect"]
    following = [node["related"]["success_nodes"][0]["identifier"] for node in nodes.values() if "related" in node]
    assert following == list(nodes)[1:]
    jobs = [node["unified_job_template"] for node in nodes.values()]
    assert {job["name"] for job in jobs if job["type"] == "job_template"} < templates
    assert [job["type"] for job in jobs].index("workflow_approval") == 4


def test_secrets_reach_a_job_as_environment_and_files_only(tasks):
    """Extra variables would show up in a job's details; AWX refuses names that begin with ANSIBLE_."""
    for kind in by_module(tasks, "credential_type"):
        assert set(kind["injectors"]) <= {"env", "file"}
        assert not [name for name in kind["injectors"]["env"] if name.startswith("ANSIBLE_")]
        secret = {field["id"] for field in kind["inputs"]["fields"] if field.get("secret")}
        assert secret and secret <= set(kind["inputs"]["required"])


def test_the_execution_environment_has_what_the_collection_needs():
    definition = yaml.safe_load((ROOT / "meta" / "execution-environment.yml").read_text())
    assert definition["version"] == 3
    needed = ROOT / definition["dependencies"]["python"]
    assert "-r requirements.txt" in needed.read_text().splitlines()
    asked = yaml.safe_load((PROJECT / "collections" / "requirements.yml").read_text())["collections"]
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text())
    assert {c["name"]: c["version"] for c in asked} == {"disconnected.openshift": ">=" + galaxy["version"]} | galaxy["dependencies"]


# --- jobs --------------------------------------------------------------------------------------------------------

def read_only(directory, argv):
    """The command that runs another one to which a directory cannot be written, where the system lets a test have that."""
    mounted = ["unshare", "--mount", "sh", "-c", 'mount --bind -o ro "$0" "$0" && exec "$@"', str(directory)]
    try:
        subprocess.run([*mounted, "true"], check=True, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        for path in [*directory.rglob("*"), directory]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        return argv
    return [*mounted, *argv]


class Jobs:
    """Jobs of AWX against one lab."""

    def __init__(self, lab, directory, templates):
        self.lab, self.directory = lab, directory
        self.templates = {template["playbook"]: template for template in templates}
        # What the lab's user says, but for what the job templates and the credentials say.
        given = yaml.safe_load((lab.directory / "vars.yml").read_text())
        self.answers = {name: "\n".join(given["disconnected_" + name]) for name in ("catalogs", "images")}
        said = ("disconnected_mirror_", "disconnected_pull_", "disconnected_catalogs", "disconnected_images")
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        self.inventory = {"all": {"hosts": {"localhost": local, "bastion": local},
                                  "vars": {k: v for k, v in given.items() if not k.startswith(said)}}}
        mirror = lab.facts["mirror"]
        self.credentials = {
            "MIRROR_REGISTRY": mirror["registry"], "MIRROR_CA": given["disconnected_mirror_ca"],
            "MIRROR_USERNAME": mirror["username"], "MIRROR_PASSWORD": mirror["password"],
            "MIRROR_PULL_USERNAME": mirror["pull_username"], "MIRROR_PULL_PASSWORD": mirror["pull_password"],
            "K8S_AUTH_KUBECONFIG": lab.facts["kubeconfig"],
        }

    def run(self, name, playbook=None, check=False):
        """Runs one job template, or a playbook by its full name with what that template says; returns the exit code, the output,
        and everything that AWX would store of it."""
        job = self.directory / name
        shutil.copytree(PROJECT, job / "project")
        (job / "inventory").mkdir()
        (job / "home").mkdir()
        (job / "env").mkdir()
        (job / "inventory" / "hosts.json").write_text(json.dumps(self.inventory))
        template = self.templates[name + ".yml"]
        argv = ["ansible-runner", "run", str(job), "-p", playbook or name + ".yml", *(["--cmdline=--check"] if check else [])]
        (job / "env" / "extravars").write_text(json.dumps(
            template["extra_vars"] | (self.answers if template.get("survey_enabled") else {})))
        before = content(job / "project")
        environment = self.lab.env | self.credentials | {
            "HOME": str(job / "home"), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"), "ANSIBLE_NOCOLOR": "1"}
        done = subprocess.run(read_only(job / "project", argv), env=environment, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=300, check=False)
        assert content(job / "project") == before, "%s wrote into the project" % name
        stored = done.stdout + "".join(path.read_text() for path in job.glob("artifacts/*/job_events/*.json"))
        shutil.rmtree(job)
        return done.returncode, done.stdout, stored


def test_the_workflow_runs_job_by_job_and_shows_no_secret(make_lab, tmp_path, tasks):
    jobs = Jobs(make_lab(nodes=3), tmp_path, by_module(tasks, "job_template"))
    stored = ""
    # A rehearsal costs every node two updates: its job is run as a dry run, which is the job type "check".
    runs = [(name, None, name == "rehearse") for name in STEPS] + [("mirror", "disconnected.openshift.convert", True)]
    for name, playbook, check in runs:
        code, output, events = jobs.run(name, playbook, check)
        assert code == 0, "%s: %s" % (playbook or name, output[-4000:])
        stored += events
    mirror = jobs.lab.facts["mirror"]
    for user, word in (("username", "password"), ("pull_username", "pull_password")):
        assert mirror[word] not in stored
        assert json.dumps(mirror[word])[1:-1] not in stored
        assert base64.b64encode(("%s:%s" % (mirror[user], mirror[word])).encode()).decode() not in stored
