from videodb_cli.page.collector import Collector
from videodb_cli.page.content import CUT, INTERIM, RECOVERED, Gap


def test_lanes_stand_in_the_order_of_their_kinds_and_entries_in_that_of_time() -> None:
    collector = Collector(budget=1_000_000)
    collector.add("alert", "display:1", 30.0, 31.0, "pager", RECOVERED)
    collector.add("transcript", "mic", 20.0, 21.0, "hello")
    content = collector.content("Events")
    assert [(lane.channel, lane.count, lane.recovered) for lane in content.lanes] == [
        ("transcript", 1, 0),
        ("alert", 1, 1),
    ]
    assert [(entry.at, content.lanes[entry.lane].channel) for entry in content.entries] == [
        (20.0, "transcript"),
        (30.0, "alert"),
    ]
    assert (content.first, content.last) == (20.0, 30.0)


def test_interim_transcripts_are_counted_and_not_listed_and_it_says_so() -> None:
    collector = Collector(budget=1_000_000)
    collector.add("transcript", "mic", 1.0, 1.0, "hel", INTERIM)
    content = collector.content("Events")
    assert (content.events, content.interim, content.entries) == (1, 1, [])
    assert content.notes == ["1 interim transcript is counted and not listed: final ones replace them."]
    listing = Collector(budget=1_000_000, lists_interim=True)
    listing.add("transcript", "mic", 1.0, 1.0, "hel", INTERIM)
    assert [entry.flags for entry in listing.content("Events").entries] == [INTERIM]


def test_long_texts_are_cut_and_it_says_so() -> None:
    collector = Collector(budget=1_000_000)
    collector.add("visual_index", "display:1", 1.0, 1.0, "x" * 10_000_000)
    content = collector.content("Events")
    assert (len(content.entries[0].text), content.entries[0].flags) == (4000, CUT)
    assert "1 long event is cut to 4,000 characters" in content.notes[0]


def test_a_log_of_thousands_of_streams_gets_no_thousands_of_rows() -> None:
    collector = Collector(budget=1_000_000)
    for number in range(5000):
        collector.add("transcript", f"stream {number}", float(number), float(number), "x")
    content = collector.content("Events")
    assert len(content.lanes) == 41
    assert sum(lane.count for lane in content.lanes) == 5000


def test_more_gaps_than_a_page_shows_are_told() -> None:
    collector = Collector(budget=1000)
    for number in range(5003):
        collector.add_gap(Gap(number, number + 0.5, ""))
    content = collector.content("Events")
    assert len(content.gaps) == 5000
    assert content.notes == ["3 more gaps are in the log."]
