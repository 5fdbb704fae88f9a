"""The certificate of RTSPS: OpenSSL takes it, and it lasts."""

import os
import ssl
import stat
import time
from pathlib import Path

import pytest

from videodb_cli.errors import RefusedError
from videodb_cli.local.rtsp.certificate import CERTIFICATE, KEY, certificate_hash, server_context


def handshake(server: ssl.SSLContext, trusted: Path, name: str) -> None:
    """A whole handshake in memory, with verification of chain and name. Raises `ssl.SSLError`."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_context = ssl.create_default_context(cafile=str(trusted))
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    peer = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, peer):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert client.version() in {"TLSv1.2", "TLSv1.3"}


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_openssl_verifies_it(tmp_path: Path, name: str) -> None:
    handshake(server_context(tmp_path), tmp_path / CERTIFICATE, name)


def test_it_names_the_addresses_of_this_machine(tmp_path: Path) -> None:
    context = server_context(tmp_path, ["192.0.2.7", "2001:db8::7"])
    handshake(context, tmp_path / CERTIFICATE, "192.0.2.7")
    handshake(context, tmp_path / CERTIFICATE, "2001:db8::7")
    first = certificate_hash(tmp_path)
    server_context(tmp_path, ["192.0.2.8"])
    assert certificate_hash(tmp_path) != first


def test_another_name_is_not_verified(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server_context(tmp_path), tmp_path / CERTIFICATE, "example.com")


def test_another_certificate_is_not_trusted(tmp_path: Path) -> None:
    server_context(tmp_path / "other")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server_context(tmp_path), tmp_path / "other" / CERTIFICATE, "localhost")


def test_it_is_kept_private_and_made_anew_only_when_it_must(tmp_path: Path) -> None:
    server_context(tmp_path)
    first = certificate_hash(tmp_path)
    assert stat.S_IMODE((tmp_path / KEY).stat().st_mode) == 0o600
    server_context(tmp_path)
    assert certificate_hash(tmp_path) == first
    old = time.time() - 800 * 86400
    os.utime(tmp_path / CERTIFICATE, (old, old))
    server_context(tmp_path)
    second = certificate_hash(tmp_path)
    assert second != first
    (tmp_path / KEY).write_text("torn")
    server_context(tmp_path)
    assert certificate_hash(tmp_path) != second


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / KEY).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RefusedError):
        server_context(tmp_path)
