# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one page: it asks for nothing from anywhere, runs no script, and can be printed."""
from __future__ import annotations

from . import report_pictures as pictures
from .report_markup import element, figure, join, raw
from .report_style import STYLE

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
OUTCOMES = {"done": ("good", "\u2713 done"), "failed": ("bad", "\u2717 failed"), "unfinished": ("open", "\u2026 not finished")}
DRY = ("calm", "\u25cb dry run: nothing was changed")
STAGES = {
    "": "not asked", "unknown": "could not be asked", "connected": "not converted", "begun": "begun, no mirror set",
    "window": "window open", "rollout": "rollout under way", "configured": "configured", "rehearsal": "rehearsal under way",
    "disconnected": "disconnected",
}
CELLS = {"matches": ("good", "\u2713 matches"), "missing": ("bad", "\u2717 lacks"), "unexpected": ("bad", "\u2717 has"),
         "unread": ("open", "? not read")}
SILENT = "It failed, or could not be reached any more, before it could say anything."
ROWS_OPEN = 40  # of a table; more of them fold away


def render(document):
    """The page's text."""
    several = len(document["clusters"]) > 1
    parts = [_head(document), _fleet(document) if several else None, _mirror(document)]
    parts += [_cluster(document, number, several) for number in range(len(document["clusters"]))]
    title = "%s: %s" % (document["playbook"], OUTCOMES[document["outcome"]][1])
    page = element(
        "html",
        element("head", element("meta", charset="utf-8"),
                element("meta", http_equiv="Content-Security-Policy", content=POLICY),
                element("meta", name="viewport", content="width=device-width, initial-scale=1"),
                element("meta", name="color-scheme", content="light dark"),
                element("meta", name="referrer", content="no-referrer"),
                element("title", title), element("style", raw(STYLE))),
        element("body", element("main", *parts), element("footer", element(
            "p", "Written at ", figure(document, "written"), " by the collection disconnected.openshift. The same as JSON is "
            "beside this file, schema ", figure(document, "schema"), "."))),
        lang="en")
    return "<!DOCTYPE html>\n" + page + "\n"


# --- pieces --------------------------------------------------------------------------------------------------------

def chip(pair):
    return element("span", pair[1], class_="chip " + pair[0])


def section(title, *children, level="h3"):
    return element("section", element(level, title), *children)


def listed(items):
    return element("ul", *(element("li", item) for item in items)) if items else None


def facts(*pairs):
    """A list of terms; what is empty is left out."""
    return element("dl", *(element("div", element("dt", term), element("dd", value)) for term, value in pairs if value))


def table(heads, rows, class_=None):
    """A table; of a long one all but the first rows fold away, and paper shows them all."""
    if not rows:
        return None
    shown = _table(heads, rows[:ROWS_OPEN], class_)
    if len(rows) <= ROWS_OPEN:
        return shown
    return join((shown, element("details", element("summary", "%d more" % (len(rows) - ROWS_OPEN)),
                                _table(heads, rows[ROWS_OPEN:], class_))))


def _table(heads, rows, class_):
    return element("div", element(
        "table", element("thead", element("tr", *(element("th", head, scope="col") for head in heads))),
        element("tbody", *(element("tr", *(element("td", cell) for cell in row)) for row in rows)), class_=class_),
        class_="wide")


def breakable(words):
    """Words of which a long name may be broken at its dots."""
    return join(words.split("."), join((".", element("wbr"))))


def drawing(svg, *legend):
    """A picture and what its colours mean, in words."""
    if svg is None:
        return None
    keys = [element("span", element("span", " ", class_="key " + class_), word) for class_, word in legend]
    return element("figure", svg, element("figcaption", *keys) if keys else None)


# --- the whole run -------------------------------------------------------------------------------------------------

def _head(document):
    told = [chip(OUTCOMES[document["outcome"]]), chip(DRY) if document["dry_run"] else None]
    unfinished = element("p", "This report was begun and not completed: the run goes on, or it was cut off. Run the same "
                              "playbook again; what is done already is left as it is.",
                         class_="notice open") if document["outcome"] == "unfinished" else None
    return element(
        "header", element("h1", "disconnected.openshift.", figure(document, "playbook")), element("p", join(told, " ")),
        facts(("Mirror registry", figure(document, "registry") if document["registry"] else None),
              ("Began", figure(document, "began") if document["began"] else None),
              ("Written", document["written"]),
              ("Clusters", str(len(document["clusters"])))),
        unfinished)


