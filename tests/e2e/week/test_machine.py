"""The machine is not a desktop: no home, closed directories, full disks, odd umasks. One case is one line of a table.

Each case runs the installed ``videodb`` in a machine that is described by a few words, and says which status and which
sentence are expected. Nothing may end with a traceback.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.program import VIDEODB, Box, eventually
from tests.fakes.event_service import EventService

IS_ROOT = os.geteuid() == 0
SETPRIV = shutil.which("setpriv")
# What lets root read and write everything: without these he is treated as everybody is.
POWERS = "-dac_override,-dac_read_search,-fowner"
STRANGER = 54321  # a user id without an entry in the password database
EVENT = {
    "ts": "2026-03-02T10:15:30.123Z",
    "unix_ts": 1772446530.123,
    "channel": "transcript",
    "data": {"text": "rotate the access keys", "is_final": True, "start": 1, "end": 2},
}
LINE = json.dumps(EVENT, separators=(",", ":")) + "\n"

as_stranger = pytest.mark.skipif(
    not IS_ROOT or SETPRIV is None, reason="needs root and setpriv to become a user that nobody knows"
)
as_everybody = pytest.mark.skipif(IS_ROOT and SETPRIV is None, reason="root without setpriv may do everything")


@dataclass
class Machine:
    """Where a command runs: directory ``events`` with a log, and what is odd about the rest."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    prefix: Sequence[str] = ()
    cwd: Path | None = None
    before: Callable[[], None] | None = None
    stdout: str | None = None

    def run(self, line: str) -> tuple[int, str, str]:
        """Run ``videodb LINE`` to its end: status, stdout, stderr."""
        with Path(self.stdout or os.devnull).open("wb") as file:
            done = subprocess.run(
                [*self.prefix, VIDEODB, *line.split()],
                env={"PATH": os.environ["PATH"], **self.environment},
                cwd=self.cwd or self.root,
                stdin=subprocess.DEVNULL,
                stdout=file if self.stdout is not None else subprocess.PIPE,
                stderr=subprocess.PIPE,
                preexec_fn=self.before,
                timeout=60,
                check=False,
            )
        err = done.stderr.decode()
        assert "Traceback" not in err, err
        return done.returncode, (done.stdout or b"").decode(), err

    def expect(self, line: str, status: int, words: str) -> str:
        """Run it and hold it to a status and to words in what it said. Returns all that it said."""
        found, out, err = self.run(line)
        said = out + err
        assert (found, words in said) == (status, True), (found, out, err)
        return said


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """A directory with a log of one line."""
    directory = tmp_path / "events"
    directory.mkdir(0o700)
    (directory / "videodb_events.jsonl").write_text(LINE)
    return directory


@pytest.fixture
def plain(tmp_path: Path, events: Path) -> Machine:
    """A user with a home and no more power than everybody has."""
    del events
    (tmp_path / "home").mkdir(0o700)
    without = ["setpriv", "--bounding-set", POWERS, "--inh-caps", POWERS] if IS_ROOT else []
    return Machine(tmp_path, {"HOME": str(tmp_path / "home")}, without)


@pytest.fixture
def stranger() -> Iterator[Machine]:
    """A user whom the password database does not know, as in a container with ``--user``. He may read everything."""
    # Not in pytest's own directory, which others may not enter.
    root = Path(tempfile.mkdtemp(prefix="videodb-stranger-"))
    (root / "events").mkdir(0o700)
    (root / "events" / "videodb_events.jsonl").write_text(LINE)
    for path in (root, *root.rglob("*")):
        os.chown(path, STRANGER, STRANGER)
    reads = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    become = ["setpriv", "--reuid", str(STRANGER), "--regid", str(STRANGER), "--clear-groups", *reads]
    yield Machine(root, {}, become)
    shutil.rmtree(root)


# ---- no home ---------------------------------------------------------------------------------------------------------

