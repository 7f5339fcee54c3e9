"""What a server is told: every setting with its default, checked before it starts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from bolide import _engine, proxies, tls
from bolide.binds import Bind, check_path, parse_bind, parse_binds, redirecting
from bolide.environment import environment
from bolide.errors import ConfigError
from bolide.headers import check_headers, encode_header
from bolide.kinds import NEVER_NONE, check_kinds
from bolide.limits import LIMITS
from bolide.loading import Loading
from bolide.loggers import Route
from bolide.logs import LEVELS, LOGGING_CONFIG, Log, configure_logging
from bolide.loops import check_loop
from bolide.outlets import open_outlet
from bolide.record import record
from bolide.sinks import parse_sink
from bolide.statsd import parse_address
from bolide.systemd import listen_fds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from dataclasses import KW_ONLY, InitVar

LIFESPANS = ("auto", "on", "off")
WEBSOCKETS = ("auto", "none", "websockets", "websockets-sansio", "wsproto")
"""Choices of ``ws``; uvicorn's names of libraries all mean "auto" here."""

LOG_FORMATS = ("text", "json")

INTERFACES = ("auto", "asgi3", "asgi2", "wsgi")

TRUSTED = "127.0.0.1,::1"
"""Proxies that are trusted where none are named."""

WORKERS_MAX = 512
"""Processes that one supervisor looks after at most."""

_MANY = 1 << 62

_NONE_IS_NEVER = ("ws_ping_interval", "ws_ping_timeout")
"""Limits for which None is 0, as uvicorn has it; of any other it is the default."""


