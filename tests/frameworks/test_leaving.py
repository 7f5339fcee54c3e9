"""Clients that disconnect during a response of a framework: nothing is left of them.

Each application waits in its response for an event that never happens, at /idle, or
sends repeatedly, at /busy. A framework that is not installed is skipped.
"""

import asyncio
import gc
import threading
import time

import pytest
from leaving import SOON_S, Calls, forever, has_connections, leave
from serving import DEADLINE_S, LOOPS, Serving, read_until, request
from socketing import TEXT, handshake, talking

CLIENTS = 4


def has_calls(serving, n):
    """Wait until ``n`` Tasks serve requests; return whether there are so many."""

    def count():
        tasks = asyncio.all_tasks(serving.loop)
        return sum("PyAwaitable" in repr(x.get_coro()) for x in tasks)

    end = time.monotonic() + DEADLINE_S
    while count() != n and time.monotonic() < end:
        time.sleep(0.01)
    return count() == n


def have_ended(calls):
    """Wait until no body part is awaited; return whether that is so.

    Django does not close the iterator of a response that is canceled in send(). Its
    block ends when the garbage collector finds it. Collections are rare: the loop of
    the server does not run meanwhile.
    """
    end = time.monotonic() + DEADLINE_S
    while not calls.wait(lambda: not calls.running, 1) and time.monotonic() < end:
        gc.collect()
    return not calls.running


def timeout_for(make):
    """Return the value of --timeout-disconnect for an application.

    Quart and Django end a response by themselves when its client disconnects. If they
    are canceled before, they abandon two tasks, and the loop logs their exceptions.
    """
    return DEADLINE_S if make in (quart, django, sync_django) else SOON_S


def parts_of(calls):
    """Return a function that returns an async iterator of body parts for a path."""

    async def parts(path):
        with calls.watch():
            yield b"data: x\n\n"
            if "idle" in path:
                await forever()
            while True:
                await asyncio.sleep(0.05)
                yield b"data: x\n\n"

    return parts


def starlette(parts):
    from starlette.applications import Starlette
    from starlette.responses import StreamingResponse
    from starlette.routing import Route

    async def get(request):
        return StreamingResponse(parts(request.url.path))

    return Starlette(routes=[Route("/{path}", get)])


def starlette_behind_middleware(parts):
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.middleware.gzip import GZipMiddleware

    async def dispatch(request, call_next):
        return await call_next(request)

    app = starlette(parts)
    app.add_middleware(GZipMiddleware)
    app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    return app


def fastapi(parts):
    from fastapi import Depends, FastAPI
    from fastapi.responses import StreamingResponse

    app = FastAPI()

    async def resource():
        yield 1

    @app.get("/{path}")
    async def get(path: str, resource: int = Depends(resource)):
        return StreamingResponse(parts(path))

    return app


def sse_starlette(parts):
    pytest.importorskip("sse_starlette")
    from sse_starlette import EventSourceResponse
    from starlette.applications import Starlette
    from starlette.routing import Route

    async def get(request):
        return EventSourceResponse(parts(request.url.path))

    return Starlette(routes=[Route("/{path}", get)])


def litestar(parts):
    pytest.importorskip("litestar")
    from litestar import Litestar, get
    from litestar.response import Stream

    @get("/{path:str}")
    async def handler(path: str) -> Stream:
        return Stream(parts(path))

    return Litestar([handler])


def blacksheep(parts):
    pytest.importorskip("blacksheep")
    from blacksheep import Application, Response, Router, StreamedContent

    app = Application(router=Router())

    @app.router.get("/{path}")
    async def get(path: str):
        async def body():
            async for part in parts(path):
                yield part

        return Response(200, content=StreamedContent(b"text/plain", body))

    started = False

    async def starting(scope, receive, send):
        nonlocal started
        if not started:
            await app.start()
            started = True
        await app(scope, receive, send)

    return starting


def quart(parts):
    pytest.importorskip("quart")
    from quart import Quart

    app = Quart("leaving")

    @app.get("/<path>")
    async def get(path):
        return parts(path), 200

    @app.after_request
    async def no_timeout(response):
        response.timeout = None
        return response

    return app


def django(parts):
    pytest.importorskip("django")
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.http import StreamingHttpResponse
    from django.urls import path as route

    async def get(request, path):
        return StreamingHttpResponse(parts(path))

    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="x", MIDDLEWARE=[])
    settings.ROOT_URLCONF = type("urls", (), {"urlpatterns": [route("<path>", get)]})
    from django.urls import clear_url_caches

    clear_url_caches()
    return get_asgi_application()


def plain(parts):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        async for part in parts(scope["path"]):
            message = {"type": "http.response.body", "body": part}
            await send({**message, "more_body": True})

    return app


def sync_django(parts):
    """Return Django with a view that is not a coroutine function."""
    app = django(parts)
    from django.conf import settings
    from django.http import StreamingHttpResponse
    from django.urls import clear_url_caches
    from django.urls import path as route

    def get(request, path):
        return StreamingHttpResponse(parts(path))

    settings.ROOT_URLCONF = type("urls", (), {"urlpatterns": [route("<path>", get)]})
    clear_url_caches()
    return app


