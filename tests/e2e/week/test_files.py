"""Readers meet real files: each case is a line in a table; what lasts runs as a process, as a user starts it.

What is there is given as bytes; what is expected are the bytes of stdout, sentences on stderr, and the status.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from hashlib import sha512
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.program import VIDEODB, Program, eventually
from videodb_cli.eventlog.write.store import LogStore
from videodb_cli.main import main
from videodb_cli.process.start_token import current_start_token
from videodb_cli.rundir.lock import DirectoryLock

LOG = "videodb_events.jsonl"
BOM = b"\xef\xbb\xbf"
HINT = "standard input is ignored; name - to read it"


def event(number: int, text: str = "") -> bytes:
    """A line of the log, without its newline."""
    stamp = f"2026-03-02T10:15:{number % 60:02d}.000Z"
    return (
        f'{{"ts":"{stamp}","unix_ts":{1772446500 + number}.0,"channel":"transcript","n":{number},'
        f'"data":{{"text":"{text or f"word{number}"}","is_final":true}}}}'
    ).encode()


def lines(*numbers: int) -> bytes:
    return b"".join(event(number) + b"\n" for number in numbers)


ONE, TWO, THREE = (event(number) for number in (1, 2, 3))
TORN = b'{"ts":"2026-03'
DAMAGED = gzip.compress(lines(7, 8) + TORN + sha512(b"").hexdigest().encode() * 3)[:-30]
CUT_OFF = "is cut off: its gzip data has no end; all whole lines were read"


class Case(NamedTuple):
    """``args`` follow ``videodb events``; FILE stands for ``files[""]``, the rest lies in the directory of the log."""

    args: str
    files: dict[str, bytes]
    out: bytes
    err: tuple[str, ...] = ()
    status: int = 0
    stdin: bytes | None = None


def named(args: str, content: bytes, out: bytes, *err: str, status: int = 0, name: str = "some.jsonl") -> Case:
    """A file that the user names."""
    return Case(args.replace("FILE", name), {f"../{name}": content}, out, err, status)


def in_directory(args: str, files: dict[str, bytes], out: bytes, *err: str, status: int = 0) -> Case:
    """The log of a directory, by the ends of its files' names."""
    return Case(args, {LOG + ending: content for ending, content in files.items()}, out, err, status)


def piped(args: str, stdin: bytes, out: bytes, *err: str, status: int = 0) -> Case:
    """Standard input, named."""
    return Case(args, {}, out, err, status, stdin)


SRT = b"1\n00:00:00,000 --> 00:00:01,000\nword1\n"
LAST_LINE = {
    "a whole last line counts": named("filter . FILE", ONE + b"\n" + TWO, lines(1, 2)),
    "a file of one line": named("filter . FILE", ONE, lines(1)),
    "one field of it": named("filter -r .data.text FILE", ONE, b"word1\n"),
    "with flags": named("filter --final --grep word2 . FILE", ONE + b"\n" + TWO, lines(2)),
    "strict": named("filter --strict . FILE", ONE + b"\n" + TWO, lines(1, 2)),
    "a torn one is named": named(
        "filter . FILE", ONE + b"\n" + TORN, lines(1), "skipped 1 line that is not JSON: some.jsonl line 2"
    ),
    "strict, torn": named(
        "filter --strict . FILE", ONE + b"\n" + TORN, lines(1), "error: not JSON: some.jsonl line 2", status=2
    ),
    "zeros after a power cut": named(
        "filter . FILE", ONE + b"\n" + bytes(700), lines(1), "skipped 1 line that is not JSON: some.jsonl line 2"
    ),
    "blanks are no line": named("filter --strict . FILE", ONE + b"\n \t", lines(1)),
    "tail": named("tail -n 1 FILE", ONE + b"\n" + TWO, lines(2)),
    "tail, torn": named("tail -n 1 FILE", ONE + b"\n" + TORN, lines(1), "some.jsonl line 2"),
    "tail, strict": named("tail --strict FILE", ONE + b"\n" + TORN, lines(1), "not JSON: some.jsonl line 2", status=2),
    "tail from the second": named("tail -n +2 FILE", ONE + b"\n" + TWO, lines(2)),
    "stats": named("stats --json FILE", ONE + b"\n" + TWO, b'"count":2,'),
    "stats, torn": named("stats --json FILE", ONE + b"\n" + TORN, b'"broken":1,', "some.jsonl line 2"),
    "stats, strict": named("stats --strict FILE", ONE + b"\n" + TORN, b"", "some.jsonl line 2", status=2),
    "search": named("search word1 --file FILE", ONE, lines(1)),
    "search, torn": named("search word1 --file FILE", ONE + b"\n" + TORN, lines(1), "some.jsonl line 2"),
    "search, strict": named("search word1 --strict --file FILE", ONE + b"\n" + TORN, b"", "line 2", status=2),
    "search without an index": named("search word1 --no-index --file FILE", ONE, lines(1)),
    "transcript": named("transcript --format srt FILE", ONE, SRT),
    "transcript, torn": named("transcript --format srt FILE", ONE + b"\n" + TORN, SRT, "some.jsonl line 2"),
    "transcript, strict": named("transcript --strict FILE", ONE + b"\n" + TORN, b"", "line 2", status=2),
    "a rotated file": in_directory("filter .", {".1": ONE, "": lines(2)}, lines(1, 2)),
    "a rotated file, torn": in_directory("filter .", {".1": TORN, "": lines(2)}, lines(2), f"{LOG}.1 line 1"),
    "the log of a listener that is gone": in_directory("filter .", {"": ONE}, lines(1)),
    "a pipe": piped("filter . -", ONE + b"\n" + TWO, lines(1, 2)),
    "a pipe, torn": piped("filter . -", ONE + b"\n" + TORN, lines(1), "standard input line 2"),
    "counting a pipe, torn": piped("stats --json -", ONE + b"\n" + TORN, b'"broken":1,', "standard input line 2"),
    "transcript of a pipe, torn": piped("transcript --format srt -", b"{\n" + ONE, SRT, "standard input line 1"),
}  # fmt: skip

