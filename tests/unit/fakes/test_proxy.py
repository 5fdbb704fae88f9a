"""The fake proxies keep to their protocols, as plain sockets see them."""

from __future__ import annotations

import http.server
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.authority import Authority
from tests.fakes.proxy import Asked, Proxy, has_ipv6


@pytest.fixture
def port() -> Iterator[int]:
    """A web server that says which path was asked for."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.path.encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def talk(proxy: Proxy, *said: bytes, host: str = "127.0.0.1") -> bytes:
    """Say one thing after the other, each once an answer to the one before has come; return all that came."""
    with socket.create_connection((host, proxy.port), timeout=10) as plain:
        heard = b""
        for words in said:
            plain.sendall(words)
            chunk = plain.recv(65536)
            heard += chunk
            if not chunk:
                return heard
        while chunk := plain.recv(65536):
            heard += chunk
        return heard


def get(target: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {target} HTTP/1.0", *headers, "", ""]).encode()


def connect(target: str, *headers: str) -> bytes:
    return "\r\n".join([f"CONNECT {target} HTTP/1.1", *headers, "", ""]).encode()


def test_connect_and_absolute_form(port: int) -> None:
    with Proxy() as proxy:
        heard = talk(proxy, connect(f"nowhere.test:{port}"), get("/tunnel"))
        assert heard.startswith(b"HTTP/1.1 200 ")
        assert heard.endswith(b"/tunnel")
        assert talk(proxy, get(f"http://nowhere.test:{port}/a?b=c", "X-Y: z")).endswith(b"/a?b=c")
        assert proxy.requests == [
            Asked(f"CONNECT nowhere.test:{port}"),
            Asked(f"GET http://nowhere.test:{port}/a?b=c", {"x-y": "z"}),
        ]


def test_a_password_is_wanted(port: int) -> None:
    with Proxy(user="me", password="p@ss:word") as proxy:
        assert proxy.url == f"http://me:p%40ss%3Aword@127.0.0.1:{proxy.port}"
        assert talk(proxy, connect(f"a.test:{port}")).startswith(b"HTTP/1.1 407 ")
        assert talk(proxy, get("http://a.test/", "Proxy-Authorization: Basic eA==")).startswith(b"HTTP/1.1 407 ")
        right = "Proxy-Authorization: Basic bWU6cEBzczp3b3Jk"
        assert talk(proxy, connect(f"a.test:{port}", right), get("/x")).endswith(b"/x")


def test_it_misbehaves_as_told(port: int) -> None:
    with Proxy(status=403) as proxy:
        assert talk(proxy, connect(f"a.test:{port}")).startswith(b"HTTP/1.1 403 ")
        proxy.status, proxy.manner = None, "closes"
        assert talk(proxy, connect(f"a.test:{port}")) == b""
        proxy.manner = "garbage"
        assert b"SMTP" in talk(proxy, connect(f"a.test:{port}"))
        proxy.manner = "silent"
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=0.2) as plain:
            plain.sendall(connect(f"a.test:{port}"))
            with pytest.raises(TimeoutError):
                plain.recv(1)
        proxy.manner = "works"
        assert talk(proxy, b"\x16\x03\x01").startswith(b"HTTP/1.1 400 ")
        assert talk(proxy, connect("a.test:1")).startswith(b"HTTP/1.1 502 ")


def test_socks(port: int) -> None:
    with Proxy("socks5") as proxy:
        name = b"nowhere.test"
        target = bytes((5, 1, 0, 3, len(name))) + name + port.to_bytes(2, "big")
        plain = socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
        with plain, plain.makefile("rb") as heard:
            plain.sendall(bytes((5, 1, 0)))
            assert heard.read(2) == bytes((5, 0))
            plain.sendall(target)
            assert heard.read(10)[:4] == bytes((5, 0, 0, 1))
            plain.sendall(get("/socks"))
            assert heard.read().endswith(b"/socks")
        assert proxy.asked == [f"SOCKS5 nowhere.test:{port}"]
        address = bytes((5, 1, 0, 1, 192, 0, 2, 7)) + (1).to_bytes(2, "big")
        assert talk(proxy, bytes((5, 1, 0)), address)[:4] == bytes((5, 0, 5, 5)), "refused by the host"
        proxy.status = 403
        assert talk(proxy, bytes((5, 1, 0)), address)[:4] == bytes((5, 0, 5, 2)), "not allowed"
        assert proxy.asked[1:] == ["SOCKS5 192.0.2.7:1"] * 2


def test_socks_with_a_password(port: int) -> None:
    with Proxy("socks5", user="me", password="pw") as proxy:
        assert proxy.url == f"socks5h://me:pw@127.0.0.1:{proxy.port}"
        assert talk(proxy, bytes((5, 1, 0))) == bytes((5, 0xFF))
        assert talk(proxy, bytes((5, 2, 0, 2)), b"\x01\x02me\x02no") == bytes((5, 2, 1, 1))
        assert proxy.asked == ["SOCKS5 without a password", "SOCKS5 with a wrong password"]
        target = bytes((5, 1, 0, 3, 6)) + b"a.test" + port.to_bytes(2, "big")
        assert talk(proxy, bytes((5, 2, 0, 2)), b"\x01\x02me\x02pw", target, get("/in")).endswith(b"/in")


def test_over_tls(port: int, tmp_path: Path) -> None:
    authority = Authority()
    client = ssl.create_default_context(cafile=authority.write_file(tmp_path / "ca.pem"))
    with Proxy(tls=authority.server_context("127.0.0.1")) as proxy:
        assert proxy.url.startswith("https://")
        with (
            socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as plain,
            client.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
        ):
            secure.sendall(connect(f"a.test:{port}"))
            assert secure.recv(100).startswith(b"HTTP/1.1 200 ")


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_on_ipv6(port: int) -> None:
    with Proxy(host="::1") as proxy:
        assert proxy.url == f"http://[::1]:{proxy.port}"
        assert talk(proxy, connect(f"a.test:{port}"), get("/six"), host="::1").endswith(b"/six")
