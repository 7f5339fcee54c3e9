"""Frames of HTTP/2 as bytes."""

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 5, 6, 7, 8, 9
PRIORITY_UPDATE = 0x10
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
NO_ERROR, PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED = 0, 1, 3, 5
REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 7, 8, 11

GET = bytes.fromhex("828684410161")
"""GET http://a/, compressed without the dynamic table."""

POST = bytes.fromhex("838684410161")


def frame(kind, flags, stream, payload=b""):
    """Return a frame."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + payload


def headers(stream, block=GET, flags=END_STREAM | END_HEADERS):
    """Return HEADERS."""
    return frame(HEADERS, flags, stream, block)


def settings(*pairs):
    """Return SETTINGS."""
    payload = b"".join(n.to_bytes(2, "big") + v.to_bytes(4, "big") for n, v in pairs)
    return frame(SETTINGS, 0, 0, payload)


def window_update(stream, increment):
    """Return WINDOW_UPDATE."""
    return frame(WINDOW_UPDATE, 0, stream, increment.to_bytes(4, "big"))


def rst_stream(stream, code=CANCEL):
    """Return RST_STREAM."""
    return frame(RST_STREAM, 0, stream, code.to_bytes(4, "big"))
