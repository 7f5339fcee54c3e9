"""The sockets that a server listens on: created, inherited, described and removed."""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
from typing import Any, NamedTuple

from bolide.config.binds import (
    BINDS_MAX,
    LISTEN_INSIDE,
    LISTEN_PLAIN,
    LISTEN_QUIC,
    Bind,
)
from bolide.config.config import Config
from bolide.errors import BindError, ConfigError
from bolide.systemd import listen_fds

_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
_PORTS_TRIED = 20
"""How many free ports are tried until one is free at all addresses and for UDP."""


INHERITED = "BOLIDE_INHERITED"
"""The variable by which a process passes its listening sockets to its successor."""


class Listeners(list[socket.socket]):
    """The sockets that one process has bound, and the ownership of their files."""

    def __init__(self) -> None:
        super().__init__()
        self._owner = os.getpid()
        """The process that owns the files; processes forked from it do not remove
        them.
        """
        self.flags: list[int] = []
        """The engine's flags of each, as ``Bind.flags``."""
        self._by_place: dict[str, list[socket.socket]] = {}
        self._files: dict[str, int] = {}
        self._lent: dict[str, int] = {}

    def add(
        self, place: Bind, made: list[socket.socket], *, is_lent: bool = False
    ) -> None:
        """Add a socket that was bound for ``place``; ``is_lent`` by a predecessor."""
        self += made
        self.flags += [place.flags()] * len(made)
        self._by_place[_key(place)] = made
        if place.kind == "unix" and not place.path.startswith("@"):
            files = self._lent if is_lent else self._files
            files[place.path] = _inode(place.path)

    def own_files(self) -> None:
        """Take ownership of the files of Unix sockets that a predecessor has lent."""
        self._files |= self._lent

    def close(self, *, removes_files: bool = True) -> None:
        """Close all, and remove the files of Unix sockets that still belong to them."""
        self.leave()
        if removes_files:
            self.remove_files()

    def leave(self) -> None:
        """Close them in this process; others that have them continue to accept."""
        _close(self)

    def remove_files(self) -> None:
        """Remove the files of Unix sockets unless they were replaced."""
        if self._owner != os.getpid():
            return
        for path, inode in self._files.items():
            _remove(path, inode)

    def for_successor(self) -> str:
        """Return the value of INHERITED for a process that inherits them."""
        import json

        return json.dumps(
            {text: [s.fileno() for s in made] for text, made in self._by_place.items()}
        )


def bind_places(places: list[Bind], *, needs_udp: bool = False) -> Listeners:
    """Return sockets that are bound to ``places``; ``listen`` starts listening.

    All addresses of a name are bound, to one port. With ``needs_udp``, port 0 becomes
    one that is free for UDP too. Sockets from a predecessor are used, and closed if
    they are no longer needed. Raises BindError.
    """
    inherited = _inherited()
    made = Listeners()
    try:
        for place in places:
            lent = inherited.pop(_key(place), None)
            if lent is not None:
                made.add(place, [_inherit(fd) for fd in lent], is_lent=True)
            else:
                made.add(place, _bind_place(place, len(places) > 1, needs_udp))
        for fd in [fd for fds in inherited.values() for fd in fds]:
            os.close(fd)
        if len(made) > BINDS_MAX:
            raise BindError(f"{len(made)} sockets are too many: at most {BINDS_MAX}")
    except BindError:
        made.close()
        raise
    return made


def check_places(places: list[Bind]) -> None:
    """Raise BindError for a place that can never be listened on; bind nothing."""
    for place in places:
        if place.kind == "tcp":
            _find_addresses(place.host, place.port)
        elif place.kind == "unix" and not place.path.startswith("@"):
            _owner(place)
            folder = os.path.dirname(os.path.abspath(place.path))
            if not os.access(folder, os.W_OK):
                why = "no permission" if os.path.isdir(folder) else "no such folder"
                raise BindError(f"cannot listen on unix:{place.path}: {why}")


def _key(place: Bind) -> str:
    """Return a key for a place, regardless of its options."""
    return place.text.partition(",")[0]


def _inherited() -> dict[str, list[int]]:
    """Return the sockets from a predecessor, once."""
    text = os.environ.pop(INHERITED, "")
    if not text:
        return {}
    import json

    found: dict[str, list[int]] = json.loads(text)
    return found


def _bind_place(
    place: Bind, is_one_of_many: bool, needs_udp: bool
) -> list[socket.socket]:
    if place.kind == "fd":
        return [_inherit(place.fd)]
    if place.kind == "unix":
        return [_bind_unix(place)]
    if place.kind == "systemd":
        found = [
            fd for name, fd in listen_fds() if not place.name or name == place.name
        ]
        if not found:
            what = f' of the name "{place.name}"' if place.name else ""
            raise BindError(f"systemd has passed no socket{what}")
        return [_inherit(fd) for fd in found]
    needs_udp = needs_udp and not place.flags() & (LISTEN_PLAIN | LISTEN_INSIDE)
    return _bind_tcp(place.host, place.port, is_one_of_many, needs_udp)


