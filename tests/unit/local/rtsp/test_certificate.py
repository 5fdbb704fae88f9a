"""The certificate of RTSPS: OpenSSL takes it, and it lasts."""

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from videodb_cli.errors import MissingDependencyError, RefusedError
from videodb_cli.local.rtsp.certificate import CERTIFICATE, KEY, certificate_hash, make_certificate, server_context


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
    server_context(tmp_path, ["192.0.2.7"])
    assert certificate_hash(tmp_path) == first
    server_context(tmp_path, ["192.0.2.8"])
    assert certificate_hash(tmp_path) != first


def test_it_names_a_host_name_that_the_service_listens_on(tmp_path: Path) -> None:
    context = server_context(tmp_path, ["studio.example", "", "b\u00fcro.example"])
    handshake(context, tmp_path / CERTIFICATE, "studio.example")


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
    (tmp_path / KEY).write_text("torn")
    server_context(tmp_path)
    second = certificate_hash(tmp_path)
    assert second != first
    for broken in ("torn", ""):
        (tmp_path / CERTIFICATE).write_text(broken)
        handshake(server_context(tmp_path), tmp_path / CERTIFICATE, "localhost")


@pytest.mark.parametrize(("age_days", "kept"), [(0, True), (790, True), (800, False), (900, False)])
def test_it_is_replaced_a_month_before_it_ends(tmp_path: Path, age_days: int, kept: bool) -> None:
    key, certificate = make_certificate([], now=datetime.now(UTC) - timedelta(days=age_days))
    (tmp_path / KEY).write_bytes(key)
    (tmp_path / CERTIFICATE).write_bytes(certificate)
    server_context(tmp_path)
    assert ((tmp_path / CERTIFICATE).read_bytes() == certificate) is kept


def test_the_key_of_another_certificate_is_replaced(tmp_path: Path) -> None:
    server_context(tmp_path)
    (tmp_path / KEY).write_bytes(make_certificate([], now=datetime.now(UTC))[0])
    handshake(server_context(tmp_path), tmp_path / CERTIFICATE, "localhost")


@pytest.mark.parametrize("name", [KEY, CERTIFICATE])
@pytest.mark.parametrize("is_dangling", [True, False])
def test_a_link_in_its_place_is_refused(tmp_path: Path, name: str, is_dangling: bool) -> None:
    elsewhere = tmp_path / "elsewhere"
    if not is_dangling:
        server_context(tmp_path)
        (tmp_path / name).rename(elsewhere)
    (tmp_path / name).symlink_to(elsewhere)
    with pytest.raises(RefusedError, match="symbolic link"):
        server_context(tmp_path)


def test_a_missing_package_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="cryptography") as raised:
        server_context(tmp_path)
    assert raised.value.hint == "pip install 'videodb-cli[local]'"
