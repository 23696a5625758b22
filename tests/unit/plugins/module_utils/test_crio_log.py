# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest

from ansible_collections.disconnected.openshift.plugins.module_utils import crio_log, errors, registries_conf
from ansible_collections.disconnected.openshift.plugins.module_utils.crio_log import Event

SHA = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32
MIRROR = "mirror:5000/a/app"
SOURCE = "quay.io/a/app"
CONF = registries_conf.parse("""
[[registry]]
  location = "quay.io/a"
  [[registry.mirror]]
    location = "mirror:5000/a"

[[registry]]
  location = "quay.io/release"
  [[registry.mirror]]
    location = "mirror:5000/ocp"

[[registry]]
  location = "quay.io/components"
  [[registry.mirror]]
    location = "mirror:5000/ocp"

[[registry]]
  location = "quay.io/two"
  [[registry.mirror]]
    location = "mirror:5000/two"
  [[registry.mirror]]
    location = "second:5000/two"
""")


def line(message, time="2026-03-01 10:00:00.123456789Z", request="", before=""):
    about = " id=%s name=/runtime.v1.ImageService/PullImage" % request if request else ""
    return '%stime="%s" level=info msg=%s%s' % (before, time, json.dumps(message), about)


class TestParse:
    @pytest.mark.parametrize("before", [
        "", "Mar 01 10:00:00.123456 worker-0 crio[1947]: ", "2026-03-01T10:00:00.123456+0000 worker-0 crio[1947]: ",
        "worker-0 Mar 01 10:00:00 worker-0 crio[1]: "])
    def test_whatever_the_journal_puts_before(self, before):
        text = "\n".join([
            line("Pulling image: quay.io/a/app:1", request="0a1b", before=before),
            line('Trying to access "mirror:5000/a/app:1"', before=before),
            line("Pulled image: quay.io/a/app@" + SHA, request="0a1b", before=before)])
        time = "2026-03-01T10:00:00.123456Z"
        assert crio_log.parse(text) == [
            Event(time, crio_log.BEGIN, "quay.io/a/app:1", "0a1b"),
            Event(time, crio_log.ATTEMPT, "mirror:5000/a/app:1", ""),
            Event(time, crio_log.END, "quay.io/a/app@" + SHA, "0a1b")]

    @pytest.mark.parametrize("text", [
        "", "-- No entries --", "-- Boot 1f0c --", "Failed to parse timestamp: 1h",
        line("Checking image status: quay.io/a/app:1"), line("Image status: &ImageStatusResponse{}"),
        'Mar 01 10:00:00 worker-0 kubelet[1]: E0301 "Failed to pull image" err="Trying to access"',
        'time="2026-03-01 10:00:00Z" level=info msg="Trying',
    ])
    def test_other_lines(self, text):
        assert crio_log.parse(text) == []

    @pytest.mark.parametrize("time, expected", [
        ("2026-03-01 10:00:00.123456789Z", "2026-03-01T10:00:00.123456Z"),
        ("2026-03-01T10:00:00.1234Z", "2026-03-01T10:00:00.123400Z"),
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00.000000Z"),
        ("2026-03-01T12:30:00.5+02:30", "2026-03-01T10:00:00.500000Z"),
        ("2026-03-41T12:30:00Z", ""),
        ("10:00", ""),
    ])
    def test_the_times_of_all_releases(self, time, expected):
        assert crio_log.parse(line("Pulling image: a", time))[0].time == expected


def pulls(*messages, conf=CONF, registries=()):
    """What these lines tell, each (message) or (message, request's id), a second apart."""
    texts = []
    for second, message in enumerate(messages):
        text, request = message if isinstance(message, tuple) else (message, "")
        texts.append(line(text, "2026-03-01 10:00:%02d.000000000Z" % second, request))
    return crio_log.pulls(crio_log.parse("\n".join(texts)), conf, registries)


def begin(image, request="r"):
    return "Pulling image: " + image, request


def end(image, request="r"):
    return "Pulled image: " + image, request


