# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What going from one rendered configuration to another does to a node: nothing, a reload, a drain, a reboot."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass

from . import configs
from .releases import Release

REBOOT, NONE, SPECIAL = "Reboot", "None", "Special"
_CA_TRUST = "coreos-update-ca-trust.service"
_CRIO_PATHS = ("/etc/machine-config-daemon/no-reboot/containers-gpg.pub",)


@dataclass(frozen=True)
class Action:
    """One step after the files are written, as a node disruption policy names it.

    `kind` is None, Reload, Restart, DaemonReload, Drain, Reboot, or Special, which is how a new registries.conf is
    taken in: a reload of CRI-O, after a drain where the change is not safe.
    """

    kind: str
    service: str = ""


@dataclass(frozen=True)
class Disruption:
    """The steps in their order, and whether the node is drained before."""

    actions: tuple[Action, ...]
    drain: bool

    @property
    def reboots(self) -> bool:
        return Action(REBOOT) in self.actions


@dataclass(frozen=True)
class Difference:
    """What differs between two rendered configurations."""

    files: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    ssh: bool = False
    system: bool = False


def difference(old: dict, new: dict) -> Difference:
    """Compare two MachineConfigs: files by content and mode, units, SSH keys, and all that only a reboot applies."""
    old_files, new_files = configs.files_of(old), configs.files_of(new)
    old_units, new_units = configs.units_of(old), configs.units_of(new)
    applied_at_boot = ("osImageURL", "kernelArguments", "kernelType", "fips", "extensions")
    return Difference(
        files=tuple(
            path for path in {**old_files, **new_files} if not _same(old_files.get(path), new_files.get(path))
        ),
        units=tuple(
            name for name in {**old_units, **new_units} if old_units.get(name) != new_units.get(name)
        ),
        ssh=configs.users_of(old) != configs.users_of(new),
        system=any(
            (old["spec"].get(key) or None) != (new["spec"].get(key) or None) for key in applied_at_boot
        ),
    )


def _same(old: dict | None, new: dict | None) -> bool:
    if old is None or new is None:
        return False
    return old.get("mode") == new.get("mode") and configs.content(old) == configs.content(new)


def disruption(
    release: Release, old: dict, new: dict, *, policies: dict | None, drain_overridden: bool
) -> Disruption:
    """What the update does. `policies` is MachineConfiguration's status.nodeDisruptionPolicyStatus.clusterPolicies."""
    change = difference(old, new)
    if release.node_disruption_policies:
        actions = _by_policy(change, policies or default_policies(release))
    else:
        actions = _by_release(release, change)
    kinds = {action.kind for action in actions}
    if kinds & {REBOOT, "Drain"}:
        return Disruption(actions, True)
    if SPECIAL not in kinds or (drain_overridden and release.drain_can_be_overridden):
        return Disruption(actions, False)
    return Disruption(actions, not is_safe(release, _registries_conf(old), _registries_conf(new)))


def _registries_conf(config: dict) -> dict:
    return tomllib.loads(configs.content(configs.files_of(config)[configs.REGISTRIES_CONF]).decode())


# Before NodeDisruptionPolicy: a fixed list of paths


def _by_release(release: Release, change: Difference) -> tuple[Action, ...]:
    if change.system or change.units:
        return (Action(REBOOT),)
    found = set()
    for path in change.files:
        if path == configs.REGISTRIES_CONF:
            found.add(Action(SPECIAL))
        elif path == configs.USER_CA_BUNDLE and release.restarts_for_user_ca:
            found.add(Action("Restart", "crio"))
        elif _reloads(release, path):
            found.add(Action("Reload", "crio"))
        elif path not in (configs.PULL_SECRET, "/etc/kubernetes/kubelet-ca.crt"):
            return (Action(REBOOT),)
    return tuple(sorted(found, key=lambda action: action.kind)) or (Action(NONE),)


def _reloads(release: Release, path: str) -> bool:
    if path == configs.POLICY_JSON:
        return release.reloads_for_policy
    if path.rpartition("/")[0] == "/etc/containers/registries.d":
        return release.reloads_for_registries_d
    return path in _CRIO_PATHS


# NodeDisruptionPolicy: a list of paths that an administrator can change


