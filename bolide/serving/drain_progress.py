"""Progress reports while a stop waits for running requests."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from bolide.observe.counters import Numbers

ON_TERMINAL_S = 1.0
ELSEWHERE_S = 5.0


def every_s() -> float:
    """Return how often progress is logged, in seconds: more often on a terminal."""
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    return ON_TERMINAL_S if is_terminal else ELSEWHERE_S


def progress(workers: Iterable[Numbers], left_s: float) -> str:
    """Return a line about what ``workers`` are still running; "" if nothing is."""
    requests = websockets = 0
    for numbers in workers:
        requests += numbers["running"]
        websockets += numbers["websockets"]
    parts = [
        _count(requests, "request"),
        _count(websockets, "websocket"),
        f"{max(0.0, left_s):.0f} s left",
    ]
    told = ", ".join(filter(None, parts))
    return f"draining: {told}" if requests or websockets else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}" if number else ""
