"""What an analyser gives: records with unix seconds, and a state for the stream that it belongs to."""

from __future__ import annotations

import importlib.util
import logging
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from videodb_cli.errors import MissingDependencyError, VideodbError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

OCR = "ocr"  # the model of what text recognition has read
RecordKind = Literal["transcript", "visual_index", "audio_index"]
StreamStatus = Literal["connecting", "running", "ended", "failed"]


@dataclass(frozen=True, slots=True)
class Word:
    """One spoken word, with the unix seconds at which it begins and ends."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class AnalysisRecord:
    """One thing that was heard or seen.

    ``start`` and ``end`` are unix seconds on the stream's wall clock. ``model`` says what made the record
    (``whisper-tiny.en``, ``ocr``). ``is_final`` is false only for a transcript that later ones replace. ``detail``
    holds JSON values that only this kind of record has. ``pictures`` are what was seen, as JPEG, the oldest first, if a
    model describes it; an ``is_minor`` record is not worth telling unless one does.
    """

    kind: RecordKind
    text: str
    start: float
    end: float
    is_final: bool
    model: str
    words: tuple[Word, ...] = ()
    detail: Mapping[str, object] = field(default_factory=dict)
    pictures: tuple[bytes, ...] = field(default=(), repr=False)
    is_minor: bool = False


@dataclass(frozen=True, slots=True)
class StreamState:
    """Where a stream is. ``error`` is one sentence: why it failed, or what part of it stopped while the rest runs."""

    status: StreamStatus
    error: str | None = None


class Analyser(ABC):
    """A worker with a thread of its own that turns media into records.

    It is fed from a media thread with ``push`` (each analyser has its own signature), which never holds that thread
    up. ``on_record`` is called from the analyser's thread; ``on_error`` gets one sentence if it cannot go on.
    """

    def __init__(
        self, name: str, *, on_record: Callable[[AnalysisRecord], None], on_error: Callable[[str], None]
    ) -> None:
        self._name = name
        self._on_record = on_record
        self._on_error = on_error
        self._changed = threading.Condition()
        self._finishing = False
        self._abandoned = False
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._guarded, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread; models are loaded there, so that this returns at once."""
        self._thread.start()

    def wait_ready(self, timeout_s: float) -> bool:
        """Whether the models are loaded, or never will be, within ``timeout_s``. What is fed meanwhile waits."""
        return self._ready.wait(timeout_s)

    def request_finish(self) -> None:
        """Let the thread analyse what is pending and end. Returns at once."""
        with self._changed:
            self._finishing = True
            self._changed.notify_all()

    def wait_finished(self, timeout_s: float) -> bool:
        """Whether the thread has ended within ``timeout_s``; true when asked by that thread itself."""
        if self._thread is threading.current_thread() or not self._thread.is_alive():
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def abandon(self) -> None:
        """Give up what is pending: no more records. The thread ends after the piece of work in hand."""
        self._abandoned = True
        self.request_finish()

    @abstractmethod
    def _run(self) -> None:
        """The body of the thread. Ends when `_finishing` and nothing is pending, or as soon as `_abandoned`.

        Sets `_ready` once its models are loaded.
        """

    def _guarded(self) -> None:
        try:
            self._run()
        except VideodbError as error:
            self._on_error(f"The analysis of {self._name} stopped: {error.message}")
        except Exception as error:
            log.warning("the analysis of %s stopped", self._name, exc_info=error)
            self._on_error(f"The analysis of {self._name} stopped: {type(error).__name__}: {error}")
        finally:
            self._ready.set()


def require_packages(*modules: str) -> None:
    """Raise `MissingDependencyError` (exit 7) unless every module can be imported. Imports nothing."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise MissingDependencyError(
                f"The Python package that gives '{module}' is not installed.",
                hint="pip install 'videodb-cli[local]'",
            )
