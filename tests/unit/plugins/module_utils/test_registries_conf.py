# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import pathlib

import pytest
import yaml
from hypothesis import given, settings, strategies as st

from ansible_collections.disconnected.openshift.plugins.module_utils import errors, registries_conf
from ansible_collections.disconnected.openshift.plugins.module_utils.registries_conf import Mirror, Registry

RECORDED = yaml.safe_load((pathlib.Path(__file__).parents[2] / "fixtures" / "registries_conf.yml").read_text())
SHA = "@sha256:" + "ab" * 32


def attempts(conf, reference):
    """The pull sources in the words of the recording; None if the pull is refused."""
    try:
        sources = registries_conf.pull_sources(conf, reference)
    except errors.InvalidInput:
        return None
    return [("mirror " if source.mirror else "source ") + source.reference
            + " insecure" * source.insecure + " blocked" * source.blocked for source in sources]


def candidates(conf, reference):
    try:
        return registries_conf.candidates(conf, reference)
    except errors.InvalidInput:
        return None


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case["name"])
class TestAgainstTheEngine:
    def test_registries(self, case):
        conf = registries_conf.parse(case["text"])
        assert [registries_conf.as_dict(registry) for registry in conf.registries] == case["registries"]
        assert conf.unqualified_search_registries == case["search"]

    def test_pulls(self, case):
        conf = registries_conf.parse(case["text"])
        assert [dict(reference=pull["reference"], sources=attempts(conf, pull["reference"]),
                     candidates=candidates(conf, pull["reference"])) for pull in case["pulls"]] == case["pulls"]


def test_the_text_of_a_node_that_was_never_configured():
    conf = registries_conf.parse("unqualified-search-registries = ['registry.access.redhat.com', 'docker.io']\n")
    assert conf.registries == []
    assert conf.unqualified_search_registries == ["registry.access.redhat.com", "docker.io"]
    assert conf.short_name_mode == "permissive"


def test_defaults():
    conf = registries_conf.parse("""
        [[registry]]
        location = "quay.io/a/"
        mirror = [{location = "m.example.com/a/"}]
        [[registry]]
        location = "quay.io/b"
        mirror-by-digest-only = true
        mirror = [{location = "m.example.com/b", insecure = true}]
    """)
    assert conf.registries == [
        Registry("quay.io/a", "quay.io/a", mirrors=(Mirror("m.example.com/a", False, "all"),)),
        Registry("quay.io/b", "quay.io/b", mirror_by_digest_only=True,
                 mirrors=(Mirror("m.example.com/b", True, "digest-only"),)),
    ]


def test_credential_helpers():
    assert registries_conf.parse("credential-helpers = ['pass']\n").credential_helpers == ["pass"]
    assert registries_conf.parse("credential-helpers = []\n").credential_helpers == ["containers-auth.json"]


def test_of_two_entries_with_one_prefix_the_first_counts():
    conf = registries_conf.parse('[[registry]]\nprefix = "quay.io/a"\nlocation = "one.example.com/a"\n'
                                 '[[registry]]\nprefix = "quay.io/a"\nlocation = "two.example.com/a"\n')
    assert [registry.location for registry in conf.registries] == ["one.example.com/a"]


def test_keys_are_found_in_any_case_and_unknown_ones_ignored():
    conf = registries_conf.parse('Future = 1\n[[Registry]]\nLOCATION = "quay.io"\nnew-key = []\n')
    assert conf.registries == [Registry("quay.io", "quay.io")]


def test_letters_that_only_look_like_a_key_are_none():
    """One sign for `st` is two letters only to Python; the engine finds no such key."""
    conf = registries_conf.parse('"unqualified-search-regi\ufb06ries" = ["quay.io"]\n["regi\ufb06ry"]\n')
    assert conf == registries_conf.parse("")
    conf = registries_conf.parse('[["regi\u017ftry"]]\nlocation = "quay.io"\n')
    assert conf.registries == [Registry("quay.io", "quay.io")]


