"""Runs jq programs by libjq on lines of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from videodb_cli.errors import MissingDependencyError, UsageError
from videodb_cli.eventlog.query.jq_run import Failure, Run
from videodb_cli.eventlog.query.jq_syntax import MODULE_WORDS, REFUSED, used_words
from videodb_cli.eventlog.read.decode import decode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from videodb_cli.eventlog.query.libjq import SpeakingProgram

# A program with one of these writes to standard error or halts, which the package does not offer.
_SPEAKING = frozenset({"debug", "stderr", "halt", "halt_error"})


class Program:
    """A compiled program. Its results are JSON texts with the original digits of numbers."""

    def __init__(self, text: str, variables: Mapping[str, Any] | None = None) -> None:
        """Compile a program. Raises UsageError with the program and a caret, or for a word that is not supported."""
        try:
            import jq
        except ImportError:
            raise MissingDependencyError("jq programs need the package jq", hint="pip install 'jq>=1.10'") from None
        if refused := used_words(text, REFUSED):
            raise _refusal(refused[0])
        named = dict(variables or {})
        arguments = {**named, "ARGS": {"named": named, "positional": []}}
        try:
            jq.compile(text, args=arguments)
        except ValueError as error:
            raise UsageError(f"the jq program has an error\n{_tidy(str(error))}", code="jq_program") from None
        # A program may be nothing but definitions; its last line may be a comment.
        body = text if _is_expression(jq, text, arguments) else f"{text} ."
        self._speaking: SpeakingProgram | None = None
        if used_words(text, _SPEAKING):
            from videodb_cli.eventlog.query.libjq import SpeakingProgram

            self._speaking = SpeakingProgram(body, arguments)
            return
        self._compiled = jq.compile(f"try (({body}\n) | tojson) catch [tojson]", args=arguments)

    def run(self, lines: Sequence[bytes]) -> Run:
        """Run the program on every line."""
        if self._speaking is not None:
            return self._speaking.run(lines)
        try:
            found = self._compiled.input_text(b"\n".join(lines).decode(errors="replace")).all()
        except ValueError:
            found = None
        if found is not None and list not in set(map(type, found)):
            return Run(found)
        results: list[str] = []
        failures: list[Failure] = []
        for index, line in enumerate(lines):
            try:
                given = self._compiled.input_text(line.decode(errors="replace")).all()
            except ValueError as error:
                failures.append(Failure(index, str(error)))
                continue
            results += [text for text in given if isinstance(text, str)]
            failures += [Failure(index, _message(mark)) for mark in given if not isinstance(mark, str)]
        return Run(results, failures)


def _refusal(word: str) -> UsageError:
    why, hint = "each event is given to the program by itself", "-s gives the program all events as one array"
    if word in MODULE_WORDS:
        why, hint = "programs stand alone, without modules", "put the definitions into the program: -f FILE"
    elif word == "input_filename":
        why, hint = "the program is given events, not files", "name one file at a time"
    return UsageError(f"{word} is not available here: {why}", code="jq_refused", hint=hint)


def _is_expression(jq: Any, text: str, arguments: Mapping[str, Any]) -> bool:
    try:
        jq.compile(f"({text}\n)", args=arguments)
    except ValueError:
        return False
    return True


def _message(mark: list[str]) -> str:
    text = mark[0]
    value = decode(text.encode())
    return value if isinstance(value, str) else f"(not a string) {text}"


def _tidy(message: str) -> str:
    """Return the words of libjq, without its name and its count of errors."""
    lines = [line.removeprefix("jq: error: ") for line in message.splitlines()]
    return "\n".join(line for line in lines if "compile error" not in line)
