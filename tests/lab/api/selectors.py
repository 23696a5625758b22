# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Label and field selectors: a text becomes a test of one object."""

from __future__ import annotations

import re
from collections.abc import Callable

from . import errors

Test = Callable[[dict], bool]

_SET = re.compile(r"(?P<key>[^\s!=,()]+)\s+(?P<how>in|notin)\s*\((?P<values>[^)]*)\)")
_EQUALITY = re.compile(r"(?P<key>[^\s!=,()]+)\s*(?P<how>==|=|!=)\s*(?P<value>[^\s!=,()]*)")
_EXISTENCE = re.compile(r"(?P<negated>!?)\s*(?P<key>[^\s!=,()]+)")
_FIELD = re.compile(r"(?P<key>[^=!,]+)(?P<how>==|=|!=)(?P<value>(?:\\.|[^,\\])*)")

# The fields beside metadata.name and metadata.namespace that the real API can select by.
_FIELDS_OF = {
    "pods": "spec.nodeName spec.restartPolicy spec.schedulerName spec.serviceAccountName spec.hostNetwork status.phase "
    "status.podIP status.nominatedNodeName",
    "events": "involvedObject.kind involvedObject.namespace involvedObject.name involvedObject.uid "
    "involvedObject.apiVersion involvedObject.resourceVersion involvedObject.fieldPath reason reportingComponent "
    "source type",
    "secrets": "type",
    "namespaces": "status.phase",
    "nodes": "spec.unschedulable",
    "jobs.batch": "status.successful",
    "replicasets.apps": "status.replicas",
}


def labels(selector: dict[str, str] | str | None) -> Test:
    """A test for a mapping of labels that must all be there, or for a selector's text; none accepts everything."""
    if not selector:
        return lambda obj: True
    if isinstance(selector, dict):
        wanted = selector.items()
        return lambda obj: wanted <= (obj["metadata"].get("labels") or {}).items()
    requirements = [_requirement(term) for term in _terms(selector)]

    def test(obj: dict) -> bool:
        found = obj["metadata"].get("labels") or {}
        return all(requirement(found) for requirement in requirements)

    return test


def label_selector(selector: dict | None) -> Test:
    """A test for a LabelSelector object; an empty one accepts everything, none nothing."""
    if selector is None:
        return lambda obj: False
    terms = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or []:
        key, values = expression["key"], ",".join(expression.get("values") or [])
        operator = expression["operator"]
        terms.append({"Exists": key, "DoesNotExist": f"!{key}"}.get(operator, f"{key} {operator.lower()} ({values})"))
    return labels(",".join(terms))


def _terms(selector: str) -> list[str]:
    """Split at the commas outside parentheses."""
    return [term.strip() for term in re.split(r",(?![^(]*\))", selector)]


def _requirement(term: str) -> Callable[[dict], bool]:
    if match := _SET.fullmatch(term):
        key, values = match["key"], {value.strip() for value in match["values"].split(",")}
        if match["how"] == "in":
            return lambda found: found.get(key) in values
        return lambda found: found.get(key) not in values
    if match := _EQUALITY.fullmatch(term):
        key, value = match["key"], match["value"]
        if match["how"] == "!=":
            return lambda found: found.get(key) != value
        return lambda found: found.get(key) == value
    if match := _EXISTENCE.fullmatch(term):
        key, present = match["key"], not match["negated"]
        return lambda found: (key in found) is present
    _key, *rest = re.findall(r"[^\s!=,()]+|\S", term) or [""]
    found = f"found '{rest[0]}'" if rest else "found ''"
    raise errors.bad_request(f"unable to parse requirement: {found}, expected: in, notin, =, ==, !=, gt, lt")


def fields(resource: str, selector: str | None) -> Test:
    """A test for a field selector; 400 for a field that the resource cannot be selected by."""
    if not selector:
        return lambda obj: True
    known = {"metadata.name", "metadata.namespace", *_FIELDS_OF.get(resource, "").split()}
    requirements = []
    for term in re.split(r"(?<!\\),", selector):
        match = _FIELD.fullmatch(term.strip())
        if not match:
            raise errors.bad_request(f"invalid field selector: '{term}'; can't understand '{term}'")
        if match["key"] not in known:
            if resource in _FIELDS_OF:
                raise errors.bad_request(f"field label not supported: {match['key']}")
            only = 'only "metadata.name", "metadata.namespace"'
            raise errors.bad_request(f'"{match["key"]}" is not a known field selector: {only}')
        requirements.append((match["key"].split("."), match["how"] != "!=", re.sub(r"\\(.)", r"\1", match["value"])))
    return lambda obj: all((_text(obj, path) == value) is equal for path, equal, value in requirements)


def _text(obj: dict, path: list[str]) -> str:
    value = obj
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    if path == ["source"] and isinstance(value, dict):
        value = value.get("component")
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "false" if path[-1] in ("unschedulable", "hostNetwork") else ""}[
            value
        ]
    return str(value)
