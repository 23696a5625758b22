# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_images
short_description: Copy the images of a plan to the mirror registry, and say of each what became of it
version_added: 0.1.0
description:
  - Asks the mirror registry for every target by one request. What is there with the right digest is not touched; when
    everything is, nothing else happens.
  - Copies what is missing from registry to registry, all architectures of it, through memory and never through the
    disk, unless O(mode) says otherwise. A layer that several images share travels once. Every digest is computed again
    on the way.
  - An image counts as mirrored when the mirror registry has accepted it under its digest. One that fails does not
    keep the others from being mirrored, and a run that is cut off is finished by the next one.
  - What fails in a way that may pass, such as an overloaded or unreachable registry, is tried again with growing
    pauses.
  - Needs nothing but Python on the host where it runs, unless O(engine) says otherwise.
author:
  - The disconnected.openshift maintainers (!UNKNOWN)
extends_documentation_fragment:
  - disconnected.openshift.attributes
  - disconnected.openshift.registry
attributes:
  check_mode:
    support: full
    details: Asks for every target and reads no content.
  diff_mode:
    support: full
options:
  plan:
    description:
      - The images, as M(disconnected.openshift.mirror_plan) returns them. One of O(plan) and O(plan_file) is required,
        except with O(mode=from_disk), where the plan in the archive is the default.
    type: list
    elements: dict
    suboptions:
      source:
        description: Where the image is, by digest or tag.
        type: str
        required: true
      target:
        description: Where it goes, by tag.
        type: str
        required: true
      source_tag:
        description: The tag that it was asked for by. Not used.
        type: str
      kind:
        description: What it is. Not used.
        type: str
      origin:
        description: What asked for it. Not used.
        type: str
  plan_file:
    description: Path of a plan that M(disconnected.openshift.mirror_plan) wrote, on the host where the module runs.
    type: path
  mode:
    description:
      - V(direct) copies from registry to registry.
      - V(to_disk) copies to an archive on the disk of the host where the module runs; the mirror registry is not asked.
        Images that are in the archive already are not read again, so that a run that was cut off is finished by the
        next one. What the plan does not ask for is removed from the archive once everything that it asks for is there.
      - V(from_disk) copies from an archive to the mirror registry; the source registries are not asked. If an image is
        missing there, the archive is checked whole against its checksum list before anything is sent.
    type: str
    choices: [direct, to_disk, from_disk]
    default: direct
  archive:
    description:
      - The archive's directory on the host where the module runs. Required with O(mode=to_disk) and O(mode=from_disk).
      - It is an OCI image layout with the plan (C(plan.json)) and a checksum list (C(SHA256SUMS)) beside it. Its images
        are called by their place on the mirror registry, such as C(ocp/release:4.16.30-x86_64).
      - With O(mode=from_disk) it may as well be a tar file of that directory, or a directory with a directory or a tar
        file for each part.
    type: path
  archive_size:
    description:
      - With O(mode=to_disk), cuts the archive into directories C(part-001), C(part-002) and so on of at most this size,
        to be carried on a medium each. V(700M) and V(25G) mean 1024 and not 1000.
      - Leave some room for the medium's own file system.
    type: bytes
  workers:
    description:
      - How many images or layers are copied at a time. No registry gets more requests at a time than that, and some get
        fewer; see O(registry_workers).
    type: int
    default: 8
  retries:
    description: How often images that failed in a way that may pass are tried again, after all others were tried.
    type: int
    default: 2
  patience:
    description: Seconds for which a single request that fails in a way that may pass is repeated.
    type: int
    default: 30
  engine:
    description:
      - What copies the images.
      - V(native) does it itself. It is the only one that writes and reads archives.
      - V(oc) has C(oc image mirror) do it, which has to be on the host where the module runs, release 4.14 or newer. It is
        started many times for a few images each, so that one failure costs no more than these, and twice as many of it
        as O(workers) side by side, since it limits itself to few requests a second. What is there is still asked of the
        registry itself, before and after.
    type: str
    choices: [native, oc]
    default: native
  progress_file:
    description:
      - File on the host where the module runs to append a line of progress to now and then, for C(tail -f).
      - Where that host is the controller itself, these lines are shown while the task runs, with or without a file.
    type: path
  progress_interval:
    description: Seconds between two lines of progress. With V(0) there are none.
    type: float
    default: 15
seealso:
  - module: disconnected.openshift.mirror_plan
"""

EXAMPLES = r"""
- name: Mirror what is planned
  disconnected.openshift.mirror_images:
    plan: "{{ mirror_plan_result.plan }}"
    auth_file: ~/.config/disconnected.openshift/auth.json

