"""Screen to text: a change gate on a small grey picture, then text recognition of what changed, in one thread."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from videodb_cli.local.analysis.base import OCR, Analyser, AnalysisRecord, require_packages
from videodb_cli.local.analysis.jpeg import jpeg_of
from videodb_cli.local.analysis.screen_lines import (
    Box,
    TextLine,
    gone_lines,
    is_text,
    join_boxes,
    new_lines,
    strip_to_read,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import av
    import numpy as np
    from numpy.typing import NDArray

    from videodb_cli.local.analysis.jpeg import Picture


_GREY_SIZE = (320, 180)
_LEVELS = 12  # smaller differences are the codec's noise
_CHANGED_SHARE = 0.0005
_NOTABLE_SHARE = 0.2  # of the picture, for a change without text to be told
_NOTABLE_EVERY_S = 10.0
_LOOK_EVERY_S = 0.2
_SHORTEST_S = 1.0  # the span of a record: players and clients count in whole seconds
_SETTLED_S = 0.3
_SETTLE_AT_MOST_S = 1.5
_REST_SHARE = 0.5  # of what a reading cost, so that a moving picture never takes a whole core
_REST_AT_MOST_S = 2.0
_LONGEST_SIDE = 1920
_MIN_SCORE = 0.6
_EDGE = 10  # levels between two neighbours
_FEW_EDGES = 4  # in a row: two windows have as many, two letters more
_DETAIL_MARGIN = 24
_NICE = 3


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A picture that differs from the one before it: since when (unix seconds), and when it was looked at."""

    picture: Picture
    grey: Picture
    since: float
    wall: float
    came_at: float  # monotonic


