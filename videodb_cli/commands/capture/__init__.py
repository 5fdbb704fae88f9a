"""`videodb capture …`: start, watch and stop one capture session."""

from __future__ import annotations

from videodb_cli.commands.tree import lazy_group, new_app

app = new_app(
    cls=lazy_group(
        {
            "channels": "videodb_cli.commands.capture.channels",
        }
    ),
    no_args_is_help=True,
)


@app.callback()
def capture() -> None:
    """Capture screen, microphone and system sound into a VideoDB session."""
