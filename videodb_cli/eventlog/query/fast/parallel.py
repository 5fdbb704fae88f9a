"""Processes the chunks of a log in two processes, with results written in order or added up in any order.

In order, each process works on every second chunk and waits for its turn to write. A small state is passed to and fro
over pipes; the process that holds it may write. Nothing else crosses the pipe, so output is not copied. `os.fork` is
used, because starting a second interpreter takes longer than it saves below half a gigabyte.
"""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from videodb_cli import errors
from videodb_cli.errors import OutputError, VideodbError
from videodb_cli.eventlog.read.sources import LogSource, open_source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import BinaryIO

# Two processes gain from about 40 MB on, and lose at 4 MB.
WORTH_IT = 40 << 20
CHUNK = 4 << 20
# The capacity of every pipe, also for a user with many pipes; and the bytes of a chunk's number in it.
_PIPE_ROOM = 1 << 12
_NUMBER = 4
MOST_CHUNKS = _PIPE_ROOM // _NUMBER

State = dict[str, Any]


class Chunk(NamedTuple):
    """Bytes from ``start`` up to ``end`` of a source, both at line beginnings."""

    source: LogSource
    start: int
    end: int


def chunks_of(source: LogSource, start: int, end: int, size: int = CHUNK) -> list[Chunk]:
    """Split a byte range of a seekable source into chunks of whole lines of about ``size`` bytes."""
    cuts = [start]
    with open_source(source) as file:
        fd = file.fileno()
        position = start + size
        while position < end:
            chunk = os.pread(fd, min(1 << 16, end - position), position - 1)
            found = chunk.find(b"\n")
            if found < 0:
                position += max(len(chunk), 1)
                continue
            cut = position + found
            if cut < end:
                cuts.append(cut)
            position = cut + size
    cuts.append(end)
    return [Chunk(source, a, b) for a, b in itertools.pairwise(cuts) if a < b]


def can_fork(total: int) -> bool:
    """Tell whether a second process is possible and faster for this many bytes."""
    if total < WORTH_IT or not hasattr(os, "fork"):
        return False
    affinity = getattr(os, "sched_getaffinity", None)
    return (len(affinity(0)) if affinity else os.cpu_count() or 1) > 1


