"""Early data (0-RTT): what runs before the handshake is complete, and what is rejected
(src/http3/early.c, src/quic/session_ticket.c, src/quic/early_tickets.c,
src/py/early.c).
"""

import json
import signal
import socket

import pytest
from aioquic.quic.packet import QuicProtocolVersion
from command import Command
from crews import wait_for
from serving import answer, read_body, settled
from talking_h3 import Quic, Served, get

from bolide import Config, ConfigError, _engine

HAS_EARLY_DATA = _engine.EARLY_TICKETS_BYTES > 0
needs_early_data = pytest.mark.skipif(
    not HAS_EARLY_DATA, reason=f"OpenSSL {_engine.libraries()['OpenSSL']} has no 0-RTT"
)


class App:
    """Answers with what it was called with, and keeps it."""

    def __init__(self):
        self.calls = []

    async def __call__(self, scope, receive, send):
        fields = [v.decode() for k, v in scope["headers"] if k == b"early-data"]
        call = [scope["method"], scope["path"], fields]
        self.calls.append(call)
        body = await read_body(receive)
        await answer(send, json.dumps([*call, body.decode()]).encode())

    def paths(self):
        """Return the paths of all calls."""
        return [path for _, path, _ in self.calls]


def ticket_of(place, **settings):
    """Return a ticket of a connection that has ended."""
    with Quic(place, **settings) as quic:
        assert quic.get("/first").status == 200
        quic.until(lambda: quic.tickets)
        return quic.tickets[-1]


def answer_of(x):
    """Return what the application has answered with."""
    assert x.status == 200
    return json.loads(bytes(x.body))


@pytest.fixture
def app():
    return App()


@pytest.fixture
def served(app, localhost):
    with Served(app, localhost, h3_early_data=True) as served:
        yield served


@needs_early_data
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_safe_request_is_answered_before_the_handshake_is_complete(
    app, served, method
):
    """Nothing that the client sends after its first flight arrives."""
    ticket = ticket_of(served.place)
    with Quic(served.place, session_ticket=ticket) as quic:
        number = quic.ask("/early", method)
        quic.drop = lambda is_sent, n: is_sent
        assert quic.finish(number).status == 200
        assert app.calls[-1] == [method, "/early", ["1"]]
        assert quic.handshake.early_data_accepted


@needs_early_data
def test_requests_after_the_handshake_are_not_marked(app, served):
    ticket = ticket_of(served.place)
    with Quic(served.place, session_ticket=ticket) as quic:
        assert answer_of(quic.get("/early"))[2] == ["1"]
        assert quic.handshake.early_data_accepted
        assert answer_of(quic.get("/late"))[2] == []
    assert app.paths() == ["/first", "/early", "/late"]


@needs_early_data
def test_requests_in_early_data_are_counted(served):
    """A request that waits for the handshake does not run as early data."""
    ticket = ticket_of(served.place)
    with Quic(served.place, session_ticket=ticket) as quic:
        post = quic.ask("/waits", "POST")
        numbers = [quic.ask("/a"), quic.ask("/b")]
        for number in numbers:
            assert answer_of(quic.finish(number))[2] == ["1"]
        assert answer_of(quic.finish(post))[2] == []
        assert answer_of(quic.get("/late"))[2] == []
        settled(served, early_requests=2, early_rejected=0)


@needs_early_data
def test_early_data_that_is_rejected_is_counted(served):
    """Once for each connection, however many requests it has."""
    ticket = ticket_of(served.place)
    for rejected in (0, 1, 2):
        with Quic(served.place, session_ticket=ticket) as quic:
            numbers = [quic.ask("/a"), quic.ask("/b")]
            for number in numbers:
                assert quic.finish(number).status == 200
            settled(served, early_requests=2, early_rejected=rejected)


