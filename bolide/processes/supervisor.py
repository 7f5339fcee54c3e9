"""Supervises workers: starts them in order, replaces them, and loses no request.

The supervisor owns the listening sockets, which all workers share, so that a worker
that dies takes no waiting connection with it. It has no event loop: it sleeps in one
``poll`` until a signal, a worker's message or the next deadline arrives.
"""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import time
from collections.abc import Callable

from bolide import _engine
from bolide.config.config import Config
from bolide.config.table import WORKERS_MAX
from bolide.errors import BindError, ConfigError
from bolide.logs.log import banner
from bolide.logs.sinks import prepare_logs
from bolide.observe.statsd import Reporter, reporter_of
from bolide.processes import privileges
from bolide.processes.base import Job, Parent
from bolide.processes.child import STARTING, Worker, how_it_ended
from bolide.processes.handover import Handover
from bolide.processes.pidfile import PidFile
from bolide.processes.preload import ask_for_worker, run_template
from bolide.processes.quic_seats import QuicSeats
from bolide.processes.worker import SEAT_BYTES, Post, read_beat, run_worker
from bolide.server import (
    EXIT_ERROR,
    EXIT_OK,
    EXIT_STARTUP,
    LEFTOVERS_S,
    SHUTDOWN_LEAST_S,
)
from bolide.serving import sockets
from bolide.serving.drain_progress import every_s, progress
from bolide.serving.quic_sockets import QuicSeat
from bolide.system.process_info import cpu_count, resident_bytes
from bolide.systemd import Notifier

BACKOFF_FIRST_S = 0.1
BACKOFF_MOST_S = 30.0
SETTLED_S = 5.0
"""A worker that has served for this long did not die because of its start."""

RSS_EVERY_S = 1.0
STATSD_AGAIN_S = 60.0
"""How soon an unknown host name is resolved again."""
KILL_MARGIN_S = 5.0
"""How much longer than its own deadlines a worker may take to end."""


def _count(config: Config) -> int:
    """Return how many workers ``config`` requests."""
    if config.workers == "auto":
        return cpu_count()
    return config.workers if isinstance(config.workers, int) else 1


