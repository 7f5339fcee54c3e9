"""TLS: which certificates are shown, what is asked of clients, what is read again."""

from __future__ import annotations

import errno
import functools
import os
import socket
import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from bolide import _engine
from bolide.errors import ConfigError

if TYPE_CHECKING:
    from bolide.config import Config

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | None
"""One file, or some."""

CERT_REQS = ("none", "optional", "required")
"""Choices of ``ssl_cert_reqs``, in the order of ``ssl.CERT_NONE`` and so on."""

VERSIONS = {
    "auto": (0x0303, 0x0304),
    "TLSv1.2": (0x0303, 0x0303),
    "TLSv1.3": (0x0304, 0x0304),
}
"""Choices of ``ssl_version``: the lowest and the highest that are spoken."""

_PROTOCOLS = {2: "auto", 17: "auto", 5: "TLSv1.2"}
"""What the numbers of Python's ssl module mean: PROTOCOL_TLS and PROTOCOL_TLS_SERVER,
and PROTOCOL_TLSv1_2."""

PAIRS_MAX = 64
SECRET_BYTES = 32
TICKET_S_MAX = 604800
"""A week (RFC 8446 4.6.1)."""

_TCP_ULP, _SOL_TLS, _TLS_TX, _AES_GCM_128 = 31, 282, 1, 51
"""Of linux/tcp.h, linux/socket.h and linux/tls.h."""

ALPN = (b"h2", b"http/1.1", b"http/1.0")
"""The protocols offered, the best first; the first not without ``http2``."""


class TLS(NamedTuple):
    """Settings of TLS that were checked; files are looked at by the engine."""

    pairs: list[tuple[bytes, bytes | None, bytes | None]]
    """Certificate, key (None: in the same file) and OCSP response of each."""
    password: bytes | None
    ca: bytes | None
    crl: bytes | None
    ciphers: bytes | None
    versions: tuple[int, int]
    verify: int
    ktls: bool
    """Whether the kernel may encrypt, where it can."""
    ticket_s: int
    ticket_key: bytes | None
    alpn: tuple[bytes, ...]
    ticket_secret: bytes
    """What ticket keys are made of where ``ticket_key`` names no file: random."""

    def for_engine(self) -> dict[str, object]:
        """Return what ``_engine.Server`` takes as "tls"; raise ConfigError."""
        return {
            "pairs": self.pairs,
            "password": self.password,
            "ca": self.ca,
            "crl": self.crl,
            "ciphers": self.ciphers,
            "version_min": self.versions[0],
            "version_max": self.versions[1],
            "verify": self.verify,
            "ktls": self.ktls and not ktls_refusal(),
            "ticket_s": self.ticket_s,
            "ticket_secret": self._secret(),
            "alpn": list(self.alpn),
        }

    def stamp(self) -> tuple[object, ...]:
        """Return what changes when one of the files does."""
        paths = [path for pair in self.pairs for path in pair]
        paths += [self.ca, self.crl, self.ticket_key]
        return tuple(_stamp(path) for path in paths if path is not None)

    def _secret(self) -> bytes:
        if self.ticket_key is None:
            return self.ticket_secret
        path = os.fsdecode(self.ticket_key)
        try:
            with open(path, "rb") as file:
                key = file.read(65536)
        except OSError as error:
            text = f"cannot be read: {path}: {os.strerror(error.errno or 0)}"
            raise ConfigError("ssl_ticket_key", text) from None
        if len(key) < SECRET_BYTES:
            text = f"needs a file of {SECRET_BYTES} random bytes or more: {path}"
            raise ConfigError("ssl_ticket_key", text)
        import hashlib  # takes a millisecond that few need

        return hashlib.sha256(key).digest()


def _stamp(path: bytes) -> tuple[int, int, int] | None:
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return facts.st_ino, facts.st_mtime_ns, facts.st_size


def check(config: Config) -> TLS | None:
    """Return the settings of TLS that ``config`` has; None without a certificate.

    Raises ConfigError.
    """
    certs = _paths("ssl_certfile", config.ssl_certfile)
    keys = _paths("ssl_keyfile", config.ssl_keyfile)
    ocsp = _paths("ssl_ocsp", config.ssl_ocsp)
    if not certs:
        for name in ("ssl_keyfile", "ssl_ca_certs", "hsts"):
            if getattr(config, name) not in (None, "", [], ()):
                raise ConfigError(name, "needs ssl_certfile")
        return None
    if len(certs) > PAIRS_MAX:
        raise ConfigError("ssl_certfile", f"may be given {PAIRS_MAX} times")
    _check_count("ssl_keyfile", keys, certs)
    _check_count("ssl_ocsp", ocsp, certs)
    verify = verify_number(config.ssl_cert_reqs)
    if verify and config.ssl_ca_certs is None:
        raise ConfigError("ssl_cert_reqs", f"{CERT_REQS[verify]} needs ssl_ca_certs")
    return TLS(
        pairs=[
            (cert, keys[i] if keys else None, ocsp[i] if ocsp else None)
            for i, cert in enumerate(certs)
        ],
        password=_text("ssl_keyfile_password", config.ssl_keyfile_password),
        ca=_text("ssl_ca_certs", config.ssl_ca_certs),
        crl=_text("ssl_crl", config.ssl_crl),
        ciphers=_text("ssl_ciphers", config.ssl_ciphers),
        versions=VERSIONS[version_name(config.ssl_version)],
        verify=verify,
        ktls=_ktls(config.ktls),
        ticket_s=_seconds(config.ssl_session_timeout),
        ticket_key=_text("ssl_ticket_key", config.ssl_ticket_key),
        alpn=ALPN if config.http2 else ALPN[1:],
        ticket_secret=os.urandom(SECRET_BYTES),
    )


