"""The documents point at what exists: links, anchors, and what docstrings cite."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CODE = sorted(path for name in ("videodb_cli", "tests", "scripts") for path in (ROOT / name).rglob("*.py"))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CITED = re.compile(r"\b(?:docs/)?[\w/-]+\.md\b(?: §(\d+))?")


def without_code(text: str) -> str:
    return re.sub(r"(?ms)^\s*```.*?^\s*```", "", text)


def anchors(document: Path) -> set[str]:
    """The anchors that a page's headings get: lower case, no punctuation, dashes for spaces."""
    headings = re.findall(r"(?m)^#+ +(.+)$", without_code(document.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def links() -> Iterator[tuple[Path, str]]:
    for document in DOCUMENTS:
        for target in LINK.findall(without_code(document.read_text(encoding="utf-8"))):
            if "://" not in target:
                yield document, target


@pytest.mark.parametrize(("document", "target"), list(links()), ids=lambda value: str(value).removeprefix(f"{ROOT}/"))
def test_links_lead_somewhere(document: Path, target: str) -> None:
    name, _, anchor = target.partition("#")
    there = (document.parent / name).resolve() if name else document
    assert there.exists(), f"{document.name} links to {target}"
    assert there.is_relative_to(ROOT)
    if anchor:
        assert anchor in anchors(there), f"{document.name} links to {target}"


def test_what_the_code_cites_is_in_the_repository() -> None:
    for path in CODE:
        for found in CITED.finditer(path.read_text(encoding="utf-8")):
            name, section = found.group().split(" ")[0], found.group(1)
            if not name.startswith("docs/"):
                continue
            document = ROOT / name
            assert document.exists(), f"{path.name} cites {name}"
            if section is not None:
                assert re.search(rf"(?m)^## {section}\. ", document.read_text(encoding="utf-8")), (
                    f"{path.name}: {found}"
                )


def test_the_decisions_are_numbered_and_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    pages = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert [int(name[:4]) for name in pages] == list(range(1, len(pages) + 1))
    listed = LINK.findall((folder / "README.md").read_text(encoding="utf-8"))
    assert listed == pages
