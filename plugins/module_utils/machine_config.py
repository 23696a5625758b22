# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a MachineConfig puts on a node, whether the cluster's objects ask for that, and what an update does to it.

A rendered MachineConfig is the only honest word about a node's files: pools report `Updated` for seconds after a change
that they have not noticed, and some changes never reach them. So everything here reads content.

The rules of disruption are those of the machine-config daemon, by the cluster's minor version: pkg/daemon/update.go and
drain.go of openshift/machine-config-operator, branches release-4.8 to release-4.21.
"""
from __future__ import annotations

import base64
import binascii
import gzip
import json
import re
import urllib.parse
import zlib
from dataclasses import dataclass, replace

from . import errors, image_ref, registries_conf

PULL_SECRET = "/var/lib/kubelet/config.json"
REGISTRIES_CONF = "/etc/containers/registries.conf"
DROP_INS = REGISTRIES_CONF + ".d/"
POLICY_JSON = "/etc/containers/policy.json"
USER_CA_BUNDLE = "/etc/pki/ca-trust/source/anchors/openshift-config-user-ca-bundle.crt"
GPG_KEYS = "/etc/machine-config-daemon/no-reboot/containers-gpg.pub"
SIGSTORE_REGISTRIES = "/etc/containers/registries.d"
SIGSTORE_CONF = SIGSTORE_REGISTRIES + "/sigstore-registries.yaml"
CRIO_POLICIES = "/etc/crio/policies"
NMSTATE = "/etc/nmstate/openshift"

ROLE_LABEL = "machineconfiguration.openshift.io/role"

# The registry that some clusters run inside themselves: the operator adds its credentials to the nodes' file.
INTERNAL_RELEASE_REGISTRY = re.compile(r"(api-int\..+|localhost):22625")


def minor(version):
    """(4, 16) for "4.16.30", "4.16" or "4.16.0-rc.1"; raises InvalidInput for anything else."""
    match = re.match(r"(\d+)\.(\d+)(\.|$)", str(version))
    if not match:
        raise errors.InvalidInput("%r is not a version of OpenShift such as 4.16.30." % (version,))
    return int(match.group(1)), int(match.group(2))


# --- what a config holds -----------------------------------------------------------------------------------------

def files(machine_config):
    """{path: bytes} of the files in the Ignition config of a MachineConfig, rendered or not.

    Raises Corrupt, naming the MachineConfig and the path, when a file cannot be decoded.
    """
    name = machine_config.get("metadata", {}).get("name")
    decoded = {}
    for entry in _section(machine_config, "storage").get("files") or ():
        contents = entry.get("contents") or {}
        try:
            decoded[entry["path"]] = _decode(contents.get("source"), contents.get("compression"))
        except (ValueError, OSError, EOFError, zlib.error) as cause:
            raise errors.Corrupt("The file %s in MachineConfig %s cannot be decoded: it is not %s." % (
                entry["path"], name, _expected_encoding(cause, contents))) from None
    return decoded


def _section(machine_config, name):
    """One section of the Ignition config; generated MachineConfigs without content have null in its place."""
    config = machine_config.get("spec", {}).get("config") or {}
    return config.get(name) or {}


def _decode(source, compression):
    """The bytes behind an Ignition `source`: a data URL, base64 or percent-encoded; no source is an empty file."""
    if not source:
        return b""
    head, comma, body = source.partition(",")
    if not comma or not head.startswith("data:"):
        raise ValueError("source")
    data = urllib.parse.unquote_to_bytes(body)
    if head.endswith(";base64"):
        data = base64.b64decode(data, validate=True)
    if compression == "gzip":
        return gzip.decompress(data)
    if compression:
        raise ValueError("compression")
    return data


def _expected_encoding(cause, contents):
    """What a file should have been. Never the cause's own words: they can quote the content."""
    if isinstance(cause, binascii.Error):
        return "base64"
    if contents.get("compression") == "gzip" and not isinstance(cause, ValueError):
        return "gzip"
    return "a data URL, plain or compressed with gzip"


