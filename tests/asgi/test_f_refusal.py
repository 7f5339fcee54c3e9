"""A WebSocket that is closed because of what its peer sent: log, counter and code.

Covers src/server/refusal.c.
"""

import time

import pytest
from serving import DEADLINE_S, Serving
from socketing import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    Peer,
    Received,
    close_payload,
    doing,
    echo,
    frame,
    handshake,
    listening,
    talking,
)

OFFER = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
PARTS = b"".join(frame(CONTINUATION, fin=False) for _ in range(4))
CASES = {
    "opcode": (frame(3, b"x"), 1002, "a malformed WebSocket frame", None),
    "unmasked": (
        frame(TEXT, b"x", masked=False),
        1002,
        "a WebSocket frame without a mask",
        None,
    ),
    "order": (frame(CONTINUATION), 1002, "a WebSocket frame out of order", None),
    "close": (frame(CLOSE, b"x"), 1002, "a malformed WebSocket close frame", None),
    "utf8": (frame(TEXT, b"\xff"), 1007, "text that is not UTF-8", None),
    "reason": (
        frame(CLOSE, close_payload(1000) + b"\xff"),
        1007,
        "text that is not UTF-8",
        None,
    ),
    "deflate": (
        frame(TEXT, b"\xff\xff\xff", rsv=4),
        1007,
        "compressed data that cannot be inflated",
        None,
    ),
    "message": (
        frame(BINARY, b"x" * 600, fin=False) + frame(CONTINUATION, b"x" * 600),
        1009,
        "a WebSocket message over --ws-max-size",
        "--ws-max-size",
    ),
    "frame": (
        frame(BINARY, b"x" * 801),
        1009,
        "a WebSocket frame over --ws-max-frame",
        "--ws-max-frame",
    ),
    "fragments": (
        frame(TEXT, fin=False) + PARTS,
        1008,
        "a WebSocket message in more fragments than",
        "--ws-max-fragments",
    ),
    "controls": (
        frame(PING) * 10,
        1008,
        "more WebSocket control frames in a second than",
        "--ws-max-controls",
    ),
}
SETTINGS = {
    "ws_max_size": 1000,
    "ws_max_frame": 800,
    "ws_max_fragments": 4,
    "ws_max_controls": 9,
}


def refused(serving, n=1, name="websocket"):
    """Wait until ``n`` refusals are counted, all under ``name``."""
    end = time.monotonic() + DEADLINE_S
    while True:
        numbers = serving.server.tallies.read(0)
        found = {
            k.removeprefix("refused_"): v
            for k, v in numbers.items()
            if k.startswith("refused_") and v
        }
        if found == {name: n}:
            return
        assert time.monotonic() < end, found
        time.sleep(0.01)


def warnings(serving):
    """Return the log records of level WARNING (30) and above."""
    return [text for level, text in serving.log.lines if level >= 30]


def said(serving, text, option):
    """Assert that the log has exactly one warning with ``text`` and ``option``."""
    (line,) = warnings(serving)
    assert text in line
    assert "status" not in line
    assert option is None or option in line
    assert option is not None or "--" not in line


@pytest.mark.parametrize("case", CASES)
def test_a_refused_peer_is_logged_and_counted_once(case):
    sent, code, text, option = CASES[case]
    with talking(echo, handshake(fields=OFFER), **SETTINGS) as (peer, serving):
        peer.sock.sendall(sent)
        while (got := peer.frame())[0] != CLOSE:
            assert got[0] == PING + 1
        assert int.from_bytes(got[1][:2], "big") == code
        assert peer.ends()
        refused(serving)
        said(serving, text, option)


def test_a_peer_that_answers_no_ping_is_counted_as_too_slow():
    settings = {"ws_ping_interval": 0.1, "ws_ping_timeout": 0.1}
    with talking(listening(Received()), **settings) as (peer, serving):
        assert peer.frame()[0] == PING
        assert peer.close_code()[0] == 1011
        assert peer.ends()
        refused(serving, name="timeout")
        said(serving, "no response to a WebSocket ping within", "--ws-ping-timeout")


def test_a_peer_that_breaks_a_rule_after_our_close_is_counted_too():
    async def act(receive, send):
        await send({"type": "websocket.close"})
        await receive()

    with talking(doing(Received(), act)) as (peer, serving):
        assert peer.close_code()[0] == 1000
        peer.send(3)
        assert peer.ends()
        refused(serving)
        said(serving, "a malformed WebSocket frame", None)


@pytest.mark.parametrize(
    "end",
    [frame(CLOSE), frame(CLOSE, close_payload(1011)), None],
    ids=["close", "1011", "loss"],
)
def test_a_regular_close_is_neither_logged_nor_counted(end):
    heard = Received()
    with talking(listening(heard)) as (peer, serving):
        if end is not None:
            peer.sock.sendall(end)
            peer.close_code()
            assert peer.ends()
        peer.sock.close()
        heard.wait()
        assert warnings(serving) == []
        numbers = serving.server.tallies.read(0)
        assert not any(v for k, v in numbers.items() if k.startswith("refused_"))


@pytest.mark.parametrize(
    "changes, status, text",
    [
        ({"Sec_WebSocket_Key": "short"}, 400, "a malformed WebSocket handshake"),
        ({"Sec_WebSocket_Version": "8"}, 426, "an unsupported WebSocket version"),
    ],
    ids=["key", "version"],
)
def test_a_wrong_handshake_is_logged_and_counted(changes, status, text):
    with Serving(echo) as serving, serving.connect() as sock:
        assert Peer(sock, handshake(**changes)).status == status
        refused(serving)
        (line,) = warnings(serving)
        assert text in line
        assert f": {status}, " in line
