"""The options for where and in which form a command prints: ``--format`` and ``-o``."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from videodb_cli import console
from videodb_cli.commands.options import option_group
from videodb_cli.commands.pager import paged
from videodb_cli.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from videodb_cli.eventlog.read.sources import LogSource

FORMS = ("pretty", "json", "csv", "tsv", "md")
_PANEL = "Output"


class OutputOptions(NamedTuple):
    """Where and how a command prints.

    Attributes:
        form: The form that was asked for; None means the default.
        file: The file of ``-o``; None means stdout.
    """

    form: str | None = None
    file: str | None = None

    def chosen(self, *, as_json: bool = False, forms: Sequence[str] = FORMS, default: str | None = None) -> str:
        """Return the form to print in. By default that of the configuration or ``pretty`` on a terminal, else ``json``.

        Ask inside of `destination`, because a file is no terminal.

        Raises:
            UsageError: There is no such form, or ``--json`` asks for another one.
        """
        if self.form is not None and self.form not in forms:
            raise UsageError(f"no format is called {self.form}", hint=f"--format takes one of: {', '.join(forms)}")
        if as_json:
            if self.form not in {None, "json"}:
                raise UsageError(f"--json and --format {self.form} contradict each other", hint="leave one of them out")
            return "json"
        return self.form or _configured(forms) or default or ("pretty" if console.is_terminal() else "json")

    @contextlib.contextmanager
    def destination(self, *, is_followed: bool = False, is_paged: bool = False) -> Iterator[bool]:
        """Lead stdout to the file of ``-o``, or to a pager, within the block.

        Yields whether the output is added to a file that has content already.

        Args:
            is_followed: The output comes bit by bit, and is added to the file. Otherwise it replaces the file.
            is_paged: It may be long, and is for people.

        Raises:
            RefusedError: The file cannot be written.
        """
        if self.file not in {None, "-"}:
            from videodb_cli.commands.output_file import written_to

            with written_to(str(self.file), is_appended=is_followed) as is_continued:
                yield is_continued
        elif is_paged:
            with paged():
                yield False
        else:
            yield False

    def check(self, sources: Sequence[LogSource]) -> None:
        """Raise RefusedError if the file of ``-o`` is one of those that are read."""
        if self.file in {None, "-"}:
            return
        for source in sources:
            with contextlib.suppress(OSError):
                if source.path is not None and Path(str(self.file)).samefile(source.path):
                    raise RefusedError(
                        f"{self.file} is read, and cannot be written at the same time",
                        code="file",
                        hint="name another file: -o FILE",
                    )


def _configured(forms: Sequence[str]) -> str | None:
    """Return the form that ``config.toml`` wants on a terminal, if the command has it."""
    if not console.is_terminal():
        return None
    from videodb_cli.config.chosen import output_form

    form = output_form()
    return form if form in forms else None


def _option(*names: str, metavar: str, help_text: str) -> Any:
    return typer.Option(*names, metavar=metavar, help=help_text, rich_help_panel=_PANEL, show_default=False)


_OPTIONS: dict[str, Any] = {
    "form": Annotated[
        str | None,
        _option("--format", metavar="|".join(FORMS), help_text="Form of the output.  [default: pretty on a terminal]"),
    ],
    "file": Annotated[
        str | None, _option("-o", "--output", metavar="FILE", help_text="Write to this file, or to stdout for -.")
    ],
}

# A command with it receives these options as its parameter ``output``.
with_output = option_group(OutputOptions, _OPTIONS, "output")


def with_forms(*forms: str, default: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return `with_output` for a command with forms of its own."""
    own = {
        **_OPTIONS,
        "form": Annotated[
            str | None,
            _option("--format", metavar="|".join(forms), help_text=f"Form of the output.  [default: {default}]"),
        ],
    }
    return option_group(OutputOptions, own, "output")