@pytest.mark.parametrize("text, key", [
    ('[[registry]]\nlocation = "quay.io/a"\nLocation = "quay.io/b"\n', "location"),
    ('[[registry]]\nlocation = "quay.io/a"\n[[Registry]]\nlocation = "quay.io/b"\n', "registry"),
    ('[[registry]]\nLOCATION = "quay.io/a"\nLocation = "quay.io/b"\n', "location"),
    ('[registries.search]\nregistries = ["quay.io"]\n[registries.SEARCH]\n', "search"),
])
def test_a_key_in_two_spellings(text, key):
    """The engine takes one of them, and another one the next time."""
    with pytest.raises(errors.InvalidInput, match="%s is written in more than one way" % key):
        registries_conf.parse(text)


@pytest.mark.parametrize("text", ["http://", "https:///"])
def test_a_scheme_with_nothing_behind_it_is_a_name_to_the_engine(text):
    """It takes slashes away before it looks for a scheme. No image has such a name."""
    conf = registries_conf.parse("[[registry]]\nlocation = '%s'\nblocked = true\n" % text)
    assert [registry.prefix for registry in conf.registries] == [text.rstrip("/")]


@pytest.mark.parametrize("text, reason", [
    ("[[registry]\n", "not valid TOML"),
    ("a = 1\na = 2\n", "not valid TOML"),
    ("a = 9223372036854775808\n", "out of range"),
    ("a = [{b = -9223372036854775809}]\n", "out of range"),
    ("a = 1e999\n", "out of range"),
    ("a = " + "[" * 5000 + "]" * 5000, "not valid TOML"),
    ("registry = 1\n", "list of tables"),
    ("registry = [1]\n", "list of tables"),
    ("[registry]\nlocation = 'quay.io'\n", "list of tables"),
    ("[[registry]]\nlocation = 'quay.io'\n[registry.mirror]\n", r"written as \[\[registry.mirror\]\]"),
    ("[[registry]]\nlocation = 1\n", "text in quotes"),
    ("[[registry]]\nlocation = 'quay.io'\nblocked = 'true'\n", "true or false"),
    ("unqualified-search-registries = 'quay.io'\n", "list of texts"),
    ("unqualified-search-registries = [1]\n", "list of texts"),
    ("unqualified-search-registries = ['quay.io/a']\n", "not host"),
    ("unqualified-search-registries = ['https://quay.io']\n", "scheme"),
    ("short-name-mode = 'prompt'\n", "short-name-mode"),
    ("[[registry]]\nblocked = true\n", "neither location nor prefix"),
    ("[[registry]]\nprefix = 'quay.io'\n", "needs a location"),
    ("[[registry]]\nlocation = 'https://quay.io'\n", "scheme"),
    ("[[registry]]\nlocation = 'quay.io'\nprefix = 'http://quay.io'\n", "scheme"),
    ("[[registry]]\nprefix = '*.example.com/a'\n", "neither a name nor"),
    ("[[registry]]\nprefix = '*.example.com:5000'\n", "neither a name nor"),
    ("[[registry]]\nlocation = 'quay.io'\npull-from-mirror = 'all'\n", "only a \\[\\[registry.mirror\\]\\]"),
    ("[[registry]]\nlocation = 'quay.io'\nmirror = [{insecure = true}]\n", "no location"),
    ("[[registry]]\nlocation = 'quay.io'\nmirror = [{location = 'http://m.example.com'}]\n", "scheme"),
    ("[[registry]]\nlocation = 'quay.io'\nmirror = [{location = 'm.io', pull-from-mirror = 'some'}]\n", "not one of"),
    ("[[registry]]\nlocation = 'quay.io'\nmirror-by-digest-only = true\n"
     "mirror = [{location = 'm.example.com', pull-from-mirror = 'all'}]\n", "both mirror-by-digest-only"),
    ("[[registry]]\nlocation = 'quay.io'\nblocked = true\n[[registry]]\nlocation = 'quay.io'\nprefix = 'q.io'\n",
     "more than once"),
    ("[[registry]]\nlocation = 'quay.io'\ninsecure = true\n[[registry]]\nlocation = 'quay.io'\n", "once as insecure"),
    ("[registries.search]\nregistries = []\n[[registry]]\nlocation = 'quay.io'\n", "mixes the old format"),
    ("[registries.block]\nregistries = ['https://quay.io']\n", "scheme"),
    ("registries = ['quay.io']\n", "must be a table"),
    ("[aliases]\nbusybox = 'busybox'\n", "must stand for"),
    ("[aliases]\nbusybox = 'quay.io/busybox:1'\n", "must stand for"),
    ("[aliases]\nbusybox = 'quay.io/Busybox'\n", "not a name"),
    ("[aliases]\n'quay.io/busybox' = 'quay.io/busybox'\n", "not a short name"),
    ("[aliases]\n'busybox:1' = 'quay.io/busybox'\n", "not a short name"),
    ("[aliases]\nbusybox = 1\n", "table of texts"),
])
def test_what_the_engine_refuses(text, reason):
    with pytest.raises(errors.InvalidInput, match=reason):
        registries_conf.parse(text)


