#!/usr/bin/env python3
"""Drop-in for the listener script that VideoDB users run today: same arguments, same files, same first line.

    python scripts/ws_listener.py [--clear] [--cwd=PATH] [--max-seconds=S] [--max-bytes=SIZE] [DIR] &
    kill $(cat /tmp/videodb_ws_pid)

DIR is where videodb_events.jsonl, videodb_ws_id and videodb_ws_pid go. Default: VIDEODB_EVENTS_DIR; else the state
directory of `videodb` (~/.local/state/videodb) if it is in use: a log is in it; else /tmp. stderr says which.
--cwd=PATH reads .env from PATH. The first line is WS_ID=<connection id>, then one "[channel] text" line for each event.
Behind it is `videodb listen`: it needs `pip install videodb-cli` (or this checkout's dependencies).
"""

import argparse
import os
import sys
from pathlib import Path

# A checkout that is not installed works too, with its dependencies there.
sys.path.append(str(Path(__file__).resolve().parent.parent))


def main() -> int:
    """Run `videodb listen --print` as the arguments of the old script ask. Returns the exit status."""
    parser = argparse.ArgumentParser(
        description="Listen to VideoDB events, as `videodb listen DIR --print` does.", allow_abbrev=False
    )
    parser.add_argument("--clear", action="store_true", help="empty the log once the first connection stands")
    parser.add_argument("--cwd", metavar="PATH", help="read .env from PATH instead of the working directory")
    parser.add_argument("--max-seconds", metavar="S", help="end after S seconds, status 0")
    parser.add_argument("--max-bytes", metavar="SIZE", help="end once so much was logged, status 0")
    parser.add_argument(
        "directory",
        nargs="?",
        metavar="DIR",
        help="default: VIDEODB_EVENTS_DIR, else the state directory of videodb if it is in use, else /tmp",
    )
    arguments = parser.parse_args()
    directory = arguments.directory and Path(arguments.directory).absolute()
    if arguments.cwd:
        try:
            os.chdir(arguments.cwd)
        except OSError as error:
            sys.stderr.write(f"error: --cwd={arguments.cwd}: {error.strerror}\n")
            return 4
    try:
        from videodb_cli.main import main as videodb
        from videodb_cli.settings import default_directory, directory_from_environment
    except ModuleNotFoundError as error:
        sys.stderr.write(f"error: {error.name} is not installed\nhint: pip install videodb-cli\n")
        return 7
    directory = directory or directory_from_environment()
    if directory is None:
        directory = default_directory() if in_use(default_directory()) else Path("/tmp")
        sys.stderr.write(f"listening in {directory} (DIR or VIDEODB_EVENTS_DIR changes that)\n")
    bounds = (("--max-seconds", arguments.max_seconds), ("--max-bytes", arguments.max_bytes))
    given = [f"{name}={value}" for name, value in bounds if value is not None]
    return videodb(["listen", "--print", *given, *(["--clear"] if arguments.clear else []), "--dir", str(directory)])


def in_use(directory: Path) -> bool:
    """Tell whether `videodb` keeps a log in a directory."""
    return (directory / "videodb_events.jsonl").is_file()


if __name__ == "__main__":
    sys.exit(main())
