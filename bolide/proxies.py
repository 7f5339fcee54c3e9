"""Which proxies are believed, and in what: the settings, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bolide.errors import ConfigError

if TYPE_CHECKING:
    from bolide.config import Config

FIELDS = {"for": 1, "proto": 2, "host": 4, "port": 8, "prefix": 16, "forwarded": 32}
"""Choices of ``forwarded_fields``, with their bits: enum forwarded_field of
src/http/forwarded.h."""

_WORDS = ("*", "unix")
_NETS_MAX = 256
"""TRUST_NETS_MAX of src/http/trust.h."""


class Proxies(NamedTuple):
    """What the engine is told."""

    trusted: str
    """Addresses, networks and words, with commas between."""
    fields: int
    """Sum of bits of FIELDS: what is believed."""
    hides: bool
    """Whether fields that are not believed are kept from applications."""
    request_id: bool
    """Whether each request has an X-Request-ID."""

    def for_engine(self) -> dict[str, object]:
        """Return the keys of ``_engine.Server``'s mapping."""
        return {
            "trusted_proxies": self.trusted,
            "forwarded_fields": self.fields,
            "hides_forwarded": self.hides,
            "request_id": self.request_id,
        }


def check(config: Config, usual: str) -> Proxies:
    """Return what the settings of ``config`` mean; raise ConfigError.

    ``usual`` is the list of who is trusted where nobody says more.
    """
    given = config.forwarded_allow_ips or ""
    fields = _fields(config.forwarded_fields)
    return Proxies(
        trusted=usual if given == usual else _addresses(given),
        fields=fields if config.proxy_headers else 0,
        hides=given != usual and config.proxy_headers,
        request_id=config.request_id,
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
