# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""X.509 certificates as CA files hold them: read, described, checked, written in one form.

The only file that imports cryptography.
"""
from __future__ import annotations

import datetime
import re
import traceback
from dataclasses import dataclass
from typing import Tuple

from ansible.module_utils.basic import missing_required_lib

from . import errors

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    MISSING_LIBRARY = None
except ImportError:
    MISSING_LIBRARY = traceback.format_exc()

BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
DER_SEQUENCE = b"\x30"
INSTEAD = {
    "CERTIFICATE REQUEST": "a certificate request, not a certificate; give the certificate that the CA answers it with",
    "NEW CERTIFICATE REQUEST": "a certificate request, not a certificate; give the certificate that the CA answers it "
                               "with",
    "TRUSTED CERTIFICATE": "OpenSSL's own form; rewrite it by `openssl x509 -in FILE`",
    "PKCS7": "a PKCS #7 bundle; rewrite it by `openssl pkcs7 -print_certs -in FILE`",
    "X509 CRL": "a revocation list, not a certificate",
}


@dataclass(frozen=True)
class Certificate:
    """One certificate. Names are in the form of RFC 4514, times are aware and in UTC, `fingerprint` is what
    `openssl x509 -fingerprint -sha256` prints, `names` are the subject's alternative names, `pem` ends in a
    line end."""

    subject: str
    issuer: str
    not_before: datetime.datetime
    not_after: datetime.datetime
    is_ca: bool
    fingerprint: str
    names: Tuple[str, ...]
    pem: str

    def describe(self):
        """The certificate as a result shows it."""
        return {
            "subject": self.subject, "issuer": self.issuer, "not_before": _iso(self.not_before),
            "not_after": _iso(self.not_after), "is_ca": self.is_ca, "fingerprint": self.fingerprint,
            "names": list(self.names),
        }


def holds_private_key(data):
    """Whether PEM data (bytes) holds a private key of any kind."""
    return any(label.endswith(b"PRIVATE KEY") for label in BEGIN.findall(data))


def load(data):
    """The certificates of PEM data, one or several and with text between them, or of one DER certificate.

    InvalidInput for anything else, and for a file that holds a private key, whatever else it holds.
    """
    if MISSING_LIBRARY:
        raise errors.Error(missing_required_lib("cryptography", reason="to read certificates",
                                                url="https://cryptography.io/"), exception=MISSING_LIBRARY)
    if holds_private_key(data):
        raise errors.InvalidInput("There is a private key next to the certificate. It must not leave its owner: give a "
                                  "file with the CA certificate alone, and replace the key if this file was shared.")
    if not data.strip():
        raise errors.InvalidInput("There is no certificate: it is empty.")
    if BEGIN.search(data):
        return _unique(_parse(x509.load_pem_x509_certificate, block, "certificate %d" % number)
                       for number, block in enumerate(_blocks(data), 1))
    if data.startswith(DER_SEQUENCE):
        return [_parse(x509.load_der_x509_certificate, data, "the DER certificate")]
    raise errors.InvalidInput("There is no certificate: neither a PEM block (-----BEGIN CERTIFICATE-----) nor DER.")


def bundle(certificates):
    """The PEM text of certificates, one after the other."""
    return "".join(certificate.pem for certificate in certificates)


def read(path):
    """The bytes of a file."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as failure:
        raise errors.InvalidInput("%s cannot be read: %s." % (path, failure.strerror)) from None


def authorities(data, path=None, registry=None, now=None):
    """The certificates of `data`, all of them fit to be trusted as authorities at the time `now` (aware;
    default: this moment). InvalidInput otherwise, naming the file and the registry that they were for."""
    try:
        loaded = load(data)
        for certificate in loaded:
            _check(certificate, now or datetime.datetime.now(datetime.timezone.utc))
        return loaded
    except errors.InvalidInput as error:
        what = "The CA%s%s" % (" of %s" % registry if registry else "", " in %s" % path if path else "")
        raise errors.InvalidInput("%s cannot be used. %s" % (what, error.message)) from None


def expiring(certificates, days=14, now=None):
    """A sentence for each certificate that expires within so many days."""
    limit = (now or datetime.datetime.now(datetime.timezone.utc)) + datetime.timedelta(days=days)
    return ["%s expires at %s: renew it, and trust the new one, before." % (each.subject, _iso(each.not_after))
            for each in certificates if each.not_after < limit]


def _check(certificate, now):
    if not certificate.is_ca and certificate.subject == certificate.issuer:
        raise errors.InvalidInput(
            "%s is self-signed and says of itself that it is no CA, so nothing can be trusted by it. Have the registry's "
            "certificate issued by a CA, and give that CA's certificate." % certificate.subject)
    if not certificate.is_ca:
        raise errors.InvalidInput(
            "%s is not a CA certificate, so nothing can be trusted by it. Give the certificate of the CA that issued "
            "it: %s." % (certificate.subject, certificate.issuer))
    if certificate.not_after < now:
        raise errors.InvalidInput("%s expired at %s. Give the CA certificate that replaced it."
                                  % (certificate.subject, _iso(certificate.not_after)))
    if certificate.not_before > now:
        raise errors.InvalidInput("%s is not valid before %s. Check this host's clock, or wait until then."
                                  % (certificate.subject, _iso(certificate.not_before)))


def _blocks(data):
    blocks = list(BLOCK.finditer(data))
    if len(blocks) != len(BEGIN.findall(data)):
        raise errors.InvalidInput("A PEM block is cut off: its -----END line is missing.")
    for block in blocks:
        label = block.group(1).decode("ascii")
        if label != "CERTIFICATE":
            raise errors.InvalidInput("There is a PEM block that is %s." % INSTEAD.get(label, "a " + label))
        yield block.group()


def _parse(parser, data, what):
    try:
        parsed = parser(data)
        return Certificate(
            subject=parsed.subject.rfc4514_string(), issuer=parsed.issuer.rfc4514_string(),
            not_before=_utc(parsed, "not_valid_before"), not_after=_utc(parsed, "not_valid_after"),
            is_ca=_is_ca(parsed), fingerprint=parsed.fingerprint(hashes.SHA256()).hex(":").upper(),
            names=_names(parsed), pem=parsed.public_bytes(serialization.Encoding.PEM).decode("ascii"))
    except (ValueError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise errors.InvalidInput("%s cannot be read: it is damaged. Copy the file again."
                                  % (what[0].upper() + what[1:])) from None


def _utc(parsed, attribute):
    # The aware attributes came with cryptography 42; the naive ones before are in UTC too.
    aware = getattr(parsed, attribute + "_utc", None)
    return aware or getattr(parsed, attribute).replace(tzinfo=datetime.timezone.utc)


def _is_ca(parsed):
    """As OpenSSL decides: the basic constraints and the key usage say so where they are there; a certificate
    without basic constraints is an authority only for itself, as roots of X.509 version 1 are."""
    extensions = {type(extension.value): extension.value for extension in parsed.extensions}
    usage = extensions.get(x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        return False
    constraints = extensions.get(x509.BasicConstraints)
    return parsed.subject == parsed.issuer if constraints is None else constraints.ca


def _names(parsed):
    for extension in parsed.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            return tuple(str(name.value) for name in extension.value
                         if isinstance(name, (x509.DNSName, x509.IPAddress)))
    return ()


def _unique(certificates):
    return list({certificate.fingerprint: certificate for certificate in certificates}.values())


def _iso(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
