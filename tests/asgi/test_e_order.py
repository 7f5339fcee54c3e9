"""Group E, first part: messages, their order, and what is wrong with them."""

import asyncio
import threading

import pytest
from serving import (
    DEADLINE_S,
    LOOPS,
    Serving,
    answer,
    more,
    outcome,
    raised,
    read_all,
    read_answer,
    read_until,
    request,
    start,
)

CLOSE = "Connection: close\r\n"


def served(send_all, **kwargs):
    """Return the Answer that ``send_all(send)`` gives."""

    async def app(scope, receive, send):
        await send_all(send)

    with Serving(app) as serving:
        return serving.ask(**kwargs)


def test_E1_start_and_body_are_an_answer():
    got = served(lambda send: answer(send, b"x"))
    assert (got.status, got.body) == (200, b"x")


def test_E2_E3_E4_what_is_missing_has_a_default():
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


def test_E6_the_order_of_fields_and_their_doubles_are_kept():
    cookies = [(b"set-cookie", b"a=1"), (b"x", b"y"), (b"set-cookie", b"b=2")]
    got = served(lambda send: answer(send, headers=cookies))
    assert got.fields[:3] == [(n.decode(), v.decode()) for n, v in cookies]


def test_E7_an_exception_behind_the_start_alone_is_a_clean_500():
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
        await start(send)
        for _ in range(64):
            sending = asyncio.ensure_future(more(send, chunk))
            await asyncio.wait([sending], timeout=0.2)
            if not sending.done():
                waits.set()
            await sending
            sent.append(1)
        await send({"type": "http.response.body"})

    with Serving(app, loop=loop) as serving, serving.connect() as sock:
        sock.sendall(request(fields=CLOSE))
        assert waits.wait(DEADLINE_S)
        assert len(sent) < 32  # the kernel's buffers, and the one that waits
        assert read_answer(sock).body == chunk * 64
    assert len(sent) == 64


@pytest.mark.parametrize("catches", [False, True])
def test_E10_E11_send_to_nobody_is_an_oserror_that_is_not_logged(catches):
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


def test_E12_a_client_that_only_stopped_sending_gets_its_answer():
    async def app(scope, receive, send):
        await answer(send, b"still there")

    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(request())
        sock.shutdown(1)
        assert read_all(sock).endswith(b"\r\n\r\nstill there")


def test_E13_E14_behind_the_answer_send_is_ignored_and_receive_is_disconnect():
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
def test_E15_a_receive_that_waits_hears_that_the_client_has_gone(loop):
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
        assert ended.wait(1)
    assert seen == ["http.disconnect"] * 3


START = {"type": "http.response.start", "status": 200}


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param([{"type": "http.response.body"}], id="E16"),
        pytest.param([START, START], id="E17"),
        pytest.param([{"type": "http.response.push"}], id="E18"),
        pytest.param([{"type": "http.response.start"}], id="E19-no-status"),
        pytest.param([{"status": 200}], id="E19-no-type"),
        pytest.param(["http.response.start"], id="E19-no-dict"),
        pytest.param([{**START, "headers": [("x", b"y")]}], id="E20-name"),
        pytest.param([{**START, "headers": [(b"x", "y")]}], id="E20-value"),
        pytest.param([START, {"type": "http.response.body", "body": "x"}], id="E20"),
        pytest.param([{**START, "status": 99}], id="E22-99"),
        pytest.param([{**START, "status": 1000}], id="E22-1000"),
        pytest.param([{**START, "status": "200"}], id="E22-text"),
        pytest.param([{**START, "headers": [(b"x", b"a\r\nb: c")]}], id="E32-crlf"),
        pytest.param([{**START, "headers": [(b"x", b"a\nb")]}], id="E32-lf"),
        pytest.param([{**START, "headers": [(b"x", b"a\0b")]}], id="E32-nul"),
        pytest.param([{**START, "headers": [(b"x\r\ny", b"")]}], id="E32-name"),
        pytest.param([{**START, "headers": [(b":status", b"200")]}], id="E33"),
        pytest.param([{**START, "headers": [(b"", b"x")]}], id="E34"),
    ],
)
def test_E16_E17_E18_E19_E20_E22_E32_E33_E34_wrong_messages_raise(messages):
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
    assert len(seen) == 1
    assert data.startswith(b"HTTP/1.1 500 ")
    assert data.count(b"HTTP/1.1") == 1


def test_E18_behind_a_wrong_message_the_application_may_go_on():
    async def send_all(send):
        with pytest.raises(RuntimeError):
            await send({"type": "http.response.push"})
        await answer(send, b"all the same")

    assert served(send_all).body == b"all the same"


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_E20_a_body_may_be_any_buffer(kind):
    async def send_all(send):
        await start(send)
        await send({"type": "http.response.body", "body": kind(b"buffer")})

    assert served(send_all).body == b"buffer"


def test_E21_keys_that_nobody_knows_are_ignored():
    async def send_all(send):
        await send({**START, "trailers": False, "mine": 1})
        await send({"type": "http.response.body", "body": b"x", "mine": 1})

    assert served(send_all).body == b"x"


@pytest.mark.parametrize("status", [299, 599, 999])
def test_E23_a_status_of_ones_own_is_sent(status):
    assert served(lambda send: answer(send, b"x", status)).status == status


def test_E16_a_body_before_its_start_says_so():
    async def send_all(send):
        await send({"type": "http.response.body"})

    assert "before http.response.start" in str(raised(send_all))
