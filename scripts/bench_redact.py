"""Measures redaction: precision and recall on a labelled file, beside detect-secrets, and the time for a line.

    python scripts/bench_redact.py

Our rules and the detectors of detect-secrets (`pip install detect-secrets`) get the same lines. A find counts if it
covers most of the labelled text; what is found where nothing is labelled is a false positive. The rules were written
with this file at hand: it says what they cover, and not how they do on texts that nobody has seen.
"""

from __future__ import annotations

import random
import re
import string
import sys
import timeit
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path.append(str(Path(__file__).resolve().parent.parent))

from videodb_cli.eventlog.query.redact import ALL, Redactor

LABELLED = Path(__file__).resolve().parent.parent / "tests" / "data" / "redaction" / "labelled.txt"
_MARK = re.compile(r"<<(\w+):(.+?)>>")
_LEAST_SHARE = 0.6
_LINE = (
    '{"ts":"2026-03-02T10:15:30.661Z","unix_ts":1772446530.661,"channel":"transcript","rtstream_id":"rts-019f3a7c-sys",'
    '"rtstream_name":"system_audio:default","data":{"text":"Long if can index was would on make latency merge not two '
    'into review one deployment could an of oil this some find","is_final":true,'
    '"start":1772446528361,"end":1772446530361}}'
)


class Labelled(NamedTuple):
    """A line, and the beginning, end and kind of everything in it that must go."""

    text: str
    spans: list[tuple[int, int, str]]


def labelled_lines() -> list[Labelled]:
    """Return the lines of the file with their marks filled in; the same at each run."""
    rng = random.Random(14)
    lines = []
    for line in LABELLED.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            continue
        text, spans, done = "", [], 0
        for mark in _MARK.finditer(line):
            text += line[done : mark.start()]
            made = _made(mark[2], rng) if mark[1] in {"secrets", "cards"} else mark[2]
            spans.append((len(text), len(text) + len(made), mark[1]))
            text, done = text + made, mark.end()
        lines.append(Labelled(text + line[done:], spans))
    return lines


def _made(maker: str, rng: random.Random) -> str:
    def some(number: int, alphabet: str = string.ascii_letters + string.digits) -> str:
        return "".join(rng.choice(alphabet) for _ in range(number - 1)) + rng.choice("0123456789")

    upper, token = string.ascii_uppercase + string.digits, string.ascii_letters + string.digits + "_-"
    makers: dict[str, Callable[[], str]] = {
        "aws": lambda: "AKIA" + some(16, upper),
        "github": lambda: "ghp_" + some(36),
        "gitlab": lambda: "glpat-" + some(20, token),
        "slack": lambda: "xoxb-" + some(12, string.digits) + "-" + some(24),
        "slackhook": lambda: "hooks.slack.com/services/T" + some(8, upper) + "/B" + some(8, upper) + "/" + some(24),
        "stripe": lambda: "sk_live_" + some(24),
        "openai": lambda: "sk-proj-" + some(48, token),
        "anthropic": lambda: "sk-ant-api03-" + some(80, token),
        "google": lambda: "AIza" + some(35, token),
        "npm": lambda: "npm_" + some(36),
        "pypi": lambda: "pypi-AgEIcHlwaS5vcmc" + some(80, token),
        "sendgrid": lambda: "SG." + some(22, token) + "." + some(43, token),
        "twilio": lambda: "AC" + some(32, "0123456789abcdef"),
        "telegram": lambda: some(9, string.digits) + ":AA" + some(33, token),
        "discord": lambda: "M" + some(24) + "." + some(6) + "." + some(28),
        "hf": lambda: "hf_" + some(34),
        "jwt": lambda: "eyJ" + some(30) + ".eyJ" + some(60) + "." + some(43, token),
        "privatekey": lambda: "-----BEGIN RSA " + "PRIVATE KEY----- " + some(200),
        "password": lambda: (
            rng.choice(("Tr0ub4dor", "hunter", "S0mmer", "correct-horse-")) + some(5) + rng.choice("!#$")
        ),
    }
    if maker in makers:
        return makers[maker]()
    name, _, form = maker.partition("-")
    if form.isdecimal():
        alphabets = {"hex": "0123456789abcdef", "b64": string.ascii_letters + string.digits + "+/"}
        return some(int(form), alphabets.get(name, string.ascii_letters + string.digits))
    return _card(name, form, rng)


def _card(issuer: str, form: str, rng: random.Random) -> str:
    begin, length = {
        "visa": ("4", 16), "mastercard": ("53", 16), "amex": ("37", 15), "discover": ("6011", 16), "jcb": ("3530", 16),
        "maestro": ("6759", 16),
    }[issuer]  # fmt: skip
    body = begin + "".join(rng.choice(string.digits) for _ in range(length - len(begin) - 1))
    total = sum(digit if place % 2 else digit * 2 - 9 * (digit > 4) for place, digit in enumerate(map(int, body[::-1])))
    number = body + str(-total % 10)
    between = {"spaced": " ", "dashed": "-"}.get(form, "")
    return between.join(number[at : at + 4] for at in range(0, length, 4)) if between else number


