"""Options of HTTP/3, and what a wrong one says (bolide/config/http3_settings.py)."""

import contextlib
import os
import socket

import pytest
from command import Command, run
from serving import answer
from talking import client_context
from talking_h3 import Served, get

from bolide import Config, _engine
from bolide.errors import ConfigError


async def hello(scope, receive, send):
    await answer(send, scope["http_version"].encode())


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, "http3 needs ssl_certfile"),
        ({"ssl_version": "TLSv1.2"}, "http3 needs TLS 1.3, which ssl_version excludes"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(localhost, settings, text):
    pair = localhost.settings() if settings else {}
    with pytest.raises(ConfigError, match=text):
        Config(hello, http3=True, **pair, **settings)


def test_a_build_without_http3_prints_an_error(localhost, monkeypatch):
    monkeypatch.setattr(_engine, "has_http3", lambda: False)
    with pytest.raises(ConfigError, match="is not part of this build"):
        Config(hello, http3=True, **localhost.settings())


def below_the_ephemeral():
    """Return a port that is free for TCP and UDP, and that no client is given."""
    for port in range(20000 + os.getpid() % 5000, 32000):
        with contextlib.suppress(OSError):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as sock:
                    sock.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


@pytest.mark.parametrize("max_age", [86400, 60, 0])
def test_http3_is_announced_over_tcp(localhost, authority, max_age):
    settings = {"alt_svc": max_age, "bind": ["127.0.0.1:4433"]}
    with Served(hello, localhost, **settings) as served:
        found = served.get(client_context(authority)).field("alt-svc")
        assert found == (f'h3=":4433"; ma={max_age}' if max_age else None)
        assert get(served.place).body == b"3"


@pytest.mark.parametrize("words", [(), ("--workers", "2")])
@pytest.mark.parametrize("shares", [0, 1])
def test_a_udp_port_in_use_is_reported(localhost, words, shares):
    """Workers share it with each other, but not with another program."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        port = below_the_ephemeral()
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shares)
        taken.bind(("127.0.0.1", port))
        words = [*words, "--port", str(port), "--http3", *localhost.words()]
        code, out, err = run("apps:hello", *words)
    assert code == 1
    assert f"cannot listen on udp:127.0.0.1:{port}: the address is in use" in out + err


CHOOSES = """
import socket
from bolide.cli.main import main
from bolide.serving import sockets

binds, ports = sockets._bind_one, [{taken}]

def bind_one(family, address, count):
    if ports and address[1] == 0:
        address = (address[0], ports.pop())
    return binds(family, address, count)

sockets._bind_one = bind_one
main()
"""


@pytest.mark.parametrize("words", [(), ("--workers", "2")])
def test_a_port_that_the_system_chooses_is_free_for_udp_too(localhost, words):
    """It chooses one for TCP alone: here at first one that another program has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", below_the_ephemeral()))
        port = taken.getsockname()[1]
        words = ["apps:hello", *words, "--port", "0", "--http3", *localhost.words()]
        with Command(*words, code=CHOOSES.format(taken=port)) as command:
            place = "127.0.0.1", command.port()
            assert place[1] != port
            assert get(place).status == 200
            assert command.stop() == 0
