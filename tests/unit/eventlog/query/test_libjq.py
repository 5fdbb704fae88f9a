"""Programs that speak or halt do what jq does; their results are those of any other program."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.event_logs import logs
from tests.unit.eventlog.query.test_jq_plan import whole_lines
from videodb_cli.errors import UsageError
from videodb_cli.eventlog.query import libjq
from videodb_cli.eventlog.query.jq import Program
from videodb_cli.eventlog.query.jq_run import Failure, Halt

LINE = b'{"a":1.10,"t":"h\xc3\xa9\\u0000"}'


def test_debug_and_stderr() -> None:
    run = Program('debug, debug("m"), debug(.a, 2), (.t | stderr), (.a | stderr), ([.t] | stderr) | 1').run([LINE])
    dumped = b'{"a":1.10,"t":"h\xc3\xa9\\u0000"}'
    assert run.told == (
        b'["DEBUG:",' + dumped + b"]\n" + b'["DEBUG:","m"]\n["DEBUG:",1.10]\n["DEBUG:",2]\n'
        b'h\xc3\xa9\x00' + b"1.10" + b'["h\xc3\xa9\\u0000"]'
    )  # fmt: skip
    assert run.results == ["1"] * 6
    assert Program("debug as $x | try error(debug) catch 1").run([b"5"]).told == b'["DEBUG:",5]\n["DEBUG:",5]\n'


def test_where_a_word_is_no_call_nothing_changes() -> None:
    for text in ('{debug: 1}', ".stderr", '"debug"', "{halt}"):  # fmt: skip
        assert Program(text)._speaking is None
    assert Program('"\\(1 | debug)"').run([b"1"]).told == b'["DEBUG:",1]\n'
    assert Program("def debug: 3; debug").run([b"1"]) == (["3"], [], b"", None)


@pytest.mark.parametrize(
    ("text", "halt"),
    [
        ("halt", Halt(0, 0, "")),
        ('"bye\\n" | halt_error', Halt(0, 5, "bye\n")),
        ("{a: 1} | halt_error", Halt(0, 5, '{"a":1}\n')),
        ('"x" | halt_error(3)', Halt(0, 3, "x")),
        ("null | halt_error(0)", Halt(0, 0, "")),
        ("1 | halt_error(256 + 7)", Halt(0, 7, "1\n")),
        ("1 | halt_error(-2)", Halt(0, 2, "1\n")),
    ],
)
def test_halting(text: str, halt: Halt) -> None:
    assert Program(text).run([b"1", b"2"]) == ([], [], b"", halt)


def test_what_came_before_a_halt_counts_and_nothing_after_it() -> None:
    run = Program("if . == 2 then ., halt else debug end").run([b"1", b"2", b"3"])
    assert run == (["1", "2"], [], b'["DEBUG:",1]\n', Halt(1, 0, ""))
    # The same program goes on with other lines.
    assert Program("halt").run([b"1"]).halt == Program("halt").run([b"1"]).halt


def test_failures_are_those_of_any_other_program() -> None:
    lines = [b"1", b'{"a":2}', b'"x"', b"null", b"{bad", b'"\xff"']
    run = Program(".a, debug").run(lines)
    plain = Program(".a, .").run(lines)
    assert run.results == plain.results
    assert [failure.place for failure in run.failures] == [failure.place for failure in plain.failures] == [0, 2, 4, 5]
    assert run.failures[0] == Failure(0, 'Cannot index number with string ("a")')
    assert Program("debug | error(null)").run([b"1"]).failures == [Failure(0, "(not a string) null")]
    assert Program('debug | error({"a":1})').run([b"1"]).failures == [Failure(0, '(not a string) {"a":1}')]
    (failure,) = Program('1 | halt_error("x")').run([b"1"]).failures
    assert failure == Failure(0, "number (1) halt_error/1: number required")


def test_variables_definitions_and_places() -> None:
    run = Program("def f: debug($x); f, $__loc__, $ARGS.named.x", {"x": [1.5]}).run([b"1"])
    assert run.results == ["1", '{"file":"<top-level>","line":1}', "[1.5]"]
    assert run.told == b'["DEBUG:",[1.5]]\n'


def test_an_error_in_such_a_program_is_told_as_in_any_other() -> None:
    with pytest.raises(UsageError, match="the jq program has an error"):
        Program("debug | .a[")


def test_where_the_package_hides_the_library_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    with pytest.raises(UsageError, match="not available with this build"):
        Program("debug")
    monkeypatch.undo()
    assert libjq.SpeakingProgram(".", {}).run([b"1"]).results == ["1"]


@given(log=logs(), body=st.sampled_from([".", ".data", ".channel, .data.text", ".data.text.deeper", "keys", "length"]))
def test_results_and_failures_equal_those_of_the_package(log: bytes, body: str) -> None:
    lines = whole_lines(log)
    plain = Program(body).run(lines)
    speaking = Program(f"(null | debug) as $_ | {body}").run(lines)
    assert speaking.results == plain.results
    assert [failure.place for failure in speaking.failures] == [failure.place for failure in plain.failures]
    assert speaking.told.count(b'["DEBUG:",null]\n') == len(lines) - sum(
        failure.message.startswith("parse error") for failure in speaking.failures
    )
