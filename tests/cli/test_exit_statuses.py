"""The table of exit statuses, row by row, through `main`."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.event_service import Answer, EventService, close, refusal, send
from videodb_cli import errors, settings
from videodb_cli.errors import OutputError, ReaderGoneError
from videodb_cli.main import main
from videodb_cli.rundir.lock import DirectoryLock

EVENT = '{"ts":"2026-03-02T10:15:30.123Z","unix_ts":1772446530.123,"channel":"alert","data":{"label":"pager"}}\n'


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    names = [*settings.KEY_NAMES, *settings.BASE_URL_NAMES, settings.EVENTS_DIR_NAME, settings.LOCAL_NAME]
    for name in names:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "videodb_events.jsonl").write_text(EVENT)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    settings.forget()
    yield
    settings.forget()


TABLE = [
    (0, "--help"),
    (0, "--version"),
    (0, "path --dir d"),
    (0, "stop --dir d"),
    (0, "stop --dir missing"),
    (0, "events tail --dir d"),
    (0, "events filter . --dir d"),
    (1, "events tail --dir d --channel nothing -e"),
    (1, "events filter -e .nothing --dir d"),
    (1, "events search nothing --dir d"),
    (2, "no-such-command"),
    (2, "listen --no-such-option"),
    (2, "listen d --dir other"),
    (2, "path nothing --dir d"),
    (2, "status --wait 1 --dir d"),
    (2, "events filter ][ --dir d"),
    (2, "events tail --since soon --dir d"),
    (2, "events wait --timeout nan --dir d"),
    (2, "capture stop --timeout nan --dir d"),
    (3, "listen d"),
    (3, "listen --detach d"),
    (4, "status --dir d"),
    (4, "status --dir missing"),
    (4, "status --ws-id --dir d"),
    (4, "events tail --dir missing"),
    (4, "events filter . missing.jsonl"),
    (4, "listen d --env-file missing"),
    (4, "events filter . --dir d --cursor-file missing/c"),
    (4, "events tail --dir d --cursor-file missing/c"),
    (4, "events wait --timeout 0.05 --dir d --cursor-file missing/c"),
    (4, "events forward --exec true --dir d --cursor-file missing/c"),
    (4, "events forward --exec true --dir d --cursor-file missing/c --detach"),
    (6, "listen open"),
    (6, "status --dir open"),
    (124, "status --ws-id --wait 0.05 --dir d"),
    (124, "events wait --timeout 0.05 --dir d"),
]


@pytest.mark.parametrize(("status", "line"), TABLE, ids=str)
def test_table(status: int, line: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == status
    out, err = capfd.readouterr()
    assert "Traceback" not in err
    if status not in {0, 1} and "status --dir" not in line:
        assert any(line.startswith("error: ") for line in err.splitlines())
        assert out == ""


SERVICES = [
    (3, [refusal(401)]),
    (3, [refusal(403)]),
    (5, [Answer(500)]),
    (5, [Answer(403, "<html>")]),
]


@pytest.mark.parametrize(("status", "answers"), SERVICES, ids=["401", "403", "500", "proxy's 403"])
def test_listen(status: int, answers: list[Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    with EventService(close(), answers=answers) as service:
        for name, value in service.environment.items():
            monkeypatch.setenv(name, value)
        assert main(["listen", "d", "--max-retries", "0"]) == status


def test_conflict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("VIDEO_DB_API_KEY", "sk-x")
    lock = DirectoryLock(tmp_path / "d" / "videodb.lock")
    lock.acquire("boot:1")
    try:
        assert main(["listen", "d"]) == 9
        assert main(["listen", "d", "--detach", "--clear"]) == 9
        assert main(["status", "--dir", "d"]) == 5
        assert main(["stop", "--dir", "d"]) == 6, "held by this process, whose start token differs"
    finally:
        lock.release()
    assert "already listening in" in capfd.readouterr().err
    assert (tmp_path / "d" / "videodb_events.jsonl").read_text() == EVENT


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (KeyboardInterrupt(), 130),
        (ReaderGoneError("Broken pipe"), 0),
        (OutputError("No space left on device"), 6),
        (RuntimeError("boom"), 70),
        # None of these is a failed write to stdout, which the console alone can tell.
        (OSError(28, "No space left on device"), 70),
        (PermissionError(13, "Permission denied", "/somewhere"), 70),
        (TimeoutError(), 70),
        (ConnectionResetError(104, "Connection reset by peer"), 70),
        (BrokenPipeError(32, "Broken pipe"), 70),
    ],
    ids=repr,
)
def test_what_escapes(
    raised: BaseException, status: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr("videodb_cli.commands.path.reading_run_dir", fail)
    monkeypatch.setattr("videodb_cli.console.drop_stdout", lambda: None)
    assert main(["path"]) == status
    assert ("Traceback" in capfd.readouterr().err) is (status == 70)


@pytest.mark.parametrize(
    "line", ["path --dir d", "--help", "path --help", "--version", "nothing --json", "listen d --json"]
)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EPIPE])
def test_stdout_that_cannot_be_written(
    line: str, number: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A full disk is told; a closed pipe is not; an error that was to be told there is told on stderr."""

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(sys.stdout, "write", fail, raising=False)
    monkeypatch.setattr("videodb_cli.console.drop_stdout", lambda: None)
    failed_before = {"nothing --json": 2, "listen d --json": 3}.get(line)
    assert main(line.split()) == (failed_before or (6 if number == errno.ENOSPC else 0))
    said = capfd.readouterr().err
    assert "Traceback" not in said
    if failed_before is not None:
        assert said.startswith("error: ")
    else:
        assert said == ("error: cannot write the output: No space left on device\n" if number == errno.ENOSPC else "")


def test_every_error_has_its_status() -> None:
    found = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.VideodbError)]
    kinds = {kind.__name__: kind.exit_status for kind in found}
    assert kinds == {
        "VideodbError": 70,
        "NoMatchError": 1,
        "UsageError": 2,
        "CredentialsError": 3,
        "NotFoundError": 4,
        "UnreachableError": 5,
        "RefusedError": 6,
        "MissingDependencyError": 7,
        "ConflictError": 9,
        "TimedOutError": 124,
    }


@pytest.mark.parametrize("line", ["listen d --json", "no-such --json", "listen open --json", "status --wait 1 --json"])
def test_errors_are_one_json_object(line: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) != 0
    out, err = capfd.readouterr()
    assert list(json.loads(out)["error"]) == ["code", "message", "hint"]
    assert err == ""


def test_module_and_script_are_one(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    from videodb_cli.__main__ import run

    leave: Callable[[], None] = run
    monkeypatch.setattr(sys, "argv", ["videodb", "--version"])
    with pytest.raises(SystemExit) as left:
        leave()
    assert left.value.code == 0
    assert capfd.readouterr().out.startswith("videodb 0")


def test_event_forgives_nothing_of_a_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with EventService(send("{}", then=close())) as service:
        for name, value in service.environment.items():
            monkeypatch.setenv(name, value)
        assert main(["listen", "d", "--max-retries", "0", "--quiet"]) == 5
