"""Runs clients of HTTP/3 against bolide in the cases of the QUIC interop runner.

usage: run.py [FOLDER] [--only CASE] [--client NAME]: FOLDER has the programs that
tests/interop/build.sh has built. Clients that are missing are left out. Prints a table;
exits with 1 if a case has failed.
"""

import argparse
import contextlib
import sys
import tempfile
import time
import traceback
from pathlib import Path

HERE = Path(__file__).parent
for name in ("interop", "http3", "asgi", "cli", "tls", "http2"):
    sys.path.insert(0, str(HERE.parent / name))

from app import app  # noqa: E402
from authority import Authority  # noqa: E402
from clients import UnsupportedError, find_clients  # noqa: E402
from relay import (  # noqa: E402
    BlackHole,
    Corruption,
    LongWay,
    Loss,
    Rebinding,
    Relay,
    Silence,
)
from serving import listen_at  # noqa: E402
from talking_h3 import Served  # noqa: E402

from bolide import _engine  # noqa: E402


class Server(Served):
    """Serves the application at an address within a block."""

    def __init__(self, host, pair, **settings):
        self.host = host
        # Clients may lose the packets that end a connection.
        settings = {"timeout_handshake": 60, "timeout_graceful_shutdown": 1, **settings}
        super().__init__(app, pair, **settings)

    def listen(self):
        """Return the socket to listen on."""
        return listen_at(self.host)

    def __exit__(self, kind, *rest):
        with contextlib.redirect_stdout(sys.stderr):
            super().__exit__(kind, *rest)
        assert kind is not None or not self.log.errors(), self.log.errors()


class Case:
    """What a client does, and what lies between it and the server."""

    def __init__(self, does, weather=None, times=1, host="127.0.0.1", **settings):
        self.does, self.weather, self.times = does, weather, times
        self.host, self.settings = host, settings


RETRY = {"h3_retry_from": 0}
EARLY = {"h3_early_data": True}

CASES = {
    "handshake": Case("handshake"),
    "IPv6": Case("handshake", host="::1"),
    "transfer": Case("transfer"),
    "multiplexing": Case("multiplexing"),
    "ChaCha20": Case("chacha20"),
    "version 2": Case("v2"),
    "Retry": Case("handshake", **RETRY),
    "resumption": Case("resumption"),
    "0-RTT": Case("zerortt", **EARLY),
    "key update": Case("keyupdate"),
    "handshakes, 30 % loss": Case("handshake", lambda: Loss(0.3), times=5),
    "handshakes, 30 % corruption": Case("handshake", lambda: Corruption(0.3), times=5),
    "transfer, 2 % loss": Case("transfer", lambda: Loss(0.02)),
    "transfer, 2 % corruption": Case("transfer", lambda: Corruption(0.02)),
    "round trip of 0.8 s": Case("handshake", LongWay),
    "2 s without a network": Case("transfer", BlackHole),
    "rebinding to other ports": Case("transfer", lambda: Rebinding(False)),
    "rebinding to other addresses": Case("transfer", lambda: Rebinding(True)),
    "migration": Case("migration"),
    "amplification limit": Case("handshake", Silence),
}


def run_case(case, client, server):
    """Run a case once; raise if something is not as expected."""
    if case.weather is None:
        client.run(case.does, server.place)
        return
    weather = case.weather()
    with Relay(server.place, weather) as relay:
        for _ in range(case.times):
            client.run(case.does, relay.place)
    if isinstance(weather, Silence):
        about = f"{weather.sent} bytes for {weather.received}"
        assert 2 * weather.received < weather.sent <= 3 * weather.received, about
    if isinstance(weather, Rebinding):
        assert weather.count > 0, "it was not moved"


def result_of(case, client, pair):
    """Return the text for the table, and whether it is a failure."""
    if case.does == "zerortt" and not _engine.EARLY_TICKETS_BYTES:
        return "-", "this build has no 0-RTT"
    start = time.monotonic()
    try:
        with Server(case.host, pair, **case.settings) as server:
            run_case(case, client, server)
    except UnsupportedError:
        return "-", "the client cannot do that"
    except Exception as error:  # the other cases still run
        traceback.print_exc()
        return "FAILED", f"{type(error).__name__}: {error}"
    return "ok", f"{time.monotonic() - start:.1f} s"


def make_pairs(folder):
    """Return a certificate, and one whose chain exceeds the amplification limit."""
    authority = Authority(folder, "Interop")
    small, large = (authority.issue("localhost", "DNS:localhost") for _ in range(2))
    above = Path(authority.cert).read_text()
    Path(large.cert).write_text(Path(large.cert).read_text() + above * 30)
    return small, large


def show(clients, results):
    """Print a table in Markdown."""
    names = [client.name for client in clients]
    print("| case | " + " | ".join(names) + " |")
    print("|---" * (len(names) + 1) + "|")
    for case in CASES:
        if case in results:
            cells = [results[case].get(name, "-") for name in names]
            print(f"| {case} | " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", default="build/interop", type=Path)
    parser.add_argument("--only", action="append")
    parser.add_argument("--client", action="append")
    args = parser.parse_args()
    clients, missing = find_clients(args.folder)
    for name, why in missing.items():
        print(f"interop: without {name}: {why}", file=sys.stderr)
    clients = [x for x in clients if not args.client or x.name in args.client]
    results, failures = {}, 0
    with tempfile.TemporaryDirectory() as folder:
        small, large = make_pairs(Path(folder))
        for name, case in CASES.items():
            if args.only and name not in args.only:
                continue
            pair = large if case.weather is Silence else small
            for client in clients:
                text, why = result_of(case, client, pair)
                print(f"{name}, {client.name}: {text} ({why})", file=sys.stderr)
                results.setdefault(name, {})[client.name] = text
                failures += text == "FAILED"
    show(clients, results)
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
