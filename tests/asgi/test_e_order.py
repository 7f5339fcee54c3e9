"""Group E, first part: the messages of a response, their order, and wrong ones.

Covers src/asgi/fields.c, src/asgi/message.c, src/asgi/raise.c, src/asgi/http/respond.c
and src/asgi/http/send.c.
"""

import asyncio
import socket
import threading
from http import HTTPStatus

import pytest
from serving import (
    DEADLINE_S,
    LOOPS,
    Serving,
    answer,
    body_of,
    more,
    outcome,
    read_all,
    read_until,
    request,
    start,
)

CLOSE = "Connection: close\r\n"
START = {"type": "http.response.start", "status": 200}
BODY = {"type": "http.response.body"}


def served(send_all, **kwargs):
    """Return the Answer to the messages of ``send_all(send)``."""

    async def app(scope, receive, send):
        await send_all(send)

    with Serving(app) as serving:
        return serving.ask(**kwargs)


def test_E1_a_start_and_a_body_are_a_response():
    got = served(lambda send: answer(send, b"x"))
    assert (got.status, got.body) == (200, b"x")


def test_E2_E3_E4_missing_keys_have_defaults():
    async def send_all(send):
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    got = served(send_all)
    assert (got.status, got.body, got.is_whole) == (204, b"", True)


@pytest.mark.parametrize(
    "headers",
    [
        [[b"x-a", b"1"], [b"x-b", b"2"]],
        ((b"x-a", b"1"), (b"x-b", b"2")),
        {b"x-a": b"1", b"x-b": b"2"}.items(),
        "generator",
    ],
    ids=["lists", "tuples", "items", "generator"],
)
def test_E5_headers_are_any_iterable_of_pairs(headers):
    if headers == "generator":
        headers = (iter(pair) for pair in [(b"x-a", b"1"), (b"x-b", b"2")])

    async def send_all(send):
        message = {"type": "http.response.start", "status": 200, "headers": headers}
        await send(message)
        await send({"type": "http.response.body"})

    got = served(send_all)
    assert [f for f in got.fields if f[0][:2] == "x-"] == [("x-a", "1"), ("x-b", "2")]


def test_E6_the_order_of_fields_and_duplicates_are_kept():
    cookies = [(b"set-cookie", b"a=1"), (b"x", b"y"), (b"set-cookie", b"b=2")]
    got = served(lambda send: answer(send, headers=cookies))
    assert got.fields[:3] == [(n.decode(), v.decode()) for n, v in cookies]


def test_E7_an_exception_after_the_start_alone_is_a_clean_500():
    async def send_all(send):
        await start(send, 200, [(b"content-length", b"5")])
        await asyncio.sleep(0)
        raise RuntimeError("late")

    data, log = outcome(send_all)
    assert data.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert data.count(b"HTTP/1.1") == 1
    assert [str(e) for e in log.exceptions] == ["late"]


@pytest.mark.parametrize("loop", LOOPS)
def test_E8_a_chunk_does_not_wait_for_the_next(loop):
    go = threading.Event()

    async def app(scope, receive, send):
        await start(send)
        await more(send, b"first")
        await asyncio.to_thread(go.wait)
        await send({"type": "http.response.body", "body": b"second"})

    with Serving(app, loop=loop) as serving, serving.connect() as sock:
        sock.sendall(request(fields=CLOSE))
        assert read_until(sock, b"first\r\n").endswith(b"5\r\nfirst\r\n")
        go.set()
        assert read_all(sock) == b"6\r\nsecond\r\n0\r\n\r\n"


@pytest.mark.parametrize("loop", LOOPS)
def test_E9_send_waits_for_a_client_that_does_not_read(loop):
    waits, chunk, sent = threading.Event(), b"x" * (1 << 20), []

    async def app(scope, receive, send):
        await start(send, headers=[(b"content-length", b"%d" % (16 << 20))])
        for _ in range(16):
            sending = asyncio.ensure_future(more(send, chunk))
            if not waits.is_set():
                await asyncio.wait([sending], timeout=0.2)
            if not sending.done():
                waits.set()
            await sending
            sent.append(1)
        await send({"type": "http.response.body"})

    with Serving(app, loop=loop) as serving, serving.connect() as sock:
        sock.sendall(request(fields=CLOSE))
        assert waits.wait(DEADLINE_S)
        assert len(sent) < 14  # the socket's buffers, and the part that waits
        assert body_of(read_all(sock)) == chunk * 16
    assert len(sent) == 16


