from videodb_cli.page.content import Lane
from videodb_cli.page.density import Density


def test_every_event_stays_counted_however_wide_the_bins_become() -> None:
    lanes = [Lane("transcript", "mic"), Lane("alert", "mic")]
    density = Density(lanes)
    for number in range(20_000):
        density.add(lanes[number % 2], 1.7e9 + number * 1.3)
    assert [sum(lane.bins.values()) for lane in lanes] == [10_000, 10_000]
    assert all(len(lane.bins) <= 4096 for lane in lanes)
    assert density.width_s > 0.25
    first = min(lanes[0].bins) * density.width_s
    assert first <= 1.7e9 < first + density.width_s


def test_bins_widen_in_both_directions() -> None:
    lane = Lane("transcript", "mic")
    density = Density([lane])
    for at in (1e9, 0.0, 2.5e11, 1e9):
        density.add(lane, at)
    assert sum(lane.bins.values()) == 4
    assert min(lane.bins) * density.width_s <= 0.0
    assert len(lane.bins) <= 3
