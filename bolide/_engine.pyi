from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Mapping
from typing import TypedDict, final, type_check_only

class LifespanError(RuntimeError): ...
class ClientDisconnected(OSError): ...
class TLSError(ValueError): ...

VERSION: str
COMPILER: str
OPTIMIZATION: str
BUILT_IN: bool
CODINGS: tuple[str, ...]
"""Codings by which responses can be compressed."""
TALLY_NAMES: tuple[str, ...]
TALLY_STATE: int
TALLY_BYTES: int
HISTORY_BYTES: int
HISTORY_DEATHS: int
EARLY_TICKETS_BYTES: int
"""Size of the memory for early data; 0: this build does not accept any."""
TALLY_BOUNDS: tuple[float, ...]

def simd() -> str: ...
def libraries() -> dict[str, str]: ...
def has_ktls() -> bool: ...
def has_http3() -> bool: ...
def can_steer_quic() -> bool: ...
def steer_quic(
    fd: int, secret: bytes, open: list[int], accepting: list[int], /
) -> None: ...
def keep_freed_memory(bytes: int, /) -> bool: ...
def adopt_orphans() -> None: ...
def log_datagram(form: str, severity: int, line: str, /) -> bytes: ...
def check_access_format(text: str, /) -> None: ...
def format_cache(memory: object, /) -> None: ...
def access_format(name: str, /) -> str: ...

@type_check_only
class TLSSettings(TypedDict):
    """The value of "tls", which ``reload_tls`` takes as well."""

    pairs: list[tuple[bytes, bytes | None, bytes | None]]
    """Files of a certificate, its key (None: the same file) and an OCSP response."""
    password: bytes | None
    ca: bytes | None
    """File or folder of authorities for clients' certificates."""
    crl: bytes | None
    ciphers: bytes | None
    version_min: int
    version_max: int
    """0x0303 is TLS 1.2, 0x0304 is TLS 1.3."""
    verify: int
    """0: clients show no certificate; 1: they may; 2: they have to."""
    ktls: bool
    quic: bool
    ticket_s: int
    """Seconds that a session can be resumed; 0: tickets are not issued."""
    ticket_secret: bytes
    """32 bytes that ticket keys are derived from."""
    alpn: list[bytes]

