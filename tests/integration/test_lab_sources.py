# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's idea of where a node pulls from, held against a real containers/image: skopeo's."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import sources  # noqa: E402

DIGEST = "sha256:" + "0" * 64
# Nothing listens on port 1: every endpoint is tried, and fails at once.
CONFIGURATIONS = {
    "nothing": "",
    "two mirrors, then the source": """
        [[registry]]
        location = "127.0.0.1:1/a"
        mirror-by-digest-only = true
        [[registry.mirror]]
        location = "127.0.0.1:1/m/one"
        [[registry.mirror]]
        location = "127.0.0.1:1/m/two"
    """,
    "mirrors for every reference, another prefix": """
        [[registry]]
        prefix = "127.0.0.1:1/a/b"
        location = "127.0.0.1:1/elsewhere"
        [[registry.mirror]]
        location = "127.0.0.1:1/m"
    """,
    "the longest prefix": """
        [[registry]]
        location = "127.0.0.1:1"
        [[registry.mirror]]
        location = "127.0.0.1:1/whole"
        [[registry]]
        location = "127.0.0.1:1/a/b/c"
        [[registry.mirror]]
        location = "127.0.0.1:1/repository"
        [[registry]]
        location = "127.0.0.1:1/a/b"
        [[registry.mirror]]
        location = "127.0.0.1:1/namespace"
    """,
    "a part of a name is no prefix": """
        [[registry]]
        location = "127.0.0.1:1/a/b/imag"
        [[registry.mirror]]
        location = "127.0.0.1:1/m"
    """,
    "a host without its port": """
        [[registry]]
        location = "127.0.0.1"
        [[registry.mirror]]
        location = "127.0.0.1"
    """,
    "the same prefix twice": """
        [[registry]]
        location = "127.0.0.1:1/a"
        [[registry.mirror]]
        location = "127.0.0.1:1/first"
        [[registry]]
        location = "127.0.0.1:1/a"
        [[registry.mirror]]
        location = "127.0.0.1:1/second"
    """,
    "a wildcard": """
        [[registry]]
        prefix = "*.invalid"
        [[registry.mirror]]
        location = "127.0.0.1:1/m"
    """,
}
REFERENCES = (
    "127.0.0.1:1/a/b/image@" + DIGEST,
    "127.0.0.1:1/a/b/image:tag",
    "127.0.0.1:1/a/b/c:tag",
    "deep.sub.invalid/a/b@" + DIGEST,
)


def tried_by_skopeo(tmp_path, text, reference):
    configuration, policy = tmp_path / "registries.conf", tmp_path / "policy.json"
    configuration.write_text(text)
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    done = subprocess.run(
        [
            "skopeo",
            "--debug",
            "--policy",
            policy,
            "--registries-conf",
            configuration,
            "inspect",
            "--raw",
            "docker://" + reference,
        ],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "no_proxy": "*"},
        text=True,
        capture_output=True,
        check=False,
    )
    return re.findall(r'Trying to access \\"(.*?)\\"', done.stderr)


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_endpoints_are_those_of_skopeo(tmp_path, name, reference):
    text = CONFIGURATIONS[name]
    ours = [source.reference for source in sources.pull_sources(sources.parse(text), reference)]
    assert ours == tried_by_skopeo(tmp_path, text, reference)


MODES = """
    [[registry]]
    prefix = ""
    location = "quay.io/a"
    blocked = true
    [[registry.mirror]]
    location = "m/digests"
    pull-from-mirror = "digest-only"
    [[registry.mirror]]
    location = "m/tags"
    pull-from-mirror = "tag-only"
    insecure = true
"""


def test_a_mirror_is_for_digests_or_for_tags():
    registries = sources.parse(MODES)
    by_digest = sources.pull_sources(registries, "quay.io/a/b@" + DIGEST)
    by_tag = sources.pull_sources(registries, "quay.io/a/b:1")
    assert [(s.reference, s.mirror) for s in by_digest] == [
        ("m/digests/b@" + DIGEST, True),
        ("quay.io/a/b@" + DIGEST, False),
    ]
    assert [(s.reference, s.insecure) for s in by_tag] == [("m/tags/b:1", True), ("quay.io/a/b:1", False)]


def test_a_blocked_source_is_blocked_by_its_own_name_only():
    registries = sources.parse(MODES)
    assert sources.blocked(registries, "quay.io/a/b:1") == "quay.io/a"
    assert sources.blocked(registries, "m/tags/b:1") is None


def test_a_location_that_makes_no_reference_ends_the_pull():
    registries = sources.parse('[[registry]]\nlocation = "quay.io"\n[[registry.mirror]]\nlocation = "host:5000/m"')
    with pytest.raises(sources.Refused):
        sources.pull_sources(registries, "quay.io:443/a@" + DIGEST)


@pytest.mark.parametrize(
    "text",
    [
        "registry = [",
        '[[registry]]\nlocation = "https://quay.io"',
        "[[registry]]\nblocked = true",
        '[[registry]]\nprefix = "quay.io"',
        '[[registry]]\nlocation = "a"\npull-from-mirror = "all"',
        '[[registry]]\nlocation = "a"\n[[registry.mirror]]\nlocation = ""',
        '[[registry]]\nlocation = "a"\n[[registry.mirror]]\nlocation = "b"\npull-from-mirror = "sometimes"',
        '[[registry]]\nlocation = "a"\nmirror-by-digest-only = true\n'
        '[[registry.mirror]]\nlocation = "b"\npull-from-mirror = "digest-only"',
        '[[registry]]\nlocation = "a"\n[[registry]]\nprefix = "b"\nlocation = "a"\nblocked = true',
    ],
)
def test_what_containers_image_refuses_is_refused(text):
    with pytest.raises(sources.Refused):
        sources.parse(text)
