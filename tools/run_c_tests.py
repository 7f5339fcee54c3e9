#!/usr/bin/env python3
"""Runs the C unit tests of a build folder and sums up their results (TAP).

usage: run_c_tests.py BUILD_DIR
"""

import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

DEADLINE_S = 120 * int(os.environ.get("PATIENCE", "1"))
RUNNER = os.environ.get("RUNNER", "").split()
"""What runs the programs of another processor, such as qemu-aarch64."""

EXCEPT = os.environ.get("EXCEPT", "").split()
"""Tests that are not run."""

MOST = 64 << 20
"""Bytes that one test may print, and may write to a file."""


def run(test: Path) -> tuple[int, int]:
    """Return how many checks of ``test`` passed and failed; print what failed."""
    with tempfile.TemporaryFile() as out:
        # A test that writes endlessly is ended by its limits of size and of time.
        done = subprocess.run(
            [*RUNNER, test],
            stdout=out,
            stderr=subprocess.STDOUT,
            timeout=DEADLINE_S,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MOST, MOST)),
        )
        out.seek(0)
        printed = out.read().decode(errors="replace")
    passed = len(re.findall(r"^ok ", printed, re.M))
    failed = len(re.findall(r"^not ok ", printed, re.M))
    if done.returncode != 0:
        failed = max(failed, 1)
    if passed + failed == 0:
        failed = 1
    if failed:
        print(f"{test.name}: {failed} failed (exit status {done.returncode})")
        lines = [x for x in printed.splitlines() if not x.startswith("ok ")]
        print("\n".join(lines[:40] + lines[40:][-40:]))
    return passed, failed


def main() -> None:
    """Run all tests; exit with 1 if any check failed."""
    folder = Path(sys.argv[1]) / "tests" / "c"
    tests = sorted(
        x
        for x in folder.glob("test_*")
        if x.is_file() and os.access(x, os.X_OK) and x.name not in EXCEPT
    )
    totals = [run(test) for test in tests]
    passed = sum(x for x, _ in totals)
    failed = sum(x for _, x in totals)
    print(f"c: {passed} passed, {failed} failed")
    sys.exit(1 if failed or not tests else 0)


main()
