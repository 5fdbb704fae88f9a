"""The log is read by window: backwards, forwards, through rotation, and as it grows."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from videodb_cli.eventlog.read.follow import Change
from videodb_cli.rundir.paths import RunDir
from videodb_cli.watch.reader import Filter, LogReader, Place, without_replaced


def line(number: int, channel: str = "transcript", **data: object) -> str:
    members = {"text": f"word{number}.", "is_final": True, **data}
    stamp = {"ts": "2026-03-02T10:15:30.123Z", "unix_ts": 1772446530 + number}
    return json.dumps({**stamp, "channel": channel, "rtstream_name": "mic", "data": members}) + "\n"


def texts(entries: object) -> list[str]:
    return [entry.event["data"]["text"] for entry in entries]  # type: ignore[attr-defined]


ALL = Filter().selection()


def test_pages_lead_through_rotated_and_compressed_files_to_the_first_event(tmp_path: Path) -> None:
    log = RunDir(tmp_path).log
    log.with_name(log.name + ".2.gz").write_bytes(gzip.compress("".join(map(line, range(20))).encode()))
    log.with_name(log.name + ".1").write_text("".join(map(line, range(20, 40))))
    log.write_text("".join(map(line, range(40, 60))))
    reader = LogReader(RunDir(tmp_path))
    found = reader.last(ALL, 7)
    while older := reader.before(found[0].place, ALL, 7):
        found = [*older, *found]
    assert texts(found) == [f"word{number}." for number in range(60)]
    forwards = [found[0]]
    while newer := reader.after(Place(forwards[-1].place.file, forwards[-1].place.offset + 1), ALL, 7):
        forwards += newer
    reader.close()
    assert texts(forwards) == texts(found)


def test_a_place_stays_right_when_its_file_is_rotated(tmp_path: Path) -> None:
    log = RunDir(tmp_path).log
    log.write_text("".join(map(line, range(10))))
    reader = LogReader(RunDir(tmp_path))
    last = reader.last(ALL, 2)
    log.rename(log.with_name(log.name + ".1"))
    log.write_text(line(10))
    news = reader.poll(ALL)
    assert (news.changes, texts(news.entries)) == ([Change.ROTATED], ["word10."])
    assert texts(reader.before(last[0].place, ALL, 2)) == ["word6.", "word7."]
    assert texts(reader.before(news.entries[0].place, ALL, 1)) == ["word9."]
    reader.close()


def test_a_log_that_is_emptied_and_one_that_is_deleted(tmp_path: Path) -> None:
    log = RunDir(tmp_path).log
    log.write_text(line(1) + line(2))
    reader = LogReader(RunDir(tmp_path))
    log.write_text("")
    assert reader.poll(ALL).is_emptied
    with log.open("a") as file:
        file.write(line(3))
    assert texts(reader.poll(ALL).entries) == ["word3."]
    log.unlink()
    assert reader.poll(ALL).changes == [Change.REMOVED]
    assert texts(reader.last(ALL, 5)) == ["word3."], "its open file is still read"
    reader.close()


def test_no_log_yet_and_a_place_that_is_gone(tmp_path: Path) -> None:
    reader = LogReader(RunDir(tmp_path))
    assert reader.is_without_log
    assert reader.last(ALL, 5) == []
    assert reader.before(Place((0, 0), 0), ALL, 5) is None
    RunDir(tmp_path).log.write_text(line(1))
    assert texts(reader.poll(ALL).entries) == ["word1."]
    reader.close()


def test_damaged_lines_are_left_out(tmp_path: Path) -> None:
    RunDir(tmp_path).log.write_bytes(line(1).encode() + b"{broken\n\xff\xfe\n[1]\n" + line(2).encode())
    reader = LogReader(RunDir(tmp_path))
    chosen = Filter(channel="transcript").selection()
    assert texts(reader.last(chosen, 9)) == ["word1.", "word2."]
    reader.close()


def test_filters_hold_for_what_is_read_and_for_what_comes(tmp_path: Path) -> None:
    log = RunDir(tmp_path).log
    log.write_text(line(1) + line(2, "alert") + line(3))
    reader = LogReader(RunDir(tmp_path))
    alerts = Filter(channel="alert").selection()
    assert texts(reader.last(alerts, 9)) == ["word2."]
    assert texts(reader.last(Filter(text="word3.").selection(), 9)) == ["word3."], "a text is no regular expression"
    assert texts(reader.last(Filter(stream="mic").selection("WORD1".lower()), 9)) == ["word1."]
    with log.open("a") as file:
        file.write(line(4) + line(5, "alert"))
    news = reader.poll(alerts)
    assert texts(news.entries) == ["word5."]
    assert news.counts == {"transcript": 1, "alert": 1}
    reader.close()


def test_interim_transcripts_give_way(tmp_path: Path) -> None:
    RunDir(tmp_path).log.write_text(
        line(1, is_final=False) + line(2, is_final=False) + line(3) + line(4, is_final=False)
    )
    reader = LogReader(RunDir(tmp_path))
    assert texts(without_replaced(reader.last(ALL, 9))) == ["word3.", "word4."]
    reader.close()
