# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

pytest.importorskip("cryptography")

from ansible_collections.disconnected.openshift.plugins.modules import ca_certificate_info  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit import fake_module  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.scripted_api import certificate, key_pem, pem  # noqa: E402

CA, KEY = certificate("mirror CA", days=(-1, 100))


@pytest.fixture
def run(capsys):
    return lambda **args: fake_module.run(ca_certificate_info, capsys, args)


@pytest.mark.parametrize("args", [{}, {"src": "/a", "content": "b"}])
def test_exactly_one_source(run, args):
    assert run(**args)["failed"]


def test_a_file_that_does_not_exist(run):
    result = run(src="/nowhere/ca.crt")
    assert result["failed"] and "/nowhere/ca.crt" in result["msg"]


def test_a_private_key_is_nowhere_in_the_result(run):
    key = key_pem(KEY).decode()
    result = run(content=pem(CA).decode() + key)
    assert result["failed"] and "private key" in result["msg"]
    assert key.splitlines()[1] not in str(result)


def test_a_leaf(run):
    leaf = pem(certificate("mirror.example.com", (CA, KEY), ca=False)[0]).decode()
    result = run(content=leaf, registry="mirror.example.com:5000")
    assert result["failed"]
    assert result["msg"].startswith("The CA of mirror.example.com:5000 cannot be used. CN=mirror.example.com is not a CA")


def test_a_file(run, tmp_path):
    path = tmp_path / "ca.crt"
    path.write_bytes(b"# the mirror's\n" + pem(CA))
    result = run(src=str(path))
    assert result["changed"] is False
    assert result["pem"] == pem(CA).decode()
    assert [each["subject"] for each in result["certificates"]] == ["CN=mirror CA"]
    assert not result.get("warnings")


def test_one_that_expires_soon(run):
    result = run(content=pem(certificate("old CA", days=(-1, 10))[0]).decode())
    assert not result.get("failed")
    assert "CN=old CA expires at" in str(result["warnings"])
