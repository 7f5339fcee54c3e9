"""Writes the measurements as a table in Markdown; picture.py draws a part of it."""

import math
import statistics

from measure import Run


def has_failed(run):
    """Return whether the server answered nothing, or with errors, which cost less."""
    return not run.rate or "Non-2xx" in run.errors


def median(runs):
    """Return the median of each figure."""
    names = ("requests", "rate", "p50", "p99", "user", "kernel", "rss")
    figures = {n: statistics.median(getattr(run, n) for run in runs) for n in names}
    worst = max(runs, key=lambda run: (has_failed(run), len(run.errors)))
    return Run(**figures, errors=worst.errors)


def medians(rounds):
    """Return the median run of each server, the fastest first."""
    found = {name: median(runs) for name, runs in rounds.items()}
    return dict(sorted(found.items(), key=lambda item: -item[1].rate))


def best_peer(rounds):
    """Return the name of the fastest Python peer that has not failed, or None."""
    for name, run in medians(rounds).items():
        if not name.startswith(("bolide", "nginx")) and not has_failed(run):
            return name
    return None


def ratio(figure, ours, theirs):
    """Return the median of a figure's ratio over the rounds; NaN if there is none."""
    pairs = zip(ours, theirs, strict=False)
    found = [(getattr(x, figure), getattr(y, figure)) for x, y in pairs]
    return statistics.median([x / y for x, y in found if y] or [math.nan])


def rows_of(work, rounds):
    """Return the table's rows of one kind of work."""
    best = rounds.get(best_peer(rounds))
    shares = {n: ratio("rate", rounds[n], best) if best else 0.0 for n in rounds}
    runs = medians(rounds)
    # Ordered by the claims: a median of rates may be in another order.
    for name in sorted(runs, key=lambda n: -shares[n]):
        run = runs[name]
        if has_failed(run):
            yield f"| {work.name} | {name} | failed | | | | | | | {run.errors} |"
            continue
        share = f"{shares[name]:.2f}" if best else ""
        yield (
            f"| {work.name} | {name} | {run.rate:,.0f} | {share} |"
            f" {run.cpu:.1f} | {run.user:.1f} + {run.kernel:.1f} |"
            f" {run.p50:.2f} | {run.p99:.2f} | {run.rss:.0f} | {run.errors} |"
        )


def verdict(work, rounds):
    """Return in one line whether bolide has reached its targets."""
    best = best_peer(rounds)
    if not best or "bolide" not in rounds:
        return f"- {work.name}: no peer to compare with"
    mine, peer = rounds["bolide"], rounds[best]
    if has_failed(median(mine)):
        return f"- {work.name}: bolide has failed"
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
