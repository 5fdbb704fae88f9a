"""Pieces of a log: consecutive whole lines, and the offset of the first one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# 64 KiB to 1 MiB are equally fast; 256 KiB gives the first answer early and needs little memory.
BLOCK_SIZE = 1 << 18


class Block(NamedTuple):
    """Whole lines, each with its newline, that begin at ``offset`` of their source."""

    offset: int
    data: bytes


class View(NamedTuple):
    """Whole lines that begin at ``offset`` of their source, in a shared buffer that the next view overwrites."""

    offset: int
    data: memoryview


def iter_lines(block: Block) -> Iterator[tuple[int, bytes]]:
    """The lines of a block with their offsets, without their newline; blank ones are left out."""
    offset, data = block
    for line in data.split(b"\n"):
        if line:
            yield offset, line
        offset += len(line) + 1
