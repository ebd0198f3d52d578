"""The local certificate authority: one root per world, and a leaf certificate for every host name on demand.

Clients trust the root alone (`SSL_CERT_FILE`, `REQUESTS_CA_BUNDLE`), so that nothing outside the local Azure is
trusted by accident. Validity is in real time, because OpenSSL reads the machine's clock whatever the world's says.
"""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_YEAR: Final = timedelta(days=365)


class CertificateAuthority:
    """Issues leaf certificates and keeps one TLS context per host."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CrossKey local Azure")])
        self._certificate = self._make_root()
        self.file = folder / "ca.pem"
        """The root certificate: what clients are told to trust."""
        folder.mkdir(parents=True, exist_ok=True)
        self.file.write_bytes(self._certificate.public_bytes(Encoding.PEM))

    def context(self, host: str) -> ssl.SSLContext:
        """Return the server-side TLS context for a host, making its certificate at the first call."""
        if host not in self._contexts:
            self._contexts[host] = self._make_context(host)
        return self._contexts[host]

    def _make_context(self, host: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._make_leaf(host, key)
        # The ssl module loads a certificate chain from files only.
        file = self._folder / f"leaf-{host}.pem"
        file.touch(mode=0o600)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(pem + certificate.public_bytes(Encoding.PEM))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        context.set_alpn_protocols(["http/1.1"])
        return context

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + _YEAR)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )

    def _make_root(self) -> x509.Certificate:
        public_key = self._key.public_key()
        return (
            self._builder(self._name, public_key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(certificate_authority=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def _make_leaf(self, host: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        # Python 3.13 checks certificates strictly (RFC 5280): the identifiers and usages below are all required.
        # The common name may not exceed 64 characters, so the host stands in the alternative name alone.
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CrossKey local Azure service")])
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            self._builder(subject, key.public_key())
            .add_extension(authority, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(certificate_authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _key_usage(*, certificate_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificate_authority,
        crl_sign=certificate_authority,
        encipher_only=False,
        decipher_only=False,
    )