MARK = {
    "file": named("filter . FILE", BOM + lines(1, 2), lines(1, 2)),
    "strict": named("filter --strict . FILE", BOM + lines(1), lines(1)),
    "by flags": named("filter --channel transcript --final . FILE", BOM + lines(1), lines(1)),
    "one field": named("filter -r .data.text FILE", BOM + lines(1), b"word1\n"),
    "program": named("filter -c [.n] FILE", BOM + lines(1), b"[1]\n"),
    "since": named("filter --since 1772446501 . FILE", BOM + lines(1, 2), lines(1, 2)),
    "around": named("filter --grep word2 --around 1s . FILE", BOM + lines(1, 2, 30), lines(1, 2)),
    "slurped": named("filter -s length FILE", BOM + lines(1, 2), b"2\n"),
    "pipe": piped("filter . -", BOM + lines(1), lines(1)),
    "gzip": named("filter . FILE", gzip.compress(BOM + lines(1)), lines(1)),
    "tail": named("tail FILE", BOM + lines(1, 2), lines(1, 2)),
    "stats": named("stats --json --by event FILE", BOM + lines(1, 2), b'"count":2,'),
    "search": named("search word1 --file FILE", BOM + lines(1, 2), lines(1)),
    "transcript": named("transcript --format srt FILE", BOM + lines(1), SRT),
    "rotated": in_directory("filter .", {".1": BOM + lines(1), "": BOM + lines(2)}, lines(1, 2)),
    "nothing behind it": named("filter --strict . FILE", BOM, b""),
    "a program with one": Case("filter -f p.jq -", {"../p.jq": BOM + b".n"}, b"1\n", stdin=BOM + ONE),
    "json with one": Case(
        "filter -n --slurpfile x p.json $x[0].n", {"../p.json": BOM + ONE}, b"1\n"
    ),
    "UTF-16": named(
        "filter . FILE", "{}\n".encode("utf-16"), b"", "some.jsonl is UTF-16, and events are UTF-8; it was not read",
        "hint: iconv -f UTF-16 -t UTF-8 some.jsonl | videodb events filter . -", status=6,
    ),
    "UTF-16, big end first": named("tail FILE", "\ufeff{}\n".encode("utf-16-be"), b"", "is UTF-16", status=6),
    "UTF-32": named("stats FILE", "{}\n".encode("utf-32"), b"", "is UTF-32", status=6),
    "UTF-16 on a pipe": piped("filter . -", "{}\n".encode("utf-16"), b"", "standard input is UTF-16", status=6),
    "UTF-16 in gzip": named("filter . FILE", gzip.compress("{}".encode("utf-16")), b"", "is UTF-16", status=6),
    "search in UTF-16": named("search x --file FILE", "{}".encode("utf-16"), b"", "is UTF-16", status=6),
    "transcript of UTF-16": named("transcript FILE", "{}".encode("utf-16"), b"", "is UTF-16", status=6),
    "wait for UTF-16": named("wait --timeout 1 FILE", "{}".encode("utf-16"), b"", "is UTF-16", status=6),
    "a rotated one hides nothing": in_directory(
        "filter .", {".1": "{}\n".encode("utf-16"), "": lines(2)}, lines(2), "left out", f"{LOG}.1 is UTF-16"
    ),
}  # fmt: skip