class ScreenAnalyser(Analyser):
    """Reads the text of one stream's picture whenever it has changed and come to rest, and tells what is new.

    One slot holds the newest picture; two more hold states of the screen that had come to rest while a reading took
    its time, so that a busy machine tells them late instead of never, and yet never falls behind by more. A change that
    goes on without rest is read every 1.5 s.
    """

    def __init__(
        self,
        *,
        on_record: Callable[[AnalysisRecord], None],
        on_error: Callable[[str], None],
        keeps_pictures: bool = False,
    ) -> None:
        """With ``keeps_pictures`` records hold the picture, and changes without text are told as minor ones.

        Raises `MissingDependencyError` if a package is not installed.
        """
        super().__init__("screen", on_record=on_record, on_error=on_error)
        self._keeps_pictures = keeps_pictures
        require_packages("numpy", "rapidocr", "onnxruntime")
        self._candidate: _Candidate | None = None
        self._waiting: deque[_Candidate] = deque(maxlen=2)
        self._ready_at = 0.0
        self._first_seen_at = 0.0
        self._reference: Picture | None = None  # the grey picture that was taken or set to wait last
        self._read_grey: Picture | None = None  # the one that was read last
        self._previous: Picture | None = None
        self._next_look: float | None = None
        self._lines: list[TextLine] = []
        self._size: tuple[int, int] | None = None
        self._told_change_at = float("-inf")

    def push(self, frame: av.VideoFrame, wall: float) -> None:
        """Look at a frame shown at ``wall`` (unix seconds), at most five times a second. Never waits for a reading."""
        if self._next_look is not None and self._next_look - _LOOK_EVERY_S <= wall < self._next_look:
            return
        self._next_look = wall + _LOOK_EVERY_S
        grey = _pixels(frame.reformat(*_GREY_SIZE, format="gray"))
        moving = self._previous is None or _changed_share(grey, self._previous) >= _CHANGED_SHARE
        self._previous = grey
        with self._changed:
            if self._reference is not None and _changed_share(grey, self._reference) < _CHANGED_SHARE:
                self._candidate = None
                return
            if self._candidate is not None and not moving:
                return
        picture = _picture(frame)
        now = time.monotonic()
        with self._changed:
            newest = self._candidate
            if newest is not None and now - newest.came_at >= _SETTLED_S:
                self._waiting.append(newest)
                self._reference = newest.grey
                newest = None
            if newest is None:
                self._first_seen_at = now
            since = wall if newest is None else newest.since
            self._candidate = _Candidate(picture, grey, since, wall, now)
            self._ready_at = min(now + _SETTLED_S, self._first_seen_at + _SETTLE_AT_MOST_S)
            self._changed.notify()

    def _run(self) -> None:
        _yield_to_speech()
        reader = _shared_reader()
        self._ready.set()
        while not self._abandoned:
            candidate = self._take()
            if candidate is None:
                return
            began = time.monotonic()
            self._read(reader, candidate, self._read_grey)
            self._read_grey = candidate.grey
            self._rest((time.monotonic() - began) * _REST_SHARE)

    def _take(self) -> _Candidate | None:
        """The next picture to read, once it has settled; None at the end."""
        with self._changed:
            while not self._finishing and not self._waiting:
                if self._candidate is None:
                    self._changed.wait()
                    continue
                left = self._ready_at - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            if self._waiting:
                return self._waiting.popleft()
            candidate, self._candidate = self._candidate, None
            if candidate is not None:
                self._reference = candidate.grey
            return candidate

    def _rest(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._finishing or bool(self._waiting), timeout=min(seconds, _REST_AT_MOST_S)
            )

    def _read(self, reader: _TextReader, candidate: _Candidate, reference: Picture | None) -> None:
        import numpy as np

        height, width = candidate.picture.shape[:2]
        changed = (
            np.ones(candidate.grey.shape, dtype=np.bool_)
            if reference is None
            else _difference(candidate.grey, reference) > _LEVELS
        )
        strip = None
        if self._size == (width, height):
            strip = strip_to_read(changed, self._lines, height)
        if strip is None:
            lines = reader.read(candidate.picture)
        else:
            top, bottom = strip
            read = reader.read(candidate.picture[top:bottom])
            kept = [line for line in self._lines if line.bottom <= top or line.top >= bottom]
            moved = [TextLine(line.text, line.left, line.top + top, line.right, line.bottom + top) for line in read]
            lines = sorted(kept + moved, key=lambda line: (line.top, line.left))
        before, self._lines, self._size = self._lines, lines, (width, height)
        new = new_lines(before, lines, changed, (width, height))
        gone = gone_lines(before, lines, changed, (width, height))
        share = float(changed.mean())
        text = self._wording(candidate, new, gone, share, is_first=reference is None)
        is_minor = text is None
        if self._abandoned or (is_minor and not self._keeps_pictures):
            return
        detail = {
            "changed_percent": round(100 * share, 1),
            "new_lines": [line.text for line in new],
            "gone_lines": [line.text for line in gone],
            "lines": [line.text for line in lines],
        }
        end = max(candidate.wall + _LOOK_EVERY_S, candidate.since + _SHORTEST_S)
        record = AnalysisRecord(
            "visual_index",
            text or f"The picture changed ({100 * share:.1f} %).",
            candidate.since,
            end,
            True,
            OCR,
            detail=detail,
            pictures=(jpeg_of(candidate.picture),) if self._keeps_pictures else (),
            is_minor=is_minor,
        )
        self._on_record(record)

    def _wording(
        self, candidate: _Candidate, new: list[TextLine], gone: list[TextLine], share: float, *, is_first: bool
    ) -> str | None:
        if new:
            return " · ".join(line.text for line in new)
        if gone:
            return "No longer on screen: " + " · ".join(line.text for line in gone)
        if is_first:
            return "The picture has no readable text."
        if self._lines or share < _NOTABLE_SHARE or candidate.wall - self._told_change_at < _NOTABLE_EVERY_S:
            return None
        self._told_change_at = candidate.wall
        return f"The picture changed ({100 * share:.0f} %); it has no readable text."