def changed_paths(old_files, new_files):
    """The sorted paths whose content differs between two configs, or which only one of them has."""
    return sorted(path for path in set(old_files) | set(new_files) if old_files.get(path) != new_files.get(path))


@dataclass(frozen=True)
class Update:
    """What differs between two rendered configs.

    `paths` and `units` are sorted names; `rest` names what else of the spec differs and always means a reboot.
    """

    paths: tuple = ()
    units: tuple = ()
    rest: tuple = ()

    def names(self):
        """Everything that differs, as names."""
        return self.paths + tuple("unit " + name for name in self.units) + self.rest


def update(old, new):
    """The Update from one MachineConfig to another (whole objects)."""
    old_units, new_units = _units(old), _units(new)
    return Update(
        tuple(changed_paths(files(old), files(new))),
        tuple(sorted(name for name in set(old_units) | set(new_units) if old_units.get(name) != new_units.get(name))),
        tuple(key for key in ("osImageURL", "kernelArguments", "kernelType", "extensions", "fips")
              if (old["spec"].get(key) or None) != (new["spec"].get(key) or None)))


def _units(machine_config):
    return {unit["name"]: unit for unit in _section(machine_config, "systemd").get("units") or ()}


# --- is it what the cluster asks for? ----------------------------------------------------------------------------

@dataclass(frozen=True)
class Wanted:
    """What every node must have: the global pull secret's document and the merged registries (mirror_sets)."""

    pull_secret: dict
    registries: tuple


def lacking(wanted, contents):
    """Why {path: bytes} is not what is wanted, as sentences without any credential; empty when it is."""
    difference = compare(wanted, contents)
    return (["%s lacks: %s" % (path, what) for path, what in difference.missing]
            + ["%s still has: %s" % (path, what) for path, what in difference.unexpected])


@dataclass(frozen=True)
class Difference:
    """(path, what) pairs that the files lack, and that they have beyond what is wanted."""

    missing: tuple
    unexpected: tuple

    def pairs(self):
        return self.missing + self.unexpected

    @property
    def matches(self):
        return not self.missing and not self.unexpected


def compare(wanted, contents):
    """Hold {path: bytes} against Wanted: the pull secret and registries.conf."""
    secret = compare_pull_secret(wanted.pull_secret, contents.get(PULL_SECRET))
    registries = compare_registries(wanted.registries, contents.get(REGISTRIES_CONF))
    return Difference(secret.missing + registries.missing, secret.unexpected + registries.unexpected)


def compare_pull_secret(document, content):
    """Hold a node's config.json (bytes, None when absent) against the pull secret's document.

    The machine-config operator writes the secret as it is, without the blanks; only the credentials of the cluster's
    own release registry may come on top.
    """
    if content is None:
        return Difference(((PULL_SECRET, "the whole file"),), ())
    try:
        actual = json.loads(content)
        auths = dict(actual["auths"])
    except (ValueError, TypeError, KeyError):
        return Difference(((PULL_SECRET, "a readable pull secret"),), ())
    wanted = document.get("auths") or {}
    missing = ["credentials of " + key if key not in auths else "the present credentials of " + key
               for key in sorted(wanted) if auths.get(key) != wanted[key]]
    if {key: actual[key] for key in actual if key != "auths"} != {k: document[k] for k in document if k != "auths"}:
        missing.append("the settings beside the credentials")
    unexpected = ["credentials of " + key for key in sorted(set(auths) - set(wanted))
                  if not INTERNAL_RELEASE_REGISTRY.fullmatch(key)]
    return Difference(tuple((PULL_SECRET, what) for what in missing), tuple((PULL_SECRET, what) for what in unexpected))


