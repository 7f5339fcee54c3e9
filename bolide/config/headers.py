"""Fields that are added to each response, checked."""

from __future__ import annotations

from collections.abc import Iterable

from bolide.errors import ConfigError

_TOKEN = frozenset(
    b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)
_OWN_FIELDS = frozenset(
    b"connection content-length keep-alive trailer transfer-encoding upgrade".split()
)


def check_headers(given: object) -> list[tuple[str, str]]:
    """Return pairs of texts; raise ConfigError for other values.

    Bytes are decoded as latin-1, as in uvicorn.
    """
    if given is None:
        return []
    try:
        pairs = [(name, value) for name, value in _items(given)]
    except (TypeError, ValueError):
        raise ConfigError("headers", f"takes pairs, not {given!r}") from None
    return [(_text(name), _text(value)) for name, value in pairs]


def _items(given: object) -> Iterable[tuple[object, object]]:
    if isinstance(given, dict):
        return given.items()
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise TypeError
    return given


def _text(given: object) -> str:
    if isinstance(given, (bytes, bytearray)):
        return given.decode("latin-1")
    return str(given)


def encode_header(name: str, value: str) -> tuple[bytes, bytes]:
    """Return a field in the engine's format, with its name in lower case.

    Raises ConfigError for an invalid field (RFC 9110 5.1, 5.5), and for one about
    framing or the connection, which only the server may set.
    """
    shown = f"{name}: {value}"
    try:
        raw_name, raw_value = name.encode("ascii"), value.strip().encode("latin-1")
    except UnicodeEncodeError:
        raise ConfigError("headers", f"takes latin-1 text, not {shown!r}") from None
    if not raw_name or not _TOKEN.issuperset(raw_name):
        raise ConfigError("headers", f"takes a valid field name, not {name!r}")
    if any((byte < 0x20 and byte != 0x09) or byte == 0x7F for byte in raw_value):
        raise ConfigError("headers", f"takes no control characters: {shown!r}")
    if raw_name.lower() in _OWN_FIELDS:
        raise ConfigError("headers", f"cannot set {name}, which is the server's own")
    return raw_name.lower(), raw_value
