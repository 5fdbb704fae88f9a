"""The part of the log that is in memory, and the part of that which is on the screen. Pure: no terminal, no files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from videodb_cli.watch.reader import without_replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from videodb_cli.render.rows import Row
    from videodb_cli.watch.reader import Entry

MOST_ENTRIES = 3000


class Window:
    """Consecutive events, one of which is selected, and the place of the screen among their rows.

    Attributes:
        entries: The events, oldest first.
        cursor: The index of the selected event.
        is_following: Whether the end of the log is shown and new events scroll the screen.
        has_end: Whether the newest event of the log is among ``entries``.
        has_start: Whether nothing older is known to exist.
        waiting: How many events came while the screen was paused.
    """

    def __init__(self, rows_of: Callable[[Entry, Entry | None], list[Row]], most: int = MOST_ENTRIES) -> None:
        self._rows_of = rows_of
        self._most = most
        self.entries: list[Entry] = []
        self.cursor = 0
        self.is_following = True
        self.has_end = True
        self.has_start = False
        self.waiting = 0
        self._top, self._skip = 0, 0  # the first shown event, and how many of its rows are above the screen

    # ---- what is in memory -----------------------------------------------------------------------------------------

    def reset(self, entries: Sequence[Entry], *, cursor: int | None = None, has_end: bool = True) -> None:
        """Show other events. Without a ``cursor`` the end is followed."""
        self.entries = without_replaced(entries)
        self.is_following = cursor is None
        self.has_end, self.has_start = has_end, False
        self.waiting = 0
        self.cursor = max(len(self.entries) - 1, 0)
        if cursor is not None and cursor < len(entries):
            wanted = entries[cursor]
            self.cursor = next((n for n, entry in enumerate(self.entries) if entry is wanted), self.cursor)
        self._top, self._skip = self.cursor, 0

    def append(self, new: Sequence[Entry]) -> None:
        """Take events that came. While the screen is paused and full, they stay in the log and are only counted."""
        if not new:
            return
        if not self.is_following:
            self.waiting += len(new)
            if not self.has_end or len(self.entries) + len(new) > self._most:
                self.has_end = False
                return
        before = len(self.entries)
        selected = self.entries[self.cursor] if self.entries and not self.is_following else None
        tail = self.entries[-200:]
        merged = without_replaced([*tail, *new])
        if selected is not None and selected not in merged and selected in tail:
            merged = [*tail, *without_replaced(new)]  # what somebody has selected does not vanish
        self.entries[before - len(tail) :] = merged
        if self.is_following:
            if (surplus := len(self.entries) - self._most) > 0:
                del self.entries[:surplus]
                self.has_start = False
            self.cursor = len(self.entries) - 1
        elif selected is not None:
            self._select(selected)

    def prepend(self, older: Sequence[Entry]) -> None:
        """Take events from before the first one; the newest ones are dropped if there are too many."""
        if not older:
            self.has_start = True
            return
        if self.entries:
            self.entries[0].rows = None  # it may have had the rule of its day
        kept = without_replaced(older)
        self.entries[:0] = kept
        self.cursor += len(kept)
        self._top += len(kept)
        if len(self.entries) > self._most:
            del self.entries[max(self._most, self.cursor + 1) :]
            self.has_end = False

    def extend(self, newer: Sequence[Entry], *, is_end: bool) -> None:
        """Take events from after the last one; the oldest ones are dropped if there are too many."""
        self.entries += without_replaced(newer)
        self.has_end = is_end
        if is_end:
            self.waiting = 0
        surplus = min(len(self.entries) - self._most, self.cursor, self._top)
        if surplus > 0:
            del self.entries[:surplus]
            self.cursor -= surplus
            self._top -= surplus
            self.has_start = False

    def redraw(self) -> None:
        """Forget how events were drawn, because the width or what is highlighted has changed."""
        for entry in self.entries:
            entry.rows = None
        self._skip = 0

    # ---- what is on the screen -------------------------------------------------------------------------------------

    @property
    def selected(self) -> Entry | None:
        """The selected event."""
        return self.entries[self.cursor] if self.entries else None

    def move(self, by: int) -> None:
        """Select another event; moving stops following."""
        self.is_following = False
        self.cursor = min(max(self.cursor + by, 0), max(len(self.entries) - 1, 0))

    def page(self, direction: int, height: int) -> None:
        """Move by a screen: -1 up, 1 down."""
        left = max(height - 1, 1)
        index = self.cursor
        while left > 0 and 0 <= index + direction < len(self.entries):
            index += direction
            left -= len(self.rows(index))
        self.move(index - self.cursor)

    def pause(self) -> None:
        """Stop following; the selected event stays."""
        self.is_following = False

    def is_near_start(self, margin: int) -> bool:
        """Tell whether older events should be read now."""
        return not self.has_start and self.cursor < margin

    def is_near_end(self, margin: int) -> bool:
        """Tell whether newer events should be read now."""
        return not self.has_end and self.cursor >= len(self.entries) - margin

    def rows(self, index: int) -> list[Row]:
        """Return the rows of an event."""
        entry = self.entries[index]
        if entry.rows is None:
            entry.rows = self._rows_of(entry, self.entries[index - 1] if index else None)
        return entry.rows

    def screen(self, height: int) -> list[tuple[int, Row]]:
        """Return the rows on a screen of this height, each with the index of its event."""
        if not self.entries or height < 1:
            return []
        if self.is_following:
            self._top, self._skip = self._start_of_screen(len(self.entries) - 1, height)
        else:
            self._scroll_to_cursor(height)
        shown: list[tuple[int, Row]] = []
        for index in range(self._top, len(self.entries)):
            rows = self.rows(index)[self._skip if index == self._top else 0 :]
            shown += [(index, row) for row in rows]
            if len(shown) >= height:
                break
        return shown[:height]

    def _start_of_screen(self, last: int, height: int) -> tuple[int, int]:
        """Return where a screen begins that ends with this event."""
        left = height
        for index in range(last, -1, -1):
            count = len(self.rows(index))
            if count >= left:
                return index, count - left
            left -= count
        return 0, 0

    def _scroll_to_cursor(self, height: int) -> None:
        self._top = min(max(self._top, 0), len(self.entries) - 1)
        if self.cursor < self._top or (self.cursor == self._top and self._skip):
            self._top, self._skip = self.cursor, 0
            return
        lowest = self._start_of_screen(self.cursor, height)
        if len(self.rows(self.cursor)) > height:
            lowest = (self.cursor, 0)
        self._top, self._skip = max((self._top, self._skip), lowest)
        # No empty rows below the end while there is something above it.
        end = self._start_of_screen(len(self.entries) - 1, height)
        if (self._top, self._skip) > end and self.cursor >= end[0]:
            self._top, self._skip = end

    def _select(self, entry: Entry) -> None:
        try:
            index = self.entries.index(entry)
        except ValueError:
            index = min(self.cursor, len(self.entries) - 1)
        self._top = max(self._top + index - self.cursor, 0)
        self.cursor = index
