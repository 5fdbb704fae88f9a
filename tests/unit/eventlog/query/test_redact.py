"""Redaction replaces what its rules are about, keeps every other byte, and leaves what only looks like it."""

from __future__ import annotations

import importlib.util
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.errors import NotFoundError, UsageError
from videodb_cli.eventlog.query.redact import ALL, Redactor, marked
from videodb_cli.main import main

ROOT = Path(__file__).parents[4]

EVERYTHING = Redactor.from_names("all")
# Put together here, so that no scanner takes them for keys that somebody has lost.
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
GITHUB = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
KEY = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEow\n-----END RSA " + "PRIVATE KEY-----"
JWT = "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (f"export AWS_ACCESS_KEY_ID={AWS}", "export AWS_ACCESS_KEY_ID=[secret:aws-key]"),
        (f"git clone with {GITHUB}.", "git clone with [secret:github]."),
        (f"here:\n{KEY}\nend", "here:\n[secret:private-key]\nend"),
        (f"cookie {JWT}", "cookie [secret:jwt]"),
        ("postgres://app:s3cr3t@db.example/x", "postgres://app:[secret:url-password]@db.example/x"),
        ('the password is "hunter2!"', 'the password is "[secret:password]"'),
        ("DB_PASSWORD=correct-horse-9", "DB_PASSWORD=[secret:password]"),
        ("card 4111 1111 1111 1111, cvc later", "card [card], cvc later"),
        ("Amex 3782-822463-10005", "Amex [card]"),
        ("write to ann.o'neil+x@mail.example.co.uk!", "write to [email]!"),
        ("jürgen@müller.de and 用户@例子.公司", "[email] and [email]"),
        ("call +49 30 1234567 or (415) 555-0123", "call [phone] or [phone]"),
        ("020 7946 0958, 415-555-2671", "[phone], [phone]"),
    ],
)
def test_what_is_found(text: str, redacted: str) -> None:
    assert EVERYTHING.text(text).text == redacted
    line = json.dumps({"data": {"text": text}}).encode()
    assert json.loads(EVERYTHING.line(line).text)["data"]["text"] == redacted


