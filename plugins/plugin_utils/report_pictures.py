# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's pictures, as inline SVG. What a colour says, a shape or a word says as well: paper may be grey."""
from __future__ import annotations

import datetime

from .report_markup import element, join

WIDTH = 900
LABEL = 210  # for the names at the left
ROW = 24
NODES_DRAWN = 48  # one bar each; of more, each pool is one line
NAMESPACES_DRAWN = 30
TICKS = 5
CELL = 18
ELAPSED = ((1, "s"), (60, "min"), (3600, "h"))
HATCH = element("defs", element("pattern", element("path", d="M-1,7 L7,-1"), id="hatch", width=6, height=6,
                                patternUnits="userSpaceOnUse"))


def picture(height, title, *children):
    return element("svg", element("title", title), HATCH, *children, viewBox="0 0 %d %d" % (WIDTH, height), role="img",
                   preserveAspectRatio="xMinYMin meet")


def label(x, y, words, anchor="start", class_=None):
    return element("text", words, x=x, y=y, text_anchor=anchor, class_=class_)


def box(x, y, width, height, class_, title=None):
    return element("rect", element("title", title) if title else None, x="%.1f" % x, y="%.1f" % y, width="%.1f" % width,
                   height="%.1f" % height, rx=3, class_=class_)


def moment(stamp):
    return datetime.datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ")


def elapsed(seconds):
    """
    >>> elapsed(42), elapsed(150), elapsed(5400)
    ('42 s', '2.5 min', '1.5 h')
    """
    size, unit = max((pair for pair in ELAPSED if seconds >= pair[0]), default=ELAPSED[0])
    return "%g %s" % (round(seconds / size, 1), unit)


# --- rollout -------------------------------------------------------------------------------------------------------

def rollout(found):
    """When each node was updated; None when none was seen to be."""
    if not found["nodes"]:
        return None
    start = moment(found["began"])
    span = max((moment(found["ended"]) - start).total_seconds(), 1)

    def place(stamp):
        return LABEL + (WIDTH - LABEL - 90) * (moment(stamp) - start).total_seconds() / span
    draw = _bars if len(found["nodes"]) <= NODES_DRAWN else _lines
    rows, height = draw(found, place)
    return picture(height + 30, "Rollout: when each node was updated, within %s" % elapsed(span), _axis(height, span), *rows)


def _axis(height, span):
    marks = []
    for tick in range(TICKS + 1):
        x = LABEL + (WIDTH - LABEL - 90) * tick / TICKS
        marks += [element("line", x1=x, y1=4, x2=x, y2=height + 6, class_="axis"),
                  label(x, height + 22, "+" + elapsed(round(span * tick / TICKS)), "middle", "small")]
    return join(marks)


def _bars(found, place):
    """A bar for each node, below the name of its pool."""
    rows, y = [], 0
    for pool in found["pools"]:
        nodes = [node for node in found["nodes"] if node["pool"] == pool["name"]]
        if not nodes:
            continue
        rows.append(label(0, y + 16, "Pool %s: %d of %d updated" % (pool["name"], pool["updated"], pool["nodes"]), class_="strong"))
        y += ROW
        for node in nodes:
            rows.append(_bar(node, place, y, found["ended"]))
            y += ROW
    return rows, y


def _bar(node, place, y, end):
    left, right = place(node["began"]), place(node["ended"] or end)
    seconds = (moment(node["ended"] or end) - moment(node["began"])).total_seconds()
    state = "bad" if node["failed"] else "good" if node["ended"] else "open"
    word = {"bad": "\u2717 degraded", "good": "\u2713 " + elapsed(seconds), "open": "\u2026 not done"}[state]
    drained = box(left, y + 4, max(right - left, 3), ROW - 9, "hatched") if node["drained"] else None
    return join((label(14, y + 16, node["name"]),
                 box(left, y + 4, max(right - left, 3), ROW - 9, state, "%s: %s to %s%s" % (
                     node["name"], node["began"], node["ended"] or "?", ", drained" if node["drained"] else "")),
                 drained, label(max(right, left + 3) + 6, y + 16, word, class_="small")))


