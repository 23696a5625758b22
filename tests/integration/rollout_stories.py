# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollout looks like from outside, told so that a recording and the lab can be compared.

Observations are tuples (moment, what, name, value) in seconds and in the order of their happening:
  config NAME written|created      a MachineConfig got new content, or came
  target POOL CONFIG               the pool's spec.configuration
  status POOL {field: value}       what changed in the pool's status: Updated, Updating, Degraded as "True: message",
                                   reported (status.configuration), counts (machine, updated, ready, unavailable,
                                   degraded), generation (observedGeneration)
  node NODE {field: value}         what changed: tainted, unschedulable, desiredConfig, currentConfig, desiredDrain
  event POOL "REASON: message"
A summary names configurations by their role in the story: before (at its start), after (at its end), between.
"""

from __future__ import annotations

import re


def summary(observations, start, pool):
    """One pool's story. `start` is the configuration that it had at the beginning."""
    mine = [one for one in observations if belongs(one, pool)]
    words = roles([start] + [value for _t, what, _name, value in mine if what == "target"])

    def told(text):
        return re.sub(r"rendered-\w+-[0-9a-f]{32}", lambda found: words.get(found[0], "unknown"), text)

    said = [(name, told(value)) for _t, what, name, value in mine if what == "event"]
    nodes = [(name, key, told(str(value))) for name, key, value in changes(mine, "node")]
    status = [(key, value if key == "counts" else told(str(value))) for _name, key, value in changes(mine, "status")]
    return {
        "written": sum(what == "config" and value == "written" for _t, what, _name, value in mine),
        "created": [told(name) for _t, what, name, value in mine if what == "config" and value == "created"],
        "announced": [text.split()[1] for _pool, text in said if text.startswith("RenderedConfigGenerated")],
        "targets": [told(value) for _t, what, _name, value in mine if what == "target"],
        "pointed": tally(value for _node, key, value in nodes if key == "desiredConfig"),
        "arrived": tally(value for _node, key, value in nodes if key == "currentConfig"),
        "drains": sum(key == "desiredDrain" and value.startswith("drain-") for _node, key, value in nodes),
        "tainted": len({node for node, key, value in nodes if (key, value) == ("tainted", "True")}),
        "conditions": steps(f"{key} {value}" for key, value in status if key in ("Updated", "Updating", "Degraded")),
        "reported": steps(value for key, value in status if key == "reported"),
        "updated": steps(value[1] for key, value in status if key == "counts"),
        "moments": milestones(mine),
    }


def belongs(observation, pool):
    _moment, what, name, _value = observation
    if what == "config":
        return re.fullmatch(rf"(00-{pool}|99-{pool}-generated-registries|rendered-{pool}-.*)", name) is not None
    return name == pool or (what == "node" and name.startswith(f"{pool}-"))


def roles(configurations):
    """Each configuration's name and its role; one that is both first and last stays `before`."""
    words = {name: "between" for name in configurations[1:-1]}
    if configurations:
        words[configurations[-1]] = "after"
        words[configurations[0]] = "before"
    return words


def changes(observations, what):
    """(name, field, value) of every field that changed."""
    return [
        (name, key, value) for _t, kind, name, fields in observations if kind == what for key, value in fields.items()
    ]


def steps(values):
    """The values without immediate repetitions."""
    listed = list(values)
    return [value for index, value in enumerate(listed) if index == 0 or listed[index - 1] != value]


def tally(values):
    counted = {}
    for value in values:
        counted[value] = counted.get(value, 0) + 1
    return counted


def milestones(observations):
    """When each thing happened for the first time, in the order of their happening."""
    first = {}
    for moment, what, _name, value in observations:
        for word in words_for(what, value, "noticed" in first):
            first.setdefault(word, round(moment, 1))
    return first


def words_for(what, value, noticed):
    if what == "config":
        return [value] if value == "written" else []
    if what == "node":
        named = (("tainted", "tainted"), ("desiredConfig", "pointed"), ("currentConfig", "arrived"))
        return [word for key, word in named if value.get(key) not in (None, False)]
    if what == "status":
        updated = str(value.get("Updated", ""))
        return ["noticed"] * updated.startswith("False") + ["complete"] * (noticed and updated.startswith("True"))
    return [what] if what == "target" else []
