"""Words, unwanted words and options that are words, as they are typed behind `search`."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from videodb_cli.commands.events.search import app
from videodb_cli.commands.events.search_query import typed_terms
from videodb_cli.errors import UsageError
from videodb_cli.eventlog.views.search_words import Term


def terms_of(*args: str) -> list[Term]:
    command: Any = typer.main.get_command(app)
    context = command.make_context("search", list(args))
    return typed_terms(context, context.params["words"] or [])


def test_words_behind_a_minus_sign_are_unwanted_and_options_are_not() -> None:
    assert terms_of("a", "-b", "--limit", "3", "-👍", '-"c d"') == [
        Term("a"), Term("b", is_unwanted=True), Term("👍", is_unwanted=True), Term("c d", is_unwanted=True),
    ]  # fmt: skip


@pytest.mark.parametrize("word", ["--since", "-x", '--"x"', "---a"])
def test_everything_after_two_minus_signs_is_a_word(word: str) -> None:
    first, second = terms_of("a", "--", word)
    assert first == Term("a")
    assert not second.is_unwanted
    assert terms_of("a", "--", "--") == [Term("a")]


def test_an_argument_with_spaces_is_a_phrase_unless_it_is_a_query() -> None:
    assert terms_of("access keys") == [Term("access keys")]
    assert terms_of("access OR keys") == [Term("access"), Term("keys", is_alternative=True)]
    assert terms_of("acc* -keys") == [Term("acc", is_prefix=True), Term("keys", is_unwanted=True)]


def test_an_option_that_does_not_exist_may_be_a_word() -> None:
    with pytest.raises(UsageError) as told:
        terms_of("a", "--no-such-thing")
    assert told.value.hint is not None
    assert told.value.hint.endswith("search -- --no-such-thing")
    with pytest.raises(UsageError, match="UTF-8"):
        terms_of("\udcff")
