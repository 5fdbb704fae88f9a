"""Other names of commands, and what is said about names that do not exist."""

from __future__ import annotations

import json

import pytest

from videodb_cli import console, hints
from videodb_cli.main import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _as_in_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    console.set_color(None)
    hints.use_directory(None)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("version", "--version"),
        ("-V", "--version"),
        ("help", "--help"),
        ("help events search", "events search --help"),
        ("help tail", "events tail --help"),
        ("events help", "events --help"),
        ("events help tail", "events tail --help"),
        ("tail --help", "events tail --help"),
        ("search --help", "events search --help"),
        ("log --help", "events tail --help"),
        ("logs --help", "events tail --help"),
        ("", "--help"),
        ("events", "events --help"),
        ("config", "config --help"),
        ("local models", "local models --help"),
        ("tail --dir nowhere", "events tail --dir nowhere"),
        ("search words --dir nowhere --json", "events search words --dir nowhere --json"),
        ("log -n 3 --dir nowhere", "events tail -n 3 --dir nowhere"),
    ],
)
def test_another_name_does_the_same(typed: str, meant: str, capfd: Capture) -> None:
    status = main(meant.split())
    expected = capfd.readouterr()
    assert main(typed.split()) == status
    assert capfd.readouterr() == expected
    assert expected.out or expected.err


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("start", "did you mean 'videodb listen', 'videodb capture start' or 'videodb local start'?"),
        ("run", "did you mean 'videodb listen' or 'videodb local run'?"),
        ("record", "did you mean 'videodb capture start'?"),
        ("lisen", "did you mean 'videodb listen'?"),
        ("channels", "did you mean 'videodb capture channels'?"),
        ("trigger", "did you mean 'videodb local trigger'?"),
        ("events serch", "did you mean 'videodb events search'?"),
        ("events listen", "did you mean 'videodb listen'?"),
        ("local models instal", "did you mean 'videodb local models install' or 'videodb local models list'?"),
        ("help lisen", "did you mean 'videodb listen'?"),
        ("config delete", "videodb config --help"),
        ("xyzzy", "videodb --help"),
        ("listen --detatch", "did you mean 'videodb listen --detach'?"),
        ("events tail --chanel alert", "did you mean 'videodb events tail --channel'?"),
        ("events tail --folow", "did you mean 'videodb events tail --follow'?"),
        ("status --xyzzy", "videodb status --help"),
    ],
)
def test_a_name_that_does_not_exist(typed: str, hint: str, capfd: Capture) -> None:
    assert main(typed.split()) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines()[-1] == f"hint: {hint}"
    assert " has no " in err.splitlines()[0]


@pytest.mark.parametrize(("typed", "code"), [("lisen --json", "no_command"), ("listen --detatch --json", "no_option")])
def test_as_json(typed: str, code: str, capfd: Capture) -> None:
    assert main(typed.split()) == 2
    error = json.loads(capfd.readouterr().out)["error"]
    assert error["code"] == code
    assert error["hint"].startswith("did you mean")


def test_hidden_commands_are_not_suggested(capfd: Capture) -> None:
    main(["backgroun"])
    assert "'videodb background'" not in capfd.readouterr().err


@pytest.mark.parametrize("name", ["\x1b[31mred", "a\nb", "é", "-", "a" * 5000, ""])
def test_hostile_names(name: str, capfd: Capture) -> None:
    assert main([name]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert "\x1b" not in err
    assert "Traceback" not in err
