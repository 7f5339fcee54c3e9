"""Where the server listens, and what it logs when it cannot."""

import os
import socket
import stat

import pytest
from command import HERE, Command, connect, request, run_here, serve, talk


@pytest.fixture
def fails(capsys):
    """Return the one line of a command that cannot listen, without the time."""

    def run(*words):
        code, out, err = run_here(capsys, "apps:hello", "--app-dir", str(HERE), *words)
        assert (code, out, err.count("\n")) == (1, "", 1)
        return err[29:-1]

    return run


def test_a_free_port_is_reported():
    with serve("hello") as command:
        port = command.port()
        assert command.where() == f"http://127.0.0.1:{port}"
        assert port > 0
        assert talk(port, request()).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_port_in_use_is_reported(fails):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert fails("--port", str(port)) == (
            f"cannot listen on http://127.0.0.1:{port}: "
            f"the address is in use by python, pid {os.getpid()}"
        )


def test_a_port_is_free_again_after_the_stop():
    with serve("hello") as first:
        port = first.port()
        with connect(port) as idle:
            idle.sendall(request(fields=""))
            assert idle.recv(65536)
            assert first.stop() == 0
    with Command("apps:hello", "--port", str(port)) as second:
        assert second.port() == port


def test_an_address_of_another_machine_is_reported(fails):
    assert fails("--host", "192.0.2.1", "--port", "8000") == (
        "cannot listen on http://192.0.2.1:8000: this machine has no such address"
    )


def test_an_unknown_host_is_reported(fails):
    assert fails("--host", "no.such.host.invalid") == (
        'cannot listen on "no.such.host.invalid": there is no such host'
    )


def test_all_addresses_of_a_name_share_a_port():
    with serve("hello", "--host", "localhost") as command:
        places = command.where().split(", ")
        ports = {x.rpartition(":")[2] for x in places}
        known = {x[4][0] for x in socket.getaddrinfo("localhost", 0)}
        assert len(ports) == 1
        assert "http://127.0.0.1:" + min(ports) in places
        assert len(places) <= len(known)
        for _ in places:
            assert talk(int(min(ports)), request()).endswith(b"hello")


def test_an_empty_host_means_every_address():
    with serve("hello", "--host", "") as command:
        assert "http://0.0.0.0:" in command.where()
        assert talk(command.port(), request()).endswith(b"hello")


@pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="no IPv6 here")
@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_ipv6_addresses_are_logged_in_brackets(host):
    with serve("hello", "--host", host) as command:
        assert command.where().startswith("http://[::1]:")
        with socket.create_connection(("::1", command.port())) as sock:
            sock.sendall(request())
            assert sock.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_unix_socket_is_open_to_all_and_removed_after_the_stop(tmp_path):
    path = tmp_path / "socket"
    with serve("hello", "--uds", str(path)) as command:
        assert command.where() == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
        assert talk(path, request()).endswith(b"hello")
        assert command.stop() == 0
        assert not path.exists()


def test_a_stale_socket_file_is_replaced(tmp_path):
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with serve("hello", "--uds", str(path)) as command:
        assert command.where() == f"unix:{path}"
        assert talk(path, request()).endswith(b"hello")


def test_a_socket_file_of_another_process_is_kept(tmp_path):
    path = tmp_path / "socket"
    with serve("hello", "--uds", str(path)) as command:
        command.where()
        os.link(path, tmp_path / "keeps the inode")
        path.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
            assert command.stop() == 0
            assert path.exists()


def test_a_socket_in_use_is_reported(tmp_path, fails):
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        assert fails("--uds", str(path)) == (
            f"cannot listen on unix:{path}: another server listens there"
        )


def test_a_file_is_not_removed(tmp_path, fails):
    path = tmp_path / "file"
    path.write_text("text")
    text = fails("--uds", str(path))
    assert text == f"cannot listen on unix:{path}: a file exists there"
    assert path.read_text() == "text"


def test_a_missing_folder_is_reported(tmp_path, fails):
    path = tmp_path / "none" / "socket"
    text = fails("--uds", str(path))
    assert text == f"cannot listen on unix:{path}: No such file or directory"


@pytest.mark.parametrize("listens", [True, False])
def test_a_socket_is_inherited(listens):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        if listens:
            sock.listen()
        port = sock.getsockname()[1]
        fd = sock.fileno()
        with serve("hello", "--fd", str(fd), pass_fds=[fd]) as command:
            assert command.port() == port
            assert talk(port, request()).endswith(b"hello")
            assert command.stop() == 0


def test_an_inherited_unix_socket_is_served_and_not_removed(tmp_path):
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        fd = sock.fileno()
        with serve("hello", "--fd", str(fd), pass_fds=[fd]) as command:
            assert command.where() == f"unix:{path}"
            assert talk(path, request()).endswith(b"hello")
            assert command.stop() == 0
    assert path.exists()


def test_a_descriptor_that_is_not_open_is_reported(fails):
    with socket.socket() as sock:
        fd = sock.fileno()
    text = f"cannot listen on descriptor {fd}: Bad file descriptor"
    assert fails("--fd", str(fd)) == text


def test_a_descriptor_that_is_not_a_socket_is_reported(fails):
    with open(__file__, encoding="utf-8") as file:
        fd = file.fileno()
        text = f"cannot listen on descriptor {fd}: Socket operation on non-socket"
        assert fails("--fd", str(fd)) == text


def test_an_unbound_socket_is_reported(fails):
    with socket.socket() as sock:
        fd = sock.fileno()
        text = f"cannot listen on descriptor {fd}: not a bound stream socket"
        assert fails("--fd", str(fd)) == text
