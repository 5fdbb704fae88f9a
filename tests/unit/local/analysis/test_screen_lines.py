"""Which lines of text are new."""

from __future__ import annotations

import numpy as np

from videodb_cli.local.analysis.screen_lines import (
    Box,
    TextLine,
    gone_lines,
    is_text,
    join_boxes,
    new_lines,
    strip_to_read,
)

SIZE = (1280, 720)
EVERYTHING = np.ones((180, 320), dtype=np.bool_)


def _line(text: str, top: float, left: float = 100, height: float = 30) -> TextLine:
    return TextLine(text, left, top, left + 14 * len(text), top + height)


def _changed(top: float, bottom: float) -> np.ndarray:
    mask = np.zeros((180, 320), dtype=np.bool_)
    mask[int(top / 4) : int(bottom / 4)] = True
    return mask


def _texts(lines: list[TextLine]) -> list[str]:
    return [line.text for line in lines]


def test_boxes_of_one_line_are_joined_also_where_they_overlap_and_columns_stay_apart() -> None:
    words = [Box(208, 101, 300, 131), Box(100, 100, 215, 130), Box(800, 100, 880, 130)]
    assert join_boxes(words) == [Box(100, 100, 300, 131), Box(800, 100, 880, 130)]


def test_lines_are_read_from_top_to_bottom() -> None:
    assert join_boxes([Box(0, 200, 90, 230), Box(0, 100, 90, 130)]) == [Box(0, 100, 90, 130), Box(0, 200, 90, 230)]


def test_specks_and_bullets_are_no_text() -> None:
    assert not any(map(is_text, ["X", "•", "- -", "_"]))
    assert is_text("OK")


def test_only_what_was_not_there_before_is_new() -> None:
    before, now = [_line("Step 1 done", 100)], [_line("Step 1 done", 100), _line("Step 2 done", 150)]
    assert _texts(new_lines(before, now, EVERYTHING, SIZE)) == ["Step 2 done"]
    assert gone_lines(before, now, EVERYTHING, SIZE) == []


def test_misread_letter_on_a_still_part_of_the_screen_is_not_news() -> None:
    before = [_line("CrashLoopBackOff", 100)]
    now = [_line("CrashLoopBaekOff", 100), _line("Restarted", 400)]
    assert _texts(new_lines(before, now, _changed(390, 440), SIZE)) == ["Restarted"]


def test_confused_letters_and_spaces_are_not_news_even_where_the_picture_changed() -> None:
    before = [_line("CrashLoopBackOff 10", 100)]
    assert new_lines(before, [_line("CrashLoop Back0ff lO.", 100)], EVERYTHING, SIZE) == []


def test_other_number_or_word_at_the_same_place_is_news() -> None:
    assert _texts(new_lines([_line("Step 1 of 9", 100)], [_line("Step 2 of 9", 100)], EVERYTHING, SIZE))
    assert _texts(new_lines([_line("Status: enabled", 100)], [_line("Status: disabled", 100)], EVERYTHING, SIZE))


def test_scrolled_lines_are_not_news_even_with_a_misread_letter() -> None:
    before = [_line("Uploading the new version", 300), _line("retry 1 failed", 350)]
    now = [_line("Up1oading the new vers1on", 250), _line("retry 2 failed", 350)]
    assert _texts(new_lines(before, now, EVERYTHING, SIZE)) == ["Up1oading the new vers1on", "retry 2 failed"][1:]


def test_strip_holds_what_changed_without_cutting_a_known_line() -> None:
    known = [_line("cut me not", 380, height=40)]
    strip = strip_to_read(_changed(420, 460), known, 720)
    assert strip is not None
    assert strip[0] <= 380
    assert strip[1] >= 460


def test_whole_picture_is_read_when_most_of_it_changed_or_nothing_did() -> None:
    assert strip_to_read(EVERYTHING, [], 720) is None
    assert strip_to_read(np.zeros((180, 320), dtype=np.bool_), [], 720) is None
