# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster in memory, with the methods of module_utils.cluster.Cluster.

It keeps what the real API keeps: resourceVersion moves with each change and not with a write that changes nothing,
a stale one is a conflict, a kind that is not served is NotFound, a merge patch follows RFC 7386. It also writes down
what it was asked, so that a test can say that nothing was written, or in which order.
"""
from __future__ import annotations

import copy
import itertools

from ansible_collections.disconnected.openshift.plugins.module_utils import errors
from ansible_collections.disconnected.openshift.plugins.module_utils.cluster import ExecResult

CONFIG = "config.openshift.io/v1"
SERVED = (
    ("v1", "Secret"), ("v1", "ConfigMap"), ("v1", "Node"), ("v1", "Pod"), ("v1", "Namespace"),
    (CONFIG, "ClusterVersion"), (CONFIG, "Infrastructure"), (CONFIG, "Image"), (CONFIG, "OperatorHub"),
    (CONFIG, "ClusterOperator"), (CONFIG, "ImageDigestMirrorSet"), (CONFIG, "ImageTagMirrorSet"),
    ("operator.openshift.io/v1alpha1", "ImageContentSourcePolicy"),
    ("machineconfiguration.openshift.io/v1", "MachineConfigPool"),
    ("machineconfiguration.openshift.io/v1", "MachineConfig"),
    ("machineconfiguration.openshift.io/v1", "ControllerConfig"),
)


class FakeCluster:
    """`objects` are documents with apiVersion, kind and metadata.name. `requests` and `writes` list what was asked,
    as (verb, kind, name)."""

    host = "https://api.cluster.test:6443"

    def __init__(self, *objects, version="4.16.30", served=SERVED):
        self.version = version
        self.served = set(served)
        self.requests = []
        self.writes = []
        self.commands = {}  # (pod, argv as a tuple) -> ExecResult, or the text of stdout
        self.pages = {}  # path -> the text that it answers
        self._before = []
        self._refused = {}
        self._clock = itertools.count(1000)
        self._objects = {}
        for obj in objects:
            self.put(obj)

    @property
    def minor(self):
        return tuple(int(number) for number in self.version.split(".")[:2])

    # What a test does behind the client's back.

    def put(self, obj):
        """Store an object as somebody else would, noting nothing."""
        stored = copy.deepcopy(obj)
        stored["metadata"]["resourceVersion"] = str(next(self._clock))
        self._objects[self._key(obj["apiVersion"], obj["kind"], obj["metadata"]["name"],
                                obj["metadata"].get("namespace"))] = stored

    def peek(self, api_version, kind, name, namespace=None):
        """The object as stored, or None, noting nothing."""
        return copy.deepcopy(self._objects.get(self._key(api_version, kind, name, namespace)))

    def before_write(self, action):
        """Call `action(cluster)` once, just before the next write: a concurrent change."""
        self._before.append(action)

    def refuse(self, verb, kind, error):
        """Raise `error` whenever `verb` is asked of `kind`."""
        self._refused[verb, kind] = error

    # The interface of Cluster.

    def serves(self, api_version, kind):
        return (api_version, kind) in self.served

    def get(self, api_version, kind, name, namespace=None):
        self._note("get", api_version, kind, name)
        return self.peek(api_version, kind, name, namespace)

    def list(self, api_version, kind, namespace=None, label_selector=None, field_selector=None):
        self._note("list", api_version, kind, None)
        return [copy.deepcopy(obj) for key, obj in sorted(self._objects.items(), key=lambda item: item[0][2:])
                if key[:2] == (api_version, kind) and namespace in (None, key[2] or None)
                and _selected(obj["metadata"].get("labels") or {}, label_selector)
                and _selected({"metadata.name": key[3], "spec.nodeName": obj.get("spec", {}).get("nodeName")},
                              field_selector)]

    def create(self, obj):
        key = self._write("create", obj["apiVersion"], obj["kind"], obj["metadata"]["name"],
                          obj["metadata"].get("namespace"))
        if key in self._objects:
            raise errors.Conflict('%s: cannot create %s "%s": already exists.' % (self.host, key[1], key[3]))
        self.put(obj)
        return copy.deepcopy(self._objects[key])

    def merge_patch(self, api_version, kind, name, body, namespace=None):
        key = self._write("patch", api_version, kind, name, namespace)
        stored = self._existing(key)
        self._check_version(stored, body)
        return self._keep(key, _merged(stored, body))

    def replace(self, obj):
        key = self._write("update", obj["apiVersion"], obj["kind"], obj["metadata"]["name"],
                          obj["metadata"].get("namespace"))
        self._check_version(self._existing(key), obj)
        return self._keep(key, copy.deepcopy(obj))

    def delete(self, api_version, kind, name, namespace=None, resource_version=None):
        key = self._write("delete", api_version, kind, name, namespace)
        if key in self._objects:
            self._check_version(self._objects[key], {"metadata": {"resourceVersion": resource_version}})
        return self._objects.pop(key, None) is not None

    def exec(self, namespace, pod, container, argv, timeout=60):
        self.requests.append(("exec", pod, tuple(argv)))
        answer = self.commands.get((pod, tuple(argv)), ExecResult(1, "", "No such file or directory"))
        if isinstance(answer, errors.Error):
            raise answer
        return answer if isinstance(answer, ExecResult) else ExecResult(0, answer, "")

    def raw(self, path, params=()):
        self.requests.append(("raw", path, tuple(params)))
        answer = self.pages.get(path, errors.NotFound("%s: cannot get %s: not found." % (self.host, path)))
        if isinstance(answer, errors.Error):
            raise answer
        return answer

    # Inside.

    @staticmethod
    def _key(api_version, kind, name, namespace):
        return api_version, kind, namespace or "", name

    def _note(self, verb, api_version, kind, name):
        self.requests.append((verb, kind, name))
        if not self.serves(api_version, kind):
            raise errors.NotFound("%s does not serve %s of %s." % (self.host, kind, api_version))
        if (verb, kind) in self._refused:
            raise self._refused[verb, kind]

    def _write(self, verb, api_version, kind, name, namespace):
        actions, self._before = self._before, []
        for action in actions:
            action(self)
        self._note(verb, api_version, kind, name)
        self.writes.append((verb, kind, name))
        return self._key(api_version, kind, name, namespace)

    def _existing(self, key):
        if key not in self._objects:
            raise errors.NotFound('%s: %s "%s" not found.' % (self.host, key[1], key[3]))
        return self._objects[key]

    def _check_version(self, stored, body):
        asked = body.get("metadata", {}).get("resourceVersion")
        if asked and asked != stored["metadata"]["resourceVersion"]:
            raise errors.Conflict('%s: "%s": the object has been modified.' % (self.host, stored["metadata"]["name"]))

    def _keep(self, key, new):
        old = self._objects[key]
        new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        if new != old:
            self.put(new)
        return copy.deepcopy(self._objects[key])


def _merged(target, patch):
    """RFC 7386."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), value)
    return result


def _selected(values, selector):
    """Whether values fulfil "a=b,c,!d"."""
    for term in filter(None, (selector or "").split(",")):
        name, equals, wanted = term.partition("=")
        if name.startswith("!"):
            fulfilled = name[1:] not in values
        else:
            fulfilled = values.get(name) == wanted if equals else name in values
        if not fulfilled:
            return False
    return True
