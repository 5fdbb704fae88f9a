"""`videodb version`: the same as `videodb --version`."""

from __future__ import annotations

from videodb_cli import __version__, console
from videodb_cli.commands.tree import PanelCommand, new_app

app = new_app()


@app.command(cls=PanelCommand, hidden=True)
def version() -> None:
    """Print the version. The same as --version."""
    console.data(f"videodb {__version__}")
