"""What many send at once over TLS is heard in order, whoever else it wakes."""

import threading

from talking import Secure, client_context
from websockets.sync.client import connect

CLIENTS, MESSAGES, BYTES = 6, 30, 40_000


def test_messages_of_all_reach_all_in_order(authority, localhost):
    """An application that answers one wakes others, of which bytes were read."""
    sends = []
    all_are_there = threading.Barrier(CLIENTS)

    async def room(scope, receive, send):
        if scope["type"] != "websocket":
            return
        await receive()
        await send({"type": "websocket.accept"})
        sends.append(send)
        while (message := await receive())["type"] == "websocket.receive":
            for each in list(sends):
                await each({"type": "websocket.send", "bytes": message["bytes"]})
        sends.remove(send)

    def talk(number, port, heard):
        context = client_context(authority)
        with connect(
            f"wss://localhost:{port}/",
            sock=None,
            ssl=context,
            max_size=None,
            compression=None,
        ) as client:
            all_are_there.wait(20)
            sender = threading.Thread(target=send_all, args=(client, number))
            sender.start()
            for _ in range(CLIENTS * MESSAGES):
                message = client.recv(timeout=20)
                assert len(message) == BYTES
                heard.append((message[0], message[1]))
            sender.join()
            all_are_there.wait(20)

    def send_all(client, number):
        for i in range(MESSAGES):
            client.send(bytes([number, i]) * (BYTES // 2))

    heard = [[] for _ in range(CLIENTS)]
    with Secure(room, localhost) as serving:
        port = serving.place[1]
        threads = [
            threading.Thread(target=talk, args=(i, port, heard[i]))
            for i in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for of_one in heard:
        for sender in range(CLIENTS):
            got = [i for who, i in of_one if who == sender]
            assert got == list(range(MESSAGES))