APPS = (
    plain,
    starlette,
    starlette_behind_middleware,
    fastapi,
    sse_starlette,
    litestar,
    blacksheep,
    quart,
    django,
    sync_django,
)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("make", APPS)
def test_a_disconnect_during_a_response_leaks_nothing(make, loop):
    calls = Calls()
    app = make(parts_of(calls))
    with Serving(app, loop=loop, timeout_disconnect=timeout_for(make)) as serving:
        for path in ("/idle", "/busy"):
            for way in ("fin", "reset"):
                socks = [serving.connect() for _ in range(CLIENTS)]
                for sock in socks:
                    sock.sendall(request(path))
                for sock in socks:
                    read_until(sock, b"x")
                for sock in socks:
                    leave(sock, way)
        assert have_ended(calls)
        assert has_connections(serving, 0)
    assert len(calls.ends) == 4 * CLIENTS
    assert serving.loop_errors == []


@pytest.mark.parametrize("make", APPS)
def test_a_disconnect_during_a_response_is_not_logged(make):
    calls = Calls()
    app = make(parts_of(calls))
    with Serving(app, timeout_disconnect=timeout_for(make)) as serving:
        for path in ("/idle", "/busy"):
            with serving.connect() as sock:
                sock.sendall(request(path))
                read_until(sock, b"x")
        assert have_ended(calls)
    assert serving.log.errors() == []
    assert serving.log.exceptions == []


@pytest.mark.parametrize("way", ["fin", "reset"])
def test_a_waiting_fastapi_websocket_ends_when_its_client_disconnects(way):
    from fastapi import FastAPI, WebSocket

    calls, app = Calls(), FastAPI()

    @app.websocket("/")
    async def socket(socket: WebSocket):
        with calls.watch():
            await socket.accept()
            await forever()

    settings = {"timeout_disconnect": SOON_S}
    with talking(app, handshake(), **settings) as (peer, serving):
        leave(peer.sock, way)
        assert calls.wait(lambda: calls.ends)
        assert has_connections(serving, 0)
    assert serving.log.exceptions == []


@pytest.mark.parametrize("way", ["fin", "reset"])
def test_a_stream_of_mcp_ends_when_its_client_disconnects(way):
    pytest.importorskip("mcp")
    try:
        from mcp.server.mcpserver import MCPServer
    except ModuleNotFoundError:
        from mcp.server.fastmcp import FastMCP as MCPServer

    app = MCPServer("leaving").streamable_http_app()
    accepts = "Accept: application/json, text/event-stream\r\n"
    hello = (
        b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":'
        b'"2025-03-26","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}'
    )
    fields = accepts + "Host: 127.0.0.1:8000\r\nContent-Type: application/json\r\n"
    with Serving(app, lifespan="on", timeout_disconnect=SOON_S) as serving:
        with serving.connect() as sock:
            sock.sendall(request("/mcp", fields, hello, "POST"))
            head = read_until(sock, b"\r\n\r\n").decode().lower()
        assert " 200 " in head.partition("\r\n")[0], head
        session = head.partition("mcp-session-id: ")[2].partition("\r\n")[0]
        with serving.connect() as sock:
            fields = f"{fields}Mcp-Session-Id: {session}\r\n"
            sock.sendall(request("/mcp", fields))
            assert b" 200 " in read_until(sock, b"\r\n\r\n")
            leave(sock, way)
        assert has_connections(serving, 0)
        assert has_calls(serving, 1), "the lifespan alone"
    assert serving.log.errors() == []


def test_socketio_notices_the_disconnect_of_a_client():
    socketio = pytest.importorskip("socketio")
    server = socketio.AsyncServer(async_mode="asgi")
    app = socketio.ASGIApp(server)
    gone = threading.Event()

    @server.event
    async def disconnect(sid, *reason):
        await asyncio.sleep(2 * SOON_S)
        gone.set()

    target = "/socket.io/?EIO=4&transport=websocket"
    settings = {"timeout_disconnect": SOON_S}
    with talking(app, handshake(target), **settings) as (peer, serving):
        peer.frame()
        peer.send(TEXT, b"40")
        peer.frame()
        leave(peer.sock, "fin")
        assert gone.wait(DEADLINE_S), "its handler had time to clean up"
        assert has_connections(serving, 0)
    assert serving.log.exceptions == []


def test_compressed_files_pass_through_any_middleware(tmp_path):
    from starlette.applications import Starlette
    from starlette.middleware.gzip import GZipMiddleware
    from starlette.responses import FileResponse
    from starlette.routing import Route

    path = tmp_path / "script.js"
    path.write_text("let x = 1;\n" * 1000)

    async def get(request):
        return FileResponse(path)

    class Narrow:
        """A middleware that passes on the messages it knows."""

        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            async def passes(message):
                if message["type"] == "http.response.start":
                    self.start = message
                elif message["type"] == "http.response.body":
                    if self.start is not None:
                        await send(self.start)
                        self.start = None
                    await send(message)

            await self.app(scope, receive, passes)

    app = Starlette(routes=[Route("/", get)])
    with Serving(Narrow(app)) as serving:
        assert serving.ask().body == path.read_bytes()
    with Serving(GZipMiddleware(app)) as serving:
        answer = serving.ask(fields="Accept-Encoding: gzip\r\n")
    assert answer.field("content-encoding") == "gzip"
    assert len(answer.body) < 1000