def compare_registries(registries, content):
    """Hold a node's registries.conf (bytes, None when absent) against the expected registries, by meaning."""
    if content is None:
        return Difference(((REGISTRIES_CONF, "the whole file"),), ())
    try:
        actual = registries_conf.parse(content.decode("utf-8")).registries
    except UnicodeDecodeError:
        return Difference(((REGISTRIES_CONF, "a form that can be read"),), ())
    except errors.InvalidInput as error:
        return Difference(((REGISTRIES_CONF, "a form that can be read: " + error.message),), ())
    difference = registries_conf.compare(registries, actual)
    return Difference(tuple((REGISTRIES_CONF, what) for what in difference.missing),
                      tuple((REGISTRIES_CONF, what) for what in difference.unexpected))


# --- who writes a file -------------------------------------------------------------------------------------------

def selects(selector, labels):
    """Does a label selector (matchLabels, matchExpressions) choose these labels? A missing selector chooses nothing."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_expression_holds(expression, labels) for expression in selector.get("matchExpressions") or ())


def _expression_holds(expression, labels):
    value = labels.get(expression["key"])
    return {
        "In": lambda: value in (expression.get("values") or ()) and value is not None,
        "NotIn": lambda: value not in (expression.get("values") or ()),
        "Exists": lambda: value is not None,
        "DoesNotExist": lambda: value is None,
    }[expression["operator"]]()


def selected(machine_configs, pool):
    """The MachineConfigs that a pool's selector chooses."""
    selector = pool["spec"].get("machineConfigSelector")
    return [config for config in machine_configs if selects(selector, config["metadata"].get("labels") or {})]


def owner(machine_configs, pool, path, version):
    """The name of the MachineConfig whose version of `path` the pool renders, or None.

    `machine_configs`: those that are not rendered themselves. They are merged by name and a later one wins; from
    4.15 on every config of a custom pool's own role comes after the worker's.
    """
    def order(config):
        labels = config["metadata"].get("labels") or {}
        of_worker = minor(version) >= (4, 15) and labels.get(ROLE_LABEL) == "worker"
        return not of_worker, config["metadata"]["name"]

    for config in sorted(selected(machine_configs, pool), key=order, reverse=True):
        if any(entry["path"] == path for entry in _section(config, "storage").get("files") or ()):
            return config["metadata"]["name"]
    return None


UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def is_operators(name, path):
    """Is this the MachineConfig that the operator itself writes `path` into?"""
    pattern = r"00-.+" if path == PULL_SECRET else r"01-.+-container-runtime|99-.+-(generated|%s)-registries" % UUID
    return re.fullmatch(pattern, name) is not None


@dataclass(frozen=True)
class Obstacle:
    """An object that keeps what the operator writes to a path out of a pool, with the remedy."""

    kind: str
    name: str
    reason: str
    remedy: str

    def __str__(self):
        return "%s %s %s. %s." % (self.kind, self.name, self.reason, self.remedy)


def obstacles(machine_configs, pool, paths, version):
    """The Obstacles that keep the operator's own version of these paths out of a pool; parameters as owner()."""
    name = pool["metadata"]["name"]
    for path in paths:
        found = owner(machine_configs, pool, path, version)
        if found is None:
            yield Obstacle("MachineConfigPool", name, "selects no MachineConfig that has " + path,
                           "Let its machineConfigSelector select those of the role worker, or master")
        elif not is_operators(found, path):
            yield Obstacle("MachineConfig", found, "owns %s in pool %s, over what the operator writes from the "
                           "cluster's own objects" % (path, name), "Delete it, or take that file out of it")


def drop_ins(machine_configs, pool, registries):
    """(Obstacle, whether it is about one of `registries`) for each file of others beside registries.conf that has rules.

    The engine reads them after registries.conf, and a rule for the same prefix takes the whole place of the one there.
    """
    wanted = {registry.prefix for registry in registries}
    for config in selected(machine_configs, pool):
        for path, prefixes in _drop_ins_in(config):
            lost = sorted(wanted.intersection(prefixes))
            yield Obstacle(
                "MachineConfig", config["metadata"]["name"],
                "has rules in %s for %s, which %s in pool %s" % (
                    path, ", ".join(lost or prefixes), "take the place of those of the mirror sets" if lost else
                    "come beside those of the mirror sets, and which nothing here looks at", pool["metadata"]["name"]),
                "Make a mirror set of these rules, and take the file out of the MachineConfig"), bool(lost)


