"""Exported videos and sounds, driven by the official SDK: found, played, read, searched, compiled, renamed, removed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import videodb
from videodb.exceptions import InvalidRequestError, SearchError

from tests.e2e.description import Description
from tests.e2e.program import eventually
from tests.fakes.pages import page_data
from videodb_cli.local.analysis.base import AnalysisRecord, Word
from videodb_cli.local.http.server import Running

SENTENCES = ("The budget was approved. Nobody objected.", "Lunch is at noon.")


@pytest.fixture
def conn(service: Running) -> Iterator[Any]:
    conn = videodb.connect(base_url=service.url, api_key=service.key)
    conn.session.hooks["response"].append(Description().on_response)
    yield conn
    conn.session.close()


@pytest.fixture
def coll(conn: Any) -> Any:
    return conn.get_collection()


@pytest.fixture
def record(coll: Any, clip: Path, sources: Any) -> Callable[..., Any]:
    """A finished recording of five seconds; sentence N was spoken in its second 2N + 1, in a quarter second a word."""

    def record(*sentences: str, name: str = "talk", seen: str = "", media_types: Any = ("video", "audio")) -> Any:
        sources.media_types = tuple(media_types)
        stream = coll.connect_rtstream(url=str(clip), name=name, media_types=list(media_types), store=True)
        began = sources.made[-1].began_at = time.time()
        if sentences:
            stream.start_transcript()
        if seen:
            stream.index_visuals(prompt="read")
        for number, sentence in enumerate(sentences):
            at = began + 2 * number + 1
            words = [
                Word(word, at + 0.25 * place, at + 0.25 * (place + 1)) for place, word in enumerate(sentence.split())
            ]
            sources.say(AnalysisRecord("transcript", sentence, at, words[-1].end, True, "whisper", words=tuple(words)))
        if seen:
            sources.say(AnalysisRecord("visual_index", seen, began + 3, began + 4, True, "ocr"))
        if sentences:
            eventually(lambda: stream.get_transcript()["total_count"] == len(sentences))
        stream.stop()
        return stream

    return record


def get(url: str) -> httpx.Response:
    return httpx.get(url, timeout=10)


def files_of(playlist_url: str) -> list[str]:
    lines = get(playlist_url).raise_for_status().text.splitlines()
    return [line.rpartition("/")[2] for line in lines if line and not line.startswith("#")]


def test_an_export_is_a_video_of_its_collection(record: Callable[..., Any], coll: Any) -> None:
    assert coll.get_videos() == []
    stream = record()
    exported = stream.export(name="Monday")
    video = coll.get_video(exported.video_id)
    assert (video.id, video.name, video.length, video.collection_id) == (exported.video_id, "Monday", 5.0, "default")
    assert (video.stream_url, video.player_url) == (exported.stream_url, exported.player_url)
    assert [one.id for one in coll.get_videos()] == [video.id]
    assert coll.get_rtstream(stream.id)._connection.get(path=f"rtstream/{stream.id}")["exported_asset_id"] == video.id
    second = record().export()
    assert [one.id for one in coll.get_videos()] == [second.video_id, video.id], "the newest comes first"
    page = video.get_embed_code().partition('src="')[2].partition('"')[0]
    assert page_data(get(page).raise_for_status().text)["videos"][0]["mp4"]


def test_a_video_streams_whole_and_in_spans(record: Callable[..., Any], coll: Any) -> None:
    video = coll.get_video(record().export().video_id)
    assert files_of(video.generate_stream()) == ["seg0.m4s", "seg1.m4s", "seg2.m4s"]
    one = video.generate_stream(timeline=[(2.5, 3.5)])
    assert files_of(one) == ["seg1.m4s"]
    assert page_data(get(video.player_url).text)["videos"][0]["mp4"].endswith("#t=2.500,3.500")
    several = video.generate_stream(timeline=[(4.2, 5.0), (0, 1)])
    assert files_of(several) == ["seg2.m4s", "seg0.m4s"]
    text = get(several).text
    assert text.count("#EXT-X-DISCONTINUITY") == 1
    assert text.count("#EXT-X-ENDLIST") == 1
    segment = next(line for line in text.splitlines() if line.endswith("seg2.m4s"))
    origin = urlsplit(several)
    assert get(f"{origin.scheme}://{origin.netloc}{segment}").status_code == 200
    assert video.generate_stream(timeline=[(4.2, 5.0), (0, 1)]) == several, "the same spans are compiled once"
    assert page_data(get(video.player_url).text)["videos"][0]["parts"]
    assert files_of(video.generate_stream(timeline=[(3, 3)])) == ["seg1.m4s"], "clients cut moments to whole seconds"
    for span in ((7, 9), (3, 2)):
        with pytest.raises(InvalidRequestError):
            video.generate_stream(timeline=[span])


def test_the_transcript_is_what_was_recognised_in_seconds_of_the_video(record: Callable[..., Any], coll: Any) -> None:
    video = coll.get_video(record(*SENTENCES).export().video_id)
    words = video.get_transcript()
    assert [word["text"] for word in words] == " ".join(SENTENCES).split()
    assert words[0]["start"] == pytest.approx(1, abs=0.3)
    assert words[6]["start"] == pytest.approx(3, abs=0.3)
    assert video.get_transcript_text() == " ".join(SENTENCES)
    assert [one["text"] for one in video.get_transcript(segmenter="sentence")] == [
        "The budget was approved.",
        "Nobody objected.",
        "Lunch is at noon.",
    ]
    timed = video.get_transcript(segmenter="time", length=2)
    assert [(one["start"], one["end"]) for one in timed] == [(0, 2), (2, 4)]
    assert "Lunch" not in video.get_transcript_text(start=0, end=2)
    assert video.generate_transcript()["success"] is True
    with pytest.raises(InvalidRequestError, match="segmenter must be one of"):
        coll._connection.get(path=f"video/{video.id}/transcription", params={"segmenter": "chapter"})


def test_speech_that_was_not_recognised_is_said_to_be_missing(record: Callable[..., Any], coll: Any) -> None:
    video = coll.get_video(record().export().video_id)
    for call in (video.get_transcript, video.get_transcript_text, video.generate_transcript, video.index_spoken_words):
        with pytest.raises(InvalidRequestError, match="no speech was recognised"):
            call()


def test_search_finds_what_was_said_and_shown(record: Callable[..., Any], coll: Any) -> None:
    video = coll.get_video(record(*SENTENCES, seen="Release checklist").export().video_id)
    with pytest.raises(InvalidRequestError, match="call index_spoken_words"):
        video.search("budget", search_type="semantic")
    video.index_spoken_words()
    video.index_spoken_words()
    for found in (
        video.search("approved budget", search_type="semantic"),
        video.search("budget", search_type="keyword", index_type="spoken_word"),
        coll.search("budget", search_type="semantic"),
        video.search("budget"),
        coll.search("budget", top_k=3),
    ):
        shot = found.get_shots()[0]
        assert (shot.video_id, shot.video_title, shot.video_length) == (video.id, video.name, 5.0)
        assert shot.text == SENTENCES[0]
        assert shot.start == pytest.approx(1, abs=0.3)
        assert files_of(shot.generate_stream())
        assert files_of(found.compile())
        assert found.get_shots()[0].search_score > 0
    shown = video.search("checklist", index_type="scene").get_shots()
    assert [(shot.text, shot.start) for shot in shown] == [("Release checklist", pytest.approx(3, abs=0.3))]
    assert shown[0].scene_index_id.startswith("idx-")
    assert video.search("checklist").get_shots()[0].scene_index_id == shown[0].scene_index_id
    clipped = video.search("checklist", include_clip=True).get_shots()[0]
    assert files_of(clipped.stream_url)
    nothing = video.search("zebra")
    assert nothing.get_shots() == []
    with pytest.raises(SearchError):
        nothing.compile()


def test_results_of_several_videos_are_compiled(record: Callable[..., Any], coll: Any) -> None:
    videos = [coll.get_video(record(sentence, name=sentence).export().video_id) for sentence in SENTENCES]
    for video in videos:
        video.index_spoken_words()
    results = coll.search("budget lunch", search_type="semantic")
    assert {shot.video_id for shot in results} == {video.id for video in videos}
    assert len(files_of(results.compile())) >= 2
    assert page_data(get(results.player_url).text)["videos"][0]["parts"]
    described = {"inputs": [{"media_id": videos[0].id, "start_time": 0, "end_time": 1}]}
    assert files_of(coll._connection.post(path="compile", data=described)["stream_url"]) == ["seg0.m4s"]
    inserted = files_of(videos[0].insert_video(videos[1], 2.0))
    assert [name[3] for name in inserted] == list("001212")


def test_a_search_where_nothing_is_indexed_warns(record: Callable[..., Any], coll: Any) -> None:
    video = coll.get_video(record().export().video_id)
    with pytest.warns(UserWarning, match="Nothing is indexed"):
        assert video.search("budget").get_shots() == []


def test_a_video_is_renamed_and_removed(record: Callable[..., Any], coll: Any) -> None:
    stream = record()
    video = coll.get_video(stream.export().video_id)
    video.update(name="Tuesday")
    assert video.name == coll.get_video(video.id).name == "Tuesday"
    several = video.generate_stream(timeline=[(0, 1), (4, 5)])
    video.delete()
    assert coll.get_videos() == []
    assert get(several).status_code == 404
    for call in (video.delete, lambda: coll.get_video(video.id), lambda: coll.delete_video(video.id)):
        with pytest.raises(InvalidRequestError, match=f"Video {video.id} was not found"):
            call()
    assert "exported_asset_id" not in coll._connection.get(path=f"rtstream/{stream.id}")
    assert coll.get_video(stream.export().video_id).length == 5.0, "its recording is still there"


def test_sound_without_a_picture_is_an_audio(record: Callable[..., Any], coll: Any) -> None:
    exported = record(*SENTENCES, media_types=["audio"]).export(name="mic")
    assert coll.get_videos() == []
    audio = coll.get_audio(exported.video_id)
    assert [(one.id, one.name, one.length) for one in coll.get_audios()] == [(audio.id, "mic", 5.0)]
    assert audio.id.startswith("a-")
    assert get(audio.generate_url()).headers["content-type"] == "video/mp4"
    assert audio.get_transcript_text() == " ".join(SENTENCES)
    with pytest.raises(InvalidRequestError, match="was not found"):
        coll.get_video(audio.id)
    audio.delete()
    assert coll.get_audios() == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "video/{id}/stream", {"timeline": "all"}),
        ("POST", "video/{id}/stream", {"timeline": [[0]]}),
        ("POST", "video/{id}/stream", {"timeline": [["0", "1"]]}),
        ("POST", "video/{id}/stream", {"timeline": [[True, 1]]}),
        ("POST", "video/{id}/stream", {"timeline": [[0, 1]] * 1001}),
        ("POST", "video/{id}/stream", {"timeline": [[-1e308, -1e307]]}),
        ("POST", "video/{id}/stream", [[0, 1]]),
        ("POST", "video/{id}/search", {"query": ["a"]}),
        ("POST", "video/{id}/search", {"query": "a", "search_type": {}}),
        ("POST", "video/{id}/search/v2", {"query": "a", "top_k": 1e9}),
        ("POST", "video/{id}/search/v2", {"query": "a", "score_threshold": []}),
        ("POST", "collection/default/search", {}),
        ("POST", "video/{id}/index", {"index_type": "scene"}),
        ("POST", "compile", {}),
        ("POST", "compile", []),
        ("POST", "compile", ["m-1"]),
        ("POST", "compile", [{"video_id": ["{id}"], "shots": [[0, 1]]}]),
        ("POST", "compile", [{"video_id": "{id}", "shots": 4}]),
        ("PATCH", "video/{id}", {"name": 4}),
        ("PATCH", "video/{id}", {"length": 4}),
        ("GET", "video/{id}/transcription?length=0", None),
        ("GET", "video/{id}/transcription?start=nan", None),
        ("GET", "video?page_index=-1", None),
    ],
)
def test_hostile_input_is_refused_in_a_sentence(
    record: Callable[..., Any], service: Running, method: str, path: str, body: Any
) -> None:
    video = record().export().video_id
    headers = {"x-access-token": service.key}
    answer = httpx.request(method, f"{service.url}/{path.format(id=video)}", json=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json().keys() == {"success", "message", "error_code"}


def test_what_is_played_from_the_files_of_a_recording_goes_with_it(
    record: Callable[..., Any], coll: Any, service: Running
) -> None:
    stream = record()
    kept = coll.get_video(record().export().video_id)
    video = coll.get_video(stream.export().video_id)
    both = coll._connection.post(
        path="compile", data=[{"video_id": one.id, "shots": [[0, 1]]} for one in (kept, video)]
    )["stream_url"]
    assert get(both).status_code == 200
    media_id = service.service.state.streams[stream.id].recordings[0].media_id
    asyncio.run_coroutine_threadsafe(service.service.drop_media(media_id), service.loop).result(10)
    assert [one.id for one in coll.get_videos()] == [kept.id]
    assert get(both).status_code == 404
    assert get(kept.stream_url).status_code == 200
