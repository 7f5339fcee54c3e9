"""Runs a load against a server and compares its resources before and after."""

import json
import os
import time
from http.client import HTTPConnection
from pathlib import Path

from command import Command
from loads import LOADS, SECURE, Clock

HERE = Path(__file__).parent
PATIENCE = int(os.environ.get("PATIENCE", "1"))
SETTLE_S = 20 * PATIENCE
LOOKS = 10
WARM_SHARE, WARM_LEAST = 10, 1000
OPTIONS = "--no-proxy-headers --pathsend --h2-max-resets 0 --limit-head 8192"
OPTIONS += " --timeout-disconnect 0.05 --timeout-keep-alive 300 --log-level error"
MAY_GROW = {"RSS": 1 << 20, "malloc": 1 << 18, "blocks": 500}
"""What may be left after a load: nothing that grows with its length."""


def start(cert):
    """Return a command that serves without TLS, and with TLS on a second port."""
    words = f"{OPTIONS} --bind 127.0.0.1:0,plain --bind 127.0.0.1:0".split()
    words += ["--access-log", "--access-log-file", "/dev/null", *cert.words()]
    return Command("leaky_app:app", *words, "--log-level", "info", cwd=HERE)


def ask(port):
    """Return the current resources of the server."""
    client = HTTPConnection("127.0.0.1", port, timeout=SETTLE_S)
    client.request("GET", "/state", headers={"Connection": "close"})
    state = json.loads(client.getresponse().read())
    client.close()
    return state


def settled(port, tasks, descriptors):
    """Wait until no tasks and descriptors are left over; return the resources.

    The result is the minimum of several samples: buffers of the access log come and go.
    """
    end = time.monotonic() + SETTLE_S
    state = ask(port)
    while state["tasks"] > tasks or state["descriptors"] > descriptors:
        if time.monotonic() > end:
            return state
        time.sleep(0.1)
        state = ask(port)
    for _ in range(LOOKS):
        time.sleep(0.05)
        again = ask(port)
        state = {what: min(n, again[what]) for what, n in state.items()}
    return state


class Growth:
    """By how much the resources of a server have grown after a load."""

    def __init__(self, name, done, before, after):
        self.name, self.done, self.before, self.after = name, done, before, after

    def __getitem__(self, what):
        return self.after[what] - self.before[what]

    def leaks(self):
        """Return a description of what is left."""
        found = [x for x in ("tasks", "descriptors") if self[x] > 0]
        found += [x for x, most in MAY_GROW.items() if self[x] > most]
        return [f"{x}: {self.before[x]} -> {self.after[x]}" for x in found]

    def row(self):
        """Return a row of a table."""
        cells = [self.name, f"{self.done:,}", f"{self.after['RSS'] / 2**20:.1f} MiB"]
        cells += [f"{self['RSS'] / 1024:+.0f} KiB", f"{self['malloc']:+,}"]
        cells += [f"{self['blocks']:+,}", f"{self['descriptors']:+}"]
        return "| " + " | ".join([*cells, f"{self['tasks']:+}"]) + " |"


def grow(name, cert, n, seconds):
    """Run the load ``name`` and return its Growth."""
    load = LOADS[name]
    with start(cert) as server:
        plain, secure = ports(server)
        port = secure if load in SECURE else plain
        fresh = ask(plain)
        load(port, max(n // WARM_SHARE, WARM_LEAST), Clock(seconds))
        limits = fresh["tasks"], fresh["descriptors"]
        before = settled(plain, *limits)
        done = load(port, n, Clock(seconds))
        return Growth(name, done, before, settled(plain, *limits))


def ports(server):
    """Return the ports without TLS and with TLS."""
    where = server.where()
    found = {x.split("://")[0]: int(x.rpartition(":")[2]) for x in where.split(", ")}
    return found["http"], found["https"]
