"""What an analyser gives: records with unix seconds, and a state for the stream that it belongs to."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from videodb_cli.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RecordKind = Literal["transcript", "visual_index", "audio_index"]
StreamStatus = Literal["connecting", "running", "ended", "failed"]


@dataclass(frozen=True, slots=True)
class Word:
    """One spoken word, with the unix seconds at which it begins and ends."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that was heard or seen.

    ``start`` and ``end`` are unix seconds on the stream's wall clock. ``model`` says what made the record
    (``whisper-tiny.en``, ``ocr``). ``is_final`` is false only for a transcript that later ones replace. ``detail``
    holds JSON values that only this kind of record has.
    """

    kind: RecordKind
    text: str
    start: float
    end: float
    is_final: bool
    model: str
    words: tuple[Word, ...] = ()
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StreamState:
    """Where a stream is. ``error`` is one sentence: why it failed, or what part of it stopped while the rest runs."""

    status: StreamStatus
    error: str | None = None


class Analyser(ABC):
    """A worker with a thread of its own that turns media into records.

    It is fed from a media thread with ``push`` (each analyser has its own signature) and must never hold that thread
    up. ``on_record`` is called from the analyser's thread; ``on_error`` gets one sentence if it cannot go on.
    """

    def __init__(self, *, on_record: Callable[[Record], None], on_error: Callable[[str], None]) -> None:
        self._on_record = on_record
        self._on_error = on_error

    @abstractmethod
    def start(self) -> None:
        """Start the thread; models are loaded there, so that this returns at once."""

    @abstractmethod
    def finish(self, timeout_s: float) -> bool:
        """Analyse what is pending, join the thread, and say whether all of it was done within ``timeout_s``."""


def require_packages(*modules: str) -> None:
    """Raise `MissingDependencyError` (exit 7) unless every module can be imported. Imports nothing."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise MissingDependencyError(
                f"The Python package that gives '{module}' is not installed.",
                hint="pip install 'videodb-cli[local]'",
            )
