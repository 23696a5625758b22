# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the tests with every Python at hand and every ansible-core that it can have: `make test-matrix`.

Each pair has a virtual environment of its own below .cache/matrix. In it run the unit tests, a conversion from its beginning
to its end, and once for each ansible-core the sanity tests. The oldest ansible-core has the oldest of everything that the
collection depends on, and fails if that is not what was installed; the others have the newest. With arguments such as
`3.12/2.18` only these pairs are run.
"""
from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import time
import zipfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from interpreters import interpreters  # noqa: E402

CACHE = ROOT / ".cache" / "matrix"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
OLDEST_CORE = (2, 16)
# pip knows how old a Python may be for an ansible-core, and not how new.
NEWEST_PYTHON = {(2, 16): (3, 12), (2, 17): (3, 12), (2, 18): (3, 13), (2, 19): (3, 13)}
# The ansible packages that carry kubernetes.core 2.4.2, the oldest that galaxy.yml allows, and the newest.
OLD_COLLECTIONS, NEW_COLLECTIONS = "ansible==9.13.0", "ansible"
UNIT = ["tests/unit"]
STORY = ["tests/integration/test_conversion.py", "tests/integration/test_roles.py"]


def numbers(version):
    return tuple(int(number) for number in version.split("."))


def oldest_packages():
    """{package: the oldest version that is allowed} of the Python packages that every controller needs."""
    lines = (ROOT / "meta" / "requirements.txt").read_text().splitlines()
    return dict(line.split(">=") for line in lines if ">=" in line and ";" not in line)


def oldest_collections():
    """The same for collections."""
    dependencies = yaml.safe_load((ROOT / "galaxy.yml").read_text())["dependencies"]
    return {name: bound.removeprefix(">=") for name, bound in dependencies.items()}


def differences(wanted, found):
    """A sentence for each version that is not as wanted; 38 and 38.0.0 are the same."""
    def plain(version):
        return re.sub(r"(\.0)+$", "", version or "none")
    return ["%s is %s and not %s" % (name, found.get(name, "not there"), version)
            for name, version in wanted.items() if plain(found.get(name)) != plain(version)]


def cores(program, version):
    """The minor releases of ansible-core for a Python, as pip and the table above have them."""
    said = subprocess.run([program, "-m", "pip", "index", "versions", "ansible-core"], check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    minors = {numbers(found) for found in re.findall(r"\b(\d+\.\d+)\.\d+\b", said)}
    return sorted(minor for minor in minors
                  if minor >= OLDEST_CORE and numbers(version) <= NEWEST_PYTHON.get(minor, numbers(version)))


def collections(program, version, package):
    """A collections path with this checkout and the kubernetes.core of an ansible package, as a Python can have it."""
    path = CACHE / ("collections-%s-%s" % (version, re.sub(r"\W+", "-", package)))
    root = path / "ansible_collections"
    if not (root / "kubernetes").is_dir():
        wheels = path / "wheels"
        subprocess.run([program, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "-d", str(wheels),
                        package], check=True)
        with zipfile.ZipFile(next(wheels.glob("ansible-*.whl"))) as wheel:
            wheel.extractall(path, [name for name in wheel.namelist() if name.startswith("ansible_collections/kubernetes/core/")])
    ours = root / "disconnected" / "openshift"
    ours.parent.mkdir(exist_ok=True)
    if not ours.is_symlink():
        ours.symlink_to(ROOT)
    return path


class Pair:
    """One Python with one ansible-core."""

    def __init__(self, version, program, core):
        self.name = "%s/%d.%d" % (version, *core)
        self.version, self.program, self.core = version, program, core
        self.oldest = core == OLDEST_CORE
        self.home = CACHE / self.name.replace("/", "-")
        self.bin = self.home / "venv" / "bin"

    def install(self):
        requirements = ["-r", "tests/requirements.txt", "ansible-core==%d.%d.*" % self.core]
        requirements += ["%s==%s" % bound for bound in oldest_packages().items()] if self.oldest else []
        stamp = self.home / "stamp"
        wanted = repr(requirements) + (ROOT / "tests/requirements.txt").read_text()
        if not (stamp.exists() and stamp.read_text() == wanted):
            self.run("install", [self.program, "-m", "venv", "--clear", str(self.bin.parent)])
            self.run("install", [str(self.bin / "python"), "-m", "pip", "install", "--disable-pip-version-check", *requirements])
            stamp.write_text(wanted)

    def run(self, what, argv, **env):
        """Runs a command into a log of the pair's own."""
        self.home.mkdir(parents=True, exist_ok=True)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ANSIBLE_")} | {
            "PATH": "%s:%s" % (self.bin, os.environ["PATH"]), "PYTHONPATH": str(ROOT / "tests"), "PYTHONDONTWRITEBYTECODE": "1"} | env
        with open(self.home / (what + ".log"), "ab") as log:
            subprocess.run(argv, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, check=True)

    def installed(self, path):
        """{what: version} of the Python packages and of kubernetes.core."""
        pip = [str(self.bin / "python"), "-m", "pip", "list", "--disable-pip-version-check", "--format", "json"]
        listed = subprocess.run(pip, check=True, stdout=subprocess.PIPE)
        manifest = path / "ansible_collections" / "kubernetes" / "core" / "MANIFEST.json"
        return {each["name"].lower(): each["version"] for each in json.loads(listed.stdout)} | {
            "kubernetes.core": json.loads(manifest.read_text())["collection_info"]["version"]}

    def counts(self):
        """What pytest said in the end of each log, such as "unit: 2795 passed, 1 skipped"."""
        said = {log.stem: re.search(r"^=* ?(\d+ (?:passed|failed).*?) in [\d.]+s", log.read_text(), flags=re.MULTILINE)
                for log in sorted(self.home.glob("*.log"))}
        return ["%s: %s" % (what, found[1]) for what, found in said.items() if found]

    def test(self, sanity):
        """Runs everything, `sanity` tests if so told; returns what failed."""
        for log in self.home.glob("*.log"):
            log.unlink()
        packages = OLD_COLLECTIONS if self.oldest else NEW_COLLECTIONS
        there = collections(self.program, self.version, packages)
        path = {"ANSIBLE_COLLECTIONS_PATH": str(there)}
        pytest = [str(self.bin / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        steps = [("unit", [*pytest, *UNIT], path), ("story", [*pytest, *STORY], path)]
        if sanity:
            steps.append(("sanity", ["tests/tools/sanity.sh"], path | {"VENV": str(self.bin.parent)}))
        failed = []
        try:
            self.install()
            wrong = differences(oldest_packages() | oldest_collections(), self.installed(there)) if self.oldest else []
            if wrong:
                (self.home / "versions.log").write_text("\n".join(wrong) + "\n")
                failed.append("versions")
            for what, argv, env in steps:
                try:
                    self.run(what, argv, **env)
                except subprocess.CalledProcessError:
                    failed.append(what)
        except subprocess.CalledProcessError:
            failed.append("install")
        return failed


def main(wanted):
    known = [Pair(version, program, core) for version, program in interpreters(PYTHONS, needs="ensurepip, venv").items()
             for core in cores(program, version)]
    unknown = set(wanted) - {pair.name for pair in known}
    if unknown or not known:
        there = ", ".join(pair.name for pair in known)
        raise SystemExit("There is no %s here, but %s." % (", ".join(sorted(unknown)), there))
    bad, seen = 0, set()
    for pair in known:
        if wanted and pair.name not in wanted:
            continue
        began = time.monotonic()
        failed = pair.test(sanity=pair.core not in seen)
        seen.add(pair.core)
        bad += bool(failed)
        told = ["%s FAILED, see %s" % (what, pair.home / (what + ".log")) for what in failed] or ["passed"]
        print("%-10s %4d s  %s" % (pair.name, time.monotonic() - began, "; ".join(told + pair.counts())), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
