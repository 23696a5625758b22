# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the conversion of a cluster has come, by what the cluster itself shows, and what comes next.

Nothing of it is remembered outside the cluster: a run that was killed, or one from another machine, finds the same.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

UNKNOWN = "unknown"  # the cluster could not be asked
CONNECTED = "connected"  # nothing of ours is there
BEGUN = "begun"  # the snapshot alone: nothing has been changed yet, or nearly all of it has been taken back
WINDOW = "window"  # pools are paused by us
ROLLOUT = "rollout"  # configured, and some nodes do not run it yet
CONFIGURED = "configured"
REHEARSAL = "rehearsal"  # the sources are forbidden for a while
DISCONNECTED = "disconnected"  # configured, and the cluster's own operators do without the internet
STAGES = (UNKNOWN, CONNECTED, BEGUN, WINDOW, ROLLOUT, CONFIGURED, REHEARSAL, DISCONNECTED)

UNASKED = "No cluster is asked for this."
COLLECTION = "disconnected.openshift"
LONGEST = 400  # characters of a message that is repeated
POOLS_TOLD = 4


@dataclass(frozen=True)
class Facts:
    """What a cluster shows of a conversion.

    `mirrors`: the registries, host[:port], that the mirror sets of ours lead to. `others`: how many mirror sets are
    somebody else's. `rehearsed`: ours forbid the sources for a rehearsal. `paused`: the pools that we paused. `pools`: a
    rollout.Standing for each pool. `snapshot`: there is one. `cut`: it holds what was replaced for the cut.
    """

    mirrors: Tuple[str, ...] = ()
    others: int = 0
    rehearsed: bool = False
    paused: Tuple[str, ...] = ()
    pools: Tuple = ()
    snapshot: bool = False
    cut: bool = False

    @property
    def nodes(self):
        return sum(pool.nodes for pool in self.pools)

    @property
    def updated(self):
        return sum(pool.updated for pool in self.pools)


def stage(facts):
    """Which of STAGES the cluster is in."""
    if facts.paused:
        return WINDOW
    if not facts.mirrors:
        return BEGUN if facts.snapshot else CONNECTED
    if facts.rehearsed:
        return REHEARSAL
    if facts.updated < facts.nodes:
        return ROLLOUT
    return DISCONNECTED if facts.cut else CONFIGURED


def text(facts, subject="The cluster", registry=""):
    """The stage in a sentence or two about `subject`. `registry` is the mirror registry that the caller means."""
    mirrors = _listed(facts.mirrors)
    predicate = {
        CONNECTED: "is not converted: nothing of this collection is in it%s." % _others(facts),
        BEGUN: "has no mirror set of this collection, yet a snapshot: a conversion had begun and changed no node, or a way "
               "back has not ended.",
        WINDOW: "has an open window: this collection has paused the pools %s, so what was written since reaches no node."
                % _listed(facts.paused),
        ROLLOUT: "is configured for %s, and the rollout is under way." % mirrors,
        REHEARSAL: "is configured for %s, and a rehearsal forbids its nodes to ask the sources." % mirrors,
        CONFIGURED: "is configured for %s, and not told that there is no internet." % mirrors,
        DISCONNECTED: "is configured for %s, and its operators are told that there is no internet." % mirrors,
    }[stage(facts)]
    if registry and facts.mirrors and registry not in facts.mirrors:
        predicate += " That is another mirror registry than %s." % registry
    return "%s %s%s" % (subject, predicate, _rollout(facts))


def _others(facts):
    if not facts.others:
        return ""
    return ", and %s somebody else's" % ("a mirror set is" if facts.others == 1 else "%d mirror sets are" % facts.others)


def _rollout(facts):
    """How far the nodes are, where not all are there; " All 6 nodes run ..." where mirrors are configured."""
    if facts.paused:
        return ""
    if facts.updated == facts.nodes:
        return " All %d nodes run what their pools name." % facts.nodes if facts.mirrors else ""
    behind = [pool for pool in facts.pools if pool.updated < pool.nodes]
    told = "; ".join(pool.failure.rstrip(".") or pool.text for pool in behind[:POOLS_TOLD])
    return " %d of %d nodes run what their pools name: %s." % (facts.updated, facts.nodes, told)


def unknown(error=""):
    """The sentence for a cluster that cannot be asked."""
    return "What state the cluster is in could not be found out%s" % (": " + _sentence(error) if error else ".")


