"""The same chat on Starlette: bolide on_starlette:app."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import FileResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

PAGE = Path(__file__).parent / "page.html"
here: dict[int, WebSocket] = {}
numbers = iter(range(1, 1 << 62))


async def page(request):
    """Respond with the page."""
    return FileResponse(PAGE)


async def say(text):
    """Send a message to all members; ignore members who disconnect meanwhile."""
    for number, websocket in list(here.items()):
        try:
            await websocket.send_text(text)
        except WebSocketDisconnect:
            here.pop(number, None)


async def chat(websocket: WebSocket):
    """Receive messages of a member until it disconnects."""
    await websocket.accept()
    number = next(numbers)
    here[number] = websocket
    await say(f"* {number} has come")
    try:
        async for text in websocket.iter_text():
            await say(f"{number}: {text}")
    finally:
        here.pop(number, None)
        await say(f"* {number} has gone")


app = Starlette(routes=[Route("/", page), WebSocketRoute("/ws", chat)])