def listen(sockets: list[socket.socket], backlog: int) -> None:
    """Start listening on ``sockets``, some of which may already listen.

    Raises BindError.
    """
    for sock in sockets:
        try:
            sock.listen(backlog)
        except OSError as error:
            raise _cannot(describe(sock), error) from None


def flags_of(sockets: list[socket.socket]) -> list[int]:
    """Return the engine's flags of each of ``sockets``, as ``Bind.flags``."""
    return sockets.flags if isinstance(sockets, Listeners) else [0] * len(sockets)


def quic_pairs(
    pairs: list[tuple[socket.socket, int]],
) -> list[tuple[socket.socket, int]]:
    """Return those of the sockets, with their flags, at whose addresses QUIC is served:
    those with TLS.
    """
    return [
        (sock, flags)
        for sock, flags in pairs
        if sock.family != socket.AF_UNIX and not flags & (LISTEN_PLAIN | LISTEN_INSIDE)
    ]


def bind_quic(
    pairs: list[tuple[socket.socket, int]], *, is_shared: bool = False
) -> list[tuple[socket.socket, int]]:
    """Return UDP sockets with their flags at the addresses of the sockets with TLS.

    With ``is_shared``, others of the same user may have the same addresses. Raises
    BindError.
    """
    made: list[tuple[socket.socket, int]] = []
    for sock, _ in quic_pairs(pairs):
        try:
            udp = _bind_udp(sock, is_shared)
        except OSError as error:
            _close([x for x, _ in made])
            name = sock.getsockname()
            where = _url(name[0], name[1]).replace("http://", "udp:")
            raise _cannot(where, error) from None
        made.append((udp, LISTEN_QUIC))
    return made


def _bind_udp(sock: socket.socket, is_shared: bool) -> socket.socket:
    """Return a UDP socket with the address of ``sock``; raises OSError."""
    udp = socket.socket(sock.family, socket.SOCK_DGRAM)
    try:
        if is_shared:
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if sock.family == socket.AF_INET6:
            only = sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        udp.bind(sock.getsockname())
    except OSError:
        udp.close()
        raise
    return udp


def _is_used_for_udp(sockets: list[socket.socket]) -> bool:
    """Return whether a UDP socket has the address of one of ``sockets``."""
    for sock in sockets:
        try:
            _bind_udp(sock, is_shared=False).close()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
    return False


def places(
    sockets: list[socket.socket], config: Config, *, inside: bool = False
) -> str:
    """Return the addresses of ``sockets``, as a user would type them.

    With ``inside`` those that do not serve the application, else the others.
    """
    found = []
    for sock, flags in zip(sockets, flags_of(sockets), strict=True):
        if bool(flags & LISTEN_INSIDE) != inside:
            continue
        is_secure = config.tls is not None and not flags & LISTEN_PLAIN
        text = describe(sock)
        found.append(text.replace("http://", "https://") if is_secure else text)
    return ", ".join(found)


class ListeningSocket(NamedTuple):
    """A socket that the engine owns, for programs that ask for its address."""

    family: int
    type: int
    proto: int
    name: Any
    fd: int

    def getsockname(self) -> Any:
        """Return its address, as a socket does."""
        return self.name

    def fileno(self) -> int:
        """Return its descriptor, which the engine owns."""
        return self.fd


class Listening(NamedTuple):
    """The sockets of a server, in ``sockets`` as in asyncio's Server."""

    sockets: tuple[ListeningSocket, ...]

    @classmethod
    def of(cls, sockets: list[socket.socket]) -> Listening:
        """Return what is to be known of ``sockets``."""
        return cls(
            tuple(
                ListeningSocket(s.family, s.type, s.proto, s.getsockname(), s.fileno())
                for s in sockets
            )
        )


def describe(sock: socket.socket) -> str:
    """Return the address of ``sock``: ``http://127.0.0.1:8000`` or ``unix:/path``."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        text = name if isinstance(name, str) else name.decode(errors="replace")
        return "unix:" + text.replace("\0", "@")
    return _url(name[0], name[1])


def _remove(path: str, sock_inode: int) -> None:
    try:
        if os.stat(path).st_ino == sock_inode:
            os.unlink(path)
    except OSError:
        return


def _inode(path: str) -> int:
    """Return what distinguishes the file at ``path`` from a later one; 0 for none."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _cannot(where: str, error: OSError, port: int = 0) -> BindError:
    """Return a BindError with the reason."""
    why = {
        errno.EADDRINUSE: "the address is in use by "
        + (_user(port, error) or "another program"),
        errno.EACCES: "no permission; ports below 1024 are root's",
        errno.EADDRNOTAVAIL: "this machine has no such address",
    }.get(error.errno or 0, os.strerror(error.errno or 0))
    if where.startswith("unix:"):
        why = os.strerror(error.errno or 0)
    return BindError(f"cannot listen on {where}: {why}")


