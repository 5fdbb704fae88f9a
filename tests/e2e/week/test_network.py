"""The network is not a home network: proxies, NO_PROXY, a company's CA. One case is one line of a table.

The service has a name that does not exist and a certificate that only its own authority signs: without the proxy, or
without the certificate, nothing is reached. No password of a proxy is in any output or file: `Box.close` looks for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import Box, eventually
from tests.fakes.authority import Authority
from tests.fakes.event_service import Act, EventService, close, send
from tests.fakes.proxy import Proxy, has_ipv6
from videodb_cli import __version__

NAME = "api.videodb.test"
USER, PASSWORD = "me@corp", "secret-ticket:/#%é"
AGENT = f"videodb-cli/{__version__}"
EVENT = '{"channel":"alert","n":1}'
LEFT = {"videodb.lock", "videodb_events.jsonl"}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    found = Box(tmp_path)
    yield found
    found.close()


@pytest.fixture
def ca(authority: Authority, box: Box) -> str:
    return str(authority.write_file(box.root / "ca.pem"))


def service_behind(authority: Authority, *acts: Act, name: str = NAME) -> EventService:
    return EventService(*acts, name=name, tls=authority.server_context(NAME, "localhost", "255.255.255.255"))


def run(box: Box, service: EventService | None, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run to the end: the exit status and what was said, in which no secret may be."""
    done = box.run(service, *arguments, **environment)
    said = done.stdout + done.stderr
    assert "secret-ticket" not in said
    assert "Traceback" not in said
    return done.returncode, said


# ---- what works, works for REST and socket ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """A proxy, and how the environment names it: ``{place}`` is its host and port, ``{url}`` its whole address."""

    name: str
    environment: dict[str, str]
    proxy: dict[str, Any] = field(default_factory=dict)


