"""A long mixed load: memory, descriptors and response times must not grow.

usage: run.py SECONDS [PICTURE]

Two servers have the same load: one with two workers that reload each minute, and one
process that is left running. Draws both to PICTURE, or to docs/soak.svg, and returns 1
if something grows or a request fails.
"""

import collections
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.append(str(HERE.parents[0] / "hostile"))

import picture  # noqa: E402
import targets  # noqa: E402
from measure import rss_bytes, tree  # noqa: E402

RELOAD_S = 60
GROWTH_BYTES = 8 << 20
"""How much more memory than in the first half a server may have at the end."""

GROWTH_FILES = 16
WARM_S = 30
TIMED = ("kept", "new")
"""The operations whose times are drawn: those that only send a request."""


class Server:
    """A server under load, and its measurements."""

    def __init__(self, name, folder, workers):
        self.name, self.reloads = name, workers > 0
        self.plain, self.secure = targets.free_ports(2)
        cert, key = targets.make_certificate(folder)
        words = f"-m bolide app:app --bind 127.0.0.1:{self.plain},plain"
        words += f" --bind 127.0.0.1:{self.secure} --ssl-certfile {cert}"
        words += f" --ssl-keyfile {key} --no-access-log --log-level warning"
        if workers:
            words += f" --workers {workers}"
        self.words = [sys.executable, *words.split()]
        self.samples, self.times = [], collections.defaultdict(list)
        self.counts, self.failures = collections.Counter(), []

    def start(self, seconds):
        """Start the server and its clients."""
        self.process = subprocess.Popen(self.words, cwd=HERE)
        end = time.monotonic() + 60
        while True:
            try:
                targets.socket.create_connection(("127.0.0.1", self.secure), 1).close()
                break
            except OSError:
                assert self.process.poll() is None and time.monotonic() < end
                time.sleep(0.1)
        words = ["clients.py", str(self.plain), str(self.secure), str(seconds)]
        self.clients = subprocess.Popen(
            [sys.executable, "-u", *words], cwd=HERE, stdout=subprocess.PIPE, text=True
        )
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        """Process the output of the clients."""
        for line in self.clients.stdout:
            at, what, ms, how = line.rstrip("\n").split(" ", 3)
            self.counts[f"{what} {how if how in ('ok', 'gone') else 'failed'}"] += 1
            if how not in ("ok", "gone"):
                self.failures.append(f"{what}: {how}")
            elif what in TIMED and how == "ok":
                self.times[int(float(at))].append(float(ms))

    def look(self, now):
        """Record memory and descriptors of all its processes."""
        files = 0
        for pid in tree(self.process.pid):
            try:
                files += len(os.listdir(f"/proc/{pid}/fd"))
            except OSError:
                continue
        self.samples.append((now, rss_bytes(self.process.pid), files))

    def p99(self, seconds, begin, width):
        """Return the 99th percentile for each ``width`` seconds."""
        found = []
        for at in range(0, int(seconds), width):
            window = range(int(begin) + at, int(begin) + at + width)
            times = sorted(ms for second in window for ms in self.times.get(second, ()))
            if times:
                found.append((at + width / 2, times[len(times) * 99 // 100]))
        return found

    def stop(self):
        """Stop it and return its exit code."""
        self.clients.wait(60)
        self.reader.join()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def middle(values):
    """Return the median."""
    values = sorted(values)
    return values[len(values) // 2] if values else 0


def problems_of(server, seconds, code):
    """Return what is not as it should be."""
    found = [f"{x}" for x in server.failures[:5]]
    if code != 0:
        found.append(f"it ended with {code}")
    warm = min(WARM_S, seconds / 4)
    steady = [s for s in server.samples if s[0] >= warm]
    half = (warm + seconds) / 2
    for index, what, allowed in (
        (1, "bytes", GROWTH_BYTES),
        (2, "descriptors", GROWTH_FILES),
    ):
        first = middle(s[index] for s in steady if s[0] < half)
        last = middle(s[index] for s in steady if s[0] >= half)
        if last - first > allowed:
            found.append(f"it grew from {first} to {last} {what}")
    return [f"{server.name}: {x}" for x in found]


def main(words):
    """Load both servers for a while; return whether something is wrong."""
    seconds = float(words[0])
    path = Path(words[1] if len(words) > 1 else HERE.parents[1] / "docs" / "soak.svg")
    with tempfile.TemporaryDirectory() as folder:
        servers = [
            Server("two workers, reloaded each minute", folder, 2),
            Server("one process", folder, 0),
        ]
        for server in servers:
            server.start(seconds)
        begin, reloaded = time.monotonic(), 0
        while (now := time.monotonic() - begin) < seconds:
            for server in servers:
                server.look(now)
                if server.reloads and now // RELOAD_S > reloaded:
                    reloaded += 1
                    server.process.send_signal(signal.SIGHUP)
            time.sleep(max(1.0, seconds / 600))
        codes = [server.stop() for server in servers]
    problems = []
    for server, code in zip(servers, codes, strict=True):
        problems += problems_of(server, seconds, code)
        counts = ", ".join(f"{n:,} {what}" for what, n in sorted(server.counts.items()))
        print(f"{server.name}: {counts}")
    path.write_text(picture.draw(servers, seconds, begin), encoding="utf-8")
    print("".join(f"soak: {x}\n" for x in problems), end="")
    print(
        f"soak: {seconds:.0f} s, {reloaded} reloads, {len(problems)} problems: {path}"
    )
    return len(problems) > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
