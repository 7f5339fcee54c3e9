"""Writes what was measured: a table in Markdown and a chart in SVG."""

import math
import statistics
from html import escape

from measure import Run

BAR, GAP, LEFT, WIDTH = 14, 10, 240, 460
COLOURS = ["#d1495b", "#00798c", "#edae49", "#66a182", "#8d96a3", "#5d4e6d", "#2e4057"]


def median(runs):
    """Return the median of each figure."""
    names = ("requests", "rate", "p50", "p99", "user", "kernel", "rss")
    figures = {n: statistics.median(getattr(run, n) for run in runs) for n in names}
    return Run(**figures, errors="; ".join(sorted({r.errors for r in runs} - {""})))


def medians(rounds):
    """Return the median run of each server, the fastest first."""
    found = {name: median(runs) for name, runs in rounds.items()}
    return dict(sorted(found.items(), key=lambda item: -item[1].rate))


def best_peer(rounds):
    """Return the fastest Python peer's name, or None."""
    return next(
        (n for n in medians(rounds) if not n.startswith(("bolide", "nginx"))), None
    )


def ratio(figure, ours, theirs):
    """Return the median of a figure's ratio over the rounds; NaN: there is none."""
    pairs = zip(ours, theirs, strict=False)
    found = [(getattr(x, figure), getattr(y, figure)) for x, y in pairs]
    return statistics.median([x / y for x, y in found if y] or [math.nan])


def rows_of(work, rounds):
    """Return the table's rows of one kind of work."""
    best = rounds.get(best_peer(rounds))
    for name, run in medians(rounds).items():
        share = f"{ratio('rate', rounds[name], best):.2f}" if best else ""
        yield (
            f"| {work.name} | {name} | {run.rate:,.0f} | {share} |"
            f" {run.cpu:.1f} | {run.user:.1f} + {run.kernel:.1f} |"
            f" {run.p50:.2f} | {run.p99:.2f} | {run.rss:.0f} | {run.errors} |"
        )


def verdict(work, rounds):
    """Return how bolide stands to the targets in one line."""
    best = best_peer(rounds)
    if not best or "bolide" not in rounds:
        return f"- {work.name}: no peer to compare with"
    mine, peer = rounds["bolide"], rounds[best]
    rate = ratio("rate", mine, peer)
    line = f"- {work.name}: {rate:.2f}x {best}"
    if work.target:
        reached = "reached" if rate >= work.target else "missed"
        line += f" (target {work.target}x: {reached})"
    line += f", CPU per request {ratio('cpu', mine, peer):.2f}x"
    if "nginx" in rounds:
        share = ratio("cpu", mine, rounds["nginx"])
        line += f", {share:.2f}x nginx's"
        if work.nginx_target:
            reached = "reached" if share <= work.nginx_target else "missed"
            line += f" (target {work.nginx_target}x: {reached})"
    return line


def table(results):
    """Return the whole report in Markdown; ``results`` is (work, rounds) pairs."""
    head = [
        "| work | server | requests/s | to the best peer | CPU us/request |"
        " user + kernel | p50 ms | p99 ms | RSS MiB | errors |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    rows = [row for work, rounds in results for row in rows_of(work, rounds)]
    return "\n".join([*(verdict(*r) for r in results), "", *head, *rows, ""])


def chart(results):
    """Return an SVG chart: requests per second, each work to its fastest server."""
    names = sorted({name for _, rounds in results for name in rounds})
    colour = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    parts, y = [], 30
    for work, rounds in results:
        runs = medians(rounds)
        top = max(run.rate for run in runs.values())
        parts.append(f'<text x="8" y="{y + BAR}">{escape(work.name)}</text>')
        for name, run in runs.items():
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
