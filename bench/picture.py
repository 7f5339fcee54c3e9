"""Draws docs/bench.svg from the figures of docs/bench-table.md only.

``python picture.py`` redraws it. It shows the column "to the best peer", which the
README's table has too: for each kind of work the median of the rounds' ratios.
"""

import re
from html import escape
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"

OURS = "bolide"
OTHERS = 3
"""The best other server of a row is drawn, and these before the rest:"""
KNOWN = ("uvicorn", "granian")

ROWS = {
    "full TLS handshakes, one at a time, a request each": "Full TLS handshakes",
    "FastAPI JSON route": "FastAPI, a JSON route",
    "WebSocket echo, 128 bytes": "WebSocket echo, 128 bytes",
    "GET hello, 64 connections": "GET hello",
    "POST 64 KiB echo": "POST 64 KiB",
    "HTTP/2 over TLS, 16 connections x 16 streams": "HTTP/2 over TLS",
}
"""The kinds of work that are drawn; those that are lost come first."""

WIDTH, LEFT, BAR, ROW_GAP, TOP = 760, 268, 15, 16, 62
MOST = 3.0
"""The length of the longest bar, as a multiple of the best peer."""

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.soft { fill: #59636e }
.work { font-weight: 600 }
.ours { fill: #c8323f }
.other { fill: #a8adb4 }
.lost { fill: #c8323f; font-weight: 600 }
.one { stroke: #59636e; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .soft { fill: #9198a1 }
  .ours { fill: #ff7b86 }
  .other { fill: #5c646e }
  .lost { fill: #ff7b86 }
  .one { stroke: #9198a1 }
}
"""


def read(text):
    """Return {work: {server: (rate, ratio)}} of a table; None: it failed.

    Work that no peer can do has no ratios, and is left out.
    """
    found = {}
    for line in text.splitlines():
        cells = [x.strip() for x in line.strip("|").split("|")]
        if len(cells) != 10 or cells[0] in ("work", "---"):
            continue
        work, server, rate, ratio = cells[:4]
        if rate == "failed":
            found.setdefault(work, {})[server] = None
        elif ratio:
            figures = float(rate.replace(",", "")), float(ratio)
            found.setdefault(work, {})[server] = figures
    return found


def heading(text):
    """Return the text above a table: where, when and with what it was measured."""
    return " ".join(text.partition("\n\n")[0].split())


def chosen(servers):
    """Return the servers of a row that are drawn: ours first, then the best others."""
    there = {n: x[1] for n, x in servers.items() if x and n not in (OURS, "nginx")}
    best = sorted(there, key=lambda n: -there[n])
    names = best[:1] + [n for n in KNOWN if n in servers and n not in best[:1]]
    names += [n for n in best if n not in names]
    names = names[:OTHERS]
    return [OURS, *sorted(names, key=lambda n: -there.get(n, -1))]


def label(figures):
    """Return the text after a bar."""
    if figures is None:
        return "failed"
    rate, ratio = figures
    return f"{ratio:.2f}, {rate:,.0f}/s"


def bars(servers, y):
    """Return the bars of a row from ``y`` on."""
    parts = []
    one = (WIDTH - LEFT - 130) / MOST
    for name in chosen(servers):
        figures = servers[name]
        ratio = figures[1] if figures else 0
        width = (WIDTH - LEFT - 130) * min(ratio, MOST) / MOST
        kind = "ours" if name == OURS else "other"
        parts.append(
            f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end"'
            f' class="{"" if name == OURS else "soft"}">{escape(name)}</text>'
            f'<rect x="{LEFT}" y="{y}" width="{width:.0f}" height="{BAR - 3}"'
            f' rx="2" class="{kind}"/>'
            f'<text x="{LEFT + max(width, one) + 6:.0f}" y="{y + 11}"'
            f' class="{"" if name == OURS else "soft"}">{label(figures)}</text>'
        )
        y += BAR
    return parts, y


def wrapped(text, most):
    """Return ``text`` in lines of ``most`` characters."""
    return re.findall(rf"\S.{{0,{most - 1}}}(?=\s|$)", text)


def draw(text):
    """Return the picture of a report in Markdown."""
    figures = {work: x for work, x in read(text).items() if OURS in x}
    lost = [w for w in ROWS if w in figures and figures[w][OURS][1] < 1]
    works = [*lost, *(w for w in ROWS if w in figures and w not in lost)]
    parts, y = [], TOP
    for work in works:
        mine = figures[work][OURS][1]
        verdict = f"{mine:.2f} times the best other" + (": lost" if mine < 1 else "")
        kind = "lost" if mine < 1 else "soft"
        parts.append(
            f'<text x="8" y="{y + 12}" class="work">{escape(ROWS[work])}</text>'
            f'<text x="8" y="{y + 28}" class="{kind}">{verdict}</text>'
        )
        more, y = bars(figures[work], y)
        parts += more
        y += ROW_GAP
    one = LEFT + (WIDTH - LEFT - 130) / MOST
    parts.append(
        f'<path class="one" d="M{one:.0f} {TOP - 6}V{y - 12}"/>'
        f'<text x="{one:.0f}" y="{TOP - 12}" text-anchor="middle" class="soft">'
        "the best other Python server = 1</text>"
    )
    for line in wrapped(heading(text), 118):
        y += 15
        parts.append(f'<text x="8" y="{y}" class="soft">{escape(line)}</text>')
    said = "; ".join(f"{ROWS[w]} {figures[w][OURS][1]:.2f}" for w in works)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 12}"'
        f' width="{WIDTH}" height="{y + 12}" role="img">'
        f"<title>bolide to the best other Python server: {escape(said)}</title>"
        f"<style>{STYLE}</style>"
        '<text x="8" y="22" class="title">Requests per second, one worker on one core'
        "</text>" + "".join(parts) + "</svg>\n"
    )


def main():
    """Draw docs/bench.svg."""
    text = (DOCS / "bench-table.md").read_text("utf-8")
    (DOCS / "bench.svg").write_text(draw(text), "utf-8")


if __name__ == "__main__":
    main()
