"""The kinds of work that are measured, and what bolide is to reach on each."""

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
    """One of our own clients (bench/c), and what it is told behind port, connections
    and seconds; empty: wrk."""
    streams: int = 0
    """Over HTTP/2, by h2load, so many at once on each connection; 0: not."""
    tls: bool = False
    nginx_target: float = 0.0
    """CPU per request as a multiple of nginx's, at most."""


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
    "post1k": Work(
        "POST 1 KiB echo",
        "echo",
        script=LUA / "post.lua",
        arguments=("1024",),
        target=1.2,
    ),
    "post64k": Work(
        "POST 64 KiB echo",
        "echo",
        connections=16,
        script=LUA / "post.lua",
        arguments=("65536",),
        target=1.2,
    ),
    "big": Work(
        "1 MiB answer, one message",
        "big",
        connections=8,
        load=("big_load", "plain"),
        target=1.2,
    ),
    "stream": Work("16 chunks of 4 KiB", "stream", target=1.2),
    "sleep": Work("sleep(0), 256 connections", "sleepy", connections=256, target=1.1),
    "fastapi": Work("FastAPI JSON route", "fast", path="/items/7", target=1.05),
    "h2c": Work(
        "HTTP/2 without TLS, 16 connections x 16 streams",
        "hello",
        connections=16,
        streams=16,
        target=2.0,
        has_nginx=True,
        nginx_target=0.75,
    ),
    "h2": Work(
        "HTTP/2 over TLS, 16 connections x 16 streams",
        "hello",
        connections=16,
        streams=16,
        tls=True,
        target=2.0,
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
        "resumed TLS handshakes, likewise",
        "hello",
        connections=1,
        tls=True,
        has_nginx=True,
        load=("tls_load", "resumed"),
        nginx_target=1.05,
    ),
    "one": Work("one connection, one at a time", "hello", connections=1),
    "ws128": Work(
        "WebSocket echo, 128 bytes", "ws", target=1.15, load=("ws_load", "128", "1")
    ),
    "ws128x16": Work(
        "WebSocket echo, 128 bytes, 16 in flight",
        "ws",
        target=1.2,
        load=("ws_load", "128", "16"),
    ),
    "ws16k": Work(
        "WebSocket echo, 16 KiB", "ws", target=1.3, load=("ws_load", "16384", "1")
    ),
    "ws1m": Work(
        "WebSocket echo, 1 MiB, 16 sockets",
        "ws",
        connections=16,
        target=1.2,
        load=("ws_load", "1048576", "1"),
    ),
    "wsroom": Work(
        "WebSocket, one message to 1,000 sockets",
        "room",
        connections=1000,
        load=("ws_load", "1024", "1", "broadcast"),
    ),
}
