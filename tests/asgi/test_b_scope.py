"""Group B: the scope of a request.

Covers src/asgi/scope.c and src/asgi/scope_extensions.c.
"""

import socket

import pytest
from serving import Serving, answer, request, scope_of

CLOSE = "Connection: close\r\n"


def get(target="/", fields="", **settings):
    """Return the scope of a GET."""
    return scope_of(request(target, fields + CLOSE), **settings)


def test_B1_a_target_becomes_path_raw_path_and_query():
    scope = get("/a?b=c")
    assert (scope["path"], scope["raw_path"]) == ("/a", b"/a")
    assert scope["query_string"] == b"b=c"


@pytest.mark.parametrize(
    ("target", "query"),
    [
        pytest.param("/a", b"", id="B2"),
        pytest.param("/a?", b"", id="B3"),
        pytest.param("/a?x?y=%20", b"x?y=%20", id="B4"),
    ],
)
def test_B2_B3_B4_the_query_is_unchanged(target, query):
    assert get(target)["query_string"] == query


@pytest.mark.parametrize(
    ("target", "path"),
    [
        pytest.param("/caf%C3%A9", "/café", id="B5"),
        pytest.param("/a%2Fb", "/a/b", id="B6"),
        pytest.param("/%FF", "/\ufffd", id="B7"),
        pytest.param("/a%zz", "/a%zz", id="B8"),
        pytest.param("/a+b", "/a+b", id="B9"),
        pytest.param("//a/../b", "//a/../b", id="B13"),
    ],
)
def test_B5_B6_B7_B8_B9_B13_a_path_is_decoded_and_not_normalized(target, path):
    with_scope = served_or_refused(target)
    if with_scope is None:
        assert "%zz" in target  # an invalid escape is rejected
        return
    assert (with_scope["path"], with_scope["raw_path"]) == (path, target.encode())


def served_or_refused(target):
    """Return the scope, or None if the target is rejected with 400."""
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)
        await answer(send)

    with Serving(app) as serving:
        status = serving.ask(target).status
    assert status == (200 if scopes else 400)
    return scopes[0] if scopes else None


def test_B10_a_non_ascii_byte_in_the_target_is_decoded_or_rejected():
    scope = served_or_refused("/caf\xc3\xa9")
    assert scope is None or scope["path"] == "/café"


@pytest.mark.http1
def test_B11_the_path_is_taken_from_an_absolute_form_target():
    scope = get("http://a/x?y")
    assert (scope["path"], scope["raw_path"]) == ("/x", b"/x")
    assert scope["query_string"] == b"y"


def test_B12_an_asterisk_is_a_path_for_options():
    scope = scope_of(request("*", CLOSE, method="OPTIONS"))
    assert (scope["path"], scope["raw_path"]) == ("*", b"*")


@pytest.mark.parametrize("method", ["GET", "PROPFIND", "M-SEARCH"])
def test_B14_the_method_is_unchanged(method):
    assert scope_of(request("/", CLOSE, method=method))["method"] == method


def test_B15_a_lower_case_method_is_501():
    async def app(scope, receive, send):
        raise AssertionError("never called")

    with Serving(app) as serving:
        assert serving.ask(method="get").status == 501


@pytest.mark.http1
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_B16_B17_the_version_is_that_of_the_request(version):
    scope = scope_of(request("/", CLOSE, version=version))
    assert scope["http_version"] == version


@pytest.mark.without_tls
def test_B20_the_scheme_is_http():
    assert get()["scheme"] == "http"


@pytest.mark.without_tls
def test_B21_forwarded_addresses_are_used_only_from_trusted_peers():
    fields = "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n"
    scope = get(fields=fields, forwarded_allow_ips="10.0.0.1")
    assert scope["scheme"] == "http"
    assert scope["client"][0] == "127.0.0.1"
    scope = get(fields=fields, forwarded_allow_ips="127.0.0.1")
    assert scope["scheme"] == "https"
    assert scope["client"][0] == "1.2.3.4"


@pytest.mark.http1
def test_B22_B25_client_and_server_are_address_and_port():
    async def app(scope, receive, send):
        host, port = scope["client"]
        assert type(port) is int
        assert (scope["server"], host) == (serving.place, "127.0.0.1")
        await answer(send, b"%d" % port)

    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(request(fields=CLOSE))
        wanted = b"\r\n\r\n%d" % sock.getsockname()[1]
        data = b""
        while piece := sock.recv(65536):
            data += piece
    assert data.endswith(wanted)


class ServingIPv6(Serving):
    """Serves over IPv6."""

    def listen(self):
        return socket.create_server(("::1", 0), family=socket.AF_INET6)


def test_B23_an_ipv6_address_has_no_brackets():
    hosts = []

    async def app(scope, receive, send):
        hosts.append((scope["client"][0], scope["server"][0]))
        await answer(send)

    with ServingIPv6(app) as serving:
        assert serving.ask().status == 200
    assert hosts == [("::1", "::1")]


@pytest.mark.without_tls
def test_B24_over_a_unix_socket_server_is_the_path_and_client_is_none(tmp_path):
    path = str(tmp_path / "socket")
    seen = []

    class ServingUnix(Serving):
        def listen(self):
            sock = socket.socket(socket.AF_UNIX)
            sock.bind(path)
            sock.listen()
            return sock

    async def app(scope, receive, send):
        seen.append((scope["server"], scope["client"]))
        await answer(send)

    with ServingUnix(app) as serving:
        assert serving.ask().status == 200
    ((server, client),) = seen
    assert (tuple(server), client) == ((path, None), None)


@pytest.mark.http1
def test_B26_B27_B28_B29_B30_B31_headers_are_as_sent():
    fields = (
        "X-Foo: 1\r\nCookie: a=1\r\nx-foo:  2 \t 3  \r\nCookie: b=2\r\n"
        "X-High: \xe9\xff\r\nX-Empty:\r\nX_under: u\r\n"
    )
    headers = get(fields=fields)["headers"]
    assert [tuple(field) for field in headers] == [
        (b"host", b"a"),
        (b"x-foo", b"1"),
        (b"cookie", b"a=1"),
        (b"x-foo", b"2 \t 3"),
        (b"cookie", b"b=2"),
        (b"x-high", b"\xe9\xff"),
        (b"x-empty", b""),
        (b"x_under", b"u"),
        (b"connection", b"close"),
    ]
    assert all(type(part) is bytes for field in headers for part in field)


@pytest.mark.http1
def test_B32_no_host_is_added_for_http_1_0():
    scope = scope_of(request("/", CLOSE, version="1.0"))
    assert [tuple(field) for field in scope["headers"]] == [(b"connection", b"close")]


def test_B34_the_root_path_is_empty_by_default():
    assert get()["root_path"] == ""


def test_B35_path_contains_the_root_path_and_raw_path_does_not():
    scope = get("/x", root_path="/p")
    assert (scope["root_path"], scope["path"]) == ("/p", "/p/x")
    assert scope["raw_path"] == b"/x"


def test_B36_the_scope_has_a_state():
    assert get()["state"] == {}


@pytest.mark.without_tls
def test_B37_B38_supported_extensions_are_advertised():
    always = ["http.response.early_hint", "http.response.trailers"]
    asked = ["http.response.pathsend", "http.response.zerocopysend"]
    assert sorted(get()["extensions"]) == always
    assert sorted(get(pathsend=True)["extensions"]) == sorted(always + asked)