COMPRESSED = {
    "gzip": named("filter . FILE", gzip.compress(lines(1, 2)), lines(1, 2), name="a.gz"),
    "gzip without the last newline": named("filter . FILE", gzip.compress(ONE), lines(1), name="a.gz"),
    "gzip, torn": named("filter . FILE", gzip.compress(ONE + b"\n" + TORN), lines(1), "a.gz line 2", name="a.gz"),
    "bzip2": named("filter . FILE", bz2.compress(lines(1)), lines(1), name="a.bz2"),
    "xz": named("filter . FILE", lzma.compress(lines(1)), lines(1), name="a.xz"),
    "gzip under a plain name": named("filter . FILE", gzip.compress(lines(1)), lines(1)),
    "plain text under gzip's name": named("filter . FILE", lines(1), lines(1), name="a.gz"),
    "gzip on a pipe": piped("filter . -", gzip.compress(lines(1)), lines(1)),
    "several members": named("filter . FILE", gzip.compress(lines(1)) + gzip.compress(ONE), lines(1, 1), name="a.gz"),
    "an empty file": named("filter --strict . FILE", b"", b"", name="a.gz"),
    "nothing in it": named("filter --strict . FILE", gzip.compress(b""), b"", name="a.gz"),
    "cut off": named("filter . FILE", DAMAGED, lines(7, 8), f"a.gz {CUT_OFF}", name="a.gz"),
    "cut off, strict": named(
        "filter --strict . FILE", DAMAGED, lines(7, 8), f"error: a.gz {CUT_OFF}", status=2, name="a.gz"
    ),
    "cut off on a pipe": piped("filter . -", DAMAGED, lines(7, 8), f"standard input {CUT_OFF}"),
    "followed by something else": named(
        "filter . FILE", gzip.compress(lines(1)) + b"junk", lines(1),
        "a.gz goes on with something else after its gzip data; that was left out", name="a.gz",
    ),
    "a wrong check sum": named(
        "filter . FILE", gzip.compress(lines(1))[:-8] + bytes(8), lines(1), "a.gz is damaged", name="a.gz"
    ),
    "zip": named(
        "filter . FILE", b"PK\x03\x04...", b"", "a.zip is compressed (zip)", "hint: unzip -p a.zip", name="a.zip"
    ),
    "tail": named("tail FILE", DAMAGED, lines(7, 8), CUT_OFF, name="a.gz"),
    "tail, strict": named("tail --strict FILE", DAMAGED, lines(7, 8), CUT_OFF, status=2, name="a.gz"),
    "stats": named("stats --json FILE", DAMAGED, b'"count":2,', CUT_OFF, name="a.gz"),
    "stats says so": named("stats --json FILE", DAMAGED, b'"damaged":1,"schema":1}', name="a.gz"),
    "stats, strict": named("stats --strict FILE", DAMAGED, b"", CUT_OFF, status=2, name="a.gz"),
    "search": named("search word8 --file FILE", DAMAGED, lines(8), CUT_OFF, name="a.gz"),
    "transcript": named("transcript --format srt FILE", gzip.compress(lines(1))[:-3], SRT, CUT_OFF, name="a.gz"),
    "following it": named("tail -f FILE", gzip.compress(lines(1)), b"", "cannot be followed", status=2, name="a.gz"),
    "waiting for it": named("wait FILE", gzip.compress(lines(1)), b"", "cannot be followed", status=2, name="a.gz"),
    "a session of it": named("filter --session last . FILE", DAMAGED, b"", "no capture session", status=4, name="a.gz"),
}  # fmt: skip

ROTATED = {
    "numbered": in_directory(
        "filter .", {".2.gz": gzip.compress(lines(1)), ".1": lines(2), "": lines(3)}, lines(1, 2, 3)
    ),
    "numbered from nought, as newsyslog and savelog do": in_directory(
        "filter .", {".1.gz": gzip.compress(lines(1)), ".0": lines(2), "": lines(3)}, lines(1, 2, 3)
    ),
    "dated": in_directory(
        "filter .",
        {"-20261127.gz": gzip.compress(lines(1)), "-20261128": lines(2), "": lines(3)},
        lines(1, 2, 3),
    ),
    "dated, by the hour": in_directory(
        "filter .",
        {"-20261128-0900.xz": lzma.compress(lines(1)), "-20261128-1300": lines(2), "": lines(3)},
        lines(1, 2, 3),
    ),
    "both": in_directory("filter .", {".1": lines(2), "-20261128": lines(1), "": lines(3)}, lines(1, 2, 3)),
    "while it compresses": in_directory(
        "filter .", {".1": lines(1), ".1.gz": DAMAGED, ".1.gz-partial": DAMAGED, "": lines(2)}, lines(1, 2)
    ),
    "a backup is no part of the log": in_directory(
        "filter .", {".bak": lines(9), "~": lines(9), "-notes": b"x", "": lines(1)}, lines(1)
    ),
    "a damaged one": in_directory(
        "filter .", {".1.gz": DAMAGED, "": lines(9)}, lines(7, 8, 9), f"{LOG}.1.gz {CUT_OFF}"
    ),
    "a damaged one, strict": in_directory(
        "filter --strict .", {".1.gz": DAMAGED, "": lines(9)}, lines(7, 8), CUT_OFF, status=2
    ),
    "one that is no gzip": in_directory(
        "filter .", {".1.gz": b"\x1f\x8bnothing", "": lines(9)}, lines(9), f"{LOG}.1.gz is damaged"
    ),
    "one that a listener cannot have made": in_directory(
        "filter .", {".1.zst": b"\x28\xb5\x2f\xfd\xff\xff", "": lines(9)}, lines(9), f"{LOG}.1.zst"
    ),
    "tail": in_directory("tail -n 3", {".1.gz": DAMAGED, "": lines(9)}, lines(7, 8, 9), CUT_OFF),
    "stats": in_directory("stats --json", {".1.gz": DAMAGED, "": lines(9)}, b'"count":3,', CUT_OFF),
    "search": in_directory("search word9", {".1.gz": DAMAGED, "": lines(9)}, lines(9), CUT_OFF),
    "search finds in it": in_directory("search word7", {"-20261128.gz": DAMAGED, "": lines(9)}, lines(7), CUT_OFF),
    "transcript": in_directory(
        "transcript --format srt", {".1.gz": b"\x1f\x8bnothing", "": lines(1)}, SRT, "is damaged"
    ),
    "wait": in_directory(
        "wait --since 1772446500 --count 3 --timeout 60", {".1.gz": DAMAGED, "": lines(9)}, lines(7, 8, 9), CUT_OFF
    ),
    "only rotated ones": in_directory("filter .", {"-20261128": lines(1)}, lines(1)),
}  # fmt: skip

