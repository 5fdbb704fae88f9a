"""Every command has examples that its parser takes, and exit statuses that the contract knows."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.help_examples import recorded_calls, shell_environment
from videodb_cli.commands.help_words import _STATUSES, EXAMPLES, exit_statuses
from videodb_cli.main import app

ROOT: Any = typer.main.get_command(app)
CONTRACT = Path(__file__).parents[3] / "docs" / "contract.md"


def visible(command: Any, path: str = "videodb") -> Iterator[tuple[str, Any]]:
    yield path, command
    for name in command.list_commands(None) if hasattr(command, "list_commands") else ():
        member = command.get_command(None, name)
        if not member.hidden:
            yield from visible(member, f"{path} {name}")


COMMANDS = dict(visible(ROOT))
ALL_EXAMPLES = [(path, example) for path, examples in EXAMPLES.items() for example, _ in examples]


def parsed_path(args: list[str]) -> str:
    """Parse a command line as `main` does, but run nothing; return the path of the command that it names."""
    command, ctx = ROOT, ROOT.make_context("videodb", list(args))
    while hasattr(command, "list_commands"):
        name, command, rest = command.resolve_command(ctx, [*ctx._protected_args, *ctx.args])
        ctx = command.make_context(name, rest, parent=ctx)
    return str(ctx.command_path)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_an_example(path: str) -> None:
    assert EXAMPLES.get(path)
    for example, purpose in EXAMPLES[path]:
        assert path in example
        assert len(example) <= 78  # never wrapped
        assert purpose
        assert not purpose.endswith(".")


@pytest.mark.parametrize("path", [path for path, command in COMMANDS.items() if not hasattr(command, "list_commands")])
def test_every_command_has_its_exit_statuses(path: str) -> None:
    known = {int(number) for number in re.findall(r"^\| (\d+) \|", CONTRACT.read_text(encoding="utf-8"), re.MULTILINE)}
    assert {0, 2, 130} <= known
    numbers, own = _STATUSES[path]
    assert list(numbers) == sorted(set(numbers))
    assert set(own) <= set(numbers) <= known
    assert exit_statuses(path)


def test_no_words_for_commands_that_do_not_exist() -> None:
    assert not {path for path in (*EXAMPLES, *_STATUSES) if path not in COMMANDS} - {"videodb version"}


@pytest.mark.parametrize(("path", "example"), ALL_EXAMPLES, ids=[example for _, example in ALL_EXAMPLES])
def test_every_example_is_taken_by_its_parser(path: str, example: str, tmp_path: Path) -> None:
    calls = recorded_calls(example, tmp_path)
    assert calls, "the shell runs no videodb"
    for call in calls:
        try:
            assert parsed_path(call).startswith(path)
        except typer.Exit:
            assert call[0] == "help"


def test_the_check_finds_a_wrong_example(tmp_path: Path) -> None:
    (call,) = recorded_calls("videodb events tail --no-such 'a b' | sort", tmp_path)
    assert call == ["events", "tail", "--no-such", "a b"]
    with pytest.raises(Exception, match=r"[Nn]o such option"):
        parsed_path(call)


def test_a_shell_that_fails_is_reported(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        recorded_calls("videodb events tail 'unfinished", tmp_path)
    assert str(tmp_path) in shell_environment(tmp_path)["PATH"]
