"""The only writer to the terminal: stdout is data, stderr is talk. Colour, widths, escapes and encodings live here.

Text of events is untrusted: `one_line` makes control characters visible before they can reach a terminal.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

from videodb_cli.errors import OutputError, ReaderGoneError, VideodbError

_ANSI = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
    "reverse": "7",
}
# PIPE_BUF on Linux: a pipe that is ready has room for so many bytes. The 512 of POSIX would cut long paths.
_ALWAYS_FITS = 4096
# Count this up when a member of any answer goes, or changes its meaning or type; not for a new member.
ANSWER_SCHEMA = 1
_forced: bool | None = None
_preferred: Callable[[], bool | None] | None = None
_aside: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext
DUMB_TERMINALS = frozenset({"dumb", "unknown"})
# The descriptor of the terminal, while a pager stands between it and stdout.
_terminal_behind: int | None = None
# Talk that waits for the end of the pager, which has the screen.
_held_talk: list[str] | None = None


def prepare() -> None:
    """Make the standard streams usable: open, and UTF-8 in any locale."""
    for fd, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(fd)
        except OSError:
            # The next file that we open would get the number of a closed descriptor: talk would go into the log.
            with contextlib.suppress(OSError):
                null = os.open(os.devnull, mode)
                if null != fd:
                    os.dup2(null, fd)
                    os.close(null)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors=errors)


def set_color(choice: bool | None) -> None:
    """Force colour on or off for this run; None decides by environment and terminal."""
    global _forced
    _forced = choice


def prefer_color(preferred: Callable[[], bool | None]) -> None:
    """Set what decides on colour after option and environment; it returns None to leave it to the terminal."""
    global _preferred
    _preferred = preferred


def is_color_forced() -> bool:
    """Tell whether --color was given."""
    return _forced is True


def wants_color(stream: IO[Any]) -> bool:
    """Tell whether a stream gets colour: --color, NO_COLOR, FORCE_COLOR, the configuration, then the terminal."""
    if _forced is not None:
        return _forced
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    if _preferred is not None and (preferred := _preferred()) is not None:
        return preferred
    is_tty = is_terminal() if stream is sys.stdout else stream.isatty()
    return is_tty and os.environ.get("TERM", "") not in DUMB_TERMINALS


def is_terminal() -> bool:
    """Tell whether stdout is a terminal, or a pager of ours before one."""
    return _terminal_behind is not None or sys.stdout.isatty()


def is_paged() -> bool:
    """Tell whether a pager of ours shows what is written to stdout."""
    return _terminal_behind is not None


@contextlib.contextmanager
def paged(terminal: int) -> Iterator[None]:
    """Treat stdout, which leads to a pager, as the terminal with this descriptor. Talk is told at the end."""
    global _terminal_behind, _held_talk
    _terminal_behind, _held_talk = terminal, []
    try:
        yield
    finally:
        held, _terminal_behind, _held_talk = _held_talk, None, None
        for line in held or ():
            talk(line)


def paint(text: str, *styles: str) -> str:
    """Return the text with ANSI styles, by name or as SGR parameters. The caller checks `wants_color` first."""
    return f"\x1b[{';'.join(_ANSI.get(style, style) for style in styles)}m{text}\x1b[0m" if styles else text


def _is_unsafe(character: str) -> bool:
    # Cc are control characters. Cf has the bidi controls, which reorder a line, and the joiners, which are harmless.
    category = unicodedata.category(character)
    return category in {"Cc", "Cs", "Zl", "Zp"} or (category == "Cf" and character not in "\u200c\u200d\u00ad")


def one_line(text: str) -> str:
    """Return untrusted text as one safe line: white space folded to single spaces, control characters made visible."""
    folded = " ".join(text.split())
    if folded.isprintable():
        return folded
    return "".join(_visible(c) if _is_unsafe(c) else c for c in folded)


def escape_controls(text: str) -> str:
    """Return untrusted text with control characters made visible; newlines and tabs stay."""
    if text.isprintable():
        return text
    return "".join(_visible(c) if c not in "\n\t" and _is_unsafe(c) else c for c in text)


def _visible(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def terminal_size(stream: IO[Any] | None = None) -> os.terminal_size:
    """Return columns and lines of the terminal on a stream, stdout if none is given; 80 and 24 where there is none."""
    columns = os.environ.get("COLUMNS", "")
    fallback = int(columns) if columns.isdecimal() and int(columns) > 0 else 80
    try:
        behind = _terminal_behind if stream in {None, sys.stdout} else None
        found = os.get_terminal_size((stream or sys.stdout).fileno() if behind is None else behind)
    except (OSError, ValueError):
        return os.terminal_size((fallback, 24))
    return os.terminal_size((found.columns or fallback, found.lines or 24))


def terminal_width() -> int:
    """Return the columns of the terminal on stdout."""
    return terminal_size().columns


def row_width() -> int | None:
    """Return the columns for rows in any form of output: in a pipe those of COLUMNS, else of the terminal on stderr.

    Without either, rows may have any width: one event is one line.
    """
    if is_terminal():
        return terminal_width()
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    return terminal_size(sys.stderr).columns if sys.stderr.isatty() else None


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Turn an OSError of the block into an error of stdout; only writes to stdout belong into the block.

    Raises:
        ReaderGoneError: Nobody reads any more.
        OutputError: Any other reason, for example a full disk.
    """
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGoneError(os.strerror(errno.EPIPE)) from error
    except OSError as error:
        raise OutputError(error.strerror or str(error)) from error


