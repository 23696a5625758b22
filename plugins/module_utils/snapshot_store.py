# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads and writes the Secret that keeps how a cluster was before its conversion."""
from __future__ import annotations

from . import errors, snapshot
from .cluster import OWNER, OWNER_LABEL, owned


def load(cluster):
    """(the stored Secret, its Snapshot), or (None, None). Raises Conflict for a Secret that is not ours."""
    stored = cluster.get("v1", "Secret", snapshot.NAME, snapshot.NAMESPACE)
    if stored is None:
        return None, None
    if not owned(stored):
        raise errors.Conflict("Secret %s in %s is not this collection's: it lacks the label %s=%s. Rename or delete it."
                              % (snapshot.NAME, snapshot.NAMESPACE, OWNER_LABEL, OWNER))
    return stored, snapshot.from_data(stored.get("data") or {})


def create(cluster, recorded):
    """Write a Snapshot for the first time. Raises Conflict when somebody was faster."""
    return cluster.create({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": snapshot.to_data(recorded),
        "metadata": {"name": snapshot.NAME, "namespace": snapshot.NAMESPACE, "labels": {OWNER_LABEL: OWNER}}})


def save(cluster, stored, recorded):
    """Write a Snapshot in the place of the one in `stored`, and return the Secret. Raises Conflict when it changed."""
    return cluster.merge_patch("v1", "Secret", snapshot.NAME, {
        "metadata": {"resourceVersion": stored["metadata"]["resourceVersion"]}, "data": snapshot.to_data(recorded),
    }, snapshot.NAMESPACE)


def delete(cluster, stored):
    """Remove the Secret, if nobody changed it since it was read."""
    return cluster.delete("v1", "Secret", snapshot.NAME, snapshot.NAMESPACE,
                          resource_version=stored["metadata"]["resourceVersion"])
