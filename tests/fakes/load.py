"""A machine whose processors are taken."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

# It ends by itself when whoever started it is gone.
_HOG = """
import os, sys
parent = int(sys.argv[1])
sys.stdout.write(".")
sys.stdout.flush()
while os.getppid() == parent:
    for _ in range(100_000):
        pass
"""


@contextlib.contextmanager
def busy_processors(per_core: int, niceness: int = 0) -> Iterator[list[int]]:
    """Keep every core busy within the block, from its first line on. Yields the pids of what does.

    Args:
        per_core: Processes for each core that want all of it.
        niceness: How much they yield to others; 0: not at all.
    """
    hogs: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(per_core * (os.cpu_count() or 1)):
            command = ["nice", "-n", str(niceness), sys.executable, "-c", _HOG, str(os.getpid())]
            hogs.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE))
        for hog in hogs:
            assert hog.stdout is not None
            assert hog.stdout.read(1) == b"."
        yield [hog.pid for hog in hogs]
    finally:
        for hog in hogs:
            hog.kill()
        for hog in hogs:
            hog.communicate()
