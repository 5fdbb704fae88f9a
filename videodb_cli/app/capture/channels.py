"""What this machine, or a file, can capture: asked of the recorder that would do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from videodb_cli.capture.channels import Channels
from videodb_cli.capture.recorders.choose import Choice, choose_recorder
from videodb_cli.errors import MissingDependencyError, RefusedError, VideodbError


@dataclass(frozen=True, slots=True)
class Listing:
    """Channels, and the recorder that offers them."""

    channels: Channels
    recorder: Choice


def list_channels(
    source: Path | None = None,
    recorder: str = "auto",
    *,
    api_url: str = "",
    log: Callable[[str], None] = lambda _line: None,
) -> Listing:
    """Look at devices, a file, or ask the official recorder. A bare machine has empty groups with reasons.

    Raises NotFoundError and RefusedError for a file that cannot be played, MissingDependencyError for a recorder that
    was asked for by name and is not there, and what the official recorder refuses.
    """
    try:
        choice = choose_recorder(recorder, from_file=source is not None)
    except MissingDependencyError as error:
        if recorder != "auto":
            raise
        reasons = dict.fromkeys(("mic", "display", "system_audio", "camera"), error.message)
        return Listing(Channels((), reasons), Choice("none", error.message))
    if source is not None:
        from videodb_cli.capture.devices.media_file import file_channels

        return Listing(file_channels(source), choice)
    if choice.name == "official":
        return Listing(_ask_official(api_url, log), choice)
    from videodb_cli.capture.devices.machine import machine_channels

    return Listing(machine_channels(), choice)


def _ask_official(api_url: str, log: Callable[[str], None]) -> Channels:
    import asyncio

    from videodb_cli.capture.recorders.official import OfficialRecorder, binary_path

    binary = binary_path()
    if binary is None:
        raise RefusedError("the official recorder is gone", code="no_recorder")

    async def ask() -> Channels:
        recorder = OfficialRecorder(binary, api_url, log)
        try:
            return await recorder.list_channels()
        finally:
            await recorder.stop()

    try:
        return asyncio.run(ask())
    except VideodbError as error:
        if error.hint is None:
            error.hint = "videodb doctor"
        raise
