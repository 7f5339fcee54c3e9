"""A file system that blocks delays only the requests for its files.

Covers src/static/threads.c.
"""

import shutil
import subprocess
from pathlib import Path

import pytest
from command import connect, read_until, request, serve, talk

SOURCE = Path(__file__).with_name("slow_open.c")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The library that makes slow files wait."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    path = tmp_path_factory.mktemp("slow") / "slow_open.so"
    command = ["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", path, SOURCE]
    subprocess.run(command, check=True)
    return path


@pytest.fixture
def root(tmp_path):
    """A directory with slow files and a fast one."""
    for name in ("slow.txt", "slow.txt.1", "slow.txt.2", "fast.txt"):
        (tmp_path / name).write_text(name)
    return tmp_path


def test_blocked_files_hold_up_nothing_else(library, root):
    words = ["--static", f"/static={root}"]
    with serve("hello", *words, env={"LD_PRELOAD": str(library)}) as command:
        port = command.port()
        waiting = [connect(port) for _ in range(6)]
        for sock, name in zip(waiting, ("", ".1", ".2") * 2, strict=True):
            sock.sendall(request(f"/static/slow.txt{name}"))
        for _ in range(3):
            assert b" 200 " in talk(port, request("/"))
            assert b"fast.txt" in talk(port, request("/static/fast.txt"))
        (root / "go").touch()
        for sock in waiting:
            assert read_until(sock, b"slow.txt").startswith(b"HTTP/1.1 200 ")
            sock.close()
        assert command.stop() == 0


def test_a_server_stops_although_a_thread_is_blocked(library, root):
    words = ["--static", f"/static={root}", "--timeout-graceful-shutdown", "1"]
    with serve("hello", *words, env={"LD_PRELOAD": str(library)}) as command:
        port = command.port()
        with connect(port) as sock:
            sock.sendall(request("/static/slow.txt"))
            assert b"fast.txt" in talk(port, request("/static/fast.txt"))
            assert command.stop() == 0
