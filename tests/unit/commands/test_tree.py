"""No option takes the name of another for its value, on any command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from videodb_cli.commands.tree import PanelCommand, places_of_values
from videodb_cli.main import app, main

NAMES = {"--stream": True, "--limit": True, "-n": True, "-f": False, "-r": False, "--follow": False, "--json": False}


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("--stream x .", [("--stream", 1)]),
        ("--stream=x .", []),
        ("--stream", []),
        ("-f --stream -r -n 5", [("--stream", 2), ("-n", 4)]),
        ("-fn 5 a", [("-n", 1)]),
        ("-n5 a", []),
        ("-nf a", []),
        ("-fx a", []),
        ("-- --stream x", []),
        ("--stream -- x", [("--stream", 1)]),
        ("--other x --limit 3", [("--limit", 3)]),
        ("--arg --stream -n --limit 3", [("--limit", 4)]),
        ("- --limit -5", [("--limit", 2)]),
    ],
)
def test_where_values_stand(args: str, expected: list[tuple[str, int]]) -> None:
    assert list(places_of_values(args.split(), NAMES, {"--arg": 2})) == expected


def _commands(command: Any, ctx: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    for name in command.list_commands(ctx):
        member = command.get_command(ctx, name)
        inner = type(ctx)(member, info_name=name, parent=ctx)
        if hasattr(member, "list_commands"):
            yield from _commands(member, inner, (*path, name))
        else:
            yield (*path, name), member, inner


def _all() -> list[tuple[tuple[str, ...], Any, Any]]:
    root: Any = typer.main.get_command(app)
    return list(_commands(root, root.make_context("videodb", ["path"])))


COMMANDS = _all()


def test_every_command_looks_at_its_values() -> None:
    assert len(COMMANDS) > 25
    assert all(isinstance(member, PanelCommand) for _, member, _ in COMMANDS)


@pytest.mark.parametrize(("path", "member", "ctx"), COMMANDS, ids=[" ".join(path) for path, *_ in COMMANDS])
def test_an_options_name_is_no_value(path: tuple[str, ...], member: Any, ctx: Any, capfd: Any) -> None:
    options = [option for option in member.get_params(ctx) if option.param_type_name == "option"]
    for option in options:
        if option.is_flag:
            continue
        for other in ("--help", options[0].opts[0], "--no-color", "--"):
            status = main([*path, option.opts[0], other])
            captured = capfd.readouterr()
            assert status == 2
            assert f"{option.opts[0]} takes a value, and {other} " in captured.out + captured.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("events filter --stream -c .", "hint: if that is the value: --stream=-c"),
        ("events filter --grep -rc .", "--grep takes a value, and -rc is an option"),
        ("events filter --stream --arg x y .", "--stream takes a value, and --arg is an option"),
        ("events filter -f -r", "-f takes a value, and -r is an option"),
        ("events filter --around -5 .", "not a length of time: -5"),
        ("events tail -n -5", "-n takes a number"),
        ("events search --limit -5 word", "-5 is not in the range"),
        ("events wait --count -1", "-1 is not in the range"),
    ],
)
def test_what_is_said(args: str, said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(args.split()) == 2
    assert said in capfd.readouterr().err
