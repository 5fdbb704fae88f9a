import itertools

from videodb_cli.page.content import Entry
from videodb_cli.page.sample import Sample


def fill(sample: Sample, kind: str, count: int, text: str = "{}") -> None:
    for number in range(count):
        sample.add(kind, Entry(float(number), float(number), 0, text.format(number)))


def test_what_fits_is_listed_whole_and_says_nothing() -> None:
    sample = Sample(10_000)
    fill(sample, "transcript", 100)
    assert len(sample) == 100
    assert sample.notes() == []


def test_what_does_not_fit_is_thinned_evenly_and_says_so() -> None:
    sample = Sample(40_000)
    fill(sample, "visual_index", 10_000, "what is on screen {}")
    kept = [entry.at for entry in sample]
    steps = {later - earlier for earlier, later in itertools.pairwise(kept)}
    assert steps in ({8.0}, {16.0})
    (note,) = sample.notes()
    assert note.startswith(f"visual_index: 1 of every {round(steps.pop())} events is listed, {len(kept):,} of 10,000")


def test_alerts_are_thinned_last() -> None:
    sample = Sample(40_000)
    fill(sample, "alert", 600, "pager {}")
    fill(sample, "transcript", 50_000, "words {}")
    assert sum(1 for entry in sample if entry.text.startswith("pager")) == 600


def test_a_text_that_comes_again_costs_once() -> None:
    sample = Sample(20_000)
    fill(sample, "visual_index", 1000, "x" * 5000)
    assert len(sample) == 1000


def test_a_single_event_larger_than_the_budget_stays() -> None:
    sample = Sample(10)
    fill(sample, "alert", 1, "x" * 1000)
    assert len(sample) == 1
    assert sample.thin() is False
