"""The server for the fuzzing client: it echoes every message unchanged."""


async def app(scope, receive, send):
    """Echo."""
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})
