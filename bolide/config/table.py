"""Every setting: its type, default, unit, range and engine key, its option and help.

This is the only place outside of the engine where a setting is defined. ``Config``, the
options of the command, completion, ``--print-config``, the settings of the engine, and
the tables of docs/OPTIONS.md and docs/LIMITS.md are made from it.

The order is that of uvicorn's Config, as far as it has a setting, for positional
arguments. ``in_order`` (rows.py) is the order of the help text and the documents.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

# fmt: off
# isort: off
from bolide.config.choices import (
    CERT_REQS, INTERFACES, KTLS, LEVELS, LIFESPANS, LOG_FORMATS, LOOPS, STATIC_MISSING,
    VERSIONS, WEBSOCKETS,
)
from bolide.config.groups import (
    APP, CACHE, COMPRESSION, FILES, HTTP2, INSIDE, LIMIT, LISTEN, OUTPUT, PROCESSES,
    PROXIES, RELOAD, STATIC, TIMES, TLS, UVICORN, WS,
)
from bolide.config.http2_limits import Http2Limits
from bolide.config.http3_settings import Http3Settings
from bolide.config.logging_config import LOGGING_CONFIG
from bolide.config.proxies import TRUSTED
from bolide.config.setting import Setting, setting, table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from dataclasses import KW_ONLY, InitVar

    from bolide.config import tls

WORKERS_MAX = 512
"""The maximum number of processes of one supervisor."""

_MIB, _MANY = 1 << 20, 1 << 62
_DAY, _YEAR = 86400, 86400 * 366


@table
class Settings(Http2Limits, Http3Settings):
    """The base of Config, whose constructor accepts these settings.

    A limit that is None has its default.
    """

    rows: ClassVar[tuple[Setting, ...]]

    app: Any
    """An ASGI application, or ``"module:attribute"``."""
    host: str | None = setting(default="127.0.0.1", group=LISTEN, takes="ADDRESS",
        example="0.0.0.0", help='address or name to listen on; "": all addresses')
    """None and ``""`` are every address."""
    port: int = setting(
        default=8000, low=0, high=65535, group=LISTEN, takes="NUMBER", example="80",
        help="TCP port; 0: any free port")
    uds: str | None = setting(
        default=None, group=LISTEN, takes="PATH", aliases=("--unix-socket",),
        example="/run/app.sock", help="Unix socket to listen on instead")
    fd: int | None = setting(
        default=None, low=0, high=1 << 20, group=LISTEN, takes="NUMBER", example="3",
        help="file descriptor of an inherited socket to listen on instead")
    loop: Any = setting(
        default="auto", group=APP, after="lifespan", takes="|".join(LOOPS),
        aliases=("--asgi-loop",), example="asyncio",
        help="event loop; auto: uvloop if it is installed")
    """Or ``"module:function"``, or a function that creates a loop; for ``run()``."""
    http: Any = setting(
        default="auto", group=UVICORN, takes="NAME", example="httptools",
        help="has no effect")
    http2: bool = setting(
        default=True, group=HTTP2,
        help="HTTP/2, by ALPN over TLS and by prior knowledge without")
    ws: Any = setting(
        default="auto", group=WS, takes="|".join(WEBSOCKETS), example="none",
        help="none: a WebSocket handshake is an ordinary request")
    """Or a class, which is ignored."""
    ws_max_size: int | None = setting(
        default=16 * _MIB, unit="bytes", low=1, high=1 << 30, key="ws_message_bytes",
        group=WS, aliases=("--websocket-max-message-size",), example="65536",
        help="size of a WebSocket message, decompressed")
    ws_max_queue: int | None = setting(
        default=32, unit="messages", low=1, high=_MIB, key="ws_queue", group=WS,
        example="8",
        help="WebSocket messages waiting for receive() before reading stops")
    ws_ping_interval: float | None = setting(
        default=20, unit="s", low=0, high=_DAY, key="ws_ping_interval_ms", group=WS,
        aliases=("--websocket-ping-interval", "--ping-interval"), example="5",
        help="silence of a WebSocket before it is pinged; 0: no pings")
    """None: no pings."""
    ws_ping_timeout: float | None = setting(
        default=20, unit="s", low=0, high=_DAY, key="ws_ping_timeout_ms", group=WS,
        aliases=("--ping-timeout",), example="60",
        help="time for any byte after a ping; 0: no limit")
    """None: no limit."""
    ws_per_message_deflate: bool = setting(
        default=True, key="ws_deflate", group=WS, takes="BOOLEAN", example="off",
        help="compression of messages, if the client offers it")
    lifespan: str = setting(
        default="auto", key="lifespan", choices=LIFESPANS, group=APP,
        aliases=("--asgi-lifespan",), example="on",
        help="lifespan events for the application")
    env_file: str | os.PathLike[str] | None = setting(
        default=None, group=FILES, takes="PATH", example="/dev/null",
        help="file of variables for the application's environment")
    log_config: Any = setting(
        default=LOGGING_CONFIG, group=FILES, takes="PATH", example="logging.json",
        help="settings of Python's logging: .json, .yaml or .ini")
    """A dict, a file of settings (its name, or open), or a RawConfigParser; None:
    logging is already configured. LOGGING_CONFIG unchanged: logging is not used."""
    log_level: str | int | None = setting(
        default="info", group=OUTPUT, takes="|".join(LEVELS), example="warning",
        help="lowest level that is logged on standard error")
    """Or a number of ``logging``."""
    access_log: bool = setting(
        default=True, group=OUTPUT, help="log each request on standard output")
    use_colors: bool | None = setting(
        default=None, group=FILES, takes="", shown="auto",
        help="colors in the log; auto: on a terminal")
    """None: on a terminal."""
    interface: str = setting(
        default="auto", choices=INTERFACES, group=UVICORN, example="asgi3",
        help="kind of application")
    reload: bool = setting(
        default=False, group=RELOAD, help="reload the application when files change")
    reload_dirs: Iterable[str] | str | None = setting(
        default=None, group=RELOAD, option="--reload-dir", takes="FOLDER",
        example="src",
        help="folder to watch instead of the current one; may be repeated")
    """None: the current one and ``app_dir``."""
    reload_delay: float = setting(
        default=0.25, unit="s", low=0, high=_YEAR, group=RELOAD,
        after="reload_excludes", example="1", help="minimum time between two reloads")
    reload_includes: Iterable[str] | str | None = setting(
        default=None, group=RELOAD, option="--reload-include", takes="PATTERN",
        example="'*.html'",
        help="files to watch besides *.py, or a folder; may be repeated")
    reload_excludes: Iterable[str] | str | None = setting(
        default=None, group=RELOAD, option="--reload-exclude", takes="PATTERN",
        example="tests", help="files not to watch, or a folder; may be repeated")
    workers: int | str | None = setting(
        default=None, group=PROCESSES, takes="NUMBER|auto", aliases=("-w",),
        also=("WEB_CONCURRENCY",), example="auto",
        help="worker processes under a supervisor; auto: one per CPU")
    """None: this process serves, without a supervisor."""
    proxy_headers: bool = setting(
        default=True, group=PROXIES,
        help="use what trusted proxies report about clients")
    server_header: bool = setting(
        default=True, key="server_header", group=OUTPUT, aliases=("--no-server-name",),
        help="a Server header in every response")
    date_header: bool = setting(
        default=True, key="date_header", group=OUTPUT,
        help="a Date header in every response")
    forwarded_allow_ips: list[str] | str | None = setting(
        default=None, group=PROXIES, takes="ADDRESSES", also=("FORWARDED_ALLOW_IPS",),
        example="10.0.0.0/8,unix", shown=TRUSTED,
        help="trusted proxies, separated by commas; *: every peer")
    """Or "unix"; None: those of $FORWARDED_ALLOW_IPS, or TRUSTED."""
    root_path: str = setting(
        default="", key="root_path", group=APP, takes="PATH", example="/api",
        help="path at which a proxy mounts the application, as /api")
    limit_concurrency: int | None = setting(
        default=16384, unit="connections", low=1, high=1000000, key="connections",
        group=LIMIT, aliases=("--worker-connections",), example="1000",
        help="open connections")
    limit_max_requests: int | None = setting(
        default=None, low=1, high=_MANY, group=PROCESSES, takes="NUMBER",
        known_as="--max-requests", example="10000",
        help="number of requests after which a worker is replaced")
    limit_max_requests_jitter: int = setting(
        default=0, low=0, high=_MANY, group=PROCESSES, takes="NUMBER",
        known_as="--max-requests-jitter", example="1000",
        help="random number of further requests, up to this, for each worker")
    backlog: int = setting(
        default=2048, unit="connections", low=1, high=65535, group=LISTEN,
        takes="NUMBER", example="511",
        help="connections that may wait in the kernel to be accepted")
    timeout_keep_alive: float | None = setting(
        default=5, unit="s", low=0, high=_DAY, key="keep_alive_ms", group=TIMES,
        aliases=("--keep-alive",), example="75",
        help="time for the next request to begin; 0: one request per connection")
    timeout_notify: float = setting(
        default=30, unit="s", low=0, high=_YEAR)
    """Seconds between two calls of ``callback_notify``."""
    timeout_graceful_shutdown: float | None = setting(
        default=30, unit="s", low=0, high=_DAY, key="graceful_ms", group=TIMES,
        after="timeout_handshake", aliases=("--graceful-timeout",), example="8.5",
        help="time for running requests when the server stops")
    timeout_worker_healthcheck: float = setting(
        default=5, unit="s", low=0, high=_YEAR, group=UVICORN, example="30",
        help="has no effect; see --heartbeat")
    callback_notify: Callable[[], Awaitable[None]] | None = setting(
        default=None)
    """Awaited repeatedly while the server serves."""
    ssl_keyfile: tls.Paths = setting(
        default=None, group=TLS, after="ssl_certfile", takes="PATH",
        aliases=("--keyfile",), example="key.pem",
        help="PEM file of its key; may be repeated, once for each certificate")
    ssl_certfile: tls.Paths = setting(
        default=None, group=TLS, takes="PATH", aliases=("--certfile",),
        example="cert.pem",
        help="PEM file of a certificate and its chain; may be repeated")
    ssl_keyfile_password: str | None = setting(
        default=None, group=TLS, takes="TEXT", aliases=("--keyfile-password",),
        example="secret", help="password of the keys")
    ssl_version: int | str = setting(
        default="auto", group=TLS, takes="|".join(VERSIONS), example="TLSv1.3",
        help="version of TLS; auto: both")
    """Or a protocol of Python's ssl module."""
    ssl_cert_reqs: int | str = setting(
        default="none", group=TLS, takes="|".join(CERT_REQS),
        aliases=("--cert-reqs", "--verify-mode"), example="none",
        help="whether clients need a certificate")
    """Or its number."""
    ssl_ca_certs: str | os.PathLike[str] | None = setting(
        default=None, group=TLS, takes="PATH", aliases=("--ca-certs",),
        example="clients.pem",
        help="PEM file or folder of authorities for clients' certificates, or system")
    ssl_ciphers: str | None = setting(
        default=None, group=TLS, takes="NAMES", aliases=("--ciphers",),
        example="ECDHE+AESGCM", help="OpenSSL's names of ciphers, separated by colons")
    ssl_context_factory: Callable[..., Any] | None = setting(
        default=None)
    """Changes the ssl context that its second argument returns, and returns it."""
    headers: Iterable[tuple[str | bytes, str | bytes]] | None = setting(
        default=(), group=OUTPUT, option="--header", takes="NAME:VALUE",
        example="X-Frame-Options:DENY",
        help="a header for every response; may be repeated")
    """If these contain Date or Server, they replace the default fields."""
    factory: bool = setting(
        default=False, group=APP, help="call module:attribute to get the application")
    h11_max_incomplete_event_size: int | None = setting(
        default=None, unit="bytes", group=UVICORN, example="65536",
        help="the same as --limit-head")
    reset_contextvars: bool = setting(
        default=False, group=UVICORN,
        help="has no effect: requests never share a context")
    _: KW_ONLY
    bind: Iterable[str] | str = setting(
        default=(), group=LISTEN, after="port", takes="ADDRESS", known_as="-b",
        example="127.0.0.1:8080",
        help="host:port, unix:path, fd://number or systemd, instead; may be repeated")
    forwarded_fields: list[str] | str = setting(
        default="for,proto", group=PROXIES, takes="NAMES", example="for,proto,host",
        help="headers that proxies set: for, proto, host, port, prefix, forwarded")
    request_id: bool = setting(
        default=False, key="request_id", group=PROXIES,
        help="an X-Request-ID for each request and its response")
    app_dir: str | None = setting(
        default=None, group=APP, takes="FOLDER", example=".", shown=".",
        help="folder that modules are imported from first")
    h2c_upgrade: bool = setting(
        default=False, group=HTTP2,
        help="also accept HTTP/2 by Upgrade: h2c; not for use behind a proxy")
    ws_server_takeover: bool = setting(
        default=False, key="ws_server_takeover", group=WS,
        after="ws_per_message_deflate", takes="BOOLEAN", example="on",
        help="keep the compression window between messages sent")
    ws_client_takeover: bool = setting(
        default=False, key="ws_client_takeover", group=WS, after="ws_server_takeover",
        takes="BOOLEAN", example="on",
        help="keep the compression window between messages received")
    ssl_crl: str | os.PathLike[str] | None = setting(
        default=None, group=TLS, takes="PATH", example="revoked.pem",
        help="PEM file of revocation lists for clients' certificates")
    ssl_ocsp: tls.Paths = setting(
        default=None, group=TLS, takes="PATH", example="ocsp.der",
        help="DER file of an OCSP response to staple; may be repeated")
    ssl_session_timeout: int = setting(
        default=3600, unit="s", low=0, high=604800, group=TLS, example="600",
        help="time in which a session can be resumed; 0: no resumption")
    ssl_ticket_key: str | None = setting(
        default=None, group=TLS, takes="PATH", example="ticket.key",
        help="file of random bytes for session tickets, the same on many machines")
    ssl_watch: float = setting(
        default=10, unit="s", low=0, high=_YEAR, group=TLS, example="60",
        help="time between two checks whether these files changed; 0: never")
    ktls: str = setting(
        default="off", choices=KTLS, group=TLS, example="auto",
        help="let the kernel encrypt what is sent over TLS, if it can")
    redirect_http: int | None = setting(
        default=None, low=0, high=65535, group=TLS, takes="PORT", example="80",
        help="port where plain HTTP is redirected to https")
    """0 selects a free one."""
    hsts: int | str | None = setting(
        default=None, unit="s", group=TLS, example="31536000",
        help="Strict-Transport-Security in every response: seconds, or the value")
    threads: int = setting(
        default=1, low=1, high=WORKERS_MAX, group=PROCESSES, after="workers",
        takes="NUMBER", example="1",
        help="threads that serve in each process; more only without a GIL")
    preload: bool = setting(
        default=False, group=PROCESSES, after="threads",
        help="load the application once, and share its memory")
    pathsend: bool = setting(
        default=False, key="pathsend", group=APP,
        help="let applications send files by their path or descriptor")
    worker_lifetime: float = setting(
        default=0, unit="s", low=0, high=_YEAR, group=PROCESSES, example="86400",
        help="time after which a worker is replaced; 0: never")
    limit_rss: int = setting(
        default=0, unit="bytes", low=0, high=_MANY, group=PROCESSES,
        example="500000000", help="memory after which a worker is replaced; 0: never")
    keep_freed_memory: int = setting(
        default=64 << 20, unit="bytes", low=0, high=1 << 30, group=PROCESSES,
        example="0",
        help="freed memory that a process keeps for later; 0: the C library decides")
    gc_freeze: bool = setting(
        default=True, group=PROCESSES,
        help="exclude what the application imported from garbage collection")
    gc_adapt: bool = setting(
        default=True, group=PROCESSES,
        help="run full garbage collections less often while they find little")
    heartbeat: float = setting(
        default=0, unit="s", low=0, high=_YEAR, group=PROCESSES, aliases=("--timeout",),
        example="60",
        help="replace a worker whose loop is blocked for this long; 0: never")
    health_path: str = setting(
        default="", key="health_path", encoded=True, group=INSIDE, takes="PATH",
        example="/-/health",
        help="path that reports whether the server is ready, as /-/health")
    metrics_path: str = setting(
        default="", key="metrics_path", encoded=True, group=INSIDE, takes="PATH",
        example="/-/metrics", help="path of the metrics for Prometheus, as /-/metrics")
    status_path: str = setting(
        default="", key="status_path", encoded=True, group=INSIDE, takes="PATH",
        example="/-/status", help="path of the status page, as /-/status")
    warn_blocked: float = setting(
        default=1, unit="s", low=0, high=_YEAR, group=INSIDE, example="0.5",
        help="log what blocks the event loop for longer than this; 0: never")
    cache: int = setting(
        default=0, unit="bytes", low=0, high=1 << 40, group=CACHE, example="67108864",
        help="memory for stored responses, shared by all workers; 0: no cache")
    cache_max_entry: int = setting(
        default=_MIB, unit="bytes", low=1, high=1 << 30, key="cache_entry_bytes",
        group=CACHE, example="65536", help="largest response that is stored")
    cache_variants: int = setting(
        default=32, unit="responses", low=1, high=1024, key="cache_variants",
        group=CACHE, example="8", help="responses stored for one URI, because of Vary")
    cache_wait: float = setting(
        default=5, unit="s", low=0, high=_DAY, key="cache_wait_ms", group=CACHE,
        example="0", help="time to wait for another request for the same URI; 0: none")
    cache_paths: Iterable[str] | str | None = setting(
        default=(), group=CACHE, option="--cache-path", takes="/PATH=SECONDS",
        example="/api/=30", help="lifetime of responses that set none; may be repeated")
    cache_obey_clients: bool = setting(
        default=False, key="cache_obeys_clients", group=CACHE,
        help="obey Cache-Control of requests: clients can force misses")
    cache_status: bool = setting(
        default=True, key="cache_status", group=CACHE,
        help="add Cache-Status to responses that the cache has looked for")
    cache_purge_path: str = setting(
        default="", key="cache_purge_path", encoded=True, group=CACHE, takes="PATH",
        example="/-/cache", help="path of the endpoint that removes stored responses")
    cache_purge_token: str = setting(
        default="", key="cache_purge_token", encoded=True, group=CACHE, takes="TEXT",
        example="a-long-secret", help="bearer token that this endpoint requires")
    statsd: str | None = setting(
        default=None, group=INSIDE, takes="ADDRESS", example="127.0.0.1:8125",
        help="host:port of a statsd server that receives the metrics")
    statsd_prefix: str = setting(
        default="bolide", group=INSIDE, takes="NAME", example="shop",
        help="prefix of the names of those metrics")
    statsd_tags: str = setting(
        default="", group=INSIDE, takes="TAGS", example="env:prod,zone:a",
        help="tags of those metrics, name:value,... (dogstatsd)")
    statsd_interval: float = setting(
        default=10, unit="s", low=0, high=_YEAR, group=INSIDE, example="1",
        help="time between two reports")
    metrics_bind: str | None = setting(
        default=None, group=INSIDE, takes="ADDRESS", example="127.0.0.1:9100",
        help="separate address for health, metrics and status, as 127.0.0.1:9100")
    drain_delay: float = setting(
        default=0, unit="s", low=0, high=_YEAR, group=PROCESSES, example="5",
        help="time to continue serving after a signal to stop")
    user: str | None = setting(
        default=None, group=PROCESSES, takes="NAME", example="0",
        help="user that the application runs as")
    group: str | None = setting(
        default=None, group=PROCESSES, takes="NAME", aliases=("-g",), example="0",
        help="group that it runs as")
    umask: int | str | None = setting(
        default=None, group=PROCESSES, takes="OCTAL", aliases=("-m",), example="027",
        help="file mode creation mask")
    """A text is parsed as octal."""
    access_log_format: str = setting(
        default="common", group=OUTPUT, after="access_log", takes="FORMAT",
        aliases=("--access-logformat",), example="json",
        help="common, combined, json, or a text with %(atoms)s")
    access_log_file: str = setting(
        default="-", group=OUTPUT, after="access_log_format", takes="PATH",
        known_as="--access-logfile", example="access.log",
        help="destination of the access log: a path, syslog or journald")
    log_file: str = setting(
        default="-", group=OUTPUT, after="log_level", takes="PATH",
        known_as="--error-logfile", example="error.log",
        help="destination of the log: a path, syslog or journald")
    log_format: str = setting(
        default="text", choices=LOG_FORMATS, group=OUTPUT, after="log_file",
        example="json", help="json: one object per line")
    one_line_tracebacks: bool = setting(
        default=False, group=OUTPUT, after="log_format",
        help="log a traceback as one line")
    pid_file: str | None = setting(
        default=None, group=PROCESSES, takes="PATH", aliases=("--pid", "--pidfile"),
        example="/run/app.pid",
        help="file for the process ID while the server runs")
    limit_request_line: int | None = setting(
        default=16384, unit="bytes", low=256, high=_MIB, key="request_line_bytes",
        group=LIMIT, example="8192", help="method, target and version of a request")
    limit_head: int | None = setting(
        default=65536, unit="bytes", low=512, high=16 * _MIB, key="head_bytes",
        group=LIMIT, example="16384", help="request line and all headers of a request")
    limit_fields: int | None = setting(
        default=128, unit="fields", low=1, high=10000, key="fields", group=LIMIT,
        aliases=("--limit-request-fields",), example="100",
        help="number of headers of a request")
    limit_body: int | None = setting(
        default=0, unit="bytes", low=0, high=_MANY, key="body_bytes", group=LIMIT,
        example="10485760", help="body of a request; 0: no limit")
    limit_trailers: int | None = setting(
        default=8192, unit="bytes", low=0, high=_MIB, key="trailer_bytes", group=LIMIT,
        example="0", help="all trailers after a chunked body")
    limit_trailer_fields: int | None = setting(
        default=64, unit="fields", low=0, high=10000, key="trailer_fields", group=LIMIT,
        example="0", help="trailer lines after a chunked body")
    limit_chunk_overhead: int | None = setting(
        default=65536, unit="bytes", low=0, high=16 * _MIB, key="chunk_overhead_bytes",
        group=LIMIT, example="262144",
        help="chunk sizes, extensions and line ends that a chunked body may have in a "
        "second beyond as many bytes as it has data")
    limit_unread_body: int | None = setting(
        default=65536, unit="bytes", low=0, high=16 * _MIB, key="drain_bytes",
        group=LIMIT, example="0",
        help="unread body that is discarded after a response to keep the connection")
    limit_body_rate: int | None = setting(
        default=256, unit="bytes/s", low=0, high=1 << 30, key="body_rate", group=LIMIT,
        example="0",
        help="minimum rate of a request body; 0: no limit")
    limit_handshakes: int | None = setting(
        default=0, unit="connections/s", low=0, high=1000000, key="handshakes",
        group=LIMIT, example="200",
        help="new TLS connections per second and worker; 0: no limit")
    limit_access_log: int | None = setting(
        default=_MIB, unit="bytes", low=65536, high=1 << 30, key="access_log_bytes",
        group=LIMIT, example="65536",
        help="size of access log lines that wait to be written")
    ws_max_frame: int | None = setting(
        default=0, unit="bytes", low=0, high=1 << 30, key="ws_frame_bytes", group=WS,
        after="ws_max_size", aliases=("--websocket-max-frame-size",), example="65536",
        help="size of a WebSocket frame; 0: as a message")
    ws_max_fragments: int | None = setting(
        default=1024, unit="frames", low=0, high=1 << 30, key="ws_fragments", group=WS,
        after="ws_max_frame", example="100",
        help="frames of a message, and one more for each 16 bytes of it; 0: no limit")
    ws_max_controls: int | None = setting(
        default=1024, unit="frames", low=0, high=1 << 30, key="ws_controls", group=WS,
        after="ws_max_fragments", example="100",
        help="pings, pongs and closes of a WebSocket within a second; 0: no limit")
    ws_max_queue_bytes: int | None = setting(
        default=_MIB, unit="bytes", low=1, high=1 << 30, key="ws_queue_bytes", group=WS,
        after="ws_max_queue", example="65536",
        help="bytes of those messages before reading stops")
    ws_deflate_threshold: int | None = setting(
        default=256, unit="bytes", low=0, high=1 << 30,
        key="ws_deflate_threshold_bytes", group=WS, example="1024",
        help="smallest WebSocket message that is compressed")
    ws_deflate_level: int | None = setting(
        default=1, unit="level", low=1, high=9, key="ws_deflate_level", group=WS,
        example="6", help="zlib's compression level for WebSockets")
    ws_deflate_mem_level: int | None = setting(
        default=5, unit="level", low=1, high=9, key="ws_deflate_mem_level", group=WS,
        example="8", help="zlib's memory level for WebSockets")
    ws_deflate_server_bits: int | None = setting(
        default=12, unit="bits", low=9, high=15, key="ws_deflate_server_bits", group=WS,
        example="15", help="window for what is sent to a WebSocket")
    ws_deflate_client_bits: int | None = setting(
        default=12, unit="bits", low=9, high=15, key="ws_deflate_client_bits", group=WS,
        example="15",
        help="window for what is received, if the client allows a choice")
    timeout_head: float | None = setting(
        default=10, unit="s", low=0.05, high=_DAY, key="head_ms", group=TIMES,
        example="5", help="time for a request head, from its first byte to its last")
    timeout_body: float | None = setting(
        default=30, unit="s", low=0, high=_DAY, key="body_stall_ms", group=TIMES,
        aliases=("--read-timeout",), example="60",
        help="time to wait for the next byte of a request body; 0: no limit")
    timeout_send: float | None = setting(
        default=30, unit="s", low=0, high=_DAY, key="send_stall_ms", group=TIMES,
        example="60",
        help="time without the client accepting a byte; 0: no limit")
    timeout_linger: float | None = setting(
        default=2, unit="s", low=0.05, high=60, key="linger_ms", group=TIMES,
        example="1",
        help="time for the client to read the last response")
    timeout_queue: float | None = setting(
        default=0, unit="s", low=0, high=_DAY, key="queue_ms", group=TIMES,
        example="0.5",
        help="time for which a request may wait while more arrive than can be served; "
        "0: as long as clients wait")
    timeout_disconnect: float | None = setting(
        default=1, unit="s", low=0, high=_DAY, key="disconnect_ms", group=TIMES,
        example="5",
        help="time until a response that has begun is cancelled after its client has "
        "disconnected; 0: never")
    timeout_handshake: float | None = setting(
        default=10, unit="s", low=0.05, high=_DAY, key="handshake_ms", group=TIMES,
        example="5", help="time for a TLS handshake, from the start of the connection")
    ws_close_timeout: float | None = setting(
        default=10, unit="s", low=0.05, high=_DAY, key="ws_close_ms", group=WS,
        after="ws_ping_timeout", example="2",
        help="time for a WebSocket to reply to a close frame")
    compress: bool = setting(default=False, key="compress", group=COMPRESSION,
        help="compress responses, as far as each client accepts it")
    compress_codings: list[str] | str = setting(default="auto", group=COMPRESSION,
        takes="NAMES", example="zstd,gzip", help="codings, the preferred one first")
    compress_types: list[str] | str = setting(
        default="auto", group=COMPRESSION, takes="TYPES", example="'text/*'",
        help="compressed media types, separated by commas; * matches any text")
    compress_except: list[str] | str = setting(default="", group=COMPRESSION,
        takes="PATHS", example="/account,/login",
        help="paths, separated by commas; they and those below are not compressed")
    compress_min_size: int | None = setting(
        default=1024, unit="bytes", low=0, high=1 << 30, key="compress_min_bytes",
        group=COMPRESSION, example="256", help="shortest body that is compressed")
    compress_max_bodies: int | None = setting(
        default=128, unit="bodies", low=1, high=_MIB, key="compress_bodies",
        group=COMPRESSION, example="64", help="responses compressed at the same time")
    compress_zstd_level: int | None = setting(default=3, unit="level", low=1, high=9,
        key="compress_zstd_level", group=COMPRESSION, example="1", help="level of zstd")
    compress_br_level: int | None = setting(default=4, unit="level", low=0, high=6,
        key="compress_brotli_level", group=COMPRESSION, example="5",
        help="level of brotli")
    compress_gzip_level: int | None = setting(default=5, unit="level", low=1, high=9,
        key="compress_gzip_level", group=COMPRESSION, example="6", help="level of gzip")
    decompress: bool = setting(default=False, key="decompress", group=COMPRESSION,
        help="decompress bodies of requests that have a Content-Encoding")
    decompress_max_size: int | None = setting(
        default=64 * _MIB, unit="bytes", low=1, high=_MANY, key="decompress_bytes",
        group=COMPRESSION, example="1048576",
        help="size of a decompressed request body")
    decompress_max_ratio: int | None = setting(
        default=100, unit="times", low=1, high=_MIB, key="decompress_ratio",
        group=COMPRESSION, example="20",
        help="ratio of decompressed to received bytes, after the first MiB")
    decompress_max_bodies: int | None = setting(
        default=64, unit="bodies", low=1, high=_MIB, key="decompress_bodies",
        group=COMPRESSION, example="16", help="requests decompressed at the same time")
    static: Iterable[str] | str = setting(
        default=(), group=STATIC, takes="PREFIX=DIR", example="/static=public",
        help="serve the files of a directory below a path; may be repeated")
    static_index: str = setting(
        default="index.html", group=STATIC, takes="NAME", example="home.html",
        help="file that is sent for a directory; empty: none")
    static_fallback: str = setting(
        default="", group=STATIC, takes="PATH", example="index.html",
        help="file that browsers get when they open a page that has no file")
    static_missing: str = setting(
        default="app", choices=STATIC_MISSING, group=STATIC, example="404",
        help="if there is no file: call the application, or send a 404")
    static_cache_control: Iterable[tuple[str, str]] | None = setting(
        default=(), group=STATIC, takes="PATTERN:VALUE", example="hashed:immutable",
        help="Cache-Control of files whose path matches; may be repeated")
    static_types: str | None = setting(
        default=None, group=STATIC, takes="PATH", example="/etc/mime.types",
        help="file of media types, instead of the system's")
    limit_static_files: int | None = setting(
        default=16384, unit="files", low=1, high=1 << 20, key="static_entries_max",
        group=LIMIT, example="1024", help="static files that a worker keeps ready")
    limit_static_memory: int | None = setting(
        default=64 * _MIB, unit="bytes", low=0, high=1 << 40, key="static_bytes_max",
        group=LIMIT, example="16777216", help="contents of those files in memory")
    limits: InitVar[Mapping[str, float] | None] = None
    """Limits by name, in addition to keywords or instead of them."""

    def __post_init__(self, limits: Mapping[str, float] | None) -> None:
        """Check the settings."""
# fmt: on
