# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_images
short_description: Copy the images of a plan to the mirror registry, and say of each what became of it
description:
  - Asks the mirror registry for every target by one request. What is there with the right digest is not touched; when
    everything is, nothing else happens.
  - Copies what is missing from registry to registry, all architectures of it, through memory and never through the
    disk. A layer that several images share travels once. Every digest is computed again on the way.
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
      - The images, as M(disconnected.openshift.mirror_plan) returns them. Exactly one of O(plan) and O(plan_file) is
        required.
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
  workers:
    description:
      - How many images or layers are copied at a time. No registry gets more connections than that.
      - Use fewer for a registry that limits the rate of requests.
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
      - V(native) does it itself.
      - V(oc) has C(oc image mirror) do it, which has to be on the host where the module runs, release 4.14 or newer. It is
        started many times, O(workers) of them side by side, for a few images each, so that one failure costs no more than
        these. What is there is still asked of the registry itself, before and after.
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
bytes_received:
  description: How many bytes of layers and manifests were read, not counting what C(oc) did.
  returned: when the registries could be asked
  type: int
bytes_sent:
  description: How many bytes of layers were sent, not counting what C(oc) did.
  returned: when the registries could be asked
  type: int
"""

import json
import tempfile
from collections import Counter

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import errors, oc, progress, registry_inputs, transfer

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
            progress_file=dict(type="path"),
            progress_interval=dict(type="float", default=15),
        ),
        mutually_exclusive=[("plan", "plan_file")],
        required_one_of=[("plan", "plan_file")],
        supports_check_mode=True,
    )
    params = module.params
    try:
        items = read_plan(params["plan_file"]) if params["plan"] is None else params["plan"]
        orders = [transfer.Order(item["source"], item["target"]) for item in items]
        auth = registry_inputs.given_auth(module)
        with registry_inputs.connect(module, auth, patience=params["patience"]) as registries:
            if module.check_mode:
                verdicts = transfer.look(orders, registries, params["workers"])
            else:
                verdicts = carry_out(module, orders, registries, auth)
    except errors.Error as error:
        module.fail_json(**error.result())
    result = report(verdicts, registries)
    if result["failures"]:
        module.fail_json(msg=complaint(verdicts), **result)
    module.exit_json(**result)


def read_plan(path):
    """The items of a plan file."""
    try:
        with open(path, encoding="utf-8") as file:
            items = json.load(file)["items"]
        return [{"source": item["source"], "target": item["target"]} for item in items]
    except FileNotFoundError:
        raise errors.InvalidInput("The plan file %s does not exist on this host." % path)
    except (OSError, ValueError, KeyError, TypeError):
        raise errors.InvalidInput("%s is not a plan that mirror_plan wrote." % path)


def carry_out(module, orders, registries, auth):
    """Verdicts of having the chosen engine bring what is missing."""
    params = module.params
    settings = dict(workers=params["workers"], rounds=1 + params["retries"])

    def received():
        return sum(registry.bytes_received for registry in registries)

    with progress.Watch(params["progress_file"], params["progress_interval"], received) as watch:
        if params["engine"] == "native":
            return transfer.mirror(orders, registries, progress=watch.told, **settings)
        program = oc.Oc(oc.find())
        program.version()
        with tempfile.TemporaryDirectory(dir=module.tmpdir) as directory:
            engine = oc.Engine(program, directory, orders, auth, params["ca_files"], params["ca_content"],
                               params["plain_http"])
            return transfer.mirror(orders, registries, progress=watch.told, engine=engine.copy, **settings)


def report(verdicts, registries):
    """The module's result."""
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
        bytes_received=sum(registry.bytes_received for registry in registries),
        bytes_sent=sum(registry.bytes_sent for registry in registries),
    )


def complaint(verdicts):
    """The message for images that failed: each cause once, with the images that it struck."""
    struck = {}
    for verdict in verdicts:
        if verdict.status == "failed":
            struck.setdefault(verdict.reason, []).append(verdict.source)
    sentences = ["%s: %s" % (named(sources), reason) for reason, sources in list(struck.items())[:NAMED]]
    if len(struck) > NAMED:
        sentences.append("And %d more causes; all images are in failures." % (len(struck) - NAMED))
    count = sum(len(sources) for sources in struck.values())
    return "%d of %d images are not on the mirror registry. %s" % (count, len(verdicts), " ".join(sentences))


def named(sources):
    return ", ".join(sources[:NAMED]) + (" and %d more" % (len(sources) - NAMED) if len(sources) > NAMED else "")


if __name__ == "__main__":
    main()
