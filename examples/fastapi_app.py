"""FastAPI with models, dependencies, uploads and server-sent events.

``bolide fastapi_app:app``, then ``curl localhost:8000/items/7``.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI, Request, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

TICK_S = 0.05


class Item(BaseModel):
    name: str = Field(min_length=1, max_length=50)
    price: float = Field(gt=0)
    tags: list[str] = []


class Shop:
    """The state of the application while it runs."""

    def __init__(self) -> None:
        self.items: dict[int, Item] = {}
        self.mails: list[str] = []
        self.listeners = 0


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Shop]]:
    shop = Shop()
    shop.items[7] = Item(name="lamp", price=9.5, tags=["light"])
    yield {"shop": shop}


app = FastAPI(lifespan=lifespan)


def shop_of(request: Request) -> Shop:
    return request.state.shop


ShopOf = Annotated[Shop, Depends(shop_of)]


@app.get("/items/{number}")
async def read_item(number: int, shop: ShopOf, upper: bool = False) -> Item:
    item = shop.items[number]
    return item.model_copy(update={"name": item.name.upper()}) if upper else item


@app.post("/items/{number}", status_code=201)
async def write_item(
    number: int, item: Item, shop: ShopOf, background: BackgroundTasks
) -> Item:
    shop.items[number] = item
    background.add_task(shop.mails.append, f"new: {item.name}")
    return item


@app.get("/mails")
async def mails(shop: ShopOf) -> list[str]:
    return shop.mails


@app.post("/upload")
async def upload(file: UploadFile) -> dict[str, int | str | None]:
    size = 0
    while piece := await file.read(65536):
        size += len(piece)
    return {"name": file.filename, "size": size}


@app.get("/events")
async def events(shop: ShopOf, times: int = 3) -> StreamingResponse:
    """Send the ticks of a clock as server-sent events until the client disconnects."""

    async def ticks() -> AsyncIterator[str]:
        shop.listeners += 1
        try:
            for tick in range(times):
                yield f"event: tick\ndata: {json.dumps({'tick': tick})}\n\n"
                await asyncio.sleep(TICK_S)
        finally:
            shop.listeners -= 1

    return StreamingResponse(ticks(), media_type="text/event-stream")


@app.get("/listeners")
async def listeners(shop: ShopOf) -> int:
    return shop.listeners


@app.get("/sync")
def in_a_thread() -> str:
    return "from a thread"
