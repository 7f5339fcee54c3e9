"""What a client has sent before it disconnects reaches the application.

Covers src/server/disconnect.c.
"""

import asyncio
import contextlib
import socket
import struct
import sys
import threading
from pathlib import Path

import pytest
from serving import DEADLINE_S, LOOPS, Serving, answer, request, start
from socketing import CLOSE, TEXT, Received, accept, close_payload, frame, handshake

sys.path.insert(0, str(Path(__file__).parents[1] / "http2"))
from rawframes import PREFACE, headers, settings, window_update

WIDE = settings((4, 1 << 30)) + window_update(0, 1 << 30)

MESSAGES = [f"message {i}" for i in range(40)]
LEAVINGS = ["unix", "close", "reset"]


class Left(Serving):
    """Serves, over a Unix socket or TCP, clients that disconnect as ``kind`` says."""

    def __init__(self, kind, tmp_path, *args, **settings):
        self.kind, self.path = kind, str(tmp_path / "socket")
        super().__init__(*args, **settings)

    def listen(self):
        if self.kind != "unix":
            return super().listen()
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(self.path)
        sock.listen()
        return sock

    @contextlib.contextmanager
    def busy(self):
        """Keep the loop from turning within the block."""
        is_held, release = threading.Event(), threading.Event()

        def hold():
            is_held.set()
            release.wait(DEADLINE_S)

        self.loop.call_soon_threadsafe(hold)
        assert is_held.wait(DEADLINE_S)
        yield
        release.set()

    def leave(self, sock):
        """Close a connection at once."""
        if self.kind == "reset":
            sock.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
        sock.close()


def all_messages():
    """Return the frames of all messages and of the close frame that follows."""
    texts = b"".join(frame(TEXT, text.encode()) for text in MESSAGES)
    return texts + frame(CLOSE, close_payload(1000))


@pytest.mark.parametrize("kind", LEAVINGS)
def test_a_request_of_a_client_that_closes_at_once_is_served(kind, tmp_path):
    bodies, ended = [], threading.Event()

    async def app(scope, receive, send):
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            body += message["body"]
            if not message["more_body"]:
                break
        bodies.append(body)
        ended.set()
        with contextlib.suppress(OSError):
            await answer(send, b"x")

    with Left(kind, tmp_path, app) as serving:
        sock = serving.connect()
        with serving.busy():
            sock.sendall(request(method="POST", body=b"x" * 10_000))
            serving.leave(sock)
        assert ended.wait(DEADLINE_S)
    assert bodies == [b"x" * 10_000]


@pytest.mark.parametrize("kind", ["unix", "close"])
def test_a_body_that_is_read_slowly_arrives_whole(kind, tmp_path):
    """More has arrived than the server buffers for an application that is slow."""
    total, ended = [0], threading.Event()
    has_left = threading.Event()

    async def app(scope, receive, send):
        while not has_left.is_set():
            await asyncio.sleep(0.01)
        while True:
            message = await receive()
            total[0] += len(message.get("body", b""))
            await asyncio.sleep(0.001)
            if not message.get("more_body"):
                break
        ended.set()

    with Left(kind, tmp_path, app) as serving:
        sock = serving.connect()
        sock.sendall(request(method="POST", body=b"x" * 150_000))
        serving.leave(sock)
        has_left.set()
        assert ended.wait(DEADLINE_S)
    assert total == [150_000]


async def receive_all(receive, heard):
    """Collect all messages of a WebSocket, up to the disconnect."""
    while True:
        message = await receive()
        heard.messages.append(message)
        if message["type"] == "websocket.disconnect":
            break


def send_all_and_leave(kind, tmp_path, app, heard):
    """Send MESSAGES and disconnect; check that the application receives them all."""
    with Left(kind, tmp_path, app) as serving:
        sock = serving.connect()
        sock.sendall(handshake())
        sock.recv(1000)
        with serving.busy():
            sock.sendall(all_messages())
            serving.leave(sock)
        *texts, last = heard.wait()
    assert [message["text"] for message in texts] == MESSAGES
    assert last["code"] == 1000


@pytest.mark.parametrize("kind", LEAVINGS)
def test_the_last_messages_of_a_websocket_arrive(kind, tmp_path):
    heard = Received()

    async def app(scope, receive, send):
        await accept(receive, send)
        await receive_all(receive, heard)
        heard.ended.set()

    send_all_and_leave(kind, tmp_path, app, heard)


@pytest.mark.parametrize("kind", LEAVINGS)
def test_the_last_messages_arrive_even_if_the_server_has_sent(kind, tmp_path):
    """Sending to a client that has disconnected fails, but its messages are kept."""
    heard = Received()

    async def app(scope, receive, send):
        await accept(receive, send)

        async def push():
            with contextlib.suppress(OSError):
                for _ in range(100):
                    await send({"type": "websocket.send", "text": "news"})
                    await asyncio.sleep(0)

        pushing = asyncio.create_task(push())
        await receive_all(receive, heard)
        await pushing
        heard.ended.set()

    send_all_and_leave(kind, tmp_path, app, heard)


@pytest.mark.parametrize("kind", LEAVINGS)
def test_a_stream_to_a_disconnected_client_fails(kind, tmp_path):
    """A request body that is not received does not hide the disconnect."""
    failures, ended = [], threading.Event()

    async def app(scope, receive, send):
        await start(send)
        try:
            while True:
                await send(
                    {"type": "http.response.body", "body": b"x", "more_body": True}
                )
                await asyncio.sleep(0.001)
        except OSError as failure:
            failures.append(failure)
        ended.set()

    with Left(kind, tmp_path, app) as serving:
        sock = serving.connect()
        sock.sendall(request(method="POST", body=b"x" * 150_000))
        sock.recv(10)
        serving.leave(sock)
        assert ended.wait(DEADLINE_S)
    assert len(failures) == 1


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("way", ["unix", "close", "reset"])
@pytest.mark.parametrize("spoken_here", ["http", "h2", "websocket"])
def test_sending_to_a_disconnected_client_lets_the_loop_turn(
    spoken_here, way, loop, tmp_path
):
    """send() fails in the end, even if its task never waits, and others are served."""
    begun, left, ended = (threading.Event() for _ in range(3))

    async def app(scope, receive, send):
        if scope["path"] == "/other":
            return await answer(send)
        part = {"type": "http.response.body", "body": bytes(70_000), "more_body": True}
        if scope["type"] == "websocket":
            await accept(receive, send)
            part = {"type": "websocket.send", "bytes": bytes(70_000)}
        else:
            await start(send)
            await send({**part, "body": b"x"})
        await asyncio.sleep(0.01)
        begun.set()
        left.wait(DEADLINE_S)  # no turn of the loop until the client has disconnected
        with contextlib.suppress(OSError):
            while True:
                await send(part)
        ended.set()
        return None

    with Left(way, tmp_path, app, loop=loop) as serving:
        sock = serving.connect_directly()
        sock.sendall(
            {
                "http": request(method="POST", body=b"x" * 1000),
                "h2": PREFACE + WIDE + headers(1),
                "websocket": handshake(),
            }[spoken_here]
        )
        sock.recv(1)
        assert begun.wait(DEADLINE_S)
        if spoken_here == "websocket":
            sock.sendall(frame(TEXT, b"unread"))
        serving.leave(sock)
        left.set()
        assert ended.wait(DEADLINE_S)
        assert serving.ask("/other").status == 200
