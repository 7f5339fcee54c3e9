"""Which proxies are trusted, and for which fields: the settings, checked."""

from __future__ import annotations

from typing import NamedTuple

from bolide.errors import ConfigError

FIELDS = {"for": 1, "proto": 2, "host": 4, "port": 8, "prefix": 16, "forwarded": 32}
"""Choices of ``forwarded_fields``, with their bits: enum forwarded_field of
src/http/forwarded.h.
"""

_WORDS = ("*", "unix")
_NETS_MAX = 256
"""TRUST_NETS_MAX of src/http/trust.h."""


class Proxies(NamedTuple):
    """The settings for the engine."""

    trusted: str
    """Addresses, networks, "unix" or "*", separated by commas."""
    fields: int
    """The trusted fields, a sum of bits of FIELDS."""
    hides: bool
    """Whether untrusted fields are removed from the scope."""

    def for_engine(self) -> dict[str, object]:
        """Return the keys for ``_engine.Server``."""
        return {
            "trusted_proxies": self.trusted,
            "forwarded_fields": self.fields,
            "hides_forwarded": self.hides,
        }


TRUSTED = "127.0.0.1,::1"
"""Proxies that are trusted by default."""


def check(
    trusted: list[str] | str,
    fields: list[str] | str,
    *,
    believes: bool,
) -> Proxies:
    """Return the parsed settings; raise ConfigError.

    ``trusted`` is forwarded_allow_ips, ``fields`` is forwarded_fields, and ``believes``
    is proxy_headers.
    """
    known = _fields(fields)
    return Proxies(
        trusted=trusted if trusted == TRUSTED else _addresses(trusted),
        fields=known if believes else 0,
        hides=trusted != TRUSTED and believes,
    )


def _addresses(given: list[str] | str) -> str:
    from ipaddress import ip_network

    texts = given.split(",") if isinstance(given, str) else given
    found = []
    for text in filter(None, (str(text).strip() for text in texts)):
        if text.lower() in _WORDS:
            found.append(text.lower())
            continue
        try:
            if "%" in text:
                raise ValueError("a zone")
            found.append(str(ip_network(text, strict=False)))
        except ValueError:
            why = f'takes addresses, networks, unix or *, not "{text}"'
            raise ConfigError("forwarded_allow_ips", why) from None
    if len(found) > _NETS_MAX:
        raise ConfigError("forwarded_allow_ips", f"takes {_NETS_MAX} at most")
    return ",".join(found)


def _fields(given: list[str] | str) -> int:
    names = given.split(",") if isinstance(given, str) else given
    names = [name for name in (str(x).strip().lower() for x in names) if name]
    for name in names:
        if name not in FIELDS:
            choices = ", ".join(FIELDS)
            raise ConfigError("forwarded_fields", f"takes {choices}, not {name!r}")
    clash = sorted({"for", "proto", "port"}.intersection(names))
    if "forwarded" in names and clash:
        why = f"takes {clash[0]} or forwarded, which says the same, not both"
        raise ConfigError("forwarded_fields", why)
    return sum(FIELDS[name] for name in set(names))
