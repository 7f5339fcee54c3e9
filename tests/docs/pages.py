"""Runs the commands of a page of docs/ as a reader would type them.

A page is Markdown.  Its fenced blocks are run in order, in one folder:

- A block with ``title="NAME"`` is a file of that name.
- ``sh``: commands; each has to end with 0.
- ``console``: lines that begin with ``$ `` are commands; the lines after each are what
  it prints; ``...`` stands for any text.  A ``bolide`` command that serves runs until
  the next one that serves, or the end of the page; ``^C`` interrupts it, and it has to
  end with 0.
- ``diff``, ``text``, ``toml``, ``nginx`` and other kinds without a title are not run.

``<!-- not run: REASON -->`` before a block leaves it out.  The ports in PORTS become
free ones.
"""

import os
import random
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = int(os.environ.get("PATIENCE", "1"))
DEADLINE_S = 20 * PATIENCE
PORTS = ("8000", "8001", "8080", "8443", "9100")
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^\n]*)\n(?P<body>.*?)^(?P=indent)```$", re.M | re.S
)
LEFT_OUT = re.compile(r"<!-- not run: [^>]+-->\s*$")
PRINTS_AND_ENDS = {"--help", "--version", "--check-config", "--print-config"}


@dataclass
class Block:
    """A fenced block: its language, its title ("" for none) and its text."""

    kind: str
    title: str
    text: str
    is_run: bool


def blocks_of(page):
    """Yield the blocks of the file ``page``."""
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        indent = len(match["indent"])
        lines = [x[indent:] for x in match["body"].splitlines(keepends=True)]
        title = re.search(r'title="([^"]*)"', match["info"])
        yield Block(
            match["info"].split(" ")[0],
            title[1] if title else "",
            "".join(lines),
            not LEFT_OUT.search(text[: match.start()]),
        )


def free_port():
    """Return an unused port outside of the kernel's ephemeral range."""
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as found:
            try:
                found.bind(("0.0.0.0", port))
            except OSError:
                continue
        return str(port)


def matcher(expected):
    """Return a pattern for the output of a command; ``...`` matches any text."""
    parts = [re.escape(x) for x in expected.rstrip("\n").split("...")]
    return re.compile(".*?".join(parts), re.S)


class Reader:
    """Runs the commands of a page in ``folder``, as a reader would type them."""

    def __init__(self, folder):
        self.folder = folder
        self.server = None
        self.log = folder / ".server.log"
        self.ports = {x: free_port() for x in PORTS}
        commands = folder / ".bin"
        commands.mkdir(exist_ok=True)
        for name, what in {"bolide": "-m bolide", "python": ""}.items():
            path = commands / name
            path.write_text(f'#!/bin/sh\nexec {sys.executable} {what} "$@"\n')
            path.chmod(0o755)
        self.env = {
            **os.environ,
            "PATH": f"{commands}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        self.env.pop("PYTHONSAFEPATH", None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop(signal.SIGKILL)

    def moved(self, text):
        """Return ``text`` with the ports replaced."""
        for port, free in self.ports.items():
            text = re.sub(rf"(?<![\d.]){port}(?!\d)", free, text)
        return text

    def write(self, block):
        """Write a block that is a file."""
        path = self.folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.moved(block.text))

    def run(self, block):
        """Write or run one block."""
        if block.title:
            self.write(block)
        elif block.kind == "sh":
            self.finish(self.moved(block.text), "")
        elif block.kind == "console":
            for part in re.split(r"^(?=\$ )", self.moved(block.text), flags=re.M):
                if part.strip():
                    command, _, expected = part.removeprefix("$ ").partition("\n")
                    self.type(command, expected)

    def type(self, command, expected):
        """Run one command of a console and compare its output."""
        expected, interrupt, after = expected.partition("^C\n")
        words = shlex.split(command, comments=True)
        serves = words[0] in ("bolide", "gunicorn") and words[1:2] != ["top"]
        ends = not PRINTS_AND_ENDS.isdisjoint(words) or "||" in words
        if (serves and not ends) or words[:2] == ["python", "serve.py"]:
            self.stop()
            self.serve(command, expected)
        else:
            self.finish(command, expected)
        if interrupt:
            self.stop()
            self.wait_for(after, 0)

    def finish(self, command, expected):
        """Run ``command``, which has to exit with 0."""
        path = self.folder / ".printed"  # a file: a daemon would keep a pipe open
        with path.open("wb") as printed:
            done = subprocess.run(
                ["bash", "-ec", command],
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                timeout=DEADLINE_S,
            )
        said = path.read_text(errors="replace")
        assert done.returncode == 0, f"{command}\n{said}\n{self.printed()}"
        assert matcher(expected).search(said), (
            f"{command}\n{said}\n--- not:\n{expected}"
        )

    def serve(self, command, expected):
        """Start a server and wait for its first output."""
        env = dict(self.env)
        if not re.search(r"--(port|bind|config|uds)\b|gunicorn", command):
            env["BOLIDE_PORT"] = self.ports["8000"]
        with self.log.open("wb") as log:
            self.server = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.wait_for(expected or " listening on ", 0)

    def printed(self):
        """Return the output of the server so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait_for(self, expected, start):
        """Wait until the server has printed the expected text."""
        end = time.monotonic() + DEADLINE_S
        while not matcher(expected).search(self.printed(), start):
            assert time.monotonic() < end, f"{self.printed()}\n--- not:\n{expected}"
            time.sleep(0.02)

    def stop(self, number=signal.SIGINT):
        """Interrupt the server, if there is one; it has to exit with 0."""
        if self.server is None:
            return
        server, self.server = self.server, None
        server.send_signal(number)
        code = server.wait(DEADLINE_S)
        assert number == signal.SIGKILL or code == 0, f"{code}\n{self.printed()}"