@pytest.mark.http1
def test_E9_the_kernel_buffers_little_for_a_client_that_does_not_read():
    """Hundreds of such clients must not use up the memory for all TCP connections."""
    waits, part, sent = threading.Event(), b"x" * (1 << 16), []

    async def app(scope, receive, send):
        await start(send)
        while True:
            sending = asyncio.ensure_future(more(send, part))
            await asyncio.wait([sending], timeout=0.5)
            if not sending.done():
                waits.set()
            await sending
            sent.append(len(part))

    with Serving(app, timeout_graceful_shutdown=0) as serving:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.settimeout(DEADLINE_S)
        with sock:
            sock.connect(serving.place)
            sock.sendall(request())
            assert waits.wait(DEADLINE_S)
            assert sum(sent) < 1 << 20
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


@pytest.mark.http1
@pytest.mark.parametrize("loop", LOOPS)
def test_E9_a_waiting_send_can_be_cancelled_and_loses_nothing(loop):
    cancelled, part = threading.Event(), b"x" * (1 << 16)

    async def app(scope, receive, send):
        sizes = []
        await start(send)
        while not cancelled.is_set():
            sizes.append(len(part))
            try:
                await asyncio.wait_for(more(send, part), 0.2)
            except TimeoutError:
                cancelled.set()
        await more(send, b"y" * len(sizes))
        await send({"type": "http.response.body"})

    with Serving(app, loop=loop) as serving, serving.connect() as sock:
        sock.sendall(request(version="1.0"))
        assert cancelled.wait(DEADLINE_S)
        body = body_of(read_all(sock))
    parts = body.count(b"y")
    assert body == part * parts + b"y" * parts


def test_E10_send_raises_even_if_receive_was_never_called():
    begun, gone, caught = threading.Event(), threading.Event(), []

    async def app(scope, receive, send):
        await start(send)
        await more(send, b"x")
        begun.set()
        await asyncio.to_thread(gone.wait)
        with pytest.raises(OSError) as raises:
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    await more(send, b"x")
                    await asyncio.sleep(0)
        caught.append(raises.value)
        raise raises.value

    with Serving(app) as serving:
        with serving.connect() as sock:
            sock.sendall(request())
            read_until(sock, b"x\r\n")
        gone.set()
    assert [type(exc).__name__ for exc in caught] == ["ClientDisconnected"]
    assert serving.log.exceptions == [] and serving.log.errors() == []


@pytest.mark.parametrize("catches", [False, True])
def test_E10_E11_send_after_a_disconnect_is_an_oserror_and_not_logged(catches):
    called, ended, caught = threading.Event(), threading.Event(), []

    async def app(scope, receive, send):
        await receive()
        called.set()
        assert (await receive())["type"] == "http.disconnect"
        try:
            for _ in range(2):
                try:
                    await answer(send)
                except OSError as exc:
                    caught.append(exc)
            if not catches:
                raise caught[0]
        finally:
            ended.set()

    with Serving(app) as serving:
        with serving.connect() as sock:
            sock.sendall(request())
            assert called.wait(DEADLINE_S)
        assert ended.wait(DEADLINE_S)
    assert len(caught) == 2
    assert type(caught[0]) is not OSError
    assert serving.log.exceptions == [] and serving.log.errors() == []


@pytest.mark.http1
def test_E12_a_half_closed_client_gets_its_response():
    async def app(scope, receive, send):
        await answer(send, b"still there")

    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(request())
        sock.shutdown(1)
        assert read_all(sock).endswith(b"\r\n\r\nstill there")


def test_E13_E14_after_the_response_send_is_ignored_and_receive_ends():
    seen = []

    async def app(scope, receive, send):
        await answer(send, b"once")
        await answer(send, b"twice")
        await send({"type": "http.response.body", "body": b"more"})
        seen.extend([(await receive())["type"] for _ in range(3)])

    with Serving(app) as serving:
        data = serving.talk(request() + request(fields=CLOSE))
    assert data.count(b"once") == data.count(b"HTTP/1.1 200") == 2
    assert b"twice" not in data and b"more" not in data
    assert seen == ["http.disconnect"] * 6


@pytest.mark.parametrize("loop", LOOPS)
def test_E15_a_pending_receive_reports_the_disconnect(loop):
    called, ended, seen = threading.Event(), threading.Event(), []

    async def app(scope, receive, send):
        await receive()
        called.set()
        seen.extend([(await receive())["type"] for _ in range(3)])
        ended.set()

    with Serving(app, loop=loop) as serving:
        with serving.connect() as sock:
            sock.sendall(request())
            assert called.wait(DEADLINE_S)
        assert ended.wait(DEADLINE_S)
    assert seen == ["http.disconnect"] * 3


def refused(*messages):
    """Return what the last message raises, and the response if it is not caught."""
    seen = []

    async def app(scope, receive, send):
        for message in messages[:-1]:
            await send(message)
        with pytest.raises((TypeError, ValueError, RuntimeError)) as caught:
            await send(messages[-1])
        seen.append(caught.value)
        raise caught.value

    with Serving(app) as serving:
        data = serving.talk(request(fields=CLOSE))
    assert data.startswith(b"HTTP/1.1 500 ")
    assert data.count(b"HTTP/1.1") == 1
    assert serving.log.exceptions == seen
    return seen[0]


