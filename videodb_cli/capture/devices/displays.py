"""The displays of this machine by X11: the RandR monitors of every screen of the X server.

Wayland shows only X11 programs through XWayland, so such a display is not offered as if it were the whole screen.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from videodb_cli.capture.channels import Channel
from videodb_cli.capture.devices.probe import Probe, with_deadline

WAYLAND_REASON = "Wayland: only X11 programs can be captured, not the screen (log in to an X11 session instead)"
_PROBE_S = 5.0


@dataclass(frozen=True, slots=True)
class Monitor:
    """One rectangle of one X screen, in pixels."""

    name: str
    x: int
    y: int
    width: int
    height: int
    is_primary: bool


def display_channels(environment: Mapping[str, str] | None = None) -> Probe:
    """Return the displays, or why there are none. Never raises, never waits longer than five seconds."""
    env = os.environ if environment is None else environment
    name = env.get("DISPLAY", "")
    wayland = bool(env.get("WAYLAND_DISPLAY")) or env.get("XDG_SESSION_TYPE") == "wayland"
    if not name:
        return Probe.none(WAYLAND_REASON if wayland else "DISPLAY is not set")
    try:
        import Xlib.display
    except ImportError:
        return Probe.none("python-xlib is not installed (pip install 'videodb-cli[capture]')")
    return with_deadline(lambda: _ask(Xlib.display, name, wayland), _PROBE_S, f"the X server at {name} does not answer")


def _ask(xlib_display: Any, name: str, wayland: bool) -> Probe:
    try:
        server = xlib_display.Display(name)
    except Exception as error:  # noqa: BLE001 - python-xlib raises whatever a strange server makes it
        why = " ".join(str(error).split())[:160] or type(error).__name__
        return Probe.none(f"cannot connect to the X server at {name} ({why})")
    try:
        if wayland and _is_xwayland(server):
            return Probe.none(WAYLAND_REASON)
        host = name.rpartition(":")[0]
        number = name.rpartition(":")[2].partition(".")[0]
        screens = []
        for index in range(server.screen_count()):
            x_name = f"{host}:{number}.{index}"
            screens += [(x_name, monitor) for monitor in _monitors(server, index)]
    except Exception as error:  # noqa: BLE001 - as above
        return Probe.none(f"the X server at {name} makes no sense ({type(error).__name__})")
    finally:
        server.close()
    return Probe(channels_of(screens))


def _is_xwayland(server: Any) -> bool:
    if "XWAYLAND" in server.list_extensions():
        return True
    return any(monitor.name.startswith("XWAYLAND") for monitor in _monitors(server, 0))


def _monitors(server: Any, index: int) -> list[Monitor]:
    screen = server.screen(index)
    whole = [Monitor("screen", 0, 0, screen.width_in_pixels, screen.height_in_pixels, True)]
    if "RANDR" not in server.list_extensions():
        return whole
    try:
        answer = screen.root.xrandr_get_monitors().monitors
        found = [
            Monitor(server.get_atom_name(m.name), m.x, m.y, m.width_in_pixels, m.height_in_pixels, bool(m.primary))
            for m in answer
        ]
    except Exception:  # noqa: BLE001 - RandR before 1.5 has no monitors; the whole screen is right then
        return whole
    return [monitor for monitor in found if monitor.width > 0 and monitor.height > 0] or whole


def channels_of(screens: list[tuple[str, Monitor]]) -> tuple[Channel, ...]:
    """Number the monitors: ``display:1`` is the first of the first screen; the default is the primary one."""
    default = next((i for i, (_, monitor) in enumerate(screens) if monitor.is_primary), 0)
    return tuple(
        Channel(
            id=f"display:{number}",
            type="display",
            name=f"{monitor.width}\N{MULTIPLICATION SIGN}{monitor.height} at {x_name}",
            default=number - 1 == default,
            details={
                "x_display": x_name,
                "monitor": monitor.name,
                "x": monitor.x,
                "y": monitor.y,
                "width": monitor.width,
                "height": monitor.height,
            },
        )
        for number, (x_name, monitor) in enumerate(screens, 1)
    )
