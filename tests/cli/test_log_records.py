"""Records of Python's logging: their attributes, their handlers, and lost records.

Covers src/asgi/describe.c.
"""

import json
import logging
import os
import random
import re
import threading
import time
from pathlib import Path

import pytest
from command import (
    Command,
    connect,
    read_all,
    request,
    serve,
    talk,
    wait_until_open,
)

CLOSE = "Connection: close\r\n"

APP = """
import json, logging, sys
import bolide

{setup}

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        {startup}
        await send({{"type": "lifespan.startup.complete"}})
        await receive()
        await send({{"type": "lifespan.shutdown.complete"}})
        return
    if scope["path"] == "/boom":
        raise ValueError("no luck")
    if scope["path"] == "/nothing":
        return
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": b"hello"}})

bolide.run(app, port=0, {settings})
"""


def program(setup="", startup="pass", settings=""):
    """Start a program that configures logging and runs the server."""
    code = APP.format(setup=setup, startup=startup, settings=settings)
    return Command(code=code)


def ask(command, *targets):
    """Send a request for each target, stop, and return the lines of both outputs."""
    port = command.port()
    for target in targets:
        talk(port, request(target, CLOSE))
    assert command.stop() == 0
    return command.out.rest().splitlines(), command.err.rest().splitlines()


SHOWS = (
    "class Shows(logging.Handler):\n"
    "    def emit(self, record):\n"
    "        print(json.dumps([record.name, record.levelname, record.getMessage(),\n"
    "            record.exc_info and record.exc_info[0].__name__, record.msg]),\n"
    "            flush=True)\n"
)


def records(lines):
    """Return what Shows has printed."""
    return [json.loads(x) for x in lines if x.startswith('["')]


ROOT = SHOWS + "logging.basicConfig(level='INFO', handlers=[Shows()])"


def listening(command):
    """Wait for the record that says where the server listens; return the port."""
    line = command.out.line_with(" listening on ")
    return int(re.search(r":(\d+) \(pid", line).group(1))


@pytest.mark.parametrize(
    "settings",
    [
        "log_config=None",
        "log_config={'version': 1, 'incremental': True}",
    ],
)
def test_a_root_handler_gets_both_logs(settings):
    """No access line is also written to standard output."""
    with program(ROOT, settings=settings) as command:
        talk(listening(command), request("/a", CLOSE))
        assert command.stop() == 0
        lines = command.out.rest().splitlines()
        assert command.err.rest() == ""
    assert all(x.startswith('["') for x in lines)
    (access,) = [x for x in records(lines) if x[0] == "bolide.access"]
    assert re.fullmatch(r'127\.0\.0\.1:\d+ - "GET /a HTTP/1\.1" 200', access[2])
    assert any(x[0] == "bolide.error" for x in records(lines))


def test_without_any_handler_there_is_no_access_log():
    setup = "logging.getLogger('bolide.error').addHandler(logging.StreamHandler())"
    settings = "log_config=None, log_level='debug'"
    with program(setup, settings=settings) as command:
        out, _ = ask(command, "/a")
    assert out == []


def test_an_exception_is_in_the_record():
    """Its message names the request, and its template is the same for all requests."""
    with program(ROOT, settings="log_config=None") as command:
        port = listening(command)
        for target in ("/boom", "/boom"):
            talk(port, request(target, f"X-Request-ID: abc-1\r\n{CLOSE}"))
        talk(port, request("/nothing", CLOSE))
        assert command.stop() == 0
        found = [x for x in records(command.out.rest().splitlines()) if x[1] == "ERROR"]
    first, second, third = found
    wanted = (
        r"Exception in ASGI application: GET /boom from 127\.0\.0\.1:\d+ "
        r"\(request id abc-1\)"
    )
    assert re.fullmatch(wanted, first[2])
    assert first[3] == second[3] == "ValueError"
    assert first[4] == second[4] == "Exception in ASGI application: %s"
    wanted = (
        r"ASGI application returned without a response: GET /nothing from 127.0.0.1:\d+"
    )
    assert re.match(wanted, third[2])


FILTER = (
    "class NoHealth(logging.Filter):\n"
    "    def filter(self, record):\n"
    "        return '/health' not in record.getMessage()\n"
)


@pytest.mark.parametrize("name", ["uvicorn.access", "bolide.access"])
@pytest.mark.parametrize("late", [False, True])
def test_a_filter_without_log_config_filters_lines(name, late):
    """Set at import or at startup; lines that pass keep their own format."""
    adds = f"logging.getLogger({name!r}).addFilter(NoHealth())"
    early = FILTER + ("" if late else adds)
    with program(early, startup=adds if late else "pass") as command:
        out, err = ask(command, "/health", "/a", "/health?x", "/b")
    assert [re.search(r'"GET (\S+) HTTP/1.1" 200 5$', x).group(1) for x in out] == [
        "/a",
        "/b",
    ]
    assert all(x.startswith("127.0.0.1 - - [") for x in out)
    assert not [x for x in err if "error" in x]