def chunk_size(total: int) -> int:
    """Return a chunk size for `run_in_any_order`, so that up to twenty files make at most `MOST_CHUNKS` chunks."""
    return max(CHUNK, total // (MOST_CHUNKS - 24))


def run_in_any_order(chunks: Sequence[Chunk], work: Callable[[Chunk], object], keep: Callable[[], State]) -> State:
    """Call ``work`` on every chunk in whichever process is free. Returns what ``keep`` returned in the second one.

    For results that can be added up in any order. Errors of the second process are raised here. There may be at most
    `MOST_CHUNKS` chunks; see `chunk_size`.
    """
    # A pipe with the numbers of all chunks is the queue: each read of four bytes takes one chunk.
    take, put = os.pipe()
    os.write(put, b"".join(number.to_bytes(_NUMBER) for number in range(len(chunks))))
    os.close(put)
    from_child, to_parent = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(from_child)
        _be_helper(chunks, work, keep, take, os.fdopen(to_parent, "wb"))
    os.close(to_parent)
    try:
        with os.fdopen(from_child, "rb") as receive:
            _work_off(chunks, work, take)
            second = _take(receive)
    finally:
        # After a failure here, empty the queue, so that the other process ends.
        while os.read(take, _PIPE_ROOM):
            pass
        os.close(take)
        os.waitpid(child, 0)
    if failure := second.get("failure"):
        raise _revived(failure)
    return second


def _work_off(chunks: Sequence[Chunk], work: Callable[[Chunk], object], take: int) -> None:
    while number := os.read(take, _NUMBER):
        work(chunks[int.from_bytes(number)])


def _be_helper(
    chunks: Sequence[Chunk], work: Callable[[Chunk], object], keep: Callable[[], State], take: int, send: BinaryIO
) -> None:
    """Run the second process of `run_in_any_order`. Never returns."""
    status = 1
    try:
        _work_off(chunks, work, take)
        _give(send, keep())
        status = 0
    except BaseException as error:  # noqa: BLE001 - it goes to the first process, which raises it
        try:
            _give(send, {"failure": _described(error)})
        except BaseException:  # noqa: BLE001, S110 - the first process is gone, and so is everybody who could be told
            pass
    finally:
        os._exit(status)


def run_in_order(
    chunks: Sequence[Chunk],
    work: Callable[[Chunk], Any],
    commit: Callable[[Any, State], None],
    state: State,
) -> State:
    """Call ``work`` on every chunk in two processes, and ``commit`` on the results in order. Returns the last state.

    The state is JSON. ``commit`` changes it, and sets ``stop`` in it to end early. Errors of the second process are
    raised here. The caller must have flushed its output.
    """
    to_child, to_parent = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(to_child[1])
        os.close(to_parent[0])
        _be_second(chunks, work, commit, os.fdopen(to_child[0], "rb"), os.fdopen(to_parent[1], "wb"))
    os.close(to_child[0])
    os.close(to_parent[1])
    receive, send = os.fdopen(to_parent[0], "rb"), os.fdopen(to_child[1], "wb")
    try:
        state = _alternate(chunks, work, commit, receive, send, state)
    finally:
        receive.close()
        try:
            send.close()
        except BrokenPipeError:
            pass
        os.waitpid(child, 0)
    if failure := state.pop("failure", None):
        raise _revived(failure)
    return state


def _alternate(
    chunks: Sequence[Chunk],
    work: Callable[[Chunk], Any],
    commit: Callable[[Any, State], None],
    receive: BinaryIO,
    send: BinaryIO,
    state: State,
) -> State:
    """Run the first process, which has the even chunks, and return the final state."""
    for index in range(0, len(chunks), 2):
        done = work(chunks[index])
        if index:
            state = _take(receive)
            if state.get("stop"):
                return state
        commit(done, state)
        _give(send, state)
        if state.get("stop"):
            return state
    return _take(receive)


def _be_second(
    chunks: Sequence[Chunk],
    work: Callable[[Chunk], Any],
    commit: Callable[[Any, State], None],
    receive: BinaryIO,
    send: BinaryIO,
) -> None:
    """Run the second process, which has the odd chunks. Never returns."""
    status = 1
    try:
        _second_turns(chunks, work, commit, receive, send)
        status = 0
    except BaseException as error:  # noqa: BLE001 - it goes to the first process, which raises it
        try:
            _take(receive)
            _give(send, {"stop": True, "failure": _described(error)})
        except BaseException:  # noqa: BLE001, S110 - the first process is gone, and so is everybody who could be told
            pass
    finally:
        os._exit(status)


def _second_turns(
    chunks: Sequence[Chunk],
    work: Callable[[Chunk], Any],
    commit: Callable[[Any, State], None],
    receive: BinaryIO,
    send: BinaryIO,
) -> None:
    for index in range(1, len(chunks), 2):
        done = work(chunks[index])
        state = _take(receive)
        if state.get("stop"):
            return
        try:
            commit(done, state)
        except BaseException as error:  # noqa: BLE001 - as above; the turn is ours already
            _give(send, {"stop": True, "failure": _described(error)})
            return
        _give(send, state)
    if len(chunks) % 2:
        _give(send, _take(receive))


def _take(receive: BinaryIO) -> State:
    import orjson

    line = receive.readline()
    if not line.endswith(b"\n"):
        raise RuntimeError("the other reading process died")
    state: State = orjson.loads(line)
    return state


def _give(send: BinaryIO, state: State) -> None:
    import orjson

    try:
        send.write(orjson.dumps(state) + b"\n")
        send.flush()
    except BrokenPipeError:
        raise RuntimeError("the other reading process died") from None


def _described(error: BaseException) -> State:
    if isinstance(error, VideodbError):
        # A class that is not in `errors` is sent as its nearest parent that is.
        kind = next(each.__name__ for each in type(error).__mro__ if hasattr(errors, each.__name__))
        return {"kind": kind, "message": error.message, "code": error.code, "hint": error.hint}
    if isinstance(error, OutputError | KeyboardInterrupt):
        return {"kind": type(error).__name__, "message": str(error)}
    import traceback

    return {"kind": "bug", "message": "".join(traceback.format_exception(error))}


def _revived(failure: State) -> BaseException:
    kind = failure["kind"]
    if kind == "KeyboardInterrupt":
        return KeyboardInterrupt()
    if kind in {"OutputError", "ReaderGoneError"}:
        told: OutputError = getattr(errors, kind)(failure["message"])
        return told
    if kind == "bug":
        return RuntimeError(f"in the second reading process:\n{failure['message']}")
    error: VideodbError = getattr(errors, kind)(failure["message"], code=failure["code"], hint=failure["hint"])
    return error