def _drop_ins_in(config):
    """(path, prefixes) of a MachineConfig's files below registries.conf.d that have rules."""
    for entry in _section(config, "storage").get("files") or ():
        if entry["path"].startswith(DROP_INS):
            contents = entry.get("contents") or {}
            try:
                text = _decode(contents.get("source"), contents.get("compression")).decode("utf-8")
                prefixes = [registry.prefix for registry in registries_conf.parse(text).registries]
            except (ValueError, OSError, EOFError, zlib.error, errors.InvalidInput):
                continue  # neither the operator nor the engine can read it, so it is on no node that runs
            if prefixes:
                yield entry["path"], prefixes


def differing_paths(wanted, contents):
    """The paths among {path: bytes} that are not as wanted, sorted."""
    return sorted({path for path, _what in compare(wanted, contents).pairs()})


# --- what an update does to a node -------------------------------------------------------------------------------

ACTIONS = ("none", "reload", "restart", "reboot")  # each disturbs a node more than the one before


@dataclass(frozen=True)
class Target:
    """What the nodes will have once some changes are written.

    `wanted` as it will be, but for the pull secret, of which is only known whether it changes. `rewrites_registries`:
    registries.conf is written anew although it means the same, since the first mirror set comes or the last one goes.
    `signed_scopes`: those of the cluster's (Cluster)ImagePolicies, whose signatures are looked for at every mirror.
    """

    wanted: Wanted
    rewrites_pull_secret: bool = False
    rewrites_registries: bool = False
    signed_scopes: tuple = ()


def planned(running, rendered, target, version):
    """(Update, drain reasons) that a node which runs one MachineConfig will go through to the target.

    `rendered`: the MachineConfig that its pool names already; what else differs there is on its way too.
    """
    contents = files(running)
    pending = update(running, rendered)
    paths = set(pending.paths) - {PULL_SECRET, REGISTRIES_CONF}
    differing = differing_paths(target.wanted, contents)
    if target.rewrites_pull_secret or PULL_SECRET in differing:
        paths.add(PULL_SECRET)
    unsafe = []
    if target.rewrites_registries or REGISTRIES_CONF in differing:
        paths.add(REGISTRIES_CONF)
        old = _configuration(contents)
        new = replace(old, registries=list(target.wanted.registries))
        unsafe = drain_reasons(old, new, version)
        if signature_places(old, target.signed_scopes) != signature_places(new, target.signed_scopes):
            paths.add(SIGSTORE_CONF)
    return Update(tuple(sorted(paths)), pending.units, pending.rest), unsafe


def signature_places(conf, scopes):
    """The names below which a node looks for Sigstore signatures of images in these scopes: theirs, and their mirrors'."""
    inside = {registry.prefix for registry in conf.registries for scope in scopes if _lies_in(registry.prefix, scope)}
    places = set(scopes)
    for name in inside.union(scopes):
        repository = image_ref.parse(name.replace("*", "any") + ("" if "/" in name else "/any"))
        for asked in (repository.with_digest("sha256:" + "0" * 64), repository.with_tag("any")):
            places |= {image_ref.parse(source.reference).repository for source in registries_conf.pull_sources(conf, asked)}
    return places


def _lies_in(name, scope):
    host = re.split("[:/]", name, maxsplit=1)[0]
    return name.startswith(scope + "/") or (scope.startswith("*.") and host.endswith(scope[1:]))


@dataclass(frozen=True)
class Effects:
    """What the machine-config daemon does on a node: `action` is one of ACTIONS, `reasons` are sentences."""

    action: str
    drain: bool
    reasons: tuple


