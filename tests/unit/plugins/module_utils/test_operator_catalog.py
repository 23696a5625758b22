# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import json

import pytest

from ansible_collections.disconnected.openshift.plugins.module_utils import errors, operator_catalog

INDEX = "registry.example.com/index:v1"
PACKAGE = {"schema": "olm.package", "name": "shop", "defaultChannel": "stable"}
CHANNEL = {"schema": "olm.channel", "package": "shop", "name": "stable", "entries": [{"name": "shop.v1"}, {"name": "shop.v2"}]}
BUNDLE = {
    "schema": "olm.bundle", "package": "shop", "name": "shop.v1", "image": "registry.example.com/shop/bundle@sha256:1",
    "properties": [{"type": "olm.bundle.object", "value": {"data": "x" * 50}}],
    "relatedImages": [{"name": "", "image": "registry.example.com/shop/bundle@sha256:1"},
                      {"name": "shop", "image": "registry.example.com/shop/shop@sha256:2"}, {"name": "none", "image": ""}],
}


def in_json(*documents):
    return "\n".join(json.dumps(document, indent=2) for document in documents).encode()


def catalog(files):
    """The Catalog of {path below /configs: bytes}."""
    reader = operator_catalog.Reader("/configs", INDEX)
    for path, data in files.items():
        reader.take("configs/" + path, io.BytesIO(data))
    return reader.catalog()


def test_packages_channels_bundles_and_images():
    found = catalog({"shop/catalog.json": in_json(PACKAGE, CHANNEL, BUNDLE)})
    assert found.packages == {"shop": ("shop", "stable", {"stable": ["shop.v1", "shop.v2"]},
                                       {"stable": ["shop.v1", "shop.v2"]})}
    assert found.bundles["shop.v1"].images[-1] == "registry.example.com/shop/shop@sha256:2"
    assert found.images == ["registry.example.com/shop/bundle@sha256:1", "registry.example.com/shop/shop@sha256:2"]


def test_one_package_in_many_files_and_forms():
    yaml = pytest.importorskip("yaml")
    found = catalog({
        "shop/bundles/v1.yaml": yaml.safe_dump(BUNDLE).encode(),
        "shop/channels.yaml": b"---\n" + yaml.safe_dump(CHANNEL).encode() + b"---\n---\n" + yaml.safe_dump(PACKAGE).encode(),
        "shop/empty.json": b"",
    })
    assert found.packages["shop"].channels == {"stable": ["shop.v1", "shop.v2"]}
    assert len(found.images) == 2


def test_every_schema_may_name_images():
    found = catalog({"a.json": in_json({"schema": "custom", "image": "a/b:1", "relatedImages": [{"image": "c/d:2"}]})})
    assert found.images == ["a/b:1", "c/d:2"]


@pytest.mark.parametrize("size", [1, 7, 64, 1 << 20])
def test_json_documents_wherever_the_reads_end(monkeypatch, size):
    monkeypatch.setattr(operator_catalog, "READ_SIZE", size)
    documents = [dict(BUNDLE, name="größe %d" % n) for n in range(5)]
    raw = b" \n" + json.dumps(documents[0], ensure_ascii=False).encode() + in_json(*documents[1:]) + b"\n\n"
    assert list(operator_catalog.json_documents(io.BytesIO(raw))) == documents


def test_no_more_is_read_than_the_next_document_needs(monkeypatch):
    monkeypatch.setattr(operator_catalog, "READ_SIZE", 1000)
    stream = io.BytesIO(in_json(*[BUNDLE] * 100))
    assert next(operator_catalog.json_documents(stream)) == BUNDLE
    assert stream.tell() == 1000


@pytest.mark.parametrize("data,words", [
    (b'{"schema": "olm.package"', "it is not JSON"),
    (b'{"schema": "olm.package"} trailing', "it is not JSON"),
    (b"- a\n- b\n", "a document is not an object"),
    (b"not: [a, catalog", "neither JSON nor YAML (line"),
    (b'{"schema": "olm.bundle", "relatedImages": [null]}', "relatedImages is no list of objects"),
    (b'{"schema": "olm.bundle", "relatedImages": {"image": "a"}}', "relatedImages is no list of objects"),
    (b'{"schema": "olm.channel", "entries": ["a.v1"]}', "entries is no list of objects"),
])
def test_a_file_that_cannot_be_read_is_named(data, words):
    pytest.importorskip("yaml")
    with pytest.raises(errors.InvalidInput) as raised:
        catalog({"shop/catalog.json": data})
    assert raised.value.message.startswith(INDEX + ": /configs/shop/catalog.json: ") and words in raised.value.message


def test_a_document_without_end(monkeypatch):
    monkeypatch.setattr(operator_catalog, "LARGEST_DOCUMENT", 1000)
    with pytest.raises(errors.InvalidInput, match="larger than"):
        catalog({"a.json": b'{"a": "' + b"x" * 5_000_000})


def test_yaml_without_pyyaml_names_the_remedy(monkeypatch):
    monkeypatch.setattr(operator_catalog, "yaml", None)
    assert catalog({"a.json": in_json(PACKAGE)}).packages
    with pytest.raises(errors.InvalidInput, match="python3-pyyaml"):
        catalog({"a.yaml": b"schema: olm.package\n"})


def test_an_empty_catalog():
    with pytest.raises(errors.InvalidInput, match="is empty"):
        catalog({".indexignore": b"*\n", "a.json": in_json(PACKAGE)})


