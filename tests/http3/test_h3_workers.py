"""HTTP/3 with several workers on one UDP port (src/quic/steering.c, src/py/steering.c,
bolide/serving/quic_sockets.py, bolide/processes/quic_seats.py).
"""

import collections
import os
import re
import signal
import threading
import time

import pytest
from command import HERE, Command
from crews import children, is_alive, pids, wait_for
from quic_crews import Client, crew, place_of, who
from serving import DEADLINE_S, answer, listen_at

from bolide import Config, _engine
from bolide.errors import BindError, ConfigError
from bolide.serving.quic_sockets import SEATS_MAX, QuicSockets

pytestmark = pytest.mark.skipif(
    not _engine.can_steer_quic(), reason="the kernel cannot distribute packets"
)


MOVES = 50
NO_ERROR = 0x100


class Users:
    """Clients that send requests one after the other, within a block.

    A client opens another connection when the server asks for that, and only then;
    unless ``stays``, for each request.
    """

    def __init__(self, place, count=3, moves=False, stays=True):
        self.place, self.moves, self.stays = place, moves, stays
        self.failures = []
        self.answers = collections.Counter()
        self.connections = 0
        self.stops = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(count)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stops.set()
        for thread in self.threads:
            thread.join(2 * DEADLINE_S)

    def run(self):
        try:
            while not self.stops.is_set():
                with Client(self.place) as client:
                    self.connections += 1
                    self.use(client)
        except BaseException as error:
            self.failures.append(repr(error))

    def use(self, client):
        while not self.stops.is_set() and not client.is_leaving:
            if self.moves:
                client.move()
            x = client.get()
            if x.reset is not None or x.fields is None or x.status != 200:
                self.failures.append((x.reset, x.fields, client.end))
                return
            self.answers[int(x.body)] += 1
            if not self.stays:
                return
            client.step(0.005)
            if client.end is not None and not client.is_leaving:
                self.failures.append(("ended", client.end))
                return

    def wait_for(self, count):
        """Wait until so many more requests were answered."""
        wanted = self.answers.total() + count
        wait_for(lambda: self.failures or self.answers.total() >= wanted, "no requests")
        assert not self.failures


def reload(command, number, pid=None):
    """Make a rolling reload, the one with that number, and wait for its end."""
    os.kill(pid or command.process.pid, signal.SIGHUP)
    wait_for_lines(command, "new workers are serving", number)


def wait_for_lines(command, text, number):
    """Wait until so many lines contain ``text``."""
    wait_for(lambda: command.err.count(text) >= number, f"no line with {text}")


def wait_for_end(pid):
    wait_for(lambda: not is_alive(pid), f"{pid} does not end")


def test_every_worker_serves(localhost):
    with crew(localhost) as command:
        place, seen = place_of(command), set()
        wait_for(lambda: seen.add(who(place)) or seen == pids(command), "some idle")


def test_a_client_that_moves_keeps_its_worker(localhost):
    """The client changes its port, as if a NAT had dropped its mapping."""
    with crew(localhost) as command, Client(place_of(command)) as client:
        first = client.ask_who()
        for _ in range(MOVES):
            client.move()
            assert client.ask_who() == first
        assert client.end is None


@pytest.mark.parametrize("stays", [True, False])
@pytest.mark.parametrize("words", [(), ("--h3-retry-from", "0")])
def test_a_reload_loses_no_request(localhost, stays, words):
    """Neither of a connection that exists, nor of one that begins meanwhile."""
    with crew(localhost, *words) as command:
        place = place_of(command)
        before = pids(command)
        with Users(place, stays=stays) as users:
            users.wait_for(50)
            for number in (1, 2):
                reload(command, number)
            wait_for(lambda: not before & pids(command), "old workers stay")
            users.wait_for(50)
        assert users.failures == []
        assert pids(command) & set(users.answers)
        assert before & set(users.answers)


