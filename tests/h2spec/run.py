"""Runs h2spec against bolide: without TLS by prior knowledge, and over TLS by ALPN.

usage: run.py [--write] [SECTION ...]   SECTION: such as http2/6.5; none: all of them

h2spec is a Go program, which `make h2spec` installs below build/. ``--write`` writes a
summary to docs/H2SPEC.md.
"""

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
H2SPEC = ROOT / "build" / "go" / "h2spec"
TIMEOUT_S = "5"

for folder in ("cli", "tls"):
    sys.path.insert(0, str(ROOT / "tests" / folder))


def play(port, words, folder):
    """Run h2spec; return (section, title, error or None) of each case."""
    report = folder / "report.xml"
    command = [H2SPEC, "-h", "localhost", "-p", str(port), "-o", TIMEOUT_S]
    done = subprocess.run([*command, "-j", report, *words], capture_output=True)
    if not report.exists():
        sys.exit(f"h2spec failed: {done.stdout.decode()}{done.stderr.decode()}")
    return [
        (case.get("package"), case.get("classname"), wrong_with(case))
        for case in ET.parse(report).iter("testcase")
    ]


def wrong_with(case):
    """Return why a case failed, or None."""
    for kind in ("failure", "error"):
        found = case.find(kind)
        if found is not None:
            return " ".join((found.text or kind).split())
    return None


def serve(words, sections, folder, tls):
    """Serve with the arguments ``words`` and return the results of h2spec."""
    from command import Command

    command = ["app:app", "--port", "0", "--app-dir", str(HERE), "--no-access-log"]
    with Command(*command, "--lifespan", "off", *words) as server:
        port = server.port()
        return play(port, [*(["-t", "-k"] if tls else []), *sections], folder)


def results(sections):
    """Return the results for each transport."""
    from authority import Authority

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pair = Authority(folder, "h2spec").issue("localhost", "DNS:localhost")
        return {
            "h2c, prior knowledge": serve([], sections, folder, False),
            "TLS, ALPN": serve(pair.words(), sections, folder, True),
        }


def table(found):
    """Return the summary in Markdown: suites in rows, transports in columns."""
    lines = ["| suite | " + " | ".join(found) + " |", "|---|" + "---:|" * len(found)]
    suites = sorted(
        {section.partition("/")[0] for x in found.values() for section, *_ in x}
    )
    for suite in [*suites, "all"]:
        counts = []
        for cases in found.values():
            mine = [x for x in cases if suite in ("all", x[0].partition("/")[0])]
            counts.append(f"{sum(x[2] is None for x in mine)} of {len(mine)}")
        lines.append(f"| {suite} | " + " | ".join(counts) + " |")
    return "\n".join(lines)


def main():
    """Run the cases; exit with 1 if one failed."""
    sections = [x for x in sys.argv[1:] if x != "--write"]
    found = results(sections)
    text = table(found)
    print(text)
    bad = [(how, *x) for how, cases in found.items() for x in cases if x[2]]
    for case in bad:
        print(*case, sep=": ")
    total = sum(map(len, found.values()))
    print(f"h2spec: {total - len(bad)} passed, {len(bad)} failed")
    if "--write" in sys.argv:
        text = (
            "# h2spec\n\nWhat `make h2spec` found, by suite and transport.\n\n" + text
        )
        (ROOT / "docs" / "H2SPEC.md").write_text(text + "\n")
    sys.exit(1 if bad else 0)


main()
