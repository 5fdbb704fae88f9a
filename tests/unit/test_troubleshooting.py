"""docs/troubleshooting.md explains each error code that the program can answer, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE, PAGE = ROOT / "videodb_cli", ROOT / "docs" / "troubleshooting.md"

# Codes that are put together when the program runs: the module that does it, and the words with which it does.
MADE = {
    "no_audio": ("local/media/live_stream.py", 'code=f"no_{media_type}"'),
    "no_video": ("local/media/live_stream.py", 'code=f"no_{media_type}"'),
    "busy": ("capture/recorders/official_answers.py", '"BUSY"'),
    "invalid_display": ("capture/recorders/official_answers.py", '"INVALID_DISPLAY"'),
    "connecting": ("commands/status.py", "code=found.state"),
}


def values(tree: ast.AST) -> Iterator[ast.expr]:
    """What is given as `code=…`, or assigned to `code` or `default_code`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from (keyword.value for keyword in node.keywords if keyword.arg == "code")
        elif isinstance(node, ast.AnnAssign | ast.Assign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id in {"code", "default_code"} for target in targets):
                yield node.value


def texts(value: ast.expr) -> Iterator[str]:
    """The codes in an expression: constants, also those that a condition chooses between."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.IfExp):
        yield from texts(value.body)
        yield from texts(value.orelse)
    elif isinstance(value, ast.BoolOp):
        for part in value.values:
            yield from texts(part)


def codes() -> set[str]:
    found = {
        text
        for path in PACKAGE.rglob("*.py")
        for value in values(ast.parse(path.read_text(encoding="utf-8")))
        for text in texts(value)
    }
    return {text for text in found if re.fullmatch(r"[a-z]+(_[a-z]+)*", text)}


def explained() -> list[str]:
    """The codes in the first cells of the page's tables."""
    cells = re.findall(r"(?m)^\| (`[^|]*`) \|", PAGE.read_text(encoding="utf-8"))
    return [code for cell in cells for code in re.findall(r"`(\w+)`", cell)]


def test_each_code_is_explained() -> None:
    assert len(codes()) > 100
    assert sorted(codes() - set(explained())) == []


def test_what_is_explained_can_be_answered_and_stands_once() -> None:
    assert sorted(set(explained()) - codes() - set(MADE)) == []
    assert sorted(explained()) == sorted(set(explained()))


def test_what_is_made_at_run_time_is_still_made_there() -> None:
    for code, (module, words) in MADE.items():
        assert words in (PACKAGE / module).read_text(encoding="utf-8"), code