def default_policies(release: Release) -> dict:
    """MachineConfiguration's status.nodeDisruptionPolicyStatus.clusterPolicies, when nobody changed anything."""

    def file(path: str, *actions: dict) -> dict:
        return {"path": path, "actions": list(actions)}

    none, special = {"type": NONE}, {"type": SPECIAL}
    reload_crio = {"type": "Reload", "reload": {"serviceName": "crio.service"}}
    restarts = [{"type": "Restart", "restart": {"serviceName": name}} for name in (_CA_TRUST, "crio.service")]
    files = [
        file(configs.PULL_SECRET, none),
        file(_CRIO_PATHS[0], reload_crio),
        file(configs.POLICY_JSON, reload_crio),
        file(configs.REGISTRIES_CONF, special),
        file("/etc/containers/registries.d", reload_crio),
    ]
    if release.reloads_for_crio_policies:
        files.append(file("/etc/crio/policies", reload_crio))
    files += [file("/etc/nmstate/openshift", none), file(configs.USER_CA_BUNDLE, *restarts)]
    return {"files": files, "sshkey": {"actions": [none]}, "units": []}


def effective_policies(release: Release, wanted: dict | None) -> dict:
    """The defaults with an administrator's spec.nodeDisruptionPolicy laid over them, entry by entry."""
    policies, wanted = default_policies(release), wanted or {}
    for kind, key in (("files", "path"), ("units", "name")):
        entries = {entry[key]: entry for entry in policies[kind]}
        entries |= {entry[key]: entry for entry in wanted.get(kind) or ()}
        policies[kind] = list(entries.values())
    if (wanted.get("sshkey") or {}).get("actions"):
        policies["sshkey"] = wanted["sshkey"]
    return policies


def _by_policy(change: Difference, policies: dict) -> tuple[Action, ...]:
    if change.system:
        return (Action(REBOOT),)
    found: list[Action] = []
    units = {unit["name"]: unit["actions"] for unit in policies.get("units") or ()}
    for actions in [_closest(path, policies["files"]) for path in change.files] + [
        units.get(n) for n in change.units
    ]:
        if actions is None:
            return (Action(REBOOT),)
        found += _parsed(actions)
    if change.ssh:
        found += _parsed(policies["sshkey"]["actions"])
    if any(action.kind == REBOOT for action in found):
        return (Action(REBOOT),)
    return tuple(action for action in found if action.kind != NONE) or (Action(NONE),)


def _closest(path: str, policies: list[dict]) -> list[dict] | None:
    """The actions of the policy for that path, or for the nearest directory around it."""
    by_path = {policy["path"]: policy["actions"] for policy in policies}
    while path not in by_path and len(path) > 1:
        path = path.rpartition("/")[0]
    return by_path.get(path)


def _parsed(actions: list[dict]) -> list[Action]:
    return [Action(a["type"], (a.get(a["type"].lower()) or {}).get("serviceName", "")) for a in actions]


# Whether a new registries.conf may take effect under running pods


def is_safe(release: Release, old: dict, new: dict) -> bool:
    """Safe is: only digest mirrors were added, to registries that are otherwise as they were."""
    old_search, new_search = (conf.get("unqualified-search-registries") or [] for conf in (old, new))
    if new_search[: len(old_search)] != old_search:
        return False
    old_registries, new_registries = _by_scope(old), _by_scope(new)
    if old_registries.keys() - new_registries.keys():
        return False
    return all(
        _safely(release, old_registries.get(scope), registry) for scope, registry in new_registries.items()
    )


def _by_scope(conf: dict) -> dict[str, dict]:
    return {
        registry.get("prefix") or registry["location"]: registry for registry in conf.get("registry") or ()
    }


def _safely(release: Release, old: dict | None, new: dict) -> bool:
    if old is None or (old == new and release.drains_for_idle_registries):
        return _only_digests(release, new)
    return old == new or _safely_changed(release, old, new)


def _only_digests(release: Release, registry: dict) -> bool:
    mirrors = registry.get("mirror")
    if mirrors and release.marks_each_mirror:
        return all(mirror.get("pull-from-mirror") == "digest-only" for mirror in mirrors)
    return bool(registry.get("mirror-by-digest-only"))


def _safely_changed(release: Release, old: dict, new: dict) -> bool:
    fixed = ["prefix", "location", "blocked", "insecure"]
    fixed += [] if release.marks_each_mirror else ["mirror-by-digest-only"]
    if any((old.get(key) or False) != (new.get(key) or False) for key in fixed):
        return False
    old_mirrors, new_mirrors = _modes(old), _modes(new)
    if old_mirrors.keys() - new_mirrors.keys():
        return False
    if not release.marks_each_mirror:
        return new_mirrors.keys() == old_mirrors.keys() or bool(new.get("mirror-by-digest-only"))
    added = ((mirror["location"], mirror.get("pull-from-mirror", "")) for mirror in new.get("mirror") or ())
    return all(mode in ("digest-only", old_mirrors.get(location)) for location, mode in added)


def _modes(registry: dict) -> dict[str, str]:
    """pull-from-mirror by location; of a location that stands twice, the first."""
    modes: dict[str, str] = {}
    for mirror in registry.get("mirror") or ():
        modes.setdefault(mirror["location"], mirror.get("pull-from-mirror", ""))
    return modes