def _user(port: int, error: OSError) -> str:
    """Return which process has a port that is in use; "" if that is unknown."""
    if port == 0 or error.errno != errno.EADDRINUSE:
        return ""
    from bolide.system.port_owner import port_user

    return port_user(port)


def _find_addresses(host: str, port: int) -> list[tuple[Any, ...]]:
    """Return all addresses of ``host``; raise BindError."""
    # As bytes a name needs no IDNA, whose tables are 0.5 MiB.
    name = host.encode() if host.isascii() else host
    try:
        return socket.getaddrinfo(
            name or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (socket.gaierror, UnicodeError):
        why = "there is no such host"
        if re.fullmatch(r"(\[.*\]|[^:]*):\d+", host):
            why += f"; did you mean --bind {host}?"
        raise BindError(f'cannot listen on "{host}": {why}') from None


def _bind_tcp(
    host: str, port: int, is_one_of_many: bool, needs_udp: bool
) -> list[socket.socket]:
    """Return sockets for all addresses of ``host``.

    If other places are bound too, IPv6 sockets are IPv6-only, so that 0.0.0.0 and [::]
    work together. The system chooses port 0 for the first address alone: another port
    is tried if it is in use at another address, or for UDP.
    """
    found = _find_addresses(host, port)
    count = len(found) + is_one_of_many
    for _ in range(_PORTS_TRIED - 1 if port == 0 else 0):
        try:
            made = _bind_all(found, port, count)
        except BindError:
            continue
        if not needs_udp or not _is_used_for_udp(made):
            return made
        _close(made)
    return _bind_all(found, port, count)


def _bind_all(
    found: list[tuple[Any, ...]], port: int, count: int
) -> list[socket.socket]:
    """Return sockets for the addresses that this machine has; raise BindError."""
    made: list[socket.socket] = []
    absent: BindError | None = None
    for family, address in dict.fromkeys((x[0], x[4]) for x in found):
        if made:
            port = made[0].getsockname()[1]
        try:
            made.append(_bind_one(family, (address[0], port, *address[2:]), count))
        except OSError as error:
            cannot = _cannot(_url(str(address[0]), port), error, port)
            if error.errno not in _ABSENT:
                _close(made)
                raise cannot from None
            absent = cannot
    if not made and absent is not None:
        raise absent
    return made


def _bind_one(
    family: socket.AddressFamily, address: tuple[object, ...], count: int
) -> socket.socket:
    """Return a socket bound to one of ``count`` addresses; raises OSError."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and count > 1:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def _close(sockets: list[socket.socket]) -> None:
    for sock in sockets:
        sock.close()


def _bind_unix(place: Bind) -> socket.socket:
    """Return a socket at a path, with the mode and owner of ``place``."""
    path = place.path
    is_file = not path.startswith("@")
    owner = _owner(place)
    mode = place.mode
    if is_file:
        mode = _mode(path) if mode == -1 else mode
        _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.bind(path if is_file else "\0" + path[1:])
        if is_file:
            os.chmod(path, mode)
            if place.owner:
                os.chown(path, *owner)
    except OSError as error:
        sock.close()
        raise _cannot(f"unix:{path}", error) from None
    return sock


def _mode(path: str) -> int:
    """Return the mode for a Unix socket's file: that of an existing one."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except OSError:
        return 0o666


def _owner(place: Bind) -> tuple[int, int]:
    """Return the numbers of user and group, -1 to keep one; raise BindError."""
    from bolide.config.identity import group_number, user_number

    user, _, group = place.owner.partition(":")
    try:
        uid = user_number(user)[0] if user else -1
        return uid, group_number(group) if group else -1
    except ConfigError as error:
        raise BindError(f"cannot listen on {place.text}: {error}") from None


def _remove_stale(path: str) -> None:
    """Remove a stale socket; raise BindError if a server listens on it."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise BindError(f"cannot listen on unix:{path}: a file exists there")
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            probe.connect(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except ConnectionRefusedError:
        os.unlink(path)
        return
    except BindError:
        raise
    except OSError as error:
        raise _cannot(f"unix:{path}", error) from None
    raise BindError(f"cannot listen on unix:{path}: another server listens there")


def _inherit(fd: int) -> socket.socket:
    try:
        sock = socket.socket(fileno=fd)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise BindError(f"cannot listen on descriptor {fd}: {why}") from None
    is_bound = sock.family == socket.AF_UNIX or sock.getsockname()[1:2] > (0,)
    if sock.type != socket.SOCK_STREAM or not is_bound:
        sock.detach()
        raise BindError(f"cannot listen on descriptor {fd}: not a bound stream socket")
    sock.set_inheritable(False)
    return sock
