"""Runs the fuzzing client of the Autobahn test suite against bolide.

usage: run.py [--write | --short] [CASE ...]   CASE: a pattern such as 9.*; none: all
cases

The client needs CPython 2.7: set PYTHON2 to its path, or have python2.7 on PATH or in
pyenv. The client is installed below build/; if that fails, the cases are skipped.
``--write`` writes a summary to docs/AUTOBAHN.md. ``--short`` runs 64 cases, some of
each group.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CLIENT = ROOT / "build" / "autobahn"
REPORTS = ROOT / "build" / "autobahn-reports"
GOOD = {"OK", "INFORMATIONAL"}
SHORT = """1.1.* 1.2.* 2.* 3.* 4.* 5.3 5.6 5.7 5.8 5.9 5.20 6.2.* 6.6.11 7.3.6
7.7.13 7.9.9 9.7.1 9.8.1 10.1.1 12.1.3 12.3.5 13.3.2""".split()
GROUPS = {
    "1": "framing",
    "2": "pings and pongs",
    "3": "reserved bits",
    "4": "opcodes",
    "5": "fragmentation",
    "6": "UTF-8 handling",
    "7": "close handling",
    "9": "limits and performance",
    "10": "auto-fragmentation",
    "12": "compression, different payloads",
    "13": "compression, different parameters",
}

sys.path.insert(0, str(ROOT / "tests" / "cli"))


def find_python():
    """Return a CPython 2.7, or None."""
    kept = sorted(Path.home().glob(".pyenv/versions/2.7*/bin/python"))
    for name in (os.environ.get("PYTHON2"), "python2.7", *kept):
        found = shutil.which(str(name)) if name else None
        if found and subprocess.run([found, "-c", ""], check=False).returncode == 0:
            return found
    return None


def install(python):
    """Install the client if it is missing; return whether it is there."""
    if (CLIENT / "autobahntestsuite").is_dir():
        return True
    command = [python, "-m", "pip", "install", "-q", "--target", CLIENT]
    return subprocess.run([*command, "autobahntestsuite"]).returncode == 0


def play(python, port, cases):
    """Run the client, which writes its results to REPORTS."""
    url = f"ws://127.0.0.1:{port}"
    server = {"agent": "bolide", "url": url, "options": {"version": 18}}
    spec = {
        "outdir": str(REPORTS),
        "servers": [server],
        "cases": cases or ["*"],
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    path = ROOT / "build" / "autobahn.json"
    path.write_text(json.dumps(spec))
    # Added as a site directory, so that the packages of one namespace find each other.
    code = f"import site; site.addsitedir({str(CLIENT)!r})\n"
    code += "from autobahntestsuite.wstest import run; run()"
    command = [python, "-c", code, "-m", "fuzzingclient", "-s", str(path)]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": ""}, check=True)


def results():
    """Return (case, behavior, behavior at the close) of each case."""
    index = json.loads((REPORTS / "index.json").read_text())["bolide"]
    return [(k, v["behavior"], v["behaviorClose"]) for k, v in index.items()]


def table(found):
    """Return the summary in Markdown."""
    groups = {}
    for case, *behaviours in found:
        counter = groups.setdefault(case.partition(".")[0], Counter())
        bad = [x for x in behaviours if x not in GOOD]
        counter[bad[0] if bad else behaviours[0]] += 1
    lines = ["| group | what | cases | result |", "|---|---|---:|---|"]
    for group, counter in sorted(groups.items(), key=lambda item: int(item[0])):
        what = ", ".join(f"{n} {name}" for name, n in counter.most_common())
        lines.append(f"| {group} | {GROUPS[group]} | {counter.total()} | {what} |")
    return "\n".join(lines)


def main():
    """Run the cases; exit with 1 if one failed."""
    from command import Command

    cases = [x for x in sys.argv[1:] if not x.startswith("--")]
    if "--short" in sys.argv:
        cases += SHORT
    python = find_python()
    if python is None or not install(python):
        print("autobahn: skipped: its client or the CPython 2.7 it needs is missing")
        return
    shutil.rmtree(REPORTS, ignore_errors=True)
    words = ["echo:app", "--port", "0", "--app-dir", str(HERE), "--no-access-log"]
    words += ["--lifespan", "off", "--ws-max-size", str(64 << 20)]
    with Command(*words) as command:
        play(python, command.port(), cases)
    found = results()
    text = table(found)
    print(text)
    bad = [x for x in found if not GOOD.issuperset(x[1:])]
    for case in bad:
        print(*case)
    print(f"autobahn: {len(found) - len(bad)} passed, {len(bad)} failed")
    if "--write" in sys.argv:
        text = "# Autobahn\n\nWhat `make autobahn` found, by group of cases.\n\n" + text
        (ROOT / "docs" / "AUTOBAHN.md").write_text(text + "\n")
    sys.exit(1 if bad else 0)


main()
