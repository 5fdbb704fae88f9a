import pytest

from videodb_cli.local.http.security import is_own_host, new_key


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:80", "localhost:1", "LOCALHOST", "[::1]:80", "::1", "10.0.0.7:1"]
)
def test_addresses_and_localhost_are_ours(host: str) -> None:
    assert is_own_host(host, frozenset())


@pytest.mark.parametrize(
    "host", ["", "evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "[", "a:b:c"]
)
def test_names_of_others_are_not(host: str) -> None:
    assert not is_own_host(host, frozenset())


def test_a_name_of_this_machine_counts_when_it_was_given() -> None:
    assert is_own_host("Box:99", frozenset({"box"}))


def test_keys_differ_and_look_like_keys() -> None:
    assert new_key() != new_key()
    assert new_key().startswith("sk-")
