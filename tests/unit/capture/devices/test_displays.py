"""Displays: numbering, the default one, and a sentence for every machine that has none."""

from pathlib import Path

import pytest

from videodb_cli.capture.devices.cameras import camera_channels
from videodb_cli.capture.devices.displays import Monitor, channels_of, display_channels


def test_monitors_are_numbered_over_all_screens_and_the_primary_is_the_default() -> None:
    found = channels_of(
        [
            (":0.0", Monitor("HDMI-1", 0, 0, 1920, 1080, False)),
            (":0.0", Monitor("DP-1", 1920, 0, 1280, 720, True)),
            (":0.1", Monitor("screen", 0, 0, 640, 480, True)),
        ]
    )
    assert [(c.id, c.default) for c in found] == [("display:1", False), ("display:2", True), ("display:3", False)]
    assert found[1].details == {
        "x_display": ":0.0",
        "monitor": "DP-1",
        "x": 1920,
        "y": 0,
        "width": 1280,
        "height": 720,
    }


# python-xlib leaves the socket of a failed attempt to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "DISPLAY is not set"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "Wayland"),
        ({"XDG_SESSION_TYPE": "wayland"}, "Wayland"),
        ({"DISPLAY": ":7531"}, "cannot connect"),
        ({"DISPLAY": "nonsense"}, "cannot connect"),
        ({"DISPLAY": "\x00:\udcff"}, "cannot connect"),
    ],
)
def test_no_display_is_a_sentence(environment: dict[str, str], words: str) -> None:
    probe = display_channels(environment)
    assert probe.channels == ()
    assert probe.reason is not None
    assert words in probe.reason


def test_cameras_are_listed_in_order_and_cannot_be_captured(tmp_path: Path) -> None:
    for name in ("video10", "video2", "v4l-subdev0"):
        (tmp_path / name).mkdir()
    (tmp_path / "video2" / "name").write_text("Integrated Camera\n")
    found = camera_channels(tmp_path).channels
    assert [(c.id, c.name, c.capturable) for c in found] == [
        ("camera:2", "Integrated Camera", False),
        ("camera:10", "video10", False),
    ]
    assert camera_channels(tmp_path / "none").reason
