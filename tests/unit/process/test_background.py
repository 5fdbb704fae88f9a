"""What a background process and its parent say to each other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from videodb_cli import errors
from videodb_cli.errors import ConflictError, NotFoundError, RefusedError, UnreachableError, UsageError, VideodbError
from videodb_cli.process import background
from videodb_cli.process.background import BackgroundJob, ReadyPipe

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, VideodbError) and kind is not VideodbError
]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_arrives_as_what_it_was(kind: type[VideodbError]) -> None:
    error = kind("the sentence", code="a_code", hint="the command")
    told = VideodbError.from_wire(json.loads(json.dumps(error.to_wire())))
    assert type(told) is kind
    assert (told.message, told.code, told.hint) == ("the sentence", "a_code", "the command")


@pytest.mark.parametrize("odd", [None, 7, "x", {}, {"exit_status": 12}, {"message": None, "exit_status": 0}])
def test_an_odd_error_is_one_all_the_same(odd: object) -> None:
    assert isinstance(VideodbError.from_wire(odd), UnreachableError)


def job(directory: Path, kind: str, **request: object) -> BackgroundJob:
    def died(sentence: str, hint: str) -> VideodbError:
        return RefusedError(sentence, code="it_died", hint=hint)

    return BackgroundJob(kind, "thing", directory, directory / "log", request, died=died)


def start(job: BackgroundJob, timeout_s: float = 30.0) -> background.Started:
    with (job.directory / "log").open("ab") as log:
        return background.start(job, log_fd=log.fileno(), timeout_s=timeout_s)


def test_a_request_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a request"):
        start(job(tmp_path, "capture", nonsense=1))


def test_an_error_of_the_process_is_raised_here(tmp_path: Path) -> None:
    # The directory of the cursor is gone by the time that it looks.
    request: dict[str, object] = {"url": "ftp://x", "command": None, "criteria": {}, "cursor_file": None}
    with pytest.raises(UsageError):
        start(job(tmp_path, "forward", **request))


def test_one_that_ends_without_a_word(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="the thing ended at once with status 2") as died:
        start(job(tmp_path, "no-such-kind"))
    assert died.value.code == "it_died"
    assert died.value.hint == f"see {tmp_path / 'log'}"


def test_the_request_is_not_in_the_argument_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    real = subprocess.Popen

    def popen(command: list[str], **settings: object) -> object:
        started.append(command)
        return real(command, **settings)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", popen)
    with pytest.raises(UsageError):
        start(job(tmp_path, "capture", prompt="a secret plan"))
    assert "secret" not in " ".join(started[0])


def test_a_person_who_types_it_is_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "videodb_cli", "background", "listen", "--dir", str(tmp_path)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "started by other commands" in done.stderr


def test_the_first_word_counts() -> None:
    ready, said = os.pipe()
    pipe = ReadyPipe(said)
    assert not pipe.has_spoken
    pipe.say({"n": 1})
    pipe.say({"n": 2})
    with pytest.raises(ConflictError), pipe.telling_errors():
        raise ConflictError("later")
    assert pipe.has_spoken
    assert os.read(ready, 100) == b'{"n":1}\n'
    assert os.read(ready, 100) == b""
    os.close(ready)


def test_an_error_is_told_once() -> None:
    ready, said = os.pipe()
    with pytest.raises(NotFoundError), ReadyPipe(said).telling_errors():
        raise NotFoundError("gone", hint="look")
    assert json.loads(os.read(ready, 1000))["error"]["exit_status"] == 4
    os.close(ready)
