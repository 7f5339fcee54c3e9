"""What counts as a request is the same over HTTP/1.1 and over HTTP/2."""

import time

import pytest
from serving import DEADLINE_S, Serving, answer
from talking_h2 import head, talk


async def app(scope, receive, send):
    """Respond with 200."""
    await answer(send, b"hello")


def over_h1(serving, fields):
    """Return the status of one request over HTTP/1.1."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return serving.ask("/", lines, method="POST").status


def over_h2(serving, fields):
    """Return the status of one request over HTTP/2."""
    with talk(serving) as client:
        stream = client.ask(head("/", "POST", fields), ends=False)
        return client.finish(stream).status


@pytest.mark.parametrize("ask", [over_h1, over_h2])
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([("expect", "wonders")], 417),
        ([("content-length", "11")], 413),
        ([("x-a", "x" * 2000)], 431),
    ],
)
def test_a_rejected_head_is_not_counted_as_a_request(ask, fields, status):
    """See docs/METRICS.md. It is not in the access log and not in max_requests
    either.
    """
    with Serving(app, limit_body=10, limit_head=1000) as serving:
        assert ask(serving, fields) == status
        assert serving.ask("/").status == 200
        end = time.monotonic() + DEADLINE_S
        while (numbers := serving.server.tallies.read(0))["done_2xx"] == 0:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert (numbers["done_2xx"], numbers["done_4xx"]) == (1, 0)
        assert (numbers["running"], numbers["own"]) == (0, 0)
        refused = sum(n for name, n in numbers.items() if name.startswith("refused_"))
        assert refused == 1
