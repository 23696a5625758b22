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
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
STARTED = time.monotonic()
MARKS = {"ok": " ", "changed": "*", "failed": "!", "fatal": "!"}


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


def playbook(name):
    """Runs a playbook of the collection as its user would, and tells of it a line for each task: `*` has changed something.

    The whole output goes to the log that is named when it fails.
    """
    log = LAB / "log" / (name + ".log")
    print("   $ ansible-playbook disconnected.openshift.%s -e @.lab/vars.yml" % name)
    command = [str(BIN / "ansible-playbook"), "disconnected.openshift." + name, "-e", "@%s" % (LAB / "vars.yml")]
    environment = dict(os.environ, K8S_AUTH_KUBECONFIG=str(LAB / "kubeconfig"), ANSIBLE_NOCOLOR="1",
                       ANSIBLE_STDOUT_CALLBACK="ansible.builtin.default", ANSIBLE_DISPLAY_SKIPPED_HOSTS="false")
    task, told, recap = "", None, ""
    with open(log, "w", encoding="utf-8") as stream, subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        for line in process.stdout:
            stream.write(line)
            if line.startswith("TASK ["):
                task = re.sub(r"^disconnected\.openshift\.", "", line[6:line.rindex("]")])
            outcome = re.match(r"(ok|changed|fatal|failed): \[", line)
            if outcome and (task, outcome[1]) != told and "Validating arguments" not in task:
                told = (task, outcome[1])
                print("    %s %s" % (MARKS[outcome[1]], style(task, "33" if outcome[1] == "changed" else "0")))
                sys.stdout.flush()
            if re.match(r"\S+\s+: ok=", line):
                recap = " ".join(line.split())
    if process.returncode:
        show("".join(log.read_text(encoding="utf-8").splitlines(keepends=True)[-30:]))
        raise SystemExit("The playbook failed; its whole output is in %s." % log)
    print("   " + style(recap, "2"))


def pulls(references):
    """Pulls every image on every node and prints where each came from."""
    rows = collections.defaultdict(collections.Counter)
    failed = []
    for pull in json.loads(lab("pull", "--all", "--json", *references)):
        rows[pull["image"]]["the mirror" if pull["mirror"] else "the upstream"] += pull["ok"]
        failed += [] if pull["ok"] else [pull]
    for image, sources in rows.items():
        name, _at, digest = image.partition("@")
        counts = ", ".join("%d nodes from %s" % (count, source) for source, count in sources.items() if count)
        print("      %-58s %s" % (name + ("@" + digest[:14] + "…" if digest else ""), counts or "no node could pull it"))
    if failed:
        raise SystemExit("%d pulls failed; the first: %s" % (len(failed), json.dumps(failed[0], indent=2)))


def registries_conf(node):
    return (LAB / "nodes" / node / "rootfs/etc/containers/registries.conf").read_text(encoding="utf-8")


def story():
    facts = json.loads((LAB / "lab.json").read_text(encoding="utf-8"))
    node = facts["nodes"][-1]
    images = [r for r in facts["images"] + facts.get("operands", []) + [facts["release_image"]] if "@" in r]

    chapter(2, "Before: the nodes pull from the internet", "%s:/etc/containers/registries.conf" % node)
    show(registries_conf(node))
    print("   Every node pulls a release, an operator and an application image:")
    pulls(images)

    chapter(3, "Convert", "Prepares the mirror host, mirrors, configures the cluster in one rollout, verifies.")
    playbook("convert")
    print("   %s:/etc/containers/registries.conf" % node)
    show(registries_conf(node))
    counts = lab("stats", "--json")
    nodes = json.loads(counts)["nodes"].values()
    print("   Updates of each node: %s. Drains: %s." % (
        "/".join(sorted({str(n["updates"]) for n in nodes})), "/".join(sorted({str(n["drains"]) for n in nodes}))))

    chapter(4, "Convert again: nothing is left to do")
    playbook("convert")

    chapter(5, "The upstream registry is switched off", "Every node still pulls:")
    lab("upstream", "off")
    pulls(images)
    lab("upstream", "on")

    chapter(6, "Reconnect: the upstream is back, the mirror's configuration is withdrawn")
    playbook("reconnect")
    print("   %s:/etc/containers/registries.conf" % node)
    show(registries_conf(node))
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
