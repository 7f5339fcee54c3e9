"""Ten thousand WebSockets on one worker, and a broadcast to all of them."""

import resource
import select
import socket

import pytest
from command import DEADLINE_S, serve

COUNT = 10_000
SPARE = 200
"""Descriptors that each side needs in addition."""

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SAID = b"\x81\x85\0\0\0\0hello"
HEARD = b"\x81\x05hello"


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < COUNT + SPARE:
        pytest.skip(f"{hard} descriptors are all that this process may have")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def read_until(peers, is_whole):
    """Read from all sockets until each has received what is expected."""
    poller = select.epoll()
    data = {}
    for peer in peers:
        poller.register(peer, select.EPOLLIN)
        data[peer.fileno()] = (peer, b"")
    while data:
        events = poller.poll(3 * DEADLINE_S)
        assert events, f"{len(data)} sockets wait"
        for fd, _ in events:
            peer, had = data[fd]
            got = peer.recv(4096)
            assert got, "the server has closed"
            data[fd] = (peer, had + got)
            if is_whole(had + got):
                poller.unregister(fd)
                del data[fd]
    poller.close()


def test_ten_thousand_clients_receive_a_broadcast(many_descriptors):
    """Each socket receives the handshake response and the message, byte for byte."""
    with serve("room", "--lifespan", "off") as command:
        address = ("127.0.0.1", command.port())
        peers = []
        for _ in range(COUNT):
            peer = socket.create_connection(address, DEADLINE_S)
            peer.sendall(HANDSHAKE)
            peers.append(peer)
        read_until(peers, lambda had: had.endswith(b"\r\n\r\n"))
        peers[0].sendall(SAID)
        read_until(peers, HEARD.__eq__)
        for peer in peers:
            peer.close()
        assert command.stop() == 0
