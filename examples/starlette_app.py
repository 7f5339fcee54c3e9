"""Starlette with streaming requests and responses, background tasks, files and
exceptions.

``bolide starlette_app:app``, then ``curl localhost:8000/``.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

HERE = Path(__file__).parent


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, list[str]]]:
    yield {"done": []}


async def home(request: Request) -> Response:
    return PlainTextResponse(f"Hello, {request.client.host}!\n")


async def digest(request: Request) -> Response:
    """Read the body in parts without storing it."""
    total, hashed = 0, sha256()
    async for piece in request.stream():
        total += len(piece)
        hashed.update(piece)
    return JSONResponse({"bytes": total, "sha256": hashed.hexdigest()})


async def count(request: Request) -> Response:
    async def numbers() -> AsyncIterator[str]:
        for number in range(int(request.path_params["to"])):
            yield f"{number}\n"

    return StreamingResponse(numbers(), media_type="text/plain")


async def later(request: Request) -> Response:
    name = request.query_params.get("name", "nobody")
    task = BackgroundTask(request.state.done.append, name)
    return PlainTextResponse("accepted\n", status_code=202, background=task)


async def done(request: Request) -> Response:
    return JSONResponse(request.state.done)


async def teapot(request: Request) -> Response:
    raise HTTPException(418, "short and stout")


async def broken(request: Request) -> Response:
    raise RuntimeError("this handler is broken")


async def source(request: Request) -> Response:
    return FileResponse(__file__, media_type="text/x-python")


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/", home),
        Route("/digest", digest, methods=["POST"]),
        Route("/count/{to:int}", count),
        Route("/later", later, methods=["POST"]),
        Route("/done", done),
        Route("/teapot", teapot),
        Route("/broken", broken),
        Route("/source", source),
        Mount("/static", StaticFiles(directory=HERE)),
    ],
)
