# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How modules are told to reach registries: the options of the doc fragment `registry`, and what is made of them."""
from __future__ import annotations

from . import dockerconfigjson, errors, secrets
from .registry import Registries

ARGUMENT_SPEC = dict(
    auth_file=dict(type="path"),
    ca_files=dict(type="list", elements="path", default=[]),
    ca_content=dict(default=""),
    plain_http=dict(type="list", elements="str", default=[]),
    registry_workers=dict(type="dict", default={}),
)


def connect(module, auth=None, **settings):
    """Registries as the module's options ask for them; `auth` is a document to use instead of that in auth_file."""
    params = module.params
    return Registries(given_auth(module) if auth is None else auth, params["ca_files"], params["ca_content"],
                      params["plain_http"], bounds=bounds(params["registry_workers"]), **settings)


def bounds(given):
    """{host: requests at a time} of what was given for registries. Raises InvalidInput for what is no number from 1 on."""
    found = {}
    for host, count in given.items():
        try:
            found[host] = int(str(count))
        except ValueError:
            found[host] = 0
        if found[host] < 1:
            raise errors.InvalidInput("registry_workers: %r for %s is no number of requests. Give at least 1." % (count, host))
    return found


def given_auth(module):
    """The document in the module's auth_file, its secrets protected; None if there is no such file."""
    if not module.params["auth_file"]:
        return None
    auth = read_auth_file(module.params["auth_file"])
    secrets.protect(module, *dockerconfigjson.secrets(auth))
    return auth


def read_auth_file(path):
    """The parsed auth file. Raises InvalidInput naming the file and what is wrong with it, never what it holds."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        raise errors.InvalidInput("The auth file %s does not exist on this host. The playbook prepare and the role pull_secret "
                                  "write it." % path)
    except (OSError, UnicodeDecodeError):
        raise errors.InvalidInput("The auth file %s cannot be read by this user." % path)
    try:
        return dockerconfigjson.parse(text)
    except errors.InvalidInput as error:
        raise errors.InvalidInput("The auth file %s: %s" % (path, error.message))
