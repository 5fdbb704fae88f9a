"""The twenty tasks are done right both ways, and the guide's way is the cheaper one on each; the guide names it."""

import re
import sys
from pathlib import Path

import pytest

from scripts.eval_agents.__main__ import do, faults
from scripts.eval_agents.recorded_log import lines
from scripts.eval_agents.tasks import TASKS, Task
from videodb_cli.guide import text_of

PROGRAM = str(Path(sys.executable).with_name("videodb"))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.question)
def test_the_task_is_done_and_cheaper(task: Task) -> None:
    assert faults(task, do(task, task.calls, program=PROGRAM), do(task, task.snippets)) == []


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.question)
def test_the_guide_names_what_the_task_needs(task: Task) -> None:
    guide = text_of() + text_of(task.topic)
    for call in task.calls:
        command, *_ = re.findall(r"videodb [a-z]+ [a-z]+", call)
        assert command in guide
        own = call.partition(" | ")[0].partition("; ")[0]
        for flag in re.findall(r"(?<=\s)--?[a-z][a-z-]*", own):
            assert flag in guide, f"{flag} is not in the guide or its topic {task.topic}"


def test_there_are_twenty_tasks_on_a_log_that_never_changes() -> None:
    assert len(TASKS) == 20
    assert lines() == lines()
    assert len(lines()) == 468
