"""Group F, second part: permessage-deflate, and broadcasts.

Covers src/asgi/websocket/broadcast.c.
"""

import asyncio
import threading
import zlib

import pytest
from serving import DEADLINE_S, Serving
from socketing import BINARY, CLOSE, TEXT, Peer, accept, echo, frame, handshake, talking

OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
LONG = b"all work and no play " * 100


def packed(data, bits=12):
    """Return the payload of a compressed message."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -bits)
    out = deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH)
    return out[:-4]


def unpacked(payload):
    """Return the text of a compressed message."""
    return zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff")


def test_F39_an_offer_is_accepted_with_small_windows():
    with talking(echo, handshake(fields=OFFER)) as (peer, _):
        agreed = peer.field("sec-websocket-extensions")
        assert set(agreed.split("; ")) == {
            "permessage-deflate",
            "server_no_context_takeover",
            "client_no_context_takeover",
            "server_max_window_bits=12",
            "client_max_window_bits=12",
        }


@pytest.mark.parametrize(
    "sent, settings",
    [(handshake(), {}), (handshake(fields=OFFER), {"ws_per_message_deflate": False})],
    ids=["not offered", "not wanted"],
)
def test_F39_compression_needs_both_sides(sent, settings):
    with talking(echo, sent, **settings) as (peer, _):
        assert peer.field("sec-websocket-extensions") is None
        peer.send(TEXT, LONG)
        assert peer.frame() == (TEXT, LONG)
        assert peer.rsv == 0


@pytest.mark.parametrize("takeover", [False, True], ids=["no takeover", "takeover"])
def test_F39_messages_are_compressed_both_ways(takeover):
    settings = {"ws_server_takeover": takeover}
    with talking(echo, handshake(fields=OFFER), **settings) as (peer, _):
        inflater = zlib.decompressobj(-15)
        sizes = []
        for _ in range(3):
            peer.send(TEXT, packed(LONG), rsv=4)
            opcode, payload = peer.frame()
            assert (opcode, peer.rsv) == (TEXT, 4)
            if not takeover:
                inflater = zlib.decompressobj(-15)
            assert inflater.decompress(payload + b"\0\0\xff\xff") == LONG
            sizes.append(len(payload))
        assert (sizes[1] < sizes[0]) == takeover


def test_F39_a_message_under_the_threshold_is_not_compressed():
    with talking(echo, handshake(fields=OFFER)) as (peer, _):
        peer.send(TEXT, packed(b"short"), rsv=4)
        assert peer.frame() == (TEXT, b"short")
        assert peer.rsv == 0


def test_F16_a_decompression_bomb_is_1009_and_uses_no_more_than_the_limit():
    bomb = packed(b"\0" * (64 << 20))
    assert len(bomb) < 100_000
    with talking(echo, handshake(fields=OFFER), ws_max_size=1 << 16) as (peer, _):
        peer.send(BINARY, bomb, rsv=4)
        assert peer.close_code()[0] == 1009
        assert peer.ends()


@pytest.mark.parametrize("same", [True, False], ids=["one object", "equal objects"])
def test_a_broadcast_reaches_clients_with_and_without_compression(same):
    count, rooms = 12, []
    ready = threading.Event()

    async def app(scope, receive, send):
        await accept(receive, send)
        rooms.append(send)
        if len(rooms) == count:
            ready.set()
        text = None
        while (message := await receive())["type"] == "websocket.receive":
            text = message["text"]
            for each in rooms:
                text = text if same else text[:1] + text[1:]
                await each({"type": "websocket.send", "text": text})

    with Serving(app) as serving:
        offers = ["", OFFER, OFFER.replace("client", "server").strip() + "=10\r\n"]
        peers = [
            Peer(serving.connect(), handshake(fields=offers[i % 3]))
            for i in range(count)
        ]
        assert ready.wait(DEADLINE_S)
        for text in (LONG, LONG.upper()):
            peers[0].send(TEXT, text)
            for peer in peers:
                opcode, payload = peer.frame()
                assert opcode == TEXT
                assert (unpacked(payload) if peer.rsv else payload) == text
                assert bool(peer.rsv) == bool(peer.field("sec-websocket-extensions"))
        for peer in peers:
            peer.send(CLOSE)
            peer.sock.close()


def test_one_thousand_clients_receive_a_broadcast():
    """The first client sends it, all receive it, and none is lost at the end."""
    count, rooms = 1000, set()
    gone = threading.Event()

    async def app(scope, receive, send):
        await accept(receive, send)
        rooms.add(send)
        try:
            while (message := await receive())["type"] == "websocket.receive":
                for each in rooms:
                    await each({"type": "websocket.send", "bytes": message["bytes"]})
        finally:
            rooms.discard(send)
            if not rooms:
                gone.set()

    async def client(port):
        streams = []
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(handshake())
            streams.append((reader, writer))
        for reader, _ in streams:
            await reader.readuntil(b"\r\n\r\n")
        streams[0][1].write(frame(BINARY, LONG))
        wanted = frame(BINARY, LONG, masked=False)
        for reader, _ in streams:
            assert await reader.readexactly(len(wanted)) == wanted
        for _, writer in streams:
            writer.transport.abort()

    with Serving(app) as serving:
        asyncio.run(asyncio.wait_for(client(serving.place[1]), 3 * DEADLINE_S))
        assert gone.wait(DEADLINE_S)
