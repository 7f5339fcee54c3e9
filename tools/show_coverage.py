#!/usr/bin/env python3
"""Adds up what coverage.sh has counted and prints the shares by folder of src/.

usage: show_coverage.py OUT_DIR COUNTS ...

OUT_DIR gets a page for each file (index.html).
"""

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

KEYS = ("line_covered", "line_total", "branch_covered", "branch_total")


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
    for file in add_up(Path(sys.argv[1]), sys.argv[2:]):
        for name in (str(Path(str(file["filename"])).parent), "total"):
            for i, key in enumerate(KEYS):
                totals[name][i] += file[key]
    print("| folder | lines | branches |\n|---|---:|---:|")
    for name in sorted(totals, key=lambda name: (name == "total", name)):
        lines, all_lines, branches, all_branches = totals[name]
        print(
            f"| {name} | {share(lines, all_lines)} | {share(branches, all_branches)} |"
        )


main()
