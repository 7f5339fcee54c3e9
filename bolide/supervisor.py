"""Looks after workers: starts them in order, replaces them, and loses no request.

The supervisor owns the listening sockets, which all workers share, so that a worker
that dies takes no waiting connection with it. It has no event loop: it sleeps in one
``poll`` until a signal, a worker's word or the next deadline comes.
"""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import time
from collections.abc import Callable

from bolide import _engine, privileges, sockets
from bolide.config import WORKERS_MAX, Config
from bolide.crew import STARTING, Worker, cpu_count, how_it_ended, resident_bytes
from bolide.draining import every_s, progress
from bolide.errors import ConfigError
from bolide.logs import banner
from bolide.parent import Job, Parent
from bolide.pidfile import PidFile
from bolide.preload import ask_for_worker, run_template
from bolide.server import (
    EXIT_ERROR,
    EXIT_OK,
    EXIT_STARTUP,
    LEFTOVERS_S,
    SHUTDOWN_LEAST_S,
)
from bolide.statsd import Reporter, reporter_of
from bolide.systemd import Notifier
from bolide.upgrade import Succession
from bolide.worker import SEAT_BYTES, Post, read_beat, run_worker

BACKOFF_FIRST_S = 0.1
BACKOFF_MOST_S = 30.0
SETTLED_S = 5.0
"""A worker that has served for so long did not die of its start."""

RSS_EVERY_S = 1.0
STATSD_AGAIN_S = 60.0
"""How soon a name that is not known is asked for again."""
KILL_MARGIN_S = 5.0
"""How much longer than its own deadlines a worker may take to end."""


def _count(config: Config) -> int:
    """Return how many workers ``config`` asks for."""
    if config.workers == "auto":
        return cpu_count()
    return config.workers if isinstance(config.workers, int) else 1