def test_a_client_that_moves_keeps_its_draining_worker(localhost, tmp_path):
    """A request runs through a reload, while its client moves all the time."""
    go = tmp_path / "go"
    with (
        crew(localhost, target="pid_after", count=2) as command,
        Client(place_of(command)) as client,
    ):
        number = client.ask(f"/?{go}")
        client.until(lambda: command.err.count("begun"), "the request")
        before = pids(command)
        command.signal(signal.SIGHUP)
        wait_for(
            lambda: client.step() or command.err.count("workers are serving"),
            "no reload",
        )
        for _ in range(MOVES):
            client.move_and_wait()
        go.touch()
        assert int(client.finish(number).body) in before
        assert client.end is None or client.end.error_code == NO_ERROR


def test_workers_that_have_served_enough_are_replaced(localhost):
    with crew(localhost, "--limit-max-requests", "100", count=2) as command:
        before = pids(command)
        with Users(place_of(command), count=2) as users:
            wait_for(
                lambda: users.failures or not before & pids(command), "none is replaced"
            )
            users.wait_for(30)
        assert users.failures == []


def test_moving_clients_survive_a_reload(localhost):
    with crew(localhost, count=2) as command:
        with Users(place_of(command), count=2, moves=True) as users:
            users.wait_for(30)
            reload(command, 1)
            users.wait_for(30)
        assert users.failures == []


def test_a_token_is_good_for_every_worker(localhost):
    """Retry and NEW_TOKEN: a client proves its address once, also over a reload."""
    with crew(localhost, "--h3-retry-from", "0") as command:
        place = place_of(command)
        with Client(place) as client:
            seen = {client.ask_who()}
            assert client.quic._retry_count == 1
            client.until(lambda: client.tokens)
        reload(command, 1)

        def ask_again():
            with Client(place, token=client.tokens[0]) as again:
                seen.add(again.ask_who())
                assert again.quic._retry_count == 0
            return len(seen) > 3

        wait_for(ask_again, "one worker serves all")


def answer_to(client):
    """Return a datagram that the client gets when it has sent a packet, or none."""
    client.ask(fields=[(b"x-long", bytes(100).hex().encode())])
    client.socket.settimeout(1)
    try:
        return client.socket.recv(65536)
    except TimeoutError:
        return b""


@pytest.mark.parametrize("moves", [False, True])
def test_a_connection_of_a_dead_worker_is_reset(localhost, moves):
    """By another worker, with the token that the client knows."""
    with crew(localhost, count=2) as command, Client(place_of(command)) as client:
        worker = client.ask_who()
        client.step(0.2)
        tokens = [client.quic._peer_cid, *client.quic._peer_cid_available]
        tokens = {x.stateless_reset_token for x in tokens}
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda: worker not in pids(command), "it stays")
        if moves:
            client.move()
        wait_for(lambda: answer_to(client)[-16:] in tokens, "no reset")
        assert who(client.place) != worker


def test_a_dead_worker_gets_no_new_clients(localhost):
    with crew(localhost, count=2) as command:
        place = place_of(command)
        for _ in range(3):
            worker = who(place)
            os.kill(worker, signal.SIGKILL)
            assert who(place)
        assert "cannot" not in command.err.text


def test_requests_of_all_workers_are_counted(localhost):
    with crew(localhost, "--metrics-path", "/metrics") as command:
        place = place_of(command)
        seen = {who(place) for _ in range(20)}
        assert len(seen) > 1
        with Client(place) as client:
            text = client.get("/metrics").body.decode()
        found = re.findall(r"^bolide_requests_total\{.*http3.*\} (\d+)", text, re.M)
        total = re.findall(r"^bolide_requests_total.* (\d+)", text, re.M)
        assert sum(map(int, found or total)) >= 20, text


