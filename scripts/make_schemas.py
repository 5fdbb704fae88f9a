#!/usr/bin/env python3
"""Write docs/schemas/ from the schemas that `videodb schema` prints.

    python scripts/make_schemas.py            (or: make docs)

A test fails while they differ.
"""

import json
from pathlib import Path

from videodb_cli.schemas import all_schemas

PLACE = Path(__file__).parents[1] / "docs" / "schemas"


def render() -> dict[str, str]:
    """Return the files by their names."""
    return {
        f"{name.replace(' --', '-').replace(' ', '-')}.json": json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
        for name, schema in all_schemas().items()
    }


if __name__ == "__main__":
    PLACE.mkdir(exist_ok=True)
    for name, text in render().items():
        (PLACE / name).write_text(text, encoding="utf-8")
