"""The limits of HTTP/2, a part of the table of settings."""

from __future__ import annotations

from bolide.config.groups import HTTP2
from bolide.config.setting import setting, table_part

_MIB = 1 << 20


# fmt: off
@table_part
class Http2Limits:
    """What one connection of HTTP/2 may have open, in flight and unsent."""

    h2_max_streams: int | None = setting(
        default=128, unit="streams", low=1, high=65536, key="h2_streams", group=HTTP2,
        aliases=("--http2-max-concurrent-streams",), example="32",
        help="open streams of an HTTP/2 connection")
    h2_window: int | None = setting(
        default=131072, unit="bytes", low=1, high=2147483647, key="h2_window_bytes",
        group=HTTP2, aliases=("--http2-initial-window-size",), example="1048576",
        help="size of a body of an HTTP/2 stream that the application has not received")
    h2_connection_window: int | None = setting(
        default=_MIB, unit="bytes", low=65535, high=2147483647,
        key="h2_connection_window_bytes", group=HTTP2, example="16777216",
        help="size of all bodies in flight on an HTTP/2 connection")
    h2_max_frame: int | None = setting(
        default=16384, unit="bytes", low=16384, high=16777215, key="h2_frame_bytes",
        group=HTTP2, aliases=("--http2-max-frame-size",), example="65536",
        help="largest payload of an HTTP/2 frame")
    h2_header_table: int | None = setting(
        default=4096, unit="bytes", low=0, high=_MIB, key="h2_table_bytes", group=HTTP2,
        example="0", help="table of headers that an HTTP/2 client may refer to")
    h2_max_resets: int | None = setting(
        default=400, unit="streams", low=0, high=_MIB, key="h2_resets", group=HTTP2,
        example="2000",
        help="streams that an HTTP/2 client may reset early; 0: no limit")
    h2_max_output: int | None = setting(
        default=_MIB, unit="bytes", low=65536, high=1 << 30, key="h2_output_bytes",
        group=HTTP2, example="8388608",
        help="size of responses that an HTTP/2 client has not accepted")
# fmt: on
