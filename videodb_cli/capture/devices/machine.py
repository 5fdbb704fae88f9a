"""What the recorder for Linux can capture on this machine. Looks at displays and sound side by side."""

from __future__ import annotations

import threading

from videodb_cli.capture.channels import Channels
from videodb_cli.capture.devices.audio import audio_channels
from videodb_cli.capture.devices.cameras import camera_channels
from videodb_cli.capture.devices.displays import display_channels
from videodb_cli.capture.devices.probe import Probe


def machine_channels() -> Channels:
    """Return the channels of this machine with a reason for each empty group. Never raises; at most six seconds."""
    audio: list[tuple[Probe, Probe]] = []
    asking = threading.Thread(target=lambda: audio.append(audio_channels()), name="audio probe", daemon=True)
    asking.start()
    probes = {"display": display_channels(), "camera": camera_channels()}
    asking.join()
    probes["mic"], probes["system_audio"] = audio[0] if audio else (Probe.none("?"), Probe.none("?"))
    found = tuple(c for kind in ("mic", "display", "system_audio", "camera") for c in probes[kind].channels)
    return Channels(found, {kind: probe.reason for kind, probe in probes.items() if probe.reason is not None})