class Supervisor(Parent):
    """The process that workers belong to."""

    def __init__(
        self,
        config: Config,
        again: Callable[[], Config] | None = None,
        pid_file: PidFile | None = None,
        predecessor: socket.socket | None = None,
    ) -> None:
        """``again`` reads the settings anew for a reload; it raises ConfigError.

        ``predecessor`` is told when all workers serve, and ``pid_file`` written then.
        """
        self._target = _count(config)
        super().__init__(config, 2 * max(self._target, 16))
        self._again = again
        self._succession = Succession(self.log, pid_file, predecessor)
        self._reporter = reporter_of(config, self._tallies)
        self._statsd_due = 0.0
        self._notifier = Notifier()
        self._watchdog_due = 0.0
        self._progress_due = float("inf")
        self._stop_due = 0.0
        self._workers: dict[int, Worker] = {}
        self._generation = 0
        self._is_reloading = False
        self._template: Worker | None = None
        self._has_served = False
        self._has_told = False
        self._failures = 0
        self._not_before = 0.0
        self._is_backing_off = False
        self._rss_due = 0.0

    def _run(self) -> int:
        if self.config.preload:
            _engine.adopt_orphans()
        code = super()._run()
        if self._stop_signal is not None:
            self._say("info", "stopped")
        return code

    def _clean_up(self) -> None:
        self._drop_template()
        if self._reporter is not None:
            self._reporter.close()
        self._listeners.close(removes_files=not self._succession.has_handed_over)

    def _begin(self) -> None:
        self._fill()

    def _goes_on(self) -> bool:
        return bool(self._workers) or self._wants_workers()

    def _look(self) -> None:
        self._watch()
        self._fill()
        self._settle()

    def _wants_workers(self) -> bool:
        return (
            self._stop_signal is None
            and self._exit_code == EXIT_OK
            and not self._succession.has_handed_over
        )

    # Starting

    def _fresh(self) -> list[Worker]:
        """Return the workers that are to stay."""
        return [
            x for x in self._workers.values()
            if not x.is_ending and not x.is_worn and x.generation == self._generation
        ]  # fmt: skip

    def _old(self) -> list[Worker]:
        """Return the workers that serve until others have taken their place."""
        fresh = self._fresh()
        return [
            x for x in self._workers.values()
            if x.state != STARTING and not x.is_ending and x not in fresh
        ]  # fmt: skip

    def _fill(self) -> None:
        """Start what is missing, and let go what is too much."""
        if not self._wants_workers():
            return
        now = time.monotonic()
        fresh = self._fresh()
        for worker in fresh[self._target :]:
            self._retire(worker)
        missing = self._target - len(fresh)
        starting = any(x.state == STARTING for x in fresh)
        self._is_backing_off = missing > 0 and now < self._not_before
        one_by_one = self._is_reloading or not self._has_served
        while missing > 0 and now >= self._not_before and not (one_by_one and starting):
            if self.config.preload and not self._has_template():
                return
            self._spawn()
            missing -= 1
            starting = True

    def _has_template(self) -> bool:
        """Return whether the application is loaded; if not, see to it."""
        template = self._template
        if template is None or template.generation != self._generation:
            self._drop_template()
            self._template = self._try_to_start(0, run_template)
            return False
        return template.state != STARTING

    def _drop_template(self) -> None:
        """Let the template go: it ends when nobody can ask it any more."""
        if self._template is not None:
            self._forget(self._template)
        self._template = None

    def _spawn(self) -> None:
        """Start a worker in a free seat."""
        taken = {x.seat for x in self._workers.values()}
        seats = len(self._crowd) // SEAT_BYTES
        seat = next((x for x in range(seats) if x not in taken), None)
        if seat is None:
            return
        start = seat * SEAT_BYTES
        self._crowd[start : start + SEAT_BYTES] = bytes(SEAT_BYTES)
        worker = self._try_to_start(seat, run_worker)
        if worker is not None:
            self._workers[worker.pid] = worker

    def _try_to_start(self, seat: int, job: Job) -> Worker | None:
        try:
            return self._start(seat, job, self._generation)
        except OSError as error:
            self._say("error", f"cannot start a worker: {error}")
            self._back_off(time.monotonic())
            return None

    def _fork(self, ours: socket.socket, post: Post, job: Job) -> int:
        if job is run_worker and self._template is not None:
            return ask_for_worker(self._template.control, post.control, post.seat)
        return super()._fork(ours, post, job)

    def _in_child(self) -> None:
        super()._in_child()
        self._succession.close()

    def _children(self) -> list[Worker]:
        others = [
            x for x in (self._template, self._succession.successor) if x is not None
        ]
        return [*self._workers.values(), *others]

    def _back_off(self, now: float) -> None:
        self._failures += 1
        wait = min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2 ** (self._failures - 1))
        self._not_before = now + wait
        self._is_backing_off = True

    # What workers say

    def _on_message(self, child: Worker, message: bytes) -> None:
        if child is self._succession.successor:
            self._hear_successor(child, message)
        elif message == b"ready" and child is self._template:
            child.serve(time.monotonic())
        elif message == b"ready":
            self._on_ready(child)
        elif message == b"full":
            self._wear(child, "has served its requests")

    def _on_ready(self, worker: Worker) -> None:
        worker.serve(time.monotonic())
        for other in self._old()[:1]:
            self._retire(other)
        self._has_served = True

    def _settle(self) -> None:
        """Where all that are to stay serve, let the others go, and say so."""
        fresh = [x for x in self._fresh() if x.state != STARTING]
        if len(fresh) < self._target or not self._wants_workers():
            return
        for other in self._old():
            self._retire(other)
        if self._is_reloading:
            self._is_reloading = False
            self._notifier.ready()
            self._say("info", f"reloaded: {len(fresh)} new workers serve")
        if not self._has_told:
            where = sockets.places(self._listeners, self.config)
            count = f"{len(fresh)} worker" + "s" * (len(fresh) > 1)
            self._say("info", banner(where, count))
            inside = sockets.places(self._listeners, self.config, inside=True)
            if inside:
                self._say("info", f"health, metrics and status on {inside}")
            self._has_told = True
            self._succession.take_over(self._listeners)
            self._notifier.ready()

    def _wear(self, worker: Worker, why: str) -> None:
        """Replace a worker that serves; it goes on until another is ready."""
        if worker.is_worn or worker.is_ending:
            return
        worker.is_worn = True
        self._say("info", f"worker {worker.pid} {why}: it is being replaced")

    def _reopen_logs(self) -> None:
        """Open the logs' files again, here and, once they exist, in all workers."""
        self.log.reopen()
        try:
            self.config.prepare_logs()
        except ConfigError as error:
            self._say("error", f"not opened again: {error}")
            return
        for worker in self._workers.values():
            with contextlib.suppress(OSError):
                worker.control.send(b"reopen")

    def _retire(self, worker: Worker) -> None:
        """Have a worker end while others serve; it takes no new connection."""
        if worker.state == STARTING:
            self._dismiss(worker)
            return
        with contextlib.suppress(OSError):
            worker.control.send(b"retire")
        last_call = self.config.timeout_keep_alive or 0.0
        worker.end(time.monotonic() + last_call + self._end_s())

    def _dismiss(self, worker: Worker) -> None:
        """Have a process end in order, as a signal to stop asks for."""
        self._terminate(worker, self.config.drain_delay + self._end_s())

    def _end_s(self) -> float:
        """Return the seconds that a worker takes to end at most."""
        grace = self.config.timeout_graceful_shutdown or 0.0
        return grace + max(grace, SHUTDOWN_LEAST_S) + LEFTOVERS_S + KILL_MARGIN_S

    # What ends

    def _on_end(self, pid: int, code: int) -> None:
        worker = self._workers.pop(pid, None)
        if self._template is not None and self._template.pid == pid:
            worker, self._template = self._template, None
        if worker is not None:
            self._bury(worker, code)
        elif self._succession.has(pid):
            self._bury_successor(code)

    def _bury(self, worker: Worker, code: int) -> None:
        self._forget(worker)
        self._tallies.leave(worker.seat)
        start = worker.seat * SEAT_BYTES
        self._crowd[start : start + SEAT_BYTES] = bytes(SEAT_BYTES)
        was_told = worker.is_ending or worker.is_worn
        self._tallies.note_end(worker.pid, code, was_told=was_told)
        if worker.is_ending:
            self._say("debug", f"worker {worker.pid} {how_it_ended(code)}")
        elif worker.state == STARTING:
            self._on_failed_start(worker, code)
        else:
            now = time.monotonic()
            self._say("error", f"worker {worker.pid} {how_it_ended(code)}")
            if now - worker.since < SETTLED_S:
                self._back_off(now)
            else:
                self._failures = 0

    def _bury_successor(self, code: int) -> None:
        successor = self._succession.fail(code)
        if successor is not None:
            self._forget(successor)

    def _on_failed_start(self, worker: Worker, code: int) -> None:
        text = f"worker {worker.pid} {how_it_ended(code)} at its start"
        self._back_off(time.monotonic())
        if not self._has_served and self._stop_signal is None:
            if code not in (EXIT_ERROR, EXIT_STARTUP):
                self._say("error", text)
            self._exit_code = code if code in (EXIT_ERROR, EXIT_STARTUP) else 3
            for other in self._workers.values():
                self._dismiss(other)
        elif self._is_reloading:
            self._is_reloading = False
            self._notifier.ready()
            for other in self._workers.values():
                other.generation = self._generation
            self._say("error", f"{text}: the reload is over, the others serve on")
        else:
            wait = self._not_before - time.monotonic()
            self._say("error", f"{text}; the next start is in {wait:.1f} s")

    # Deadlines

    def _watch(self) -> None:
        """Look at what is due: ends, lifetimes, heartbeats, memory."""
        now = time.monotonic()
        if self._is_watched() and now >= self._watchdog_due:
            self._watchdog_due = now + self._notifier.watchdog_s
            self._notifier.watchdog()
        if now >= self._progress_due:
            self._progress_due = now + every_s()
            if text := progress(self._tallies.workers(), self._stop_due - now):
                self._say("info", text)
        if self._reporter is not None and now >= self._statsd_due:
            self._statsd_due = now + self._report(self._reporter)
        looks_at_rss = self.config.limit_rss > 0 and now >= self._rss_due
        if looks_at_rss:
            self._rss_due = now + RSS_EVERY_S
        for worker in list(self._workers.values()):
            if worker.is_ending:
                if now >= worker.due:
                    self._say("error", f"worker {worker.pid} does not end: killed")
                    self._kill(worker)
            elif worker.state != STARTING:
                self._look_after(worker, now, looks_at_rss)

    def _report(self, reporter: Reporter) -> float:
        """Send to statsd; return in how many seconds again.

        No thread asks for the address here: a process that forks has none. Where it is
        not to be had, workers are not looked after meanwhile: it is rarely tried again.
        """
        if not reporter.is_ready:
            reporter.find()
        reporter.send()
        return self.config.statsd_interval if reporter.is_ready else STATSD_AGAIN_S

    def _is_watched(self) -> bool:
        return self._notifier.watchdog_s > 0 and not self._succession.has_handed_over

    def _look_after(self, worker: Worker, now: float, looks_at_rss: bool) -> None:
        config = self.config
        if config.worker_lifetime and now - worker.since >= config.worker_lifetime:
            self._wear(worker, "has lived for its time")
        if config.heartbeat and now >= self._beat_due(worker):
            text = f"its loop has been blocked for {config.heartbeat:g} s: killed"
            self._say("error", f"worker {worker.pid}: {text}")
            self._kill(worker)
            worker.is_worn = True
        if looks_at_rss:
            rss = resident_bytes(worker.pid)
            if rss > config.limit_rss:
                self._wear(worker, f"takes {rss >> 20} MiB")

    def _beat_due(self, worker: Worker) -> float:
        beat = max(read_beat(self._crowd, worker.seat), worker.since)
        return beat + self.config.heartbeat

    def _sleep_ms(self) -> int | None:
        """Return how long nothing is due; None: until something happens."""
        now = time.monotonic()
        due = [self._progress_due]
        if self._reporter is not None:
            due.append(self._statsd_due)
        if self._is_watched():
            due.append(self._watchdog_due)
        if self._is_backing_off and self._wants_workers():
            due.append(self._not_before)
        for worker in self._workers.values():
            if worker.is_ending:
                due.append(worker.due)
            elif worker.state != STARTING and not worker.is_worn:
                due += self._dues_of(worker)
        first = min(due)
        if first == float("inf"):
            return None
        return max(0, int((first - now) * 1000) + 1)

    def _dues_of(self, worker: Worker) -> list[float]:
        due = []
        if self.config.worker_lifetime:
            due.append(worker.since + self.config.worker_lifetime)
        if self.config.heartbeat:
            due.append(self._beat_due(worker))
        if self.config.limit_rss:
            due.append(self._rss_due)
        return due

    # Signals

    def _on_signal(self, number: int) -> None:
        if number in (signal.SIGINT, signal.SIGTERM):
            self._stop(number)
        elif not self._has_served or not self._wants_workers():
            return
        elif number == signal.SIGHUP:
            self._reload()
        elif number == signal.SIGUSR2:
            self._upgrade()
        elif number == signal.SIGUSR1:
            self._reopen_logs()
        elif number in (signal.SIGTTIN, signal.SIGTTOU):
            self._set_target(self._target + (1 if number == signal.SIGTTIN else -1))
            self._say("info", f"workers: {self._target}")

    def _set_target(self, count: int) -> None:
        """Have as many workers, of which half of the seats are for, the others for new
        ones that take their place.
        """
        most = min(WORKERS_MAX, len(self._crowd) // SEAT_BYTES // 2)
        self._target = min(max(1, count), most)
        if count > most:
            self._say("warning", f"at most {most} workers until the next start")

    def _stop(self, number: int) -> None:
        if self._stop_signal is not None:
            self._kill_all(number)
            return
        self._stop_signal = number
        now = time.monotonic()
        self._progress_due = now + every_s()
        grace = self.config.timeout_graceful_shutdown or 0.0
        self._stop_due = now + self.config.drain_delay + grace
        if not self._succession.has_handed_over:
            self._notifier.stopping()
        again = " (Ctrl-C again to force quit)" * (number == signal.SIGINT)
        open_now = sum(x["connections"] for x in self._tallies.workers())
        also = f", connections open: {open_now}" if open_now else ""
        text = f"stopping; workers: {len(self._workers)}{also}{again}"
        self._say("info", text)
        for worker in self._workers.values():
            self._dismiss(worker)
        if self._succession.successor is not None:
            self._dismiss(self._succession.successor)
        # So that nobody can connect once the workers accept no more.
        self._drop_template()
        self._listeners.leave()

    def _reload(self) -> None:
        """Replace all workers, one at a time, by new ones with new settings."""
        self._notifier.reloading()
        if self._again is not None:
            try:
                config = self._again()
                privileges.check(config)
            except ConfigError as error:
                self._say("error", f"not reloaded: {error}")
                self._notifier.ready()
                return
            if config.workers != self.config.workers:
                self._set_target(_count(config))
            self.config = config
            self.log.level = config.level
        self._generation += 1
        self._is_reloading = True
        self._failures, self._not_before = 0, 0.0
        self._say("info", "reloading")

    def _upgrade(self) -> None:
        """Start this command again, on the same sockets; it takes over when it can."""
        successor = self._succession.start(self._listeners)
        if successor is not None:
            self._poll.register(successor.control, select.POLLIN)

    def _hear_successor(self, successor: Worker, message: bytes) -> None:
        if not self._succession.hear(message):
            return
        self._notifier.main_pid(successor.pid)
        self._forget(successor)
        for worker in self._workers.values():
            if not worker.is_ending:
                self._retire(worker)
