"""The parts of the screen: lines of pieces, the event stream, and the pages that lie over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from videodb_cli.render.words import safe
from videodb_cli.watch.drawing import strip_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual import events
    from textual.app import ComposeResult

    from videodb_cli.render.rows import Row
    from videodb_cli.watch.window import Window

_WHEEL = 3
_LEAST_WIDTH, _LEAST_HEIGHT = 20, 5


class Lines(Widget):
    """Rows of pieces, as they are."""

    def __init__(self, *, id: str | None = None, color: bool = True) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.color = color
        self._rows: Sequence[Row] = ()

    def show(self, rows: Sequence[Row]) -> None:
        """Show other rows, if they are others."""
        if rows != self._rows:
            self._rows = rows
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        row = self._rows[y] if y < len(self._rows) else []
        return strip_of(row, self.size.width, color=self.color)


class EventStream(Widget):
    """The events of a window. Keys belong to the application, the mouse is handled here."""

    def __init__(self, *, color: bool, opens: Callable[[], None], moved: Callable[[], None]) -> None:
        super().__init__(id="events")
        self.color = color
        self.window: Window | None = None
        self.is_too_small = False
        self.empty_words = ""
        self._opens, self._moved = opens, moved
        self._lines: list[tuple[int, Row]] = []

    def draw(self) -> None:
        """Find out what is on the screen now, and draw it."""
        size = self.app.size
        self.is_too_small = size.width < _LEAST_WIDTH or size.height < _LEAST_HEIGHT
        self._lines = [] if self.window is None else self.window.screen(self.size.height)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        width = self.size.width
        if self.is_too_small:
            return Strip([]) if y else strip_of(_words("too small"), width)
        if not self._lines:
            return strip_of(_words(self.empty_words) if y == 0 else [], width, color=self.color)
        if y >= len(self._lines) or self.window is None:
            return strip_of([], width)
        index, row = self._lines[y]
        is_selected = not self.window.is_following and index == self.window.cursor
        return strip_of(row, width, is_selected=is_selected, color=self.color)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll to older events."""
        event.stop()
        self._move(-_WHEEL)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll to newer events."""
        event.stop()
        self._move(_WHEEL)

    def on_click(self, event: events.Click) -> None:
        """Select an event; a click on the selected one shows it in full."""
        if self.window is None or event.y >= len(self._lines):
            return
        index = self._lines[event.y][0]
        if index == self.window.cursor and not self.window.is_following:
            self._opens()
            return
        self._move(index - self.window.cursor)

    def _move(self, by: int) -> None:
        if self.window is not None:
            self.window.move(by)
            self._moved()


def _words(text: str) -> Row:
    from videodb_cli.render.style import Piece

    return [Piece(text, ("dim",))]


class LinesScreen(ModalScreen[None]):
    """A page of rows over everything else, which scrolls: an event in full, or the keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,question_mark", "dismiss", "close"),
        Binding("up,k", "scroll(-1)"),
        Binding("down,j,space", "scroll(1)"),
        Binding("pageup", "page(-1)"),
        Binding("pagedown", "page(1)"),
        Binding("home,g", "scroll(-1000000000)"),
        Binding("end,G", "scroll(1000000000)"),
        Binding("y", "copy"),
    ]

    def __init__(self, rows_at: Callable[[int], list[Row]], *, color: bool, copies: Callable[[], None]) -> None:
        super().__init__()
        self._rows_at, self._copies = rows_at, copies
        self._lines = Lines(id="page", color=color)
        self._rows: list[Row] = []
        self._top = 0

    def compose(self) -> ComposeResult:
        """Put the page together."""
        yield self._lines

    def on_resize(self, event: events.Resize) -> None:
        """Wrap anew."""
        self._rows = self._rows_at(event.size.width)
        self.action_scroll(0)

    def action_scroll(self, by: int) -> None:
        """Scroll by so many rows."""
        height = self.app.size.height
        self._top = max(0, min(self._top + by, len(self._rows) - height))
        self._lines.show(self._rows[self._top : self._top + height])

    def action_page(self, direction: int) -> None:
        """Scroll by a page."""
        self.action_scroll(direction * max(self.app.size.height - 1, 1))

    def on_mouse_scroll_up(self) -> None:
        """Scroll up."""
        self.action_scroll(-_WHEEL)

    def on_mouse_scroll_down(self) -> None:
        """Scroll down."""
        self.action_scroll(_WHEEL)

    def action_copy(self) -> None:
        """Copy what is shown."""
        self._copies()


class Picker(ModalScreen[str | None]):
    """A small list to choose from. Returns None when nothing was chosen, and an empty text for "all"."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "leave", "close")]

    def __init__(self, what: str, names: Sequence[str], chosen: str | None) -> None:
        super().__init__()
        self._names = ["", *names]
        self._what, self._chosen = what, chosen

    def compose(self) -> ComposeResult:
        """Put the list together."""
        # Names come from events: as Text they are not read as markup.
        options = [Option(Text(safe(name) or f"all {self._what}")) for name in self._names]
        yield OptionList(*options, id="picker")

    def on_mount(self) -> None:
        """Begin at what is chosen now."""
        picker = self.query_one(OptionList)
        picker.highlighted = self._names.index(self._chosen) if self._chosen in self._names else 0
        picker.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Return what was chosen."""
        self.dismiss(self._names[event.option_index])

    def action_leave(self) -> None:
        """Choose nothing."""
        self.dismiss(None)