TIMES = {
    f"{flag} {value}": in_directory(f"filter {flag}{value} .", {"": lines(1)}, lines(1) if passes else b"")
    for flag, value, passes in (
        ("--since=", "0001-01-01", True),
        ("--until=", "9999-12-31T23:59:59", True),
        ("--since=", "9999-12-31T23:59:59", False),
        ("--until=", "0001-01-01", False),
        ("--since=", "-62135596800", True),
        ("--since ", "-5", True),
        ("--until=", "10000-01-01", True),
        ("--since=", "10000-01-01", False),
        ("--until=", "9" * 500, True),
        ("--since=", "9" * 500, False),
        ("--since=", "9" * 400 + "d", True),
        ("--since=", "2026-03-02t10:15:01z", True),
        ("--since=", "2026-03-02T10:15:02z", False),
        ("--since=", "1772446501", True),
        ("--since=", "1772446501000", True),
        ("--since=", "1772446501000000", True),
        ("--since=", "1772446501000000000", True),
        ("--since=", "1772446501001000", False),
        ("--until=", "1772446501000000", True),
        ("--until=", "1772446500999000000", False),
    )
}
TIMES |= {
    f"{value} is no time": in_directory(
        f"filter --since={value} .", {"": lines(1)}, b"", f"not a time: {value}", status=2
    )
    for value in ("1e400", "NaN", "inf", "99999-99-99", "soon")
}

FAILS = b'{"a":1}\n{"a":{"b":2}}\n{"a":3}\n'
NO_B = 'Cannot index number with string ("b")'
PROGRAMS = {
    "all lines, then 2": named(
        "filter .a.b FILE", FAILS, b"2\n", f"jq: error (at some.jsonl:1): {NO_B}", "some.jsonl:3", status=2
    ),
    "any program": named("filter .a.b+1 FILE", FAILS, b"3\n", f"jq: error (at some.jsonl:1): {NO_B}", status=2),
    "a condition": named("filter select(.a.b) FILE", FAILS, b'{"a":{"b":2}}\n', f"(at some.jsonl:3): {NO_B}", status=2),
    "strict ends at the first": named("filter --strict .a.b FILE", FAILS, b"", "(at some.jsonl:1)", status=2),
    "with -e": named("filter -e .a.b FILE", FAILS, b"2\n", "(at some.jsonl:1)", status=2),
    "try": named("filter try(.a.b) FILE", FAILS, b"2\n"),
    "question mark": named("filter .a.b? FILE", FAILS, b"2\n"),
    "error(null)": named("filter error(null) FILE", b"1\n", b"", "(at some.jsonl:1): (not a string) null", status=2),
    "error of an object": named('filter error({"x":1}) FILE', b"1\n", b"", '(not a string) {"x":1}', status=2),
    "slurped": named("filter -s .a FILE", FAILS, b"", "Cannot index array", status=2),
    "without input": named("filter -n 1,error(2) FILE", FAILS, b"1\n", "2", status=2),
    "with a limit": named("filter --limit 3 .a.b FILE", FAILS, b"2\n", "some.jsonl:3", status=2),
    "not a million lines": named("filter .a.b FILE", b'{"a":1}\n' * 2000, b"", "jq: 1,990 more lines failed", status=2),
    "a pipe": piped("filter .a.b -", FAILS, b"2\n", "(at standard input:1)", "(at standard input:3)", status=2),
    "debug": named("filter -c debug FILE", b'{"a":1.10}\n', b'{"a":1.10}\n', '["DEBUG:",{"a":1.10}]'),
    "debug(msg)": named('filter -c debug("at",.a)|.a FILE', b'{"a":1}\n', b"1\n", '["DEBUG:","at"]\n["DEBUG:",1]'),
    "stderr": named("filter -c .a|stderr FILE", b'{"a":"x"}\n{"a":[1]}\n', b'"x"\n[1]\n', "x[1]"),
    "debug behind a condition": named("filter -c select(.a)|debug|.a FILE", b'{"a":1}\n{}\n', b"1\n", '"DEBUG:"'),
    "debug of all": named("filter -s -c debug|length FILE", b"1\n2\n", b"2\n", '["DEBUG:",[1,2]]'),
    "debug with a limit": named("filter --limit 1 -c debug FILE", b"1\n2\n", b"1\n", '["DEBUG:",1]'),
    "$__loc__": named("filter -c $__loc__ FILE", b"1\n", b'{"file":"<top-level>","line":1}\n'),
    "halt": named("filter .a,halt FILE", FAILS, b"1\n"),
    "halt_error": named('filter "bye\\n"|halt_error FILE', FAILS, b"", "bye", status=5),
    "halt_error of an object": named("filter halt_error FILE", FAILS, b"", '{"a":1}', status=5),
    "halt_error with a status": named("filter .a,(1|halt_error(3)) FILE", FAILS, b"1\n", "1", status=3),
    "halt with a limit": named("filter --limit 2 halt FILE", FAILS, b""),
    "input_filename": named("filter input_filename FILE", FAILS, b"", "not available here", status=2),
}  # fmt: skip

