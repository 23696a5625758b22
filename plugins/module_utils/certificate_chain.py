# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what a registry sends leads to the CAs that the nodes will be given, by these alone.

The host that asks may know intermediate certificates that no node has. Nothing is sent over the connections made here.
"""
from __future__ import annotations

import ssl

from . import connections, wait

# Verification results of OpenSSL (x509_vfy.h) that say how the chain ends: an issuer that is nowhere to be found (2, 20,
# 21), a signature that is not the issuer's (7), a root that is sent and not given (19).
BROKEN_CHAIN = (2, 7, 19, 20, 21)


def check(host, ca_files=(), ca_content="", patience=5, environ=None):
    """Raise Unusable unless the certificates that `host`, host[:port], sends lead to the CAs given.

    patience -- seconds for which a connection that fails is tried again; environ -- as of Connections
    """
    place = connections.endpoint("https://" + host)
    anchors = connections.trust_alone(ca_files, ca_content)

    def attempt(_number):
        try:
            connections.Connections(anchors, environ).certificate(place)
        except connections.FAILURES as problem:
            if getattr(problem, "verify_code", None) not in BROKEN_CHAIN:
                raise connections.explain(problem, host)
            raise _broken(host, _issuer(place, environ), anchors.get_ca_certs()) from None
    wait.retry(attempt, lambda: patience)


def _issuer(place, environ):
    """Who issued the certificate that a host shows, as getpeercert() tells it.

    Only to name it in an error, after the verification has failed: the handshake is all that takes place, nothing is sent. What
    getpeercert() decodes has to be trusted, so the certificate is then taken for its own authority, to be read.
    """
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    try:
        shown = connections.Connections(unverified, environ).certificate(place, binary=True)
        return connections.Connections(connections.trust_alone(ca_content=shown), environ).certificate(place)["issuer"]
    except connections.FAILURES as problem:
        raise connections.explain(problem, connections.display(place)) from None


def _broken(host, issuer, authorities):
    given = ", ".join(sorted({name(authority["subject"]) for authority in authorities}))
    if any(authority["subject"] == issuer for authority in authorities):
        return connections.unusable(
            host, "The certificate of %s was issued by %s, but not with the key of the CA certificate given." % (
                host, name(issuer)),
            "The CA was made anew under its old name: give its present certificate.")
    return connections.unusable(
        host, "The certificate of %s was issued by %s, and what the registry sends does not lead from there to the CA "
              "given: %s." % (host, name(issuer), given),
        "If %s is an intermediate CA below it, have the registry send that CA's certificate after its own, or put that "
        "certificate into the CA file as well; else give the CA that it belongs to. Nodes look for it nowhere else."
        % name(issuer))


def name(parts):
    """A name of X.509, as getpeercert() gives it, in the form of RFC 4514."""
    short = {"commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU", "countryName": "C",
             "localityName": "L", "stateOrProvinceName": "ST", "domainComponent": "DC"}
    return ",".join("%s=%s" % (short.get(key, key), value) for rdn in reversed(parts) for key, value in rdn)
