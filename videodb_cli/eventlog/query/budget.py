"""Bounds how many bytes an answer may have: it ends on a whole line, and knows what is left. Pure."""

from __future__ import annotations

from typing import Any

BYTES_A_TOKEN = 4


class ByteBudget:
    """So many bytes; None is no bound. What does not fit ends the answer: nothing after it is taken, however small.

    Attributes:
        limit: The number of bytes; None if there is no bound.
        used: The bytes that were taken.
        is_spent: Whether something did not fit.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.used = 0
        self.is_spent = False

    def takes(self, size: int) -> bool:
        """Take so many bytes, if nothing was refused before and they fit. Returns whether they were taken."""
        if self.limit is not None and (self.is_spent or self.used + size > self.limit):
            self.is_spent = True
            return False
        self.used += size
        return True


def smaller(*bounds: int | None) -> int | None:
    """Return the smallest bound; None if there is none."""
    return min((bound for bound in bounds if bound is not None), default=None)


def whole_lines(text: str, limit: int | None) -> tuple[str, int]:
    """Return as many whole lines of a text as fit into so many bytes, and the number of those that are left."""
    if limit is None or len(text.encode("utf-8", "replace")) <= limit:
        return text, 0
    budget = ByteBudget(limit)
    lines = text.splitlines(keepends=True)
    kept = [line for line in lines if budget.takes(len(line.encode("utf-8", "replace")))]
    return "".join(kept), len(lines) - len(kept)


def bounded_list(answer: dict[str, Any], key: str, limit: int | None, size_of: Any) -> tuple[dict[str, Any], int]:
    """Return an answer with as many items of one of its lists as fit, and how many are left.

    Args:
        answer: The answer. If it is cut, ``truncated`` says how many items are left.
        key: The member that is the list.
        limit: The bytes that the answer may have.
        size_of: Returns the bytes of an answer.
    """
    if limit is None or size_of(answer) <= limit:
        return answer, 0
    items = answer[key]
    low, high = 0, len(items)
    while low < high:  # the most items that fit
        middle = (low + high + 1) // 2
        if size_of(_cut(answer, key, middle)) <= limit:
            low = middle
        else:
            high = middle - 1
    return _cut(answer, key, low), len(items) - low


def _cut(answer: dict[str, Any], key: str, number: int) -> dict[str, Any]:
    return {**answer, key: answer[key][:number], "truncated": {"left": len(answer[key]) - number, "of": key}}