NO_HOME = f"the home directory is not known: HOME is not set, and user {STRANGER} has none in the password database"
WITHOUT_A_DIRECTORY = [
    *("path", "status", "stop", "listen", "listen --local --detach", "doctor", "events tail", "events filter ."),
    *("events search keys", "events forward --exec true", "capture start", "capture create", "capture status"),
    *("local start", "local stop", "local trigger alert", "local models install"),
]
WITH_ONE = [
    ("path --dir events", 0, "events/videodb_events.jsonl"),
    ("status --dir events", 4, "no listener runs here"),
    ("stop --dir events", 0, "nothing runs here"),
    ("listen events", 3, "VIDEO_DB_API_KEY is not set"),
    ("doctor --dir events", 3, "VIDEO_DB_API_KEY is not set"),
    ("events tail --dir events", 0, "access keys"),
    ("events search keys --dir events", 0, "access keys"),
    ("events filter . events/videodb_events.jsonl", 0, "access keys"),
    ("events stats events", 0, "transcript"),
    ("events transcript events", 0, "access keys"),
    ("capture status --dir events", 4, "no capture has run here"),
    ("capture stop --dir events", 0, "no capture runs here"),
    ("local status --dir events", 4, "the embedded service does not run for"),
    ("local stop --dir events", 0, "the embedded service does not run"),
    # What needs no directory.
    ("--help", 0, "listen"),
    ("capture channels", 0, "no displays"),
    ("local models list", 0, "missing"),
    ("listen ~/events", 2, "the home directory is not known"),
    ("listen ~nobody-is-called-so", 2, "no user is called nobody-is-called-so"),
]


@as_stranger
@pytest.mark.parametrize("line", WITHOUT_A_DIRECTORY)
def test_without_a_home_a_directory_must_be_named(stranger: Machine, line: str) -> None:
    said = stranger.expect(line, 2, NO_HOME)
    assert "hint: " in said


@as_stranger
@pytest.mark.parametrize(("line", "status", "words"), WITH_ONE)
def test_without_a_home_a_directory_is_enough(stranger: Machine, line: str, status: int, words: str) -> None:
    stranger.expect(line, status, words)


@as_stranger
@pytest.mark.parametrize(
    ("named", "status", "words"),
    [
        ("", 2, "HOME is empty"),
        ("here", 2, "HOME is not absolute (here)"),
        ("/", 0, "\n/.local/state/videodb/videodb_events.jsonl"),
        ("/nonexistent", 0, "/nonexistent/.local/state/videodb/videodb_events.jsonl"),
    ],
)
def test_a_strange_home(stranger: Machine, named: str, status: int, words: str) -> None:
    stranger.environment["HOME"] = named
    found, out, err = stranger.run("path")
    assert (found, words in f"\n{out}{err}") == (status, True), (out, err)
    if not status:
        made = stranger.expect("listen --local", 6, "cannot create the directory")
        assert "hint: name another one: --dir DIR, or export VIDEODB_EVENTS_DIR=DIR" in made


@as_stranger
def test_a_whole_life_without_a_home(stranger: Machine) -> None:
    """Service, listener and commands, with nothing but a directory."""
    where = f"--dir {stranger.root / 'events'}"
    try:
        assert "WS_ID=ws-" in stranger.expect(f"listen --local --detach {where}", 0, "embedded service started")
        stranger.expect(f"local trigger alert --text pager {where}", 0, "sent 1 alert event to 1 listener")
        stranger.expect(f"events wait --since 1h --channel alert --timeout 10 {where}", 0, "pager")
        stranger.expect(f"status {where}", 0, "listening")
        stranger.expect(f"doctor --local {where}", 0, "listens as ws-")
        stranger.expect(f"capture create --local {where}", 0, "client_token")
    finally:
        stranger.expect(f"stop {where}", 0, "stopped the listener")
        stranger.expect(f"local stop {where}", 0, "stopped: pid")


@as_stranger
def test_a_listener_in_the_foreground_without_a_home(stranger: Machine) -> None:
    box = Box(stranger.root)
    box.dir = stranger.root / "events"
    try:
        with EventService() as service:
            command = [*stranger.prefix, "env", "-u", "HOME", VIDEODB, "listen", str(box.dir)]
            program = box.start(service, command=command, environment={"VIDEODB_EVENTS_DIR": ""})
            program.wait_for(rf"connected to .* log {box.dir}", err=True)
            service.send(json.dumps({"channel": "alert", "n": 1}))
            eventually(lambda: 1 in box.heard())
            assert program.end() == 0
    finally:
        box.close()


# ---- directories and files -------------------------------------------------------------------------------------------