def _lines(found, place):
    """How many nodes of each pool were done at which time."""
    rows, y = [], 0
    for pool in found["pools"]:
        ended = sorted(node["ended"] for node in found["nodes"] if node["pool"] == pool["name"] and node["ended"])
        if not any(node["pool"] == pool["name"] for node in found["nodes"]):
            continue
        tall = 90
        points, low = ["%.1f,%.1f" % (LABEL, y + tall)], y + tall
        for count, stamp in enumerate(ended, 1):
            points.append("%.1f,%.1f" % (place(stamp), low))
            low = y + tall - (tall - 12) * count / max(pool["nodes"], 1)
            points.append("%.1f,%.1f" % (place(stamp), low))
        points.append("%.1f,%.1f" % (place(found["ended"]), low))
        rows += [label(0, y + 16, "Pool %s" % pool["name"], class_="strong"),
                 label(0, y + 34, "%d of %d nodes updated" % (pool["updated"], pool["nodes"]), class_="small"),
                 element("line", x1=LABEL, y1=y + 12, x2=WIDTH - 90, y2=y + 12, class_="axis"),
                 element("line", x1=LABEL, y1=y + tall, x2=WIDTH - 90, y2=y + tall, class_="axis"),
                 label(LABEL - 8, y + 16, pool["nodes"], "end", "small"), label(LABEL - 8, y + tall + 4, 0, "end", "small"),
                 element("polyline", points=" ".join(points), class_="line")]
        y += tall + 14
    return rows, y


# --- bars ----------------------------------------------------------------------------------------------------------

def stack(parts, y, width, height, total, x=0):
    """A bar of parts (count, class, word) side by side, as long as their share of `total`."""
    drawn = []
    for count, class_, word in parts:
        long = width * count / max(total, 1)
        if count:
            drawn.append(box(x, y, max(long, 2), height, class_, "%d %s" % (count, word)))
            if class_ == "bad":
                drawn.append(box(x, y, max(long, 2), height, "hatched"))
            x += max(long, 2)
    return join(drawn)


def images(counts):
    """What became of the images that were to be mirrored."""
    parts = [(counts["present"], "calm", "were there"), (counts["done"], "good", "copied"),
             (counts["missing"], "open", "missing"), (counts["failed"], "bad", "failed")]
    total = sum(count for count, _class, _word in parts)
    return picture(30, "Images: " + ", ".join("%d %s" % (count, word) for count, _class, word in parts),
                   stack(parts, 4, WIDTH - 4, 20, total), element(
                       "rect", x=0, y=4, width=WIDTH - 2, height=20, rx=3, class_="frame")) if total else None


def coverage(found):
    """For each namespace, how many images in use the mirror has, and how many would be lost."""
    spaces = found["namespaces"][:NAMESPACES_DRAWN]
    if not spaces:
        return None
    most = max(space["total"] for space in spaces)
    rows = []
    for number, space in enumerate(spaces):
        y = number * ROW
        parts = [(space["covered"], "good", "covered"), (space["ignored"], "calm", "need no mirror"),
                 (space["uncovered"], "bad", "would be lost")]
        told = ", ".join("%d %s" % (count, word) for count, _class, word in parts if count)
        long = (WIDTH - LABEL - 250) * space["total"] / most
        rows += [label(0, y + 16, cut(space["namespace"] or "(the whole cluster)", 30)),
                 stack(parts, y + 4, long, ROW - 9, space["total"], LABEL),
                 label(LABEL + max(long, 6) + 8, y + 16, ("\u2717 " if space["uncovered"] else "\u2713 ") + told, class_="small")]
    return picture(len(spaces) * ROW + 6, "Images in use, by namespace", *rows)


def cut(words, longest):
    return words if len(words) <= longest else words[:longest - 1] + "\u2026"


# --- nodes ---------------------------------------------------------------------------------------------------------

def nodes(found):
    """A field for each node, in the order of the table: a filled square matches, a cross does not, a ring was not read."""
    a_row = WIDTH // (CELL + 4)
    fields = []
    for number, row in enumerate(found["rows"]):
        x, y = (number % a_row) * (CELL + 4), (number // a_row) * (CELL + 4)
        unread = any(cell["status"] == "unread" for cell in row["cells"].values())
        word = "matches" if row["matches"] else "not read" if unread else "does not match"
        shape = box(x, y, CELL, CELL, "good" if row["matches"] else "open" if unread else "bad", "%s %s" % (row["name"], word))
        mark = None if row["matches"] else label(x + CELL / 2, y + CELL - 4, "?" if unread else "\u2717", "middle", "mark")
        fields.append(join((shape, mark)))
    height = ((len(fields) - 1) // a_row + 1) * (CELL + 4)
    return picture(height, "%d of %d nodes match" % (found["matching"], found["total"]), *fields)
