"""The limit of open files: connections leave some descriptors to the application."""

import re
import resource
import socket
from pathlib import Path

from command import Command, connect, read_until, request

from bolide.system.file_limit import most_connections, reserve_of

CODE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    if scope["path"] == "/limit":
        body = str(resource.getrlimit(resource.RLIMIT_NOFILE)[0]).encode()
    else:
        with open("/dev/null") as file:
            body = b"opened %d" % file.fileno()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({{"type": "http.response.start", "status": 200, "headers": headers}})
    await send({{"type": "http.response.body", "body": body}})
import bolide
bolide.run(app, port=0, lifespan="off", timeout_keep_alive=300)
"""


def test_the_soft_limit_is_raised():
    code = CODE.format(soft=128, hard=256)
    with Command(code=code) as command, connect(port_of(command)) as sock:
        sock.sendall(request("/limit"))
        read_until(sock, b"256")


def test_an_application_can_open_files_while_connections_are_at_their_limit():
    most = most_connections(16384, 256)
    with Command(code=CODE.format(soft=256, hard=256)) as command:
        command.err.line_with(f"at most {most} connections: 256 files may be open")
        port = port_of(command)
        with connect(port) as first:
            idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(300)]
            command.err.line_with("accepting is paused: too many connections")
            first.sendall(request("/", fields=""))
            read_until(first, b"opened")
            for sock in idle:
                sock.close()


def test_the_descriptor_table_has_its_full_size_from_the_start():
    """Otherwise the kernel would block the loop each time that it enlarges the
    table.
    """
    with Command("apps:hello", "--port", "0", "--limit-concurrency", "3000") as command:
        command.port()
        status = Path(f"/proc/{command.process.pid}/status").read_text()
        assert int(re.search(r"FDSize:\s+(\d+)", status).group(1)) >= 3000


def test_some_descriptors_are_reserved_for_the_application():
    assert most_connections(16384, 1024) == 1024 - reserve_of(1024) - 64 == 832
    assert most_connections(100, 1024) == 100
    assert most_connections(100, 32) == 1
    assert reserve_of(256) == 64


def port_of(command):
    """Wait until the command listens; return the port."""
    return int(command.where().rstrip("/").rpartition(":")[2])


def test_an_import_does_not_change_the_limit():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    most_connections(16384, 1024)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before
