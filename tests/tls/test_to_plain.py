"""TLS on a port for plain HTTP."""

import ssl

import pytest
from serving import Serving, answer, read_all

HELLO = bytes.fromhex("16030100f4010000f00303") + bytes(range(16, 255))


async def app(scope, receive, send):
    """Respond."""
    await answer(send, b"hello")


def lines_of(serving):
    """Return the warnings of a server."""
    return [text for level, text in serving.log.lines if level >= 30]


@pytest.mark.parametrize("size", [1, 2, 5, len(HELLO)])
@pytest.mark.parametrize("http2", [False, True])
def test_the_log_names_the_likely_cause(size, http2):
    """It is detected from the first byte, however the hello is split."""
    with Serving(app, http2=http2) as serving, serving.connect() as sock:
        sock.sendall(HELLO[:size])
        assert read_all(sock).startswith(b"HTTP/1.1 400 ")
    (line,) = lines_of(serving)
    assert line.endswith(
        "TLS on a port for plain HTTP (is https:// meant to be http://, or is "
        "--ssl-certfile missing?)"
    )


def test_tls_on_a_plain_port_is_counted_as_tls():
    with Serving(app, metrics_path="/metrics") as serving:
        with serving.connect() as sock, pytest.raises(ssl.SSLError):
            ssl.create_default_context().wrap_socket(sock, server_hostname="localhost")
        metrics = serving.ask("/metrics").body.decode()
    counts = {
        line.partition('reason="')[2].partition('"')[0]: float(line.split()[-1])
        for line in metrics.splitlines()
        if line.startswith("bolide_refusals_total{")
    }
    assert counts["tls"] == 1
    assert sum(counts.values()) == 1