READERS = ("path", "status", "capture stop", "local stop")
NO_LOOK = "cannot look into"
NO_OPEN = "videodb_events.jsonl: Permission denied"
# What is done to the directory or its log; a command; status and words.
CLOSED = [
    *(("chmod 555 events", f"{line} --dir events", 4 if line.endswith("status") else 0, "") for line in READERS),
    ("chmod 555 events", "events tail --dir events", 0, "access keys"),
    ("chmod 555 events", "events search keys --dir events", 0, "no index can be kept at"),
    ("chmod 555 events", "listen events --local", 6, "cannot create the directory"),
    ("chmod 555 events", "local start --dir events", 6, "cannot create the directory"),
    ("chmod 555 events", "doctor --dir events", 3, "events cannot be written"),
    ("chmod 555 events", "capture start --local --source x.mp4 --dir events", 6, "Permission denied"),
    ("chmod 555 events", "events tail --cursor-file events/c --dir events", 6, "the cursor would be lost"),
    ("chmod 555 events", "events forward --exec true --cursor-file events/c --dir events", 6, "cursor would be lost"),
    *(("chmod 600 events", f"{line} --dir events", 6, NO_LOOK) for line in ("path", "status", "capture stop")),
    ("chmod 600 events", "local status --dir events", 6, "Permission denied"),
    ("chmod 600 events", "listen events --local", 6, NO_LOOK),
    ("chmod 600 events", "doctor --dir events", 3, NO_LOOK),
    ("chmod 600 events", "events tail --dir events", 6, NO_LOOK),
    ("chmod 600 events", "events filter . events/x", 6, "cannot read events/x: Permission denied"),
    ("chmod 600 events", "events search keys --file events/x", 6, "cannot read events/x: Permission denied"),
    ("chmod 600 events", "events tail -f events/x --timeout 1", 6, "cannot read events/x: Permission denied"),
    ("chmod 600 events", "events tail --cursor-file events/s/c log", 6, "events/s: Permission denied"),
    ("chmod 600 events", "events filter -f events/program log", 6, "events/program: Permission denied"),
    ("chmod 600 events", "events filter --slurpfile a events/x . log", 6, "cannot read events/x: Permission denied"),
    ("chmod 600 events", "capture channels --source events/x", 6, "events/x cannot be played: permission denied"),
    ("chmod 600 events", "demo events/x", 6, "events/x cannot be played: permission denied"),
    ("chmod 600 events", "local start --faults events/x --dir other", 6, "cannot read events/x: Permission denied"),
    ("chmod 600 events", "local replay events/x --dir other", 6, "cannot read events/x: Permission denied"),
    ("chmod 600 events", "listen other --env-file events/e", 6, "cannot read events/e: Permission denied"),
    ("chmod 000 events/videodb_events.jsonl", "events tail --dir events", 6, NO_OPEN),
    ("chmod 000 events/videodb_events.jsonl", "events search keys --dir events", 6, NO_OPEN),
    ("chmod 000 events/videodb_events.jsonl", "events stats --dir events", 6, NO_OPEN),
    ("chmod 777 events", "listen events --local", 6, "everybody may write to"),
    ("mkdir -m 500 events/local", "local start --dir events", 6, "local/local.lock: Permission denied"),
    ("mkdir -m 700 events/local && mkdir -m 500 events/local/media", "local start --dir events", 6, "keep media"),
    ("true", "listen log/sub", 6, "Not a directory"),
    ("true", "local start --faults none --dir other", 4, "no such file: none (named by --faults)"),
]


@as_everybody
@pytest.mark.parametrize(("change", "line", "status", "words"), CLOSED)
def test_closed_directories_and_files(plain: Machine, change: str, line: str, status: int, words: str) -> None:
    (plain.root / "log").write_text(LINE)
    subprocess.run(change, shell=True, cwd=plain.root, check=True)
    try:
        plain.expect(line, status, words)
    finally:
        (plain.root / "events").chmod(0o700)


GONE = "the working directory was deleted, so"
NO_DIRECTORY = [
    ("path", 0, "home/.local/state/videodb"),
    ("status --dir {events}", 4, "no listener runs here"),
    ("events tail --dir {events}", 0, "access keys"),
    ("doctor --dir {events}", 3, "VIDEO_DB_API_KEY is not set"),
    ("status --dir here", 4, f"{GONE} here names nothing"),
    ("listen here", 4, f"{GONE} here names nothing"),
    ("listen --local --dir here", 4, f"{GONE} here names nothing"),
    ("events tail --dir {events} --cursor-file c", 4, f"{GONE} c names nothing"),
    ("events forward --exec true --dir {events} --cursor-file c", 4, f"{GONE} c names nothing"),
    ("events tail here.jsonl", 4, "no such file: here.jsonl"),
    ("capture start --local --source x.mp4 --dir {events}", 4, "no such file: x.mp4"),
    ("demo x.mp4", 4, f"{GONE} x.mp4 names nothing"),
]


