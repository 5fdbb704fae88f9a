"""Cameras: listed, so that nobody searches for theirs, and never captured, as with the official recorder."""

from __future__ import annotations

from pathlib import Path

from videodb_cli.capture.channels import Channel
from videodb_cli.capture.devices.probe import Probe

_REASON = "cameras are listed but not captured"


def camera_channels(sys_class: Path = Path("/sys/class/video4linux")) -> Probe:
    """Return the video devices that the kernel knows. Never raises."""
    try:
        devices = sorted(sys_class.iterdir(), key=lambda path: (len(path.name), path.name))
    except OSError:
        devices = []
    found: list[Channel] = []
    for device in devices:
        number = device.name.removeprefix("video")
        if device.name == number or not number.isdigit():
            continue
        try:
            name = (device / "name").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            name = ""
        details = {"device": f"/dev/{device.name}"}
        found.append(
            Channel(
                f"camera:{number}",
                "camera",
                name or device.name,
                default=not found,
                capturable=False,
                reason=_REASON,
                details=details,
            )
        )
    return Probe(tuple(found), None if found else "/dev/video* not found")
