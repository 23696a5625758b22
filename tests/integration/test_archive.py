# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Through disk between real registries: what an archive is, what spoils one, and what is said of it."""
from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess

import pytest

from mirroring import transfer, world
from ansible_collections.disconnected.openshift.plugins.module_utils import archive, archive_layout
from ansible_collections.disconnected.openshift.plugins.modules import mirror_images
from ansible_collections.disconnected.openshift.tests.unit import fake_module
from faults import proxy
from lab import images


class Disk:
    """An archive on its way between the two registries of a world."""

    def __init__(self, here, path, capsys):
        self.here = here
        self.path = pathlib.Path(path)
        self._capsys = capsys

    def write(self, orders, check_mode=False, **args):
        return self._run(dict(dict(mode="to_disk", plan=[order._asdict() for order in orders]), **args), check_mode)

    def read(self, check_mode=False, **args):
        return self._run(dict(dict(mode="from_disk"), **args), check_mode)

    def _run(self, args, check_mode):
        args = dict(dict(archive=str(self.path), patience=2, retries=0, workers=4,
                         plain_http=[self.here.source.host, self.here.target.host]), **args)
        return fake_module.run(mirror_images, self._capsys, args, check_mode=check_mode)

    def files(self):
        """{name: bytes} of everything in the archive."""
        return {str(path.relative_to(self.path)): path.read_bytes() for path in self.path.rglob("*") if path.is_file()}

    def blob_of(self, seed, size):
        """The file of a layer that `images.bulk` made."""
        return next(self.path.rglob("blobs/sha256/" + images.bulk(seed, size).digest[7:]))


@pytest.fixture
def here(tmp_path):
    with world(tmp_path) as both:
        yield both


@pytest.fixture
def disk(here, tmp_path, capsys):
    return Disk(here, tmp_path / "archive", capsys)


def both(here):
    """Orders for images of one repository and for lists of two architectures, in both manifest forms."""
    artifact = here.shelf.image("apps/oci", [images.bulk("oci", 5_000)], form=images.OCI)
    orders = here.release(6) + here.catalog(4, 2)
    return orders + [transfer.Order(artifact.reference, here.target.host + "/apps/oci:1")]


# There and back

def test_everything_arrives_under_its_digest(here, disk):
    orders = both(here)
    assert disk.write(orders, check_mode=True)["counts"]["missing"] == len(orders) and not disk.path.exists()
    written = disk.write(orders)
    assert written["changed"] and written["counts"]["done"] == len(orders), written
    assert written["bytes_sent"] == here.unique
    assert here.target.count() == 0
    assert not [name for name in disk.files() if name.startswith(".")]
    here.forget()
    read = disk.read()
    assert read["changed"] and read["counts"]["done"] == len(orders), read
    assert read["bytes_sent"] < here.unique <= read["bytes_received"]
    assert here.source.count() == 0
    for order in orders:
        assert here.digest(order.target) == order.source.partition("@")[2]


def test_a_second_run_does_nothing_on_either_side(here, disk):
    orders = both(here)
    disk.write(orders)
    disk.read()
    before = {path: path.stat().st_mtime_ns for path in disk.path.rglob("*")}
    here.forget()
    again = disk.write(orders)
    assert not again["changed"] and again["requests"] == 0 and again["counts"]["present"] == len(orders)
    assert {path: path.stat().st_mtime_ns for path in disk.path.rglob("*")} == before
    assert not disk.write(orders, check_mode=True)["changed"]
    disk.blob_of("base-0", 200_000).write_bytes(b"spoilt")  # not looked at, as nothing has to be sent
    read = disk.read()
    assert not read["changed"] and read["requests"] == len(orders) == here.target.count("HEAD")
    assert disk.read(check_mode=True)["changed"] is False


def test_the_checksum_list_is_one_for_sha256sum(here, disk):
    disk.write(both(here))
    done = subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=disk.path, check=False)
    assert done.returncode == 0
    assert set(disk.files()) - {"SHA256SUMS"} == {
        line.split("  ")[1] for line in (disk.path / "SHA256SUMS").read_text().splitlines()}


