#!/usr/bin/env python3
"""Write videodb_cli/completion/commands.json from the command tree: what shell completion knows of every command.

    python scripts/make_completion_table.py            (or: make docs)

Completion reads this table, because loading the commands themselves takes longer than anybody waits for the Tab key.
A test fails while the table and the commands differ.
"""

import json
import re
from pathlib import Path
from typing import Any

import typer

from videodb_cli.local.events import TRIGGER_KINDS
from videodb_cli.main import app

TABLE = Path(__file__).parents[1] / "videodb_cli" / "completion" / "commands.json"
TIMES = "choices:now|5m|1h|1d|today|yesterday"
# What a value is, where its name in the help does not tell. Keys: command and option, or command and argument.
KINDS = {
    "capture start --source": "media",
    "capture channels --source": "media",
    "demo media": "media",
    "local trigger kind": f"choices:{'|'.join(TRIGGER_KINDS)}",
    "local replay file": "log",
    "local env --shell": "choices:bash|zsh|sh|dash|ksh|fish",
    "events search --file": "log",
    "sessions show session": "session",
    "sessions open session": "session",
    "capture pause channels": "capture",
    "capture resume channels": "capture",
}
SELECTORS = {
    "--channel": "channel",
    "--not-channel": "channel",
    "--stream": "stream",
    "--session": "session",
    "--event": "event",
    "--fail-on": "event",
    "--since": TIMES,
    "--until": TIMES,
}
OPTIONS_OF_JQ = {"--arg": ["", ""], "--argjson": ["", ""], "--slurpfile": ["", "file"]}


def kind_of(path: str, parameter: Any) -> str:
    """Return what a value of a parameter is; empty if nothing is known of it."""
    name = max(parameter.opts, key=len)
    if known := KINDS.get(f"{path} {name}"):
        return known
    if path.startswith(("events", "sessions")) and name in SELECTORS:
        return SELECTORS[name]
    choices = getattr(parameter.type, "choices", None)
    if choices:
        return f"choices:{'|'.join(choices)}"
    metavar = (parameter.metavar or "").strip("[].")
    if "|" in metavar and re.fullmatch(r"[a-z0-9|_-]+", metavar):
        return f"choices:{metavar}"
    if metavar == "DIR":
        return "dir"
    if metavar == "FILE" and path.startswith(("events", "sessions")) and parameter.param_type_name == "argument":
        return "log"
    return "file" if metavar in {"FILE", "PATH"} else ""


def first_sentence(text: str | None) -> str:
    """Return a help text cut for one line."""
    sentence = " ".join((text or "").split())
    return re.split(r"(?<=[.;:]) ", sentence, maxsplit=1)[0].rstrip(".;:")


def entry(command: Any, path: str) -> dict[str, Any]:
    """Return what is known of one command: its options with the kinds of their values, arguments, members."""
    options: dict[str, Any] = {}
    arguments: list[str] = []
    for parameter in command.get_params(typer.Context(command)):
        if getattr(parameter, "hidden", False):
            continue
        if parameter.param_type_name == "argument":
            arguments += positional(path, parameter)
            continue
        kinds = [] if parameter.is_flag else [kind_of(path, parameter)]
        for name in (*parameter.opts, *parameter.secondary_opts):
            options[name] = [kinds, first_sentence(parameter.help), bool(parameter.multiple)]
    for name, kinds in OPTIONS_OF_JQ.items() if path == "events filter" else ():
        options[name] = [kinds, "Set a variable of the program", True]
    made: dict[str, Any] = {"options": options, "arguments": arguments}
    if hasattr(command, "list_commands"):
        members = {name: command.get_command(None, name) for name in command.list_commands(None)}
        made["members"] = {name: first_sentence(one.help) for name, one in members.items() if not one.hidden}
    return made


def positional(path: str, parameter: Any) -> list[str]:
    """Return the kinds of arguments; that of one which can be repeated ends in a star."""
    if path == "events filter":
        return ["", "log*"]
    star = "*" if parameter.nargs == -1 else ""
    return [kind_of(path, parameter) + star]


def entries(command: Any, path: str = "") -> dict[str, Any]:
    """Return the entries of a command and of all below it, by path."""
    found = {path: entry(command, path)}
    for name in found[path].get("members", ()):
        found |= entries(command.get_command(None, name), f"{path} {name}".strip())
    return found


def render() -> str:
    """Return the table, with one command on each line."""
    rows = [
        f"{json.dumps(path)}: {json.dumps(made, ensure_ascii=False)}"
        for path, made in entries(typer.main.get_command(app)).items()
    ]
    return "{\n" + ",\n".join(rows) + "\n}\n"


if __name__ == "__main__":
    TABLE.write_text(render(), encoding="utf-8")