OPTIONS = {
    "an option's name": in_directory("filter --stream -c .", {}, b"", "--stream takes a value, and -c is", status=2),
    "given with =": in_directory("filter --stream=-c .", {"": lines(1)}, b"", "no stream '-c' in this log"),
    "a long one": in_directory("tail --grep --follow", {"": lines(1)}, b"", "and --follow is an option", status=2),
    "several short ones": in_directory("filter --grep -rc .", {"": lines(1)}, b"", "and -rc is an option", status=2),
    "search": in_directory("search --stream --strict word1", {"": lines(1)}, b"", "--stream takes a value", status=2),
    "a word that is no text": in_directory(
        "search w\udcff", {"": lines(1)}, b"", r"error: the word w\udcff is not UTF-8", "hint: ", status=2
    ),
    "an unwanted word that is no text": in_directory(
        "search word1 -x\udcff", {"": lines(1)}, b"", r"x\udcff is not UTF-8", status=2
    ),
    "a name that no cursor can have": in_directory(
        f"tail --cursor-file {'x' * 300}", {"": lines(1)}, b"", "error: cannot read ", "File name too long", status=6
    ),
    "an unwanted word": in_directory("search word1 -word2", {"": lines(1)}, lines(1)),
    "jq's variables are data": in_directory("filter -n $x --arg x -c", {"": lines(1)}, b'"-c"\n'),
    "a negative time": in_directory("filter --around -5 .", {"": lines(1)}, b"", "not a length of time: -5", status=2),
}  # fmt: skip

UNREAD = {
    "filter": Case("filter -c .n", {LOG: lines(1)}, b"1\n", (HINT,), stdin=b'{"q":1}\n'),
    "tail": Case("tail", {LOG: lines(1)}, lines(1), (HINT,), stdin=b"x"),
    "stats": Case("stats --json", {LOG: lines(1)}, b'"count":1,', (HINT,), stdin=b"x"),
    "transcript": Case("transcript --format srt", {LOG: lines(1)}, SRT, (HINT,), stdin=b"x"),
    "no log at all": Case("filter .q", {}, b"", (HINT, "no log in"), 4, stdin=b'{"q":1}\n'),
    "a file is named": Case("filter -c .n a", {"../a": lines(1)}, b"1\n", (HINT,), stdin=b"x"),
    "it is named": Case("filter -c .n -", {}, b"1\n", stdin=lines(1)),
    "nothing is read": Case("filter -n 1", {}, b"1\n", stdin=b"x"),
    "it is empty": Case("filter -c .n", {LOG: lines(1)}, b"1\n", stdin=b""),
}

ALL = {
    f"{table}: {name}": case
    for table, cases in {
        "last line": LAST_LINE, "byte order mark": MARK, "compressed": COMPRESSED, "rotated": ROTATED, "time": TIMES,
        "program": PROGRAMS, "option": OPTIONS, "unread input": UNREAD,
    }.items()
    for name, case in cases.items()
}  # fmt: skip


class Shell:
    """A directory with a log, and commands run beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.directory = root / "events"
        self.directory.mkdir()
        self.log = self.directory / LOG
        self.settings = {
            "VIDEODB_EVENTS_DIR": str(self.directory), "HOME": str(root), "XDG_STATE_HOME": str(root / "state"),
        }  # fmt: skip

    def run(self, *arguments: str, stdin: int | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run a command as a process."""
        return subprocess.run(
            [VIDEODB, "events", *arguments],
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            capture_output=True, check=False, timeout=60, cwd=self.root, env={**os.environ, **self.settings},
        )  # fmt: skip

    def start(self, *arguments: str, **settings: int) -> Program:
        """Start one that lasts."""
        return Program([VIDEODB, "events", *arguments], {**os.environ, **self.settings}, self.root, **settings)


class Done(NamedTuple):
    """What a command did in this process."""

    status: int
    out: bytes
    err: str


Call = Callable[..., Done]


@pytest.fixture
def call(shell: Shell, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Call:
    """Run a command in this process, which takes a twentieth of the time of one of its own."""
    monkeypatch.chdir(shell.root)
    for name, value in shell.settings.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, stdin: bytes | None = None) -> Done:
        saved = os.dup(0)
        given = os.open(os.devnull, os.O_RDONLY)
        if stdin is not None:
            os.close(given)
            given, write_end = os.pipe()
            os.write(write_end, stdin)
            os.close(write_end)
        os.dup2(given, 0)
        os.close(given)
        try:
            status = main(["events", *arguments])
        finally:
            os.dup2(saved, 0)
            os.close(saved)
        captured = capfdbinary.readouterr()
        return Done(status, captured.out, captured.err.decode())

    return run


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.mark.parametrize("case", ALL.values(), ids=list(ALL))
def test_real_files(case: Case, shell: Shell, call: Call) -> None:
    for name, content in case.files.items():
        (shell.directory / name).resolve().write_bytes(content)
    done = call(*case.args.split(), stdin=case.stdin)
    assert done.status == case.status, done.err
    if case.out.startswith((b'"count"', b'"damaged"', b'"broken"')):
        assert case.out in done.out
        json.loads(done.out)
    else:
        assert done.out == case.out
    for sentence in case.err:
        assert done.err.count(sentence) == 1, done.err
    says_nothing = not case.err and not case.out.startswith(b'"damaged"')
    assert not (says_nothing and done.err)


