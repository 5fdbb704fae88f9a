"""The embedded service in a thread, with a source that does what a test says instead of playing media."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from videodb_cli.errors import VideodbError
from videodb_cli.local.analysis.base import AnalysisRecord, StreamState
from videodb_cli.local.http.server import Running, running

PLAYLIST = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:2
#EXT-X-PLAYLIST-TYPE:EVENT
#EXT-X-MAP:URI="init.mp4"
#EXTINF:2.0,
seg0.m4s
#EXTINF:2.0,
seg1.m4s
#EXTINF:1.0,
seg2.m4s
#EXT-X-ENDLIST
"""


@dataclass
class ScriptedSource:
    """A source under the control of a test; `calls` says what the service asked of it."""

    url: str
    directory: Path
    on_record: Callable[[AnalysisRecord], None]
    on_state: Callable[[StreamState], None]
    media_types: tuple[str, ...] = ("video", "audio")
    calls: list[str] = field(default_factory=list)
    refuse: dict[str, VideodbError] = field(default_factory=dict)
    during_start: Callable[["ScriptedSource"], None] | None = None
    patient: bool = False
    clock_moves: tuple[tuple[float, float], ...] = ()

    def _called(self, name: str) -> None:
        if name in self.refuse:
            raise self.refuse[name]
        self.calls.append(name)

    def start(self) -> None:
        self._called("start")
        for name in ("init.mp4", "seg0.m4s", "seg1.m4s", "seg2.m4s"):
            (self.directory / name).write_bytes(name.encode() * 100)
        (self.directory / "index.m3u8").write_text(PLAYLIST)
        if self.during_start is not None:
            self.during_start(self)

    def start_transcription(self) -> None:
        self._called("start_transcription")

    def stop_transcription(self) -> None:
        self._called("stop_transcription")

    def start_screen_index(self) -> None:
        self._called("start_screen_index")

    def stop_screen_index(self) -> None:
        self._called("stop_screen_index")

    def start_audio_index(self) -> None:
        self._called("start_audio_index")

    def stop_audio_index(self) -> None:
        self._called("stop_audio_index")

    def stop(self, timeout_s: float = 10.0) -> None:
        self._called("stop")

    def export(self, target: Path, *, start: float | None = None, end: float | None = None) -> float:
        self._called("export")
        target.write_bytes(bytes(range(256)) * 8)
        return 5.0


class Sources:
    """Makes the sources of a service and remembers them."""

    def __init__(self) -> None:
        self.made: list[ScriptedSource] = []
        self.refuse: dict[str, VideodbError] = {}
        self.media_types: tuple[str, ...] = ("video", "audio")
        self.during_start: Callable[[ScriptedSource], None] | None = None

    def __call__(self, url: str, directory: Path, **callbacks: Any) -> ScriptedSource:
        source = ScriptedSource(
            url,
            directory,
            media_types=self.media_types,
            refuse=self.refuse,
            during_start=self.during_start,
            **callbacks,
        )
        self.made.append(source)
        return source

    def say(self, record: AnalysisRecord) -> None:
        """Report from a thread of its own, as analysers do."""
        thread = threading.Thread(target=self.made[-1].on_record, args=(record,))
        thread.start()
        thread.join()


@pytest.fixture
def sources() -> Sources:
    return Sources()


@pytest.fixture
def service(tmp_path: Path, sources: Sources) -> Iterator[Running]:
    with running(tmp_path / "local", make_source=sources) as found:
        yield found


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One service for the tests of a module that leave nothing in it that matters to another."""
    with running(tmp_path_factory.mktemp("shared") / "local", make_source=Sources()) as found:
        yield found


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "a clip.mp4"
    path.write_bytes(b"not really a film")
    return path
