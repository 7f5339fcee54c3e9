"""Group E, second part: how a response is written to the connection."""

import asyncio
import threading

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
    read_body,
    read_until,
    request,
    start,
)

CLOSE = "Connection: close\r\n"


def head_of(data):
    """Return the lines of the first head, in lower case."""
    return data.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")


def test_E24_transfer_encoding_from_the_application_is_dropped():
    async def send_all(send):
        await answer(send, b"x", headers=[(b"transfer-encoding", b"chunked")])

    data, _ = outcome(send_all)
    assert not any(x.startswith(b"transfer-encoding") for x in head_of(data))
    assert b"content-length: 1" in head_of(data)


def test_E25_a_response_without_a_length_is_chunked_or_gets_one():
    async def streamed(send):
        await start(send)
        await more(send, b"a")
        await asyncio.sleep(0.01)
        await send({"type": "http.response.body", "body": b"b"})

    data, _ = outcome(streamed)
    assert b"transfer-encoding: chunked" in head_of(data)
    assert body_of(data) == b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"
    data, _ = outcome(lambda send: answer(send, b"whole"))
    assert b"content-length: 5" in head_of(data)


@pytest.mark.http1
def test_E26_on_http_1_0_the_body_ends_with_the_connection():
    async def app(scope, receive, send):
        await start(send)
        await more(send, b"a")
        await asyncio.sleep(0.01)
        await send({"type": "http.response.body", "body": b"b"})

    with Serving(app) as serving:
        data = serving.talk(request(version="1.0"))
    assert body_of(data) == b"ab"
    assert not any(x.startswith(b"transfer-encoding") for x in head_of(data))


def test_E27_content_length_from_the_application_is_sent_once():
    data, _ = outcome(lambda s: answer(s, b"abc", headers=[(b"Content-Length", b"3")]))
    assert head_of(data).count(b"content-length: 3") == 1
    assert not any(x.startswith(b"transfer-encoding") for x in head_of(data))


@pytest.mark.parametrize(
    "values",
    [[b"abc"], [b"+3"], [b""], [b" 3"], [b"3, 3"], [b"3", b"3"], [b"3", b"4"]],
    ids=repr,
)
def test_E27_a_content_length_that_is_not_one_number_raises(values):
    async def send_all(send):
        with pytest.raises(ValueError, match="Content-Length"):
            await start(send, 200, [(b"content-length", value) for value in values])
        await answer(send, b"abc", headers=[(b"content-length", b"3")])

    data, _ = outcome(send_all)
    assert [x for x in head_of(data) if b"length" in x] == [b"content-length: 3"]


def test_E27_a_streamed_body_with_a_length_is_not_chunked():
    async def send_all(send):
        await start(send, 200, [(b"content-length", b"3")])
        for part in (b"a", b"b"):
            await more(send, part)
            await asyncio.sleep(0.01)
        await send({"type": "http.response.body", "body": b"c"})

    data, log = outcome(send_all)
    assert body_of(data) == b"abc"
    assert not any(x.startswith(b"transfer-encoding") for x in head_of(data))
    assert log.exceptions == [] and log.errors() == []


def test_E28_more_than_the_content_length_raises_and_is_not_sent():
    async def send_all(send):
        await start(send, 200, [(b"content-length", b"3")])
        with pytest.raises(RuntimeError):
            await send({"type": "http.response.body", "body": b"abcd"})
        await send({"type": "http.response.body", "body": b"abc"})

    data, _ = outcome(send_all)
    assert body_of(data) == b"abc"


@pytest.mark.http1
def test_E29_less_than_the_content_length_is_cut_off_and_logged():
    async def app(scope, receive, send):
        await answer(send, b"abc", headers=[(b"content-length", b"5")])

    with Serving(app) as serving:
        data = serving.talk(request() + request())
    assert data.count(b"HTTP/1.1") == 1
    assert body_of(data) == b"abc"
    assert serving.log.exceptions or serving.log.errors()


def test_E30_the_response_to_head_has_the_fields_and_no_body():
    async def app(scope, receive, send):
        await answer(send, b"abc", headers=[(b"content-length", b"3")])

    with Serving(app) as serving:
        data = serving.talk(request(method="HEAD") + request("/", CLOSE, method="HEAD"))
    assert data.count(b"HTTP/1.1 200") == data.count(b"content-length: 3") == 2
    assert data.endswith(b"\r\n\r\n") and b"abc" not in data


def test_E30_the_response_to_head_without_a_length_has_no_chunks():
    async def app(scope, receive, send):
        await start(send)
        await more(send, b"a")
        await asyncio.sleep(0.01)
        await send({"type": "http.response.body", "body": b"b"})

    with Serving(app) as serving:
        data = serving.talk(request(method="HEAD") + request("/", CLOSE, method="HEAD"))
    assert [x[:12] for x in data.split(b"\r\n\r\n")] == [b"HTTP/1.1 200"] * 2 + [b""]
    assert serving.log.exceptions == [] and serving.log.errors() == []


