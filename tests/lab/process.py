# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starting a lab in the background, and stopping exactly what was started.

Every process writes itself into the `pids` file with the moment at which the kernel started it: a number alone may be
somebody else's by the time that it is read.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from .settings import CHECKOUT, Settings

START_TIMEOUT = 60.0
STOP_TIMEOUT = 15.0
LAB, STARTER = "lab", "up"  # names of processes; the registries have theirs
LOG = "lab.log"
_READY = b"ready"


class LabFailed(Exception):
    """The lab did not start, or cannot be started or stopped; the message says why."""


@dataclass(frozen=True)
class Process:
    """A process that the lab started; `started` is in clock ticks since the machine booted."""

    name: str
    pid: int
    started: int

    @property
    def alive(self) -> bool:
        return _started(self.pid) == self.started

    def signal(self, number: int) -> None:
        """Send a signal, but to this process only."""
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass


def note(settings: Settings, name: str, pid: int) -> None:
    """Write a process that has just been started into the pids file."""
    started = _started(pid)
    if started is not None:
        with settings.pids.open("a", encoding="utf-8") as pids:
            pids.write(json.dumps(asdict(Process(name, pid, started))) + "\n")


def alive(settings: Settings) -> list[Process]:
    """The processes of the lab that still run, in the order in which they were started."""
    try:
        lines = settings.pids.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [process for process in (Process(**json.loads(line)) for line in lines) if process.alive]


def running(settings: Settings) -> bool:
    """Whether the lab itself runs, and not only what a killed one left behind."""
    return any(process.name == LAB for process in alive(settings))


def up(settings: Settings) -> None:
    """Start the lab in a process of its own and wait until it is ready. Raises LabFailed with the log's last lines."""
    _claim(settings)
    try:
        if not _wait_until_ready(_spawn(settings)):
            raise LabFailed(f"The lab did not start. The last lines of its log:\n{tail(settings)}")
    except BaseException:
        down(settings)
        raise


def announce(descriptor: int) -> None:
    """Tell the process that waits in `up` that the lab is ready."""
    os.write(descriptor, _READY)
    os.close(descriptor)


def down(settings: Settings, keep_logs: bool = False) -> bool:
    """Stop what `up` started and remove its state; returns whether there was anything."""
    if not settings.pids.exists():
        return False
    # The lab itself first: it ends its registries in order. Then whatever it left.
    _end([process for process in _others(settings) if process.name == LAB], signal.SIGTERM, STOP_TIMEOUT)
    _end(_others(settings), signal.SIGTERM, 2.0)
    _end(_others(settings), signal.SIGKILL, 2.0)
    left = _others(settings)
    if left:
        raise LabFailed("These processes of the lab do not end: " + ", ".join(f"{p.name} ({p.pid})" for p in left))
    _remove_state(settings, keep_logs)
    return True


def tail(settings: Settings, lines: int = 15) -> str:
    """The last lines of the lab's log."""
    try:
        text = (settings.logs / LOG).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return "(there is no log)"
    return "\n".join(text.splitlines()[-lines:]) or "(the log is empty)"


def _claim(settings: Settings) -> None:
    """Make the state directory this lab's own. Raises LabFailed where it is somebody else's."""
    if settings.pids.exists():
        if any(process.name in (LAB, STARTER) for process in _others(settings)):
            raise LabFailed(f"A lab runs in {settings.directory}, or is being started there.")
        down(settings)
    elif settings.directory.exists() and not _is_state(settings.directory):
        raise LabFailed(f"{settings.directory} holds files that are no lab's: give LAB_DIR a directory of its own.")
    settings.directory.mkdir(parents=True, exist_ok=True)
    settings.directory.chmod(0o700)
    try:
        settings.pids.touch(exist_ok=False)
    except FileExistsError:
        raise LabFailed(f"Another lab is being started in {settings.directory}.") from None
    note(settings, STARTER, os.getpid())
    settings.logs.mkdir(exist_ok=True)


def _is_state(directory: Path) -> bool:
    """Whether a directory holds no more than what `down` may have left."""
    return {path.name for path in directory.iterdir()} <= {"log"}


def _remove_state(settings: Settings, keep_logs: bool) -> None:
    for path in settings.directory.iterdir():
        if keep_logs and path == settings.logs:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path != settings.pids:
            path.unlink()
    settings.pids.unlink()
    if not keep_logs:
        settings.directory.rmdir()


def _spawn(settings: Settings) -> int:
    """Start the lab's process; returns the end of a pipe from which to read when it is ready."""
    reading, writing = os.pipe()
    with (settings.logs / LOG).open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "lab", "serve", "--ready", str(writing)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[writing],
            start_new_session=True,
            cwd=CHECKOUT,
            env=dict(os.environ, LAB_DIR=str(settings.directory), PYTHONPATH=str(CHECKOUT / "tests")),
        )
    os.close(writing)
    note(settings, LAB, child.pid)
    return reading


def _wait_until_ready(descriptor: int) -> bool:
    """Whether the other end of the pipe says so in time; False as soon as it is closed without a word."""
    readable = select.select([descriptor], [], [], START_TIMEOUT)[0]
    said = os.read(descriptor, len(_READY)) if readable else b""
    os.close(descriptor)
    return said == _READY


def _others(settings: Settings) -> list[Process]:
    """All processes of the lab but the one that asks: `up` stops what it started when it fails."""
    return [process for process in alive(settings) if process.pid != os.getpid()]


def _end(processes: list[Process], number: int, seconds: float) -> None:
    """Signal processes and give them some time to be gone."""
    for process in processes:
        process.signal(number)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(process.alive for process in processes):
        time.sleep(0.02)


def _started(pid: int) -> int | None:
    """When the kernel started a process, or None if there is none, or only its unclaimed remains."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])
