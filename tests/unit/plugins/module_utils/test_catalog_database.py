# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sqlite3

import pytest

from ansible_collections.disconnected.openshift.plugins.module_utils import catalog_database, errors, operator_catalog

INDEX = "registry.example.com/index:v1"
TABLES = """
    CREATE TABLE package (name TEXT, default_channel TEXT);
    CREATE TABLE channel (name TEXT, package_name TEXT, head_operatorbundle_name TEXT);
    CREATE TABLE channel_entry (entry_id INTEGER, channel_name TEXT, package_name TEXT, operatorbundle_name TEXT,
                                replaces INTEGER, depth INTEGER);
    CREATE TABLE operatorbundle (name TEXT, csv TEXT, bundle TEXT, bundlepath TEXT);
    CREATE TABLE related_image (image TEXT, operatorbundle_name TEXT);
"""
ROWS = """
    INSERT INTO package VALUES ('shop', 'stable');
    INSERT INTO channel VALUES ('stable', 'shop', 'shop.v2');
    INSERT INTO channel_entry VALUES (1, 'stable', 'shop', 'shop.v1', NULL, 1), (2, 'stable', 'shop', 'shop.v2', 1, 0);
    INSERT INTO operatorbundle VALUES ('shop.v1', '', '', 'q/bundle:1'), ('shop.v2', '', '', 'q/bundle:2'),
                                      ('old', 'inside', 'inside', '');
    INSERT INTO related_image VALUES ('q/bundle:1', 'shop.v1'), ('q/shop:1', 'shop.v1'), ('q/shop:2', 'shop.v2'),
                                     ('', 'shop.v2'), ('q/old:1', 'old');
"""


def database(path, script):
    with sqlite3.connect(path) as connection:
        connection.executescript(script)
    connection.close()
    return path


def test_it_says_what_a_file_based_one_says(tmp_path):
    path = database(tmp_path / "a name with ? and %20.db", TABLES + ROWS)
    found = catalog_database.read(path, INDEX)
    assert found.packages == {"shop": ("shop", "stable", {"stable": ["shop.v1", "shop.v2"]}, {"stable": ["shop.v2"]})}
    assert found.bundles["shop.v1"] == ("shop.v1", "shop", ["q/bundle:1", "q/shop:1"])
    assert found.images == ["q/bundle:1", "q/bundle:2", "q/old:1", "q/shop:1", "q/shop:2"]
    picks = [operator_catalog.Pick("shop", [], True)]
    assert operator_catalog.chosen(found, picks, INDEX) == ["q/bundle:2", "q/shop:2"]


@pytest.mark.parametrize("table", ["package", "channel", "channel_entry", "operatorbundle", "related_image"])
def test_a_table_that_is_not_there(tmp_path, table):
    path = database(tmp_path / "index.db", TABLES + "DROP TABLE %s;" % table)
    with pytest.raises(errors.InvalidInput, match="%s .*no such table: %s" % (INDEX, table)):
        catalog_database.read(path, INDEX)


def test_no_database_and_an_empty_one(tmp_path):
    (tmp_path / "junk").write_bytes(b"x" * 5000)
    with pytest.raises(errors.InvalidInput, match="cannot be used"):
        catalog_database.read(tmp_path / "junk", INDEX)
    with pytest.raises(errors.InvalidInput, match="is empty"):
        catalog_database.read(database(tmp_path / "empty", TABLES), INDEX)


def test_a_python_without_sqlite(monkeypatch, tmp_path):
    monkeypatch.setattr(catalog_database, "sqlite3", None)
    with pytest.raises(errors.InvalidInput, match="cannot read SQLite"):
        catalog_database.read(tmp_path / "any", INDEX)