def effects(old_files, new_files, version, node_disruption_policy=None, single_node=False, override_drain=False):
    """The Effects of going from {path: bytes} to {path: bytes}.

    node_disruption_policy: status.nodeDisruptionPolicyStatus.clusterPolicies of the MachineConfiguration `cluster`,
    where it is served (4.17 on); the defaults are used without it. override_drain: is there the ConfigMap
    image-registry-override-drain?
    """
    paths = changed_paths(old_files, new_files)
    unsafe = ()
    if REGISTRIES_CONF in paths:
        unsafe = drain_reasons(_configuration(old_files), _configuration(new_files), version)
    return effects_of(Update(tuple(paths)), unsafe, version, node_disruption_policy, single_node, override_drain)


def _configuration(contents):
    return registries_conf.parse(contents.get(REGISTRIES_CONF, b"").decode("utf-8"))


def effects_of(difference, unsafe, version, node_disruption_policy=None, single_node=False, override_drain=False):
    """The Effects of an Update; `unsafe` are the drain_reasons of its change of registries.conf."""
    release = minor(version)
    action, drain, reasons = "none", False, []
    for what, kind, service in _actions(difference, release, node_disruption_policy):
        if kind == "Special":
            forgiven = override_drain and (4, 14) <= release <= (4, 19)
            kind, service, cause = "Reload", "crio.service", "" if forgiven else "; ".join(unsafe)
            drain = drain or bool(cause)
            reasons.append("%s: CRI-O is reloaded%s" % (
                what, " and the node drained, since " + cause if cause and not single_node else ""))
        else:
            drain = drain or kind in ("Reboot", "Drain")
            reasons.append("%s: %s" % (what, _DEEDS[kind] % {"service": service}))
        action = max(action, _ACTION_OF[kind], key=ACTIONS.index)
    return Effects(action, drain and not single_node, tuple(reasons))


_ACTION_OF = {"None": "none", "Drain": "none", "Reload": "reload", "DaemonReload": "reload", "Restart": "restart",
              "Reboot": "reboot"}
_DEEDS = {"None": "the file is replaced", "Drain": "the node is drained", "Reload": "%(service)s is reloaded",
          "DaemonReload": "systemd reads its units again", "Restart": "%(service)s is restarted",
          "Reboot": "the node is rebooted"}


def _actions(difference, release, policy):
    """(what, kind of action, service) for everything in an Update; the kinds are NodeDisruptionPolicy's own words."""
    if release < (4, 17):
        policy = {}
        for path in difference.paths:
            yield (path,) + _rule_before_policies(path, release)
    else:
        policy = policy or DEFAULT_POLICY
        for path in difference.paths:
            for action in _policy_of_path(policy, path):
                yield path, action["type"], _service(action)
    units = {unit["name"]: unit["actions"] for unit in policy.get("units") or ()}
    for unit in difference.units:
        for action in units.get(unit, _REBOOT):
            yield "unit " + unit, action["type"], _service(action)
    for key in difference.rest:
        yield key, "Reboot", None


def _service(action):
    return (action.get("reload") or action.get("restart") or {}).get("serviceName")


def _policy_of_path(policy, path):
    """The actions of the longest policy path that is `path` or a directory above it; a reboot without one."""
    best = max((entry for entry in policy.get("files") or () if _is_at_or_below(path, entry["path"])),
               key=lambda entry: len(entry["path"]), default=None)
    return best["actions"] if best else _REBOOT


def _is_at_or_below(path, top):
    return path == top or path.startswith(top.rstrip("/") + "/")


def _rule_before_policies(path, release):
    """(kind, service) for a changed file up to 4.16, where the rules are compiled into the daemon."""
    directory = path.rpartition("/")[0]
    if path in (PULL_SECRET, "/etc/kubernetes/kubelet-ca.crt") or (release >= (4, 16) and directory == NMSTATE):
        return "None", None
    if path == REGISTRIES_CONF:
        return "Special", None
    if release >= (4, 10) and path in (POLICY_JSON, GPG_KEYS):
        return "Reload", "crio.service"
    if release >= (4, 16) and directory == SIGSTORE_REGISTRIES:
        return "Reload", "crio.service"
    if release >= (4, 14) and path == USER_CA_BUNDLE:
        return "Restart", "crio.service"
    return "Reboot", None