def data_text(text: str) -> None:
    """Write text to stdout as it is. Raises as `writing` does."""
    with writing():
        sys.stdout.write(text)


def data(line: str) -> None:
    """Write one line of data to stdout. Raises as `writing` does."""
    data_text(line + "\n")


def data_bytes(content: bytes) -> None:
    """Write bytes to stdout as they are, after the text that was written before. Raises as `writing` does."""
    with writing():
        sys.stdout.flush()
        sys.stdout.buffer.write(content)


def data_json(value: Mapping[str, Any], *, indent: bool | None = None) -> None:
    """Write one JSON object, the answer of a command, to stdout: indented on a terminal, compact in a pipe.

    Its last member is ``schema``, the version of the shapes of all answers (docs/decisions/0013). Raises as `writing`
    does.
    """
    answer = {**value, "schema": ANSWER_SCHEMA}
    data(json_text(answer, indent=is_terminal() if indent is None else indent))


def json_text(value: Mapping[str, Any], *, indent: bool = False) -> str:
    """Return a value as JSON; half a surrogate pair, which cannot be encoded, becomes an escape."""
    shape: dict[str, Any] = {"indent": 2} if indent else {"separators": (",", ":")}
    text = json.dumps(value, ensure_ascii=False, **shape)
    try:
        text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return json.dumps(value, **shape)
    return text


def flush() -> None:
    """Flush stdout. Raises as `writing` does."""
    with writing():
        sys.stdout.flush()


def talk(line: str) -> None:
    """Write one line of talk to stderr. Never raises: talk must not end the work."""
    if _held_talk is not None:
        _held_talk.append(line)
        return
    with contextlib.suppress(OSError, ValueError), _aside():
        _write_at_once(sys.stderr, line + "\n")


def talk_if_ready(line: str, *, is_safe: bool = False) -> bool:
    """Write one line to stderr if that takes it now, and tell whether it did. Never waits, never raises.

    For diagnostics: a pipe that nobody reads must not stop the work. A very long line is cut to what any pipe that is
    ready takes at once. One that ``is_safe`` is a single line without control characters, and keeps its spaces.
    """
    import select

    content = (
        (line if is_safe else one_line(line))
        .encode("utf-8", "backslashreplace")[: _ALWAYS_FITS - 1]
        .decode("utf-8", "ignore")
    )
    try:
        fd = sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):
        fd = -1
    try:
        if fd >= 0 and not select.select((), (fd,), (), 0)[1]:
            return False
        with _aside():
            _write_at_once(sys.stderr, content + "\n")
    except (OSError, ValueError):
        return False
    return True


def _write_at_once(stream: IO[str], text: str) -> None:
    """Write past the buffer of the stream: Python flushes it once more at exit, and a failure there is exit 120."""
    try:
        fd = stream.fileno()
    except (OSError, ValueError):
        stream.write(text)
        stream.flush()
        return
    stream.flush()
    content = memoryview(text.encode("utf-8", "backslashreplace"))
    while content:
        content = content[os.write(fd, content) :]


def pass_on(content: bytes) -> None:
    """Write to stderr what a user's jq program wrote there; made safe for a terminal. Never raises."""
    if not content:
        return
    text = content.decode(errors="replace")
    with contextlib.suppress(OSError, ValueError), _aside():
        sys.stderr.write(escape_controls(text) if sys.stderr.isatty() else text)
        sys.stderr.flush()


def set_aside_for_talk(rows: Callable[[], contextlib.AbstractContextManager[None]] | None) -> None:
    """Set a context manager that hides rows which are redrawn in place while talk is written; None removes it."""
    global _aside
    _aside = rows or contextlib.nullcontext


def tell_error(error: VideodbError, *, as_json: bool) -> None:
    """Tell an error: one sentence and its hint on stderr, or one JSON object on stdout."""
    if as_json:
        data_json(error.as_json())
        return
    tell_failure(error.message, error.hint)


def tell_failure(message: str, hint: str | None = None) -> None:
    """Write a sentence, and a hint if there is one, to stderr."""
    color = wants_color(sys.stderr)
    mark: Callable[[str, str], str] = paint if color else (lambda text, _style: text)
    talk(f"{mark('error:', 'red')} {escape_controls(message)}")
    if hint:
        talk(f"{mark('hint:', 'cyan')} {escape_controls(hint)}")


def drop_stdout() -> None:
    """Point stdout to /dev/null, so that the interpreter's last flush cannot fail on a closed pipe."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
