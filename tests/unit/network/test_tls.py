"""Whose certificates are trusted, and what is said of a variable that names none."""

from __future__ import annotations

import os
import ssl
import sys
from pathlib import Path

import pytest

from tests.fakes.authority import Authority
from videodb_cli.network import tls
from videodb_cli.network.errors import NetworkConfigurationError


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (tls.FILE_NAME, tls.DIRECTORY_NAME):
        monkeypatch.delenv(name, raising=False)
    tls._system.cache_clear()


def test_the_file_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = Authority().write_file(tmp_path / "ca.pem")
    monkeypatch.setenv(tls.FILE_NAME, str(path))
    found = tls.trust()
    assert found.context.cert_store_stats()["x509_ca"] == 1
    assert found.context.verify_mode is ssl.CERT_REQUIRED
    assert found.context.check_hostname
    assert found.trusted == f"SSL_CERT_FILE={path}"
    assert tls.trust() is found
    assert tls.bundle() == str(path)


def test_a_file_that_was_replaced_is_read_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = Authority().write_file(tmp_path / "ca.pem")
    monkeypatch.setenv(tls.FILE_NAME, str(path))
    before = tls.trust()
    Authority().write_file(tmp_path / "new.pem").replace(path)
    assert tls.trust().context is not before.context


def test_the_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = Authority().write_directory(tmp_path / "certs")
    monkeypatch.setenv(tls.DIRECTORY_NAME, os.pathsep.join([str(tmp_path), str(path)]))
    assert tls.trust().trusted.startswith("SSL_CERT_DIR=")
    both = Authority().write_file(tmp_path / "ca.pem")
    monkeypatch.setenv(tls.FILE_NAME, str(both))
    assert tls.trust().trusted.startswith(f"SSL_CERT_FILE={both} and SSL_CERT_DIR=")


@pytest.mark.parametrize(
    ("variable", "make", "words"),
    [
        (tls.FILE_NAME, lambda path: path, "No such file"),
        (tls.FILE_NAME, lambda path: path.mkdir(), ""),
        (tls.FILE_NAME, lambda path: path.write_bytes(b""), "no certificate in PEM form"),
        (tls.FILE_NAME, lambda path: path.write_bytes(b"\x30\x82\x01\x0a"), "no certificate in PEM form"),
        (tls.DIRECTORY_NAME, lambda path: path, "is not a directory"),
        (tls.DIRECTORY_NAME, lambda path: path.mkdir(), "no certificate is in it"),
    ],
    ids=["missing", "directory", "empty", "der", "no directory", "empty directory"],
)
def test_what_holds_no_certificate(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, make: object, words: str
) -> None:
    assert callable(make)
    path = tmp_path / "x"
    make(path)
    monkeypatch.setenv(variable, str(path))
    with pytest.raises(NetworkConfigurationError) as refused:
        tls.trust()
    assert refused.value.message.startswith(f"{variable}={path}: ")
    assert words in refused.value.message
    assert refused.value.hint
    assert refused.value.__context__ is None


def test_the_system_and_what_stands_in_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nothing = ssl.DefaultVerifyPaths("", str(tmp_path), "", "", "", str(tmp_path))
    monkeypatch.setenv(tls.FILE_NAME, "")
    assert tls.trust().context.verify_mode is ssl.CERT_REQUIRED
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nothing)
    bundle = Authority().write_file(tmp_path / "bundle.pem")
    for bundles, words, count in (
        ((str(tmp_path / "no"), "/dev/null", str(bundle)), f"the system's store, {bundle}", 1),
        ((), "the certificates of certifi, because this system has no store", 50),
    ):
        tls._system.cache_clear()
        monkeypatch.setattr(tls, "_BUNDLES", bundles)
        found = tls.trust()
        assert found.trusted == words
        assert found.context.cert_store_stats()["x509_ca"] >= count
        assert Path(tls.bundle()).is_file()
    tls._system.cache_clear()


@pytest.mark.skipif(sys.platform in {"darwin", "win32"}, reason="the system itself is asked there")
@pytest.mark.parametrize("variable", [tls.FILE_NAME, tls.DIRECTORY_NAME])
def test_a_variable_that_is_empty_hides_no_part_of_the_system(
    variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = Authority().write_file(tmp_path / "cert.pem")
    system = ssl.DefaultVerifyPaths("", str(tmp_path), tls.FILE_NAME, str(file), tls.DIRECTORY_NAME, str(tmp_path))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: system)
    monkeypatch.delenv(tls.FILE_NAME, raising=False)
    monkeypatch.delenv(tls.DIRECTORY_NAME, raising=False)
    monkeypatch.setenv(variable, "")
    tls._system.cache_clear()
    found = tls.trust()
    tls._system.cache_clear()
    assert found.trusted == "the system's store"
    assert found.context.cert_store_stats()["x509_ca"] == 1