def tried(reference):
    return 'Trying to access "%s"' % reference


def story(found):
    """[(image, attempts as "mirror" or "source", whether it was pulled, whether it fell back)]."""
    return [(pull.image, ["mirror" if mirror else "source" for _reference, mirror in pull.attempts], pull.pulled,
             pull.fell_back) for pull in found]


class TestOnePull:
    def test_from_the_mirror(self):
        pull, = pulls(begin(SOURCE + ":1"), tried(MIRROR + ":1"), end(SOURCE + "@" + SHA))
        assert (pull.image, pull.time, pull.pulled) == (SOURCE + ":1", "2026-03-01T10:00:00.000000Z", True)
        assert pull.attempts == [(MIRROR + ":1", True)] and pull.source == (MIRROR + ":1", True)
        assert not pull.fell_back

    def test_from_the_source_since_the_mirror_failed(self):
        pull, = pulls(begin(SOURCE + ":1"), tried(MIRROR + ":1"), tried(SOURCE + ":1"), end("0123abc"))
        assert pull.source == (SOURCE + ":1", False) and pull.fell_back

    def test_nothing_but_the_source(self):
        assert story(pulls(begin("quay.io/x:1"), tried("quay.io/x:1"), end("0123abc"))) == [
            ("quay.io/x:1", ["source"], True, False)]

    def test_in_vain(self):
        pull, = pulls(begin(SOURCE + ":1"), tried(MIRROR + ":1"), tried(SOURCE + ":1"))
        assert pull.source is None and not pull.pulled and pull.fell_back

    def test_a_second_mirror_is_no_fall_back(self):
        assert story(pulls(begin("quay.io/two/x:1"), tried("mirror:5000/two/x:1"), tried("second:5000/two/x:1"),
                           end("0123abc"))) == [("quay.io/two/x:1", ["mirror", "mirror"], True, False)]

    def test_a_look_before_the_copy(self):
        """CRI-O up to 1.30 tries the endpoints twice."""
        assert story(pulls(begin(SOURCE + ":1"), tried(MIRROR + ":1"), tried(SOURCE + ":1"), tried(MIRROR + ":1"),
                           tried(SOURCE + ":1"), end("0123abc"))) == [
            (SOURCE + ":1", ["mirror", "source"], True, True)]
        assert story(pulls(begin(SOURCE + ":1"), tried(MIRROR + ":1"), tried(MIRROR + ":1"), end("0123abc"))) == [
            (SOURCE + ":1", ["mirror"], True, False)]

    def test_a_tag_beside_a_digest_falls_away(self):
        image = "%s:1@%s" % (SOURCE, SHA)
        assert story(pulls(begin(image), tried("%s@%s" % (MIRROR, SHA)), tried("%s@%s" % (SOURCE, SHA)), end("x"))) == [
            (image, ["mirror", "source"], True, True)]

    def test_a_short_name_is_searched(self):
        conf = registries_conf.parse('unqualified-search-registries = ["one.example.com", "two.example.com"]')
        assert story(pulls(begin("app"), tried("one.example.com/app:latest"), tried("two.example.com/app:latest"),
                           end("x"), conf=conf)) == [("app", ["source", "source"], True, False)]

    def test_rules_that_were_others_then(self):
        conf = registries_conf.Configuration([])
        assert story(pulls(begin(SOURCE + ":1"), tried(MIRROR + ":1"), tried(SOURCE + ":1"), end("x"), conf=conf)) == [
            (SOURCE + ":1", ["mirror", "source"], True, True)]

    def test_by_the_mirrors_own_name(self):
        messages = begin(MIRROR + ":1"), tried(MIRROR + ":1"), end("x")
        assert story(pulls(*messages)) == [(MIRROR + ":1", ["source"], True, False)]
        assert story(pulls(*messages, registries=["mirror:5000"])) == [(MIRROR + ":1", ["mirror"], True, False)]

    def test_what_nothing_is_known_of(self):
        assert pulls(begin(SOURCE + ":1")) == []
        assert pulls(end(SOURCE + ":1")) == []
        assert pulls(("Pulled image: x", "")) == []


