"""What the official recorder answers, in our own words: its channels and its errors. No I/O."""

from __future__ import annotations

from typing import Final

from videodb_cli.capture.channels import Channel, Channels, is_known_prefix, kind_of
from videodb_cli.capture.recorders.ipc import channel_id_in, text_in
from videodb_cli.errors import ConflictError, CredentialsError, NotFoundError, RefusedError, VideodbError

_MEDIA: Final = frozenset(("audio", "video"))


def error_from(code: str, message: str) -> VideodbError:
    """Return the recorder's error as one of ours."""
    if code == "PERMISSION_DENIED":
        return permission_denied(message)
    if code in {"INSTANCE_ALREADY_RUNNING", "BUSY"}:
        return ConflictError(
            f"the official recorder already runs on this machine: {message}",
            code=code.lower(),
            hint="stop the other capture: videodb capture stop",
        )
    if code in {"INVALID_CHANNELS", "INVALID_DISPLAY"}:
        return NotFoundError(message, code=code.lower(), hint="videodb capture channels")
    if code == "INVALID_TOKEN":
        return CredentialsError(message, code="invalid_token", hint="make a new session: videodb capture create")
    return RefusedError(f"the recorder refuses: {message}", code=code.lower())


def permission_denied(message: str) -> RefusedError:
    """Return the error for a permission that the user or the system does not give."""
    return RefusedError(
        f"the system denies the permission to record: {message}",
        code="permission_denied",
        hint="System Settings → Privacy & Security → Microphone, and → Screen & System Audio Recording: "
        "allow your terminal, then start it anew",
    )


def channels_from(listed: object) -> Channels:
    """Return what the recorder lists: the first of each kind is its default.

    What has no id is skipped, and what is neither sound nor picture by its id or its type.
    """
    found: list[Channel] = []
    for item in listed if isinstance(listed, list) else []:
        if not isinstance(item, dict):
            continue
        channel_id, media = channel_id_in(item), text_in(item, "type")
        if channel_id is None or (media not in _MEDIA and not is_known_prefix(channel_id)):
            continue
        kind = kind_of(channel_id, media)
        is_camera = kind == "camera"
        found.append(
            Channel(
                channel_id,
                kind,
                text_in(item, "name", "channel_name", "channelName") or channel_id,
                default=not any(other.type == kind for other in found),
                capturable=not is_camera,
                reason="cameras are listed but not captured" if is_camera else None,
            )
        )
    present = {channel.type for channel in found}
    reasons = {k: "the recorder lists none" for k in ("mic", "display", "system_audio", "camera") if k not in present}
    return Channels(tuple(found), reasons)
