# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of images and registries, by the grammar that docker, containers/image and OpenShift share.

    reference = [host[:port] "/"] path [":" tag] ["@" digest]

The patterns accept what the Go regular expressions of that grammar accept, written so that Python's
backtracking engine cannot be led astray by a long bad name.
"""
from __future__ import annotations

import dataclasses
import re

from .errors import InvalidInput

DEFAULT_REGISTRY = "docker.io"
LONGEST_NAME = 255

LABEL = "[a-zA-Z0-9]+(?:-+[a-zA-Z0-9]+)*"
HOST = LABEL + r"(?:\." + LABEL + ")*"
REGISTRY = HOST + "(?::[0-9]+)?"
COMPONENT = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
PATH = COMPONENT + "(?:/" + COMPONENT + ")*"
TAG = "[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}"
DIGEST = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"

_REFERENCE = re.compile("((?:(" + REGISTRY + ")/)?(" + PATH + "))(?::(" + TAG + "))?(?:@(" + DIGEST + "))?")
_REGISTRY = re.compile(REGISTRY)
_TAG = re.compile(TAG)
_BARE_ID = re.compile("[a-f0-9]{64}")
_DIGEST_OF = {
    "sha256": re.compile("[a-f0-9]{64}"),
    "sha384": re.compile("[a-f0-9]{96}"),
    "sha512": re.compile("[a-f0-9]{128}"),
}
_USERINFO = re.compile("//[^/@]*@")

# What OpenShift itself serves. A mirror's content is pushed by digest alone, which this registry does not take.
_INTERNAL_SERVICE = re.compile(r"image-registry\.openshift-image-registry\.svc(?:\.cluster\.local)?(?::[0-9]+)?")
_INTERNAL_ROUTE = "default-route-openshift-image-registry."


@dataclasses.dataclass(frozen=True)
class ImageRef:
    """An image in a registry; `tag` and `digest` are None where the reference has none."""

    registry: str
    path: str
    tag: str | None = None
    digest: str | None = None

    @property
    def repository(self):
        """registry/path, the name without tag and digest."""
        return self.registry + "/" + self.path if self.registry else self.path

    def with_tag(self, tag):
        """The image that has this tag in the same repository; a digest is dropped."""
        if not _TAG.fullmatch(tag):
            raise InvalidInput("%r is not a tag: up to 128 letters, digits, '_', '.' and '-' are." % (tag,))
        return dataclasses.replace(self, tag=tag, digest=None)

    def with_digest(self, digest):
        """The image that has this digest in the same repository; a tag is dropped."""
        return dataclasses.replace(self, tag=None, digest=check_digest(digest))

    def __str__(self):
        tag, digest = ":" + self.tag if self.tag else "", "@" + self.digest if self.digest else ""
        return self.repository + tag + digest


def parse(text):
    """The ImageRef that docker's rules make of `text`: `busybox` is docker.io/library/busybox. No tag is
    invented.

    As in containers/image a host with an underscore is read as a part of the path, and the registry is then
    "". Raises InvalidInput for what is no reference.
    """
    if not isinstance(text, str) or not text:
        raise InvalidInput("An image reference is missing: give registry/path:tag or registry/path@digest.")
    if _BARE_ID.fullmatch(text):
        raise InvalidInput("%s is an image ID, not a reference: put registry/path@sha256: before it." % text)
    head, slash, tail = text.partition("/")
    if slash and names_registry(head):
        registry, rest = head, tail
    else:
        registry, rest = DEFAULT_REGISTRY, text
    if registry == "index.docker.io":
        registry = DEFAULT_REGISTRY
    if registry == DEFAULT_REGISTRY and "/" not in rest:
        rest = "library/" + rest
    try:
        domain, path, tag, digest = split(registry + "/" + rest)
    except InvalidInput as error:
        raise InvalidInput("%r is not an image reference: %s" % (without_userinfo(text), error.message))
    return ImageRef(domain, path, tag, digest)


def split(text):
    """(registry or "", path, tag or None, digest or None) of `text` as it is written, without docker's
    defaults.

    Raises InvalidInput with the reason alone; the caller names the thing.
    """
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise InvalidInput(_why_not(text))
    name, domain, path, tag, digest = match.groups()
    if len(name) > LONGEST_NAME:
        raise InvalidInput("the name is longer than %d characters." % LONGEST_NAME)
    return domain or "", path, tag, check_digest(digest) if digest else None


def names_registry(head):
    """True if the first part of a reference is a registry and not an organisation on docker.io."""
    return "." in head or ":" in head or head == "localhost"


def is_registry(text):
    """True if `text` is host[:port] by the grammar of references."""
    return _REGISTRY.fullmatch(text) is not None


def check_digest(digest):
    """`digest` unchanged; raises InvalidInput unless it is sha256, sha384 or sha512 in lower-case
    hexadecimal."""
    algorithm, _colon, encoded = digest.partition(":")
    if algorithm not in _DIGEST_OF:
        raise InvalidInput("the digest algorithm %r is not sha256, sha384 or sha512." % algorithm)
    if not _DIGEST_OF[algorithm].fullmatch(encoded):
        raise InvalidInput("the digest is not %s in lower-case hexadecimal of its full length." % algorithm)
    return digest


def check_mirror_registry(text):
    """`text`, a mirror registry's host[:port], unchanged.

    The same string becomes a mirror location, a key of the pull secret and a key of the trusted CAs, so it
    must be valid as each of them. Raises InvalidInput otherwise.
    """
    def refuse(why):
        raise InvalidInput("The mirror registry %r cannot be used: %s" % (without_userinfo(str(text)), why))

    if not isinstance(text, str) or not text:
        refuse("it is empty. Give its host name, and its port if it is not 443.")
    if "://" in text:
        refuse("leave the scheme out; registries are always reached by TLS.")
    if any(character.isspace() for character in text):
        refuse("it contains blanks.")
    if "@" in text:
        refuse("user names and passwords do not belong here.")
    if "/" in text:
        refuse("give host[:port] alone; repositories are chosen elsewhere.")
    if text.startswith("[") or text.count(":") > 1:
        refuse("OpenShift accepts no IPv6 address in a mirror set. Use a host name.")
    host, colon, port = text.partition(":")
    if colon and not (port.isascii() and port.isdigit() and port[0] != "0" and int(port[:6]) <= 65535):
        refuse("the port must be a number from 1 to 65535.")
    if host != host.lower():
        refuse("write the host in lower case, since keys of a pull secret are compared letter by letter.")
    if not is_registry(text):
        refuse("a host name consists of letters, digits, '-' and '.'.")
    if parse(text + "/a/b").registry != text:
        refuse("CRI-O would take it for a name on %s. Use the fully qualified name, or add the port."
               % DEFAULT_REGISTRY)
    if _INTERNAL_SERVICE.fullmatch(text) or host.startswith(_INTERNAL_ROUTE):
        refuse("it is the cluster's own image registry, which takes no images by digest alone and needs the very "
               "content that is to be mirrored. Use a registry outside the cluster.")
    return text


def without_userinfo(text):
    """`text` for an error message: credentials that someone wrote into a URL are left out."""
    return _USERINFO.sub("//***@", text)


def _why_not(text):
    """The likeliest reason why `text` is no reference, as the end of a sentence."""
    if "://" in text:
        return "a reference has no scheme; leave out everything up to '//'."
    if any(character.isspace() for character in text):
        return "it contains blanks."
    if _REFERENCE.fullmatch(text.lower()):
        return "a repository is written in lower case."
    if text.endswith("/"):
        return "it ends with a slash."
    return "expected is registry/path:tag or registry/path@algorithm:digest."
