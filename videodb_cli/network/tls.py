"""Which certificate authorities are trusted: ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``, else the system's store.

If one of the two is set, nothing else is trusted. On Linux OpenSSL reads the system's store once. On macOS and
Windows only the system can read it, and `truststore` asks it at each handshake. Where there is no store (a container
without ca-certificates), the certificates of `certifi` are used.
"""

from __future__ import annotations

import os
import re
import ssl
import sys
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from videodb_cli.network.errors import NetworkConfigurationError

FILE_NAME: Final = "SSL_CERT_FILE"
DIRECTORY_NAME: Final = "SSL_CERT_DIR"
# Stores of common systems, for an OpenSSL that does not know them (Python builds of python.org and uv).
_BUNDLES: Final = (
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/tls/cert.pem",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/ca-bundle.pem",
)
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+", re.IGNORECASE)


class Trust(NamedTuple):
    """A TLS context, and a description of the certificates that it trusts."""

    context: ssl.SSLContext
    trusted: str


def trust() -> Trust:
    """Return the context for TLS connections. It is created again only when the named file changes.

    Raises NetworkConfigurationError if a variable names what cannot be used.
    """
    file, directories = os.environ.get(FILE_NAME, ""), os.environ.get(DIRECTORY_NAME, "")
    if not file and not directories:
        return _system()
    return _named(file, directories, _stamp(file))


def _stamp(file: str) -> tuple[int, int] | None:
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


# A changed file must count without a restart: a listener runs for months, and a company renews its CA.
@cache
def _named(file: str, directories: str, stamp: tuple[int, int] | None) -> Trust:
    del stamp
    context = _new_context()
    if file:
        _load_file(context, file)
    if directories:
        _load_directories(context, directories, alone=not file)
    names = [f"{FILE_NAME}={file}"] if file else []
    return Trust(context, " and ".join([*names, *([f"{DIRECTORY_NAME}={directories}"] if directories else [])]))


def _load_file(context: ssl.SSLContext, file: str) -> None:
    hint = f"{FILE_NAME} names a file of certificates in PEM form; without it the system's are trusted"
    why: str | None = None
    try:
        context.load_verify_locations(cafile=file)
    except ssl.SSLError:
        why = "no certificate in PEM form is in it"
        hint = f"openssl x509 -inform der -in {file} -out ca.pem && export {FILE_NAME}=$PWD/ca.pem"
    except OSError as error:
        why = error.strerror or "it cannot be read"
    if why is not None:
        raise NetworkConfigurationError(f"{FILE_NAME}={file}: {why}", code="bad_certificates", hint=hint)


def _load_directories(context: ssl.SSLContext, directories: str, *, alone: bool) -> None:
    context.load_verify_locations(capath=directories)
    for place in filter(None, directories.split(os.pathsep)):
        if alone and not Path(place).is_dir():
            raise NetworkConfigurationError(
                f"{DIRECTORY_NAME}={directories}: {place} is not a directory",
                code="bad_certificates",
                hint=f"{DIRECTORY_NAME} names a directory, {FILE_NAME} a file of certificates in PEM form",
            )
    if alone and not any(_has_hashed(Path(place)) for place in directories.split(os.pathsep) if place):
        # OpenSSL ignores files with other names without an error.
        raise NetworkConfigurationError(
            f"{DIRECTORY_NAME}={directories}: no certificate is in it under the hash of its name",
            code="bad_certificates",
            hint=f"openssl rehash {directories}",
        )


def _has_hashed(directory: Path) -> bool:
    try:
        return any(_HASHED.fullmatch(entry.name) for entry in directory.iterdir())
    except OSError:
        return False


def bundle() -> str:
    """Return the path of a file of trusted certificates for another program: ``SSL_CERT_FILE``, else the system's."""
    named = os.environ.get(FILE_NAME, "") or ssl.get_default_verify_paths().cafile
    found = named or next((place for place in _BUNDLES if Path(place).is_file()), None)
    if found is not None:
        return found
    import certifi

    return certifi.where()


@cache
def _system() -> Trust:
    if sys.platform in {"darwin", "win32"}:
        import truststore

        return Trust(truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "the system's store")
    context = _new_context()
    default = ssl.get_default_verify_paths()
    # Not what OpenSSL loads by itself: a variable that is set and empty hides the file, or the directory, from it.
    file = default.openssl_cafile if Path(default.openssl_cafile).is_file() else None
    directory = default.openssl_capath if _has_hashed(Path(default.openssl_capath)) else None
    if any([_loads(context, file), _loads(context, directory=directory)]):
        return Trust(context, "the system's store")
    bundle = next((place for place in _BUNDLES if _loads(context, place)), None)
    if bundle is not None:
        return Trust(context, f"the system's store, {bundle}")
    import certifi

    context.load_verify_locations(cafile=certifi.where())
    return Trust(context, "the certificates of certifi, because this system has no store")


def _loads(context: ssl.SSLContext, file: str | None = None, directory: str | None = None) -> bool:
    """Load a store, if there is one with certificates in it. Returns whether there is."""
    if file is None and directory is None:
        return False
    try:
        context.load_verify_locations(cafile=file, capath=directory)
    except OSError:  # ssl.SSLError is one: no certificate is in the file
        return False
    return True


def _new_context() -> ssl.SSLContext:
    """Return a context that verifies alike on every Python: the strict default of 3.13 refuses many company CAs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # A user who names an intermediate CA trusts it, also without its root.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
