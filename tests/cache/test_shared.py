"""Requests that share one call of the application, in one worker and in several, and
responses that are validated in the background.

Covers src/cache/flight.c, src/cache/refresh.c and src/py/cache.c.
"""

import asyncio
import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest
from cached import App
from command import PATIENCE, Command, request, talk
from serving import DEADLINE_S, Serving, answer, read_answer
from serving import request as ask_for
from talking import Secure, client_context
from talking_h2 import Talk
from test_stored import CACHE, status_of, target

HERE = Path(__file__).parent


def bodies_of(port, where, count):
    """Send ``count`` requests at once; return bodies and Cache-Status fields."""

    async def one():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(where))
        data = await reader.read()
        writer.close()
        head, _, body = data.partition(b"\r\n\r\n")
        return body, re.search(rb"(?i)cache-status: ([^\r]*)", head).group(1)

    async def all_of_them():
        async with asyncio.timeout(DEADLINE_S * 2):
            return await asyncio.gather(*(one() for _ in range(count)))

    return asyncio.run(all_of_them())


def serve(tmp_path, *words, env=()):
    """Return a command that serves cached.py and records calls in tmp_path/calls."""
    calls = tmp_path / "calls"
    calls.touch()
    words = ["--port", "0", "--cache", "4194304", "--no-access-log", *words]
    return Command(
        "cached:app", *words, cwd=HERE, env={"CALLS": str(calls), **dict(env)}
    )


def count_calls(tmp_path):
    """Return how often the application was called."""
    return len((tmp_path / "calls").read_text().splitlines())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_thousand_clients_on_a_cold_key_call_the_application_once(tmp_path, workers):
    where = target(cc="max-age=60", sleep=0.5)
    words = ["--workers", str(workers), "--cache-wait", str(30 * PATIENCE)]
    with serve(tmp_path, *words) as command:
        got = bodies_of(command.port(), where, 1000)
    assert count_calls(tmp_path) == 1
    assert len({body for body, _ in got}) == 1
    assert sum(b"fwd=uri-miss; stored" in status for _, status in got) == 1
    assert sum(b"collapsed" in status for _, status in got) > 100


def test_a_response_stored_by_one_worker_is_sent_by_another(tmp_path):
    where = target(cc="max-age=60")
    with serve(tmp_path, "--workers", "2") as command:
        port = command.port()
        found = set()
        for i in range(40):
            pid = talk(port, request(target(f"/pid{i}"))).rpartition(b" ")[2]
            found.add(pid)
        bodies = {
            talk(port, request(where)).partition(b"\r\n\r\n")[2] for _ in range(40)
        }
    assert len(found) == 2  # both serve
    assert len(bodies) == 1


def test_a_killed_leader_is_replaced_at_once(tmp_path):
    where = target(cc="max-age=60", sleep=1.5)
    words = ["--workers", "2", "--cache-wait", str(60 * PATIENCE)]
    with serve(tmp_path, *words) as command:
        port, got = command.port(), []

        def ask():
            got.append(talk(port, request(where)))

        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + DEADLINE_S
        while not (pids := (tmp_path / "calls").read_text().split()):
            assert time.monotonic() < end
            time.sleep(0.01)
        os.kill(int(pids[0]), signal.SIGKILL)
        for thread in threads:
            thread.join(DEADLINE_S)
        assert not any(thread.is_alive() for thread in threads)
        ask()  # all of them may have been connected to the worker that was killed
    answered = {x.partition(b"\r\n\r\n")[2] for x in got if x}
    assert len(answered) == 1
    assert count_calls(tmp_path) == 2


def test_the_store_survives_a_killed_worker(tmp_path):
    with serve(tmp_path, "--workers", "2") as command:
        port = command.port()
        where = target(cc="max-age=60")
        body = talk(port, request(where)).partition(b"\r\n\r\n")[2]
        os.kill(int(body.split()[1]), signal.SIGKILL)
        command.err.line_with("worker")
        for _ in range(5):
            assert talk(port, request(where)).partition(b"\r\n\r\n")[2] == body


def test_a_reload_keeps_the_stored_responses(tmp_path):
    with serve(tmp_path, "--workers", "2") as command:
        port = command.port()
        where = target(cc="max-age=60")
        body = talk(port, request(where)).partition(b"\r\n\r\n")[2]
        command.signal(signal.SIGHUP)
        command.err.line_with("reloaded: 2 new workers are serving")
        assert talk(port, request(where)).partition(b"\r\n\r\n")[2] == body


def test_requests_for_uncacheable_responses_do_not_wait(tmp_path):
    app = App()
    with Serving(app, cache_wait=60 * PATIENCE, **CACHE) as server:
        began = time.monotonic()
        got = bodies_of(server.place[1], target(sleep=0.3), 30)
        assert time.monotonic() - began < 5 * PATIENCE
    assert app.calls == 30
    assert all(status == b"bolide; fwd=uri-miss" for _, status in got)


def test_no_request_waits_longer_than_the_limit():
    app = App()
    with Serving(app, cache_wait=0.1, **CACHE) as server:
        got = bodies_of(server.place[1], target(cc="max-age=60", sleep=1), 5)
    assert len(got) == 5
    assert app.calls == 5
    app = App()
    with Serving(app, cache_wait=0, **CACHE) as server:
        bodies_of(server.place[1], target(cc="max-age=60", sleep=0.3), 5)
    assert app.calls == 5


