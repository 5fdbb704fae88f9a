"""Signs deliveries by the Standard Webhooks scheme (https://www.standardwebhooks.com), version v1: HMAC-SHA256."""

from __future__ import annotations

import base64
import binascii
import hmac
import stat
from pathlib import Path

from videodb_cli.errors import NotFoundError, RefusedError, UsageError
from videodb_cli.rundir import private
from videodb_cli.userpaths import mode_of

_PREFIX = b"whsec_"


def read_secrets(path: Path) -> tuple[bytes, ...]:
    """Returns the secrets of a file: one ``whsec_…`` a line, or else the bytes of the file as one secret.

    A newline at the end is not part of a secret. Several lines are for rotation: each gives a signature.

    Raises:
        NotFoundError: There is no such file.
        RefusedError: Others may read it, or it is not a plain file of ours.
        UsageError: It holds no secret, or a line is not one.
    """
    mode = mode_of(path)
    if mode is None:
        raise NotFoundError(f"no secret file {path}", hint=f"(umask 077; openssl rand 32 > {path})")
    if stat.S_ISREG(mode) and stat.S_IMODE(mode) & 0o077:
        raise RefusedError(
            f"others can read the secret file {path} (mode {stat.S_IMODE(mode):04o})",
            code="secret_file",
            hint=f"chmod 600 {path}",
        )
    content = private.read_bytes(path) or b""
    lines = [line.strip() for line in content.splitlines()]
    if not any(line.startswith(_PREFIX) for line in lines):
        secret = content.removesuffix(b"\n").removesuffix(b"\r")
        if not secret:
            raise UsageError(f"the secret file {path} is empty", hint=f"(umask 077; openssl rand 32 > {path})")
        return (secret,)
    return tuple(_decoded(line, f"{path} line {number}") for number, line in enumerate(lines, 1) if line)


def _decoded(line: bytes, place: str) -> bytes:
    """Returns the bytes of a ``whsec_`` secret. The message never shows the secret."""
    encoded = line.removeprefix(_PREFIX)
    try:
        secret = base64.b64decode(encoded + b"=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        secret = b""
    if not secret or not line.startswith(_PREFIX):
        raise UsageError(
            f"{place} is not a secret: whsec_ and base64", hint="one secret a line, or a file of raw bytes"
        )
    return secret


def signature_headers(secrets: tuple[bytes, ...], webhook_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Returns ``webhook-id``, ``webhook-timestamp`` (Unix seconds) and ``webhook-signature``, one for each secret."""
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in secrets)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
