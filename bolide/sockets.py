"""The sockets that a server listens on: made, inherited, described and removed."""

from __future__ import annotations

import errno
import os
import socket
import stat

from bolide.config import Config
from bolide.errors import BindError

_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def bind(config: Config) -> list[socket.socket]:
    """Return the bound sockets that ``config`` asks for; ``listen`` opens them.

    A name has all its addresses bound, to one port. Raises BindError.
    """
    if config.fd is not None:
        return [_inherit(config.fd)]
    if config.uds is not None:
        return [_bind_unix(config.uds)]
    return _bind_tcp(config.host.removeprefix("[").removesuffix("]"), config.port)


def listen(sockets: list[socket.socket], backlog: int) -> None:
    """Let peers connect to ``sockets``, also to those that listen already.

    Raises BindError.
    """
    for sock in sockets:
        try:
            sock.listen(backlog)
        except OSError as error:
            raise _cannot(describe(sock), error) from None


def describe(sock: socket.socket) -> str:
    """Return where ``sock`` is bound: ``http://127.0.0.1:8000`` or ``unix:/path``."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        text = name if isinstance(name, str) else name.decode(errors="replace")
        return "unix:" + text.replace("\0", "@")
    return _url(name[0], name[1])


def remove(path: str, sock_inode: int) -> None:
    """Remove the Unix socket at ``path`` unless another has taken its place."""
    try:
        if os.stat(path).st_ino == sock_inode:
            os.unlink(path)
    except OSError:
        return


def inode(path: str | None) -> int:
    """Return what tells the file at ``path`` from its successors; 0 for none."""
    try:
        return os.stat(path).st_ino if path is not None else 0
    except OSError:
        return 0


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _cannot(where: str, error: OSError) -> BindError:
    """Return a BindError with a line that says why, in a user's words."""
    why = {
        errno.EADDRINUSE: "the address is in use by another program",
        errno.EACCES: "no permission; ports below 1024 are root's",
        errno.EADDRNOTAVAIL: "this machine has no such address",
    }.get(error.errno or 0, os.strerror(error.errno or 0))
    if where.startswith("unix:"):
        why = os.strerror(error.errno or 0)
    return BindError(f"cannot listen on {where}: {why}")


def _bind_tcp(host: str, port: int) -> list[socket.socket]:
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (socket.gaierror, UnicodeError):
        raise BindError(f'cannot listen on "{host}": there is no such host') from None
    made: list[socket.socket] = []
    absent: BindError | None = None
    for family, address in dict.fromkeys((x[0], x[4]) for x in found):
        if made:
            port = made[0].getsockname()[1]
        try:
            made.append(_bind_one(family, (address[0], port, *address[2:]), len(found)))
        except OSError as error:
            cannot = _cannot(_url(str(address[0]), port), error)
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


def _bind_unix(path: str) -> socket.socket:
    """Return a socket at ``path``, open to every user as a proxy may be another."""
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.bind(path)
        os.chmod(path, 0o666)
    except OSError as error:
        sock.close()
        raise _cannot(f"unix:{path}", error) from None
    return sock


def _remove_stale(path: str) -> None:
    """Remove a socket that nobody listens on; raise BindError when somebody does."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise BindError(f"cannot listen on unix:{path}: a file is there")
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
        raise BindError(f"cannot listen on descriptor {fd}: no bound stream socket")
    return sock
