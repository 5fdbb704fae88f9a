"""`videodb config`: read and change the configuration file."""

from __future__ import annotations

from typing import Annotated

import typer

from videodb_cli import console
from videodb_cli.commands.fields import show_field
from videodb_cli.commands.options import EnvFileOption, JsonOption
from videodb_cli.commands.tree import PanelCommand, PanelGroup, new_app
from videodb_cli.config import file as config_file
from videodb_cli.config.keys import KEYS, Value, key_named, parsed
from videodb_cli.errors import NotFoundError

app = new_app(cls=PanelGroup)
_KEY = "|".join(KEYS)


@app.callback()
def config() -> None:
    """Read and change your settings in the configuration file.

    Options and environment variables override the file. API keys and service addresses are not allowed in it.
    """


KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help=f"One of: {', '.join(KEYS)}.", show_default=False)]


@app.command("get", cls=PanelCommand)
def get_value(key: KeyArgument, as_json: JsonOption = False) -> None:
    """Print the value of a setting in the file. Exits 4 if the file does not set it."""
    found = key_named(key)
    value = config_file.configured(found.name)
    if value is None:
        raise NotFoundError(
            f"{found.name} is not set in {config_file.config_path()}; the default is {found.default}",
            code="not_set",
            hint=f"videodb config set {found.name} VALUE",
        )
    if as_json:
        console.data_json({"key": found.name, "value": value})
    else:
        console.data(console.one_line(shown(value)))


@app.command("set", cls=PanelCommand)
def set_value(
    key: KeyArgument,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Its new value.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Change a setting in the file, or add it. Comments stay."""
    from videodb_cli.app.config_file import set_value as write_value

    found = key_named(key, value)
    wanted = parsed(found, value)
    path = write_value(found, wanted)
    if as_json:
        console.data_json({"key": found.name, "value": wanted, "path": str(path)})
    else:
        console.talk(console.one_line(f"set {found.name} to {shown(wanted)} in {path}"))


@app.command("unset", cls=PanelCommand)
def unset_value(key: KeyArgument, as_json: JsonOption = False) -> None:
    """Remove a setting from the file, so that its default holds again. Succeeds if it is not set."""
    from videodb_cli.app.config_file import unset

    # An unknown name is refused only if the file does not have it.
    name = key if (known := key.replace("-", "_")) not in KEYS else known
    removed = unset(name)
    if not removed:
        name = key_named(key).name
    if as_json:
        console.data_json({"key": name, "removed": removed})
    else:
        console.talk(console.one_line(f"removed {name}" if removed else f"{name} was not set"))


@app.command("list", cls=PanelCommand)
def list_values(as_json: JsonOption = False, env_file: EnvFileOption = None) -> None:
    """Show every setting, its value, and where that comes from."""
    from videodb_cli.app.config_file import list_settings

    rows = list_settings(env_file)
    path = config_file.config_path()
    if as_json:
        settings = [
            {"key": row.key.name, "value": row.value, "source": row.source, "configured": row.configured}
            for row in rows
        ]
        console.data_json({"path": str(path), "exists": path.exists(), "settings": settings})
        return
    for row in rows:
        show_field(row.key.name, f"{console.one_line(shown(row.value))}  from {row.source}", 12)
    console.talk(console.one_line(f"file: {path}" + ("" if path.exists() else " (does not exist)")))


@app.command("path", cls=PanelCommand)
def print_path(as_json: JsonOption = False) -> None:
    """Print the path of the file, which need not exist."""
    path = config_file.config_path()
    if as_json:
        console.data_json({"path": str(path), "exists": path.exists()})
    else:
        console.data(str(path))


def shown(value: Value) -> str:
    """Return a value as it is typed."""
    return value if isinstance(value, str) else "true" if value else "false"
