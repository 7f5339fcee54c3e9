"""``bolide top``: the metrics of a server in a terminal."""

import contextlib
import fcntl
import io
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
import time

import pytest
from command import DEADLINE_S, Command, request, serve, talk

import bolide
from bolide.cli import top
from bolide.cli.top_screen import Screen, cut

CLOSE = "Connection: close\r\n"


def inside(command):
    """Return the address of a command's status page."""
    return command.err.line_with("health, metrics and status on ").split()[-1]


def plain(text):
    """Return text without escape sequences."""
    return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", text)


def test_it_shows_workers_and_rates():
    words = ["--workers", "2", "--metrics-bind", "127.0.0.1:0"]
    with serve("hello", *words) as server:
        port, place = server.port(), inside(server)
        news = top.listen(place)
        screen = Screen()
        screen.take(next(news))
        for _ in range(7):
            talk(port, request("/", CLOSE))
        screen.take(next(news))
        news.close()
    lines = plain(screen.show(80, 24)).split("\n")
    assert lines[0].startswith(f"{socket.gethostname()}  serving  2 workers  up ")
    assert lines[1].startswith(f"bolide {bolide.__version__}  apps:hello  Python 3.")
    assert lines[1].endswith("q quits")
    (rate,) = [x.split()[1] for x in lines if x.startswith("requests ")]
    assert float(rate.removesuffix("/s")) > 0
    assert [x for x in lines if re.match(r"total +requests 7   2xx 7", x)]
    assert sum("serving" in x for x in lines) == 3
    assert "█" in "".join(lines)
    for width, height in ((80, 24), (60, 20), (200, 60), (40, 12), (20, 5)):
        lines = plain(screen.show(width, height)).split("\n")
        assert all(len(x) <= width for x in lines) and len(lines) <= height
        if width >= 60:  # a column that does not fit is left out entirely
            assert [x for x in lines if re.match(r" +worker +state .*\bmemory\b", x)]


class Terminal:
    """A terminal that runs ``bolide top``, and a small model of what it shows."""

    def __init__(self, *words, columns=80, rows=24):
        self.ours, theirs = pty.openpty()
        self.resize(columns, rows, theirs)
        words = [sys.executable, "-m", "bolide", "top", *words]
        env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            words, stdin=theirs, stdout=theirs, stderr=theirs, env=env,
            preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)),
        )  # fmt: skip
        os.close(theirs)
        self.seen = b""
        self.rows = {}

    def resize(self, columns, rows, number=None):
        """Change the size, and notify the program."""
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(number or self.ours, termios.TIOCSWINSZ, size)

    def until(self, condition):
        """Read until the lines shown satisfy ``condition``; return them."""
        end = time.monotonic() + DEADLINE_S
        while not condition(self.shown()):
            assert time.monotonic() < end, self.shown()
            self.seen += os.read(self.ours, 65536)
        return self.shown()

    def shown(self):
        """Return the lines that a terminal would show for the output so far."""
        screen, row, column = {}, 0, 0
        for part in re.findall(r"\x1b\[[\d;?]*[A-Za-z]|[^\x1b]", self.text()):
            if part == "\x1b[H":
                row = column = 0
            elif part == "\x1b[2J":
                screen = {}
            elif part == "\x1b[J":
                screen = {k: v for k, v in screen.items() if k < (row, column)}
            elif part == "\x1b[K":
                screen = {
                    k: v for k, v in screen.items() if k[0] != row or k[1] < column
                }
            elif part == "\r":
                column = 0
            elif part == "\n":
                row += 1
            elif part[0] != "\x1b":
                screen[row, column] = part
                column += 1
        rows = range(max((k[0] for k in screen), default=-1) + 1)
        widths = range(max((k[1] for k in screen), default=-1) + 1)
        return ["".join(screen.get((y, x), " ") for x in widths).rstrip() for y in rows]

    def text(self):
        return self.seen.decode("utf-8", "ignore")

    def end(self, how):
        """End it with a key or a signal; return the exit code."""
        if isinstance(how, bytes):
            os.write(self.ours, how)
        else:
            self.process.send_signal(how)
        code = self.process.wait(DEADLINE_S)
        with contextlib.suppress(OSError):
            while more := os.read(self.ours, 65536):
                self.seen += more
        os.close(self.ours)
        return code


@pytest.mark.parametrize("how", [b"q", signal.SIGINT])
def test_in_a_terminal_it_draws_in_place_until_a_key_or_a_signal(how):
    with serve("hello", "--metrics-bind", "127.0.0.1:0") as server:
        shows = Terminal(inside(server))
        shows.until(lambda lines: any("1 worker " in x for x in lines))
        assert shows.end(how) == 0
    assert shows.text().startswith("\x1b[?1049h\x1b[?25l\x1b[2J")
    assert shows.text().endswith("\x1b[?1049l\x1b[?25h")


def test_a_smaller_screen_leaves_no_remains():
    words = ["--workers", "4", "--metrics-bind", "127.0.0.1:0"]
    with serve("hello", *words) as server:
        shows = Terminal(inside(server), columns=120, rows=40)
        shows.until(lambda lines: sum("serving" in x for x in lines) == 5)
        shows.resize(60, 20)
        lines = shows.until(
            lambda lines: (
                sum("serving" in x for x in lines) == 5 and max(map(len, lines)) <= 60
            )
        )
        assert len(lines) <= 20
        assert shows.end(b"q") == 0


def test_into_a_pipe_it_writes_one_screen_of_plain_text():
    with serve("hello", "--metrics-bind", "127.0.0.1:0") as server:
        with Command("top", inside(server)) as shows:
            assert shows.wait() == 0
            text = shows.out.rest()
            assert shows.err.rest() == ""
        with Command("top", "-b", "-n2", inside(server)) as shows:
            assert shows.wait() == 0
            assert shows.out.rest().count("total ") == 2
    assert "\x1b" not in text and "\r" not in text
    assert text.count("total ") == 1


def test_a_closed_pipe_is_not_an_error():
    code = "import sys, bolide; sys.argv[0] = 'bolide'; bolide.main()"
    with (
        serve("hello", "--metrics-bind", "127.0.0.1:0") as server,
        Command("top", "-b", inside(server), code=code) as shows,
    ):
        shows.out.line_with("total ")
        shows.process.stdout.close()
        assert shows.process.wait(DEADLINE_S) == 0
        assert shows.err.rest() == ""


def test_a_unix_socket_is_an_address(tmp_path):
    path = tmp_path / "inside"
    with serve("hello", "--metrics-bind", f"unix:{path}") as server:
        server.port()
        news = top.listen(f"unix:{path}")
        assert len(next(news)["workers"]) == 1
        news.close()


def test_a_server_that_does_not_respond_is_one_line():
    with Command("top", "127.0.0.1:1") as command:
        assert command.wait() == 1
        (line,) = command.err.rest().splitlines()
    assert line.startswith("bolide top: 127.0.0.1:1: nothing listens there; ")
    assert "--metrics-bind" in line


def test_help_and_wrong_arguments():
    out = io.StringIO()
    assert top.run(["--help"], out) == 0
    assert out.getvalue().startswith("usage: bolide top")
    for words in (["a", "b"], ["-n"], ["-n0"], ["-nx"], ["--what"]):
        assert top.run(words, out) == 2


def test_long_lines_are_cut_and_colors_kept():
    assert cut("\x1b[1mabc\x1b[0mdef", 4) == "\x1b[1mabc\x1b[0md"
