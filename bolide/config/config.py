"""The settings of a server, all checked before it starts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bolide import _engine
from bolide.config import coding, proxies, static_files, tls
from bolide.config.addresses import parse_statsd
from bolide.config.binds import Bind, check_path, parse_bind, parse_binds, redirecting
from bolide.config.cache_paths import (
    CACHE_LEAST,
    check_cache_paths,
    encode_cache_paths,
)
from bolide.config.choices import (
    CONGESTION,
    WEBSOCKETS,
    check_choice,
    check_loop,
    level_number,
)
from bolide.config.env_file import environment
from bolide.config.headers import check_headers, encode_header
from bolide.config.rows import LIMITS, SETTINGS
from bolide.config.sinks import parse_sink
from bolide.config.table import WORKERS_MAX
from bolide.config.uvicorn_compat import UvicornCompat
from bolide.config.value_types import NEVER_NONE, check_kinds, decimal
from bolide.errors import ConfigError
from bolide.systemd import listen_fds

if TYPE_CHECKING:
    from collections.abc import Mapping

_NONE_IS_NEVER = ("ws_ping_interval", "ws_ping_timeout")
"""Limits for which None is 0, as uvicorn has it; of any other it is the default."""

_KINDS = {row.name: row.type for row in SETTINGS}


class Config(UvicornCompat):
    """The settings of one server. Settings that uvicorn has too have the same names.

    ``bolide.config.table`` defines them, and docs/OPTIONS.md describes each. Raises
    ConfigError for an invalid setting. A limit that is None has its default. ``limits``
    is a mapping of limits by name, in addition to keywords or instead of them.
    """

    def __post_init__(self, limits: Mapping[str, float] | None) -> None:
        """Check every setting before anything starts."""
        self.notes: list[str] = []
        """Notes that are logged at the start."""
        self.warnings: list[str] = []
        """Warnings: what the user should change."""
        self._check_kinds()
        if self.h11_max_incomplete_event_size and self.limit_head in (
            None,
            type(self).limit_head,
        ):
            self.limit_head = self.h11_max_incomplete_event_size
        self._check_numbers(limits or {})
        self._check_choices()
        self._check_place()
        if self.interface == "wsgi":
            self.ws = "none"
        self._check_files()
        self._check_logs()
        if self.app_dir is not None:
            if not os.path.isdir(self.app_dir):
                raise ConfigError("app_dir", f'is not a directory: "{self.app_dir}"')
            self.app_dir = os.path.abspath(self.app_dir)
        if self.root_path and not self.root_path.startswith("/"):
            raise ConfigError("root_path", f'begins with "/", not {self.root_path!r}')
        self.root_path = self.root_path.rstrip("/")
        self.level = level_number(self.log_level)
        self.headers = check_headers(self.headers)
        self._encoded_headers = [encode_header(*pair) for pair in self.headers]
        if self.forwarded_allow_ips is None:
            theirs = self._environ.get("FORWARDED_ALLOW_IPS")
            self.forwarded_allow_ips = theirs or proxies.TRUSTED
        self._check_processes()
        if self.ssl_context_factory is not None:
            from bolide.config.ssl_context import settings_of_factory

            self.__dict__.update(
                settings_of_factory(self.ssl_context_factory, self, self.make_context)
            )
        self.proxies = proxies.check(
            self.forwarded_allow_ips or "",
            self.forwarded_fields,
            believes=self.proxy_headers,
        )
        self.coding = coding.check(
            self.compress_codings,
            self.compress_types,
            self.compress_except,
            is_on=self.compress,
        )
        self.warnings += self.coding.warnings
        self.static = static_files.list_texts(self.static)
        self.static_cache_control = static_files.list_pairs(self.static_cache_control)
        self.static_files = static_files.check(
            mounts=self.static,
            rules=self.static_cache_control,
            index=self.static_index,
            fallback=self.static_fallback,
            types=self.static_types,
            missing=self.static_missing,
        )
        if self.http3 == "auto":
            self.http3 = tls.can_http3(
                has_certificate=bool(self.ssl_certfile),
                version=self.ssl_version,
                workers=1 if self.reload else self.workers,
            )
        self.tls = self._check_tls()
        hsts = tls.hsts_value(self.hsts, has_tls=self.tls is not None)
        if self.tls is None and any(place.tls for place in self.places):
            raise ConfigError("bind", "with tls needs ssl_certfile")
        self._check_http3()
        self._add_redirect()
        if hsts is not None:
            self._encoded_headers.append(
                encode_header("Strict-Transport-Security", hsts)
            )

    def _check_kinds(self) -> None:
        """Convert texts to numbers, and None to the default; raise ConfigError."""
        for row in SETTINGS:
            if self.__dict__[row.name] is None and row.type in NEVER_NONE:
                setattr(self, row.name, row.default)
        self.__dict__.update(check_kinds(self.__dict__, _KINDS))

    def _check_numbers(self, limits: Mapping[str, float]) -> None:
        """Check the range of each number; raise ConfigError."""
        unknown = sorted(set(limits) - {row.name for row in LIMITS})
        if unknown:
            raise ConfigError(unknown[0], "is no limit")
        for row in SETTINGS:
            if row.highest is None:
                continue
            wanted = limits.get(row.name, getattr(self, row.name))
            if wanted is None and row.is_limit:
                wanted = 0 if row.name in _NONE_IS_NEVER else row.default
            if wanted is not None:
                setattr(self, row.name, row.check(wanted))

    def _check_choices(self) -> None:
        for row in SETTINGS:
            if row.choices and not row.type.startswith("bool"):
                check_choice(row.name, getattr(self, row.name), row.choices)
        check_loop(self.loop)
        is_class = isinstance(self.ws, type)
        if is_class or (isinstance(self.ws, str) and ":" in self.ws):
            self.notes.append("ws: a class is ignored: it has no effect in bolide")
        else:
            check_choice("ws", self.ws, WEBSOCKETS)

    def _check_tls(self) -> tls.TLS | None:
        return tls.check(
            certfile=self.ssl_certfile,
            keyfile=self.ssl_keyfile,
            keyfile_password=self.ssl_keyfile_password,
            ocsp=self.ssl_ocsp,
            ca_certs=self.ssl_ca_certs,
            crl=self.ssl_crl,
            ciphers=self.ssl_ciphers,
            version=self.ssl_version,
            cert_reqs=self.ssl_cert_reqs,
            ktls=self.ktls,
            session_timeout=self.ssl_session_timeout,
            ticket_key=self.ssl_ticket_key,
            http2=self.http2,
            http3=bool(self.http3),
        )

    def _check_http3(self) -> None:
        if not self.http3:
            if self.webtransport:
                raise ConfigError("webtransport", "needs http3")
            return
        if self.tls is None:
            raise ConfigError("http3", "needs ssl_certfile")
        if self.h3_qlog and not os.path.isdir(self.h3_qlog):
            raise ConfigError("h3_qlog", f'is not a directory: "{self.h3_qlog}"')
        if self.workers not in (None, 1) and not self.reload:
            tls.check_http3_workers()
        if self.h3_early_data:
            tls.check_early_data(self.tls)
        alt_svc = tls.alt_svc_value(self.alt_svc, self.places)
        if alt_svc is not None:
            self._encoded_headers.append(encode_header("Alt-Svc", alt_svc))

    def _add_redirect(self) -> None:
        if self.redirect_http is None:
            return
        if self.tls is None:
            raise ConfigError("redirect_http", "needs ssl_certfile")
        self.places += redirecting(self.places, self.redirect_http)

    def _check_place(self) -> None:
        if self.uds is not None and self.fd is not None:
            raise ConfigError("uds", "and fd exclude each other")
        if self.uds is not None:
            check_path("uds", self.uds)
        self.bind = [self.bind] if isinstance(self.bind, str) else list(self.bind)
        self.places = self._find_places(self.bind)
        """The addresses to listen on."""
        self._check_inside()
        self._check_cache()

    def _find_places(self, bind: list[str]) -> list[Bind]:
        if bind:
            return parse_binds(bind)
        if self.fd is not None:
            return [Bind(f"fd://{self.fd}", "fd", fd=self.fd)]
        if self.uds is not None:
            return [Bind(f"unix:{self.uds}", "unix", path=self.uds)]
        if listen_fds():
            return [Bind("systemd", "systemd")]
        host = (self.host or "").removeprefix("[").removesuffix("]")
        return [Bind(f"{self.host}:{self.port}", "tcp", host=host, port=self.port)]

    def _check_cache(self) -> None:
        self.cache_paths = check_cache_paths(self.cache_paths)
        if 0 < self.cache < CACHE_LEAST:
            raise ConfigError("cache", f"takes 0, or at least {CACHE_LEAST} bytes")
        path, token = self.cache_purge_path, self.cache_purge_token
        if path and (not path.startswith("/") or not path.isascii()):
            raise ConfigError(
                "cache_purge_path", f'begins with "/", and is ASCII: {path!r}'
            )
        if path and not token:
            text = "cache_purge_path without cache_purge_token: every purge gets 401"
            self.warnings.append(text)
        if not token.isascii() or not token.isprintable() or " " in token:
            raise ConfigError("cache_purge_token", "takes ASCII without spaces")

    def _check_inside(self) -> None:
        for name in ("health_path", "metrics_path", "status_path"):
            path = getattr(self, name)
            if path and (not path.startswith("/") or not path.isascii()):
                raise ConfigError(name, f'begins with "/", and is ASCII: {path!r}')
        if self.statsd:
            parse_statsd(self.statsd)
        if self.metrics_bind:
            place = parse_bind(self.metrics_bind)
            tls = bool(place.tls)
            self.places.append(place._replace(tls=tls, is_inside=True))

    def is_seen(self) -> bool:
        """Return whether there are metrics, or a status page."""
        return bool(self.metrics_path or self.status_path or self.metrics_bind)

    def _check_files(self) -> None:
        for name in ("env_file", "log_config"):
            path = getattr(self, name)
            if isinstance(path, os.PathLike):
                path = os.fspath(path)
                setattr(self, name, path)
            if isinstance(path, str) and (
                os.path.isdir(path) or not os.access(path, os.R_OK)
            ):
                raise ConfigError(name, f'is not a readable file: "{path}"')
        self._environ = environment(self.env_file)
        if self.http not in ("auto", None):
            name = getattr(self.http, "__name__", self.http)
            text = f"--http {name} is ignored: bolide has its own parser"
            self.notes.append(text)
        if float(self.timeout_worker_healthcheck) != 5:
            text = "--timeout-worker-healthcheck is ignored: see --heartbeat"
            self.notes.append(text)

    def _check_processes(self) -> None:
        if self.workers is None:
            self.workers = self._environ.get("WEB_CONCURRENCY") or None
        if isinstance(self.workers, str) and decimal(self.workers) is not None:
            self.workers = decimal(self.workers)
        if self.workers not in (None, "auto"):
            self._check_workers()
        if self.threads != 1:
            self._check_threads()
        if self.reload and self.workers is not None:
            self.notes.append("with reload one process serves, whatever workers says")
        self.statsd_interval = max(self.statsd_interval, 0.1)
        if isinstance(self.umask, str):
            try:
                self.umask = int(self.umask, 8)
            except ValueError:
                self.umask = -1
        if not isinstance(self.umask, (int, type(None))):
            self.umask = -1
        if self.umask is not None and not 0 <= self.umask <= 0o777:
            raise ConfigError("umask", "takes an octal number, 000 to 777")

    def _check_threads(self) -> None:
        """Reject more than one thread, as a GIL would serialize them."""
        import sysconfig

        is_free = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
        why = "the engine holds the GIL" if is_free else "this CPython has a GIL"
        raise ConfigError("threads", f"takes 1, for {why}; take workers instead")

    def _check_workers(self) -> None:
        count = self.workers
        if not isinstance(count, int) or not 1 <= count <= WORKERS_MAX:
            text = f"takes 1 to {WORKERS_MAX} or auto, not {count!r}"
            raise ConfigError("workers", text)

    def _check_logs(self) -> None:
        self.access_sink = parse_sink("access_log_file", self.access_log_file)
        self.log_sink = parse_sink("log_file", self.log_file)
        try:
            _engine.check_access_format(self.access_log_format)
        except ValueError as error:
            raise ConfigError("access_log_format", f"is none: {error}") from None

    def for_engine(self) -> dict[str, object]:
        """Return the settings of ``_engine.Server``, except for those a Server adds."""
        settings: dict[str, object] = {
            row.key: row.for_engine(getattr(self, row.name))
            for row in SETTINGS
            if row.key
        }
        settings.update(
            headers=self._encoded_headers,
            access_log=None,
            last_call_ms=settings["keep_alive_ms"],
            max_requests=0,
            on_full=None,
            balance=None,
            tallies=None,
            status_page=b"",
            history=None,
            cache=None,
            early_tickets=None,
            cache_paths=encode_cache_paths(self.cache_paths or ()),
            status_about=b"",
            build_labels=b"",
            watch_fd=-1,
            seat=0,
            quic_seat=0,
            quic_secret=b"",
            **self.proxies.for_engine(),
            **self.coding.for_engine(),
            **self.static_files.for_engine(),
            tls=self.tls.for_engine() if self.tls is not None else None,
            h2=int(self.http2) + int(self.http2 and self.h2c_upgrade),
            quic_qlog=os.fsencode(self.h3_qlog or ""),
            quic_congestion=CONGESTION.index(self.h3_congestion),
            ws=self.ws != "none",
        )
        return settings
