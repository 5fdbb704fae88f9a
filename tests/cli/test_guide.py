"""`videodb guide` and `videodb skill`: small, complete, true, and never over somebody else's file."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.eval_agents import recorded_log
from videodb_cli.guide import TOPICS, text_of
from videodb_cli.main import main


def test_the_overview_is_small_and_names_every_topic(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["guide"]) == 0
    text = capsys.readouterr().out
    assert len(text.encode()) < 4000
    for topic in TOPICS:
        assert topic in text


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_is_small(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["guide", topic]) == 0
    assert 0 < len(capsys.readouterr().out.encode()) < 4000


def test_an_unknown_topic_is_told_with_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["guide", "magic", "--json"]) == 4
    assert "listen, capture" in json.loads(capsys.readouterr().out)["error"]["hint"]


@pytest.mark.parametrize(
    ("agent", "file"),
    [
        ("claude", ".claude/skills/videodb/SKILL.md"),
        ("codex", ".agents/skills/videodb/SKILL.md"),
        ("cursor", ".cursor/rules/videodb.mdc"),
        ("./elsewhere", "elsewhere/SKILL.md"),
    ],
)
def test_a_skill_is_installed_where_its_agent_looks(
    agent: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["skill", "install", "--for", agent, "--dry-run"]) == 0
    assert list(tmp_path.iterdir()) == []
    assert main(["skill", "install", "--for", agent]) == 0
    text = (tmp_path / file).read_text()
    head = text.split("---")[1]
    assert "description: " in head
    assert text_of() in text
    if file.endswith("SKILL.md"):
        assert "name: videodb\n" in head
        assert "allowed-tools: Bash(videodb:*)\n" in head
        place = (tmp_path / file).parent
        linked = {part.partition(")")[0] for part in text.split("](")[1:]}
        assert all((place / name).exists() for name in linked)
        assert "`videodb events filter`" in (place / "references" / "commands.md").read_text()
    capsys.readouterr()
    assert main(["skill", "install", "--for", agent, "--json"]) == 0
    assert {one["state"] for one in json.loads(capsys.readouterr().out)["files"]} == {"same"}


@pytest.mark.parametrize("way", ["file", "link", "directory"])
def test_what_somebody_else_made_is_not_touched(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    place = tmp_path / ".claude" / "skills" / "videodb" / "references"
    place.mkdir(parents=True)
    mine = place / "wait.md"
    if way == "file":
        mine.write_text("mine")
    elif way == "link":
        (tmp_path / "target").write_text("mine")
        mine.symlink_to(tmp_path / "target")
    else:
        mine.mkdir()
    assert main(["skill", "install"]) == 9
    assert "not touched" in capsys.readouterr().err
    # Nothing was written beside it either.
    assert not (place.parent / "SKILL.md").exists()
    assert way == "directory" or mine.read_text() == "mine"


def test_an_older_skill_of_ours_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["skill", "install"]) == 0
    file = tmp_path / ".claude" / "skills" / "videodb" / "SKILL.md"
    text = file.read_text()
    file.write_text(text.replace("# videodb", "# an older one"))
    assert main(["skill", "install"]) == 0
    assert file.read_text() == text


@pytest.mark.skipif(shutil.which("lnav") is None, reason="needs lnav")
def test_lnav_reads_the_log_with_our_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["skill", "show", "references/lnav.json"]) == 0
    (tmp_path / "videodb.json").write_text(capsys.readouterr().out)
    log = tmp_path / "videodb_events.jsonl"
    lines = [
        {"channel": "transcript", "rtstream_name": "mic:default", "data": {"text": "we deploy now", "is_final": True}},
        {"channel": "alert", "rtstream_name": "display:1", "data": {"label": "deploy_failed", "text": "a red box"}},
        {"event": "capture_session.active", "capture_session_id": "cap-1", "data": {"rtstreams": []}},
    ]
    log.write_text(
        "".join(
            json.dumps({"ts": f"2026-03-02T10:15:3{n}.123Z", "unix_ts": 1772446530.123 + n, **line}) + "\n"
            for n, line in enumerate(lines)
        )
    )

    def lnav(*arguments: str) -> str:
        return subprocess.run(
            ["lnav", *arguments], env={**os.environ, "HOME": str(tmp_path), "TERM": "xterm"}, cwd=tmp_path,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True,
        ).stdout  # fmt: skip

    lnav("-i", str(tmp_path / "videodb.json"))
    shown = lnav("-n", str(log))
    assert "alert" in shown
    assert "deploy_failed a red box" in shown
    assert "capture_session.active" in shown
    counted = lnav(
        "-n", "-c", ";select count(*) as n from videodb where log_level='error'", "-c", ":write-json-to -", str(log)
    )
    assert json.loads(counted[counted.index("[") :]) == [{"n": 1}]


def commands_of(topic: str | None) -> list[str]:
    """The lines of the shell blocks of a topic."""
    blocks = text_of(topic).split("```sh\n")[1:]
    return [line for block in blocks for line in block.partition("```")[0].splitlines() if line.strip()]


@pytest.mark.parametrize("topic", [None, *TOPICS], ids=str)
def test_every_command_of_the_guide_runs_as_written(topic: str | None, tmp_path: Path) -> None:
    """On the recorded log, with the embedded service. Waits are cut short, and nothing is recorded."""
    recorded_log.write(tmp_path)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VIDEODB", "VIDEO_DB"))}
    environment = {
        **kept, "HOME": str(tmp_path), "VIDEODB_EVENTS_DIR": str(tmp_path), "VIDEODB_LOCAL": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip

    try:
        for line in commands_of(topic):
            asked = re.sub(r"--timeout \d+", "--timeout 1", line)
            # A test must not record whoever runs it: it gets as far as the file that is not there.
            asked = re.sub(r"videodb capture start", "videodb capture start --source not-there.mp4", asked)
            done = run(asked)
            # Nothing there, or not in time, is an answer; wrong usage, a missing package or a bug is not.
            assert done.returncode in {0, 1, 4, 124}, f"{line}: {done.returncode}: {done.stderr}"
            assert "Traceback" not in done.stderr
    finally:
        run("videodb stop; videodb local stop")
