"""What a server is told: every setting with its unit, default and range."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bolide.logs import LEVELS

LOOPS = ("auto", "asyncio", "uvloop", "rloop")
LIFESPANS = ("auto", "on", "off")


class ConfigError(ValueError):
    """A setting that cannot be used; the text is one line that says which and why."""


@dataclass(frozen=True)
class Limit:
    """One limit of the engine: ``option`` counts ``unit``; ``key`` is the engine's."""

    option: str
    key: str
    unit: str
    default: float
    lowest: float
    highest: float
    meaning: str

    @property
    def name(self) -> str:
        """The keyword of Config: the option without its dashes."""
        return self.option[2:].replace("-", "_")

    @property
    def is_time(self) -> bool:
        """Whether the option counts seconds and the engine milliseconds."""
        return self.unit == "s"

    def check(self, value: Any) -> int:
        """Return what the engine counts; raise ConfigError when out of range."""
        try:
            number = float(value) if self.is_time else int(value)
        except (TypeError, ValueError):
            kind = "a number" if self.is_time else "a whole number"
            raise ConfigError(f"{self.option} takes {kind}, not {value!r}") from None
        if not self.lowest <= number <= self.highest:
            raise ConfigError(
                f"{self.option} takes {self.lowest:g} to {self.highest:g} {self.unit}, "
                f"not {value}"
            )
        return round(number * 1000) if self.is_time else int(number)


_MIB = 1 << 20
_DAY = 86400

LIMITS = (
    Limit("--limit-concurrency", "connections", "connections", 16384, 1, 10**6,
          "open connections of one worker"),
    Limit("--limit-request-line", "request_line_bytes", "bytes", 16384, 256, _MIB,
          "method, target and version"),
    Limit("--limit-head", "head_bytes", "bytes", 65536, 512, 16 * _MIB,
          "a whole request head"),
    Limit("--limit-fields", "fields", "fields", 128, 1, 10000,
          "field lines of a head"),
    Limit("--limit-body", "body_bytes", "bytes", 0, 0, 1 << 62,
          "a request body; 0 is unlimited"),
    Limit("--limit-trailers", "trailer_bytes", "bytes", 8192, 0, _MIB,
          "all trailers of a chunked body"),
    Limit("--limit-trailer-fields", "trailer_fields", "fields", 64, 0, 10000,
          "trailer lines of a chunked body"),
    Limit("--limit-chunk-overhead", "chunk_overhead_bytes", "bytes", 16384, 0, _MIB * 16,
          "framing of a chunked body beyond its fair share"),
    Limit("--limit-unread-body", "drain_bytes", "bytes", 65536, 0, 16 * _MIB,
          "unread body that is swallowed after an answer"),
    Limit("--limit-body-rate", "body_rate", "bytes/s", 256, 0, 1 << 30,
          "what a body must bring at least; 0 is off"),
    Limit("--timeout-head", "head_ms", "s", 10, 0.05, _DAY,
          "a head, from its first byte to its last"),
    Limit("--timeout-keep-alive", "keep_alive_ms", "s", 5, 0, _DAY,
          "idle between requests; 0 closes after each"),
    Limit("--timeout-body", "body_stall_ms", "s", 30, 0, _DAY,
          "no byte of a body that is waited for; 0 is off"),
    Limit("--timeout-send", "send_stall_ms", "s", 30, 0, _DAY,
          "the peer takes no byte of an answer; 0 is off"),
    Limit("--timeout-linger", "linger_ms", "s", 2, 0.05, 60,
          "for the peer to read a refusal"),
    Limit("--timeout-graceful-shutdown", "graceful_ms", "s", 30, 0, _DAY,
          "for running requests when the server stops"),
)  # fmt: skip
"""All limits that the engine knows, in the order of the help text."""


def _default_limits() -> dict[str, Any]:
    return {limit.name: limit.default for limit in LIMITS}


_TOKEN = frozenset(
    b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)


