"""What is sent to a statsd server."""

import asyncio
import signal
import socket
import threading
import time

import pytest
from command import DEADLINE_S, request, serve, talk
from serving import Serving, answer

import bolide

CLOSE = "Connection: close\r\n"


@pytest.fixture
def heard():
    """Return a UDP socket; its port is where to send to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(DEADLINE_S)
        yield sock


def lines_until(sock, wanted):
    """Return all lines received, up to one that begins with ``wanted``."""
    lines = []
    end = time.monotonic() + DEADLINE_S
    while not any(line.startswith(wanted) for line in lines):
        assert time.monotonic() < end, lines
        lines += sock.recv(65536).decode().split("\n")
    return lines


@pytest.mark.parametrize("words", [[], ["--workers", "2"]])
def test_counters_are_sent_as_increments(heard, words):
    place = f"127.0.0.1:{heard.getsockname()[1]}"
    words = [*words, "--statsd", place, "--statsd-interval", "0.2"]
    with serve("hello", *words, "--statsd-prefix", "shop") as command:
        port = command.port()
        for _ in range(3):
            talk(port, request("/", CLOSE))
        count = 0
        lines = []
        while count < 3:
            lines = lines_until(heard, "shop.requests.2xx:")
            found = [x for x in lines if x.startswith("shop.requests.2xx:")]
            count += sum(int(x.split(":")[1].partition("|")[0]) for x in found)
        assert count == 3
        lines_until(heard, "shop.connections:")
        lines_until(heard, f"shop.workers:{2 if len(words) > 4 else 1}|g")
        command.signal(signal.SIGTERM)
        assert command.wait() == 0


def test_tags_are_sent_in_the_format_of_dogstatsd(heard):
    place = f"127.0.0.1:{heard.getsockname()[1]}"
    words = ["--statsd", place, "--statsd-interval", "0.2"]
    with serve("hello", *words, "--statsd-tags", "env:test") as command:
        talk(command.port(), request("/", CLOSE))
        lines = lines_until(heard, "bolide.requests:1|c")
    assert "bolide.requests:1|c|#status:2xx,env:test" in lines
    assert any(x.startswith("bolide.request_duration.p99:") for x in lines)


def test_a_missing_statsd_server_is_harmless(heard):
    place = f"127.0.0.1:{heard.getsockname()[1]}"
    heard.close()
    with serve("hello", "--statsd", place, "--statsd-interval", "0.1") as command:
        for _ in range(5):
            assert talk(command.port(), request("/", CLOSE)).endswith(b"hello")
        assert command.stop() == 0


async def hello(scope, receive, send):
    """Respond."""
    await answer(send, b"hello")


def test_a_slow_name_server_does_not_stop_the_loop(heard, monkeypatch):
    """Increments from before the address was resolved are sent after it."""
    asked, may_go_on = threading.Event(), threading.Event()
    threads = set()
    real = socket.getaddrinfo

    def slow(host, *args, **kwargs):
        if host == "stats.example":
            threads.add(threading.current_thread().name)
            asked.set()
            assert may_go_on.wait(DEADLINE_S)
            host = "127.0.0.1"
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    place = f"stats.example:{heard.getsockname()[1]}"
    with Serving(hello, statsd=place, statsd_interval=0.1) as serving:
        assert asked.wait(DEADLINE_S)
        assert serving.ask().status == 200
        may_go_on.set()
        assert "bolide.requests.2xx:1|c" in lines_until(heard, "bolide.requests.2xx:")
    assert threads == {"bolide-statsd"}


def test_after_serve_nothing_is_sent(heard):
    """The last packet has the counts of the stop; the loop continues without
    sending.
    """
    place = f"127.0.0.1:{heard.getsockname()[1]}"

    async def run():
        config = bolide.Config(
            hello, port=0, statsd=place, statsd_interval=0.1, access_log=False,
            lifespan="off", log_level="error",
        )  # fmt: skip
        server = bolide.Server(config)
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(lines_until, heard, "bolide.workers:1|g")
        port = server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("/", CLOSE))
        assert (await reader.read()).endswith(b"hello")
        server.should_exit = True
        await task
        return asyncio.all_tasks(), asyncio.get_running_loop()._scheduled

    _, timers = asyncio.run(run())
    lines = lines_until(heard, "bolide.requests.2xx:1|c")
    assert lines
    assert not [x for x in timers if not x.cancelled() and "send" in repr(x)]


@pytest.mark.parametrize("place", ["", ":", "host:port", "host:0", "host:70000"])
def test_an_invalid_address_is_rejected(place):
    from bolide.config.addresses import parse_statsd

    with pytest.raises(bolide.ConfigError):
        parse_statsd(place)
