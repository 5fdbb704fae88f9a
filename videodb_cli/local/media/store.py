"""Recordings on disk and the URLs under which they are played.

Each recording has a directory under an unguessable id, and that id is all one needs to play it: media URLs are handed
to players, which send no header of ours. Only plain names with known endings are served, so no id leads out of its
directory.
"""

from __future__ import annotations

import math
import re
import secrets
import shutil
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from videodb_cli.errors import RefusedError
from videodb_cli.rundir import private

if TYPE_CHECKING:
    from collections.abc import Sequence

MEDIA_TYPES: Final = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mp4": "video/mp4",
    ".m4s": "video/iso.segment",
    ".ts": "video/mp2t",
    ".jpg": "image/jpeg",
}
PLAYLIST: Final = "index.m3u8"
EXPORT: Final = "export.mp4"
RECORDING: Final = "stream.mp4"  # of a stream, fragmented: it can be played while it grows
CAP_BYTES: Final = 5 * 1024**3
_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\Z")
_EXTINF = re.compile(r"#EXTINF:\s*([0-9.]+)")
_DATE_TIME = re.compile(r"^#EXT-X-PROGRAM-DATE-TIME:(.+)$", re.MULTILINE)
_KEPT_MARK = "kept"


@dataclass(frozen=True, slots=True)
class Entry:
    """One playable thing: its own directory, and the recording whose HLS files it shares, if any."""

    directory: Path
    hls: Path


class MediaStore:
    """All recordings of one run of the service, below ``root/<random>``. Not thread-safe, but for `usage`."""

    def __init__(self, root: Path, *, cap_bytes: int = CAP_BYTES) -> None:
        self.root = root
        self.cap_bytes = cap_bytes
        self.run = root / secrets.token_hex(8)
        self._entries: dict[str, Entry] = {}

    def open(self) -> None:
        """Remove what a run left behind that ended without its clean-up, and make this run's directory (0700).

        Raises RefusedError.
        """
        try:
            private.make_directories(self.root)
            for old in self.root.iterdir():
                if not (old / _KEPT_MARK).exists() and old.is_dir() and not old.is_symlink():
                    shutil.rmtree(old, ignore_errors=True)
            self.run.mkdir(mode=0o700)
        except OSError as error:
            raise RefusedError(f"cannot keep media in {self.root}: {error.strerror}", code="directory") from error

    def close(self, *, keep: bool) -> None:
        """Remove the media of this run, or mark them as kept, so that the next run leaves them alone."""
        if keep and self._entries:
            (self.run / _KEPT_MARK).touch(mode=0o600)
            return
        shutil.rmtree(self.run, ignore_errors=True)
        if not keep and self.root.is_dir() and not any(self.root.iterdir()):
            self.root.rmdir()

    def create_directory(self, *, hls_of: str | None = None) -> tuple[str, Path]:
        """A new unguessable id and its directory. With ``hls_of``, HLS files come from that recording."""
        media_id = secrets.token_hex(16)
        directory = self.run / media_id
        directory.mkdir(mode=0o700)
        hls = self._entries[hls_of].hls if hls_of is not None else directory
        self._entries[media_id] = Entry(directory, hls)
        return media_id, directory

    def remove(self, media_id: str) -> None:
        """Forget one recording and delete its files."""
        entry = self._entries.pop(media_id, None)
        if entry is not None:
            shutil.rmtree(entry.directory, ignore_errors=True)

    def path(self, media_id: str, name: str) -> Path | None:
        """The file ``name`` of a recording, or ``None`` if there is none that may be served."""
        entry = self._entries.get(media_id)
        if entry is None or _NAME.match(name) is None or Path(name).suffix not in MEDIA_TYPES:
            return None
        path = (entry.directory if name == EXPORT else entry.hls) / name
        try:
            regular = stat.S_ISREG(path.lstat().st_mode)
        except OSError:
            return None
        return path if regular else None

    def recording(self, media_id: str) -> Path | None:
        """The fragmented MP4 of a stream, if anything of it was recorded."""
        path = self.path(media_id, RECORDING)
        return path if path is not None and path.stat().st_size else None

    def hls_directory(self, media_id: str) -> Path:
        """Where all files of a recording are but its export. Raises KeyError."""
        return self._entries[media_id].hls

    def sharing(self, media_id: str) -> list[str]:
        """The other recordings that are played from the files of this one."""
        entry = self._entries.get(media_id)
        if entry is None:
            return []
        return [other for other, found in self._entries.items() if other != media_id and found.hls == entry.directory]

    def has(self, media_id: str) -> bool:
        """Whether there is such a recording."""
        return media_id in self._entries

    def ids(self) -> list[str]:
        """All recordings, oldest first."""
        return list(self._entries)

    def usage(self) -> int:
        """Bytes of all media, kept ones of earlier runs included. Reads the disk: call it in a thread."""
        total = 0
        for path in self.root.rglob("*"):
            try:
                total += path.stat().st_size if path.is_file() else 0
            except OSError:
                continue  # removed while we looked
        return total


