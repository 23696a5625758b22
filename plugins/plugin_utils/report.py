# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run planned, did and found, as one document of plain data: the report's JSON, from which its page is made.

It is made of the registered results of this collection's roles alone, by their names, and of those fields that are known to
hold no secret: what is not named here does not get into it.
"""
from __future__ import annotations

from ..module_utils import errors, registries_conf

SCHEMA = 1
# Registered by the playbooks and the roles. The later of two that tell the same comes last.
OF_MIRROR_HOST = ("ca_trust_anchor", "pull_secret_file", "mirror_plan_result", "mirror_result", "mirror_proof")
LOOKS_AT_NODES = ("cluster_config_reach_nodes", "cluster_config_nodes", "verify_nodes", "disconnect_nodes")
WAITS = ("cluster_config_rollout", "disconnect_rollout", "disconnect_rehearsal_rollout")
FORECASTS = ("cluster_config_forecast", "disconnect_rehearsal_forecast")
HEALTH = ("verify_health", "disconnect_health")
PULLS = ("verify_pulls", "disconnect_rehearsal_pulls")
COVERAGE = ("verify_coverage", "disconnect_coverage")
STATES = ("conversion_before", "conversion_after")
OF_CLUSTER = LOOKS_AT_NODES + WAITS + FORECASTS + HEALTH + PULLS + COVERAGE + STATES + (
    "cluster_config_trusted_ca", "cluster_config_mirror_sets", "cluster_config_pull_secret",
    "cluster_config_catalog_sources", "cluster_config_release_signatures", "disconnect_pull_secret", "disconnect_connectivity")
NAMES = frozenset(OF_MIRROR_HOST + OF_CLUSTER)

# What is looked at on a node, by the file that a finding names; any other finding is about the way to the registry.
CHECKS = (("config.json", "/var/lib/kubelet/config.json"), ("registries.conf", "/etc/containers/registries.conf"),
          ("certs.d", "/etc/docker/certs.d"))
REACH = "reaches the mirror"
CALM = ("covered", "mirror_itself", "internal_registry")  # of coverage: nothing is lost
PULLS_TOLD = 200


def document(hosts, run):
    """The report.

    hosts -- {host: {name of NAMES: its registered result}}; run -- a dict of `playbook`, `registry`, `mirror_host`,
    `dry`, `lost` (hosts that failed or were unreachable) and `written` (now, in UTC)
    """
    clusters = [_cluster(host, results, run) for host, results in _clusters(hosts, run["mirror_host"])]
    mirror = _mirror(run["mirror_host"], hosts.get(run["mirror_host"], {}), run["dry"])
    if mirror and run["mirror_host"] in (cluster["host"] for cluster in clusters):
        mirror["failure"] = ""  # it is told with the cluster
    outcomes = [part["outcome"] for part in clusters + ([mirror] if mirror else [])]
    return {
        "schema": SCHEMA,
        "playbook": run["playbook"],
        "dry_run": run["dry"],
        "registry": run["registry"],
        "began": min((cluster["began"] for cluster in clusters if cluster["began"]), default=""),
        "written": run["written"],
        "outcome": next((word for word in ("failed", "unfinished") if word in outcomes), "done" if outcomes else "unfinished"),
        "mirror": mirror,
        "clusters": clusters,
    }


def _clusters(hosts, mirror_host):
    """(host, its results) of each host that is a cluster; the mirror host only where no other one is asked for it."""
    asked = [(host, results) for host, results in hosts.items() if any(ran(results, name) for name in STATES)]
    others = [(host, results) for host, results in asked if host != mirror_host]
    at_home = any(ran(results, name) for host, results in asked if host == mirror_host for name in OF_CLUSTER
                  if name not in STATES)
    return asked if at_home or not others else others


def ran(results, *names):
    """The last of these results that is there, of a task that was not skipped; {} when none is."""
    for name in reversed(names):
        found = results.get(name)
        if isinstance(found, dict) and not found.get("skipped"):
            return found
    return {}


# --- mirroring -----------------------------------------------------------------------------------------------------

def _mirror(host, results, dry):
    """What was mirrored; None when that was no part of the run."""
    plan, copied, proof = (ran(results, name) for name in ("mirror_plan_result", "mirror_result", "mirror_proof"))
    changed = _changed_on_mirror_host(results, dry)
    failure = ran(results, "conversion_after").get("paragraph", "")
    if not (plan or copied or changed or failure):
        return None
    counts = copied.get("counts") or {}
    totals = plan.get("totals") or {}
    missing = (proof or copied).get("missing") or []
    failed = bool(copied.get("failed") or proof.get("failed") or plan.get("failed"))
    return {
        "host": host,
        "outcome": "failed" if failed else "done",
        "failure": failure,
        "planned": totals.get("images", len(plan.get("plan") or [])),
        "kinds": {kind: count for kind, count in totals.items() if kind != "images"},
        "counts": {status: counts.get(status, 0) for status in ("present", "done", "missing", "failed")},
        "total": counts.get("total", 0),
        "bytes_received": copied.get("bytes_received", 0),
        "bytes_sent": copied.get("bytes_sent", 0),
        "proved": bool(copied) and not missing and not failed and not dry,
        "failures": [{key: image.get(key, "") for key in ("source", "target", "reason")}
                     for image in copied.get("failures") or []],
        "missing": list(missing) if not copied.get("failures") else [],
        "unresolved": [{key: image.get(key, "") for key in ("source", "target", "reason")}
                       for image in plan.get("unresolved") or []],
        "reason": next((result["msg"] for result in (plan, copied, proof) if result.get("failed") and result.get("msg")), ""),
        "changed": changed,
    }


def _changed_on_mirror_host(results, dry):
    would = "would be " if dry else "was "
    sentences = []
    if ran(results, "ca_trust_anchor").get("changed"):
        sentences.append("The mirror registry's CA %sadded to the trust store." % would)
    if ran(results, "pull_secret_file").get("changed"):
        sentences.append("The merged pull secret file %swritten." % would)
    return sentences


# --- a cluster -----------------------------------------------------------------------------------------------------

def _cluster(host, results, run):
    before, after = (ran(results, name) for name in STATES)
    known = after if after.get("name") else before
    paragraph = after.get("paragraph", "")
    outcome = "failed" if paragraph or host in run["lost"] else "done" if after else "unfinished"
    return {
        "host": host,
        "name": known.get("name", ""),
        "api": known.get("api", ""),
        "version": known.get("version", ""),
        "node_count": known.get("nodes", 0),
        "outcome": outcome,
        "stage_before": before.get("stage", ""),
        "stage": (after or before).get("stage", ""),
        "text_before": before.get("text", ""),
        "text": (after or before).get("text", ""),
        "next": after.get("next", ""),
        "failure": paragraph,
        "began": before.get("time", ""),
        "ended": after.get("time", ""),
        "plan": _plan(results),
        "changed": _changed(results),
        "rollout": _rollout(results),
        "nodes": _nodes(results),
        "coverage": _coverage(ran(results, *COVERAGE)),
        "health": _health(ran(results, *HEALTH)),
        "pulls": _pulls(ran(results, *PULLS)),
        "registries_conf": _registries(before, after, run["playbook"]),
        "alerts": [{"name": alert["name"], "reason": alert["reason"]}
                   for alert in ran(results, "disconnect_connectivity").get("alerts") or []],
    }


def _plan(results):
    """What was foretold; None when nothing was."""
    forecast = ran(results, *FORECASTS)
    if "pools" not in forecast:
        return None
    return {
        "changes": list(forecast.get("changes") or []),
        "summary": list(forecast.get("summary") or []),
        "pools": [{key: pool.get(key) for key in ("name", "nodes", "at_a_time", "action", "drain", "reboot", "rollouts")}
                  for pool in forecast["pools"]],
        "blockers": [{key: found.get(key) for key in ("kind", "namespace", "name", "reason", "remedy", "refuses")}
                     for found in forecast.get("blockers") or []],
    }


def _changed(results):
    """What was changed in the cluster, or in a dry run would be, a sentence each."""
    sentences = []
    for name, kind in (("cluster_config_mirror_sets", ""), ("cluster_config_catalog_sources", ""),
                       ("cluster_config_release_signatures", "ConfigMap ")):
        found = ran(results, name)
        for verb in ("created", "updated", "deleted"):
            sentences += ["%s%s: %s" % (kind, what, verb) for what in found.get(verb) or []]
    if ran(results, "cluster_config_trusted_ca").get("changed"):
        sentences.append("The trusted CAs of the image configuration: changed")
    for name in ("cluster_config_pull_secret", "disconnect_pull_secret"):
        found = ran(results, name)
        for verb in ("added", "replaced", "removed"):
            sentences += ["Credentials of %s in the pull secret: %s" % (registry, verb) for registry in found.get(verb) or []]
    sentences += ["%s: changed" % what for what in ran(results, "disconnect_connectivity").get("objects") or []]
    return sentences


def _rollout(results):
    """How the nodes were updated; None when nothing was waited for."""
    waited = ran(results, *WAITS)
    if "timeline" not in waited:
        return None
    timeline = [{key: entry.get(key, "") for key in ("time", "pool", "text")} for entry in waited["timeline"]]
    nodes = [{key: node.get(key) for key in ("name", "pool", "began", "ended", "drained", "failed")}
             for node in waited.get("nodes") or []]
    moments = [entry["time"] for entry in timeline] + [node["ended"] for node in nodes if node["ended"]]
    return {
        "began": min(moments, default=""), "ended": max(moments, default=""),
        "updates": waited.get("rollouts", 0), "drains": waited.get("drains", 0),
        "pools": [{key: pool.get(key) for key in ("name", "nodes", "updated", "done", "text")}
                  for pool in waited.get("pools") or []],
        "nodes": nodes, "timeline": timeline,
    }


# --- nodes ---------------------------------------------------------------------------------------------------------

def _nodes(results):
    """Nodes by checks; None when they were not looked at. Those that do not match come first."""
    rows = ran(results, *(name for name in LOOKS_AT_NODES if "nodes" in ran(results, name))).get("nodes")
    if rows is None:
        return None
    told = sorted((_node(row) for row in rows), key=lambda row: (row["matches"], row["name"]))
    checks = [name for name, _path in CHECKS]
    if any(REACH in row["cells"] for row in told):
        checks = [REACH]
    for row in told:
        row["cells"] = {check: row["cells"].get(check) or _cell(row["unread"]) for check in checks}
    return {"checks": checks, "total": len(told), "matching": sum(row["matches"] for row in told),
            "rows": [{key: row[key] for key in ("name", "matches", "reason", "cells")} for row in told]}


def _node(row):
    """One node's row, with a cell for each check that found something."""
    cells = {}
    for side in ("missing", "unexpected"):
        for finding in row.get(side) or []:
            path, colon, what = finding.partition(": ")
            check = next((name for name, place in CHECKS if colon and path.startswith(place)), None)
            cell = cells.setdefault(check or REACH, _cell())
            cell[side].append(what if check else finding)
    for cell in cells.values():
        cell["status"] = "missing" if cell["missing"] else "unexpected"
    return {"name": row["name"], "matches": bool(row.get("matches")), "reason": row.get("reason") or "", "cells": cells,
            "unread": not row.get("matches") and not cells}