def test_without_a_toml_parser(monkeypatch):
    monkeypatch.setattr(registries_conf, "tomllib", None)
    with pytest.raises(errors.InvalidInput, match="install python3-tomli"):
        registries_conf.parse("")


def test_an_alias_that_was_taken_back_is_none():
    conf = registries_conf.parse("unqualified-search-registries = ['quay.io']\n[aliases]\ntool = ''\n")
    assert registries_conf.candidates(conf, "tool") == ["quay.io/tool:latest"]


def test_short_names_in_enforcing_mode():
    text = "short-name-mode = 'enforcing'\nunqualified-search-registries = ['quay.io', 'docker.io']\n"
    with pytest.raises(errors.InvalidInput, match="ambiguous"):
        registries_conf.candidates(registries_conf.parse(text), "tool")


def test_an_alias_keeps_tag_and_digest():
    conf = registries_conf.parse("[aliases]\ntool = 'quay.io/tools/tool'\n")
    assert registries_conf.candidates(conf, "tool:1" + SHA) == ["quay.io/tools/tool:1" + SHA]


def test_a_mirror_that_makes_no_full_name_fails_the_whole_pull():
    conf = registries_conf.parse("[[registry]]\nlocation = 'quay.io'\nmirror = [{location = 'mirror'}]\n")
    with pytest.raises(errors.InvalidInput, match="cannot be pulled through mirror"):
        registries_conf.pull_sources(conf, "quay.io/a" + SHA)


A = Registry("quay.io/a", "quay.io/a", mirrors=(Mirror("one.example.com/a", pull_from_mirror="digest-only"),
                                                Mirror("two.example.com/a", pull_from_mirror="digest-only")))
B = Registry("quay.io/b", "quay.io/b", blocked=True)


def written(registries, turn=False):
    """The text of registries.conf that says these registries, in their order or in the reverse one."""
    text = ""
    for registry in registries[::-1] if turn else registries:
        text += '[[registry]]\nprefix = "%s"\ninsecure = %s\nblocked = %s\n' % (
            registry.prefix, str(registry.insecure).lower(), str(registry.blocked).lower())
        text += 'location = "%s"\n' % registry.location * bool(registry.location)
        for mirror in registry.mirrors:
            text += '[[registry.mirror]]\nlocation = "%s"\ninsecure = %s\npull-from-mirror = "%s"\n' % (
                mirror.location, str(mirror.insecure).lower(), mirror.pull_from_mirror)
    return text


NAMES = ["quay.io", "quay.io/a", "quay.io/a/b", "quay.io:443/a", "reg.test:5000", "reg.test", "*.test", "*.reg.test"]
MIRRORS = st.lists(st.builds(Mirror, st.sampled_from(["m.test", "m.test:5000/p", "n.test/p/q", "quay.io/a"]), st.booleans(),
                             st.sampled_from(["all", "digest-only", "tag-only"])), max_size=4).map(tuple)
REGISTRIES = st.lists(st.builds(
    lambda name, insecure, blocked, mirrors: Registry(name, "" if name.startswith("*") else name, insecure, blocked, False, mirrors),
    st.sampled_from(NAMES), st.booleans(), st.booleans(), MIRRORS), unique_by=lambda registry: registry.prefix)


