"""Which analysers a stream has: switched on and off while it runs, and ended with it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from videodb_cli.local.analysis.base import Analyser, AnalysisRecord
    from videodb_cli.local.analysis.screen import ScreenAnalyser
    from videodb_cli.local.analysis.speech import SpeechAnalyser
    from videodb_cli.local.media.audio import AudioTrack
    from videodb_cli.local.media.video import VideoTrack

_READY_S: Final = 15.0  # for the models to be loaded; what comes meanwhile waits for them


class Analysers:
    """Hears and reads one stream for its transcript, its audio index and its screen index.

    Each is switched on and off apart; the first two share one analyser. What is switched on is ready when the call
    returns: its models are loaded. ``require(media_type)`` raises unless the stream runs and has such media.
    ``on_record`` is called from the analysers' threads, one at a time; ``on_error`` gets one sentence if an analyser
    cannot go on.
    """

    def __init__(
        self,
        *,
        require: Callable[[str], None],
        on_record: Callable[[AnalysisRecord], None],
        on_error: Callable[[str], None],
        models_dir: Path | None,
        keeps_pictures: bool = False,
    ) -> None:
        self.audio: AudioTrack | None = None
        self.video: VideoTrack | None = None
        self._require = require
        self._hand_on = on_record
        self._on_error = on_error
        self._models_dir = models_dir
        self._keeps_pictures = keeps_pictures
        self._record_lock = threading.Lock()
        self._control = threading.RLock()
        self._speech: SpeechAnalyser | None = None
        self._transcribes = False
        self._indexes_sound = False
        self._screen: ScreenAnalyser | None = None
        self._leaving: list[Analyser] = []

    def start_transcription(self) -> None:
        """Transcribe what is said from now on. Does nothing if that runs.

        Raises what ``require`` raises, and `MissingDependencyError` (``model_missing`` without the speech model).
        """
        from videodb_cli.local.analysis.speech import SpeechAnalyser

        with self._control:
            if self._transcribes:
                return
            self._require("audio")
            analyser = self._speech
            if analyser is None:
                analyser = SpeechAnalyser(on_record=self._record, on_error=self._on_error, models_dir=self._models_dir)
                self._listen(analyser)
            else:
                analyser.start_transcripts()
            self._transcribes = True
        analyser.wait_ready(_READY_S)

    def stop_transcription(self) -> None:
        """No longer transcribe. What was said before is still told."""
        with self._control:
            self._transcribes = False
            if self._speech is not None and self._indexes_sound:
                self._speech.stop_transcripts()
            else:
                self._stop_listening()

    def start_audio_index(self) -> None:
        """Tell what is heard from now on: speech, silence, other sound. Does nothing if that runs.

        Without the speech model it runs too, without words. Raises what ``require`` raises, and
        `MissingDependencyError` (a package).
        """
        from videodb_cli.local.analysis.speech import SpeechAnalyser

        with self._control:
            if self._indexes_sound:
                return
            self._require("audio")
            analyser = self._speech or SpeechAnalyser(
                on_record=self._record, on_error=self._on_error, models_dir=self._models_dir, transcribes=False
            )
            analyser.start_index()
            if self._speech is None:
                self._listen(analyser)
            self._indexes_sound = True
        analyser.wait_ready(_READY_S)

    def stop_audio_index(self) -> None:
        """No longer tell what is heard."""
        with self._control:
            self._indexes_sound = False
            if self._speech is not None and self._transcribes:
                self._speech.stop_index()
            else:
                self._stop_listening()

    def start_screen_index(self) -> None:
        """Read the text of the picture from now on. Does nothing if that runs.

        Raises what ``require`` raises, and `MissingDependencyError`.
        """
        from videodb_cli.local.analysis.screen import ScreenAnalyser

        with self._control:
            if self._screen is not None:
                return
            self._require("video")
            analyser = ScreenAnalyser(
                on_record=self._record, on_error=self._on_error, keeps_pictures=self._keeps_pictures
            )
            analyser.start()
            self._screen = analyser
            if self.video is not None:
                self.video.analyser = analyser
        analyser.wait_ready(_READY_S)

    def stop_screen_index(self) -> None:
        """No longer read the picture. What was seen before is still told."""
        with self._control:
            if self.video is not None:
                self.video.analyser = None
            self._leave(self._screen)
            self._screen = None

    def finish(self, close: Callable[[], None]) -> None:
        """Let every analyser tell what is pending and end; ``close`` is called first, so that no other is started."""
        with self._control:
            close()
            self._leave(self._speech)
            self._leave(self._screen)

    def wait_finished(self, until: Callable[[], float]) -> None:
        """Wait until every analyser has ended; those that have not at ``until()`` (monotonic) are given up."""
        with self._control:
            leaving = list(self._leaving)
        for analyser in leaving:
            while not analyser.wait_finished(0.2):
                if time.monotonic() > until():
                    analyser.abandon()
                    break

    def _listen(self, analyser: SpeechAnalyser) -> None:
        analyser.start()
        self._speech = analyser
        if self.audio is not None:
            self.audio.analyser = analyser

    def _stop_listening(self) -> None:
        if self.audio is not None:
            self.audio.analyser = None
        self._leave(self._speech)
        self._speech = None

    def _leave(self, analyser: Analyser | None) -> None:
        if analyser is not None:
            analyser.request_finish()
            self._leaving = [*self._leaving, analyser]

    def _record(self, record: AnalysisRecord) -> None:
        with self._record_lock:
            self._hand_on(record)