@pytest.mark.parametrize(
    "text",
    [
        "the password is incorrect", "the token is expired", "key: value", "secret: ${SECRET}", "v1.2.3.4",
        "api_key=os.environ['K']", "4111 1111 1111 1112", "order 1234567890123456", "2026-03-02 10:15:30",
        "192.168.100.200", "1772446528361",
        "icon@2x.png", "@mention and a @ b", "pages 100-200 of 3000", "sk-learn-contrib-extras-and-more",
        "rts-019f3a7c-1234-4567-89ab-0123456789ab", "1,234,567.89 dollars", "14.03.2026 15:30", "[email] [card]",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert EVERYTHING.text(text).text == text


def test_names_ids_and_numbers_stay_to_the_digit() -> None:
    line = (
        b'{"ts":"2026-03-02T10:15:30.123Z","unix_ts":1772446530.123,"channel":"transcript","rtstream_id":"4111111111111111",'
        b'"end_user_id":"bob@example.com","n":12345678901234567890123,"f":1.500,"bob@example.com":1,'
        b'"data":{"text":"mail bob@example.com","list":["bob@example.com"]}}'
    )
    found = EVERYTHING.logged(line)
    assert found.text == line.replace(b'"end_user_id":"bob@example.com"', b'"end_user_id":"[email]"').replace(
        b"mail bob@example.com", b"mail [email]"
    ).replace(b'["bob@example.com"]', b'["[email]"]').replace(b'530.123,"chan', b'530.123,"redacted":["email"],"chan')
    assert dict(found.counts) == {"email": 3}
    assert EVERYTHING.logged(found.text).text == found.text


def test_an_escape_does_not_hide_anything() -> None:
    assert EVERYTHING.line(rb'{"t":"bob\u0040example.com"}').text == b'{"t":"[email]"}'
    assert EVERYTHING.line(rb'{"t":"redis:\/\/:s3cr3t@db"}').text == b'{"t":"redis://:[secret:url-password]@db"}'
    assert EVERYTHING.line(b'{"t":"a \xe2\x80\xa8 bob@example.com"}').text == rb'{"t":"a \u2028 [email]"}'


@given(
    st.dictionaries(st.text(max_size=5), st.recursive(st.text() | st.integers() | st.none(), st.lists, max_leaves=5))
)
def test_any_event_gives_the_same_as_a_line_and_decoded(event: dict[str, object]) -> None:
    line = json.dumps(event).encode()
    assert json.loads(EVERYTHING.line(line).text) == EVERYTHING.event(event).text
    assert json.loads(marked(line, ["email"]))["redacted"] == ["email"]


@pytest.mark.parametrize(
    "piece",
    ["1 ", "a@", "a.b-c@d.", "://a:", "-eyJ", ".eyJa", "eyJaaaaaaaa.", "-----BEGIN PRIVATE KEY-----", "+1", "(0", "sk-",
     "4", "-sk-a1", "aws ", "password is ", "_ya29.", "bearer ", "-----BEGIN RSA ", "xoxb-1", "secret: aws "],
)  # fmt: skip
def test_hostile_text_takes_linear_time(piece: str) -> None:
    def took_s(size: int) -> float:
        text = piece * (size // len(piece)) + " @ password token eyj"
        began = time.process_time()
        EVERYTHING.text(text)
        return time.process_time() - began

    # Four times the text may take four times as long; a pattern that backtracks takes sixteen times, or for ever.
    assert took_s(400_000) < 10 * took_s(100_000) + 0.2


@pytest.mark.parametrize("secret", [AWS, GITHUB, "redis://:s3cr3t@db", "password: hunter2!"])
def test_a_placeholder_is_not_taken_for_a_secret(secret: str) -> None:
    once = EVERYTHING.text(f"my password and secret {secret}@x!1").text
    assert secret not in once
    assert EVERYTHING.text(once).text == once


def test_rules_of_ones_own(tmp_path: Path) -> None:
    rules = tmp_path / "mine.toml"
    rules.write_text("[[rule]]\nname = 'ticket'\npattern = 'TICKET-[0-9]+'\nwords = ['ticket-']\n")
    redactor = Redactor.from_names(f"email,{rules}")
    assert redactor.text("TICKET-12 by a@b.example").text == "[ticket] by [email]"
    assert dict(redactor.text("TICKET-12 TICKET-13").counts) == {"ticket": 2}


@pytest.mark.parametrize(
    "content", ["", "[[rule]]", "[[rule]]\nname='x'\npattern='('", "[[rule]]\nname='x'\npattern=''", "x"]
)
def test_a_bad_file_of_rules_is_refused_by_name(tmp_path: Path, content: str) -> None:
    rules = tmp_path / "mine.toml"
    rules.write_text(content)
    with pytest.raises(UsageError, match=r"mine\.toml"):
        Redactor.from_names(str(rules))


def test_an_unknown_kind_and_a_missing_file_are_refused() -> None:
    with pytest.raises(UsageError, match="nonsense"):
        Redactor.from_names("secrets,nonsense")
    with pytest.raises(NotFoundError):
        Redactor.from_names("/nowhere/rules.toml")
    with pytest.raises(UsageError):
        Redactor.from_names(" , ")


def test_the_labelled_file_gives_the_figures_that_the_documents_name() -> None:
    spec = importlib.util.spec_from_file_location("bench_redact", ROOT / "scripts" / "bench_redact.py")
    assert spec is not None
    assert spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    lines = bench.labelled_lines()
    for kind in ALL:
        found = bench.score(lines, {kind}, bench.ours(kind))
        assert (found.missed, found.false) == ([], []), kind


def test_a_test_of_a_file_shows_what_would_go(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text('write to ann@example.com now\n{"data":{"text":"or to bob@example.com"},"rtstream_id":"a"}\n')
    assert main(["redact", "test", str(notes)]) == 0
    assert capfd.readouterr().out == ("1: email: write to ann@example.com now\n2: email: or to bob@example.com\n")
    assert main(["redact", "test", str(notes), "--redact", "cards", "--json"]) == 1
    assert json.loads(capfd.readouterr().out) == {"counts": {}, "finds": [], "schema": 1}
    assert main(["redact", "test", str(tmp_path / "nothing")]) == 4
