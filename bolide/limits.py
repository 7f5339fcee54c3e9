"""What a peer can reach: every limit with its unit, default and range."""

from __future__ import annotations

from typing import Any, NamedTuple

from bolide.errors import ConfigError


class Limit(NamedTuple):
    """One limit; docs/LIMITS.md tells what happens when it is reached."""

    name: str
    """The field of Config; the option is the same with dashes."""
    key: str
    """The engine's name, as in src/http/limits.h."""
    unit: str
    """What Config counts: "bytes", "s", ... The engine counts "s" in milliseconds."""
    default: float
    lowest: float
    highest: float
    meaning: str
    """What is limited, for the help text."""

    @property
    def is_time(self) -> bool:
        """Whether the limit is a time."""
        return self.unit == "s"

    def check(self, value: Any) -> float:
        """Return ``value``, a number or its text, as a number of ``unit``.

        Raises ConfigError when it is none, or out of range.
        """
        kind = "a number" if self.is_time else "a whole number"
        try:
            number: float = float(value) if self.is_time else int(value)
            if isinstance(value, bool) or (not self.is_time and value != number):
                number = int(str(value))
        except (TypeError, ValueError, OverflowError):
            raise ConfigError(self.name, f"takes {kind}, not {value!r}") from None
        if not self.lowest <= number <= self.highest:
            reach = f"{self.lowest} to {self.highest} {self.unit}"
            raise ConfigError(self.name, f"takes {reach}, not {value}")
        return number

    def for_engine(self, number: float) -> int:
        """Return a checked number as the engine counts it; above 0 it stays above."""
        if not self.is_time:
            return int(number)
        return max(round(number * 1000), int(number > 0))


_MIB = 1 << 20
_DAY = 86400

