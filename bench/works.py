"""The measured kinds of work, and bolide's target for each."""

from dataclasses import dataclass
from pathlib import Path

LUA = Path(__file__).parent / "lua"


@dataclass(frozen=True)
class Work:
    """One kind of load."""

    name: str
    app: str
    connections: int = 64
    path: str = "/"
    script: Path | None = None
    arguments: tuple[str, ...] = ()
    target: float = 0.0
    """Requests per second as a multiple of the best Python peer's."""
    has_nginx: bool = False
    load: tuple[str, ...] = ()
    """One of our own clients (bench/c), and its arguments after port, connections
    and seconds; empty: wrk.
    """
    streams: int = 0
    """Over HTTP/2, with h2load: streams per connection; 0: not over HTTP/2."""
    tls: bool = False
    http3: bool = False
    """Over HTTP/3, with the h2load of ``make http3-tools``; with ``tls``."""
    requests: int = 0
    """So many of them are sent by h2load; 0: as many as there is time for."""
    options: tuple[str, ...] = ()
    """What bolide is started with."""
    is_cached: bool = False
    """nginx is a proxy with a cache before another nginx."""
    file_bytes: int = 0
    """Size of the file at the path, which the servers send without the application
    (of those with HTTP/3, only nginx); 0: none.
    """
    is_coded: bool = False
    """The response is compressed by the server; granian and peregrine cannot."""
    seconds: int = 0
    """The duration of each load; 0: as the command says."""
    nginx_target: float = 0.0
    """The maximum CPU time per request, as a multiple of nginx's."""