_REBOOT = ({"type": "Reboot"},)
_RELOAD_CRIO = ({"type": "Reload", "reload": {"serviceName": "crio.service"}},)
# The operator's own policies of 4.17 to 4.21, in the shape of the API, for when the object has no status yet.
DEFAULT_POLICY = {
    "files": (
        {"path": PULL_SECRET, "actions": ({"type": "None"},)},
        {"path": REGISTRIES_CONF, "actions": ({"type": "Special"},)},
        {"path": POLICY_JSON, "actions": _RELOAD_CRIO},
        {"path": GPG_KEYS, "actions": _RELOAD_CRIO},
        {"path": SIGSTORE_REGISTRIES, "actions": _RELOAD_CRIO},
        {"path": CRIO_POLICIES, "actions": _RELOAD_CRIO},
        {"path": NMSTATE, "actions": ({"type": "None"},)},
        {"path": USER_CA_BUNDLE, "actions": (
            {"type": "Restart", "restart": {"serviceName": "coreos-update-ca-trust.service"}},
            {"type": "Restart", "restart": {"serviceName": "crio.service"}})},
    ),
    "units": (),
}


def drain_reasons(old, new, version):
    """Why the daemon drains a node when registries.conf goes from one Configuration to the other; empty = it does not.

    Only what adds digest-only mirrors is safe: no running pod can be served differently by it.
    """
    release = minor(version)
    before, after = _by_scope(old, release), _by_scope(new, release)
    searched = old.unqualified_search_registries
    reasons = []
    if new.unqualified_search_registries[:len(searched)] != searched:
        reasons.append("a search registry is removed or moved")
    reasons += ["%s is removed" % scope for scope in sorted(set(before) - set(after))]
    for scope in sorted(after):
        if scope not in before:
            if not _is_digest_only(after[scope]):
                reasons.append("%s is added and is not for digests only" % scope)
        elif not registries_conf.compare([before[scope]], [after[scope]]).matches:
            reasons += _unsafe_changes(scope, before[scope], after[scope], release)
        elif release < (4, 10) and not _is_digest_only(after[scope]):
            # The old daemon judges an unchanged registry as if it were new.
            reasons.append("%s is not for digests only" % scope)
    return reasons


def _by_scope(configuration, release):
    """{scope: Registry}; up to 4.9 the daemon knew a registry by its location alone, a wildcard by none."""
    return {registry.location if release < (4, 10) else registry.prefix: registry
            for registry in configuration.registries}


def _unsafe_changes(scope, old, new, release):
    """The reasons to drain in one registry that both configurations have."""
    reasons = ["%s of %s changes" % (field, scope) for field in ("prefix", "location", "blocked", "insecure")
               if getattr(old, field) != getattr(new, field)]
    if release < (4, 13) and _is_digest_only(old) != _is_digest_only(new):
        reasons.append("mirror-by-digest-only of %s changes" % scope)
    # Of a mirror listed twice (once for digests, once for tags) the daemon sees the first.
    modes = {mirror.location: mirror.pull_from_mirror for mirror in reversed(old.mirrors)}
    remaining = {mirror.location for mirror in new.mirrors}
    reasons += ["mirror %s of %s is removed" % (location, scope) for location in sorted(set(modes) - remaining)]
    for mirror in new.mirrors:
        if mirror.pull_from_mirror not in (registries_conf.DIGEST_ONLY, modes.get(mirror.location)):
            reasons.append("mirror %s of %s is not for digests only" % (mirror.location, scope))
    return reasons


def _is_digest_only(registry):
    """Whether tags never come from this registry's mirrors, in either spelling of it."""
    modes = {mirror.pull_from_mirror for mirror in registry.mirrors}
    return modes == {registries_conf.DIGEST_ONLY} if modes else registry.mirror_by_digest_only
