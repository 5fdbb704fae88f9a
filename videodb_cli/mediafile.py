"""Which files can be played in real time: the rules and messages of `demo`, `capture start` and the service.

Captures look into files with ffmpeg, the embedded service with PyAV. What they find is checked here, so that both
refuse the same files for the same reason.
"""

from __future__ import annotations

import contextlib
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from videodb_cli.errors import NotFoundError, RefusedError, UsageError

# A shorter film is over before anything can listen to it.
LEAST_S: Final = 0.5
# A file with fewer pictures holds a still picture, not a film.
LEAST_PICTURES: Final = 2
_HINT: Final = f"give a film or a sound recording of at least {LEAST_S:g} s"
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
# Demuxers that find pictures in any text, or follow a text to other files.
_TEXTS: Final = frozenset(
    {"tty", "bin", "xbin", "idf", "adf", "concat", "ffmetadata", "lrc", "srt", "ass", "webvtt", "subviewer", "microdvd"}
)
# This demuxer takes digits in a name for a pattern, and reads the neighbouring files too.
_PICTURE: Final = "image2"
NOT_MEDIA: Final = "it is not a video or a sound recording, or it is damaged"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a library found in a file. ``pictures`` it could decode, counted up to `LEAST_PICTURES`; seconds."""

    demuxer: str
    pictures: int
    has_sound: bool
    duration_s: float | None

    @property
    def has_film(self) -> bool:
        """Whether there are moving pictures. A single picture beside sound is a cover."""
        return self.pictures >= LEAST_PICTURES and self.demuxer != _PICTURE


def named_file(typed: str, what: str) -> Path:
    """Return the file that the user typed: a path, which may begin with ``~``, or a ``file:`` URL.

    ``what`` begins the sentence that refuses anything else: "--source takes". Raises UsageError for a network address
    and for ``-``.
    """
    if typed == "-":
        raise UsageError(
            f"{what} a file, and standard input is none", code="not_a_file", hint="save it to a file first"
        )
    scheme = _ADDRESS.match(typed)
    if typed.lower().startswith("file:/"):
        return _of_url(typed, what)
    if scheme is not None:
        parts = urlsplit(typed)
        # Shown without user, password and query, which may be secrets.
        shown = f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
        is_web = parts.scheme in {"http", "https"}
        save = "curl -fL -o film.mp4 ADDRESS" if is_web else "ffmpeg -i ADDRESS -t 60 -c copy film.mp4"
        raise UsageError(
            f"{what} a file, not an address: {shown}",
            code="not_a_file",
            hint=f"{'download it' if is_web else 'record some of it'} first: {save}",
        )
    path = Path(typed)
    if typed.startswith("~") and not path.exists():
        # Shells do not expand the ~ in --source=~/film.mp4.
        with contextlib.suppress(RuntimeError):
            return path.expanduser()
    return path


def _of_url(url: str, what: str) -> Path:
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"}:
        raise UsageError(f"{what} a file of this machine, not of {parts.netloc}", code="not_a_file")
    return Path(unquote(parts.path))


def check_file(path: Path) -> None:
    """Raise NotFoundError or RefusedError unless there is a file that can be read and has something in it."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise unplayable(path, "it is a directory")
        if not stat.S_ISREG(mode):
            raise unplayable(path, "it is not a regular file")
        with path.open("rb") as file:
            if not file.read(1):
                raise unplayable(path, "it is empty")
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"no such file: {path}", code="no_file") from None
    except (OSError, ValueError) as error:
        raise unplayable(path, (getattr(error, "strerror", None) or str(error)).lower()) from error


def check_contents(path: Path | str, contents: Contents) -> None:
    """Raise RefusedError unless a file holds a film or sound that is long enough."""
    reason = why_unplayable(contents)
    if reason is not None:
        raise unplayable(path, reason)
    check_duration(path, contents.duration_s)


def check_duration(path: Path | str, duration_s: float | None) -> None:
    """Raise RefusedError if a file is known to be too short."""
    if duration_s is not None and duration_s < LEAST_S:
        raise unplayable(path, f"it is over after {duration_s:.2g} s")


def why_unplayable(contents: Contents) -> str | None:
    """Return why a source holds nothing that can be played, whatever its length; None if it can be played."""
    if is_text(contents.demuxer):
        return NOT_MEDIA
    if contents.has_film or contents.has_sound:
        return None
    return "it is a still picture" if contents.pictures else "it has neither picture nor sound that can be decoded"


def is_text(demuxer: str) -> bool:
    """Tell whether a file opened by this demuxer is a text, whatever pictures were found in it."""
    return demuxer in _TEXTS


def unplayable(shown: Path | str, reason: str) -> RefusedError:
    """Return the error for a source that cannot be played; the same everywhere."""
    return RefusedError(f"{shown} cannot be played: {reason}", code="source_unreadable", hint=_HINT)
