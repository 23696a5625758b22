# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles in somebody else's project: each by its own variables alone, in an order and with habits that are not ours.

The project becomes root, gathers facts, merges hashes, uses the strategy free, has a role that depends on one of these, and
has handlers of its own. None of the collection's disconnected_* variables is set.
The tests of this file are chapters: each begins where the one before ended.
"""
from __future__ import annotations

import json
import os
import pathlib
import stat

import pytest
import yaml

BIN = pathlib.Path(os.sys.executable).parent

SITE_ROLE = """
dependencies:
  - role: disconnected.openshift.ca_trust
    vars:
      ca_trust_certificate: files/mirror-ca.pem
      ca_trust_registry: "{{ site_mirror }}"
"""

BASTION = """
- name: The site's bastion
  hosts: bastion
  become: true
  gather_facts: true
  module_defaults:
    group/disconnected.openshift.cluster:
      kubeconfig: "{{ site_kubeconfig }}"
  handlers:
    - name: Update the trust store
      ansible.builtin.command: "false"
    - name: Restart the site's service
      ansible.builtin.copy:
        content: restarted
        dest: restarted
        mode: "0644"
  roles:
    - role: site_bastion
    - role: disconnected.openshift.ca_trust
      vars:
        ca_trust_name: proxy
        ca_trust_certificate: files/mirror-ca.pem
        ca_trust_registry: ""
      when: site_proxy is defined
    - role: disconnected.openshift.pull_secret
      vars:
        pull_secret_registry: "{{ site_mirror }}"
        pull_secret_username: "{{ site_pusher }}"
        pull_secret_password: "{{ site_push_password }}"
        pull_secret_path: "{{ site_auth_file }}"
      tags: [site]
  tasks:
    - name: Change something
      ansible.builtin.copy:
        content: "{{ ansible_facts.os_family }}"
        dest: changed
        mode: "0644"
      notify: Restart the site's service
    - name: Trust the CA under another name, too
      ansible.builtin.include_role:
        name: disconnected.openshift.ca_trust
      vars:
        ca_trust_certificate: files/mirror-ca.pem
        ca_trust_registry: ""
        ca_trust_name: site
    - name: Mirror
      ansible.builtin.import_role:
        name: disconnected.openshift.mirror
      vars:
        mirror_registry: "{{ site_mirror }}"
        mirror_auth_file: "{{ site_auth_file }}"
        mirror_catalogs: []
        mirror_images: "{{ site_images }}"
        mirror_signature_stores: []
        mirror_ca_files: "{{ site_ca_files }}"
        mirror_ca: files/mirror-ca.pem
    - name: Look whether the service was restarted in between
      ansible.builtin.stat:
        path: restarted
      register: site_restarted
      failed_when: site_restarted.stat.exists
"""

CLUSTER = """
- name: The site's cluster
  hosts: localhost
  strategy: free
  gather_facts: true
  module_defaults:
    group/disconnected.openshift.cluster:
      kubeconfig: "{{ site_kubeconfig }}"
  tasks:
    - name: Nothing is there yet
      ansible.builtin.include_role:
        name: disconnected.openshift.verify
      vars:
        verify_registry: "{{ site_mirror }}"
        verify_expect: clean
    - name: Plan
      ansible.builtin.include_role:
        name: disconnected.openshift.mirror
        tasks_from: plan
        apply:
          tags: [site]
      vars:
        mirror_registry: "{{ site_mirror }}"
        mirror_auth_file: "{{ site_auth_file }}"
        mirror_images: "{{ site_images }}"
        mirror_ca_files: "{{ site_ca_files }}"
    - name: Configure
      ansible.builtin.include_role:
        name: disconnected.openshift.cluster_config
        public: true
      vars: &cluster_config
        cluster_config_registry: "{{ site_mirror }}"
        cluster_config_username: "{{ site_puller }}"
        cluster_config_password: "{{ site_pull_password }}"
        cluster_config_ca: files/mirror-ca.pem
        cluster_config_name: site
        cluster_config_poll_interval: "1"
        cluster_config_reach: "no"
    - name: Cut
      ansible.builtin.include_role:
        name: disconnected.openshift.disconnect
      vars: &disconnect
        disconnect_registry: "{{ site_mirror }}"
        disconnect_refuse: "no"
        disconnect_poll_interval: "1"
    - name: Prove it
      ansible.builtin.import_role:
        name: disconnected.openshift.verify
      vars:
        verify_registry: "{{ site_mirror }}"
"""

BACK = """
- name: The site's cluster, back again
  hosts: localhost
  gather_facts: false
  module_defaults:
    group/disconnected.openshift.cluster:
      kubeconfig: "{{ site_kubeconfig }}"
  roles:
    - role: disconnected.openshift.cluster_config
      vars:
        cluster_config_state: absent
        cluster_config_registry: "{{ site_mirror }}"
        cluster_config_name: site
        cluster_config_poll_interval: 1
    - role: disconnected.openshift.disconnect
      vars:
        disconnect_state: absent
        disconnect_registry: "{{ site_mirror }}"
        disconnect_poll_interval: 1
    - role: disconnected.openshift.verify
      vars:
        verify_registry: "{{ site_mirror }}"
        verify_expect: clean