class TestSeveralPulls:
    def test_at_the_same_time(self):
        found = pulls(begin(SOURCE + ":1", "r1"), begin("quay.io/a/other:1", "r2"), tried("mirror:5000/a/other:1"),
                      tried(MIRROR + ":1"), tried("quay.io/a/other:1"), end("x", "r1"), end("y", "r2"))
        assert story(found) == [(SOURCE + ":1", ["mirror"], True, False),
                                ("quay.io/a/other:1", ["mirror", "source"], True, True)]

    def test_two_sources_on_one_mirror(self):
        """The same name on the mirror stands for either: the one whose turn it is."""
        found = pulls(begin("quay.io/release@" + SHA, "r1"), begin("quay.io/components@" + OTHER, "r2"),
                      tried("mirror:5000/ocp@" + OTHER), tried("mirror:5000/ocp@" + SHA), end("x", "r2"),
                      end("y", "r1"))
        assert story(found) == [("quay.io/release@" + SHA, ["mirror"], True, False),
                                ("quay.io/components@" + OTHER, ["mirror"], True, False)]

    def test_a_second_pod_waits_for_the_first_ones_pull(self):
        found = pulls(begin(SOURCE + ":1", "r1"), tried(MIRROR + ":1"), begin(SOURCE + ":1", "r2"),
                      tried(SOURCE + ":1"), end("x", "r1"), end("x", "r2"))
        assert story(found) == [(SOURCE + ":1", ["mirror", "source"], True, True)]

    def test_a_failed_pull_and_the_next_one(self):
        found = pulls(begin(SOURCE + ":1", "r1"), tried(MIRROR + ":1"), tried(SOURCE + ":1"),
                      begin(SOURCE + ":1", "r2"), tried(MIRROR + ":1"), end("x", "r2"))
        assert story(found) == [(SOURCE + ":1", ["mirror", "source"], False, True),
                                (SOURCE + ":1", ["mirror"], True, False)]

    def test_one_after_the_other(self):
        once = begin(SOURCE + ":1", "r1"), tried(MIRROR + ":1"), end("x", "r1")
        again = begin(SOURCE + ":1", "r2"), tried(MIRROR + ":1"), end("x", "r2")
        assert [pull.time[17:19] for pull in pulls(*once, *again)] == ["00", "03"]


class TestPullsThatBeganBefore:
    def test_the_rules_name_the_image(self):
        assert story(pulls(tried(MIRROR + ":1"), tried(SOURCE + ":1"))) == [
            (SOURCE + ":1", ["mirror", "source"], False, True)]

    def test_the_source_tells_which_of_several_it_was(self):
        assert story(pulls(tried("mirror:5000/ocp@" + SHA), tried("quay.io/release@" + SHA))) == [
            ("quay.io/release@" + SHA, ["mirror", "source"], False, True)]

    def test_no_rule_knows_it(self):
        assert story(pulls(tried("quay.io/x:1"))) == [("quay.io/x:1", ["source"], False, False)]
        assert story(pulls(tried("old:5000/x:1"), registries=["old:5000"])) == [
            ("old:5000/x:1", ["mirror"], False, False)]


@pytest.mark.parametrize("text, expected", [
    ("30m", ("-30m", "")),
    ("-2h", ("-2h", "")),
    (" 1d ", ("-1d", "")),
    ("2026-03-01T10:00:00Z", ("2026-03-01 10:00:00", "2026-03-01T10:00:00.000000Z")),
    ("2026-03-01T12:00:00.25+02:00", ("2026-03-01 10:00:00", "2026-03-01T10:00:00.250000Z")),
    ("2026-03-01 10:00:00", ("2026-03-01 10:00:00", "2026-03-01T10:00:00.000000Z")),
])
def test_since(text, expected):
    assert crio_log.since(text) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "+1h", "1w", "2026-03-01", "10:00"])
def test_since_what(text):
    with pytest.raises(errors.InvalidInput, match="neither an age"):
        crio_log.since(text)
