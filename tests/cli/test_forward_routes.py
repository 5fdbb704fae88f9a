"""What each route says itself is refused beside ``--route``, and never ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from videodb_cli.main import main


@pytest.mark.parametrize(
    "option",
    [
        ("--to", "http://127.0.0.1:9/"),
        ("--batch", "5"),
        ("--timeout", "5"),
        ("--template", "slack"),
        ("--recovered",),
        ("--limit", "1"),
        ("--detach",),
        ("--channel", "alert"),
    ],
)
def test_an_option_that_routes_do_not_take(
    option: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    routes = tmp_path / "routes.toml"
    routes.write_text('[[route]]\nname = "a"\nexec = ["true"]\n')
    assert main(["events", "forward", "--route", str(routes), "--dir", str(tmp_path), *option]) == 2
    said = capsys.readouterr().err
    name = "a selection" if option[0] == "--channel" else option[0]
    assert f"{name} and --route exclude each other" in said