@pytest.mark.parametrize("lines,path,verdict", [
    (["README.md"], "README.md", True), (["README.md"], "shop/README.md", True), (["/README.md"], "shop/README.md", False),
    (["*.md"], "a/b.md", True), (["docs/"], "docs/a/b.json", True), (["docs/"], "docs", False), (["docs"], "docs/a.json", True),
    (["a/*.json"], "a/b.json", True), (["a/*.json"], "a/b/c.json", False), (["a/**/c.json"], "a/b/b/c.json", True),
    (["**/c.json"], "c.json", True), (["?.json"], "a.json", True), (["# a.json", ""], "a.json", False),
    (["*.json", "!keep.json"], "keep.json", False), (["*.json", "!keep.json"], "a.json", True),
])
def test_ignore_files_read_like_those_of_git(lines, path, verdict):
    assert operator_catalog.ignored(path, {"": lines}) is verdict


def test_an_ignore_file_rules_below_its_own_directory():
    patterns = {"shop": ["old.json"]}
    assert operator_catalog.ignored("shop/old.json", patterns)
    assert not operator_catalog.ignored("other/old.json", patterns)


def test_where_a_catalog_is():
    assert operator_catalog.directory({operator_catalog.CONFIGS_LABEL: "/configs"}, INDEX) == "/configs"
    assert operator_catalog.database({operator_catalog.CONFIGS_LABEL: "/configs"}) is None
    assert operator_catalog.database({operator_catalog.DATABASE_LABEL: "/database/index.db"}) == "/database/index.db"
    both = {operator_catalog.CONFIGS_LABEL: "/configs", operator_catalog.DATABASE_LABEL: "/database/index.db"}
    assert operator_catalog.database(both) is None
    with pytest.raises(errors.InvalidInput, match="is not an Operator catalog"):
        operator_catalog.directory({}, INDEX)


# A choice

def bundle(name, *images):
    return {"schema": "olm.bundle", "package": "shop", "name": name, "image": "q/%s:1" % name,
            "relatedImages": [{"image": image} for image in images]}


@pytest.fixture
def shop():
    channels = [
        {"schema": "olm.channel", "package": "shop", "name": "stable-1", "entries": [{"name": "v1"}]},
        {"schema": "olm.channel", "package": "shop", "name": "stable-2", "entries": [
            {"name": "v3", "replaces": "v2", "skips": ["v2.1"]}, {"name": "v2", "replaces": "v1"}, {"name": "v2.1"},
            {"name": "v1"}]},
    ]
    bundles = [bundle("v1", "q/old:1"), bundle("v2", "q/both:1"), bundle("v2.1"), bundle("v3", "q/both:1", "q/new:1")]
    return catalog({"a.json": in_json(PACKAGE, *channels, *bundles, {"schema": "custom", "image": "q/other:1"})})


def chosen(catalog, *packages):
    picks = operator_catalog.choice({"index": INDEX, "packages": list(packages)}).packages
    return [image.split("/")[1][:-2] for image in operator_catalog.chosen(catalog, picks, INDEX)]


def test_what_is_picked_brings_its_images_and_no_others(shop):
    assert chosen(shop) == ["both", "new", "old", "other", "v1", "v2.1", "v2", "v3"]
    assert chosen(shop, "shop") == chosen(shop, {"name": "shop"}) == ["both", "new", "old", "v1", "v2.1", "v2", "v3"]
    assert chosen(shop, {"name": "shop", "channels": ["stable-1"]}) == ["old", "v1"]
    assert chosen(shop, {"name": "shop", "channels": ["stable-2"], "heads_only": True}) == ["both", "new", "v3"]
    assert chosen(shop, {"name": "shop", "heads_only": True}) == ["both", "new", "old", "v1", "v3"]


@pytest.mark.parametrize("packages,words", [
    (["shpo"], "has no package shpo. There is: shop."),
    ([{"name": "shop", "channels": ["stable-3"]}], "the package shop has no channel stable-3. There is: stable-"),
    ([{"name": "shop", "channels": ["zzz"]}], "There is: stable-1, stable-2."),
])
def test_what_is_not_there_is_refused_with_what_is_near(shop, packages, words):
    with pytest.raises(errors.InvalidInput) as raised:
        chosen(shop, *packages)
    assert raised.value.message.startswith(INDEX) and words in raised.value.message


@pytest.mark.parametrize("entry,words", [
    (5, "by its name or as a dictionary"),
    ({"packages": []}, "lacks its index"),
    ({"index": INDEX, "pakages": []}, "no option pakages. There is: packages"),
    ({"index": INDEX, "packages": "shop"}, "packages must be a list"),
    ({"index": INDEX, "packages": [{"channels": []}]}, "lacks its name"),
    ({"index": INDEX, "packages": [{"name": "shop", "channels": [4.1]}]}, "Quote those"),
    ({"index": INDEX, "packages": [{"name": "shop", "heads_only": "yes"}]}, "heads_only must be a bool"),
])
def test_an_entry_that_cannot_be_understood(entry, words):
    with pytest.raises(errors.InvalidInput) as raised:
        operator_catalog.choice(entry)
    assert words in raised.value.message


def test_a_channel_that_names_what_is_not_there(shop):
    del shop.bundles["v1"]
    with pytest.raises(errors.InvalidInput, match="names the bundle v1, which the catalog lacks"):
        chosen(shop, "shop")
