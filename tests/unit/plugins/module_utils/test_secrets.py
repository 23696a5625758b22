# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import types

import pytest

from ansible_collections.disconnected.openshift.plugins.module_utils import secrets


@pytest.fixture
def module():
    return types.SimpleNamespace(no_log_values=set())


@pytest.mark.parametrize("nothing", [None, ""])
def test_nothing_is_not_a_secret(module, nothing):
    """An empty string in no_log_values would censor every result."""
    secrets.protect(module, nothing)
    assert module.no_log_values == set()


@pytest.mark.parametrize("value, forms", [
    ("hunter2", {"hunter2", "aHVudGVyMg=="}),
    ('pa:s"s', {'pa:s"s', 'pa:s\\"s', "cGE6cyJz"}),
    ("pässword", {"pässword", "p\\u00e4ssword", "cMOkc3N3b3Jk"}),
    ("p\udce4ss", {"p\udce4ss", "p\\udce4ss", "cORzcw=="}),  # a byte that is no UTF-8
])
def test_a_secret_is_known_in_each_of_its_forms(module, value, forms):
    secrets.protect(module, value)
    assert module.no_log_values == forms


def test_all_values_are_protected_and_registered(module, monkeypatch):
    registered = []
    monkeypatch.setattr(secrets, "register_secret", registered.append)
    secrets.protect(module, "one-secret", None, "two-secret")
    assert {"one-secret", "two-secret"} < module.no_log_values == set(registered)


def test_a_text_that_other_words_consist_of_is_not_masked(module):
    """A password "y" would turn "yet" into "********et". Its base64 form is long enough to be told from words."""
    secrets.protect(module, "y", "ab")
    assert module.no_log_values == {"eQ==", "YWI="}
