"""The sound of several recordings on one time line."""

from __future__ import annotations

import threading
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from tests.fakes.media_files import write_media
from videodb_cli.errors import NotFoundError, RefusedError
from videodb_cli.local.media.mix import RATE, MixInput, SoundTrack, join_recordings, mix_session


def sound(path: Path, *pieces: tuple[float, float, float]) -> Path:
    """A recording of steady levels: (begins at second, lasts seconds, level)."""
    with av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream("pcm_s16le", rate=RATE)
        stream.layout = "mono"
        for begins, lasts, level in pieces:
            samples = np.full((1, round(lasts * RATE)), level * 32767, np.int16)
            frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
            frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), round(begins * RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def levels(track: SoundTrack, seconds: float) -> list[float]:
    """The level of each tenth of a second, read in odd pieces. A mono sound is 3 dB less in each of two channels."""
    read = np.concatenate([track.read(1000) for _ in range(round(seconds * RATE / 1000))], axis=1)
    assert read.shape[0] == 2
    middle = [read[0, at + RATE // 20] for at in range(0, round(seconds * RATE), RATE // 10)]
    return [round(float(level), 2) for level in middle]


def test_what_began_later_stands_later(tmp_path: Path) -> None:
    track = SoundTrack(MixInput(sound(tmp_path / "a", (0, 0.5, 0.5)), 100.3), 100.0)
    assert levels(track, 1.0) == [0] * 3 + [0.35] * 5 + [0] * 2
    assert track.ended


def test_what_began_earlier_is_cut(tmp_path: Path) -> None:
    track = SoundTrack(MixInput(sound(tmp_path / "a", (0, 0.3, 0.25), (0.3, 0.3, 0.5)), 99.7), 100.0)
    assert levels(track, 0.5) == [0.35] * 3 + [0] * 2


def test_a_hole_is_silence(tmp_path: Path) -> None:
    track = SoundTrack(MixInput(sound(tmp_path / "a", (0, 0.2, 0.5), (0.6, 0.2, 0.25)), 100.0), 100.0)
    assert levels(track, 1.0) == [0.35] * 2 + [0] * 4 + [0.18] * 2 + [0] * 2


def test_sounds_without_a_picture_are_mixed(tmp_path: Path) -> None:
    parts = [
        MixInput(sound(tmp_path / "a", (0, 2, 0.25)), 100.0),
        MixInput(sound(tmp_path / "b", (0, 1, 0.25)), 100.5),
    ]
    target = tmp_path / "export.mp4"
    length = mix_session([], parts, tmp_path, target, unwanted=threading.Event())
    assert length == pytest.approx(2, abs=0.1)
    with av.open(str(target)) as film:
        assert [stream.codec_context.name for stream in film.streams] == ["aac"]
    assert (tmp_path / "index.m3u8").read_text().endswith("#EXT-X-ENDLIST\n")


def test_nothing_recorded(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        mix_session([], [], tmp_path, tmp_path / "export.mp4", unwanted=threading.Event())
    (tmp_path / "empty.mp4").write_bytes(b"\0" * 100)
    part = MixInput(tmp_path / "empty.mp4", 1.0)
    with pytest.raises(NotFoundError):
        mix_session([part], [], tmp_path, tmp_path / "export.mp4", unwanted=threading.Event())


def test_an_export_that_is_not_wanted_any_more_is_given_up(tmp_path: Path) -> None:
    unwanted = threading.Event()
    unwanted.set()
    part = MixInput(sound(tmp_path / "a", (0, 1, 0.5)), 1.0)
    with pytest.raises(RefusedError, match="given up"):
        mix_session([], [part], tmp_path, tmp_path / "export.mp4", unwanted=unwanted)
    assert not (tmp_path / "export.mp4").exists()


def pictures_of(path: Path) -> list[float]:
    with av.open(str(path)) as film:
        return [float(frame.time) for frame in film.decode(video=0)]


def test_recordings_follow_each_other_without_the_time_between(tmp_path: Path) -> None:
    paths = [write_media(tmp_path / "a.mp4", seconds=2), write_media(tmp_path / "b.mp4", seconds=3)]
    target = tmp_path / "joined" / "export.mp4"
    target.parent.mkdir()
    assert join_recordings(paths, target.parent, target, unwanted=threading.Event()) == pytest.approx(5, abs=0.15)
    shown = pictures_of(target)
    assert len(shown) == 50
    assert max(later - earlier for earlier, later in pairwise(shown)) < 0.25
    with av.open(str(target)) as film:
        assert sum(frame.samples for frame in film.decode(audio=0)) / RATE == pytest.approx(5, abs=0.15)
    assert (target.parent / "index.m3u8").read_text().endswith("#EXT-X-ENDLIST\n")


def test_a_picture_that_was_recorded_again_stands_at_its_time(tmp_path: Path) -> None:
    first, second = (write_media(tmp_path / name, seconds=1, audio=None) for name in ("a.mp4", "b.mp4"))
    target = tmp_path / "export.mp4"
    parts = [MixInput(first, 100.0), MixInput(second, 103.0)]
    mix_session(parts, [], tmp_path, target, unwanted=threading.Event())
    shown = pictures_of(target)
    assert [round(at, 1) for at in (shown[9], shown[10])] == [0.9, 3.0]


def test_a_recording_in_another_format_than_the_last_is_left_out(tmp_path: Path) -> None:
    small = write_media(tmp_path / "a.mp4", seconds=1, audio=None, size=(160, 90))
    large = write_media(tmp_path / "b.mp4", seconds=2, audio=None)
    target = tmp_path / "joined" / "export.mp4"
    target.parent.mkdir()
    assert join_recordings([small, large], target.parent, target, unwanted=threading.Event()) == pytest.approx(
        2, abs=0.1
    )
    with av.open(str(target)) as film:
        assert film.streams.video[0].width == 320
