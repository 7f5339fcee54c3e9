"""One bind uses TLS and another does not."""

import os
import ssl
import threading
import time

import pytest
from command import DEADLINE_S, Command, connect, read_all, request, talk
from talking import client_context

PATIENCE = int(os.environ.get("PATIENCE", "1"))


@pytest.mark.parametrize("workers", [[], ["--workers", "2"]])
def test_a_plain_bind_and_a_tls_bind_work_together(authority, localhost, workers):
    words = ["--ssl-certfile", str(localhost.cert), "--ssl-keyfile", str(localhost.key)]
    words += ["--bind", "127.0.0.1:0,tls", "--bind", "127.0.0.1:0,plain"]
    with Command("apps:hello", *words, *workers) as command:
        secure, plain = command.where().split(", ")
        assert secure.startswith("https://")
        assert plain.startswith("http://")
        assert talk(port_of(plain), request()).endswith(b"hello")
        context = client_context(authority)
        with context.wrap_socket(
            connect(port_of(secure)), server_hostname="localhost"
        ) as sock:
            sock.settimeout(DEADLINE_S)
            sock.sendall(request())
            assert read_all(sock).endswith(b"hello")
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(
                connect(port_of(plain)), server_hostname="localhost"
            ).close()
        assert command.stop() == 0


def test_handshakes_over_the_limit_do_not_pause_plain_listeners(authority, localhost):
    """Of eight handshakes at once two per second are served; plain requests do not
    wait.
    """
    words = ["--ssl-certfile", str(localhost.cert), "--ssl-keyfile", str(localhost.key)]
    words += ["--bind", "127.0.0.1:0,tls", "--bind", "127.0.0.1:0,plain"]
    words += ["--limit-handshakes", "2"]
    context = client_context(authority)
    done = []

    def shake_hands():
        sock = connect(secure)
        with context.wrap_socket(sock, server_hostname="localhost"):
            done.append(time.monotonic())

    with Command("apps:hello", *words) as command:
        secure, plain = (port_of(x) for x in command.where().split(", "))
        began = time.monotonic()
        threads = [threading.Thread(target=shake_hands) for _ in range(8)]
        for thread in threads:
            thread.start()
        during = 0
        while any(x.is_alive() for x in threads):
            answer_began = len(done)
            assert talk(plain, request()).endswith(b"hello")
            during += answer_began < 8
            threads[0].join(0.01)
        for thread in threads:
            thread.join()
        done.sort()
        assert during >= 20, "requests are answered while handshakes wait"
        # Two at once, then one each 0.5 s.
        assert 2.8 < done[-1] - began < 5 * PATIENCE
        for i in range(3, 8):
            assert done[i] - began > (i - 2) * 0.5 - 0.1, "no more than the limit"


def port_of(url):
    return int(url.rpartition(":")[2])