Finder = Callable[[str], list[tuple[int, int]]]


def ours(kinds: str) -> Finder:
    """Return what finds places by our rules."""
    redactor = Redactor.from_names(kinds)
    return lambda text: [(begin, end) for _, begin, end in redactor.finds(text)]


def detect_secrets(names: set[str] | None = None) -> Finder | None:
    """Return what finds places by the detectors of detect-secrets, all of them or some; None if it is not installed."""
    try:
        from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    except ImportError:
        return None
    classes: list[Any] = list(get_mapping_from_secret_type_to_class().values())
    plugins = [one() for one in classes if names is None or one.__name__ in names]

    def find(text: str) -> list[tuple[int, int]]:
        found: set[tuple[int, int]] = set()
        for plugin in plugins:
            for secret in plugin.analyze_line("screen.txt", text, 0) or ():
                value = secret.secret_value or ""
                at = text.find(value)
                if value and at >= 0:
                    found.add((at, at + len(value)))
        return sorted(found)

    return find


class Score(NamedTuple):
    """Counts of labelled places that were found and missed, and of finds beside them."""

    found: int
    missed: list[str]
    false: list[str]

    def row(self, name: str) -> str:
        """Return the score as a row of a table."""
        precision = self.found / ((self.found + len(self.false)) or 1)
        recall = self.found / ((self.found + len(self.missed)) or 1)
        counts = f"({len(self.false)} false, {len(self.missed)} missed)"
        return f"{name:34} precision {precision:6.1%}  recall {recall:6.1%}  {counts}"


def score(lines: list[Labelled], kinds: set[str], find: Finder) -> Score:
    """Compare finds with labels of these kinds; labels of other kinds are neither right nor wrong."""
    found = 0
    missed, false = [], []
    for text, spans in lines:
        finds = find(text)
        wanted = [(begin, end) for begin, end, kind in spans if kind in kinds]
        for span in wanted:
            if any(_covers(one, span) for one in finds):
                found += 1
            else:
                missed.append(text)
        labelled = [(begin, end) for begin, end, _ in spans]
        false += [f"{text[a:b]!r} in {text!r}" for a, b in finds if not any(a < e and b > s for s, e in labelled)]
    return Score(found, missed, false)


def _covers(find: tuple[int, int], span: tuple[int, int]) -> bool:
    shared = min(find[1], span[1]) - max(find[0], span[0])
    return shared >= _LEAST_SHARE * (span[1] - span[0])


def main() -> int:
    """Print the table and the times."""
    lines = labelled_lines()
    rows: list[tuple[str, Score]] = [(f"ours, {kind}", score(lines, {kind}, ours(kind))) for kind in ALL]
    by_prefix = {"Base64HighEntropyString", "HexHighEntropyString", "KeywordDetector", "IPPublicDetector"}
    everything = detect_secrets()
    if everything is None:
        print("detect-secrets is not installed: pip install detect-secrets")
    else:
        from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

        classes: list[Any] = list(get_mapping_from_secret_type_to_class().values())
        names = {one.__name__ for one in classes}
        for title, chosen in (
            ("detect-secrets, all", names),
            ("detect-secrets, without entropy, IP", names - (by_prefix - {"KeywordDetector"})),
            ("detect-secrets, tokens alone", names - by_prefix),
        ):
            find = detect_secrets(chosen)
            assert find is not None
            rows.append((title, score(lines, {"secrets"}, find)))
    for name, result in rows:
        print(result.row(name))
    if "-v" in sys.argv:
        for name, result in rows:
            for title, cases in (("missed", result.missed), ("false", result.false)):
                print(*(f"{name}: {title}: {case}" for case in cases), sep="\n")
    for name, took_us, size in times():
        print(f"{name:34} {took_us:6.1f} µs for a line of {size} bytes")
    return 0


def times() -> Iterator[tuple[str, float, int]]:
    """Yield names, and the best time for a line in microseconds."""
    redactor = Redactor.from_names("all")
    for name, line in (
        ("nothing to redact", _LINE),
        ("one e-mail address", _LINE.replace("Long if", "a.b@example.com")),
    ):
        raw = line.encode()
        timer = timeit.Timer("redact(raw)", globals={"redact": redactor.logged, "raw": raw})
        yield name, min(timer.repeat(20, 500)) / 500 * 1e6, len(raw)


if __name__ == "__main__":
    sys.exit(main())
