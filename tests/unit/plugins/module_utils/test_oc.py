# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import types

import pytest

from ansible_collections.disconnected.openshift.plugins.module_utils import errors, oc, transfer

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
# What oc 4.21 wrote on stderr of one image that is missing and one whose layer could not be sent.
COMPLAINTS = """\
localhost:40209/
  ocp/release
    blobs:
      localhost:36189/release sha256:0178e99a3ba53de2d213d0c7faf04b6ecae4a4330347900408aa9e9ee93dd8bd 814B
  stats: shared=0 unique=6 size=627.5KiB ratio=1.00

error: unable to retrieve source image localhost:36189/release manifest %s: manifest unknown: manifest unknown
phase 0:
  localhost:40209 ocp/release blobs=6 mounts=0 manifests=1 shared=0

info: Planning completed in 20ms
error: unable to copy layer sha256:14b1 to m/r: Patch "http://m/v2/r/blobs/uploads/a3?_state=c2VjcmV0": connection reset
error: unable to push manifest to m/r:t1: errors:
manifest blob unknown: blob unknown to registry
manifest blob unknown: blob unknown to registry

info: Mirroring completed in 410ms (100.9kB/s)
error: one or more errors occurred
""" % A


def program(*answers):
    """An Oc whose runs have these answers, and what it ran."""
    ran, left = [], list(answers)

    def run(argv, environ):
        ran.append((argv, environ))
        return left.pop(0)

    return oc.Oc("/bin/oc", run), ran


@pytest.mark.parametrize("stdout,version", [
    ('{"clientVersion": {"gitVersion": "4.16.0-202410"}, "releaseClientVersion": "4.16.30"}', "4.16.30"),
    ('{"clientVersion": {"gitVersion": "v4.21.0"}}', "4.21.0"),
    ('{"clientVersion": {"gitVersion": "v4.9.3"}}', "is of release v4.9.3. Install 4.14 or newer"),
    ('{"clientVersion": {}}', "does not tell its version"),
    ("usage: oc", "does not tell its version"),
])
def test_its_version(stdout, version):
    it, ran = program(oc.Finished(0, stdout, ""))
    if version[0].isdigit():
        assert it.version() == version
    else:
        with pytest.raises(errors.InvalidInput, match=version):
            it.version()
    assert ran == [(["/bin/oc", "version", "--client", "-o", "json"], {})]


def test_its_arguments_and_its_answer():
    it, ran = program(oc.Finished(1, "%s m/r:t3\n\n" % B, COMPLAINTS))
    outcome = it.mirror("/d/lines", "/d/auth.json", {"SSL_CERT_FILE": "/d/ca.pem"}, False)
    assert ran == [(["/bin/oc", "image", "mirror", "--filename=/d/lines", "--registry-config=/d/auth.json",
                     "--keep-manifest-list=true", "--continue-on-error=true"], {"SSL_CERT_FILE": "/d/ca.pem"})]
    assert outcome.pushed == ["m/r:t3"]
    assert [complaint[:26] for complaint in outcome.complaints] == [
        "unable to retrieve source ", "unable to copy layer sha25", "unable to push manifest to"]
    assert "c2VjcmV0" not in str(outcome) and outcome.complaints[2].endswith("m/r:t1")


def test_a_run_that_says_nothing():
    it, _ran = program(oc.Finished(137, "", ""), oc.Finished(None, "", "error: it did not end within 5 seconds"))
    assert "exit code 137" in it.mirror("l", "a", {}, True).complaints[0]
    assert it.mirror("l", "a", {}, True).complaints == ["it did not end within 5 seconds"]


def test_a_program_that_hangs():
    assert oc.run(["sleep", "9"], {}, timeout=0.05).rc is None


def job(digest, target):
    return types.SimpleNamespace(digest=digest, order=transfer.Order("s/r@" + digest, target),
                                 target=types.SimpleNamespace(host="m"))


@pytest.mark.parametrize("digest,target,alone,words,again", [
    (A, "m/r:t0", False, "manifest unknown", False),
    (B, "m/r:t1", False, "connection reset", True),
    (B, "m/r:t10", False, "manifest unknown", True),  # another image's complaint: it proves nothing of this one
])
def test_who_is_to_blame(digest, target, alone, words, again):
    it, _ran = program(oc.Finished(1, "", COMPLAINTS))
    complaints = it.mirror("l", "a", {}, False).complaints
    complaints = complaints if digest == A or target.endswith("t10") else complaints[1:]
    error = oc.blame(job(digest, target), complaints, alone)
    assert words in error.message and transfer.may_pass(error) is again


def test_success_without_the_image_is_a_failure():
    error = oc.blame(job(A, "m/r:t0"), [], True)
    assert "does not have the image" in error.message and transfer.may_pass(error)


def test_only_the_entries_that_are_needed_come_before_oc():
    entry = {"auth": "dTpw"}
    document = {"auths": {"m.io": entry, "m.io/r": entry, "elsewhere": entry, "s.io/": entry}}
    assert list(oc.needed(document, [transfer.Order("s.io/r@" + A, "m.io/r:t0")])["auths"]) == ["m.io/r"]


def test_the_systems_roots_stay(tmp_path, monkeypatch):
    (tmp_path / "system.pem").write_text("SYSTEM")
    (tmp_path / "ca.pem").write_text("GIVEN")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    assert oc.bundle([str(tmp_path / "ca.pem")], "CONTENT").split() == ["SYSTEM", "GIVEN", "CONTENT"]