@pytest.mark.parametrize("name", list(ALL)[::12])
def test_some_of_them_as_a_process(name: str, shell: Shell) -> None:
    case = ALL[name]
    if case.stdin is not None:
        pytest.skip("standard input has tests of its own")
    for file, content in case.files.items():
        (shell.directory / file).resolve().write_bytes(content)
    done = shell.run(*case.args.split())
    assert (done.returncode, case.out in done.stdout) == (case.status, True)
    assert all(sentence in done.stderr.decode() for sentence in case.err)


@pytest.fixture
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if request.param is None:
        monkeypatch.delenv("TZ", raising=False)
    else:
        monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Adak", "garbage", "", None], indirect=True)
@pytest.mark.parametrize(
    "command", ["filter .", "tail -n 5", "stats", "transcript", "search word1", "wait --timeout 0 --event nothing"]
)
def test_the_ends_of_time_in_every_zone(shell: Shell, call: Call, zone: None, command: str) -> None:
    shell.log.write_bytes(lines(1))
    expected = 124 if "wait" in command else 0
    assert call(*command.split(), "--since", "0001-01-01", "--until", "9999-12-31T23:59:59").status == expected
    assert call(*command.split(), "--since", "10000-01-01").status == (1 if "search" in command else expected)
    done = call(*command.split(), "--since", "9999-12-31", "--until", "0001-01-01")
    assert (done.status, "is later than" in done.err) == (2, True)


def test_numbers_that_no_clock_shows(shell: Shell, call: Call) -> None:
    shell.log.write_bytes(
        b"""{"unix_ts":HUGE,"channel":"transcript","data":{"text":"word","is_final":true,"start":HUGE,"end":1e400}}
{"unix_ts":1e400,"channel":"transcript","recovered":true,"data":{"text":"x","is_final":true,"start":HUGE}}
{"ts":"0001-01-01T00:00:00+14:00","channel":"alert"}
{"ts":"9999-12-31T23:59:59-14:00","channel":"alert"}
{"unix_ts":1,"channel":"videodb_cli","event":"listener.gap","data":{"seconds":HUGE}}
""".replace(b"HUGE", b"9" * 400)
    )
    for command in (
        "filter --since 10m .", "tail --since 10m", "tail", "stats --full", "stats --by minute", "transcript",
        "transcript --format srt", "transcript --json", "search word", "filter --around 5s --channel alert .",
        "wait --since 0001-01-01 --count 1 --timeout 5",
    ):  # fmt: skip
        assert call(*command.split()).status == 0, command
    assert json.loads(call("stats", "--json").out, parse_constant=pytest.fail)["count"] == 5


def test_an_unreadable_rotated_file_hides_nothing(shell: Shell, call: Call) -> None:
    shell.log.write_bytes(lines(2))
    (shell.directory / f"{LOG}.1").symlink_to(shell.root / "elsewhere")
    for command, out in (("filter .", lines(2)), ("tail", lines(2)), ("search word2", lines(2))):
        for _ in range(2):
            done = call(*command.split())
            assert (done.status, done.out) == (0, out)
            assert f"left out {shell.directory / LOG}.1: " in done.err
    assert call("filter", "--strict", ".").status == 2


def test_the_index_remembers_what_could_not_be_read(shell: Shell, call: Call) -> None:
    shell.log.write_bytes(lines(1) + b"broken\n" + lines(2) + TORN)
    said = f"skipped 2 lines that are not JSON: {shell.log} line 2, 4\n"
    for _ in range(2):
        assert call("search", "word1").err == said
    # The line was not torn for ever.
    with shell.log.open("ab") as file:
        file.write(event(3)[len(TORN) :] + b"\n" + lines(4))
    for _ in range(2):
        done = call("search", "word3")
        assert done.out == lines(3)
        assert done.err == f"skipped 1 line that is not JSON: {shell.log} line 2\n"
    assert call("search", "word4").out == lines(4)


def test_a_cursor_neither_loses_nor_repeats_the_last_line(shell: Shell, call: Call) -> None:
    some = shell.root / "some.jsonl"

    def read() -> bytes:
        done = call("filter", "--cursor-file", "cursor", ".", "some.jsonl")
        assert "not the one" not in done.err
        return done.out

    some.write_bytes(BOM + ONE)
    assert (read(), read()) == (lines(1), b"")
    some.write_bytes(BOM + ONE + b"\n" + TWO + b"\n" + TORN)
    assert (read(), read()) == (lines(2), b"")
    some.write_bytes(BOM + ONE + b"\n" + TWO + b"\n" + event(3))
    assert (read(), read()) == (lines(3), b"")
    some.write_bytes(BOM + ONE + b"\n" + TWO + b"\n" + event(3) + b"\n" + lines(4))
    assert (read(), read()) == (lines(4), b"")


def test_halting_leaves_the_rest_to_the_next_run(shell: Shell, call: Call) -> None:
    shell.log.write_bytes(lines(1, 2, 3, 4))
    first = call("filter", "--cursor-file", "cursor", "-c", "if .n == 2 then halt else .n end")
    assert (first.status, first.out) == (0, b"1\n")
    assert call("filter", "--cursor-file", "cursor", "-c", ".n").out == b"3\n4\n"


