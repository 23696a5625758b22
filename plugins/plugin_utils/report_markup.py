# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTML and SVG, built so that nothing gets into a page unescaped."""
from __future__ import annotations

import html

VOID = frozenset(("meta", "wbr"))


class Markup(str):
    """Text that is markup already. Only this file makes it of other text."""


def text(value):
    """A value as it may stand in a page."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value)))


def join(parts, between=""):
    """Markup of many parts, each escaped unless it is markup; None is left out."""
    return Markup(text(between).join(text(part) for part in parts if part is not None))


def element(name, /, *children, **attributes):
    """<name attribute="value">children</name>. An attribute of None is left out; `class_` is class, `_` in names is -."""
    written = "".join(' %s="%s"' % (key.rstrip("_").replace("_", "-"), html.escape(str(value)))
                      for key, value in attributes.items() if value is not None)
    if name in VOID:
        return Markup("<%s%s>" % (name, written))
    return Markup("<%s%s>%s</%s>" % (name, written, join(children), name))


def raw(trusted):
    """Markup of a constant of this collection, such as its style sheet. Never of anything that was read."""
    return Markup(trusted)


def figure(document, path):
    """The number or word at a path of the document, "clusters.0.nodes.total", marked with where it comes from."""
    value = document
    for step in path.split("."):
        value = value[int(step)] if isinstance(value, list) else value[step]
    return element("span", value, data_figure=path)
