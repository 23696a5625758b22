# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Pythons at hand, for tests of others than the one that they run in."""
from __future__ import annotations

import os
import pathlib
import subprocess


def interpreters(versions, needs="sys"):
    """{"3.12": the program} of each of the versions that runs and has the modules of `needs`.

    They are looked for on PATH and in pyenv; a name on PATH may be a stand-in of pyenv's for none.
    """
    homes = sorted(pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv")).glob("versions/*/bin"))
    found = {}
    for version in versions:
        for program in ["python" + version, *(str(home / ("python" + version)) for home in homes)]:
            try:
                subprocess.run([program, "-c", "import " + needs], check=True, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
            except (OSError, subprocess.CalledProcessError):
                continue
            found.setdefault(version, program)
    return found
