"""Logs which Python code blocks the event loop, while it does.

A thread checks the loop, but only while requests are running: otherwise it sleeps until
the engine's next turn, so an idle server does not wake up.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from types import FrameType

from bolide.config.choices import LEVELS
from bolide.logs.log import Log
from bolide.observe.counters import Tallies
from bolide.system.fallbacks import Wakeup
from bolide.system.threads import start_without_signals

_NS = 1_000_000_000
_LOOP_FILES = (os.path.dirname(asyncio.__file__), selectors.__file__)
_RUN_FILES = {
    os.path.join(os.path.dirname(asyncio.__file__), name)
    for name in ("runners.py", "base_events.py", "events.py")
}


class Watchdog:
    """Watches the loop of one server."""

    def __init__(self, seconds: float, tallies: Tallies, seat: int, log: Log) -> None:
        """``seconds`` is how long the loop may be blocked without a report; 0:
        forever.
        """
        self._wakeup = Wakeup() if seconds > 0 else None
        self.fd = self._wakeup.fd if self._wakeup is not None else -1
        """The descriptor that the engine writes to when it has work and the
        watchdog sleeps.
        """
        self._limit = int(seconds * _NS)
        self._view = tallies.view
        self._at = {
            name: tallies.index(seat, name)
            for name in (
                "turns",
                "turn_began",
                "turn_max",
                "running",
                "websockets",
                "watch_sleeps",
                "blocked",
            )
        }
        self._log = log
        self._ended = threading.Event()
        self._thread_id = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked = 0
        """When the loop was asked to respond, in ns; 0: it has responded."""
        self._reported = 0
        """Since when the loop is blocked, if that was reported; 0: it is not."""

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the running loop within the block."""
        if self._wakeup is None:
            yield
            return
        self._loop = asyncio.get_running_loop()
        self._thread_id = threading.get_ident()
        thread = threading.Thread(target=self._run, name="bolide-watchdog", daemon=True)
        start_without_signals(thread)
        try:
            yield
        finally:
            self._ended.set()
            self._wakeup.wake()
            thread.join()

    def _get(self, name: str) -> int:
        return self._view[self._at[name]]

    def _run(self) -> None:
        assert self._wakeup is not None
        while not self._ended.is_set():
            turns = self._watch()
            self._view[self._at["watch_sleeps"]] = 1
            if self._get("turns") == turns and not self._ended.is_set():
                self._wakeup.wait()
            self._view[self._at["watch_sleeps"]] = 0

    def _watch(self) -> int:
        """Check while there is work; return how many turns the engine had then."""
        shortest = max(self._limit // 4, _NS // 100)
        step, seen = shortest, -1
        while not self._ended.is_set():
            before = time.monotonic_ns()
            self._look_back()
            turns = self._get("turns")
            is_quiet = turns == seen and not self._get("turn_began") and not self._asked
            if is_quiet and not self._get("running") and not self._get("websockets"):
                return turns
            # Requests that wait for the peer, as WebSockets do, are checked less often.
            step = min(step * 2, max(self._limit, shortest)) if is_quiet else shortest
            seen = turns
            self._look(before)
            self._ended.wait(step / _NS)
            late = time.monotonic_ns() - before - step
            if late >= self._limit:
                self._on_late(late)
        return -1

    def _look_back(self) -> None:
        """Report a turn of the engine during which this thread could not run."""
        longest = self._get("turn_max")
        if longest < self._limit or self._get("turn_began") or self._reported:
            return
        self._view[self._at["turn_max"]] = 0
        self._report_unseen(longest)

    def _look(self, now: int) -> None:
        """Report once that the loop is blocked, and when it continues."""
        frame = sys._current_frames().get(self._thread_id)
        if not self._asked and frame is not None and not _is_loops(frame):
            self._asked = now
            self._ask()
        stamps = [x for x in (self._get("turn_began"), self._asked) if x]
        since = min(stamps, default=now)
        if now - since >= self._limit:
            if not self._reported:
                self._reported = since
                self._report(now - since, frame)
        elif self._reported:
            self._warn(
                f"the event loop continues after {(now - self._reported) / _NS:.1f} s"
            )
            self._reported = 0
            self._view[self._at["turn_max"]] = 0

    def _ask(self) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._answer)
        except RuntimeError:  # already closed
            self._asked = 0

    def _answer(self) -> None:
        self._asked = 0

    def _report(self, ns: int, frame: FrameType | None) -> None:
        stack = _shown(frame)
        self._count()
        self._warn(
            f"the event loop has been blocked for {ns / _NS:.1f} s, by:\n{stack}"
        )

    def _on_late(self, ns: int) -> None:
        """No Python code could run, so what blocked cannot be seen here."""
        since = self._get("turn_began") or self._asked
        if self._reported or (since and time.monotonic_ns() - since >= self._limit):
            return  # the next check reports where it returned
        if self._get("turn_max") >= self._limit:
            return  # the next check reports it afterwards
        self._report_unseen(ns)

    def _report_unseen(self, ns: int) -> None:
        self._count()
        what = "code that holds the GIL, or the whole process stood still"
        self._warn(f"the event loop was blocked for {ns / _NS:.1f} s by {what}")

    def _count(self) -> None:
        self._view[self._at["blocked"]] += 1

    def _warn(self, text: str) -> None:
        self._log.line(LEVELS["warning"], text)


def _is_loops(frame: FrameType) -> bool:
    """Whether the loop itself is running or waiting, and no application code."""
    return frame.f_code.co_filename.startswith(_LOOP_FILES)


def _shown(frame: FrameType | None) -> str:
    """Return a stack as in a traceback, without the frames that are always there."""
    stack = traceback.extract_stack(frame)
    outer = [i for i, x in enumerate(stack) if x.filename in _RUN_FILES]
    kept = stack[outer[-1] + 1 :] if outer else []
    return "".join(traceback.format_list(kept or stack)).rstrip()
