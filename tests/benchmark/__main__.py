# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""usage: python -m benchmark TABLE [OPTION...]; a table is a module of this package."""
from __future__ import annotations

import importlib
import pathlib
import pkgutil
import sys

TABLES = sorted(module.name for module in pkgutil.iter_modules([str(pathlib.Path(__file__).parent)])
                if not module.name.startswith("_"))

if len(sys.argv) < 2 or sys.argv[1] not in TABLES:
    sys.exit("%s\nTables: %s" % (__doc__, ", ".join(TABLES)))
importlib.import_module("benchmark." + sys.argv[1]).main(sys.argv[2:])
