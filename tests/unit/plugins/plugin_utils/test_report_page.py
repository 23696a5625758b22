# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import doctest
import html.parser

import pytest

from ansible_collections.disconnected.openshift.plugins.plugin_utils import report, report_markup, report_page, report_pictures
from ansible_collections.disconnected.openshift.tests.unit import report_results as results

EVIL = '<script>alert("x")</script>'


class Page(html.parser.HTMLParser):
    """What is in a page: its elements, its text, its figures; and whether every element is closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.figures, self.text = [], [], {}, ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in report_markup.VOID:
            self.open.append((tag, dict(attrs).get("data-figure")))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1][1]:
            self.figures[self.open[-1][1]] = data


def page(hosts=None, **run):
    given = {"bastion": results.mirrored(), "localhost": results.configured()} if hosts is None else hosts
    document = report.document(given, dict(results.RUN, **run))
    return document, Page(report_page.render(document))


def at(document, path):
    for step in path.split("."):
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


def test_examples():
    assert doctest.testmod(report_pictures).failed == 0


def test_every_figure_is_the_documents():
    document, found = page()
    assert len(found.figures) > 15
    assert found.figures == {path: str(at(document, path)) for path in found.figures}


def test_it_asks_for_nothing():
    _document, found = page()
    assert not [tag for tag, _attrs in found.elements if tag in ("script", "link", "img", "iframe", "form", "object", "image", "use")]
    for _tag, attrs in found.elements:
        assert not {"src", "srcset", "style", "data", "action", "onload"} & set(attrs)
        assert attrs.get("href", "#").startswith("#")
    assert "url(" not in report_page.STYLE.replace("url(#hatch)", "") and "@import" not in report_page.STYLE
    [policy] = [attrs["content"] for tag, attrs in found.elements if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")


def evil(value):
    """The same data with every text of it made evil."""
    if isinstance(value, dict):
        return {key: evil(found) for key, found in value.items()}
    if isinstance(value, list):
        return [evil(found) for found in value]
    return value + EVIL if isinstance(value, str) else value


def test_nothing_gets_in_unescaped():
    document, _page = page()
    # Words that the page chooses something by, and moments, stay what they are.
    tame = {"outcome", "stage", "stage_before", "status", "time", "began", "ended", "schema"}

    def keep(before, after):
        if isinstance(before, dict):
            return {key: found if key in tame and isinstance(found, str) else keep(found, after[key])
                    for key, found in before.items()}
        return [keep(*pair) for pair in zip(before, after)] if isinstance(before, list) else after
    poisoned = keep(document, evil(document))
    poisoned["clusters"][0]["nodes"]["checks"] = document["clusters"][0]["nodes"]["checks"]
    text = report_page.render(poisoned)
    assert "<script" not in text and text.count("&lt;script&gt;") > 50
    Page(text)


def test_a_nodes_reason_is_shown_as_it_is():
    given = {"conversion_after": results.state(), "verify_nodes": {"nodes": [results.node("worker-0", False, reason=EVIL)]}}
    _document, found = page({"localhost": given})
    assert EVIL in found.text and "script" not in [tag for tag, _attrs in found.elements]


@pytest.mark.parametrize("hosts", [
    {}, {"localhost": {}}, {"localhost": {"conversion_before": results.state()}}, {"bastion": results.mirrored()},
    {"localhost": {"conversion_before": {"stage": "unknown", "text": "?", "api": "", "name": ""}}},
], ids=["no host", "no result", "begun", "mirror host", "not asked"])
def test_a_page_of_little(hosts):
    page(hosts)


def test_what_a_colour_says_a_word_says_too():
    _document, found = page()
    for word in ("\u2717 lacks", "\u2717 has", "? not read", "\u2713 matches", "\u2717 failed"):
        assert word in found.text


def test_a_fleet_has_a_row_and_a_section_for_each_cluster():
    failed = dict(results.configured(), conversion_after=results.state("rollout", paragraph="It failed.", name="two"))
    document, found = page({"one": results.configured(), "two": failed})
    assert [attrs["href"] for tag, attrs in found.elements if tag == "a"] == ["#cluster-0", "#cluster-1"]
    assert {attrs.get("id") for tag, attrs in found.elements if tag == "section"} >= {"cluster-0", "cluster-1"}
    assert document["outcome"] == "failed" and "It failed." in found.text


def test_many_nodes_and_namespaces_stay_readable():
    given = results.configured()
    given["verify_nodes"]["nodes"] = [results.node("worker-%03d" % number) for number in range(500)]
    given["cluster_config_rollout"]["nodes"] = [dict(node, name="worker-%03d" % number) for number in range(167)
                                                for node in given["cluster_config_rollout"]["nodes"]]
    given["disconnect_coverage"]["references"] += [
        results.reference("quay.io/x/%d@sha256:0" % number, "covered", "space-%d" % number) for number in range(300)]
    _document, found = page({"localhost": given})
    assert "460 more" in found.text and "And 272 namespaces more." in found.text
    assert [tag for tag, _attrs in found.elements].count("polyline") == 1
