"""Calls libjq by its C interface, for what the package ``jq`` does not offer: ``debug``, ``stderr`` and ``halt``.

The extension module of the package contains libjq and exports its functions. Calling them is five times slower than the
package, so this is used only for programs with one of these words.
"""

from __future__ import annotations

import ctypes
import json
from typing import TYPE_CHECKING, Any

from videodb_cli.errors import UsageError
from videodb_cli.eventlog.query.jq_run import Failure, Halt, Run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_INVALID, _NULL, _NUMBER, _STRING = 0, 1, 4, 5
# The exit status of ``halt_error`` without a number.
_FAILED = 5


class _Value(ctypes.Structure):
    """A ``jv`` of libjq: sixteen opaque bytes that are passed by value."""

    _fields_ = (("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


_Callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p, _Value)
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    # Name: type of the result, types of the arguments. All but jv_get_kind and jv_string_value consume their values.
    "jq_init": (ctypes.c_void_p,),
    "jq_set_error_cb": (None, ctypes.c_void_p, _Callback, ctypes.c_void_p),
    "jq_set_debug_cb": (None, ctypes.c_void_p, _Callback, ctypes.c_void_p),
    "jq_set_stderr_cb": (None, ctypes.c_void_p, _Callback, ctypes.c_void_p),
    "jq_compile_args": (ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, _Value),
    "jq_start": (None, ctypes.c_void_p, _Value, ctypes.c_int),
    "jq_next": (_Value, ctypes.c_void_p),
    "jq_halted": (ctypes.c_int, ctypes.c_void_p),
    "jq_get_exit_code": (_Value, ctypes.c_void_p),
    "jq_get_error_message": (_Value, ctypes.c_void_p),
    "jv_parse_sized": (_Value, ctypes.c_char_p, ctypes.c_int),
    "jv_dump_string": (_Value, _Value, ctypes.c_int),
    "jv_get_kind": (ctypes.c_int, _Value),
    "jv_copy": (_Value, _Value),
    "jv_free": (None, _Value),
    "jv_invalid_has_msg": (ctypes.c_int, _Value),
    "jv_invalid_get_msg": (_Value, _Value),
    "jv_number_value": (ctypes.c_double, _Value),
    "jv_string_value": (ctypes.c_void_p, _Value),
    "jv_string_length_bytes": (ctypes.c_int, _Value),
}


def _loaded() -> Any:
    """Return the library with its signatures. Raises ``UsageError`` if the package does not export them."""
    import jq

    try:
        library = ctypes.CDLL(jq.__file__)
        for name, (result, *arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (AttributeError, OSError):
        raise UsageError(
            "debug, stderr, halt and halt_error are not available with this build of the package jq",
            code="jq_refused",
            hint="videodb events filter … | jq PROGRAM",
        ) from None
    return library


class SpeakingProgram:
    """A compiled program that may write to standard error or halt. It is never freed."""

    def __init__(self, text: str, arguments: Mapping[str, Any]) -> None:
        """Compile a program without errors; ``arguments`` are its variables."""
        self._lib = _loaded()
        self._told: list[bytes] = []
        # libjq keeps only their addresses, so they must not be freed.
        self._on_debug, self._on_stderr = _Callback(self._take_debug), _Callback(self._take_stderr)
        self._on_error = _Callback(lambda _, value: self._lib.jv_free(value))
        self._jq = self._lib.jq_init()
        self._lib.jq_set_error_cb(self._jq, self._on_error, None)
        self._lib.jq_set_debug_cb(self._jq, self._on_debug, None)
        self._lib.jq_set_stderr_cb(self._jq, self._on_stderr, None)
        if not self._lib.jq_compile_args(self._jq, text.encode(), self._parsed(json.dumps(arguments).encode())):
            raise UsageError("the jq program has an error", code="jq_program")

    def run(self, lines: Sequence[bytes]) -> Run:
        """Run the program on every line, up to the one at which it halts."""
        results: list[str] = []
        failures: list[Failure] = []
        halt: Halt | None = None
        self._told = []
        for place, line in enumerate(lines):
            failure = self._run_on(line, results)
            if failure is not None:
                failures.append(Failure(place, failure))
            if self._lib.jq_halted(self._jq):
                halt = self._halt(place)
                break
        return Run(results, failures, b"".join(self._told), halt)

    def _run_on(self, line: bytes, results: list[str]) -> str | None:
        """Run the program on one line. Returns the message of jq if it fails."""
        lib = self._lib
        value = self._parsed(line)
        if lib.jv_get_kind(value) == _INVALID:
            message = self._message_of(value)
            return None if message is None else f"parse error: {message}"
        lib.jq_start(self._jq, value, 0)
        while True:
            result = lib.jq_next(self._jq)
            if lib.jv_get_kind(result) == _INVALID:
                return self._message_of(result)
            results.append(self._text(result).decode(errors="replace"))

    def _parsed(self, line: bytes) -> _Value:
        value: _Value = self._lib.jv_parse_sized(line, len(line))
        return value

    def _message_of(self, invalid: _Value) -> str | None:
        if not self._lib.jv_invalid_has_msg(self._lib.jv_copy(invalid)):
            self._lib.jv_free(invalid)
            return None
        message = self._lib.jv_invalid_get_msg(invalid)
        if self._lib.jv_get_kind(message) == _STRING:
            # jq quotes a value that is not JSON behind its message. The quote is cut off: the line is named anyway.
            return self._string(message).decode(errors="replace").partition(" (while parsing ")[0]
        return f"(not a string) {self._text(message).decode(errors='replace')}"

    def _halt(self, place: int) -> Halt:
        code, message = self._lib.jq_get_exit_code(self._jq), self._lib.jq_get_error_message(self._jq)
        kind = self._lib.jv_get_kind(code)
        status = 0 if kind == _INVALID else _FAILED
        if kind == _NUMBER:
            status = abs(int(self._lib.jv_number_value(code))) & 0xFF
        self._lib.jv_free(code)
        kind = self._lib.jv_get_kind(message)
        if kind == _STRING:
            return Halt(place, status, self._string(message).decode(errors="replace"))
        if kind in {_INVALID, _NULL}:
            self._lib.jv_free(message)
            return Halt(place, status, "")
        return Halt(place, status, self._text(message).decode(errors="replace") + "\n")

    def _take_debug(self, _: Any, value: _Value) -> None:
        self._told.append(b'["DEBUG:",' + self._text(value) + b"]\n")

    def _take_stderr(self, _: Any, value: _Value) -> None:
        is_string = self._lib.jv_get_kind(value) == _STRING
        self._told.append(self._string(value) if is_string else self._text(value))

    def _text(self, value: _Value) -> bytes:
        """Return a value as compact JSON with the original digits of numbers. Consumes the value."""
        return self._string(self._lib.jv_dump_string(value, 0))

    def _string(self, value: _Value) -> bytes:
        """Return the bytes of a string. Consumes the value."""
        length = self._lib.jv_string_length_bytes(self._lib.jv_copy(value))
        content = ctypes.string_at(self._lib.jv_string_value(value), length)
        self._lib.jv_free(value)
        return content
