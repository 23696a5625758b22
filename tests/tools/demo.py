# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the lab's cluster off the internet and back, and shows the evidence at each step."""
from __future__ import annotations

import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = pathlib.Path(os.environ.get("LAB_DIR", ROOT / ".lab"))
BIN = pathlib.Path(sys.executable).parent
REPORTS = pathlib.Path(".cache/demo")  # beside what the lab takes with it
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
STARTED = time.monotonic()


def style(text, code):
    return "\033[%sm%s\033[0m" % (code, text) if COLOUR else text


def chapter(number, title, *lines):
    print("\n" + style("%d. %s" % (number, title), "1"))
    for line in lines:
        print("   " + line)


def show(text, indent="      "):
    for line in text.rstrip().splitlines():
        print(style((indent + line).rstrip(), "2"))
    sys.stdout.flush()


def lab(*argv):
    """Runs a command of the lab and returns what it printed."""
    done = subprocess.run([sys.executable, "-m", "lab", *argv], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise SystemExit("lab %s failed:\n%s" % (" ".join(argv), done.stdout))
    return done.stdout


def playbook(name, report=None):
    """Runs a playbook of the collection as its user would; tells what it foresees and what it changes.

    The whole output goes to a log, whose end is shown when the playbook fails.
    """
    log = LAB / "log" / (name + ".log")
    report = REPORTS / ((report or name) + ".html")
    print("   $ ansible-playbook disconnected.openshift.%s -e @.lab/vars.yml -e disconnected_report=%s" % (name, report))
    command = [str(BIN / "ansible-playbook"), "disconnected.openshift." + name, "-e", "@%s" % (LAB / "vars.yml"),
               "-e", "disconnected_report=%s" % report]
    environment = dict(os.environ, K8S_AUTH_KUBECONFIG=str(LAB / "kubeconfig"), ANSIBLE_NOCOLOR="1",
                       ANSIBLE_STDOUT_CALLBACK="ansible.builtin.default")
    with open(log, "w", encoding="utf-8") as stream, subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        for told in narrate(keep(process.stdout, stream)):
            print("      " + told)
            sys.stdout.flush()
    if process.returncode:
        show("".join(log.read_text(encoding="utf-8").splitlines(keepends=True)[-30:]))
        raise SystemExit("The playbook failed; its whole output is in %s." % log)


def keep(lines, stream):
    """Passes lines on and writes them to `stream`."""
    for line in lines:
        stream.write(line)
        yield line


def narrate(lines):
    """What is worth telling of ansible-playbook's output: the forecast, tasks that changed something, the recap."""
    task, count, forecast = "", 0, False
    for line in lines:
        if line.startswith("TASK ["):
            task = re.sub(r"^.*?\[(disconnected\.openshift\.)?(.*)\] \**$", r"\2", line.strip())
            count += 1
        elif line.startswith("changed: ["):
            yield style("* " + task, "33")
        elif line.strip() == '"msg": [' and task.endswith("Say it"):
            forecast = True
        elif forecast and line.strip() == "]":
            forecast = False
        elif forecast:
            yield style("> " + line.strip().strip('",'), "36")
        elif " : ok=" in line:
            numbers = dict(re.findall(r"(\w+)=(\d+)", line))
            yield style("%d tasks, %s of them changed something" % (count, numbers["changed"]), "2")


def pulls(references):
    """Pulls every image on every node and prints where each came from."""
    rows = collections.defaultdict(collections.Counter)
    failed = []
    for pull in json.loads(lab("pull", "--all", "--json", *references)):
        rows[pull["image"]]["the mirror" if pull["mirror"] else "the upstream"] += pull["ok"]
        failed += [] if pull["ok"] else [pull]
    for image, sources in rows.items():
        name, _at, digest = image.partition("/")[2].partition("@")
        counts = ", ".join("%d nodes from %s" % (count, source) for source, count in sources.items() if count)
        print("      %-62s %s" % (name + ("@" + digest[:14] + "…" if digest else ""), counts or "no node could pull it"))
    if failed:
        raise SystemExit("%d pulls failed; the first: %s" % (len(failed), json.dumps(failed[0], indent=2)))


def registries_conf(node, most=14):
    """Shows the beginning of a node's registries.conf."""
    print("   %s:/etc/containers/registries.conf" % node)
    text = (LAB / "nodes" / node / "rootfs/etc/containers/registries.conf").read_text(encoding="utf-8")
    lines = text.splitlines()
    show("\n".join(lines[:most]))
    if len(lines) > most:
        print(style("      … %d sources with mirrors in all" % text.count("[[registry]]"), "2"))


def story():
    facts = json.loads((LAB / "lab.json").read_text(encoding="utf-8"))
    node = facts["nodes"][-1]
    images = [facts["release_image"], facts["components"]["etcd"], facts["operands"][0], *facts["images"]]

    chapter(2, "Before: the nodes pull from the internet")
    registries_conf(node)
    print("   Every node pulls two release images, one of an operator and two of applications:")
    pulls(images)

    chapter(3, "Convert: prepare the mirror host, mirror, configure in one rollout, verify")
    playbook("convert")
    registries_conf(node)
    nodes = json.loads(lab("stats", "--json"))["nodes"].values()
    print("   Each node was updated %s time and drained %s time: an application is pulled by tag, and tag mirrors need a drain." % (
        "/".join(sorted({str(n["updates"]) for n in nodes})), "/".join(sorted({str(n["drains"]) for n in nodes}))))

    print("   What was planned, done and found, on one page: %s" % (REPORTS / "convert.html"))

    chapter(4, "Convert again: nothing is left to do")
    playbook("convert", report="convert-again")

    chapter(5, "The upstream registry is switched off: every node still pulls")
    lab("upstream", "off")
    pulls(images)
    lab("upstream", "on")

    chapter(6, "Reconnect: the upstream is back, the mirror's configuration is withdrawn")
    playbook("reconnect")
    registries_conf(node)
    pulls(images)


def main():
    print(style("disconnected.openshift: a cluster leaves the internet and comes back", "1"))
    keep = os.environ.get("KEEP", "") not in ("", "0")
    chapter(1, "A cluster in a lab", "A Kubernetes API, the machine-config operator's behaviour, real registries, real pulls.")
    show(lab("up"), "   ")
    try:
        story()
    except BaseException:
        if not keep:
            show(lab("down", "--keep-logs"), "   ")
        raise
    if keep:
        chapter(7, "The lab stays up", "export KUBECONFIG=%s" % (LAB / "kubeconfig"), "kubectl get nodes,machineconfigpools",
                "make lab-down   # when you are done")
    else:
        chapter(7, "The lab is stopped")
        show(lab("down"), "   ")
    print("\nAll of it in %d s." % (time.monotonic() - STARTED))


if __name__ == "__main__":
    main()
