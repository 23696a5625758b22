# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong, as a small family of exceptions.

Everything below a module's main() raises one of these; main() turns it into fail_json once. A message names the thing,
the cause and the remedy, and never holds a secret: results, logs and callbacks show it as it is.
"""
from __future__ import annotations


class Error(Exception):
    """Something the caller must be told. `details` join the module's result under their own names.

    after -- in how many seconds whoever refused asked to be called again, if it said so
    """

    after = None

    def __init__(self, message, **details):
        super().__init__(message)
        self.message = message
        self.details = details

    def result(self):
        """The keyword arguments of fail_json."""
        return dict(self.details, msg=self.message)


class InvalidInput(Error):
    """What was given cannot be used: a malformed document, reference, certificate or variable."""


class Unreachable(Error):
    """No usable connection: refused, timed out, name unknown, or a certificate that is not trusted."""


class Unauthorized(Error):
    """A registry does not accept the credentials, or they lack the right that is needed."""


class Forbidden(Error):
    """The cluster's API denies the request to this user."""


class NotFound(Error):
    """The named image, object or file does not exist."""


class Conflict(Error):
    """Somebody else's object, or a concurrent change, stands in the way."""


class TimedOut(Error):
    """It did not happen in the time given; the message says what was still missing."""


class Degraded(Error):
    """The cluster itself reports a failure that waiting does not mend."""


class Corrupt(Error):
    """Bytes do not match their digest, or an archive is incomplete."""
