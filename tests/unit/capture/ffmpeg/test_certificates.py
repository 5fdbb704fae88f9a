"""Which certificate is trusted: exactly the one whose hash the service gave, however it is written."""

import asyncio
import base64
import hashlib
from pathlib import Path

import pytest

from videodb_cli.capture.ffmpeg.certificates import Certificates, matches
from videodb_cli.errors import RefusedError

CERTIFICATE = b"a certificate in DER"
DIGEST = hashlib.sha256(CERTIFICATE).digest()


@pytest.mark.parametrize(
    "written",
    [
        DIGEST.hex(),
        DIGEST.hex().upper(),
        DIGEST.hex(":"),
        f"sha256:{DIGEST.hex()}",
        f"sha256/{base64.b64encode(DIGEST).decode()}",
        f" {base64.b64encode(DIGEST).decode()} ",
    ],
)
def test_the_hash_in_every_spelling(written: str) -> None:
    assert matches(CERTIFICATE, written)
    assert not matches(b"another", written)


@pytest.mark.parametrize("written", ["", "nonsense!", DIGEST.hex()[:-2], "00" * 32])
def test_what_is_no_such_hash_never_matches(written: str) -> None:
    assert not matches(CERTIFICATE, written)


async def test_plain_rtsp_needs_none_and_other_schemes_are_refused(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    assert (await certificates.target_for("rtsp://h:1/x", None)).ca_file is None
    bundle = (await certificates.target_for("rtsps://h:1/x", None)).ca_file
    assert bundle is not None
    assert await asyncio.to_thread(Path(bundle).is_file)
    for url in ("file:///etc/passwd", "http://h/x", "rtsp:///x", "-i"):
        with pytest.raises(RefusedError):
            await certificates.target_for(url, None)
