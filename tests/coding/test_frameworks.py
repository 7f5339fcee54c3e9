"""Frameworks whose responses are compressed, by the server or by themselves."""

import pytest
from coded import ask, gunzip
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

ROWS = [{"id": i, "name": f"name {i}"} for i in range(500)]


async def rows(request):
    """Respond with JSON."""
    return JSONResponse(ROWS)


async def stream(request):
    """Respond in parts."""
    return StreamingResponse((f"{i}\n" for i in range(2000)), media_type="text/plain")


ROUTES = [Route("/", rows), Route("/stream", stream)]


@pytest.mark.parametrize("target", ["/", "/stream"])
def test_starlette_responses_are_compressed(target):
    app = Starlette(routes=ROUTES)
    got, plain = ask(app, target=target), ask(app, None, target=target)
    assert got.field("content-encoding") == "gzip"
    assert gunzip(got.body) == plain.body


@pytest.mark.parametrize("target", ["/", "/stream"])
def test_a_response_compressed_by_middleware_is_not_compressed_again(target):
    app = Starlette(routes=ROUTES, middleware=[Middleware(GZipMiddleware)])
    got, plain = ask(app, target=target), ask(app, None, target=target)
    assert got.field("content-encoding") == "gzip"
    assert got.field("vary") == "Accept-Encoding"
    assert gunzip(got.body) == plain.body


def test_fastapi_responses_are_compressed():
    app = FastAPI()

    @app.get("/")
    def read():
        return ROWS

    got, plain = ask(app), ask(app, None)
    assert got.field("content-encoding") == "gzip"
    assert gunzip(got.body) == plain.body
