"""A port for plain HTTP that redirects all clients to https.

Covers src/builtin/redirect.c.
"""

import shutil
import subprocess

import pytest
from command import DEADLINE_S, Command, run, talk
from serving import request


@pytest.fixture(scope="module")
def ports(localhost):
    """Yield the ports of a server: for https and for http."""
    words = [*localhost.words(), "--redirect-http", "0", "--hsts", "60"]
    with Command("apps:raising", "--port", "0", *words) as command:
        secure, plain = command.where().split(", ")
        assert secure.startswith("https://127.0.0.1:")
        assert plain.startswith("http://127.0.0.1:")
        yield secure.rpartition(":")[2], int(plain.rpartition(":")[2])
        assert command.stop() == 0
        assert "Traceback" not in command.err.rest()  # the application is not called


def location(data):
    """Return status and Location of a response."""
    head = data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in head[1:])
    assert "strict-transport-security" not in fields  # RFC 6797 7.2
    return int(head[0].split()[1]), fields.get("location")


CLOSE = "Connection: close\r\n"


@pytest.mark.parametrize(
    ("target", "host", "to"),
    [
        ("/a/b?c=d&e", "a.example", "https://a.example:{0}/a/b?c=d&e"),
        ("/", "a.example:8000", "https://a.example:{0}/"),
        ("/%2e%2e//x", "[::1]:80", "https://[::1]:{0}/%2e%2e//x"),
        ("/", "[::1]", "https://[::1]:{0}/"),
        ("http://b.example:1/x?y", "a.example", "https://b.example:{0}/x?y"),
        ("//evil.example/x", "a.example", "https://a.example:{0}//evil.example/x"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_host_path_and_query_are_kept(ports, method, target, host, to):
    fields = f"Host: {host}\r\n{CLOSE}"
    answer = talk(ports[1], request(target, fields, method=method))
    assert location(answer) == (308, to.format(ports[0]))
    assert answer.endswith(b"\r\n\r\n") == (method == "HEAD")


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: user@a\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
    ],
)
def test_a_redirect_without_a_valid_host_is_400(ports, sent):
    assert location(talk(ports[1], sent)) == (400, None)


def test_a_body_and_further_requests_are_harmless(ports):
    post = request("/1", method="POST", body=b"x" * 1000)
    answers = talk(ports[1], post + request("/2", CLOSE))
    assert answers.count(b"HTTP/1.1 308 ") == 2
    assert answers.index(b"/1\r\n") < answers.index(b"/2\r\n")


def test_options_asterisk_is_redirected_to_the_host(ports):
    answer = talk(ports[1], request("*", CLOSE, method="OPTIONS"))
    assert location(answer) == (308, f"https://a:{ports[0]}")


def test_http2_is_redirected_as_well(ports):
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    words = ["-s", "-o", "/dev/null", "--noproxy", "*", "--http2-prior-knowledge"]
    words += ["-w", "%{http_code} %{http_version} %{redirect_url}"]
    done = subprocess.run(
        ["curl", *words, f"http://127.0.0.1:{ports[1]}/a?b"],
        capture_output=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert done.stdout.decode() == f"308 2 https://127.0.0.1:{ports[0]}/a?b"


def test_a_redirect_needs_tls():
    code, _, err = run("apps:hello", "--redirect-http", "80")
    assert (code, err) == (2, "bolide: error: --redirect-http needs --ssl-certfile\n")