SOCKS = {"kind": "socks5"}
KNOWN = {"user": USER, "password": PASSWORD}
WAYS = [
    Way("lower case first, no scheme", {"https_proxy": "{place}", "HTTPS_PROXY": "http://127.0.0.1:1"}),
    Way("empty means not set", {"https_proxy": "", "HTTPS_PROXY": "", "ALL_PROXY": "HTTP://{place}/a/path/"}),
    Way("a password", {"HTTPS_PROXY": "{url}"}, KNOWN),
    Way("a user alone", {"HTTPS_PROXY": "http://me@{place}"}, {"user": "me"}),
    Way("by TLS", {"HTTPS_PROXY": "{url}"}, {"tls": True, **KNOWN}),
    Way("on IPv6", {"HTTPS_PROXY": "http://{place}"}, {"host": "::1"}),
    Way("SOCKS as desktops write it", {"ALL_PROXY": "socks://{place}"}, SOCKS),
    Way("SOCKS with a password", {"all_proxy": "{url}"}, {**SOCKS, "user": "me", "password": "secret-ticket:/@"}),
    Way(
        "NO_PROXY is for others",
        {"HTTPS_PROXY": "{url}", "NO_PROXY": f"::1,[::1] fd00::/8, .{NAME}.org {NAME}:80, 10.*, *.test.example"},
    ),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_both_halves_take_the_proxy(box: Box, authority: Authority, ca: str, way: Way) -> None:
    if way.proxy.get("host") == "::1" and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    options = {**way.proxy}
    if options.pop("tls", False):
        options["tls"] = authority.server_context("127.0.0.1")
    with Proxy(**options) as proxy, service_behind(authority, send(EVENT)) as service:
        named = {name: value.format(place=proxy.place, url=proxy.url) for name, value in way.environment.items()}
        program = box.start(service, "listen", environment={"SSL_CERT_FILE": ca, **named})
        program.wait_for("^WS_ID=ws-1$")
        eventually(lambda: box.heard() == [1])
        assert program.end() == 0
        kind = "SOCKS5" if proxy.kind == "socks5" else "CONNECT"
        assert proxy.asked == [f"{kind} {NAME}:{service.port}"] * 2
        assert proxy.kind == "socks5" or {asked.headers["user-agent"] for asked in proxy.requests} == {AGENT}
        assert service.requests[0][1]["user-agent"] == AGENT
        request = service.connections[0].request
        assert request is not None
        assert request.headers["user-agent"] == AGENT


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_the_company_signs_localhost_too(box: Box, authority: Authority, ca: str, variable: str) -> None:
    place = ca if variable == "SSL_CERT_FILE" else str(authority.write_directory(box.root / "certs"))
    broken = {"HTTPS_PROXY": "http://:x", "ALL_PROXY": "socks4://127.0.0.1:1"}
    with service_behind(authority, send(EVENT), name="localhost") as service:
        program = box.start(service, "listen", environment={variable: place, **broken})
        program.wait_for("^WS_ID=ws-1$")
        eventually(lambda: box.heard() == [1])
        assert program.end() == 0


# ---- what cannot work is said at once --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Broken:
    """What the environment says, and with which status and sentence `listen` and `capture create` end."""

    environment: dict[str, str]
    sentence: str
    status: int = 2
    proxy: dict[str, Any] = field(default_factory=dict)


BROKEN = {
    "socks4": Broken({"ALL_PROXY": "socks4://{place}"}, "ALL_PROXY names a proxy of kind socks4; videodb can use http"),
    "ftp": Broken({"https_proxy": "ftp://{place}"}, "https_proxy names a proxy of kind ftp; videodb can use http"),
    "no host": Broken({"HTTPS_PROXY": "http://:3128"}, "HTTPS_PROXY is not the address of a proxy"),
    "words": Broken({"HTTPS_PROXY": "ask the admin"}, "HTTPS_PROXY is not the address of a proxy"),
    "a # in the password": Broken(
        {"HTTPS_PROXY": "http://me:secret-ticket#x@{place}"}, "HTTPS_PROXY is not the address of a proxy"
    ),
    "a password is wanted": Broken(
        {"HTTPS_PROXY": "http://{place}"},
        "the proxy http://{place} (HTTPS_PROXY) wants a user and a password (HTTP 407)",
        proxy=KNOWN,
    ),
    "another password": Broken(
        {"HTTPS_PROXY": "http://me%40corp:secret-ticket-no@{place}"},
        "the proxy http://{place} refuses the user and password that HTTPS_PROXY has (HTTP 407)",
        proxy=KNOWN,
    ),
    "SOCKS wants a password": Broken(
        {"ALL_PROXY": "socks5h://{place}"},
        "the proxy socks5h://{place} (ALL_PROXY) wants a user and a password",
        proxy={**SOCKS, "user": "me", "password": "x"},
    ),
    "SOCKS, another password": Broken(
        {"ALL_PROXY": "socks5h://me:secret-ticket@{place}"},
        "the proxy socks5h://{place} refuses the user and password that ALL_PROXY has",
        proxy={**SOCKS, "user": "me", "password": "x"},
    ),
    "SOCKS without its package": Broken(
        {"ALL_PROXY": "socks5://{place}", "PYTHONPATH": "{without_socks}"},
        "ALL_PROXY names a SOCKS proxy, and the package that speaks to it is not installed\n",
        7,
    ),
    "nobody's CA": Broken(
        {"HTTPS_PROXY": "{url}", "SSL_CERT_FILE": "{other_ca}"},
        f"the certificate of {NAME} is not signed by a CA that is trusted here (",
    ),
    "nobody's CA before the proxy": Broken(
        {"HTTPS_PROXY": "{url}", "SSL_CERT_FILE": "{other_ca}"},
        f"the certificate of the proxy https://{{place}}, or of {NAME} behind it, is not signed by a CA that is",
        proxy={"tls": True},
    ),
    "no such file": Broken(
        {"HTTPS_PROXY": "{url}", "SSL_CERT_FILE": "/no/ca.pem"}, "SSL_CERT_FILE=/no/ca.pem: No such file or directory"
    ),
    "no certificate in the file": Broken(
        {"HTTPS_PROXY": "{url}", "SSL_CERT_FILE": "/dev/null"}, "SSL_CERT_FILE=/dev/null: no certificate in PEM form"
    ),
    "no certificate in the directory": Broken(
        {"HTTPS_PROXY": "{url}", "SSL_CERT_FILE": "", "SSL_CERT_DIR": "/dev"},
        "SSL_CERT_DIR=/dev: no certificate is in it",
    ),
}


def broken_environment(case: Broken, box: Box, proxy: Proxy, ca: str) -> dict[str, str]:
    """The variables of a case, and files that they name."""
    hidden = box.root / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text("import sys\nsys.modules['python_socks'] = None\n")
    names = {
        "place": proxy.place,
        "url": proxy.url,
        "without_socks": str(hidden),
        "other_ca": str(Authority().write_file(box.root / "other.pem")),
    }
    return {"SSL_CERT_FILE": ca, **{name: value.format(**names) for name, value in case.environment.items()}}


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN)
def test_what_cannot_work_ends_at_once(box: Box, authority: Authority, ca: str, case: Broken) -> None:
    options = {**case.proxy}
    if options.pop("tls", False):
        options["tls"] = authority.server_context("127.0.0.1")
    with Proxy(**options) as proxy, service_behind(authority) as service:
        environment = broken_environment(case, box, proxy, ca)
        status, said = run(box, service, "listen", **environment)
        assert (status, case.sentence.format(place=proxy.place) in said) == (case.status, True), said
        assert "hint: " in said
        assert service.requests == []
        assert len(proxy.asked) <= 1
    assert (box.names(), box.own()) == (LEFT, ["listener.stopped"])


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ("listen --detach", "another password"),
        ("listen --detach", "nobody's CA"),
        ("capture create", "socks4"),
        ("capture create", "SOCKS without its package"),
        ("doctor", "a password is wanted"),
        ("doctor", "no such file"),
    ],
)
def test_every_command_says_it(box: Box, authority: Authority, ca: str, arguments: str, name: str) -> None:
    case = BROKEN[name]
    with Proxy(**case.proxy) as proxy, service_behind(authority) as service:
        environment = broken_environment(case, box, proxy, ca)
        status, said = run(box, service, *arguments.split(), "--json", **environment)
        assert (status, case.sentence.format(place=proxy.place).rstrip() in said) == (case.status, True), said
        # One object and nothing else, the error included.
        assert isinstance(json.loads("\n".join(line for line in said.splitlines() if line.startswith("{"))), dict)


