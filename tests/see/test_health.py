"""The health path: ready, live, draining; ahead of the application, in every protocol.

Covers src/builtin/builtin.c and src/server/handlers.c.
"""

import signal

import pytest
from command import Command, connect, read_until, serve, talk
from serving import Serving, answer, read_answer, request


async def app(scope, receive, send):
    """Respond with a status that is used nowhere else."""
    await answer(send, b"the application", 299)


def test_without_the_option_the_path_belongs_to_the_application():
    with Serving(app) as serving:
        assert serving.ask("/-/health").status == 299


@pytest.mark.parametrize("path", ["", "/ready", "/live", "?live", "?ready"])
def test_a_serving_server_is_ready_and_live(path):
    with Serving(app, health_path="/-/health") as serving:
        got = serving.ask(f"/-/health{path}")
        assert (got.status, got.body) == (200, b"ok\n")
        assert got.field("cache-control") == "no-store"


@pytest.mark.parametrize("path", ["/", "/-/healthy", "/-/health/x", "/-"])
def test_other_paths_belong_to_the_application(path):
    with Serving(app, health_path="/-/health") as serving:
        assert serving.ask(path).status == 299


def test_only_get_and_head_are_allowed():
    with Serving(app, health_path="/-/health") as serving:
        got = serving.ask("/-/health", method="HEAD")
        assert (got.status, got.body) == (200, b"")
        got = serving.ask("/-/health", method="POST", body=b"x")
        assert (got.status, got.field("allow")) == (405, "GET, HEAD")


def test_probes_are_not_counted_as_requests():
    with Serving(app, health_path="/-/health") as serving:
        for _ in range(3):
            serving.ask("/-/health")
        numbers = serving.server.tallies.read(0)
    assert numbers["own"] == 3
    assert sum(v for k, v in numbers.items() if k.startswith("done")) == 0


def test_when_a_stop_begins_readiness_fails_and_liveness_does_not():
    """During --drain-delay connections are still accepted and requests served."""
    words = ["--health-path", "/-/health", "--drain-delay", "30"]
    with serve("hello", *words) as command:
        port = command.port()
        assert b"\r\n\r\nok\n" in talk(
            port, request("/-/health", "Connection: close\r\n")
        )
        command.signal(signal.SIGTERM)
        command.err.line_with("draining begins in 30 s")
        got = talk(port, request("/-/health", "Connection: close\r\n"))
        assert got.startswith(b"HTTP/1.1 503 ")
        assert got.endswith(b"\r\n\r\ndraining\n")
        got = talk(port, request("/-/health/live", "Connection: close\r\n"))
        assert got.startswith(b"HTTP/1.1 200 ")
        assert talk(port, request("/", "Connection: close\r\n")).startswith(
            b"HTTP/1.1 200 "
        )


def test_a_separate_address_does_not_serve_the_application():
    words = ["--metrics-bind", "127.0.0.1:0"]
    with serve("hello", *words) as command:
        port = command.port()
        line = command.err.line_with("health, metrics and status on ")
        inside = int(line.rpartition(":")[2])
        close = "Connection: close\r\n"
        assert talk(inside, request("/health", close)).startswith(b"HTTP/1.1 200 ")
        assert talk(inside, request("/else", close)).startswith(b"HTTP/1.1 404 ")
        assert talk(port, request("/health", close)).endswith(b"\r\n\r\nhello")


def test_probes_are_answered_while_connections_are_at_the_limit():
    words = ["--metrics-bind", "127.0.0.1:0", "--limit-concurrency", "1"]
    with serve("hello", *words) as command, connect(command.port()) as busy:
        busy.sendall(request())
        read_until(busy, b"hello")
        line = command.err.line_with("health, metrics and status on ")
        inside = int(line.rpartition(":")[2])
        got = talk(inside, request("/health", "Connection: close\r\n"))
        assert got.startswith(b"HTTP/1.1 200 ")


def test_probes_are_answered_over_http2():
    httpx = pytest.importorskip("httpx")
    pytest.importorskip("h2")
    with Serving(app, health_path="/-/health") as serving:
        url = f"http://127.0.0.1:{serving.place[1]}/-/health"
        with httpx.Client(http1=False, http2=True) as client:
            got = client.get(url)
    assert (got.http_version, got.status_code, got.text) == ("HTTP/2", 200, "ok\n")


def test_a_probe_keeps_the_connection():
    with Serving(app, health_path="/h") as serving, serving.connect() as sock:
        for path, status in (("/h", 200), ("/", 299), ("/h?live", 200)):
            sock.sendall(request(path))
            assert read_answer(sock).status == status


@pytest.mark.parametrize("path", ["h", "/\N{SNOWMAN}"])
def test_a_path_that_no_request_can_have_is_rejected(path, tmp_path):
    with Command("apps:hello", "--health-path", path) as command:
        assert command.wait() == 2
        assert "health-path" in command.err.rest()
