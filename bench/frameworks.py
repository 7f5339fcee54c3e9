"""The measured applications that use a framework; each is created when it is used."""

import os
import sys
from pathlib import Path

ROWS = [(n, f"name {n}", n * 7 % 100) for n in range(300)]
"""They make a page of about 20 KiB."""
PAGE = """<!doctype html><title>Rows</title><table>
{% for number, name, share in rows %}<tr><td>{{ number }}</td><td>{{ name }}</td>
<td class="share">{{ share }} %</td></tr>
{% endfor %}</table>"""
SENT = Path(__file__).parent.parent / "build" / "sent.bin"


def fast():
    """FastAPI: JSON from a coroutine and from a thread, and a validated body."""
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Item(BaseModel):
        id: int
        name: str
        tags: list[str]

    class Order(BaseModel):
        customer: str
        note: str
        items: list[Item]

    api = FastAPI()

    @api.get("/items/{number}")
    async def item(number: int, q: str = "x") -> Item:
        return Item(id=number, name=q, tags=["a", "b"])

    @api.get("/threads/{number}")
    def item_of_a_thread(number: int, q: str = "x") -> Item:
        return Item(id=number, name=q, tags=["a", "b"])

    @api.post("/orders")
    async def order(order: Order) -> dict[str, int]:
        return {"items": len(order.items)}

    return api


def stars():
    """Starlette: a page from a template, an upload from a form, and a file."""
    import jinja2
    from starlette.applications import Starlette
    from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse
    from starlette.routing import Route

    if not SENT.exists():
        SENT.write_bytes(os.urandom(1 << 20))
    page = jinja2.Environment(autoescape=True).from_string(PAGE)

    async def show(request):
        return HTMLResponse(page.render(rows=ROWS))

    async def upload(request):
        async with request.form() as form:
            return PlainTextResponse(str(form["file"].size))

    async def file(request):
        return FileResponse(SENT)

    return Starlette(
        routes=[
            Route("/page", show),
            Route("/upload", upload, methods=["POST"]),
            Route("/file", file),
        ]
    )


def django():
    """Django: JSON from an asynchronous view, without middleware."""
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.http import JsonResponse
    from django.urls import path

    async def item(request, number):
        return JsonResponse({"id": number, "name": "x", "tags": ["a", "b"]})

    urls = type(sys)("urls")
    urls.urlpatterns = [path("items/<int:number>", item)]
    sys.modules["urls"] = urls
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)
    settings.configure(
        ALLOWED_HOSTS=["*"], ROOT_URLCONF="urls", SECRET_KEY="x", MIDDLEWARE=[]
    )
    return get_asgi_application()


def litestar():
    """Litestar: JSON from a coroutine."""
    from litestar import Litestar, get

    @get("/items/{number:int}")
    async def item(number: int) -> dict[str, object]:
        return {"id": number, "name": "x", "tags": ["a", "b"]}

    return Litestar([item])


APPLICATIONS = {
    "fast": fast,
    "stars": stars,
    "django": django,
    "litestar": litestar,
}