# ---- what may pass is tried again, and named -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "options", "sentence"),
    [
        ("HTTPS_PROXY=http://{place}", {"status": 403}, "does not let us through to {name}:{port} (HTTP 403)"),
        ("HTTPS_PROXY=http://{place}", {"status": 502}, "answered HTTP 502 for {name}:{port}"),
        ("HTTPS_PROXY=http://{place}", {"manner": "closes"}, "closed without an answer (by the proxy http://{place})"),
        (
            "HTTPS_PROXY=http://{place}",
            {"manner": "garbage"},
            "{name}:{port}: no HTTP came back (by the proxy http://{place})",
        ),
        ("HTTPS_PROXY=https://{place}", {}, "does not speak TLS; if it is an HTTP proxy, write http://{place}"),
        ("HTTPS_PROXY=http://127.0.0.1:1", {}, "the proxy http://127.0.0.1:1 (HTTPS_PROXY) cannot be reached: Conn"),
        ("ALL_PROXY=socks5h://127.0.0.1:1", {}, "the proxy socks5h://127.0.0.1:1 (ALL_PROXY) cannot be reached: Conn"),
        ("ALL_PROXY=socks://{place}", {"kind": "socks5", "status": 403}, "does not bring us to {name}:{port}: Conn"),
        ("ALL_PROXY=socks://{place}", {"kind": "socks5", "manner": "garbage"}, "does not answer as a SOCKS5 proxy"),
        ("ALL_PROXY=socks://{place}", {"kind": "socks5", "manner": "closes"}, "does not answer as a SOCKS5 proxy"),
    ],
)
def test_a_failure_by_a_proxy_is_named_and_tried_again(
    box: Box, authority: Authority, ca: str, environment: str, options: dict[str, Any], sentence: str
) -> None:
    with Proxy(**options) as proxy, service_behind(authority) as service:
        variable, _, value = environment.format(place=proxy.place).partition("=")
        status, said = run(
            box,
            service,
            *("listen", "--max-retries", "1", "--first-retry", "0"),
            **{variable: value, "SSL_CERT_FILE": ca},
        )
        assert status == 5, said
        assert "gave up after 1 retry" in said
        assert sentence.format(place=proxy.place, name=NAME, port=service.port) in said
        assert service.requests == []


