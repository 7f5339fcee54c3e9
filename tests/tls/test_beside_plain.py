"""One bind speaks TLS and another does not."""

import ssl

import pytest
from command import DEADLINE_S, Command, connect, read_all, request, talk
from talking import client_context


@pytest.mark.parametrize("workers", [[], ["--workers", "2"]])
def test_a_plain_bind_beside_one_with_tls(authority, localhost, workers):
    words = ["--ssl-certfile", str(localhost.cert), "--ssl-keyfile", str(localhost.key)]
    words += ["--bind", "127.0.0.1:0,tls", "--bind", "127.0.0.1:0,plain"]
    with Command("apps:hello", *words, *workers) as command:
        secure, plain = command.where().split(", ")
        assert secure.startswith("https://")
        assert plain.startswith("http://")
        assert talk(port_of(plain), request()).endswith(b"hello")
        context = client_context(authority)
        with context.wrap_socket(
            connect(port_of(secure)), server_hostname="localhost"
        ) as sock:
            sock.settimeout(DEADLINE_S)
            sock.sendall(request())
            assert read_all(sock).endswith(b"hello")
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(
                connect(port_of(plain)), server_hostname="localhost"
            ).close()
        assert command.stop() == 0


def port_of(url):
    return int(url.rpartition(":")[2])
