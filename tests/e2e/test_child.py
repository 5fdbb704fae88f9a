"""Foreign programs as our children: the stop ladder, floods, and what becomes of them when we are killed."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.e2e.desktop import wait_until
from videodb_cli.errors import MissingDependencyError
from videodb_cli.process.child import Child, Ladder
from videodb_cli.process.start_token import start_token

QUICK = Ladder(ask_s=0.3, interrupt_s=0.3, terminate_s=0.3)
DEAF = "import signal,time\nfor n in (2,15): signal.signal(n, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(60)"
HELPER = "import subprocess,sys,time\nprint(subprocess.Popen(['sleep','60']).pid, flush=True)\ntime.sleep(60)"


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


async def test_one_that_listens_ends_when_it_is_asked() -> None:
    child = await Child.spawn(python("import sys\nsys.stdin.readline()\nsys.exit(3)"))
    assert await child.stop(lambda: child.write(b"q\n"), Ladder(ask_s=10)) == 3


async def test_one_that_listens_to_nothing_is_killed_in_time_and_reaped() -> None:
    child = await Child.spawn(python(DEAF))
    assert (await child.read()).strip() == b"up"
    began = time.monotonic()
    assert await child.stop(lambda: child.write(b"q\n"), QUICK) == -signal.SIGKILL
    assert time.monotonic() - began < 5
    assert start_token(child.pid) is None
    assert not await child.write(b"more")


async def test_its_helpers_go_with_it() -> None:
    child = await Child.spawn(python(HELPER))
    helper = int(await child.read())
    await child.stop(None, QUICK)
    await asyncio.to_thread(wait_until, lambda: start_token(helper) is None, 5)


async def test_a_flood_on_stderr_is_bounded_and_its_last_words_are_kept() -> None:
    told: list[str] = []
    program = "import sys\nfor i in range(200000): sys.stderr.write(f'noise {i}\\n')\nsys.stderr.write('x' * 3_000_000)"
    child = await Child.spawn(python(program + "\nsys.stderr.write('\\nthe reason\\n')"), on_error_line=told.append)
    assert await child.wait(30)
    assert 0 < len(told) <= 100
    assert child.last_lines[-1] == "the reason"
    assert len(child.last_lines) <= 20


async def test_a_program_that_is_not_there() -> None:
    with pytest.raises(MissingDependencyError, match="does not run"):
        await Child.spawn(["/nowhere/ffmpeg"])


async def test_no_key_is_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIDEO_DB_API_KEY", "VIDEODB_API_KEY", "VIDEODB_CLIENT_TOKEN"):
        monkeypatch.setenv(name, "secret-value")
    child = await Child.spawn(python("import os\nprint('secret-value' in os.environ.values())"))
    assert (await child.read()).strip() == b"False"
    await child.wait(10)
    await child.stop()


OURS = """\
import asyncio, os
from videodb_cli.process import child as module
if {without_kernel}:
    module._parent_death_call = lambda: None
async def main():
    spawn = module.Child.spawn
    gone, *left = [await spawn(["sleep", "60"]) for _ in range(3)]
    await gone.stop()
    if {without_kernel}:
        module._orphan_guard()._shell.kill()
        module._orphan_guard()._shell.wait()
        left.append(await spawn(["sleep", "60"]))
    print(*(c.pid for c in left), flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.mark.parametrize(
    "without_kernel",
    [
        pytest.param(False, marks=pytest.mark.skipif(sys.platform != "linux", reason="the kernel's word is Linux's")),
        True,
    ],
)
def test_they_die_with_us_by_the_kernel_or_by_the_guard(without_kernel: bool) -> None:
    program = OURS.format(without_kernel=without_kernel)
    with subprocess.Popen(python(program), stdout=subprocess.PIPE, env=dict(os.environ)) as ours:
        assert ours.stdout is not None
        children = [int(word) for word in ours.stdout.readline().split()]
        assert len(children) == (3 if without_kernel else 2)
        assert all(start_token(child) is not None for child in children)
        ours.kill()
    wait_until(lambda: not any(start_token(child) for child in children), 5, "the end of the children")


def test_the_guard_touches_nothing_that_has_ended_and_ends_with_us() -> None:
    program = OURS.format(without_kernel=True).replace(
        "    await asyncio.sleep(60)",
        "    [await c.stop() for c in left]\n    print(module._orphan_guard()._shell.pid, flush=True)",
    )
    with subprocess.Popen(python(program), stdout=subprocess.PIPE, env=dict(os.environ)) as ours:
        assert ours.stdout is not None
        ours.stdout.readline()
        guard = int(ours.stdout.readline())
        assert ours.wait(10) == 0
    wait_until(lambda: start_token(guard) is None, 5, "the end of the guard")
