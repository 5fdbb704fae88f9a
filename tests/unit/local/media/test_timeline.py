"""Stamps of packets made continuous, and the wall clock."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from videodb_cli.local.media.timeline import Placed, Timeline, WallClock, in_order


def _played(timeline: Timeline, track: int, stamps: list[float], duration: float = 1.0) -> list[float]:
    return [stamp + timeline.place(track, stamp, duration) for stamp in stamps]


@pytest.mark.parametrize("start", [-0.5, 0.0, 95_443.7])
def test_begins_at_zero_wherever_the_source_begins(start: float) -> None:
    timeline = Timeline(start=start, forward_jumps_are_breaks=True)
    assert _played(timeline, 0, [start, start + 1, start + 2]) == pytest.approx([0, 1, 2])


def test_first_stamp_counts_if_the_source_does_not_say_where_it_begins() -> None:
    timeline = Timeline(start=None, forward_jumps_are_breaks=True)
    assert _played(timeline, 0, [7.0, 8.0]) == pytest.approx([0, 1])
    assert _played(timeline, 1, [7.5]) == pytest.approx([0.5])


def test_jump_back_becomes_a_seam() -> None:
    timeline = Timeline(start=0.0, forward_jumps_are_breaks=False)
    assert _played(timeline, 0, [0, 1, 2, 0, 1]) == pytest.approx([0, 1, 2, 3, 4])


def test_second_track_follows_the_jump_of_the_first_so_that_both_stay_together() -> None:
    timeline = Timeline(start=0.0, forward_jumps_are_breaks=True)
    _played(timeline, 0, [0, 1, 2])
    _played(timeline, 1, [0.2, 1.2])  # still has a packet from before the jump to give
    assert _played(timeline, 0, [100]) == pytest.approx([3])
    assert _played(timeline, 1, [2.2, 100.2]) == pytest.approx([2.2, 3.2])


def test_forward_jump_is_a_break_only_where_the_container_says_so() -> None:
    sparse = Timeline(start=0.0, forward_jumps_are_breaks=False)
    assert _played(sparse, 0, [0, 45]) == pytest.approx([0, 45])
    transport = Timeline(start=0.0, forward_jumps_are_breaks=True)
    assert _played(transport, 0, [0, 45]) == pytest.approx([0, 1])


def test_packets_without_stamps_follow_each_other() -> None:
    timeline = Timeline(start=None, forward_jumps_are_breaks=False)
    seen = []
    for _ in range(3):
        seen.append(timeline.expected(0))
        timeline.place(0, None, 0.5)
    assert seen == pytest.approx([0, 0.5, 1.0])


def test_wall_clock_finds_the_second_of_the_stream_before_and_after_a_stall() -> None:
    clock = WallClock()
    clock.move(0.0, 1000.0)
    clock.move(10.0, 1005.0)  # stood still for 5 s at second 10
    assert clock.stream_second(1004.0) == pytest.approx(4)
    assert clock.stream_second(1012.0) == pytest.approx(10)
    assert clock.stream_second(1016.0) == pytest.approx(11)
    assert clock.stream_second(999.0) == pytest.approx(-1)


def _packets(*seconds: tuple[int, float], size: int = 1) -> list[Placed[str]]:
    return [Placed(f"{track}@{second}", track, second, size) for track, second in seconds]


def test_badly_interleaved_tracks_come_in_the_order_in_which_they_are_due() -> None:
    given = _packets((0, 0), (0, 1), (0, 2), (1, 0.5), (1, 1.5), (0, 3), (1, 2.5))
    assert [packet.second for packet in in_order(given, 2)] == [0, 0.5, 1, 1.5, 2, 2.5, 3]


def test_track_that_ends_early_or_never_comes_holds_nothing_back_for_long() -> None:
    read: list[float] = []

    def reading() -> Iterator[Placed[str]]:
        for packet in _packets(*[(0, float(second)) for second in range(100)]):
            read.append(packet.second)
            yield packet

    for packet in in_order(reading(), 2):
        assert read[-1] - packet.second <= 11
    assert len(read) == 100


def test_reading_ahead_is_bounded_in_bytes() -> None:
    read: list[float] = []

    def reading() -> Iterator[Placed[str]]:
        for packet in _packets(*[(0, second / 100) for second in range(100)], size=10 << 20):
            read.append(packet.second)
            yield packet

    next(iter(in_order(reading(), 2)))
    assert len(read) <= 8


def test_what_was_read_before_a_failure_is_given_before_it_is_raised() -> None:
    def failing() -> Iterator[Placed[str]]:
        yield from _packets((0, 0), (0, 1))
        raise OSError("torn")

    ordered = in_order(failing(), 2)
    assert [next(ordered).second, next(ordered).second] == [0, 1]
    with pytest.raises(OSError, match="torn"):
        next(ordered)
