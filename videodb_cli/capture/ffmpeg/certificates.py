"""Which certificates ffmpeg trusts for rtsps: the system's, or exactly the one whose hash the service gave.

A statically linked ffmpeg knows no system store, so one is always named to it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from videodb_cli.capture.ffmpeg.arguments import PublishTarget
from videodb_cli.errors import RefusedError
from videodb_cli.network import tls
from videodb_cli.rundir import private

_FETCH_S = 10.0


class Certificates:
    """Chooses the trusted certificates for publish addresses; a pinned one is kept in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self._pinned = directory / ".videodb_capture_cert.pem"

    def forget(self) -> None:
        """Remove what was kept. Never raises."""
        private.remove(self._pinned)

    async def target_for(self, url: str, pinned_hash: str | None) -> PublishTarget:
        """Return the target for an address. Raises RefusedError for a certificate that does not match the hash."""
        parts = urlsplit(url)
        if parts.scheme.lower() not in {"rtsp", "rtsps"} or not parts.hostname:
            raise RefusedError(
                f"the service names an address of kind {parts.scheme[:16]!r} to publish to, not rtsp",
                code="bad_publish_url",
            )
        if parts.scheme.lower() == "rtsp":
            return PublishTarget(url)
        if pinned_hash is None:
            return PublishTarget(url, tls.bundle())
        pem = await self._fetch(parts.hostname, parts.port or 322)
        if not matches(ssl.PEM_cert_to_DER_cert(pem), pinned_hash):
            raise RefusedError(
                f"the TLS certificate of {parts.hostname} is not the one that the service named",
                code="certificate",
            )
        await asyncio.to_thread(private.write_atomic, self._pinned, pem.encode())
        return PublishTarget(url, str(self._pinned))

    async def _fetch(self, host: str, port: int) -> str:
        try:
            return await asyncio.to_thread(ssl.get_server_certificate, (host, port), timeout=_FETCH_S)
        except (OSError, ValueError) as error:
            raise RefusedError(
                f"cannot look at the TLS certificate of {host}: {error}", code="publish_unreachable"
            ) from error


def matches(certificate: bytes, wanted: str) -> bool:
    """Tell whether the SHA-256 of a DER certificate is this hash: hexadecimal, with colons or not, or base64."""
    digest = hashlib.sha256(certificate).digest()
    text = wanted.strip().removeprefix("sha256:").removeprefix("sha256/")
    try:
        given = bytes.fromhex(text.replace(":", ""))
    except ValueError:
        try:
            given = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            return False
    return hmac.compare_digest(digest, given)
