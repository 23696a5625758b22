# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which pods a node's taints keep away."""

from __future__ import annotations

_REPELLING = ("NoSchedule", "NoExecute")
_CONDITIONS = "node.kubernetes.io/"  # the taints of a node's conditions, which a DaemonSet's pods tolerate unasked


def welcomes(node: dict, spec: dict, *, every_day: bool = False) -> bool:
    """Whether a pod of this spec may be put on the node; `every_day`: it is a DaemonSet's."""
    return all(
        (every_day and taint["key"].startswith(_CONDITIONS)) or _tolerated(taint, spec.get("tolerations") or [])
        for taint in node.get("spec", {}).get("taints") or []
        if taint["effect"] in _REPELLING
    )


def _tolerated(taint: dict, tolerations: list[dict]) -> bool:
    return any(
        toleration.get("effect") in (None, "", taint["effect"])
        and toleration.get("key") in (None, "", taint["key"])
        and (toleration.get("operator") == "Exists" or (toleration.get("value") or "") == (taint.get("value") or ""))
        for toleration in tolerations
    )
