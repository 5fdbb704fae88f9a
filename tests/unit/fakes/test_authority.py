"""The authority signs what its certificate verifies, and nobody else's does; OpenSSL finds it in a directory."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from tests.fakes.authority import Authority


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """Complete a handshake over a pair of sockets. Raises what the client finds wrong."""
    here, there = socket.socketpair()

    def serve() -> None:
        with there:
            try:
                server.wrap_socket(there, server_side=True).close()
            except OSError:
                pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with here:
            client.wrap_socket(here, server_hostname=name).close()
    finally:
        thread.join(10)


def test_only_who_trusts_it_does(tmp_path: Path) -> None:
    authority = Authority()
    server = authority.server_context("api.videodb.test", "127.0.0.1")
    by_file = ssl.create_default_context(cafile=authority.write_file(tmp_path / "ca.pem"))
    by_directory = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    by_directory.load_verify_locations(capath=authority.write_directory(tmp_path / "certs"))
    for client in (by_file, by_directory):
        shake_hands(server, client, "api.videodb.test")
        shake_hands(server, client, "127.0.0.1")
        with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
            shake_hands(server, client, "other.test")
    for client in (ssl.create_default_context(), _trusting(Authority(), tmp_path)):
        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands(server, client, "api.videodb.test")


def _trusting(authority: Authority, tmp_path: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.write_file(tmp_path / "other.pem"))
