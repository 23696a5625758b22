# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes `ansible_collections.disconnected.openshift` mean this checkout, wherever it lies."""
from __future__ import annotations

import importlib.machinery
import os
import pathlib
import sys
import types

ROOT = pathlib.Path(__file__).resolve().parents[2]


def package(name, path):
    """Registers a package by hand; submodules are then found by the ordinary import system below `path`."""
    module = types.ModuleType(name)
    module.__path__ = [str(p) for p in path]
    module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
    module.__spec__.submodule_search_locations = module.__path__
    sys.modules[name] = module
    parent, _dot, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)


def collections_root():
    """Where kubernetes.core lies: where ANSIBLE_COLLECTIONS_PATH says, in this checkout's own tree, or around it."""
    named = [path for path in os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(os.pathsep) if path]
    trees = [pathlib.Path(path) / "ansible_collections" for path in [*named, ROOT / ".collections"]]
    return next((tree for tree in trees if (tree / "kubernetes" / "core").is_dir()), ROOT.parents[1])


if "ansible_collections" not in sys.modules:
    package("ansible_collections", [collections_root()])
    package("ansible_collections.disconnected", [])
    package("ansible_collections.disconnected.openshift", [ROOT])