- name: Write what is planned to an archive, in parts for disks of 64 GB
  disconnected.openshift.mirror_images:
    plan_file: /data/archive.plan.json
    mode: to_disk
    archive: /data/archive
    archive_size: 58G
    auth_file: ~/.config/disconnected.openshift/auth.json

- name: Let the mirror registry have what is in an archive
  disconnected.openshift.mirror_images:
    mode: from_disk
    archive: /data/archive
    auth_file: ~/.config/disconnected.openshift/auth.json

- name: Prove that all of it is there
  disconnected.openshift.mirror_images:
    plan: "{{ mirror_plan_result.plan }}"
    auth_file: ~/.config/disconnected.openshift/auth.json
  check_mode: true
  register: mirror_proof
  failed_when: mirror_proof is failed or mirror_proof.missing | length > 0
"""

RETURN = r"""
images:
  description: Every image of the plan, in its order.
  returned: when the registries could be asked
  type: list
  elements: dict
  contains:
    source:
      description: Where it comes from.
      type: str
    target:
      description: Where it goes.
      type: str
    status:
      description: V(present) if it was there, V(done) if it was copied, V(missing) in check mode, or V(failed).
      type: str
    reason:
      description: Why it failed; empty otherwise.
      type: str
missing:
  description: Targets that are not on the mirror registry, whether they failed or were only looked for.
  returned: when the registries could be asked
  type: list
  elements: str
failures:
  description: The images of RV(images) that failed.
  returned: when the registries could be asked
  type: list
  elements: dict
counts:
  description: How many images there are of each status, and C(total).
  returned: when the registries could be asked
  type: dict
requests:
  description: How many requests were sent to all registries, not counting those of C(oc).
  returned: when the registries could be asked
  type: int
parts:
  description: >-
    The directories of the archive, one for each medium. Without O(archive_size) it is one, the archive itself.
  returned: with O(mode=to_disk)
  type: list
  elements: dict
  contains:
    path:
      description: The directory.
      type: str
    bytes:
      description: The sum of its files' sizes.
      type: int
bytes_received:
  description: How many bytes of layers and manifests were read, not counting what C(oc) did.
  returned: when the registries could be asked
  type: int
bytes_sent:
  description: How many bytes of layers were sent, or written to an archive, not counting what C(oc) did.
  returned: when the registries could be asked
  type: int
