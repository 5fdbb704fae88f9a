"""Pages of records, as the SDKs page through them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from videodb_cli.local.state.jobs import SceneRecord
from videodb_cli.local.state.records import SpokenRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T", SpokenRecord, SceneRecord)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of records."""

    items: tuple[SpokenRecord | SceneRecord, ...]
    page: int
    page_size: int
    total: int

    @property
    def has_next(self) -> bool:
        """Whether a later page holds more."""
        return self.page * self.page_size < self.total


def select_records(
    records: Sequence[T],
    *,
    start: float | None = None,
    end: float | None = None,
    since: float | None = None,
    page: int = 1,
    page_size: int = 100,
) -> Page:
    """The page of ``records`` that touch ``start``…``end`` and end after ``since``, in order of their start.

    ``since`` looks at the end of a record: a poller that passes a moment inside a sentence must not lose the sentence.
    """
    chosen = [
        record
        for record in records
        if (start is None or record.end >= start)
        and (end is None or record.start <= end)
        and (since is None or record.end > since)
    ]
    chosen.sort(key=lambda record: (record.start, record.end))
    first = (page - 1) * page_size
    return Page(tuple(chosen[first : first + page_size]), page, page_size, len(chosen))