def test_skopeo_reads_it(here, disk):
    """It finds OCI manifests and lists; Docker's, kept as they are, it does not find in older releases such as 1.9."""
    skopeo = shutil.which("skopeo")
    if not skopeo:
        pytest.skip("skopeo is not installed")
    children = [here.shelf.image("apps/oci", [images.bulk("oci-" + architecture, 5_000)], architecture=architecture,
                                 form=images.OCI) for architecture in ("amd64", "arm64")]
    both_of = here.shelf.index("apps/oci", children, form=images.OCI)
    docker = here.shelf.image("apps/docker", [images.bulk("docker", 5_000)])
    here.put()
    wanted = {"apps/oci:list": both_of, "apps/oci:one": children[0], "apps/docker:1": docker}
    disk.write([transfer.Order(image.reference, "%s/%s" % (here.target.host, name)) for name, image in wanted.items()])

    def run(*arguments):
        return subprocess.run([skopeo, "--insecure-policy", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              check=False)

    for name, image in wanted.items():
        looked = run("inspect", "--raw", "oci:%s:%s" % (disk.path, name))
        if name == "apps/docker:1" and b"no descriptor found" in looked.stderr:
            continue
        assert images.digest(looked.stdout) == image.digest, looked.stderr
        copied = here.target.host + "/copied:" + name.partition(":")[2]
        done = run("copy", "--all", "--preserve-digests", "--dest-tls-verify=false", "oci:%s:%s" % (disk.path, name),
                   "docker://" + copied)
        assert done.returncode == 0, done.stderr
        assert here.digest(copied) == image.digest


@pytest.mark.parametrize("member", [".", "archive"])
def test_a_tar_file_of_it_is_as_good(here, disk, tmp_path, member):
    orders = both(here)
    disk.write(orders)
    place = ["-C", str(disk.path), "."] if member == "." else ["-C", str(tmp_path), "archive"]
    packed = tmp_path / "packed.tar"
    subprocess.run(["tar", "-cf", str(packed), *place], check=True)
    assert disk.read(archive=str(packed))["counts"]["done"] == len(orders)


# Cut off, and gone on

def test_a_run_that_was_cut_off_is_finished_by_the_next(here, disk):
    orders = here.release(6)
    last = "/blobs/" + images.bulk("own-5-0", 20_000).digest
    here.source.inject(proxy.status(404, "BLOB_UNKNOWN"), path=last)
    first = disk.write(orders)
    assert first["failed"] and "1 of 6 images are not in the archive" in first["msg"]
    assert disk.read()["counts"] == {"present": 0, "done": 5, "missing": 0, "failed": 1, "total": 6}
    here.source.heal()
    here.forget()
    second = disk.write(orders)
    assert second["counts"] == {"present": 5, "done": 1, "missing": 0, "failed": 0, "total": 6}
    assert here.source.count("GET", "/blobs/") == 1
    assert disk.read()["counts"]["done"] == 1


def test_a_killed_run_leaves_no_archive_and_loses_only_what_was_in_flight(here, disk):
    orders = here.release(6)
    document = {"format": 1, "items": [order._asdict() for order in orders]}
    with here.registries() as registries, archive.Writer(str(disk.path), document) as writer:
        class Killed(Exception):
            pass

        def killed(progress):
            if progress.done == 3:
                raise Killed

        with pytest.raises(Killed):
            transfer.mirror(orders, registries, 2, progress=killed, clock=here.clock, engine=writer.copy,
                            targets=archive.ForEveryHost(writer))
    refused = disk.read()
    assert refused["failed"] and "no finished archive" in refused["msg"]
    here.forget()
    result = disk.write(orders)
    assert result["counts"]["present"] >= 2 and result["counts"]["failed"] == 0, result
    assert here.source.count("GET", "/blobs/") < 6 * 3
    assert disk.read()["counts"]["done"] == 6


def test_two_runs_at_a_time_do_not_meet(here, disk):
    orders = here.release(2)
    document = {"format": 1, "items": [order._asdict() for order in orders]}
    with archive.Writer(str(disk.path), document) as writer:
        writer._begin()
        result = disk.write(orders)
        assert result["failed"] and "Another run is writing the archive" in result["msg"]
    assert disk.write(orders)["counts"]["done"] == 2


def test_an_archive_holds_what_the_plan_asks_for_and_no_more(here, disk):
    orders = here.release(6)
    disk.write(orders)
    full = set(disk.files())
    less = disk.write(orders[:2])
    assert less["changed"] and less["counts"]["present"] == 2
    assert len(full - set(disk.files())) == 4 * 4  # of each: manifest, configuration, two layers of its own
    assert disk.read()["counts"]["done"] == 2


def test_an_image_by_tag_is_by_digest_in_the_archive(here, disk):
    here.shelf.image("apps/shop", [images.bulk("shop", 1000)], tag="1.4")
    here.put()
    order = transfer.Order(here.source.host + "/apps/shop:1.4", here.target.host + "/apps/shop:1.4")
    assert disk.write([order])["counts"]["done"] == 1
    here.forget()
    assert disk.read()["counts"]["done"] == 1 and here.source.count() == 0


def test_an_image_that_could_not_be_had_is_named_on_both_sides(here, disk):
    orders = here.release(3) + [transfer.Order(here.source.host + "/apps/gone:1",
                                               here.target.host + "/apps/gone:1")]
    written = disk.write(orders)
    assert written["failed"] and "apps/gone:1 does not exist" in written["msg"]
    read = disk.read()
    assert read["failed"] and read["counts"]["done"] == 3
    assert "could not be read when the archive was written" in read["msg"] and "apps/gone:1" in read["msg"]


# Cut to size

def test_parts_keep_within_their_size(here, disk, tmp_path):
    orders = both(here)
    result = disk.write(orders, archive_size="450K")
    assert len(result["parts"]) > 1
    for part in result["parts"]:
        assert part["bytes"] <= 450 * 1024, result["parts"]
        names = sorted(entry.name for entry in os.scandir(part["path"]))
        assert names == ["SHA256SUMS", "blobs", "index.json", "oci-layout", "plan.json"]
    assert sorted(os.listdir(disk.path)) == [pathlib.Path(part["path"]).name for part in result["parts"]]
    assert not disk.write(orders, archive_size="450K")["changed"]
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "part-001/SHA256SUMS"], cwd=disk.path, check=True)
    # one part as a tar file, as FAT file systems may want it
    subprocess.run(["tar", "-C", str(disk.path / "part-002"), "-cf", str(disk.path / "part-002.tar"), "."], check=True)
    shutil.rmtree(disk.path / "part-002")
    assert disk.read()["counts"]["done"] == len(orders)