def cut_playlist(text: str, start_s: float, end_s: float) -> str | None:
    """The part of an HLS media playlist that touches ``start_s``…``end_s``, in seconds from its beginning.

    The answer is complete (VOD) whether or not the recording goes on. ``None`` if no segment touches the span.
    """
    header: list[str] = []
    pending: list[str] = []
    chosen: list[str] = []
    at = 0.0
    longest = 1.0
    duration: float | None = None
    for line in text.splitlines():
        if line.startswith(("#EXTM3U", "#EXT-X-VERSION", "#EXT-X-MAP", "#EXT-X-INDEPENDENT-SEGMENTS")):
            header.append(line)
        elif line.startswith("#EXTINF"):
            found = _EXTINF.match(line)
            duration = float(found.group(1)) if found else 0.0
            pending.append(line)
        elif line.startswith(("#EXT-X-DISCONTINUITY", "#EXT-X-PROGRAM-DATE-TIME", "#EXT-X-BYTERANGE")):
            if not line.startswith("#EXT-X-DISCONTINUITY-SEQUENCE"):
                pending.append(line)
        elif line and not line.startswith("#") and duration is not None:
            if at < end_s and at + duration > start_s:
                chosen += [*pending, line]
                longest = max(longest, duration)
            at += duration
            pending, duration = [], None
    if not chosen:
        return None
    lines = [
        *header,
        f"#EXT-X-TARGETDURATION:{math.ceil(longest)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        *chosen,
        "#EXT-X-ENDLIST",
    ]
    return "\n".join(lines) + "\n"


def join_playlists(parts: Sequence[tuple[str, str]]) -> str:
    """One VOD playlist of several that are complete: each ``(prefix, text)`` with the prefix for its files' names."""
    body: list[str] = []
    longest = 1
    for number, (prefix, text) in enumerate(parts):
        if number:
            body.append("#EXT-X-DISCONTINUITY")
        for line in text.splitlines():
            if line.startswith("#EXT-X-MAP"):
                body.append(line.replace('URI="', f'URI="{prefix}'))
            elif line.startswith(("#EXTINF", "#EXT-X-DISCONTINUITY", "#EXT-X-BYTERANGE")):
                body.append(line)
            elif line.startswith("#EXT-X-TARGETDURATION:"):
                longest = max(longest, int(line.partition(":")[2]))
            elif line and not line.startswith("#"):
                body.append(prefix + line)
    header = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{longest}", "#EXT-X-MEDIA-SEQUENCE:0"]
    return "\n".join([*header, "#EXT-X-PLAYLIST-TYPE:VOD", *body, "#EXT-X-ENDLIST"]) + "\n"


def playlist_length(text: str) -> float:
    """The seconds that all segments of a playlist last together."""
    return sum(float(found) for found in _EXTINF.findall(text))


def playlist_began_at(text: str) -> float | None:
    """The unix second at which the first segment of a playlist was played, if it says so."""
    found = _DATE_TIME.search(text)
    if found is None:
        return None
    try:
        return datetime.fromisoformat(found.group(1).strip()).timestamp()
    except ValueError:
        return None
