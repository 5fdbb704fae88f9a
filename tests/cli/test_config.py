"""`videodb config`, and what a configuration file changes for other commands."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from videodb_cli import settings
from videodb_cli.completion.answer import answer
from videodb_cli.main import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def path(_own_state_directory: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    for name in ("VIDEODB_LOCAL", "VIDEODB_EVENTS_DIR", "PAGER", "VIDEODB_PAGER", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    settings.forget()
    yield _own_state_directory / "config" / "videodb" / "config.toml"
    settings.forget()


@pytest.fixture
def run(path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> tuple[int, str, str]:
        settings.forget()
        status = main(arguments)
        out, err = capfd.readouterr()
        return status, out, err

    return call


def test_set_get_list_unset(path: Path, run: Run, tmp_path: Path) -> None:
    assert run("config", "get", "collection")[0] == 4
    assert run("config", "set", "collection", "team") == (0, "", f"set collection to team in {path}\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert run("config", "get", "collection") == (0, "team\n", "")
    path.write_text(f"# mine\n{path.read_text()}")
    assert run("config", "set", "local", "yes")[0] == 0
    assert path.read_text() == '# mine\ncollection = "team"\nlocal = true\n'
    status, out, _ = run("config", "list")
    assert status == 0
    assert "collection   team from config.toml\n" in out
    assert "end_user     videodb-cli from the default\n" in out
    assert run("config", "unset", "collection") == (0, "", "removed collection\n")
    assert run("config", "unset", "collection") == (0, "", "collection was not set\n")
    assert path.read_text() == "# mine\nlocal = true\n"
    assert run("config", "path") == (0, f"{path}\n", "")


def test_as_json(path: Path, run: Run) -> None:
    _, out, _ = run("config", "set", "directory", "logs", "--json")
    assert json.loads(out) == {"key": "directory", "value": str(Path.cwd() / "logs"), "path": str(path), "schema": 1}
    _, out, _ = run("config", "list", "--json")
    told = json.loads(out)
    assert told["path"] == str(path)
    assert told["exists"]
    first = told["settings"][0]
    where = str(Path.cwd() / "logs")
    assert first == {"key": "directory", "value": where, "source": "config.toml", "configured": where}
    assert json.loads(run("config", "get", "directory", "--json")[1])["value"] == where
    assert json.loads(run("config", "unset", "directory", "--json")[1])["removed"]
    assert not json.loads(run("config", "unset", "directory", "--json")[1])["removed"]


def test_a_link_stays_a_link(path: Path, run: Run, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles" / "videodb.toml"
    target.parent.mkdir()
    target.write_text("# in git\n")
    path.parent.mkdir(parents=True)
    path.symlink_to(target)
    assert run("config", "set", "color", "never")[0] == 0
    assert path.is_symlink()
    assert target.read_text() == '# in git\ncolor = "never"\n'


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("set", "collectoin", "x"), "there is no setting 'collectoin'"),
        (("set", "api_key", "sk-abc"), "must not be in the configuration file"),
        (("set", "collection", "sk-abc"), "must not be in the configuration file"),
        (("set", "base_url", "https://x"), "same place as the key"),
        (("set", "local", "maybe"), "local is true or false, not 'maybe'"),
        (("get", "collectoin"), "there is no setting"),
        (("unset", "collectoin"), "there is no setting"),
    ],
)
def test_refusals_write_nothing(path: Path, run: Run, arguments: tuple[str, ...], said: str) -> None:
    status, out, err = run("config", *arguments)
    assert (status, out) == (2, "")
    assert said in err
    assert "sk-abc" not in err
    assert not path.exists()


BROKEN = "local = true\ncollection = team\n"


def test_a_broken_file(path: Path, run: Run) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(BROKEN)
    for arguments in (("path",), ("events", "tail"), ("listen",), ("config", "list"), ("config", "set", "pager", "x")):
        status, out, err = run(*arguments)
        assert (status, out) == (2, ""), arguments
        assert err.startswith(f"error: {path}, line 2, column 14: not valid TOML: "), arguments
    assert path.read_text() == BROKEN
    for arguments in (("--help",), ("listen", "--help"), ("--version",), ("help",), ("config", "path"), ("config",)):
        status, out, err = run(*arguments)
        assert (status, err) == (0, ""), arguments
        assert out
    status, out, _ = run("doctor", "--json")
    found = {check["name"]: check for check in json.loads(out)["checks"]}
    assert status == 2
    assert found["config"]["status"] == "failing"
    assert "log" in found, "it goes on"


def test_a_broken_file_and_completion(path: Path, run: Run) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(BROKEN)
    settings.forget()
    assert run("completion", "bash")[0] == 0
    assert "--clear" in answer(["bash", " ", "videodb listen --cl"])


def test_wrong_types_can_be_mended(path: Path, run: Run) -> None:
    path.parent.mkdir(parents=True)
    path.write_text('collection = 5\ncolectoin = "x"\n')
    assert run("path")[0] == 2
    assert run("config", "set", "collection", "five")[0] == 0
    status, _, err = run("path")
    assert status == 0
    assert err.startswith(f"warning: {path}, line 2: unknown setting 'colectoin' is ignored; did you mean")
    assert run("config", "unset", "colectoin")[0] == 0
    assert run("path")[2] == ""


def test_a_value_over_several_lines_is_left_alone(path: Path, run: Run) -> None:
    path.parent.mkdir(parents=True)
    text = 'pager = """\\\n  less"""\n'
    path.write_text(text)
    status, _, err = run("config", "set", "pager", "most")
    assert status == 2
    assert f"{path}, line 1: pager was not changed" in err
    assert path.read_text() == text


def test_a_directory_that_cannot_be_written(path: Path, run: Run) -> None:
    if os.geteuid() == 0:
        path.parent.parent.mkdir(parents=True)
        path.parent.write_text("a file where the directory should be")
    else:
        path.parent.parent.mkdir(parents=True, mode=0o500)
    status, _, err = run("config", "set", "local", "true")
    assert status == 6
    assert "cannot write" in err


def test_directory_and_collection_take_effect(path: Path, run: Run, tmp_path: Path) -> None:
    run("config", "set", "directory", str(tmp_path / "logs"))
    run("config", "set", "collection", "team")
    run("config", "set", "end-user", "ada")
    assert run("path", "dir")[1] == f"{tmp_path}/logs\n"
    assert run("path", "dir", "--dir", "/tmp")[1] == "/tmp\n"
    assert "[default: team]" in run("listen", "--help")[1]
    shown = run("capture", "create", "--help")[1]
    assert "[default: team]" in shown
    assert "[default: ada]" in shown
    assert "from config.toml" in run("doctor", "--local")[1]


def test_color(path: Path, run: Run) -> None:
    run("config", "set", "color", "always")
    assert "\x1b[1m" in run("--help")[1]
    assert "\x1b[1m" not in run("--no-color", "events")[1]
