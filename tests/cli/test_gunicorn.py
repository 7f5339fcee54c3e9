"""``gunicorn -k bolide.gunicorn.BolideWorker``: its settings and signals are
respected.
"""

import os
import re
import signal
import ssl
import threading
import time

import pytest
from command import (
    DEADLINE_S,
    Command,
    connect,
    read_all,
    read_until,
    request,
    run,
    talk,
    wait_until_open,
)

MAIN = (
    "import sys; sys.path.insert(0, '.'); from gunicorn.app.wsgiapp import run; run()"
)
KEEP = "Connection: keep-alive\r\n"


class Gunicorn(Command):
    """Runs ``gunicorn`` with our worker class for an application of apps.py."""

    def __init__(self, target, *words, bind="127.0.0.1:0", env=()):
        words = ["-k", "bolide.gunicorn.BolideWorker", "--bind", bind, *words]
        super().__init__(*words, f"apps:{target}", code=MAIN, env=env)

    def port(self):
        line = self.err.line_with("Listening at: ")
        port = int(re.search(r":(\d+) \(", line).group(1))
        self.err.line_with("bolide serves on")
        return port

    def workers(self):
        """Return the pids of the workers that have started to serve."""
        self.err.count("")
        return [
            int(x)
            for x in re.findall(r"\[(\d+)\] \[INFO\] bolide serves", self.err.text)
        ]


def wait_for(condition):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_gunicorn_serves_and_stops_on_sigterm():
    with Gunicorn("lifespan") as gunicorn:
        gunicorn.port()
        gunicorn.err.line_with("lifespan.startup")
        gunicorn.signal(signal.SIGTERM)
        assert gunicorn.wait() == 0
        assert "lifespan.shutdown" in gunicorn.err.rest()


def test_running_requests_are_completed_on_sigterm():
    with Gunicorn("slow") as gunicorn, connect(gunicorn.port()) as peer:
        peer.sendall(request())
        gunicorn.err.line_with("begun")
        gunicorn.signal(signal.SIGTERM)
        assert read_all(peer).startswith(b"HTTP/1.1 200")
        assert gunicorn.wait() == 0


def test_the_graceful_timeout_is_respected():
    """The worker itself cancels running requests, before the arbiter kills it."""
    words = ["--graceful-timeout", "3", "--keep-alive", "1"]
    with Gunicorn("stuck", *words) as gunicorn, connect(gunicorn.port()) as peer:
        peer.sendall(request())
        gunicorn.err.line_with("begun")
        gunicorn.signal(signal.SIGTERM)
        gunicorn.err.line_with("cancelled")
        assert gunicorn.wait() == 0


def test_sigint_stops_at_once():
    with Gunicorn("stuck") as gunicorn, connect(gunicorn.port()) as peer:
        peer.sendall(request())
        gunicorn.err.line_with("begun")
        gunicorn.signal(signal.SIGINT)
        assert gunicorn.wait() == 0
        assert read_all(peer) == b""


def test_sighup_replaces_workers_and_loses_no_request():
    """A client with persistent connections gets a response to each request."""
    with Gunicorn("hello", "-w", "2", "--keep-alive", "1") as gunicorn:
        port = gunicorn.port()
        wait_for(lambda: len(gunicorn.workers()) == 2)
        over, failed, answered = threading.Event(), [], []

        def ask():
            while not over.is_set():
                try:
                    with connect(port) as peer:
                        while not over.is_set():
                            peer.sendall(request("/", KEEP))
                            answer = read_until(peer, b"hello")
                            answered.append(1)
                            if b"connection: close" in answer.lower():
                                break
                except (AssertionError, OSError) as error:
                    failed.append(error)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for generation in (2, 3):
            gunicorn.signal(signal.SIGHUP)
            wait_for(lambda n=generation: len(gunicorn.workers()) == 2 * n)
        over.set()
        for thread in threads:
            thread.join(DEADLINE_S)
        assert failed == []
        assert len(answered) > 20
        assert len(set(gunicorn.workers())) == 6


def test_a_worker_that_blocks_is_replaced():
    with Gunicorn("blocking", "--timeout", "1") as gunicorn:
        port = gunicorn.port()
        with connect(port) as peer:
            peer.sendall(request())
            gunicorn.err.line_with("WORKER TIMEOUT")
        wait_for(lambda: len(gunicorn.workers()) == 2)


