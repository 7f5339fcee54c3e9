"""A well-behaved client of HTTP/3.

usage: quic_witness.py PORT SECONDS RATE

Requests 4 KiB so many times a second over one connection. Prints the same lines as the
witness of HTTP/1.1: the time, the milliseconds of a response, and its status.
"""

import sys
import time

from quic_attacks import Quic

LINE = "{:.6f} {:.3f} {}"


def main(words):
    """Measure and print."""
    port, seconds, rate = int(words[0]), float(words[1]), float(words[2])
    lines = []
    with Quic(("127.0.0.1", port)) as quic:
        quic.until(lambda: quic.handshake is not None, "the handshake")
        end = time.monotonic() + seconds
        due = time.monotonic()
        while due < end:
            while (wait := due - time.monotonic()) > 0:
                quic.step(wait)
            began = time.monotonic()
            number = quic.ask("/")
            x = quic.stream(number)
            while not x.ended and quic.end is None and time.monotonic() < began + 10:
                quic.step(0.01)
            status = x.status if x.ended else "no response"
            ms = 1000 * (time.monotonic() - began)
            lines.append(LINE.format(began, ms, str(status).replace(" ", "_")))
            if quic.end is not None:
                break
            quic.streams.pop(number)
            due = max(due + 1 / rate, time.monotonic())
    print("\n".join(lines))


if __name__ == "__main__":
    main(sys.argv[1:])
