"""Make an event log of any size, the same for the same seed: ``make_event_log.py 3000000 > log.jsonl``.

Lines are as docs/contract.md §3 says, with texts of mixed length: about 366 bytes on average, four events a second.
Option ``--style old`` writes them as older scripts did: spaces after colons, ``+00:00``, microseconds, stamps last.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

START = 1772446530.0
STEP_S = 0.25
RARE = "quokka"

_WORDS = tuple(
    """the of and to in is that it was for on are as with his they at be this have from or one had by word but not
what all were we when your can said there use an each which she do how their if will up other about out many then them
these so some her would make like him into time has look two more write go see number no way could people my than first
water been call who oil its now find long down day did get come made may part deployment meeting schedule Thursday
browser terminal editor Slack conversation notification unread message dashboard latency error budget database index
release checklist rotate access keys production server customer invoice review branch pull request merge conflict
naïve café résumé Zürich""".split()  # noqa: SIM905 - a list of 130 strings is no easier to read
)
_STREAMS = (
    ("rts-019f3a7c-mic", "mic:default"),
    ("rts-019f3a7c-sys", "system_audio:default"),
    ("rts-019f3a7c-dsp", "display:1"),
)
_STATUSES = ("starting", "active", "stopping", "stopped", "exported")


def _texts(rng: random.Random) -> list[str]:
    """A pool of texts; picking from it is much cheaper than making each anew, and no reader can tell."""
    pool = []
    for _ in range(4096):
        words = rng.choices(_WORDS, k=int(rng.expovariate(1 / 30)) + 3)
        text = " ".join(words)
        if rng.random() < 0.15:
            text = text.replace(" said ", ' said "').replace(" then ", "\n")
        pool.append(text[0].upper() + text[1:])
    return pool


def events(count: int, seed: int) -> Iterator[tuple[float, str]]:
    """Time of receipt, and the members of each event as compact JSON without the braces."""
    rng = random.Random(seed)
    pool = [json.dumps(text, ensure_ascii=False) for text in _texts(rng)]
    random_, choice = rng.random, rng.choice
    for number in range(count):
        at = START + number * STEP_S + random_() * 0.2
        text = choice(pool)
        if number % 50_000 == 777:
            text = json.dumps(f"{json.loads(text)} {RARE.title()} seen near line {number}", ensure_ascii=False)
        yield at, _members(random_, choice, number, at, text)


def _members(random_: object, choice: object, number: int, at: float, text: str) -> str:
    kind, start = random_(), int(at * 1000) - 2300  # type: ignore[operator]
    if kind < 0.55:
        rts, name = _STREAMS[0 if kind < 0.3 else 1]
        final = "true" if random_() < 0.25 else "false"  # type: ignore[operator]
        return (
            f'"channel":"transcript","rtstream_id":"{rts}","rtstream_name":"{name}","data":{{"text":{text},'
            f'"is_final":{final},"start":{start},"end":{start + 2000}}}'
        )
    if kind < 0.9:
        channel = "visual_index" if kind < 0.75 or number % 50_000 == 777 else "audio_index"
        rts, name = _STREAMS[2] if kind < 0.75 else _STREAMS[0]
        return (
            f'"channel":"{channel}","rtstream_id":"{rts}","rtstream_name":"{name}","data":{{"text":{text},'
            f'"start":{start},"end":{start + 2000},"rtstream_index_id":"idx-{number % 7}"}}'
        )
    if kind < 0.99:
        return (
            '"channel":"alert","rtstream_id":"rts-019f3a7c-dsp","rtstream_name":"display:1","data":{"label":'
            f'"slack_opened","triggered":true,"confidence":{kind:.2f},"start":{start},"end":{start + 900}}},'
            f'"timestamp":{at:.3f}'
        )
    status = choice(_STATUSES)  # type: ignore[operator]
    more = '"exported_video_id":"m-77","player_url":"https://example.com/play/m-77"' if status == "exported" else ""
    return (
        f'"event":"capture_session.{status}","capture_session_id":"cap-{number // 20000:04d}",'
        f'"status":"{status}","data":{{{more}}}'
    )


def lines(count: int, seed: int, style: str) -> Iterator[str]:
    """Whole lines of the log."""
    second, prefix = -1, ""
    for at, members in events(count, seed):
        ms = int(at * 1000)
        if style == "old":
            moment = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)
            event = {**json.loads("{" + members + "}"), "ts": moment.isoformat(timespec="microseconds"), "unix_ts": at}
            yield json.dumps(event) + "\n"
            continue
        if ms // 1000 != second:
            second = ms // 1000
            prefix = datetime.fromtimestamp(second, UTC).strftime('{"ts":"%Y-%m-%dT%H:%M:%S.')
        yield f'{prefix}{ms % 1000:03d}Z","unix_ts":{second}.{ms % 1000:03d},{members}}}\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--style", choices=("own", "old"), default="own")
    options = parser.parse_args()
    write = sys.stdout.buffer.write
    batch: list[str] = []
    for line in lines(options.count, options.seed, options.style):
        batch.append(line)
        if len(batch) == 5000:
            write("".join(batch).encode())
            batch.clear()
    write("".join(batch).encode())


if __name__ == "__main__":
    main()
