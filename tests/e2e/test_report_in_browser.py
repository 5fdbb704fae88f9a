"""The page of a session in a real browser, as a user meets it: from a file, without a network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import Browser

from tests.e2e.pages import MARKS, Opened, browser, report, session_log

__all__ = ["browser"]
pytestmark = MARKS
# Screenshots of the run stay here if it is set.
KEPT = os.environ.get("VIDEODB_SCREENSHOTS")


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report(tmp_path_factory.mktemp("hour"), session_log())


@pytest.fixture
def opened(browser: Browser, hour: Path) -> Iterator[Opened]:
    found = Opened(browser, hour.as_uri())
    yield found
    found.context.close()
    assert found.errors == []
    assert [url for url in found.requests if not url.startswith(hour.as_uri())] == [], "a page asks nobody"


def test_an_alert_and_what_was_said_before_it_are_two_looks_away(opened: Opened) -> None:
    page = opened.page
    alert = page.locator("#moments .moment.c-alert").first
    assert "keys_mentioned" in alert.inner_text()
    assert "“Before we ship, rotate the access keys for the production server.”" in alert.inner_text()
    alert.click()
    chosen = page.locator(".row.chosen")
    assert "keys_mentioned" in chosen.inner_text()
    assert chosen.get_attribute("aria-current") == "true"
    said = page.get_by_role("listitem").filter(has_text="rotate the access keys for the production")
    assert said.first.is_visible()
    opened.until("location.hash.startsWith('#t=')")


def test_wheel_buttons_keys_and_drag_move_the_time_line(opened: Opened) -> None:
    page = opened.page
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    whole = opened.view()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    page.mouse.wheel(0, -600)
    near = opened.view()
    assert near[1] - near[0] < (whole[1] - whole[0]) / 2
    assert (near[0] + near[1]) / 2 == pytest.approx((whole[0] + whole[1]) / 2, rel=0.01), "around the pointer"
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 - 200, box["y"] + 40, steps=4)
    page.mouse.up()
    assert opened.view()[0] > near[0]
    page.locator("#canvas").focus()
    page.keyboard.press("Shift+ArrowLeft")
    back = opened.view()
    page.keyboard.press("+")
    assert opened.view()[1] - opened.view()[0] == pytest.approx((back[1] - back[0]) / 2)
    page.keyboard.press("0")
    assert opened.view() == pytest.approx(whole)
    before = page.locator("#canvas").get_attribute("aria-valuetext")
    page.keyboard.press("ArrowRight")
    assert page.locator("#canvas").get_attribute("aria-valuetext") != before
    page.get_by_role("button", name="Zoom in").click()
    assert opened.view()[1] - opened.view()[0] == pytest.approx((whole[1] - whole[0]) / 2)
    page.get_by_role("button", name="All", exact=True).click()
    assert opened.view() == pytest.approx(whole)


def test_two_fingers_zoom(browser: Browser, hour: Path) -> None:
    opened = Opened(browser, hour.as_uri(), has_touch=True, viewport={"width": 390, "height": 844})
    box = opened.page.locator("#canvas").bounding_box()
    assert box is not None
    session = opened.context.new_cdp_session(opened.page)
    middle, y = box["x"] + box["width"] / 2, box["y"] + 40
    before = opened.view()

    def touch(kind: str, *spots: float) -> None:
        points = [{"x": x, "y": y, "id": number} for number, x in enumerate(spots)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", middle - 20, middle + 20)
    for spread in (30, 50, 80):
        touch("touchMove", middle - spread, middle + spread)
    touch("touchEnd")
    opened.until(f"P.timeline.view.to - P.timeline.view.from < {(before[1] - before[0]) * 0.6}")
    assert opened.errors == []
    opened.context.close()


def test_a_click_on_the_time_line_shows_the_event_in_the_list_and_back(opened: Opened) -> None:
    page = opened.page
    row = opened.evaluate("P.model.page.lanes.find(l => l.channel === 'alert').rows[3]")
    opened.evaluate(f"P.timeline.show(P.model.rows.at[{row}] - 20000, P.model.rows.at[{row}] + 20000)")
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    lane = opened.evaluate("P.model.page.lanes.findIndex(l => l.channel === 'alert')")
    page.mouse.click(box["x"] + box["width"] / 2 + 2, box["y"] + 26 + 27 * lane + 12)
    assert opened.evaluate("P.model.chosen") == row
    assert page.locator(".row.chosen").is_visible()
    other = page.locator(".row:not(.chosen):not(.gap-row)").nth(2)
    other.locator(".time").click()
    assert opened.evaluate("P.model.chosen") != row
    assert opened.evaluate("P.model.now >= P.timeline.view.from && P.model.now <= P.timeline.view.to")


def test_search_marks_counts_and_steps(opened: Opened) -> None:
    page = opened.page
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type("ZÜRICH cache")
    page.keyboard.press("Enter")
    assert page.locator("#found").inner_text() == "no match"
    page.locator("#search").fill("zürich")
    page.keyboard.press("Enter")
    opened.until("document.querySelector('.row.chosen mark') !== null")
    assert page.locator(".row.chosen mark").first.inner_text() == "Zürich"
    assert page.locator("#found").inner_text().startswith("1 of ")
    first = opened.evaluate("P.model.chosen")
    page.keyboard.press("Enter")
    assert opened.evaluate("P.model.chosen") > first
    page.keyboard.press("Shift+Enter")
    assert opened.evaluate("P.model.chosen") == first
    page.get_by_label("only matches").check()
    assert opened.evaluate("P.model.items.length") == opened.evaluate("P.model.hits.length")
    page.locator("#search").fill("")
    opened.until("!P.model.isHit")


def test_rows_and_channels_can_be_hidden(opened: Opened) -> None:
    page = opened.page
    count = opened.evaluate("P.model.items.length")
    chip = page.get_by_role("group", name="Channels").get_by_role("button", name="screen")
    chip.click()
    assert chip.get_attribute("aria-pressed") == "false"
    assert opened.evaluate("P.model.items.length") < count
    assert page.locator(".row.c-visual_index").count() == 0
    chip.click()
    page.get_by_role("group", name="Rows to show").get_by_role("button").first.click()
    assert opened.evaluate("P.model.items.every(i => i < 0 || P.model.rows.lane[i] !== 0)")
    page.get_by_role("group", name="Rows to show").get_by_role("button").first.click()
    page.get_by_label("Stream", exact=True).select_option("display:1")
    streams = opened.evaluate("[...new Set(P.model.items.filter(i => i >= 0).map(i => P.model.laneOf(i).stream))]")
    assert streams == ["display:1"]


def test_gaps_and_recovered_events_are_told_in_words(opened: Opened) -> None:
    page = opened.page
    page.locator("#moments .moment.gap").click()
    gap = page.locator(".gap-row")
    assert "Gap of 86 s" in gap.inner_text()
    assert "no pong · alerts of that time cannot be read back" in gap.inner_text()
    assert "recovered" in page.locator(".row.is-recovered .tag").first.inner_text()
    facts = page.locator("#facts").inner_text()
    assert "1 gap, 86 s" in facts
    assert "recovered" in facts


def test_the_list_is_walked_by_keys(opened: Opened) -> None:
    page = opened.page
    page.get_by_role("list", name="Events, in order of time").focus()
    page.keyboard.press("End")
    last = opened.evaluate("P.model.chosen")
    assert last == opened.evaluate("P.model.rows.count") - 1
    page.keyboard.press("ArrowUp")
    assert opened.evaluate("P.model.chosen") == last - 1
    page.keyboard.press("Home")
    page.keyboard.press("j")
    assert opened.evaluate("P.model.chosen") == 1
    assert page.locator(".row.chosen").is_visible()
    position = page.locator(".row.chosen").get_attribute("aria-posinset")
    assert position == "2"


@pytest.mark.parametrize(
    ("fragment", "seconds"),
    [("#t=12:03", 723), ("#t=0:00:30", 30), ("#t=723s", 723), ("#t=2026-03-02T10:30:00Z&q=keys", None)],
)
def test_links_lead_to_a_moment(browser: Browser, hour: Path, fragment: str, seconds: int | None) -> None:
    opened = Opened(browser, hour.as_uri() + fragment)
    if seconds is None:
        assert opened.evaluate("P.model.now + P.model.page.zero * 1000") == 1772447400000
        assert opened.page.locator("#search").input_value() == "keys"
        assert opened.evaluate("P.model.hits.length") > 0
    else:
        assert opened.evaluate("P.model.now - P.model.page.first") == seconds * 1000
    opened.evaluate("location.hash = '#t=1:00'")
    opened.until("P.model.now - P.model.page.first === 60000")
    opened.context.close()


def test_nothing_runs_that_is_not_of_the_page(opened: Opened) -> None:
    page = opened.page
    page.evaluate("""() => { const s = document.createElement('script'); s.textContent = 'window.hacked = 1';
        document.body.append(s);
        document.body.insertAdjacentHTML('beforeend', '<i id=x onclick="window.hacked=1"></i>');
        document.getElementById('x').click(); }""")
    refused = page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', error => error.name)")
    assert refused == "TypeError"
    assert page.evaluate("window.hacked") is None
    assert len([error for error in opened.errors if "Content Security Policy" in error]) >= 3
    opened.errors.clear()
    opened.requests[:] = [url for url in opened.requests if "127.0.0.1:9" not in url]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1360, 390])
def test_axe_finds_nothing_serious(browser: Browser, hour: Path, scheme: str, width: int) -> None:
    pytest.importorskip("axe_playwright_python")
    axe = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text()
    opened = Opened(
        browser, hour.as_uri() + "#t=25:00&q=keys", color_scheme=scheme, viewport={"width": width, "height": 844}
    )
    opened.page.evaluate(axe)
    found = opened.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    bad = [
        (one["id"], one["impact"], [node["html"][:160] for node in one["nodes"]][:3])
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]
    assert bad == []
    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
    if KEPT:
        opened.page.screenshot(path=Path(KEPT) / f"report-{scheme}-{width}.png")
    opened.context.close()


def test_the_theme_can_be_chosen(opened: Opened) -> None:
    page = opened.page
    back = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(back)
    page.get_by_role("button", name="Use the dark theme").click()
    assert page.evaluate(back) != light
    page.get_by_role("button", name="Use the light theme").click()
    assert page.evaluate(back) == light


def test_it_prints_its_events(opened: Opened, tmp_path: Path) -> None:
    page = opened.page
    page.evaluate("window.addEventListener('afterprint', () => { window.printed = true; })")
    page.locator("#search").fill("access keys")
    page.get_by_label("only matches").check()
    opened.until("P.model.hits.length > 100")
    target = Path(KEPT) / "report.pdf" if KEPT else tmp_path / "report.pdf"
    page.pdf(path=target, format="A4", print_background=True)
    assert target.read_bytes().startswith(b"%PDF")
    assert target.read_bytes().count(b"/Type /Page\n") >= 3, "the list goes on over the pages"
    opened.until("window.printed && !P.list.isPrinting")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    hits = opened.evaluate("P.model.hits.length")
    assert page.locator(".row").count() == hits
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator(".row").count() < hits
