# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every image reference that the objects of a cluster ask for, and who asks for it.

Where references sit in an object is a table of JMESPath expressions, which users extend for kinds of their
own. What an expression gives may be text, a container (an object with `image` and perhaps `imagePullPolicy`),
or one of OpenShift's object references (`kind` DockerImage, ImageStreamTag or ImageStreamImage, `name`,
perhaps `namespace`), alone or in lists of any depth. Null and blank text say nothing.
"""
from __future__ import annotations

import functools
from dataclasses import dataclass

from .errors import Error, InvalidInput

try:
    import jmespath
except ImportError:
    jmespath = None

MACHINE_CONFIG = "machineconfiguration.openshift.io/v1"
OPERATORS = "operators.coreos.com/v1alpha1"
PLATFORM_PREFIXES = ("openshift-", "kube-")

# What makes it likelier, or worse, that a reference is pulled again.
ALWAYS, CRON_JOB, DAEMON_SET, SYSTEM_NAMESPACE = "always", "cron_job", "daemon_set", "system_namespace"


@dataclass(frozen=True)
class Kind:
    """A row of the table.

    images -- JMESPath expressions that give references
    unless -- a JMESPath expression; an object for which it holds asks for no image any more
    selector -- a label selector for the objects that are worth reading
    """

    api_version: str
    kind: str
    images: tuple
    unless: str = ""
    selector: str = ""


_CONTAINER_KINDS = ("initContainer", "container", "ephemeralContainer")
_CONTAINERS = "[%s]" % ", ".join(kind + "s" for kind in _CONTAINER_KINDS)
_TEMPLATE = "spec.template.spec." + _CONTAINERS

KINDS = (
    Kind("v1", "Pod", ("spec." + _CONTAINERS,), unless="status.phase == 'Succeeded' || status.phase == 'Failed'"),
    Kind("v1", "ReplicationController", (_TEMPLATE,)),
    Kind("apps/v1", "DaemonSet", (_TEMPLATE,)),
    Kind("apps/v1", "Deployment", (_TEMPLATE,)),
    Kind("apps/v1", "ReplicaSet", (_TEMPLATE,)),
    Kind("apps/v1", "StatefulSet", (_TEMPLATE,)),
    Kind("batch/v1", "CronJob", ("spec.jobTemplate." + _TEMPLATE,)),
    Kind("batch/v1", "Job", (_TEMPLATE,),
         unless="status.conditions[?(type == 'Complete' || type == 'Failed') && status == 'True']"),
    Kind("apps.openshift.io/v1", "DeploymentConfig", (_TEMPLATE,)),
    Kind("build.openshift.io/v1", "BuildConfig", ("spec.strategy.*.from", "spec.source.images[].from")),
    # What the samples operator imports is pulled by nobody until somebody's build or deployment names it; a
    # failing import of it leaves the cluster as it is.
    Kind("image.openshift.io/v1", "ImageStream",
         ("spec.tags[?importPolicy.scheduled].from", "status.tags[].items[0].dockerImageReference"),
         unless="""metadata.labels."samples.operator.openshift.io/managed" == 'true'"""),
    Kind(OPERATORS, "CatalogSource", ("spec.image",)),
    # OLM copies the version of an operator into every namespace that the operator serves.
    Kind(OPERATORS, "ClusterServiceVersion",
         ("spec.relatedImages", "spec.install.spec.deployments[]." + _TEMPLATE), selector="!olm.copiedFrom"),
    Kind("olm.operatorframework.io/v1", "ClusterCatalog", ("spec.source.image.ref",),
         unless="spec.availabilityMode == 'Unavailable'"),
    Kind("config.openshift.io/v1", "ClusterVersion", ("status.desired.image", "status.history[0].image")),
    # The images that the nodes' own services pull; the pause image of every pod is one of them.
    Kind(MACHINE_CONFIG, "ControllerConfig",
         ("spec.[releaseImage, osImageURL, baseOSContainerImage, baseOSExtensionsContainerImage]", "spec.images.*")),
    Kind(MACHINE_CONFIG, "MachineConfig", ("spec.osImageURL",)),
    Kind("serving.knative.dev/v1", "Service", (_TEMPLATE,)),
    Kind("tekton.dev/v1", "Pipeline", ("spec.[tasks, finally][][].taskSpec.[steps, sidecars, stepTemplate]",)),
    Kind("tekton.dev/v1", "Task", ("spec.[steps, sidecars, stepTemplate]",)),
)


@dataclass(frozen=True)
class Use:
    """Who asks for an image, for a pod its workload; `always` if it is pulled at every start."""

    kind: str
    namespace: str
    name: str
    always: bool = False


@dataclass(frozen=True)
class Reference:
    """An image reference as it is written, and its uses, each once, in order.

    running -- nobody asks for it by this name: it is the digest that pods run which ask for a tag
    """

    image: str
    uses: tuple
    running: bool = False

    @property
    def risk(self):
        """[words] of what makes it likelier, or worse, that the image is pulled again."""
        found = []
        if any(use.always for use in self.uses):
            found.append(ALWAYS)
        kinds = {use.kind for use in self.uses}
        found += [risk for risk, kind in ((CRON_JOB, "CronJob"), (DAEMON_SET, "DaemonSet")) if kind in kinds]
        if any(is_platform(use.namespace) for use in self.uses):
            found.append(SYSTEM_NAMESPACE)
        return found


def is_platform(namespace):
    """Whether a namespace is one of OpenShift's own."""
    return namespace == "openshift" or namespace.startswith(PLATFORM_PREFIXES)