def _fleet(document):
    rows = []
    for number, cluster in enumerate(document["clusters"]):
        path = "clusters.%d." % number
        nodes, coverage = cluster["nodes"], cluster["coverage"]
        rows.append((
            element("a", cluster["host"], href="#cluster-%d" % number), figure(document, path + "version"),
            figure(document, path + "node_count"), chip(OUTCOMES[cluster["outcome"]]), STAGES[cluster["stage"]],
            join((figure(document, path + "nodes.matching"), " of ", figure(document, path + "nodes.total"))) if nodes else "\u2013",
            join((figure(document, path + "coverage.uncovered"), " of ", figure(document, path + "coverage.total")))
            if coverage else "\u2013", breakable(cluster["next"])))
    return section("Clusters", table(
        ("Cluster", "Version", "Nodes", "Outcome", "State", "Nodes that match", "Images that would be lost", "Next"), rows, "fleet"),
        level="h2")


def _mirror(document):
    mirror = document["mirror"]
    if mirror is None:
        return None
    counts = mirror["counts"]
    kinds = ", ".join("%d %s" % (count, kind) for kind, count in mirror["kinds"].items() if count)
    failed = [(image["source"], image["target"], image["reason"]) for image in mirror["failures"]]
    unresolved = [(image["source"], image["target"], image["reason"]) for image in mirror["unresolved"]]
    return element(
        "section", element("h2", "Mirroring"), element("p", chip(OUTCOMES[mirror["outcome"]])),
        element("p", mirror["failure"] or mirror["reason"], class_="notice bad") if mirror["failure"] or mirror["reason"] else None,
        facts(("Mirror host", mirror["host"]),
              ("Images planned", join((figure(document, "mirror.planned"), " (%s)" % kinds if kinds else ""))),
              ("Were there", figure(document, "mirror.counts.present")), ("Copied", figure(document, "mirror.counts.done")),
              ("Missing", figure(document, "mirror.counts.missing") if counts["missing"] else None),
              ("Failed", figure(document, "mirror.counts.failed") if counts["failed"] else None),
              ("Read", _bytes(mirror["bytes_received"])), ("Sent", _bytes(mirror["bytes_sent"])),
              ("Proved", "each image is there, by its digest" if mirror["proved"] else None)),
        drawing(pictures.images(counts), ("calm", "were there"), ("good", "copied"), ("open", "missing"), ("bad", "failed")),
        listed(mirror["changed"]),
        section("Images that failed", table(("Image", "To", "Why"), failed)) if failed else None,
        section("Images that are missing", table(("Image",), [(image,) for image in mirror["missing"]])) if mirror["missing"] else None,
        section("Tags that could not be looked up", table(("Image", "To", "Why"), unresolved)) if unresolved else None)


def _bytes(count):
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return "%.3g %s" % (count, unit) if count else None
        count /= 1000
    return "%.3g TB" % count


# --- one cluster ---------------------------------------------------------------------------------------------------

def _cluster(document, number, several):
    cluster = document["clusters"][number]
    path = "clusters.%d." % number
    name = "Cluster %s" % (cluster["name"] or cluster["host"])
    if several and cluster["name"]:
        name = "%s (%s)" % (name, cluster["host"])
    state = STAGES[cluster["stage"]]
    if cluster["stage_before"] and cluster["stage_before"] != cluster["stage"]:
        state = "%s, before: %s" % (state, STAGES[cluster["stage_before"]])
    return element(
        "section", element("h2", name), element("p", chip(OUTCOMES[cluster["outcome"]])),
        element("p", cluster["failure"] or SILENT, class_="notice bad") if cluster["outcome"] == "failed" else None,
        element("p", cluster["text"]) if cluster["text"] and not cluster["failure"] else None,
        facts(("API", figure(document, path + "api") if cluster["api"] else None),
              ("OpenShift", figure(document, path + "version") if cluster["version"] else None),
              ("Nodes", figure(document, path + "node_count") if cluster["node_count"] else None), ("State", state),
              ("Next", cluster["next"] if not cluster["failure"] else None)),
        _plan(cluster["plan"]), section("What changed", listed(cluster["changed"])) if cluster["changed"] else None,
        _rollout(document, path, cluster["rollout"]), _nodes(document, path, cluster["nodes"]),
        _coverage(document, path, cluster["coverage"]), _health(cluster["health"]), _pulls(document, path, cluster["pulls"]),
        _registries(cluster["registries_conf"]),
        section("Alerts to expect", table(("Alert", "Why"), [(alert["name"], alert["reason"]) for alert in cluster["alerts"]]))
        if cluster["alerts"] else None,
        class_="cluster", id="cluster-%d" % number)


def _plan(plan):
    if plan is None:
        return None
    rows = [(pool["name"], pool["nodes"], pool["at_a_time"], pool["action"], "yes" if pool["drain"] else "no",
             "yes" if pool["reboot"] else "no") for pool in plan["pools"]]
    blockers = [(element("strong", "refuses") if found["refuses"] else "warns", "%(kind)s %(name)s" % found, found["reason"],
                 found["remedy"]) for found in plan["blockers"]]
    return section(
        "What was planned", listed(plan["changes"] + plan["summary"]) or element("p", "Nothing was to change."),
        table(("Pool", "Nodes", "At a time", "On each node", "Drained", "Rebooted"), rows),
        section("What stood in the way", table(("", "What", "Why", "Remedy"), blockers), level="h4") if blockers else None)


