"""`videodb capture …`: start, watch and stop one capture session."""

from __future__ import annotations

from videodb_cli.commands.tree import lazy_group, new_app

app = new_app(
    cls=lazy_group(
        {
            "channels": "videodb_cli.commands.capture.channels",
            "start": "videodb_cli.commands.capture.start",
            "stop": "videodb_cli.commands.capture.stop",
            "status": "videodb_cli.commands.capture.status",
            "create": "videodb_cli.commands.capture.create",
            "pause": "videodb_cli.commands.capture.pausing:pause_app",
            "resume": "videodb_cli.commands.capture.pausing:resume_app",
            "recorder": "videodb_cli.commands.capture.recorder",
        }
    )
)


@app.callback()
def capture() -> None:
    """Capture screen, microphone and system sound into a VideoDB session."""
