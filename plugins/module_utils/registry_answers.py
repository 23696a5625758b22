# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a registry means by an answer that was not hoped for."""
from __future__ import annotations

import email.utils
import json
import re
import time

from . import errors
from .connections import failure

TRANSIENT = (408, 429, 500, 502, 503, 504)
# Answers to an upload in one PUT by registries, or proxies before them, that take uploads only in parts.
NOT_IN_ONE_PUT = (400, 404, 405, 411, 413, 415, 416, 501)
# Codes with which the same statuses speak of this upload alone.
OF_THIS_UPLOAD = ("DIGEST_INVALID", "SIZE_INVALID", "BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID")

CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}\Z")


def error_code(body):
    """The code of the first error in a registry's JSON answer (bytes), such as MANIFEST_UNKNOWN, or ""."""
    try:
        code = json.loads(body.decode("utf-8"))["errors"][0]["code"]
    except (ValueError, LookupError, TypeError):
        return ""
    return code if isinstance(code, str) and CODE.match(code) else ""


def retry_after(headers):
    """Seconds that a 429 or 503 asks to wait, or None. A date is held against the server's own clock, if it tells it."""
    value = (headers.get("Retry-After") or "").strip()
    if value.isdigit():
        return float(value)
    then = seconds(value)
    if then is None:
        return None
    now = seconds(headers.get("Date"))
    return max(then - (time.time() if now is None else now), 0.0)


def seconds(date):
    """A date as HTTP writes it, in seconds since 1970; None if it is no date."""
    try:
        return email.utils.parsedate_to_datetime(date or "").timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def refusal(host, repository, status, body, action, login, fresh_token=False):
    """The error for an answer; its detail `denied` is True if it is the right that is missing, and not the login.

    action -- (verb, object) of what was asked, such as ("read", "manifest 4.16.30-x86_64")
    login -- whether credentials were there to be sent
    fresh_token -- whether a token was sent that was given for just this: by it the credentials are known to be right
    """
    code = error_code(body)
    place = host + ("/" + repository if repository else "")
    words = " ".join(action)
    told = "%d%s" % (status, " " + code if code else "")
    details = {"registry": host, "repository": repository, "status": status, "code": code}
    if status == 401 and login and fresh_token:
        return failure(errors.Unauthorized, "%s: the user has no right to it, or it does not exist (401)." % place,
                       "Grant it to the user of the auth file's entry for %s." % host, denied=True, **details)
    if status == 401:
        refused = "the credentials" if login else "requests without credentials"
        return failure(errors.Unauthorized, "%s: the registry does not accept %s (401)." % (place, refused),
                       login_remedy(host, login), **details)
    if status == 403:
        return failure(errors.Unauthorized, "%s: no right to %s (%s)." % (place, words, told),
                       "Grant it to the user of the auth file's entry for %s." % host, denied=True, **details)
    if status == 404:
        return errors.NotFound("%s: %s does not exist (%s)." % (place, action[1], told), **details)
    if status == 413:
        return failure(errors.Error, "%s: cannot %s: too large for the registry or a proxy before it (413)."
                       % (place, words), "Raise the limit of a request's body there.", **details)
    if status == 429:
        return failure(errors.Unreachable, "%s: the registry limits the rate of requests (429) and did not relent."
                       % place, "Give it fewer requests at a time (registry_workers), or try later.", **details)
    kind = errors.Unreachable if status in TRANSIENT else errors.Error
    return kind("%s: cannot %s: the registry answers %s." % (place, words, told), **details)


def login_remedy(host, login):
    """What to do when a registry or its token server says 401."""
    if login:
        return "Check user and password of the auth file's entry for %s." % host
    return "Give the auth file an entry for %s (the key is host[:port][/path], without a trailing slash)." % host
