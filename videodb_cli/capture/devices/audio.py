"""Microphones and system audio by PulseAudio, or PipeWire through its pulse server.

Asked by pulsectl without starting a daemon; by ffmpeg, which brings its own libpulse, where pulsectl or libpulse is
absent. A monitor of a sink is what the system plays; every other source is a microphone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from videodb_cli.capture.channels import Channel
from videodb_cli.capture.devices.probe import Probe, with_deadline
from videodb_cli.capture.ffmpeg.program import find_ffmpeg, pulse_sources
from videodb_cli.errors import MissingDependencyError

_PROBE_S = 6.0
_NO_SERVER = "no PulseAudio or PipeWire server answers"


@dataclass(frozen=True, slots=True)
class AudioSource:
    """One source of the sound server. ``monitor_of`` is the sink that it listens to, or None."""

    name: str
    description: str
    monitor_of: str | None
    rate: int | None = None
    channels: int | None = None


def audio_channels() -> tuple[Probe, Probe]:
    """Return microphones and system audio, each with its reason when empty. Never raises."""
    both: list[tuple[Probe, Probe]] = []

    def ask() -> Probe:
        both.append(_ask())
        return Probe()

    with_deadline(ask, _PROBE_S, "")
    return both[0] if both else _none("the sound server does not answer")


def _none(reason: str) -> tuple[Probe, Probe]:
    return Probe.none(reason), Probe.none(reason)


def _ask() -> tuple[Probe, Probe]:
    try:
        import pulsectl
    except ImportError:
        return _ask_ffmpeg("pulsectl is not installed (pip install 'videodb-cli[capture]')")
    except OSError:
        return _ask_ffmpeg("libpulse.so.0 is missing")
    try:
        with pulsectl.Pulse("videodb channels", connect=False) as server:
            server.connect(autospawn=False)
            info = server.server_info()
            sources = [
                AudioSource(
                    s.name,
                    s.description or s.name,
                    s.monitor_of_sink_name or None,
                    s.sample_spec.rate,
                    s.sample_spec.channels,
                )
                for s in server.source_list()
            ]
    except Exception:  # noqa: BLE001 - pulsectl raises its own, OSError and ctypes errors alike
        return _none(_NO_SERVER)
    return sort_sources(sources, info.default_source_name, info.default_sink_name)


def _server_is_likely() -> bool:
    """Whether asking ffmpeg makes sense: its libpulse could start a daemon where none is."""
    if os.environ.get("PULSE_SERVER"):
        return True
    runtime = os.environ.get("PULSE_RUNTIME_PATH")
    places = [Path(runtime)] if runtime else []
    base = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    places += [base / "pulse"] if base.is_absolute() else []
    return any((place / "native").exists() for place in places)


def _ask_ffmpeg(why: str) -> tuple[Probe, Probe]:
    if not _server_is_likely():
        return _none(f"{_NO_SERVER}, and {why}")
    try:
        answer = pulse_sources(find_ffmpeg("pulse"))
    except MissingDependencyError as error:
        return _none(f"{why}, and {error.message}")
    if isinstance(answer, str):
        return _none(answer)
    sources = [
        AudioSource(s.name, s.description, s.name.removesuffix(".monitor") if s.name.endswith(".monitor") else None)
        for s in answer
    ]
    default = next((s.name for s in answer if s.is_default), None)
    # ffmpeg does not tell the default sink; the first monitor is the best that can be known.
    return sort_sources(sources, default, next((s.monitor_of for s in sources if s.monitor_of), None))


def sort_sources(
    sources: Sequence[AudioSource], default_source: str | None, default_sink: str | None
) -> tuple[Probe, Probe]:
    """Sort sources into microphones and system audio, the defaults under the id ``…:default``."""
    mics = [source for source in sources if source.monitor_of is None]
    monitors = [source for source in sources if source.monitor_of is not None]
    first_mic = next((source for source in mics if source.name == default_source), mics[0] if mics else None)
    first_sink = next((s for s in monitors if s.monitor_of == default_sink), monitors[0] if monitors else None)
    found = (
        tuple(_channel("mic", source, source.name, source is first_mic) for source in mics),
        tuple(_channel("system_audio", source, str(source.monitor_of), source is first_sink) for source in monitors),
    )
    return (
        Probe(found[0], None if found[0] else "the sound server has no microphone"),
        Probe(found[1], None if found[1] else "the sound server plays to no sink"),
    )


def _channel(kind: str, source: AudioSource, own_name: str, is_default: bool) -> Channel:
    details: dict[str, object] = {"source": source.name}
    if source.monitor_of is not None:
        details["monitor_of"] = source.monitor_of
    if source.rate is not None:
        details |= {"sample_rate": source.rate, "audio_channels": source.channels}
    if is_default:
        details["alias"] = f"{kind}:{own_name}"
    return Channel(
        id=f"{kind}:default" if is_default else f"{kind}:{own_name}",
        type=kind,
        name=source.description.removeprefix("Monitor of "),
        default=is_default,
        details=details,
    )