def test_an_idle_worker_is_not_replaced():
    """The heartbeat is sent by the loop."""
    with Gunicorn("slow", "--timeout", "1") as gunicorn:
        port = gunicorn.port()
        time.sleep(2.5)
        assert talk(port, request()).startswith(b"HTTP/1.1 200")
        assert "WORKER TIMEOUT" not in gunicorn.err.text
        assert len(gunicorn.workers()) == 1


def test_max_requests_is_respected():
    words = ["--max-requests", "3", "--max-requests-jitter", "1"]
    with Gunicorn("hello", *words) as gunicorn:
        port = gunicorn.port()
        for _ in range(8):
            assert talk(port, request()).endswith(b"hello")
        gunicorn.err.line_with("the limit of requests is reached")
        wait_for(lambda: len(gunicorn.workers()) >= 2)


def test_a_unix_socket_is_served(tmp_path):
    path = tmp_path / "socket"
    with Gunicorn("hello", bind=f"unix:{path}") as gunicorn:
        gunicorn.err.line_with("bolide serves on")
        wait_until_open(path)
        assert talk(path, request()).endswith(b"hello")


def test_the_access_log_can_be_a_file(tmp_path):
    path = tmp_path / "access.log"
    with Gunicorn("hello", "--access-logfile", str(path)) as gunicorn:
        port = gunicorn.port()
        assert talk(port, request("/first")).endswith(b"hello")
        wait_for(lambda: "GET /first HTTP/1.1" in path.read_text())
        moved = tmp_path / "access.log.1"
        os.rename(path, moved)
        gunicorn.signal(signal.SIGUSR1)
        wait_for(path.exists)

        def is_logged():
            talk(port, request("/second"))
            return "GET /second HTTP/1.1" in path.read_text()

        wait_for(is_logged)
        assert "/first" in moved.read_text()


def test_without_an_access_log_nothing_is_logged():
    with Gunicorn("hello") as gunicorn:
        assert talk(gunicorn.port(), request()).endswith(b"hello")
        gunicorn.stop()
        assert gunicorn.out.rest() == ""


def test_certificates(tmp_path):
    import subprocess

    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    more = ["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert]
    subprocess.run(
        [*words.split(), "-subj", "/CN=localhost", *more],
        check=True,
        capture_output=True,
    )
    with Gunicorn("hello", "--certfile", cert, "--keyfile", key) as gunicorn:
        context = ssl.create_default_context(cafile=cert)
        with context.wrap_socket(
            connect(gunicorn.port()), server_hostname="localhost"
        ) as sock:
            sock.sendall(request())
            assert read_all(sock).endswith(b"hello")


def test_the_application_can_be_preloaded():
    with Gunicorn("hello", "--preload", "-w", "2") as gunicorn:
        assert talk(gunicorn.port(), request()).endswith(b"hello")


def test_a_startup_that_fails_ends_gunicorn():
    words = ["-k", "bolide.gunicorn.BolideWorker", "--bind", "127.0.0.1:0"]
    env = {"SAYS": "startup.failed"}
    code, _, err = run(*words, "apps:lifespan", code=MAIN, env=env)
    assert code == 3
    assert "the application's startup failed" in err
    assert "Worker failed to boot" in err


def test_settings_of_a_subclass_are_used():
    """CONFIG_KWARGS, as for uvicorn's worker."""
    main = (
        "import sys; sys.path.insert(0, '.')\n"
        "import types, bolide.gunicorn\n"
        "class Own(bolide.gunicorn.BolideWorker):\n"
        "    CONFIG_KWARGS = {'root_path': '/api', 'loop': 'asyncio'}\n"
        "module = types.ModuleType('own'); module.Own = Own\n"
        "sys.modules['own'] = module\n"
        "from gunicorn.app.wsgiapp import run; run()"
    )
    words = ["-k", "own.Own", "--bind", "127.0.0.1:0", "apps:echo"]
    with Command(*words, code=main) as gunicorn:
        line = gunicorn.err.line_with("Listening at: ")
        gunicorn.err.line_with("bolide serves on")
        port = int(re.search(r":(\d+) \(", line).group(1))
        assert talk(port, request("/x")).endswith(b"GET /api /api/x ")


@pytest.mark.parametrize("sends", [signal.SIGTERM, signal.SIGKILL])
def test_workers_do_not_outlive_the_arbiter(sends):
    with Gunicorn("hello") as gunicorn:
        gunicorn.port()
        (worker,) = gunicorn.workers()
        gunicorn.signal(sends)
        gunicorn.wait()

        def is_gone():
            try:
                os.kill(worker, 0)
            except ProcessLookupError:
                return True
            with open(f"/proc/{worker}/stat") as file:
                return file.read().split()[2] == "Z"

        wait_for(is_gone)
