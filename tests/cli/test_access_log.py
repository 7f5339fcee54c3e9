"""The access log of real requests: its formats, its destinations, and its guarantees.

Covers src/py/access.c, src/log/access.c, src/server/request_log.c and src/log/note.c.
"""

import contextlib
import json
import re
import signal
import socket
import struct
import time

import pytest
from command import (
    DEADLINE_S,
    Command,
    connect,
    read_all,
    read_until,
    request,
    run_here,
    serve,
    talk,
)

ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"


@contextlib.contextmanager
def logging(text, target="echo", *words):
    """Return a server that logs in the format ``text``."""
    with serve(target, "--access-log-format", text, *words) as command:
        command.port()
        yield command


def line_of(text, data, target="echo"):
    """Return the only line that ``data`` causes."""
    with logging(text, target) as command:
        talk(command.port(), data)
        assert command.stop() == 0
        (line,) = command.out.rest().splitlines()
        return line


def test_combined_has_the_referer_and_the_user_agent():
    fields = "Referer: http://b/\r\nUser-Agent: me/1.0\r\nConnection: close\r\n"
    line = line_of("combined", request("/x", fields))
    assert line.endswith(' "GET /x HTTP/1.1" 200 8 "http://b/" "me/1.0"')


def test_json_has_all_of_a_request():
    data = (
        b"POST /x?y=1&y=2 HTTP/1.1\r\nHost: example.org\r\nUser-Agent: me\r\n"
        b"Content-Length: 5\r\nConnection: close\r\n\r\nhello"
    )
    line = json.loads(line_of("json", data))
    assert re.fullmatch(ISO, line.pop("time"))
    assert 0 < line.pop("port") < 65536
    assert 0 < line.pop("duration_us") < DEADLINE_S * 1e6
    assert line.pop("pid") > 0
    assert line == {
        "client": "127.0.0.1",
        "method": "POST",
        "path": "/x",
        "query": "y=1&y=2",
        "protocol": "HTTP/1.1",
        "status": 200,
        "bytes_in": 5,
        "bytes_out": len("POST  /x hello"),
        "host": "example.org",
        "user_agent": "me",
    }


def test_json_omits_what_is_unknown():
    told = (
        f"X-Request-Start: t={time.time()}\r\n"
        "Referer: http://b/\r\nUser-Agent: me\r\nX-Request-ID: abc-1\r\n"
        "X-Forwarded-For: 198.51.100.7\r\n"
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
    )
    words = ("--forwarded-allow-ips", "127.0.0.1", "--request-id")
    with logging("json", "echo", *words) as command:
        for path, fields in (("/x", ""), ("/y?", told)):
            talk(command.port(), request(path, f"{fields}Connection: close\r\n"))
        lines = [json.loads(command.out.line_with(x)) for x in ('"/x"', '"/y"')]
    absent = {"query", "referer", "user_agent", "trace_id", "parent_id", "upstream"}
    assert lines[1].keys() - lines[0].keys() == absent | {"queue_us"}
    assert lines[1]["request_id"] == "abc-1"
    assert lines[1]["query"] == ""
    assert None not in lines[1].values()


def test_the_line_has_what_a_trusted_proxy_forwards():
    fields = (
        "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\n"
        "X-Request-ID: abc-1\r\nConnection: close\r\n"
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
    )
    text = "%(h)s %(S)s %(request_id)s %(trace_id)s %(parent_id)s %(upstream)s"
    words = ("--forwarded-allow-ips", "127.0.0.1", "--request-id")
    with logging(text, "echo", *words) as command:
        talk(command.port(), request("/x", fields))
        line = command.out.line_with("198.51.100.7")
    trace = "0af7651916cd43dd8448eb211c80319c b7ad6b7169203331"
    wanted = rf"198\.51\.100\.7 https abc-1 {trace} 127\.0\.0\.1:\d+"
    assert re.fullmatch(wanted, line)