def test_E16_a_body_before_its_start_raises():
    assert "before http.response.start" in str(refused(BODY))


def test_E17_a_second_start_raises():
    assert "already sent" in str(refused(START, START))


def test_E18_an_unknown_type_raises():
    exc = refused({"type": "http.response.push", "path": "/", "headers": []})
    assert "'http.response.push'" in str(exc)


def test_E18_after_a_wrong_message_the_application_may_continue():
    async def send_all(send):
        with pytest.raises(RuntimeError):
            await send({"type": "http.response.push"})
        await answer(send, b"all the same")

    assert served(send_all).body == b"all the same"


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"type": "http.response.start"}, ValueError),
        ({"status": 200}, ValueError),
        ({}, ValueError),
        ("http.response.start", TypeError),
        (None, TypeError),
        ([("type", "http.response.start"), ("status", 200)], TypeError),
    ],
    ids=["no-status", "no-type", "empty", "str", "none", "list"],
)
def test_E19_a_message_without_a_required_key_raises(message, error):
    assert type(refused(message)) is error


@pytest.mark.parametrize(
    "messages",
    [
        [{**START, "headers": [("x", b"y")]}],
        [{**START, "headers": [(b"x", "y")]}],
        [{**START, "headers": ["xy"]}],
        [{**START, "headers": 5}],
        [START, {**BODY, "body": "x"}],
        [START, {**BODY, "body": 1}],
        [START, {**BODY, "body": [1]}],
    ],
    ids=["name", "value", "pair", "headers", "str", "int", "list"],
)
def test_E20_a_body_that_is_not_bytes_raises(messages):
    assert type(refused(*messages)) is TypeError


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_E20_a_body_may_be_any_buffer(kind):
    async def send_all(send):
        await start(send)
        await send({"type": "http.response.body", "body": kind(b"buffer")})

    assert served(send_all).body == b"buffer"


def test_E20_a_buffer_may_be_changed_after_it_was_sent():
    async def send_all(send):
        body = bytearray(b"first" * 100_000)
        await start(send)
        await more(send, body)
        body[:] = b"later" * 100_000
        await send(BODY)

    assert served(send_all).body == b"first" * 100_000


def test_E21_unknown_keys_are_ignored():
    async def send_all(send):
        await send({**START, "trailers": False, "mine": 1})
        await send({"type": "http.response.body", "body": b"x", "mine": 1})

    assert served(send_all).body == b"x"


@pytest.mark.parametrize("status", [99, 100, 199, 1000, -200, 10**30, True])
def test_E22_a_status_out_of_range_raises(status):
    assert type(refused({**START, "status": status})) is ValueError


@pytest.mark.parametrize("status", ["200", b"200", 200.0, None])
def test_E22_a_status_that_is_not_an_int_raises(status):
    assert type(refused({**START, "status": status})) is TypeError


def test_E22_a_status_may_be_a_member_of_an_enum():
    assert served(lambda s: answer(s, status=HTTPStatus.CREATED)).status == 201


@pytest.mark.parametrize("status", [299, 599, 999])
def test_E23_an_unregistered_status_is_sent(status):
    assert served(lambda send: answer(send, b"x", status)).status == status


@pytest.mark.parametrize(
    "field",
    [
        (b"x", b"a\r\nb: c"),
        (b"x", b"a\nb"),
        (b"x", b"a\rb"),
        (b"x", b"a\0b"),
        (b"x", b"a\x7fb"),
        (b"x\r\ny", b""),
        (b"x\0", b""),
        (b"x ", b""),
        (b"x:", b""),
        (b"x\xff", b""),
    ],
    ids=repr,
)
def test_E32_a_field_that_would_split_the_head_raises(field):
    exc = refused({**START, "headers": [(b"fine", b"fine"), field]})
    assert type(exc) is ValueError
    assert repr(field[0]) in str(exc) or repr(field[1]) in str(exc)


def test_E33_a_pseudo_field_raises():
    assert "b':status'" in str(refused({**START, "headers": [(b":status", b"200")]}))


def test_E34_an_empty_name_raises():
    assert "b''" in str(refused({**START, "headers": [(b"", b"x")]}))


def test_E20_a_subclass_of_bytes_is_destroyed_within_send():
    gone = []

    class Noisy(bytes):
        def __del__(self):
            gone.append(threading.current_thread())

    async def app(scope, receive, send):
        await start(send)
        body = Noisy(b"x" * 100_000)
        message = {"type": "http.response.body", "body": body, "more_body": True}
        del body
        waits = send(message)
        message.clear()
        assert len(gone) == 1, "the engine keeps a copy"
        await waits
        await send({"type": "http.response.body"})

    with Serving(app) as serving:
        assert serving.ask().body == b"x" * 100_000
