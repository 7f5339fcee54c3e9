"""Sends the wire cases through proxies: both sides must agree where requests end.

usage: run.py [--short] [--keep] [WORD ...]   only proxies whose names contain a WORD

Each case is sent to a proxy that keeps its connections to the server; then another
client sends a request. The application may receive only requests that the proxy has
forwarded, which it marks; a request without that mark came out of another one's body.
The other client must get the response to its own request.

--short: only the cases about framing. --keep: does not write docs/HOSTILE.md.
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
sys.path.append(str(HERE.parents[0] / "wire"))
sys.path.append(str(HERE.parents[0] / "hostile"))

import document  # noqa: E402
import fronts  # noqa: E402
import naive  # noqa: E402
import report  # noqa: E402

PATIENCE = int(os.environ.get("PATIENCE", "1"))
DEADLINE_S = 10 * PATIENCE
QUIET_S = 0.15
STATE = "/state"
"""The target that asks the server itself, without a proxy."""
PROBLEMS_MAX = 5
"""A proxy with more problems is given up, since each may take DEADLINE_S."""
FRAMING = ("cl-te", "transfer-encoding", "chunked", "content-length", "pipelining")
LEFT_OUT = ("proxy", "responses")
"""These cases need the PROXY protocol, or test wrong responses of the application."""


class Back:
    """The server behind a proxy."""

    def __init__(self, folder):
        self.port, self.log = fronts.free_port(), Path(folder, "requests")
        words = f"-m bolide app:app --port {self.port} --no-access-log --lifespan off"
        words += " --log-level error --timeout-keep-alive 60 --header X-Back:1"
        self.words = [sys.executable, *words.split()]
        self.log.write_text("")
        self.place = 0

    def __enter__(self):
        env = {**os.environ, "SMUGGLING_LOG": str(self.log)}
        self.process = subprocess.Popen(self.words, cwd=HERE, env=env)
        end = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                assert self.process.poll() is None and time.monotonic() < end
                time.sleep(0.05)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def state(self):
        """Return what the server does, for a message."""
        status = self.process.poll()
        if status is not None:
            return f"the server has exited with {status}"
        try:
            return f"the server itself answers {ask(self.port, STATE)[0]}"
        except OSError as problem:
            return f"the server itself does not answer: {problem}"

    def seen(self):
        """Return the requests that the application has received since the last call."""
        text = self.log.read_text()
        found, self.place = text[self.place :], len(text)
        return [json.loads(line) for line in found.splitlines()]


def send_case(port, case):
    """Send a case; read until the connection ends or is silent."""
    data = b""
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as sock:
        try:
            sock.sendall(case.sent)
            if case.half_closes:
                sock.shutdown(socket.SHUT_WR)
            sock.settimeout(QUIET_S * 4)
            while piece := sock.recv(65536):
                data += piece
                sock.settimeout(QUIET_S)
        except OSError:
            return data
    return data


def ask(port, target):
    """Send a request as another client; return the status and the body."""
    text = f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    data = b""
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as sock:
        sock.settimeout(DEADLINE_S)
        try:
            sock.sendall(text.encode())
            while piece := sock.recv(65536):
                data += piece
        except OSError as problem:
            return f"{problem}", data
    return data[9:12].decode("latin-1"), data


def next_is_served(front, number, back):
    """Send requests until the proxy has recovered; return what is wrong."""
    begin, tries = time.monotonic(), 0
    while True:
        status, data = ask(front.port, f"/next-{number}")
        tries += 1
        if status == "200" and f'"/next-{number}"'.encode() in data:
            return None
        waited = time.monotonic() - begin
        if status not in ("502", "503", "504") or waited > DEADLINE_S:
            return (
                f"the next request got {status}, after {tries} in {waited:.1f} s "
                f"({back.state()}): {data[-200:]!r}; "
                f"the proxy printed {front.printed()}"
            )
        time.sleep(0.05)


def bodies_of(case):
    """Return the bodies that the application receives of a case without a proxy."""
    found = [re.fullmatch(r'body "(.*)"', line) for line in case.log]
    return [m[1] for m in found if m]


def play(case, number, front, back):
    """Run a case; return its outcome, and what is wrong or None."""
    back.seen()
    data = send_case(front.port, case)
    problem = next_is_served(front, number, back)
    own = (f"/next-{number}", STATE)
    seen = [x for x in back.seen() if x["target"] not in own]
    strays = [x for x in seen if x["fronts"] != ["1"]]
    if strays:
        problem = f"the proxy has not forwarded {strays[0]}"
    whole = [x for x in seen if x["whole"]]
    wanted = bodies_of(case)
    bodies = [x["body"].encode("unicode_escape").decode() for x in whole if x["body"]]
    if len(wanted) == len(bodies) and wanted != bodies and len(bodies[0]) <= 80:
        problem = f"a body is {bodies}, not {wanted}"
    if whole:
        return "served", problem
    if b" 101 " in data[:20]:
        return "served", problem
    if seen:
        return "cut off", problem
    if not re.match(rb"HTTP/1.[01] [45]", data):
        return "no response", problem
    by_server = b"x-back: 1" in data.lower()
    return "rejected by bolide" if by_server else "rejected by the proxy", problem


def finds_strays():
    """Return whether a request that a proxy has not forwarded is detected."""
    sent = b"GET /one HTTP/1.1\r\nHost: a\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\n\r\n"
    case = document.Case("two requests", sent, False, False, False, [])
    with (
        tempfile.TemporaryDirectory() as folder,
        Back(folder) as back,
        naive.Naive(back.port) as front,
    ):
        _, problem = play(case, 0, front, back)
    return problem is not None and "'/two'" in problem


def cases_of(short):
    """Return the cases."""
    found = []
    for path in sorted((HERE.parents[0] / "wire" / "http1").glob("*.md")):
        if path.stem in LEFT_OUT or (short and path.stem not in FRAMING):
            continue
        found += [case for case in document.read(path) if not case.is_proxied]
    return found


class Runner(threading.Thread):
    """Runs all cases through one proxy."""

    def __init__(self, kind, cases):
        super().__init__()
        self.kind, self.cases = kind, cases
        self.counts, self.problems, self.skipped = Counter(), [], False
        self.failure = None
        self.start()

    def run(self):
        """Run the cases."""
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            try:
                self.play_all(folder)
            except Exception as failure:
                self.failure = failure
                self.problems.append(f"{failure!r}")

    def play_all(self, folder):
        """Start both and run the cases."""
        with Back(folder) as back:
            front = fronts.Front(self.kind, folder, back.port)
            if not front.exists:
                self.skipped = True
                return
            with front:
                for number, case in enumerate(self.cases):
                    what, problem = play(case, number, front, back)
                    self.counts[what] += 1
                    if problem:
                        self.problems.append(f"{case.name}: {problem}")
                    if len(self.problems) >= PROBLEMS_MAX:
                        self.problems.append("the cases after it were not run")
                        return


OUTCOMES = ("served", "rejected by the proxy", "rejected by bolide", "cut off",
            "no response")  # fmt: skip


def main(words):
    """Run all cases through all proxies; return whether they disagree anywhere."""
    names = [word for word in words if not word.startswith("--")]
    kinds = [k for k in fronts.KINDS if not names or any(n in k for n in names)]
    short = "--short" in words
    cases = cases_of(short)
    if not finds_strays():
        print("smuggling: a request that comes out of another one is not found")
        return True
    runners = [Runner(kind, cases) for kind in kinds]
    rows, failed = [], 0
    for runner in runners:
        runner.join()
        if runner.skipped:
            print(f"{runner.kind}: skipped, it is not installed")
            continue
        failed += len(runner.problems)
        rows.append([runner.kind, *(runner.counts[x] for x in OUTCOMES),
                     len(runner.problems)])  # fmt: skip
        counts = ", ".join(f"{n} {what}" for what, n in runner.counts.items())
        print(f"{runner.kind}: {counts}; {len(runner.problems)} disagree")
        print("".join(f"    {x}\n" for x in runner.problems[:20]), end="")
    if not short and not names and "--keep" not in words:
        report.write_smuggling(OUTCOMES, rows, len(cases))
    print(f"smuggling: {len(cases)} cases through {len(rows)} proxies, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
