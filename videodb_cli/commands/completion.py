"""`videodb completion`: print the script that lets a shell complete commands, options and names from the log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from videodb_cli import completion as scripts
from videodb_cli import console
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import UsageError

app = new_app()
_SHELLS = ("bash", "zsh", "fish")


@app.command(cls=PanelCommand)
def completion(
    shell: Annotated[str | None, typer.Argument(metavar="[bash|zsh|fish]", help="Which shell.")] = None,
) -> None:
    """Print the script that lets a shell complete commands, options, and the names of the log.

    bash: source <(videodb completion bash) in ~/.bashrc. zsh: the same with zsh, in ~/.zshrc behind compinit.

    fish: videodb completion fish > ~/.config/fish/completions/videodb.fish
    """
    if shell not in _SHELLS:
        what = "which shell" if shell is None else f"no completion for {shell!r}"
        raise UsageError(f"{what}: bash, zsh or fish", hint="source <(videodb completion bash)")
    script = Path(scripts.__file__).with_name(f"videodb.{shell}")
    console.data_text(script.read_text(encoding="utf-8"))