def test_workers_can_come_and_go(localhost):
    with crew(localhost, count=1) as command:
        place = place_of(command)
        with Users(place, count=2) as users:
            users.wait_for(20)
            command.signal(signal.SIGTTIN)
            wait_for(lambda: len(pids(command)) == 2, "there is one")
            wait_for(lambda: len(set(users.answers) | {who(place)}) > 1, "one serves")
            command.signal(signal.SIGTTOU)
            wait_for(lambda: len(pids(command)) == 1, "there are two")
            users.wait_for(20)
        assert users.failures == []


def test_preloaded_workers_share_the_port(localhost):
    with crew(localhost, "--preload", count=2) as command:
        place, seen = place_of(command), set()
        wait_for(lambda: seen.add(who(place)) or len(seen) == 2, "some idle")
        reload(command, 1)
        wait_for(lambda: seen.add(who(place)) or len(seen) == 4, "some idle")


def test_a_stop_ends_connections_of_all_workers(localhost):
    with crew(localhost) as command:
        place = place_of(command)
        clients = [Client(place) for _ in range(8)]
        assert len({x.ask_who() for x in clients}) > 1
        command.signal(signal.SIGTERM)
        due = time.monotonic() + DEADLINE_S
        while any(x.end is None for x in clients) and time.monotonic() < due:
            for x in clients:
                x.step(0.01)
        assert {x.end.error_code for x in clients} == {NO_ERROR}
        assert command.wait() == 0
        for x in clients:
            x.socket.close()


class Upgrades:
    """Makes new versions take over from a command, one after the other, in a block."""

    def __init__(self, command):
        self.command, self.pid, self.count = command, command.process.pid, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.count:
            os.kill(self.pid, signal.SIGTERM)
            wait_for_end(self.pid)

    def upgrade(self):
        """Make one take over; return the pid of its predecessor."""
        before, self.count = self.pid, self.count + 1
        os.kill(before, signal.SIGUSR2)
        wait_for_lines(self.command, "has taken over", self.count)
        text = self.command.err.text
        self.pid = int(re.findall(r"process (\d+) has taken over", text)[-1])
        return before


@pytest.mark.parametrize(
    ("moves", "stays"), [(False, True), (True, True), (False, False)]
)
def test_an_upgrade_loses_no_request(localhost, moves, stays):
    with crew(localhost, count=2) as command, Upgrades(command) as new:
        place, before = place_of(command), pids(command)
        with Users(place, count=2, moves=moves, stays=stays) as users:
            users.wait_for(30)
            new.upgrade()
            assert command.wait() == 0
            after = children(new.pid)
            wait_for(lambda: users.failures or after & set(users.answers), "none")
            users.wait_for(30)
        assert users.failures == []
        assert before & set(users.answers)
        assert after.isdisjoint(before)


def test_a_client_that_moves_keeps_its_worker_of_the_old_version(localhost, tmp_path):
    """Its request runs on, while others are served by the new version."""
    go = tmp_path / "go"
    with (
        crew(localhost, target="pid_after", count=2) as command,
        Upgrades(command) as new,
        Client(place_of(command)) as client,
    ):
        before = pids(command)
        number = client.ask(f"/?{go}")
        client.until(lambda: command.err.count("begun"), "the request")
        new.upgrade()
        for _ in range(MOVES):
            client.move_and_wait()
            if client.counts[1] % 8 == 0:
                assert who(client.place) in children(new.pid)
        go.touch()
        assert int(client.finish(number).body) in before
        client.until(lambda: client.end is not None)
        assert client.end.error_code == NO_ERROR
        assert command.wait() == 0
        assert who(client.place) in children(new.pid)


def test_upgrades_and_reloads_may_follow_each_other(localhost):
    """Each version passes the sockets and the secret on."""
    words = ["--h3-retry-from", "0"]
    with crew(localhost, *words, count=1) as command, Upgrades(command) as new:
        place = place_of(command)
        with Client(place) as client:
            client.ask_who()
            client.until(lambda: client.tokens)
        with Users(place, count=2) as users:
            for number in (1, 2, 3):
                wait_for_end(new.upgrade())
                users.wait_for(10)
                reload(command, number, new.pid)
                users.wait_for(10)
        assert users.failures == []
        with Client(place, token=client.tokens[0]) as again:
            assert again.ask_who() in children(new.pid)
            assert again.quic._retry_count == 0


