# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine `oc`: with the real program where one is on PATH that the engine takes, else with a stand-in that copies with
skopeo."""
from __future__ import annotations

import json
import os
import pathlib
import shutil
import stat

import pytest

from mirroring import PASSWORD, auth, htpasswd, transfer, world, write_auth
from ansible_collections.disconnected.openshift.plugins.module_utils import errors, oc
from ansible_collections.disconnected.openshift.plugins.modules import mirror_images
from ansible_collections.disconnected.openshift.tests.unit import fake_module
from faults import proxy
from faults.registries import Registry
from faults.trust import Authority
from lab import images

STAND_IN = pathlib.Path(__file__).parent / "stand_in"


def taken(program):
    """Is a program there, and of a release that the engine takes?"""
    try:
        return program is not None and bool(oc.Oc(program).version())
    except errors.InvalidInput:
        return False


@pytest.fixture(autouse=True)
def program(monkeypatch):
    if not taken(shutil.which("oc")):
        monkeypatch.setenv("PATH", "%s:%s" % (STAND_IN, os.environ["PATH"]))


@pytest.fixture
def here(tmp_path):
    with world(tmp_path) as both:
        yield both


@pytest.fixture
def mirror(here, capsys):
    def run(orders, **args):
        args = dict(dict(plan=[order._asdict() for order in orders], plain_http=[here.source.host, here.target.host],
                         engine="oc", patience=2), **args)
        return fake_module.run(mirror_images, capsys, args)
    return run


def test_a_release_arrives_and_a_second_run_only_looks(here, mirror):
    orders = here.release(8)
    first = mirror(orders)
    assert first["counts"]["done"] == 8 and first["changed"], first
    assert here.mirror.tags("ocp/release") == sorted("t%d" % n for n in range(8))
    here.forget()
    again = mirror(orders)
    assert again["counts"]["present"] == 8 and not again["changed"]
    assert here.target.count() == 8 == here.target.count("HEAD") and here.source.count() == 0


def test_lists_keep_their_digests_and_children(here, mirror):
    orders = here.catalog(4, 4)
    assert mirror(orders)["counts"]["done"] == 4
    for order in orders:
        digest = order.source.partition("@")[2]
        assert here.digest(order.target) == here.digest(order.target, digest) == digest


def test_a_missing_image_is_named_and_all_others_are_there(here, mirror):
    orders = here.release(8)
    gone = "sha256:" + "0" * 64
    orders.insert(3, transfer.Order("%s/release@%s" % (here.source.host, gone), "%s/ocp/release:gone" % here.target.host))
    for number in (0, 2, 6):
        here.source.inject(proxy.status(503), path="/manifests/" + orders[number].source.partition("@")[2], times=1)
    result = mirror(orders)
    assert result["failed"] and result["counts"]["done"] == 8
    assert [failure["target"] for failure in result["failures"]] == [orders[3].target]
    assert "oc says" in result["msg"] and "manifest unknown" in result["msg"] and gone in result["msg"]


def test_an_image_by_tag_is_mirrored_as_it_was_looked_up(here, mirror):
    image = here.shelf.image("apps/shop", [images.bulk("shop", 1000)], tag="1.4")
    here.put()
    order = transfer.Order(here.source.host + "/apps/shop:1.4", here.target.host + "/apps/shop:1.4")
    assert mirror([order])["counts"]["done"] == 1
    assert here.digest(order.target) == image.digest


def test_over_tls_with_a_login_and_no_secret_in_sight(tmp_path, capsys, monkeypatch):
    seen = []

    def watched(argv, environ, **settings):
        if "version" not in argv:
            files = [argument.partition("=")[2] for argument in argv if "=/" in argument] + [environ["SSL_CERT_FILE"]]
            seen.append((argv, [stat.S_IMODE(os.stat(path).st_mode) for path in files],
                         stat.S_IMODE(os.stat(os.path.dirname(files[0])).st_mode),
                         json.loads(pathlib.Path(files[1]).read_text())))
        return run(argv, environ, **settings)

    run = oc.run
    monkeypatch.setattr(oc.Oc.__init__, "__defaults__", (watched,))
    trust = Authority(tmp_path / "trust")
    certificate, key, _key, _certificate = trust.issue("registry")
    with Registry(tmp_path / "tls", htpasswd=htpasswd(tmp_path / "htpasswd"), tls=(certificate, key)) as mirror, \
            Registry(tmp_path / "up", tls=(certificate, key)) as upstream:
        shelf = images.Shelf(upstream.host)
        image = shelf.image("apps/shop", [images.bulk("shop", 1000)])
        shelf.write(upstream.directory / "storage")
        document = auth(mirror.host)
        document["auths"]["elsewhere.example.com"] = {"auth": "bm90Om5lZWRlZA=="}
        args = dict(plan=[dict(source=image.reference, target=mirror.host + "/apps/shop:1")], engine="oc",
                    auth_file=str(write_auth(tmp_path / "auth.json", document)), ca_files=[str(trust.path)])
        result = fake_module.run(mirror_images, capsys, args)
    assert result["counts"]["done"] == 1, result
    (argv, modes, directory, given), = seen
    assert modes == [0o600] * 3 and directory == 0o700
    assert list(given["auths"]) == [mirror.host]
    assert PASSWORD not in json.dumps([argv, result])
    assert not os.path.exists(argv[3].partition("=")[2])


def test_a_registry_gets_no_more_requests_at_a_time_than_it_shall(here, mirror, monkeypatch):
    """That is the number of processes times what each is told."""
    now, seen = [], []

    def watched(argv, environ, **settings):
        if "version" in argv:
            return run(argv, environ, **settings)
        now.append(argv)
        seen.append((len(now), [argument for argument in argv if "per-registry" in argument]))
        try:
            return run(argv, environ, **settings)
        finally:
            now.remove(argv)

    run = oc.run
    monkeypatch.setattr(oc.Oc.__init__, "__defaults__", (watched,))
    for bound, processes, each in ((2, 2, 1), (5, 4, 1), (9, 4, 2), (None, 4, None)):
        seen.clear()
        bounds = {here.source.host: bound, here.target.host: 10} if bound else {}
        orders = [order._replace(target=order.target + "-%s" % bound) for order in here.release(8)]
        assert mirror(orders, registry_workers=bounds, workers=2, retries=0)["counts"]["done"] == 8
        assert max(count for count, _arguments in seen) <= processes
        assert [arguments for _count, arguments in seen] == [["--max-per-registry=%d" % each] if each else []] * len(seen)


def test_no_oc(mirror, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "no program oc on this host's PATH" in mirror([])["msg"]


def test_registries_with_and_without_tls(here, mirror):
    orders = here.release(1)
    refused = mirror(orders, plain_http=[here.source.host])
    assert refused["failed"] and "would leave out the verification of " + here.target.host in refused["msg"]


def test_images_share_processes_by_repository(here):
    orders = here.release(7) + here.catalog(8, 4)
    with here.registries() as registries:
        jobs = [transfer.Job(number, order, registries) for number, order in enumerate(orders)]
        for processes, sizes in ((16, [10, 2, 2, 1]), (2, [12, 3]), (1, [15])):
            found = oc.chunks(jobs, processes)
            assert [len(chunk) for chunk in found] == sizes
            assert sorted(job.rank for chunk in found for job in chunk) == list(range(15))
    assert oc.chunks([], 16) == []


def test_oc_that_cannot_be_run(tmp_path):
    (tmp_path / "oc").write_text("")
    with pytest.raises(errors.InvalidInput, match="cannot be run: permission denied"):
        oc.Oc(str(tmp_path / "oc")).version()
