"""The self-signed certificate that the RTSP server shows for ``rtsps``: made at the first start, then kept."""

from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

from videodb_cli.errors import MissingDependencyError
from videodb_cli.rundir import private

if TYPE_CHECKING:
    from cryptography import x509

CERTIFICATE: Final = "rtsp-cert.pem"
KEY: Final = "rtsp-key.pem"
_LIFE: Final = timedelta(days=825)
_RENEW: Final = timedelta(days=30)
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


def server_context(directory: Path, addresses: Sequence[str] = ()) -> ssl.SSLContext:
    """Return TLS settings for the server, with the certificate kept in ``directory``.

    A new one is made if there is none, if it ends within 30 days, if it does not name all of ``addresses``, or if the
    files cannot be used.

    Args:
        directory: Where the key and the certificate are; created if it does not exist.
        addresses: Host names and IP addresses, besides the loopback's, under which others reach this machine.

    Raises:
        RefusedError: A file cannot be written, or a link or somebody else's file stands in its place.
        MissingDependencyError: The package `cryptography` is not installed.
    """
    key, certificate = directory / KEY, directory / CERTIFICATE
    context = _context()
    if not _is_usable(certificate, addresses) or not _loads(context, certificate, key):
        key_pem, certificate_pem = make_certificate([socket.gethostname(), *addresses], now=datetime.now(UTC))
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        private.write_atomic(key, key_pem)
        private.write_atomic(certificate, certificate_pem)
        context = _context()
        context.load_cert_chain(certificate, key)
    return context


def certificate_hash(directory: Path) -> str:
    """Return the SHA-256 of the certificate in hexadecimal, for clients that pin it."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert((directory / CERTIFICATE).read_text("ascii"))).hexdigest()


def make_certificate(addresses: Sequence[str], *, now: datetime) -> tuple[bytes, bytes]:
    """Return a new private key and its certificate, both as PEM.

    Args:
        addresses: Host names and IP addresses that it names besides the loopback's. Names that are not ASCII are left
            out, because a certificate cannot hold them.
        now: The certificate is valid from a day before this time and for 825 days after it.
    """
    _require_cryptography()
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "videodb local")])
    subject_names = dict.fromkeys(
        _subject_name(address) for address in (*_LOOPBACK, *addresses) if _is_nameable(address)
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName(subject_names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    key_pem = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key_pem, certificate.public_bytes(encoding)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _loads(context: ssl.SSLContext, certificate: Path, key: Path) -> bool:
    private.check_place(key)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError):
        return False
    return True


def _is_usable(certificate: Path, addresses: Sequence[str]) -> bool:
    """Tell whether the certificate lasts a month more and names all of ``addresses``. Raises RefusedError."""
    _require_cryptography()
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificate(private.read_bytes(certificate) or b"")
        named = set(found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except (ValueError, x509.ExtensionNotFound):
        return False
    wanted = {_subject_name(address) for address in addresses if _is_nameable(address)}
    return wanted <= named and datetime.now(UTC) < found.not_valid_after_utc - _RENEW


def _is_nameable(address: str) -> bool:
    return bool(address) and address.isascii()


def _subject_name(address: str) -> x509.GeneralName:
    from cryptography import x509

    ip: IPv4Address | IPv6Address
    try:
        ip = ip_address(address)
    except ValueError:
        return x509.DNSName(address)
    return x509.IPAddress(ip)


def _require_cryptography() -> None:
    import importlib.util

    if importlib.util.find_spec("cryptography") is None:
        raise MissingDependencyError(
            "rtsps needs the package cryptography, which is not installed",
            hint="pip install 'videodb-cli[local]'",
        )
