#!/usr/bin/env python3
"""Run a command as on a machine that has nothing but Python, make and git. Needs root on Debian or Ubuntu.

    python3 scripts/bare.py make demo test

The command gets a view of the file system of its own (a mount namespace with an overlay on /usr) in which the files of
every package are missing that those three do not need, an empty home, and no screen, sound card or locale. Nothing
outside changes. It shows what a test or the program needs in secret: a program, a library, a font.
"""

from __future__ import annotations

import ctypes.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WANTED = ("python3", "python3-venv", "make", "git", "ca-certificates")
HIDDEN_FOLDERS = ("/usr/bin/", "/usr/sbin/", "/usr/games/", "/usr/lib/", "/usr/libexec/", "/usr/share/fonts/")
SYSTEM_PATH = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")
# Of these one at least is on every machine that somebody works on, and none may be left.
MUST_BE_HIDDEN = ("ffmpeg", "pactl", "pulseaudio", "tmux", "Xvfb", "xterm", "flite", "node", "npm", "chromium", "gcc")
FORGOTTEN = re.compile(r"DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|LANG|LC_.*|XDG_.*|PULSE_.*|VIDEO_?DB.*|DBUS_.*")

_IN_NAMESPACE = "--in-namespace"


def installed_packages() -> dict[str, tuple[bool, list[str], list[str]]]:
    """Whether a bare system has it, what it provides, and what it depends on, of every installed package."""
    shape = "${Package}\t${db:Status-Status}\t${Essential}\t${Priority}\t${Provides}\t${Depends}, ${Pre-Depends}\n"
    listing = subprocess.run(["dpkg-query", "-W", "-f", shape], capture_output=True, text=True, check=True).stdout
    found = {}
    for line in listing.splitlines():
        name, status, essential, priority, provides, depends = line.split("\t")
        if status == "installed":
            basic = essential == "yes" or priority == "required"
            found[name] = (basic, _names(provides), _names(depends))
    return found


def _names(field: str) -> list[str]:
    """The package names in a field, alternatives included, without versions and architectures."""
    return [re.split(r"[\s:(]", part.strip(), maxsplit=1)[0] for part in re.split(r"[,|]", field) if part.strip()]


def files_to_hide() -> list[str]:
    """The files of every package that neither a bare system nor Python, make and git need."""
    packages = installed_packages()
    providers: dict[str, list[str]] = {name: [name] for name in packages}
    for name, (_, provides, _) in packages.items():
        for provided in provides:
            providers.setdefault(provided, []).append(name)
    waiting = [*WANTED, *(name for name, (basic, _, _) in packages.items() if basic)]
    kept: set[str] = set()
    while waiting:
        for name in providers.get(waiting.pop(), ()):
            if name not in kept:
                kept.add(name)
                waiting.extend(packages[name][2])
    wanted_files: set[str] = set()
    other_files: set[str] = set()
    for listing in Path("/var/lib/dpkg/info").glob("*.list"):
        files = listing.read_text().splitlines()
        (wanted_files if listing.stem.partition(":")[0] in kept else other_files).update(map(_in_usr, files))
    return sorted(path for path in other_files - wanted_files if path.startswith(HIDDEN_FOLDERS))


def _in_usr(path: str) -> str:
    """Packages name /bin/x and /lib/x, which are /usr/bin/x and /usr/lib/x today."""
    return re.sub(r"^/(s?bin|lib)/", r"/usr/\1/", path)


def hide(names: list[str], layers: Path) -> None:
    """Take the files away in this process's view of /usr; ``layers`` is an empty directory that is used for it."""
    _mount("-t", "tmpfs", "tmpfs", str(layers))
    for name in ("upper", "work"):
        (layers / name).mkdir()
    _mount("-t", "overlay", "overlay", "-o", f"lowerdir=/usr,upperdir={layers}/upper,workdir={layers}/work", "/usr")
    for path in map(Path, names):
        if path.is_symlink() or path.is_file():
            path.unlink()
    # The cache of libraries lies outside /usr and would still name those that are gone.
    cache = layers / "ld.so.cache"
    subprocess.run(["/sbin/ldconfig", "-X", "-C", str(cache)], check=True)
    _mount("--bind", str(cache), "/etc/ld.so.cache")


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def run_hidden(command: list[str], place: Path) -> int:
    """Hide, make sure that it worked, and run the command in an empty home. Runs inside the mount namespace."""
    hide((place / "hidden").read_text().splitlines(), place / "layers")
    environment = {name: value for name, value in os.environ.items() if not FORGOTTEN.fullmatch(name)}
    environment.setdefault("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip"))  # downloads are not what is tried
    environment["HOME"] = str(place / "home")
    environment["PATH"] = path = os.pathsep.join((str(Path(sys.executable).parent), *SYSTEM_PATH))
    left = [name for name in MUST_BE_HIDDEN if shutil.which(name, path=path)]
    if ctypes.util.find_library("pulse"):
        left.append("libpulse")
    missing = [name for name in ("python3", "make", "git") if not shutil.which(name, path=path)]
    if left or missing:
        print(f"bare: still there: {', '.join(left) or '–'}; missing: {', '.join(missing) or '–'}", file=sys.stderr)
        return 70
    return subprocess.run(command, env=environment, check=False).returncode


def main() -> int:
    """Exit with the command's status; 7 where the view cannot be made."""
    command = sys.argv[1:]
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    if command[0] == _IN_NAMESPACE:
        return run_hidden(command[2:], Path(command[1]))
    if os.geteuid() != 0 or not shutil.which("dpkg-query") or not shutil.which("unshare"):
        print("bare: root on Debian or Ubuntu is needed to hide what is installed", file=sys.stderr)
        return 7
    with tempfile.TemporaryDirectory(prefix="bare-") as scratch:
        place = Path(scratch)
        for name in ("layers", "home"):
            (place / name).mkdir()
        names = files_to_hide()
        (place / "hidden").write_text("".join(f"{name}\n" for name in names))
        print(f"bare: hiding {len(names)} files of what Python, make and git do not need", file=sys.stderr)
        again = ["unshare", "--mount", sys.executable, __file__, _IN_NAMESPACE, scratch, *command]
        return subprocess.run(again, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
