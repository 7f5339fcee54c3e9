"""Which worker has which UDP sockets, as workers start, drain and end."""

from __future__ import annotations

import socket
from collections.abc import Collection

from bolide import _engine
from bolide.config.choices import LEVELS
from bolide.config.config import Config
from bolide.logs.log import Log
from bolide.processes.child import Worker
from bolide.serving.quic_sockets import Lent, QuicSeat, QuicSockets


class QuicSeats:
    """The UDP sockets of a supervisor's workers, if they serve HTTP/3."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._sockets: QuicSockets | None = None
        self._next = -1
        """The seat of the process that is started; -1: it has none."""
        self._steers = True
        """Whether this supervisor is the one that distributes packets."""

    def bind(self, config: Config, pairs: list[tuple[socket.socket, int]]) -> None:
        """Bind what ``config`` needs at the addresses of ``pairs``, once.

        The sockets outlive changes of the settings, with the secret of their
        connections. Raises BindError.
        """
        lent = Lent.take()
        if not config.http3 or config.tls is None or self._sockets is not None:
            if lent is not None:
                lent.close()
        elif _engine.can_steer_quic():
            self._sockets = QuicSockets(pairs, config.tls.secret(), lent)
            self._steers = lent is None

    def close_unused(self, config: Config, workers: Collection[Worker]) -> None:
        """Close the sockets if ``config`` has no HTTP/3 and no process needs them."""
        if self._sockets is None or config.http3 or not self._steers:
            return
        if not _taken(workers) and not self._sockets.others:
            self._sockets.close()
            self._sockets = None

    def take(self, workers: Collection[Worker] | None) -> int:
        """Choose the seat of the process that is started next, which ``workers`` lack.

        Returns it; -1 if there are no sockets, or if the process needs none, for which
        ``workers`` is None. Raises BindError.
        """
        self._next = -1
        if self._sockets is not None and workers is not None:
            self._next = self._sockets.take(_taken(workers))
        return self._next

    def seat(self) -> QuicSeat | None:
        """Return what the process that is started gets."""
        return None if self._sockets is None else self._sockets.seat(self._next)

    def leave(self) -> None:
        """In that process, close the sockets of all others."""
        if self._sockets is not None:
            self._sockets.leave(self._next)

    def steer(self, workers: Collection[Worker]) -> None:
        """Distribute packets among the workers as they are now.

        Those that drain get the packets of their connections, but no new clients
        while others accept them.
        """
        served = [x for x in workers if x.has_served and x.quic_seat >= 0]
        opened = sorted(x.quic_seat for x in served)
        accepting = sorted(x.quic_seat for x in served if not x.is_ending) or opened
        if self._sockets is None or not accepting or not self._steers:
            return
        try:
            self._sockets.steer(opened, accepting)
        except OSError as error:
            text = f"packets of HTTP/3 cannot be distributed: {error.strerror}"
            self._log.line(LEVELS["error"], text)

    # A process that takes over

    def begin(self, workers: Collection[Worker]) -> list[int]:
        """Distribute packets instead of the predecessor, whose workers will drain.

        Returns descriptors that become readable when its processes have ended; then
        comes ``look_again``.
        """
        self._steers = True
        self.steer(workers)
        return [] if self._sockets is None else [x.pipe for x in self._sockets.others]

    def look_again(self) -> None:
        """The predecessor has changed something, or has ended."""
        if self._sockets is not None:
            self._sockets.forget()

    def end(self) -> None:
        """Leave the distribution of packets to the successor."""
        self._steers = False

    def prepare_to_lend(self, workers: Collection[Worker], count: int) -> None:
        """Keep the seats of at most ``count`` workers; raise BindError."""
        if self._sockets is not None:
            self._sockets.prepare_to_lend(_taken(workers), count)

    def lend(self, environ: dict[str, str]) -> None:
        """In the process that takes over, add the sockets to its environment."""
        if self._sockets is not None:
            self._sockets.lend(environ)

    def has_lent(self) -> None:
        """That process was started, or could not be."""
        if self._sockets is not None:
            self._sockets.has_lent()

    def close(self) -> None:
        """Close all of them in this process."""
        if self._sockets is not None:
            self._sockets.close()


def _taken(workers: Collection[Worker]) -> set[int]:
    return {x.quic_seat for x in workers if x.quic_seat >= 0}