def hsts_value(config: Config) -> str | None:
    """Return the Strict-Transport-Security field (RFC 6797 6.1); raise ConfigError."""
    value = str(config.hsts).strip() if config.hsts is not None else ""
    if not value:
        return None
    if value.isdecimal():
        return f"max-age={value}"
    if "max-age=" not in value.lower().replace(" ", ""):
        raise ConfigError("hsts", f"takes seconds, or max-age=..., not {value!r}")
    return value


def _paths(name: str, given: Paths) -> list[bytes]:
    if given is None:
        return []
    some = [given] if isinstance(given, (str, os.PathLike)) else list(given)
    found = [_text(name, path) for path in some]
    return [path for path in found if path]


def _text(name: str, given: Any) -> bytes | None:
    if given is None or given == "":
        return None
    try:
        text: bytes = os.fsencode(given)
    except TypeError:
        raise ConfigError(name, f"takes text, not {given!r}") from None
    if b"\0" in text:
        raise ConfigError(name, "takes no NUL characters")
    return text


def _check_count(name: str, some: list[bytes], certs: list[bytes]) -> None:
    if some and len(some) != len(certs):
        raise ConfigError(
            name,
            f"is given once for each ssl_certfile, which are {len(certs)}, "
            f"not {len(some)}",
        )


def verify_number(given: Any) -> int:
    """Return the index in CERT_REQS that is meant; raise ConfigError."""
    text = (
        str(int(given))
        if isinstance(given, int)
        else str(given).lower().removeprefix("cert_")
    )
    names = {name: i for i, name in enumerate(CERT_REQS)}
    names |= {str(i): i for i in range(len(CERT_REQS))}
    if text not in names:
        choices = ", ".join(CERT_REQS)
        raise ConfigError("ssl_cert_reqs", f"is one of {choices}, not {given!r}")
    return names[text]


def version_name(given: Any) -> str:
    """Return which of VERSIONS is meant; raise ConfigError."""
    text = str(int(given)) if isinstance(given, int) else str(given)
    name = _PROTOCOLS.get(int(text), "") if text.isdecimal() else text
    if name not in VERSIONS:
        choices = ", ".join(VERSIONS)
        raise ConfigError("ssl_version", f"is one of {choices}, not {given!r}")
    return name


def _ktls(given: Any) -> bool:
    if given not in ("auto", "off"):
        raise ConfigError("ktls", f"is one of auto, off, not {given!r}")
    return bool(given == "auto")


def ktls_note() -> str:
    """Return the line that tells at the start who encrypts, where "auto" may choose."""
    refusal = ktls_refusal()
    if refusal:
        return f"kTLS is off, TLS is encrypted in the process: {refusal}"
    return "kTLS is on: the kernel encrypts what is sent, where it has the cipher"


@functools.cache
def ktls_refusal() -> str:
    """Return why the kernel cannot encrypt for this process; empty where it can.

    Asks it once, which loads its module; so a privileged parent asks for its workers.
    """
    if not _engine.has_ktls():
        return "OpenSSL is built without it"
    # linux/tls.h: TLS 1.3, AES-128-GCM, and a key of zeros for a socket that sends none
    keys = struct.pack("=HH36x", 0x0304, _AES_GCM_128)
    try:
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            socket.create_connection(listener.getsockname()) as probe,
        ):
            probe.setsockopt(socket.IPPROTO_TCP, _TCP_ULP, b"tls")
            probe.setsockopt(_SOL_TLS, _TLS_TX, keys)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return "the kernel has no TLS"
        return f"the kernel refuses: {os.strerror(error.errno or 0)}"
    return ""


def _seconds(given: Any) -> int:
    if not isinstance(given, int) or not 0 <= given <= TICKET_S_MAX:
        text = f"takes 0 to {TICKET_S_MAX} s, not {given!r}"
        raise ConfigError("ssl_session_timeout", text)
    return given
