"""The screen of ``bolide top``: the numbers of a server, laid out for a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeAlias

from bolide.observe.statsd import quantile

News: TypeAlias = dict[str, Any]
Totals: TypeAlias = dict[str, int]
"""The sums of all workers' counters at one moment, by name, and "ms"."""

_BOLD, _DIM, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_BARS = " ▁▂▃▄▅▆▇█"
_KEPT = 180
_DONE = ("done", "done_1xx", "done_2xx", "done_3xx", "done_4xx", "done_5xx")
_REASONS = (
    "head",
    "body",
    "limit",
    "timeout",
    "tls",
    "http2",
    "http3",
    "websocket",
    "overload",
    "other",
)
_LABEL = 13
_CHART_ROWS = 4


def _number(value: float) -> str:
    for size, unit in ((1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / (1e6 if unit == 'M' else 1e3):.1f}{unit}"
    return f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def _bytes(value: float) -> str:
    units = ["B", "KiB", "MiB", "GiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    digits = 0 if value >= 100 or units[0] == "B" else 1
    return f"{value:.{digits}f} {units[0]}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for size, unit in ((1, "s"), (1e-3, "ms")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.0f} us"


def _age(seconds: int) -> str:
    for size, unit in ((172800, "d"), (7200, "h"), (120, "min")):
        if seconds >= size:
            divisor = {"d": 86400, "h": 3600, "min": 60}[unit]
            return f"{seconds // divisor} {unit}"
    return f"{seconds} s"


def _percent(value: float) -> str:
    return f"{value:.0f}%" if value >= 10 or value == 0 else f"{value:.1f}%"


class Screen:
    """The last three minutes as bars, the current numbers, totals, and the workers."""

    def __init__(self, *, is_plain: bool = False) -> None:
        """``is_plain``: without escape sequences."""
        self._samples: list[Totals] = []
        self._about: dict[str, Any] = {}
        self._now: News = {}
        self._was: News = {}
        self._is_plain = is_plain

    @property
    def has_news(self) -> bool:
        """Whether there is anything to show."""
        return bool(self._now)

    def take(self, news: News) -> None:
        """Process an event; the first one may contain the history."""
        if "about" in news:
            self._about = news["about"]
            self._samples, self._now = [], {}
        for row in news.get("history", {}).get("rows", ()):
            self._samples.append(dict(zip(news["history"]["names"], row, strict=True)))
        sample = {**news["total"], "ms": news["ms"]}
        sample |= {f"latency_{i}": n for i, n in enumerate(news["latency"])}
        if self._samples and sample["ms"] - self._samples[-1]["ms"] < 400:
            self._samples.pop()
        self._samples = [*self._samples, sample][-_KEPT - 1 :]
        self._was, self._now = self._now or news, news

    def show(self, width: int, height: int) -> str:
        """Return ``height`` lines of ``width`` columns at most."""
        workers = self._workers(width)
        head = [*self._identity(), "", *self._rates(), "", *self._totals(width)]
        left = height - len(head) - len(workers) - 2
        chart = self._chart(width, min(_CHART_ROWS, left)) if left > 1 else []
        lines = [*head, "", *chart, *([""] if chart else []), *workers]
        if len(lines) > height:
            lines = [*self._identity(), *self._rates(), *workers]
        if len(lines) > height:
            hidden = len(lines) - height + 1
            lines = [*lines[: height - 1], f"{_DIM}... {hidden} more lines{_PLAIN}"]
        shown = [cut(line, width) for line in lines]
        if self._is_plain:
            shown = [_without_escapes(line).rstrip() for line in shown]
        return "\n".join(shown)

    def _per(self, *names: str) -> float:
        if len(self._samples) < 2:
            return 0.0
        return _rate(self._samples[-1], self._samples[-2], names)

    def _identity(self) -> list[str]:
        about, count = self._about, len(self._now["workers"])
        up = max(0, self._now.get("time", int(time.time())) - about.get("started", 0))
        name = f"{_BOLD}{about.get('host', 'bolide')}{_PLAIN}"
        up_text = f"  up {_age(up)}" if about else ""
        states = "stopping" if self._all_stop() else "serving"
        first = f"{name}  {states}  {count} worker{'s' * (count != 1)}{up_text}"
        parts = [
            f"bolide {about.get('version', '')}".rstrip(), about.get("app", ""),
            f"Python {about['python']}" if about else "", about.get("loop", ""),
            f"process {about['pid']}" if about else "",
        ]  # fmt: skip
        keys = "" if self._is_plain else "   q quits"
        return [first, f"{_DIM}{'  '.join(filter(None, parts))}{keys}{_PLAIN}"]

    def _all_stop(self) -> bool:
        workers = self._now["workers"]
        return bool(workers) and all(x["stopping"] for x in workers)

    def _every(self, name: str) -> int:
        return sum(worker[name] for worker in self._now["workers"])

    def _rates(self) -> list[str]:
        per, every = self._per, self._every
        refused = per(*(f"refused_{x}" for x in _REASONS))
        p50, p95, p99 = map(_time, self._quantiles())
        cpu = self._cpu()
        return [
            f"{'requests':<{_LABEL}}{_BOLD}{_number(per(*_DONE)):>9}/s{_PLAIN}   "
            f"running {every('running')}   4xx {_number(per('done_4xx'))}/s   "
            f"5xx {_number(per('done_5xx'))}/s   refused {_number(refused)}/s",
            f"{'latency':<{_LABEL}}{_BOLD}{p50:>9}{_PLAIN} p50   {p95} p95   {p99} p99",
            f"{'connections':<{_LABEL}}{_BOLD}{every('connections'):>9}{_PLAIN}     "
            f"new {_number(per('accepted'))}/s   WebSockets {every('websockets')}",
            f"{'traffic':<{_LABEL}}{_bytes(per('bytes_in')):>9}/s in   "
            f"{_bytes(per('bytes_out'))}/s out",
            f"{'memory':<{_LABEL}}{_bytes(every('rss')):>9}     CPU {_percent(cpu)}   "
            f"loop late {_percent(per('lag_ns') / 1e7)}   "
            f"GC {_percent(per('gc_ns') / 1e7)} of the time",
        ]

    def _quantiles(self) -> list[float | None]:
        if len(self._samples) < 2:
            return [None] * 3
        now, was = self._samples[-1], self._samples[-2]
        return [quantile(now, was, part) for part in (0.5, 0.95, 0.99)]

    def _cpu(self) -> float:
        return sum(self._of_worker(x, "cpu_ms") / 10 for x in self._now["workers"])

    def _of_worker(self, worker: dict[str, int], *names: str) -> float:
        """Return by how much a worker's counters have grown per second."""
        seconds: float = (self._now["ms"] - self._was["ms"]) / 1000
        old = [x for x in self._was["workers"] if x["pid"] == worker["pid"]]
        if not old or seconds <= 0:
            return 0.0
        grown = sum(max(0, worker[x] - old[0][x]) for x in names)
        return float(grown) / seconds

    def _totals(self, width: int) -> list[str]:
        total, deaths = self._now["total"], self._now.get("deaths", {})
        count = sum(total[x] for x in _DONE)
        found = [f"requests {_number(count)}"]
        found += [f"{i}xx {_number(total[f'done_{i}xx'])}" for i in range(2, 6)]
        found += [
            f"{text} {_number(total[name])}"
            for text, name in (
                ("left", "done"), ("app failed", "app_failed"),
                ("blocked", "blocked"), ("log dropped", "log_dropped"),
            )
            if total[name]
        ]  # fmt: skip
        refused = [
            f"{x} {_number(total[f'refused_{x}'])}"
            for x in _REASONS
            if total[f"refused_{x}"]
        ]
        found.append(f"refused {', '.join(refused) or '0'}")
        if deaths.get("count"):
            code = deaths["code"]
            how = f"code {code}" if code >= 0 else f"signal {-code}"
            found.append(f"deaths {deaths['count']} (last: {deaths['pid']}, {how})")
        return _wrapped("total", found, width)

    def _chart(self, width: int, rows: int) -> list[str]:
        room = max(1, width - _LABEL)
        pairs = zip(self._samples[1:], self._samples, strict=False)
        values = [_rate(now, was, _DONE) for now, was in pairs][-room:]
        most = max(values, default=0)
        label = f"{_number(most)}/s"
        bars = _bars(values, most, rows)
        firsts = (
            [
                label,
                *[""] * (rows - 2),
                "0",
            ][:rows]
            if rows > 1
            else [label]
        )
        return [f"{x:>{_LABEL - 2}}  {y}" for x, y in zip(firsts, bars, strict=True)]

    def _workers(self, width: int) -> list[str]:
        columns = self._columns()
        # What does not fit is omitted entirely, the least important first.
        while sum(size for _, size, _, _ in columns) > width and len(columns) > 4:
            columns.remove(max(columns, key=lambda x: x[2]))
        head = "".join(f"{name:>{size}}" for name, size, _, _ in columns)
        lines = [f"{_DIM}{head}{_PLAIN}"]
        for worker in self._now["workers"]:
            cells = [f"{value(worker):>{size}}" for _, size, _, value in columns]
            lines.append("".join(cells))
        return lines

    def _columns(self) -> list[tuple[str, int, int, Callable[[Any], str]]]:
        """Return names, widths, priorities, and how a worker's value is computed."""
        rates = {x["pid"]: self._of_worker(x, *_DONE) for x in self._now["workers"]}
        every = sum(rates.values()) or 1.0
        return [
            ("worker", 8, 0, lambda x: str(x["pid"])),
            ("state", 10, 0, lambda x: "stopping" if x["stopping"] else "serving"),
            ("age", 8, 5, lambda x: _age(x["age"])),
            ("req/s", 8, 0, lambda x: _number(rates[x["pid"]])),
            ("share", 7, 6, lambda x: _percent(100 * rates[x["pid"]] / every)),
            ("5xx/s", 7, 7, lambda x: _number(self._of_worker(x, "done_5xx"))),
            ("running", 9, 4, lambda x: str(x["running"])),
            ("conns", 7, 0, lambda x: str(x["connections"])),
            ("ws", 6, 3, lambda x: str(x["websockets"])),
            ("cpu", 6, 1, lambda x: _percent(self._of_worker(x, "cpu_ms") / 10)),
            ("memory", 10, 2, lambda x: _bytes(x["rss"])),
            ("lag", 9, 8, lambda x: _time(x["lag_max"] / 1e9)),
        ]


def _rate(now: Totals, was: Totals, names: tuple[str, ...]) -> float:
    seconds = max((now["ms"] - was["ms"]) / 1000, 0.001)
    return sum(max(0, now[x] - was[x]) for x in names) / seconds


def _bars(values: list[float], most: float, rows: int) -> list[str]:
    """Return a chart of ``rows`` lines, the top one first."""
    heights = [round(x / (most or 1) * 8 * rows) for x in values]
    return [
        "".join(_BARS[min(8, max(0, h - 8 * row))] for h in heights)
        for row in reversed(range(rows))
    ]


def _wrapped(label: str, parts: list[str], width: int) -> list[str]:
    lines = [f"{label:<{_LABEL}}"]
    for part in parts:
        is_empty = len(lines[-1]) <= _LABEL
        if not is_empty and len(lines[-1]) + 3 + len(part) > width:
            lines.append(" " * _LABEL)
            is_empty = True
        lines[-1] += part if is_empty else f"   {part}"
    return lines


def _without_escapes(line: str) -> str:
    for escape in (_BOLD, _DIM, _PLAIN):
        line = line.replace(escape, "")
    return line


def cut(line: str, width: int) -> str:
    """Return ``line`` cut to ``width`` columns, not counting escape sequences."""
    shown, kept, escaped = 0, "", False
    for char in line:
        escaped = escaped or char == "\x1b"
        if not escaped:
            if shown == width:
                continue
            shown += 1
        kept += char
        if escaped and char == "m":
            escaped = False
    return kept
