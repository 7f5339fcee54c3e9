"""``--bind``: several addresses, Unix sockets with mode and owner, systemd sockets."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys

import pytest
from command import DEADLINE_S, HERE, Command, Output, connect, request, run, talk
from crews import is_alive, successor_of, wait_for

from bolide.cli.sources import gather
from bolide.config.binds import (
    LISTEN_PLAIN,
    LISTEN_PROXY_V1,
    LISTEN_PROXY_V2,
    Bind,
    parse_bind,
    split_binds,
)
from bolide.config.identity import group_number, user_number
from bolide.errors import ConfigError
from bolide.serving import sockets

MEANINGS = [
    ("127.0.0.1:80", {"kind": "tcp", "host": "127.0.0.1", "port": 80}),
    (":80", {"kind": "tcp", "host": "", "port": 80}),
    ("localhost", {"kind": "tcp", "host": "localhost", "port": 8000}),
    ("[::1]:80", {"kind": "tcp", "host": "::1", "port": 80}),
    ("[::1]", {"kind": "tcp", "host": "::1", "port": 8000}),
    ("unix:/run/s", {"kind": "unix", "path": "/run/s"}),
    ("unix:///run/s", {"kind": "unix", "path": "/run/s"}),
    ("unix:@name", {"kind": "unix", "path": "@name"}),
    (
        "unix:s,mode=660,owner=u:g",
        {"kind": "unix", "path": "s", "mode": 0o660, "owner": "u:g"},
    ),
    ("fd://3", {"kind": "fd", "fd": 3}),
    ("fd://3,tls", {"kind": "fd", "fd": 3, "tls": True}),
    ("[::1]:80,plain", {"kind": "tcp", "host": "::1", "port": 80, "tls": False}),
    (
        "unix:s,mode=600,proxy-protocol=v2",
        {"kind": "unix", "path": "s", "mode": 0o600, "proxy_protocol": "v2"},
    ),
    (
        ":80,proxy-protocol",
        {"kind": "tcp", "host": "", "port": 80, "proxy_protocol": "any"},
    ),
    ("systemd", {"kind": "systemd"}),
    ("systemd:web", {"kind": "systemd", "name": "web"}),
]


@pytest.mark.parametrize(("text", "fields"), MEANINGS, ids=[x[0] for x in MEANINGS])
def test_a_bind_is_parsed(text, fields):
    assert parse_bind(text) == Bind(text, **fields)


@pytest.mark.parametrize(
    "text",
    [
        "a:" + "1" * 5000,
        "fd://" + "9" * 5000,
        "a:\u0663",
        "a]b:1",
        "[[a]:1",
        "a b:1",
        "unix",
    ],
)
def test_an_invalid_bind_is_rejected(text):
    with pytest.raises(ConfigError, match=r"^bind takes "):
        parse_bind(text)


@pytest.mark.parametrize("name", ["9" * 5000, "4294967295", "\u0663"])
def test_an_unknown_user_number_is_rejected(name):
    with pytest.raises(ConfigError, match="is not a user of this system"):
        user_number(name)
    with pytest.raises(ConfigError, match="is not a group of this system"):
        group_number(name)


def test_the_options_of_a_bind_reach_the_engine():
    assert parse_bind(":1").flags() == 0
    assert parse_bind(":1,plain").flags() == LISTEN_PLAIN
    both = LISTEN_PROXY_V1 | LISTEN_PROXY_V2
    assert parse_bind(":1,proxy-protocol,tls").flags() == both
    assert parse_bind(":1,proxy-protocol=v2").flags() == LISTEN_PROXY_V2


def test_binds_of_a_variable_keep_their_options():
    text = "unix:/s,mode=660,owner=u:g,:80,plain [::1]:1,tls"
    parts = ["unix:/s,mode=660,owner=u:g", ":80,plain", "[::1]:1,tls"]
    assert split_binds(text) == parts
    assert gather(["a:b"], {"BOLIDE_BIND": text}).values()["bind"] == parts


@pytest.mark.parametrize("workers", [[], ["--workers", "2"]])
def test_several_addresses_are_served(workers, tmp_path):
    path = tmp_path / "socket"
    owner = f"{os.getuid()}:{os.getgid()}"
    places = ["127.0.0.1:0", "127.0.0.1:0", f"unix:{path},mode=600,owner={owner}"]
    words = [word for place in places for word in ("--bind", place)]
    with Command("apps:hello", *words, *workers) as command:
        first, second, third = command.where().split(", ")
        assert third == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        for place in (first, second):
            port = int(place.rpartition(":")[2])
            assert talk(port, request()).endswith(b"hello")
        assert talk(path, request()).endswith(b"hello")
        assert command.stop() == 0
        assert not path.exists()


def test_an_abstract_socket_is_served():
    name = f"@bolide-{os.getpid()}"
    with Command("apps:hello", "--bind", f"unix:{name}") as command:
        assert command.where() == f"unix:{name}"
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect("\0" + name[1:])
            sock.sendall(request())
            assert sock.recv(65536).startswith(b"HTTP/1.1 200")


@pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="no IPv6 here")
def test_the_wildcards_of_both_families_work_together():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["--bind", f"0.0.0.0:{port}", "--bind", f"[::]:{port}"]
    with Command("apps:hello", *words) as command:
        assert command.where() == f"http://0.0.0.0:{port}, http://[::]:{port}"
        assert talk(port, request()).endswith(b"hello")


@pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="no IPv6 here")
def test_the_ipv6_wildcard_alone_includes_ipv4():
    with Command("apps:hello", "--bind", "[::]:0") as command:
        port = command.port()
        for host in ("127.0.0.1", "::1"):
            with socket.create_connection((host, port), DEADLINE_S) as sock:
                sock.sendall(request())
                assert sock.recv(65536).startswith(b"HTTP/1.1 200")


def test_an_unknown_owner_is_reported(tmp_path):
    bind = f"unix:{tmp_path}/s,owner=no such user"
    code, out, err = run("apps:hello", "--bind", bind)
    assert (code, out) == (1, "")
    assert err.endswith(
        f'cannot listen on {bind}: user is not a user of this system: "no such user"\n'
    )
    assert not (tmp_path / "s").exists()


def test_if_one_bind_fails_no_socket_file_is_left(tmp_path):
    path = tmp_path / "socket"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = ["--bind", f"unix:{path}", "--bind", f"127.0.0.1:{port}"]
        code, _, err = run("apps:hello", *words, "--app-dir", str(HERE))
    assert code == 1
    assert f"the address is in use by python, pid {os.getpid()}" in err
    assert not path.exists()


def test_missing_systemd_sockets_are_reported():
    code, _, err = run("apps:hello", "--bind", "systemd:web", "--app-dir", str(HERE))
    assert code == 1
    assert 'systemd has passed no socket of the name "web"' in err


class Activated:
    """A command run by systemd-socket-activate on two ports, "a" and "b"."""

    def __init__(self, *words):
        self.ports = []
        for _ in range(2):
            with socket.create_server(("127.0.0.1", 0)) as free:
                self.ports.append(free.getsockname()[1])
        listens = [f"--listen=127.0.0.1:{port}" for port in self.ports]
        python = [sys.executable, "-m", "bolide", "apps:hello", *words]
        keeps = [f"-E{name}" for name in ("PYTHONPATH", "PYTHONSAFEPATH", "PATH")]
        self.process = subprocess.Popen(
            ["systemd-socket-activate", *listens, "--fdname=a:b", *keeps, *python],
            cwd=HERE,
            env={**os.environ, "PYTHONSAFEPATH": "1"},
            stderr=subprocess.PIPE,
        )
        self.err = Output(self.process.stderr)

    def __enter__(self):
        self.err.line_with("Listening on")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()


needs_activate = pytest.mark.skipif(
    shutil.which("systemd-socket-activate") is None, reason="no systemd-socket-activate"
)


@needs_activate
@pytest.mark.parametrize(
    ("words", "served"),
    [
        ([], [0, 1]),
        (["--workers", "2"], [0, 1]),
        (["--bind", "systemd:b"], [1]),
        (["--bind", "fd://4", "--bind", "fd://3"], [1, 0]),
    ],
)
def test_sockets_passed_by_systemd_are_served(words, served):
    with Activated(*words) as command:
        with connect(command.ports[served[0]]) as first:
            first.sendall(request())
            assert first.recv(65536).startswith(b"HTTP/1.1 200")
        line = command.err.line_with(" listening on ")
        places = [f"http://127.0.0.1:{command.ports[i]}" for i in served]
        assert ", ".join(places) + " (pid" in line
        for i in served:
            assert talk(command.ports[i], request()).endswith(b"hello")
        command.process.send_signal(signal.SIGTERM)
        assert command.process.wait(DEADLINE_S) == 0


@needs_activate
@pytest.mark.parametrize("words", [[], ["--bind", "systemd:b"]])
def test_a_successor_serves_the_sockets_of_systemd(words):
    with Activated("--workers", "1", *words) as command:
        connect(command.ports[0]).close()
        command.err.line_with(" listening on ")
        with successor_of(command) as pid:
            assert command.process.wait(DEADLINE_S) == 0
            assert talk(command.ports[1], request()).endswith(b"hello")
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda: not is_alive(pid), "it does not end")


def test_a_port_that_the_system_chooses_is_free_at_all_addresses(monkeypatch):
    """It chooses one for the first address: here one that is used at the second."""
    hosts = ["127.0.0.1", "127.0.0.2"]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (x, 0)) for x in hosts]
    monkeypatch.setattr(sockets, "_find_addresses", lambda host, port: found)
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        binds, chosen = sockets._bind_one, [port]

        def bind_one(family, address, count):
            if chosen and address[1] == 0:
                address = (address[0], chosen.pop())
            return binds(family, address, count)

        monkeypatch.setattr(sockets, "_bind_one", bind_one)
        made = sockets.bind_places([Bind("both:0", "tcp", "both", 0)])
    names = [x.getsockname() for x in made]
    made.close()
    assert [x for x, _ in names] == hosts
    assert names[0][1] == names[1][1] != port
