"""A certificate authority of a company's own, which nobody else trusts; `trustme` makes its certificates."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

import trustme
from cryptography import x509

_X500 = (0x55, 4)  # 2.5.4, to which the attributes of a name belong
_UTF8_STRING, _OBJECT_IDENTIFIER, _SEQUENCE, _SET = 0x0C, 0x06, 0x30, 0x31


class Authority:
    """Signs servers; `write_file` and `write_directory` give what ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name."""

    def __init__(self) -> None:
        self._ca = trustme.CA(organization_name="A Company")

    def server_context(self, *names: str) -> ssl.SSLContext:
        """Return the context of a server with a certificate for these names and addresses."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*names).configure_cert(context)
        return context

    def write_file(self, path: Path) -> Path:
        """Write the authority's certificate in PEM form."""
        path.write_bytes(self._ca.cert_pem.bytes())
        return path

    def write_directory(self, path: Path) -> Path:
        """Write it into a new directory under the name that OpenSSL looks for."""
        path.mkdir()
        self.write_file(path / f"{_name_hash(self._ca.cert_pem.bytes()):08x}.0")
        return path


def _name_hash(pem: bytes) -> int:
    """What ``openssl x509 -subject_hash`` prints: of the name's canonical form, its strings in lower case."""
    subject = x509.load_pem_x509_certificate(pem).subject
    canonical = b""
    for part in subject.rdns:
        inner = b""
        for attribute in part:
            number = int(attribute.oid.dotted_string.removeprefix("2.5.4."))
            identifier = _der(_OBJECT_IDENTIFIER, bytes((*_X500, number)))
            text = " ".join(str(attribute.value).lower().split()).encode()
            inner += _der(_SEQUENCE, identifier + _der(_UTF8_STRING, text))
        canonical += _der(_SET, inner)
    return int.from_bytes(hashlib.sha1(canonical, usedforsecurity=False).digest()[:4], "little")


def _der(tag: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes((tag, len(content))) + content