def table(own=()):
    """The rows of the table, with those for `own` kinds: [{"api_version", "kind", "images": [expressions]}].

    What is given for a kind of the table is looked for besides. Raises InvalidInput for an expression that is
    none, and Error without the library jmespath.
    """
    rows = {(row.api_version, row.kind): row for row in KINDS}
    for entry in own:
        key = entry["api_version"], entry["kind"]
        known = rows.get(key, Kind(*key, ()))
        rows[key] = Kind(*key, known.images + tuple(entry["images"]), known.unless, known.selector)
    for row in rows.values():
        for expression in row.images:
            _compiled(expression, row.kind)
    return tuple(rows.values())


def collect(rows, objects):
    """[Reference], sorted, in the documents `objects` of the kinds of these rows.

    A ReplicaSet that belongs to a Deployment asks for nothing by itself, and likewise whatever else a
    workload of the table controls; but its pods do, since they may run what their workload asked for before.
    Raises InvalidInput where an expression gives something that is no reference.
    """
    row_of = {(row.api_version, row.kind): row for row in rows}
    objects = [obj for obj in objects if (obj["apiVersion"], obj["kind"]) in row_of]
    controllers = {_identity(obj): _controller(obj, row_of) for obj in objects}
    streams = _images_of_streams(obj for obj in objects if obj["kind"] == "ImageStream")
    uses, running = {}, {}
    for obj in objects:
        identity, row = _identity(obj), row_of[obj["apiVersion"], obj["kind"]]
        if (controllers[identity] and row.kind != "Pod") or (row.unless and _search(row.unless, obj)):
            continue
        owner = _topmost(identity, controllers)
        for image, policy in _found(row, obj, streams):
            uses.setdefault(image, set()).add(Use(*owner, always=_is_always(image, policy)))
        if row.kind == "Pod":
            for image in _run(obj):
                running.setdefault(image, set()).add(Use(*owner))
    found = [Reference(image, _in_order(by)) for image, by in uses.items()]
    found += [Reference(image, _in_order(by), running=True) for image, by in running.items() if image not in uses]
    return sorted(found, key=lambda reference: reference.image)


# Expressions

@functools.lru_cache(maxsize=None)
def _compiled(expression, kind):
    if jmespath is None:
        raise Error("The Python library jmespath is needed on the host where this runs, to find the image "
                    "references in the cluster's objects. Install it (https://pypi.org/project/jmespath/).")
    try:
        return jmespath.compile(expression)
    except jmespath.exceptions.JMESPathError as error:
        raise InvalidInput("%r, given for the kind %s, is not a JMESPath expression: %s"
                           % (expression, kind, " ".join(str(error).split()))) from None


