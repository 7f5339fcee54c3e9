"""The kinds of exchanges that failing_calls.py serves: an application, a client of it,
and settings of the server.
"""

import os

import failing_applications as apps
from failing_clients import (
    ALL_FILES,
    CHUNKED,
    CLOSING,
    DEFLATE,
    ECHOED,
    FILES,
    GZIPPED,
    MESSAGES,
    PROTOCOLS,
    PROXIED,
    THRICE,
    Client,
    Client2,
    fields2,
    get,
)
from serving import request
from socketing import CLOSE, TEXT, close_payload, frame, handshake

from bolide import _engine

try:
    import failing_quic as quic
    import failing_sessions as sessions
except ImportError:  # aioquic is not installed
    quic = None

KINDS = {
    "hello": (apps.hello, get(), {}),
    "head": (apps.hello, get(method="HEAD"), {}),
    "old": (apps.hello, Client(request(version="1.0")), {}),
    "stream": (apps.stream, get(), {}),
    "post": (apps.echo, get(method="POST", body=ECHOED), {}),
    "chunked": (apps.echo, Client(CHUNKED), {}),
    "pipelined": (apps.hello, Client(request() * 3 + request(fields=CLOSING)), {}),
    "fails": (apps.fails, get(), {}),
    "raises": (apps.raises, get(), {}),
    "returns": (apps.returns, get(), {}),
    "wrong": (apps.wrong, get(), {}),
    "refused": (apps.hello, Client(b"GET / HTTP/1.1\r\nBad Field: x\r\n\r\n"), {}),
    "leaves": (apps.waits, Client(request(), leaves_after=b"x\r\n"), {}),
    "file": (apps.sends_file, get(), {}),
    "path": (apps.sends_path, get(), {}),
    "trailers": (apps.trailers, get(fields="TE: trailers\r\n"), {}),
    "proxied": (
        apps.hello,
        get(fields=PROXIED),
        {"forwarded_allow_ips": "127.0.0.1,5.6.7.8", "proxy_headers": True},
    ),
    "logged": (
        apps.hello,
        get(),
        {"access_log": True, "access_log_file": os.devnull},
    ),
    "health": (
        apps.hello,
        Client(request("/health", CLOSING)),
        {"health_path": "/health"},
    ),
    "metrics": (
        apps.hello,
        Client(request("/metrics", CLOSING)),
        {"metrics_path": "/metrics"},
    ),
    "files": (apps.hello, ALL_FILES, FILES),
    "cached": (apps.expires, THRICE, {"cache": 1 << 20, "cache_status": True}),
    "revalidated": (apps.validates, THRICE, {"cache": 1 << 20}),
    "compressed": (
        apps.stream,
        get(fields="Accept-Encoding: gzip\r\n"),
        {"compress": True},
    ),
    "decompressed": (
        apps.echo,
        get(fields="Content-Encoding: gzip\r\n", method="POST", body=GZIPPED),
        {"decompress": True},
    ),
    "status": (
        apps.hello,
        Client(request("/status", CLOSING)),
        {"status_path": "/status"},
    ),
    "events": (
        apps.hello,
        Client(request("/status/events"), leaves_after=b"data: "),
        {"status_path": "/status"},
    ),
    "websocket": (apps.websocket, Client(handshake() + MESSAGES), {}),
    "deflated": (apps.websocket, Client(handshake(fields=DEFLATE) + MESSAGES), {}),
    "websocket-closes": (
        apps.websocket_closes,
        Client(handshake(fields=PROTOCOLS) + frame(CLOSE, close_payload(3000))),
        {},
    ),
    "websocket-refused": (apps.websocket_refuses, Client(handshake()), {}),
    "websocket-returns": (apps.websocket_returns, Client(handshake()), {}),
    "websocket-leaves": (
        apps.websocket,
        Client(handshake() + frame(TEXT, b"hello"), leaves_after=b"hello"),
        {},
    ),
    "h2": (apps.hello, Client2((fields2(), None), (fields2("PUT"), None)), {}),
    "h2-stream": (apps.stream, Client2((fields2(), None)), {}),
    "h2-post": (apps.echo, Client2((fields2("POST"), ECHOED)), {}),
    "h2-fails": (apps.fails, Client2((fields2(), None)), {}),
    "h2-file": (apps.sends_path, Client2((fields2(), None)), {}),
    "h2-trailers": (apps.trailers, Client2((fields2(te="trailers"), None)), {}),
    "tls": (apps.hello, get(alpn="http/1.1"), {}),
    "h2-tls": (apps.stream, Client2((fields2(), None), alpn="h2"), {}),
    "start": (apps.lifespan, get(), {"lifespan": "on"}),
    "start-tls": (apps.lifespan, get(alpn="http/1.1"), {"lifespan": "on"}),
    "start-failed": (apps.lifespan_fails, get(), {"lifespan": "on"}),
    "start-raises": (apps.lifespan_raises, get(), {"lifespan": "auto"}),
    "start-early": (apps.lifespan_returns, get(), {"lifespan": "on"}),
    "start-files": (apps.hello, ALL_FILES, FILES),
    "start-cached": (
        apps.validates,
        THRICE,
        {"cache": 1 << 20, "cache_paths": ["/a=60"], "cache_status": True},
    ),
    "start-all": (
        apps.hello,
        get(),
        {
            "access_log": True,
            "access_log_file": os.devnull,
            "cache": 1 << 20,
            "compress": True,
            "decompress": True,
            "headers": [("x-a", "b")],
            "health_path": "/health",
            "metrics_path": "/metrics",
            "status_path": "/status",
        },
    ),
}


def over_quic():
    """Return the kinds of HTTP/3 and of WebTransport."""
    get3, put3 = ({"path": "/a?b=c"}, None), ({"method": "PUT"}, None)
    trailed3 = ({"fields": [(b"te", b"trailers")]}, None)
    posts = ({"method": "POST"}, ECHOED), ({"method": "POST"}, b"short")
    kinds = {
        "h3": (apps.hello, quic.Client3(quic.asks(get3, put3), is_new=True), {}),
        "h3-stream": (apps.stream, quic.Client3(quic.asks(get3)), {}),
        "h3-post": (apps.echo, quic.Client3(quic.asks(*posts)), {}),
        "h3-fails": (apps.fails, quic.Client3(quic.asks(get3)), {}),
        "h3-file": (apps.sends_path, quic.Client3(quic.asks(get3)), {}),
        "h3-trailers": (apps.trailers, quic.Client3(quic.asks(trailed3)), {}),
        "start-h3": (apps.lifespan, quic.Nobody(), {"lifespan": "on"}),
    }
    for kind in kinds.values():
        kind[2]["http3"] = True
    wt = {"http3": True, "webtransport": True, "wt_max_datagrams": 2}
    for name, app, script in (
        ("wt", sessions.echoes, quic.talks),
        ("wt-cuts", sessions.cuts, quic.cuts),
        ("wt-fills", sessions.fills, quic.reads),
        ("wt-refuses", sessions.refuses, quic.stays),
        ("wt-returns", sessions.returns, quic.stays),
        ("wt-raises", sessions.raises, quic.reads),
        ("wt-returns-early", sessions.returns_early, quic.stays),
        ("wt-raises-early", sessions.raises_early, quic.stays),
        ("wt-wrong", sessions.wrong, quic.stays),
        ("wt-waits", sessions.waits, quic.leaves),
        ("wt-late", sessions.is_late, quic.leaves),
    ):
        kinds[name] = (app, quic.Client3(script), wt)
    return kinds


if quic is not None and _engine.has_http3():
    KINDS |= over_quic()
