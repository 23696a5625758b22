# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registered results of a run, in the form in which the modules return them."""
from __future__ import annotations

MIRROR = "mirror.test:8443"
API = "https://api.cluster.test:6443"
BEFORE = 'unqualified-search-registries = ["registry.access.redhat.com", "docker.io"]\nshort-name-mode = ""\n'
AFTER = BEFORE + """
[[registry]]
  prefix = ""
  location = "quay.io/example"

  [[registry.mirror]]
    location = "mirror.test:8443/example"
    pull-from-mirror = "digest-only"
"""
RUN = {"playbook": "convert", "registry": MIRROR, "mirror_host": "bastion", "dry": False, "lost": (),
       "written": "2026-03-01T10:30:00Z"}


def state(stage="configured", time="2026-03-01T10:20:00Z", paragraph="", after=AFTER, name="lab-7x4tq"):
    return {"api": API, "name": name, "version": "4.16.30", "nodes": 3, "updated": 3, "pools": [], "mirrors": [MIRROR],
            "stage": stage, "text": "Cluster %s is %s." % (name, stage), "next": "disconnected.openshift.disconnect.",
            "paragraph": paragraph, "time": time,
            "registries_conf": {pool: {"original": BEFORE, "now": after} for pool in ("master", "worker")}}


def node(name, matches=True, missing=(), unexpected=(), reason=""):
    return {"name": name, "matches": matches, "missing": list(missing), "unexpected": list(unexpected), "reason": reason}


def rollout():
    nodes = [{"name": "worker-%d" % number, "pool": "worker", "began": "2026-03-01T10:0%d:00Z" % number,
              "ended": "2026-03-01T10:0%d:50Z" % number, "drained": number == 1, "failed": False} for number in range(3)]
    return {"pools": [{"name": "worker", "nodes": 3, "updated": 3, "done": True, "text": "pool worker is updated", "rollouts": 1}],
            "rollouts": 1, "drains": 1, "nodes": nodes,
            "timeline": [{"time": "2026-03-01T10:00:00Z", "pool": "worker", "text": "0 of 3 nodes of pool worker are updated"},
                         {"time": "2026-03-01T10:02:55Z", "pool": "worker", "text": "pool worker is updated"}]}


def reference(image, status, *namespaces, reason=""):
    return {"image": image, "status": status, "reason": reason, "risk": [], "running": False, "sources": [],
            "used_by": [{"kind": "Deployment", "namespace": name, "name": "app"} for name in namespaces]}


def coverage():
    references = [reference("quay.io/example/lost:1", "tag_without_tag_mirror", "shop", reason="it is a tag"),
                  reference("quay.io/example/a@sha256:0", "covered", "shop", "bank"),
                  reference("registry.corp/b:1", "ignored", "bank")]
    return {"ready": False, "references": references, "uncovered": ["quay.io/example/lost:1"],
            "counts": {"tag_without_tag_mirror": 1, "covered": 1, "ignored": 1, "total": 3}, "nodes": []}


def mirrored():
    """What the mirror host registered."""
    failure = {"source": "quay.io/example/gone:1", "target": MIRROR + "/example/gone:1", "status": "failed", "reason": "HTTP 404"}
    return {
        "mirror_plan_result": {"plan": [], "totals": {"images": 4, "release": 1, "image": 3}, "unresolved": []},
        "mirror_result": {"failed": True, "msg": "1 of 4 images are not on the mirror registry.", "failures": [failure],
                          "missing": [failure["target"]], "images": [], "bytes_received": 14_230_000, "bytes_sent": 1000,
                          "counts": {"present": 1, "done": 2, "missing": 0, "failed": 1, "total": 4}},
        "mirror_proof": {"skipped": True, "changed": False},
    }


def configured():
    """What a cluster registered."""
    return {
        "conversion_before": state("connected", "2026-03-01T10:00:00Z", after=BEFORE), "conversion_after": state(),
        "cluster_config_forecast": {
            "changes": ["ImageDigestMirrorSet disconnected-openshift is created"],
            "summary": ["Pool worker (3 nodes, 1 at a time): CRI-O is reloaded; no drain, no reboot."], "blockers": [],
            "pools": [{"name": "worker", "nodes": 3, "at_a_time": 1, "action": "reload", "drain": False, "reboot": False,
                       "rollouts": 1, "rendered": "rendered-worker-1", "files": [], "reasons": [], "blockers": []}]},
        "cluster_config_mirror_sets": {"changed": True, "created": ["ImageDigestMirrorSet disconnected-openshift"], "updated": [],
                                       "deleted": [], "objects": [{"spec": {}}]},
        "cluster_config_pull_secret": {"changed": True, "added": [MIRROR], "replaced": [], "removed": ["cloud.openshift.com"]},
        "cluster_config_rollout": rollout(),
        "cluster_config_nodes": {"matches": True, "nodes": [node("worker-%d" % number) for number in range(3)]},
        "verify_nodes": {"matches": False, "failed": True, "msg": "2 of 3 nodes do not", "nodes": [
            node("worker-0"),
            node("worker-1", False, ["/etc/containers/registries.conf: any mirror at " + MIRROR,
                                     "/var/lib/kubelet/config.json: credentials of " + MIRROR],
                 ["/etc/docker/certs.d: the CA of old.test"], "pool worker is paused"),
            node("worker-2", False, reason="the node's files could not be read: no running machine-config-daemon pod")]},
        "verify_health": {"problems": [{"kind": "Pod", "namespace": "shop", "name": "cart-1", "reason": "ImagePullBackOff"},
                                       {"kind": "Node", "namespace": "", "name": "worker-9", "reason": "cordoned"}],
                          "new_problems": [{"kind": "Pod", "namespace": "shop", "name": "cart-1", "reason": "ImagePullBackOff"}],
                          "gone_problems": [], "progressing": [], "counts": {}},
        "disconnect_coverage": coverage(),
        "disconnect_connectivity": {"objects": ["OperatorHub cluster"], "insights": "disabled",
                                    "alerts": [{"name": "InsightsDisabled", "reason": "No token."}]},
    }
