"""Pages of the site that are made when it is built: SECURITY.md, the list of JSON Schemas, and the first page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages that do not stand in docs/."""
    schemas = sorted(path.name for path in (ROOT / "docs" / "schemas").glob("*.json"))
    listed = "\n".join(f"- [{name}](schemas/{name})" for name in schemas)
    about = "Of the lines of the log (`event.json`), and of each answer to `--json`. `videodb schema` prints them."
    made = {
        "security.md": (ROOT / "SECURITY.md").read_text(encoding="utf-8").replace("](docs/", "]("),
        "schemas.md": f"# JSON Schemas\n\n{about}\n\n{listed}\n",
    }
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    # The address of the site itself leads to the first page.
    first = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=getting-started.html">\n'
    files.append(File.generated(config, "index.html", content=first))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Leads links to SECURITY.md, which stands outside docs/, to its page in the site."""
    return markdown.replace("](../SECURITY.md", "](security.md")
