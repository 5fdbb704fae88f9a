from __future__ import annotations

import pytest

from videodb_cli.local.describe.circuit import FIRST_PAUSE_S, LONGEST_PAUSE_S, Circuit


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_failure_is_said_once_and_the_return_once(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    circuit = Circuit("http://h", clock=clock)
    for _ in range(5):
        assert circuit.may_ask()
        circuit.failed("it answered 500")
        clock.now += LONGEST_PAUSE_S
    assert circuit.reason == "it answered 500"
    assert circuit.may_ask()
    circuit.succeeded()
    circuit.succeeded()
    assert circuit.reason is None
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["the endpoint http"] * 2
    assert "it answered 500" in caplog.messages[0]
    assert caplog.messages[1] == "the endpoint http://h answers again, after 300 s"


def test_one_question_tries_again_after_growing_pauses() -> None:
    clock = Clock()
    circuit = Circuit("http://h", clock=clock)
    circuit.failed("it is away")
    circuit.failed("it is away")  # the second of two that were under way
    pauses = [FIRST_PAUSE_S, 10.0, 20.0, 40.0, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    for pause in pauses:
        clock.now += pause - 0.01
        assert not circuit.may_ask()
        clock.now += 0.02
        assert circuit.may_ask()
        assert not circuit.may_ask(), "one question tries, not all"
        circuit.failed("it is away")
    clock.now += LONGEST_PAUSE_S
    assert circuit.may_ask()
    circuit.succeeded()
    circuit.failed("again")
    clock.now += FIRST_PAUSE_S
    assert circuit.may_ask(), "after a success the pauses are short again"


def test_retry_after_is_honoured_within_reason() -> None:
    clock = Clock()
    circuit = Circuit("http://h", clock=clock)
    circuit.failed("it answered 429", 17.0)
    clock.now += 16.9
    assert not circuit.may_ask()
    clock.now += 0.2
    assert circuit.may_ask()
    circuit.failed("it answered 429", 86_400.0)
    clock.now += LONGEST_PAUSE_S
    assert circuit.may_ask()