def parse_header(text: str) -> tuple[bytes, bytes]:
    """Return ``"Name: value"`` as two byte strings; raise ConfigError (RFC 9110 5)."""
    name, colon, value = text.partition(":")
    try:
        raw_name, raw_value = name.encode("ascii"), value.strip().encode("latin-1")
    except UnicodeEncodeError:
        raise ConfigError(f"--header takes latin-1 text, not {text!r}") from None
    if not colon or not raw_name or not _TOKEN.issuperset(raw_name):
        raise ConfigError(f"--header takes NAME:VALUE, not {text!r}")
    if any(byte < 0x20 and byte != 0x09 or byte == 0x7F for byte in raw_value):
        raise ConfigError(f"--header takes no control characters: {text!r}")
    return raw_name.lower(), raw_value


@dataclass
class Config:
    """The settings of one server, named as uvicorn's where they mean the same.

    ``app`` is an application or ``"module:attribute"``. ``headers`` are pairs of str,
    added to every answer. ``limits`` takes the names of ``LIMITS`` (for instance
    ``{"timeout_keep_alive": 5}``), each in the unit given there; a name that is left
    out has its default. Raises ConfigError for anything that cannot be used.
    """

    app: Any
    host: str = "127.0.0.1"
    port: int = 8000
    uds: str | None = None
    fd: int | None = None
    backlog: int = 2048
    loop: str = "auto"
    lifespan: str = "auto"
    root_path: str = ""
    factory: bool = False
    app_dir: str | None = None
    log_level: str | int = "info"
    access_log: bool = True
    date_header: bool = True
    server_header: bool = True
    headers: Iterable[tuple[str, str]] = ()
    limits: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check every setting, so that nothing starts half."""
        self._check_choice("loop", LOOPS)
        self._check_choice("lifespan", LIFESPANS)
        self._check_range("port", 0, 65535)
        self._check_range("backlog", 1, 65535)
        if self.fd is not None:
            self._check_range("fd", 0, 1 << 20)
        if self.uds is not None and self.fd is not None:
            raise ConfigError("--uds and --fd exclude each other")
        if self.app_dir is not None and not os.path.isdir(self.app_dir):
            raise ConfigError(f'--app-dir: there is no folder "{self.app_dir}"')
        if self.root_path and not self.root_path.startswith("/"):
            raise ConfigError(f'--root-path begins with "/", not {self.root_path!r}')
        self.root_path = self.root_path.rstrip("/")
        self.level = self._level_number()
        self.encoded_headers = [parse_header(f"{n}:{v}") for n, v in self.headers]
        self._engine_limits = self._check_limits()

    def _check_choice(self, name: str, choices: tuple[str, ...]) -> None:
        value = getattr(self, name)
        if value not in choices:
            raise ConfigError(f"--{name} is one of {', '.join(choices)}, not {value!r}")

    def _check_range(self, name: str, lowest: int, highest: int) -> None:
        value = getattr(self, name)
        if not isinstance(value, int) or not lowest <= value <= highest:
            raise ConfigError(f"--{name} takes {lowest} to {highest}, not {value!r}")

    def _level_number(self) -> int:
        if isinstance(self.log_level, int):
            return self.log_level
        if self.log_level.lower() not in LEVELS:
            choices = ", ".join(LEVELS)
            raise ConfigError(f"--log-level is one of {choices}, not {self.log_level!r}")
        return LEVELS[self.log_level.lower()]

    def _check_limits(self) -> dict[str, int]:
        unknown = set(self.limits) - set(_default_limits())
        if unknown:
            raise ConfigError(f"there is no limit {sorted(unknown)[0]!r}")
        wanted = _default_limits() | self.limits
        return {limit.key: limit.check(wanted[limit.name]) for limit in LIMITS}

    def for_engine(self) -> dict[str, object]:
        """Return what ``_engine.Server`` takes, but for its two log callbacks."""
        settings: dict[str, object] = dict(self._engine_limits)
        settings.update(
            root_path=self.root_path,
            server_header=self.server_header,
            date_header=self.date_header,
            headers=self.encoded_headers,
            access_log_fd=1 if self.access_log else -1,
            lifespan=self.lifespan,
        )
        return settings
