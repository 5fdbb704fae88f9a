"""A certificate of our own for RTSPS, made at the first start and kept: an EC key (P-256) that signs for itself.

Made in plain Python: a bare machine has libssl but often no ``openssl`` program, and a cryptography package would be
four megabytes for this one page. It takes some 20 ms. The arithmetic takes a time that depends on the key, which is of
no use to anybody here: it runs once, before the port is open; the TLS handshakes are OpenSSL's.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from videodb_cli.rundir import private

CERTIFICATE: Final = "rtsp-cert.pem"
KEY: Final = "rtsp-key.pem"
_LIFE: Final = timedelta(days=825)
_RENEW: Final = timedelta(days=30)

# The curve P-256 (FIPS 186-4, D.1.2.3): y² = x³ - 3x + b over the field of P.
_P: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1
_N: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G: Final = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_Point = tuple[int, int]

_EC_PUBLIC_KEY: Final = (1, 2, 840, 10045, 2, 1)
_P256: Final = (1, 2, 840, 10045, 3, 1, 7)
_ECDSA_SHA256: Final = (1, 2, 840, 10045, 4, 3, 2)
_COMMON_NAME: Final = (2, 5, 4, 3)
_ALT_NAMES: Final = (2, 5, 29, 17)
_BASIC_CONSTRAINTS: Final = (2, 5, 29, 19)


def server_context(directory: Path, addresses: Sequence[str] = ()) -> ssl.SSLContext:
    """TLS for the server with the certificate in ``directory``, which is made there if there is none that lasts.

    With ``addresses``, under which others reach this machine, it is always made anew: they change, and it names them.
    Raises `RefusedError` if the files cannot be written.
    """
    key, certificate = directory / KEY, directory / CERTIFICATE
    context = _context()
    if addresses or not _lasts(certificate) or not _loads(context, certificate, key):
        key_pem, certificate_pem = make_certificate([socket.gethostname()], addresses, now=datetime.now(UTC))
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        private.write_atomic(key, key_pem.encode())
        private.write_atomic(certificate, certificate_pem.encode())
        context = _context()
        context.load_cert_chain(certificate, key)
    return context


def certificate_hash(directory: Path) -> str:
    """SHA-256 of the certificate in hexadecimal, for clients that pin it."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert((directory / CERTIFICATE).read_text("ascii"))).hexdigest()


def make_certificate(host_names: Sequence[str], addresses: Sequence[str], *, now: datetime) -> tuple[str, str]:
    """A new key and its certificate, as PEM texts, for this machine's loopback and those names and addresses."""
    secret = secrets.randbelow(_N - 1) + 1
    public = _times(secret, _G)
    point = b"\x04" + public[0].to_bytes(32) + public[1].to_bytes(32)
    algorithm = _sequence(_oid(_EC_PUBLIC_KEY), _oid(_P256))
    name = _sequence(_der(0x31, _sequence(_oid(_COMMON_NAME), _der(0x0C, b"videodb local"))))
    dates = _sequence(_time(now - timedelta(days=1)), _time(now + _LIFE))
    body = _sequence(
        _der(0xA0, _integer(2)),
        _integer(secrets.randbits(127) + 1),
        _sequence(_oid(_ECDSA_SHA256)),
        name,
        dates,
        name,
        _sequence(algorithm, _bits(point)),
        _der(
            0xA3, _sequence(_alternative_names(host_names, addresses), _extension(_BASIC_CONSTRAINTS, _sequence(_TRUE)))
        ),
    )
    certificate = _sequence(body, _sequence(_oid(_ECDSA_SHA256)), _bits(_signature(secret, body)))
    inner = _sequence(_integer(1), _der(0x04, secret.to_bytes(32)), _der(0xA1, _bits(point)))
    key = _sequence(_integer(0), algorithm, _der(0x04, inner))
    return _pem("PRIVATE KEY", key), _pem("CERTIFICATE", certificate)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _loads(context: ssl.SSLContext, certificate: Path, key: Path) -> bool:
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError):
        return False
    return True


def _lasts(certificate: Path) -> bool:
    """Whether the file is ours, whole and no older than that it lasts a month more."""
    try:
        written = datetime.fromtimestamp(certificate.stat().st_mtime, UTC)
    except OSError:
        return False
    return datetime.now(UTC) < written + _LIFE - _RENEW


# Arithmetic on the curve


def _add(one: _Point | None, other: _Point | None) -> _Point | None:
    if one is None or other is None:
        return one or other
    if one[0] == other[0]:
        if (one[1] + other[1]) % _P == 0:
            return None
        slope = 3 * (one[0] * one[0] - 1) * pow(2 * one[1], -1, _P) % _P
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, _P) % _P
    x = (slope * slope - one[0] - other[0]) % _P
    return x, (slope * (one[0] - x) - one[1]) % _P


def _times(factor: int, point: _Point) -> _Point:
    found: _Point | None = None
    doubled: _Point | None = point
    while factor:
        if factor & 1:
            found = _add(found, doubled)
        doubled = _add(doubled, doubled)
        factor >>= 1
    if found is None:
        raise ValueError("the factor is a multiple of the order")
    return found


def _signature(secret: int, message: bytes) -> bytes:
    digest = int.from_bytes(hashlib.sha256(message).digest())
    while True:
        nonce = secrets.randbelow(_N - 1) + 1
        r = _times(nonce, _G)[0] % _N
        s = pow(nonce, -1, _N) * (digest + r * secret) % _N
        if r and s:
            return _sequence(_integer(r), _integer(s))


# DER (X.690)


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content


def _sequence(*parts: bytes) -> bytes:
    return _der(0x30, b"".join(parts))


def _integer(value: int) -> bytes:
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def _bits(content: bytes) -> bytes:
    return _der(0x03, b"\x00" + content)


def _oid(numbers: tuple[int, ...]) -> bytes:
    out = bytearray([numbers[0] * 40 + numbers[1]])
    for number in numbers[2:]:
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(number & 0x7F | 0x80)
        out += bytes(reversed(groups))
    return _der(0x06, bytes(out))


def _time(at: datetime) -> bytes:
    return _der(0x17, at.strftime("%y%m%d%H%M%SZ").encode())


def _extension(name: tuple[int, ...], value: bytes) -> bytes:
    return _sequence(_oid(name), _der(0x04, value))


_TRUE: Final = _der(0x01, b"\xff")


def _alternative_names(host_names: Sequence[str], addresses: Sequence[str]) -> bytes:
    hosts = dict.fromkeys(["localhost", *(name for name in host_names if name.isascii() and name)])
    packed = dict.fromkeys(ip_address(address).packed for address in ("127.0.0.1", "::1", *addresses))
    names = [_der(0x82, host.encode()) for host in hosts] + [_der(0x87, address) for address in packed]
    return _extension(_ALT_NAMES, _sequence(*names))


def _pem(label: str, der: bytes) -> str:
    text = base64.encodebytes(der).decode().replace("\n", "")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])
