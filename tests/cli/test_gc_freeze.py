"""The collector does not traverse what the application imported (--gc-freeze)."""

import subprocess
import sys

import pytest
from command import request, serve, talk
from crews import workers


def frozen(command):
    """Return the number of objects that the collector never visits."""
    return int(talk(command.port(), request()).partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize(
    "server",
    [
        lambda: serve("frozen"),
        lambda: workers(1, "frozen"),
        lambda: workers(1, "frozen", "--preload"),
    ],
    ids=["alone", "workers", "preload"],
)
def test_imported_objects_are_frozen(server):
    with server() as command:
        assert frozen(command) > 1000


@pytest.mark.parametrize(
    "server",
    [
        lambda: serve("frozen", "--no-gc-freeze"),
        lambda: workers(1, "frozen", "--no-gc-freeze"),
    ],
    ids=["alone", "workers"],
)
def test_the_option_leaves_the_collector_alone(server):
    with server() as command:
        assert frozen(command) == 0


EMBEDDING = """
import gc
from bolide import Config, Server

async def app(scope, receive, send):
    server.should_exit = True

server = Server(Config(app, port=0, log_level="critical"))
server.run()
print(gc.get_freeze_count())
"""


def test_an_embedding_program_keeps_its_collector():
    done = subprocess.run(
        [sys.executable, "-P", "-c", EMBEDDING], capture_output=True, text=True
    )
    assert done.stdout == "0\n", done.stderr
