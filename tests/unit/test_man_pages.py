"""The man pages: one for each command, which man renders without a warning, and which the wheel brings."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "make_man_pages.py"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    spec = importlib.util.spec_from_file_location("make_man_pages", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    maker: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    return {path.name: path for path in maker.write_pages(tmp_path_factory.mktemp("man"))}


def test_one_page_for_each_command(pages: dict[str, Path]) -> None:
    known = {path.stem for path in (ROOT / "tests" / "golden" / "help").iterdir()}
    hidden = {"videodb-background", "videodb-version", "videodb-capture-recorder"}
    assert {path.removesuffix(".1") for path in pages} == known - hidden


def test_what_a_page_says(pages: dict[str, Path]) -> None:
    text = pages["videodb-events-tail.1"].read_text()
    for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", '"COMMON OPTIONS"'):
        assert f".SH {heading}\n" in text or f'.SH "{heading}"\n' in text, heading
    assert "videodb events tail \\-n 20" in text
    assert "\\fBvideodb\\-events\\fR(1)" in text
    assert text.isascii()


def test_nothing_in_a_text_is_a_request() -> None:
    spec = importlib.util.spec_from_file_location("make_man_pages", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    maker: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    assert maker.escaped(".so x\n'x\\ é…") == "\\&.so x\n\\(aqx\\e \\[u00E9]..."


@pytest.mark.skipif(shutil.which("man") is None, reason="no man")
def test_man_renders_every_page_without_a_warning(pages: dict[str, Path]) -> None:
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "MANWIDTH": "80"}
    for path in pages.values():
        done = subprocess.run(
            ["man", "--warnings=all", "-l", path], capture_output=True, text=True, env=environment, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), path.name
        assert "NAME" in done.stdout


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="no mandoc")
def test_mandoc_finds_no_error(pages: dict[str, Path]) -> None:
    subprocess.run(["mandoc", "-T", "lint", "-W", "error", *pages.values()], check=True)


def test_the_build_installs_what_the_pages_need(tmp_path: Path) -> None:
    """Whatever the commands import at the top must be in the build's environment."""
    program = (
        "import runpy, sys\n"
        f"runpy.run_path({str(SCRIPT)!r})['write_pages'](__import__('pathlib').Path({str(tmp_path)!r}))\n"
        "files = {name: getattr(module, '__file__', None) or '' for name, module in sys.modules.items()}\n"
        "print(*sorted({name.split('.')[0] for name, file in files.items() if 'site-packages' in file}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    hook = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]
    declared = {requirement.partition(">")[0] for requirement in hook["custom"]["dependencies"]}
    of_typer = {"annotated_doc", "shellingham", "typing_extensions"}
    of_the_environment = {"_distutils_hack", "coverage", "a1_coverage", "_virtualenv"}
    assert set(done.stdout.split()) - of_typer - of_the_environment <= declared


@pytest.mark.system
@pytest.mark.skipif(importlib.util.find_spec("hatchling") is None, reason="hatchling is not installed")
def test_the_wheel_brings_them(pages: dict[str, Path], tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, ROOT], check=True
    )
    (wheel,) = tmp_path.glob("videodb_cli-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    brought = {name.rpartition("/")[2] for name in names if "/data/share/man/man1/" in name}
    assert brought == set(pages)
    prefix = tmp_path / "prefix"
    subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "--prefix", prefix, "--ignore-installed", wheel], check=True
    )
    installed = prefix / "share" / "man" / "man1"
    assert {path.name for path in installed.iterdir()} == set(pages)
    assert (installed / "videodb.1").read_text() == pages["videodb.1"].read_text()
    if shutil.which("man") is not None:
        shown = subprocess.run(
            ["man", "-M", prefix / "share" / "man", "videodb-listen"], capture_output=True, text=True, check=True
        )
        assert "WS_ID" in shown.stdout