def test_a_proxy_that_turns_us_away_later_is_tried_again_and_status_names_it(
    box: Box, authority: Authority, ca: str
) -> None:
    with Proxy() as proxy, service_behind(authority, close(1001), send(EVENT)) as service:
        proxy_is_needed = {"HTTPS_PROXY": proxy.url, "SSL_CERT_FILE": ca}
        proxy.status = None
        program = box.start(service, "listen", "--first-retry", "0.2", environment=proxy_is_needed)
        program.wait_for("^WS_ID=ws-1$")
        proxy.status = 407
        service.wait_until(lambda s: len(s.requests) >= 1)
        program.wait_for("wants a user and a password", err=True)
        named = eventually(lambda: _failure(box))
        assert named == f"the proxy http://{proxy.place} (HTTPS_PROXY) wants a user and a password (HTTP 407)"
        proxy.status = None
        eventually(lambda: box.heard() == [1])
        assert program.end() == 0
    assert box.own()[:4] == ["listener.connected", "listener.disconnected", "listener.connected", "listener.gap"]


def _failure(box: Box) -> str | None:
    found = json.loads(box.run(None, "status", "--json").stdout)["last_failure"]
    assert found is None or isinstance(found, str)
    return found


# ---- what is not for a proxy -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "no_proxy", ["*", "::1, [::1],fd00::/8 ,255.0.0.0/8", "a.test 255.255.255.255", "255.255.255.255:{port}"]
)
def test_no_proxy_spares_the_proxy(box: Box, authority: Authority, ca: str, no_proxy: str) -> None:
    with Proxy() as proxy, service_behind(authority, name="255.255.255.255") as service:
        environment = {"HTTPS_PROXY": proxy.url, "ALL_PROXY": "socks4://x", "SSL_CERT_FILE": ca}
        status, said = run(
            box, service, "listen", "--max-retries", "0", NO_PROXY=no_proxy.format(port=service.port), **environment
        )
        # No packet leaves for this address: the system refuses it at once.
        assert (status, "255.255.255.255" in said, "unreachable" in said.lower()) == (5, True, True), said
        assert proxy.asked == []


EVERYWHERE = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy")


@pytest.mark.parametrize("value", ["{url}", "socks4://nonsense", "http://:x"])
def test_this_machine_is_never_reached_by_a_proxy(box: Box, value: str) -> None:
    with Proxy(status=502) as proxy:
        everywhere = dict.fromkeys(EVERYWHERE, value.format(url=proxy.url))
        program = box.start(None, "listen", "--local", environment=everywhere)
        program.wait_for("^WS_ID=")
        status, said = run(box, None, "local", "trigger", "alert", **everywhere)
        assert status == 0, said
        status, said = run(box, None, "doctor", "--local", "--json", **everywhere)
        assert "is reached directly (this machine is never reached by a proxy)" in said
        eventually(lambda: any(line.get("channel") == "alert" for line in box.lines()))
        assert program.end() == 0
        run(box, None, "local", "stop")
        assert proxy.asked == []
