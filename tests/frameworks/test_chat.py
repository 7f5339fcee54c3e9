"""The chat example with plain ASGI, Starlette and Channels, and the websockets
client.
"""

import asyncio

import httpx
import pytest

from examples import DEADLINE_S, EXAMPLES, Served, serving

websockets = pytest.importorskip("websockets")


@pytest.fixture(scope="module", params=["plain", "on_starlette", "on_channels"])
def chat(request):
    """Serve the chat."""
    if request.param == "on_channels":
        pytest.importorskip("channels")
    with serving(f"{request.param}:app", folder=EXAMPLES / "chat") as command:
        yield Served(command)


def talk(chat, conversation, **settings):
    """Run ``conversation(join)``; ``join()`` connects one more client."""

    def join(**more):
        url = f"ws://127.0.0.1:{chat.port}/ws"
        return websockets.connect(url, **{**settings, **more})

    async def run():
        async with asyncio.timeout(DEADLINE_S):
            return await conversation(join)

    return asyncio.run(run())


async def heard(client, wanted):
    """Return the next message that ends with ``wanted``."""
    while not (text := await client.recv()).endswith(wanted):
        pass
    return text


def test_the_page_is_served(chat):
    answer = httpx.get(chat.url)
    assert answer.status_code == 200
    assert "<title>Chat</title>" in answer.text


@pytest.mark.parametrize("compression", ["deflate", None])
def test_all_members_receive_each_message(chat, compression):
    long = "é" + "all work and no play " * 500

    async def conversation(join):
        async with join() as first, join() as second:
            await heard(first, "has come")
            await second.send(long)
            told = [await heard(x, "no play ") for x in (first, second)]
            assert told[0] == told[1]
            assert told[0].partition(": ")[2] == long

    talk(chat, conversation, compression=compression)


def test_members_are_notified_of_those_who_leave(chat):
    async def conversation(join):
        async with join() as first:
            number = (await heard(first, "has come")).split()[1]
            async with join() as second:
                await heard(second, "has come")
            text = await heard(first, "has gone")
            assert text.split()[1] != number

    talk(chat, conversation)


def test_pings_of_both_sides_are_answered(chat):
    async def conversation(join):
        async with join(ping_interval=0.05) as client:
            waiter = await client.ping()
            assert await waiter >= 0
            await client.send("still here")
            await heard(client, "still here")

    talk(chat, conversation)


def test_fifty_members_receive_all_messages(chat):
    async def conversation(join):
        # Those who stay receive the notice for everyone who leaves, and do not read it.
        clients = [await join(max_queue=None) for _ in range(50)]
        for i, client in enumerate(clients):
            await client.send(f"I am {i}.")
        for client in clients:
            told = {(await heard(client, ".")).partition(": ")[2] for _ in clients}
            assert told == {f"I am {i}." for i in range(50)}
        for client in clients:
            await client.close()

    talk(chat, conversation)
