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


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's word for it is Linux's")
def test_it_dies_with_us() -> None:
    program = (
        "import asyncio, sys\nfrom videodb_cli.process.child import Child\n"
        "async def main():\n    child = await Child.spawn(['sleep', '60'])\n    print(child.pid, flush=True)\n"
        "    await asyncio.sleep(60)\nasyncio.run(main())\n"
    )
    with subprocess.Popen(python(program), stdout=subprocess.PIPE, env=dict(os.environ)) as ours:
        assert ours.stdout is not None
        child = int(ours.stdout.readline())
        assert start_token(child) is not None
        ours.kill()
    wait_until(lambda: start_token(child) is None, 5)
