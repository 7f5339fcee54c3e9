"""Destinations of both logs: files that are reopened, syslog, journald; and formats.

Covers src/py/log_datagram.c.
"""

import json
import os
import re
import signal
import socket
import time

import pytest
from command import DEADLINE_S, Command, request, run, serve, talk

from bolide.config.sinks import parse_sink
from bolide.logs.writers import open_writer


def wait_for(path, wanted):
    """Wait until a file has a line with ``wanted``; return that line."""
    end = time.monotonic() + DEADLINE_S
    while True:
        lines = path.read_text().splitlines() if path.exists() else []
        for line in lines:
            if wanted in line:
                return line
        assert time.monotonic() < end, f"no {wanted!r} in {lines}"
        time.sleep(0.01)


def wait_until_there(path):
    end = time.monotonic() + DEADLINE_S
    while not path.exists():
        assert time.monotonic() < end, f"no {path}"
        time.sleep(0.01)


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["alone", "two"])
def test_files_are_reopened_on_sigusr1(tmp_path, workers):
    access, error = tmp_path / "access.log", tmp_path / "error.log"
    words = ("--access-log-file", str(access), "--log-file", str(error))
    with serve("hello", *words, "--port", "0", *workers) as command:
        port = int(re.search(r":(\d+) \(pid", wait_for(error, " listening on "))[1])
        talk(port, request("/before"))
        wait_for(access, "/before")
        access.rename(tmp_path / "access.log.1")
        error.rename(tmp_path / "error.log.1")
        command.signal(signal.SIGUSR1)
        wait_until_there(access)
        wait_until_there(error)
        # All workers have reopened it when none writes to the old file any more.
        end = time.monotonic() + DEADLINE_S
        while "/after" not in access.read_text():
            assert time.monotonic() < end
            talk(port, request("/after"))
        command.stop()
        assert "stopp" in error.read_text()
        assert "/before" not in access.read_text()
        assert command.out.rest() == ""
        assert command.err.rest() == ""


@pytest.mark.parametrize("option", ["--access-log-file", "--log-file"])
@pytest.mark.parametrize("workers", [(), ("--workers", "1")], ids=["alone", "one"])
def test_a_file_that_cannot_be_opened_is_reported_in_one_line(
    tmp_path, option, workers
):
    path = tmp_path / "none" / "log"
    code, out, err = run("apps:hello", "--port", "0", option, str(path), *workers)
    assert code in (1, 2)
    assert out == ""
    (line,) = [x for x in err.splitlines() if "lifespan" not in x]
    assert line.endswith(f"cannot be opened: No such file or directory: {path}")


def listener(path):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(path))
    sock.settimeout(DEADLINE_S)
    return sock


def receive(sock, wanted):
    """Wait for a datagram with ``wanted``."""
    while True:
        data = sock.recv(65536)
        if wanted in data:
            return data


def test_the_access_log_can_go_to_syslog(tmp_path):
    with (
        listener(tmp_path / "log") as sock,
        serve("hello", "--access-log-file", f"syslog:{tmp_path / 'log'}") as command,
    ):
        talk(command.port(), request("/x"))
        data = receive(sock, b"/x")
    wanted = (
        rb"<30>\w{3} [ \d]\d \d\d:\d\d:\d\d bolide\[\d+\]: 127.*/x HTTP/1.1\" 200 5"
    )
    assert re.fullmatch(wanted, data)


def test_both_logs_can_go_to_a_remote_syslog():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(DEADLINE_S)
        place = f"syslog:127.0.0.1:{sock.getsockname()[1]}"
        words = ("--access-log-file", place, "--log-file", place)
        with serve("raising", *words):
            said = receive(sock, b" listening on ")
            port = int(re.search(rb":(\d+) \(pid", said)[1])
            talk(port, request("/x"))
            trace = receive(sock, b"no luck")
            line = receive(sock, b"/x")
    stamp = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?[+-]\d\d:\d\d"
    assert re.match(rb"<30>1 " + stamp + rb" \S+ bolide \d+ - - 20", said)
    assert re.match(rb"<27>1 ", trace)
    assert b"\n" not in trace
    assert re.match(rb"<30>1 " + stamp + rb" \S+ bolide \d+ access - 127", line)


def test_both_logs_can_go_to_the_journal(tmp_path):
    with listener(tmp_path / "socket") as sock:
        place = f"journald:{tmp_path / 'socket'}"
        with serve("hello", "--access-log-file", place, "--log-file", place):
            said = receive(sock, b" listening on ")
            port = int(re.search(rb":(\d+) \(pid", said)[1])
            talk(port, request("/x"))
            line = receive(sock, b"/x")
    for data, priority in ((said, b"6"), (line, b"6")):
        fields = dict(x.split(b"=", 1) for x in data.splitlines())
        assert fields[b"PRIORITY"] == priority
        assert fields[b"SYSLOG_IDENTIFIER"] == b"bolide"
        assert fields[b"MESSAGE"]
        assert data.endswith(b"\n")


def test_a_json_log_has_one_object_per_line():
    with serve("raising", "--log-format", "json") as command:
        port = command.port()
        talk(port, request("/"))
        talk(port, b"GET /\x1b HTTP/1.1\r\nHost: a\r\n\r\n")
        assert command.stop() == 0
        lines = [json.loads(x) for x in command.err.rest().splitlines()]
    failed = next(x for x in lines if x["level"] == "error")
    wanted = r"Exception in ASGI application: GET / from 127\.0\.0\.1:\d+"
    assert re.fullmatch(wanted, failed["message"])
    assert failed["traceback"].endswith("ValueError: no luck")
    assert all({"time", "level", "pid", "message"} <= set(x) for x in lines)


