"""What is read from an X server, whatever kind of server it is; python-xlib's part is played by an object."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from videodb_cli.capture.devices.displays import display_channels

ENVIRONMENT = {"DISPLAY": ":7"}
WAYLAND = {**ENVIRONMENT, "XDG_SESSION_TYPE": "wayland"}


def monitor(name: str, x: int = 0, width: int = 1280, height: int = 720, *, primary: bool = False) -> SimpleNamespace:
    return SimpleNamespace(name=name, x=x, y=0, width_in_pixels=width, height_in_pixels=height, primary=primary)


class Server:
    """An X server with as many screens as lists of monitors; None for a screen that has no RandR 1.5."""

    def __init__(self, *screens: list[SimpleNamespace] | None, extensions: tuple[str, ...] = ("RANDR",)) -> None:
        self._screens = screens
        self._extensions = extensions
        self.is_closed = False

    def screen_count(self) -> int:
        return len(self._screens)

    def list_extensions(self) -> list[str]:
        return list(self._extensions)

    def get_atom_name(self, atom: str) -> str:
        return atom

    def screen(self, index: int) -> Any:
        monitors = self._screens[index]

        def get() -> SimpleNamespace:
            if monitors is None:
                raise RuntimeError("BadRequest")
            return SimpleNamespace(monitors=monitors)

        return SimpleNamespace(width_in_pixels=640, height_in_pixels=480, root=SimpleNamespace(xrandr_get_monitors=get))

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(server: Server | Exception) -> None:
        def connect(name: str) -> Server:
            assert name == ":7"
            if isinstance(server, Exception):
                raise server
            return server

        package, module = ModuleType("Xlib"), ModuleType("Xlib.display")
        module.Display = connect  # type: ignore[attr-defined]
        package.display = module  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "Xlib", package)
        monkeypatch.setitem(sys.modules, "Xlib.display", module)

    return install


def test_monitors_of_all_screens(serve: Any) -> None:
    server = Server([monitor("HDMI-1"), monitor("DP-1", 1280, primary=True), monitor("off", width=0)], [])
    serve(server)
    found = display_channels(ENVIRONMENT).channels
    assert [(c.id, c.default, c.details["x_display"], c.details["monitor"]) for c in found] == [
        ("display:1", False, ":7.0", "HDMI-1"),
        ("display:2", True, ":7.0", "DP-1"),
        ("display:3", False, ":7.1", "screen"),
    ]
    assert (found[2].details["width"], found[2].details["height"]) == (640, 480)
    assert server.is_closed


@pytest.mark.parametrize("server", [Server(None), Server([monitor("x")], extensions=())], ids=["old", "without RandR"])
def test_without_monitors_the_whole_screen_is_one(serve: Any, server: Server) -> None:
    serve(server)
    (found,) = display_channels(ENVIRONMENT).channels
    assert (found.details["monitor"], found.details["width"]) == ("screen", 640)


@pytest.mark.parametrize(
    "server",
    [Server([monitor("a")], extensions=("RANDR", "XWAYLAND")), Server([monitor("XWAYLAND0")])],
    ids=["by extension", "by name"],
)
def test_xwayland_offers_nothing(serve: Any, server: Server) -> None:
    serve(server)
    found = display_channels(WAYLAND)
    assert (found.channels, "Wayland" in (found.reason or "")) == ((), True)
    assert server.is_closed


def test_an_x_server_under_a_wayland_login_is_one(serve: Any) -> None:
    serve(Server([monitor("nested")]))
    assert len(display_channels(WAYLAND).channels) == 1


def test_servers_that_refuse_or_make_no_sense(serve: Any) -> None:
    serve(PermissionError("not\nfor you"))
    assert "cannot connect to the X server at :7 (not for you)" in (display_channels(ENVIRONMENT).reason or "")
    strange = Server([SimpleNamespace(name="x")])
    strange.screen_count = lambda: "many"  # type: ignore[assignment, return-value]
    serve(strange)
    assert "makes no sense" in (display_channels(ENVIRONMENT).reason or "")
    assert strange.is_closed
