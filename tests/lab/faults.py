# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the cluster is told to misbehave. What kubectl can do (cordon a node, pause a pool, budgets) is not here."""

from __future__ import annotations

from dataclasses import fields

from .api.server import Server
from .api.store import Store, now
from .api.traffic import Fault
from .control import Rejected
from .mco import MachineConfigOperator
from .mco.context import NODES, POOLS

_VALUES = {
    "status": int,
    "times": int,
    "skip": int,
    "delay": float,
    "drop": lambda text: text == "yes",
    "after": lambda text: text == "yes",
}
_LOST = {"status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}
_FOUND = {"status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}


class Faults:
    """Faults are told in words: a name, then KEY=VALUE for each argument of the method behind it."""

    def __init__(self, store: Store, server: Server, operator: MachineConfigOperator) -> None:
        self._store = store
        self._server = server
        self._operator = operator
        self._lost: set[str] = set()
        self._table = {
            "api": (
                self.api,
                "[verb= resource= namespace= name= agent=] and status=503, drop=yes or delay=SECONDS; [times=N] [skip=N] "
                "[after=yes: the request is carried out first]",
            ),
            "watches": (self.watches, "[resource=]: the watches that are open now end"),
            "compaction": (self.compaction, "the API forgets its history: watches that start in the past get 410"),
            "degraded": (self.degraded, "node= [reason=]: the node's daemon fails"),
            "notready": (self.notready, "node=: the node's kubelet is heard of no more"),
            "reload": (self.reload, "node=: CRI-O does not reload on the node"),
            "unrenderable": (self.unrenderable, "pool= [reason=]: the pool's configuration cannot be rendered"),
            "lag": (self.lag, "seconds=N: the machine-config-controller hears of every change so much later"),
            "controller": (self.controller, "state=off or state=on: the machine-config-controller"),
            "clear": (self.clear, "everything behaves again"),
        }

    def tell(self, words: list[str]) -> dict:
        """Do what the words say: {"known": [(name, help)], "active": [line]}. Raises Rejected."""
        if not words:
            active = self.active()
            return {
                "active": active,
                "known": [] if active else [(name, text) for name, (_act, text) in self._table.items()],
            }
        name, *rest = words
        if name not in self._table or not all("=" in word for word in rest):
            raise Rejected(f"{' '.join(words)!r} is no fault: `lab faults` lists them.")
        method, text = self._table[name]
        try:
            method(**dict(word.split("=", 1) for word in rest))
        except (TypeError, ValueError) as problem:
            raise Rejected(f"Say {name} {text} ({problem}).") from None
        return {"active": self.active(), "known": []}

    def active(self) -> list[str]:
        """A line for each fault that is in force, in the words that ask for it."""
        faults = self._operator.faults
        lines = [f"api {_words(fault)}" for fault in self._server.faults if fault.times != 0]
        lines += [f"degraded node={node} reason={reason}" for node, reason in faults.degraded.items()]
        lines += [f"notready node={node}" for node in sorted(self._lost)]
        lines += [f"reload node={node}" for node in sorted(faults.failing_reloads)]
        lines += [f"unrenderable pool={pool} reason={reason}" for pool, reason in faults.unrenderable.items()]
        lines += [f"lag seconds={faults.informer_lag:g}"] if faults.informer_lag else []
        return lines + ([] if self._operator.controller.running else ["controller state=off"])

    def api(self, **arguments: str) -> None:
        fault = Fault(**{key: _VALUES.get(key, str)(value) for key, value in arguments.items()})
        if not (fault.status or fault.drop or fault.delay):
            raise ValueError("it says nothing to do")
        self._server.faults.append(fault)

    def watches(self, resource: str | None = None) -> None:
        self._server.close_watches(resource)

    def compaction(self) -> None:
        self._store.forget()

    def degraded(self, node: str, reason: str = "") -> None:
        self._operator.degrade(self._existing(NODES, node), reason)

    def notready(self, node: str) -> None:
        self._lost.add(self._existing(NODES, node))
        self._say_ready(node, _LOST)

    def reload(self, node: str) -> None:
        self._operator.fail_reloads(self._existing(NODES, node))

    def unrenderable(self, pool: str, reason: str = "") -> None:
        self._operator.fail_rendering(self._existing(POOLS, pool), reason)

    def lag(self, seconds: str) -> None:
        self._operator.slow_caches(float(seconds))

    def controller(self, state: str) -> None:
        if state not in ("on", "off"):
            raise ValueError(f"{state!r} is no state")
        if state == "off":
            self._operator.stop_controller()
        else:
            self._operator.start_controller()

    def clear(self) -> None:
        faults = self._operator.faults
        self._server.faults.clear()
        self._operator.slow_caches(0.0)
        for node in {*faults.degraded, *faults.failing_reloads}:
            self._operator.recover(node)
        for pool in list(faults.unrenderable):
            self._operator.mend_rendering(pool)
        while self._lost:
            self._say_ready(self._lost.pop(), _FOUND)
        self._operator.start_controller()

    def _say_ready(self, node: str, condition: dict) -> None:
        stored = self._store.get(NODES, node)
        for present in stored["status"]["conditions"]:
            if present["type"] == "Ready":
                present.update(condition, lastTransitionTime=now())
        self._store.update_status(NODES, stored)

    def _existing(self, resource: str, name: str) -> str:
        if not self._store.item(resource, name):
            raise ValueError(f"there is no {name}")
        return name


def _words(fault: Fault) -> str:
    """A fault of the API in the words that ask for it."""
    said = [
        (each.name, getattr(fault, each.name)) for each in fields(Fault) if getattr(fault, each.name) != each.default
    ]
    return " ".join(f"{key}={'yes' if value is True else value}" for key, value in said)
