"""A transcript cut into words, sentences or seconds, as ``get_transcript`` of the SDKs asks for it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from videodb_cli.local.state.records import SpokenRecord

Segmenter = Literal["word", "sentence", "time"]
SEGMENTERS: Final = ("word", "sentence", "time")
_SENTENCE_ENDS: Final = (".", "?", "!", "…")


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a transcript, in seconds of the asset."""

    start: float
    end: float
    text: str

    def as_json(self) -> dict[str, object]:
        """The public shape."""
        return {"start": self.start, "end": self.end, "text": self.text}


def segments(
    records: Sequence[SpokenRecord],
    segmenter: str,
    *,
    length: int = 1,
    start: float | None = None,
    end: float | None = None,
) -> list[Segment]:
    """The pieces of ``records`` that touch ``start``…``end``; ``length`` is that of pieces of time, in seconds."""
    words = [word for record in records for word in _words(record)]
    if segmenter == "sentence":
        found = [piece for record in records for piece in _sentences(_words(record))]
    elif segmenter == "time":
        found = list(_windows(words, length))
    else:
        found = words
    return [
        piece
        for piece in found
        if (start is None or piece.end > start) and (end is None or end < 0 or piece.start < end)
    ]


def _words(record: SpokenRecord) -> list[Segment]:
    """The words of a record; the record as one piece if nothing is known of its words."""
    if not record.words:
        return [Segment(record.start, record.end, record.text)]
    return [Segment(start, end, word.strip()) for word, start, end in record.words]


def _sentences(words: Sequence[Segment]) -> Iterator[Segment]:
    pending: list[Segment] = []
    for word in words:
        pending.append(word)
        if word.text.endswith(_SENTENCE_ENDS):
            yield _joined(pending)
            pending = []
    if pending:
        yield _joined(pending)


def _windows(words: Sequence[Segment], length: int) -> Iterator[Segment]:
    windows: dict[int, list[Segment]] = {}
    for word in words:
        windows.setdefault(int(word.start // length), []).append(word)
    for number, inside in sorted(windows.items()):
        yield Segment(float(number * length), float((number + 1) * length), _joined(inside).text)


def _joined(pieces: Sequence[Segment]) -> Segment:
    return Segment(pieces[0].start, pieces[-1].end, " ".join(piece.text for piece in pieces if piece.text))
