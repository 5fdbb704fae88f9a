"""Compressed files are read as far as they go, whatever is wrong with them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.eventlog.read.compression import HEAD, Decompressed, kind_of
from videodb_cli.eventlog.read.damage import DamagedError

COMPRESS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}
BODY = b"".join(b'{"n":%d,"x":"%s"}\n' % (n, os.urandom(20).hex().encode()) for n in range(5000))
ways = pytest.mark.parametrize("compress", COMPRESS.values(), ids=COMPRESS)
# Zstandard, made by `zstd`: b'{"a":1}\n{"a":2}'.
ZSTD = bytes.fromhex("28b52ffd04587900007b2261223a317d0a7b2261223a327dd0cc0df5")


def _read(data: bytes, size: int = 1000) -> tuple[bytes, str | None]:
    """Everything that comes out, and what is said in the end."""
    kind = kind_of(data[:HEAD])
    assert kind is not None
    content = b""
    with Decompressed(io.BytesIO(data), kind, "old.gz") as file:
        try:
            while piece := file.read(size):
                content += piece
        except DamagedError as error:
            return content, error.message
    return content, None


@ways
@given(
    pieces=st.lists(st.binary(max_size=300), max_size=4),
    padding=st.sampled_from([0, 4, 70_000]),
    size=st.integers(1, 400),
)
def test_several_members_are_one_content(
    compress: Callable[[bytes], bytes], pieces: list[bytes], padding: int, size: int
) -> None:
    data = b"".join(compress(piece) for piece in pieces) or compress(b"")
    assert _read(data + b"\0" * padding, size) == (b"".join(pieces), None)


@ways
def test_what_is_cut_off_is_read_to_there(compress: Callable[[bytes], bytes]) -> None:
    data = compress(BODY)
    content, said = _read(data[: len(data) - 9])
    assert BODY.startswith(content)
    assert said is not None
    assert said.startswith("old.gz is cut off: its ")
    if compress is gzip.compress:
        half, _ = _read(data[: len(data) // 2])
        assert len(half) > len(BODY) // 3
    assert _read(data + data[:20])[0] == BODY
    assert _read(data[:HEAD]) == (b"", said)


@ways
def test_what_follows_the_end_is_named(compress: Callable[[bytes], bytes]) -> None:
    content, said = _read(compress(BODY) + b"and some more")
    assert content == BODY
    assert said is not None
    assert "goes on with something else after its" in said


@ways
def test_damage_in_the_middle_is_named(compress: Callable[[bytes], bytes]) -> None:
    data = bytearray(compress(BODY))
    data[len(data) // 2] ^= 0xFF
    _, said = _read(bytes(data), 1 << 16)
    assert said is not None
    assert said.startswith("old.gz is ")


def test_a_wrong_check_sum_takes_nothing_away() -> None:
    data = bytearray(gzip.compress(BODY))
    data[-6] ^= 0xFF
    content, said = _read(bytes(data), 1 << 16)
    assert content == BODY
    assert said == (
        "old.gz is damaged: Error -3 while decompressing data: incorrect data check; what stands before that was read"
    )


def test_gzip_gives_every_byte_before_the_one_that_is_wrong() -> None:
    packed = gzip.compress(b"a" * 100 + os.urandom(1000).hex().encode())
    content, _ = _read(packed[:300] + b"\xff" * 40)
    known, _ = _read(packed[:300])
    assert content.startswith(known)


@ways
def test_a_small_file_of_much_does_not_fill_the_memory(compress: Callable[[bytes], bytes]) -> None:
    kind = kind_of(compress(b"")[:HEAD])
    assert kind is not None
    with Decompressed(io.BytesIO(compress(bytes(30 << 20))), kind, "x") as file:
        first = file.read(100)
        assert first == bytes(100)
        assert len(file._ready) < 1 << 20
        assert file.seek(20 << 20) == file.tell() == 20 << 20
        assert len(file.read(1 << 30)) == 10 << 20
        with pytest.raises(io.UnsupportedOperation):
            file.seek(5)


def test_zstandard_is_read_with_the_package() -> None:
    pytest.importorskip("zstandard")
    assert _read(ZSTD) == (b'{"a":1}\n{"a":2}', None)
    assert _read(ZSTD * 2)[0] == b'{"a":1}\n{"a":2}' * 2
    assert "cut off" in str(_read(ZSTD[:-6])[1])


def test_without_it_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("zstandard", "compression.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    kind = kind_of(ZSTD)
    assert kind is not None
    with Decompressed(io.BytesIO(ZSTD), kind, "my log.zst") as file, pytest.raises(DamagedError) as caught:
        file.read(10)
    assert caught.value.message == "my log.zst is compressed (Zstandard), which cannot be read here; it was left out"
    assert caught.value.hint == "zstd -dc 'my log.zst' | videodb events filter . -"


def test_the_standard_library_of_newer_pythons_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    class ZstdDecompressor:
        eof = needs_input = False
        unused_data = b""

        def decompress(self, data: bytes, most: int) -> bytes:
            assert most
            self.eof = True
            return data.upper()[4:]

    module = ModuleType("compression.zstd")
    module.ZstdDecompressor = ZstdDecompressor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "compression", ModuleType("compression"))
    monkeypatch.setitem(sys.modules, "compression.zstd", module)
    assert _read(ZSTD[:4] + b"read") == (b"READ", None)


@pytest.mark.parametrize(
    ("head", "name"),
    [(b"\x1f\x8b\x08", "gzip"), (b"BZh91A", "bzip2"), (b"\xfd7zXZ\x00", "xz"), (ZSTD[:6], "Zstandard"),
     (b"PK\x03\x04", "zip"), (b"\x04\x22\x4d\x18", "lz4"), (b"\x1f\x9d\x90", "compress")],
)  # fmt: skip
def test_kinds_are_known_by_their_first_bytes(head: bytes, name: str) -> None:
    kind = kind_of(head)
    assert kind is not None
    assert kind.name == name
    program = kind.command.split()[0]
    if shutil.which(program) and name in COMPRESS:
        packed = COMPRESS[name](b"text")
        done = subprocess.run(kind.command.split(), input=packed, capture_output=True, check=True)
        assert done.stdout == b"text"


@pytest.mark.parametrize("head", [b"", b"{", b'{"ts":', b"\xef\xbb\xbf{", b"B", b"not compressed"])
def test_text_is_not_compressed(head: bytes) -> None:
    assert kind_of(head) is None
