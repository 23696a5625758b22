# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one clock of the lab: every delay of the real system, divided by one factor."""

from __future__ import annotations

import asyncio


class Scale:
    """Shortens waiting without changing its order: at speed 10 a delay of five seconds lasts half a second."""

    def __init__(self, speed: float = 10.0) -> None:
        if speed <= 0:
            raise ValueError(f"LAB_SPEED must be greater than 0, not {speed}")
        self.speed = speed

    def seconds(self, seconds: float) -> float:
        """What a delay of so many real seconds lasts here, in seconds."""
        return seconds / self.speed

    async def sleep(self, seconds: float) -> None:
        """Wait as long as the real system would wait `seconds`."""
        await asyncio.sleep(self.seconds(seconds))