WORKS = {
    "hello": Work(
        "GET hello, 64 connections",
        "hello",
        target=1.3,
        has_nginx=True,
        nginx_target=1.1,
    ),
    "browser": Work(
        "the same with a browser's 12 fields",
        "hello",
        script=LUA / "browser.lua",
        target=1.3,
        has_nginx=True,
    ),
    "pipeline": Work(
        "16-deep pipelining",
        "hello",
        script=LUA / "pipeline.lua",
        target=3.0,
        has_nginx=True,
    ),
    "cached": Work(
        "GET hello from the cache",
        "cached",
        options=("--cache", "4194304"),
        has_nginx=True,
        is_cached=True,
        nginx_target=1.2,
    ),
    "static1k": Work(
        "static file of 1 KiB",
        "hello",
        path="/static/file.bin",
        file_bytes=1024,
        has_nginx=True,
        nginx_target=1.1,
    ),
    "static1m": Work(
        "static file of 1 MiB",
        "hello",
        connections=8,
        load=("big_load", "plain", "0", "/static/file.bin"),
        file_bytes=1 << 20,
        has_nginx=True,
        nginx_target=1.1,
    ),
    "json": Work(
        "20 KiB of JSON, compressed by gzip at level 5",
        "rows",
        script=LUA / "gzip.lua",
        options=("--compress", "--compress-codings", "gzip"),
        has_nginx=True,
        is_coded=True,
    ),
    "post1k": Work(
        "POST 1 KiB echo",
        "echo",
        script=LUA / "post.lua",
        arguments=("1024",),
        target=1.4,
    ),
    "post64k": Work(
        "POST 64 KiB echo",
        "echo",
        connections=16,
        load=("big_load", "plain", "65536"),
        target=1.4,
    ),
    "big": Work(
        "1 MiB answer, one message",
        "big",
        connections=8,
        load=("big_load", "plain"),
        target=1.1,
    ),
    "upload": Work(
        "POST 10 MiB, counted",
        "count",
        connections=16,
        script=LUA / "post.lua",
        arguments=("10485760",),
        target=1.2,
    ),
    "stream": Work("16 chunks of 4 KiB", "stream", target=1.4),
    "stream64k": Work(
        "16 chunks of 64 KiB",
        "stream64k",
        connections=16,
        target=1.1,
        load=("big_load", "plain"),
    ),
    "events": Work(
        "an event of 100 bytes each second to 1,000 clients",
        "events",
        connections=1000,
        load=("event_load",),
        seconds=6,
    ),
    "sleep": Work("sleep(0), 256 connections", "sleepy", connections=256, target=1.15),
    "sleep10": Work("10 ms, 512 connections", "sleep10", connections=512, target=1.15),
    "fastapi": Work("FastAPI JSON route", "fast", path="/items/7", target=1.15),
    "fastbody": Work(
        "FastAPI, 1 KiB of JSON validated by pydantic",
        "fast",
        path="/orders",
        script=LUA / "order.lua",
        target=1.15,
    ),
    "fastthread": Work(
        "FastAPI JSON route in a thread", "fast", path="/threads/7", target=1.15
    ),
    "template": Work(
        "Starlette, a page of 20 KiB from a template",
        "stars",
        path="/page",
        target=1.15,
    ),
    "form": Work(
        "Starlette, upload of 1 MiB from a form",
        "stars",
        connections=16,
        path="/upload",
        script=LUA / "form.lua",
        arguments=("1048576",),
        target=1.1,
    ),
    "file": Work(
        "Starlette, FileResponse of 1 MiB",
        "stars",
        connections=16,
        load=("big_load", "plain", "0", "/file"),
        target=1.5,
        options=("--pathsend",),
    ),
    "django": Work("Django JSON view", "django", path="/items/7", target=1.15),
    "litestar": Work("Litestar JSON route", "litestar", path="/items/7", target=1.15),
    "h2c": Work(
        "HTTP/2 without TLS, 16 connections x 16 streams",
        "hello",
        connections=16,
        streams=16,
        target=3.0,
        has_nginx=True,
        nginx_target=0.75,
    ),
    "h2": Work(
        "HTTP/2 over TLS, 16 connections x 16 streams",
        "hello",
        connections=16,
        streams=16,
        tls=True,
        target=2.5,
        has_nginx=True,
        nginx_target=0.75,
    ),
    "tls": Work(
        "GET hello over TLS, 64 connections",
        "hello",
        tls=True,
        target=1.1,
        has_nginx=True,
        nginx_target=1.0,
    ),
    "tlsbig": Work(
        "1 MiB answer over TLS",
        "big",
        connections=8,
        tls=True,
        load=("big_load", "tls"),
        target=1.2,
    ),
    "tlsfull": Work(
        "full TLS handshakes, one at a time, a request each",
        "hello",
        connections=1,
        tls=True,
        has_nginx=True,
        load=("tls_load", "full"),
        nginx_target=1.05,
    ),
    "tlsresumed": Work(
        "resumed TLS handshakes, one at a time",
        "hello",
        connections=1,
        tls=True,
        has_nginx=True,
        load=("tls_load", "resumed"),
        nginx_target=1.05,
    ),
    "h3": Work(
        "HTTP/3, 16 connections x 16 streams",
        "hello",
        connections=16,
        streams=16,
        tls=True,
        http3=True,
        target=1.3,
        has_nginx=True,
        nginx_target=2.2,
    ),
    "h3single": Work(
        "HTTP/3, 64 connections, a request each",
        "hello",
        streams=1,
        tls=True,
        http3=True,
        target=1.3,
        has_nginx=True,
    ),
    "h3fast": Work(
        "FastAPI JSON route over HTTP/3",
        "fast",
        path="/items/7",
        streams=1,
        tls=True,
        http3=True,
        target=1.1,
    ),
    "h3huge": Work(
        "100 MiB over HTTP/3, one connection",
        "huge",
        connections=1,
        streams=1,
        requests=5,
        path="/static/file.bin",
        tls=True,
        http3=True,
        target=1.2,
        has_nginx=True,
        file_bytes=100 << 20,
        nginx_target=1.1,
    ),
    "h3full": Work(
        "500 full handshakes of HTTP/3, a request each",
        "hello",
        connections=500,
        requests=500,
        streams=1,
        tls=True,
        http3=True,
        target=1.0,
        has_nginx=True,
    ),
    "one": Work("one connection, one at a time", "hello", connections=1),
    "ws128": Work(
        "WebSocket echo, 128 bytes", "ws", target=1.2, load=("ws_load", "128", "1")
    ),
    "ws128x16": Work(
        "WebSocket echo, 128 bytes, 16 in flight",
        "ws",
        target=1.6,
        load=("ws_load", "128", "16"),
    ),
    "ws16k": Work(
        "WebSocket echo, 16 KiB", "ws", target=1.5, load=("ws_load", "16384", "1")
    ),
    "ws1m": Work(
        "WebSocket echo, 1 MiB, 16 sockets",
        "ws",
        connections=16,
        target=1.5,
        load=("ws_load", "1048576", "1"),
    ),
    "wsroom": Work(
        "WebSocket, one message to 1,000 sockets",
        "room",
        connections=1000,
        target=1.2,
        load=("ws_load", "1024", "1", "broadcast"),
    ),
}
