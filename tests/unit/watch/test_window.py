"""What is in memory and on the screen, in any order of keys and events."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.render.style import Piece
from videodb_cli.watch.reader import Entry, Place
from videodb_cli.watch.window import Window


def entries(first: int, count: int) -> list[Entry]:
    return [Entry(Place((1, 1), number), b"", {"n": number}) for number in range(first, first + count)]


def window(most: int = 50, tall: int = 3) -> Window:
    return Window(lambda entry, _: [[Piece(str(entry.event["n"]))]] * (1 + entry.event["n"] % tall), most)


def shown(found: Window, height: int) -> list[str]:
    return [row[0].text for _, row in found.screen(height)]


def test_following_shows_the_end() -> None:
    found = window(tall=1)
    found.reset(entries(0, 10))
    assert shown(found, 3) == ["7", "8", "9"]
    found.append(entries(10, 2))
    assert shown(found, 3) == ["9", "10", "11"]


def test_paused_it_stays_and_counts() -> None:
    found = window(tall=1)
    found.reset(entries(0, 10))
    found.screen(3)
    found.pause()
    found.append(entries(10, 2))
    assert (shown(found, 3), found.waiting) == (["7", "8", "9"], 2)


def test_memory_is_bounded_at_both_ends() -> None:
    found = window(most=50, tall=1)
    found.reset(entries(1000, 40))
    found.move(-100)
    found.prepend(entries(960, 40))
    assert len(found.entries) == 50
    assert not found.has_end
    assert found.selected is not None
    assert found.selected.event == {"n": 1000}
    found.move(100)
    last = found.entries[-1].event["n"]
    found.extend(entries(last + 1, 40), is_end=True)
    assert len(found.entries) <= 90
    assert found.has_end
    assert found.entries[-1].event["n"] == last + 40


def test_nothing_older_is_remembered() -> None:
    found = window()
    found.reset(entries(0, 3))
    found.prepend([])
    assert not found.is_near_start(10)


steps = st.one_of(
    st.tuples(st.just("move"), st.integers(-20, 20)),
    st.tuples(st.just("page"), st.sampled_from([-1, 1])),
    st.tuples(st.just("append"), st.integers(1, 30)),
    st.tuples(st.just("prepend"), st.integers(0, 30)),
)


@given(st.lists(steps, max_size=30), st.integers(1, 12))
def test_the_selected_event_is_always_on_the_screen(taken: list[tuple[str, int]], height: int) -> None:
    found = window()
    first, behind = 1000, 1020
    found.reset(entries(first, 20))
    for name, value in taken:
        if name == "move":
            found.move(value)
        elif name == "page":
            found.page(value, height)
        elif name == "append":
            if found.has_end:
                found.append(entries(behind, value))
            behind += value if found.has_end else 0  # a paused screen that is full takes none
        elif not found.has_start:
            found.prepend(entries(found.entries[0].event["n"] - value, value))
        rows = found.screen(height)
        assert len(rows) <= height
        assert found.cursor in {index for index, _ in rows}
        numbers = [entry.event["n"] for entry in found.entries]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "nothing is missing and nothing twice"
