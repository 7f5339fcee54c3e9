"""The UDP sockets of workers that share the ports of HTTP/3.

The supervisor owns them: one for each *seat* and address, bound in the order of the
seats and open for as long as it runs, so that the number of a seat is the kernel's
index of its sockets. A worker has one seat, which its connection IDs name, and the
worker that replaces it has another one: packets of a connection reach its worker
until that has ended, whatever address they come from. A program in the kernel, which
``steer`` replaces when workers begin to serve, drain or end, distributes the packets
(src/quic/steering.h).
"""

from __future__ import annotations

import itertools
import json
import os
import socket
from typing import NamedTuple

from bolide import _engine
from bolide.config.binds import LISTEN_QUIC
from bolide.errors import BindError
from bolide.serving import sockets

SEATS_MAX = 1024
"""QUIC_SEATS_MAX of src/quic/steering.h."""

LENT = "BOLIDE_QUIC"
"""The variable by which a supervisor passes them to its successor."""


class QuicSeat(NamedTuple):
    """What a worker gets of them."""

    number: int
    secret: bytes
    """From which all workers derive the keys of tokens, resets and connection IDs."""
    sockets: list[socket.socket]
    """Of its seat, one for each address."""

    def listeners(self) -> list[tuple[socket.socket, int]]:
        """Return the sockets with the engine's flags."""
        return [(sock, LISTEN_QUIC) for sock in self.sockets]


class Others(NamedTuple):
    """The processes of another supervisor, which have sockets of the same ports."""

    pipe: int
    """The reading end of a pipe that ends with the last of them."""
    seats: list[int]

    def have_ended(self) -> bool:
        """Return whether none is left."""
        return _is_at_end(self.pipe)


class Lent(NamedTuple):
    """What a supervisor gets from the one that it replaces."""

    secret: bytes
    ports: list[list[int]]
    """Descriptors of sockets by address and seat."""
    pipe: tuple[int, int]
    """Its own pipe, which ends with the last of its processes."""
    others: list[Others]

    @classmethod
    def take(cls) -> Lent | None:
        """Return it, once; None if there is nothing."""
        text = os.environ.pop(LENT, "")
        if not text:
            return None
        memory, ports, pipe, others = json.loads(text)
        with open(memory, "rb") as file:
            secret = file.read()
        lent = cls(secret, ports, tuple(pipe), [Others(*x) for x in others])
        for fd in lent.descriptors():
            os.set_inheritable(fd, False)
        return lent

    def descriptors(self) -> list[int]:
        """Return all of them."""
        sockets_ = [fd for port in self.ports for fd in port]
        return [*sockets_, *self.pipe, *(x.pipe for x in self.others)]

    def close(self) -> None:
        """Close them if there is no use for them."""
        for fd in self.descriptors():
            os.close(fd)