def test_the_log_that_a_listener_writes_ends_at_its_last_newline(shell: Shell, call: Call) -> None:
    """Held lock: the rest of the line is about to come, whole or not. The same file without a listener is read out."""
    lock = DirectoryLock(shell.directory / "videodb.lock")
    lock.acquire(current_start_token())
    commands = ("filter .", f"filter . {shell.log}", f"filter . {shell.directory}", "tail", f"tail {shell.log}")
    try:
        for end in (TWO, TORN):
            shell.log.write_bytes(lines(1) + end)
            for command in commands:
                done = call(*command.split())
                assert (done.out, done.err, done.status) == (lines(1), "", 0)
            assert json.loads(call("stats", "--json").out)["count"] == 1
            assert call("search", "word2").status == 1
    finally:
        lock.release()
    shell.log.write_bytes(lines(1) + TWO)
    for command in commands:
        assert call(*command.split()).out == lines(1, 2)
    assert call("search", "word2").out == lines(2)


@pytest.mark.parametrize(
    "command", ["tail -n 9 -f --count 2", "filter -F --limit 2 .", "wait --since 1772446500 --count 2"]
)
@pytest.mark.parametrize("mark", [b"", BOM])
def test_what_is_followed_waits_for_the_newline(shell: Shell, command: str, mark: bytes) -> None:
    shell.log.write_bytes(mark + lines(1) + TWO[:-1])
    program = shell.start(*command.split())
    try:
        program.wait_for('"n":1')
        with shell.log.open("ab") as file:
            file.write(TWO[-1:])
        # A whole line is none yet. What proves it is that a later one comes out behind it, and only once.
        with shell.log.open("ab") as file:
            file.write(b"\n")
        assert program.status() == 0
        assert [json.loads(line)["n"] for line in program.out] == [1, 2]
    finally:
        program.kill()


def test_a_file_with_a_mark_that_appears_while_it_is_followed(shell: Shell) -> None:
    program = shell.start("filter", "-F", "--limit", "2", "-c", ".n")
    try:
        program.wait_for("waiting for it", err=True)
        shell.log.write_bytes(BOM + lines(1))
        program.wait_for("^1$")
        shell.log.rename(shell.directory / f"{LOG}-20261128")
        shell.log.write_bytes(BOM + lines(2))
        assert program.status() == 0
        assert program.out == ["1", "2"]
    finally:
        program.kill()


def test_the_last_line_of_a_file_that_is_rotated_away(shell: Shell) -> None:
    shell.log.write_bytes(lines(1) + TWO)
    program = shell.start("tail", "-f", "--count", "3")
    try:
        program.wait_for('"n":1')
        shell.log.rename(shell.directory / f"{LOG}.1")
        shell.log.write_bytes(lines(3))
        assert program.status() == 0
        assert [json.loads(line)["n"] for line in program.out] == [1, 2, 3]
    finally:
        program.kill()


def test_a_torn_end_of_a_file_that_is_rotated_away_is_named(shell: Shell) -> None:
    shell.log.write_bytes(lines(1) + TORN)
    program = shell.start("tail", "-f", "--count", "2")
    try:
        program.wait_for('"n":1')
        shell.log.rename(shell.directory / f"{LOG}-20261128")
        shell.log.write_bytes(lines(3))
        assert program.status() == 0
        assert f"skipped 1 line that is not JSON: {shell.log} line 2" in program.err
    finally:
        program.kill()


def test_copytruncate_with_compression_at_once(shell: Shell) -> None:
    """The copy is compressed before the reader looks again: it was stopped meanwhile."""
    shell.log.write_bytes(lines(1))
    program = shell.start("filter", "-F", "--limit", "4", "-c", ".n")
    try:
        program.wait_for("^1$")
        os.kill(program.pid, signal.SIGSTOP)
        with shell.log.open("ab") as file:
            file.write(lines(2, 3))
        (shell.directory / f"{LOG}-20261128.gz").write_bytes(gzip.compress(shell.log.read_bytes()))
        os.truncate(shell.log, 0)
        with shell.log.open("ab") as file:
            file.write(lines(4))
        os.kill(program.pid, signal.SIGCONT)
        assert program.status() == 0
        assert program.out == ["1", "2", "3", "4"]
    finally:
        program.kill()


def test_failures_while_following_are_counted_at_the_end(shell: Shell) -> None:
    shell.log.write_bytes(b'{"a":1}\n' * 20 + b'{"a":{"b":2}}\n')
    program = shell.start("filter", "-F", "--limit", "22", ".a.b")
    try:
        program.wait_for("^2$")
        with shell.log.open("ab") as file:
            file.write(b'{"a":3}\n')
        assert program.status() == 2
        assert [line.startswith("jq: error (at ") for line in program.err].count(True) == 10
        assert program.err[-1] == "jq: 11 more lines failed"
    finally:
        program.kill()


def test_forward_names_what_it_cannot_read(shell: Shell) -> None:
    (shell.directory / f"{LOG}.1.gz").write_bytes(DAMAGED)
    shell.log.write_bytes(BOM + lines(9) + b"broken\n")
    arguments = ["forward", "--exec", "tee -a got", "--cursor-file", "cursor", "--limit", "3"]
    done = shell.run(*arguments)
    assert done.returncode == 0, done.stderr
    got = (shell.root / "got").read_bytes()
    assert [json.loads(line)["n"] for line in io.BytesIO(got.replace(b"}{", b"}\n{"))] == [7, 8, 9]
    assert CUT_OFF.encode() in done.stderr
    with shell.log.open("ab") as file:
        file.write(lines(10))
    done = shell.run(*arguments[:-1], "1")
    assert b"skipped 1 line that is not JSON" in done.stderr


