"""Where to listen, in words: ``host:port``, ``unix:/path``, ``fd://3``, ``systemd``."""

from __future__ import annotations

import os
from typing import NamedTuple

from bolide.errors import ConfigError

BINDS_MAX = 16
"""Sockets that one engine listens on at most; LISTENERS_MAX of src/server/server.c."""

PORT = 8000
"""Of a host without one."""

_OPTIONS = {"unix": ("mode", "owner"), "tcp": (), "fd": (), "systemd": ()}
"""What may follow an address of each kind, behind a comma."""


class Bind(NamedTuple):
    """One place to listen."""

    text: str
    """As the user wrote it."""
    kind: str
    """"tcp", "unix", "fd" or "systemd"."""
    host: str = ""
    """Of kind tcp; "" is every address."""
    port: int = 0
    """Of kind tcp."""
    path: str = ""
    """Of kind unix; "@" in front is an abstract name."""
    fd: int = -1
    """Of kind fd."""
    name: str = ""
    """Of kind systemd: FileDescriptorName; "" is every socket."""
    mode: int = 0o666
    """Of kind unix."""
    owner: str = ""
    """Of kind unix: "user", "user:group" or ":group"; "" leaves it."""


def parse_bind(text: str) -> Bind:
    """Return what ``text`` means; raise ConfigError."""
    address, *options = text.split(",")
    if address.startswith("unix:"):
        bind = _parse_unix(text, address.removeprefix("unix:").removeprefix("//"))
    elif address.startswith("fd://"):
        bind = Bind(text, "fd", fd=_number(text, address[5:], 1 << 20))
    elif address == "systemd" or address.startswith("systemd:"):
        bind = Bind(text, "systemd", name=address.partition(":")[2])
    else:
        bind = _parse_tcp(text, address)
    for option in options:
        bind = _with_option(bind, option)
    return bind


def parse_binds(texts: list[str]) -> list[Bind]:
    """Return what all of ``texts`` mean; raise ConfigError, also for a place twice."""
    binds = [parse_bind(text) for text in texts]
    places = [bind._replace(text="", mode=0, owner="") for bind in binds]
    for index, place in enumerate(places):
        if place in places[:index] and not (place.kind == "tcp" and place.port == 0):
            raise ConfigError("bind", f'names "{binds[index].text}" twice')
    return binds


def check_path(name: str, path: str) -> None:
    """Raise ConfigError unless ``path`` can be the name of a Unix socket."""
    if not 0 < len(os.fsencode(path)) <= 107:
        raise ConfigError(name, "takes a path of 1 to 107 bytes")


def _parse_unix(text: str, path: str) -> Bind:
    check_path("bind", path)
    return Bind(text, "unix", path=path)


def _parse_tcp(text: str, address: str) -> Bind:
    host, colon, port = address.rpartition(":")
    if not colon or address.endswith("]"):
        host, port = address, str(PORT)
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ConfigError("bind", f'takes an IPv6 address in brackets, not "{text}"')
    host = host.removeprefix("[").removesuffix("]")
    return Bind(text, "tcp", host=host, port=_number(text, port, 65535))


def _number(text: str, number: str, most: int) -> int:
    if not number.isdecimal() or int(number) > most:
        raise ConfigError("bind", f'takes 0 to {most}, not "{number}" in "{text}"')
    return int(number)


def _with_option(bind: Bind, option: str) -> Bind:
    name, _, value = option.partition("=")
    if name not in _OPTIONS[bind.kind]:
        known = ", ".join(_OPTIONS[bind.kind]) or "none"
        why = f'has no option "{name}" (there: {known})'
        raise ConfigError("bind", f'{why} in "{bind.text}"')
    if name == "mode":
        try:
            return bind._replace(mode=int(value, 8))
        except ValueError:
            why = f'takes an octal mode, not "{value}"'
            raise ConfigError("bind", f'{why} in "{bind.text}"') from None
    return bind._replace(owner=value)
