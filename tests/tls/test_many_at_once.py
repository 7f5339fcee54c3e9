"""Messages that many clients send at once over TLS are received by all in order."""

import asyncio

from talking import Secure, client_context
from websockets.asyncio.client import connect

CLIENTS, MESSAGES, BYTES = 6, 30, 40_000


async def room(scope, receive, send, sends):
    """Send each client's messages to all clients."""
    await receive()
    await send({"type": "websocket.accept"})
    sends.append(send)
    while (message := await receive())["type"] == "websocket.receive":
        for each in list(sends):
            await each({"type": "websocket.send", "bytes": message["bytes"]})
    sends.remove(send)


async def send_all(client, number):
    for i in range(MESSAGES):
        await client.send(bytes([number, i]) * (BYTES // 2))


async def talk(number, url, context, all_are_there):
    """Send all messages of one client; return whose messages were received, and
    which.
    """
    heard = []
    async with connect(url, ssl=context, max_size=None, compression=None) as client:
        await all_are_there.wait()
        sender = asyncio.create_task(send_all(client, number))
        while len(heard) < CLIENTS * MESSAGES:
            message = await asyncio.wait_for(client.recv(), 20)
            assert len(message) == BYTES
            heard.append((message[0], message[1]))
        await sender
        await all_are_there.wait()
    return heard


async def talk_all(url, context):
    all_are_there = asyncio.Barrier(CLIENTS)
    talks = [talk(i, url, context, all_are_there) for i in range(CLIENTS)]
    return await asyncio.gather(*talks)


def test_messages_of_all_reach_all_in_order(authority, localhost):
    """A message to one client wakes others, whose bytes have already been read."""
    sends = []

    async def app(scope, receive, send):
        if scope["type"] == "websocket":
            await room(scope, receive, send, sends)

    with Secure(app, localhost, ktls="auto") as serving:
        url = f"wss://localhost:{serving.place[1]}/"
        heard = asyncio.run(talk_all(url, client_context(authority)))
    for of_one in heard:
        for sender in range(CLIENTS):
            got = [i for who, i in of_one if who == sender]
            assert got == list(range(MESSAGES))
