"""``bolide top``: the numbers of a server in a terminal."""

import io
import os
import pty
import re
import signal
import subprocess
import sys

from command import DEADLINE_S, Command, request, serve, talk

from bolide import top

CLOSE = "Connection: close\r\n"


def inside(command):
    """Return where a command's status page is."""
    return command.err.line_with("health, metrics and status on ").split()[-1]


def test_it_shows_workers_and_rates():
    words = ["--workers", "2", "--metrics-bind", "127.0.0.1:0"]
    with serve("hello", *words) as server:
        port, place = server.port(), inside(server)
        news = top.listen(place)
        screen = top.Screen()
        screen.show(next(news), 80, 24)
        for _ in range(7):
            talk(port, request("/", CLOSE))
        shown = screen.show(next(news), 80, 24)
        news.close()
    text = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown)
    lines = text.split("\r\n")
    assert lines[0] == "bolide  2 workers"
    (rate,) = [x.split()[1] for x in lines if x.startswith("requests ")]
    assert float(rate.removesuffix("/s")) > 0
    assert sum("serving" in x for x in lines) == 2
    assert all(len(x) <= 80 for x in lines) and len(lines) <= 24


def test_in_a_terminal_it_draws_in_place_until_control_c():
    with serve("hello", "--metrics-bind", "127.0.0.1:0") as server:
        ours, theirs = pty.openpty()
        words = [sys.executable, "-m", "bolide", "top", inside(server)]
        shows = subprocess.Popen(words, stdout=theirs, stderr=theirs, stdin=theirs)
        os.close(theirs)
        seen = b""
        while seen.count(b"\x1b[H") < 2:
            seen += os.read(ours, 65536)
        shows.send_signal(signal.SIGINT)
        assert shows.wait(DEADLINE_S) == 0
        os.close(ours)
    assert seen.startswith(b"\x1b[?25l\x1b[2J\x1b[H")
    assert b"1 workers" in seen


def test_a_unix_socket_is_an_address(tmp_path):
    path = tmp_path / "inside"
    with serve("hello", "--metrics-bind", f"unix:{path}") as server:
        server.port()
        news = top.listen(f"unix:{path}")
        assert len(next(news)["workers"]) == 1
        news.close()


def test_nobody_who_listens_is_said_in_one_line():
    with Command("top", "127.0.0.1:1") as command:
        assert command.wait() == 1
        (line,) = command.err.rest().splitlines()
    assert line.startswith("bolide top: 127.0.0.1:1: ")


def test_help_and_wrong_words():
    out = io.StringIO()
    assert top.run(["--help"], out) == 0
    assert out.getvalue().startswith("usage: bolide top")
    assert top.run(["a", "b"], out) == 2


def test_long_lines_are_cut_and_colours_kept():
    assert top._cut("\x1b[1mabc\x1b[0mdef", 4) == "\x1b[1mabc\x1b[0md"
