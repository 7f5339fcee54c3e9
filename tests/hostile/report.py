"""The results of the attacks, as lines and as docs/HOSTILE.md."""

import json
import platform
import re
import shutil
import subprocess
from pathlib import Path

TOP = Path(__file__).parents[2]
DOCUMENT = TOP / "docs" / "HOSTILE.md"
KEPT = TOP / "build" / "hostile.json"
"""Results of all rows, so that some can be measured again."""


def size(n):
    """Return a number of bytes with a unit."""
    if n < 1024:
        return f"{n:.0f} B"
    if n < 1024 * 1024:
        return f"{n / 1024:.1f} KiB"
    return f"{n / 1024 / 1024:.1f} MiB"


def cuts(result):
    """Return how and when connections were cut."""
    found = result.attackers
    words = [f"{how} ({n:,})" for how, n in sorted(found["cuts"].items())]
    if words and found["first"] is not None:
        first, last = found["first"], found["last"]
        when = f"{first:.2g} s" if first > 0.95 * last else f"{first:.2g}-{last:.3g} s"
        words.append(f"after {when}")
    return ", ".join(words) or "-"


def h3_part(quiet, beside, text):
    """Return what is added about the well-behaved client of HTTP/3, if there is one."""
    return text.format(quiet, beside) if beside else ""


def line(result):
    """Return one line for the terminal."""
    state = "FAILED " + "; ".join(result.problems) if result.problems else "ok"
    return (
        f"{result.row.name:17} {result.kind:7} {size(result.bytes_each):>9}"
        f" cpu {result.quiet_cpu:3.0f}>{result.cpu:3.0f}%"
        f" p99 {result.quiet[1]:7.2f}>{result.beside[1]:7.2f} ms"
        f"{h3_part(result.quiet_h3[1], result.beside_h3[1], ' {:.2f}>{:.2f} ms')}"
        f" log {len(result.lines):4} held {result.attackers['held']:5}"
        f"/{result.attackers['opened']:6} {cuts(result)} {state}"
    )


def row_of(title, kind, found):
    """Return one row of the table."""
    failed = f", {found['failed']} failed" if found["failed"] else ""
    over_h3 = h3_part(
        found.get("quiet_h3", 0), found.get("beside_h3", 0), ", HTTP/3: {:.1f} → {:.1f}"
    )
    return (
        f"| {title if kind == 'bolide' else ''} | {kind} | {found['opened']:,} |"
        f" {size(found['bytes'])} | {found['cpu']:.0f} % | {found['cut']} |"
        f" {found['quiet']:.2f} → {found['beside']:.2f}{over_h3}{failed} |"
        f" {found['lines']} |"
    )


def sample(result):
    """Return the first line that was logged, without its time and its port."""
    if not result.lines:
        return ""
    text = re.sub(r"^\S+ \S+ +", "", result.lines[0])
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)


def keep(result):
    """Store a result for the document."""
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    kept[f"{result.row.name} {result.kind}"] = {
        "opened": result.attackers["opened"],
        "bytes": result.bytes_each,
        "cpu": result.cpu,
        "cut": cuts(result),
        "quiet": result.quiet[1],
        "beside": result.beside[1],
        "quiet_h3": result.quiet_h3[1],
        "beside_h3": result.beside_h3[1],
        "failed": result.failed,
        "lines": len(result.lines),
        "sample": sample(result),
    }
    KEPT.write_text(json.dumps(kept))


def machine():
    """Return a description of this machine."""
    text = Path("/proc/cpuinfo").read_text()
    name = re.search(r"model name\s*: (.*)", text)
    count = len(re.findall(r"^processor", text, re.M))
    words = [f"{count} cores ({name[1] if name else platform.machine()})"]
    words += [f"CPython {platform.python_version()}", f"Linux {platform.release()}"]
    if path := shutil.which("nginx", path="/usr/sbin:/usr/bin"):
        told = subprocess.run([path, "-v"], capture_output=True, text=True, check=True)
        words.append(f"nginx {told.stderr.strip().rpartition('/')[2]}")
    return ", ".join(words)


def replace(name, text):
    """Replace the text between two marks of the document."""
    document = DOCUMENT.read_text(encoding="utf-8")
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, _, rest = document.partition(begin)
    _, _, after = rest.partition(end)
    DOCUMENT.write_text(f"{before}{begin}\n\n{text}\n{end}{after}", encoding="utf-8")


def write(rows):
    """Write the table of the attacks into the document, from all stored results."""
    kept = json.loads(KEPT.read_text())
    lines = [
        f"Measured on {machine()}.",
        "",
        "| attack | server | connections | memory each | CPU | cut | p99 (ms) | log |",
        "|---|---|---:|---:|---:|---|---:|---:|",
    ]
    for row in rows:
        for kind in ("bolide", "nginx"):
            if found := kept.get(f"{row.name} {kind}"):
                lines.append(row_of(row.title, kind, found))
    lines += ["", "The first line that bolide logs of an attack, if it logs any:", ""]
    lines += ["| attack | line |", "|---|---|"]
    for row in rows:
        found = kept.get(f"{row.name} bolide")
        if found and found["sample"]:
            lines.append(f"| {row.title} | `{found['sample']}` |")
    replace("attacks", "\n".join(lines) + "\n")


def write_smuggling(outcomes, rows, count):
    """Write the table of proxies into the document."""
    lines = [
        f"{count} cases of `tests/wire/http1`:",
        "",
        f"| proxy | {' | '.join(outcomes)} | disagree |",
        f"|---|{'---:|' * (len(outcomes) + 1)}",
    ]
    lines += [f"| {' | '.join(map(str, row))} |" for row in rows]
    replace("smuggling", "\n".join(lines) + "\n")
