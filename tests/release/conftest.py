# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of what git has, the tarball that is built of it, and the tools in this Python's environment."""
from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(sys.executable).parent


def run(*argv, directory, **env):
    """Runs a command with the tools of this environment; returns what it printed, and fails where it failed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ANSIBLE_")} | {
        "PATH": "%s:%s" % (BIN, os.environ["PATH"]), "HOME": str(directory), "ANSIBLE_NOCOLOR": "1", "NO_COLOR": "1"} | env
    done = subprocess.run(argv, cwd=directory, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=900, check=False)
    assert done.returncode == 0, "%s\n%s" % (" ".join(argv), done.stdout)
    return done.stdout


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """A copy of the checkout below ansible_collections, as git would give it to somebody else, with what changed here.

    kubernetes.core is beside it: of what lies in this repository antsibull-docs would see only what git tracks.
    """
    target = tmp_path_factory.mktemp("tree") / "ansible_collections" / "disconnected" / "openshift"
    target.mkdir(parents=True)
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True,
                            stdout=subprocess.PIPE).stdout
    there = b"\0".join(name for name in listed.split(b"\0") if name and (ROOT / os.fsdecode(name)).exists())
    packed = subprocess.run(["tar", "--null", "-T", "-", "-cf", "-"], cwd=ROOT, input=there, check=True, stdout=subprocess.PIPE)
    subprocess.run(["tar", "-xf", "-", "-C", str(target)], input=packed.stdout, check=True)
    shutil.copytree(ROOT / ".collections" / "ansible_collections" / "kubernetes", target.parents[1] / "kubernetes")
    return target


@pytest.fixture(scope="session")
def tarball(tmp_path_factory):
    """Built in the checkout itself, with everything that lies about there."""
    directory = tmp_path_factory.mktemp("dist")
    run("ansible-galaxy", "collection", "build", str(ROOT), "--output-path", str(directory), directory=directory)
    [path] = directory.glob("*.tar.gz")
    return path
