"""The network is not a home network: what works, works for REST and socket; what is not for a proxy goes directly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import eventually
from tests.e2e.week.office import EVENT, NAME, SECRET, Office
from tests.fakes.event_service import send
from tests.fakes.proxy import Proxy, has_ipv6
from videodb_cli.network.route import USER_AGENT


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    found = Office(tmp_path)
    yield found
    found.box.close()


# ---- what works, works for REST and socket ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """A proxy, and how the environment names it: ``{place}`` is its host and port, ``{url}`` its whole address."""

    name: str
    environment: dict[str, str]
    proxy: dict[str, Any] = field(default_factory=dict)


SOCKS = {"kind": "socks5"}
KNOWN = {"user": "me@corp", "password": f"{SECRET}:/#%é"}
WAYS = [
    Way("lower case first, no scheme", {"https_proxy": "{place}", "HTTPS_PROXY": "http://127.0.0.1:1"}),
    Way("empty means not set", {"https_proxy": "", "HTTPS_PROXY": "", "ALL_PROXY": "HTTP://{place}/a/path/"}),
    Way("a password", {"HTTPS_PROXY": "{url}"}, KNOWN),
    Way("a user alone", {"HTTPS_PROXY": "http://me@{place}"}, {"user": "me"}),
    Way("by TLS", {"HTTPS_PROXY": "{url}"}, {"tls": True, **KNOWN}),
    Way("on IPv6", {"HTTPS_PROXY": "http://{place}"}, {"host": "::1"}),
    Way("SOCKS as desktops write it", {"ALL_PROXY": "socks://{place}"}, SOCKS),
    Way("SOCKS with a password", {"all_proxy": "{url}"}, {**SOCKS, "user": "me", "password": f"{SECRET}:/@"}),
    Way(
        "NO_PROXY is for others",
        {"HTTPS_PROXY": "{url}", "NO_PROXY": f"::1,[::1] fd00::/8, .{NAME}.org {NAME}:80, 10.*, *.test.example"},
    ),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_both_halves_take_the_proxy(office: Office, way: Way) -> None:
    if way.proxy.get("host") == "::1" and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with office.proxy(way.proxy) as proxy, office.service(send(EVENT)) as service:
        named = {name: value.format(place=proxy.place, url=proxy.url) for name, value in way.environment.items()}
        program = office.box.start(service, "listen", environment={"SSL_CERT_FILE": office.ca, **named})
        program.wait_for("^WS_ID=ws-1$")
        eventually(lambda: office.box.heard() == [1])
        assert program.end() == 0
        kind = "SOCKS5" if proxy.kind == "socks5" else "CONNECT"
        assert proxy.asked == [f"{kind} {NAME}:{service.port}"] * 2
        assert proxy.kind == "socks5" or {asked.headers["user-agent"] for asked in proxy.requests} == {USER_AGENT}
        assert service.requests[0][1]["user-agent"] == USER_AGENT
        request = service.connections[0].request
        assert request is not None
        assert request.headers["user-agent"] == USER_AGENT


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_the_company_signs_localhost_too(office: Office, variable: str) -> None:
    place = office.ca
    if variable == "SSL_CERT_DIR":
        place = str(office.authority.write_directory(office.box.root / "certs"))
    broken = {"HTTPS_PROXY": "http://:x", "ALL_PROXY": "socks4://127.0.0.1:1"}
    with office.service(send(EVENT), name="localhost") as service:
        program = office.box.start(service, "listen", environment={variable: place, **broken})
        program.wait_for("^WS_ID=ws-1$")
        eventually(lambda: office.box.heard() == [1])
        assert program.end() == 0


# ---- what is not for a proxy -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "no_proxy", ["*", "::1, [::1],fd00::/8 ,255.0.0.0/8", "a.test 255.255.255.255", "255.255.255.255:{port}"]
)
def test_no_proxy_spares_the_proxy(office: Office, no_proxy: str) -> None:
    with Proxy() as proxy, office.service(name="255.255.255.255") as service:
        environment = {"HTTPS_PROXY": proxy.url, "ALL_PROXY": "socks4://x"}
        status, said = office.run(
            service, "listen", "--max-retries", "0", NO_PROXY=no_proxy.format(port=service.port), **environment
        )
        # No packet leaves for this address: the system refuses it at once.
        assert (status, "255.255.255.255" in said, "unreachable" in said.lower()) == (5, True, True), said
        assert proxy.asked == []


EVERYWHERE = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy")


@pytest.mark.parametrize("value", ["{url}", "socks4://nonsense"])
def test_this_machine_is_never_reached_by_a_proxy(office: Office, value: str) -> None:
    with Proxy(status=502) as proxy:
        everywhere = dict.fromkeys(EVERYWHERE, value.format(url=proxy.url))
        program = office.box.start(None, "listen", "--local", environment=everywhere)
        program.wait_for("^WS_ID=")
        status, said = office.run(None, "local", "trigger", "alert", **everywhere)
        assert status == 0, said
        status, said = office.run(None, "doctor", "--local", "--json", **everywhere)
        assert "is reached directly (this machine is never reached by a proxy)" in said
        eventually(lambda: any(line.get("channel") == "alert" for line in office.box.lines()))
        assert program.end() == 0
        office.run(None, "local", "stop")
        assert proxy.asked == []
