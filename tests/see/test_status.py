"""The status page and its events, without a browser; tests/browser uses one.

Covers src/builtin/status.c.
"""

import json
import os
import re
import signal
import socket
import struct
import time

from command import connect, serve, talk
from command import request as get
from serving import DEADLINE_S, Serving, answer, read_all, read_until, request

import bolide


async def app(scope, receive, send):
    """Respond."""
    await answer(send, b"hello")


def news(sock):
    """Return the next event of a connection; what follows it is lost."""
    data = b""
    while b"}\n\n" not in data:
        data += sock.recv(65536)
    line = next(x for x in data.split(b"\n") if x.startswith(b"data: "))
    return json.loads(line[6:])


def test_the_page_is_one_file_without_external_resources():
    with Serving(app, status_path="/-/status") as serving:
        got = serving.ask("/-/status")
    assert got.field("content-type") == "text/html; charset=utf-8"
    assert b"<title>bolide</title>" in got.body
    assert len(got.body) < 32768
    assert b"src=" not in got.body
    assert b"http://" not in got.body.replace(b"http://www.w3.org/2000/svg", b"")


def test_events_are_sent_at_once_and_every_second():
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


def events(sock, count):
    """Return the next events of a connection, each complete."""
    data = b""
    while data.count(b"\n\n") < count + (b"\r\n\r\n" in data):
        more = sock.recv(65536)
        assert more
        data += re.sub(rb"\r\n[0-9a-f]+\r\n", b"", more)
    lines = [x for x in data.split(b"\n") if x.startswith(b"data: ")]
    return [json.loads(x[6:]) for x in lines]


def test_the_first_event_describes_the_server_and_its_history():
    """The charts show what happened before the page was opened."""
    with Serving(app, status_path="/s") as serving:
        serving.ask("/")
        end = time.monotonic() + DEADLINE_S
        while True:
            with serving.connect() as sock:
                sock.sendall(request("/s/events"))
                (first,) = events(sock, 1)
            names, rows = first["history"]["names"], first["history"]["rows"]
            assert all(len(row) == len(names) for row in rows)
            done = [row[names.index("done_2xx")] for row in rows]
            if len(set(done)) > 1:
                break
            assert time.monotonic() < end
            serving.ask("/")
        seconds = [row[0] for row in rows]
        assert seconds == list(range(seconds[0], seconds[-1] + 1, 1000))
        assert done == sorted(done)
        about = first["about"]
        assert about["version"] == bolide.__version__
        assert about["pid"] == os.getpid()
        assert about["started"] <= first["time"]
        assert first["deaths"]["count"] == 0


def test_only_the_first_event_has_the_history():
    with Serving(app, status_path="/s") as serving, serving.connect() as sock:
        sock.sendall(request("/s/events"))
        first, second = events(sock, 2)
        assert "history" in first and "about" in first
        assert "history" not in second and "about" not in second


def test_an_event_reports_a_worker_that_died():
    words = ["--workers", "2", "--metrics-bind", "127.0.0.1:0"]
    with serve("pid", *words) as command:
        port = command.port()
        place = command.err.line_with("health, metrics and status on ")
        inside = int(place.rpartition(":")[2])
        victim = int(talk(port, get("/")).rpartition(b"\r\n")[2])
        os.kill(victim, signal.SIGKILL)
        command.err.line_with("was killed by SIGKILL")
        with connect(inside) as sock:
            sock.sendall(get("/events", ""))
            (first,) = events(sock, 1)
        deaths = first["deaths"]
        assert (deaths["count"], deaths["pid"], deaths["code"]) == (1, victim, -9)
        assert b"\nbolide_worker_deaths_total 1\n" in talk(inside, get("/metrics"))


def test_pages_that_end_together_are_harmless():
    """Many streams of events, on connections that are reset while events are sent."""
    with Serving(app, status_path="/s") as serving:
        for _ in range(2):
            socks = [serving.connect() for _ in range(20)]
            for sock in socks:
                sock.sendall(request("/s/events"))
                read_until(sock, b"data: ")
            for sock in socks:
                sock.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
                sock.close()
        assert serving.ask("/").status == 200


def test_a_closed_page_frees_its_slot():
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


def test_a_stop_ends_the_events_gracefully():
    with Serving(app, status_path="/s") as serving, serving.connect() as sock:
        sock.sendall(request("/s/events"))
        read_until(sock, b"data: ")
        serving.stop()
        assert read_all(sock).endswith(b"0\r\n\r\n")
