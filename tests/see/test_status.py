"""The status page and its news, without a browser; tests/browser has one."""

import json

from serving import Serving, answer, read_all, read_until, request


async def app(scope, receive, send):
    """Answer."""
    await answer(send, b"hello")


def news(sock):
    """Return the next event of a connection, and what came behind it is lost."""
    data = b""
    while b"}\n\n" not in data:
        data += sock.recv(65536)
    line = next(x for x in data.split(b"\n") if x.startswith(b"data: "))
    return json.loads(line[6:])


def test_the_page_is_one_file_that_loads_nothing_else():
    with Serving(app, status_path="/-/status") as serving:
        got = serving.ask("/-/status")
    assert got.field("content-type") == "text/html; charset=utf-8"
    assert b"<title>bolide</title>" in got.body
    assert b"src=" not in got.body
    assert b"http://" not in got.body.replace(b"http://www.w3.org/2000/svg", b"")


def test_the_news_come_at_once_and_every_second():
    with Serving(app, status_path="/-/status") as serving, serving.connect() as sock:
        serving.ask("/")
        sock.sendall(request("/-/status/events"))
        head = read_until(sock, b"\r\n\r\n")
        assert b"text/event-stream" in head
        first = news(sock) if b"}\n\n" not in head else None
        serving.ask("/")
        second = news(sock)
        assert second["total"]["done_2xx"] >= 1
        (worker,) = second["workers"]
        assert worker["pid"] > 0 and worker["rss"] > 1 << 20
        assert first is None or second["ms"] - first["ms"] >= 900
        assert sum(second["latency"]) == second["total"]["done_2xx"]


def test_a_page_that_is_closed_costs_nothing_more():
    with Serving(app, status_path="/s") as serving:
        for _ in range(40):  # more than may be open at once
            with serving.connect() as sock:
                sock.sendall(request("/s/events"))
                assert read_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_no_more_than_32_are_open_at_once():
    with Serving(app, status_path="/s") as serving:
        socks = [serving.connect() for _ in range(32)]
        for sock in socks:
            sock.sendall(request("/s/events"))
            read_until(sock, b"data: ")
        assert serving.ask("/s/events").status == 503
        assert serving.ask("/").status == 200
        for sock in socks:
            sock.close()


def test_a_stop_ends_the_news_in_order():
    with Serving(app, status_path="/s") as serving, serving.connect() as sock:
        sock.sendall(request("/s/events"))
        read_until(sock, b"data: ")
        serving.stop()
        assert read_all(sock).endswith(b"0\r\n\r\n")