@type_check_only
class ServerSettings(TypedDict):
    """What the engine is given; ``Config.for_engine`` makes most of it.

    The keys that a setting has to itself are the ``key`` of its row in
    ``bolide.config.table``, with its unit, default and meaning: those are not repeated
    here, but for their types. A key that ends in "_ms" is in milliseconds.
    """

    # From rows of the table: numbers. src/http/limits.h and src/ws/session.h.
    ws_message_bytes: int
    ws_queue: int
    ws_ping_interval_ms: int
    ws_ping_timeout_ms: int
    connections: int
    keep_alive_ms: int
    graceful_ms: int
    cache_entry_bytes: int
    cache_variants: int
    cache_wait_ms: int
    request_line_bytes: int
    head_bytes: int
    fields: int
    body_bytes: int
    trailer_bytes: int
    trailer_fields: int
    chunk_overhead_bytes: int
    drain_bytes: int
    body_rate: int
    handshakes: int
    access_log_bytes: int
    ws_frame_bytes: int
    ws_fragments: int
    ws_controls: int
    ws_queue_bytes: int
    ws_deflate_threshold_bytes: int
    ws_deflate_level: int
    ws_deflate_mem_level: int
    ws_deflate_server_bits: int
    ws_deflate_client_bits: int
    head_ms: int
    body_stall_ms: int
    send_stall_ms: int
    linger_ms: int
    queue_ms: int
    disconnect_ms: int
    handshake_ms: int
    ws_close_ms: int
    compress_min_bytes: int
    compress_bodies: int
    compress_zstd_level: int
    compress_brotli_level: int
    compress_gzip_level: int
    decompress_bytes: int
    decompress_ratio: int
    decompress_bodies: int
    static_entries_max: int
    static_bytes_max: int
    h2_streams: int
    h2_window_bytes: int
    h2_connection_window_bytes: int
    h2_frame_bytes: int
    h2_table_bytes: int
    h2_resets: int
    h2_output_bytes: int
    h3_streams: int
    h3_window_bytes: int
    h3_connection_window_bytes: int
    h3_send_bytes: int
    h3_resets: int
    h3_memory_bytes: int
    h3_idle_ms: int
    h3_retry_from: int
    wt_sessions: int
    wt_streams: int
    wt_datagrams: int

    # From rows of the table: others.
    ws_deflate: bool
    lifespan: str
    server_header: bool
    date_header: bool
    root_path: str
    request_id: bool
    webtransport: bool
    ws_server_takeover: bool
    ws_client_takeover: bool
    compress: bool
    decompress: bool
    pathsend: bool
    health_path: bytes
    metrics_path: bytes
    status_path: bytes
    cache_obeys_clients: bool
    cache_status: bool
    cache_purge_path: bytes
    cache_purge_token: bytes

    # From several settings.
    compress_codings: bytes
    """Names in the order of preference, with commas between."""
    compress_types: bytes
    """Media types with commas between, in which a "*" is any text."""
    compress_except: bytes
    """Paths with commas between, which are not compressed with all below them."""
    headers: list[tuple[bytes, bytes]]
    """Fields of every response, their names in lower case."""
    trusted_proxies: str
    """Addresses, networks, "unix" and "*", with commas between."""
    forwarded_fields: int
    """Fields that are believed: bits of enum forwarded_field, src/http/forwarded.h."""
    hides_forwarded: bool
    """Whether fields that are not believed are kept from applications."""
    static: tuple[tuple[bytes, bytes], ...]
    """Prefixes and directories of static files, the longest prefix first."""
    static_cache_control: tuple[tuple[bytes, bytes], ...]
    """Patterns of their paths, and values of Cache-Control."""
    static_index: bytes
    static_fallback: bytes
    static_types: bytes
    """The text of a mime.types file."""
    static_last: bool
    """Whether a path without a file gets a 404, not the application."""
    tls: TLSSettings | None
    h2: int
    """0: no HTTP/2; 1: by ALPN and prior knowledge; 2: by Upgrade as well."""
    ws: bool
    """Whether WebSocket handshakes are accepted."""

    # From the server.
    access_log: tuple[str, int, str | None, str, bool] | None
    """Kind ("stream", "file", "syslog", "journal"), descriptor, path, format and
    colours; None: there is no access log. ``log_to`` replaces it."""
    log: Callable[[int, str], object]
    """Logs a line at a level of ``logging``."""
    log_exception: Callable[[str, BaseException], object]
    max_requests: int
    """Requests after which ``on_full`` is called; 0: never."""
    on_full: Callable[[], object] | None
    last_call_ms: int
    """How long connections may bring one more request in ``retire``."""
    seat: int
    """This process's place in the memory that workers share."""
    quic_seat: int
    """Which of the UDP sockets of a port this process has; connection IDs name it."""
    quic_secret: bytes
    """From which workers derive what they share for QUIC; empty: that of "tls"."""
    quic_congestion: int
    """Index into ``CONGESTION`` of bolide/config/choices.py."""
    quic_qlog: bytes
    """The folder of QUIC's qlog files; empty: there are none."""
    balance: object
    """A writable buffer of 64 bytes for each seat, or None; src/server/balance.h."""
    tallies: object
    """A writable buffer of TALLY_BYTES for each seat, or None; src/http/tally.h."""
    history: object
    """A writable buffer of HISTORY_BYTES, or None."""
    cache: object
    """A writable buffer that was given to format_cache(), or None."""
    early_tickets: object
    """A writable buffer of EARLY_TICKETS_BYTES that begins with random bytes, or None:
    early data is not accepted; src/py/early.h.
    """
    cache_paths: bytes
    """Lines of a lifetime in seconds, a space, and the beginning of paths."""
    status_page: bytes
    """The page at status_path; empty: there is none."""
    status_about: bytes
    """JSON about this server for the status page."""
    build_labels: bytes
    """Labels of the metric about this build."""
    watch_fd: int
    """An eventfd of the thread that watches for a blocked loop; -1: none."""

@final
class Server:
    def __init__(
        self,
        app: object,
        loop: AbstractEventLoop,
        config: ServerSettings | Mapping[str, object],
    ) -> None: ...
    def startup(self) -> Awaitable[None]: ...
    def log_to(self, access_log: object, /) -> None: ...
    def start(self, listeners: list[tuple[int, int]], /) -> None: ...
    def retire(self) -> Awaitable[None]: ...
    def stop(self) -> Awaitable[None]: ...
    def shutdown(self) -> Awaitable[None]: ...
    def reload_tls(self, settings: TLSSettings | Mapping[str, object], /) -> None: ...
    def leave(self) -> None: ...
    def disown(self) -> None: ...
    def close(self) -> None: ...
    def reopen_log(self) -> None: ...
    restarts: bool
    @property
    def connections(self) -> int: ...
    @property
    def has_ready(self) -> bool: ...
    @property
    def log_dropped(self) -> int: ...
    @property
    def requests(self) -> int: ...
