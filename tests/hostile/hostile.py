"""Attacks the server while a well-behaved client uses it, and writes docs/HOSTILE.md.

usage: hostile.py [--short] [--bolide] [--keep] [ROW ...]

--short: fewer connections and shorter times, only bolide; writes nothing. --bolide:
without nginx. --keep: does not write the document. Without ROWs all rows are run.
Returns 1 if a row fails, that is, if in each of three attempts the server does not
close connections as expected, a request of the well-behaved client fails, or its p99 is
more than three times the p99 without the attack.
"""

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field

import report
from rows import LEFT_OUT_SHORT, ROWS
from targets import HERE, Target, nginx_path, pinned

from bolide import _engine

RATE = 500
RATE_H3 = 50
RESOLUTION_H3 = 10.0
"""As Form.resolution, for the client of HTTP/3, which is written in Python."""
TRIES = 5
WORST_RATIO = 3.0

WITNESS = HERE.parents[1] / "build" / "witness"


@dataclass
class Form:
    """Durations."""

    quiet: float
    attack: float
    times: int
    around: float
    """The quiet windows before and after a long attack."""
    short: bool
    gap: float = 0.3
    resolution: float = 1.0
    """Differences of p99 below so many ms are caused by the kernel's scheduler."""
    lasts: float = 0
    """How long the long attacks last; 0: as long as the row says."""


FULL = Form(quiet=0.8, attack=0.7, times=6, around=4.0, short=False)
"""Attacks are shorter than a second, after which the kernel schedules others."""

SHORT = Form(
    quiet=0.3, attack=0.4, times=1, around=0.3, short=True, gap=0.1, resolution=50.0,
    lasts=2.4,
)  # fmt: skip
"""If the attackers, the server and the client use both cores completely, an attempt may
have a pause of 10 to 30 ms, which is 1 % of so short a time. The full form finds what
this one does not.
"""


@dataclass
class Result:
    """The result of a row with one server."""

    row: object
    kind: str
    bytes_each: float = 0
    cpu: float = 0
    quiet_cpu: float = 0
    attackers: dict = field(default_factory=dict)
    quiet: tuple = (0, 0)
    """Median and p99 of the well-behaved client, in ms."""
    beside: tuple = (0, 0)
    quiet_h3: tuple = (0, 0)
    beside_h3: tuple = (0, 0)
    """The same of one that uses HTTP/3, if the attack does."""
    failed: int = 0
    asked: int = 0
    lines: list = field(default_factory=list)
    left: int = 0
    """How many descriptors are open afterwards that were not open before."""
    problems: list = field(default_factory=list)

    @property
    def ratio(self):
        """The ratio of p99 during the attack to p99 without it."""
        return self.beside[1] / self.quiet[1] if self.quiet[1] else 0


class Sampler(threading.Thread):
    """Samples the server 20 times a second."""

    def __init__(self, target):
        super().__init__(daemon=True)
        self.target, self.seen, self.over = target, [], threading.Event()
        self.start()

    def run(self):
        """Sample until it is stopped or the server has ended."""
        while not self.over.wait(0.05):
            try:
                self.seen.append((time.monotonic(), *self.target.figures()))
            except OSError:
                return

    def within(self, windows):
        """Return the samples in the windows, a list for each window."""
        return [[s for s in self.seen if a <= s[0] <= b] for a, b in windows]

    def cpu(self, windows):
        """Return the CPU use in the windows, in percent of a core."""
        spent = lasted = 0.0
        for seen in self.within(windows):
            if len(seen) > 1:
                spent += seen[-1][1] - seen[0][1]
                lasted += seen[-1][0] - seen[0][0]
        return 100 * spent / lasted if lasted else 0.0


def windows_of(row, form, begin):
    """Return the quiet windows and the windows of the attack."""
    quiet, attacks, at = [], [], begin
    if row.lasts:
        lasts = form.lasts or row.lasts
        quiet.append((at, at + form.around))
        attacks.append((at + form.around, at + form.around + lasts))
        at = attacks[0][1] + form.gap
        quiet.append((at, at + form.around))
        return quiet, attacks
    for _ in range(form.times):
        quiet.append((at, at + form.quiet))
        at += form.quiet
        attacks.append((at, at + form.attack))
        at += form.attack + form.gap
    return quiet, attacks


