# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab puts into its upstream registry."""
from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import catalogs, content  # noqa: E402
from lab.images import Shelf  # noqa: E402
from lab.settings import BadSetting, Settings  # noqa: E402


def written(directory, registry="localhost:5000"):
    content.make(registry, Settings()).shelf.write(directory)
    return {path.relative_to(directory): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_the_same_port_gives_the_same_bytes(tmp_path):
    assert written(tmp_path / "one") == written(tmp_path / "two")


def test_blobs_are_named_by_their_digest(tmp_path):
    for path, data in written(tmp_path).items():
        if path.name == "data":
            assert path.parent.name == hashlib.sha256(data).hexdigest()


def test_references_name_the_registry_that_holds_them(tmp_path):
    made = content.make("localhost:6000", Settings())
    references = [made.release_image, *made.components.values(), *made.catalogs, *made.images]
    references += [image for operator in made.operators for image in operator.images.values()]
    assert {reference.partition("/")[0] for reference in references} == {"localhost:6000"}


def test_older_releases_have_a_database_as_their_catalog():
    assert len(content.make("r:1", Settings(release_version="4.10.3")).file_based_catalogs) == 0
    assert len(content.make("r:1", Settings(release_version="4.11.3")).file_based_catalogs) == 1


def documents(files):
    """Every document of a file-based catalog, whatever the file's form."""
    for name, data in files.items():
        text = data.decode()
        if name.endswith(".yaml"):
            yield from yaml.safe_load_all(text)
        while name.endswith(".json") and text.strip():
            document, end = json.JSONDecoder().raw_decode(text)
            yield document
            text = text[end:].lstrip()


def test_both_forms_of_a_catalog_say_the_same():
    offered = catalogs.bundles(Shelf("localhost:5000"), catalogs.RED_HAT)
    files = list(documents(catalogs.file_based_catalog(offered)))
    database = sqlite3.connect(":memory:")
    database.deserialize(catalogs.database(offered))
    bundles = {each["name"]: each["image"] for each in files if each["schema"] == "olm.bundle"}
    assert dict(database.execute("SELECT name, bundlepath FROM operatorbundle")) == bundles
    related = {image["image"] for each in files for image in each.get("relatedImages", ())}
    assert {image for (image,) in database.execute("SELECT image FROM related_image")} == related
    heads = {(each["package"], each["name"]): each["entries"][-1]["name"] for each in files if each["schema"] == "olm.channel"}
    rows = database.execute("SELECT package_name, name, head_operatorbundle_name FROM channel")
    assert {(package, channel): head for package, channel, head in rows} == heads


@pytest.mark.parametrize("environment", [
    {"LAB_VERSION": "4.7"}, {"LAB_VERSION": "4.22"}, {"LAB_VERSION": "latest"}, {"LAB_NODES": "0"}, {"LAB_NODES": "many"},
    {"LAB_SPEED": "0"}, {"LAB_SPEED": "fast"},
])
def test_a_setting_that_cannot_be_is_refused(environment):
    with pytest.raises(BadSetting, match="=".join(*environment.items())):
        Settings.from_environment(environment)
