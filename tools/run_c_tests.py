#!/usr/bin/env python3
"""Runs the C unit tests of a build folder and adds up what they print (TAP).

usage: run_c_tests.py BUILD_DIR
"""

import os
import re
import subprocess
import sys
from pathlib import Path

DEADLINE_S = 120 * int(os.environ.get("PATIENCE", "1"))


def run(test: Path) -> tuple[int, int]:
    """Return how many checks of ``test`` passed and failed; print what failed."""
    done = subprocess.run(
        [test], capture_output=True, text=True, timeout=DEADLINE_S, errors="replace"
    )
    passed = len(re.findall(r"^ok ", done.stdout, re.M))
    failed = len(re.findall(r"^not ok ", done.stdout, re.M))
    if done.returncode != 0:
        failed = max(failed, 1)
    if passed + failed == 0:
        failed = 1
    if failed:
        print(f"{test.name}: {failed} failed (exit status {done.returncode})")
        lines = [x for x in done.stdout.splitlines() if not x.startswith("ok ")]
        print("\n".join(lines[:40] + done.stderr.splitlines()[-40:]))
    return passed, failed


def main() -> None:
    """Run them all; exit with 1 when anything failed."""
    folder = Path(sys.argv[1]) / "tests" / "c"
    tests = sorted(
        x for x in folder.glob("test_*") if x.is_file() and os.access(x, os.X_OK)
    )
    totals = [run(test) for test in tests]
    passed = sum(x for x, _ in totals)
    failed = sum(x for _, x in totals)
    print(f"c: {passed} passed, {failed} failed")
    sys.exit(1 if failed or not tests else 0)


main()