@needs_early_data
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("body", [b"", b"a body"])
def test_any_other_request_waits_for_the_handshake(app, served, method, body):
    ticket = ticket_of(served.place)
    with Quic(served.place, session_ticket=ticket) as quic:
        number = quic.ask("/waits", method, ends=not body)
        if body:
            quic.h3.send_data(number, body, True)
        safe = quic.ask("/safe")
        quic.drop = lambda is_sent, n: is_sent
        assert answer_of(quic.finish(safe))[2] == ["1"]
        assert app.paths() == ["/first", "/safe"]
        quic.drop = None
        expected = [method, "/waits", [], body.decode()]
        assert answer_of(quic.finish(number)) == expected
        assert quic.handshake.early_data_accepted


@needs_early_data
def test_a_body_that_ends_after_the_handshake_is_complete(app, served):
    ticket = ticket_of(served.place)
    with Quic(served.place, session_ticket=ticket) as quic:
        number = quic.ask("/waits", "POST", ends=False)
        quic.h3.send_data(number, b"early,", False)
        quic.until(lambda: quic.handshake is not None)
        quic.h3.send_data(number, b"late", True)
        got = answer_of(quic.finish(number))
        assert got == ["POST", "/waits", [], "early,late"]


@needs_early_data
def test_a_request_that_is_reset_while_it_waits_does_not_run(app, served):
    ticket = ticket_of(served.place)
    with Quic(served.place, session_ticket=ticket) as quic:
        number = quic.ask("/reset", "POST", ends=False)
        quic.h3.send_data(number, b"early", False)
        quic.flush()
        quic.quic.reset_stream(number, 0x10C)
        quic.flush()
        assert answer_of(quic.get("/safe"))[1] == "/safe"
        quic.until(lambda: quic.handshake is not None)
        assert answer_of(quic.get("/late"))[1] == "/late"
    assert "/reset" not in app.paths()


@needs_early_data
def test_a_proxy_may_have_marked_the_request_itself(app, served):
    ticket = ticket_of(served.place)
    with Quic(served.place, session_ticket=ticket) as quic:
        assert answer_of(quic.get("/a", fields=[(b"early-data", b"1")]))[2] == ["1"]
        assert answer_of(quic.get("/b", fields=[(b"early-data", b"1")]))[2] == ["1"]


@needs_early_data
def test_a_ticket_is_accepted_once(app, served):
    ticket = ticket_of(served.place)
    for expected in (["1"], [], []):
        with Quic(served.place, session_ticket=ticket) as quic:
            assert answer_of(quic.get("/again"))[2] == expected
            assert quic.handshake.early_data_accepted == bool(expected)
            assert quic.handshake.session_resumed


@needs_early_data
def test_packets_that_are_sent_again_run_nothing(app, served):
    """An attacker who has recorded the first flight sends it from another port."""
    ticket = ticket_of(served.place)
    flight = []
    with Quic(served.place, session_ticket=ticket) as quic:
        quic.socket = Recorder(quic.socket, flight)
        number = quic.ask("/early")
        recorded = list(flight)
        assert quic.finish(number).status == 200
        quic.socket = quic.socket.socket
    wait_for(lambda: not served.server.server_state.connections, "the first one lives")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.connect(served.place)
        for data in recorded:
            sock.send(data)
        assert sock.recv(65536)[0] & 0x80, "a handshake begins"
    assert get(served.place, "/last").status == 200
    assert app.paths() == ["/first", "/early", "/last"]


class Recorder:
    """A socket whose datagrams are kept as well as sent."""

    def __init__(self, sock, sent):
        self.socket, self.sent = sock, sent

    def send(self, data):
        self.sent.append(data)
        return self.socket.send(data)

    def __getattr__(self, name):
        return getattr(self.socket, name)


