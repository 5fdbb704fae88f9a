"""Reads compressed files forwards, as far as they can be read. The first bytes tell the kind, never the name.

gzip, bzip2 and xz are in the standard library. Zstandard is in that of Python 3.14, and in the package ``zstandard``.
"""

from __future__ import annotations

import contextlib
import io
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from videodb_cli.eventlog.read.damage import DamagedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

# How many first bytes tell every kind.
HEAD = 6
_INPUT = 1 << 15
# Output is taken in pieces: a small file of zeros could otherwise fill the memory.
_OUTPUT = 1 << 18


class Compression(NamedTuple):
    """One way to compress: its name, how it begins, and the command that decompresses a file to standard output."""

    name: str
    magic: bytes
    command: str


KINDS = (
    Compression("gzip", b"\x1f\x8b", "gzip -dc"),
    Compression("bzip2", b"BZh", "bzip2 -dc"),
    Compression("xz", b"\xfd7zXZ\x00", "xz -dc"),
    Compression("Zstandard", b"\x28\xb5\x2f\xfd", "zstd -dc"),
    Compression("lz4", b"\x04\x22\x4d\x18", "lz4 -dc"),
    Compression("compress", b"\x1f\x9d", "uncompress -c"),
    Compression("zip", b"PK\x03\x04", "unzip -p"),
)


def kind_of(head: bytes) -> Compression | None:
    """Return how a file with these first bytes is compressed (``HEAD`` are enough); None if it is not."""
    return next((kind for kind in KINDS if head.startswith(kind.magic)), None)


def may_become_kind(head: bytes) -> bool:
    """Tell whether a stream that begins with these bytes may be compressed, so that more of it is needed."""
    return any(len(head) < len(kind.magic) and kind.magic.startswith(head) for kind in KINDS)


class Decompressed(io.RawIOBase):
    """The content of a compressed file. ``read`` gives all that can be read, then raises ``DamagedError``.

    It raises for a file that is cut off, damaged, followed by something else, or of a kind that cannot be read here.
    ``seek`` goes forwards only. Closing it closes the file.
    """

    def __init__(self, raw: BinaryIO, kind: Compression, name: str) -> None:
        super().__init__()
        self._raw = raw
        self._kind = kind
        self._name = name
        self._new = _decompressor(kind)
        self._member: Any = None
        # Compressed bytes that were read and not given to the decompressor yet.
        self._input = b""
        self._at = 0
        self._ready = b""
        self._failure: DamagedError | None = None
        self._is_over = False

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return False: `seek` goes forwards only."""
        return False

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer; it is filled in part only at the end, or before the damage."""
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view):
            if not self._ready:
                self._ready = self._more()
                if not self._ready:
                    break
            piece = self._ready[: len(view) - done]
            view[done : done + len(piece)] = piece
            self._ready = self._ready[len(piece) :]
            done += len(piece)
        if not done and len(view) and self._failure is not None:
            raise self._failure
        self._at += done
        return done

    def tell(self) -> int:
        """Return the offset in the decompressed content."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Read and drop content up to ``offset``. Raises io.UnsupportedOperation for a way back."""
        if whence != io.SEEK_SET or offset < self._at:
            raise io.UnsupportedOperation("a compressed file is read forwards only")
        while self._at < offset and self.read(min(offset - self._at, _OUTPUT)):
            pass
        return self._at

    def close(self) -> None:
        """Close the compressed file too."""
        self._raw.close()
        super().close()

    def _more(self) -> bytes:
        """Return the next piece of content; nothing at the end, or after a failure."""
        while not self._is_over:
            if self._new is None:
                self._fail(
                    f"{self._name} is compressed ({self._kind.name}), which cannot be read here; it was left out",
                    hint=f"{self._kind.command} {shlex.quote(self._name)} | videodb events filter . -",
                )
            elif self._member is None:
                self._begin_member()
            elif self._member.eof:
                self._end_member()
            elif content := self._step():
                return content
        return b""

    def _step(self) -> bytes:
        """Return the next output of this member."""
        needs_input = not getattr(self._member, "unconsumed_tail", b"") and getattr(self._member, "needs_input", True)
        has_input = bool(self._input) or not needs_input or self._fill()
        content = self._decompress()  # without input: the rest that it still holds
        if not (content or has_input or self._is_over or self._member.eof):
            self._fail(f"{self._name} is cut off: its {self._kind.name} data has no end; all whole lines were read")
        return content

    def _fill(self) -> bool:
        self._input = self._raw.read(_INPUT) or b""
        return bool(self._input)

    def _decompress(self) -> bytes:
        """Give the decompressor its next input and return its output."""
        given, self._input = self._input, b""
        before = self._member.copy() if hasattr(self._member, "copy") else None
        try:
            content: bytes = self._member.decompress(given or getattr(self._member, "unconsumed_tail", b""), _OUTPUT)
        except TypeError:  # this decompressor takes no limit
            content = self._member.decompress(given)
        except Exception as error:  # noqa: BLE001 - each kind has errors of its own
            self._fail(f"{self._name} is damaged: {error}; what stands before that was read")
            return b"" if before is None else _until_it_fails(before, given)
        return content

    def _begin_member(self) -> None:
        assert self._new is not None  # noqa: S101 - for the type checker; ``_more`` has seen to it
        self._member = self._new()

    def _end_member(self) -> None:
        """Go on with the next member, if there is one; zeros between members (tapes pad files so) are skipped."""
        rest = self._member.unused_data
        while not (rest := rest.lstrip(b"\0")):
            if not self._fill():
                self._is_over = True
                return
            rest, self._input = self._input, b""
        while len(rest) < HEAD and self._fill():
            rest, self._input = rest + self._input, b""
        if rest.startswith(self._kind.magic):
            self._input, self._member = rest, None
        else:
            self._fail(f"{self._name} goes on with something else after its {self._kind.name} data; that was left out")

    def _fail(self, message: str, hint: str | None = None) -> None:
        self._is_over = True
        self._failure = DamagedError(message, hint=hint)


def _until_it_fails(member: Any, given: bytes) -> bytes:
    """Return the output of the input before the first wrong byte."""
    content = bytearray()
    given = given or member.unconsumed_tail
    with contextlib.suppress(Exception):
        for index in range(len(given)):
            content += member.decompress(given[index : index + 1])
    return bytes(content)


def _decompressor(kind: Compression) -> Callable[[], Any] | None:
    """Return a function that makes a decompressor of one member; None if this Python has none."""
    if kind.name == "gzip":
        import zlib

        return lambda: zlib.decompressobj(wbits=31)
    if kind.name == "bzip2":
        import bz2

        return bz2.BZ2Decompressor
    if kind.name == "xz":
        import lzma

        return lzma.LZMADecompressor
    return _zstandard() if kind.name == "Zstandard" else None


def _zstandard() -> Callable[[], Any] | None:
    from importlib import import_module

    try:
        decompressor: Callable[[], Any] = import_module("compression.zstd").ZstdDecompressor
    except ImportError:
        pass
    else:
        return decompressor
    try:
        package = import_module("zstandard")
    except ImportError:
        return None
    return lambda: package.ZstdDecompressor().decompressobj()
