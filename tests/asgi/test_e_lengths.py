"""Group E, third part: bodies and messages of 4 GiB and more.

A body is one ``bytes`` object of zeros, which takes address space but no memory: its
pages come from calloc and are never written. A test reads the framing before the body
and closes the connection.
"""

import pytest
from serving import Serving, answer, more, read_until, request, start
from socketing import handshake

LENGTH = (1 << 32) + 10
"""Its low 32 bits are 10: what follows the tenth byte must not be taken for framing."""


@pytest.fixture(scope="module")
def long_body():
    """Return a body whose length does not fit into 32 bits."""
    try:
        return bytes(LENGTH)
    except MemoryError:
        pytest.skip("no address space for 4 GiB")


def front_of(app, sent, end, **settings):
    """Return what the server sends, up to ``end``."""
    with Serving(app, **settings) as serving, serving.connect() as sock:
        sock.sendall(sent)
        return read_until(sock, end)


def test_a_first_chunk_of_more_than_4_gib_has_its_whole_size(long_body):
    async def app(scope, receive, send):
        await start(send)
        await more(send, long_body)

    front = front_of(app, request(), b"\0")
    assert front.partition(b"\r\n\r\n")[2].startswith(b"%x\r\n\0" % LENGTH)


def test_a_held_part_and_a_long_one_are_one_chunk_of_their_sum(long_body):
    async def app(scope, receive, send):
        await start(send)
        await more(send, b"first")
        await more(send, long_body)

    front = front_of(app, request(), b"\0")
    assert front.partition(b"\r\n\r\n")[2].startswith(b"%x\r\nfirst\0" % (LENGTH + 5))


def test_a_whole_body_of_more_than_4_gib_has_its_length(long_body):
    async def app(scope, receive, send):
        await answer(send, long_body)

    front = front_of(app, request(), b"\0").lower()
    assert b"\r\ncontent-length: %d\r\n" % LENGTH in front


def test_a_websocket_message_of_more_than_4_gib_has_its_length(long_body):
    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "bytes": long_body})

    front = front_of(app, handshake(), b"\r\n\r\n\x82\x7f" + LENGTH.to_bytes(8) + b"\0")
    assert b" 101 " in front


def test_a_file_of_more_than_4_gib_has_its_size(tmp_path):
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(LENGTH)

    async def app(scope, receive, send):
        await start(send)
        await send({"type": "http.response.pathsend", "path": str(path)})

    front = front_of(app, request(), b"\0", pathsend=True)
    head, _, rest = front.lower().partition(b"\r\n\r\n")
    assert b"\r\ncontent-length: %d" % LENGTH in head
    assert rest.startswith(b"\0")