@pytest.mark.parametrize(("line", "status", "words"), NO_DIRECTORY)
def test_a_working_directory_that_was_deleted(plain: Machine, events: Path, line: str, status: int, words: str) -> None:
    gone = plain.root / "gone"
    gone.mkdir()
    plain.cwd, plain.before = gone, gone.rmdir
    plain.expect(line.format(events=events), status, words)


def _set_umask(mask: int) -> None:
    os.umask(mask)


@pytest.mark.parametrize(("mask", "where"), [(0o777, "--dir deep/down"), (0o000, "")], ids=["0777", "0"])
def test_whatever_the_umask_files_are_ours_alone(plain: Machine, mask: int, where: str) -> None:
    plain.before = partial(_set_umask, mask)
    try:
        said = plain.expect(f"listen --local --detach {where}", 0, "WS_ID=ws-")
        assert "created the directory " in said
        plain.expect(f"status {where}", 0, "listening")
        plain.expect(f"events search nothing {where}", 1, "nothing matched")
    finally:
        plain.expect(f"stop {where}", 0, "stopped the listener")
        plain.expect(f"local stop {where}", 0, "stopped: pid")
    made = [*(plain.root / "home").rglob("*"), *(plain.root / "deep").rglob("*")]
    assert len(made) > 5
    assert {path.stat().st_mode & 0o777 for path in made} == {0o600, 0o700}


CREATING = [
    ("listen new/events", 3, "created the directory {root}/new/events, with its parents from {root}/new on"),
    ("listen --dir new", 3, "created the directory {root}/new"),
    ("listen --detach new", 3, "created the directory {root}/new"),
    ("listen --quiet new", 3, ""),
    ("listen events", 3, ""),
    ("capture start --source none --dir new", 4, "created the directory {root}/new"),
    ("capture create --dir new", 3, ""),
    ("status --dir new", 4, ""),
    ("events tail --dir new", 4, ""),
]


@pytest.mark.parametrize(("line", "status", "words"), CREATING)
def test_no_directory_is_made_in_silence(plain: Machine, line: str, status: int, words: str) -> None:
    found, _, err = plain.run(line)
    assert found == status, err
    told = [each for each in err.splitlines() if each.startswith("created ")]
    assert told == ([words.format(root=plain.root)] if words else [])
    was_made = (plain.root / "new").exists()
    assert was_made is (bool(words) or "--quiet" in line)


# ---- a disk that is full ---------------------------------------------------------------------------------------------