def test_E30_the_content_length_for_head_needs_no_body():
    async def app(scope, receive, send):
        await answer(send, headers=[(b"content-length", b"3")])

    with Serving(app) as serving:
        data = serving.talk(request(method="HEAD") + request("/", CLOSE, method="HEAD"))
    assert data.count(b"HTTP/1.1 200") == data.count(b"content-length: 3") == 2
    assert serving.log.exceptions == [] and serving.log.errors() == []


@pytest.mark.parametrize("status", [204, 304])
def test_E31_204_and_304_have_no_body(status):
    async def app(scope, receive, send):
        await answer(send, b"abc", status)

    with Serving(app) as serving:
        data = serving.talk(request() + request(fields=CLOSE))
    assert data.count(b"HTTP/1.1 %d" % status) == 2
    assert b"abc" not in data and b"transfer-encoding" not in data
    assert status == 304 or b"content-length" not in data


def test_E31_a_304_may_have_a_content_length():
    async def app(scope, receive, send):
        await answer(send, status=304, headers=[(b"content-length", b"3")])

    with Serving(app) as serving:
        data = serving.talk(request() + request(fields=CLOSE))
    assert data.count(b"HTTP/1.1 304") == data.count(b"content-length: 3") == 2
    assert serving.log.exceptions == [] and serving.log.errors() == []


def test_E31_a_content_length_in_a_204_is_dropped():
    data, log = outcome(lambda s: answer(s, b"abc", 204, [(b"content-length", b"3")]))
    assert data.startswith(b"HTTP/1.1 204 ") and body_of(data) == b""
    assert b"content-length" not in data
    assert log.exceptions == [] and log.errors() == []


@pytest.mark.parametrize("status", [100, 101, 103])
def test_E31_a_status_below_200_raises(status):
    async def send_all(send):
        with pytest.raises(ValueError, match="200 to 999"):
            await start(send, status)
        await answer(send, b"final")

    assert body_of(outcome(send_all)[0]) == b"final"


def test_E35_names_may_be_in_upper_case():
    data, _ = outcome(lambda send: answer(send, headers=[(b"X-Upper", b"Kept")]))
    assert b"\r\nx-upper: Kept\r\n" in data or b"\r\nX-Upper: Kept\r\n" in data


def test_E36_date_and_server_are_added_once():
    data, _ = outcome(answer)
    assert sum(x.startswith(b"date: ") for x in head_of(data)) == 1
    assert b"server: bolide" in head_of(data)
    own = [(b"Date", b"Thu, 01 Jan 1970 00:00:00 GMT"), (b"Server", b"mine")]
    data, _ = outcome(lambda send: answer(send, headers=own))
    assert sum(x.startswith(b"date: ") for x in head_of(data)) == 1
    assert [x for x in head_of(data) if x.startswith(b"server")] == [b"server: mine"]


def test_E37_an_exception_before_the_start_is_a_500_with_its_traceback():
    async def app(scope, receive, send):
        raise RuntimeError("early")

    with Serving(app) as serving:
        data = serving.talk(request() + request(fields=CLOSE))
    assert data.count(b"HTTP/1.1 500 Internal Server Error\r\n") == 2
    (first, _) = serving.log.exceptions
    assert str(first) == "early" and first.__traceback__ is not None


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("ends", ["raises", "returns"])
def test_E38_E40_a_client_can_detect_an_incomplete_response(loop, ends):
    async def app(scope, receive, send):
        await start(send)
        await more(send, b"x" * 100_000)
        if ends == "raises":
            raise RuntimeError("in the middle")

    with Serving(app, loop=loop) as serving:
        got = serving.ask()
    assert (got.status, got.is_whole) == (200, False)
    assert serving.log.exceptions or serving.log.errors()


def test_E38_an_exception_after_the_response_is_only_logged():
    async def app(scope, receive, send):
        await answer(send, b"whole")
        raise RuntimeError("after the end")

    with Serving(app) as serving:
        data = serving.talk(request() + request(fields=CLOSE))
    assert data.count(b"\r\n\r\nwhole") == 2
    assert [str(e) for e in serving.log.exceptions] == ["after the end"] * 2


def test_E39_a_return_without_a_response_is_a_500():
    async def app(scope, receive, send):
        pass

    with Serving(app) as serving:
        assert serving.ask().status == 500
    (text,) = serving.log.errors()
    assert text.startswith("ASGI application returned without a response: GET / from ")


def test_E41_the_return_value_of_the_application_is_ignored():
    async def app(scope, receive, send):
        await answer(send, b"x")
        return "something"

    with Serving(app) as serving:
        assert serving.ask().body == b"x"
    assert serving.log.exceptions == []


@pytest.mark.http1
@pytest.mark.parametrize("fields", [CLOSE, "Connection: foo , CLOSE\r\n"])
def test_E42_a_connection_is_kept_until_either_side_sends_close(fields):
    async def app(scope, receive, send):
        headers = [(b"connection", b"close")] if scope["path"] == "/last" else []
        await answer(send, b"x", headers=headers)

    with Serving(app) as serving:
        by_client = serving.talk(request() + request() + request(fields=fields))
        by_application = serving.talk(request() + request("/last") + request())
    assert by_client.count(b"HTTP/1.1 200") == 3
    assert by_application.count(b"HTTP/1.1 200") == 2
    assert by_application.count(b"connection: close\r\n") == 1