"""

import tempfile
from collections import Counter

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import archive, archive_layout, archive_reader, errors, oc, progress, registry_inputs, transfer

STATUSES = ("present", "done", "missing", "failed")
NAMED = 10  # causes, and images of one cause, that the message spells out


def main():
    module = AnsibleModule(
        argument_spec=dict(
            registry_inputs.ARGUMENT_SPEC,
            plan=dict(type="list", elements="dict", options=dict(
                source=dict(required=True),
                target=dict(required=True),
                source_tag=dict(),
                kind=dict(),
                origin=dict(),
            )),
            plan_file=dict(type="path"),
            workers=dict(type="int", default=8),
            retries=dict(type="int", default=2),
            patience=dict(type="int", default=30),
            engine=dict(choices=["native", "oc"], default="native"),
            mode=dict(choices=["direct", "to_disk", "from_disk"], default="direct"),
            archive=dict(type="path"),
            archive_size=dict(type="bytes"),
            progress_file=dict(type="path"),
            progress_interval=dict(type="float", default=15),
        ),
        mutually_exclusive=[("plan", "plan_file")],
        required_if=[
            ("mode", "direct", ("plan", "plan_file"), True),
            ("mode", "to_disk", ("plan", "plan_file"), True),
            ("mode", "to_disk", ("archive",)),
            ("mode", "from_disk", ("archive",)),
        ],
        supports_check_mode=True,
    )
    params = module.params
    try:
        if params["engine"] != "native" and params["mode"] != "direct":
            raise errors.InvalidInput("The engine %s copies from registry to registry only. Use the engine native for "
                                      "the mode %s." % (params["engine"], params["mode"]))
        auth = registry_inputs.given_auth(module)
        with registry_inputs.connect(module, auth, patience=params["patience"]) as registries:
            if params["mode"] == "to_disk":
                result = to_disk(module, registries)
            elif params["mode"] == "from_disk":
                result = from_disk(module, registries)
            else:
                result = direct(module, registries, auth)
    except errors.Error as error:
        module.fail_json(**error.result())
    if result["failures"]:
        place = "in the archive" if params["mode"] == "to_disk" else "on the mirror registry"
        module.fail_json(msg=complaint(result["images"], place), **result)
    module.exit_json(**result)


def direct(module, registries, auth):
    """The result of copying from registry to registry."""
    orders = [transfer.Order(item["source"], item["target"]) for item in plan_of(module.params)["items"]]
    if module.params["engine"] == "native" or module.check_mode:
        return report(carry_out(module, orders, registries), registries)
    program = oc.Oc(oc.find())
    program.version()
    with tempfile.TemporaryDirectory(dir=module.tmpdir) as directory:
        engine = oc.Engine(program, directory, orders, auth, module.params["ca_files"], module.params["ca_content"],
                           module.params["plain_http"], registries.bound)
        return report(carry_out(module, orders, registries, engine=engine.copy), registries)


def to_disk(module, registries):
    """The result of copying from registries to an archive."""
    params = module.params
    document = plan_of(params)
    orders = [transfer.Order(item["source"], item["target"]) for item in document["items"]]
    with archive.Writer(params["archive"], document, params["archive_size"], params["patience"]) as writer:
        verdicts = carry_out(module, orders, registries, archive.ForEveryHost(writer), writer.copy)
        result = report(verdicts, registries, writer)
        complete = not result["missing"]
        if module.check_mode:
            result["changed"] = result["changed"] or complete and writer.differs()
        else:
            result["changed"] = writer.finish(complete) or result["changed"]
        result["parts"] = writer.parts()
    return result


def from_disk(module, registries):
    """The result of copying from an archive to the mirror registry."""
    params = module.params
    reader = archive_reader.Reader(params["archive"])
    document = reader.plan() if params["plan"] is None and params["plan_file"] is None else plan_of(params)
    orders = [transfer.Order(*pair) for pair in archive_layout.resolved(document["items"], reader.index())]
    verdicts = carry_out(module, orders, archive.ForEveryHost(reader), registries, reader.copy)
    return report(verdicts, registries, reader)


def plan_of(params):
    """The document of the given plan."""
    if params["plan"] is not None:
        items = [{key: value for key, value in item.items() if value is not None} for item in params["plan"]]
        return {"format": archive_layout.PLAN_FORMAT, "items": items}
    try:
        with open(params["plan_file"], "rb") as file:
            raw = file.read()
    except FileNotFoundError:
        raise errors.InvalidInput("The plan file %s does not exist on this host." % params["plan_file"])
    except OSError:
        raise errors.InvalidInput("The plan file %s cannot be read by this user." % params["plan_file"])
    return archive_layout.read_plan(raw, params["plan_file"])


def carry_out(module, orders, sources, targets=None, engine=None):
    """Verdicts of having `engine`, or transfer's own, bring what is missing; in check mode of having looked."""
    params = module.params
    if module.check_mode:
        return transfer.look(orders, sources, params["workers"], targets)

    def received():
        return sum(source.bytes_received for source in sources)

    with progress.Watch(params["progress_file"], params["progress_interval"], received) as watch:
        return transfer.mirror(orders, sources, params["workers"], 1 + params["retries"], progress=watch.told,
                               engine=engine, targets=targets)


def report(verdicts, registries, *archives):
    """The module's result, with what was read and written at the registries and at an archive."""
    ends = [*registries, *archives]
    counts = Counter(verdict.status for verdict in verdicts)
    moved = [verdict for verdict in verdicts if verdict.status in ("done", "missing")]
    return dict(
        changed=bool(moved),
        diff=dict(before="", after="".join("%s\n" % verdict.target for verdict in moved)),
        images=[verdict._asdict() for verdict in verdicts],
        missing=[verdict.target for verdict in verdicts if verdict.status in ("missing", "failed")],
        failures=[verdict._asdict() for verdict in verdicts if verdict.status == "failed"],
        counts=dict({status: counts[status] for status in STATUSES}, total=len(verdicts)),
        requests=registries.requests,
        bytes_received=sum(end.bytes_received for end in ends),
        bytes_sent=sum(end.bytes_sent for end in ends),
    )


def complaint(images, place="on the mirror registry"):
    """The message for images that failed: each cause once, with the images that it struck."""
    struck = {}
    for image in images:
        if image["status"] == "failed":
            struck.setdefault(image["reason"], []).append(image["source"])
    sentences = ["%s: %s" % (named(sources), reason) for reason, sources in list(struck.items())[:NAMED]]
    if len(struck) > NAMED:
        sentences.append("And %d more causes; all images are in failures." % (len(struck) - NAMED))
    count = sum(len(sources) for sources in struck.values())
    return "%d of %d images are not %s. %s" % (count, len(images), place, " ".join(sentences))


def named(sources):
    return ", ".join(sources[:NAMED]) + (" and %d more" % (len(sources) - NAMED) if len(sources) > NAMED else "")


if __name__ == "__main__":
    main()