def test_a_traceback_can_be_one_line():
    with serve("raising", "--one-line-tracebacks") as command:
        talk(command.port(), request("/"))
        line = command.err.line_with("Exception in ASGI application")
        assert "\\nTraceback (most recent call last):\\n" in line
        assert line.endswith("\\nValueError: no luck")


def test_an_exception_cannot_forge_log_lines():
    with serve("raising_what_it_was_sent") as command:
        talk(command.port(), request("/%0A2026-11-25%2009:39:11%20error%20forged"))
        assert command.stop() == 0
        lines = command.err.rest().splitlines()
    (forged,) = [x for x in lines if " forged" in x]
    assert forged.startswith("  2026-11-25")
    assert not [x for x in lines if x.startswith("2026-11-25")]


def test_colors_are_for_terminals_and_can_be_off(tmp_path):
    code = (
        "import os, sys\n"
        "for number in (1, 2): os.dup2(int(os.environ['TTY']), number)\n"
        "from bolide.cli.main import main\n"
        "main()"
    )
    seen = {}
    for words in ((), ("--no-use-colors",)):
        master, slave = os.openpty()
        path = tmp_path / "socket"
        words = ("apps:hello", "--uds", str(path), *words)
        env = {"TTY": str(slave)}
        with Command(*words, code=code, env=env, pass_fds=[slave]) as command:
            text = b""
            while b" listening on " not in text:
                text += os.read(master, 4096)
            talk(path, request("/x"))
            while b"/x HTTP" not in text or not text.endswith(b"\n"):
                text += os.read(master, 4096)
            assert command.stop() == 0
        seen[len(words)] = text
        os.close(master)
        os.close(slave)
    assert b"\x1b[32minfo" in seen[3]
    assert b'HTTP/1.1" \x1b[32m200\x1b[0m 5' in seen[3]
    assert b"\x1b" not in seen[4]


def test_unread_standard_error_does_not_block_the_server():
    with serve("raising") as command:
        port = command.port()
        for _ in range(400):  # about 230 bytes of traceback each; a pipe has 64 KiB
            assert talk(port, request()).startswith(b"HTTP/1.1 500 ")
        command.err.line_with("no luck")
        talk(port, request())
        line = command.err.line_with("lines were dropped: the reader is too slow")
        assert int(line.split()[0]) > 0


def test_a_returning_syslog_gets_the_number_of_dropped_lines(tmp_path):
    place = tmp_path / "log"
    sink = parse_sink("log_file", f"syslog:{place}")
    with listener(place) as sock:
        writer = open_writer(sink)
        writer.write(20, "first\n")
        assert sock.recv(4096).endswith(b"first")
    place.unlink()
    for _ in range(3):
        writer.write(20, "lost\n")
    with listener(place) as sock:
        writer.write(20, "next\n")
        writer.write(20, "last\n")
        said = [sock.recv(4096).partition(b"]: ")[2] for _ in range(3)]
    assert said == [
        b"3 lines were dropped: No such file or directory", b"next", b"last"
    ]  # fmt: skip


def test_a_log_on_a_full_disk_counts_the_dropped_lines(tmp_path):
    path = tmp_path / "log"
    path.symlink_to("/dev/full")
    writer = open_writer(parse_sink("log_file", str(path)))
    for _ in range(2):
        writer.write(20, "lost\n")
    path.unlink()
    writer.reopen()
    writer.write(20, "next\n")
    writer.write(20, "last\n")
    wanted = "2 lines were dropped: No space left on device\nnext\nlast\n"
    assert path.read_text() == wanted


ACCESS_FORMAT = "%(client_addr)s|%(request_line)s|%(status_code)s|%(name)s"
UVICORNS = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "access": {
            "()": "uvicorn.logging.AccessFormatter",
            "fmt": ACCESS_FORMAT,
            "use_colors": False,
        }
    },
    "handlers": {
        "access": {
            "class": "logging.StreamHandler",
            "formatter": "access",
            "stream": "ext://sys.stdout",
        },
        "error": {"class": "logging.StreamHandler"},
    },
}


@pytest.mark.parametrize("name", ["uvicorn.access", "bolide.access"])
@pytest.mark.parametrize("level", ["INFO", "WARNING"])
def test_a_configured_logger_gets_access_records(tmp_path, name, level):
    """uvicorn's AccessFormatter uses the arguments of the record unchanged."""
    pytest.importorskip("uvicorn")
    logger = {"handlers": ["access"], "level": level, "propagate": False}
    path = tmp_path / "logging.json"
    loggers = {name: logger, "bolide": {"handlers": ["error"], "level": "INFO"}}
    path.write_text(json.dumps({**UVICORNS, "loggers": loggers}))
    with serve("hello", "--log-config", str(path)) as command:
        for target in ("/1?a=%20", "/2", "/3"):
            talk(command.port(), request(target))
        assert command.stop() == 0
        lines = command.out.rest().splitlines()
    wanted = [
        rf"127\.0\.0\.1:\d+\|GET {x} HTTP/1\.1\|200 OK\|{name}"
        for x in (r"/1\?a=%20", "/2", "/3")
    ]
    wanted = wanted if level == "INFO" else []
    assert len(lines) == len(wanted)
    for line, pattern in zip(lines, wanted, strict=True):
        assert re.fullmatch(pattern, line)
