"""`videodb doctor`: what works on this machine, what is missing, and the command that mends it."""

from __future__ import annotations

from dataclasses import replace

from videodb_cli import console, hints
from videodb_cli.commands.fields import show_field
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption, LocalOption
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.settings import resolve_credentials, resolve_directory, wants_local

app = new_app()
_STYLES = {"ok": "green", "warning": "yellow", "failing": "red"}


@app.command(cls=PanelCommand)
def doctor(
    as_json: JsonOption = False,
    local: LocalOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Check what works here and now, in this very context: key, service, socket, log, recorder, devices, models.

    Exit status 0 if listening would work; else the status that `videodb listen` would end with.
    """
    from videodb_cli.app.doctor import ESSENTIAL, diagnose
    from videodb_cli.app.local_service import require_local

    place = resolve_directory(None, directory, env_file)
    is_local = wants_local(local, env_file)
    findings = []
    for finding in diagnose(
        place,
        lambda: require_local(place.path).credentials if is_local else resolve_credentials(env_file),
        local=is_local,
    ):
        placed = None if finding.hint is None else hints.placed(finding.hint)
        findings.append(replace(finding, hint=placed))
        if not as_json:
            hint = f" → {placed}" if placed else ""
            show_field(f"{finding.level:<8} {finding.name}", finding.text + hint, 22, _STYLES[finding.level])
            console.flush()
    status = next((f.exit_status for f in findings if f.level == "failing" and f.name in ESSENTIAL), 0)
    if as_json:
        console.data_json({"ok": status == 0, "checks": [finding.as_json() for finding in findings]})
    return status
