"""The settings of the site: every page has its place in it, and no page asks anything of the network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SETTINGS = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
# Made by scripts/site_hook.py when the site is built.
MADE = {"schemas.md", "security.md"}


def pages(nav: Any) -> Iterator[str]:
    """The pages of a part of the navigation."""
    if isinstance(nav, str):
        yield nav
    else:
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from pages(part)


def test_every_page_stands_in_the_navigation_once() -> None:
    docs = ROOT / "docs"
    there = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    assert sorted(pages(SETTINGS["nav"])) == sorted(there | MADE)


def test_a_broken_link_fails_the_build() -> None:
    assert SETTINGS["strict"] is True
    assert {value for part in SETTINGS["validation"].values() for value in part.values()} == {"warn"}


def test_nothing_is_fetched_from_the_network() -> None:
    assert SETTINGS["theme"]["font"] is False
    assert not {"extra_javascript", "extra_css"} & set(SETTINGS)
