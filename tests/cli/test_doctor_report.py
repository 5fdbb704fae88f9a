"""`videodb doctor --report`: a file for a bug report, written once, for its owner only, and without a secret in it."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import Box
from tests.fakes.event_service import KEY, EventService
from videodb_cli.app.report import environment

PASSWORD = "hunter2/with#odd?characters"
TOKEN = "client-token-of-a-session"


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    found = Box(tmp_path)
    yield found
    found.close()


def test_a_report_is_a_new_private_file_and_the_status_is_doctors(box: Box) -> None:
    with EventService() as service:
        done = box.run(service, "doctor", "--report")
    assert done.returncode == 0, done.stderr
    (path,) = box.root.glob("videodb-report-*.txt")
    assert re.fullmatch(r"videodb-report-\d{8}T\d{6}Z\.txt", path.name)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert f"report written to {path}" in done.stderr
    assert "before you send it" in done.stderr
    assert "socket" in done.stdout, "the findings are shown as without --report"
    text = path.read_text()
    titles = re.findall(r"^== (.*) ==$", text, re.MULTILINE)
    assert titles == [
        *("versions", "doctor", "settings", "environment", "listener", "capture", "embedded service", "files"),
        *(f"end of {name}" for name in ("videodb_listener.log", "videodb_capture.log", "local.log")),
    ]
    assert "not available" not in text
    assert re.search(r"^websockets \d", text, re.MULTILINE)
    assert "pytest " not in text
    assert f"service: {service.url} (from the environment)" in text
    assert "VIDEO_DB_API_KEY is set; its value is left out" in text


def test_a_file_that_exists_is_kept_unless_told_otherwise(box: Box) -> None:
    target = box.root / "mine.txt"
    target.write_text("precious")
    done = box.run(None, "doctor", "--report", "mine.txt")
    assert done.returncode == 9
    assert done.stdout == "", "nothing is examined for a report that cannot be written"
    assert "--force" in done.stderr
    assert target.read_text() == "precious"
    done = box.run(None, "doctor", "--report=mine.txt", "--force", "--json")
    assert done.returncode == 3, "there is no key"
    assert json.loads(done.stdout)["ok"] is False
    assert target.read_text().startswith("videodb report")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_link_is_not_followed(box: Box) -> None:
    (box.root / "elsewhere").write_text("precious")
    (box.root / "link").symlink_to("elsewhere")
    for more in ([], ["--force"]):
        assert box.run(None, "doctor", "--report", "link", *more).returncode in {6, 9}
    assert (box.root / "elsewhere").read_text() == "precious"


def test_it_can_be_printed_alone(box: Box) -> None:
    done = box.run(None, "doctor", "--report", "-")
    assert done.returncode == 3
    assert done.stdout.startswith("videodb report, made ")
    assert not list(box.root.glob("videodb-report*"))


@pytest.mark.parametrize(
    "arguments", [["file.txt"], ["--force"], ["--report", "-", "--json"], ["--report="], ["--report", "a", "b"]]
)
def test_what_makes_no_sense_is_refused(box: Box, arguments: list[str]) -> None:
    done = box.run(None, "doctor", *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("target", ["no/such/directory/r.txt", "/dev/full/r.txt"])
def test_a_place_that_cannot_be_written_is_told_with_a_hint(box: Box, target: str) -> None:
    done = box.run(None, "doctor", "--report", target)
    assert done.returncode == 6
    assert "--report -" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_secret_and_no_event_is_in_it_wherever_a_user_may_have_put_one(box: Box) -> None:
    box.dir.mkdir()
    secrets = [
        KEY,
        PASSWORD,
        "hunter2",
        TOKEN,
        "of-the-home",
        "of-the-directory",
        "of-the-file",
        "ticket-of-a-socket",
    ]
    (box.home / ".videodb").mkdir()
    (box.home / ".videodb" / ".env").write_text("VIDEO_DB_API_KEY=key-of-the-home\n")
    (box.root / ".env").write_text("VIDEODB_API_KEY='key-of-the-directory'\nOTHER=x\n")
    (box.root / "more.env").write_text("VIDEO_DB_API_KEY=sk-of-the-file\n")
    box.log.write_text(
        '{"ts":"2026-03-02T10:15:30.123Z","unix_ts":1,"channel":"transcript","data":{"text":"murmur"}}\n'
    )
    said = [
        "keys: sk-0123456789 key-of-the-home, key-of-the-directory",
        "wss://events.test/socket/ticket-of-a-socket",
        f"Authorization: Basic {TOKEN}",
        f"x-access-token: {TOKEN}",
        f"by http://me:{PASSWORD}@proxy.test:3128",
        "rtsp://127.0.0.1:9/ticket-of-a-socket",
        "an evil \x1b[2J line",
        *(f"line {number}" for number in range(300)),
        f"last words: {TOKEN}",
    ]
    for name in ("videodb_listener.log", "videodb_capture.log"):
        (box.dir / name).write_text("\n".join(said[:-1]) + "\n")
        (box.dir / f"{name}.1").write_text("older\n")
    (box.dir / "local").mkdir()
    (box.dir / "local" / "local.log").write_text("\n".join(said[:7] + said[-1:]) + "\n")
    more = {
        "HTTPS_PROXY": f"http://me:{PASSWORD}@proxy.test:3128",
        "all_proxy": f"{PASSWORD}@proxy.test",
        "NO_PROXY": f"example.org,me:{PASSWORD}@10.0.0.1",
        "VIDEODB_CLIENT_TOKEN": TOKEN,
        "VIDEODB_NEW_SECRET": TOKEN,
        "XDG_ACTIVATION_TOKEN": TOKEN,
        "VIDEO_DB_BASE_URL": f"https://me:{TOKEN}@service.test/?key={TOKEN}",
    }
    with EventService() as service:
        for arguments in ([], ["--env-file", "more.env"], ["--local"], ["-v"]):
            done = box.run(service, "doctor", "--report", "-", *arguments, **more)
            assert "Traceback" not in done.stderr
            for secret in [*secrets, "sk-0123456789", "murmur"]:
                assert secret not in done.stdout, (arguments, secret)
                assert secret not in done.stderr, (arguments, secret)
    listener = done.stdout.partition("== end of videodb_listener.log ==\n")[2].partition("\n\n")[0].splitlines()
    assert len(listener) == 200
    assert listener[-1] == "line 299"
    local = done.stdout.partition("== end of local.log ==\n")[2]
    assert "wss://events.test/…" in local
    assert "an evil \\x1b[2J line" in local
    assert re.search(r"^-rw\S+ +\d+ \S+ videodb_events\.jsonl$", done.stdout, re.MULTILINE)


def test_the_environment_is_told_by_name_and_only_harmless_values() -> None:
    given = {
        "VIDEO_DB_API_KEY": "a", "VIDEODB_DEBUG": "1", "VIDEODB_LOCAL": "", "http_proxy": "p.test:1",
        "NO_PROXY": "a.test u:p@b.test", "LC_ALL": "C", "HOME": "/h", "PATH": "/bin", "AWS_SECRET": "x",
        "ALL_PROXY": "ftp://me:pw@p.test", "VIDEODB_OTHER": "x",
    }  # fmt: skip
    assert list(environment(given)) == [
        "ALL_PROXY=(not the address of a proxy)",
        "LC_ALL=C",
        "NO_PROXY=a.test,b.test",
        "VIDEODB_DEBUG=1",
        "VIDEODB_LOCAL is empty",
        "VIDEODB_OTHER is set; its value is left out",
        "VIDEO_DB_API_KEY is set; its value is left out",
        "http_proxy=http://p.test:1",
    ]