def test_gunicorns_format_can_be_used():
    text = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" %(D)s %(p)s'
    fields = "User-Agent: me\r\nConnection: close\r\n"
    line = line_of(text, request("/x?y", fields))
    stamp = r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]"
    wanted = rf'127.0.0.1 - - {stamp} "GET /x\?y HTTP/1.1" 200 8 "-" "me" \d+ <\d+>'
    assert re.fullmatch(wanted, line)


def test_fields_of_requests_and_responses_are_logged():
    text = "%({x-a}i)s %({X-None}i)s %({content-length}o)s"
    assert line_of(text, request("/", "X-A: 1\r\nConnection: close\r\n")) == "1 - 7"


def test_a_websocket_has_one_line_when_it_ends():
    handshake = (
        b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket"
        b"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
        b"\r\n\r\n"
    )
    text = "%(r)s %(s)s %(bytes_in)s %(B)s %({x-mirror}o)s"
    with logging(text, "mirror") as command, connect(command.port()) as sock:
        sock.sendall(handshake)
        read_until(sock, b"\r\n\r\n")
        sock.sendall(b"\x81\x82\0\0\0\0hi")
        read_until(sock, b"\x81\x02hi")
        assert command.out.count("GET") == 0
        sock.sendall(b"\x88\x82\0\0\0\0" + struct.pack(">H", 1000))
        read_all(sock)
        line = command.out.line_with("GET")
        # A frame of 8 bytes and a close of 8 were received, 4 and 4 were sent.
        assert line == "GET /chat HTTP/1.1 101 16 8 yes"


def test_a_response_that_never_started_is_499():
    with logging("%(U)s %(s)s", "slow") as command:
        with connect(command.port()) as sock:
            sock.sendall(request("/gone"))
            command.err.line_with("begun")
            reset = struct.pack("ii", 1, 0)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        assert command.out.line_with("/gone") == "/gone 499"


HOSTILE = (
    b'GET /"\'%0a%1b[31m%5cx22,"status":200} HTTP/1.1\r\nHost: a\r\n'
    b'User-Agent: "} , {\\\xff\xc3\x28\xe2\x82\t\x80\r\nReferer: \xc3\xa9\\"\r\n'
    b"X-Long: " + b'"' * 5000 + b"\r\nConnection: close\r\n\r\n"
)
CUSTOM = '{"agent":"%({user-agent}i)s","long":%({x-long}i)j,"line":"%(r)s"}'


@pytest.mark.parametrize("text", ["json", CUSTOM])
def test_json_is_valid_for_any_request(text):
    line = json.loads(line_of(text, HOSTILE))
    agent = line.get("user_agent", line.get("agent"))
    assert agent.encode("latin-1") == b'"} , {\\\xff\xc3\x28\xe2\x82\t\x80'
    if "long" in line:
        assert set(line["long"]) == {'"'}
    else:
        assert line["path"] == '/"\'%0a%1b[31m%5cx22,"status":200}'


@pytest.mark.parametrize("text", ["common", "combined", "%(r)s %({x-long}i)s"])
def test_text_lines_are_printable_and_correctly_quoted(text):
    line = line_of(text, HOSTILE)
    assert line.isascii()
    assert line.isprintable()
    assert '"' not in re.sub(r'"[^"]*"', "", line)
    assert "GET /\\x22'%0a%1b[31m%5cx22,\\x22status\\x22:200}" in line


@pytest.mark.parametrize(
    "head",
    [
        b"GET /\x1b[31mred HTTP/1.1\r\nHost: a\r\n\r\n",
        b'GE"T\x1b / HTTP/1.1\r\nHost: a\r\n\r\n',
        b"GET / HTTP/1.1\r\nHost: a\x1b[31m\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX\x1b: \x00\r\n\r\n",
    ],
)
def test_a_rejected_request_is_escaped_in_both_logs(head):
    with logging("json") as command:
        assert talk(command.port(), head).startswith(b"HTTP/1.1 400 ")
        assert command.stop() == 0
        for line in (command.out.rest() + command.err.rest()).splitlines():
            assert line.isprintable()


def test_an_invalid_format_is_reported_at_the_start(capsys):
    code, _, err = run_here(capsys, "apps:hello", "--access-log-format", "%(nope)s")
    assert code == 2
    assert err == (
        "bolide: error: --access-log-format is none: unknown: %(nope)s\n"
    )  # fmt: skip