class QuicSockets:
    """The sockets of all seats.

    If a new version takes over, its workers have sockets of the same ports, and must
    have other seats. So the old supervisor keeps the seats that it may need, and does
    not bind any from then on, and the new one takes others: one supervisor binds.
    """

    def __init__(
        self,
        pairs: list[tuple[socket.socket, int]],
        secret: bytes,
        lent: Lent | None = None,
    ) -> None:
        """Bind the first seat at the addresses of those of ``pairs`` that have TLS.

        With ``lent``, take the sockets of the predecessor, with its secret, without
        a change of who gets what. Raises BindError.
        """
        self._pairs = sockets.quic_pairs(pairs)
        self._secret = secret if lent is None else lent.secret
        self._pipe = _new_pipe() if lent is None else lent.pipe
        self.others = [] if lent is None else lent.others
        self._own: list[int] | None = None
        """Seats that this supervisor may use; None: all that others do not have."""
        self._successor = self._lent_end = -1
        """The pipe of the last process that was to take over; the writing end is only
        open while that is started.
        """
        self._steered: tuple[list[int], list[int]] | None = None
        self._seats: list[list[socket.socket]] = []
        if lent is not None:
            self._seats = _take_sockets(self._pairs, lent.ports)
            return
        _check_free(self._pairs)
        self._open(0)
        try:
            self.steer([0], [0])
        except OSError as error:
            self.close()
            why = f"{error.strerror}: its packets cannot be distributed"
            raise BindError(f"cannot listen on UDP: {why}") from None

    def _open(self, number: int) -> None:
        while len(self._seats) <= number:
            made = sockets.bind_quic(self._pairs, is_shared=True)
            self._seats.append([sock for sock, _ in made])

    def _foreign(self) -> set[int]:
        """Return the seats of processes of other supervisors."""
        return {seat for x in self.others if not x.have_ended() for seat in x.seats}

    def take(self, taken: set[int]) -> int:
        """Return the first seat that is not ``taken``; bind its sockets if needed.

        Raises BindError.
        """
        taken = taken | self._foreign()
        numbers = range(SEATS_MAX) if self._own is None else self._own
        number = next((x for x in numbers if x not in taken), None)
        if number is None:
            raise BindError("no UDP socket is left for it")
        self._open(number)
        return number

    def seat(self, number: int) -> QuicSeat:
        """Return what the worker in a seat gets; -1: without sockets."""
        return QuicSeat(
            number, self._secret, self._seats[number] if number >= 0 else []
        )

    def steer(self, opened: list[int], accepting: list[int]) -> None:
        """Make packets that name one of the seats ``opened`` go there.

        Others go to those that are ``accepting`` connections, one at least. Raises
        OSError.
        """
        opened = sorted(self._foreign().union(opened))
        if (opened, accepting) == self._steered:
            return
        for sock in self._seats[0]:
            _engine.steer_quic(sock.fileno(), self._secret, opened, accepting)
        self._steered = (opened, accepting)

    def forget(self) -> None:
        """Make the next ``steer`` set the program in any case, and drop the others
        that have ended.
        """
        self._steered = None
        for ended in [x for x in self.others if x.have_ended()]:
            self.others.remove(ended)
            os.close(ended.pipe)

    # A process that takes over

    def prepare_to_lend(self, taken: set[int], count: int) -> None:
        """Keep ``count`` seats, with those ``taken``, before a successor is started.

        Raises BindError.
        """
        if self._successor >= 0:
            if not _is_at_end(self._successor):
                raise BindError("processes of the last upgrade have not ended yet")
            os.close(self._successor)
            self._successor = -1
        if self._own is None:
            others = (x for x in range(SEATS_MAX) if x not in self._foreign() | taken)
            count = min(count, SEATS_MAX // 2)  # the rest is for the successor
            free = itertools.islice(others, max(0, count - len(taken)))
            own = sorted(taken.union(free))
            self._open(own[-1])
            self._own = own
        self._successor, self._lent_end = _new_pipe()

    def lend(self, environ: dict[str, str]) -> None:
        """In the process that takes over, add them to its environment."""
        assert self._own is not None
        memory = os.memfd_create("bolide", 0)
        os.write(memory, self._secret)
        os.lseek(memory, 0, os.SEEK_SET)
        ports = [[x.fileno() for x in port] for port in zip(*self._seats, strict=True)]
        others = [*self.others, Others(self._pipe[0], self._own)]
        lent = Lent(self._secret, ports, (self._successor, self._lent_end), others)
        for fd in lent.descriptors():
            os.set_inheritable(fd, True)
        environ[LENT] = json.dumps([memory, ports, lent.pipe, others])

    def has_lent(self) -> None:
        """Close what only the process that takes over has to have."""
        if self._lent_end >= 0:
            os.close(self._lent_end)
            self._lent_end = -1

    def leave(self, but: int) -> None:
        """In a worker, close those of all seats except its own; -1: it has none.

        It keeps the writing end of the pipe, which shows that it runs.
        """
        for number, made in enumerate(self._seats):
            if number != but:
                for sock in made:
                    sock.close()

    def close(self) -> None:
        """Close all of them in this process."""
        self.leave(-1)
        for fd in (*self._pipe, self._successor, *(x.pipe for x in self.others)):
            if fd >= 0:
                os.close(fd)


def _new_pipe() -> tuple[int, int]:
    """Return a pipe that is at its end when no process has its writing end."""
    ends = os.pipe()
    os.set_blocking(ends[0], False)
    return ends


def _is_at_end(pipe: int) -> bool:
    try:
        return os.read(pipe, 1) == b""
    except BlockingIOError:
        return False


def _check_free(pairs: list[tuple[socket.socket, int]]) -> None:
    """Raise BindError if a program has a port, even if it would share it."""
    for sock, _ in sockets.bind_quic(pairs):
        sock.close()


def _take_sockets(
    pairs: list[tuple[socket.socket, int]], ports: list[list[int]]
) -> list[list[socket.socket]]:
    """Return the sockets of a predecessor by seat; raise BindError.

    An address that it did not have gets as many as the others, so that all have the
    same numbers.
    """
    found = {}
    for port in ports:
        made = [socket.socket(fileno=fd) for fd in port]
        found[made[0].family, made[0].getsockname()] = made
    count = max((len(made) for made in found.values()), default=0)
    seats: list[list[socket.socket]] = [[] for _ in range(count)]
    for pair in pairs:
        made = found.pop((pair[0].family, pair[0].getsockname()), [])
        if not made:
            _check_free([pair])
        for number, seat in enumerate(seats):
            new = made[number : number + 1]
            seat += new or [x for x, _ in sockets.bind_quic([pair], is_shared=True)]
    for made in found.values():
        for sock in made:
            sock.close()
    return seats