- name: The site's bastion, back again
  hosts: bastion
  gather_facts: false
  tasks:
    - name: Take the credentials out
      ansible.builtin.include_role:
        name: disconnected.openshift.pull_secret
      vars:
        pull_secret_state: absent
        pull_secret_path: "{{ site_auth_file }}"
        pull_secret_registry: "{{ site_mirror }}"
    - name: Trust the CA no longer
      ansible.builtin.include_role:
        name: disconnected.openshift.ca_trust
      vars:
        ca_trust_state: absent
        ca_trust_name: "{{ item }}"
      loop: [site, disconnected-openshift-mirror]
"""

# What sudo does that matters here: it passes on no variable of the environment but a few.
SUDO = """#!/bin/sh
while [ "$1" ]; do case $1 in -u) shift 2;; -*) shift;; *) break;; esac; done
exec env -i PATH="$PATH" HOME="$HOME" "$@"
"""


class Site:
    """The project, its inventory, and its own names for what the lab says of itself."""

    def __init__(self, lab, directory):
        self.lab, self.directory = lab, directory
        given = yaml.safe_load((lab.directory / "vars.yml").read_text())
        (directory / "roles/site_bastion/meta").mkdir(parents=True)
        (directory / "roles/site_bastion/meta/main.yml").write_text(SITE_ROLE)
        (directory / "files").mkdir()
        (directory / "files/mirror-ca.pem").write_text(pathlib.Path(given["disconnected_mirror_ca"]).read_text())
        sudo = directory / "sudo"
        sudo.write_text(SUDO)
        sudo.chmod(sudo.stat().st_mode | stat.S_IXUSR)
        self.auth_file = directory / "auth.json"
        self.mirror = given["disconnected_mirror_registry"]
        self.anchor = pathlib.Path(given["ca_trust_anchors_dir"]) / "disconnected-openshift-mirror.crt"
        names = {
            "site_mirror": "disconnected_mirror_registry", "site_pusher": "disconnected_mirror_username",
            "site_push_password": "disconnected_mirror_password", "site_puller": "disconnected_pull_username",
            "site_pull_password": "disconnected_pull_password", "site_ca_files": "mirror_ca_files",
            "site_images": "disconnected_images",
        }
        variables = {name: given[said] for name, said in names.items()} | {
            "site_auth_file": str(self.auth_file), "site_kubeconfig": lab.facts["kubeconfig"],
            # The lab's stand-in for the host's trust store.
            "ca_trust_anchors_dir": given["ca_trust_anchors_dir"], "ca_trust_update_command": given["ca_trust_update_command"],
            "ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "ansible_become_exe": str(sudo),
        }
        (directory / "inventory.json").write_text(json.dumps({"all": {"hosts": {"bastion": {}, "localhost": {}}, "vars": variables}}))

    def play(self, text, *arguments, **env):
        (self.directory / "site.yml").write_text(text)
        habits = {
            "ANSIBLE_ROLES_PATH": str(self.directory / "roles"), "K8S_AUTH_KUBECONFIG": "/nowhere/kubeconfig",
            "ANSIBLE_HASH_BEHAVIOUR": "merge", "ANSIBLE_DUPLICATE_YAML_DICT_KEY": "error", "ANSIBLE_INJECT_FACT_VARS": "false",
            "ANSIBLE_PRIVATE_ROLE_VARS": "true", "ANSIBLE_ERROR_ON_UNDEFINED_VARS": "true", "ANSIBLE_GATHERING": "smart"}
        argv = [str(BIN / "ansible-playbook"), "site.yml", "-i", "inventory.json", *arguments]
        return self.lab.run(argv, habits | env, self.directory)


@pytest.fixture(scope="module")
def site(make_lab, tmp_path_factory):
    return Site(make_lab(nodes=2, speed=200), tmp_path_factory.mktemp("site"))


def test_a_dry_run_before_anything_is_there(site):
    """Without the file that pull_secret would write, mirror has no credentials of its own to look with, and says so."""
    run = site.play(BASTION, "--check")
    assert run.rc != 0 and "pull_secret_username" in run.failures[-1], run.output


def test_the_bastion(site):
    run = site.play(BASTION)
    assert run.rc == 0, run.output
    assert site.anchor.exists() and site.anchor.with_name("site.crt").exists()
    assert (site.directory / "restarted").exists()  # at the end, and not before
    assert site.mirror in json.loads(site.auth_file.read_text())["auths"]
    assert run.result("Copy what is missing")["counts"]["failed"] == 0
    rebuilt = [task for task in run.tasks if task["task"].endswith("Rebuild the trust store") and task["outcome"] == "changed"]
    assert len(rebuilt) == 2  # by the site's own role and under the other name, whatever a third use would have done


def test_the_bastion_again_by_a_tag(site):
    run = site.play(BASTION, "--tags", "site")
    assert run.rc == 0 and run.changed == 0, run.output
    assert [task for task in run.tasks if "pull_secret" in task["task"] and task["outcome"] == "ok"]


def test_the_cluster_in_another_order(site):
    run = site.play(CLUSTER)
    assert run.rc == 0, run.output
    assert run.result("Every node")["matches"]
    sets = site.lab.api.resources.get(kind="ImageDigestMirrorSet", api_version="config.openshift.io/v1").get().items
    assert [found.metadata.name for found in sets] == ["site"]


def test_the_way_back(site):
    run = site.play(BACK)
    assert run.rc == 0, run.output
    assert not site.anchor.exists() and not site.anchor.with_name("site.crt").exists()
    assert site.mirror not in json.loads(site.auth_file.read_text())["auths"]
    again = site.play(BACK)
    assert again.rc == 0 and again.changed == 0, again.output
