"""TLS: the certificates, the requirements for clients, and reloading."""

from __future__ import annotations

import errno
import functools
import os
import socket
import struct
from collections.abc import Iterable
from typing import Any, NamedTuple

from bolide import _engine
from bolide.config.binds import Bind
from bolide.config.choices import CERT_REQS, VERSIONS
from bolide.config.value_types import decimal
from bolide.errors import ConfigError

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | None
"""One file, or several."""

SYSTEM_CA = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, the BSDs
)
"""Where systems store the authorities that they trust, tried in this order."""

_PROTOCOLS = {2: "auto", 17: "auto", 5: "TLSv1.2"}
"""The meaning of numbers of Python's ssl module: PROTOCOL_TLS and
PROTOCOL_TLS_SERVER, and PROTOCOL_TLSv1_2.
"""

PAIRS_MAX = 64
SECRET_BYTES = 32
_TCP_ULP, _SOL_TLS, _TLS_TX, _AES_GCM_128 = 31, 282, 1, 51
"""Constants of linux/tcp.h, linux/socket.h and linux/tls.h."""

ALPN = (b"h2", b"http/1.1", b"http/1.0")
"""The offered protocols, in order of preference; without ``http2`` not the first."""


class TLS(NamedTuple):
    """Checked settings of TLS; the engine checks the files."""

    pairs: list[tuple[bytes, bytes | None, bytes | None]]
    """Certificate, key (None: in the same file) and OCSP response of each."""
    password: bytes | None
    ca: bytes | None
    crl: bytes | None
    ciphers: bytes | None
    versions: tuple[int, int]
    verify: int
    ktls: bool
    """Whether the kernel may encrypt, if it can."""
    ticket_s: int
    ticket_key: bytes | None
    alpn: tuple[bytes, ...]
    http3: bool
    ticket_secret: bytes
    """The secret of ticket keys if ``ticket_key`` names no file: random bytes."""

    def for_engine(self) -> dict[str, object]:
        """Return the "tls" setting of ``_engine.Server``; raise ConfigError."""
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
            "ticket_secret": self.secret(),
            "alpn": list(self.alpn),
            "quic": int(self.http3),
        }

    def stamp(self) -> tuple[object, ...]:
        """Return a value that changes when one of the files changes."""
        paths = [path for pair in self.pairs for path in pair]
        paths += [self.ca, self.crl, self.ticket_key]
        return tuple(_stamp(path) for path in paths if path is not None)

    def secret(self) -> bytes:
        """Return the secret that all workers share; raise ConfigError."""
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
        import hashlib  # imported here: slow and rarely needed

        return hashlib.sha256(key).digest()


def _stamp(path: bytes) -> tuple[int, int, int] | None:
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return facts.st_ino, facts.st_mtime_ns, facts.st_size


def check(
    *,
    certfile: Paths,
    keyfile: Paths = None,
    keyfile_password: str | None = None,
    ocsp: Paths = None,
    ca_certs: str | os.PathLike[str] | None = None,
    crl: str | os.PathLike[str] | None = None,
    ciphers: str | None = None,
    version: int | str = "auto",
    cert_reqs: int | str = "none",
    ktls: str = "off",
    session_timeout: int = 0,
    ticket_key: str | None = None,
    http2: bool = True,
    http3: bool = False,
) -> TLS | None:
    """Return the checked settings of TLS; None without a certificate.

    The arguments have the names of Config's fields, without ``ssl_``. Raises
    ConfigError.
    """
    certs = _paths("ssl_certfile", certfile)
    keys = _paths("ssl_keyfile", keyfile)
    responses = _paths("ssl_ocsp", ocsp)
    if not certs:
        for name, value in (("ssl_keyfile", keyfile), ("ssl_ca_certs", ca_certs)):
            if value not in (None, "", [], ()):
                raise ConfigError(name, "needs ssl_certfile")
        return None
    if len(certs) > PAIRS_MAX:
        raise ConfigError("ssl_certfile", f"may be given {PAIRS_MAX} times")
    _check_count("ssl_keyfile", keys, certs)
    _check_count("ssl_ocsp", responses, certs)
    verify = verify_number(cert_reqs)
    if verify and ca_certs is None:
        raise ConfigError("ssl_cert_reqs", f"{CERT_REQS[verify]} needs ssl_ca_certs")
    versions = VERSIONS[version_name(version)]
    if http3:
        _check_http3(versions[1])
    return TLS(
        pairs=[
            (cert, keys[i] if keys else None, responses[i] if responses else None)
            for i, cert in enumerate(certs)
        ],
        password=_text("ssl_keyfile_password", keyfile_password),
        ca=authorities(ca_certs),
        crl=_text("ssl_crl", crl),
        ciphers=_text("ssl_ciphers", ciphers),
        versions=versions,
        verify=verify,
        ktls=ktls == "auto",
        ticket_s=session_timeout,
        ticket_key=_text("ssl_ticket_key", ticket_key),
        alpn=ALPN if http2 else ALPN[1:],
        http3=http3,
        ticket_secret=os.urandom(SECRET_BYTES),
    )


