# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the matrix installs for the oldest ansible-core is what the collection's files allow, and a difference is noticed."""
from __future__ import annotations

import pytest

import matrix


@pytest.mark.parametrize("found, sentences", [
    ({"kubernetes": "25.3.0", "cryptography": "38.0.0"}, ["kubernetes is 25.3.0 and not 24.2.0"]),
    ({"kubernetes": "24.2.0"}, ["cryptography is not there and not 38"]),
    ({"kubernetes": "24.2.0", "cryptography": "38.0.1"}, ["cryptography is 38.0.1 and not 38"]),
    ({"kubernetes": "24.2", "cryptography": "38.0.0", "more": "1"}, []),
])
def test_differences(found, sentences):
    assert matrix.differences({"kubernetes": "24.2.0", "cryptography": "38"}, found) == sentences


def test_the_oldest_are_the_lower_bounds():
    assert set(matrix.oldest_packages()) == {"kubernetes", "openshift", "jmespath", "cryptography"}
    assert set(matrix.oldest_collections()) == {"kubernetes.core"}
    given = (matrix.ROOT / "tests" / "requirements.txt").read_text().splitlines()
    for package, version in matrix.oldest_packages().items():
        assert "%s>=%s" % (package, version) in given
    assert 'requires_ansible: ">=%d.%d.0"' % matrix.OLDEST_CORE in (matrix.ROOT / "meta" / "runtime.yml").read_text()
