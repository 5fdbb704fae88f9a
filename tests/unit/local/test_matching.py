"""Detection rules: their words are found however they are said or misread, and other words are not."""

import pytest

from videodb_cli.local.matching import Occurrences, Rule


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("Alert me when somebody mentions a refund", "The customer asked for a refund of $250."),
        ("Detect when the deployment fails", "Our deployment failed because the database refused the connection."),
        ("database connection refused", "Error: connection refused on port 5432"),
        ("refund or cancellation", "She wants to cancel the order"),
        ("payment service is down", "Incident 7731: payment servlce is d0wn"),
        ("Notify when CrashLoopBackOff appears on the screen", "pod web-1 CrashLoopBack0ff 3m"),
        ('the phrase "rotate the keys" is said', "We need to rotate the access keys: rotate the keys today"),
        ("incident 7731", "lncident 773l"),
        ("alert", "an alert, in so many words"),
        ("Zahlung fehlgeschlagen", "Die Zahlung ist fehlgeschlagen"),
    ],
)
def test_what_matches(prompt: str, text: str) -> None:
    match = Rule(prompt).match(text)
    assert match is not None
    assert 0.5 < match.confidence <= 1


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("Alert me when somebody mentions a refund", "Somebody mentions that the alert is on the screen"),
        ("Detect when the deployment fails", "The deployment went well"),
        ('"rotate the keys"', "the keys of a rotating fan"),
        ("incident 7731", "incident 7732"),
        ("form", "from"),
        ("refund", ""),
        ("", "anything"),
        ("?!", "anything"),
    ],
)
def test_what_does_not(prompt: str, text: str) -> None:
    assert Rule(prompt).match(text) is None


def test_what_stays_on_a_screen_is_told_once_and_again_when_it_comes_back() -> None:
    watch = Occurrences(Rule("payment service down"))
    assert watch.look("payment service is down", "payment service is down") is not None
    assert watch.look("12:01", "payment service is down 12:01") is None
    assert watch.look("payment service is down!", "payment service is down! 12:01") is None
    assert watch.look("", "12:02") is None
    assert watch.look("payment service is down", "payment service is down 12:03") is not None


def test_a_second_one_beside_the_first_is_told() -> None:
    watch = Occurrences(Rule("error"))
    assert watch.look("error: disk is full", "error: disk is full") is not None
    assert watch.look("error 17 in the printer queue", "error: disk is full error 17 in the printer queue") is not None


def test_words_that_come_in_two_steps_are_told_when_the_last_has_come() -> None:
    watch = Occurrences(Rule("payment down"))
    assert watch.look("payment service", "payment service") is None
    assert watch.look("status down", "payment service status down") is not None


def test_each_piece_of_sound_is_an_occurrence() -> None:
    watch = Occurrences(Rule("refund"))
    assert watch.look("a refund", None) is not None
    assert watch.look("another refund", None) is not None