def test_a_filter_applies_to_a_file_too(tmp_path):
    path = tmp_path / "access.log"
    adds = "logging.getLogger('uvicorn.access').addFilter(NoHealth())"
    settings = f"access_log_file={str(path)!r}, access_log_format='%(U)s'"
    with program(FILTER + adds, settings=settings) as command:
        out, _ = ask(command, "/health", "/a")
    assert out == []
    assert path.read_text().splitlines() == ["/a"]


@pytest.mark.parametrize("name", ["uvicorn.access", "uvicorn"])
def test_a_handler_set_by_the_program_replaces_lines(name):
    setup = f"{SHOWS}logging.getLogger({name!r}).handlers = [Shows()]\n"
    setup += "logging.basicConfig(level='WARNING', stream=sys.stdout)"
    with program(setup) as command:
        port = listening(command) if name == "uvicorn" else command.port()
        talk(port, request("/a", CLOSE))
        assert command.stop() == 0
        lines = command.out.rest().splitlines()
    assert [x[2].split('"')[1] for x in records(lines) if x[0] == "uvicorn.access"] == [
        "GET /a HTTP/1.1"
    ]
    assert all(x.startswith('["') for x in lines)


@pytest.mark.parametrize(
    "quiets",
    [
        "logging.getLogger('uvicorn.access').setLevel('WARNING')",
        "logging.getLogger('uvicorn.access').disabled = True",
    ],
)
def test_disabling_the_logger_switches_lines_off(quiets):
    with program(quiets) as command:
        out, _ = ask(command, "/a")
    assert out == []


def test_a_level_above_info_switches_lines_off(tmp_path):
    """The access log has its own destination, so it is requested explicitly."""
    path = tmp_path / "access.log"
    place = tmp_path / "socket"
    for words in ([], ["--access-log-file", str(path)]):
        words = ["--uds", str(place), "--log-level", "warning", *words]
        with Command("apps:hello", *words) as command:
            wait_until_open(place)
            talk(place, request("/a", CLOSE))
            assert command.stop() == 0
            assert command.out.rest() == ""
    assert " /a " in path.read_text()


def test_a_format_can_be_changed_as_in_uvicorn():
    setup = (
        "config = bolide.config.LOGGING_CONFIG\n"
        "config['formatters']['access']['fmt'] = "
        "'A|%(levelprefix)s|%(client_addr)s|%(request_line)s|%(status_code)s'\n"
        "config['formatters']['default']['fmt'] = 'D|%(levelname)s|%(message)s'\n"
    )
    with program(setup, settings="log_config=config") as command:
        out, err = ask(command, "/a", "/boom")
    wanted = [r"A\|INFO:    \|127\.0\.0\.1:\d+\|GET /a HTTP/1\.1\|200 OK"]
    wanted += [r"A\|INFO:    \|127\.0\.0\.1:\d+\|GET /boom HTTP/1\.1\|500 Internal .*"]
    assert len(out) == 2
    for line, pattern in zip(out, wanted, strict=True):
        assert re.fullmatch(pattern, line)
    assert any(x.startswith("D|ERROR|Exception in ASGI application: ") for x in err)
    assert err.count("ValueError: no luck") == 1


def config_with(handler):
    """Return a log_config whose access handler is a class of this file."""
    access = {"handlers": ["access"], "level": "INFO", "propagate": False}
    error = {"handlers": ["error"], "level": "INFO", "propagate": False}
    return {
        "version": 1,
        "handlers": {
            "access": {"class": f"test_log_records.{handler}"},
            "error": {"class": "logging.StreamHandler"},
        },
        "loggers": {"uvicorn.access": access, "uvicorn.error": error},
    }


class Keeps(logging.Handler):
    """Prints the arguments of each record as a line of JSON."""

    def emit(self, record):
        """Print."""
        print(json.dumps(record.args), flush=True)


class RaisesForBad(Keeps):
    """Raises for some records."""

    def emit(self, record):
        """Print or raise."""
        if "bad" in record.args[2]:
            raise RuntimeError("this handler fails")
        super().emit(record)


class RaisesAlways(logging.Handler):
    """Raises for all records."""

    def emit(self, record):
        """Raise."""
        raise RuntimeError("this handler fails")


@pytest.fixture
def logging_by(tmp_path):
    """Return code that starts a server whose access records go to a handler here."""

    def start(handler, target="hello", *words, **changes):
        path = tmp_path / "logging.json"
        config = config_with(handler)
        config["loggers"].update(changes)
        path.write_text(json.dumps(config))
        words = ("--log-config", str(path), *words)
        here = {"PYTHONPATH": f"{Path(__file__).parent}:{os.environ['PYTHONPATH']}"}
        return serve(target, *words, env=here)

    return start


