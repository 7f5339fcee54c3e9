"""The clients of run.py. Each runs a case: it raises an exception if something is not
as expected, and UnsupportedError if it cannot do that.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from aioquic.quic.packet import QuicProtocolVersion
from aioquic.tls import CipherSuite
from app import pattern
from talking_h3 import Quic

LARGE = 3_000_000
LIMIT_S = 30 * int(os.environ.get("PATIENCE", "1"))
UNSUPPORTED = 77


class UnsupportedError(Exception):
    """The client cannot run a case."""


class Aioquic:
    """aioquic, in this process."""

    name = "aioquic"

    def version(self):
        """Return its version."""
        import aioquic

        return aioquic.__version__

    def run(self, case, place):
        """Run a case."""
        method = getattr(self, case, None)
        if method is None:
            raise UnsupportedError
        method(place)

    def check(self, quic, n):
        """Get ``n`` bytes."""
        x = quic.get(f"/bytes/{n}")
        assert x.fields is not None, quic.end
        assert x.status == 200, x.status
        assert x.body == pattern(n), f"{len(x.body)} bytes of {n}"

    def handshake(self, place, **settings):
        """One request."""
        with Quic(place, **settings) as quic:
            self.check(quic, 100)

    def v2(self, place):
        """The same with version 2."""
        version = QuicProtocolVersion.VERSION_2
        self.handshake(place, supported_versions=[version], original_version=version)

    def chacha20(self, place):
        """The same with another cipher."""
        self.handshake(place, cipher_suites=[CipherSuite.CHACHA20_POLY1305_SHA256])

    def transfer(self, place):
        """Large bodies in both directions."""
        with Quic(place) as quic:
            self.large(quic)

    def large(self, quic):
        """Large bodies in both directions, for a client in Python."""
        self.check(quic, LARGE // 6)
        sent = pattern(LARGE // 18)
        assert quic.post(sent, "/echo").body == sent

    def multiplexing(self, place):
        """More requests than may be open at once."""
        with Quic(place) as quic:
            numbers = [quic.ask(f"/bytes/{1000 + i}") for i in range(200)]
            for i, number in enumerate(numbers):
                assert quic.finish(number).body == pattern(1000 + i)

    def again(self, place, path):
        """Use a ticket of a first connection; return the second one's response."""
        with Quic(place) as quic:
            self.check(quic, 100)
            quic.until(lambda: quic.tickets, "a ticket")
        with Quic(place, session_ticket=quic.tickets[-1]) as quic:
            x = quic.get(path)
            quic.until(lambda: quic.handshake, "the handshake")
            assert quic.handshake.session_resumed
            return x.body, quic.handshake.early_data_accepted

    def resumption(self, place):
        """A session that is resumed."""
        self.again(place, "/bytes/100")

    def zerortt(self, place):
        """A request in early data."""
        body, is_accepted = self.again(place, "/early")
        assert is_accepted
        assert body == b"1"

    def keyupdate(self, place):
        """New keys, three times."""
        with Quic(place) as quic:
            for _ in range(3):
                self.check(quic, 10_000)
                quic.quic.request_key_update()
            self.large(quic)

    def migration(self, place):
        """The client continues from other ports."""
        with Quic(place) as quic:
            for _ in range(5):
                self.check(quic, 100_000)
                old, quic.socket = quic.socket, quic.new_socket()
                old.close()
            self.check(quic, 100_000)