LIMITS = (
    Limit("limit_concurrency", "connections", "connections", 16384, 1, 1_000_000,
          "open connections"),
    Limit("limit_request_line", "request_line_bytes", "bytes", 16384, 256, _MIB,
          "method, target and version of a request"),
    Limit("limit_head", "head_bytes", "bytes", 65536, 512, 16 * _MIB,
          "request line and all fields of a request"),
    Limit("limit_fields", "fields", "fields", 128, 1, 10_000,
          "field lines of a request"),
    Limit("limit_body", "body_bytes", "bytes", 0, 0, 1 << 62,
          "body of a request; 0: no limit"),
    Limit("limit_trailers", "trailer_bytes", "bytes", 8192, 0, _MIB,
          "all trailers behind a chunked body"),
    Limit("limit_trailer_fields", "trailer_fields", "fields", 64, 0, 10000,
          "trailer lines behind a chunked body"),
    Limit("limit_chunk_overhead", "chunk_overhead_bytes", "bytes", 65536, 0, 16 * _MIB,
          "chunk sizes, extensions and line ends that a chunked body may have in a "
          "second beyond as many bytes as it has data"),
    Limit("limit_unread_body", "drain_bytes", "bytes", 65536, 0, 16 * _MIB,
          "unread body that is discarded after a response to keep the connection"),
    Limit("limit_body_rate", "body_rate", "bytes/s", 256, 0, 1 << 30,
          "bytes per second that a body has to bring at least; 0: no limit"),
    Limit("limit_handshakes", "handshakes", "connections/s", 0, 0, 1_000_000,
          "new TLS connections a second, of each worker; 0: no limit"),
    Limit("limit_access_log", "access_log_bytes", "bytes", _MIB, 65536, 1 << 30,
          "lines of the access log that wait to be written"),
    Limit("ws_max_size", "ws_message_bytes", "bytes", 16 * _MIB, 1, 1 << 30,
          "message of a WebSocket, decompressed"),
    Limit("ws_max_frame", "ws_frame_bytes", "bytes", 0, 0, 1 << 30,
          "frame of a WebSocket; 0: as a message"),
    Limit("ws_max_fragments", "ws_fragments", "frames", 1024, 0, 1 << 30,
          "frames of a message, and one more for each 16 bytes of it; 0: no limit"),
    Limit("ws_max_controls", "ws_controls", "frames", 1024, 0, 1 << 30,
          "pings, pongs and closes of a WebSocket within a second; 0: no limit"),
    Limit("ws_max_queue", "ws_queue", "messages", 32, 1, 1 << 20,
          "messages of a WebSocket that wait for receive() before reading stops"),
    Limit("ws_max_queue_bytes", "ws_queue_bytes", "bytes", _MIB, 1, 1 << 30,
          "their bytes before reading stops"),
    Limit("ws_deflate_threshold", "ws_deflate_threshold_bytes", "bytes", 256, 0,
          1 << 30, "message of a WebSocket from which on it is compressed"),
    Limit("ws_deflate_level", "ws_deflate_level", "level", 1, 1, 9,
          "zlib's compression level for WebSockets"),
    Limit("ws_deflate_mem_level", "ws_deflate_mem_level", "level", 5, 1, 9,
          "zlib's memory level for WebSockets"),
    Limit("ws_deflate_server_bits", "ws_deflate_server_bits", "bits", 12, 9, 15,
          "window for what is sent to a WebSocket"),
    Limit("ws_deflate_client_bits", "ws_deflate_client_bits", "bits", 12, 9, 15,
          "window for what comes from one, where the client lets us choose"),
    Limit("h2_max_streams", "h2_streams", "streams", 128, 1, 65536,
          "streams of an HTTP/2 connection that are open at once"),
    Limit("h2_window", "h2_window_bytes", "bytes", 131072, 1, (1 << 31) - 1,
          "body of an HTTP/2 stream that nobody has asked for yet"),
    Limit("h2_connection_window", "h2_connection_window_bytes", "bytes", _MIB, 65535,
          (1 << 31) - 1, "bodies on their way on an HTTP/2 connection"),
    Limit("h2_max_frame", "h2_frame_bytes", "bytes", 16384, 16384, (1 << 24) - 1,
          "payload of a frame of HTTP/2"),
    Limit("h2_header_table", "h2_table_bytes", "bytes", 4096, 0, _MIB,
          "fields that an HTTP/2 client may refer to"),
    Limit("h2_max_resets", "h2_resets", "streams", 400, 0, _MIB,
          "streams that an HTTP/2 client may reset early at once; 0: no limit"),
    Limit("h2_max_output", "h2_output_bytes", "bytes", _MIB, 65536, 1 << 30,
          "responses that an HTTP/2 client has not taken yet"),
    Limit("timeout_head", "head_ms", "s", 10, 0.05, _DAY,
          "for a request's head, from its first byte to its last"),
    Limit("timeout_keep_alive", "keep_alive_ms", "s", 5, 0, _DAY,
          "for the next request to begin; 0: one request a connection"),
    Limit("timeout_body", "body_stall_ms", "s", 30, 0, _DAY,
          "without a byte of a body that is waited for; 0: no limit"),
    Limit("timeout_send", "send_stall_ms", "s", 30, 0, _DAY,
          "without the peer taking a byte of an answer; 0: no limit"),
    Limit("timeout_linger", "linger_ms", "s", 2, 0.05, 60,
          "for the peer to read a last answer before the connection is closed"),
    Limit("timeout_queue", "queue_ms", "s", 0, 0, _DAY,
          "for a request to wait for its turn while more come than can be served; 0: as"
          " long as clients wait"),
    Limit("timeout_disconnect", "disconnect_ms", "s", 1, 0, _DAY,
          "for an application to end a response that has begun after its client has "
          "left, before it is cancelled; 0: no limit"),
    Limit("timeout_handshake", "handshake_ms", "s", 10, 0.05, _DAY,
          "for a TLS handshake, from the connection on"),
    Limit("ws_ping_interval", "ws_ping_interval_ms", "s", 20, 0, _DAY,
          "without a byte from a WebSocket before it is pinged; 0: no pings"),
    Limit("ws_ping_timeout", "ws_ping_timeout_ms", "s", 20, 0, _DAY,
          "for any byte behind a ping; 0: no limit"),
    Limit("ws_close_timeout", "ws_close_ms", "s", 10, 0.05, _DAY,
          "for a WebSocket to answer our close frame"),
    Limit("timeout_graceful_shutdown", "graceful_ms", "s", 30, 0, _DAY,
          "for running requests when the server stops"),
)  # fmt: skip
"""All limits, in the order of the help text."""
