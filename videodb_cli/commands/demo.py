"""`videodb demo`: the whole path on this machine, with no key and no network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from videodb_cli import cells, console, mediafile
from videodb_cli.commands.live import LiveRows
from videodb_cli.commands.options import JsonOption
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import MissingDependencyError
from videodb_cli.userpaths import absolute

if TYPE_CHECKING:
    import asyncio

    from videodb_cli.app.demo import DemoResult, DemoUpdate, Playing
    from videodb_cli.render.rows import EventRows

app = new_app()
_TIME_WIDTH = 6


@app.command(cls=PanelCommand)
def demo(
    media: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="A media file.  [default: the bundled sample]")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the files, the service and the player page.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Play a video into the embedded service and show the events as they arrive.

    Real speech and text recognition on this machine, over a real WebSocket. Leaves nothing behind unless told to.
    """
    import asyncio

    file = None if media is None else mediafile.named_file(media, "demo plays")
    if file is not None:
        absolute(file)  # reports a deleted working directory, instead of a missing file

    def play() -> DemoResult:
        return asyncio.run(_run(file, keep=keep, view=_DemoView(as_json=as_json)))

    try:
        outcome = play()
    except MissingDependencyError as error:
        if as_json or not _installs_model(error):
            raise
        outcome = play()
    if as_json:
        console.data_json(_as_json(outcome))
    else:
        for line in _summary(outcome):
            console.data(line)


def _installs_model(error: MissingDependencyError) -> bool:
    """Offer to install the speech model if that mends the error; return whether it was installed."""
    from videodb_cli.commands.model_install import install_model, offers_model
    from videodb_cli.local import models

    if error.hint != models.INSTALL_COMMAND or not offers_model(error.message):
        return False
    install_model()
    return True


async def _run(media: Path | None, *, keep: bool, view: _DemoView) -> DemoResult:
    import asyncio
    from contextlib import aclosing

    from videodb_cli.app.demo import DemoResult, iter_demo
    from videodb_cli.process.signals import stop_on_signals

    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - asyncio.run made it
    outcome: DemoResult | None = None
    with stop_on_signals(lambda: _cancel(task), lambda: None):
        try:
            async with aclosing(iter_demo(media, keep=keep)) as updates:
                async for update in updates:
                    if isinstance(update, DemoResult):
                        outcome = update
                    else:
                        view.show(update)
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        finally:
            view.close()
    assert outcome is not None  # noqa: S101 - the last update of a demo that was not interrupted
    return outcome


class _DemoView:
    """Rows of events on stdout, a progress bar on stderr if that is a terminal."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._duration_s: float | None = None
        self._live = LiveRows(sys.stderr)
        self._drawn = ""
        self._at_s = 0.0
        self._event_rows: EventRows | None = None

    def show(self, update: DemoUpdate) -> None:
        from videodb_cli.app.demo import DemoProgress, HeardLine, Playing
        from videodb_cli.model import event as ev

        match update:
            case Playing():
                self._introduce(update)
            case HeardLine(at_s, event):
                if not self._as_json and not ev.is_interim(event):
                    self._live.show([])
                    for row in self._rows(at_s, event):
                        console.data(row)
                    console.flush()
                self._draw(at_s)
            case DemoProgress(at_s):
                self._draw(at_s)

    def close(self) -> None:
        """Remove the progress bar."""
        self._live.close()

    def _introduce(self, playing: Playing) -> None:
        self._duration_s = playing.duration_s
        what = "the bundled sample" if playing.title == "sample" else playing.title
        console.talk(f"no key, no screen, no sound card: using the embedded service and {what}")

    def _rows(self, at_s: float, event: dict[str, Any]) -> list[str]:
        from videodb_cli.commands.events.row_output import event_rows

        if self._event_rows is None:
            self._event_rows = event_rows(
                time_of=lambda _: f"{clock(self._at_s):>{_TIME_WIDTH}}", time_width=_TIME_WIDTH
            )
        self._at_s = at_s
        self._event_rows.resize(console.terminal_width() if console.is_terminal() else None)
        self._event_rows.measure([event])
        return self._event_rows.render(event)

    def _draw(self, at_s: float) -> None:
        if not self._live.is_possible or not self._duration_s:
            return
        width = max(1, min(console.terminal_size(sys.stderr).columns - 12, 60))
        done = min(1.0, at_s / self._duration_s)
        filled = round(done * width)
        bar = f"  {'━' * filled}{'─' * (width - filled)} {clock(min(at_s, self._duration_s))}"
        if bar != self._drawn or not self._live.is_drawn:
            self._live.show([bar])
            self._drawn = bar


def clock(seconds: float) -> str:
    """Return minutes and seconds: ``0:04``."""
    minutes, second = divmod(int(seconds), 60)
    return f"{minutes}:{second:02d}"


def _summary(outcome: DemoResult) -> list[str]:
    of_all = f" of {outcome.words_spoken}" if outcome.words_spoken is not None else ""
    parts = [f"heard {outcome.words_heard}{of_all} words", f"{outcome.screens} screens read"]
    late = []
    if outcome.speech_latency_s is not None:
        late.append(f"speech to log {outcome.speech_latency_s:.1f} s")
    if outcome.screen_latency_s is not None:
        late.append(f"screen to log {outcome.screen_latency_s:.1f} s")
    if late:
        parts.append(f"{', '.join(late)} (medians)")
    said = " · ".join(parts)
    lines = cells.wrap(said, console.terminal_width() - 1) if console.is_terminal() else [said]
    if outcome.directory is None:
        return [*lines, "kept nothing; to look around: videodb demo --keep"]
    lines.append(f"player  {outcome.player_url}")
    lines.append(f"log     {outcome.directory}/videodb_events.jsonl")
    lines.append(f"look    videodb events tail --dir {outcome.directory}")
    lines.append(f"end it  videodb local stop --dir {outcome.directory} && rm -r {outcome.directory}")
    return lines


def _as_json(outcome: DemoResult) -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(outcome), "directory": outcome.directory and str(outcome.directory)}


def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