class Program:
    """A client that is a program; ``command`` may begin with others, like chroot."""

    def __init__(self, name, command):
        self.name, self.command = name, command

    def version(self):
        """Return its version."""
        return ""

    def call(self, *words):
        """Run the program; return its standard output."""
        done = subprocess.run(
            [*self.command, *map(str, words)],
            capture_output=True,
            timeout=LIMIT_S,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode == UNSUPPORTED:
            raise UnsupportedError
        text = done.stderr.decode(errors="replace").strip()[-300:]
        assert done.returncode == 0, f"exit code {done.returncode}: {text}"
        return done.stdout

    def run(self, case, place):
        """Run a case."""
        self.call(case, place[1], place[0])


class Curl(Program):
    """curl with HTTP/3."""

    def version(self):
        """Return its version."""
        return self.call("--version").split()[1].decode()

    def run(self, case, place):
        """Run a case."""
        host = f"[{place[0]}]" if ":" in place[0] else place[0]
        base = f"https://localhost:{place[1]}"
        words = ["-sSk", "--http3-only", "--max-time", LIMIT_S]
        words += ["--resolve", f"localhost:{place[1]}:{host}"]
        if case in ("handshake", "transfer"):
            n = LARGE if case == "transfer" else 100
            assert self.call(*words, f"{base}/bytes/{n}") == pattern(n)
        elif case == "multiplexing":
            urls = f"{base}/bytes/[1000-1199]"
            got = self.call(*words, "--parallel", "--parallel-max", 100, urls)
            assert len(got) == sum(range(1000, 1200))
        elif case == "chacha20":
            words += ["--tls13-ciphers", "TLS_CHACHA20_POLY1305_SHA256"]
            assert self.call(*words, f"{base}/bytes/100") == pattern(100)
        else:
            raise UnsupportedError


class Gtlsclient(Program):
    """The client of ngtcp2, with GnuTLS."""

    def run(self, case, place):
        """Run a case."""
        method = getattr(self, case, None)
        if method is None:
            raise UnsupportedError
        with tempfile.TemporaryDirectory() as folder:
            method(place, Path(folder))

    def get(self, place, folder, n, *words):
        """Get ``n`` bytes; return what the client has printed."""
        body, text = self.ask(place, folder, f"/bytes/{n}", *words)
        assert body == pattern(n), f"{len(body)} bytes of {n}"
        return text

    def ask(self, place, folder, path, *words):
        """Send a request; return its response, and what the client has printed."""
        url = f"https://localhost:{place[1]}{path}"
        words = ["--exit-on-all-streams-close", "--sni=localhost", *words]
        words += ["--no-quic-dump", "--no-http-dump", f"--download={folder}"]
        done = subprocess.run(
            [*self.command, *map(str, words), place[0], str(place[1]), url],
            capture_output=True,
            timeout=LIMIT_S,
            stdin=subprocess.DEVNULL,
        )
        file = folder / path.rpartition("/")[2]
        text = (done.stdout + done.stderr).decode(errors="replace")
        assert done.returncode == 0, f"exit code {done.returncode}: {text[-300:]}"
        assert file.exists(), f"no response: {text[-300:]}"
        body = file.read_bytes()
        file.unlink()
        return body, text

    def handshake(self, place, folder):
        """One request."""
        self.get(place, folder, 100)

    def v2(self, place, folder):
        """The same with version 2."""
        self.get(place, folder, 100, "--version=0x6b3343cf")

    def chacha20(self, place, folder):
        """The same with another cipher."""
        ciphers = "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+CHACHA20-POLY1305"
        self.get(place, folder, 100, f"--ciphers={ciphers}")

    def transfer(self, place, folder):
        """A large response."""
        self.get(place, folder, LARGE)

    def keyupdate(self, place, folder):
        """New keys within a response."""
        text = self.get(place, folder, 10 * LARGE, "--key-update=20ms")
        assert "Initiate key update" in text, text[-300:]

    def migration(self, place, folder):
        """The client continues from another port within a response."""
        text = self.get(place, folder, 10 * LARGE, "--change-local-addr=20ms")
        assert "Changing local address" in text, text[-300:]

    def zerortt(self, place, folder):
        """A request in early data."""
        files = [f"--session-file={folder}/session", f"--tp-file={folder}/tp"]
        self.get(place, folder, 100, *files, "--wait-for-ticket")
        body, _ = self.ask(place, folder, "/early", *files)
        assert body == b"1", body


def find_clients(built):
    """Return the clients that are here, and why others are missing.

    ``built`` is the folder of programs that were built for this.
    """
    found, missing = [Aioquic()], {}
    curl = os.environ.get("INTEROP_CURL", "curl").split()
    text = b""
    if shutil.which(curl[0]):
        text = subprocess.run([*curl, "--version"], capture_output=True).stdout
    if b"HTTP3" in text:
        found.append(Curl("curl", curl))
    else:
        missing["curl"] = "no curl with HTTP/3 (INTEROP_CURL names another one)"
    if program := shutil.which("gtlsclient"):
        found.append(Gtlsclient("ngtcp2", [program]))
    else:
        missing["ngtcp2"] = "no gtlsclient (Debian: ngtcp2-client)"
    for name, tool in (("quic-go", "go"), ("quinn", "cargo")):
        if (program := built / name).exists():
            found.append(Program(name, [str(program)]))
        else:
            missing[name] = f"it was not built (that needs {tool})"
    return found, missing
