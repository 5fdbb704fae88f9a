"""The directory in which a model is made ready, and how much of its download has arrived."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from videodb_cli.process.start_token import start_token

_PREFIX = ".install-"
_EVERY_S = 0.2
# A directory whose name does not say who made it belongs to nobody after this time.
_ABANDONED_S = 3600.0


@contextlib.contextmanager
def install_directory(parent: Path) -> Iterator[Path]:
    """Make a directory for one installation and remove it at the end; first remove those of processes that died."""
    remove_stale(parent)
    owner = f"{os.getpid()}-{_token(os.getpid())}"
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{owner}-", dir=parent, ignore_cleanup_errors=True) as path:
        yield Path(path)


def remove_stale(parent: Path) -> None:
    """Remove what installations left that were killed. The directory of one that runs is left alone."""
    for path in parent.glob(f"{_PREFIX}*"):
        if not path.is_symlink() and _is_stale(path):
            shutil.rmtree(path, ignore_errors=True)


def _is_stale(path: Path) -> bool:
    pid, _, rest = path.name.removeprefix(_PREFIX).partition("-")
    token, separator, _ = rest.partition("-")
    if pid.isdigit() and separator and token:
        return _token(int(pid)) != token
    try:
        return time.time() - path.stat().st_mtime > _ABANDONED_S
    except OSError:
        return False


def _token(pid: int) -> str:
    """Return the start token of a process with only the letters that a file name takes; empty if it does not run."""
    return "".join(letter for letter in str(start_token(pid) or "") if letter.isalnum())


@contextlib.contextmanager
def watched(directory: Path, tell: Callable[[int], None] | None) -> Iterator[None]:
    """Tell, several times a second, the size in bytes of the largest file below a directory: the one being fetched."""
    if tell is None:
        yield
        return
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_EVERY_S):
            tell(largest_file(directory))

    thread = threading.Thread(target=watch, name="download-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def largest_file(directory: Path) -> int:
    """Return the size of the largest file below a directory, 0 if there is none."""
    largest = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):  # pip removes files meanwhile
                largest = max(largest, Path(folder, name).lstat().st_size)
    return largest
