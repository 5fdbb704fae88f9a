"""``python -m videodb_cli`` and the ``videodb`` script."""

from __future__ import annotations

import sys


def run() -> None:
    """Run the command line of this process and end it with the right exit status."""
    from videodb_cli.main import main

    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