def test_a_missing_part_is_named(here, disk):
    disk.write(here.release(6), archive_size="450K")
    shutil.rmtree(disk.path / "part-002")
    result = disk.read()
    assert result["failed"] and "part-002 is missing: bring all of part-001, part-002" in result["msg"]
    assert here.target.count("POST|PUT|PATCH") == 0


def test_parts_of_two_archives(here, disk, tmp_path):
    disk.write(here.release(6), archive_size="450K")
    second = disk.path / "part-002"
    kept = second.rename(tmp_path / "kept")
    disk.write(here.release(5), archive_size="450K")
    shutil.rmtree(second)
    kept.rename(second)
    result = disk.read()
    assert result["failed"] and "part-001 and part-002 are parts of different archives" in result["msg"]


def test_another_size_moves_files_and_reads_nothing(here, disk):
    orders = here.release(6)
    disk.write(orders)
    here.forget()
    for size in ("450K", "900K", None):
        assert disk.write(orders, check_mode=True, archive_size=size)["changed"]
        assert disk.write(orders, archive_size=size)["changed"]
    assert here.source.count() == 0
    assert sorted(os.listdir(disk.path)) == ["SHA256SUMS", "blobs", "index.json", "oci-layout", "plan.json"]
    assert disk.read()["counts"]["done"] == 6


def test_a_layer_larger_than_a_part_is_told_before_anything_is_written(here, disk):
    result = disk.write(here.release(2), archive_size="100K")
    assert result["failed"] and "does not fit in a part of 102400 bytes" in result["msg"]
    assert not list(disk.path.rglob("blobs/sha256/*"))


# Spoilt on the way

@pytest.fixture
def archived(here, disk):
    orders = here.release(6)
    assert disk.write(orders)["counts"]["done"] == 6
    return orders


def refused(here, disk, *words, **args):
    here.forget()
    result = disk.read(**args)
    assert result["failed"], result
    assert all(word in result["msg"] for word in words), result["msg"]
    assert here.target.count("POST|PUT|PATCH") == 0
    return result


def test_a_flipped_byte_is_named_with_its_image(here, disk, archived):
    blob = disk.blob_of("own-2-0", 20_000)
    data = bytearray(blob.read_bytes())
    data[100] ^= 1
    blob.write_bytes(data)
    refused(here, disk, "blobs/sha256/%s is damaged" % blob.name, "which ocp/release:t2 needs",
            "nothing of it was sent")


