"""Reads an unfinished command line: its words as bash splits them, then its command, options and what is completed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

# The command of a group that is meant when none is named.
_DEFAULT = "list"
_IN_DOUBLE = '"\\$`'
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=@%+,-")


class BashWord(NamedTuple):
    """The word at the cursor.

    Attributes:
        text: The word without its quotes.
        kept: Its beginning that bash leaves as it is, because it takes only the rest for the word.
        quote: The quotation mark that is open; empty if none is.
    """

    text: str
    kept: str
    quote: str

    def insertion(self, value: str) -> str | None:
        """Return what bash has to insert so that the word is ``value``; None if that cannot be written."""
        if not value.startswith(self.kept):
            return None
        rest = value[len(self.kept) :]
        if self.quote == "'":
            return rest.replace("'", "'\\''")
        if self.quote == '"':
            # Nothing keeps an interactive bash from expanding ! between double quotation marks.
            return None if "!" in rest else "".join(f"\\{c}" if c in _IN_DOUBLE else c for c in rest)
        return "".join(c if c in _PLAIN or not c.isascii() else f"\\{c}" for c in rest)


def split_bash(text: str, breaks: str) -> tuple[list[str], BashWord]:
    """Split a command line up to the cursor into whole words and the word at the cursor.

    ``breaks`` are the characters at which bash begins a new word for completion (``COMP_WORDBREAKS``).
    """
    words: list[str] = []
    word, kept, quote, has_begun = "", "", "", False
    at = 0
    while at < len(text):
        char = text[at]
        at += 1
        if quote == "'" or (quote == '"' and char != "\\"):
            if char == quote:
                quote = ""
            else:
                word += char
        elif char == "\\":
            following = text[at : at + 1]
            at += 1
            word += following if not quote or following in _IN_DOUBLE else char + following
            has_begun = True
        elif char in "'\"":
            quote, kept, has_begun = char, word, True
        elif char in " \t\n":
            if has_begun:
                words.append(word)
            word, kept, has_begun = "", "", False
        else:
            word += char
            has_begun = True
            if char in breaks:
                kept = word
    return words, BashWord(word, kept, quote)


def unquoted(text: str) -> str:
    """Return a word of a shell without its quotes, which may be unfinished."""
    words, last = split_bash(text, "")
    return " ".join([*words, last.text])


class Asked:
    """What is to be completed.

    Attributes:
        command: The path of the command, such as ``events tail``.
        kind: What kind of value is completed; ``word`` for a command or an option, empty for what nobody knows.
        text: The beginning of it.
        before: What stands before it in the same word: ``--channel=``.
        used: The options that stand on the line.
        files: The log files that stand on the line.
        directory: The directory that the line names.
        env_file: The dotenv file that the line names.
    """

    def __init__(self, text: str = "") -> None:
        self.command = ""
        self.kind = ""
        self.text = text
        self.before = ""
        self.used: set[str] = set()
        self.files: list[str] = []
        self.directory: str | None = None
        self.env_file: str | None = None


def read_line(table: Mapping[str, Any], words: Sequence[str], text: str) -> Asked:
    """Read the whole words of a command line, and the word at the cursor, with the table of commands."""
    asked = Asked(text)
    waiting: list[tuple[str, str]] = []  # option and kind of the values that follow
    position = 0
    only_arguments = False
    for word in words:
        if word.startswith("-") and not waiting:
            _enter_default(table, asked, word)
        options = table[asked.command]["options"]
        if waiting:
            _take(asked, *waiting.pop(0), word)
        elif word == "--" and not only_arguments:
            only_arguments = True
        elif word.startswith("-") and len(word) > 1 and not only_arguments and not _is_position(table, asked, word):
            name, equals, value = word.partition("=")
            asked.used.add(name)
            kinds = options.get(name, [[]])[0]
            if equals:
                _take(asked, name, kinds[0] if kinds else "", value)
            else:
                waiting = [(name, kind) for kind in kinds]
        elif _enters(table, asked, word):
            position = 0
        else:
            _take(asked, "", _argument(table, asked, position), word)
            position += 1
    _ask(table, asked, waiting, position, only_arguments=only_arguments)
    return asked


def _ask(
    table: Mapping[str, Any], asked: Asked, waiting: list[tuple[str, str]], position: int, *, only_arguments: bool
) -> None:
    """Decide what the word at the cursor is."""
    text = asked.text
    if "=" in text and not waiting:
        _enter_default(table, asked, text)
    if waiting:
        asked.kind = waiting[0][1]
    elif text.startswith("--") and "=" in text and not only_arguments:
        name, _, asked.text = text.partition("=")
        asked.before = f"{name}="
        kinds = table[asked.command]["options"].get(name, [[]])[0]
        asked.kind = kinds[0] if kinds else ""
    elif text.startswith("-") and not only_arguments and not _is_position(table, asked, text):
        asked.kind = "option"
    elif table[asked.command].get("members") and not position:
        asked.kind = "member"
    else:
        asked.kind = _argument(table, asked, position)


def _is_position(table: Mapping[str, Any], asked: Asked, word: str) -> bool:
    """Tell whether a word is the place of a session (``-1``), and not an option."""
    return word[1:].isdecimal() and "session" in table[asked.command]["arguments"]


def _enters(table: Mapping[str, Any], asked: Asked, word: str) -> bool:
    """Go from a group of commands to the one that a word names."""
    members = table[asked.command].get("members", {})
    if not members:
        return False
    if word in members:
        asked.command = f"{asked.command} {word}".strip()
        return True
    if _DEFAULT in members:
        asked.command += f" {_DEFAULT}"
    return False


def _enter_default(table: Mapping[str, Any], asked: Asked, word: str) -> None:
    """Go from a group to the command that is meant when none is named, if this option is not one of the group."""
    entry = table[asked.command]
    if _DEFAULT in entry.get("members", {}) and word.partition("=")[0] not in entry["options"]:
        asked.command += f" {_DEFAULT}"


def _argument(table: Mapping[str, Any], asked: Asked, position: int) -> str:
    kinds: list[str] = table[asked.command]["arguments"]
    if position < len(kinds):
        return kinds[position].removesuffix("*")
    return kinds[-1].removesuffix("*") if kinds and kinds[-1].endswith("*") else ""


def _take(asked: Asked, name: str, kind: str, value: str) -> None:
    """Note a value that tells where the log is."""
    if kind == "log":
        asked.files.append(value)
    elif kind == "dir":
        asked.directory = value
    elif name == "--env-file":
        asked.env_file = value
