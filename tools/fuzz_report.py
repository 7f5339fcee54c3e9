#!/usr/bin/env python3
"""Prints how much of the engine each fuzz target covers, as a table of docs/TESTING.md.

usage: fuzz_report.py BUILD_DIR RUNS [TARGET ...]

BUILD_DIR was built with -Db_coverage=true -Dfuzzers=true. Each target runs its corpus
and RUNS mutations; without TARGETs all of them do. Its lines and branches are those of
the files that it enters.
"""

import json
import re
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

SOURCE = re.compile(r"(?:^|/)(src/[\w/]+\.[ch])$")


def counts_of(build: Path) -> dict[str, dict[int, list[int]]]:
    """Return by file and line how often the line ran, and each of its branches."""
    files: dict[str, dict[int, list[int]]] = defaultdict(dict)
    for path in build.rglob("*.gcda"):
        command = ["gcov", "-b", "-t", "--json-format", str(path.resolve())]
        done = subprocess.run(command, capture_output=True, cwd=build)
        for file in json.loads(done.stdout)["files"] if done.stdout else []:
            match = SOURCE.search(file["file"])
            for line in file["lines"] if match else []:
                now = [line["count"], *(x["count"] for x in line["branches"])]
                was = files[match[1]].get(line["line_number"], [])
                if len(was) == len(now):
                    now = [a + b for a, b in zip(was, now, strict=True)]
                files[match[1]][line["line_number"]] = max(was, now, key=len)
    return files


def share(counts: list[int]) -> str:
    """Return how many of ``counts`` are not 0."""
    return f"{100 * sum(map(bool, counts)) / max(len(counts), 1):.0f} %"


def report(build: Path, target: str, runs: str) -> str:
    """Return the table row of a target."""
    for path in build.rglob("*.gcda"):
        path.unlink()
    corpus = Path("tests/fuzz/corpus") / target
    program = build / "tests/fuzz" / f"fuzz_{target}"
    began = time.monotonic()
    subprocess.run([program, f"-runs={runs}", corpus], check=True, capture_output=True)
    seconds = time.monotonic() - began
    lines: list[int] = []
    branches: list[int] = []
    for file in counts_of(build).values():
        if any(line[0] for line in file.values()):
            lines += [line[0] for line in file.values()]
            branches += [count for line in file.values() for count in line[1:]]
    ninputs = len(list(corpus.iterdir()))
    rate = (int(runs) + ninputs) / seconds
    ran = sum(map(bool, lines))
    return (
        f"| {target} | {ninputs} | {rate:,.0f} | {ran:,} | {share(lines)} |"
        f" {share(branches)} |"
    )


def main() -> None:
    """Print the table."""
    build = Path(sys.argv[1])
    print("| target | inputs | runs a second | lines run | lines | branches |")
    print("|---|---:|---:|---:|---:|---:|")
    corpora = sorted(path.name for path in Path("tests/fuzz/corpus").iterdir())
    for target in sys.argv[3:] or corpora:
        print(report(build, target, sys.argv[2]), flush=True)


main()