class TestAnyDocument:
    @settings(max_examples=80, deadline=None)
    @given(REGISTRIES)
    def test_what_is_written_reads_back_in_any_order(self, registries):
        parsed = registries_conf.parse(written(registries)).registries
        assert parsed == sorted(registries, key=lambda registry: registry.prefix)
        assert registries_conf.parse(written(registries, turn=True)).registries == parsed
        assert registries_conf.compare(registries, parsed).matches

    @settings(max_examples=150, deadline=None)
    @given(REGISTRIES, st.sampled_from(["quay.io", "quay.io/a", "quay.io/a/b", "quay.io:443/a", "reg.test:5000/x", "reg.test",
                                        "sub.reg.test/a", "other.example.com/a"]), st.sampled_from(["", ":1", SHA, ":1" + SHA]))
    def test_mirrors_come_first_and_the_source_last(self, registries, repository, rest):
        """In the order of the longest prefix's list, those for the other kind of reference left out; the path behind the
        prefix, the tag and the digest are kept."""
        conf, name = registries_conf.parse(written(registries)), repository + "/x/y"
        found = registries_conf.find_registry(conf, name)
        if found is None:
            assert [source.reference for source in registries_conf.pull_sources(conf, name + rest)] == [name + rest]
            return
        skipped = "tag-only" if "@" in rest else "digest-only"
        tried = [mirror for mirror in found.mirrors if mirror.pull_from_mirror != skipped]
        suffix = found.prefix.lstrip("*")
        behind = name[name.index(suffix) + len(suffix):]
        if behind.startswith(":") and any("/" in mirror.location for mirror in tried):
            with pytest.raises(errors.InvalidInput):  # a port behind a path: the engine fails the whole pull
                registries_conf.pull_sources(conf, name + rest)
            return
        sources = registries_conf.pull_sources(conf, name + rest)
        assert [source.mirror for source in sources] == [True] * len(tried) + [False]
        assert sources[-1].reference == name + rest
        assert [(source.reference, source.insecure) for source in sources[:-1]] == [
            (mirror.location + behind + rest, mirror.insecure) for mirror in tried]
        assert not [registry for registry in registries if len(registry.prefix) > len(found.prefix)
                    and (name + "/").startswith((registry.prefix + "/", registry.prefix + ":"))]


class TestCompare:
    def test_the_same(self):
        assert registries_conf.compare([A, B], [B, A]).matches

    def test_both_spellings_of_digest_only(self):
        older = dataclasses.replace(A, mirror_by_digest_only=True)
        assert registries_conf.compare([A], [older]).matches

    def test_the_order_of_mirrors_counts(self):
        turned = dataclasses.replace(A, mirrors=A.mirrors[::-1])
        found = registries_conf.compare([A], [turned])
        assert not found.matches
        one, two = "one.example.com/a by digest", "two.example.com/a by digest"
        assert found.missing == ["quay.io/a is pulled from %s, then %s, then quay.io/a" % (one, two)]
        assert found.unexpected == ["quay.io/a is pulled from %s, then %s, then quay.io/a" % (two, one)]

    def test_missing_and_unexpected(self):
        found = registries_conf.compare([A], [B])
        assert found.missing == [registries_conf.describe(A)]
        assert found.unexpected == ["quay.io/b is blocked"]

    @pytest.mark.parametrize("change", [
        dict(blocked=True), dict(insecure=True), dict(location="quay.io/c"), dict(mirrors=())])
    def test_each_setting_counts(self, change):
        assert not registries_conf.compare([A], [dataclasses.replace(A, **change)]).matches


def test_a_blocked_source_with_a_mirror_in_words():
    registry = Registry("quay.io/a", "quay.io/a", blocked=True, mirrors=(Mirror("m.example.com"),))
    assert registries_conf.describe(registry) == "quay.io/a is pulled from m.example.com alone"


def test_a_wildcard_in_words():
    registry = Registry("*.example.com", insecure=True, mirrors=(Mirror("m.example.com", True, "tag-only"),))
    assert registries_conf.describe(registry) == (
        "*.example.com is pulled from m.example.com by tag, unverified, then the source itself, unverified")