@pytest.mark.http1
def test_E43_an_http_1_0_connection_is_kept_if_the_client_asks():
    async def app(scope, receive, send):
        await answer(send, b"x", headers=[(b"content-length", b"1")])

    with Serving(app) as serving:
        asks = request("/", "Connection: Keep-Alive\r\n", version="1.0")
        data = serving.talk(asks + request(version="1.0"))
    assert data.count(b" 200 OK") == 2
    assert data.count(b"connection: keep-alive\r\n") == 1


@pytest.mark.http1
def test_E44_pipelined_requests_run_one_after_the_other():
    running, log = [], []

    async def app(scope, receive, send):
        log.append((scope["path"], len(running)))
        running.append(1)
        await asyncio.sleep(0.01 if scope["path"] == "/1" else 0)
        running.pop()
        await answer(send, scope["raw_path"][1:])

    with Serving(app) as serving:
        data = serving.talk(
            b"".join(request(f"/{n}") for n in (1, 2, 3)) + request("/4", CLOSE)
        )
    assert [x[:1] for x in data.split(b"\r\n\r\n")[1:]] == [b"1", b"2", b"3", b"4"]
    assert log == [(f"/{n}", 0) for n in (1, 2, 3, 4)]


def test_E45_E46_an_empty_part_writes_nothing_and_the_end_is_sent_once():
    async def send_all(send):
        await start(send)
        await more(send, b"")
        await more(send, b"a")
        await asyncio.sleep(0.01)
        await more(send, b"")
        await send({"type": "http.response.body"})

    data, _ = outcome(send_all)
    assert body_of(data) == b"1\r\na\r\n0\r\n\r\n"


@pytest.mark.http1
def test_E47_parts_sent_in_one_turn_are_written_together():
    async def send_all(send):
        await start(send)
        await more(send, b"ab")
        await send({"type": "http.response.body"})

    data, _ = outcome(send_all)
    assert b"content-length: 2" in head_of(data)
    assert body_of(data) == b"ab"


def test_E48_parts_sent_by_several_tasks_do_not_mix():
    parts = [bytes([65 + n]) * 70_000 for n in range(8)]

    async def send_all(send):
        await start(send)
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(more(send, part))
        await send({"type": "http.response.body"})

    async def app(scope, receive, send):
        await send_all(send)

    with Serving(app) as serving:
        got = serving.ask(fields=CLOSE)
    assert got.is_whole
    pieces = [got.body[n : n + 70_000] for n in range(0, len(got.body), 70_000)]
    assert sorted(pieces) == parts


@pytest.mark.http1
def test_E49_a_half_close_is_a_disconnect_for_a_pending_receive():
    async def app(scope, receive, send):
        assert await read_body(receive) == b""
        assert (await receive())["type"] == "http.disconnect"

    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(request())
        sock.shutdown(1)
        read_all(sock)
    assert serving.log.exceptions == []


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_E50_an_exit_raised_by_the_application_is_answered_with_500(kind):
    async def app(scope, receive, send):
        raise kind

    serving = Serving(app)
    with pytest.raises(AssertionError), serving, serving.connect() as sock:
        sock.sendall(request())
        assert read_all(sock).startswith(b"HTTP/1.1 500 ")
    assert isinstance(serving.failure, kind)


def test_E50_any_other_base_exception_is_a_500():
    class Mine(BaseException):
        pass

    async def app(scope, receive, send):
        raise Mine

    with Serving(app) as serving:
        data = serving.talk(request() + request(fields=CLOSE))
    assert data.count(b"HTTP/1.1 500 ") == 2
    assert [type(e) for e in serving.log.exceptions] == [Mine] * 2


@pytest.mark.parametrize("loop", LOOPS)
def test_E51_a_waiting_send_ends_when_the_client_disconnects(loop):
    ended = threading.Event()

    async def app(scope, receive, send):
        await start(send)
        try:
            while True:
                await more(send, b"x" * (1 << 20))
        except OSError:
            ended.set()
            raise

    with Serving(app, loop=loop) as serving:
        with serving.connect() as sock:
            sock.sendall(request())
            read_until(sock, b"xxxx")
        assert ended.wait(DEADLINE_S)
    assert serving.log.exceptions == []


@pytest.mark.parametrize("loop", LOOPS)
def test_E51_all_waiting_sends_end_when_the_client_disconnects(loop):
    ended, kinds = threading.Event(), []

    async def app(scope, receive, send):
        await start(send)
        tasks = [asyncio.create_task(more(send, b"x" * (1 << 20))) for _ in range(24)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        kinds.extend(type(x).__name__ for x in results if x is not None)
        ended.set()

    with Serving(app, loop=loop) as serving:
        with serving.connect() as sock:
            sock.sendall(request())
            read_until(sock, b"xxxx")
        assert ended.wait(DEADLINE_S)
    assert kinds and set(kinds) == {"ClientDisconnected"}
    assert serving.log.exceptions == [] and serving.log.errors() == []