# Readers that are slow, or do not read at all


def fill(command, path, times):
    """Send ``times`` requests with long lines, and read all responses."""
    one, last = request(path + "x" * 400, fields=""), request(path + "x" * 400)
    for _ in range(times // 100):
        with connect(command.port()) as sock:
            sock.sendall(one * 99 + last)
            assert read_all(sock).count(b"hello") == 100


def dropped_lines(command):
    """Return how many lines of the access log a command reported as dropped."""
    reports = re.findall(r"access log: (\d+) lines were dropped", command.err.rest())
    return sum(map(int, reports))


def test_a_reader_that_stops_causes_dropped_lines_and_no_lost_request():
    words = ("--limit-access-log", "65536", "--metrics-path", "/metrics")
    with serve("hello", *words) as command:
        began = time.monotonic()
        fill(command, "/fill", 4000)  # 2 MB; a pipe and the buffer have 128 KiB
        assert time.monotonic() - began < DEADLINE_S
        line = command.err.line_with("lines were dropped")
        assert " warning  access log: " in line
        assert "the reader is too slow" in line
        metrics = talk(command.port(), request("/metrics")).decode()
        counted = re.search(r"(?m)^bolide_access_log_dropped_total (\d+)", metrics)
        assert int(counted.group(1)) >= int(re.search(r"(\d+) lines", line).group(1))
        # Nothing is written twice or torn: only whole lines are read.
        command.signal(signal.SIGTERM)
        lines = command.out.rest().splitlines()
        assert command.wait() == 0
        assert 100 < len(lines) < 4000
        assert len(lines) + dropped_lines(command) == 4000
        assert all(x.endswith('x HTTP/1.1" 200 5') for x in lines)


def test_a_stop_waits_only_briefly_for_a_reader():
    with serve("hello") as command:
        fill(command, "/fill", 1000)
        began = time.monotonic()
        assert command.stop() == 0
        assert time.monotonic() - began < 10
        lines = command.out.rest().splitlines()
        assert len(lines) + dropped_lines(command) == 1000
        assert len(lines) > 100


@pytest.mark.parametrize("words", [(), ("--limit-access-log", "65536")])
def test_each_line_is_written_or_reported_as_dropped_once(words):
    """However often the reader stops, and at the end of the server too."""
    with serve("hello", "--workers", "1", *words) as command:
        for _ in range(3):
            fill(command, "/fill", 1000)
            command.out.line_with("/fill")
            command.out.count("/fill")
        fill(command, "/fill", 3000)
        assert command.stop() == 0
        lines = command.out.rest().splitlines()
        assert len(lines) + dropped_lines(command) == 6000


def test_a_full_disk_causes_dropped_lines_and_no_lost_request():
    code = (
        "import os, sys\n"
        "os.dup2(os.open('/dev/full', os.O_WRONLY), 1)\n"
        "from bolide.cli.main import main\n"
        "main()"
    )
    with Command("apps:hello", "--port", "0", code=code) as command:
        for _ in range(2):
            assert talk(command.port(), request()).endswith(b"hello")
            line = command.err.line_with("dropped: No space left on device")
        assert " warning  access log: 1 lines were dropped" in line
        assert command.stop() == 0


def test_lines_of_many_workers_do_not_mix():
    words = ("--workers", "2", "--access-log-format", "combined")
    with serve("hello", *words) as command:
        port = command.port()
        agent = "User-Agent: " + "y" * 250 + "\r\nConnection: close\r\n"
        for _ in range(4):
            talk(port, request("/" + "x" * 400, agent))
        for _ in range(20):
            with connect(port) as sock:
                sock.sendall(request("/" + "x" * 400, agent.replace("Conn", "X")) * 20)
                read_until(sock, b"hello")
        assert command.stop() == 0
        lines = command.out.rest().splitlines()
        assert len(lines) >= 24
        assert all(
            re.fullmatch(r'127[^"]*"GET /x+ HTTP/1.1" \d+ \d "-" "y+"', x)
            for x in lines
        )