@needs_early_data
@pytest.mark.parametrize("is_same_key", [True, False])
def test_the_next_process_rejects_early_data(app, localhost, tmp_path, is_same_key):
    """It answers after the handshake, which resumes the session if it has the key."""
    keys = [tmp_path / "a", tmp_path / ("a" if is_same_key else "b")]
    for path in keys:
        path.write_bytes(path.name.encode() * 80)
        path.chmod(0o600)
    settings = {"h3_early_data": True}
    with Served(app, localhost, ssl_ticket_key=str(keys[0]), **settings) as served:
        ticket = ticket_of(served.place)
    with (
        Served(app, localhost, ssl_ticket_key=str(keys[1]), **settings) as served,
        Quic(served.place, session_ticket=ticket) as quic,
    ):
        post = quic.ask("/post", "POST", ends=False)
        quic.h3.send_data(post, b"body", True)
        assert answer_of(quic.get("/again")) == ["GET", "/again", [], ""]
        assert answer_of(quic.finish(post)) == ["POST", "/post", [], "body"]
        assert not quic.handshake.early_data_accepted
        assert quic.handshake.session_resumed == is_same_key


@pytest.mark.parametrize("settings", [{}, {"h3_early_data": HAS_EARLY_DATA}])
def test_a_ticket_belongs_to_its_version_of_quic(app, localhost, settings):
    """RFC 9369 5."""
    version = QuicProtocolVersion.VERSION_2
    second = {"supported_versions": [version], "original_version": version}
    with Served(app, localhost, **settings) as served:
        for first, other in (({}, second), (second, {})):
            ticket = ticket_of(served.place, **first)
            with Quic(served.place, session_ticket=ticket, **other) as quic:
                assert answer_of(quic.get("/other"))[2] == []
                assert not quic.handshake.session_resumed


@needs_early_data
def test_any_worker_accepts_a_ticket_once(localhost):
    """The register of tickets is shared."""
    words = [
        "--bind",
        "127.0.0.1:0",
        "--workers",
        "2",
        "--http3",
        "--h3-early-data",
        *localhost.words(),
    ]
    with Command("apps:pid", *words) as command:
        place = ("127.0.0.1", command.port())
        for _ in range(8):
            ticket = ticket_of(place)
            accepted = []
            for _ in range(3):
                with Quic(place, session_ticket=ticket) as quic:
                    assert quic.get("/").status == 200
                    accepted.append(quic.handshake.early_data_accepted)
            assert accepted == [True, False, False]


CHANGES = {
    "nothing": ("", True),
    "a window": ("h3_connection_window = 131072", False),
    "the size of heads": ("limit_head = 8000", False),
}


@needs_early_data
@pytest.mark.parametrize("change", CHANGES)
def test_a_reload_that_changes_what_clients_remember(localhost, tmp_path, change):
    """Clients may rely on the limits of the connection that has issued the ticket."""
    line, is_accepted = CHANGES[change]
    key, path = tmp_path / "key", tmp_path / "settings.toml"
    key.write_bytes(b"k" * 80)
    key.chmod(0o600)
    base = f'workers = 1\nssl_ticket_key = "{key}"\n'
    path.write_text(base)
    words = ["--bind", "127.0.0.1:0", "--http3", "--h3-early-data", *localhost.words()]
    with Command("apps:pid", *words, "--config", str(path)) as command:
        place = ("127.0.0.1", command.port())
        ticket = ticket_of(place)
        path.write_text(base + line + "\n")
        command.signal(signal.SIGHUP)
        command.err.line_with("new workers are serving")
        with Quic(place, session_ticket=ticket) as quic:
            assert quic.get("/").status == 200
            assert quic.handshake.session_resumed
            assert quic.handshake.early_data_accepted == is_accepted


def test_it_is_off_by_default(app, localhost):
    with Served(app, localhost) as served:
        ticket = ticket_of(served.place)
        assert ticket.max_early_data_size is None
        with Quic(served.place, session_ticket=ticket) as quic:
            assert answer_of(quic.get("/again"))[2] == []
            assert quic.handshake.session_resumed


def test_a_problem_is_reported_at_the_start(localhost):
    settings = {"http3": True, "h3_early_data": True, **localhost.settings()}
    if HAS_EARLY_DATA:
        settings["ssl_session_timeout"] = 0
    text = "session tickets" if HAS_EARLY_DATA else "OpenSSL 3.5 or newer"
    with pytest.raises(ConfigError, match=f"h3_early_data needs {text}"):
        Config("apps:pid", **settings)
