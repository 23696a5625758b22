# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees of a long run: lines on the terminal where the module runs on the controller, each once."""
from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from mirroring import world

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(sys.executable).parent
LINE = re.compile(r"^localhost: \d\d:\d\d:\d\d .*", re.MULTILINE)


@pytest.fixture
def play(tmp_path):
    """Runs mirror_images by ansible-playbook in a world that is slow; returns (exit code, output)."""
    with world(tmp_path) as here:
        here.source.delay = here.target.delay = 0.05
        orders = here.release(6)

        def run(*options, task=None, **args):
            module = dict(dict(plan=[order._asdict() for order in orders], plain_http=[here.source.host, here.target.host],
                               workers=1, progress_interval=0.5), **args)
            tasks = [dict({"disconnected.openshift.mirror_images": module, "name": "Mirror"}, **(task or {}))]
            (tmp_path / "play.json").write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
            env = {k: v for k, v in os.environ.items() if not k.startswith("ANSIBLE_")}
            env.update(ANSIBLE_COLLECTIONS_PATH=os.environ.get("ANSIBLE_COLLECTIONS_PATH", str(ROOT / ".collections")),
                       ANSIBLE_NOCOLOR="1", ANSIBLE_LOCALHOST_WARNING="0", HOME=str(tmp_path),
                       ANSIBLE_ASYNC_DIR=str(tmp_path / "async"))
            done = subprocess.run([str(BIN / "ansible-playbook"), str(tmp_path / "play.json"), *options], env=env, cwd=tmp_path,
                                  text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False)
            return done.returncode, done.stdout

        yield run


def test_lines_appear_while_it_runs_and_each_once(play, tmp_path):
    rc, output = play()
    lines = LINE.findall(output)
    assert rc == 0 and "changed=1" in output, output
    assert len(lines) >= 2 and len(lines) == len(set(lines)), output
    assert output.index(lines[-1]) < output.index("changed: [localhost]")
    assert re.search(r"[1-6] of 6 images, .* at .*/s", lines[-1]), lines
    assert not list(tmp_path.glob(".ansible/tmp/*/*"))


@pytest.mark.parametrize("options,task,args", [
    (["--check"], None, {}),
    ([], {"no_log": True}, {}),
    ([], None, {"progress_interval": 0}),
], ids=["check mode", "no_log", "not wanted"])
def test_no_lines(play, options, task, args):
    rc, output = play(*options, task=task, **args)
    assert rc == 0 and "changed=1" in output, output
    assert not LINE.findall(output)


def test_a_file_is_added_to(play, tmp_path):
    kept = tmp_path / "progress"
    kept.write_text("from before\n")
    rc, output = play(progress_file=str(kept))
    lines = kept.read_text().splitlines()
    assert rc == 0 and lines[0] == "from before" and "from before" not in output
    assert ["localhost: " + line for line in lines[1:]] == LINE.findall(output)


def test_a_failure_is_told_as_ever(play):
    rc, output = play(plan=[dict(source="localhost:1/a/b:1", target="localhost:1/a/b:1")], patience=0, retries=0)
    assert rc == 2 and "1 of 1 images are not on the mirror registry" in output


def test_in_the_background(play):
    rc, output = play(task={"async": 60, "poll": 1})
    assert rc == 0 and not LINE.findall(output), output
