"""Two processes over the chunks of a log, with results committed in order, or added up in any.

In order, both go over every second chunk and hold their results back until it is their turn: a small state, which goes
to and fro between them, is the turn. Nothing but that state crosses the pipe, so output costs no copying. ``os.fork``
is used, because a second interpreter would cost more to start than it gains below half a gigabyte.
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
# What every pipe holds, also that of a user who has many, before writing to it waits; and a chunk's number in it.
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
    """A byte range of a seekable source in chunks of whole lines, about ``size`` bytes each."""
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
    """Whether a second process is possible and worth it for this many bytes."""
    if total < WORTH_IT or not hasattr(os, "fork"):
        return False
    affinity = getattr(os, "sched_getaffinity", None)
    return (len(affinity(0)) if affinity else os.cpu_count() or 1) > 1


def chunk_size(total: int) -> int:
    """Bytes of a chunk for ``run_in_any_order``: so many bytes in up to twenty files make no more than it takes."""
    return max(CHUNK, total // (MOST_CHUNKS - 24))


def run_in_any_order(chunks: Sequence[Chunk], work: Callable[[Chunk], object], keep: Callable[[], State]) -> State:
    """``work`` on every chunk, by whichever of two processes is free; gives what ``keep`` gave in the second one.

    For work that adds up, so that nobody waits for the other. Errors of the second process are raised here.
    There are at most ``MOST_CHUNKS``; ``chunk_size`` says how large they must be for that.
    """
    # A pipe full of numbers is the queue: reading four bytes takes one chunk, for one process only.
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
        # What failed here is nothing that the other one should go on with.
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
    """The second process of ``run_in_any_order``. Never returns."""
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
    """``work`` on every chunk in two processes, ``commit`` of its results in order; gives the last state.

    The state is JSON. ``commit`` changes it, and ends everything early by setting ``stop`` in it. Errors of the second
    process are raised here. The caller has flushed its output before.
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
    """The first process: even chunks, and the last word."""
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
    """The second process: odd chunks. Never returns."""
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
        # One that is known under the name of its parent only comes back as that.
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
