import base64
import json
import zlib

from tests.fakes.pages import page_data, rows_of
from videodb_cli.page.content import Entry, Gap, Lane, PageContent, Video
from videodb_cli.page.document import iter_page
from videodb_cli.page.payload import fields, payload

CONTENT = PageContent(
    title="T",
    lanes=[Lane("transcript", "mic", 3, 1, {6980000000: 2, 6980000004: 1}), Lane("alert", "display:1", 1)],
    bin_s=0.25,
    entries=[
        Entry(1745000000.25, 1745000001.25, 0, "a"),
        Entry(1745000001.0, 1745000001.0, 1, "b", 1),
        Entry(1745000002.0, 1745000001.0, 0, "a"),
    ],
    gaps=[Gap(1745000003.0, 1745000004.5, "why")],
    videos=[Video("m-1", 1745000000.5, hls="https://example.com/x.m3u8")],
    events=4,
    first=1745000000.25,
    last=1745000002.0,
)


def test_times_are_milliseconds_since_a_whole_second() -> None:
    found = fields(CONTENT)
    assert (found["zero"], found["first"], found["last"]) == (1745000000.0, 250, 2000)
    assert (found["t"], found["d"], found["gaps"]) == ([250, 750, 1000], [1000, 0, 0], [[3000, 4500, "why"]])
    assert found["videos"][0]["start"] == 500
    assert (found["bin"], found["lanes"][0]["first"], found["lanes"][0]["bins"]) == (250, 0, [0, 2, 4, 1])


def test_texts_come_back_by_their_numbers() -> None:
    page = b"".join(iter_page(CONTENT))
    assert rows_of(page) == [
        (250.0, "transcript", "mic", "a", 0),
        (1000.0, "alert", "display:1", "b", 1),
        (2000.0, "transcript", "mic", "a", 0),
    ]
    assert page_data(page)["texts"] == ["a", "b"]


def test_half_a_surrogate_pair_survives() -> None:
    content = PageContent(title="T", lanes=[Lane("x", "")], entries=[Entry(1.0, 1.0, 0, "a\ud800b")])
    data = json.loads(zlib.decompress(base64.b64decode(payload(content))))
    assert data["texts"] == ["a\ud800b"]


def test_an_empty_page_has_data() -> None:
    assert fields(PageContent(title="T"))["zero"] == 0.0