def _rollout(document, path, rollout):
    if rollout is None:
        return None
    path += "rollout."
    steps = [(entry["time"], entry["pool"], entry["text"]) for entry in rollout["timeline"]]
    return section(
        "Rollout", facts(("Updates seen of a node", figure(document, path + "updates")), ("Nodes seen drained", figure(document, path + "drains")),
                         ("Began", rollout["began"]), ("Ended", rollout["ended"])),
        None if rollout["nodes"] else element("p", "No node was seen being updated: each ran it when it was first looked at."),
        drawing(pictures.rollout(rollout), ("good", "updated"), ("good hatched", "and drained"), ("open", "not done"),
                ("bad", "degraded")),
        element("details", element("summary", "What was seen, step by step"), _table(("Time", "Pool", "What"), steps, None))
        if steps else None)


def _nodes(document, path, nodes):
    if nodes is None:
        return None
    rows = [[element("strong", row["name"])] + [_cell(row["cells"][check]) for check in nodes["checks"]] + [row["reason"]]
            for row in nodes["rows"]]
    return section(
        "Nodes", element("p", figure(document, path + "nodes.matching"), " of ", figure(document, path + "nodes.total"),
                         " nodes match."),
        drawing(pictures.nodes(nodes), ("good", "matches"), ("bad", "\u2717 does not match"), ("open", "? not read")),
        table(["Node"] + nodes["checks"] + ["Why"], rows, "matrix"))


def _cell(cell):
    class_, word = CELLS[cell["status"]]
    found = cell["missing"] + ["unexpected: " + what for what in cell["unexpected"]] if cell["missing"] else cell["unexpected"]
    return element("div", element("span", word, class_="chip " + class_), listed(found[:3]),
                   "and %d more" % (len(found) - 3) if len(found) > 3 else None)


def _coverage(document, path, coverage):
    if coverage is None:
        return None
    path += "coverage."
    lost = [(entry["image"], entry["status"].replace("_", " "), entry["reason"], ", ".join(entry["used_by"][:4]))
            for entry in coverage["lost"]]
    more = len(coverage["namespaces"]) - pictures.NAMESPACES_DRAWN
    return section(
        "Images in use", element("p", figure(document, path + "uncovered"), " of ", figure(document, path + "total"),
                                 " images in use would be lost without the internet."),
        drawing(pictures.coverage(coverage), ("good", "a mirror has it"), ("calm", "needs no mirror"), ("bad", "would be lost")),
        element("p", "And %d namespaces more." % more) if more > 0 else None,
        table(("Image", "What", "Why", "Used by"), lost))


def _health(health):
    if health is None:
        return None
    rows = [(problem["kind"], problem["namespace"], problem["name"], problem["reason"]) for problem in health["new"]]
    words = "New problems: %d. Known before: %d." % (len(rows), health["known"])
    return section("Health", element("p", words), table(("Kind", "Namespace", "Name", "Why"), rows))


def _pulls(document, path, pulls):
    if pulls is None:
        return None
    path += "pulls.counts."
    rows = [(pull["node"], pull["image"]) for pull in pulls["elsewhere"]]
    return section(
        "Where images were pulled from", facts(
            ("Pulls", figure(document, path + "total")), ("From a mirror", figure(document, path + "from_mirror")),
            ("From the source", figure(document, path + "from_source")), ("Tried a mirror first", figure(document, path + "fell_back"))),
        table(("Node", "Not from a mirror"), rows))


def _registries(entries):
    """registries.conf before and after, by meaning; the two texts fold away."""
    parts = []
    for entry in entries:
        rows = [("\u2212 before", rule["source"], ", ".join(rule["mirrors"]) or "no mirror") for rule in entry["removed"]]
        rows += [("+ after", rule["source"], ", ".join(rule["mirrors"]) or "no mirror") for rule in entry["added"]]
        parts += [
            element("p", "Pools " if len(entry["pools"]) > 1 else "Pool ", element("strong", ", ".join(entry["pools"])), ": ",
                    "sources changed: %d, as before: %d." % (
                        len({rule["source"] for rule in entry["added"] + entry["removed"]}), entry["kept"])),
            table(("", "Source", "Looked for first at"), rows, "difference"),
            element("details", element("summary", "Both files"), element("div", *(
                element("figure", element("figcaption", word), element("pre", entry[word])) for word in ("before", "after")),
                class_="both"))]
    return section("registries.conf before and after", *parts) if parts else None