def test_a_missing_file_is_named_with_its_images(here, disk, archived):
    blob = disk.blob_of("base-0", 200_000)
    blob.unlink()
    refused(here, disk, blob.name + " is missing", "ocp/release:t0, ocp/release:t1, ocp/release:t2 and 3 more need")


def test_a_truncated_file_is_named(here, disk, archived):
    blob = disk.blob_of("own-3-1", 20_000)
    blob.write_bytes(blob.read_bytes()[:-1])
    refused(here, disk, blob.name + " is damaged", "ocp/release:t3 needs")


def test_an_extra_file_is_named(here, disk, archived):
    (disk.path / "blobs/sha256/note.txt").write_text("hello")
    refused(here, disk, "blobs/sha256/note.txt does not belong to it")


def test_a_damaged_manifest_is_named_with_its_image(here, disk, archived):
    (disk.path / archive_layout.blob_name(archived[4].source.partition("@")[2])).write_bytes(b"{}")
    refused(here, disk, "is damaged", "ocp/release:t4 needs")


@pytest.mark.parametrize("name", ["plan.json", "index.json"])
def test_a_changed_list_is_named(here, disk, archived, name):
    document = json.loads((disk.path / name).read_text())
    document["note"] = "changed"
    (disk.path / name).write_text(json.dumps(document))
    refused(here, disk, name + " is damaged")


@pytest.mark.parametrize("name,words", [
    ("SHA256SUMS", "no finished archive"), ("plan.json", "plan.json is missing"),
    ("oci-layout", "oci-layout is missing"),
])
def test_a_missing_list_is_named(here, disk, archived, name, words):
    (disk.path / name).unlink()
    refused(here, disk, words)


@pytest.mark.parametrize("text,words", [("", "is empty"), ("junk\n", "line 1 of SHA256SUMS is no checksum")])
def test_a_checksum_list_that_is_none(here, disk, archived, text, words):
    (disk.path / "SHA256SUMS").write_text(text)
    refused(here, disk, words)


def test_a_truncated_tar_file(here, disk, archived, tmp_path):
    packed = tmp_path / "packed.tar"
    subprocess.run(["tar", "-C", str(disk.path), "-cf", str(packed), "."], check=True)
    with packed.open("r+b") as file:
        file.truncate(packed.stat().st_size * 2 // 3)
    refused(here, disk, "packed.tar", "is not whole", archive=str(packed))
    packed.write_bytes(b"")
    refused(here, disk, "packed.tar is no tar archive", archive=str(packed))


def test_damage_is_mended_by_another_run_on_the_connected_side(here, disk, archived):
    disk.blob_of("own-3-1", 20_000).write_bytes(b"short")
    mended = disk.write(archived)
    assert mended["counts"] == {"present": 5, "done": 1, "missing": 0, "failed": 0, "total": 6}
    assert disk.read()["counts"]["done"] == 6


# A disk that is full

def test_a_disk_without_room_is_told_before_anything_is_written(here, disk, monkeypatch):
    real = os.statvfs

    def small(path):
        found = real(path)
        return os.statvfs_result(tuple(10 if n == 4 else value for n, value in enumerate(found)))

    monkeypatch.setattr(os, "statvfs", small)
    result = disk.write(here.release(3))
    assert result["failed"] and "its file system has %d bytes left" % result["free"] in result["msg"]
    assert result["needed"] > 600_000 and not list(disk.path.rglob("blobs/sha256/*"))


def test_a_disk_that_fills_up_leaves_no_half_file(here, disk, monkeypatch):
    orders = here.release(3)
    real = os.fsync
    calls = []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > 4:
            raise OSError(28, "No space left on device")
        return real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(archive.os, "fsync", full)
        result = disk.write(orders)
    assert result["failed"] and "no space left" in result["msg"]
    for path in disk.path.rglob("blobs/sha256/*"):
        assert images.digest(path.read_bytes())[7:] == path.name
    assert disk.write(orders)["counts"]["failed"] == 0
    assert disk.read()["counts"]["done"] == 3


def test_memory_does_not_grow_with_a_layer(here, disk):
    """One layer of 64 MB passes without the process growing by half of it."""
    import resource
    layer = images.bulk("large", 64 << 20)
    image = here.shelf.image("apps/large", [layer])
    here.put()
    order = transfer.Order(image.reference, here.target.host + "/apps/large:1")
    del layer
    here.shelf._data.clear()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert disk.write([order])["counts"]["done"] == 1
    assert disk.read()["counts"]["done"] == 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024
