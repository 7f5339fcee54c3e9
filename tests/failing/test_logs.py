"""Logs that cannot be written: requests are served, and later lines are written.

A stalled pipe, /dev/full and a closed descriptor are tested in tests/cli
(test_access_log.py, test_log_sinks.py, test_output.py).
"""

import os
import signal
import subprocess

import faults
import pytest
from command import Command, request, talk
from crews import wait_for


def serve(*words):
    """Return a command that serves the applications of faults.py and logs accesses."""
    place = ("--app-dir", str(faults.HERE), "--port", "0")
    return Command("faults:app", *place, *words)


@pytest.fixture
def disk(tmp_path):
    """Return a folder on a file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_causes_dropped_lines_and_no_lost_request_until_freed(disk):
    path, ballast = disk / "access", disk / "ballast"
    ballast.write_bytes(bytes(32768))
    with serve("--access-log-file", str(path)) as command:
        port = command.port()
        for n in range(1000):
            assert talk(port, request(f"/{n}" + "x" * 100)).startswith(b"HTTP/1.1 200 ")
        command.err.line_with("dropped: No space left on device")
        ballast.unlink()

        def flows():
            talk(port, request("/again"))
            return "/again" in path.read_text()

        wait_for(flows, "nothing is written although there is room")
        lines = path.read_text().splitlines()
        assert all(x.count("HTTP/1.1") < 2 for x in lines), "lines are mixed"
        assert command.stop() == 0


@pytest.mark.parametrize("which", ["out", "err"])
def test_a_closed_pipe_does_not_end_the_server(which):
    """SIGPIPE and EPIPE: lines are lost, requests are not."""
    with serve() as command:
        port = command.port()
        talk(port, request())
        getattr(command, which).pipe.close()
        for path in ["/", "/raising"] * 20:
            assert talk(port, request(path)).startswith(b"HTTP/1.1 ")
        command.signal(signal.SIGTERM)
        assert command.wait() == 0