def _search(expression, obj):
    """What an expression gives for an object."""
    compiled = _compiled(expression, obj["kind"])
    try:
        return compiled.search(obj)
    except jmespath.exceptions.JMESPathError as error:
        raise InvalidInput("%r cannot be applied to %s: %s"
                           % (expression, _spoken(obj), " ".join(str(error).split()))) from None


def _found(row, obj, streams):
    """(reference, pull policy or None) pairs of an object."""
    for expression in row.images:
        for item in _flat(_search(expression, obj)):
            text, policy = _reference(item, obj, streams)
            if text is None:
                raise InvalidInput("%r gives something that is neither text nor an object with an image for %s."
                                   % (expression, _spoken(obj)))
            if text.strip():
                yield text.strip(), policy


def _flat(value):
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    elif value is not None:
        yield value


def _reference(item, obj, streams):
    """(text, pull policy) of what an expression gave; the text is None if it is no reference at all."""
    if isinstance(item, str):
        return item, None
    if not isinstance(item, dict):
        return None, None
    if "kind" in item and "name" in item:
        return _named(item, obj["metadata"].get("namespace"), streams), None
    image = item.get("image") or ""
    return (image, item.get("imagePullPolicy")) if isinstance(image, str) else (None, None)


def _named(reference, namespace, streams):
    """The image behind one of OpenShift's object references; "" for one that leads nowhere."""
    if reference["kind"] == "DockerImage":
        return reference["name"]
    return streams.get((reference.get("namespace") or namespace, reference["name"]), "")


def _images_of_streams(streams):
    """{(namespace, "stream:tag" or "stream@digest"): the image's reference} of ImageStreams."""
    images = {}
    for stream in streams:
        namespace, name = stream["metadata"].get("namespace"), stream["metadata"]["name"]
        for tag in (stream.get("status") or {}).get("tags") or ():
            items = tag.get("items") or ()
            for item in items:
                images[namespace, "%s@%s" % (name, item.get("image"))] = item.get("dockerImageReference") or ""
            if items:
                images[namespace, "%s:%s" % (name, tag["tag"])] = items[0].get("dockerImageReference") or ""
    return images


# Pods and their owners

def _identity(obj):
    return obj["kind"], obj["metadata"].get("namespace") or "", obj["metadata"]["name"]


def _spoken(obj):
    return " ".join(part for part in _identity(obj) if part)


def _controller(obj, row_of):
    """The identity of the object that controls this one, if it is of a kind of the table; else None."""
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller") and (owner["apiVersion"], owner["kind"]) in row_of:
            return owner["kind"], obj["metadata"].get("namespace") or "", owner["name"]
    return None


def _topmost(identity, controllers):
    while controllers.get(identity):
        identity = controllers[identity]
    return identity


def _run(pod):
    """The digests, as references, that a pod runs in containers which ask for a tag.

    The container runtime's imageID is such a reference, in some releases a bare ID, which no registry knows.
    """
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    by_tag = {container["name"] for kind in _CONTAINER_KINDS for container in spec.get(kind + "s") or ()
              if "@" not in container["image"]}
    for kind in _CONTAINER_KINDS if by_tag else ():
        for container in status.get(kind + "Statuses") or ():
            image = (container.get("imageID") or "").rpartition("//")[2]
            if container["name"] in by_tag and "/" in image and "@" in image:
                yield image


def _is_always(image, policy):
    """Whether it is pulled at every start; where no policy is written, as the API would say."""
    if policy:
        return policy == "Always"
    name, _at, digest = image.partition("@")
    return not digest and name.rpartition("/")[2].partition(":")[2] in ("", "latest")


def _in_order(uses):
    """Uses in order, each user once."""
    by_user = {}
    for use in uses:
        user = use.kind, use.namespace, use.name
        by_user[user] = by_user.get(user, False) or use.always
    return tuple(Use(*user, always=always) for user, always in sorted(by_user.items()))
