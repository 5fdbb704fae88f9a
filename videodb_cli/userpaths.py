"""The user's directories, and paths as they are typed, on machines that may have neither home nor directory.

A container or a system service may have no home: no ``HOME``, and a user id that the password database does not know.
The working directory may have been deleted.
"""

from __future__ import annotations

import os
from pathlib import Path

from videodb_cli.errors import NotFoundError, RefusedError, UsageError


def home_directory() -> Path | None:
    """Return the user's home: ``HOME`` if it is absolute, else what the password database says; None without either.

    An empty or relative ``HOME`` is no home: what it names would change with the working directory.
    """
    named = os.environ.get("HOME", "")
    if Path(named).is_absolute():
        return Path(named)
    try:
        import pwd

        entry = Path(pwd.getpwuid(os.getuid()).pw_dir)
    except (ImportError, KeyError):
        return None
    return entry if entry.is_absolute() else None


def user_directory(variable: str, below_home: str, *, hint: str) -> Path:
    """Return what an XDG variable names, if that is absolute as the specification asks, else a directory of the home.

    Raises UsageError, with this hint, if there is neither.
    """
    named = Path(os.environ.get(variable, ""))
    if named.is_absolute():
        return named
    home = home_directory()
    if home is None:
        raise no_home(hint)
    return home / below_home


def no_home(hint: str) -> UsageError:
    """Return the error of a user without a home directory; it says why there is none."""
    named = os.environ.get("HOME")
    why = "HOME is not set" if named is None else "HOME is empty" if not named else f"HOME is not absolute ({named})"
    return UsageError(
        f"the home directory is not known: {why}, and user {_user()} has none in the password database",
        code="no_home",
        hint=hint,
    )


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else "this one"


def expanded(name: str) -> Path:
    """Return the path of a name in which a leading ``~`` or ``~user`` stands for a home. Raises UsageError."""
    if not name.startswith("~"):
        return Path(name)
    user, _, rest = name[1:].partition("/")
    if not user:
        home = home_directory()
        if home is None:
            raise no_home(f"write the path out instead of {name}")
        return home / rest
    try:
        return Path(name).expanduser()
    except RuntimeError:
        raise UsageError(
            f"no user is called {user}, so {name} names nothing", code="no_user", hint=f"a file of that name: ./{name}"
        ) from None


def mode_of(path: Path) -> int | None:
    """Return what `stat` says of the kind of a file; None if there is none.

    Raises RefusedError for what may not be looked at, and for a name that no file can have.
    """
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise RefusedError(f"cannot read {path}: {error.strerror}", code="file") from error
    except ValueError:
        raise RefusedError(f"no file can be called {path}", code="file") from None


def absolute(path: Path) -> Path:
    """Return the path from the root on. Raises NotFoundError or RefusedError if the working directory is not known."""
    try:
        return path.absolute()
    except FileNotFoundError:
        raise NotFoundError(
            f"the working directory was deleted, so {path} names nothing",
            code="no_working_directory",
            hint="cd to a directory that exists, or give an absolute path",
        ) from None
    except OSError as error:
        raise RefusedError(
            f"the working directory cannot be told ({error.strerror}), so {path} names nothing",
            code="no_working_directory",
            hint="cd to another directory, or give an absolute path",
        ) from error


def temporary_directory() -> str:
    """Return where temporary files go. Raises RefusedError if there is no such place."""
    import tempfile

    try:
        return tempfile.gettempdir()
    except OSError:
        raise RefusedError(
            "no temporary file can be made: not in TMPDIR, /tmp, /var/tmp or /usr/tmp",
            code="no_temporary_directory",
            hint="export TMPDIR=DIR",
        ) from None
