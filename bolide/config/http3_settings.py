"""The settings of HTTP/3, a part of the table."""

from __future__ import annotations

from bolide.config.choices import CONGESTION
from bolide.config.groups import HTTP3
from bolide.config.setting import setting, table_part

_MIB = 1 << 20
_DAY = 86400


# fmt: off
@table_part
class Http3Settings:
    """Whether HTTP/3 is served, how it is announced, and its limits."""

    http3: bool | str = setting(
        default=False, choices=("auto",), takes="", group=HTTP3, example="auto",
        help="HTTP/3 over QUIC, on the UDP ports with the numbers of the TLS ports; "
        "auto: if there is a certificate, and the build and the system can")
    alt_svc: int = setting(
        default=86400, unit="s", low=0, high=31536000, group=HTTP3, example="0",
        help="how long clients remember from a response over TCP that there is HTTP/3; "
        "0: it is not announced")
    h3_max_streams: int | None = setting(
        default=128, unit="streams", low=1, high=65536, key="h3_streams", group=HTTP3,
        example="32", help="open requests of an HTTP/3 connection")
    h3_window: int | None = setting(
        default=131072, unit="bytes", low=1, high=2147483647, key="h3_window_bytes",
        group=HTTP3, example="1048576",
        help="body of an HTTP/3 stream that is not received yet")
    h3_connection_window: int | None = setting(
        default=_MIB, unit="bytes", low=65535, high=2147483647,
        key="h3_connection_window_bytes", group=HTTP3, example="16777216",
        help="bodies in flight on an HTTP/3 connection")
    h3_send_window: int | None = setting(
        default=2 * _MIB, unit="bytes", low=65536, high=1 << 30, key="h3_send_bytes",
        group=HTTP3, example="8388608",
        help="responses in flight that an HTTP/3 client has not acknowledged")
    h3_max_resets: int | None = setting(
        default=400, unit="streams", low=0, high=_MIB, key="h3_resets", group=HTTP3,
        example="2000",
        help="streams of an HTTP/3 connection that may be reset at once before their "
        "response has been sent; a quarter of it is restored each second; 0: no limit")
    h3_max_memory: int | None = setting(
        default=4 * _MIB, unit="bytes", low=65536, high=1 << 30, key="h3_memory_bytes",
        group=HTTP3, example="16777216",
        help="memory for the packets and streams of an HTTP/3 connection, beyond its "
        "windows")
    h3_idle: float | None = setting(
        default=30, unit="s", low=1, high=_DAY, key="h3_idle_ms", group=HTTP3,
        example="60", help="time without a packet from an HTTP/3 client")
    h3_retry_from: int | None = setting(
        default=256, unit="handshakes", low=0, high=1 << 24, key="h3_retry_from",
        group=HTTP3, example="0",
        help="incomplete handshakes of a worker from which HTTP/3 clients must prove "
        "their address first")
    h3_early_data: bool = setting(
        default=False, group=HTTP3,
        help="accept early data (0-RTT) of HTTP/3 clients that return: GET, HEAD and "
        "OPTIONS requests in it run before the handshake is complete")
    h3_congestion: str = setting(
        default="cubic", choices=CONGESTION, group=HTTP3, example="bbr",
        help="congestion control of HTTP/3")
    h3_qlog: str | None = setting(
        default=None, group=HTTP3, takes="DIR", example="/tmp/qlog",
        help="write a qlog file for each HTTP/3 connection, for debugging")
    webtransport: bool = setting(
        default=False, key="webtransport", group=HTTP3,
        help="WebTransport over HTTP/3, for applications that know its scope")
    wt_max_sessions: int | None = setting(
        default=16, unit="sessions", low=1, high=65536, key="wt_sessions", group=HTTP3,
        example="4", help="open WebTransport sessions of a connection")
    wt_max_streams: int | None = setting(
        default=128, unit="streams", low=1, high=65536, key="wt_streams", group=HTTP3,
        example="32", help="unidirectional streams that a client may have open for "
        "WebTransport; bidirectional ones count as requests")
    wt_max_datagrams: int | None = setting(
        default=64, unit="datagrams", low=1, high=65536, key="wt_datagrams",
        group=HTTP3, example="256",
        help="WebTransport datagrams of a session that wait, in each direction")
# fmt: on
