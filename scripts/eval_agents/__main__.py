"""Do each task both ways on the recorded log, check the answers, and print calls and bytes beside each other.

    python -m scripts.eval_agents

Bytes are what an agent reads and writes: the text of each call and its output. Exit status 1: a task went wrong, or the
guide's way takes more calls, or not fewer bytes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.eval_agents import recorded_log
from scripts.eval_agents.tasks import TASKS, Task

_LATER = {
    "alert": recorded_log.alert(recorded_log.AFTERNOON + 9000, "pager_again", "Somebody mentions the pager again"),
    "exported": recorded_log.life(
        recorded_log.AFTERNOON + 9000, "cap-evening", "exported", player_url="https://player.example/cap-evening"
    ),
}


@dataclass(frozen=True)
class Way:
    """How one way of doing a task went."""

    calls: int
    bytes: int
    output: str

    def fault(self, task: Task) -> str | None:
        """Return what is wrong with the answer."""
        missing = [text for text in task.holds if text not in self.output]
        unwanted = [text for text in task.lacks if text in self.output]
        return f"lacks {missing}, holds {unwanted}: {self.output[-300:]}" if missing or unwanted else None


def do(task: Task, calls: Sequence[str], *, program: str = "videodb") -> Way:
    """Make the calls one after the other in a fresh directory, and return how it went."""
    with tempfile.TemporaryDirectory(prefix="eval-agents-") as name:
        directory = Path(name)
        log = recorded_log.write(directory)
        over = threading.Event()
        later = threading.Thread(target=_append, args=(log, task.later, calls[0].startswith("videodb"), over))
        later.start()
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("VIDEODB", "VIDEO_DB"))},
            "VIDEODB_EVENTS_DIR": name,
            "HOME": name,
            "TZ": "UTC",
            "PATH": f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}" if "/" in program else os.environ["PATH"],
        }
        outputs = []
        for call in calls:
            done = subprocess.run(
                ["bash", "-c", call.replace("/tmp/videodb_events.jsonl", str(log))],
                cwd=name, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
            )  # fmt: skip
            outputs.append((done.stdout + done.stderr).decode())
        over.set()
        later.join()
    size = sum(len(call.encode()) for call in calls) + sum(len(output.encode()) for output in outputs)
    return Way(len(calls), size, "".join(outputs))


def _append(log: Path, what: str, is_repeated: bool, over: threading.Event) -> None:
    """Append what a task waits for. A wait may begin late on a busy machine: then it hears the next one."""
    while what and not over.wait(2.5):
        with log.open("a", encoding="utf-8") as file:
            file.write(_LATER[what] + "\n")
        if not is_repeated:
            return


def faults(task: Task, ours: Way, theirs: Way) -> list[str]:
    """Return what is wrong with a task: with its answers, its budget, or the comparison."""
    found = [f"{name}: {fault}" for name, way in (("guide", ours), ("skill", theirs)) if (fault := way.fault(task))]
    if len(ours.output.encode()) > task.budget:
        found.append(f"the guide's way answers {len(ours.output.encode())} bytes, the budget is {task.budget}")
    if ours.calls > theirs.calls or ours.bytes >= theirs.bytes:
        found.append("the guide's way is not the cheaper one")
    return found


def table(rows: Sequence[tuple[Task, Way, Way]]) -> str:
    """Return the comparison as a Markdown table."""
    lines = ["| task | calls | bytes | calls, snippets | bytes, snippets |", "|---|---:|---:|---:|---:|"]
    for task, ours, theirs in rows:
        lines.append(f"| {task.question} | {ours.calls} | {ours.bytes:,} | {theirs.calls} | {theirs.bytes:,} |")
    sums = [sum(getattr(row[way], name) for row in rows) for way in (1, 2) for name in ("calls", "bytes")]
    lines.append("| **all** | " + " | ".join(f"**{number:,}**" for number in sums) + " |")
    return "\n".join(lines)


def main() -> int:
    """Run all tasks and print the table."""
    program = str(Path(sys.executable).with_name("videodb"))
    rows = [(task, do(task, task.calls, program=program), do(task, task.snippets)) for task in TASKS]
    print(table(rows))
    wrong = [(task.question, fault) for task, ours, theirs in rows for fault in faults(task, ours, theirs)]
    for question, fault in wrong:
        print(f"WRONG: {question}: {fault}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
