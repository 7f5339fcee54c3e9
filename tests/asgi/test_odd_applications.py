"""What applications and middleware may do with what they are given, and seldom do.

Covers src/asgi/fields.c, src/asgi/done.c, src/asgi/raise.c and src/asgi/describe.c.
"""

import pytest
from serving import Serving, read_answer, request

HEAD = request(fields="Content-Length: 2\r\n", method="POST")


def respond(headers):
    """Return the response of an application that sends ``headers``."""

    async def app(scope, receive, send):
        head = {"type": "http.response.start", "status": 200, "headers": headers}
        await send(head)
        await send({"type": "http.response.body", "body": b"done"})

    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(request())
        return read_answer(sock), serving


def test_a_response_may_have_many_headers():
    got, _ = respond([(b"x-%d" % i, b"%d" % i) for i in range(90)])
    assert got.body == b"done"
    assert [got.field(f"x-{i}") for i in range(90)] == [f"{i}" for i in range(90)]


WRONG_HEADERS = [
    [(b"a",)],
    [(b"a", b"b", b"c")],
    [iter((b"a",))],
    [[b"a", b"b", b"c"]],
    [1],
    [(b"a", 1)],
    [(1, b"b")],
    1,
]


@pytest.mark.parametrize(
    "headers",
    WRONG_HEADERS,
    ids=["one", "three", "iterator", "list", "int", "value", "name", "no list"],
)
def test_headers_that_are_no_pairs_are_rejected(headers):
    got, serving = respond(headers)
    assert got.status == 500
    assert serving.log.exceptions


def test_what_receive_and_send_return_can_be_driven_by_hand():
    async def app(scope, receive, send):
        waits = [receive(), receive(), receive()]
        first = waits[0].send(None)
        assert next(first) is first
        assert iter(first) is first
        for wait, error in zip(
            waits, (KeyError, KeyError("x"), ValueError), strict=True
        ):
            with pytest.raises(error if isinstance(error, type) else KeyError):
                wait.throw(error)
            wait.close()
        wait = receive()
        with pytest.raises(TypeError):
            wait.throw()
        with pytest.raises(TypeError):
            wait.throw(1)
        wait.close()
        head = {"type": "http.response.start", "status": 200}
        done = send(head)
        with pytest.raises(StopIteration):
            done.send(None)
        done = send({"type": "http.response.body", "body": b"do", "more_body": True})
        with pytest.raises(KeyError):
            done.throw(KeyError)
        done = send({"type": "http.response.body", "body": b"ne"})
        assert done.close() is None

    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(HEAD)
        assert read_answer(sock).body == b"done"


class Odd(ExceptionGroup):
    """A group whose members are not what they should be."""

    exceptions = 1


class Nameless(Exception):
    """An exception whose code is no number."""

    code = "x"


def deep():
    """Return an exception in more groups than anybody looks into."""
    exc = ValueError("deep")
    for _ in range(30):
        exc = ExceptionGroup("more", [exc])
    return exc


@pytest.mark.parametrize(
    "exc",
    [Odd("odd", [ValueError()]), Nameless(), deep(), ExceptionGroup("x", [OSError()])],
    ids=["odd", "nameless", "deep", "group"],
)
def test_an_exception_after_a_disconnect_is_logged_unless_it_reports_it(exc):
    async def app(scope, receive, send):
        while (await receive())["type"] != "http.disconnect":
            pass
        raise exc

    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(HEAD + b"a")
    assert serving.log.exceptions


ODD_SCOPES = [
    {"method": 1, "path": 1},
    {"raw_path": None, "path": b"x"},
    {"raw_path": "x", "path": None},
    {"client": None},
    {"client": ("a",)},
    {"client": [1, 2]},
    {"client": (1, 2)},
    {"client": ("::1", 2)},
    {"client": ("a", "b")},
    {"headers": None},
    {"headers": [1, (b"a",), ("a", "b"), (b"a", b"b"), (b"x-request-id", b"7")]},
    {"headers": [(b"x-request-id", b"\xff")]},
]


@pytest.mark.parametrize("changes", ODD_SCOPES, ids=repr)
def test_a_scope_that_was_changed_is_described_as_well_as_it_can_be(changes):
    async def app(scope, receive, send):
        scope.update(changes)
        raise ValueError("odd")

    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(request())
        assert read_answer(sock).status == 500
    assert serving.log.exceptions
