# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API server by itself, with a node or two and nothing else: `python -m lab.api --dir DIR`."""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

from .bare import bare


async def _main() -> None:
    parser = argparse.ArgumentParser(prog="lab.api", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="where kubeconfigs, certificates and nodes go")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--version", default="4.16")
    parser.add_argument("--nodes", nargs="*", default=["worker-0"])
    options = parser.parse_args()
    server = await bare(options.dir, options.version, tuple(options.nodes), options.port)
    print(f"{server.url} (kubeconfig: {options.dir / 'kubeconfig'})", flush=True)
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
    await server.stop()


if __name__ == "__main__":
    asyncio.run(_main())
