"""Finished recordings that are asked for by an id: videos (``m-…``) and sounds (``a-…``). Pure; for the loop's thread.

An asset knows of which stretches of which streams it was made, so that what was recognised on them while they ran is
found again at its second of the asset.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from videodb_cli.local.http.answers import not_found
from videodb_cli.local.state.jobs import SceneRecord
from videodb_cli.local.state.limits import guard_count
from videodb_cli.local.state.moments import iso
from videodb_cli.local.state.records import SpokenRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from videodb_cli.local.media.timeline import WallClock
    from videodb_cli.local.state.jobs import Index
    from videodb_cli.local.state.records import RTStream

Kind = Literal["video", "audio"]


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a stream in an asset: it begins at second ``offset``, and ``clock`` says when it was played.

    ``offset`` is negative for sound that began before the picture: what lies before second 0 was cut off.
    """

    rtstream_id: str
    clock: WallClock
    offset: float
    length: float


@dataclass(slots=True, kw_only=True)
class Asset:
    """One finished recording, played under ``media_id``."""

    id: str
    collection_id: str
    name: str
    media_id: str
    length: float
    created_at: float
    parts: tuple[Part, ...]
    spoken_words_indexed: bool = False

    @property
    def kind(self) -> Kind:
        """Whether it is asked for as a video or as an audio."""
        return "video" if self.id.startswith("m-") else "audio"

    def place(self, part: Part, start: float, end: float) -> tuple[float, float] | None:
        """The seconds of the asset in which that span of unix seconds of ``part`` stands, None if it has none of it."""
        low, high = max(part.offset, 0.0), min(part.offset + part.length, self.length)
        first = part.clock.stream_second(start) + part.offset
        last = part.clock.stream_second(end) + part.offset
        if last <= low or first >= high:
            return None
        return round(max(first, low), 3), round(min(last, high), 3)

    def as_json(self) -> dict[str, object]:
        """The public shape, but for the addresses (see `http.videos`)."""
        return {
            "id": self.id,
            "collection_id": self.collection_id,
            "name": self.name,
            "length": self.length,
            "created_at": iso(self.created_at),
        }


class AssetStore:
    """All assets. ``streams`` are those of the service, by their ids."""

    def __init__(
        self, streams: Mapping[str, RTStream], *, clock: Callable[[], float], token: Callable[[int], str]
    ) -> None:
        self._streams = streams
        self._clock = clock
        self._token = token
        self._assets: dict[str, Asset] = {}

    def new_id(self, kind: Kind) -> str:
        """An id for an asset of that kind."""
        return f"{'m' if kind == 'video' else 'a'}-{self._token(8)}"

    def put(
        self, asset_id: str, *, collection_id: str, name: str, media_id: str, length: float, parts: Sequence[Part]
    ) -> Asset:
        """Add the asset, or give the one of that id other media."""
        if asset_id not in self._assets:
            guard_count(self._assets, "assets")
        asset = Asset(
            id=asset_id,
            collection_id=collection_id,
            name=name,
            media_id=media_id,
            length=round(length, 3),
            created_at=self._clock(),
            parts=tuple(parts),
        )
        self._assets[asset_id] = asset
        return asset

    def find(self, kind: Kind, asset_id: str, collection_id: str | None = None) -> Asset:
        """The asset (of that collection, if one is given), or `ServiceError` 404."""
        found = self._assets.get(asset_id)
        if found is None or found.kind != kind or (collection_id is not None and found.collection_id != collection_id):
            raise not_found(f"{kind.capitalize()} {asset_id}")
        return found

    def listed(self, kind: Kind, collection_id: str) -> list[Asset]:
        """All assets of that kind in a collection, newest first."""
        chosen = [
            asset for asset in self._assets.values() if (asset.kind, asset.collection_id) == (kind, collection_id)
        ]
        return chosen[::-1]

    def forget_media(self, media_id: str) -> None:
        """Drop the assets whose media are gone."""
        self._assets = {key: asset for key, asset in self._assets.items() if asset.media_id != media_id}
        for stream in self._streams.values():
            if stream.exported_asset_id not in self._assets:
                stream.exported_asset_id = None

    def spoken(self, asset: Asset) -> list[SpokenRecord]:
        """What was recognised on the streams of an asset while they ran, in seconds of the asset."""
        found = []
        for part, stream in self.parts_of(asset):
            for record in stream.transcription.records:
                at = asset.place(part, record.start, record.end)
                if at is not None:
                    placed = ((word, asset.place(part, start, end)) for word, start, end in record.words)
                    words = tuple((word, *span) for word, span in placed if span is not None)
                    found.append(SpokenRecord(*at, record.text, words))
        return sorted(found, key=lambda record: (record.start, record.end))

    def seen(self, asset: Asset) -> list[tuple[Index, SceneRecord]]:
        """What indexes of the picture found on the streams of an asset, in seconds of the asset."""
        found: list[tuple[Index, SceneRecord]] = []
        for part, stream in self.parts_of(asset):
            scenes = [index for index in stream.indexes.values() if index.extraction_type == "time"]
            indexes: list[Index] = [*scenes, *stream.materialized.values()]
            for index in indexes:
                for record in index.records:
                    at = asset.place(part, record.start, record.end)
                    if at is not None:
                        found.append((index, SceneRecord(*at, record.text)))
        return sorted(found, key=lambda item: (item[1].start, item[1].end))

    def of_media(self, media_id: str) -> Asset | None:
        """The asset that is played under this media id, if there is one."""
        return next((asset for asset in self._assets.values() if asset.media_id == media_id), None)

    def parts_of(self, asset: Asset) -> Iterator[tuple[Part, RTStream]]:
        """The stretches of streams of which an asset was made, but for streams that are gone."""
        for part in asset.parts:
            stream = self._streams.get(part.rtstream_id)
            if stream is not None:
                yield part, stream
