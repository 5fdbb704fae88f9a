"""The Tab key in real shells: bash, zsh and fish behind a pseudo-terminal, with hostile names in the log.

The program that the shells start passes completion on to the real one, and notes the arguments of everything else. So a
test types the beginning of a line, presses Tab and Enter, and sees the words that the shell made of it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import eventually
from tests.fakes.terminal import Terminal

pytestmark = pytest.mark.system
SHELLS = ("bash", "zsh", "fish")
# Each begins with another letter, so that two letters are enough to mean it.
HOSTILE = {
    "A1": 'A1 it\'s $(touch pwned) "quoted"; touch pwned #',
    "B2": "B2`touch pwned`|touch pwned&",
    "C3": "C3 %F{red} {a,b} * ? [x] ~ ^ \\n back\\slash",
    "D4": "D4 ünï 日本語 🎬",
    "E5": "E5:colon=equals@at",
    "F6": "F6 !! $HOME <in >out",
}
UNTYPEABLE = ["G7\nnew line", "G7\x1b[31mred\x07", "G7\ttab", "G7\u202eright to left", "G7" + "x" * 300]


def line(**members: object) -> str:
    return json.dumps({"unix_ts": time.time() - 200, **members}) + "\n"


class Shell:
    """A shell in a terminal, and what it started."""

    def __init__(self, name: str, place: Path) -> None:
        program = shutil.which(name)
        if program is None:
            pytest.skip(f"{name} is not installed")
        self.name, self.place = name, place
        self._ran = place / "ran"
        home, bin_dir = place / "home", place / "bin"
        for directory in (home, bin_dir, home / ".config" / "fish"):
            directory.mkdir(parents=True)
        stub = bin_dir / "videodb"
        note = "import json,sys; open(sys.argv[1]+'.new','w').write(json.dumps(sys.argv[2:]))"
        stub.write_text(
            f'#!/bin/sh\n[ "$1" = __complete ] || [ "$1" = completion ] && exec {sys.executable} -m videodb_cli "$@"\n'
            f'{sys.executable} -c "{note}" {self._ran} "$@"\nmv {self._ran}.new {self._ran}\n'
        )
        stub.chmod(0o700)
        (home / ".bashrc").write_text("PS1='ready> '\nsource <(videodb completion bash)\n")
        (home / ".zshrc").write_text(
            "PROMPT='ready> '\nunsetopt BEEP\nautoload -Uz compinit\ncompinit -u -D\nsource <(videodb completion zsh)\n"
        )
        (home / ".config/fish/config.fish").write_text(
            "function fish_prompt; echo -n 'ready> '; end\nset fish_greeting\nset -g fish_autosuggestion_enabled 0\n"
            "videodb completion fish | source\n"
        )
        self.terminal = Terminal(150, 50)
        self.terminal.__enter__()
        flags = {"bash": ["--noprofile", "--rcfile", str(home / ".bashrc"), "-i"], "zsh": ["-i"], "fish": ["-i"]}[name]
        environment = {
            "HOME": str(home),
            "ZDOTDIR": str(home),
            "PATH": f"{bin_dir}{os.pathsep}{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
            "VIDEODB_EVENTS_DIR": str(place / "log"),
            "XDG_STATE_HOME": str(home / "state"),
        }
        self.terminal.run([program, *flags], environment, place)
        eventually(lambda: b"ready>" in self.terminal.output, 30)

    def close(self) -> None:
        self.terminal.__exit__()

    def ran(self, typed: str) -> list[str]:
        """Type a line with Tab keys in it, press Enter, and return the arguments that `videodb` was started with."""
        self._ran.unlink(missing_ok=True)
        self.terminal.type(typed + "\r")
        eventually(self._ran.exists, 30)
        found: list[str] = json.loads(self._ran.read_text())
        return found


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shell]:
    log = tmp_path / "log"
    log.mkdir(mode=0o700)
    with (log / "videodb_events.jsonl").open("w") as file:
        for name in [*HOSTILE.values(), *UNTYPEABLE, "mic:default"]:
            file.write(line(channel="transcript", rtstream_id=f"rts-{name[:2]}", rtstream_name=name))
        file.write(line(event="capture_session.active", capture_session_id="cap-1234"))
        file.write(line(event="capture_session.exported", capture_session_id="cap-1234"))
    (tmp_path / "films").mkdir()
    for name in ("my film.MP4", "notes.txt", "old.jsonl.gz"):
        (tmp_path / "films" / name).touch()
    found = Shell(request.param, tmp_path)
    yield found
    found.close()


def test_names_of_the_log_never_run_and_are_typed_as_they_are(shell: Shell) -> None:
    for beginning, name in HOSTILE.items():
        assert shell.ran(f"videodb events tail --stream {beginning}\t") == ["events", "tail", "--stream", name]
        assert shell.ran(f"videodb events tail --stream={beginning}\t") == ["events", "tail", f"--stream={name}"]
    assert shell.ran("videodb events tail --stream mic:d\t") == ["events", "tail", "--stream", "mic:default"]
    assert shell.ran("videodb events tail --stream G7\t") == ["events", "tail", "--stream", "G7"]
    assert not list(shell.place.rglob("pwned"))
    assert b"\x1b[31mred" not in shell.terminal.output


def test_within_quotation_marks(shell: Shell) -> None:
    for mark in "'\"":
        assert shell.ran(f"videodb events tail --stream {mark}A1\t") == ["events", "tail", "--stream", HOSTILE["A1"]]
        assert shell.ran(f"videodb events tail --stream {mark}D4 ü\t") == ["events", "tail", "--stream", HOSTILE["D4"]]
    assert not list(shell.place.rglob("pwned"))


def test_commands_options_and_choices(shell: Shell) -> None:
    assert shell.ran("videodb ev\ttransc\t--form\tvt\t") == ["events", "transcript", "--format", "vtt"]
    assert shell.ran("videodb sess\t op\t cap\t") == ["sessions", "open", "cap-1234"]
    assert shell.ran("videodb events wait --session ca\t --fail-on fai\t") == [
        *("events", "wait", "--session", "cap-1234", "--fail-on", "failed")
    ]


def test_files_only_where_a_file_fits(shell: Shell) -> None:
    assert shell.ran("videodb demo films/\t") == ["demo", "films/my film.MP4"]
    assert shell.ran("videodb capture start --source films/\t") == ["capture", "start", "--source", "films/my film.MP4"]
    assert shell.ran("videodb events tail fil\t\t") == ["events", "tail", "films/old.jsonl.gz"]
    assert shell.ran("videodb events search --file=films/\t") == ["events", "search", "--file=films/old.jsonl.gz"]
    status = shell.ran("videodb status --dir fil\t")
    assert status in (["status", "--dir", "films/"], ["status", "--dir", "films"])  # zsh takes the slash off again
    (shell.place / "home" / "mine.jsonl").touch()
    assert shell.ran("videodb events tail ~/mi\t") == ["events", "tail", str(shell.place / "home" / "mine.jsonl")]
    assert shell.ran("videodb events wait --count film\t") == ["events", "wait", "--count", "film"]
    assert shell.ran("videodb events filter film\t") == ["events", "filter", "film"]
    assert shell.ran("videodb events filter . film\t\t") == ["events", "filter", ".", "films/old.jsonl.gz"]


# What is typed, what the shell then lists, and what zsh and fish say beside it.
LISTS = {
    "videodb events tail --channel ": (["transcript", "alert", "capture_session"], "3 min ago"),
    "videodb events tail --session ": (["cap-1234", "last"], "exported · 3 min ago"),
    "videodb sessions ": (["show", "open"], "Show one capture session"),
}


@pytest.mark.parametrize("typed", LISTS)
def test_lists(shell: Shell, typed: str) -> None:
    expected, about = LISTS[typed]
    shell.terminal.type(typed + "\t\t")
    wanted = expected if shell.name == "bash" else [*expected, about]
    shell.terminal.wait(lambda rows: all(text in "\n".join(rows) for text in wanted), f"after {typed!r}")
    listed = "\n".join(shell.terminal.rows())
    assert "films" not in listed
    assert shell.name != "bash" or about not in listed, "bash has no descriptions"


def test_the_directory_of_the_line_and_a_damaged_log(shell: Shell) -> None:
    other = shell.place / "other dir"
    other.mkdir(mode=0o700)
    (other / "videodb_events.jsonl").write_bytes(b'{"channel":"only_here"}\n\xff\xfe{{{\n' + b"\0" * 1000)
    typed = "videodb events tail --dir 'other dir' --channel onl\t"
    assert shell.ran(typed) == ["events", "tail", "--dir", "other dir", "--channel", "only_here"]
    (shell.place / "log" / "videodb_events.jsonl").write_bytes(os.urandom(5000))
    (shell.place / "log" / "videodb_events.jsonl.names").write_bytes(os.urandom(500))
    assert shell.ran("videodb events tail --channel tran\t") == ["events", "tail", "--channel", "transcript"]
    shutil.rmtree(shell.place / "log")
    assert shell.ran("videodb events tail --channel aler\t") == ["events", "tail", "--channel", "alert"]
    text = "\n".join(shell.terminal.rows())
    assert "Traceback" not in text
    assert "rror" not in text
