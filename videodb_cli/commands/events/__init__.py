"""`videodb events …`: anything in the log, at once."""

from __future__ import annotations

from videodb_cli.commands.tree import lazy_group, new_app

app = new_app(
    cls=lazy_group(
        {
            "tail": "videodb_cli.commands.events.tail",
            "filter": "videodb_cli.commands.events.filter",
            "wait": "videodb_cli.commands.events.wait",
            "stats": "videodb_cli.commands.events.stats",
            "prune": "videodb_cli.commands.events.prune",
            "search": "videodb_cli.commands.events.search",
            "summary": "videodb_cli.commands.events.summary",
            "transcript": "videodb_cli.commands.events.transcript",
            "report": "videodb_cli.commands.events.report",
            "forward": "videodb_cli.commands.events.forward",
        }
    )
)


@app.callback()
def events() -> None:
    """Tail, filter, wait for, count and search events in the log."""
