"""Measure `videodb events` against real tools, as ratios in one run: ``bench_events.py [--events 3000000] [--runs 5]``.

Whole processes, start-up included, output thrown away; medians of wall time, user+sys beside it. jq 1.8 is built from
the sources inside the sdist of the ``jq`` package, DuckDB is installed beside the logs, ripgrep is taken from PATH (or
from Debian when we are root). Everything is kept in ``bench/``, which git ignores. On a busy machine the second process
of ours finds no core: look at the ratios of CPU time as well.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"
VIDEODB = [str(Path(sys.executable).with_name("videodb")), "events"]
DUCKDB = """
import sys, duckdb
sys.stdout.reconfigure(encoding="utf-8")
db = duckdb.connect(config={{"threads": {threads}}})
log = "read_json(?, format='newline_delimited', columns={{unix_ts: 'DOUBLE', channel: 'VARCHAR', event: 'VARCHAR', " \\
      "data: 'STRUCT(text VARCHAR, is_final BOOLEAN)'}})"
db.execute("COPY ({query}) TO '/dev/null' (FORMAT csv)".replace("LOG", log.replace("?", repr(sys.argv[1]))))
"""


class Run(NamedTuple):
    """Medians of one command: wall and CPU seconds, and the most memory in MB."""

    wall: float
    cpu: float
    rss: float


def measure(command: list[str], runs: int) -> Run:
    """Run a command some times, output thrown away."""
    walls, cpus, rss = [], [], 0.0
    for _ in range(runs):
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        walls.append(time.perf_counter() - begin)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in {0, 1}:
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
        cpus.append(used.ru_utime + used.ru_stime)
        rss = max(rss, used.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10))
    return Run(statistics.median(walls), statistics.median(cpus), rss)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def make_log(count: int) -> Path:
    directory = BENCH / str(count)
    log = directory / "videodb_events.jsonl"
    if not log.exists():
        directory.mkdir(parents=True, exist_ok=True)
        part = log.with_suffix(".part")
        with part.open("wb") as file:
            subprocess.run(
                [sys.executable, str(ROOT / "scripts/make_event_log.py"), str(count)], stdout=file, check=True
            )
        part.rename(log)
    return log


def build_jq() -> str:
    """jq itself, of the version that the jq package holds."""
    binary = BENCH / "jq"
    if not binary.exists():
        say("building jq from the sources inside the sdist of the jq package …")
        work = BENCH / "jq-build"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "jq", "jq"]
        subprocess.run([*pip, "--dest", str(work)], check=True)
        _unpack(next(work.glob("jq-*.tar.gz")), work)
        _unpack(next(work.glob("jq-*/deps/jq-*.tar.gz")), work / "src")
        source = next((work / "src").iterdir())
        options = ["--disable-maintainer-mode", "--with-oniguruma=builtin", "--disable-docs", "--disable-shared"]
        for command in (["./configure", *options, "--enable-all-static", "CFLAGS=-O2"], ["make", "-j2"]):
            subprocess.run(command, cwd=source, capture_output=True, check=True)
        shutil.copy(source / "jq", binary)
    version = subprocess.run([str(binary), "--version"], capture_output=True, text=True, check=True).stdout.strip()
    say(f"{version} built from source")
    return str(binary)


def _unpack(archive: Path, target: Path) -> None:
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter="data")


def install_duckdb() -> None:
    site = BENCH / "site"
    if not (site / "duckdb").exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(site), "duckdb"]
        subprocess.run(pip, check=True)
    os.environ["PYTHONPATH"] = str(site)


def find_ripgrep() -> str | None:
    if shutil.which("rg") is None and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "-q", "ripgrep"], stdout=subprocess.DEVNULL, check=False)
    return shutil.which("rg")


class Task(NamedTuple):
    """One row: ours against others. Factors are how many times faster (or at most slower) ours must be."""

    name: str
    ours: list[str]
    jq: list[str] | None = None
    jq_factor: float = 0.0
    duckdb: str | None = None
    duckdb_factor: float = 0.0
    rg: list[str] | None = None
    rg_factor: float = 0.0


def tasks(log: Path) -> list[Task]:
    last = float(subprocess.run(["tail", "-n", "1", str(log)], capture_output=True, text=True, check=True)
                 .stdout.split('"unix_ts":')[1].split(",")[0])  # fmt: skip
    since = f"{last - 600:.3f}"
    simple = 'select(.channel == "transcript" and .data.is_final)'
    word = 'select(.channel == "visual_index" and (.data.text | ascii_downcase | contains("quokka")))'
    return [
        Task("rare word, any case, one channel", ["filter", "--channel", "visual_index", "--grep", "quokka", "."],
             ["-c", word], 25, "SELECT * FROM LOG WHERE channel = ''visual_index'' AND data.text ILIKE ''%quokka%''", 2,
             ["-i", "quokka"], 5),
        Task("transcript and final, flags", ["filter", "--channel", "transcript", "--final", "."],
             ["-c", simple], 10, "SELECT * FROM LOG WHERE channel = ''transcript'' AND data.is_final", 1),
        Task("transcript and final, jq program", ["filter", simple], ["-c", simple], 8),
        Task("last ten minutes", ["filter", "--since", since, "."], ["-c", f"select(.unix_ts >= {since})"], 80,
             f"SELECT * FROM LOG WHERE unix_ts >= {since}", 6),
        Task("count by channel", ["stats"], ["-n", "reduce inputs as $e ({}; .[$e.channel // \"none\"] += 1)"], 22,
             "SELECT channel, count(*) FROM LOG GROUP BY channel", 1),
        Task("one field of every event", ["filter", "-r", ".data.text"], ["-r", ".data.text"], 8,
             "SELECT data.text FROM LOG", 1),
        Task("general jq program", ["filter", "select(.data.confidence > 0.95) | {c: .channel}"],
             ["-c", "select(.data.confidence > 0.95) | {c: .channel}"], 0.5),
    ]  # fmt: skip


def compare(task: Task, log: Path, runs: int, jq: str, rg: str | None) -> None:
    """Measure and print one row."""
    ours = measure([*VIDEODB, *task.ours, str(log)], runs)
    cells = []
    if task.jq is not None:
        other = measure([jq, *task.jq, str(log)], 1)
        cells.append(_cell("jq", other, ours, task.jq_factor))
    if task.duckdb is not None:
        program = DUCKDB.format(threads=2, query=task.duckdb.replace("''", "'"))
        other = measure([sys.executable, "-c", program, str(log)], max(runs // 2, 1))
        cells.append(_cell("DuckDB", other, ours, task.duckdb_factor))
    if task.rg is not None and rg is not None:
        piped = ["sh", "-c", f"'{rg}' {' '.join(task.rg)} '{log}' | cat"]
        other = measure(piped, runs)
        ratio = ours.wall / other.wall
        cells.append(f"{ratio:5.1f} × rg's time (≤ {task.rg_factor:g}){'' if ratio <= task.rg_factor else '  MISSED'}")
    _row(task.name, ours, cells)


def _cell(name: str, other: Run, ours: Run, wanted: float) -> str:
    ratio = other.wall / ours.wall
    missed = "" if ratio >= wanted else "  MISSED"
    return f"{ratio:6.1f} × {name} (≥ {wanted:g}; cpu {other.cpu / ours.cpu:.1f}){missed}"


def _row(name: str, ours: Run, cells: list[str]) -> None:
    memory = f"{ours.rss:4.0f} MB{'' if ours.rss < 80 else ' MISSED'}"
    say(f"{name:34} {ours.wall * 1000:7.0f} ms {ours.cpu * 1000:7.0f} cpu {memory}   {'   '.join(cells)}")


def compare_sizes(large: Path, runs: int) -> None:
    """What must cost the same in a log of any size."""
    small, tiny = make_log(100_000), make_log(100)
    for name, command, other, limit in (
        ("last ten minutes, against 100k", tasks(large)[3].ours, (small, tasks(small)[3].ours), 1.3),
        ("tail -n 10, against 100 events", ["tail", "-n", "10"], (tiny, ["tail", "-n", "10"]), 1.2),
    ):
        ours = measure([*VIDEODB, *command, str(large)], runs * 3)
        less = measure([*VIDEODB, *other[1], str(other[0])], runs * 3)
        ratio = ours.wall / less.wall
        _row(name, ours, [f"{ratio:6.2f} × its time there (≤ {limit}){'' if ratio <= limit else '  MISSED'}"])
    start = measure([sys.executable, "-c", "import typer"], runs * 3)
    tail = measure([*VIDEODB, "tail", "-n", "10", str(tiny)], runs * 3)
    ratio = tail.cpu / start.cpu
    _row(
        "tail -n 10, start-up", tail, [f"{ratio:6.2f} × import typer, cpu (≤ 1.5){'' if ratio <= 1.5 else '  MISSED'}"]
    )


def compare_search(log: Path, count: int, runs: int) -> None:
    """Index build and warm search."""
    index = log.with_name(log.name + ".index")
    index.unlink(missing_ok=True)
    command = [*VIDEODB, "search", "quokka", "--dir", str(log.parent)]
    build = measure(command, 1)
    rate = count / build.wall
    _row("search, index build", build, [f"{rate / 1000:6.0f}k events/s (≥ 40k){'' if rate >= 40_000 else '  MISSED'}"])
    warm = measure(command, runs * 3)
    version = measure([VIDEODB[0], "--version"], runs * 3)
    ratio = warm.wall / version.wall
    _row("search, index warm", warm, [f"{ratio:6.2f} × videodb --version (< 2){'' if ratio < 2 else '  MISSED'}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    BENCH.mkdir(exist_ok=True)
    jq, rg = build_jq(), find_ripgrep()
    log = make_log(options.events)
    install_duckdb()
    say(f"{options.events:,} events, {log.stat().st_size / 1e6:,.0f} MB, medians of {options.runs}")
    for task in tasks(log):
        compare(task, log, options.runs, jq, rg)
    compare_sizes(log, options.runs)
    compare_search(log, options.events, options.runs)


if __name__ == "__main__":
    main()