def title(name, host, version, nodes):
    """Which cluster it is, as the subject of `text`."""
    return "Cluster %s (%s, OpenShift %s, %s)" % (name, host, version, "1 node" if nodes == 1 else "%d nodes" % nodes)


# --- what comes next ---------------------------------------------------------------------------------------------

# The step after a playbook that has ended well, by the stage that the cluster is in then.
_AFTER = {
    ("prepare", None): "mirror copies what the cluster needs to the mirror registry.",
    ("mirror", None): "configure makes the nodes pull from the mirror registry.",
    (None, CONNECTED): "prepare, mirror and configure, or convert for the whole way.",
    (None, BEGUN): "configure goes on, reconnect takes back what is there.",
    (None, WINDOW): "configure or reconnect, whichever was cut off: it finishes what was begun and resumes the pools.",
    (None, ROLLOUT): "configure waits until every node runs it, and proves it.",
    (None, CONFIGURED): "rehearse shows what the nodes do without the internet, disconnect makes ready for the cut; "
                        "reconnect undoes everything.",
    (None, REHEARSAL): "rehearse ends what was cut off.",
    (None, DISCONNECTED): "take its way to the internet away, and run verify some time later; reconnect undoes everything.",
    (None, UNKNOWN): "verify, once the cluster answers.",
    ("rehearse", CONFIGURED): "disconnect makes ready for the cut.",
    ("verify", DISCONNECTED): "nothing; reconnect undoes everything.",
    ("reconnect", CONNECTED): "nothing: all that this collection configured is taken back.",
}


def next_step(playbook, found, failed=False, dry=False):
    """What to run next, as words that can stand behind "Next:".

    playbook -- the name of the playbook that runs, "" when none does
    found -- the stage that the cluster is in
    failed, dry -- whether it failed, whether it only looked
    """
    if failed:
        return _after_failure(playbook, found)
    if dry and playbook not in ("", "verify"):
        return "%s without --check does it." % _fqcn(playbook)
    for key in ((playbook, found), (playbook, None), (None, found)):
        if key in _AFTER:
            return _named(_AFTER[key])
    return ""


def _after_failure(playbook, found):
    again = "Mend that, then run %s again: what is done already is left as it is." % _fqcn(playbook or "the playbook")
    if playbook in ("verify", "rehearse", "disconnect") and found in (CONNECTED, BEGUN):
        return "Configure the cluster first: %s, or %s for the whole way." % (_fqcn("configure"), _fqcn("convert"))
    if found == WINDOW:
        again = "Mend that, then run %s again: it finishes what was begun and resumes the pools." % _fqcn(
            playbook if playbook in ("configure", "convert", "reconnect", "rehearse") else "configure")
    elif found == UNKNOWN:
        again = "Make sure that the cluster answers, then run %s again: what is done already is left as it is." % _fqcn(
            playbook or "the playbook")
    if playbook in ("mirror", "convert") and found == DISCONNECTED:
        again += " Only copying needs the internet: %s and %s do without it." % (_fqcn("configure"), _fqcn("verify"))
    if playbook != "reconnect" and found in (BEGUN, WINDOW, ROLLOUT, CONFIGURED, REHEARSAL):
        again += " %s takes back what was configured." % _fqcn("reconnect")
    return again


def _named(sentence):
    """The sentence with the full name of the playbook that it begins with."""
    word = sentence.split(" ", 1)[0].rstrip(",;:")
    return sentence if word in ("nothing", "take") else "%s.%s" % (COLLECTION, sentence)


def _fqcn(playbook):
    return playbook if " " in playbook else "%s.%s" % (COLLECTION, playbook)


def paragraph(host, task, message, state, following):
    """The last word of a run that failed: what failed, what state the cluster is in, what to run next.

    state, following -- what `text` and `next_step` say
    """
    reason = shortened(message)
    failed = "On %s the task \"%s\" failed%s" % (host, task, ": " + _sentence(reason) if reason else ".")
    return " ".join(part for part in (failed, state, following) if part)


def shortened(message, longest=LONGEST):
    """A message in one line, cut off at the end of a word."""
    line = " ".join(message.split())
    if len(line) <= longest:
        return line
    return line[:longest].rsplit(" ", 1)[0].rstrip(",;:.") + " ..."


def _sentence(words):
    return words if words.endswith((".", "...", "!", "?")) else words + "."


def _listed(names):
    names = sorted(names)
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else "nothing"