def test_an_upgrade_that_fails_changes_nothing(localhost, tmp_path):
    target = tmp_path / "failing_app.py"
    good = (HERE / "apps.py").read_text()
    target.write_text(good)
    words = ["--app-dir", str(tmp_path), "--http3", *localhost.words()]
    words += ["--workers", "2", "--no-access-log", "--timeout-keep-alive", "1"]
    with Command("failing_app:pid", "--port", "0", *words) as command:
        place = place_of(command)
        with Users(place, count=2) as users:
            for number in (1, 2):
                target.write_text("raise ValueError('on purpose')\n")
                command.signal(signal.SIGUSR2)
                wait_for_lines(command, "the upgrade is over", number)
                users.wait_for(20)
                target.write_text(good)
                reload(command, number)
                users.wait_for(20)
        assert users.failures == []
        assert who(place) in pids(command)


def test_a_worker_without_a_seat_does_not_start(localhost):
    """All are taken, or kept for the workers of another version."""
    with listen_at("127.0.0.1") as listener:
        seats = QuicSockets([(listener, 0)], b"secret")
        try:
            assert seats.take(set()) == 0
            assert seats.take({0, 2}) == 1
            with pytest.raises(BindError, match="no UDP socket is left"):
                seats.take(set(range(SEATS_MAX)))
            seats.prepare_to_lend({1}, 3)
            assert seats.take({1}) == 0
            assert seats.take({0, 1}) == 2
            with pytest.raises(BindError, match="no UDP socket is left"):
                seats.take({0, 1, 2})
            with pytest.raises(BindError, match="have not ended yet"):
                seats.prepare_to_lend({1}, 3)
            seats.has_lent()
            seats.prepare_to_lend({1}, 3)
            seats.has_lent()
        finally:
            seats.close()


async def hello(scope, receive, send):
    await answer(send, b"hello")


def test_a_kernel_without_it_is_reported(localhost, monkeypatch):
    monkeypatch.setattr(_engine, "can_steer_quic", lambda: False)
    with pytest.raises(ConfigError, match=r"needs Linux 4\.5 for several workers"):
        Config(hello, http3=True, workers=2, **localhost.settings())
    Config(hello, http3=True, workers=1, **localhost.settings())


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ((-1, b"", [0], [0]), OSError),
        ((0, b"", [0], []), ValueError),
        ((0, b"", [1, 1], [0]), ValueError),
        ((0, b"", [0], [1024]), ValueError),
        ((0, b"", [-1], [0]), ValueError),
        ((0, b"", ["0"], [0]), TypeError),
        ((0, "", [0], [0]), TypeError),
        ((0, b"", [0] * 2000, [0]), ValueError),
    ],
)
def test_wrong_seats_are_rejected(values, error):
    with pytest.raises(error):
        _engine.steer_quic(*values)


def udp_sockets(port):
    """Return how many UDP sockets of IPv4 have a port."""
    with open("/proc/net/udp") as lines:
        return sum(f":{port:04X} " in line for line in lines)


def test_a_reload_switches_http3_off_and_on(localhost, tmp_path):
    """The sockets are closed when no worker needs them any more."""
    path = tmp_path / "settings.toml"

    def write(text):
        path.write_text(f"workers = 1\nhttp3 = {text}\n")

    write("true")
    words = ["--bind", "127.0.0.1:0", "--config", str(path), *localhost.words()]
    with Command("apps:pid", *words) as command:
        place = place_of(command)
        first = who(place)
        assert udp_sockets(place[1]) > 0
        write("false")
        reload(command, 1)
        wait_for(lambda: udp_sockets(place[1]) == 0, "sockets are open")
        assert not is_alive(first)
        write("true")
        reload(command, 2)
        assert who(place) != first
        assert udp_sockets(place[1]) > 0
