"""What cannot work on a network is said at once, and ends with its status; what may pass is tried again, and named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import eventually
from tests.e2e.week.office import EVENT, NAME, SECRET, Office
from tests.fakes.authority import Authority
from tests.fakes.event_service import close, send, stay
from tests.fakes.proxy import Proxy

SOCKS = {"kind": "socks5", "user": "me", "password": SECRET}
KNOWN = {"user": "me@corp", "password": SECRET}
LEFT = {"videodb.lock", "videodb_events.jsonl"}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    found = Office(tmp_path)
    yield found
    found.box.close()


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
        proxy=SOCKS,
    ),
    "SOCKS, another password": Broken(
        {"ALL_PROXY": "socks5h://me:secret-ticket-no@{place}"},
        "the proxy socks5h://{place} refuses the user and password that ALL_PROXY has",
        proxy=SOCKS,
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


def broken_environment(case: Broken, office: Office, proxy: Proxy) -> dict[str, str]:
    """The variables of a case, and files that they name."""
    hidden = office.box.root / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text("import sys\nsys.modules['python_socks'] = None\n")
    names = {
        "place": proxy.place,
        "url": proxy.url,
        "without_socks": str(hidden),
        "other_ca": str(Authority().write_file(office.box.root / "other.pem")),
    }
    return {name: value.format(**names) for name, value in case.environment.items()}


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN)
def test_what_cannot_work_ends_at_once(office: Office, case: Broken) -> None:
    with office.proxy(case.proxy) as proxy, office.service() as service:
        environment = broken_environment(case, office, proxy)
        status, said = office.run(service, "listen", **environment)
        assert (status, case.sentence.format(place=proxy.place) in said) == (case.status, True), said
        assert "hint: " in said
        assert service.requests == []
        assert len(proxy.asked) <= 1
    assert (office.box.names(), office.box.own()) == (LEFT, ["listener.stopped"])


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
def test_every_command_says_it(office: Office, arguments: str, name: str) -> None:
    case = BROKEN[name]
    with office.proxy(case.proxy) as proxy, office.service() as service:
        environment = broken_environment(case, office, proxy)
        status, said = office.run(service, *arguments.split(), "--json", **environment)
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
    office: Office, environment: str, options: dict[str, Any], sentence: str
) -> None:
    with Proxy(**options) as proxy, office.service() as service:
        variable, _, value = environment.format(place=proxy.place).partition("=")
        status, said = office.run(service, "listen", "--max-retries", "1", "--first-retry", "0", **{variable: value})
        assert status == 5, said
        assert "gave up after 1 retry" in said
        assert sentence.format(place=proxy.place, name=NAME, port=service.port) in said
        assert service.requests == []


def test_a_proxy_that_turns_us_away_later_is_tried_again_and_status_names_it(office: Office) -> None:
    with Proxy() as proxy, office.service(stay, send(EVENT)) as service:
        named = {"HTTPS_PROXY": proxy.url, "SSL_CERT_FILE": office.ca}
        program = office.box.start(service, "listen", "--first-retry", "0.2", environment=named)
        program.wait_for("^WS_ID=ws-1$")
        proxy.status = 407
        service.call(close(1001))
        program.wait_for("wants a user and a password", err=True)
        failure = eventually(lambda: _failure(office))
        assert failure == f"the proxy http://{proxy.place} (HTTPS_PROXY) wants a user and a password (HTTP 407)"
        proxy.status = None
        eventually(lambda: office.box.heard() == [1])
        assert program.end() == 0
    assert office.box.own()[:4] == ["listener.connected", "listener.disconnected", "listener.connected", "listener.gap"]


def _failure(office: Office) -> str | None:
    found = json.loads(office.box.run(None, "status", "--json").stdout)["last_failure"]
    assert found is None or isinstance(found, str)
    return found
