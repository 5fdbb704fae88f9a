"""Which certificate is trusted: exactly the one whose hash the service gave, however it is written."""

import asyncio
import base64
import hashlib
import ssl
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


def test_a_certificate_that_the_service_named_is_kept_and_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = ssl.DER_cert_to_PEM_cert(CERTIFICATE)
    asked: list[tuple[str, int]] = []

    def fetch(address: tuple[str, int], timeout: float) -> str:
        asked.append(address)
        return pem

    monkeypatch.setattr(ssl, "get_server_certificate", fetch)
    certificates = Certificates(tmp_path)
    target = asyncio.run(certificates.target_for("rtsps://h:1/x", DIGEST.hex()))
    assert target.ca_file is not None
    kept = Path(target.ca_file)
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == (pem, 0o600)
    asyncio.run(certificates.target_for("rtsps://h/x", DIGEST.hex()))
    assert asked == [("h", 1), ("h", 322)]
    certificates.forget()
    assert not kept.exists()
    with pytest.raises(RefusedError, match="not the one that the service named"):
        asyncio.run(certificates.target_for("rtsps://h:1/x", "00" * 32))
    assert not kept.exists()


async def test_a_certificate_that_cannot_be_looked_at_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(address: tuple[str, int], timeout: float) -> str:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(ssl, "get_server_certificate", fetch)
    with pytest.raises(RefusedError, match=r"cannot look at the TLS certificate of h: .*refused"):
        await Certificates(tmp_path).target_for("rtsps://h:1/x", DIGEST.hex())