def test_a_handler_that_raises_loses_only_that_record(logging_by):
    with logging_by("RaisesForBad") as command, connect(command.port()) as sock:
        targets = ("/1", "/bad", "/2", '/bad"', "/3", "/bad", "/4")
        sock.sendall(b"".join(request(x, "") for x in targets) + request("/5"))
        read_all(sock)
        assert command.stop() == 0
        kept = [json.loads(x)[2] for x in command.out.rest().splitlines()]
        said = command.err.rest()
    assert kept == ["/1", "/2", "/3", "/4", "/5"]
    lost = re.findall(r"access log: (\d) records? (?:was|were) lost", said)
    assert sum(map(int, lost)) == 3
    assert "RuntimeError: this handler fails" in said


def test_a_log_handler_that_raises_does_not_stop_the_server(logging_by):
    """The line goes to standard error, with the error of the handler."""
    broken = {"handlers": ["access"], "level": "INFO", "propagate": False}
    changes = {"uvicorn.error": broken}
    with logging_by("RaisesAlways", "raising", **changes) as command:
        port = command.port()
        for _ in range(3):
            assert talk(port, request()).startswith(b"HTTP/1.1 500 ")
        assert command.stop() == 0
        said = command.err.rest()
    assert said.count("Exception in ASGI application: GET / from") == 3
    assert "a handler of the log failed" in said


def test_any_bytes_of_a_target_are_in_its_record(logging_by):
    """One record per request; its target is what the client sent, byte by byte."""
    chooses = random.Random(11)
    odd = [bytes([x]) for x in range(0x21, 0x100) if x not in (0x23, 0x7F)]
    targets, data = [], b""
    for _ in range(400):
        target = b"/" + b"".join(chooses.choices(odd, k=chooses.randrange(60)))
        targets.append(target)
        agent = b"".join(chooses.choices(odd, k=40))
        data += b"GET %b HTTP/1.1\r\nHost: a\r\nUser-Agent: %b\r\n" % (target, agent)
        data += b"\r\n"
    with logging_by("Keeps", "hello") as command:
        answered = []
        for target, one in zip(targets, data.split(b"\r\n\r\n"), strict=False):
            got = talk(command.port(), one + b"\r\nConnection: close\r\n\r\n")
            if got.startswith(b"HTTP/1.1 200 "):
                answered.append(target.decode("latin-1"))
        assert command.stop() == 0
        kept = [json.loads(x)[2] for x in command.out.rest().splitlines()]
    assert len(answered) > 5
    assert kept == answered


class Counts(logging.Handler):
    """Prints at exit how many records were handled, and the last target."""

    records, last = 0, ""

    def emit(self, record):
        """Count."""
        self.records += 1
        self.last = record.args[2]

    def close(self):
        """Print."""
        print(self.records, self.last, flush=True)
        super().close()


def test_a_burst_before_the_stop_is_complete(logging_by):
    """More records than a socket buffers are written before the server has stopped.

    The limit has room for all lines: while the thread that passes them on gets no CPU
    time, more than the default would wait, and be dropped.
    """
    words = ("hello", "--limit-access-log", "16777216")
    with logging_by("Counts", *words) as command:
        most = 8000
        data = request("/" + "x" * 200, "") * most + request("/last")
        with connect(command.port()) as sock:
            sender = threading.Thread(target=sock.sendall, args=(data,))
            sender.start()
            assert read_all(sock).count(b"HTTP/1.1 200 ") == most + 1
            sender.join()
        assert command.stop() == 0
        assert command.out.rest() == f"{most + 1} /last\n"


def test_on_a_terminal_lines_are_written_at_once_and_in_order():
    """After the traceback of their own request, and not 200 ms later."""
    ours, theirs = os.openpty()
    code = (
        f"import os; os.dup2({theirs}, 1); os.dup2({theirs}, 2)\n"
        "from bolide.cli.main import main; main()"
    )
    words = ("apps:raising", "--port", "0", "--no-use-colors")
    words += ("--access-log-format", "%(time)s access %(U)s")
    with Command(*words, code=code, pass_fds=[theirs]) as command:
        os.close(theirs)
        text = b""
        while b"listening on" not in text:
            text += os.read(ours, 65536)
        port = int(re.search(rb":(\d+) \(pid", text).group(1))
        began = time.monotonic()
        with connect(port) as sock:
            for number in range(20):
                sock.sendall(request(f"/{number}", ""))
                while f"access /{number}\r\n".encode() not in text:
                    text += os.read(ours, 65536)
        took = time.monotonic() - began
        assert command.stop() == 0
    os.close(ours)
    found = re.findall(rb"application: GET (/\d+) |access (/\d+)\r", text)
    order = [(a or b).decode() for a, b in found]
    assert order == [f"/{i // 2}" for i in range(40)]
    # Buffered lines would be written after 200 ms: 4 s for all of them.
    assert took < 2
