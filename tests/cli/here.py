"""A server in a thread of this process, for tests that start many servers."""

import asyncio
import importlib
import socket
import threading

from command import DEADLINE_S

import bolide


class Lines:
    """Collects what a server logs."""

    def __init__(self):
        self.news = threading.Condition()
        self.lines = []

    def line(self, level, text):
        with self.news:
            self.lines.append((level, text))
            self.news.notify_all()

    def exception(self, text, error):
        self.line(40, f"{text}: {error!r}")

    def find(self, wanted):
        return next((x for x in self.lines if wanted in x[1]), None)

    def line_with(self, wanted):
        """Wait for a line that contains ``wanted``; return its level and text."""
        with self.news:
            found = self.news.wait_for(lambda: self.find(wanted), DEADLINE_S)
            assert found, f"no line with {wanted!r}, but: {self.lines}"
            return found


class Here:
    """Runs a ``bolide.Server`` for ``app`` on a free port within its block."""

    def __init__(self, app, loop="asyncio", **settings):
        self.loop = loop
        config = bolide.Config(app, access_log=False, lifespan="off", **settings)
        self.server = bolide.Server(config)
        self.server.log = self.log = Lines()
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, args=[listener], daemon=True)
        self.thread.start()

    def run(self, listener):
        factory = None
        if self.loop == "uvloop":
            factory = importlib.import_module("uvloop").new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(self.server.serve([listener]))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.should_exit = True
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive(), "the server does not stop"
