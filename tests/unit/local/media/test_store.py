from pathlib import Path

import pytest

from videodb_cli.local.media.store import MediaStore, cut_playlist, playlist_began_at

PLAYLIST = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-PLAYLIST-TYPE:EVENT
#EXT-X-MAP:URI="init.mp4"
#EXTINF:2.000000,
a.m4s
#EXTINF:1.500000,
b.m4s
#EXTINF:2.000000,
c.m4s
"""


@pytest.mark.parametrize(
    ("start", "end", "names"),
    [
        (0, 100, ["a.m4s", "b.m4s", "c.m4s"]),
        (0, 2, ["a.m4s"]),
        (1.9, 2.1, ["a.m4s", "b.m4s"]),
        (3.5, 9, ["c.m4s"]),
    ],
)
def test_a_cut_holds_what_it_touches(start: float, end: float, names: list[str]) -> None:
    cut = cut_playlist(PLAYLIST, start, end)
    assert cut is not None
    assert [line for line in cut.splitlines() if not line.startswith("#")] == names
    assert cut.startswith("#EXTM3U\n")
    assert '#EXT-X-MAP:URI="init.mp4"' in cut
    assert cut.count("#EXTINF") == len(names)
    assert cut.endswith("#EXT-X-ENDLIST\n")
    assert "EVENT" not in cut


def test_a_cut_of_nothing_is_nothing() -> None:
    assert cut_playlist(PLAYLIST, 6, 9) is None
    assert cut_playlist("", 0, 9) is None
    assert cut_playlist("#EXTM3U\nno-duration.m4s\n", 0, 9) is None


def test_a_playlist_says_when_it_began() -> None:
    dated = PLAYLIST + "#EXT-X-PROGRAM-DATE-TIME:2026-03-02T10:15:30.500+0000\n#EXTINF:1,\nd.m4s\n"
    assert playlist_began_at(dated) == 1772446530.5
    assert playlist_began_at(PLAYLIST) is None
    assert playlist_began_at("#EXT-X-PROGRAM-DATE-TIME:yesterday\n") is None


@pytest.fixture
def store(tmp_path: Path) -> MediaStore:
    store = MediaStore(tmp_path / "media")
    store.open()
    return store


def test_directories_are_private_and_unguessable(store: MediaStore) -> None:
    media_id, directory = store.create_directory()
    assert len(media_id) == 32
    assert directory.stat().st_mode & 0o777 == 0o700
    assert store.run.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "name", ["../x.mp4", "/etc/passwd", ".hidden.mp4", "a/b.mp4", "secret.txt", "", "..", "x.mp4\n"]
)
def test_no_name_leads_out_of_the_directory(store: MediaStore, name: str) -> None:
    media_id, directory = store.create_directory()
    (directory / ".hidden.mp4").touch()
    (directory / "secret.txt").touch()
    assert store.path(media_id, name) is None


def test_links_are_not_followed(store: MediaStore, tmp_path: Path) -> None:
    media_id, directory = store.create_directory()
    (tmp_path / "outside.mp4").touch()
    (directory / "link.mp4").symlink_to(tmp_path / "outside.mp4")
    (directory / "file.mp4").touch()
    assert store.path(media_id, "link.mp4") is None
    assert store.path(media_id, "file.mp4") == directory / "file.mp4"
    assert store.path("other", "file.mp4") is None


def test_an_export_shares_the_hls_of_its_recording(store: MediaStore) -> None:
    recording, directory = store.create_directory()
    (directory / "index.m3u8").touch()
    export, own = store.create_directory(hls_of=recording)
    (own / "export.mp4").touch()
    assert store.path(export, "index.m3u8") == directory / "index.m3u8"
    assert store.path(export, "export.mp4") == own / "export.mp4"
    assert store.path(recording, "export.mp4") is None


def test_media_go_with_the_service_unless_kept(store: MediaStore) -> None:
    store.create_directory()
    store.close(keep=False)
    assert not store.root.exists()


def test_kept_media_survive_the_next_run_and_leftovers_do_not(store: MediaStore) -> None:
    _, directory = store.create_directory()
    store.close(keep=True)
    crashed = MediaStore(store.root)
    crashed.open()
    crashed.create_directory()
    following = MediaStore(store.root)
    following.open()
    assert directory.is_dir()
    assert not crashed.run.exists()
