"""The local certificate authority's certificates, judged as strictly as Python 3.13 judges any."""

import ssl
from pathlib import Path

import pytest

from local.edge.ca import CertificateAuthority


def shake_hands(authority: CertificateAuthority, served: str, wanted: str) -> None:
    """Do a TLS handshake in memory."""
    client_context = ssl.create_default_context(cafile=str(authority.file))
    client_in, client_out, server_in, server_out = (ssl.MemoryBIO() for _ in range(4))
    client = client_context.wrap_bio(client_in, client_out, server_hostname=wanted)
    server = authority.context(served).wrap_bio(server_in, server_out, server_side=True)
    for _ in range(4):
        for side, outgoing, incoming in ((client, client_out, server_in), (server, server_out, client_in)):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            finally:
                incoming.write(outgoing.read())
    assert client.version() == "TLSv1.3"


@pytest.mark.parametrize("host", ["login.microsoftonline.com", f"{'long-vault-name-' * 3}x.vault.azure.net"])
def test_a_client_that_trusts_the_authority_accepts_a_host(tmp_path: Path, host: str) -> None:
    shake_hands(CertificateAuthority(tmp_path), host, host)


def test_a_certificate_speaks_for_its_own_host_alone(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(authority, "contoso.vault.azure.net", "fabrikam.vault.azure.net")


def test_another_worlds_authority_is_not_trusted(tmp_path: Path) -> None:
    authority, stranger = CertificateAuthority(tmp_path / "one"), CertificateAuthority(tmp_path / "two")
    authority.file = stranger.file
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(authority, "management.azure.com", "management.azure.com")


def test_a_host_gets_its_certificate_once(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    assert authority.context("a.vault.azure.net") is authority.context("a.vault.azure.net")


def test_private_keys_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    CertificateAuthority(tmp_path).context("a.vault.azure.net")
    assert (tmp_path / "leaf-a.vault.azure.net.pem").stat().st_mode & 0o077 == 0