@pytest.mark.parametrize(
    "program", [".n", "select(.n) | debug | .n", ".data.text.deeper, .n", "if .n == 9990 then halt else .n end"]
)
def test_two_processes_over_a_large_file(shell: Shell, program: str) -> None:
    """Above 40 MB two processes read: results, what a program says and the status are those of one."""
    count = 10_000
    big = shell.root / "big.jsonl"
    with big.open("wb") as file:
        file.write(BOM)
        for number in range(count):
            file.write(b'{"ts":"2026-03-02T10:15:30.000Z","unix_ts":%d.0,"n":%d,"data":{"text":"%s"}}\n' % (
                1772446500 + number, number, b"x" * 4300
            ))  # fmt: skip
        file.write(b'{"n":%d}' % count)
    assert big.stat().st_size > 41 << 20
    done = shell.run("filter", program, str(big))
    fails, halts, speaks = "deeper" in program, "halt" in program, "debug" in program
    if fails:
        # The last line has no text, so only that one does not fail: null.
        assert done.stdout == b"null\n%d\n" % count
        assert f"jq: {count - 10:,} more lines failed".encode() in done.stderr
    else:
        assert [int(line) for line in done.stdout.split()] == list(range(9990 if halts else count + 1))
    assert done.returncode == (2 if fails else 0)
    if speaks:
        said = [json.loads(line)[1]["n"] for line in done.stderr.splitlines()]
        assert said == list(range(count + 1))


def test_an_agent_that_holds_a_pipe_open_gets_its_answer_at_once(shell: Shell) -> None:
    shell.log.write_bytes(lines(1))
    read_end, write_end = os.pipe()
    ours, theirs = socket.socketpair()
    try:
        for stdin in (read_end, ours.fileno()):
            begun = time.monotonic()
            done = shell.run("filter", "-c", ".n", stdin=stdin)
            assert (done.stdout, done.stderr) == (b"1\n", b"")
            assert time.monotonic() - begun < 30
        theirs.send(b"x")
        assert shell.run("filter", "-c", ".n", stdin=ours.fileno()).stderr.decode() == HINT + "\n"
    finally:
        for fd in (read_end, write_end):
            os.close(fd)
        ours.close()
        theirs.close()
    with (shell.root / "in").open("wb+") as file:
        file.write(b"data")
        file.flush()
        assert shell.run("tail", stdin=file.fileno()).stderr == b""  # read to its end
        file.seek(0)
        assert shell.run("tail", stdin=file.fileno()).stderr.decode() == HINT + "\n"


def test_a_follower_says_so_when_it_begins(shell: Shell) -> None:
    shell.log.write_bytes(lines(1))
    read_end, write_end = os.pipe()
    os.write(write_end, b"data\n")
    program = shell.start("tail", "-f", stdin=read_end)
    try:
        program.wait_for(HINT, err=True)
        program.wait_for('"n":1')
        program.end(signal.SIGINT)
        assert program.err == [HINT]
    finally:
        program.kill()
        os.close(read_end)
        os.close(write_end)


def test_pipes_are_followed_as_standard_input_is(shell: Shell) -> None:
    """``videodb events tail -f <(zcat old.gz)`` reads to the end of the pipe."""
    done = subprocess.run(
        ["bash", "-c", '"$0" events tail -f -n 5 <(printf "%s" "$1"); "$0" events wait <(echo)', VIDEODB, ONE.decode()],
        capture_output=True, check=False, timeout=60, env={**os.environ, **shell.settings},
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.stdout == lines(1)
    assert b"ended before the event came" in done.stderr
    assert done.returncode == 1


def test_clearing_takes_dated_files_and_leaves_copies(shell: Shell) -> None:
    shell.log.write_bytes(lines(3))
    for ending, content in (
        ("-20261128", lines(2)),
        ("-20261127.gz", gzip.compress(lines(1))),
        ("-20261129", lines(3)),
    ):
        (shell.directory / f"{LOG}{ending}").write_bytes(content)
    store = LogStore(shell.log)
    store.open(clear=True)
    store.close()
    assert {path.name for path in shell.directory.iterdir()} == {LOG, f"{LOG}-20261129"}


def test_a_follower_started_before_the_end_of_the_day(shell: Shell) -> None:
    """logrotate with dateext, create and compress: rename, a new file, then gzip in place of the renamed one."""
    shell.log.write_bytes(lines(1))
    program = shell.start("filter", "-F", "--limit", "3", "-c", ".n")
    try:
        program.wait_for("^1$")
        dated = shell.directory / f"{LOG}-20261128"
        with shell.log.open("ab") as file:
            file.write(lines(2))
        shell.log.rename(dated)
        shell.log.touch()
        dated.with_name(f"{dated.name}.gz").write_bytes(gzip.compress(dated.read_bytes()))
        dated.unlink()
        eventually(lambda: "2" in program.out, what=f"{program.out} {program.err}")
        with shell.log.open("ab") as file:
            file.write(lines(3))
        assert program.status() == 0
        assert program.out == ["1", "2", "3"]
    finally:
        program.kill()