def quantiles(times):
    """Return median and p99."""
    times = sorted(times)
    if not times:
        return (0.0, 0.0)
    return times[len(times) // 2], times[min(len(times) - 1, len(times) * 99 // 100)]


def split(text, quiet, attacks):
    """Return a witness's times in quiet and in attack windows, and the failures."""
    found = ([], [])
    failed = []
    for line in text.splitlines():
        at, ms, how = line.split(" ")
        at = float(at)
        for times, windows in zip(found, (quiet, attacks), strict=True):
            if any(a <= at <= b for a, b in windows):
                times.append(float(ms))
        if how != "200":
            failed.append(f"{how} after {ms} ms")
    return *found, failed


def spawn(words, nice, is_measured=False):
    """Start one of our processes on the core that the server does not use."""
    return subprocess.Popen(
        words,
        cwd=HERE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=pinned(1, nice, is_measured),
    )


def measure(row, target, form):
    """Run a row once against a running server."""
    result = Result(row, target.kind)
    log_before = target.log_size()
    words = [sys.executable, "attacker.py", row.name, str(target.ports[row.port])]
    attacker = spawn([*words, "short" if form.short else "full"], -10)
    attacker.stdout.readline()
    _, rss_before, files_before = target.figures()
    quiet, attacks = windows_of(row, form, time.monotonic() + 0.2)
    port = str(target.ports["http1"])
    seconds = max(b for _, b in quiet + attacks) - time.monotonic() + form.gap
    words = [str(WITNESS), port, f"{seconds}", f"{RATE}", f"{row.new_every}"]
    witness = spawn(words, -18, is_measured=True)
    other = None
    if row.port == "quic":
        words = [sys.executable, "quic_witness.py", str(target.ports["quic"])]
        other = spawn([*words, f"{seconds}", f"{RATE_H3}"], -18, is_measured=True)
    sampler = Sampler(target)
    windows = " ".join(f"{a}-{b}" for a, b in attacks) + "\n"
    told, _ = attacker.communicate(windows, timeout=seconds + 60)
    seen, _ = witness.communicate(timeout=60)
    sampler.over.set()
    result.attackers = json.loads(told)
    times, beside, failed = split(seen, quiet, attacks)
    result.quiet, result.beside = quantiles(times), quantiles(beside)
    result.asked = len(times) + len(beside)
    if other is not None:
        seen, _ = other.communicate(timeout=60)
        times, beside, failed_h3 = split(seen, quiet, attacks)
        result.quiet_h3, result.beside_h3 = quantiles(times), quantiles(beside)
        failed += failed_h3 if beside else ["no response over HTTP/3"]
    result.failed = len(failed)
    peak = max((s[2] for w in sampler.within(attacks) for s in w), default=rss_before)
    most = max(1, result.attackers["most"])
    result.bytes_each = max(0, peak - rss_before) / most
    result.cpu, result.quiet_cpu = sampler.cpu(attacks), sampler.cpu(quiet)
    result.left = wait_for_files(target, files_before)
    result.lines = target.log_lines(log_before)
    if target.kind == "bolide":
        judge(result, failed, form)
    return result


def wait_for_files(target, before):
    """Wait until the descriptors are closed; return how many are not."""
    end = time.monotonic() + 6
    while True:
        left = target.figures()[2] - before
        if left <= 0 or time.monotonic() > end:
            return max(0, left)
        time.sleep(0.02)


def judge(result, failed, form):
    """Record what is not as expected."""
    row, cuts = result.row, result.attackers["cuts"]
    if failed:
        result.problems.append(f"the well-behaved client: {failed[:3]}")
    if row.judged and result.beside[1] > max(
        WORST_RATIO * result.quiet[1], form.resolution
    ):
        result.problems.append(f"p99 is {result.ratio:.1f} times that of the quiet run")
    if row.judged_h3 and result.beside_h3[1] > max(
        WORST_RATIO * result.quiet_h3[1], RESOLUTION_H3
    ):
        result.problems.append("the same of HTTP/3")
    held = result.attackers["held"] if row.lasts and row.again == 0 else 0
    if row.cut and row.must and (not cuts or held):
        which = held if cuts else "all"
        result.problems.append(f"{which} connections were not cut")
    wrong = [how for how in cuts if row.cut and not re.search(row.cut, how)]
    if wrong:
        result.problems.append(f"cut by {wrong}")
    if result.left:
        result.problems.append(f"{result.left} descriptors are still open")


def try_row(row, kind, form, stack, running):
    """Run a row until it passes, at most three times; return the last result."""
    options = row.hasty if form.short else row.options
    result = None
    for _ in range(TRIES):
        place = (kind, options, row.files)
        if running.get("place") != place or not form.short:
            stack.close()
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            os.chmod(folder, 0o755)
            target = Target(kind, folder, options, row.files)
            running.update(place=place, target=stack.enter_context(target))
        result = measure(row, running["target"], form)
        if running["target"].process.poll() is not None:
            result.problems.append("the server has ended")
            running.clear()
        if not result.problems:
            break
        print(f"  {row.name}: {'; '.join(result.problems)}", flush=True)
    return result


def main(words):
    """Run the rows; return whether one has failed."""
    form = SHORT if "--short" in words else FULL
    names = [word for word in words if not word.startswith("--")]
    rows = [row for row in ROWS if not names or row.name in names]
    if not _engine.has_http3():
        rows = [row for row in rows if row.port != "quic"]
    if form.short:
        rows = [row for row in rows if names or row.name not in LEFT_OUT_SHORT]
        rows.sort(key=lambda row: (row.hasty, row.files))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    has_nginx = not form.short and "--bolide" not in words and nginx_path()
    writes = not form.short and "--keep" not in words
    failed, running = 0, {}
    with ExitStack() as stack:
        for row in rows:
            result = try_row(row, "bolide", form, stack, running)
            failed += bool(result.problems)
            if writes:
                report.keep(result)
            print(report.line(result), flush=True)
            if has_nginx and row.nginx:
                stack.close()
                running.clear()
                result = try_row(row, "nginx", form, stack, running)
                if writes:
                    report.keep(result)
                print(report.line(result), flush=True)
    if writes:
        report.write(ROWS)
    print(f"hostile: {len(rows)} attacks, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
