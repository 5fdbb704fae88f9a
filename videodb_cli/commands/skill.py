"""`videodb skill`: the skill that teaches a coding agent to use this program, made from the guide and the commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from videodb_cli import console
from videodb_cli.commands.options import JsonOption
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import NotFoundError

app = new_app()

_WHAT = (
    "Listen to VideoDB events, record screen and sound, and find what was said, seen and heard. Use it when a task "
    "asks what happened on a screen, in a call or in a recording; to start, watch, stop or export a capture; to wait "
    "for an alert; or to search transcripts."
)


@app.callback()
def skill() -> None:
    """Install or show the skill that teaches a coding agent this program."""


@app.command(cls=PanelCommand)
def install(
    target: Annotated[
        str, typer.Option("--for", metavar="AGENT|DIR", help="claude, codex, cursor, or a directory.")
    ] = "claude",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; show what would be written.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the skill into the project in the working directory. Files that somebody else made are not touched.

    videodb skill install --for codex
    """
    from videodb_cli.app import skill_files

    place = skill_files.place_of(target, Path.cwd())
    found = skill_files.write(place, _rule() if target == "cursor" else files(), dry_run=dry_run)
    if as_json:
        written = [{"path": str(path), "state": state} for path, state in found]
        console.data_json({"place": str(place), "dry_run": dry_run, "files": written})
        return
    for path, state in found:
        console.data(f"{state:<8} {path}")


@app.command(cls=PanelCommand)
def show(
    name: Annotated[str, typer.Argument(metavar="[FILE]", help="A file of the skill.")] = "SKILL.md",
) -> None:
    """Print a file of the skill: SKILL.md, references/commands.md, references/lnav.json, a topic of the guide."""
    text = files().get(name)
    if text is None:
        raise NotFoundError(f"the skill has no file {name}", code="no_file", hint=f"one of: {', '.join(files())}")
    console.data(text.rstrip("\n"))


def files() -> dict[str, str]:
    """Return the files of the skill: by name, their texts."""
    from videodb_cli.app.skill_files import MARK
    from videodb_cli.guide import TOPICS, lnav_format, text_of

    head = f"---\nname: videodb\ndescription: {_WHAT}\nallowed-tools: Bash(videodb:*)\n---\n\n<!-- {MARK} -->\n\n"
    references = "\n".join(
        f"- [references/{topic}.md](references/{topic}.md): {what}" for topic, what in TOPICS.items()
    )
    more = f"\n## References\n\n{references}\n- [references/commands.md](references/commands.md): every command\n"
    found = {"SKILL.md": head + text_of() + more}
    found |= {f"references/{topic}.md": f"{text_of(topic)}\n<!-- {MARK} -->\n" for topic in TOPICS}
    found["references/commands.md"] = f"# Commands\n\n{chr(10).join(_commands())}\n\n<!-- {MARK} -->\n"
    found["references/lnav.json"] = lnav_format(MARK)
    return found


def _rule() -> dict[str, str]:
    """Return the rule for Cursor, one file that it reads when its description fits the task."""
    from videodb_cli.app.skill_files import MARK
    from videodb_cli.guide import text_of

    head = f"---\ndescription: {_WHAT}\nglobs:\nalwaysApply: false\n---\n\n<!-- {MARK} -->\n\n"
    return {"videodb.mdc": head + text_of()}


def _commands() -> Iterator[str]:
    """Yield a line for each command of the tree."""
    from videodb_cli.main import app as root

    yield from _lines_below(typer.main.get_command(root), "videodb")


def _lines_below(command: Any, path: str) -> Iterator[str]:
    context = command.make_context(path, [], resilient_parsing=True)
    for name in command.list_commands(context):
        member = command.get_command(context, name)
        if member.hidden:
            continue
        if hasattr(member, "list_commands"):
            yield from _lines_below(member, f"{path} {name}")
        else:
            said = " ".join((member.help or "").split("\n\n")[0].split())
            yield f"- `{path} {name}`: {said}"
