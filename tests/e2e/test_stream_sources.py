"""Sources on a network: http that works, refuses, lies, or goes silent."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.program import eventually
from videodb_cli.errors import NotFoundError, RefusedError, UnreachableError, VideodbError
from videodb_cli.local import sample
from videodb_cli.local.analysis.base import StreamState
from videodb_cli.local.media import source
from videodb_cli.local.media.live_stream import LiveStream


class Handler(BaseHTTPRequestHandler):
    released = threading.Event()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        media = sample.VIDEO.read_bytes()
        if path == "/page":
            self._send(200, b"<html><body>hello</body></html>")
        elif path == "/secret":
            self._send(403, b"no")
        elif path == "/sample":
            self._send(200, media)
        elif path == "/silent":
            Handler.released.wait(30)
        elif path == "/stalls":
            self.send_response(200)
            self.send_header("Content-Length", str(len(media)))
            self.end_headers()
            self.wfile.write(media[: len(media) // 16])
            self.wfile.flush()
            Handler.released.wait(30)
        else:
            self._send(404, b"nothing here")

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass  # the reader has seen enough

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def address() -> Iterator[str]:
    Handler.released.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Handler.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def _stream(url: str, directory: Path, states: list[StreamState]) -> LiveStream:
    return LiveStream(url, directory, on_record=lambda _: None, on_state=states.append)


def test_media_are_played_from_http_at_their_own_pace(address: str, tmp_path: Path) -> None:
    states: list[StreamState] = []
    stream = _stream(f"{address}/sample", tmp_path / "out", states)
    stream.start()
    assert stream.media_types == ("video", "audio")
    deadline = time.monotonic() + 20
    while not (tmp_path / "out" / "index.m3u8").is_file():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    stream.stop()
    assert states[-1] == StreamState("ended")
    assert 1 < stream.export(tmp_path / "x.mp4") < 15


@pytest.mark.parametrize(
    ("path", "error"),
    [("nothing", NotFoundError), ("secret", RefusedError), ("page", RefusedError), ("silent", UnreachableError)],
)
def test_what_a_server_does_wrong_is_one_clear_error(
    path: str, error: type[VideodbError], address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_OPEN_TIMEOUT_S", 1.0)
    states: list[StreamState] = []
    with pytest.raises(error) as caught:
        _stream(f"{address}/{path}?token=hunter2", tmp_path / "out", states).start()
    assert "hunter2" not in str(caught.value)
    assert [state.status for state in states] == ["connecting", "failed"]


def test_source_that_goes_silent_fails_the_stream_and_keeps_what_came(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_READ_TIMEOUT_S", 1.0)
    monkeypatch.setattr(source, "_look_ahead", lambda *_: (source.Picture(1280, 720, 0, 1.0, "yuv420p"), True, 2))
    states: list[StreamState] = []
    stream = _stream(f"{address}/stalls", tmp_path / "out", states)
    stream.start()
    deadline = time.monotonic() + 30
    while states[-1].status != "failed":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "stopped sending" in (states[-1].error or "")
    assert stream.export(tmp_path / "x.mp4") > 0.5


def test_stop_does_not_wait_for_a_silent_source(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_look_ahead", lambda *_: (source.Picture(1280, 720, 0, 1.0, "yuv420p"), True, 2))
    states: list[StreamState] = []
    stream = _stream(f"{address}/stalls", tmp_path / "out", states)
    stream.start()
    deadline = time.monotonic() + 20
    while stream._clock.moves == [] or time.time() - stream._clock.zero < 4:  # what came is played by then
        assert time.monotonic() < deadline
        time.sleep(0.05)
    began = time.monotonic()
    stream.stop()
    assert time.monotonic() - began < 5
    assert states[-1] == StreamState("ended")
    assert "#EXT-X-ENDLIST" in (tmp_path / "out" / "index.m3u8").read_text()
    Handler.released.set()


def test_media_are_played_from_rtmp_as_they_come(tmp_path: Path) -> None:
    import imageio_ffmpeg

    url = f"rtmp://127.0.0.1:{free_port()}/live/sample"
    serve = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-readrate", "1", "-i", str(sample.VIDEO), "-c", "copy"]
    with subprocess.Popen([*serve, "-f", "flv", "-listen", "1", url], stdin=subprocess.DEVNULL) as server:
        states: list[StreamState] = []
        try:
            stream = eventually(lambda: _opened(url, tmp_path, states))
            assert stream.media_types == ("video", "audio")
            eventually(lambda: "#EXTINF" in _text(tmp_path / "index.m3u8"))
            stream.stop()
        finally:
            server.kill()
    assert [state.status for state in states] == ["connecting", "running", "ended"]


def _opened(url: str, directory: Path, states: list[StreamState]) -> LiveStream | None:
    """The stream, started; None while its server does not listen yet."""
    states.clear()
    stream = _stream(url, directory, states)
    try:
        stream.start()
    except UnreachableError:
        return None
    return stream


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


@pytest.mark.parametrize("scheme", ["rtmp", "rtmps", "srt"])
def test_a_streaming_server_that_is_not_there_is_one_clear_error(scheme: str) -> None:
    with pytest.raises(VideodbError) as caught:
        source.open_source(f"{scheme}://somebody:secret@127.0.0.1:{free_port()}/live/secret?key=secret")
    assert caught.value.code in {"source_unreachable", "source_address"}
    assert f"{scheme}://" in caught.value.message
    assert "secret" not in caught.value.message
