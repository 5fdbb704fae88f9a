"""`videodb local run`: a command whose VideoDB is the embedded service, whatever address its program connects to.

On Linux, where the SDK has no recorder, its `CaptureClient` gets ours.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from videodb_cli.errors import MissingDependencyError
from videodb_cli.local.interception import SERVICE_HOST, InterceptingProxy
from videodb_cli.local.rtsp.certificate import make_certificate
from videodb_cli.network import tls
from videodb_cli.process.signals import stop_signals
from videodb_cli.rundir import private
from videodb_cli.settings import RECORDER_SOURCE_NAME
from videodb_cli.userpaths import absolute

if TYPE_CHECKING:
    from videodb_cli.app.local_service import LocalService

_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


# What the Python SDK imports to find its recorder. Its package has none for Linux.
_RECORDER_MODULE: Final = """\
from pathlib import Path

IS_VIDEODB_CLI = True

def get_binary_path():
    return str(Path(__file__).with_name("recorder"))
"""


def run_with_service(service: LocalService, command: Sequence[str], *, source: Path | None = None) -> int:
    """Run a command in the foreground with the service in its environment. Returns its exit status as a shell does.

    Args:
        service: The embedded service.
        command: The program and its arguments.
        source: A file that its recorder plays in place of devices.

    Raises:
        MissingDependencyError: There is no such command, or the package `cryptography` is missing.
    """
    if shutil.which(command[0]) is None:
        raise MissingDependencyError(f"no such command: {command[0]}", code="no_command")
    port = urlsplit(service.url).port or 80
    with tempfile.TemporaryDirectory(prefix="videodb-run-") as name, _proxy(port, Path(name)) as proxy_url:
        added = environment(service.url, service.key, proxy_url, Path(name))
        if sys.platform == "linux":
            added |= _recorder(Path(name) / "python", source)
        with _signals_for() as hand_to, subprocess.Popen(command, env={**os.environ, **added}) as child:
            hand_to(child)
            status = child.wait()
    return status if status >= 0 else 128 - status


def environment(url: str, key: str, proxy_url: str, certificates: Path) -> dict[str, str]:
    """Return the variables that lead a program to the embedded service.

    The SDKs take the key from the environment and the address from nowhere: their requests to the real service's host
    go to the proxy. Its certificate is trusted besides those that are trusted anyway. Loopback needs no proxy.
    """
    no_proxy = ",".join(filter(None, (os.environ.get("no_proxy") or os.environ.get("NO_PROXY"), *_LOOPBACK)))
    bundle = str(certificates / "bundle.pem")
    return {
        "VIDEO_DB_API_KEY": key,
        "VIDEODB_API_KEY": key,
        "VIDEO_DB_API": url,
        "VIDEO_DB_BASE_URL": url,
        **_both("HTTPS_PROXY", proxy_url),
        **_both("NO_PROXY", no_proxy),
        "SSL_CERT_FILE": bundle,
        "REQUESTS_CA_BUNDLE": bundle,
        "CURL_CA_BUNDLE": bundle,
        "NODE_EXTRA_CA_CERTS": str(certificates / "certificate.pem"),
        # Node 24 and newer reads the proxy only then.
        "NODE_USE_ENV_PROXY": "1",
    }


def _recorder(directory: Path, source: Path | None) -> dict[str, str]:
    """Make our recorder the one that the Python SDK finds. Returns the variables that do so."""
    directory.mkdir(mode=0o700)
    (directory / "videodb_capture_bin.py").write_text(_RECORDER_MODULE)
    program = directory / "recorder"
    program.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m videodb_cli capture recorder\n")
    program.chmod(0o700)
    path = os.pathsep.join(filter(None, (str(directory), os.environ.get("PYTHONPATH"))))
    return {"PYTHONPATH": path, **({} if source is None else {RECORDER_SOURCE_NAME: str(absolute(source))})}


def _both(name: str, value: str) -> Mapping[str, str]:
    return {name: value, name.lower(): value}


@contextmanager
def _signals_for() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """Within the block, this process leaves signals to the child that is named to what is yielded.

    Ctrl-C reaches the child by itself, because it is in the same foreground job.
    """
    children: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def on_signal(number: int, _frame: object) -> None:
        if not children:
            early.append(number)
        elif number != signal.SIGINT:
            children[0].send_signal(number)

    def hand_to(child: subprocess.Popen[bytes]) -> None:
        children.append(child)
        # The command is there before we know of it, and so may a signal be.
        for number in early:
            child.send_signal(number)

    before = {number: signal.getsignal(number) for number in stop_signals()}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, on_signal)
    try:
        yield hand_to
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _proxy(service_port: int, directory: Path) -> Iterator[str]:
    """Run the proxy in a thread of its own; its certificate and the whole bundle lie in ``directory``."""
    key, certificate = make_certificate([SERVICE_HOST], now=datetime.now(UTC))
    private.write_atomic(directory / "key.pem", key)
    private.write_atomic(directory / "certificate.pem", certificate)
    private.write_atomic(directory / "bundle.pem", Path(tls.bundle()).read_bytes().rstrip() + b"\n" + certificate)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="proxy", daemon=True)
    thread.start()
    try:
        proxy = InterceptingProxy(service_port, directory / "certificate.pem", directory / "key.pem")
        asyncio.run_coroutine_threadsafe(proxy.start(), loop).result(10)
        try:
            yield proxy.url
        finally:
            asyncio.run_coroutine_threadsafe(proxy.close(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