_TLS_1_3 = 0x0304


def check_http3_workers() -> None:
    """Raise ConfigError if several workers cannot share the port of HTTP/3."""
    if not _engine.can_steer_quic():
        text = (
            "needs Linux 4.5 for several workers, which distributes their packets: "
            "workers=1"
        )
        raise ConfigError("http3", text)


def can_http3(
    *, has_certificate: bool, version: int | str, workers: int | str | None
) -> bool:
    """Return whether HTTP/3 is served with ``http3="auto"``."""
    is_alone = workers in (None, 1)
    return (
        has_certificate
        and _engine.has_http3()
        and VERSIONS[version_name(version)][1] >= _TLS_1_3
        and (is_alone or _engine.can_steer_quic())
    )


def check_early_data(tls: TLS) -> None:
    """Raise ConfigError if early data cannot be accepted."""
    if _engine.EARLY_TICKETS_BYTES == 0:
        found = f"OpenSSL {_engine.libraries()['OpenSSL']}"
        text = f"needs OpenSSL 3.5 or newer; this build has {found}"
        raise ConfigError("h3_early_data", text)
    if tls.ticket_s == 0:
        text = "needs session tickets, which ssl_session_timeout=0 switches off"
        raise ConfigError("h3_early_data", text)


def _check_http3(newest: int) -> None:
    """Raise ConfigError if HTTP/3 cannot be served; ``newest`` version of TLS."""
    if not _engine.has_http3():
        text = "is not part of this build, which found no ngtcp2 and nghttp3"
        raise ConfigError("http3", text)
    if newest < _TLS_1_3:
        raise ConfigError("http3", "needs TLS 1.3, which ssl_version excludes")


def alt_svc_value(max_age: int, places: list[Bind]) -> str | None:
    """Return the Alt-Svc field (RFC 7838 3) for the first place with TLS and a port."""
    for place in places:
        if place.kind == "tcp" and place.tls is not False and place.port and max_age:
            return f'h3=":{place.port}"; ma={max_age}'
    return None


def hsts_value(hsts: int | str | None, *, has_tls: bool) -> str | None:
    """Return the Strict-Transport-Security field (RFC 6797 6.1); raise ConfigError."""
    value = str(hsts).strip() if hsts is not None else ""
    if not value:
        return None
    if not has_tls:
        raise ConfigError("hsts", "needs ssl_certfile")
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


def authorities(given: Any) -> bytes | None:
    """Return the path of ssl_ca_certs; for "system" that of the system's authorities.

    The latter is searched for at run time. Raises ConfigError.
    """
    if given != "system":
        return _text("ssl_ca_certs", given)
    own = os.environ.get("SSL_CERT_FILE")
    places = (own,) if own else SYSTEM_CA
    for path in places:
        if os.path.isfile(path):
            return os.fsencode(path)
    missing = ", ".join(places)
    raise ConfigError("ssl_ca_certs", f"finds no authorities of the system: {missing}")


def _check_count(name: str, some: list[bytes], certs: list[bytes]) -> None:
    if some and len(some) != len(certs):
        raise ConfigError(
            name,
            f"is given once for each ssl_certfile, which are {len(certs)}, "
            f"not {len(some)}",
        )


def verify_number(given: Any) -> int:
    """Return the index in CERT_REQS of ``value``; raise ConfigError."""
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
    """Return the entry of VERSIONS for ``value``; raise ConfigError."""
    text = str(int(given)) if isinstance(given, int) else str(given)
    name = text if decimal(text) is None else _PROTOCOLS.get(int(text), "")
    if name not in VERSIONS:
        choices = ", ".join(VERSIONS)
        raise ConfigError("ssl_version", f"is one of {choices}, not {given!r}")
    return name


def ktls_note() -> str:
    """Return the line that is logged at the start about who encrypts, with "auto"."""
    refusal = ktls_refusal()
    if refusal:
        return f"kTLS is off, TLS is encrypted in the process: {refusal}"
    return "kTLS is on: the kernel encrypts what is sent, where it has the cipher"


@functools.cache
def ktls_refusal() -> str:
    """Return why the kernel cannot encrypt for this process; empty if it can.

    Asks the kernel once, which loads its module, so a privileged parent asks for its
    workers.
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