class Supervisor(Parent):
    """The parent process of workers."""

    def __init__(
        self,
        config: Config,
        again: Callable[[], Config] | None = None,
        pid_file: PidFile | None = None,
        predecessor: socket.socket | None = None,
    ) -> None:
        """``again`` rereads the settings for a reload; it raises ConfigError.

        When all workers serve, ``predecessor`` is notified and ``pid_file`` written.
        """
        self._target = _count(config)
        super().__init__(config, 2 * max(self._target, 16))
        self._again = again
        self._handover = Handover(self.log, pid_file, predecessor)
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
        self._has_announced = False
        self._failures = 0
        self._not_before = 0.0
        self._is_backing_off = False
        self._rss_due = 0.0
        self._quic = QuicSeats(self.log)
        self._ends: dict[int, Callable[[], None] | None] = {}
        """Descriptors that become readable when a predecessor stops or has ended, and
        what closes them.
        """

    def _run(self) -> int:
        if self.config.preload:
            with contextlib.suppress(OSError):  # only Linux can
                _engine.adopt_orphans()
        code = super()._run()
        if self._stop_signal is not None:
            self._log("info", "stopped")
        return code

    def _clean_up(self) -> None:
        self._drop_template()
        if self._reporter is not None:
            self._reporter.close()
        self._listeners.close(removes_files=not self._handover.has_handed_over)
        self._quic.close()

    def _bind(self) -> None:
        super()._bind()
        self._bind_quic(self.config)

    def _bind_quic(self, config: Config) -> None:
        flags = sockets.flags_of(self._listeners)
        self._quic.bind(config, list(zip(self._listeners, flags, strict=True)))

    def _begin(self) -> None:
        self._fill()

    def _continues(self) -> bool:
        return bool(self._workers) or self._wants_workers()

    def _look(self) -> None:
        self._watch()
        self._fill()
        self._settle()
        self._quic.steer(self._workers.values())
        self._quic.close_unused(self.config, self._workers.values())

    def _wants_workers(self) -> bool:
        return (
            self._stop_signal is None
            and self._exit_code == EXIT_OK
            and not self._handover.has_handed_over
        )

    # Starting

    def _fresh(self) -> list[Worker]:
        """Return the workers that are to stay."""
        return [
            x for x in self._workers.values()
            if x.generation == self._generation
            and not x.is_ending and not x.needs_replacing
        ]  # fmt: skip

    def _old(self) -> list[Worker]:
        """Return the workers that serve until others have replaced them."""
        fresh = self._fresh()
        return [
            x for x in self._workers.values()
            if x.state != STARTING and not x.is_ending and x not in fresh
        ]  # fmt: skip

    def _fill(self) -> None:
        """Start missing workers, and stop surplus ones."""
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
        """Return whether the application is loaded; if not, start the template."""
        template = self._template
        if template is None or template.generation != self._generation:
            self._drop_template()
            self._template = self._try_to_start(0, run_template)
            return False
        return template.state != STARTING

    def _drop_template(self) -> None:
        """Disconnect from the template process, which then exits."""
        if self._template is not None:
            self._forget(self._template)
        self._template = None

    def _spawn(self) -> None:
        """Start a worker in a free seat."""
        taken = {x.seat for x in self._workers.values()}
        seats = len(self._balance) // SEAT_BYTES
        seat = next((x for x in range(seats) if x not in taken), None)
        if seat is None:
            return
        start = seat * SEAT_BYTES
        self._balance[start : start + SEAT_BYTES] = bytes(SEAT_BYTES)
        worker = self._try_to_start(seat, run_worker)
        if worker is not None:
            self._workers[worker.pid] = worker

    def _quic_seat(self) -> QuicSeat | None:
        return self._quic.seat()

    def _try_to_start(self, seat: int, job: Job) -> Worker | None:
        try:
            serves = job is run_worker and self.config.http3
            quic_seat = self._quic.take(self._workers.values() if serves else None)
            worker = self._start(seat, job, self._generation)
            worker.quic_seat = quic_seat
            return worker
        except OSError as error:
            self._log("error", f"cannot start a worker: {error}")
            self._back_off(time.monotonic())
            return None

    def _fork(self, ours: socket.socket, post: Post, job: Job) -> int:
        if job is run_worker and self._template is not None:
            return ask_for_worker(self._template.control, post)
        return super()._fork(ours, post, job)

    def _in_child(self) -> None:
        super()._in_child()
        self._handover.close()
        self._quic.leave()

    def _children(self) -> list[Worker]:
        others = [
            x for x in (self._template, self._handover.successor) if x is not None
        ]
        return [*self._workers.values(), *others]

    def _back_off(self, now: float) -> None:
        self._failures += 1
        wait = min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2 ** (self._failures - 1))
        self._not_before = now + wait
        self._is_backing_off = True

    # Messages of workers

    def _on_message(self, child: Worker, message: bytes) -> None:
        if child is self._handover.successor:
            self._on_successor_message(child, message)
        elif message == b"ready" and child is self._template:
            child.serve(time.monotonic())
        elif message == b"ready":
            self._on_ready(child)
        elif message == b"full":
            self._mark_for_replacing(child, "has served its requests")

    def _on_ready(self, worker: Worker) -> None:
        worker.serve(time.monotonic())
        self._quic.steer(self._workers.values())
        for other in self._old()[:1]:
            self._retire(other)
        self._has_served = True

    def _settle(self) -> None:
        """If all workers that are to stay serve, stop the others and report it."""
        fresh = [x for x in self._fresh() if x.state != STARTING]
        if len(fresh) < self._target or not self._wants_workers():
            return
        for other in self._old():
            self._retire(other)
        if self._is_reloading:
            self._is_reloading = False
            self._notifier.ready()
            self._log("info", f"reloaded: {len(fresh)} new workers are serving")
        if not self._has_announced:
            where = sockets.places(self._listeners, self.config)
            count = f"{len(fresh)} worker" + "s" * (len(fresh) > 1)
            self._log("info", banner(self.config, where, count))
            inside = sockets.places(self._listeners, self.config, inside=True)
            if inside:
                self._log("info", f"health, metrics and status on {inside}")
            self._has_announced = True
            self._take_over()
            self._notifier.ready()

    def _mark_for_replacing(self, worker: Worker, why: str) -> None:
        """Replace a worker that serves; it continues until another is ready."""
        if worker.needs_replacing or worker.is_ending:
            return
        worker.needs_replacing = True
        self._log("info", f"worker {worker.pid} {why}: it is being replaced")

    def _reopen_logs(self) -> None:
        """Reopen the log files in this process and in all running workers."""
        self.log.reopen()
        try:
            prepare_logs(self.config)
        except ConfigError as error:
            self._log("error", f"cannot be reopened: {error}")
            return
        for worker in self._workers.values():
            with contextlib.suppress(OSError):
                worker.control.send(b"reopen")

    def _retire(self, worker: Worker) -> None:
        """Stop a worker while others serve; it accepts no new connection."""
        if worker.state == STARTING:
            self._dismiss(worker)
            return
        last_call = self.config.timeout_keep_alive or 0.0
        worker.end(time.monotonic() + last_call + self._end_s())
        self._quic.steer(self._workers.values())
        with contextlib.suppress(OSError):
            worker.control.send(b"retire")

    def _dismiss(self, worker: Worker) -> None:
        """Stop a process gracefully, as a signal to stop requests."""
        self._terminate(worker, self.config.drain_delay + self._end_s())

    def _end_s(self) -> float:
        """Return the maximum seconds that a worker takes to end."""
        grace = self.config.timeout_graceful_shutdown or 0.0
        return grace + max(grace, SHUTDOWN_LEAST_S) + LEFTOVERS_S + KILL_MARGIN_S

    # Processes that have ended

    def _on_end(self, pid: int, code: int) -> None:
        worker = self._workers.pop(pid, None)
        if self._template is not None and self._template.pid == pid:
            worker, self._template = self._template, None
        if worker is not None:
            self._on_worker_end(worker, code)
        elif self._handover.has(pid):
            self._on_successor_end(code)

    def _on_worker_end(self, worker: Worker, code: int) -> None:
        self._forget(worker)
        self._tallies.leave(worker.seat)
        start = worker.seat * SEAT_BYTES
        self._balance[start : start + SEAT_BYTES] = bytes(SEAT_BYTES)
        was_told = worker.is_ending or worker.needs_replacing
        self._tallies.note_end(worker.pid, code, was_told=was_told)
        if worker.is_ending:
            self._log("debug", f"worker {worker.pid} {how_it_ended(code)}")
        elif worker.state == STARTING:
            self._on_failed_start(worker, code)
        else:
            now = time.monotonic()
            self._log("error", f"worker {worker.pid} {how_it_ended(code)}")
            if now - worker.since < SETTLED_S:
                self._back_off(now)
            else:
                self._failures = 0

    def _on_successor_end(self, code: int) -> None:
        successor = self._handover.fail(code)
        if successor is not None:
            self._forget(successor)

    def _on_failed_start(self, worker: Worker, code: int) -> None:
        text = f"worker {worker.pid} {how_it_ended(code)} at its start"
        self._back_off(time.monotonic())
        if not self._has_served and self._stop_signal is None:
            if code not in (EXIT_ERROR, EXIT_STARTUP):
                self._log("error", text)
            self._exit_code = code if code in (EXIT_ERROR, EXIT_STARTUP) else 3
            for other in self._workers.values():
                self._dismiss(other)
        elif self._is_reloading:
            self._is_reloading = False
            self._notifier.ready()
            for other in self._workers.values():
                other.generation = self._generation
            self._log(
                "error",
                f"{text}: the reload is abandoned, and the other workers continue",
            )
        else:
            wait = self._not_before - time.monotonic()
            self._log("error", f"{text}; the next start is in {wait:.1f} s")

    # Deadlines

    def _watch(self) -> None:
        """Check what is due: ends, lifetimes, heartbeats, memory."""
        now = time.monotonic()
        if self._is_watched() and now >= self._watchdog_due:
            self._watchdog_due = now + self._notifier.watchdog_s
            self._notifier.watchdog()
        if now >= self._progress_due:
            self._progress_due = now + every_s()
            if text := progress(self._tallies.workers(), self._stop_due - now):
                self._log("info", text)
        if self._reporter is not None and now >= self._statsd_due:
            self._statsd_due = now + self._report(self._reporter)
        looks_at_rss = self.config.limit_rss > 0 and now >= self._rss_due
        if looks_at_rss:
            self._rss_due = now + RSS_EVERY_S
        for worker in list(self._workers.values()):
            if worker.is_ending:
                if now >= worker.due:
                    self._log(
                        "error",
                        f"worker {worker.pid} did not end in time, and was killed",
                    )
                    self._kill(worker)
            elif worker.state != STARTING:
                self._look_after(worker, now, looks_at_rss)

    def _report(self, reporter: Reporter) -> float:
        """Send to statsd; return the seconds until the next time.

        The host's name is not resolved in a thread here, because a process that forks
        has none. If that fails, supervision pauses meanwhile, so it is rarely retried.
        """
        if not reporter.is_ready:
            reporter.find()
        reporter.send()
        return self.config.statsd_interval if reporter.is_ready else STATSD_AGAIN_S

    def _is_watched(self) -> bool:
        return self._notifier.watchdog_s > 0 and not self._handover.has_handed_over

    def _look_after(self, worker: Worker, now: float, looks_at_rss: bool) -> None:
        config = self.config
        if config.worker_lifetime and now - worker.since >= config.worker_lifetime:
            self._mark_for_replacing(worker, "has lived for its time")
        if config.heartbeat and now >= self._beat_due(worker):
            text = f"its loop has been blocked for {config.heartbeat:g} s: killed"
            self._log("error", f"worker {worker.pid}: {text}")
            self._kill(worker)
            worker.needs_replacing = True
        if looks_at_rss:
            rss = resident_bytes(worker.pid)
            if rss > config.limit_rss:
                self._mark_for_replacing(worker, f"takes {rss >> 20} MiB")

    def _beat_due(self, worker: Worker) -> float:
        beat = max(read_beat(self._balance, worker.seat), worker.since)
        return beat + self.config.heartbeat

    def _sleep_ms(self) -> int | None:
        """Return the seconds until something is due; None: nothing is."""
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
            elif worker.state != STARTING and not worker.needs_replacing:
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
            self._log("info", f"workers: {self._target}")

    def _set_target(self, count: int) -> None:
        """Set the number of workers; half of the seats are for these, the others
        for the workers that replace them.
        """
        most = min(WORKERS_MAX, len(self._balance) // SEAT_BYTES // 2)
        self._target = min(max(1, count), most)
        if count > most:
            self._log("warning", f"at most {most} workers until the next start")

    def _stop(self, number: int) -> None:
        if self._stop_signal is not None:
            self._kill_all(number)
            return
        self._stop_signal = number
        now = time.monotonic()
        self._progress_due = now + every_s()
        grace = self.config.timeout_graceful_shutdown or 0.0
        self._stop_due = now + self.config.drain_delay + grace
        if not self._handover.has_handed_over:
            self._notifier.stopping()
        again = " (Ctrl-C again to force quit)" * (number == signal.SIGINT)
        open_now = sum(x["connections"] for x in self._tallies.workers())
        also = f", connections open: {open_now}" if open_now else ""
        text = f"stopping; workers: {len(self._workers)}{also}{again}"
        self._log("info", text)
        for worker in self._workers.values():
            self._dismiss(worker)
        if self._handover.successor is not None:
            self._dismiss(self._handover.successor)
        # So that no client can connect after the workers have stopped accepting.
        self._drop_template()
        self._listeners.leave()

    def _reload(self) -> None:
        """Replace all workers, one at a time, by new ones with new settings."""
        self._notifier.reloading()
        if self._again is not None:
            try:
                config = self._again()
                privileges.check(config)
                self._bind_quic(config)
            except (BindError, ConfigError) as error:
                self._log("error", f"not reloaded: {error}")
                self._notifier.ready()
                return
            if config.workers != self.config.workers:
                self._set_target(_count(config))
            self.config = config
            self.log.level = config.level
        self._generation += 1
        self._is_reloading = True
        self._failures, self._not_before = 0, 0.0
        self._log("info", "reloading")

    def _take_over(self) -> None:
        """Replace the predecessor, if there is one."""
        self._ends = dict.fromkeys(self._quic.begin(self._workers.values()))
        control = self._handover.take_over(self._listeners)
        if control >= 0:
            self._ends[control] = self._handover.close
        for fd in self._ends:
            self._poll.register(fd, select.POLLIN)

    def _read_message(self, fd: int) -> None:
        if fd not in self._ends:
            super()._read_message(fd)
            return
        self._poll.unregister(fd)
        close = self._ends.pop(fd)
        if close is not None:
            close()
        self._quic.look_again()

    def _upgrade(self) -> None:
        """Run this command again, on the same sockets; it takes over when it can."""
        seats = len(self._balance) // SEAT_BYTES
        try:
            if self._handover.successor is None:
                self._quic.prepare_to_lend(self._workers.values(), seats)
        except OSError as error:
            self._log("error", f"not upgraded: {error}")
            return
        successor = self._handover.start(self._listeners, self._quic.lend)
        self._quic.has_lent()
        if successor is not None:
            self._poll.register(successor.control, select.POLLIN)

    def _on_successor_message(self, successor: Worker, message: bytes) -> None:
        if not self._handover.on_message(message):
            return
        self._quic.end()
        self._notifier.main_pid(successor.pid)
        self._forget(successor)
        for worker in self._workers.values():
            if not worker.is_ending:
                self._retire(worker)
