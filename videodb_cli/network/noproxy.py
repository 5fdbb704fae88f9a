"""Which hosts are reached without a proxy: this machine, and what ``NO_PROXY`` names. Pure.

Entries are separated by commas or spaces: ``*``; ``example.org``, with everything below it (``.example.org`` and
``*.example.org`` mean the same); an IPv4 or IPv6 address, with brackets or without; a network (``10.0.0.0/8``,
``fd00::/8``). A name or an address may have a port (``example.org:443``, ``[::1]:443``). Names are not resolved.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from videodb_cli.settings import is_loopback

_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_OLD_IPV4 = re.compile(r"(0x[0-9a-f]+|[0-9]+)(\.(0x[0-9a-f]+|[0-9]+)){0,3}", re.IGNORECASE)
_SEPARATORS = re.compile(r"[\s,]+")
_BRACKETS = re.compile(r"\[([^][]+)\](?::(\d{1,5})|(/\d{1,3}))?")
_PORT = re.compile(r"([^:]+):(\d{1,5})")
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")


@dataclass(frozen=True, slots=True)
class Bypass:
    """One entry. ``name`` None and ``network`` None: every host. ``port`` None: every port."""

    text: str
    name: str | None = None
    network: IPv4Network | IPv6Network | None = None
    port: int | None = None

    def covers(self, host: str, port: int) -> bool:
        """Tell whether this host is to be reached directly."""
        if self.port is not None and self.port != port:
            return False
        if self.network is not None:
            address = _address_in_url(host)
            return address is not None and address.version == self.network.version and address in self.network
        if self.name is None:
            return True
        plain = plain_name(host)
        return _address_in_url(host) is None and (plain == self.name or plain.endswith("." + self.name))


def bypasses(text: str) -> tuple[list[Bypass], list[str]]:
    """Return the entries of a ``NO_PROXY`` that can be understood, and the words that cannot."""
    entries: list[Bypass] = []
    ignored: list[str] = []
    for word in _SEPARATORS.split(text):
        if word:
            entry = _entry(word)
            if entry is None:
                ignored.append(word)
            else:
                entries.append(entry)
    return entries, ignored


def is_this_machine(host: str) -> bool:
    """Tell whether a host can only mean this machine. Such a host is never reached by a proxy."""
    plain = plain_name(host)
    address = _address_in_url(plain)
    if address is None:
        return is_loopback(plain) or plain.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def sparing_this_machine(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for another program, such as ffmpeg, that must reach this machine without a proxy."""
    given = environment.get("no_proxy", "").strip() or environment.get("NO_PROXY", "").strip()
    value = ",".join([given, *_THIS_MACHINE] if given else _THIS_MACHINE)
    # Some programs read the lower-case name, others the upper-case one.
    return {**environment, "no_proxy": value, "NO_PROXY": value}


def _address_in_url(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address of a host as the system understands it: ``127.1`` and ``0x7f000001`` are addresses too."""
    address = address_of(host)
    if address is None and _OLD_IPV4.fullmatch(host):
        try:
            return IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    return address


def address_of(host: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address if the host is one, else None. An IPv4 address in IPv6 form is returned as IPv4."""
    try:
        address = ip_address(host.split("%", 1)[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def plain_name(host: str) -> str:
    """Return a host's name as DNS compares it: lower case, ASCII, without the dot of the root."""
    name = host.lower().rstrip(".")
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return name
    return name


def _entry(word: str) -> Bypass | None:
    if word == "*":
        return Bypass(word)
    host, port, is_address = word, None, False
    if match := _BRACKETS.fullmatch(word):
        host, port, is_address = match[1] + (match[3] or ""), match[2], True
    elif match := _PORT.fullmatch(word):
        host, port = match[1], match[2]
    if port is not None and not 0 < int(port) < 65536:
        return None
    number = int(port) if port is not None else None
    network = _network(host)
    if network is not None:
        return Bypass(word, network=network, port=number)
    name = plain_name(host.removeprefix("*").removeprefix("."))
    if is_address or (host.startswith("*") and not host.startswith("*.")) or not _NAME.fullmatch(name):
        return None
    # A name whose last label is a number is an address with a mistake in it.
    return None if name.rpartition(".")[2].isdigit() else Bypass(word, name=name, port=number)


def _network(text: str) -> IPv4Network | IPv6Network | None:
    host, slash, length = text.partition("/")
    address = address_of(host)
    if address is None:
        return None
    try:
        return ip_network(f"{address}{slash}{length}", strict=False)
    except ValueError:
        return None