def _cell(unread=False):
    return {"status": "unread" if unread else "matches", "missing": [], "unexpected": []}


# --- images, health, pulls -----------------------------------------------------------------------------------------

def _coverage(found):
    """The images in use by namespace, and those that would be lost; None when they were not looked at."""
    if "references" not in found:
        return None
    uncovered = set(found.get("uncovered") or [])
    spaces, lost = {}, []
    for reference in found["references"]:
        is_lost = reference["image"] in uncovered
        users = reference.get("used_by") or []
        word = "uncovered" if is_lost else "covered" if reference["status"] in CALM else "ignored"
        for name in {user.get("namespace") or "" for user in users} or {""}:
            space = spaces.setdefault(name, {"namespace": name, "total": 0, "covered": 0, "ignored": 0, "uncovered": 0})
            space["total"] += 1
            space[word] += 1
        if is_lost:
            lost.append({"image": reference["image"], "status": reference["status"], "reason": reference["reason"],
                         "used_by": sorted({_user(user) for user in users})})
    counts = found.get("counts") or {}
    return {
        "ready": bool(found.get("ready")), "total": counts.get("total", len(found["references"])),
        "uncovered": len(lost), "by_status": {status: count for status, count in counts.items() if status != "total"},
        "namespaces": sorted(spaces.values(), key=lambda space: (-space["uncovered"], -space["total"], space["namespace"])),
        "lost": lost,
    }


