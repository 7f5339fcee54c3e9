"""Writes what was measured: a table in Markdown and a chart in SVG."""

from html import escape

BAR, GAP, LEFT, WIDTH = 14, 10, 240, 460
COLOURS = ["#d1495b", "#00798c", "#edae49", "#66a182", "#8d96a3", "#5d4e6d", "#2e4057"]


def best_peer(medians):
    """Return the fastest Python peer's name, or None."""
    peers = {n: r for n, r in medians.items() if not n.startswith(("bolide", "nginx"))}
    return max(peers, key=lambda n: peers[n].rate, default=None)


def rows_of(work, medians):
    """Return the table's rows of one kind of work."""
    best = best_peer(medians)
    base = medians[best].rate if best else 0
    for name, run in sorted(medians.items(), key=lambda item: -item[1].rate):
        ratio = f"{run.rate / base:.2f}" if base else ""
        yield (
            f"| {work.name} | {name} | {run.rate:,.0f} | {ratio} | {run.cpu:.1f} |"
            f" {run.p50:.2f} | {run.p99:.2f} | {run.rss:.0f} | {run.errors} |"
        )


def verdict(work, medians):
    """Return how bolide stands to the target in one line."""
    best = best_peer(medians)
    if not best or "bolide" not in medians:
        return f"- {work.name}: no peer to compare with"
    mine, other = medians["bolide"], medians[best]
    line = f"- {work.name}: {mine.rate / other.rate:.2f}x {best}"
    if work.target:
        reached = "reached" if mine.rate >= work.target * other.rate else "missed"
        line += f" (target {work.target}x: {reached})"
    line += f", CPU per request {mine.cpu / max(other.cpu, 0.01):.2f}x"
    if "nginx" in medians:
        ratio = mine.cpu / max(medians["nginx"].cpu, 0.01)
        line += f", {ratio:.2f}x nginx's"
        if work.nginx_target:
            reached = "reached" if ratio <= work.nginx_target else "missed"
            line += f" (target {work.nginx_target}x: {reached})"
    return line


def table(results):
    """Return the whole report in Markdown; ``results`` is (work, medians) pairs."""
    head = [
        "| work | server | requests/s | to the best peer | CPU us/request |"
        " p50 ms | p99 ms | RSS MiB | errors |",
        "|---|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    rows = [row for work, medians in results for row in rows_of(work, medians)]
    return "\n".join([*(verdict(*r) for r in results), "", *head, *rows, ""])


def chart(results):
    """Return an SVG chart: requests per second, each work to its fastest server."""
    names = sorted({name for _, medians in results for name in medians})
    colour = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    parts, y = [], 30
    for work, medians in results:
        top = max(run.rate for run in medians.values())
        parts.append(f'<text x="8" y="{y + BAR}">{escape(work.name)}</text>')
        for name, run in sorted(medians.items(), key=lambda item: -item[1].rate):
            width = WIDTH * run.rate / top
            parts.append(
                f'<rect x="{LEFT}" y="{y}" width="{width:.0f}" height="{BAR}"'
                f' fill="{colour[name]}"/>'
                f'<text x="{LEFT + width + 6:.0f}" y="{y + BAR - 3}">'
                f"{escape(name)} {run.rate:,.0f}/s, {run.cpu:.1f} us</text>"
            )
            y += BAR + 2
        y += GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="900" height="{y + 10}"'
        ' font-family="sans-serif" font-size="11">'
        '<rect width="100%" height="100%" fill="white"/>'
        '<text x="8" y="18" font-size="13">Requests per second, and CPU microseconds of'
        " the server per request</text>" + "".join(parts) + "</svg>\n"
    )
