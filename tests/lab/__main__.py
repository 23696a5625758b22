# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's command line: `python -m lab up`, and the rest of `python -m lab --help`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from . import control, process, report
from .settings import BadSetting, Settings

EPILOG = """\
environment: LAB_VERSION (4.16; 4.8 to 4.21), LAB_NODES (6; 1 to 1000), LAB_SPEED (10; a real cluster is 1),
LAB_DIR (.lab in the checkout), LAB_REGISTRIES (LAB_DIR of another lab, to use its registries). See tests/lab/README.md.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return options.run(Settings.from_environment(), options) or 0
    except (BadSetting, process.LabFailed, control.NoAnswer) as problem:
        print(problem, file=sys.stderr)
        return 1


def up(settings: Settings, _options: argparse.Namespace) -> int:
    if process.running(settings) and settings.description.exists():
        print("The lab is up already.")
    else:
        process.up(settings)
    print(report.addresses(settings))
    return 0


def down(settings: Settings, options: argparse.Namespace) -> int:
    stopped = process.down(settings, keep_logs=options.keep_logs)
    print("The lab is stopped." if stopped else f"No lab is running in {settings.directory}.")
    return 0


def status(settings: Settings, _options: argparse.Namespace) -> int:
    if not process.running(settings):
        print(f"No lab is running in {settings.directory}.")
        return 1
    print(report.status(settings, control.ask(settings.control, "status"), process.alive(settings)))
    return 0


def pull(settings: Settings, options: argparse.Namespace) -> int:
    node, images = (None, options.images) if options.all else (options.images[0], options.images[1:])
    if not images:
        raise control.NoAnswer("Say which image: lab pull NODE IMAGE..., or lab pull --all IMAGE...")
    pulls = control.ask(settings.control, "pull", node=node, images=images)
    print(json.dumps(pulls, indent=2) if options.json else report.pulls(pulls))
    return 0 if options.json or all(each["ok"] for each in pulls) else 1


def switch(settings: Settings, options: argparse.Namespace) -> int:
    print(control.ask(settings.control, options.command, state=options.state))
    return 0


def way(settings: Settings, options: argparse.Namespace) -> int:
    lost = control.ask(settings.control, options.command, place=options.place, nodes=options.nodes)
    print(report.ways(lost))
    return 0


def stats(settings: Settings, options: argparse.Namespace) -> int:
    counts = control.ask(settings.control, "stats", reset=options.reset)
    print(json.dumps(counts, indent=2) if options.json else report.stats(counts))
    return 0


def faults(settings: Settings, options: argparse.Namespace) -> int:
    print(report.faults(control.ask(settings.control, "faults", words=options.words)))
    return 0


def serve(settings: Settings, options: argparse.Namespace) -> int:
    from .serve import run  # the other commands start without the cluster's code

    run(settings, options.ready)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab",
        description="An OpenShift cluster and two registries, to try things on.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run, description: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=description, description=description)
        added.set_defaults(run=run)
        return added

    command("up", up, "start the lab in the background; returns when it is ready")
    added = command("down", down, "stop exactly what up started and remove its state")
    added.add_argument("--keep-logs", action="store_true", help="leave the log directory behind")
    command("status", status, "say what runs and where")
    added = command("pull", pull, "let nodes pull images, each with its own files")
    added.add_argument("images", nargs="+", metavar="[NODE] IMAGE", help="a node's name first, unless --all is given")
    added.add_argument("--all", action="store_true", help="on every node")
    added.add_argument("--json", action="store_true", help="print the results as JSON and succeed")
    for name in ("upstream", "mirror"):
        added = command(name, switch, f"switch the {name} registry on or off; it keeps its port and its data")
        added.add_argument("state", choices=("on", "off"))
    for name, does in (("cut", "take nodes the way to"), ("restore", "give nodes back the way to")):
        added = command(name, way, f"{does} the internet, or the mirror registry; all nodes unless some are named")
        added.add_argument("place", choices=("internet", "mirror"))
        added.add_argument("nodes", nargs="*", metavar="NODE")
    added = command("stats", stats, "count requests, writes, and the nodes' updates and drains")
    added.add_argument("--json", action="store_true")
    added.add_argument("--reset", action="store_true", help="begin to count anew afterwards")
    added = command("faults", faults, "let the cluster misbehave; without words, list what can be told")
    added.add_argument("words", nargs="*", metavar="WORD")
    added = command("serve", serve, "be the lab, in the foreground (what up starts)")
    added.add_argument(
        "--ready", type=int, metavar="FD", help="tell the process behind this descriptor when it is ready"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
