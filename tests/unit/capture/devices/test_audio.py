"""Sorting the sound server's sources into microphones and system audio."""

from videodb_cli.capture.devices.audio import AudioSource, sort_sources
from videodb_cli.capture.ffmpeg.program import parse_pulse_sources

MIC = AudioSource("alsa_input.usb", "USB Mic", None, 48000, 1)
OTHER = AudioSource("vdb_mic", "VirtualMic", None)
MONITOR = AudioSource("hdmi.monitor", "Monitor of HDMI", "hdmi")
SPEAKER = AudioSource("vdb_speaker.monitor", "Monitor of VirtualSpeaker", "vdb_speaker")


def test_defaults_get_the_short_id_and_keep_their_own_as_alias() -> None:
    mics, system = sort_sources([MONITOR, MIC, SPEAKER, OTHER], "vdb_mic", "vdb_speaker")
    assert [(c.id, c.name, c.default) for c in mics.channels] == [
        ("mic:alsa_input.usb", "USB Mic", False),
        ("mic:default", "VirtualMic", True),
    ]
    assert [(c.id, c.name, c.default) for c in system.channels] == [
        ("system_audio:hdmi", "HDMI", False),
        ("system_audio:default", "VirtualSpeaker", True),
    ]
    assert mics.channels[1].details["alias"] == "mic:vdb_mic"
    assert system.channels[1].details["source"] == "vdb_speaker.monitor"
    assert mics.channels[0].details["sample_rate"] == 48000


def test_a_monitor_as_default_source_is_no_microphone() -> None:
    mics, system = sort_sources([SPEAKER, MIC], "vdb_speaker.monitor", "vdb_speaker")
    assert [c.id for c in mics.channels] == ["mic:default"]
    assert mics.channels[0].details["source"] == "alsa_input.usb"
    assert [c.id for c in system.channels] == ["system_audio:default"]


def test_nothing_has_a_reason() -> None:
    mics, system = sort_sources([], None, None)
    assert mics.reason
    assert system.reason


def test_ffmpeg_names_sources_and_marks_the_default() -> None:
    answer = """Auto-detected sources for pulse:
  vdb_speaker.monitor [Monitor of VirtualSpeaker] (none)
* vdb_mic [Virtual [odd] Mic] (none)
  plain [Plain]
"""
    assert [(s.name, s.description, s.is_default) for s in parse_pulse_sources(answer)] == [
        ("vdb_speaker.monitor", "Monitor of VirtualSpeaker", False),
        ("vdb_mic", "Virtual [odd] Mic", True),
        ("plain", "Plain", False),
    ]
    assert parse_pulse_sources("Cannot list sources: Connection refused\n") == []
