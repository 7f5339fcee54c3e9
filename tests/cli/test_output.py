"""The access log, the log, and the fields added to each response."""

import re

import apps
import pytest
from command import (
    Command,
    connect,
    read_all,
    read_until,
    request,
    serve,
    talk,
    wait_until_open,
)
from here import Here

STAMP = r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}"


@pytest.fixture(scope="module")
def logged():
    """Return a server shared by the tests of single lines."""
    with serve("echo") as command:
        command.port()
        yield command


def test_each_request_has_a_line_in_the_common_format(logged):
    with connect(logged.port()) as sock:
        sock.sendall(request("/a?b=%20c", fields=""))
        read_until(sock, b"GET  /a ")
    line = logged.out.line_with("/a?b")
    wanted = rf'127\.0\.0\.1 - - \[{STAMP}\] "GET /a\?b=%20c HTTP/1\.1" 200 8'
    assert re.fullmatch(wanted, line)


def test_quotes_are_escaped(logged):
    talk(logged.port(), request('/"x'))
    assert '"GET /\\x22x HTTP/1.1" 200 ' in logged.out.line_with("x22x")


def test_a_burst_of_lines_is_complete_when_its_last_is_written(logged):
    with connect(logged.port()) as sock:
        sock.sendall(request("/burst", fields="") * 50 + request("/last"))
        assert read_all(sock).count(b"/burst") == 50
        logged.out.line_with("/last")
        assert logged.out.text.count('"GET /burst ') == 50


def test_a_refusal_has_a_line_with_its_reason(logged):
    talk(logged.port(), b"GET / HTTP/1.0\r\nbad\r\n\r\n")
    line = logged.err.line_with("warning  127.0.0.1:")
    assert "400, a malformed field name" in line


def test_the_last_lines_are_written_before_the_stop():
    with serve("hello") as command:
        place = command.port()
        for path in ("/1", "/2", "/3"):
            talk(place, request(path))
        assert command.stop() == 0
        paths = re.findall(r'"GET (/\d) HTTP/1\.1" 200 5\n', command.out.rest())
        assert paths == ["/1", "/2", "/3"]


def test_a_unix_socket_has_no_address(tmp_path):
    path = tmp_path / "socket"
    with serve("hello", "--uds", str(path)) as command:
        command.where()
        talk(path, request("/x"))
        assert command.out.line_with("/x").startswith("unix - - [")


def test_the_access_log_can_be_off():
    with serve("hello", "--no-access-log") as command:
        talk(command.port(), request())
        assert command.stop() == 0
        assert command.out.rest() == ""


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_standard_descriptor_is_not_an_error(closed, tmp_path):
    path = tmp_path / "socket"
    code = (
        "import os, sys\n"
        f"os.close({closed})\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'bolide', *sys.argv[1:]])"
    )
    with Command("apps:hello", "--uds", str(path), code=code) as command:
        wait_until_open(path)
        for _ in range(3):
            assert talk(path, request()).endswith(b"hello")
        assert command.stop() == 0


def test_lines_below_the_level_are_dropped():
    with serve("hello", "--log-level", "warning", env={"BOLIDE_PORT": "0"}) as command:
        command.signal(15)
        command.wait()
        assert command.err.rest() == ""


def test_an_exception_has_its_traceback_in_the_log():
    with serve("raising") as command:
        assert talk(command.port(), request()).startswith(b"HTTP/1.1 500 ")
        command.err.line_with(" error    ")
        assert "in raising" in command.err.line_with("apps.py")
        command.err.line_with("ValueError: no luck")


def head_of(**settings):
    with Here(apps.hello, **settings) as server:
        return talk(server.port, request()).partition(b"\r\n\r\n")[0].lower()


def test_responses_have_a_date_and_a_server():
    head = head_of()
    assert re.search(rb"\r\ndate: [a-z]{3}, \d\d [a-z]{3} \d{4} [\d:]{8} gmt", head)
    assert b"\r\nserver: bolide" in head


def test_date_and_server_can_be_switched_off():
    head = head_of(date_header=False, server_header=False)
    assert b"\r\ndate:" not in head
    assert b"\r\nserver:" not in head


def test_fields_are_added_in_order():
    head = head_of(headers=[("X-A", " 1"), ("x-a", "2:3"), ("x-b", "")])
    assert re.findall(rb"\r\nx-(\w): ?([^\r]*)", head) == [
        (b"a", b"1"),
        (b"a", b"2:3"),
        (b"b", b""),
    ]


@pytest.mark.parametrize("name", ["Server", "Date"])
def test_a_configured_field_replaces_the_default(name):
    head = head_of(headers=[(name, "mine")])
    found = re.findall(rb"\r\n%s: ([^\r]*)" % name.lower().encode(), head)
    assert found == [b"mine"]


def test_root_path_is_in_the_scope():
    with Here(apps.echo, root_path="/api/") as server:
        answer = talk(server.port, request("/x"))
        assert answer.endswith(b"GET /api /api/x ")


def test_options_reach_the_engine():
    words = ("--no-server-header", "--header", "X-A: 1", "--root-path", "/api")
    with serve("echo", *words) as command:
        answer = talk(command.port(), request("/x"))
        assert b"\r\nserver:" not in answer.lower()
        assert b"\r\nx-a: 1\r\n" in answer
        assert answer.endswith(b"GET /api /api/x ")
