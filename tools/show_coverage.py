#!/usr/bin/env python3
"""Sums up the counts of coverage.sh and prints the shares by folder of src/.

usage: show_coverage.py OUT_DIR COUNTS ...

OUT_DIR gets a page for each file (index.html). Branches of an assert do not count: no
test can take them. tools/coverage.list has the functions with lines that no test runs,
with reasons; others are printed.
"""

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

REASONS = Path(__file__).with_name("coverage.list")

KEYS = ("line_covered", "line_total", "branch_covered", "branch_total")


def assert_lines(text: str) -> set[int]:
    """Return the numbers of the lines of asserts."""
    lines: set[int] = set()
    for match in re.finditer(r"^\s*assert\(", text, re.M):
        depth, end = 0, match.end() - 1
        while end < len(text):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            if depth == 0:
                break
            end += 1
        first = text.count("\n", 0, match.end())
        lines |= {*range(first + 1, text.count("\n", 0, end) + 2)}
    return lines


def without_asserts(path: str) -> str:
    """Return a copy of the counts in which asserts have no branches."""
    counts = json.loads(Path(path).read_text())
    for file in counts["files"]:
        asserts = assert_lines(Path(file["file"]).read_text())
        for line in file["lines"]:
            if line["line_number"] in asserts:
                line["branches"] = []
    clean = Path(path).with_suffix(".clean.json")
    clean.write_text(json.dumps(counts))
    return str(clean)


def missed(counts: list[str]) -> set[str]:
    """Return "path function" of each function with lines that no test runs."""
    runs: dict[tuple[str, str, int], int] = defaultdict(int)
    for path in counts:
        for file in json.loads(Path(path).read_text())["files"]:
            for line in file["lines"]:
                name = line.get("function_name", "")
                runs[file["file"], name, line["line_number"]] += line["count"]
    return {f"{path} {name}" for (path, name, _), count in runs.items() if not count}


def listed() -> set[str]:
    """Return "path function" of each entry in tools/coverage.list."""
    lines = REASONS.read_text().splitlines() if REASONS.is_file() else []
    words = [line.split(None, 2) for line in lines if not line.startswith("#")]
    return {f"{line[0]} {line[1]}" for line in words if len(line) == 3}


def add_up(out: Path, counts: list[str]) -> list[dict[str, int]]:
    """Merge the counts, write the pages, and return the summary of each file."""
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "gcovr", "--root", "."]
    command += ["--merge-mode-functions", "merge-use-line-min"]
    command += [word for path in counts for word in ("-a", path)]
    command += ["--html-details", str(out / "index.html")]
    command += ["--json-summary", str(out / "summary.json")]
    subprocess.run(command, check=True, capture_output=True)
    return json.loads((out / "summary.json").read_text())["files"]


def share(run: int, total: int) -> str:
    """Return a share in per cent."""
    return f"{100 * run / total:.1f} %" if total else "-"


def main() -> None:
    """Print the table."""
    totals: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    counts = [without_asserts(path) for path in sys.argv[2:]]
    for file in add_up(Path(sys.argv[1]), counts):
        for name in (str(Path(str(file["filename"])).parent), "total"):
            for i, key in enumerate(KEYS):
                totals[name][i] += file[key]
    print("| folder | lines | branches |\n|---|---:|---:|")
    for name in sorted(totals, key=lambda name: (name == "total", name)):
        lines, all_lines, branches, all_branches = totals[name]
        print(
            f"| {name} | {share(lines, all_lines)} | {share(branches, all_branches)} |"
        )
    for name in sorted(missed(counts) - listed()):
        print(f"no test runs all of it, for no reason that is listed: {name}")


main()