class _TextReader:
    """RapidOCR on one thread, with the models of its own wheel; calls are one after the other."""

    def __init__(self) -> None:
        logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
        from rapidocr import RapidOCR

        self._engine = RapidOCR(
            params={
                "Global.log_level": "critical",
                "Det.limit_type": "max",  # the default enlarges strips to four times the work
                "Det.limit_side_len": 960,  # reads the same as 1280, for half the work
                "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )
        self._lock = threading.Lock()
        self._warm_up()

    def _warm_up(self) -> None:
        """The first run of a network costs as much as a reading: not when somebody waits for what it reads."""
        import numpy as np

        nothing = np.zeros((64, 320, 3), dtype=np.uint8)
        self._engine(nothing, use_det=True, use_cls=False, use_rec=False)
        self._engine(nothing, use_det=False, use_cls=False, use_rec=True)

    def read(self, picture: Picture) -> list[TextLine]:
        """The lines of text, from top to bottom. Where there are only surfaces it is not looked for."""
        band = _rows_with_detail(picture)
        if band is None:
            return []
        top, bottom = band
        return [
            TextLine(line.text, line.left, line.top + top, line.right, line.bottom + top)
            for line in self._read_all(picture[top:bottom])
        ]

    def _read_all(self, picture: Picture) -> list[TextLine]:
        with self._lock:
            # All three flags each time: the engine keeps what the last call said.
            found: Any = self._engine(picture, use_det=True, use_cls=False, use_rec=False)
            if found.boxes is None:
                return []
            # Boxes of one line overlap by a letter or two, which would be read twice: join them before reading.
            lines = [self._read_line(picture, box) for box in join_boxes(_upright(box) for box in found.boxes)]
            return [line for line in lines if line is not None]

    def _read_line(self, picture: Picture, box: Box) -> TextLine | None:
        height, width = picture.shape[:2]
        left, top = max(0, int(box.left)), max(0, int(box.top))
        crop = picture[top : min(height, int(box.bottom) + 1), left : min(width, int(box.right) + 1)]
        if not crop.size:
            return None
        found: Any = self._engine(crop, use_det=False, use_cls=False, use_rec=True)
        if not found.txts or float(found.scores[0]) < _MIN_SCORE:
            return None
        text = " ".join(str(found.txts[0]).split())
        return TextLine(text, *box) if is_text(text) else None


def _rows_with_detail(picture: Picture) -> tuple[int, int] | None:
    """First and last row (exclusive) between which there may be text; None where there are only empty surfaces."""
    import numpy as np

    neighbours = np.abs(np.diff(picture.astype(np.int16), axis=1)).max(axis=2)
    rows = np.flatnonzero((neighbours > _EDGE).sum(axis=1) > _FEW_EDGES)
    if not rows.size:
        return None
    return max(0, int(rows[0]) - _DETAIL_MARGIN), min(picture.shape[0], int(rows[-1]) + 1 + _DETAIL_MARGIN)


def _upright(corners: Any) -> Box:
    xs, ys = [float(corner[0]) for corner in corners], [float(corner[1]) for corner in corners]
    return Box(min(xs), min(ys), max(xs), max(ys))


_reader: _TextReader | None = None
_reader_lock = threading.Lock()


def _shared_reader() -> _TextReader:
    global _reader  # one engine of half a gigabyte a process
    with _reader_lock:
        if _reader is None:
            _reader = _TextReader()
        return _reader


def _yield_to_speech() -> None:
    """Lower this thread's priority. Linux only: elsewhere the call means the whole process."""
    if sys.platform == "linux":
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        except OSError:
            pass  # a container may forbid it; the rests between readings still stand


def _difference(one: Picture, other: Picture) -> NDArray[np.int16]:
    import numpy as np

    difference: NDArray[np.int16] = np.abs(one.astype(np.int16) - other.astype(np.int16))
    return difference


def _changed_share(one: Picture, other: Picture) -> float:
    return float((_difference(one, other) > _LEVELS).mean())


def _picture(frame: av.VideoFrame) -> Picture:
    scale = min(1.0, _LONGEST_SIDE / max(frame.width, frame.height))
    width, height = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    return _pixels(frame.reformat(width, height, format="bgr24"))


def _pixels(frame: av.VideoFrame) -> Picture:
    import numpy as np

    return np.asarray(frame.to_ndarray(), dtype=np.uint8)
