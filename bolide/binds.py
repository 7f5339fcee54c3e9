"""Where to listen, in words: ``host:port``, ``unix:/path``, ``fd://3``, ``systemd``."""

from __future__ import annotations

import os
from typing import NamedTuple

from bolide.errors import ConfigError

BINDS_MAX = 16
"""Sockets that one engine listens on at most; LISTENERS_MAX of src/server/parts.h."""

PORT = 8000
"""Of a host without one."""

PROXY_PROTOCOLS = ("off", "v1", "v2", "any")
"""Choices of the option ``proxy-protocol``: which headers a proxy sends in front."""

LISTEN_PLAIN, LISTEN_PROXY_V1, LISTEN_PROXY_V2, LISTEN_REDIRECT = 1, 2, 4, 8
LISTEN_INSIDE = 16
"""What the engine is told of a socket; enum listen_flag of src/server/server.h."""

_OF_UNIX = ("mode", "owner")
_OF_ALL = ("tls", "plain", "proxy-protocol")
"""What may follow any address, behind a comma."""


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
    mode: int = -1
    """Of kind unix; -1: as the socket had that was there before, else 0o666."""
    owner: str = ""
    """Of kind unix: "user", "user:group" or ":group"; "" leaves it."""
    tls: bool | None = None
    """Whether it speaks TLS; None: where there is a certificate."""
    proxy_protocol: str = "off"
    """One of PROXY_PROTOCOLS."""
    redirects: bool = False
    """Whether every request is sent to https; with ``tls`` False."""
    is_inside: bool = False
    """Whether only health, metrics and the status page are there."""

    def flags(self) -> int:
        """Return what the engine is told of a socket of this place: LISTEN_PLAIN..."""
        proxy = {"v1": LISTEN_PROXY_V1, "v2": LISTEN_PROXY_V2}
        proxy["any"] = LISTEN_PROXY_V1 | LISTEN_PROXY_V2
        plain = LISTEN_PLAIN if self.tls is False else 0
        redirect = LISTEN_REDIRECT if self.redirects else 0
        inside = LISTEN_INSIDE if self.is_inside else 0
        return plain | redirect | inside | proxy.get(self.proxy_protocol, 0)


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
    places = [(x.kind, x.host, x.port, x.path, x.fd, x.name) for x in binds]
    for index, place in enumerate(places):
        is_any_port = place[0] == "tcp" and place[2] == 0
        if place in places[:index] and not is_any_port:
            raise ConfigError("bind", f'names "{binds[index].text}" twice')
    return binds


def redirecting(places: list[Bind], port: int) -> list[Bind]:
    """Return the places that send clients to those of ``places`` that speak TLS.

    They are at the same addresses; at all of the machine where those are no addresses.
    """
    hosts = [x.host for x in places if x.kind == "tcp" and x.tls is not False]
    return [
        Bind(f"redirect:{host}:{port}", "tcp", host, port, tls=False, redirects=True)
        for host in dict.fromkeys(hosts or [""])
    ]


def split_binds(text: str) -> list[str]:
    """Return the binds in ``text``, with spaces or commas between them.

    What can only be an option belongs to the bind in front of it.
    """
    found: list[str] = []
    for word in text.split():
        begins = True
        for part in word.split(","):
            if begins or part.partition("=")[0] not in (*_OF_UNIX, *_OF_ALL):
                found.append(part)
            else:
                found[-1] += f",{part}"
            begins = False
    return found


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
    """Return ``bind`` with one more option, "name" or "name=value"; ConfigError."""
    name, equals, value = option.partition("=")
    known = (*_OF_UNIX, *_OF_ALL) if bind.kind == "unix" else _OF_ALL
    if name not in known:
        why = f'has no option "{name}" (there: {", ".join(known)})'
        raise ConfigError("bind", f'{why} in "{bind.text}"')
    if name in ("tls", "plain"):
        if equals:
            raise ConfigError("bind", f'takes no value for {name} in "{bind.text}"')
        return bind._replace(tls=name == "tls")
    if name == "proxy-protocol":
        value = value if equals else "any"
        if value not in PROXY_PROTOCOLS:
            choices = ", ".join(PROXY_PROTOCOLS)
            why = f'takes one of {choices} for proxy-protocol, not "{value}"'
            raise ConfigError("bind", f'{why} in "{bind.text}"')
        return bind._replace(proxy_protocol=value)
    if name == "owner":
        return bind._replace(owner=value)
    try:
        mode = int(value, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o777:
        why = f'takes an octal mode, not "{value}"'
        raise ConfigError("bind", f'{why} in "{bind.text}"')
    return bind._replace(mode=mode)
