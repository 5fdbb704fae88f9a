"""Programs of the simple class, and conditions at the beginning of others, give what libjq gives."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.event_logs import logs
from videodb_cli.eventlog.query.jq import Program
from videodb_cli.eventlog.query.jq_plan import prepared
from videodb_cli.eventlog.query.jq_syntax import leading_conditions, parse_simple
from videodb_cli.eventlog.query.output import Form
from videodb_cli.eventlog.query.run import Query
from videodb_cli.eventlog.query.scan import is_utf8
from videodb_cli.eventlog.read.block import Block
from videodb_cli.eventlog.read.sources import LogSource

IDENTITY = Program(".")
SOURCE = LogSource(Path("/nowhere"))

paths = st.sampled_from(
    [".channel", ".data", ".data.text", ".data.is_final", '.data["text"]', '."data"."label"', ".event", ".unix_ts",
     ".data.error.message", ".raw", ".recovered", ".nothing", ".nothing.at.all", ".data.text.deeper", ".data.channel"]
)  # fmt: skip
literals = st.sampled_from(
    [
        '"transcript"',
        '"alert"',
        '"code review"',
        '"true"',
        "true",
        "false",
        "null",
        '"caf\\u00e9"',
        '"é"',
        '""',
        '"a/b"',
    ]
)
terms = st.one_of(paths, st.builds("{} == {}".format, paths, literals))
selects = st.lists(terms, min_size=1, max_size=3).map(lambda found: f"select({' and '.join(found)})")
simple = st.one_of(
    selects,
    paths,
    st.builds("{} | {}".format, selects, paths),
    st.builds("{} | {}".format, selects, selects),
    st.builds(".data | {}".format, selects),
)
others = st.builds("{} | {}".format, selects, st.sampled_from(["length", "keys", ".data, 1", ". as $x | $x", "1 | 2"]))


def whole_lines(log: bytes) -> list[bytes]:
    """Lines that ``json.loads`` reads."""
    found = []
    for line in log[: log.rfind(b"\n") + 1].split(b"\n"):
        try:
            json.loads(line.decode())
        except ValueError:
            continue
        found.append(line)
    return found


def ours(program: str, log: bytes, form: Form, *, thorough: bool) -> tuple[bytes, list[int]]:
    plan, shaper = prepared(program, form, {}, strict=False, whole=False)
    query = Query(plan, shaper, thorough=thorough)
    done, failures = query.shaped(SOURCE, Block(0, log[: log.rfind(b"\n") + 1]))
    for offset, _ in failures:
        assert offset == 0 or log[offset - 1 : offset] == b"\n"
    return done.output, [offset for offset, _ in failures]


@given(log=logs(), program=simple | others, raw=st.booleans())
def test_the_same_as_libjq(log: bytes, program: str, raw: bool) -> None:
    form = Form(raw=raw)
    # jq cannot read half a surrogate pair, which passes here as it was logged.
    unread = [line for line in whole_lines(log) if IDENTITY.run([line]).failures]
    log = b"".join(line + b"\n" for line in log.split(b"\n")[:-1] if line not in unread)
    lines = whole_lines(log)
    libjq = Program(program)
    results = [libjq.run([line]) for line in lines]
    known = parse_simple(program)
    if known is not None and not known.path:
        # Nothing is reshaped: lines pass as logged.
        expected = b"".join(line + b"\n" for line, run in zip(lines, results, strict=True) if run.results)
    else:
        texts = [form.text(text) for run in results for text in run.results]
        expected = "".join(text + "\n" for text in texts).encode()
    failed = sum(len(run.failures) for run in results)
    # In a large log the encoding of fields that nobody asks for is not looked at (nor does jq look at it).
    for thorough in (True, False) if is_utf8(log) else (True,):
        output, failures = ours(program, log, form, thorough=thorough)
        assert output == expected
        # Whether the exit status is 2 does not depend on how large the log is.
        assert len(failures) == failed


def test_what_is_simple_and_what_is_not() -> None:
    for text in (".", ".a", 'select(.a == "b" and .c)', '.a | select(.b) | ."c d"'):
        assert parse_simple(text) is not None
    for text in (
        "",
        ".a[0]",
        ".a?",
        ".[]",
        "select(.a == 1)",
        "select(.a or .b)",
        "..a",
        "select(.)",
        '.a"b"',
        ".a // 1",
    ):
        assert parse_simple(text) is None
    assert len(leading_conditions('select(.a == "b") | select(.c) | length')) == 2
    for text in ("1, select(.a) | 2", "select(.a) as $x | 1", "try error | 1", "select(.a)", "[select(.a) | 1]"):
        assert leading_conditions(text) == ()
