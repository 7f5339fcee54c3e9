"""Addresses to listen on, as text: ``host:port``, ``unix:/path``, ``fd://3``,
``systemd``.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from bolide.config.value_types import decimal
from bolide.errors import ConfigError

BINDS_MAX = 16
"""The most sockets that one engine listens on; LISTENERS_MAX of the engine."""

PORT = 8000
"""The port of a host without one."""

PROXY_PROTOCOLS = ("off", "v1", "v2", "any")
"""Choices of the option ``proxy-protocol``: the versions of the header that proxies
send.
"""

LISTEN_PLAIN, LISTEN_PROXY_V1, LISTEN_PROXY_V2, LISTEN_REDIRECT = 1, 2, 4, 8
LISTEN_INSIDE, LISTEN_QUIC = 16, 32
"""Flags of a socket for the engine; enum listen_flag of src/server/server.h."""

_OF_UNIX = ("mode", "owner")
_OF_ALL = ("tls", "plain", "proxy-protocol")
"""Options that may follow any address, after a comma."""


class Bind(NamedTuple):
    """One address to listen on."""

    text: str
    """As the user wrote it."""
    kind: str
    """"tcp", "unix", "fd" or "systemd"."""
    host: str = ""
    """For kind tcp; "" is every address."""
    port: int = 0
    """For kind tcp."""
    path: str = ""
    """For kind unix; a leading "@" means an abstract name."""
    fd: int = -1
    """For kind fd."""
    name: str = ""
    """For kind systemd: FileDescriptorName; "" is every socket."""
    mode: int = -1
    """For kind unix; -1: the mode of an existing socket, otherwise 0o666."""
    owner: str = ""
    """For kind unix: "user", "user:group" or ":group"; "" keeps the owner."""
    tls: bool | None = None
    """Whether it uses TLS; None: if there is a certificate."""
    proxy_protocol: str = "off"
    """One of PROXY_PROTOCOLS."""
    redirects: bool = False
    """Whether all requests are redirected to https; with ``tls`` False."""
    is_inside: bool = False
    """Whether it serves only health, metrics and the status page."""

    def flags(self) -> int:
        """Return the engine's flags for a socket of this address: LISTEN_PLAIN..."""
        proxy = {"v1": LISTEN_PROXY_V1, "v2": LISTEN_PROXY_V2}
        proxy["any"] = LISTEN_PROXY_V1 | LISTEN_PROXY_V2
        plain = LISTEN_PLAIN if self.tls is False else 0
        redirect = LISTEN_REDIRECT if self.redirects else 0
        inside = LISTEN_INSIDE if self.is_inside else 0
        return plain | redirect | inside | proxy.get(self.proxy_protocol, 0)


def parse_bind(text: str) -> Bind:
    """Parse ``text``; raise ConfigError."""
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
    """Parse all of ``texts``; raise ConfigError, also for duplicates."""
    binds = [parse_bind(text) for text in texts]
    places = [(x.kind, x.host, x.port, x.path, x.fd, x.name) for x in binds]
    for index, place in enumerate(places):
        is_any_port = place[0] == "tcp" and place[2] == 0
        if place in places[:index] and not is_any_port:
            raise ConfigError("bind", f'names "{binds[index].text}" twice')
    return binds


def redirecting(places: list[Bind], port: int) -> list[Bind]:
    """Return binds that redirect clients to those of ``places`` that use TLS.

    They listen on the same addresses; on all addresses if those are not TCP addresses.
    """
    hosts = [x.host for x in places if x.kind == "tcp" and x.tls is not False]
    return [
        Bind(f"redirect:{host}:{port}", "tcp", host, port, tls=False, redirects=True)
        for host in dict.fromkeys(hosts or [""])
    ]


def split_binds(text: str) -> list[str]:
    """Split ``text``, which has binds separated by spaces or commas.

    A part that can only be an option belongs to the bind before it.
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
    if address == "unix":
        raise ConfigError("bind", 'takes unix:/path, not "unix"')
    if any(x in "[]" or x.isspace() or not x.isprintable() for x in host):
        raise ConfigError("bind", f"takes host:port, not {text!r}")
    return Bind(text, "tcp", host=host, port=_number(text, port, 65535))


def _number(text: str, number: str, most: int) -> int:
    found = decimal(number)
    if found is None or found > most:
        raise ConfigError("bind", f'takes 0 to {most}, not "{number}" in "{text}"')
    return found


def _with_option(bind: Bind, option: str) -> Bind:
    """Return ``bind`` with one more option, "name" or "name=value"; raise
    ConfigError.
    """
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
