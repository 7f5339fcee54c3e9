"""The examples, each served in its own process."""

import os
import sys
from pathlib import Path

import httpx
import pytest

TESTS = Path(__file__).parent.parent
EXAMPLES = TESTS.parent / "examples"
sys.path.insert(0, str(TESTS / "cli"))

from command import Command  # noqa: E402

DEADLINE_S = 30 * int(os.environ.get("PATIENCE", "1"))


class Served:
    """A running example."""

    def __init__(self, command):
        self.command = command
        self.port = command.port()
        self.url = f"http://127.0.0.1:{self.port}"

    def client(self):
        """Return an httpx client of this server."""
        return httpx.Client(base_url=self.url, timeout=DEADLINE_S)

    def stop(self):
        """Stop it, check that it stops gracefully, and return its output."""
        assert self.command.stop() == 0
        return self.command.out.rest(), self.command.err.rest()


def serving(target, *words, folder=EXAMPLES, env=(), python=sys.executable):
    """Return a Command that serves ``target`` of a folder on a free port."""
    words = [target, "--port", "0", "--app-dir", str(folder), *words]
    words += ["--timeout-keep-alive", "60"]
    return Command(*words, env=env, python=python)


def wait_until(holds, tries=500):
    """Poll until the condition holds; each attempt is a request, which takes time."""
    for _ in range(tries):
        if holds():
            return
    pytest.fail("it never came true")