def test_after_a_failed_leader_the_next_request_leads():
    calls = []

    async def app(scope, receive, send):
        calls.append(scope)
        await asyncio.sleep(0.1)
        if len(calls) == 1:
            raise RuntimeError("the first one")
        await answer(send, b"ok", headers=[(b"cache-control", b"max-age=60")])

    with Serving(app, cache_wait=60 * PATIENCE, **CACHE) as server:

        async def both():
            loop = asyncio.get_running_loop()
            return await asyncio.gather(
                *(loop.run_in_executor(None, server.ask) for _ in range(4))
            )

        got = asyncio.run(both())
    assert sorted(x.status for x in got) == [200, 200, 200, 500]
    assert len(calls) == 2


def test_after_the_disconnect_of_a_leader_the_next_request_leads():
    app = App()
    with Serving(
        app, cache_wait=60 * PATIENCE, timeout_disconnect=0.1, **CACHE
    ) as server:
        where = target(cc="max-age=60", sleep=0.5)
        first = server.connect_directly()
        first.sendall(ask_for(where))
        end = time.monotonic() + DEADLINE_S
        while app.calls == 0:
            assert time.monotonic() < end
            time.sleep(0.01)
        with server.connect_directly() as second:
            second.sendall(ask_for(where))
            first.close()
            assert read_answer(second).status == 200
        assert "hit" in status_of(server.ask(where))


def test_a_waiting_client_may_disconnect():
    app = App()
    with Serving(app, cache_wait=60 * PATIENCE, **CACHE) as server:
        where = target(cc="max-age=60", sleep=0.5)
        with server.connect_directly() as first:
            first.sendall(ask_for(where))
            for _ in range(5):
                with server.connect_directly() as other:
                    other.sendall(ask_for(where))
            assert read_answer(first).status == 200
        assert "hit" in status_of(server.ask(where))
    assert app.calls == 1


def test_a_stop_does_not_wait_for_waiting_requests():
    app = App()
    with Serving(
        app, cache_wait=60 * PATIENCE, timeout_graceful_shutdown=1, **CACHE
    ) as server:
        socks = [server.connect_directly() for _ in range(3)]
        for sock in socks:
            sock.sendall(ask_for(target(cc="max-age=60", sleep=1000)))
        end = time.monotonic() + DEADLINE_S
        while app.calls == 0:
            assert time.monotonic() < end
            time.sleep(0.01)
    for sock in socks:
        sock.close()


def test_a_stale_response_is_sent_while_it_is_validated():
    app = App()
    with Serving(app, **CACHE) as server:
        where = target(cc="max-age=0, stale-while-revalidate=60", sleep=0.2)
        first = server.ask(where)
        second = server.ask(where)
        assert second.body == first.body
        assert "hit; ttl=" in status_of(second)
        end = time.monotonic() + DEADLINE_S
        while server.ask(where).body == first.body:
            assert time.monotonic() < end
            time.sleep(0.02)
        calls = app.calls
        for _ in range(10):
            server.ask(where)
        assert app.calls <= calls + 2  # one at a time
        scope = app.scopes[1]
        assert scope["client"][0] == "127.0.0.1"
        assert scope["path"] == "/a"


def test_a_background_call_does_not_delay_a_stop():
    app = App()
    with Serving(app, timeout_graceful_shutdown=1, **CACHE) as server:
        where = target(cc="max-age=0, stale-while-revalidate=60")
        server.ask(where)
        app.override = {"sleep": "1000"}
        server.ask(where)
        end = time.monotonic() + DEADLINE_S
        while app.calls < 2:
            assert time.monotonic() < end
            time.sleep(0.01)


def test_a_background_call_that_fails_leaves_the_stale_response():
    app = App()
    with Serving(app, **CACHE) as server:
        where = target(cc="max-age=0, stale-while-revalidate=60")
        body = server.ask(where).body
        app.fails = True
        for calls in (2, 3):
            assert server.ask(where).body == body
            end = time.monotonic() + DEADLINE_S
            while app.calls < calls:
                assert time.monotonic() < end
                server.ask(where)
                time.sleep(0.01)


def test_a_hit_is_read_by_many_slow_clients():
    app = App()
    with Serving(app, **CACHE) as server:
        where = target(cc="max-age=60", size=1_000_000)
        server.ask(where)
        socks = [server.connect_directly() for _ in range(20)]
        for sock in socks:
            sock.sendall(ask_for(where))
        for sock in socks:
            assert read_answer(sock).body == b"x" * 1_000_000
            sock.close()
    assert app.calls == 1


def test_stored_responses_are_sent_over_tls(authority, localhost):
    app = App()
    with Secure(app, localhost, **CACHE) as server:
        for protocols in ([], ["h2"]):
            context = client_context(authority)
            if protocols:
                context.set_alpn_protocols(protocols)
            with server.open(context) as sock:
                if protocols:
                    assert Talk(sock).get(target(cc="max-age=60")).status == 200
                else:
                    for _ in range(2):
                        sock.sendall(ask_for(target(cc="max-age=60")))
                        assert read_answer(sock).status == 200
    assert app.calls == 1
