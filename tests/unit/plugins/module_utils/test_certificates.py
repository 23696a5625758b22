# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime
import ipaddress

import pytest

pytest.importorskip("cryptography")

from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import serialization  # noqa: E402

from ansible_collections.disconnected.openshift.plugins.module_utils import certificates, errors  # noqa: E402
from ansible_collections.disconnected.openshift.tests.unit.scripted_api import certificate, key_pem, pem  # noqa: E402

CA, CA_KEY = certificate("mirror CA")
OTHER = certificate("other CA")[0]
LEAF = certificate("mirror.example.com", (CA, CA_KEY), ca=False, names=[
    x509.DNSName("mirror.example.com"), x509.IPAddress(ipaddress.ip_address("192.0.2.7"))])[0]


def der(cert):
    return cert.public_bytes(serialization.Encoding.DER)


class TestLoad:
    @pytest.mark.parametrize("data, words", [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"mirror.example.com", "neither a PEM block"),
        (b"\xff\xfe-\x00-\x00", "neither a PEM block"),
        (b"\x30\x82\x01\x0a\x02\x82", "The DER certificate cannot be read"),
        (der(CA)[:-1], "The DER certificate cannot be read"),
        (pem(CA)[:-30], "cut off"),
        (pem(CA) + pem(OTHER).replace(b"M", b"N"), "Certificate 2 cannot be read"),
        (b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "Certificate 1 cannot be read"),
        (b"-----BEGIN CERTIFICATE REQUEST-----\nMIIC\n-----END CERTIFICATE REQUEST-----\n", "a certificate request"),
        (b"-----BEGIN PKCS7-----\nMIIC\n-----END PKCS7-----\n", "openssl pkcs7"),
        (b"-----BEGIN TRUSTED CERTIFICATE-----\nMIIC\n-----END TRUSTED CERTIFICATE-----\n", "openssl x509"),
        (b"-----BEGIN PUBLIC KEY-----\nMIIC\n-----END PUBLIC KEY-----\n", "a PUBLIC KEY"),
    ])
    def test_what_is_no_certificate(self, data, words):
        with pytest.raises(errors.InvalidInput) as failure:
            certificates.load(data)
        assert words in failure.value.message

    @pytest.mark.parametrize("key", [
        key_pem(CA_KEY),
        CA_KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
                             serialization.NoEncryption()),
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIC",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n",
    ])
    def test_a_private_key_is_refused_and_not_shown(self, key):
        for data in (pem(CA) + key, key + pem(CA), key):
            with pytest.raises(errors.InvalidInput) as failure:
                certificates.load(data)
            assert "private key" in failure.value.message
            assert key.split(b"\n")[1].decode() not in failure.value.message

    def test_a_missing_library_is_named(self, monkeypatch):
        monkeypatch.setattr(certificates, "MISSING_LIBRARY", "ImportError")
        with pytest.raises(errors.Error) as failure:
            certificates.load(pem(CA))
        assert "cryptography" in failure.value.message

    @pytest.mark.parametrize("data", [
        pem(CA), der(CA), pem(CA).replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + pem(CA),
        b"subject=mirror CA\n" + pem(CA) + b"the end", pem(CA) + pem(CA), pem(CA).rstrip(),
    ])
    def test_one_certificate_in_any_form_is_the_same(self, data):
        loaded = certificates.load(data)
        assert [each.subject for each in loaded] == ["CN=mirror CA"]
        assert certificates.bundle(loaded) == pem(CA).decode()

    def test_a_bundle_keeps_its_order(self):
        loaded = certificates.load(pem(OTHER) + b"\n# then ours\n" + pem(CA))
        assert [each.subject for each in loaded] == ["CN=other CA", "CN=mirror CA"]
        assert certificates.load(certificates.bundle(loaded).encode()) == loaded

    def test_everything_a_result_says(self):
        described = certificates.load(der(LEAF))[0].describe()
        assert described.pop("fingerprint").count(":") == 31
        assert described.pop("not_before") < described.pop("not_after")
        assert described == {"subject": "CN=mirror.example.com", "issuer": "CN=mirror CA", "is_ca": False,
                             "names": ["mirror.example.com", "192.0.2.7"]}


class TestAuthority:
    @pytest.mark.parametrize("options, is_ca", [
        (dict(ca=False), False),
        (dict(ca=True, key_usage=["digital_signature"]), False),
        (dict(basic_constraints=False, issuer=(CA, CA_KEY)), False),
        (dict(ca=True), True),
        (dict(ca=True, key_usage=["key_cert_sign", "crl_sign"]), True),
        (dict(ca=True, issuer=(CA, CA_KEY)), True),
        (dict(basic_constraints=False), True),
    ])
    def test_who_is_one(self, options, is_ca):
        assert certificates.load(pem(certificate("x", **options)[0]))[0].is_ca is is_ca

    @pytest.mark.parametrize("options, words", [
        (dict(ca=False, issuer=(CA, CA_KEY)), "CN=x is not a CA certificate, so nothing can be trusted by it. Give the "
                                              "certificate of the CA that issued it: CN=mirror CA."),
        (dict(ca=False), "CN=x is self-signed and says of itself that it is no CA"),
        (dict(days=(-3, -2)), "CN=x expired at 2"),
        (dict(days=(2, 3)), "CN=x is not valid before 2"),
    ])
    def test_who_cannot_be_trusted(self, options, words):
        with pytest.raises(errors.InvalidInput) as failure:
            certificates.authorities(pem(CA) + pem(certificate("x", **options)[0]), "/tmp/ca.crt", "mirror:5000")
        assert failure.value.message.startswith("The CA of mirror:5000 in /tmp/ca.crt cannot be used. ")
        assert words in failure.value.message

    def test_who_can(self):
        assert certificates.authorities(pem(CA) + pem(OTHER)) == certificates.load(pem(CA) + pem(OTHER))

    def test_a_file_that_cannot_be_read(self):
        with pytest.raises(errors.InvalidInput) as failure:
            certificates.read("/nowhere/ca.crt")
        assert failure.value.message == "/nowhere/ca.crt cannot be read: No such file or directory."

    def test_who_expires_soon(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        soon = certificates.load(pem(certificate("soon", days=(-1, 10))[0]) + pem(certificate("late", days=(-1, 20))[0]))
        assert [sentence[:25] for sentence in certificates.expiring(soon, now=now)] == ["CN=soon expires at " + str(
            now + datetime.timedelta(days=10))[:6]]
