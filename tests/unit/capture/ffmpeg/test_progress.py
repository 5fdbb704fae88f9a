"""ffmpeg's own account of itself, read from bytes."""

from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.capture.ffmpeg.progress import ProgressReader

BLOCK = b"""packet_size=700
packet_size=300
frame=12
fps=0.00
bitrate=N/A
total_size=N/A
out_time_us=1200000
out_time_ms=1200000
dup_frames=0
drop_frames=3
speed= 1.5x
progress=continue
"""


def test_totals_of_a_block() -> None:
    reader = ProgressReader()
    assert reader.feed(BLOCK)
    progress = reader.progress
    assert (progress.bytes, progress.packets, progress.frames, progress.drops) == (1000, 2, 12, 3)
    assert progress.media_us == 1_200_000
    assert progress.has_sent
    assert not progress.ended


def test_a_block_without_news_does_not_count_as_moving() -> None:
    reader = ProgressReader()
    reader.feed(BLOCK)
    assert not reader.feed(b"frame=12\nout_time_us=1200000\nprogress=continue\n")
    assert reader.feed(b"packet_size=1\n")
    assert not reader.feed(b"out_time_us=N/A\nout_time_us=-77\nprogress=end\n")
    assert reader.progress.ended


def test_the_header_alone_is_no_media() -> None:
    reader = ProgressReader()
    assert not reader.feed(b"frame=0\nout_time_us=N/A\nprogress=continue\n")
    assert not reader.progress.has_sent


@given(st.lists(st.binary(max_size=50), max_size=20), st.integers(1, 30))
def test_any_bytes_in_any_pieces_do_no_harm(noise: list[bytes], size: int) -> None:
    reader = ProgressReader()
    for chunk in noise:
        reader.feed(chunk)
    reader.feed(b"\n")
    frames = reader.progress.packets
    for index in range(0, len(BLOCK), size):
        reader.feed(BLOCK[index : index + size])
    assert reader.progress.packets == frames + 2
