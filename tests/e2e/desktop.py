"""A fake desktop, headless: two X screens, a microphone into which tests speak, and a speaker whose sound is heard.

Needs Debian's xvfb, xterm, pulseaudio, pulseaudio-utils and flite; every process ends with the fixture.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = ("Xvfb", "xterm", "pulseaudio", "paplay", "flite")
_PULSE = """\
load-module module-native-protocol-unix auth-anonymous=1 socket={socket}
load-module module-null-sink sink_name=vdb_speaker sink_properties=device.description=VirtualSpeaker rate=48000
load-module module-null-sink sink_name=vdb_micsink sink_properties=device.description=MicFeed rate=48000
load-module module-remap-source master=vdb_micsink.monitor source_name=vdb_mic {named}=VirtualMic
set-default-sink vdb_speaker
set-default-source vdb_mic
"""


def missing_programs() -> list[str]:
    """Programs that this needs and the machine lacks."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


def wait_until(condition: Callable[[], object], timeout_s: float = 15.0, what: str = "it") -> None:
    """Wait until the condition holds; AssertionError after the deadline."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {timeout_s:g} s"
        time.sleep(0.05)


@dataclass
class Desktop:
    """A running fake desktop. ``environment`` is what a program needs to be on it."""

    directory: Path
    display: str = ""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {"DISPLAY": self.display, "PULSE_SERVER": f"unix:{self.directory}/pulse.sock"}

    def run(self, *arguments: str, **options: object) -> subprocess.Popen[bytes]:
        """Start a program on the desktop; it ends with the desktop."""
        with (self.directory / "programs.log").open("ab") as log:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={
                    **os.environ,
                    **self.environment,
                    "HOME": str(self.directory),
                    "XDG_RUNTIME_DIR": str(self.directory),
                },
            )
        self.processes.append(process)
        return process

    def start_sound(self) -> subprocess.Popen[bytes]:
        """Start the sound server and wait until it takes connections."""
        socket = self.directory / "pulse.sock"
        socket.unlink(missing_ok=True)
        (self.directory / "pulse.pa").write_text(
            _PULSE.format(socket=socket, named="source_properties=device.description")
        )
        server = self.run(
            "pulseaudio", "-n", "-F", str(self.directory / "pulse.pa"), "--daemonize=no", "--exit-idle-time=-1",
            "--disallow-exit", "--use-pid-file=no", "--realtime=no", "--high-priority=no",
        )  # fmt: skip
        wait_until(socket.exists, what="the sound server")
        return server

    def show(self, *lines: str) -> subprocess.Popen[bytes]:
        """Show lines of text in a terminal."""
        text = "\\n".join(lines)
        return self.run(
            "xterm", "-fa", "DejaVu Sans Mono", "-fs", "20", "-geometry", "70x12+40+40",
            "-e", "sh", "-c", f"printf '{text}\\n'; sleep 600",
        )  # fmt: skip

    def say(self, sentence: str, *, microphone: bool) -> subprocess.Popen[bytes]:
        """Speak a sentence into the microphone, or play it through the speaker."""
        path = self.directory / f"{abs(hash((sentence, microphone)))}.wav"
        subprocess.run(["flite", "-voice", "slt", "-t", sentence, "-o", str(path)], check=True, timeout=30)
        return self.run("paplay", f"--device={'vdb_micsink' if microphone else 'vdb_speaker'}", str(path))


@contextlib.contextmanager
def running_desktop(directory: Path) -> Iterator[Desktop]:
    """Start X server and sound server, and end them."""
    desktop = Desktop(directory)
    try:
        read, write = os.pipe()
        xvfb = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-nolisten", "tcp",
             "-screen", "0", "1280x720x24", "-screen", "1", "640x480x24"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(write,),
        )  # fmt: skip
        desktop.processes.append(xvfb)
        os.close(write)
        with os.fdopen(read) as answer:
            desktop.display = f":{answer.readline().strip()}"
        desktop.start_sound()
        yield desktop
    finally:
        for process in reversed(desktop.processes):
            process.terminate()
        for process in reversed(desktop.processes):
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
