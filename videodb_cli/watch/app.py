"""The application of the live view: keys, the places of the parts, and a task for each directory."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING, ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.widgets import Input

from videodb_cli import console
from videodb_cli.render.style import painter
from videodb_cli.render.words import safe
from videodb_cli.watch.detail import detail_rows
from videodb_cli.watch.footer import HELP, footer_row, tab_row
from videodb_cli.watch.header import header_rows
from videodb_cli.watch.layout import LAYOUT
from videodb_cli.watch.opening import has_display, open_player
from videodb_cli.watch.reading import keep_reading
from videodb_cli.watch.view import DirectoryView
from videodb_cli.watch.widgets import EventStream, Lines, LinesScreen, Picker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult

    from videodb_cli.rundir.paths import RunDir

_MOST_HEADER = 12
_EXIT_INTERRUPTED = 130


class WatchApp(App[int]):
    """The live view of some directories; ``failure`` is the bug that ended it."""

    CSS = LAYOUT
    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = None
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+q", "leave(0)", "leave", priority=False),
        Binding("ctrl+c", f"leave({_EXIT_INTERRUPTED})", priority=True),
        Binding("up,k", "move(-1)"),
        Binding("down,j", "move(1)"),
        Binding("pageup,ctrl+b", "page(-1)"),
        Binding("pagedown,ctrl+f", "page(1)"),
        Binding("home,g", "first"),
        Binding("end,G", "follow"),
        Binding("space", "pause"),
        Binding("enter", "detail"),
        Binding("slash", "ask('search')"),
        Binding("f", "ask('filter')"),
        Binding("n", "find(-1)"),
        Binding("N", "find(1)"),
        Binding("c", "pick('channel')"),
        Binding("s", "pick('stream')"),
        Binding("o", "open"),
        Binding("y", "copy"),
        Binding("escape", "clear"),
        Binding("tab", "turn(1)", priority=True),
        Binding("shift+tab", "turn(-1)", priority=True),
        Binding("question_mark,f1", "help"),
    ]

    def __init__(self, run_dirs: Sequence[RunDir]) -> None:
        self._painter = painter()
        super().__init__(ansi_color=True)
        self.color = console.wants_color(sys.stdout)
        self.views = [DirectoryView(run_dir, self._painter) for run_dir in run_dirs]
        self.failure: Exception | None = None
        self._number = 0
        self._asked = ""
        self._wakes = [asyncio.Event() for _ in self.views]
        self._stream = EventStream(color=self.color, opens=self.action_detail, moved=self._moved)

    @property
    def view(self) -> DirectoryView:
        """The directory that is shown."""
        return self.views[self._number]

    def compose(self) -> ComposeResult:
        """Put the parts in their places."""
        if len(self.views) > 1:
            yield Lines(id="tabs", color=self.color)
        yield Lines(id="header", color=self.color)
        yield self._stream
        yield Input(id="ask")
        yield Lines(id="footer", color=self.color)

    def on_mount(self) -> None:
        """Begin to look at the directories."""
        self.query_one(Input).can_focus = False
        self._stream.window = self.view.window
        for number, view in enumerate(self.views):
            self.run_worker(keep_reading(view, self._wakes[number], self._draw), exit_on_error=True)
        loop = asyncio.get_running_loop()
        for one, status in ((signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, _EXIT_INTERRUPTED)):
            if not self.is_headless and signal.getsignal(one) is not signal.SIG_IGN:
                loop.add_signal_handler(one, self.action_leave, status)

    def on_unmount(self) -> None:
        """Close the logs."""
        for view in self.views:
            view.reader.close()

    def _handle_exception(self, error: Exception) -> None:
        """Keep a bug for `run`, so that it is told as every other one is, on a terminal that is as it was."""
        self.failure = self.failure or error
        if self.is_headless:
            super()._handle_exception(error)
            return
        self.exit(1)

    def _wake(self) -> None:
        self._wakes[self._number].set()

    # ---- drawing ---------------------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Draw for another size. The application still has the old one when it hears of it."""
        for view in self.views:
            view.resize(event.size.width + 1)  # the last cell can be used: nothing wraps here
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        if not self.is_running or not self._stream.is_attached:
            return
        view, (width, height) = self.view, self.size
        most = 1 if height < 12 else min(_MOST_HEADER, height // 3)
        rows = header_rows(
            view.facts, view.rates, view.observer.frame_rates, width=width, most=most, painter=self._painter
        )
        header = self.screen_stack[0].query_one("#header", Lines)
        if header.styles.height is None or header.styles.height.value != len(rows):
            header.styles.height = len(rows)
            self.call_after_refresh(self._draw_events)
        header.show(rows)
        if len(self.views) > 1:
            self.screen_stack[0].query_one("#tabs", Lines).show([tab_row(self.views, self._number)])
        self.screen_stack[0].query_one("#footer", Lines).show([footer_row(view, width)])
        self._draw_events()

    def _draw_events(self) -> None:
        view = self.view
        self._stream.empty_words = (
            "no log yet" if view.reader.is_without_log else "nothing matches" if any(view.filter) else "no events yet"
        )
        self._stream.draw()

    def _moved(self) -> None:
        self._wake()
        self._draw()

    # ---- keys ------------------------------------------------------------------------------------------------------

    def action_leave(self, status: int) -> None:
        """End with this exit status."""
        self.exit(status)

    def action_move(self, by: int) -> None:
        """Select another event."""
        self.view.window.move(by)
        self._moved()

    def action_page(self, direction: int) -> None:
        """Go on by a screen."""
        self.view.window.page(direction, self._stream.size.height)
        self._moved()

    def action_first(self) -> None:
        """Select the oldest event that is in memory; older ones are read then."""
        self.view.window.move(-len(self.view.window.entries))
        self._moved()

    def action_follow(self) -> None:
        """Follow the end again."""
        self.view.follow()
        self._moved()

    def action_pause(self) -> None:
        """Pause, or follow again."""
        if self.view.window.is_following:
            self.view.window.pause()
        else:
            self.view.follow()
        self._moved()

    def action_find(self, step: int) -> None:
        """Go to the next event with the text of the search."""
        self.view.search_step = step if self.view.search else 0
        self._wake()

    def action_ask(self, what: str) -> None:
        """Ask for the text of a search or a filter."""
        self._asked = what
        ask = self.query_one(Input)
        ask.value = self.view.search if what == "search" else self.view.filter.text or ""
        ask.placeholder = "search: Enter finds, Esc leaves" if what == "search" else "show only events with this text"
        ask.can_focus = ask.display = True
        ask.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the text that was asked for."""
        self._end_asking()
        if self._asked == "search":
            self.view.look_for(event.value)
        else:
            self.view.choose(self.view.filter._replace(text=event.value or None))
        self._moved()

    def _end_asking(self) -> None:
        ask = self.query_one(Input)
        ask.can_focus = ask.display = False
        self.set_focus(None)

    def action_clear(self) -> None:
        """Leave the question; else end search and filters."""
        if self.query_one(Input).display:
            self._end_asking()
        elif self.view.search:
            self.view.look_for("")
        elif any(self.view.filter):
            self.view.choose(type(self.view.filter)())
        self.view.notice = ""
        self._moved()

    def action_pick(self, what: str) -> None:
        """Choose a channel or a stream."""
        view = self.view
        names = sorted(view.channels if what == "channel" else view.streams)

        def take(chosen: str | None) -> None:
            if chosen is not None:
                view.choose(view.filter._replace(**{what: chosen or None}))
                self._moved()

        self.push_screen(Picker(f"{what}s", names, getattr(view.filter, what)), take)

    def action_detail(self) -> None:
        """Show the selected event in full."""
        selected = self.view.window.selected
        if selected is not None:
            self.view.window.pause()
            page = LinesScreen(
                lambda width: detail_rows(selected.event, width), color=self.color, copies=self.action_copy
            )
            self.push_screen(page)

    def action_help(self) -> None:
        """Show the keys."""
        self.push_screen(LinesScreen(lambda _: list(HELP), color=self.color, copies=lambda: None))

    def action_turn(self, by: int) -> None:
        """Show another directory."""
        self._number = (self._number + by) % len(self.views)
        self._stream.window = self.view.window
        self._draw()

    def action_copy(self) -> None:
        """Copy the selected event, by the terminal (OSC 52)."""
        selected = self.view.window.selected
        if selected is not None:
            self.copy_to_clipboard(selected.raw.decode("utf-8", "replace"))
            self.view.notice = "copied, if the terminal allows it (OSC 52)"
            self._draw()

    def action_open(self) -> None:
        """Open the player in the browser; where there is no display, show its address."""
        address = self.view.address()
        if address is None:
            self.view.notice = "no player is known: select an event that names one"
        elif has_display():
            self.view.notice = f"opening {safe(address)}"
            self.run_worker(asyncio.to_thread(open_player, address), exit_on_error=False)
        else:
            self.view.notice = safe(address)
        self._draw()


def run(run_dirs: Sequence[RunDir]) -> int:
    """Show the live view until somebody leaves it, and return the exit status.

    Raises:
        RefusedError: A log cannot be read, or must not be trusted.
        Exception: A bug, after the terminal was put back.
    """
    app = WatchApp(run_dirs)
    status = app.run()
    if app.failure is not None:
        raise app.failure
    return status or 0
