"""Reading an unfinished command line, and writing a value so that bash takes it for that value."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.completion.answer import _table
from videodb_cli.completion.line import read_line, split_bash, unquoted

BREAKS = " \t\n\"'@><=;|&(:"


@pytest.mark.parametrize(
    ("text", "words", "word", "kept", "quote"),
    [
        ("videodb ", ["videodb"], "", "", ""),
        ("videodb ev", ["videodb"], "ev", "", ""),
        ("videodb 'a b", ["videodb"], "a b", "", "'"),
        ('videodb --x="a b', ["videodb"], "--x=a b", "--x=", '"'),
        ("videodb mic:de", ["videodb"], "mic:de", "mic:", ""),
        ("videodb a\\ b", ["videodb"], "a b", "", ""),
        ("videodb a\\", ["videodb"], "a", "", ""),
        ('videodb "a\\"b\\n', ["videodb"], 'a"b\\n', "", '"'),
        ("videodb '' x y", ["videodb", "", "x"], "y", "", ""),
        ("videodb 'a'b'c", ["videodb"], "abc", "ab", "'"),
        ("", [], "", "", ""),
    ],
)
def test_words_of_bash(text: str, words: list[str], word: str, kept: str, quote: str) -> None:
    assert split_bash(text, BREAKS) == (words, (word, kept, quote))


printable = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=20)


@given(printable)
def test_an_insertion_is_read_back_as_the_value(value: str) -> None:
    for begun in ("", "'", '"'):
        _, word = split_bash(f"videodb {begun}", BREAKS)
        inserted = word.insertion(value)
        if inserted is None:
            assert begun == '"' and "!" in value  # noqa: PT018
            continue
        words, _ = split_bash(f"videodb {begun}{inserted}{begun} ", BREAKS)
        assert words == ["videodb", value]


def test_bash_itself_reads_an_insertion_back() -> None:
    values = [
        "$(touch x)",
        "`id`",
        "a;b|c&d",
        "~root",
        "#x",
        "*?[a]{b,c}",
        "it's",
        'q"q',
        "\\",
        "!x",
        "<>",
        "日本 🎬",
        "-n",
    ]
    for value in values:
        for begun in ("", "'", '"'):
            inserted = split_bash(f"videodb {begun}", BREAKS)[1].insertion(value)
            if inserted is not None:
                done = subprocess.run(
                    ["bash", "-c", f"printf %s {begun}{inserted}{begun}"], capture_output=True, check=True
                )
                assert done.stdout.decode() == value


@pytest.mark.parametrize(
    ("line", "command", "kind", "text", "before"),
    [
        ("", "", "member", "", ""),
        ("ev", "", "member", "ev", ""),
        ("events ", "events", "member", "", ""),
        ("events tail ", "events tail", "log", "", ""),
        ("events tail --channel ", "events tail", "channel", "", ""),
        ("events tail --channel=tr", "events tail", "channel", "tr", "--channel="),
        ("events tail -f --stream x --session ca", "events tail", "session", "ca", ""),
        ("events tail -n 5 --ch", "events tail", "option", "--ch", ""),
        ("events tail -- --ch", "events tail", "log", "--ch", ""),
        ("events filter ", "events filter", "", "", ""),
        ("events filter . ", "events filter", "log", "", ""),
        ("events filter --arg a b . ", "events filter", "log", "", ""),
        ("events filter --slurpfile a ", "events filter", "file", "", ""),
        ("events search word ", "events search", "", "", ""),
        ("events search word --file ", "events search", "log", "", ""),
        ("sessions ", "sessions", "member", "", ""),
        ("sessions --since ", "sessions list", "choices:now|5m|1h|1d|today|yesterday", "", ""),
        ("sessions a.jsonl ", "sessions list", "log", "", ""),
        ("sessions show ", "sessions show", "session", "", ""),
        ("sessions show -1 ", "sessions show", "log", "", ""),
        ("sessions open -", "sessions open", "option", "-", ""),
        ("demo ", "demo", "media", "", ""),
        ("capture start --source ", "capture start", "media", "", ""),
        ("status --dir ", "status", "dir", "", ""),
        ("nonsense ", "", "", "", ""),
        ("--nonsense events ", "events", "member", "", ""),
        ("events tail --nonsense=x --channel ", "events tail", "channel", "", ""),
    ],
)
def test_what_is_completed(line: str, command: str, kind: str, text: str, before: str) -> None:
    words, word = split_bash(line, "")
    asked = read_line(_table(), words, word.text)
    assert (asked.command, asked.kind, asked.text, asked.before) == (command, kind, text, before)


def test_where_the_log_is() -> None:
    asked = read_line(_table(), shlex.split("events tail a.jsonl --dir d --env-file e b.gz --channel"), "")
    assert (asked.files, asked.directory, asked.env_file) == (["a.jsonl", "b.gz"], "d", "e")
    assert asked.kind == "channel"
    assert read_line(_table(), ["status", "d"], "").directory == "d"


def test_unquoted() -> None:
    assert [unquoted(text) for text in ("'a b", "a\\ b", '"a"', "", "it\\'s")] == ["a b", "a b", "a", "", "it's"]
