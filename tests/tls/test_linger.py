"""A response over TLS that comes before the request has ended is not lost."""

import pytest
from serving import answer, read_all, request
from talking import Secure, client_context

MB = 1_000_000


@pytest.mark.parametrize("megabytes", [5, 20])
def test_a_client_that_sends_all_first_gets_the_response(
    authority, localhost, megabytes
):
    async def refuse(scope, receive, send):
        await answer(send, b"too large", status=413)

    n = megabytes * MB
    with (
        Secure(refuse, localhost) as serving,
        serving.open(client_context(authority)) as sock,
    ):
        sock.sendall(request(fields=f"Content-Length: {n}\r\n", method="POST"))
        for _ in range(20):
            sock.sendall(bytes(n // 20))
        data = read_all(sock)
    assert data.startswith(b"HTTP/1.1 413 ")
    assert data.endswith(b"too large")
