"""What stands in a log is counted, and estimated when counting would take long."""

from __future__ import annotations

from pathlib import Path

import pytest

from videodb_cli.eventlog.views import log_size as module
from videodb_cli.eventlog.views.log_size import log_size

EVENT = b'{"ts":"x","unix_ts":1,"channel":"transcript","data":{"text":"a \\"channel\\":\\"videodb_cli\\" b"}}\n'
OWN = b'{"ts":"x","unix_ts":1,"channel":"videodb_cli","event":"listener.gap","data":{}}\n'


def test_own_lines_are_no_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    path.write_bytes((EVENT * 3 + OWN) * 50)
    for block in (1 << 18, 32, 23):  # also when our channel lies on the edge of two blocks
        monkeypatch.setattr(module, "_BLOCK", block)
        assert log_size(path) == (path.stat().st_size, 150, True)


def test_a_big_log_is_estimated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    path.write_bytes(EVENT * 10_000)
    monkeypatch.setattr(module, "_COUNTED_BYTES", len(EVENT) * 1000)
    monkeypatch.setattr(module, "_BLOCK", 4096)
    found = log_size(path)
    assert found is not None
    assert not found.is_exact
    assert found.events == pytest.approx(10_000, rel=0.02)


def test_no_log_and_what_is_no_file(tmp_path: Path) -> None:
    assert log_size(tmp_path / "none") is None
    (tmp_path / "link").symlink_to("/etc/passwd")
    assert log_size(tmp_path / "link") is None
    assert log_size(tmp_path) is None
    (tmp_path / "empty").touch()
    assert log_size(tmp_path / "empty") == (0, 0, True)
