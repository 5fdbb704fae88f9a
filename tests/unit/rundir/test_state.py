"""State files: a version, one step to replace, distrust in reading."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from videodb_cli.errors import RefusedError
from videodb_cli.rundir import private, process_log, state


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "videodb_listener.json"
    assert state.read(path) is None
    state.write(path, {"pid": 5, "host": "é"})
    assert state.read(path) == {"v": 1, "pid": 5, "host": "é"}
    assert next(iter(json.loads(path.read_text()))) == "v"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\0\0\0", b'"v"', b"\xff"])
def test_what_we_could_not_have_written_is_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "f"
    path.write_bytes(content)
    assert state.read(path) is None


def test_one_that_is_seen_half_way_is_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    state.write(path, {"n": 1}, room=state.ROOM)
    assert path.stat().st_size == state.ROOM
    state.rewrite(path, {"n": 2})
    assert path.stat().st_size == state.ROOM
    contents = [b'{"v":1,"n":2,"x', path.read_bytes()]
    monkeypatch.setattr(private, "read_bytes", lambda _: contents.pop(0))
    assert state.read(path) == {"v": 1, "n": 2}
    with pytest.raises(OSError, match="No space left"):
        state.rewrite(path, {"n": "x" * state.ROOM})


def test_a_newer_one_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "videodb_listener.json"
    path.write_text('{"v":2}')
    with pytest.raises(RefusedError, match=r"videodb_listener\.json was written by a newer videodb"):
        state.read(path)


def test_the_process_log_is_kept_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    log = tmp_path / "videodb_listener.log"
    monkeypatch.setattr(process_log, "LIMIT_BYTES", 10)
    for content in (b"a" * 11, b"b" * 11, b"c"):
        with process_log.opened(log) as fd:
            os.write(fd, content)
    assert log.read_bytes() == b"c"
    assert log.with_name(log.name + ".1").read_bytes() == b"b" * 11
    assert log.stat().st_mode & 0o777 == 0o600
    monkeypatch.undo()
    log.unlink()
    log.symlink_to(tmp_path / "x")
    with pytest.raises(RefusedError), process_log.opened(log):
        pass
    process_log.keep_small(log)
    assert not (tmp_path / "x").exists()