@record
class Config(Loading):
    """The settings of one server, named as uvicorn's where they mean the same.

    docs/OPTIONS.md says more about each. Every setting is checked here; one that cannot
    be used raises ConfigError. A limit that is None has its default; ``limits`` takes
    limits by name from a mapping, beside or instead of keywords.
    """

    app: Any
    """An ASGI application, or ``"module:attribute"``."""
    host: str | None = "127.0.0.1"
    """Address, or name with all its addresses; None and ``""`` are every address."""
    port: int = 8000
    """TCP port; 0 takes a free one."""
    uds: str | None = None
    """Path of a Unix socket to listen on instead."""
    fd: int | None = None
    """An inherited socket to listen on instead."""
    loop: Any = "auto"
    """One of ``bolide.loops.LOOPS``, ``"module:function"`` or a function that makes a
    loop; "auto" is uvloop where it is installed. Only for ``run()``."""
    http: Any = "auto"
    """Has no meaning here."""
    http2: bool = True
    """Whether HTTP/2 is spoken, by ALPN over TLS and by prior knowledge without."""
    ws: Any = "auto"
    """One of WEBSOCKETS, or a class, which means nothing here; "none" takes a
    handshake for an ordinary request."""
    ws_max_size: int | None = 16777216
    ws_max_queue: int | None = 32
    ws_ping_interval: float | None = 20
    """Seconds; None: no pings."""
    ws_ping_timeout: float | None = 20
    """Seconds; None: no limit."""
    ws_per_message_deflate: bool = True
    """Whether permessage-deflate is agreed where a client offers it (RFC 7692)."""
    lifespan: str = "auto"
    """One of LIFESPANS; "on" refuses to start without, "off" never asks."""
    env_file: str | os.PathLike[str] | None = None
    """File of variables for the application's environment."""
    log_config: Any = LOGGING_CONFIG
    """Settings of Python's logging: a dict, a file of them (its name, or open), or a
    RawConfigParser; None: it is set up. LOGGING_CONFIG as it is: logging is not
    used."""
    log_level: str | int | None = "info"
    """One of ``bolide.logs.LEVELS``, or a number of logging's."""
    access_log: bool = True
    """Whether each request gets a line in the access log."""
    use_colors: bool | None = None
    """Whether what is said has colours; None: on a terminal."""
    interface: str = "auto"
    """One of INTERFACES; "auto" looks how many arguments the application takes."""
    reload: bool = False
    """Whether the application is loaded anew when files change; for development."""
    reload_dirs: Iterable[str] | str | None = None
    """Folders that are watched; None: the current one and ``app_dir``."""
    reload_delay: float = 0.25
    """Seconds between the starts of two reloads at least."""
    reload_includes: Iterable[str] | str | None = None
    """Patterns of files that are watched as well as ``*.py``, or folders."""
    reload_excludes: Iterable[str] | str | None = None
    """Patterns of files, or folders, that are not watched."""
    workers: int | str | None = None
    """Processes that serve, 1 to WORKERS_MAX, or "auto", as many as there are CPUs for
    this one; each has a supervisor. None: this process serves, without a supervisor."""
    proxy_headers: bool = True
    """Whether fields of trusted proxies are believed."""
    server_header: bool = True
    """Whether answers have ``Server: bolide``."""
    date_header: bool = True
    """Whether answers have a Date field (RFC 9110 6.6.1)."""
    forwarded_allow_ips: list[str] | str | None = None
    """Proxies that are trusted: addresses, networks, "unix" or "*". None: those of
    $FORWARDED_ALLOW_IPS, or TRUSTED."""
    root_path: str = ""
    """Where a proxy mounts the application: empty, or begins with "/"."""
    limit_concurrency: int | None = 16384
    limit_max_requests: int | None = None
    """Requests after which a worker is replaced, or a server without workers stops."""
    limit_max_requests_jitter: int = 0
    """Up to so many requests more, drawn for each worker."""
    backlog: int = 2048
    """Connections that the kernel keeps waiting until they are accepted."""
    timeout_keep_alive: float | None = 5
    timeout_notify: float = 30
    """Seconds between two calls of callback_notify."""
    timeout_graceful_shutdown: float | None = 30
    timeout_worker_healthcheck: float = 5
    """Has no meaning here."""
    callback_notify: Callable[[], Awaitable[None]] | None = None
    """Awaited again and again while the server serves."""
    ssl_keyfile: tls.Paths = None
    """PEM file of the key; None: it is in ``ssl_certfile``. One for each of those."""
    ssl_certfile: tls.Paths = None
    """PEM file of the certificate and its chain, or some of them; None: no TLS."""
    ssl_keyfile_password: str | None = None
    """Password of all keys that are encrypted."""
    ssl_version: int | str = "auto"
    """One of ``bolide.tls.VERSIONS``, or a protocol of Python's ssl."""
    ssl_cert_reqs: int | str = "none"
    """One of ``bolide.tls.CERT_REQS``, or its number: what clients have to show."""
    ssl_ca_certs: str | os.PathLike[str] | None = None
    """PEM file or folder that clients' certificates are judged by."""
    ssl_ciphers: str | None = None
    """OpenSSL's names of ciphers, ":" between; None: the safe ones."""
    ssl_context_factory: Callable[..., Any] | None = None
    """Changes the context of Python's ssl that its second argument returns, and returns
    it; what ``bolide.context`` reads of that is used."""
    headers: Iterable[tuple[str | bytes, str | bytes]] | None = ()
    """Fields that every answer gets; a Date or Server of these replaces ours."""
    factory: bool = False
    """Whether ``app`` is called, without arguments, to get the application."""
    h11_max_incomplete_event_size: int | None = None
    """The same as limit_head."""
    reset_contextvars: bool = False
    """Has no meaning here: requests never share a context."""
    _: KW_ONLY
    bind: Iterable[str] | str = ()
    """Places to listen on instead of host and port, as bolide.binds reads them."""
    forwarded_fields: list[str] | str = "for,proto"
    """Which fields are believed, of ``bolide.proxies.FIELDS``."""
    request_id: bool = False
    """Whether each request and its answer have an X-Request-ID."""
    app_dir: str | None = None
    """Folder that modules are looked for in first."""
    h2c_upgrade: bool = False
    """Whether HTTP/2 is spoken by Upgrade: h2c as well (RFC 7540 3.2)."""
    ws_server_takeover: bool = False
    """Whether a WebSocket keeps its compression window between messages sent."""
    ws_client_takeover: bool = False
    """Whether a client may keep its compression window between its messages."""
    ssl_crl: str | os.PathLike[str] | None = None
    """PEM file of revocation lists for clients' certificates."""
    ssl_ocsp: tls.Paths = None
    """DER file of an OCSP response to staple; one for each ``ssl_certfile``."""
    ssl_session_timeout: int = 3600
    """Seconds that a session can be resumed; 0: not at all."""
    ssl_ticket_key: str | None = None
    """File of 32 random bytes or more that session tickets of many machines share."""
    ssl_watch: float = 10
    """Seconds between two looks whether those files have changed; 0: never."""
    ktls: str = "off"
    """"auto" or "off": whether the kernel may encrypt."""
    redirect_http: int | None = None
    """Port that sends plain HTTP to https; 0 takes a free one, None: there is none."""
    hsts: int | str | None = None
    """Strict-Transport-Security for every answer: its value, or its seconds."""
    threads: int = 1
    """Threads that serve in each process; more than one only without a GIL."""
    preload: bool = False
    """Whether the application is loaded once, and workers share that memory."""
    pathsend: bool = False
    """Whether ``http.response.pathsend`` and ``zerocopysend`` are offered."""
    worker_lifetime: float = 0
    """Seconds after which a worker is replaced; 0: never."""
    limit_rss: int = 0
    keep_freed_memory: int = 64 << 20
    """Resident memory in bytes after which a worker is replaced; 0: never."""
    heartbeat: float = 0
    """Seconds that a worker's loop may be blocked until it is replaced; 0: for ever."""
    health_path: str = ""
    """Path where the engine says whether it is ready; "": nowhere."""
    metrics_path: str = ""
    """Path where the engine has its metrics for Prometheus; "": nowhere."""
    status_path: str = ""
    """Path of the status page; "": nowhere."""
    warn_blocked: float = 1
    """Seconds that the loop may be blocked until the log says by what; 0: never."""
    statsd: str | None = None
    """Host and port of a statsd server that hears the metrics by UDP."""
    statsd_prefix: str = "bolide"
    """What their names begin with."""
    statsd_tags: str = ""
    """"name:value" with "," between, as dogstatsd reads them; "": none are sent."""
    statsd_interval: float = 10
    """Seconds between two reports."""
    metrics_bind: str | None = None
    """A place of their own for health, metrics and the status page, as in ``bind``."""
    drain_delay: float = 0
    """Seconds between a signal to stop and the end of accepting connections."""
    user: str | None = None
    """Name or number of the user that applications run as."""
    group: str | None = None
    """Name or number of the group that applications run as."""
    umask: int | str | None = None
    """File mode creation mask; a text is octal."""
    access_log_format: str = "common"
    """"common", "combined", "json", or a text with atoms; docs/LOGS.md."""
    access_log_file: str = "-"
    """Where it goes: "-" is standard output, "syslog", "journald", or a path."""
    log_file: str = "-"
    """Where what is said goes: "-" is standard error, else as access_log_file."""
    log_format: str = "text"
    """"text", or "json" for an object a line."""
    one_line_tracebacks: bool = False
    """Whether a traceback is one line, its breaks as \\n."""
    pid_file: str | None = None
    """File that has the number of this process while it serves."""
    limit_request_line: int | None = 16384
    limit_head: int | None = 65536
    limit_fields: int | None = 128
    limit_body: int | None = 0
    limit_trailers: int | None = 8192
    limit_trailer_fields: int | None = 64
    limit_chunk_overhead: int | None = 65536
    limit_unread_body: int | None = 65536
    limit_body_rate: int | None = 256
    limit_handshakes: int | None = 0
    limit_access_log: int | None = 1048576
    ws_max_frame: int | None = 0
    ws_max_fragments: int | None = 1024
    ws_max_controls: int | None = 1024
    ws_max_queue_bytes: int | None = 1048576
    ws_deflate_threshold: int | None = 256
    ws_deflate_level: int | None = 1
    ws_deflate_mem_level: int | None = 5
    ws_deflate_server_bits: int | None = 12
    ws_deflate_client_bits: int | None = 12
    timeout_head: float | None = 10
    timeout_body: float | None = 30
    timeout_send: float | None = 30
    timeout_linger: float | None = 2
    timeout_queue: float | None = 0
    timeout_disconnect: float | None = 1
    timeout_handshake: float | None = 10
    h2_max_streams: int | None = 128
    h2_window: int | None = 131072
    h2_connection_window: int | None = 1048576
    h2_max_frame: int | None = 16384
    h2_header_table: int | None = 4096
    h2_max_resets: int | None = 400
    h2_max_output: int | None = 1048576
    ws_close_timeout: float | None = 10
    limits: InitVar[Mapping[str, float] | None] = None

    def __post_init__(self, limits: Mapping[str, float] | None) -> None:
        """Check every setting, so that nothing starts half."""
        self.access_route: Route | None = None
        """Takes requests, where log_config sets logging up; known after make_log()."""
        self.notes: list[str] = []
        """What the user should be told at the start."""
        self.warnings: list[str] = []
        """What the user should change."""
        self._check_kinds()
        if self.h11_max_incomplete_event_size and self.limit_head in (
            None,
            type(self).limit_head,
        ):
            self.limit_head = self.h11_max_incomplete_event_size
        self._check_place()
        check_loop(self.loop)
        self._check_choice("lifespan", LIFESPANS)
        self._check_ws()
        self._check_choice("interface", INTERFACES)
        if self.interface == "wsgi":
            self.ws = "none"
        self._check_files()
        self._check_logs()
        if self.app_dir is not None:
            if not os.path.isdir(self.app_dir):
                raise ConfigError("app_dir", f'is no folder: "{self.app_dir}"')
            self.app_dir = os.path.abspath(self.app_dir)
        if self.root_path and not self.root_path.startswith("/"):
            raise ConfigError("root_path", f'begins with "/", not {self.root_path!r}')
        self.root_path = self.root_path.rstrip("/")
        self.level = self._level_number()
        self.headers = check_headers(self.headers)
        self._encoded_headers = [encode_header(*pair) for pair in self.headers]
        if self.forwarded_allow_ips is None:
            theirs = self._environ.get("FORWARDED_ALLOW_IPS")
            self.forwarded_allow_ips = theirs or TRUSTED
        self._set_limits(limits or {})
        self._check_processes()
        if self.ssl_context_factory is not None:
            from bolide.context import apply_context_factory

            apply_context_factory(self, self.ssl_context_factory)
        self.proxies = proxies.check(self, TRUSTED)
        self.tls = tls.check(self)
        if self.tls is None and any(place.tls for place in self.places):
            raise ConfigError("bind", "with tls needs ssl_certfile")
        self._add_redirect()
        if (hsts := tls.hsts_value(self)) is not None:
            self._encoded_headers.append(
                encode_header("Strict-Transport-Security", hsts)
            )

    def _check_kinds(self) -> None:
        """Take texts for numbers, None for a default; raise ConfigError."""
        kinds = type(self).__annotations__
        for name, kind in kinds.items():
            if self.__dict__.get(name, "") is None and kind in NEVER_NONE:
                setattr(self, name, getattr(type(self), name))
        self.__dict__.update(check_kinds(self.__dict__, kinds))

    def _add_redirect(self) -> None:
        if self.redirect_http is None:
            return
        self._check_range("redirect_http", 0, 65535)
        if self.tls is None:
            raise ConfigError("redirect_http", "needs ssl_certfile")
        self.places += redirecting(self.places, self.redirect_http)

    def _check_place(self) -> None:
        self._check_range("port", 0, 65535)
        self._check_range("backlog", 1, 65535)
        if self.fd is not None:
            self._check_range("fd", 0, 1 << 20)
        if self.uds is not None and self.fd is not None:
            raise ConfigError("uds", "and fd exclude each other")
        if self.uds is not None:
            check_path("uds", self.uds)
        self.bind = [self.bind] if isinstance(self.bind, str) else list(self.bind)
        self.places = self._find_places(self.bind)
        """Where to listen."""
        self._check_inside()

    def _check_ws(self) -> None:
        is_class = isinstance(self.ws, type)
        if is_class or (isinstance(self.ws, str) and ":" in self.ws):
            self.notes.append("ws: a class has no meaning in bolide")
        else:
            self._check_choice("ws", WEBSOCKETS)

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

    def _check_inside(self) -> None:
        for name in ("health_path", "metrics_path", "status_path"):
            path = getattr(self, name)
            if path and (not path.startswith("/") or not path.isascii()):
                raise ConfigError(name, f'begins with "/", and is ASCII: {path!r}')
        if self.statsd:
            parse_address(self.statsd)
        if self.metrics_bind:
            place = parse_bind(self.metrics_bind)
            tls = bool(place.tls)
            self.places.append(place._replace(tls=tls, is_inside=True))

    def is_seen(self) -> bool:
        """Return whether there are metrics, or a status page."""
        return bool(self.metrics_path or self.status_path or self.metrics_bind)

    def _page(self) -> bytes:
        """Return the status page, where there is one to be seen."""
        if not self.status_path and not self.metrics_bind:
            return b""
        path = os.path.join(os.path.dirname(__file__), "status", "page.html")
        with open(path, "rb") as file:
            return file.read()

    def _check_files(self) -> None:
        for name in ("env_file", "log_config"):
            path = getattr(self, name)
            if isinstance(path, os.PathLike):
                path = os.fspath(path)
                setattr(self, name, path)
            if isinstance(path, str) and (
                os.path.isdir(path) or not os.access(path, os.R_OK)
            ):
                raise ConfigError(name, f'is no file that can be read: "{path}"')
        self._environ = environment(self.env_file)
        if self.http not in ("auto", None):
            name = getattr(self.http, "__name__", self.http)
            text = f"--http {name} is ignored: bolide has a parser of its own"
            self.notes.append(text)
        if float(self.timeout_worker_healthcheck) != 5:
            text = "--timeout-worker-healthcheck is ignored: see --heartbeat"
            self.notes.append(text)

    def make_log(self) -> Log:
        """Return where to say things, as the settings ask for; raise ConfigError."""
        log = Log(
            self.level,
            colors=self.use_colors,
            is_json=self.log_format == "json",
            is_one_line=self.one_line_tracebacks,
            outlet=open_outlet(self.log_sink),
        )
        try:
            level = None if self.level == LEVELS["info"] else self.level
            error, self.access_route = configure_logging(self.log_config, level)
        except (ImportError, OSError, ValueError, TypeError, KeyError) as problem:
            raise ConfigError("log_config", f"cannot be used: {problem}") from None
        log.logger = error.logger if error is not None else None
        return log

    def _check_processes(self) -> None:
        if self.workers is None:
            self.workers = self._environ.get("WEB_CONCURRENCY") or None
        if isinstance(self.workers, str) and self.workers.isdecimal():
            self.workers = int(self.workers)
        if self.workers not in (None, "auto"):
            self._check_range("workers", 1, WORKERS_MAX, " or auto")
        if self.threads != 1:
            self._check_threads()
        if self.reload and self.workers is not None:
            self.notes.append("with reload one process serves, whatever workers says")
        if self.limit_max_requests is not None:
            self._check_range("limit_max_requests", 1, _MANY)
        self._check_range("limit_max_requests_jitter", 0, _MANY)
        self._check_range("limit_rss", 0, _MANY)
        self._check_range("keep_freed_memory", 0, 1 << 30)
        for name in (
            "timeout_notify", "timeout_worker_healthcheck", "warn_blocked",
            "statsd_interval", "worker_lifetime", "heartbeat", "drain_delay",
            "ssl_watch", "reload_delay",
        ):  # fmt: skip
            self._check_seconds(name)
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
        """Refuse more than one thread, which a GIL would have take turns."""
        import sysconfig

        self._check_range("threads", 1, WORKERS_MAX)
        is_free = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
        why = "the engine holds the GIL" if is_free else "this CPython has a GIL"
        raise ConfigError("threads", f"takes 1, for {why}; take workers instead")

    def _check_seconds(self, name: str) -> None:
        value = getattr(self, name)
        try:
            seconds = float(value)
        except (TypeError, ValueError):
            raise ConfigError(name, f"takes a number, not {value!r}") from None
        if not 0 <= seconds <= 86400 * 366:
            raise ConfigError(name, f"takes 0 to {86400 * 366} s, not {value}")
        setattr(self, name, seconds)

    def _check_choice(self, name: str, choices: tuple[str, ...]) -> None:
        value = getattr(self, name)
        if value not in choices:
            raise ConfigError(name, f"is one of {', '.join(choices)}, not {value!r}")

    def _check_range(
        self, name: str, lowest: int, highest: int, more: str = ""
    ) -> None:
        value = getattr(self, name)
        if not isinstance(value, int) or not lowest <= value <= highest:
            reach = f"{lowest} to {highest}{more}"
            raise ConfigError(name, f"takes {reach}, not {value!r}")

    def _level_number(self) -> int:
        """Return the level as a number of logging's."""
        if self.log_level is None:
            return LEVELS["info"]
        if isinstance(self.log_level, int):
            return self.log_level
        if str(self.log_level).lower() not in LEVELS:
            choices = ", ".join(LEVELS)
            raise ConfigError("log_level", f"is one of {choices}, not {self.log_level}")
        return LEVELS[self.log_level.lower()]

    def _set_limits(self, limits: Mapping[str, float]) -> None:
        unknown = sorted(set(limits) - {limit.name for limit in LIMITS})
        if unknown:
            raise ConfigError(unknown[0], "is no limit")
        for limit in LIMITS:
            wanted = limits.get(limit.name, getattr(self, limit.name))
            if wanted is None and limit.name in _NONE_IS_NEVER:
                wanted = 0
            number = limit.default if wanted is None else limit.check(wanted)
            setattr(self, limit.name, number)

    def _check_logs(self) -> None:
        self.access_sink = parse_sink("access_log_file", self.access_log_file)
        self.log_sink = parse_sink("log_file", self.log_file)
        self._check_choice("log_format", LOG_FORMATS)
        try:
            _engine.check_access_format(self.access_log_format)
        except ValueError as error:
            raise ConfigError("access_log_format", f"is none: {error}") from None

    def prepare_logs(self) -> None:
        """Make the files of both logs, and give them to the user of the workers.

        Raises ConfigError where one cannot be opened.
        """
        from bolide import privileges

        sinks = [self.log_sink]
        if self.access_log:
            sinks.append(self.access_sink)
        for sink in sinks:
            os.close(sink.open())
            if self.user is not None or self.group is not None:
                sink.hand_to(*privileges.numbers(self))

    def for_engine(self) -> dict[str, object]:
        """Return what ``_engine.Server`` takes, but for what a Server adds."""
        settings: dict[str, object] = {
            limit.key: limit.for_engine(getattr(self, limit.name)) for limit in LIMITS
        }
        settings.update(
            root_path=self.root_path,
            server_header=self.server_header,
            date_header=self.date_header,
            headers=self._encoded_headers,
            pathsend=self.pathsend,
            access_log=None,
            lifespan=self.lifespan,
            last_call_ms=settings["keep_alive_ms"],
            max_requests=0,
            on_full=None,
            crowd=None,
            tallies=None,
            health_path=self.health_path.encode(),
            metrics_path=self.metrics_path.encode(),
            status_path=self.status_path.encode(),
            status_page=self._page(),
            history=None,
            status_about=b"",
            build_labels=b"",
            watch_fd=-1,
            seat=0,
            **self.proxies.for_engine(),
            tls=self.tls.for_engine() if self.tls is not None else None,
            h2=int(self.http2) + int(self.http2 and self.h2c_upgrade),
            ws=self.ws != "none",
            ws_deflate=self.ws_per_message_deflate,
            ws_server_takeover=self.ws_server_takeover,
            ws_client_takeover=self.ws_client_takeover,
        )
        return settings
