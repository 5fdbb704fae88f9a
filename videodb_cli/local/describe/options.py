"""Which endpoint describes, and the key for it. Light: the command line reads it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from videodb_cli.errors import UsageError
from videodb_cli.settings import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_NAME: Final = "VIDEODB_DESCRIBE_KEY"
TIMEOUT_S: Final = 30.0
_COMPLETIONS: Final = "/chat/completions"


@dataclass(frozen=True, slots=True)
class DescribeOptions:
    """The endpoint. ``url`` is its base, which ends in ``/v1``. ``model`` None means the first that it lists."""

    url: str
    model: str | None = None
    timeout_s: float = TIMEOUT_S

    @property
    def place(self) -> str:
        """The address for messages."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def to_json(self) -> dict[str, Any]:
        """Return the values for the request to a background process. They hold no secret."""
        return asdict(self)


def checked_options(url: str, model: str | None, timeout_s: float | None) -> DescribeOptions:
    """Return the options for what the user has typed.

    Raises:
        UsageError: The address cannot be used, or it holds a secret, which every user of the machine could read in
            the list of processes.
    """
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise UsageError(
            "--describe needs the http or https address of an endpoint", hint="--describe http://127.0.0.1:11434/v1"
        )
    if parts.username is not None or parts.query or parts.fragment:
        raise UsageError(
            "--describe takes an address without a password, a query or a fragment",
            hint=f"put the endpoint's key into the environment: export {KEY_NAME}=…",
        )
    if timeout_s is not None and not timeout_s > 0:  # also no number (nan)
        raise UsageError("--describe-timeout must be above 0", hint=f"--describe-timeout {TIMEOUT_S:g}")
    path = parts.path.rstrip("/").removesuffix(_COMPLETIONS)
    if not path.endswith("/v1"):
        path += "/v1"
    base = f"{parts.scheme}://{parts.netloc}{path}"
    return DescribeOptions(base, model or None, TIMEOUT_S if timeout_s is None else timeout_s)


def read_key(environment: Mapping[str, str]) -> Secret | None:
    """Return the endpoint's key, None without one. Raises `UsageError` if no HTTP header can carry it."""
    value = environment.get(KEY_NAME, "").strip()
    if not value:
        return None
    if not (value.isascii() and value.isprintable()):
        raise UsageError(f"{KEY_NAME} holds characters that a key cannot have", hint=f"export {KEY_NAME}=…")
    return Secret(value)