def limit_to(size: int) -> Callable[[], None]:
    """Return what lets no file grow beyond that, as ``ulimit -f`` does. Python ignores the signal that comes first."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


INDEX = "no index can be kept at {events}/videodb_events.jsonl.index ("
CURSOR = "cannot write the cursor {events}/c: "
LOCK = "cannot write {events}/"
FULL = [
    ("events search keys --dir events", 0, INDEX),
    ("events search keys --json --dir events", 0, INDEX),
    ("events search keys --no-index --dir events", 0, "access keys"),
    ("events search nothing --dir events", 1, INDEX),
    ("path --dir events", 0, "videodb_events.jsonl"),
    ("status --dir events", 4, "no listener runs here"),
    ("stop --dir events", 0, "nothing runs here"),
    ("events tail --dir events", 0, "access keys"),
    ("events filter . --dir events", 0, "access keys"),
    ("events transcript --dir events", 0, "access keys"),
    ("events tail --dir events --cursor-file events/c", 6, CURSOR),
    ("events filter . --dir events --cursor-file events/c", 6, CURSOR),
    ("events wait --since 1000d --timeout 5 --dir events --cursor-file events/c", 6, CURSOR),
    ("events forward --exec true --dir events --cursor-file events/c", 6, LOCK),
    ("listen events --local", 6, LOCK),
    ("listen events --local --detach", 6, LOCK),
    ("local start --dir events", 6, LOCK),
    ("local start --detach --dir events", 6, LOCK),
    ("doctor --dir events", 3, "VIDEO_DB_API_KEY is not set"),
]


@pytest.mark.parametrize(("line", "status", "words"), [*FULL[:2], *FULL[-6:]])
def test_ulimit(plain: Machine, events: Path, line: str, status: int, words: str) -> None:
    plain.before = limit_to(0)
    plain.expect(line, status, words.format(events=events))


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="Linux has it")
def test_a_log_that_may_not_grow_loses_nothing(tmp_path: Path) -> None:
    """The signal that comes with ``ulimit -f`` must not end the listener; what waits is written when it may grow."""
    box = Box(tmp_path)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))

    try:
        with EventService() as service:
            program = box.listen(service, preexec_fn=limit)
            service.send(*(json.dumps({"channel": "alert", "n": n, "data": {"label": "x" * 300}}) for n in range(200)))
            eventually(lambda: "File too large" in box.run(None, "status").stdout)
            assert box.run(None, "status").returncode == 5
            assert program.process.poll() is None
            resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            eventually(lambda: len(box.heard()) == 200)
            eventually(lambda: box.run(None, "status").returncode == 0)
            assert program.end() == 0
        assert box.heard() == list(range(200))
    finally:
        box.close()


@pytest.fixture
def full(plain: Machine, events: Path) -> Iterator[Machine]:
    """A file system without a byte of room."""
    mounted = IS_ROOT and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "none", str(events)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        (events / "videodb_events.jsonl").write_text(LINE * 20)
        with (events / "fill").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        yield plain
    finally:
        subprocess.run(["umount", "--lazy", str(events)], check=True)


@pytest.mark.parametrize(("line", "status", "words"), FULL)
def test_a_full_disk(full: Machine, events: Path, line: str, status: int, words: str) -> None:
    said = full.expect(line, status, words.format(events=events))
    assert ("No space left on device" in said) is (words in {CURSOR, LOCK})
    assert ("database or disk is full" in said) is (words == INDEX)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        *[(line, 6) for line in ("path", "--help", "--version", "events tail --help")],
        *[(f"{line} --dir events", 6) for line in ("status", "stop --json", "doctor")],
        *[(f"events {line} --dir events", 6) for line in ("tail", "filter", "transcript", "search keys --json")],
        ("events filter --dir events --cursor-file c", 6),
        ("events wait --since 1000d --dir events", 6),
        ("local status --json --dir events", 6),
    ],
)
def test_stdout_on_a_full_disk(plain: Machine, line: str, status: int) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    plain.stdout = "/dev/full"
    plain.expect(line, status, "error: cannot write the output: No space left on device\n")


@pytest.mark.parametrize(
    ("line", "status", "words"),
    [
        ("nothing --json", 2, "videodb has no command 'nothing'"),
        ("listen events --json", 3, "VIDEO_DB_API_KEY is not set"),
        ("capture status --json --dir events", 4, "no capture has run here"),
    ],
)
def test_an_error_that_finds_no_room_on_stdout(plain: Machine, line: str, status: int, words: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    plain.stdout = "/dev/full"
    plain.expect(line, status, f"error: {words}")


@pytest.mark.parametrize("line", [f"events search keys --{how} --dir events" for how in ("json", "no-index")])
def test_a_directory_for_temporary_files_that_is_missing(plain: Machine, line: str) -> None:
    plain.environment["TMPDIR"] = "/nonexistent"
    plain.expect(line, 0, "access keys")


# ---- what stands in the working directory ----------------------------------------------------------------------------

HOSTILE = ("logging", "jq", "websockets", "orjson", "typer", "asyncio", "json", "videodb_cli")


def hostile(directory: Path) -> Mapping[str, Path]:
    """Put modules into a directory that leave a mark when they are imported, and fail."""
    marks = {}
    for name in HOSTILE:
        marks[name] = directory / f"{name}.was-imported"
        (directory / f"{name}.py").write_text(f"open({str(marks[name])!r}, 'w').close()\nraise SystemExit(99)\n")
    return marks


def test_modules_of_ours_come_from_no_working_directory(plain: Machine, events: Path) -> None:
    """Neither into the command nor into what it leaves in the background. ``python -m`` alone cannot help it."""
    where = plain.root / "hostile"
    where.mkdir()
    marks = {**hostile(where), **{f"{name} in events": path for name, path in hostile(events).items()}}
    plain.cwd = where
    try:
        plain.expect(f"listen --local --detach --dir {events}", 0, "WS_ID=ws-")
        plain.expect(f"local trigger alert --dir {events}", 0, "sent 1 alert event")
        plain.expect(f"events filter .data --dir {events}", 0, "access keys")
        plain.expect(f"status --dir {events}", 0, "listening")
    finally:
        plain.expect(f"stop --dir {events}", 0, "stopped the listener")
        plain.expect(f"local stop --dir {events}", 0, "stopped: pid")
    assert [name for name, mark in marks.items() if mark.exists()] == []
