"""A chat page and its WebSocket, in plain ASGI: bolide plain:app."""

from pathlib import Path

PAGE = (Path(__file__).parent / "page.html").read_bytes()


class Room:
    """The members by number, each with its ``send``."""

    def __init__(self):
        self.sends = {}
        self.last = 0

    def enter(self, send):
        """Add a member; return its number."""
        self.last += 1
        self.sends[self.last] = send
        return self.last

    async def say(self, text):
        """Send a message to all members; ignore members who disconnect meanwhile."""
        for number, send in list(self.sends.items()):
            try:
                await send({"type": "websocket.send", "text": text})
            except OSError:
                self.sends.pop(number, None)


room = Room()


async def page(send):
    """Respond with the page."""
    headers = [(b"content-type", b"text/html; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": PAGE})


async def chat(receive, send):
    """Receive messages of a member until it disconnects."""
    await receive()
    await send({"type": "websocket.accept"})
    number = room.enter(send)
    await room.say(f"* {number} has come")
    try:
        while (message := await receive())["type"] == "websocket.receive":
            await room.say(f"{number}: {message.get('text', '')}")
    finally:
        room.sends.pop(number, None)
        await room.say(f"* {number} has gone")


async def app(scope, receive, send):
    """Serve the page, and the chat at /ws."""
    if scope["type"] == "websocket":
        await chat(receive, send)
    elif scope["type"] == "http":
        await page(send)
