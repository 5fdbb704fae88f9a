"""``python -m videodb_cli`` and the ``videodb`` script."""

from __future__ import annotations

import gc
import sys


def run() -> None:
    """Run the command line of this process and end it with the right exit status."""
    # Imports make tens of thousands of objects that stay: collecting among them costs a tenth of the start-up time.
    gc.set_threshold(50_000, 10, 10)
    from videodb_cli.main import main

    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