def _user(user):
    place = user.get("namespace", "") + "/" if user.get("namespace") else ""
    return "%s %s%s" % (user.get("kind", ""), place, user.get("name", ""))


def _health(found):
    if "problems" not in found:
        return None
    rows = [{key: problem.get(key, "") for key in ("kind", "namespace", "name", "reason")}
            for problem in found.get("new_problems") or []]
    return {"new": rows, "known": len(found["problems"]) - len(rows),
            "progressing": [{key: entry.get(key, "") for key in ("name", "reason")}
                            for entry in found.get("progressing") or []]}


def _pulls(found):
    """Where images were pulled from; None when that was not asked."""
    if "pulls" not in found:
        return None
    counts = found.get("counts") or {}
    return {
        "counts": {key: counts.get(key, 0) for key in ("total", "from_mirror", "from_source", "unfinished", "fell_back")},
        "elsewhere": [{"node": pull.get("node", ""), "image": pull.get("image", "")}
                      for pull in found["pulls"] if not pull.get("mirror")][:PULLS_TOLD],
    }


# --- registries.conf -----------------------------------------------------------------------------------------------

def _registries(before, after, playbook):
    """registries.conf before and after, one entry for all pools with the same two files.

    What was there before is what was there before the conversion; on the way back, what was there when it began.
    """
    now = after.get("registries_conf") or before.get("registries_conf") or {}
    alike = {}
    for pool, texts in now.items():
        former = (before.get("registries_conf") or {}).get(pool, {}).get("now", "")
        if playbook != "reconnect":
            former = texts.get("original") or former
        alike.setdefault((former, texts.get("now", "")), []).append(pool)
    return [_difference(sorted(pools), *texts) for texts, pools in sorted(alike.items(), key=lambda item: sorted(item[1]))]


def _difference(pools, before, after):
    old, new = _rules(before), _rules(after)
    return {
        "pools": pools, "before": before, "after": after,
        "added": [{"source": source, "mirrors": new[source]} for source in sorted(new) if new[source] != old.get(source)],
        "removed": [{"source": source, "mirrors": old[source]} for source in sorted(old) if old[source] != new.get(source)],
        "kept": sum(new.get(source) == mirrors for source, mirrors in old.items()),
    }


def _rules(text):
    """{source: [where its images are looked for first]} of a registries.conf; {} of one that cannot be read."""
    try:
        found = registries_conf.parse(text).registries
    except errors.InvalidInput:
        return {}
    return {registry.prefix: [_where(mirror) for mirror in registry.mirrors] + (["the source is blocked"] * registry.blocked)
            for registry in found}


def _where(mirror):
    return mirror.location + {registries_conf.DIGEST_ONLY: " (by digest)", registries_conf.TAG_ONLY: " (by tag)"}.get(
        mirror.pull_from_mirror, "")
